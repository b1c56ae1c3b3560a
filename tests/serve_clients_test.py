#!/usr/bin/env python3
"""The server and the programs of others: smtplib, curl, msmtp, swaks, nmh, and our own client.

MSUBMIT names the program; prints TAP. No root, no network, free ports only."""
import base64
import glob
import os
import re
import shutil
import smtplib
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import listener_test
from harness import environment, run_tap
from listener_test import LIMIT, MESSAGE, PROGRAM, Server, expect, expect_start, secure, test
from serve_test import Daemon

TESTS = listener_test.TESTS
TESTS.clear()
POST = '/usr/lib/mh/post'


def run(folder, *argv, data=MESSAGE, wanted=0):
    done = subprocess.run(argv, input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=environment(folder), cwd=folder, timeout=LIMIT, check=False)
    assert done.returncode == wanted, (argv, done.returncode, done.stdout)
    return done.stdout


def if_there(program, function):
    """A test that needs that program."""
    if shutil.which(program):
        test(function)
    else:
        TESTS.append((function.__doc__ + ' # SKIP %s is not installed' % program, lambda: []))


@test
def python(folder):
    """smtplib: several messages a session, refused recipients, RSET, all of its commands"""
    with Server(folder) as server, smtplib.SMTP(*server.address, timeout=LIMIT) as smtp:
        for _ in range(3):
            smtp.sendmail('a@x.example', ['b@y.example', 'c@y.example'], MESSAGE)
        expect(smtp.sendmail('a@x.example', ['b@y.example', 'bad'], MESSAGE)['bad'][0], 501)
        expect(smtp.rset()[0], 250)
        expect(smtp.verify('b@y.example')[0], 252)
        expect(smtp.expn('b')[0], 502)
        assert b'EHLO' in smtp.help()
        expect(len(server.messages()), 4)


def curl(folder):
    """curl: clear text, and STARTTLS with sign-in"""
    server, _ = secure(folder, auth_required='on')
    with open(os.path.join(folder, 'm'), 'wb') as f:
        f.write(MESSAGE)
    common = ('--mail-from', 'a@x.example', '--mail-rcpt', 'b@y.example', '-T', folder + '/m', '-sS')
    with server:
        run(folder, 'curl', 'smtp://127.0.0.1:%d' % server.address[1], *common, wanted=55)
        run(folder, 'curl', '--ssl-reqd', '--cacert', folder + '/certs/ca.pem', '-u', 'joe:secret',
            'smtp://localhost:%d' % server.address[1], *common)
        expect(len(server.messages()), 1)


def msmtp(folder):
    """msmtp: SMTP and LMTP"""
    for protocol, count in (('smtp', 1), ('lmtp', 2)):
        server = Server(folder)
        if protocol == 'lmtp':
            rc = os.path.join(folder, 'rc')
            with open(rc, 'w', encoding='ascii') as f:
                f.write('[listen x]\nprotocol = lmtp\nlisten = 127.0.0.1:0\nport_file = %s/port\npid_file = %s/pid\n'
                        'deliver = maildir:%s/box\n' % (folder, folder, folder))
            os.chmod(rc, 0o600)
            server.args = [PROGRAM, '-C', rc, '-bd', '--foreground']
        with server:
            run(folder, 'msmtp', '--file=/dev/null', '--host=127.0.0.1', '--port=%d' % server.address[1],
                '--protocol=' + protocol, '--from=a@x.example', 'b@y.example', 'c@y.example')
            expect(len(server.messages()), count)


def swaks(folder):
    """swaks: TLS, sign-in, pipelining"""
    server, _ = secure(folder, auth_required='on')
    with server:
        text = run(folder, 'swaks', '--server', '127.0.0.1', '--port', str(server.address[1]), '--tls', '--pipeline',
                   '--auth', 'PLAIN', '--auth-user', 'joe', '--auth-password', 'secret', '--from', 'a@x.example',
                   '--to', 'b@y.example,c@y.example', '--h-Subject', 'x', data=b'')
        assert b'221 2.0.0' in text, text
        expect(len(server.messages()), 1)


def nmh(folder):
    """nmh's post, over TCP and with -bs as its sendmail/smtp"""
    with open(os.path.join(folder, 'draft'), 'w', encoding='ascii') as f:
        f.write('From: a@x.example\nTo: b@y.example\nSubject: x\n\nbody\n')
    with open(os.path.join(folder, '.mh_profile'), 'w', encoding='ascii') as f:
        f.write('Path: Mail\nlocalname: x.example\n')
    os.makedirs(os.path.join(folder, 'Mail'), exist_ok=True)
    with Server(folder) as server:
        run(folder, POST, '-mts', 'smtp', '-server', '127.0.0.1', '-port', str(server.address[1]), folder + '/draft')
        expect(len(server.messages()), 1)
        script = os.path.join(folder, 'sendmail')
        with open(script, 'w', encoding='ascii') as f:
            f.write('#!/bin/sh\nexec %s --deliver=maildir:%s "$@"\n' % (PROGRAM, server.box))
        os.chmod(script, 0o700)
        run(folder, POST, '-mts', 'sendmail/smtp', '-sendmail', script, folder + '/draft')
        expect(len(server.messages()), 2)


