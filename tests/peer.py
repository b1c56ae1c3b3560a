#!/usr/bin/env python3
"""A scripted SMTP/LMTP server for one client at a time.

It plays one dialogue and watches every octet that the client sends: what was
not negotiated, what breaks the syntax of RFC 5321 and what comes at the wrong
moment is a failure, whatever the dialogue says.

A dialogue is a list of connections, each a list of steps. In text:

    S: 220 peer          reply line(s); " / " starts a new line, CRLF is added
    C: EHLO *            the client's next line; * stands for anything, \\* is a star
    C: <message>         the data up to the final dot
    C: BDAT * LAST       the octets of a chunk are read with its command line
    EOF                  the client closes now
    GET "\\x05\\x01"       exactly these octets come
    RAW "250 half"       octets as they are, no CRLF
    BYTES n              from here on everything is sent in pieces of n octets
    WAIT n               n seconds pass
    SILENCE              nothing is said until the client closes
    DRIP "x"             these octets over and over, five times a second, until the client closes
    CLOSE, CUT, RESET    polite end, end without TLS close_notify, TCP reset
    TLS [...]            handshake; words: refused, cert=NAME, max=1.2, client,
                         early="octets" (sent in the same segment as Finished)
    FLIGHT n             n more lines are there, although nothing was answered
    ALONE                nothing more comes before the answer
    CONNECT              the next connection begins
    TIMES n  ...         the rest of the line n times

Several steps may stand on one line. \\r \\n \\t \\0 \\xNN \\\\ are escapes; {x*500}
repeats, {b64:text} encodes. When a dialogue has ended, RSET and QUIT are
answered and the client has to close.

Use on the command line: peer.py [--port N] [--cert F --key F] [--unix PATH] FILE
"""
import argparse
import base64
import os
import re
import select
import socket
import ssl
import struct
import sys
import threading
import time

MAIL_PARAMETERS = {'SIZE': 'SIZE', 'BODY': '8BITMIME', 'SMTPUTF8': 'SMTPUTF8', 'RET': 'DSN',
                   'ENVID': 'DSN', 'AUTH': 'AUTH'}
RCPT_PARAMETERS = {'NOTIFY': 'DSN', 'ORCPT': 'DSN'}
ROOM = {'SIZE': 26, 'BODY': 16, 'AUTH': 500, 'SMTPUTF8': 10, 'RET': 16, 'ENVID': 108,
        'NOTIFY': 36, 'ORCPT': 508}
ONE_ROUND = {'PLAIN', 'EXTERNAL', 'ANONYMOUS', 'OAUTHBEARER', 'XOAUTH2'}
LAST_IN_GROUP = {'EHLO', 'LHLO', 'HELO', 'DATA', 'STARTTLS', 'AUTH', 'QUIT', 'VRFY', 'NOOP'}
STEP = re.compile(r'(?:^|\s+)(?=[SC]:(?:\s|$))|(?:^|\s\s+|(?<=\S)\t+)(?=(?:TLS|CLOSE|CUT|RESET|SILENCE|EOF|'
                  r'CONNECT|ALONE)\b|(?:WAIT|BYTES|RAW|GET|FLIGHT|DRIP) )')
DIALOGUE_LINE = re.compile(r'(?:[SC]:(?:\s|$)|(?:TLS|CLOSE|CUT|RESET|SILENCE|EOF|CONNECT|ALONE)\b'
                           r'|(?:WAIT|BYTES|RAW|GET|TIMES|FLIGHT|DRIP) )')
ESCAPE = re.compile(r'\\(x[0-9A-Fa-f]{2}|.)', re.S)


class Violation(Exception):
    """The client did what it must not do, or not what the dialogue says."""


class ClientGone(Exception):
    """The connection ended."""


def unescape(text):
    """Text with escapes as octets."""
    def one(match):
        what = match.group(1)
        if what[0] == 'x':
            octet = int(what[1:], 16)
            return chr(octet) if octet < 128 else chr(0xDC00 + octet)
        return {'n': '\n', 'r': '\r', 't': '\t', '0': '\0'}.get(what, what)
    return ESCAPE.sub(one, text).encode('utf-8', 'surrogateescape')


