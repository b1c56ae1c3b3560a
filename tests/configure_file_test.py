#!/usr/bin/env python3
"""--configure: what the user decides, the file that is written, passwords.

Prints TAP. MSUBMIT names the program. The world is in configure_world.py."""
import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402
from configure_world import (CHECK, LIMIT, PASSWORD, PROGRAM, USER, World,  # noqa: E402
                             at_terminal, auth, certificate, known_world, look, main, plain,
                             send, sign_in, smtp, srv, test)

# --- what the user decides -----------------------------------------------------------------


@test('--host: nothing is searched, its ports are tried')
def given_host():
    server = smtp(look(port=587), sign_in(port=587))
    with World({'relay.example.org': {587: server}}, srv(465)) as w:
        w.run('--host=relay.example.org').check(0, absent=('SRV records',))
        w.wrote('host = relay.example.org', 'port = 587', 'tls = starttls')
        return w.end()


@test('--host with a port, another user, and settings that are kept')
def given_port():
    server = smtp(look(port=587), sign_in(user='joe', port=587))
    with World({'relay.example.org': {2587: server}}) as w:
        w.run('--host=relay.example.org:2587', '--user=joe', '--timeout=40').check(0)
        w.wrote('host = relay.example.org', 'port = 2587', 'tls = starttls', 'user = joe', 'timeout = 40',
                'from = you@example.org')
        return w.end()


@test('TLS of the kind that the user says is tried at its own port only')
def given_kind():
    failures = []
    for kind, port, other in (('implicit', 465, 587), ('starttls', 587, 465)):
        with World({'relay.example.org': {port: smtp(look(port=port), sign_in(port=port)), other: smtp()}}) as w:
            w.run('--host=relay.example.org', '--tls=' + kind).check(0).wrote('port = %d' % port, 'tls = ' + kind)
            failures += w.end()
    return failures


@test('--host of a sending service: its ports, its user')
def given_service():
    with World() as w:
        w.run('--host=smtp.sendgrid.net', '--print', '--no-check', password=None, world=False).check(
            0, 'API key', out='user = apikey')
        return w.end()


@test('TLS off is written only when the user says so')
def tls_off():
    server = smtp('S: 220 peer\nC: EHLO *\nS: 250-peer / 250 AUTH PLAIN\n', 'S: 220 peer\nC: EHLO *\n'
                  'S: 250-peer / 250 AUTH PLAIN\nC: AUTH PLAIN %s\nS: 235 ok\n' % plain() + CHECK)
    with World({'relay.example.org': {25: server}}) as w:
        w.run('--host=relay.example.org', '--port=25', '--tls=off', '--auth-plaintext=always').check(0)
        w.wrote('port = 25', 'tls = off', 'auth_plaintext = always')
        return w.end()


@test('options that make no sense are told at once')
def usage():
    failures = []
    for args, words in ((['--socket=/x'], '--socket'), (['--host=a,b'], 'one server'), (['--host=srv:x'], 'one server'),
                        (['--mx'], '--mx'), (['-t'], 'neither'), (['-i'], 'no options of a message'),
                        (['-f', 'a@b'], 'no options of a message'), (['b@example.net'], 'neither')):
        with World() as w:
            w.run(*args, password=None).check(64, words).wrote_nothing()
            failures += w.end()
    for address in ('you', 'you@', '@x', 'a@[192.0.2.1]', 'a@b, c@d', '', 'a@b/c', 'a@b#c', 'a@x{y}', 'a@%41'):
        with World() as w:
            w.run('--configure', address, address=None, password=None, world=False).check(64).wrote_nothing()
            failures += w.end()
    for option in ('--print', '--no-check', '--no-ispdb', '--output=x'):
        with World() as w:
            w.run(option, 'b@example.net', address=None, password=None, world=False).check(64, '--configure')
            failures += w.end()
    return failures


