"""Programs that sendmail's replacements have trouble with, each called in its own way.

The real ones, of Debian's packages: reportbug, aerc and b4, which people type at; apticron,
logcheck and rkhunter's daily job, whose own work (package lists, a search of the whole disk)
is done by a few lines of shell; monit; Rails and Django. gitea is in no package: its arguments
and the form of its message are those of services/mailer/sender in its source.
contrib/install-test-tools unpacks them. The slowest run when MSUBMIT_ALL_CLIENTS is set.
"""
import email
import email.policy
import glob
import os
import quopri

from letter import BCC, CC, SUBJECT, TEXT, TO, Client, parse, text_of, want, want_words
from libraries import NOTE, SHOP, ends_at_dot, repository, script
from machine import has, rows, text
from php import NOBODY
from servers.common import wait_ports
from room import ADMIN, PROGRAMS, SENDER, UNPACKED, Failure, harness, unpacked_folders, wait_for

ALL = os.environ.get('MSUBMIT_ALL_CLIENTS')
YOU = 'j@example.org'
REFUSED, LATER, DOWN = '550 5.1.1 no such user', '450 4.2.1 try later', 'Connection refused'
REPORT = 'Gr\u00fc\u00dfe\n\n.\n..two dots\nFrom the start of a line\nend\n'


def read(name):
    with open(os.path.join(PROGRAMS, name), encoding='utf-8') as f:
        return f.read()


def changed(room, name, source, *changes):
    """An executable copy of a script in which paths are others."""
    data = read(source)
    for old, new in changes:
        want('%s in %s' % (old, source), old in data, True)
        data = data.replace(old, new)
    return room.write('home/' + name, data, 0o755)


# --- reportbug -----------------------------------------------------------------------------

# It takes no address below the domains that are there for examples.
REPORTER = 'joe@host.home.arpa'
BUGS = 'submit@bugs.debian.org'


def reportbug(room, reporter):
    """A report of cron, from the room's user; the reporter gets a copy. (status, text shown)"""
    os.chown(room.home, 65534, 65534)
    options = ['--no-config-files', '--no-check-available', '--no-check-installed', '--no-verify',
               '--no-debconf', '--no-bug-script', '--no-tags-menu', '--no-cc-menu', '--offline',
               '--no-compress', '--mta=/usr/sbin/sendmail', '--email=' + reporter, '--bts=debian',
               '--realname=J\u00f6rg M\u00fcller', '--subject=gr\u00fcn', '--severity=normal',
               '--package-version=1.0', '--mode=expert', '--ui=text', '--timeout=1',
               '--attach=' + room.write('home/gr\u00fcn.txt', REPORT),
               '--body-file=' + room.write('home/body', REPORT)]
    return room.terminal(NOBODY + ['python3', PROGRAMS + '/usr/bin/reportbug'] + options +
                         ['cron'], [('(blank OK)', '\n')])


def reportbug_sends(room):
    want_words(reportbug(room, REPORTER)[1], ['Bug report submitted to: Debian Bug Tracking'])
    message = parse(room.mail([BUGS, REPORTER], REPORTER), own='example.org')
    want('From', message['From'].addresses[0].display_name, 'J\u00f6rg M\u00fcller')
    want('Subject', message['Subject'], 'gr\u00fcn')
    body, attachment = message.iter_parts()
    want_words(text_of(body), ['Package: cron', REPORT.rstrip('\n')])
    want('attachment', text_of(attachment), REPORT)


def reportbug_fails(reporter, words, mails, down=False):
    """The user sees why, and where the report is kept."""
    def case(room):
        if down:
            room.down()
        want_words(reportbug(room, reporter)[1],
                   words + ['bug report will be saved', 'reportbug -r '])
        want('mails', [m.order for m in room.sink.mails], mails)
    return case


# --- aerc ------------------------------------------------------------------------------------

