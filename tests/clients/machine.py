"""Programs of the machine itself that report by mail: cron, at, mdadm, smartd and so on.

The daemons are the real ones, in the foreground, with spool and configuration of the
room. What needs hardware is given an event as its daemon would.
"""
import os
import time

from letter import answers, parse, text_of, unpacked, want, want_words
from room import ADMIN, SENDER, SERVERS, UNPACKED, Failure, wait_for

PAM = ''.join('%s required pam_permit.so\n' % s for s in ('auth', 'account', 'session'))
UNKNOWN = 'root: unknown@example.org\n'
ZED = os.path.join(SERVERS, 'zed')
REFUSED, DOWN = '550 5.1.1 no such user', 'Connection refused'


def has(name):
    """A need: a file of the programs that are only unpacked, and root."""
    def needs():
        return unpacked(name) and not os.getuid()
    return needs


def text(mail, subject, name=''):
    """The text of a mail, after a look at its header."""
    message = parse(mail)
    want_words(message['Subject'], [subject])
    want_words(mail.data.partition(b'\r\n\r\n')[0].decode('utf-8', 'replace'), [name])
    for field in ('To', 'Cc'):
        for address in message[field].addresses if message[field] else ():
            want('domain in ' + field, address.domain, 'example.org')
    return text_of(message)


def reports(run, subject, words, sender=SENDER, **more):
    """Rows for a program that reports to root: run(room) gives (status, text)."""
    def accepted(room):
        status, shown = run(room)
        if status:
            raise Failure('status %d: %s' % (status, shown))
        want_words(text(room.mail([ADMIN], sender), subject, **more), words)
    return accepted


def fails(run, logged, looks=True):
    """The same where the server refuses, or there is none."""
    def failed(room):
        if logged == DOWN:
            room.down()
        else:
            room.write('etc/aliases', UNKNOWN)
        status, shown = run(room)
        if looks and status == 0:
            raise Failure('status 0: ' + shown)
        room.syslog.wait(logged)
        want('mails', len(room.sink.mails), 0)
    return failed


def rows(name, needs, run, subject, words, looks=True, **more):
    return [(name, needs, reports(run, subject, words, **more)),
            (name + ': refused', needs, fails(run, REFUSED, looks)),
            (name + ': no server', needs, fails(run, DOWN, looks))]


def pam(room, *names):
    os.mkdir(room.replace('etc/pam.d'))
    for name in names + ('other',):
        room.write('etc/pam.d/' + name, PAM)


# --- cron and anacron ----------------------------------------------------------------------

CRON_TEXT = 'Gr\u00fc\u00dfe\n\n.\n..two dots\nFrom the start of a line\na\rb\nend'
CRON_ARRIVES = CRON_TEXT.replace('\r', '\n') + '\n'


def cron(crontab):
    """The daemon, with a crontab of root's that it runs at once."""
    def start(room):
        for name in ('crontab', 'anacrontab'):
            room.write('etc/' + name, '')
        os.mkdir(room.replace('etc/cron.d'))
        pam(room, 'cron')
        room.write('home/text', CRON_TEXT)
        room.write('var/spool/cron/crontabs/root', crontab, 0o600)
        room.start(['cron', '-f', '-L', '15'])
    return start


CRONTAB = '''@reboot cat text
MAILTO=x@example.org,y@example.org
@reboot echo one; echo two >&2; exit 3
MAILTO=""
@reboot echo nobody reads this
MAILTO=joe
MAILFROM=backup@example.org
CONTENT_TYPE=text/plain; charset=ISO-8859-1
@reboot printf 'gr\\374n'
'''


def cron_mails(room):
    cron(CRONTAB)(room)
    mail = room.check(room.sink.wait(ADMIN), [ADMIN])
    want('text', text(mail, 'Cron <root@', 'Cron Daemon').rstrip('\n'), CRON_ARRIVES.rstrip('\n'))
    mail = room.check(room.sink.wait('x@example.org'), ['x@example.org', 'y@example.org'])
    want('text', text(mail, 'Cron <root@'), 'one\ntwo\n')
    mail = room.check(room.sink.wait('joe@example.org'), ['joe@example.org'])
    want('text', text(mail, 'Cron <root@').rstrip('\n'), 'gr\u00fcn')
    want('mails', len(room.sink.mails), 3)


