#!/usr/bin/env python3
"""How fast the queue is tried: accounts that are paused, and their rate; TAP."""
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402
from dnsserver import Resolver                                          # noqa: E402
from queue_test import PROGRAM, Home, closed_port, due, end_pauses, parts  # noqa: E402
from servers.common import Sink                                         # noqa: E402

tests = harness.Tests()


class Refusing(Sink):
    """A server that has no time, after a while."""
    wait = 0

    def talk(self, lines, say):
        time.sleep(self.wait)
        say('554 5.3.2 go away')


def fill(port, n, keys='queue = always'):
    h = Home(port, keys)
    for i in range(n):
        assert h.run('-i', 'r%d@example.com' % i) == 0, h.err
    return h


def make_entries_due(h):
    """... by their files, which keep the mark of their account; pauses stay."""
    for path in h.entries():
        ns = os.stat(path).st_mtime_ns
        due_ns = (int(time.time()) - 5) * 1000000000 + ns % 1000000
        os.utime(path, ns=(due_ns, due_ns))


def pauses(h):
    found = {}
    for path in h.entries('paused'):
        with open(path) as f:
            found.update(re.findall('(?m)^(next|failures|last) (.*)$', f.read()))
    return {k: int(v) for k, v in found.items()}


@tests.named('a paused account is not tried before its time, but when somebody asks for it')
def not_before():
    for n in 3, 12:             # by one process, and by several
        sink = Refusing()
        h = fill(sink.port, n)
        h.check('run', h.run('-q') == 0 and sink.connections == 1)
        fresh = h.run('-i', 'new@example.com')
        h.check('again: %d' % sink.connections, fresh == 0 and h.run('-q') == 0 and sink.connections == 1)
        h.check('status', h.run('--status') == 1 and 'is paused' in h.out and pauses(h)['failures'] == 1)
        end_pauses(h)
        h.check('its time: %d' % sink.connections, h.run('-q') == 0 and sink.connections == 2 and
                pauses(h)['failures'] == 2)
        h.check('-qf: %d' % sink.connections, h.run('-qf') == 0 and sink.connections == 3)
        one = os.path.basename(h.entries()[0])
        h.check('-qI: %d' % sink.connections, h.run('-qI' + os.path.basename(sorted(
            h.entries(), key=os.path.getmtime)[0])) == 0 and sink.connections == 4)
        h.check('--queue-retry', h.run('--queue-retry=' + one) != 0 and sink.connections == 5)
        h.check('all are there', len(h.entries()) == n + 1)
        sink.close()
    return h.failures


@tests.named('when the time has come one entry is the probe, and then the others go')
def probe():
    sink = Sink()
    h = fill(closed_port(), 12)
    h.run('-q')
    h.write(sink.port, 'queue = always')
    h.check('not yet', h.run('-q') == 0 and not sink.mails)
    due(h)
    h.check('all of them: %d' % len(sink.mails), h.run('-q') == 0 and len(sink.mails) == 12)
    h.check('no pause, no entry', not h.entries('paused') and not h.entries())
    sink.close()
    return h.failures


@tests.named('of several runs at once one probes')
def one_probe():
    sink = Refusing()
    h = fill(sink.port, 10)
    h.run('-q')
    due(h)
    sink.wait = 1.5
    before = sink.connections
    first = subprocess.Popen([PROGRAM, '-q'], env=h.env, stderr=subprocess.DEVNULL)
    give_up = time.monotonic() + 20 * harness.SCALE
    while sink.connections == before and time.monotonic() < give_up:
        time.sleep(0.01)
    runs = [threading.Thread(target=lambda: subprocess.run([PROGRAM, '-q'], env=h.env, check=False,
                                                           stderr=subprocess.DEVNULL)) for _ in range(3)]
    for t in runs:
        t.start()
    for t in runs:
        t.join()
    h.check('others came while it was under way', first.poll() is None)
    first.wait()
    h.check('one probe: %d' % (sink.connections - before), sink.connections - before == 1)
    h.check('two failures: %r' % pauses(h), pauses(h)['failures'] == 2)
    sink.close()
    return h.failures


