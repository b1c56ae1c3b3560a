#!/usr/bin/env python3
"""Ways to the server: several hosts, addresses, SRV, MX, racing.

Prints TAP. MSUBMIT names the program. Scripted servers, and a resolver of our own
(dnsserver.py), on loopback; no network, no fixed ports, no root."""
import os
import socket
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402
from dnsserver import Resolver                                          # noqa: E402
from ways import (ACCEPT, BUSY, Deaf, HOSTLESS, Run, Server, TESTS, TO, can_name_host,  # noqa: E402
                  shared_port, test)

# --- several hosts ------------------------------------------------------------------


@test('the second host is used when the first refuses the connection')
def second_host():
    server = Server(ACCEPT)
    run = Run(['--host=127.0.0.1:%d, 127.0.0.1:%d' % (harness.free_port(), server.port)], [server])
    return run.check(0)


@test('the first host is used alone when it works')
def first_host():
    first, second = Server(ACCEPT), Server('')
    return Run(['--host=127.0.0.1:%d,127.0.0.1:%d' % (first.port, second.port)], [first, second]).check(0)


@test('a 4xx greeting sends us on, and the greeted server hears QUIT')
def busy_host():
    first, second = Server(BUSY), Server(ACCEPT)
    return Run(['--host=127.0.0.1:%d,127.0.0.1:%d' % (first.port, second.port)], [first, second]).check(0)


@test('a 5xx greeting is final')
def refusing_host():
    first, second = Server('S: 554 5.3.2 no'), Server('')
    return Run(['--host=127.0.0.1:%d,127.0.0.1:%d' % (first.port, second.port)],
               [first, second]).check(69, '554')


@test('a name that does not exist sends us on')
def missing_host():
    server = Server(ACCEPT)
    with Resolver({}) as dns:
        return Run(['--resolver=' + dns.address, '--host=gone.example.org:25,127.0.0.1:%d' % server.port],
                   [server]).check(0)


@test('every host that failed is named, and what may pass decides the status')
def all_fail():
    a, b = harness.free_port(), harness.free_port()
    with Resolver({}) as dns:
        run = Run(['--resolver=' + dns.address, '--host=gone.example.org:25,127.0.0.1:%d,127.0.0.1:%d' % (a, b)])
    return run.check(75, 'gone.example.org', '127.0.0.1:%d' % a, '127.0.0.1:%d' % b)


@test('a server that hangs up at MAIL or in the data sends us on')
def lost_in_transaction():
    failures = []
    for cut in ('CLOSE', 'S: 250 2.1.0 ok\nCLOSE', 'S: 421 4.3.2 going down\nCLOSE'):
        head = ACCEPT.strip().split('S: 250 2.1.0 ok')[0]
        # it is asked once more, as nothing can have been taken; not after 421
        again = [] if '421' in cut else ['CONNECT', head.split('C: RCPT')[0] + cut]
        first, second = Server('\n'.join([head + cut] + again)), Server(ACCEPT)
        failures += Run(['--host=127.0.0.1:%d,127.0.0.1:%d' % (first.port, second.port)],
                        [first, second]).check(0)
    return failures


@test('after the final dot there is no other server')
def lost_after_dot():
    first, second = Server(ACCEPT.replace('S: 250 2.0.0 taken', 'CLOSE')), Server('')
    return Run(['--host=127.0.0.1:%d,127.0.0.1:%d' % (first.port, second.port)],
               [first, second]).check(75, 'may have been accepted')


@test('a refused recipient is final')
def refused_recipient():
    first = Server('''
S: 220 peer
C: EHLO *
S: 250 peer
C: MAIL FROM:<*>
S: 250 ok
C: RCPT TO:<*>
S: 550 5.1.1 no such user
''')
    second = Server('')
    return Run(['--host=127.0.0.1:%d,127.0.0.1:%d' % (first.port, second.port)], [first, second]).check(67, '5.1.1')


@test('a temporary failure of AUTH sends us on, a refused password does not')
def auth_hosts():
    failures = []
    head = 'S: 220 peer\nC: EHLO *\nS: 250-peer / 250 AUTH PLAIN\nC: AUTH PLAIN *\n'
    accept = ACCEPT.replace('250-peer / 250 PIPELINING', '250-peer / 250-PIPELINING / 250 AUTH PLAIN').replace(
        'C: MAIL', 'C: AUTH PLAIN *\nS: 235 2.7.0 ok\nC: MAIL', 1)
    for reply, status in (('454 4.7.0 later', 0), ('535 5.7.8 no', 77)):
        first, second = Server(head + 'S: ' + reply), Server(accept if status == 0 else '')
        failures += Run(['--host=127.0.0.1:%d,127.0.0.1:%d' % (first.port, second.port), '--user=joe',
                         '--password-command=echo secret', '--auth-plaintext=always'],
                        [first, second]).check(status)
    return failures


