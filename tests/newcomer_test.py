#!/usr/bin/env python3
"""What somebody tries who sees the program for the first time; TAP.

--help on one screen, -h and -V alone, words of other programs, what --print-config
shows, quotes around the value of every key. Nothing is sent and nothing is asked.
"""
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402

harness.without_leaks()

COLUMNS, LINES = 80, 24


def run(words, home='/nonexistent', name='msubmit', stdin=''):
    done = subprocess.run([name] + words, executable=harness.binary(), input=stdin.encode(),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=harness.environment(home), timeout=30 * harness.SCALE)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def with_file(text, words):
    with harness.Folder() as home:
        path = os.path.join(home, 'rc')
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)
        os.chmod(path, 0o600)
        return run(['-C', path] + words, home)


def table(option):
    return [line.split('\t') for line in run([option])[1].splitlines()]


# --- help --------------------------------------------------------------------------


def one_screen():
    text = run(['--help'])[1]
    wide = [line for line in text.splitlines() if len(line) > COLUMNS]
    return wide + (['%d lines' % text.count('\n')] if not 10 < text.count('\n') < LINES else [])


def names_what_is_there():
    """Every option on that screen is one."""
    known = {row[0] for row in table('--list-options')}
    found = re.findall(r'(?<![\w-])--?[a-zA-Z][a-z-]*', run(['--help'])[1])
    return [w for w in found if w not in known and w[:2] not in known] + \
        ([] if len(found) > 15 else ['only %d options' % len(found)])


def topics():
    faults, union = [], set()
    words = re.search(r'--help=TOPIC: ([a-z,\s]+)', run(['--help'])[1]).group(1)
    words = [w.strip() for w in words.split(',')]
    for word in words:
        status, out, err = run(['--help=' + word])
        if status or err or not re.search(r'^  -', out, re.M):
            faults.append('%s: %s %s' % (word, status, err))
        if word != 'all':
            union |= set(out.splitlines())
    every = {line for line in run(['--help=all'])[1].splitlines() if line.startswith('  -')}
    faults += ['in no topic: ' + line for line in every - union if 'are taken and' not in line]
    status, _, err = run(['--help=bogus'])
    if status != 64 or not all(w in err for w in words):
        faults.append('a topic that is none: %d %s' % (status, err))
    return faults + ([] if len(words) > 8 else ['only %d topics' % len(words)])


def all_are_listed():
    known = {row[0]: row[3:] for row in table('--list-options')}
    faults = []
    for key, *_ in table('--list-settings'):
        option = '--' + key.replace('_', '-')
        refused = run([option + '=http://a:b@c'])
        if option not in known and 'no option' not in refused[2] and 'secret' not in refused[2]:
            faults.append('not listed: ' + option)
    return faults + ([] if known.get('--port') == ['key'] and known.get('-t') == [] else ['marks'])


def letters_alone():
    faults = []
    for name in ('msubmit', 'sendmail', 'msmtp'):
        if run(['-h'], name=name) != run(['--help']):
            faults.append('%s -h' % name)
        if run(['-V'], name=name) != run(['--version']):
            faults.append('%s -V' % name)
    for words in (['-h', '5'], ['-V', 'x'], ['-t', '-h'], ['-v', '-V']):
        if run(words)[1]:
            faults.append('%s prints' % words)
    return faults


# --- words of other programs -----------------------------------------------------------

SAID = [
    ('--verbose', "did you mean '-v'?"), ('--test', "did you mean '--check'?"),
    ('--server=x', "did you mean '--host'?"), ('--hostname=x', "did you mean '--host'?"),
    ('--username=x', "did you mean '--user'?"), ('--pass=x', "did you mean '--password-file'?"),
    ('--ssl', "did you mean '--tls'?"), ('--starttls', "did you mean '--tls'?"),
    ('--hots=x', "did you mean '--host'?"), ('--from-adress=x', "unknown option '--from-adress'"),
    ('-s', "'-s' takes no subject: it is --compose --subject='Hello world'"),
    ('--all', '--all goes with --print-config'),
]


def suggestions():
    faults = []
    for word, said in SAID:
        status, _, err = run([word, 'Hello world', 'a@example.org'])
        if status != 64 or said not in err:
            faults.append('%s: %d %s' % (word, status, err))
    for key, said in (('server', 'host'), ('hostname', 'host'), ('username', 'user'),
                      ('pass', 'password'), ('ssl', 'tls'), ('starttls', 'tls')):
        status, _, err = with_file('[account default]\nhost = h\n%s = x\n' % key,
                                   ['--check-config'])
        if status != 78 or "3: key '%s': unknown; did you mean '%s'?" % (key, said) not in err:
            faults.append('%s: %d %s' % (key, status, err))
    return faults


def subject_as_sendmail():
    """sendmail's -s has no argument, and for whoever calls that name it stays so."""
    status, _, err = run(['-s', 'root'], name='sendmail')
    return [] if status == 78 and 'no account' in err else ['%d %s' % (status, err)]


def hints_exist():
    """What is said of an option that would show a secret names options that there are."""
    faults, seen = [], 0
    known = {row[0] for row in table('--list-options')}
    for key, *_ in table('--list-settings'):
        status, _, err = run(['--%s=http://a:b@c' % key.replace('_', '-')])
        if 'secret' not in err and 'no option' not in err:
            continue
        seen += 1
        named = re.findall(r'--[a-z-]+', err.split("'", 2)[2])
        faults += ['%s: %s is no option' % (key, w) for w in named if w not in known]
        if status != 64:
            faults.append('%s: %d' % (key, status))
    return faults + ([] if seen > 8 else ['only %d' % seen])


# --- the configuration -------------------------------------------------------------------


