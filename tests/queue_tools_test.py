#!/usr/bin/env python3
"""What is done to the queue by hand: shown, held, released, tried, removed, begun anew; TAP."""
import calendar
import json
import os
import re
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402
from queue_test import PROGRAM, Home, closed_port, due, fnv, parts, rewrite, values  # noqa: E402
from servers.common import Sink                                         # noqa: E402

tests = harness.Tests()


def name(path):
    return os.path.basename(path)


def entry_of(h, rcpt):
    return [p for p in h.entries() if rcpt in values(p, 'rcpt')][0]


def three(keys='queue = always'):
    """A home whose queue has mail to a@one.example, b@two.example and, from nobody, c@two.example."""
    h = Home(closed_port(), keys)
    h.run('-f', 'me@example.org', 'a@one.example')
    h.run('-f', 'you@example.org', 'b@two.example', 'B2@two.example')
    h.run('-f', '<>', 'c@two.example')
    return h


class Slow(Sink):
    """One who greets after that many seconds."""

    def __init__(self, seconds):
        self.seconds = seconds
        Sink.__init__(self)

    def talk(self, lines, say):
        time.sleep(self.seconds)
        Sink.talk(self, lines, say)


@tests.named('--queue-show: why it waits, attempts, next try, age; an object with --json')
def show():
    h = Home(closed_port())
    h.run('-V', 'env id', 'a@example.com', 'b@example.com')
    entry, = h.entries()
    h.check('status', h.run('--queue-show=' + name(entry)) == 0 and not h.err)
    lines = dict(line.split(': ', 1) for line in h.out.splitlines())
    h.check('who: ' + h.out, lines['id'] == name(entry) and lines['from'] == 'sender@example.org' and
            lines['account'] == 'default' and lines['attempts'] == '1')
    h.check('ages: ' + h.out, lines['submitted'].endswith(' s ago)') and
            lines['next try'].endswith('(in 1 min)') and lines['given up'].endswith('(in 4 d 23 h)'))
    h.check('reply: ' + h.out, re.search('(?m)^to: a@example.com: deferred: .*refused', h.out) and
            re.search('(?m)^to: b@example.com: deferred: ', h.out))
    h.check('JSON', h.run('--json', '--queue-show', name(entry)) == 0)
    o = json.loads(h.out)
    h.check('members: ' + h.out, o['queue_id'] == name(entry) and o['envid'] == 'env id' and
            o['uid'] == os.getuid() and abs(o['last_try'] - time.time()) < 30 and
            o['expires'] - o['arrival_time'] in (432000, 432001) and o['message_id'][0] == '<')
    r = o['recipients'][1]
    h.check('recipient: ' + h.out, r['address'] == 'b@example.com' and r['outcome'] == 'deferred' and
            r['fault'] == 'connect-refused' and r['status'] == '4.4.1' and 'refused' in r['delay_reason'])
    h.run('-q')
    due(h)
    h.check('run', h.run('-q') == 0)
    h.check('why the account is paused', h.run('--queue-show=*') == 0 and
            re.search('(?m)^account paused: .*refused', h.out))
    return h.failures


