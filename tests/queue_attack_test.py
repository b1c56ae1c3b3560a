#!/usr/bin/env python3
"""A queue that is damaged, tampered with or half unreadable; TAP.

What can be sent is sent, once, and to its own recipients.
"""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402
from line_test import Server, everybody, fill, run                                 # noqa: E402
from queue_test import rewrite, values                                  # noqa: E402

tests = harness.Tests()


def in_a_row(h):
    """All entries in one folder and, by new names, in the order in which they are taken."""
    folder = os.path.join(h.queue, '00')
    os.makedirs(folder, 0o700, exist_ok=True)
    row = [os.path.join(folder, '%014X00' % (i + (1 << 30))) for i in range(len(h.entries()))]
    for old, new in zip(h.entries(), row):
        os.rename(old, new)
    return row


def put(path, **lines):
    """Into an entry of version 2; due."""
    with open(path, 'r+b') as f:
        f.seek(len('msubmit-queue '))
        f.write(b'002')
    rewrite(path, **lines)
    os.utime(path, (1, 1))


@tests.named('an envelope is out and its entry is left after all: nobody gets another message')
def offered_and_left():
    failures = []
    for victim in range(1, 6):
        s = Server()
        h = fill(s, 8)
        path = in_a_row(h)[victim]
        who, = values(path, 'rcpt')
        # a notification of the run before is under way, and cannot be handed on
        put(path, notices=1)
        with open(os.path.join(h.queue, 'pending'), 'w', encoding='ascii'):
            pass
        run(h, s)
        h.check('%d: all but %s, once: %s' % (victim, who, s.taken),
                set(s.taken.values()) == {1} and len(s.taken) == 7 and who not in s.taken)
        h.check('it waits', [values(p, 'rcpt')[0] for p in h.entries()] == [who])
        failures += h.failures
    return failures


@tests.named('messages that no run can read are late like others')
def unreadable():
    s = Server()
    h = fill(s, 6, 'delay_warning_time = 1m')
    for path in in_a_row(h)[:-1]:
        os.chmod(path, 0o666)
    h.check('-q says why', h.run('-q') == 0 and 'can be changed by others' in h.err)
    h.check('and sends the other one: %s' % s.taken, len(s.taken) == 1)
    # they were made in 1970, by their names
    h.check('late: %s' % h.out, h.run('--status') == 1 and '5 in the queue, the oldest for ' in h.out)
    h.check('mailq says so', h.run('-bp') != 0 and 'can be changed by others' in h.err)
    return h.failures


def spoil(h, kind):
    """Puts what is no folder of a queue at all places of folders that are not there."""
    elsewhere = os.path.join(h.folder, 'elsewhere')
    os.makedirs(elsewhere, 0o700, exist_ok=True)
    for i in range(256):
        path = os.path.join(h.queue, '%02X' % i)
        if os.path.exists(path):
            continue
        if kind == 'link':
            os.symlink(elsewhere, path)
        else:
            with open(path, 'w', encoding='ascii'):
                pass
    return elsewhere


@tests.named('a folder that cannot be read keeps the others from nothing')
def bad_folders():
    s = Server()
    h = fill(s, 6)
    spoil(h, 'file')
    h.check('mailq says so', h.run('-bp') != 0 and 'queue: cannot read' in h.err)
    h.check('and shows all: ' + h.out, all('r%d@example.com' % i in h.out for i in range(6)))
    h.check('-q says so', h.run('-q') != 0 and 'queue: cannot read' in h.err)
    h.check('and sends all: %s' % s.taken, s.taken == everybody(6))
    return h.failures


@tests.named('nothing is queued where no run would find it')
def linked_folders():
    s = Server()
    h = fill(s, 1)
    elsewhere = spoil(h, 'link')
    ends = [h.run('-i', 'a@example.com') for _ in range(3)]
    here = len(h.entries()) - 1
    h.check('%s: not behind a link: %s' % (ends, os.listdir(elsewhere)),
            not os.listdir(elsewhere) and ends.count(0) == here)
    return h.failures


if __name__ == '__main__':
    harness.run_tap(tests)
