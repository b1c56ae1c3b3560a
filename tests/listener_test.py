#!/usr/bin/env python3
"""The listener end to end: sockets, workers, signals, TLS, the Maildir.

MSUBMIT names the program; prints TAP. No root, no network, free ports only."""
import base64
import os
import resource
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import SCALE, Certificates, Folder, binary, environment, run_tap, sanitizer_words

PROGRAM = binary()
LIMIT = 20 * SCALE
MESSAGE = b'Subject: x\r\n\r\nbody\r\n'


def wait_until(condition, what):
    end = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > end:
            raise AssertionError('waited in vain for ' + what)
        time.sleep(0.02)


class Server:
    """One listener in a folder of its own; options are keys and values of [listen]."""

    def __init__(self, folder, background=False, preexec=None, **options):
        self.folder = folder
        self.box = os.path.join(folder, 'box')
        self.port_file = os.path.join(folder, 'port')
        self.pid_file = os.path.join(folder, 'pid')
        self.background = background
        self.preexec = preexec
        values = {'listen': '127.0.0.1:0', 'deliver': 'maildir:' + self.box, 'server_name': 'srv.example',
                  'port_file': self.port_file, 'pid_file': self.pid_file}
        values.update(options)
        self.args = [PROGRAM, '-bd'] + ([] if background else ['--foreground'])
        self.args += ['--%s=%s' % (k, v) for k, v in values.items() if v is not None]

    def popen(self, **more):
        self.err_path = os.path.join(self.folder, 'stderr')
        with open(self.err_path, 'wb') as err:
            return subprocess.Popen(self.args, stdin=subprocess.DEVNULL, stdout=err, stderr=err,
                                    env=dict(environment(self.folder), **more), cwd=self.folder,
                                    preexec_fn=self.preexec)

    def status(self, **more):
        """The exit status of one that is not to stay."""
        process = self.popen(**more)
        try:
            return process.wait(LIMIT)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def stderr(self):
        with open(self.err_path, encoding='utf-8', errors='replace') as f:
            return f.read()

    def __enter__(self):
        self.process = self.popen()
        if self.background:
            status = self.process.wait(LIMIT)
            assert status == 0, 'exit status %d: %s' % (status, self.stderr())
        else:
            wait_until(lambda: os.path.exists(self.pid_file) or self.process.poll() is not None, 'pid file')
        assert os.path.exists(self.pid_file), self.stderr()
        with open(self.port_file) as f:
            self.address_line = f.read()
        with open(self.pid_file) as f:
            self.pid = int(f.read())
        host, port = self.address_line.strip().rsplit(':', 1)
        self.address = (host.strip('[]'), int(port))
        return self

    def alive(self):
        try:
            os.kill(self.pid, 0)
            return True
        except ProcessLookupError:
            return False

    def stop(self, number=signal.SIGTERM):
        """Ends it and returns the exit status (None in the background)."""
        os.kill(self.pid, number)
        if not self.background:
            return self.process.wait(LIMIT)
        wait_until(lambda: not self.alive(), 'the end of the server')
        return None

    def __exit__(self, kind, *_):
        if self.background and self.alive():
            self.stop()
        elif not self.background and self.process.poll() is None:
            status = self.stop()
            assert kind or status == 0, 'exit status %s: %s' % (status, self.stderr())
        words = sanitizer_words(self.stderr())
        assert kind or not words, words

    def connect(self):
        return Client(self.address)

    def files(self, folder='new'):
        path = os.path.join(self.box, folder)
        return sorted(os.path.join(path, f) for f in os.listdir(path))

    def messages(self):
        texts = []
        for path in self.files():
            with open(path, 'rb') as f:
                texts.append(f.read())
        return texts


