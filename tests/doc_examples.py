#!/usr/bin/env python3
"""Every example configuration of the documents loads, and the manual tells true defaults.

TAP. MSUBMIT names the program, SRCDIR the tree. Examples are the blocks between .EX and
.EE of man/msmtprc.5, the indented blocks of README that begin with a section, blocks of
MSUBMIT_ variables anywhere, msmtprc.example as it is, and each of its "# key = value"
lines by itself.
"""
import os
import re
import subprocess
import sys
import tempfile

SRCDIR = os.environ.get('SRCDIR', '.')
PROGRAM = os.path.abspath(os.environ.get('MSUBMIT', './msubmit'))
KEY = re.compile(r'^# ([a-z][a-z0-9_]*) = (.*)$')


def read(name):
    with open(os.path.join(SRCDIR, name), encoding='utf-8') as f:
        return f.read()


def plain(line):
    """A line of roff as it is shown."""
    line = re.sub(r'\\f(\[[^]]*\]|\(..|.)', '', line)
    for escape, shown in (('\\-', '-'), ('\\&', ''), ('\\(aq', "'"), ('\\e', '\\')):
        line = line.replace(escape, shown)
    return line


def manual_blocks(name):
    """Text of each .EX block, with the line it begins at."""
    for match in re.finditer(r'^\.EX\n(.*?)^\.EE$', read(name), re.M | re.S):
        line = read(name).count('\n', 0, match.start()) + 2
        yield '%s:%d' % (name, line), ''.join(plain(s) + '\n' for s in match.group(1).splitlines())


def indented_blocks(name):
    """Runs of indented lines whose first is a section."""
    block, start = [], 0
    for number, line in enumerate(read(name).splitlines() + ['end'], 1):
        if re.match(r' {4}\[\w', line) and not block:
            start = number
        if start and (line.startswith('    ') or not line.strip()):
            block.append(line[4:])
        elif start:
            yield '%s:%d' % (name, start), '\n'.join(block) + '\n'
            block, start = [], 0


def variable_blocks(name):
    """Runs of MSUBMIT_ lines, as environments."""
    found = {}
    for number, line in enumerate(read(name).splitlines() + [''], 1):
        match = re.match(r'^[# ]*(MSUBMIT_[A-Z_]+)=(\S+)$', plain(line))
        if match:
            found[match.group(1)] = match.group(2)
        elif found:
            yield '%s:%d' % (name, number - len(found)), found
            found = {}


def run(args, variables=None):
    env = {'PATH': os.environ.get('PATH', ''), 'HOME': '/nonexistent'}
    env.update(variables or {})
    return subprocess.run([PROGRAM] + args, stdin=subprocess.DEVNULL, env=env,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def fault(done, wanted):
    """What is wrong with a run of --print-config; None if nothing is."""
    if done.returncode:
        return 'status %d: %s' % (done.returncode, done.stderr.decode('utf-8', 'replace').strip())
    lines = done.stdout.decode('utf-8', 'replace').splitlines()
    missing = [w for w in wanted if w not in lines]
    return 'not in the configuration: %s' % missing[0] if missing else None


def load(folder, text, wanted):
    path = os.path.join(folder, 'rc')
    if os.path.exists(path):
        os.unlink(path)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), 'w') as f:
        f.write(text)
    return fault(run(['-C', path, '--print-config']), wanted)


def accounts_of(text):
    """Headings that --print-config must show for a file."""
    names = re.findall(r'^(?:\[account|account) +([^]\s:]+)', text, re.M)
    return ['[account %s]' % name for name in names]


def check_keys(folder, scopes):
    """Each "# key = value" of the example, by itself in a section of its kind."""
    bad = []
    for line in read('msmtprc.example').splitlines():
        match = KEY.match(line)
        if not match:
            continue
        key, value = match.groups()
        text = '[account default]\nhost = h\n'
        if scopes.get(key) == 'listen':
            text += '[listen x]\n'
        elif key == 'host':
            text = '[account default]\n'
        why = load(folder, text + '%s = %s\n' % (key, value), ['[account default]'])
        if why:
            bad.append('%s: %s' % (key, why))
    return bad


def check_defaults(rows):
    """The default of the table stands in the brackets behind the key in msmtprc(5)."""
    lines, bad = read('man/msmtprc.5').splitlines(), []
    for row in rows:
        key, default = row[0], row[2]
        tag = [plain(s) for s in lines if re.match(r'\.BR %s[ "]' % key, s)]
        wanted = re.compile(r'\([^)]*(?<![\w-])%s(?![\w-])' % re.escape(default))
        if default and default != '0' and len(row) < 4 and not any(map(wanted.search, tag)):
            bad.append('%s: %s' % (key, default))
    return bad


def system_file():
    """The system's configuration, which would hide the environment; None if there is none."""
    match = re.search(r'^system configuration: (.*)$', run(['--version']).stdout.decode(), re.M)
    return match.group(1) if match and os.path.exists(match.group(1)) else None


def main():
    rows = [s.split('\t') for s in run(['--list-settings']).stdout.decode().splitlines()]
    tests = []
    with tempfile.TemporaryDirectory(prefix='msubmit-doc-') as folder:
        files = list(manual_blocks('man/msmtprc.5')) + list(indented_blocks('README'))
        files.append(('msmtprc.example', read('msmtprc.example')))
        for where, text in files:
            why = load(folder, text, accounts_of(text) or ['[account none found]'])
            tests.append(('%s loads' % where, [why] if why else []))
        for name in ('man/msmtprc.5', 'msmtprc.example'):
            for where, variables in variable_blocks(name):
                if system_file():
                    tests.append(('%s # SKIP %s exists' % (where, system_file()), []))
                    continue
                why = fault(run(['--print-config'], variables), ['[account default]'] + [
                    'host = ' + variables.get('MSUBMIT_HOST', '?')])
                tests.append(('%s makes an account' % where, [why] if why else []))
        tests.append(('the values of all keys in msmtprc.example are valid',
                      check_keys(folder, {row[0]: row[1] for row in rows})))
        tests.append(('msmtprc(5) tells the defaults of the table', check_defaults(rows)))
    enough = {'man/msmtprc.5': 5, 'README': 1}
    for name, least in enough.items():
        have = sum(where.startswith(name + ':') for where, _ in files)
        tests.append(('%s has examples' % name, [] if have >= least else ['only %d' % have]))
    print('1..%d' % len(tests))
    for number, (what, faults) in enumerate(tests, 1):
        print('%sok %d - %s' % ('not ' if faults else '', number, what))
        for line in faults:
            print('# ' + line.replace('\n', ' '))
    sys.exit(any(faults for _, faults in tests))


if __name__ == '__main__':
    main()
