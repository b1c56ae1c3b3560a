#include "config.h"
#include "check/check_hints.h"

#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <time.h>

#include "submit/server_list.h"
#include "tls/tls_facts.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"

#define HINT_MAX ((size_t)8192)

/* What a row may ask for besides; all that is set must hold. */
enum {
	WHEN_SIGNED_IN = 1, WHEN_NOT_SIGNED_IN = 2, WHEN_LOCAL = 4,
	WHEN_BARE_USER = 8,	/* the user is no mail address */
	WHEN_NAMES = 16		/* the certificate has names */
};

/*
 * A row holds when all that it names fits; 0 and NULL fit everything. In the
 * text stand %h host, %p port, %a address, %u user, %s sender, %t recipient,
 * %k the pin of the certificate, %n its names, %m the first of them, %d the
 * date of today.
 */
struct hint {
	const char *step;
	int exit, reply;
	unsigned port;
	unsigned when;
	const char *words;	/* in the error, any case */
	const char *domain;	/* the host is in it */
	const char *text;
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
{ "config", 0, 0, 0, 0, "others may read", NULL,
  "the file holds a password: run the command above, or keep the password elsewhere "
  "(password_command, password_file)" },
{ "config", 0, 0, 0, 0, "AppArmor", NULL,
  "'journalctl -k -g DENIED' shows the rule; allow the file there, or move it to where the "
  "rules allow it" },
{ "config", 0, 0, 0, 0, "cannot open", NULL, "check the path and who may read it: ls -l" },
{ "config", 0, 0, 0, 0, NULL, NULL,
  "correct the line; 'msubmit --check-config' lists all that is wrong" },
{ "account", EX_CONFIG, 0, 0, 0, "has neither", NULL,
  "write 'host = NAME' into the account: the mail server of your provider" },
{ "account", EX_CONFIG, 0, 0, 0, "no account", NULL,
  "'msubmit --configure ADDRESS' finds the server of a mail address and writes an account; "
  "'msubmit --print-config' shows what is read" },
{ "account", EX_NOPERM, 0, 0, 0, NULL, NULL,
  "'allow_users', 'allow_groups' and 'deny_users' of the account say who may" },
{ "rewrite", 0, 0, 0, 0, NULL, NULL, "correct the line, or the path of 'rewrite_map'" },
{ "secret", 0, 0, 0, 0, "others may read", NULL,
  "nobody else may read a password: run the command above, then check again" },
{ "secret", 0, 0, 0, 0, "not to you", NULL,
  "make a file of your own, mode 0600, or run this as the user that it belongs to" },
{ "secret", 0, 0, 0, 0, "AppArmor", NULL,
  "'journalctl -k -g DENIED' shows the rule; allow the file or command there" },
{ "secret", 0, 0, 0, 0, "cannot run command", NULL,
  "is it installed, executable, and in PATH (cron's is short)? give its whole path" },
{ "secret", 0, 0, 0, 0, "ended with status", NULL,
  "run the command by hand as this user with '< /dev/null': it must print the password and "
  "end with 0; a locked key ring or gpg-agent asks on a terminal that is not there" },
{ "secret", 0, 0, 0, 0, "ended by signal", NULL, "run the command by hand as this user" },
{ "secret", 0, 0, 0, 0, "CREDENTIALS_DIRECTORY", NULL,
  "outside of its service the credential is not there: check by 'systemd-run' with the same "
  "LoadCredential=, or in the unit" },
{ "secret", 0, 0, 0, 0, "No such file", NULL,
  "write the password into that file, mode 0600: (umask 077; cat > FILE)" },
{ "secret", 0, 0, 0, 0, "Permission denied", NULL,
  "the user that sends must be able to read it: 'namei -l FILE' shows which folder or file "
  "is in the way" },
{ "secret", 0, 0, 0, 0, "empty line", NULL, "the first line must be the password" },
{ "secret", 0, 0, 0, 0, "no password for", NULL,
  "for example: (umask 077; cat > ~/.password), and in the account password_file = "
  "~/.password" },
{ "secret", 0, 0, 0, 0, "no access token", NULL,
  "'oauth_token_command' runs the program that gives it" },
{ "secret", EX_TEMPFAIL, 0, 0, 0, NULL, NULL,
  "the command takes longer than 'command_timeout': does it wait for a terminal?" },
{ "sender", EX_USAGE, 0, 0, 0, NULL, NULL, "name one: --to ADDRESS" },
{ "sender", EX_CONFIG, 0, 0, 0, NULL, NULL, "set 'from' to the address that mail comes from" },
{ "recipient", EX_USAGE, 0, 0, 0, NULL, NULL, "name one: --to ADDRESS" },
{ "recipient", EX_NOHOST, 0, 0, 0, "no domain", NULL,
  "give a whole address: --to ADDRESS" },
{ "aliases", 0, 0, 0, 0, "Permission denied", NULL,
  "every user that sends must be able to read it: chmod 644" },
{ "aliases", 0, 0, 0, 0, "No such file", NULL, "make the file, or set 'aliases = off'" },
{ "aliases", 0, 0, 0, 0, NULL, NULL, "correct the line" },
/* names */
{ "dns", EX_NOHOST, 0, 0, 0, "SRV", NULL,
  "the domain has none: write 'host = NAME' with the server's name" },
{ "dns", EX_NOHOST, 0, 0, 0, "takes no mail", NULL, "no server takes mail for that domain" },
{ "dns", EX_NOHOST, 0, 0, 0, "of the wanted kind", NULL,
  "check the spelling of 'host', and 'address_family': 'getent ahosts %h' must print an "
  "address" },
{ "dns", EX_NOHOST, 0, 0, 0, NULL, NULL,
  "check the spelling of 'host': 'getent ahosts %h' must print addresses" },
{ "dns", EX_TEMPFAIL, 0, 0, 0, NULL, NULL,
  "no name server answers: is the network up, is /etc/resolv.conf right? try 'getent ahosts "
  "%h'" },
/* connection */
{ "connect", 0, 0, 0, WHEN_LOCAL, "No such file", NULL,
  "there is no such socket: is the server running, and is 'socket' the path in its "
  "configuration?" },
{ "connect", 0, 0, 0, WHEN_LOCAL, "Permission denied", NULL,
  "the socket's mode or a folder above it keeps you out: 'namei -l' on it shows which; "
  "AppArmor and SELinux tell in 'journalctl -k -g DENIED'" },
{ "connect", 0, 0, 0, WHEN_LOCAL, "refused", NULL,
  "nobody listens on the socket: is the server running?" },
{ "connect", 0, 0, 0, 0, "command", NULL,
  "run the command of 'tunnel' by hand: it must end up connected to the server" },
{ "connect", 0, 0, 0, 0, "proxy", NULL,
  "it is the proxy that fails: check proxy_host, proxy_port, its password, and whether it "
  "lets port %p through; 'no_proxy = %h' goes without it" },
{ "connect", 0, 0, 25, 0, "no answer within", NULL,
  "port 25 is blocked on most networks: use your provider's submission server, 'port = 587' "
  "(or 465)" },
{ "connect", 0, 0, 0, 0, "no answer within", NULL,
  "a firewall drops it, or the host is off: does another port answer (587, 465), or the same "
  "one from another network?" },
{ "connect", 0, 0, 25, 0, "refused", NULL,
  "nothing listens on port 25 there: for submission it is 'port = 587' (or 465)" },
{ "connect", 0, 0, 0, 0, "refused", NULL,
  "nothing listens on port %p there: is the server running, is the port right? 587 is for "
  "tls = starttls, 465 for tls = implicit, 24 for LMTP" },
{ "connect", 0, 0, 0, 0, "unreachable", NULL,
  "there is no way to it: is the network up ('ip route get %a')? without IPv6 of your own "
  "set 'address_family = ipv4'" },
{ "connect", 0, 0, 0, 0, "No route", NULL,
  "there is no way to it: is the network up ('ip route get %a')? a firewall may say this, "
  "too" },
{ "connect", 0, 0, 0, 0, "Permission denied", NULL,
  "a firewall or the sandbox of this service forbids it" },
{ "connect", 0, 0, 0, 0, "assign requested address", NULL,
  "'source_ip' must be an address of this host, of the same family" },
/* greeting and EHLO */
{ "greeting", 0, 0, 0, 0, "tls = implicit", NULL,
  "set 'tls = implicit': this port speaks TLS from the start" },
{ "greeting", 0, 0, 465, 0, "4.4.2", NULL, "set 'tls = implicit'" },
{ "greeting", 0, 421, 0, 0, NULL, NULL,
  "the server has too much to do, or too many connections from here: try later" },
{ "greeting", EX_UNAVAILABLE, 0, 0, 0, NULL, NULL,
  "the server wants nothing from this address (a list of dynamic or bad ones?): use your "
  "provider's submission server with sign-in, port 587" },
{ "greeting", 0, 0, 0, 0, "unparsable", NULL,
  "what answers on port %p is no mail server: check host and port" },
{ "greeting", 0, 0, 0, 0, "closed", NULL,
  "it hangs up at once: a blocked address, a limit, or no mail server at all behind port %p" },
{ "greeting", 0, 0, 0, 0, "timeout", NULL,
  "it accepts and says nothing: if it wants TLS from the start, set 'tls = implicit'; else it "
  "looks up this host first (see greeting_timeout)" },
{ "ehlo", EX_UNAVAILABLE, 0, 0, 0, NULL, NULL,
  "it may not like our name: set 'domain' to a full host name" },
/* TLS */
{ "starttls", EX_UNAVAILABLE, 0, 0, 0, "does not offer", NULL,
  "try 'tls = implicit' with 'port = 465', else ask the server's administrator for TLS; "
  "a filter on the way may hide STARTTLS, too" },
{ "starttls", 0, 0, 0, 0, NULL, NULL,
  "the server cannot begin TLS now: its log says why; try 'tls = implicit' with "
  "'port = 465'" },
{ "tls", 0, 0, 0, 0, "speaks plain SMTP", NULL,
  "set 'tls = starttls' (usual on port 587): on port %p TLS begins on command" },
{ "tls", 0, 0, 0, 0, "does not speak TLS", NULL,
  "what answers on port %p is no TLS: check host and port" },
{ "tls", 0, 0, 0, 0, "no TLS version", NULL,
  "the server is out of date, or 'tls_priorities' and 'tls_min_version' ask for too much" },
{ "tls", EX_OSFILE, 0, 0, 0, NULL, NULL,
  "install the system's certificates (package ca-certificates), or name a file of "
  "certificates that you can read: tls_trust_file = FILE" },
{ "tls", EX_CONFIG, 0, 0, 0, "does not belong to certificate", NULL,
  "tls_cert_file and tls_key_file must be a pair: name the key that the certificate was made "
  "for" },
{ "tls", EX_CONFIG, 0, 0, 0, "passphrase", NULL,
  "tls_key_password_command or tls_key_password_file gives the passphrase" },
{ "tls", EX_CONFIG, 0, 0, 0, NULL, NULL, "correct that setting" },
{ "tls", 0, 0, 0, 0, "closed", NULL,
  "the server broke off: its log says why; is port %p one for TLS from the start?" },
{ "certificate", 0, 0, 0, 0, "fingerprint", NULL,
  "if its administrator confirms the new key, write in the place of tls_fingerprint:\n"
  "tls_pin = %k" },
{ "certificate", 0, 0, 0, 0, "tls_pin wants", NULL,
  "if its administrator confirms the new key, write:\ntls_pin = %k" },
{ "certificate", 0, 0, 0, 0, "self-signed", NULL,
  "if it is the right server, accept this key and no other:\ntls_pin = %k\n"
  "or save its certificate, and: tls_trust_file = FILE" },
{ "certificate", 0, 0, 0, 0, "its CA '", NULL,
  "if it is the right server, get the certificate of that CA: tls_trust_file = FILE (for all "
  "programs: update-ca-certificates); or accept this key and no other:\ntls_pin = %k" },
{ "certificate", 0, 0, 0, 0, "is not known", NULL,
  "the server should send the certificates between its own and the CA: tell its "
  "administrator; until then tls_trust_file = FILE with them, or:\ntls_pin = %k" },
{ "certificate", 0, 0, 0, 0, "has expired", NULL,
  "the server's administrator must renew it; today is %d here: if that is wrong, set the "
  "clock (timedatectl set-ntp true)" },
{ "certificate", 0, 0, 0, 0, "not valid before", NULL,
  "today is %d here: if that is wrong, set the clock (timedatectl set-ntp true)" },
{ "certificate", 0, 0, 0, WHEN_NAMES, "name does not match", NULL,
  "it is for %n: set 'host' to one of these names, or, if %h is the right server:\n"
  "tls_host_override = %m" },
{ "certificate", 0, 0, 0, 0, "name does not match", NULL,
  "it has no name that counts: the server's administrator must replace it; until then:\n"
  "tls_pin = %k" },
{ "certificate", 0, 0, 0, 0, "revoked", NULL,
  "do not use it: tell the server's administrator" },
{ "certificate", 0, 0, 0, 0, "OCSP", NULL,
  "the server must staple a good OCSP answer; 'tls_ocsp' says what is demanded" },
{ "certificate", 0, 0, 0, 0, "TLSA", NULL,
  "DNS and certificate disagree: the server's administrator must correct one of them; "
  "'tls_dane = off' goes by the certificate alone" },
{ "certificate", 0, 0, 0, 0, "too weak", NULL,
  "the server's administrator must replace it; until then:\ntls_pin = %k" },
/* sign-in */
{ "sign-in", EX_NOPERM, 0, 0, 0, "5.7.139", NULL, MICROSOFT_TEXT },
{ "sign-in", EX_NOPERM, 0, 0, 0, "SmtpClientAuthentication", NULL, MICROSOFT_TEXT },
{ "sign-in", EX_NOPERM, 0, 0, 0, "basic authentication is disabled", NULL, MICROSOFT_TEXT },
{ "sign-in", EX_NOPERM, 0, 0, 0, NULL, "outlook.com", MICROSOFT_TEXT },
{ "sign-in", EX_NOPERM, 0, 0, 0, NULL, "office365.com", MICROSOFT_TEXT },
{ "sign-in", EX_NOPERM, 0, 0, 0, NULL, "gmail.com", GMAIL_TEXT },
{ "sign-in", EX_NOPERM, 0, 0, 0, "gsmtp", NULL, GMAIL_TEXT },
{ "sign-in", EX_NOPERM, 0, 0, 0, "application-specific password", NULL, GMAIL_TEXT },
{ "sign-in", EX_NOPERM, 0, 0, 0, "app password", NULL,
  "make a password for this program in the settings of the mailbox, and use that" },
{ "sign-in", EX_NOPERM, 0, 0, 0, NULL, "yahoo.com",
  "Yahoo takes an app password only: make one in the settings of the account" },
{ "sign-in", EX_NOPERM, 0, 0, 0, NULL, "icloud.com",
  "Apple takes an app-specific password only: https://account.apple.com" },
{ "sign-in", 0, 535, 0, WHEN_BARE_USER, NULL, NULL,
  "'%u' or its password is wrong: many servers want the whole mail address as 'user'" },
{ "sign-in", 0, 535, 0, 0, NULL, NULL,
  "'%u' or its password is wrong (or its mailbox may not sign in from outside): try both in "
  "the provider's web mail" },
{ "sign-in", 0, 534, 0, 0, NULL, NULL,
  "the server wants another way to sign in: see 'auth' and 'auth_mechanisms'" },
{ "sign-in", 0, 530, 0, 0, NULL, NULL, "the server wants TLS first: set 'tls = starttls'" },
{ "sign-in", 0, 538, 0, 0, NULL, NULL, "the server wants TLS first: set 'tls = starttls'" },
{ "sign-in", EX_UNAVAILABLE, 0, 25, 0, "does not offer AUTH", NULL,
  "port 25 is for mail between servers: submission is 'port = 587' (or 465)" },
{ "sign-in", EX_UNAVAILABLE, 0, 0, 0, "does not offer AUTH without TLS", NULL,
  "set 'tls = starttls': most servers let nobody sign in without" },
{ "sign-in", EX_UNAVAILABLE, 0, 0, 0, "does not offer AUTH", NULL,
  "this server lets nobody sign in: is it the right one and the right port? a server that "
  "trusts this host needs no 'user'" },
{ "sign-in", 0, 0, 0, 0, "no way to sign in", NULL,
  "'auth', 'auth_mechanisms' and 'auth_minimum' say what is allowed here" },
{ "sign-in", EX_TEMPFAIL, 0, 0, 0, NULL, NULL,
  "the server cannot tell at the moment: try later; its log says why" },
/* sender and recipient */
{ "sender", 0, 530, 0, WHEN_NOT_SIGNED_IN, NULL, NULL,
  "the server wants to know who you are: set 'user' and a password (see password_command)" },
{ "sender", EX_TEMPFAIL, 0, 0, 0, NULL, NULL, "the server says it may pass: try later" },
{ "sender", 0, 0, 0, 0, "Domain not found", NULL,
  "the domain of '%s' is not known to DNS: set 'from' to an address that exists" },
{ "sender", EX_UNAVAILABLE, 0, 0, 0, "does not offer", NULL,
  "the account asks for what this server does not have: see the key that is named" },
{ "sender", 0, 0, 0, WHEN_SIGNED_IN, NULL, NULL,
  "'%s' is no address that '%u' may send from: set 'from' to one that is" },
{ "sender", 0, 0, 0, WHEN_NOT_SIGNED_IN, NULL, NULL,
  "the server does not take mail from '%s' here: set 'from' to an address of yours, and "
  "'user' if it wants a sign-in" },
{ "recipient", 0, 530, 0, WHEN_NOT_SIGNED_IN, NULL, NULL,
  "the server wants to know who you are: set 'user' and a password (see password_command)" },
{ "recipient", 0, 0, 0, 0, "sender", NULL,
  "it is the sender that the server does not want: set 'from' to an address that it knows "
  "as yours" },
{ "recipient", 0, 0, 0, WHEN_NOT_SIGNED_IN, "relay", NULL,
  "the server passes mail on only for those who sign in: set 'user' and a password, and "
  "'port = 587' rather than 25" },
{ "recipient", 0, 0, 0, WHEN_SIGNED_IN, "relay", NULL,
  "the server does not pass on mail to '%t' even for '%u': it is not meant as a smarthost; "
  "another recipient may do: --to ADDRESS" },
{ "recipient", 0, 0, 0, 0, "list", NULL,
  "the server refuses by greylisting (then try in some minutes) or a block list" },
{ "recipient", EX_TEMPFAIL, 0, 0, 0, NULL, NULL, "the server says it may pass: try later" },
{ "recipient", EX_NOUSER, 0, 0, 0, NULL, NULL,
  "'%t' does not exist there: check with another recipient, --to ADDRESS" },
{ "recipient", 0, 0, 0, 0, NULL, NULL,
  "the server does not take mail for '%t': check with another recipient: "
  "--to ADDRESS" },
/* everywhere; TLS 1.3 tells of our certificate after the handshake */
{ NULL, 0, 0, 0, 0, "wants a certificate", NULL,
  "set tls_cert_file and tls_key_file, if you have a certificate for this server" },
{ NULL, 0, 0, 0, 0, "does not accept the certificate", NULL,
  "the server knows another certificate for you, or another CA: ask its administrator" },
{ NULL, 0, 0, 0, 0, "does not know the CA of the certificate", NULL,
  "the server trusts another CA than that of your certificate: ask its administrator" },
{ NULL, 0, 0, 0, 0, "alert 'Certificate was expired'", NULL,
  "your certificate (tls_cert_file) has expired: get a new one" },
{ NULL, 0, 421, 0, 0, NULL, NULL, "the server closes, perhaps for a limit: try later" },
{ NULL, 0, 0, 0, 0, "closed by the server", NULL,
  "the server hung up: its log says why" },
{ NULL, 0, 0, 0, 0, "timeout", NULL, "the server is slow or the line is broken: try later" },
};

