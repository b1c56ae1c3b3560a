#!/usr/bin/env python3
"""Messages and fields made by options, read back with Python's email package; TAP.

A sink keeps what comes. What was given to the options is compared with what a reader finds:
structure, names and octets of attachments, texts in several charsets, header fields at every
folding limit. MSUBMIT names the program; MSUBMIT_TEST_BIG the MiB of the largest attachment.
"""
import email
import email.header
import email.policy
import email.utils
import os
import random
import re
import shutil
import subprocess
import sys
import threading
import zoneinfo

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


# --- texts --------------------------------------------------------------------------

def plain_text(desk):
    m, mail = desk.compose(['--to=b@example.net', '--subject=A subject'], b'Hello\n.\nend\n')
    want('body', mail.data.split(b'\r\n\r\n', 1)[1], b'Hello\r\n.\r\nend\r\n')
    want('type', m['Content-Type'], 'text/plain; charset="us-ascii"')
    want('encoding', m['Content-Transfer-Encoding'], '7bit')
    want('recipients', mail.order, ['b@example.net'])
    want('sender', mail.sender, FROM.encode())
    want('From', m['From'].addresses[0].addr_spec, FROM)
    want('Subject', m['Subject'], 'A subject')
    want('To', m['To'], 'b@example.net')


def empty_text(desk):
    for args in ([], ['--no-body'], ['--body=']):
        m, _ = desk.compose(['--to=b@example.net'] + args)
        want('%s' % args, (m.get_content_type(), m.get_content().strip()), ('text/plain', ''))


def sources_of_text(desk):
    path = os.fsdecode(desk.write('text', 'in a file\n'))
    unread = b'this must not be read\n'
    for args, data, body in [
            ([], b'on stdin\n', 'on stdin\n'), (['--body-file=-'], b'on stdin\n', 'on stdin\n'),
            (['--body-file=' + path], unread, 'in a file\n'),
            (['--body=@' + path], unread, 'in a file\n'),
            (['--body=two\nlines'], unread, 'two\nlines\n'), (['--no-body'], unread, '\n')]:
        m, _ = desk.compose(['--to=b@example.net'] + args, data)
        want('%s' % args, text_of(m).rstrip() + '\n', body.rstrip() + '\n')


def charsets(desk):
    for charset, text in [('iso-8859-1', GERMAN), ('koi8-r', RUSSIAN), ('utf-8', JAPANESE),
                          ('shift_jis', JAPANESE), ('iso-2022-jp', JAPANESE),
                          ('utf-16', RUSSIAN), ('windows-1252', GERMAN + ' €')]:
        for times in (1, 7000):
            data = ''.join('%s %d\n' % (text, i) for i in range(times))
            m, _ = desk.compose(['--to=b@example.net', '--charset=' + charset],
                                data.encode(charset))
            want(charset, text_of(m), data)
            want(charset, m.get_content_charset(), 'utf-8')
            if times == 1:
                for leaf in (['--body-file=t,charset=' + charset],
                             ['--no-body', '--html=t;charset=' + charset]):
                    desk.write('t', data.encode(charset))
                    m, _ = desk.compose(['--to=b@example.net'] + leaf)
                    want(charset, text_of(m), data)


def charset_unknown(desk):
    """Text in nobody knows what is not lost, and not called UTF-8."""
    data = GERMAN.encode('iso-8859-1') + b'\n'
    m, _ = desk.compose(['--to=b@example.net'], data)
    want('charset', m.get_content_charset(), 'unknown-8bit')
    want('octets', m.get_payload(decode=True).strip(), data.strip())
    m, _ = desk.compose(['--to=b@example.net', '--default-charset=iso-8859-1'], data)
    want('default_charset', (m.get_content_charset(), text_of(m)), ('utf-8', GERMAN + '\n'))


def charset_wrong(desk):
    for args, data in [(['--charset=utf-8'], b'\xfc\n'), (['--charset=shift_jis'], b'ab\x93'),
                       (['--charset=us-ascii'], b'\xfc'), (['--charset=utf-8'], b'\xc3')]:
        text = desk.run(['--compose', '--to=b@example.net'] + args, data, code=65)
        if args[0].split('=')[1] not in text:
            raise Failure('%s: %s' % (args, text))
    want('mails', len(desk.sink.mails), 0)


