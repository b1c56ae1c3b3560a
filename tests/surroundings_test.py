#!/usr/bin/env python3
"""What a caller hands over besides words: signals, descriptors, environment; TAP.

doc/sendmail.md#surroundings. The server of each case is a dialogue
(peer.py) or a sink; no time is measured.
"""
import os
import pty
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402
from servers.common import Sink                                         # noqa: E402

MESSAGE = b'Subject: x\n\nbody\n'
LARGE = b'Subject: x\n\n' + b'line of text\n' * 40000


class Half:
    """A server that is silent from a command on; said is set when it has come."""

    def __init__(self, silent_at, last=b''):
        self.silent_at, self.last = silent_at, last
        self.said, self.over = threading.Event(), threading.Event()
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with self.listener.accept()[0] as c, c.makefile('rb') as lines:
            c.sendall(b'220 half\r\n')
            data = False
            for line in iter(lines.readline, b''):
                verb = line.strip().upper()
                if data and line != b'.\r\n':
                    continue
                if verb.startswith(self.silent_at):
                    c.sendall(self.last)
                    self.said.set()
                    self.over.wait(30 * harness.SCALE)
                    return
                data = verb == b'DATA'
                c.sendall(b'354 go\r\n' if data else b'250 ok\r\n')

    def close(self):
        self.over.set()
        self.listener.close()


def words(port, *more):
    return ['msubmit', '--host=127.0.0.1', '--port=%d' % port, '--tls=off', '--syslog=off',
            '--aliases=', '--domain=c.example', '--from=s@example.org'] + list(more) + \
        ['r@example.net']


def start(port, *more, home='/', **options):
    options.setdefault('env', harness.environment(home))
    options.setdefault('stdin', subprocess.PIPE)
    return subprocess.Popen(words(port, *more), executable=harness.binary(), cwd=home,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


def finish(child, data=None):
    try:
        out, err = child.communicate(data, timeout=30 * harness.SCALE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
        return None, 'it did not end'
    return child.returncode, (out + err).decode('utf-8', 'replace')


def with_sink(test):
    def case():
        sink = Sink(extensions=('8BITMIME',))
        try:
            with harness.Folder() as home:
                return test(sink, home) or []
        finally:
            sink.close()
    return case


def wanted(sink, got, status=0, mails=1):
    if got[0] == status and len(sink.mails) == mails and not sink.faults:
        return []
    return ['status %s, %d mails, %s %s' % (got[0], len(sink.mails), got[1], sink.faults)]


# --- signals ---------------------------------------------------------------------------


def interrupted(number):
    """Before the final reply: it ends, and not with success."""
    def case():
        server = Half(b'.')
        child = start(server.port)
        child.stdin.write(MESSAGE)
        child.stdin.close()
        child.stdin = None
        server.said.wait(30 * harness.SCALE)
        child.send_signal(number)
        status, text = finish(child)
        server.close()
        return [] if status not in (0, None) else ['status %s %s' % (status, text)]
    return case


def after_the_reply():
    """The final reply has come, and then the server hangs: the mail is sent."""
    server = Half(b'.', b'250 2.0.0 kept\r\n')
    status, text = finish(start(server.port), MESSAGE)
    server.close()
    return [] if status == 0 else ['status %s %s' % (status, text)]


def before_the_end(sink, home):
    """While standard input is read: nothing is sent."""
    child = start(sink.port, home=home)
    child.stdin.write(MESSAGE)
    child.stdin.flush()
    child.send_signal(signal.SIGTERM)
    got = finish(child)
    return [] if got[0] not in (0, None) and not sink.mails else ['%s, %d mails' %
                                                                  (got, len(sink.mails))]


def pipe_of_nobody(sink, home):
    """-v to a pipe that nobody reads any more."""
    ours, theirs = os.pipe()
    os.close(ours)
    child = subprocess.Popen(words(sink.port, '-v'), executable=harness.binary(), cwd=home,
                             stdin=subprocess.PIPE, stdout=theirs, stderr=theirs,
                             env=harness.environment(home), restore_signals=True)
    os.close(theirs)
    return wanted(sink, finish2(child, MESSAGE))


def finish2(child, data):
    child.stdin.write(data)
    child.stdin.close()
    return child.wait(30 * harness.SCALE), ''


def signals_blocked(sink, home):
    def enter():
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    return wanted(sink, finish(start(sink.port, home=home, preexec_fn=enter), MESSAGE))


def password(script, status, enter):
    """A password command is run as if the caller had done nothing odd."""
    def case():
        with harness.Folder() as home:
            with open(home + '/command', 'w', encoding='utf-8') as f:
                f.write('#!/bin/sh\n' + script)
            os.chmod(f.name, 0o755)
            server = Login()
            child = start(server.port, '--auth=plain', '--user=joe', '--auth-plaintext=always',
                          '--password-command=%s/command' % home,
                          home=home, preexec_fn=enter, close_fds=False)
            got = finish(child, MESSAGE)
            server.close()
            left = open(home + '/said', encoding='utf-8').read() \
                if os.path.exists(home + '/said') else ''
        return [] if got[0] == status and not left else ['%s %s, %s' % (got, left, server.lines)]
    return case


class Login(Sink):
    """A sink with AUTH PLAIN for joe and the password "secret"."""

    def __init__(self):
        self.lines = []
        super().__init__(extensions=('AUTH PLAIN',))

    def talk(self, lines, say):
        def answer(text):
            last = self.lines[-1] if self.lines else b''
            if last.startswith(b'AUTH'):
                right = last.strip().endswith(b'AGpvZQBzZWNyZXQ=')
                text = '235 2.7.0 ok' if right else '535 5.7.8 no'
            say(text)
        super().talk(Lines(lines, self.lines), answer)


class Lines:
    def __init__(self, file, kept):
        self.file, self.kept = file, kept

    def readline(self):
        self.kept.append(self.file.readline())
        return self.kept[-1]


def ignore_children():
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)


def block_all():
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())