def cron_fails(crontab, logged, status):
    """cron tells nobody but its log."""
    def case(room):
        if logged == DOWN:
            room.down()
        cron(crontab)(room)
        room.syslog.wait(logged)
        room.syslog.wait('got status 0x%04x from MTA' % status)
        want('mails', len(room.sink.mails), 0)
    return case


CALL = b'From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@host> job --all\n' \
       b'MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n' \
       b'Content-Transfer-Encoding: 8bit\nX-Cron-Env: <SHELL=/bin/sh>\n\n'


def cron_call(*argv, closed=()):
    """The call of a cron that is not here: few variables, umask 0, descriptors closed."""
    def case(room):
        def enter():
            os.umask(0)
            for fd in closed:
                os.close(fd)
        env = {k: v for k, v in room.env.items()
               if k in ('HOME', 'PATH') or k.endswith('SAN_OPTIONS')}
        env.update(LOGNAME='root', SHELL='/bin/sh', LANG='C')
        shown = room.run(['/usr/sbin/sendmail'] + list(argv), CALL + CRON_TEXT.encode(), env=env,
                         preexec_fn=enter)
        want('output', shown, '')
        mail = room.mail([ADMIN])
        want('text', text(mail, 'Cron <root@host> job --all', 'Cron Daemon'), CRON_ARRIVES)
        open_files = [n for n in os.listdir(room.home) if os.stat(room.home + '/' + n).st_mode & 2]
        want('files that others may write', open_files, [])
    return case


def anacron(room):
    """It gives no -i, and waits for no job with -n."""
    source = room.write('home/text', 'gr\u00fcn\n..two\n')
    room.write('etc/anacrontab', 'MAILTO=root\n1 0 job cat %s\n' % source)

    os.makedirs(room.path('var/spool/anacron'))
    return room.call(['anacron', '-d', '-n', '-f'])


# --- at ------------------------------------------------------------------------------------

def at(room):
    for name in ('atjobs', 'atspool'):
        path = room.path('var/spool/cron/' + name)
        os.makedirs(path)
        os.chown(path, 1, 1)
        os.chmod(path, 0o1770)
    room.write('var/spool/cron/atjobs/.SEQ', '0', 0o600)
    os.chown(room.path('var/spool/cron/atjobs/.SEQ'), 1, 1)
    pam(room, 'at', 'atd')
    room.write('home/text', CRON_TEXT)
    room.env['LOGNAME'] = 'root'
    room.start(['atd', '-f'])
    wait_for('atd', lambda: os.path.exists(room.path('run/atd.pid')))
    room.run(['at', 'now'], 'cat text\n')


def at_mails(room):
    at(room)
    mail = room.check(room.sink.wait(ADMIN), [ADMIN])
    want('text', text(mail, 'Output from your job').rstrip('\n'), CRON_ARRIVES.rstrip('\n'))


def at_fails(logged):
    def case(room):
        if logged == DOWN:
            room.down()
        room.write('etc/aliases', UNKNOWN)
        at(room)
        room.syslog.wait(logged)
        want('mails', len(room.sink.mails), 0)
    return case


# --- watchers of disks ---------------------------------------------------------------------

def mdadm(room):
    """mdadm --monitor: a test alert, without an array."""
    room.write('home/mdadm.conf', 'MAILADDR root\n')
    return room.call([UNPACKED + '/sbin/mdadm', '--monitor', '--test', '--oneshot',
                      '--config=mdadm.conf', '/dev/md/none'])


SMARTD = {'SMARTD_ADDRESS': 'root', 'SMARTD_FAILTYPE': 'EmailTest', 'SMARTD_PREVCNT': '0',
          'SMARTD_MESSAGE': 'TEST EMAIL from smartd for device: /dev/sda', 'SMARTD_NEXTDAYS': '',
          'SMARTD_DEVICEINFO': 'ACME DISK, S/N:1234', 'SMARTD_DEVICE': '/dev/sda'}


def smartd(room):
    """What smartd runs for -m root; mail is the one of the machine."""
    return room.call(['/usr/share/smartmontools/smartd_warning.sh'], env=dict(room.env, **SMARTD))


def smartd_runner(room):
    """What Debian has in smartd.conf: -M exec /usr/share/smartmontools/smartd-runner"""
    room.put('etc/smartmontools', UNPACKED + '/etc/smartmontools')
    return room.call(['/usr/share/smartmontools/smartd_warning.sh'], env=dict(
        room.env, SMARTD_MAILER='/usr/share/smartmontools/smartd-runner', **SMARTD))


