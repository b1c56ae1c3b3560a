#!/usr/bin/env python3
"""msubmit --check: what it finds, what it advises, how it ends.

Prints TAP. MSUBMIT names the program. Every failure is made by a server on loopback with real
TLS; sending to the same server must end with the same status, and no content is ever sent."""
import hashlib
import os
import socket
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402
from dnsserver import Resolver                                          # noqa: E402
from check_world import (CERTS, Case, PINS, Server, main)  # noqa: E402

# --- cases -------------------------------------------------------------------


GOOD = (('ok', 'config', 'mode 0600'), ('ok', 'account', "'default'"), ('ok', 'sender', "'joe@example.org': 'from' of the account (/"), ('ok', 'secret', 'by password_file'),
        ('ok', 'dns', 'localhost has 127.0.0.1'), ('ok', 'connect', 'at 127.0.0.1'),
        ('ok', 'greeting', '220 mail.example.org'), ('ok', 'starttls', ''), ('ok', 'tls', 'TLS1.3'),
        ('ok', 'certificate', 'CN=localhost, by CN=Test CA'),
        ('ok', 'certificate', 'verified; tls_pin = spki-sha256:'),
        ('ok', 'certificate', 'days'), ('ok', 'sign-in', "'joe' by PLAIN"),
        ('ok', 'extensions', '8BITMIME'), ('ok', 'size', '1000000'),
        ('ok', 'sender', '<joe@example.org>: 250'), ('ok', 'recipient', 'nothing was sent'))
NO_TLS = dict(tls='off', auth='off', user=None, password_file=None, tls_trust_file=None)
TLS_LATER = (('ok', 'ehlo', ''), ('ok', 'extensions', ''), ('skip', 'sign-in', ''))


def refused_certificate(name, text, *hint, **settings):
    return Case('certificate: ' + name + ''.join(', ' + v for v in settings.values()),
                [dict(cert='bad-' + name, auth='PLAIN CRAM-MD5')],
                (('FAIL', 'certificate', text) + hint, ('ok', 'tls', 'TLS1.3')) + TLS_LATER, 76,
                settings, never=('AUTH', 'MAIL'))


def refusal(name, verb, reply, step, exit, *hint, **more):
    settings, never = more.pop('settings', {}), more.pop('never', ())
    facts = dict(replies={verb: reply}, **more)
    return Case(name, [facts], (('FAIL', step, reply) + hint,), exit, settings, never=never)


def refused_port(_, settings):
    settings['port'] = harness.free_port()


def open_secret(home, _):
    os.chmod(os.path.join(home, 'secret'), 0o644)


def secret_shown_to(mode):
    def prepare(home, settings):
        path = os.path.join(home, 'secret')
        os.chmod(path, mode)
        settings.update(password_file=None, password_command='/bin/cat ' + path)
    return prepare


def with_aliases(text):
    def prepare(home, settings):
        settings['aliases'] = os.path.join(home, 'aliases')
        with open(settings['aliases'], 'w', encoding='utf-8') as f:
            f.write(text)
    return prepare


def at_provider(home, settings):
    with_aliases('root: joe@gmail.com\n')(home, settings)
    settings['from'] = 'joe@gmail.com'


def locked_log(home, settings):
    settings['logfile'] = os.path.join(home, 'no', 'log')


def on_socket(path):
    def prepare(home, settings):
        settings.update(socket=path.format(home=home), protocol='lmtp', host=None, port=None, **NO_TLS)
    return prepare


def deaf_port(home, settings):
    listener = socket.socket()
    listener.bind(('127.0.0.1', 0))
    listener.listen(0)
    fillers = []
    for _ in range(8):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex(listener.getsockname())
        fillers.append(s)
    settings.update(port=listener.getsockname()[1], connect_timeout='1')
    KEEP.append((listener, fillers))


KEEP = []


