#!/usr/bin/env python3
"""--configure: from a mail address to an account that sends: what is found, and how.

Prints TAP. MSUBMIT names the program. The world is in configure_world.py."""
import base64
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from configure_world import (CHECK, Silent, TESTS, USER, Web, World, auth,  # noqa: E402
                             certificate, greet, known_world, look, main, send, sign_in, smtp,
                             srv, test)

# --- SRV ------------------------------------------------------------------------------


@test('SRV: found, signed in, written, and a message goes out with the file')
def whole_way():
    server = smtp(look(), sign_in(), send())
    with World({'mail.example.org': {465: server}}, srv(465)) as w:
        w.run().check(0, 'SRV records of example.org: mail.example.org:465', 'ok   sign-in', "account 'default' written")
        w.wrote('[account default]', 'host = mail.example.org', 'port = 465', 'tls = implicit', 'auth = on',
                'user = you@example.org', 'from = you@example.org',
                'password_file = ~/.config/msubmit/default.password').secret()
        w.run('-a', 'default', 'b@example.net', address=None, password=None, world=False,
              data=b'Subject: x\n\nbody\n').check(0)
        if len(server.messages) != 1:
            w.failures.append('messages: %r' % server.messages)
        return w.end()


@test('SRV: STARTTLS where only _submission is there')
def srv_starttls():
    server = smtp(look(port=587), sign_in(port=587))
    with World({'mail.example.org': {587: server}}, srv(None, 587)) as w:
        w.run().check(0).wrote('port = 587', 'tls = starttls').secret()
        return w.end()


@test('SRV: a domain that is not ASCII is asked for in its ASCII form')
def srv_idn():
    address, host = 'you@b\u00fccher.example', 'mail.xn--bcher-kva.example'
    server = smtp(look(), sign_in(user=address))
    with World({host: {465: server}}, {('_submissions._tcp.xn--bcher-kva.example', 'SRV'): [(0, 0, 465, host)]}) as w:
        w.run(address=address).check(0).wrote('host = ' + host, 'user = ' + address, 'from = ' + address)
        return w.end()


@test('SRV: a dead first server, the second is taken')
def srv_dead():
    server = smtp(look(port=587), sign_in(port=587))
    with World({'mail.example.org': {587: server}}, srv(465, 587)) as w:
        w.run().check(0, 'mail.example.org:465: ').wrote('port = 587')
        return w.end()


@test('SRV: "." says that there is no submission, and that is the end')
def srv_denied():
    zone = {('_submission._tcp.example.org', 'SRV'): [(0, 0, 0, '')],
            ('_submissions._tcp.example.org', 'SRV'): [(0, 0, 0, '')]}
    with World({'smtp.example.org': {465: smtp('')}}, zone) as w:
        w.run().check(69, 'no mail submission').wrote_nothing()
        if w.socks.asked:
            w.failures.append('asked on: %r' % w.socks.asked)
        return w.end()


@test('SRV: a server outside of the domain is not trusted without a word of the user')
def srv_outside():
    host = 'mail.provider.net'
    with World({host: {465: smtp(look())}}, srv(465, host=host)) as w:
        w.run().check(78, 'outside of example.org', '--host=mail.provider.net:465').wrote_nothing()
        return w.end()


@test('SRV: with srv_live = any it is')
def srv_any():
    host = 'mail.provider.net'
    with World({host: {465: smtp(look(), sign_in())}}, srv(465, host=host)) as w:
        w.run('--srv-live=any').check(0).wrote('host = ' + host, 'srv_live = any')
        return w.end()


@test('SRV: what leads to a provider that is known needs no word')
def srv_provider():
    host = 'posteo.de'
    with World({host: {465: smtp(look(), sign_in())}}, srv(465, host=host)) as w:
        w.run().check(0).wrote('host = ' + host)
        return w.end()


@test('SRV: DNS that does not answer is told, and the search goes on')
def srv_fails():
    zone = {('_submissions._tcp.example.org', 'SRV'): 'servfail',
            ('_submission._tcp.example.org', 'SRV'): 'servfail'}
    server = smtp(look(), sign_in())
    with World({'smtp.example.org': {465: server}}, zone) as w:
        w.run('--no-ispdb').check(0, 'SRV records: ').wrote('host = smtp.example.org')
        return w.end()


