/*
 * Settings of TLS and of signing in.
 */
#include "config.h"
#define ROWS_FILE ROWS_SECURITY
#include "conf/settings_rows.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/account.h"
#include "net/pin.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/pem.h"
#include "util/secret.h"
#include "util/strbuf.h"
#include "util/text.h"

static const struct name_value tls_names[] = {
	{ "auto", TLS_AUTO }, { "starttls", TLS_STARTTLS }, { "implicit", TLS_IMPLICIT },
	{ "off", TLS_OFF }, { "no", TLS_OFF }, { "false", TLS_OFF }, { "0", TLS_OFF },
	{ "on", TLS_STARTTLS }, { "yes", TLS_STARTTLS }, { "true", TLS_STARTTLS },
	{ "1", TLS_STARTTLS }, { "may", TLS_MAY }, NAMES_END
};

/* The two keys of msmtp may stand in any order and in different sections. */
static void combine_tls(struct tls_settings *t)
{
	if (t->follows_starttls && t->starttls_given)
		t->mode = t->starttls ? TLS_STARTTLS : TLS_IMPLICIT;
}

SETTING_SETTER(set_tls)
{
	struct tls_settings *t = &((struct account *)target)->tls;
	int mode;

	if (names_find(tls_names, value, &mode) < 0)
		return setting_refuse(s, value, "one of auto, starttls, implicit, may, off, on",
				      err);
	t->mode = (enum tls_mode)mode;
	t->follows_starttls = mode == TLS_AUTO ||
			      (mode == TLS_STARTTLS && strcasecmp(value, "starttls") != 0);
	combine_tls(t);
	return 0;
}

SETTING_SETTER(set_starttls)
{
	struct tls_settings *t = &((struct account *)target)->tls;
	int on;

	if (setting_read_bool(s, value, &on, err) < 0)
		return -1;
	t->starttls = on;
	t->starttls_given = true;
	combine_tls(t);
	return 0;
}

SETTING_PRINTER(print_tls)
{
	const struct account *a = target;

	strbuf_addstr(out, names_name(tls_names, (int)a->tls.mode));
}

/* fingerprint = 2HEXDIG *([":"] 2HEXDIG), of SHA-256, SHA-1 or MD5 */
SETTING_SETTER(check_fingerprint)
{
	size_t digits = 0;
	bool wrong = false;

	for (const char *p = value; *p; p++) {
		if (isxdigit((unsigned char)*p))
			digits++;
		else if (*p != ':' || digits == 0 || digits % 2 || p[1] == ':' || !p[1])
			wrong = true;
	}
	if (wrong || (digits != 64 && digits != 40 && digits != 32 && digits != 0))
		return setting_refuse(s, value, "a SHA-256, SHA-1 or MD5 fingerprint in hex", err);
	return 0;
}

/* Each must be a pin, so that a typing error is seen at once. */
WORD_CHECK(check_pin)
{
	struct pin ignored;

	return pin_parse(word, &ignored) == 0 ? 0 :
		setting_refuse(s, word, "spki-sha256:BASE64, cert-sha256:HEX or file:PATH "
			       "('msubmit --serverinfo' prints them)", err);
}

static const struct name_value auth_names[] = {
	{ "auto", AUTH_AUTO }, { "off", AUTH_OFF }, { "no", AUTH_OFF }, { "false", AUTH_OFF },
	{ "0", AUTH_OFF }, { "on", AUTH_ON }, { "yes", AUTH_ON }, { "true", AUTH_ON },
	{ "1", AUTH_ON }, { "try", AUTH_TRY },
	/* all that smtp/auth/mechanism.c has */
	{ "EXTERNAL", AUTH_MECHANISM }, { "GSSAPI", AUTH_MECHANISM },
	{ "GS2-KRB5", AUTH_MECHANISM }, { "OAUTHBEARER", AUTH_MECHANISM },
	{ "XOAUTH2", AUTH_MECHANISM }, { "SCRAM-SHA-256-PLUS", AUTH_MECHANISM },
	{ "SCRAM-SHA-1-PLUS", AUTH_MECHANISM }, { "SCRAM-SHA-256", AUTH_MECHANISM },
	{ "SCRAM-SHA-1", AUTH_MECHANISM }, { "PLAIN", AUTH_MECHANISM },
	{ "LOGIN", AUTH_MECHANISM }, { "CRAM-MD5", AUTH_MECHANISM },
	{ "DIGEST-MD5", AUTH_MECHANISM }, { "NTLM", AUTH_MECHANISM },
	{ "ANONYMOUS", AUTH_MECHANISM }, NAMES_END
};

