#!/usr/bin/env python3
"""The fault matrix: at each stage of a session the server does each wrong thing.

The tables below hold the exit code of each cell, with one server that does it
on every connection. What else is tried then is not in them: the fault that
the program tells (--json) and how far the message had come are looked up in
the tables of src/util/fault.h, FAULTS and PHASES, and each cell is run twice
more. "once": on the first connection only, so that the message goes out where
the table says SLOWLY, and only there. "two": behind the server is another one
that is well, and gets the message unless the table ends there (LATER, NEVER)
or nobody can know whether the first has it.

TAP; MSUBMIT names the program. Patterns of cell names may be given:
matrix.py 'dot/*'. Behind the cells come all bad certificates of certs.py: 76.

Faults: 4xx 5xx 421 - the reply. close - the connection ends instead of it.
half - it ends within the line. silence - nothing comes. line - a good reply
with 5000 octets of text. reply - a reply without end. 503 - "bad sequence", in a group. garbage - octets that
are no reply. unprintable - a good reply with control characters, which must
not get to the terminal. early - the reply comes with the one before, ahead
of the command. extra - another reply comes with it.

The handshake is no reply: 4xx, 5xx and 421 are sent in clear text, line and
reply are records that lie about their length, extra is a reply within TLS
before anything was asked. The early greeting is one before implicit TLS.
"""
import fnmatch
import json
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402
from dialogue import parse_dialogue                                     # noqa: E402
from peer import Peer                                                   # noqa: E402

harness.without_leaks()

# One command at a time: the server has no PIPELINING.
TABLE = """
            4xx 5xx 421 close half silence line reply garbage unprintable early extra
greeting     75  69  75    75   75      75    0    76      76           0    76    76
EHLO         75  69  75    75   75      75    0    76      76           0    76    76
STARTTLS     75  69  75    75   75      75    0    76      76           0    76    76
handshake    76  76  76    75   75      75   76    76      76          76    76    76
AUTH         75  77  75    75   75      75    0    76      76           0    76    76
MAIL         75  69  75    75   75      75    0    76      76           0    76    76
RCPT         75  67  75    75   75      75    0    76      76           0    76    76
DATA         75  69  75    75   75      75    0    76      76           0    76    76
dot          75  69  75    75   75      75    0    76      76           0    76     0
QUIT          0   0   0     0    0       0    0     0       0           0     0     0
"""

# MAIL, RCPT and DATA in one group: a reply that comes early cannot be told from one in time.
PIPELINED = """
            4xx 5xx 503 421 close half silence line reply garbage unprintable extra
MAIL         75  69  69  75    75   75      75    0    76      76           0    76
RCPT         75  67  69  75    75   75      75    0    76      76           0    76
DATA         75  69  69  75    75   75      75    0    76      76           0    76
dot          75  69  69  75    75   75      75    0    76      76           0     0
"""

# MAIL and RCPT in one group, then BDAT: a reply too many could pass for the message's, so RSET
# follows, and its reply is waited for.
CHUNKED = """
            4xx 5xx 421 close half silence line reply garbage unprintable extra
MAIL         75  69  75    75   75      75    0    76      76           0    76
RCPT         75  67  75    75   75      75    0    76      76           0    76
BDAT         75  69  75    75   75      75    0    76      76           0    76
RSET         76  76   0     0    0       0    0    76      76           0     0
"""