@tests.named('what has run out of time is given up, though its account waits')
def given_up():
    for n in 3, 12:             # by one process, and by several
        sink = Refusing()
        h = fill(sink.port, n, 'queue = always\nqueue_lifetime = 2s')
        first = h.entries()
        h.check('run', h.run('-q') == 0 and sink.connections == 1 and h.entries() == first)
        time.sleep(2)
        make_entries_due(h)
        h.check('young', h.run('-i', 'young@example.com') == 0)
        h.check('again: %d' % sink.connections, h.run('-q') == 0 and sink.connections == 1)
        left = {p: parts(p)[0] for p in h.entries()}
        old = [text for p, text in left.items() if p in first]      # the one that was tried: later
        h.check('gone: %d' % len(old), len(old) == 1 and 'attempts 1' in old[0])
        h.check('not the young one', sum('rcpt young@' in text for text in left.values()) == 1)
        told = sum('rcpt sender@example.org' in text for text in left.values())
        h.check('told: %d' % told, told == n - 1)
        with open(os.path.join(h.folder, 'log')) as f:
            log = f.read()
        h.check('log', log.count('not delivered in 2 seconds: ') == n - 1 and 'go away' in log)
        sink.close()
    return h.failures


@tests.named('a pause of a clock that was wrong does not hold')
def wrong_clock():
    sink = Sink()
    h = fill(closed_port(), 1)
    h.run('-q')
    h.write(sink.port)
    due(h, 0)
    path, = h.entries('paused')
    with open(path) as f:
        text = f.read()
    later = int(time.time() * 1000) + 10 ** 9
    with open(path, 'w') as f:
        f.write(re.sub('(?m)^(last|next) .*', r'\1 %d' % later, text))
    h.check('it goes', h.run('-q') == 0 and len(sink.mails) == 1 and not h.entries('paused'))
    sink.close()
    return h.failures


@tests.named('a message that is sent at once ends the pause')
def sent_directly():
    sink = Sink()
    h = fill(closed_port(), 2)      # one is tried, the other is due still
    h.run('-q')
    h.write(sink.port, 'queue = auto')
    h.check('it waits', h.run('-q') == 0 and not sink.mails and h.entries('paused'))
    h.check('another', h.run('b@example.com') == 0 and len(sink.mails) == 1)
    h.check('no pause', not h.entries('paused'))
    h.check('it goes', h.run('-q') == 0 and len(sink.mails) == 2)
    sink.close()
    return h.failures


def opened(h):
    """The number of entries that a run opens."""
    trace = os.path.join(h.folder, 'trace')
    # who looks for leaks cannot be traced
    end = subprocess.run(['strace', '-f', '-e', 'trace=openat', '-o', trace, PROGRAM, '-q'],
                         env=dict(h.env, ASAN_OPTIONS='detect_leaks=0'),
                         capture_output=True, check=False)
    h.check('traced', end.returncode == 0)
    with open(trace) as f:
        return len(re.findall(r'"[0-9A-F]{16}", O_RDWR', f.read()))


@tests.named('entries of an account that waits are not opened')
def cheap():
    h = fill(closed_port(), 30)
    h.run('-q')
    make_entries_due(h)
    if shutil.which('strace'):
        n = opened(h)
        h.check('opened: %d' % n, n <= 2)
    # those of another account are found among them
    with open(os.path.join(h.folder, '.msmtprc')) as f:
        text = f.read()
    sink = Sink()
    with open(os.path.join(h.folder, '.msmtprc'), 'w') as f:
        f.write(text + text.replace('default', 'other').replace(
            re.search(r'port = (\d+)', text).group(1), str(sink.port)))
    for i in range(10):
        h.check('other', h.run('-a', 'other', 'o%d@example.com' % i) == 0)
    h.check('they go: %d' % len(sink.mails), h.run('-q') == 0 and len(sink.mails) == 10)
    h.check('the others wait', len(h.entries()) == 30)
    sink.close()
    return h.failures


