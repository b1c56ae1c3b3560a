#!/usr/bin/env python3
"""Crashes, disks that fail and power cuts while a message is put into the queue or sent; TAP.

The program runs with tests/queue/faults.c in front of libc. In turn it is killed before every
system call on the queue or a socket; every call on the queue fails with EIO, ENOSPC, EDQUOT,
EROFS; every write is cut short. Then the queue is run without faults, and must keep the promises:
a message that got exit 0 is with its recipients, whole; one that got another code never gets to
those who were not told to have it. Power cuts are played from the record of the calls: before each
of them the disk has what was synced alone, or all names but of contents what was synced alone.
"""
import atexit
import concurrent.futures
import copy
import errno
import glob
import itertools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402

PROGRAM = harness.binary()
FOLDER = tempfile.mkdtemp(prefix='msubmit-test-')
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
FAULTS = os.path.join(FOLDER, 'faults.so')
ERRORS = (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS)
BODY = b'first line\n..dots\nlast line\n'
numbers = itertools.count(1)


class Server:
    """Takes everything and counts it by recipient; later-... is deferred until it is let in."""

    def __init__(self):
        self.lock, self.got, self.open, self.broken = threading.Lock(), {}, set(), []
        self.listener = harness.Listener(self.serve)
        self.port = self.listener.port

    def serve(self, sock):
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with sock, sock.makefile('rb') as lines:
                self.talk(lines, lambda text: sock.sendall(text.encode() + b'\r\n'))
        except OSError:
            pass

    def talk(self, lines, say):
        rcpts = []
        say('220 ready')
        for line in iter(lines.readline, b''):
            verb = line[:4].upper()
            if verb == b'RCPT':
                rcpt = line[line.index(b'<') + 1:line.index(b'>')].decode()
                if rcpt.startswith('later-') and rcpt not in self.open:
                    say('451 4.2.1 later')
                elif rcpt.startswith('never-'):
                    say('550 5.1.1 unknown')
                else:
                    rcpts.append(rcpt)
                    say('250 2.1.5 ok')
            elif verb == b'DATA' and rcpts:
                say('354 go on')
                self.take(lines, rcpts)
                say('250 2.0.0 kept')
            elif verb == b'DATA':
                say('554 5.5.1 nobody')
            else:
                rcpts = [] if verb in (b'MAIL', b'RSET') else rcpts
                say('221 bye' if verb == b'QUIT' else
                    '250-here\r\n250 PIPELINING' if verb == b'EHLO' else '250 ok')

    def take(self, lines, rcpts):
        data = b''
        for line in iter(lines.readline, b''):
            if line == b'.\r\n':
                break
            data += line[1:] if line.startswith(b'.') else line
        else:
            raise OSError
        with self.lock:
            for rcpt in rcpts:
                self.got[rcpt] = self.got.get(rcpt, 0) + 1
            whole = data.endswith(b'\r\n\r\n' + BODY.replace(b'\n', b'\r\n')) and \
                b'Subject: whole\r\n' in data
            if rcpts[0].startswith('sender-'):      # a notification, with the message in it
                whole = b'\r\n\r\n' + BODY.replace(b'\n', b'\r\n') in data and \
                    b'Action: failed\r\n' in data and data.rstrip().endswith(b'--')
            if not whole:
                self.broken.append(data)

    def count(self, rcpt):
        return self.got.get(rcpt, 0)


server = Server()
down = harness.free_port()


