#!/usr/bin/env python3
"""The server's sockets and processes: sections, Unix sockets, activation, inetd, --once, TLS from
the first octet, client certificates, LMTP, reload, the queue beside it.

MSUBMIT names the program; prints TAP. No root, no network, free ports only."""
import glob
import os
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import listener_test
from harness import environment, run_tap
from listener_test import LIMIT, MESSAGE, PROGRAM, Client, Server, expect, expect_start, secure, test, users, wait_until

TESTS = listener_test.TESTS
TESTS.clear()


class Daemon:
    """'msubmit -bd --foreground' with a configuration file and what is given besides."""

    def __init__(self, folder, text, *args, **kwargs):
        self.folder = folder
        self.rc = os.path.join(folder, 'rc')
        self.kwargs = kwargs
        self.args = args
        self.write(text)

    def write(self, text):
        with open(self.rc, 'w', encoding='ascii') as f:
            f.write(text.format(folder=self.folder))
        os.chmod(self.rc, 0o600)

    def popen(self, **kwargs):
        self.err_path = os.path.join(self.folder, 'stderr')
        with open(self.err_path, 'wb') as err:
            return subprocess.Popen([PROGRAM, '-C', self.rc, '-bd', '--foreground', *self.args],
                                    stdout=err, stderr=err, env=environment(self.folder), cwd=self.folder,
                                    **{'stdin': subprocess.DEVNULL, **kwargs})

    def stderr(self):
        with open(self.err_path, encoding='utf-8', errors='replace') as f:
            return f.read()

    def __enter__(self):
        self.process = self.popen(**self.kwargs)
        wait_until(lambda: 'listening on' in self.stderr() or self.process.poll() is not None, 'the server')
        assert self.process.poll() is None, self.stderr()
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.process.terminate()
            status = self.process.wait(LIMIT)
            assert kind or status == 0, '%s: %s' % (status, self.stderr())

    def ports(self):
        return [int(line.rsplit(':', 1)[1]) for line in self.stderr().splitlines() if 'listening on 127' in line]


class UnixClient(Client):
    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(LIMIT)
        self.sock.connect(path)
        self.file = self.sock.makefile('rb')


def deliver_by(client, message=MESSAGE):
    replies = client.start_data()
    client.send(message + b'.\r\n')
    return replies + [client.reply()]


def stored(folder, box='box'):
    return glob.glob(os.path.join(folder, box, 'new', '*'))


UNIX = '[listen local]\nlisten = unix:{folder}/sock\ndeliver = maildir:{folder}/box\nserver_name = srv.example\n'


@test
def sections(folder):
    """all [listen] sections at once; -a names one of them"""
    text = ''.join('[listen %s]\nlisten = 127.0.0.1:0\ndeliver = maildir:{folder}/%s\nserver_name = %s.example\n'
                   % (n, n, n) for n in ('one', 'two'))
    with Daemon(folder, text) as d:
        wait_until(lambda: len(d.ports()) == 2, 'both ports')
        for port, name in zip(d.ports(), ('one', 'two')):
            with Client(('127.0.0.1', port)) as c:
                replies = deliver_by(c)
                expect_start(replies[0], '220 %s.example ' % name)
                expect_start(replies[-1], '250 ')
            expect(len(stored(folder, name)), 1)
    with Daemon(folder, text, '-a', 'two') as d:
        expect(len(d.ports()), 1)
        with Client(('127.0.0.1', d.ports()[0])) as c:
            expect_start(c.reply(), '220 two.example ')


@test
def unix_socket(folder):
    """a Unix socket: mode, who the client is in the log and in Received, lenient; gone at the end"""
    path = os.path.join(folder, 'sock')
    with Daemon(folder, UNIX + 'socket_mode = 0660\n') as d:
        expect(os.stat(path).st_mode & 0o777, 0o660)
        with UnixClient(path) as c:
            expect_start(deliver_by(c, b'Subject: x\n\nbody\r\n')[-1], '250 ')
        wait_until(lambda: 'result=broken' in d.stderr(), 'the log')     # without QUIT
        assert ' uid=%d login=' % os.getuid() in d.stderr() and ' program=python' in d.stderr(), \
            d.stderr()
        with open(stored(folder)[0], 'rb') as f:
            assert b'(local, uid %d)' % os.getuid() in f.read()
    assert not os.path.exists(path)


