#!/usr/bin/env python3
"""One connection for many messages of the queue, the next one's envelope behind the final dot; TAP.

The server here counts the client's flights and does what servers are known to do with that:
throw away what stands behind a dot, refuse it, refuse the message for it, hang up, answer twice.
Each case looks at every message: none is lost, and none is there twice but where the connection
broke with its final dot unanswered.
"""
import collections
import glob
import os
import signal
import socket
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402
from queue_test import PROGRAM, Home, end_pauses, values                # noqa: E402

tests = harness.Tests()
PIPE = ('PIPELINING', 'SIZE', 'ENHANCEDSTATUSCODES')
CHUNKS = PIPE + ('CHUNKING', )
GONE = object()                 # a reply that ends the connection in its place


class Connection:
    """One client; a flight is what it sends between two times that the server says something."""

    def __init__(self, server, sock):
        self.server, self.sock, self.buffer, self.out, self.flights = server, sock, b'', [], []
        self.count = self.mails = 0
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def fill(self):
        said = bool(self.out) or not self.flights
        if self.out:
            self.sock.sendall(''.join(self.out).encode())
            self.out = []
        data = self.sock.recv(1 << 16)
        if not data:
            raise EOFError
        if said:
            self.flights.append(data)
        else:                   # one that comes in pieces
            self.flights[-1] += data
        self.buffer += data

    def line(self):
        while b'\n' not in self.buffer:
            self.fill()
        line, _, self.buffer = self.buffer.partition(b'\n')
        return line.rstrip(b'\r').decode()

    def take(self, n):
        while len(self.buffer) < n:
            self.fill()
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def content(self):
        data = b''
        while not data.endswith(b'\r\n.\r\n'):
            data += self.take(1)
        return data

    def say(self, text):
        if text is GONE:
            self.sock.sendall(''.join(self.out).encode())
            raise EOFError
        if text is not None:
            self.out.append(text + '\r\n')

    def behind(self):
        """What has come behind a dot."""
        if not self.buffer:
            self.sock.settimeout(0.05)
            try:
                data = self.sock.recv(1 << 16)
                self.buffer += data
            except TimeoutError:
                pass
            self.sock.settimeout(None)
        return self.buffer

    def run(self):
        self.say('220 peer.example.net ' + self.server.greeting)
        self.transaction = None
        while True:
            line = self.line()
            verb = line.split(' ')[0].upper()
            self.server.commands[verb] += 1
            if verb == 'EHLO':
                words = ('peer.example.net', ) + self.server.extensions
                self.say('\r\n'.join('250%s%s' % ('-' if i + 1 < len(words) else ' ', w)
                                     for i, w in enumerate(words)))
            elif verb == 'MAIL':
                self.mails += 1
                self.say(self.server.mail(self, line) or '250 2.1.0 ok')
                self.transaction = [] if not self.out or self.out[-1][0] == '2' else None
            elif verb == 'RCPT' and self.transaction is None:
                self.say('503 5.5.1 MAIL first')
            elif verb == 'RCPT':
                self.say(self.server.rcpt(self, line) or '250 2.1.5 ok')
                if self.out[-1][0] == '2':
                    self.transaction.append(line.split('<')[1].split('>')[0])
            elif verb == 'DATA' and not self.transaction:
                self.say('503 5.5.1 RCPT first')
            elif verb == 'DATA':
                self.say('354 go on')
                self.content()
                self.end()
            elif verb == 'BDAT':
                self.take(int(line.split()[1]))
                self.end()
            elif verb == 'RSET':
                self.transaction = None
                self.say(self.server.rset(self) or '250 2.0.0 flushed')
            elif verb == 'QUIT':
                self.say('221 2.0.0 bye')
                self.sock.sendall(''.join(self.out).encode())
                return
            else:
                self.say('500 5.5.1 what?')

    def end(self):
        self.count += 1
        who, self.transaction = self.transaction, None
        for reply in self.server.dot(self, who) or ('250 2.0.0 taken', ):
            if reply is not GONE and reply.startswith('250 2.0.0'):
                self.server.taken.update(who)
            self.say(reply)


