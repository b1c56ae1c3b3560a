"""A server that takes mail, keeps nothing, and counts what clients make it do.

A wait is a time when the client had to wait for the server: the sink has
answered all that came and has nothing more to read. The greeting is the
first; a TLS handshake is none, and the reply to QUIT only for who is still
there to read it. Connections, commands and octets are counted too. Runs in
threads of the process that measures.
"""

import select
import socket
import ssl
import threading

CAPABILITIES = ["PIPELINING", "SIZE 0", "8BITMIME", "CHUNKING", "ENHANCEDSTATUSCODES", "SMTPUTF8"]

LINGER = 0.2  # seconds in which a client that does not wait for 221 has closed


class Session:
    """One connection: a buffer of what came, one of what is to be said."""

    def __init__(self, sink, conn):
        self.sink, self.conn = sink, conn
        self.inbuf, self.out = bytearray(), []
        self.closed = False

    def say(self, text):
        self.out.append(text + "\r\n")

    def flush(self):
        if self.out:
            self.sink.waits += 1
            self.conn.sendall("".join(self.out).encode())
            self.out = []

    def fill(self):
        """More input; what was said goes out first if nothing is half read."""
        if not self.inbuf:
            self.flush()
        data = self.conn.recv(1 << 20)
        if not data:
            self.closed = True
        self.inbuf += data
        return bool(data)

    def line(self):
        while True:
            end = self.inbuf.find(b"\n")
            if end >= 0:
                text = bytes(self.inbuf[:end]).rstrip(b"\r").decode("utf-8", "replace")
                del self.inbuf[: end + 1]
                return text
            if not self.fill():
                return None

    def skip(self, count):
        """Throws count octets away without keeping them."""
        self.sink.octets += count
        while count:
            if not self.inbuf and not self.fill():
                return False
            take = min(count, len(self.inbuf))
            del self.inbuf[:take]
            count -= take
        return True

    def skip_to_dot(self):
        tail = b"\r\n"
        while True:
            whole = tail + bytes(self.inbuf)
            end = whole.find(b"\r\n.\r\n")
            if end >= 0:
                used = end + 5 - len(tail)
                self.sink.octets += used
                del self.inbuf[:used]
                return True
            self.sink.octets += len(self.inbuf)
            tail = whole[-4:]
            self.inbuf.clear()
            if not self.fill():
                return False

    def start_tls(self):
        self.say("220 2.0.0 go")
        self.flush()
        self.conn = self.sink.context.wrap_socket(self.conn, server_side=True)

    def capabilities(self, tls):
        words = list(CAPABILITIES)
        if self.sink.context and not tls:
            words.append("STARTTLS")
        if tls:
            words.append("AUTH PLAIN")
        return ["sink"] + words

    def taken(self):
        """The message is here; the client still waits for our word."""
        self.sink.messages += 1
        if self.sink.on_message:
            self.sink.on_message()
        self.say("250 2.0.0 taken")

    def command(self, line, tls):
        """Answers one command; returns False at the end of the session."""
        verb = line.split(" ")[0].upper()
        self.sink.commands += 1
        if verb in ("EHLO", "LHLO"):
            words = self.capabilities(tls)
            for i, word in enumerate(words):
                self.say("250%s%s" % ("-" if i < len(words) - 1 else " ", word))
        elif verb == "AUTH":
            if len(line.split(" ")) < 3:
                self.say("334 ")
                self.line()
            self.say("235 2.7.0 ok")
        elif verb == "DATA":
            self.say("354 go")
            if not self.skip_to_dot():
                return False
            self.taken()
        elif verb == "BDAT":
            words = line.split(" ")
            if not self.skip(int(words[1])):
                return False
            if len(words) > 2:
                self.taken()
            else:
                self.say("250 2.0.0 more")
        elif verb == "QUIT":
            gone = select.select([self.conn], [], [], LINGER)[0]
            if not gone:
                self.say("221 2.0.0 bye")
                self.flush()
            return False
        else:
            self.say("250 2.1.0 ok")
        return True

    def run(self):
        tls = self.sink.implicit
        if tls:
            self.conn = self.sink.context.wrap_socket(self.conn, server_side=True)
        self.say("220 sink ESMTP")
        while True:
            line = self.line()
            if line is None:
                return
            if line.upper() == "STARTTLS":
                self.start_tls()
                tls = True
            elif not self.command(line, tls):
                return


class Sink:
    """Listens on loopback; counters are reset by reset()."""

    def __init__(self, cert=None, key=None, implicit=False):
        self.context = None
        self.implicit = implicit  # TLS from the first octet
        self.on_message = None  # called before the message is answered
        if cert:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(cert, key)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.reset()
        threading.Thread(target=self.serve, daemon=True).start()

    def reset(self):
        self.waits = self.commands = self.octets = self.messages = self.connections = 0

    def serve(self):
        while True:
            conn, _ = self.socket.accept()
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            session = Session(self, conn)
            try:
                session.run()
            except (OSError, ssl.SSLError):
                pass  # a client that does not wait for 221 is no fault
            finally:
                session.conn.close()
