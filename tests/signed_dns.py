"""A resolver for tests whose answers are signed (RFC 4034, 4035), below one domain.

As dnsserver.Resolver, with the zone of one signed domain; what is not below it is not
signed. What does not exist is denied by an NSEC record made for the name that was asked
for. bogus: names whose signatures are wrong. anchor() is the text of a file with the key.
"""
import base64
import hashlib
import os
import struct
import subprocess
import time

from dnsserver import CODES, NAMES, TYPES, Resolver, data_of, encode

SOA, OPT, DS, RRSIG, NSEC, DNSKEY = 6, 41, 43, 46, 47, 48
ECDSA_P256 = 13


def openssl(*args, data=None):
    return subprocess.run(('openssl',) + args, input=data, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=True).stdout


class Key:
    def __init__(self, folder):
        self.path = os.path.join(folder, 'zone.key')
        openssl('genpkey', '-algorithm', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out',
                self.path)
        point = openssl('pkey', '-in', self.path, '-pubout', '-outform', 'DER')[-64:]
        self.rdata = struct.pack('>HBB', 257, 3, ECDSA_P256) + point
        total = sum(b << 8 if i % 2 == 0 else b for i, b in enumerate(self.rdata))
        self.tag = (total + (total >> 16)) & 0xffff

    def sign(self, data):
        """r and s of 32 octets each, out of ECDSA-Sig-Value ::= SEQUENCE { r, s INTEGER }."""
        der = openssl('dgst', '-sha256', '-sign', self.path, data=data)
        n = der[3]
        r, s = der[4:4 + n], der[6 + n:]
        return b''.join(x.lstrip(b'\0').rjust(32, b'\0') for x in (r, s))


def bitmap(kinds):
    octets = bytearray(7)
    for kind in kinds:
        octets[kind // 8] |= 0x80 >> kind % 8
    return bytes([0, len(octets)]) + bytes(octets)


class SignedResolver(Resolver):
    def __init__(self, zone, domain, folder, bogus=()):
        self.domain, self.bogus = domain, set(bogus)
        self.key, self.cache = Key(folder), {}
        super().__init__(zone)

    def anchor(self):
        return '%s. IN DNSKEY 257 3 %d %s\n' % (
            self.domain, ECDSA_P256, base64.b64encode(self.key.rdata[4:]).decode())

    def below(self, name):
        return name == self.domain or name.endswith('.' + self.domain)

    def signed(self, owner, kind, datas):
        """The records of one set and their signature, as octets."""
        known = (owner, kind, tuple(datas))
        if known in self.cache:
            return self.cache[known]
        name, ttl = encode(owner), 60
        records = [name + struct.pack('>2HIH', kind, 1, ttl, len(d)) + d for d in sorted(datas)]
        if self.below(owner):
            now = int(time.time())
            head = struct.pack('>HBBIIIH', kind, ECDSA_P256, owner.count('.') + 1, ttl,
                               now + 86400, now - 86400, self.key.tag) + encode(self.domain)
            signature = self.key.sign(head + b''.join(records))
            if owner in self.bogus:
                signature = bytes([signature[0] ^ 1]) + signature[1:]
            data = head + signature
            records.append(name + struct.pack('>2HIH', RRSIG, 1, ttl, len(data)) + data)
        self.cache[known] = records
        return records

    def positive(self, name, kind):
        """(code, answer records); no records: there are none of the kind."""
        answer, out = None, []
        for _ in range(8):
            answer = self.zone.get((name, kind))
            alias = self.zone.get((name, 'CNAME'))
            if answer is not None or not alias:
                break
            out += self.signed(name, TYPES['CNAME'], [data_of('CNAME', alias[0])])
            name = alias[0]
        if isinstance(answer, str):
            return CODES[answer], [], name
        if answer:
            out += self.signed(name, TYPES[kind], [data_of(kind, v) for v in answer])
        return 0, out, None if answer else name

    def denial(self, name):
        """That name has no other types than those it has."""
        kinds = {TYPES[k] for n, k in self.zone if n == name} | {RRSIG, NSEC}
        number = struct.pack('>5I', 1, 60, 60, 60, 60)
        soa = encode('ns.' + self.domain) + encode('root.' + self.domain) + number
        return self.signed(self.domain, SOA, [soa]) + \
            self.signed(name, NSEC, [b'\1\0' + encode(name) + bitmap(kinds)])

    def reply(self, query, way):
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
            at += 1 + query[at]
        name, number = '.'.join(labels), struct.unpack('>H', query[at + 1:at + 3])[0]
        kind = NAMES.get(number)
        self.asked.append((name, kind, way))
        code, answer, authority, missing = 0, [], [], name
        if number == DNSKEY and name == self.domain:
            answer, missing = self.signed(name, DNSKEY, [self.key.rdata]), None
        elif kind:
            code, answer, missing = self.positive(name, kind)
        if not code and missing and self.below(missing):
            authority = self.denial(missing)
        opt = b'\0' + struct.pack('>2HIH', OPT, 4096, 0x8000, 0)
        return query[:2] + struct.pack('>5H', 0x8180 | code, 1, len(answer), len(authority), 1) + \
            query[12:at + 5] + b''.join(answer) + b''.join(authority) + opt


def fingerprint(der):
    return hashlib.sha256(der).digest()