@test('a server without STARTTLS sends us on, never in clear')
def no_starttls():
    first = Server('S: 220 peer\nC: EHLO *\nS: 250 peer')
    second = Server('S: 220 peer\nC: EHLO *\nS: 250 peer')
    return Run(['--host=127.0.0.1:%d,127.0.0.1:%d' % (first.port, second.port), '--tls=starttls'], [first, second],
               base=HOSTLESS[1:]).check(69, 'STARTTLS', str(second.port))


# --- addresses --------------------------------------------------------------------------


@test('the next address of a name is tried after a 4xx greeting')
def next_address():
    first = Server(BUSY, port=shared_port())
    second = Server(ACCEPT, '127.0.0.2', first.port)
    with Resolver({('two.example.org', 'A'): ['127.0.0.1', '127.0.0.2']}) as dns:
        return Run(['--resolver=' + dns.address, '--host=two.example.org:%d' % first.port], [first, second]).check(0)


@test('HELO after a dropped EHLO goes to the same address')
def helo_same_address():
    first = Server('S: 220 peer\nC: EHLO *\nCLOSE\nCONNECT\nS: 220 peer\nC: HELO *\nS: 250 peer\n'
                   'C: MAIL FROM:<*>\nS: 250 ok\nC: RCPT TO:<*>\nS: 250 ok\nC: DATA\nS: 354 go\n'
                   'C: <message>\nS: 250 ok', port=shared_port())
    second = Server('', '127.0.0.2', first.port)
    with Resolver({('two.example.org', 'A'): ['127.0.0.1', '127.0.0.2']}) as dns:
        return Run(['--resolver=' + dns.address, '--host=two.example.org:%d' % first.port], [first, second]).check(0)


@test('a deaf first address is overtaken by the second')
def race():
    deaf = Deaf(port=shared_port())
    server = Server(ACCEPT, '127.0.0.2', deaf.port)
    with Resolver({('two.example.org', 'A'): ['127.0.0.1', '127.0.0.2']}) as dns:
        run = Run(['--resolver=' + dns.address, '--host=two.example.org:%d' % deaf.port, '--happy-eyeballs=50ms',
                   '--connect-timeout=1000'], [deaf, server])
    return run.check(0)


@test('without racing the second has to wait for the first')
def no_race():
    deaf = Deaf(port=shared_port())
    server = Server(ACCEPT, '127.0.0.2', deaf.port)
    with Resolver({('two.example.org', 'A'): ['127.0.0.1', '127.0.0.2']}) as dns:
        run = Run(['--resolver=' + dns.address, '--host=two.example.org:%d' % deaf.port, '--happy-eyeballs=off',
                   '--connect-timeout=1'], [deaf, server])
    if run.seconds < 0.9:
        run.failures.append('it took %.1f s only' % run.seconds)
    return run.check(0)


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(('::1', 0))
        return True
    except OSError:
        return False


def family_case(option, address):
    """Both addresses are there, and the wanted one gets the message."""
    other = {'::1': '127.0.0.1', '127.0.0.1': '::1'}[address]
    wanted = Server(ACCEPT, address, harness.free_port(address, other))
    unwanted = Server('', other, wanted.port)
    with Resolver({('both.example.org', 'A'): ['127.0.0.1'], ('both.example.org', 'AAAA'): ['::1']}) as dns:
        run = Run(['--resolver=' + dns.address, '--host=both.example.org:%d' % wanted.port] + option, [wanted, unwanted])
        kinds = sorted(k for _, k, _ in dns.asked)
    if option == ['-4'] and kinds != ['A'] or option == ['-6'] and kinds != ['AAAA']:
        run.failures.append('asked for %s' % kinds)
    return run.check(0)


for words, address in ((['-4'], '127.0.0.1'), (['-6'], '::1'), ([], '::1'),
                       (['--address-family=prefer-ipv4'], '127.0.0.1'),
                       (['--address-family=prefer-ipv6'], '::1')):
    TESTS.append(('%s leads to %s%s' % (' '.join(words) or 'nothing said', address,
                                       '' if has_ipv6() else ' # SKIP no IPv6'),
                  (lambda w=words, a=address: family_case(w, a)) if has_ipv6() else None))


