#!/usr/bin/env python3
"""The mail of corpus/headers and corpus/messages by msubmit, msmtp, Postfix's and Exim's sendmail.

All of it goes to one server that keeps it, in one run. See mail_compare.py: ours delivers what
any of the others does, and where ours and Postfix's are read differently, corpus/differences
says why. With --record the lines are printed that are missing there.
"""
import concurrent.futures
import os
import subprocess
import sys

import common
import exim
import options
import postfix
from common import Instance, Sink, harness

import mail_compare as corpus                                           # noqa: E402


def enter(instance, words, octets=b''):
    """Runs a program in the root of its server."""
    def change():
        os.chroot(instance.root)
        os.chdir('/tmp')
        os.umask(0o022)
    return subprocess.run(words, input=octets, preexec_fn=change, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False, timeout=10 * common.WAIT,
                          env={'PATH': '/usr/sbin:/usr/bin', 'TZ': 'UTC'})


def call(sent, who, words, instance):
    """Gives one mail to a sendmail."""
    done = enter(instance, words + sent.words(who), sent.octets)
    sent.said[who] = 'exit %d %s' % (done.returncode, done.stderr.decode('utf-8', 'replace'))


def call_all(made, who, words, instance):
    with concurrent.futures.ThreadPoolExecutor(harness.JOBS) as pool:
        list(pool.map(lambda sent: call(sent, who, words, instance), made))


def by_postfix(instance, sink, certs, made):
    ports = dict(zip(('starttls', 'implicit', 'plain'), common.free_ports(3)))
    instance.certificates(certs)
    postfix.configure(instance, sink, ports)
    postfix.add(instance, 'myorigin = example.org\nallow_min_user = yes\nin_flow_delay = 0\n')
    master = instance.start('/usr/lib/postfix/sbin/master', '-c', '/etc/postfix', '-d')
    instance.ready({'plain': ports['plain']}, master)
    call_all(made, 'postfix', ['/usr/sbin/sendmail'], instance)
    common.wait_for('empty queue', lambda: options.queue_is_empty(instance), master)


def by_exim(instance, sink, certs, made):
    """Without a daemon: one run delivers all that is in the queue."""
    ports = dict(zip(('starttls', 'implicit', 'plain'), common.free_ports(3)))
    instance.certificates(certs)
    for folder in ('var/spool/exim4', 'var/log/exim4'):
        instance.folder(folder, 0o750, 'Debian-exim')
    instance.chown('etc/tls/server.key', 'Debian-exim')
    instance.file('etc/exim4/exim4.conf', exim.CONFIG % dict(
        ports, sink=sink.port, size=common.SIZE_LIMIT))
    call_all(made, 'exim', ['/usr/sbin/exim4', '-odq'], instance)
    enter(instance, ['/usr/sbin/exim4', '-q'])


def record(made):
    for sent in made:
        for who in sorted(set(sent.said) - set(sent.came)):
            print('# %s: not by %s, %s' % (sent.name, who, sent.said[who]))
        for who, what in sorted(corpus.found_differences(sent) if 'ours' in sent.came else ()):
            if (sent.name, who, what) not in corpus.differences():
                print('%s %s %s: ?' % (sent.name, who, what))
    return 0


def run(certs, home):
    made, sink = corpus.everything(), Sink()
    with Instance('postfix', ('postfix', 'postdrop')) as one, \
            Instance('exim', ('Debian-exim',)) as other:
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            jobs = [pool.submit(by_postfix, one, sink, certs, made),
                    pool.submit(by_exim, other, sink, certs, made),
                    pool.submit(corpus.send_here, made, sink, home)]
            for job in jobs:
                job.result()
        sink.close()
        corpus.distribute(sink, made)
        if sys.argv[1:] == ['--record']:
            return record(made)
        return common.run_cases(one, corpus.tests(made, ('postfix',)))


if __name__ == '__main__':
    common.main(run)