MAPPED = UNIX + 'local_login_sender_maps = *=*@shop.example\nauth_file = {folder}/users\n'


@test
def on_whose_behalf(folder):
    """AUTH= of MAIL says no more for a local user than the sender may; the rest counts as <>"""
    users(folder)
    with Daemon(folder, MAPPED.replace('maildir:{folder}/box', 'queue') +
                '[account default]\nhost = localhost\nqueue = auto\nqueue_dir = {folder}/queue\n'
                'from = *@shop.example\nfrom_override = any\n'):
        with UnixClient(os.path.join(folder, 'sock')) as c:
            c.reply()
            c.say('EHLO me')
            for told in ('root@shop.example', 'root@bank.example'):
                expect_start(c.say('MAIL FROM:<a@shop.example> AUTH=' + told), '250 ')
                expect_start(c.say('RCPT TO:<b@y.example>'), '250 ')
                expect_start(c.say('DATA'), '354 ')
                c.send(MESSAGE + b'.\r\n')
                expect_start(c.reply(), '250 ')
    kept = b''
    for path in glob.glob(os.path.join(folder, 'queue', '**', '*'), recursive=True):
        if os.path.isfile(path):
            with open(path, 'rb') as f:
                kept += f.read()
    assert b'root@shop.example' in kept, kept
    assert b'root@bank.example' not in kept, kept


@test
def log_is_whole(folder):
    """whatever a client says, the log has who, from whom, how many and what came of it"""
    long = '.'.join(c * 60 for c in 'bcd')
    with Daemon(folder, UNIX) as d:
        with UnixClient(os.path.join(folder, 'sock')) as c:
            c.reply()
            c.say('EHLO me')
            expect_start(c.say('MAIL FROM:<%s@%s>' % ('a' * 60, long)), '250 ')
            for k in range(30):
                expect_start(c.say('RCPT TO:<%s%d@%s>' % ('x' * 50, k, long)), '250 ')
            expect_start(c.say('DATA'), '354 ')
            c.send(MESSAGE + b'.\r\n')
            expect_start(c.reply(), '250 ')
            expect_start(c.say('QUIT'), '221 ')
        wait_until(lambda: 'result=ended' in d.stderr(), 'the log')
        line = [line for line in d.stderr().splitlines() if ' uid=' in line][0]
        for part in ('from=<aaa', 'recipients=30', 'to=<xxx', ' reply=250 ', ' result=stored as '):
            assert part in line, (part, line)


@test
def dead_socket(folder):
    """a socket that a killed server left is replaced, a living one is not"""
    path = os.path.join(folder, 'sock')
    left = socket.socket(socket.AF_UNIX)
    left.bind(path)
    left.close()
    with Daemon(folder, UNIX) as d:
        with UnixClient(path) as c:
            expect_start(c.reply(), '220 ')
        first = d.err_path
        other = Daemon(folder, UNIX)
        process = other.popen()
        expect(process.wait(LIMIT), 71)
        d.err_path = first
        with UnixClient(path) as c:
            expect_start(c.reply(), '220 ')


@test
def wrong_sockets(folder):
    """addresses, modes and owners that cannot be are 78, and nothing is left"""
    for more in ('listen = unix:sock\n', 'listen = unix:/' + 'x' * 200 + '\n', 'socket_mode = 0999\n',
                 'socket_owner = nobody-of-that-name\n', 'listen = 0.0.0.0:0\n', 'listen = 0.0.0.0:0\nallow_remote = on\n'):
        d = Daemon(folder, UNIX + more)
        expect((more, d.popen().wait(LIMIT)), (more, 78))
        expect(glob.glob(os.path.join(folder, 'sock*')), [])


