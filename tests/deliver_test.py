#!/usr/bin/env python3
"""What becomes of a message that the listener takes: deliveries and hooks.

MSUBMIT names the program; prints TAP. No root, no network, free ports only."""
import base64
import contextlib
import glob
import json
import os
import select
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import SCALE, Listener, binary, environment, free_port, run_tap
import listener_test
from listener_test import LIMIT, MESSAGE, Server, expect, expect_start, wait_until

PROGRAM = binary()
TESTS = listener_test.TESTS = []
test = listener_test.test
HELLO = ['EHLO me', 'MAIL FROM:<a@x.example>', 'RCPT TO:<b@y.example>']


def script(folder, text, name='hook'):
    """An executable in Python, which has sys, os, json and time."""
    path = os.path.join(folder, name)
    with open(path, 'w', encoding='utf-8') as f:
        f.write('#!%s -I\nimport json, os, sys, time\n%s\n' % (sys.executable, text))
    os.chmod(path, 0o755)
    return path


def converse(server, lines, message=MESSAGE):
    """The replies to the lines and to the message behind them."""
    with server.connect() as c:
        c.reply()
        replies = [c.say(line) for line in lines]
        if message is None:
            return replies
        expect_start(c.say('DATA'), '354')
        c.send(message + b'.\r\n')
        replies.append(c.reply())
        expect_start(c.say('QUIT'), '221')
        return replies


def answer(folder, text, lines=(), **options):
    """The reply to a message when the hook on_message is that script; what lies in the box."""
    options.setdefault('on_message', script(folder, text))
    with Server(folder, **options) as server:
        replies = converse(server, HELLO + list(lines))
        return replies[-1], server.messages() if 'deliver' not in options else [], server.stderr()


SAYS = [  # what the hook does, the reply, is it stored?
    ('', r'250 2.0.0 stored', True),
    ('print("looks fine")', '250 2.0.0 stored', True),
    ('print("550 5.7.1 no spam here")', '550 5.7.1 no spam here', False),
    ('print("  550 5.7.1 no spam here  "); sys.exit(1)', '550 5.7.1 no spam here', False),
    ('print("450 4.7.1 not now"); sys.exit(75)', '450 4.7.1 not now', False),
    ('print("550 no status")', '550 5.0.0 no status', False),
    ('print("550 4.1.1 wrong class")', '550 5.0.0 4.1.1 wrong class', False),
    ('print("550")', '550 5.0.0 refused', False),
    # a reply of the session, or of several lines, is no yes either
    ('print("421 4.7.0 bye")', '451 4.7.0 bye', False),
    ('print("550-5.7.1 no spam\\n550 5.7.1 here")', '550 5.7.1 no spam', False),
    ('print("560 5.7.1 no such code")', '550 5.7.1 no such code', False),
    ('print("499"); sys.exit(0)', '451 4.0.0 try again later', False),
    ('print("5500 5.1.1 x")', '250 2.0.0 stored', True),
    ('print("discard")', '250 2.0.0 accepted as', False),
    ('print("discard"); sys.exit(1)', '451 4.3.0 cannot', False),
    ('print("no such project"); sys.exit(67)', '550 5.1.1 no such project', False),
    ('sys.exit(77)', '550 5.7.1 refused', False),
    ('print("database is down"); sys.exit(75)', '451 4.3.0 database is down', False),
    ('print("secret of ours"); sys.exit(1)', '451 4.3.0 cannot store the message', False),
    ('sys.exit(78)', '451 4.3.0 cannot store the message', False),
    ('os.kill(os.getpid(), 9)', '451 4.3.0 cannot store the message', False),
    ('sys.stdin.close(); os.close(3); print("554 5.6.0 not read")', '554 5.6.0 not read', False),
    ('os.write(1, b"550 5.7.1 a\\x1b[2J\\x00\\xff\\rb" + b"x" * 3000000)', '550 5.7.1 a?[2J?? bxxx', False),
    ('os.write(1, b"550 5.7.1 x\\r\\n250 2.0.0 ok\\r\\n")', '550 5.7.1 x', False),
    ('os.write(1, b"\\n" * 5000 + b"550 5.7.1 too late")', '451 4.3.0 cannot store', False),
    # children that stay behind hold up nobody
    ('if os.fork() == 0: time.sleep(30)\nelse: print("550 5.7.1 parent", flush=True)', '550 5.7.1 parent', False),
    ('if os.fork() == 0:\n os.setsid(); time.sleep(30)', '250 2.0.0 stored', True),
]


@test
def judged(folder):
    """on_message takes, refuses, defers and discards; nothing else is a yes"""
    for k, (text, wanted, stored) in enumerate(SAYS):
        room = os.path.join(folder, str(k))
        os.mkdir(room)
        start = time.monotonic()
        reply, messages, log = answer(room, text)
        expect_start(reply, wanted)
        assert len(reply) <= 510 and reply.isprintable(), reply
        expect(len(messages), int(stored))
        assert time.monotonic() - start < 15 * SCALE, text
        assert 'secret of ours' not in reply
        if not stored:
            expect(os.listdir(os.path.join(room, 'box', 'tmp')), [])
    assert 'result=' in log


TELL = r'''
descriptors = os.listdir("/proc/self/fd")
message = sys.stdin.buffer.read().decode()
told = json.load(open(os.environ["MSUBMIT_ENVELOPE"]))
with open(%r, "w") as f:
    json.dump([message, told, dict(os.environ), descriptors, os.getsid(0) == os.getpid()], f)
'''


