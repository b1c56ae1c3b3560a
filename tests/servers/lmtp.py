#!/usr/bin/env python3
"""Dovecot LMTP over a Unix socket and TCP, with a full mailbox; its submission service: BDAT in
chunks and BURL, with a URL that its IMAP service has signed (URLAUTH)."""
import imaplib
import os
import ssl

import common
import dovecot
import exim_transfer
import listening
import suite
from common import Failure, Instance, PASSWORD, Sink, USER
from suite import Service

FULL = 'full@example.org'

ALSO = '''
mail_plugins = quota
plugin {
  quota = count:User quota
  quota_vsizes = yes
}
service lmtp {
  unix_listener lmtp {
    mode = 0666
  }
  inet_listener lmtp {
    port = %(lmtp)d
  }
}
'''

URLAUTH = '''
imap_urlauth_host = mx.example.net
mail_attribute_dict = file:%%h/attributes
service imap-login {
  inet_listener imap {
    port = 0
  }
  inet_listener imaps {
    port = %(imaps)d
    ssl = yes
  }
}
'''


def mailbox(instance, rcpt):
    folder = instance.path('var/vmail/%s/Maildir/new' % rcpt)
    return [os.path.join(folder, f) for f in os.listdir(folder)] if os.path.isdir(folder) else []


def lmtp(service, args, message, **settings):
    return service.msubmit('lmtp', args, message, protocol='lmtp', tls='off', user=None,
                           password_file=None, **settings)


def case_full(service, instance, **settings):
    """One mailbox is full: the others have got it, the exit code is that of the full one."""
    def case():
        ann, bob = service.new_address(), service.new_address()
        message = (suite.HEADER % (ann, 'x', ann)).encode() + b'line of text\n' * 1000
        run = lmtp(service, [ann, FULL, bob], message, **settings)
        if run.exit not in (69, 75) or FULL not in run.stderr:
            raise Failure('exit %d:\n%s' % (run.exit, run.stderr))
        if 'took the message for 2 of 3' not in run.stderr:
            raise Failure('not told how many have got it:\n' + run.stderr)
        for rcpt, count in ((ann, 1), (bob, 1), (FULL, 0)):
            if len(mailbox(instance, rcpt)) != count:
                raise Failure('%d messages for %s' % (len(mailbox(instance, rcpt)), rcpt))
        return None
    return case


def case_duplicates(service, instance):
    def case():
        rcpt = service.new_address()
        lmtp(service, [rcpt, rcpt], b'Subject: x\n\nx\n', lmtp_keep_duplicates='on').want(0)
        # Dovecot gives one copy per transaction and mailbox, and a reply for each RCPT
        if not mailbox(instance, rcpt):
            raise Failure('nothing has come')
    return case


def case_listener(service, instance, deliver):
    """An SMTP client of the listener hears what each mailbox says, and has one reply at the end."""
    def case():
        ann = service.new_address()
        with listening.Listening(service, deliver) as server:
            replies, message = server.send([ann], b'line\n.dot\n')
            listening.want(replies, '250 2.1.5 OK', '250 2.0.0 <%s> ' % ann)
            with open(mailbox(instance, ann)[0], 'rb') as f:
                stored = f.read()
            head, _, _ = stored.partition(b'\r\n\r\n')
            if b'by ' not in head or b'(msubmit)' not in head or not stored.endswith(b'line\r\n.dot\r\n'):
                raise Failure('stored: %r' % stored)
            listening.want(server.send([FULL], b'line of text\n' * 1000)[0], '250 ', '552 5.2.2 ')
            listening.want(server.send([ann, FULL], b'line of text\n' * 1000)[0], '250 ', '250 ',
                           '554 5.3.0 others have the message, <%s> has not' % FULL)
            if len(mailbox(instance, ann)) != 2 or mailbox(instance, FULL):
                raise Failure('%r' % mailbox(instance, ann))
    return case


def case_listener_through(service):
    """Through the submission service, with TLS and sign-in: its words are the client's."""
    def case():
        rcpt = service.new_address()
        with listening.Listening(service, 'account') as server:
            for number in (1, 2):
                replies, message = server.send([rcpt], b'Gr\xc3\xbc\xc3\x9fe %d\n' % number, subject=str(number))
                listening.want(replies, '250 ', '250 ')
            mail = service.sink.wait(rcpt)
            if message[:20] not in mail.data and b'Subject: 1' not in mail.data:
                raise Failure('%r' % mail.data)
        with listening.Listening(service, 'account', password_file=None, password='wrong') as server:
            listening.want(server.send([rcpt], b'x\n')[0], '451 4.7.0 ')
    return case


def sign_url(port, ca, rcpt):
    """Stores a message by IMAP; a URL by which the submission service may fetch it."""
    context = ssl.create_default_context(cafile=ca)
    message = (suite.HEADER % (rcpt, 'fetched', rcpt)).replace('\n', '\r\n').encode() + \
        b'by the server itself\r\n'
    with imaplib.IMAP4_SSL('localhost', port, ssl_context=context) as imap:
        imap.login(USER, PASSWORD)
        number = imap.append('INBOX', None, None, message)[1][0].decode()
        validity, uid = number.split('APPENDUID ')[1].split(']')[0].split()
        user = USER.replace('@', '%40')
        url = 'imap://%s@mx.example.net/INBOX;UIDVALIDITY=%s/;UID=%s;URLAUTH=submit+%s' % (
            user, validity, uid, user)
        imaplib.Commands['GENURLAUTH'] = ('AUTH', 'SELECTED')
        tag = imap._new_tag()
        imap.send(tag + b' GENURLAUTH "' + url.encode() + b'" INTERNAL\r\n')
        answer = imap.readline().decode()
        imap.readline()
        if 'GENURLAUTH' not in answer:
            raise Failure('no URL: ' + answer)
        return answer.split('GENURLAUTH ')[1].strip().strip('"'), message


