#!/usr/bin/env python3
"""What a reader finds in a message before and after its conversion must be the same.

Generated messages go through msubmit to a server that takes less than they need: no 8BITMIME,
no SMTPUTF8, lines of 998 octets. What arrives is read by Python's email package, part by part.
MSUBMIT names the program; prints TAP. The seeds are fixed: --seeds A B for others."""
import base64
import email
import email.utils
import os
import quopri
import random
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from dialogue import parse_dialogue                                     # noqa: E402
from harness import SCALE, Folder, binary, run_once, run_tap, sanitizer_words  # noqa: E402
from peer import Peer                                                   # noqa: E402

PROGRAM = binary()
WORDS = ['Straße', 'plain', 'größer', 'word', '日本語', 'x=y', '.', 'From', '--', 'ÄÖÜ', 'a' * 40,
         'emoji😀', 'From me', '=20', ' ', '\t', '-- ', 'ß']
NAMES = ['Jörg Müller', 'Plain Name', 'Ünal, Dr. "X"', '日本 太郎', 'a.b', 'Zoë']
SERVERS = {
    '7bit': (['250-peer', '250 SIZE'], []),
    '8bit': (['250-peer', '250 8BITMIME'], []),
    '8bit always': (['250-peer', '250 8BITMIME'], ['--convert-8bit=always']),
    'helo': (None, []),
    'chunking': (['250-peer', '250 CHUNKING'], ['--chunking=on']),
}


class Generator:
    """A message of random form, as lines without their ends."""

    def __init__(self, seed, signed=False):
        self.random = random.Random(seed)
        self.signed = signed
        self.long = self.random.random() < 0.3
        self.boundaries = 0

    def line(self):
        r = self.random
        if self.long and r.random() < 0.1:
            return ' '.join(r.choice(WORDS) for _ in range(r.randint(200, 900)))
        return ' '.join(r.choice(WORDS) for _ in range(r.randint(0, 9))) + r.choice(['', '', ' ', '\t'])

    def text(self):
        return [self.line() for _ in range(self.random.randint(0, 12))]

    def name(self):
        name = self.random.choice(NAMES)
        return '"%s"' % name.replace('"', '\\"') if re.search(r'[,."]', name) else name

    def header(self):
        r = self.random
        lines = ['Subject: ' + ' '.join(r.choice(['grün', 'und', 'blau', '日本', 'x' * 30, '=?utf-8?Q?=C3=A4?='])
                                        for _ in range(r.randint(1, 30)))]
        lines.append('From: %s <from@example.org>' % self.name())
        to = ['%s <a%d@%s>' % (self.name(), i, r.choice(['example.org', 'bücher.example']))
              for i in range(r.randint(1, 4))]
        lines.append('To: ' + r.choice([', ', ',\n ']).join(to))
        if r.random() < 0.3:
            lines.append('Cc: c@example.org (Grüße an alle)')
        if r.random() < 0.2:
            lines.append('X-Long: ' + ' '.join(['word%d' % i for i in range(r.randint(1, 400))]))
        r.shuffle(lines)
        return '\n'.join(lines).split('\n')

    def leaf(self):
        r = self.random
        kind = r.randrange(7)
        charset = r.choice(['utf-8', 'utf-8', 'iso-8859-1'])
        disposition = []
        if r.random() < 0.3:
            disposition = ['Content-Disposition: attachment; filename="%s"'
                           % r.choice(['plain.txt', 'Übersicht 2026.pdf', '日本' * 20 + '.txt', 'a "b".txt'
                                       .replace('"', '\\"')])]
        if kind < 3:
            body = [l.encode(charset, 'replace') for l in self.text()]
            encoding = ['Content-Transfer-Encoding: ' + r.choice(['8bit', '8BIT', 'binary'])] * (r.random() < 0.8)
            return ['Content-Type: text/%s; charset=%s' % (r.choice(['plain', 'html']), charset)] + \
                encoding + disposition, body
        if kind == 3:
            return disposition, [b'plain ASCII', b'--not a boundary'] * r.randint(0, 3)
        if kind == 4:
            body = [bytes(c for c in r.randbytes(r.randint(0, 1500 if self.long else 300))
                          if c not in b'\r\n\0') for _ in range(r.randint(1, 6))]
            if not self.long:
                body = [l[:900] for l in body]
            return ['Content-Type: application/octet-stream',
                    'Content-Transfer-Encoding: ' + r.choice(['binary', '8bit'])] + disposition, body
        data = r.randbytes(r.randint(0, 2000))
        if kind == 5:
            text = base64.b64encode(data)
            width = 4000 if self.long else 76
            return ['Content-Type: image/png', 'Content-Transfer-Encoding: base64'] + disposition, \
                [text[i:i + width] for i in range(0, len(text), width)]
        soft = [b'=C3=BC' * r.randint(0, 200 if self.long else 12) + b'x=' for _ in range(3)] + [b'end']
        return ['Content-Type: text/plain; charset=utf-8', 'Content-Transfer-Encoding: Quoted-Printable'], soft

    def entity(self, depth):
        r = self.random
        if depth == 0 or r.random() < 0.4:
            return self.leaf()
        if r.random() < 0.2:
            header, body = self.entity(depth - 1)
            encoding = ['Content-Transfer-Encoding: 8bit'] * (r.random() < 0.5)
            lines = ['Subject: inner grün', 'From: Jörg <i@example.org>'] + \
                ['MIME-Version: 1.0'] * (r.random() < 0.8) + header
            return ['Content-Type: message/rfc822'] + encoding, \
                [l.encode() for l in lines] + [b''] + body
        self.boundaries += 1
        boundary = r.choice(['b%d', 'b%d b', '=_%d_', '%d', 'x/%d:']) % self.boundaries
        subtype = r.choice(['mixed', 'alternative', 'related', 'report'])
        body = [self.line().encode() for _ in range(r.randint(0, 2))]
        for _ in range(r.randint(1, 4)):
            header, content = self.entity(depth - 1)
            body += [b'--' + boundary.encode() + b' ' * r.choice([0, 0, 0, 2])]
            body += [l.encode() for l in header] + [b''] + content
        if r.random() < 0.9:
            body += [b'--' + boundary.encode() + b'--'] + [self.line().encode()] * r.randint(0, 1)
        encoding = ['Content-Transfer-Encoding: ' + r.choice(['7bit', '8bit'])] * (r.random() < 0.4)
        return ['Content-Type: multipart/%s;%sboundary="%s"' % (subtype, r.choice([' ', '\n ']), boundary)] + \
            encoding, body

    def message(self):
        header, body = self.entity(self.random.randint(0, 4))
        lines = self.header() + ['MIME-Version: 1.0'] + header
        lines = '\n'.join(lines).split('\n')
        if self.signed:
            part = [b'--sig', b'Content-Type: text/plain', b'', b'signed text ', b'From  x', b'--sig',
                    b'Content-Type: application/pgp-signature', b'', b'-----x', b'--sig--']
            outer = [b'--out'] + [l.encode() for l in header] + [b''] + body + \
                [b'--out', b'Content-Type: multipart/signed; boundary="sig"', b''] + part + [b'--out--']
            lines = self.header() + ['MIME-Version: 1.0', 'Content-Type: multipart/mixed; boundary=out']
            lines = '\n'.join(lines).split('\n')
            return b'\n'.join([l.encode() for l in lines] + [b''] + outer) + b'\n'
        return b'\n'.join([l.encode() for l in lines] + [b''] + body) + b'\n'


