#!/usr/bin/env python3
"""What is kept, told and run when a message failed; TAP.

At a terminal (a pty) a message is kept and the command shown that sends it again: that command
is run by a shell, and what the server gets is compared with what was typed. Then the hook's rate
limit, with the clock put on by changing what it remembers; and what dead_letter refuses to touch.
"""
import atexit
import fcntl
import glob
import json
import os
import pty
import re
import select
import shutil
import stat
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402
from servers.common import Sink                                         # noqa: E402

PROGRAM = harness.binary()
RC = harness.ACCOUNT + '''%s
'''
MESSAGE = (b'From: J <j@example.org>\nTo: to@example.com\nCc: unknown@example.com\n'
           b'Bcc: hidden@example.com\nSubject: it\'s\nDate: Tue, 04 Mar 2025 10:20:30 +0100\n'
           b'Message-ID: <x@y>\n\nFrom here\n..dots\n\n-- \nend\n')


class Home:
    """A folder with an rc file, and runs in it."""

    def __init__(self, port=1, keys=''):
        self.folder = tempfile.mkdtemp(prefix='msubmit-test-')
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        self.env = harness.environment(self.folder)
        self.env['XDG_STATE_HOME'] = os.path.join(self.folder, 'state dir')
        self.write(port, keys)

    def write(self, port, keys=''):
        path = os.path.join(self.folder, '.msmtprc')
        with open(path, 'w', encoding='utf-8') as f:
            f.write(RC % (port, keys.replace('{dir}', self.folder)))
        os.chmod(path, 0o600)

    def path(self, name):
        return os.path.join(self.folder, name)

    def read(self, name):
        with open(self.path(name), 'rb') as f:
            return f.read()

    def kept(self, pattern='*.eml'):
        return glob.glob(os.path.join(self.env['XDG_STATE_HOME'], 'msubmit/failed', pattern))

    def run(self, args, data=MESSAGE, **more):
        """(status, stderr) without a terminal."""
        done = subprocess.run(['msubmit'] + args, executable=PROGRAM, input=data,
                              capture_output=True, env=self.env, cwd=self.folder,
                              timeout=30 * harness.SCALE, check=False, **more)
        return done.returncode, done.stdout.decode() + done.stderr.decode()

    def at_terminal(self, args, data=MESSAGE, typed=False, stdin=None, before=None):
        """(status, what the terminal shows); typed: standard input is the terminal as well."""
        main, side = pty.openpty()
        child = subprocess.Popen(['msubmit'] + args, executable=PROGRAM,
                                 stdin=side if typed else stdin or subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=side, env=self.env,
                                 cwd=self.folder, preexec_fn=before)
        os.close(side)
        if typed:
            os.write(main, data + b'\x04')
        elif stdin is None:
            child.stdin.write(data)
            child.stdin.close()
        shown, end = b'', time.monotonic() + 30 * harness.SCALE
        while time.monotonic() < end and select.select([main], [], [], 30)[0]:
            try:
                part = os.read(main, 65536)
            except OSError:
                break
            shown += part
            if not part:
                break
        out = child.stdout.read()
        child.stdout.close()
        child.wait()
        os.close(main)
        return child.returncode, shown.decode().replace('\r\n', '\n') + out.decode()


def check(failures, true, text):
    if not true:
        failures.append(text)


def command_of(shown):
    """The command that sends it again, for a shell."""
    found = re.search(r'to send it again:\nmsubmit:   (.*)\n', shown)
    return found and found.group(1)


def resend(home, shown, failures, quiet=True):
    """Runs the command as a user would, msubmit being in PATH."""
    command = command_of(shown)
    if not command:
        failures.append('no command in %r' % shown)
        return None
    os.makedirs(home.path('bin'), exist_ok=True)
    link = home.path('bin/msubmit')
    if not os.path.lexists(link):
        os.symlink(PROGRAM, link)
    env = dict(home.env, PATH=home.path('bin') + ':' + home.env['PATH'])
    done = subprocess.run(['sh', '-c', command], env=env, cwd=home.folder, capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=30 * harness.SCALE, check=False)
    if done.stderr and quiet:
        failures.append('the command says %r' % done.stderr)
    return done.returncode


