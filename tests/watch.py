"""What a client may send at which moment (RFC 5321 and its extensions).

Watch keeps what the server has announced and answered, and raises Violation
at the first octet that does not fit.
"""
import re

MAIL_PARAMETERS = {'SIZE': 'SIZE', 'BODY': '8BITMIME', 'SMTPUTF8': 'SMTPUTF8', 'RET': 'DSN',
                   'ENVID': 'DSN', 'AUTH': 'AUTH'}
RCPT_PARAMETERS = {'NOTIFY': 'DSN', 'ORCPT': 'DSN'}
ROOM = {'SIZE': 26, 'BODY': 16, 'AUTH': 500, 'SMTPUTF8': 10, 'RET': 16, 'ENVID': 108,
        'NOTIFY': 36, 'ORCPT': 508}
ONE_ROUND = {'PLAIN', 'EXTERNAL', 'ANONYMOUS', 'OAUTHBEARER', 'XOAUTH2'}
LAST_IN_GROUP = {'EHLO', 'LHLO', 'HELO', 'DATA', 'STARTTLS', 'AUTH', 'QUIT', 'VRFY', 'NOOP'}


class Violation(Exception):
    """The client did what it must not do, or not what the dialogue says."""


class ClientGone(Exception):
    """The connection ended."""