@tests.named('ids, lists and patterns; what is neither is refused before anything is done')
def chosen():
    h = three()
    ids = [name(entry_of(h, r)) for r in ('a@one.example', 'b@two.example', 'c@two.example')]

    def shown(*words):
        status = h.run('--json', '--queue-show=' + words[0], *words[1:])
        return status, [json.loads(line)['queue_id'] for line in h.out.splitlines()]
    h.check('a list: %r' % (shown(ids[1] + ',' + ids[0]),), shown(ids[1] + ',' + ids[0]) == (0, [ids[1], ids[0]]))
    h.check('words', shown(ids[2], ids[1]) == (0, [ids[2], ids[1]]))
    h.check('all', sorted(shown('*')[1]) == sorted(ids))
    h.check('part of the id', shown(ids[0][:-1] + '?')[0] == 0 and ids[0] in shown(ids[0][:-1] + '?')[1])
    h.check('sender', shown('ME@*') == (0, [ids[0]]))
    h.check('an address', shown('b2@two.example') == (0, [ids[1]]))
    h.check('domain', sorted(shown('*@two.example')[1]) == sorted(ids[1:]))
    h.check('null sender', shown('<>') == (0, [ids[2]]))
    h.check('a class', shown('[ab]@one.example') == (0, [ids[0]]))
    h.check('not a part', shown('@one.example') == (66, []) and 'nothing that waits fits' in h.err)
    h.check('no such entry', h.run('--queue-show=0000000000000000') == 66 and
            'no entry 0000000000000000' in h.err)
    h.check('one of them is there', shown(ids[0], '0000000000000000') == (66, [ids[0]]))
    h.check('neither', h.run('--queue-remove=' + ids[0], 'README') == 64 and "'README'" in h.err)
    h.check('nothing was done', len(h.entries()) == 3)
    h.check('none', h.run('--queue-remove=,') == 64 and '-bp' in h.err)
    h.check('two commands', h.run('--queue-hold=*', '--queue-remove=*') == 64)
    h.check('another command', h.run('-bp', '--queue-remove=*') == 64)
    h.check('the same again', h.run('--queue-hold=' + ids[0], '--queue-hold=' + ids[1]) == 0 and
            h.out.count(': held\n') == 2)
    h.check('called as sendmail', subprocess.run(['bash', '-c', 'exec -a sendmail "$0" "$@"', PROGRAM,
                                                  '--queue-remove=*'], env=h.env, check=False,
                                                 stderr=subprocess.DEVNULL).returncode == 64)
    h.check('all are there', len(h.entries()) == 3)
    return h.failures


@tests.named('held: never tried, never given up; released: the time begins to count again')
def held():
    sink = Sink()
    h = three()
    h.write(sink.port, 'queue = always')
    entry = entry_of(h, 'a@one.example')
    h.check('hold', h.run('--queue-hold=a@one.example') == 0 and
            h.out == '%s: held\n' % name(entry))
    h.check('mailq', h.run('-bp') == 0 and name(entry) + '!' in h.out)
    h.check('its name', h.run('-bp', '--json') == 0 and
            [o['queue_name'] for o in map(json.loads, h.out.splitlines())
             if o['queue_id'] == name(entry)] == ['hold'])
    h.check('again', h.run('--queue-hold=' + name(entry)) == 0 and 'already' in h.out)
    h.check('run', h.run('-qf') == 0 and len(h.entries()) == 1 and len(sink.mails) == 2)
    h.check('not tried', h.run('--queue-retry=' + name(entry)) == 75 and 'queue-release' in h.err)
    hours = 3600000
    now = int(time.time() * 1000)
    rewrite(entry, **{'held-since': now - 48 * hours, 'expires': now - 24 * hours})
    os.utime(entry, (1, 1))
    h.check('its time is over', h.run('-q') == 0 and h.entries() == [entry] and not h.entries('failed'))
    h.check('release', h.run('--queue-release=' + name(entry)) == 0 and ': released\n' in h.out)
    h.check('no longer held', 'held' not in parts(entry)[0])
    left = int(values(entry, 'expires')[0]) - now
    h.check('it has its time: %d' % left, 24 * hours - 1000 < left < 24 * hours + 60000)
    h.check('again', h.run('--queue-release=' + name(entry)) == 0 and 'is not held' in h.out)
    h.check('it goes', h.run('-q') == 0 and not h.entries() and sink.find('a@one.example'))
    sink.close()
    return h.failures


@tests.named('an entry that nobody held and no old program knows is of version 1, a held one of 2')
def versions():
    h = three()

    def version(path):
        with open(path, 'rb') as f:
            return f.read(17)[-3:]
    entry = h.entries()[0]
    h.check('first', version(entry) == b'001')
    h.run('--queue-hold=' + name(entry))
    h.check('held', version(entry) == b'002')
    h.run('--queue-release=' + name(entry))
    h.check('released', version(entry) == b'001')
    return h.failures


