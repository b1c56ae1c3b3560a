#!/usr/bin/env python3
"""--import: files of other programs in, and what is sent with the result; TAP.

Each case is a configuration of another program. msubmit imports it to a new file and sends
with that through a server that writes down what it is told: EHLO name, TLS, sign-in, sender,
recipients. Where the program itself lies unpacked (folder `import` of MSUBMIT_SERVERS, see
contrib/install-test-tools) and the caller is root, it sends with the same files too, seen as
/etc/... in a mount namespace of its own, and must say the same.
"""
import base64
import glob
import os
import pwd
import socket
import ssl
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                              # noqa: E402

PACKAGES = os.path.join(os.environ.get('MSUBMIT_SERVERS', '/var/cache/msubmit-tests'), 'import')
LOGIN = pwd.getpwuid(os.geteuid()).pw_name
MESSAGE = b'Subject: test\n\nbody\n'
FROM_HEADER = b'From: Head <head@header.example>\nSubject: test\n\nbody\n'
tests = []


class Sink:
    """Takes any message; one dictionary for each transaction in `log`."""

    def __init__(self, certificate, implicit=False, starttls=True,
                 mechanisms='LOGIN PLAIN CRAM-MD5'):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*certificate[:2])
        self.implicit, self.starttls, self.mechanisms = implicit, starttls, mechanisms
        self.log = []
        self.listener = harness.Listener(self.serve)
        self.port = self.listener.port

    def close(self):
        self.listener.close()

    def serve(self, client):
        client.settimeout(20 * harness.SCALE)
        try:
            self.session(client)
        except (OSError, ValueError) as e:
            self.log.append({'broken': repr(e)})

    def session(self, client):
        facts = {'tls': 'off', 'auth': None}
        if self.implicit:
            client = self.context.wrap_socket(client, server_side=True)
            facts['tls'] = 'implicit'
        stream = client.makefile('rwb')

        def say(*lines):
            for i, line in enumerate(lines):
                end = i == len(lines) - 1
                stream.write(line.replace(' ', ' ' if end else '-', 1).encode() + b'\r\n')
            stream.flush()

        def answer(prompt=''):
            say('334 ' + prompt)
            return base64.b64decode(stream.readline()).decode('latin-1')

        say('220 sink')
        now = {}
        while True:
            line = stream.readline().decode('latin-1').rstrip('\r\n')
            verb, _, rest = line.partition(' ')
            verb = verb.upper()
            if verb == 'HELO':
                facts['helo'] = rest
                say('250 sink')
            elif verb == 'EHLO':
                facts['helo'] = rest
                offer = ['250 sink', '250 AUTH ' + self.mechanisms]
                if self.starttls and facts['tls'] == 'off':
                    offer.append('250 STARTTLS')
                say(*offer)
            elif verb == 'STARTTLS' and not self.starttls:
                say('502 no')
            elif verb == 'STARTTLS':
                say('220 go')
                client = self.context.wrap_socket(client, server_side=True)
                stream = client.makefile('rwb')
                facts['tls'] = 'starttls'
            elif verb == 'AUTH':
                kind, _, first = rest.partition(' ')
                if kind.upper() == 'PLAIN':
                    words = base64.b64decode(first).decode('latin-1') if first else answer()
                    facts['auth'] = tuple(words.split('\0')[1:])
                elif kind.upper() == 'LOGIN':
                    user = base64.b64decode(first).decode('latin-1') if first else \
                        answer('VXNlcm5hbWU6')
                    facts['auth'] = (user, answer('UGFzc3dvcmQ6'))
                else:
                    facts['auth'] = (answer(base64.b64encode(b'<1@sink>').decode())
                                     .split(' ')[0], kind.upper())
                say('235 ok')
            elif verb == 'MAIL':
                now = dict(facts, sender=line[line.index('<') + 1:line.index('>')], rcpt=[])
                say('250 ok')
            elif verb == 'RCPT':
                now['rcpt'].append(line[line.index('<') + 1:line.index('>')])
                say('250 ok')
            elif verb == 'DATA':
                say('354 go')
                while stream.readline() not in (b'.\r\n', b''):
                    pass
                self.log.append(now)
                say('250 ok')
            elif verb in ('QUIT', ''):
                if verb:
                    say('221 bye')
                return
            else:
                say('250 ok')


