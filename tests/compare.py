#!/usr/bin/env python3
"""Compares msubmit with msmtp: the same message, arguments and rc file, the same sink; TAP.

The rc file is msmtp's. Each case gives both programs one call, and they must come to the
same sender and the same recipients in the same order, or both fail. Where doc/sendmail.md wants
something else than msmtp does, the case says what each does, and why; both are checked.
"""
import email.parser
from email.header import decode_header, make_header
from email.utils import getaddresses
import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402
from servers.common import Sink                                         # noqa: E402

harness.without_leaks()

HEAD = 'From: Writer <writer@example.com>\nSubject: x\n'
NOBODY = []

# (name, arguments, header behind HEAD)
SAME = [
    ('one address', '-t', 'To: a@example.com\n'),
    ('list', '-t', 'To: a@example.com, b@example.com,c@example.com\n'),
    ('list with empty parts', '-t', 'To: a@example.com,, ,b@example.com,\n'),
    ('names', '-t', 'To: A <a@example.com>, B C <b@example.com>\nCc: D.E. <d@example.com>\n'),
    ('quoted names', '-t', 'To: "A, B" <a@example.com>, "C; \\"D\\" <x@y>" <c@example.com>\n'),
    ('quoted name with colon', '-t', 'To: "Person: private" <a@example.com>\n'),
    ('quoted name with parenthesis', '-t', 'To: "a ( b" <a@example.com>, b@example.com\n'),
    ('encoded name', '-t', 'To: =?utf-8?B?R3LDvG4=?= <a@example.com>, b@example.com\n'),
    ('brackets only', '-t', 'To: <a@example.com>, <b@example.com>\n'),
    ('comments', '-t', 'To: a@example.com (one), (two) b@example.com, c@example.com(three)\n'),
    ('comment with comma and address', '-t',
     'To: a@example.com (x, y@example.com), b@example.com\n'),
    ('nested comments', '-t', 'To: a@example.com (one (two, (three)) four), b@example.com\n'),
    ('escaped parenthesis in a comment', '-t', 'To: A (odd \\) one) <a@example.com>\n'),
    ('escaped quote in a name', '-t', 'To: "A \\" , B" <a@example.com>\n'),
    ('comments inside addresses', '-t',
     'To: A <a(his box)@example.com(this host)>, b@example.com\n'),
    ('comment with a quote', '-t', 'To: A <b@(the box\'s.)example.com>\n'),
    ('group', '-t', 'To: Team: a@example.com, B <b@example.com>;\n'),
    ('group without blanks', '-t', 'To: Team:a@example.com,B<b@example.com>;\n'),
    ('group and others', '-t',
     'To: a@example.com, Team: b@example.com, c@example.com;, d@example.com\n'),
    ('two groups', '-t', 'To: One: a@example.com;, Two: b@example.com, c@example.com;\n'),
    ('empty group', '-t', 'To: undisclosed-recipients:;\nBcc: a@example.com\n'),
    ('empty group in an empty field', '-t', 'To: a@example.com\nCc: Nobody: ;\nBcc: \n'),
    ('empty group between comments', '-t',
     'To: a@example.com\nBcc:(none)(of)Nobody  :(that (I) know)  ;\n'),
    ('group with comments', '-t', 'Cc:Team(some people)\n     :One <a@(the)example.com>,\n\t b, \n'
     '\tTwo <c@localhost> (a friend); (the end)\n'),
    ('folded', '-t', 'To: a@example.com,\n b@example.com,\n\tC\n D <c@example.com>,\n'),
    ('folded at once', '-t', 'To:\n a@example.com\nCc:\n\t b@example.com\n'),
    ('folded in a quoted name', '-t', 'To: "A\n B" <a@example.com>, b@example.com\n'),
    ('folded in a comment', '-t', 'To: a@example.com (one\n two, three), b@example.com\n'),
    ('all fields', '-t', 'To: a@example.com\nCc: b@example.com\nBcc: c@example.com\n'),
    ('repeated fields', '-t',
     'To: a@example.com\nTo: b@example.com\nCc: c@example.com\nTo: d@example.com\n'),
    ('case of field names', '-t', 'TO: a@example.com\ncC: b@example.com\nbCC: c@example.com\n'),
    ('fields with like names', '-t', 'To: a@example.com\nX-To: b@example.com\nTo-X: c@example.com\n'
     'Reply-To: d@example.com\nDelivered-To: e@example.com\n'),
    ('no blank behind the colon', '-t', 'To:a@example.com\nCc:b@example.com\n'),
    ('local names', '-t', 'To: root, joe, A <jane>\n'),
    ('sub-addresses and odd atoms', '-t',
     "To: a+b=c@example.com, o'x{y}|z@example.com, #!$%&*/?^_`~@e.com\n"),
    ('address literal', '-t', 'To: a@[192.0.2.1]\n'),
    ('quoted local part with an at sign', '-t', 'To: J <"a@b"@example.com>\n'),
    ('list as one argument', ['a@example.com,b@example.com'], ''),
    ('name and address as one argument', ['A, B <b@example.com>', 'C (c, d) <c@example.com>'], ''),
    ('group as one argument', ['Team: a@example.com, b@example.com;'], ''),
    ('Resent-To', '-t', 'To: a@example.com\nResent-To: b@example.com\n'),
    ('Resent-Cc and -Bcc', '-t', 'To: a@example.com\nBcc: c@example.com\n'
     'Resent-Cc: b@example.com\nResent-Bcc: d@example.com\n'),
    ('fields in the body do not count', '-t', 'To: a@example.com\n\nCc: b@example.com\n'),
    ('arguments and -t', '-t x@example.com', 'To: a@example.com\n'),
    ('arguments without -t', 'x@example.com y@example.com',
     'To: a@example.com\nBcc: b@example.com\n'),
    ('argument behind --', '-- x@example.com', 'To: a@example.com\n'),
    ('sender by -f', '-t -f s@example.com', 'To: a@example.com\n'),
    ('null sender', ['-t', '-f', ''], 'To: a@example.com\n'),
    ('sender from the header', '-t --read-envelope-from', 'To: a@example.com\n'),
    ('nobody', '-t', 'To: Nobody: ;\n'),
    ('no recipient fields', '-t', 'X-Nothing: a@example.com\n'),
]

