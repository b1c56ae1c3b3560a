#!/usr/bin/env python3
"""Each row of the extension table, as 'msubmit --list-extensions' prints it: its parameter
goes out when the server has announced the keyword and was asked for, and never otherwise.

MSUBMIT names the program; prints TAP. A row without a sample below is a failure: whoever adds
an extension says here how to ask for it."""
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402
from dialogue import parse_dialogue                                     # noqa: E402
from peer import Peer                                                   # noqa: E402

# No parameter of MAIL or RCPT: commands and announcements.
WITHOUT = {'STARTTLS', 'ENHANCEDSTATUSCODES', 'PIPELINING', 'CHUNKING', 'LIMITS', 'BURL', 'SEND',
           'SOML', 'SAML', 'XCLIENT', 'XFORWARD', 'PIPECONNECT', 'X_PIPE_CONNECT', 'ETRN', 'ATRN',
           'VRFY', 'EXPN', 'HELP'}


class Sample:
    """How to ask for an extension, and what shows that it is used."""

    def __init__(self, param, *args, says='', rcpt=('b@example.org',), stdin=b'Subject: x\n\nbody\n',
                 missing=0, tls=False, along=(), requirable=True, fixed=False):
        self.param, self.args, self.says = param, list(args), says
        self.rcpt, self.stdin, self.tls, self.along = list(rcpt), stdin, tls, list(along)
        self.missing = missing          # exit status without the extension
        self.requirable = requirable    # may ext_policy require it?
        self.fixed = fixed              # ext_policy cannot lower it


SAMPLES = {
    'SIZE': Sample('SIZE', says='1000000', requirable=False),
    '8BITMIME': Sample('BODY', stdin='Subject: x\n\nbödy\n'.encode()),
    'BINARYMIME': Sample('BODY=BINARYMIME', '-B', 'BINARYMIME', along=['CHUNKING'],
                         stdin=b'Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: image/x\r\n'
                               b'Content-Transfer-Encoding: binary\r\n\r\n\xff\x00\r\xfe'),
    'SMTPUTF8': Sample('SMTPUTF8', rcpt=['bö@example.org'], missing=69, fixed=True),
    'REQUIRETLS': Sample('REQUIRETLS', '--requiretls=try', tls=True),
    'DSN': Sample('NOTIFY', '-Nfailure'),
    'AUTH': Sample('AUTH', '--mail-auth=ann@example.org', says='PLAIN', requirable=False),
    'MT-PRIORITY': Sample('MT-PRIORITY', '--mt-priority=4', says='MIXER'),
    'DELIVERBY': Sample('BY', '--deliver-by=3600;N', says='60'),
    'FUTURERELEASE': Sample('HOLDFOR', '--hold-for=1h', says='864000 2199-01-01T00:00:00Z',
                            missing=69),
    'MTRK': Sample('MTRK', '--track=1d'),
    'SUBMITTER': Sample('SUBMITTER', '--submitter=auto'),
    'NO-SOLICITING': Sample('SOLICIT', '--solicit=org.example:NEWS', says='org.example:ADV'),
    'CONPERM': Sample('CONPERM', '--conperm', '--content-convert=ANY', missing=69, fixed=True),
    'PRDR': Sample('PRDR', rcpt=['b@example.org', 'c@example.org'], requirable=False),
    'CHECKPOINT': Sample('TRANSID', '--checkpoint=on', '--checkpoint-min=1', requirable=False),
    'RRVS': Sample('RRVS', '--rrvs=2024-02-29T12:00:00Z;C', '--rrvs-insecure'),
    'CONNEG': Sample('CONNEG', '--conneg'),
}


