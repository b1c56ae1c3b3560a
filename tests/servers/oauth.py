#!/usr/bin/env python3
"""OAuth tokens with Dovecot, which asks a local introspection service about them.

What it answers to a token that is no good (JSON) is told in words, and a command that gives
tokens is asked once more when the first has expired.
"""
import os

import common
import dovecot
from common import Failure, Instance, Sink, TOKEN
from suite import Service

EXPIRED = 'ya29.exp1red-t0ken'
MECHANISMS = ('XOAUTH2', 'OAUTHBEARER')


def script(service, name, *tokens):
    """A command that prints one token after the other, and the last one for ever."""
    path = os.path.join(service.home, name)
    with open(path, 'w', encoding='utf-8') as f:
        f.write('#!/bin/sh\nn=$(cat %s.n 2>/dev/null)\necho $((n + 1)) >%s.n\n' % (path, path))
        f.write('case ${n:-0} in\n')
        for i, token in enumerate(tokens):
            f.write('%s) echo %s ;;\n' % (i if i + 1 < len(tokens) else '*', token))
        f.write('esac\n')
    os.chmod(path, 0o700)
    return path


def calls(path):
    with open(path + '.n', encoding='ascii') as f:
        return int(f.read())


def submit(service, mode, rcpt, command, mechanism, **settings):
    values = dict(auth=mechanism.lower(), password_file=None, oauth_token_command=command)
    values.update(settings)
    run = service.msubmit(mode, ['--', rcpt], b'Subject: x\n\nx\n', **values)
    if EXPIRED in run.stderr or TOKEN in run.stderr:
        raise Failure('a token is shown:\n' + run.stderr)
    return run


def case_renewed(service, mode, mechanism, **settings):
    def case():
        rcpt = service.new_address()
        command = script(service, 'renewed-' + rcpt, EXPIRED, TOKEN)
        run = submit(service, mode, rcpt, command, mechanism, **settings).want(0)
        service.sink.wait(rcpt)
        if len(run.sent('AUTH')) != 2 or calls(command) != 2:
            raise Failure('%d calls:\n%s' % (calls(command), run.stderr))
    return case


def case_refused(service, mode, mechanism, tokens, tries, words):
    """No more tries than that, and words that say why."""
    def case():
        rcpt = service.new_address()
        command = script(service, 'refused-' + rcpt, *tokens)
        run = submit(service, mode, rcpt, command, mechanism)
        run.want(77, words)
        if len(run.sent('AUTH')) != tries or run.sent('MAIL'):
            raise Failure('not %d times AUTH:\n%s' % (tries, run.stderr))
        service.nothing(rcpt)
    return case


def case_fails(service, mode, mechanism):
    """The command has nothing the second time: the first failure is told."""
    def case():
        rcpt = service.new_address()
        command = script(service, 'fails-' + rcpt, EXPIRED, '; exit 1')
        submit(service, mode, rcpt, command, mechanism).want(
            77, 'not valid or has expired')
        service.nothing(rcpt)
    return case


def case_as_password(service, mode, mechanism):
    """msmtp's way: passwordeval gives the token."""
    def case():
        rcpt = service.new_address()
        command = script(service, 'password-' + rcpt, EXPIRED, TOKEN)
        submit(service, mode, rcpt, None, mechanism, passwordeval=command).want(0)
        service.sink.wait(rcpt)
    return case


def cases(service):
    words = 'the access token is not valid or has expired'
    other = 'ya29.an0ther'
    for mode in ('starttls', 'implicit'):
        for m in MECHANISMS:
            name = '%s: %s: ' % (mode, m)
            yield name + 'renewed', case_renewed(service, mode, m)
            yield name + 'expired twice', \
                case_refused(service, mode, m, (EXPIRED, other), 2, words)
            yield name + 'the same token twice', \
                case_refused(service, mode, m, (EXPIRED,), 1, 'gave no other')
            yield name + 'the command fails', case_fails(service, mode, m)
            yield name + 'passwordeval', case_as_password(service, mode, m)


def run(certs, home):
    ports = dict(zip(('starttls', 'implicit'), common.free_ports(2)))
    sink = Sink()
    with Instance('postfix', dovecot.USERS) as instance:
        instance.certificates(certs)
        dovecot.configure(instance, dovecot.Introspection(), 'submission', dovecot.SUBMISSION %
                          dict(sink=sink.port, size=common.SIZE_LIMIT, **ports))
        process = dovecot.start(instance)
        instance.ready(ports, process)
        service = Service('oauth', sink, certs, home, mechanisms=dovecot.MECHANISMS, ports=ports)
        return common.run_cases(instance, [('oauth: ' + n, c) for n, c in cases(service)])


if __name__ == '__main__':
    common.main(run)
