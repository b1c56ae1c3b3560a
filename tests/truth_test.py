#!/usr/bin/env python3
"""Exit 0 if and only if the message lies with the server for all recipients, and never twice.

Every prefix of every sequence of replies of a session is played, each reply in each way: good,
4xx, 5xx, 221, 421, the line lost, silence. The server keeps what it takes, and so knows the
truth; where it answers the end of the content with 221, 421 or not at all it is run twice, once
as one that has kept the message and once as one that has not. What comes on later connections
goes well, or, in a second run, in the same way again.

Demanded of each run: exit 0 exactly when all recipients have the message; nobody has it twice;
"unknown" (--json) exactly where the end of the content had gone out and was not answered by a
word on the message. TAP; MSUBMIT names the program; patterns of names may be given.
"""
import fnmatch
import itertools
import json
import os
import socket
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402

harness.without_leaks()

RECIPIENTS = ('b@example.org', 'c@example.org')
WAYS = ('good', '4xx', '5xx', '221', '421', 'lost', 'silent')
UNKNOWN = ('221', '421', 'lost', 'silent')      # ... to the end of the content
MODES = {
    'plain': ('250-peer\r\n250 SIZE 100000\r\n', []),
    'pipelined': ('250-peer\r\n250-SIZE 100000\r\n250 PIPELINING\r\n', []),
    'chunked': ('250-peer\r\n250-SIZE 100000\r\n250-CHUNKING\r\n250 PIPELINING\r\n',
                ['--chunking=on']),
    'lmtp': ('250-peer\r\n250-SIZE 100000\r\n250-ENHANCEDSTATUSCODES\r\n250 PIPELINING\r\n',
             ['--protocol=lmtp']),
}
WORDS = {'4xx': '451 4.3.0 later\r\n', '5xx': '554 5.0.0 no\r\n', '221': '221 2.0.0 bye\r\n',
         '421': '421 4.3.2 going\r\n'}


class Over(Exception):
    """The connection is at its end."""


class Server:
    """Plays ways, one a reply; then all is well. Keeps what it takes."""

    def __init__(self, mode, ways, keeps, again):
        self.mode, self.ways, self.keeps, self.again = mode, list(ways), keeps, again
        self.stored = {r: 0 for r in RECIPIENTS}
        self.ended = []         # what was said to the ends of contents that came whole
        self.connections = 0
        self.broken = None

    def serve(self, sock):
        self.connections += 1
        if self.connections > 10:
            self.broken = 'more than ten connections'
            return
        ways = iter(self.ways if self.connections == 1 or self.again else ())
        sock.settimeout(10 * harness.SCALE)
        try:
            Session(self, sock, ways).run()
        except (Over, OSError):
            pass


class Session:
    def __init__(self, server, sock, ways):
        self.server, self.sock, self.ways = server, sock, ways
        self.file = sock.makefile('rb')
        self.standing = []

    def answer(self, good, what=None):
        """Whether the answer was the good one; what is told of it is left in self.way."""
        self.way = next(self.ways, 'good')
        if what is not None:
            what(self.way)
        if self.way == 'lost':
            self.sock.shutdown(socket.SHUT_RDWR)
            raise Over
        if self.way == 'silent':
            while self.sock.recv(65536):
                pass
            raise Over
        self.sock.sendall((good if self.way == 'good' else WORDS[self.way]).encode())
        if self.way in ('221', '421'):
            self.sock.shutdown(socket.SHUT_WR)
            while self.sock.recv(65536):
                pass
            raise Over
        return self.way == 'good'

    def end(self, recipients):
        """The content is here, whole: keeps it for these, as the way says."""
        def take(way):
            self.server.ended.append(way)
            if way == 'good' or way in UNKNOWN and self.server.keeps:
                for r in recipients:
                    self.server.stored[r] += 1
        self.answer('250 2.0.0 taken\r\n', take)

    def content(self):
        """One reply for all; of LMTP one for each recipient, and only then is it kept."""
        if self.server.mode == 'lmtp':
            for r in self.standing:
                self.end([r])
        else:
            self.end(self.standing)
        self.standing = []

    def data(self):
        if not self.standing:
            self.sock.sendall(b'503 5.5.1 nobody\r\n')
            return
        if self.answer('354 go\r\n'):
            while True:
                line = self.file.readline()
                if not line:
                    raise Over
                if line == b'.\r\n':
                    break
            self.content()

    def bdat(self, words):
        if len(self.file.read(int(words[1]))) < int(words[1]):
            raise Over
        if not self.standing:
            self.sock.sendall(b'503 5.5.1 nobody\r\n')
        elif words[2:] == [b'LAST']:
            self.content()
        else:
            self.answer('250 2.0.0 chunk\r\n')

    def run(self):
        self.answer('220 peer\r\n')
        for line in self.file:
            words = line.split()
            verb = words[0].upper()
            if verb in (b'EHLO', b'LHLO', b'HELO'):
                self.answer(MODES[self.server.mode][0] if verb != b'HELO' else '250 peer\r\n')
            elif verb == b'MAIL':
                self.mail = self.answer('250 2.1.0 ok\r\n')
            elif verb == b'RCPT':
                address = line.split(b'<')[1].split(b'>')[0].decode()
                if not self.mail:
                    self.sock.sendall(b'503 5.5.1 MAIL first\r\n')
                elif self.answer('250 2.1.5 ok\r\n'):
                    self.standing.append(address)
            elif verb == b'DATA':
                self.data()
            elif verb == b'BDAT':
                self.bdat(words)
            elif verb == b'RSET':
                self.standing, self.mail = [], False
                self.sock.sendall(b'250 2.0.0 ok\r\n')
            elif verb == b'QUIT':
                self.sock.sendall(b'221 2.0.0 bye\r\n')
                raise Over