@test
def told(folder):
    """a hook sees message, envelope and client, and nothing of our environment or descriptors"""
    out = os.path.join(folder, 'out')
    os.environ['MSUBMIT_TEST_SECRET'] = 'x'
    reply, messages, _ = answer(folder, TELL % out, ['RCPT TO:<"c d"@y.example>'])
    del os.environ['MSUBMIT_TEST_SECRET']
    expect_start(reply, '250')
    with open(out, encoding='utf-8') as f:
        message, told, variables, descriptors, session = json.load(f)
    variables.pop('LC_CTYPE', None)
    assert '\nReceived: from me ([127.0.0.1])\n\tby srv.example (msubmit)\n' in message, message
    assert message.endswith('\nSubject: x\n\nbody\n') and '\r' not in message, message
    expect(messages[0].decode(), message)
    expect(told['sender'], 'a@x.example')
    expect([r['address'] for r in told['recipients']], ['b@y.example', '"c d"@y.example'])
    expect(told['client'], {'address': '127.0.0.1', 'helo': 'me', 'user': None, 'protocol': 'ESMTP', 'tls': False})
    expect(told['size'], len(message))
    expect(variables['RECIPIENTS'], 'b@y.example\n"c d"@y.example')
    expect(sorted(variables), sorted((
        'PATH', 'MSUBMIT_ENVELOPE', 'MESSAGE_ID', 'SENDER', 'RECIPIENT', 'RECIPIENTS', 'RECIPIENT_COUNT', 'SIZE',
        'CLIENT_ADDRESS', 'CLIENT_HELO', 'CLIENT_USER', 'CLIENT_UID')))
    expect(variables['MESSAGE_ID'], told['id'])
    expect([d for d in descriptors if int(d) > 4], [])      # 4: the folder that it lists
    expect(session, True)


@test
def many(folder):
    """recipients that do not fit into a variable are in the JSON, and not half in the variable"""
    out = os.path.join(folder, 'out')
    lines = ['RCPT TO:<%s%03d@y.example>' % ('r' * 60, k) for k in range(900)]
    expect_start(answer(folder, TELL % out, lines)[0], '250')
    with open(out, encoding='utf-8') as f:
        _, told, variables, _, _ = json.load(f)
    expect(len(told['recipients']), 901)
    expect((variables.get('RECIPIENTS'), variables['RECIPIENT_COUNT']), (None, '901'))


@test
def hangs(folder):
    """a hook that hangs is killed with its children, and the client may try again"""
    pids = os.path.join(folder, 'pids')
    text = ('child = os.fork()\nopen(%r, "a").write("%%d\\n" %% os.getpid())\n'
            'import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint("250 ok", flush=True)\n'
            'time.sleep(60)' % pids)
    start = time.monotonic()
    reply, messages, log = answer(folder, text, hook_timeout='1')
    expect_start(reply, '451 4.3.0')
    expect(messages, [])
    assert time.monotonic() - start < 20 * SCALE
    assert 'did not end within 1 s' in log, log
    with open(pids, encoding='ascii') as f:
        both = [int(line) for line in f]
    expect(len(both), 2)
    for pid in both:
        wait_until(lambda: not alive(pid), 'the end of %d' % pid)


def alive(pid):
    try:
        with open('/proc/%d/stat' % pid, encoding='ascii') as f:
            return f.read().rpartition(')')[2].split()[0] != 'Z'
    except FileNotFoundError:
        return False


@test
def never_ends(folder):
    """a hook that prints for ever is killed in time and costs no memory"""
    reply, _, _ = answer(folder, 'while True: os.write(1, b"550 5.7.1 x" * 1000)', hook_timeout='1')
    expect_start(reply, '451 4.3.0')


@test
def not_there(folder):
    """a hook that is not there, or not to be run, is no yes"""
    for k, path in enumerate((folder + '/missing', folder)):
        room = os.path.join(folder, str(k))
        os.mkdir(room)
        reply, messages, log = answer(room, '', on_message=path)
        expect_start(reply, '451 4.3.0')
        expect(messages, [])
        assert 'cannot run' in log, log


@test
def gone(folder):
    """a client that goes away before the end of its message runs no hook"""
    ran = os.path.join(folder, 'ran')
    with Server(folder, on_message=script(folder, 'open(%r, "w")' % ran)) as server:
        with server.connect() as c:
            expect_start(c.start_data()[-1], '354')
            c.send(MESSAGE)
        wait_until(lambda: 'result=broken' in server.stderr(), 'the end of the session')
        assert not os.path.exists(ran)
        expect(server.messages() + server.files('tmp'), [])


@test
def command(folder):
    """deliver = command: hands the message over, with arguments and without a shell"""
    out = os.path.join(folder, 'out')
    path = script(folder, 'open(%r, "w").write(json.dumps([sys.argv[1:], sys.stdin.read()]))' % out)
    server = Server(folder, deliver='command:%s $HOME' % path)
    expect(server.popen().wait(LIMIT), 78)
    assert 'no shell here' in server.stderr(), server.stderr()
    with Server(folder, deliver="command:%s 'a  b' '$HOME;x'" % path) as server:
        expect_start(converse(server, HELLO)[-1], '250 2.0.0 accepted as ')
    with open(out, encoding='utf-8') as f:
        arguments, message = json.load(f)
    expect(arguments, ['a  b', '$HOME;x'])
    expect_start(message, 'Return-Path: <a@x.example>\nDelivered-To: b@y.example\nReceived: from me ')
    for text, wanted in (('print("project is closed"); sys.exit(67)', '550 5.1.1 project is closed'),
                         ('sys.exit(75)', '451 4.3.0 try again later'), ('sys.exit(3)', '451 4.3.0 cannot store'),
                         ('print("552 5.2.2 full")', '552 5.2.2 full')):
        with Server(folder, deliver='command:' + script(folder, text)) as server:
            expect_start(converse(server, HELLO)[-1], wanted)