ASKS = 'Send this email?'
ACCOUNT = '[own]\nsource = maildir://%s/Mail\noutgoing = %s\nfrom = J\u00f6rg <j@example.org>\n'


def aerc(room, outgoing, to, until):
    """A letter, written by an editor that does so at once, and sent by one key. It shows what
    has become of it when the next key is typed."""
    for name in ('cur', 'new', 'tmp'):
        os.makedirs(room.path('home/Mail/INBOX/' + name))
    room.write('home/text', REPORT)
    editor = room.write('home/edit', '#!/bin/sh\ncat text >"$1"\n', 0o755)
    room.write('home/.config/aerc/accounts.conf', ACCOUNT % (room.home, outgoing), 0o600)
    room.write('home/.config/aerc/aerc.conf', '[compose]\neditor=%s\n' % editor)
    room.write('home/.config/aerc/binds.conf', read('usr/share/aerc/binds.conf'))
    room.env.update(TERM='xterm', XDG_RUNTIME_DIR=room.home)
    return room.terminal([PROGRAMS + '/usr/bin/aerc', 'mailto:%s?subject=gr\u00fcn&cc=%s&bcc=%s' % (
        to, CC, BCC)], [(ASKS, 'y')] + [('', '\f')] * 100, until)[1]


def aerc_sends(outgoing, sender, writes):
    def case(room):
        aerc(room, outgoing, TO, lambda shown: room.sink.mails)
        message = parse(room.mail([TO, CC, BCC], sender))
        want('From', message['From'].addresses[0].addr_spec, YOU)
        want('Subject', message['Subject'], 'gr\u00fcn')
        want('text', text_of(message), writes(REPORT))
    return case


def aerc_fails(to, word, mails, down=False):
    """It gives the letter back; why, is in syslog."""
    def case(room):
        if down:
            room.down()
        aerc(room, '/usr/sbin/sendmail -i', to,
             lambda shown: ASKS in shown.partition('Sending...')[2])
        want('mails', [m.order for m in room.sink.mails], mails)
        room.syslog.wait(word)
    return case


# --- b4 --------------------------------------------------------------------------------------

def b4(room):
    """A series of one patch is refused, then there is no server, then it is sent."""
    repository(room)

    def git(*argv):
        room.run(['git', '-C', 'repo'] + list(argv))

    def call(*argv, code=0):
        return room.run(['sh', '-c', 'cd repo && exec python3 "$@"', 'sh',
                         PROGRAMS + '/usr/bin/b4'] + list(argv), '\n', code)

    def send(to, code, *words):
        want_words(call('send', '--no-sign', '--to', to, '--cc', CC, code=code), words)
    for name, value in (('user.email', YOU), ('user.name', 'J\u00f6rg'),
                        ('core.editor', 'sed -i s/EDITME:/Gr\u00fcn:/'),
                        ('sendemail.smtpserver', '/usr/sbin/sendmail')):
        git('config', name, value)
    git('branch', '-M', 'master')
    call('prep', '-n', 'topic', '-f', 'master')
    room.write('home/repo/file', NOTE + 'one more: gr\u00fcn\n')
    git('commit', '-q', '-a', '-m', 'file: gr\u00fcn\n\nSigned-off-by: J\u00f6rg <j@example.org>')
    call('prep', '--edit-cover')
    room.down()
    send(TO, 1, 'Error running /usr/sbin/sendmail -i -f ' + YOU, DOWN)
    room.up()
    send('List <busy@example.org>', 1, LATER)
    send('unknown@example.org', 1, REFUSED)
    want('sent', [sorted(m.order) for m in room.sink.mails], [[CC, YOU]] * 2)
    del room.sink.mails[:]
    send('List <%s>' % TO, 0, 'Sent 1 messages')
    message = parse(room.check(room.sink.mails[0], room.sink.mails[0].order, YOU))
    want('recipients', sorted(room.sink.mails[0].order), [TO, CC, YOU])
    want('Subject', message['Subject'], '[PATCH] file: gr\u00fcn')
    want_words(text_of(message), ['\n ..two dots\n From the start of a line\n',
                                  '\n+one more: gr\u00fcn\n'])


