"""The listener in front of a real server: what its clients hear, and what arrives."""
import os
import smtplib
import subprocess
import tempfile
import time

import suite
from common import WAIT, Failure, harness


class Listening:
    """msubmit -bd with an account of the service, in a folder of its own; an smtplib client of it."""

    def __init__(self, service, deliver, mode='starttls', **settings):
        self.folder = tempfile.TemporaryDirectory(dir=service.home)
        self.path = self.folder.name
        with open(os.path.join(self.path, 'rc'), 'w', encoding='utf-8') as f:
            f.write(service.account(mode, dict(settings, queue_dir=self.path + '/queue')))
            f.write('[listen local]\nlisten = 127.0.0.1:0\ndeliver = %s\nstrict = off\n' % deliver)
            f.write('port_file = %s/port\n' % self.path)
        os.chmod(f.name, 0o600)

    def __enter__(self):
        with open(self.path + '/stderr', 'wb') as err:
            self.process = subprocess.Popen(
                [harness.binary(), '-C', self.path + '/rc', '-bd', '--foreground'], stdin=subprocess.DEVNULL,
                stdout=err, stderr=err, env=harness.environment(self.path), cwd=self.path)
        end = time.monotonic() + WAIT
        while not os.path.exists(self.path + '/port'):
            if self.process.poll() is not None or time.monotonic() > end:
                raise Failure('no listener: ' + self.said())
            time.sleep(0.02)
        with open(self.path + '/port', encoding='ascii') as f:
            host, _, port = f.read().strip().rpartition(':')
        self.client = smtplib.SMTP(host, int(port), timeout=WAIT)
        self.client.ehlo('client')
        return self

    def said(self):
        with open(self.path + '/stderr', encoding='utf-8', errors='replace') as f:
            return f.read()

    def __exit__(self, *_):
        self.client.close()
        self.process.terminate()
        self.process.wait(WAIT)
        self.folder.cleanup()

    def send(self, recipients, body, subject='x'):
        """The replies to the recipients, and to the message, as text; what was sent."""
        message = (suite.HEADER % (recipients[0], subject, recipients[0].split('@')[0])).encode() + body
        replies = [self.text(self.client.mail('joe@example.org'))]
        if replies[0].startswith('250'):
            replies = [self.text(self.client.rcpt(r)) for r in recipients]
            if any(r.startswith('25') for r in replies):
                replies.append(self.text(self.client.data(message.replace(b'\n', b'\r\n'))))
            else:
                self.client.rset()
        return replies, message

    @staticmethod
    def text(reply):
        return '%d %s' % (reply[0], reply[1].decode('ascii', 'replace'))


def want(replies, *beginnings):
    if len(replies) != len(beginnings) or not all(r.startswith(b) for r, b in zip(replies, beginnings)):
        raise Failure('%r instead of %r' % (replies, beginnings))
