"""A small submission server for mechanisms that no server of ours has.

It speaks TLS by OpenSSL: Python's, which tells tls-unique, and enough of a TLS 1.2 session to
export keys from it; or s_server's, which exports them. AUTH is left to a function:
sign_in(mechanism, ask, bindings) gets the client's responses by ask(challenge) and returns the
reply that ends the dialogue.
"""
import base64
import hashlib
import hmac
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading

from common import WAIT, Failure, free_ports


class Refused(Exception):
    """AUTH ends with this reply."""


def encode(octets):
    return base64.b64encode(octets).decode()


class Scram:
    """The server's side of RFC 5802, with faults on request."""

    HASHES = {'SCRAM-SHA-1': 'sha1', 'SCRAM-SHA-256': 'sha256'}

    def __init__(self, user, password, count=4096, fault=None):
        self.user, self.password, self.count, self.fault = user, password, count, fault
        self.header = None              # the last client's gs2-header

    def __call__(self, mechanism, ask, bindings):
        bound = mechanism.endswith('-PLUS')
        name = self.HASHES[mechanism[:-5] if bound else mechanism]
        found = re.fullmatch(rb'((?:p=([a-z-]+)|n|y),(?:a=([^,]*))?,)(n=([^,]*),r=([!-+\--~]+))',
                             ask(b''))
        if not found or bool(found.group(2)) != bound:
            raise Refused('501 5.5.2 not a client-first-message')
        self.header, binding = found.group(1), b''
        if bound:
            binding = bindings.get(found.group(2).decode())
            if binding is None:
                raise Refused('501 5.5.4 no such channel binding')
        if self.fault == 'early':
            return '235 2.7.0 welcome'
        salt, nonce = os.urandom(16), found.group(6) + encode(os.urandom(12)).encode()
        first = b'r=%s,s=%s,i=%d' % (nonce, base64.b64encode(salt), self.count)
        final = ask(first)
        bare, _, proof = final.rpartition(b',p=')
        wanted = b'c=%s,r=%s' % (base64.b64encode(self.header + binding), nonce)
        salted = hashlib.pbkdf2_hmac(name, self.password, salt, self.count)
        message = b','.join((found.group(4), first, wanted))

        def key(of, what):
            return hmac.new(of, what, name).digest()
        client_key = key(salted, b'Client Key')
        signature = key(hashlib.new(name, client_key).digest(), message)
        right = bytes(a ^ b for a, b in zip(client_key, signature))
        if bare != wanted or base64.b64decode(proof) != right or found.group(5) != self.user:
            raise Refused('535 5.7.8 authentication failed')
        if self.fault == 'silent':
            return '235 2.7.0 welcome'
        verifier = key(key(salted, b'Server Key'), message if not self.fault else b'?')
        if ask(b'v=' + base64.b64encode(verifier)) != b'':
            raise Refused('501 5.5.2 nothing more was asked for')
        return '235 2.7.0 welcome'


def exported_key(master, client_random, server_random):
    """tls-exporter of TLS 1.2 (RFC 9266): an empty context, which is not the same as none."""
    seed = b'EXPORTER-Channel-Binding' + client_random + server_random + b'\0\0'

    def step(data):
        return hmac.new(master, data, 'sha256').digest()
    return step(step(seed) + seed)


class Session:
    """What is needed of a TLS 1.2 session for its exporter."""

    def __init__(self, context, folder):
        self.keys = os.path.join(folder, 'keys')
        self.hello = None
        context.keylog_filename = self.keys
        context.set_ciphers('ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256')
        context._msg_callback = self.note

    def note(self, _, direction, version, content, message, data):
        if getattr(message, 'name', '') == 'SERVER_HELLO':
            self.hello = bytes(data)

    def exporter(self):
        with open(self.keys, encoding='ascii') as f:
            words = [l.split() for l in f if l.startswith('CLIENT_RANDOM')][-1]
        return exported_key(bytes.fromhex(words[2]), bytes.fromhex(words[1]), self.hello[6:38])


