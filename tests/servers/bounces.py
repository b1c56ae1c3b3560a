#!/usr/bin/env python3
"""Notifications of the queue through Postfix and Exim, to those who read them.

Each server refuses one recipient, Postfix defers another; what our queue tells the sender goes
through the same server to one that keeps it. It is read by Python's email, by flufl.bounce
(Mailman) and by Mail::DeliveryStatus::BounceParser, which must name the recipient. A sender who
does not exist gets none, and neither server nor queue answers that with one more.
"""
import email
import email.policy
import json
import os
import re
import subprocess
import sys
import tempfile
import time

import common
import exim
import options
import postfix
from common import Instance, Sink, harness

FLUFL = '''
import email, flufl.bounce, json, sys
found = flufl.bounce.all_failures(email.message_from_bytes(sys.stdin.buffer.read()))
print(json.dumps([sorted(a.decode() for a in part) for part in found]))
'''
PARSER = '''
use Mail::DeliveryStatus::BounceParser;
my $b = Mail::DeliveryStatus::BounceParser->new(join "", <STDIN>);
print $b->is_bounce ? "bounce" : "none", " ", join(",", $b->addresses), "\\n";
'''
RESTRICTIONS = '''
smtpd_recipient_restrictions =
  check_recipient_access inline:{{unknown@example.org = 550 5.1.1 no such user},
    {busy@example.org = 450 4.2.1 try later}}
'''


class World:
    """A user whose account is the server."""

    def __init__(self, home, sink, port, keys=''):
        self.folder = tempfile.mkdtemp(dir=home)
        self.sink, self.failures = sink, []
        self.env = dict(harness.environment(self.folder),
                        XDG_STATE_HOME=os.path.join(self.folder, 'state'))
        with open(os.path.join(self.folder, '.msmtprc'), 'w', encoding='utf-8') as f:
            f.write('[account default]\nhost = 127.0.0.1\nport = %d\ntls = off\nsyslog = off\n'
                    'aliases =\ndomain = client.example.org\nqueue = always\n%s\n' % (port, keys))
        os.chmod(f.name, 0o600)

    def check(self, what, truth):
        if not truth:
            self.failures.append(what)

    def run(self, *args, data=b''):
        end = subprocess.run([harness.binary(), *args], input=data, env=self.env,
                             cwd=self.folder, capture_output=True, check=False,
                             timeout=10 * common.WAIT)
        self.check('%s: exit %d, %s' % (args, end.returncode, end.stderr), end.returncode == 0)

    def send(self, mark, sender, *words):
        self.run('-i', '-f', sender, '--', *words,
                 data=b'Subject: %s\n\ntext\n' % mark.encode())

    def notices(self, sender):
        """What has come for him by now; what is under way has time."""
        end = time.monotonic() + 20 * harness.SCALE
        while True:
            found = [m for m in self.sink.mails if m.sender == b'' and sender.encode() in m.rcpts]
            if found or time.monotonic() > end:
                return found
            time.sleep(0.1)

    def is_empty(self):
        where = os.path.join(self.folder, 'state/msubmit/queue')
        left = [f for folder, _, files in os.walk(where) for f in files
                if re.fullmatch('[0-9A-F]{16}', f)]
        self.check('left: %s' % left, not left)


def by_flufl(data):
    end = subprocess.run(['/usr/bin/python3', '-c', FLUFL], input=data, capture_output=True,
                         check=True)
    return json.loads(end.stdout)


def by_parser(data):
    end = subprocess.run(['perl', '-e', PARSER], input=data, capture_output=True, check=True)
    return end.stdout.decode().split()


def read(w, data, who, action):
    """All readers see who has not got it; action: failed, delayed or relayed."""
    message = email.message_from_bytes(data, policy=email.policy.default)
    w.check('type', message.get_content_type() == 'multipart/report' and
            message.get_param('report-type') == 'delivery-status')
    group = message.get_payload()[1].get_payload()[1]
    w.check('Python: %s' % group, group['Final-Recipient'] == 'rfc822; ' + who and
            group['Action'] == action)
    temporary, permanent = by_flufl(data)
    want = {'failed': ([], [who]), 'delayed': ([who], []), 'relayed': ([], [])}[action]
    w.check('flufl.bounce: %s, %s' % (temporary, permanent), (temporary, permanent) == want)
    if action == 'failed':
        w.check('BounceParser: %s' % by_parser(data), by_parser(data) == ['bounce', who])


