"""What the test programs share: the binary, certificates, clean surroundings, TAP."""
import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

JOBS = max(2, min(4, (os.cpu_count() or 2)))
# Slow surroundings (valgrind, emulators) may stretch every limit of the tests.
SCALE = float(os.environ.get('MSUBMIT_TEST_SCALE', '1'))


def binary():
    """Absolute path of the program under test."""
    path = os.path.abspath(os.environ.get('MSUBMIT', './msubmit'))
    if not os.access(path, os.X_OK):
        print('Bail out! %s cannot be run: build it, or set MSUBMIT' % path)
        sys.exit(99)
    return path


class Certificates:
    """A CA and a certificate for localhost, made when first asked for."""

    def __init__(self, folder):
        self.folder = folder
        self.lock = threading.Lock()
        self.made = {}

    def path(self, name):
        return os.path.join(self.folder, name)

    def openssl(self, *args):
        subprocess.run(('openssl',) + args, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)

    def key(self, name):
        self.openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', self.path(name + '.key'))

    def authority(self, name):
        self.key(name)
        self.openssl('req', '-x509', '-new', '-key', self.path(name + '.key'), '-days', '30',
                     '-subj', '/CN=%s of the tests' % name, '-out', self.path(name + '.pem'))

    def leaf(self, name, authority, names):
        self.key(name)
        self.openssl('req', '-new', '-key', self.path(name + '.key'), '-subj', '/CN=' + name,
                     '-out', self.path(name + '.csr'))
        with open(self.path(name + '.ext'), 'w') as f:
            f.write('subjectAltName=%s\nbasicConstraints=CA:FALSE\n'
                    'extendedKeyUsage=serverAuth,clientAuth\n' % names)
        self.openssl('x509', '-req', '-in', self.path(name + '.csr'), '-CA', self.path(authority + '.pem'),
                     '-CAkey', self.path(authority + '.key'), '-set_serial', str(abs(hash(name)) % 10**9 + 1),
                     '-days', '30', '-extfile', self.path(name + '.ext'), '-out', self.path(name + '.pem'))

    def __call__(self, name):
        """(certificate, key, CA) of 'server', 'other-name', 'unknown-ca' or 'client'."""
        with self.lock:
            if 'ca' not in self.made:
                os.makedirs(self.folder, exist_ok=True)
                self.authority('ca')
                self.made['ca'] = True
            if name not in self.made:
                if name == 'unknown-ca':
                    self.authority('foreign')
                names = 'DNS:wrong.example.org' if name == 'other-name' else 'DNS:localhost,IP:127.0.0.1'
                self.leaf(name, 'foreign' if name == 'unknown-ca' else 'ca', names)
                self.made[name] = True
        return self.path(name + '.pem'), self.path(name + '.key'), self.path('ca.pem')


def environment(home):
    """Nothing of the caller's but what sanitizers and checkers need."""
    keep = ('ASAN_OPTIONS', 'UBSAN_OPTIONS', 'LSAN_OPTIONS', 'LLVM_PROFILE_FILE', 'LD_PRELOAD',
            'GCOV_PREFIX', 'GCOV_PREFIX_STRIP')
    env = {k: os.environ[k] for k in keep if k in os.environ}
    env.update(HOME=home, PATH='/usr/local/bin:/usr/bin:/bin', TZ='UTC', TMPDIR=home)
    return env


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


def run_tap(tests):
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

    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        for i, (test, failures) in enumerate(zip(tests, pool.map(one, tests)), 1):
            print('%sok %d - %s' % ('not ' if failures else '', i, test[0]))
            for failure in failures:
                for line in str(failure).splitlines():
                    print('#   ' + line)
            sys.stdout.flush()
            failed += bool(failures)
    print('# %d passed, %d failed, %.1f s' % (len(tests) - failed, failed, time.monotonic() - started))
    return 1 if failed else 0
