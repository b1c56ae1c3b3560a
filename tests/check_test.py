#!/usr/bin/env python3
"""msubmit --check and --check-config: what they find, what they advise, how they end.

Prints TAP. MSUBMIT names the program. Every failure is made by a server on loopback with real
TLS; sending to the same server must end with the same status, and no content is ever sent.
"""
import hashlib
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402
from dnsserver import Resolver                                          # noqa: E402

PROGRAM = harness.binary()
LIMIT = 40 * harness.SCALE
SECRET = 'Tr0ub4dor&3'
CERTS = None
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


# --- cases -------------------------------------------------------------------

GOOD = (('ok', 'config', 'mode 0600'), ('ok', 'account', "'default'"), ('ok', 'sender', "'joe@example.org': 'from' of the account (/"), ('ok', 'secret', 'by password_file'),
        ('ok', 'dns', 'localhost has 127.0.0.1'), ('ok', 'connect', 'at 127.0.0.1'),
        ('ok', 'greeting', '220 mail.example.org'), ('ok', 'starttls', ''), ('ok', 'tls', 'TLS1.3'),
        ('ok', 'certificate', 'CN=localhost, by CN=Test CA'),
        ('ok', 'certificate', 'verified; tls_pin = spki-sha256:'),
        ('ok', 'certificate', 'days'), ('ok', 'sign-in', "'joe' by PLAIN"),
        ('ok', 'extensions', '8BITMIME'), ('ok', 'size', '1000000'),
        ('ok', 'sender', '<joe@example.org>: 250'), ('ok', 'recipient', 'nothing was sent'))
NO_TLS = dict(tls='off', auth='off', user=None, password_file=None, tls_trust_file=None)
TLS_LATER = (('ok', 'ehlo', ''), ('ok', 'extensions', ''), ('skip', 'sign-in', ''))
PINS = 'spki-sha256:' + 'A' * 43 + '='


def refused_certificate(name, text, *hint):
    return Case('certificate: ' + name, [dict(cert='bad-' + name)],
                (('FAIL', 'certificate', text) + hint, ('ok', 'tls', 'TLS1.3')) + TLS_LATER, 76,
                never=('AUTH', 'MAIL'))


def refusal(name, verb, reply, step, exit, *hint, **more):
    settings, never = more.pop('settings', {}), more.pop('never', ())
    facts = dict(replies={verb: reply}, **more)
    return Case(name, [facts], (('FAIL', step, reply) + hint,), exit, settings, never=never)


def refused_port(_, settings):
    settings['port'] = harness.free_port()


def open_secret(home, _):
    os.chmod(os.path.join(home, 'secret'), 0o644)


def shown_secret(home, settings):
    path = os.path.join(home, 'secret')
    os.chmod(path, 0o644)
    settings.update(password_file=None, password_command='/bin/cat ' + path)


def with_aliases(text):
    def prepare(home, settings):
        settings['aliases'] = os.path.join(home, 'aliases')
        with open(settings['aliases'], 'w', encoding='utf-8') as f:
            f.write(text)
    return prepare


def locked_log(home, settings):
    settings['logfile'] = os.path.join(home, 'no', 'log')


def on_socket(path):
    def prepare(home, settings):
        settings.update(socket=path.format(home=home), protocol='lmtp', host=None, port=None, **NO_TLS)
    return prepare


def deaf_port(home, settings):
    listener = socket.socket()
    listener.bind(('127.0.0.1', 0))
    listener.listen(0)
    fillers = []
    for _ in range(8):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex(listener.getsockname())
        fillers.append(s)
    settings.update(port=listener.getsockname()[1], connect_timeout='1')
    KEEP.append((listener, fillers))


KEEP = []


