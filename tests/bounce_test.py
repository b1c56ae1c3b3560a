#!/usr/bin/env python3
"""Notifications about entries of the queue, read by Python's email package as strictly as it can.

BUILDDIR has tests/unit/bounce_print, which composes them; prints TAP. What is made at
random is the same each time; BOUNCE_SEED gives it another seed."""
import base64
import email
import email.policy
import email.utils
import os
import quopri
import random
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402

PROGRAM = os.path.join(os.environ.get('BUILDDIR', '.'), 'tests/unit/bounce_print')
SEED = int(os.environ.get('BOUNCE_SEED', '3464'))
ARRIVAL, NOW, EXPIRES = 1700000000123, 1700000600000, 1700400000000
HOST = 'client.example.org'
MESSAGE = (b'From: Ann <a@example.org>\r\nTo: b@example.net\r\nBcc: secret@example.net\r\n'
           b'Subject: Question\r\nMessage-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n'
           b'Content-Type: multipart/mixed; boundary=inner\r\n\r\n'
           b'--inner\r\n\r\nhello\r\n.\r\nFrom here\r\n--inner--\r\n')
NEVER, SUCCESS, FAILURE, DELAY = 1, 2, 4, 8
tests = harness.Tests()


# --- an entry, and what is printed about it -----------------------------------------


def fnv(data):
    total = 14695981039346656037
    for octet in data:
        total = ((total ^ octet) * 1099511628211) & 0xffffffffffffffff
    return total


def value(text):
    """As msubmit-queue(5) has it."""
    octets = text if isinstance(text, bytes) else str(text).encode()
    return b''.join(b'%%%02X' % c if c < 32 or c in (127, 37) else bytes([c]) for c in octets)


def entry(recipients, message=MESSAGE, **keys):
    """The octets of one; a recipient is its address and its keys."""
    keys = {'arrival': ARRIVAL, 'expires': EXPIRES, 'account': 'work', 'sender': 'a@example.org',
            'message-id': '<1@example.org>', **{k.replace('_', '-'): v for k, v in keys.items()}}

    def lines(some):
        return b''.join(k.encode() + (b'' if v is True else b' ' + value(v)) + b'\n'
                        for k, v in some.items() if v is not None and v is not False)
    envelope = lines(keys)
    for address, more in recipients:
        envelope += b'rcpt ' + value(address) + b'\n' + lines(more)
    head = b'msubmit-queue 001 %010d %019d %016x ' % (len(envelope), len(message), fnv(message))
    return head + b'%016x\n' % fnv(head[:-1] + envelope) + envelope + message


def refused(words='550 5.1.1 no such user', **more):
    return {'outcome': 'refused', 'at': ARRIVAL + 1000, 'fault': 'recipient-unknown', 'exit': 67,
            'code': 550, 'status': '5.1.1', 'text': 'the server has refused it', 'words': words,
            'server': 'mx.example.net:25', **more}


class Bounce:
    """What is printed, and what Python reads in it."""

    def __init__(self, octets, kind='failed', limit=50000, now=NOW, to=()):
        with tempfile.NamedTemporaryFile(prefix='msubmit-test-') as f:
            f.write(octets)
            f.flush()
            end = subprocess.run([PROGRAM, f.name, kind, HOST, str(limit), str(now), *to],
                                 capture_output=True, timeout=60 * harness.SCALE, check=False)
        if end.returncode:
            raise AssertionError('%d: %s' % (end.returncode, end.stderr.decode()))
        self.way, _, rest = end.stdout.partition(b'\n')
        self.way = self.way.decode()
        self.raw = None
        if rest:
            self.path, form, self.raw = rest.split(b'\n', 2)
            self.utf8, self.body = form.decode().split()
            self.read()

    def read(self):
        for line in self.raw.split(b'\r\n'):
            assert b'\n' not in line and b'\r' not in line, 'line ends: %r' % line
            assert len(line) <= 998, 'a line of %d octets' % len(line)
        assert self.body == '8BITMIME' or self.raw.isascii(), '8-bit without saying so'
        assert self.utf8 == 'SMTPUTF8' or self.raw.partition(b'\r\n\r\n')[0].isascii(), 'UTF-8'
        self.message = email.message_from_bytes(self.raw, policy=email.policy.SMTP)
        assert self.message.get_content_type() == 'multipart/report'
        self.text, self.status, self.original = self.message.get_payload()
        # Python looks into an encoded message as well, and finds no header there
        for entity in (self.message, self.text, self.status, self.original):
            assert not entity.defects, '%s: %r' % (entity.get_content_type(), entity.defects)
            for name, text in entity.items():
                assert not text.defects or (name == 'To' and self.utf8 == 'SMTPUTF8'), \
                    '%s: %r' % (name, text.defects)
        kind = self.message.get_param('report-type')
        assert self.status.get_content_type() == 'message/' + kind, kind
        assert not self.message.preamble and not self.message.epilogue
        self.words = self.text.get_content()
        self.groups = self.fields()

    def fields(self):
        """The groups of message/delivery-status, each a list of (name, value)."""
        start = self.raw.index(b'Content-Type: message/')
        part = self.raw[start:].partition(b'\r\n\r\n')[2].partition(b'\r\n--=_')[0]
        if self.status['Content-Transfer-Encoding'] == 'quoted-printable':
            part = quopri.decodestring(part)
        if self.status.get_content_type() == 'message/delivery-status':
            assert part.isascii(), 'not in ASCII'
            assert len(self.status.get_payload()) == len(part.strip().split(b'\r\n\r\n'))
            for group in self.status.get_payload():
                assert not group.defects and not group.get_payload(), group.defects
        groups = []
        for text in part.decode().strip('\r\n').split('\r\n\r\n'):
            unfolded = re.sub(r'\r\n(?=[ \t])', '', text).split('\r\n')
            groups.append([tuple(f.split(': ', 1)) if ': ' in f else (f.rstrip(':'), '')
                           for f in unfolded])
        return groups

    def recipients(self):
        return [dict(g) for g in self.groups[1:]]


