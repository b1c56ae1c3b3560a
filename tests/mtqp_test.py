#!/usr/bin/env python3
"""Asking where a message is (--track-query): a small tracking server, with and without TLS.

MSUBMIT names the program; prints TAP. No root, no network, free ports only."""
import os
import socket
import ssl
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import SCALE, Certificates, Folder, binary, run_once, run_tap    # noqa: E402

PROGRAM = binary()
ENVID, SECRET = '1741.77@client.example.org', 'q0x5c2VjcmV0c2VjcmV0cw=='


def entity(*groups):
    """An answer: one tracking status of all groups of fields, the first about the message."""
    body = '\r\n\r\n'.join('\r\n'.join(g) for g in groups)
    return ('Content-Type: multipart/related; boundary=x; type=tracking-status\r\n\r\n--x\r\n'
            'Content-Type: message/tracking-status\r\n\r\n%s\r\n\r\n--x--\r\n' % body)


def recipient(address, action, status='2.0.0', *more):
    return ('Original-Recipient: rfc822; ' + address, 'Final-Recipient: rfc822; ' + address,
            'Action: ' + action, 'Status: ' + status) + more


MESSAGE = ('Original-Envelope-Id: ' + ENVID, 'Reporting-MTA: dns; mx.example.org')
DELIVERED = entity(MESSAGE, recipient('b@example.org', 'delivered'))


class Server:
    """Answers each TRACK by the table; keeps what it was told."""

    def __init__(self, answers, certs=None, required=False, brackets=False, greeting=None, inject=b''):
        self.answers, self.certs, self.required, self.brackets = answers, certs, required, brackets
        self.greeting, self.inject = greeting, inject
        self.lines, self.clear = [], []
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]

    def __enter__(self):
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.close()

    def serve(self):
        while True:
            try:
                sock = self.listener.accept()[0]
            except OSError:
                return
            sock.settimeout(20 * SCALE)
            try:
                self.session(sock)
            except (OSError, ssl.SSLError):
                pass
            sock.close()

    def greet(self, sock, tls):
        if self.greeting is not None:
            sock.sendall(self.greeting)
        elif self.certs and not tls:
            sock.sendall(b'+OK+/MTQP ready\r\nvnd.example x\r\n\tfolded\r\nSTARTTLS%s\r\n.\r\n' %
                         (b' required' if self.required else b''))
        else:
            sock.sendall(b'+OK/MTQP ready\r\n')

    def session(self, sock, tls=False):
        self.greet(sock, tls)
        for line in iter(lambda: self.line(sock), ''):
            self.lines.append(line)
            if not tls:
                self.clear.append(line)
            words = line.split(' ')
            if words[0] == 'QUIT':
                return sock.sendall(b'+OK bye\r\n')
            if words[0] == 'STARTTLS' and self.certs and not tls:
                sock.sendall(b'+OK go on\r\n' + self.inject)
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(*self.certs('server')[:2])
                return self.session(context.wrap_socket(sock, server_side=True), True)
            sock.sendall(self.answer(words, tls))
        return None

    @staticmethod
    def line(sock):
        data = b''
        while not data.endswith(b'\n'):
            octet = sock.recv(1)
            if not octet:
                return ''
            data += octet
        return data.decode('latin-1').rstrip('\r\n')

    def answer(self, words, tls):
        if words[0] != 'TRACK' or len(words) != 3:
            return b'-BAD what\r\n'
        if self.required and not tls:
            return b'-ERR/tls-required first STARTTLS\r\n'
        if words[1].startswith('<') != self.brackets:
            return b'-ERR/noinfo no such message\r\n'
        if words[2] != SECRET:
            return b'-ERR/insecure wrong secret\r\n'
        text = self.answers.get(words[1].strip('<>'), '-ERR/noinfo no such message')
        if text.startswith('-'):
            return text.encode() + b'\r\n'
        lines = ['.' + l if l.startswith('.') else l for l in text.split('\r\n')]
        return ('+OK+ here\r\n' + '\r\n'.join(lines) + '\r\n.\r\n').encode()


def query(server, args, folder, what=None, host='127.0.0.1', secret=SECRET, tls='off', certs=None):
    home = os.path.join(folder, 'home')
    os.makedirs(home, exist_ok=True)
    args = ['--host=localhost', '--syslog=off', '--mtqp-tls=' + tls] + list(args)
    if certs:
        args.append('--tls-trust-file=' + certs('server')[2])
    if what is None:
        what = 'mtqp://%s:%d/track/%s/%s' % (host, server.port, ENVID, secret.replace('/', '%2F'))
    return run_once(PROGRAM, args + ['--track-query=' + what], b'', home)


