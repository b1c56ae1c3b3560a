"""Those who can keep a message, each in a root or folder of its own, for tests/bench/queue.

A Peer has a command that keeps one message, given on standard input, for later. What it needs
(a daemon, a configuration) runs from __enter__ to __exit__ of its Instance; settle() waits until
nothing of it is at work any more, so that the next one has the machine for itself.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import time

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, 'servers'))
import common                                                           # noqa: E402
import opensmtpd                                                        # noqa: E402
import postfix                                                          # noqa: E402
from common import Instance                                             # noqa: E402

PATH = '/usr/sbin:/usr/bin:/sbin:/bin'
SENDER, RCPT = 'a@example.org', 'b@example.org'
MAIL_ID = 8                     # the set-user-id bits of the packages are for this one
QUIET = 0.3                     # seconds without work: a daemon has come to an end

RC = '''[account default]
host = 127.0.0.1
port = %(port)d
tls = off
from = %(sender)s
domain = client.example.org
aliases =
syslog = off
queue = always
queue_dir = %(queue)s
'''


def compile_all(folder):
    """The programs beside this one that are in C, by their names."""
    made = {}
    for name in ('launch', 'floor', 'drain'):
        made[name] = os.path.join(folder, name)
        subprocess.run([os.environ.get('CC', 'cc'), '-O2', '-o', made[name],
                        os.path.join(os.path.dirname(os.path.abspath(__file__)), name + '.c')], check=True)
    return made


class Drain:
    """The server of drain.c."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def ask(self, line=b'\n'):
        self.process.stdin.write(line)
        self.process.stdin.flush()
        names = ('messages', 'connections', 'most_open', 'said', 'begin', 'last')
        return dict(zip(names, map(float, self.process.stdout.readline().split())))

    def begin(self, delay):
        self.ask(b'%d\n' % delay)
        return time.monotonic()

    def end(self, count, begin):
        """What was counted once count messages have come; with the rate since then."""
        def all_here():
            found = self.ask()
            return found if found['messages'] >= count else None
        found = common.wait_for('all messages', all_here)
        found['rate'] = count / (found['last'] - begin)
        return found


class Peer:
    """One of them: where it runs, how it is called, where its mail lies."""

    def __init__(self, name, root, command, spool, env=None):
        self.name, self.root, self.command, self.spool = name, root, command, spool
        self.env = dict(env or {}, PATH=PATH, LC_ALL='C')

    def kept(self):
        """How many files lie in its spool."""
        return sum(len(names) for _, _, names in os.walk(self.spool))

    def settle(self):
        pass

    def empty(self):
        """Takes out all that lies in its queue; folders stay."""
        for folder, _, names in os.walk(self.spool):
            for name in names:
                if os.path.isfile(os.path.join(folder, name)) and name not in ('usage', 'trigger'):
                    os.unlink(os.path.join(folder, name))


class Msubmit(Peer):
    def __init__(self, binary, home, port=9, settings=''):
        self.binary, self.home, self.rc = binary, home, os.path.join(home, '.msmtprc')
        os.makedirs(home)
        self.configure(port, settings)
        super().__init__('msubmit', '/', [binary, '-odq', RCPT], os.path.join(home, 'queue'),
                         {'HOME': home})

    def configure(self, port, settings=''):
        text = RC % dict(port=port, sender=SENDER, queue=os.path.join(self.home, 'queue'))
        with open(self.rc, 'w') as f:
            f.write(text + settings)
        os.chmod(self.rc, 0o600)

    def run(self, *words, **how):
        how.setdefault('stdout', subprocess.DEVNULL)
        return subprocess.run([self.binary, *words], env=self.env, **how)


class Floor(Peer):
    def __init__(self, program, folder):
        os.makedirs(folder)
        super().__init__('floor', '/', [program, folder], folder)


# --- dma and nullmailer: programs without a daemon --------------------------------


