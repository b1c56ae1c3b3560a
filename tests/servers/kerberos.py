#!/usr/bin/env python3
"""Signing in with tickets, and with all that Cyrus SASL has.

A KDC on loopback; Dovecot (GSSAPI, authorization identities) and Postfix with Cyrus SASL
(NTLM, ANONYMOUS and the rest) as the servers that take its tickets. Cyrus does not agree with
libgsasl about GS2-KRB5, so that has a server of its own, on libgsasl.
"""
import contextlib
import ctypes
import os
import re
import subprocess
import tempfile

import common
import dovecot
import postfix
import suite
from common import Failure, Instance, PASSWORD, Sink, TOKEN, USER, WAIT, harness
from saslpeer import Refused, SaslPeer
from suite import Run, Service

REALM = 'EXAMPLE.ORG'
PRINCIPAL = 'joe@' + REALM
MASTER_PASSWORD = 'm4ster "key"'
CYRUS = ('GSSAPI', 'SCRAM-SHA-256', 'SCRAM-SHA-1', 'PLAIN', 'LOGIN', 'CRAM-MD5',
         'DIGEST-MD5', 'NTLM', 'ANONYMOUS')

KRB5 = '''
[libdefaults]
default_realm = %(realm)s
dns_lookup_kdc = false
dns_lookup_realm = false
dns_canonicalize_hostname = false
rdns = false
ignore_acceptor_hostname = true
udp_preference_limit = 1
[realms]
%(realm)s = {
  kdc = 127.0.0.1:%(kdc)d
}
[domain_realm]
localhost = %(realm)s
'''

KDC = '''
[kdcdefaults]
kdc_listen = 127.0.0.1:%(kdc)d
kdc_tcp_listen = 127.0.0.1:%(kdc)d
[realms]
%(realm)s = {
  database_name = /var/lib/krb5kdc/principal
  key_stash_file = /etc/krb5kdc/stash
  max_life = 1h
}
[logging]
kdc = FILE:/var/log/kdc.log
'''

DOVECOT = '''
auth_krb5_keytab = /etc/krb5.keytab
auth_gssapi_hostname = "$ALL"
auth_master_user_separator = *
passdb {
  driver = static
  mechanisms = gssapi
  args = nopassword=y
}
passdb {
  driver = passwd-file
  master = yes
  args = /etc/dovecot/masters
}
'''

CYRUS_MAIN = '''
smtpd_sasl_type = cyrus
smtpd_sasl_path = smtpd
cyrus_sasl_config_path = /etc/postfix/sasl
smtpd_sasl_local_domain = example.org
smtpd_sasl_tls_security_options =
'''

SMTPD = '''
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: /etc/sasldb2
keytab: /etc/krb5.keytab
mech_list: %s
'''


