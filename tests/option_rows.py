"""The options of sendmail: what each does, here and in msmtp and in Postfix's sendmail(1).

A row says what a call has for effect. OPTIONS has one row for a letter and its argument; it is
tried wherever it may stand: argument attached and as the next word, in a cluster, before and
behind the address. CALLS are whole command lines. Where another program has the option it is
run with the same call; its effect is the same (SAME), or another one, and then the row says
why (doc/sendmail.md has the rules).
"""
SENDER, RCPT = 'sender@example.org', 'a@example.net'
HEAD = 'From: Writer <writer@example.org>\nTo: h@example.net\nSubject: x\n'
MESSAGE = HEAD + '\nbefore\n..two\nafter\n'
DOTTED = HEAD + '\nbefore\n.\nafter\n'
NAMELESS = 'Subject: x\n\nbody\n'
EIGHT = HEAD + '\nGr\u00fc\u00dfe\n'
SAME, ABSENT = 'same', None     # as ours; the program is not asked

NONE, REQUIRED, ATTACHED = 'none', 'required', 'attached'


class Effect:
    """What a call does. None = it does not matter; patterns are searched (re)."""

    def __init__(self, **given):
        self.exit = 0
        self.sent = True        # exactly one mail came
        self.untouched = False  # standard input was not read
        self.sender, self.rcpts = SENDER, [RCPT]
        self.body = None
        self.mail, self.rcpt = [], []       # parameters, and no others of DSN and BODY
        self.field = {}         # name: pattern of its only value, or None: it is not there
        self.err, self.out = '^$', '^$'
        self.__dict__.update(given)

    def but(self, **given):
        return Effect(**{**self.__dict__, **given})


def sends(**given):
    return Effect(**given)


def refuses(err, code=64):
    """Nothing is read, nothing sent, one line names it."""
    return Effect(exit=code, sent=False, untouched=True, err=r'\A[^\n]*%s[^\n]*\n\Z' % err)


def fails(code=None):
    """Of another program: nothing is sent, and it says so."""
    return Effect(exit=code, sent=False, err=None, out=None)


def does(out='^$', code=0):
    """Another command: nothing is read, nothing sent, and the words go to stdout."""
    return Effect(exit=code, sent=False, untouched=True, out=out)


SENT = sends()
LOOSE = sends(err=None)
DOTS = sends(body='before\n.\nafter\n')
CUT = sends(body='before\n', err=r'\A[^\n]*single dot[^\n]*use -i\n\Z')
CUT_QUIETLY = sends(body='before\n')
QUEUE_EMPTY = does(r'\AMail queue is empty\n\Z')
USAGE = fails(64)               # msmtp, and sendmail itself
FATAL = fails(75)               # Postfix has one status for all of its errors
RULE = 'doc/sendmail.md has it so'
NOT_THERE = 'taken for the sake of programs that call other sendmails; msmtp has it not'