def zed(rc):
    """A zedlet for an event of a pool, as zed runs it."""
    def run(room):
        room.put('etc/zfs', ZED + '/etc/zfs')
        room.write('etc/zfs/zed.d/zed.rc', 'ZED_EMAIL_ADDR="root"\nZED_LOCKDIR=/run\n'
                   'ZED_RUNDIR=/run\nZED_NOTIFY_VERBOSE=1\n' + rc)
        return room.call([ZED + '/usr/lib/zfs-linux/zed.d/generic-notify.sh'], env=dict(
            room.env, ZED_ZEDLET_DIR='/etc/zfs/zed.d', ZEVENT_EID='17', ZEVENT_POOL='tank',
            ZEVENT_SUBCLASS='io_failure', ZEVENT_TIME_STRING='today', ZED_PID='1'))
    return run


# --- watchers of logs ------------------------------------------------------------------------

def logwatch(room):
    """With a service of our own, which shows the day's lines of syslog."""
    room.write('etc/logwatch/conf/logwatch.conf',
               'TmpDir = %s\nLogDir = /var/log\nMailTo = root\n' % room.home)
    room.write('etc/logwatch/conf/services/own.conf', 'Title = "Own"\nLogFile = syslog\n')
    room.write('etc/logwatch/scripts/services/own', '#!/bin/sh\ncat\necho ..two dots\n', 0o755)
    room.write('var/log/syslog', time.strftime('%b %e %T') + ' box a[1]: gr\u00fcn\n')
    return room.call(['logwatch', '--output', 'mail', '--format', 'text', '--range', 'today',
                      '--service', 'own', '--hostname', 'box'])


JAIL = '''
[sshd]
enabled = true
backend = polling
logpath = %s
filter = none
'''
ACTION = '''[DEFAULT]
action = sendmail[name=sshd, dest=root, sender=fail2ban, sendername=Fail2Ban]
'''
FAIL2BAN = '''[Definition]
loglevel = INFO
logtarget = %s
syslogsocket = auto
socket = /run/fail2ban.sock
pidfile = /run/fail2ban.pid
dbfile = None
dbmaxmatches = 10
dbpurgeage = 1d
'''


def fail2ban_files(room, local):
    """Debian's files, a jail.local, and one jail of which nothing is needed."""
    room.put('etc/fail2ban', UNPACKED + '/etc/fail2ban')
    log = room.path('var/log/fail2ban.log')
    room.write('etc/fail2ban/fail2ban.conf', FAIL2BAN % log)
    room.write('etc/fail2ban/jail.local', local)
    room.write('etc/fail2ban/jail.d/defaults-debian.conf', '[DEFAULT]\nbanaction = none\n' +
               JAIL % room.write('var/log/auth.log', ''))
    room.write('etc/fail2ban/filter.d/none.conf', '[Definition]\nfailregex = ^failed <HOST>$\n')
    room.write('etc/fail2ban/action.d/none.conf', '[Definition]\nactionban =\n')
    return log


def fail2ban(room):
    """The server with one jail; it sends when it starts. (status, log)"""
    log = fail2ban_files(room, ACTION)
    room.start(['fail2ban-server', '-f', 'start'])

    def read():
        with open(log, encoding='utf-8') as f:
            return f.read()
    wait_for('fail2ban', lambda: os.path.exists(log) and (room.sink.mails or 'returned' in read()))
    return (0 if room.sink.mails else 1), read()


def fail2ban_ban(room):
    """A ban by hand, and the mail that follows."""
    if not room.started:
        room.start(['fail2ban-server', '-f', 'start'])
    before = len(room.sink.mails)
    wait_for('the server', lambda: room.call(['fail2ban-client', 'status', 'sshd'])[0] == 0)
    room.run(['fail2ban-client', 'set', 'sshd', 'banip', '192.0.2.1'])
    wait_for('a mail', lambda: len(room.sink.mails) > before)


def fail2ban_bans(room):
    fail2ban(room)
    fail2ban_ban(room)
    mail = room.check(room.sink.mails[-1], [ADMIN])
    want_words(text(mail, '[Fail2Ban] sshd: banned 192.0.2.1', 'Fail2Ban'),
               ['The IP 192.0.2.1 has just been banned'])


# --- unattended-upgrades -----------------------------------------------------------------------

