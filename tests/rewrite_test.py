#!/usr/bin/env python3
"""Rewriting of headers: all but the addresses that rules change stays octet for octet.

TAP. MSUBMIT names the program. Headers are made of pieces - names, comments, folding,
groups, quotes, raw UTF-8 - around addresses of which it is known what the
rules make of them; what a sink has received must be the same pieces around the new ones.
The seed of the pieces is printed; REWRITE_SEED sets it.
"""
import os
import random
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'servers'))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402
from common import Failure, Sink                                        # noqa: E402

RC = '''[account default]
host = 127.0.0.1
port = %(port)d
tls = off
syslog = off
domain = client.example.org
from = sender@example.org
default_domain = d.example
from_override = any
local_domains = localhost, here, here.example
smtputf8_downgrade = never
aliases =
%(more)s
[rewrite]
root = ops@new.example
"o o" = "p p"@new.example
exact@old.example = one@new.example
@old.example = @new.example
b*@pat.example = pat@new.example
x-* = x@new.example
'''

# address as it is written -> what the rules make of it (None: it stays as it is)
ADDRESSES = [
    (b'root', b'ops@new.example'), (b'root@localhost', b'ops@new.example'),
    (b'ROOT@Here.Example', b'ops@new.example'), (b'"root"@here', b'ops@new.example'),
    (b'root@there.example', None), (b'"o o"', b'"p p"@new.example'),
    (b'exact@old.example', b'one@new.example'), (b'joe@old.example', b'joe@new.example'),
    (b'"j, e"@OLD.example', b'"j, e"@new.example'), (b'joe@sub.old.example', None),
    (b'bob@pat.example', b'pat@new.example'), (b'ann@pat.example', None),
    (b'x-1', b'x@new.example'), (b'x-1@elsewhere.example', None),
    (b'cron', b'cron@d.example'), (b'"c n"', b'"c n"@d.example'), (b'cron@localhost', None),
    (b'a@[192.0.2.1]', None), (b'j@b\xc3\xbc.example', None), (b'j\xc3\xb6@x.example', None),
]
FIELDS = [b'From', b'Sender', b'Reply-To', b'To', b'Cc', b'Resent-From', b'Resent-Sender',
          b'Resent-To', b'Resent-Cc', b'fROM', b'TO ', b'cc\t']
OTHERS = [b'Subject: root, root@localhost <exact@old.example>', b'X-Root: root',
          b'Received: from here by here.example for <root@localhost>; now',
          b'References: <root@localhost>\r\n <joe@old.example>', b'Errors-To: root@old.example',
          b'Comments: To: root', b'List-Post: <mailto:joe@old.example>', b'Bogus: \xc3\xbf:;']
BLANKS = [b' ', b'  ', b'\t', b'\r\n ', b'\r\n\t ', b'']
COMMENTS = [b'(c)', b'(root)', b'(a (b, c) <root> \\) d)', b'(\xc3\xa4\xc3\xb6)', b'()', b'(a\r\n b)']
NAMES = [b'Joe', b'Joe Q. Doe', b'"Doe, J."', b'"root" X', b'=?utf-8?q?J=C3=B6?=',
         b'J\xc3\xb6', b'"\\"q\\" <root>"', b'A\r\n B']


class Maker:
    """Pieces of headers, and what is to become of them."""

    def __init__(self, seed):
        self.r = random.Random(seed)

    def blank(self, least=b''):
        return self.r.choice(BLANKS) or least

    def comment(self):
        return self.r.choice(COMMENTS) if self.r.random() < 0.3 else b''

    def mailbox(self, comments=True):
        """(as written, as expected)"""
        old, new = self.r.choice(ADDRESSES)
        new = old if new is None else new
        if self.r.random() < 0.5:
            before = self.r.choice(NAMES) + self.blank() + b'<' if self.r.random() < 0.8 else b'<'
            behind = b'>' + self.blank() + self.comment()
            if self.r.random() < 0.1:
                before += b'@relay.example:'
            if self.r.random() < 0.2:
                behind = self.comment() + behind
        else:
            before = (self.comment() + b' ') if comments else b''
            behind = (self.blank() + self.comment()) if comments else b''
        return before + old + behind, before + new + behind

    def run(self, many):
        out = [self.mailbox() for _ in range(self.r.choice((1, 1, 2, 3)) if many else 1)]
        return self.join(out)

    def join(self, boxes):
        old, new = b'', b''
        for i, (a, b) in enumerate(boxes):
            comma = (b',' + self.blank()) if i else b''
            if i and self.r.random() < 0.1:
                comma += b', '
            old, new = old + comma + a, new + comma + b
        return old, new

    def group(self):
        old, new = self.run(True) if self.r.random() < 0.8 else (b'', b'')
        name = self.r.choice(NAMES[:4])
        return name + b': ' + old + b';', name + b': ' + new + b';'

    def field(self, name):
        # in From a comment beside a bare address is a name: see the cases of that
        single = name.strip().lower() == b'from'
        if single:
            boxes = [self.mailbox(comments=False)]
        elif self.r.random() < 0.15:
            boxes = [self.group(), self.run(True)]
        else:
            boxes = [self.run(name.strip().lower() in (b'to', b'cc', b'resent-to', b'resent-cc'))]
        old, new = self.join(boxes)
        start = name + b':' + self.blank()
        tail = self.r.choice((b'', b' ', b'\t'))
        return start + old + tail, start + new + tail

    def header(self):
        """Lists of fields: as written, as expected."""
        names = self.r.sample(FIELDS, self.r.randint(2, len(FIELDS)))
        fields = [self.field(n) for n in names] + [(o, o) for o in self.r.sample(OTHERS, 4)]
        self.r.shuffle(fields)
        return [f[0] for f in fields], [f[1] for f in fields]


