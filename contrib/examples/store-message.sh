#!/bin/sh
# deliver = command:store-message.sh DATABASE
# Puts each message into a table of an SQLite database, a row for each recipient.
set -eu
umask 077

database=$1
exec 4<&0 </dev/null		# the message is what descriptor 4 reads

# A list that was too long for the environment is not there: better later than in part.
[ -n "${RECIPIENTS:-}" ] || { echo "too many recipients for this script"; exit 75; }

# Text as SQL has it; nothing else of it can be read as SQL.
quote() {
	printf "'%s'" "$(printf '%s' "$1" | sed "s/'/''/g")"
}

sql() {
	echo '.bail on'
	echo '.timeout 5000'
	echo 'BEGIN IMMEDIATE;'
	echo 'CREATE TABLE IF NOT EXISTS message (id TEXT, sender TEXT, recipient TEXT, client TEXT,
		content BLOB);'
	printf '%s\n' "$RECIPIENTS" | while IFS= read -r recipient; do
		printf "INSERT INTO message VALUES (%s, %s, %s, %s, readfile('/dev/fd/4'));\n" \
			"$(quote "$MESSAGE_ID")" "$(quote "$SENDER")" "$(quote "$recipient")" \
			"$(quote "$CLIENT_ADDRESS")"
	done
	echo 'COMMIT;'
}

sql | sqlite3 -batch "$database" >/dev/null || exit 75
