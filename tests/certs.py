#!/usr/bin/env python3
"""Makes throw-away certificates, good and bad, for the tests.

Use: certs.py FOLDER

The DER is built here, since no usual tool makes most of the bad ones; openssl
only makes keys and signatures. In FOLDER (keys have mode 0600):

  ca.pem ca.key           the CA that tests trust      ca2.pem      one that they do not
  server.pem server.key   localhost, 127.0.0.1, ::1    client.pem client.key
  chain.pem               the same through an intermediate (leaf, intermediate)
  bad-NAME.pem            each of the certificates that must be refused; key: server.key
  ok-NAME.pem             unusual ones that are good
  staple-NAME.der         stapled OCSP answers for server.pem
  rsa.pem rsa.key         as server.pem, with an RSA key
  small.pem small.key     ... of 1024 bits          dh1024.pem   Diffie-Hellman of 1024 bits
  crl-revoked.pem         a list that revokes server.pem      crl-empty.pem
  crl-old.pem             one whose time is over; crl-renewed.pem, crl-other.pem: and a good one
  encrypted.key           server.key with a passphrase
  client-locked.key client.p12      the client's, with the passphrase 'sesame'
  bundle.pem              many CAs, ca.pem among them
  store/NAME.pem          CAs for the comparison of trust stores
  peers/NAME.pem          chains for that comparison
  trust/                  a folder of CAs, ca.pem among them
"""

import datetime
import hashlib
import os
import subprocess
import sys

NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
DAY = datetime.timedelta(days=1)

# --- DER ---------------------------------------------------------------------