ENCODED = re.compile(r'=\?([^?]+)\?([QBqb])\?([^?]*)\?=')


def decoded_word(match):
    charset, kind, text = match.groups()
    data = base64.b64decode(text) if kind in 'Bb' else quopri.decodestring(text.replace('_', ' ').encode())
    return data.decode(charset)


def decoded_words(value):
    """A header value as a reader shows it: no blanks between encoded words, others folded."""
    value = re.sub(r'\r?\n', '', value)
    value = re.sub(r'(\?=)\s+(?==\?)', r'\1', value)
    return ' '.join(ENCODED.sub(decoded_word, value).split())


def raw_header(part, name):
    for key, value in part.raw_items():
        if key.lower() == name.lower():
            return value
    return None


def addresses(part, name):
    value = raw_header(part, name)
    if value is None:
        return None
    value = re.sub(r'\r?\n', '', value).replace('bücher.example', 'xn--bcher-kva.example')
    return [(decoded_words(n), a) for n, a in email.utils.getaddresses([value])]


class Part:
    """One entity, read twice: as text for the header, as octets for the content."""

    def __init__(self, text, octets):
        self.text, self.octets = text, octets

    def parts(self):
        return [Part(t, o) for t, o in zip(self.text.get_payload(), self.octets.get_payload())]


def read(data):
    text = data.decode('utf-8', 'surrogateescape')
    return Part(email.message_from_string(text), email.message_from_bytes(data))


def compare_headers(a, b, where, faults):
    if decoded_words(raw_header(a, 'Subject') or '') != decoded_words(raw_header(b, 'Subject') or ''):
        faults.append('%s: Subject %r became %r' % (where, raw_header(a, 'Subject'), raw_header(b, 'Subject')))
    for name in ('From', 'To', 'Cc'):
        if addresses(a, name) != addresses(b, name):
            faults.append('%s: %s %r became %r' % (where, name, addresses(a, name), addresses(b, name)))
    if a.get_filename() != b.get_filename():
        faults.append('%s: file name %r became %r' % (where, a.get_filename(), b.get_filename()))