def sign_in(server, user, password):
    token = base64.b64encode(('\0%s\0%s' % (user, password)).encode()).decode()
    return converse(server, ['EHLO me', 'AUTH PLAIN ' + token, 'MAIL FROM:<a@x.example>'], None)[1:]


JUDGE = r'''
fields = os.read(3, 65536).split(b"\0")
with open(%r, "w") as f:
    json.dump([[x.decode() for x in fields], sys.argv[1:], dict(os.environ), sys.stdin.read()], f)
sys.exit({b"yes": 0, b"no": 1, b"later": 75, b"odd": 2}.get(fields[2], 64))
'''


@test
def on_auth(folder):
    """on_auth says who may sign in; the password comes by descriptor 3 and nowhere else"""
    out = os.path.join(folder, 'out')
    options = dict(on_auth=script(folder, JUDGE % out), auth_required='on', auth_plain_loopback='on')
    with Server(folder, **options) as server:
        expect_start(sign_in(server, 'j\u00f6e', 'yes')[0], '235')
        with open(out, encoding='utf-8') as f:
            fields, arguments, variables, read = json.load(f)
        expect(fields, ['', 'j\u00f6e', 'yes', 'PLAIN', '127.0.0.1', ''])
        variables.pop('LC_CTYPE', None)
        expect((arguments, list(variables), read), ([], ['PATH'], ''))
        for password, first, second in (('yes', '235', '250'), ('no', '535 5.7.8', '530'), ('later', '454 4.7.0', '530'),
                                        ('odd', '454 4.7.0', '530')):
            replies = sign_in(server, 'joe', password)
            expect_start(replies[0], first)
            expect_start(replies[1], second)


@test
def on_auth_fails(folder):
    """an on_auth that hangs, dies or is not there is 454"""
    for k, text in enumerate(('time.sleep(60)', 'os.kill(os.getpid(), 9)', None, 'os.close(3); sys.exit(75)')):
        room = os.path.join(folder, str(k))
        os.mkdir(room)
        hook = script(room, text) if text else room + '/missing'
        with Server(room, on_auth=hook, auth_plain_loopback='on', auth_required='on', hook_timeout='1') as server:
            replies = sign_in(server, 'joe', 'yes')
            expect_start(replies[0], '454 4.7.0')
            expect_start(replies[1], '530')


# --- the next server ---------------------------------------------------------------------


class Next:
    """A server behind the listener; says(line, session) may give another reply, or None to hang up."""

    def __init__(self, says=None, keywords=('PIPELINING', '8BITMIME', 'SMTPUTF8', 'DSN', 'SIZE 9999999'), lmtp=False,
                 unix=None):
        self.says, self.keywords, self.lmtp = says or (lambda line, session: ''), keywords, lmtp
        self.messages, self.lines, self.lock = [], [], threading.Lock()
        self.listener = Listener(self.serve, unix=unix)
        self.port = self.listener.port

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    @property
    def sessions(self):
        return self.listener.connections

    def serve(self, sock):
        with sock, sock.makefile('rb') as lines, contextlib.suppress(OSError):
            sock.sendall(b'220 next\r\n')
            session = {'rcpt': [], 'mail': '', 'data': b''}
            for line in lines:
                line = line.decode('utf-8', 'replace').rstrip('\r\n')
                with self.lock:
                    self.lines.append(line)
                reply = self.reply(line, session, lines, sock)
                if reply is None:
                    return
                sock.sendall(reply.encode() + b'\r\n')
                if line == 'QUIT':
                    return

    def reply(self, line, session, lines, sock):
        verb = line[:4].upper()
        reply = self.says(line, session)
        if reply == '' and verb in ('EHLO', 'LHLO'):
            return ''.join('250-%s\r\n' % k for k in ('next', ) + self.keywords) + '250 ENHANCEDSTATUSCODES'
        if verb == 'MAIL' and reply == '':
            session.update(mail=line, rcpt=[], data=b'')
        if verb == 'RCPT' and reply == '':
            session['rcpt'].append(line)
            return '250 2.1.5 next takes ' + line[8:].split('>')[0]
        if verb == 'DATA' and reply == '':
            return self.data(session, lines, sock)
        return '250 2.0.0 ok' if reply == '' else reply

    def data(self, session, lines, sock):
        sock.sendall(b'354 go\r\n')
        for line in lines:
            if line == b'.\r\n':
                break
            session['data'] += line[1:] if line.startswith(b'.') else line
        replies = []
        for rcpt in session['rcpt'] if self.lmtp else ['']:
            reply = self.says('.' + rcpt, session)
            if reply is None:
                return None
            replies.append(reply or '250 2.0.0 next has it as %d' % len(self.messages))
        if any(r.startswith('2') for r in replies):
            with self.lock:
                self.messages.append(dict(session, rcpt=list(session['rcpt'])))
        return '\r\n'.join(replies)


