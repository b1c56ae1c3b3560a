#!/usr/bin/env python3
"""Programs that send mail deliver by msubmit as their sendmail; TAP.

Each gets a HOME with an rc file and a link named sendmail, and a sink that keeps what comes.
Envelope and body are compared with what the program was given. MSUBMIT names the program
(./msubmit). Programs that are not installed are skipped.
"""
import email
import email.policy
import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402
from servers.common import Failure, Sink                                # noqa: E402

FROM = 'machine@example.org'
RC = '''[account default]
host = 127.0.0.1
port = %d
tls = off
syslog = off
from = machine@example.org
default_domain = example.org
aliases = %s
'''
LETTER = b'Gr\xc3\xbc\xc3\x9fe\n\n.\n..two dots\nFrom the start of a line\nend\n'


class Desk:
    """A user's surroundings: HOME, rc file, aliases, sendmail, sink."""

    def __enter__(self):
        self.folder = harness.Folder()
        self.home = self.folder.__enter__()
        self.sink = Sink()
        self.sendmail = self.path('sendmail')
        os.symlink(harness.binary(), self.sendmail)
        self.write('aliases', 'root: admin@example.org\n')
        self.write('.msmtprc', RC % (self.sink.port, self.path('aliases')))
        self.env = harness.environment(self.home)
        return self

    def __exit__(self, *args):
        self.sink.close()
        self.folder.__exit__(*args)

    def path(self, name):
        return os.path.join(self.home, name)

    def write(self, name, data):
        with open(self.path(name), 'wb') as f:
            f.write(data.encode() if isinstance(data, str) else data)
        os.chmod(self.path(name), 0o600)

    def run(self, argv, stdin=b'', code=0, **options):
        options.setdefault('env', self.env)
        done = subprocess.run(argv, input=stdin, cwd=self.home, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=60, check=False, **options)
        text = (done.stdout + done.stderr).decode('utf-8', 'replace')
        if harness.sanitizer_words(text) or (done.returncode != code if code is not None
                                             else done.returncode == 0):
            raise Failure('%s: exit %d\n%s' % (argv[0], done.returncode, text))
        return text

    def mail(self, rcpts, sender=FROM):
        """The only mail that has come, with this envelope."""
        if len(self.sink.mails) != 1:
            raise Failure('%d mails have come' % len(self.sink.mails))
        mail = self.sink.mails[0]
        if mail.order != rcpts or mail.sender.decode() != sender:
            raise Failure('from %r to %r' % (mail.sender, mail.order))
        if self.sink.faults:
            raise Failure('\n'.join(self.sink.faults))
        return mail


def parts(mail):
    """(header object, body octets with LF)"""
    head, _, body = mail.data.partition(b'\r\n\r\n')
    header = email.message_from_bytes(head + b'\r\n\r\n', policy=email.policy.default)
    for field in ('From', 'Date', 'Message-ID'):
        if len(header.get_all(field, [])) != 1:
            raise Failure('not one %s field:\n%s' % (field, head.decode('utf-8', 'replace')))
    return header, body.replace(b'\r\n', b'\n')


def want(what, got, wanted):
    if got != wanted:
        raise Failure('%s: %r, not %r' % (what, got, wanted))


def test(function):
    """A case in surroundings of its own."""
    def case():
        try:
            with Desk() as desk:
                function(desk)
        except Failure as e:
            return [str(e)]
        return []
    return case


# --- cron and at -----------------------------------------------------------------

CRON = b'From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@host> /usr/local/bin/job --all\n' \
       b'MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n' \
       b'Content-Transfer-Encoding: 8bit\nX-Cron-Env: <SHELL=/bin/sh>\n' \
       b'X-Cron-Env: <HOME=/root>\nX-Cron-Env: <PATH=/usr/bin:/bin>\n\n'


def cron(*argv, closed=(), sender=FROM):
    """cron's call: few variables, umask 0, some descriptors closed, a pipe for input."""
    def case(desk):
        def enter():
            os.umask(0)
            for fd in closed:
                os.close(fd)
        env = {k: v for k, v in desk.env.items() 
               if k in ('HOME', 'PATH') or k.endswith('SAN_OPTIONS')}
        env.update(LOGNAME='root', SHELL='/bin/sh', LANG='C')
        text = desk.run([desk.sendmail] + list(argv), CRON + LETTER, env=env, preexec_fn=enter)
        want('output', text, '')
        header, body = parts(desk.mail(['admin@example.org'], sender))
        want('body', body, LETTER)
        want('Subject', header['Subject'], 'Cron <root@host> /usr/local/bin/job --all')
        want('environment fields', len(header.get_all('X-Cron-Env')), 3)
        open_files = [n for n in os.listdir(desk.home) if os.stat(desk.path(n)).st_mode & 0o022
                      and not os.path.islink(desk.path(n))]
        want('files that others may write', open_files, [])
    return case


def cron_refused(desk):
    """The server refuses: cron sees a status and an error on stderr."""
    desk.write('aliases', 'root: unknown@example.org\n')
    text = desk.run([desk.sendmail, '-i', '-FCronDaemon', '-B8BITMIME', '-oem', 'root'],
                    CRON + b'x\n', code=67)
    want('error', 'unknown@example.org' in text and text.startswith('sendmail: '), True)