@tests.named('rate: evenly, over all runs; what is over it stays due and was not tried')
def rate():
    for n in 5, 14:             # by one process, and by several
        sink = Sink()
        h = fill(sink.port, n, 'queue = always\nrate = 10/10s\nmax_connections = 3')
        began = time.monotonic()
        h.check('run', h.run('-q') == 0)
        took = time.monotonic() - began
        h.check('all: %d' % len(sink.mails), len(sink.mails) == n and not h.entries())
        h.check('at its pace: %.2f' % took, n - 1.2 <= took)
        sink.close()
    sink = Sink()
    h = fill(sink.port, 9, 'queue = always\nrate = 20/1h\n')     # two at once, the third in 3 minutes
    runs = [subprocess.Popen([PROGRAM, '-q'], env=h.env) for _ in range(3)]
    h.check('runs', [r.wait() for r in runs] == [0, 0, 0])
    h.check('two in all: %d' % len(sink.mails), len(sink.mails) == 2 and len(h.entries()) == 7)
    h.check('they are due', all(os.stat(p).st_mtime <= time.time() for p in h.entries()))
    h.check('not tried', all('attempts' not in parts(p)[0] for p in h.entries()))
    h.check('no pause', not h.entries('paused') and h.run('--status') == 0)
    path, = h.entries('rate')
    os.utime(path, (1, 1))
    h.check('another day: %d' % len(sink.mails), h.run('-q') == 0 and len(sink.mails) == 4)
    h.write(sink.port)
    h.check('without: %d' % len(sink.mails), h.run('-q') == 0 and len(sink.mails) == 9)
    h.write(sink.port, 'rate = 10')
    h.check('no rate', h.run('a@example.com') == 78 and "'rate'" in h.err)
    sink.close()
    return h.failures


class Silent:
    """Takes connections, and says nothing."""

    def __init__(self, address=('127.0.0.1', 0)):
        self.taken = []
        self.socket = socket.create_server(address)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.take, daemon=True).start()

    def take(self):
        try:
            while True:
                self.taken.append(self.socket.accept()[0])
        except OSError:
            pass

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


ALONE = 'queue = always\nmax_connections = 1\nmessages_per_connection = 1\ngreeting_timeout = 1\n'


@tests.named('a server that is silent is waited for once, where there is another')
def silent_first():
    silent, sink = Silent(), Sink()
    h = fill(sink.port, 4, ALONE + 'host = 127.0.0.1:%d, 127.0.0.1:%d' % (silent.port, sink.port))
    h.check('run', h.run('-q') == 0)
    h.check('all: %d' % len(sink.mails), len(sink.mails) == 4 and not h.entries())
    h.check('asked: %d' % len(silent.taken), len(silent.taken) == 1)
    for server in silent, sink:
        server.close()
    return h.failures


@tests.named('a server that is silent and alone is asked each time')
def silent_alone():
    silent = Silent()
    h = fill(silent.port, 1, ALONE)
    for n in 1, 2:
        h.check('run', h.run('-qf') == 0)
        h.check('asked: %d of %d' % (len(silent.taken), n), len(silent.taken) == n)
    silent.close()
    return h.failures


@tests.named('mx = on: of a domain with a silent server one message waits, and the others go')
def silent_domain():
    sink = Sink()
    silent = Silent(('127.0.0.2', sink.port))
    zone = {('example.com', 'MX'): [(1, 'slow.example.com')], ('slow.example.com', 'A'): ['127.0.0.2'],
            ('example.net', 'MX'): [(1, 'mx.example.net')], ('mx.example.net', 'A'): ['127.0.0.1']}
    with Resolver(zone) as dns:
        h = fill(sink.port, 3, ALONE + 'mx = on\nhost =\nresolver = %s' % dns.address)
        for i in range(3):
            h.check('kept', h.run('s%d@example.net' % i) == 0)
        h.check('run', h.run('-q') == 0)
    h.check('gone: %d' % len(sink.mails), len(sink.mails) == 3 and len(h.entries()) == 3)
    h.check('asked: %d' % len(silent.taken), len(silent.taken) == 1)
    said = [parts(p)[0] for p in h.entries()]
    h.check('each has its reason: %r' % said, all('greeting' in text for text in said) and
            sum('not asked again' in text for text in said) == 2)
    for server in silent, sink:
        server.close()
    return h.failures


def main():
    return harness.run_tap(tests)


if __name__ == '__main__':
    sys.exit(main())
