#!/usr/bin/env python3
"""The examples of hooks and deliveries in contrib/examples, each run by the listener; TAP.

What is not installed (PHP with PDO's SQLite, the program sqlite3) is skipped."""
import os
import shutil
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import run_tap
import listener_test
from deliver_test import HELLO, converse, sign_in
from listener_test import Server, expect, expect_start

EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'contrib', 'examples')
TESTS = listener_test.TESTS = []
test = listener_test.test
BODY = b"Subject: it's\r\n\r\n'); DROP TABLE message; --\r\n\xff\r\n"
SENDER = "o'hara@x.example"


def php():
    """Is there a PHP with SQLite?"""
    if not shutil.which('php'):
        return False
    end = subprocess.run(['php', '-m'], capture_output=True, check=False)
    return b'pdo_sqlite' in end.stdout


def needs(there, what):
    """Skips the test where that is not there."""
    def decorate(function):
        if there:
            return test(function)
        TESTS.append((function.__doc__ + ' # SKIP %s is not installed' % what, lambda: []))
        return function
    return decorate


def stores(folder, name):
    """A script of deliver = command: has a row for each recipient, or the client hears 451."""
    database = folder + '/mail.db'
    with Server(folder, deliver='command:%s/%s %s' % (EXAMPLES, name, database), hook_timeout='30') as server:
        lines = ['EHLO me', 'MAIL FROM:<%s>' % SENDER, 'RCPT TO:<b@y.example>', "RCPT TO:<c'd@y.example>"]
        expect_start(converse(server, lines, BODY)[-1], '250 2.0.0 ')
        with sqlite3.connect(database) as db:
            rows = db.execute('SELECT id, sender, recipient, client, content FROM message').fetchall()
        db.close()
        expect([r[1:4] for r in rows], [(SENDER, 'b@y.example', '127.0.0.1'), (SENDER, "c'd@y.example", '127.0.0.1')])
        expect(rows[0][0], rows[1][0])
        for row in rows:
            content = row[4] if isinstance(row[4], bytes) else row[4].encode()
            assert content.endswith(b"\nSubject: it's\n\n'); DROP TABLE message; --\n\xff\n"), content
        # a database that cannot be written to is for later
        os.remove(database)
        os.mkdir(database)
        expect_start(converse(server, HELLO, BODY)[-1], '451 ')


@needs(shutil.which('sqlite3'), 'sqlite3')
def shell(folder):
    """store-message.sh"""
    stores(folder, 'store-message.sh')


@needs(php(), 'PHP with PDO for SQLite')
def store_php(folder):
    """store-message.php"""
    stores(folder, 'store-message.php')


@test
def judge(folder):
    """judge-message.py"""
    database = folder + '/mail.db'
    with sqlite3.connect(database) as db:
        db.executescript("CREATE TABLE project (address); INSERT INTO project VALUES ('B@y.example');"
                         "CREATE TABLE bad (address); INSERT INTO bad VALUES ('bad@x.example')")
    db.close()
    with Server(folder, on_message='%s/judge-message.py %s' % (EXAMPLES, database), hook_timeout='30') as server:
        expect_start(converse(server, HELLO)[-1], '250 2.0.0 stored')
        expect_start(converse(server, HELLO + ['RCPT TO:<c@y.example>'])[-1], '550 5.1.1 no such project: c@y.example')
        expect_start(converse(server, ['EHLO me', 'MAIL FROM:<Bad@x.example>', HELLO[2]])[-1], '250 2.0.0 accepted')
        expect(len(server.messages()), 1)
        with sqlite3.connect(database) as db:
            expect(db.execute('SELECT sender, recipients FROM journal').fetchall(), [('a@x.example', 'b@y.example')])
        db.close()
        os.remove(database)
        expect_start(converse(server, HELLO)[-1], '451 ')
        expect(len(server.messages()), 1)


@needs(php(), 'PHP with PDO for SQLite')
def password(folder):
    """check-password.php"""
    database = folder + '/mail.db'
    made = subprocess.run(['php', '-r', 'echo password_hash("se cret", PASSWORD_BCRYPT);'], capture_output=True, check=True)
    with sqlite3.connect(database) as db:
        db.execute('CREATE TABLE user (name TEXT, password TEXT)')
        db.execute('INSERT INTO user VALUES (?, ?)', ("j'oe", made.stdout.decode()))
    db.close()
    with Server(folder, on_auth='%s/check-password.php %s' % (EXAMPLES, database), auth_plain_loopback='on',
                hook_timeout='30') as server:
        expect_start(sign_in(server, "j'oe", 'se cret')[0], '235')
        expect_start(sign_in(server, "j'oe", 'secret')[0], '535')
        expect_start(sign_in(server, 'nobody', 'se cret')[0], '535')
        expect_start(sign_in(server, "' OR 1=1 --", 'se cret')[0], '535')
        os.remove(database)
        expect_start(sign_in(server, "j'oe", 'se cret')[0], '454')


if __name__ == '__main__':
    sys.exit(run_tap(TESTS))
