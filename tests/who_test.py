#!/usr/bin/env python3
"""Who may give which option; TAP. One test for each row of both tables, as the program lists them.

A row that is the owner's is refused (64) under every name but ours, before and behind an
address: nothing connects, no file is made. What is for anybody is taken under every name; what
it is tried with stands in option_rows.py, and a new row fails until it has that.
"""
import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402
import option_rows as rows                                              # noqa: E402
import options_test as options                                          # noqa: E402
from servers.common import Sink                                         # noqa: E402

harness.without_leaks()

OTHERS = ['mailq', 'newaliases', 'smtpd', 'rmail']
EXTENSIONS = ('DELIVERBY', 'FUTURERELEASE 9999999 2100-01-01T00:00:00Z', 'MT-PRIORITY',
              'NO-SOLICITING')
TAKEN = ('anyone', 'no-file')
NOT_TAKEN = 'not taken when called as'
REFUSALS = (NOT_TAKEN, 'no option: only a configuration file', 'would show a secret')


def ask(option):
    out = subprocess.run(['msubmit', option], executable=harness.binary(), check=True,
                         stdout=subprocess.PIPE, env=harness.environment('/nonexistent'))
    return [line.split('\t') for line in out.stdout.decode().splitlines()]


def table():
    """Option -> (who, its argument: '[...]' when it may be left out), of both tables."""
    found = {'--' + key.replace('_', '-'): (who, 'value')
             for key, _, _, who, *_ in ask('--list-settings')}
    keys = dict(found)
    found.update({name: (who, arg) for name, who, arg, *key in ask('--list-options') if not key})
    differ = [name for name, (who, _) in keys.items() if found[name][0] != who]
    return found, differ


class Refusals:
    """Runs that are to be refused, in one folder and with one server that nobody may ask."""

    def __init__(self, home):
        self.home, self.sink = home, Sink()
        with open(os.path.join(home, '.msmtprc'), 'w', encoding='utf-8') as f:
            f.write(options.INI % {'port': self.sink.port})
        os.chmod(f.name, 0o600)

    def refused(self, name, words, texts=REFUSALS):
        done = subprocess.run([name] + words, executable=harness.binary(), check=False,
                              input=rows.MESSAGE.encode(), cwd=self.home, timeout=20 * harness.SCALE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=harness.environment(self.home))
        text = done.stderr.decode('utf-8', 'surrogateescape')
        if done.returncode == 64 and not done.stdout and any(t in text for t in texts):
            return []
        return ['as %s: %r: exit %d, %r, %r' % (name, words, done.returncode, done.stdout, text)]

    def owner(self, option, who, arg, value='1'):
        def run():
            word = option if not arg else option + ('=' if option[1] == '-' else '') + value
            wrong = self.refused('sendmail', [word, rows.RCPT]) + \
                self.refused('sendmail', ['-t', '-i', rows.RCPT, word],
                             REFUSALS + ('must stand before',))
            for name in OTHERS:
                wrong += self.refused(name, [word])
            if who == 'owner-first':
                wrong += self.refused('msmtp', [word, rows.RCPT])
                wrong += self.refused('msubmit', [rows.RCPT, word], ('must stand before',))
            return wrong
        return run

    def config_of_others(self):
        """What others than root can write is no configuration for who only calls sendmail."""
        path = os.path.join(self.home, 'theirs')
        with open(path, 'w', encoding='utf-8') as f:
            f.write(options.INI % {'port': self.sink.port})
        if os.geteuid() == 0:
            os.chown(path, 65534, 65534)
        wrong = sum((self.refused(name, ['-C', path, rows.RCPT], ("the file is not root's",))
                     for name in ('sendmail', 'rmail')), [])
        os.unlink(path)
        return wrong

    def nothing_else(self):
        wrong = ['%d connections' % self.sink.connections] if self.sink.connections else []
        return wrong + [n for n in os.listdir(self.home) if n != '.msmtprc']


def mails_of(got):
    return len(got.sink.mails)


def taken(name, words, option):
    """What is wrong with a run that is to send the mail, or is a command."""
    got = options.Outcome(harness.binary(), words, rows.MESSAGE, name, more=EXTENSIONS)
    wrong = ['made: ' + n for n in got.made]
    mails = 0 if option in rows.COMMANDS else 1
    if option in ('-C', '--file') and name in ('sendmail', 'rmail'):    # this one is not below /etc
        wrong += [] if got.exit == 64 and NOT_TAKEN in got.err and not mails_of(got) else ['taken']
    elif got.exit != 0 or mails_of(got) != mails:
        wrong.append('exit, or mails')
    return wrong + ['as %s: %r: %s' % (name, words, got)] if wrong else []


def anyone(option, arg):
    def run():
        if arg and arg[0] != '[' and option not in rows.SAMPLES:
            return ['no sample of %s in option_rows.py' % option]
        value = rows.SAMPLES.get(option, '')
        word = option + ('=' + value if value and option[1] == '-' else value)
        more = ['-i'] + rows.BESIDE.get(option, [])
        if option in rows.COMMANDS:
            return taken('sendmail', [word], option)
        wrong = []
        for name in ('sendmail', 'msubmit', 'msmtp', 'rmail'):
            wrong += taken(name, more + [word, rows.RCPT], option)
        if option not in ('-C', '--file'):
            wrong += taken('sendmail', more + [rows.RCPT, word], option)
        return wrong
    return run


def main():
    found, differ = table()
    tests = [('rows of both tables agree', lambda: differ),
             ('every sample has its row',
              lambda: sorted(set(rows.SAMPLES) - {n for n in found if found[n][0] in TAKEN})),
             ('-C as sendmail and a file of another user', refusals.config_of_others),
             ('every row says who', lambda: sorted(
                 n for n in found if found[n][0] not in TAKEN + ('owner', 'owner-first')))]
    for option in sorted(rows.COMMANDS) + list(rows.MODES + rows.OWN_COMMANDS):
        name = 'msubmit' if option in rows.OWN_COMMANDS else 'sendmail'
        tests.append(('%s beside -t and an address' % option, lambda o=option, n=name: sum((
            refusals.refused(n, words, ('takes neither addresses nor -t',))
            for words in (['-t', o], [o, rows.RCPT], [o, '--rcpt=' + rows.RCPT])), [])))
    for option in ('-bv', '--check', '--check-config'):
        tests.append(('%s beside -t' % option, lambda o=option: refusals.refused(
            'msubmit', ['-t', o], ('does not go with -t',))))
    for option, (who, arg) in sorted(found.items()):
        tests.append(('%s: %s' % (option, who), anyone(option, arg) if who in TAKEN else
                      refusals.owner(option, who, arg)))
    tests += [('%s and a file' % option, refusals.owner(option, 'owner-first', arg, '@/etc/passwd'
                                                        if option == '--body' else '/etc/passwd'))
              for option, (who, arg) in sorted(found.items()) if who == 'no-file']
    status = harness.run_tap(tests)
    wrong = refusals.nothing_else()
    for line in wrong:
        print('Bail out! of what was refused there is ' + line)
    return 99 if wrong else status


if __name__ == '__main__':
    try:
        with harness.Folder() as folder:
            refusals = Refusals(folder)
            sys.exit(main())
    finally:
        shutil.rmtree(options.traps.folder)