class Client:
    """A plain connection; replies as (code, text of the last line)."""

    def __init__(self, address):
        self.sock = socket.create_connection(address, LIMIT)
        self.file = self.sock.makefile('rb')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.sock.close()

    def line(self):
        return self.file.readline()

    def reply(self):
        while True:
            line = self.line()
            if line[3:4] != b'-':
                return line.decode('ascii').rstrip('\r\n')

    def send(self, data):
        self.sock.sendall(data)

    def say(self, text):
        self.send(text.encode('utf-8') + b'\r\n')
        return self.reply()

    def start_data(self):
        """To the point where the message may follow."""
        return [self.reply(), self.say('EHLO me'), self.say('MAIL FROM:<a@x.example>'),
                self.say('RCPT TO:<b@y.example>'), self.say('DATA')]

    def rest(self):
        try:
            return self.file.read()
        except ConnectionResetError:
            return b''


TESTS = []


def test(function):
    def run():
        with Folder() as folder:
            function(folder)
        return []
    name = function.__doc__.split('\n')[0]
    if 'secure' in function.__code__.co_names and not shutil.which('openssl'):
        TESTS.append((name + ' # SKIP openssl is not installed', lambda: []))
    else:
        TESTS.append((name, run))
    return function


def expect(got, wanted):
    if got != wanted:
        raise AssertionError('got %r instead of %r' % (got, wanted))


def expect_start(got, wanted):
    if not got.startswith(wanted):
        raise AssertionError('got %r instead of %r...' % (got, wanted))


@test
def delivers(folder):
    """smtplib's message lies in new/ with its trace fields and LF line ends"""
    with Server(folder) as server:
        expect(server.address_line, '127.0.0.1:%d\n' % server.address[1])
        with smtplib.SMTP(*server.address, timeout=LIMIT) as smtp:
            smtp.sendmail('a@x.example', ['b@y.example'], b'Subject: x\r\n\r\n.dot\r\n\xff\r\n',
                          ['BODY=8BITMIME'])
        text, = server.messages()
        expect_start(text, b'Return-Path: <a@x.example>\nDelivered-To: b@y.example\nReceived: from ')
        assert b'\n\tfor <b@y.example>;\n\t' in text, text
        assert text.endswith(b'\nSubject: x\n\n.dot\n\xff\n'), text
        assert b'\r' not in text
        expect(server.files('tmp'), [])
        expect(os.stat(server.files()[0]).st_mode & 0o777, 0o600)


@test
def own_name(folder):
    """without server_name it greets with the name of the host"""
    with Server(folder, server_name=None) as server, server.connect() as c:
        words = c.reply().split(' ')
        expect([words[0]] + words[2:], ['220', 'ESMTP', 'msubmit'])
        assert words[1] and words[1] != '(null)', words
        expect_start(c.say('EHLO me'), '250 ')


@test
def ipv6(folder):
    """it listens on [::1]"""
    try:
        socket.create_server(('::1', 0), family=socket.AF_INET6).close()
    except OSError:
        return
    with Server(folder, listen='[::1]:0') as server:
        expect(server.address_line, '[::1]:%d\n' % server.address[1])
        with server.connect() as c:
            c.start_data()
            expect_start(c.say('Subject: x\r\n\r\nbody\r\n.'), '250 2.0.0 ')
        text, = server.messages()
        assert b'([IPv6:::1])' in text, text


@test
def refuses_other_addresses(folder):
    """only loopback addresses, in the right form"""
    for listen in ('0.0.0.0:0', '192.0.2.1:0', '[::]:0', '[2001:db8::1]:0', '[::ffff:127.0.0.1]:0',
                   'example.org:0', '127.0.0.1', '127.0.0.1:65536', '127.0.0.1:-1', '127.0.0.1:x',
                   '::1:25', '[127.0.0.1]:0', '127.1:0', '128.0.0.1:0', '126.255.255.255:0'):
        server = Server(folder, listen=listen)
        status = server.status()
        assert status == 78, '%s: exit status %s, %s' % (listen, status, server.stderr())
        assert listen in server.stderr(), server.stderr()


