#!/usr/bin/env python3
"""Cyrus lmtpd, over a local socket and over TCP: PIPELINING, one reply for each recipient. A port
where it wants sign-in."""
import os
import re

import common
import signin
import suite
from common import Failure, Instance, PASSWORD, Sink, harness
from suite import Service

IMAPD = '''
configdirectory: /var/lib/cyrus
defaultpartition: default
partition-default: /var/spool/cyrus/mail
duplicatesuppression: no
servername: mx.example.net
autocreate_quota: 1000
autocreate_quota_messages: 1
autocreate_post: 1
autocreate_users: anyone
unixhierarchysep: yes
altnamespace: yes
lmtp_strict_quota: yes
maxmessagesize: %(size)d
sasl_pwcheck_method: saslauthd
sasl_saslauthd_path: /run/cyrus/mux
sasl_mech_list: PLAIN LOGIN
tls_server_cert: /etc/tls/server.pem
tls_server_key: /etc/tls/server.key
virtdomains: off
admins: joe
syslog_prefix: cyrus
lmtpsocket: /run/cyrus/lmtp
allowplaintext: yes
zoneinfo_dir: /etc/zoneinfo
'''

MASTER = '''
START {
  recover cmd="/usr/lib/cyrus/bin/ctl_cyrusdb -r"
}
SERVICES {
  lmtpunix cmd="/usr/lib/cyrus/bin/lmtpd -a" listen="/run/cyrus/lmtp" prefork=0
  lmtp cmd="/usr/lib/cyrus/bin/lmtpd -a" listen="127.0.0.1:%(lmtp)d" prefork=0
  signin cmd="/usr/lib/cyrus/bin/lmtpd" listen="127.0.0.1:%(signin)d" prefork=0
}
EVENTS {
}
'''


class Saslauthd:
    """Says whether a password is right (Cyrus SASL's protocol: four strings with their lengths in
    front, and one back)."""

    def __init__(self, path):
        self.listener = harness.Listener(self.session, unix=path)
        os.chmod(path, 0o666)

    @staticmethod
    def session(connection):
        with connection, connection.makefile('rb') as stream:
            user, password, _, _ = (stream.read(int.from_bytes(stream.read(2), 'big'))
                                    for _ in range(4))
            answer = b'OK' if (user, password) == (b'joe', PASSWORD.encode()) else b'NO'
            connection.sendall(len(answer).to_bytes(2, 'big') + answer)


def stored(instance, user):
    """The messages of a user, wherever this release keeps them."""
    found = []
    for folder, _, files in os.walk(instance.path('var/spool/cyrus/mail')):
        found += [os.path.join(folder, f) for f in files if re.fullmatch(r'\d+\.', f)]
    texts = []
    for path in found:
        with open(path, 'rb') as f:
            texts.append(f.read())
    return [t for t in texts if b'To: ' + user.encode() + b'\r\n' in t]


def lmtp(service, args, message, **settings):
    return service.msubmit('lmtp', args, message, protocol='lmtp', tls='off', user=None,
                           password_file=None, qualify='off', aliases='', **settings)


def case_body(service, instance, body, **settings):
    def case():
        user = service.new_address().split('@')[0]
        message = (suite.HEADER % (user, 'x', user)).encode() + body
        lmtp(service, [user], message, **settings).want(0)
        texts = common.wait_for('the message', lambda: stored(instance, user))
        suite.check_octets(texts[0], message)
    return case


def case_full(service, instance, **settings):
    """One mailbox is full after one message; the other has got it."""
    def case():
        full, user = (service.new_address().split('@')[0] for _ in range(2))
        message = (suite.HEADER % (user, 'x', user)).encode() + b'body\n'
        lmtp(service, [full], (suite.HEADER % (full, 'x', full)).encode() + b'first\n',
             **settings).want(0)
        run = lmtp(service, [user, full], message, **settings)
        if run.exit not in (69, 75) or full not in run.stderr:
            raise Failure('exit %d:\n%s' % (run.exit, run.stderr))
        if 'took the message for 1 of 2' not in run.stderr or not stored(instance, user):
            raise Failure('the other has not got it:\n' + run.stderr)
    return case


def run(certs, home):
    ports = dict(zip(('lmtp', 'signin'), common.free_ports(2)))
    with Instance('cyrus', ('cyrus', 'mail')) as instance:
        for folder in ('var/lib/cyrus', 'var/spool/cyrus', 'var/spool/cyrus/mail', 'run/cyrus',
                       'run/cyrus/proc', 'run/cyrus/lock', 'run/cyrus/socket'):
            instance.folder(folder, 0o755, 'cyrus', 'mail')
        for folder in 'db proc socket log msg quota user sieve lock'.split():
            instance.folder('var/lib/cyrus/' + folder, 0o755, 'cyrus', 'mail')
        instance.file('etc/imapd.conf', IMAPD % dict(size=common.SIZE_LIMIT))
        instance.file('etc/cyrus.conf', MASTER % ports)
        instance.file('etc/zoneinfo/zones.tab', '+510030 -0000730 Europe/London\n')
        instance.certificates(certs)
        instance.chown('etc/tls/server.key', 'cyrus')
        instance.keep_syslog()
        Saslauthd(instance.path('run/cyrus/mux'))
        process = instance.start('/usr/sbin/cyrmaster', '-D')
        instance.ready(ports, process)
        service = Service('cyrus', Sink(), certs, home, mechanisms=(), ports=ports,
                          root=instance.root)
        unix = dict(host=None, port=None, address_family=None,
                    socket=instance.path('run/cyrus/lmtp'))
        tests = []
        for where, settings in (('local socket', unix), ('TCP', {})):
            for name in ('plain lines', 'dots', 'no newline at the end'):
                tests.append(('cyrus: LMTP, %s: octets: %s' % (where, name),
                              case_body(service, instance, suite.BODIES[name], **settings)))
            tests.append(('cyrus: LMTP, %s: one mailbox is full' % where,
                          case_full(service, instance, **settings)))
        login = dict(protocol='lmtp', user='joe', qualify='off', aliases='',
                     password_file=os.path.join(home, 'password'))
        own = signin.Signin(service, 'signin', 'own-%s'.__mod__, 'var/spool/cyrus/mail', 77,
                            tls='starttls', **login)
        tests += own.cases(closed='430 without sign-in', login_only='one sign-in service for both',
                           down='501 for whatever is wrong')
        trusted = signin.Signin(service, 'lmtp', 'own-%s'.__mod__, tls='off', **login)
        tests.append(('cyrus: LMTP, TCP: no sign-in, one wanted',
                      trusted.case_missing(case_body(service, instance, b'x\n'))))
        return common.run_cases(instance, tests)


if __name__ == '__main__':
    common.main(run)
