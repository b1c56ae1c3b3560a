#include "config.h"
#include "check/check_hints.h"

#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "submit/server_list.h"
#include "tls/tls.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"

#define HINT_MAX ((size_t)8192)
#define FAULTS_MAX 4

/* What a row may ask for besides; all that is set must hold. */
enum {
	WHEN_SIGNED_IN = 1, WHEN_NOT_SIGNED_IN = 2, WHEN_LOCAL = 4,
	WHEN_BARE_USER = 8,	/* the user is no mail address */
	WHEN_NAMES = 16,	/* the certificate has names */
	WHEN_PROXIED = 32	/* through a proxy */
};

/*
 * A row holds when all that it names fits; 0 and NULL fit everything. In the
 * text stand %h host, %p port, %a address, %u user, %s sender, %t recipient,
 * %k the pin of the certificate, %n its names, %m the first of them, %d the
 * date of today.
 */
struct hint {
	const char *step;
	enum fault faults[FAULTS_MAX];	/* one of them */
	int exit, reply;
	unsigned port;
	unsigned when;
	const char *domain;	/* the host is in it, by our name or its own */
	const char *text;
};

#define ANY { FAULT_NONE }

#define GMAIL_TEXT \
	"Google takes an app password only (https://myaccount.google.com/apppasswords, which " \
	"needs 2-step verification), or OAuth2: auth = XOAUTH2"
#define MICROSOFT_TEXT \
	"Microsoft has switched passwords off for this mailbox or for all: use OAuth2 (auth = " \
	"XOAUTH2 and oauth_token_command), or have 'Authenticated SMTP' allowed for it in the " \
	"Exchange admin centre"