/* --- certificates --------------------------------------------------------------------- */

#define CERTIFICATE_MAX 65536

/* In the place of a file; what is secret is not to be shown, and so does not belong here. */
SETTING_SETTER(set_certificate)
{
	struct strbuf pem = STRBUF_INIT(CERTIFICATE_MAX);
	int rc = 0;

	if (strstr(value, "PRIVATE KEY"))
		rc = error_set(err, FAULT_CONFIG, "key '%s': a private key belongs into 'tls_key'",
			       s->key);
	else if (*value && (pem_read(value, "CERTIFICATE", &pem) < 0 || strbuf_overflow(&pem)))
		rc = error_set(err, FAULT_CONFIG, "key '%s': neither PEM nor base64 of a "
			       "certificate", s->key);
	else
		*TEXT_FIELD(target, s) = *value ? arena_strdup(arena, pem.buf) : NULL;
	strbuf_release(&pem);
	return rc;
}

/* PEM in one line. */
static void print_pem(const char *text, struct strbuf *out)
{
	for (; *text; text++) {
		if (*text == '\n')
			strbuf_addstr(out, "\\n");
		else
			strbuf_addch(out, *text);
	}
}

SETTING_PRINTER(print_certificate)
{
	const struct account *a = target;

	(void)s;
	if (a->tls.cert_file && pem_is(a->tls.cert_file))
		print_pem(a->tls.cert_file, out);
}

SETTING_PRINTER(print_cert_file)
{
	const struct account *a = target;

	(void)s;
	if (a->tls.cert_file && !pem_is(a->tls.cert_file))
		strbuf_addstr(out, a->tls.cert_file);
}

SETTING_PRINTER(print_trust_file)
{
	const struct account *a = target;

	(void)s;
	if (a->tls.trust_file)
		print_pem(a->tls.trust_file, out);
}

/* --- signing in ------------------------------------------------------------------------ */

SETTING_SETTER(set_auth)
{
	struct auth_settings *auth = &((struct account *)target)->auth;
	int mode;

	if (setting_read_name(s, auth_names, value, &mode, err) < 0)
		return -1;
	auth->mode = (enum auth_mode)mode;
	auth->mechanism = NULL;
	if (mode == AUTH_MECHANISM) {
		char *name = arena_strdup(arena, value);

		auth->mechanism = name;
		for (; *name; name++)
			*name = (char)toupper((unsigned char)*name);
	}
	return 0;
}

SETTING_PRINTER(print_auth)
{
	const struct auth_settings *auth = &((const struct account *)target)->auth;
	const char *word = auth->mode == AUTH_MECHANISM ? auth->mechanism :
							  names_name(auth_names, (int)auth->mode);

	strbuf_addstr(out, word);
}

SETTING_SETTER(set_password_fd)
{
	char *end;
	long n = strtol(value, &end, 10);

	if (*value && (!isdigit((unsigned char)*value) || *end || n > 65535))
		return setting_refuse(s, value, "the number of an open descriptor", err);
	((struct account *)target)->auth.password_fd = *value ? (int)n : -1;
	return 0;
}

SETTING_PRINTER(print_password_fd)
{
	const struct account *a = target;

	if (a->auth.password_fd >= 0)
		strbuf_addf(out, "%d", a->auth.password_fd);
}