def cases():
    yield Case('all is well', [{}], GOOD, never=('VRFY',), connections=[1])
    yield Case('all is well, TLS from the start', [dict(implicit=True)],
               tuple(w for w in GOOD if w[1] != 'starttls'))
    yield Case('another recipient', [{}], (('ok', 'recipient', '<ann@example.net>'),),
               words=['default', 'ann@example.net'])
    yield Case('another recipient by --to', [{}], (('ok', 'recipient', '<ann@example.net>'),),
               words=['--to', 'ann@example.net'])
    yield Case('LOGIN', [dict(auth='LOGIN')], (('ok', 'sign-in', 'LOGIN'),))
    yield Case('no sign-in wanted', [{}], (('ok', 'recipient', ''),), never=('AUTH',),
               settings=dict(user=None, password_file=None))
    # certificates
    yield refused_certificate('expired', 'has expired', 'today is 2', 'timedatectl')
    yield refused_certificate('not-yet', 'is not valid before', 'set the clock', auth='cram-md5')
    yield refused_certificate('not-yet', 'is not valid before', 'set the clock')
    yield refused_certificate('wrong-host', 'its name does not match', 'it is for mail.example.com',
                              'tls_host_override = mail.example.com')
    yield refused_certificate('common-name', 'its name does not match', 'no name that counts')
    yield refused_certificate('self-signed', 'self-signed', 'tls_pin = spki-sha256:',
                              'tls_trust_file = FILE')
    yield refused_certificate('unknown-ca', 'is not', 'tls_trust_file', 'tls_pin = spki-sha256:')
    yield refused_certificate('no-intermediate', 'is not known', 'between its own and the CA')
    yield refused_certificate('must-staple', 'OCSP', 'staple a good OCSP answer')
    yield Case('certificate: wrong pin', [{}],
               (('FAIL', 'certificate', 'tls_pin wants ' + PINS, 'confirms the new key',
                 'tls_pin = spki-sha256:'),) + TLS_LATER, 76, dict(tls_pin=PINS), never=('AUTH',))
    yield Case('certificate: wrong fingerprint', [{}],
               (('FAIL', 'certificate', 'tls_fingerprint wants', 'in the place of tls_fingerprint'),),
               76, dict(tls_fingerprint='AA' * 32), never=('AUTH',))
    yield Case('certificate: not checked', [{}],
               (('warn', 'certificate', 'NOT verified', 'tls_pin = spki-sha256:'),),
               settings=dict(tls_certcheck='off', tls_allow_insecure_auth='yes', tls_trust_file=None))
    yield Case('trust file that is not there', [{}],
               (('FAIL', 'tls', 'nonexistent', 'tls_trust_file = FILE'), ('ok', 'extensions', '')),
               72, dict(tls_trust_file='/nonexistent/ca.pem'), never=('AUTH',))
    yield Case('TLS 1.2', [dict(tls12=True)], (('warn', 'tls', 'no TLS 1.3', 'brought up to date'),))
    # TLS modes
    yield Case('TLS from the start, server speaks plain', [{}],
               (('FAIL', 'tls', 'speaks plain SMTP', "tls = starttls"), ('ok', 'connect', '')), 76,
               dict(tls='implicit'))
    yield Case('STARTTLS, server speaks TLS', [dict(greeting=b'\x15\x03\x01\x00\x02\x02\x0a\r\n')],
               (('FAIL', 'greeting', 'TLS from the start', 'tls = implicit'),), 76)
    yield Case('no STARTTLS', [dict(starttls=False)],
               (('FAIL', 'starttls', 'does not offer STARTTLS', 'tls = implicit'),), 69, never=('AUTH',))
    yield Case('STARTTLS refused', [dict(replies={'STARTTLS': '454 4.7.0 not now'})],
               (('FAIL', 'starttls', '454', 'its log says why'),), 75, never=('AUTH',))
    # our own certificate
    ours = dict(tls_cert_file='{certs}/client.pem', tls_key_file='{certs}/client.key')
    yield Case('client certificate', [dict(client=True)],
               (('ok', 'client-certificate', 'CN=client, by CN=Test CA; valid until'), ('ok', 'recipient', '')),
               settings=ours)
    yield Case('client certificate nobody asks for', [{}],
               (('ok', 'client-certificate', 'did not ask for it'),), settings=ours)
    yield Case('client certificate that is wanted', [dict(client=True, tls12=True)],
               (('FAIL', 'tls', 'wants a certificate', 'tls_cert_file'),), 75, never=('AUTH',))
    yield Case('client certificate with the key of another', [{}],
               (('FAIL', 'tls', 'does not belong to certificate', 'must be a pair'), ('ok', 'extensions', '')), 78,
               dict(ours, tls_key_file='{certs}/server.key'), never=('AUTH',))
    # connection
    yield Case('connection refused', (), (('FAIL', 'connect', 'Connection refused', 'nothing listens'),), 75,
               prepare=refused_port)
    yield Case('no answer', (), (('FAIL', 'connect', 'no answer within 1 s', 'firewall'),), 75,
               prepare=deaf_port)
    yield Case('name that is not there', (), (('FAIL', 'dns', 'does not exist', "getent ahosts"),), 68,
               dict(host='no-such-host.invalid', port='2525'))
    yield Case('greeting 554', [dict(greeting='554 no')], (('FAIL', 'greeting', '554', 'port 587'),), 69)
    yield Case('greeting 421', [dict(greeting='421 busy')], (('FAIL', 'greeting', '421', 'try later'),), 75)
    yield Case('no mail server', [dict(greeting='HTTP/1.0 400 bad')],
               (('FAIL', 'greeting', 'unparsable', 'is no mail server'),), 76)
    # sign-in
    yield refusal('535', 'AUTH', '535 5.7.8 no', 'sign-in', 77, 'whole mail address', never=('MAIL',))
    yield refusal('535 of an address', 'AUTH', '535 5.7.8 no', 'sign-in', 77, "'joe@example.org' or its password",
                  settings=dict(user='joe@example.org'))
    yield refusal('535 of Google', 'AUTH', '535 5.7.8 Username and Password not accepted x - gsmtp',
                  'sign-in', 77, 'app password')
    yield refusal('535 of Microsoft', 'AUTH', '535 5.7.139 Authentication unsuccessful, '
                  'SmtpClientAuthentication is disabled', 'sign-in', 77, 'OAuth2')
    yield refusal('454', 'AUTH', '454 4.7.0 later', 'sign-in', 75, 'try later')
    yield Case('no AUTH', [dict(auth='')], (('FAIL', 'sign-in', 'does not offer AUTH', 'right one'),), 69)
    yield Case('PLAIN without TLS', [dict(starttls=False)], (('warn', 'sign-in', 'WITHOUT TLS', 'tls = starttls'),),
               settings=dict(tls='off', auth_plaintext='always', tls_trust_file=None))
    # secrets
    yield Case('secret that others can read', [{}],
               (('FAIL', 'secret', 'others may read it', 'run the command above'),
                ('ok', 'tls', ''), ('skip', 'sign-in', 'without the secret')), 78,
               prepare=open_secret, never=('AUTH', 'MAIL'))
    yield Case('secret shown by cat', [{}], (('ok', 'secret', 'password_command'),
                                             ('warn', 'secret', 'others may read', 'chmod 600')),
               prepare=secret_shown_to(0o644))
    yield Case('secret shown to all but the group by cat', [{}], (('warn', 'secret', 'others may read', 'chmod 600'),),
               prepare=secret_shown_to(0o604))
    yield Case('command that fails', [{}], (('FAIL', 'secret', 'ended with status 1', 'by hand'),), 78,
               dict(password_file=None, password_command='false'), never=('AUTH',))
    yield Case('command that is not there', [{}], (('FAIL', 'secret', 'cannot run', 'whole path'),), 78,
               dict(password_file=None, password_command='no-such-command-here'), never=('AUTH',))
    yield Case('command that takes too long', [{}], (('FAIL', 'secret', 'sleep', 'command_timeout'),), 75,
               dict(password_file=None, password_command='sleep 9', command_timeout='1'), never=('AUTH',))
    yield Case('no key that gives a secret', [{}],
               (('FAIL', 'secret', 'no password for user', 'password_file'),), 78,
               dict(password_file=None, keyring='off'), never=('AUTH',))
    yield Case('auth = try without a secret', [{}],
               (('warn', 'secret', 'No such file'), ('ok', 'recipient', '')),
               settings=dict(auth='try', password_file='{home}/none'), never=('AUTH',))
    yield Case('no secret', [{}], (('FAIL', 'secret', 'No such file', 'umask 077'),), 78,
               dict(password_file='{home}/none'), never=('AUTH',))
    # envelope
    yield refusal('MAIL 530', 'MAIL', '530 5.7.0 sign in', 'sender', 77, "set 'user'",
                  settings=dict(user=None, password_file=None))
    yield refusal('MAIL 553', 'MAIL', '553 5.7.1 not owned by user', 'sender', 77,
                  "'joe@example.org' is no address that 'joe' may send from")
    yield refusal('RCPT 554', 'RCPT', '554 5.7.1 relay access denied', 'recipient', 77, 'sign in',
                  settings=dict(user=None, password_file=None))
    yield refusal('RCPT 550', 'RCPT', '550 5.1.1 no such user', 'recipient', 67, 'another recipient')
    yield refusal('RCPT 451', 'RCPT', '451 4.7.1 later', 'recipient', 75, 'try later')
    yield Case('size and DSN missing', [dict(keywords=('8BITMIME', 'PIPELINING'))],
               (('warn', 'extensions', 'DSN'), ('warn', 'extensions', 'SIZE')))
    yield Case('DSN demanded', [dict(keywords=('8BITMIME',))],
               (('FAIL', 'sender', 'DSN', 'this server does not have'),), 69,
               dict(dsn_notify='success', ext_policy='dsn:require'))
    yield Case('other domain', [{}], (('warn', 'sender', 'another domain'),),
               settings=dict(user='joe@example.com'))
    yield Case('short name', [{}], (('warn', 'ehlo', 'no full host name', "set 'domain'"),),
               settings=dict(domain='box'))
    # this host
    yield Case('alias of root', [{}], (('ok', 'aliases', 'mail to root goes to ann@example.net'),),
               prepare=with_aliases('root: ann@example.net\n'))
    yield Case('no alias of root', [{}], (('warn', 'aliases', 'no entry for root', "echo 'root:"),),
               prepare=with_aliases('bin: ann@example.net\n'))
    yield Case('lines of aliases', [{}], (('warn', 'aliases', ':1:', 'correct the line'),
                                          ('warn', 'aliases', ':3: ', 'correct the line'),
                                          ('ok', 'aliases', 'mail to root goes to ann@example.net')),
               prepare=with_aliases('nonsense\nroot: ann@example.net\nroot: |cat\n'))
    yield Case('no such aliases', [{}], (('warn', 'aliases', 'cannot open aliases', 'make the file'),
                                         ('warn', 'aliases', "mail to 'root' goes to")),
               prepare=lambda home, settings: settings.update(aliases=os.path.join(home, 'none')))
    yield Case('root at a public provider', [{}],
               (('FAIL', 'aliases', "goes to 'joe@gmail.com'", 'set default_domain'),), 78,
               prepare=lambda home, settings: settings.update({'from': 'joe@gmail.com'}), sends=False)
    yield Case('root at a public provider, an alias', [{}],
               (('ok', 'aliases', 'mail to root goes to joe@gmail.com'),), prepare=at_provider)
    yield Case('alias of root is a command', [{}], (('FAIL', 'aliases', ':1:', 'correct the line'),), 67,
               prepare=with_aliases('root: |cat\n'), sends=False)
    yield Case('mail to root thrown away', [{}], (('warn', 'aliases', 'is thrown away'),),
               prepare=with_aliases('root: /dev/null\n'))
    yield Case('user that may not send', [{}], (('FAIL', 'account', 'may not submit mail', 'allow_users'),
                                                ('ok', 'recipient', '')), 77,
               dict(allow_users='nobody-like-this'))
    yield Case('mail is redirected', [{}], (('warn', 'account', 'all mail goes to ann@example.net'),
                                            ('ok', 'recipient', '<ann@example.net>')),
               settings=dict(redirect_to='ann@example.net'))
    yield Case('mail is thrown away', [{}], (('warn', 'account', 'thrown away', 'drop = off'),),
               settings=dict(drop='on'))
    yield Case('rules that cannot be read', [{}], (('FAIL', 'rewrite', 'none', 'rewrite_map'),
                                                   ('ok', 'recipient', '')), 78,
               dict(rewrite_map='{home}/none'))
    yield Case('log that cannot be written', [{}], (('warn', 'log', 'cannot write', 'syslog = on'),
                                                    ('ok', 'recipient', '')), prepare=locked_log)
    yield Case('a hook that cannot be run', [{}],
               (('warn', 'hook', 'on_failure cannot run /', 'whole path'),),
               settings=dict(on_failure='{home}/none x'))
    yield Case('a hook that PATH does not have', [{}],
               (('warn', 'hook', 'on_failure cannot run no-such-program: No such file', ''),),
               settings=dict(on_failure='no-such-program'))
    yield Case('a hook', [{}], (('ok', 'hook', 'on_failure runs sh'),),
               settings=dict(on_failure='sh -c "cat > {home}/hook"'))
    yield Case('useless keys', [dict(starttls=False)], (('warn', 'config', "key 'tls_pin': not used"),),
               settings=dict(NO_TLS, tls_pin=PINS))
    yield Case('no such socket', (), (('FAIL', 'connect', 'No such file', 'there is no such socket'),), 75,
               prepare=on_socket('{home}/none'))


