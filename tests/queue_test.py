#!/usr/bin/env python3
"""What waits in the queue, from the submission to the delivery; TAP.

A message that gets exit 0 is at the server or in the queue, and one that gets another code is
nowhere: each case looks at both.
"""
import atexit
import fcntl
import glob
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402
from servers.common import Sink                                         # noqa: E402

PROGRAM = harness.binary()
MESSAGE = b'From: J <j@example.org>\nBcc: hidden@example.com\nSubject: s\n\nFrom here\n.\n..dots\n'
tests = harness.Tests()


class Home:
    """A user with an rc file and a queue of his own."""

    def __init__(self, port, keys='queue = auto'):
        self.folder = tempfile.mkdtemp(prefix='msubmit-test-')
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        self.env = harness.environment(self.folder)
        self.env['XDG_STATE_HOME'] = os.path.join(self.folder, 'state')
        self.queue = os.path.join(self.env['XDG_STATE_HOME'], 'msubmit/queue')
        self.failures = []
        self.write(port, keys)

    def write(self, port, keys=''):
        with open(os.path.join(self.folder, '.msmtprc'), 'w') as f:
            f.write('[account default]\nhost = 127.0.0.1\nport = %d\ntls = off\nsyslog = off\n'
                    'aliases =\ndomain = client.example.org\nfrom = sender@example.org\n'
                    'logfile = %s/log\nlog_format = json\n%s\n' % (port, self.folder, keys))
        os.chmod(f.name, 0o600)

    def run(self, *args, data=MESSAGE, env=None, name=None):
        end = subprocess.run(list((name or PROGRAM, ) + args), input=data, env=env or self.env,
                             cwd=self.folder, capture_output=True, timeout=60 * harness.SCALE,
                             check=False)
        self.err = end.stderr.decode()
        self.out = end.stdout.decode()
        return end.returncode

    def check(self, what, truth):
        if not truth:
            self.failures.append('%s; stderr: %s' % (what, getattr(self, 'err', '')))

    def entries(self, where='??'):
        return sorted(glob.glob(os.path.join(self.queue, where, '*')))

    def log(self):
        with open(os.path.join(self.folder, 'log')) as f:
            return [json.loads(line) for line in f]


def parts(path):
    """Envelope lines and message of an entry."""
    with open(path, 'rb') as f:
        data = f.read()
    line = data[:83].split()
    size = int(line[2])
    assert len(data) == 83 + size + int(line[3])
    return data[83:83 + size].decode(), data[83 + size:]


def values(path, key):
    return re.findall('(?m)^%s (.*)$' % re.escape(key), parts(path)[0])


def closed_port():
    return harness.free_port()


@tests.named('what cannot be sent now is kept, and the status is 0')
def kept():
    h = Home(closed_port())
    h.check('status', h.run('-i', '-v', 'a@example.com', 'b@example.com') == 0)
    h.check('one entry', len(h.entries()) == 1)
    name = os.path.basename(h.entries()[0])
    envelope, message = parts(h.entries()[0])
    h.check('recipients', values(h.entries()[0], 'rcpt') == ['a@example.com', 'b@example.com'])
    h.check('the id with -v', 'in the queue as ' + name in h.err)
    h.check('Bcc', b'hidden' not in message and 'hidden' not in envelope)
    h.check('Date and Message-ID', b'Date: ' in message and b'\r\nMessage-ID: <' in message)
    h.check('body', message.endswith(b'\r\n\r\nFrom here\r\n.\r\n..dots\r\n'))
    h.check('mode', os.stat(h.entries()[0]).st_mode & 0o777 == 0o600)
    h.check('tmp is empty', not h.entries('tmp'))
    tmp = os.path.join(h.queue, 'tmp')
    os.utime(tmp, (1, 1))
    h.check('another', h.run('-i', 'a@example.com') == 0)
    h.check('who watches tmp sees it', os.stat(tmp).st_mtime > 1)
    h.check('log', [(x['id'], x['status'], x['exitcode']) for x in h.log()][:2] ==
            [(name, 'queued', 'EX_OK')] * 2)
    return h.failures


