#!/usr/bin/env python3
"""SCRAM with channel binding, and what must not be done in its place.

No server of ours offers -PLUS; this one's TLS is OpenSSL's and its SCRAM is written from
RFC 5802, so nothing of it is shared with the program under test. No root is needed.
"""
import os
import re
import shutil
import tempfile

import common
from common import Failure, PASSWORD, TOKEN, USER, harness
from saslpeer import Refused, SaslPeer, Scram
from suite import Run

BOTH = ('SCRAM-SHA-256-PLUS', 'SCRAM-SHA-1-PLUS', 'SCRAM-SHA-256', 'SCRAM-SHA-1', 'PLAIN')
UNBOUND = BOTH[2:]
ENGINES = {                     # version of TLS and binding, and who can tell the latter
    ('1.3', 'tls-exporter'): 's_server',
    ('1.2', 'tls-exporter'): 'python',
    ('1.2', 'tls-unique'): 'python',
}


class Surroundings:
    def __init__(self, certs, home):
        self.certs, self.home = certs, home

    def peer(self, mechanisms, sign_in=None, **facts):
        return SaslPeer(self.certs, mechanisms,
                        sign_in or Scram(USER.encode(), PASSWORD.encode()), **facts)

    def submit(self, port, state=None, **settings):
        values = dict(host='localhost', address_family='ipv4', port=port, syslog='off',
                      tls='implicit', domain='client.example.org', user=USER,
                      tls_trust_file=self.certs('server')[2],
                      password_file=os.path.join(self.home, 'password'))
        values['from'] = 'sender@example.org'
        values.update(settings)
        with tempfile.TemporaryDirectory(dir=self.home) as home:
            rc = os.path.join(home, 'rc')
            with open(rc, 'w', encoding='utf-8') as f:
                f.write('[account default]\n' + ''.join('%s = %s\n' % i for i in values.items()))
            os.chmod(rc, 0o600)
            env = harness.environment(home)
            if state:
                env['XDG_STATE_HOME'] = state
            run = Run([harness.binary(), '-C', rc, '-v', 'b@example.org'],
                      b'Subject: x\n\nx\n', home, (PASSWORD, TOKEN), env=env)
        for line in run.stderr.splitlines():
            if re.search(r'(?:^|[ ])(?:334|AUTH \S+|-->) [A-Za-z0-9+/]{20,}={0,2}$', line):
                raise Failure('a challenge or response is shown:\n' + run.stderr)
        return run


def want(peer, used, mails, header=None):
    if peer.used != list(used) or peer.mails != mails:
        raise Failure('signed in by %s, %d messages' % (peer.used, peer.mails))
    if header is not None and peer.sign_in.header != header:
        raise Failure('the header was %r' % peer.sign_in.header)


def works(around, used, header, mechanisms=BOTH, settings=None, log='', **facts):
    def case():
        settings_now = dict(settings or {}, logfile=os.path.join(around.home, 'log'))
        with around.peer(mechanisms, **facts) as peer:
            around.submit(peer.port, **settings_now).want(0)
            want(peer, used, 1, header)
        with open(settings_now['logfile'], encoding='utf-8') as f:
            line = f.readlines()[-1]
        if log not in line:
            raise Failure('the log says ' + line)
    return case


def fails(around, code, words, used, mechanisms=BOTH, settings=None, **facts):
    """Nothing weaker is tried, no message is sent."""
    def case():
        with around.peer(mechanisms, **facts) as peer:
            around.submit(peer.port, **settings or {}).want(code, words)
            want(peer, used, 0)
    return case


