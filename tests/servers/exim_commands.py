#!/usr/bin/env python3
"""Exim: VRFY, EXPN, HELP, NOOP, ETRN, raw commands; no XCLIENT."""
import common
import exim
from common import Instance, Sink
from postfix_commands import answer, case_send
from suite import Service

ALSO = '''
acl_smtp_vrfy = accept
acl_smtp_expn = accept
acl_smtp_etrn = ${if eq{$smtp_command_argument}{#refused}{deny}{accept}}
smtp_etrn_command = /usr/sbin/exim4 -bV

begin acl
'''

ROUTERS = '''begin routers
nobody:
  driver = redirect
  local_parts = nobody
  allow_fail
  data = :fail: no such user
staff:
  driver = redirect
  local_parts = staff
  data = ann@example.net, Bob <bob@example.net>
'''


def cases(service):
    def tell(*args, **settings):
        return answer(service, *args, **settings)
    return [
        ('VRFY', tell(['--vrfy=joe@example.org'], 0, 'joe@example.org: ')),
        ('VRFY: no', tell(['--vrfy=nobody@example.org'], 67, '', '550')),
        ('EXPN', tell(['--expn=staff@example.org'], 0, 'ann@example.net')),
        ('EXPN: no', tell(['--expn=nobody@example.org'], 67, '', '553')),
        ('HELP', tell(['--smtp-help'], 0, 'RCPT')),
        ('NOOP and RSET', tell(['--noop', '--rset'], 0, '250 OK\n250 Reset OK\n')),
        ('ETRN', tell(['--etrn=#example.org'], 0, '#example.org: OK')),
        ('ETRN: refused', tell(['--etrn=#refused', '--etrn=#example.net'], 75, '#example.net: OK',
                               '458')),
        ('raw commands', tell(['--smtp-command=XNO'], 69, '', 'XNO')),
        ('XCLIENT is not there', tell(['--xclient-addr=192.0.2.9', '--noop'], 69, '', 'XCLIENT')),
        ('XFORWARD is left out', case_send(service, xforward='NAME=x.example')),
        ('SAML falls back to MAIL', case_send(service, send_mode='saml')),
    ]


def run(certs, home):
    ports = dict(zip(('starttls', 'implicit', 'plain'), common.free_ports(3)))
    sink = Sink()
    with Instance('exim', ('Debian-exim',)) as instance:
        instance.certificates(certs)
        for folder in ('var/spool/exim4', 'var/log/exim4'):
            instance.folder(folder, 0o750, 'Debian-exim')
        instance.chown('etc/tls/server.key', 'Debian-exim')
        config = exim.CONFIG % dict(ports, sink=sink.port, size=common.SIZE_LIMIT)
        config = config.replace('\nbegin acl\n', ALSO, 1).replace('begin routers\n', ROUTERS, 1)
        instance.file('etc/exim4/exim4.conf', config)
        plain = {'plain': ports['plain']}
        instance.ready(plain, instance.start('/usr/sbin/exim4', '-bdf'))
        service = Service('exim', sink, certs, home, ports=plain, mechanisms=(), utf8=True,
                          chunking=True)
        return common.run_cases(instance, cases(service))


if __name__ == '__main__':
    common.main(run)
