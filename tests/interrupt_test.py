#!/usr/bin/env python3
"""An attempt that a signal ends leaves its record; TAP.

At each stage the server goes silent and the program gets SIGTERM, SIGHUP or SIGINT. It has to
end soon, with 75 (SIGINT: by that signal), and to leave its line in the log, --json, the last of
--events and on_failure, with "may have been accepted" where the end of the content had gone out.
Signals that the caller ignores end nothing.
"""
import json
import os
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402

PROGRAM = harness.binary()
SIGNALS = ('SIGTERM', 'SIGHUP', 'SIGINT')
STAGES = ('greeting', 'EHLO', 'MAIL', 'DATA', 'content', 'dot')
REPLIES = {'greeting': b'220 peer\r\n', 'EHLO': b'250-peer\r\n250 PIPELINING\r\n',
           'MAIL': b'250 ok\r\n250 ok\r\n', 'DATA': b'354 go\r\n', 'dot': b'250 taken\r\n'}
RC = harness.ACCOUNT + '''logfile = %s/log
on_failure = %s
notify_interval = 0
%s
'''


class Server:
    """Answers until the stage, then says nothing until it is let go."""

    def __init__(self, stage, pause=None):
        self.stage, self.pause, self.reached, self.got = stage, pause, False, b''
        self.replies = dict(REPLIES)
        self.listener = harness.Listener(self.serve)
        self.port = self.listener.port

    def quiet(self, sock, stage):
        if stage != self.stage:
            return
        self.reached = True
        if self.pause:
            time.sleep(self.pause)
            return
        sock.settimeout(20 * harness.SCALE)
        if stage == 'content':          # not a word is read: the program waits to write
            time.sleep(20 * harness.SCALE)
        while sock.recv(65536):
            pass
        raise OSError

    def until(self, sock, end):
        while not self.got.endswith(end):
            data = sock.recv(65536)
            if not data:
                raise OSError
            self.got += data

    def serve(self, sock):
        try:
            for stage, end in (('greeting', None), ('EHLO', b'\r\n'), ('MAIL', b'DATA\r\n'),
                               ('DATA', None), ('content', None), ('dot', b'\r\n.\r\n')):
                if end:
                    self.until(sock, end)
                self.quiet(sock, stage)
                sock.sendall(self.replies.get(stage, b''))
            self.until(sock, b'QUIT\r\n')
        except OSError:
            pass


def start(server, folder, message, ignored=False, extra=''):
    hook = os.path.join(folder, 'hook')
    with open(hook, 'w') as f:
        f.write('#!/bin/sh\necho failed >%s/told\n' % folder)
    os.chmod(hook, 0o700)
    with open(os.path.join(folder, 'rc'), 'w') as f:
        f.write(RC % (server.port, folder, hook, extra))
    os.chmod(f.name, 0o600)
    with open(os.path.join(folder, 'message'), 'wb') as f:
        f.write(message)
    if ignored:
        def prepare():
            for name in SIGNALS:
                signal.signal(getattr(signal, name), signal.SIG_IGN)
    else:
        def prepare():
            for name in SIGNALS:
                signal.signal(getattr(signal, name), signal.SIG_DFL)
    events = open(os.path.join(folder, 'events'), 'wb')
    return subprocess.Popen(
        ['msubmit', '-C', f.name.replace('message', 'rc'), '--json', '--events=%d' % events.fileno(),
         'b@example.org'], executable=PROGRAM, stdin=open(f.name, 'rb'), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env=harness.environment(folder), cwd=folder,
        pass_fds=(events.fileno(),), preexec_fn=prepare)


def wait_for(server, child):
    end = time.monotonic() + 20 * harness.SCALE
    while not server.reached and child.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.1)     # it waits now; where it does not, it must notice all the same


def read(folder, name):
    try:
        with open(os.path.join(folder, name), encoding='utf-8', errors='replace') as f:
            return f.read()
    except OSError:
        return ''


def end_of(child, limit=10):
    try:
        out, err = child.communicate(timeout=limit * harness.SCALE)
        return out.decode(), err.decode(), []
    except subprocess.TimeoutExpired:
        child.kill()
        out, err = child.communicate()
        return out.decode(), err.decode(), ['not ended within %d s' % limit]


def check(stage, name):
    number = getattr(signal, name)
    message = b'Subject: x\n\n' + (b'y' * 70 + b'\n') * (600000 if stage == 'content' else 1)
    server = Server(stage)
    with harness.Folder() as folder:
        child = start(server, folder, message)
        wait_for(server, child)
        child.send_signal(number)
        out, err, failures = end_of(child)
        log, told = read(folder, 'log'), read(folder, 'told')
        events = [json.loads(l) for l in read(folder, 'events').splitlines()]
    server.listener.close()
    want = -number if name == 'SIGINT' else 75
    unknown = stage == 'dot'
    try:
        said = json.loads(out)
    except ValueError:
        said = {}
    for fine, words in (
            (server.reached, 'the stage was not reached'),
            (child.returncode == want, 'exit %d, expected %d' % (child.returncode, want)),
            ('ended by ' + name in err, 'nothing said'),
            (('may have been accepted' in err) == unknown, 'accepted or not?'),
            (log.count('\n') == 1 and 'exitcode=EX_TEMPFAIL' in log and name in log, 'log: ' + log),
            (said.get('fault') == 'interrupted' and said.get('unknown') == unknown,
             'json: ' + out),
            (bool(events) and name in json.dumps(events[-1]), 'events: %r' % events[-1:]),
            (told == 'failed\n', 'on_failure was not run'),
            (not harness.sanitizer_words(err), harness.sanitizer_words(err))):
        if not fine:
            failures.append(words)
    return failures + (['stderr: ' + ascii(err)] if failures else [])


def check_ignored():
    server = Server('dot', pause=1)
    with harness.Folder() as folder:
        child = start(server, folder, b'Subject: x\n\ny\n', ignored=True)
        wait_for(server, child)
        for name in SIGNALS:
            child.send_signal(getattr(signal, name))
        _, err, failures = end_of(child)
        log = read(folder, 'log')
    server.listener.close()
    if child.returncode != 0 or 'exitcode=EX_OK' not in log:
        failures += ['exit %d' % child.returncode, 'stderr: ' + ascii(err), 'log: ' + log]
    return failures


def check_command():
    """While a program is asked for the password."""
    server = Server('never')
    server.replies['EHLO'] = b'250-peer\r\n250 AUTH PLAIN\r\n'
    with harness.Folder() as folder:
        child = start(server, folder, b'Subject: x\n\ny\n', extra='auth = plain\n'
                      'auth_plaintext = always\nuser = joe\npassword_command = sh -c "echo yes >asked; sleep 30"')
        end = time.monotonic() + 20 * harness.SCALE
        while not read(folder, 'asked') and time.monotonic() < end:
            time.sleep(0.05)
        child.send_signal(signal.SIGTERM)
        _, err, failures = end_of(child)
        log = read(folder, 'log')
    server.listener.close()
    if child.returncode != 75 or 'exitcode=EX_TEMPFAIL' not in log:
        failures += ['exit %d' % child.returncode, 'stderr: ' + ascii(err), 'log: ' + log]
    return failures


def main():
    tests = [('%s %s' % (stage, name), lambda s=stage, n=name: check(s, n))
             for stage in STAGES for name in SIGNALS]
    tests += [('ignored by the caller', check_ignored), ('password_command', check_command)]
    return harness.run_tap(tests)


if __name__ == '__main__':
    sys.exit(main())