def cases():
    yield Case('all is well', [{}], GOOD, never=('VRFY',), connections=[1])
    yield Case('all is well, TLS from the start', [dict(implicit=True)],
               tuple(w for w in GOOD if w[1] != 'starttls'))
    yield Case('another recipient', [{}], (('ok', 'recipient', '<ann@example.net>'),),
               words=['default', 'ann@example.net'])
    yield Case('another recipient by --to', [{}], (('ok', 'recipient', '<ann@example.net>'),),
               words=['--to', 'ann@example.net'])
    yield Case('LOGIN', [dict(auth='LOGIN')], (('ok', 'sign-in', 'LOGIN'),))
    yield Case('no sign-in wanted', [{}], (('ok', 'recipient', ''),), never=('AUTH',),
               settings=dict(user=None, password_file=None))
    # certificates
    yield refused_certificate('expired', 'has expired', 'today is 2', 'timedatectl')
    yield refused_certificate('not-yet', 'is not valid before', 'set the clock')
    yield refused_certificate('wrong-host', 'its name does not match', 'it is for mail.example.com',
                              'tls_host_override = mail.example.com')
    yield refused_certificate('common-name', 'its name does not match', 'no name that counts')
    yield refused_certificate('self-signed', 'self-signed', 'tls_pin = spki-sha256:',
                              'tls_trust_file = FILE')
    yield refused_certificate('unknown-ca', 'is not', 'tls_trust_file', 'tls_pin = spki-sha256:')
    yield refused_certificate('no-intermediate', 'is not known', 'between its own and the CA')
    yield refused_certificate('must-staple', 'OCSP', 'staple a good OCSP answer')
    yield Case('certificate: wrong pin', [{}],
               (('FAIL', 'certificate', 'tls_pin wants ' + PINS, 'confirms the new key',
                 'tls_pin = spki-sha256:'),) + TLS_LATER, 76, dict(tls_pin=PINS), never=('AUTH',))
    yield Case('certificate: wrong fingerprint', [{}],
               (('FAIL', 'certificate', 'tls_fingerprint wants', 'in the place of tls_fingerprint'),),
               76, dict(tls_fingerprint='AA' * 32), never=('AUTH',))
    yield Case('certificate: not checked', [{}],
               (('warn', 'certificate', 'NOT verified', 'tls_pin = spki-sha256:'),),
               settings=dict(tls_certcheck='off', tls_allow_insecure_auth='yes', tls_trust_file=None))
    yield Case('trust file that is not there', [{}],
               (('FAIL', 'tls', 'nonexistent', 'tls_trust_file = FILE'), ('ok', 'extensions', '')),
               72, dict(tls_trust_file='/nonexistent/ca.pem'), never=('AUTH',))
    yield Case('TLS 1.2', [dict(tls12=True)], (('warn', 'tls', 'no TLS 1.3', 'brought up to date'),))
    # TLS modes
    yield Case('TLS from the start, server speaks plain', [{}],
               (('FAIL', 'tls', 'speaks plain SMTP', "tls = starttls"), ('ok', 'connect', '')), 76,
               dict(tls='implicit'))
    yield Case('STARTTLS, server speaks TLS', [dict(greeting=b'\x15\x03\x01\x00\x02\x02\x0a\r\n')],
               (('FAIL', 'greeting', 'TLS from the start', 'tls = implicit'),), 76)
    yield Case('no STARTTLS', [dict(starttls=False)],
               (('FAIL', 'starttls', 'does not offer STARTTLS', 'tls = implicit'),), 69, never=('AUTH',))
    yield Case('STARTTLS refused', [dict(replies={'STARTTLS': '454 4.7.0 not now'})],
               (('FAIL', 'starttls', '454', 'its log says why'),), 75, never=('AUTH',))
    # our own certificate
    ours = dict(tls_cert_file='{certs}/client.pem', tls_key_file='{certs}/client.key')
    yield Case('client certificate', [dict(client=True)],
               (('ok', 'client-certificate', 'CN=client, by CN=Test CA; valid until'), ('ok', 'recipient', '')),
               settings=ours)
    yield Case('client certificate nobody asks for', [{}],
               (('ok', 'client-certificate', 'did not ask for it'),), settings=ours)
    yield Case('client certificate that is wanted', [dict(client=True, tls12=True)],
               (('FAIL', 'tls', 'wants a certificate', 'tls_cert_file'),), 75, never=('AUTH',))
    yield Case('client certificate with the key of another', [{}],
               (('FAIL', 'tls', 'does not belong to certificate', 'must be a pair'), ('ok', 'extensions', '')), 78,
               dict(ours, tls_key_file='{certs}/server.key'), never=('AUTH',))
    # connection
    yield Case('connection refused', (), (('FAIL', 'connect', 'Connection refused', 'nothing listens'),), 75,
               prepare=refused_port)
    yield Case('no answer', (), (('FAIL', 'connect', 'no answer within 1 s', 'firewall'),), 75,
               prepare=deaf_port)
    yield Case('name that is not there', (), (('FAIL', 'dns', 'does not exist', "getent ahosts"),), 68,
               dict(host='no-such-host.invalid', port='2525'))
    yield Case('greeting 554', [dict(greeting='554 no')], (('FAIL', 'greeting', '554', 'port 587'),), 69)
    yield Case('greeting 421', [dict(greeting='421 busy')], (('FAIL', 'greeting', '421', 'try later'),), 75)
    yield Case('no mail server', [dict(greeting='HTTP/1.0 400 bad')],
               (('FAIL', 'greeting', 'unparsable', 'is no mail server'),), 76)
    # sign-in
    yield refusal('535', 'AUTH', '535 5.7.8 no', 'sign-in', 77, 'whole mail address', never=('MAIL',))
    yield refusal('535 of an address', 'AUTH', '535 5.7.8 no', 'sign-in', 77, "'joe@example.org' or its password",
                  settings=dict(user='joe@example.org'))
    yield refusal('535 of Google', 'AUTH', '535 5.7.8 Username and Password not accepted x - gsmtp',
                  'sign-in', 77, 'app password')
    yield refusal('535 of Microsoft', 'AUTH', '535 5.7.139 Authentication unsuccessful, '
                  'SmtpClientAuthentication is disabled', 'sign-in', 77, 'OAuth2')
    yield refusal('454', 'AUTH', '454 4.7.0 later', 'sign-in', 75, 'try later')
    yield Case('no AUTH', [dict(auth='')], (('FAIL', 'sign-in', 'does not offer AUTH', 'right one'),), 69)
    yield Case('PLAIN without TLS', [dict(starttls=False)], (('warn', 'sign-in', 'WITHOUT TLS', 'tls = starttls'),),
               settings=dict(tls='off', auth_plaintext='always', tls_trust_file=None))
    # secrets
    yield Case('secret that others can read', [{}],
               (('FAIL', 'secret', 'others may read it', 'run the command above'),
                ('ok', 'tls', ''), ('skip', 'sign-in', 'without the secret')), 78,
               prepare=open_secret, never=('AUTH', 'MAIL'))
    yield Case('secret shown by cat', [{}], (('ok', 'secret', 'password_command'),
                                             ('warn', 'secret', 'others may read', 'chmod 600')),
               prepare=shown_secret)
    yield Case('command that fails', [{}], (('FAIL', 'secret', 'ended with status 1', 'by hand'),), 78,
               dict(password_file=None, password_command='false'), never=('AUTH',))
    yield Case('command that is not there', [{}], (('FAIL', 'secret', 'cannot run', 'whole path'),), 78,
               dict(password_file=None, password_command='no-such-command-here'), never=('AUTH',))
    yield Case('command that takes too long', [{}], (('FAIL', 'secret', 'sleep', 'command_timeout'),), 75,
               dict(password_file=None, password_command='sleep 9', command_timeout='1'), never=('AUTH',))
    yield Case('no key that gives a secret', [{}],
               (('FAIL', 'secret', 'no password for user', 'password_file'),), 78,
               dict(password_file=None, keyring='off'), never=('AUTH',))
    yield Case('auth = try without a secret', [{}],
               (('warn', 'secret', 'No such file'), ('ok', 'recipient', '')),
               settings=dict(auth='try', password_file='{home}/none'), never=('AUTH',))
    yield Case('no secret', [{}], (('FAIL', 'secret', 'No such file', 'umask 077'),), 78,
               dict(password_file='{home}/none'), never=('AUTH',))
    # envelope
    yield refusal('MAIL 530', 'MAIL', '530 5.7.0 sign in', 'sender', 77, "set 'user'",
                  settings=dict(user=None, password_file=None))
    yield refusal('MAIL 553', 'MAIL', '553 5.7.1 not owned by user', 'sender', 77,
                  "'joe@example.org' is no address that 'joe' may send from")
    yield refusal('RCPT 554', 'RCPT', '554 5.7.1 relay access denied', 'recipient', 77, 'sign in',
                  settings=dict(user=None, password_file=None))
    yield refusal('RCPT 550', 'RCPT', '550 5.1.1 no such user', 'recipient', 67, 'another recipient')
    yield refusal('RCPT 451', 'RCPT', '451 4.7.1 later', 'recipient', 75, 'try later')
    yield Case('size and DSN missing', [dict(keywords=('8BITMIME', 'PIPELINING'))],
               (('warn', 'extensions', 'DSN'), ('warn', 'extensions', 'SIZE')))
    yield Case('DSN demanded', [dict(keywords=('8BITMIME',))],
               (('FAIL', 'sender', 'DSN', 'this server does not have'),), 69,
               dict(dsn_notify='success', ext_policy='dsn:require'))
    yield Case('other domain', [{}], (('warn', 'sender', 'another domain'),),
               settings=dict(user='joe@example.com'))
    yield Case('short name', [{}], (('warn', 'ehlo', 'no full host name', "set 'domain'"),),
               settings=dict(domain='box'))
    # this host
    yield Case('alias of root', [{}], (('ok', 'aliases', 'mail to root goes to ann@example.net'),),
               prepare=with_aliases('root: ann@example.net\n'))
    yield Case('no alias of root', [{}], (('warn', 'aliases', 'no entry for root', "echo 'root:"),),
               prepare=with_aliases('bin: ann@example.net\n'))
    yield Case('aliases that cannot be read', [{}], (('FAIL', 'aliases', ':1:', 'correct the line'),), 78,
               prepare=with_aliases('nonsense\n'), sends=False)
    yield Case('user that may not send', [{}], (('FAIL', 'account', 'may not submit mail', 'allow_users'),
                                                ('ok', 'recipient', '')), 77,
               dict(allow_users='nobody-like-this'))
    yield Case('mail is redirected', [{}], (('warn', 'account', 'all mail goes to ann@example.net'),
                                            ('ok', 'recipient', '<ann@example.net>')),
               settings=dict(redirect_to='ann@example.net'))
    yield Case('mail is thrown away', [{}], (('warn', 'account', 'thrown away', 'drop = off'),),
               settings=dict(drop='on'))
    yield Case('rules that cannot be read', [{}], (('FAIL', 'rewrite', 'none', 'rewrite_map'),
                                                   ('ok', 'recipient', '')), 78,
               dict(rewrite_map='{home}/none'))
    yield Case('log that cannot be written', [{}], (('warn', 'log', 'cannot write', 'syslog = on'),
                                                    ('ok', 'recipient', '')), prepare=locked_log)
    yield Case('useless keys', [dict(starttls=False)], (('warn', 'config', "key 'tls_pin': not used"),),
               settings=dict(NO_TLS, tls_pin=PINS))
    yield Case('no such socket', (), (('FAIL', 'connect', 'No such file', 'there is no such socket'),), 75,
               prepare=on_socket('{home}/none'))