@test
def passed_sockets(folder):
    """sockets of the service manager: by name, else in order; not for another process"""
    text = UNIX + '[listen net]\nlisten = 127.0.0.1:0\ndeliver = maildir:{folder}/net\nserver_name = net.example\n'
    listening = [socket.create_server(('127.0.0.1', 0)) for _ in range(2)]

    def start(names, mine=True):
        def preexec():
            for number, sock in enumerate(listening):
                os.dup2(sock.fileno(), 33 + number)
            for number in range(len(listening)):
                os.dup2(33 + number, 3 + number)
        code = ('import os,sys;os.environ["LISTEN_PID"]=str(os.getpid()+%d);os.execv(sys.argv[1],sys.argv[1:])'
                % (not mine))
        env = environment(folder)
        env.update(LISTEN_FDS='2', **({'LISTEN_FDNAMES': names} if names else {}))
        err = open(os.path.join(folder, 'stderr'), 'wb')
        rc = Daemon(folder, text).rc
        return subprocess.Popen([sys.executable, '-c', code, PROGRAM, '-C', rc, '-bd', '--foreground'], env=env,
                                stdin=subprocess.DEVNULL, stdout=err, stderr=err, close_fds=False,
                                preexec_fn=preexec)
    with listening[0], listening[1]:
        for names, order in ((None, ('srv', 'net')), ('net:local', ('net', 'srv'))):
            process = start(names)
            for sock, name in zip(listening, order):
                with Client(sock.getsockname()) as c:
                    expect_start(c.reply(), '220 %s.example ' % name)
            process.terminate()
            expect(process.wait(LIMIT), 0)
        process = start(None, mine=False)
        wait_until(lambda: os.path.exists(os.path.join(folder, 'sock')), 'its own socket')
        process.terminate()
        process.wait(LIMIT)


@test
def inetd(folder):
    """a connected socket as standard input is served with the settings of the section, then it ends"""
    for mode in ('-bd', '-bs'):
        with socket.create_server(('127.0.0.1', 0)) as listening:
            with socket.create_connection(listening.getsockname(), LIMIT) as client:
                server, _ = listening.accept()
                d = Daemon(folder, '[listen x]\ndeliver = maildir:{folder}/box\nserver_name = srv.example\n')
                process = subprocess.Popen([PROGRAM, '-C', d.rc, mode], stdin=server, stdout=server,
                                           stderr=subprocess.PIPE, env=environment(folder), cwd=folder)
                server.close()
                c = Client.__new__(Client)
                c.sock, c.file = client, client.makefile('rb')
                expect_start(deliver_by(c)[-1], '250 ')
                expect_start(c.say('NOOP\n'), '500 ')
                expect_start(c.reply(), '500 ')
                expect_start(c.say('QUIT'), '221 ')
                c.file.close()
            expect((process.wait(LIMIT), process.stderr.read()), (0, b''))
    expect(len(stored(folder)), 2)


@test
def once(folder):
    """--once: one client, in the foreground, and the end"""
    d = Daemon(folder, UNIX, '--once')
    with d:
        with UnixClient(os.path.join(folder, 'sock')) as c:
            expect_start(deliver_by(c)[-1], '250 ')
            expect_start(c.say('QUIT'), '221 ')
        expect(d.process.wait(LIMIT), 0)
        assert not os.path.exists(os.path.join(folder, 'sock'))
    expect(len(stored(folder)), 1)


