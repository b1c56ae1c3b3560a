"""What a client may send at which moment (RFC 5321 and its extensions).

Watch keeps what the server has announced and answered, and raises Violation
at the first octet that does not fit.
"""
import re

DATE_TIME = r'\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T[0-2]\d:[0-5]\d:[0-6]\dZ'
XTEXT = r'(?:[!-*,-<>-~]|\+[0-9A-F]{2})'
UNITEXT = r'(?:[!-*,-<>-\[\]-~\u0080-\U0010ffff]|\\x\{[0-9A-F]{2,6}\})'

# name -> (keywords of which one must be announced, octets more, grammar of the value or None).
# The order is that of doc/protocol.md#parameters.
MAIL_PARAMETERS = {
    'SIZE': (['SIZE'], 26, r'\d{1,20}'),
    'BODY': (['8BITMIME', 'SMTPUTF8', 'BINARYMIME'], 16, '7BIT|8BITMIME|BINARYMIME'),
    'SMTPUTF8': (['SMTPUTF8'], 10, None),
    'REQUIRETLS': (['REQUIRETLS'], 11, None),
    'RET': (['DSN'], 16, 'FULL|HDRS'),
    'ENVID': (['DSN', 'MTRK'], 108, XTEXT + '{1,100}'),
    'AUTH': (['AUTH'], 500, '<>|' + XTEXT + '+'),
    'MT-PRIORITY': (['MT-PRIORITY'], 15, '0|-?[1-9]'),
    'BY': (['DELIVERBY'], 17, r'(?:[1-9]\d{0,8};R|-?\d{1,9};N)T?'),
    'HOLDFOR': (['FUTURERELEASE'], 34, r'[1-9]\d{0,8}'),
    'HOLDUNTIL': (['FUTURERELEASE'], 34, DATE_TIME),
    'MTRK': (['MTRK'], 40, r'[A-Za-z0-9+/]{27}(?::[1-9]\d{0,8})?'),
    'SUBMITTER': (['SUBMITTER'], 500, XTEXT + r'+'),
    'SOLICIT': (['NO-SOLICITING'], 1007, r'[A-Za-z][\w.:-]*(?:,[A-Za-z][\w.:-]*)*'),
    'CONPERM': (['CONPERM'], 8, None),
    'PRDR': (['PRDR'], 5, None),
    'TRANSID': (['CHECKPOINT'], 88, r'<[!-?A-~]+@[!-?A-~]+>'),
}
RCPT_PARAMETERS = {
    'NOTIFY': (['DSN'], 36, r'NEVER|(?:SUCCESS|FAILURE|DELAY)(?:,(?:SUCCESS|FAILURE|DELAY)){0,2}'),
    'ORCPT': (['DSN', 'MTRK'], 508, 'rfc822;%s+|utf-8;%s+' % (XTEXT, UNITEXT)),
    'RRVS': (['RRVS'], 33, DATE_TIME + '(?:;[CR])?'),
    'CONNEG': (['CONNEG'], 7, None),
}
TOGETHER = [('HOLDFOR', 'HOLDUNTIL')]   # at most one of each
LAST_IN_GROUP = {'EHLO', 'LHLO', 'HELO', 'DATA', 'STARTTLS', 'AUTH', 'QUIT', 'VRFY', 'NOOP',
                 'EXPN', 'ETRN', 'ATRN', 'XCLIENT'}
