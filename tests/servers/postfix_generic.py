#!/usr/bin/env python3
"""Postfix's smtp_generic_maps and our rewrite_map: the same file, the same addresses.

Each address is sent through Postfix, which rewrites it on its way to the sink, and by
msubmit with rewrite_map straight to the sink: as envelope sender, in From, Sender, Reply-To,
To and Cc, and as recipient. What has come is compared address by address.
"""
import email
import email.utils
import os

import common
import postfix
from common import Failure, Instance, Sink
from suite import Run

import harness

GENERIC = '''# addresses, names, domains; what is more exact goes before
root@here.example	exact@new.example
root			ops@new.example
Admin			chief@new.example
cron
	cron@new.example
@here.example		here@new.example
@old.example		@new.example
joe@old.example		joseph@new.example
"o o"@old.example	"p p"@new.example
@swap-a.example		@swap-b.example
@swap-b.example		@swap-a.example
loop@swap-a.example	loop@swap-a.example
user+ext@old.example	ext@new.example
'''

# Postfix counts $myorigin and $mydestination as the domains of bare names.
MAIN = '''
myorigin = d.example
mydestination = localhost, here, here.example, d.example
local_recipient_maps =
local_transport = error:no mail here
smtp_generic_maps = texthash:/etc/postfix/generic
local_header_rewrite_clients = static:all
append_dot_mydomain = no
default_destination_concurrency_limit = 5
'''

RC = '''[account default]
host = 127.0.0.1
port = %(port)d
tls = off
syslog = off
domain = client.example.org
from_override = any
default_domain = d.example
local_domains = localhost, here, here.example, d.example
aliases =
rewrite_map = %(map)s
'''

ADDRESSES = [
    'root', 'ROOT', 'root@localhost', 'root@here', 'root@here.example', 'root@d.example',
    'Root@D.Example', 'root@elsewhere.example', 'admin', 'Admin@here', 'admin@here.example',
    'cron', 'cron@localhost', 'nobody', 'nobody@localhost', 'nobody@here.example',
    'joe@old.example', 'JOE@OLD.EXAMPLE', 'jane@old.example', 'Jane.Q@Old.Example',
    '"o o"@old.example', '"x y"@old.example', '"joe"@old.example', 'joe@sub.old.example',
    'joe@old.example.org', 'a@swap-a.example', 'b@swap-b.example', 'loop@swap-a.example',
    'user+ext@old.example', 'user+other@old.example', 'x@[192.0.2.1]', 'root@new.example',
]

MESSAGE = '''Message-ID: <%(id)s@test.example>
Date: Sat, 28 Nov 2026 12:00:00 +0000
From: %(a)s
Sender: Some Body <%(a)s>
Reply-To: (note) %(a)s
To: Nobody <nobody@other.example>, %(a)s
Cc: group: "A, B" <%(a)s>, c@other.example;
Subject: %(a)s

body %(a)s
'''

FIELDS = ('From', 'Sender', 'Reply-To', 'To', 'Cc')


def summary(mail, rcpt):
    """Sender, recipient and the addresses of each field, as they came."""
    message = email.message_from_bytes(mail.data)
    out = {'sender': mail.sender.decode(), 'rcpt': rcpt}
    for field in FIELDS:
        values = [str(v).replace('\r\n', '') for v in message.get_all(field, [])]
        out[field] = [a for _, a in email.utils.getaddresses(values)]
    out['subject'] = str(message['Subject'])
    return out


class Both:
    def __init__(self, sink, home, port):
        self.sink, self.home, self.port = sink, home, port
        with open(os.path.join(home, 'generic'), 'w', encoding='utf-8') as f:
            f.write(GENERIC)
        self.paths = {'postfix': self.rc('postfix', port, '[account default]\nhost = 127.0.0.1\n'
                                         'port = %(port)d\ntls = off\nsyslog = off\n'
                                         'domain = client.example.org\nfrom_override = any\n'
                                         'qualify = off\naliases =\nlocal_domains =\n'),
                      'msubmit': self.rc('msubmit', sink.port, RC)}

    def rc(self, name, port, text):
        path = os.path.join(self.home, name + '.rc')
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text % dict(port=port, map=os.path.join(self.home, 'generic')))
        os.chmod(path, 0o600)
        return path

    def send(self, way, number, address, rcpt):
        ident = '%s-%d-%s' % (way, number, 'r' if rcpt == address else 's')
        message = MESSAGE % dict(id=ident, a=address)
        Run([harness.binary(), '-C', self.paths[way], '-i', '-f', address, '--', rcpt],
            message.encode(), self.home).want(0)
        return self.wait(ident)

    def wait(self, ident):
        def come():
            return next((m for m in self.sink.mails if ('<%s@' % ident).encode() in m.data), None)
        with self.sink.changed:
            if not self.sink.changed.wait_for(come, common.WAIT):
                raise Failure('nothing has come of ' + ident)
        return come()


def case_sender(both, number, address):
    """As sender and in the header."""
    def case():
        rcpt = 'rcpt%d@other.example' % number
        got = [summary(both.send(way, number, address, rcpt), rcpt)
               for way in ('postfix', 'msubmit')]
        return ['%s: Postfix %r, msubmit %r' % (k, got[0][k], got[1][k]) for k in got[0]
                if got[0][k] != got[1][k]]
    return case


def case_recipient(both, number, address):
    """As recipient: of a domain that Postfix passes on."""
    def case():
        got = [both.send(way, number, address, address).order for way in ('postfix', 'msubmit')]
        return [] if got[0] == got[1] else ['Postfix %r, msubmit %r' % tuple(got)]
    return case


def is_remote(address):
    return '@' in address and address.rpartition('@')[2].lower() not in \
        ('localhost', 'here', 'here.example', 'd.example', '[192.0.2.1]')


def run(certs, home):
    ports = dict(zip(('starttls', 'implicit', 'plain'), common.free_ports(3)))
    sink = Sink()
    with Instance('postfix', ('postfix', 'postdrop')) as instance:
        instance.certificates(certs)
        postfix.configure(instance, sink, ports)
        instance.file('etc/postfix/generic', GENERIC)
        postfix.add(instance, MAIN)
        process = instance.start('/usr/lib/postfix/sbin/master', '-c', '/etc/postfix', '-d')
        instance.ready({'plain': ports['plain']}, process)
        both = Both(sink, home, ports['plain'])
        tests = [('sender and header: ' + a, case_sender(both, i, a))
                 for i, a in enumerate(ADDRESSES)]
        tests += [('recipient: ' + a, case_recipient(both, i, a))
                  for i, a in enumerate(ADDRESSES) if is_remote(a)]
        return common.run_cases(instance, tests)


if __name__ == '__main__':
    common.main(run)