@test('source address and port are those asked for')
def source():
    server = Server(ACCEPT)
    port = harness.free_port()
    run = Run(['--host=127.0.0.1:%d' % server.port, '--source-ip=::1, 127.0.0.9',
               '--source-port=%d-%d' % (port, min(port + 20, 65535))], [server])
    if server.source and (server.source[0] != '127.0.0.9' or not port <= server.source[1] <= port + 20):
        run.failures.append('it came from %r' % (server.source,))
    return run.check(0)


@test('with source_ip_strict there is no other family')
def strict_source():
    server = Server('')
    return Run(['--host=127.0.0.1:%d' % server.port, '--source-ip=::1', '--source-ip-strict=on'],
               [server]).check(75, 'source address')


@test('bad settings are told at once')
def bad_settings():
    failures = []
    for word in ('--source-port=0', '--source-port=5-4', '--source-port=x', '--happy-eyeballs=5ms',
                 '--happy-eyeballs=x', '--tcp-keepalive=1,2', '--tcp-keepalive=1,2,0', '--resolver=dns.example.org',
                 '--resolver=127.0.0.1:0', '--proxy=localhost:1080', '--proxy=ftp://h', '--host=a,,b', '--host=a,',
                 '--host=srv:', '--host=srv:a:25', '--host=a:0,b', '--srv-live=yes', '--proxy-type=socks6',
                 '--proxy=socks5://joe:hunter2@h'):
        run = Run(['--host=127.0.0.1:9', word])
        if run.status not in (64, 78):
            failures.append('%s: exit %s: %s' % (word, run.status, run.err))
        if 'hunter2' in run.err:
            failures.append('the password is shown: ' + run.err)
    return failures


# --- DNS ------------------------------------------------------------------------------------


SUBMISSIONS, SUBMISSION = '_submissions._tcp.example.org', '_submission._tcp.example.org'


def srv_case(zone, servers, status, *texts, args=(), authentic=False, base=None, absent=()):
    with Resolver(zone, authentic) as dns:
        run = Run(['--resolver=' + dns.address, '--host=srv:example.org', '--domain=client.example.org',
                   '--from=sender@example.org'] + list(args), servers, base=base or ('--tls=off',))
        run.asked = dns.asked
    return run.check(status, *texts, absent=absent)


@test('SRV: host and port of the record')
def srv():
    server = Server(ACCEPT)
    return srv_case({(SUBMISSION, 'SRV'): [(0, 0, server.port, 'mail.example.org')],
                     ('mail.example.org', 'A'): ['127.0.0.1']}, [server], 0)


@test('SRV: the lower priority is tried first, the higher when it fails')
def srv_priority():
    first, second = Server(BUSY), Server(ACCEPT)
    return srv_case({(SUBMISSION, 'SRV'): [(20, 100, second.port, 'b.example.org'), (10, 0, first.port, 'a.example.org')],
                     ('a.example.org', 'A'): ['127.0.0.1'], ('b.example.org', 'A'): ['127.0.0.1']},
                    [first, second], 0)


@test('SRV: _submissions goes before _submission, by TLS from the first octet')
def srv_submissions():
    clear = Server('')
    deaf = Server('CLOSE')
    # a handshake begins there; the records of _submission come after it
    run = srv_case({(SUBMISSIONS, 'SRV'): [(50, 0, deaf.port, 'mail.example.org')],
                    (SUBMISSION, 'SRV'): [(1, 0, harness.free_port(), 'mail.example.org')],
                    ('mail.example.org', 'A'): ['127.0.0.1']}, [clear, deaf], 75, str(deaf.port), base=('-v',))
    return run


@test('SRV: the certificate may have the name of the server or of the domain, no other')
def srv_certificate():
    failures = []
    with harness.Folder() as folder:
        certs = harness.Certificates(os.path.join(folder, 'certs'))
        ca = certs('server')[2]
        for domain, host, good in (('localhost', 'mail.localhost', True), ('x.test', 'localhost', True),
                                   ('x.test', 'mail.x.test', False)):
            tls = 'TLS\n' + ACCEPT if good else 'TLS refused'
            server = Server(tls, certs=certs)
            zone = {('_submissions._tcp.' + domain, 'SRV'): [(0, 0, server.port, host)], (host, 'A'): ['127.0.0.1']}
            with Resolver(zone) as dns:
                failures += Run(['--resolver=' + dns.address, '--host=srv:' + domain, '--srv-live=any',
                                 '--tls-trust-file=' + ca, '--domain=client.example.org',
                                 '--from=sender@example.org'], [server], base=()).check(0 if good else 76)
    return failures