def account(folder, port, more=''):
    """The file of an account that sends there."""
    path = os.path.join(folder, 'rc')
    with open(path, 'w', encoding='utf-8') as f:
        f.write('[account next]\nhost = 127.0.0.1\nport = %d\ntls = off\nauth = off\naliases = %s/aliases\nsyslog = off\n'
                'domain = client.example\nfrom = me@own.example\nqueue_dir = %s/queue\ntimeout = 10\n%s\n'
                '[listen here]\n' % (port, folder, folder, more))
    with open(os.path.join(folder, 'aliases'), 'w', encoding='utf-8') as f:
        f.write('team: one@y.example, two-550@y.example\nnull: /dev/null\nroot: admin@own.example\n')
    os.chmod(path, 0o600)
    return path


class Through(Server):
    """A listener in front of it."""

    def __init__(self, folder, port, deliver='account:next', more='', **options):
        super().__init__(folder, deliver=deliver, strict='off', **options)
        self.args += ['-C', account(folder, port, more)]

    def entries(self):
        return sorted(glob.glob(os.path.join(self.folder, 'queue', '??', '*')))


def by_address(line, session):
    """What the address says: x-550@ is refused, x-450@ later; .x at the dot."""
    for code in ('550', '450', '552'):
        if '-' + code + '@' in line and not line.startswith('.'):
            return '%s %s.1.%s next says no to it' % (code, code[0], code[2])
    return ''


@test
def through(folder):
    """account: sender, recipients and content are answered by the next server itself"""
    with Next(by_address) as peer, Through(folder, peer.port) as server:
        replies = converse(server, ['EHLO me', 'MAIL FROM:<a-550@x.example>', 'MAIL FROM:<a@x.example>',
                                    'RCPT TO:<b-550@y.example>', 'RCPT TO:<c-450@y.example>', 'RCPT TO:<d@y.example>'],
                           b'Subject: x\r\nBcc: hidden@z.example\r\n\r\n..dot\r\n')
        expect(replies[1:], ['550 5.1.0 next says no to it', '250 2.0.0 ok', '550 5.1.0 next says no to it',
                             '450 4.1.0 next says no to it', '250 2.1.5 next takes <d@y.example', '250 2.0.0 next has it as 0'])
        message, = peer.messages
        expect(message['rcpt'], ['RCPT TO:<d@y.example>'])
        expect_start(message['mail'], 'MAIL FROM:<a@x.example>')
        text = message['data'].decode()
        assert 'hidden' not in text and 'Received: from me ([127.0.0.1])' in text, text
        for field in ('\r\nDate: ', '\r\nMessage-ID: <', '\r\nFrom: a@x.example\r\n'):
            assert field in '\r\n' + text, (field, text)
        assert text.endswith('\r\n\r\n.dot\r\n'), text
        expect_start(text, 'Received: from me ')
        expect(text.count('Received: '), 1)
        expect((peer.sessions, server.entries()), (1, []))


@test
def through_again(folder):
    """one session of the client needs one of the next server, and RSET leaves nothing behind"""
    with Next() as peer, Through(folder, peer.port) as server, server.connect() as c:
        c.reply()
        for line in ('EHLO me', 'MAIL FROM:<a@x.example>', 'RCPT TO:<b@y.example>', 'RSET', 'MAIL FROM:<c@x.example>',
                     'RCPT TO:<d@y.example>'):
            expect_start(c.say(line), '250')
        for k in range(2):
            expect_start(c.say('DATA'), '354')
            c.send(MESSAGE + b'.\r\n')
            expect(c.reply(), '250 2.0.0 next has it as %d' % k)
            expect_start(c.say('MAIL FROM:<e@x.example>'), '250')
            expect_start(c.say('RCPT TO:<f@y.example>'), '250')
        expect_start(c.say('QUIT'), '221')
        expect([m['rcpt'] for m in peer.messages], [['RCPT TO:<d@y.example>'], ['RCPT TO:<f@y.example>']])
        expect(peer.sessions, 1)


@test
def through_others(folder):
    """the session with the next server is there for the next clients, and ends with QUIT when idle"""
    with Next() as peer, Through(folder, peer.port, more='connection_idle = 2') as server:
        for k in range(12):
            expect_start(converse(server, HELLO)[-1], '250 2.0.0 next has it as %d' % k)
        sessions = peer.sessions
        assert sessions < 12, sessions
        wait_until(lambda: peer.lines.count('QUIT') == sessions, 'QUIT of all %d' % sessions)
        expect_start(converse(server, HELLO)[-1], '250 2.0.0')
        expect(peer.sessions, sessions + 1)
    wait_until(lambda: peer.lines.count('QUIT') == sessions + 1, 'the last QUIT')
    with Next() as peer, Through(folder, peer.port, more='messages_per_connection = 1') as server:
        for k in range(3):
            expect_start(converse(server, HELLO)[-1], '250 2.0.0 next has it as %d' % k)
        expect(peer.sessions, 3)


@test
def through_nobody(folder):
    """a next server that is not there is 451 4.4.1 to MAIL, a sign-in that it refuses 451 4.7.0, once"""
    with Through(folder, free_port()) as server:
        expect_start(converse(server, HELLO[:2], None)[1], '451 4.4.1 ')

    def refuses(line, _session):
        return '535 5.7.8 wrong password' if line.startswith('AUTH') else ''
    with Next(refuses, keywords=('AUTH PLAIN', )) as peer:
        more = 'auth = plain\nauth_plaintext = always\nuser = u\npassword = secret\n'
        with Through(folder, peer.port, more=more) as server:
            with server.connect() as c:
                c.reply()
                c.say(HELLO[0])
                for _ in range(3):
                    reply = c.say(HELLO[1])
                    expect_start(reply, '451 4.7.0 ')
                    assert '535 5.7.8 wrong password' in reply and 'secret' not in reply, reply
            expect(sum(line.startswith('AUTH') for line in peer.lines), 1)


