#!/usr/bin/env python3
"""Ways to the server: proxies, tunnels, rates.

Prints TAP. MSUBMIT names the program. Scripted servers on loopback; no network, no fixed
ports, no root."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402
from dnsserver import Resolver                                          # noqa: E402
from ways import (ACCEPT, BUSY, Run, Server, TESTS, test)  # noqa: E402

# --- proxies ---------------------------------------------------------------------------------


GREETED = 'RAW "%s"\n' + ACCEPT.strip()
SOCKS5_NAME = 'GET "\\x05\\x01\\x00"\nRAW "\\x05\\x00"\nGET "\\x05\\x01\\x00\\x03\\x10mail.example.org\\x02\\x4b"\n' \
    'RAW "\\x05\\x00\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00"\n'
HTTP_NAME = 'C: CONNECT mail.example.org:587 HTTP/1.1\nC: Host: mail.example.org:587\nC: User-Agent: msubmit\n'


class Proxy(Server):
    """Its dialogue has octets and lines that are no SMTP: what is said is not watched."""

    def __init__(self, text, **more):
        super().__init__(text, **more)

    def play(self, sock):
        self.source = sock.getpeername()
        import peer as module
        steps = self.connections[self.played] if self.played < len(self.connections) else None
        self.played += 1
        with sock:
            if steps is None:
                self.failures.append('connection %d was not expected' % self.played)
                return
            connection = module.Connection(sock, self)
            check = connection.check_command
            try:
                connection.check_command = lambda data: setattr(connection, 'command', None)
                while steps and not (steps[0][0] == 'S' and steps[0][1].startswith(b'220')):
                    connection.step(*steps[0])
                    steps = steps[1:]
                connection.check_command = check
                connection.run(steps) if steps else connection.drain()
            except (module.Violation, module.ClientGone, OSError) as e:
                self.failures.append(str(e))


def proxy_case(text, option, status=0, texts=(), env=None, resolver=True, host='mail.example.org:587', more=()):
    """Whoever asks for a name has leaked it: the resolver of the case knows none."""
    proxy = Proxy(text)
    with Resolver({}) as dns:
        run = Run(['--host=' + host, '--resolver=' + dns.address] + [o.replace('{port}', str(proxy.port)) for o in option] +
                  list(more), [proxy], env={k: v.replace('{port}', str(proxy.port)) for k, v in (env or {}).items()})
        if resolver and dns.asked:
            run.failures.append('asked for %r' % dns.asked)
    return run.check(status, *texts)


@test('proxy: socks5h sends the name, and nothing is looked up')
def socks5h():
    return proxy_case(SOCKS5_NAME + ACCEPT, ['--proxy=socks5h://127.0.0.1:{port}'])


@test('proxy: proxy_host alone is socks5h')
def proxy_host():
    return proxy_case(SOCKS5_NAME + ACCEPT, ['--proxy-host=127.0.0.1', '--proxy-port={port}'])


@test('proxy: socks4a sends the name')
def socks4a():
    return proxy_case('GET "\\x04\\x01\\x02\\x4b\\x00\\x00\\x00\\x01joe\\x00mail.example.org\\x00"\n'
                      'RAW "\\x00\\x5a\\x00\\x00\\x00\\x00\\x00\\x00"\n' + ACCEPT,
                      ['--proxy=socks4a://joe@127.0.0.1:{port}'])


@test('proxy: http sends the name')
def http():
    return proxy_case(HTTP_NAME + 'C:\nRAW "HTTP/1.1 200 ok\\r\\n\\r\\n"\n' + ACCEPT, ['--proxy=http://127.0.0.1:{port}'])


@test('proxy: data: a header field for http, the user id for socks4, nothing for socks5')
def proxy_data():
    tenant = ['--proxy-data=X-Tenant: mail']
    return proxy_case(HTTP_NAME + 'C: X-Tenant: mail\nC:\nRAW "HTTP/1.1 200 ok\\r\\n\\r\\n"\n' + ACCEPT,
                      ['--proxy=http://127.0.0.1:{port}'], more=tenant) + \
        proxy_case('GET "\\x04\\x01\\x02\\x4b\\x00\\x00\\x00\\x01an id\\x00mail.example.org\\x00"\n'
                   'RAW "\\x00\\x5a\\x00\\x00\\x00\\x00\\x00\\x00"\n' + ACCEPT,
                   ['--proxy=socks4a://joe@127.0.0.1:{port}'], more=['--proxy-data=an id']) + \
        proxy_case('EOF', ['--proxy=socks5h://127.0.0.1:{port}'], 78, ['takes no proxy_data'], more=tenant) + \
        proxy_case('EOF', ['--proxy=http://127.0.0.1:{port}'], 78, ['no header field'], more=['--proxy-data=joe']) + \
        proxy_case(HTTP_NAME + 'C:\nRAW "HTTP/1.1 200 ok\\r\\n\\r\\n"\n' + ACCEPT, ['--proxy-from-env'],
                   env={'all_proxy': 'http://127.0.0.1:{port}'}, more=tenant)


@test('proxy: name and password')
def proxy_login():
    login = 'GET "\\x05\\x02\\x00\\x02"\nRAW "\\x05\\x02"\nGET "\\x01\\x03joe\\x06secret"\nRAW "\\x01\\x00"\n' \
        'GET "\\x05\\x01\\x00\\x03\\x10mail.example.org\\x02\\x4b"\nRAW "\\x05\\x00\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00"\n'
    more = ['--proxy-password-command=echo secret']
    return proxy_case(login + ACCEPT, ['--proxy=socks5h://joe@127.0.0.1:{port}'], more=more) + \
        proxy_case(HTTP_NAME + 'C: Proxy-Authorization: Basic am9lOnNlY3JldA==\nC:\n'
                   'RAW "HTTP/1.1 200 ok\\r\\n\\r\\n"\n' + ACCEPT,
                   ['--proxy-type=http', '--proxy-host=127.0.0.1', '--proxy-port={port}', '--proxy-user=joe'], more=more)


@test('proxy: socks5 and socks4 look the name up here, one address after the other')
def socks_local():
    failures = []
    for kind, dialogue in (
            ('socks5', 'GET "\\x05\\x01\\x00"\nRAW "\\x05\\x00"\nGET "\\x05\\x01\\x00\\x01\\xc0\\x00\\x02%s\\x02\\x4b"\nRAW "\\x05%s\\x00\\x01'
             '\\x00\\x00\\x00\\x00\\x00\\x00"\n'),
            ('socks4', 'GET "\\x04\\x01\\x02\\x4b\\xc0\\x00\\x02%s\\x00"\nRAW "\\x00%s\\x00\\x00\\x00\\x00\\x00\\x00"\n')):
        good, bad = {'socks5': ('\\x00', '\\x05'), 'socks4': ('\\x5a', '\\x5b')}[kind]
        proxy = Proxy(dialogue % ('\\x01', bad) + 'CONNECT\n' + dialogue % ('\\x02', good) + ACCEPT)
        with Resolver({('mail.example.org', 'A'): ['192.0.2.1', '192.0.2.2']}) as dns:
            failures += Run(['--host=mail.example.org:587', '--resolver=' + dns.address,
                             '--proxy=%s://127.0.0.1:%d' % (kind, proxy.port)], [proxy]).check(0)
    return failures


@test('proxy: what it refuses, and how that ends')
def proxy_refusals():
    failures = []
    head = SOCKS5_NAME.rsplit('RAW', 1)[0]
    for text, option, status, words in (
            ('GET "\\x05\\x01\\x00"\nRAW "\\x05\\xff"\nEOF', 'socks5h', 69, 'login'),
            (head + 'RAW "\\x05\\x02\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00"\nEOF', 'socks5h', 69, 'not allowed'),
            (head + 'RAW "\\x05\\x05\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00"\nEOF', 'socks5h', 75, 'refused'),
            (head + 'CLOSE', 'socks5h', 75, 'closed'),
            (HTTP_NAME + 'C:\nRAW "HTTP/1.1 407 who\\r\\n\\r\\n"\nEOF', 'http', 77, '407'),
            (HTTP_NAME + 'C:\nRAW "HTTP/1.1 403 no\\r\\n\\r\\n"\nEOF', 'http', 69, '403'),
            (HTTP_NAME + 'C:\nRAW "HTTP/1.1 502 no\\r\\n\\r\\n"\nEOF', 'http', 75, '502'),
            ('GET "\\x05\\x01\\x00"\nRAW "220 smtp\\r\\n"\nEOF', 'socks5h', 76, 'SOCKS5')):
        failures += proxy_case(text, ['--proxy=%s://127.0.0.1:{port}' % option], status, [words])
    return failures


@test('proxy: https speaks TLS with the proxy, and verifies it')
def https_proxy_case():
    failures = []
    with harness.Folder() as folder:
        certs = harness.Certificates(os.path.join(folder, 'certs'))
        ca = certs('server')[2]
        dialogue = 'TLS\n' + HTTP_NAME + 'C:\nRAW "HTTP/1.1 200 ok\\r\\n\\r\\n"\n' + ACCEPT
        for trust, text, status in ((ca, dialogue, 0), (None, 'TLS refused', 76)):
            proxy = Proxy(text, certs=certs)
            with Resolver({('localhost', 'A'): ['127.0.0.1']}) as dns:
                run = Run(['--host=mail.example.org:587', '--resolver=' + dns.address,
                           '--proxy=https://localhost:%d' % proxy.port] +
                          (['--tls-trust-file=' + trust] if trust else []), [proxy])
                if any(name != 'localhost' for name, _, _ in dns.asked):
                    run.failures.append('asked for %r' % dns.asked)
            failures += run.check(status)
    return failures


@test('proxy: SRV and MX records are not looked up behind a proxy that looks names up')
def proxy_no_srv():
    return proxy_case('', ['--proxy=socks5h://127.0.0.1:{port}'], 78, ['socks5'], host='srv:example.org') + \
        proxy_case('', ['--proxy=http://127.0.0.1:{port}', '--mx'], 78, ['socks5'])


@test('proxy: the password of the account is for its own proxy, not for one of the environment')
def proxy_environment_password():
    either = SOCKS5_NAME.replace('\\x05\\x01\\x00"', '\\x05\\x02\\x00\\x02"', 1)
    with harness.Folder() as folder:
        asked = os.path.join(folder, 'asked')
        failures = proxy_case(either + ACCEPT, ['--proxy-from-env', '--proxy-password-command=touch ' + asked],
                              env={'ALL_PROXY': 'socks5h://joe@127.0.0.1:{port}'})
        return failures + ['the password was asked for'] * os.path.exists(asked)


@test('proxy: from the environment only when asked, exceptions heeded')
def proxy_environment():
    failures = []
    env = {'ALL_PROXY': 'socks5h://127.0.0.1:{port}'}
    failures += proxy_case(SOCKS5_NAME + ACCEPT, ['--proxy-from-env'], env=env)
    env = {'all_proxy': '', 'https_proxy': '127.0.0.1:{port}'}
    failures += proxy_case(HTTP_NAME + 'C:\nRAW "HTTP/1.1 200 ok\\r\\n\\r\\n"\n' + ACCEPT, ['--proxy-from-env'], env=env)
    for option, env in (([], {'ALL_PROXY': 'socks5h://127.0.0.1:9'}),
                        (['--proxy-from-env'], {'ALL_PROXY': 'socks5h://127.0.0.1:9', 'NO_PROXY': 'x, 127.0.0.0/8'}),
                        (['--proxy=socks5h://127.0.0.1:9', '--no-proxy=x,127.0.0.1'], {}),
                        (['--proxy-from-env'], {'HTTP_PROXY': 'http://127.0.0.1:9'})):
        server = Server(ACCEPT)
        failures += Run(['--host=127.0.0.1:%d' % server.port] + option, [server], env=env).check(0)
    failures += Run(['--host=127.0.0.1:9', '--proxy-from-env'], env={'ALL_PROXY': 'ftp://joe:secret@h'}).check(
        78, 'environment', absent=['secret'])
    return failures


# --- tunnel, rate ------------------------------------------------------------------------------


RELAY = '''import socket, sys, threading, os
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def up():
    while True:
        data = os.read(0, 65536)
        if not data:
            break
        s.sendall(data)
    s.shutdown(1)
threading.Thread(target=up, daemon=True).start()
sys.stderr.write('from the tunnel %s\\n' % ' '.join(sys.argv[3:]))
while True:
    data = s.recv(65536)
    if not data:
        break
    os.write(1, data)
'''


def tunnel_words(folder):
    path = os.path.join(folder, 'relay.py')
    with open(path, 'w', encoding='ascii') as f:
        f.write(RELAY)
    return '--tunnel=%s %s %%h %%p 50%%%%h %%x' % (sys.executable, path)


@test('tunnel: host and port are filled in, its stderr is passed on')
def tunnel():
    server = Server(ACCEPT)
    with harness.Folder() as folder:
        return Run(['--host=127.0.0.1:%d' % server.port, tunnel_words(folder)], [server]).check(0, 'from the tunnel 50%h %x\n')


@test('tunnel: a command that fails or is not there')
def tunnel_fails():
    return Run(['--host=127.0.0.1:9', '--tunnel=sh -c "exit 3"']).check(75, 'status 3') + \
        Run(['--host=127.0.0.1:9', '--tunnel=/nonexistent/x']).check(78, '/nonexistent/x')


@test('tunnel: the next host is tried through it')
def tunnel_hosts():
    first, second = Server(BUSY), Server(ACCEPT)
    with harness.Folder() as folder:
        return Run(['--host=127.0.0.1:%d,127.0.0.1:%d' % (first.port, second.port), tunnel_words(folder)],
                   [first, second]).check(0)


@test('max_rate: all arrives, in no less than its time')
def max_rate():
    server = Server(ACCEPT)
    body = b'Subject: x\n\n' + b'0123456789abcdef' * 3 + b'\n'
    body += (b'x' * 70 + b'\n') * 300
    run = Run(['--host=127.0.0.1:%d' % server.port, '--max-rate=20K'], [server], data=body)
    if run.seconds < (len(body) - 5120 - 1024) / 20480:
        run.failures.append('it took %.2f s only' % run.seconds)
    if server.messages and len(server.messages[0]) < len(body):
        run.failures.append('%d octets arrived' % len(server.messages[0]))
    return run.check(0)


if __name__ == '__main__':
    sys.exit(harness.run_tap(TESTS))