@test
def refuses_settings(folder):
    """settings that cannot work are refused before anything listens"""
    cases = [
        (dict(deliver='mbox:/x'), 78), (dict(deliver='maildir:' + folder + '/missing/box'), 73),
        (dict(server_cert=folder + '/missing.pem', server_key=folder + '/missing.key'), 78),
        (dict(server_cert='/dev/null'), 78), (dict(require_tls='yes'), 78),
        (dict(server_name='a b'), 78), (dict(auth_required='yes'), 78), (dict(auth_file=folder + '/missing'), 78),
        (dict(port_file=folder + '/missing/port'), 73), (dict(pid_file=folder + '/missing/pid'), 73),
    ]
    for options, wanted in cases:
        for background in (False, True):
            server = Server(folder, background=background, **options)
            status = server.status()
            assert status == wanted, '%s: exit status %s, %s' % (options, status, server.stderr())
            assert server.stderr().strip(), options
            assert not os.path.exists(server.port_file), options


@test
def port_in_use(folder):
    """a port in use is an error that the caller sees, also from the background"""
    with socket.create_server(('127.0.0.1', 0)) as taken:
        for background in (False, True):
            server = Server(folder, background=background, listen='127.0.0.1:%d' % taken.getsockname()[1])
            expect(server.status(), 71)
            assert 'in use' in server.stderr(), server.stderr()


@test
def background(folder):
    """-bd returns when the server stands; it goes on by itself and removes its files at the end"""
    with Server(folder, background=True) as server:
        assert server.pid != server.process.pid
        with smtplib.SMTP(*server.address, timeout=LIMIT) as smtp:
            smtp.sendmail('a@x.example', ['b@y.example'], MESSAGE)
        expect(len(server.messages()), 1)
        os.kill(server.pid, signal.SIGHUP)      # of a terminal that goes away
        with server.connect() as c:
            expect_start(c.reply(), '220 ')
        server.stop()
        assert not os.path.exists(server.port_file)
        assert not os.path.exists(server.pid_file)


@test
def stops_on_signals(folder):
    """SIGTERM and SIGINT end it with status 0"""
    for number in (signal.SIGTERM, signal.SIGINT):
        with Server(folder) as server:
            expect(server.stop(number), 0)
            assert not os.path.exists(server.port_file)
            assert not os.path.exists(server.pid_file)


@test
def stop_tells_clients(folder):
    """SIGTERM: idle clients get 421, nobody new is let in"""
    with Server(folder) as server, server.connect() as idle, server.connect() as greeted:
        expect_start(idle.reply(), '220 ')
        greeted.reply()
        greeted.say('EHLO me')
        greeted.say('MAIL FROM:<a@x.example>')
        expect(server.stop(), 0)
        expect_start(idle.reply(), '421 4.3.2 ')
        expect_start(greeted.reply(), '421 4.3.2 ')
        expect(greeted.rest(), b'')
        try:
            socket.create_connection(server.address, 1).close()
        except OSError:
            return
        raise AssertionError('still listening')


@test
def stop_finishes_message(folder):
    """SIGTERM in the middle of a message: it is finished, stored and answered, then 421"""
    with Server(folder) as server, server.connect() as c:
        c.start_data()
        c.send(b'Subject: x\r\n\r\nfirst half\r\n')
        os.kill(server.pid, signal.SIGTERM)
        wait_until(lambda: refused(server.address), 'the end of listening')
        c.send(b'second half\r\n.\r\n')
        expect_start(c.reply(), '250 2.0.0 ')
        expect_start(c.reply(), '421 4.3.2 ')
        expect(server.process.wait(LIMIT), 0)
        text, = server.messages()
        assert text.endswith(b'first half\nsecond half\n'), text


def refused(address):
    try:
        socket.create_connection(address, 1).close()
        return False
    except ConnectionRefusedError:
        return True
    except OSError:
        return False