def charset_of_locale(desk):
    """The charset of LC_ALL, with a locale made for the test."""
    folder = desk.path('locales')
    os.mkdir(folder)
    made = shutil.which('localedef') and subprocess.run(
        ['localedef', '-f', 'ISO-8859-1', '-i', 'de_DE', folder + '/de_DE.ISO-8859-1'],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    if not made:
        return
    # the C library forgets to free LOCPATH
    env = {'LC_ALL': 'de_DE.ISO-8859-1', 'LOCPATH': folder, 'ASAN_OPTIONS': 'detect_leaks=0'}
    m, _ = desk.compose(['--to=b@example.net', b'--subject=' + GERMAN.encode('iso-8859-1')],
                        GERMAN.encode('iso-8859-1'), env=env)
    want('text', m.get_content().strip(), GERMAN)
    want('Subject', m['Subject'], GERMAN)
    m, _ = desk.compose(['--to=b@example.net', '--subject=' + GERMAN], GERMAN.encode(), env=env)
    want('UTF-8 all the same', (m.get_content().strip(), m['Subject']), (GERMAN, GERMAN))
    if not re.match(r'\w{3}, \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) ', m['Date']):
        raise Failure('Date: %s' % m['Date'])


def text_forms(desk):
    """Every text comes back with its octets; line ends are those of mail."""
    rng = random.Random(1)
    alphabet = ['a', ' ', '\t', '=', '.', '-', 'From ', 'ü', '日', '\n', '\n.', '\r\n', '\n\n',
                '--', ' \n', '\n--=_', '\x1b[0m']
    texts = [''.join(rng.choice(alphabet) for _ in range(rng.choice([1, 10, 300])))
             for _ in range(25)]
    texts += ['x' * n + '\n' for n in (75, 76, 77, 997, 998, 999, 5000)]
    texts += ['ü' * n for n in (24, 25, 26, 499, 500)]
    texts += ['a' * (n - 1) + '日\nb\n' for n in (16384, 32768, 65536)]
    for i, text in enumerate(texts):
        data = text.encode()
        for args in ([], ['--prefer-8bit']):
            m, mail = desk.compose(['--to=b@example.net'] + args, data)
            got = crlf(m.get_payload(decode=True))
            if got.rstrip(b'\r\n') != crlf(data).rstrip(b'\r\n'):
                raise Failure('text %d %s: %r, not %r' % (i, args, got[:300], data[:300]))
            if max(map(len, mail.data.split(b'\r\n'))) > 998:
                raise Failure('text %d: a line is too long' % i)


def nul_in_text(desk):
    m, _ = desk.compose(['--to=b@example.net'], b'a\0b\n')
    want('octets', m.get_payload(decode=True), b'a\0b\r\n')


# --- attachments ----------------------------------------------------------------------

def binary_sizes(desk):
    """Random octets of all sizes at the edges of lines and blocks."""
    rng = random.Random(2)
    sizes = [0, 1, 2, 3, 56, 57, 58, 113, 114, 115, 1000]
    sizes += [n + d for n in (16384, 65536, 131072, 262144) for d in (-1, 0, 1)]
    for i in range(0, len(sizes), 6):
        given = {'f%d.bin' % n: rng.randbytes(n) for n in sizes[i:i + 6]}
        args = ['--to=b@example.net', '--no-body']
        for name, data in given.items():
            desk.write(name, data)
            args.append('--attach=' + name)
        m, _ = desk.compose(args)
        want('attachments', {p.get_filename(): p.get_payload(decode=True) for p in leaves(m)},
             given)


def text_files(desk):
    """Text with one kind of line ends is text; all else keeps its octets."""
    for name, data, exact in [
            ('a.csv', b'a;b\n1;2\n', False), ('b.csv', b'a;b\r\n1;2\r\n', True),
            ('c.csv', b'a\r\nb\n', True), ('d.csv', b'a\rb\r', True),
            ('e.csv', 'ü\n'.encode(), False), ('f.csv', b'\xfc\n', False),
            ('g.csv', b'x' * 999 + b'\n', False), ('h.csv', b'no end', True),
            ('i.csv', b'a\0b\n', True), ('j.csv', b'\xff\xfea\0', True),
            ('k.csv', b'', True)]:
        desk.write(name, data)
        m, _ = desk.compose(['--to=b@example.net', '--no-body', '--attach=' + name])
        part = leaves(m)[0]
        got = part.get_payload(decode=True)
        want(name, got if exact else crlf(got), data if exact else crlf(data))
        fits = b'\0' not in data
        if fits != (part.get_content_type() == 'text/csv') and data:
            raise Failure('%s: %s' % (name, part.get_content_type()))


def options_of_parts(desk):
    desk.write('x', b'caf\xe9 = 1\n')
    for spec, field, value in [
            ('type=text/x-foo,charset=iso-8859-1', 'Content-Type',
             'text/x-foo; charset="iso-8859-1"'),
            ('type=application/x-foo', 'Content-Type', 'application/x-foo'),
            ('encoding=quoted-printable,type=text/plain', 'Content-Transfer-Encoding',
             'quoted-printable'),
            ('encoding=base64,type=text/plain', 'Content-Transfer-Encoding', 'base64'),
            ('encoding=8bit,type=text/plain', 'Content-Transfer-Encoding', '8bit'),
            ('disposition=inline', 'Content-Disposition', 'inline; filename="x"'),
            ('name=other.name', 'Content-Disposition', 'attachment; filename="other.name"'),
            ('description=' + GERMAN, 'Content-Description', GERMAN),
            ('cid=logo@example.org', 'Content-ID', '<logo@example.org>')]:
        for separator in ',;':
            m, _ = desk.compose(['--to=b@example.net', '--attach=x' + separator +
                                 spec.replace(',', separator)], b'text\n')
            part = list(m.iter_parts())[1]
            want(spec, str(part[field]), value)
            want(spec, crlf(part.get_payload(decode=True)), b'caf\xe9 = 1\r\n')
    for spec in ('encoding=7bit', 'encoding=7bit,type=text/plain'):
        text = desk.run(['--compose', '--to=b@example.net', '--attach=x,' + spec], code=65)
        if "'x'" not in text or '8-bit' not in text:
            raise Failure(text)


NAMES = ['simple.txt', 'with blank.pdf', 'quote".txt', "apo'strophe", 'back\\slash', 'semi;colon',
         'com,ma', 'per%cent', 'eq=ual', 'ümläut.txt', 'файл.doc', '日本語.zip', '😀.png',
         'a' * 200 + '.txt', 'ü' * 100 + '.txt', '=?utf-8?q?x?=', '.hidden', 'dot.', '(x).txt',
         '<b>@[c]:?', 'tab\there', "utf-8''x", 'a*b', 'two  blanks']


def file_names(desk):
    for name in NAMES:
        given = 'q' + name if name == 'tab\there' else name
        desk.write(given, b'\0data')
        spec = re.sub(r'([\\,;])', r'\\\1', given)
        for compat in ('off', 'on'):
            m, mail = desk.compose(['--to=b@example.net', '--no-body', '--filename-compat=' + compat,
                                    '--attach=' + spec])
            part = leaves(m)[0]
            want('octets of %r' % given, part.get_payload(decode=True), b'\0data')
            if compat == 'off':
                old = email.message_from_bytes(mail.data).get_payload()[0]
                want('name, as an older reader has it',
                     email.utils.collapse_rfc2231_value(old.get_filename()), given.strip())
                want('name', part.get_filename(), given)
            elif not given.isascii():
                field = mail.data.decode('ascii')
                if 'name="=?utf-8?' not in field or "*=utf-8''" not in field:
                    raise Failure('no compatible name for %r' % given)
            longest = max(map(len, mail.data.split(b'\r\n')))
            if longest > (78 if compat == 'off' else 998):
                raise Failure('%r: a line of %d octets' % (given, longest))


def name_in_latin1(desk):
    desk.write(b'caf\xe9.bin', b'\0')
    m, _ = desk.compose(['--to=b@example.net', '--no-body', '--charset=iso-8859-1',
                         b'--attach=caf\xe9.bin'])
    want('name', leaves(m)[0].get_filename(), 'café.bin')


def structures(desk):
    desk.write('p.pdf', PDF)
    desk.write('l.png', PNG)
    desk.write('h.html', '<p>%s <img src="cid:l.png"></p>\n' % GERMAN)
    desk.write('i.ics', 'BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n')
    desk.write('m.eml', 'From a@b Mon Jan\nFrom: a@b\nSubject: inner\n\ninner text\n')
    html, pdf = '--html=h.html', '--attach=p.pdf'
    inner = 'message/rfc822'
    for args, wanted in [
            ([pdf], 'multipart/mixed(text/plain application/pdf)'),
            ([pdf, '--no-body'], 'multipart/mixed(application/pdf)'),
            ([pdf, pdf], 'multipart/mixed(text/plain application/pdf application/pdf)'),
            ([html], 'multipart/alternative(text/plain text/html)'),
            ([html, '--no-body'], 'text/html'),
            ([html, pdf], 'multipart/mixed(multipart/alternative(text/plain text/html) '
             'application/pdf)'),
            ([html, '--related=l.png'], 'multipart/alternative(text/plain '
             'multipart/related(text/html image/png))'),
            ([html, '--inline=l.png', '--no-body'], 'multipart/related(text/html image/png)'),
            (['--inline=l.png'], 'multipart/mixed(text/plain image/png)'),
            (['--calendar=i.ics'], 'multipart/alternative(text/plain text/calendar)'),
            (['--calendar=i.ics', '--no-body'], 'text/calendar'),
            ([html, '--calendar=i.ics', '--related=l.png', pdf, '--attach-message=m.eml'],
             'multipart/mixed(multipart/alternative(text/plain multipart/related(text/html '
             'image/png) text/calendar) application/pdf message/rfc822)'),
            (['--attach-message=m.eml'], 'multipart/mixed(text/plain %s)' % inner)]:
        m, mail = desk.compose(['--to=b@example.net'] + args, b'text\n')
        want('%s' % args, tree(m), wanted)
        for part in m.walk():
            if part.get_content_type() == 'multipart/related':
                want('type of related', part.get_param('type'), 'text/html')
            if part.get_content_type() == 'text/calendar':
                want('method', part.get_param('method'), 'REQUEST')
            if part.get_content_type() == 'image/png':
                want('Content-ID', part['Content-ID'], '<l.png>' if 'html' in str(args) else
                     part['Content-ID'])
            if part.get_content_type() == inner:
                want('inner', part.get_payload()[0]['Subject'], 'inner')
                want('inner', part['Content-Transfer-Encoding'], '7bit')
            if part.is_multipart() and part.get_content_type() != inner:
                boundary = part.get_boundary()
                if not re.match(r'=_[0-9A-Za-z]{24}$', boundary):
                    raise Failure('boundary %s' % boundary)
                want('encoding of a multipart', part['Content-Transfer-Encoding'], None)


def empty_text_left_out(desk):
    desk.write('p.pdf', PDF)
    m, _ = desk.compose(['--to=b@example.net', '--attach=p.pdf'], b'')
    want('tree', tree(m), 'multipart/mixed(application/pdf)')


def attach_input(desk):
    data = os.urandom(300000)
    m, _ = desk.compose(['--to=b@example.net', '--body=text', '--attach=-,name=out.bin'], data)
    part = list(m.iter_parts())[1]
    want('name and octets', (part.get_filename(), part.get_payload(decode=True)),
         ('out.bin', data))
    m, _ = desk.compose(['--to=b@example.net', '--attach=-'], data)
    want('tree', (tree(m), leaves(m)[0].get_filename()),
         ('multipart/mixed(application/octet-stream)', None))


def attached_messages(desk):
    """A message stays octet for octet, 8-bit too."""
    desk.write('m', ('From: a@b\nSubject: x\nContent-Type: text/plain; charset=utf-8\n\n%s\n' %
                     GERMAN))
    m, mail = desk.compose(['--to=b@example.net', '--attach-message=m'], b'text\n')
    want('encoding', list(m.iter_parts())[1]['Content-Transfer-Encoding'], '8bit')
    if GERMAN.encode() not in mail.data:
        raise Failure('the message was changed')
    want('BODY', b'BODY=8BITMIME' in mail.params, True)
    desk.write('z', b'From: a@b\n\n\0\n')
    if "'z'" not in desk.run(['--compose', '--to=b@example.net', '--attach-message=z'], code=65):
        raise Failure('the file is not named')


def seven_bit_server(desk):
    """Without 8BITMIME what was left unencoded is encoded for it."""
    sink = Sink(extensions=('PIPELINING',))
    desk.run(['--compose', '--to=b@example.net', '--prefer-8bit'], GERMAN.encode(), sink=sink)
    m = read(sink.mails[0].data)
    want('text', m.get_content().strip(), GERMAN)
    sink.mails[0].data.decode('ascii')
    sink.close()


def slow_input(desk):
    """stdin_timeout counts here too, and nothing is sent then."""
    for args in ([], ['--no-body', '--attach=-,name=x'], ['--html=-']):
        r, w = os.pipe()
        os.write(w, b'first words\n')
        with os.fdopen(r, 'rb') as lines:
            argv = ['msubmit', '--host=127.0.0.1', '--port=%d' % desk.sink.port, '--tls=off',
                    '--syslog=off', '--from=' + FROM, '--stdin-timeout=1', '--compose',
                    '--to=b@example.net'] + args
            done = subprocess.run(argv, executable=harness.binary(), stdin=lines, env=desk.env,
                                  stderr=subprocess.PIPE, timeout=60 * harness.SCALE)
        os.close(w)
        want('status of %s' % args, done.returncode, 75)
        if b'standard input' not in done.stderr:
            raise Failure(done.stderr.decode())
    want('mails', len(desk.sink.mails), 0)


def unreadable(desk):
    os.mkfifo(desk.path('fifo'))
    os.mkdir(desk.path('folder'))
    desk.write('there', b'x')
    for name, words in [('missing', 'No such file'), ('folder', 'Is a directory'),
                        ('fifo', 'no regular file')]:
        for option in ('attach', 'inline', 'attach-message', 'html', 'body-file', 'calendar'):
            text = desk.run(['--compose', '--to=b@example.net', '--attach=there',
                             '--%s=%s' % (option, name)], code=66)
            if words not in text or "'%s'" % name not in text or '--%s' % option not in text:
                raise Failure('%s %s: %s' % (option, name, text))
    want('mails', len(desk.sink.mails), 0)


def types(desk):
    """With libmagic and with one that cannot be loaded; the name alone tells then."""
    os.mkdir(desk.path('lib'))
    desk.write('lib/libmagic.so.1', b'no library')
    os.makedirs(desk.path('data/mime'))
    desk.write('data/mime/globs2', '50:application/x-ours:*.ours\n50:text/x-name:*.txt\n')
    here = {'XDG_DATA_HOME': desk.path('data')}
    without = dict(here, LD_LIBRARY_PATH=desk.path('lib'))
    for name, data, by_magic, by_name in [
            ('x.ours', b'\0\1\2', 'application/x-ours', 'application/x-ours'),
            ('t.txt', b'words\n', 'text/x-name', 'text/x-name'),
            ('t.txt', PDF, 'application/pdf', 'application/octet-stream'),
            ('noname', PDF, 'application/pdf', 'application/octet-stream'),
            ('x.pdf', PDF, 'application/pdf', 'application/pdf'),
            ('a.qqq', b'words\n', 'text/plain', 'application/octet-stream')]:
        desk.write(name, data)
        have = subprocess.run(['ldconfig', '-p'], stdout=subprocess.PIPE, env={
            'PATH': '/usr/sbin:/sbin:/usr/bin:/bin'}).stdout
        for env, wanted in [(here, by_magic), (without, by_name)]:
            if env is here and b'libmagic.so.1' not in have:
                continue
            m, _ = desk.compose(['--to=b@example.net', '--no-body', '--attach=' + name], env=env)
            want('%s, %s' % (name, 'libmagic' if env is here else 'no libmagic'),
                 leaves(m)[0].get_content_type(), wanted)
            want('octets', leaves(m)[0].get_payload(decode=True).strip(), data.strip())


class Counter(Sink):
    """Keeps nothing; knows how much memory the client has had when its data ends."""

    def take(self, lines, mail):
        self.octets = 0
        for line in iter(lines.readline, b'.\r\n'):
            self.octets += len(line)
        with open('/proc/%d/status' % self.child.pid) as f:
            self.peak = int(re.search(r'VmHWM:\s*(\d+)', f.read()).group(1))


def memory(desk):
    """The peak does not grow with the attachments."""
    peaks = []
    # one block for both: how much of libmagic's file is looked at depends on what is in it
    block = os.urandom(1 << 20)
    for size in (2, BIG):
        with open(desk.path('big'), 'wb') as f:
            for _ in range(size):
                f.write(block)
        sink = Counter(extensions=EXTENSIONS)
        sink.child = subprocess.Popen(
            ['msubmit', '--host=127.0.0.1', '--port=%d' % sink.port, '--tls=off', '--syslog=off',
             '--from=' + FROM, '--compose', '--to=b@example.net', '--no-body', '--attach=big'],
            executable=harness.binary(), cwd=desk.home, env=desk.env, stdin=subprocess.DEVNULL)
        want('status', sink.child.wait(60 * harness.SCALE), 0)
        want('octets', sink.octets > size << 20, True)
        peaks.append(sink.peak)
        sink.close()
    if peaks[1] > peaks[0] + 2048:
        raise Failure('%d KiB, and %d for a small one' % (peaks[1], peaks[0]))


# --- header ---------------------------------------------------------------------------

def recipients(desk):
    m, mail = desk.compose(['--to=Jörg T. Ester <b@example.net>, "X, Y" <c@example.net>',
                            '--to=root', '--cc=d@example.net (Comment)', '--cc=B@example.net',
                            '--bcc=secret@example.com', '--bcc', 'e@example.net'], b'x\n')
    want('envelope', mail.order, ['b@example.net', 'c@example.net', 'root@example.org',
                                  'd@example.net', 'secret@example.com', 'e@example.net'])
    want('To', [(a.display_name, a.addr_spec) for a in m['To'].addresses],
         [('Jörg T. Ester', 'b@example.net'), ('X, Y', 'c@example.net'), ('', 'root@example.org')])
    want('Cc', [(a.display_name, a.addr_spec) for a in m['Cc'].addresses],
         [('Comment', 'd@example.net'), ('', 'B@example.net')])
    if b'secret' in mail.data or b'e@example.net' in mail.data:
        raise Failure('a blind recipient is visible')


def recipients_hidden(desk):
    for args, to in [(['--bcc=a@x.example'], 'undisclosed-recipients:;'),
                     (['--bcc=a@x.example', 'b@x.example'], 'undisclosed-recipients:;'),
                     (['a@x.example', 'b@x.example'], 'a@x.example, b@x.example'),
                     (['--rcpt=a@x.example'], 'undisclosed-recipients:;'),
                     (['--cc=c@x.example', 'a@x.example'], None),
                     (['--to=Team: a@x.example, b@x.example;'],
                      'Team: a@x.example, b@x.example;'),
                     (['--to=c@x.example', 'a@x.example'], 'c@x.example')]:
        m, mail = desk.compose(args, b'x\n')
        want('To with %s' % args, m['To'], to)
        want('Bcc', m['Bcc'], None)
    text = desk.run(['--compose', '--subject=x'], b'x\n', code=64)
    if 'no recipients' not in text:
        raise Failure(text)
    text = desk.run(['--compose', '--to=a@@b'], b'x\n', code=64)
    if '--to' not in text or 'a@@b' not in text:
        raise Failure(text)


def subjects(desk):
    """Every subject comes back, whatever it is made of; each line has its length."""
    rng = random.Random(3)
    words = ['a', 'word', 'Grüße', 'Привет', '日本語', '😀', '=?utf-8?q?x?=', '"q"', '(c)', '_', '?',
             'x' * 70, 'ü' * 40, 'longer-word-with-hyphens']
    texts = [' '.join(rng.choice(words) for _ in range(rng.choice([1, 2, 5, 30])))
             for _ in range(40)] + ['x' * 900, 'ü' * 400, ': x', '']
    for width in (76, 78, 200, 998):
        for text in texts:
            m, mail = desk.compose(['--to=b@example.net', '--subject=' + text,
                                    '--max-header-length=%d' % width], b'x\n')
            lines = header_of(mail).split('\r\n')
            want('Subject', str(m['Subject']), text)
            for line in lines:
                if len(line) > width and ' ' in line.strip() and 'x' * 70 not in line:
                    raise Failure('width %d: %r' % (width, line))
                if not line.strip() or not line.isascii():
                    raise Failure('%r' % line)


def folding(desk):
    """The limit is kept exactly: one octet more folds."""
    for width in (76, 78, 90, 998):
        for n in (width - 1, width, width + 1):
            value = 'b' * 20 + ' ' + 'c' * (n - len('X-Foo: ') - 21)
            _, mail = desk.compose(['--to=b@example.net', '--header=X-Foo: ' + value,
                                    '--max-header-length=%d' % width], b'x\n')
            field = re.search(r'^X-Foo: [^\r]*(?:\r\n [^\r]*)*', header_of(mail), re.M).group(0)
            want('folded at %d of %d' % (width, n), field.count('\r\n'), int(n > width))
            want('value', field.replace('\r\n', ''), 'X-Foo: ' + value)
    ids = ['<%04d.abcdefghijklmnop@example.org>' % i for i in range(30)]
    m, _ = desk.compose(['--to=b@example.net', '--references=' + ' '.join(ids)], b'x\n')
    want('References', m['References'].split(), ids[:1] + ids[-9:])
    m, _ = desk.compose(['--to=b@example.net', '--references=' + ' '.join(ids[:10])], b'x\n')
    want('References', m['References'].split(), ids[:10])
    m, _ = desk.compose(['--to=b@example.net', '--in-reply-to=' + ids[0]], b'x\n')
    want('a thread', (m['In-Reply-To'], m['References']), (ids[0], ids[0]))


def too_long(desk):
    text = desk.run(['--compose', '--to=b@example.net', '--subject=' + 'x' * 999], b'', code=65)
    if 'Subject' not in text:
        raise Failure(text)


STDIN = b'Received: by x\nFrom: a@example.org\nTo: b@example.net\nSubject: old\nX-Foo: 1\n' \
        b'Date: Tue, 04 Mar 2025 10:20:30 +0100\nx-foo: 2\nMessage-ID: <1@example.org>\n' \
        b'MIME-Version: 1.0\nContent-Type: text/plain\n\nbody  \n..dot\n'


def fields_of_input(desk):
    """Fields of a message that is there: body and other fields stay octet for octet."""
    lines = STDIN.split(b'\n\n')[0].decode().split('\n')
    for args, change in [
            ([], lambda f: f),
            (['--header=X-New: ' + GERMAN], lambda f: f + ['X-New: ' + GERMAN]),
            (['--set-header=x-foo: 3'], lambda f: f[:4] + ['x-foo: 3'] + f[5:6] + f[7:]),
            (['--delete-header=X-FOO'], lambda f: f[:4] + f[5:6] + f[7:]),
            (['--set-header=Subject: new', '--reply-to=r@example.org'],
             lambda f: f[:3] + ['Subject: new'] + f[4:] + ['Reply-To: r@example.org']),
            (['--message-id=<2@example.org>'],
             lambda f: f[:7] + ['Message-ID: <2@example.org>'] + f[8:]),
            (['--date=2025-12-01T00:00:00Z'],
             lambda f: f[:5] + ['Date: Mon, 01 Dec 2025 00:00:00 +0000'] + f[6:]),
            (['--importance=low', '--priority=urgent', '--sensitivity=private'],
             lambda f: f + ['Priority: urgent', 'Sensitivity: Private', 'Importance: low']),
            (['--importance=high', '--importance-style=all'],
             lambda f: f + ['Importance: high', 'X-Priority: 1', 'X-MSMail-Priority: High'])]:
        desk.run(args + ['b@example.net'], STDIN)
        head, body = desk.sink.mails[-1].data.split(b'\r\n\r\n', 1)
        m = email.message_from_bytes(head, policy=email.policy.default)
        want('%s' % args, ['%s: %s' % f for f in m.items()], change(lines))
        want('body', body, b'body  \r\n..dot\r\n')


def fields_before_all(desk):
    """Fields of options count for recipients, account and missing fields."""
    desk.run(['-t', '--set-header=To: c@example.net'], STDIN)
    want('recipients', desk.sink.mails[-1].order, ['c@example.net'])
    desk.run(['b@example.net', '--delete-header=Date', '--delete-header=Message-ID'], STDIN)
    m = read(desk.sink.mails[-1].data)
    if '2025' in m['Date'] or m['Message-ID'] == '<1@example.org>':
        raise Failure('not made anew: %s' % m)
    desk.run(['b@example.net', '--header=Content-Type: text/html; charset=utf-8',
              '--header=MIME-Version: 1.0'], 'Subject: x\n\nü\n'.encode())
    m = read(desk.sink.mails[-1].data)
    want('type', m.get_content_type(), 'text/html')
    desk.run(['b@example.net', '--header=Reply-To: root'], STDIN)
    want('qualified', read(desk.sink.mails[-1].data)['Reply-To'], 'root@example.org')
    text = desk.run(['b@example.net', '--header=Subject: twice'], STDIN, code=64)
    if '--set-header' not in text or "'Subject'" not in text:
        raise Failure(text)


def receipts(desk):
    for args, fields, warns in [
            (['--read-receipt'], {'Disposition-Notification-To': 'a@example.org'}, True),
            (['--read-receipt', '-f', 'a@example.org'],
             {'Disposition-Notification-To': 'a@example.org'}, False),
            (['--read-receipt-to=z@example.org'],
             {'Disposition-Notification-To': 'z@example.org'}, True),
            (['--return-receipt'], {'Return-Receipt-To': 'a@example.org'}, False),
            (['--delivery-notification-to=z@example.org'],
             {'Return-Receipt-To': 'z@example.org'}, False),
            (['--return-receipt', '--rrt-to-dsn'], {'Return-Receipt-To': None}, False),
            (['--read-receipt=' + FROM, '--disposition-options=signed-receipt=optional,pkcs7'],
             {'Disposition-Notification-Options': 'signed-receipt=optional,pkcs7'}, False)]:
        text = desk.run(args + ['--from-override=any', 'b@example.net'], STDIN)
        mail = desk.sink.mails[-1]
        m = read(mail.data)
        want('%s' % args, {k: m[k] for k in fields}, fields)
        want('%s warns' % args, 'read receipt' in text, warns)
        want('NOTIFY', b'NOTIFY=SUCCESS,FAILURE' in mail.rcpts[b'b@example.net'],
             '--rrt-to-dsn' in args)
    m, _ = desk.compose(['--to=b@example.net', '--read-receipt'], b'x\n')
    want('of a new message', m['Disposition-Notification-To'], FROM)
    for args, data in [
            (['--read-receipt', '--set-msgid-header=off', '--delete-header=Message-ID'], STDIN),
            (['--read-receipt'], b'Content-Type: multipart/report; boundary=x; '
             b'report-type=disposition-notification\n\n--x--\n')]:
        desk.run(args + ['b@example.net'], data, code=65)


def resend(desk):
    """A block in front of all, an older one stays; nothing else changes."""
    old = b'Resent-From: o@example.org\nResent-To: p@example.org\n' \
          b'Resent-Date: Mon, 03 Mar 2025 10:20:30 +0100\nResent-Message-ID: <0@example.org>\n'
    for data in (STDIN, old + STDIN):
        desk.run(['--resend', '--to=' + GERMAN + ' <c@example.net>', '--cc=d@example.net',
                  '--bcc=e@example.net', '-F', 'Jo', 'f@example.net'], data)
        mail = desk.sink.mails[-1]
        want('recipients', sorted(mail.order), ['c@example.net', 'd@example.net', 'e@example.net',
                                                'f@example.net'])
        head, body = mail.data.split(b'\r\n\r\n', 1)
        first = email.message_from_bytes(head, policy=email.policy.default).items()
        want('order', [k for k, _ in first][:5], ['Resent-From', 'Resent-To', 'Resent-Cc',
                                                  'Resent-Date', 'Resent-Message-ID'])
        want('Resent-From', first[0][1], 'Jo <%s>' % FROM)
        want('Resent-To', first[1][1], GERMAN + ' <c@example.net>')
        rest = head[head.index(b'\r\n', head.index(b'Resent-Message-ID')) + 2:]
        want('the rest', rest + b'\r\n\r\n' + body, data.replace(b'\n', b'\r\n'))


def single_fields(desk):
    data = b'Subject: a\n' + STDIN
    desk.run(['b@example.net'], data)
    want('both stay', desk.sink.mails[-1].data.count(b'Subject:'), 2)
    text = desk.run(['b@example.net', '--strict-headers'], data, code=65)
    if "'Subject'" not in text:
        raise Failure(text)
    desk.run(['b@example.net', '--strict-headers'], STDIN)
    desk.run(['b@example.net', '--strict-headers'], b'Received: a\nReceived: b\nX-Foo: 1\n' + STDIN)


def by_another_name(desk):
    """A web program's options name no file: exit 64, and nothing is sent."""
    desk.write('secret', b'password\n')
    for args in (['--attach=secret'], ['--body-file=secret'], ['--body=@secret'],
                 ['--html=secret'], ['--attach-message=secret'], ['--inline=secret']):
        for name, order in [('sendmail', ['--compose'] + args + ['b@example.net']),
                            ('msubmit', ['--compose', 'b@example.net'] + args)]:
            text = desk.run(order, b'x\n', code=64, name=name)
            if args[0].split('=')[0] not in text:
                raise Failure(text)
    want('mails', len(desk.sink.mails), 0)
    desk.run(['--compose', '--to=b@example.net', '--attach=-'], b'x\n', name='sendmail')


def dates(desk):
    """English names and the right zone, on both sides of every change of the clock."""
    moments = [1711846799, 1711846800, 1729990799, 1729990800,      # Europe, 2024
               1710053999, 1710054000, 1730613599, 1730613600,      # America, 2024
               1712419199, 1712419200, 1728143999, 1728144000,      # Australia, 2024
               0, 951782400, 1735689599, 1735689600, 2147483648]
    zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kolkata',
             'Asia/Kathmandu', 'America/St_Johns', 'Pacific/Chatham', 'Pacific/Apia', 'Etc/GMT+12']
    locales = ['C', 'de_DE.UTF-8', 'ja_JP.UTF-8', 'tr_TR.UTF-8']
    for i, zone in enumerate(zones):
        for j, moment in enumerate(moments):
            env = {'TZ': zone, 'LC_ALL': locales[(i + j) % len(locales)]}
            desk.run(['--date=@%d' % moment, 'b@example.net'], b'Subject: x\n\nx\n', env=env)
            got = email.message_from_bytes(desk.sink.mails[-1].data)['Date']
            there = email.utils.datetime.datetime.fromtimestamp(moment, zoneinfo.ZoneInfo(zone))
            want('%s at %d' % (zone, moment), got, email.utils.format_datetime(there).replace(
                '-0000', '+0000'))


