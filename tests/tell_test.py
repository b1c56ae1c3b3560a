#!/usr/bin/env python3
"""What the sender of a message in the queue hears of it, from -q to his mailbox; TAP.

The server takes mail, refuses unknown...@ for good, and defers it while it is "later"."""
import email
import email.policy
import glob
import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402
from queue_test import Home, closed_port                                # noqa: E402
from servers.common import Sink                                         # noqa: E402

tests = harness.Tests()
NO_DSN = ('PIPELINING', '8BITMIME', 'ENHANCEDSTATUSCODES')
KEYS = 'queue = always\nallow_from_override = on\n'


class Server(Sink):
    """While it is "later", refusals are for now."""

    later = False

    def talk(self, lines, say):
        def say_other(text):
            later = self.later and text.startswith('550')
            say('451 4.7.1 try again later' if later else text)
        super().talk(lines, say_other)


class World(Home):
    """A home, a server, and what the server has got from the null sender."""

    def __init__(self, keys='', extensions=Sink.EXTENSIONS):
        self.server = Server(extensions)
        super().__init__(self.server.port, KEYS + keys)
        self.home = os.path.join(self.folder)

    def send(self, *args):
        self.check('status of the submission', self.run('-i', *args) == 0)

    def runs(self, *args, times=3):
        for _ in range(times):
            self.check('status of -q', self.run(*(args or ('-qf',))) == 0)

    def notices(self):
        return [(m, email.message_from_bytes(m.data, policy=email.policy.SMTP))
                for m in self.server.mails if m.sender == b'']

    def notice(self, to=b'sender@example.org'):
        """The only one; its group of fields of the first recipient."""
        found = self.notices()
        self.check('one notification: %d' % len(found), len(found) == 1)
        if not found:
            return {}
        mail, message = found[0]
        self.check('to %r' % mail.rcpts, list(mail.rcpts) == [to])
        self.check('type', message.get_content_type() == 'multipart/report')
        self.check('no fault: %r' % self.server.faults, not self.server.faults)
        return dict(message.get_payload()[1].get_payload()[1].items())

    def is_empty(self, failed=0):
        self.check('the queue is empty', not self.entries())
        self.check('failed/', len(self.entries('failed')) == failed)


@tests.named('a refusal: the sender gets it back, the others have it')
def refused():
    w = World()
    w.send('ok@example.com', 'unknown@example.com')
    w.runs()
    group = w.notice()
    w.check('group %r' % group, group.get('Final-Recipient') == 'rfc822; unknown@example.com' and
            group.get('Action') == 'failed' and group.get('Status') == '5.1.1' and
            group.get('Diagnostic-Code') == 'smtp; 550 5.1.1 no such user')
    w.check('the others', [list(m.rcpts) for m in w.server.mails if m.sender] ==
            [[b'ok@example.com']])
    message = w.notices()[0][1]
    w.check('host', message['From'].addresses[0].domain == 'client.example.org')
    w.check('Bcc', b'hidden' not in w.notices()[0][0].data)
    w.is_empty()
    return w.failures


@tests.named('NOTIFY: never, success, delay ask for no failure')
def not_wanted():
    failures = []
    for notify in ('never', 'success', 'delay'):
        w = World()
        w.send('-N', notify, 'unknown@example.com')
        w.runs()
        w.check('none with ' + notify, not w.server.mails)
        w.is_empty()
        failures += w.failures
    return failures


@tests.named('the null sender: nobody, or notify_to once')
def null_sender():
    w = World()
    w.send('-f', '<>', 'unknown@example.com')
    w.runs()
    w.check('nothing', not w.server.mails)
    w.is_empty(failed=1)
    failures = w.failures
    w = World('notify_to = admin@example.org\n')
    for _ in range(3):
        w.send('-f', '<>', 'unknown@example.com')
        w.runs(times=2)
    group = w.notice(b'admin@example.org')
    w.check('group %r' % group, group.get('Final-Recipient') == 'rfc822; unknown@example.com')
    w.is_empty(failed=2)
    return failures + w.failures