def kept_and_sent_again():
    """All of it: sender, recipients of header and arguments, Bcc; the text as it was typed."""
    home, failures, sink = Home(), [], Sink()
    status, shown = home.at_terminal(['-tif', 'joe.o\'x@example.org', '-N',
                                      'success', 'arg@example.com', '"odd one"@example.com'])
    check(failures, status == 75, 'exit %d: %s' % (status, shown))
    files = home.kept()
    check(failures, len(files) == 1, 'kept: %r, %r' % (files, shown))
    if failures:
        return failures
    for path, mode in ((files[0], 0o600), (os.path.dirname(files[0]), 0o700)):
        check(failures, stat.S_IMODE(os.stat(path).st_mode) == mode, 'mode of ' + path)
    check(failures, files[0] in shown, 'the path is not shown')
    with open(files[0], 'rb') as f:
        check(failures, f.read() == MESSAGE, 'the file is not what was typed')
    home.write(sink.port)
    check(failures, resend(home, shown, failures, False) == 67, 'unknown@ is refused')
    check(failures, len(sink.mails) == 1, 'mails: %d' % len(sink.mails))
    if failures:
        return failures
    mail = sink.mails[0]
    check(failures, mail.sender == b"joe.o'x@example.org", repr(mail.sender))
    check(failures, sorted(mail.rcpts) == [b'"odd one"@example.com', b'arg@example.com',
                                           b'hidden@example.com', b'to@example.com'],
          repr(mail.rcpts))
    check(failures, all(b'NOTIFY=SUCCESS' in p for p in mail.rcpts.values()), repr(mail.rcpts))
    check(failures, b'Bcc' not in mail.data and b"Subject: it's\r\n" in mail.data and
          mail.data.endswith(b'\r\nFrom here\r\n..dots\r\n\r\n-- \r\nend\r\n'), repr(mail.data))
    return failures + sink.faults


def only_to_the_refused():
    """Who has got it does not get it twice."""
    sink = Sink()
    home, failures = Home(sink.port), []
    status, shown = home.at_terminal(['-t'])
    check(failures, status == 67 and len(sink.mails) == 1, 'exit %d' % status)
    command = command_of(shown) or ''
    check(failures, ' unknown@example.com <' in command and 'to@' not in command and
          'hidden' not in command and ' -t' not in command, repr(command))
    return failures


def many_recipients():
    """They stand in a file, which the command reads."""
    sink = Sink()
    home, failures = Home(), []
    words = ['r%d@example.com' % i for i in range(120)]
    _, shown = home.at_terminal(words)
    check(failures, '.to)' in (command_of(shown) or '').replace("'", ''), repr(shown[-300:]))
    check(failures, len(home.kept('*.to')) == 1, 'no list')
    home.write(sink.port)
    check(failures, resend(home, shown, failures) == 0, 'not sent')
    check(failures, len(sink.mails) == 1 and sorted(sink.mails[0].rcpts) ==
          sorted(w.encode() for w in words), 'recipients')
    return failures


def options_of_recipients():
    """What --rcpt asks for one of them is asked for again; an address is as good twice as once."""
    sink = Sink()
    home, failures = Home(), []
    _, shown = home.at_terminal(['--rcpt', 'a@example.com,notify=success', '--rcpt=b@example.com',
                                 'c@example.com'])
    check(failures, ' --rcpt=a@example.com,notify=success --rcpt=b@example.com -- ' in shown,
          repr(shown))
    home.write(sink.port)
    check(failures, resend(home, shown, failures) == 0, 'not sent')
    check(failures, sink.mails and [sink.mails[0].rcpts.get(a, [None])[:1] for a in
                                    (b'a@example.com', b'b@example.com', b'c@example.com')] ==
          [[b'NOTIFY=SUCCESS'], [], []], repr(sink.mails and sink.mails[0].rcpts))
    return failures


