"""Mail programs that people type at: mutt, neomutt, s-nail, bsd-mailx, mailutils, Emacs, alpine."""
import functools
import os
import shutil

from letter import BCC, CC, SUBJECT, TEXT, TO, Client, parse, text_of, unpacked, want, want_words
from room import SERVERS

ALICE = 'alice@example.org'


def which(program):
    return functools.partial(shutil.which, program)


# --- mutt and neomutt --------------------------------------------------------------------

MUTTRC = '''set copy=no
set from="Alice <alice@example.org>"
set realname="Alice"
set send_charset="utf-8"
set sendmail_wait=0
'''


def mutt(program, more='', *options):
    def send(room, to, cc, bcc):
        rc = room.write('home/muttrc', MUTTRC + more)
        argv = [program, '-n', '-F', rc, '-s', SUBJECT] + list(options)
        argv += ['-c', cc] if cc else []
        argv += ['-b', bcc] if bcc else []
        return room.call(argv + ['--', to], TEXT)
    return send


def mutt_attachment(program):
    def case(room):
        mutt(program, '', '-a', room.write('home/gr\u00fcn.txt', TEXT))(room, TO, CC, BCC)
        message = parse(room.mail([TO, CC, BCC]))
        text, attachment = message.iter_parts()
        want('text', text_of(text), TEXT)
        want('attachment', text_of(attachment), TEXT)
        want('file name', attachment.get_filename(), 'gr\u00fcn.txt')
    return case


def mutt_partly(program):
    """One of two is refused: the other has the letter, and the user is told who has not."""
    def case(room):
        status, shown = mutt(program)(room, TO, 'unknown@example.org', '')
        want('status', status, 1)
        want_words(shown, ['RCPT TO <unknown@example.org>: 550 5.1.1 no such user', 'exited 67'])
        parse(room.mail([TO]))
    return case


def mutt_tests(program):
    needs = which(program)
    tests = Client(program, needs, mutt(program), author=ALICE).tests()
    for name, more in (('use_envelope_from', 'set use_envelope_from=yes\n'),
                       ('sendmail -oem -oi', 'set sendmail="/usr/sbin/sendmail -oem -oi"\n'),
                       ('dsn_notify, use_8bitmime', 'set dsn_notify="failure,delay"\n'
                        'set dsn_return=hdrs\nset use_8bitmime=yes\nset allow_8bit=yes\n')):
        sender = ALICE if 'envelope' in name else 'machine@example.org'
        tests += [('%s: %s' % (program, name), needs, Client(
            name, needs, mutt(program, more), sender=sender, author=ALICE).accepted)]
    return tests + [(program + ' with an attachment', needs, mutt_attachment(program)),
                    (program + ': one of two refused', needs, mutt_partly(program))]


# --- the mails -----------------------------------------------------------------------------

def s_nail(*settings):
    def send(room, to, cc, bcc):
        argv = ['s-nail', '-n', '-S', 'sendwait', '-S', 'v15-compat=yes', '-S', 'nosave',
                '-s', SUBJECT]
        for setting in settings:
            argv += ['-S', setting]
        argv += ['-c', cc] if cc else []
        argv += ['-b', bcc] if bcc else []
        return room.call(argv + [to], TEXT, env=dict(room.env, MAILRC='/dev/null'))
    return send


def bsd_mailx(room, to, cc, bcc):
    """It encodes nothing itself; without MIME fields msubmit adds them."""
    argv = ['bsd-mailx', '-n', '-s', SUBJECT]
    argv += ['-c', cc] if cc else []
    argv += ['-b', bcc] if bcc else []
    return room.call(argv + ['-a', 'Content-Type: text/plain; charset=utf-8', to], TEXT)


def mailutils(*options):
    def send(room, to, cc, bcc):
        argv = ['mail.mailutils', '-s', SUBJECT] + list(options)
        argv += ['-a', 'Cc: ' + cc] if cc else []
        argv += ['-a', 'Bcc: ' + bcc] if bcc else []
        return room.call(argv + [to], TEXT)
    return send