# --- reports to root -------------------------------------------------------------------------

LISTS = '''#!/bin/sh
case "$*" in
*-s*) echo 'Inst cron [3.0-1] (3.0-2 Debian:12 [amd64])' ;;
*policy*) echo '  Candidate: 3.0-2' ;;
esac
'''
APTICRON = 'EMAIL=root\nSYSTEM="box \u2013 gr\u00fcn"\nIPADDRESSES=192.0.2.1\nCUSTOM_FROM="%s"\n'


def apticron(mailx, custom_from=''):
    def run(room):
        lists = room.write('home/apt-get', LISTS, 0o755)
        room.env['PATH'] = '%s:%s' % (room.home, room.env['PATH'])
        room.write('etc/apticron/apticron.conf', APTICRON % custom_from)
        return room.call([changed(
            room, 'apticron', 'usr/sbin/apticron', ('/usr/bin/apt-get', lists),
            ('/usr/bin/apt-cache', lists), ('/usr/bin/apt-config', ':'), ('/usr/bin/mailx', mailx),
            ('dpkg --get-selections', ':'), ('/usr/lib/', PROGRAMS + '/usr/lib/'),
            ('/var/lib/apticron', room.home))])
    return run


def logcheck(attach=0):
    """As its user, who is nobody here; with one rule of each kind."""
    def run(room):
        conf = read('etc/logcheck/logcheck.conf')
        room.write('etc/logcheck/logcheck.conf',
                   conf + 'MAILASATTACH=%d\nSENDMAILTO=root\n' % attach)
        room.write('etc/logcheck/header.txt', 'Gr\u00fc\u00dfe\n')
        for name in ('cracking.d', 'violations.d', 'ignore.d.server'):
            room.write('etc/logcheck/%s/own' % name, '%s: ' % name)
        log = room.write('var/log/syslog', 'a cracking.d: gr\u00fcn\n.\n..two dots\nFrom x\n')
        for name in ('run/lock/logcheck', 'home/state'):
            os.makedirs(room.path(name))
            os.chown(room.path(name), 65534, 65534)
        os.chmod(room.home, 0o755)
        room.env['PERL5LIB'] = PROGRAMS + '/usr/share/perl5'
        return room.call(NOBODY + [changed(
            room, 'logcheck', 'usr/sbin/logcheck',
            ('! -f /usr/bin/', '! -f %s/usr/bin/' % PROGRAMS)),
            '-S', room.path('home/state'), '-l', log, '-t', '-H', 'box'])
    return run


def logcheck_sends(room):
    """Its report is quoted-printable; the charset is not said."""
    want('status', logcheck()(room), (0, ''))
    want_words(text(room.mail([ADMIN]), 'Security Alerts'),
               ['Gr\u00fc\u00dfe\n', 'a cracking.d: gr\u00fcn\n', '\n..two dots\n', '\nFrom x\n'])
    want('charset', parse(room.sink.mails[0]).get_content_charset(), 'utf-8')


def logcheck_attaches(room):
    want('status', logcheck(attach=1)(room), (0, ''))
    message = parse(room.mail([ADMIN]))
    want_words(text_of(list(message.iter_parts())[1]),
               ['cracking.d: gr\u00fcn\n', '\n..two dots\n'])


SCAN = '''#!/bin/sh
printf 'Warning: The file properties have changed:\\n'
printf '   File: /usr/bin/gr\\303\\274n\\n..two dots\\n'
'''


def rkhunter(room):
    """Its daily job gives sendmail the recipient alone; what it says goes to cron."""
    room.write('etc/default/rkhunter', 'CRON_DAILY_RUN=true\nREPORT_EMAIL=root\n')
    room.write('home/scan', SCAN, 0o755)
    return room.call([changed(room, 'daily', 'etc/cron.daily/rkhunter',
                              ('=/usr/bin/rkhunter', '=%s/scan' % room.home))])