# --- more than one server, other ways ------------------------------------------


def many_servers():
    both = dict(host='localhost:{ports[0]}, localhost:{ports[1]}', port=None)
    yield Case('two servers, both well', [{}, {}],
               (('ok', 'recipient', ''),), settings=both, connections=[1, 1])
    yield Case('two servers, the first is busy', [dict(greeting='421 busy'), {}],
               (('warn', 'greeting', '421', 'try later'), ('ok', 'recipient', '')), settings=both)
    yield Case('two servers, the first has a bad certificate', [dict(cert='bad-expired'), {}],
               (('warn', 'certificate', 'has expired'), ('ok', 'recipient', '')), settings=both)
    yield Case('two servers, the second is busy', [{}, dict(greeting='421 busy')],
               (('ok', 'recipient', ''), ('warn', 'greeting', '421')), settings=both)
    yield Case('two servers, both busy', [dict(greeting='421 busy'), dict(greeting='421 busy')],
               (('FAIL', 'greeting', '421'),), 75, settings=both)
    yield Case('two servers, the first refuses the password', [dict(replies={'AUTH': '535 no'}), {}],
               (('FAIL', 'sign-in', '535'), ('skip', 'sign-in', 'refused')), 77, settings=both)
    yield Case('two servers, the first refuses the sender', [dict(replies={'MAIL': '550 no'}), {}],
               (('FAIL', 'sender', '550'), ('ok', 'recipient', '')), 69, settings=both)


