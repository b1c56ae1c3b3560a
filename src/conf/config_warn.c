#include "config.h"
#include "conf/config_warn.h"

#include <string.h>
#include <strings.h>

#include "conf/config_parts.h"
#include "message/address.h"
#include "util/error.h"
#include "util/strbuf.h"

#define TEXT_LIMIT ((size_t)4096)

struct walk {
	const struct config *config;
	config_warn_fn *fn;
	void *ctx;
};

ATTR_PRINTF(3, 4)
static void warn(const struct walk *w, const struct section *s, const char *fmt, ...)
{
	struct strbuf text = STRBUF_INIT(TEXT_LIMIT);
	va_list ap;

	va_start(ap, fmt);
	strbuf_vaddf(&text, fmt, ap);
	va_end(ap);
	w->fn(w->ctx, &s->account, text.buf);
	strbuf_release(&text);
}

/* --- keys that come to nothing --------------------------------------------- */

static bool always(const struct account *a)
{
	(void)a;
	return true;
}

static bool nobody(const struct account *a)
{
	return !a->auth.user && a->auth.mode != AUTH_OFF;
}

static bool no_sign_in(const struct account *a)
{
	return a->auth.mode == AUTH_OFF;
}

static bool no_tls(const struct account *a)
{
	return a->tls.mode == TLS_OFF;
}

static bool unchecked(const struct account *a)
{
	return !a->tls.certcheck && a->tls.mode != TLS_OFF;
}

static bool pinned(const struct account *a)
{
	return a->tls.mode != TLS_OFF && (a->tls.pin || a->tls.fingerprint);
}

static bool on_socket(const struct account *a)
{
	return a->socket != NULL;
}

static bool tunnelled(const struct account *a)
{
	return a->net.tunnel != NULL;
}

static bool direct(const struct account *a)
{
	return a->net.mx && !a->socket;
}

static bool no_certificate(const struct account *a)
{
	return !a->tls.cert_file;
}

static bool two_certificates(const struct account *a)
{
	return a->tls.cert_file && a->tls.pkcs12_file;
}

static bool starttls_on_465(const struct account *a)
{
	return a->port == 465 && a->tls.mode == TLS_STARTTLS;
}

static bool implicit_on_587(const struct account *a)
{
	return (a->port == 587 || a->port == 25) && a->tls.mode == TLS_IMPLICIT;
}

static bool no_logfile(const struct account *a)
{
	return !a->logfile;
}

static bool no_proxy_user(const struct account *a)
{
	return !a->proxy.user;
}

static bool has_password(const struct account *a)
{
	return secret_is_set(&a->auth.password);
}

static bool has_password_file(const struct account *a)
{
	return has_password(a) || a->auth.password_file;
}

static bool has_descriptor(const struct account *a)
{
	return has_password_file(a) || a->auth.password_fd >= 0;
}

static bool has_credential(const struct account *a)
{
	return has_descriptor(a) || a->auth.password_credential;
}

static bool has_command(const struct account *a)
{
	return has_credential(a) || a->auth.password_command;
}

static const char for_nobody[] = "there is no 'user' that it is for";
static const char signs_in_nowhere[] = "not used: 'auth = off'";
static const char without_tls[] = "not used: 'tls = off'";
static const char socket_first[] = "not used: 'socket' goes before it";
static const char other_password[] = "not used: another key in this account gives the password, "
				     "and goes before it";