def wait_for(sink, n=1):
    """The server may still be writing down what the client has seen the reply to."""
    end = time.monotonic() + 10 * harness.SCALE
    while len(sink.log) < n and time.monotonic() < end:
        time.sleep(.01)
    return sink.log


# --- the programs themselves ------------------------------------------------------------------

def library_path():
    return os.path.dirname((glob.glob(PACKAGES + '/usr/lib/*/libesmtp.so*') or ['/x'])[0])


# Each is a shell command with the files of the case in place; "$@" are arguments.
PROGRAMS = {
    'ssmtp': PACKAGES + '/usr/sbin/ssmtp "$@"',
    'esmtp': 'LD_LIBRARY_PATH=%s %s/usr/bin/esmtp -C /etc/esmtprc "$@"' % (library_path(), PACKAGES),
    'dma': 'chgrp mail /var/spool/dma && chmod 2775 /var/spool/dma && '
           + PACKAGES + '/usr/sbin/dma -D "$@"',
    'nullmailer': '''cd /var/spool/nullmailer && mkdir queue tmp failed && mkfifo trigger &&
        chown -R mail . && mount --bind %(p)s/usr/lib/nullmailer /usr/lib/nullmailer || exit 1
        exec 3<&0
        NULLMAILER_QUEUE=%(p)s/usr/sbin/nullmailer-queue %(p)s/usr/bin/nullmailer-inject "$@" <&3 &
        wait_for_queue
        timeout 20 %(p)s/usr/sbin/nullmailer-send >/dev/null''' % {'p': PACKAGES},
    'msmtp': 'exec %s/usr/bin/msmtp -C /etc/msmtprc "$@"' % PACKAGES,
}
SPOOLS = {'dma': ['/var/spool/dma'], 'nullmailer': ['/var/spool/nullmailer', '/usr/lib/nullmailer']}


def can_run(kind):
    """Is the program there, and can files be shown to it as /etc/...?"""
    word = PROGRAMS.get(kind, '').replace('LD_LIBRARY_PATH=%s ' % library_path(), '')
    binary = [w for w in word.split() if w.startswith(PACKAGES)]
    if os.geteuid() or not binary or not os.access(binary[0], os.X_OK):
        return False
    with harness.Folder() as folder:
        return not run_with({'/etc/msubmit-test': 'x'}, 'test -e /etc/msubmit-test', [], b'',
                            [], folder)[0]


def run_with(files, command, args, message, spools, folder):
    """(status, output) of a shell command that sees `files` at their paths."""
    os.chmod(folder, 0o755)
    layers = []
    for path, text in files.items():
        real = folder + '/layer' + path
        os.makedirs(os.path.dirname(real), exist_ok=True)
        with open(real, 'w') as f:
            f.write(text)
        layers.append('/' + path.split('/')[1])
    script = ''
    for spool in spools:
        os.makedirs(folder + '/layer' + spool, exist_ok=True)
        os.makedirs(folder + '/spool' + spool, exist_ok=True)
        layers.append('/'.join(spool.split('/')[:3]))
    for layer in sorted(set(layers)):
        script += 'mount -t overlay none -o lowerdir=%s/layer%s:%s %s && ' % (
            folder, layer, layer, layer)
    for spool in spools:
        script += 'mount --bind %s/spool%s %s && ' % (folder, spool, spool)
    command = command.replace(
        'wait_for_queue', 'for i in $(seq 200); do [ -z "$(ls /var/spool/nullmailer/queue)" ] || break; '
        'sleep .05; done')
    done = subprocess.run(['unshare', '-m', 'sh', '-c', script + '{ ' + command + '\n}', 'sh'] +
                          args, input=message, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=60 * harness.SCALE, cwd=folder,
                          env=dict(harness.environment('/root'), USER='root'))
    return done.returncode, done.stdout.decode('utf-8', 'replace')


# --- cases ---------------------------------------------------------------------------------------

def import_file(path, folder, extra=()):
    """(exit status, stdout, stderr, failures) of an import to folder/rc."""
    return harness.run_once(harness.binary(), ['--import', path, '--output', folder + '/rc'] +
                            list(extra), b'', folder)