def composed():
    """A message made of options is kept whole, and is not made once more."""
    sink = Sink()
    home, failures = Home(), []
    with open(home.path('part.txt'), 'w', encoding='ascii') as f:
        f.write('attached\n')
    _, shown = home.at_terminal(['--compose', '--to', 'a@example.com', '--bcc=b@example.com',
                                 '--subject', 'one two', '--attach=part.txt', '--header',
                                 'X-Mark: once'], b'the text\n')
    command = command_of(shown) or ''
    check(failures, '--compose' not in command and ' -- a@example.com b@example.com <' in command,
          repr(shown))
    home.write(sink.port)
    os.unlink(home.path('part.txt'))
    check(failures, resend(home, shown, failures) == 0, 'not sent')
    data = sink.mails[0].data if sink.mails else b''
    check(failures, all(data.count(w) == 1 for w in (b'X-Mark: once', b'Subject: one two',
                                                     b'the text', b'attached\r\n')) and
          b'b@example.com' not in data, repr(data))
    home.write(1, 'no_such_key = 1\n')
    before = home.kept()
    status, _ = home.at_terminal(['--compose', '--to', 'a@example.com'], b'the text\n')
    check(failures, status == 78 and home.kept() == before, 'text alone is no message')
    return failures


def typed():
    """Standard input is the terminal too."""
    home, failures = Home(), []
    status, _ = home.at_terminal(['b@example.com'], b'Subject: x\n\ntyped\n', typed=True)
    check(failures, status == 75, 'exit %d' % status)
    check(failures, [open(p, 'rb').read() for p in home.kept()] == [b'Subject: x\n\ntyped\n'],
          'kept: %r' % home.kept())
    return failures


def wrong_configuration():
    """What comes by a pipe is kept even when it fails before it would have been read."""
    home, failures = Home(), []
    with open(home.path('.msmtprc'), 'a', encoding='utf-8') as f:
        f.write('no_such_key = 1\n')
    status, shown = home.at_terminal(['b@example.com'])
    check(failures, status == 78, 'exit %d' % status)
    check(failures, len(home.kept()) == 1, 'kept: %r' % home.kept())
    home.write(1)
    _, again = home.at_terminal(['-t'], b'Subject: nobody\n\nx\n')
    check(failures, ' -- RECIPIENT... <' in (command_of(again) or ''), repr(again))
    check(failures, ' -- b@example.com <' in (command_of(shown) or ''), repr(shown))
    return failures


def not_kept():
    """Accepted, not at a terminal, in a file anyway, switched off, asked not to send."""
    sink = Sink()
    home, failures = Home(sink.port), []
    status, shown = home.at_terminal(['b@example.com'])
    check(failures, (status, shown) == (0, ''), 'accepted: %d %r' % (status, shown))
    home.write(1)
    home.run(['b@example.com'])
    with open(home.path('mail'), 'wb') as f:
        f.write(MESSAGE)
    with open(home.path('mail'), 'rb') as f:
        _, shown = home.at_terminal(['b@example.com'], stdin=f)
    check(failures, 'kept' not in shown, repr(shown))
    for args in (['--keep-failed=off', 'b@example.com'], ['-oeq', 'b@example.com'],
                 ['--dry-run', '-a', 'none', 'b@example.com'], ['empty@example.com']):
        _, shown = home.at_terminal(args, b'' if 'empty' in args[0] else MESSAGE)
        check(failures, 'kept' not in shown, '%r: %r' % (args, shown))
    check(failures, not os.path.exists(home.env['XDG_STATE_HOME']), 'a folder was made')
    return failures


