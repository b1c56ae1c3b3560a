#!/usr/bin/env python3
"""Dovecot: its submission service in front of a sink, and LMTP into a Maildir. The submission
service wants sign-in from everybody."""
import http.server
import json
import os
import threading
import urllib.parse

import common
import line
import signin
import suite
from common import Failure, Instance, PASSWORD, Sink, TOKEN, USER
from suite import HEADER, Service

USERS = ('dovecot', 'dovenull', 'vmail')
MECHANISMS = ('PLAIN', 'LOGIN', 'CRAM-MD5', 'DIGEST-MD5', 'SCRAM-SHA-1', 'SCRAM-SHA-256',
              'XOAUTH2', 'OAUTHBEARER', 'EXTERNAL')

CONFIG = '''
base_dir = /run/dovecot
state_dir = /var/lib/dovecot
log_path = /var/log/dovecot.log
auth_verbose = yes
protocols = %(protocols)s
listen = 127.0.0.1
hostname = mx.example.net
ssl = required
ssl_cert = </etc/tls/server.pem
ssl_key = </etc/tls/server.key
ssl_ca = </etc/tls/ca.pem
ssl_require_crl = no
ssl_verify_client_cert = yes
auth_ssl_username_from_cert = yes
disable_plaintext_auth = yes
auth_failure_delay = 0
auth_mechanisms = %(mechanisms)s
mail_location = maildir:~/Maildir
mail_save_crlf = yes
passdb {
  driver = passwd-file
  mechanisms = plain login cram-md5 digest-md5 scram-sha-1 scram-sha-256
  args = /etc/dovecot/users
}
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = /etc/dovecot/oauth2
}
passdb {
  driver = static
  mechanisms = external
  args = nopassword=y
}
userdb {
  driver = static
  args = uid=vmail gid=vmail home=/var/vmail/%%u allow_all_users=yes
}
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
%(more)s
'''

SUBMISSION = '''
submission_relay_host = 127.0.0.1
submission_relay_port = %(sink)d
submission_relay_trusted = no
submission_max_mail_size = %(size)d
mail_max_userip_connections = 200
service submission-login {
  inet_listener submission {
    port = %(starttls)d
  }
  inet_listener submissions {
    port = %(implicit)d
    ssl = yes
  }
}
service lmtp {
  unix_listener lmtp {
    mode = 0666
  }
}
'''


# Of users with a file each, and of one who signs in by LOGIN only. A file that cannot be read is
# a sign-in service that is down.
SOME_USERS = '''
passdb {
  driver = passwd-file
  mechanisms = login
  args = /etc/dovecot/login
}
passdb {
  driver = passwd-file
  mechanisms = plain login
  args = /etc/dovecot/user/%u
}
'''
LOGIN_ONLY = (535, dict(user='login@example.org', auth_mechanisms='plain, login'))