def bound_cases(around, version, kind):
    engine = ENGINES[version, kind]
    facts = dict(engine=engine, version=version)
    default = kind == ('tls-exporter' if version == '1.3' else 'tls-unique')
    named = {} if default else {'channel_binding': kind}
    header = ('p=%s,,' % kind).encode()

    def turned(bindings):
        """What the server would know if somebody sat in between."""
        return {k: bytes(v[:-1]) + bytes([v[-1] ^ 1]) for k, v in bindings.items()}

    def unknown(_):
        return {}

    tried = list(BOTH[:1]) * (1 if version == '1.3' else 2)
    yield 'best', works(around, BOTH[:1], header, settings=named, log='binding=' + kind, **facts)
    for name in BOTH[:2]:
        yield name, works(around, [name], header, settings=dict(named, auth=name.lower()),
                          **facts)
    yield 'named without -PLUS', \
        works(around, BOTH[2:3], b'n,,', settings=dict(named, auth='scram-sha-256'), **facts)
    yield 'refused', \
        works(around, tried + [BOTH[2]], b'n,,', log='binding=refused', change=unknown, **facts)
    yield 'refused and demanded', \
        fails(around, 77, '501', BOTH[:1], settings={'channel_binding': kind}, change=unknown,
              **facts)
    yield 'refused and demanded by the account', \
        fails(around, 77, '501', tried, settings={'auth_minimum': 'scram-plus'},
              change=unknown, **facts)
    yield 'as strong as can be', \
        works(around, BOTH[:1], header, settings=dict(named, auth_minimum='scram-plus'), **facts)
    yield 'with authzid', \
        works(around, BOTH[:1], ('p=%s,a=boss,' % kind).encode(),
              settings=dict(named, authzid='boss'), **facts)
    yield 'somebody in between', \
        fails(around, 77, '535', BOTH[:1], settings=named, change=turned, **facts)
    yield 'somebody in between, auth_retry', \
        fails(around, 77, '535', BOTH[:1] + BOTH[4:], settings=dict(named, auth_retry='on'),
              change=turned, sign_in=only_scram(), **facts)
    yield 'switched off', \
        works(around, BOTH[2:3], b'n,,', settings={'channel_binding': 'off'}, **facts)


def only_scram():
    scram = Scram(USER.encode(), PASSWORD.encode())

    def sign_in(mechanism, ask, bindings):
        if mechanism == 'PLAIN':
            ask(b'')
            raise Refused('535 5.7.8 no')
        return scram(mechanism, ask, bindings)
    return sign_in


NEW = 'p\u20b9ncil'          # the rupee sign is of Unicode 6.0, SASLprep's tables of 3.2


def newer(around):
    """A right password for which SCRAM cannot be computed: by PLAIN, and nothing is wrong with it."""
    name = os.path.join(around.home, 'new')

    def sign_in(mechanism, ask, _):
        if mechanism == 'PLAIN':
            if ask(b'') != ('\0%s\0%s' % (USER, NEW)).encode():
                raise Refused('535 5.7.8 no')
            return '235 2.7.0 welcome'
        return Scram(USER.encode(), NEW.encode())(mechanism, ask, {'tls-exporter': b'x'})
    with open(name, 'w', encoding='utf-8') as f:
        f.write(NEW + '\n')
    os.chmod(name, 0o600)
    for mechanisms in (UNBOUND, BOTH):
        yield 'a newer character, ' + mechanisms[0], \
            works(around, [mechanisms[0], 'PLAIN'], None, mechanisms=mechanisms,
                  sign_in=sign_in, settings=dict(password_file=name))
    yield 'a newer character, PLAIN not allowed', \
        fails(around, 69, 'Unicode 3.2', ['SCRAM-SHA-256'], mechanisms=UNBOUND,
              sign_in=sign_in, settings=dict(password_file=name, auth_minimum='scram'))


def faulty(fault=None, count=4096):
    return Scram(USER.encode(), PASSWORD.encode(), count, fault)


def transition():
    """SCRAM only after the server has seen the password once."""
    seen = []
    scram = Scram(USER.encode(), PASSWORD.encode())

    def sign_in(mechanism, ask, bindings):
        if mechanism == 'PLAIN':
            if ask(b'') != b'\0' + USER.encode() + b'\0' + PASSWORD.encode():
                raise Refused('535 5.7.8 no')
            seen.append(True)
            return '235 2.7.0 stored'
        ask(b'')
        if not seen:
            raise Refused('432 4.7.12 a password transition is needed')
        return scram(mechanism, ask, bindings)
    return sign_in