@test
def reload(folder):
    """SIGHUP: new settings for new clients, the session under way goes on, the socket stays open"""
    with Daemon(folder, UNIX + 'max_rcpt = 1\n') as d:
        path = os.path.join(folder, 'sock')
        inode = os.stat(path).st_ino
        with UnixClient(path) as old:
            replies = old.start_data()
            expect_start(replies[-1], '354 ')
            d.write(UNIX.replace('srv.example', 'new.example') + '[listen two]\nlisten = 127.0.0.1:0\n'
                    'deliver = maildir:{folder}/two\n')
            d.process.send_signal(signal.SIGHUP)
            wait_until(lambda: 'result=reloaded' in d.stderr(), 'the reload')
            expect(os.stat(path).st_ino, inode)
            with UnixClient(path) as c:
                expect_start(c.reply(), '220 new.example ')
            old.send(MESSAGE + b'.\r\n')
            expect_start(old.reply(), '250 ')
            d.write(UNIX + 'no_such_key = 1\n')
            d.process.send_signal(signal.SIGHUP)
            wait_until(lambda: 'result=not-reloaded' in d.stderr(), 'the refusal')
            assert 'no_such_key' in d.stderr(), d.stderr()
            # a socket is not made anew: to say that it is closed to others now would be a lie
            d.write(UNIX + 'socket_mode = 0660\n')
            d.process.send_signal(signal.SIGHUP)
            wait_until(lambda: d.stderr().count('reloaded') > 2, 'the second refusal')
            assert 'socket_mode' in d.stderr(), d.stderr()
            expect_start(old.say('QUIT'), '221 ')
        with UnixClient(path) as c:
            expect_start(c.reply(), '220 new.example ')
        d.write('[listen two]\nlisten = 127.0.0.1:0\ndeliver = maildir:{folder}/two\n')
        d.process.send_signal(signal.SIGHUP)
        wait_until(lambda: d.stderr().count('result=reloaded') == 2, 'the second reload')
        assert not os.path.exists(path)
        wait_until(lambda: len(children(d.process.pid)) == 1, 'the end of the old workers')
    expect(len(stored(folder)), 1)


def children(pid):
    done = subprocess.run(['ps', '-o', 'pid=', '--ppid', str(pid)], stdout=subprocess.PIPE, check=False)
    return [int(word) for word in done.stdout.split()]


def patient(path):
    """A client that has been greeted: the place of the one before may not be free yet."""
    end = time.monotonic() + LIMIT
    while True:
        c = UnixClient(path)
        if c.reply().startswith('220') or time.monotonic() > end:
            return c
        c.__exit__()
        time.sleep(0.02)


@test
def workers_live_on(folder):
    """one worker serves one client after the other; only a second client makes a second one"""
    with Daemon(folder, UNIX + 'max_clients = 1\n') as d:
        pids = set()
        for _ in range(20):
            with patient(os.path.join(folder, 'sock')) as c:
                for line in ('EHLO me', 'MAIL FROM:<a@x.example>', 'RCPT TO:<b@y.example>'):
                    expect_start(c.say(line), '250')
                expect_start(c.say('DATA'), '354 ')
                c.send(MESSAGE + b'.\r\n')
                expect_start(c.reply(), '250 ')
                pids.update(children(d.process.pid))
                expect_start(c.say('QUIT'), '221 ')
                expect(c.rest(), b'')
        expect(len(pids), 1)
        with open('/proc/%d/status' % pids.pop(), encoding='ascii') as f:
            assert 'NoNewPrivs:\t1' in f.read()
    expect(len(stored(folder)), 20)


@test
def many_at_once(folder):
    """thirty clients at once, each with three messages: all stored, none twice"""
    clients = []
    with Daemon(folder, UNIX):
        for _ in range(30):
            clients.append(UnixClient(os.path.join(folder, 'sock')))
        for c in clients:
            c.reply()
        for c in clients:
            c.send(b'EHLO me\r\n' + 3 * (b'MAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\nDATA\r\n'
                                         + MESSAGE + b'.\r\n') + b'QUIT\r\n')
        for c in clients:
            expect(c.rest().count(b'\n250 2.0.0 '), 3)
            c.__exit__()
    expect(len(stored(folder)), 90)


def as_somebody(action):
    """What action() returns, a text, in a process of a user other than root."""
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            os.write(into, action().encode())
        finally:
            os._exit(0)
    os.close(into)
    with open(out, encoding='utf-8') as f:
        text = f.read()
    os.waitpid(pid, 0)
    return text