# --- documents -------------------------------------------------------------------------


def server_xml(host='smtp.provider.net', port=465, socket_type='SSL', user='%EMAILADDRESS%',
               auth=('password-cleartext',), kind='smtp'):
    return '<outgoingServer type="%s"><hostname>%s</hostname><port>%s</port><socketType>%s</socketType>' \
        '<username>%s</username>%s</outgoingServer>' % (
            kind, host, port, socket_type, user,
            ''.join('<authentication>%s</authentication>' % a for a in auth))


def document(*servers):
    return ('<?xml version="1.0" encoding="UTF-8"?>\n<clientConfig version="1.1"><emailProvider id="x">'
            '<domain>example.org</domain><incomingServer type="imap"><hostname>imap.provider.net</hostname>'
            '<port>993</port><socketType>SSL</socketType></incomingServer>%s</emailProvider></clientConfig>'
            % ''.join(servers)).encode()


OWN = ('autoconfig.example.org', '/mail/config-v1.1.xml')
WELL_KNOWN = ('example.org', '/.well-known/autoconfig/mail/config-v1.1.xml')
ISPDB = ('autoconfig.thunderbird.net', '/v1.1/example.org')


def web_world(documents, server, host='smtp.provider.net', port=465, cert='good', more=None):
    web = Web(documents, cert)
    names = {'autoconfig.example.org': {443: web}, 'example.org': {443: web},
             'autoconfig.thunderbird.net': {443: web}}
    if server:
        names[host] = {port: server}
    names.update(more or {})
    world = World(names)
    world.web = web
    return world


@test('autoconfig: a library that is missing is told, and the search goes on')
def no_library():
    failures = []
    for names, words in ((('libcurl-gnutls.so.4', 'libcurl.so.4'), 'libcurl'), (('libexpat.so.1',), 'libexpat')):
        with known_world([look(), sign_in()]) as w:
            os.mkdir(w.path('lib'))
            for name in names:
                w.write('lib/' + name, 'no library\n')
            w.run(env={'LD_LIBRARY_PATH': w.path('lib')}).check(0, 'autoconfig documents: not asked for', words)
            w.wrote('host = smtp.example.org')
            failures += w.end()
    return failures


@test('autoconfig: the domain\'s own document, with the address asked for')
def autoconfig_own():
    with web_world({OWN: document(server_xml())}, smtp(look(), sign_in())) as w:
        w.run().check(0, 'https://autoconfig.example.org/mail/config-v1.1.xml', '1 server')
        w.wrote('host = smtp.provider.net', 'port = 465', 'user = you@example.org').secret()
        if w.web.asked != ['https://autoconfig.example.org/mail/config-v1.1.xml?emailaddress=you%40example.org']:
            w.failures.append('asked: %r' % w.web.asked)
        return w.end()


@test('autoconfig: the well-known place is the second, the ISP database the third')
def autoconfig_order():
    failures = []
    for place, count in ((WELL_KNOWN, 2), (ISPDB, 3)):
        with web_world({place: document(server_xml())}, smtp(look(), sign_in())) as w:
            w.run().check(0).wrote('host = smtp.provider.net')
            hosts = [u.split('/')[2] for u in w.web.asked]
            if hosts != ['autoconfig.example.org', 'example.org', 'autoconfig.thunderbird.net'][:count]:
                w.failures.append('asked: %r' % w.web.asked)
            if any('you' in u for u in w.web.asked if 'thunderbird' in u):
                w.failures.append('the third party was told the address')
            failures += w.end()
    return failures


@test('autoconfig: --no-ispdb leaves the third party out')
def no_ispdb():
    with web_world({ISPDB: document(server_xml())}, None) as w:
        w.run('--no-ispdb').check(75, 'not asked, as you wish').wrote_nothing()
        if any('thunderbird' in u for u in w.web.asked):
            w.failures.append('asked: %r' % w.web.asked)
        return w.end()


@test('autoconfig: SRV records go before it')
def srv_before_documents():
    web = Web({OWN: document(server_xml())})
    with World({'mail.example.org': {465: smtp(look(), sign_in())}, 'autoconfig.example.org': {443: web}},
               srv(465)) as w:
        w.run().check(0).wrote('host = mail.example.org')
        if web.asked:
            w.failures.append('asked: %r' % web.asked)
        return w.end()


