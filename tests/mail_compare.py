#!/usr/bin/env python3
"""Mail as programs really write it, by msubmit and by msmtp, to one server that keeps it; TAP.

corpus/headers and corpus/messages have the mail. Each goes to those that its header names (-t),
else to one address. Wherever msmtp delivers it, ours does, and Python's email package reads the
same content in each part as before; what does not must be in corpus/differences, with its reason.
servers/mails.py does the same with Postfix's and Exim's sendmail beside these.

Lines of corpus/differences: NAME WHO WHAT: REASON. WHO is 'read' (ours beside what was written) or
'postfix' (ours beside Postfix's), WHAT the name of a header field, 'body' or 'recipients'; 'any
refused' is mail that others pass on and ours does not. One that is listed and gone is a failure
as well.
"""
import concurrent.futures
import email
import email.header
import email.utils
import functools
import os
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402
from servers.common import Sink                                         # noqa: E402

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'corpus')
RC = 'account default\nhost 127.0.0.1\nport %d\nfrom sender@example.org\n'
RCPT = 'r@example.net'
ADDRESSES = ('From', 'Sender', 'Reply-To', 'To', 'Cc')
TEXTS = ('Subject', 'Comments', 'Keywords', 'Date', 'Message-ID', 'In-Reply-To', 'References',
         'Content-Description', 'Auto-Submitted', 'List-Id')
NUMBER = re.compile(rb'(ours|msmtp|postfix|exim)-(\d+)@')


# --- the corpus -----------------------------------------------------------------------

ESCAPE = re.compile(rb'\\(x[0-9a-f]{2}|r|\\|\n|\*\d+\{)')


def expand(text):
    """The octets that a text of the corpus stands for."""
    out, at = b'', 0
    while True:
        found = ESCAPE.search(text, at)
        if not found:
            return out + text[at:]
        out += text[at:found.start()]
        kind, at = found.group(1), found.end()
        if kind.startswith(b'*'):
            end, depth = at, 1
            while depth:
                depth += {b'{': 1, b'}': -1}.get(text[end:end + 1], 0)
                end += 1
            out += expand(text[at:end - 1]) * int(kind[1:-1])
            at = end
        elif kind.startswith(b'x'):
            out += bytes([int(kind[1:], 16)])
        else:
            out += {b'r': b'\r', b'\\': b'\\', b'\n': b''}[kind]


def read(name):
    """(name, octets) of the entries of a file."""
    with open(os.path.join(CORPUS, name), 'rb') as f:
        entries = re.split(rb'(?m)^=== (.+)\n', f.read())[1:]
    return list(zip((n.decode() for n in entries[::2]), map(expand, entries[1::2])))


@functools.lru_cache()
def mails():
    return [(n, t + b'\nbody\n') for n, t in read('headers')] + read('messages')


@functools.lru_cache()
def differences():
    """{(name, who, what): reason}"""
    listed = {}
    with open(os.path.join(CORPUS, 'differences'), encoding='utf-8') as f:
        for line in f:
            if line.strip() and not line.startswith('#'):
                key, _, reason = line.partition(': ')
                listed[tuple(key.split())] = reason.strip()
    return listed


def arguments(octets):
    """Whom it goes to: to those of the header, if there are any."""
    head = re.sub(rb'\r*\n', b'\n', octets).partition(b'\n\n')[0] + b'\n'
    fields = re.findall(rb'(?im)^(?:resent-)?(?:to|cc|bcc)[ \t]*:.*\n(?:[ \t].*\n)*', head)
    return ['-t'] if any(b'@' in field for field in fields) else [RCPT]


# --- what a reader finds ----------------------------------------------------------------

def words(text):
    """A header text with encoded words read, and without blanks."""
    try:
        parts = email.header.decode_header(text)
        text = ''.join(t.decode(c or 'raw-unicode-escape', 'replace') if isinstance(t, bytes) else t
                       for t, c in parts)
    except (LookupError, ValueError, email.errors.MessageError):
        pass
    return ''.join(text.split())


def field(message, name):
    values = [v.encode('utf-8', 'surrogateescape').decode('utf-8', 'replace')
              for k, v in message.raw_items() if k.strip().lower() == name.lower()]
    if name in ADDRESSES:
        return sorted((words(n), a.lower()) for n, a in email.utils.getaddresses(
            [re.sub(r'\r?\n', '', v) for v in values]))
    return [words(re.sub(r'\r?\n', '', v)) for v in values]


def leaves(message):
    """Names and octets of the parts that have no parts, without the line ends behind them."""
    found = []
    for part in message.walk():
        if not part.is_multipart():
            content = part.get_payload(decode=True) or b''
            name = (part.get_filename() or '').encode('utf-8', 'surrogateescape')
            found.append((words(name.decode('utf-8', 'replace')), content.rstrip(b'\r\n')))
    return found