static const struct hint table[] = {
/* this host */
{ "config", { FAULT_SECRET_MODE }, 0, 0, 0, 0, NULL,
  "the file holds a password: run the command above, or keep the password elsewhere "
  "(password_command, password_file)" },
{ "config", { FAULT_FILE_CONFINED }, 0, 0, 0, 0, NULL,
  "'journalctl -k -g DENIED' shows the rule; allow the file there, or move it to where the "
  "rules allow it" },
{ "config", { FAULT_FILE, FAULT_FILE_MISSING, FAULT_FILE_DENIED }, 0, 0, 0, 0, NULL,
  "check the path and who may read it: ls -l" },
{ "config", ANY, 0, 0, 0, 0, NULL,
  "correct the line; 'msubmit --check-config' lists all that is wrong" },
{ "account", { FAULT_NO_SERVER_SET }, 0, 0, 0, 0, NULL,
  "write 'host = NAME' into the account: the mail server of your provider" },
{ "account", { FAULT_NO_ACCOUNT }, 0, 0, 0, 0, NULL,
  "'msubmit --configure ADDRESS' finds the server of a mail address and writes an account; "
  "'msubmit --print-config' shows what is read" },
{ "account", ANY, EX_NOPERM, 0, 0, 0, NULL,
  "'allow_users', 'allow_groups' and 'deny_users' of the account say who may" },
{ "rewrite", ANY, 0, 0, 0, 0, NULL, "correct the line, or the path of 'rewrite_map'" },
{ "secret", { FAULT_SECRET_MODE }, 0, 0, 0, 0, NULL,
  "nobody else may read a password: run the command above, then check again" },
{ "secret", { FAULT_SECRET_OWNER }, 0, 0, 0, 0, NULL,
  "make a file of your own, mode 0600, or run this as the user that it belongs to" },
{ "secret", { FAULT_FILE_CONFINED }, 0, 0, 0, 0, NULL,
  "'journalctl -k -g DENIED' shows the rule; allow the file or command there" },
{ "secret", { FAULT_COMMAND_NOT_RUN }, 0, 0, 0, 0, NULL,
  "is it installed, executable, and in PATH (cron's is short)? give its whole path" },
{ "secret", { FAULT_COMMAND_FAILED }, 0, 0, 0, 0, NULL,
  "run the command by hand as this user with '< /dev/null': it must print the password and "
  "end with 0; a locked key ring or gpg-agent asks on a terminal that is not there" },
{ "secret", { FAULT_COMMAND_KILLED }, 0, 0, 0, 0, NULL, "run the command by hand as this user" },
{ "secret", { FAULT_NO_CREDENTIALS }, 0, 0, 0, 0, NULL,
  "outside of its service the credential is not there: check by 'systemd-run' with the same "
  "LoadCredential=, or in the unit" },
{ "secret", { FAULT_FILE_MISSING }, 0, 0, 0, 0, NULL,
  "write the password into that file, mode 0600: (umask 077; cat > FILE)" },
{ "secret", { FAULT_FILE_DENIED }, 0, 0, 0, 0, NULL,
  "the user that sends must be able to read it: 'namei -l FILE' shows which folder or file "
  "is in the way" },
{ "secret", { FAULT_SECRET_EMPTY }, 0, 0, 0, 0, NULL, "the first line must be the password" },
{ "secret", { FAULT_NO_PASSWORD }, 0, 0, 0, 0, NULL,
  "for example: (umask 077; cat > ~/.password), and in the account password_file = "
  "~/.password" },
{ "secret", { FAULT_NO_TOKEN }, 0, 0, 0, 0, NULL,
  "'oauth_token_command' runs the program that gives it" },
{ "secret", ANY, EX_TEMPFAIL, 0, 0, 0, NULL,
  "the command takes longer than 'command_timeout': does it wait for a terminal?" },
{ "sender", ANY, EX_USAGE, 0, 0, 0, NULL, "name one: --to ADDRESS" },
{ "sender", ANY, EX_CONFIG, 0, 0, 0, NULL, "set 'from' to the address that mail comes from" },
{ "recipient", ANY, EX_USAGE, 0, 0, 0, NULL, "name one: --to ADDRESS" },
{ "recipient", { FAULT_NO_DOMAIN }, 0, 0, 0, 0, NULL,
  "give a whole address: --to ADDRESS" },
{ "aliases", { FAULT_FILE_DENIED }, 0, 0, 0, 0, NULL,
  "every user that sends must be able to read it: chmod 644" },
{ "aliases", { FAULT_FILE_MISSING }, 0, 0, 0, 0, NULL, "make the file, or set 'aliases = off'" },
{ "aliases", ANY, 0, 0, 0, 0, NULL, "correct the line" },
/* names */
{ "dns", { FAULT_NO_SRV }, 0, 0, 0, 0, NULL,
  "the domain has none: write 'host = NAME' with the server's name" },
{ "dns", { FAULT_NULL_MX }, 0, 0, 0, 0, NULL, "no server takes mail for that domain" },
{ "dns", { FAULT_NO_ADDRESS }, 0, 0, 0, 0, NULL,
  "check the spelling of 'host', and 'address_family': 'getent ahosts %h' must print an "
  "address" },
{ "dns", ANY, EX_NOHOST, 0, 0, 0, NULL,
  "check the spelling of 'host': 'getent ahosts %h' must print addresses" },
{ "dns", ANY, EX_TEMPFAIL, 0, 0, 0, NULL,
  "no name server answers: is the network up, is /etc/resolv.conf right? try 'getent ahosts "
  "%h'" },
/* connection */
{ "connect", { FAULT_SOCKET_MISSING }, 0, 0, 0, WHEN_LOCAL, NULL,
  "there is no such socket: is the server running, and is 'socket' the path in its "
  "configuration?" },
{ "connect", { FAULT_CONNECT_DENIED }, 0, 0, 0, WHEN_LOCAL, NULL,
  "the socket's mode or a folder above it keeps you out: 'namei -l' on it shows which; "
  "AppArmor and SELinux tell in 'journalctl -k -g DENIED'" },
{ "connect", { FAULT_CONNECT_REFUSED }, 0, 0, 0, WHEN_LOCAL, NULL,
  "nobody listens on the socket: is the server running?" },
{ "connect", { FAULT_TUNNEL, FAULT_COMMAND_NOT_RUN }, 0, 0, 0, 0, NULL,
  "run the command of 'tunnel' by hand: it must end up connected to the server" },
{ "connect", ANY, 0, 0, 0, WHEN_PROXIED, NULL,
  "it is the proxy that fails: check proxy_host, proxy_port, its password, and whether it "
  "lets port %p through; 'no_proxy = %h' goes without it" },
{ "connect", { FAULT_CONNECT_TIMEOUT }, 0, 0, 25, 0, NULL,
  "port 25 is blocked on most networks: use your provider's submission server, 'port = 587' "
  "(or 465)" },
{ "connect", { FAULT_CONNECT_TIMEOUT }, 0, 0, 0, 0, NULL,
  "a firewall drops it, or the host is off: does another port answer (587, 465), or the same "
  "one from another network?" },
{ "connect", { FAULT_CONNECT_REFUSED }, 0, 0, 25, 0, NULL,
  "nothing listens on port 25 there: for submission it is 'port = 587' (or 465)" },
{ "connect", { FAULT_CONNECT_REFUSED }, 0, 0, 0, 0, NULL,
  "nothing listens on port %p there: is the server running, is the port right? 587 is for "
  "tls = starttls, 465 for tls = implicit, 24 for LMTP" },
{ "connect", { FAULT_NET_UNREACHABLE }, 0, 0, 0, 0, NULL,
  "there is no way to it: is the network up ('ip route get %a')? without IPv6 of your own "
  "set 'address_family = ipv4'" },
{ "connect", { FAULT_HOST_UNREACHABLE }, 0, 0, 0, 0, NULL,
  "there is no way to it: is the network up ('ip route get %a')? a firewall may say this, "
  "too" },
{ "connect", { FAULT_CONNECT_DENIED }, 0, 0, 0, 0, NULL,
  "a firewall or the sandbox of this service forbids it" },
{ "connect", { FAULT_SOURCE_ADDRESS }, 0, 0, 0, 0, NULL,
  "'source_ip' must be an address of this host, of the same family" },
/* greeting and EHLO */
{ "greeting", { FAULT_TLS_SPOKEN }, 0, 0, 0, 0, NULL,
  "set 'tls = implicit': this port speaks TLS from the start" },
{ "greeting", { FAULT_TIMEOUT, FAULT_CONNECTION_LOST }, 0, 0, 465, 0, NULL,
  "set 'tls = implicit'" },
{ "greeting", ANY, 0, 421, 0, 0, NULL,
  "the server has too much to do, or too many connections from here: try later" },
{ "greeting", ANY, EX_UNAVAILABLE, 0, 0, 0, NULL,
  "the server wants nothing from this address (a list of dynamic or bad ones?): use your "
  "provider's submission server with sign-in, port 587" },
{ "greeting", { FAULT_NOT_SMTP }, 0, 0, 0, 0, NULL,
  "what answers on port %p is no mail server: check host and port" },
{ "greeting", { FAULT_CONNECTION_LOST }, 0, 0, 0, 0, NULL,
  "it hangs up at once: a blocked address, a limit, or no mail server at all behind port %p" },
{ "greeting", { FAULT_TIMEOUT }, 0, 0, 0, 0, NULL,
  "it accepts and says nothing: if it wants TLS from the start, set 'tls = implicit'; else it "
  "looks up this host first (see greeting_timeout)" },
{ "ehlo", ANY, EX_UNAVAILABLE, 0, 0, 0, NULL,
  "it may not like our name: set 'domain' to a full host name" },
/* TLS */
{ "starttls", { FAULT_STARTTLS_MASKED }, 0, 0, 0, 0, NULL,
  "the firewall's SMTP inspection (\"fixup\", \"ESMTP inspect\", \"mail shield\") has to go for "
  "%h; port 465 with tls = implicit is not touched by it" },
{ "starttls", { FAULT_NO_STARTTLS }, 0, 0, 0, 0, NULL,
  "try 'tls = implicit' with 'port = 465', else ask the server's administrator for TLS; "
  "a filter on the way may hide STARTTLS, too" },
{ "starttls", ANY, 0, 0, 0, 0, NULL,
  "the server cannot begin TLS now: its log says why; try 'tls = implicit' with "
  "'port = 465'" },
{ "tls", { FAULT_SMTP_SPOKEN }, 0, 0, 0, 0, NULL,
  "set 'tls = starttls' (usual on port 587): on port %p TLS begins on command" },
{ "tls", { FAULT_NOT_TLS }, 0, 0, 0, 0, NULL,
  "what answers on port %p is no TLS: check host and port" },
{ "tls", { FAULT_TLS_VERSION, FAULT_TLS_VERSION_REFUSED }, 0, 0, 0, 0, NULL,
  "the server is out of date, or 'tls_priorities' and 'tls_min_version' ask for too much" },
{ "tls", ANY, EX_OSFILE, 0, 0, 0, NULL,
  "install the system's certificates (package ca-certificates), or name a file of "
  "certificates that you can read: tls_trust_file = FILE" },
{ "tls", { FAULT_KEY_MISMATCH }, 0, 0, 0, 0, NULL,
  "tls_cert_file and tls_key_file must be a pair: name the key that the certificate was made "
  "for" },
{ "tls", { FAULT_KEY_LOCKED }, 0, 0, 0, 0, NULL,
  "tls_key_password_command or tls_key_password_file gives the passphrase" },
{ "tls", ANY, EX_CONFIG, 0, 0, 0, NULL, "correct that setting" },
{ "tls", { FAULT_CONNECTION_LOST }, 0, 0, 0, 0, NULL,
  "the server broke off: its log says why; is port %p one for TLS from the start?" },
{ "certificate", { FAULT_CERTIFICATE_FINGERPRINT }, 0, 0, 0, 0, NULL,
  "if its administrator confirms the new key, write in the place of tls_fingerprint:\n"
  "tls_pin = %k" },
{ "certificate", { FAULT_CERTIFICATE_PIN }, 0, 0, 0, 0, NULL,
  "if its administrator confirms the new key, write:\ntls_pin = %k" },
{ "certificate", { FAULT_CERTIFICATE_SELF_SIGNED }, 0, 0, 0, 0, NULL,
  "if it is the right server, accept this key and no other:\ntls_pin = %k\n"
  "or save its certificate, and: tls_trust_file = FILE" },
{ "certificate", { FAULT_CERTIFICATE_CA }, 0, 0, 0, 0, NULL,
  "if it is the right server, get the certificate of that CA: tls_trust_file = FILE (for all "
  "programs: update-ca-certificates); or accept this key and no other:\ntls_pin = %k" },
{ "certificate", { FAULT_CERTIFICATE_CHAIN }, 0, 0, 0, 0, NULL,
  "the server should send the certificates between its own and the CA: tell its "
  "administrator; until then tls_trust_file = FILE with them, or:\ntls_pin = %k" },
{ "certificate", { FAULT_CERTIFICATE_EXPIRED }, 0, 0, 0, 0, NULL,
  "the server's administrator must renew it; today is %d here: if that is wrong, set the "
  "clock (timedatectl set-ntp true)" },
{ "certificate", { FAULT_CERTIFICATE_NOT_YET }, 0, 0, 0, 0, NULL,
  "today is %d here: if that is wrong, set the clock (timedatectl set-ntp true)" },
{ "certificate", { FAULT_CERTIFICATE_NAME }, 0, 0, 0, WHEN_NAMES, NULL,
  "it is for %n: set 'host' to one of these names, or, if %h is the right server:\n"
  "tls_host_override = %m" },
{ "certificate", { FAULT_CERTIFICATE_NAME }, 0, 0, 0, 0, NULL,
  "it has no name that counts: the server's administrator must replace it; until then:\n"
  "tls_pin = %k" },
{ "certificate", { FAULT_CERTIFICATE_REVOKED }, 0, 0, 0, 0, NULL,
  "do not use it: tell the server's administrator" },
{ "certificate", { FAULT_CERTIFICATE_OCSP }, 0, 0, 0, 0, NULL,
  "the server must staple a good OCSP answer; 'tls_ocsp' says what is demanded" },
{ "certificate", { FAULT_CERTIFICATE_CRL }, 0, 0, 0, 0, NULL,
  "fetch the list of the CA anew, and do so before it runs out: 'tls_crl_file'" },
{ "certificate", { FAULT_CERTIFICATE_DANE }, 0, 0, 0, 0, NULL,
  "DNS and certificate disagree: the server's administrator must correct one of them; "
  "'tls_dane = off' goes by the certificate alone" },
{ "certificate", { FAULT_CERTIFICATE_WEAK }, 0, 0, 0, 0, NULL,
  "the server's administrator must replace it; until then:\ntls_pin = %k" },
/* sign-in */
{ "sign-in", { FAULT_OAUTH_WANTED }, 0, 0, 0, 0, NULL, MICROSOFT_TEXT },
{ "sign-in", { FAULT_BROWSER_WANTED }, 0, 0, 0, 0, NULL,
  "sign in as '%u' by the browser once and confirm that it was you; then try again, better "
  "with an app password or OAuth2" },
{ "sign-in", ANY, EX_NOPERM, 0, 0, 0, "outlook.com", MICROSOFT_TEXT },
{ "sign-in", ANY, EX_NOPERM, 0, 0, 0, "office365.com", MICROSOFT_TEXT },
{ "sign-in", ANY, EX_NOPERM, 0, 0, 0, "gmail.com", GMAIL_TEXT },
{ "sign-in", ANY, EX_NOPERM, 0, 0, 0, "google.com", GMAIL_TEXT },
{ "sign-in", { FAULT_APP_PASSWORD_WANTED }, 0, 0, 0, 0, NULL,
  "it takes an app password only: make a password for this program in the settings of the "
  "mailbox, and use that" },
{ "sign-in", ANY, EX_NOPERM, 0, 0, 0, "yahoo.com",
  "Yahoo takes an app password only: make one in the settings of the account" },
{ "sign-in", ANY, EX_NOPERM, 0, 0, 0, "icloud.com",
  "Apple takes an app-specific password only: https://account.apple.com" },
{ "sign-in", ANY, 0, 535, 0, WHEN_BARE_USER, NULL,
  "'%u' or its password is wrong: many servers want the whole mail address as 'user'" },
{ "sign-in", ANY, 0, 535, 0, 0, NULL,
  "'%u' or its password is wrong (or its mailbox may not sign in from outside): try both in "
  "the provider's web mail" },
{ "sign-in", ANY, 0, 534, 0, 0, NULL,
  "the server wants another way to sign in: see 'auth' and 'auth_mechanisms'" },
{ "sign-in", ANY, 0, 530, 0, 0, NULL, "the server wants TLS first: set 'tls = starttls'" },
{ "sign-in", ANY, 0, 538, 0, 0, NULL, "the server wants TLS first: set 'tls = starttls'" },
{ "sign-in", { FAULT_NO_AUTH, FAULT_NO_AUTH_IN_CLEAR }, 0, 0, 25, 0, NULL,
  "port 25 is for mail between servers: submission is 'port = 587' (or 465)" },
{ "sign-in", { FAULT_NO_AUTH_IN_CLEAR }, 0, 0, 0, 0, NULL,
  "set 'tls = starttls': most servers let nobody sign in without" },
{ "sign-in", { FAULT_NO_AUTH, FAULT_NO_AUTH_IN_CLEAR }, 0, 0, 0, 0, NULL,
  "this server lets nobody sign in: is it the right one and the right port? a server that "
  "trusts this host needs no 'user'" },
{ "sign-in", { FAULT_NO_MECHANISM, FAULT_MECHANISM_WEAK }, 0, 0, 0, 0, NULL,
  "'auth', 'auth_mechanisms' and 'auth_minimum' say what is allowed here" },
{ "sign-in", ANY, EX_TEMPFAIL, 0, 0, 0, NULL,
  "the server cannot tell at the moment: try later; its log says why" },
/* sender and recipient */
{ "sender", ANY, 0, 530, 0, WHEN_NOT_SIGNED_IN, NULL,
  "the server wants to know who you are: set 'user' and a password (see password_command)" },
{ "sender", ANY, EX_TEMPFAIL, 0, 0, 0, NULL, "the server says it may pass: try later" },
{ "sender", { FAULT_SENDER_DOMAIN }, 0, 0, 0, 0, NULL,
  "the domain of '%s' is not known to DNS: set 'from' to an address that exists" },
{ "sender", { FAULT_EXTENSION_MISSING, FAULT_UTF8_MISSING, FAULT_CONVERSION }, 0, 0, 0, 0, NULL,
  "the account asks for what this server does not have: see the key that is named" },
{ "sender", ANY, 0, 0, 0, WHEN_SIGNED_IN, NULL,
  "'%s' is no address that '%u' may send from: set 'from' to one that is" },
{ "sender", ANY, 0, 0, 0, WHEN_NOT_SIGNED_IN, NULL,
  "the server does not take mail from '%s' here: set 'from' to an address of yours, and "
  "'user' if it wants a sign-in" },
{ "recipient", ANY, 0, 530, 0, WHEN_NOT_SIGNED_IN, NULL,
  "the server wants to know who you are: set 'user' and a password (see password_command)" },
{ "recipient", { FAULT_SENDER_REFUSED }, 0, 0, 0, 0, NULL,
  "it is the sender that the server does not want: set 'from' to an address that it knows "
  "as yours" },
{ "recipient", { FAULT_RELAY_DENIED }, 0, 0, 0, WHEN_NOT_SIGNED_IN, NULL,
  "the server passes mail on only for those who sign in: set 'user' and a password, and "
  "'port = 587' rather than 25" },
{ "recipient", { FAULT_RELAY_DENIED }, 0, 0, 0, WHEN_SIGNED_IN, NULL,
  "the server does not pass on mail to '%t' even for '%u': it is not meant as a smarthost; "
  "another recipient may do: --to ADDRESS" },
{ "recipient", { FAULT_GREYLISTED, FAULT_LISTED }, 0, 0, 0, 0, NULL,
  "the server refuses by greylisting (then try in some minutes) or a block list" },
{ "recipient", ANY, EX_TEMPFAIL, 0, 0, 0, NULL, "the server says it may pass: try later" },
{ "recipient", ANY, EX_NOUSER, 0, 0, 0, NULL,
  "'%t' does not exist there: check with another recipient, --to ADDRESS" },
{ "recipient", ANY, 0, 0, 0, 0, NULL,
  "the server does not take mail for '%t': check with another recipient: "
  "--to ADDRESS" },
/* everywhere; TLS 1.3 tells of our certificate after the handshake */
{ NULL, { FAULT_OUR_CERTIFICATE_WANTED, FAULT_TLS_NO_CIPHER }, 0, 0, 0, 0, NULL,
  "set tls_cert_file and tls_key_file, if you have a certificate for this server" },
{ NULL, { FAULT_OUR_CERTIFICATE_REFUSED }, 0, 0, 0, 0, NULL,
  "the server knows another certificate for you, or another CA: ask its administrator" },
{ NULL, { FAULT_OUR_CA_UNKNOWN }, 0, 0, 0, 0, NULL,
  "the server trusts another CA than that of your certificate: ask its administrator" },
{ NULL, { FAULT_OUR_CERTIFICATE_EXPIRED }, 0, 0, 0, 0, NULL,
  "your certificate (tls_cert_file) has expired: get a new one" },
{ NULL, ANY, 0, 421, 0, 0, NULL, "the server closes, perhaps for a limit: try later" },
{ NULL, { FAULT_CONNECTION_LOST }, 0, 0, 0, 0, NULL,
  "the server hung up: its log says why" },
{ NULL, { FAULT_TIMEOUT }, 0, 0, 0, 0, NULL,
  "the server is slow or the line is broken: try later" },
};

