#!/usr/bin/env python3
"""A whole machine: --configure as root, the service, users who send and who want its secret; TAP.

As root it goes into a mount namespace of its own, with copies of /etc, /run and /var/spool: nothing
of the machine is touched. Where that cannot be done all is skipped. Its steps stand on each other
and run in order. The mail server is scripted (configure_world.py)."""
import ctypes
import glob
import os
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import configure_world                                                  # noqa: E402
import harness                                                          # noqa: E402
from configure_world import (CHECK, PASSWORD, PROGRAM, USER, World, auth,  # noqa: E402
                             certificate, look, sign_in, smtp)

SRCDIR = os.environ.get('SRCDIR', os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
BUILDDIR = os.environ.get('BUILDDIR', '.')
USERS, OWN, SECRETS = '/etc/msmtprc', '/etc/msubmit/msubmit.conf', '/etc/msubmit/secrets'
SECRET = SECRETS + '/default.password'
SOCKET = '/run/msubmit/submit'
PLACES = ('/etc', '/run', '/var/spool')
NOBODY = 65534
MESSAGE = b'Subject: x\n\nbody\n'

TESTS = harness.Tests()
test = TESTS.named
STATE = {}                      # what a step leaves for the next ones


# --- the namespace -----------------------------------------------------------------------


def enter():
    """Runs this file once more inside of a namespace; never returns, unless it cannot be had."""
    if os.geteuid() != 0 or not shutil.which('unshare'):
        return
    words = ['unshare', '--mount', '--propagation', 'private', sys.executable, os.path.abspath(__file__),
             '--inside'] + sys.argv[1:]
    if subprocess.run(words[:4] + ['true'], stderr=subprocess.DEVNULL).returncode == 0:
        os.execvp('unshare', words)


def furnish():
    """Copies of what is written to; False where nothing can be mounted."""
    for place in PLACES:
        with harness.Folder() as folder:
            copy = subprocess.run(['cp', '-a', place + '/.', folder], stderr=subprocess.DEVNULL) \
                if place == '/etc' else None
            if copy and copy.returncode:
                return False
            words = ['mount', '-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', place]
            if subprocess.run(words, stderr=subprocess.DEVNULL).returncode:
                return False
            if copy:
                subprocess.run(['cp', '-a', folder + '/.', place], check=True)
    for path in glob.glob('/etc/msmtprc*') + ['/etc/msubmit']:
        (shutil.rmtree if os.path.isdir(path) else os.unlink)(path) if os.path.exists(path) else None
    for database in ('passwd', 'group', 'shadow', 'gshadow'):
        path = '/etc/' + database
        if os.path.exists(path):
            with open(path, encoding='utf-8') as f:
                lines = [line for line in f if not line.startswith('msubmit:')]
            with open(path, 'w', encoding='utf-8') as f:
                f.writelines(lines)
    return True


def drop(uid):
    def change():
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    return change


def run_as(uid, *args, data=MESSAGE, env=None, name='msubmit', limit=30):
    """(status, output of both kinds, seconds) of the program, run by somebody without a home."""
    begun = time.monotonic()
    done = subprocess.run([name] + list(args), executable=PROGRAM, input=data, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, cwd='/', preexec_fn=drop(uid), timeout=limit,
                          env=dict({'PATH': os.environ['PATH'], 'HOME': '/nonexistent'}, **(env or {})))
    return done.returncode, done.stdout.decode('utf-8', 'replace'), time.monotonic() - begun


def snapshot():
    """Path -> mode, owner, content of all that --configure may have written."""
    found = {}
    for top in ('/etc/msmtprc', '/etc/msubmit', '/etc/passwd', '/etc/group', '/var/spool', '/run'):
        for base, folders, files in [(os.path.dirname(top), [], [os.path.basename(top)])] + list(os.walk(top)):
            for name in folders + files:
                path = os.path.join(base, name)
                st = os.lstat(path)
                text = b''
                if stat.S_ISREG(st.st_mode):
                    with open(path, 'rb') as f:
                        text = f.read()
                found[path] = (st.st_mode, st.st_uid, st.st_gid, text)
    return found


def owned(path, user, group, mode):
    st = os.stat(path)
    got = (st.st_uid, st.st_gid, st.st_mode & 0o7777)
    want = (pwd.getpwnam(user).pw_uid, pwd.getpwnam(group).pw_gid, mode)
    return [] if got == want else ['%s: uid, gid, mode are %r, not %r' % (path, got, want)]


def configure(world, *args, address=USER, password=PASSWORD):
    return world.run('--no-ispdb', *args, address=address, password=password, output=None)


# --- setting up ------------------------------------------------------------------------------


@test('a fresh machine: one call makes user, folders, both files and the secret')
def fresh():
    server = smtp(look(), sign_in())
    with World({'smtp.example.org': {465: server}}) as w:
        configure(w).check(0, "user 'msubmit' made by", 'folder /etc/msubmit/secrets made', SECRET, OWN, USERS,
                           'start the service (no service manager): STATE_DIRECTORY=/var/spool/msubmit setpriv ', 'try it, as any user: msubmit --check')
        w.failures += owned(OWN, 'root', 'msubmit', 0o640) + owned(USERS, 'root', 'root', 0o644) + \
            owned(SECRETS, 'msubmit', 'msubmit', 0o700) + owned(SECRET, 'msubmit', 'msubmit', 0o600) + \
            owned('/var/spool/msubmit', 'msubmit', 'msubmit', 0o700) + \
            owned('/run/msubmit', 'msubmit', 'msubmit', 0o755)
        w.wrote('[account default]', 'via = service', 'from = you@example.org', 'default_domain = example.org',
                name=USERS, mode=0o644)
        w.wrote('[listen service]', 'listen = unix:' + SOCKET, '[account default]', 'host = smtp.example.org',
                'user = you@example.org', 'from = you@example.org', 'password_file = ' + SECRET, name=OWN, mode=0o640)
        for path, (_, _, _, text) in snapshot().items():
            if (PASSWORD.encode() in text) != (path == SECRET):
                w.failures.append('the password: ' + path)
        users = w.read(USERS)
        w.failures += ['%s in %s' % (word, USERS) for word in ('host', 'user =', 'password', 'tls') if word in users]
        entry = pwd.getpwnam('msubmit')
        if not entry.pw_shell.endswith('nologin') or entry.pw_uid >= 1000:
            w.failures.append('the user: %r' % (entry,))
        return w.end()


@test('a second run changes nothing, asks nobody, and ends well')
def again():
    before = snapshot()
    with World() as w:
        configure(w, password=None).check(0, "account 'default' stands in %s already" % OWN,
                                          "account 'default' stands in %s already" % USERS, 'start the service')
        changed = [p for p in set(before) | set(snapshot()) if before.get(p) != snapshot().get(p)]
        if changed or w.socks.asked:
            w.failures.append('changed: %r, asked: %r' % (changed, w.socks.asked))
        return w.end()


@test('... and mends what is missing: the file of users, modes, folders')
def mended():
    with World() as w:
        os.unlink(USERS)
        os.rmdir('/run/msubmit')
        os.chmod(OWN, 0o600)
        os.chmod('/etc/msubmit', 0o700)
        os.chmod(SECRETS, 0o755)
        configure(w, password=None).check(0, "account 'default' written to " + USERS, 'folder /run/msubmit made')
        w.wrote('[account default]', 'via = service', name=USERS, mode=0o644)
        w.failures += owned(OWN, 'root', 'msubmit', 0o640) + owned(SECRETS, 'msubmit', 'msubmit', 0o700)
        if os.stat('/etc/msubmit').st_mode & 0o777 != 0o711:
            w.failures.append('mode of /etc/msubmit: %o' % os.stat('/etc/msubmit').st_mode)
        return w.end()


@test('another address is another account in both files')
def second_address():
    other = 'shop@example.org'
    server = smtp(look(), sign_in(user=other).replace('<%s>' % USER, '<%s>' % other))
    with World({'smtp.example.org': {465: server}}) as w:
        configure(w, '--log-format=json', '--queue=auto', address=other).check(0)
        w.wrote('[account shop@example.org]', 'via = service', 'log_format = json', 'queue = auto', name=USERS, mode=0o644)
        w.wrote('[account shop@example.org]', 'password_file = %s/shop@example.org.password' % SECRETS, name=OWN,
                mode=0o640)
        if w.read(OWN).count('[listen') != 1 or 'log_format' in w.read(OWN):
            w.failures.append(w.read(OWN))
        return w.end()


@test('an account of before, for root alone, is told, and nothing is changed')
def direct_before():
    old = '[account default]\nhost = smtp.example.org\nfrom = old@example.org\n'
    with World() as w:
        kept = w.read(USERS)
        w.write(USERS, old, 0o644)
        configure(w, address='old@example.org').check(78, 'signs in by itself', 'mv %s %s.old' % (USERS, USERS))
        if w.read(USERS) != old:
            w.failures.append('changed')
        w.write(USERS, kept, 0o644)
        return w.end()


@test("a file of all users in msmtp's syntax gets an account as before")
def classic():
    with World() as w:
        kept = w.read(USERS)
        w.write(USERS, 'account x\nhost h.example\n', 0o644)
        configure(w, '--host=h.example', '--port=465', '--no-check', *w.args[2:], address='a@x.example').check(
            78, 'which has no service', "msmtp would not read")
        w.write(USERS, kept, 0o644)
        return w.end()


@test('--print shows both files and writes nothing')
def printed():
    before = snapshot()
    with World() as w:
        configure(w, '--print', '--no-check', '--host=h.example', address='x@example.net', password=None).check(
            0, out='via = service')
        for line in ('# ' + OWN, '# ' + USERS, 'host = h.example', 'password_file = %s/x@example.net.password' % SECRETS):
            if line not in w.out.split('\n'):
                w.failures.append('not shown: ' + line)
        if snapshot() != before:
            w.failures.append('written')
        return w.end()


@test("root's password file becomes the service's; what anybody put in its place is not followed")
def given_file():
    with World() as w:
        path = w.write('mine', PASSWORD + '\n')
        link = SECRETS + '/f@example.org.password'
        os.symlink('/etc/victim', link)
        configure(w, '--host=h.example', '--port=465', '--password-file=' + path, '--no-check', address='f@example.org',
                  password=None).check(0)
        w.wrote('password_file = %s/f@example.org-2.password' % SECRETS, name=OWN, mode=0o640)
        if path in w.read(OWN) or os.path.exists('/etc/victim'):
            w.failures.append(w.read(OWN))
        os.unlink(link)
        return w.end()


# --- no service ------------------------------------------------------------------------------


@test('nobody serves: 75 at once, and what starts it')
def not_running():
    status, text, seconds = run_as(NOBODY, 'b@example.net')
    good = status == 75 and seconds < 5 and "is not running: as root 'STATE_DIRECTORY" in text and 'No such file' in text
    return [] if good else ['%d after %.1f s: %s' % (status, seconds, text)]


@test('a socket that nobody listens on any more is the same')
def left_over():
    s = socket.socket(socket.AF_UNIX)
    s.bind(SOCKET)
    os.chmod(SOCKET, 0o666)
    s.close()
    status, text, seconds = run_as(NOBODY, 'b@example.net')
    os.unlink(SOCKET)
    good = status == 75 and seconds < 5 and 'refused' in text and 'is not running' in text
    return [] if good else ['%d after %.1f s: %s' % (status, seconds, text)]


@test('a sandbox that hides the socket is named by its directive')
def hidden():
    failures = []
    for what, words in (('mount -t tmpfs tmpfs /run', 'TemporaryFileSystem='),
                        ('mount -t tmpfs tmpfs /run/msubmit', 'TemporaryFileSystem=, BindPaths='),
                        ('mkdir -p /run/systemd/inaccessible/dir; chmod 0 /run/systemd/inaccessible/dir; '
                         'mount --bind /run/systemd/inaccessible/dir /run/msubmit', 'InaccessiblePaths=')):
        done = subprocess.run(['unshare', '--mount', '--propagation', 'private', 'sh', '-c', what + '; exec setpriv '
                               '--reuid=%d --regid=%d --clear-groups "$0" b@example.net' % (NOBODY, NOBODY), PROGRAM],
                              input=MESSAGE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20)
        text = done.stdout.decode()
        if done.returncode != 75 or '(%s)' % words not in text or 'BindReadOnlyPaths=' + SOCKET not in text:
            failures.append('%s: %d %s' % (what, done.returncode, text))
    shutil.rmtree('/run/systemd', ignore_errors=True)
    return failures


@test('without GnuTLS, and without the library of mechanisms')
def libraries():
    listener = harness.Listener(lambda c: c.close(), unix=SOCKET)
    os.chmod(SOCKET, 0o666)
    _, text, _ = run_as(NOBODY, 'b@example.net', env={'LD_DEBUG': 'files'})
    listener.close()
    if os.path.exists(SOCKET):
        os.unlink(SOCKET)
    loaded = [n for n in ('libgnutls', 'libgsasl', 'libunbound') if re.search(r'file=%s\S* \[0\]; *generating' % n, text)]
    return [] if not loaded and 'libc.so' in text else ['%r: %s' % (loaded, text[-300:])]


# --- with the service --------------------------------------------------------------------------


def silent_world(*args):
    """A world in which nothing was run by itself."""
    w = World(*args)
    w.err = w.out = ''
    return w


class Service:
    """The service as its user, in the foreground, until it is stopped."""

    def __init__(self, *options):
        self.log = harness.Folder()
        folder = self.log.__enter__()
        self.path = os.path.join(folder, 'log')
        self.out = open(self.path, 'wb')
        entry = pwd.getpwnam('msubmit')
        self.process = subprocess.Popen(
            ['setpriv', '--reuid=%d' % entry.pw_uid, '--regid=%d' % entry.pw_gid, '--clear-groups', PROGRAM, '-bD',
             '-C', OWN] + list(options), stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.out, cwd='/',
            env={'PATH': os.environ['PATH'], 'STATE_DIRECTORY': '/var/spool/msubmit'})
        end = time.monotonic() + 20 * harness.SCALE
        while 'listening on' not in self.text() and self.process.poll() is None and time.monotonic() < end:
            time.sleep(0.02)

    def text(self):
        with open(self.path, encoding='utf-8', errors='replace') as f:
            return f.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20 * harness.SCALE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.out.close()
        self.log.__exit__()


def point_at(world):
    """The service's accounts use the resolver, proxy and certificates of this world."""
    with open(OWN, encoding='utf-8') as f:
        text = f.read()
    for key in ('resolver', 'proxy', 'tls-trust-file'):
        value = [a for a in world.args if a.startswith('--%s=' % key)][0].split('=', 1)[1]
        text = re.sub('(?m)^%s = .*' % key.replace('-', '_'), lambda m, k=key, v=value: '%s = %s' %
                      (k.replace('-', '_'), v), text)
    with open(OWN, 'w', encoding='utf-8') as f:
        f.write(text)


def listen_keys(*lines):
    """These keys, and no others of before, in the listener's section."""
    with open(OWN, encoding='utf-8') as f:
        text = f.read()
    text = re.sub('(?m)^(allow|deny|user_rate|local_login).*\n', '', text)
    with open(OWN, 'w', encoding='utf-8') as f:
        f.write(text.replace('[listen service]\n', '[listen service]\n' + ''.join(line + '\n' for line in lines)))


def transaction(sender=USER, rcpts=('b@example.net',), answers=None, mail='', data=True):
    """What the real server hears and says."""
    text = auth() + 'C: MAIL FROM:<%s>%s\nS: 250 2.1.0 ok\n' % (sender, mail)
    for rcpt in rcpts:
        text += 'C: RCPT TO:<%s>*\nS: %s\n' % (rcpt, (answers or {}).get(rcpt, '250 2.1.5 ok'))
    return text + ('C: DATA\nS: 354 go\nC: <message>\nS: 250 2.0.0 taken\n' if data else '')


@test('anybody sends, and gets the real server\'s answer for each recipient')
def sends():
    rcpts = ('b@example.net', 'c@example.net')
    server = smtp(transaction(rcpts=rcpts, answers={rcpts[1]: '550 5.1.1 no such user'}, mail='*'))
    with silent_world({'smtp.example.org': {465: server}}) as w:
        point_at(w)
        with Service() as service:
            status, text, _ = run_as(33, '-t', data=b'To: b@example.net, c@example.net\nBcc:\n'
                                     b'Subject: x\n\nbody\n')
            if status != 67 or "'c@example.net'" not in text or 'no such user' not in text:
                w.failures.append('%d: %s' % (status, text))
            message = server.messages[0] if server.messages else b''
            head = message.decode().split('\r\n\r\n')[0]
            for field in ('From', 'Date', 'Message-ID', 'Received', 'Subject'):
                if len(re.findall('(?m)^%s:' % field, head)) != 1:
                    w.failures.append('%s: %s' % (field, head))
            if 'Bcc' in head:
                w.failures.append(head)
            log = service.text()
            for word in ('uid=33', 'login=' + pwd.getpwuid(33).pw_name, 'program=msubmit'):
                if word not in log:
                    w.failures.append('no %s in: %s' % (word, log))
            if PASSWORD in log:
                w.failures.append('the password is in the log')
        return w.end()


@test('what is asked of the server travels: DSN reaches the real one')
def requests():
    text = transaction(mail=' RET=HDRS ENVID=id1*').replace('250-peer', '250-peer / 250-DSN').replace(
        'RCPT TO:<b@example.net>*', 'RCPT TO:<b@example.net> NOTIFY=SUCCESS*')
    with silent_world({'smtp.example.org': {465: smtp(text)}}) as w:
        point_at(w)
        with Service() as service:
            status, text, _ = run_as(33, '-N', 'success', '-R', 'hdrs', '-V', 'id1', 'b@example.net')
            if status:
                w.failures.append('%d: %s, log %s' % (status, text, service.text()))
        return w.end()


@test('a sandbox with a user without name, no new privileges, a /tmp of its own and nothing to write to sends')
def sandboxed():
    server = smtp(transaction(mail='*'))
    with silent_world({'smtp.example.org': {465: server}}) as w:
        point_at(w)
        with Service() as service:
            done = subprocess.run(['unshare', '--mount', '--propagation', 'private', 'sh', '-c',
                                   'mount -t tmpfs -o ro tmpfs %s; mount -o remount,bind,ro /; '
                                   'mount -o remount,bind,ro /run; '
                                   'exec setpriv --no-new-privs --reuid=64321 --regid=64321 --clear-groups --bounding-set=-all '
                                   '"$0" b@example.net' % ('/mnt' if PROGRAM.startswith('/tmp/') else '/tmp'),
                                   PROGRAM], input=MESSAGE, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=60, env={'PATH': os.environ['PATH']})
            if done.returncode or 'login=uid64321' not in service.text():
                w.failures.append('%d: %s, log %s' % (done.returncode, done.stdout.decode(), service.text()))
        return w.end()


@test('--check goes through it up to the real server, and needs no secret')
def checked():
    server = smtp(auth() + CHECK)
    with silent_world({'smtp.example.org': {465: server}}) as w:
        point_at(w)
        with Service():
            status, text, _ = run_as(NOBODY, '--check', data=b'')
            if status or 'FAIL' in text or 'the service has it' not in text:
                w.failures.append('%d: %s' % (status, text))
        return w.end()


@test('who may not is told so: 77, and the server hears nothing')
def not_allowed():
    failures = []
    name = pwd.getpwuid(33).pw_name
    for keys, args, words in (
            (['deny_users = %s' % name], [], 'user %s may not submit mail' % name),
            (['allow_users = root'], [], 'user %s may not submit mail' % name),
            (['allow_groups = adm'], [], 'user %s may not submit mail' % name),
            (['local_login_sender_maps = %s=*@shop.example' % name], [],
             'user %s may not submit mail as <you@example.org>' % name)):
        with silent_world() as w:
            listen_keys(*keys)
            with Service() as service:
                status, text, _ = run_as(33, 'b@example.net', *args)
                if status != 77 or words not in text or w.socks.asked:
                    w.failures.append('%r: %d %s, log %s' % (keys, status, text, service.text()))
            failures += w.end()
    listen_keys()
    return failures


@test('user_rate: the third of two is for later, and others have their own')
def rate():
    server = smtp(*[transaction(mail='*')] * 3)
    with silent_world({'smtp.example.org': {465: server}}) as w:
        point_at(w)
        listen_keys('user_rate = 2/1h')
        with Service() as service:
            got = [run_as(uid, 'b@example.net')[:2] for uid in (33, 33, 33, NOBODY)]
            if [status for status, _ in got] != [0, 0, 75, 0] or 'within 3600 s' not in got[2][1]:
                w.failures.append('%r, log %s' % (got, service.text()))
        listen_keys()
        w.servers = []
        return w.end()


# --- who wants the secret ----------------------------------------------------------------------


class Thief:
    """A server without TLS that takes everything and keeps what it hears."""

    def __init__(self):
        self.heard = b''
        self.listener = harness.Listener(self.session)
        self.port = self.listener.port

    def session(self, client):
        client.settimeout(10)
        try:
            client.sendall(b'220 x\r\n')
            while True:
                data = client.recv(65536)
                if not data:
                    break
                self.heard += data
                for line in data.splitlines():
                    word = line[:4].upper()
                    if word in (b'EHLO', b'LHLO'):
                        client.sendall(b'250-x\r\n250 AUTH PLAIN LOGIN\r\n')
                    elif word == b'DATA':
                        client.sendall(b'354 go\r\n')
                    elif word in (b'AUTH', b'MAIL', b'RCPT', b'QUIT', b'RSET') or line == b'.':
                        client.sendall(b'235 ok\r\n' if word == b'AUTH' else b'250 ok\r\n')
        except OSError:
            pass
        client.close()


def attempts(port, home):
    """(what is tried, arguments, environment): none may show the secret to a user."""
    to = ['--via=direct', '--host=127.0.0.1', '--port=%d' % port, '--tls=off', '--auth=plain', '--auth-plaintext=always',
          '--user=x', '--from=a@example.org', '--syslog=off']
    yield 'the file as a configuration', ['-C', SECRET, 'b@x.example'], {}
    yield 'that of the service', ['-C', OWN, 'b@x.example'], {}
    yield 'shown', ['-C', OWN, '--print-config', '--all'], {}
    yield 'shown of users', ['--print-config', '--all'], {}
    yield 'explained', ['--via=direct', '--explain', '--dry-run', 'b@x.example'], {}
    yield 'as password file', to + ['--password-file=' + SECRET, 'b@x.example'], {}
    yield 'by a command', to + ['--password-command=cat ' + SECRET, 'b@x.example'], {}
    yield 'by a shell', to + ['--passwordeval=cat ' + SECRET, 'b@x.example'], {}
    yield 'as netrc', to + ['--netrc=' + SECRET, 'b@x.example'], {}
    yield 'as a token', to + ['--oauth-token-file=' + SECRET, 'b@x.example'], {}
    yield 'as a credential', to + ['--password-credential=default.password', 'b@x.example'], \
        {'CREDENTIALS_DIRECTORY': SECRETS}
    yield 'by the environment', ['b@x.example'], {'MSUBMIT_HOST': '127.0.0.1', 'MSUBMIT_PORT': str(port),
                                                  'MSUBMIT_TLS': 'off', 'MSUBMIT_PASSWORD_FILE': SECRET,
                                                  'MSUBMIT_USER': 'x', 'MSUBMIT_AUTH_PLAINTEXT': 'always'}
    yield 'attached', to[:5] + ['--auth=off', '--compose', '--to=b@x.example', '--subject=x', '--attach=' + SECRET], {}
    yield 'as the body', to[:5] + ['--auth=off', '--compose', '--to=b@x.example', '--body-file=' + SECRET], {}
    yield 'as aliases', to[:5] + ['--auth=off', '--aliases=' + SECRET, 'b@x.example'], {}
    yield 'as rules', to[:5] + ['--auth=off', '--rewrite-map=' + SECRET, 'b@x.example'], {}
    yield 'as certificates', to[:5] + ['--auth=off', '--tls-trust-file=' + SECRET, 'b@x.example'], {}
    yield 'as a key', to[:5] + ['--tls=on', '--tls-key-file=' + SECRET, '--tls-cert-file=' + SECRET, 'b@x.example'], {}
    yield 'with a link of the user\'s', ['-C', home + '/link', 'b@x.example'], {}
    yield 'as an import', ['--import', OWN], {}
    yield 'as a log', to[:5] + ['--auth=off', '--logfile=' + SECRET, 'b@x.example'], {}
    yield 'checked', ['-C', OWN, '--check'], {}
    yield 'all mistakes of it', ['-C', SECRET, '--check-config'], {}
    yield 'as sendmail', ['-C', OWN, '-t', '-i'], {}
    yield 'the state of the service', ['-bp'], {'STATE_DIRECTORY': '/var/spool/msubmit'}


@test('an unprivileged user gets at the secret by no option and no environment')
def no_option():
    failures = []
    thief = Thief()
    with harness.Folder() as home:
        os.chmod(home, 0o755)
        os.symlink(SECRET, home + '/link')
        for what, args, env in attempts(thief.port, home):
            status, text, _ = run_as(33, *args, env=dict(env, HOME=home))
            if PASSWORD in text or status == 70 or status < 0:
                failures.append('%s: %d %s' % (what, status, text))
            # what leads to the file itself is refused, with nothing of it said
            if what not in ('shown of users', 'as a log', 'the state of the service', 'as certificates', 'as aliases') \
                    and not status:
                failures.append('%s: taken: %s' % (what, text))
    thief.listener.close()
    for word in (PASSWORD.encode(), configure_world.plain().encode(), configure_world.plain('x').encode()):
        if word in thief.heard:
            failures.append('sent: %r' % thief.heard[-300:])
    return failures


@test('... nor by the files, a link in place of the socket, or another socket')
def no_file():
    failures = []

    def look_for(paths):
        for path in paths:
            done = subprocess.run(['find', path, '-type', 'f', '-exec', 'cat', '{}', '+'] if os.path.isdir(path) else
                                  ['cat', path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  preexec_fn=drop(33), cwd='/')
            if done.returncode == 0 or PASSWORD in done.stdout.decode():
                failures.append('%s: %s' % (path, done.stdout.decode()))
    look_for([SECRET, OWN, SECRETS, '/var/spool/msubmit'])
    for path in (SECRETS + '/x', '/etc/msubmit/x', '/run/msubmit/x', '/var/spool/msubmit/x'):
        done = subprocess.run(['sh', '-c', ': > ' + path], stderr=subprocess.DEVNULL, preexec_fn=drop(33), cwd='/')
        if done.returncode == 0:
            failures.append('written: ' + path)
    return failures


def ptrace_attach(pid):
    """In a child of another user: 0 when it could attach."""
    child = os.fork()
    if child == 0:
        drop(33)()
        libc = ctypes.CDLL(None, use_errno=True)
        os._exit(0 if libc.ptrace(16, pid, None, None) == 0 else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@test('... nor from the service\'s process: /proc, ptrace, core')
def no_process():
    failures = []
    with silent_world() as w:
        with Service() as service:
            pid = service.process.pid
            # a session that is open, so that a worker is there as well
            client = socket.socket(socket.AF_UNIX)
            client.connect(SOCKET)
            client.recv(100)
            children = subprocess.run(['pgrep', '-P', str(pid)], stdout=subprocess.PIPE).stdout.split()
            for one in [pid] + [int(c) for c in children]:
                if os.stat('/proc/%d' % one).st_uid == 33:
                    failures.append('of the wrong user')
                for name in ('environ', 'mem', 'maps', 'fd', 'cwd', 'exe', 'auxv'):
                    words = {'cwd': ['readlink'], 'exe': ['readlink'], 'fd': ['ls']}.get(name, ['head', '-c1'])
                    done = subprocess.run(words + ['/proc/%d/%s' % (one, name)], stdout=subprocess.DEVNULL,
                                          stderr=subprocess.DEVNULL, preexec_fn=drop(33), cwd='/')
                    if done.returncode == 0:
                        failures.append('/proc/PID/%s can be read' % name)
                with open('/proc/%d/limits' % one, encoding='ascii') as f:
                    if not re.search('^Max core file size +0 +0 ', f.read(), re.M):
                        failures.append('a core can be written')
                for name in ('environ', 'cmdline'):
                    with open('/proc/%d/%s' % (one, name), 'rb') as f:
                        if PASSWORD.encode() in f.read():
                            failures.append('the password is in ' + name)
                if ptrace_attach(one) == 0:
                    failures.append('ptrace attaches')
            client.close()
        failures += w.end()
    return failures


# --- files for service managers ----------------------------------------------------------------


@test('what is installed for systemd names the program, and is as systemd wants it')
def units():
    failures = []
    with harness.Folder() as root:
        done = subprocess.run(['make', '-s', '-C', BUILDDIR, 'DESTDIR=' + root, 'install-dist_systemunitDATA',
                               'install-dist_sysusersDATA', 'install-dist_tmpfilesDATA', 'install-data-hook'],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=dict(os.environ, MAKEFLAGS=''))
        found = {os.path.basename(os.path.dirname(p)) + '/' + os.path.basename(p): p
                 for p in glob.glob(root + '/**/msubmit*', recursive=True) if os.path.isfile(p)}
        wanted = {'system/msubmit.service', 'system/msubmit.socket', 'sysusers.d/msubmit.conf', 'tmpfiles.d/msubmit.conf'}
        if done.returncode or not wanted <= set(found):
            return ['%d, %r: %s' % (done.returncode, sorted(found), done.stdout.decode())]
        with open(found['system/msubmit.service'], encoding='utf-8') as f:
            text = f.read()
        program = re.search(r'^ExecStart=(\S+/bin/msubmit) -bD -C /etc/msubmit/msubmit.conf$', text, re.M)
        if not program:
            return ['no program: ' + text]
        with open(found['system/msubmit.service'], 'w', encoding='utf-8') as f:
            f.write(text.replace(program.group(1), PROGRAM))
        folder = os.path.dirname(found['system/msubmit.service'])
        if shutil.which('systemd-analyze'):
            done = subprocess.run(['systemd-analyze', 'verify', '--man=no', found['system/msubmit.service'],
                                   found['system/msubmit.socket']], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  env=dict(os.environ, SYSTEMD_UNIT_PATH=folder + ':'))
            text = [line for line in done.stdout.decode().splitlines() if 'msubmit' in line]
            failures += text + (['verify: %d' % done.returncode] if done.returncode else [])
        if shutil.which('systemd-sysusers'):
            etc = os.path.join(root, 'etc')
            os.mkdir(etc)
            done = subprocess.run(['systemd-sysusers', '--root=' + root, found['sysusers.d/msubmit.conf']],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            with open(etc + '/passwd', encoding='utf-8') as f:
                if not re.search(r'^msubmit:x:\d+:\d+:mail submission:/var/spool/msubmit:', f.read(), re.M):
                    failures.append('sysusers: ' + done.stdout.decode())
    return failures


@test('scripts of other service managers are sound, and run what the manual says')
def scripts():
    failures = []
    for name in ('openrc/msubmit', 'runit/msubmit/run', 's6/msubmit/run'):
        path = os.path.join(SRCDIR, 'contrib', name)
        done = subprocess.run(['sh', '-n', path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        with open(path, encoding='utf-8') as f:
            text = f.read()
        for words in ('-bD -C /etc/msubmit/msubmit.conf', 'STATE_DIRECTORY=/var/spool/msubmit', '/run/msubmit'):
            if words not in text:
                failures.append('%s: no %s' % (name, words))
        if done.returncode or not os.access(path, os.X_OK):
            failures.append('%s: %s' % (name, done.stdout.decode()))
    return failures


if __name__ == '__main__':
    if '--inside' not in sys.argv:
        enter()
        print('1..0 # SKIP needs root and mount namespaces')
        sys.exit(0)
    sys.argv.remove('--inside')
    if not furnish():
        print('1..0 # SKIP nothing can be mounted here')
        sys.exit(0)
    with harness.Folder() as certs_folder:
        configure_world.CERTS = os.path.join(certs_folder, 'certs')
        os.chmod(certs_folder, 0o755)
        os.mkdir(configure_world.CERTS)
        configure_world.make_certificates(configure_world.CERTS)
        sys.exit(harness.run_tap([t for t in TESTS if len(sys.argv) < 2 or sys.argv[1] in t[0]], 1))
