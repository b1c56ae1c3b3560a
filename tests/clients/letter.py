"""A letter, and how it must have arrived whatever program has written it.

Client is a row of the tables in mailers.py and libraries.py. Each is tried three times:
the server takes the letter; it refuses the recipient; there is no server.
"""
import email
import email.policy
import os
import re
import subprocess

from room import SENDER, UNPACKED, Failure

TO, CC, BCC = 'a@example.org', 'c@example.org', 'b@example.org'
SUBJECT = 'Gr\u00fcn \u2013 100 % "quoted"'
TEXT = ('Gr\u00fc\u00dfe\n\n.\n..two dots\n.one dot\nFrom the start of a line\n' +
        'a long line, ' * 90 + '\nend\n')


def want(what, got, wanted):
    """Long texts are shown from shortly before they differ."""
    if got != wanted:
        start = len(os.path.commonprefix([got, wanted])) - 20 if isinstance(got, str) else 0
        got, wanted = (v[max(start, 0):] if isinstance(v, str) else v for v in (got, wanted))
        raise Failure('%s: %.150r, not %.150r' % (what, got, wanted))


def want_words(text, words):
    """Each of the words is in the text."""
    for word in words:
        if word not in text:
            raise Failure('no %r in: %s' % (word, text))


def parse(mail, own='localhost'):
    """The message, which has one From, Date and Message-ID, and no Bcc.

    own: what must not be in the Message-ID."""
    message = email.message_from_bytes(mail.data, policy=email.policy.default)
    for field, count in (('From', 1), ('Date', 1), ('Message-ID', 1), ('Bcc', 0)):
        if len(message.get_all(field, [])) != count:
            raise Failure('not %d %s field: %r' % (count, field, message.items()))
    identifier = message['Message-ID']
    if not identifier.startswith('<') or '@' not in identifier or own in identifier:
        raise Failure('Message-ID: ' + identifier)
    if not message['From'].addresses or '@' not in message['From'].addresses[0].addr_spec:
        raise Failure('From: %s' % message['From'])
    body = mail.data.partition(b'\r\n\r\n')[2]
    if not body.isascii() and (message['MIME-Version'] != '1.0' or
                               message['Content-Transfer-Encoding'] not in ('8bit', 'binary') and
                               not message.is_multipart()):
        raise Failure('8-bit text, not declared: %r' % message.items())
    if message.defects or message['Date'].datetime is None:
        raise Failure('defects: %r, Date: %r' % (message.defects, message['Date']))
    return message


def text_of(part):
    """The decoded text of a part, with LF; some encode a CR of their own before CRLF."""
    return re.sub('\r+\n', '\n', part.get_payload(decode=True).decode(
        part.get_content_charset() or 'utf-8'))


class Client:
    """A program that writes a letter.

    send(room, to, cc, bcc) gives (status, text shown to the user). writes: what the client
    makes of a text. order: the recipients as the client names them; None: in any order.
    refused, down: words that the user sees then, beside a status that is not 0, if the
    client looks at it. further: one more way of a client's, which need only succeed.
    """

    def __init__(self, name, needs, send, writes=str, order=(TO, CC, BCC), sender=SENDER,
                 refused=('550 5.1.1 no such user',), down=('Connection refused',),
                 author=None, looks=True, further=False):
        self.name, self.needs, self.send = name, needs, send
        self.writes, self.order, self.sender = writes, order and list(order), sender
        self.refused, self.down, self.author, self.looks = refused, down, author, looks
        self.further = further

    def accepted(self, room):
        status, text = self.send(room, TO, CC, BCC)
        if status:
            raise Failure('status %d: %s' % (status, text))
        mails = room.sink.mails
        order = self.order or sorted([TO, CC, BCC], key=mails[0].order.index if mails else None)
        message = parse(room.mail(order, self.sender))
        want('Subject', message['Subject'], SUBJECT)
        want('To', [a.addr_spec for a in message['To'].addresses], [TO])
        want('Cc', [a.addr_spec for a in message['Cc'].addresses], [CC])
        if self.author:
            want('From', message['From'].addresses[0].addr_spec, self.author)
        want('text', text_of(message.get_body(('plain',))), self.writes(TEXT))

    def failed(self, room, to, words, logged):
        status, text = self.send(room, to, '', '')
        if self.looks and status == 0:
            raise Failure('status 0: ' + text)
        want_words(text, words)
        room.syslog.wait(logged)
        want('mails', len(room.sink.mails), 0)

    def is_refused(self, room):
        self.failed(room, 'unknown@example.org', self.refused, '550 5.1.1 no such user')

    def no_server(self, room):
        room.down()
        self.failed(room, TO, self.down, 'Connection refused')

    def tests(self):
        """Rows for run.py."""
        rows = [(self.name, self.needs, self.accepted)]
        return rows if self.further else rows + [
                (self.name + ': refused', self.needs, self.is_refused),
                (self.name + ': no server', self.needs, self.no_server)]


# --- what is installed ------------------------------------------------------------------

def answers(*argv):
    """A need: the command succeeds."""
    try:
        return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False).returncode == 0
    except OSError:
        return False


def unpacked(name):
    return os.path.exists(os.path.join(UNPACKED, name))