# Option, kind, argument, message, ours, msmtp, Postfix, why they differ.
OPTIONS = [
    ('-i', NONE, None, DOTTED, DOTS, SAME, SAME, ''),
    ('-t', NONE, None, MESSAGE, sends(rcpts=[RCPT, 'h@example.net']), SAME, SAME, ''),
    ('-m', NONE, None, MESSAGE, SENT, SAME, SAME, ''),
    ('-n', NONE, None, MESSAGE, SENT, SAME, FATAL, 'Postfix refuses -n'),
    ('-s', NONE, None, MESSAGE, SENT, USAGE, FATAL, NOT_THERE),
    ('-U', NONE, None, MESSAGE, SENT, USAGE, SAME, NOT_THERE),
    ('-x', NONE, None, MESSAGE, SENT, USAGE, SAME, NOT_THERE),
    ('-c', NONE, None, MESSAGE, SENT, USAGE, SAME, NOT_THERE),
    ('-G', NONE, None, MESSAGE, SENT, SAME, SAME, ''),
    ('-v', NONE, None, MESSAGE, sends(err='(?m)^--> MAIL FROM'), sends(out=None, err=None),
     sends(out='Report will be mailed'),
     'the dialogue, on stderr; msmtp shows it on stdout, Postfix mails a report'),
    ('-4', NONE, None, MESSAGE, SENT, ABSENT, ABSENT, ''),
    ('-A', REQUIRED, 'c', MESSAGE, SENT, SAME, SAME, ''),
    ('-B', REQUIRED, '8BITMIME', EIGHT, sends(mail=['BODY=8BITMIME']), LOOSE, SAME,
     '8-bit data is announced; msmtp announces nothing'),
    ('-B', REQUIRED, '7BIT', EIGHT, sends(mail=['BODY=8BITMIME'], body='Gr\u00fc\u00dfe\n'),
     sends(mail=None), sends(mail=None), '-B7BIT strips no bits, what is sent is announced'),
    ('-B', REQUIRED, '8bitmime', MESSAGE, SENT, SAME, FATAL, 'in any case'),
    ('-D', REQUIRED, '{dir}/debug', MESSAGE, SENT, USAGE, FATAL, NOT_THERE),
    ('-e', REQUIRED, 'p', MESSAGE, SENT, USAGE, SENT, NOT_THERE),
    ('-e', REQUIRED, 'm', MESSAGE, SENT, USAGE, SENT, NOT_THERE),
    ('-F', REQUIRED, 'Full Name', NAMELESS,
     sends(field={'From': '^Full Name <sender@example.org>$'}), SAME, SAME, ''),
    ('-F', REQUIRED, 'J. R. "Bob" Tester', NAMELESS,
     sends(field={'From': r'^"J\. R\. \\"Bob\\" Tester" <sender@example\.org>$'}),
     sends(field={'From': r'^J\. R\. "Bob" Tester <'}), SAME, 'msmtp writes a broken field'),
    ('-f', REQUIRED, 's@example.com', MESSAGE, sends(sender='s@example.com'), SAME, SAME, ''),
    ('-f', REQUIRED, '<>', MESSAGE, sends(sender=''), sends(sender=None), SAME,
     'msmtp takes the brackets for a part of the address'),
    ('-f', REQUIRED, 'N N <s@example.com>', MESSAGE, sends(sender='s@example.com'),
     sends(sender='N N <s@example.com>'), SAME, 'msmtp passes it on as it is'),
    ('-r', REQUIRED, 's@example.com', MESSAGE, sends(sender='s@example.com'), USAGE, SAME,
     '= -f, which msmtp does not know'),
    ('-h', REQUIRED, '5', MESSAGE, SENT, SAME, SAME, ''),
    ('-L', REQUIRED, 'tag', MESSAGE, SENT, SAME, SAME, ''),
    ('-M', REQUIRED, 'Xv', MESSAGE, SENT, USAGE, FATAL, NOT_THERE),
    ('-N', REQUIRED, 'success,failure', MESSAGE,
     sends(mail=None, rcpt=['NOTIFY=SUCCESS,FAILURE', 'ORCPT=rfc822;' + RCPT]),
     sends(rcpt=['NOTIFY=SUCCESS,FAILURE']), SAME, 'ENVID and ORCPT go along, so that a '
     'notice can name the message and the address that was given'),
    ('-N', REQUIRED, 'NEVER', MESSAGE,
     sends(mail=None, rcpt=['NOTIFY=NEVER', 'ORCPT=rfc822;' + RCPT]), USAGE, SAME,
     'in any case'),
    ('-R', REQUIRED, 'full', MESSAGE, sends(mail=['RET=FULL']), SAME, SAME, ''),
    ('-R', REQUIRED, 'HDRS', MESSAGE, sends(mail=['RET=HDRS']), USAGE, SAME, 'in any case'),
    ('-V', REQUIRED, 'id+1', MESSAGE, sends(mail=['ENVID=id+2B1']), USAGE, SAME,
     'msmtp does not know it'),
    ('-O', REQUIRED, 'Foo=1', MESSAGE, SENT, SAME, SAME, ''),
    ('-O', REQUIRED, 'IgnoreDots=True', DOTTED, DOTS, SAME, CUT_QUIETLY,
     '= -oi; Postfix takes the name and ignores it'),
    ('-O', REQUIRED, 'ErrorMode=m', MESSAGE, SENT, SAME, SAME, ''),
    ('-O', REQUIRED, 'QueueDirectory={dir}/q', MESSAGE, SENT, SAME, SAME, ''),
    ('-o', REQUIRED, 'i', DOTTED, DOTS, SAME, SAME, ''),
    ('-o', REQUIRED, 'itrue', DOTTED, DOTS, SAME, SAME, ''),
    ('-o', REQUIRED, 'v', MESSAGE, sends(err='(?m)^--> MAIL FROM'), ABSENT, LOOSE, RULE),
    ('-p', REQUIRED, 'ESMTP:host', MESSAGE, SENT, USAGE, SENT, NOT_THERE),
    ('-X', REQUIRED, '{dir}/traffic', MESSAGE, SENT, ABSENT, FATAL,
     'never written; msmtp writes its log there, Postfix refuses it'),
    ('-a', REQUIRED, 'other', MESSAGE, sends(sender='other@example.org'), SAME, FATAL,
     'of msmtp: the account'),
    ('-b', REQUIRED, 'm', MESSAGE, SENT, SAME, SAME, ''),
    ('-b', REQUIRED, 'v', MESSAGE, does(r'\Aa@example\.net\.\.\. deliverable: mailer relay, host '
                                        r'127\.0\.0\.1, user a@example\.net\n\Z'),
     ABSENT, ABSENT, 'Postfix mails a report'),
    ('-d', ATTACHED, '1', MESSAGE, sends(err='(?m)^--> MAIL FROM'), ABSENT, ABSENT, RULE),
    ('-d', ATTACHED, '0.1', MESSAGE, sends(err='(?m)^--> MAIL FROM'), ABSENT, ABSENT, RULE),
    ('-E', ATTACHED, 'x', MESSAGE, SENT, USAGE, FATAL, NOT_THERE),
    ('-J', ATTACHED, 'x', MESSAGE, SENT, USAGE, FATAL, NOT_THERE),
    ('-T', ATTACHED, '5m', MESSAGE, SENT, ABSENT, ABSENT, ''),
    ('-q', ATTACHED, '30m', MESSAGE, refuses('addresses'), USAGE, ABSENT, RULE),
    ('-B', REQUIRED, 'FOO', MESSAGE, refuses("'-B'.*'FOO'"), SENT, FATAL,
     '64; msmtp does not look at it'),
    ('-N', REQUIRED, 'bogus', MESSAGE, refuses("'-N'.*'bogus'"), USAGE, LOOSE,
     'Postfix warns and goes on'),
    ('-N', REQUIRED, 'never,delay', MESSAGE, refuses("'-N'"), USAGE, LOOSE, RULE),
    ('-R', REQUIRED, 'bogus', MESSAGE, refuses("'-R'.*'bogus'"), USAGE,
     LOOSE, 'Postfix warns and goes on'),
    ('-V', REQUIRED, 'x' * 101, MESSAGE, refuses("'-V'"), USAGE, LOOSE, RULE),
    ('-e', REQUIRED, 'z', MESSAGE, refuses("'-e'"), USAGE, SENT, 'no such mode'),
    ('-X', REQUIRED, 'V+=', MESSAGE, refuses('VERP'), ABSENT, ABSENT, RULE),
    ('-f', REQUIRED, 's@x.example, t@y.example', MESSAGE, refuses("'-f'"),
     LOOSE.but(sender='s@x.example, t@y.example'), ABSENT, 'msmtp passes it on as it is'),
    ('-r', REQUIRED, 'bad@@x', MESSAGE, refuses("'-r'"), USAGE, ABSENT, RULE),
]