class Home:
    """A user, his queue, and two recipients that nobody else has."""

    def __init__(self, other='other', named=False, entries=1):
        self.folder = tempfile.mkdtemp(dir=FOLDER)
        self.root = os.path.join(self.folder, 'state/msubmit')
        os.makedirs(self.root, 0o700)
        self.env = dict(harness.environment(self.folder),
                        XDG_STATE_HOME=os.path.join(self.folder, 'state'))
        if named:
            self.env['QF_NAMED'] = '1'
        number = next(numbers)
        self.now = 'first-%06d@example.com' % number
        self.late = '%s-%06d@example.com' % (other, number)
        self.sender = 'sender-%06d@example.com' % number
        self.rcpts = [self.now, self.late]
        for _ in range(entries - 1):
            number = next(numbers)
            self.rcpts += ['first-%06d@example.com' % number, 'other-%06d@example.com' % number]
        self.write(server.port)

    def write(self, port, keys=''):
        with open(os.path.join(self.folder, '.msmtprc'), 'w') as f:
            f.write('[account default]\nhost = 127.0.0.1\nport = %d\ntls = off\nsyslog = off\n'
                    'aliases =\ndomain = c.example.org\nfrom = %s\n%s\n' %
                    (port, self.sender, keys))
        os.chmod(f.name, 0o600)

    def run(self, args, at='F0', kind=None):
        # without faults it only spares the disk
        env = dict(self.env, LD_PRELOAD=FAULTS, QF_ROOT=self.root)
        if kind is not None:
            env.update(QF_AT=at, QF_KIND=kind, QF_LOG=os.path.join(self.folder, 'calls'))
        end = subprocess.run([PROGRAM] + args, input=b'Subject: whole\n\n' + BODY, env=env,
                             cwd=self.folder, capture_output=True, timeout=60 * harness.SCALE,
                             check=False)
        self.err = end.stderr.decode('utf-8', 'replace')
        return end.returncode

    def calls(self):
        with open(os.path.join(self.folder, 'calls')) as f:
            return [line.split(' ') for line in f.read().splitlines()]

    def files(self, where):
        return glob.glob(os.path.join(self.root, 'queue', where, '*'))

    def recover(self, runs=1):
        """Time has passed, the server takes everything, and the queue is run."""
        self.write(server.port)
        server.open.add(self.late)
        for _ in range(runs):
            for path in self.files('[0-9A-F][0-9A-F]'):
                os.utime(path, (time.time() - 1,) * 2)
            status = self.run(['-qf'])
        return status

    def addresses(self, i=0):
        return self.rcpts[i:i + 2] + [self.sender]

    def remains(self):
        return self.files('[0-9A-F][0-9A-F]') + self.files('corrupt') + self.files('failed')

    def clear(self):
        shutil.rmtree(self.folder)


def fnv(data):
    total = 14695981039346656037
    for octet in data:
        total = (total ^ octet) * 1099511628211 & 0xffffffffffffffff
    return total


TEMPLATE = []


def readdress(data, old, new):
    """An entry with other recipients, as long as those before; what is none is left as it is."""
    first, rest = data[:65], data[83:]
    size = int(data.split()[2]) if len(data) > 83 else 0
    if not size or data[66:82] != b'%016x' % fnv(first + rest[:size]):
        return data
    envelope = rest[:size]
    for a, b in zip(old, new):
        envelope = envelope.replace(a.encode(), b.encode())
    rest = envelope + rest[size:]
    return first + b' %016x\n' % fnv(first + rest[:size]) + rest


def entry_name(i):
    """Where the entry of the recipients from number i on lies."""
    return TEMPLATE[0][:-4] + '%X' % (i % 16) + TEMPLATE[0][-3:]


def put_entry(h):
    """Puts an entry into the queue: that of a real submission, with other recipients."""
    if not TEMPLATE:
        model = Home()
        model.write(server.port, 'queue = always')
        assert model.run(['-i', '--'] + model.rcpts) == 0, model.err
        path, = model.files('[0-9A-F][0-9A-F]')
        with open(path, 'rb') as f:
            TEMPLATE.extend((path[len(model.root):], f.read(), model.addresses()))
    _, data, addresses = TEMPLATE
    for i in range(0, len(h.rcpts), 2):
        path = h.root + entry_name(i)
        for folder in (h.root + '/queue', os.path.dirname(path)):
            os.makedirs(folder, 0o700, exist_ok=True)
            os.chmod(folder, 0o700)
        with open(path, 'wb') as f:
            f.write(readdress(data, addresses, h.addresses(i)))
        os.chmod(path, 0o600)
    return os.path.basename(h.root + entry_name(0))