@test('autoconfig: names of the user are put together from the address')
def placeholders():
    failures = []
    for user, want in (('%EMAILLOCALPART%', 'you'), ('%EMAILADDRESS%', USER), ('x-%EMAILLOCALPART%-%EMAILDOMAIN%',
                                                                             'x-you-example.org'), ('joe', 'joe')):
        with web_world({OWN: document(server_xml(user=user))}, smtp(look(), sign_in(user=want))) as w:
            w.run().check(0).wrote('user = ' + want, 'from = you@example.org')
            failures += w.end()
    with web_world({OWN: document(server_xml(host='smtp.%EMAILDOMAIN%'))}, smtp(look(), sign_in()),
                   'smtp.example.org') as w:
        w.run().check(0).wrote('host = smtp.example.org')
        failures += w.end()
    return failures


@test('autoconfig: what is of no use is passed over and named, the next is taken')
def passed_over():
    useless = [server_xml('plain.provider.net', 25, 'plain'), server_xml('bad host', 465), server_xml(port='0'),
               server_xml(port='65536'), server_xml(port='4x'), server_xml(user='%REALNAME%'),
               server_xml(auth=('client-IP-address',)), server_xml(socket_type='TLS'), server_xml(kind='imap'),
               server_xml(host='[::1]'), server_xml(host='')]
    with web_world({OWN: document(*(useless + [server_xml(port=587, socket_type='STARTTLS')]))},
                   smtp(look(port=587), sign_in(port=587)), port=587) as w:
        w.run().check(0, '1 server', 'plain.provider.net:25: no TLS', 'no host name', 'no port',
                      'takes neither password nor OAuth2', 'only you know')
        w.wrote('port = 587', 'tls = starttls')
        return w.end()


@test('autoconfig: the first server is dead, the second is taken')
def second_server():
    with web_world({OWN: document(server_xml(port=465), server_xml(port=587, socket_type='STARTTLS'))},
                   smtp(look(port=587), sign_in(port=587)), port=587) as w:
        w.run().check(0, 'smtp.provider.net:465: ').wrote('port = 587')
        return w.end()


BOMB = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]>' \
    b'<clientConfig><emailProvider>&b;</emailProvider></clientConfig>'
HOSTILE = {
    'entities': (BOMB, 'a document type is not taken'),
    'external': (b'<?xml version="1.0"?><!DOCTYPE x SYSTEM "file:///etc/passwd"><clientConfig/>',
                 'a document type is not taken'),
    'unknown entity': (b'<clientConfig><emailProvider>&x;</emailProvider></clientConfig>', 'line 1'),
    'huge': (b'<clientConfig>' + b' ' * 400000 + b'</clientConfig>', 'larger than'),
    'deep': (b'<clientConfig>' + b'<a>' * 50000, 'too deep'),
    'many': (b'<clientConfig>' + b'<a/>' * 20000 + b'</clientConfig>', 'too many elements'),
    'long text': (document('<displayName>' + 'x' * 5000 + '</displayName>'), 'too much text'),
    'cut': (document(server_xml())[:200], 'line '),
    'html': (b'<!DOCTYPE html><html><body>login</body></html>', 'document type'),
    'other root': (b'<config><emailProvider/></config>', 'no autoconfig document'),
    'empty': (b'', 'no element found'),
    'garbage': (bytes(range(256)) * 20, 'line 1'),
    'escape': (document(server_xml(host='\x1b[31mred')), 'line '),
    'no server': (document(), '0 servers'),
    'http': ((302, {'Location': 'http://autoconfig.example.org/x'}, b''), 'not https'),
    'file': ((302, {'Location': 'file:///etc/passwd'}, b''), 'not https'),
    'loop': ((302, {'Location': 'https://autoconfig.example.org/mail/config-v1.1.xml'}, b''), 'redirects'),
    'error': ((500, {}, b'<clientConfig/>'), 'status 500'),
    'too short': ((200, {'Content-Length': '100000'}, b'<clientConfig>'), 'autoconfig.example.org'),
}


def hostile(name):
    answer, words = HOSTILE[name]
    # the search goes on: the next document is a good one
    with web_world({OWN: answer, WELL_KNOWN: document(server_xml())}, smtp(look(), sign_in())) as w:
        w.run().check(0, words).wrote('host = smtp.provider.net')
        return w.end()


