"""What every submission server has to show.

A Service says where a server listens and what it offers; cases() makes the same tests for
each. What the server passed on to the sink, or stored, is compared with what was given.
"""
import email
import email.policy
import os
import re
import smtplib
import ssl
import subprocess
import tempfile
import threading

from common import PASSWORD, SIZE_LIMIT, TOKEN, USER, WAIT, Failure, Place, harness

HEADER = 'From: Joe <joe@example.org>\nTo: %s\nSubject: %s\n' \
         'Date: Tue, 04 Mar 2025 10:20:30 +0100\nMessage-ID: <%s@example.org>\n' \
         'MIME-Version: 1.0\n' \
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
BIG = b''.join(b'%06d %s\n' % (i, bytes(128 + (i * j) % 128 for j in range(60)))
               for i in range(8000))


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
            at, got[max(0, len(got) - at - 60):][:160],
            wanted[max(0, len(wanted) - at - 60):][:160]))
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
        self.stdout = done.stdout.decode('utf-8', 'replace')
        self.stderr = done.stderr.decode('utf-8', 'replace')
        if harness.sanitizer_words(self.stderr):
            raise Failure('sanitizer report:\n' + self.stderr)
        for secret in secrets:
            if secret in self.stderr + self.stdout:
                raise Failure('a secret is shown:\n' + self.stderr)

    def want(self, code, words=''):
        if self.exit != code or words not in self.stderr:
            raise Failure('exit %d and %r wanted, not %d:\n%s' %
                          (code, words, self.exit, self.stderr))
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
        self.place = Place(sink, facts.pop('root', None))       # of the server's files
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
        run, _ = service.send(mode, b'hello\n', auth=mechanism.lower(),
                              **credentials(service, mechanism))
        if [a.split()[1] for a in run.sent('AUTH')] != [mechanism]:
            raise Failure('not signed in once with %s:\n%s' % (mechanism, run.stderr))
    return case


def case_wrong_secret(service, mode, mechanism):
    """Refused with 77, in one try: a second one could lock the account. Nothing goes along."""
    def case():
        wrong = dict(credentials(service, mechanism))
        key = 'oauth_token_file' if 'oauth_token_file' in wrong else 'password_file'
        wrong[key] = os.path.join(service.home, 'wrong')
        rcpt = service.new_address()
        mark = b'\nbody for ' + rcpt.encode()
        for auth in (mechanism.lower(), 'auto') if mechanism == 'PLAIN' else (mechanism.lower(),):
            run = service.msubmit(mode, ['--', rcpt], mark + b'\n', auth=auth, **wrong).want(77)
            if len(run.sent('AUTH')) != 1 or run.sent('MAIL'):
                raise Failure('more than one AUTH, or MAIL:\n' + run.stderr)
        service.nothing(rcpt)
        if service.place.where(mark[1:]):
            raise Failure('the message lies in %s' % service.place.where(mark[1:]))
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


def case_notification(service, mode):
    """A message waits, is refused by -q, and its sender gets a notification through the server."""
    def case():
        sender = service.new_address()
        with tempfile.TemporaryDirectory(dir=service.home) as home:
            rc = os.path.join(home, 'rc')
            with open(rc, 'w', encoding='utf-8') as f:
                f.write(service.account(mode, dict(queue_dir=home + '/queue', queue='always',
                                                   allow_from_override='on')))
            os.chmod(rc, 0o600)
            message = (HEADER % ('b@example.org', 'x', 'n')).encode() + b'Gr\xc3\xbc\xc3\x9fe\n.\n'
            for words in (['-f', sender, '--', 'unknown@example.org'], ['-qf'], ['-qf']):
                Run([harness.binary(), '-C', rc, '-i'] + words, message, home,
                    (PASSWORD, TOKEN)).want(0)
        mail = service.sink.wait(sender)
        report = email.message_from_bytes(mail.data, policy=email.policy.SMTP)
        text, status, original = report.get_payload()
        fields = dict(status.get_payload()[1].items())
        got = (mail.sender, report.get_content_type(), fields['Final-Recipient'],
               fields['Action'], fields['Status'][0], original.get_payload()[0]['Message-ID'],
               [e.defects for e in (report, text, status, original)],
               'unknown@example.org' in text.get_content())
        if got != (b'', 'multipart/report', 'rfc822; unknown@example.org', 'failed', '5',
                   '<n@example.org>', [[]] * 4, True) or wire_form(message) not in mail.data:
            raise Failure('%r\n%r' % (got, mail.data))
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
        _, mail = service.send(mode, 'Gr\u00fc\u00dfe\n'.encode(),
                               ['-f', 's\u00e9nder@example.org'], rcpt=rcpt, subject='Gr\u00fcn')
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
        run, mail = service.send(mode, b'x\n', ['-N', 'failure,delay', '-R', 'hdrs', '-V',
                                                'inv+7=x'], rcpt=rcpt)
        for words in ('RET=HDRS', 'ENVID=inv+2B7+3Dx', 'NOTIFY=FAILURE,DELAY',
                      'ORCPT=rfc822;' + rcpt):
            if words not in run.stderr:
                raise Failure('no %s:\n%s' % (words, run.stderr))
        params = b' '.join(mail.params + mail.rcpts[rcpt.encode()]).upper()
        for words in (b'RET=HDRS', b'ENVID=INV+2B7+3DX', b'NOTIFY=', b'FAILURE', b'DELAY',
                      b'ORCPT=RFC822;' + rcpt.upper().encode()):
            if words not in params:
                raise Failure('the server has not passed on %r: %r' % (words, params))
    return case


