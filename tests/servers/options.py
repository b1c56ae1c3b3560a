#!/usr/bin/env python3
"""Postfix's sendmail(1) with the command lines of option_rows.py, beside what msubmit does.

Both effects stand in each row; options_test.py has tried ours. What differs has its reason there.
The calls are made one after the other, and what Postfix has made of them is looked at when
its queue is empty: each message has a field that says which call it was.
"""
import os
import re
import subprocess

import common
import postfix
from common import Instance, Sink

import option_rows as rows                                              # noqa: E402
import options_test as options                                          # noqa: E402

SETTINGS = '''
myorigin = example.org
allow_min_user = yes
sender_canonical_maps = inline:{ { root@example.org = sender@example.org } }
'''


class Sent:
    """One message by Postfix's sendmail, and what came of it."""

    def __init__(self, words, message):
        self.words, self.message = words, message
        self.mails = []

    def run(self, instance, number):
        def enter():
            os.chroot(instance.root)
            os.chdir('/tmp')
            os.umask(0o022)
        words = [w.replace('{dir}', '/tmp/none') for w in self.words]
        message = ('X-Row: %d\n' % number + self.message).encode()
        done = subprocess.run(['/usr/sbin/sendmail'] + words, input=message, preexec_fn=enter,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                              timeout=common.WAIT,
                              env={'PATH': '/usr/sbin:/usr/bin', 'TZ': 'UTC', 'MAIL_CONFIG':
                                   '/etc/postfix', 'NAME': ''})
        self.exit = done.returncode
        self.out, self.err = (t.decode('utf-8', 'replace') for t in (done.stdout, done.stderr))


class Call(Sent):
    """A command line of the table."""

    faults = ()

    def __init__(self, row):
        self.name, words, message, self.ours, self.want, self.why = row
        super().__init__(words, message)
        self.home = '/nowhere'
        self.sink = self                # where options.check() looks for mails

    def test(self):
        # the order of recipients is Postfix's own, and it gives ORCPT to each
        for mail in self.mails:
            mail.order.sort()
            if not self.want.rcpt:
                mail.rcpts = {a: [p for p in params if not p.startswith(b'ORCPT=')]
                              for a, params in mail.rcpts.items()}
        if self.want.sent and self.want.rcpts:
            self.want = self.want.but(rcpts=sorted(self.want.rcpts))
        return options.check(self, self.want, False)

    def __str__(self):
        mails = ['%s -> %s %s' % (m.sender, m.order, m.params) for m in self.mails]
        return 'exit %s, %s, stdout %r, stderr %r' % (self.exit, mails, self.out, self.err)


def queue_is_empty(instance):
    for queue in ('maildrop', 'incoming', 'active'):
        for _, _, files in os.walk(instance.path('var/spool/postfix/' + queue)):
            if files:
                return False
    return True


def distribute(sink, made):
    """Each mail to its call; notices about mail that was refused have no number."""
    for mail in sink.mails:
        head = mail.data.partition(b'\r\n\r\n')[0]
        number = re.search(rb'(?m)^X-Row: (\d+)', head)
        if number:
            made[int(number.group(1))].mails.append(mail)


def send_all(instance, certs, made):
    """Starts Postfix, and sends all that is in the list."""
    ports = dict(zip(('starttls', 'implicit', 'plain'), common.free_ports(3)))
    sink = Sink()
    instance.certificates(certs)
    postfix.configure(instance, sink, ports)
    postfix.add(instance, SETTINGS)
    master = instance.start('/usr/lib/postfix/sbin/master', '-c', '/etc/postfix', '-d')
    instance.ready({'plain': ports['plain']}, master)
    for number, sent in enumerate(made):
        sent.run(instance, number)
    common.wait_for('empty queue', lambda: queue_is_empty(instance), master)
    distribute(sink, made)


def run(certs, home):
    made = [Call(row) for row in options.pairs(1, False) if row[4]]
    with Instance('postfix', ('postfix', 'postdrop')) as instance:
        send_all(instance, certs, made)
        return common.run_cases(instance, [
            ('%s%s' % (c.name, ': ' + c.why if c.want is not c.ours and c.why else ''), c.test)
            for c in made])


if __name__ == '__main__':
    common.main(run)
