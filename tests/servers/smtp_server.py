#!/usr/bin/env python3
"""npm's smtp-server: sign-in is wanted from relayers only. What it takes goes to files."""
import json
import os

import common
import line
import signin
import suite
from common import PASSWORD, Sink
from node import Node
from suite import Service

SERVER = '''
const fs = require('fs');
const { SMTPServer } = require('smtp-server');
const facts = JSON.parse(fs.readFileSync('facts.json'));
let count = 0;

function reply(code, text) {
  return Object.assign(new Error(text), { responseCode: code });
}

new SMTPServer({
  name: 'mx.example.net',
  key: fs.readFileSync('server.key'),
  cert: fs.readFileSync('server.pem'),
  authOptional: true,
  authMethods: facts.mechanisms,
  disableReverseLookup: true,
  onAuth(auth, session, done) {
    if (auth.username === 'down@example.org') {
      return done(reply(454, '4.7.0 try again later'));
    }
    if (auth.username === 'login@example.org' && auth.method === 'PLAIN') {
      return done(reply(504, '5.5.4 not by PLAIN'));
    }
    if (auth.password !== facts.password) {
      return done(reply(535, '5.7.8 wrong'));
    }
    done(null, { user: auth.username });
  },
  onRcptTo(address, session, done) {
    const own = address.address.endsWith('@example.org');
    done(own || session.user ? null : reply(550, '5.7.1 sign in to relay'));
  },
  onData(stream, session, done) {
    const name = `mail/${count++}`;
    stream.pipe(fs.createWriteStream(name)).on('finish', () => done());
  },
}).listen(facts.port, '127.0.0.1');
'''
MECHANISMS = ('PLAIN', 'LOGIN')


def run(certs, home):
    ports = {'starttls': common.free_ports(1)[0]}
    with Node('smtp-server', home) as node:
        node.certificates(certs, 'server.pem', 'server.key')
        node.file('server.js', SERVER)
        os.mkdir(os.path.join(node.root, 'mail'))
        node.file('facts.json', json.dumps(dict(password=PASSWORD, port=ports['starttls'],
                                                mechanisms=MECHANISMS)))
        node.start(ports, 'server.js')
        service = Service('smtp-server', Sink(), certs, home, ports=ports, mechanisms=MECHANISMS,
                          root=node.root)
        return common.run_cases(node, [
            suite.check_offered(service), line.check(service, mailbox='mail')] + signin.Signin(
                service, mailbox='mail').cases(
            login_only=(504, dict(user='login@example.org')),
            down=dict(user='down@example.org')))


if __name__ == '__main__':
    common.main(run)