def compare(a, b, where, faults):
    """a before, b after."""
    kinds = a.text.get_content_type(), b.text.get_content_type()
    if kinds[0] != kinds[1] or a.text.is_multipart() != b.text.is_multipart():
        faults.append('%s: %s became %s' % ((where,) + kinds))
        return
    compare_headers(a.text, b.text, where, faults)
    if not a.text.is_multipart():
        contents = a.octets.get_payload(decode=True), b.octets.get_payload(decode=True)
        if contents[0] != contents[1]:
            faults.append('%s: content %r became %r' % ((where,) + contents))
        return
    parts = a.parts(), b.parts()
    if len(parts[0]) != len(parts[1]):
        faults.append('%s: %d parts became %d' % (where, len(parts[0]), len(parts[1])))
    for i, (x, y) in enumerate(zip(*parts)):
        compare(x, y, '%s.%d' % (where, i + 1), faults)


def canonical(data):
    return data.replace(b'\r\n', b'\n').replace(b'\n', b'\r\n')


def submit(data, server, options=()):
    """(exit status, stderr, message as received or None, faults)."""
    ehlo, more = SERVERS[server]
    bdat = ehlo and '250 CHUNKING' in ehlo
    script = ['S: 220 peer', 'C: EHLO *', 'S: ' + (' / '.join(ehlo) if ehlo else '502 no')]
    if not ehlo:
        script += ['C: HELO *', 'S: 250 peer']
    envelope = ['C: MAIL FROM:<s@example.org>*', 'S: 250 ok', 'C: RCPT TO:<r@example.org>', 'S: 250 ok']
    if bdat:
        script += envelope + ['C: BDAT * LAST', 'S: 250 ok']
    else:
        script += envelope + ['C: DATA', 'S: 354 go', 'C: <message>', 'S: 250 ok']
    with Folder() as home:
        peer = Peer(parse_dialogue(script), timeout=30 * SCALE).start()
        args = ['--host=127.0.0.1', '--port=%d' % peer.port, '--tls=off', '--from=s@example.org',
                '--domain=client.example.org', '--syslog=off', '-i'] + more + list(options)
        status, _, err, faults = run_once(PROGRAM, args + ['r@example.org'], data, home)
        failures = peer.stop()
    if status == 0:     # else the dialogue was not played to its end
        faults += failures
    if sanitizer_words(err):
        faults.append(err)
    return status, err, peer.messages[0] if peer.messages else None, faults


def wire_faults(data, server):
    """What must never be on the wire to such a server."""
    faults = []
    if server != '8bit' and any(c > 127 for c in data):
        faults.append('an octet above 127 was sent')
    if any(len(line) > 998 for line in data.split(b'\r\n')):
        faults.append('a line of more than 998 octets was sent')
    return faults


def round_trip(seed, server, signed):
    data = Generator(seed, signed).message()
    before = read(canonical(data))
    status, err, after, faults = submit(data, server)
    if status != 0 or after is None:
        return faults + ['exit status %d: %s' % (status, err), data.decode('utf-8', 'replace')[:3000]]
    faults += wire_faults(after, server)
    compare(before, read(after), 'message', faults)
    if signed:
        sealed = canonical(data[data.index(b'--sig\n'):data.index(b'--sig--')])
        if sealed not in after:
            faults.append('the signed part was changed')
    if faults:
        faults += [data.decode('utf-8', 'replace')[:3000], after.decode('utf-8', 'replace')[:3000]]
    return faults


def refused():
    """A signed part with what may not be sent: nothing is, and the exit code tells why."""
    data = b'MIME-Version: 1.0\nContent-Type: multipart/signed; boundary=s\n\n--s\n\n' \
        b'\xc3\xbc\n--s\nContent-Type: application/pgp-signature\n\nx\n--s--\n'
    status, err, after, faults = submit(data, '7bit')
    if status != 69 or after is not None:
        faults.append('exit status %d, not 69: %s' % (status, err))
    return faults


def twice(seed):
    """What was converted is sent as it is the next time."""
    options = ['--set-date-header=off', '--set-msgid-header=off']
    status, err, first, faults = submit(Generator(seed).message(), '7bit', options)
    if status == 0:
        status, err, second, more = submit(first, '7bit', options)
        faults += more + ([] if first == second else ['the second time it was changed again'])
    return faults + ([] if status == 0 else ['exit status %d: %s' % (status, err)])


def main():
    first, last = (int(sys.argv[2]), int(sys.argv[3])) if sys.argv[1:2] == ['--seeds'] else (0, 120)
    servers = sorted(SERVERS)
    tests = []
    for seed in range(first, last):
        server, signed = servers[seed % len(servers)], seed % 7 == 3
        tests.append(('message %d to a server "%s"%s' % (seed, server, ', signed' * signed),
                      lambda a=(seed, server, signed): round_trip(*a)))
    tests.append(('signed part with 8-bit octets', refused))
    tests += [('message %d twice' % seed, lambda s=seed: twice(s)) for seed in range(first, first + 20)]
    return run_tap(tests)


if __name__ == '__main__':
    sys.exit(main())
