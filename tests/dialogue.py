"""The language of dialogues, for peer.py and case files.

A dialogue is a list of connections, each a list of steps. In text:

    S: 220 peer          reply line(s); " / " starts a new line, CRLF is added
    C: EHLO *            the client's next line; * stands for anything, \\* is a star
    C: <message>         the data up to the final dot
    C: BDAT * LAST       the octets of a chunk are read with its command line
    EOF                  the client closes now
    GET "\\x05\\x01"       exactly these octets come
    RAW "250 half"       octets as they are, no CRLF
    BYTES n              from here on everything is sent in pieces of n octets
    WAIT n               n seconds pass
    SILENCE              nothing is said until the client closes
    DRIP "x"             these octets over and over, five times a second, until the client closes
    FLOOD "x"            the same without a pause, as fast as they are taken
    CLOSE, CUT, RESET    polite end, end without TLS close_notify, TCP reset
    TLS [...]            handshake; words: refused, cert=NAME, max=1.2, alpn=NAME, dh=FILE, client,
                         early="octets" (sent in the same segment as Finished)
    FLIGHT n             n more lines are there, although nothing was answered
    ALONE                nothing more comes before the answer
    CONNECT              the next connection begins
    TIMES n  ...         the rest of the line n times

Several steps may stand on one line. \\r \\n \\t \\0 \\xNN \\\\ are escapes; {x*500}
repeats, {b64:text} encodes. When a dialogue has ended, RSET and QUIT are
answered and the client has to close.
"""
import base64
import re

ALONE_WORDS = 'TLS|CLOSE|CUT|RESET|SILENCE|EOF|CONNECT|ALONE'
VALUE_WORDS = 'WAIT|BYTES|RAW|GET|FLIGHT|DRIP|FLOOD'
# Where a step begins within a line: one blank before S: and C:, two before the words.
STEP = re.compile(r'(?:^|\s+)(?=[SC]:(?:\s|$))|(?:^|\s\s+|(?<=\S)\t+)(?=(?:%s)\b|(?:%s) )' %
                  (ALONE_WORDS, VALUE_WORDS))
DIALOGUE_LINE = re.compile(r'(?:[SC]:(?:\s|$)|(?:%s)\b|(?:%s|TIMES) )' % (ALONE_WORDS, VALUE_WORDS))
ESCAPE = re.compile(r'\\(x[0-9A-Fa-f]{2}|.)', re.S)


def unescape(text):
    """Text with escapes as octets."""
    def one(match):
        what = match.group(1)
        if what[0] == 'x':
            octet = int(what[1:], 16)
            return chr(octet) if octet < 128 else chr(0xDC00 + octet)
        return {'n': '\n', 'r': '\r', 't': '\t', '0': '\0'}.get(what, what)
    return ESCAPE.sub(one, text).encode('utf-8', 'surrogateescape')


def expand(text):
    """{x*500} and {b64:...}; the result is still escaped text."""
    text = re.sub(r'\{b64:([^}]*)\}',
                  lambda m: base64.b64encode(unescape(m.group(1))).decode(), text)
    return re.sub(r'\{([^{}]+)\*(\d+)\}', lambda m: m.group(1) * int(m.group(2)), text)


def quoted(text):
    """The octets of "..." with escapes."""
    text = text.strip()
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        raise ValueError('not a quoted string: ' + text)
    return unescape(expand(text[1:-1]))


def pattern(text):
    """A compiled pattern: * is anything, \\* a star, everything else itself."""
    out = []
    for piece in re.split(r'(\\x[0-9A-Fa-f]{2}|\\.|\*)', text, flags=re.S):
        if piece == '*':
            out.append(b'.*')
        elif piece:
            out.append(re.escape(unescape(piece)))
    return re.compile(b''.join(out), re.S)


def parse_step(text):
    text = text.strip()
    if text[:2] in ('S:', 'C:'):
        rest = expand(text[2:].strip())
        if text[0] == 'C':
            return ('C', rest)
        return ('S', b''.join(unescape(l) + b'\r\n' for l in re.split(r' +/ +', rest)))
    word, _, rest = text.partition(' ')
    if word in ('RAW', 'GET', 'DRIP', 'FLOOD'):
        return (word, quoted(rest))
    if word in ('WAIT', 'BYTES', 'FLIGHT'):
        return (word, float(rest))
    return (word, rest.strip())


def parse_dialogue(lines):
    """Connections (lists of steps) from the lines of a dialogue."""
    connections = [[]]
    for line in lines:
        line = line.strip()
        times = 1
        if line.startswith('TIMES '):
            _, count, line = line.split(None, 2)
            times = int(count)
        # Octet strings may hold anything that looks like a step.
        steps = [parse_step(line)] if line.startswith(('RAW ', 'GET ', 'DRIP ', 'FLOOD ')) else \
            [parse_step(s) for s in STEP.split(line) if s.strip()]
        for step in steps * times:
            if step[0] == 'CONNECT':
                connections.append([])
            else:
                connections[-1].append(step)
    return connections if connections != [[]] else []
