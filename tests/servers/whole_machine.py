#!/usr/bin/env python3
"""A fresh machine: one --configure as root, the service, and then everybody sends through Postfix.

All happens in namespaces of mounts and of the network: copies of /etc, /run and /var, a loopback of
its own on which smtp.example.org is Postfix with TLS on ports 465 and 587, signed in by Dovecot. Who
sends: cron for a user, php-fpm as www-data, a unit's sandbox, fail2ban as root, a plain user. Then a
user looks for the password. The steps stand on each other and run in order. Words: only the steps that
hold one of them, behind the first."""
import fcntl
import glob
import os
import pty
import pwd
import re
import select
import shutil
import socket
import struct
import subprocess
import sys
import time

import common
import dovecot
import postfix
from common import PASSWORD, SERVERS, USER, Failure, Instance, Sink, harness, wait_for

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'clients'))
import configure_world                                                  # noqa: E402
import machine                                                          # noqa: E402
from room import unpacked_folders                                       # noqa: E402
import service_test                                                     # noqa: E402

UNPACKED = os.path.join(SERVERS, 'clients')
PROGRAM, PLACE = harness.binary(), '/run/programs'
WWW, ANN, NAMELESS = 33, 2001, 64321
ADMIN = 'admin@example.net'
SERVER = 'smtp.example.org'
PORTS = {'starttls': 587, 'implicit': 465}
CRON, FPM, FAIL2BAN = '/usr/sbin/cron', '/usr/sbin/php-fpm*', '/usr/bin/fail2ban-server'      # below UNPACKED
PATH = '/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
TESTS = harness.Tests()
test = TESTS.named
NOW = {}            # sink, home, output of --configure, the service


def needs(program, name):
    """A step with a program that contrib/install-test-tools unpacks."""
    if glob.glob(UNPACKED + program):
        return test(name)
    TESTS.append((name + ' # SKIP not there: contrib/install-test-tools', None))
    return lambda function: function


# --- the machine ---------------------------------------------------------------------------


def enter():
    """Runs this file once more in namespaces; returns the reason where they cannot be had."""
    words = ['unshare', '--mount', '--net', '--propagation', 'private']
    if os.getuid():
        return 'not root: a machine needs its users'
    for name in ('unshare', 'setpriv', 'mount'):
        if not shutil.which(name):
            return 'no %s(1)' % name
    if '/etc/msmtprc\n' not in subprocess.run([PROGRAM, '--version'], stdout=subprocess.PIPE).stdout.decode():
        return 'msubmit is built for another configuration than /etc/msmtprc'
    if subprocess.run(words + ['true'], stderr=subprocess.DEVNULL).returncode:
        return 'no namespaces of mounts and network'
    os.execvp('unshare', words + [sys.executable, '-B', os.path.abspath(__file__), '--inside'] + sys.argv[1:])


def mount(*words):
    if subprocess.run(('mount',) + words, stderr=subprocess.DEVNULL).returncode:
        common.skip_all('nothing can be mounted here')


def loopback_up():
    with socket.socket() as s:
        request = struct.pack('16sH14s', b'lo', 1 | 64, b'')           # IFF_UP, IFF_RUNNING
        fcntl.ioctl(s, 0x8914, request)                                 # SIOCSIFFLAGS


def fresh(place, full=False):
    """A folder of the machine's becomes one of ours: a copy, or empty."""
    with harness.Folder() as folder:
        if full:
            subprocess.run(['cp', '-a', place + '/.', folder], check=True)
        mount('-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', place)
        if full:
            subprocess.run(['cp', '-a', folder + '/.', place], check=True)


def write(path, text, mode=0o644, owner=0):
    with open(path, 'wb') as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    os.chmod(path, mode)
    os.chown(path, owner, owner)


def install():
    """What 'make install' would lay down: msubmit, and sendmail as a link to it."""
    os.mkdir(PLACE)
    for folder in ('/usr/sbin', '/usr/bin'):
        kept = PLACE + folder.replace('/', '_')
        os.mkdir(kept)
        mount('--bind', folder, kept)
        mount('-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', folder)
        for name in os.listdir(kept):
            if name not in ('sendmail', 'msubmit'):
                os.symlink(os.path.join(kept, name), os.path.join(folder, name))
    shutil.copy(PROGRAM, '/usr/bin/msubmit')
    os.symlink('../bin/msubmit', '/usr/sbin/sendmail')


