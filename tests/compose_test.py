#!/usr/bin/env python3
"""Texts and attachments made by options, read back with Python's email package; TAP.

A sink keeps what comes. What was given to the options is compared with what a reader finds:
structure, names and octets of attachments, texts in several charsets. MSUBMIT names the
program; MSUBMIT_TEST_BIG the MiB of the largest attachment."""
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

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402
from servers.common import Failure, Sink                                # noqa: E402
from compose_world import (BIG, EXTENSIONS, FROM, GERMAN, JAPANESE, PDF, PNG,  # noqa: E402
                           RUSSIAN, crlf, leaves, main, read, text_of, tree, want)

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
    # the same octets each time: some have a type that libmagic knows
    data = random.Random(1).randbytes(300000)
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
]

if __name__ == '__main__':
    sys.exit(main(TESTS))
