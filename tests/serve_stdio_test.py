#!/usr/bin/env python3
"""-bs: a session on standard input and output.

MSUBMIT names the program; prints TAP. No root, no network."""
import glob
import os
import socket
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import listener_test
from harness import environment, run_tap
from listener_test import LIMIT, PROGRAM, Server, expect, expect_start, test

TESTS = listener_test.TESTS
TESTS.clear()
START = b'EHLO me\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\nDATA\r\n'


def session(folder, data, *args, wanted=0):
    """Replies of a session into a Maildir; the exit status must be the one wanted."""
    done = subprocess.run([PROGRAM, '-bs', '--deliver=maildir:%s/box' % folder, '--server_name=srv.example', *args],
                          input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(folder),
                          cwd=folder, timeout=LIMIT, check=False)
    assert done.returncode == wanted, (done.returncode, done.stdout, done.stderr)
    return done.stdout.decode('ascii').split('\r\n')[:-1]


def codes(replies):
    return [line[:3] for line in replies if line[3] == ' ']


def bodies(folder):
    texts = []
    for path in sorted(glob.glob(folder + '/box/new/*')):
        with open(path, 'rb') as f:
            texts.append(f.read().partition(b' +0000\n')[2])
    return texts


@test
def whole_session(folder):
    """all commands in one write, even before the greeting, are answered in order; QUIT is 0"""
    replies = session(folder, START + b'Subject: x\r\n\r\n..dot\r\n.\r\nNOOP\r\nVRFY joe\r\nEXPN x\r\nHELP\r\nFOO\r\nQUIT\r\n')
    expect(codes(replies), ['220', '250', '250', '250', '354', '250', '250', '252', '502', '214', '500', '221'])
    expect(bodies(folder), [b'Subject: x\n\n.dot\n'])
    assert not any(r[4:].startswith(('STARTTLS', 'AUTH')) for r in replies), replies


@test
def without_ehlo(folder):
    """MAIL without EHLO, blanks behind the colon, addresses without brackets"""
    replies = session(folder, b'MAIL FROM: a@x.example\nRCPT TO: <b@y.example>\nDATA\nSubject: x\n\nx\n.\nQUIT\n')
    expect(codes(replies), ['220', '250', '250', '354', '250', '221'])


@test
def bare_lf(folder):
    """LF . LF ends the data of a session that has had bare LF only, and of no other"""
    lf = START.replace(b'\r\n', b'\n')
    expect(codes(session(folder, lf + b'Subject: x\n\nx\n.\nNOOP\n'))[-2:], ['250', '250'])
    expect(bodies(folder), [b'Subject: x\n\nx\n'])
    mixed = b'EHLO me\r\n' + lf[len(b'EHLO me\n'):]
    for data in (mixed + b'x\n.\nNOOP\n', START + b'x\n.\nNOOP\r\n', lf + b'x\r\n.\nNOOP\n', lf + b'x\n.\r\nNOOP\n',
                 lf + b'x\r\n\n.\nNOOP\n'):
        expect(codes(session(folder, data, wanted=75))[-1], '354')
        expect(len(bodies(folder)), 1)
    # one message with CRLF, and LF does not end the next
    data = lf + b'x\n.\n' + START + b'y\r\n.\r\n' + lf[len(b'EHLO me\n'):] + b'z\n.\n'
    expect(codes(session(folder, data, wanted=75))[-1], '354')
    expect(len(bodies(folder)), 3)


@test
def early_end(folder):
    """standard input ends: 0 outside a transaction, 75 within; nothing is delivered"""
    expect(codes(session(folder, b'')), ['220'])
    expect(codes(session(folder, b'EHLO me\r\n')), ['220', '250'])
    data = START + b'Subject: x\r\n\r\nbody\r\n.\r\n'
    for end in range(len(data)):
        wanted = 75 if b'MAIL FROM:<a@x.example>\r\n' in data[:end] else 0
        session(folder, data[:end], wanted=wanted)
        expect(bodies(folder), [])


@test
def options_beside(folder):
    """-odb, -oem, -om, -v, -f and others go along; addresses and -t do not"""
    for args in (['-odb', '-oem', '-om', '-v'], ['-i'], ['-f', 'z@x.example'], ['-t'], ['b@y.example']):
        wanted = 64 if args[0] in ('-t', 'b@y.example') else 0
        replies = session(folder, b'MAIL FROM:<a@x.example>\r\nRSET\r\nQUIT\r\n', *args, wanted=wanted)
        expect(codes(replies), [] if wanted else ['220', '250', '250', '221'])


@test
def nonsense(folder):
    """more than twenty errors: 421 and 76; a line without end is 500"""
    expect(codes(session(folder, b'FOO\r\n' * 30, wanted=76)), ['220'] + 20 * ['500'] + ['421'])
    expect(codes(session(folder, b'NOOP ' + b'x' * 5000 + b'\r\nNOOP ' + b'x' * 3000 + b'\r\nQUIT\r\n')),
           ['220', '500', '250', '221'])


@test
def through_the_account(folder):
    """the smarthost's replies come back: for each recipient, and for the message"""
    with Server(folder, max_rcpt='1') as relay:
        rc = os.path.join(folder, 'rc')
        with open(rc, 'w', encoding='ascii') as f:
            f.write('[account default]\nhost = 127.0.0.1\nport = %d\ntls = off\nauth = off\nfrom = a@x.example\n'
                    % relay.address[1])
        os.chmod(rc, 0o600)
        done = subprocess.run([PROGRAM, '-C', rc, '-bs'], env=environment(folder), cwd=folder, timeout=LIMIT,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, input=START.replace(
                                  b'DATA', b'RCPT TO:<c@y.example>\r\nDATA') + b'Subject: x\r\n\r\nx\r\n.\r\nQUIT\r\n')
        replies = done.stdout.decode('ascii').split('\r\n')[:-1]
        expect((done.returncode, codes(replies)), (0, ['220', '250', '250', '250', '451', '354', '250', '221']))
        assert 'stored as' in replies[-2], replies
        expect(len(relay.messages()), 1)


@test
def socketpair(folder):
    """standard input may be a Unix socket of the caller, read line by line"""
    ours, theirs = socket.socketpair()
    process = subprocess.Popen([PROGRAM, '-bs', '--deliver=maildir:%s/box' % folder], stdin=theirs, stdout=theirs,
                               env=environment(folder), cwd=folder)
    theirs.close()
    with ours, ours.makefile('rb') as f:
        ours.settimeout(LIMIT)
        expect_start(f.readline().decode(), '220 ')
        for command in (b'HELO me', b'MAIL FROM:<>', b'RCPT TO:<b@y.example>', b'RSET', b'QUIT'):
            ours.sendall(command + b'\r\n')
            expect_start(f.readline().decode(), '2')
    expect(process.wait(LIMIT), 0)


if __name__ == '__main__':
    sys.exit(run_tap(TESTS))