# Behind -o: taken, and nothing changes.
LETTERS = ('em ep ew ee di df db dq dd dqs m o 7 8 A{dir}/file B. c D F0600 f g1 H{dir}/f L9 M P '
           'Q{dir}/q r1h S{dir}/f s T5d t u X8 Y z').split()

# -O names that are taken and name files elsewhere: none is made.
LONG_NAMES = ['QueueDirectory={dir}/q', 'StatusFile={dir}/s', 'PidFile={dir}/p',
              'AliasFile={dir}/a', 'DeadLetterDrop={dir}/d', 'HostStatusDirectory={dir}/h',
              'HelpFile={dir}/e', 'ControlSocketName={dir}/c', 'SafeFileEnvironment={dir}',
              'LogLevel=99', 'MaxMessageSize=1', 'DeliveryMode=q']

# Unknown letters, also in the other programs but where their meaning is told.
UNKNOWN = 'QSzwuKZ0jgklyW1237589HY_?='

# Name, words, message, ours, msmtp, Postfix, why.
CALLS = [
    ('nothing but an address', [RCPT], MESSAGE, sends(body='before\n..two\nafter\n'), SAME,
     SAME, ''),
    ('a lone dot ends the message', [RCPT], DOTTED, CUT, DOTS, CUT_QUIETLY,
     'as Postfix; msmtp never ends at a dot; here what is lost is told'),
    ('-it', ['-it'], DOTTED, DOTS.but(rcpts=['h@example.net']), SAME, SAME, ''),
    ('-ti', ['-ti'], DOTTED, DOTS.but(rcpts=['h@example.net']), SAME, SAME, ''),
    ('-im', ['-im', RCPT], DOTTED, DOTS, SAME, SAME, ''),
    ('-tif, next word', ['-tif', 's@example.com'], DOTTED,
     DOTS.but(rcpts=['h@example.net'], sender='s@example.com'), SAME, SAME, ''),
    ('-tifs@...', ['-tifs@example.com'], DOTTED,
     DOTS.but(rcpts=['h@example.net'], sender='s@example.com'), SAME, SAME, ''),
    ('-oi twice', ['-oi', '-oi', RCPT], DOTTED, DOTS, SAME, SAME, ''),
    ('-oifalse', ['-i', '-oifalse', RCPT], DOTTED, CUT, ABSENT, ABSENT, RULE),
    ('-OIgnoreDots=false', ['-i', '-OIgnoreDots=false', RCPT], DOTTED, CUT, ABSENT, ABSENT, RULE),
    ('-- and an address like an option', ['--', '-x@example.net'], MESSAGE,
     sends(rcpts=['-x@example.net']), SAME, SAME, ''),
    ('-- and more options', ['-i', '--', RCPT, '-t'], DOTTED,
     DOTS.but(rcpts=[RCPT, '-t@example.org']),
     DOTS.but(rcpts=[RCPT, '-t']), SAME, 'msmtp completes no address'),
    ('--: -t is a word', ['-t', '--', RCPT], MESSAGE, sends(rcpts=[RCPT, 'h@example.net']),
     SAME, SAME, ''),
    ('options behind the address', [RCPT, '-i', '-f', 's@example.com'], DOTTED,
     DOTS.but(sender='s@example.com'), SAME, ABSENT,
     'as the small relays take them; Postfix mails to "-i"'),
    ('options between addresses', [RCPT, '-i', 'b@example.net', '-fs@example.com'], DOTTED,
     DOTS.but(sender='s@example.com', rcpts=[RCPT, 'b@example.net']), SAME, ABSENT, RULE),
    ('-C behind an address', [RCPT, '-C', '{rc}'], MESSAGE, refuses('-C must stand before'), SENT,
     ABSENT, 'text that is placed behind an address must not choose a configuration'),
    ('-C behind --rcpt', ['--rcpt=' + RCPT, '-C', '{rc}'], MESSAGE,
     refuses('-C must stand before'), ABSENT, ABSENT, RULE),
    ('-C attached', ['-C{rc}', RCPT], MESSAGE, SENT, SAME, ABSENT, ''),
    ('-C next word', ['-C', '{rc}', RCPT], MESSAGE, SENT, SAME, ABSENT, ''),
    ('-C missing', ['-C', '{dir}/none', RCPT], MESSAGE,
     Effect(exit=78, sent=False, err=r'{dir}/none'), fails(), FATAL, '78'),
    ('-f twice', ['-f', 'a@example.com', '-fb@example.com', RCPT], MESSAGE,
     sends(sender='b@example.com'), SAME, SAME, ''),
    ('-f and -r', ['-f', 'a@example.com', '-r', 'b@example.com', RCPT], MESSAGE,
     sends(sender='b@example.com'), USAGE, SAME, '-r is -f'),
    ('-F twice', ['-F', 'One', '-FTwo', RCPT], NAMELESS, sends(field={'From': '^Two <'}), SAME,
     SAME, ''),
    ('-R twice', ['-Rfull', '-R', 'hdrs', RCPT], MESSAGE, sends(mail=['RET=HDRS']), SAME, ABSENT,
     ''),
    ("-f ''", ['-f', '', RCPT], MESSAGE, sends(sender=''), SAME, SAME, ''),
    ("-F ''", ['-F', '', RCPT], NAMELESS, sends(field={'From': '^sender@example.org$'}),
     sends(field={'From': '^<sender@example.org>$'}), LOOSE, 'no name'),
    ("-f ''  behind", [RCPT, '-f', ''], MESSAGE, sends(sender=''), SAME, ABSENT, ''),
    ('-f root', ['-f', 'root', RCPT], MESSAGE, SENT, sends(sender='root'),
     SAME, 'a bare name becomes the account\'s from'),
    ('a lone -', ['-', RCPT], MESSAGE, refuses("'-'"), ABSENT, ABSENT, 'neither of the two'),
    ('-o last', [RCPT, '-o'], MESSAGE, refuses("'-o'"), USAGE, ABSENT, RULE),
    ("-o ''", ['-o', '', RCPT], MESSAGE, refuses("'-o'"), ABSENT, ABSENT, RULE),
    ('-oe', ['-oe', RCPT], MESSAGE, refuses("'-o'"), ABSENT, ABSENT, RULE),
    ('-oez', ['-oez', RCPT], MESSAGE, refuses("'-o'"), ABSENT, ABSENT, RULE),
    ('-oeq and an error', ['-oeq', 'unknown@example.net'], MESSAGE,
     Effect(exit=67, sent=False), ABSENT, ABSENT, 'status only'),
    ('-eq and an error', ['-e', 'q', 'unknown@example.net'], MESSAGE,
     Effect(exit=67, sent=False), ABSENT, ABSENT, RULE),
    ('-oem and an error', ['-oem', 'unknown@example.net'], MESSAGE,
     Effect(exit=67, sent=False, err='unknown@example.net'), fails(), ABSENT, 'printed'),
    ('-oee and an error', ['-oee', 'unknown@example.net'], MESSAGE,
     Effect(exit=67, sent=False, err='unknown@example.net'), fails(), ABSENT,
     'the status stays'),
    ('-oeq, then -oep', ['-oeq', '-oep', 'unknown@example.net'], MESSAGE,
     Effect(exit=67, sent=False, err='unknown@example.net'), ABSENT, ABSENT, 'the last counts'),
    ('-oew', ['-oew', 'unknown@example.net'], MESSAGE,
     Effect(exit=67, sent=False, err='unknown@example.net'), fails(), ABSENT, RULE),
    ('-t and the same address', ['-t', 'h@example.net'], MESSAGE,
     sends(rcpts=['h@example.net']), sends(rcpts=['h@example.net'] * 2), SAME,
     'one copy each'),
    ('-t --exclude-args', ['-t', '--exclude-args', 'C@example.net'], 'To: b@example.net, '
     'c@EXAMPLE.net\nCc: d@example.net\n\nx\n', sends(rcpts=['b@example.net', 'd@example.net']),
     ABSENT, ABSENT, 'sendmail of old: -t takes arguments out'),
    ('--exclude-args: bare names', ['-t', '--exclude-args', 'joe', 'jane@example.org'],
     'To: b@example.net, joe@example.org, Jane <jane>, joe@example.net\n\nx\n',
     sends(rcpts=['b@example.net', 'joe@example.net']), ABSENT, ABSENT, 'completed first'),
    ('--exclude-args: nobody is left', ['-t', '--exclude-args', 'h@example.net'], MESSAGE,
     Effect(exit=64, sent=False, err='no recipients: --exclude-args'), ABSENT, ABSENT, ''),
    ('--exclude-args: bad address', ['-t', '--exclude-args', 'h@@x'], MESSAGE,
     Effect(exit=64, sent=False, err='h@@x'), ABSENT, ABSENT, ''),
    ('--exclude-args: none given', ['-t', '--exclude-args'], MESSAGE,
     sends(rcpts=['h@example.net']), ABSENT, ABSENT, ''),
    ('--exclude-args without -t', ['--exclude-args', RCPT], MESSAGE, refuses('needs -t'), ABSENT,
     ABSENT, ''),
    ('no recipient', [], MESSAGE, Effect(exit=64, sent=False, err='no recipients'), USAGE,
     FATAL, '64'),
    ('an empty word', [''], MESSAGE, Effect(exit=64, sent=False, err='no recipients'), ABSENT,
     ABSENT, RULE),
    ('an empty word and another', ['', RCPT], MESSAGE, SENT, SAME, ABSENT, RULE),
    ('-d0.1 alone', ['-d0.1'], MESSAGE, does(r'\Amsubmit '), ABSENT, ABSENT, RULE),
    ('-d0.1 -t', ['-d0.1', '-t'], MESSAGE,
     sends(rcpts=['h@example.net'], err='(?m)^--> MAIL'), ABSENT, ABSENT, RULE),
    ('-bp', ['-bp'], MESSAGE, QUEUE_EMPTY, ABSENT, SAME, ''),
    ('-b p', ['-b', 'p'], MESSAGE, QUEUE_EMPTY, ABSENT, SAME, ''),
    ('-bp -v -Ac -qX', ['-bp', '-v', '-Ac', '-qX'], MESSAGE, QUEUE_EMPTY, ABSENT, ABSENT, RULE),
    ('-bp and a word', ['-bp', RCPT], MESSAGE, refuses('listing the queue'), ABSENT, FATAL, RULE),
    ('-bpc', ['-bpc'], MESSAGE, does(r'\A0\n\Z'), ABSENT, ABSENT, RULE),
    ('-bi', ['-bi'], MESSAGE, does(), ABSENT, ABSENT, RULE),
    ('-I', ['-I'], MESSAGE, does(), ABSENT, ABSENT, RULE),
    ('-bh', ['-bh'], MESSAGE, does(), ABSENT, ABSENT, RULE),
    ('-bH', ['-bH'], MESSAGE, does(), ABSENT, ABSENT, RULE),
    ('-bV', ['-bV'], MESSAGE, does(r'\Amsubmit \d'), ABSENT, ABSENT, RULE),
    ('--version', ['--version'], MESSAGE, does(r'\Amsubmit \d'), ABSENT, ABSENT, RULE),
    ('--help', ['--help'], MESSAGE, does(r'\AUsage: '), ABSENT, ABSENT, RULE),
    ('-q', ['-q'], MESSAGE, does(), ABSENT, ABSENT, RULE),
    ('-q30m', ['-q30m'], MESSAGE, does(), ABSENT, ABSENT, RULE),
    ('-qf', ['-qf'], MESSAGE, does(), ABSENT, ABSENT, RULE),
    ('-qIid', ['-qIid'], MESSAGE, does(), ABSENT, ABSENT, RULE),
    ('-qRsite', ['-qRsite'], MESSAGE, does(), ABSENT, ABSENT, RULE),
    ('-qSsender', ['-qSsender'], MESSAGE, does(), ABSENT, ABSENT, RULE),
    ('-q!Rx', ['-q!Rx'], MESSAGE, does(), ABSENT, ABSENT, RULE),
    ('-qGx', ['-qGx'], MESSAGE, does(), ABSENT, ABSENT, RULE),
    ('-qp5m', ['-qp5m'], MESSAGE, does(), ABSENT, ABSENT, RULE),
    ('-q 30m', ['-q', '30m'], MESSAGE, refuses('addresses'), ABSENT, ABSENT, 'attached only'),
    ('-q -t', ['-q', '-t'], MESSAGE, refuses('-t'), ABSENT, ABSENT, RULE),
    ('-bv, bad and good', ['-bv', 'bad@@x', RCPT], MESSAGE,
     does(r'\Abad@@x\.\.\. .+\na@example\.net\.\.\. deliverable: ', 64), ABSENT, ABSENT, RULE),
    ('-bv -t', ['-bv', '-t'], MESSAGE, refuses('-t'), ABSENT, ABSENT, RULE),
    ('-bs -t', ['-bs', '-t'], MESSAGE, refuses('-bs.*neither addresses nor -t'), ABSENT, ABSENT, RULE),
    ('-bS', ['-bS'], MESSAGE, refuses('-bS.*batch SMTP'), ABSENT, ABSENT, RULE),
    ('-bt', ['-bt'], MESSAGE, refuses('-bt.*address test'), ABSENT, ABSENT, RULE),
    ('-ba', ['-ba'], MESSAGE, refuses('-ba.*ARPANET'), ABSENT, ABSENT, RULE),
    ('-bP', ['-bP'], MESSAGE, refuses('-bP.*-bpc'), ABSENT, ABSENT, RULE),
    ('-bz', ['-bz'], MESSAGE, refuses('-bz'), USAGE, ABSENT, RULE),
    ('-b', ['-b'], MESSAGE, refuses("'-b'"), USAGE, FATAL, RULE),
    ('-bm and another mode: the last counts', ['-bp', '-bm', RCPT], MESSAGE, SENT, ABSENT, SAME,
     ''),
    ('an unknown word', ['--bogus', RCPT], MESSAGE, refuses('--bogus'), USAGE, ABSENT, RULE),
    ('a word without its argument', [RCPT, '--rcpt'], MESSAGE, refuses('--rcpt'), ABSENT, ABSENT,
     RULE),
    ('a switch with an argument', ['--read-recipients=1'], MESSAGE, refuses('no argument'),
     ABSENT, ABSENT, RULE),
    ('an unknown letter in a cluster', ['-tiZ'], MESSAGE, refuses("'-Z'"), USAGE, FATAL, RULE),
    ('all that is ignored', '-Ac -Am -B8BITMIME -em -oem -odb -odi -om -oo -oQ/x -G -h5 -Ltag -m '
     '-MXv -n -OFoo=1 -pX -s -U -x -X{dir}/f -c -T5m -E -J -D{dir}/f'.split() + [RCPT], MESSAGE,
     SENT, ABSENT, ABSENT, '8'),
]

