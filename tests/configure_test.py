#!/usr/bin/env python3
"""--configure: from a mail address to an account that sends.

Prints TAP. MSUBMIT names the program. A world on loopback: a resolver that knows a few names, a
SOCKS server by which their ports 443, 465 and 587 are reached, scripted SMTP servers (peer.py)
and HTTPS servers behind it; no network, no fixed ports, no root, nothing outside of a throw-away
folder is written."""
import base64
import http.server
import os
import pty
import re
import select
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import certs                                                            # noqa: E402
import harness                                                          # noqa: E402
from dialogue import parse_dialogue                                     # noqa: E402
from dnsserver import Resolver                                          # noqa: E402
from peer import Peer                                                   # noqa: E402

PROGRAM = harness.binary()
LIMIT = 30 * harness.SCALE
DOMAIN, USER, PASSWORD = 'example.org', 'you@example.org', 'pass word "7" \\ $x # ;'
NAMES = ['example.org', '*.example.org', 'autoconfig.thunderbird.net', 'smtp.gmail.com', '*.provider.net',
         'posteo.de', '*.xn--bcher-kva.example']
CERTS = None                # folder of certificates

# --- servers ------------------------------------------------------------------------


def plain(user=USER, password=PASSWORD):
    return base64.b64encode(('\0%s\0%s' % (user, password)).encode()).decode()


def greet(port=465, offer='AUTH PLAIN LOGIN', cert='good'):
    """Up to the EHLO reply under TLS."""
    hello = 'S: 220 peer\nC: EHLO *\n'
    tls = 'TLS cert=%s\n' % cert
    if port == 587:
        return hello + 'S: 250-peer / 250 STARTTLS\nC: STARTTLS\nS: 220 go\n' + tls + \
            'C: EHLO *\nS: 250-peer / 250 %s\n' % offer
    return tls + hello + 'S: 250-peer / 250 %s\n' % offer


def look(**how):
    """A connection that is only looked at."""
    return greet(**how)


def auth(user=USER, password=PASSWORD, reply='235 2.7.0 welcome', **how):
    return greet(**how) + 'C: AUTH PLAIN %s\nS: %s\n' % (plain(user, password), reply)


CHECK = 'C: MAIL FROM:<*>\nS: 250 ok\nC: RCPT TO:<*>\nS: 250 ok\n'


def sign_in(**how):
    """What --check does; RSET and QUIT follow."""
    return auth(**how) + CHECK


def send(**how):
    """A message."""
    return auth(**how) + 'C: MAIL FROM:<%s>\nS: 250 ok\nC: RCPT TO:<b@example.net>\nS: 250 ok\n' \
        'C: DATA\nS: 354 go\nC: <message>\nS: 250 2.0.0 taken\n' % USER


def smtp(*connections):
    text = 'CONNECT\n'.join(connections)
    return Peer(parse_dialogue(text.strip().split('\n')) if text else [], certs=certificate,
                timeout=LIMIT).start()


def certificate(name):
    return tuple(os.path.join(CERTS, f) for f in (name + '.pem', 'server.key', 'ca.pem'))


