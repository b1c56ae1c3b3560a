#!/usr/bin/env python3
"""Courier: its esmtpd with STARTTLS, sign-in wanted from relayers only, into a Maildir. Who may
sign in is said by a service of ours, in the words of Courier's authdaemond."""
import os

import common
import line
import signin
import suite
from common import Instance, PASSWORD, Sink, USER, harness
from suite import Service

MECHANISMS = ('PLAIN', 'LOGIN')
ESMTPD = dict(
    BOFHCHECKDNS='0', BOFHNOEXPN='1', BOFHNOVRFY='1', NOADDMSGID='1', NOADDDATE='1',
    ESMTPAUTH='', ESMTPAUTH_TLS=' '.join(MECHANISMS), AUTH_REQUIRED='0',
    COURIERTLS='/usr/bin/couriertls', TLS_CERTFILE='/etc/tls/both.pem', TLS_VERIFYPEER='NONE',
    TLS_TRUSTCERTS='/etc/tls/ca.pem', TLS_CACHEFILE='')
COURIERD = dict(DYNAMICDELIVERIES='1', DEFAULTDELIVERY='./Maildir', PREFIX='/usr')
ENVIRONMENT = {'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'TZ': 'UTC', 'SHELL': '/bin/sh'}


class Authdaemon:
    """Knows a user, and where the mail of everybody is kept."""

    def __init__(self, path, number):
        self.facts = ('UID=%d\nGID=%d\nHOME=/home/mail\nADDRESS=%%s\n.\n' % (number, number))
        self.listener = harness.Listener(self.session, unix=path)
        os.chmod(path, 0o666)

    def session(self, connection):
        with connection, connection.makefile('rb') as lines:
            words = next(w for w in (line.decode().split() for line in lines)
                         if w[0] in ('AUTH', 'PRE'))        # where from stands in front
            user = words[-1]
            if words[0] == 'AUTH':
                _, kind, user, password = lines.read(int(words[1])).decode().split('\n')[:4]
                if (kind, user, password) != ('login', USER, PASSWORD):
                    connection.sendall(b'FAIL\n')
                    return
            connection.sendall((self.facts % user).encode())


def configure(instance):
    both = b''
    for name in ('server.key', 'server.pem'):
        with open(instance.path('etc/tls/' + name), 'rb') as f:
            both += f.read()
    instance.file('etc/tls/both.pem', both, 0o600, 'courier')
    for name, text in (('me', 'mx.example.net\n'), ('locals', 'example.org\n'),
                       ('esmtpacceptmailfor', 'example.org\n'), ('sizelimit', '1000000\n')):
        instance.file('etc/courier/' + name, text)
    # it wants all of them, and the texts of what is never sent here
    for name, most in (('local', 10), ('esmtp', 10), ('dsn', 4), ('uucp', 4), ('fax', 1)):
        instance.file('etc/courier/module.' + name, 'NAME=%s\nPRIORITY=10\nPROG=./courier%s\n'
                      'MAXDELS=%d\nMAXHOST=1\nMAXRCPT=1\n' % (name, name, most))
    for name in ('header', 'footer', 'delayed', 'delivered', 'failed', 'relayed', 'subjectwarn',
                 'subjectnotice'):
        instance.file('etc/courier/dsn%s.txt' % name, 'Subject: %s\n' % name)
    for folder in ('aliasdir', 'aliases', 'filters', 'filters/active', 'esmtpacceptmailfor.dir'):
        instance.folder('etc/courier/' + folder)
    for folder in ('', 'tmp', 'msgs', 'msgq', 'track', 'sts', 'filters', 'allfilters'):
        instance.folder('var/lib/courier/' + folder, 0o755, 'courier')
    instance.folder('run/courier', 0o755, 'courier')
    instance.folder('run/courier/authdaemon')
    for folder in ('', '/Maildir', '/Maildir/tmp', '/Maildir/new', '/Maildir/cur'):
        instance.folder('home/mail' + folder, 0o700, 'vmail')


def run(certs, home):
    ports = {'starttls': common.free_ports(1)[0]}
    with Instance('courier', ('courier', 'vmail')) as instance:
        instance.certificates(certs)
        configure(instance)
        instance.keep_syslog()
        Authdaemon(instance.path('run/courier/authdaemon/socket'), instance.owners['vmail'])
        instance.start('/usr/lib/courier/courier/courierd', env=dict(ENVIRONMENT, **COURIERD))
        instance.start(
            '/usr/sbin/couriertcpd', '-noidentlookup', '-nodnslookup', '-user=courier',
            '-group=courier', '-address=127.0.0.1', '-maxprocs=40', '-maxperc=40', '-maxperip=40',
            str(ports['starttls']), '/usr/sbin/courieresmtpd', env=dict(ENVIRONMENT, **ESMTPD))
        instance.ready(ports, instance.processes[-1])
        service = Service('courier', Sink(), certs, home, ports=ports, mechanisms=MECHANISMS,
                          root=instance.root)
        return common.run_cases(
            instance, [suite.check_offered(service), line.check(
                service, serves=False, mailbox='home/mail/Maildir/new')] + signin.Signin(
                service, mailbox='home/mail/Maildir/new').cases(
                login_only='one sign-in service for both', down='535 for whatever is wrong'))


if __name__ == '__main__':
    common.main(run)
