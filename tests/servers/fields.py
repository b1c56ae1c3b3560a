#!/usr/bin/env python3
"""Postfix's sendmail(1) with the header fields of the corpus: what a reader finds in them then.

See field_compare.py; where it is something else than before, corpus/fields names the reason.
"""
import common
from common import Instance
from options import Sent, send_all

import field_compare as corpus                                          # noqa: E402


class Passed(Sent):
    """A message with a field, and what has come of it."""

    def __init__(self, entry):
        super().__init__(['-i', corpus.RCPT], corpus.message(entry['text']).decode())
        self.entry = entry

    def judge(self):
        return corpus.compare('postfix', self.entry, self.mails[0].data if self.mails else None)


def run(certs, home):
    made = [Passed(entry) for entry in corpus.entries()]
    with Instance('postfix', ('postfix', 'postdrop')) as instance:
        send_all(instance, certs, made)
        return common.run_cases(instance, [('%s: %r' % (p.entry['kind'], p.entry['text'][:60]),
                                            p.judge) for p in made])


if __name__ == '__main__':
    common.main(run)