def no_empty_line(field):
    """A line of a fold that is only blanks would end up as it is, but is not legal."""
    return all(line.strip() for line in field.split(b'\r\n'))


def send(sink, home, rcpt, message, args=(), more='', options=()):
    rc = os.path.join(home, rcpt + '.rc')
    with open(rc, 'w', encoding='utf-8') as f:
        f.write(RC % dict(port=sink.port, more=more))
    os.chmod(rc, 0o600)
    argv = [harness.binary(), '-C', rc, '-i', '-f', 's@example.org'] + list(args)
    done = subprocess.run(argv + ['--', rcpt + '@rcpt.example'], input=message, cwd=home,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                          env=dict(harness.environment(home), **dict(options)))
    err = done.stderr.decode('utf-8', 'replace')
    if done.returncode or err:
        raise Failure('exit %d: %s\n%r' % (done.returncode, err, message))
    return sink.wait(rcpt + '@rcpt.example')


def own_fields(data, count):
    """The header received without the fields that msubmit adds in front: the last ones."""
    header = data.split(b'\r\n\r\n', 1)[0] + b'\r\n'
    fields = []
    for line in header.splitlines(keepends=True):
        if line[:1] in b' \t' and fields:
            fields[-1] += line
        else:
            fields.append(line)
    return [f[:-2] for f in fields[len(fields) - count:]]


def compare(got, want, old):
    return ['field    %r\n  became   %r\n  expected %r' % (o, g, w)
            for g, w, o in zip(got, want, old) if g != w] + \
           (['%d fields, not %d' % (len(got), len(want))] if len(got) != len(want) else [])


def case_random(sink, home, seed):
    def case():
        maker = Maker(seed)
        faults = []
        for turn in range(12):
            old, new = maker.header()
            if not all(map(no_empty_line, old)):
                continue
            message = b'\r\n'.join(old) + b'\r\n\r\nbody root@localhost\r\n'
            mail = send(sink, home, 'r%d-%d' % (seed, turn), message)
            faults += compare(own_fields(mail.data, len(new)), new, old)
            if not mail.data.endswith(b'\r\n\r\nbody root@localhost\r\n'):
                faults.append('the body differs')
        return faults
    return case


def case_switched_off(sink, home, seed):
    """With no class and no completing nothing at all changes."""
    def case():
        maker = Maker(seed)
        old, _ = maker.header()
        while not all(map(no_empty_line, old)):
            old, _ = maker.header()
        mail = send(sink, home, 'o%d' % seed, b'\r\n'.join(old) + b'\r\n\r\nx\r\n',
                    more='rewrite_classes =\nqualify = off')
        return compare(own_fields(mail.data, len(old)), old, old)
    return case


def case_broken(sink, home, number, field):
    """A field that cannot be read stays, and those beside it are rewritten all the same."""
    def case():
        mail = send(sink, home, 'b%d' % number, field + b'\r\nSender: root\r\n\r\nx\r\n')
        return compare(own_fields(mail.data, 2), [field, b'Sender: ops@new.example'],
                       [field, b'Sender: root'])
    return case


BROKEN = [b'To: root@@localhost', b'To: root <', b'To: root, "joe', b'To: root (', b'To: a b c@d',
          b'Cc: root@old.example root@old.example', b'To: <root> <root>', b'From: root@localhost>',
          b'To: root@', b'Cc: @old.example', b'To: x: root@old.example', b'To: root\\']


def main():
    seed = int(os.environ.get('REWRITE_SEED', random.randrange(1 << 30)))
    print('# REWRITE_SEED=%d' % seed)
    sink = Sink()
    with harness.Folder() as home:
        tests = [('headers of seed %d' % (seed + i), case_random(sink, home, seed + i))
                 for i in range(16)]
        tests += [('nothing switched on, seed %d' % (seed + i),
                   case_switched_off(sink, home, seed + i)) for i in range(4)]
        tests += [('left alone: %s' % field.decode().replace('#', ''),
                   case_broken(sink, home, i, field)) for i, field in enumerate(BROKEN)]
        status = harness.run_tap(tests)
        for fault in sink.faults:
            print('# on the wire: ' + fault)
        sys.exit(1 if sink.faults else status)


if __name__ == '__main__':
    main()
