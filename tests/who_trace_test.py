#!/usr/bin/env python3
"""What the words of a stranger reach behind sendmail's name; TAP. One test for each option.

Each run is traced: of what is refused no file of the caller's is opened; of what is taken none is
but the configuration, whatever the option's value names, nothing is made, and nothing is written
to a descriptor that the caller had open. Then the recipes of the documents with what web
programs were made to pass on, and the rights that the program may not run with.
"""
import os
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402
import option_rows as rows                                              # noqa: E402
import options_test as options                                          # noqa: E402
import who_test                                                         # noqa: E402
from servers.common import Sink                                         # noqa: E402

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')
SECRET = 'password: canary\nhost = canary\n'
NAMES = ('sendmail', 'mailq', 'newaliases')
OPENED = re.compile(r'\b(?:open|openat|creat|rename|link|unlink|mkdir|truncate|symlink)\w*\('
                    r'(?:AT_FDCWD, )?"([^"]*)"(.*)')
HARMLESS = ('/dev/null', '/dev/tty')    # may be opened for writing
DOCUMENTS = ('README', 'msmtprc.example', 'man/msubmit.1', 'man/msmtprc.5')
RECIPE = re.compile(r'sendmail_path\]? *= *"?([^"\n]*)')
HOSTILE = [['-C/etc/passwd'], ['-C', '{file}', '-X{dir}/x'], ['-X', '{dir}/x'], ['-D{dir}/x', '-d9'],
           ['-oQ{dir}', '-OQueueDirectory={dir}'], ['--password-eval=touch {dir}/x'],
           ['--passwordeval=touch {dir}/x'], ['--aliases={file}', '--default-domain=example.com'],
           ['--tls-required=no'], ['--requiretls=off'], ['--xclient-addr=192.0.2.1'],
           ['--etrn=example.com'], ['--events={fd}'], ['--from=evil@example.com'], ['--syslog=off'],
           ['--help'], ['--version'], ['--print-config'], ['--check-config={file}'], ['-P'],
           ['--list-options'], ['-bi'], ['-I'], ['-bh'], ['-bp'], ['-bV'], ['-bs'], ['-bv'], ['-q'],
           ['-bd'], ['--attach={file}'], ['--body=@{file}'], ['--pretend'], ['--json']]


class Room:
    """A folder with the program by its other names, a configuration, and a file not to be read."""

    def __init__(self, folder):
        self.folder, self.home = folder, os.path.join(folder, 'home')
        os.mkdir(self.home)
        for name in NAMES:
            os.symlink(harness.binary(), os.path.join(folder, name))
        self.file = self.write('home/canary', SECRET)
        self.sink = Sink(extensions=('8BITMIME', 'DSN', 'SMTPUTF8') + who_test.EXTENSIONS)
        self.write('home/.msmtprc', options.INI % {'port': self.sink.port})
        self.runs = 0

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)
        os.chmod(path, 0o600)
        return path

    def fill(self, words):
        return [w.replace('{dir}', self.home).replace('{file}', self.file) for w in words]

    def run(self, name, words, trace=True):
        """(run, files opened as (path, for writing), what came through the open descriptor)."""
        self.runs += 1
        path = os.path.join(self.folder, 'trace%d' % self.runs)
        got, given = os.pipe()
        head = ['strace', '-f', '-e', 'trace=%file', '-o', path] if trace else []
        done = subprocess.run(head + [os.path.join(self.folder, name)] +
                              [w.replace('{fd}', str(given)) for w in self.fill(words)],
                              input=rows.MESSAGE.encode(), cwd=self.home, pass_fds=(given,),
                              check=False, timeout=60 * harness.SCALE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(
                                  harness.environment(self.home), ASAN_OPTIONS='detect_leaks=0',
                                  PATH=options.traps.folder + ':/usr/bin:/bin'))
        os.close(given)
        written = os.read(got, 100)
        os.close(got)
        opened = []
        if trace:
            with open(path, encoding='utf-8', errors='replace') as f:
                found = [OPENED.search(line) for line in f]
            opened = [(m.group(1), bool(re.search('O_WRONLY|O_RDWR|O_CREAT', m.group(2))) or
                       'open' not in m.string.split('(')[0]) for m in found if m]
        return done, opened, written

    def reached(self, done, opened, written, config, allowed=()):
        """What a run has touched that is not its own."""
        wrong = ['%s %s' % ('written' if writes else 'read', path) for path, writes in opened
                 if path not in allowed and (
                     writes and path not in HARMLESS and 'O_TMPFILE' not in path or
                     path.startswith(self.folder) and not path.endswith('.so') and
                     not (config and path == self.home + '/.msmtprc' and not writes) and
                     os.path.exists(path) and path != self.home)]
        if written:
            wrong.append('descriptor: %r' % written)
        if b'canary' in (done.stdout + done.stderr).replace(self.file.encode(), b''):
            wrong.append('shown: %r' % (done.stdout + done.stderr))
        left = sorted(set(os.listdir(self.home)) - {'.msmtprc', 'canary'})
        return wrong + ['made ' + name for name in left]


