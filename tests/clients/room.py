"""A room for a program that sends mail: its own /usr/sbin/sendmail, /etc, spool and syslog.

Programs know these paths by heart, so they are given a mount namespace of their own, in
which folders of links lie over the machine's: /usr/sbin holds all that the machine's
holds, and msubmit as sendmail. Nothing of the machine is changed. Programs that would
start services when installed are only unpacked (contrib/install-test-tools) and appear
in the same folders. Each room has a sink that keeps what comes.
"""
import fcntl
import glob
import os
import pty
import select
import shutil
import socket
import struct
import subprocess
import sys
import termios
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness                                                          # noqa: E402
from servers.common import SERVERS, WAIT, Failure, Sink, wait_for       # noqa: E402

UNPACKED, PROGRAMS = (os.path.join(SERVERS, n) for n in ('clients', 'programs'))
SENDER = 'machine@example.org'
ADMIN = 'admin@example.org'
LINKED = ('usr/sbin', 'usr/share')   # the same in every room
OWN = ('etc', 'dev')                            # links too, but each room adds files of its own
EMPTY = ('run', 'var/spool', 'var/log')
RC = '''[account default]
host = 127.0.0.1
port = %d
tls = off
from = machine@example.org
default_domain = example.org
'''
# Arguments: where the machine's folders go, then FOLDER=REPLACEMENT..., --, the command
ENTER = '''set -e
kept=$1
shift
while [ "$1" != -- ]; do
	mount --rbind "/${1%%=*}" "$kept/${1%%=*}"
	mount --rbind "${1#*=}" "/${1%%=*}"
	shift
done
shift
exec "$@"
'''


def unpacked_folders(pattern):
    """The folders of that name of the programs that are only unpacked, as a search path."""
    return ':'.join(f for root in (UNPACKED, PROGRAMS)
                    for f in sorted(glob.glob(os.path.join(root, pattern))))


def unshare():
    """The command that makes a namespace: as root, else where users may have some."""
    return ['unshare', '--mount'] if not os.getuid() else ['unshare', '--user', '--map-root-user',
                                                           '--mount']


