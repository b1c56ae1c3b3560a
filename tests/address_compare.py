#!/usr/bin/env python3
"""A corpus of address lists, read by msubmit -t, msmtp -t and Python's email package; TAP.

Each line of corpus/addresses is an object in JSON: the text of a To field, whom the mail goes to
by msubmit (null: it is refused, 65), and where another one answers differently, its answer and
the reason, a key of REASONS. A difference that is not listed fails, and so does one that is
listed and gone. Postfix's sendmail(1) is asked by servers/addresses.py.

    address_compare.py --record     writes the corpus anew, with "?" for new reasons
"""
import email.policy
import functools
import json
import os
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402
from servers.common import Sink                                         # noqa: E402

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'corpus', 'addresses')
PYTHON = (3, 11)        # whose answers stand in the corpus, and
MSMTP = '1.8.23'        # of which msmtp; what others say of odd ones is not known
BATCH = 40
REASONS = {
    'refused': 'it cannot be read: nothing is sent, and the field is named (3.3), instead of a '
               'guess whom it is for',
    'quoted': 'a quoted local part is part of the address (RFC 5321, 4.1.2); msmtp drops it',
    'dots': 'a local part with such dots needs its quotes (RFC 5321, 4.1.2)',
    'twice': 'one copy each, whatever the case (3.2)',
    'route': 'a route is dropped (RFC 5321, appendix C)',
    'obsolete': 'blanks and comments within an address are read (RFC 5322, 4.4)',
    'folded': 'a line break is a blank, not a comma (RFC 5322, 2.2.3)',
    'dot': 'the last dot of a domain is dropped (3.2)',
    'literal': 'an address literal may hold a colon and blanks (RFC 5322, 3.4.1)',
    'domain': 'a domain goes out in its ASCII form, which every server takes (3.2)',
    'name': 'the address is what stands in brackets; a name in front that should have been '
            'quoted is taken for one',
    'semicolon': "';' separates as ',' does, as Outlook's users write (3.1)",
    'fails': 'the other one cannot read it',
    'bang': "'!' and '%' are letters of a local part (3.2); Postfix turns them round",
    'unfolded': 'unfolding takes the line break away, and nothing else (RFC 5322, 2.2.3)',
    'host': 'whether the domain is of use is for the server to say (3.2); Postfix returns it',
}
RC = 'account default\nhost 127.0.0.1\nport %d\nfrom sender@example.org\n'


def entries():
    with open(CORPUS, encoding='utf-8') as f:
        return [json.loads(line) for line in f if line.strip()]


def message(text):
    return ('From: w@example.org\nTo: %s\nSubject: x\n\nbody\n' % text).encode()


def recipients(program, text):
    """Those that a server gets to hear, None if it gets nothing; the exit status."""
    sink = Sink(extensions=('8BITMIME', 'SMTPUTF8'))
    with harness.Folder() as home:
        rc = os.path.join(home, 'rc')
        with open(rc, 'w', encoding='utf-8') as f:
            f.write(RC % sink.port)
        os.chmod(rc, 0o600)
        done = subprocess.run([program, '-C', rc, '-t'], input=message(text), cwd=home,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                              timeout=20 * harness.SCALE,
                              env=dict(harness.environment(home), LC_ALL='C.UTF-8'))
    sink.close()
    mail = sink.mails[0] if sink.mails else None
    return mail.order if mail else None, done.returncode, done.stderr.decode('utf-8', 'replace')


@functools.lru_cache()
def msmtp_version():
    if not shutil.which('msmtp'):
        return 'none'
    shown = subprocess.run(['msmtp', '--version'], stdout=subprocess.PIPE, check=False).stdout
    return (re.findall(rb'version ([\d.]+)', shown) or [b'unknown'])[0].decode()


def by_python(text):
    """None: it says that the field is broken, or fails on it."""
    try:
        field = email.policy.SMTPUTF8.header_factory('To', text.replace('\n', ''))
        found = [a.addr_spec for a in field.addresses]
    except Exception:       # which ones come differs between versions
        return None
    unique = []
    for address in found:
        if address not in unique:
            unique.append(address)
    return unique or None


def answers(entry):
    text = entry['text']
    ours, status, err = recipients(harness.binary(), text)
    others = {}
    if sys.version_info[:2] == PYTHON:
        others['python'] = by_python(text)
    if msmtp_version() == MSMTP:
        others['msmtp'] = recipients('msmtp', text)[0]
    return ours, status, err, others


def judge(entry):
    """What is not as the corpus says."""
    ours, status, err, others = answers(entry)
    wrong = []
    if ours != entry['ours'] or \
            (ours is None or entry.get('partial', False)) != (status != 0):
        wrong.append('msubmit: %r instead of %r, exit %d %s' % (ours, entry['ours'], status, err))
    if ours is None and status not in (64, 65):
        wrong.append('msubmit: exit %d %s' % (status, err))
    for who, answer in others.items():
        listed = entry.get(who)
        if listed and answer == listed[0] and listed[1] in REASONS:
            continue
        if not listed and answer == entry['ours']:
            continue
        wrong.append('%s: %r, listed: %r' % (who, answer, listed))
    return ['%r: %s' % (entry['text'], w) for w in wrong]


def batch(part):
    return lambda: [w for entry in part for w in judge(entry)]


def record():
    """Prints the corpus with the answers of now; a reason stays where the answer has stayed."""
    for entry in entries():
        ours, _, _, others = answers(entry)
        new = {'kind': entry['kind'], 'text': entry['text'], 'ours': ours}
        for who in ('msmtp', 'python'):
            old = entry.get(who, [None, '?'])
            if others.get(who) != ours:
                new[who] = [others[who], old[1]]
        if 'postfix' in entry:
            new['postfix'] = entry['postfix']
        print(json.dumps(new, ensure_ascii=True))


def main():
    if sys.argv[1:] == ['--record']:
        return record()
    kinds = {}
    for entry in entries():
        kinds.setdefault(entry['kind'], []).append(entry)
    tests = [('%s %d to %d' % (kind, i, min(i + BATCH, len(found)) - 1), batch(found[i:i + BATCH]))
             for kind, found in kinds.items() for i in range(0, len(found), BATCH)]
    for who, there, wanted in (('msmtp', msmtp_version(), MSMTP),
                               ('Python', '%d.%d' % sys.version_info[:2], '%d.%d' % PYTHON)):
        if there != wanted:
            tests.append(('%s beside ours # SKIP it is %s, not %s' % (who, there, wanted), None))
    return harness.run_tap(tests)


if __name__ == '__main__':
    sys.exit(main())