#define CODES(x) \
	x(DO_TLS, .set = set_tls, .print = print_tls) \
	x(DO_CERTIFICATE, .set = set_certificate, .print = print_certificate) \
	x(DO_AUTH, .set = set_auth, .print = print_auth) \
	x(DO_PASSWORD_FD, .set = set_password_fd, .print = print_password_fd) \
	x(DO_STARTTLS, .set = set_starttls) \
	x(DO_TRUST_FILE, .print = print_trust_file) \
	x(DO_FINGERPRINT, .set = check_fingerprint) \
	x(DO_PIN, .check = check_pin) \
	x(DO_CERT_FILE, .print = print_cert_file)
SETTING_CODES(settings_security_code, CODES);

const struct setting settings_security[] = {
{ HEADING("tls", "TLS and signing in") },
/* TLS */
{ OWNER("tls"), SPECIAL(enum tls_mode, tls.mode, DO_TLS), .flags = SETTING_SWITCH,
  .def = "auto", .classic_def = "off", .arg = "auto|starttls|implicit|may|off",
  .help = "auto: implicit on port 465, else STARTTLS, required" },
{ OWNER("tls_starttls"), .type = SETTING_SPECIAL, .offset = FIELD(enum tls_mode, tls.mode),
  .flags = SETTING_SWITCH | SETTING_CLASSIC, .code = CODE(DO_STARTTLS), .arg = "on|off",
  .help = "with tls = on: off means TLS from the first byte" },
{ OWNER("tls_certcheck"), SWITCH(tls.certcheck), .def = "on",
  .help = "verify the server's certificate" },
{ OWNER("tls_trust_file"), TEXT(tls.trust_file), .flags = SETTING_PATH | SETTING_LINES,
  .arg = "file", .code = CODE(DO_TRUST_FILE), .def = "system",
  .help = "certificate authorities to trust, PEM, or \"system\"" },
{ OWNER("tls_trust_dir"), .type = SETTING_STRING, .flags = SETTING_PATH, .arg = "folder",
  .offset = FIELD(const char *, tls.trust_dir),
  .help = "folder of certificate authorities, instead of the system's" },
{ OWNER("tls_crl_file"), FILE_NAME(tls.crl_file), .help = "revoked certificates, PEM" },
{ OWNER("tls_ocsp"), CHOICE(enum tls_ocsp, tls.ocsp, { "auto", TLS_OCSP_AUTO },
  { "require", TLS_OCSP_REQUIRE }, { "off", TLS_OCSP_OFF }), .def = "auto",
  .help = "stapled OCSP answers: check, demand, ignore" },
{ OWNER("tls_fingerprint"), TEXT(tls.fingerprint), .code = CODE(DO_FINGERPRINT), .arg = "hex",
  .help = "accept this certificate only (SHA-256, SHA-1, MD5)" },
{ OWNER("tls_pin"), LIST(tls.pin), .code = CODE(DO_PIN), .arg = "pin,...",
  .help = "accept these only: spki-sha256:BASE64, cert-sha256:HEX, file:PATH" },
{ OWNER("tls_dane"), CHOICE(enum tls_dane, tls.dane, { "off", TLS_DANE_OFF },
  { "may", TLS_DANE_MAY }, { "must", TLS_DANE_MUST }), .def = "off",
  .help = "verify by TLSA records of the server's domain" },
{ OWNER("dnssec"), CHOICE(enum dnssec, tls.dnssec, { "auto", DNSSEC_AUTO },
  { "trust-ad", DNSSEC_TRUST_AD }), .def = "auto",
  .help = "trust-ad: the resolver on this host validates" },
{ OWNER("dnssec_anchor"), FILE_NAME(tls.dnssec_anchor),
  .help = "keys of the root of the DNS, instead of the system's" },
{ OWNER("tls_cert"), SPECIAL(const char *, tls.cert_file, DO_CERTIFICATE),
  .flags = SETTING_LINES, .arg = "pem",
  .help = "client certificate itself: PEM, or base64; in a file also @inline" },
{ OWNER("tls_key"), SECRET(tls.key),
  .help = "key of the client certificate itself, in a file only you can read" },
{ OWNER("tls_cert_file"), FILE_NAME(tls.cert_file), .code = CODE(DO_CERT_FILE),
  .help = "client certificate, PEM or pkcs11: URI" },
{ OWNER("tls_key_file"), FILE_NAME(tls.key_file),
  .help = "key of the client certificate, PEM or pkcs11: URI" },
{ OWNER("tls_pkcs12_file"), FILE_NAME(tls.pkcs12_file),
  .help = "client certificate and key in one, PKCS#12" },
{ OWNER("tls_key_password_file"), FILE_NAME(tls.key_password_file),
  .help = "file with the passphrase or PIN of the key" },
{ OWNER_FIRST("tls_key_password_command"), COMMAND(tls.key_password_command),
  .help = "command that prints the passphrase or PIN of the key" },
{ OWNER_FIRST("tls_key_passwordeval"), TEXT(tls.key_passwordeval), .flags = SETTING_RAW,
  .arg = "command", .help = "the same, run by /bin/sh" },
{ OWNER("tls_min_version"), EITHER(tls.only_tls13, { "1.2", 0 }, { "1.3", 1 }), .def = "1.2",
  .help = "oldest version of TLS to use" },
{ OWNER_FIRST("tls_session_cache"), TEXT(tls.session_cache), .flags = SETTING_PATH, .def = "off",
  .arg = "off|auto|folder",
  .help = "keep TLS sessions for the next process" },
{ OWNER("tls_priorities"), TEXT(tls.priorities), .arg = "string",
  .help = "GnuTLS priority string" },
{ OWNER("tls_alpn"), LIST(tls.alpn), .arg = "name,...",
  .help = "protocols to offer in the handshake (ALPN): smtp, submission" },
{ OWNER("tls_host_override"), TEXT(tls.host_override), .arg = "name",
  .help = "name the certificate must have, instead of host" },
{ OWNER("tls_min_dh_prime_bits"), .type = SETTING_UINT, .flags = SETTING_DEPRECATED,
  .offset = FIELD(unsigned, tls.min_dh_prime_bits), .max = 65536, .arg = "bits",
  .help = "least size of Diffie-Hellman primes" },
{ OWNER("tls_allow_insecure_auth"), SWITCH(tls.allow_insecure_auth), .def = "off",
  .classic_def = "on", .help = "send a password although tls_certcheck is off" },

/* signing in */
{ OWNER("auth"), SPECIAL(enum auth_mode, auth.mode, DO_AUTH),
  .flags = SETTING_SWITCH, .def = "auto", .classic_def = "off",
  .arg = "auto|on|off|try|mechanism", .help = "auto: on when user or a token is set" },
{ OWNER("auth_mechanisms"), LIST(auth.mechanisms), .def = "!plaintext-without-tls",
  .arg = "name,...", .help = "mechanisms allowed; ! in front: not allowed" },
{ OWNER("auth_minimum"), CHOICE(enum auth_minimum, auth.minimum, { "any", AUTH_MINIMUM_ANY },
  { "plain", AUTH_MINIMUM_PLAIN }, { "scram", AUTH_MINIMUM_SCRAM },
  { "scram-plus", AUTH_MINIMUM_SCRAM_PLUS }), .def = "any", .help = "weakest mechanism allowed" },
{ OWNER("auth_legacy"), SWITCH(auth.legacy), .def = "off", .classic_def = "on",
  .help = "allow CRAM-MD5, DIGEST-MD5, NTLM" },
{ OWNER("auth_remember"), SWITCH(auth.remember), .def = "off",
  .help = "refuse what is weaker than what worked before" },
{ OWNER("auth_mutual"), SWITCH(auth.mutual), .def = "on",
  .help = "the server must prove itself too (SCRAM, GSSAPI)" },
{ OWNER("auth_retry"), SWITCH(auth.retry), .def = "off",
  .help = "try another mechanism when the password is refused" },
{ OWNER("auth_transition"), SWITCH(auth.transition), .def = "off",
  .help = "show the server the password once when it asks for that (432)" },
{ OWNER("auth_initial_response"), CHOICE(enum auth_initial, auth.initial_response,
  { "auto", AUTH_INITIAL_AUTO }, { "never", AUTH_INITIAL_NEVER },
  { "always", AUTH_INITIAL_ALWAYS }), .def = "auto",
  .help = "send the first response along with AUTH" },
{ OWNER("auth_service"), TEXT(auth.service), .arg = "name", .def = "auto",
  .help = "service that tickets and digests are for; auto: smtp, lmtp" },
{ OWNER("channel_binding"), CHOICE(enum channel_binding, auth.channel_binding,
  { "auto", BINDING_AUTO }, { "tls-unique", BINDING_TLS_UNIQUE },
  { "tls-exporter", BINDING_TLS_EXPORTER }, { "off", BINDING_OFF }), .def = "auto",
  .help = "what ties SCRAM-*-PLUS to TLS" },
{ OWNER("auth_plaintext"), CHOICE(enum auth_plaintext, auth.plaintext,
  { "tls", AUTH_PLAINTEXT_TLS }, { "always", AUTH_PLAINTEXT_ALWAYS }), .def = "tls",
  .help = "always: send passwords readably without TLS too" },
{ OWNER("user"), TEXT(auth.user), .arg = "name", .help = "user to sign in" },
{ OWNER("authzid"), TEXT(auth.authzid), .arg = "name", .help = "identity to act as" },
{ OWNER("auth_realm"), TEXT(auth.realm), .arg = "realm", .help = "realm for DIGEST-MD5" },
{ OWNER("ntlmdomain"), TEXT(auth.ntlmdomain), .arg = "domain", .help = "domain for NTLM" },
{ OWNER("password"), SECRET(auth.password), .help = "password, in a file only you can read" },
{ OWNER("password_file"), FILE_NAME(auth.password_file),
  .help = "file whose first line is the password" },
{ OWNER("password_fd"), SPECIAL(int, auth.password_fd, DO_PASSWORD_FD),
  .def = SETTING_EMPTY, .arg = "number", .help = "open descriptor to read the password from" },
{ OWNER("password_credential"), TEXT(auth.password_credential), .arg = "name",
  .help = "systemd credential that holds the password" },
{ OWNER_FIRST("password_command"), COMMAND(auth.password_command),
  .help = "command that prints the password; no shell" },
{ OWNER_FIRST("passwordeval"), TEXT(auth.passwordeval), .flags = SETTING_RAW, .arg = "command",
  .help = "command that prints the password; run by /bin/sh" },
{ OWNER("netrc"), FILE_NAME(auth.netrc),
  .help = "netrc file to look in, instead of ~/.netrc and the system's" },
{ OWNER("keyring"), EITHER(auth.keyring, { "auto", 1 }, { "on", 1 }, { "yes", 1 }, { "off", 0 },
  { "no", 0 }), .def = "auto", .help = "look for the password in the desktop's key ring" },
{ OWNER("strip_spaces"), CHOICE(enum strip_spaces, auth.strip_spaces,
  { "auto", STRIP_SPACES_AUTO }, { "on", STRIP_SPACES_ON }, { "off", STRIP_SPACES_OFF },
  { "yes", STRIP_SPACES_ON }, { "no", STRIP_SPACES_OFF }), .def = "auto",
  .help = "leave blanks out of the password; auto: of Google's app passwords" },
{ OWNER("oauth_token"), SECRET(auth.token),
  .help = "OAuth2 access token, in a file only you can read" },
{ OWNER("oauth_token_file"), FILE_NAME(auth.token_file),
  .help = "file whose first line is the access token" },
{ OWNER_FIRST("oauth_token_command"), COMMAND(auth.token_command),
  .help = "command that prints the access token; no shell" },
{ OWNER("command_timeout"), LIMIT(auth.command_timeout), .def = "60", .classic_def = "off",
  .help = "limit for password and token commands" },
{ OWNER("scram_min_iterations"), NUMBER(auth.scram_min_iterations, 1, 10000000), .def = "4096",
  .help = "fewest SCRAM iterations to accept" },
{ .help = "" }
};