def case_burl(service, ports, certs):
    def case():
        rcpt = service.new_address()
        url, message = sign_url(ports['imaps'], certs('server')[2], rcpt)
        run = service.msubmit('implicit', ['--burl=' + url, rcpt]).want(0)
        if url.rsplit(':', 1)[1] in run.stderr:
            raise Failure('the token is shown:\n' + run.stderr)
        suite.check_octets(service.sink.wait(rcpt).data, message)
    return case


def case_burl_mixed(service, ports, certs):
    """A message in a message: the header is ours, the part is fetched."""
    def case():
        rcpt = service.new_address()
        url, message = sign_url(ports['imaps'], certs('server')[2], rcpt)
        head = (suite.HEADER % (rcpt, 'mixed', 'mixed')).replace(
            'text/plain; charset=utf-8', 'message/rfc822').encode()
        service.msubmit('implicit', ['--burl-part=' + url, rcpt], head).want(0)
        suite.check_octets(service.sink.wait(rcpt).data, head + message)
    return case


def case_burl_forged(service, ports, certs):
    def case():
        rcpt = service.new_address()
        url = sign_url(ports['imaps'], certs('server')[2], rcpt)[0]
        forged = url[:-4] + ('0000' if url[-4:] != '0000' else '1111')
        run = service.msubmit('implicit', ['--burl=' + forged, rcpt])
        if run.exit not in (66, 69, 77) or 'BURL' not in run.stderr:
            raise Failure('exit %d:\n%s' % (run.exit, run.stderr))
        service.nothing(rcpt)
    return case


def submission_cases(service, ports, certs, instance):
    tests = exim_transfer.cases(service, 'dovecot')
    why = None if instance.exists('usr/lib/dovecot/imap-urlauth') else 'no dovecot-imapd'
    for name, function in (('', case_burl), (', text in front', case_burl_mixed),
                           (', forged', case_burl_forged)):
        tests.append(('dovecot: BURL' + name, None if why else function(service, ports, certs)) +
                     ((why,) if why else ()))
    return tests


def run(certs, home):
    ports = dict(zip(('starttls', 'implicit', 'lmtp', 'imaps'), common.free_ports(4)))
    sink = Sink()
    with Instance('postfix', dovecot.USERS) as instance:
        instance.certificates(certs)
        imap = instance.exists('usr/lib/dovecot/imap-urlauth')
        more = dovecot.SUBMISSION.split('service lmtp')[0] + ALSO + (URLAUTH if imap else '')
        dovecot.configure(instance, dovecot.Introspection(),
                          'submission lmtp' + (' imap' if imap else ''),
                          more % dict(sink=sink.port, size=common.SIZE_LIMIT, **ports), ('PLAIN',))
        limit = 'userdb {\n  driver = passwd-file\n  args = /etc/dovecot/full\n}\nuserdb {\n'
        config = instance.path('etc/dovecot/dovecot.conf')
        with open(config, encoding='utf-8') as f:
            text = f.read().replace('userdb {\n', limit, 1)
        instance.file('etc/dovecot/dovecot.conf', text)
        number = instance.owners['vmail']
        instance.file('etc/dovecot/full', '%s::%d:%d::/var/vmail/%s::userdb_quota_rule=*:bytes=100\n'
                      % (FULL, number, number, FULL))
        process = dovecot.start(instance)
        instance.ready({k: v for k, v in ports.items() if k != 'imaps'}, process)
        service = Service('dovecot', sink, certs, home, mechanisms=('PLAIN',), chunking=True,
                          ports=ports)
        unix = dict(host=None, port=None, address_family=None,
                    socket=instance.path('run/dovecot/lmtp'))
        return common.run_cases(instance, [
            ('dovecot: LMTP, local socket: one mailbox is full', case_full(service, instance, **unix)),
            ('dovecot: LMTP, TCP: one mailbox is full', case_full(service, instance)),
            ('dovecot: LMTP, in chunks', case_full(service, instance, chunk_size='4000')),
            ('dovecot: LMTP, DATA', case_full(service, instance, chunk_size='0')),
            ('dovecot: LMTP, one command at a time', case_full(service, instance, pipelining='off')),
            ('dovecot: LMTP, a recipient twice', case_duplicates(service, instance)),
            ('dovecot: listener to LMTP, local socket',
             case_listener(service, instance, 'lmtp:' + instance.path('run/dovecot/lmtp'))),
            ('dovecot: listener to LMTP, TCP', case_listener(service, instance, 'lmtp:127.0.0.1:%d' % ports['lmtp'])),
            ('dovecot: listener, through', case_listener_through(service)),
        ] + submission_cases(service, ports, certs, instance))


if __name__ == '__main__':
    common.main(run)