def case_remembered(around):
    """auth_remember: what has worked once by SCRAM is never shown to the server."""
    def case():
        state = tempfile.mkdtemp(dir=around.home)
        with around.peer(UNBOUND) as peer:
            around.submit(peer.port, state, auth_remember='on').want(0)
            want(peer, ['SCRAM-SHA-256'], 1)
            peer.mechanisms = ('PLAIN', 'LOGIN')
            around.submit(peer.port, state, auth_remember='on').want(77, 'auth_remember')
            want(peer, ['SCRAM-SHA-256'], 1)
            peer.mechanisms = ('SCRAM-SHA-1', 'PLAIN')
            around.submit(peer.port, state, auth_remember='on').want(0)
            want(peer, ['SCRAM-SHA-256', 'SCRAM-SHA-1'], 2)
        for folder, _, names in os.walk(state):
            for name in names:
                with open(os.path.join(folder, name), 'rb') as f:
                    if PASSWORD.encode() in f.read():
                        raise Failure('the password is in ' + name)
    return case


def other_cases(around):
    yield 'TLS 1.3 has no tls-unique', \
        works(around, BOTH[2:3], b'n,,', settings={'channel_binding': 'tls-unique'})
    yield 'not offered', works(around, BOTH[2:3], b'n,,', mechanisms=UNBOUND)
    yield 'not offered, and demanded', \
        fails(around, 77, 'auth_minimum', [], mechanisms=UNBOUND,
              settings={'auth_minimum': 'scram-plus'})
    yield 'PLAIN only, SCRAM demanded', \
        fails(around, 77, 'auth_minimum', [], mechanisms=('PLAIN', 'LOGIN'),
              settings={'auth_minimum': 'scram'})
    for fault, words in (('wrong', 'prove'), ('silent', 'prove'), ('early', 'prove')):
        yield 'no proof of the server: ' + fault, \
            fails(around, 76, words, ['SCRAM-SHA-256'], mechanisms=UNBOUND, sign_in=faulty(fault))
    yield 'no proof, and none demanded', \
        works(around, BOTH[2:3], b'n,,', mechanisms=UNBOUND, sign_in=faulty('silent'),
              settings={'auth_mutual': 'off'})
    yield 'a wrong proof is never good', \
        fails(around, 76, 'prove', BOTH[2:3], mechanisms=UNBOUND, sign_in=faulty('wrong'),
              settings={'auth_mutual': 'off'})
    yield 'too few rounds', \
        fails(around, 77, '4095 iterations', BOTH[2:3], mechanisms=UNBOUND,
              sign_in=faulty(count=4095))
    yield 'password transition', \
        fails(around, 77, 'auth_transition', BOTH[2:3], mechanisms=UNBOUND, sign_in=transition())
    yield 'password transition allowed', \
        works(around, ['SCRAM-SHA-256', 'PLAIN'], None, mechanisms=UNBOUND, sign_in=transition(),
              settings={'auth_transition': 'on'})
    yield 'password transition against auth_minimum', \
        fails(around, 77, '432', ['SCRAM-SHA-256'], mechanisms=UNBOUND, sign_in=transition(),
              settings={'auth_transition': 'on', 'auth_minimum': 'scram'})
    yield 'auth_remember', case_remembered(around)
    yield from newer(around)


def run(certs, home):
    around = Surroundings(certs, home)
    tests = []
    for version, kind in ENGINES:
        if ENGINES[version, kind] == 's_server' and not shutil.which('openssl'):
            tests.append(('SCRAM: TLS %s, %s # SKIP no openssl' % (version, kind), None))
            continue
        tests += [('SCRAM: TLS %s, %s: %s' % (version, kind, name), case)
                  for name, case in bound_cases(around, version, kind)]
    tests += [('SCRAM: ' + name, case) for name, case in other_cases(around)]
    return harness.run_tap([(n, guarded(f) if f else None) for n, f in tests])


def guarded(case):
    def run_case():
        try:
            return case() or []
        except (Failure, OSError) as e:
            return [str(e)]
    return run_case


if __name__ == '__main__':
    common.main(run)