MONIT = '''set daemon 1
set log {0}/log
set pidfile {0}/pid
set idfile {0}/id
set statefile {0}/state
set mailserver 127.0.0.1 port {1}
set mail-format {{ from: Gr\u00fcn <monit@box.example.org>
 subject: gr\u00fcn: $EVENT
 message: Gr\u00fc\u00dfe
.
..two dots
$DESCRIPTION }}
set alert root@example.org only on {{ nonexist }}
check file own with path {0}/none
  if does not exist then {2}
'''
JOB = '''#!/bin/sh
printf 'Subject: %s\\n\\n%s\\n' "$MONIT_EVENT" "$MONIT_DESCRIPTION" | /usr/sbin/sendmail root
'''


def monit(room, action, port=1):
    conf = room.write('home/monitrc', MONIT.format(room.home, port, action), 0o600)
    return room.start([PROGRAMS + '/usr/bin/monit', '-I', '-c', conf])


def monit_executes(room):
    """It runs programs with few variables."""
    monit(room, 'exec "%s"' % room.write('home/job', JOB, 0o755))
    mail = room.check(room.sink.wait(ADMIN), [ADMIN])
    want('text', text(mail, 'Does not exist'), "file doesn't exist\n")


def monit_alerts(room):
    """Mail of its own it sends by SMTP, with blanks where RFC 5321 has none: strict = off."""
    port = harness.free_port()
    room.start(['/usr/sbin/msubmit', '-bD', '--listen=127.0.0.1:%d' % port, '--strict=off',
                '--deliver=maildir:' + room.path('home/Mail')])
    wait_ports({'smtp': port})
    monit(room, 'alert', port)
    found = wait_for('a mail', lambda: glob.glob(room.path('home/Mail/new/*')))
    with open(found[0], 'rb') as f:
        message = email.message_from_binary_file(f, policy=email.policy.default)
    want('To', message['To'], 'root@example.org')
    want('text', text_of(message), "Gr\u00fc\u00dfe\n.\n..two dots\nfile doesn't exist\n")


# --- frameworks ------------------------------------------------------------------------------

RAILS = '''require 'action_mailer'
config = Struct.new(:action_mailer).new(ActionMailer::Base)
config.action_mailer.delivery_method = :sendmail
class Letter < ActionMailer::Base
  default from: 'Sh\u00f6p <shop@example.org>'
  def letter(to, cc, bcc, subject)
    attachments['gr\u00fcn.txt'] = $text if ENV['ATTACH']
    mail(to: to, cc: cc, bcc: bcc, subject: subject) do |format|
      format.text { render plain: $text }
    end
  end
end
$text = $stdin.read.force_encoding('UTF-8')
Letter.letter(*ARGV).deliver_now
'''
GEMS = ':'.join(unpacked_folders('usr/' + f) for f in (
    'share/rubygems-integration/*/gems/*/lib',
    'share/rubygems-integration/*/gems/*/lib/concurrent-ruby',
    'lib/*/rubygems-integration/*/gems/*/lib',
    'lib/*/rubygems-integration/*/extensions/*/*/*'))
RUBY = ['env', 'RUBYLIB=' + GEMS, 'ruby', '-W0', '{script}']


def rails_names(room):
    """A comma in a name without quotes: the library makes two addresses of it."""
    script(RUBY, RAILS, '.rb')(room, 'M\u00fcller, J\u00f6rg <j@example.org>', '', '')
    message = parse(room.mail([YOU], SHOP))
    want('Subject', message['Subject'], SUBJECT)


