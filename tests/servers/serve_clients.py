#!/usr/bin/env python3
"""Postfix and Exim as clients of our listener: they relay to it with TLS verified, Exim signed in.

The server takes messages by SMTP, ten connections at a time; each has to lie in the Maildir once, with
all its octets."""
import concurrent.futures
import os
import smtplib
import sys

import common
import exim
import postfix
from common import Failure, Instance, harness, wait_for

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import listener_test                                                    # noqa: E402

COUNT, AT_ONCE, RCPTS = 50, 10, 3
BODIES = (b'plain\r\n', b'.\r\n..\r\n.x\r\n', 'gr\u00fcn\r\n'.encode() * 30, b'x' * 900 + b'\r\n', b'y\r\n' * 30000, b'')

POSTFIX = '''
smtp_tls_security_level = verify
smtp_tls_CAfile = /etc/tls/ca.pem
smtp_tls_verify_cert_match = localhost
smtp_dns_support_level = disabled
smtp_host_lookup = native
relayhost = [localhost]:%d
'''
# Exim's own, with TLS and sign-in towards the next host
EXIM_TRANSPORT = '''  hosts_require_tls = *
  tls_verify_certificates = /etc/tls/ca.pem
  tls_verify_hosts = *
  tls_verify_cert_hostnames =
  hosts_require_auth = *
'''
EXIM_CLIENT = '''
to_us:
  driver = plaintext
  public_name = PLAIN
  client_send = ^ann^other
'''


def message(i):
    return b'From: a@example.org\r\nSubject: m%d\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n' % i + \
        b'mark-%d.\r\n' % i + BODIES[i % len(BODIES)]


def send(port, numbers):
    with smtplib.SMTP('127.0.0.1', port, timeout=common.WAIT) as smtp:
        for i in numbers:
            smtp.sendmail('a@example.org', ['r%d-%d@example.net' % (i, k) for k in range(RCPTS)], message(i),
                          ['BODY=8BITMIME'])


def whole(found, i):
    """The body as it was given, and the subject; the relay has added fields."""
    head, _, body = found.partition(b'\n\n')
    return b'\nSubject: m%d\n' % i in head and body == message(i).replace(b'\r\n', b'\n').partition(b'\n\n')[2]


def relayed(instance, server, port, signed):
    """All of the messages lie there, each as often as Postfix or Exim divides recipients: once."""
    def case():
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda k: send(port, range(k, COUNT, AT_ONCE)), range(AT_ONCE)))
        try:
            wait_for('%d messages' % COUNT, lambda: len(server.messages()) >= COUNT)
        except Failure as e:
            return [str(e), server.stderr()[-1000:], instance.log()]
        failures, left = [], list(range(COUNT))
        for found in server.messages():
            i = int(found.split(b'\nmark-')[1].split(b'.')[0])
            if i not in left or not whole(found, i):
                failures.append('message %d, %s' % (i, 'changed: %r' % found[:1500] if i in left else 'again'))
            else:
                left.remove(i)
        log = server.stderr()
        words = ['tls=on'] + (['result=broken'] if 'result=broken' in log else []) + (['user=ann'] if signed else [])
        failures += ['log: %s:\n%s' % (w, log[-1000:]) for w in words if w not in log or w == 'result=broken']
        return failures + (['missing: %r' % left] if left else [])
    return case


def listener(folder, **options):
    """Our own, with the certificate of localhost."""
    os.makedirs(folder)
    server, _ = listener_test.secure(folder, require_tls='yes', **options)
    return server, harness.Certificates(os.path.join(folder, 'certs'))


def by_postfix(folder):
    server, certificates = listener(folder)
    with server, Instance('postfix', ('postfix', 'postdrop')) as instance:
        instance.certificates(certificates)
        ports = dict(zip(('starttls', 'implicit', 'plain'), common.free_ports(3)))
        postfix.configure(instance, common.Sink(), ports)
        postfix.add(instance, POSTFIX % server.address[1])
        instance.ready({'plain': ports['plain']},
                       instance.start('/usr/lib/postfix/sbin/master', '-c', '/etc/postfix', '-d'))
        return relayed(instance, server, ports['plain'], False)()


def by_exim(folder):
    server, certificates = listener(folder, auth_required='yes')
    with server, Instance('exim', ('Debian-exim',)) as instance:
        instance.certificates(certificates)
        for name in ('var/spool/exim4', 'var/log/exim4'):
            instance.folder(name, 0o750, 'Debian-exim')
        instance.chown('etc/tls/server.key', 'Debian-exim')
        ports = dict(zip(('starttls', 'implicit', 'plain'), common.free_ports(3)))
        text = exim.CONFIG % dict(ports, sink=server.address[1], size=common.SIZE_LIMIT)
        instance.file('etc/exim4/exim4.conf', text.replace('  hosts_avoid_tls = *\n', EXIM_TRANSPORT) + EXIM_CLIENT)
        instance.ready({'plain': ports['plain']}, instance.start('/usr/sbin/exim4', '-bdf'))
        return relayed(instance, server, ports['plain'], True)()


def run(_, home):
    return harness.run_tap([
        ('Postfix relays to our listener: TLS', lambda: by_postfix(os.path.join(home, 'postfix'))),
        ('Exim relays to our listener: TLS and sign-in', lambda: by_exim(os.path.join(home, 'exim')))], 1)


if __name__ == '__main__':
    common.main(run)