@tests.named('--queue-retry: now, whatever the time; the status says what came of it')
def retry():
    sink = Sink()
    h = Home(closed_port())
    h.run('a@example.com')
    h.run('unknown@example.com')
    entry = entry_of(h, 'a@example.com')
    h.check('no server', h.run('--queue-retry=' + name(entry)) == 75 and 'refused' in h.err and
            "'a@example.com': deferred" in h.out and values(entry, 'attempts') == ['2'])
    h.write(sink.port)
    h.check('it goes', h.run('--queue-retry=' + name(entry)) == 0 and
            h.out == "%s: 'a@example.com': accepted\n" % name(entry) and len(sink.mails) == 1)
    h.check('refused', h.run('--queue-retry=unknown*') == 67 and 'refused' in h.out)
    h.check('its sender is told', [values(p, 'sender') for p in h.entries()] == [['']] or
            re.search('(?m)^sender *$', parts(h.entries()[0])[0]))
    h.run('-qf')
    h.write(closed_port())
    h.run('b@example.com')
    entry = entry_of(h, 'b@example.com')
    rewrite(entry, unknown=int(time.time() * 1000))
    h.check('may have arrived', h.run('--queue-retry=' + name(entry)) == 75 and
            'may have it' in h.err and values(entry, 'attempts') == ['1'])
    sink.close()
    return h.failures


@tests.named('--queue-remove: says what, and that nobody is told; the room is free again')
def remove():
    h = three()
    h.run('-f', 'me@example.org', *['r%d@example.com' % n for n in range(5)])
    entry = entry_of(h, 'r0@example.com')
    h.check('status', h.run('--queue-remove=r3@example.com') == 0 and not os.path.exists(entry))
    h.check('what: ' + h.out, h.out == '%s: removed: from me@example.org to r0@example.com, '
            'r1@example.com, r2@example.com and 2 more; the sender is not told\n' % name(entry))
    h.check('JSON', h.run('--json', '--queue-remove=*') == 0)
    done = [json.loads(line) for line in h.out.splitlines()]
    h.check('objects: ' + h.out, [o['done'] for o in done] == ['removed'] * 3 and
            'MAILER-DAEMON' in h.out)
    h.check('nothing is left', not h.entries() and not h.entries('failed'))
    with open(os.path.join(h.queue, 'usage')) as f:
        h.check('nothing is counted', int(f.read()) == 0)
    return h.failures


@tests.named('--queue-requeue: anew; with --account to another one, without the old options')
def requeue():
    sink = Sink()
    h = Home(closed_port(), '[account b]\nhost = 127.0.0.1\nport = %d\ntls = off\nsyslog = off\n'
             'aliases =\ndomain = b.example.org\nqueue_lifetime = 2d\n' % sink.port)
    with open(os.path.join(h.folder, '.msmtprc')) as f:
        text = f.read()
    with open(f.name, 'w') as f:
        f.write(text.replace('log_format', 'queue = auto\nlog_format', 1))
    h.check('submitted', h.run('--port=%d' % closed_port(), 'a@example.com', 'c@example.com') == 0)
    entry, = h.entries()
    now = int(time.time() * 1000)
    rewrite(entry, expires=now + 1000, warned=now)
    h.check('anew', h.run('--queue-requeue=' + name(entry)) == 0 and "account 'default'" in h.out)
    h.check('no try', not values(entry, 'attempts') and not values(entry, 'outcome') and
            not values(entry, 'last'))
    h.check('the option stays', values(entry, 'setting') and values(entry, 'warned'))
    h.check('due', os.stat(entry).st_mtime <= time.time())
    h.check('no such account', h.run('--queue-requeue=' + name(entry), '--account=c') == 78 and
            "no account 'c'" in h.err and values(entry, 'account') == ['default'])
    h.check('to b', h.run('--queue-requeue=' + name(entry), '-a', 'b') == 0 and "'b'" in h.out)
    h.check('its settings', values(entry, 'account') == ['b'] and not values(entry, 'setting'))
    left = int(values(entry, 'expires')[0]) - now
    h.check('its lifetime: %d' % left, abs(left - 2 * 86400000) < 60000)
    h.check('it goes there', h.run('-q') == 0 and not h.entries() and len(sink.mails) == 1)
    sink.close()
    return h.failures


