#!/usr/bin/env python3
"""Haraka: sign-in is wanted from relayers only; what it takes is forwarded at once."""
import json
import os

import common
import line
import signin
import suite
from common import PASSWORD, Sink
from node import Node
from suite import Service

# Its own sign-in, but that some users are refused otherwise than by a wrong password.
PLUGIN = '''
const facts = %s;

exports.register = function () {
  this.inherits('auth/auth_base');
};

exports.hook_capabilities = (next, connection) => {
  if (connection.tls.enabled) {
    connection.capabilities.push(`AUTH ${facts.mechanisms.join(' ')}`);
    connection.notes.allowed_auth_methods = facts.mechanisms;
  }
  next();
};

exports.check_plain_passwd = (connection, user, password, done) => {
  if (user === 'down@example.org') {
    return done(false, { code: 454, message: '4.7.0 try again later' });
  }
  if (user === 'login@example.org' && connection.notes.auth_method === 'PLAIN') {
    return done(false, { code: 504, message: '5.5.4 not by PLAIN' });
  }
  done(password === facts.password);
};
'''
MECHANISMS = ('PLAIN', 'LOGIN')


def configure(node, sink, ports):
    with open(os.path.join(node.modules, 'Haraka/config/connection.ini'), encoding='utf-8') as f:
        own = f.read()
    for name, text in (
            ('smtp.ini', 'listen=127.0.0.1:%d\nspool_dir=%s\nnodes=0\n' % (
                ports['starttls'], os.path.join(node.root, 'spool'))),
            ('plugins', 'tls\nsignin\nrcpt_to.in_host_list\nqueue/smtp_forward\n'),
            ('me', 'mx.example.net'), ('host_list', 'example.org\n'),
            ('log.ini', '[main]\nlevel=notice\n'),
            ('connection.ini', own),
            ('smtp_forward.ini',
             'host=127.0.0.1\nport=%d\nenable_outbound=true\n' % sink.port)):
        node.file('config/' + name, text)
    for folder in ('queue', 'spool'):
        os.mkdir(os.path.join(node.root, folder))
    node.file('plugins/signin.js', PLUGIN % json.dumps(dict(password=PASSWORD,
                                                            mechanisms=MECHANISMS)))


def run(certs, home):
    ports = {'starttls': common.free_ports(1)[0]}
    sink = Sink()
    with Node('haraka', home) as node:
        node.certificates(certs, 'config/tls_cert.pem', 'config/tls_key.pem')
        configure(node, sink, ports)
        node.start(ports, os.path.join(node.modules, 'Haraka/bin/haraka'), '-c', node.root)
        service = Service('haraka', sink, certs, home, ports=ports, mechanisms=MECHANISMS,
                          root=node.root)
        return common.run_cases(node, [
            suite.check_offered(service), line.check(service)] + signin.Signin(service).cases(
            login_only=(504, dict(user='login@example.org')),
            down=dict(user='down@example.org')))


if __name__ == '__main__':
    common.main(run)
