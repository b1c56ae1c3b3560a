/*
 * What to do about a failure: one table, keyed by the step, the fault and the
 * server's reply code, with who the server is and whether anybody has signed
 * in. The text of the error is never looked at.
 */
#include "config.h"
#include "check/check_private.h"

#include <string.h>
#include <sysexits.h>

#include "submit/server_list.h"
#include "tls/tls.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/strbuf.h"

#define HINT_MAX ((size_t)8192)
#define FAULTS_MAX 4

/* What a row may ask for besides; all that is set must hold. */
enum {
	WHEN_SIGNED_IN = 1, WHEN_NOT_SIGNED_IN = 2, WHEN_LOCAL = 4,
	WHEN_BARE_USER = 8,	/* the user is no mail address */
	WHEN_NAMES = 16,	/* the certificate has names */
	WHEN_PROXIED = 32,	/* through a proxy */
	WHEN_SERVICE = 64	/* through the service of this machine */
};

/*
 * A row holds when all that it names fits; 0 and NULL fit everything. In the
 * text stand %h host, %p port, %a address, %u user, %s sender, %t recipient,
 * %k the pin of the certificate, %n its names, %m the first of them, %d the
 * date of today.
 */
struct hint {
	char step[12];		/* "" = any */
	enum fault faults[FAULTS_MAX];	/* one of them; none: any */
	int exit, reply;
	unsigned port;
	unsigned when;
	char domain[30];	/* the host is in it, by our name or its own */
	char text[300];
};

#define GMAIL_TEXT \
	"Google takes an app password only (https://myaccount.google.com/apppasswords, which " \
	"needs 2-step verification), or OAuth2: auth = XOAUTH2"
#define MICROSOFT_TEXT \
	"Microsoft has switched passwords off for this mailbox or for all: use OAuth2 (auth = " \
	"XOAUTH2 and oauth_token_command), or have 'Authenticated SMTP' allowed for it in the " \
	"Exchange admin centre"

