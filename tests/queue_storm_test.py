#!/usr/bin/env python3
"""A thousand submitters, four runners, and a server that starts anew again and again; TAP.

Each message has one recipient of its own. Every submitter ends with 0; in the end each recipient
has got his message, whole, and twice only where the server had taken it and its connection was cut
before the client had shown that it knows. For the ten minutes for which such a message waits, the
clock of the last runs is put forward (tests/queue/faults.c).
"""
import asyncio
import atexit
import glob
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402

PROGRAM = harness.binary()
FOLDER = tempfile.mkdtemp(prefix='msubmit-test-')
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
SUBMITTERS = int(os.environ.get('MSUBMIT_SUBMITTERS', '1000'))
RUNNERS = 4
RESTART_SECONDS = 0.3
BODY = b'first line\n..dots\nlast line\n'
tests = harness.Tests()


class Server:
    """Takes everything; restart() cuts all connections, and listens again on the same port."""

    def __init__(self):
        self.got, self.broken, self.restarts = {}, [], 0
        self.window = {}        # how often it was taken, and the client may not know
        self.open, self.listener = {}, None
        self.loop = asyncio.new_event_loop()
        self.port = 0
        self.call(self.listen())
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def call(self, coroutine):
        if not self.loop.is_running():
            return self.loop.run_until_complete(coroutine)
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    async def listen(self):
        self.listener = await asyncio.start_server(self.serve, '127.0.0.1', self.port,
                                                   backlog=2048, reuse_address=True)
        self.port = self.listener.sockets[0].getsockname()[1]

    async def again(self):
        self.listener.close()
        self.restarts += 1
        for writer, taken in list(self.open.items()):
            self.unknown(taken)
            writer.get_extra_info('socket').setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                                       struct.pack('ii', 1, 0))
            writer.transport.abort()
        # somebody may have got the port for a connection of his own
        while True:
            await asyncio.sleep(0.02)
            try:
                return await self.listen()
            except OSError:
                pass

    def restart(self):
        self.call(self.again())

    def unknown(self, taken):
        for rcpt in taken:
            self.window[rcpt] = self.window.get(rcpt, 0) + 1
        taken.clear()

    async def serve(self, reader, writer):
        taken = self.open[writer] = []
        try:
            await self.talk(reader, writer, taken)
        except (OSError, EOFError, asyncio.IncompleteReadError):
            pass
        self.open.pop(writer, None)
        writer.close()

    async def talk(self, reader, writer, taken):
        rcpts = []

        def say(text):
            writer.write(text.encode() + b'\r\n')
        say('220 ready')
        while True:
            line = await reader.readline()
            verb = line[:4].upper()
            if not line:
                return
            if verb == b'RCPT':
                rcpts.append(line[line.index(b'<') + 1:line.index(b'>')].decode())
                say('250 2.1.5 ok')
            elif verb == b'DATA':
                say('354 go on' if rcpts else '554 5.5.1 nobody')
                if rcpts:
                    await self.take(reader, rcpts)
                    taken[:] = rcpts
                    if writer.is_closing():     # it had come before the cut
                        self.unknown(taken)
                    say('250 2.0.0 kept')
            else:
                rcpts = [] if verb in (b'MAIL', b'RSET') else rcpts
                say('221 bye' if verb == b'QUIT' else
                    '250-here\r\n250 PIPELINING' if verb == b'EHLO' else '250 ok')
            if verb == b'QUIT':
                taken.clear()
                return

    async def take(self, reader, rcpts):
        data = b''
        while not data.endswith(b'\r\n.\r\n'):
            line = await reader.readline()
            if not line:
                raise EOFError
            data += line
        for rcpt in rcpts:
            self.got[rcpt] = self.got.get(rcpt, 0) + 1
            if ('To: %s\r\n' % rcpt).encode() not in data or \
               not data.endswith(b'\r\n\r\nfirst line\r\n...dots\r\nlast line\r\n.\r\n'):
                self.broken.append(data)


def environment():
    env = harness.environment(FOLDER)
    env['XDG_STATE_HOME'] = os.path.join(FOLDER, 'state')
    return env