@test
def through_closed(folder):
    """a next server that has hung up meanwhile is called again, and what was promised is kept"""
    gone = []

    def hangs_up(line, session):
        if line.startswith('RSET') or (line.startswith('RCPT TO:<late') and not gone):
            gone.append(line)
            return None
        return ''
    with Next(hangs_up) as peer, Through(folder, peer.port) as server:
        replies = converse(server, HELLO + ['RSET'] + HELLO[1:])
        expect_start(replies[-1], '250 2.0.0 next has it')
        del gone[:]
        replies = converse(server, HELLO + ['RCPT TO:<late@y.example>'])
        expect_start(replies[-2], '451 4.4.1')
        expect_start(replies[-1], '250 2.0.0 next has it')
        expect(peer.messages[-1]['rcpt'], ['RCPT TO:<b@y.example>'])


@test
def through_closed_late(folder):
    """a next server that hangs up, or says 421, before it has the content is called again"""
    for said in (None, '421 4.4.2 too slow'):
        seen = []

        def leaves(line, _session, said=said, seen=seen):
            if line == 'DATA' and not seen:
                seen.append(line)
                return said
            return ''
        with Next(leaves) as peer, Through(folder, peer.port) as server:
            expect_start(converse(server, HELLO)[-1], '250 2.0.0 next has it as 0')
            expect((len(peer.messages), peer.sessions), (1, 2))


@test
def through_content(folder):
    """what is said to the content is the reply; a broken line behind it is 451 and not sent again"""
    for said, wanted in (('554 5.6.0 spam', '554 5.6.0 spam'), ('451 4.3.0 later', '451 4.3.0 later'),
                         ('421 4.3.2 bye', '451 4.4.1'), ('552 5.2.2 full', '552 5.2.2 full'), (None, '451 4.4.1')):
        with Next(lambda line, _, said=said: said if line[0] == '.' else '') as peer:
            with Through(folder, peer.port) as server:
                expect_start(converse(server, HELLO)[-1], wanted)
                expect((peer.messages, server.entries()), ([], []))
                expect(len([x for x in peer.lines if x == 'DATA']), 1)


@test
def through_rules(folder):
    """the rules of the account count: sender, aliases, completing, who may not be sent to"""
    with Next(by_address) as peer, Through(folder, peer.port, more='default_domain = own.example') as server:
        replies = converse(server, ['EHLO me', 'MAIL FROM:<root>', 'RCPT TO:<root@localhost>', 'RCPT TO:<null@localhost>'])
        expect_start(replies[-1], '250 2.0.0 next has it')
        expect_start(peer.messages[0]['mail'], 'MAIL FROM:<me@own.example>')
        expect_start(peer.messages[0]['rcpt'][0], 'RCPT TO:<admin@own.example>')
        # everybody's mail is thrown away: as the alias says
        expect_start(converse(server, HELLO[:2] + ['RCPT TO:<null@localhost>'])[-1], '250')
        expect(len(peer.messages), 1)


@test
def through_alias(folder):
    """of an alias one has it and one is refused: the sender is told of that by a bounce"""
    with Next(by_address) as peer, Through(folder, peer.port) as server:
        replies = converse(server, HELLO[:2] + ['RCPT TO:<team@localhost>'])
        expect_start(replies[-1], '250 ')
        expect(peer.messages[0]['rcpt'], ['RCPT TO:<one@y.example> ORCPT=rfc822;team@localhost'])
        expect(len(server.entries()), 1)
        with open(server.entries()[0], 'rb') as f:
            entry = f.read()
        assert b'two-550@y.example' in entry and b'next says no to it' in entry, entry
        # the queue does the rest
        status = subprocess.run([PROGRAM, '-C', folder + '/rc', '-qf'], env=environment(folder), check=False,
                                timeout=LIMIT, capture_output=True)
        expect(status.returncode, 0)
        subprocess.run([PROGRAM, '-C', folder + '/rc', '-qf'], env=environment(folder), check=False, timeout=LIMIT)
        bounce = peer.messages[-1]
        expect(bounce['rcpt'][0].split()[1], 'TO:<a@x.example>')
        assert b'two-550@y.example' in bounce['data'] and b'one@y.example' not in bounce['data'], bounce['data']


@test
def through_parameters(folder):
    """8 bit content goes to a server without 8BITMIME, and what it has not asked for is not sent"""
    message = 'Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\u00e4\r\n'.encode()
    for keywords, mail, body in ((('8BITMIME', ), ' BODY=8BITMIME', '\u00e4'), ((), '', 'w6QNCg==')):
        with Next(keywords=keywords) as peer, Through(folder, peer.port) as server:
            lines = ['EHLO me', 'MAIL FROM:<a@x.example> BODY=8BITMIME', 'RCPT TO:<b@y.example>']
            expect_start(converse(server, lines, message)[-1], '250')
            expect(peer.messages[0]['mail'], 'MAIL FROM:<a@x.example>' + mail)
            assert body.encode() in peer.messages[0]['data'], peer.messages


PARAMETERS = ('MAIL FROM:<a@x.example> BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=Q+2B1 MT-PRIORITY=3',
              'RCPT TO:<b@y.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob+3Dx@z.example')


