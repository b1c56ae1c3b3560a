#!/usr/bin/env python3
"""--check-config: every mistake of a configuration by line, key and what to write.

Prints TAP. MSUBMIT names the program."""
import json
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402
from check_world import (PINS, main, parse, run)  # noqa: E402

harness.without_leaks()

# --- --check-config -------------------------------------------------------------


OTHER = '[account c]\nhost = b\nfrom = c@b.c\n'
FROM = '[account %s]\nhost = b\nfrom = a@b.c\n'
CONFIGS = [
    ('good', '[account default]\nhost = a\n', 0, r'ok: 1 account in .*rc$', []),
    ('msmtp', 'account a\nhost b\nuser joe\nauth on\naccount default : a\n', 0, 'ok: 2 accounts', []),
    ('every mistake', '[acount x]\nhots = a\n[account a : nobody]\nprot = 12\nport = x\n'
     'tls = maybe\n[account a]\nhost = b\nnonsense\n', 78, '',
     [r":1: section 'acount x'", r":2: key 'hots': unknown; did you mean 'host'",
      r":4: key 'prot': unknown; did you mean 'port'", r":7: account 'a' was already defined",
      r":9: the line is neither", r":3: account 'a': there is no account 'nobody'",
      r":5: key 'port': 'x' is not a number", r":6: key 'tls': 'maybe' is not one of"]),
    ('every mistake of msmtp', 'account a\nhots b\nport x\naccount a\nhost c\ntls maybe\n', 78, '',
     [":2: key 'hots'", ":4: account 'a' was already", ":3: key 'port'", ":6: key 'tls'"]),
    ('a mistake that others take over', '[account a]\nhost = b\nport = x\n[account c : a]\n'
     '[account d : a]\n', 78, '', [":3: key 'port'"]),
    ('a loop', '[account a : b]\nhost = x\n[account b : a]\n', 78, '', ['a loop', 'a loop']),
    ('password without user', '[account a]\nhost = b\npassword_command = cat /x\n', 0, 'ok: 1',
     [r"warning: .*rc:3: key 'password_command': there is no 'user'"]),
    ('pin without TLS', '[account a]\nhost = b\ntls = off\ntls_pin = %s\n' % PINS, 0, 'ok: 1',
     [r"warning: .*:4: key 'tls_pin': not used: 'tls = off'"]),
    ('pin of the defaults', '[defaults]\ntls_pin = %s\n[account a]\nhost = b\ntls = off\n' % PINS, 0,
     'ok: 1', []),
    ('a key of no use', '[account a]\nhost = b\nauth_pipelining = auto\n', 0, 'ok: 1',
     [r"warning: .*:3: key 'auth_pipelining': of no use: nothing is sent behind AUTH"]),
    ('two passwords', '[account a]\nhost = b\nuser = c\npassword_file = /x\npassword_command = y\n', 0,
     'ok: 1', [":5: key 'password_command': not used: another key"]),
    ('wrong port', '[account a]\nhost = b\nport = 465\ntls = starttls\n', 0, 'ok: 1',
     [":3: key 'port': on port 465"]),
    ('never reached', '[account a]\nhost = b\nfrom = *@x.org\n[account c]\nhost = d\nfrom = e@X.org\n', 0,
     'ok: 2', ["account 'c' is never chosen"]),
    ('no server', '[account a]\nfrom = b@c.org\n[account d : e]\nhost = f\n[account e]\nuser = x\n', 0,
     'ok: 3', ["account 'a' has neither"]),
    ('socket and host', '[account a]\nhost = b\nsocket = /s\n', 0, 'ok: 1', [":2: key 'host': not used: 'socket'"]),
    ('no such aliases', '[account a]\nhost = b\naliases = ~/none\n[account c]\nhost = d\n'
     'aliases = ~/none\n', 0, 'ok: 2', ['warning: cannot open aliases .*none']),
    # the file itself is as good as any
    ('lines of aliases', '[account a]\nhost = b\naliases = ~/rc\n', 0, 'ok: 1',
     [r"warning: .*rc:%d: the line is not 'name: address" % n for n in (1, 2, 3)]),
    # every row of the table, with what it says of the key in the last line
] + [(
    'useless: ' + rows.split('\n')[-1], '[account a]\n' + rows + '\n', 0, 'ok: 1',
    [r"warning: .*:%d: key '%s': .*%s" % (rows.count('\n') + 2, rows.split('\n')[-1].split(' ')[0],
                                         words)]) for rows, words in (
    ('host = b\npassword_file = /x', "no 'user'"), ('host = b\npassword_credential = x', "no 'user'"),
    ('host = b\npasswordeval = x', "no 'user'"), ('host = b\npassword_fd = 3', "no 'user'"),
    ('host = b\nauth = off\nuser = c', 'auth = off'),
    ('host = b\nauth = off\npassword_command = x', 'auth = off'),
    ('host = b\nauth = off\noauth_token_command = x', 'auth = off'),
    ('host = b\nuser = c\npassword_credential = x\npasswordeval = y', 'another key'),
    ('host = b\nuser = c\npassword_fd = 3\npassword_credential = y', 'another key'),
    ('host = b\nuser = c\npassword_file = /x\npassword_fd = 3', 'another key'),
    ('host = b\ntls = off\ntls_trust_file = /x', 'tls = off'),
    ('host = b\ntls = off\ntls_trust_dir = /x', 'tls = off'),
    ('host = b\ntls = off\ntls_crl_file = /x', 'tls = off'),
    ('host = b\ntls = off\ntls_cert_file = /x', 'tls = off'),
    ('host = b\ntls = off\ntls_pkcs12_file = /x', 'tls = off'),
    ('host = b\ntls = off\ntls_host_override = x', 'tls = off'),
    ('host = b\ntls = off\ntls_priorities = NORMAL', 'tls = off'),
    ('host = b\ntls = off\ntls_fingerprint = ' + 'AA' * 32, 'tls = off'),
    ('host = b\ntls = off\ntls_dane = may', 'tls = off'),
    ('host = b\ntls_certcheck = off\ntls_trust_file = /x', 'tls_certcheck = off'),
    ('host = b\ntls_pin = %s\ntls_trust_file = /x' % PINS, 'by its pin'),
    ('host = b\ntls_key_file = /x', "no 'tls_cert_file'"),
    ('host = b\ntls_cert_file = /x\ntls_pkcs12_file = /y', 'cannot be used beside'),
    ('host = b\ntls = implicit\nport = 587', 'STARTTLS'),
    ('socket = /s\nport = 25', "'socket' goes before"),
    ('socket = /s\nproxy = http://h', "'socket' goes before"),
    ('socket = /s\ntunnel = x', "'socket' goes before"),
    ('host = b\ntunnel = x\nproxy = http://h', "'tunnel' goes before"),
    ('mx = on\nhost = b', "recipient's domain"), ('mx = on\nuser = b', 'nobody signs in'),
    ('host = b\nproxy = http://h\nproxy_password_file = /x', "no 'proxy_user'"),
    ('host = b\nlogfile_time_format = %d', "no 'logfile'"),
)] + [
    # what it is that most rows here leave out
    ("no 'from'", '[account default]\nhost = b\n', 0, 'ok: 1',
     [r"warning: .*rc:1: account 'default' has no 'from'"]),
    ("no 'from' of a base", '[account x]\nhost = b\n[account default : x]\nfrom = a@b.c\n', 0,
     'ok: 2', []),
    ("no 'from' over LMTP", '[account default]\nhost = b\nprotocol = lmtp\n', 0, 'ok: 1', []),
    ('auto_from', 'account default\nhost b\nauto_from on\n', 0, 'ok: 1', []),
    ('no default', FROM % 'a' + '\n' + OTHER, 0, 'ok: 2',
     [r"warning: .*rc: no account is called 'default': .* of the 2 fails; "
      r"write '\[account default : a\]'$"]),
    ("no default of msmtp's", 'account a\nhost b\nfrom a@b\naccount c\nhost d\nfrom c@b\n', 0,
     'ok: 2', [r"write 'account default : a'$"]),
    ('one account', FROM % 'a', 0, 'ok: 1', []),
    ('a doubled key', FROM % 'default' + 'port = 25\ntls = off\nPort = 26\n', 0, 'ok: 1',
     [r"warning: .*rc:6: key 'port': stands in line 4 as well, and only this one counts"]),
    ('a doubled default', '[defaults]\nport = 25\nport = 26\n' + FROM % 'default' + OTHER, 0,
     'ok: 2', [r"rc:3: key 'port': stands in line 2 as well"]),
    ('the same key in two accounts', FROM % 'default' + 'port = 25\n' + OTHER + 'port = 26\n',
     0, 'ok: 2', []),
    ('a relative secret', FROM % 'default' + 'user = x\npassword_file = secret/x\n', 0, 'ok: 1',
     [r"rc:5: key 'password_file': 'secret/x' is looked for where the calling program"]),
    ('a relative file of the defaults', '[defaults]\ntls_trust_file = "ca.pem"\n' +
     FROM % 'default', 0, 'ok: 1', [r"rc:2: key 'tls_trust_file': 'ca.pem' is looked for"]),
    ('whole paths', FROM % 'default' + 'user = x\npassword_file = ~/x\ntls_trust_file = system\n'
     'logfile = $HOME/x\ntls_key_file = pkcs11:x\ntls_cert_file = /x\n', 0, 'ok: 1', []),
    ('Latin 1', (FROM % 'default' + 'from_name = M\xfcller\n').encode('latin-1'), 0, 'ok: 1',
     [r"rc:4: key 'from_name': the value is not in UTF-8"]),
    ('a comment in Latin 1', ('# M\xfcller\n' + FROM % 'default').encode('latin-1'), 0, 'ok: 1', []),
    ('UTF-8', (FROM % 'default' + 'from_name = M\xfcller\n').encode(), 0, 'ok: 1', []),
    ('UTF-16', (FROM % 'default').encode('utf-16'), 78, '', [r'rc is in UTF-16: save it as UTF-8$']),
    ('UTF-16 without its mark', (FROM % 'default').encode('utf-16-le'), 78, '', ['is in UTF-16']),
    ('UTF-16, the other order', (FROM % 'default').encode('utf-16-be'), 78, '', ['is in UTF-16']),
    ("ini in msmtp's", '# x\n\nhost b\nfrom a@b.c\n[account default]\nport = 25\nport=26\n', 78, '',
     [r":5: the line is of the ini form, but line 3 makes this msmtp's syntax: begin",
      ':6: the line is of the ini form', ':7: the line is of the ini form']),
    ("values of msmtp's with =", 'host b\nfrom a@b.c\npassword a=b\nauth on\nuser =x\n', 0, 'ok: 1', []),
    ("msmtp's in ini", '[account default]\nhost b\n', 78, '',
     [r":2: the line is neither .* \(line 1 makes this the ini form\)"]),
    ('not there', None, 78, '', ['cannot open']),
    ('nothing in it', '', 0, 'ok: 0 accounts', []),
]


