#!/usr/bin/env python3
"""What becomes of a message that the listener takes: deliveries and hooks.

MSUBMIT names the program; prints TAP. No root, no network, free ports only."""
import base64
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import SCALE, run_tap
import listener_test
from listener_test import LIMIT, MESSAGE, Server, expect, expect_start, wait_until

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
    ('print("421 4.7.0 bye")', '250 2.0.0 stored', True),      # no reply of a message
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
    ('os.write(1, b"\\n" * 5000 + b"550 5.7.1 too late")', '250 2.0.0 stored', True),
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
    expect_start(message, 'Received: from me ')
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


if __name__ == '__main__':
    sys.exit(run_tap(TESTS))
