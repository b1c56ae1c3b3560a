#!/usr/bin/env python3
"""OpenSSL's s_server: what another library sees of our TLS.

Resumption in TLS 1.2 and 1.3, proven by the server's own statistics; client certificates
from PEM, PKCS#12 and a token (softhsm2); stapled OCSP answers. Behind each connection a
few lines speak SMTP."""
import glob
import os
import queue
import re
import shutil
import socket
import subprocess
import sys
import time
import threading

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness                                                          # noqa: E402

PROGRAM = harness.binary()
MESSAGE = b'Subject: x\n\nbody\n'
REPLIES = {'EHLO': '250-peer / 250-PIPELINING / 250 AUTH EXTERNAL', 'AUTH': '235 2.7.0 welcome',
           'MAIL': '250 2.1.0 ok', 'RCPT': '250 2.1.5 ok', 'DATA': '354 go', '.': '250 2.0.0 taken',
           'QUIT': '221 2.0.0 bye'}
LIMIT = 20 * harness.SCALE


class SServer:
    """openssl s_server, whose terminal is an SMTP server."""

    def __init__(self, certs, *options):
        self.process = subprocess.Popen(
            ['openssl', 's_server', '-accept', '127.0.0.1:0', '-cert', certs('server')[0],
             '-key', certs('server')[1]] + list(options), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.lines, self.seen = queue.Queue(), []
        self.taken = self.connections = 0
        self.ended = threading.Semaphore(0)
        threading.Thread(target=self.read, daemon=True).start()
        self.port = int(self.wait(r'ACCEPT .*:(\d+)').group(1))
        self.greeted = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def say(self, text):
        self.process.stdin.write(''.join(l + '\r\n' for l in text.split(' / ')).encode())
        self.process.stdin.flush()

    def read(self):
        """What s_server prints: its own words, and the lines of the client."""
        for raw in self.process.stdout:
            line = raw.decode('latin-1').rstrip('\r\n')
            self.seen.append(line)
            self.lines.put(line)
            if re.match(r'CIPHER is|Cipher +: ', line) and not self.greeted:
                self.greeted = True
                self.connections += 1
                self.say('220 peer')
            elif line in ('DONE', 'shutting down SSL', 'ERROR') or 'CONNECTION CLOSED' in line:
                self.greeted = False
                self.ended.release()
            else:
                verb = line.split(' ')[0].upper()
                self.taken += verb == '.'
                if verb in REPLIES:
                    self.say(REPLIES[verb])

    def wait(self, pattern):
        while True:
            match = re.search(pattern, self.lines.get(timeout=LIMIT))
            if match:
                return match


def submit(server, certs, home, *args, env=None):
    """The exit status and what was said on stderr."""
    command = ['msubmit', '--host=localhost', '--port=%d' % server.port, '--tls=implicit',
               '--tls-trust-file=' + certs('server')[2], '--domain=client.example.org',
               '--from=sender@example.org', '--syslog=off', '-v'] + list(args) + ['b@example.org']
    run = subprocess.run(command, executable=PROGRAM, input=MESSAGE, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, timeout=LIMIT, cwd=home,
                         env=dict(harness.environment(home), **(env or {})))
    return run.returncode, run.stderr.decode('utf-8', 'replace')


def failures_of(server, wanted, status, said, *conditions):
    """A list of what is not as it should be; conditions: (truth, what)."""
    out = [] if status == wanted else ['exit %s, expected %d' % (status, wanted)]
    if wanted == 0 and not server.taken:
        out.append('the message did not arrive')
    out += [what for truth, what in conditions if not truth]
    if out:
        out += ['stderr: ' + l for l in said.splitlines()[-6:]]
        out += ['s_server: ' + l for l in server.seen[-20:]]
    return out


def count_reused(server, wanted):
    """What the server says of it; its last lines may come a little later."""
    for _ in range(100):
        reused = sum('Reused session-id' in l or l.startswith('Reused,')
                     for l in list(server.seen))
        if reused >= wanted:
            break
        time.sleep(0.05)
    return reused


def resumption(version, certs):
    """Three submissions: the first with a whole handshake, the others resumed."""
    with harness.Folder() as home, SServer(certs, version) as server:
        cache = os.path.join(home, 'cache')
        out = []
        for i in range(3):
            status, said = submit(server, certs, home, '--tls-session-cache=' + cache)
            out += failures_of(server, 0, status, said,
                               (('(resumed)' in said) == (i > 0), 'run %d: resumed?' % i))
        reused = count_reused(server, 1)
        out += failures_of(server, 0, 0, '', (server.taken == 3, '%d messages' % server.taken),
                           (reused >= 1, 'the server knows of no resumed session'))
        files = os.listdir(cache) if os.path.isdir(cache) else []
        modes = {os.stat(os.path.join(cache, f)).st_mode & 0o777 for f in files}
        if len(files) != 1 or modes != {0o600}:
            out.append('files in the cache: %r %r' % (files, modes))
        return out


class Doorkeeper:
    """In front of a server: lets in whoever brings no TLS 1.3 session, and breaks off at others."""

    def __init__(self, port):
        self.behind, self.refused = port, 0
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    @staticmethod
    def brings_session(hello):
        """pre_shared_key is the last extension of a ClientHello (RFC 8446, section 4.2.11)."""
        at = 4 + 2 + 32
        at += 1 + hello[at]
        at += 2 + int.from_bytes(hello[at:at + 2], 'big')
        at += 1 + hello[at]
        at, kinds = at + 2, []
        while at < len(hello):
            kinds.append(int.from_bytes(hello[at:at + 2], 'big'))
            at += 4 + int.from_bytes(hello[at + 2:at + 4], 'big')
        return kinds[-1] == 41

    def serve(self):
        try:
            while True:
                self.pass_on(self.listener.accept()[0])
        except OSError:
            pass

    def pass_on(self, client):
        with client, client.makefile('rb') as reader:
            head = reader.read(5)
            hello = reader.read(int.from_bytes(head[3:5], 'big'))
            if self.brings_session(hello):
                self.refused += 1
                return client.sendall(b'\x15\x03\x03\x00\x02\x02\x50')    # internal_error
            with socket.create_connection(('127.0.0.1', self.behind)) as server:
                server.sendall(head + hello)
                threading.Thread(target=self.copy, args=(server.recv, client), daemon=True).start()
                return self.copy(lambda n: reader.read1(n), server)

    @staticmethod
    def copy(receive, to):
        try:
            for data in iter(lambda: receive(65536), b''):
                to.sendall(data)
        except OSError:
            pass


def refused_session(certs):
    """Once more without it, at once; what is kept then is of no use either, and is forgotten."""
    with harness.Folder() as home, SServer(certs, '-tls1_3') as server, \
            Doorkeeper(server.port) as door:
        cache = os.path.join(home, 'cache')
        out = []
        for i in range(3):
            status, said = submit(door, certs, home, '--tls-session-cache=' + cache)
            out += failures_of(server, 0, status, said, ('(resumed)' not in said, 'resumed'),
                               (door.refused == i, '%d sessions refused' % door.refused))
        return out + failures_of(server, 0, 0, '', (server.taken == 3, '%d taken' % server.taken))


def no_resumption(certs):
    with harness.Folder() as home, SServer(certs) as server:
        out = []
        for _ in range(2):
            status, said = submit(server, certs, home)
            out += failures_of(server, 0, status, said, ('(resumed)' not in said, 'resumed'))
        if os.path.isdir(os.path.join(home, '.cache')):
            out.append('a cache was made')
        return out


def client_certificate(certs, how, version, env=None):
    """The server demands one, and tells whose it was."""
    with harness.Folder() as home, SServer(certs, version, '-Verify', '1', '-verify_return_error',
                                           '-CAfile', certs('server')[2]) as server:
        with open(os.path.join(home, 'pass'), 'w', encoding='ascii') as f:
            f.write('1234\n' if env else 'sesame\n')
        os.chmod(f.name, 0o600)
        status, said = submit(server, certs, home, '--auth=external',
                              '--tls-key-password-file=' + f.name, *how, env=env)
        return failures_of(server, 0, status, said,
                           (any(re.search(r'subject= ?CN ?= ?client', l) for l in server.seen),
                            'the server does not know the client'))


def no_client_certificate(certs, version):
    with harness.Folder() as home, SServer(certs, version, '-Verify', '1', '-verify_return_error',
                                           '-CAfile', certs('server')[2]) as server:
        status, said = submit(server, certs, home)
        return failures_of(server, 75, status, said,
                           ('tls_cert_file' in said or 'alert' in said, 'no hint'))


def stapled(certs, staple, wanted, option):
    path = os.path.join(certs.make(), staple)
    with harness.Folder() as home, SServer(certs, '-status_file', path) as server:
        status, said = submit(server, certs, home, option)
        return failures_of(server, wanted, status, said)


def token(folder, certs):
    """SOFTHSM2_CONF of a token with the client's key and certificate, None without softhsm2."""
    module = glob.glob('/usr/lib*/softhsm/libsofthsm2.so') + \
        glob.glob('/usr/lib/*/softhsm/libsofthsm2.so') + glob.glob('/usr/lib64/pkcs11/libsofthsm2.so')
    if not module or not shutil.which('softhsm2-util') or not shutil.which('p11tool'):
        return None
    conf = os.path.join(folder, 'softhsm.conf')
    os.mkdir(os.path.join(folder, 'tokens'))
    with open(conf, 'w', encoding='ascii') as f:
        f.write('directories.tokendir = %s/tokens\nobjectstore.backend = file\n'
                'log.level = ERROR\n' % folder)
    cert, key = certs('client')[:2]
    p8 = os.path.join(folder, 'client.p8')
    for command in (
            ['softhsm2-util', '--init-token', '--free', '--label', 'mail', '--pin', '1234',
             '--so-pin', '12345678'],
            ['openssl', 'pkcs8', '-topk8', '-nocrypt', '-in', key, '-out', p8],
            ['softhsm2-util', '--import', p8, '--token', 'mail', '--label', 'client', '--id', 'a1',
             '--pin', '1234'],
            ['p11tool', '--provider', module[0], '--batch', '--login', '--set-pin', '1234', '--write',
             '--label', 'client', '--id', 'a1', '--load-certificate', cert, 'pkcs11:token=mail']):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       env=dict(os.environ, SOFTHSM2_CONF=conf))
    return conf


