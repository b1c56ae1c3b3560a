#!/usr/bin/env python3
"""What must hold for every message and every value, tried with random ones; TAP.

    property_test.py [SEED [ROUNDS]]

The seed is printed; the same seed gives the same messages. A message is made as fields and
lines, then written with noise that must not matter (line ends, NULs, case, folding, blanks
before the colon), sent, and looked at octet by octet as it came over the wire:
 1 nothing of a Bcc field is in it, with and without -t
 2 it decodes to the fields and the text it was made of, but for what is added and removed
 3 line ends are CRLF, no other CR or LF, no NUL, no line of more than 998 octets, 8-bit octets
   only where they were announced
 4 dots are doubled at the start of a line and nowhere else
 5 no value of a setting, option, header field or alias begins a line of its own
 6 what looks like a variable, a command or a format stays as it is
 7 mail of corpus/headers and corpus/messages arrives whatever one to five of its octets are
   (unit/test_damage.c does the same in great numbers, without a program and a server)
"""
import base64
import email.header
import os
import quopri
import random
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402
import mail_compare                                                     # noqa: E402
from servers.common import Sink                                         # noqa: E402

harness.without_leaks()

BATCH = 25
EVERYTHING = ('PIPELINING', '8BITMIME', 'SMTPUTF8', 'DSN', 'SIZE 0', 'ENHANCEDSTATUSCODES',
              'SUBMITTER', 'MT-PRIORITY', 'DELIVERBY', 'NO-SOLICITING', 'FUTURERELEASE 99999 '
              '2030-01-01T00:00:00Z', 'RRVS', 'MTRK', 'XFORWARD NAME ADDR', 'X-ANY', 'CONPERM',
              'CONNEG')
REMOVED = ('bcc', 'resent-bcc', 'return-path', 'content-length')
ADDED = ('from', 'date', 'message-id', 'mime-version', 'content-type',
         'content-transfer-encoding', 'resent-date', 'resent-message-id')
TRICKS = ['${IFS}', '$(id)', '`id`', '%s%n', '%%', '$HOME', '\\r\\n', '&amp;', '{{7*7}}', ';id|id',
          '../../x', '%0d%0aBcc:', "'\"", '#{1}', '!ls', '~root', '*?[a]']


class Tee:
    """A file that keeps what is read from it."""

    def __init__(self, file, kept):
        self.file, self.kept = file, kept

    def readline(self):
        line = self.file.readline()
        self.kept.append(line)
        return line


class Wire(Sink):
    """A sink that keeps every octet."""

    def __init__(self, extensions):
        self.octets = []
        super().__init__(extensions)

    def talk(self, lines, say):
        super().talk(Tee(lines, self.octets), say)


def send(args, data, extensions, rc=None, more=()):
    """(exit, stderr, wire) of one run; more: (name, text) of files in HOME."""
    wire = Wire(extensions)
    with harness.Folder() as home:
        base = [] if rc else ['--host=127.0.0.1', '--port=%d' % wire.port, '--tls=off',
                              '--syslog=off', '--domain=client.example.org', '--aliases=',
                              '--from=sender@example.org', '--default-domain=example.org']
        if rc:
            more = list(more) + [('.msmtprc', rc.replace('{port}', str(wire.port)))]
        for name, text in more:
            with open(os.path.join(home, name), 'w', encoding='utf-8', newline='') as f:
                f.write(text.replace('{dir}', home))
            os.chmod(f.name, 0o600)
        child = subprocess.run(['msubmit'] + base + [a.replace('{dir}', home)
                                                            for a in args], input=data, cwd=home,
                               executable=harness.binary(),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                               env=harness.environment(home), timeout=30 * harness.SCALE)
    wire.close()
    return child.returncode, child.stderr.decode('utf-8', 'surrogateescape'), wire


# --- messages -------------------------------------------------------------------------


