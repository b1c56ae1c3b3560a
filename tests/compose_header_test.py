#!/usr/bin/env python3
"""Header fields made by options, read back with Python's email package; TAP.

At every folding limit, in messages that are composed and in such as are there; beside other
programs. MSUBMIT names the program."""
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
import zoneinfo

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402
from servers.common import Failure                                      # noqa: E402
from compose_world import (FROM, GERMAN, PDF, PNG, RC, RUSSIAN, crlf, header_of,  # noqa: E402
                           leaves, main, read, tree, want)

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
    m, _ = desk.compose(['--to=b@example.net', '--subject=' + 'x' * 999], b'x\n')
    want('Subject', str(m['Subject']), 'x' * 999)


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
    ('recipients', recipients), ('recipients that are not shown', recipients_hidden),
    ('subjects come back', subjects), ('folding', folding),
    ('a subject that is too long', too_long),
    ('fields of a message that is there', fields_of_input),
    ('fields count for what follows', fields_before_all), ('receipts', receipts),
    ('resending', resend), ('fields that may occur once', single_fields),
    ('called by another name', by_another_name), ('dates in zones and locales', dates),
    ('examples of the manual', manual_examples), ('beside s-nail', beside('s-nail')),
    ('beside mutt', beside('mutt')),
]

if __name__ == '__main__':
    sys.exit(main(TESTS))