static const struct hint table[] = {
/* this host */
{ "config", { FAULT_SECRET_MODE }, .text = "the file holds a password: run the command above, "
  "or keep the password elsewhere (password_command, password_file)" },
{ "config", { FAULT_FILE_CONFINED }, .text = "'journalctl -k -g DENIED' shows the rule; allow "
  "the file there, or move it to where the rules allow it" },
{ "config", { FAULT_FILE, FAULT_FILE_MISSING, FAULT_FILE_DENIED }, .text =
  "check the path and who may read it: ls -l" },
{ "config", .text = "correct the line; 'msubmit --check-config' lists all that is wrong" },
{ "account", { FAULT_NO_SERVER_SET }, .text =
  "write 'host = NAME' into the account: the mail server of your provider" },
{ "account", { FAULT_NO_ACCOUNT }, .text = "'msubmit --configure ADDRESS' finds the server of "
  "a mail address and writes an account; 'msubmit --print-config' shows what is read" },
{ "account", .exit = EX_NOPERM, .text =
  "'allow_users', 'allow_groups' and 'deny_users' of the account say who may" },
{ "rewrite", .text = "correct the line, or the path of 'rewrite_map'" },
{ "secret", { FAULT_SECRET_MODE }, .text =
  "nobody else may read a password: run the command above, then check again" },
{ "secret", { FAULT_SECRET_OWNER }, .text =
  "make a file of your own, mode 0600, or run this as the user that it belongs to" },
{ "secret", { FAULT_FILE_CONFINED }, .text =
  "'journalctl -k -g DENIED' shows the rule; allow the file or command there" },
{ "secret", { FAULT_COMMAND_NOT_RUN }, .text =
  "is it installed, executable, and in PATH (cron's is short)? give its whole path" },
{ "secret", { FAULT_COMMAND_FAILED }, .text =
  "run the command by hand as this user with '< /dev/null': it must print the password and end "
  "with 0; a locked key ring or gpg-agent asks on a terminal that is not there" },
{ "secret", { FAULT_COMMAND_KILLED }, .text = "run the command by hand as this user" },
{ "secret", { FAULT_NO_CREDENTIALS }, .text = "outside of its service the credential is not "
  "there: check by 'systemd-run' with the same LoadCredential=, or in the unit" },
{ "secret", { FAULT_FILE_MISSING }, .text =
  "write the password into that file, mode 0600: (umask 077; cat > FILE)" },
{ "secret", { FAULT_FILE_DENIED }, .text = "the user that sends must be able to read it: "
  "'namei -l FILE' shows which folder or file is in the way; 'msubmit --configure ADDRESS' as "
  "root sets up a service that has the password and sends for all users" },
{ "secret", { FAULT_SECRET_EMPTY }, .text = "the first line must be the password" },
{ "secret", { FAULT_NO_PASSWORD }, .text = "for example: (umask 077; cat > ~/.password), and "
  "in the account password_file = ~/.password" },
{ "secret", { FAULT_NO_TOKEN }, .text =
  "'oauth_token_command' runs the program that gives it" },
{ "secret", .exit = EX_TEMPFAIL, .text =
  "the command takes longer than 'command_timeout': does it wait for a terminal?" },
{ "sender", .exit = EX_USAGE, .text = "name one: --to ADDRESS" },
{ "sender", .exit = EX_CONFIG, .text = "set 'from' to the address that mail comes from" },
{ "recipient", .exit = EX_USAGE, .text = "name one: --to ADDRESS" },
{ "recipient", { FAULT_NO_DOMAIN }, .text = "give a whole address: --to ADDRESS" },
{ "aliases", { FAULT_FILE_DENIED }, .text =
  "every user that sends must be able to read it: chmod 644" },
{ "aliases", { FAULT_FILE_MISSING }, .text = "make the file, or set 'aliases = off'" },
{ "aliases", { FAULT_NO_READER }, .text =
  "say who reads it: 'root: you@example.org' and 'default: you@example.org' in the file that "
  "'aliases' names (/etc/aliases), or set default_domain" },
{ "aliases", .text = "correct the line" },
/* names */
{ "dns", { FAULT_NO_SRV }, .text =
  "the domain has none: write 'host = NAME' with the server's name" },
{ "dns", { FAULT_NULL_MX }, .text = "no server takes mail for that domain" },
{ "dns", { FAULT_NO_ADDRESS }, .text = "check the spelling of 'host', and 'address_family': "
  "'getent ahosts %h' must print an address" },
{ "dns", .exit = EX_NOHOST, .text =
  "check the spelling of 'host': 'getent ahosts %h' must print addresses" },
{ "dns", .exit = EX_TEMPFAIL, .text = "no name server answers: is the network up, is "
  "/etc/resolv.conf right? try 'getent ahosts %h'" },
/* connection */
{ "connect", { FAULT_SOCKET_MISSING, FAULT_CONNECT_REFUSED }, .when = WHEN_SERVICE, .text =
  "'journalctl -u msubmit' or its log says why it does not run; where it was never set up, "
  "'msubmit --configure ADDRESS' as root does that" },
{ "connect", { FAULT_SOCKET_MISSING }, .when = WHEN_LOCAL, .text = "there is no such socket: "
  "is the server running, and is 'socket' the path in its configuration?" },
{ "connect", { FAULT_CONNECT_DENIED }, .when = WHEN_LOCAL, .text =
  "the socket's mode or a folder above it keeps you out: 'namei -l' on it shows which; "
  "AppArmor and SELinux tell in 'journalctl -k -g DENIED'" },
{ "connect", { FAULT_CONNECT_REFUSED }, .when = WHEN_LOCAL, .text =
  "nobody listens on the socket: is the server running?" },
{ "connect", { FAULT_TUNNEL, FAULT_COMMAND_NOT_RUN }, .text =
  "run the command of 'tunnel' by hand: it must end up connected to the server" },
{ "connect", .when = WHEN_PROXIED, .text =
  "it is the proxy that fails: check proxy_host, proxy_port, its password, and whether it lets "
  "port %p through; 'no_proxy = %h' goes without it" },
{ "connect", { FAULT_CONNECT_TIMEOUT }, .port = 25, .text = "port 25 is blocked on most "
  "networks: use your provider's submission server, 'port = 587' (or 465)" },
{ "connect", { FAULT_CONNECT_TIMEOUT }, .text = "a firewall drops it, or the host is off: does "
  "another port answer (587, 465), or the same one from another network?" },
{ "connect", { FAULT_CONNECT_REFUSED }, .port = 25, .text =
  "nothing listens on port 25 there: for submission it is 'port = 587' (or 465)" },
{ "connect", { FAULT_CONNECT_REFUSED }, .text =
  "nothing listens on port %p there: is the server running, is the port right? 587 is for tls "
  "= starttls, 465 for tls = implicit, 24 for LMTP" },
{ "connect", { FAULT_NET_UNREACHABLE }, .text = "there is no way to it: is the network up ('ip "
  "route get %a')? without IPv6 of your own set 'address_family = ipv4'" },
{ "connect", { FAULT_HOST_UNREACHABLE }, .text = "there is no way to it: is the network up "
  "('ip route get %a')? a firewall may say this, too" },
{ "connect", { FAULT_CONNECT_DENIED }, .text =
  "a firewall or the sandbox of this service forbids it" },
{ "connect", { FAULT_SOURCE_ADDRESS }, .text =
  "'source_ip' must be an address of this host, of the same family" },
/* greeting and EHLO */
{ "greeting", { FAULT_TLS_SPOKEN }, .text =
  "set 'tls = implicit': this port speaks TLS from the start" },
{ "greeting", { FAULT_TIMEOUT, FAULT_CONNECTION_LOST }, .port = 465, .text =
  "set 'tls = implicit'" },
{ "greeting", .reply = 421, .text =
  "the server has too much to do, or too many connections from here: try later" },
{ "greeting", .exit = EX_UNAVAILABLE, .text =
  "the server wants nothing from this address (a list of dynamic or bad ones?): use your "
  "provider's submission server with sign-in, port 587" },
{ "greeting", { FAULT_NOT_SMTP }, .text =
  "what answers on port %p is no mail server: check host and port" },
{ "greeting", { FAULT_CONNECTION_LOST }, .text =
  "it hangs up at once: a blocked address, a limit, or no mail server at all behind port %p" },
{ "greeting", { FAULT_TIMEOUT }, .text = "it accepts and says nothing: if it wants TLS from "
  "the start, set 'tls = implicit'; else it looks up this host first (see greeting_timeout)" },
{ "ehlo", .exit = EX_UNAVAILABLE, .text =
  "it may not like our name: set 'domain' to a full host name" },
/* TLS */
{ "starttls", { FAULT_STARTTLS_MASKED }, .text = "the firewall's SMTP inspection (\"fixup\", "
  "\"ESMTP inspect\", \"mail shield\") has to go for %h; port 465 with tls = implicit is not "
  "touched by it" },
{ "starttls", { FAULT_NO_STARTTLS }, .text = "try 'tls = implicit' with 'port = 465', else ask "
  "the server's administrator for TLS; a filter on the way may hide STARTTLS, too" },
{ "starttls", .text =
  "the server cannot begin TLS now: its log says why; try 'tls = implicit' with 'port = 465'" },
{ "tls", { FAULT_SMTP_SPOKEN }, .text =
  "set 'tls = starttls' (usual on port 587): on port %p TLS begins on command" },
{ "tls", { FAULT_NOT_TLS }, .text = "what answers on port %p is no TLS: check host and port" },
{ "tls", { FAULT_TLS_VERSION, FAULT_TLS_VERSION_REFUSED }, .text =
  "the server is out of date, or 'tls_priorities' and 'tls_min_version' ask for too much" },
{ "tls", .exit = EX_OSFILE, .text = "install the system's certificates (package "
  "ca-certificates), or name a file of certificates that you can read: tls_trust_file = FILE" },
{ "tls", { FAULT_KEY_MISMATCH }, .text = "tls_cert_file and tls_key_file must be a pair: name "
  "the key that the certificate was made for" },
{ "tls", { FAULT_KEY_LOCKED }, .text =
  "tls_key_password_command or tls_key_password_file gives the passphrase" },
{ "tls", .exit = EX_CONFIG, .text = "correct that setting" },
{ "tls", { FAULT_CONNECTION_LOST }, .text =
  "the server broke off: its log says why; is port %p one for TLS from the start?" },
{ "certificate", { FAULT_CERTIFICATE_FINGERPRINT }, .text = "if its administrator confirms the "
  "new key, write in the place of tls_fingerprint:\ntls_pin = %k" },
{ "certificate", { FAULT_CERTIFICATE_PIN }, .text =
  "if its administrator confirms the new key, write:\ntls_pin = %k" },
{ "certificate", { FAULT_CERTIFICATE_SELF_SIGNED }, .text = "if it is the right server, accept "
  "this key and no other:\ntls_pin = %k\nor save its certificate, and: tls_trust_file = FILE" },
{ "certificate", { FAULT_CERTIFICATE_CA }, .text =
  "if it is the right server, get the certificate of that CA: tls_trust_file = FILE (for all "
  "programs: update-ca-certificates); or accept this key and no other:\ntls_pin = %k" },
{ "certificate", { FAULT_CERTIFICATE_CHAIN }, .text =
  "the server should send the certificates between its own and the CA: tell its administrator; "
  "until then tls_trust_file = FILE with them, or:\ntls_pin = %k" },
{ "certificate", { FAULT_CERTIFICATE_EXPIRED }, .text = "the server's administrator must renew "
  "it; today is %d here: if that is wrong, set the clock (timedatectl set-ntp true)" },
{ "certificate", { FAULT_CERTIFICATE_NOT_YET }, .text =
  "today is %d here: if that is wrong, set the clock (timedatectl set-ntp true)" },
{ "certificate", { FAULT_CERTIFICATE_NAME }, .when = WHEN_NAMES, .text = "it is for %n: set "
  "'host' to one of these names, or, if %h is the right server:\ntls_host_override = %m" },
{ "certificate", { FAULT_CERTIFICATE_NAME }, .text = "it has no name that counts: the server's "
  "administrator must replace it; until then:\ntls_pin = %k" },
{ "certificate", { FAULT_CERTIFICATE_REVOKED }, .text =
  "do not use it: tell the server's administrator" },
{ "certificate", { FAULT_CERTIFICATE_CRL }, .text =
  "fetch the list of the CA anew, and do so before it runs out: 'tls_crl_file'" },
{ "certificate", { FAULT_CERTIFICATE_OCSP }, .text =
  "the server must staple a good OCSP answer; 'tls_ocsp' says what is demanded" },
{ "certificate", { FAULT_CERTIFICATE_DANE }, .text =
  "DNS and certificate disagree: the server's administrator must correct one of them; "
  "'tls_dane = off' goes by the certificate alone" },
{ "certificate", { FAULT_CERTIFICATE_WEAK }, .text =
  "the server's administrator must replace it; until then:\ntls_pin = %k" },
/* sign-in */
{ "sign-in", { FAULT_OAUTH_WANTED }, .text = MICROSOFT_TEXT },
{ "sign-in", { FAULT_BROWSER_WANTED }, .text = "sign in as '%u' by the browser once and "
  "confirm that it was you; then try again, better with an app password or OAuth2" },
{ "sign-in", .exit = EX_NOPERM, .domain = "outlook.com", .text = MICROSOFT_TEXT },
{ "sign-in", .exit = EX_NOPERM, .domain = "office365.com", .text = MICROSOFT_TEXT },
{ "sign-in", .exit = EX_NOPERM, .domain = "gmail.com", .text = GMAIL_TEXT },
{ "sign-in", .exit = EX_NOPERM, .domain = "google.com", .text = GMAIL_TEXT },
{ "sign-in", { FAULT_APP_PASSWORD_WANTED }, .text = "it takes an app password only: make a "
  "password for this program in the settings of the mailbox, and use that" },
{ "sign-in", .exit = EX_NOPERM, .domain = "yahoo.com", .text =
  "Yahoo takes an app password only: make one in the settings of the account" },
{ "sign-in", .exit = EX_NOPERM, .domain = "icloud.com", .text =
  "Apple takes an app-specific password only: https://account.apple.com" },
{ "sign-in", .reply = 535, .when = WHEN_BARE_USER, .text =
  "'%u' or its password is wrong: many servers want the whole mail address as 'user'" },
{ "sign-in", .reply = 535, .text = "'%u' or its password is wrong (or its mailbox may not sign "
  "in from outside): try both in the provider's web mail" },
{ "sign-in", .reply = 534, .text =
  "the server wants another way to sign in: see 'auth' and 'auth_mechanisms'" },
{ "sign-in", .reply = 530, .text = "the server wants TLS first: set 'tls = starttls'" },
{ "sign-in", .reply = 538, .text = "the server wants TLS first: set 'tls = starttls'" },
{ "sign-in", { FAULT_NO_AUTH, FAULT_NO_AUTH_IN_CLEAR }, .port = 25, .text =
  "port 25 is for mail between servers: submission is 'port = 587' (or 465)" },
{ "sign-in", { FAULT_NO_AUTH_IN_CLEAR }, .text =
  "set 'tls = starttls': most servers let nobody sign in without" },
{ "sign-in", { FAULT_NO_AUTH, FAULT_NO_AUTH_IN_CLEAR }, .text =
  "this server lets nobody sign in: is it the right one and the right port? a server that "
  "trusts this host needs no 'user'" },
{ "sign-in", { FAULT_NO_MECHANISM, FAULT_MECHANISM_WEAK }, .text =
  "'auth', 'auth_mechanisms' and 'auth_minimum' say what is allowed here" },
{ "sign-in", .exit = EX_TEMPFAIL, .text =
  "the server cannot tell at the moment: try later; its log says why" },
/* sender and recipient */
{ "sender", .reply = 530, .when = WHEN_NOT_SIGNED_IN, .text =
  "the server wants to know who you are: set 'user' and a password (see password_command)" },
{ "sender", .exit = EX_TEMPFAIL, .text = "the server says it may pass: try later" },
{ "sender", { FAULT_SENDER_DOMAIN }, .text =
  "the domain of '%s' is not known to DNS: set 'from' to an address that exists" },
{ "sender", { FAULT_USER_NOT_ALLOWED }, .when = WHEN_SERVICE, .text =
  "'allow_users', 'allow_groups', 'deny_users' and 'local_login_sender_maps' of the service "
  "(msubmit.conf) say who may send, and as whom" },
{ "sender", { FAULT_EXTENSION_MISSING, FAULT_UTF8_MISSING, FAULT_CONVERSION }, .text =
  "the account asks for what this server does not have: see the key that is named" },
{ "sender", .when = WHEN_SIGNED_IN, .text =
  "'%s' is no address that '%u' may send from: set 'from' to one that is" },
{ "sender", .when = WHEN_NOT_SIGNED_IN, .text = "the server does not take mail from '%s' here: "
  "set 'from' to an address of yours, and 'user' if it wants a sign-in" },
{ "recipient", .reply = 530, .when = WHEN_NOT_SIGNED_IN, .text =
  "the server wants to know who you are: set 'user' and a password (see password_command)" },
{ "recipient", { FAULT_SENDER_REFUSED }, .text = "it is the sender that the server does not "
  "want: set 'from' to an address that it knows as yours" },
{ "recipient", { FAULT_RELAY_DENIED }, .when = WHEN_NOT_SIGNED_IN, .text =
  "the server passes mail on only for those who sign in: set 'user' and a password, and 'port "
  "= 587' rather than 25" },
{ "recipient", { FAULT_RELAY_DENIED }, .when = WHEN_SIGNED_IN, .text =
  "the server does not pass on mail to '%t' even for '%u': it is not meant as a smarthost; "
  "another recipient may do: --to ADDRESS" },
{ "recipient", { FAULT_GREYLISTED, FAULT_LISTED }, .text =
  "the server refuses by greylisting (then try in some minutes) or a block list" },
{ "recipient", .exit = EX_TEMPFAIL, .text = "the server says it may pass: try later" },
{ "recipient", .exit = EX_NOUSER, .text =
  "'%t' does not exist there: check with another recipient, --to ADDRESS" },
{ "recipient", .text =
  "the server does not take mail for '%t': check with another recipient: --to ADDRESS" },
/* everywhere; TLS 1.3 tells of our certificate after the handshake */
{ .faults = { FAULT_OUR_CERTIFICATE_WANTED, FAULT_TLS_NO_CIPHER }, .text =
  "set tls_cert_file and tls_key_file, if you have a certificate for this server" },
{ .faults = { FAULT_OUR_CERTIFICATE_REFUSED }, .text =
  "the server knows another certificate for you, or another CA: ask its administrator" },
{ .faults = { FAULT_OUR_CA_UNKNOWN }, .text =
  "the server trusts another CA than that of your certificate: ask its administrator" },
{ .faults = { FAULT_OUR_CERTIFICATE_EXPIRED }, .text =
  "your certificate (tls_cert_file) has expired: get a new one" },
{ .reply = 421, .text = "the server closes, perhaps for a limit: try later" },
{ .faults = { FAULT_CONNECTION_LOST }, .text = "the server hung up: its log says why" },
{ .faults = { FAULT_TIMEOUT }, .text = "the server is slow or the line is broken: try later" },
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

static bool circumstances_fit(unsigned when, const struct hint_query *q)
{
	const unsigned holds = (q->signed_in ? WHEN_SIGNED_IN : WHEN_NOT_SIGNED_IN) |
		(q->local ? WHEN_LOCAL : 0) |
		(q->service ? WHEN_SERVICE : 0) | (q->proxied ? WHEN_PROXIED : 0) |
		(q->tls && q->tls->first_name ? WHEN_NAMES : 0) |
		(q->user && !strchr(q->user, '@') ? WHEN_BARE_USER : 0);

	return !(when & ~holds);
}

static bool fits(const struct hint *h, const struct hint_query *q)
{
	if (*h->step && strcmp(h->step, q->step) != 0)
		return false;
	if ((h->exit && h->exit != q->error->exit) || (h->reply && h->reply != q->error->reply))
		return false;
	if ((h->port && h->port != q->port) || !circumstances_fit(h->when, q))
		return false;
	if (*h->domain && !(q->host && server_inside_domain(q->host, h->domain)) &&
	    !(q->server_name && server_inside_domain(q->server_name, h->domain)))
		return false;
	return faults_fit(h->faults, q->error);
}

static const char *value_of(char letter, const struct hint_query *q)
{
	const struct {
		char letter;
		const char *value;
	} values[] = {
		{ 'h', q->host }, { 'a', q->address ? q->address : q->host }, { 'u', q->user },
		{ 's', q->sender && *q->sender ? q->sender : "<>" }, { 't', q->to },
		{ 'k', q->tls ? q->tls->pin : NULL }, { 'n', q->tls ? q->tls->names : NULL },
		{ 'm', q->tls ? q->tls->first_name : NULL },
	};
	size_t i = 0;

	while (i < ARRAY_LEN(values) && values[i].letter != letter)
		i++;
	return i < ARRAY_LEN(values) && values[i].value ? values[i].value : "(unknown)";
}

static void fill_in(struct strbuf *out, const char *text, const struct hint_query *q)
{
	char now[DATETIME_UTC_SIZE];

	for (; *text; text++) {
		if (*text != '%') {
			strbuf_addch(out, *text);
			continue;
		}
		if (*++text == 'p')
			strbuf_addf(out, "%u", q->port);
		else if (*text == 'd')
			strbuf_add(out, datetime_utc(now, datetime_now()), strlen("YYYY-MM-DD"));
		else
			strbuf_addstr(out, value_of(*text, q));
	}
}

const char *check_hint(struct arena *a, const struct hint_query *q)
{
	const bool all = strcmp(q->step, "certificate") == 0;
	struct strbuf out = STRBUF_INIT(HINT_MAX);

	for (size_t i = 0; i < ARRAY_LEN(table) && (all || !out.len); i++) {
		if (!fits(&table[i], q) || (all && out.len && !*table[i].step))
			continue;
		if (out.len)
			strbuf_addch(&out, '\n');
		fill_in(&out, table[i].text, q);
	}
	return out.len ? arena_take(a, &out) : NULL;
}
