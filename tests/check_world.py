"""What the tests of --check and --check-config share: a server, runs, findings.

Scripted servers on loopback; no network, no fixed ports, no root."""
import json
import os
import re
import ssl
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402

PROGRAM = harness.binary()
LIMIT = 40 * harness.SCALE
SECRET = 'Tr0ub4dor&3'
CERTS = harness.Certificates(None)
KEYWORDS = ('PIPELINING', 'SIZE 1000000', '8BITMIME', 'SMTPUTF8', 'DSN', 'ENHANCEDSTATUSCODES')


class Server:
    """A small SMTP server for any number of connections, which notes every command."""

    def __init__(self, address='127.0.0.1', port=0, path=None, lmtp=False, **facts):
        self.greeting = facts.pop('greeting', '220 mail.example.org ESMTP')
        self.cert = facts.pop('cert', 'server')
        self.implicit = facts.pop('implicit', False)
        self.starttls = facts.pop('starttls', not self.implicit)
        self.tls12, self.client = facts.pop('tls12', False), facts.pop('client', False)
        self.auth = facts.pop('auth', 'PLAIN LOGIN')
        self.keywords = facts.pop('keywords', KEYWORDS)
        self.replies = facts.pop('replies', {})         # verb -> reply
        self.hello = 'LHLO' if lmtp else 'EHLO'
        assert not facts, facts
        self.commands = []
        self.listener = harness.Listener(self.serve, address, port, unix=path)
        self.port = self.listener.port

    @property
    def connections(self):
        return self.listener.connections

    def context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        cert, key, _ = CERTS(self.cert)
        context.load_cert_chain(cert, key)
        if self.client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(CERTS('server')[2])
        if self.tls12:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        return context

    def serve(self, sock):
        try:
            sock.settimeout(LIMIT)
            if self.implicit:
                sock = self.context().wrap_socket(sock, server_side=True)
            self.talk(sock, self.implicit)
        except OSError:
            pass
        finally:
            sock.close()

    def reply(self, verb, default):
        return self.replies.get(verb, default)

    def offer(self, secure):
        words = list(self.keywords)
        if self.starttls and not secure:
            words.append('STARTTLS')
        elif self.auth:
            words.append('AUTH ' + self.auth)
        lines = ['mail.example.org'] + words
        return '\n'.join('250%s%s' % (' ' if i == len(lines) - 1 else '-', w)
                         for i, w in enumerate(lines))

    def talk(self, sock, secure):
        def say(text):
            data = text if isinstance(text, bytes) else \
                ''.join(line + '\r\n' for line in text.split('\n')).encode()
            sock.sendall(data)

        say(self.greeting)
        if not str(self.greeting).startswith('220'):
            if isinstance(self.greeting, bytes):
                sock.recv(1000)
            return
        lines = sock.makefile('rb')
        while True:
            line = lines.readline().decode('latin-1').rstrip('\r\n')
            if not line:
                return
            self.commands.append(line)
            verb = line.split(' ')[0].upper()
            if verb == self.hello:
                say(self.reply('EHLO', self.offer(secure)))
            elif verb == 'STARTTLS':
                say(self.reply(verb, '220 go'))
                if self.reply(verb, '220')[:3] == '220':
                    sock = self.context().wrap_socket(sock, server_side=True)
                    lines, secure = sock.makefile('rb'), True
            elif verb == 'AUTH':
                if line.split(' ')[1] == 'LOGIN':
                    for word in ('334 VXNlcm5hbWU6', '334 UGFzc3dvcmQ6'):
                        say(word)
                        lines.readline()
                say(self.reply(verb, '235 2.7.0 welcome'))
            elif verb == 'DATA':
                say(self.reply(verb, '354 go'))
                while lines.readline() not in (b'.\r\n', b''):
                    pass
                say('250 2.0.0 taken')
            elif verb == 'QUIT':
                say('221 bye')
                return
            else:
                say(self.reply(verb, '250 2.0.0 ok'))

    def verbs(self):
        return [c.split(' ')[0].upper() for c in self.commands]

    def stop(self):
        self.listener.close()
        for thread in self.listener.threads:
            thread.join(5)


def rc_text(settings, name='default'):
    values = dict(syslog='off', domain='client.example.org', aliases='')
    values['from'] = 'joe@example.org'
    values.update(settings)
    return '[account %s]\n' % name + ''.join('%s = %s\n' % (k, v) for k, v in values.items()
                                             if v is not None)


