#!/usr/bin/env python3
"""Sendmail: STARTTLS, sign-in by Cyrus SASL, wanted from relayers only. It takes what is for
example.org from everybody, and passes it on at once."""
import subprocess

import common
import line
import kerberos
import signin
import suite
from common import Failure, Instance, PASSWORD, Sink
from suite import Service

MC = '''
OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `mx.example.net')dnl
define(`confDONT_BLAME_SENDMAIL', `GroupReadableKeyFile')dnl
define(`confDELIVERY_MODE', `interactive')dnl
define(`confTO_IDENT', `0')dnl
define(`confPID_FILE', `/run/sendmail.pid')dnl
define(`confDONT_PROBE_INTERFACES', `True')dnl
define(`confLOG_LEVEL', `14')dnl
define(`confMAX_MESSAGE_SIZE', `%(size)d')dnl
define(`confREFUSE_LA', `999')dnl
define(`confQUEUE_LA', `999')dnl
define(`confDELAY_LA', `0')dnl
define(`confSERVICE_SWITCH_FILE', `/etc/mail/service.switch')dnl
define(`ALIAS_FILE', `')dnl
define(`STATUS_FILE', `')dnl
define(`HELP_FILE', `')dnl
define(`confCACERT_PATH', `/etc/tls')dnl
define(`confCACERT', `/etc/tls/ca.pem')dnl
define(`confSERVER_CERT', `/etc/tls/server.pem')dnl
define(`confSERVER_KEY', `/etc/tls/server.key')dnl
define(`confAUTH_REALM', `example.org')dnl
define(`confAUTH_OPTIONS', `p,y')dnl
define(`confAUTH_MECHANISMS', `%(mechanisms)s')dnl
TRUST_AUTH_MECH(`%(mechanisms)s')dnl
FEATURE(`nocanonify')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`no_default_msa')dnl
RELAY_DOMAIN(`example.org')dnl
define(`RELAY_MAILER_ARGS', `TCP $h %(sink)d')dnl
DAEMON_OPTIONS(`Port=%(starttls)d, Addr=127.0.0.1, Name=MTA')dnl
MAILER(`local')dnl
MAILER(`smtp')dnl
LOCAL_RULE_0
R$* < @ example.org . > $*		$#relay $@ [127.0.0.1] $: $1 < @ example.org . > $2
R$* < @ example.org > $*		$#relay $@ [127.0.0.1] $: $1 < @ example.org > $2
'''
MECHANISMS = ('PLAIN', 'LOGIN', 'CRAM-MD5', 'DIGEST-MD5', 'SCRAM-SHA-1', 'SCRAM-SHA-256')


def configure(instance, sink, ports):
    cf = instance.path('usr/share/sendmail/cf')
    values = dict(ports, sink=sink.port, size=common.SIZE_LIMIT, mechanisms=' '.join(MECHANISMS))
    done = subprocess.run(['m4', '-D_CF_DIR_=%s/' % cf, cf + '/m4/cf.m4', '-'], cwd=cf, check=False,
                          input=(MC % values).encode(), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    if done.returncode:
        raise Failure(done.stderr.decode())
    instance.file('etc/mail/sendmail.cf', done.stdout)
    instance.file('etc/mail/service.switch', 'hosts files\naliases files\n')
    for folder in ('var/spool/mqueue', 'var/spool/clientmqueue'):
        instance.folder(folder, 0o700)
    for folder in ('etc/sasl2', 'usr/lib/sasl2'):
        instance.file(folder + '/Sendmail.conf', kerberos.SMTPD.replace(
            'keytab: /etc/krb5.keytab\n', '') % ' '.join(MECHANISMS))
    kerberos.inside(instance, 'saslpasswd2', '-p', '-c', '-u', 'example.org', 'joe', words=PASSWORD)


def run(certs, home):
    ports = {'starttls': common.free_ports(1)[0]}
    sink = Sink()
    with Instance('sendmail', ('smmta', 'smmsp', 'mail')) as instance:
        instance.certificates(certs)
        configure(instance, sink, ports)
        instance.keep_syslog()
        process = instance.start('/usr/libexec/sendmail/sendmail', '-bD', '-C',
                                 '/etc/mail/sendmail.cf')
        instance.ready(ports, process)
        service = Service('sendmail', sink, certs, home, ports=ports, mechanisms=MECHANISMS,
                          root=instance.root)
        return common.run_cases(
            instance, [suite.check_offered(service), line.check(service)] + signin.Signin(service).cases(
                login_only='one store of passwords for both', down='535 for whatever is wrong'))


if __name__ == '__main__':
    common.main(run)