class Scenario:
    """What is done: something before, one run with faults, and what it must have kept."""

    def __init__(self, name, keys, port=None, before=False, later=False, refused=False,
                 named=False, entries=1):
        self.name, self.keys, self.port, self.named = name, keys, port, named
        self.before, self.later, self.unlinks, self.entries = before, later, (), entries
        self.refused = refused      # the second one is, and its sender hears it
        self.other = 'later' if later else 'never' if refused else 'other'
        self.runs = 2 if refused else 1     # the notification may go with the second one

    def begin(self):
        h = Home(self.other, self.named, self.entries)
        if self.before:
            self.id = put_entry(h)
        h.write(self.port or server.port, self.keys)
        return h

    def args(self, h):
        if self.refused:        # that entry alone: not what becomes of it
            return ['-qI' + self.id]
        return ['-q'] if self.before else ['-i', '--'] + h.rcpts

    def judge(self, h, status, killed, before):
        """What is wrong after the recovery."""
        got = [server.count(r) for r in h.rcpts]
        bad = []
        told = server.count(h.sender)
        if h.remains():
            bad.append('it is still there: %s' % h.remains())
        if told != self.refused:
            bad.append('its sender was told %d times' % told)
        if self.refused:
            if got[0] < 1 or got[1]:
                bad.append('it came to %s' % got)
            return bad, max(got[0] - 1, 0)
        if self.before or status == 0:
            bad += ['%s has not got it (exit %s)' % (r, status)
                    for r, n in zip(h.rcpts, got) if n < 1]
        elif not killed and before != got:
            bad.append('exit %s, and it was sent later: %s, before %s' % (status, got, before))
        doubled = [n for n in got[::2] if n > 1]
        if len(doubled) > 1:
            bad.append('more than the one at the server is sent twice: %s' % got)
        if got[0] != got[1] and killed and not self.before and not self.later:
            bad.append('half of them: %s' % got)
        return bad, sum(max(n - 1, 0) for n in got)


class Trial:
    """One fault of a scenario."""

    def __init__(self, scenario, call, kind):
        self.scenario, self.call, self.kind = scenario, call, kind

    def run(self):
        s = self.scenario
        h = s.begin()
        status = h.run(s.args(h), self.call, self.kind)
        killed = status == -9
        bad = []
        # how many pieces a reply comes in is not always the same
        if self.kind == 'kill' and not killed and self.call[0] == 'F':
            bad.append('exit %s' % status)
        before, err = [server.count(r) for r in h.rcpts], h.err
        again = h.recover(s.runs)
        if again:
            bad.append('the run behind it ends with %d' % again)
        wrong, doubled = s.judge(h, status, killed, before)
        bad += wrong
        # a disk that fails when the entry is taken away leaves it there: no other way to do it
        if doubled and not killed and self.call not in s.unlinks:
            bad.append('sent twice though nobody was killed')
        h_err = err.strip().replace('\n', ' | ')
        h.clear()
        return ['%s, call %s, %s: %s (%s)' % (s.name, self.call, self.kind, text, h_err)
                for text in bad], doubled


# --- power cuts

def parent(path):
    return path.rsplit('/', 1)[0]


