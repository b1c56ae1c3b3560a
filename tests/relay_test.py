#!/usr/bin/env python3
"""The listener in front of another server: clients that go, a queue that is sent from at once,
a sign-in that fails.

MSUBMIT names the program; prints TAP. No root, no network, free ports only."""
import os
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import listener_test
from deliver_test import HELLO, Next, Through, converse, script
from harness import binary, environment, run_tap
from listener_test import LIMIT, Server, expect, expect_start, wait_until

PROGRAM = binary()
TESTS = listener_test.TESTS = []
test = listener_test.test
BODY = b'Subject: x\r\n\r\nbody\r\n'
ENVELOPE = b'EHLO me\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\n'
SESSIONS = {'DATA': ENVELOPE + b'DATA\r\n' + BODY + b'.\r\n', 'BDAT': ENVELOPE + b'BDAT %d LAST\r\n' % len(BODY) + BODY,
            'BDAT in two': ENVELOPE + b'BDAT 5\r\n' + BODY[:5] + b'BDAT %d LAST\r\n' % (len(BODY) - 5) + BODY[5:]}


def goes_after(server, octets):
    """What a client hears that says so much and goes; in an orderly way, so that its end is seen."""
    with server.connect() as c:
        c.reply()
        c.send(octets)
        c.sock.shutdown(socket.SHUT_WR)
        return c.rest()


def gone(name):
    def run(folder):
        whole = SESSIONS[name]
        with Next() as peer, Through(folder, peer.port) as server:
            for n in range(len(whole)):
                heard = goes_after(server, whole[:n])
                assert b'next has it' not in heard and not peer.messages, (n, heard)
            assert b'250 2.0.0 next has it as 0' in goes_after(server, whole)
            expect(len(peer.messages), 1)
            expect(server.entries(), [])
    run.__doc__ = 'through: a client that is gone at each octet: nothing half taken (%s)' % name
    return run


for _name in SESSIONS:
    test(gone(_name))


def beside_queue(folder, peer, more='', interval='-q1h'):
    server = Through(folder, peer.port, deliver='queue:next', more=more)
    server.args.append(interval)
    return server


@test
def queue_at_once(folder):
    """queue: with -q1h beside it each message is on its way at once, over one session"""
    with Next() as peer, beside_queue(folder, peer) as server:
        for k in range(6):
            expect_start(converse(server, HELLO)[-1], '250 2.0.0 queued as ')
            wait_until(lambda n=k: len(peer.messages) == n + 1, 'message %d' % k)
            time.sleep(0.2)
        wait_until(lambda: server.entries() == [], 'an empty queue')
        assert peer.sessions < 4, peer.sessions


@test
def queue_pause_between(folder):
    """... and after a while without any, over another one"""
    with Next() as peer, beside_queue(folder, peer) as server:
        for k in range(2):
            expect_start(converse(server, HELLO)[-1], '250 2.0.0 queued as ')
            wait_until(lambda n=k: len(peer.messages) == n + 1, 'message %d' % k)
            wait_until(lambda n=k: peer.lines.count('QUIT') == n + 1, 'the end of the session')
        expect(peer.sessions, 2)


@test
def queue_held(folder):
    """... but for what is to wait until its release, or till it can be taken back"""
    with Next() as peer, beside_queue(folder, peer) as server:
        time.sleep(2.5)                                 # the run at its start is over
        held = ['EHLO me', 'MAIL FROM:<a@x.example> HOLDFOR=3600', HELLO[2]]
        expect_start(converse(server, held)[-1], '250 2.0.0 queued as ')
        expect_start(converse(server, HELLO)[-1], '250 2.0.0 queued as ')
        wait_until(lambda: peer.messages, 'the other message')
        wait_until(lambda: len(server.entries()) == 1, 'it to be out of the queue')
        time.sleep(0.3)
        expect(len(peer.messages), 1)


@test
def queue_server_down(folder):
    """... and while the server cannot be reached, one is tried, and all are kept"""
    def away(line, _session):
        return '421 4.3.2 not now' if line.startswith('EHLO') else ''
    with Next(away) as peer, beside_queue(folder, peer) as server:
        for _ in range(10):
            expect_start(converse(server, HELLO)[-1], '250 2.0.0 queued as ')
        wait_until(lambda: peer.sessions, 'a try')
        time.sleep(0.5)
        expect(len(server.entries()), 10)
        assert peer.sessions <= 3, peer.sessions


def refuses_auth(line, _session):
    return '535 5.7.8 wrong password' if line.startswith('AUTH') else ''