# Called by another name: name, words, ours.
NAMES = [
    ('sendmail', [RCPT], SENT), ('send-mail', [RCPT], SENT), ('/usr/lib/sendmail', [RCPT], SENT),
    ('whatever', [RCPT], SENT), ('mail', ['-i', RCPT], SENT), ('', [RCPT], SENT),
    ('mailq', [], QUEUE_EMPTY), ('/usr/bin/mailq', ['-v', '-Ac'], QUEUE_EMPTY),
    ('mailq', ['-qRsite'], QUEUE_EMPTY), ('mailq', [RCPT], refuses('listing the queue')),
    ('mailq', ['-bm', RCPT], SENT), ('mailq', ['-bi'], does()),
    ('newaliases', [], does()), ('newaliases', ['-bp'], QUEUE_EMPTY),
    ('newaliases', ['-v'], does()),
    ('hoststat', [], does()), ('purgestat', [], does()), ('runq', [], does()),
    ('runq', ['-q'], does()), ('runq', ['-bp'], QUEUE_EMPTY),
    ('runq', [RCPT], refuses('running the queue')),
    ('rsmtp', [], refuses("'rsmtp'")), ('rsmtp', ['-bp'], QUEUE_EMPTY),
    ('rsmtp', ['-bm', RCPT], SENT), ('smtpd', [RCPT], refuses('the listener')),
    ('smtpd', ['-q30m', RCPT], refuses('the listener')), ('smtpd', ['-bp'], QUEUE_EMPTY),
]