def libraries(instance, programs):
    """The host's shared libraries that the programs of a root need."""
    told = subprocess.run(['ldd', *map(instance.path, programs)], stdout=subprocess.PIPE,
                          check=True).stdout.decode()
    for path in set(re.findall(r'(/\S+) \(0x', told)):
        target = instance.path(path[1:])
        if not os.path.exists(target):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy(path, target)


class Programs(Instance):
    """dma and nullmailer, from the folder of imports."""

    def __init__(self):
        super().__init__('import', ignore=self.unneeded)
        self.owners['mail'] = MAIL_ID
        self.file('etc/passwd', 'root:x:0:0::/:/bin/sh\nmail:x:8:8::/:/usr/sbin/nologin\n')
        self.file('etc/group', 'root:x:0:\nmail:x:8:\n')
        self.file('etc/mailname', 'client.example.org\n')
        libraries(self, ('usr/sbin/dma', 'usr/sbin/nullmailer-queue', 'usr/bin/nullmailer-inject'))

    @staticmethod
    def unneeded(folder, names):
        known = ('usr', 'sbin', 'bin', 'var', 'spool')
        return [name for name in names
                if name not in known and not re.match('dma|nullmailer|sendmail', name)]

    def dma(self):
        self.folder('var/spool/dma', 0o2770, 'root', 'mail')
        self.file('etc/dma/dma.conf', 'SMARTHOST 127.0.0.1\nPORT 9\nDEFER\n'
                  'MAILNAME /etc/mailname\n')
        self.file('etc/dma/auth.conf', '')
        return Peer('dma', self.root, ['/usr/sbin/dma', '-f', SENDER, RCPT],
                    self.path('var/spool/dma'))

    def nullmailer(self):
        for folder in ('', '/queue', '/tmp', '/failed'):
            self.folder('var/spool/nullmailer' + folder, 0o755, 'mail')
        trigger = self.path('var/spool/nullmailer/trigger')
        os.mkfifo(trigger, 0o622)
        self.chown('var/spool/nullmailer/trigger', 'mail')
        self.file('etc/nullmailer/remotes', '127.0.0.1 smtp --port=9\n')
        return Peer('nullmailer', self.root, ['/usr/bin/nullmailer-inject', '-f', SENDER, RCPT],
                    self.path('var/spool/nullmailer/queue'))


# --- Postfix ----------------------------------------------------------------------

# Nothing that only costs: no log, no lookups, all connections at once from the first message on.
POSTFIX = '''
maillog_file =
relayhost = [127.0.0.1]:%(port)d
initial_destination_concurrency = %(connections)d
default_destination_concurrency_limit = %(connections)d
in_flow_delay = 0
smtpd_client_event_limit_exceptions = static:all
'''