@test
def hang_up_in_data(folder):
    """a client that goes away inside DATA leaves nothing, at every octet of the end"""
    end = b'Subject: x\r\n\r\nbody\r\n.\r\n'
    with Server(folder) as server:
        for n in list(range(0, len(end), 4)) + [len(end) - 2, len(end) - 1]:
            with server.connect() as c:
                expect_start(c.start_data()[-1], '354 ')
                c.send(end[:n])
                c.sock.shutdown(socket.SHUT_WR)
                expect(c.rest(), b'')
        expect(server.files(), [])
        expect(server.files('tmp'), [])
        with server.connect() as c:             # reset instead of an orderly end
            c.start_data()
            c.send(end[:-1])
            c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
        wait_until(lambda: server.files('tmp') == [], 'the message to be given up')
        expect(server.files(), [])


@test
def killed_worker(folder):
    """a worker that is killed leaves no message in new/, and the server goes on"""
    with Server(folder) as server:
        with server.connect() as c:
            c.start_data()
            c.send(b'half\r\n')
            wait_until(lambda: server.files('tmp'), 'the message to begin')
            children = subprocess.run(['ps', '-o', 'pid=', '--ppid', str(server.pid)], check=True,
                                      stdout=subprocess.PIPE).stdout.split()
            expect(len(children), 2)     # the other waits for the next client
            for child in children:
                os.kill(int(child), signal.SIGKILL)
            expect(c.rest(), b'')
        expect(server.files(), [])
        with server.connect() as c:
            c.start_data()
            expect_start(c.say('x\r\n.'), '250 ')
        expect(len(server.messages()), 1)


@test
def max_clients(folder):
    """more than max_clients get 421 4.3.2, and a place is free again when one goes"""
    with Server(folder, max_clients='2') as server:
        with server.connect() as one, server.connect() as two:
            expect_start(one.reply(), '220 ')
            expect_start(two.reply(), '220 ')
            with server.connect() as three:
                expect_start(three.reply(), '421 4.3.2 ')
                expect(three.rest(), b'')
            expect_start(one.say('NOOP'), '250 ')
            expect_start(one.say('QUIT'), '221 ')

        def let_in():
            with server.connect() as c:
                return c.reply().startswith('220 ')
        wait_until(let_in, 'a free place')


@test
def many_clients(folder):
    """clients in parallel, several messages each: all stored, each once, under different names"""
    with Server(folder) as server:
        clients = [smtplib.SMTP(*server.address, timeout=LIMIT) for _ in range(8)]
        for n in range(5):
            for i, smtp in enumerate(clients):
                smtp.sendmail('a@x.example', ['b@y.example'], b'Subject: %d-%d\r\n\r\nx\r\n' % (i, n))
        for smtp in clients:
            smtp.quit()
        subjects = sorted(t.split(b'\nSubject: ')[1].split(b'\n')[0] for t in server.messages())
        expect(subjects, sorted(b'%d-%d' % (i, n) for i in range(8) for n in range(5)))


SPELLINGS = (b'\n.\n', b'\n.\r\n', b'\r\n.\n', b'\r.\r', b'\r.\r\n', b'\r\n.\r', b'\n.\r', b'\r.\n',
             b'\r\n\0.\r\n', b'\r\n.\0\r\n', b'\r\r\n.\r\r\n', b'\r\n.\r\r\n')
FORGED = b'MAIL FROM:<x@x.example>\r\nRCPT TO:<y@y.example>\r\nDATA\r\nSubject: forged\r\n\r\nx'


@test
def blank_behind_the_colon(folder):
    """MAIL FROM: <a@x.example>, as monit writes it: strict says which setting takes it"""
    for strict, wanted in (('yes', b'501 5.5.4 the form is FROM:<local@domain>, no blank in it; '
                            b'strict = off takes it\r\n'), ('no', b'250 2.1.0')):
        with Server(folder, strict=strict) as server, server.connect() as c:
            c.send(b'EHLO x\r\nMAIL FROM: <a@x.example>\r\nQUIT\r\n')
            expect_start(c.rest().partition(b'250 ENH')[2].partition(b'\r\n')[2], wanted)