class Web:
    """Documents by HTTPS: {(host, path without query): octets or (status, headers, octets)}."""

    def __init__(self, documents, cert='good'):
        self.asked = []
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                host = self.headers.get('Host', '')
                web.asked.append('https://' + host + self.path)
                web.agent = self.headers.get('User-Agent')
                got = documents.get((host, self.path.split('?')[0]), (404, {}, b'<html>none</html>'))
                status, headers, body = got if isinstance(got, tuple) else (200, {}, got)
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key, value)
                if 'Content-Length' not in headers:
                    self.send_header('Content-Length', str(len(body)))
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:
                    pass

            def log_message(self, *_):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate(cert)[:2])

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def finish_request(self, request, address):
                try:
                    with context.wrap_socket(request, server_side=True) as s:
                        super().finish_request(s, address)
                except (OSError, ssl.SSLError):
                    pass

        self.server = Server(('127.0.0.1', 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        return []


class Silent:
    """Takes connections and says nothing."""

    def __init__(self):
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]

    def stop(self):
        self.listener.close()
        return []


class Socks:
    """SOCKS5 to addresses that only exist here: {(address, port): local port}."""

    def __init__(self, ways):
        self.ways, self.asked, self.login = ways, [], None
        self.listener = harness.Listener(self.session)
        self.port = self.listener.port

    def session(self, client):
        try:
            n = client.recv(2, socket.MSG_WAITALL)[1]
            client.recv(n, socket.MSG_WAITALL)
            client.sendall(b'\5\2' if self.login else b'\5\0')
            if self.login and not self.signed_in(client):
                client.close()
                return
            head = client.recv(4, socket.MSG_WAITALL)
            if head[3] != 1:
                client.sendall(b'\5\10\0\1\0\0\0\0\0\0')
                client.close()
                return
            where = (socket.inet_ntoa(client.recv(4, socket.MSG_WAITALL)),
                     struct.unpack('>H', client.recv(2, socket.MSG_WAITALL))[0])
            self.asked.append(where)
            if where not in self.ways:
                client.sendall(b'\5\5\0\1\0\0\0\0\0\0')
                client.close()
                return
            server = socket.create_connection(('127.0.0.1', self.ways[where]))
            client.sendall(b'\5\0\0\1\0\0\0\0\0\0')
            self.relay(client, server)
        except (OSError, IndexError, struct.error):
            client.close()

    def signed_in(self, client):
        words = []
        client.recv(1)
        for _ in range(2):
            words.append(client.recv(client.recv(1)[0], socket.MSG_WAITALL))
        client.sendall(b'\1\0' if words == self.login else b'\1\1')
        return words == self.login

    @staticmethod
    def relay(a, b):
        other = {a: b, b: a}
        while other:
            for s in select.select(list(other), [], [])[0]:
                data = s.recv(65536)
                if data:
                    other[s].sendall(data)
                    continue
                to = other.pop(s)
                try:
                    to.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
        a.close()
        b.close()

    def stop(self):
        self.listener.close()
        return []


class World:
    """names: {'smtp.example.org': {465: server}}; records: more of the zone."""

    def __init__(self, names=None, records=None):
        zone, ways = dict(records or {}), {}
        self.servers = []
        for i, (name, ports) in enumerate((names or {}).items(), 1):
            address = '192.0.2.%d' % i
            zone[name, 'A'] = [address]
            for port, server in ports.items():
                ways[address, port] = server.port
                if server not in self.servers:
                    self.servers.append(server)
        self.dns, self.socks = Resolver(zone), Socks(ways)
        self.args = ['--resolver=' + self.dns.address, '--proxy=socks5://127.0.0.1:%d' % self.socks.port,
                     '--tls-trust-file=' + certificate('good')[2], '--syslog=off',
                     '--domain=client.example.org']

    def __enter__(self):
        self.folder = harness.Folder()
        self.home = self.folder.__enter__()
        self.failures = []
        return self

    def __exit__(self, *_):
        for s in self.servers + [self.socks]:
            s.stop()
        self.dns.__exit__()
        self.folder.__exit__()

    def path(self, *names):
        return os.path.join(self.home, *names)

    def write(self, name, text, mode=0o600):
        with open(self.path(name), 'w', encoding='utf-8') as f:
            f.write(text)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def read(self, name):
        with open(self.path(name), encoding='utf-8') as f:
            return f.read()

    def run(self, *args, address=USER, data=b'', env=None, password=PASSWORD, output='rc', world=True):
        """One run without a terminal; a password is given by a descriptor."""
        words = ['--configure', address] if address else []
        words += ['-C', self.path(output)] if output else []
        words += self.args if world else []
        fds = ()
        if password is not None:
            r, w = os.pipe()
            os.write(w, (password + '\n').encode())
            os.close(w)
            words.append('--password-fd=%d' % r)
            fds = (r,)
        words += list(args)
        child = subprocess.Popen(['msubmit'] + words, executable=PROGRAM, stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=fds,
                                 env=dict(harness.environment(self.home), **(env or {})), cwd=self.home,
                                 start_new_session=True)
        for fd in fds:
            os.close(fd)
        try:
            out, err = child.communicate(data, timeout=LIMIT)
        except subprocess.TimeoutExpired:
            child.kill()
            out, err = child.communicate()
            self.failures.append('not finished after %g s' % LIMIT)
        self.status = child.returncode
        self.out = out.decode('utf-8', 'surrogateescape')
        self.err = err.decode('utf-8', 'surrogateescape')
        return self

    def check(self, status, *texts, absent=(), out=None):
        """Exit status, what stderr holds, and what is true of every run."""
        if self.status != status:
            self.failures.append('exit %s, expected %s' % (self.status, status))
        for text in texts:
            if text not in self.err + self.out:
                self.failures.append('not shown: ' + text)
        for text in absent:
            if text in self.err + self.out:
                self.failures.append('shown: ' + text)
        for secret in (PASSWORD, plain(), base64.b64encode(PASSWORD.encode()).decode()):
            if secret in self.err + self.out:
                self.failures.append('the password is shown')
        if out is not None and out not in self.out:
            self.failures.append('not on stdout: ' + out)
        for line in self.out.splitlines() if out is None else []:
            if not re.match(r'(?:ok  |warn|FAIL|skip|    ) ', line):
                self.failures.append('stdout: ' + line)
        words = harness.sanitizer_words(self.err)
        if words:
            self.failures.append(words)
        if harness.unprintable(self.err):
            self.failures.append('unprintable octets on stderr')
        return self

    def wrote(self, *lines, name='rc', mode=0o600):
        """The file has these lines, and its mode."""
        try:
            text = self.read(name).split('\n')
        except OSError as e:
            self.failures.append(str(e))
            return self
        for line in lines:
            if line not in text:
                self.failures.append('not in %s: %s' % (name, line))
        if os.stat(self.path(name)).st_mode & 0o7777 != mode:
            self.failures.append('mode of %s: %o' % (name, os.stat(self.path(name)).st_mode & 0o7777))
        return self

    def wrote_nothing(self, *but):
        """Nothing appeared in the folder."""
        left = sorted(n for n in os.listdir(self.home) if n not in but)
        if left:
            self.failures.append('written: %s' % left)
        return self

    def secret(self, account='default', password=PASSWORD):
        """The password lies alone, in a place of its own."""
        folder = self.path('.config', 'msubmit')
        path = os.path.join(folder, account + '.password')
        try:
            with open(path, encoding='utf-8') as f:
                got = f.read()
        except OSError as e:
            self.failures.append(str(e))
            return self
        if got != password + '\n':
            self.failures.append('the file of the password holds %r' % got)
        for name, mode in ((path, 0o600), (folder, 0o700)):
            if os.stat(name).st_mode & 0o7777 != mode:
                self.failures.append('mode of %s: %o' % (name, os.stat(name).st_mode & 0o7777))
        for name in os.listdir(self.home):
            if os.path.isfile(self.path(name)) and PASSWORD in self.read(name):
                self.failures.append('the password is in ' + name)
        return self

    def end(self):
        for s in self.servers:
            self.failures += s.stop()
        self.servers = []
        if self.failures:
            self.failures.append('stderr: ' + self.err)
            if self.out:
                self.failures.append('stdout: ' + self.out)
        return self.failures


TESTS = []


def test(name):
    def take(function):
        TESTS.append((name, function))
        return function
    return take


def srv(port_465=None, port_587=None, host='mail.' + DOMAIN):
    zone = {}
    if port_465:
        zone['_submissions._tcp.' + DOMAIN, 'SRV'] = [(0, 0, port_465, host)]
    if port_587:
        zone['_submission._tcp.' + DOMAIN, 'SRV'] = [(0, 0, port_587, host)]
    return zone


# --- SRV ------------------------------------------------------------------------------


@test('SRV: found, signed in, written, and a message goes out with the file')
def whole_way():
    server = smtp(look(), sign_in(), send())
    with World({'mail.example.org': {465: server}}, srv(465)) as w:
        w.run().check(0, 'SRV records of example.org: mail.example.org:465', 'ok   sign-in', "account 'default' written")
        w.wrote('[account default]', 'host = mail.example.org', 'port = 465', 'tls = implicit', 'auth = on',
                'user = you@example.org', 'from = you@example.org',
                'password_file = ~/.config/msubmit/default.password').secret()
        w.run('-a', 'default', 'b@example.net', address=None, password=None, world=False,
              data=b'Subject: x\n\nbody\n').check(0)
        if len(server.messages) != 1:
            w.failures.append('messages: %r' % server.messages)
        return w.end()


@test('SRV: STARTTLS where only _submission is there')
def srv_starttls():
    server = smtp(look(port=587), sign_in(port=587))
    with World({'mail.example.org': {587: server}}, srv(None, 587)) as w:
        w.run().check(0).wrote('port = 587', 'tls = starttls').secret()
        return w.end()


@test('SRV: a domain that is not ASCII is asked for in its ASCII form')
def srv_idn():
    address, host = 'you@b\u00fccher.example', 'mail.xn--bcher-kva.example'
    server = smtp(look(), sign_in(user=address))
    with World({host: {465: server}}, {('_submissions._tcp.xn--bcher-kva.example', 'SRV'): [(0, 0, 465, host)]}) as w:
        w.run(address=address).check(0).wrote('host = ' + host, 'user = ' + address, 'from = ' + address)
        return w.end()


@test('SRV: a dead first server, the second is taken')
def srv_dead():
    server = smtp(look(port=587), sign_in(port=587))
    with World({'mail.example.org': {587: server}}, srv(465, 587)) as w:
        w.run().check(0, 'mail.example.org:465: ').wrote('port = 587')
        return w.end()


@test('SRV: "." says that there is no submission, and that is the end')
def srv_denied():
    zone = {('_submission._tcp.example.org', 'SRV'): [(0, 0, 0, '')],
            ('_submissions._tcp.example.org', 'SRV'): [(0, 0, 0, '')]}
    with World({'smtp.example.org': {465: smtp('')}}, zone) as w:
        w.run().check(69, 'no mail submission').wrote_nothing()
        if w.socks.asked:
            w.failures.append('asked on: %r' % w.socks.asked)
        return w.end()


@test('SRV: a server outside of the domain is not trusted without a word of the user')
def srv_outside():
    host = 'mail.provider.net'
    with World({host: {465: smtp(look())}}, srv(465, host=host)) as w:
        w.run().check(78, 'outside of example.org', '--host=mail.provider.net:465').wrote_nothing()
        return w.end()


@test('SRV: with srv_live = any it is')
def srv_any():
    host = 'mail.provider.net'
    with World({host: {465: smtp(look(), sign_in())}}, srv(465, host=host)) as w:
        w.run('--srv-live=any').check(0).wrote('host = ' + host, 'srv_live = any')
        return w.end()


@test('SRV: what leads to a provider that is known needs no word')
def srv_provider():
    host = 'posteo.de'
    with World({host: {465: smtp(look(), sign_in())}}, srv(465, host=host)) as w:
        w.run().check(0).wrote('host = ' + host)
        return w.end()


@test('SRV: DNS that does not answer is told, and the search goes on')
def srv_fails():
    zone = {('_submissions._tcp.example.org', 'SRV'): 'servfail',
            ('_submission._tcp.example.org', 'SRV'): 'servfail'}
    server = smtp(look(), sign_in())
    with World({'smtp.example.org': {465: server}}, zone) as w:
        w.run('--no-ispdb').check(0, 'SRV records: ').wrote('host = smtp.example.org')
        return w.end()


# --- documents -------------------------------------------------------------------------


def server_xml(host='smtp.provider.net', port=465, socket_type='SSL', user='%EMAILADDRESS%',
               auth=('password-cleartext',), kind='smtp'):
    return '<outgoingServer type="%s"><hostname>%s</hostname><port>%s</port><socketType>%s</socketType>' \
        '<username>%s</username>%s</outgoingServer>' % (
            kind, host, port, socket_type, user,
            ''.join('<authentication>%s</authentication>' % a for a in auth))


def document(*servers):
    return ('<?xml version="1.0" encoding="UTF-8"?>\n<clientConfig version="1.1"><emailProvider id="x">'
            '<domain>example.org</domain><incomingServer type="imap"><hostname>imap.provider.net</hostname>'
            '<port>993</port><socketType>SSL</socketType></incomingServer>%s</emailProvider></clientConfig>'
            % ''.join(servers)).encode()


OWN = ('autoconfig.example.org', '/mail/config-v1.1.xml')
WELL_KNOWN = ('example.org', '/.well-known/autoconfig/mail/config-v1.1.xml')
ISPDB = ('autoconfig.thunderbird.net', '/v1.1/example.org')


def web_world(documents, server, host='smtp.provider.net', port=465, cert='good', more=None):
    web = Web(documents, cert)
    names = {'autoconfig.example.org': {443: web}, 'example.org': {443: web},
             'autoconfig.thunderbird.net': {443: web}}
    if server:
        names[host] = {port: server}
    names.update(more or {})
    world = World(names)
    world.web = web
    return world


@test('autoconfig: a library that is missing is told, and the search goes on')
def no_library():
    failures = []
    for names, words in ((('libcurl-gnutls.so.4', 'libcurl.so.4'), 'libcurl'), (('libexpat.so.1',), 'libexpat')):
        with known_world([look(), sign_in()]) as w:
            os.mkdir(w.path('lib'))
            for name in names:
                w.write('lib/' + name, 'no library\n')
            w.run(env={'LD_LIBRARY_PATH': w.path('lib')}).check(0, 'autoconfig documents: not asked for', words)
            w.wrote('host = smtp.example.org')
            failures += w.end()
    return failures


@test('autoconfig: the domain\'s own document, with the address asked for')
def autoconfig_own():
    with web_world({OWN: document(server_xml())}, smtp(look(), sign_in())) as w:
        w.run().check(0, 'https://autoconfig.example.org/mail/config-v1.1.xml', '1 server')
        w.wrote('host = smtp.provider.net', 'port = 465', 'user = you@example.org').secret()
        if w.web.asked != ['https://autoconfig.example.org/mail/config-v1.1.xml?emailaddress=you%40example.org']:
            w.failures.append('asked: %r' % w.web.asked)
        return w.end()


@test('autoconfig: the well-known place is the second, the ISP database the third')
def autoconfig_order():
    failures = []
    for place, count in ((WELL_KNOWN, 2), (ISPDB, 3)):
        with web_world({place: document(server_xml())}, smtp(look(), sign_in())) as w:
            w.run().check(0).wrote('host = smtp.provider.net')
            hosts = [u.split('/')[2] for u in w.web.asked]
            if hosts != ['autoconfig.example.org', 'example.org', 'autoconfig.thunderbird.net'][:count]:
                w.failures.append('asked: %r' % w.web.asked)
            if any('you' in u for u in w.web.asked if 'thunderbird' in u):
                w.failures.append('the third party was told the address')
            failures += w.end()
    return failures


@test('autoconfig: --no-ispdb leaves the third party out')
def no_ispdb():
    with web_world({ISPDB: document(server_xml())}, None) as w:
        w.run('--no-ispdb').check(75, 'not asked, as you wish').wrote_nothing()
        if any('thunderbird' in u for u in w.web.asked):
            w.failures.append('asked: %r' % w.web.asked)
        return w.end()


@test('autoconfig: SRV records go before it')
def srv_before_documents():
    web = Web({OWN: document(server_xml())})
    with World({'mail.example.org': {465: smtp(look(), sign_in())}, 'autoconfig.example.org': {443: web}},
               srv(465)) as w:
        w.run().check(0).wrote('host = mail.example.org')
        if web.asked:
            w.failures.append('asked: %r' % web.asked)
        return w.end()


@test('autoconfig: names of the user are put together from the address')
def placeholders():
    failures = []
    for user, want in (('%EMAILLOCALPART%', 'you'), ('%EMAILADDRESS%', USER), ('x-%EMAILLOCALPART%-%EMAILDOMAIN%',
                                                                             'x-you-example.org'), ('joe', 'joe')):
        with web_world({OWN: document(server_xml(user=user))}, smtp(look(), sign_in(user=want))) as w:
            w.run().check(0).wrote('user = ' + want, 'from = you@example.org')
            failures += w.end()
    with web_world({OWN: document(server_xml(host='smtp.%EMAILDOMAIN%'))}, smtp(look(), sign_in()),
                   'smtp.example.org') as w:
        w.run().check(0).wrote('host = smtp.example.org')
        failures += w.end()
    return failures


@test('autoconfig: what is of no use is passed over and named, the next is taken')
def passed_over():
    useless = [server_xml('plain.provider.net', 25, 'plain'), server_xml('bad host', 465), server_xml(port='0'),
               server_xml(port='65536'), server_xml(port='4x'), server_xml(user='%REALNAME%'),
               server_xml(auth=('client-IP-address',)), server_xml(socket_type='TLS'), server_xml(kind='imap'),
               server_xml(host='[::1]'), server_xml(host='')]
    with web_world({OWN: document(*(useless + [server_xml(port=587, socket_type='STARTTLS')]))},
                   smtp(look(port=587), sign_in(port=587)), port=587) as w:
        w.run().check(0, '1 server', 'plain.provider.net:25: no TLS', 'no host name', 'no port',
                      'takes neither password nor OAuth2', 'only you know')
        w.wrote('port = 587', 'tls = starttls')
        return w.end()


@test('autoconfig: the first server is dead, the second is taken')
def second_server():
    with web_world({OWN: document(server_xml(port=465), server_xml(port=587, socket_type='STARTTLS'))},
                   smtp(look(port=587), sign_in(port=587)), port=587) as w:
        w.run().check(0, 'smtp.provider.net:465: ').wrote('port = 587')
        return w.end()


BOMB = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]>' \
    b'<clientConfig><emailProvider>&b;</emailProvider></clientConfig>'