class Watch:
    """The watch on one session; what moves the octets is below it (peer.py)."""

    def __init__(self, peer):
        self.peer = peer
        self.buf = bytearray()
        self.tls = None
        self.said = 0           # replies sent
        self.command = ''       # verb of the command to be answered
        self.words = []
        self.keywords = None    # None: no EHLO yet
        self.in_mail = False
        self.accepted = 0
        self.utf8 = self.body8 = False
        self.reading_data = self.auth_open = False
        self.closing = False    # 221 or 421 was said
        self.message = bytearray()

    def check_ahead(self, reply):
        """Before a reply: has the client sent more than it may?"""
        if self.reading_data or self.peer.allow('ahead'):
            return
        if self.said == 0:
            if self.pending(0.01):
                raise Violation('sent before the greeting: %r' % bytes(self.buf))
            return
        ahead = self.pending()
        if not ahead:
            return
        one_round = self.command == 'AUTH' and len(self.words) > 2 and self.tls and \
            self.words[1] in ONE_ROUND
        if self.keywords is None or 'PIPELINING' not in self.keywords:
            raise Violation('sent ahead without PIPELINING: %r' % bytes(self.buf))
        if self.command in LAST_IN_GROUP and not one_round:
            raise Violation('%s is not the last of its group: %r' % (self.command, bytes(self.buf)))

    def noticed(self, reply):
        """What our own reply changes."""
        self.said += 1
        lines = reply.split(b'\r\n')[:-1]
        code = lines[-1][:3] if lines else b''
        ok = code[:1] == b'2'
        verb = self.command
        if verb in ('EHLO', 'LHLO') and ok:
            self.keywords = {}
            self.in_mail = False
            for text in lines[1:]:
                words = text[4:].decode('latin-1').replace('=', ' ').split()
                if words:
                    self.keywords.setdefault(words[0].upper(), []).extend(words[1:])
        elif verb == 'HELO' and ok:
            self.keywords = {}
            self.in_mail = False
        elif verb == 'MAIL':
            self.in_mail, self.accepted = ok, 0
        elif verb == 'RCPT' and ok:
            self.accepted += 1
        elif verb in ('RSET', 'dot', 'BDAT LAST') and (ok or verb != 'RSET'):
            self.in_mail = False
        elif verb == 'DATA' and lines[0][:1] == b'3':
            self.reading_data = True
        self.auth_open = code == b'334'
        if code in (b'221', b'421'):
            self.closing = True

    def check_line(self, data):
        text = data[:-2]
        if not data.endswith(b'\r\n') or b'\r' in text:
            raise Violation('bare CR or LF: %r' % data)
        if any(c < 32 or c == 127 for c in text):
            raise Violation('control character: %r' % data)
        if self.closing:
            raise Violation('a command after 221 or 421: %r' % data)
        return text

    def check_command(self, data):
        text = self.check_line(data)
        self.words = text.decode('latin-1').split(' ')
        verb = self.command = self.words[0].upper()
        eight = any(c > 127 for c in text)
        if eight and not (verb in ('MAIL', 'RCPT') and self.has('SMTPUTF8')):
            raise Violation('8-bit octets in a command: %r' % data)
        room = 512
        ahead = self.has('PIPELINING')
        if verb in ('EHLO', 'LHLO', 'HELO'):
            self.check_hello(verb, text)
        elif verb in ('MAIL', 'RCPT'):
            room += self.check_path(verb, text, eight)
        elif verb == 'DATA':
            self.check_state(verb, self.in_mail or ahead, 'outside a transaction')
            self.check_state(verb, self.accepted or ahead, 'without recipient')
        elif verb == 'BDAT':
            self.check_state('BDAT', self.has('CHUNKING'), 'not announced')
            self.check_state(verb, self.in_mail or ahead, 'outside a transaction')
        elif verb == 'STARTTLS':
            self.check_state(verb, self.has('STARTTLS'), 'not announced')
            self.check_state(verb, not self.tls, 'twice')
        elif verb == 'AUTH':
            offered = [m.upper() for m in (self.keywords or {}).get('AUTH', [])]
            self.check_state(verb, len(self.words) > 1 and self.words[1] in offered,
                             'mechanism not announced')
            self.check_state(verb, not self.in_mail, 'in a transaction')
        elif verb not in ('QUIT', 'RSET', 'NOOP', 'HELP', 'VRFY'):
            raise Violation('unknown command: %r' % data)
        if len(data) > room:
            raise Violation('command line of %d octets, %d allowed' % (len(data), room))

    def check_state(self, verb, fine, words):
        if not fine:
            raise Violation('%s %s' % (verb, words))

    def has(self, keyword):
        return bool(self.keywords) and keyword in self.keywords

    def check_hello(self, verb, text):
        name = text[5:].decode('latin-1')
        domain = re.fullmatch(r'[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?', name)
        literal = re.fullmatch(r'\[(\d+\.\d+\.\d+\.\d+|IPv6:[0-9A-Fa-f:.]+)\]', name)
        if not domain and not literal:
            raise Violation('%s name is neither domain nor address literal: %r' % (verb, name))
        if self.in_mail:
            raise Violation('%s in a transaction' % verb)
        if (verb == 'LHLO') != self.peer.lmtp:
            raise Violation('%s to this kind of server' % verb)

    def check_path(self, verb, text, eight):
        """Syntax of MAIL and RCPT; the octets that their parameters allow."""
        head = b'MAIL FROM:<' if verb == 'MAIL' else b'RCPT TO:<'
        path = re.match(re.escape(head) + rb'((?:"(?:[^"\\]|\\.)*"|[^<>" ])*)>(?: (.*))?$', text)
        if not path:
            raise Violation('%s syntax: %r' % (verb, text))
        if self.keywords is None:
            raise Violation('%s before EHLO' % verb)
        if verb == 'MAIL':
            self.check_state(verb, not self.in_mail, 'in a transaction')
            self.utf8 = self.body8 = False
            self.message = bytearray()
            # Sent ahead, RCPT is looked at before MAIL was answered.
            self.in_mail = True
        else:
            self.check_state(verb, self.in_mail or self.has('PIPELINING'), 'outside a transaction')
            if not path.group(1):
                raise Violation('RCPT without address')
        room = 0
        table = MAIL_PARAMETERS if verb == 'MAIL' else RCPT_PARAMETERS
        seen = set()
        for param in (path.group(2) or b'').split(b' ') if path.group(2) is not None else ():
            name, _, value = param.decode('latin-1').partition('=')
            if name not in table or name in seen:
                raise Violation('parameter %r of %s' % (name, verb))
            if not self.has(table[name]):
                raise Violation('parameter %s although %s was not announced' % (name, table[name]))
            seen.add(name)
            room += ROOM[name]
            self.utf8 = self.utf8 or name == 'SMTPUTF8'
            self.body8 = self.body8 or (name == 'BODY' and value == '8BITMIME')
        if eight and not self.utf8:
            raise Violation('8-bit address without SMTPUTF8: %r' % text)
        return room

    def check_data_line(self, data, in_header):
        text = data[:-2]
        if not data.endswith(b'\r\n') or b'\r' in text:
            raise Violation('bare CR or LF in the data: %r' % data[:200])
        if b'\0' in text:
            raise Violation('NUL in the data: %r' % data[:200])
        if len(text) > 998 and not self.peer.allow('long-lines'):
            raise Violation('line of %d octets in the data' % len(text))
        if any(c > 127 for c in text):
            if in_header and not self.utf8 and not self.peer.allow('8bit-header'):
                raise Violation('8-bit header without SMTPUTF8: %r' % data[:200])
            if not in_header and not self.body8 and not self.peer.allow('8bit-body'):
                raise Violation('8-bit body without BODY=8BITMIME: %r' % data[:200])
        if in_header and not self.peer.allow('bcc') and \
                re.match(rb'(resent-)?bcc[ \t]*:', text, re.I):
            raise Violation('a blind copy field on the wire: %r' % data)

    def check_message(self):
        data = bytes(self.message)
        in_header = True
        for text in data.splitlines(True) if b'\r' not in data.replace(b'\r\n', b'') else \
                data.split(b'\n'):
            if in_header and text == b'\r\n':
                in_header = False
            self.check_data_line(text if text.endswith(b'\n') else text + b'\n', in_header)
        if in_header and data and not self.peer.allow('no-separator'):
            raise Violation('no empty line behind the header')
        self.peer.messages.append(data)