@test('SRV: weights decide how often a server comes first')
def srv_weight():
    counts = {}
    ports = {n: Server((BUSY + '\nCONNECT\n') * 60 + BUSY) for n in 'ab'}
    zone = {(SUBMISSION, 'SRV'): [(1, 90, ports['a'].port, 'a.example.org'), (1, 10, ports['b'].port, 'b.example.org')],
            ('a.example.org', 'A'): ['127.0.0.1'], ('b.example.org', 'A'): ['127.0.0.1']}
    with Resolver(zone) as dns:
        for _ in range(24):
            run = Run(['--resolver=' + dns.address, '--host=srv:example.org'])
            first = 'a' if run.err.index(str(ports['a'].port)) < run.err.index(str(ports['b'].port)) else 'b'
            counts[first] = counts.get(first, 0) + 1
    for s in ports.values():
        s.stop()
    # 24 * log10(10) zeros behind the point: never by chance
    return [] if counts.get('a', 0) >= 12 else ['first was %r' % counts]


@test('SRV: a server outside of the domain is not taken')
def srv_outside():
    server = Server('')
    zone = {(SUBMISSION, 'SRV'): [(0, 0, server.port, 'mail.evil.example')], ('mail.evil.example', 'A'): ['127.0.0.1']}
    return srv_case(zone, [server], 78, 'mail.evil.example', 'outside')


@test('SRV: nor one whose name only ends like the domain')
def srv_suffix():
    server = Server('')
    zone = {(SUBMISSION, 'SRV'): [(0, 0, server.port, 'badexample.org')], ('badexample.org', 'A'): ['127.0.0.1']}
    return srv_case(zone, [server], 78, 'outside', args=['--srv-live=dnssec'])


@test('SRV: it is when DNSSEC vouches for it, or the user')
def srv_trusted():
    failures = []
    for live, authentic in (('dnssec', True), ('any', False)):
        server = Server(ACCEPT)
        zone = {(SUBMISSION, 'SRV'): [(0, 0, server.port, 'mail.provider.example')],
                ('mail.provider.example', 'A'): ['127.0.0.1']}
        failures += srv_case(zone, [server], 0, args=['--srv-live=' + live], authentic=authentic)
    return failures


@test('SRV: "." says that there is no service')
def srv_none():
    return srv_case({(SUBMISSIONS, 'SRV'): [(0, 0, 0, '')], (SUBMISSION, 'SRV'): [(0, 0, 0, '')]}, [], 69, 'no mail submission')


@test('SRV: no record at all')
def srv_missing():
    return srv_case({('example.org', 'A'): ['127.0.0.1']}, [], 68, 'no SRV record')


@test('SRV: a resolver that fails is no lack of records')
def srv_servfail():
    failures = []
    for word in ('servfail', 'refused', 'garbage', 'forged'):
        zone = {(SUBMISSION, 'SRV'): word}
        failures += srv_case(zone, [], 75, 'cannot look up', args=['--connect-timeout=1'])
    return failures


@test('SRV: a silent resolver ends in time')
def srv_silent():
    return srv_case({(SUBMISSION, 'SRV'): 'silent'}, [], 75, 'cannot look up', args=['--connect-timeout=1'])


@test('SRV: a cut answer is fetched by TCP')
def srv_tcp():
    server = Server(ACCEPT)
    return srv_case({(SUBMISSION, 'SRV'): 'truncated:[(0, 0, %d, "mail.example.org")]' % server.port,
                     ('mail.example.org', 'A'): ['127.0.0.1']}, [server], 0)


@test('SRV: in a list it is asked for only when its turn comes')
def srv_lazy():
    server = Server(ACCEPT)
    with Resolver({}) as dns:
        run = Run(['--resolver=' + dns.address, '--host=127.0.0.1:%d, srv:example.org' % server.port], [server])
        if dns.asked:
            run.failures.append('asked for %r' % dns.asked)
    return run.check(0)


@test('"auto" stands for the domain of the sender')
def srv_auto():
    server = Server(ACCEPT)
    zone = {(SUBMISSION, 'SRV'): [(0, 0, server.port, 'mail.example.org')], ('mail.example.org', 'A'): ['127.0.0.1']}
    with Resolver(zone) as dns:
        return Run(['--resolver=' + dns.address, '--host=auto'], [server]).check(0)


# --- direct delivery -----------------------------------------------------------------------


def mx_case(zone, servers, status, *texts, args=(), to=(TO,), port=None, host_name=None):
    with Resolver(zone) as dns:
        run = Run(['--resolver=' + dns.address, '--mx', '--port=%d' % (port or servers[0].port)] + list(args),
                  servers, base=HOSTLESS[1:], to=to, host_name=host_name)
    return run.check(status, *texts)