HOSTILE = {
    'entities': (BOMB, 'a document type is not taken'),
    'external': (b'<?xml version="1.0"?><!DOCTYPE x SYSTEM "file:///etc/passwd"><clientConfig/>',
                 'a document type is not taken'),
    'unknown entity': (b'<clientConfig><emailProvider>&x;</emailProvider></clientConfig>', 'line 1'),
    'huge': (b'<clientConfig>' + b' ' * 400000 + b'</clientConfig>', 'larger than'),
    'deep': (b'<clientConfig>' + b'<a>' * 50000, 'too deep'),
    'many': (b'<clientConfig>' + b'<a/>' * 20000 + b'</clientConfig>', 'too many elements'),
    'long text': (document('<displayName>' + 'x' * 5000 + '</displayName>'), 'too much text'),
    'cut': (document(server_xml())[:200], 'line '),
    'html': (b'<!DOCTYPE html><html><body>login</body></html>', 'document type'),
    'other root': (b'<config><emailProvider/></config>', 'no autoconfig document'),
    'empty': (b'', 'no element found'),
    'garbage': (bytes(range(256)) * 20, 'line 1'),
    'escape': (document(server_xml(host='\x1b[31mred')), 'line '),
    'no server': (document(), '0 servers'),
    'http': ((302, {'Location': 'http://autoconfig.example.org/x'}, b''), 'not https'),
    'file': ((302, {'Location': 'file:///etc/passwd'}, b''), 'not https'),
    'loop': ((302, {'Location': 'https://autoconfig.example.org/mail/config-v1.1.xml'}, b''), 'redirects'),
    'error': ((500, {}, b'<clientConfig/>'), 'status 500'),
    'too short': ((200, {'Content-Length': '100000'}, b'<clientConfig>'), 'autoconfig.example.org'),
}