class Case:
    """files: path -> text; PORT and PORT2 in them are ports of the servers."""

    def __init__(self, name, kind, files, wanted, args=('x@rcpt.example',), message=MESSAGE,
                 notes=(), server=None, same=True, differs='', options=()):
        self.name, self.kind, self.files, self.wanted = name, kind, files, wanted
        self.args, self.message, self.notes = list(args), message, notes
        self.server, self.same, self.differs = server or {}, same, differs
        self.options = list(options)    # that msubmit needs for the same
        self.folder = None

    def place(self, sinks, folder):
        """Writes the files below folder; the path of the main one."""
        text = {p: t.replace('@PORT2@', str(sinks[1].port)).replace('@PORT@', str(sinks[0].port))
                for p, t in self.files.items()}
        for path, content in text.items():
            os.makedirs(os.path.dirname(folder + path), exist_ok=True)
            # files that name others by their path name those beside them here
            for other in text:
                content = content.replace(other, folder + other)
            with open(folder + path, 'w') as f:
                f.write(content)
        return text, folder + next(iter(text))

    def ours(self, sinks, folder):
        """Failures of importing and sending."""
        _, path = self.place(sinks, folder + '/files')
        if self.kind == 'nullmailer':
            path = os.path.dirname(path)
        status, out, err, failures = import_file(path, folder)
        if status:
            return failures + ['import: status %d, %s' % (status, err)]
        for secret in self.secrets():
            if secret in out + err or secret in open(folder + '/rc').read():
                failures.append('the password is shown')
        for note in self.notes:
            if not any(line.endswith(note) for line in err.splitlines()):
                failures.append('not noted: %s, but %s' % (note, err))
        # the servers of the test have certificates of their own maker
        with open(folder + '/rc', 'a') as f:
            f.write('\n[defaults]\ntls_trust_file = %s\ntls_host_override = localhost\n'
                    'keyring = off\n' % self.authority)
        status, out, err, more = harness.run_once(
            harness.binary(), ['-C', folder + '/rc'] + self.options + self.args,
            self.message, folder)
        failures += more + ([] if status == 0 else ['status %d: %s' % (status, err)])
        return failures

    def secrets(self):
        return [s for s in ('s3cret', 'pa"ss word') if s in str(self.files)]

    def theirs(self, sinks, folder):
        text, _ = self.place(sinks, folder + '/unused')
        status, out = run_with(text, PROGRAMS[self.kind], self.args, self.message,
                               SPOOLS.get(self.kind, []), folder)
        return [] if status == 0 else ['%s: status %d, %s' % (self.kind, status, out)]

    def facts(self, sinks):
        """What the servers were told: one line of facts for each server that was."""
        found = []
        for number, sink in enumerate(sinks, 1):
            for entry in sink.log:
                found.append(dict(entry, server=number))
        # some programs send to each recipient by itself
        merged = []
        for entry in found:
            same = [m for m in merged if all(m.get(k) == entry.get(k)
                                             for k in ('server', 'sender', 'tls'))]
            if same:
                same[0]['rcpt'] = sorted(same[0]['rcpt'] + entry.get('rcpt', []))
            else:
                merged.append(entry)
        return merged

    def compare(self, who, facts):
        wanted = dict({'server': 1, 'tls': 'off', 'auth': None, 'rcpt': ['x@rcpt.example']},
                      **self.wanted)
        if len(facts) != 1:
            return ['%s: %d transactions: %r' % (who, len(facts), facts)]
        got = facts[0]
        if got.get('auth') and wanted['auth'] and len(wanted['auth']) == 1:
            got = dict(got, auth=got['auth'][:1])   # by a challenge: no password is seen
        return ['%s: %s is %r, not %r' % (who, k, got.get(k), v) for k, v in wanted.items()
                if got.get(k) != v]

    def run(self, certificates, who, act):
        self.authority = certificates('server')[2]
        sinks = [Sink(certificates('server'), **self.server) for _ in range(2)]
        try:
            with harness.Folder() as folder:
                failures = act(sinks, folder)
            if not failures:
                for sink in sinks:
                    if sink is sinks[self.wanted.get('server', 1) - 1]:
                        wait_for(sink)
            return failures or self.compare(who, self.facts(sinks))
        finally:
            for sink in sinks:
                sink.close()