def useful(line, lines):
    """Most rows have neither 'from' nor a default account, and are about something else."""
    return not re.search(r"has no 'from'|is called 'default'", line) or \
        any(re.search(p, line) for p in lines)


def check_config(text, exit, out_pattern, lines):
    failures = []
    with harness.Folder() as home:
        path = os.path.join(home, 'rc')
        if text is not None:
            with open(path, 'wb') as f:
                f.write(text if isinstance(text, bytes) else text.encode())
            os.chmod(path, 0o600)
        for words in (['--check-config=' + path], ['--check-config', path],
                      ['-C', path, '--check-config']):
            status, out, err = run(words, home)
            if status != exit or not re.match(out_pattern, out) or (not out_pattern and out):
                failures.append('%r: exit %s, stdout %r' % (words, status, out))
            got = [line for line in err.splitlines() if useful(line, lines)]
            if len(got) != len(lines) or not all(re.search(p, g) for p, g in zip(lines, got)):
                failures.append('%r: stderr:\n%s' % (words, err))
    return failures


def check_nothing():
    """Without any file no message can go out: --check-config does not call that well."""
    failures = []
    with harness.Folder() as home:
        for words, exit in ((['--check-config'], 78), (['--check-config', '--host=h'], 0)):
            status, out, err = run(words, home)
            if status != exit or ('no account: tried' in err) != (exit == 78):
                failures.append('%r: exit %s:\n%s%s' % (words, status, out, err))
    return failures