def furnish(certs, home):
    """A machine that nobody has set up yet. Only its CA and its names are ours."""
    for place in ('/run', '/var/spool', '/var/log'):
        fresh(place)
    fresh('/etc', True)
    loopback_up()
    for name in ('/etc/msmtprc', '/etc/msubmit', '/etc/cron.d', '/etc/exim4', '/etc/fail2ban'):
        shutil.rmtree(name) if os.path.isdir(name) else os.path.exists(name) and os.unlink(name)
    for database, line in (('passwd', 'ann:x:%d:%d:Ann:%s:/bin/sh\n' % (ANN, ANN, home)),
                           ('group', 'ann:x:%d:\n' % ANN), ('shadow', 'ann:*:1:0:99999:7:::\n'), ('gshadow', '')):
        path = '/etc/' + database
        if os.path.exists(path):
            with open(path, encoding='utf-8') as f:
                lines = [one for one in f if not one.startswith(('msubmit:', 'ann:'))]
            write(path, ''.join(lines) + line, os.stat(path).st_mode & 0o777)
    write('/etc/hosts', '127.0.0.1 localhost %s\n' % SERVER)
    write('/etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files\n')
    write('/etc/resolv.conf', 'nameserver 127.0.0.1\n')
    write('/etc/mailname', 'box.example.org\n')
    write('/etc/aliases', 'root: %s\nann: ann@example.net\n' % ADMIN)
    with open(certs('server')[2], 'rb') as f:
        write('/etc/ssl/certs/ca-certificates.crt', f.read())
    os.chown(home, ANN, ANN)
    os.chmod(home, 0o755)
    os.makedirs('/var/spool/cron/crontabs')
    install()


def drop(uid):
    def change():
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    return change


def env(**more):
    """Few variables, and those of sanitizers."""
    kept = {k: v for k, v in os.environ.items() if k.endswith('SAN_OPTIONS')}
    return dict(kept, PATH=PATH, LC_ALL='C.UTF-8', LD_LIBRARY_PATH=unpacked_folders('usr/lib/*-linux-gnu*'),
                **more)


def call(*argv, uid=0, data=b'', wanted=0, **more):
    """What a program has said, which must end so."""
    done = subprocess.run(argv, input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd='/', timeout=common.WAIT,
                          preexec_fn=drop(uid) if uid else None, env=env(HOME=NOW['home'] if uid == ANN else '/', **more))
    text = done.stdout.decode('utf-8', 'replace')
    if done.returncode != wanted:
        raise Failure('%s: status %d, not %d: %s\n%s' % (argv[0], done.returncode, wanted, text, NOW.get('log', str)()))
    return text


def typed(argv, answers):
    """(status, what is shown) of a program at a terminal; answers: (word waited for, what is typed)."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execvpe(argv[0], argv, env(HOME='/root'))
    shown, answers, end = b'', list(answers), time.monotonic() + common.WAIT
    while time.monotonic() < end:
        if not select.select([fd], [], [], 0.5)[0]:
            continue
        try:
            data = os.read(fd, 65536)
        except OSError:
            data = b''
        if not data:
            break
        shown += data
        if answers and answers[0][0].encode() in shown:
            os.write(fd, answers.pop(0)[1].encode() + b'\n')
    os.close(fd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode('utf-8', 'replace').replace('\r\n', '\n')


def arrives(rcpt, *words, sender=USER):
    """The mail for a recipient has come through Postfix, as the account's, with these words."""
    mail = NOW['sink'].wait(rcpt)
    text = mail.data.decode('utf-8', 'replace')
    missing = [w for w in words + ('with ESMTPSA id',) if w not in text]        # Postfix: TLS and sign-in
    if mail.sender.decode() != sender:
        missing.append('sender %r' % mail.sender)
    return ['%s in:\n%s' % (missing, text)] if missing else []


# --- setting up -------------------------------------------------------------------------------


@test('one call sets the machine up: it finds the server, asks for the password, signs in')
def configure():
    status, shown = typed(['msubmit', '--configure', USER], [('assword', PASSWORD)])
    NOW['shown'] = shown
    failures = [] if status == 0 else ['status %d: %s' % (status, shown)]
    return failures + (['the password is shown'] if PASSWORD in shown else [])