@tests.named('mailq, -bp, -bpc: who waits and why; --json')
def listed():
    h = Home(closed_port())
    h.check('empty', h.run('-bp') == 0 and h.out == 'Mail queue is empty\n')
    h.check('none', h.run('-bpc') == 0 and h.out == '0\n')
    h.run('-i', 'a@example.com', 'b@example.com')
    h.check('status', h.run('-bp') == 0 and not h.err)
    lines = h.out.splitlines()
    name = os.path.basename(h.entries()[0])
    h.check('head: ' + h.out, lines[0].startswith('----Queue ID-----') and len(lines) == 7)
    h.check('entry: ' + h.out, re.fullmatch(
        name + r'  +\d+ \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d  sender@example\.org', lines[1]))
    h.check('reason: ' + h.out, re.fullmatch(r' {37}\(.*refused.*\)', lines[2]))
    h.check('recipients', [l.strip() for l in lines[3:5]] == ['a@example.com', 'b@example.com'])
    h.check('sum: ' + h.out, lines[5] == '' and lines[6] == '-- 1 Kbytes in 1 Request.')
    h.check('number', h.run('-bpc') == 0 and h.out == '1\n')
    h.check('JSON', h.run('-bp', '--json') == 0)
    found = json.loads(h.out)
    h.check('members: ' + h.out, found['queue_id'] == name and found['sender'] == 'sender@example.org' and
            [r['address'] for r in found['recipients']] == ['a@example.com', 'b@example.com'] and
            'refused' in found['recipients'][0]['delay_reason'] and found['attempts'] == 1)
    with open(h.entries()[0], 'r+b') as f:
        f.seek(100)
        f.write(b'#')
    h.check('damaged', h.run('-bp') != 0 and name in h.err and 'in 0 Requests' in h.out)
    return h.failures


@tests.named('without a queue folder all is as it was')
def no_folder():
    h = Home(closed_port(), '')
    h.check('status', h.run('a@example.com') == 75)
    h.check('status of -odq', h.run('-odq', 'a@example.com') == 75)
    h.check('nothing is made', not os.path.exists(h.queue))
    os.makedirs(h.queue, 0o700)
    h.check('status with a folder', h.run('a@example.com') == 0 and len(h.entries()) == 1)
    os.chmod(h.queue, 0o777)
    h.check('status with a folder that anybody may write', h.run('a@example.com') == 75)
    h.check('still one', len(h.entries()) == 1)
    return h.failures


@tests.named('a folder that is asked for and that anybody may write')
def unsafe():
    h = Home(closed_port())
    os.makedirs(h.queue)
    os.chmod(h.queue, 0o777)
    h.check('auto', h.run('a@example.com') == 75 and 'chmod' in h.err)
    h.check('always', h.run('--queue=always', 'a@example.com') == 78)
    h.check('nothing is kept', not h.entries())
    return h.failures


@tests.named('queue = never keeps nothing')
def never():
    h = Home(closed_port(), 'queue = never')
    h.check('status', h.run('-odq', 'a@example.com') == 75 and not os.path.exists(h.queue))
    return h.failures


@tests.named('queue = always, -odq: no server is asked')
def always():
    sink = Sink()
    h = Home(sink.port, 'queue = always')
    h.check('status', h.run('a@example.com') == 0 and len(h.entries()) == 1)
    h.check('-odi tries', h.run('-odi', 'a@example.com') == 0 and len(h.entries()) == 1)
    h.check('one mail', len(sink.mails) == 1)
    h.write(sink.port, 'queue = auto')
    h.check('-odq', h.run('-odq', 'a@example.com') == 0 and len(h.entries()) == 2)
    h.check('still one', len(sink.mails) == 1)
    sink.close()
    return h.failures


