#!/usr/bin/env python3
"""Postfix: parameters of MAIL and RCPT: DSN per recipient and by alias, XVERP; what it lacks."""
import os

import common
import postfix
from common import Failure, Instance, Sink
from exim_requests import MESSAGE, case_dsn, case_left_out, case_required, want
from suite import Service

ALSO = '''
smtpd_authorized_verp_clients = 127.0.0.1
'''


def case_verp(service):
    """A parameter of the user's own, where the server announces it."""
    def case():
        rcpt = service.new_address()
        run = service.msubmit('plain', ['--mail-param=XVERP', '--mail-param=XNO', '--', rcpt],
                              MESSAGE).want(0)
        want(run.sent('MAIL')[0].endswith(' XVERP'), run)
        mail = service.sink.wait(rcpt)
        want(b'=' in mail.sender, run)      # sender+case-1=example.org@...
    return case


def case_alias(service):
    """ORCPT names who was asked for, not what the alias made of it."""
    def case():
        a, b = service.new_address(), service.new_address()
        aliases = os.path.join(service.home, 'aliases-%s' % a)
        with open(aliases, 'w', encoding='utf-8') as f:
            f.write('staff: %s, %s\n' % (a, b))
        run = service.msubmit('plain', ['--rcpt=staff,notify=failure'], MESSAGE, aliases=aliases,
                              default_domain='example.org').want(0)
        for rcpt in (a, b):
            params = service.sink.wait(rcpt).rcpts[rcpt.encode()]
            want(b'ORCPT=rfc822;staff@example.org' in params and b'NOTIFY=FAILURE' in params, run)
    return case


def case_success_note(service):
    """ENVID is made where none is given; and it reaches the next server."""
    def case():
        rcpt = service.new_address()
        run = service.msubmit('plain', ['-N', 'success', '--', rcpt], MESSAGE).want(0)
        envid = run.sent('MAIL')[0].split('ENVID=')[1]
        if not 10 < len(envid) <= 38:
            raise Failure(envid)
        want(b'ENVID=' + envid.encode() in service.sink.wait(rcpt).params, run)
    return case


def cases(service):
    return [
        ('DSN per recipient', case_dsn(service)),
        ('DSN by alias', case_alias(service)),
        ('DSN: ENVID is made', case_success_note(service)),
        ('XVERP by mail_param', case_verp(service)),
        ('left out: MT-PRIORITY', case_left_out(service, '--mt-priority=4')),
        ('left out: SUBMITTER', case_left_out(service, '--submitter=auto')),
        ('required: DELIVERBY R', case_required(service, '--deliver-by=1h;R')),
        ('required: FUTURERELEASE', case_required(service, '--hold-for=1h')),
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
        return common.run_cases(instance, cases(service))


if __name__ == '__main__':
    common.main(run)