class Server:
    """The hooks give a reply, None for the usual one."""

    def __init__(self, extensions=PIPE, greeting='ESMTP', **hooks):
        self.greeting = greeting
        self.extensions, self.taken, self.commands = extensions, collections.Counter(), \
            collections.Counter()
        self.hooks, self.sessions = hooks, []
        self.listener = harness.Listener(self.serve)
        self.port = self.listener.port

    def serve(self, sock):
        c = Connection(self, sock)
        self.sessions.append(c)
        with sock:
            try:
                c.run()
            except (EOFError, OSError):
                pass

    def hook(self, name, *args):
        return self.hooks[name](*args) if name in self.hooks else None

    def mail(self, c, line):
        return self.hook('mail', c, line)

    def rcpt(self, c, line):
        return self.hook('rcpt', c, line)

    def rset(self, c):
        return self.hook('rset', c)

    def dot(self, c, who):
        return self.hook('dot', c, who)


def fill(server, n, keys='', max_connections=1):
    """A queue of n messages to r0@... and on."""
    h = Home(server.port, 'queue = always\nmax_connections = %d\n%s' % (max_connections, keys))
    for i in range(n):
        assert h.run('-i', 'r%d@example.com' % i) == 0, h.err
    return h


def everybody(n, *without):
    return {'r%d@example.com' % i: 1 for i in range(n) if i not in without}


def run(h, server, what='run'):
    end_pauses(h)
    h.check(what, h.run('-q') == 0)


def waiting(h):
    return sorted(values(x, 'rcpt')[0] for x in h.entries())


def remembered(h):
    for path in glob.glob(os.path.join(h.folder, 'state/msubmit/servers')):
        with open(path) as f:
            return 'DOT ' in f.read()
    return False


@tests.named('one wait a message from the third on')
def one_wait():
    s = Server()
    h = fill(s, 20)
    run(h, s)
    h.check('all: %s' % s.taken, s.taken == everybody(20))
    h.check('one connection', len(s.sessions) == 1)
    # EHLO, a group, then each content with the next group or, the first and the last, with RSET
    h.check('flights: %d' % len(s.sessions[0].flights), len(s.sessions[0].flights) == 1 + 1 + 1 + 20 + 1)
    h.check('RSET: %d' % s.commands['RSET'], s.commands['RSET'] == 2)
    h.check('nothing is remembered', not remembered(h) and not h.entries())
    return h.failures


@tests.named('the same in chunks, once BDAT was answered once')
def one_wait_chunks():
    s = Server(CHUNKS)
    h = fill(s, 20, 'chunking = on')
    run(h, s)
    h.check('all: %s' % s.taken, s.taken == everybody(20))
    h.check('one connection', len(s.sessions) == 1)
    h.check('flights: %d' % len(s.sessions[0].flights), len(s.sessions[0].flights) <= 20 + 6)
    return h.failures


@tests.named("Dovecot's submission service, by greeting or BURL: nothing behind a dot")
def dovecot():
    failures = []
    for words, greeting in ((PIPE, 'Dovecot (Debian) ready.'), (PIPE + ('BURL imap', ), 'ESMTP')):
        def dot(c, who):
            return ('554 5.5.0 you are early', ) if c.behind() else None
        s = Server(words, greeting, dot=dot)
        h = fill(s, 5)
        run(h, s)
        h.check('all: %s' % s.taken, s.taken == everybody(5))
        h.check('one connection', len(s.sessions) == 1 and not s.commands['RSET'])
        failures += h.failures
    return failures


@tests.named('without PIPELINING one connection, and nothing behind a dot')
def plain():
    def dot(c, who):
        return ('554 5.5.0 you are early', ) if c.behind() else None
    s = Server(('SIZE', ), dot=dot)
    h = fill(s, 5)
    run(h, s)
    h.check('all: %s' % s.taken, s.taken == everybody(5))
    h.check('one connection', len(s.sessions) == 1 and not s.commands['RSET'])
    return h.failures