SSMTP = 'mailhub=127.0.0.1:@PORT@\nhostname=me.example\n'
DMA = 'SMARTHOST 127.0.0.1\nPORT @PORT@\nMAILNAME me.example\n'
NULL = {'/etc/mailname': 'me.example\n', '/etc/nullmailer/pausetime': '0\n'}


def ssmtp(text, rev=''):
    files = {'/etc/ssmtp/ssmtp.conf': SSMTP + text}
    return dict(files, **({'/etc/ssmtp/revaliases': rev} if rev else {}))


def nullmailer(remotes, **more):
    files = {'/etc/nullmailer/remotes': remotes}
    files.update(NULL)
    files.update({'/etc/nullmailer/' + k: v for k, v in more.items()})
    return files


CASES = [
    Case('ssmtp: a relay', 'ssmtp', ssmtp(''), {'sender': LOGIN + '@me.example', 'helo': 'me.example'}),
    Case('ssmtp: rewriteDomain, -f does not count', 'ssmtp', ssmtp('rewriteDomain=rw.example\n'),
         {'sender': LOGIN + '@rw.example'}, args=['-fa@b.example', 'x@rcpt.example'],
         message=FROM_HEADER),
    Case('ssmtp: FromLineOverride', 'ssmtp',
         ssmtp('rewriteDomain=rw.example\nFromLineOverride=YES\n'),
         {'sender': 'head@header.example'}, message=FROM_HEADER),
    Case('ssmtp: FromLineOverride without a From field', 'ssmtp',
         ssmtp('rewriteDomain=rw.example\nFromLineOverride=YES\n'), {'sender': LOGIN + '@rw.example'}),
    Case('ssmtp: login in clear text', 'ssmtp', ssmtp('AuthUser=u@x\nAuthPass=s3cret\n'),
         {'sender': LOGIN + '@me.example', 'auth': ('u@x', 's3cret')}),
    Case('ssmtp: STARTTLS and login', 'ssmtp',
         ssmtp('UseTLS=YES\nUseSTARTTLS=YES\nAuthUser=u\nAuthPass=s3cret\n'),
         {'sender': LOGIN + '@me.example', 'auth': ('u', 's3cret'), 'tls': 'starttls'}),
    Case('ssmtp: TLS from the first octet', 'ssmtp', ssmtp('UseTLS=YES\n'),
         {'sender': LOGIN + '@me.example', 'tls': 'implicit'}, server={'implicit': True}),
    Case('ssmtp: CRAM-MD5', 'ssmtp', ssmtp('AuthUser=u\nAuthPass=s3cret\nAuthMethod=CRAM-MD5\n'),
         {'sender': LOGIN + '@me.example', 'auth': ('u', 'CRAM-MD5')}),
    Case('ssmtp: the password ends at =', 'ssmtp', ssmtp('AuthUser=u\nAuthPass=s3cret=x\n'),
         {'sender': LOGIN + '@me.example', 'auth': ('u', 's3cret')},
         notes=["AuthPass: sSMTP takes the value only up to a blank, '=', ':' or '#': what stands "
                'behind it was left out']),
    Case('ssmtp: root', 'ssmtp', ssmtp('root=adm@a.example\n'),
         {'sender': LOGIN + '@me.example', 'rcpt': ['adm@a.example', 'joe@me.example']},
         args=['root', 'joe']),
    Case('ssmtp: revaliases with a server', 'ssmtp',
         ssmtp('', LOGIN + ':rv@x.example:127.0.0.1:@PORT2@\n'),
         {'sender': 'rv@x.example', 'server': 2}),
    Case('ssmtp: revaliases without', 'ssmtp', ssmtp('', '# c\n%s:rv\n' % LOGIN),
         {'sender': 'rv@me.example'}),
    Case('esmtp: a relay', 'esmtp', {'/etc/esmtprc': 'hostname = 127.0.0.1:@PORT@\n'},
         {'sender': LOGIN + '@' + socket.gethostname()}),
    Case('esmtp: helo, qualifydomain', 'esmtp',
         {'/etc/esmtprc': 'hostname 127.0.0.1:@PORT@ helo="h.example"\nqualifydomain=q.example\n'},
         {'sender': LOGIN + '@' + socket.gethostname(), 'helo': 'h.example',
          'rcpt': ['joe@q.example']}, args=['joe']),
    Case('esmtp: reverse_path', 'esmtp',
         {'/etc/esmtprc': 'hostname=127.0.0.1:@PORT@\nforce reverse_path = "%u@rp.example"\n'},
         {'sender': LOGIN + '@rp.example'}, args=['-fa@b.example', 'x@rcpt.example']),
    Case('esmtp: an identity', 'esmtp',
         {'/etc/esmtprc': 'hostname=127.0.0.1:1\nidentity = me@id.example\n'
                          '\thostname = 127.0.0.1:@PORT2@\n'},
         {'sender': 'me@id.example', 'server': 2}, args=['-fme@id.example', 'x@rcpt.example']),
    Case('esmtp: login', 'esmtp',
         {'/etc/esmtprc': 'hostname=127.0.0.1:@PORT@\nusername=u\npassword="pa\\"ss word" # c\n'
                          'starttls=required\n'},
         {'sender': LOGIN + '@' + socket.gethostname(), 'tls': 'starttls', 'auth': ('u', 'pa"ss word')},
         same=False, differs='its library knows no authority of the test'),
    Case('dma: a smarthost', 'dma', {'/etc/dma/dma.conf': DMA},
         {'sender': LOGIN + '@me.example', 'helo': 'me.example'}),
    Case('dma: -f counts', 'dma', {'/etc/dma/dma.conf': DMA}, {'sender': 'a@b.example'},
         args=['-fa@b.example', 'x@rcpt.example'], message=FROM_HEADER),
    Case('dma: MASQUERADE a user', 'dma', {'/etc/dma/dma.conf': DMA + 'MASQUERADE john@\n'},
         {'sender': 'john@me.example'}, args=['-fa@b.example', 'x@rcpt.example']),
    Case('dma: MASQUERADE a domain', 'dma', {'/etc/dma/dma.conf': DMA + 'MASQUERADE m.example\n'},
         {'sender': LOGIN + '@m.example'}),
    Case('dma: STARTTLS and login', 'dma',
         {'/etc/dma/dma.conf': DMA + 'SECURETRANSFER\nSTARTTLS\nAUTHPATH /etc/dma/auth.conf\n',
          '/etc/dma/auth.conf': '# c\nu|127.0.0.1:s3cret\n'},
         {'sender': LOGIN + '@me.example', 'tls': 'starttls', 'auth': ('u', 's3cret')},
         server={'mechanisms': 'LOGIN'}),
    Case('dma: TLS from the first octet', 'dma', {'/etc/dma/dma.conf': DMA + 'SECURETRANSFER\n'},
         {'sender': LOGIN + '@me.example', 'tls': 'implicit'}, server={'implicit': True}),
    Case('dma: login without TLS is a challenge', 'dma',
         {'/etc/dma/dma.conf': DMA + 'AUTHPATH /etc/dma/auth.conf\n',
          '/etc/dma/auth.conf': 'u|127.0.0.1:s3cret\n'},
         {'sender': LOGIN + '@me.example', 'auth': ('u', 'CRAM-MD5')}),
    Case('dma: INSECURE', 'dma',
         {'/etc/dma/dma.conf': DMA + 'AUTHPATH /etc/dma/auth.conf\nINSECURE\n',
          '/etc/dma/auth.conf': 'u|127.0.0.1:s3cret\n'},
         {'sender': LOGIN + '@me.example', 'auth': ('u', 's3cret')}, server={'mechanisms': 'LOGIN'}),
    Case('dma: OPPORTUNISTIC_TLS, none offered', 'dma',
         {'/etc/dma/dma.conf': DMA + 'SECURETRANSFER\nSTARTTLS\nOPPORTUNISTIC_TLS\n'},
         {'sender': LOGIN + '@me.example'}, server={'starttls': False}),
    Case('dma: NULLCLIENT', 'dma', {'/etc/dma/dma.conf': DMA + 'NULLCLIENT\n'},
         {'sender': LOGIN + '@me.example', 'rcpt': ['joe@me.example']}, args=['joe'], same=False,
         differs='it sends the bare name, which the server must complete'),
    Case('nullmailer: a remote', 'nullmailer', nullmailer('127.0.0.1 smtp --port=@PORT@\n',
                                                          defaulthost='dh\n',
                                                          defaultdomain='dd.example\n'),
         {'sender': LOGIN + '@dh.dd.example'}),
    Case('nullmailer: allmailfrom, helohost', 'nullmailer',
         nullmailer('127.0.0.1 smtp port=@PORT@\n', allmailfrom='all@f.example\n',
                    helohost='helo.example\n', defaulthost='h.example\n'),
         {'sender': 'all@f.example', 'helo': 'helo.example'},
         args=['-fa@b.example', 'x@rcpt.example']),
    Case('nullmailer: STARTTLS and login', 'nullmailer',
         nullmailer("127.0.0.1 smtp port=@PORT@ starttls insecure user=u 'pass=pa\"ss word'\n",
                    defaulthost='h.example\n'),
         {'sender': LOGIN + '@h.example', 'tls': 'starttls', 'auth': ('u', 'pa"ss word')}),
    Case('nullmailer: TLS, LOGIN', 'nullmailer',
         nullmailer('127.0.0.1 smtp port=@PORT@ tls insecure user=u pass=s3cret auth-login\n',
                    defaulthost='h.example\n'),
         {'sender': LOGIN + '@h.example', 'tls': 'implicit', 'auth': ('u', 's3cret')},
         server={'implicit': True}),
    Case('nullmailer: adminaddr', 'nullmailer',
         nullmailer('127.0.0.1 smtp port=@PORT@\n', adminaddr='adm@a.example,two@a.example\n',
                    defaulthost='me.example\n'),
         {'sender': LOGIN + '@me.example', 'rcpt': ['adm@a.example', 'two@a.example', 'z@b.example']},
         args=['joe@localhost', 'z@b.example']),
    Case('nullmailer: the second remote', 'nullmailer',
         nullmailer('127.0.0.1 smtp port=1\n127.0.0.1 smtp port=@PORT2@\n',
                    defaulthost='h.example\n'),
         {'sender': LOGIN + '@h.example', 'server': 2}),
    Case('postfix: relayhost, login', 'postfix',
         {'/etc/postfix/main.cf': 'myhostname = w.example\nrelayhost = [127.0.0.1]:@PORT@\n'
          'smtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = hash:/etc/postfix/sasl\n'
          'smtp_sasl_security_options = noanonymous\nsmtp_tls_security_level = encrypt\n',
          '/etc/postfix/sasl': '[127.0.0.1]:@PORT@ u:s3cret\n'},
         {'sender': LOGIN + '@w.example', 'tls': 'starttls', 'auth': ('u', 's3cret'),
          'helo': 'w.example'}),
    Case('postfix: wrapper mode', 'postfix',
         {'/etc/postfix/main.cf': 'myorigin = o.example\nrelayhost = [127.0.0.1]:@PORT@\n'
          'smtp_tls_wrappermode = yes\nsmtp_tls_security_level = encrypt\n'},
         {'sender': LOGIN + '@o.example', 'tls': 'implicit', 'rcpt': ['joe@o.example']},
         args=['joe'], server={'implicit': True}),
    Case('postfix: a server by sender', 'postfix',
         {'/etc/postfix/main.cf': 'myorigin = o.example\nrelayhost = [127.0.0.1]:1\n'
          'smtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = hash:/etc/postfix/sasl\n'
          'smtp_tls_security_level = may\n'
          'sender_dependent_relayhost_maps = hash:/etc/postfix/relay\n',
          '/etc/postfix/sasl': '[127.0.0.1]:1 u:s3cret\n',
          '/etc/postfix/relay': '@by.example [127.0.0.1]:@PORT2@\n'},
         {'sender': 'a@by.example', 'tls': 'starttls', 'server': 2},
         args=['-fa@by.example', 'x@rcpt.example']),
    Case('postfix: generic', 'postfix',
         {'/etc/postfix/main.cf': 'myorigin = o.local\nrelayhost = [127.0.0.1]:@PORT@\n'
          'smtp_generic_maps = hash:/etc/postfix/generic\n',
          '/etc/postfix/generic': LOGIN + '@o.local admin@o.example\n@o.local @o.example\n'},
         {'sender': 'admin@o.example', 'rcpt': ['joe@o.example']}, args=['joe']),
    Case('msmtp: accounts, login', 'msmtp',
         {'/etc/msmtprc': 'defaults\ntls on\nauth on\ntls_certcheck off\nuser u\n'
          'account one\nhost 127.0.0.1\nport @PORT@\nfrom me@x.example\npassword s3cret\n'
          'account two : one\nport @PORT2@\naccount default : one\n'},
         {'sender': 'me@x.example', 'tls': 'starttls', 'auth': ('u', 's3cret'),
          'helo': 'localhost'}),
    Case('msmtp: -f, TLS off', 'msmtp',
         {'/etc/msmtprc': 'account default\nhost 127.0.0.1\nport @PORT@\nfrom me@x.example\n'},
         {'sender': 'a@b.example'}, args=['-fa@b.example', 'x@rcpt.example']),
    Case('msmtp: auto_from', 'msmtp',
         {'/etc/msmtprc': 'host 127.0.0.1\nport @PORT@\nauto_from on\nmaildomain m.example\n'
          'domain ehlo.example\n'}, {'sender': LOGIN + '@m.example', 'helo': 'ehlo.example'}),
]