def check(result, status, out=None, words=''):
    code, stdout, stderr, failures = result
    failures = list(failures)
    if code != status:
        failures.append('exit %d, expected %d' % (code, status))
    if out is not None and stdout != out:
        failures.append('stdout %r, expected %r' % (stdout, out))
    if words not in stderr:
        failures.append('stderr has no %r' % words)
    if SECRET in stdout + stderr:
        failures.append('the secret is shown')
    if failures:
        failures.append('stdout: %s' % stdout)
        failures.append('stderr: %s' % stderr)
    return failures


def one(answer, status, out, words=''):
    """A query with that answer."""
    def test():
        with Folder() as folder, Server({ENVID: answer}) as server:
            return check(query(server, [], folder), status, out, words)
    return test


def told(action, more=''):
    return '%s b@example.org: %s, mx.example.org%s\n' % (ENVID, action, more)


ONE = [
    ('delivered', DELIVERED, 0, told('delivered 2.0.0')),
    ('relayed', entity(MESSAGE, recipient('b@example.org', 'relayed')), 0, told('relayed 2.0.0')),
    ('expanded', entity(MESSAGE, recipient('b@example.org', 'expanded')), 0,
     told('expanded 2.0.0')),
    ('delayed', entity(MESSAGE, recipient('b@example.org', 'delayed', '4.2.2',
                                          'Will-Retry-Until: tomorrow')), 75,
     told('delayed 4.2.2', ', tries until tomorrow')),
    ('failed', entity(MESSAGE, recipient('b@example.org', 'failed', '5.1.1')), 69,
     told('failed 5.1.1')),
    ('opaque', entity(MESSAGE, recipient('b@example.org', 'opaque', '2.0.0')), 75,
     told('opaque 2.0.0')),
    ('one of each', entity(MESSAGE, recipient('b@example.org', 'delayed', '4.0.0'),
                           recipient('c@example.org', 'failed', '5.0.0')), 69,
     told('delayed 4.0.0') + '%s c@example.org: failed 5.0.0, mx.example.org\n' % ENVID),
    ('escapes', entity(MESSAGE, recipient('b\x1b[2J@example.org', 'delivered')), 0,
     '%s b\\x1B[2J@example.org: delivered 2.0.0, mx.example.org\n' % ENVID),
    ('a dot alone', entity(MESSAGE, recipient('b@example.org', 'delivered')) + '.\r\n..\r\n', 0,
     told('delivered 2.0.0')),
    ('unknown', '-ERR/noinfo no such message', 69, '', 'noinfo no such message'),
    ('no text of the right kind', 'Content-Type: text/plain\r\n\r\nhello\r\n', 76, '',
     'names no recipient'),
    ('busy', '-TEMP/unavailable busy', 75, '', 'busy'),
    ('tls-required', '-ERR/tls-required no', 77, '', 'tls-required'),
]


def contained():
    """The answer tells of the next server as well: nobody else is asked."""
    answer = entity(MESSAGE, recipient('b@example.org', 'transferred', '2.0.0',
                                       'Remote-MTA: dns; b.example'))
    answer = answer.replace('--x--\r\n', '--x\r\nContent-Type: message/tracking-status\r\n\r\n'
                            'Reporting-MTA: dns; b.example\r\n\r\n' +
                            '\r\n'.join(recipient('b@example.org', 'delivered')) + '\r\n\r\n--x--\r\n')
    with Folder() as folder, Server({ENVID: answer}) as server:
        return check(query(server, [], folder), 0, told('transferred 2.0.0', ' to b.example') +
                     '%s b@example.org: delivered 2.0.0, b.example\n' % ENVID)


def handed_on():
    """Handed on to a server that cannot be asked: what is known is told, and 75."""
    answer = entity(MESSAGE, recipient('b@example.org', 'transferred', '2.0.0',
                                       'Remote-MTA: dns; 127.0.0.1'))
    with Folder() as folder, Server({ENVID: answer}) as server:
        result = query(server, [], folder, host='localhost')
        failures = check(result, 75, None, 'still on its way')
        if not result[1].startswith(told('transferred 2.0.0', ' to 127.0.0.1')):
            failures.append('stdout: %r' % result[1])
        return failures


def handed_round():
    """A server that names itself is not asked for ever."""
    answer = entity(MESSAGE, recipient('b@example.org', 'transferred', '2.0.0',
                                       'Remote-MTA: dns; 127.0.0.1'))
    with Folder() as folder, Server({ENVID: answer}) as server:
        failures = check(query(server, [], folder), 75, told('transferred 2.0.0', ' to 127.0.0.1'))
        if len([l for l in server.lines if l.startswith('TRACK')]) != 1:
            failures.append('asked: %r' % server.lines)
        return failures