def hostile(name):
    answer, words = HOSTILE[name]
    # the search goes on: the next document is a good one
    with web_world({OWN: answer, WELL_KNOWN: document(server_xml())}, smtp(look(), sign_in())) as w:
        w.run().check(0, words).wrote('host = smtp.provider.net')
        return w.end()


for hostile_name in HOSTILE:
    TESTS.append(('autoconfig: hostile: ' + hostile_name, lambda n=hostile_name: hostile(n)))


@test('autoconfig: a redirect to https is followed, also to another host')
def redirect():
    web = {OWN: (301, {'Location': 'https://www.provider.net/c.xml'}, b''),
           ('www.provider.net', '/c.xml'): document(server_xml())}
    with web_world(web, smtp(look(), sign_in())) as w:
        w.socks.ways['192.0.2.99', 443] = w.web.port
        w.dns.zone['www.provider.net', 'A'] = ['192.0.2.99']
        w.run().check(0).wrote('host = smtp.provider.net')
        return w.end()


@test('autoconfig: a certificate that is not right is not taken')
def bad_certificate():
    failures = []
    for cert in ('other', 'self'):
        with web_world({OWN: document(server_xml()), WELL_KNOWN: document(server_xml()),
                        ISPDB: document(server_xml())}, None, cert=cert) as w:
            w.run().check(75, 'certificate').wrote_nothing()
            if w.web.asked:
                w.failures.append('asked all the same: %r' % w.web.asked)
            failures += w.end()
    return failures


@test('autoconfig: certificates to trust may stand in the setting itself')
def inline_trust():
    with web_world({OWN: document(server_xml())}, smtp(look(), sign_in())) as w:
        with open(certificate('good')[2], encoding='ascii') as f:
            text = f.read().strip().replace('\n', ' ')
        w.args = [a for a in w.args if 'trust' not in a] + ['--tls-trust-file=' + text]
        w.run().check(0).wrote('host = smtp.provider.net')
        return w.end()