def expand(text):
    """{x*500} and {b64:...}; the result is still escaped text."""
    text = re.sub(r'\{b64:([^}]*)\}',
                  lambda m: base64.b64encode(unescape(m.group(1))).decode(), text)
    return re.sub(r'\{([^{}]+)\*(\d+)\}', lambda m: m.group(1) * int(m.group(2)), text)


def quoted(text):
    """The octets of "..." with escapes."""
    text = text.strip()
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        raise ValueError('not a quoted string: ' + text)
    return unescape(expand(text[1:-1]))


def pattern(text):
    """A compiled pattern: * is anything, \\* a star, everything else itself."""
    out = []
    for piece in re.split(r'(\\x[0-9A-Fa-f]{2}|\\.|\*)', text, flags=re.S):
        if piece == '*':
            out.append(b'.*')
        elif piece:
            out.append(re.escape(unescape(piece)))
    return re.compile(b''.join(out), re.S)


def parse_step(text):
    text = text.strip()
    if text[:2] in ('S:', 'C:'):
        rest = expand(text[2:].strip())
        if text[0] == 'C':
            return ('C', rest)
        return ('S', b''.join(unescape(l) + b'\r\n' for l in re.split(r' +/ +', rest)))
    word, _, rest = text.partition(' ')
    if word in ('RAW', 'GET', 'DRIP'):
        return (word, quoted(rest))
    if word in ('WAIT', 'BYTES', 'FLIGHT'):
        return (word, float(rest))
    return (word, rest.strip())


def parse_dialogue(lines):
    """Connections (lists of steps) from the lines of a dialogue."""
    connections = [[]]
    for line in lines:
        line = line.strip()
        times = 1
        if line.startswith('TIMES '):
            _, count, line = line.split(None, 2)
            times = int(count)
        # Octet strings may hold anything that looks like a step.
        steps = [parse_step(line)] if line.startswith(('RAW ', 'GET ', 'DRIP ')) else \
            [parse_step(s) for s in STEP.split(line) if s.strip()]
        for step in steps * times:
            if step[0] == 'CONNECT':
                connections.append([])
            else:
                connections[-1].append(step)
    return connections if connections != [[]] else []