class Postfix(Peer):
    DEFER = 'defer_transports = smtp relay local\n'

    def __init__(self, instance, port, smtpd_port, connections):
        self.instance, self.smtpd_port = instance, smtpd_port
        ports = {'plain': smtpd_port, 'starttls': common.free_ports(1)[0],
                 'implicit': common.free_ports(1)[0]}
        sink = type('Sink', (), {'port': port})
        for name in ('server.key', 'server.pem'):
            instance.file('etc/tls/' + name, '')
        postfix.configure(instance, sink, ports)
        with open(instance.path('etc/postfix/main.cf')) as f:
            self.main = ''.join(line for line in f if not re.match('maillog_file|relayhost', line))
        self.main += POSTFIX % dict(port=port, connections=connections)
        self.keep(True)
        # only the plain port is needed
        with open(instance.path('etc/postfix/master.cf')) as f:
            services = re.sub(r'(?m)^127.0.0.1:(%d|%d) .*\n(  .*\n)*' % (
                ports['starttls'], ports['implicit']), '', f.read())
        instance.file('etc/postfix/master.cf', services)
        self.process = instance.start('/usr/lib/postfix/sbin/master', '-c', '/etc/postfix', '-d')
        instance.ready({'plain': smtpd_port}, self.process)
        super().__init__('Postfix', instance.root, ['/usr/sbin/sendmail', '-f', SENDER, RCPT],
                         instance.path('var/spool/postfix'))

    def keep(self, on):
        """Is nothing to be delivered?"""
        self.instance.file('etc/postfix/main.cf', self.main + (self.DEFER if on else ''))

    def call(self, *words):
        return subprocess.run(['/usr/sbin/' + words[0], *words[1:]], check=True,
                              preexec_fn=lambda: os.chroot(self.root), cwd='/', env=self.env,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout

    def managers(self):
        """Ids of the processes that know what is to be deferred."""
        found = set()
        for pid in self.instance.members():
            try:
                with open('/proc/%d/cmdline' % pid, 'rb') as f:
                    if f.read().startswith(b'qmgr\0'):
                        found.add(pid)
            except OSError:
                pass
        return found

    def reload(self):
        """As 'postfix reload' does, which is a script."""
        old = self.managers()
        self.process.send_signal(signal.SIGHUP)
        common.wait_for('a new queue manager', lambda: not old & self.managers())
        time.sleep(QUIET)

    def lies_in(self, *queues):
        return sum(len(names) for queue in queues
                   for _, _, names in os.walk(os.path.join(self.spool, queue)))

    def settle(self):
        common.wait_for('Postfix', lambda: not self.lies_in('maildrop', 'incoming', 'active'))

    def empty(self):
        self.settle()
        self.call('postsuper', '-d', 'ALL')
        for queue in ('deferred', 'defer', 'hold'):
            subprocess.run(['find', os.path.join(self.spool, queue), '-type', 'f', '-delete'])

    def fill(self, count, message):
        """count messages in the deferred queue."""
        self.call('smtp-source', '-m', str(count), '-s', '8', '-f', SENDER, '-t', RCPT,
                  '-F', message, '127.0.0.1:%d' % self.smtpd_port)
        common.wait_for('all of them deferred', lambda: self.lies_in('deferred') >= count)
        self.settle()


# --- OpenSMTPD --------------------------------------------------------------------

OPENSMTPD = '''
listen on 127.0.0.1 port %d
action "sink" relay host smtp://127.0.0.1:9
match from any for any action "sink"
'''


class Opensmtpd(Peer):
    def __init__(self, instance, port):
        for folder in ('var/lib/opensmtpd/empty', 'var/mail'):
            instance.folder(folder)
        instance.folder('var/spool/smtpd', 0o711)
        instance.file('etc/smtpd.conf', OPENSMTPD % port)
        instance.file('etc/ssl/certs/ca-certificates.crt', '')
        if not instance.exists('usr/sbin/sendmail'):
            os.symlink('smtpctl', instance.path('usr/sbin/sendmail'))
        with open(instance.path('usr/sbin/smtpctl'), 'rb') as f:
            program = f.read()
        os.unlink(instance.path('usr/sbin/smtpctl'))            # a link to the one of all
        instance.file('usr/sbin/smtpctl', program, 0o755)
        os.chown(instance.path('usr/sbin/smtpctl'), 0, instance.owners['opensmtpq'])
        os.chmod(instance.path('usr/sbin/smtpctl'), 0o2755)
        process = instance.start('/usr/sbin/smtpd', '-d', '-f', '/etc/smtpd.conf')
        instance.ready({'plain': port}, process)
        super().__init__('OpenSMTPD', instance.root, ['/usr/sbin/sendmail', '-f', SENDER, RCPT],
                         instance.path('var/spool/smtpd/queue'))
        subprocess.run(['/usr/sbin/smtpctl', 'pause', 'mta'], check=True, cwd='/',
                       preexec_fn=lambda: os.chroot(self.root), env=self.env,
                       stdout=subprocess.DEVNULL)

    def settle(self):
        time.sleep(QUIET)

    def empty(self):
        """The daemon remembers all of them: they stay."""