def lmtp_on_socket():
    with harness.Folder() as home:
        path = os.path.join(home, 's')
        server = Server(path=path, lmtp=True, starttls=False)
        case = Case('', (), (('ok', 'connect', path), ('ok', 'recipient', '')),
                    prepare=on_socket(path))
        try:
            return case.check(home, [], [server])
        finally:
            server.stop()


def tunnel():
    server = Server()
    code = ("import socket,sys,threading,os\ns=socket.create_connection(('127.0.0.1',%d))\n"
            "def up():\n  while True:\n    d=os.read(0,9999)\n    if not d: break\n    s.sendall(d)\n"
            "threading.Thread(target=up,daemon=True).start()\n"
            "while True:\n  d=s.recv(9999)\n  if not d: break\n  os.write(1,d)\n" % server.port)
    with harness.Folder() as home:
        script = os.path.join(home, 'tunnel.py')
        with open(script, 'w', encoding='utf-8') as f:
            f.write(code)
        case = Case('', (), (('ok', 'connect', 'through the command'), ('ok', 'recipient', '')),
                    settings=dict(tunnel='%s %s' % (sys.executable, script), port='25'))
        try:
            return case.check(home, [], [server])
        finally:
            server.stop()


def with_resolver(zone, make, settings, want, exit=0, words=(), sends=True, **more):
    """Servers and a resolver that knows their names; PORT in the zone is that of the first."""
    servers = []
    if any(facts.get('port') == 'SAME' for facts in make):
        shared = harness.free_port(*[facts.get('address', '127.0.0.1') for facts in make])
        make = [dict(facts, port=shared) for facts in make]
    for facts in make:
        servers.append(Server(**facts))
    port = servers[0].port if servers else 2525
    zone = {key: [tuple(port if v == 'PORT' else v for v in d) if isinstance(d, tuple) else d
                  for d in records] if isinstance(records, list) else records
            for key, records in zone.items()}
    resolver = Resolver(zone)
    settings = dict(dict(resolver='127.0.0.1:%d' % resolver.port, port=str(port)), **settings)
    case = Case('', (), want, exit, settings, sends, words=words, **more)
    with harness.Folder() as home:
        try:
            return case.check(home, [], servers)
        finally:
            for server in servers:
                server.stop()
            resolver.__exit__()


