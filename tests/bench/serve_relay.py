"""What the listener does with mail, beside Postfix and Dovecot, for tests/bench/serve.

relay: smtp-source sends to one of them, which passes all of it on to the server of drain.c: through
    (the client has that server's reply) and by the queue, and Postfix.
store: the same into a Maildir, by SMTP beside Postfix's local(8), by LMTP beside Dovecot's. Each
    message is synced to disk before the client hears 250.

Postfix, Dovecot and smtp-source come from contrib/install-test-tools and need root.
"""
import contextlib
import os
import statistics
import subprocess
import sys
import time

import queue_peers as peers                # finds the folder of those below
from queue_peers import common
import dovecot
import postfix

AT_ONCE = 20                    # sessions of smtp-source, connections to the sink
SIZE = 1000
RCPT = 'bob@own.example'
ROUNDS = 3
RELAY_BARS = {'through': 4, 'by the queue': 2}      # times Postfix
STORE_BARS = {'Maildir, SMTP': 'Postfix local(8)', 'Maildir, LMTP': 'Dovecot LMTP'}

ACCOUNT = '''[account default]
host = 127.0.0.1
port = %(port)d
tls = off
auth = off
from = *@example.org
aliases =
max_connections = %(most)d
queue = auto
queue_dir = %(folder)s/queue
syslog = off
'''

LOCAL = '''
maillog_file =
mydestination = own.example
local_transport = local
home_mailbox = Maildir/
mailbox_command =
local_destination_concurrency_limit = %d
initial_destination_concurrency = %d
in_flow_delay = 0
smtpd_client_event_limit_exceptions = static:all
smtpd_relay_restrictions = permit_mynetworks reject
''' % (AT_ONCE, AT_ONCE)

LMTP = '''
protocols = lmtp
service lmtp {
  inet_listener lmtp {
    port = %d
  }
}
'''


def files_in(folder):
    try:
        return len(os.listdir(folder))
    except FileNotFoundError:
        return 0


class Source:
    """smtp-source out of the folder of Postfix."""

    def __init__(self, root):
        self.program = os.path.join(root, 'usr/sbin/smtp-source')
        self.env = dict(os.environ, LD_LIBRARY_PATH=os.path.join(root, 'usr/lib/postfix'))

    def send(self, count, port, rcpt, lmtp=False):
        words = [self.program, '-s', str(AT_ONCE), '-m', str(count), '-l', str(SIZE), '-f',
                 peers.SENDER, '-t', rcpt, *(['-L'] if lmtp else []), '127.0.0.1:%d' % port]
        if subprocess.run(words, env=self.env).returncode:
            sys.exit('smtp-source to port %d has failed' % port)