# stage: (command, good reply, 4xx, 5xx, option of its timeout)
STAGES = {
    'greeting': (None, '220 peer', '450 4.3.0 busy', '554 5.3.0 no service', 'greeting'),
    'EHLO': ('EHLO *', '250-peer / 250-SIZE 100000 / 250 HELP', '451 4.3.0 busy', '550 5.3.0 no',
             'helo'),
    'STARTTLS': ('STARTTLS', '220 go', '454 4.7.0 not now', '554 5.7.0 never', 'starttls'),
    'AUTH': ('AUTH PLAIN *', '235 2.7.0 welcome', '454 4.7.0 not now', '535 5.7.8 wrong', 'auth'),
    'MAIL': ('MAIL FROM:<sender@example.org>*', '250 2.1.0 ok', '451 4.3.0 later', '550 5.3.0 no',
             'mail'),
    'RCPT': ('RCPT TO:<b@example.org>', '250 2.1.5 ok', '450 4.2.1 later', '550 5.1.1 unknown',
             'rcpt'),
    'DATA': ('DATA', '354 go', '451 4.3.0 later', '554 5.3.0 no', 'data-init'),
    'dot': ('<message>', '250 2.0.0 ok', '451 4.3.0 later', '554 5.6.0 spam', 'data-done'),
    'BDAT': ('BDAT * LAST', '250 2.0.0 ok', '451 4.3.0 later', '554 5.6.0 spam', 'data-done'),
    'RSET': ('RSET', '250 2.0.0 ok', '451 4.3.0 later', '554 5.6.0 spam', 'rset'),
    'QUIT': ('QUIT', '221 2.0.0 bye', '451 4.3.0 later', '500 5.5.1 what', 'quit'),
}
# Before it what the server says would be data in front of TLS: the cell 'early'.
CLIENT_HELLO = 'GET "\\x16\\x03"'
HANDSHAKE = {
    '4xx': ['RAW "454 4.7.0 no TLS\\r\\n"', 'SILENCE'],
    '5xx': ['RAW "554 5.7.0 no TLS\\r\\n"', 'SILENCE'],
    '421': ['RAW "421 4.3.2 closing\\r\\n"', 'SILENCE'],
    'close': ['CLOSE'],
    'half': ['RAW "\\x16\\x03\\x03\\x00\\x50\\x02\\x00"', 'CLOSE'],
    'silence': ['SILENCE'],
    'line': ['RAW "\\x16\\x03\\x03\\xff\\xff{a*200}"', 'SILENCE'],
    'reply': ['RAW "{\\x16*30000}"', 'SILENCE'],
    'garbage': ['RAW "hello, world\\r\\n"', 'SILENCE'],
    'unprintable': ['RAW "\\x1b[31m\\x07\\x00\\x9b\\r\\n"', 'SILENCE'],
    'extra': ['TLS early="250 mx\\r\\n"'],
}


# How far the message has come; what is tried next depends on it.
PHASES = dict({s: 'ENVELOPE' for s in ('MAIL', 'RCPT', 'DATA')},
              **{s: 'SENT' for s in ('dot', 'BDAT', 'RSET')})


def next_table():
    """fault word -> phase -> what is next, as src/util/fault.h has it."""
    with open(os.path.join(os.environ.get('SRCDIR', '.'), 'src', 'util', 'fault.h'), encoding='ascii') as f:
        text = f.read()
    columns = ('SLOWLY', 'ADDRESS', 'SERVER', 'LATER', 'NEVER')
    phases = {m[0]: dict(zip(columns, re.findall(r'[A-Z]+', m[1])))
              for m in re.findall(r'\tP\((\w+),([^)]*)\)', text)}
    faults = re.findall(r'\tF\(\w+, "([a-z0-9-]+)", \w+, "[0-9.]+", ([A-Z]+), [01]\)', text)
    assert len(phases) == 4 and len(faults) > 100
    return {word: {phase: row[column] for phase, row in phases.items()} for word, column in faults}


NEXT = next_table()


def parse(table):
    lines = table.strip('\n').split('\n')
    faults = lines[0].split()
    out = []
    for line in lines[1:]:
        words = line.split()
        out += [(words[0], fault, int(code)) for fault, code in zip(faults, words[1:])]
    return out


def good(stage, keywords=()):
    """The stage as it should be."""
    command, reply = STAGES[stage][:2]
    if stage == 'EHLO' and keywords:
        reply = '250-peer / ' + ' / '.join('250-' + k for k in keywords) + ' / 250 HELP'
    return (['C: ' + command] if command else []) + ['S: ' + reply]


def odd_text(stage, text):
    """A good reply with this text."""
    code = STAGES[stage][1][:3]
    if stage == 'EHLO':
        return ['S: 250-peer %s / 250 SIZE 100000' % text]
    return ['S: %s %s' % (code, text)]


def fault_steps(stage, fault):
    """What the server does instead of the good reply; the command was read."""
    code = STAGES[stage][1][:3]
    if fault == '4xx':
        return ['S: ' + STAGES[stage][2]]
    if fault == '5xx':
        # EHLO refused is HELO's turn, and that is refused as well.
        again = ['C: HELO *', 'S: ' + STAGES[stage][3]] if stage == 'EHLO' else []
        return ['S: ' + STAGES[stage][3] + ' \\x1b[2J'] + again
    if fault == '503':
        return ['S: 503 5.5.1 bad sequence']
    if fault == '421':
        return ['S: 421 4.3.2 closing']
    if fault == 'half':
        return ['RAW "%s 2.0"' % code, 'CLOSE']
    if fault in ('close', 'silence'):
        return [fault.upper()]
    if fault == 'line':
        return odd_text(stage, '{x*5000}')
    if fault == 'unprintable':
        return odd_text(stage, 'a\\x07\\x1b]0;evil\\x07\\xff\\xc2\\x9b')
    if fault == 'reply':
        return ['TIMES 700  S: %s-and so on' % code, 'CLOSE']
    if fault == 'garbage':
        return ['RAW "\\x01hello\\x00, world\\r\\n"']
    raise ValueError(fault)