@tests.named('an account that is paused: notify_to hears it once')
def paused():
    w = World('notify_to = admin@example.org\nnotify_interval = 0\n')
    works = w.server.port
    keys = KEYS + 'notify_to = admin@example.org\n'
    for n in range(3):
        w.send('%d@example.com' % n)
    w.write(closed_port(), keys)
    w.runs(times=3)
    w.check('nothing was sent', not w.server.mails)
    w.check('one notice waits', len(w.entries()) == 4 and not w.entries('failed'))
    w.write(works, keys)
    w.runs()
    notice = [m for m in w.server.mails if not m.sender]
    w.check('one came: %r' % [m.data for m in notice], len(notice) == 1 and
            list(notice[0].rcpts) == [b'admin@example.org'] and
            b"The account 'default' is paused." in notice[0].data and
            b'Subject: Account paused: all its mail waits' in notice[0].data and
            b'refused' in notice[0].data and b'Action: delayed' in notice[0].data)
    w.check('the mail, too', len(w.server.mails) == 4)
    w.is_empty()
    return w.failures


@tests.named('a notification that is refused is the last one')
def no_loop():
    notify = 'notify_to = unknown-admin@example.org\nnotify_interval = 0\n'
    for keys, failed in (('', 1), (notify, 1)):
        w = World(keys)
        w.send('-f', 'unknown-sender@example.org', 'unknown@example.com')
        w.runs(times=8)
        w.check('nothing was taken', not w.server.mails)
        w.is_empty(failed=failed)
        if w.failures:
            return w.failures
    return []


@tests.named('a warning, once; then the time is over')
def delay():
    w = World('delay_warning_time = 1\nqueue_lifetime = 4\n')
    w.server.later = True
    start = time.monotonic()
    w.send('unknown@example.com')
    w.runs(times=1)
    early = len(w.notices())
    w.check('not at once', early == 0 or time.monotonic() - start > 1)
    time.sleep(1.1)
    w.runs()
    group = w.notice()
    w.check('warning %r' % group, group.get('Action') == 'delayed' and
            group.get('Status') == '4.7.1' and 'Will-Retry-Until' in group)
    time.sleep(max(0, start + 4.2 - time.monotonic()))
    w.runs()
    w.check('two: %d' % len(w.notices()), len(w.notices()) == 2)
    if len(w.notices()) == 2:
        group = dict(w.notices()[1][1].get_payload()[1].get_payload()[1].items())
        w.check('failure %r' % group, group.get('Action') == 'failed' and
                group.get('Status') in ('4.4.7', '5.4.7') and
                group.get('Diagnostic-Code') == 'smtp; 451 4.7.1 try again later')
    w.is_empty()
    return w.failures


@tests.named('success is asked for, and the server has no DSN: relayed')
def relayed():
    w = World(extensions=NO_DSN)
    w.send('-N', 'success,failure', 'ok@example.com')
    w.runs()
    group = w.notice()
    w.check('group %r' % group, group.get('Action') == 'relayed' and
            group.get('Status', '').startswith('2.') and
            group.get('Final-Recipient') == 'rfc822; ok@example.com')
    w.is_empty()
    failures = w.failures
    w = World()
    w.send('-N', 'success,failure', 'ok@example.com')
    w.runs()
    w.check('the server tells', not w.notices())
    w.is_empty()
    return failures + w.failures


@tests.named('a sender without an address: his Maildir, or failed/')
def local():
    failures = []
    for folder, failed in (('Maildir/new', 0), (None, 1)):
        w = World('from = joe@localhost\n')
        if folder:
            os.makedirs(os.path.join(w.folder, folder))
        w.send('-f', 'joe@localhost', 'unknown@example.com')
        w.runs()
        w.check('nothing by mail', not w.server.mails)
        found = glob.glob(os.path.join(w.folder, 'Maildir/new/*'))
        w.check('in the Maildir: %d' % len(found), len(found) == 1 - failed)
        for path in found:
            with open(path, 'rb') as f:
                message = email.message_from_binary_file(f, policy=email.policy.default)
            w.check('it is one', message.get_content_type() == 'multipart/report' and
                    message['To'] == 'joe@localhost')
        w.is_empty(failed=failed)
        failures += w.failures
    return failures


if __name__ == '__main__':
    sys.exit(harness.run_tap(tests))