@test('autoconfig: a proxy that wants a password gets it, for documents and for mail')
def proxy_password():
    with web_world({OWN: document(server_xml())}, smtp(look(), sign_in())) as w:
        w.socks.login = [b'joe', b'sesame']
        path = w.write('proxy', 'sesame\n')
        w.run('--proxy-user=joe', '--proxy-password-file=' + path).check(0, absent=('sesame',))
        w.wrote('host = smtp.provider.net', 'proxy_user = joe', 'proxy_password_file = ' + path)
        return w.end()


@test('autoconfig: OAuth2 only needs a token')
def oauth_only():
    offer = 'AUTH XOAUTH2'
    xml = document(server_xml(auth=('OAuth2',)))
    failures = []
    with web_world({OWN: xml}, smtp(look(offer=offer))) as w:
        w.run(password=None).check(78, 'OAuth2 only', '--oauth-token-command').wrote_nothing()
        failures += w.end()
    token = base64.b64encode(b'user=you@example.org\x01auth=Bearer t0ken\x01\x01').decode()
    with web_world({OWN: xml}, smtp(look(offer=offer), greet(offer=offer) + 'C: AUTH XOAUTH2 %s\nS: 235 ok\n' %
                                    token + CHECK)) as w:
        w.run('--oauth-token-command=echo t0ken', password=None).check(0, 'ok   sign-in')
        w.wrote('oauth_token_command = echo t0ken')
        failures += w.end()
    return failures


# --- known providers -------------------------------------------------------------------


@test('a provider of the table is asked, and nobody else')
def known():
    server = smtp(look(), sign_in(user='you@gmail.com', password='abcdefghijklmnop'))
    with World({'smtp.gmail.com': {465: server}}) as w:
        w.run(address='you@gmail.com', password='abcd efgh ijkl mnop').check(
            0, 'gmail.com is a domain of Google', 'nobody was asked', 'https://myaccount.google.com/apppasswords')
        w.wrote('host = smtp.gmail.com', 'port = 465', 'tls = implicit', 'user = you@gmail.com')
        w.secret(password='abcdefghijklmnop')
        if w.socks.asked != [('192.0.2.1', 465)] * 2 or any(k != 'A' and k != 'AAAA' for _, k, _ in w.dns.asked):
            w.failures.append('asked: %r %r' % (w.socks.asked, w.dns.asked))
        return w.end()


@test('without a check nobody at all is asked')
def known_without_network():
    with World() as w:
        w.run('--print', '--no-check', address='You@GMail.com', password=None, world=False).check(
            0, out='host = smtp.gmail.com').wrote_nothing()
        if w.socks.asked or w.dns.asked:
            w.failures.append('asked: %r %r' % (w.socks.asked, w.dns.asked))
        return w.end()


@test('a provider is recognised by the hosts that receive the mail')
def by_mx():
    failures = []
    for host, want in (('aspmx.l.google.com', 'smtp.gmail.com'), ('example-org.mail.protection.outlook.com',
                                                                'smtp.office365.com')):
        with World(records={('example.org', 'MX'): [(20, 'mx2.example.org'), (10, host)]}) as w:
            w.run('--print', '--no-check', '--no-ispdb', password=None).check(
                0, 'MX records of example.org: its mail goes to', out='host = ' + want)
            failures += w.end()
    return failures


@test('what providers want: a table of addresses')
def provider_table():
    failures = []
    for address, lines in (
            ('a@web.de', ('host = smtp.web.de', 'user = a')),
            ('a@free.fr', ('host = smtp.free.fr', 'user = a')),
            ('a@gmx.at', ('host = mail.gmx.net', 'user = a@gmx.at')),
            ('a@gmx.com', ('host = mail.gmx.com',)),
            ('a@icloud.com', ('host = smtp.mail.me.com', 'port = 587', 'tls = starttls')),
            ('a@outlook.com', ('host = smtp-mail.outlook.com', 'port = 587')),
            ('a@proton.me', ('host = 127.0.0.1', 'port = 1025', 'tls = starttls')),
            ('a@fastmail.com', ('host = smtp.fastmail.com', 'port = 465'))):
        with World() as w:
            w.run('--print', '--no-check', address=address, password=None, world=False).check(0, out='[account')
            for line in lines:
                if line not in w.out.split('\n'):
                    w.failures.append('%s: no line %s' % (address, line))
            failures += w.end()
    return failures


# --- guessing ---------------------------------------------------------------------------


@test('guessing: usual names and ports, the first that signs in by TLS')
def guess():
    server = smtp(look(port=587), sign_in(port=587))
    with World({'mail.example.org': {587: server}}) as w:
        w.run('--no-ispdb').check(0, 'trying usual names', 'mail.example.org:465', 'mail.example.org:587: TLS verified')
        w.wrote('host = mail.example.org', 'port = 587', 'tls = starttls')
        return w.end()


@test('guessing: a server without sign-in under TLS is not taken')
def guess_no_auth():
    names = {'smtp.example.org': {465: smtp(look(offer='SIZE 1000')), 587: smtp('S: 220 x\nC: EHLO *\nS: 250 x\n')},
             'mail.example.org': {465: smtp(look(offer='AUTH X-ODD'))}}
    with World(names) as w:
        w.run('--no-ispdb').check(75, 'smtp.example.org:465: offers no way to sign in', 'STARTTLS',
                                  'mail.example.org:465: offers no way').wrote_nothing()
        return w.end()


@test('guessing: a certificate of another name is not taken')
def guess_certificate():
    names = {'smtp.example.org': {465: smtp('TLS refused cert=other')}}
    with World(names) as w:
        w.run('--no-ispdb').check(75, 'smtp.example.org:465: ').wrote_nothing()
        return w.end()


@test('guessing: the host that receives mail, in the domain; outside only with a word')
def guess_mx():
    failures = []
    server = smtp(look(), sign_in())
    with World({'mx.example.org': {465: server}}, {('example.org', 'MX'): [(1, 'mx.example.org')]}) as w:
        w.run('--no-ispdb').check(0).wrote('host = mx.example.org')
        failures += w.end()
    with World({'mx.provider.net': {465: smtp(look())}}, {('example.org', 'MX'): [(1, 'mx.provider.net')]}) as w:
        w.run('--no-ispdb').check(78, '--host=mx.provider.net:465').wrote_nothing()
        failures += w.end()
    return failures


@test('nothing found: what to do is said')
def nothing():
    failures = []
    with World() as w:
        w.run().check(68, '--host=NAME').wrote_nothing()
        failures += w.end()
    return failures