def brackets():
    with Folder() as folder, Server({ENVID: DELIVERED}, brackets=True) as server:
        failures = check(query(server, [], folder), 0, told('delivered 2.0.0'))
        want = ['TRACK %s %s' % (ENVID, SECRET), 'TRACK <%s> %s' % (ENVID, SECRET)]
        return failures + ([] if server.lines[:2] == want else ['told %r' % server.lines])


def with_tls(certs, **settings):
    def test():
        with Folder() as folder, Server({ENVID: DELIVERED}, certs, **settings) as server:
            result = query(server, ['-v'], folder, host='localhost', tls='required', certs=certs)
            failures = check(result, 0, told('delivered 2.0.0'), 'TRACK ' + ENVID)
            if server.clear[:2] != ['STARTTLS localhost']:
                failures.append('in clear: %r' % server.clear)
            return failures
    return test


def tls_missing():
    with Folder() as folder, Server({ENVID: DELIVERED}) as server:
        failures = check(query(server, [], folder, tls='required'), 69, '', 'STARTTLS')
        if any(l.startswith('TRACK') for l in server.lines):
            failures.append('the secret went out in clear')
        return failures


def tls_tried():
    with Folder() as folder, Server({ENVID: DELIVERED}) as server:
        return check(query(server, [], folder, tls='try'), 0, told('delivered 2.0.0'))


def tls_bad(certs):
    """A certificate for another name, and octets in front of the handshake."""
    def test():
        with Folder() as folder, Server({ENVID: DELIVERED}, certs) as server:
            failures = check(query(server, [], folder, tls='required'), 76, '', 'certificate')
            failures += [] if len(server.lines) == 1 else ['told %r' % server.lines]
        with Folder() as folder, Server({ENVID: DELIVERED}, certs, inject=b'+OK/MTQP x\r\n') as server:
            failures += check(query(server, [], folder, host='localhost', tls='try', certs=certs), 76, '')
            return failures
    return test


def greetings():
    failures = []
    for greeting, status in ((b'220 mx ESMTP\r\n', 76), (b'+OK ready\r\n', 76), (b'', 75),
                             (b'-TEMP/admin later\r\n', 75), (b'x' * 5000 + b'\r\n', 76)):
        with Folder() as folder, Server({}, greeting=greeting) as server:
            if not greeting:
                server.session = lambda sock: None
            failures += check(query(server, ['--mail-timeout=2'], folder), status, '')
    return failures


def kept():
    """What --track has kept: one by its id, all of them, one that is not there."""
    failures = []
    with Folder() as folder:
        state = os.path.join(folder, 'home', '.local', 'state', 'msubmit')
        os.makedirs(state)
        path = os.path.join(state, 'tracking')
        with open(path, 'w') as f:
            f.write('1700000000 %s %s 127.0.0.1:587 b@example.org\n' % (ENVID, SECRET))
            f.write('1700000001 other@x %s 127.0.0.1:587 c@example.org\nhalf a li' % SECRET)
        os.chmod(path, 0o600)
        # nobody listens on the port of the protocol here, or else it is none of ours
        failures += check(query(None, ['--connect-timeout=2'], folder, ENVID), 75, '', '127.0.0.1')
        result = query(None, ['--connect-timeout=2'], folder, 'all')
        failures += check(result, 75, '')
        if result[2].count('127.0.0.1') < 2:
            failures.append('not both were asked for: %s' % result[2])
        failures += check(query(None, [], folder, 'nobody@x'), 69, '', 'nobody@x')
        os.chmod(path, 0o644)
        failures += check(query(None, [], folder, ENVID), 78, '', 'chmod')
    return failures


def main():
    with Folder() as folder:
        certs = Certificates(os.path.join(folder, 'certs'))
        tests = [(what[0], one(*what[1:])) for what in ONE]
        tests += [
            ('the answer tells of the next server too', contained),
            ('handed on to a server that does not answer', handed_on),
            ('handed on to itself', handed_round),
            ('the identifier in brackets', brackets),
            ('STARTTLS', with_tls(certs)),
            ('STARTTLS, required', with_tls(certs, required=True)),
            ('no STARTTLS, no secret', tls_missing),
            ('no STARTTLS, and that is allowed', tls_tried),
            ('STARTTLS with the wrong server', tls_bad(certs)),
            ('other servers', greetings),
            ('what was kept', kept),
        ]
        return run_tap(tests)


if __name__ == '__main__':
    sys.exit(main())