def inside(instance, *argv, words=''):
    """Runs a command in the instance to its end."""
    def enter():
        os.chroot(instance.root)
        os.chdir('/')
    done = subprocess.run(argv, preexec_fn=enter, input=words.encode(), check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=WAIT * 2,
                          env={'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'TZ': 'UTC'})
    if done.returncode:
        raise Failure('%s: %s' % (' '.join(argv[:2]), done.stdout.decode('utf-8', 'replace')))
    return done.stdout


def start_kdc(instance, kdc, readers):
    """A realm with joe and the servers' keys; a ticket of joe's in tmp/tickets."""
    values = dict(realm=REALM, kdc=kdc)
    instance.file('etc/krb5.conf', KRB5 % values)
    instance.file('etc/krb5kdc/kdc.conf', KDC % values)
    instance.folder('var/lib/krb5kdc', 0o700)
    inside(instance, 'kdb5_util', 'create', '-s', '-r', REALM, '-P', 'master')
    commands = 'addprinc -pw pencil %s\n' % PRINCIPAL
    for name in ('smtp', 'submission', 'lmtp'):
        commands += 'addprinc -randkey %s/localhost\nktadd -k /etc/krb5.keytab %s/localhost\n' % (
            name, name)
    inside(instance, 'kadmin.local', words=commands)
    instance.chown('etc/krb5.keytab', readers)
    process = instance.start('krb5kdc', '-n')

    def ticket():
        try:
            return inside(instance, 'kinit', '-c', '/tmp/tickets', PRINCIPAL,
                          words='pencil\n') or True
        except Failure:
            return False
    common.wait_for('a ticket', ticket, process)


class Ticketed(Service):
    """A service whose caller may have tickets."""

    def __init__(self, *args, instance, **facts):
        super().__init__(*args, **facts)
        self.instance = instance

    def msubmit(self, mode, args, message=b'', tickets=True, **settings):
        with tempfile.TemporaryDirectory(dir=self.home) as home:
            rc = os.path.join(home, 'rc')
            with open(rc, 'w', encoding='utf-8') as f:
                f.write(self.account(mode, settings))
            os.chmod(rc, 0o600)
            cache = self.instance.path('tmp/tickets') if tickets else os.path.join(home, 'none')
            env = dict(harness.environment(home), KRB5CCNAME='FILE:' + cache,
                       KRB5_CONFIG=self.instance.path('etc/krb5.conf'),
                       KRB5_CLIENT_KTNAME=os.path.join(home, 'no-keytab'))
            leaks = os.path.join(home, 'leaks')         # of the library, not of ours
            with open(leaks, 'w', encoding='ascii') as f:
                f.write('leak:libgssapi_krb5.so\n')
            env['LSAN_OPTIONS'] = 'print_suppressions=0:suppressions=' + leaks
            run = Run([harness.binary(), '-C', rc, '-v', '-i'] + args, message, home,
                      (PASSWORD, TOKEN, MASTER_PASSWORD), env=env)
            self.no_secrets(run)
            return run

    @staticmethod
    def no_secrets(run):
        """No challenge and no response is in the transcript."""
        for line in run.stderr.splitlines():
            found = re.search(r'(?:334 |AUTH \S+ |--> |> )([A-Za-z0-9+/=]{24,})$', line)
            if found:
                raise Failure('%r is shown:\n%s' % (found.group(1), run.stderr))


# --- cases ---------------------------------------------------------------------


def used(run):
    return [a.split()[1] for a in run.sent('AUTH')]


def signed_in(service, mechanism, **settings):
    def case():
        run, _ = service.send('starttls', b'hello\n', **settings)
        if used(run) != [mechanism]:
            raise Failure('not signed in once with %s:\n%s' % (mechanism, run.stderr))
    return case


def refused(service, code, words, attempts, **settings):
    """MAIL may stand behind AUTH in one flight; then it is refused as well."""
    def case():
        rcpt = service.new_address()
        run = service.msubmit('starttls', ['--', rcpt], b'\nx\n', **settings).want(code, words)
        if used(run) != attempts or (run.sent('MAIL') and not attempts):
            raise Failure('another sign-in than %s, or MAIL:\n%s' % (attempts, run.stderr))
        service.nothing(rcpt)
    return case


def ticket_cases(service, mechanisms):
    """What tickets have to do with the choice (doc/protocol.md#mechanisms)."""
    best, plain = mechanisms[0], 'SCRAM-SHA-256'
    yield 'a ticket and no password', signed_in(service, best, password_file=None)
    yield 'a ticket, no password, no user but auth = on', \
        signed_in(service, best, password_file=None, user=None, auth='on')
    yield 'a ticket and a password', signed_in(service, plain)
    yield 'no ticket, and a password', signed_in(service, plain, tickets=False)
    yield 'no ticket, no password', \
        refused(service, 78, 'no password', [], password_file=None, tickets=False)
    for mechanism in mechanisms:
        name = mechanism.lower()
        yield mechanism + ' named', signed_in(service, mechanism, auth=name)
        yield mechanism + ' named in auth_mechanisms', \
            signed_in(service, mechanism, auth_mechanisms=name)
        yield mechanism + ' named, no ticket', \
            refused(service, 75, 'klist', [], auth=name, tickets=False)
        yield mechanism + ' as strong as SCRAM', \
            signed_in(service, mechanism, auth=name, auth_minimum='scram')
        yield mechanism + ' not bound to TLS', \
            refused(service, 77, 'auth_minimum', [], auth=name, auth_minimum='scram-plus')
        yield mechanism + ' for a service unknown to the KDC', \
            refused(service, 75, 'nosuch/localhost', [], auth=name, auth_service='nosuch')
    yield 'a sign-in for everything, without initial response', \
        signed_in(service, best, auth=best.lower(), auth_initial_response='never')


def master_cases(service):
    """Somebody signs in and acts as joe."""
    masters = os.path.join(service.home, 'master')
    with open(masters, 'w', encoding='utf-8') as f:
        f.write(MASTER_PASSWORD + '\n')
    os.chmod(masters, 0o600)
    for mechanism in ('PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-1', 'DIGEST-MD5'):
        yield 'authzid by ' + mechanism, \
            signed_in(service, mechanism, auth=mechanism.lower(), user='boss', authzid=USER,
                      password_file=masters)
    yield 'authzid that is not allowed', \
        refused(service, 77, '535', ['PLAIN'], auth='plain', authzid='ann@example.org')
    yield 'authzid with LOGIN', \
        refused(service, 69, "has no place for 'authzid'", [], auth='login', user='boss',
                authzid=USER, password_file=masters)
    yield 'authzid by OAUTHBEARER', \
        signed_in(service, 'OAUTHBEARER', auth='oauthbearer', authzid=USER, password_file=None,
                  oauth_token_file=os.path.join(service.home, 'token'))


def cyrus_cases(service):
    for mechanism in CYRUS[1:-1]:
        yield 'AUTH ' + mechanism, signed_in(service, mechanism, auth=mechanism.lower())
        yield 'AUTH %s, wrong password' % mechanism, \
            refused(service, 77, '535', [mechanism], auth=mechanism.lower(),
                    password_file=os.path.join(service.home, 'wrong'))
    yield 'AUTH ANONYMOUS', anonymous(service)
    yield 'auth_legacy comes last', signed_in(service, 'SCRAM-SHA-256', auth_legacy='on')
    yield 'auth_mechanisms', signed_in(service, 'LOGIN', auth_mechanisms='login, !scram-*')
    yield 'auth_mechanisms, NTLM', signed_in(service, 'NTLM', auth_mechanisms='ntlm')
    yield 'auth_retry', retried(service)
    for mechanism in ('PLAIN', 'SCRAM-SHA-256', 'DIGEST-MD5', 'GSSAPI'):
        who = USER if mechanism != 'GSSAPI' else 'joe'
        yield 'authzid by ' + mechanism, \
            signed_in(service, mechanism, auth=mechanism.lower(), authzid=who)
        yield 'authzid of somebody else by ' + mechanism, \
            refused(service, 77, '', [mechanism], auth=mechanism.lower(),
                    authzid='ann@example.org')


def anonymous(service):
    """Postfix signs such a client in, and takes no mail from it."""
    def case():
        run = service.msubmit('starttls', ['a@example.org'], b'\nx\n', auth='anonymous',
                              password_file=None).want(77, '554')
        if used(run) != ['ANONYMOUS'] or '235 2.7.0' not in run.stderr:
            raise Failure('not signed in:\n' + run.stderr)
    return case


def retried(service):
    """With a wrong password each mechanism is tried that may be."""
    def case():
        run = service.msubmit('starttls', ['a@example.org'], b'\nx\n', auth_retry='on',
                              auth_mechanisms='scram-sha-256, plain, login',
                              password_file=os.path.join(service.home, 'wrong')).want(77)
        if used(run) != ['SCRAM-SHA-256', 'PLAIN', 'LOGIN']:
            raise Failure('tried: %s' % used(run))
    return case


# --- GS2-KRB5 -------------------------------------------------------------------

SERVICE, HOSTNAME, DISPLAY_NAME, AUTHZID, VALIDATE = 5, 6, 7, 2, 503    # of gsasl.h
OK, NEEDS_MORE, NO_CALLBACK, REFUSED = 0, 1, 51, 31


class Gsasl:
    """The server's side of a mechanism on tickets, by libgsasl."""

    def __init__(self, instance):
        # read by the Kerberos library in this process
        os.environ['KRB5_CONFIG'] = instance.path('etc/krb5.conf')
        os.environ['KRB5_KTNAME'] = 'FILE:' + instance.path('etc/krb5.keytab')
        self.lib = ctypes.CDLL('libgsasl.so.18')
        self.lib.gsasl_property_fast.restype = ctypes.c_char_p
        for name in ('gsasl_property_set', 'gsasl_property_fast', 'gsasl_callback_set',
                     'gsasl_server_start', 'gsasl_step', 'gsasl_free', 'gsasl_finish'):
            getattr(self.lib, name).argtypes = None
        self.context = ctypes.c_void_p()
        if self.lib.gsasl_init(ctypes.byref(self.context)) != OK:
            raise Failure('libgsasl')
        kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)
        self.callback = kind(self.answer)
        self.lib.gsasl_callback_set(self.context, self.callback)
        self.seen = []

    def answer(self, _, session, wanted):
        session = ctypes.c_void_p(session)
        if wanted in (SERVICE, HOSTNAME):
            self.lib.gsasl_property_set(session, wanted,
                                        b'smtp' if wanted == SERVICE else b'localhost')
            return OK
        if wanted != VALIDATE:
            return NO_CALLBACK
        name = self.lib.gsasl_property_fast(session, DISPLAY_NAME)
        acts_as = self.lib.gsasl_property_fast(session, AUTHZID)
        self.seen.append((name, acts_as))
        return OK if name == PRINCIPAL.encode() and acts_as in (None, b'', b'joe') else REFUSED

    def __call__(self, mechanism, ask, _):
        session, out, size = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_size_t()
        if self.lib.gsasl_server_start(self.context, mechanism.encode(),
                                       ctypes.byref(session)) != OK:
            raise Refused('504 5.5.4 no')
        try:
            octets, more = ask(b''), True
            while more:
                rc = self.lib.gsasl_step(session, octets, ctypes.c_size_t(len(octets)),
                                         ctypes.byref(out), ctypes.byref(size))
                if rc not in (OK, NEEDS_MORE):
                    raise Refused('535 5.7.8 failed: %d' % rc)
                challenge = ctypes.string_at(out, size.value)
                self.lib.gsasl_free(out)
                more = rc == NEEDS_MORE
                if more or challenge:
                    octets = ask(challenge)
        finally:
            self.lib.gsasl_finish(session)
        return '235 2.7.0 welcome'


def own_case(service, certs, mechanism, seen, code=0, words='', **settings):
    def case():
        gsasl = Gsasl(service.instance)
        with SaslPeer(certs, (mechanism, 'PLAIN'), gsasl) as peer:
            values = dict(port=peer.port, password_file=None)
            values.update(settings)
            run = service.msubmit('implicit', ['a@example.org'], b'\nx\n', **values)
            run.want(code, words)
            if peer.used != ([mechanism] if seen is not None else []) or \
                    peer.mails != (0 if code else 1) or (seen and gsasl.seen != [seen]):
                raise Failure('%s %s\n%s' % (peer.used, gsasl.seen, run.stderr))
    return case


def own_cases(service, certs):
    joe = PRINCIPAL.encode()
    for mechanism in ('GSSAPI', 'GS2-KRB5'):
        name = mechanism.lower()

        def case(*args, mechanism=mechanism, **settings):
            return own_case(service, certs, mechanism, *args, **settings)
        yield mechanism + ' chosen for its ticket', case((joe, None))
        yield mechanism + ' named', case((joe, None), auth=name)
        yield mechanism + ', as joe', case((joe, b'joe'), auth=name, authzid='joe')
        yield mechanism + ', as ann', case((joe, b'ann'), 77, '535', auth=name, authzid='ann')
        yield mechanism + ', no ticket', case(None, 75, 'klist', auth=name, tickets=False)
        yield mechanism + ', no initial response', \
            case((joe, None), auth=name, auth_initial_response='never')
        yield mechanism + ', initial response of any length', \
            case((joe, None), auth=name, auth_initial_response='always')


# --- the servers ------------------------------------------------------------------


def named(prefix, cases):
    return [('%s: %s' % (prefix, name), function) for name, function in cases]


def with_dovecot(stack, certs, home):
    """The cases with Dovecot, which runs until the stack is left."""
    ports = dict(zip(('starttls', 'implicit'), common.free_ports(2)))
    mechanisms = dovecot.MECHANISMS + ('GSSAPI',)
    sink = Sink()
    instance = stack.enter_context(Instance('kerberos', dovecot.USERS))
    instance.certificates(certs)
    start_kdc(instance, common.free_ports(1)[0], 'dovecot')
    dovecot.configure(instance, dovecot.Introspection(), 'submission',
                      DOVECOT + dovecot.SUBMISSION % dict(sink=sink.port, size=common.SIZE_LIMIT,
                                                          **ports), mechanisms)
    instance.file('etc/dovecot/masters', 'boss:{PLAIN}%s\n' % MASTER_PASSWORD, 0o640, 'dovecot')
    process = dovecot.start(instance)
    instance.ready(ports, process)
    service = Ticketed('dovecot', sink, certs, home, mechanisms=mechanisms, ports=ports,
                       instance=instance)
    tests = [suite.check_offered(service)] + named('dovecot', ticket_cases(
        service, ('GSSAPI',))) + named('dovecot', master_cases(service))
    tests += named('libgsasl', own_cases(service, certs))
    return [common.with_log(instance, test) for test in tests]


def with_postfix(stack, certs, home):
    """The cases with Postfix and Cyrus SASL."""
    ports = dict(zip(('starttls', 'implicit', 'plain'), common.free_ports(3)))
    sink = Sink()
    instance = stack.enter_context(Instance('kerberos', ('postfix', 'postdrop')))
    instance.certificates(certs)
    start_kdc(instance, common.free_ports(1)[0], 'postfix')
    postfix.configure(instance, sink, ports)
    postfix.add(instance, CYRUS_MAIN)
    instance.file('etc/postfix/sasl/smtpd.conf', SMTPD % ' '.join(CYRUS))
    inside(instance, 'saslpasswd2', '-p', '-c', '-u', 'example.org', 'joe', words=PASSWORD)
    instance.chown('etc/sasldb2', 'postfix')
    process = instance.start('/usr/lib/postfix/sbin/master', '-c', '/etc/postfix', '-d')
    instance.ready(ports, process)
    service = Ticketed('postfix', sink, certs, home, mechanisms=CYRUS, ports=ports,
                       instance=instance)
    tests = [suite.check_offered(service)] + named('postfix', ticket_cases(
        service, ('GSSAPI',))) + named('postfix', cyrus_cases(service))
    return [common.with_log(instance, test) for test in tests]


def run(certs, home):
    with contextlib.ExitStack() as stack:
        return harness.run_tap(with_dovecot(stack, certs, home) + with_postfix(stack, certs, home))


if __name__ == '__main__':
    common.main(run)