@test('servers that say nothing end the search in time')
def silent():
    with World({'smtp.example.org': {465: Silent()}}) as w:
        w.run('--no-ispdb', '--connect-timeout=1', '--total-timeout=2').check(75)
        w.wrote_nothing()
        return w.end()


# --- what the user decides -----------------------------------------------------------------


@test('--host: nothing is searched, its ports are tried')
def given_host():
    server = smtp(look(port=587), sign_in(port=587))
    with World({'relay.example.org': {587: server}}, srv(465)) as w:
        w.run('--host=relay.example.org').check(0, absent=('SRV records',))
        w.wrote('host = relay.example.org', 'port = 587', 'tls = starttls')
        return w.end()


@test('--host with a port, another user, and settings that are kept')
def given_port():
    server = smtp(look(port=587), sign_in(user='joe', port=587))
    with World({'relay.example.org': {2587: server}}) as w:
        w.run('--host=relay.example.org:2587', '--user=joe', '--timeout=40').check(0)
        w.wrote('host = relay.example.org', 'port = 2587', 'tls = starttls', 'user = joe', 'timeout = 40',
                'from = you@example.org')
        return w.end()


@test('TLS of the kind that the user says is tried at its own port only')
def given_kind():
    failures = []
    for kind, port, other in (('implicit', 465, 587), ('starttls', 587, 465)):
        with World({'relay.example.org': {port: smtp(look(port=port), sign_in(port=port)), other: smtp()}}) as w:
            w.run('--host=relay.example.org', '--tls=' + kind).check(0).wrote('port = %d' % port, 'tls = ' + kind)
            failures += w.end()
    return failures


@test('--host of a sending service: its ports, its user')
def given_service():
    with World() as w:
        w.run('--host=smtp.sendgrid.net', '--print', '--no-check', password=None, world=False).check(
            0, 'API key', out='user = apikey')
        return w.end()


@test('TLS off is written only when the user says so')
def tls_off():
    server = smtp('S: 220 peer\nC: EHLO *\nS: 250-peer / 250 AUTH PLAIN\n', 'S: 220 peer\nC: EHLO *\n'
                  'S: 250-peer / 250 AUTH PLAIN\nC: AUTH PLAIN %s\nS: 235 ok\n' % plain() + CHECK)
    with World({'relay.example.org': {25: server}}) as w:
        w.run('--host=relay.example.org', '--port=25', '--tls=off', '--auth-plaintext=always').check(0)
        w.wrote('port = 25', 'tls = off', 'auth_plaintext = always')
        return w.end()


@test('options that make no sense are told at once')
def usage():
    failures = []
    for args, words in ((['--socket=/x'], '--socket'), (['--host=a,b'], 'one server'), (['--host=srv:x'], 'one server'),
                        (['--mx'], '--mx'), (['-t'], 'neither'), (['-i'], 'no options of a message'),
                        (['-f', 'a@b'], 'no options of a message'), (['b@example.net'], 'neither')):
        with World() as w:
            w.run(*args, password=None).check(64, words).wrote_nothing()
            failures += w.end()
    for address in ('you', 'you@', '@x', 'a@[192.0.2.1]', 'a@b, c@d', '', 'a@b/c', 'a@b#c', 'a@x{y}', 'a@%41'):
        with World() as w:
            w.run('--configure', address, address=None, password=None, world=False).check(64).wrote_nothing()
            failures += w.end()
    for option in ('--print', '--no-check', '--no-ispdb', '--output=x'):
        with World() as w:
            w.run(option, 'b@example.net', address=None, password=None, world=False).check(64, '--configure')
            failures += w.end()
    return failures


@test('called as sendmail it writes nothing')
def injected():
    with World() as w:
        for argv in (['sendmail', '-t', '--configure', USER, '--no-check', '--host=evil.example'],
                     ['msubmit', 'a@b', '--configure', USER, '--no-check', '--host=evil.example'],
                     ['msubmit', '-t', '-i', '--configure=' + USER, '--no-check', '--host=evil.example'],
                     ['msubmit', '--output=x', '-t']):
            child = subprocess.run(argv, executable=PROGRAM, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=harness.environment(w.home), cwd=w.home,
                                   start_new_session=True)
            if child.returncode != 64:
                w.failures.append('%r: exit %d' % (argv, child.returncode))
        w.wrote_nothing()
        w.err = w.out = ''
        return w.end()


# --- the file -----------------------------------------------------------------------------


def known_world(connections, **how):
    return World({'smtp.example.org': {465: smtp(*connections)}}, **how)


@test('a file that is there keeps every octet, its mode, and gets one more account')
def existing():
    old = '# my own words\r\n[account default]\nhost = x.example.org\nuser = me ; not a comment\n  # last'
    server = smtp(look(), sign_in())
    with World({'smtp.example.org': {465: server}}) as w:
        w.write('rc', old, 0o640)
        w.run('--no-ispdb').check(0, "account 'you@example.org'").wrote('[account you@example.org]', mode=0o640)
        with open(w.path('rc'), newline='', encoding='utf-8') as f:
            text = f.read()
        if not text.startswith(old + '\n\n# you@example.org, found by trying usual names\n'):
            w.failures.append('the old text is not kept: %r' % text)
        return w.secret('you@example.org').end()


@test('a file of msmtp\'s own form is added to in that form')
def classic():
    server = smtp(look(), sign_in(), send())
    with World({'smtp.example.org': {465: server}}) as w:
        w.write('rc', 'defaults\ntls on\ntimeout 50\n\naccount old\nhost x.example.org\n')
        w.run('--no-ispdb').check(0).wrote('account default', 'host smtp.example.org', 'port 465', 'tls implicit',
                                           'password_file ~/.config/msubmit/default.password')
        w.run('b@example.net', address=None, password=None, world=False, data=b'Subject: x\n\nbody\n').check(0)
        return w.end()


@test('an account of that name or for that address is an error, before anybody is asked')
def collision():
    failures = []
    for old, args, words in (
            ('[account default]\nhost = x\nfrom = you@example.org\n', [], "account 'default' for you@example.org"),
            ('[account work]\nhost = x\n', ['-a', 'work'], "account 'work' already"),
            ('account work\nhost x\n', ['-a', 'work'], '--account=NAME'),
            ('[account default]\nhost x\n', [], 'rc:2'),
            ('[account "x"]\nnokey = 1\n', [], 'rc:2')):
        with World() as w:
            w.write('rc', old)
            w.run(*args).check(78, words).wrote_nothing('rc')
            if w.read('rc') != old or w.socks.asked:
                w.failures.append('%r, asked %r' % (w.read('rc'), w.socks.asked))
            failures += w.end()
    return failures