static bool faults_fit(const enum fault *faults, const struct error *err)
{
	if (faults[0] == FAULT_NONE)
		return true;
	for (size_t i = 0; i < FAULTS_MAX && faults[i] != FAULT_NONE; i++) {
		if (error_is(err, faults[i]))
			return true;
	}
	return false;
}

static bool is_of(const struct hint_query *q, const char *domain)
{
	return (q->host && server_inside_domain(q->host, domain)) ||
	       (q->server_name && server_inside_domain(q->server_name, domain));
}

static bool circumstances_fit(unsigned when, const struct hint_query *q)
{
	const bool names = q->tls && q->tls->first_name;
	const bool bare = q->user && !strchr(q->user, '@');

	return !((when & WHEN_SIGNED_IN && !q->signed_in) ||
		 (when & WHEN_NOT_SIGNED_IN && q->signed_in) ||
		 (when & WHEN_LOCAL && !q->local) || (when & WHEN_NAMES && !names) ||
		 (when & WHEN_PROXIED && !q->proxied) || (when & WHEN_BARE_USER && !bare));
}

static bool fits(const struct hint *h, const struct hint_query *q)
{
	if (h->step && strcmp(h->step, q->step) != 0)
		return false;
	if ((h->exit && h->exit != q->error->exit) || (h->reply && h->reply != q->error->reply))
		return false;
	if ((h->port && h->port != q->port) || !circumstances_fit(h->when, q))
		return false;
	if (h->domain && !is_of(q, h->domain))
		return false;
	return faults_fit(h->faults, q->error);
}

