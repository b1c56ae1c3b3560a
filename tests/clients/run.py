#!/usr/bin/env python3
"""Programs that send mail do so by /usr/sbin/sendmail, which is msubmit; TAP.

Envelope and message are compared with what the program was given, on success, when the
server refuses, and when there is none. MSUBMIT names the program (./msubmit). Programs
that are missing are skipped (contrib/install-test-tools has them). Arguments: only
the cases whose name holds one of them.
"""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from room import Failure, House, Room, harness                          # noqa: E402
import libraries                                                        # noqa: E402
import machine                                                          # noqa: E402
import mailers                                                          # noqa: E402
import manual                                                           # noqa: E402
import php                                                              # noqa: E402
import programs                                                         # noqa: E402


def case(house, function):
    """A case in a room of its own."""
    def run():
        with Room(house) as room:
            try:
                function(room)
            except Failure as e:
                return [str(e)] + ['syslog: ' + s for s in room.syslog.lines]
        return []
    return run


def chosen(house, words):
    """(name, function) of each case."""
    missing = {}
    for module in (machine, mailers, libraries, php, programs, manual):
        for name, needs, function in module.TESTS:
            if words and not any(w in name for w in words):
                continue
            if needs not in missing:
                missing[needs] = needs is not None and not needs()
            yield ('%s # SKIP not installed, or needs root' % name, None) if missing[needs] else \
                (name, case(house, function))


def main():
    harness.binary()
    with harness.Folder() as folder:
        house = House(os.path.join(folder, 'house'))
        fault = house.fault()
        if fault:
            print('1..0 # SKIP ' + fault)
            return 0
        return harness.run_tap(list(chosen(house, sys.argv[1:])))


if __name__ == '__main__':
    sys.exit(main())