@tests.named('only who has not got it waits; who is refused is told')
def partly():
    class Half(Sink):
        def talk(self, lines, say):
            def answer(text):
                say(text if not self.later or not text.startswith('250 2.1.5') else
                    self.later.pop(0))
            self.later = ['250 2.1.5 ok', '451 4.2.1 later', '250 2.1.5 ok']
            Sink.talk(self, lines, answer)
    sink = Half(())
    h = Home(sink.port)
    h.check('status', h.run('a@example.com', 'b@example.com', 'unknown@example.com') == 67)
    h.check('who is refused', "'unknown@example.com' refused" in h.err)
    h.check('who waits', 'waits in the queue for 1 of 3' in h.err)
    h.check('b waits', values(h.entries()[0], 'outcome') == ['accepted', 'deferred', 'refused'])
    h.check('who is told', 'told' in parts(h.entries()[0])[0])
    sink.close()
    return h.failures


@tests.named('one is refused, and that ends it for all: nobody gets it later')
def refused_for_all():
    sink = Sink()
    h = Home(sink.port, 'queue = auto\nrefused_recipients = abort')
    for order in (['busy@example.com', 'unknown@example.com'],
                  ['unknown@example.com', 'busy@example.com'],
                  ['a@example.com', 'busy@example.com', 'unknown@example.com']):
        h.check('status', h.run('-i', '--', *order) == 67)
        h.check('nothing is kept of %s' % order, not h.entries())
    # a deferral alone is kept for all
    h.check('deferred', h.run('-i', 'a@example.com', 'busy@example.com') == 0)
    h.check('for both', [values(p, 'rcpt') for p in h.entries()] ==
            [['a@example.com', 'busy@example.com']])
    h.check('nobody has got it', not sink.mails)
    sink.close()
    return h.failures


@tests.named('refused for good, usage and settings: not kept')
def refused():
    sink = Sink()
    h = Home(sink.port)
    h.check('recipient', h.run('unknown@example.com') == 67)
    h.check('usage', h.run('bad@@x') == 64)
    h.write(sink.port, 'queue = auto\ndeny_users = *')
    h.check('permission', h.run('a@example.com') == 77)
    h.write(sink.port, 'queue = auto\nsource_ip = nowhere')
    h.check('setting', h.run('a@example.com') == 78)
    h.check('nothing is kept', not h.entries())
    sink.close()
    return h.failures


@tests.named('the quota: 75, and the line says which limit')
def quota():
    h = Home(closed_port(), 'queue = always\nqueue_max_bytes = 2000')
    ends = [h.run('a@example.com') for _ in range(8)]
    h.check('the first is kept', ends[0] == 0)
    h.check('the last is not: %r' % ends, ends[-1] == 75 and 'queue_max_bytes' in h.err)
    h.check('as many as 0: %r' % ends, len(h.entries()) == ends.count(0))
    h.write(closed_port(), 'queue = auto\nqueue_max_bytes = 1')
    h.check('auto tells the try', h.run('a@example.com') == 75 and 'Connection refused' in h.err)
    return h.failures


@tests.named('a server that is slow: direct_timeout, but not behind the content')
def slow():
    class Slow(Sink):
        def talk(self, lines, say):
            def answer(text):
                if text.startswith(self.late):
                    time.sleep(2.5)
                say(text)
            Sink.talk(self, lines, answer)
    sink = Slow(())
    h = Home(sink.port, 'queue = auto\ndirect_timeout = 1')
    sink.late = '220'
    h.check('greeting', h.run('a@example.com') == 0 and len(h.entries()) == 1)
    sink.late = '250 2.0.0'
    h.check('reply to the dot', h.run('a@example.com') == 0 and len(h.entries()) == 1)
    h.check('it is there', len(sink.mails) == 1)
    sink.close()
    return h.failures


# --- the run


def end_pauses(h):
    """The time of the next try has come for all accounts that are paused."""
    for path in h.entries('paused'):
        with open(path) as f:
            text = f.read()
        with open(path, 'w') as f:
            f.write(re.sub('(?m)^next .*', 'next 1', text))


def due(h, seconds=-1):
    """Makes all entries due, or puts them off; the times in them as well. So for accounts."""
    if seconds <= 0:
        end_pauses(h)
    for path in h.entries():
        rewrite(path, next=None)
        when = time.time() + seconds
        os.utime(path, (when, when))


def fnv(data):
    total = 14695981039346656037
    for octet in data:
        total = (total ^ octet) * 1099511628211 & 0xffffffffffffffff
    return total