# --- more than one server, other ways ------------------------------------------


def many_servers():
    both = dict(host='localhost:{ports[0]}, localhost:{ports[1]}', port=None)
    yield Case('two servers, both well', [{}, {}],
               (('ok', 'recipient', ''),), settings=both, connections=[1, 1])
    once = dict(both, password_file=None, password_command="sh -c 'mkdir {home}/asked-by-$PPID && cat {home}/secret'")
    yield Case('two servers, and the password is asked for once', [{}, {}],
               (('ok', 'recipient', ''),), settings=once, connections=[1, 1])
    yield Case('two servers, the first is busy', [dict(greeting='421 busy'), {}],
               (('warn', 'greeting', '421', 'try later'), ('ok', 'recipient', '')), settings=both)
    yield Case('two servers, the first has a bad certificate', [dict(cert='bad-expired'), {}],
               (('warn', 'certificate', 'has expired'), ('ok', 'recipient', '')), settings=both)
    yield Case('two servers, the second is busy', [{}, dict(greeting='421 busy')],
               (('ok', 'recipient', ''), ('warn', 'greeting', '421')), settings=both)
    yield Case('two servers, both busy', [dict(greeting='421 busy'), dict(greeting='421 busy')],
               (('FAIL', 'greeting', '421'),), 75, settings=both)
    yield Case('two servers, the first refuses the password', [dict(replies={'AUTH': '535 no'}), {}],
               (('FAIL', 'sign-in', '535'), ('skip', 'sign-in', 'refused')), 77, settings=both)
    yield Case('two servers, the first refuses the sender', [dict(replies={'MAIL': '550 no'}), {}],
               (('FAIL', 'sender', '550'), ('ok', 'recipient', '')), 69, settings=both)