def main():
    if not shutil.which('openssl'):
        print('1..0 # SKIP openssl is not installed')
        return 77
    with harness.Folder() as folder:
        certs = harness.Certificates(os.path.join(folder, 'certs'))
        made = certs.make()
        cert, key = certs('client')[:2]
        pem = ['--tls-cert-file=' + cert, '--tls-key-file=' + key]
        locked = ['--tls-cert-file=' + cert, '--tls-key-file=%s/client-locked.key' % made]
        p12 = ['--tls-pkcs12-file=%s/client.p12' % made]
        uri = ['--tls-cert-file=pkcs11:token=mail;object=client;type=cert',
               '--tls-key-file=pkcs11:token=mail;object=client;type=private']
        tests = [('no cache, no resumption', lambda: no_resumption(certs)),
                 ('a session that is refused', lambda: refused_session(certs))]
        for version in ('-tls1_2', '-tls1_3'):
            name = 'TLS ' + version[4:].replace('_', '.')
            tests += [
                (name + ': resumed', lambda v=version: resumption(v, certs)),
                (name + ': client certificate, PEM',
                 lambda v=version: client_certificate(certs, pem, v)),
                (name + ': client certificate, passphrase',
                 lambda v=version: client_certificate(certs, locked, v)),
                (name + ': client certificate, PKCS#12',
                 lambda v=version: client_certificate(certs, p12, v)),
                (name + ': client certificate missing',
                 lambda v=version: no_client_certificate(certs, v))]
            conf = token(folder, certs) if version == '-tls1_2' else conf
            tests.append((name + ': client certificate, token' + ('' if conf else
                                                                  ' # SKIP no softhsm2'),
                          (lambda v=version: client_certificate(
                              certs, uri, v, env={'SOFTHSM2_CONF': conf})) if conf else None))
        tests += [
            ('stapled, demanded', lambda: stapled(certs, 'staple-good.der', 0, '--tls-ocsp=require')),
            ('stapled, revoked', lambda: stapled(certs, 'staple-revoked.der', 76,
                                                 '--tls-ocsp=auto')),
            ('stapled, too old', lambda: stapled(certs, 'staple-old.der', 76, '--tls-ocsp=auto')),
            ('stapled, ignored', lambda: stapled(certs, 'staple-revoked.der', 0, '--tls-ocsp=off'))]
        return harness.run_tap(tests)


if __name__ == '__main__':
    sys.exit(main())
