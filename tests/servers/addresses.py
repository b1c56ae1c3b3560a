#!/usr/bin/env python3
"""Postfix's sendmail -t with the addresses of the corpus, beside what msubmit makes of them.

Its answers, and why they differ from ours, stand in corpus/addresses as those of the others do
(address_compare.py). With --record the corpus is printed anew. A name without a domain gets
ours here, since Postfix's gets one.
"""
import json
import sys

import common
from common import Instance
from options import Sent, send_all

import address_compare as corpus                                        # noqa: E402

DOMAIN = 'example.org'


def whole(address):
    """The address with a domain; its '@' may be in quotes."""
    return address if '@' in address.rpartition('"')[2] else '%s@%s' % (address, DOMAIN)


class Asked(Sent):
    """A To field, and whom the mail has gone to."""

    def __init__(self, entry):
        super().__init__(['-i', '-t'], corpus.message(entry['text']).decode())
        self.entry = entry

    def answer(self):
        return sorted({rcpt for mail in self.mails for rcpt in mail.order}) or None

    def ours(self):
        return sorted(map(whole, self.entry['ours'])) if self.entry['ours'] else None

    def judge(self):
        listed = self.entry.get('postfix')
        if self.answer() == (listed[0] if listed else self.ours()) and \
                (not listed or listed[1] in corpus.REASONS):
            return []
        return ['%r: %r, ours %r, listed %r, exit %d %s' % (
            self.entry['text'], self.answer(), self.ours(), listed, self.exit, self.err)]

    def record(self):
        entry = {k: v for k, v in self.entry.items() if k != 'postfix'}
        if self.answer() != self.ours():
            entry['postfix'] = [self.answer(), self.entry.get('postfix', [None, '?'])[1]]
        return json.dumps(entry, ensure_ascii=True)


def run(certs, home):
    made = [Asked(entry) for entry in corpus.entries()]
    with Instance('postfix', ('postfix', 'postdrop')) as instance:
        send_all(instance, certs, made)
        if sys.argv[1:] == ['--record']:
            print('\n'.join(asked.record() for asked in made))
            return 0
        return common.run_cases(instance, [('%s: %r' % (a.entry['kind'], a.entry['text']), a.judge)
                                           for a in made])


if __name__ == '__main__':
    common.main(run)