@tests.named('who has got it does not get it again')
def requeue_rest():
    sink = Sink()
    h = Home(closed_port(), 'queue = always')
    h.run('a@example.com', 'b@example.com')
    entry, = h.entries()
    with open(entry, 'rb') as f:
        data = f.read()
    envelope, message = parts(entry)
    envelope = envelope.replace('rcpt a@', 'done a@').encode()
    first = data[:18] + b'%010d' % len(envelope) + data[28:65]
    with open(entry, 'wb') as f:
        f.write(first + b' %016x\n' % fnv(first + envelope) + envelope + message)
    h.write(sink.port)
    h.check('anew', h.run('--queue-requeue=*') == 0)
    h.check('one', h.run('-q') == 0 and list(sink.mails[0].rcpts) == [b'b@example.com'])
    sink.close()
    return h.failures


@tests.named('one that is being sent is left alone: 75, at once')
def busy():
    sink = Slow(6)
    h = Home(sink.port, 'queue = always')
    h.run('a@example.com')
    runner = subprocess.Popen([PROGRAM, '-q'], env=h.env, cwd=h.folder)
    while not sink.connections:
        time.sleep(0.05)
    start = time.time()
    for what in 'hold', 'release', 'remove', 'requeue', 'retry':
        h.check(what, h.run('--queue-%s=*' % what) == 75 and 'being sent' in h.err and not
                h.out)
    h.check('it can be seen', h.run('--queue-show=*') == 0 and 'a@example.com' in h.out)
    h.check('nothing waits: %.1f s' % (time.time() - start), time.time() - start < 5)
    h.check('it is sent', runner.wait() == 0 and len(sink.mails) == 1 and not h.entries())
    sink.close()
    return h.failures


@tests.named("own entries alone, unless root; root works in a user's queue as that user")
def owners():
    h = three()
    if os.getuid() == 0:
        folder = os.path.join(h.folder, 'theirs')
        os.chmod(h.folder, 0o755)
        h.run('--queue-dir=' + folder, 'x@example.com')
        for path, dirs, files in os.walk(folder):
            for f in [path] + [os.path.join(path, f) for f in files]:
                os.chown(f, 4242, 4242)
        h.run('--queue-dir=' + folder, '--queue-hold=*')
        entry = [os.path.join(p, f) for p, _, files in os.walk(folder) for f in files
                 if len(f) == 16][0]
        h.check('not their own: uid 0 in the entry, 4242 who works', 'nothing that waits' in h.err)
        rewrite(entry, uid=4242)
        h.check('hold: ' + h.err, h.run('--queue-dir=' + folder, '--queue-hold=*') == 0)
        h.check('whose it stays', os.stat(entry).st_uid == 4242 and 'held' in parts(entry)[0])
        h.check('as its id says', h.run('--queue-dir=' + folder, '--queue-show=' + name(entry)) == 0)
        rewrite(entry, uid=77)
        h.check('of another', h.run('--queue-dir=' + folder, '--queue-show=' + name(entry)) == 77 and
                'user 77' in h.err)
    else:
        rewrite(h.entries()[0], uid=os.getuid() + 1)
        h.check('by its id', h.run('--queue-hold=' + name(h.entries()[0])) == 77)
        h.check('by a pattern', h.run('--queue-hold=*') == 0 and h.out.count('held') == 2)
    return h.failures


@tests.named('--queue-dir: a folder of the own, for submission, run, mailq and tools, without any file')
def own_folder():
    sink = Sink()
    h = Home(closed_port(), 'queue = never')
    there = os.path.join(h.folder, 'my queue')
    os.remove(os.path.join(h.folder, '.msmtprc'))
    options = ['--host=127.0.0.1', '--port=%d' % sink.port, '--tls=off', '--syslog=off',
               '--from=s@example.org', '--domain=c.example.org', '--aliases=']
    where = '--queue-dir=' + there
    h.check('kept', h.run('-odq', where, *options, 'a@example.com') == 0)
    h.check('there', len([f for _, _, files in os.walk(there) for f in files if len(f) == 16]) == 1)
    h.check('mailq', h.run('-bp', where) == 0 and 'a@example.com' in h.out)
    h.check('count', h.run('-bpc', where) == 0 and h.out == '1\n')
    h.check('not in the own', h.run('-bp') == 0 and 'empty' in h.out)
    h.check('hold', h.run('--queue-hold=*', where) == 0 and ': held' in h.out)
    h.check('held', h.run('-q', where) == 0 and not sink.mails)
    h.check('release', h.run('--queue-release=*', where) == 0)
    h.check('run', h.run('-q', where) == 0 and len(sink.mails) == 1)
    h.check('empty', h.run('-bp', where) == 0 and 'empty' in h.out)
    h.check('no folder', h.run('--queue-show=*', where + 'x') == 66)
    sink.close()
    return h.failures


