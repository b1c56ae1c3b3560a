"""What the tests with real servers share.

A Sink takes what a server passes on (or what msubmit sends) and keeps it. An
Instance is a throw-away copy of a server's files, run by chroot: its own users,
ports and folders, nothing of the machine's. The cases are in suite.py.
"""
import base64
import ctypes
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness                                                          # noqa: E402

SERVERS = os.environ.get('MSUBMIT_SERVERS', '/var/cache/msubmit-tests')
WAIT = 60 * harness.SCALE       # seconds for anything that should take one
USER, PASSWORD, TOKEN = 'joe@example.org', 'p%ss "w;o#rd', 'ya29.t0ken-of/joe=='
SIZE_LIMIT = 1000000
LAST_UID = 60020
stopping = threading.Event()
OWNERS = {'root': 0, 'nobody': 65534}
FIXED = ('usr', 'lib', 'lib64', 'bin', 'sbin', 'dev', 'proc')         # of a root: holds no mail


class Failure(Exception):
    """A case has failed; the text says why."""


def skip_all(why):
    print('1..0 # SKIP ' + why)
    sys.exit(77)


def free_ports(count):
    """Ports below those that the system gives to clients, which could take one meanwhile."""
    return [harness.free_port() for _ in range(count)]


def wait_for(what, condition, process=None):
    """The value of condition() once it is true."""
    end = time.monotonic() + WAIT
    while True:
        value = condition()
        if value:
            return value
        if process and process.poll() is not None:
            raise Failure('%s: the server has ended with %s' % (what, process.returncode))
        if time.monotonic() > end:
            raise Failure('%s: not within %d s' % (what, WAIT))
        time.sleep(0.02)


def wait_ports(ports, process=None):
    """Until a server answers: with a greeting, where it speaks first."""
    def answers(mode, port):
        try:
            with socket.create_connection(('127.0.0.1', port), 5) as s:
                return mode == 'implicit' or s.recv(512).startswith(b'220')
        except OSError:
            return False
    for mode, port in ports.items():
        wait_for('port of %s' % mode, lambda m=mode, p=port: answers(m, p), process)


# --- where mail ends -----------------------------------------------------------


class Mail:
    """A message as it came: parameters of MAIL and RCPT, octets without dot-stuffing."""

    def __init__(self, sender, params):
        self.sender, self.params, self.rcpts, self.data = sender, params, {}, b''
        self.order = []         # of recipients, as they were named


class Sink:
    """An SMTP server that keeps what it gets. Recipients unknown...@ are refused, busy...@ deferred.

    With 'AUTH PLAIN' among its extensions it lets everybody in."""

    COMMAND = re.compile(rb'(?i)(MAIL FROM|RCPT TO):<(.*?)>((?: \S+)*)$', re.S)

    EXTENSIONS = ('PIPELINING', '8BITMIME', 'SMTPUTF8', 'DSN', 'SIZE %d' % SIZE_LIMIT,
                  'ENHANCEDSTATUSCODES')

    def __init__(self, extensions=EXTENSIONS, port=0):
        self.extensions, self.mails, self.faults = extensions, [], []
        self.logins = []
        self.changed = threading.Condition()
        self.listener = harness.Listener(self.session, port=port)
        self.port = self.listener.port

    @property
    def connections(self):
        return self.listener.connections

    def close(self):
        self.listener.close()

    def session(self, connection):
        try:
            with connection, connection.makefile('rb') as lines:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.talk(lines, lambda text: connection.sendall(text.encode() + b'\r\n'))
        except OSError:
            pass

    def talk(self, lines, say):
        mail = None
        say('220 sink.example.net ESMTP')
        for line in iter(lines.readline, b''):
            if not line.endswith(b'\r\n') or b'\r' in line[:-2] or b'\0' in line:
                self.faults.append('bad line end: %r' % line)
            verb = line[:4].upper()
            found = self.COMMAND.match(line.rstrip(b'\r\n'))
            if verb in (b'EHLO', b'LHLO'):
                keywords = ('sink.example.net',) + self.extensions
                say('\r\n'.join('250%s%s' % ('-' if i + 1 < len(keywords) else ' ', k)
                                for i, k in enumerate(keywords)))
            elif found and verb == b'MAIL':
                mail = Mail(found.group(2), found.group(3).split())
                say('250 2.1.0 ok')
            elif found and mail and found.group(2).startswith(b'unknown'):
                say('550 5.1.1 no such user')
            elif found and mail and found.group(2).startswith(b'busy'):
                say('450 4.2.1 try later')
            elif found and mail:
                mail.rcpts[found.group(2)] = found.group(3).split()
                mail.order.append(found.group(2).decode('utf-8', 'backslashreplace'))
                say('250 2.1.5 ok')
            elif verb == b'AUTH' and b'AUTH PLAIN' in line:
                self.logins.append(base64.b64decode(line.split()[2]).decode())
                say('235 2.7.0 welcome')
            elif verb == b'DATA' and mail and mail.rcpts:
                say('354 go on')
                self.take(lines, mail)
                say('250 2.0.0 kept')
                mail = None
            elif verb == b'QUIT':
                return say('221 2.0.0 bye')
            elif verb in (b'RSET', b'NOOP', b'HELO'):
                mail = None if verb == b'RSET' else mail
                say('250 2.0.0 ok')
            else:
                say('503 5.5.1 not now')

    def take(self, lines, mail):
        data = []
        for line in iter(lines.readline, b''):
            if line == b'.\r\n':
                break
            if not line.endswith(b'\r\n') or b'\r' in line[:-2]:
                self.faults.append('bad line end in data: %r' % line[:80])
            data.append(line[1:] if line.startswith(b'.') else line)
        else:
            return
        mail.data = b''.join(data)
        with self.changed:
            self.mails.append(mail)
            self.changed.notify_all()

    def find(self, rcpt):
        rcpt = rcpt.encode() if isinstance(rcpt, str) else rcpt
        return next((m for m in self.mails if rcpt in m.rcpts), None)

    def wait(self, rcpt):
        """The first mail for a recipient."""
        with self.changed:
            if not self.changed.wait_for(lambda: self.find(rcpt), WAIT):
                raise Failure('nothing has come for %s' % rcpt)
        return self.find(rcpt)


