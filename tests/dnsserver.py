#!/usr/bin/env python3
"""A resolver for tests on a free port of 127.0.0.1, by UDP and TCP.

zone: {(name, type): answer}, type as 'A', 'AAAA', 'MX', 'SRV', 'CNAME'; names in lower case,
without final dot. An answer is a list of records or a word:

    A, AAAA   '192.0.2.1'          MX   (10, 'mx.example.org')      CNAME  'other.example.org'
    SRV       (priority, weight, port, 'target')
    TLSA      (usage, selector, matching, octets)
    'servfail', 'refused', 'nxdomain', 'silent', 'garbage', 'forged'
    'truncated:[...]'   a list as Python writes it, told by TCP only

A name without any entry does not exist; one with entries of other types has no such record.
asked keeps what was asked for, as (name, type, 'udp' or 'tcp').
"""
import socket
import struct
import threading

TYPES = {'A': 1, 'CNAME': 5, 'MX': 15, 'AAAA': 28, 'SRV': 33, 'TLSA': 52}
NAMES = {v: k for k, v in TYPES.items()}
CODES = {'servfail': 2, 'nxdomain': 3, 'refused': 5}


def encode(name):
    return b''.join(bytes([len(l)]) + l.encode() for l in name.split('.') if l) + b'\0'


def data_of(kind, value):
    if kind == 'A':
        return socket.inet_aton(value)
    if kind == 'AAAA':
        return socket.inet_pton(socket.AF_INET6, value)
    if kind == 'CNAME':
        return encode(value)
    if kind == 'TLSA':
        return bytes(value[:3]) + value[3]
    if kind == 'MX':
        return struct.pack('>H', value[0]) + encode(value[1])
    return struct.pack('>3H', *value[:3]) + encode(value[3])


def record(owner, kind, value):
    data = data_of(kind, value)
    return encode(owner) + struct.pack('>2HIH', TYPES[kind], 1, 60, len(data)) + data


class Resolver:
    def __init__(self, zone, authentic=False):
        self.zone, self.authentic = zone, authentic
        self.asked = []
        while True:             # the same port for both
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.udp.bind(('127.0.0.1', 0))
            self.port = self.udp.getsockname()[1]
            self.tcp = socket.socket()
            try:
                self.tcp.bind(('127.0.0.1', self.port))
                break
            except OSError:
                self.udp.close()
                self.tcp.close()
        self.tcp.listen(5)
        self.stopped = False
        for loop in (self.serve_udp, self.serve_tcp):
            threading.Thread(target=loop, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopped = True
        for s in (self.udp, self.tcp):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()

    @property
    def address(self):
        return '127.0.0.1:%d' % self.port

    def find(self, name, kind):
        """(code, records as octets) for one question."""
        out = []
        for _ in range(8):
            answer = self.zone.get((name, kind))
            if answer is None and (name, 'CNAME') in self.zone:
                target, = self.zone[name, 'CNAME']
                out.append(record(name, 'CNAME', target))
                if target.startswith('unfollowed'):
                    return 0, out
                name = target
                continue
            if answer is None:
                return (0 if any(n == name for n, _ in self.zone) else 3), out
            if isinstance(answer, str):
                return answer, out
            return 0, out + [record(name, kind, v) for v in answer]
        return 2, []

    def reply(self, query, way):
        """The octets of the answer, None for silence."""
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
            at += 1 + query[at]
        name, kind = '.'.join(labels), NAMES.get(struct.unpack('>H', query[at + 1:at + 3])[0])
        question = query[12:at + 5]
        self.asked.append((name, kind, way))
        code, records = self.find(name, kind)
        flags = 0x8180 | (0x20 if self.authentic else 0)
        number = query[:2]
        if code == 'silent':
            return None
        if code == 'garbage':
            return number + b'\x81'
        if code == 'forged':        # an answer to another question, and one of another number
            return bytes([number[0] ^ 1, number[1]]) + struct.pack('>5H', flags, 1, 0, 0, 0) + question
        if isinstance(code, str) and code.startswith('truncated:'):
            if way == 'udp':
                return number + struct.pack('>5H', flags | 0x200, 1, 0, 0, 0) + question
            records = [record(name, kind, v) for v in eval(code[10:])]
            code = 0
        code = CODES.get(code, code)
        return number + struct.pack('>5H', flags | code, 1, len(records), 0, 0) + question + b''.join(records)

    def serve_udp(self):
        while not self.stopped:
            try:
                query, peer = self.udp.recvfrom(4096)
                if len(query) < 17:
                    continue
                answer = self.reply(query, 'udp')
                if answer is not None:
                    self.udp.sendto(answer, peer)
            except OSError:
                return

    def serve_tcp(self):
        while not self.stopped:
            try:
                s = self.tcp.accept()[0]
            except OSError:
                return
            with s:
                try:
                    n = struct.unpack('>H', s.recv(2, socket.MSG_WAITALL))[0]
                    answer = self.reply(s.recv(n, socket.MSG_WAITALL), 'tcp')
                    if answer is not None:
                        s.sendall(struct.pack('>H', len(answer)) + answer)
                except (OSError, struct.error):
                    pass