def found_in(octets):
    """Everything that is compared."""
    octets = re.sub(rb'\r+\n|\r', b'\n', octets.replace(b'\0', b''))
    message = email.message_from_bytes(octets)
    found = {name: field(message, name) for name in ADDRESSES + TEXTS}
    found['body'] = leaves(message)
    return found


def written(octets):
    """As it was meant: without what stands in front of the header."""
    return re.sub(rb'\A(?:\xef\xbb\xbf)?(?:>*From .*\n)*', b'', octets)


# --- sending ----------------------------------------------------------------------------

class Sent:
    """One mail, and what has come of it by each program."""

    def __init__(self, number, name, octets):
        self.number, self.name, self.octets = number, name, octets
        self.came, self.said = {}, {}

    def words(self, who):
        return ['-i', '-f', '%s-%d@example.org' % (who, self.number)] + arguments(self.octets)

    def by(self, who, program, rc, home):
        done = subprocess.run([program, '-C', rc] + self.words(who), input=self.octets, cwd=home,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                              executable=program, timeout=30 * harness.SCALE,
                              env=dict(harness.environment(home), LC_ALL='C.UTF-8'))
        self.said[who] = 'exit %d %s' % (done.returncode, done.stderr.decode('utf-8', 'replace'))


def everything():
    return [Sent(i, name, octets) for i, (name, octets) in enumerate(mails())]


def send_here(made, sink, home):
    """By msubmit and, where it is there, by msmtp."""
    rc = os.path.join(home, 'rc')
    with open(rc, 'w', encoding='utf-8') as f:
        f.write(RC % sink.port)
    os.chmod(rc, 0o600)
    programs = [('ours', harness.binary())]
    if shutil.which('msmtp'):
        programs.append(('msmtp', shutil.which('msmtp')))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda job: job[0].by(job[1], job[2], rc, home),
                      [(s, who, program) for s in made for who, program in programs]))


def distribute(sink, made):
    for mail in sink.mails:
        found = NUMBER.match(mail.sender)
        if found:
            made[int(found.group(2))].came.setdefault(found.group(1).decode(), mail)


# --- judging ----------------------------------------------------------------------------

def unlike(one, other, names):
    return {name for name in names if one[name] != other[name]}


def own(sent):
    """Names of the fields that the mail has itself: the others each program adds as it likes."""
    message = email.message_from_bytes(written(sent.octets).replace(b'\r', b''))
    return {n for n in ADDRESSES + TEXTS if message[n] is not None and words(str(message[n]))}


def found_differences(sent):
    """(who, what) of all that is otherwise than it could be."""
    ours = sent.came['ours']
    found = found_in(ours.data)
    names = own(sent)
    different = {('read', what) for what in
                 unlike(found, found_in(written(sent.octets)), names | {'body'})}
    if 'postfix' in sent.came:
        other = found_in(sent.came['postfix'].data)
        different |= {('postfix', what) for what in unlike(found, other, names | {'body'})}
        if sorted(ours.order) != sorted(sent.came['postfix'].order):
            different.add(('postfix', 'recipients'))
    return different


def judge(sent, beside=()):
    listed = {(who, what) for name, who, what in differences() if name == sent.name and
              (who in ('read', 'any') or who in beside)}
    if 'ours' not in sent.came:
        fine = not sent.came or listed == {('any', 'refused')}
        return [] if fine else ['%s: nothing has come, and it did by %s: %s' %
                                (sent.name, sorted(sent.came), sent.said['ours'])]
    found = found_differences(sent)
    data = sent.came['ours'].data
    wrong = ['%s %s: not listed' % d for d in sorted(found - listed)] + \
        ['%s %s: listed, and gone' % d for d in sorted(listed - found)]
    return wrong and wrong + ['exit of ours: ' + sent.said['ours'], repr(data[:1500])]


def strangers():
    """Differences of mail that is not there."""
    names = {name for name, _ in mails()}
    return ['%s is not in the corpus' % key[0] for key in differences() if key[0] not in names] + \
        ['%s %s %s: no reason' % key for key, why in differences().items() if not why]


def tests(made, beside=()):
    return [('all differences are of mail that is there', strangers)] + \
        [(s.name, lambda s=s: judge(s, beside)) for s in made]


def main():
    sink, made = Sink(), everything()
    with harness.Folder() as home:
        send_here(made, sink, home)
    sink.close()
    distribute(sink, made)
    return harness.run_tap(tests(made))


if __name__ == '__main__':
    sys.exit(main())