def lmtp_on_socket(said=('ok', 'recipient', ''), settings=None, exit=0, **facts):
    with harness.Folder() as home:
        path = os.path.join(home, 's')
        server = Server(path=path, lmtp=True, starttls=False, **facts)
        case = Case('', (), (('ok', 'connect', path), said), exit, settings=settings or {},
                    prepare=on_socket(path))
        try:
            return case.check(home, [], [server])
        finally:
            server.stop()


def tunnel():
    server = Server()
    code = ("import socket,sys,threading,os\ns=socket.create_connection(('127.0.0.1',%d))\n"
            "def up():\n  while True:\n    d=os.read(0,9999)\n    if not d: break\n    s.sendall(d)\n"
            "threading.Thread(target=up,daemon=True).start()\n"
            "while True:\n  d=s.recv(9999)\n  if not d: break\n  os.write(1,d)\n" % server.port)
    with harness.Folder() as home:
        script = os.path.join(home, 'tunnel.py')
        with open(script, 'w', encoding='utf-8') as f:
            f.write(code)
        case = Case('', (), (('ok', 'connect', 'through the command'), ('ok', 'recipient', '')),
                    settings=dict(tunnel='%s %s' % (sys.executable, script), port='25'))
        try:
            return case.check(home, [], [server])
        finally:
            server.stop()


