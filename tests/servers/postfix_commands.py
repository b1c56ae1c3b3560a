#!/usr/bin/env python3
"""Postfix: VRFY, EXPN, HELP, NOOP, RSET, ETRN, XCLIENT, XFORWARD, raw commands."""
import os

import common
import postfix
from common import Failure, Instance, Sink
from suite import Service

ALSO = '''
disable_vrfy_command = no
inet_protocols = all
fast_flush_domains = example.org
smtpd_authorized_xclient_hosts = 127.0.0.1
smtpd_authorized_xforward_hosts = 127.0.0.1
'''


def answer(service, args, code, out='', words='', **settings):
    """A call without message: exit code, words of both outputs."""
    def case():
        run = service.msubmit('plain', args, **settings).want(code, words)
        if out not in run.stdout:
            raise Failure('%r wanted, not %r' % (out, run.stdout))
    return case


def case_send(service, **settings):
    def case():
        service.send('plain', b'x\n', **settings)
    return case


def logged(instance, words):
    with open(instance.path('var/log/postfix.log'), encoding='utf-8', errors='replace') as f:
        return words in f.read()


def case_xclient(service):
    """Somebody else's address may not relay; ours with another name may, and the name is kept."""
    def case():
        rcpt, client = service.new_address(), 'NAME=spike.example.org'
        run = service.msubmit('plain', ['--', rcpt], b'Subject: x\n\nx\n',
                              xclient='ADDR=192.0.2.9 ' + client).want(77, rcpt)
        if len(run.sent('EHLO')) != 2 or len(run.sent('XCLIENT')) != 1:
            raise Failure('not XCLIENT once and EHLO again:\n' + run.stderr)
        service.nothing(rcpt)
        _, mail = service.send('plain', b'x\n', xclient='ADDR=127.0.0.1 %s HELO=spike' % client,
                               rcpt=rcpt)
        if b'from spike (spike.example.org [127.0.0.1])' not in mail.data.replace(b'\r\n\t', b' '):
            raise Failure('not as that client: %r' % mail.data)
    return case


def case_xclient_v6(service):
    def case():
        run = service.msubmit('plain', ['--xclient-addr=2001:db8::9', '--noop']).want(0)
        if run.sent('XCLIENT') != ['XCLIENT ADDR=IPV6:2001:db8::9']:
            raise Failure(run.stderr)
    return case


def case_xforward(service, instance):
    def case():
        service.send('plain', b'x\n', xforward='NAME=forwarded.example.org ADDR=192.0.2.77 '
                     'PROTO=ESMTP HELO=helo.example.org')
        common.wait_for('log of the client',
                        lambda: logged(instance, 'orig_client=forwarded.example.org[192.0.2.77]'))
    return case


def cases(service, instance):
    def tell(*args, **settings):
        return answer(service, *args, **settings)
    return [
        ('VRFY: cannot tell', tell(['--vrfy=joe@example.org'], 0, 'joe@example.org: ',
                                   'cannot tell')),
        ('VRFY: strict', tell(['--vrfy=joe@example.org', '--strict-verify'], 75)),
        ('VRFY: no', tell(['--vrfy=unknown@example.org'], 67, '', '550 5.1.1')),
        ('VRFY by RCPT', tell(['--verify-with=rcpt', '--vrfy=joe@example.org'], 0,
                              'joe@example.org: Ok')),
        ('VRFY by RCPT: no', tell(['--verify-with=rcpt', '--vrfy=joe@example.org',
                                   '--vrfy=unknown@example.org'], 67, 'joe@example.org: Ok')),
        ('VRFY in UTF-8', tell(['--vrfy=j\u00f6rg@example.org'], 0, 'j\u00f6rg@example.org: ')),
        ('EXPN is not there', tell(['--expn=staff'], 69, '', 'EXPN')),
        ('NOOP and RSET', tell(['--noop', '--rset'], 0, '250 2.0.0 Ok\n250 2.0.0 Ok\n')),
        ('ETRN', tell(['--etrn=example.org'], 0, 'example.org: Queuing started')),
        ('ETRN: not for that domain', tell(['--rmqs=example.com'], 77, '', '459')),
        ('ATRN is not there', tell(['--atrn', '--atrn-deliver=maildir:' +
                                    os.path.join(service.home, 'box')], 69, '', 'ATRN')),
        ('raw commands', tell(['--smtp-command=NOOP x', '--smtp-command=XNO'], 69, '250 2.0.0 Ok')),
        ('XCLIENT', case_xclient(service)),
        ('XCLIENT: IPv6', case_xclient_v6(service)),
        ('XCLIENT: an attribute that is not there', tell(['--xclient=X-NO=1', '--noop'], 69, '',
                                                         'X-NO')),
        ('XCLIENT: that may be missing', tell(['--xclient=X-NO=1', '--xclient-optional', '--noop'],
                                              0, '250')),
        ('XFORWARD', case_xforward(service, instance)),
        ('SOML falls back to MAIL', case_send(service, send_mode='soml')),
        ('SEND is not there', tell(['--terminal=only', service.new_address()], 69, '', '')),
    ]


def run(certs, home):
    ports = dict(zip(('starttls', 'implicit', 'plain'), common.free_ports(3)))
    sink = Sink()
    with Instance('postfix', ('postfix', 'postdrop')) as instance:
        instance.certificates(certs)
        postfix.configure(instance, sink, ports)
        postfix.add(instance, ALSO)
        plain = {'plain': ports['plain']}
        instance.ready(plain, instance.start('/usr/lib/postfix/sbin/master', '-c', '/etc/postfix', '-d'))
        service = Service('postfix', sink, certs, home, ports=plain, mechanisms=(), utf8=True,
                          chunking=True)
        return common.run_cases(instance, cases(service, instance))


if __name__ == '__main__':
    common.main(run)