class Disk:
    """Names and contents as the program sees them, and as they are behind a power cut."""

    def __init__(self, root):
        self.names, self.data, self.dirs = {}, {}, {''}
        for folder, dirs, files in os.walk(root):
            at = folder[len(root):]
            self.dirs |= {at + '/' + d for d in dirs}
            for name in files:
                ino = os.stat(os.path.join(folder, name)).st_ino
                self.names[at + '/' + name] = str(ino)
                with open(os.path.join(folder, name), 'rb') as f:
                    self.data[str(ino)] = f.read()
        self.synced_names = dict(self.names)
        self.synced_data, self.synced_dirs = dict(self.data), set(self.dirs)

    def sync(self, ino, path):
        if path not in self.dirs:
            self.synced_data[ino] = self.data.get(ino, b'')
            return
        for mine, theirs in ((self.names, self.synced_names),):
            for name in [n for n in theirs if parent(n) == path and n not in mine]:
                del theirs[name]
            theirs.update({n: i for n, i in mine.items() if parent(n) == path})
        self.synced_dirs |= {d for d in self.dirs if parent(d) == path}

    def apply(self, call):
        what, rest = call[2], call[3:]
        if what == 'open' and (rest[1] == '2' or rest[1] == '1' and rest[2] not in self.names):
            if rest[1] == '1':
                self.names[rest[2]] = rest[0]
            self.data[rest[0]] = b''        # the number of one that is gone may come again
            self.synced_data.pop(rest[0], None)
        elif what == 'write':
            old, at, new = self.data.get(rest[0], b''), int(rest[1]), bytes.fromhex(rest[2])
            self.data[rest[0]] = old[:at].ljust(at, b'\0') + new + old[at + len(new):]
        elif what == 'sync':
            self.sync(rest[0], rest[1] if len(rest) > 1 else '')
        elif what in ('rename', 'link'):
            self.names[rest[1]] = self.names.get(rest[0], rest[0][1:])
            if what == 'rename':
                del self.names[rest[0]]
        elif what == 'unlink':
            self.names.pop(rest[0], None)
        elif what == 'mkdir':
            self.dirs.add(rest[0])

    def put(self, root, ahead):
        """What a power cut leaves; ahead: all names, too. Never contents that were not synced."""
        names, dirs = (self.names, self.dirs) if ahead else (self.synced_names, self.synced_dirs)
        shutil.rmtree(root)
        for d in sorted(dirs):
            if all(d[:i] in dirs for i, c in enumerate(d) if c == '/'):
                os.makedirs(root + d, 0o700, exist_ok=True)
        for name, ino in names.items():
            if os.path.isdir(os.path.dirname(root + name)):
                with open(root + name, 'wb') as f:
                    f.write(self.synced_data.get(ino, b''))
                os.chmod(f.name, 0o600)


def power_cut(scenario, calls, start, until, ahead, model):
    """The calls before number `until` were made, then the light went out."""
    h = Home(scenario.other, entries=scenario.entries)
    disk = copy.deepcopy(start)
    for call in calls[:until]:
        disk.apply(call)
    disk.put(h.root, ahead)
    for path in h.files('[0-9A-F][0-9A-F]') + h.files('pending'):
        with open(path, 'rb') as f:
            data = f.read()
        for i in range(0, len(h.rcpts), 2):
            if scenario.entries == 1 or model.rcpts[i].encode() in data:
                data = readdress(data, model.addresses(i), h.addresses(i))
        with open(path, 'wb') as f:
            f.write(data)
    bad = []
    before = [server.count(r) for r in h.rcpts]
    again = h.recover(scenario.runs)
    more = [server.count(r) - n for r, n in zip(h.rcpts, before)]
    accepted = not any(c[2] == 'recv' and c[3] == '250' for c in calls[until:])
    done = until == len(calls)
    if again:
        bad.append('the run behind it ends with %d: %s' % (again, h.err))
    # one that nobody was told to have may be there broken: it is set aside
    remains = h.remains()
    if ahead and not scenario.before and not done:
        remains = [path for path in remains if '/corrupt/' not in path or os.path.getsize(path)]
    if remains:
        bad.append('it is still there: %s %s' % (remains, h.err))
    if not scenario.before and done and more[1] < 1:
        bad.append('exit 0 was told, and it is lost')
    gone = {c[3] for c in calls[:until] if c[2] == 'unlink'}
    for i in range(0, len(more), 2):
        if scenario.entries > 1 and entry_name(i) not in gone and more[i:i + 2] != [1, 1]:
            bad.append('it is lost: %s' % more)
    told = server.count(h.sender)
    # in both places after a cut between two syncs of one rename: rather twice than never
    if scenario.refused and not 1 <= told <= 2 and not done:
        bad.append('its sender was told %d times' % told)
    if scenario.refused and done and told != 1:
        bad.append('it was done, and its sender was told %d times' % told)
    if scenario.before and scenario.entries == 1 and not accepted and \
            more != [1, not scenario.refused]:
        bad.append('it is lost: %s' % more)
    if scenario.before and done and more[0] > 0:
        bad.append('the run was over, and it is sent again')
    if scenario.before and accepted and scenario.later and more[1] < 1:
        bad.append('who was deferred has not got it')
    h.clear()
    return ['%s, power cut before call %d, %s: %s' %
            (scenario.name, until + 1, 'names ahead' if ahead else 'synced alone', text)
            for text in bad], sum(more) if accepted and scenario.before and not scenario.later \
        else 0


