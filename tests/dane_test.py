#!/usr/bin/env python3
"""DANE: TLSA records by a resolver that is trusted, and by libunbound with signatures.

Prints TAP. MSUBMIT names the program. Scripted servers and resolvers on loopback."""
import base64
import ctypes.util
import hashlib
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402
from dialogue import parse_dialogue                                     # noqa: E402
from dnsserver import Resolver                                          # noqa: E402
from peer import Peer                                                   # noqa: E402
from signed_dns import SignedResolver                                   # noqa: E402

PROGRAM = harness.binary()
MESSAGE = b'Subject: x\n\nbody\n'
HOST = 'mail.example.org'       # ok-wildcard is good for it
BEFORE = ['S: 220 peer', 'C: EHLO *', 'S: 250-peer / 250 STARTTLS', 'C: STARTTLS', 'S: 220 go']
AFTER = ['C: EHLO *', 'S: 250 peer', 'C: MAIL FROM:<*>', 'S: 250 ok', 'C: RCPT TO:<*>', 'S: 250 ok',
         'C: DATA', 'S: 354 go', 'C: <message>', 'S: 250 2.0.0 taken']
CLEAR = ['S: 220 peer', 'C: EHLO *', 'S: 250 peer']

certificates = None             # harness.Certificates


def octets(name, number=0):
    """A certificate of a file, in DER."""
    path = certificates(name)[0] if not name.endswith('.pem') else \
        os.path.join(certificates.make(), name)
    with open(path, encoding='ascii') as f:
        block = f.read().split('-----BEGIN CERTIFICATE-----')[number + 1]
    return base64.b64decode(block.split('-----END')[0])


def record(usage, name, number=0):
    return (usage, 0, 1, hashlib.sha256(octets(name, number)).digest())


class Case:
    """One submission. records: of the server's port at HOST, None for no answer there."""

    def __init__(self, want, records=(), cert='ok-wildcard', dane='must', zone=None, args=(),
                 stderr='', secure=True, steps=None, source='ad', bogus=(), asked=None, never=None):
        self.want, self.records, self.cert, self.dane = want, records, cert, dane
        self.zone, self.args, self.stderr, self.secure = zone or {}, args, stderr, secure
        self.steps, self.source, self.bogus = steps, source, bogus
        self.asked, self.never = asked, never

    def resolver(self, port, folder):
        zone = {(HOST, 'A'): ['127.0.0.1']}
        zone.update({(n.replace('PORT', str(port)), k): v for (n, k), v in self.zone.items()})
        zone = {k: v for k, v in zone.items() if v is not None}
        if self.records:
            zone['_%d._tcp.%s' % (port, HOST), 'TLSA'] = self.records
        if self.source == 'ad':
            return Resolver(zone, authentic=self.secure), ['--dnssec=trust-ad']
        domain = 'example.org' if self.secure else 'elsewhere.example'
        made = SignedResolver(zone, domain, folder, [b.replace('PORT', str(port))
                                                     for b in self.bogus])
        anchor = os.path.join(folder, 'anchor')
        with open(anchor, 'w', encoding='ascii') as f:
            f.write(made.anchor())
        return made, ['--dnssec-anchor=' + anchor]

    def run(self):
        failures = []
        steps = self.steps or BEFORE + ['TLS cert=' + self.cert +
                                        (' refused' if self.want else '')] + \
            ([] if self.want else AFTER)
        with harness.Folder() as folder:
            peer = Peer(parse_dialogue(steps), certs=certificates,
                        timeout=30 * harness.SCALE).start()
            resolver, how = self.resolver(peer.port, folder)
            args = ['--host=' + HOST, '--port=%d' % peer.port, '--tls=starttls', '--syslog=off',
                    '--resolver=' + resolver.address, '--tls-dane=' + self.dane,
                    '--domain=client.example.org', '--from=sender@example.org',
                    '--tls-trust-file=' + certificates('server')[2]] + how + list(self.args)
            with resolver:
                status, _, err, failures = harness.run_once(PROGRAM, args + ['b@example.org'],
                                                            MESSAGE, folder)
            failures += [f for f in peer.stop() if not self.want]
            if status != self.want:
                failures.append('exit %s, expected %d' % (status, self.want))
            if self.stderr not in err:
                failures.append('not on stderr: ' + self.stderr)
            if harness.sanitizer_words(err):
                failures.append(harness.sanitizer_words(err))
            if self.want and b'MAIL' in peer.wire:
                failures.append('the message was sent')
            kinds = {k for _, k, _ in resolver.asked}
            names = {n for n, _, _ in resolver.asked}
            if self.never and self.never in kinds | names:
                failures.append('asked for ' + self.never)
            if self.asked and not self.asked.replace('PORT', str(peer.port)) in kinds | names:
                failures.append('not asked for ' + self.asked)
            if failures:
                failures += ['asked: %s' % (resolver.asked,), 'stderr: ' + ascii(err)[1:-1]]
        return failures


