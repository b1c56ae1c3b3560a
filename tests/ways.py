"""Servers and runs for the tests of ways to the server (ways_*test.py).

A server is scripted and listens on any loopback address; no network, no fixed ports, no root."""
import ctypes
import multiprocessing
import os
import socket
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402
from dialogue import parse_dialogue                                     # noqa: E402
from peer import Peer                                                   # noqa: E402

PROGRAM = harness.binary()
LIMIT = 30 * harness.SCALE
MESSAGE = b'Subject: x\n\nbody\n'
TO = 'c@example.net'
ACCEPT = '''
S: 220 peer
C: EHLO *
S: 250-peer / 250 PIPELINING
C: MAIL FROM:<*>
C: RCPT TO:<*>
C: DATA
S: 250 2.1.0 ok
S: 250 2.1.5 ok
S: 354 go
C: <message>
S: 250 2.0.0 taken
'''
BUSY = 'S: 421 4.3.2 busy'
HOSTLESS = ('--tls=off', '--domain=client.example.org', '--from=sender@example.org')


class Server(Peer):
    """A scripted server on any loopback address, also on the port of another one."""

    def __init__(self, text, address='127.0.0.1', port=0, **more):
        super().__init__(parse_dialogue(text.strip().split('\n')) if text else [], **more)
        self.listener.close()
        family = socket.AF_INET6 if ':' in address else socket.AF_INET
        self.listener = socket.socket(family)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((address, port))
        self.listener.listen(8)
        self.port = self.listener.getsockname()[1]
        self.source = None
        self.start()

    def play(self, sock):
        self.source = sock.getpeername()
        super().play(sock)


class Deaf:
    """Listens with a backlog that is full: connections to it hang."""

    def __init__(self, address='127.0.0.1', port=0):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((address, port))
        self.socket.listen(0)
        self.port = self.socket.getsockname()[1]
        self.full = []
        for _ in range(8):
            s = socket.socket()
            s.setblocking(False)
            self.full.append(s)
            if s.connect_ex((address, self.port)) not in (0, 115):
                break

    def stop(self):
        for s in self.full + [self.socket]:
            s.close()
        return []


def shared_port():
    """For a server on 127.0.0.1 and another on 127.0.0.2."""
    return harness.free_port('127.0.0.1', '127.0.0.2')


def name_host(name):
    """In a child: the machine is called so, for it alone. False where that is not allowed."""
    libc = ctypes.CDLL(None)
    new_uts, new_user = 0x04000000, 0x10000000
    if libc.unshare(new_uts) != 0 and libc.unshare(new_uts | new_user) != 0:
        return False
    return libc.sethostname(name.encode(), len(name)) == 0


def can_name_host():
    child = multiprocessing.get_context('fork').Process(target=lambda: os._exit(not name_host('a.example')))
    child.start()
    child.join()
    return child.exitcode == 0


class Run:
    """One run of the program, and what has come of it."""

    def __init__(self, args, servers=(), env=None, data=MESSAGE, base=HOSTLESS, to=(TO,), host_name=None):
        self.failures = []
        with harness.Folder() as folder:
            words = list(base) + [str(a) for a in args] + list(to)
            started = time.monotonic()
            child = subprocess.Popen(
                ['msubmit'] + words, executable=PROGRAM, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, env=dict(harness.environment(folder), **(env or {})), cwd=folder,
                preexec_fn=(lambda: name_host(host_name)) if host_name else None)
            try:
                out, err = child.communicate(data, timeout=LIMIT)
            except subprocess.TimeoutExpired:
                child.kill()
                out, err = child.communicate()
                self.failures.append('not finished after %g s' % LIMIT)
            self.seconds = time.monotonic() - started
            self.status, self.err = child.returncode, err.decode('utf-8', 'surrogateescape')
            if out:
                self.failures.append('stdout: %r' % out)
        for server in servers:
            self.failures += server.stop()
        words = harness.sanitizer_words(self.err)
        if words:
            self.failures.append(words)

    def check(self, status, *texts, absent=()):
        if self.status != status:
            self.failures.append('exit %s, expected %s' % (self.status, status))
        for text in texts:
            if text not in self.err:
                self.failures.append('not on stderr: ' + text)
        for text in absent:
            if text in self.err:
                self.failures.append('on stderr: ' + text)
        if self.failures:
            self.failures.append('stderr: ' + self.err)
        return self.failures


TESTS = harness.Tests()
test = TESTS.named
