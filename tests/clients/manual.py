"""The section "as sendmail for" of msubmit(1): each of its files does what it says.

A file is taken from the manual as it stands; only what cannot be had here is replaced
(the address of the server, the time of a job).
"""
import configparser
import functools
import glob
import os
import re
import socket
import struct

import libraries
import machine
import mailers
import programs
from doc_examples import plain, read
from letter import SUBJECT, TEXT, TO, Client, parse, unpacked, want, want_words
from machine import has, text
from php import BOUNCE, MAIL, SCRIPT, ends, has_php
from room import UNPACKED, Failure, Sink, wait_for

YOU = 'you@example.org'
SECTION = re.compile(r'^\.SH "AS SENDMAIL FOR"\n(.*?)^\.SH ', re.M | re.S)


@functools.lru_cache(maxsize=None)
def files():
    """Text of the example under each heading; '' is the one before the first."""
    found, heading = {}, ''
    for match in re.finditer(r'^\.SS (.*)$|^\.EX\n((?:.*\n)*?)\.EE$',
                             SECTION.search(read('man/msubmit.1')).group(1), re.M):
        if match.group(1):
            heading = plain(match.group(1))
        else:
            found[heading] = ''.join(plain(s) + '\n' for s in match.group(2).splitlines())
    return found


def mails_to(room, recipient, subject, words, sender=None):
    mail = room.sink.wait(recipient)
    room.check(mail, [recipient], sender or 'machine@example.org')
    want_words(text(mail, subject), words)


def aliases(room):
    room.write('etc/aliases', files()[''])
    room.run(['/usr/sbin/sendmail', 'root'], 'Subject: x\n\nhello\n')
    mails_to(room, YOU, 'x', ['hello'])


def cron(room):
    machine.cron(files()['cron'].replace('0 4 * * *', '@reboot'))(room)
    mails_to(room, YOU, 'df -h /', ['Filesystem'])


# --- PHP -------------------------------------------------------------------------------------

def php_ini():
    """php.ini decides; a program cannot add options."""
    def send(room, to, cc, bcc):
        ini = room.write('home/php/mail.ini', files()['PHP'])
        mail = MAIL % ('', '"-X/tmp/x -fevil@example.org"')
        script = room.write('home/mail.php', SCRIPT % mail)
        return room.call(['php', script, to, cc, bcc, SUBJECT], TEXT, env=dict(
            room.env, PHP_INI_SCAN_DIR=':' + os.path.dirname(ini)))
    return Client('manual: PHP', has_php, send, writes=ends, sender=BOUNCE, further=True)


FPM = '''[global]
daemonize = no
error_log = /var/log/fpm.log
[www]
user = nobody
group = nogroup
listen = %s
listen.mode = 0666
pm = static
pm.max_children = 1
include=%s
'''
HERE = 'env[MSUBMIT_PORT] = %d\nenv[MSUBMIT_TLS] = "off"\n' \
       'env[MSUBMIT_AUTH_PLAINTEXT] = always\n' \
       'env[MSUBMIT_AUTH] = plain\n'
PAGE = '<?php var_export(mail("%s", "hello", "Gr\u00fcn", "From: shop@example.org"));' % TO


def fastcgi(path, script):
    """What a page prints, asked for as a web server does."""
    def record(kind, data):
        return struct.pack('>BBHHBB', 1, kind, 1, len(data), 0, 0) + data
    params = b''.join(bytes((len(k), len(v))) + k + v for k, v in (
        (b'REQUEST_METHOD', b'GET'), (b'SCRIPT_FILENAME', script.encode())))
    with socket.socket(socket.AF_UNIX) as s, s.makefile('rb') as answer:
        s.settimeout(30)
        s.connect(path)
        s.sendall(record(1, struct.pack('>HB5x', 1, 0)) + record(4, params) + record(4, b'') +
                  record(5, b''))
        shown = b''
        while True:
            _, kind, _, size, padding, _ = struct.unpack('>BBHHBB', answer.read(8))
            data = answer.read(size + padding)[:size]
            if kind == 3:
                return shown.decode()
            shown += data


def fpm_program():
    return next(iter(glob.glob(UNPACKED + '/usr/sbin/php-fpm*')), None)


def has_fpm():
    return has_php() and fpm_program() and not os.getuid()


def php_fpm(room):
    """The account is in the pool's file, the password in a secret; FPM's users see neither."""
    sink = Sink(Sink.EXTENSIONS + ('AUTH PLAIN',))
    room.sink.close()
    room.sink = sink
    os.unlink(room.path('etc/msmtprc'))
    os.makedirs(room.path('run/secrets'))
    os.chown(room.write('run/secrets/smtp', 'geheim\n', 0o600), 65534, 65534)
    file = files()['PHP-FPM in a container'].replace('smtp.example.org', '127.0.0.1')
    pool = room.write('etc/php-fpm.d/mail.conf', file + HERE % sink.port)
    listen = room.path('run/fpm.sock')
    os.chmod(room.home, 0o755)
    page = room.write('home/index.php', PAGE)
    room.start([fpm_program(), '-n', '-F', '-y', room.write('etc/fpm.conf', FPM % (listen, pool))])
    wait_for('php-fpm', lambda: os.path.exists(listen))
    want_words(fastcgi(listen, page), ['true'])
    want('logins', sink.logins, ['\0shop@example.org\0geheim'])
    message = parse(room.mail([TO], 'shop@example.org'))
    want('Subject', message['Subject'], 'hello')


# --- reports -----------------------------------------------------------------------------------