@test
def smuggling(folder):
    """twelve spellings of the end of data: one reply, at most one message, never the forged one"""
    for strict in ('yes', 'no'):
        with Server(folder, strict=strict) as server:
            for spelling in SPELLINGS:
                with server.connect() as c:
                    c.start_data()
                    c.send(b'Subject: x\r\n\r\nbody' + spelling + FORGED + b'\r\n.\r\nQUIT\r\n')
                    replies = c.rest().split(b'\r\n')
                    expect(len(replies), 3)
                    wanted = b'554 5.6.0' if b'\0' in spelling else \
                        b'550 5.5.2' if strict == 'yes' else b'250 2.0.0'
                    expect_start(replies[0], wanted)
                    expect_start(replies[1], b'221 ')
            stored = server.messages()
            expect(len(stored), 0 if strict == 'yes' else 10)
            for text in stored:
                expect_start(text, b'Return-Path: <a@x.example>\n')
                assert b'MAIL FROM:<x@x.example>\nRCPT TO:<y@y.example>\nDATA\n' in text, text
            shutil.rmtree(server.box)


@test
def pipelining(folder):
    """a whole session in one segment is answered in order"""
    with Server(folder) as server, server.connect() as c:
        one = b'MAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\nDATA\r\n' + MESSAGE + b'.\r\n'
        c.send(b'EHLO me\r\n' + one * 3 + b'QUIT\r\n')
        codes = [line[:3] for line in c.rest().split(b'\r\n') if line[3:4] == b' ']
        expect(codes, [b'220', b'250'] + [b'250', b'250', b'354', b'250'] * 3 + [b'221'])
        expect(len(server.messages()), 3)


@test
def last_words_arrive(folder):
    """a client that still sends when it is told 421 gets to read it"""
    with Server(folder) as server, server.connect() as c:
        c.send(b'FOO\r\n' * 5000)
        replies = c.rest().rstrip(b'\r\n').split(b'\r\n')
        expect(sum(line.startswith(b'500 ') for line in replies), 20)
        expect_start(replies[-1], b'421 4.7.0 ')


def refused_files(folder):
    """Settings of TLS that cannot be used: certificate, key, authorities, what is to be named."""
    certs = Certificates(os.path.join(folder, 'certs'))
    cert, key, ca = certs('server')
    other = certs('client')[1]
    wrong, public = os.path.join(folder, 'wrong.pem'), os.path.join(folder, 'public.key')
    with open(wrong, 'w', encoding='ascii') as f:
        f.write('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')
    shutil.copy(key, public)
    os.chmod(public, 0o644)
    yield from ((cert, other, None, other), (wrong, key, None, wrong), (cert, wrong, None, wrong),
                (key, key, None, key), (cert, public, None, public), (cert, key, wrong, wrong),
                (cert, folder, None, folder))


@test
def tls_files(folder):
    """files of TLS that cannot be used are 78 at the start, and named"""
    for cert, key, ca, named in refused_files(folder):
        options = {'server_client_ca': ca} if ca else {}
        server = Server(folder, server_cert=cert, server_key=key, **options)
        # GnuTLS 3.7 keeps something of a file in which it finds no certificate
        status = server.status(ASAN_OPTIONS='detect_leaks=0')
        assert status == 78, (cert, key, ca, status, server.stderr())
        assert named in server.stderr(), (cert, key, ca, server.stderr())


@test
def idle(folder):
    """a silent client is told 421 4.4.2"""
    with Server(folder, idle_timeout='1') as server, server.connect() as c:
        expect_start(c.reply(), '220 ')
        expect_start(c.reply(), '421 4.4.2 ')
        expect(c.rest(), b'')