# --- Emacs -----------------------------------------------------------------------------------

EMACS = '''(progn
(setq user-full-name "Alice" user-mail-address "alice@example.org"
      send-mail-function 'sendmail-send-it
      message-send-mail-function 'message-send-mail-with-sendmail
      message-interactive t mail-interactive t
      mail-default-reply-to nil message-kill-buffer-on-exit t
      message-auto-save-directory nil %s)
%s
(insert-file-contents "text")
(goto-char (point-min))
%s)
'''
HEADERS = '''(%s)
(erase-buffer)
(insert "From: Alice <alice@example.org>\\nTo: %s\\n%s%sSubject: " %s "\\n"
        mail-header-separator "\\n")
(goto-char (point-max))
'''


def emacs(mode, send, variables=''):
    """message-mode knows MIME; mail-mode is the older one, which rmail uses."""
    def function(room, to, cc, bcc):
        room.write('home/text', TEXT)
        subject = '"%s"' % SUBJECT.replace('"', '\\"')
        script = HEADERS % (mode, to, 'Cc: %s\\n' % cc if cc else '',
                            'Bcc: %s\\n' % bcc if bcc else '', subject)
        script = room.write('home/send.el', EMACS % (variables, script, send))
        return room.call(['emacs', '--batch', '-Q', '-l', script])
    return function


# --- alpine, which speaks SMTP with sendmail -bs ---------------------------------------------

ALPINE = os.path.join(SERVERS, 'alpine/usr/bin/alpine')
PINERC = '''personal-name=Alice
user-domain=example.org
inbox-path=%s/inbox
last-version-used=9.99
default-fcc=""
'''


def has_alpine():
    return os.path.exists(ALPINE) and not os.getuid()


def alpine(room, to, until):
    """At a terminal: a letter that is there already, ^X, and yes."""
    room.write('home/inbox', '')
    room.env.update(TERM='xterm', USER='root')
    url = 'mailto:%s?subject=hello&body=text' % to
    return room.terminal([ALPINE, '-p', room.write('home/pinerc', PINERC % room.home), '-url', url],
                         [('Subj', '\x18'), ('Send message', 'y')], until)[1]


def alpine_sends(room):
    want_words(alpine(room, TO, lambda shown: 'Message sent' in shown), ['Message sent'])
    mail = room.mail([TO], 'root@example.org')
    message = parse(mail)
    want('Subject', message['Subject'], 'hello')
    want('text', text_of(message), 'text\n')
    want_words(mail.data.decode(), ['with ESMTP id'])


def alpine_is_refused(room):
    alpine(room, 'unknown@example.org', lambda shown: 'no such user' in shown)
    room.syslog.wait('550 5.1.1 no such user')
    want('mails', len(room.sink.mails), 0)


TESTS = [('alpine', has_alpine, alpine_sends), ('alpine: refused', has_alpine, alpine_is_refused)]
TESTS += mutt_tests('mutt') + mutt_tests('neomutt')
for _client in (
        Client('s-nail', which('s-nail'), s_nail()),
        Client('s-nail: from, 8bit', which('s-nail'),
               s_nail('from=' + ALICE, 'mime-encoding=8bit'), author=ALICE, further=True),
        Client('bsd-mailx', lambda: unpacked('usr/bin/bsd-mailx'), bsd_mailx),
        Client('mailutils', which('mail.mailutils'), mailutils(), order=(CC, BCC, TO),
               refused=('non-zero status',), down=('non-zero status',)),
        Client('mailutils -r', which('mail.mailutils'), mailutils('-r', ALICE), sender=ALICE,
               order=(CC, BCC, TO), author=ALICE, further=True),
        Client('Emacs: message-mode', which('emacs'), emacs('message-mode', '(message-send)'),
               sender=ALICE, author=ALICE, refused=('exit value 67',), down=('exit value 75',)),
        Client('Emacs: mail-mode', which('emacs'), emacs('mail-mode', '(mail-send)'),
               author=ALICE, refused=('exit value 67',), down=('exit value 75',))):
    TESTS += _client.tests()
