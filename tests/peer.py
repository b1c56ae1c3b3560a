#!/usr/bin/env python3
"""A scripted SMTP/LMTP server for one client at a time.

It plays one dialogue and watches every octet that the client sends: what was
not negotiated, what breaks the syntax of RFC 5321 and what comes at the wrong
moment is a failure, whatever the dialogue says.

What it plays is written as dialogue.py tells; what the client may do is in watch.py.

Use on the command line: peer.py [--port N] [--cert F --key F] [--unix PATH] FILE
"""
import argparse
import os
import re
import select
import socket
import ssl
import struct
import sys
import threading
import time

from dialogue import DIALOGUE_LINE, parse_dialogue, pattern, quoted
from watch import ClientGone, Violation, Watch


class Connection(Watch):
    """One accepted socket: octets, TLS and the steps of the dialogue."""

    def __init__(self, sock, peer):
        super().__init__(peer)
        self.sock = sock
        self.eof = False
        self.piece = 0

    # octets

    def receive(self, timeout):
        """Some octets into the buffer: True, or False when none came in time."""
        end = time.monotonic() + timeout
        while not self.eof:
            if self.tls:
                try:
                    data = self.tls[0].read(65536)
                    if data:
                        self.take(data)
                        return True
                    self.eof = True
                    return False
                except ssl.SSLWantReadError:
                    self.push()
                except ssl.SSLError as e:
                    self.peer.note('tls', str(e))
                    self.eof = True
                    return False
            left = max(0, end - time.monotonic())
            if not select.select([self.sock], [], [], left)[0]:
                return False
            try:
                data = self.sock.recv(65536)
            except OSError:
                data = b''
            if self.tls:
                if data:
                    self.tls[1].write(data)
                else:
                    self.tls[1].write_eof()
            elif data:
                self.take(data)
                return True
            else:
                self.eof = True
        return False

    def take(self, data):
        self.buf += data
        self.peer.wire += data

    def push(self):
        """What the TLS engine wants to send."""
        data = self.tls[2].read()
        if data:
            self.send_raw(data)

    def send_raw(self, data):
        step = self.piece or len(data)
        for i in range(0, len(data), step):
            self.sock.sendall(data[i:i + step])
            if self.piece:
                time.sleep(0.001)

    def send(self, data):
        self.peer.note('S', data)
        try:
            if self.tls:
                step = self.piece or len(data) or 1
                for i in range(0, len(data), step):
                    self.tls[0].write(data[i:i + step])
                    self.push()
            else:
                self.send_raw(data)
        except OSError:
            raise ClientGone('the client has closed already')

    def line(self):
        while True:
            end = self.buf.find(b'\n')
            if end >= 0:
                data = bytes(self.buf[:end + 1])
                del self.buf[:end + 1]
                return data
            if not self.receive(self.peer.timeout):
                if self.eof and self.buf:
                    raise Violation('closed in the middle of a line: %r' % bytes(self.buf))
                if self.eof:
                    raise ClientGone('the client closed')
                raise Violation('nothing from the client for %g s' % self.peer.timeout)

    def octets(self, n):
        while len(self.buf) < n:
            if not self.receive(self.peer.timeout):
                raise ClientGone('the client closed after %d of %d octets' % (len(self.buf), n))
        data = bytes(self.buf[:n])
        del self.buf[:n]
        return data

    def pending(self, wait=0):
        """Has the client sent more than was read?"""
        while self.receive(wait):
            wait = 0
        return bool(self.buf)

    # TLS

    def handshake(self, options):
        words = re.findall(r'(?:[^\s"]|"(?:[^"\\]|\\.)*")+', options)
        setting = dict(w.split('=', 1) for w in words if '=' in w)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        chain = self.peer.certificate(setting.get('cert', 'server'))
        # Weak certificates are the client's to refuse, not ours.
        context.set_ciphers('DEFAULT:@SECLEVEL=0')
        context.load_cert_chain(chain[0], chain[1])
        if 'alpn' in setting:
            context.set_alpn_protocols([setting['alpn']])
        if 'dh' in setting:
            context.set_ciphers('DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0')
            context.load_dh_params(os.path.join(os.path.dirname(chain[2]), setting['dh']))
        if setting.get('max') == '1.2' or 'early' in setting:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        if 'client' in words:
            context.verify_mode = ssl.CERT_OPTIONAL
            context.load_verify_locations(chain[2])
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        if self.buf:
            raise Violation('the client spoke before the handshake: %r' % bytes(self.buf))
        engine = context.wrap_bio(incoming, outgoing, server_side=True)
        first = True
        refused = 'refused' in words
        end = time.monotonic() + self.peer.timeout
        while True:
            try:
                engine.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.send_quiet(outgoing.read())
            except ssl.SSLError as e:
                self.send_quiet(outgoing.read())
                if refused:
                    self.drain()
                    return
                raise Violation('handshake failed: %s' % e)
            ready = select.select([self.sock], [], [], max(0, end - time.monotonic()))[0]
            try:
                data = self.sock.recv(65536) if ready else None
            except OSError:
                data = b''
            if not data:
                if refused and data is not None:
                    return
                raise Violation('client gave up in the handshake' if ready else 'no handshake')
            if first and data[:1] != b'\x16':
                raise Violation('clear text where a handshake should be: %r' % data[:60])
            incoming.write(data)
            first = False
        if 'early' in setting:
            engine.write(quoted(setting['early']))
        self.tls = (engine, incoming, outgoing)
        self.send_quiet(outgoing.read())
        self.peer.note('tls', engine.version())
        if engine.selected_alpn_protocol() != setting.get('alpn'):
            raise Violation('ALPN: %s' % engine.selected_alpn_protocol())
        self.keywords = None
        self.in_mail = False
        if refused and self.pending(self.peer.timeout):
            raise Violation('the certificate was taken: the client sent %r' % bytes(self.buf))

    def send_quiet(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            pass

    # steps

    def expect_line(self, want):
        if self.auth_open:
            data = self.line()
            text = self.check_line(data)
            if len(data) > 12288:
                raise Violation('AUTH line of %d octets' % len(data))
        else:
            data = self.line()
            self.peer.note('C', data)
            self.check_command(data)
            text = data[:-2]
        if self.auth_open:
            self.peer.note('C', data)
            self.command = 'AUTH'
        if not pattern(want).fullmatch(text):
            raise Violation('expected %r, got %r' % (want, text.decode('utf-8', 'replace')))
        if self.command == 'BDAT':
            self.read_chunk(text)
        elif self.command == 'BURL' and text.endswith(b' LAST'):
            self.end_chunks()

    def read_chunk(self, text):
        match = re.fullmatch(rb'BDAT (\d+)( LAST)?', text)
        if not match:
            raise Violation('BDAT syntax: %r' % text)
        self.message += self.octets(int(match.group(1)))
        if match.group(2):
            self.end_chunks()

    def end_chunks(self):
        if self.peer.lmtp and not self.accepted:
            raise Violation('BDAT LAST by LMTP without recipient, which has no reply')
        self.command = 'BDAT LAST'
        # Sent ahead to a server that accepts nobody, it is no message.
        if self.accepted:
            self.check_message()

    def expect_message(self):
        """Data up to the lone dot."""
        if not self.reading_data:
            raise Violation('the dialogue asks for a message without 354')
        while True:
            data = self.line()
            if data == b'.\r\n':
                break
            if data.startswith(b'.'):
                if data in (b'.\n', b'.\r') or len(data) < 4:
                    raise Violation('lone dot with a bare line end: %r' % data)
                if data[:2] != b'..':
                    raise Violation('dot not doubled: %r' % data)
                data = data[1:]
            self.message += data
        self.reading_data = False
        self.command = 'dot'
        self.peer.note('C', b'(%d octets)\r\n.\r\n' % len(self.message))
        self.check_message()

    def drain(self):
        """Whatever comes until the client closes."""
        end = time.monotonic() + self.peer.timeout
        while not self.eof:
            if not self.receive(max(0, end - time.monotonic())) and not self.eof:
                raise Violation('the client does not close')
            self.buf.clear()

    def drip(self, octets):
        end = time.monotonic() + self.peer.timeout
        while not self.eof:
            if time.monotonic() > end:
                raise Violation('the client does not close')
            try:
                self.send(octets)
            except ClientGone:
                break
            self.receive(0.2)
            self.buf.clear()

    def flood(self, octets):
        """As much as the client takes, a gigabyte if it likes, until it closes."""
        octets *= 65536 // len(octets) + 1
        self.sock.settimeout(self.peer.timeout)
        try:
            while True:
                if self.tls:
                    self.tls[0].write(octets)
                    self.push()
                else:
                    self.sock.sendall(octets)
        except socket.timeout:
            raise Violation('the client neither reads nor closes')
        except OSError:
            self.eof = True

    def close(self, how):
        if how == 'RESET':
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            self.sock.close()
            self.eof = True
            return
        try:
            if self.tls and how == 'CLOSE':
                try:
                    self.tls[0].unwrap()
                except ssl.SSLError:
                    pass
                self.push()
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        # The rest of what the client had in flight; a TLS engine would object to it.
        self.tls = None
        self.drain()

    def step(self, kind, value):
        if kind == 'S':
            self.check_ahead(value)
            self.send(value)
            self.noticed(value)
        elif kind == 'C' and value == '<message>':
            self.expect_message()
        elif kind == 'C':
            self.expect_line(value)
        elif kind == 'RAW':
            self.send(value)
            if value.endswith(b'\n'):
                self.noticed(value.replace(b'\r\n', b'\n').replace(b'\n', b'\r\n'))
            self.said += 1
        elif kind == 'GET':
            data = self.octets(len(value))
            if data != value:
                raise Violation('expected octets %r, got %r' % (value, data))
        elif kind == 'BYTES':
            self.piece = int(value)
        elif kind == 'WAIT':
            time.sleep(value)
        elif kind == 'DRIP':
            self.drip(value)
        elif kind == 'FLOOD':
            self.flood(value)
        elif kind == 'SILENCE':
            self.drain()
        elif kind in ('CLOSE', 'CUT', 'RESET'):
            self.close(kind)
        elif kind == 'TLS':
            self.handshake(value)
        elif kind == 'EOF':
            if self.pending(self.peer.timeout) or not self.eof:
                raise Violation('expected the end, got %r' % bytes(self.buf))
        elif kind == 'ALONE':
            if self.pending(0.1):
                raise Violation('sent without waiting: %r' % bytes(self.buf))
        elif kind == 'FLIGHT':
            while self.buf.count(b'\n') < value:
                if not self.receive(2):
                    raise Violation('the client waits after %r' % bytes(self.buf))
        else:
            raise Violation('unknown step %s' % kind)

    def tail(self):
        """After the dialogue: RSET and QUIT, then the end."""
        while not self.eof:
            try:
                data = self.line()
            except ClientGone:
                return
            self.peer.note('C', data)
            if self.auth_open and data == b'*\r\n':
                self.send(b'501 5.7.0 cancelled\r\n')
                self.auth_open = False
                continue
            self.check_command(data)
            if self.command not in ('QUIT', 'RSET'):
                raise Violation('after the end of the dialogue: %r' % data)
            answer = b'221 2.0.0 bye\r\n' if self.command == 'QUIT' else b'250 2.0.0 ok\r\n'
            try:
                self.check_ahead(answer)
                self.send(answer)
                self.noticed(answer)
            except ClientGone:
                return

    def run(self, steps):
        for i, (kind, value) in enumerate(steps):
            try:
                self.step(kind, value)
            except ClientGone as e:
                if self.command == 'QUIT':
                    return      # nobody has to wait for 221
                raise Violation('%s, but the dialogue goes on with %s %r' % (e, kind, value))
        self.tail()


class Peer:
    """Listens, plays the dialogue in a thread, keeps what it has seen."""

    def __init__(self, connections, certs=None, unix=None, timeout=30, lmtp=False, allow=(), port=0,
                 repeat=False):
        self.connections = connections
        self.certs, self.timeout, self.lmtp = certs, timeout, lmtp
        self.allowed = set(allow)
        self.repeat = repeat    # every connection plays the first script
        self.failures, self.messages, self.transcript = [], [], []
        self.wire = bytearray()
        self.played = 0
        if unix:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(unix)
            self.port = 0
        else:
            self.listener = socket.socket()
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind(('127.0.0.1', port))
            self.port = self.listener.getsockname()[1]
        self.listener.listen(8)
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def allow(self, what):
        return what in self.allowed

    def certificate(self, name):
        if self.certs is None:
            raise Violation('no certificates given')
        return self.certs(name)

    def note(self, who, data):
        if isinstance(data, (bytes, bytearray)):
            data = bytes(data[:300]).decode('utf-8', 'backslashreplace')
        for line in data.rstrip('\r\n').split('\n'):
            self.transcript.append('%s: %s' % (who, line.rstrip('\r').encode(
                'unicode_escape', 'replace').decode()))

    def start(self):
        self.thread.start()
        return self

    def serve(self):
        """A client may be gone before its connection is taken up: those that wait are played too."""
        while True:
            last = self.stopped.is_set()
            if not select.select([self.listener], [], [], 0 if last else 0.02)[0]:
                if last:
                    return
                continue
            try:
                sock = self.listener.accept()[0]
            except OSError:
                return
            self.play(sock)

    def play(self, sock):
        self.note('--', 'connection %d' % (self.played + 1))
        index = 0 if self.repeat else self.played
        self.played += 1
        with sock:
            if sock.family == socket.AF_INET:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if index >= len(self.connections):
                self.failures.append('connection %d was not expected' % self.played)
                return
            try:
                Connection(sock, self).run(self.connections[index])
            except (Violation, ClientGone) as e:
                self.failures.append(str(e))
            except (OSError, ValueError, ssl.SSLError) as e:
                self.failures.append('peer: %r' % e)

    def stop(self):
        """Ends; what the client left undone becomes a failure."""
        self.stopped.set()
        self.thread.join(self.timeout + 5)
        self.listener.close()
        if self.thread.is_alive():
            self.failures.append('peer: hangs')
        elif not self.repeat and self.played < len(self.connections):
            self.failures.append('the client made %d of %d connections' %
                                 (self.played, len(self.connections)))
        return self.failures


def main():
    args = argparse.ArgumentParser(description='scripted SMTP peer')
    args.add_argument('--port', type=int, default=0)
    args.add_argument('--cert')
    args.add_argument('--key')
    args.add_argument('--unix')
    args.add_argument('--lmtp', action='store_true')
    args.add_argument('--timeout', type=float, default=60)
    args.add_argument('script', help='file with a dialogue')
    a = args.parse_args()
    with open(a.script, encoding='utf-8') as f:
        lines = [l for l in f if DIALOGUE_LINE.match(l.strip())]
    certs = (lambda name: (a.cert, a.key, a.cert)) if a.cert else None
    peer = Peer(parse_dialogue(lines), certs=certs, unix=a.unix, timeout=a.timeout, lmtp=a.lmtp,
                port=a.port)
    print(a.unix or peer.port, flush=True)
    peer.start()
    while peer.thread.is_alive() and peer.played < len(peer.connections):
        time.sleep(0.02)
    peer.stop()
    print('\n'.join(peer.transcript))
    for failure in peer.failures:
        print('FAILURE: ' + failure)
    sys.exit(1 if peer.failures else 0)


if __name__ == '__main__':
    main()