DJANGO = '''import sys
from email.utils import parseaddr
from subprocess import PIPE, Popen
from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.message import sanitize_address
from django.core.mail.utils import DNS_NAME
class EmailBackend(BaseEmailBackend):
    def send_messages(self, messages):
        return sum(self.send(message) for message in messages)
    def send(self, message):
        sendmail = Popen(%s, stdin=PIPE, stdout=PIPE, stderr=PIPE)
        shown = sendmail.communicate(message.message().as_bytes(linesep=%r))[1]
        if sendmail.returncode and not self.fail_silently:
            raise Exception('not sent: %%s' %% shown)
        return not sendmail.returncode
DNS_NAME._fqdn = 'shop.example.org'
settings.configure(EMAIL_BACKEND='__main__.EmailBackend', USE_I18N=False)
to, cc, bcc, subject = sys.argv[1:]
message = EmailMessage(subject, sys.stdin.read(), 'Sh\u00f6p <shop@example.org>', [to],
                       [bcc] if bcc else [], cc=[cc] if cc else [])
if message.send() != 1:
    sys.exit('not sent')
'''


def django_clients():
    """As the backends do that can be found: django-sendmail-backend, which also dpaste and others
    have, cr-sendmail-django, and one with options."""
    for name, argv, end in (
            ('recipients', "['/usr/sbin/sendmail'] + message.recipients()", '\n'),
            ('recipients, CRLF', "['/usr/sbin/sendmail'] + [sanitize_address(a, 'utf-8')"
             " for a in message.recipients()]", '\r\n'),
            ('-i -f --', "['/usr/sbin/sendmail', '-i', '-f', parseaddr(message.from_email)[1],"
             " '--'] + message.recipients()", '\n')):
        options = '-i' in argv
        yield Client('Django: ' + name, has_django,
                     script(['python3', '{script}'], DJANGO % (argv, end), '.py'),
                     sender=SHOP if options else SENDER, author=SHOP, further=not options,
                     writes=str if options else ends_at_dot)


def has_django():
    return os.path.exists(PROGRAMS + '/usr/lib/python3/dist-packages/django')


def has_rails():
    return os.path.exists(PROGRAMS + '/usr/share/rubygems-integration') and has_ruby()


def has_ruby():
    return any(os.access(os.path.join(f, 'ruby'), os.X_OK) for f in os.environ['PATH'].split(':'))


# --- gitea -----------------------------------------------------------------------------------

GITEA = '''Date: Mon, 30 Nov 2026 10:00:00 +0100
From: "Gitea" <gitea@example.org>
MIME-Version: 1.0
Message-ID: <autogen-1796037600000-00000000000004d2@git.example.org>
Subject: =?UTF-8?q?Gr=C3=BCn?=
To: =?UTF-8?q?J=C3=B6rg?= <j@example.org>
X-Auto-Response-Suppress: All
Content-Type: multipart/alternative;
 boundary=b0

--b0
Content-Transfer-Encoding: quoted-printable
Content-Type: text/plain; charset=UTF-8

{0}
--b0
Content-Transfer-Encoding: quoted-printable
Content-Type: text/html; charset=UTF-8

<pre>{0}</pre>
--b0--
'''.format(quopri.encodestring(REPORT.encode()).decode())


def gitea(room, sender, *arguments, end='\n', program='/usr/sbin/sendmail'):
    return room.call([program, '-f', sender, '-i'] + list(arguments),
                     GITEA.replace('\n', end))


def gitea_sends(room):
    """ENVELOPE_FROM, SENDMAIL_ARGS, SENDMAIL_CONVERT_CRLF; the library names the recipient plain,
    newer ones in brackets, as user names with a display name were in between."""
    for sender, arguments, end in (
            ('gitea@example.org', ['j@example.org'], '\n'),
            ('gitea@example.org', ['--', '<j@example.org>'], '\r\n'),
            ('', ['<j@example.org>'], '\n'),
            ('gitea@example.org', ['=?utf-8?q?J=C3=B6rg?= <j@example.org>'], '\r\n')):
        want('status', gitea(room, sender, *arguments, end=end), (0, ''))
        message = parse(room.mail([YOU], sender))
        del room.sink.mails[:]
        want('text', text_of(message.get_body(('plain',))), REPORT)
        want('HTML', text_of(message.get_body(('html',))), '<pre>%s</pre>' % REPORT)


