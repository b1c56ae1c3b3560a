#!/usr/bin/env python3
"""A server that says back what was sent to sign in; TAP.

For each mechanism it answers with the line it got, decoded or not, whole or in part, and with
password and token alone. None of that may be seen anywhere: on standard error, in the transcript,
in --json and --events, in the log, by on_failure, in the entry of the queue and what is told of it.
"""
import base64
import hashlib
import hmac
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402

harness.without_leaks()

PROGRAM = harness.binary()
PASSWORD, TOKEN, USER = 'Zwiebel-im-Quark-77', 'ya29.GlobalTokenOfThisUser_0815', 'joe@example.org'
RC = '''[account default]
socket = %s/socket
tls = off
auth = %s
auth_plaintext = always
user = %s
%s = %s
queue = %s
queue_dir = %s/queue
syslog = off
aliases =
domain = client.example.org
from = sender@example.org
logfile = %s/log
on_failure = %s/hook
notify_interval = 0
'''
TOKENS = ('XOAUTH2', 'OAUTHBEARER')
MECHANISMS = ('PLAIN', 'LOGIN', 'CRAM-MD5', 'DIGEST-MD5', 'SCRAM-SHA-1', 'SCRAM-SHA-256') + TOKENS
SAYS = {
    'line': lambda line, plain, secret: b'500 unrecognized: "%s"' % line,
    'many': lambda line, plain, secret: b'535-5.7.8 no\r\n535-5.7.8 %s\r\n535 5.7.8 %s' % (line, line),
    'upper': lambda line, plain, secret: b'502 what is %s?' % line.upper(),
    'cut': lambda line, plain, secret: b'454 4.7.0 cannot read %s...' % line[:-3],
    'plain': lambda line, plain, secret: b'535 5.7.8 not good: ' + plain,
    'secret': lambda line, plain, secret: b'535 5.7.8 "%s" is not the password' % secret,
    'temporary': lambda line, plain, secret: b'454 4.7.0 %s (%s)' % (line, secret),
    'garbage': lambda line, plain, secret: b'%s is no command' % line,
    'detail': lambda line, plain, secret: b'535 5.7.8 no',      # and in the challenge before
    'twice': lambda line, plain, secret: b'535 5.7.8 no\r\n500 %s unrecognized' % line,
}


def digest_challenge():
    return b'realm="example.org",nonce="OA6MG9tEQGm2hh",qop="auth",algorithm=md5-sess,charset=utf-8'


class Server:
    def __init__(self, mechanism, says, path):
        self.mechanism, self.says, self.sent = mechanism, SAYS[says], set()
        self.detail = says == 'detail'
        self.secret = (TOKEN if mechanism in TOKENS else PASSWORD).encode()
        self.listener = harness.Listener(self.serve, unix=path)

    def challenge(self, number, plain):
        """The one behind that response, or None when all has been said."""
        if self.mechanism == 'LOGIN':
            return (b'User', b'Password', None)[number]
        if self.mechanism == 'CRAM-MD5':
            return (b'<1.2@mx.example.org>', None)[number]
        if self.mechanism == 'DIGEST-MD5':
            return (digest_challenge(), None)[number]
        if self.mechanism.startswith('SCRAM') and number == 1:
            nonce = plain.split(b'r=', 1)[1]
            return b'r=%sserver,s=%s,i=4096' % (nonce, base64.b64encode(b'saltsalt'))
        if number == 1 and self.detail and self.mechanism in TOKENS:
            return b'{"status":"%s","scope":"a %s"}' % (self.secret, self.secret)
        return None if number else b''

    def dialogue(self, f):
        f.write(b'220 peer\r\n')
        f.flush()
        f.readline()
        f.write(b'250-peer\r\n250 AUTH %s\r\n' % self.mechanism.encode())
        f.flush()
        words = f.readline().split()
        line, number = b'', 0
        if len(words) > 2:
            line, number = words[2], 1
        while True:
            plain = base64.b64decode(line + b'===') if line else b''
            challenge = self.challenge(number, plain)
            if challenge is None:
                break
            f.write(b'334 %s\r\n' % base64.b64encode(challenge))
            f.flush()
            line, number = f.readline().strip(), number + 1
        self.note(line, plain)
        f.write(self.says(line, plain, self.secret) + b'\r\n')
        f.flush()
        while f.readline():
            f.write(b'250 %s\r\n' % line)
            f.flush()

    def note(self, line, plain):
        """What must not be found: what proves that the secret is known, in each of its forms."""
        text = plain.decode('latin-1')
        if len(line) > 12:
            self.sent.add(line.decode()[:-3])
        if self.mechanism == 'CRAM-MD5':
            self.sent.add(text.split()[-1])
            assert text.split()[-1] == hmac.new(PASSWORD.encode(), b'<1.2@mx.example.org>',
                                                hashlib.md5).hexdigest()
        elif self.mechanism.startswith('SCRAM'):
            self.sent.add(text.split('p=')[-1])
        elif self.mechanism == 'DIGEST-MD5':
            self.sent.add(text.split('response=')[-1].split(',')[0])

    def serve(self, sock):
        try:
            with sock, sock.makefile('rwb') as f:
                self.dialogue(f)
        except OSError:
            pass