@test
def service_cannot_sign_in(folder):
    """a wrong password of the service: its user hears 75 and why, or has the message in his queue; the log says it"""
    path = os.path.join(folder, 'user.rc')
    sock = os.path.join(folder, 'socket')
    more = 'auth = plain\nauth_plaintext = always\nuser = u\npassword = secret\n'

    def submit(setting):
        with open(path, 'w', encoding='utf-8') as f:
            f.write('[account default]\nvia = service\nservice_socket = %s\naliases =\nfrom = me@own.example\n'
                    'domain = client.example\nsyslog = off\nqueue_dir = %s/mine\n%s\n' % (sock, folder, setting))
        os.chmod(path, 0o600)
        done = subprocess.run([PROGRAM, '-C', path, 'b@y.example'], input=BODY, env=environment(folder), cwd=folder,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=LIMIT)
        return done.returncode, done.stderr.decode()
    with Next(refuses_auth, keywords=('AUTH PLAIN', )) as peer:
        server = Through(folder, peer.port, more=more, listen='unix:' + sock)
        with open(folder + '/rc', 'a', encoding='utf-8') as f:
            f.write('protocol = lmtp\n')
        server.args = [word for word in server.args if 'port-file' not in word and 'port_file' not in word]
        server.port_file = os.devnull
        process = server.popen()
        try:
            wait_until(lambda: os.path.exists(sock), 'the service')
            status, text = submit('queue = never')
            expect((status, status != 75 and text), (75, False))
            assert '451 4.7.0' in text and 'secret' not in text, text
            assert '535 5.7.8 wrong password' in text, text
            expect(submit('queue = auto')[0], 0)
            expect(len([n for _, _, names in os.walk(folder + '/mine') for n in names if len(n) == 16]), 1)
            wait_until(lambda: '535 5.7.8 wrong password' in server.stderr(), 'a line of the log')
        finally:
            process.terminate()
            expect(process.wait(LIMIT), 0)
        expect(peer.messages, [])


@test
def reload_keeps_rates(folder):
    """SIGHUP: what a user has sent of user_rate is known still"""
    path = os.path.join(folder, 'socket')
    with Server(folder) as server:
        with open(folder + '/local.rc', 'w', encoding='utf-8') as f:
            f.write('[listen a]\nlisten = unix:%s\ndeliver = maildir:%s/box2\nuser_rate = 2/1h\n' % (path, folder))
        os.chmod(folder + '/local.rc', 0o600)
        server.args = [PROGRAM, '-bD', '-C', folder + '/local.rc']
        process = server.popen()

        def mail():
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(path)
                sock.sendall(b'EHLO me\r\nMAIL FROM:<a@x.example>\r\nQUIT\r\n')
                with sock.makefile('rb') as lines:
                    return [line[:9].decode() for line in lines if line[3:4] == b' '][2]
        try:
            wait_until(lambda: os.path.exists(path), 'the listener')
            expect(mail(), '250 2.1.0')
            process.send_signal(signal.SIGHUP)
            wait_until(lambda: 'result=reloaded' in server.stderr(), 'the new settings')
            expect([mail(), mail()], ['250 2.1.0', '450 4.7.1'])
        finally:
            process.terminate()
            process.wait(LIMIT)


@test
def vrfy(folder):
    """VRFY: 250 for names of the alias file where vrfy_aliases says so, to whom has signed in; 252 for all else"""
    told = ['250 2.1.5 <one@y.example> <two-550@y.example>', '250 2.1.5 <admin@own.example>', '250 2.1.5 <null@own.example>', '252 2.5.2',
            '252 2.5.2', '252 2.5.2', '501 5.5.4']
    words = ['VRFY team', 'VRFY root', 'VRFY null', 'VRFY b@y.example', 'VRFY nobody', 'VRFY <@', 'VRFY']
    with Next() as peer, Through(folder, peer.port, vrfy_aliases='on') as server:
        replies = converse(server, HELLO[:2] + words + HELLO[2:])
        for reply, wanted in zip(replies[2:], told):
            expect_start(reply, wanted)
        expect_start(replies[-1], '250 2.0.0')          # within a transaction, which goes on
        expect([m['rcpt'] for m in peer.messages], [['RCPT TO:<b@y.example>']])
    for options in ({}, {'vrfy_aliases': 'on', 'auth_required': 'on', 'auth_plain_loopback': 'on',
                         'auth_file': listener_test.users(folder)}):
        with Through(folder, 9, **options) as server:
            expect_start(converse(server, ['EHLO me', 'VRFY team'], None)[1], '252 2.5.2')


HANGS = '''
import ctypes
libc = ctypes.CDLL(None)
me, told = os.getpid(), os.pipe()
libc.prctl(0x59616d61, ctypes.c_ulong(-1 & 0xffffffffffffffff))         # anybody may trace it
if os.fork() == 0:
    os.setsid()
    traced = libc.ptrace(0x4206, me, 0, 0x40) == 0                      # PTRACE_SEIZE, stops at its exit
    os.write(told[1], b'x' if traced else b'-')
    open(%r, 'w').write('%%d' %% os.getpid() if traced else '')
    for fd in range(4):
        os.close(fd)
    time.sleep(60)
    os._exit(0)
os.read(told[0], 1)
time.sleep(60)
'''


@test
def hook_that_hangs(folder):
    """a hook that is killed and does not end (as one that hangs in the kernel) is not waited for"""
    told = os.path.join(folder, 'tracer')
    with Server(folder, on_message=script(folder, HANGS % told), hook_timeout='1') as server:
        begun = time.monotonic()
        expect_start(converse(server, HELLO)[-1], '451 4.3.0')
        with open(told, encoding='ascii') as f:
            tracer = f.read()
        if tracer:
            assert time.monotonic() - begun < 20, time.monotonic() - begun
            os.kill(int(tracer), signal.SIGKILL)


if __name__ == '__main__':
    sys.exit(run_tap(TESTS))
