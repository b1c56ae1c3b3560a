#!/usr/bin/env python3
"""Every option of sendmail by its effect, beside msmtp's; TAP. The rows are in option_rows.py.

Each call runs in a folder of its own, which is HOME, TMPDIR and the current folder, with a sink
that takes the mail and a PATH of trap programs: looked at are exit status, both outputs, the
envelope and the message as they came, that nothing was left in the folder and none of the traps
ran. Postfix's sendmail(1) is asked the same by servers/options.py.
"""
import email
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402
import option_rows as rows                                              # noqa: E402
from servers.common import Sink                                         # noqa: E402

harness.without_leaks()

INI = '''[account default]
host = 127.0.0.1
port = %(port)d
tls = off
syslog = off
aliases =
default_domain = example.org
from = sender@example.org

[account other : default]
from = other@example.org
'''
CLASSIC = '''defaults
host 127.0.0.1
port %(port)d
account other
from other@example.org
account default
from sender@example.org
'''
TRAPS = 'sh bash sendmail mail php perl python3 cat touch id curl wget nc true'.split()
PARAMETERS = ('BODY', 'RET', 'ENVID')


class Traps:
    """A PATH of programs that leave a file in HOME when they are run."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix='msubmit-traps-')
        for name in TRAPS:
            with open(os.path.join(self.folder, name), 'w', encoding='utf-8') as f:
                f.write('#!/bin/sh\necho %s "$@" >> "$HOME/trapped"\n' % name)
            os.chmod(f.name, 0o755)


traps = Traps()


class Outcome:
    """One run of a program: what it said, and what came of it."""

    def __init__(self, program, words, message, name=None, rc=INI, more=()):
        self.sink = Sink(extensions=('8BITMIME', 'DSN', 'SMTPUTF8', 'PIPELINING') + more)
        with harness.Folder() as home:
            self.home = home
            self.path = self.prepare(rc)
            before = self.files()
            self.run(program, [w.replace('{dir}', home).replace('{rc}', self.path)
                               for w in words], message, name)
            self.made = sorted(set(self.files()) - set(before))
        self.sink.close()

    def prepare(self, rc):
        path = os.path.join(self.home, '.msmtprc')
        with open(path, 'w', encoding='utf-8') as f:
            f.write(rc % {'port': self.sink.port})
        os.chmod(path, 0o600)
        return path

    def files(self):
        return [os.path.join(folder, n) for folder, _, names in os.walk(self.home) for n in names]

    def run(self, program, words, message, name):
        env = dict(harness.environment(self.home), PATH=traps.folder)
        if name is None:
            name = 'msmtp' if os.path.basename(program) == 'msmtp' else 'msubmit'
        with tempfile.TemporaryFile() as stdin:
            stdin.write(message.encode() if isinstance(message, str) else message)
            stdin.seek(0)
            done = subprocess.run([name] + words,
                                  executable=program, stdin=stdin, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, cwd=self.home, env=env, check=False,
                                  timeout=20 * harness.SCALE)
            self.untouched = os.lseek(stdin.fileno(), 0, os.SEEK_CUR) == 0
        self.exit = done.returncode
        self.out, self.err = (t.decode('utf-8', 'surrogateescape')
                              for t in (done.stdout, done.stderr))

    def __str__(self):
        mails = ['%s -> %s %s' % (m.sender, m.order, m.params) for m in self.sink.mails]
        return 'exit %d, %s, stdout %r, stderr %r' % (self.exit, mails, self.out, self.err)


def parameters(found):
    return sorted(p.decode() for p in found if p.decode().split('=')[0] in PARAMETERS)


def check_mail(mail, want):
    """What of a mail is not as it should be."""
    wrong = []
    head, _, body = mail.data.partition(b'\r\n\r\n')
    fields = email.message_from_bytes(head + b'\r\n\r\n')
    for what, got, wanted in (
            ('sender', mail.sender.decode(), want.sender), ('recipients', mail.order, want.rcpts),
            ('body', body.decode().replace('\r\n', '\n'), want.body),
            ('parameters of MAIL', parameters(mail.params), want.mail and sorted(want.mail)),
            ('parameters of RCPT', sorted({p.decode() for r in mail.rcpts.values() for p in r}),
             want.rcpt and sorted(want.rcpt))):
        if wanted is not None and got != wanted:
            wrong.append('%s: %r instead of %r' % (what, got, wanted))
    for name, pattern in want.field.items():
        values = [str(v) for v in fields.get_all(name, [])]
        if len(values) != 1 or not re.search(pattern, values[0]):
            wrong.append('%s: %r' % (name, values))
    return wrong


def check(got, want, ours=True):
    """What of an outcome is not as a row says."""
    wrong = []
    if want.exit is not None and got.exit != want.exit or want.exit is None and got.exit == 0:
        wrong.append('exit')
    for what, text, pattern in (('stdout', got.out, want.out), ('stderr', got.err, want.err)):
        if pattern and not re.search(pattern.replace('{dir}', re.escape(got.home)), text):
            wrong.append('%s is not %s' % (what, pattern))
    if len(got.sink.mails) != (1 if want.sent else 0):
        wrong.append('%d mails' % len(got.sink.mails))
    elif want.sent:
        wrong += check_mail(got.sink.mails[0], want)
    if ours:
        if want.untouched and not got.untouched:
            wrong.append('standard input was read')
        wrong += ['made: ' + n for n in got.made] + got.sink.faults
        if harness.sanitizer_words(got.err) or harness.unprintable(got.err):
            wrong.append('stderr')
    return wrong + [str(got)] if wrong else []


def placements(option, kind, argument, everywhere):
    """Where an option may stand: (what to call it, words)."""
    rcpt = rows.RCPT
    whole = option + (argument or '')
    yield whole + ' ADDRESS', [whole, rcpt]
    if kind == rows.REQUIRED:
        yield '%s %s ADDRESS' % (option, argument), [option, argument, rcpt]
    if not everywhere:
        return
    yield 'ADDRESS ' + whole, [rcpt, whole]
    cluster = '-m' + whole[1:]
    yield cluster + ' ADDRESS', [cluster, rcpt]
    if kind == rows.REQUIRED:
        yield 'ADDRESS %s %s' % (option, argument), [rcpt, option, argument]
        yield '-m%s %s ADDRESS' % (option[1:], argument), ['-m' + option[1:], argument, rcpt]
    if kind == rows.NONE:
        yield whole + 'm ADDRESS', [whole + 'm', rcpt]


def effects(ours, theirs):
    return ours if theirs == rows.SAME else theirs


def pairs(column, everywhere):
    """(name, words, message, what is wanted of ours, of the other, why) of all rows."""
    for option, kind, argument, message, ours, *others, why in rows.OPTIONS:
        for name, words in placements(option, kind, argument, everywhere):
            yield name, words, message, ours, effects(ours, others[column]), why
    for name, words, message, ours, *others, why in rows.CALLS:
        yield name, words, message, ours, effects(ours, others[column]), why


def case(words, message, want, name=None, program=None, rc=INI):
    def run():
        return check(Outcome(program or harness.binary(), words, message, name, rc), want,
                     program is None)
    return run


def own_tests():
    tests = [(name, case(words, message, ours))
             for name, words, message, ours, _, _ in pairs(0, True)]
    tests += [('-o%s' % x, case(['-o' + x, '-o', x, rows.RCPT], rows.MESSAGE, rows.SENT))
              for x in rows.LETTERS]
    tests += [('-O' + x, case(['-O', x, rows.RCPT], rows.MESSAGE, rows.SENT))
              for x in rows.LONG_NAMES]
    tests += [('unknown letter -' + x,
               case(['-' + x, rows.RCPT], rows.MESSAGE,
                    rows.refuses(re.escape("unknown option '-%s'" % x)))) for x in rows.UNKNOWN]
    needs = sorted({o for o, kind, *_ in rows.OPTIONS if kind == rows.REQUIRED} | {'-C'})
    tests += [('%s without its argument' % o,
               case([rows.RCPT, o] if o != '-C' else [o], rows.MESSAGE,
                    rows.refuses("'%s' needs an argument" % o))) for o in needs]
    tests += [('called as %r: %s' % (name, ' '.join(words)),
               case(words, rows.MESSAGE, want, name)) for name, words, want in rows.NAMES]
    tests += [('injection: ' + ' '.join(words), injection(words, code))
              for words, code in rows.INJECTIONS]
    return tests


def injection(words, code):
    """A web program passes on what it was given: 0 or 64, no file, nothing run."""
    def run():
        got = Outcome(harness.binary(), ['-t', '-i'] + words, rows.MESSAGE, 'sendmail')
        wrong = ['made: ' + n for n in got.made]
        if got.exit != code:
            wrong.append('exit')
        for mail in got.sink.mails:
            if b'h@example.net' not in mail.rcpts:
                wrong.append('recipients')
        return wrong + [str(got)] if wrong else []
    return run


def their_tests():
    program = shutil.which('msmtp')
    if not program:
        return [('msmtp beside ours # SKIP not installed', None)]
    return [('msmtp: %s%s' % (name, ': ' + why if want is not ours and why else ''),
             case(words, message, want, program=program, rc=CLASSIC))
            for name, words, message, ours, want, why in pairs(0, False) if want]


if __name__ == '__main__':
    try:
        sys.exit(harness.run_tap(own_tests() + their_tests()))
    finally:
        shutil.rmtree(traps.folder)
