#!/usr/bin/env python3
"""Exim: submission by STARTTLS and by implicit TLS, plain relay; its own authenticators. A port
where sign-in is wanted from relayers only, as it comes."""
import common
import line
import signin
import suite
from common import Instance, PASSWORD, Sink, USER
from suite import Service

MECHANISMS = ('PLAIN', 'LOGIN', 'CRAM-MD5', 'EXTERNAL')

CONFIG = '''
exim_user = Debian-exim
exim_group = Debian-exim
primary_hostname = mx.example.net
spool_directory = /var/spool/exim4
log_file_path = /var/log/exim4/%%slog
local_interfaces = 127.0.0.1
daemon_smtp_ports = %(starttls)d : %(implicit)d : %(plain)d
tls_on_connect_ports = %(implicit)d
tls_certificate = /etc/tls/server.pem
tls_privatekey = /etc/tls/server.key
tls_advertise_hosts = ${if eq{$received_port}{%(plain)d}{}{*}}
tls_try_verify_hosts = *
tls_verify_certificates = /etc/tls/ca.pem
auth_advertise_hosts = ${if eq{$tls_in_cipher}{}{}{*}}
smtputf8_advertise_hosts = *
dsn_advertise_hosts = *
message_size_limit = %(size)d
accept_8bitmime = true
rfc1413_query_timeout = 0s
smtp_accept_max = 0
recipients_max = 2000
never_users =
keep_environment =
add_environment =
acl_smtp_rcpt = check_rcpt
acl_smtp_data = accept

begin acl
check_rcpt:
  deny local_parts = unknown
       message = 5.1.1 no such user
  accept authenticated = *
  accept condition = ${if eq{$received_port}{%(plain)d}}
  deny message = 5.7.1 sign in first

begin routers
sink:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = sink

begin transports
sink:
  driver = smtp
  port = %(sink)d
  allow_localhost
  hosts_avoid_tls = *

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if eq{$auth2}{down@example.org}{${readsocket{/run/none}{x}}} \
    {${lookup{$auth2}lsearch{/etc/exim4/users}{${if eq{$value}{$auth3}}}{no}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = <| Username: | Password:
  server_condition = ${lookup{$auth1}lsearch{/etc/exim4/users}{${if eq{$value}{$auth2}}} \
    {${if and{{eq{$auth1}{login@example.org}}{eq{$auth2}{${readfile{/etc/exim4/login}{}}}}}}}}
  server_set_id = $auth1
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${lookup{$auth1}lsearch{/etc/exim4/users}{$value}fail}
  server_set_id = $auth1
external:
  driver = external
  public_name = EXTERNAL
  server_advertise_condition = ${if def:tls_in_cipher}
  server_param2 = ${certextract {subject,CN}{$tls_in_peercert}}
  server_condition = ${if and{{eq{$tls_in_certificate_verified}{1}}{eq{$auth2}{client}}}}
  server_set_id = $auth2
'''

# One port more: mail for example.org is taken from everybody.
OWN = CONFIG.replace(' : %(plain)d\n', ' : %(plain)d : %(own)d\n').replace('''
  deny message = 5.7.1''', '''
  accept condition = ${if eq{$received_port}{%(own)d}}
         domains = example.org
  deny message = 5.7.1''')


def run(certs, home):
    ports = dict(zip(('starttls', 'implicit', 'plain', 'own'), common.free_ports(4)))
    sink = Sink()
    with Instance('exim', ('Debian-exim',)) as instance:
        instance.certificates(certs)
        for folder in ('var/spool/exim4', 'var/log/exim4'):
            instance.folder(folder, 0o750, 'Debian-exim')
        instance.chown('etc/tls/server.key', 'Debian-exim')
        instance.file('etc/exim4/users', '%s: %s\n' % (USER, PASSWORD), 0o640, 'Debian-exim')
        instance.file('etc/exim4/login', PASSWORD, 0o640, 'Debian-exim')
        instance.file('etc/exim4/exim4.conf', OWN % dict(
            ports, sink=sink.port, size=common.SIZE_LIMIT))
        instance.ready(ports, instance.start('/usr/sbin/exim4', '-bdf'))
        own = signin.Signin(Service('exim', sink, certs, home, ports={'starttls': ports.pop('own')},
                                    mechanisms=MECHANISMS, root=instance.root))
        service = Service('exim', sink, certs, home, ports=ports, mechanisms=MECHANISMS, utf8=True,
                          chunking=True, root=instance.root)
        return common.run_cases(instance, own.cases(
            login_only=(535, dict(user='login@example.org')),
            down=dict(user='down@example.org')) +
            [suite.check_offered(service), line.check(service)] + suite.cases(service))


if __name__ == '__main__':
    common.main(run)