def at(desk):
    """at gives neither From nor Date nor Message-ID."""
    desk.run([desk.sendmail, '-i', 'joe'],
             b'Subject: Output from your job       17\nTo: joe\n\n' + LETTER)
    want('body', parts(desk.mail(['joe@example.org']))[1], LETTER)


# --- PHP -------------------------------------------------------------------------

def php(desk, script, options='-t -i', code=0, settings=()):
    argv = ['php', '-n', '-d', 'sendmail_path=%s %s' % (desk.sendmail, options)]
    for setting in settings:
        argv += ['-d', setting]
    return desk.run(argv + ['-r', 'exit(%s ? 0 : 1);' % script], code=code)


def php_plain(desk):
    php(desk, 'mail("a@example.org", "Hello", "one\\ntwo\\n.\\nthree")')
    header, body = parts(desk.mail(['a@example.org']))
    want('body', body, b'one\ntwo\n.\nthree\n')
    want('To and Subject', (header['To'], header['Subject']), ('a@example.org', 'Hello'))


def php_headers(desk):
    php(desk, 'mail("A B <a@example.org>, c@example.org", "=?UTF-8?Q?Gr=C3=BCn?=", '
              '"l1\\r\\nGr\\u{fc}n\\r\\n", '
              '"From: shop@example.org\\r\\nCc: d@example.org\\r\\nBcc: e@example.org\\r\\n'
              'MIME-Version: 1.0\\r\\nContent-Type: text/plain; charset=utf-8")',
        settings=['mail.add_x_header=On'])
    mail = desk.mail(['a@example.org', 'c@example.org', 'd@example.org', 'e@example.org'])
    header, body = parts(mail)
    want('body', body, 'l1\nGr\u00fcn\n\n'.encode())       # PHP adds a line end
    want('Bcc', header['Bcc'], None)
    want('From', header['From'], 'shop@example.org')
    want('Subject', header['Subject'], 'Gr\u00fcn')
    want('MIME', header['Content-Type'].params.get('charset'), 'utf-8')


def php_array(desk):
    php(desk, 'mail("a@example.org", "x", "body", '
              '["From" => "shop@example.org", "X-Mailer" => "PHP"])')
    want('X-Mailer', parts(desk.mail(['a@example.org']))[0]['X-Mailer'], 'PHP')


def php_sender(desk):
    php(desk, 'mail("a@example.org", "x", "body", "From: shop@example.org", '
              '"-fbounce@example.org")')
    desk.mail(['a@example.org'], 'bounce@example.org')


def php_refused(desk):
    text = php(desk, 'mail("unknown@example.org", "x", "body")', code=1)
    want('error', 'unknown@example.org' in text, True)


def php_injection(desk):
    """What PHPMailer's hole passed on: no file is written by -X, nobody else gets the mail."""
    target = desk.path('shell.php')
    php(desk, 'mail("a@example.org", "x", "<?php evil(); ?>", "", '
              '"-f\\"attacker\\\\\\" -oQ/tmp/ -X%s some\\"@example.org") || true' % target)
    want('a file written', os.path.exists(target), False)
    for mail in desk.sink.mails:
        want('recipients', mail.order[0], 'a@example.org')


# --- git ---------------------------------------------------------------------------

def repository(desk):
    """A repository with one commit; returns the octets of its patch."""
    desk.env.update(GIT_CONFIG_NOSYSTEM='1', GIT_AUTHOR_NAME='J\u00f6rg',
                    GIT_AUTHOR_EMAIL='j@example.org', GIT_COMMITTER_NAME='J\u00f6rg',
                    GIT_COMMITTER_EMAIL='j@example.org')
    desk.run(['git', 'init', '-q', 'repo'])
    desk.write('repo/file', LETTER)
    desk.run(['git', '-C', 'repo', 'add', 'file'])
    desk.run(['git', '-C', 'repo', 'commit', '-q', '-m', 'file: add gr\u00fc\u00dfe'])
    return desk.run(['git', '-C', 'repo', 'show', '--format='])


def send_email(*options, sender=FROM):
    def case(desk):
        patch = repository(desk)
        words = [o.replace('{sendmail}', desk.sendmail) for o in options]
        configuration = [w for w in words if w.startswith('sendemail.')]
        argv = ['git', '-C', 'repo'] + [x for c in configuration for x in ('-c', c)] + \
            ['send-email', '--quiet', '--confirm=never', '--suppress-cc=all',
             '--to=List <list@example.org>', '--cc=c@example.org', '--bcc=b@example.org',
             '--from=J\u00f6rg <j@example.org>', '-1']
        desk.run(argv + [w for w in words if w not in configuration])
        mail = desk.mail(['list@example.org', 'c@example.org', 'b@example.org'], sender)
        header, body = parts(mail)
        want('Subject', header['Subject'], '[PATCH] file: add gr\u00fc\u00dfe')
        want('Bcc', header['Bcc'], None)
        want('From', header['From'].addresses[0].addr_spec, 'j@example.org')
        want('the patch', patch.encode() in body, True)
    return case