def tlv(tag, *parts):
    body = b''.join(parts)
    n = len(body)
    if n < 128:
        return bytes([tag, n]) + body
    size = n.to_bytes((n.bit_length() + 7) // 8, 'big')
    return bytes([tag, 0x80 | len(size)]) + size + body


def seq(*parts):
    return tlv(0x30, *parts)


def integer(n):
    return tlv(0x02, n.to_bytes(n.bit_length() // 8 + 1, 'big'))


def octet_string(data):
    return tlv(0x04, data)


def bit_string(data, unused=0):
    return tlv(0x03, bytes([unused]) + data)


def oid(text):
    arcs = [int(a) for a in text.split('.')]
    out = bytes([arcs[0] * 40 + arcs[1]])
    for arc in arcs[2:]:
        group = [arc & 127]
        while arc > 127:
            arc >>= 7
            group.insert(0, arc & 127 | 128)
        out += bytes(group)
    return tlv(0x06, out)


def time(when):
    if when.year < 2050:
        return tlv(0x17, when.strftime('%y%m%d%H%M%SZ').encode())
    return tlv(0x18, when.strftime('%Y%m%d%H%M%SZ').encode())


def general_time(when):
    return tlv(0x18, when.strftime('%Y%m%d%H%M%SZ').encode())


def name(*pairs):
    kinds = {'CN': '2.5.4.3', 'O': '2.5.4.10', 'C': '2.5.4.6'}
    return seq(*(tlv(0x31, seq(oid(kinds[kind]), tlv(0x0c, value if isinstance(value, bytes)
                                                     else value.encode())))
                 for kind, value in pairs))


NULL = tlv(0x05)
ALGORITHMS = {
    ('ec', 'sha256'): seq(oid('1.2.840.10045.4.3.2')),
    ('ec', 'sha1'): seq(oid('1.2.840.10045.4.1')),
    ('rsa', 'sha256'): seq(oid('1.2.840.113549.1.1.11'), NULL),
    ('rsa', 'sha1'): seq(oid('1.2.840.113549.1.1.5'), NULL),
}

# --- keys and signatures -----------------------------------------------------


def openssl(*args, data=None):
    run = subprocess.run(('openssl',) + args, input=data, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, check=False)
    if run.returncode:
        raise SystemExit('openssl %s: %s' % (' '.join(args), run.stderr.decode()))
    return run.stdout


# RFC 2409, section 6.2
OAKLEY_2 = int('FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22'
               '514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6'
               'F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381'
               'FFFFFFFFFFFFFFFF', 16)


class Key:
    def __init__(self, path, kind='ec', bits=2048):
        self.path, self.kind = path, kind
        options = ('ec', '-pkeyopt', 'ec_paramgen_curve:P-256') if kind == 'ec' else \
                  ('rsa', '-pkeyopt', 'rsa_keygen_bits:%d' % bits)
        openssl('genpkey', '-algorithm', *options, '-out', path)
        os.chmod(path, 0o600)
        self.spki = openssl('pkey', '-in', path, '-pubout', '-outform', 'DER')
        self.id = hashlib.sha1(self.spki).digest()

    def sign(self, data, digest='sha256'):
        return openssl('dgst', '-' + digest, '-sign', self.path, data=data)

    def signed(self, body, digest='sha256', sign=True):
        signature = self.sign(body, digest) if sign else b'\x30\x06\x02\x01\x01\x02\x01\x01'
        return seq(body, ALGORITHMS[self.kind, digest], bit_string(signature))


# --- certificates ------------------------------------------------------------


def extension(kind, value, critical=False):
    return seq(oid(kind), *([tlv(0x01, b'\xff')] if critical else []), octet_string(value))


def dns(text):
    return tlv(0x82, text if isinstance(text, bytes) else text.encode())


def ip(*octets):
    return tlv(0x87, bytes(octets))


LOCALHOST = [dns('localhost'), ip(127, 0, 0, 1), ip(*([0] * 15 + [1]))]
SERVER_AUTH, CLIENT_AUTH = '1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'
OCSP_SIGNING = '1.3.6.1.5.5.7.3.9'
serial = 0x1000


class Certificate:
    def __init__(self, subject, key, issuer=None, ca=False, names=None, usage=None, start=None,
                 end=None, digest='sha256', must_staple=False, key_ids=True, sign=True,
                 permitted=None, issuer_name=None):
        global serial
        serial += 1
        self.serial, self.key = serial, key
        self.subject = name(('CN', subject)) if isinstance(subject, (str, bytes)) else subject
        signer = issuer or self
        extensions = [extension('2.5.29.19', seq(tlv(0x01, b'\xff')) if ca else seq(), True),
                      extension('2.5.29.15', bit_string(b'\x06', 1) if ca
                                else bit_string(b'\x80', 7), True)]
        if key_ids:
            extensions.append(extension('2.5.29.14', octet_string(key.id)))
            if issuer:
                extensions.append(extension('2.5.29.35', seq(tlv(0x80, signer.key.id))))
        if names:
            extensions.append(extension('2.5.29.17', seq(*names)))
        if usage:
            extensions.append(extension('2.5.29.37', seq(*(oid(u) for u in usage))))
        if must_staple:
            extensions.append(extension('1.3.6.1.5.5.7.1.24', seq(integer(5))))
        if permitted:
            extensions.append(extension('2.5.29.30', seq(tlv(0xa0, seq(dns(permitted)))), True))
        body = seq(tlv(0xa0, integer(2)), integer(self.serial),
                   ALGORITHMS[signer.key.kind, digest], issuer_name or signer.subject,
                   seq(time(start or NOW - DAY), time(end or NOW + 90 * DAY)),
                   self.subject, key.spki, tlv(0xa3, seq(*extensions)))
        self.issuer = signer
        self.der = signer.key.signed(body, digest, sign)

    def pem(self):
        return pem('CERTIFICATE', self.der)


def pem(label, der):
    import base64
    text = base64.b64encode(der).decode()
    lines = [text[i:i + 64] for i in range(0, len(text), 64)]
    return '-----BEGIN %s-----\n%s\n-----END %s-----\n' % (label, '\n'.join(lines), label)


def crl(issuer, serials, until=NOW + 30 * DAY):
    revoked = [seq(*(seq(integer(n), time(NOW - DAY)) for n in serials))] if serials else []
    return issuer.key.signed(seq(integer(1), ALGORITHMS[issuer.key.kind, 'sha256'],
                                 issuer.subject, time(NOW - 9 * DAY), time(until), *revoked))


def staple(cert, status, produced=NOW, until=NOW + 7 * DAY, responder=None):
    """An OCSP answer (RFC 6960, section 4.2.1) by the issuer or a responder."""
    issuer, signer = cert.issuer, responder or cert.issuer
    sha1 = seq(oid('1.3.14.3.2.26'), NULL)
    # the hash is of the key's bits only, without the BIT STRING's head
    bits = signer_bits(issuer.key.spki)
    cert_id = seq(sha1, octet_string(hashlib.sha1(issuer.subject).digest()),
                  octet_string(hashlib.sha1(bits).digest()), integer(cert.serial))
    state = tlv(0x80) if status == 'good' else tlv(0xa1, general_time(NOW - DAY))
    single = seq(cert_id, state, general_time(produced), tlv(0xa0, general_time(until)))
    body = seq(tlv(0xa1, signer.subject), general_time(produced), seq(single))
    basic = seq(body, ALGORITHMS[signer.key.kind, 'sha256'], bit_string(signer.key.sign(body)),
                *([tlv(0xa0, seq(responder.der))] if responder else []))
    answer = seq(oid('1.3.6.1.5.5.7.48.1.1'), octet_string(basic))
    return seq(tlv(0x0a, b'\x00'), tlv(0xa0, answer))


def signer_bits(spki):
    """The content of the BIT STRING at the end of a SubjectPublicKeyInfo."""
    at = 2 if spki[1] < 128 else 2 + (spki[1] & 127)
    at += 2 + spki[at + 1]
    head = 2 if spki[at + 1] < 128 else 2 + (spki[at + 1] & 127)
    return spki[at + head + 1:]


# --- what is made ------------------------------------------------------------


class Maker:
    def __init__(self, folder):
        self.folder = folder
        for sub in ('', 'store', 'peers', 'trust'):
            os.makedirs(os.path.join(folder, sub), exist_ok=True)
        self.ca_key, self.server_key = self.key('ca.key'), self.key('server.key')
        self.ca2_key, self.mid_key = self.key('ca2.key'), self.key('intermediate.key')
        self.ca = Certificate('Test CA', self.ca_key, ca=True)
        self.ca2 = Certificate('Unknown CA', self.ca2_key, ca=True)
        self.mid = Certificate('Test Intermediate', self.mid_key, self.ca, ca=True)

    def key(self, file, kind='ec', bits=2048):
        return Key(os.path.join(self.folder, file), kind, bits)

    def write(self, file, *items):
        text = ''.join(i if isinstance(i, str) else i.pem() for i in items)
        with open(os.path.join(self.folder, file), 'w') as f:
            f.write(text)

    def write_der(self, file, der):
        with open(os.path.join(self.folder, file), 'wb') as f:
            f.write(der)

    def leaf(self, issuer=None, **options):
        options.setdefault('names', LOCALHOST)
        options.setdefault('usage', [SERVER_AUTH])
        subject = options.pop('subject', 'localhost')
        return Certificate(subject, self.server_key, issuer or self.ca, **options)

    def good(self):
        self.server = self.leaf()
        self.write('ca.pem', self.ca)
        self.write('ca2.pem', self.ca2)
        self.write('server.pem', self.server)
        self.write('chain.pem', self.leaf(self.mid), self.mid)
        self.write('client.pem', Certificate('client', self.key('client.key'), self.ca,
                                             usage=[CLIENT_AUTH]))
        self.write('ok-wildcard.pem', self.leaf(names=[dns('*.example.org')]))
        self.write('ok-no-usage.pem', self.leaf(usage=None))
        self.write('ok-half-a-day.pem', self.leaf(start=NOW - DAY, end=NOW + DAY / 2))
        self.write('ok-second-name.pem', self.leaf(
            subject='other.example', names=[dns('a.example.org'), dns('LOCALhost')]))
        self.write('rsa.pem', Certificate('localhost', self.key('rsa.key', 'rsa'), self.ca,
                                          names=LOCALHOST))
        self.small_key = self.key('small.key', 'rsa', 1024)
        self.write('small.pem', Certificate('localhost', self.small_key, self.ca,
                                            names=LOCALHOST))
        self.write('dh1024.pem', pem('DH PARAMETERS', seq(integer(OAKLEY_2), integer(2))))
        encrypted = os.path.join(self.folder, 'encrypted.key')
        openssl('pkey', '-in', self.server_key.path, '-aes128', '-passout', 'pass:x',
                '-out', encrypted)
        os.chmod(encrypted, 0o600)
        client, locked, both = (os.path.join(self.folder, f)
                                for f in ('client', 'client-locked.key', 'client.p12'))
        openssl('pkey', '-in', client + '.key', '-aes128', '-passout', 'pass:sesame',
                '-out', locked)
        openssl('pkcs12', '-export', '-in', client + '.pem', '-inkey', client + '.key',
                '-passout', 'pass:sesame', '-out', both)
        os.chmod(locked, 0o600)
        os.chmod(both, 0o600)

    def bad(self):
        stranger = Certificate('localhost', self.server_key, names=LOCALHOST, usage=[SERVER_AUTH])
        root_less = self.leaf(self.mid)
        certificates = {
            'expired': self.leaf(start=NOW - 30 * DAY, end=NOW - DAY),
            'not-yet': self.leaf(start=NOW + 2 * DAY),
            'wrong-host': self.leaf(subject='mail.example.com', names=[dns('mail.example.com')]),
            'self-signed': stranger,
            'usage': self.leaf(usage=[CLIENT_AUTH]),
            'nul': self.leaf(names=[dns(b'localhost\0.example.com')]),
            'nul-common-name': self.leaf(subject=b'localhost\0.example.com', names=None),
            'common-name': self.leaf(names=None),
            'common-name-other-san': self.leaf(names=[dns('mail.example.com')]),
            'sha1': self.leaf(digest='sha1'),
            'address-as-dns': self.leaf(names=[dns('127.0.0.1'), dns('localhost')]),
            'wildcard-all': self.leaf(names=[dns('*'), dns('*.*'), dns('*.')]),
            'wildcard-top': self.leaf(names=[dns('*.com'), dns('*.localhost')]),
            'wildcard-part': self.leaf(names=[dns('w*ld.example.org'), dns('*d.example.org'),
                                              dns('w*.example.org'), dns('a.*.example.org')]),
            'no-intermediate': root_less,
            'unknown-ca': self.leaf(self.ca2),
            'must-staple': self.leaf(must_staple=True),
        }
        for label, cert in certificates.items():
            self.write('bad-%s.pem' % label, cert)
        old = Certificate('Old Intermediate', self.mid_key, self.ca, ca=True,
                          start=NOW - 30 * DAY, end=NOW - DAY)
        self.write('bad-expired-intermediate.pem', self.leaf(old), old)
        narrow = Certificate('Narrow Intermediate', self.mid_key, self.ca, ca=True,
                             permitted='example.com')
        self.write('bad-constraint.pem', self.leaf(narrow), narrow)
        self.write('bad-issuer-not-ca.pem', self.leaf(self.server, subject='below a leaf'),
                   self.server)
        small = Certificate('Small Intermediate', self.small_key, self.ca, ca=True)
        self.write('bad-small-intermediate.pem', self.leaf(small), small)
        broken = self.leaf()
        broken.der = broken.der[:-4] + bytes(b ^ 0x55 for b in broken.der[-4:])
        self.write('bad-signature.pem', broken)

    def revocation(self):
        must = self.leaf(must_staple=True)
        self.write('ok-must-staple.pem', must)
        self.write_der('staple-must.der', staple(must, 'good'))
        self.write_der('staple-good.der', staple(self.server, 'good'))
        self.write_der('staple-revoked.der', staple(self.server, 'revoked'))
        self.write_der('staple-old.der', staple(self.server, 'good', NOW - 9 * DAY, NOW - 2 * DAY))
        other = Certificate('OCSP by another CA', self.mid_key, self.ca2, usage=[OCSP_SIGNING])
        self.write_der('staple-foreign.der', staple(self.server, 'revoked', responder=other))
        own = Certificate('OCSP by the CA', self.mid_key, self.ca, usage=[OCSP_SIGNING])
        self.write_der('staple-delegated.der', staple(self.server, 'revoked', responder=own))
        self.write('crl-revoked.pem', pem('X509 CRL', crl(self.ca, [self.server.serial])))
        empty, old = crl(self.ca, []), crl(self.ca, [], NOW - DAY)
        self.write('crl-empty.pem', pem('X509 CRL', empty))
        self.write('crl-old.pem', pem('X509 CRL', old))
        self.write('crl-renewed.pem', pem('X509 CRL', old), pem('X509 CRL', empty))
        self.write('crl-other.pem', pem('X509 CRL', crl(self.ca2, [], NOW - DAY)),
                   pem('X509 CRL', empty))

    def filler(self, count):
        """CAs that nobody needs; what signs them is never looked at."""
        out = []
        for i in range(count):
            subject = name(('C', 'XX'), ('O', 'Filler %d' % (i % 7)), ('CN', 'CA %d' % i))
            out.append(Certificate(subject, (self.ca_key, self.ca2_key)[i % 2], ca=True,
                                   sign=False, key_ids=i % 3 > 0))
        return out

    def comparison(self):
        """Chains and CAs between which everything that a store may hold occurs."""
        twin_name = name(('O', 'Twins'), ('CN', 'Twin CA'))
        plain = dict(ca=True, key_ids=False)
        twin_a = Certificate(twin_name, self.ca_key, ca=True)
        twin_b = Certificate(twin_name, self.ca2_key, ca=True)
        twin_c = Certificate(twin_name, self.ca_key, **plain)
        twin_d = Certificate(twin_name, self.ca2_key, **plain)
        twin_old = Certificate(twin_name, self.ca_key, end=NOW - DAY, start=NOW - 9 * DAY,
                               ca=True)
        cross = Certificate(twin_name, self.ca_key, self.ca2, ca=True)
        cross_ca = Certificate(self.ca.subject, self.ca_key, self.ca2, ca=True)
        mid2 = Certificate('Second Intermediate', self.ca2_key, self.mid, ca=True)
        mid_self = Certificate('Test Intermediate', self.mid_key, ca=True)
        not_ca = Certificate('Test CA', self.ca_key)
        leaf_self = Certificate('localhost', self.server_key, names=LOCALHOST)
        leaf, leaf_mid, leaf_deep = self.server, self.leaf(self.mid), self.leaf(mid2)
        leaf_a, leaf_b = self.leaf(twin_a), self.leaf(twin_b)
        leaf_c = self.leaf(twin_c, key_ids=False)
        store = {
            'ca': self.ca, 'ca2': self.ca2, 'mid': self.mid, 'mid2': mid2, 'mid-self': mid_self,
            'twin-a': twin_a, 'twin-b': twin_b, 'twin-c': twin_c, 'twin-d': twin_d,
            'twin-old': twin_old, 'cross': cross, 'cross-ca': cross_ca, 'not-ca': not_ca,
            'leaf': leaf, 'leaf-mid': leaf_mid, 'leaf-self': leaf_self,
        }
        peers = {
            'direct': [leaf], 'direct-root': [leaf, self.ca], 'mid': [leaf_mid, self.mid],
            'mid-root': [leaf_mid, self.mid, self.ca], 'mid-missing': [leaf_mid],
            'mid-cross': [leaf_mid, self.mid, cross_ca],
            'mid-cross-root': [leaf_mid, self.mid, cross_ca, self.ca2],
            'deep': [leaf_deep, mid2, self.mid], 'deep-root': [leaf_deep, mid2, self.mid, self.ca],
            'deep-unsorted': [leaf_deep, self.mid, mid2], 'deep-gap': [leaf_deep, self.mid],
            'deep-short': [leaf_deep, mid2], 'self': [leaf_self],
            'twin-a': [leaf_a], 'twin-b': [leaf_b], 'twin-c': [leaf_c],
            'twin-cross': [leaf_a, cross], 'twin-cross-root': [leaf_a, cross, self.ca2],
            'twin-wrong': [leaf_a, twin_b], 'doubled': [leaf_mid, self.mid, self.mid],
            'stray': [leaf_mid, self.mid, twin_a], 'sha1': [self.leaf(digest='sha1')],
        }
        for label, cert in store.items():
            self.write('store/%s.pem' % label, cert)
        for label, chain in peers.items():
            self.write('peers/%s.pem' % label, *chain)

    def bundles(self):
        filler = self.filler(60)
        self.write('store/filler.pem', *filler)
        self.write('trust/filler.pem', *filler[:20])
        self.write('trust/ours.crt', self.ca)
        self.write('bundle.pem', *filler[:40], '# a comment - with dashes -----\n', self.ca,
                   *filler[40:])


def main():
    maker = Maker(sys.argv[1])
    maker.good()
    maker.bad()
    maker.revocation()
    maker.comparison()
    maker.bundles()


if __name__ == '__main__':
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main()
