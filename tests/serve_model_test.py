#!/usr/bin/env python3
"""Random commands in random order against a model of a session: each reply, and what is stored, or
what the next server has got.

MSUBMIT names the program; MODEL_SEED and MODEL_SESSIONS choose others. Prints TAP."""
import glob
import os
import random
import socket
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from deliver_test import Next
from harness import Folder, binary, environment, run_tap

PROGRAM = binary()
SEED = int(os.environ.get('MODEL_SEED', '12'))
SESSIONS = int(os.environ.get('MODEL_SESSIONS', '150'))
PARTS = 6


class Model:
    """What a session must answer: the code of each reply, and how many messages are taken."""

    def __init__(self, lmtp):
        self.lmtp = lmtp
        self.state = 'start'
        self.rcpt = 0
        self.refused = False
        self.stored = 0
        self.binary = False

    def reset(self):
        if self.state != 'start':
            self.state = 'ready'
        self.rcpt, self.refused, self.binary = 0, False, False
        return [250]

    def greet(self, verb):
        if (verb == 'LHLO') != self.lmtp:
            return [500]
        self.state = 'ready'
        return self.reset()

    def mail(self, good):
        if self.state != 'ready':
            return [503]
        if not good:
            return [501]
        self.state = 'mail'
        return [250]

    def take_rcpt(self, good):
        if self.state not in ('mail', 'rcpt'):
            return [503]
        if not good:
            self.refused = True
            return [501]
        self.state = 'rcpt'
        self.rcpt += 1
        return [250]

    def done(self):
        n = self.rcpt if self.lmtp else 1
        self.stored += 1
        self.reset()
        return [250] * n

    def nobody(self):
        return 503 if self.lmtp or not self.refused else 554

    def data(self):
        """None: 354, the message follows."""
        if self.state == 'mail':
            return [self.nobody()]
        return None if self.state == 'rcpt' else [503]

    def bdat(self, last):
        state = self.state
        if state in ('rcpt', 'bdat'):
            self.state = 'bdat'
            return self.done() if last else [250]
        if state == 'mail':
            code = [] if self.lmtp and last else [self.nobody()]
        else:
            code = [503]
        if last:
            self.reset()
        elif state in ('mail', 'failed'):
            self.state = 'failed'
        return code


def one_step(r, m):
    """Octets of a command with all that belongs to it, and the replies to it."""
    kind = r.randrange(14)
    if kind == 0:
        verb = r.choice(('EHLO', 'HELO', 'LHLO', 'ehlo'))
        return verb + ' me\r\n', m.greet(verb.upper())
    if kind in (1, 2):
        good = r.random() < 0.8
        return 'MAIL FROM:<%s>\r\n' % ('a@x.example' if good else 'a@'), m.mail(good)
    if kind in (3, 4, 5):
        good = r.random() < 0.7
        return 'RCPT TO:<%s>\r\n' % (r.choice('bcd') + '@y.example' if good else ''), m.take_rcpt(good)
    if kind in (6, 7):
        refused = m.data()
        if refused:
            return 'DATA\r\n', refused
        text = r.choice(('', 'Subject: x\r\n\r\nbody\r\n', '..\r\n', 'MAIL FROM:<z@x.example>\r\nQUIT\r\n', '.\rx\r\n'))
        return 'DATA\r\n' + text + '.\r\n', [354] + m.done()
    if kind in (8, 9, 10):
        text = r.choice(('', 'x', 'QUIT\r\n', '.\r\n', 'RSET\r\nDATA\r\n', '\r\n.\r\n', '\n' * 9))
        last = r.random() < 0.3
        return 'BDAT %d%s\r\n%s' % (len(text), ' LAST' if last else '', text), m.bdat(last)
    if kind == 11:
        return 'RSET\r\n', m.reset()
    text, code = r.choice((('NOOP\r\n', 250), ('VRFY x\r\n', 252), ('EXPN x\r\n', 502), ('HELP\r\n', 214),
                           ('RSET x\r\n', 501), ('BURL x\r\n', 500), ('TURN\r\n', 502)))
    return text, [code]


def count_stored(box):
    return len(glob.glob(box + '/new/*'))


def one_session(r, folder, number, peer):
    lmtp, through = r.random() < 0.3, r.random() < 0.5
    m = Model(lmtp)
    text, codes, errors = '', [220], 0
    for _ in range(r.randrange(1, 60)):
        more, replies = one_step(r, m)
        text += more
        codes += replies
        errors += sum(code >= 500 for code in replies)
        if errors >= 19:
            break
    box = os.path.join(folder, 'box%d' % number)
    rc = os.path.join(folder, 'rc')
    with open(rc, 'w', encoding='ascii') as f:
        f.write('[listen x]\nprotocol = %s\nlisten = unix:%s/sock\ndeliver = %s\nhelo_required = on\n'
                % ('lmtp' if lmtp else 'smtp', folder, 'account' if through else 'maildir:' + box))
        f.write('[account default]\nhost = 127.0.0.1\nport = %d\ntls = off\nauth = off\naliases =\nsyslog = off\n'
                'from = *@x.example\ndomain = client.example\n' % peer.port)
    before = len(peer.messages)
    os.chmod(rc, 0o600)
    replies = talk(folder, rc, (text + 'QUIT\r\n').encode('ascii'))
    got = [int(line[:3]) for line in replies.split('\r\n') if line[3:4] == ' ']
    assert got == codes + [221], (text, got, codes)
    stored = len(peer.messages) - before if through else count_stored(box)
    assert stored == m.stored, (text, stored, m.stored)


def talk(folder, rc, data):
    """One client of 'msubmit -bd --once' whose standard input is the connection."""
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            process = subprocess.Popen([PROGRAM, '-C', rc, '-bd', '--once'], stdin=theirs, stdout=theirs,
                                       env=environment(folder), cwd=folder)
        ours.settimeout(20)
        ours.sendall(data)
        text = b''
        while True:
            more = ours.recv(65536)
            if not more:
                break
            text += more
    assert process.wait(20) == 0
    return text.decode('ascii')


def part(number):
    def run():
        r = random.Random(SEED * 1000 + number)
        with Folder() as folder, Next() as peer:
            for i in range(SESSIONS // PARTS):
                one_session(r, folder, i, peer)
        return []
    return run


TESTS = [('%d random sessions, part %d' % (SESSIONS // PARTS, n + 1), part(n)) for n in range(PARTS)]

if __name__ == '__main__':
    sys.exit(run_tap(TESTS))