def manual_examples(desk):
    """Those of msubmit(1) do what it says, line by line."""
    with open(os.path.join(os.environ.get('SRCDIR', '.'), 'man/msubmit.1')) as f:
        page = f.read()
    block = re.search(r'^\.SS Writing a message\n.*?^\.EX\n(.*?)^\.EE', page, re.M | re.S)
    lines = block.group(1).replace('\\-', '-').replace('\\e\n', '\\\n')
    examples = re.sub(r'\\\n\s*', '', lines).splitlines()
    desk.write('rc', RC % (desk.sink.port, FROM))
    desk.write('msubmit', '#!/bin/sh\nexec "%s" -C "%s" "$@"\n' %
               (harness.binary(), desk.path('rc')))
    os.chmod(desk.path('rc'), 0o600)
    os.chmod(desk.path('msubmit'), 0o700)
    for name, data in [('report.pdf', PDF), ('data.csv', b'a;b\n'), ('news.txt', b'News\n'),
                       ('news.html', b'<img src="cid:logo.png">\n'), ('logo.png', PNG),
                       ('saved.eml', STDIN), ('alarm.eml', STDIN), ('logs', b'')]:
        desk.write(name, data)
    wanted = ['text/plain', 'multipart/mixed(text/plain application/pdf text/csv)',
              'multipart/alternative(text/plain multipart/related(text/html image/png))',
              'multipart/mixed(application/gzip)', 'text/plain', 'text/plain']
    want('examples', len(examples), len(wanted))
    for line, structure in zip(examples, wanted):
        done = subprocess.run(['sh', '-c', line], cwd=desk.home, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60, stdin=subprocess.DEVNULL,
                              env=dict(desk.env, PATH=desk.home + ':' + desk.env['PATH']))
        if done.returncode or done.stdout:
            raise Failure('%s: %s' % (line, done.stdout.decode()))
        got = tree(read(desk.sink.mails[-1].data))
        want(line, got.replace('x-compressed-tar', 'gzip'), structure)
    want('mails', len(desk.sink.mails), len(examples))
    names = [p.get_filename() for p in leaves(read(desk.sink.mails[1].data))]
    want('names', names, [None, 'report.pdf', 'May.csv'])