QUOTED = 'a quoted local part is part of the address (RFC 5321, 4.1.2); msmtp drops or splits it'
ONCE = 'a recipient named twice gets one copy'
WRONG = 'what is no address is a refused recipient (65), instead of being passed on'

# (name, arguments, header, recipients by msmtp, by msubmit, why); NOBODY: it fails
DIFFERENT = [
    ('encoded name with a comma', '-t',
     'To: =?utf-8?B?R3LDvG4=?= <a@example.com>, =?utf-8?Q?a,b?= <b@example.com>\n',
     ['a@example.com', '=?utf-8?Q?a', 'b@example.com'], ['a@example.com', 'b@example.com'],
     'what stands in front of <address> is its name'),
    ('quoted local part', '-t', 'To: "john doe"@example.com, b@example.com\n',
     ['@example.com', 'b@example.com'], ['"john doe"@example.com', 'b@example.com'], QUOTED),
    ('quoted local part that needs no quotes', '-t', 'To: "john"@example.com\n',
     ['@example.com'], ['john@example.com'], QUOTED),
    ('named twice', '-t', 'To: a@example.com\nCc: A <a@example.com>\n',
     ['a@example.com', 'a@example.com'], ['a@example.com'], ONCE),
    ('argument and header', '-t a@example.com', 'To: a@example.com\n',
     ['a@example.com', 'a@example.com'], ['a@example.com'], ONCE),
    ('two at signs', '-t', 'To: a@@example.com, b@example.com\n',
     ['a@@example.com', 'b@example.com'], ['b@example.com'], WRONG),
    ('route', '-t', 'To: <@relay.example.com:a@example.com>\n',
     ['@relay.example.com:a@example.com'], ['a@example.com'],
     'a route is dropped (RFC 5321, appendix C)'),
    ('blank before the colon', '-t', 'To : a@example.com\nCc: b@example.com\n',
     ['b@example.com'], ['a@example.com', 'b@example.com'], 'old form of RFC 5322, 4.5'),
    ('no comma between addresses', '-t', 'To: a@example.com b@example.com\n',
     ['b@example.com'], NOBODY, WRONG + '; msmtp loses the first'),
    ('blank between addresses in an argument', ['a@example.com b@example.com'], '',
     ['b@example.com'], ['a@example.com', 'b@example.com'],
     'as other sendmails read it; none is lost'),
    ('IPv6 address literal', '-t', 'To: a@[IPv6:2001:db8::1]\n',
     ['1]'], ['a@[IPv6:2001:db8::1]'], 'its colons are not those of a group'),
]