def written(folder):
    """Name and text of each file but the configuration."""
    for root, _, names in os.walk(folder):
        for name in names:
            if name not in ('rc', 'socket'):
                with open(os.path.join(root, name), 'rb') as f:
                    yield os.path.join(root, name)[len(folder) + 1:], f.read()


def run(server, folder, queue, args):
    secret = TOKEN if server.mechanism in TOKENS else PASSWORD
    key = 'oauth_token_command' if server.mechanism in TOKENS else 'password'
    value = folder + '/token' if server.mechanism in TOKENS else secret
    with open(folder + '/rc', 'w') as f:
        f.write(RC % (folder, server.mechanism, USER, key, value, queue, folder,
                      folder, folder))
    for name, text in (('hook', 'cat >%s/told\n' % folder), ('token', 'echo ' + secret)):
        with open(os.path.join(folder, name), 'w') as f:
            f.write('#!/bin/sh\n' + text)
        os.chmod(f.name, 0o700)
    os.chmod(folder + '/rc', 0o600)
    return harness.run_once(PROGRAM, ['-C', 'rc'] + args, b'Subject: x\n\ny\n', folder)


def check(mechanism, says, queue):
    failures = []
    with harness.Folder() as folder:
        server = Server(mechanism, says, folder + '/socket')
        if queue == 'auto':
            os.mkdir(folder + '/queue', 0o700)
        seen = []
        for what, args in (('send', ['--json', '--debug', '--trace=' + folder + '/trace',
                                     'b@example.org']),
                           ('events', ['--events=1', '-v', '--error-format=json', 'b@example.org']),
                           ('check', ['--check', '-v']), ('list', ['--queue-list']),
                           ('run', ['--queue-run'])):
            if what in ('list', 'run') and queue != 'auto':
                continue
            status, out, err, late = run(server, folder, queue, args)
            failures += late
            seen += [(what + ' stdout', out.encode('utf-8', 'surrogateescape')),
                     (what + ' stderr', err.encode('utf-8', 'surrogateescape'))]
            if what == 'send' and status == 0 and queue != 'auto':
                failures.append('nothing was refused')
            if what == 'send' and 'AUTH' not in err and queue != 'auto':
                failures.append('not told: ' + ascii(err))
        server.listener.close()
        seen += [(name, text) for name, text in written(folder) if name != 'token']
        names = [name for name, _ in seen]
        failures += ['no ' + name for name in ('log', 'trace') if name not in names]
        if queue != 'auto' and 'told' not in names:
            failures.append('on_failure was not run')
    if not server.sent and says != 'detail':
        failures.append('nothing was sent to sign in')
    for word in server.sent | {server.secret.decode()}:
        for name, text in seen:
            if word.lower().encode('latin-1') in text.lower():
                failures.append('%s: %s in %r' % (name, word, text[-600:]))
    return failures


def main():
    tests = [('%s: %s, queue = %s' % (m, says, queue), lambda m=m, s=says, q=queue: check(m, s, q))
             for m in MECHANISMS for says in SAYS for queue in ('never', 'auto')
             if queue == 'never' or says == 'temporary']
    return harness.run_tap(tests)


if __name__ == '__main__':
    sys.exit(main())