def system_user():
    """www-data has no home to put anybody's mail into; what a service is given it may use."""
    home, failures = Home(), []
    os.chmod(home.folder, 0o777)
    os.chmod(home.path('.msmtprc'), 0o644)
    _, shown = home.at_terminal(['b@example.com'], before=lambda: os.setuid(33))
    check(failures, 'cannot connect' in shown and 'kept' not in shown, repr(shown))
    home.env['STATE_DIRECTORY'] = home.path('service')
    _, shown = home.at_terminal(['b@example.com'], before=lambda: os.setuid(33))
    check(failures, 'is kept in ' + home.path('service/failed/') in shown, repr(shown))
    return failures


def no_place():
    """A folder that others may write to is not used; the status stays."""
    home, failures = Home(), []
    os.makedirs(os.path.join(home.env['XDG_STATE_HOME'], 'msubmit/failed'))
    os.chmod(os.path.join(home.env['XDG_STATE_HOME'], 'msubmit/failed'), 0o777)
    status, shown = home.at_terminal(['b@example.com'])
    check(failures, status == 75 and 'is not kept: cannot use the folder' in shown,
          '%d %r' % (status, shown))
    check(failures, not home.kept(), 'kept')
    return failures


HOOK = 'on_failure = sh -c "cat >> {dir}/told"\n'


def told(home):
    if not os.path.exists(home.path('told')):
        return []
    return [json.loads(line) for line in home.read('told').splitlines()]


def rate_limit():
    """Once for each cause in an hour; what was left out is counted."""
    home, failures = Home(1, HOOK), []
    for _ in range(3):
        check(failures, home.run(['b@example.com'])[0] == 75, 'exit')
    check(failures, [t['suppressed'] for t in told(home)] == [0], repr(told(home)))
    home.run(['--long-lines=reject', 'b@example.com'], b'\n' + b'x' * 1200)
    check(failures, [t['exit'] for t in told(home)] == [75, 65], 'another cause')
    states = glob.glob(os.path.join(home.env['XDG_STATE_HOME'], 'msubmit/notify/*'))
    check(failures, len(states) == 2, repr(states))
    for path in states:
        with open(path, 'r+', encoding='ascii') as f:
            when, count = f.read().split()
            f.seek(0)
            f.write('%d %s\n' % (int(when) - 3601, count))
    home.run(['b@example.com'])
    check(failures, [t['suppressed'] for t in told(home)] == [0, 0, 2], repr(told(home)))
    for text in ('rubbish', '', '99999999999999 1\n', '-5 3\n', '9' * 200):
        for path in states:
            with open(path, 'w', encoding='ascii') as f:
                f.write(text)
        before = len(told(home))
        home.run(['b@example.com'])
        check(failures, len(told(home)) == before + 1, 'with %r' % text)
    home.write(1, HOOK + 'notify_interval = 0\n')
    before = len(told(home))
    for _ in range(2):
        home.run(['b@example.com'])
    check(failures, len(told(home)) == before + 2, 'no limit')
    return failures


def many_at_once():
    """Failures of the same moment are one."""
    home, failures = Home(1, HOOK), []
    children = [subprocess.Popen(['msubmit', 'b@example.com'], executable=PROGRAM, env=home.env,
                                 cwd=home.folder, stdin=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL)
                for _ in range(8)]
    for child in children:
        child.communicate(MESSAGE)
    check(failures, len(told(home)) == 1, '%d times' % len(told(home)))
    return failures


def no_state():
    """Nothing can be remembered: better told too often than never."""
    home, failures = Home(1, HOOK + 'logfile = {dir}/log\n'), []
    os.symlink('/nonexistent', home.env['XDG_STATE_HOME'])
    old = os.umask(0)
    for _ in range(2):
        status, shown = home.run(['b@example.com'])
        check(failures, status == 75 and shown.count('\n') == 1, '%d %r' % (status, shown))
    os.umask(old)
    check(failures, len(told(home)) == 2, repr(told(home)))
    check(failures, b'warning="cannot use the folder' in home.read('log'), repr(home.read('log')))
    mode = stat.S_IMODE(os.stat(home.path('log')).st_mode)
    check(failures, mode == 0o600, 'the log has mode %o' % mode)
    return failures