def with_reply(steps, reply):
    """The last reply of steps and another one in the same segment."""
    assert steps[-1].startswith('S: ')
    return steps[:-1] + [steps[-1] + ' / ' + reply]


def order(stage, mode):
    """The stages of a session in which this one occurs, and the EHLO keywords."""
    if mode == 'chunked':
        return ['greeting', 'EHLO', 'MAIL', 'RCPT', 'BDAT', 'RSET', 'QUIT'], ['PIPELINING', 'CHUNKING']
    stages = ['greeting', 'EHLO', 'MAIL', 'RCPT', 'DATA', 'dot', 'QUIT']
    if mode == 'pipelined':
        return stages, ['PIPELINING']
    if stage == 'AUTH':
        return stages[:2] + ['AUTH'] + stages[2:], ['AUTH PLAIN']
    if stage in ('STARTTLS', 'handshake'):
        return stages[:2] + ['STARTTLS', 'handshake', 'EHLO'] + stages[2:], ['STARTTLS']
    return stages, []


def goes_on(fault):
    return fault in ('line', 'unprintable', 'early', 'extra')


def dialogue(stage, fault, mode):
    stages, keywords = order(stage, mode)
    steps, seen = [], False
    for name in stages:
        if name == 'handshake' and stage == 'handshake':
            if fault == 'early':
                steps[-1] = 'RAW "220 go\\r\\n\\x16\\x03\\x03\\x00\\x04\\x02\\x00\\x00\\x00"'
                return steps + ['SILENCE']
            return steps + ([] if fault == 'extra' else [CLIENT_HELLO]) + HANDSHAKE[fault]
        if name == 'handshake':
            steps.append('TLS')
            keywords = []
            continue
        here = good(name, keywords)
        if name != stage or seen:
            steps += here
            continue
        seen = True
        if fault == 'extra' and mode == 'chunked' and name == 'MAIL':
            # One segment: nothing but RCPT's reply shows that it is one too many.
            steps += here[:1] + good('RCPT')[:1] + \
                with_reply(here[1:], '250 2.0.0 extra / ' + STAGES['RCPT'][1])
            stages.remove('RCPT')
        elif fault == 'extra':
            steps += with_reply(here, '250 2.0.0 extra')
        elif fault == 'early':
            steps = with_reply(steps, STAGES[stage][1])
            if stage == 'QUIT':
                return steps + ['CLOSE']
            if stage == 'dot':
                return steps + here[:-1] + ['CLOSE']
        else:
            wrong = fault_steps(name, fault)
            if name == 'EHLO' and keywords and goes_on(fault):
                wrong = [wrong[0].replace(' / 250 SIZE 100000', ' / ' + ' / '.join(
                    '250-' + k for k in keywords) + ' / 250 HELP')]
            steps += here[:-1] + wrong
        if mode != 'plain' and fault in ('421', 'garbage'):
            return steps + ['CLOSE']    # the rest of the group is under way
        if not goes_on(fault):
            ahead = mode != 'plain' and fault in ('4xx', '5xx', '503')
            return steps + (refused_rest(stages, name) if ahead else [])
        if fault == 'early':
            return steps + ['SILENCE']
    return steps


def refused_rest(stages, name):
    """Sent ahead, the rest of the group is refused."""
    rest = stages[stages.index(name) + 1:]
    steps = []
    for other in rest:
        if name in ('dot', 'DATA', 'BDAT', 'RSET') or other in ('dot', 'BDAT', 'QUIT'):
            break
        steps += ['C: ' + STAGES[other][0], 'S: 503 5.5.1 bad sequence']
    return steps


def arguments(stage, fault, mode, folder, ca):
    args = ['--domain=client.example.org', '--json',
            '--from=sender@example.org', '--quit-timeout=1', '--syslog=off']
    if stage in ('STARTTLS', 'handshake'):
        args += ['--tls=starttls', '--tls-trust-file=' + ca]
    elif stage == 'greeting' and fault == 'early':
        args += ['--tls=implicit', '--tls-trust-file=' + ca]
    else:
        args += ['--tls=off']
    if stage == 'AUTH':
        args += ['--auth-plaintext=always', '--user=joe',
                 '--password-file=' + os.path.join(folder, 'pw')]
    if mode == 'chunked':
        args.append('--chunking=on')
    if fault == 'silence':
        args.append('--%s-timeout=1' % ('starttls' if stage == 'handshake' else STAGES[stage][4]))
    if fault in ('unprintable', '5xx'):
        args.append('-v')
    return args + ['b@example.org']