class Place:
    """Where a message can come to lie: a sink, and what is written below a folder, if any."""

    def __init__(self, sink, root):
        self.sink, self.root, self.start = sink, root, time.time() - 60

    def files(self):
        """What was written since the server has started."""
        for folder, folders, names in os.walk(self.root) if self.root else ():
            if folder == self.root:
                folders[:] = [f for f in folders if f not in FIXED]
            for path in (os.path.join(folder, name) for name in names):
                try:
                    if os.path.isfile(path) and os.stat(path).st_mtime >= self.start:
                        with open(path, 'rb') as f:
                            yield path, f.read()
                except FileNotFoundError:       # moved on meanwhile
                    pass

    def where(self, mark):
        """Where copies of the message with this mark are, each as often as it is there."""
        found = ['sink'] * sum(mail.data.count(mark) for mail in list(self.sink.mails))
        for path, data in self.files():
            found += [os.path.relpath(path, self.root)] * data.count(mark)
        return found


# --- a server's files and processes -----------------------------------------------


def adopt_orphans():
    """Servers' children whose parents are gone become ours, to be waited for."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)         # PR_SET_CHILD_SUBREAPER


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


class Instance:
    """A throw-away copy of SERVERS/name, by hard links; with: stops and removes all.

    ignore: as for shutil.copytree(), what is not needed of it."""

    def __init__(self, name, users=(), ignore=None):
        source = os.path.join(SERVERS, name)
        if os.getuid():
            skip_all('not root: a server needs its own users and chroot')
        if not os.path.exists(os.path.join(source, '.msubmit-tests')):
            skip_all('no %s in %s: run contrib/install-test-tools' % (name, SERVERS))
        self.processes, self.closing = [], []
        self.root = tempfile.mkdtemp(prefix='.run-', dir=SERVERS)
        try:
            os.chmod(self.root, 0o755)
            shutil.copytree(source, self.root, symlinks=True, copy_function=self.link,
                            dirs_exist_ok=True, ignore=ignore)
            self.surroundings(users)
        except BaseException:
            shutil.rmtree(self.root, ignore_errors=True)
            raise

    @staticmethod
    def link(source, target):
        if os.path.islink(source):
            os.symlink(os.readlink(source), target)
        else:
            os.link(source, target)

    def surroundings(self, users):
        self.owners = dict(OWNERS)
        self.owners.update((user, LAST_UID - i) for i, user in enumerate(users))
        self.file('etc/passwd', ''.join('%s:x:%d:%d::/:/usr/sbin/nologin\n' % (u, n, n)
                                        for u, n in self.owners.items()))
        self.file('etc/group', ''.join('%s:x:%d:\n' % i for i in self.owners.items()))
        self.file('etc/hosts', '127.0.0.1 localhost\n')
        self.file('etc/nsswitch.conf',
                  'passwd: files\ngroup: files\nhosts: files\nservices: files\n')
        self.file('etc/services', 'smtp 25/tcp\nsubmissions 465/tcp\nsubmission 587/tcp\n')
        for folder in ('tmp', 'var/tmp', 'var/log', 'run'):
            self.folder(folder, 0o1777)
        for folder in ('bin', 'sbin', 'lib', 'lib64'):          # as in newer Debian
            if self.exists('usr/' + folder) and not self.exists(folder):
                os.symlink('usr/' + folder, self.path(folder))
        if not self.exists('var/run'):
            os.symlink('../run', os.path.join(self.root, 'var/run'))
        self.folder('dev')
        for i, device in enumerate(('null', 'zero', 'random', 'urandom')):
            self.device(os.path.join(self.root, 'dev', device), (3, 5, 8, 9)[i])

    @staticmethod
    def device(path, minor):
        try:
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, minor))
            with open(path, 'r+b'):
                pass
        except OSError:         # no rights, or the file system has no devices: octets will do
            if os.path.exists(path):
                os.unlink(path)
            with open(path, 'wb') as f:
                f.write(b'' if minor == 3 else os.urandom(4096))
        os.chmod(path, 0o666)

    def path(self, name):
        return os.path.join(self.root, name)

    def exists(self, name):
        return os.path.exists(self.path(name))

    def chown(self, name, owner):
        os.chown(self.path(name), self.owners[owner], self.owners[owner])

    def folder(self, name, mode=0o755, owner='root', group=None):
        os.makedirs(self.path(name), exist_ok=True)
        os.chown(self.path(name), self.owners[owner], self.owners[group or owner])
        os.chmod(self.path(name), mode)

    def file(self, name, text, mode=0o644, owner='root'):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'wb') as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        self.chown(name, owner)
        os.chmod(path, mode)

    def certificates(self, certs):
        """The server's key and certificate, and the CA, in etc/tls."""
        for name, source in zip(('server.pem', 'server.key', 'ca.pem'), certs('server')):
            with open(source, 'rb') as f:
                self.file('etc/tls/' + name, f.read(), 0o600 if name.endswith('.key') else 0o644)

    def keep_syslog(self):
        """What a server tells syslog goes to var/log."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        listener.bind(self.path('dev/log'))
        os.chmod(self.path('dev/log'), 0o666)

        def serve():
            with open(self.path('var/log/syslog'), 'ab', 0) as f:
                while True:
                    f.write(listener.recv(8192) + b'\n')
        threading.Thread(target=serve, daemon=True).start()

    def start(self, *argv, env=None):
        def enter():
            os.chroot(self.root)
            os.chdir('/')
            os.umask(0o022)
        with open(self.path('var/log/output'), 'ab') as output:
            process = subprocess.Popen(argv, preexec_fn=enter, stdin=subprocess.DEVNULL,
                                       stdout=output, stderr=output, start_new_session=True,
                                       env=env or {'PATH': '/usr/sbin:/usr/bin:/sbin:/bin',
                                                   'TZ': 'UTC'})
        self.processes.append(process)
        return process

    def ready(self, ports, process):
        try:
            wait_ports(ports, process)
        except Failure as e:
            sys.exit('Bail out! %s\n%s' % (e, self.log()))

    def members(self):
        """Ids of all processes whose root is ours."""
        found = []
        for pid in filter(str.isdigit, os.listdir('/proc')):
            try:
                if os.readlink('/proc/%s/root' % pid).startswith(self.root):
                    found.append(int(pid))
            except OSError:
                pass
        return found

    def kill(self, number):
        for pid in self.members():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def log(self, lines=20):
        """The end of every log."""
        out = []
        for folder, _, files in os.walk(self.path('var/log')):
            for name in sorted(files):
                with open(os.path.join(folder, name), 'rb') as f:
                    text = f.read().decode('utf-8', 'replace').splitlines()[-lines:]
                out += ['%s: %s' % (name, line) for line in text]
        return '\n'.join(out)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill(signal.SIGTERM)
        end = time.monotonic() + 2
        while self.members() and time.monotonic() < end:
            for process in self.processes:
                process.poll()
            time.sleep(0.02)
        self.kill(signal.SIGKILL)
        for process in self.processes:
            process.wait()
        reap()
        shutil.rmtree(self.root, ignore_errors=True)


# --- running ---------------------------------------------------------------------


def with_log(instance, test):
    """A failed case shows the end of the server's log."""
    name, function = test

    def case():
        if stopping.is_set():
            return ['stopped']
        try:
            return function() or []
        except (Failure, OSError, subprocess.SubprocessError) as e:
            return [str(e), '--- log', instance.log()]
    return (name, case) if function else test


def stop(*_):
    """On a signal: no further case, but everything is cleaned up."""
    stopping.set()
    sys.exit(1)


def main(run):
    """Exits with what run(certs, home) returns; its surroundings are always removed."""
    harness.binary()
    adopt_orphans()
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    with harness.Folder() as home:
        certs = harness.Certificates(os.path.join(home, 'certs'))
        for name, text in (('password', PASSWORD), ('token', TOKEN), ('wrong', 'wr0ng')):
            path = os.path.join(home, name)
            with open(path, 'w', encoding='utf-8') as f:
                f.write(text + '\n')
            os.chmod(path, 0o600)
        sys.exit(run(certs, home))


def run_cases(instance, tests):
    return harness.run_tap([with_log(instance, test) for test in tests])