class Ours:
    """The listener in one of its ways."""

    def __init__(self, binary, folder, deliver, port=9, lmtp=False):
        os.makedirs(folder)
        port_file, rc = os.path.join(folder, 'port'), os.path.join(folder, 'rc')
        with open(rc, 'w') as f:
            f.write('[listen bench]\nlisten = 127.0.0.1:0\nserver_name = bench.example\n'
                    'port_file = %s\nmax_clients = %d\nprotocol = %s\ndeliver = %s\n' % (
                        port_file, AT_ONCE + 10, 'lmtp' if lmtp else 'smtp', deliver))
            if deliver in ('account', 'queue'):
                f.write(ACCOUNT % dict(port=port, folder=folder, most=AT_ONCE))
        os.chmod(rc, 0o600)
        env = dict(os.environ, HOME=folder, XDG_STATE_HOME=folder, XDG_CONFIG_HOME=folder)
        words = ['-q15m'] if deliver == 'queue' else []
        self.process = subprocess.Popen([binary, '-C', rc, '-bD', *words], env=env,
                                        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        common.wait_for('the listener', lambda: os.path.exists(port_file), self.process)
        with open(port_file) as f:
            self.port = int(f.read().rsplit(':', 1)[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        if self.process.wait():
            sys.exit('the listener has ended with %d' % self.process.returncode)


def show(title, found, bars, first):
    """A line for each way; bars: how often as fast as another one it must be."""
    rate = {name: statistics.median(all_) for name, all_ in found.items()}
    print('\n%-22s %8s %9s %9s   (load %.1f)' % (title, 'min/s', 'median/s', first, os.getloadavg()[0]))
    good = True
    for name, all_ in found.items():
        other, bar = bars.get(name, (None, 0))
        times = rate[name] / rate[other] if other else 1
        good = good and times >= bar
        print('%-22s %8.0f %9.0f %9.2f%s' % (name, min(all_), rate[name], times,
                                             '' if times >= bar else ' !'))
    return good


# --- on to the next server -------------------------------------------------------------


def relayed(sink, source, port, count, rcpt):
    """Messages a second until the last one has come; each is to come once."""
    os.sync()
    begin = sink.begin(0)
    source.send(count, port, rcpt)
    found = sink.end(count, begin)
    time.sleep(0.2)
    if sink.ask()['messages'] != count:
        sys.exit('%d messages were sent, %d have come' % (count, sink.ask()['messages']))
    return found['rate']


def relay(binary, work, count):
    with contextlib.ExitStack() as stack:
        sink = stack.enter_context(peers.Drain(peers.compile_all(work)['drain']))
        daemon = stack.enter_context(peers.Instance('postfix', ('postfix', 'postdrop')))
        other = peers.Postfix(daemon, sink.port, common.free_ports(1)[0], AT_ONCE)
        other.keep(False)
        other.reload()
        source = Source(daemon.root)
        ports = {'Postfix': other.smtpd_port}
        for name, deliver in (('through', 'account'), ('by the queue', 'queue')):
            ports[name] = stack.enter_context(Ours(
                binary, os.path.join(work, deliver), deliver, sink.port)).port
        found = {name: [] for name in ports}
        for i in range(ROUNDS + 1):
            for name, port in ports.items():
                rate = relayed(sink, source, port, count if i else min(count, 200), peers.RCPT)
                if i:
                    found[name].append(rate)
                other.settle()
        return show('relay, %d messages' % count, found, {
            name: ('Postfix', bar) for name, bar in RELAY_BARS.items()}, 'x Postfix')


# --- into a Maildir ----------------------------------------------------------------------


def local_peer(stack):
    """Postfix with local(8): its root, its port, the folder where mail comes to lie."""
    daemon = stack.enter_context(peers.Instance('postfix', ('postfix', 'postdrop', 'bob')))
    other = peers.Postfix(daemon, 9, common.free_ports(1)[0], AT_ONCE)
    with open(daemon.path('etc/postfix/master.cf'), 'a') as f:
        f.write('local unix - n n - - local\n')
    with open(daemon.path('etc/passwd')) as f:
        users = f.read().replace('::/:/usr/sbin/nologin', '::/home:/usr/sbin/nologin')
    daemon.file('etc/passwd', users)
    daemon.folder('home', 0o755, 'bob')
    other.keep(False)
    postfix.add(daemon, LOCAL)
    other.reload()
    return daemon.root, other.smtpd_port, daemon.path('home/Maildir/new')


def dovecot_peer(stack):
    daemon = stack.enter_context(peers.Instance('postfix', dovecot.USERS))
    for name in ('server.key', 'server.pem', 'ca.pem'):
        daemon.file('etc/tls/' + name, '')
    port = common.free_ports(1)[0]
    introspection = type('None', (), {'port': 9})
    dovecot.configure(daemon, introspection, 'lmtp', LMTP % port, ('PLAIN',))
    with open(daemon.path('etc/dovecot/dovecot.conf')) as f:
        lines = [line for line in f if not line.startswith(('ssl', 'auth_ssl', 'log_path'))]
    daemon.file('etc/dovecot/dovecot.conf', ''.join(lines) + 'ssl = no\nlog_path = /dev/null\n')
    daemon.ready({'plain': port}, dovecot.start(daemon))
    return port, daemon.path('var/vmail/%s/Maildir/new' % RCPT)


def stored(source, port, lmtp, folder, count):
    before = files_in(folder)
    os.sync()
    begin = time.monotonic()
    source.send(count, port, RCPT, lmtp)
    common.wait_for('all messages', lambda: files_in(folder) - before >= count)
    rate = count / (time.monotonic() - begin)
    if files_in(folder) - before != count:
        sys.exit('%d messages in place of %d' % (files_in(folder) - before, count))
    return rate


def store(binary, work, count):
    with contextlib.ExitStack() as stack:
        root, port, box = local_peer(stack)
        ways = {'Postfix local(8)': (port, False, box)}
        ways['Dovecot LMTP'] = (lambda found: (found[0], True, found[1]))(dovecot_peer(stack))
        for name in STORE_BARS:
            lmtp = 'LMTP' in name
            folder = os.path.join(work, 'lmtp.d' if lmtp else 'smtp.d')
            box = os.path.join(folder, 'box')
            ours = stack.enter_context(Ours(binary, folder, 'maildir:' + box, lmtp=lmtp))
            ways[name] = (ours.port, lmtp, os.path.join(box, 'new'))
        source, found = Source(root), {name: [] for name in ways}
        for i in range(ROUNDS + 1):
            for name, (port, lmtp, box) in ways.items():
                rate = stored(source, port, lmtp, box, count if i else min(count, 100))
                if i:
                    found[name].append(rate)
        return show('Maildir, %d messages' % count, found, {
            name: (other, 1) for name, other in STORE_BARS.items()}, 'x peer')