@tests.named('a server that throws away what stands behind a dot (Courier)')
def thrown_away():
    def dot(c, who):
        c.behind()
        c.buffer = b''
    s = Server(dot=dot)
    h = fill(s, 6)
    start = time.monotonic()
    run(h, s)
    h.check('all: %s' % s.taken, s.taken == everybody(6))
    h.check('once, and not for long', time.monotonic() - start < 10 * harness.SCALE)
    h.check('it is remembered', remembered(h))
    h.check('two connections: %d' % len(s.sessions), len(s.sessions) == 2)
    h.check('one RSET: %d' % s.commands['RSET'], not s.commands['RSET'] and not h.entries())
    return h.failures


@tests.named('a server that refuses what stands behind a dot (Haraka)')
def refused_behind():
    def rset(c):
        return '503 5.5.1 not now'
    s = Server(rset=rset)
    h = fill(s, 6)
    run(h, s)
    h.check('all: %s' % s.taken, s.taken == everybody(6))
    h.check('it is remembered', remembered(h))
    h.check('connections: %d' % len(s.sessions), len(s.sessions) == 2 and not h.entries())
    h.check('one RSET', s.commands['RSET'] == 1)
    return h.failures


@tests.named('a server that refuses the message for what stands behind it')
def message_refused():
    def dot(c, who):
        return ('554 5.5.0 you are early', ) if c.behind() else None
    s = Server(dot=dot)
    h = fill(s, 5)
    run(h, s)
    h.check('all: %s' % s.taken, s.taken == everybody(5))
    h.check('it is remembered', remembered(h))
    h.check('none is left', not h.entries() and not h.entries('failed'))
    return h.failures


@tests.named('a message that is refused with and without: once more, and no second time')
def really_refused():
    def dot(c, who):
        return ('554 5.6.0 spam', ) if 'sender@example.org' not in who else None
    s = Server(dot=dot)
    h = fill(s, 3)
    run(h, s)
    h.check('nobody but the sender: %s' % s.taken, set(s.taken) <= {'sender@example.org'})
    h.check('the first one twice: %d' % s.commands['DATA'],
            s.commands['DATA'] == 4 + sum(s.taken.values()))
    h.check('not remembered', not remembered(h))
    return h.failures


@tests.named('a server that hangs up at what stands behind a dot (OpenSMTPD)')
def hung_up():
    def dot(c, who):
        return (GONE, ) if c.behind() else None
    s = Server(dot=dot)
    h = fill(s, 6)
    run(h, s)
    h.check('it is remembered', remembered(h))
    run(h, s)
    h.check('the others: %s' % s.taken, len(s.taken) == 5 and set(s.taken.values()) == {1})
    h.check('one waits', len(h.entries()) == 1)
    return h.failures


@tests.named('the connection breaks with a dot unanswered and the next envelope behind it')
def broken():
    def dot(c, who):
        return (GONE, ) if c.server.sessions[0] is c and c.count == 4 else None
    s = Server(dot=dot)
    h = fill(s, 8)
    run(h, s)
    run(h, s)                   # the first one ends where the way to the server was at fault
    left = waiting(h)
    h.check('one waits: %s' % left, len(left) == 1)
    h.check('the others, once: %s' % s.taken,
            s.taken == everybody(8, *(int(x.split('@')[0].split('r')[-1]) for x in left)))
    h.check('it is remembered', remembered(h))
    return h.failures


def twice(number, second):
    def dot(c, who):
        first = c is c.server.sessions[0]
        return ('250 2.0.0 taken', second) if first and c.count == number else None
    return dot


@tests.named('a message answered twice, yes and no: nobody knows, and the next one gets its own')
def answered_twice():
    for number in (1, 2, 3, 5):
        s = Server(dot=twice(number, '554 5.7.1 refused'))
        h = fill(s, 6)
        run(h, s, 'run %d' % number)
        run(h, s)
        left = waiting(h)
        h.check('one is in doubt (%d): %s' % (number, left), len(left) == 1)
        h.check('each once (%d): %s' % (number, s.taken), s.taken == everybody(6))
        h.check('nobody is told of a failure (%d)' % number, not h.entries('failed'))
        if h.failures:
            break
    return h.failures