@test('called as sendmail it writes nothing')
def injected():
    with World() as w:
        for argv in (['sendmail', '-t', '--configure', USER, '--no-check', '--host=evil.example'],
                     ['msubmit', 'a@b', '--configure', USER, '--no-check', '--host=evil.example'],
                     ['msubmit', '-t', '-i', '--configure=' + USER, '--no-check', '--host=evil.example'],
                     ['msubmit', '--output=x', '-t']):
            child = subprocess.run(argv, executable=PROGRAM, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=harness.environment(w.home), cwd=w.home,
                                   start_new_session=True)
            if child.returncode != 64:
                w.failures.append('%r: exit %d' % (argv, child.returncode))
        w.wrote_nothing()
        w.err = w.out = ''
        return w.end()


# --- the file -----------------------------------------------------------------------------


@test('a file that is there keeps every octet, its mode, and gets one more account')
def existing():
    old = '# my own words\r\n[account default]\nhost = x.example.org\nuser = me ; not a comment\n  # last'
    server = smtp(look(), sign_in())
    with World({'smtp.example.org': {465: server}}) as w:
        w.write('rc', old, 0o640)
        w.run('--no-ispdb').check(0, "account 'you@example.org'").wrote('[account you@example.org]', mode=0o640)
        with open(w.path('rc'), newline='', encoding='utf-8') as f:
            text = f.read()
        if not text.startswith(old + '\n\n# you@example.org, found by trying usual names\n'):
            w.failures.append('the old text is not kept: %r' % text)
        return w.secret('you@example.org').end()


@test('a file of msmtp\'s own form is added to in that form')
def classic():
    server = smtp(look(), sign_in(), send())
    with World({'localhost': {465: server}}) as w:
        w.write('rc', 'defaults\ntls on\ntimeout 50\n\naccount old\nhost x.example.org\n')
        w.run('--host=localhost:%d' % server.port, '--tls=implicit', '--tls-host-override=smtp.example.org', '--timeout=40', *w.args[2:],
              world=False).check(0).wrote(
            'account default', 'host localhost', 'port %d' % server.port, 'tls on', 'tls_starttls off', 'timeout 40',
            'passwordeval cat ~/.config/msubmit/default.password').secret()
        msmtp_reads(w)
        w.run('b@example.net', address=None, password=None, world=False, data=b'Subject: x\n\nbody\n').check(0)
        return w.end()


def msmtp_reads(w, name='default'):
    """The real one takes the file, and finds the password where it was written."""
    if not shutil.which('msmtp'):
        return
    done = subprocess.run(['msmtp', '-C', w.path('rc'), '-a', name, '--pretend', 'x@example.net'], input=b'',
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=harness.environment(w.home),
                          cwd=w.home)
    text = done.stdout.decode()
    if done.returncode or 'passwordeval = cat ' not in text:
        w.failures.append('msmtp: %d %s' % (done.returncode, text))


@test('... with all that it has, STARTTLS, and odd names')
def classic_more():
    failures = []
    for words, lines in (
            (['--host=h.example', '--port=587'], ['tls on', 'tls_starttls on', 'auth on', 'host h.example']),
            (['--host=h.example', '--tls=off', '--port=25'], ['tls off']),
            (['-a', "it's $HOME", '--host=h.example', '--port=465'],
             ["passwordeval cat '{home}/.config/msubmit/it'\\''s $HOME.password'", 'tls_starttls off']),
            (['--host=h.example', '--port=465', '--password-file=~/my file'], ["passwordeval cat '{home}/my file'"]),
            (['--host=h.example', '--port=465', '--password-command=cat "my file"'], ['passwordeval cat "my file"']),
            (['--host=h.example', '--port=465', '--syslog=LOG_MAIL', '--auth=scram-sha-256'],
             ['syslog LOG_MAIL', 'auth scram-sha-256'])):
        with World() as w:
            w.write('rc', 'defaults\ntls on\n')
            w.write('my file', 'secret\n')
            own = any('--password' in word for word in words)
            w.run('--no-check', *words, password=None if own else PASSWORD, world=False).check(0)
            w.wrote(*[line.replace('{home}', w.home) for line in lines])
            msmtp_reads(w, words[1] if words[0] == '-a' else 'default')
            failures += w.end()
    return failures