@test
def one_user(folder):
    """one user cannot have all places: the last ones are for the others"""
    os.chmod(folder, 0o711)
    path = os.path.join(folder, 'sock')
    clients = []

    def connect():
        for _ in range(8):
            clients.append(UnixClient(path))
            expect_start(clients[-1].reply(), '220 ')
        with UnixClient(path) as c:
            said = [c.reply()]
        clients.pop().say('QUIT')
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            with UnixClient(path) as c:
                said.append(c.reply())
                if said[-1].startswith('220'):
                    break
            time.sleep(0.05)
        return '\n'.join(said)

    with Daemon(folder, UNIX + 'socket_mode = 0666\nmax_clients = 10\n') as d:
        said = as_somebody(connect).split('\n')
        expect(said[0], '421 4.3.2 too many connections, try again later')
        expect_start(said[-1], '220 ')
        assert "reason='too many connections of one user'" in d.stderr(), d.stderr()


@test
def implicit_tls(folder):
    """implicit_tls: TLS from the first octet, STARTTLS is not offered; clear text gets no session"""
    server, context = secure(folder)
    server.args.append('--implicit_tls=on')
    with server:
        with smtplib.SMTP_SSL('localhost', server.address[1], timeout=LIMIT, context=context) as smtp:
            smtp.ehlo()
            assert not smtp.has_extn('starttls')
            smtp.sendmail('a@x.example', ['b@y.example'], MESSAGE)
        with server.connect() as c:
            c.send(b'EHLO me\r\n')
            assert b'250' not in c.rest()
        expect(len(server.messages()), 1)


@test
def client_certificate(folder):
    """server_client_ca: whoever shows a certificate of it has signed in; without one there is no session"""
    server, context = secure(folder)
    certs = listener_test.Certificates(os.path.join(folder, 'certs'))
    cert, key, ca = certs('client')
    server.args += ['--server_client_ca=' + ca, '--auth_required=on', '--auth_file=' + users(folder),
                    '--implicit_tls=on']
    with server:
        try:
            with smtplib.SMTP_SSL('localhost', server.address[1], timeout=LIMIT, context=context) as smtp:
                smtp.ehlo()
                smtp.sendmail('a@x.example', ['b@y.example'], MESSAGE)
            raise AssertionError('a client without certificate was served')
        except (ssl.SSLError, smtplib.SMTPException, OSError):
            pass
        context.load_cert_chain(cert, key)
        with smtplib.SMTP_SSL('localhost', server.address[1], timeout=LIMIT, context=context) as smtp:
            smtp.sendmail('a@x.example', ['b@y.example'], MESSAGE)
        expect(len(server.messages()), 1)


@test
def lmtp(folder):
    """protocol = lmtp: a reply for each recipient, to our own client as well"""
    account = '[account default]\nprotocol = lmtp\nsocket = {folder}/sock\nfrom = a@x.example\n'
    with Daemon(folder, account + UNIX + 'protocol = lmtp\n'):
        with UnixClient(os.path.join(folder, 'sock')) as c:
            expect_start(c.reply(), '220 ')
            expect_start(c.say('EHLO me'), '500 ')
            expect_start(c.say('LHLO me'), '250 ')
            c.say('MAIL FROM:<a@x.example>')
            c.say('RCPT TO:<b@y.example>')
            c.say('RCPT TO:<c@y.example>')
            c.say('DATA')
            c.send(MESSAGE + b'.\r\n')
            expect_start(c.reply(), '250 2.0.0 ')
            expect_start(c.reply(), '250 2.0.0 ')
        done = subprocess.run([PROGRAM, '-C', folder + '/rc', 'b@y.example', 'c@y.example'], input=MESSAGE, env=environment(folder),
                              cwd=folder, timeout=LIMIT, stderr=subprocess.PIPE, check=False)
        expect((done.returncode, done.stderr), (0, b''))
    expect(len(stored(folder)), 2)