@tests.named('without PIPELINING, the second answer late: it is not that to the next message')
def late():
    def dot(c, who):
        if c is not c.server.sessions[0] or c.count != 2:
            return None
        c.say('250 2.0.0 taken')
        c.server.taken.update(who)
        c.sock.sendall(''.join(c.out).encode())
        c.out = []
        time.sleep(0.1)
        return ('554 5.7.1 refused', )
    s = Server(('SIZE', ), dot=dot)
    h = fill(s, 5)
    run(h, s)
    h.check('each once: %s' % s.taken, s.taken == everybody(5))
    h.check('nobody is told of a failure: %s' % waiting(h), not h.entries())
    return h.failures


@tests.named('the same in chunks, and with two yeses')
def chunks_twice():
    for second in ('554 5.7.1 refused', '250 ok'):
        s = Server(CHUNKS, dot=lambda c, who: ('250 last chunk', second))
        h = fill(s, 3, 'chunking = on')
        for _ in range(3):
            run(h, s)
        h.check('all in doubt: %s' % h.entries(), len(h.entries()) == 3)
    s = Server(CHUNKS, dot=twice(3, '554 5.7.1 refused'))
    h = fill(s, 6, 'chunking = on')
    run(h, s)
    run(h, s)
    h.check('one is in doubt: %s' % waiting(h), len(h.entries()) == 1)
    h.check('each once: %s' % s.taken, s.taken == everybody(6))
    return h.failures


@tests.named('a message or recipient that is refused amid others')
def refused_amid():
    def mail(c, line):
        return '550 5.7.1 not you' if c.mails == 4 else None

    def rcpt(c, line):
        return '550 5.1.1 no such user' if c.mails == 6 else None

    def dot(c, who):
        return ('554 5.6.0 no', ) if c.mails == 8 else None
    s = Server(mail=mail, rcpt=rcpt, dot=dot)
    h = fill(s, 12)
    run(h, s)
    h.check('nine, once: %s' % s.taken, len(s.taken) == 9 and set(s.taken.values()) == {1})
    h.check('one connection: %d' % len(s.sessions), len(s.sessions) == 1)
    h.check('three are refused: %s' % waiting(h), waiting(h) == ['sender@example.org'] * 3)
    return h.failures


@tests.named('421 or the end of the connection before MAIL is answered: on a new one, as no failure')
def gone_before():
    for reply in ('421 4.3.2 restarting', GONE):
        s = Server(mail=lambda c, line, r=reply: r if c.mails == 4 and c is c.server.sessions[0]
                   else None)
        h = fill(s, 8)
        run(h, s)
        h.check('all: %s' % s.taken, s.taken == everybody(8))
        h.check('none was a failure', not h.entries() and
                {x['exitcode'] for x in h.log() if x['status'] != 'queued'} == {'EX_OK'})
        h.check('two connections: %d' % len(s.sessions), len(s.sessions) == 2)
    return h.failures


@tests.named('messages_per_connection, LIMITS MAILMAX')
def limits():
    s = Server()
    h = fill(s, 10, 'messages_per_connection = 4')
    run(h, s)
    h.check('all: %s' % s.taken, s.taken == everybody(10))
    h.check('4, 4, 2: %s' % [c.mails for c in s.sessions], [c.mails for c in s.sessions] == [4, 4, 2])
    s = Server(PIPE + ('LIMITS MAILMAX=3', ))
    h = fill(s, 8)
    run(h, s)
    h.check('all: %s' % s.taken, s.taken == everybody(8))
    h.check('3, 3, 2: %s' % [c.mails for c in s.sessions], [c.mails for c in s.sessions] == [3, 3, 2])
    return h.failures


@tests.named('another account has a connection of its own')
def accounts():
    a, b = Server(), Server()
    h = fill(a, 3)
    with open(os.path.join(h.folder, '.msmtprc'), 'a') as f:
        f.write('[account other]\nhost = 127.0.0.1\nport = %d\ntls = off\n'
                'from = sender@example.org\nqueue = always\nmax_connections = 1\n' % b.port)
    for i in range(3):
        h.check('enqueue', h.run('-i', '-a', 'other', 'o%d@example.com' % i) == 0)
    run(h, a)
    h.check('first: %s' % a.taken, a.taken == everybody(3))
    h.check('second: %s' % b.taken, sorted(b.taken) == ['o%d@example.com' % i for i in range(3)])
    h.check('none is left', not h.entries())
    return h.failures


