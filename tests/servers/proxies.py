#!/usr/bin/env python3
"""Dante (SOCKS 4, 4a, 5) and tinyproxy (HTTP CONNECT), with and without passwords."""
import os
import socket
import subprocess
import sys

import common
import harness
from common import Failure, Instance, Sink

MESSAGE = b'Subject: through a proxy\n\nbody\n'
USER, PASSWORD = 'msubmit', 'pr0xy %s"'

DANTE = '''
logoutput: /var/log/dante
internal: 127.0.0.1 port = %(open)d
external: lo
socksmethod: none
clientmethod: none
user.privileged: root
user.unprivileged: nobody
client pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }
socks block { from: 0.0.0.0/0 to: 127.0.0.0/8 port = %(blocked)d }
socks pass { from: 127.0.0.0/8 to: 0.0.0.0/0 command: connect }
'''
DANTE_LOGIN = DANTE.replace('%(open)d', '%(login)d').replace('socksmethod: none', 'socksmethod: username').replace(
    '/var/log/dante', '/var/log/dante-login')

TINYPROXY = '''
Port %(port)d
Listen 127.0.0.1
Timeout 60
LogFile "/var/log/%(name)s"
LogLevel Info
PidFile "/run/%(name)s.pid"
MaxClients 20
Allow 127.0.0.1
ConnectPort %(sink)d
ConnectPort %(closed)d
%(more)s
'''


def starts(instance, port, process):
    def answers():
        try:
            socket.create_connection(('127.0.0.1', port), 5).close()
            return True
        except OSError:
            return False
    try:
        common.wait_for('port %d' % port, answers, process)
    except Failure as e:
        sys.exit('Bail out! %s\n%s' % (e, instance.log()))


def start_all(instance, ports, sink):
    hashed = subprocess.run(['openssl', 'passwd', '-6', '-stdin'], input=PASSWORD.encode(), check=True,
                            stdout=subprocess.PIPE).stdout.decode().strip()
    instance.file('etc/passwd', 'root:x:0:0::/:/bin/false\nnobody:x:65534:65534::/:/bin/false\n'
                  '%s:x:60099:60099::/:/bin/false\n' % USER)
    instance.file('etc/shadow', 'root:*:1::::::\nnobody:*:1::::::\n%s:%s:19000:0:99999:7:::\n' %
                  (USER, hashed), 0o600)
    for name, text in (('open', DANTE), ('login', DANTE_LOGIN)):
        instance.file('etc/%s.conf' % name, text % ports)
        starts(instance, ports[name], instance.start('/usr/sbin/danted', '-f', '/etc/%s.conf' % name,
                                                     '-p', '/run/%s.pid' % name))
    for name, more in (('http', ''), ('httplogin', 'BasicAuth %s secret' % USER)):
        instance.file('etc/%s.conf' % name, TINYPROXY % dict(
            name=name, port=ports[name], sink=sink.port, closed=ports['closed'], more=more))
        starts(instance, ports[name], instance.start('/usr/bin/tinyproxy', '-d', '-c', '/etc/%s.conf' % name))


def run(_, home):
    ports = dict(zip(('open', 'login', 'http', 'httplogin', 'blocked', 'closed'), common.free_ports(6)))
    secrets = {'socks': PASSWORD, 'http': 'secret', 'wrong': 'wr0ng'}
    for name, text in secrets.items():
        path = os.path.join(home, 'proxy-' + name)
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text + '\n')
        os.chmod(path, 0o600)
    sink = Sink()
    with Instance('proxies') as instance:
        start_all(instance, ports, sink)

        def case(proxy, status, *words, host='localhost', port=None, secret=None):
            args = ['--host=%s' % host, '--port=%d' % (port or sink.port), '--tls=off', '--domain=client.example.org',
                    '--from=a@example.org', '--connect-timeout=3', '--proxy=' + proxy]
            if secret:
                args += ['--proxy-user=' + USER, '--proxy-password-file=' + os.path.join(home, 'proxy-' + secret)]
            got, out, err, failures = harness.run_once(harness.binary(), args + ['b@example.net'], MESSAGE, home)
            if got != status:
                failures.append('exit %d, expected %d' % (got, status))
            failures += ['not on stderr: ' + w for w in words if w not in err]
            if harness.sanitizer_words(err):
                failures.append(harness.sanitizer_words(err))
            return failures + [err] if failures else []

        def url(kind, name):
            return '%s://127.0.0.1:%d' % (kind, ports[name])

        tests = []

        def add(title, *args, **more):
            tests.append((title, lambda: case(*args, **more)))

        for kind in ('socks5h', 'socks5', 'socks4a', 'socks4'):
            if kind != 'socks4a':       # Dante 1.4.2 connects to 0.0.0.1 itself
                add('dante: %s' % kind, url(kind, 'open'), 0)
            add('dante: %s, address' % kind, url(kind, 'open'), 0, host='127.0.0.1')
            add('dante: %s, nobody listens there' % kind, url(kind, 'open'), 75, port=ports['closed'])
        add('dante: not allowed', url('socks5h', 'open'), 69, 'not allowed', port=ports['blocked'])
        add('dante: a name that does not exist', url('socks5h', 'open'), 75, host='no-such-host.invalid')
        add('dante: password', url('socks5h', 'login'), 0, secret='socks')
        add('dante: wrong password', url('socks5h', 'login'), 77, 'password', secret='wrong')
        add('dante: password wanted', url('socks5h', 'login'), 69, 'login')
        add('tinyproxy: CONNECT', url('http', 'http'), 0)
        add('tinyproxy: address', url('http', 'http'), 0, host='127.0.0.1')
        add('tinyproxy: port not allowed', url('http', 'http'), 69, '403', port=ports['blocked'])
        add('tinyproxy: nobody listens there', url('http', 'http'), 75, port=ports['closed'])
        add('tinyproxy: password', url('http', 'httplogin'), 0, secret='http')
        add('tinyproxy: wrong password', url('http', 'httplogin'), 77, '401', secret='wrong')
        add('tinyproxy: password wanted', url('http', 'httplogin'), 77, '407')
        add('the wrong kind of proxy: HTTP', url('http', 'open'), 75)
        add('the wrong kind of proxy: SOCKS', url('socks5h', 'http'), 75, 'timeout')
        return common.run_cases(instance, tests)


if __name__ == '__main__':
    common.main(run)