def run(words, home, data=b'Subject: x\n\nbody\n'):
    child = subprocess.Popen(['msubmit'] + words, executable=PROGRAM, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             env=harness.environment(home), cwd=home)
    try:
        out, err = child.communicate(data, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        child.kill()
        out, err = child.communicate()
        return None, out.decode(), err.decode()
    return child.returncode, out.decode('utf-8', 'surrogateescape'), \
        err.decode('utf-8', 'surrogateescape')


class Finding:
    """One line of the output, with its hint."""

    def __init__(self, line):
        self.verdict, rest = line[:4].strip(), line[5:]
        self.step, self.text = rest.split(': ', 1)
        self.hint = ''


def parse(out):
    findings, failures = [], []
    for line in out.splitlines():
        if re.match(r'     (->|  ) ', line) and findings:
            findings[-1].hint += line[8:] + '\n'
        elif re.match(r'(ok  |warn|FAIL|skip) [a-z-]+: .', line):
            findings.append(Finding(line))
        else:
            failures.append('a line of another form: %r' % line)
    return findings, failures


def find(findings, verdict, step, words):
    for f in findings:
        if f.verdict == verdict and f.step == step and words in f.text:
            return f
    return None


class Case:
    """An account with its servers, and what --check must say about it."""

    def __init__(self, name, servers=(), want=(), exit=0, settings=None, sends=True, **more):
        self.name, self.make, self.want, self.exit = name, servers, want, exit
        self.settings, self.sends = settings or {}, sends
        self.words = more.pop('words', ())
        self.never = more.pop('never', ())              # verbs that no server may see
        self.prepare = more.pop('prepare', None)        # of the folder and the settings
        self.connections = more.pop('connections', None)
        assert not more, more

    def __call__(self):
        with harness.Folder() as home:
            servers = [Server(**facts) for facts in self.make]
            try:
                return self.check(home, servers)
            finally:
                for server in servers:
                    server.stop()

    def rc(self, home, servers):
        settings = dict(host='localhost', address_family='ipv4', user='joe',
                        password_file=os.path.join(home, 'secret'),
                        tls_trust_file=CERTS('server')[2])
        if servers:
            settings['port'] = servers[0].port
            if servers[0].implicit:
                settings['tls'] = 'implicit'
        with open(os.path.join(home, 'secret'), 'w', encoding='utf-8') as f:
            f.write(SECRET + '\n')
        os.chmod(os.path.join(home, 'secret'), 0o600)
        settings.update({k: v.format(ports=[s.port for s in servers], home=home, certs=CERTS.make())
                         if isinstance(v, str) else v for k, v in self.settings.items()})
        if self.prepare:
            self.prepare(home, settings)
        path = os.path.join(home, 'rc')
        with open(path, 'w', encoding='utf-8') as f:
            f.write(rc_text(settings))
        os.chmod(path, 0o600)
        return path

    def check(self, home, servers, watched=()):
        path = self.rc(home, servers)
        status, out, err = run(['-C', path, '--check'] + list(self.words), home)
        findings, failures = parse(out)
        if status != self.exit:
            failures.append('exit %s, not %d' % (status, self.exit))
        if err:
            failures.append('stderr: ' + err)
        if SECRET in out:
            failures.append('the secret is shown')
        for verdict, step, words, *hint in self.want:
            f = find(findings, verdict, step, words)
            if not f:
                failures.append('missing: %s %s: %r' % (verdict, step, words))
            for words in hint if f else ():
                if words not in f.hint:
                    failures.append('hint of %s: %r is not in %r' % (step, words, f.hint))
        for f in findings:
            if f.verdict == 'FAIL' and not f.hint:
                failures.append('no hint: ' + f.text)
            if '(unknown)' in f.hint:
                failures.append('a hole in the hint: ' + f.hint)
        if self.exit and not any(f.verdict == 'FAIL' for f in findings):
            failures.append('it fails, and nothing is a failure')
        if not self.exit and any(f.verdict == 'FAIL' for f in findings):
            failures.append('a failure, and exit 0')
        failures += self.on_the_wire(servers or watched) + self.as_json(path, home)
        if self.sends:
            failures += self.as_sending(path, home)
        return [f + '\n' + out for f in failures[:1]] + failures[1:]

    def on_the_wire(self, servers):
        failures = []
        for server in servers:
            for verb in ('DATA', 'BDAT') + tuple(self.never):
                if verb in server.verbs():
                    failures.append('%s was sent' % verb)
        if self.connections is not None:
            seen = [s.connections for s in servers]
            if seen != self.connections:
                failures.append('connections: %r, not %r' % (seen, self.connections))
        return failures

    def as_json(self, path, home):
        status, out, err = run(['-C', path, '--json', '--check'] + list(self.words), home)
        try:
            found = json.loads(out)
        except ValueError as e:
            return ['JSON: %s: %r %r' % (e, out, err)]
        failures = []
        if status != self.exit or found['exit'] != self.exit:
            failures.append('JSON: exit %s and %s' % (status, found['exit']))
        for verdict, step, words, *hint in self.want:
            if not any(f['verdict'] == verdict.lower() and f['step'] == step and
                       words in f['text'] and all(h in (f['hint'] or '') for h in hint)
                       for f in found['findings']):
                failures.append('JSON: missing: %s %s: %r' % (verdict, step, words))
        if SECRET in out:
            failures.append('JSON: the secret is shown')
        return failures

    def as_sending(self, path, home):
        to = [w for w in self.words if '@' in w] or ['joe@example.org']
        status, _, err = run(['-C', path] + to, home)
        return [] if status == self.exit else \
            ['sending ends with %s, not %d: %s' % (status, self.exit, err)]


def main(tests):
    """tests() gives (name, function) pairs when the certificates are there."""
    with harness.Folder() as folder:
        CERTS.folder = os.path.join(folder, 'certs')
        CERTS.make()
        return harness.run_tap(tests())


PINS = 'spki-sha256:' + 'A' * 43 + '='