class Crowd(Server):
    """Notes how many clients there are at once, and answers a content after a while."""

    def __init__(self, **hooks):
        self.now = self.most = 0
        self.lock = threading.Lock()
        super().__init__(**hooks)

    def serve(self, sock):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        super().serve(sock)
        with self.lock:
            self.now -= 1


@tests.named('max_connections at once, the first message alone')
def at_once():
    alone = []

    def dot(c, who):
        if not alone:
            time.sleep(0.3)
            alone.append(c.server.now)
        time.sleep(0.01)
    s = Crowd(dot=dot)
    h = fill(s, 40, max_connections=3)
    run(h, s)
    h.check('all: %s' % s.taken, s.taken == everybody(40))
    h.check('three at once: %d' % s.most, s.most == 3)
    h.check('the first alone: %s' % alone, alone == [1])
    h.check('connections: %d' % len(s.sessions), len(s.sessions) <= 4)
    h.check('none is left', not h.entries())
    h.check('log', len([x for x in h.log() if x['status'] == 'accepted']) == 40)
    return h.failures


@tests.named('a way that is no good is tried once, and the other account goes on')
def one_probe():
    s = Crowd()
    bad = Server(mail=lambda c, line: '421 4.3.2 not now')
    h = fill(s, 20, max_connections=3)
    with open(os.path.join(h.folder, '.msmtprc'), 'a') as f:
        f.write('[account bad]\nhost = 127.0.0.1\nport = %d\ntls = off\n'
                'from = sender@example.org\nqueue = always\n' % bad.port)
    for i in range(20):
        h.check('enqueue', h.run('-i', '-a', 'bad', 'o%d@example.com' % i) == 0)
    run(h, s)
    h.check('the good one: %s' % s.taken, s.taken == everybody(20))
    h.check('one try: %d' % len(bad.sessions), len(bad.sessions) == 1)
    h.check('the others wait', len(h.entries()) == 20)
    return h.failures


@tests.named('two runs at once, and a worker that is killed: nothing twice, nothing lost')
def killed():
    s = Crowd(dot=lambda c, who: time.sleep(0.02))
    h = fill(s, 60, max_connections=2)
    runs = [subprocess.Popen([PROGRAM, '-q'], env=h.env, cwd=h.folder) for _ in range(2)]
    while not sum(s.taken.values()) > 10:
        time.sleep(0.01)
    out = subprocess.run(['ps', '-o', 'pid=', '--ppid', str(runs[0].pid)], capture_output=True,
                         check=False)
    workers = [int(x) for x in out.stdout.split()]
    if workers:
        os.kill(workers[0], signal.SIGKILL)
    h.check('both end', [r.wait(60 * harness.SCALE) for r in runs] == [0, 0])
    h.check('it had workers', workers)
    run(h, s)
    left = waiting(h)
    # what the killed one had at the server, or with its envelope out, waits its ten minutes
    h.check('one waits: %s' % left, len(left) <= 1)
    h.check('each once: %s' % s.taken, set(s.taken.values()) == {1} and
            set(s.taken) | set(left) == set(everybody(60)))
    return h.failures


@tests.named('SIGTERM ends the run and its workers; the rest waits')
def ended():
    s = Crowd(dot=lambda c, who: time.sleep(0.05))
    h = fill(s, 40, max_connections=2)
    r = subprocess.Popen([PROGRAM, '-q'], env=h.env, cwd=h.folder)
    while not sum(s.taken.values()) > 4:
        time.sleep(0.01)
    r.send_signal(signal.SIGTERM)
    r.wait(20 * harness.SCALE)
    time.sleep(0.3)
    taken = sum(s.taken.values())
    h.check('no worker is left: %d' % s.now, s.now == 0)
    h.check('not all', taken < 40 and set(s.taken.values()) == {1})
    h.check('nothing is lost', set(waiting(h)) | set(s.taken) == set(everybody(40)))
    return h.failures


if __name__ == '__main__':
    harness.run_tap(tests)