# --- files, examples, faults ------------------------------------------------------------------------

def shipped():
    """(name, path, type, expected status) of the examples in the packages."""
    doc = PACKAGES + '/usr/share/'
    return [('esmtp, sample.esmtprc', doc + 'doc/esmtp/examples/sample.esmtprc', None, 0),
            ('dma, dma.conf', doc + 'dma/dma.conf', None, 0),
            ('Postfix, main.cf.debian', doc + 'postfix/main.cf.debian', 'postfix', 0),
            ('Postfix, main.cf.dist', doc + 'postfix/main.cf.dist', 'postfix', 0),
            ('Postfix, main.cf.tls', doc + 'postfix/main.cf.tls', 'postfix', 0),
            ('msmtp, user', doc + 'doc/msmtp/examples/msmtprc-user.example', 'msmtp', 0),
            ('msmtp, system', doc + 'doc/msmtp/examples/msmtprc-system.example', 'msmtp', 0)]


def shipped_example(path, kind, wanted):
    """Imported by name or type, and every line that is no comment is in the file or noted."""
    with harness.Folder() as folder:
        status, _, err, failures = import_file(path, folder,
                                               ['--import-type', kind] if kind else [])
        if status != wanted:
            return failures + ['status %d: %s' % (status, err)]
        loaded = harness.run_once(harness.binary(), ['-C', folder + '/rc', '-P'], b'', folder)
        return failures + loaded[3] + ([] if loaded[0] == 0 else [loaded[2]])