class Introspection(http.server.ThreadingHTTPServer):
    """Says of an OAuth token whose it is (RFC 7662); knows one."""

    daemon_threads = True

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
            good = query.get('token') == [TOKEN]
            answer = json.dumps({'active': True, 'username': USER, 'email': USER} if good
                                else {'active': False}).encode()
            self.send_response(200 if good else 401)
            self.send_header('Content-Type', 'application/json')
            self.send_header('Content-Length', str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    def __init__(self):
        super().__init__(('127.0.0.1', 0), self.Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]


def configure(instance, introspection, protocols='', more='', mechanisms=MECHANISMS):
    """Files for a Dovecot in this instance."""
    for folder in ('run/dovecot', 'var/lib/dovecot', 'usr/share/dovecot/protocols.d'):
        instance.folder(folder)
    instance.folder('var/vmail', 0o700, 'vmail')
    instance.file('etc/dovecot/users', '%s:{PLAIN}%s\n' % (USER, PASSWORD), 0o640, 'dovecot')
    instance.file('etc/dovecot/login', 'login@example.org:{PLAIN}%s\n' % PASSWORD, 0o640, 'dovecot')
    instance.file('etc/dovecot/user/down@example.org', '', 0)
    instance.file('etc/dovecot/oauth2',
                  'introspection_mode = get\nintrospection_url = http://127.0.0.1:%d/?token=\n'
                  'username_attribute = username\nactive_attribute = active\nactive_value = true\n'
                  % introspection.port)
    instance.file('etc/dovecot/dovecot.conf', CONFIG % dict(
        protocols=protocols, more=more, mechanisms=' '.join(mechanisms).lower()))


def start(instance):
    return instance.start('/usr/sbin/dovecot', '-F', '-c', '/etc/dovecot/dovecot.conf')


# --- LMTP ------------------------------------------------------------------------


def stored(instance, rcpt):
    """The one message in a recipient's Maildir."""
    folder = instance.path('var/vmail/%s/Maildir/new' % rcpt)
    files = os.listdir(folder)
    if len(files) != 1:
        raise Failure('%d messages for %s' % (len(files), rcpt))
    with open(os.path.join(folder, files[0]), 'rb') as f:
        return f.read()


def lmtp(service, instance, args, message):
    return service.msubmit('lmtp', args, message, host=None, port=None, address_family=None,
                           socket=instance.path('run/dovecot/lmtp'), protocol='lmtp', tls='off',
                           user=None, password_file=None)


def case_lmtp(service, instance, body):
    def case():
        rcpts = [service.new_address() for _ in range(2)]
        message = (HEADER % (rcpts[0], 'x', rcpts[0])).encode() + body
        lmtp(service, instance, rcpts, message).want(0)
        for rcpt in rcpts:
            suite.check_octets(stored(instance, rcpt), message)
    return case


def case_lmtp_refused(service, instance):
    """The user database has no place for one recipient; the other gets the message."""
    def case():
        rcpt = service.new_address()
        run = lmtp(service, instance, [rcpt, '"../../etc/x"@example.org'], b'Subject: x\n\nx\n')
        if run.exit not in (67, 69, 75) or '"../../etc/x"@example.org' not in run.stderr:
            raise Failure('exit %d:\n%s' % (run.exit, run.stderr))
        stored(instance, rcpt)
    return case


def run(certs, home):
    ports = dict(zip(('starttls', 'implicit'), common.free_ports(2)))
    sink = Sink()
    with Instance('postfix', USERS) as instance:
        instance.certificates(certs)
        configure(instance, Introspection(), 'submission lmtp', SUBMISSION % dict(
            sink=sink.port, size=common.SIZE_LIMIT, **ports) + SOME_USERS)
        process = start(instance)
        instance.ready(ports, process)
        service = Service('dovecot', sink, certs, home, mechanisms=MECHANISMS, chunking=True,
                          ports=ports, root=instance.root)
        own = signin.Signin(service)
        tests = own.cases(closed='530 without sign-in', login_only=LOGIN_ONLY,
                          down=dict(user='down@example.org', auth_mechanisms='plain, login'))
        tests += [suite.check_offered(service), line.check(
            service, serves=None)] + suite.cases(service)
        service.ports['lmtp'] = 0
        for name, body in suite.BODIES.items():
            tests.append(('dovecot: LMTP: octets: ' + name, case_lmtp(service, instance, body)))
        tests.append(('dovecot: LMTP: half a megabyte',
                      case_lmtp(service, instance, suite.BIG[:common.SIZE_LIMIT // 2])))
        missed = signin.Signin(service, 'lmtp', protocol='lmtp', tls='off', host=None,
                               port=None, address_family=None,
                               user=USER, password_file=os.path.join(home, 'wrong'),
                               socket=instance.path('run/dovecot/lmtp'))
        tests.append(('dovecot: LMTP: no sign-in, one wanted',
                      missed.case_missing(case_lmtp(service, instance, b'x\n'))))
        tests.append(('dovecot: LMTP: one of two refused', case_lmtp_refused(service, instance)))
        return common.run_cases(instance, tests)


if __name__ == '__main__':
    common.main(run)