class House:
    """What the rooms have in common; made once."""

    def __init__(self, folder):
        self.folder = folder
        os.chmod(os.path.dirname(folder), 0o755)
        self.kept = os.path.join(folder, 'machine')
        os.makedirs(self.kept)
        for name in LINKED + OWN + EMPTY:
            os.makedirs(os.path.join(self.kept, name))
        for name in LINKED:
            self.links(name, os.path.join(folder, name),
                       [os.path.join(root, name) for root in (UNPACKED, PROGRAMS)])
        # a copy, for users who cannot enter the build's folder
        copy = shutil.copy(harness.binary(), os.path.join(folder, 'msubmit'))
        for name in ('sendmail', 'msubmit'):
            path = os.path.join(folder, 'usr/sbin', name)
            if os.path.lexists(path):
                os.unlink(path)
            os.symlink(copy, path)

    def links(self, name, target, more=()):
        """Fills a folder with links to what the machine's has, and to what else is in more."""
        os.makedirs(target)
        for entry in os.listdir('/' + name):
            os.symlink(os.path.join(self.kept, name, entry), os.path.join(target, entry))
        for folder in filter(os.path.isdir, more):
            for entry in os.listdir(folder):
                if not os.path.lexists(os.path.join(target, entry)):
                    os.symlink(os.path.join(folder, entry), os.path.join(target, entry))

    def fault(self):
        """Why no room can be made here; None if one can."""
        if not shutil.which('unshare'):
            return 'no unshare(1)'
        shown = subprocess.run([harness.binary(), '--version'], stdout=subprocess.PIPE, check=False,
                               env=harness.environment('/')).stdout.decode()
        if 'system configuration: /etc/msmtprc\n' not in shown:
            return 'msubmit is built for another configuration than /etc/msmtprc'
        done = subprocess.run(unshare() + ['mount', '--bind', '/tmp', '/tmp'], check=False,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        return 'no mount namespace: ' + done.stderr.decode().strip() if done.returncode else None


class Syslog:
    """Keeps what is written to /dev/log."""

    def __init__(self, path):
        self.lines = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        os.chmod(path, 0o666)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        while True:
            try:
                line = self.socket.recv(65536)
            except OSError:
                return
            if not line:
                return
            self.lines.append(line.decode('utf-8', 'replace'))

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def find(self, word):
        return next((line for line in self.lines if word in line), None)

    def wait(self, word):
        return wait_for('%r in syslog' % word, lambda: self.find(word))


class Shown:
    """What a program has written to its terminal so far."""

    def __init__(self, fd):
        self.fd, self.text, self.seen = fd, '', 0

    def more(self):
        """Reads for a moment; False at the end."""
        try:
            while select.select([self.fd], [], [], 0.2)[0]:
                data = os.read(self.fd, 65536)
                if not data:
                    return False
                self.text += data.decode('utf-8', 'replace')
        except OSError:                 # nobody has the other side any more
            return False
        return True

    def new(self, word):
        """Has the word been shown since it was so the last time?"""
        at = self.text.find(word, self.seen)
        self.seen = len(self.text) if at >= 0 else self.seen
        return at >= 0


class Room:
    """with: makes it, and removes all that was in it."""

    def __init__(self, house):
        self.house = house
        self.unused = None

    def __enter__(self):
        self.folder = harness.Folder()
        self.root = self.folder.__enter__()
        os.chmod(self.root, 0o755)      # daemons give up root's rights
        self.home = self.path('home')
        os.mkdir(self.home)
        for name in OWN:
            self.house.links(name, self.path(name))
        for name in EMPTY:
            os.makedirs(self.path(name))
        self.sink = Sink()
        self.syslog = Syslog(self.replace('dev/log'))
        self.up()
        self.write('etc/aliases', 'root: %s\n' % ADMIN)
        self.write('etc/mailname', 'example.org\n')
        self.write('etc/passwd', 'root:x:0:0:root:%s:/bin/sh\ndaemon:x:1:1::/:/bin/sh\n'
                                 'nobody:x:65534:65534::/:/bin/sh\n' % self.home)
        self.write('etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files\n')
        self.env = harness.environment(self.home)
        self.env.update(
            LC_ALL='C.UTF-8', LD_LIBRARY_PATH=unpacked_folders('usr/lib/*-linux-gnu*'),
            PATH='/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:' + unpacked_folders('usr/bin'),
            PYTHONPATH=unpacked_folders('usr/lib/python3/dist-packages'))
        self.started = []
        return self

    def __exit__(self, *args):
        for process in self.started:
            process.terminate()
            process.wait()
        if self.unused:
            self.unused.close()
        self.sink.close()
        self.syslog.close()
        self.folder.__exit__(*args)

    def path(self, name):
        return os.path.join(self.root, name)

    def replace(self, name):
        """The path of a file, in folders of the room's own: links to the machine's are removed."""
        path = self.root
        for part in name.split('/'):
            path = os.path.join(path, part)
            if os.path.islink(path):
                os.unlink(path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def write(self, name, data, mode=0o644):
        path = self.replace(name)
        with open(path, 'wb') as f:
            f.write(data.encode() if isinstance(data, str) else data)
        os.chmod(path, mode)
        return path

    def put(self, name, source):
        """A copy of a file or folder in the room's place of that name."""
        path = self.replace(name)
        if os.path.isdir(source):
            shutil.copytree(source, path, dirs_exist_ok=True)
        else:
            shutil.copy(source, path)

    def up(self):
        """The server that answers is the sink."""
        self.write('etc/msmtprc', RC % self.sink.port)

    def down(self):
        """From now on no server answers, and no other test gets its port."""
        self.unused = socket.socket()
        self.unused.bind(('127.0.0.1', 0))
        self.write('etc/msmtprc', RC % self.unused.getsockname()[1])

    def command(self, argv):
        mounts = ['%s=%s' % (n, os.path.join(self.house.folder, n)) for n in LINKED] + \
            ['%s=%s' % (n, self.path(n)) for n in OWN + EMPTY]
        return unshare() + ['sh', '-c', ENTER, 'sh', self.house.kept] + mounts + ['--'] + argv

    def start(self, argv, **options):
        """A program that goes on, until the room is left."""
        options.setdefault('env', self.env)
        process = subprocess.Popen(self.command(argv), cwd=self.home, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
        self.started.append(process)
        return process

    def call(self, argv, stdin=b'', **options):
        """(status, what it has printed on both) of a program that ends."""
        options.setdefault('env', self.env)
        stdin = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run(self.command(argv), input=stdin, cwd=self.home,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=3 * WAIT,
                              check=False, **options)
        text = done.stdout.decode('utf-8', 'replace')
        if harness.sanitizer_words(text):
            raise Failure(text)
        return done.returncode, text

    def terminal(self, argv, answers, until=lambda shown: False):
        """(status, what has been shown) of a program at a terminal of its own.

        answers: pairs of a word that is waited for and what is typed then. until(shown): when
        a program is to be ended that does not end by itself."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack('HHHH', 50, 120, 0, 0))
        process = subprocess.Popen(
            self.command(argv), cwd=self.home, env=self.env, stdin=theirs, stdout=theirs,
            stderr=theirs, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.started.append(process)
        os.close(theirs)
        shown, answers, end = Shown(ours), list(answers), time.monotonic() + WAIT
        while not until(shown.text) and shown.more():
            if answers and shown.new(answers[0][0]):
                os.write(ours, answers.pop(0)[1].encode())
            if time.monotonic() > end:
                raise Failure('still running: ' + shown.text[-2000:])
        if until(shown.text):
            process.terminate()
        os.close(ours)
        return process.wait(), shown.text

    def run(self, argv, stdin=b'', code=0, **options):
        """What a program has printed, which must end with that status."""
        status, text = self.call(argv, stdin, **options)
        if status != code:
            raise Failure('%s: status %d, not %d\n%s' % (argv[0], status, code, text))
        return text

    def mail(self, rcpts, sender=SENDER):
        """The only mail that has come, with this envelope."""
        if len(self.sink.mails) != 1:
            raise Failure('%d mails have come' % len(self.sink.mails))
        return self.check(self.sink.mails[0], rcpts, sender)

    def check(self, mail, rcpts, sender=SENDER):
        """A mail with this envelope, recipients in their order."""
        if mail.order != rcpts or mail.sender.decode() != sender:
            raise Failure('from %r to %r' % (mail.sender, mail.order))
        if self.sink.faults:
            raise Failure('\n'.join(self.sink.faults))
        return mail