@test('the line that it ends with starts the service, as user msubmit')
def start():
    line = re.search(r'start the service[^:]*: (.*)', NOW['shown'])
    if not line:
        return ['no such line: ' + NOW['shown']]
    log = NOW['home'] + '/../service.log'
    NOW['log'] = lambda: open(log, encoding='utf-8', errors='replace').read()
    with open(log, 'wb') as out:
        NOW['service'] = subprocess.Popen(['sh', '-c', 'exec env ' + line.group(1)], stdin=subprocess.DEVNULL, stdout=out,
                                          stderr=out, cwd='/', env=env(HOME='/root'))
    wait_for('the service', lambda: 'listening on' in NOW['log'](), NOW['service'])
    with open('/proc/%d/status' % NOW['service'].pid, encoding='ascii') as f:
        uid = int(re.search(r'Uid:\s*(\d+)', f.read()).group(1))
    return [] if uid == pwd.getpwnam('msubmit').pw_uid else ['runs as %d' % uid]


@test('a service whose folder is gone (/run is empty after a restart) says what makes it')
def no_folder():
    os.rename('/run/msubmit', '/run/kept')
    service = 'setpriv --reuid=msubmit --regid=msubmit --init-groups msubmit -bD -C /etc/msubmit/msubmit.conf'
    text = call(*service.split(), wanted=71, STATE_DIRECTORY='/var/spool/msubmit')
    made = re.search("as root '([^']*)' makes it", text)
    if made:
        call('sh', '-c', made.group(1))
    failures = ['said: ' + text] if not made else service_test.owned('/run/msubmit', 'msubmit', 'msubmit', 0o755)
    if made:
        os.rmdir('/run/msubmit')
    os.rename('/run/kept', '/run/msubmit')
    return failures


@test('the listener without its file says what is missing')
def no_file():
    text = call('msubmit', '-bD', wanted=78)
    return [] if "no section [listen NAME]" in text and '-C /etc/msubmit/msubmit.conf' in text else [text]


@test('--check by a user is content, and so is what it tells root to call')
def check():
    text = call('msubmit', '--check', uid=ANN)
    told = re.search("as root '([^']*)'", text)
    text += call(*told.group(1).split()) if told and 'sign-in' not in text else 'FAIL no command in it'
    text += '' if 'ok   sign-in:' in text else 'FAIL no sign-in'
    return [text] if 'FAIL' in text or re.search('^warn (?!log:)', text, re.M) else []     # there is no syslog


# --- who sends -----------------------------------------------------------------------------------


@test('a plain user: sendmail -t, the words of the README, bsd-mailx')
def plain_user():
    call('/usr/sbin/sendmail', '-t', '-i', uid=ANN, data=b'To: t@example.net\nSubject: by -t\n\n.\nend\n')
    call('msubmit', 'README@example.net', uid=ANN, data=b'it works\n')
    failures = arrives('t@example.net', 'Subject: by -t', 'From: Ann <%s>' % USER, '\r\n.\r\nend\r\n') + \
        arrives('README@example.net', 'it works')
    mailx = UNPACKED + '/usr/bin/bsd-mailx'
    if os.path.exists(mailx):
        call(mailx, '-n', '-s', 'by mailx', 'mailx@example.net', uid=ANN, data=b'body\n')
        failures += arrives('mailx@example.net', 'Subject: by mailx')
    return failures