for hostile_name in HOSTILE:
    TESTS.append(('autoconfig: hostile: ' + hostile_name, lambda n=hostile_name: hostile(n)))


@test('autoconfig: a redirect to https is followed, also to another host')
def redirect():
    web = {OWN: (301, {'Location': 'https://www.provider.net/c.xml'}, b''),
           ('www.provider.net', '/c.xml'): document(server_xml())}
    with web_world(web, smtp(look(), sign_in())) as w:
        w.socks.ways['192.0.2.99', 443] = w.web.port
        w.dns.zone['www.provider.net', 'A'] = ['192.0.2.99']
        w.run().check(0).wrote('host = smtp.provider.net')
        return w.end()


@test('autoconfig: a certificate that is not right is not taken')
def bad_certificate():
    failures = []
    for cert in ('other', 'self'):
        with web_world({OWN: document(server_xml()), WELL_KNOWN: document(server_xml()),
                        ISPDB: document(server_xml())}, None, cert=cert) as w:
            w.run().check(75, 'certificate').wrote_nothing()
            if w.web.asked:
                w.failures.append('asked all the same: %r' % w.web.asked)
            failures += w.end()
    return failures


@test('autoconfig: certificates to trust may stand in the setting itself')
def inline_trust():
    with web_world({OWN: document(server_xml())}, smtp(look(), sign_in())) as w:
        with open(certificate('good')[2], encoding='ascii') as f:
            text = f.read().strip().replace('\n', ' ')
        w.args = [a for a in w.args if 'trust' not in a] + ['--tls-trust-file=' + text]
        w.run().check(0).wrote('host = smtp.provider.net')
        return w.end()


@test('autoconfig: a proxy that wants a password gets it, for documents and for mail')
def proxy_password():
    with web_world({OWN: document(server_xml())}, smtp(look(), sign_in())) as w:
        w.socks.login = [b'joe', b'sesame']
        path = w.write('proxy', 'sesame\n')
        w.run('--proxy-user=joe', '--proxy-password-file=' + path).check(0, absent=('sesame',))
        w.wrote('host = smtp.provider.net', 'proxy_user = joe', 'proxy_password_file = ' + path)
        return w.end()


@test('autoconfig: OAuth2 only needs a token')
def oauth_only():
    offer = 'AUTH XOAUTH2'
    xml = document(server_xml(auth=('OAuth2',)))
    failures = []
    with web_world({OWN: xml}, smtp(look(offer=offer))) as w:
        w.run(password=None).check(78, 'OAuth2 only', '--oauth-token-command').wrote_nothing()
        failures += w.end()
    token = base64.b64encode(b'user=you@example.org\x01auth=Bearer t0ken\x01\x01').decode()
    with web_world({OWN: xml}, smtp(look(offer=offer), greet(offer=offer) + 'C: AUTH XOAUTH2 %s\nS: 235 ok\n' %
                                    token + CHECK)) as w:
        w.run('--oauth-token-command=echo t0ken', password=None).check(0, 'ok   sign-in')
        w.wrote('oauth_token_command = echo t0ken')
        failures += w.end()
    return failures


# --- known providers -------------------------------------------------------------------


@test('a provider of the table is asked, and nobody else')
def known():
    server = smtp(look(), sign_in(user='you@gmail.com', password='abcdefghijklmnop'))
    with World({'smtp.gmail.com': {465: server}}) as w:
        w.run(address='you@gmail.com', password='abcd efgh ijkl mnop').check(
            0, 'gmail.com is a domain of Google', 'nobody was asked', 'https://myaccount.google.com/apppasswords')
        w.wrote('host = smtp.gmail.com', 'port = 465', 'tls = implicit', 'user = you@gmail.com')
        w.secret(password='abcdefghijklmnop')
        if w.socks.asked != [('192.0.2.1', 465)] * 2 or any(k != 'A' and k != 'AAAA' for _, k, _ in w.dns.asked):
            w.failures.append('asked: %r %r' % (w.socks.asked, w.dns.asked))
        return w.end()


@test('without a check nobody at all is asked')
def known_without_network():
    with World() as w:
        w.run('--print', '--no-check', address='You@GMail.com', password=None, world=False).check(
            0, out='host = smtp.gmail.com').wrote_nothing()
        if w.socks.asked or w.dns.asked:
            w.failures.append('asked: %r %r' % (w.socks.asked, w.dns.asked))
        return w.end()