# --- beside other programs ---------------------------------------------------------------

def beside(program):
    """What a reader finds is what it finds in the message of another program."""
    def case(desk):
        if not shutil.which(program):
            return
        desk.write('rc', RC % (desk.sink.port, FROM))
        desk.write('sendmail', '#!/bin/sh\nexec "%s" -C "%s" "$@"\n' %
                   (harness.binary(), desk.path('rc')))
        os.chmod(desk.path('rc'), 0o600)
        os.chmod(desk.path('sendmail'), 0o700)
        desk.write('ümläut und mehr.pdf', PDF)
        desk.write('plain.txt', b'a text\nof two lines\n')
        text = (GERMAN + '\n' + RUSSIAN + '\n').encode()
        files = ['ümläut und mehr.pdf', 'plain.txt']
        env = dict(desk.env, LC_ALL='C.UTF-8', HOME=desk.home, MAILRC='/dev/null')
        argv = {'s-nail': ['s-nail', '-:/', '-S', 'mta=' + desk.path('sendmail'), '-S',
                           'ttycharset=utf-8', '-S', 'sendwait', '-S', 'v15-compat', '-s', GERMAN],
                'mutt': ['mutt', '-n', '-F', '/dev/null', '-e', 'set sendmail="%s"' %
                         desk.path('sendmail'), '-e', 'set copy=no', '-e', 'set charset=utf-8',
                         '-s', GERMAN]}[program]
        for name in files:
            argv += ['-a', name]
        argv += (['--'] if program == 'mutt' else []) + ['b@example.net']
        done = subprocess.run(argv, input=text, cwd=desk.home, env=env, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60)
        if len(desk.sink.mails) != 1:
            raise Failure('%s: %s' % (program, done.stdout.decode('utf-8', 'replace')))
        theirs = email.message_from_bytes(desk.sink.mails[-1].data, policy=email.policy.default)
        ours, _ = desk.compose(['--subject=' + GERMAN, '--to=b@example.net'] +
                               ['--attach=' + f for f in files], text)
        want('Subject', str(ours['Subject']), str(theirs['Subject']))
        want('To', str(ours['To']), str(theirs['To']))
        want('tree', tree(ours), tree(theirs))
        for a, b in zip(leaves(ours), leaves(theirs)):
            want('name', a.get_filename(), b.get_filename())
            want('content', crlf(a.get_payload(decode=True)), crlf(b.get_payload(decode=True)))
    return case