def write_config(port):
    with open(os.path.join(FOLDER, '.msmtprc'), 'w') as f:
        f.write('[account default]\nhost = 127.0.0.1\nport = %d\ntls = off\nsyslog = off\n'
                'aliases =\ndomain = c.example.org\nfrom = s@example.org\nqueue = auto\n'
                # now and then a connection is taken as the server stops, and nobody answers
                'timeout = 5\n' % port)
    os.chmod(f.name, 0o600)


def entries():
    return glob.glob(os.path.join(FOLDER, 'state/msubmit/queue/[0-9A-F][0-9A-F]/*'))


class Runners:
    """Each runs through the queue until told to stop, and the server is restarted meanwhile."""

    def __init__(self, env, server):
        self.env, self.server, self.done, self.bad = env, server, threading.Event(), []
        self.threads = [threading.Thread(target=self.run) for _ in range(RUNNERS)]
        self.threads.append(threading.Thread(target=self.restart))
        for t in self.threads:
            t.start()

    def restart(self):
        while not self.done.wait(RESTART_SECONDS):
            self.server.restart()

    def run(self):
        while not self.done.is_set():
            end = subprocess.run([PROGRAM, '-qf'], env=self.env, cwd=FOLDER, capture_output=True,
                                 stdin=subprocess.DEVNULL, timeout=120 * harness.SCALE, check=False)
            if end.returncode:
                self.bad.append('-qf ends with %d: %s' % (end.returncode, end.stderr))
            self.done.wait(0.1)

    def stop(self):
        self.done.set()
        for t in self.threads:
            t.join()


def submit(number, env):
    rcpt = 'r%05d@example.com' % number
    path = os.path.join(FOLDER, rcpt)
    with open(path, 'wb') as f:
        f.write(('To: %s\nSubject: whole\n\n' % rcpt).encode() + BODY)
    with open(path, 'rb') as f:
        return rcpt, subprocess.Popen([PROGRAM, '-i', '-t'], stdin=f, env=env, cwd=FOLDER,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def empty_the_queue(server, env):
    """The server stays; what may have arrived waits for its ten minutes, by a clock put forward."""
    faults, _ = harness.build_faults(FOLDER)
    if faults:
        env = dict(env, LD_PRELOAD=faults, QF_LATER='1200')
    for _ in range(5):
        if entries():
            subprocess.run([PROGRAM, '-qf'], env=env, cwd=FOLDER, stdin=subprocess.DEVNULL,
                           capture_output=True, timeout=300 * harness.SCALE, check=False)
    return 'QF_LATER' in env


@tests.named('%d submitters, %d runners, a server that restarts: nothing lost' %
             (SUBMITTERS, RUNNERS))
def storm():
    server, env, bad = Server(), environment(), []
    write_config(server.port)
    # the folder is made by the first one
    runners = Runners(env, server)
    waiting = [submit(n, env) for n in range(SUBMITTERS)]
    started = time.monotonic()
    while any(p.poll() is None for _, p in waiting):
        time.sleep(0.05)
        if time.monotonic() > started + 300 * harness.SCALE:
            break
    for rcpt, p in waiting:
        if p.poll() != 0:
            bad.append('%s: exit %s: %s' % (rcpt, p.poll(), p.stderr.read() if p.poll() else ''))
            p.kill()
        p.stderr.close()
    kept = len(entries())
    time.sleep(2)
    runners.stop()
    shifted = empty_the_queue(server, env)
    bad += runners.bad
    rcpts = [r for r, _ in waiting]
    bad += ['%s has not got it' % r for r in rcpts
            if not server.got.get(r) and (shifted or not entries())]
    bad += ['%s has got it %d times, %d in the window' %
            (r, server.got[r], server.window.get(r, 0)) for r in rcpts
            if server.got.get(r, 0) > 1 + server.window.get(r, 0)]
    bad += ['not whole: %r' % data for data in server.broken]
    bad += ['still there: ' + path for path in entries() if shifted]
    print('# %d restarts, %d in the queue when all submitters had ended, %d taken without the '
          'client knowing, %d duplicates' % (server.restarts, kept, sum(server.window.values()),
                                             sum(server.got.values()) - len(server.got)),
          flush=True)
    return bad[:5]


if __name__ == '__main__':
    sys.exit(harness.run_tap(tests, 1))