UPGRADES = '''import importlib.machinery, importlib.util, inspect, io, sys
loader = importlib.machinery.SourceFileLoader('upgrade', sys.argv[1])
upgrade = importlib.util.module_from_spec(importlib.util.spec_from_loader('upgrade', loader))
loader.exec_module(upgrade)
import apt_pkg, logging
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
apt_pkg.init_config()
%s
values = {'pkgs': ['cron', 'at'], 'res': True, 'result_str': 'All upgrades installed',
          'pkgs_kept_back': {}, 'pkgs_removed': [], 'pkgs_kept_installed': [],
          'mem_log': io.StringIO('the log: Gr\\u00fc\\u00dfe'), 'dpkg_log_content': '.\\n..two'}
names = inspect.signature(upgrade.send_summary_mail).parameters
upgrade.send_summary_mail(**{n: values[n] for n in names})
'''


def upgrades(room, configure="apt_pkg.config.set('Unattended-Upgrade::Mail', 'root')"):
    """The summary of a run; it does not look at sendmail's status, but shows it."""
    status, shown = room.call(['/usr/bin/python3',
                               room.write('home/upgrades.py', UPGRADES % configure),
                               UNPACKED + '/usr/bin/unattended-upgrade'])
    return status or (0 if 'mail returned: 0' in shown else 1), shown


def has_upgrades():
    return unpacked('usr/bin/unattended-upgrade') and answers('/usr/bin/python3', '-c',
                                                              'import apt, apt_pkg')


TESTS = [
    ('cron: output, MAILTO, charset', has('usr/sbin/cron'), cron_mails),
    ('cron: refused', has('usr/sbin/cron'),
     cron_fails('MAILTO=unknown@example.org\n@reboot echo x\n', REFUSED, 67)),
    ('cron: no server', has('usr/sbin/cron'), cron_fails('@reboot echo x\n', DOWN, 75)),
    ('cron of Debian, descriptors 1 and 2 closed', None,
     cron_call('-i', '-FCronDaemon', '-B8BITMIME', '-oem', 'root', closed=(1, 2))),
    ('cronie', None, cron_call('-FCronDaemon', '-i', '-odi', '-oem', '-oi', '-t', '-f', 'root')),
    ('at: output', has('usr/sbin/atd'), at_mails),
    ('at: refused', has('usr/sbin/atd'), at_fails(REFUSED)),
    ('at: no server', has('usr/sbin/atd'), at_fails(DOWN)),
    ('fail2ban: a ban', has('usr/bin/fail2ban-server'), fail2ban_bans),
] + rows('anacron', has('usr/sbin/anacron'), anacron, "Anacron job 'job' on",
         ['gr\u00fcn', '..two'], looks=False) + \
    rows('mdadm', has('sbin/mdadm'), mdadm, 'TestMessage event on /dev/md/none',
         ['This is an automatically generated mail message'], looks=False) + \
    rows('smartd', has('usr/share/smartmontools/smartd_warning.sh'), smartd,
         'SMART error (EmailTest) detected on host: ',
         ['TEST EMAIL from smartd for device: /dev/sda', 'ACME DISK']) + \
    rows('smartd-runner', has('usr/share/smartmontools/smartd-runner'), smartd_runner,
         'SMART error (EmailTest) detected on host: ', ['ACME DISK'], looks=False) + \
    rows('ZED', has(ZED + '/etc/zfs'), zed(''),
         'ZFS io_failure event for tank on ', ['   eid: 17']) + \
    rows('ZED: sendmail', has(ZED + '/etc/zfs'),
         zed('ZED_EMAIL_PROG=sendmail\nZED_EMAIL_OPTS=@ADDRESS@\n'),
         'ZFS io_failure event for tank on ', ['ZFS has posted the following event:\n\n   eid']) + \
    rows('logwatch', has('usr/sbin/logwatch'), logwatch, 'Logwatch for box',
           ['gr\u00fcn', '..two dots', 'Logwatch End'], looks=False) + \
    rows('fail2ban', has('usr/bin/fail2ban-server'), fail2ban, '[Fail2Ban] sshd: started on ',
         ['The jail sshd has been started successfully.']) + \
    rows('unattended-upgrades', has_upgrades, upgrades, 'unattended-upgrades result for ',
         ['All upgrades installed', 'cron at', '\n.\n..two', 'Gr\u00fc\u00dfe'])