def failure(w, name):
    sender = 'failure-%s@example.com' % name
    w.send('failure', sender, 'unknown@example.org')
    w.run('-q')
    w.run('-q')
    found = w.notices(sender)
    w.check('one: %d' % len(found), len(found) == 1)
    for mail in found[:1]:
        read(w, bytes(mail.data), 'unknown@example.org', 'failed')
    w.is_empty()
    return w.failures


def delay(w, name):
    sender = 'delay-%s@example.com' % name
    w.send('delay', sender, 'busy@example.org')
    time.sleep(1.1)
    w.run('-qf')
    w.run('-q')
    found = w.notices(sender)
    w.check('one: %d' % len(found), len(found) == 1)
    for mail in found[:1]:
        read(w, bytes(mail.data), 'busy@example.org', 'delayed')
    return w.failures


def relayed(w, name):
    sender = 'relayed-%s@example.com' % name
    w.run('-i', '-f', sender, '-N', 'success', '--', 'relayed-%s@example.org' % name,
          data=b'Subject: x\n\n')
    w.run('-q')
    w.run('-q')
    found = w.notices(sender)
    w.check('one: %d' % len(found), len(found) == 1)
    for mail in found[:1]:
        read(w, bytes(mail.data), 'relayed-%s@example.org' % name, 'relayed')
    w.is_empty()
    return w.failures


def nobody(w, name, is_done):
    """The sender does not exist where the notification ends: it is the last one."""
    sender = 'unknown-%s@example.com' % name
    w.send('nobody', sender, 'unknown@example.org')
    w.run('-q')
    w.run('-q')
    common.wait_for('no mail under way', is_done)
    w.is_empty()
    about = [m for m in w.sink.mails if sender.encode() in m.data or sender.encode() in m.rcpts]
    w.check('nobody gets anything: %s' % [m.rcpts for m in about], not about)
    return w.failures


def through_postfix(instance, sink, certs, home):
    ports = dict(zip(('starttls', 'implicit', 'plain'), common.free_ports(3)))
    instance.certificates(certs)
    postfix.configure(instance, sink, ports)
    postfix.add(instance, RESTRICTIONS)
    instance.ready({'plain': ports['plain']},
                   instance.start('/usr/lib/postfix/sbin/master', '-c', '/etc/postfix', '-d'))
    port = ports['plain']
    return [
        ('Postfix: a failure', lambda: failure(World(home, sink, port), 'postfix')),
        ('Postfix: a delay', lambda: delay(World(home, sink, port, 'delay_warning_time = 1'),
                                           'postfix')),
        ('Postfix: a sender who is nobody', lambda: nobody(
            World(home, sink, port), 'postfix', lambda: options.queue_is_empty(instance)))]


def through_exim(instance, sink, certs, home):
    ports = dict(zip(('starttls', 'implicit', 'plain'), common.free_ports(3)))
    instance.certificates(certs)
    for folder in ('var/spool/exim4', 'var/log/exim4'):
        instance.folder(folder, 0o750, 'Debian-exim')
    instance.chown('etc/tls/server.key', 'Debian-exim')
    config = exim.CONFIG.replace('dsn_advertise_hosts = *', 'dsn_advertise_hosts =') % dict(
        ports, sink=sink.port, size=common.SIZE_LIMIT)
    # otherwise it keeps what it cannot return for two days, frozen
    instance.file('etc/exim4/exim4.conf', 'ignore_bounce_errors_after = 0s\n' + config)
    instance.ready({'plain': ports['plain']}, instance.start('/usr/sbin/exim4', '-bdf'))
    port = ports['plain']

    def is_done():
        folder = instance.path('var/spool/exim4/input')
        return not os.path.isdir(folder) or not os.listdir(folder)
    return [
        ('Exim: a failure', lambda: failure(World(home, sink, port), 'exim')),
        ('Exim: handed on where nobody tells', lambda: relayed(World(home, sink, port), 'exim')),
        ('Exim: a sender who is nobody', lambda: nobody(World(home, sink, port), 'exim', is_done))]


def run(certs, home):
    sink = Sink()
    with Instance('postfix', ('postfix', 'postdrop')) as one, \
            Instance('exim', ('Debian-exim',)) as other:
        tests = through_postfix(one, sink, certs, home)
        status = common.run_cases(one, tests + through_exim(other, sink, certs, home))
        sink.close()
        return status


if __name__ == '__main__':
    try:
        by_flufl(b'\n'), by_parser(b'\n')
    except (OSError, subprocess.CalledProcessError):
        print('1..0 # SKIP no flufl.bounce or Mail::DeliveryStatus::BounceParser')
        sys.exit(77)
    common.main(run)
