#!/usr/bin/env python3
"""A corpus of header fields: what a reader finds in them before msubmit, behind it, and behind
msmtp; TAP.

Each line of corpus/fields is an object in JSON. The reader is Python's email package: it gets
the field as it was written, and as it has come, by a server with 8BITMIME and by one without.
What it finds must be the same. Our field has to be the same octet by octet where nothing forces
a change: it is ASCII, and no line is longer than 998. Where another program's is something else
to the reader, "msmtp" or "postfix" (servers/addresses.py) names the reason, a key of REASONS.
"""
import email.header
import email.message
import email.utils
import json
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402
from address_compare import MSMTP, msmtp_version                        # noqa: E402
from servers.common import Sink                                         # noqa: E402

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'corpus', 'fields')
RC = 'account default\nhost 127.0.0.1\nport %d\nfrom sender@example.org\n'
RCPT = 'r@example.net'
ADDRESSES = ('from', 'to', 'cc', 'reply-to', 'sender', 'disposition-notification-to')
REASONS = {
    'colon': 'a field with a blank before its colon is that field (RFC 5322, 4.5); msmtp does not '
             'see it and adds another',
    'received': 'no Received is added, a submitter need not (5.6); Postfix puts its own in front',
}


def entries():
    with open(CORPUS, encoding='utf-8') as f:
        return [json.loads(line) for line in f if line.strip()]


def message(text):
    """The field between two others, so that nothing is added for it."""
    head = ''.join('%s: %s\n' % f for f in (('From', 'w@example.org'), ('Subject', 's'))
                   if not text.lower().startswith(f[0].lower()))
    return ('X-First: 1\n%s\n%sDate: Fri, 21 Nov 1997 09:55:06 -0600\n\nbody\n' %
            (text, head)).encode()


def field(data, name):
    """The octets of the field in a message as it came: the first of the name."""
    head = data.replace(b'\r\n', b'\n').partition(b'\n\n')[0] + b'\n'
    found = re.search(rb'(?im)^%s[ \t]*:.*\n(?:[ \t].*\n)*' % re.escape(name.encode()), head)
    return found.group(0).rstrip(b'\n') if found else None


def decoded(text):
    """With encoded words read; what stands beside them comes as raw-unicode-escape."""
    return ''.join(t.decode(c or 'raw-unicode-escape', 'replace') if isinstance(t, bytes) else t
                   for t, c in email.header.decode_header(text))


def found_in(octets, name):
    """What the reader finds: addresses with names, the name of a file, or a text."""
    if octets is None:
        return None
    value = octets.partition(b':')[2].replace(b'\n', b'').decode('utf-8', 'replace')
    try:
        if name.lower() in ADDRESSES:
            return [(''.join(decoded(n).split()), a) for n, a in email.utils.getaddresses([value])]
        if name.lower() == 'content-disposition':
            m = email.message.Message()
            m[name] = value
            return decoded(m.get_filename() or '')
        return ''.join(decoded(value).split())
    except (LookupError, ValueError, email.errors.MessageError):
        return ''.join(value.split())           # an encoding that it does not know


def arrived(program, text, extensions):
    """The message as it came, None if it did not; what was said."""
    sink = Sink(extensions=extensions)
    with harness.Folder() as home:
        rc = os.path.join(home, 'rc')
        with open(rc, 'w', encoding='utf-8') as f:
            f.write(RC % sink.port)
        os.chmod(rc, 0o600)
        done = subprocess.run([program, '-C', rc, RCPT], input=message(text), cwd=home,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                              timeout=20 * harness.SCALE,
                              env=dict(harness.environment(home), LC_ALL='C.UTF-8'))
    sink.close()
    return sink.mails[0].data if sink.mails else None, done.stderr.decode('utf-8', 'replace')


def judge(entry):
    text = entry['text']
    name = text.partition(':')[0].strip()
    want = found_in(text.encode(), name)
    wrong = []
    for extensions in ((), ('8BITMIME',)):
        data, err = arrived(harness.binary(), text, extensions)
        got = field(data, name) if data else None
        if got is None or found_in(got, name) != want:
            wrong.append('%r, the reader finds %r instead of %r %s' %
                         (got, found_in(got, name), want, err))
        elif text.isascii() and max(map(len, text.split('\n'))) <= 998 and got != text.encode():
            wrong.append('changed: %r' % got)
    if msmtp_version() == MSMTP:
        wrong += compare('msmtp', entry, arrived('msmtp', text, ('8BITMIME',))[0])
    return ['%r: %s' % (text, w) for w in wrong]


def compare(who, entry, data):
    """Does a reader find the same in another program's field, or is the reason told?"""
    name = entry['text'].partition(':')[0].strip()
    got = field(data, name) if data else None
    same = found_in(got, name) == found_in(entry['text'].encode(), name)
    if same == (who not in entry) and (same or entry[who] in REASONS):
        return []
    return ['%s: %r, listed: %s' % (who, got, entry.get(who))]


def batch(part):
    return lambda: [w for entry in part for w in judge(entry)]


def main():
    kinds = {}
    for entry in entries():
        kinds.setdefault(entry['kind'], []).append(entry)
    return harness.run_tap([(kind, batch(found)) for kind, found in kinds.items()])


if __name__ == '__main__':
    sys.exit(main())