static bool contains(const char *text, const char *words)
{
	size_t n = strlen(words);

	for (; *text; text++) {
		if (strncasecmp(text, words, n) == 0)
			return true;
	}
	return false;
}

/* The words of an error are its text or its enhanced status. */
static bool words_fit(const struct hint *h, const struct error *err)
{
	return !h->words || contains(err->text, h->words) || strcmp(err->status, h->words) == 0;
}

static bool circumstances_fit(unsigned when, const struct hint_query *q)
{
	const bool names = q->tls && q->tls->first_name;
	const bool bare = q->user && !strchr(q->user, '@');

	return !((when & WHEN_SIGNED_IN && !q->signed_in) ||
		 (when & WHEN_NOT_SIGNED_IN && q->signed_in) ||
		 (when & WHEN_LOCAL && !q->local) || (when & WHEN_NAMES && !names) ||
		 (when & WHEN_BARE_USER && !bare));
}

static bool fits(const struct hint *h, const struct hint_query *q)
{
	if (h->step && strcmp(h->step, q->step) != 0)
		return false;
	if ((h->exit && h->exit != q->error->exit) || (h->reply && h->reply != q->error->reply))
		return false;
	if ((h->port && h->port != q->port) || !circumstances_fit(h->when, q))
		return false;
	if (h->domain && !(q->host && target_inside(q->host, h->domain)))
		return false;
	return words_fit(h, q->error);
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