class Proxy:
    """CONNECT to whatever is asked for, on loopback."""

    def __init__(self):
        self.asked = []
        self.listener = harness.Listener(self.serve)
        self.port = self.listener.port

    def serve(self, sock):
        head = b''
        while b'\r\n\r\n' not in head:
            head += sock.recv(1)
        self.asked.append(head.split(b' ')[1].decode())
        there = socket.create_connection(('127.0.0.1', int(self.asked[-1].split(':')[1])))
        sock.sendall(b'HTTP/1.1 200 ok\r\n\r\n')
        threading.Thread(target=self.copy, args=(there, sock), daemon=True).start()
        self.copy(sock, there)

    @staticmethod
    def copy(source, target):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def stop(self):
        self.listener.close()


def through_proxy():
    """The proxy looks the name up: there is nothing about DNS."""
    server, proxy = Server(), Proxy()
    settings = dict(host='mail.example.org', tls_host_override='localhost', port=str(server.port),
                    proxy='http://127.0.0.1:%d' % proxy.port)
    case = Case('', (), (('ok', 'connect', 'mail.example.org:%d through the proxy' % server.port),
                         ('ok', 'recipient', '')), settings=settings)
    with harness.Folder() as home:
        try:
            failures = case.check(home, [], [server])
        finally:
            server.stop()
            proxy.stop()
    return failures if proxy.asked else failures + ['the proxy was not asked']


def dead_proxy():
    case = Case('', (), (('FAIL', 'connect', 'proxy', 'it is the proxy that fails', 'port 2525'),), 75,
                dict(host='mail.example.org', port='2525',
                     proxy='socks5h://127.0.0.1:%d' % harness.free_port()))
    with harness.Folder() as home:
        return case.check(home, [])


def key_hash():
    """SHA-256 of the public key of the server's certificate."""
    key = subprocess.run(['openssl', 'x509', '-in', CERTS('server')[0], '-noout', '-pubkey'],
                         stdout=subprocess.PIPE, check=True).stdout
    der = subprocess.run(['openssl', 'pkey', '-pubin', '-outform', 'DER'], input=key,
                         stdout=subprocess.PIPE, check=True).stdout
    return hashlib.sha256(der).digest()


def dane(octets, want, exit=0):
    server = Server(cert='server')
    zone = {('mail.example.org', 'A'): ['127.0.0.1'],
            ('_%d._tcp.mail.example.org' % server.port, 'TLSA'): [(3, 1, 1, octets())]
            if octets else 'nxdomain'}
    resolver = Resolver(zone, authentic=True)
    settings = dict(host='mail.example.org', port=str(server.port), tls_trust_file=None,
                    resolver='127.0.0.1:%d' % resolver.port, dnssec='trust-ad', tls_dane='must')
    with harness.Folder() as home:
        try:
            return Case('', (), want, exit, settings).check(home, [], [server])
        finally:
            server.stop()
            resolver.__exit__()