@test('a provider is recognised by the hosts that receive the mail')
def by_mx():
    failures = []
    for host, want in (('aspmx.l.google.com', 'smtp.gmail.com'), ('example-org.mail.protection.outlook.com',
                                                                'smtp.office365.com')):
        with World(records={('example.org', 'MX'): [(20, 'mx2.example.org'), (10, host)]}) as w:
            w.run('--print', '--no-check', '--no-ispdb', password=None).check(
                0, 'MX records of example.org: its mail goes to', out='host = ' + want)
            failures += w.end()
    return failures


@test('what providers want: a table of addresses')
def provider_table():
    failures = []
    for address, lines in (
            ('a@web.de', ('host = smtp.web.de', 'user = a')),
            ('a@free.fr', ('host = smtp.free.fr', 'user = a')),
            ('a@gmx.at', ('host = mail.gmx.net', 'user = a@gmx.at')),
            ('a@gmx.com', ('host = mail.gmx.com',)),
            ('a@icloud.com', ('host = smtp.mail.me.com', 'port = 587', 'tls = starttls')),
            ('a@outlook.com', ('host = smtp-mail.outlook.com', 'port = 587')),
            ('a@proton.me', ('host = 127.0.0.1', 'port = 1025', 'tls = starttls')),
            ('a@fastmail.com', ('host = smtp.fastmail.com', 'port = 465'))):
        with World() as w:
            w.run('--print', '--no-check', address=address, password=None, world=False).check(0, out='[account')
            for line in lines:
                if line not in w.out.split('\n'):
                    w.failures.append('%s: no line %s' % (address, line))
            failures += w.end()
    return failures


# --- guessing ---------------------------------------------------------------------------


@test('guessing: usual names and ports, the first that signs in by TLS')
def guess():
    server = smtp(look(port=587), sign_in(port=587))
    with World({'mail.example.org': {587: server}}) as w:
        w.run('--no-ispdb').check(0, 'trying usual names', 'mail.example.org:465', 'mail.example.org:587: TLS verified')
        w.wrote('host = mail.example.org', 'port = 587', 'tls = starttls')
        return w.end()


@test('guessing: a server without sign-in under TLS is not taken')
def guess_no_auth():
    names = {'smtp.example.org': {465: smtp(look(offer='SIZE 1000')), 587: smtp('S: 220 x\nC: EHLO *\nS: 250 x\n')},
             'mail.example.org': {465: smtp(look(offer='AUTH X-ODD'))}}
    with World(names) as w:
        w.run('--no-ispdb').check(75, 'smtp.example.org:465: offers no way to sign in', 'STARTTLS',
                                  'mail.example.org:465: offers no way').wrote_nothing()
        return w.end()


@test('guessing: a certificate of another name is not taken')
def guess_certificate():
    names = {'smtp.example.org': {465: smtp('TLS refused cert=other')}}
    with World(names) as w:
        w.run('--no-ispdb').check(75, 'smtp.example.org:465: ').wrote_nothing()
        return w.end()


@test('guessing: the host that receives mail, in the domain; outside only with a word')
def guess_mx():
    failures = []
    server = smtp(look(), sign_in())
    with World({'mx.example.org': {465: server}}, {('example.org', 'MX'): [(1, 'mx.example.org')]}) as w:
        w.run('--no-ispdb').check(0).wrote('host = mx.example.org')
        failures += w.end()
    with World({'mx.provider.net': {465: smtp(look())}}, {('example.org', 'MX'): [(1, 'mx.provider.net')]}) as w:
        w.run('--no-ispdb').check(78, '--host=mx.provider.net:465').wrote_nothing()
        failures += w.end()
    return failures


@test('nothing found: what to do is said')
def nothing():
    failures = []
    with World() as w:
        w.run().check(68, '--host=NAME').wrote_nothing()
        failures += w.end()
    return failures


@test('servers that say nothing end the search in time')
def silent():
    with World({'smtp.example.org': {465: Silent()}}) as w:
        w.run('--no-ispdb', '--connect-timeout=1', '--total-timeout=2').check(75)
        w.wrote_nothing()
        return w.end()


if __name__ == '__main__':
    sys.exit(main())