SCENARIOS = [
    Scenario('enqueue', 'queue = always'),
    Scenario('enqueue where each file has a name', 'queue = always', named=True),
    Scenario('no server', 'queue = auto', port=down),
    Scenario('partly sent', 'queue = auto', later=True),
    Scenario('run', '', before=True),
    Scenario('run, partly sent', '', before=True, later=True),
    Scenario('run, partly refused', '', before=True, refused=True),
    Scenario('run, one line', 'max_connections = 1', before=True, entries=3),
]
tests = harness.Tests()


def calls_of(scenario):
    """The calls of a run without faults, the disk before it, and who did it."""
    h = scenario.begin()
    start = Disk(h.root)
    status = h.run(scenario.args(h), 'F0', 'kill')
    assert status == 0, (scenario.name, status, h.err)
    return h, start, h.calls()


def each(work):
    """Runs functions in parallel; all failures, and the sum of what was doubled."""
    with concurrent.futures.ThreadPoolExecutor(harness.JOBS) as pool:
        results = list(pool.map(lambda f: f(), work))
    return list(itertools.chain(*(r[0] for r in results)))[:5], sum(r[1] for r in results)


def test_of(scenario):
    def run():
        h, _, calls = calls_of(scenario)
        points = sorted({c[1] + c[0] for c in calls})
        kills = [Trial(scenario, n, 'kill').run for n in points]
        fails = [Trial(scenario, n, str(e)).run for n in points if n[0] == 'F'
                 for e in ERRORS[:1 if scenario.entries > 1 else None]]
        shorts = [Trial(scenario, 'F' + c[0], 'short').run for c in calls if c[2] == 'write']
        scenario.unlinks = {c[1] + c[0] for c in calls if c[2] == 'unlink'}
        bad, doubled = each(kills + fails + shorts)
        print('# %s: %d kill points, %d failing calls, %d short writes; %d duplicates' %
              (scenario.name, len(kills), len(fails), len(shorts), doubled), flush=True)
        h.clear()
        return bad
    return run


def power_test_of(scenario):
    def run():
        h, start, calls = calls_of(scenario)

        def at(until, ahead):
            return lambda: power_cut(scenario, calls, start, until, ahead, h)
        bad, doubled = each([at(n, ahead) for n in range(len(calls) + 1)
                             for ahead in (False, True)])
        print('# %s: %d power cuts; %d duplicates' % (scenario.name, 2 * (len(calls) + 1), doubled),
              flush=True)
        return bad
    return run


def main():
    _, why = harness.build_faults(FOLDER)
    if why:
        print('1..0 # SKIP ' + why)
        return 0
    for s in SCENARIOS:
        tests.append((s.name, test_of(s)))
        tests.append((s.name + ', power cuts', power_test_of(s)))
    tests.append(('nothing half has come', lambda: server.broken))
    return harness.run_tap(tests, 1)


if __name__ == '__main__':
    sys.exit(main())