def rewrite(path, **lines):
    """Changes lines of the envelope (None: takes them out), with the sums that they need."""
    with open(path, 'rb') as f:
        data = f.read()
    first, envelope, message = data[:66], *(x if isinstance(x, bytes) else x.encode()
                                            for x in parts(path))
    for key, value in lines.items():
        found = re.search(b'(?m)^%s .*\\n' % key.encode(), envelope)
        if found:
            envelope = envelope[:found.start()] + envelope[found.end():]
        if value is not None:
            envelope = b'%s %s\n' % (key.encode(), str(value).encode()) + envelope
    first = first[:18] + b'%010d' % len(envelope) + first[28:65]
    with open(path, 'wb') as f:
        f.write(first + b' %016x\n' % fnv(first + envelope) + envelope + message)


@tests.named('what is due is sent as it would have been; the log has its id')
def run():
    sink = Sink()
    h = Home(closed_port())
    h.check('submitted', h.run('-i', '-N', 'failure,delay', '-R', 'hdrs', '-V', 'my id',
                               'a@example.com', 'b@example.com') == 0)
    name = os.path.basename(h.entries()[0])
    message = parts(h.entries()[0])[1]
    h.write(sink.port)
    h.check('not due yet', h.run('-q') == 0 and not sink.mails)
    h.check('forced', h.run('-qf', '-v') == 0 and len(sink.mails) == 1)
    mail = sink.mails[0]
    h.check('message', mail.data == message)
    h.check('recipients', list(mail.rcpts) == [b'a@example.com', b'b@example.com'])
    h.check('parameters', b'RET=HDRS' in mail.params and b'ENVID=my+20id' in mail.params and
            mail.rcpts[b'a@example.com'][0] == b'NOTIFY=FAILURE,DELAY')
    h.check('told', '%s: %r: accepted' % (name, 'a@example.com') in h.err)
    h.check('it is gone', not h.entries() and not h.entries('tmp') and not h.entries('failed'))
    h.check('log', [(x['id'], x['status'], x['attempt']) for x in h.log()[2:]] ==
            [(name, 'accepted', 2)] * 2)
    sink.close()
    return h.failures


@tests.named('options of the submission count for the run; those it names by part')
def selected():
    sink = Sink()
    h = Home(closed_port(), 'queue = always')
    for rcpt in 'a@one.example', 'b@two.example', 'c@three.example':
        h.run('--port=%d' % sink.port, '-f', 'from-' + rcpt, rcpt)
    h.check('-qR', h.run('-qRtwo') == 0 and sink.find('b@two.example') and len(sink.mails) == 1)
    h.check('-qS', h.run('-qSfrom-c') == 0 and len(sink.mails) == 2)
    h.check('-qI of another', h.run('-qI0000000000000000') == 0 and len(sink.mails) == 2)
    h.check('-qI', h.run('-qI' + os.path.basename(h.entries()[0])) == 0 and
            sink.find('a@one.example') and not h.entries())
    sink.close()
    return h.failures


@tests.named('a try that fails puts the next one off; what nobody can be told of is kept')
def failed():
    sink = Sink()
    h = Home(closed_port(), 'queue = always')
    h.run('a@example.com')
    h.run('-f', '<>', 'unknown@example.com')
    h.check('no connection', h.run('-q') == 0 and len(h.entries()) == 2)
    waits = sorted(os.stat(p).st_mtime - time.time() for p in h.entries())
    h.check('one is put off, the other was not tried: %r' % waits,
            waits[0] <= 0 and 50 < waits[1] < 67)
    h.write(sink.port)
    due(h)
    h.check('run', h.run('-q') == 0 and len(sink.mails) == 1 and not h.entries())
    h.check('the refused one is kept', len(h.entries('failed')) == 1 and 'failed' in h.err)
    h.check('log', h.log()[-1]['status'] in ('accepted', 'refused'))
    h.write(closed_port(), 'queue = always')
    h.run('-f', '<>', 'late@example.com')
    rewrite(h.entries()[0], expires=1)
    h.check('expired', h.run('-q') == 0 and not h.entries())
    h.check('it is kept', len(h.entries('failed')) == 2)
    h.check('log of it', h.log()[-1]['status'] == 'refused' and
            'not delivered in' in h.log()[-1]['error'])
    sink.close()
    return h.failures