@tests.named('keep_queue: what was sent stays in the folder sent, as it has ended')
def kept_queue():
    sink = Sink()
    h = Home(sink.port, 'queue = always\nkeep_queue = on')
    h.run('a@example.com')
    message = parts(h.entries()[0])[1]
    h.check('run', h.run('-q') == 0 and not h.entries() and len(sink.mails) == 1)
    sent, = h.entries('sent')
    h.check('its end', values(sent, 'outcome') == ['accepted'] and parts(sent)[1] == message)
    with open(os.path.join(h.queue, 'usage')) as f:
        h.check('it is not counted', int(f.read()) == 0)
    h.check('not again', h.run('-qf') == 0 and len(sink.mails) == 1)
    sink.close()
    return h.failures


@tests.named('undo_window: sent behind us when it is over; until then it can be taken back')
def undo():
    sink = Sink()
    h = Home(sink.port, 'queue = auto\nundo_window = 3')
    start = time.time()
    h.check('kept', h.run('-v', 'a@example.com') == 0 and len(h.entries()) == 1)
    found = re.search(r'in the queue as (\w{16}), not sent before (\S+Z): --queue-remove=\1 takes', h.err)
    h.check('id and time', found and found.group(1) == name(h.entries()[0]))
    h.check('not forced', h.run('-qf') == 0 and not sink.mails)
    h.check('not tried', h.run('--queue-retry=*') == 75 and 'waits for its time' in h.err)
    sink.wait('a@example.com')
    h.check('%.1f s' % (time.time() - start), time.time() - start > 2.9)
    h.write(sink.port, 'queue = auto\nundo_window = 1h')
    h.run('b@example.com')
    entry = entry_of(h, 'b@example.com')
    h.check('taken back', h.run('--queue-remove=' + name(entry)) == 0 and not os.path.exists(entry))
    h.run('c@example.com')
    entry = entry_of(h, 'c@example.com')
    h.check('sent before', h.run('--queue-release=' + name(entry)) == 0 and h.run('-q') == 0 and
            sink.find('c@example.com'))
    h.check('-odi is at once', h.run('-odi', 'd@example.com') == 0 and sink.find('d@example.com'))
    h.write(sink.port, 'queue = never\nundo_window = 1h')
    h.check('without a queue, too', h.run('e@example.com') == 0 and sink.find('e@example.com'))
    for name_ in os.listdir('/proc'):       # those that wait behind us
        try:
            with open('/proc/%s/environ' % name_, 'rb') as f:
                if name_.isdigit() and h.env['XDG_STATE_HOME'].encode() in f.read():
                    os.kill(int(name_), 15)
        except OSError:
            pass
    sink.close()
    return h.failures


@tests.named('--at: held here where the server does not do it, and the caller is told when')
def at():
    sink = Sink()
    h = Home(sink.port)
    h.env['TZ'] = 'UTC-2'
    h.check('kept', h.run('-v', '--at=2048-12-01T08:00', 'a@example.com') == 0 and not sink.mails)
    entry, = h.entries()
    h.check('told: ' + h.err, 'in the queue as %s, to be sent at 2048-12-01T06:00:00Z' % name(entry) in h.err)
    h.check('shown', h.run('--queue-show=*') == 0 and '01 Dec 2048 08:00:00 +0200' in h.out)
    h.check('when', values(entry, 'next') == ['%d000' % calendar.timegm((2048, 12, 1, 6, 0, 0))])
    h.check('now', h.run('--queue-release=*') == 0 and h.run('-q') == 0 and len(sink.mails) == 1)
    h.check('a time of the day', h.run('--at=23:59', 'b@example.com') == 0)
    wait = int(values(h.entries()[0], 'next')[0]) / 1000 - time.time()
    h.check('the next one: %d' % wait, 0 < wait <= 86400)
    h.check('no time', h.run('--at=25:00', 'b@example.com') == 64)
    h.write(sink.port, 'queue = never')
    h.check('no queue', h.run('--hold-for=1h', 'c@example.com') == 69 and 'set queue' in h.err)
    sink.close()
    return h.failures


