"""Servers from npm: run by node in a throw-away folder, stopped by their process id."""
import os
import shutil
import signal
import subprocess
import sys

from common import Failure, SERVERS, skip_all, wait_ports


class Node:
    """The modules of SERVERS/name, and a folder for one server's files; with: stops it."""

    def __init__(self, name, home):
        self.modules = os.path.join(SERVERS, name, 'node_modules')
        if not os.path.exists(os.path.join(SERVERS, name, '.msubmit-tests')):
            skip_all('no %s in %s: run contrib/install-test-tools' % (name, SERVERS))
        if not shutil.which('node'):
            skip_all('no node')
        self.root, self.process = os.path.join(home, name), None
        os.mkdir(self.root)

    def file(self, name, text):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)

    def certificates(self, certs, *names):
        """The server's certificate and key, by these names."""
        for name, source in zip(names, certs('server')):
            with open(source, encoding='utf-8') as f:
                self.file(name, f.read())

    def start(self, ports, *argv, **env):
        env.update(PATH=os.environ['PATH'], HOME=self.root, NODE_PATH=self.modules, TZ='UTC')
        with open(os.path.join(self.root, 'log'), 'ab') as output:
            self.process = subprocess.Popen(('node',) + argv, cwd=self.root, env=env,
                                            stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            wait_ports(ports, self.process)
        except Failure as e:
            sys.exit('Bail out! %s\n%s' % (e, self.log()))

    def log(self, lines=40):
        with open(os.path.join(self.root, 'log'), encoding='utf-8', errors='replace') as f:
            return '\n'.join(f.read().splitlines()[-lines:])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