def send_email_refused(desk):
    repository(desk)
    desk.run(['git', '-C', 'repo', 'send-email', '--quiet', '--confirm=never', '--suppress-cc=all',
              '--to=unknown@example.org', '--from=j@example.org',
              '--smtp-server=' + desk.sendmail, '-1'], code=None)


# --- mail programs -------------------------------------------------------------------

def mutt(desk):
    desk.write('muttrc', 'set sendmail="%s -oem -oi"\nset copy=no\nset use_envelope_from=yes\n'
                         'set from="joe@example.org"\nset charset=utf-8\nset send_charset=utf-8\n'
                         'set allow_8bit=yes\n' % desk.sendmail)
    desk.write('note.txt', LETTER)
    desk.env['LC_ALL'] = 'C.UTF-8'
    desk.run(['mutt', '-n', '-F', desk.path('muttrc'), '-s', 'Gr\u00fcn', '-c',
              'c@example.org', '-b', 'b@example.org', '-a', 'note.txt', '--',
              'a@example.org'], LETTER)
    mail = desk.mail(['a@example.org', 'c@example.org', 'b@example.org'], 'joe@example.org')
    message = email.message_from_bytes(mail.data, policy=email.policy.default)
    want('Subject', message['Subject'], 'Gr\u00fcn')
    want('Bcc', message['Bcc'], None)
    text, attachment = message.iter_parts()
    for part in (text, attachment):
        want('part', part.get_payload(decode=True).replace(b'\r\n', b'\n'), LETTER)


def s_nail(desk):
    # as root it takes HOME from the password file
    desk.env.update(MAILRC='/dev/null', DEAD='/dev/null', LC_ALL='C.UTF-8')
    desk.run(['s-nail', '-n', '-S', 'mta=' + desk.sendmail,
              '-S', 'mta-arguments=-C ' + desk.path('.msmtprc'), '-S', 'sendwait',
              '-S', 'v15-compat=yes', '-S', 'from=joe@example.org', '-S', 'mime-encoding=8bit',
              '-s', 'Hello', '-c', 'c@example.org', '-b', 'b@example.org', 'a@example.org'], LETTER)
    mail = desk.sink.mails[0] if desk.sink.mails else None
    want('recipients', sorted(mail.order if mail else []),
         ['a@example.org', 'b@example.org', 'c@example.org'])
    header, body = parts(mail)
    want('body', body, LETTER)
    want('Bcc', header['Bcc'], None)


def bsd_mailx(desk):
    desk.write('mailrc', 'set sendmail=%s\n' % desk.sendmail)
    desk.env['MAILRC'] = desk.path('mailrc')
    desk.run(['bsd-mailx', '-n', '-s', 'Hello', '-c', 'c@example.org', 'a@example.org'], b'text\n')
    mail = desk.mail(['a@example.org', 'c@example.org'])
    want('body', parts(mail)[1], b'text\n')


TESTS = [
    ('cron of Debian', None, cron('-i', '-FCronDaemon', '-B8BITMIME', '-oem', 'root')),
    ('cron of Debian, descriptors 1 and 2 closed', None,
     cron('-i', '-FCronDaemon', '-B8BITMIME', '-oem', 'root', closed=(1, 2))),
    ('cronie: -t, -f root', None,
     cron('-FCronDaemon', '-i', '-odi', '-oem', '-oi', '-t', '-f', 'root')),
    ('cron: the server refuses', None, cron_refused),
    ('at', None, at),
    ('PHP: mail()', 'php', php_plain),
    ('PHP: CRLF headers, Cc, Bcc, X-PHP', 'php', php_headers),
    ('PHP: headers as an array', 'php', php_array),
    ('PHP: fifth parameter -f', 'php', php_sender),
    ('PHP: the server refuses', 'php', php_refused),
    ('PHP: options injected by the fifth parameter', 'php', php_injection),
    ('git send-email --smtp-server', 'git send-email', send_email('--smtp-server={sendmail}')),
    ('git send-email with an envelope sender', 'git send-email',
     send_email('--smtp-server={sendmail}', '--envelope-sender=bounce@example.org',
                sender='bounce@example.org')),
    ('git send-email, sendemail.sendmailCmd', 'git send-email',
     send_email('sendemail.sendmailCmd={sendmail} -oi')),
    ('git send-email: the server refuses', 'git send-email', send_email_refused),
    ('mutt with an attachment', 'mutt', mutt),
    ('s-nail', 's-nail', s_nail),
    ('bsd-mailx', 'bsd-mailx', bsd_mailx),
]


def installed(program):
    if program == 'git send-email':
        return shutil.which('git') and os.path.exists(os.path.join(
            subprocess.run(['git', '--exec-path'], stdout=subprocess.PIPE, check=False)
            .stdout.decode().strip(), 'git-send-email'))
    return not program or shutil.which(program)


def main():
    harness.binary()
    return harness.run_tap([(n, test(f)) if installed(p) else
                            ('%s # SKIP %s is not installed' % (n, p), None) for n, p, f in TESTS])


if __name__ == '__main__':
    sys.exit(main())