@test('names of accounts: chosen, and such as cannot be')
def names():
    failures = []
    server = smtp(look(), sign_in())
    with World({'smtp.example.org': {465: server}}) as w:
        w.run('-a', '../work', '--no-ispdb').check(0).wrote('[account ../work]').secret('_._work')
        failures += w.end()
    for name in ('a:b', 'a]', 'a,b', ' a', 'a\nb'):
        with known_world([look()]) as w:
            w.run('-a', name, '--no-ispdb').check(78, 'account name').wrote_nothing()
            failures += w.end()
    return failures


@test('symbolic links, folders, open files and missing folders are refused')
def places():
    failures = []
    with World() as w:
        target = w.write('target', '# mine\n')
        os.symlink(target, w.path('link'))
        os.mkdir(w.path('folder'))
        w.write('open', '', 0o666)
        for name, status, words in (('link', 78, 'symbolic link'), ('folder', 78, 'no regular file'),
                                    ('open', 78, 'chmod o-w')):
            w.run(output=name).check(status, words)
        if w.read('target') != '# mine\n':
            w.failures.append('written through the link')
        failures += w.end()
    with known_world([]) as w:
        w.run('--no-ispdb', output='no/such/rc').check(73, 'no/such/rc')
        if os.path.exists(w.path('.config', 'msubmit', 'default.password')):
            w.failures.append('a secret is left over')
        failures += w.end()
    return failures


@test('the folder of secrets must be one\'s own')
def secret_folder():
    failures = []
    with known_world([look(), sign_in()]) as w:
        os.makedirs(w.path('.config', 'msubmit'))
        os.chmod(w.path('.config', 'msubmit'), 0o777)
        w.run('--no-ispdb').check(78, 'chmod 700').wrote_nothing('.config')
        failures += w.end()
    with known_world([look(), sign_in()]) as w:
        os.makedirs(w.path('.config', 'msubmit'), 0o700)
        w.write('.config/msubmit/default.password', 'old\n')
        w.run('--no-ispdb').check(0).wrote('password_file = ~/.config/msubmit/default-2.password')
        w.secret('default-2')
        if w.read('.config/msubmit/default.password') != 'old\n':
            w.failures.append('the old secret is gone')
        failures += w.end()
    return failures


@test('$XDG_CONFIG_HOME is where the secret goes')
def xdg():
    with known_world([look(), sign_in()]) as w:
        w.run('--no-ispdb', env={'XDG_CONFIG_HOME': w.path('xdg')}).check(0)
        w.wrote('password_file = ' + w.path('xdg', 'msubmit', 'default.password'))
        if w.read('xdg/msubmit/default.password') != PASSWORD + '\n':
            w.failures.append('wrong secret')
        return w.end()


def as_user(w, *args):
    """Runs as somebody who is not root, with no file named."""
    if os.geteuid() == 0:
        for base, folders, files in os.walk(w.home):
            for n in folders + files:
                os.lchown(os.path.join(base, n), 65534, 65534)
        os.chown(w.home, 65534, 65534)
        os.chmod(CERTS, 0o755)

    def drop():
        if os.geteuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
    r, p = os.pipe()
    os.write(p, (PASSWORD + '\n').encode())
    os.close(p)
    child = subprocess.run(['msubmit', '--configure', USER, '--password-fd=%d' % r] + w.args + list(args),
                           executable=PROGRAM, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, env=harness.environment(w.home), cwd='/', pass_fds=(r,),
                           preexec_fn=drop, start_new_session=True, timeout=LIMIT)
    os.close(r)
    w.status, w.out, w.err = child.returncode, child.stdout.decode(), child.stderr.decode()
    return w


@test('the usual file of a user is ~/.msmtprc')
def usual_file():
    with known_world([look(), sign_in()]) as w:
        as_user(w, '--no-ispdb').check(0, '.msmtprc')
        w.wrote('[account default]', name='.msmtprc').secret()
        return w.end()


@test('... or $XDG_CONFIG_HOME/msmtp/config where that is there')
def other_file():
    with known_world([look(), sign_in()]) as w:
        os.makedirs(w.path('.config', 'msmtp'))
        w.write('.config/msmtp/config', '# mine\n')
        as_user(w, '--no-ispdb').check(0, '.config/msmtp/config')
        w.wrote('# mine', '[account default]', name='.config/msmtp/config')
        return w.end()


@test('the file of the whole host: aliases and domain too; nothing is written by --print')
def system_wide():
    failures = []
    if os.geteuid() != 0:
        return []
    with World() as w:
        w.run('--host=relay.example.org', '--print', '--no-check', password=None, output=None, world=False)
        w.check(0, out='password_file = /etc/msubmit/default')
        if 'default_domain = example.org' not in w.out:
            w.failures.append('no default_domain')
        failures += w.end()
    with World() as w:
        w.run('--print', '--no-check', address='a@gmail.com', password=None, output=None, world=False).check(
            0, out='smtp.gmail.com', absent=('default_domain',))
        failures += w.end()
    return failures


# --- passwords ------------------------------------------------------------------------------


@test('a wrong password: nothing is written')
def wrong_password():
    refused = auth(reply='535 5.7.8 no')
    with known_world([look(), refused]) as w:
        w.run('--no-ispdb').check(77, '535', 'nothing was written').wrote_nothing()
        return w.end()


@test('a server that refuses the sender: nothing is written, what to do is said')
def refused_sender():
    with known_world([look(), auth() + 'C: MAIL FROM:<*>\nS: 553 5.7.1 not yours\n']) as w:
        w.run('--no-ispdb').check(77, 'FAIL sender', '553', '-> ', 'nothing was written').wrote_nothing()
        return w.end()


@test('no password and no terminal: nothing is written, unless it is not checked')
def no_password():
    failures = []
    with known_world([look()]) as w:
        w.run('--no-ispdb', password=None).check(78, 'no password', '--no-check').wrote_nothing()
        failures += w.end()
    with World({'relay.example.org': {}}) as w:
        w.run('--host=relay.example.org', '--no-check', password=None).check(
            0, 'put its password into ~/.config/msubmit/default.password')
        w.wrote('host = relay.example.org', 'password_file = ~/.config/msubmit/default.password')
        if os.path.exists(w.path('.config')):
            w.failures.append('a folder without a secret')
        failures += w.end()
    return failures


