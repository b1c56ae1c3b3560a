#!/usr/bin/env python3
"""Postfix: submission by STARTTLS and by implicit TLS, signed in through Dovecot; plain relay.
A port where sign-in is wanted from relayers only, as it comes."""
import os
import re

import common
import line
import dovecot
import signin
import suite
from common import Instance, Sink, harness
from suite import Service

# Postfix does not tell Dovecot of client certificates, which therefore offers no EXTERNAL.
MECHANISMS = dovecot.MECHANISMS[:-1]

MAIN = '''
compatibility_level = 3.6
queue_directory = /var/spool/postfix
data_directory = /var/lib/postfix
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
meta_directory = /etc/postfix
shlib_directory = /usr/lib/postfix
mail_owner = postfix
setgid_group = postdrop
maillog_file = /var/log/postfix.log
myhostname = mx.example.net
mydestination = own.example
local_transport = relay:[127.0.0.1]:%(sink)d
local_recipient_maps =
alias_maps =
alias_database =
mynetworks = 127.0.0.1/32
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
relayhost = [127.0.0.1]:%(sink)d
smtp_tls_security_level = none
smtputf8_enable = yes
message_size_limit = %(size)d
mailbox_size_limit = 0
virtual_mailbox_limit = 0
smtpd_peername_lookup = no
smtpd_error_sleep_time = 0
smtpd_recipient_limit = 2000
smtpd_client_connection_count_limit = 0
smtpd_recipient_restrictions =
  check_recipient_access inline:{{unknown@example.org = 550 5.1.1 no such user}}
smtpd_relay_restrictions = permit_mynetworks reject
smtpd_tls_chain_files = /etc/tls/both.pem
smtpd_tls_CAfile = /etc/tls/ca.pem
smtpd_tls_ask_ccert = yes
smtpd_tls_session_cache_database =
smtpd_tls_loglevel = 1
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_sasl_tls_security_options = noanonymous
smtpd_sasl_security_options = noanonymous
'''

MASTER = '''
127.0.0.1:%(plain)d inet n - n - - smtpd
127.0.0.1:%(starttls)d inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o { smtpd_relay_restrictions = permit_sasl_authenticated reject }
127.0.0.1:%(implicit)d inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
  -o smtpd_sasl_auth_enable=yes
  -o { smtpd_relay_restrictions = permit_sasl_authenticated reject }
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
'''

# Mail for own.example is taken from everybody.
OWN = '''
127.0.0.1:%(own)d inet n - n - - smtpd
  -o { mynetworks = 192.0.2.1 }
  -o smtpd_tls_security_level=may
  -o smtpd_sasl_auth_enable=yes
  -o { smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated
       defer_unauth_destination }
127.0.0.1:%(down)d inet n - n - - smtpd
  -o { mynetworks = 192.0.2.1 }
  -o smtpd_tls_security_level=may
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_sasl_path=private/dies
  -o { smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated
       defer_unauth_destination }
'''

SASL = '''
service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0666
  }
}
'''

QUEUES = 'active bounce corrupt defer deferred flush hold incoming private saved trace'.split()


def configure(instance, sink, ports):
    instance.folder('var/spool/postfix')
    for queue in QUEUES:
        instance.folder('var/spool/postfix/' + queue, 0o700, 'postfix', 'root')
    instance.folder('var/spool/postfix/pid')
    instance.folder('var/spool/postfix/public', 0o710, 'postfix', 'postdrop')
    instance.folder('var/spool/postfix/maildrop', 0o730, 'postfix', 'postdrop')
    instance.folder('var/lib/postfix', 0o700, 'postfix', 'root')
    both = b''
    for name in ('server.key', 'server.pem'):
        with open(instance.path('etc/tls/' + name), 'rb') as f:
            both += f.read()
    instance.file('etc/tls/both.pem', both, 0o600)
    instance.file('etc/postfix/main.cf', MAIN % dict(sink=sink.port, size=common.SIZE_LIMIT))
    instance.file('etc/postfix/master.cf', (MASTER + (OWN if 'own' in ports else '')) % ports)


def add(instance, settings):
    """More lines for main.cf, in place of those of the same names.

    Never one name twice: each program tells the log of that, the one that writes the log as well,
    which waits for itself when ten others have told it before."""
    names = '|'.join(re.findall(r'(?m)^([a-z_]+) *=', settings))
    with open(instance.path('etc/postfix/main.cf'), encoding='utf-8') as f:
        old = re.sub(r'(?m)^(?:%s) *=.*\n(?:[ \t].*\n)*' % names, '', f.read())
    instance.file('etc/postfix/main.cf', old + settings)


class DyingAuth:
    """Dovecot's sign-in service that says what it can do, and goes when it is asked to do it."""

    GREETING = b'VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\nSPID\t1\n' \
               b'CUID\t1\nCOOKIE\t00112233445566778899aabbccddeeff\nDONE\n'

    def __init__(self, path):
        self.listener = harness.Listener(self.session, unix=path)
        os.chmod(path, 0o666)

    def session(self, connection):
        with connection, connection.makefile('rb') as lines:
            connection.sendall(self.GREETING)
            for line in lines:
                if line.startswith(b'AUTH\t'):
                    return


def run(certs, home):
    ports = dict(zip(('starttls', 'implicit', 'plain', 'own', 'down'), common.free_ports(5)))
    sink = Sink()
    with Instance('postfix', ('postfix', 'postdrop') + dovecot.USERS) as instance:
        instance.certificates(certs)
        configure(instance, sink, ports)
        dovecot.configure(instance, dovecot.Introspection(), '', SASL + dovecot.SOME_USERS,
                          MECHANISMS)
        dovecot.start(instance)
        DyingAuth(instance.path('var/spool/postfix/private/dies'))
        common.wait_for('Dovecot', lambda: instance.exists('var/spool/postfix/private/auth'))
        process = instance.start('/usr/lib/postfix/sbin/master', '-c', '/etc/postfix', '-d')
        instance.ready(ports, process)
        down = dict(port=ports.pop('down'))
        own = signin.Signin(
            Service('postfix', sink, certs, home, ports={'starttls': ports.pop('own')},
                    mechanisms=MECHANISMS, root=instance.root), recipient='%s@own.example'.__mod__)
        service = Service('postfix', sink, certs, home, ports=ports, mechanisms=MECHANISMS,
                          utf8=True, chunking=True, root=instance.root)
        return common.run_cases(instance, own.cases(
            dovecot.LOGIN_ONLY, down) + [
            suite.check_offered(service), line.check(service)] + suite.cases(service))


if __name__ == '__main__':
    common.main(run)