class Message:
    """Fields and lines of text, and one of many spellings of them."""

    def __init__(self, rng, ascii_header):
        self.rng, self.secret = rng, 'zq%dzq' % rng.randrange(10**9)
        self.ascii_header = ascii_header
        self.rcpts, self.blind = [], []
        self.fields = [f() for f in rng.choices([self.plain, self.unstructured, self.addresses,
                                                 self.blind_field, self.removed],
                                                k=rng.randrange(1, 12))]
        if rng.random() < .3:
            self.fields += [('MIME-Version', ['1.0']),
                            ('Content-Type', ['text/plain; charset=utf-8'])]
        self.lines = [self.line() for _ in range(rng.choice([0, 1, 2, 3, 20]))]

    def word(self, eight=True):
        r = self.rng
        letters = 'abcXYZ019.-_'
        kinds = [''.join(r.choice(letters) for _ in range(r.randrange(1, 12))), r.choice(TRICKS)]
        if eight and not self.ascii_header:
            kinds.append(r.choice(['Gr\u00fc\u00dfe', '\u4f60\u597d', '\U0001f600', '\u010a']))
        return r.choice(kinds)

    def folded(self, words, separator=' '):
        """Lines of a field: each but the first begins with a blank."""
        lines = ['']
        for i, word in enumerate(words):
            if i and self.rng.random() < .25:
                lines.append(self.rng.choice([' ', '\t', '   ']) + word)
            else:
                lines[-1] += (separator if i else '') + word
        return lines

    def name(self, name):
        r = self.rng
        cased = ''.join(r.choice([c.lower, c.upper])() for c in name)
        return cased + r.choice(['', '', '', ' ', '\t', '  '])

    def plain(self):
        return self.name('X-%s' % self.rng.choice(['Mailer', 'Bcc', 'bcc-to', 'A'])), \
            self.folded([self.word(False) for _ in range(self.rng.randrange(1, 9))])

    def unstructured(self):
        name = self.rng.choice(['Subject', 'Comments', 'Keywords'])
        words = [self.word() for _ in range(self.rng.randrange(1, 9))]
        if name == 'Keywords':          # of phrases: quotes may go when a word is encoded
            words = [w.replace('"', '') for w in words]
        return self.name(name), self.folded(words)

    def address(self, word):
        r = self.rng
        box = '%s%d@example.net' % (word, r.randrange(10**6))
        return box, r.choice(['%s', '<%s>', 'A B <%s>', '"x, \\"y" <%s>', '%s (note)']) % box

    def addresses(self):
        boxes = [self.address('u') for _ in range(self.rng.randrange(1, 5))]
        name = self.rng.choice(['To', 'Cc', 'Reply-To'])
        if name != 'Reply-To':
            self.rcpts += [box for box, _ in boxes]
        return self.name(name), self.folded([text + ',' * (i + 1 < len(boxes))
                                             for i, (_, text) in enumerate(boxes)])

    def blind_field(self):
        boxes = [self.address(self.secret) for _ in range(self.rng.randrange(1, 4))]
        self.blind += [box for box, _ in boxes]
        return self.name('Bcc'), self.folded([text + ',' * (i + 1 < len(boxes))
                                              for i, (_, text) in enumerate(boxes)])

    def removed(self):
        return self.name(self.rng.choice(['Return-Path', 'Content-Length'])), ['<x@example.net>']

    def line(self):
        r = self.rng
        return r.choice([
            lambda: '', lambda: '.', lambda: '..', lambda: '.' + self.word(), lambda: '. ',
            lambda: 'Bcc: b@example.net', lambda: 'From the start', lambda: '>From',
            lambda: ' '.join(self.word() for _ in range(r.randrange(1, 20))),
            lambda: 'Gr\u00fc\u00dfe ' + self.word() + ' ',
            lambda: 'w%d ' % r.randrange(99) * r.randrange(230, 400),
            lambda: 'x' * r.choice([75, 76, 77, 78, 997, 998, 999, 2500]),
            lambda: '=' + self.word(), lambda: '\t', lambda: '--' + self.word(),
        ])()

    def end(self):
        return self.rng.choice([b'\n', b'\n', b'\r\n', b'\r\n', b'\r\r\n', b'\r\0\n'])

    def noise(self, line):
        """NULs change nothing."""
        octets = line.encode()
        if self.rng.random() < .05:
            at = self.rng.randrange(len(octets) + 1)
            octets = octets[:at] + b'\0' + octets[at:]
        return octets

    def spelled(self, uniform):
        end = self.rng.choice([b'\n', b'\r\n']) if uniform else None
        out = []
        for name, lines in self.fields:
            out.append(self.noise(name + ':' + self.rng.choice(['', ' ']) + lines[0]))
            out += [self.noise(line) for line in lines[1:]]
        out += [b''] + [self.noise(line) for line in self.lines]
        octets = b''.join(line + (end or self.end()) for line in out)
        if self.lines and self.lines[-1] and self.rng.random() < .3:
            octets = octets.rstrip(b'\r\n\0')       # the last line end may be missing
        return octets