@test
def scram(folder):
    """our own client signs in by SCRAM: the right password, a wrong one, a crypt(3) hash, nobody"""
    with open(os.path.join(folder, 'pw'), 'w', encoding='ascii') as f:
        f.write('other')
    os.chmod(folder + '/pw', 0o600)
    server, _ = secure(folder, auth_required='on', auth_plain_loopback='on', auth_scram='on')
    with server:
        for mechanism in ('scram-sha-256', 'scram-sha-1'):
            for user, wanted in (('ann', 0), ('joe', 77), ('nobody', 77), ('ann', 0)):
                run(folder, PROGRAM, '-C', '/dev/null', '--host=127.0.0.1', '--port=%d' % server.address[1],
                    '--tls=off', '--auth=' + mechanism, '--user=' + user, '--password-file=' + folder + '/pw',
                    '--from=a@x.example', 'b@y.example', wanted=wanted)
        expect(len(server.messages()), 4)


@test
def scram_bound(folder):
    """our own client signs in by SCRAM bound to TLS 1.3 and 1.2; who was told that there is no such thing is refused"""
    with open(os.path.join(folder, 'pw'), 'w', encoding='ascii') as f:
        f.write('other')
    os.chmod(folder + '/pw', 0o600)
    server, context = secure(folder, auth_required='on', auth_scram='on')
    with server:
        for number, priority in enumerate(('NORMAL:-VERS-ALL:+VERS-TLS1.3', 'NORMAL:-VERS-ALL:+VERS-TLS1.2')):
            for mechanism in ('scram-sha-256-plus', 'scram-sha-1-plus'):
                for user, wanted in (('ann', 0), ('joe', 77)):
                    run(folder, PROGRAM, '-C', '/dev/null', '--host=localhost', '--port=%d' % server.address[1],
                        '--address-family=ipv4', '--tls=on', '--tls-starttls=on', '--tls-trust-file=%s/certs/ca.pem' % folder,
                        '--tls-priorities=' + priority, '--auth=' + mechanism, '--user=' + user,
                        '--password-file=' + folder + '/pw', '--from=a@x.example', 'b@y.example', wanted=wanted)
            expect(len(server.messages()), 2 * (number + 1))
        expect(server.stderr().count('-PLUS result=signed-in'), 4)
        with server.connect() as c:
            c.reply()
            assert '-PLUS' not in c.say('EHLO me'), 'in clear'
            expect_start(c.say('STARTTLS'), '220')
            c.sock = context.wrap_socket(c.sock, server_hostname='localhost')
            c.file = c.sock.makefile('rb')
            c.say('EHLO me')
            for flag, wanted in ((b'n', '334'), (b'y', '535')):
                first = base64.b64encode(flag + b',,n=ann,r=0123456789abcdef').decode()
                expect_start(c.say('AUTH SCRAM-SHA-256 ' + first), wanted)
                if wanted == '334':
                    expect_start(c.say('*'), '501')


if_there('curl', curl)
if_there('msmtp', msmtp)
if_there('swaks', swaks)
if_there(POST, nmh)


@test
def ourselves(folder):
    """our own client asks for everything, by BDAT: it lies in the queue as it was asked for"""
    text = ('[account default]\nhost = 127.0.0.1\nport = 1\ntls = off\nauth = off\nqueue = always\n'
            'queue_dir = {folder}/queue\n[account out]\nsocket = {folder}/sock\nauth = off\n'
            'rrvs_insecure = on\n[listen x]\nlisten = unix:{folder}/sock\ndeliver = queue:default\n')
    with Daemon(folder, text) as daemon:
        run(folder, PROGRAM, '-C', daemon.rc, '-a', 'out', '-f', 'a@x.example', '--chunking=on', '-V', 'id+1', '-R', 'hdrs',
            '--mt-priority=3', '--deliver-by=7200;N', '--hold-for=1h', '--rrvs=2024-02-29T12:00:00Z',
            '--rcpt=b@y.example,notify=success,orcpt=c@z.example')
        entries = [p for p in glob.glob(folder + '/queue/**', recursive=True) if os.path.isfile(p)]
        text = b''
        for path in entries:
            with open(path, 'rb') as f:
                text += f.read()
        for word in (b'envid', b'id+1', b'c@z.example', b'priority', b'by-until', b'rrvs-since', b'notify'):
            assert word in text, (word, text)
        arrival, due = (int(re.search(key + rb' (\d+)', text).group(1)) for key in (b'arrival', b'next'))
        assert 3500000 < due - arrival <= 3600000, text     # held back here


if __name__ == '__main__':
    sys.exit(run_tap(TESTS))