def connections(stage, fault, mode):
    if stage == 'greeting' and fault == 'early':
        return parse_dialogue(['RAW "220 peer\\r\\n"', 'SILENCE'])
    steps = dialogue(stage, fault, mode)
    first = parse_dialogue(steps)
    if stage == 'EHLO' and fault in ('close', 'half'):
        # HELO may be tried on a new connection (protocol specification B7).
        first += parse_dialogue([s.replace('EHLO', 'HELO') for s in steps])
    return first


def well(stage, fault, mode):
    """A connection of this cell's kind in which all is well, one command at a time."""
    if stage == 'greeting' and fault == 'early':
        return parse_dialogue(['TLS'] + sum((good(s) for s in (
            'greeting', 'EHLO', 'MAIL', 'RCPT', 'DATA', 'dot', 'QUIT')), []))
    steps = []
    stages, keywords = order(stage, 'plain' if mode == 'chunked' else mode)
    for name in stages:
        steps += ['TLS'] if name == 'handshake' else good(name, keywords)
        keywords = [] if name == 'handshake' else keywords
    return parse_dialogue(steps)


def misread(stage, mode):
    """What a server does that answers 503 in a group and does it again; how it goes well then."""
    steps = dialogue(stage, '503', mode)
    if stage == 'MAIL':
        last = good('greeting') + good('EHLO', ['PIPELINING']) + good('MAIL')[:1] + \
            fault_steps(stage, '503')
        return parse_dialogue(steps + ['CONNECT'] + last), parse_dialogue(steps) + \
            well(stage, '503', mode)
    # In the same session, as each command has had its reply.
    steps += good('RSET') + good('MAIL')
    steps += good('RCPT') if stage == 'DATA' else []
    rest = good(stage) + (good('DATA') if stage == 'RCPT' else []) + good('dot') + good('QUIT')
    return (parse_dialogue(steps + good(stage)[:1] + fault_steps(stage, '503')),
            parse_dialogue(steps + rest))


class Outcome:
    """One run of the program against one or two servers."""

    def __init__(self, cell, scripts, program, certificates, repeat=False):
        stage, fault, mode = cell
        with harness.Folder() as folder:
            with open(os.path.join(folder, 'pw'), 'w') as f:
                f.write('s3cret\n')
            os.chmod(f.name, 0o600)
            allow = ('ahead',) if goes_on(fault) or mode != 'plain' else ()
            peers = [Peer(s, certs=certificates, timeout=30 * harness.SCALE, allow=allow,
                          repeat=repeat and i == 0).start() for i, s in enumerate(scripts)]
            hosts = ','.join('127.0.0.1:%d' % p.port for p in peers)
            args = ['--host=' + hosts] + arguments(stage, fault, mode, folder,
                                                   certificates('server')[2])
            self.status, out, self.err, self.failures = harness.run_once(
                program, args, b'Subject: x\n\nbody\n', folder)
            self.stopped = [p.stop() for p in peers]
        # a message that came in the first server's first connection met the fault
        self.taken = [any('octets)' in l for l in ' '.join(p.transcript).split('connection ')[
            2 if p is peers[0] and (fault != '503' or stage == 'dot') else 1:]) for p in peers]
        self.transcript = sum((p.transcript[-12:] for p in peers), [])
        try:
            said = json.loads(out) if out else {}
        except ValueError:
            self.failures.append('no JSON: ' + ascii(out))
            said = {}
        self.fault, self.unknown = said.get('fault') or '', said.get('unknown', False)

    def check(self, want):
        if self.status != want:
            self.failures.append('exit %s, expected %d' % (self.status, want))
        if harness.unprintable(self.err):
            self.failures.append('unprintable on stderr')
        if want and not self.err:
            self.failures.append('no reason given')
        if harness.sanitizer_words(self.err):
            self.failures.append(harness.sanitizer_words(self.err))
        if 's3cret' in self.err:
            self.failures.append('the password is shown')

    def told(self, title):
        if not self.failures:
            return []
        return ['%s: %s' % (title, f) for f in self.failures] + \
            ['| ' + l for l in self.transcript] + \
            ['stderr: ' + ascii(l)[1:-1] for l in self.err.splitlines()[-4:]]