def expect(what, got, want):
    return [] if got == want else ['%s: %r instead of %r' % (what, got, want)]


# --- the tests ---------------------------------------------------------------------------


@tests.named('a failure: header, fields, message')
def failure():
    b = Bounce(entry([('b@example.net', refused(orcpt='Info@Example.org', notify=FAILURE)),
                      ('c@example.net', {'outcome': 'accepted', 'code': 250, 'notify': SUCCESS}),
                      ('"d e"@example.net', refused(server=None, code=None, status='5.6.3',
                                                    words=None, text='no 8-bit there')),
                      ('f@example.net', refused(notify=NEVER))],
                     envid='QQ 314+15', last=ARRIVAL + 500))
    failures = expect('way', b.way, 'sender') + expect('path', b.path, b'<> <a@example.org>')
    failures += expect('groups', b.groups, [
        [('Original-Envelope-Id', 'QQ 314+15'), ('Reporting-MTA', 'dns; ' + HOST),
         ('Arrival-Date', email.utils.formatdate(ARRIVAL // 1000).replace('-0000', '+0000'))],
        [('Original-Recipient', 'rfc822; Info@Example.org'),
         ('Final-Recipient', 'rfc822; b@example.net'), ('Action', 'failed'), ('Status', '5.1.1'),
         ('Remote-MTA', 'dns; mx.example.net'),
         ('Diagnostic-Code', 'smtp; 550 5.1.1 no such user'),
         ('Last-Attempt-Date', 'Tue, 14 Nov 2023 22:13:21 +0000')],
        [('Final-Recipient', 'rfc822; "d e"@example.net'), ('Action', 'failed'),
         ('Status', '5.6.3'), ('Diagnostic-Code', 'X-msubmit; no 8-bit there'),
         ('Last-Attempt-Date', 'Tue, 14 Nov 2023 22:13:21 +0000')]])
    m = b.message
    sender = 'Mail Delivery System <MAILER-DAEMON@%s>' % HOST
    for name, want in (('To', 'a@example.org'), ('From', sender), ('MIME-Version', '1.0'),
                       ('Auto-Submitted', 'auto-replied'), ('In-Reply-To', '<1@example.org>'),
                       ('References', '<1@example.org>')):
        failures += expect(name, m.get_all(name), [want])
    for name in ('Date', 'Subject', 'Message-ID'):
        failures += expect('number of ' + name, len(m.get_all(name) or []), 1)
    failures += expect('third', b.original.get_content_type(), 'message/rfc822')
    back = b.raw[b.raw.index(b'From: Ann'):].partition(b'\r\n--=_')[0]
    failures += expect('the message', back, MESSAGE.replace(b'Bcc: secret@example.net\r\n', b''))
    for word in ('<b@example.net>', 'no 8-bit there',
                 'mx.example.net said: 550 5.1.1 no such user'):
        failures += [] if word in b.words else ['%r is not in %r' % (word, b.words)]
    return failures + (['c or f is told'] if 'c@' in b.words or 'f@' in b.words else [])


@tests.named('the table of NOTIFY, with each kind')
def table():
    failures = []
    allowed = {'failed': lambda n: not n or n & FAILURE, 'delayed': lambda n: not n or n & DELAY,
               'relayed': lambda n: n & SUCCESS, 'delivered': lambda n: n & SUCCESS}
    notify = [0, NEVER] + list(range(SUCCESS, 16, 2))
    outcomes = {'failed': 'refused', 'delayed': 'deferred', 'relayed': 'accepted',
                'delivered': 'accepted'}
    octets = entry([('%d.%s@example.net' % (n, o), {'notify': n or None, 'outcome': o})
                    for n in notify for o in ('refused', 'deferred', 'accepted')] +
                   [('0.deferred@none.example', {})])
    for kind, outcome in outcomes.items():
        want = ['%d.%s@example.net' % (n, outcome) for n in notify
                if n != NEVER and allowed[kind](n)]
        want += ['0.deferred@none.example'] if kind == 'delayed' else []
        b = Bounce(octets, kind)
        failures += expect(kind, [r['Final-Recipient'][8:] for r in b.recipients()], want)
        failures += expect('actions', {r['Action'] for r in b.recipients()}, {kind})
        failures += expect('class', {r['Status'][0] for r in b.recipients()},
                           {{'failed': '5', 'delayed': '4'}.get(kind, '2')})
        failures += expect('until', {'Will-Retry-Until' in r for r in b.recipients()},
                           {kind == 'delayed'})
        if kind != 'failed':
            failures += expect('third', b.original.get_content_type(), 'text/rfc822-headers')
        b = Bounce(entry([('b@example.net', {'outcome': outcome, 'notify': 14})], sender=''), kind)
        failures += expect('null sender', (b.way, b.raw), ('nobody', None))
    return failures


@tests.named('the time is over')
def expired():
    octets = entry([('b@example.net', {'outcome': 'deferred', 'code': 451, 'status': '4.7.1',
                                       'words': '451 4.7.1 later', 'server': '[192.0.2.7]:587'}),
                    ('c@example.net', {}), ('d@example.net', refused(told=True))])
    first, second = Bounce(octets, now=EXPIRES).recipients()
    return expect('status', (first['Status'], second['Status']), ('5.4.7', '5.4.7')) + \
        expect('server', first['Remote-MTA'], 'dns; [192.0.2.7]') + \
        expect('words', first['Diagnostic-Code'], 'smtp; 451 4.7.1 later') + \
        expect('no words', second['Diagnostic-Code'], 'X-msubmit; not delivered in time') + \
        expect('before', Bounce(octets).raw, None)


@tests.named('requests: BY, HOLD, RET, REQUIRETLS, priority')
def requests():
    by = Bounce(entry([('b@example.net', refused())], by='return', **{'by-until': NOW + 1000}))
    until = Bounce(entry([('b@example.net', refused())], hold='until',
                         **{'hold-until': NOW + 1000}))
    hold = Bounce(entry([('b@example.net', refused())], hold='for',
                        **{'hold-until': ARRIVAL + 90000}))
    hdrs = Bounce(entry([('b@example.net', refused())], ret='HDRS'))
    tls = Bounce(entry([('b@example.net', refused())], ret='FULL', requiretls=True))
    small = Bounce(entry([('b@example.net', refused())], ret='FULL'), limit=100)
    return expect('by', dict(by.groups[0])['Deliver-By-Date'],
                  'Tue, 14 Nov 2023 22:23:21 +0000') + \
        expect('until', dict(until.groups[0])['Future-Release-Request'],
               'until;2023-11-14T22:23:21Z') + \
        expect('for', dict(hold.groups[0])['Future-Release-Request'], 'for;90') + \
        [f for b in (hdrs, tls, small) for f in
         expect('third', b.original.get_content_type(), 'text/rfc822-headers') +
         (['content comes back'] if b'hello' in b.raw else [])]


@tests.named('SMTPUTF8: types of RFC 6533, encoded and as they are')
def global_forms():
    message = 'From: ä@example.org\r\nSubject: Grüße\r\n\r\nblåbær\r\n'.encode()
    octets = dict(message=message, utf8=True, ret='FULL')
    b = Bounce(entry([('jö@example.net', refused(orcpt='utf-8;jœ@example.net')),
                      ('c@example.net', refused('550 5.1.1 não'))], **octets))
    first, second = b.recipients()
    failures = expect('final', first['Final-Recipient'], 'utf-8; jö@example.net') + \
        expect('original', first['Original-Recipient'], 'utf-8; jœ@example.net') + \
        expect('ASCII', second['Final-Recipient'], 'rfc822; c@example.net') + \
        expect('words', second['Diagnostic-Code'], 'smtp; 550 5.1.1 n?o') + \
        expect('types', [p.get_content_type() for p in (b.status, b.original)],
               ['message/global-delivery-status', 'message/global']) + \
        expect('form', (b.utf8, b.body), ('-', '7BIT')) + \
        expect('said', 'said: 550 5.1.1 não' in b.words, True)
    at = b.raw.index(b'Content-Type: message/global\r\n')
    back = base64.b64decode(b.raw[at:].partition(b'\r\n\r\n')[2].partition(b'\r\n--=_')[0])
    failures += expect('the message', back, message)
    b = Bounce(entry([('jö@example.net', refused())], sender='ä@example.org', **octets))
    failures += expect('as it is', b.raw.count('jö@example.net'.encode()), 1) + \
        expect('whole', message in b.raw, True) + \
        expect('form', (b.utf8, b.body), ('SMTPUTF8', '8BITMIME')) + \
        expect('coding', b.message['Content-Transfer-Encoding'], '8bit')
    b = Bounce(entry([('jö@example.net', refused())], **{**octets, 'ret': 'HDRS'}))
    return failures + expect('header', b.original.get_content_type(), 'message/global-headers')


@tests.named('senders who get no mail')
def ways():
    report = b'Content-Type: multipart/report; report-type=delivery-status; boundary=x\r\n\r\n'
    failures = []
    for sender, message, want in (('a@example.org', MESSAGE, 'sender'), ('', MESSAGE, 'nobody'),
                                  ('a@example.org', report, 'nobody'), ('joe', MESSAGE, 'user'),
                                  ('joe@localhost', MESSAGE, 'user')):
        b = Bounce(entry([('b@example.net', refused())], message, sender=sender))
        failures += expect(sender, b.way, want)
    b = Bounce(entry([('b@example.net', refused())], sender='joe'))
    failures += expect('a name', b.message['To'], 'joe@' + HOST)
    b = Bounce(entry([('b@example.net', refused(notify=NEVER))], sender=''),
               to=['root@example.org'])
    return failures + expect('notice', b.path, b'<> <root@example.org>') + \
        expect('counter', b.message['X-Msubmit-Notice'], '1') + \
        expect('auto', b.message['Auto-Submitted'], 'auto-replied')


PIECES = ('550', ' ', '5.1.1', 'x', 'word', '"', '\\', '(', ')', '<', '>', ';', ':', '=', '--=_',
          ',', '=?utf-8?q?=0AX:?=', 'ö', '用户', '\u202e', '\U0001f600', 'X-Injected: yes',
          '%0D%0A', '@',
          'Status: 2.0.0', '.', '\u2028', '\u0085', 'z' * 300, ' ' * 5, 'Bcc: x')


def hostile(rng):
    return ''.join(rng.choice(PIECES) for _ in range(rng.randrange(1, 25)))


def hostile_address(rng):
    local = ''.join(c for c in hostile(rng) if c not in '"\\')
    return '"%s"@example.net' % local


@tests.named('entries made of anything: no field, no part more than there should be')
def anything():
    rng = random.Random(SEED)
    for _ in range(120):
        n = rng.randrange(1, 4)
        recipients = [(hostile_address(rng), refused(
            hostile(rng), text=hostile(rng), server=hostile(rng), orcpt=hostile(rng),
            status=rng.choice(('5.1.1', '5.1', '5.1.1.1', 'x', '2.0.0', None)),
            code=rng.choice((550, None)))) for _ in range(n)]
        # Python decodes an encoded word in quotes, too, and then has no header any more
        sender = rng.choice(('a@example.org', hostile_address(rng).replace('=', '')))
        b = Bounce(entry(recipients, envid=hostile(rng), sender=sender,
                         **{'message-id': hostile(rng)}))
        assert len(b.groups) == n + 1, 'groups: %d' % len(b.groups)
        names = {'Original-Recipient', 'Final-Recipient', 'Action', 'Status', 'Remote-MTA',
                 'Diagnostic-Code', 'Last-Attempt-Date'}
        for group in b.groups[1:]:
            found = [f[0] for f in group]
            assert set(found) <= names and len(set(found)) == len(found), found
            one = dict(group)
            assert re.fullmatch(r'[45]\.\d{1,3}\.\d{1,3}', one['Status']), one['Status']
            assert one['Action'] == 'failed'
        assert [f[0] for f in b.groups[0]] == ['Original-Envelope-Id', 'Reporting-MTA',
                                               'Arrival-Date'], b.groups[0]
        assert 8 <= len(b.message.keys()) <= 11, b.message.keys()
        assert b.text.get_content_type() == 'text/plain'
        assert '\u202e' not in b.words
    return []


if __name__ == '__main__':
    if not os.access(PROGRAM, os.X_OK):
        print('1..0 # SKIP %s is not built' % PROGRAM)
        sys.exit(0)
    os.environ['TZ'] = 'UTC0'
    sys.exit(harness.run_tap(tests))