def open_more():
    """Descriptor 9 of the caller: nobody's business but its own."""
    os.dup2(0, 9)
    os.set_inheritable(9, True)


def open_wide():
    """A caller that lets core files be written, and everybody read what is made."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    os.umask(0)


# --- descriptors, files ----------------------------------------------------------------


def whole_input(*more):
    """An error that is known at once: the producer writes all, and gets no SIGPIPE."""
    def case():
        with harness.Folder() as home:
            child = subprocess.Popen(['msubmit'] + list(more), executable=harness.binary(),
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, cwd=home,
                                     env=harness.environment(home))
            try:
                child.stdin.write(LARGE)
                child.stdin.close()
            except BrokenPipeError:
                return ['the input was not read']
            child.stdin = None
            got = finish(child)
        return [] if got[0] else [str(got)]
    return case


def late_input(sink, home):
    """The message is read whole before anything is connected to."""
    child = start(sink.port, home=home)
    child.stdin.write(LARGE)
    child.stdin.flush()
    if sink.changed and sink.mails:
        return ['sent before the end']
    return wanted(sink, finish(child, b'end\n'))


def file_limit(sink, home):
    """A message that fits into memory needs no file, whatever the limit."""
    def enter():
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    return wanted(sink, finish(start(sink.port, home=home, preexec_fn=enter), MESSAGE))


def no_arguments():
    """At a terminal, without a word: nobody wants to type a message."""
    ours, theirs = pty.openpty()
    child = subprocess.run(['msubmit'], executable=harness.binary(), stdin=theirs, check=False,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           env=harness.environment('/'), timeout=20 * harness.SCALE)
    os.close(ours)
    os.close(theirs)
    text = child.stderr.decode()
    return [] if child.returncode == 64 and 'usage: ' in text and not child.stdout else \
        ['%d %s' % (child.returncode, text)]


def bare_root(home):
    """A root folder with the program and what it is linked to, and nothing else: no /dev/null."""
    root = home + '/root'
    linked = subprocess.run(['ldd', harness.binary()], stdout=subprocess.PIPE, text=True,
                            check=False).stdout
    for path in re.findall(r'(/[^ ]+) \(', linked):
        os.makedirs(root + os.path.dirname(path), exist_ok=True)
        shutil.copy(path, root + path)
    shutil.copy(harness.binary(), root + '/msubmit')
    return ['unshare', '-r', '-R', root, '/msubmit']


def can_change_root():
    with harness.Folder() as home:
        return subprocess.run(bare_root(home) + ['--version'], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              check=False).returncode == 0


def without_null(closed):
    """Descriptors closed, and nothing to put in their place."""
    def enter():
        for fd in closed:
            os.close(fd)

    def case(sink, home):
        child = subprocess.Popen(bare_root(home) + words(sink.port)[1:], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 env=harness.environment('/'), preexec_fn=enter)
        return wanted(sink, finish(child, None if 0 in closed else MESSAGE))
    return with_sink(case)


def typed(text, status, *more):
    """Typed at a terminal, without any ^D: what ends the message sends it."""
    def case(sink, home):
        ours, theirs = pty.openpty()
        child = start(sink.port, *more, home=home, stdin=theirs)
        os.close(theirs)
        os.write(ours, text)
        got = finish(child)
        os.close(ours)
        wrong = wanted(sink, got, status)
        if not wrong and not sink.mails[0].data.endswith(b'typed\r\n'):
            wrong = [repr(sink.mails[0].data)]
        return wrong
    return with_sink(case)


# --- environment -----------------------------------------------------------------------


def sender_of_nothing(sink, home):
    """No variable chooses the sender; languages change nothing."""
    env = dict(harness.environment(home), LOGNAME='evil', USER='evil', MAILUSER='evil',
               MAILNAME='evil.example', MAILHOST='evil.example', EMAIL='evil@evil.example',
               HOSTNAME='evil.example', REPLYTO='evil@evil.example', LC_ALL='tr_TR.UTF-8',
               LANG='de_DE.UTF-8', LANGUAGE='de', TZ='UTC', NAME='')
    wrong = wanted(sink, finish(start(sink.port, home=home, env=env), MESSAGE))
    if wrong:
        return wrong
    mail = sink.mails[0]
    if b'evil' in mail.data or mail.sender != b's@example.org':
        return [repr(mail.data)]
    return []


def nearly_empty(sink, home):
    return wanted(sink, finish(start(sink.port, home=home, env={}), MESSAGE))


TESTS = [('SIG%s while the server is asked' % n, interrupted(getattr(signal, 'SIG' + n)))
         for n in ('HUP', 'INT', 'TERM')] + [
    ('the server hangs behind its last reply', after_the_reply),
    ('SIGTERM while the input is read', with_sink(before_the_end)),
    ('stdout and stderr are a pipe of nobody', with_sink(pipe_of_nobody)),
    ('all signals blocked', with_sink(signals_blocked)),
    ('password command', password('echo secret\n', 0, None)),
    ('password command, SIGCHLD ignored', password('echo secret\n', 0, ignore_children)),
    ('password command fails, SIGCHLD ignored', password('echo secret\nexit 3\n', 78,
                                                         ignore_children)),
    ('password command with children, SIGCHLD ignored',
     password('true || exit 3\n(exit 4)\n[ $? = 4 ] || exit 5\necho secret\n', 0,
              ignore_children)),
    ('password command, signals blocked',
     password('kill -TERM $$\necho secret\n', 78, block_all)),
    ('password command and descriptors',
     password('echo secret\n[ -e /proc/self/fd/9 ] && echo 9 > said\nexit 0\n', 0, open_more)),
    ('no core file, no file for others',
     password('echo secret\n[ $(ulimit -c) = 0 ] || ulimit -c > said\n'
              '[ $(umask) = 0077 ] || umask >> said\n', 0, open_wide)),
    ('no recipients', whole_input()),
    ('bad address', whole_input('a@@b')),
    ('no configuration', whole_input('-C', '/nowhere', 'a@example.net')),
    ('input that comes late', with_sink(late_input)),
    ('no file may be written', with_sink(file_limit)),
    ('no arguments, at a terminal', no_arguments),
    ('a lone dot at a terminal', typed(b'Subject: x\n\ntyped\n.\n', 0)),
    ('a lone dot at a terminal, with -i', typed(b'Subject: x\n\n.\ntyped\n\x04', 0, '-i')),
    ('variables choose no sender', with_sink(sender_of_nothing)),
    ('no environment', with_sink(nearly_empty)),
]

for descriptors in ([1], [2], [0, 1, 2]):
    name = 'closed without /dev/null: %s' % descriptors
    TESTS.append((name, without_null(descriptors)) if can_change_root() else
                 (name + ' # SKIP no unshare', None))

if __name__ == '__main__':
    sys.exit(harness.run_tap(TESTS))