def field_list(header):
    """(name in lower case, value unfolded) of the fields of octets."""
    found = []
    for text in re.split(rb'\r\n(?![ \t])', header):
        if text:
            name, _, value = text.partition(b':')
            found.append((name.strip().lower().decode(), value.replace(b'\r\n', b'')))
    return found


def readable(value):
    """Encoded words decoded, blanks as one."""
    text = ''.join(t.decode(c or 'utf-8', 'replace') if isinstance(t, bytes) else t
                   for t, c in email.header.decode_header(value.decode('utf-8', 'replace')))
    return ''.join(text.split())


def check_header(message, header):
    want = [(n.strip().lower(), readable(''.join(lines).encode())) for n, lines in message.fields
            if n.strip().lower() not in REMOVED]
    names = [n for n, _ in want]
    got = [(n, readable(v)) for n, v in field_list(header) if n not in ADDED or n in names]
    if got != want:
        wrong = [(g, w) for g, w in zip(got, want) if g != w] or [(len(got), len(want))]
        return ['fields, %r instead of %r' % wrong[0]]
    return []


def check_body(message, header, body):
    fields = dict(field_list(header))
    encoding = fields.get('content-transfer-encoding', b'').strip().lower()
    if encoding == b'base64':
        body = base64.b64decode(body, validate=False)
    elif encoding == b'quoted-printable':
        body = quopri.decodestring(body)
    want = ''.join(line + '\r\n' for line in message.lines).encode()
    if body == want or body.rstrip(b'\r\n') == want.rstrip(b'\r\n') and encoding:
        return []
    at = next((i for i, (x, y) in enumerate(zip(body, want)) if x != y), min(len(body), len(want)))
    return ['body (%s), from octet %d: %r instead of %r' %
            (encoding.decode(), at, body[at - 20:at + 40], want[at - 20:at + 40])]


def check_wire(wire):
    """What every octet that was sent has to be."""
    octets = b''.join(wire.octets)
    wrong = []
    for what, pattern in (('a CR alone', rb'\r(?!\n)'), ('a LF alone', rb'(?<!\r)\n'),
                          ('a NUL', rb'\0'), ('a long line', rb'[^\r\n]{999}')):
        found = re.search(pattern, octets)
        if found:
            wrong.append('%s: %r' % (what, octets[max(0, found.start() - 30):found.end() + 30]))
    commands, _, data = octets.partition(b'DATA\r\n')
    if re.search(rb'[\x80-\xff]', commands) and b' SMTPUTF8' not in commands:
        wrong.append('8-bit octets in commands')
    if re.search(rb'[\x80-\xff]', data) and b'BODY=8BITMIME' not in commands:
        wrong.append('8-bit octets in the data')
    if re.search(rb'[\x80-\xff]', data.partition(b'\r\n\r\n')[0]) and b' SMTPUTF8' not in commands:
        wrong.append('8-bit octets in the header')
    lines = data.split(b'\r\n')
    ends = [i for i, line in enumerate(lines) if re.match(rb'\.(?!\.)', line)]
    if data and (len(ends) != 1 or lines[ends[0]] != b'.'):
        wrong.append('a dot that is not doubled')
    return wrong


def one_message(seed):
    rng = random.Random(seed)
    extensions = tuple(e for e in ('8BITMIME', 'SMTPUTF8', 'PIPELINING', 'SIZE 0')
                       if rng.random() < .6)
    message = Message(rng, rng.random() < .5)
    octets = message.spelled(rng.random() < .3)
    from_header = rng.random() < .5 and message.rcpts + message.blind
    args = ['-i', '-t'] if from_header else ['-i', '--', 'r@example.net']
    status, text, wire = send(args, octets, extensions)
    wrong = check_wire(wire) + wire.faults
    if status or len(wire.mails) != 1:
        return wrong + ['exit %d, %d mails: %s' % (status, len(wire.mails), text)]
    mail = wire.mails[0]
    header, _, body = mail.data.partition(b'\r\n\r\n')
    want = message.rcpts + message.blind if from_header else ['r@example.net']
    if set(mail.order) != set(want) or len(mail.order) != len(set(want)):
        wrong.append('recipients %r instead of %r' % (mail.order, want))
    if message.secret.encode() in mail.data or \
            not from_header and message.secret.encode() in b''.join(wire.octets) or \
            re.search(rb'(?im)^(resent-)?bcc[ \t]*:', header):
        wrong.append('Bcc went along')
    wrong += check_header(message, header + b'\r\n')
    wrong += check_body(message, header + b'\r\n', body)
    return wrong and wrong + ['seed %s, extensions %s' % (seed, extensions), repr(octets[:2000])]


