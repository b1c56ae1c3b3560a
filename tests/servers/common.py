"""What the tests with real servers share.

A Sink takes what a server passes on (or what msubmit sends) and keeps it. An
Instance is a throw-away copy of a server's files, run by chroot: its own users,
ports and folders, nothing of the machine's. A Service says where a server listens
and what it offers; cases() makes the same tests for each.
"""
import os
import random
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
WAIT = 20 * harness.SCALE       # seconds for anything that should take one
USER, PASSWORD, TOKEN = 'joe@example.org', 'p%ss "w;o#rd', 'ya29.t0ken-of/joe=='
SIZE_LIMIT = 1000000
LAST_UID = 60020
OWNERS = {'root': 0, 'nobody': 65534}


class Failure(Exception):
    """A case has failed; the text says why."""


def skip_all(why):
    print('1..0 # SKIP ' + why)
    sys.exit(77)


def free_ports(count):
    """Ports below those that the system gives to clients, which could take one meanwhile."""
    ports = []
    while len(ports) < count:
        port = random.randrange(10000, 32000)
        with socket.socket() as s:
            try:
                s.bind(('127.0.0.1', port))
            except OSError:
                continue
        if port not in ports:
            ports.append(port)
    return ports


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
    """An SMTP server that keeps what it gets. Recipients unknown...@ are refused."""

    COMMAND = re.compile(rb'(?i)(MAIL FROM|RCPT TO):<(.*?)>((?: \S+)*)$', re.S)

    def __init__(self, extensions=('PIPELINING', '8BITMIME', 'SMTPUTF8', 'DSN', 'SIZE %d' % SIZE_LIMIT,
                                   'ENHANCEDSTATUSCODES')):
        self.extensions, self.mails, self.faults = extensions, [], []
        self.changed = threading.Condition()
        self.listener = socket.create_server(('127.0.0.1', 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def close(self):
        self.listener.close()

    def serve(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.session, args=(connection,), daemon=True).start()

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
            elif found and mail:
                mail.rcpts[found.group(2)] = found.group(3).split()
                mail.order.append(found.group(2).decode('utf-8', 'backslashreplace'))
                say('250 2.1.5 ok')
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


# --- a server's files and processes -----------------------------------------------


class Instance:
    """A throw-away copy of SERVERS/name, by hard links; with: stops and removes all."""

    def __init__(self, name, users=()):
        source = os.path.join(SERVERS, name)
        if os.getuid():
            skip_all('not root: a server needs its own users and chroot')
        if not os.path.exists(os.path.join(source, '.msubmit-tests')):
            skip_all('no %s in %s: run contrib/install-test-tools' % (name, SERVERS))
        self.processes, self.closing = [], []
        self.root = tempfile.mkdtemp(prefix='.run-', dir=SERVERS)
        try:
            os.chmod(self.root, 0o755)
            shutil.copytree(source, self.root, symlinks=True, copy_function=self.link, dirs_exist_ok=True)
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
        self.file('etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files\nservices: files\n')
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

    def start(self, *argv):
        def enter():
            os.chroot(self.root)
            os.chdir('/')
            os.umask(0o022)
        with open(self.path('var/log/output'), 'ab') as output:
            process = subprocess.Popen(argv, preexec_fn=enter, stdin=subprocess.DEVNULL, stdout=output,
                                       stderr=output, start_new_session=True,
                                       env={'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'TZ': 'UTC'})
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
        shutil.rmtree(self.root, ignore_errors=True)


# --- cases --------------------------------------------------------------------------

HEADER = 'From: Joe <joe@example.org>\nTo: %s\nSubject: %s\n' \
         'Date: Tue, 04 Mar 2025 10:20:30 +0100\nMessage-ID: <%s@example.org>\nMIME-Version: 1.0\n' \
         'Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n'

BODIES = {
    'plain lines': b'one\ntwo\n\nfour\n',
    'CRLF': b'one\r\ntwo\r\n\r\nfour\r\n',
    'dots': b'.\n..\n...\n.x\n..x\n \n.\n\nx.\n.\n',
    'dots with CRLF': b'.\r\n..\r\n.x\r\n\r\n.\r\nend\r\n',
    '8-bit octets': b'Gr\xc3\xbc\xc3\x9fe\n' + bytes(range(128, 256)) + b'\n\xff\xfe\n',
    'controls and blanks': bytes(range(1, 10)) + b'\x0b\x0c' + bytes(range(14, 32)) +
                           b'\x7f\n \t \nend \t\n\t\n',
    'long lines': b'a' * 997 + b'\n' + b'b' * 998 + b'\n.' + b'c' * 997 + b'\n',
    'no newline at the end': b'one\ntwo',
    'empty lines at the end': b'one\n\n\n\n',
    'no body': b'',
    'From and header-like lines': b'From here on\nBcc: not@a.header\n>From\n',
}
BIG = b''.join(b'%06d %s\n' % (i, bytes(128 + (i * j) % 128 for j in range(60))) for i in range(8000))


def wire_form(message):
    """What must go over the wire of a message: CRLF, and a line end at the end."""
    out = message.replace(b'\r\n', b'\n').replace(b'\n', b'\r\n')
    return out if out.endswith(b'\r\n') else out + b'\r\n'


def check_octets(got, message):
    """The server may put fields in front, and must change nothing."""
    wanted = wire_form(message)
    if not got.endswith(wanted):
        at = next((i for i, (a, b) in enumerate(zip(reversed(got), reversed(wanted))) if a != b), 0)
        raise Failure('octets changed, seen from the end at %d:\n  got    %r\n  wanted %r' % (
            at, got[max(0, len(got) - at - 60):][:160], wanted[max(0, len(wanted) - at - 60):][:160]))
    if not re.fullmatch(rb'(?:[!-9;-~]+:.*\r\n(?:[ \t].*\r\n)*)*', got[:len(got) - len(wanted)]):
        raise Failure('not only fields in front: %r' % got[:len(got) - len(wanted)])


class Run:
    """One call of msubmit."""

    def __init__(self, argv, message, home, secrets=(), **options):
        options.setdefault('env', harness.environment(home))
        options['input' if isinstance(message, bytes) else 'stdin'] = message
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              cwd=home, timeout=WAIT * 2, check=False, **options)
        self.exit = done.returncode
        self.stdout, self.stderr = (x.decode('utf-8', 'replace') for x in (done.stdout, done.stderr))
        if harness.sanitizer_words(self.stderr):
            raise Failure('sanitizer report:\n' + self.stderr)
        for secret in secrets:
            if secret in self.stderr + self.stdout:
                raise Failure('a secret is shown:\n' + self.stderr)

    def want(self, code, words=''):
        if self.exit != code or words not in self.stderr:
            raise Failure('exit %d and %r wanted, not %d:\n%s' % (code, words, self.exit, self.stderr))
        return self

    def sent(self, verb):
        """The commands with this verb, by the transcript of -v."""
        return re.findall(r'^(?:msubmit: )?(?:-->|>|C:)\s*(%s\b.*)$' % verb, self.stderr, re.M)


class Service:
    """What a server offers, and how its cases reach it."""

    def __init__(self, name, sink, certs, home, **facts):
        self.name, self.sink, self.certs, self.home = name, sink, certs, home
        self.ports = facts.pop('ports')                 # of 'starttls', 'implicit', 'plain'
        self.mechanisms = facts.pop('mechanisms')
        self.utf8 = facts.pop('utf8', False)
        self.dsn = facts.pop('dsn', True)
        self.eight = facts.pop('eight', True)
        self.chunking = facts.pop('chunking', False)
        self.size = facts.pop('size', SIZE_LIMIT)
        self.skip = facts.pop('skip', {})               # case -> why
        self.lock, self.count = threading.Lock(), 0
        assert not facts, facts

    def new_address(self):
        with self.lock:
            self.count += 1
            return 'case-%d@example.org' % self.count

    def account(self, mode, settings):
        """The text of an rc file."""
        values = dict(host='localhost', address_family='ipv4', port=self.ports[mode], syslog='off',
                      tls='off' if mode == 'plain' else mode, domain='client.example.org',
                      tls_trust_file=self.certs('server')[2])
        values['from'] = 'sender@example.org'
        if mode != 'plain':
            values.update(user=USER, password_file=os.path.join(self.home, 'password'))
        values.update(settings)
        return '[account default]\n' + ''.join('%s = %s\n' % (k, v) for k, v in values.items()
                                               if v is not None)

    def msubmit(self, mode, args, message=b'', **settings):
        with tempfile.TemporaryDirectory(dir=self.home) as home:
            rc = os.path.join(home, 'rc')
            with open(rc, 'w', encoding='utf-8') as f:
                f.write(self.account(mode, settings))
            os.chmod(rc, 0o600)
            return Run([harness.binary(), '-C', rc, '-v', '-i'] + args, message, home,
                       (PASSWORD, TOKEN))

    def send(self, mode, body, args=(), subject='x', rcpt=None, **settings):
        """Sends to a recipient of its own and checks what came out."""
        rcpt = rcpt or self.new_address()
        message = (HEADER % (rcpt, subject, rcpt.split('@')[0])).encode() + body
        run = self.msubmit(mode, list(args) + ['--', rcpt], message, **settings).want(0)
        mail = self.sink.wait(rcpt)
        check_octets(mail.data, message)
        return run, mail

    def nothing(self, rcpt):
        if self.sink.find(rcpt):
            raise Failure('%s got the message' % rcpt)


def credentials(service, mechanism):
    """Settings that a mechanism needs besides the usual ones."""
    if mechanism in ('XOAUTH2', 'OAUTHBEARER'):
        return dict(password_file=None, oauth_token_file=os.path.join(service.home, 'token'))
    if mechanism == 'EXTERNAL':
        cert, key = service.certs('client')[:2]
        return dict(user=None, password_file=None, tls_cert_file=cert, tls_key_file=key)
    return {}


def case_body(service, mode, body, **settings):
    def case():
        run, _ = service.send(mode, body, **settings)
        if service.eight and any(c > 127 for c in body) and 'BODY=8BITMIME' not in run.stderr:
            raise Failure('no BODY=8BITMIME:\n' + run.stderr)
        if not service.sink.faults == []:
            raise Failure('\n'.join(service.sink.faults))
    return case


def case_mechanism(service, mode, mechanism):
    def case():
        run, _ = service.send(mode, b'hello\n', auth=mechanism.lower(), **credentials(service, mechanism))
        if [a.split()[1] for a in run.sent('AUTH')] != [mechanism]:
            raise Failure('not signed in once with %s:\n%s' % (mechanism, run.stderr))
    return case


def case_wrong_secret(service, mode, mechanism):
    """Refused with 77, in one try: a second one could lock the account."""
    def case():
        wrong = dict(credentials(service, mechanism))
        key = 'oauth_token_file' if 'oauth_token_file' in wrong else 'password_file'
        wrong[key] = os.path.join(service.home, 'wrong')
        rcpt = service.new_address()
        for auth in (mechanism.lower(), 'auto') if mechanism == 'PLAIN' else (mechanism.lower(),):
            run = service.msubmit(mode, ['--', rcpt], b'\nx\n', auth=auth, **wrong).want(77)
            if len(run.sent('AUTH')) != 1 or run.sent('MAIL'):
                raise Failure('more than one AUTH, or MAIL:\n' + run.stderr)
        service.nothing(rcpt)
    return case


def case_auto(service, mode):
    def case():
        run, _ = service.send(mode, b'hello\n')
        if len(run.sent('AUTH')) != 1:
            raise Failure('AUTH not exactly once:\n' + run.stderr)
    return case


def case_unknown(service, mode):
    def case():
        run = service.msubmit(mode, ['unknown@example.org'], b'Subject: x\n\nx\n')
        run.want(67, 'unknown@example.org')
    return case


def case_partial(service, mode):
    def case():
        good, late = service.new_address(), service.new_address()
        run = service.msubmit(mode, [good, 'unknown@example.org', late], b'Subject: x\n\nx\n')
        run.want(67, 'unknown@example.org')
        if set(service.sink.wait(good).rcpts) | set(service.sink.wait(late).rcpts) != \
                {good.encode(), late.encode()}:
            raise Failure('other recipients than wanted')
    return case


def case_strict(service, mode):
    def case():
        good = service.new_address()
        service.msubmit(mode, [good, 'unknown@example.org'], b'Subject: x\n\nx\n',
                        refused_recipients='abort').want(67, 'unknown@example.org')
        service.send(mode, b'the one after\n')          # what was sent before would be there by now
        service.nothing(good)
    return case


def case_size(service, mode):
    def case():
        rcpt = service.new_address()
        body = b'Subject: x\n\n' + (b'x' * 76 + b'\n') * (service.size // 77 + 2)
        run = service.msubmit(mode, ['--', rcpt], body).want(69, str(service.size))
        if run.sent('MAIL'):
            raise Failure('MAIL was sent:\n' + run.stderr)
        service.nothing(rcpt)
    return case


def case_many(service, mode):
    def case():
        rcpts = [service.new_address() for _ in range(90)]
        service.msubmit(mode, rcpts, b'Subject: x\n\nx\n').want(0)
        for rcpt in rcpts:
            service.sink.wait(rcpt)
    return case


def case_null_sender(service, mode):
    def case():
        _, mail = service.send(mode, b'x\n', ['-f', '<>'])
        if mail.sender != b'':
            raise Failure('sender %r' % mail.sender)
    return case


def case_header_recipients(service, mode):
    def case():
        to, cc, bcc = (service.new_address() for _ in range(3))
        message = ('From: a@example.org\nTo: "Doe, J." <%s>\nCc: g: %s (c);\nBcc: %s\n\nx\n' %
                   (to, cc, bcc)).encode()
        service.msubmit(mode, ['-t'], message).want(0)
        for rcpt in (to, cc, bcc):
            if bcc.encode() in service.sink.wait(rcpt).data:
                raise Failure('the blind recipient can be seen')
    return case


def case_quoted(service, mode):
    def case():
        rcpt = '"john doe.%s"@example.org' % service.new_address().split('@')[0]
        service.send(mode, b'x\n', rcpt=rcpt, subject='quoted')
    return case


def case_idn(service, mode):
    def case():
        local = service.new_address().split('@')[0]
        message = b'Subject: x\n\nx\n'
        service.msubmit(mode, ['%s@b\u00fccher.example' % local], message).want(0)
        service.sink.wait('%s@xn--bcher-kva.example' % local)
    return case


def case_utf8(service, mode):
    def case():
        rcpt = service.new_address().replace('case', 'j\u00f6rg')
        _, mail = service.send(mode, 'Gr\u00fc\u00dfe\n'.encode(), ['-f', 's\u00e9nder@example.org'],
                               rcpt=rcpt, subject='Gr\u00fcn')
        if b'SMTPUTF8' not in mail.params or mail.sender != 's\u00e9nder@example.org'.encode():
            raise Failure('%r %r' % (mail.sender, mail.params))
    return case


def case_no_utf8(service, mode):
    def case():
        rcpt = service.new_address().replace('case', 'j\u00f6rg')
        run = service.msubmit(mode, ['--', rcpt], b'Subject: x\n\nx\n').want(69, 'SMTPUTF8')
        if run.sent('MAIL'):
            raise Failure('MAIL was sent:\n' + run.stderr)
    return case


def case_dsn(service, mode):
    def case():
        rcpt = service.new_address()
        run, mail = service.send(mode, b'x\n', ['-N', 'failure,delay', '-R', 'hdrs', '-V', 'inv+7=x'],
                                 rcpt=rcpt)
        for words in ('RET=HDRS', 'ENVID=inv+2B7+3Dx', 'NOTIFY=FAILURE,DELAY', 'ORCPT=rfc822;' + rcpt):
            if words not in run.stderr:
                raise Failure('no %s:\n%s' % (words, run.stderr))
        params = b' '.join(mail.params + mail.rcpts[rcpt.encode()]).upper()
        for words in (b'RET=HDRS', b'ENVID=INV+2B7+3DX', b'NOTIFY=', b'FAILURE', b'DELAY',
                      b'ORCPT=RFC822;' + rcpt.upper().encode()):
            if words not in params:
                raise Failure('the server has not passed on %r: %r' % (words, params))
    return case


def case_file(service, mode):
    """Standard input is a regular file, read from where it stands; raw UTF-8 in the header."""
    def case():
        rcpt = service.new_address()
        message = (HEADER % (rcpt, 'Gr\u00fcn', rcpt)).encode() + b'.\nx\n'
        with tempfile.TemporaryFile() as f:
            f.write(b'not of the message\n')
            start = f.tell()
            f.write(message)
            f.flush()
            os.lseek(f.fileno(), start, os.SEEK_SET)
            service.msubmit(mode, ['--', rcpt], f).want(0)
        check_octets(service.sink.wait(rcpt).data, message)
    return case


def case_no_dsn(service, mode):
    def case():
        run, _ = service.send(mode, b'x\n', ['-N', 'failure'])
        if 'NOTIFY' in ' '.join(run.sent('RCPT')):
            raise Failure('NOTIFY was sent:\n' + run.stderr)
    return case


def case_serverinfo(service, mode):
    def case():
        run = service.msubmit(mode, ['--serverinfo']).want(0)
        wanted = ['SIZE'] + list(service.mechanisms if mode != 'plain' else ())
        wanted += ['localhost'] if mode != 'plain' else []
        for words in wanted:
            if words not in run.stdout:
                raise Failure('no %s:\n%s' % (words, run.stdout))
    return case


def case_certificate(service, mode, **settings):
    def case():
        rcpt = service.new_address()
        run = service.msubmit(mode, ['--', rcpt], b'\nx\n', **settings).want(76, 'certificate')
        if run.sent('AUTH') or run.sent('MAIL'):
            raise Failure('AUTH or MAIL was sent:\n' + run.stderr)
    return case


def case_clear_text(service):
    """Without TLS no secret is sent, though the server would take it (Dovecot does on loopback)."""
    def case():
        for auth in ('plain', 'login', 'auto'):
            run = service.msubmit('starttls', ['case-0@example.org'], b'\nx\n', tls='off', auth=auth)
            used = [a.split()[1] for a in run.sent('AUTH')]
            if any(not name.startswith('SCRAM') for name in used) or (auth != 'auto' and run.exit != 69):
                raise Failure('exit %d:\n%s' % (run.exit, run.stderr))
    return case


def cases(service):
    """(name, function) for all that a submission server has to show."""
    tests = []

    def add(name, function):
        tests.append(('%s: %s' % (service.name, name), function))

    for mode in service.ports:
        for name, body in BODIES.items():
            add('%s: octets: %s' % (mode, name), case_body(service, mode, body))
        add('%s: octets: half a megabyte' % mode, case_body(service, mode, BIG[:SIZE_LIMIT // 2]))
        if service.chunking:
            add('%s: octets: DATA instead of BDAT' % mode,
                case_body(service, mode, b'.\n\xe4\n', chunking='off'))
        add('%s: no pipelining' % mode, case_body(service, mode, b'x\n', pipelining='off'))
        add('%s: --serverinfo' % mode, case_serverinfo(service, mode))
        if mode != 'plain':
            tls_cases(service, mode, add)
    mode = 'starttls' if 'starttls' in service.ports else next(iter(service.ports))
    for name, make in (('unknown recipient', case_unknown), ('partial acceptance', case_partial),
                       ('partial acceptance forbidden', case_strict), ('size limit', case_size),
                       ('many recipients', case_many), ('null sender', case_null_sender),
                       ('recipients from the header', case_header_recipients),
                       ('regular file, raw UTF-8 in the header', case_file),
                       ('quoted local part', case_quoted), ('international domain', case_idn),
                       ('UTF-8 local parts', case_utf8 if service.utf8 else case_no_utf8),
                       ('DSN', case_dsn if service.dsn else case_no_dsn)):
        add(name, make(service, mode))
    if 'starttls' in service.ports:
        add('no password in clear text', case_clear_text(service))
    return [skipped(service, test) for test in tests]


def tls_cases(service, mode, add):
    add('%s: AUTH, best mechanism' % mode, case_auto(service, mode))
    for mechanism in service.mechanisms:
        add('%s: AUTH %s' % (mode, mechanism), case_mechanism(service, mode, mechanism))
        if mechanism != 'EXTERNAL':
            add('%s: AUTH %s, wrong secret' % (mode, mechanism),
                case_wrong_secret(service, mode, mechanism))
    add('%s: certificate of another name' % mode,
        case_certificate(service, mode, tls_host_override='mail.example.net'))
    add('%s: certificate of an unknown CA' % mode,
        case_certificate(service, mode, tls_trust_file=os.path.join(service.certs.make(), 'ca2.pem')))


def skipped(service, test):
    for words, why in service.skip.items():
        if words in test[0]:
            return '%s # SKIP %s' % (test[0], why), None
    return test


def offered(port):
    """Mechanisms in the EHLO reply after STARTTLS; asked without msubmit."""
    import smtplib
    import ssl
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP('127.0.0.1', port, timeout=WAIT) as client:
        client.starttls(context=context)
        client.ehlo()
        return client.esmtp_features.get('auth', '').split()


def check_offered(service):
    """The table of mechanisms is what the server offers: none is left untested."""
    def case():
        missed = set(offered(service.ports['starttls'])) ^ set(service.mechanisms)
        if missed:
            raise Failure('offered or tested, but not both: %s' % ' '.join(sorted(missed)))
    return '%s: the mechanisms offered are those tested' % service.name, case


def with_log(instance, test):
    """A failed case shows the end of the server's log."""
    name, function = test

    def case():
        try:
            return function() or []
        except Failure as e:
            return [str(e), '--- log', instance.log()]
    return (name, case) if function else test


def main(run):
    """Exits with what run(certs, home) returns; its surroundings are always removed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
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