# Fields that both make, once decoded: (name, arguments, header, field). Without -F the two
# differ: msubmit adds the full name that the user has in the password file.
FIELDS = [
    ('From is added', ['-F', '', 'a@example.com'], 'X-No: From\n', 'From'),
    ('From with a name', '-F Tester a@example.com', 'X-No: From\n', 'From'),
    ('From with two names', ['-F', 'Test User', 'a@example.com'], 'X-No: From\n', 'From'),
    ('From is kept', 'a@example.com', HEAD, 'From'),
    ('From is replaced', ['--set-from-header=on', '-f', 's@example.com', '-F', '', 'a@example.com'],
     HEAD, 'From'),
    ('From is replaced, with a name',
     ['--set-from-header=on', '-f', 's@example.com', '-F', 'Test User', 'a@example.com'], HEAD,
     'From'),
    ('From is not added', '--set-from-header=off a@example.com', 'X-No: From\n', 'From'),
    ('Bcc is removed', '-t',
     HEAD + 'To: a@example.com\nBcc: b@example.com,\n c@example.com\n', 'Bcc'),
    ('Bcc is kept when told so', '-t --remove-bcc-headers=off', HEAD + 'Bcc: b@example.com\n',
     'Bcc'),
    ('Date is kept', 'a@example.com', HEAD + 'Date: Tue, 04 Mar 2025 10:20:30 +0100\n', 'Date'),
    ('Date is not added', '--set-date-header=off a@example.com', HEAD, 'Date'),
    ('Message-ID is kept', 'a@example.com', HEAD + 'Message-ID: <1@example.com>\n', 'Message-ID'),
    ('Message-ID is not added', '--set-msgid-header=off a@example.com', HEAD, 'Message-ID'),
    ('To is undisclosed', '--undisclosed-recipients=on a@example.com',
     HEAD + 'To: a@example.com\n', 'To'),
]

SPECIALS = 'a name with specials is quoted (RFC 5322, 3.2.3); msmtp writes a broken field'

# (name, full name given, From by msmtp, by msubmit, why)
NAMES = [
    ('dots', 'J. R. Tester', 'J. R. Tester <sender@example.com>',
     '"J. R. Tester" <sender@example.com>',
     SPECIALS),
    ('not ASCII', 'Test \u00dcser', None, 'Test \u00dcser <sender@example.com>',
     'encoded (RFC 2047); as new versions of msmtp do, old ones send the octets'),
    ('comma', 'Tester, J', 'Tester, J <sender@example.com>',
     '"Tester, J" <sender@example.com>', SPECIALS),
]
ADDED = ('Date', 'Message-ID')          # both add them, with values of their own