@test
def replayed(folder):
    """what the client asks for with MAIL and RCPT is asked of the next server, where that has it"""
    full = ('SMTPUTF8', 'DSN', '8BITMIME', 'MT-PRIORITY')
    for keywords, mail, rcpt in (
            (full, {'BODY=8BITMIME', 'RET=HDRS', 'ENVID=Q+2B1', 'MT-PRIORITY=3'},
             ['NOTIFY=SUCCESS,DELAY', 'ORCPT=rfc822;Bob+3Dx@z.example']),
            (full[:1], set(), [])):
        for deliver in ('account:next', 'queue:next'):
            with Next(keywords=keywords) as peer, Through(folder, peer.port, deliver=deliver) as server:
                expect_start(converse(server, ('EHLO me', ) + PARAMETERS)[-1], '250 2.0.0')
                if deliver == 'queue:next':
                    subprocess.run([PROGRAM, '-C', folder + '/rc', '-q'], env=environment(folder), check=True, timeout=LIMIT)
                message, = peer.messages
                expect(set(message['mail'].split()[2:]) - {'SMTPUTF8', 'BODY=8BITMIME'}, mail - {'BODY=8BITMIME'})
                expect(message['rcpt'][0].split()[2:], rcpt)


@test
def utf8_address(folder):
    """an address outside ASCII is refused where the next server cannot take it"""
    lines = ['EHLO me', 'MAIL FROM:<a@x.example> SMTPUTF8', 'RCPT TO:<b@y.example>', 'RCPT TO:<j\u00f6rg@y.example>']
    with Next(keywords=('8BITMIME', )) as peer, Through(folder, peer.port) as server:
        replies = converse(server, lines)
        expect_start(replies[-2], '553 5.6.7')
        expect_start(replies[-1], '250')
        expect(peer.messages[0]['mail'].split()[2:], ['BODY=8BITMIME'])
    with Next() as peer, Through(folder, peer.port) as server:
        expect_start(converse(server, lines)[-1], '250')
        assert 'SMTPUTF8' in peer.messages[0]['mail'], peer.messages
        expect(len(peer.messages[0]['rcpt']), 2)


@test
def lmtp_client(folder):
    """an LMTP client hears what the next server says about each recipient, and its message is not touched"""
    def dots(line, _session):
        return '452 4.2.2 box is full' if line.startswith('.') and 'full' in line else ''
    with Next(dots, lmtp=True) as peer:
        server = Through(folder, peer.port, deliver='lmtp:127.0.0.1:%d' % peer.port)
        with open(folder + '/rc', 'a', encoding='ascii') as f:
            f.write('protocol = lmtp\n')
        with server, server.connect() as c:
            c.reply()
            for line in ['LHLO me'] + HELLO[1:] + ['RCPT TO:<full@y.example>', HELLO[2]]:
                expect_start(c.say(line), '250')
            expect_start(c.say('DATA'), '354')
            c.send(b'Bcc: z@z.example\r\n\r\nx\r\n.\r\n')
            for wanted in ('250 2.0.0 next has it', '452 4.2.2 box is full', '250 2.0.0 next has it'):
                expect_start(c.reply(), wanted)
            expect_start(c.say('QUIT'), '221')
            text = peer.messages[0]['data'].decode()
            assert '\r\nBcc: z@z.example\r\n\r\nx' in text and 'From:' not in text, text
            expect(peer.messages[0]['rcpt'], ['RCPT TO:<b@y.example>', 'RCPT TO:<full@y.example>'])


class Groups(Next):
    """Answers all that has come in one go, as a server at the end of a long line sees it; notes each such group."""

    def __init__(self, says=None, chunking=True, **options):
        self.groups = []
        keywords = ('PIPELINING', '8BITMIME') + (('CHUNKING', ) if chunking else ())
        super().__init__(says, keywords=keywords, **options)

    def serve(self, sock):
        with sock, contextlib.suppress(OSError):
            sock.sendall(b'220 next\r\n')
            session, text, data = {'rcpt': [], 'mail': '', 'data': b''}, b'', False
            while True:
                piece = sock.recv(1 << 20)
                while piece:
                    text += piece
                    piece = sock.recv(1 << 20) if select.select([sock], [], [], 0.1)[0] else b''
                if not text:
                    return
                out, verbs, text, data = self.group(text, data, session)
                self.groups.append(verbs)
                if out is None:
                    return
                sock.sendall(out.encode())

    def group(self, text, data, session):
        """The replies to it, its verbs, what is left of it, and whether that is the beginning of a message."""
        out, verbs = '', []
        while b'\r\n' in text:
            if data and b'\r\n.\r\n' not in b'\r\n' + text:
                break
            if data:
                verbs, data = verbs + ['.'], False
                session['data'], _, text = (b'\r\n' + text).partition(b'\r\n.\r\n')
                reply = self.content(session)
            else:
                line, _, text = text.partition(b'\r\n')
                line = line.decode()
                verbs.append(line.split()[0])
                if verbs[-1] == 'BDAT':
                    size = int(line.split()[1])
                    session['data'], text = text[:size], text[size:]
                    reply = self.content(session)
                elif verbs[-1] == 'DATA':
                    data = bool(session['rcpt'])
                    reply = '354 go' if data else '503 5.5.1 no recipients'
                else:
                    reply = self.reply(line, session, None, None)
            if reply is None:
                return None, verbs, b'', False
            out += reply + '\r\n' if reply else ''
            if verbs[-1] in ('RSET', '.', 'BDAT'):
                session.update(rcpt=[], mail='')
        return out, verbs, text, data

    def content(self, session):
        if not session['mail'] or not session['rcpt']:
            return '' if self.lmtp and session['mail'] else '503 5.5.1 no recipients'
        replies = [self.says('.' + r, session) for r in (session['rcpt'] if self.lmtp else [''])]
        if None in replies:
            return None
        replies = [r or '250 2.0.0 next has it as %d' % len(self.messages) for r in replies]
        if any(r.startswith('2') for r in replies):
            self.messages.append(dict(session, rcpt=list(session['rcpt'])))
        return '\r\n'.join(replies)