@test
def disk_full(folder):
    """no room for the message: 452 4.3.1, nothing left behind, the next one fits"""
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))
    with Server(folder, preexec=limit) as server, server.connect() as c:
        c.start_data()
        c.send(b'x' * 70 + b'\r\n')
        for _ in range(4000):
            c.send(b'y' * 70 + b'\r\n')
        expect_start(c.say('.'), '452 4.3.1 ')
        expect(server.files(), [])
        expect(server.files('tmp'), [])
        c.say('MAIL FROM:<a@x.example>')
        c.say('RCPT TO:<b@y.example>')
        c.say('DATA')
        expect_start(c.say('x\r\n.'), '250 2.0.0 ')
        expect(len(server.messages()), 1)


@test
def size_limit(folder):
    """a message that is too large is refused when declared, and when it comes"""
    with Server(folder, message_size_limit='1000') as server, server.connect() as c:
        c.reply()
        c.send(b'EHLO me\r\n')
        lines = []
        while not lines or lines[-1][3:4] == b'-':
            lines.append(c.line())
        assert b'250-SIZE 1000\r\n' in lines, lines
        expect_start(c.say('MAIL FROM:<a@x.example> SIZE=1001'), '552 5.3.4 ')
        c.say('MAIL FROM:<a@x.example> SIZE=1000')
        c.say('RCPT TO:<b@y.example>')
        c.say('DATA')
        expect_start(c.say('x' * 5000 + '\r\n.'), '552 5.3.4 ')
        expect(server.files() + server.files('tmp'), [])


def users(folder):
    path = os.path.join(folder, 'users')
    with open(path, 'w') as f:
        f.write('joe:$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN'
                '.Pq.H91p5hVO1\nann:{PLAIN}other\n')
    os.chmod(path, 0o600)
    return path


def secure(folder, **options):
    cert, key, ca = Certificates(os.path.join(folder, 'certs'))('server')
    server = Server(folder, server_cert=cert, server_key=key, auth_file=users(folder), **options)
    return server, ssl.create_default_context(cafile=ca)


@test
def tls_and_auth(folder):
    """STARTTLS with a verified certificate, then AUTH PLAIN and LOGIN, then a message"""
    server, context = secure(folder, auth_required='yes', require_tls='yes')
    with server:
        for i, (user, password) in enumerate((('joe', 'secret'), ('ann', 'other'))):
            with smtplib.SMTP('localhost', server.address[1], timeout=LIMIT) as smtp:
                smtp.ehlo('me')
                assert smtp.has_extn('starttls') and not smtp.has_extn('auth')
                expect(smtp.docmd('MAIL FROM:<a@x.example>')[0], 530)
                smtp.starttls(context=context)
                smtp.ehlo('me')
                assert not smtp.has_extn('starttls')
                expect(smtp.esmtp_features['auth'].split(), ['PLAIN', 'LOGIN'])
                expect(smtp.docmd('STARTTLS')[0], 503)
                code, text = smtp.docmd('MAIL FROM:<a@x.example>')
                expect((code, text[:5]), (530, b'5.7.0'))
                smtp.user, smtp.password = user, password
                smtp.auth('PLAIN' if i else 'LOGIN', smtp.auth_plain if i else smtp.auth_login)
                smtp.sendmail('a@x.example', ['b@y.example'], MESSAGE)
        for text in server.messages():
            assert b'\n\twith ESMTPSA id ' in text, text
        expect(len(server.messages()), 2)
        assert 'secret' not in server.stderr(), server.stderr()


