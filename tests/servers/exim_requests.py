#!/usr/bin/env python3
"""Exim: parameters of MAIL and RCPT: PRDR, DSN per recipient, AUTH=, SIZE; what it lacks."""
import common
import exim
from common import Failure, Instance, Sink
from suite import Service

ALSO = '''
prdr_enable = true
acl_smtp_data_prdr = check_each

begin acl
check_each:
  deny local_parts = ^choosy.*
       message = 5.7.1 not this one
  accept
'''
MESSAGE = b'From: sender@example.org\nSubject: x\n\nx\n'


def want(fine, run):
    if not fine:
        raise Failure('not what was wanted:\n' + run.stderr)


def case_prdr(service):
    """One of two does not want it after the data: the other one has it."""
    def case():
        good, bad = service.new_address(), 'choosy-' + service.new_address()
        run = service.msubmit('plain', ['--', good, bad], MESSAGE).want(69, "'%s' refused" % bad)
        want(run.sent('MAIL')[0].endswith(' PRDR') and '353' in run.stderr, run)
        service.sink.wait(good)
        service.nothing(bad)
    return case


def case_prdr_all(service, **settings):
    def case():
        rcpts = [service.new_address() for _ in range(3)]
        run = service.msubmit('plain', ['--'] + rcpts, MESSAGE, **settings).want(0)
        want((' PRDR' in run.sent('MAIL')[0]) == (settings.get('prdr') != 'off'), run)
        for rcpt in rcpts:
            service.sink.wait(rcpt)
    return case


def case_prdr_nobody(service):
    def case():
        rcpts = ['choosy-' + service.new_address() for _ in range(2)]
        service.msubmit('plain', ['--'] + rcpts, MESSAGE).want(69)
        for rcpt in rcpts:
            service.nothing(rcpt)
    return case


def case_dsn(service):
    """What each recipient asked for goes on to the next server."""
    def case():
        a, b = service.new_address(), service.new_address()
        run = service.msubmit('plain', ['-R', 'hdrs', '-V', 'a+b=c', '--rcpt=%s,notify=failure' % a,
                                        '--rcpt=%s,notify=success,delay,orcpt=old@x.example' % b],
                              MESSAGE).want(0)
        want(' RET=HDRS ENVID=a+2Bb+3Dc' in run.sent('MAIL')[0], run)
        one, two = service.sink.wait(a), service.sink.wait(b)
        want(b'NOTIFY=FAILURE' in one.rcpts[a.encode()], run)
        want(b'ENVID=a+2Bb+3Dc' in one.params and b'RET=HDRS' in one.params, run)
        want(b'NOTIFY=SUCCESS,DELAY' in two.rcpts[b.encode()], run)
        want(b'ORCPT=rfc822;old@x.example' in two.rcpts[b.encode()], run)
    return case


def case_left_out(service, *args):
    """Exim has none of these: the message goes without, and the transcript says so."""
    def case():
        rcpt = service.new_address()
        run = service.msubmit('plain', list(args) + ['--', rcpt], MESSAGE).want(0, 'left out')
        want(len(run.sent('MAIL')[0].split()) == 3, run)        # only SIZE
        service.sink.wait(rcpt)
    return case


def case_required(service, *args):
    def case():
        rcpt = service.new_address()
        run = service.msubmit('plain', list(args) + ['--', rcpt], MESSAGE).want(69, 'does not offer')
        want(not run.sent('MAIL'), run)
        service.nothing(rcpt)
    return case


def cases(service):
    return [
        ('PRDR: one of two', case_prdr(service)),
        ('PRDR: all', case_prdr_all(service)),
        ('PRDR: nobody', case_prdr_nobody(service)),
        ('PRDR: all, by DATA', case_prdr_all(service, chunking='off')),
        ('PRDR: off', case_prdr_all(service, prdr='off')),
        ('DSN per recipient', case_dsn(service)),
        ('left out: MT-PRIORITY', case_left_out(service, '--mt-priority=4')),
        ('left out: DELIVERBY N', case_left_out(service, '--deliver-by=1h;N', '--orcpt=never',
                                                '--disable-extensions=dsn')),
        ('left out: MTRK', case_left_out(service, '--track', '--disable-extensions=dsn')),
        ('left out: NO-SOLICITING, SUBMITTER', case_left_out(service, '--solicit=a:B',
                                                             '--submitter=auto')),
        ('required: DELIVERBY R', case_required(service, '--deliver-by=1h;R')),
        ('required: FUTURERELEASE', case_required(service, '--hold-for=1h')),
        ('required: by policy', case_required(service, '--mt-priority=4',
                                              '--ext-policy=mt-priority:require')),
        ('required: CONPERM', case_required(service, '--conperm', '--content-convert=ANY')),
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
        instance.file('etc/exim4/exim4.conf', config.replace('\nbegin acl\n', ALSO, 1))
        plain = {'plain': ports['plain']}
        instance.ready(plain, instance.start('/usr/sbin/exim4', '-bdf'))
        service = Service('exim', sink, certs, home, ports=plain, mechanisms=(), utf8=True,
                          chunking=True)
        return common.run_cases(instance, cases(service))


if __name__ == '__main__':
    common.main(run)