@tests.named('a wrong way to the server: one probe, and nothing is given up')
def paused():
    class Greeting(Sink):
        def talk(self, lines, say):
            say('554 5.3.2 go away')
    sink = Greeting()
    h = Home(sink.port, 'queue = always')
    for n in range(4):
        h.run('%d@example.com' % n)
    h.check('run', h.run('-q') == 0)
    h.check('one connection: %d' % sink.connections, sink.connections == 1)
    h.check('all wait', len(h.entries()) == 4 and not h.entries('failed'))
    h.write(sink.port, 'queue = always\nsource_ip = nowhere')
    due(h)
    h.check('a wrong setting', h.run('-q') == 0 and len(h.entries()) == 4)
    sink.close()
    return h.failures


@tests.named('a pause is kept beside the queue, on_failure runs once for it, and a success ends it')
def pause_kept():
    sink = Sink()
    h = Home(closed_port(), 'queue = always')
    with open(os.path.join(h.folder, 'hook'), 'w') as f:
        f.write('#!/bin/sh\ncat >> %s/told\n' % h.folder)
    os.chmod(f.name, 0o700)
    keys = 'queue = always\nnotify_interval = 0\non_failure = ' + f.name

    def told():
        try:
            with open(os.path.join(h.folder, 'told')) as f:
                return [json.loads(line) for line in f]
        except FileNotFoundError:
            return []

    def run(port):
        h.write(port, keys)
        due(h)
        for path in h.entries('paused'):
            with open(path) as f:
                text = f.read()
            with open(path, 'w') as f:
                f.write(re.sub('(?m)^next .*', 'next 1', text))
        return h.run('-q') == 0

    for n in range(3):
        h.run('%d@example.com' % n)
    port = closed_port()
    h.check('run', run(port) and len(told()) == 1)
    paused, = h.entries('paused')
    with open(paused) as f:
        lines = dict(line.rstrip('\n').split(' ', 1) for line in f)
    h.check('what is kept: %r' % lines, lines['account'] == 'default' and
            lines['failures'] == '1' and lines['fault'] == 'connect-refused' and
            'refused' in lines['reason'] and lines['since'] == lines['last'] and
            55000 < int(lines['next']) - int(lines['last']) < 70000)
    h.check('what is told: %r' % told(), told()[0]['outcome'] == 'deferred' and
            told()[0]['account'] == 'default')
    h.check('no success so far', not os.path.exists(os.path.join(h.queue, 'success')))
    h.check('again', run(port) and len(told()) == 1)
    with open(paused) as f:
        again = dict(line.rstrip('\n').split(' ', 1) for line in f)
    h.check('one more: %r' % again, again['failures'] == '2' and again['since'] == lines['since'])
    h.check('it works', run(sink.port) and len(sink.mails) == 3 and not h.entries('paused'))
    h.check('when', abs(os.stat(os.path.join(h.queue, 'success')).st_mtime - time.time()) < 30)
    h.run('4@example.com')
    h.check('the next pause is told', run(port) and len(told()) == 2)
    sink.close()
    return h.failures


@tests.named('no reply to the content: not again for ten minutes, and the log says so')
def unknown():
    class Silent(Sink):
        quiet = True

        def talk(self, lines, say):
            def answer(text):
                if text.startswith('250 2.0.0 kept') and self.quiet:
                    raise OSError
                say(text)
            Sink.talk(self, lines, answer)
    sink = Silent()
    h = Home(sink.port)
    h.check('submitted', h.run('a@example.com') == 0 and len(h.entries()) == 1)
    wait = os.stat(h.entries()[0]).st_mtime - time.time()
    h.check('put off: %s' % wait, 590 < wait < 670)
    h.check('not even forced', h.run('-qf') == 0 and len(sink.mails) == 1)
    sink.quiet = False
    due(h)
    rewrite(h.entries()[0], unknown=int(time.time() * 1000) - 601000)
    h.check('ten minutes later', h.run('-q') == 0 and len(sink.mails) == 2 and not h.entries())
    ids = [re.search(rb'(?i)message-id: (.*)', m.data).group(1) for m in sink.mails]
    h.check('the same Message-ID', ids[0] == ids[1])
    h.check('log', 'possible duplicate' in h.log()[-1]['note'])
    sink.close()
    return h.failures