def in_group(stage, fault, mode):
    """Commands that are not answered to the end of their group: that alone is a fault."""
    return (mode == 'pipelined' and (stage in ('MAIL', 'RCPT') and fault in ('silence', '503') or
                                     (stage, fault) == ('DATA', '503')) or
            mode == 'chunked' and (stage == 'MAIL' and fault == 'silence' or
                                   (stage, fault) == ('BDAT', '503')))


def run_cell(stage, fault, mode, want, program, certificates):
    cell = (stage, fault, mode)
    phase = PHASES.get(stage, 'OPENING')
    first = connections(*cell)
    good_again = first[:1] + well(*cell)
    if fault == '503' and phase == 'ENVELOPE':
        first, good_again = misread(stage, mode)
    again = want and fault in ('close', 'half', 'silence') and stage != 'EHLO'
    alone = Outcome(cell, [first], program, certificates, repeat=again)
    alone.failures += [f for f in alone.stopped[0] if not tolerated(f, fault, want)]
    alone.check(want)
    if want == 0 or alone.failures:
        return alone.told('one server')
    if alone.fault not in NEXT:
        return ['one server: fault %r is not in the table' % alone.fault]
    then = NEXT[alone.fault][phase]
    # at the other end of a connection that was lost the message may lie or not
    ends = alone.unknown or then in ('LATER', 'NEVER')
    repeated = in_group(*cell) or (then == 'SLOWLY' and not alone.unknown)
    once = Outcome(cell, [good_again], program, certificates)
    if stage != 'EHLO' or fault != 'close':     # HELO has its own cases
        once.check(0 if repeated else want)
    if once.taken[0] != (once.status == 0):
        once.failures.append('exit %d, and the server has %s' % (
            once.status, 'got the message' if once.taken[0] else 'nothing'))
    two = Outcome(cell, [first, well(*cell)], program, certificates, repeat=again)
    two.check(want if ends else 0)
    if two.taken[1] == bool(ends):
        two.failures.append('%s: the other server has %s' % (
            alone.fault, 'got the message' if two.taken[1] else 'nothing'))
    return once.told('once') + two.told('two')


def tolerated(failure, fault, want):
    """The client may give up before the dialogue has ended, when it has to give up."""
    if failure.startswith('the client made'):
        return True
    return want != 0 and ('but the dialogue goes on' in failure or
                          'gave up in the handshake' in failure)


def run_certificate(name, program, certificates):
    """STARTTLS with a bad certificate and default settings: refused, nothing is said in TLS."""
    chain = certificates(name)
    steps = ['S: 220 peer', 'C: EHLO *', 'S: 250-peer / 250 STARTTLS', 'C: STARTTLS', 'S: 220 go',
             'TLS refused cert=' + name]
    with harness.Folder() as folder:
        peer = Peer(parse_dialogue(steps), certs=certificates, timeout=30 * harness.SCALE).start()
        # This one is good for a host that is called 127.0.0.1, which no address is.
        host = '127.0.0.1' if name == 'bad-address-as-dns' else 'localhost'
        args = ['--host=' + host, '--port=%d' % peer.port, '--domain=client.example.org',
                '--from=sender@example.org', '--syslog=off', '--tls-trust-file=' + chain[2],
                'b@example.org']
        status, _, err, failures = harness.run_once(program, args, b'Subject: x\n\nbody\n', folder)
        failures += peer.stop()
        if status != 76:
            failures.append('exit %s, expected 76' % status)
        if b'MAIL' in peer.wire:
            failures.append('the message was sent')
        return failures + (['stderr: ' + ascii(err)[1:-1]] if failures else [])


def main():
    program = harness.binary()
    with harness.Folder() as folder:
        certificates = harness.Certificates(os.path.join(folder, 'certs'))
        tests = []
        for mode, table in (('plain', TABLE), ('pipelined', PIPELINED), ('chunked', CHUNKED)):
            for stage, fault, want in parse(table):
                name = '%s/%s' % (stage, fault) + ('' if mode == 'plain' else ' ' + mode)
                if sys.argv[1:] and not any(fnmatch.fnmatch(name, p) for p in sys.argv[1:]):
                    continue
                tests.append((name, lambda s=stage, f=fault, m=mode, w=want: run_cell(
                    s, f, m, w, program, certificates)))
        for name in certificates.bad():
            title = 'certificate/' + name[4:]
            if not sys.argv[1:] or any(fnmatch.fnmatch(title, p) for p in sys.argv[1:]):
                tests.append((title, lambda n=name: run_certificate(n, program, certificates)))
        return harness.run_tap(tests)


if __name__ == '__main__':
    sys.exit(main())