@test('MX: by preference, the next when it fails')
def mx():
    first = Server(BUSY, port=shared_port())
    second = Server(ACCEPT, '127.0.0.2', first.port)
    zone = {('example.net', 'MX'): [(20, 'b.example.net'), (10, 'a.example.net')],
            ('a.example.net', 'A'): ['127.0.0.1'], ('b.example.net', 'A'): ['127.0.0.2']}
    return mx_case(zone, [first, second], 0)


@test('MX: without one the domain itself is the server')
def mx_implicit():
    server = Server(ACCEPT)
    return mx_case({('example.net', 'A'): ['127.0.0.1']}, [server], 0)


@test('MX: where there is one, the address of the domain is not used')
def mx_not_implicit():
    server = Server('')
    zone = {('example.net', 'A'): ['127.0.0.1'], ('example.net', 'MX'): [(10, 'gone.example.net')]}
    return mx_case(zone, [server], 68, 'gone.example.net')


@test('MX: the null MX')
def mx_null():
    server = Server('')
    zone = {('example.net', 'A'): ['127.0.0.1'], ('example.net', 'MX'): [(0, '')]}
    return mx_case(zone, [server], 68, 'takes no mail')


@test('MX: a domain that does not exist, and a resolver that fails')
def mx_missing():
    return mx_case({}, [], 68, 'does not exist', port=25) + \
        mx_case({('example.net', 'MX'): 'servfail'}, [], 75, 'cannot look up', port=25)


@test('MX: through a CNAME, also where the resolver does not follow it')
def mx_cname():
    failures = []
    for alias in ('other.example.net', 'unfollowed.example.net'):
        server = Server(ACCEPT)
        zone = {('example.net', 'CNAME'): [alias], (alias, 'MX'): [(10, 'mx.example.net')],
                ('mx.example.net', 'A'): ['127.0.0.1']}
        failures += mx_case(zone, [server], 0)
    return failures


@test('MX: this host is one of the servers: only better ones are asked' +
      ('' if can_name_host() else ' # SKIP the host cannot be named'))
def mx_own():
    if not can_name_host():
        return []
    server = Server(ACCEPT)
    zone = {('example.net', 'MX'): [(10, 'mx.example.net'), (5, 'a.example.net'), (10, 'b.example.net')],
            ('a.example.net', 'A'): ['127.0.0.1'], ('b.example.net', 'A'): ['127.0.0.2']}
    failures = mx_case(zone, [server], 0, host_name='mx.example.net')
    zone[('example.net', 'MX')] = [(10, 'mx.example.net'), (10, 'b.example.net')]
    return failures + mx_case(zone, [Server('', '127.0.0.2')], 69, 'this host is the mail server of example.net',
                              host_name='MX.example.net')


@test('MX: an address literal needs no DNS')
def mx_literal():
    server = Server(ACCEPT)
    return mx_case({}, [server], 0, to=('c@[127.0.0.1]',))


@test('MX: each domain by itself, one result for each')
def mx_domains():
    first = Server(ACCEPT.replace('C: RCPT TO:<*>', 'C: RCPT TO:<c@example.net>\nC: RCPT TO:<d@EXAMPLE.net>').replace(
        'S: 250 2.1.5 ok', 'S: 250 2.1.5 ok\nS: 250 2.1.5 ok'), port=shared_port())
    second = Server(ACCEPT.replace('C: RCPT TO:<*>', 'C: RCPT TO:<e@example.com>'), '127.0.0.2', first.port)
    zone = {('example.net', 'A'): ['127.0.0.1'], ('example.com', 'A'): ['127.0.0.2']}
    return mx_case(zone, [first, second], 68, 'f@example.invalid', 'took the message for 3 of 4 recipients',
                   to=('c@example.net', 'e@example.com', 'd@EXAMPLE.net', 'f@example.invalid'))


@test('MX: nobody there is shown our password')
def mx_no_auth():
    server = Server(ACCEPT.replace('250-peer / 250 PIPELINING', '250-peer / 250-PIPELINING / 250 AUTH PLAIN'))
    return mx_case({('example.net', 'A'): ['127.0.0.1']}, [server], 0,
                   args=['--user=joe', '--password-command=false', '--auth-plaintext=always'])


@test('MX: what is to be known of a domain is told')
def mx_notes():
    server = Server(ACCEPT)
    return mx_case({('example.net', 'A'): ['127.0.0.1']}, [server], 0, 'nobody will tell', args=['-v', '-N', 'success'])


if __name__ == '__main__':
    sys.exit(harness.run_tap(TESTS))