# What web programs were made to pass on behind "sendmail -t -i" (CVE-2016-10033, CVE-2016-10045,
# CVE-2016-10074, CVE-2017-7692 and their like, for sendmail, Exim and Postfix), and the status.
INJECTIONS = [
    (['-fattacker', '-oQ{dir}/', '-X{dir}/shell.php', 'some@example.com'], 0),
    (['-f"attacker\\" -oQ{dir}/ -X{dir}/shell.php  some"@example.com'], 0),
    (['-fa', '-OQueueDirectory={dir}', '-X{dir}/shell.php'], 0),
    (['-f', 'a@example.com', '-C', '{rc}', '-X{dir}/out'], 64),     # not below /etc
    (['-C/etc/passwd', '-X{dir}/out'], 78),
    (['-X', '{dir}/shell.php', 'b@example.com'], 0),
    (['-X{dir}/shell.php', '-be'], 64),
    (['-be', '${run{/bin/touch {dir}/made}}'], 64),
    (['-be${run{/usr/bin/touch${substr{0}{1}{$spool_directory}}tmp}}'], 64),
    (['-fx@example.com', '-be', '${run{${substr{0}{1}{$spool_directory}}bin}}'], 64),
    (['-bd', '-oX8025'], 64),
    (['-bD'], 64),
    (['-bs', '-t'], 64),
    (['-bt', '-C{dir}/cf'], 64),
    (['-bp', '-D{dir}/debug'], 64),
    (['-D{dir}/debug', '-d99'], 0),
    (['-oA{dir}/aliases', '-bi'], 64),
    (['-oQ{dir}/q', '-q'], 64),
    (['-oMf', '-oMs', '-oS{dir}/st'], 0),
    (['-Ac', '-OStatusFile={dir}/s', '-OPidFile={dir}/p'], 0),
    (['-ps', '-oDeliveryMode=q', '-OHelpFile={dir}/h'], 0),
    (['-v', '-L', 'a\nb', '-R', 'full'], 0),
    (['-Mset', 'x@example.net', '-Mvl', '1'], 0),
    (['-om', '--', '-X{dir}/x'], 0),
    (['--trace={dir}/trace'], 64),
    (['--logfile={dir}/log'], 64),
    (['--logfile', '{dir}/log'], 64),
    (['--passwordeval=touch {dir}/made'], 64),
    (['--password-command=touch {dir}/made'], 64),
    (['--smtp-command=RSET'], 64),
    (['--port-file={dir}/port'], 64),
    (['--pid-file={dir}/pid'], 64),
    (['--tunnel=touch {dir}/made'], 64),
    (['-f`touch {dir}/made`@example.com'], 64),
    (['-f$(touch {dir}/made)@example.com'], 0),
    (['-F', '$(touch {dir}/made)'], 0),
    (['-F`id`', '-L', '%s%n'], 0),
]