def gitea_fails(room):
    """It logs the status."""
    for to, status, word in (('unknown@example.org', 67, REFUSED), ('busy@example.org', 75, LATER)):
        want('status', gitea(room, 'gitea@example.org', to)[0], status)
        room.syslog.wait(word)
    room.down()
    want('status', gitea(room, 'gitea@example.org', YOU)[0], 75)
    want('mails', room.sink.mails, [])


SLOW = ('reportbug: the copy', 'logcheck: attached', 'apticron: mailutils', 'aerc: deferred',
        'Django: recipients, CRLF')
HAS_REPORTBUG, HAS_AERC = (has(PROGRAMS + '/usr/bin/' + n) for n in ('reportbug', 'aerc'))
HAS_MONIT, HAS_LOGCHECK = has(PROGRAMS + '/usr/bin/monit'), has(PROGRAMS + '/usr/sbin/logcheck')
BSD_MAILX = UNPACKED + '/usr/bin/bsd-mailx'
TESTS = [
    ('reportbug', HAS_REPORTBUG, reportbug_sends),
    ('reportbug: the copy is refused', HAS_REPORTBUG,
     reportbug_fails('unknown@host.home.arpa', [REFUSED], [[BUGS]])),
    ('reportbug: no server', HAS_REPORTBUG, reportbug_fails(REPORTER, [DOWN], [], down=True)),
    ('aerc: outgoing = /usr/sbin/sendmail', HAS_AERC,
     aerc_sends('/usr/sbin/sendmail', SENDER, ends_at_dot)),
    ('aerc: refused', HAS_AERC, aerc_fails('unknown@example.org', REFUSED, [[CC, BCC]])),
    ('aerc: deferred', HAS_AERC, aerc_fails('busy@example.org', LATER, [[CC, BCC]])),
    ('aerc: no server', HAS_AERC, aerc_fails(TO, DOWN, [], down=True)),
    ('b4', has(PROGRAMS + '/usr/bin/b4'), b4),
    ('logcheck', HAS_LOGCHECK, logcheck_sends),
    ('logcheck: attached', HAS_LOGCHECK, logcheck_attaches),
    ('monit: exec', HAS_MONIT, monit_executes),
    ('monit: alert, to a listener', HAS_MONIT, monit_alerts),
    ('Rails: a comma in a name', has_rails, rails_names),
    ('gitea', None, gitea_sends),
    ('gitea: refused, deferred, no server', None, gitea_fails),
] + rows('apticron', has(PROGRAMS + '/usr/sbin/apticron'), apticron(BSD_MAILX),
         '1 Debian package update(s) for box \u2013 gr\u00fcn',
         ['\n\tcron 3.0-2\n', 'box \u2013 gr\u00fcn'],
         looks=False) + \
    rows('apticron: mailutils, CUSTOM_FROM', has(PROGRAMS + '/usr/sbin/apticron'),
         apticron('/usr/bin/mail.mailutils', 'Gr\u00fcn <apticron@example.org>'),
         '1 Debian package update(s) for box', ['\n\tcron 3.0-2\n'], looks=False,
         sender='apticron@example.org')[:1] + \
    rows('logcheck', HAS_LOGCHECK, logcheck(), '', [])[1:] + \
    rows('rkhunter', has(PROGRAMS + '/etc/cron.daily/rkhunter'), rkhunter, '[rkhunter] ',
         ['/usr/bin/gr\u00fcn\n', '..two dots'], looks=False) + \
    [test for client in [Client('Rails', has_rails, script(RUBY, RAILS, '.rb'), sender=SHOP,
                                author=SHOP, looks=False)] + list(django_clients())
     for test in client.tests()]
TESTS = [test for test in TESTS if ALL or not test[0].startswith(SLOW)]
