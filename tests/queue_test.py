#!/usr/bin/env python3
"""What waits in the queue, from the submission to the delivery; TAP.

A message that gets exit 0 is at the server or in the queue, and one that gets another code is
nowhere: each case looks at both.
"""
import atexit
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

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
    h.check('log', [(x['id'], x['status'], x['exitcode']) for x in h.log()] ==
            [(name, 'queued', 'EX_OK')] * 2)
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


@tests.named('what a refusal ends for all is not kept')
def aborted():
    h = Home(Sink().port, 'queue = auto\nrefused_recipients = abort')
    h.check('status', h.run('a@example.com', 'unknown@example.com') == 67 and not h.entries())
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
    import time

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


def main():
    return harness.run_tap(tests)


if __name__ == '__main__':
    sys.exit(main())