TERMINAL = ('SEND', 'SOML', 'SAML')      # RFC 821: MAIL by another name


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
        self.binary = self.authenticated = False
        self.reversed = False   # after ATRN the client is the server
        self.message = bytearray()

    def check_ahead(self, reply):
        """Before a reply: has the client sent more than it may?"""
        if self.reading_data or self.reversed or self.peer.allow('ahead'):
            return
        if self.keywords is None and self.peer.allow('early'):
            return              # PIPECONNECT, announced on another connection
        if self.said == 0:
            if self.pending(0.01):
                raise Violation('sent before the greeting: %r' % bytes(self.buf))
            return
        ahead = self.pending()
        if not ahead:
            return
        if self.keywords is None or 'PIPELINING' not in self.keywords:
            raise Violation('sent ahead without PIPELINING: %r' % bytes(self.buf))
        if self.command in LAST_IN_GROUP:
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
        elif verb == 'XCLIENT' and code == b'220':
            self.keywords = None
        elif verb == 'ATRN':
            self.reversed = self.reversed or ok
        elif verb == 'MAIL' or verb in TERMINAL:
            self.in_mail, self.accepted = ok, 0
        elif verb == 'RCPT' and ok:
            self.accepted += 1
        elif verb in ('RSET', 'dot', 'BDAT LAST') and (ok or verb != 'RSET'):
            self.in_mail = False
        elif verb == 'DATA' and lines[0][:1] == b'3':
            self.reading_data = True
        elif verb == 'AUTH' and code == b'235':
            self.authenticated = True
        if verb == 'MAIL' and code == b'355':
            self.in_mail, self.accepted = True, 1   # CHECKPOINT: the server has the recipients
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
        if self.reversed:
            return
        self.words = text.decode('latin-1').split(' ')
        verb = self.command = self.words[0].upper()
        eight = any(c > 127 for c in text)
        if eight and not (verb in ('MAIL', 'RCPT', 'VRFY', 'EXPN') and self.has('SMTPUTF8')):
            raise Violation('8-bit octets in a command: %r' % data)
        room = 512
        ahead = self.has('PIPELINING')
        if verb in ('EHLO', 'LHLO', 'HELO'):
            self.check_hello(verb, text)
        elif verb in TERMINAL:
            self.check_state(verb, self.has(verb) or self.peer.allow('unannounced-' + verb.lower()),
                             'not announced')
            room += self.check_path(verb, text, eight)
        elif verb in ('MAIL', 'RCPT'):
            room += self.check_path(verb, text, eight)
        elif verb == 'DATA':
            self.check_state(verb, self.in_mail or ahead, 'outside a transaction')
            self.check_state(verb, self.accepted or ahead, 'without recipient')
            self.check_state(verb, not self.binary, 'of binary content')
        elif verb in ('BDAT', 'BURL'):
            self.check_state(verb, self.has('CHUNKING' if verb == 'BDAT' else 'BURL'),
                             'not announced')
            self.check_state(verb, self.in_mail or ahead, 'outside a transaction')
            if verb == 'BURL':
                self.check_state(verb, self.tls, 'without TLS')
                self.check_state(verb, self.authenticated or ahead, 'without AUTH')
                room += len(data)
        elif verb == 'STARTTLS':
            self.check_state(verb, self.has('STARTTLS'), 'not announced')
            self.check_state(verb, not self.tls, 'twice')
        elif verb == 'AUTH':
            offered = [m.upper() for m in (self.keywords or {}).get('AUTH', [])]
            self.check_state(verb, len(self.words) > 1 and self.words[1] in offered,
                             'mechanism not announced')
            self.check_state(verb, not self.in_mail, 'in a transaction')
        elif verb in ('XCLIENT', 'XFORWARD'):
            self.check_attributes(verb)
        elif verb in ('ETRN', 'ATRN'):
            self.check_state(verb, self.has(verb), 'not announced')
            self.check_state(verb, not self.in_mail, 'in a transaction')
        elif verb not in ('QUIT', 'RSET', 'NOOP', 'HELP', 'VRFY', 'EXPN') and \
                not self.peer.allow('raw'):
            raise Violation('unknown command: %r' % data)
        if len(data) > room and not self.peer.allow('long-commands'):
            raise Violation('command line of %d octets, %d allowed' % (len(data), room))

    def check_attributes(self, verb):
        """XCLIENT and XFORWARD: attributes that were listed, each once, in xtext."""
        self.check_state(verb, self.has(verb), 'not announced')
        self.check_state(verb, not self.in_mail, 'in a transaction')
        names = [w.partition('=')[0] for w in self.words[1:]]
        if not names or len(set(names)) < len(names) or set(names) - set(self.keywords[verb]):
            raise Violation('%s with attributes %r' % (verb, names))
        if not all(re.fullmatch('[A-Z-]+=' + XTEXT + '+', w) for w in self.words[1:]):
            raise Violation('%s syntax: %r' % (verb, self.words))

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
        head = b'RCPT TO:<' if verb == 'RCPT' else verb.encode() + b' FROM:<'
        path = re.match(re.escape(head) + rb'((?:"(?:[^"\\]|\\.)*"|[^<>" ])*)>(?: (.*))?$', text)
        if not path:
            raise Violation('%s syntax: %r' % (verb, text))
        if self.keywords is None:
            raise Violation('%s before EHLO' % verb)
        if verb != 'RCPT':
            self.check_state(verb, not self.in_mail, 'in a transaction')
            self.utf8 = self.body8 = False
            self.binary = b' BODY=BINARYMIME' in text
            self.message = bytearray()
            # Sent ahead, RCPT is looked at before MAIL was answered.
            self.in_mail = True
        else:
            self.check_state(verb, self.in_mail or self.has('PIPELINING'), 'outside a transaction')
            if not path.group(1):
                raise Violation('RCPT without address')
        room = self.check_parameters(verb, path.group(2), not path.group(1))
        if eight and not self.utf8:
            raise Violation('8-bit address without SMTPUTF8: %r' % text)
        return room

    def check_parameters(self, verb, text, null_path):
        """Announced, each once, well-formed, in order; the octets that they allow."""
        room = 0
        table = RCPT_PARAMETERS if verb == 'RCPT' else MAIL_PARAMETERS
        if verb in TERMINAL:
            table = {k: table[k] for k in ('SIZE', 'BODY')}
        order = list(table)
        seen = []
        for param in text.split(b' ') if text is not None else ():
            param = param.decode('utf-8', 'surrogateescape')
            name, equals, value = param.partition('=')
            if name in seen:
                raise Violation('parameter %s of %s twice' % (name, verb))
            keywords, more, grammar = table.get(name, ([name], len(param) + 1, False))
            self.check_announced(name, value, keywords)
            if grammar is None and equals:
                raise Violation('parameter %s has a value: %r' % (name, param))
            if grammar and not re.fullmatch(grammar, value):
                raise Violation('parameter %s is malformed: %r' % (name, param))
            if seen and name in order and \
                    (seen[-1] not in order or order.index(seen[-1]) > order.index(name)):
                raise Violation('parameter %s behind %s' % (name, seen[-1]))
            seen.append(name)
            room += more
            self.utf8 = self.utf8 or name == 'SMTPUTF8'
            self.body8 = self.body8 or (name == 'BODY' and value in ('8BITMIME', 'BINARYMIME'))
        for group in TOGETHER:
            if len([n for n in group if n in seen]) > 1:
                raise Violation('parameters together: ' + ', '.join(group))
        if null_path and ('HOLDFOR' in seen or 'HOLDUNTIL' in seen):
            raise Violation('a release time with the null reverse-path')
        return room

    def check_announced(self, name, value, keywords):
        if self.peer.allow('unannounced') or self.peer.allow('param=' + name):
            return
        if value == 'BINARYMIME':
            keywords = ['BINARYMIME']
        if not any(self.has(k) for k in keywords):
            raise Violation('parameter %s although %s was not announced' % (name, keywords[0]))
        if name == 'REQUIRETLS' and not self.tls:
            raise Violation('REQUIRETLS without TLS')

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
        if self.binary:
            self.peer.messages.append(data)
            return
        in_header = True
        for text in data.splitlines(True) if b'\r' not in data.replace(b'\r\n', b'') else \
                data.split(b'\n'):
            if in_header and text == b'\r\n':
                in_header = False
            self.check_data_line(text if text.endswith(b'\n') else text + b'\n', in_header)
        if in_header and data and not self.peer.allow('no-separator'):
            raise Violation('no empty line behind the header')
        self.peer.messages.append(data)