@tests.named('a runner that is killed amid the session: the same')
def killed():
    class Slow(Sink):
        def take(self, lines, mail):
            Sink.take(self, lines, mail)
            if len(self.mails) == 1:
                self.victim.kill()
                self.victim.wait()
    sink = Slow()
    h = Home(sink.port, 'queue = always')
    h.run('a@example.com')
    sink.victim = subprocess.Popen([PROGRAM, '-q'], env=h.env, cwd=h.folder)
    sink.victim.wait()
    h.check('it is there', len(h.entries()) == 1)
    h.check('not at once', h.run('-q') == 0 and h.run('-qf') == 0 and len(sink.mails) == 1)
    now = time.time()
    os.utime(h.entries()[0], (now, now))        # as if the time had passed
    rewrite(h.entries()[0], arrival=int(now * 1000) - 700000)
    os.utime(h.entries()[0], (now - 1, now - 1))
    h.check('later', h.run('-q') == 0 and len(sink.mails) == 2 and not h.entries())
    h.check('log', 'possible duplicate' in h.log()[-1]['note'])
    sink.close()
    return h.failures


@tests.named('SIGTERM ends a run; nothing is half sent and nothing is put off')
def stopped():
    class Slow(Sink):
        def talk(self, lines, say):
            self.reached.set()
            time.sleep(1)
            Sink.talk(self, lines, say)
    sink = Slow()
    sink.reached = threading.Event()
    h = Home(sink.port, 'queue = always')
    h.run('a@example.com')
    runner = subprocess.Popen([PROGRAM, '-q'], env=h.env, cwd=h.folder)
    sink.reached.wait(20)
    runner.terminate()
    h.check('status', runner.wait() == 0)
    h.check('nothing was sent', not sink.mails and len(h.entries()) == 1)
    sink.talk = lambda lines, say: Sink.talk(sink, lines, say)
    h.check('at once', h.run('-q') == 0 and len(sink.mails) == 1 and not h.entries())
    h.check('no duplicate', 'duplicate' not in str(h.log()[-1]['note']
                                                    if 'note' in h.log()[-1] else ''))
    sink.close()
    return h.failures


@tests.named('four runners and eight submitters at once: each message once')
def together():
    sink = Sink()
    h = Home(sink.port, 'queue = always')
    ends = []

    def submit(n):
        for i in range(5):
            end = subprocess.run([PROGRAM, '%d-%d@example.com' % (n, i)], env=h.env, cwd=h.folder,
                                 input=b'Subject: x\n\nx\n', check=False)
            ends.append(end.returncode)
    submitters = [threading.Thread(target=submit, args=(n,)) for n in range(8)]
    for thread in submitters:
        thread.start()
    while any(t.is_alive() for t in submitters) or h.entries():
        runners = [subprocess.Popen([PROGRAM, '-q'], env=h.env, cwd=h.folder) for _ in range(4)]
        h.check('runner', all(r.wait() == 0 for r in runners))
    h.check('exit codes', ends == [0] * 40)
    got = sorted(r for m in sink.mails for r in m.rcpts)
    h.check('each once: %d' % len(got), got == sorted(b'%d-%d@example.com' % (n, i)
                                                     for n in range(8) for i in range(5)))
    h.check('a run alone', h.run('-q') == 0)       # it counts right what others have estimated
    with open(os.path.join(h.queue, 'usage')) as f:
        h.check('nothing is counted any more', int(f.read()) == 0)
    sink.close()
    return h.failures