def with_resolver(zone, make, settings, want, exit=0, words=(), sends=True, **more):
    """Servers and a resolver that knows their names; PORT in the zone is that of the first."""
    servers = []
    if any(facts.get('port') == 'SAME' for facts in make):
        shared = harness.free_port(*[facts.get('address', '127.0.0.1') for facts in make])
        make = [dict(facts, port=shared) for facts in make]
    for facts in make:
        servers.append(Server(**facts))
    port = servers[0].port if servers else 2525
    zone = {key: [tuple(port if v == 'PORT' else v for v in d) if isinstance(d, tuple) else d
                  for d in records] if isinstance(records, list) else records
            for key, records in zone.items()}
    resolver = Resolver(zone)
    settings = dict(dict(resolver='127.0.0.1:%d' % resolver.port, port=str(port)), **settings)
    case = Case('', (), want, exit, settings, sends, words=words, **more)
    with harness.Folder() as home:
        try:
            return case.check(home, [], servers)
        finally:
            for server in servers:
                server.stop()
            resolver.__exit__()


class Proxy:
    """CONNECT to whatever is asked for, on loopback."""

    def __init__(self):
        self.asked = []
        self.listener = harness.Listener(self.serve)
        self.port = self.listener.port

    def serve(self, sock):
        head = b''
        while b'\r\n\r\n' not in head:
            head += sock.recv(1)
        self.asked.append(head.split(b' ')[1].decode())
        there = socket.create_connection(('127.0.0.1', int(self.asked[-1].split(':')[1])))
        sock.sendall(b'HTTP/1.1 200 ok\r\n\r\n')
        threading.Thread(target=self.copy, args=(there, sock), daemon=True).start()
        self.copy(sock, there)

    @staticmethod
    def copy(source, target):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def stop(self):
        self.listener.close()