@test
def remote_address(folder):
    """allow_remote with TLS and sign-in: nothing goes in clear, not even with auth_plain_loopback"""
    server, context = secure(folder, listen='0.0.0.0:0', allow_remote='on', auth_required='on',
                             auth_plain_loopback='on')
    with server:
        server.address = ('127.0.0.1', server.address[1])
        with smtplib.SMTP(*server.address, timeout=LIMIT) as smtp:
            smtp.ehlo()
            expect(smtp.mail('a@x.example')[0], 530)
            smtp.starttls(context=context)
            smtp.ehlo()
            smtp.login('joe', 'secret')
            smtp.sendmail('a@x.example', ['b@y.example'], MESSAGE)
        expect(len(server.messages()), 1)


@test
def early_talker(folder):
    """early_talker = reject: who does not wait for the greeting is not served"""
    for setting, start in (('reject', '554 5.5.0 '), ('log', '220 '), ('auto', '220 ')):
        with Server(folder, early_talker=setting) as server, socket.create_connection(server.address, LIMIT) as s:
            s.sendall(b'EHLO me\r\n')
            with s.makefile('rb') as f:
                expect_start(f.readline().decode(), start)


@test
def slow_command(folder):
    """an octet now and then is no command: idle_timeout is for all of it"""
    with Server(folder, idle_timeout='2') as server, server.connect() as c:
        c.reply()
        end = time.monotonic() + LIMIT
        try:
            while time.monotonic() < end:
                c.send(b'N')
                time.sleep(0.3)
        except OSError:
            pass
        assert time.monotonic() < end
        assert b'421 4.4.2' in c.rest()


def lasts(c, say, pause=0.3):
    """How long the server lets it go on, and what it says in the end."""
    begin = time.monotonic()
    try:
        while time.monotonic() < begin + LIMIT:
            c.send(say)
            time.sleep(pause)
    except OSError:
        pass
    return time.monotonic() - begin, c.rest()


@test
def long_session(folder):
    """a client that is busy, and with nothing, holds its place for session_timeout"""
    with Server(folder, session_timeout='2') as server, server.connect() as c:
        c.reply()
        seconds, said = lasts(c, b'NOOP\r\n')
        assert 1 < seconds < LIMIT, seconds
        assert b'421 4.4.2' in said
        assert b'250 ' in said


@test
def endless_commands(folder):
    """the same when it never waits for an answer"""
    with Server(folder, session_timeout='2') as server, server.connect() as c:
        c.reply()
        seconds, said = lasts(c, b'NOOP\r\n' * 10, 0.01)
        assert seconds < LIMIT, seconds


@test
def slow_message(folder):
    """a message that comes an octet at a time has message_timeout"""
    with Server(folder, message_timeout='2') as server, server.connect() as c:
        c.start_data()
        seconds, said = lasts(c, b'x')
        assert 1 < seconds < LIMIT, seconds
        assert b'421 4.4.2' in said
        expect(server.files(), [])


@test
def message_in_time(folder):
    """a message that is under way when the session has lasted long enough is taken"""
    with Server(folder, session_timeout='2') as server, server.connect() as c:
        c.start_data()
        c.send(b'Subject: x\r\n\r\n')
        time.sleep(3)
        c.send(b'text\r\n.\r\n')
        expect_start(c.reply(), '250 2.0.0 ')
        expect_start(c.reply(), '421 4.4.2 ')
        expect(len(server.messages()), 1)


@test
def queue_beside(folder):
    """-bd -q1s: what waits in the queue is sent by a process beside the workers"""
    box = os.path.join(folder, 'relay')
    with Server(folder, deliver='maildir:' + box) as relay:
        text = ('[account default]\nhost = 127.0.0.1\nport = %d\ntls = off\nauth = off\nqueue = always\n'
                'queue_dir = {folder}/queue\nfrom = a@x.example\n' % relay.address[1])
        with Daemon(folder, text + UNIX, '-q1s'):
            done = subprocess.run([PROGRAM, '-C', folder + '/rc', '-odq', 'b@y.example'], input=MESSAGE,
                                  env=environment(folder), cwd=folder, timeout=LIMIT, check=False)
            expect(done.returncode, 0)
            wait_until(lambda: glob.glob(box + '/new/*'), 'the message')


if __name__ == '__main__':
    sys.exit(run_tap(TESTS))
