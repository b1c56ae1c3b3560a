"""Signing in at servers as they come: it is wanted from relayers only, so that mail for the
server's own recipients is taken without it. What then stands behind a refused sign-in would be
delivered all the same. So each message carries a mark of its own, which is looked for in what
the sink got and in every file that the server has written: queues, mailboxes, all.
"""
import os
import secrets

import common
from common import Failure
from suite import HEADER


class Signin:
    """Cases for one port of a server. RECIPIENT(mark) is one of its own; SETTINGS reach it.
    It delivers to MAILBOX, the sink or a folder. REFUSED is the exit status of a wrong password."""

    def __init__(self, service, mode='starttls', recipient=None, mailbox='sink', refused=77,
                 **settings):
        self.service, self.mode, self.settings = service, mode, settings
        self.place, self.mailbox, self.refused = service.place, mailbox, refused
        self.recipient = recipient or 'own-%s@example.org'.__mod__

    def submit(self, **settings):
        """The run of msubmit, and the mark of its message."""
        number = secrets.token_hex(8)
        rcpt, mark = self.recipient(number), 'mark %s' % number
        message = HEADER % (rcpt, 'x', number) + mark + '\n'
        run = self.service.msubmit(self.mode, ['--', rcpt], message.encode(),
                                   **dict(self.settings, **settings))
        return run, mark.encode()

    def settled(self):
        """A message sent now has come; then what was sent before would be there as well."""
        run, mark = self.submit()
        run.want(0)
        self.delivered(mark)

    def delivered(self, mark):
        def alone():
            where = self.place.where(mark)
            return len(where) == 1 and where[0].startswith(self.mailbox)
        try:
            common.wait_for('one copy, in %s' % self.mailbox, alone)
        except Failure as e:
            raise Failure('%s: copies in %s' % (e, self.place.where(mark))) from e

    def once(self, mark):
        self.delivered(mark)
        self.settled()
        self.delivered(mark)            # and not twice; the queue may have it for a moment

    def nowhere(self, mark):
        self.settled()
        found = self.place.where(mark)
        if found:
            raise Failure('the message lies in %s' % found)

    def case_open(self):
        """The server would take it: without this the others show nothing."""
        run, mark = self.submit(auth='off', user=None, password_file=None)
        run.want(0)
        self.once(mark)

    def case_right(self):
        run, mark = self.submit()
        run.want(0)
        if len(run.sent('AUTH')) != 1:
            raise Failure('AUTH not exactly once:\n' + run.stderr)
        self.once(mark)

    def wrong(self):
        return dict(password_file=os.path.join(self.service.home, 'wrong'))

    def case_wrong(self, **settings):
        def case():
            run, mark = self.submit(**self.wrong(), **settings)
            run.want(self.refused)
            if run.sent('MAIL'):
                raise Failure('MAIL was sent:\n' + run.stderr)
            self.nowhere(mark)
        return case

    def case_login_only(self, refused, **settings):
        """PLAIN is refused with that code, LOGIN is good. A password that was refused is shown
        again only with auth_retry."""
        def case():
            run, mark = self.submit(**settings)
            tried = [a.split()[1] for a in run.sent('AUTH')]
            if refused == 535:
                run.want(77)
                if tried != ['PLAIN'] or run.sent('MAIL'):
                    raise Failure('%s tried, or MAIL sent:\n%s' % (tried, run.stderr))
                self.nowhere(mark)
                run, mark = self.submit(auth_retry='on', **settings)
                tried = [a.split()[1] for a in run.sent('AUTH')]
            run.want(0)
            if tried != ['PLAIN', 'LOGIN']:
                raise Failure('PLAIN, then LOGIN wanted:\n' + run.stderr)
            self.once(mark)
        return case

    def case_down(self, **settings):
        """The server's sign-in service is not there."""
        def case():
            run, mark = self.submit(**settings)
            run.want(75)
            if run.sent('MAIL'):
                raise Failure('MAIL was sent:\n' + run.stderr)
            self.nowhere(mark)
        return case

    def case_missing(self, deliver):
        """A password is set, but there is no sign-in: it is missed (69), and nothing is stored.
        DELIVER() sends another message, without one."""
        def case():
            for settings in ({}, dict(auth='plain'), dict(auth='login')):
                run, mark = self.submit(**settings)
                run.want(69)
                if run.sent('MAIL'):
                    raise Failure('MAIL was sent:\n' + run.stderr)
                deliver()
                if self.place.where(mark):
                    raise Failure('the message lies in %s' % self.place.where(mark))
        return case

    def cases(self, login_only=None, down=None, closed=None):
        """LOGIN_ONLY: (code that refuses PLAIN, settings), or why there is no such thing.
        CLOSED: why nothing is taken without sign-in.
        DOWN: settings with which the sign-in service is missed, or why it never is."""
        tests = [('taken without sign-in', self.case_open) if not closed else
                 ('taken without sign-in # SKIP ' + closed, None),
                 ('right password: one copy', self.case_right),
                 ('wrong password: no copy', self.case_wrong()),
                 ('wrong password, LOGIN: no copy', self.case_wrong(auth='login')),
                 ('wrong password, one command at a time: no copy',
                  self.case_wrong(pipelining='off')),
                 ('wrong password, every mechanism: no copy', self.case_wrong(auth_retry='on'))]
        for name, given, make in (
                ('PLAIN refused, LOGIN good: one copy', login_only,
                 lambda: self.case_login_only(login_only[0], **login_only[1])),
                ('no sign-in service: no copy', down, lambda: self.case_down(**down))):
            if isinstance(given, str):
                tests.append(('%s # SKIP %s' % (name, given), None))
            elif given is not None:
                tests.append((name, make()))
        return [('%s: own recipients, %s' % (self.service.name, name), function)
                for name, function in tests]