TESTS = [
    ('a text', plain_text), ('no text', empty_text), ('where the text is', sources_of_text),
    ('charsets', charsets), ('a charset nobody knows', charset_unknown),
    ('a charset that is wrong', charset_wrong), ('the charset of the locale', charset_of_locale),
    ('random texts come back', text_forms), ('NUL in a text', nul_in_text),
    ('random octets come back', binary_sizes), ('files of text', text_files),
    ('keys of attachments', options_of_parts), ('names of files', file_names),
    ('a name in Latin-1', name_in_latin1), ('structures', structures),
    ('an empty text beside attachments', empty_text_left_out),
    ('standard input as an attachment', attach_input), ('attached messages', attached_messages),
    ('a server without 8BITMIME', seven_bit_server), ('files that cannot be read', unreadable),
    ('standard input that does not go on', slow_input),
    ('types with and without libmagic', types), ('memory', memory),
    ('recipients', recipients), ('recipients that are not shown', recipients_hidden),
    ('subjects come back', subjects), ('folding', folding), ('a subject that is too long', too_long),
    ('fields of a message that is there', fields_of_input),
    ('fields count for what follows', fields_before_all), ('receipts', receipts),
    ('resending', resend), ('fields that may occur once', single_fields),
    ('called by another name', by_another_name), ('dates in zones and locales', dates),
    ('examples of the manual', manual_examples),
    ('beside s-nail', beside('s-nail')), ('beside mutt', beside('mutt')),
]

if __name__ == '__main__':
    only = sys.argv[1:]
    sys.exit(harness.run_tap([(name, test(f)) for name, f in TESTS
                              if not only or any(o in name for o in only)]))
