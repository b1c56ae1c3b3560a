"""Libraries and scripts: PHPMailer, Symfony, nodemailer, Perl, Ruby, Python, shell, git, hg.

Each script gets TO CC BCC SUBJECT as arguments and the text on standard input.
"""
import functools
import os
import re
import shutil
import subprocess

from letter import BCC, CC, SUBJECT, TEXT, TO, Client, answers, parse, text_of, want
from room import SENDER, Failure

SHOP = 'shop@example.org'


def script(argv, source, suffix):
    """A client that is a script; {script} in argv becomes its path."""
    def send(room, to, cc, bcc):
        path = room.write('home/script' + suffix, source)
        return room.call([w.replace('{script}', path) for w in argv] + [to, cc, bcc, SUBJECT], TEXT)
    return send


# --- PHP: PHPMailer and Symfony Mailer ----------------------------------------------------

PHPMAILER = '''<?php
require 'libphp-phpmailer/autoload.php';
list(, $to, $cc, $bcc, $subject) = $argv;
$mail = new PHPMailer\\PHPMailer\\PHPMailer(true);
$mail->CharSet = 'utf-8';
%s
$mail->setFrom('shop@example.org', 'Sh\u00f6p');
$mail->addAddress($to);
if ($cc) $mail->addCC($cc);
if ($bcc) $mail->addBCC($bcc);
$mail->Subject = $subject;
$mail->Body = file_get_contents('php://stdin');
$mail->send();
'''
SYMFONY = '''<?php
require 'Symfony/Component/Mailer/autoload.php';
require_once 'Symfony/Component/Mime/autoload.php';
list(, $to, $cc, $bcc, $subject) = $argv;
$email = (new Symfony\\Component\\Mime\\Email())->from('Sh\u00f6p <shop@example.org>')->to($to)
    ->subject($subject)->text(file_get_contents('php://stdin'));
if ($cc) $email->cc($cc);
if ($bcc) $email->bcc($bcc);
$transport = Symfony\\Component\\Mailer\\Transport::fromDsn('sendmail://default%s');
(new Symfony\\Component\\Mailer\\Mailer($transport))->send($email);
'''
PHP = ['php', '-d', 'display_errors=stderr', '-d', 'log_errors=0', '{script}']
PHPMAILER_FILE = '/usr/share/php/libphp-phpmailer/autoload.php'
SYMFONY_FILE = '/usr/share/php/Symfony/Component/Mailer/autoload.php'


def has_phpmailer():
    return os.path.exists(PHPMAILER_FILE) and shutil.which('php')


def has_symfony():
    return os.path.exists(SYMFONY_FILE) and shutil.which('php')


def ends(text):
    """PHPMailer ends the text once more."""
    return text + '\n'


def doubles_dots(text):
    """Without -i or -oi Symfony Mailer expects that a dot is taken off; Postfix does not either."""
    return text.replace('\n.', '\n..')


def php_clients():
    for how in ('$mail->isSendmail();', '$mail->isMail();',
                '$mail->isSendmail(); $mail->Encoding = "8bit";',
                '$mail->isSendmail(); $mail->Encoding = "base64";'):
        yield Client('PHPMailer: ' + how, has_phpmailer,
                     script(PHP, PHPMAILER % how, '.php'), sender=SHOP, author=SHOP,
                     writes=str if 'base64' in how else ends, further='isSendmail();' not in how or
                     'Encoding' in how)
    for command in ('/usr/sbin/sendmail -t', '/usr/sbin/sendmail -oi -t',
                    '/usr/sbin/sendmail -t -i -fbounce@example.org'):
        yield Client('Symfony Mailer: ' + command, has_symfony,
                     script(PHP, SYMFONY % ('?command=' + command.replace(' ', '%20')), '.php'), author=SHOP,
                     sender='bounce@example.org' if '-f' in command else SHOP,
                     writes=str if 'i' in command[18:] else doubles_dots,
                     further='oi' not in command)
    # its default is sendmail -bs
    yield Client('Symfony Mailer: sendmail://default', has_symfony, script(PHP, SYMFONY % '', '.php'), author=SHOP,
                 sender=SHOP, writes=ends)