def through_proxy():
    """The proxy looks the name up: there is nothing about DNS."""
    server, proxy = Server(), Proxy()
    settings = dict(host='mail.example.org', tls_host_override='localhost', port=str(server.port),
                    proxy='http://127.0.0.1:%d' % proxy.port)
    case = Case('', (), (('ok', 'connect', 'mail.example.org:%d through the proxy' % server.port),
                         ('ok', 'recipient', '')), settings=settings)
    with harness.Folder() as home:
        try:
            failures = case.check(home, [], [server])
        finally:
            server.stop()
            proxy.stop()
    return failures if proxy.asked else failures + ['the proxy was not asked']


def dead_proxy():
    case = Case('', (), (('FAIL', 'connect', 'proxy', 'it is the proxy that fails', 'port 2525'),), 75,
                dict(host='mail.example.org', port='2525',
                     proxy='socks5h://127.0.0.1:%d' % harness.free_port()))
    with harness.Folder() as home:
        return case.check(home, [])


def key_hash():
    """SHA-256 of the public key of the server's certificate."""
    key = subprocess.run(['openssl', 'x509', '-in', CERTS('server')[0], '-noout', '-pubkey'],
                         stdout=subprocess.PIPE, check=True).stdout
    der = subprocess.run(['openssl', 'pkey', '-pubin', '-outform', 'DER'], input=key,
                         stdout=subprocess.PIPE, check=True).stdout
    return hashlib.sha256(der).digest()


def dane(octets, want, exit=0):
    server = Server(cert='server')
    zone = {('mail.example.org', 'A'): ['127.0.0.1'],
            ('_%d._tcp.mail.example.org' % server.port, 'TLSA'): [(3, 1, 1, octets())]
            if octets else 'nxdomain'}
    resolver = Resolver(zone, authentic=True)
    settings = dict(host='mail.example.org', port=str(server.port), tls_trust_file=None,
                    resolver='127.0.0.1:%d' % resolver.port, dnssec='trust-ad', tls_dane='must')
    with harness.Folder() as home:
        try:
            return Case('', (), want, exit, settings).check(home, [], [server])
        finally:
            server.stop()
            resolver.__exit__()