@test('... and nothing that it would not read')
def classic_refused():
    failures = []
    for word in ('--default-domain=example.org', '--tls=may', '--auth=try', '--timeout=2m', '--auth-plaintext=always',
                 '--oauth-token-command=x', '--password-command=cat x; y', '--address-family=ipv4'):
        with World() as w:
            w.write('rc', 'account x\nhost h\n')
            w.run('--host=h.example', '--port=465', word, password=None, world=False).check(
                78, "is in msmtp's syntax, and msmtp would not read").wrote_nothing('rc')
            failures += w.end()
    return failures


@test('an account of that name or for that address is an error, before anybody is asked')
def collision():
    failures = []
    for old, args, words in (
            ('[account default]\nhost = x\nfrom = you@example.org\n', [], "account 'default' for you@example.org"),
            ('[account work]\nhost = x\n', ['-a', 'work'], "account 'work' already"),
            ('account work\nhost x\n', ['-a', 'work'], '--account=NAME'),
            ('[account default]\nhost x\n', [], 'rc:2'),
            ('[account "x"]\nnokey = 1\n', [], 'rc:2')):
        with World() as w:
            w.write('rc', old)
            w.run(*args).check(78, words).wrote_nothing('rc')
            if w.read('rc') != old or w.socks.asked:
                w.failures.append('%r, asked %r' % (w.read('rc'), w.socks.asked))
            failures += w.end()
    return failures


@test('names of accounts: chosen, and such as cannot be')
def names():
    failures = []
    server = smtp(look(), sign_in())
    with World({'smtp.example.org': {465: server}}) as w:
        w.run('-a', '../work', '--no-ispdb').check(0).wrote('[account ../work]').secret('_._work')
        failures += w.end()
    for name in ('a:b', 'a]', 'a,b', ' a', 'a\nb'):
        with known_world([look()]) as w:
            w.run('-a', name, '--no-ispdb').check(78, 'account name').wrote_nothing()
            failures += w.end()
    return failures


@test('symbolic links, folders, open files and missing folders are refused')
def places():
    failures = []
    with World() as w:
        target = w.write('target', '# mine\n')
        os.symlink(target, w.path('link'))
        os.mkdir(w.path('folder'))
        w.write('open', '', 0o666)
        for name, status, words in (('link', 78, 'symbolic link'), ('folder', 78, 'no regular file'),
                                    ('open', 78, 'chmod o-w')):
            w.run(output=name).check(status, words)
        if w.read('target') != '# mine\n':
            w.failures.append('written through the link')
        failures += w.end()
    with known_world([]) as w:
        w.run('--no-ispdb', output='no/such/rc').check(73, 'no/such/rc')
        if os.path.exists(w.path('.config', 'msubmit', 'default.password')):
            w.failures.append('a secret is left over')
        failures += w.end()
    return failures


@test('the folder of secrets must be one\'s own')
def secret_folder():
    failures = []
    with known_world([look(), sign_in()]) as w:
        os.makedirs(w.path('.config', 'msubmit'))
        os.chmod(w.path('.config', 'msubmit'), 0o777)
        w.run('--no-ispdb').check(78, 'chmod go-w').wrote_nothing('.config')
        failures += w.end()
    with known_world([look(), sign_in()]) as w:
        os.makedirs(w.path('.config', 'msubmit'), 0o700)
        w.write('.config/msubmit/default.password', 'old\n')
        w.run('--no-ispdb').check(0).wrote('password_file = ~/.config/msubmit/default-2.password')
        w.secret('default-2')
        if w.read('.config/msubmit/default.password') != 'old\n':
            w.failures.append('the old secret is gone')
        failures += w.end()
    return failures


@test('$XDG_CONFIG_HOME is where the secret goes')
def xdg():
    with known_world([look(), sign_in()]) as w:
        w.run('--no-ispdb', env={'XDG_CONFIG_HOME': w.path('xdg')}).check(0)
        w.wrote('password_file = ' + w.path('xdg', 'msubmit', 'default.password'))
        if w.read('xdg/msubmit/default.password') != PASSWORD + '\n':
            w.failures.append('wrong secret')
        return w.end()