def sequences(mode):
    """The prefixes: all is good before the last reply, but a recipient may have been refused."""
    for way in WAYS[1:]:
        yield (way,)
        yield ('good', way)
        yield ('good', 'good', way)
    start = ('good',) * 3
    ends = ('221', '421', 'lost', 'silent')
    for way in ends:
        yield start + (way,)
    for first in ('good', '4xx', '5xx'):
        for way in ends:
            yield start + (first, way)
        for second in ('good', '4xx', '5xx'):
            here = start + (first, second)
            standing = (first, second).count('good')
            if not standing:
                yield here
                continue
            if mode != 'chunked':
                for way in WAYS[1:]:
                    yield here + (way,)
                here += ('good',)
            if mode != 'lmtp':
                for way in WAYS:
                    yield here + (way,)
                continue
            for ways in itertools.product(WAYS, repeat=standing):
                if all(w not in ends for w in ways[:-1]):
                    yield here + ways
                elif ways[0] in ends and ways[1:] in ((), ('good',)):
                    yield here + ways[:1]


def run(mode, ways, keeps, again, program):
    server = Server(mode, ways, keeps, again)
    listener = harness.Listener(server.serve)
    with harness.Folder() as folder:
        seconds = '%d' % (2 * harness.SCALE)
        args = ['--host=127.0.0.1', '--port=%d' % listener.port, '--tls=off', '--json',
                '--domain=client.example.org', '--from=sender@example.org', '--syslog=off',
                '--quit-timeout=1'] + MODES[mode][1]
        args += ['--%s-timeout=%s' % (t, seconds) for t in (
            'greeting', 'helo', 'mail', 'rcpt', 'data-init', 'data-done')]
        status, out, err, failures = harness.run_once(program, args + list(RECIPIENTS),
                                                      b'Subject: x\n\nbody\n', folder, 60)
    listener.close()
    failures += [server.broken] if server.broken else []
    try:
        unknown = json.loads(out)['unknown']
    except (ValueError, KeyError):
        return failures + ['no JSON: ' + ascii(out), 'stderr: ' + ascii(err)]
    all_have = all(server.stored.values())
    nobody_knows = any(w in UNKNOWN for w in server.ended)
    if (status == 0) != (all_have and not nobody_knows):
        failures.append('exit %d, and %s' % (status, server.stored))
    if status == 0 and not all_have:
        failures.append('exit 0, and it is lost')
    if max(server.stored.values()) > 1:
        failures.append('twice: %s' % server.stored)
    if unknown != nobody_knows:
        failures.append('unknown is %s, the server said %s' % (unknown, server.ended))
    if ('may have been accepted' in err) != nobody_knows:
        failures.append('the text says something else than the truth')
    return failures + (['stderr: ' + ascii(err)] if failures else [])


def main():
    program = harness.binary()
    tests = []
    for mode in MODES:
        for ways in sorted(set(sequences(mode))):
            name = '%s %s' % (mode, ' '.join(ways))
            if sys.argv[1:] and not any(fnmatch.fnmatch(name, p) for p in sys.argv[1:]):
                continue

            def both(m=mode, w=ways):
                return sum((run(m, w, keeps, again, program)
                            for keeps in ((False, True) if w[-1] in UNKNOWN else (False,))
                            for again in (False, True)), [])
            tests.append((name, both))
    return harness.run_tap(tests, 8 * harness.JOBS)     # nearly all of it is waiting


if __name__ == '__main__':
    sys.exit(main())
