#!/usr/bin/env python3
"""OpenSMTPD: submission by STARTTLS and by implicit TLS, and plain relay. A port where sign-in is
wanted from relayers only, as it comes."""
import subprocess

import common
import line
import signin
import suite
from common import Instance, PASSWORD, Sink, USER
from suite import Service

MECHANISMS = ('PLAIN', 'LOGIN')

CONFIG = '''
pki mx.example.net cert "/etc/tls/server.pem"
pki mx.example.net key "/etc/tls/server.key"
table users file:/etc/users
smtp max-message-size "%(size)d"
listen on 127.0.0.1 port %(starttls)d tls-require pki mx.example.net auth <users> \\
  hostname mx.example.net
listen on 127.0.0.1 port %(implicit)d smtps pki mx.example.net auth <users> hostname mx.example.net
listen on 127.0.0.1 port %(plain)d hostname mx.example.net
action "sink" relay host smtp://127.0.0.1:%(sink)d
listen on 127.0.0.1 port %(own)d tls pki mx.example.net auth-optional <users> tag OWN \
  hostname mx.example.net
match tag OWN from any for domain "example.org" action "sink"
match tag OWN auth from any for any action "sink"
match tag OWN from any for any reject
match from any for rcpt-to "unknown@example.org" reject
match from any for any action "sink"
'''


def configure(instance, sink, ports):
    for folder in ('var/lib/opensmtpd/empty', 'var/mail'):
        instance.folder(folder)
    instance.folder('var/spool/smtpd', 0o711)
    hashed = subprocess.run(['openssl', 'passwd', '-6', '-stdin'], input=PASSWORD.encode(),
                            check=True, stdout=subprocess.PIPE).stdout.decode()
    instance.file('etc/users', '%s %s\n' % (USER, hashed.strip()), 0o640, 'opensmtpd')
    instance.file('etc/smtpd.conf', CONFIG % dict(ports, sink=sink.port, size=common.SIZE_LIMIT))
    instance.file('etc/ssl/certs/ca-certificates.crt', '')


def run(certs, home):
    ports = dict(zip(('starttls', 'implicit', 'plain', 'own'), common.free_ports(4)))
    sink = Sink()
    with Instance('opensmtpd', ('opensmtpd', 'opensmtpq')) as instance:
        instance.certificates(certs)
        configure(instance, sink, ports)
        process = instance.start('/usr/sbin/smtpd', '-d', '-v', '-f', '/etc/smtpd.conf')
        instance.ready(ports, process)
        own = signin.Signin(
            Service('opensmtpd', sink, certs, home, ports={'starttls': ports.pop('own')},
                    mechanisms=MECHANISMS, root=instance.root))
        service = Service('opensmtpd', sink, certs, home, ports=ports, mechanisms=MECHANISMS,
                          root=instance.root, skip={'quoted local part': 'OpenSMTPD takes none'})
        return common.run_cases(instance, own.cases(
            login_only='one table of users for both',
            down='a table that is not there stops the server') + [
                suite.check_offered(service), line.check(service, serves=None)] +
            suite.cases(service))


if __name__ == '__main__':
    common.main(run)