def new_file_only():
    with harness.Folder() as folder:
        with open(folder + '/esmtprc', 'w') as f:
            f.write('hostname=h username=u password=s3cret\n')
        with open(folder + '/rc.password', 'w') as f:
            f.write('mine')
        status, out, err, failures = import_file(folder + '/esmtprc', folder)
        if status != 73 or 'rc.password exists already and is left as it is' not in err:
            failures.append('%d: %s' % (status, err))
        if open(folder + '/rc.password').read() != 'mine' or os.path.exists(folder + '/rc'):
            failures.append('a file was changed or left behind')
        os.unlink(folder + '/rc.password')
        with open(folder + '/rc', 'w') as f:
            f.write('mine')
        status, out, err, more = import_file(folder + '/esmtprc', folder)
        if status != 73 or 'rc exists already' not in err or open(folder + '/rc').read() != 'mine':
            failures.append('%d: %s' % (status, err))
        os.unlink(folder + '/rc')
        if sorted(os.listdir(folder)) != ['esmtprc']:
            failures.append('left behind: %s' % os.listdir(folder))
        status, out, err, more = import_file(folder + '/esmtprc', folder)
        if status or os.stat(folder + '/rc.password').st_mode & 0o777 != 0o600:
            failures.append('%d: %s' % (status, err))
        if open(folder + '/rc.password').read() != 's3cret\n' or 's3cret' in open(folder +
                                                                                 '/rc').read():
            failures.append('the password is not where it belongs')
        if out != 'wrote %s/rc\nwrote %s/rc.password (mode 0600)\n' % (folder, folder):
            failures.append(out)
        return failures