def print_config():
    rc = '[defaults]\ntimeout = 30s\n[account a]\nhost = h:25\ntls = auto\n'
    status, out, _ = with_file(rc, ['--print-config', '--from=x@example.org'])
    shown = re.findall(r'^# (.*)\n(\w+) = (.*)$', out, re.M)
    places = {key: (re.sub('.*/', '', place), value) for place, key, value in shown}
    timeouts = [k for k in places if k.endswith('timeout') and places[k][0] == 'rc:2']
    wanted = {'host': ('rc:4', 'h'), 'port': ('rc:4', '25'), 'tls': ('rc:5', 'auto'),
              'from': ('option', 'x@example.org')}
    faults = ['%s: %s' % (k, places.get(k)) for k, v in wanted.items() if places.get(k) != v]
    faults += ['shown: ' + k for k in places if k not in wanted and k not in timeouts]
    full = with_file(rc, ['--print-config', '--all'])[1]
    return faults + (['status %d' % status] if status or len(timeouts) < 5 else []) + \
        ([] if full.count('\n# default\n') > 100 else ['--all shows no defaults'])


def unreadable_file():
    """~/.msmtprc that is there and cannot be read is no reason to look for another one."""
    faults = []
    for name in ('.msmtprc', '.config/msmtp/config'):
        with harness.Folder() as home:
            os.makedirs(os.path.join(home, name))
            status, _, err = run(['a@example.org'], home)
            if status != 78 or 'cannot open %s/%s: Is a directory' % (home, name) not in err:
                faults.append('a folder: %d %s' % (status, err))
    with harness.Folder() as home:
        status, _, err = run(['a@example.org'], os.path.join(home, 'nothing'))
        if status != 78 or 'no account: tried' not in err:
            faults.append('no home: %d %s' % (status, err))
    return faults + (as_nobody() if os.geteuid() == 0 else [])


def as_nobody():
    """A file of root's; and one in a folder that nobody may look into, which may not be there."""
    faults = []
    with harness.Folder() as home:
        os.chmod(home, 0o755)
        path = os.path.join(home, '.msmtprc')
        with open(path, 'w', encoding='utf-8') as f:
            f.write('[account default]\nhost = h\n')
        os.chmod(path, 0o600)
        for mode, said in ((0o755, 'cannot open %s: Permission denied' % path),
                           (0o700, 'no account: tried')):
            os.chmod(home, mode)
            try:
                done = subprocess.run([harness.binary(), 'a@example.org'], input=b'',
                                      stderr=subprocess.PIPE, cwd='/', user=65534, group=65534,
                                      extra_groups=[], env=harness.environment(home))
            except PermissionError:     # the program lies where nobody may run it
                return []
            if done.returncode != 78 or said not in done.stderr.decode():
                faults.append('%o: %d %s' % (mode, done.returncode, done.stderr.decode()))
    return faults


VALUES = ('a b', '/x', 'x', '1', 'on', 'a@b.example', '127.0.0.1', '127.0.0.1/8', 'off',
          'maildir:/x', 'subject', 'never', 'a.example:ADV', '00' * 32, 'spki-sha256:' + 'A' * 43 + '=', 'DSN:require',
          'www-data=*')


def sections(values, form):
    """A file with a section for each key, and the lines that the keys stand in."""
    text, lines = [], {}
    for (scope, key), value in values.items():
        text += ['[%s %s]' % (scope, key)] + ['host = h'] * (scope == 'account')
        text.append('%s = %s' % (key, form % value))
        lines[len(text)] = (scope, key)
    return '\n'.join(text) + '\n', lines


def refused(values, form='%s'):
    text, lines = sections(values, form)
    said = with_file(text, ['--check-config'])[2]
    return {lines[int(n)]: line for line in said.splitlines() if 'warning' not in line
            for n in re.findall(r'rc:(\d+): ', line)}


def quoted_values():
    """key = VALUE and key = "VALUE" are the same, for every key."""
    rows = [(scope, key, default) for key, scope, default, *_ in table('--list-settings')]
    values = {(scope, key): default for scope, key, default in rows if default}
    missing = {(scope, key): '' for scope, key, default in rows
               if not default and key != 'tls_cert'}       # wants a certificate
    faults = ['the default of %s: %s' % (k, line) for k, line in refused(values).items()]
    for value in VALUES:
        tried = {k: value for k in missing}
        bad = refused(tried)
        values.update({k: value for k in missing if k not in bad})
        missing = {k: v for k, v in missing.items() if k in bad}
    faults += ['no value for %s' % (k,) for k in missing]
    faults += ['in quotes: %s' % line for line in refused(values, '"%s"').values()]
    plain, quoted = (with_file(sections(values, form)[0], ['--print-config'])[1]
                     for form in ('%s', '"%s"'))
    folder = r'\S*/msubmit-test-[^/]*'
    plain, quoted = (re.sub(folder, '', text).splitlines() for text in (plain, quoted))
    faults += ['%s, but in quotes %s' % pair for pair in zip(plain, quoted) if pair[0] != pair[1]]
    return faults + ([] if len(values) > 200 and len(plain) > 800 else ['only %d keys, %d lines' %
                                                                        (len(values), len(plain))])


TESTS = [
    ('--help is one screen', one_screen),
    ('--help names options that there are', names_what_is_there),
    ('--help=TOPIC has the rest', topics),
    ('--list-options lists all', all_are_listed),
    ('-h and -V alone', letters_alone),
    ('words of other programs', suggestions),
    ('-s as sendmail', subject_as_sendmail),
    ('hints name options that there are', hints_exist),
    ('--print-config shows what is set', print_config),
    ('~/.msmtprc that cannot be read', unreadable_file),
    ('quotes around the value of every key', quoted_values),
]

if __name__ == '__main__':
    sys.exit(harness.run_tap(TESTS))