@tests.named('held back here where the server does not do it (level local)')
def held_back():
    sink = Sink()
    h = Home(sink.port, 'queue = auto\next_policy = futurerelease:local')
    h.check('submitted', h.run('--hold-for=2h', '-v', 'a@example.com') == 0 and not sink.mails)
    entry, = h.entries()
    wait = os.stat(entry).st_mtime - time.time()
    h.check('for that time: %s' % wait, 7100 < wait <= 7200)
    life = [int(values(entry, key)[0]) for key in ('expires', 'next')]
    h.check('its life begins then', abs(life[0] - life[1] - 5 * 86400000) < 20000)
    h.check('no try has failed', not values(entry, 'attempts'))
    h.check('not even forced', h.run('-qf') == 0 and not sink.mails)
    h.check('the same moment', values(h.entries()[0], 'next')[0] == str(life[1]) and
            values(h.entries()[0], 'expires')[0] == str(life[0]))
    due(h)
    rewrite(h.entries()[0], **{'hold-until': 1})
    h.check('then', h.run('-q') == 0 and len(sink.mails) == 1 and not h.entries())
    h.check('without a parameter', not any(b'HOLD' in p for p in sink.mails[0].params))
    sink.close()
    return h.failures


@tests.named('damaged entries are set aside and told; those of another version are left alone')
def damaged():
    sink = Sink()
    h = Home(sink.port, 'queue = always')
    for n in range(3):
        h.run('%d@example.com' % n)
    first, second = h.entries()[:2]
    with open(first, 'r+b') as f:
        f.seek(-3, 2)
        f.write(b'?')
    with open(second, 'r+b') as f:
        f.seek(14)
        f.write(b'003')
    h.check('run', h.run('-q') == 0 and len(sink.mails) == 1)
    h.check('told', 'damaged' in h.err and 'another version' in h.err and
            'it is kept in %s/corrupt' % h.queue in h.err)
    h.check('where they are', [os.path.basename(p) for p in h.entries('corrupt')] ==
            [os.path.basename(first)] and h.entries() == [second])
    sink.close()
    return h.failures


@tests.named('-odb: back at once, sent by another process; -q1 goes on in the background')
def behind():
    sink = Sink()
    h = Home(sink.port)
    h.check('submitted', h.run('-odb', 'a@example.com') == 0)
    sink.wait('a@example.com')
    for _ in range(100):
        if not h.entries():
            break
        time.sleep(0.05)
    h.check('it is gone', not h.entries())
    h.run('-odq', 'b@example.com')
    # in a group of its own, by which it is found and ended
    group = subprocess.Popen([PROGRAM, '-q1s', '--queue=auto'], env=h.env, cwd=h.folder)
    h.check('back at once', group.wait() == 0)
    sink.wait('b@example.com')
    h.run('-odq', 'c@example.com')
    sink.wait('c@example.com')
    for name in os.listdir('/proc'):
        try:
            with open('/proc/%s/environ' % name, 'rb') as f:
                ours = h.env['XDG_STATE_HOME'].encode() in f.read()
            if name.isdigit() and ours:
                os.kill(int(name), signal.SIGTERM)
        except OSError:
            pass
    sink.close()
    return h.failures