def messages(seed, n):
    def run():
        wrong = []
        for i in range(n):
            wrong += one_message('%s-%d' % (seed, i))
        return wrong[:40]
    return run


# --- damaged mail ----------------------------------------------------------------------

SEALED = re.compile(rb'(?i)signed|encrypted|partial|dkim')      # what nothing may be changed in


def damage(rng, octets):
    at = rng.randrange(len(octets))
    odd = b'\n\r\0 \t:;,<>()"\\@=-?.%\x80\xc3\xbc\xff'
    octet = bytes([rng.choice(odd) if rng.random() < .5 else rng.randrange(256)])
    how = rng.randrange(3)
    return octets[:at] + (octet if how < 2 else b'') + octets[at + (how > 0):]


def damaged(seed, n):
    def run():
        wrong = []
        for i in range(n):
            rng = random.Random('%s-%d' % (seed, i))
            name, octets = rng.choice(mail_compare.mails())
            for _ in range(rng.randrange(1, 6)):
                octets = damage(rng, octets)
            if SEALED.search(octets):
                continue
            extensions = tuple(e for e in ('8BITMIME', 'SMTPUTF8') if rng.random() < .5)
            status, text, wire = send(['-i', '--', 'r@example.net'], octets, extensions)
            found = check_wire(wire) + wire.faults
            if status or len(wire.mails) != 1:
                found.append('exit %d, %d mails: %s' % (status, len(wire.mails), text))
            wrong += found and found + [name, repr(extensions), repr(octets[:2000])]
        return wrong[:40]
    return run


# --- values that try to begin a line ---------------------------------------------------

BREAKS = ['\r\n', '\n', '\r', '\u010a']
MARK = 'EVIL'
# What a key wants to see in front, so that the value is looked at at all.
PREFIX = {'from': 's@example.org', 'from_full_name': 'Joe', 'domain': 'd.example',
          'default_domain': 'd.example', 'maildomain': 'd.example', 'mail_param': 'X-ANY=1',
          'rcpt_param': 'X-ANY=1', 'mt_priority': '3', 'deliver_by': '600', 'hold_for': '60',
          'hold_until': '2029-01-01T00:00:00Z', 'rrvs': '2020-01-01T00:00:00Z',
          'solicit': 'net.example:ADV', 'mail_auth': 'a@example.org',
          'force_submitter': 'a@example.org', 'submitter': 'a@example.org',
          'content_features': '(color=binary)', 'xclient': 'NAME=x', 'xforward': 'NAME=x',
          'user': 'joe', 'default_charset': 'iso-8859-1', 'track': 'on'}
# Host names and files that are looked for take time and send nothing.
LEFT_OUT = ('host', 'port', 'proxy_host', 'srv_domain', 'resolver')
LETTERS = ['-F', '-f', '-r', '-V', '-N', '-R', '-B', '-L', '-O', '-o', '-h', '-p', '-M', '-A',
           '-D', '-X', '-e', '-a', '--rcpt', '--mail-param', '--rcpt-param', '--at', '']
MESSAGE = b'To: t@example.net\nSubject: x\n\nbody\n'


def evil(brk):
    return '%s%s %sRCPT TO:<evil@example.com>%s%s: x' % (brk, MARK, brk, brk, MARK)


def begins_a_line(wire):
    """Does a line of what was sent come from the value?"""
    octets = b''.join(wire.octets)
    lines = re.split(rb'[\r\n]', octets)
    return [line for line in lines if line.lstrip().startswith((MARK.encode(), b'RCPT TO:<evil'))]


def injected(args, rc=None, data=MESSAGE, more=()):
    """Whatever comes of it, no line has been begun."""
    status, text, wire = send(args, data, EVERYTHING, rc, more)
    wrong = ['%r is a line of its own' % line for line in begins_a_line(wire)] + check_wire(wire)
    if harness.unprintable(text) or harness.sanitizer_words(text):
        wrong.append('stderr: %r' % text)
    if status == 0 and len(wire.mails) != 1 or status < 0:
        wrong.append('exit %d, %d mails' % (status, len(wire.mails)))
    return wrong and wrong + [repr(args), repr(rc)]


def keys():
    """The keys of an account, with what it takes in front."""
    out = subprocess.run([harness.binary(), '--list-settings'], stdout=subprocess.PIPE, check=True,
                         env=harness.environment('/tmp')).stdout.decode()
    return [f[0] for f in (line.split('\t') for line in out.splitlines())
            if f[1] == 'account' and f[0] not in LEFT_OUT]