def as_user(w, *args):
    """Runs as somebody who is not root, with no file named."""
    if os.geteuid() == 0:
        for base, folders, files in os.walk(w.home):
            for n in folders + files:
                os.lchown(os.path.join(base, n), 65534, 65534)
        os.chown(w.home, 65534, 65534)
        os.chmod(os.path.dirname(certificate('good')[0]), 0o755)

    def drop():
        if os.geteuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
    r, p = os.pipe()
    os.write(p, (PASSWORD + '\n').encode())
    os.close(p)
    child = subprocess.run(['msubmit', '--configure', USER, '--password-fd=%d' % r] + w.args + list(args),
                           executable=PROGRAM, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, env=harness.environment(w.home), cwd='/', pass_fds=(r,),
                           preexec_fn=drop, start_new_session=True, timeout=LIMIT)
    os.close(r)
    w.status, w.out, w.err = child.returncode, child.stdout.decode(), child.stderr.decode()
    return w


@test('the usual file of a user is ~/.msmtprc')
def usual_file():
    with known_world([look(), sign_in()]) as w:
        as_user(w, '--no-ispdb').check(0, '.msmtprc')
        w.wrote('[account default]', name='.msmtprc').secret()
        return w.end()


@test('... or $XDG_CONFIG_HOME/msmtp/config where that is there')
def other_file():
    with known_world([look(), sign_in()]) as w:
        os.makedirs(w.path('.config', 'msmtp'))
        w.write('.config/msmtp/config', '# mine\n')
        as_user(w, '--no-ispdb').check(0, '.config/msmtp/config')
        w.wrote('# mine', '[account default]', name='.config/msmtp/config')
        return w.end()


@test('the file of the whole host: aliases and domain too; nothing is written by --print')
def system_wide():
    failures = []
    if os.geteuid() != 0:
        return []
    with World() as w:
        w.run('--host=relay.example.org', '--print', '--no-check', password=None, output=None, world=False)
        w.check(0, out='password_file = /etc/msubmit/secrets/default.password')
        if 'default_domain = example.org' not in w.out:
            w.failures.append('no default_domain')
        failures += w.end()
    with World() as w:
        w.run('--print', '--no-check', address='a@gmail.com', password=None, output=None, world=False).check(
            0, out='smtp.gmail.com', absent=('default_domain',))
        failures += w.end()
    return failures


# --- passwords ------------------------------------------------------------------------------


@test('a wrong password: nothing is written')
def wrong_password():
    refused = auth(reply='535 5.7.8 no')
    with known_world([look(), refused]) as w:
        w.run('--no-ispdb').check(77, '535', 'nothing was written').wrote_nothing()
        return w.end()


@test('a server that refuses the sender: nothing is written, what to do is said')
def refused_sender():
    with known_world([look(), auth() + 'C: MAIL FROM:<*>\nS: 553 5.7.1 not yours\n']) as w:
        w.run('--no-ispdb').check(77, 'FAIL sender', '553', '-> ', 'nothing was written').wrote_nothing()
        return w.end()


@test('no password and no terminal: nothing is written, unless it is not checked')
def no_password():
    failures = []
    with known_world([look()]) as w:
        w.run('--no-ispdb', password=None).check(78, 'no password', '--no-check').wrote_nothing()
        failures += w.end()
    with World({'relay.example.org': {}}) as w:
        w.run('--host=relay.example.org', '--no-check', password=None).check(
            0, 'put its password into ~/.config/msubmit/default.password')
        w.wrote('host = relay.example.org', 'password_file = ~/.config/msubmit/default.password')
        if os.path.exists(w.path('.config')):
            w.failures.append('a folder without a secret')
        failures += w.end()
    return failures