static void add_today(struct strbuf *out)
{
	time_t now = time(NULL);
	struct tm tm;

	if (gmtime_r(&now, &tm))
		strbuf_addf(out, "%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
}

static const char *value_of(char letter, const struct hint_query *q)
{
	switch (letter) {
	case 'h':
		return q->host;
	case 'a':
		return q->address ? q->address : q->host;
	case 'u':
		return q->user;
	case 's':
		return q->sender && *q->sender ? q->sender : "<>";
	case 't':
		return q->to;
	case 'k':
		return q->tls ? q->tls->pin : NULL;
	case 'n':
		return q->tls ? q->tls->names : NULL;
	case 'm':
		return q->tls ? q->tls->first_name : NULL;
	default:
		return NULL;
	}
}

static void fill_in(struct strbuf *out, const char *text, const struct hint_query *q)
{
	for (; *text; text++) {
		if (*text != '%') {
			strbuf_addch(out, *text);
			continue;
		}
		const char *value = value_of(*++text, q);

		if (*text == 'p')
			strbuf_addf(out, "%u", q->port);
		else if (*text == 'd')
			add_today(out);
		else
			strbuf_addstr(out, value ? value : "(unknown)");
	}
}

const char *check_hint(struct arena *a, const struct hint_query *q)
{
	const bool all = strcmp(q->step, "certificate") == 0;
	struct strbuf out = STRBUF_INIT(HINT_MAX);

	for (size_t i = 0; i < ARRAY_LEN(table) && (all || !out.len); i++) {
		if (!fits(&table[i], q) || (all && out.len && !table[i].step))
			continue;
		if (out.len)
			strbuf_addch(&out, '\n');
		fill_in(&out, table[i].text, q);
	}
	const char *hint = out.len ? arena_strdup(a, out.buf) : NULL;

	strbuf_release(&out);
	return hint;
}
