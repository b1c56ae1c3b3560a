#!/bin/sh
# smtp-server (npm, the server of nodemailer's makers): 250 says nothing about a parameter.
#
# RFC 5321, section 4.1.1.11: a parameter that is not known is refused with 555. One would bet
# that a server which takes "RET=HDRS" or "NOTIFY=NEVER" has understood it. This one announces no
# DSN, answers 250 to both and to a parameter that nobody has ever defined. What it does refuse,
# with 501, is the one recipient that every server has to take (RFC 5321, section 4.5.1):
# <postmaster> without a domain.
#
# So a client may ask only for what EHLO announces: that MAIL and RCPT were accepted does not
# show that a request was heard, and there is no error to fall back on.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --ignore-scripts smtp-server@3.13.4 >/dev/null
cat >talk.js <<'END'
const { SMTPServer } = require('smtp-server'), net = require('net');
const server = new SMTPServer({ authOptional: true, hideSTARTTLS: true, logger: false });
const commands = ['EHLO client.example.org', 'MAIL FROM:<a@example.org> NOSUCHTHING=1', 'RSET',
	'MAIL FROM:<a@example.org> RET=HDRS', 'RCPT TO:<b@example.org> NOTIFY=NEVER',
	'RCPT TO:<postmaster>', 'QUIT'];
server.listen(0, '127.0.0.1', () => {
	let said = -1;
	const client = net.connect(server.server.address().port, '127.0.0.1');
	client.on('data', data => {
		const text = data.toString();
		if (said === 0)
			console.log('EHLO: ' + (/DSN/.test(text) ? 'DSN' : 'no DSN'));
		else if (said > 0)
			console.log(commands[said] + ': ' + text.trim());
		if (++said < commands.length)
			client.write(commands[said] + '\r\n');
	});
	client.on('close', () => process.exit(0));
});
END
echo "smtp-server $(node -p "require('smtp-server/package.json').version")"
node talk.js | tee seen
diff - seen <<'END'
EHLO: no DSN
MAIL FROM:<a@example.org> NOSUCHTHING=1: 250 Accepted
RSET: 250 Flushed
MAIL FROM:<a@example.org> RET=HDRS: 250 Accepted
RCPT TO:<b@example.org> NOTIFY=NEVER: 250 Accepted
RCPT TO:<postmaster>: 501 Error: Bad recipient address syntax
QUIT: 221 Bye
END