def ways():
    yield 'a proxy that looks names up', through_proxy
    yield 'a proxy that is not there', dead_proxy
    yield 'DANE', lambda: dane(key_hash, (('ok', 'certificate', 'verified by DANE'),))
    yield ('DANE, another key', lambda: dane(
        lambda: b'x' * 32, (('FAIL', 'certificate', 'no TLSA record', 'DNS and certificate disagree'),
                            ('ok', 'tls', ''), ('skip', 'sign-in', '')), 75))
    yield ('DANE, no records', lambda: dane(
        None, (('FAIL', 'certificate', 'has no TLSA records', 'tls_dane = off'),), 75))
    by_name = dict(host='mail.example.org', tls_host_override='localhost')
    addresses = {('mail.example.org', 'A'): ['127.0.0.1', '127.0.0.3']}
    srv = {('_submission._tcp.example.org', 'SRV'): [(0, 0, 'PORT', 'mail.example.org')],
           ('mail.example.org', 'A'): ['127.0.0.1']}
    mx = {('example.net', 'MX'): [(10, 'mx.example.net')], ('mx.example.net', 'A'): ['127.0.0.1']}
    direct = dict(NO_TLS, host=None, mx='on', tls='auto')
    plain = dict(starttls=False, auth='')
    yield ('two addresses, one dead', lambda: with_resolver(
        addresses, [{}], by_name,
        (('ok', 'dns', 'mail.example.org has 127.0.0.1, 127.0.0.3'), ('ok', 'recipient', ''),
         ('warn', 'connect', 'Connection refused', 'nothing listens'))))
    yield ('two addresses, a wrong password is not tried twice', lambda: with_resolver(
        addresses, [dict(address='0.0.0.0', replies={'AUTH': '535 5.7.8 no'})], by_name,
        (('FAIL', 'sign-in', '535'), ('skip', 'sign-in', 'not tried again')), 77))
    yield ('two addresses, the second refuses for good', lambda: with_resolver(
        addresses, [dict(address='127.0.0.1', greeting='421 busy'),
                    dict(address='127.0.0.3', port='SAME', replies={'AUTH': '535 5.7.8 no'})],
        by_name, (('FAIL', 'greeting', '421'), ('FAIL', 'sign-in', '535')), 77))
    yield ('two addresses, the second makes up for the first', lambda: with_resolver(
        addresses, [dict(address='127.0.0.1', greeting='421 busy'),
                    dict(address='127.0.0.3', port='SAME')],
        by_name, (('warn', 'greeting', '421'), ('ok', 'recipient', '')), connections=[1, 1]))
    yield ('SRV records', lambda: with_resolver(
        srv, [{}], dict(host='srv:example.org', tls_host_override='localhost'),
        (('ok', 'dns', 'the SRV records of example.org lead to mail.example.org:'),
         ('ok', 'recipient', ''))))
    yield ('no SRV records', lambda: with_resolver(
        {('example.org', 'A'): ['127.0.0.1']}, [], dict(host='srv:example.org'),
        (('FAIL', 'dns', 'no SRV record', 'host = NAME'),), 68))
    yield ('DNS is down', lambda: with_resolver(
        {('mail.example.org', 'A'): 'servfail', ('mail.example.org', 'AAAA'): 'servfail'}, [],
        dict(host='mail.example.org'), (('FAIL', 'dns', '', 'no name server answers'),), 75))
    yield ('MX', lambda: with_resolver(
        mx, [plain], direct, (('ok', 'dns', 'mail for example.net goes to mx.example.net'),
                              ('warn', 'starttls', 'not offered', 'tls = starttls'),
                              ('ok', 'extensions', ''), ('ok', 'ehlo', ''),
                              ('ok', 'recipient', '<ann@example.net>')), words=['ann@example.net']))
    yield ('MX with TLS where there is some', lambda: with_resolver(
        mx, [dict(auth='')], dict(direct, tls='may'),
        (('ok', 'starttls', 'offered'), ('ok', 'certificate', 'not verified: any will do'),
         ('ok', 'recipient', '<ann@example.net>')), words=['ann@example.net']))
    yield ('MX without recipient', lambda: with_resolver(
        mx, [plain], direct, (('FAIL', 'recipient', 'mx = on', 'name one'),), 64, sends=False))
    yield ('MX of a domain that is not there', lambda: with_resolver(
        {}, [plain], direct, (('FAIL', 'dns', 'does not exist'),), 68, words=['ann@example.net']))