class Outcome:
    def __init__(self, program, args, message):
        with harness.Folder() as home:
            sink = Sink(extensions=('8BITMIME',))
            rc = os.path.join(home, 'rc')
            with open(rc, 'w', encoding='utf-8') as f:
                f.write('account default\nhost 127.0.0.1\nport %d\n'
                        'from sender@example.com\n' % sink.port)
            os.chmod(rc, 0o600)
            words = args.split() if isinstance(args, str) else args
            done = subprocess.run([program, '-C', rc] + words, input=message.encode(), cwd=home,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                                  env=dict(harness.environment(home), LC_ALL='C.UTF-8'),
                                  check=False)
            sink.close()
        self.exit, self.text = done.returncode, done.stderr.decode('utf-8', 'replace')
        mail = sink.mails[0] if sink.mails else None
        self.rcpts = mail.order if mail else NOBODY
        self.sender = mail.sender.decode() if mail else None
        self.header = email.parser.BytesHeaderParser().parsebytes(mail.data) if mail else {}

    def __str__(self):
        return 'exit %d, from %r to %r %s' % (self.exit, self.sender, self.rcpts, self.text)


def both(args, message):
    return Outcome('msmtp', args, message), Outcome(harness.binary(), args, message)


def with_body(header):
    return header if '\n\n' in header else header + '\nbody\n'


def case_same(args, header):
    def case():
        theirs, ours = both(args, with_body(HEAD + header))
        if (theirs.rcpts, theirs.sender, theirs.exit == 0) != \
                (ours.rcpts, ours.sender, ours.exit == 0):
            return ['msmtp:   %s' % theirs, 'msubmit: %s' % ours]
        return []
    return case


def case_different(args, header, their_rcpts, our_rcpts):
    def case():
        theirs, ours = both(args, with_body(HEAD + header))
        wrong = []
        if theirs.rcpts != their_rcpts:
            wrong.append('msmtp, %r said: %s' % (their_rcpts, theirs))
        # 65 when some were no addresses and the others got it
        if ours.rcpts != our_rcpts or ours.exit not in ((0, 65) if our_rcpts else (64, 65, 69)):
            wrong.append('msubmit, %r wanted: %s' % (our_rcpts, ours))
        return wrong
    return case


def decoded(outcome, field):
    return [str(make_header(decode_header(v))) for v in outcome.header.get_all(field, [])]


def case_field(args, header, field):
    def case():
        theirs, ours = both(args, with_body(header))
        values = [decoded(o, field) for o in (theirs, ours)]
        if field == 'From':     # <a@b> is a@b
            values = [getaddresses(v) for v in values]
        return [] if values[0] == values[1] and theirs.rcpts and ours.rcpts else \
            ['%s: msmtp %r, msubmit %r' % (field, *values)]
    return case


def case_name(name, their_from, our_from):
    def case():
        theirs, ours = both(['-F', name, 'a@example.com'], with_body('X-No: From\n'))
        values = decoded(theirs, 'From'), decoded(ours, 'From')
        if values[1] == [our_from] and values[0] == [their_from or values[0][0]]:
            return []
        return ['msmtp %r, msubmit %r' % values]
    return case


def case_added():
    wrong = []
    for outcome in both('a@example.com', with_body(HEAD)):
        for field in ADDED:
            if len(outcome.header.get_all(field, [])) != 1:
                wrong.append('%s: %s' % (field, outcome))
    return wrong


def main():
    harness.binary()
    if not shutil.which('msmtp'):
        print('1..0 # SKIP msmtp is not installed')
        return 0
    tests = [('same recipients: ' + n, case_same(a, h)) for n, a, h in SAME]
    tests += [('known difference: %s: %s' % (n, why), case_different(a, h, t, o))
              for n, a, h, t, o, why in DIFFERENT]
    tests += [('same field: ' + n, case_field(a, h, f)) for n, a, h, f in FIELDS]
    tests += [('known difference: From: %s: %s' % (n, why), case_name(g, t, o))
              for n, g, t, o, why in NAMES]
    tests.append(('both add %s' % ' and '.join(ADDED), case_added))
    return harness.run_tap(tests)


if __name__ == '__main__':
    sys.exit(main())