# --- node --------------------------------------------------------------------------------

NODEMAILER = '''
const [to, cc, bcc, subject] = process.argv.slice(2);
const transport = require('nodemailer').createTransport({sendmail: true, %s});
const text = require('fs').readFileSync(0, 'utf-8');
const from = 'Sh\u00f6p <shop@example.org>';
transport.sendMail({from, to, cc, bcc, subject, text}, (error, info) => {
    if (error) { console.error(error.message); process.exit(1); }
});
'''


def has_nodemailer():
    return answers('env', 'NODE_PATH=/usr/share/nodejs', 'node', '-e', 'require("nodemailer")')


def node_clients():
    for options in ('', "newline: 'windows'", "path: '/usr/sbin/sendmail', newline: 'unix'",
                    "args: ['-t', '-i']"):
        yield Client('nodemailer {%s}' % options, has_nodemailer, script(
            ['env', 'NODE_PATH=/usr/share/nodejs', 'node', '{script}'],
            NODEMAILER % options, '.js'), sender=SENDER if 'args' in options else SHOP,
            author=SHOP, refused=('exited with code 67',), down=('exited with code 75',),
            further=bool(options))


# --- Perl ----------------------------------------------------------------------------------

PERL = '''use utf8; use open qw(:std :utf8); use Encode;
my ($to, $cc, $bcc, $subject) = map { decode('UTF-8', $_) } @ARGV;
my $text = do { local $/; <STDIN> };
my $mime_subject = encode('MIME-Header', $subject);
'''
MIME_LITE = PERL + '''use MIME::Lite;
my $mail = MIME::Lite->new(From => 'shop@example.org', To => $to, Cc => $cc, Bcc => $bcc,
    Subject => $mime_subject, Type => 'text/plain; charset=utf-8', Encoding => '%s',
    Data => encode('UTF-8', $text));
$mail->send(%s) or die "not sent: $!, status " . ($? >> 8);
'''
EMAIL_SENDER = PERL + '''use Email::Sender::Simple qw(sendmail); use Email::Simple;
use Email::Sender::Transport::Sendmail;
my $mail = Email::Simple->create(header => [From => 'shop@example.org', To => $to,
    ($cc ? (Cc => $cc) : ()), Subject => $mime_subject, 'MIME-Version' => '1.0',
    'Content-Type' => 'text/plain; charset=utf-8', 'Content-Transfer-Encoding' => '8bit'],
    body => encode('UTF-8', $text));
sendmail($mail, {from => 'bounce@example.org', to => [grep { $_ } $to, $cc, $bcc],
    transport => Email::Sender::Transport::Sendmail->new});
'''
MAIL_MAILER = PERL + '''use Mail::Mailer;
my $mail = Mail::Mailer->new('sendmail'%s);
$mail->open({From => 'shop@example.org', To => $to, ($cc ? (Cc => $cc) : ()),
    ($bcc ? (Bcc => $bcc) : ()), Subject => $mime_subject, 'MIME-Version' => '1.0',
    'Content-Type' => 'text/plain; charset=utf-8', 'Content-Transfer-Encoding' => '8bit'});
binmode($mail, ':utf8');
print $mail $text;
$mail->close or die "not sent: status " . ($? >> 8);
'''
PERL_PIPE = PERL + '''open(my $mail, '|-', '/usr/sbin/sendmail -t -oi') or die;
print $mail "To: $to\\nCc: $cc\\nBcc: $bcc\\nSubject: $subject\\n" .
    "Content-Type: text/plain; charset=UTF-8\\n\\n$text";
close($mail) or die "not sent: status " . ($? >> 8);
'''


def breaks_lines(text):
    """So does MIME::Lite, with 8bit."""
    return re.sub('(?m)^(.{990})', r'\1\n', text)


def ends_at_dot(text):
    """Mail::Mailer gives no -i."""
    return text[:text.index('\n.\n') + 1]


def perl(module):
    return functools.partial(answers, 'perl', '-M' + module, '-e', '1')