# --- --check-config -------------------------------------------------------------

CONFIGS = [
    ('good', '[account default]\nhost = a\n', 0, r'ok: 1 account in .*rc$', []),
    ('msmtp', 'account a\nhost b\nuser joe\nauth on\naccount default : a\n', 0, 'ok: 2 accounts', []),
    ('every mistake', '[acount x]\nhots = a\n[account a : nobody]\nprot = 12\nport = x\n'
     'tls = maybe\n[account a]\nhost = b\nnonsense\n', 78, '',
     [r":1: section 'acount x'", r":2: key 'hots': unknown; did you mean 'host'",
      r":4: key 'prot': unknown; did you mean 'port'", r":7: account 'a' was already defined",
      r":9: the line is neither", r":3: account 'a': there is no account 'nobody'",
      r":5: key 'port': 'x' is not a number", r":6: key 'tls': 'maybe' is not one of"]),
    ('every mistake of msmtp', 'account a\nhots b\nport x\naccount a\nhost c\ntls maybe\n', 78, '',
     [":2: key 'hots'", ":4: account 'a' was already", ":3: key 'port'", ":6: key 'tls'"]),
    ('a mistake that others take over', '[account a]\nhost = b\nport = x\n[account c : a]\n'
     '[account d : a]\n', 78, '', [":3: key 'port'"]),
    ('a loop', '[account a : b]\nhost = x\n[account b : a]\n', 78, '', ['a loop', 'a loop']),
    ('password without user', '[account a]\nhost = b\npassword_command = cat /x\n', 0, 'ok: 1',
     [r"warning: .*rc:3: key 'password_command': there is no 'user'"]),
    ('pin without TLS', '[account a]\nhost = b\ntls = off\ntls_pin = %s\n' % PINS, 0, 'ok: 1',
     [r"warning: .*:4: key 'tls_pin': not used: 'tls = off'"]),
    ('pin of the defaults', '[defaults]\ntls_pin = %s\n[account a]\nhost = b\ntls = off\n' % PINS, 0,
     'ok: 1', []),
    ('two passwords', '[account a]\nhost = b\nuser = c\npassword_file = /x\npassword_command = y\n', 0,
     'ok: 1', [":5: key 'password_command': not used: another key"]),
    ('wrong port', '[account a]\nhost = b\nport = 465\ntls = starttls\n', 0, 'ok: 1',
     [":3: key 'port': on port 465"]),
    ('never reached', '[account a]\nhost = b\nfrom = *@x.org\n[account c]\nhost = d\nfrom = e@X.org\n', 0,
     'ok: 2', ["account 'c' is never chosen"]),
    ('no server', '[account a]\nfrom = b@c.org\n[account d : e]\nhost = f\n[account e]\nuser = x\n', 0,
     'ok: 3', ["account 'a' has neither"]),
    ('socket and host', '[account a]\nhost = b\nsocket = /s\n', 0, 'ok: 1', [":2: key 'host': not used: 'socket'"]),
    # every row of the table, with what it says of the key in the last line
] + [(
    'useless: ' + rows.split('\n')[-1], '[account a]\n' + rows + '\n', 0, 'ok: 1',
    [r"warning: .*:%d: key '%s': .*%s" % (rows.count('\n') + 2, rows.split('\n')[-1].split(' ')[0],
                                         words)]) for rows, words in (
    ('host = b\npassword_file = /x', "no 'user'"), ('host = b\npassword_credential = x', "no 'user'"),
    ('host = b\npasswordeval = x', "no 'user'"), ('host = b\npassword_fd = 3', "no 'user'"),
    ('host = b\nauth = off\nuser = c', 'auth = off'),
    ('host = b\nauth = off\npassword_command = x', 'auth = off'),
    ('host = b\nauth = off\noauth_token_command = x', 'auth = off'),
    ('host = b\nuser = c\npassword_credential = x\npasswordeval = y', 'another key'),
    ('host = b\nuser = c\npassword_fd = 3\npassword_credential = y', 'another key'),
    ('host = b\nuser = c\npassword_file = /x\npassword_fd = 3', 'another key'),
    ('host = b\ntls = off\ntls_trust_file = /x', 'tls = off'),
    ('host = b\ntls = off\ntls_trust_dir = /x', 'tls = off'),
    ('host = b\ntls = off\ntls_crl_file = /x', 'tls = off'),
    ('host = b\ntls = off\ntls_cert_file = /x', 'tls = off'),
    ('host = b\ntls = off\ntls_pkcs12_file = /x', 'tls = off'),
    ('host = b\ntls = off\ntls_host_override = x', 'tls = off'),
    ('host = b\ntls = off\ntls_priorities = NORMAL', 'tls = off'),
    ('host = b\ntls = off\ntls_fingerprint = ' + 'AA' * 32, 'tls = off'),
    ('host = b\ntls = off\ntls_dane = may', 'tls = off'),
    ('host = b\ntls_certcheck = off\ntls_trust_file = /x', 'tls_certcheck = off'),
    ('host = b\ntls_pin = %s\ntls_trust_file = /x' % PINS, 'by its pin'),
    ('host = b\ntls_key_file = /x', "no 'tls_cert_file'"),
    ('host = b\ntls_cert_file = /x\ntls_pkcs12_file = /y', 'cannot be used beside'),
    ('host = b\ntls = implicit\nport = 587', 'STARTTLS'),
    ('socket = /s\nport = 25', "'socket' goes before"),
    ('socket = /s\nproxy = http://h', "'socket' goes before"),
    ('socket = /s\ntunnel = x', "'socket' goes before"),
    ('host = b\ntunnel = x\nproxy = http://h', "'tunnel' goes before"),
    ('mx = on\nhost = b', "recipient's domain"), ('mx = on\nuser = b', 'nobody signs in'),
    ('host = b\nproxy = http://h\nproxy_password_file = /x', "no 'proxy_user'"),
    ('host = b\nlogfile_time_format = %d', "no 'logfile'"),
)] + [
    ('not there', None, 78, '', ['cannot open']),
    ('nothing in it', '', 0, 'ok: 0 accounts', []),
]