@needs(CRON, 'cron: what a job of a user writes, and one of root')
def cron():
    program = UNPACKED + CRON
    for name in ('cron', 'other'):
        write('/etc/pam.d/' + name, machine.PAM)
    for name in ('crontab', 'anacrontab'):
        write('/etc/' + name, '')
    tabs = '/var/spool/cron/crontabs/'
    write(tabs + 'ann', 'MAILTO=cron@example.net\n@reboot id -un; echo to stderr >&2\n', 0o600, ANN)
    write(tabs + 'root', '@reboot echo of root\n', 0o600)
    daemon = subprocess.Popen([program, '-f'], env=env(HOME='/'), cwd='/', stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    try:
        return arrives('cron@example.net', 'Subject: Cron <ann@', '\r\nann\r\nto stderr\r\n') + \
            arrives(ADMIN, 'Subject: Cron <root@', 'of root\r\n')
    finally:
        daemon.terminate()
        daemon.wait()


def record(kind, data):
    return struct.pack('>BBHHBx', 1, kind, 1, len(data), 0) + data


def fastcgi(path, script):
    """What php-fpm answers to a request for a script (FastCGI 1.0)."""
    pairs = b''
    for key, value in (('SCRIPT_FILENAME', script), ('REQUEST_METHOD', 'GET'), ('SCRIPT_NAME', '/mail.php'),
                       ('SERVER_PROTOCOL', 'HTTP/1.1'), ('REQUEST_URI', '/mail.php')):
        pairs += bytes((len(key), len(value))) + (key + value).encode()
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(common.WAIT)
        s.connect(path)
        s.sendall(record(1, struct.pack('>HB5x', 1, 0)) + record(4, pairs) + record(4, b'') + record(5, b''))
        answer = b''
        with s.makefile('rb') as records:
            while True:
                _, kind, _, length, padding, _ = struct.unpack('>BBHHBB', records.read(8))
                answer += records.read(length) if kind in (6, 7) else b'' * len(records.read(length))
                records.read(padding)
                if kind == 3:           # FCGI_END_REQUEST
                    return answer.decode('utf-8', 'replace')


@needs(FPM, 'php-fpm: mail() in a request, as www-data')
def php():
    folder = '/run/php'
    os.mkdir(folder)
    write(folder + '/mail.php', '<?php echo mail("php@example.net", "by PHP", "b\u00f6dy", '
          '"From: shop@example.org") ? "sent" : "not sent";')
    write(folder + '/fpm.conf', '[global]\nerror_log = /run/php/log\n[www]\nuser = www-data\ngroup = www-data\n'
          'listen = /run/php/socket\npm = static\npm.max_children = 1\ncatch_workers_output = yes\n'
          'security.limit_extensions = .php\n')
    daemon = subprocess.Popen([glob.glob(UNPACKED + FPM)[0], '-F', '-y', folder + '/fpm.conf'], env=env(HOME='/'),
                              cwd='/', stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for('php-fpm', lambda: os.path.exists(folder + '/socket'), daemon)
        answer = fastcgi(folder + '/socket', folder + '/mail.php')
        if not answer.endswith('\r\n\r\nsent'):
            with open(folder + '/log', encoding='utf-8') as f:
                return [answer, f.read(), NOW['log']()]
        return arrives('php@example.net', 'Subject: by PHP')
    finally:
        daemon.terminate()
        daemon.wait()


SANDBOX = 'mount -t tmpfs -o mode=1777 tmpfs /tmp; mount -t tmpfs -o mode=1777 tmpfs /var/tmp; ' \
    'for m in / /etc /run /var/spool /var/log /usr/sbin /usr/bin; do mount -o remount,bind,ro $m; done; ' \
    'exec setpriv --no-new-privs --reuid=%d --regid=%d --clear-groups --bounding-set=-all --inh-caps=-all ' \
    'sendmail -i sandbox@example.net' % (NAMELESS, NAMELESS)


@test('a unit with DynamicUser, NoNewPrivileges, ProtectSystem=strict, PrivateTmp')
def sandbox():
    call('unshare', '--mount', '--propagation', 'private', 'sh', '-ec', SANDBOX, data=b'Subject: alone\n\nbody\n')
    return arrives('sandbox@example.net', 'Subject: alone', 'From: %s' % USER)


class Here:
    """The machine as tests/clients/machine.py furnishes a room."""

    @staticmethod
    def path(name):
        return '/' + name

    def write(self, name, text, mode=0o644):
        os.makedirs(os.path.dirname('/' + name), exist_ok=True)
        write('/' + name, text, mode)
        return '/' + name

    def put(self, name, source):
        shutil.copytree(source, '/' + name, dirs_exist_ok=True)


@needs(FAIL2BAN, 'fail2ban as root')
def fail2ban():
    before = len(NOW['sink'].mails)
    log = machine.fail2ban_files(Here(), machine.ACTION)
    daemon = subprocess.Popen([UNPACKED + FAIL2BAN, '-f', 'start'], cwd='/', stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, env=env(
                                  HOME='/', PYTHONPATH=UNPACKED + '/usr/lib/python3/dist-packages'))
    try:
        wait_for('fail2ban', lambda: os.path.exists(log) and len(NOW['sink'].mails) > before, daemon)
    except Failure as e:
        with open(log, encoding='utf-8') as f:
            raise Failure('%s\n%s' % (e, f.read()))
    finally:
        daemon.terminate()
        daemon.wait()
    mail = NOW['sink'].mails[before]
    return [] if b'[Fail2Ban] sshd: started' in mail.data and ADMIN.encode() in mail.rcpts else [repr(mail.data)]


# --- the password ------------------------------------------------------------------------------------


@test('a user gets at the password by no option, no environment, no file, no process')
def secret():
    failures = []
    thief = service_test.Thief()
    for what, args, more in service_test.attempts(thief.port, NOW['home']):
        done = subprocess.run(['msubmit'] + list(args), input=b'Subject: x\n\nx\n', stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, cwd='/', timeout=common.WAIT, preexec_fn=drop(ANN),
                              env=env(**dict({'HOME': NOW['home']}, **more)))
        if PASSWORD.encode() in done.stdout or done.returncode < 0:
            failures.append('%s: %d %r' % (what, done.returncode, done.stdout))
    thief.listener.close()
    failures += ['heard: %r' % thief.heard] if PASSWORD.encode() in thief.heard else []
    found = subprocess.run(['grep', '-rlF', '--', PASSWORD, '/etc', '/run', '/var/spool', '/var/log', NOW['home']],
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, preexec_fn=drop(ANN)).stdout.decode()
    where = subprocess.run(['grep', '-rlF', '--', PASSWORD, '/etc', '/var/spool', '/var/log'],
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode().split()
    if found or where != [service_test.SECRET]:
        failures.append('found by the user: %r, by root: %r' % (found, where))
    pid = NOW['service'].pid
    for name in ('environ', 'mem', 'maps'):
        if subprocess.run(['head', '-c1', '/proc/%d/%s' % (pid, name)], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, preexec_fn=drop(ANN)).returncode == 0:
            failures.append('/proc/PID/%s can be read' % name)
    return failures


@test('the log names each of them, and not the password; nothing was told twice')
def log():
    text = NOW['log']()
    senders = {ANN, NAMELESS} | ({0, WWW} if glob.glob(UNPACKED + FPM) else set())
    failures = ['no uid=%d in:\n%s' % (w, text) for w in senders if ' uid=%d ' % w not in text]
    rcpts = [r for mail in NOW['sink'].mails for r in mail.rcpts if r != ADMIN.encode()]
    if len(rcpts) != len(set(rcpts)) or NOW['sink'].faults:
        failures.append('%r %r' % (rcpts, NOW['sink'].faults))
    return failures + (['the password is in it'] if PASSWORD in text else [])


def run(_, home):
    NOW['home'] = os.path.join(home, 'ann')
    os.mkdir(NOW['home'])
    configure_world.CERTS = os.path.join(home, 'certs')
    os.mkdir(configure_world.CERTS)
    configure_world.make_certificates(configure_world.CERTS)

    def certs(_):
        return configure_world.certificate('good')
    os.chmod(home, 0o755)
    furnish(certs, NOW['home'])
    NOW['sink'] = Sink()
    ports = dict(PORTS, plain=2525)
    with Instance('postfix', ('postfix', 'postdrop') + dovecot.USERS) as instance:
        instance.certificates(certs)
        postfix.configure(instance, NOW['sink'], ports)
        dovecot.configure(instance, dovecot.Introspection(), '', postfix.SASL + dovecot.SOME_USERS,
                          dovecot.MECHANISMS[:-1])
        dovecot.start(instance)
        wait_for('Dovecot', lambda: instance.exists('var/spool/postfix/private/auth'))
        instance.ready(ports, instance.start('/usr/lib/postfix/sbin/master', '-c', '/etc/postfix', '-d'))
        words = sys.argv[2:]
        try:
            return harness.run_tap([common.with_log(instance, t) for i, t in enumerate(TESTS)
                                    if i < 2 or not words or any(w in t[0] for w in words)], 1)
        finally:
            if 'service' in NOW:
                NOW['service'].terminate()
                NOW['service'].wait()


if __name__ == '__main__':
    if '--inside' not in sys.argv:
        common.skip_all(enter())
    common.main(run)
