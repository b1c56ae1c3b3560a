#!/usr/bin/env python3
"""contrib/sendmail-links, which "make install" calls: nothing of others is touched; TAP."""
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                          # noqa: E402

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'contrib', 'sendmail-links')
OURS = {'/usr/sbin/sendmail': '/usr/bin/msubmit', '/usr/bin/mailq': 'msubmit',
        '/usr/bin/newaliases': 'msubmit', '/usr/share/man/man8/sendmail.8': '../man1/msubmit.1',
        '/usr/share/man/man1/mailq.1': 'msubmit.1', '/usr/share/man/man1/newaliases.1': 'msubmit.1'}


def call(root, what):
    done = subprocess.run(['sh', SCRIPT, what, '/usr/bin', '/usr/sbin', '/usr/share/man'],
                          env=dict(os.environ, DESTDIR=root), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.decode()


def state(root):
    """Every file below the root: the text of a link, or the octets of a file."""
    found = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.islink(path):
                found[path[len(root):]] = os.readlink(path)
            else:
                with open(path, encoding='utf-8') as f:
                    found[path[len(root):]] = 'file: ' + f.read()
    return found


def put(root, path, text=None, link=None):
    os.makedirs(os.path.dirname(root + path), exist_ok=True)
    if link:
        os.symlink(link, root + path)
    else:
        with open(root + path, 'w', encoding='utf-8') as f:
            f.write(text)


def compare(root, wanted, got, said=()):
    status, text = got
    faults = ['status %d: %s' % (status, text)] if status else []
    faults += ['said: %s' % text] if not all(s in text for s in said) or bool(text) != bool(said) \
        else []
    return faults + (['%s, not %s' % (state(root), wanted)] if state(root) != wanted else [])


def fresh():
    with harness.Folder() as root:
        faults = compare(root, OURS, call(root, 'install'))
        faults += compare(root, OURS, call(root, 'install'))        # and once more
        return faults + compare(root, {}, call(root, 'uninstall'))


def of_others():
    """A program, a link to one, one to alternatives, one that leads nowhere, a manual."""
    with harness.Folder() as root:
        put(root, '/usr/sbin/sendmail', 'postfix')
        put(root, '/usr/bin/mailq', link='../sbin/sendmail')
        put(root, '/usr/bin/newaliases', link='/etc/alternatives/newaliases')
        put(root, '/usr/share/man/man8/sendmail.8', 'manual')
        put(root, '/usr/share/man/man1/mailq.1', link='nowhere')
        before = state(root)
        after = dict(before)
        after['/usr/share/man/man1/newaliases.1'] = 'msubmit.1'
        faults = compare(root, after, call(root, 'install'), [
            '/usr/sbin/sendmail is another program\'s: it stays as it is',
            '/usr/bin/mailq is a link to ../sbin/sendmail, not to msubmit',
            '/etc/alternatives/newaliases, not', 'sendmail.8 is another', 'link to nowhere'])
        return faults + compare(root, before, call(root, 'uninstall'))


def of_another_prefix():
    """Our own link of an installation elsewhere is replaced; taken away by that one alone."""
    with harness.Folder() as root:
        put(root, '/usr/sbin/sendmail', link='/usr/local/bin/msubmit')
        left = state(root)
        faults = compare(root, left, call(root, 'uninstall'))
        return faults + compare(root, OURS, call(root, 'install'))


def wrong_use():
    with harness.Folder() as root:
        put(root, '/usr/sbin/sendmail', 'x')
        status, text = call(root, 'remove')
        return [] if status == 1 and 'neither' in text and len(state(root)) == 1 else [text]


if __name__ == '__main__':
    sys.exit(harness.run_tap([('laid and taken away', fresh), ('what belongs to others', of_others),
                              ('another prefix', of_another_prefix), ('wrong use', wrong_use)]))