def cases():
    """name: Case"""
    good = record(3, 'ok-wildcard')
    wrong = record(3, 'server')
    alias = {(HOST, 'A'): None, (HOST, 'CNAME'): ['real.example.org'],
             ('real.example.org', 'A'): ['127.0.0.1']}
    out = {
        'EE fits': Case(0, [good]),
        'EE of a self-signed certificate fits': Case(0, [record(3, 'bad-self-signed')],
                                                     cert='bad-self-signed'),
        'EE of an expired certificate fits': Case(0, [record(3, 'bad-expired')],
                                                  cert='bad-expired'),
        'EE does not fit': Case(75, [wrong], stderr='no TLSA record (DANE) fits'),
        'EE does not fit, may': Case(75, [wrong], dane='may', stderr='no TLSA record'),
        'one of two fits': Case(0, [wrong, good]),
        'TA fits': Case(0, [(2, 0, 0, octets('ca.pem'))]),
        'TA with another name': Case(75, [(2, 0, 0, octets('ca.pem'))], cert='bad-wrong-host',
                                     stderr='no TLSA'),
        'PKIX-EE adds to the usual verification': Case(0, [record(1, 'ok-wildcard')]),
        'PKIX-EE alone is not enough': Case(75, [record(1, 'bad-self-signed')],
                                            cert='bad-self-signed', stderr='no TLSA'),
        'no records, must': Case(75, stderr='has no TLSA records'),
        'no records, may: as usual': Case(0, dane='may'),
        'no records, may: a bad certificate': Case(76, dane='may', cert='bad-self-signed',
                                                   stderr='self-signed'),
        'none can be used, must': Case(75, [(9, 9, 9, b'x')], stderr='that can be used'),
        'none can be used, may: as usual': Case(0, [(9, 9, 9, b'x'), (3, 1, 1, b'short')],
                                                dane='may'),
        'off: nothing is asked for': Case(0, [wrong], dane='off', never='TLSA'),
        'insecure: no TLSA is asked for': Case(0, [wrong], dane='may', secure=False,
                                               never='TLSA'),
        'insecure, must': Case(75, [good], secure=False, stderr='no DNSSEC'),
        'servfail for TLSA': Case(75, dane='may', zone={('_PORT._tcp.' + HOST, 'TLSA'): 'servfail'},
                                  stderr='DANE'),
        'alias: the name behind it': Case(0, zone={
            **alias, ('_PORT._tcp.real.example.org', 'TLSA'): [(2, 0, 0, octets('ca.pem'))]},
            asked='_PORT._tcp.real.example.org', never='_PORT._tcp.' + HOST),
        'alias: then the name itself': Case(0, [good], zone=alias,
                                            asked='_PORT._tcp.real.example.org'),
        'no STARTTLS, may': Case(69, [good], dane='may', steps=CLEAR, args=['--tls=may'],
                                 stderr='STARTTLS'),
        'no STARTTLS, no records: tls = may': Case(0, dane='may', steps=CLEAR + AFTER[2:],
                                                   args=['--tls=may']),
        'implicit': Case(0, [good], args=['--tls=implicit'],
                         steps=['TLS cert=ok-wildcard', 'S: 220 peer'] + AFTER),
    }
    return out


def signed_cases():
    good = record(3, 'ok-wildcard')
    tlsa = '_PORT._tcp.' + HOST
    return {
        'fits': Case(0, [good], source='signed'),
        'does not fit': Case(75, [record(3, 'server')], source='signed', stderr='no TLSA record'),
        'none, proven': Case(75, source='signed', stderr='has no TLSA records'),
        'none, proven, may': Case(0, dane='may', source='signed'),
        'not signed': Case(75, [good], source='signed', secure=False, stderr='no DNSSEC'),
        'not signed, may': Case(0, [record(3, 'server')], dane='may', source='signed',
                                secure=False, never='TLSA'),
        'bogus TLSA': Case(75, [good], dane='may', source='signed', bogus=[tlsa], stderr='bogus'),
        'bogus address': Case(75, [good], dane='may', source='signed', bogus=[HOST],
                              stderr='bogus'),
        'bogus denial': Case(75, dane='may', source='signed', bogus=[tlsa], stderr='bogus'),
        'alias': Case(0, source='signed', zone={
            (HOST, 'A'): None, (HOST, 'CNAME'): ['real.example.org'],
            ('real.example.org', 'A'): ['127.0.0.1'],
            ('_PORT._tcp.real.example.org', 'TLSA'): [(2, 0, 0, octets('ca.pem'))]}),
        'wrong anchor': Case(78, [good], source='signed', args=['--dnssec-anchor=/nonexistent'],
                             stderr='/nonexistent'),
    }


def with_unbound():
    """Was the program built with it?"""
    with open(os.path.join(os.environ.get('BUILDDIR', '.'), 'config.h'), encoding='utf-8') as f:
        return '#define HAVE_UNBOUND_H 1' in f.read()


def main():
    global certificates
    with harness.Folder() as folder:
        certificates = harness.Certificates(os.path.join(folder, 'certs'))
        tests = [('trust-ad: ' + name, case.run) for name, case in cases().items()]
        for name, case in signed_cases().items():
            if with_unbound() and ctypes.util.find_library('unbound'):
                tests.append(('signed: ' + name, case.run))
            else:
                tests.append(('signed: %s # SKIP no libunbound' % name, None))
        if sys.argv[1:]:
            tests = [t for t in tests if any(a in t[0] for a in sys.argv[1:])]
        return harness.run_tap(tests)


if __name__ == '__main__':
    sys.exit(main())