def burst(c, lines, message=MESSAGE, most=None):
    """All of it in one write; the replies, as many as there are to be."""
    text = ''.join(line + '\r\n' for line in lines).encode() + b'BDAT %d LAST\r\n' % len(message) + message
    c.send(text)
    return [c.reply() for _ in range(most or len(lines) + 1)]


WARM = ['MAIL', 'RCPT', 'BDAT']


@test
def warm(folder):
    """a message that comes in one go costs one wait for the next server, in a session that has had one"""
    with Groups(by_address) as peer, Through(folder, peer.port) as server, server.connect() as c:
        c.reply()
        c.say('EHLO me')
        expect_start(burst(c, HELLO[1:])[-1], '250 2.0.0 next has it as 0')
        expect(peer.groups, [['EHLO'], ['MAIL', 'RCPT'], ['BDAT'], ['RSET']])
        for k in range(1, 4):
            replies = burst(c, HELLO[1:])
            expect(replies, ['250 2.0.0 ok', '250 2.1.5 next takes <b@y.example', '250 2.0.0 next has it as %d' % k])
        expect(peer.groups[4:], [WARM] * 3)
        # what is refused is answered as if it had been asked for alone, and nobody has got it
        del peer.groups[:]
        no = '5.1.0 next says no to it'
        expect(burst(c, ['MAIL FROM:<a-550@x.example>', HELLO[2]]),
               ['550 ' + no, '503 5.5.1 send MAIL first', '503 5.5.1 send MAIL and RCPT first'])
        expect(burst(c, [HELLO[1], 'RCPT TO:<b-550@y.example>'])[1:], ['550 ' + no, '554 5.5.1 no valid recipients'])
        expect((len(peer.messages), peer.groups), (4, [WARM, ['RSET']] * 2))
        replies = burst(c, HELLO[1:] + ['RCPT TO:<c-550@y.example>', 'RCPT TO:<b@y.example>', 'RCPT TO:<@y.example>'])
        expect([r[:3] for r in replies], ['250', '250', '550', '250', '501', '250'])
        expect(peer.messages[-1]['rcpt'], HELLO[2:])
        # who waits for each answer has it as before
        for line, wanted in ((HELLO[1], '250'), ('RCPT TO:<b-550@y.example>', '550'), (HELLO[2], '250')):
            expect_start(c.say(line), wanted)
        expect_start(burst(c, [])[-1], '250 2.0.0 next has it as 5')
        # and who asks with DATA has one wait for the envelope
        del peer.groups[:]
        c.send(('\r\n'.join(HELLO[1:] + ['DATA', ''])).encode())
        expect([c.reply()[:3] for _ in range(3)], ['250', '250', '354'])
        c.send(MESSAGE + b'.\r\n')
        expect_start(c.reply(), '250 2.0.0 next has it as 6')
        expect(peer.groups, [['MAIL', 'RCPT'], ['BDAT']])
        expect((peer.sessions, server.entries()), (1, []))


@test
def warm_content(folder):
    """refused or lost content of such a message is told as it is, and sent once"""
    for said, wanted in (('554 5.6.0 spam', '554 5.6.0 spam'), ('451 4.3.0 later', '451 4.3.0 later'), (None, '451 4.4.1')):
        answers = ['', said]
        with Groups(lambda line, _, a=answers: a.pop(0) if line[0] == '.' else '') as peer:
            with Through(folder, peer.port) as server, server.connect() as c:
                c.reply()
                c.say('EHLO me')
                expect_start(burst(c, HELLO[1:])[-1], '250 2.0.0 next has it')
                replies = burst(c, HELLO[1:])
                expect_start(replies[-1], wanted)
                expect([r[:3] for r in replies[:2]], ['250', '250'])
                expect((len(peer.messages), peer.groups.count(WARM), answers), (1, 1, []))


@test
def warm_back(folder):
    """without CHUNKING, or where it is announced and not known, such a message goes with DATA"""
    def unknown(line, _session):
        return '502 5.5.1 not here' if line == '.' and not unknown.seen.append(1) and len(unknown.seen) == 1 else ''
    unknown.seen = []
    for says, chunking in ((None, False), (unknown, True)):
        with Groups(says, chunking) as peer, Through(folder, peer.port) as server, server.connect() as c:
            c.reply()
            c.say('EHLO me')
            for k in range(2):
                expect_start(burst(c, HELLO[1:])[-1], '250 2.0.0 next has it as %d' % k)
            expect(len(peer.messages), 2)
            expect(sum(group.count('BDAT') for group in peer.groups), int(chunking))
            if not chunking:
                expect(peer.groups, [['EHLO']] + [['MAIL', 'RCPT', 'DATA'], ['.']] * 2)