def runs_when_it_comes(words):
    """In a network namespace whose loopback is down: who runs the queue sees it come up."""
    port = harness.free_port()
    h = Home(port)
    h.check('kept: nothing can be reached', h.run('-i', 'a@example.com') == 0 and h.entries())
    h.check('tried, and the account paused', h.run('-qf') == 0)
    runner = subprocess.Popen([PROGRAM, '--foreground',
                               *(w.format(folder=h.folder) for w in words)], env=h.env, cwd=h.folder)
    time.sleep(0.5)
    ask = struct.pack('16sh14x', b'lo', 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        flags = struct.unpack('16sh14x', fcntl.ioctl(s, 0x8913, ask))[1]       # SIOCGIFFLAGS
        fcntl.ioctl(s, 0x8914, struct.pack('16sh14x', b'lo', flags | 1))       # SIOCSIFFLAGS
    sink = Sink(port=port)
    sink.wait('a@example.com')
    for _ in range(200):        # a signal in front of the last reply leaves it there
        if not h.entries():
            break
        time.sleep(0.05)
    runner.terminate()
    h.check('it ends', runner.wait(60) == 0)
    h.check('it is gone', not h.entries())
    sink.close()
    return h.failures


@tests.named('-q1h, also of -bd: at once when the network comes')
def network():
    unshare = ['unshare', '-n'] if os.getuid() == 0 else ['unshare', '-r', '-n']
    if subprocess.run(unshare + ['true'], capture_output=True, check=False).returncode:
        print('# no network namespace here')
        return []
    failures = []
    for words in ['-q1h'], ['-q1h', '-bd', '--listen=unix:{folder}/here', '--deliver=queue']:
        inside = [sys.executable, os.path.abspath(__file__), '--inside', *words]
        end = subprocess.run(unshare + inside,
                             capture_output=True, timeout=120 * harness.SCALE, check=False)
        if end.returncode:
            failures.append('%r: %s' % (words, end.stdout.decode() + end.stderr.decode()))
    return failures


@tests.named('a transfer that broke is resumed by a later run (CHECKPOINT)')
def resumed():
    """The first connection is cut amid the content, the next ones go on from there."""
    seen, content = [], []

    def serve(sock):
        with sock, sock.makefile('rb') as lines:
            def say(text):
                sock.sendall(text.encode() + b'\r\n')
            talk = []
            seen.append(talk)
            say('220 ready')
            for line in iter(lines.readline, b''):
                talk.append(line.decode().rstrip())
                if line.startswith(b'EHLO'):
                    say('250-here\r\n250 CHECKPOINT')
                elif line.startswith(b'MAIL') and content:
                    say('355 %d is where you stopped' % len(b''.join(content)))
                elif line.startswith(b'RCPT TO:<busy'):
                    say('451 4.2.1 later')
                elif line.startswith(b'DATA'):
                    say('354 go on')
                    for line in iter(lines.readline, b'.\r\n'):
                        content.append(line)
                        if len(seen) == 1 and len(content) == 20:
                            return
                    say('250 2.0.0 complete')
                else:
                    say('221 bye' if line.startswith(b'QUIT') else '250 ok')
    listener = harness.Listener(serve)
    h = Home(listener.port, 'checkpoint = on\ncheckpoint_min = 0\nqueue = auto\ncheckpoint_wait = 20m')
    body = b''.join(b'line %d\n' % n for n in range(20000))
    h.check('kept', h.run('-i', 'a@example.com', 'busy@example.com', data=b'Subject: s\n\n' + body) == 0)
    entry, = h.entries()
    transid = values(entry, 'transid')
    mail = [line for line in seen[0] if line.startswith('MAIL')]
    h.check('its id: %r %r' % (transid, mail), len(mail) == 1 and mail[0].endswith(' TRANSID=' + transid[0]))
    envelope = parts(entry)[0]
    h.check('who was accepted: ' + envelope, envelope.count('\nstanding\n') == 1 and
            envelope.index('rcpt a@') < envelope.index('\nstanding') < envelope.index('rcpt busy@'))
    wait = os.stat(entry).st_mtime - time.time()
    h.check('not before the server has noticed: %d' % wait, 1100 < wait < 1330)
    due(h)
    rewrite(entry, unknown=None)
    had = len(content)
    h.check('run', h.run('-q') == 0 and len(seen) > 1)
    h.check('the same id, and no recipient: %r' % seen[1][1:3], seen[1][1] == mail[0] and
            seen[1][2] == 'DATA')
    h.check('the rest alone', b''.join(content).endswith(b''.join(b'line %d\r\n' % n
                                                                 for n in range(20000))) and
            b''.join(content).count(b'Subject: s') == 1 and had == 20)
    h.check('who has it: ' + parts(entry)[0], values(entry, 'outcome')[0] == 'accepted' and
            not values(entry, 'transid') and 'standing' not in parts(entry)[0])
    h.check('the other waits', h.entries() == [entry])
    listener.close()
    return h.failures


def main():
    if sys.argv[1:2] == ['--inside']:
        failures = runs_when_it_comes(sys.argv[2:])
        print('\n'.join(failures))
        return 1 if failures else 0
    return harness.run_tap(tests)


if __name__ == '__main__':
    sys.exit(main())