def unattended_upgrades(room):
    conf = room.write('home/52mail', files()['unattended-upgrades'])
    machine.upgrades(room, "apt_pkg.read_config_file(apt_pkg.config, '%s')" % conf)
    mails_to(room, YOU, 'unattended-upgrades result for', ['All upgrades installed'])
    want('From', parse(room.sink.mails[0])['From'], 'machine@example.org')


def smartd(room):
    script = room.write('home/smartd-mail', files()['smartd'], 0o755)
    env = dict(room.env, SMARTD_MAILER=script, **machine.SMARTD)
    del env['SMARTD_ADDRESS']
    room.run(['/usr/share/smartmontools/smartd_warning.sh'], env=env)
    mails_to(room, 'admin@example.org', 'SMART error (EmailTest)', ['TEST EMAIL from smartd'])


def smartd_conf(room):
    """The line for smartd.conf is understood."""
    line = re.search(r'DEVICESCAN.*', plain(SECTION.search(read('man/msubmit.1')).group(1)
                                            .replace('\\-', '-'))).group()
    conf = room.write('home/smartd.conf', line + '\n')
    want_words(room.call(['smartd', '-q', 'showtests', '-c', conf])[1],
               ['Configuration file %s was parsed' % conf])


def mdadm(room):
    conf = room.write('home/mdadm.conf', files()['mdadm'])
    room.call([UNPACKED + '/sbin/mdadm', '--monitor', '--test', '--oneshot', '--config=' + conf,
               '/dev/md/none'])
    mails_to(room, YOU, 'TestMessage event', ['automatically generated'])
    want('From', parse(room.sink.mails[0])['From'].addresses[0].addr_spec, 'mdadm@example.org')


def zed(room):
    status, shown = machine.zed(files()['ZED'])(room)
    want('status', (status, shown), (0, ''))
    mails_to(room, YOU, 'ZFS io_failure event', ['ZFS has posted the following event:\n'])


def fail2ban(room):
    room.put('etc/fail2ban', UNPACKED + '/etc/fail2ban')
    machine.fail2ban_files(room, files()['fail2ban'])
    machine.fail2ban_ban(room)
    mail = next(m for m in room.sink.mails if b'192.0.2.1' in m.data)
    room.check(mail, [YOU], 'fail2ban@example.org')
    want_words(text(mail, 'banned 192.0.2.1'), ['has just been banned'])


def monit(room):
    script = room.write('home/monit-mail', files()['monit'], 0o755)
    programs.monit(room, 'exec "%s"' % script)
    mails_to(room, 'admin@example.org', 'own: Does not exist', ["file doesn't exist\n"])


def rails(room):
    """The setting, where the test's script has it."""
    want('the setting', files()['Rails'] in programs.RAILS, True)
    Client('Rails', None, libraries.script(programs.RUBY, programs.RAILS, '.rb'),
           sender=libraries.SHOP).accepted(room)


def gitea(room):
    parser = configparser.ConfigParser()
    parser.read_string(files()['gitea'])
    conf = parser['mailer']
    status = programs.gitea(room, conf['FROM'], *conf['SENDMAIL_ARGS'].split(), programs.YOU,
                            program=conf['SENDMAIL_PATH'])
    want('status', status, (0, ''))
    parse(room.mail([programs.YOU], conf['FROM']))


# --- people's ------------------------------------------------------------------------------------

def git(room):
    room.write('home/.gitconfig', files()['git'])
    libraries.send_email()(room)
    want('the setting', room.run(['git', 'config', 'sendemail.sendmailCmd']),
         '/usr/sbin/sendmail -i\n')


def aerc(room):
    outgoing = files()['aerc'].rstrip().partition(' = ')[2]
    programs.aerc_sends(outgoing, 'machine@example.org', str)(room)


def s_nail(room, to, cc, bcc):
    rc = room.write('home/mailrc', files()['mail'])
    return room.call(['s-nail', '-S', 'sendwait', '-S', 'v15-compat=yes', '-s', SUBJECT, '-c', cc,
                      '-b', bcc, to], TEXT, env=dict(room.env, MAILRC=rc))


def sent(client):
    return client.name, client.needs, client.accepted


def complete(_):
    """No example is without its test, and no test without its example."""
    names = {'': 'aliases'}
    told = {names.get(n, n) for n in files()}
    tested = {t[0].partition(': ')[2] for t in TESTS} - {'all examples', 'smartd.conf'}
    if told != tested:
        raise Failure('in the manual: %r; tested: %r' % (sorted(told), sorted(tested)))


TESTS = [
    ('manual: aliases', None, aliases),
    ('manual: cron', has('usr/sbin/cron'), cron),
    sent(php_ini()),
    ('manual: PHP-FPM in a container', has_fpm, php_fpm),
    ('manual: unattended-upgrades', machine.has_upgrades, unattended_upgrades),
    ('manual: smartd', has('usr/share/smartmontools/smartd_warning.sh'), smartd),
    ('manual: smartd.conf', lambda: unpacked('usr/sbin/smartd'), smartd_conf),
    ('manual: mdadm', has('sbin/mdadm'), mdadm),
    ('manual: ZED', has(machine.ZED + '/etc/zfs'), zed),
    ('manual: fail2ban', has('usr/bin/fail2ban-server'), fail2ban),
    ('manual: monit', programs.HAS_MONIT, monit),
    ('manual: Rails', programs.has_rails, rails),
    ('manual: gitea', None, gitea),
    ('manual: git', libraries.has_send_email, git),
    ('manual: aerc', programs.HAS_AERC, aerc),
    sent(Client('manual: mutt', mailers.which('mutt'), lambda room, to, cc, bcc: mailers.mutt(
        'mutt', files()['mutt'])(room, to, cc, bcc), sender=mailers.ALICE)),
    sent(Client('manual: mail', mailers.which('s-nail'), s_nail)),
    ('manual: all examples', None, complete),
]