def perl_clients():
    argv = ['perl', '{script}']
    for encoding, send in (('quoted-printable', ''), ('8bit', ''), ('base64', ''),
                           ('8bit', "'sendmail', '/usr/sbin/sendmail -t -oi -oem'"),
                           ('8bit', "'sendmail', FromSender => 'bounce@example.org'")):
        yield Client('Perl: MIME::Lite, %s, send(%s)' % (encoding, send), perl('MIME::Lite'),
                     script(argv, MIME_LITE % (encoding, send), '.pl'), author=SHOP,
                     sender='bounce@example.org' if 'Sender' in send else
                     SENDER if 'oem' in send else SHOP,
                     writes=breaks_lines if encoding == '8bit' else str, further=bool(send) or
                     encoding != '8bit')
    yield Client('Perl: Email::Sender', perl('Email::Sender'),
                 script(argv, EMAIL_SENDER, '.pl'), sender='bounce@example.org', author=SHOP)
    for options in ('', ", '-oi'"):
        yield Client('Perl: Mail::Mailer%s' % options, perl('Mail::Mailer'),
                     script(argv, MAIL_MAILER % options, '.pl'), author=SHOP, order=None,
                     writes=str if options else ends_at_dot, further=not options)
    yield Client('Perl: a pipe to sendmail', perl('strict'), script(argv, PERL_PIPE, '.pl'))


# --- Ruby ------------------------------------------------------------------------------------

RUBY = '''require 'mail'
to, cc, bcc, subject = ARGV
text = $stdin.read.force_encoding('UTF-8')
Mail.defaults { delivery_method :sendmail%s }
Mail.deliver do
  from 'Sh\u00f6p <shop@example.org>'
  to to
  cc cc unless cc.empty?
  bcc bcc unless bcc.empty?
  subject subject
  charset = 'UTF-8'
  body text
end
'''


def has_ruby_mail():
    return answers('ruby', '-e', 'require "mail"')


def ruby_clients():
    for options in ('', ", arguments: '-i -t'"):
        yield Client('Ruby: mail%s' % options, has_ruby_mail, script(
            ['ruby', '{script}'], RUBY % options, '.rb'), sender=SHOP, author=SHOP, looks=False,
            further=bool(options))


# --- Python and shell ------------------------------------------------------------------------

PYTHON = '''import email.message, email.policy, subprocess, sys
to, cc, bcc, subject = sys.argv[1:]
mail = email.message.EmailMessage(%s)
mail['To'], mail['Subject'] = to, subject
if cc: mail['Cc'] = cc
if bcc: mail['Bcc'] = bcc
mail.set_content(sys.stdin.buffer.read().decode(), cte=%r)
subprocess.run(['/usr/sbin/sendmail', '-t', '-oi'], input=mail.as_bytes(), check=True)
'''
SHELL = '''set -e
(printf 'To: %s\\nCc: %s\\nBcc: %s\\nSubject: %s\\nMIME-Version: 1.0\\n' "$@"
printf 'Content-Type: text/plain; charset=utf-8\\n\\n'
cat) | /usr/sbin/sendmail -oi -t
'''


def script_clients():
    for policy, cte in (('', '8bit'), ('', 'quoted-printable'), ('email.policy.SMTP', '8bit'),
                        ('email.policy.SMTP', 'base64')):
        yield Client('Python: subprocess, policy %s, %s' % (policy or 'default', cte), None,
                     script(['python3', '{script}'], PYTHON % (policy, cte), '.py'),
                     further=bool(policy) or cte != '8bit')
    yield Client('shell: printf and cat', None, script(['sh', '{script}'], SHELL, '.sh'))


# --- git and Mercurial -------------------------------------------------------------------------

NOTE = 'Gr\u00fc\u00dfe\n\n.\n..two dots\nFrom the start of a line\nend\n'


def has_send_email():
    found = subprocess.run(['git', '--exec-path'], stdout=subprocess.PIPE, check=False) \
        if shutil.which('git') else None
    return found and os.path.exists(os.path.join(found.stdout.decode().strip(), 'git-send-email'))


