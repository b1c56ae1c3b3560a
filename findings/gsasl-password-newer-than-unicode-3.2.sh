#!/bin/sh
# libgsasl: whether a password with an emoji works depends on the mechanism.
#
# SASLprep (RFC 4013) knows Unicode 3.2 of 2002; what is newer is "unassigned" and refused.
# One would bet that all mechanisms of one library treat the same password alike, or that it is
# refused at once. PLAIN and DIGEST-MD5 send it as it is. CRAM-MD5 fails, and only when the
# challenge is there: the client has said AUTH by then, and the server waits for a response. The
# same password with an umlaut passes everywhere.
#
# A client has to cancel with "*" and go on with a mechanism that takes it, or a user whose
# password works in every web page is told of an error in the protocol.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for package in gsasl=2.2.0-1+deb12u2 libgsasl18=2.2.0-1+deb12u2 libidn12=1.41-1 libntlm0=1.6-4; do
	apt-get download -qq "$package" 2>/dev/null
done
for file in ./*.deb; do
	dpkg -x "$file" root
done
LD_LIBRARY_PATH=$(echo "$folder"/root/usr/lib/*-linux-gnu)
export LD_LIBRARY_PATH LC_ALL=C.UTF-8
root/usr/bin/gsasl --version | head -1

# sign_in MECHANISM PASSWORD CHALLENGE: "sends a response" or the error
sign_in() {
	printf '%s\n' "$3" | root/usr/bin/gsasl --client --quiet --mechanism="$1" \
		--authentication-id=joe --authorization-id= --password="$2" --service=smtp \
		--hostname=x --realm=x --quality-of-protection=qop-auth >out 2>&1 || :
	if grep -q 'Could not prepare' out; then
		grep -o 'Could not prepare.*' out
	elif grep -Eq '^[A-Za-z0-9+/=]{12,}$' out || grep -Eq ': [A-Za-z0-9+/=]{100,}$' out; then
		echo 'sends a response'
	else
		cat out
	fi
}

cram=$(printf '<1.2@x>' | base64)
digest=$(printf 'realm="x",nonce="abc",qop="auth",charset=utf-8,algorithm=md5-sess' | base64 -w0)
for password in geheim 'gehüim' 'geh😀im'; do
	echo "PLAIN $password: $(sign_in PLAIN "$password" '')"
	echo "DIGEST-MD5 $password: $(sign_in DIGEST-MD5 "$password" "$digest")"
	echo "CRAM-MD5 $password: $(sign_in CRAM-MD5 "$password" "$cram")"
done | tee seen
diff - seen <<'END'
PLAIN geheim: sends a response
DIGEST-MD5 geheim: sends a response
CRAM-MD5 geheim: sends a response
PLAIN gehüim: sends a response
DIGEST-MD5 gehüim: sends a response
CRAM-MD5 gehüim: sends a response
PLAIN geh😀im: sends a response
DIGEST-MD5 geh😀im: sends a response
CRAM-MD5 geh😀im: Could not prepare internationalized (non-ASCII) string.
END