def check_with_mistakes():
    """--check names every mistake, too."""
    with harness.Folder() as home:
        path = os.path.join(home, 'rc')
        with open(path, 'w', encoding='utf-8') as f:
            f.write('[account a]\nhots = a\nport = x\n')
        status, out, _ = run(['-C', path, '--check'], home)
        findings, failures = parse(out)
        if status != 78 or [f.verdict for f in findings] != ['FAIL', 'FAIL'] or \
           not all('--check-config' in f.hint for f in findings):
            failures.append('exit %s:\n%s' % (status, out))
        status, out, _ = run(['-C', path, '--check', '--json'], home)
        found = json.loads(out)
        if status != 78 or found['exit'] != 78 or found['account'] is not None or \
           [f['exit'] for f in found['findings']] != [78, 78]:
            failures.append('exit %s: %s' % (status, out))
        status, out, _ = run(['--check=b', '--host=127.0.0.1', '-C', '/dev/null'], home)
        if status != 78 or not out.startswith('FAIL account: no account'):
            failures.append('exit %s:\n%s' % (status, out))
        status, out, err = run(['-C', path, '--check=a', 'b', 'x@y'], home)
        if status != 64 or 'one too many' not in err:
            failures.append('exit %s: %s' % (status, err))
        return failures


def configurations():
    tests = [('--check-config: ' + name, lambda rest=rest: check_config(*rest))
             for name, *rest in CONFIGS]
    return tests + [('mistakes in the configuration', check_with_mistakes),
                    ('no configuration at all', check_nothing)]


if __name__ == '__main__':
    sys.exit(main(configurations))
