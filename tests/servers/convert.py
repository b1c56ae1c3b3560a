#!/usr/bin/env python3
"""Exim without 8BITMIME and SMTPUTF8: what arrives is 7-bit and reads the same."""
import email
import email.policy

import common
import exim
from common import Failure, Instance, PASSWORD, Sink, USER
from suite import Service

SEVEN_BIT = exim.CONFIG.replace('accept_8bitmime = true', 'accept_8bitmime = false') \
    .replace('smtputf8_advertise_hosts = *', 'smtputf8_advertise_hosts =')

TEXT = 'Grüße aus einem längeren Text, der Umlaute hat.\n.\n..x\nFrom me \n-- \n' + 'lang ' * 300 + '\n'
OCTETS = bytes(range(14, 256)) * 3
PARTS = b'\r\n'.join([
    b'MIME-Version: 1.0', b'Content-Type: multipart/mixed; boundary="b"', b'', b'--b',
    b'Content-Type: text/plain; charset=utf-8', b'Content-Transfer-Encoding: 8bit', b'',
    TEXT.replace('\n', '\r\n').encode(), b'--b', b'Content-Type: application/octet-stream',
    b'Content-Disposition: attachment; filename="\xc3\xbcber.bin"', b'', OCTETS, b'--b--', b''])


def submit(service, message, code=0, words=''):
    """The message as the sink got it, parsed."""
    rcpt = service.new_address()
    service.msubmit('plain', ['--', rcpt], message).want(code, words)
    if code:
        service.nothing(rcpt)
        return None
    data = service.sink.wait(rcpt).data
    if any(c > 127 for c in data) or any(len(line) > 998 for line in data.split(b'\r\n')):
        raise Failure('not fit for this server: %r' % data[:2000])
    return email.message_from_bytes(data, policy=email.policy.default)


def same(got, wanted):
    if got != wanted:
        raise Failure('got %r, wanted %r' % (got, wanted))


def case_text(service):
    def case():
        got = submit(service, ('Subject: Grün und gut\n\n' + TEXT).encode())
        same(got['Subject'], 'Grün und gut')
        same(got.get_content(), TEXT.replace('\n', '\r\n'))
    return case


def case_parts(service):
    def case():
        got = submit(service, b'From: J\xc3\xb6rg <j@b\xc3\xbccher.example>\r\n' + PARTS)
        same(str(got['From'].addresses[0]), 'Jörg <j@xn--bcher-kva.example>')
        text, attachment = got.iter_parts()
        same(text.get_content(), TEXT.replace('\n', '\r\n'))
        same(attachment.get_filename(), 'über.bin')
        same(attachment.get_payload(decode=True), OCTETS)
    return case


def case_signed(service):
    def case():
        submit(service, PARTS.replace(b'multipart/mixed', b'multipart/signed').replace(
            b'lang ' * 300, b''), 69, 'must not be converted')
    return case


def run(certs, home):
    ports = dict(zip(('starttls', 'implicit', 'plain'), common.free_ports(3)))
    sink = Sink(('PIPELINING', 'SIZE %d' % common.SIZE_LIMIT))
    with Instance('exim', ('Debian-exim',)) as instance:
        instance.certificates(certs)
        for folder in ('var/spool/exim4', 'var/log/exim4'):
            instance.folder(folder, 0o750, 'Debian-exim')
        instance.chown('etc/tls/server.key', 'Debian-exim')
        instance.file('etc/exim4/users', '%s: %s\n' % (USER, PASSWORD), 0o640, 'Debian-exim')
        instance.file('etc/exim4/exim4.conf', SEVEN_BIT % dict(
            ports, sink=sink.port, size=common.SIZE_LIMIT))
        instance.ready(ports, instance.start('/usr/sbin/exim4', '-bdf'))
        service = Service('exim 7bit', sink, certs, home, ports=ports, mechanisms=exim.MECHANISMS)
        return common.run_cases(instance, [
            ('exim 7bit: text', case_text(service)), ('exim 7bit: parts', case_parts(service)),
            ('exim 7bit: signed', case_signed(service))])


if __name__ == '__main__':
    common.main(run)