class Connection:
    """One accepted socket: octets, TLS and the watch on what the client does."""

    def __init__(self, sock, peer):
        self.sock, self.peer = sock, peer
        self.buf = bytearray()
        self.tls = None
        self.eof = False
        self.piece = 0
        self.said = 0           # replies sent
        self.command = ''       # verb of the command to be answered
        self.words = []
        self.keywords = None    # None: no EHLO yet
        self.asking = None
        self.in_mail = False
        self.accepted = 0
        self.utf8 = self.body8 = False
        self.reading_data = self.auth_open = False
        self.closing = False    # 221 or 421 was said
        self.message = bytearray()
        self.chunk_bytes = 0

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
        context.load_cert_chain(chain[0], chain[1])
        if setting.get('max') == '1.2' or 'early' in setting:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        if 'client' in words:
            context.verify_mode = ssl.CERT_OPTIONAL
            context.load_verify_locations(chain[2])
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        if self.buf:
            raise Violation('the client spoke before the handshake: %r' % bytes(self.buf))
        engine = context.wrap_bio(incoming, outgoing, server_side=True)
        before = self.tls
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
            if before is None and incoming.pending == 0 and data[:1] not in (b'\x16', b'\x15', b'\x14', b'\x17'):
                raise Violation('clear text where a handshake should be: %r' % data[:60])
            incoming.write(data)
        if 'early' in setting:
            engine.write(quoted(setting['early']))
        self.tls = (engine, incoming, outgoing)
        self.send_quiet(outgoing.read())
        self.peer.note('tls', engine.version())
        self.keywords = None
        self.in_mail = False
        if refused and self.pending(self.peer.timeout):
            raise Violation('the certificate was taken: the client sent %r' % bytes(self.buf))

    def send_quiet(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            pass

    # the watch

    def check_ahead(self, reply):
        """Before a reply: has the client sent more than it may?"""
        if self.reading_data or self.peer.allow('ahead'):
            return
        if self.said == 0:
            if self.pending(0.01):
                raise Violation('sent before the greeting: %r' % bytes(self.buf))
            return
        ahead = self.pending()
        if not ahead:
            return
        one_round = self.command == 'AUTH' and len(self.words) > 2 and self.tls and \
            self.words[1] in ONE_ROUND
        if self.keywords is None or 'PIPELINING' not in self.keywords:
            raise Violation('sent ahead without PIPELINING: %r' % bytes(self.buf))
        if self.command in LAST_IN_GROUP and not one_round:
            raise Violation('%s is not the last of its group: %r' % (self.command, bytes(self.buf)))

    def noticed(self, reply):
        """What our own reply changes."""
        self.said += 1
        lines = reply.split(b'\r\n')[:-1]
        code = lines[-1][:3] if lines else b''
        ok = code[:1] == b'2'
        verb = self.command
        if verb in ('EHLO', 'LHLO') and ok:
            self.keywords = {}
            self.in_mail = False
            for text in lines[1:]:
                words = text[4:].decode('latin-1').replace('=', ' ').split()
                if words:
                    self.keywords.setdefault(words[0].upper(), []).extend(words[1:])
        elif verb == 'HELO' and ok:
            self.keywords = {}
            self.in_mail = False
        elif verb == 'MAIL':
            self.in_mail, self.accepted = ok, 0
        elif verb == 'RCPT' and ok:
            self.accepted += 1
        elif verb in ('RSET', 'dot', 'BDAT LAST') and (ok or verb != 'RSET'):
            self.in_mail = False
        elif verb == 'DATA' and code[:1] == b'3':
            self.reading_data = True
        self.auth_open = code == b'334'
        if code in (b'221', b'421'):
            self.closing = True

    def check_line(self, data):
        text = data[:-2]
        if not data.endswith(b'\r\n') or b'\r' in text:
            raise Violation('bare CR or LF: %r' % data)
        if any(c < 32 or c == 127 for c in text):
            raise Violation('control character: %r' % data)
        if self.closing:
            raise Violation('a command after 221 or 421: %r' % data)
        return text

    def check_command(self, data):
        text = self.check_line(data)
        self.words = text.decode('latin-1').split(' ')
        verb = self.command = self.words[0].upper()
        eight = any(c > 127 for c in text)
        if eight and not (verb in ('MAIL', 'RCPT') and self.has('SMTPUTF8')):
            raise Violation('8-bit octets in a command: %r' % data)
        room = 512
        if verb in ('EHLO', 'LHLO', 'HELO'):
            self.check_hello(verb, text)
        elif verb in ('MAIL', 'RCPT'):
            room += self.check_path(verb, text, eight)
        elif verb == 'DATA':
            self.check_state('DATA', self.in_mail, 'outside a transaction')
            self.check_state('DATA', self.accepted or self.has('PIPELINING'), 'without recipient')
        elif verb == 'BDAT':
            self.check_state('BDAT', self.has('CHUNKING'), 'not announced')
            self.check_state('BDAT', self.in_mail or self.has('PIPELINING'), 'outside a transaction')
        elif verb == 'STARTTLS':
            self.check_state(verb, self.has('STARTTLS'), 'not announced')
            self.check_state(verb, not self.tls, 'twice')
        elif verb == 'AUTH':
            offered = [m.upper() for m in (self.keywords or {}).get('AUTH', [])]
            self.check_state(verb, self.words[1:2] and self.words[1] in offered, 'mechanism not announced')
            self.check_state(verb, not self.in_mail, 'in a transaction')
        elif verb not in ('QUIT', 'RSET', 'NOOP', 'HELP', 'VRFY'):
            raise Violation('unknown command: %r' % data)
        if len(data) > room:
            raise Violation('command line of %d octets, %d allowed' % (len(data), room))

    def check_state(self, verb, fine, words):
        if not fine:
            raise Violation('%s %s' % (verb, words))

    def has(self, keyword):
        return bool(self.keywords) and keyword in self.keywords

    def check_hello(self, verb, text):
        name = text[5:].decode('latin-1')
        domain = re.fullmatch(r'[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?', name)
        literal = re.fullmatch(r'\[(\d+\.\d+\.\d+\.\d+|IPv6:[0-9A-Fa-f:.]+)\]', name)
        if not domain and not literal:
            raise Violation('%s name is neither domain nor address literal: %r' % (verb, name))
        if self.in_mail:
            raise Violation('%s in a transaction' % verb)
        if (verb == 'LHLO') != self.peer.lmtp:
            raise Violation('%s to this kind of server' % verb)

    def check_path(self, verb, text, eight):
        """Syntax of MAIL and RCPT; the octets that their parameters allow."""
        head = b'MAIL FROM:<' if verb == 'MAIL' else b'RCPT TO:<'
        path = re.match(re.escape(head) + rb'((?:"(?:[^"\\]|\\.)*"|[^<>" ])*)>(?: (.*))?$', text)
        if not path:
            raise Violation('%s syntax: %r' % (verb, text))
        if self.keywords is None:
            raise Violation('%s before EHLO' % verb)
        if verb == 'MAIL':
            self.check_state(verb, not self.in_mail, 'in a transaction')
            self.utf8 = self.body8 = False
            self.message = bytearray()
            # Sent ahead, RCPT is looked at before MAIL was answered.
            self.in_mail = True
        else:
            self.check_state(verb, self.in_mail or self.has('PIPELINING'), 'outside a transaction')
            if not path.group(1):
                raise Violation('RCPT without address')
        room = 0
        table = MAIL_PARAMETERS if verb == 'MAIL' else RCPT_PARAMETERS
        seen = set()
        for param in (path.group(2) or b'').split(b' ') if path.group(2) is not None else ():
            name, _, value = param.decode('latin-1').partition('=')
            if name not in table or name in seen:
                raise Violation('parameter %r of %s' % (name, verb))
            if not self.has(table[name]):
                raise Violation('parameter %s although %s was not announced' % (name, table[name]))
            seen.add(name)
            room += ROOM[name]
            self.utf8 = self.utf8 or name == 'SMTPUTF8'
            self.body8 = self.body8 or (name == 'BODY' and value == '8BITMIME')
        if eight and not self.utf8:
            raise Violation('8-bit address without SMTPUTF8: %r' % text)
        return room

    def check_data_line(self, data, in_header):
        text = data[:-2]
        if not data.endswith(b'\r\n') or b'\r' in text:
            raise Violation('bare CR or LF in the data: %r' % data[:200])
        if b'\0' in text:
            raise Violation('NUL in the data: %r' % data[:200])
        if len(text) > 998 and not self.peer.allow('long-lines'):
            raise Violation('line of %d octets in the data' % len(text))
        if any(c > 127 for c in text):
            if in_header and not self.utf8 and not self.peer.allow('8bit-header'):
                raise Violation('8-bit header without SMTPUTF8: %r' % data[:200])
            if not in_header and not self.body8 and not self.peer.allow('8bit-body'):
                raise Violation('8-bit body without BODY=8BITMIME: %r' % data[:200])
        if in_header and not self.peer.allow('bcc') and \
                re.match(rb'(resent-)?bcc[ \t]*:', text, re.I):
            raise Violation('a blind copy field on the wire: %r' % data)

    def check_message(self):
        data = bytes(self.message)
        in_header = True
        for text in data.splitlines(True) if b'\r' not in data.replace(b'\r\n', b'') else \
                data.split(b'\n'):
            if in_header and text == b'\r\n':
                in_header = False
            self.check_data_line(text if text.endswith(b'\n') else text + b'\n', in_header)
        if in_header and data and not self.peer.allow('no-separator'):
            raise Violation('no empty line behind the header')
        self.peer.messages.append(data)

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

    def read_chunk(self, text):
        match = re.fullmatch(rb'BDAT (\d+)( LAST)?', text)
        if not match:
            raise Violation('BDAT syntax: %r' % text)
        self.message += self.octets(int(match.group(1)))
        if match.group(2):
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

    def __init__(self, connections, certs=None, unix=None, timeout=10, lmtp=False, allow=(), port=0,
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
        while not self.stopped.is_set():
            if not select.select([self.listener], [], [], 0.02)[0]:
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
        # A client may be gone before its connection was taken up.
        if not self.repeat and self.played < len(self.connections):
            time.sleep(0.05)
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