@test('sources of the password that the user names are written as named')
def named_sources():
    failures = []
    with known_world([look(), sign_in()]) as w:
        path = w.write('mine', PASSWORD + '\n')
        w.run('--no-ispdb', '--password-file=' + path, password=None).check(0, 'ok   sign-in')
        w.wrote('password_file = ' + path).wrote_nothing('mine', 'rc')
        failures += w.end()
    with known_world([look(), sign_in()]) as w:
        w.write('my own', PASSWORD + '\n')
        w.run('--no-ispdb', "--password-command=cat 'my own'", password=None).check(0)
        w.wrote("password_command = cat 'my own'").wrote_nothing('my own', 'rc')
        failures += w.end()
    with known_world([look(), sign_in()]) as w:
        os.mkdir(w.path('cred'))
        w.write('cred/mail', PASSWORD + '\n')
        w.run('--no-ispdb', '--password-credential=mail', password=None,
              env={'CREDENTIALS_DIRECTORY': w.path('cred')}).check(0).wrote('password_credential = mail')
        failures += w.end()
    with known_world([look(), sign_in(password='netrcword')]) as w:
        w.write('.netrc', 'machine smtp.example.org login you@example.org password netrcword\n')
        w.run('--no-ispdb', password=None).check(0, 'netrc or the key ring').wrote_nothing('.netrc', 'rc')
        failures += w.end()
    with known_world([]) as w:
        path = w.write('mine', PASSWORD + '\n', 0o644)
        w.run('--no-ispdb', '--password-file=' + path, password=None).check(78, 'chmod 600').wrote_nothing('mine')
        failures += w.end()
    return failures


@test('at a terminal the password is typed, and not shown')
def typed():
    with known_world([look(), sign_in()]) as w:
        at_terminal(w, [PASSWORD], '--no-ispdb').check(0, 'password for you@example.org at smtp.example.org', 'ok   sign-in')
        return w.wrote('[account default]').secret().end()


@test('a mistyped password may be typed again, three times in all')
def typed_again():
    failures = []
    wrong = auth(password='wrong', reply='535 5.7.8 no')
    with known_world([look(), wrong, sign_in()]) as w:
        at_terminal(w, ['wrong', PASSWORD], '--no-ispdb').check(0, '535').secret()
        failures += w.end()
    with known_world([look(), wrong, wrong, wrong]) as w:
        at_terminal(w, ['wrong'] * 3, '--no-ispdb').check(77, 'nothing was written').wrote_nothing()
        failures += w.end()
    return failures


@test('a server outside of the domain is confirmed at the terminal')
def confirmed():
    failures, host = [], 'mail.provider.net'
    with World({host: {465: smtp(look(), sign_in())}}, srv(465, host=host)) as w:
        at_terminal(w, ['yes', PASSWORD]).check(0).wrote('host = ' + host)
        failures += w.end()
    with World({host: {465: smtp(look())}}, srv(465, host=host)) as w:
        at_terminal(w, ['']).check(78, '--host=mail.provider.net:465').wrote_nothing()
        failures += w.end()
    return failures


@test('the password is in no argument and no environment of a program that is run')
def not_passed_on():
    with known_world([look(), sign_in()]) as w:
        script = w.write('spy', '#!/bin/sh\n{ env; cat /proc/$PPID/cmdline /proc/$PPID/environ; } > "$HOME/seen"\n'
                         'echo run >> "$HOME/runs"; cat "$HOME/mine"\n', 0o700)
        w.write('mine', PASSWORD + '\n')
        w.run('--no-ispdb', '--password-command=' + script, password=None).check(0)
        with open(w.path('seen'), 'rb') as f:
            if PASSWORD.encode() in f.read():
                w.failures.append('the password was handed on')
        with open(w.path('runs')) as f:
            if f.read() != 'run\n':
                w.failures.append('the command was run more than once')
        return w.end()


@test('with -v the dialogue is shown, the password is not')
def transcript():
    with known_world([look(), sign_in()]) as w:
        w.run('--no-ispdb', '-v').check(0, 'AUTH PLAIN', 'EHLO')
        return w.end()


if __name__ == '__main__':
    sys.exit(main())