def on_standard_output():
    with harness.Folder() as folder:
        with open(folder + '/x', 'w') as f:
            f.write('mailhub=h\nAuthUser=u\nAuthPass=s3cret\nDebug=YES\n')
        status, out, err, failures = harness.run_once(
            harness.binary(), ['--import', 'x', '--import-type=ssmtp'], b'', folder)
        if status or 's3cret' in out + err:
            failures.append('%d: %s %s' % (status, out, err))
        if 'password_file = ' not in out or '# its password is in x; put it alone' not in out:
            failures.append(out)
        if 'msubmit: x:4: Debug: no equivalent: see --debug and syslog\n' not in err:
            failures.append(err)
        return failures


def refused(args, files, status, words, name='msubmit'):
    def run():
        with harness.Folder() as folder:
            for path, text in files.items():
                with open(os.path.join(folder, path), 'w') as f:
                    f.write(text)
            child = subprocess.run([name] + args, executable=harness.binary(), cwd=folder,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=harness.environment(folder))
            err = child.stderr.decode()
            if child.returncode != status or words not in err or child.stdout:
                return ['%d: %s%s' % (child.returncode, child.stdout.decode(), err)]
            return []
    return run


FAULTS = [
    ('no such file', ['--import', 'x'], {}, 66, 'cannot open x: No such file or directory'),
    ('nothing that is known', ['--import', 'x'], {'x': 'hello\n'}, 65,
     'x: cannot tell whose configuration this is: add --import-type, one of'),
    ('an unknown type', ['--import', 'x', '--import-type', 'exim'], {'x': ''}, 64,
     "--import-type: 'exim' is none of"),
    ('no server', ['--import', 'msmtprc'], {'msmtprc': 'account a\nuser u\n'}, 78,
     'msmtprc names no server to send to'),
    ('the own form', ['--import', 'msmtprc'], {'msmtprc': '[account a]\n'}, 65,
     'msmtprc is in the ini form of msubmit already'),
    ('addresses', ['--import', 'msmtprc', 'a@b'], {}, 64, 'takes neither addresses nor -t'),
    ('output alone', ['--output', 'x', 'a@b'], {}, 64, '--output belongs to --configure and --import'),
    ('behind an address', ['a@b', '--import', 'x'], {}, 64, 'must stand before the first address'),
    ('output is a folder', ['--import', 'esmtprc', '--output', 'd/'], {'esmtprc': 'hostname h\n'},
     73, 'cannot create d/'),
]