def sample_lines(text):
    """The samples of Prometheus' text format, strictly: name and labels to value."""
    assert text.endswith('\n'), text
    seen, typed, samples = [], None, {}
    for line in text.splitlines():
        head = re.fullmatch(r'# (HELP|TYPE) (msubmit_[a-z_]+) (.+)', line)
        if head:
            if head.group(1) == 'HELP':
                assert head.group(2) not in seen, line
                seen.append(head.group(2))
            else:
                assert head.group(2) == seen[-1] and head.group(3) == 'gauge', line
                typed = head.group(2)
            continue
        label = r'[a-z]+="(?:[^"\\\n]|\\["\\n])*"'
        found = re.fullmatch(r'([a-z_]+)(\{%s(?:,%s)*\})? (-?\d+)' % (label, label), line)
        assert found and found.group(1) == typed, line
        key = found.group(1) + (found.group(2) or '')
        assert key not in samples, line
        samples[key] = int(found.group(3))
    return samples


def pause_file(h, account, **values_of):
    """As if that account were paused."""
    now = int(time.time() * 1000)
    lines = dict({'since': now, 'last': now, 'next': now + 60000, 'failures': 1,
                  'account': account, 'fault': 'tls', 'reason': 'it | is "down"'}, **values_of)
    os.makedirs(os.path.join(h.queue, 'paused'), 0o700, exist_ok=True)
    with open(os.path.join(h.queue, 'paused', '%016x' % abs(hash((account, str(values_of))))), 'w') as f:
        f.writelines('%s %s\n' % item for item in lines.items())
    os.chmod(f.name, 0o600)


def perfdata(h):
    return dict(item.split('=') for item in h.out.splitlines()[0].split('| ')[1].split())