# What stands behind options and keys that anybody may give (who_test.py), and what goes along.
SAMPLES = {
    '-f': 's@example.com', '-r': 's@example.com', '-F': 'Full Name', '-C': '{rc}',
    '--file': '{rc}', '-N': 'never', '-R': 'hdrs', '-V': 'id', '--rcpt': 'c@example.net',
    '--at': '1h', '-B': '8BITMIME', '-e': 'p', '-o': 'i', '-O': 'Foo=1', '-L': 'tag',
    '--to': 'c@example.net', '--cc': 'c@example.net', '--bcc': 'c@example.net',
    '--subject': 'text', '--body': 'text', '--charset': 'latin1', '--header': 'X-A: b',
    '--set-header': 'X-A: b', '--delete-header': 'X-A', '--reply-to': 'c@example.net',
    '--return-path': 's@example.com', '--in-reply-to': '<a@example.net>',
    '--references': '<a@example.net>', '--date': '2026-01-01T10:00:00Z',
    '--message-id': '<a@example.net>', '--importance': 'high', '--priority': 'urgent',
    '--sensitivity': 'personal', '--read-receipt-to': 's@example.org',
    '--disposition-options': 'a=optional,b',
    '--delivery-notification-to': 's@example.org',
    '--expires': '2h', '--reply-by': '2h', '--deferred-delivery': '2h',
    '--auto-submitted': 'auto-generated',
    '--solicitation': 'org.example:ADV', '-b': 'm', '-A': 'c', '-D': '{dir}/debug', '-h': '5',
    '-M': 'Xv', '-p': 'ESMTP:host', '-X': '{dir}/traffic', '--dsn-notify': 'never',
    '--dsn-return': 'full', '--deliver-by': '1h;n', '--hold-for': '1h', '--hold-until': '1h',
    '--mt-priority': '3', '--rrvs': 'off', '--solicit': 'org.example:ADV',
    '--conneg': 'off', '--conperm': 'off', '--prdr': 'off', '--smtputf8-downgrade': 'never',
    '--read-envelope-from': 'on', '--body-file': '-', '--html': '-', '--attach': '-',
    '--inline': '-', '--calendar': '-', '--attach-message': '-',
}
BESIDE = {'--resend': ['--to=c@example.net'], '--disposition-options': ['--read-receipt'],
          **{o: ['--compose'] for o in ('--to', '--cc', '--bcc', '--subject', '--body',
                                        '--no-body', '--charset', '--body-file', '--html',
                                        '--attach', '--inline', '--calendar',
                                        '--attach-message')}}
COMMANDS = {'-q', '-I', '--version', '--help'}      # they send nothing
MODES = ('-bp', '-bpc', '-bi', '-bh', '-bH', '-bV', '-bd', '-bs')        # ... of -b
OWN_COMMANDS = ('-P', '--print-config', '--list-settings', '--list-options', '--list-extensions',
                '--serverinfo', '--noop', '--status')       # ... of ours