@test('sources of the password that the user names are written as named')
def named_sources():
    failures = []
    with known_world([look(), sign_in()]) as w:
        path = w.write('mine', PASSWORD + '\n')
        w.run('--no-ispdb', '--password-file=' + path, password=None).check(0, 'ok   sign-in')
        w.wrote('password_file = ' + path).wrote_nothing('mine', 'rc')
        failures += w.end()
    with known_world([look(), sign_in()]) as w:
        w.write('my own', PASSWORD + '\n')
        w.run('--no-ispdb', "--password-command=cat 'my own'", password=None).check(0)
        w.wrote("password_command = cat 'my own'").wrote_nothing('my own', 'rc')
        failures += w.end()
    with known_world([look(), sign_in()]) as w:
        os.mkdir(w.path('cred'))
        w.write('cred/mail', PASSWORD + '\n')
        w.run('--no-ispdb', '--password-credential=mail', password=None,
              env={'CREDENTIALS_DIRECTORY': w.path('cred')}).check(0).wrote('password_credential = mail')
        failures += w.end()
    with known_world([look(), sign_in(password='netrcword')]) as w:
        w.write('.netrc', 'machine smtp.example.org login you@example.org password netrcword\n')
        w.run('--no-ispdb', password=None).check(0, 'netrc or the key ring').wrote_nothing('.netrc', 'rc')
        failures += w.end()
    with known_world([]) as w:
        path = w.write('mine', PASSWORD + '\n', 0o644)
        w.run('--no-ispdb', '--password-file=' + path, password=None).check(78, 'chmod 600').wrote_nothing('mine')
        failures += w.end()
    return failures


class Terminal:
    """The program at a terminal: what is asked is answered, in order."""

    def __init__(self, w, args, answers):
        self.shown = b''
        pid, fd = pty.fork()
        if pid == 0:
            os.chdir(w.home)
            os.execve(PROGRAM, ['msubmit'] + args, harness.environment(w.home))
        answers, asked = list(answers), 0
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            if not select.select([fd], [], [], 0.5)[0]:
                continue
            try:
                data = os.read(fd, 4096)
            except OSError:
                break
            if not data:
                break
            self.shown += data
            prompts = len(re.findall(rb'password for [^:]*: |\[y/N\] ', self.shown))
            while asked < prompts and answers:
                os.write(fd, (answers.pop(0) + '\n').encode())
                asked += 1
        os.close(fd)
        w.status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        w.out, w.err = '', self.shown.decode('utf-8', 'replace').replace('\r', '')
        self.left = answers


def at_terminal(w, answers, *args):
    t = Terminal(w, ['--configure', USER, '-C', w.path('rc')] + w.args + list(args), answers)
    if t.left:
        w.failures.append('not asked for: %r' % t.left)
    return w


@test('at a terminal the password is typed, and not shown')
def typed():
    with known_world([look(), sign_in()]) as w:
        at_terminal(w, [PASSWORD], '--no-ispdb').check(0, 'password for you@example.org at smtp.example.org', 'ok   sign-in')
        return w.wrote('[account default]').secret().end()


@test('a mistyped password may be typed again, three times in all')
def typed_again():
    failures = []
    wrong = auth(password='wrong', reply='535 5.7.8 no')
    with known_world([look(), wrong, sign_in()]) as w:
        at_terminal(w, ['wrong', PASSWORD], '--no-ispdb').check(0, '535').secret()
        failures += w.end()
    with known_world([look(), wrong, wrong, wrong]) as w:
        at_terminal(w, ['wrong'] * 3, '--no-ispdb').check(77, 'nothing was written').wrote_nothing()
        failures += w.end()
    return failures


@test('a server outside of the domain is confirmed at the terminal')
def confirmed():
    failures, host = [], 'mail.provider.net'
    with World({host: {465: smtp(look(), sign_in())}}, srv(465, host=host)) as w:
        at_terminal(w, ['yes', PASSWORD]).check(0).wrote('host = ' + host)
        failures += w.end()
    with World({host: {465: smtp(look())}}, srv(465, host=host)) as w:
        at_terminal(w, ['']).check(78, '--host=mail.provider.net:465').wrote_nothing()
        failures += w.end()
    return failures


@test('the password is in no argument and no environment of a program that is run')
def not_passed_on():
    with known_world([look(), sign_in()]) as w:
        script = w.write('spy', '#!/bin/sh\n{ env; cat /proc/$PPID/cmdline /proc/$PPID/environ; } > "$HOME/seen"\n'
                         'echo run >> "$HOME/runs"; cat "$HOME/mine"\n', 0o700)
        w.write('mine', PASSWORD + '\n')
        w.run('--no-ispdb', '--password-command=' + script, password=None).check(0)
        with open(w.path('seen'), 'rb') as f:
            if PASSWORD.encode() in f.read():
                w.failures.append('the password was handed on')
        with open(w.path('runs')) as f:
            if f.read() != 'run\n':
                w.failures.append('the command was run more than once')
        return w.end()


@test('with -v the dialogue is shown, the password is not')
def transcript():
    with known_world([look(), sign_in()]) as w:
        w.run('--no-ispdb', '-v').check(0, 'AUTH PLAIN', 'EHLO')
        return w.end()


# --- certificates and the run ---------------------------------------------------------------


def make_certificates(folder):
    maker = certs.Maker(folder)
    maker.write('ca.pem', maker.ca)
    maker.write('good.pem', maker.leaf(names=[certs.dns(n) for n in NAMES]))
    maker.write('other.pem', maker.leaf(names=[certs.dns('elsewhere.example')]))
    maker.write('self.pem', certs.Certificate('x', maker.server_key, names=[certs.dns(n) for n in NAMES],
                                              usage=[certs.SERVER_AUTH]))


def main():
    global CERTS
    with harness.Folder() as folder:
        CERTS = os.path.join(folder, 'certs')
        os.chmod(folder, 0o755)
        os.mkdir(CERTS)
        make_certificates(CERTS)
        chosen = [t for t in TESTS if len(sys.argv) < 2 or sys.argv[1] in t[0]]
        with World() as w:
            if 'was built without' in w.run('--no-ispdb', '--print', password=None).err:
                chosen = [(n + ' # SKIP built without libcurl or libexpat', None)
                          if n.startswith('autoconfig') else (n, f) for n, f in chosen]
        return harness.run_tap(chosen)


if __name__ == '__main__':
    sys.exit(main())