def note_is_locked():
    """Whoever holds the lock for good cannot keep the hook, or the message, waiting for good."""
    home, failures = Home(1, HOOK + 'logfile = {dir}/log\n'), []
    home.run(['b@example.com'])
    folder = os.path.join(home.env['XDG_STATE_HOME'], 'msubmit/notify')
    held = [os.open(path, os.O_RDONLY)
            for path in [folder] + glob.glob(os.path.join(folder, '*'))]
    check(failures, len(held) == 2, repr(held))
    for descriptor in held:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    status, shown = home.run(['b@example.com'])
    check(failures, status == 75 and shown.count('\n') == 1, '%d %r' % (status, shown))
    check(failures, len(told(home)) == 2, repr(told(home)))
    check(failures, b'another program holds it' in home.read('log'), repr(home.read('log')))
    for descriptor in held:
        os.close(descriptor)
    return failures


def dead_letter_is_careful():
    """No link of any kind, no other file than a plain one of ours; never a hang."""
    home, failures = Home(1, 'dead_letter = {dir}/dead\n'), []
    dead = home.path('dead')

    def refused(words):
        status, shown = home.run(['b@example.com'])
        check(failures, status == 75 and 'not kept: ' in shown and words in shown,
              '%s: %d %r' % (words, status, shown))

    with open(home.path('victim'), 'wb') as f:
        f.write(b'untouched')
    os.symlink(home.path('victim'), dead)
    refused('cannot open')
    os.unlink(dead)
    os.link(home.path('victim'), dead)
    refused('single name')
    os.unlink(dead)
    os.mkfifo(dead)
    refused('no regular file')
    os.unlink(dead)
    os.mkdir(dead)
    refused('cannot open')
    os.rmdir(dead)
    check(failures, home.read('victim') == b'untouched', 'written to another file')
    status, shown = home.run(['b@example.com'], umask=0)
    check(failures, status == 75 and 'is added to' in shown, repr(shown))
    check(failures, stat.S_IMODE(os.stat(dead).st_mode) == 0o600, 'mode')
    if os.geteuid() == 0:
        os.chown(dead, 33, 33)
        refused('belongs to user 33')
    return failures


def mbox_is_read_back():
    """Python's reader finds each message as it was, whatever its lines look like."""
    import mailbox
    home, failures = Home(1, 'dead_letter = {dir}/dead\n'), []
    bodies = [b'From x\n\nFrom y\n', b'>From x\n>>From\n', b'', b'no end',
              b'\n'.join([b'From ' + b'z' * 900] * 100)]
    for body in bodies:
        home.run(['-i', 'b@example.com'], b'Subject: x\n\n' + body)
    box = list(mailbox.mbox(home.path('dead')))
    check(failures, len(box) == len(bodies), '%d messages' % len(box))
    for body, mail in zip(bodies, box):
        text = re.sub(r'(?m)^>(>*From )', r'\1', mail.get_payload()).encode().rstrip(b'\n')
        check(failures, text == body.rstrip(b'\n'), '%r is %r' % (body[:40], text[:40]))
        check(failures, mail['X-Failed-Recipients'] == 'b@example.com', 'recipients')
    return failures


TESTS = (kept_and_sent_again, only_to_the_refused, many_recipients, options_of_recipients, composed,
         typed, wrong_configuration, not_kept, no_place, rate_limit, many_at_once, no_state,
         note_is_locked, dead_letter_is_careful, mbox_is_read_back)


def main():
    tests = [(t.__name__, t) for t in TESTS]
    if os.geteuid() == 0:
        tests.append((system_user.__name__, system_user))
    else:
        tests.append((system_user.__name__ + ' # SKIP needs root', None))
    return harness.run_tap(tests)


if __name__ == '__main__':
    sys.exit(main())
