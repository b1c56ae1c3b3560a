#!/usr/bin/env python3
"""Exim: early pipelining (PIPECONNECT) in clear, behind STARTTLS and under TLS; BDAT in chunks."""
import os
import tempfile

import common
import exim
import suite
from common import Failure, Instance, Sink
from suite import Run, Service, harness

ALSO = '''
pipelining_connect_advertise_hosts = *

begin acl
'''


def calls(service, mode, count, **settings):
    """The same call over and over, with one HOME: the transcripts."""
    runs = []
    with tempfile.TemporaryDirectory(dir=service.home) as home:
        rc = os.path.join(home, 'rc')
        with open(rc, 'w', encoding='utf-8') as f:
            f.write(service.account(mode, settings))
        os.chmod(rc, 0o600)
        for _ in range(count):
            rcpt = service.new_address()
            message = (suite.HEADER % (rcpt, 'x', rcpt)).encode() + b'body\n'
            run = Run([harness.binary(), '-C', rc, '-v', '-i', rcpt], message, home)
            suite.check_octets(service.sink.wait(rcpt).data if run.want(0) else b'', message)
            runs.append(run.stderr.splitlines())
    return runs


def at(lines, start):
    for i, line in enumerate(lines):
        if line.startswith(start):
            return i
    raise Failure('no %r in\n%s' % (start, '\n'.join(lines)))


def waits(lines):
    """Turns from speaking to listening: how often the client waited. The reply to QUIT is none: it
    is read only if it is there."""
    if '--> QUIT' in lines:
        lines = lines[:lines.index('--> QUIT')]
    who = [line[:3] for line in lines if line[:3] in ('-->', '<--') and line[4:8] != 'TLS:']
    return sum(1 for a, b in zip([''] + who, who) if b == '<--' and a != '<--')


def case_early(service, mode, before, after):
    """before, after: waits of the first call and of one that knows the server."""
    def case():
        first, second = calls(service, mode, 2, pipe_connect='on')
        if at(first, '--> EHLO') < at(first, '<-- 220'):
            raise Failure('the first call spoke before the greeting')
        if at(second, '--> EHLO') > at(second, '<-- 220'):
            raise Failure('the second waited for the greeting:\n' + '\n'.join(second))
        if (waits(first), waits(second)) != (before, after):
            raise Failure('%d and %d waits:\n%s' % (waits(first), waits(second),
                                                    '\n'.join(second)))
    return case


def case_off(service):
    def case():
        for lines in calls(service, 'plain', 2):
            if at(lines, '--> EHLO') < at(lines, '<-- 220'):
                raise Failure('spoke before the greeting')
    return case


def case_chunks(service, mode, size, **settings):
    def case():
        body = suite.BIG[:size]
        run, _ = service.send(mode, body, **settings)
        sent = run.sent('BDAT')
        if len(sent) < 3 or not sent[-1].endswith(' LAST') or run.sent('DATA'):
            raise Failure('not in chunks: %r' % sent)
    return case


def cases(service, name):
    return [
        (name + ': half a megabyte in chunks', case_chunks(service, 'starttls', 500000,
                                                           chunk_size='64K', chunk_window=2)),
        (name + ': chunks one by one', case_chunks(service, 'starttls', 100000, chunk_size='10000',
                                                   pipelining='off')),
        (name + ': a chunk for each octet', case_chunks(service, 'starttls', 30, chunk_size='1',
                                                        chunk_window=100)),
        (name + ': implicit TLS, in chunks', case_chunks(service, 'implicit', 300000,
                                                         chunk_size='100000')),
    ]


def run(certs, home):
    ports = dict(zip(('starttls', 'implicit', 'plain'), common.free_ports(3)))
    sink = Sink()
    with Instance('exim', ('Debian-exim',)) as instance:
        instance.certificates(certs)
        for folder in ('var/spool/exim4', 'var/log/exim4'):
            instance.folder(folder, 0o750, 'Debian-exim')
        instance.chown('etc/tls/server.key', 'Debian-exim')
        instance.file('etc/exim4/users', '%s: %s\n' % (common.USER, common.PASSWORD), 0o640,
                      'Debian-exim')
        config = exim.CONFIG % dict(ports, sink=sink.port, size=common.SIZE_LIMIT)
        instance.file('etc/exim4/exim4.conf', config.replace('\nbegin acl\n', ALSO, 1))
        instance.ready(ports, instance.start('/usr/sbin/exim4', '-bdf'))
        service = Service('exim', sink, certs, home, ports=ports, mechanisms=exim.MECHANISMS,
                          utf8=True, chunking=True)
        # handshakes are not counted: the transcript does not show them
        return common.run_cases(instance, [
            ('exim: early pipelining, plain', case_early(service, 'plain', 4, 3)),
            ('exim: early pipelining, implicit TLS', case_early(service, 'implicit', 5, 4)),
            ('exim: early pipelining, STARTTLS', case_early(service, 'starttls', 7, 6)),
            ('exim: not asked for', case_off(service)),
        ] + cases(service, 'exim'))


if __name__ == '__main__':
    common.main(run)
