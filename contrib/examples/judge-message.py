#!/usr/bin/env python3
"""on_message = judge-message.py DATABASE

Mail is for the addresses of table 'project' only; that of the addresses in table 'bad' is thrown
away; the rest is written into the journal and goes on. Both tables have a column 'address'.
"""
import json
import os
import sqlite3
import sys

LATER = 75


def judge(db, envelope, size):
    """What is printed: "" to take it, "discard", or a reply."""
    known = {row[0] for row in db.execute('SELECT lower(address) FROM project')}
    for recipient in envelope['recipients']:
        if recipient['address'].lower() not in known:
            return '550 5.1.1 no such project: ' + recipient['address']
    if db.execute('SELECT 1 FROM bad WHERE address = ? COLLATE NOCASE', (envelope['sender'], )).fetchone():
        return 'discard'
    with db:
        db.execute('CREATE TABLE IF NOT EXISTS journal (id TEXT, sender TEXT, recipients TEXT, size INTEGER)')
        db.execute('INSERT INTO journal VALUES (?, ?, ?, ?)',
                   (envelope['id'], envelope['sender'], ' '.join(r['address'] for r in envelope['recipients']), size))
    return ''


def main():
    with open(os.environ['MSUBMIT_ENVELOPE'], encoding='utf-8') as f:
        envelope = json.load(f)
    message = sys.stdin.buffer.read()
    try:
        print(judge(sqlite3.connect(sys.argv[1], timeout=5), envelope, len(message)))
    except sqlite3.Error as e:
        print(e, file=sys.stderr)
        return LATER
    return 0


if __name__ == '__main__':
    sys.exit(main())