def check_config(text, exit, out_pattern, lines):
    failures = []
    with harness.Folder() as home:
        path = os.path.join(home, 'rc')
        if text is not None:
            with open(path, 'w', encoding='utf-8') as f:
                f.write(text)
            os.chmod(path, 0o600)
        for words in (['--check-config=' + path], ['--check-config', path],
                      ['-C', path, '--check-config']):
            status, out, err = run(words, home)
            if status != exit or not re.match(out_pattern, out) or (not out_pattern and out):
                failures.append('%r: exit %s, stdout %r' % (words, status, out))
            got = err.splitlines()
            if len(got) != len(lines) or not all(re.search(p, g) for p, g in zip(lines, got)):
                failures.append('%r: stderr:\n%s' % (words, err))
    return failures


def check_with_mistakes():
    """--check names every mistake, too."""
    with harness.Folder() as home:
        path = os.path.join(home, 'rc')
        with open(path, 'w', encoding='utf-8') as f:
            f.write('[account a]\nhots = a\nport = x\n')
        status, out, _ = run(['-C', path, '--check'], home)
        findings, failures = parse(out)
        if status != 78 or [f.verdict for f in findings] != ['FAIL', 'FAIL'] or \
           not all('--check-config' in f.hint for f in findings):
            failures.append('exit %s:\n%s' % (status, out))
        status, out, _ = run(['-C', path, '--check', '--json'], home)
        found = json.loads(out)
        if status != 78 or found['exit'] != 78 or found['account'] is not None or \
           [f['exit'] for f in found['findings']] != [78, 78]:
            failures.append('exit %s: %s' % (status, out))
        status, out, _ = run(['--check=b', '--host=127.0.0.1', '-C', '/dev/null'], home)
        if status != 78 or not out.startswith('FAIL account: no account'):
            failures.append('exit %s:\n%s' % (status, out))
        status, out, err = run(['-C', path, '--check=a', 'b', 'x@y'], home)
        if status != 64 or 'one too many' not in err:
            failures.append('exit %s: %s' % (status, err))
        return failures


def main():
    global CERTS
    with harness.Folder() as folder:
        CERTS = harness.Certificates(os.path.join(folder, 'certs'))
        CERTS.make()
        tests = [(c.name, c) for c in list(cases()) + list(many_servers())]
        tests += [('LMTP on a local socket', lmtp_on_socket), ('a tunnel', tunnel)]
        tests += [('--check-config: ' + name, lambda rest=rest: check_config(*rest))
                  for name, *rest in CONFIGS]
        tests.append(('mistakes in the configuration', check_with_mistakes))
        tests += list(ways())
        return harness.run_tap(tests)


if __name__ == '__main__':
    sys.exit(main())