@tests.named('--status: numbers, the oldest, paused accounts; 0, 1, 2, 3')
def status():
    h = Home(closed_port(), 'queue = always')
    h.check('no queue', h.run('--status') == 0 and h.out.startswith('msubmit OK: 0 in the queue |'))
    for n in range(3):
        h.run('%d@example.com' % n)
    h.run('--hold-for=9h', '-odq', 'later@example.com')
    h.run('held@example.com')
    h.run('--queue-hold=held@*')
    h.check('well: ' + h.out, h.run('--status') == 0 and not h.err)
    # what asks the server to hold it has not been held back yet
    h.check('numbers: ' + h.out, [perfdata(h)[k] for k in (
        'active', 'deferred', 'held', 'scheduled', 'failed', 'corrupt', 'sent')] ==
            ['0', '4', '1', '0', '0', '0', '0'])
    size = sum(os.path.getsize(p) for p in h.entries())
    h.check('octets', perfdata(h)['size'] == '%dB' % size and perfdata(h)['oldest'].endswith('s;14400'))
    later = entry_of(h, 'later@example.com')
    rewrite(later, next=int(values(later, 'hold-until')[0]))
    os.utime(later, (time.time() + 9 * 3600, ) * 2)
    h.check('scheduled', h.run('--status') == 0 and perfdata(h)['scheduled'] == '1' and
            perfdata(h)['deferred'] == '3')
    oldest = entry_of(h, '0@example.com')
    rewrite(oldest, arrival=int((time.time() - 5 * 3600) * 1000))
    h.check('late', h.run('--status') == 1 and 'msubmit WARNING: 5 in the queue, the oldest for 5 h' in h.out and
            'the oldest: ' + name(oldest) in h.out)
    h.check('as long as it is said', h.run('--status', '--delay-warning-time=6h') == 0 and
            h.run('--status', '--delay-warning-time=off') == 0)
    rewrite(oldest, arrival=int(time.time() * 1000))
    for folder, word in ('failed', 'failed'), ('corrupt', 'damaged'):
        path = os.path.join(h.queue, folder)
        os.makedirs(path, 0o700, exist_ok=True)
        os.rename(h.entries()[-1], os.path.join(path, '0' * 16))
        h.check(folder, h.run('--status') == 1 and '1 ' + word in h.out)
        os.remove(os.path.join(path, '0' * 16))
    h.check('well again', h.run('--status') == 0)
    pause_file(h, 'work')
    pause_file(h, 'work', failures=3)
    pause_file(h, 'old', next=1)
    h.check('paused: ' + h.out, h.run('--status') == 1 and h.out.count('is paused') == 1 and
            "account 'work' is paused: it / is " in h.out and '3 attempts' in h.out)
    hours = int((time.time() - 5 * 3600) * 1000)
    pause_file(h, 'work', since=hours)
    h.check('for long', h.run('--status') == 2 and 'CRITICAL' in h.out and 'for 5 h' in h.out)
    for path in h.entries():
        h.run('--queue-remove=' + name(path))
    h.check('nobody waits', h.run('--status') == 0 and 'paused' not in h.out)
    os.chmod(h.queue, 0o777)
    h.check('unknown', h.run('--status') == 3 and 'UNKNOWN' in h.out and 'chmod' in h.err)
    h.check('usage', h.run('--status=nagios') == 64 and 'prometheus' in h.err)
    h.check('alone', h.run('--status', 'a@example.com') == 64)
    return h.failures


@tests.named('--status: the same as an object, and for Prometheus')
def status_forms():
    sink = Sink()
    h = Home(sink.port, 'queue = always')
    h.run('a@example.com')
    h.check('run', h.run('-q') == 0)
    h.run('b@example.com')
    pause_file(h, 'wo"r\\k')
    h.check('JSON', h.run('--status', '--json') == 1)
    o = json.loads(h.out)
    h.check('members: ' + h.out, o['status'] == 'warning' and o['deferred'] == 1 and
            abs(o['last_success'] - time.time()) < 30 and o['oldest_id'] == name(h.entries()[0]) and
            abs(o['oldest_since'] - time.time()) < 30)
    h.check('pause: ' + h.out, o['paused'][0]['account'] == 'wo"r\\k' and
            o['paused'][0]['reason'] == 'it | is "down"' and o['paused'][0]['fault'] == 'tls')
    h.check('prometheus', h.run('--status=prometheus') == 0)
    samples = sample_lines(h.out)
    h.check('samples: %r' % samples, samples['msubmit_queue_messages{state="deferred"}'] == 1 and
            samples['msubmit_account_paused{account="wo\\"r\\\\k",fault="tls"}'] == 1 and
            samples['msubmit_queue_health'] == 1 and
            abs(samples['msubmit_last_success_timestamp_seconds'] - time.time()) < 30)
    h.check('direct', h.run('-odi', 'c@example.com') == 0)
    os.utime(os.path.join(h.queue, 'success'), (1, 1))
    h.check('a direct success counts', h.run('-odi', 'c@example.com') == 0 and
            os.stat(os.path.join(h.queue, 'success')).st_mtime > 1)
    sink.close()
    return h.failures


@tests.named('--status knows what is being sent')
def status_active():
    sink = Slow(2)
    h = Home(sink.port, 'queue = always')
    h.run('a@example.com')
    runner = subprocess.Popen([PROGRAM, '-q'], env=h.env, cwd=h.folder)
    while not sink.connections:
        time.sleep(0.05)
    h.check('active', h.run('--status') == 0 and perfdata(h)['active'] == '1' and
            perfdata(h)['deferred'] == '0')
    h.check('it is sent', runner.wait() == 0 and len(sink.mails) == 1)
    sink.close()
    return h.failures


def main():
    return harness.run_tap(tests)


if __name__ == '__main__':
    sys.exit(main())