def run(program, certs, sample, keywords, extra):
    """(exit status, MAIL and RCPT lines, faults) of one submission."""
    lines = [' / '.join(['S: 250-peer'] + ['250-' + k for k in keywords] + ['250 HELP'])]
    steps = ['S: 220 peer', 'C: EHLO *'] + lines
    accepted = ['C: MAIL *', 'S: 250 ok'] + ['C: RCPT *', 'S: 250 ok'] * len(sample.rcpt)
    if any(k.startswith('CHUNKING') for k in keywords):
        accepted += ['C: BDAT * LAST', 'S: 250 ok']
    else:
        accepted += ['C: DATA', 'S: 354 go', 'C: <message>', 'S: 250 ok']
    steps = (['TLS'] if sample.tls else []) + steps + accepted
    peer = Peer(parse_dialogue(steps), certs=certs, timeout=30 * harness.SCALE,
                allow=['binary']).start()
    args = ['--port=%d' % peer.port, '--domain=client.example.org', '--from=a@example.org']
    if sample.tls:
        args += ['--host=localhost', '--tls=implicit', '--tls-trust-file=' + certs('server')[2]]
    else:
        args += ['--host=127.0.0.1', '--tls=off']
    args += ['--chunking=on']
    with harness.Folder() as home:
        status, out, err, faults = harness.run_once(program, args + sample.args + extra +
                                                    sample.rcpt, sample.stdin, home)
    peer.stop()
    said = [l[3:] for l in peer.transcript if re.match('C: (MAIL|RCPT) ', l)]
    if said:
        faults += peer.failures
    elif status == 0:
        faults.append('exit 0 without MAIL')
    words = harness.sanitizer_words(err)
    faults += [words] if words else []
    return status, said, faults, err


def has(sample, said):
    """Does the parameter stand in one of the commands?"""
    return any(re.search(r' %s(?:[= ]|$)' % re.escape(sample.param), line) for line in said)


def check(program, certs, sample, keywords, extra, status, sent):
    got, said, faults, err = run(program, certs, sample, keywords, extra)
    if got != status:
        faults.append('exit %d, expected %d: %s' % (got, status, err.strip()))
    if has(sample, said) != sent:
        faults.append('%s %s: %s' % (sample.param, 'is missing' if sent else 'goes out', said))
    if status and said:
        faults.append('MAIL was sent: %s' % said)
    return faults


def tests_of(program, certs, keyword, option, level):
    sample = SAMPLES[keyword]
    offer = [(keyword + ' ' + sample.says).strip()]
    plain = sample.along
    decoys = ['X' + offer[0], keyword + 'X ' + sample.says] + plain

    def one(keywords, extra, status, sent):
        return lambda: check(program, certs, sample, keywords, extra, status, sent)

    yield 'announced', one(offer + plain, [], 0, True)
    yield 'not announced', one(plain, [], sample.missing, False)
    yield 'others with such a name', one(decoys, [], sample.missing, False)
    yield 'switched off', one(offer + plain, ['--disable-extensions=' + keyword], sample.missing,
                              False)
    if level != '-' and sample.requirable:
        yield 'required', one(plain, ['--ext-policy=%s:require' % keyword], 69, False)
        yield 'required and there', one(offer + plain, ['--ext-policy=%s:require' % keyword], 0, True)
        for name in {keyword, option} - {'-'}:
            name = name.lower().replace('_', '-')
            yield 'by the name ' + name, one(plain, ['--ext-policy=%s:require' % name], 69, False)
        yield 'may be left out', one(plain, ['--ext-policy=%s:try' % keyword],
                                     sample.missing if sample.fixed else 0, False)


def main():
    program = harness.binary()
    rows = subprocess.run([program, '--list-extensions'], stdout=subprocess.PIPE, check=True,
                          env=harness.environment('/nonexistent')).stdout.decode().splitlines()
    settings = subprocess.run([program, '--list-settings'], stdout=subprocess.PIPE, check=True,
                              env=harness.environment('/nonexistent')).stdout.decode()
    keys = {line.split('\t')[0] for line in settings.splitlines()}
    tests = []
    with harness.Folder() as folder:
        certs = harness.Certificates(os.path.join(folder, 'certs'))
        for row in rows:
            keyword, option, level = row.split('\t')
            if option != '-' and option not in keys:
                tests.append((keyword + ': option', lambda o=option: ['%s is no setting' % o]))
            if keyword in WITHOUT:
                continue
            if keyword not in SAMPLES:
                tests.append((keyword + ': sample',
                              lambda k=keyword: ['no sample of %s in extensions_test.py' % k]))
                continue
            for what, function in tests_of(program, certs, keyword, option, level):
                tests.append(('%s: %s' % (keyword, what), function))
        missing = sorted(set(SAMPLES) - {row.split('\t')[0] for row in rows})
        tests.append(('every sample has its row', lambda: missing))
        sys.exit(harness.run_tap(tests))


if __name__ == '__main__':
    main()