def in_room(function):
    """Makes a test of it, which gets a room of its own before what is given here."""
    def make(*given):
        def run():
            with harness.Folder() as folder:
                room = Room(folder)
                try:
                    return function(room, *given)
                finally:
                    room.sink.close()
        return run
    return make


@in_room
def refused(room, option, arg):
    word = option + ('={file}' if arg and option[1] == '-' else '{file}' if arg else '')
    wrong = []
    for words in ([word, rows.RCPT], [rows.RCPT, word]):
        done, opened, written = room.run('sendmail', words)
        faults = room.reached(done, opened, written, False)
        if done.returncode != 64 or done.stdout or done.stderr.count(b'\n') != 1:
            faults.append('exit %d, %r, %r' % (done.returncode, done.stdout, done.stderr))
        wrong += ['%r: %s' % (words, f) for f in faults]
    return wrong


@in_room
def taken(room, option, arg):
    """The value names a file: it is refused, or text like any other."""
    values = ['{file}', '@{file}', rows.SAMPLES.get(option, '').replace('{rc}', '{file}')]
    more = ['-i'] + rows.BESIDE.get(option, [])
    wrong = []
    for value in values if arg else ['']:
        if arg.startswith('[') and not value:
            continue
        word = option + ('=' + value if value and option[1] == '-' else value)
        for words in (more + [word, rows.RCPT], more + [rows.RCPT, word]):
            done, opened, written = room.run('sendmail', words)
            faults = room.reached(done, opened, written, True,
                                  [room.file] if option in ('-C', '--file') else ())
            wrong += ['%r: %s' % (words, f) for f in faults]
        for name in NAMES[1:]:
            before = len(room.sink.mails)
            done, _, _ = room.run(name, more + [word, rows.RCPT], trace=False)
            if (done.returncode == 0) != (len(room.sink.mails) > before):
                wrong.append('%s %r: exit %d' % (name, word, done.returncode))
    return wrong


@in_room
def lost(room, words):
    """Exit 0 never means a lost message."""
    done, opened, written = room.run('sendmail', words)
    # -C opens a file to look whose it is
    wrong = room.reached(done, opened, written, True, [room.file])
    sent = len(room.sink.mails)
    if (done.returncode == 0) != (sent == 1) or b'root:' in done.stderr + done.stdout:
        wrong.append('%d mails' % sent)
    if done.returncode and (done.stdout or done.returncode not in (64, 78)):
        wrong.append('exit')
    if any(m.sender != rows.SENDER.encode() for m in room.sink.mails):
        wrong.append('sender')
    return wrong + ['exit %d, %r, %r' % (done.returncode, done.stdout, done.stderr)] if wrong else []


def recipes():
    """(document, words) of each sendmail_path."""
    for name in DOCUMENTS:
        with open(os.path.join(SOURCE, name), encoding='utf-8') as f:
            for match in RECIPE.finditer(f.read().replace('\\-', '-')):
                yield name, match.group(1).split()


def named_sendmail():
    found = list(recipes())
    return ['%s: %r' % (name, words) for name, words in found if words[0] != '/usr/sbin/sendmail'] + \
        ([] if len(found) > 2 else ['only %r' % found])


@in_room
def set_id(room, uid, gid):
    """Rights that the caller has not: nothing is done with them."""
    def take():
        os.setresgid(gid, 0, 0)
        os.setresuid(uid, 0, 0)
    wrong = []
    for words in (['--version'], ['-i', rows.RCPT]):
        done = subprocess.run(['sendmail'] + words, executable=harness.binary(), cwd='/',
                              input=rows.MESSAGE.encode(), preexec_fn=take, check=False,
                              capture_output=True, env=harness.environment(room.home))
        if done.returncode != 78 or done.stdout or done.stderr.count(b'\n') != 1 or \
                not done.stderr.startswith(b'sendmail: runs set-user-id'):
            wrong.append('exit %d, %r' % (done.returncode, done.stderr))
    return wrong


def main():
    tests = [('sendmail_path of the documents', named_sendmail)]
    if os.geteuid() == 0:
        tests += [('set-user-id', set_id(65534, 0)), ('set-group-id', set_id(0, 65534))]
    else:
        tests.append(('set-user-id # SKIP not root', None))
    if not shutil.which('strace'):
        return harness.run_tap(tests + [('files # SKIP no strace', None)])
    table, _ = who_test.table()
    for option, (who, arg) in sorted(table.items()):
        make = taken if who in who_test.TAKEN else refused
        tests.append(('%s: %s' % (option, who), make(option, arg)))
    seen = sorted({' '.join(words[1:]) for _, words in recipes()})
    for recipe in seen:
        tests += [('%s %s' % (recipe, ' '.join(more)), lost(recipe.split() + more))
                  for more in HOSTILE]
    return harness.run_tap(tests)


if __name__ == '__main__':
    try:
        sys.exit(main())
    finally:
        shutil.rmtree(options.traps.folder)
