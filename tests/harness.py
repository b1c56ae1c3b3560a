"""What the test programs share: the binary, certificates, clean surroundings, ports, TAP."""
import concurrent.futures
import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

JOBS = max(2, min(4, (os.cpu_count() or 2)))
# Slow surroundings (valgrind, emulators) may stretch every limit of the tests.
SCALE = float(os.environ.get('MSUBMIT_TEST_SCALE', '1'))

# An account of a test's own server; its port is to be filled in, and more keys go behind it.
ACCOUNT = '''[account default]
host = 127.0.0.1
port = %d
tls = off
syslog = off
aliases =
domain = client.example.org
from = sender@example.org
'''

# Under nohup, and in the background of a script, some signals are ignored, and what a test
# starts would inherit that. What is caught here has its default in each program started.
for _number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, lambda *_: None)


def binary():
    """Absolute path of the program under test."""
    path = os.path.abspath(os.environ.get('MSUBMIT', './msubmit'))
    if not os.access(path, os.X_OK):
        print('Bail out! %s cannot be run: build it, or set MSUBMIT' % path)
        sys.exit(99)
    return path


class Certificates:
    """The files of certs.py, made when first asked for."""

    def __init__(self, folder):
        self.folder = folder
        self.lock = threading.Lock()

    def make(self):
        with self.lock:
            if not os.path.isdir(self.folder):
                maker = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'certs.py')
                subprocess.run([sys.executable, '-B', maker, self.folder], check=True,
                               stdout=subprocess.DEVNULL)
        return self.folder

    def __call__(self, name):
        """(certificate, key, CA) of 'server', 'client', 'rsa', 'small', 'bad-...' or 'ok-...'."""
        path = os.path.join(self.make(), name)
        key = path if name in ('client', 'rsa', 'small') else os.path.join(self.folder, 'server')
        return path + '.pem', key + '.key', os.path.join(self.folder, 'ca.pem')

    def bad(self):
        """Names of all certificates that must be refused."""
        return sorted(n[:-4] for n in os.listdir(self.make()) if n.startswith('bad-'))


def environment(home):
    """Nothing of the caller's but what sanitizers and checkers need."""
    keep = ('ASAN_OPTIONS', 'UBSAN_OPTIONS', 'LSAN_OPTIONS', 'LLVM_PROFILE_FILE', 'LD_PRELOAD',
            'GCOV_PREFIX', 'GCOV_PREFIX_STRIP')
    env = {k: os.environ[k] for k in keep if k in os.environ}
    env.update(HOME=home, PATH='/usr/local/bin:/usr/bin:/bin', TZ='UTC', TMPDIR=home)
    return env


def without_leaks():
    """For tests of a great many short runs that other tests have once: with AddressSanitizer the
    look for leaks at each end takes as long as the run."""
    given = os.environ.get('ASAN_OPTIONS')
    os.environ['ASAN_OPTIONS'] = 'detect_leaks=0' if not given else given + ':detect_leaks=0'


def sanitizer_words(text):
    """What a sanitizer says on stderr, or ''."""
    for line in text.splitlines():
        if 'runtime error:' in line or 'Sanitizer' in line:
            return line
    return ''


def unprintable(text):
    """Octets that must not reach a terminal; decoded with surrogateescape."""
    return [c for c in text if (ord(c) < 32 and c not in '\n\t') or 0x7f <= ord(c) < 0xa0 or
            0xdc80 <= ord(c) <= 0xdcff]


class Folder:
    """A throw-away folder."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix='msubmit-test-')
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


RESERVED = []       # sockets whose names say that a port has been given


def reserve(port):
    """May this process have the port? No other one, and no other call, gets it as well."""
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind('\0msubmit-test-port-%d' % port)
    except OSError:
        name.close()
        return False
    RESERVED.append(name)
    return True


def free_port(*addresses):
    """A port that nobody uses on any of the addresses (127.0.0.1), and that is given once.

    It is below those that the system gives to clients and to listeners on port 0,
    which could take it meanwhile."""
    while True:
        port = random.randrange(10000, 32000)
        if not reserve(port):
            continue
        with contextlib.ExitStack() as stack:
            try:
                for address in addresses or ('127.0.0.1',):
                    family = socket.AF_INET6 if ':' in address else socket.AF_INET
                    stack.enter_context(socket.socket(family)).bind((address, port))
                return port
            except OSError:
                continue


def build_faults(folder):
    """The library of tests/queue/faults.c, to be put in front of libc: its path, else None and why."""
    path = os.path.join(folder, 'faults.so')
    if b'__asan_init' in open(binary(), 'rb').read():
        return None, 'the library cannot stand in front of that of a sanitizer'
    built = subprocess.run([os.environ.get('CC', 'cc').split()[-1], '-shared', '-fPIC', '-o', path,
                            os.path.join(os.path.dirname(os.path.abspath(__file__)), 'queue/faults.c'),
                            '-ldl'], capture_output=True, check=False)
    if built.returncode:
        return None, 'no compiler: %s' % built.stderr.decode().splitlines()[-1:]
    return path, None


class Listener:
    """A socket on loopback: each connection goes to serve(socket) in a thread of its own."""

    def __init__(self, serve, address='127.0.0.1', port=0, unix=None):
        self.serve, self.connections, self.threads = serve, 0, []
        if unix:
            self.socket, self.port = socket.socket(socket.AF_UNIX), None
            self.socket.bind(unix)
            self.socket.listen(64)
        else:
            self.socket = socket.create_server((address, port), backlog=64)
            self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while True:
            try:
                connection = self.socket.accept()[0]
            except OSError:
                return
            self.connections += 1
            self.threads.append(threading.Thread(target=self.serve, args=(connection,), daemon=True))
            self.threads[-1].start()

    def close(self):
        """No connection is taken after it."""
        # The thread must have left accept() before the number of its socket is free for
        # another listener: it would take that one's connections.
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.socket.close()


class Tests(list):
    """(name, function) pairs for run_tap()."""

    def named(self, name):
        """A decorator: takes the function in under that name."""
        def take(function):
            self.append((name, function))
            return function
        return take


def run_tap(tests, jobs=JOBS):
    """Runs (name, function) pairs in parallel; a function returns a list of failures.

    A name that ends in '# SKIP why' is only told. Returns the exit status."""
    print('1..%d' % len(tests), flush=True)
    failed = 0
    started = time.monotonic()

    def one(test):
        try:
            return test[1]() if test[1] else []
        except Exception as e:          # a broken test is a failed one
            return ['test: %r' % e]

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for i, (test, failures) in enumerate(zip(tests, pool.map(one, tests)), 1):
            print('%sok %d - %s' % ('not ' if failures else '', i, test[0]))
            for failure in failures:
                for line in str(failure).splitlines():
                    print('#   ' + line)
            sys.stdout.flush()
            failed += bool(failures)
    print('# %d passed, %d failed, %.1f s' %
          (len(tests) - failed, failed, time.monotonic() - started))
    return 1 if failed else 0


def run_once(program, args, data, home, limit=20):
    """(exit status, stdout, stderr, failures) of one run with data on standard input."""
    child = subprocess.Popen(['msubmit'] + args, executable=program, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             env=environment(home), cwd=home)
    failures = []
    try:
        out, err = child.communicate(data, timeout=limit * SCALE)
    except subprocess.TimeoutExpired:
        child.kill()
        out, err = child.communicate()
        failures.append('not finished after %g s' % (limit * SCALE))
    return (child.returncode, out.decode('utf-8', 'surrogateescape'),
            err.decode('utf-8', 'surrogateescape'), failures)
