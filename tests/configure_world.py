"""What the tests of --configure share: a world on loopback.

A resolver that knows a few names, a SOCKS server by which their ports 443, 465 and 587 are
reached, scripted SMTP servers (peer.py) and HTTPS servers behind it; no network, no fixed ports,
no root, nothing outside of a throw-away folder is written."""
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

import certs
import harness
from dialogue import parse_dialogue
from dnsserver import Resolver
from peer import Peer

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


TESTS = harness.Tests()
test = TESTS.named


def srv(port_465=None, port_587=None, host='mail.' + DOMAIN):
    zone = {}
    if port_465:
        zone['_submissions._tcp.' + DOMAIN, 'SRV'] = [(0, 0, port_465, host)]
    if port_587:
        zone['_submission._tcp.' + DOMAIN, 'SRV'] = [(0, 0, port_587, host)]
    return zone


def known_world(connections, **how):
    return World({'smtp.example.org': {465: smtp(*connections)}}, **how)


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
