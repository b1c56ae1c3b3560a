#!/usr/bin/env python3
"""A queue that is damaged, tampered with or half unreadable; TAP.

What can be sent is sent, once, and to its own recipients.
"""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402
from line_test import Server, fill, run                                 # noqa: E402
from queue_test import rewrite, values                                  # noqa: E402

tests = harness.Tests()


def in_a_row(h):
    """All entries in one folder and, by new names, in the order in which they are taken."""
    folder = os.path.join(h.queue, '00')
    os.makedirs(folder, 0o700, exist_ok=True)
    row = [os.path.join(folder, '%014X00' % i) for i in range(len(h.entries()))]
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


if __name__ == '__main__':
    harness.run_tap(tests)
