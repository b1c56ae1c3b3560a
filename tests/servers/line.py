"""Many messages of the queue over one connection, with a real server: each arrives once, whatever
the server does with what stands behind a final dot."""
import glob
import os
import tempfile
import time

from common import PASSWORD, Failure, harness
from suite import HEADER, Run

COUNT = 6


def copies(service, mailbox, rcpt):
    """How often the message to rcpt has arrived."""
    if mailbox is None:
        return sum(rcpt.encode() in mail.rcpts for mail in service.sink.mails)
    wanted, n = ('Message-ID: <%s@example.org>' % rcpt.split('@')[0]).encode(), 0
    for path in glob.glob(os.path.join(service.place.root, mailbox, '*')):
        with open(path, 'rb') as f:
            n += wanted in f.read()
    return n


def wait_for_all(service, mailbox, rcpts):
    end = time.monotonic() + 30 * harness.SCALE
    while time.monotonic() < end and not all(copies(service, mailbox, r) for r in rcpts):
        time.sleep(0.2)
    time.sleep(1)               # a second copy would be on its way
    return {r: copies(service, mailbox, r) for r in rcpts}


def check(service, mode='starttls', serves=True, mailbox=None, **settings):
    """serves: does it answer what stands behind a final dot? None: nothing is put there."""
    settings = dict(settings, queue='always', max_connections=1)

    def case():
        with tempfile.TemporaryDirectory(dir=service.home) as home:
            rc = os.path.join(home, 'rc')
            with open(rc, 'w', encoding='utf-8') as f:
                f.write(service.account(mode, dict(settings, queue_dir=home + '/queue')))
            os.chmod(rc, 0o600)
            argv = [harness.binary(), '-C', rc, '-v', '-i']
            env = dict(harness.environment(home), XDG_STATE_HOME=home + '/state')
            rcpts = [service.new_address() for _ in range(COUNT)]
            for rcpt in rcpts:
                message = HEADER % (rcpt, 'x', rcpt.split('@')[0]) + '.\nbody\n'
                Run(argv + ['--', rcpt], message.encode(), home, (PASSWORD, ), env=env).want(0)
            run = Run(argv + ['-q'], b'', home, (PASSWORD, ), env=env).want(0)
            waiting = len(glob.glob(home + '/queue/??/*'))
            got = wait_for_all(service, mailbox, rcpts)
            known = glob.glob(home + '/**/servers', recursive=True)
            text = ''.join(open(path, encoding='utf-8').read() for path in known)
        if set(got.values()) != {1} or waiting:
            raise Failure('not each once: %s\n%s' % (got, run.stderr))
        if ('DOT ' in text) != (serves is False):
            raise Failure('remembered: %r\n%s' % (text, run.stderr))
        return None
    return ('one connection for many messages', case)