@test
def wrong_password(folder):
    """a wrong password: 535, and after three of them 421"""
    server, context = secure(folder, auth_plain_loopback='yes')
    with server, server.connect() as c:
        c.reply()
        c.say('EHLO me')
        wrong = base64.b64encode(b'\0joe\0wrong').decode()
        began = time.monotonic()
        for _ in range(3):
            expect_start(c.say('AUTH PLAIN ' + wrong), '535 5.7.8 ')
        assert time.monotonic() - began >= 3, 'no pause'
        expect_start(c.say('AUTH PLAIN ' + base64.b64encode(b'\0joe\0secret').decode()), '421 4.7.0 ')
        expect(c.rest(), b'')


@test
def auth_only_with_tls(folder):
    """AUTH is neither offered nor taken in clear text"""
    server, context = secure(folder)
    with server, server.connect() as c:
        c.reply()
        c.say('EHLO me')
        expect_start(c.say('AUTH PLAIN ' + base64.b64encode(b'\0joe\0secret').decode()), '538 5.7.11 ')


@test
def starttls_injection(folder):
    """commands sent in one segment with STARTTLS are never run"""
    server, context = secure(folder)
    with server:
        with server.connect() as c:
            c.reply()
            c.say('EHLO me')
            c.send(b'STARTTLS\r\nEHLO me\r\nMAIL FROM:<x@x.example>\r\nRCPT TO:<y@y.example>\r\nDATA\r\n'
                   b'Subject: forged\r\n\r\nx\r\n.\r\n')
            expect_start(c.reply(), '501 5.5.1 ')
            expect(c.rest(), b'')
        expect(server.files(), [])


@test
def starttls_forgets(folder):
    """EHLO, transaction and sign-in from before STARTTLS do not count after it"""
    server, context = secure(folder, auth_plain_loopback='yes')
    with server:
        with smtplib.SMTP('localhost', server.address[1], timeout=LIMIT) as smtp:
            smtp.ehlo('me')
            smtp.login('joe', 'secret')
            expect(smtp.docmd('STARTTLS')[0], 220)
            smtp.sock = context.wrap_socket(smtp.sock, server_hostname='localhost')
            smtp.file = None
            expect(smtp.docmd('MAIL FROM:<a@x.example>')[0], 503)
            smtp.ehlo('me')
            smtp.sendmail('a@x.example', ['b@y.example'], MESSAGE)
        text, = server.messages()
        assert b'\n\twith ESMTPS id ' in text, text


@test
def broken_handshake(folder):
    """garbage instead of a handshake ends that session only"""
    server, context = secure(folder)
    with server:
        with server.connect() as c:
            c.reply()
            c.say('EHLO me')
            expect_start(c.say('STARTTLS'), '220 2.0.0 ')
            c.send(b'MAIL FROM:<x@x.example>\r\n' * 50)
            assert b'250' not in c.rest()
        with server.connect() as c:
            expect_start(c.reply(), '220 ')
        expect(server.files(), [])


@test
def stop_under_tls(folder):
    """SIGTERM reaches clients under TLS too"""
    server, context = secure(folder)
    with server:
        with smtplib.SMTP('localhost', server.address[1], timeout=LIMIT) as smtp:
            smtp.starttls(context=context)
            smtp.ehlo('me')
            expect(server.stop(), 0)
            code, text = smtp.getreply()
            expect((code, text[:5]), (421, b'4.3.2'))


@test
def lost_certificate(folder):
    """a certificate that has gone: 454, the session goes on"""
    server, context = secure(folder)
    with server, server.connect() as c:
        shutil.rmtree(os.path.join(folder, 'certs'))
        c.reply()
        c.say('EHLO me')
        expect_start(c.say('STARTTLS'), '454 4.7.0 ')
        expect_start(c.say('NOOP'), '250 ')


@test
def open_password_file(folder):
    """a password file that others may read is refused with the command that helps"""
    path = users(folder)
    os.chmod(path, 0o644)
    server = Server(folder, auth_file=path)
    expect(server.status(), 78)
    assert 'chmod 600' in server.stderr(), server.stderr()


if __name__ == '__main__':
    sys.exit(run_tap(TESTS))
