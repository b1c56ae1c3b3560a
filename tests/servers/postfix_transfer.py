#!/usr/bin/env python3
"""Postfix: BDAT in chunks, nothing ahead of the sign-in."""
import common
import dovecot
import exim_transfer
import postfix
from common import Failure, Instance, Sink
from exim_transfer import waits
from suite import Service


def case_waits(service, mode, count):
    """Signed in and sent with so many waits, handshakes not counted."""
    def case():
        run, _ = service.send(mode, b'body\n')
        if waits(run.stderr.splitlines()) != count:
            raise Failure('%d waits:\n%s' % (waits(run.stderr.splitlines()), run.stderr))
    return case


def case_wrong_password(service):
    """To a recipient that the server would take without: nothing is sent."""
    def case():
        rcpt = service.new_address()
        run = service.msubmit('implicit', [rcpt], b'Subject: x\n\nx\n',
                              password_file=service.home + '/wrong')
        run.want(77, '535')
        if run.sent('MAIL'):
            raise Failure('not waited:\n' + run.stderr)
        service.nothing(rcpt)
    return case


def run(certs, home):
    ports = dict(zip(('starttls', 'implicit', 'plain'), common.free_ports(3)))
    sink = Sink()
    with Instance('postfix', ('postfix', 'postdrop') + dovecot.USERS) as instance:
        instance.certificates(certs)
        postfix.configure(instance, sink, ports)
        dovecot.configure(instance, dovecot.Introspection(), '', postfix.SASL, ('PLAIN',))
        dovecot.start(instance)
        common.wait_for('Dovecot', lambda: instance.exists('var/spool/postfix/private/auth'))
        process = instance.start('/usr/lib/postfix/sbin/master', '-c', '/etc/postfix', '-d')
        instance.ready(ports, process)
        service = Service('postfix', sink, certs, home, ports=ports, mechanisms=('PLAIN',),
                          utf8=True, chunking=True)
        return common.run_cases(instance, [
            ('postfix: waits, STARTTLS', case_waits(service, 'starttls', 7)),
            ('postfix: waits, implicit TLS', case_waits(service, 'implicit', 5)),
            ('postfix: wrong password', case_wrong_password(service)),
        ] + exim_transfer.cases(service, 'postfix'))


if __name__ == '__main__':
    common.main(run)