def case_file(service, mode):
    """Standard input is a regular file, read from where it stands; raw UTF-8 in the header
    becomes an encoded word."""
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
        encoded = message.replace('Gr\u00fcn'.encode(), b'=?utf-8?B?R3LDvG4=?=')
        check_octets(service.sink.wait(rcpt).data, encoded)
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


def case_check(service, mode):
    """--check finds nothing wrong, and nothing comes of it; then what is wrong, and where."""
    def case():
        rcpt = service.new_address()
        run = service.msubmit(mode, ['--check', rcpt]).want(0)
        steps = ['connect', 'greeting', 'ehlo', 'extensions', 'sender', 'recipient']
        steps += ['tls', 'certificate', 'sign-in'] if mode != 'plain' else []
        steps += ['starttls'] if mode == 'starttls' else []
        for step in steps:
            if not re.search('^ok   %s: ' % step, run.stdout, re.M):
                raise Failure('no %s:\n%s' % (step, run.stdout))
        if 'FAIL' in run.stdout or run.sent('DATA') or run.sent('BDAT') or not run.sent('RSET'):
            raise Failure('%s\n%s' % (run.stdout, run.stderr))
        service.nothing(rcpt)
        faults = [('recipient', 67, dict(args=['unknown@example.org']))]
        if mode != 'plain':
            wrong = os.path.join(service.home, 'wrong-check-' + mode)
            with open(wrong, 'w', encoding='utf-8') as f:
                f.write('not the password\n')
            os.chmod(wrong, 0o600)
            faults += [('sign-in', 77, dict(password_file=wrong)),
                       ('certificate', 76, dict(tls_host_override='mail.example.net')),
                       ('certificate', 76, dict(tls_pin='spki-sha256:' + 'A' * 43 + '='))]
        for step, status, settings in faults:
            run = service.msubmit(mode, ['--check'] + settings.pop('args', [rcpt]),
                                  **settings).want(status)
            if not re.search('^FAIL %s: .*\n     -> ' % step, run.stdout, re.M):
                raise Failure('no failure at %s:\n%s' % (step, run.stdout))
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
            run = service.msubmit('starttls', ['case-0@example.org'], b'\nx\n', tls='off',
                                  auth=auth)
            used = [a.split()[1] for a in run.sent('AUTH')]
            if any(not name.startswith('SCRAM') for name in used) or \
                    (auth != 'auto' and run.exit != 69):
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
            add('%s: octets: BDAT instead of DATA' % mode,
                case_body(service, mode, b'.\n\xe4\n', chunking='on'))
        add('%s: no pipelining' % mode, case_body(service, mode, b'x\n', pipelining='off'))
        add('%s: --serverinfo' % mode, case_serverinfo(service, mode))
        add('%s: --check' % mode, case_check(service, mode))
        if mode != 'plain':
            tls_cases(service, mode, add)
    mode = 'starttls' if 'starttls' in service.ports else next(iter(service.ports))
    for name, make in (('unknown recipient', case_unknown), ('partial acceptance', case_partial),
                       ('partial acceptance forbidden', case_strict), ('size limit', case_size),
                       ('many recipients', case_many), ('null sender', case_null_sender),
                       ('a notification from the queue', case_notification),
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
        case_certificate(service, mode,
                         tls_trust_file=os.path.join(service.certs.make(), 'ca2.pem')))


def skipped(service, test):
    for words, why in service.skip.items():
        if words in test[0]:
            return '%s # SKIP %s' % (test[0], why), None
    return test


def offered(port):
    """Mechanisms in the EHLO reply after STARTTLS; asked without msubmit."""
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