class SaslPeer:
    """Serves one connection after the other; engine: 'python' or 's_server'."""

    def __init__(self, certs, mechanisms, sign_in, engine='python', version='1.3',
                 change=lambda bindings: bindings):
        self.certs, self.mechanisms, self.sign_in = certs, mechanisms, sign_in
        self.engine, self.version, self.change = engine, version, change
        self.used, self.mails, self.sessions, self.process = [], 0, 0, None
        self.port = free_ports(1)[0]
        self.closing = False
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        if not self.ready.wait(WAIT):
            raise Failure('the server does not start')
        return self

    def __exit__(self, *_):
        self.closing = True
        while self.thread.is_alive():           # it may be about to begin with another session
            if self.process:
                self.process.kill()
            try:
                socket.create_connection(('127.0.0.1', self.port), 1).close()
            except OSError:
                pass
            self.thread.join(0.05)

    def serve(self):
        if self.engine == 'python':
            self.serve_python()
        else:
            while not self.closing:
                self.serve_openssl()

    # engines

    def serve_python(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.certs('server')[:2])
        session = None
        folder = tempfile.mkdtemp(prefix='msubmit-test-')
        if self.version == '1.2':
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            session = Session(context, folder)
        try:
            self.accept(context, session)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def accept(self, context, session):
        with socket.create_server(('127.0.0.1', self.port)) as listener:
            self.ready.set()
            while not self.closing:
                plain = listener.accept()[0]
                try:
                    with context.wrap_socket(plain, server_side=True) as s, \
                            s.makefile('rb') as lines:
                        bindings = {}
                        if session:
                            bindings = {'tls-unique': s.get_channel_binding('tls-unique'),
                                        'tls-exporter': session.exporter()}
                        self.talk(lines, lambda text, s=s: s.sendall(text.encode() + b'\r\n'),
                                  bindings)
                except OSError:
                    pass

    def serve_openssl(self):
        cert, key = self.certs('server')[:2]
        self.process = subprocess.Popen(
            ['openssl', 's_server', '-accept', '127.0.0.1:%d' % self.port, '-cert', cert, '-key',
             key, '-naccept', '1', '-crlf', '-tls' + self.version.replace('.', '_'),
             '-keymatexport', 'EXPORTER-Channel-Binding', '-keymatexportlen', '32'],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        process, exported = self.process, None
        for line in process.stdout:
            if line.startswith(b'ACCEPT'):
                self.ready.set()
            found = re.search(rb'Keying material: ([0-9A-F]+)', line)
            if found:
                exported = bytes.fromhex(found.group(1).decode())
                break
        try:
            if exported:
                self.talk(process.stdout, lambda text: os.write(
                    process.stdin.fileno(), text.encode() + b'\n'), {'tls-exporter': exported})
        except OSError:
            pass
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()

    # SMTP

    def talk(self, lines, say, bindings):
        self.sessions += 1
        say('220 sasl.example.net ESMTP')
        for line in iter(lines.readline, b''):
            words = line.decode().split()
            verb = words[0].upper() if words else ''
            if verb == 'EHLO':
                say('250-sasl.example.net')
                say('250 AUTH ' + ' '.join(self.mechanisms))
            elif verb == 'AUTH':
                say(self.auth(words, lines, say, bindings))
            elif verb == 'DATA':
                say('354 go on')
                while lines.readline() not in (b'.\r\n', b'.\n', b''):
                    pass
                self.mails += 1
                say('250 2.0.0 kept')
            elif verb == 'QUIT':
                return say('221 2.0.0 bye')
            elif verb in ('MAIL', 'RCPT', 'RSET'):
                say('250 2.0.0 ok')
            else:
                say('500 5.5.2 what?')

    def auth(self, words, lines, say, bindings):
        self.used.append(words[1])
        waiting = words[2:]

        def ask(challenge):
            if not waiting:
                say('334 ' + encode(challenge))
                waiting.append(lines.readline().decode().strip())
            text = waiting.pop()
            if text == '*':
                raise Refused('501 5.7.0 cancelled')
            return b'' if text == '=' else base64.b64decode(text)
        try:
            return self.sign_in(words[1], ask, self.change(bindings))
        except Refused as e:
            return str(e)