/* A key of an account that is of no use with the others; by key, all that hold are told. */
static const struct conflict {
	const char *key;
	bool (*when)(const struct account *);
	const char *text;
} conflicts[] = {
	{ "password", nobody, for_nobody },
	{ "password_file", nobody, for_nobody },
	{ "password_fd", nobody, for_nobody },
	{ "password_credential", nobody, for_nobody },
	{ "password_command", nobody, for_nobody },
	{ "passwordeval", nobody, for_nobody },
	{ "user", no_sign_in, signs_in_nowhere },
	{ "password", no_sign_in, signs_in_nowhere },
	{ "password_file", no_sign_in, signs_in_nowhere },
	{ "password_credential", no_sign_in, signs_in_nowhere },
	{ "password_command", no_sign_in, signs_in_nowhere },
	{ "passwordeval", no_sign_in, signs_in_nowhere },
	{ "oauth_token_command", no_sign_in, signs_in_nowhere },
	{ "password_file", has_password, other_password },
	{ "password_fd", has_password_file, other_password },
	{ "password_credential", has_descriptor, other_password },
	{ "password_command", has_credential, other_password },
	{ "passwordeval", has_command, other_password },
	{ "tls_pin", no_tls, without_tls },
	{ "tls_fingerprint", no_tls, without_tls },
	{ "tls_trust_file", no_tls, without_tls },
	{ "tls_trust_dir", no_tls, without_tls },
	{ "tls_crl_file", no_tls, without_tls },
	{ "tls_cert_file", no_tls, without_tls },
	{ "tls_key_file", no_tls, without_tls },
	{ "tls_pkcs12_file", no_tls, without_tls },
	{ "tls_host_override", no_tls, without_tls },
	{ "tls_priorities", no_tls, without_tls },
	{ "tls_alpn", no_tls, without_tls },
	{ "tls_dane", no_tls, without_tls },
	{ "tls_trust_file", unchecked, "not used: 'tls_certcheck = off'" },
	{ "tls_trust_file", pinned, "not used: the certificate is accepted by its pin" },
	{ "tls_key_file", no_certificate, "there is no 'tls_cert_file' that it belongs to" },
	{ "tls_pkcs12_file", two_certificates, "cannot be used beside 'tls_cert_file'" },
	{ "port", starttls_on_465, "on port 465 servers speak TLS from the start: 'tls = "
				   "implicit' belongs to it" },
	{ "port", implicit_on_587, "on this port servers begin TLS by STARTTLS: 'tls = starttls' "
				   "belongs to it" },
	{ "host", on_socket, socket_first },
	{ "port", on_socket, socket_first },
	{ "proxy", on_socket, socket_first },
	{ "proxy_host", on_socket, socket_first },
	{ "tunnel", on_socket, socket_first },
	{ "proxy", tunnelled, "not used: 'tunnel' goes before it" },
	{ "proxy_host", tunnelled, "not used: 'tunnel' goes before it" },
	{ "host", direct, "not used: with 'mx = on' the recipient's domain says the server" },
	{ "user", direct, "not used: with 'mx = on' nobody signs in" },
	{ "proxy_password_file", no_proxy_user, "there is no 'proxy_user' that it is for" },
	{ "proxy_password_command", no_proxy_user, "there is no 'proxy_user' that it is for" },
	{ "auth_pipelining", always, "of no use: nothing is sent behind AUTH before it has "
				     "succeeded" },
	{ "logfile_time_format", no_logfile, "there is no 'logfile' that it is for" },
};

static void warn_key(const struct walk *w, const struct section *s, const struct assignment *as)
{
	for (size_t i = 0; i < ARRAY_LEN(conflicts); i++) {
		if (strcmp(conflicts[i].key, as->row->key) == 0 && *as->value &&
		    conflicts[i].when(&s->account))
			warn(w, s, "%s:%u: key '%s': %s", s->file->name, as->line, as->row->key,
			     conflicts[i].text);
	}
}

/* --- accounts that come to nothing -------------------------------------------- */

static bool is_base(const struct config *c, const char *name)
{
	for (const struct config_file *f = c->file; f; f = f->next) {
		for (const struct section *s = f->first; s; s = s->next) {
			for (char **base = s->base; base && *base; base++) {
				if (strcmp(*base, name) == 0)
					return true;
			}
		}
	}
	return false;
}

static void warn_no_server(const struct walk *w, const struct section *s)
{
	const struct account *a = &s->account;

	if (!a->host && !a->socket && !a->net.mx && !is_base(w->config, s->name))
		warn(w, s, "%s:%u: account '%s' has neither 'host' nor 'socket', and no other "
		     "stands on it", s->file->name, s->line, s->name);
}

/* Is every address that the pattern means the first account's already? */
static bool taken(const struct account *first, const char *pattern)
{
	const bool wild = strpbrk(pattern, "*?") != NULL;

	for (const char *const *f = first->from; f && *f; f++) {
		if (wild ? strcasecmp(*f, pattern) == 0 : address_match(*f, pattern))
			return true;
	}
	return false;
}

static bool all_taken(const struct account *first, const struct account *a)
{
	for (const char *const *f = a->from; f && *f; f++) {
		if (!taken(first, *f))
			return false;
	}
	return a->from && *a->from;
}

/* The account above it has all of its addresses, and nothing else leads to it. */
static void warn_shadowed(const struct walk *w, size_t at)
{
	const struct section *s = w->config->account[at];

	if (s->account.match_user || s->account.match_to || is_base(w->config, s->name) ||
	    config_default(w->config) == &s->account)
		return;
	for (size_t i = 0; i < at; i++) {
		const struct section *above = w->config->account[i];

		if (!all_taken(&above->account, &s->account))
			continue;
		warn(w, s, "%s:%u: account '%s' is never chosen but by -a: account '%s' above it "
		     "has the same 'from'", s->file->name, s->line, s->name, above->name);
		return;
	}
}

/* --- all of it -------------------------------------------------------------------- */

void config_warn(const struct config *c, const struct account *only, config_warn_fn *fn,
		 void *ctx)
{
	const struct walk w = { .config = c, .fn = fn, .ctx = ctx };

	for (size_t i = 0; i < c->account_n; i++) {
		const struct section *s = c->account[i];

		if (only && only != &s->account)
			continue;
		for (const struct assignment *as = s->own.first; as; as = as->next)
			warn_key(&w, s, as);
		warn_no_server(&w, s);
		if (!only)
			warn_shadowed(&w, i);
	}
}