def main():
    with harness.Folder() as folder:
        certificates = harness.Certificates(folder + '/certs')
        usable = {kind: can_run(kind) for kind in PROGRAMS}
        for case in CASES:
            tests.append((case.name, lambda c=case: c.run(certificates, 'msubmit', c.ours)))
            if not case.same or case.kind not in PROGRAMS:
                continue
            tests.append((case.name + ': the program itself', lambda c=case: c.run(
                certificates, c.kind, c.theirs)) if usable[case.kind] else
                (case.name + ': the program itself # SKIP it is not in %s, or no root' % PACKAGES,
                 None))
        for name, path, kind, status in shipped():
            there = os.path.exists(path)
            tests.append(('shipped example: ' + name + ('' if there else ' # SKIP not there'),
                          (lambda p=path, k=kind, s=status: shipped_example(p, k, s))
                          if there else None))
        tests.append(('--output makes new files only', new_file_only))
        tests.append(('on standard output', on_standard_output))
        for name, args, files, status, words in FAULTS:
            tests.append(('refused: ' + name, refused(args, files, status, words)))
        tests.append(('refused: as sendmail', refused(
            ['--import', 'x'], {}, 64, 'is not taken when called as', 'sendmail')))
        return harness.run_tap(tests)


if __name__ == '__main__':
    sys.exit(main())