@test
def sent_ahead(folder):
    """the program hands its message to the service of the machine in one go; exit codes say what became of it"""
    path = os.path.join(folder, 'socket')
    with open(folder + '/rc', 'w', encoding='utf-8') as f:
        f.write('[account default]\nvia = service\nservice_socket = %s\nfrom = a@x.example\naliases =\nsyslog = off\n'
                'domain = client.example\nqueue = never\n' % path)
    os.chmod(folder + '/rc', 0o600)

    def full(line, session):
        return '552 5.2.2 full' if line.startswith('.') and 'full' in line else by_address(line, session)
    for words, status, groups in ((['b@y.example'], 0, [WARM]), (['b-550@y.example'], 67, [WARM, ['RSET']]),
                                  (['-f', 'a-450@x.example', 'b@y.example'], 75, [WARM, ['RSET']]),
                                  (['full@y.example'], 69, [WARM]),
                                  (['b@y.example', 'c-550@y.example'], 67, [['MAIL', 'RCPT', 'RCPT'], ['RSET']])):
        if os.path.exists(path):
            os.unlink(path)
        with Groups(full, lmtp=True, unix=path) as peer:
            done = subprocess.run([PROGRAM, '-C', folder + '/rc', '--refused_recipients=abort'] + words, input=MESSAGE,
                                  env=environment(folder), timeout=LIMIT, stderr=subprocess.PIPE, check=False)
            expect((done.returncode, len(peer.messages)), (status, int(status == 0)))
            expect([g for g in peer.groups if g not in (['LHLO'], ['QUIT'])], groups)


@test
def queue_hold(folder):
    """queue: holds a message until its release (FUTURERELEASE)"""
    with Next() as peer, Through(folder, peer.port, deliver='queue:next') as server:
        reply = converse(server, ['EHLO me', 'MAIL FROM:<a@x.example> HOLDFOR=3600', HELLO[2]])[-1]
        expect_start(reply, '250 2.0.0 queued')
        subprocess.run([PROGRAM, '-C', folder + '/rc', '-q'], env=environment(folder), check=True, timeout=LIMIT)
        expect((len(server.entries()), peer.sessions), (1, 0))
        assert 3500 < os.stat(server.entries()[0]).st_mtime - time.time() < 3700


@test
def judged_through(folder):
    """on_message stands in front of every delivery: what it refuses the next server never gets"""
    with Next(by_address) as peer:
        for text, wanted, messages in (('print("550 5.7.1 no")', '550 5.7.1 no', 0), ('', '250 2.0.0 next has it', 1)):
            with Through(folder, peer.port, on_message=script(folder, text)) as server:
                replies = converse(server, HELLO + ['RCPT TO:<c-550@y.example>'])
                expect_start(replies[-2], '550 5.1.0 next says no')
                expect_start(replies[-1], wanted)
                expect(len(peer.messages), messages)
        expect([x for x in peer.lines if x == 'DATA'], ['DATA'])


@test
def queue(folder):
    """queue: the message lies in the queue, as the account wants it, when 250 is said"""
    with Next() as peer, Through(folder, peer.port, deliver='queue:next') as server:
        replies = converse(server, HELLO + ['RCPT TO:<team@localhost>'])
        expect_start(replies[-1], '250 2.0.0 queued as ')
        entry, = server.entries()
        expect(os.path.basename(entry), replies[-1].split()[-1])
        expect(peer.sessions, 0)
        subprocess.run([PROGRAM, '-C', folder + '/rc', '-q'], env=environment(folder), check=True, timeout=LIMIT)
        expect([r.split()[1] for r in peer.messages[0]['rcpt']],
               ['TO:<b@y.example>', 'TO:<one@y.example>', 'TO:<two-550@y.example>'])
        expect(server.entries(), [])


@test
def queue_fails(folder):
    """a queue that cannot be written is 452 or 451, and nothing of the message is left"""
    with Through(folder, 1, deliver='queue:next', more='queue_max_bytes = 10') as server:
        expect_start(converse(server, HELLO)[-1], '452 4.3.1')
        expect(server.entries() + glob.glob(folder + '/queue/tmp/*'), [])
    with Through(folder, 1, deliver='queue') as server:
        os.rename(folder + '/queue', folder + '/gone')
        with open(folder + '/queue', 'w', encoding='ascii'):
            pass
        expect_start(converse(server, HELLO)[-1], '451 4.3.0 cannot store')


@test
def lmtp(folder):
    """lmtp: the replies for each recipient; an SMTP client hears one, and the queue is not there"""
    def dots(line, session):
        return '552 5.2.2 box is full' if line.startswith('.') and 'full' in line else by_address(line, session)
    with Next(dots, lmtp=True, unix=folder + '/lmtp') as peer, Next(dots, lmtp=True) as tcp:
        for place, next_server in ((folder + '/lmtp', peer), ('127.0.0.1:%d' % tcp.port, tcp)):
            with Server(folder, deliver='lmtp:' + place) as server:
                replies = converse(server, HELLO + ['RCPT TO:<c-550@y.example>'])
                expect_start(replies[-2], '550 5.1.0 next says no')
                expect_start(replies[-1], '250 2.0.0 next has it as 0')
                expect_start(next_server.lines[0], 'LHLO ')
                expect_start(converse(server, HELLO[:2] + ['RCPT TO:<full@y.example>'])[-1], '552 5.2.2 box is full')
                reply = converse(server, HELLO + ['RCPT TO:<full@y.example>'])[-1]
                expect_start(reply, '554 5.3.0 others have the message, <full@y.example> has not')


@test
def places(folder):
    """a place that is wrong is told before the first client comes"""
    for deliver in ('account:other', 'queue:other', 'lmtp:', 'lmtp:here', 'lmtp:host:0', 'lmtp:h x:24', 'account:',
                    'smtp:x', 'command:', 'command:   ', "command:'x", 'maildir'):
        server = Through(folder, 1, deliver=deliver)
        expect((deliver, server.popen().wait(LIMIT)), (deliver, 78))
        assert "key 'deliver'" in server.stderr(), server.stderr()


if __name__ == '__main__':
    sys.exit(run_tap(TESTS))