def ways():
    yield 'a proxy that looks names up', through_proxy
    yield 'a proxy that is not there', dead_proxy
    yield 'DANE', lambda: dane(key_hash, (('ok', 'certificate', 'verified by DANE'),))
    yield ('DANE, another key', lambda: dane(
        lambda: b'x' * 32, (('FAIL', 'certificate', 'no TLSA record', 'DNS and certificate disagree'),
                            ('ok', 'tls', ''), ('skip', 'sign-in', '')), 75))
    yield ('DANE, no records', lambda: dane(
        None, (('FAIL', 'certificate', 'has no TLSA records', 'tls_dane = off'),), 75))
    by_name = dict(host='mail.example.org', tls_host_override='localhost')
    addresses = {('mail.example.org', 'A'): ['127.0.0.1', '127.0.0.3']}
    srv = {('_submission._tcp.example.org', 'SRV'): [(0, 0, 'PORT', 'mail.example.org')],
           ('mail.example.org', 'A'): ['127.0.0.1']}
    mx = {('example.net', 'MX'): [(10, 'mx.example.net')], ('mx.example.net', 'A'): ['127.0.0.1']}
    direct = dict(NO_TLS, host=None, mx='on', tls='auto')
    plain = dict(starttls=False, auth='')
    yield ('two addresses, one dead', lambda: with_resolver(
        addresses, [{}], by_name,
        (('ok', 'dns', 'mail.example.org has 127.0.0.1, 127.0.0.3'), ('ok', 'recipient', ''),
         ('warn', 'connect', 'Connection refused', 'nothing listens'))))
    yield ('two addresses, a wrong password is not tried twice', lambda: with_resolver(
        addresses, [dict(address='0.0.0.0', replies={'AUTH': '535 5.7.8 no'})], by_name,
        (('FAIL', 'sign-in', '535'), ('skip', 'sign-in', 'not tried again')), 77))
    yield ('two addresses, the second refuses for good', lambda: with_resolver(
        addresses, [dict(address='127.0.0.1', greeting='421 busy'),
                    dict(address='127.0.0.3', port='SAME', replies={'AUTH': '535 5.7.8 no'})],
        by_name, (('FAIL', 'greeting', '421'), ('FAIL', 'sign-in', '535')), 77))
    yield ('two addresses, the second makes up for the first', lambda: with_resolver(
        addresses, [dict(address='127.0.0.1', greeting='421 busy'),
                    dict(address='127.0.0.3', port='SAME')],
        by_name, (('warn', 'greeting', '421'), ('ok', 'recipient', '')), connections=[1, 1]))
    yield ('SRV records', lambda: with_resolver(
        srv, [{}], dict(host='srv:example.org', tls_host_override='localhost'),
        (('ok', 'dns', 'the SRV records of example.org lead to mail.example.org:'),
         ('ok', 'recipient', ''))))
    yield ('no SRV records', lambda: with_resolver(
        {('example.org', 'A'): ['127.0.0.1']}, [], dict(host='srv:example.org'),
        (('FAIL', 'dns', 'no SRV record', 'host = NAME'),), 68))
    yield ('DNS is down', lambda: with_resolver(
        {('mail.example.org', 'A'): 'servfail', ('mail.example.org', 'AAAA'): 'servfail'}, [],
        dict(host='mail.example.org'), (('FAIL', 'dns', '', 'no name server answers'),), 75))
    yield ('MX', lambda: with_resolver(
        mx, [plain], direct, (('ok', 'dns', 'mail for example.net goes to mx.example.net'),
                              ('warn', 'starttls', 'not offered', 'tls = starttls'),
                              ('ok', 'extensions', ''), ('ok', 'ehlo', ''),
                              ('ok', 'recipient', '<ann@example.net>')), words=['ann@example.net']))
    yield ('MX with TLS where there is some', lambda: with_resolver(
        mx, [dict(auth='')], dict(direct, tls='may'),
        (('ok', 'starttls', 'offered'), ('ok', 'certificate', 'not verified: any will do'),
         ('ok', 'recipient', '<ann@example.net>')), words=['ann@example.net']))
    yield ('MX without recipient', lambda: with_resolver(
        mx, [plain], direct, (('FAIL', 'recipient', 'mx = on', 'name one'),), 64, sends=False))
    yield ('MX of a domain that is not there', lambda: with_resolver(
        {}, [plain], direct, (('FAIL', 'dns', 'does not exist'),), 68, words=['ann@example.net']))


def all_cases():
    tests = [(c.name, c) for c in list(cases()) + list(many_servers())]
    tests += [('LMTP without what RFC 2033 demands', lambda: lmtp_on_socket(
        ('warn', 'lmtp', 'without PIPELINING and ENHANCEDSTATUSCODES'), keywords=['SIZE'])),
              ('LMTP, and it is required', lambda: lmtp_on_socket(
                  ('FAIL', 'ehlo', 'PIPELINING, which LMTP demands'), {'lmtp_required': 'on'}, 69,
                  keywords=['SIZE']))]
    tests += [('LMTP on a local socket', lmtp_on_socket), ('a tunnel', tunnel)]
    return tests + list(ways())


if __name__ == '__main__':
    sys.exit(main(all_cases))