def repository(room):
    """A repository with one commit; returns its patch."""
    for role in ('AUTHOR', 'COMMITTER'):
        room.env['GIT_%s_NAME' % role] = 'J\u00f6rg'
        room.env['GIT_%s_EMAIL' % role] = 'j@example.org'
    room.env['GIT_CONFIG_NOSYSTEM'] = '1'
    room.run(['git', 'init', '-q', 'repo'])
    room.write('home/repo/file', NOTE)
    room.run(['git', '-C', 'repo', 'add', 'file'])
    room.run(['git', '-C', 'repo', 'commit', '-q', '-m', 'file: add gr\u00fc\u00dfe'])
    return room.run(['git', '-C', 'repo', 'show', '--format='])


SEND_EMAIL = ['send-email', '--quiet', '--confirm=never', '--suppress-cc=all',
              '--from=J\u00f6rg <j@example.org>', '-1']


def send_email(settings=(), options=(), sender=SENDER):
    def case(room):
        patch = repository(room)
        room.run(['git', '-C', 'repo'] + [w for s in settings for w in ('-c', s)] + SEND_EMAIL +
                 ['--to=List <%s>' % TO, '--cc=' + CC, '--bcc=' + BCC] + list(options))
        message = parse(room.mail([TO, CC, BCC], sender))
        want('Subject', message['Subject'], '[PATCH] file: add gr\u00fc\u00dfe')
        want('From', message['From'].addresses[0].addr_spec, 'j@example.org')
        want('the patch', patch in text_of(message), True)
    return case


def send_email_failed(to, down, word):
    def case(room):
        repository(room)
        if down:
            room.down()
        status, text = room.call(['git', '-C', 'repo'] + SEND_EMAIL + ['--to=' + to])
        if status == 0 or word not in text:
            raise Failure('status %d: %s' % (status, text))
        want('mails', len(room.sink.mails), 0)
    return case


GIT = [
    ('git send-email', has_send_email, send_email()),
    ('git send-email --smtp-server=/usr/sbin/sendmail', has_send_email,
     send_email(options=['--smtp-server=/usr/sbin/sendmail'])),
    ('git send-email --envelope-sender', has_send_email,
     send_email(options=['--envelope-sender=bounce@example.org'], sender='bounce@example.org')),
    ('git send-email, sendemail.sendmailCmd', has_send_email,
     send_email(['sendemail.sendmailCmd=sendmail -oi'])),
    ('git send-email: refused', has_send_email,
     send_email_failed('unknown@example.org', False, '550 5.1.1 no such user')),
    ('git send-email: no server', has_send_email,
     send_email_failed(TO, True, 'Connection refused')),
]

HGRC = '''[extensions]
patchbomb =
[email]
method = /usr/sbin/sendmail
from = J\u00f6rg <j@example.org>
charsets = utf-8
[ui]
username = J\u00f6rg <j@example.org>
'''


def hg(to, code, down=False):
    """hg email calls sendmail -f FROM RCPT..., without -i: it puts a dot before a lone dot."""
    def case(room):
        room.env.update(HGRCPATH=room.write('home/hgrc', HGRC), HGENCODING='utf-8')
        room.run(['hg', 'init', 'repo'])
        room.write('home/repo/file', NOTE)
        room.run(['hg', '-R', 'repo', 'commit', '-q', '-A', '-m', 'file: add gr\u00fc\u00dfe'])
        if down:
            room.down()
        room.run(['hg', '-R', 'repo', 'email', '-q', '-r', 'tip', '--confirm', '-y', '--to', to,
                  '--cc', CC if not code else '', '--bcc', BCC if not code else ''], b'', code)
        if code:
            return want('mails', len(room.sink.mails), 0)
        message = parse(room.mail([TO, BCC, CC], 'j@example.org'), own='example.org')
        want('Subject', message['Subject'], '[PATCH] file: add gr\u00fc\u00dfe')
        want('the patch', '+%s' % NOTE.replace('\n', '\n+')[:-1] in text_of(message), True)
    return case


def has_hg():
    return shutil.which('hg')


TESTS = [test for clients in (php_clients, node_clients, perl_clients, ruby_clients, script_clients)
         for client in clients() for test in client.tests()] + GIT + [
    ('hg email', has_hg, hg(TO, 0)),
    ('hg email: refused', has_hg, hg('unknown@example.org', 255)),
    ('hg email: no server', has_hg, hg(TO, 255, True)),
]
