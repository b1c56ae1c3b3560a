"""What the tests of --compose share: a desk with a server, and messages as others read them."""
import email
import email.header
import email.policy
import email.utils
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402
from servers.common import Failure, Sink                                # noqa: E402

BIG = int(os.environ.get('MSUBMIT_TEST_BIG', '48'))
PDF = b'%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< >>\nendobj\n' + bytes(range(256))
PNG = b'\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\10\6\0\0\0'
GERMAN, RUSSIAN, JAPANESE = 'Grüße aus Köln', 'Привет, мир', '日本語のテキスト'
FROM = 'jo@example.org'
RC = '[account default]\nhost = 127.0.0.1\nport = %d\ntls = off\nsyslog = off\nfrom = %s\n'
EXTENSIONS = ('PIPELINING', '8BITMIME', 'SMTPUTF8', 'DSN', 'SIZE')


class Desk:
    """A folder, a sink, and the program with a configuration of options only."""

    def __enter__(self):
        self.folder = harness.Folder()
        self.home = self.folder.__enter__()
        self.sink = Sink(extensions=EXTENSIONS)
        self.env = harness.environment(self.home)
        return self

    def __exit__(self, *args):
        self.sink.close()
        self.folder.__exit__(*args)

    def path(self, name):
        return os.path.join(self.home, name)

    def write(self, name, data):
        where = os.path.join(os.fsencode(self.home), os.fsencode(name))
        with open(where, 'wb') as f:
            f.write(data.encode() if isinstance(data, str) else data)
        return where

    def run(self, args, data=b'', code=0, name='msubmit', env=None, sink=None):
        """stderr; the message then is the last of the sink's mails."""
        port = (sink or self.sink).port
        argv = [name, '--host=127.0.0.1', '--port=%d' % port, '--tls=off', '--syslog=off',
                '--from=' + FROM, '--aliases='] + args
        if name == 'sendmail':          # takes no server from its arguments
            self.write('.msmtprc', RC % (port, FROM))
            os.chmod(self.path('.msmtprc'), 0o600)
            argv = [name] + args
        done = subprocess.run(argv, executable=harness.binary(), input=data, cwd=self.home,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=dict(self.env, **(env or {})), timeout=60 * harness.SCALE)
        text = (done.stdout + done.stderr).decode('utf-8', 'surrogateescape')
        if done.returncode != code or harness.sanitizer_words(text):
            raise Failure('%r: exit %d\n%s' % (args, done.returncode, text))
        if (sink or self.sink).faults:
            raise Failure('\n'.join(self.sink.faults))
        return text

    def compose(self, args, data=b'', **more):
        """The message that came of --compose, and its envelope's recipients."""
        before = len(self.sink.mails)
        text = self.run(['--compose'] + args, data, **more)
        if text:
            raise Failure('%r says: %s' % (args, text))
        if len(self.sink.mails) != before + 1:
            raise Failure('%d mails have come' % len(self.sink.mails))
        mail = self.sink.mails[-1]
        return read(mail.data), mail


def read(data):
    message = email.message_from_bytes(data, policy=email.policy.default)
    defects = [d for part in message.walk() for d in part.defects]
    if defects:
        raise Failure('%r in\n%s' % (defects, data.decode('utf-8', 'replace')))
    for field in ('From', 'Date', 'Message-ID', 'MIME-Version', 'Content-Type'):
        if len(message.get_all(field, [])) != 1:
            raise Failure('not one %s field' % field)
    return message


def tree(part):
    """'multipart/mixed(text/plain application/pdf)'"""
    if part.get_content_maintype() != 'multipart':
        return part.get_content_type()
    return '%s(%s)' % (part.get_content_type(), ' '.join(tree(p) for p in part.iter_parts()))


def want(what, got, wanted):
    if got != wanted:
        raise Failure('%s: %r, not %r' % (what, got, wanted))


def test(function):
    def case():
        try:
            with Desk() as desk:
                function(desk)
        except Failure as e:
            return [str(e)]
        return []
    return case


def leaves(message):
    return [p for p in message.walk() if not p.is_multipart()]


def header_of(mail):
    return mail.data.split(b'\r\n\r\n')[0].decode()


def crlf(data):
    """Text with the line ends of mail, whatever it had."""
    return re.sub(rb'\r*\n|\r', b'\r\n', data)


def text_of(message):
    return message.get_content().replace('\r\n', '\n')


def main(tests):
    """Runs (name, function) pairs: all, or those whose names hold one of the arguments."""
    only = sys.argv[1:]
    return harness.run_tap([(name, test(f)) for name, f in tests
                            if not only or any(o in name for o in only)])