def as_option(brk):
    def run():
        wrong = []
        for key in keys():
            value = PREFIX.get(key, 'v') + evil(brk)
            wrong += injected(['--%s=%s' % (key.replace('_', '-'), value), 'r@example.net'])
        for letter in LETTERS:
            value = evil(brk)
            words = [letter, PREFIX['from'] + value] if letter else [PREFIX['from'] + value]
            wrong += injected(words + ['r@example.net'])
        return wrong
    return run


RC = '[account default]\nhost = 127.0.0.1\nport = {port}\ntls = off\nsyslog = off\n' \
     'aliases = {dir}/aliases\nfrom = s@example.org\nconnect_timeout = 5\n'
ESCAPES = {'\r\n': '\\r\\n', '\n': '\\n', '\r': '\\r', '\0': '\\x00'}


def as_key(brk):
    def run():
        wrong = []
        for key in keys():
            value = PREFIX.get(key, 'v') + evil(brk)
            for spelling, octets in ESCAPES.items():
                value = value.replace(spelling, octets)
            wrong += injected(['r@example.net'], RC + '%s = "%s"\n' % (key, value),
                              more=[('aliases', '')])
        return wrong
    return run


def in_fields(brk):
    """Header fields and aliases; a line break that is one makes another field, and no more."""
    def run():
        wrong = []
        for name in ('To', 'Cc', 'Bcc', 'Subject', 'From', 'Date', 'Message-ID', 'Reply-To',
                     'Sender', 'Resent-To', 'MT-Priority', 'Solicitation', 'Content-Type', 'X-Any',
                     'Require-Recipient-Valid-Since'):
            data = '%s: %s%s\nTo: t@example.net\n\nbody\n' % (name, PREFIX['from'],
                                                            evil(brk).replace('RCPT TO:', 'x: '))
            if '\n' not in brk:
                wrong += injected(['-t'], data=data.encode())
        for target in (PREFIX['from'] + evil(brk), '"%s"@example.net' % evil(brk)):
            wrong += injected(['joe'], RC, more=[('aliases', 'joe: %s\n' % target)])
        return wrong
    return run


def unchanged(trick):
    """In addresses, names, fields and text nothing is expanded."""
    def run():
        local = re.sub(r'[^\w$`%{}#!~*?=|/+-]', '', trick) + 'x'
        data = 'Subject: a %s b\nX-Any: %s\nTo: %s@example.net\n\n%s\n' % (trick, trick, local,
                                                                          trick)
        status, text, wire = send(['-t', '-f', local + '@example.com', '-F', 'N ' + trick],
                                  data.encode(), EVERYTHING)
        if status or len(wire.mails) != 1:
            return ['exit %d: %s' % (status, text)]
        mail = wire.mails[0]
        header, _, body = mail.data.decode().partition('\r\n\r\n')
        fields = dict(field_list(header.encode()))
        name = fields['from'].decode().rpartition(' <')[0].strip()
        name = re.sub(r'\\(.)', r'\1', name[1:-1]) if name.startswith('"') else name
        return ['%s: %r instead of %r' % (what, got, want) for what, got, want in (
            ('sender', mail.sender.decode(), local + '@example.com'),
            ('recipient', mail.order, [local + '@example.net']),
            ('Subject', fields['subject'].decode(), ' a %s b' % trick),
            ('X-Any', fields['x-any'].decode(), ' ' + trick), ('name', name, 'N ' + trick),
            ('body', body, trick + '\r\n')) if got != want]
    return run


def main():
    seed = sys.argv[1] if len(sys.argv) > 1 else str(random.randrange(10**6))
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    print('# seed %s' % seed)
    tests = [('messages %d to %d' % (i, i + BATCH - 1), messages('%s-%d' % (seed, i), BATCH))
             for i in range(0, rounds, BATCH)]
    again = sys.argv[1] if len(sys.argv) > 1 else 'always the same'
    tests += [('damaged mail %d to %d' % (i, i + BATCH - 1), damaged('%s-%d' % (again, i), BATCH))
              for i in range(0, rounds // 2, BATCH)]
    for brk in BREAKS:
        tests.append(('options with %r' % brk, as_option(brk)))
        tests.append(('fields and aliases with %r' % brk, in_fields(brk)))
    tests += [('keys with %r' % brk, as_key(brk)) for brk in BREAKS + ['\0']]
    tests += [('unchanged: ' + trick, unchanged(trick)) for trick in TRICKS]
    return harness.run_tap(tests)


if __name__ == '__main__':
    sys.exit(main())
