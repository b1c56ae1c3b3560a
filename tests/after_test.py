#!/usr/bin/env python3
"""What comes behind the last reply does not change the result; TAP."""
import os
import resource
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402

PROGRAM = harness.binary()
RC = harness.ACCOUNT + '''logfile = %s
notify_interval = 0
%s
'''
TESTS = harness.Tests()


def server(last):
    def serve(sock):
        with sock, sock.makefile('rwb') as f:
            f.write(b'220 peer\r\n')
            f.flush()
            for line in f:
                word = line[:4].upper()
                if word == b'DATA':
                    f.write(b'354 go\r\n')
                    f.flush()
                    while f.readline() not in (b'.\r\n', b''):
                        pass
                    f.write(last + b'\r\n')
                else:
                    f.write(b'221 bye\r\n' if word == b'QUIT' else b'250 ok\r\n')
                f.flush()
    return harness.Listener(serve)


def start(folder, last, log='log', extra='', hook='exit 0', before=None):
    peer = server(last)
    with open(folder + '/hook', 'w') as f:
        f.write('#!/bin/sh\n' + hook + '\n')
    os.chmod(folder + '/hook', 0o700)
    with open(folder + '/rc', 'w') as f:
        f.write(RC % (peer.port, os.path.join(folder, log), extra))
    os.chmod(folder + '/rc', 0o600)
    with open(folder + '/message', 'w') as f:
        f.write('Subject: x\n\ny\n')
    child = subprocess.Popen(['msubmit', '-C', 'rc', 'b@example.org'], executable=PROGRAM,
                             stdin=open(folder + '/message', 'rb'), stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, cwd=folder, env=harness.environment(folder),
                             preexec_fn=before)
    return peer, child


def end(peer, child, limit=20):
    begun = time.monotonic()
    try:
        err = child.communicate(timeout=limit * harness.SCALE)[1].decode()
    except subprocess.TimeoutExpired:
        child.kill()
        err = child.communicate()[1].decode() + ' (hung)'
    peer.close()
    return err, time.monotonic() - begun


for name in ('SIGINT', 'SIGTERM', 'SIGHUP'):
    @TESTS.named(name + ' while on_failure runs')
    def signalled(name=name):
        with harness.Folder() as folder:
            peer, child = start(folder, b'554 5.6.0 no', extra='on_failure = %s/hook' % folder,
                                hook='echo >%s/told; sleep 1; echo >%s/done' % (folder, folder))
            until = time.monotonic() + 20 * harness.SCALE
            while not os.path.exists(folder + '/told') and time.monotonic() < until:
                time.sleep(0.02)
            child.send_signal(getattr(signal, name))
            err, _ = end(peer, child)
            done = os.path.exists(folder + '/done')
        return [] if child.returncode == 69 and done else ['exit %r, %s' % (child.returncode, err)]


@TESTS.named('a hook that stops itself')
def stopped():
    with harness.Folder() as folder:
        peer, child = start(folder, b'554 5.6.0 no', hook='kill -STOP $$',
                            extra='on_failure = %s/hook\non_failure_timeout = 1' % folder)
        err, seconds = end(peer, child)
    return [] if child.returncode == 69 and seconds < 8 * harness.SCALE else \
        ['exit %r, %s, %g s' % (child.returncode, err, seconds)]


@TESTS.named('a log file that nobody reads')
def pipe():
    with harness.Folder() as folder:
        os.mkfifo(folder + '/log')
        peer, child = start(folder, b'250 ok')
        err, seconds = end(peer, child)
    return [] if child.returncode == 0 and not err and seconds < 8 * harness.SCALE else \
        ['exit %r, %s, %g s' % (child.returncode, err, seconds)]


for mode, followed in ((0o700, True), (0o755, True), (0o770, False), (0o1777, False)):
    @TESTS.named('a log file that is a link in a folder of mode %04o' % mode)
    def link(mode=mode, followed=followed):
        with harness.Folder() as folder:
            os.mkdir(folder + '/logs')
            os.chmod(folder + '/logs', mode)
            with open(folder + '/victim', 'w') as f:
                f.write('mine\n')
            os.symlink(folder + '/victim', folder + '/logs/log')
            peer, child = start(folder, b'554 5.6.0 no', log='logs/log')
            err, _ = end(peer, child)
            with open(folder + '/victim') as f:
                text = f.read()
        if child.returncode != 69 or ('host=' in text) != followed or \
           ('cannot write the log' in err) == followed:
            return ['exit %r, %s, %s' % (child.returncode, err, text)]
        return []


@TESTS.named('a stack of 64 KiB')
def small_stack():
    with open(PROGRAM, 'rb') as f:
        if b'__asan' in f.read() or harness.SCALE > 1:
            return []       # a sanitizer needs more
    limit = resource.getrlimit(resource.RLIMIT_STACK)
    with harness.Folder() as folder:
        peer, child = start(folder, b'250 ok', before=lambda: resource.setrlimit(
            resource.RLIMIT_STACK, (65536, limit[1])))
        err, _ = end(peer, child)
    return [] if child.returncode == 0 and not err else ['exit %r, %s' % (child.returncode, err)]


if __name__ == '__main__':
    sys.exit(harness.run_tap(TESTS))
