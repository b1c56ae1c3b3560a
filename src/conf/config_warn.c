/*
 * What a configuration holds that can be read and comes to nothing: keys that
 * others make useless, accounts that are never chosen.
 */
#include "config.h"

#include <string.h>
#include <strings.h>

#include "conf/config_parts.h"
#include "message/patterns.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

#define TEXT_LIMIT ((size_t)4096)

struct walk {
	const struct config *config;
	config_warn_fn *fn;
	void *ctx;
	struct arena *scratch;
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

/* What an account says that leaves a key of it without use. */
enum when {
	ALWAYS, NOBODY, NO_SIGN_IN, PASSWORD, PASSWORD_FILE, PASSWORD_FD, PASSWORD_CREDENTIAL,
	PASSWORD_COMMAND, NO_TLS, UNCHECKED, PINNED, NO_CERTIFICATE, TWO_KEYS, TWO_CERTIFICATES,
	STARTTLS_ON_465, IMPLICIT_ON_587, ON_SOCKET, ON_SERVICE, TUNNELLED, DIRECT, NO_PROXY_USER,
	NO_LOGFILE
};

static bool is_so(const struct account *a, enum when when)
{
	const struct auth_settings *auth = &a->auth;
	const bool service = a->via == VIA_SERVICE;
	const bool tls = a->tls.mode != TLS_OFF || service,
		password = secret_is_set(&auth->password),
		file = password || auth->password_file, fd = file || auth->password_fd >= 0,
		credential = fd || auth->password_credential;
	const bool now[] = {
		[ALWAYS] = true,
		[NOBODY] = !auth->user && auth->mode != AUTH_OFF,
		[NO_SIGN_IN] = auth->mode == AUTH_OFF && !service,
		[PASSWORD] = password,	/* this or one before it, in the order that counts */
		[PASSWORD_FILE] = file,
		[PASSWORD_FD] = fd,
		[PASSWORD_CREDENTIAL] = credential,
		[PASSWORD_COMMAND] = credential || auth->password_command,
		[NO_TLS] = !tls,
		[UNCHECKED] = tls && !a->tls.certcheck,
		[PINNED] = tls && (a->tls.pin || a->tls.fingerprint),
		[NO_CERTIFICATE] = !a->tls.cert_file,
		[TWO_KEYS] = secret_is_set(&a->tls.key),
		[TWO_CERTIFICATES] = a->tls.cert_file && a->tls.pkcs12_file,
		[STARTTLS_ON_465] = a->port == 465 && a->tls.mode == TLS_STARTTLS,
		[IMPLICIT_ON_587] = (a->port == 587 || a->port == 25) &&
				    a->tls.mode == TLS_IMPLICIT,
		[ON_SOCKET] = a->socket != NULL && !service,
		[ON_SERVICE] = service,
		[TUNNELLED] = a->net.tunnel != NULL,
		[DIRECT] = a->net.mx && !a->socket,
		[NO_PROXY_USER] = !a->proxy.user,
		[NO_LOGFILE] = !a->logfile,
	};

	return now[when];
}

#define OTHER_PASSWORD \
	"not used: another key in this account gives the password, and goes before it"
#define IN_SERVICE "not used: with 'via = service' the service has the server and signs in"

/* Keys of an account that are of no use with the others; of one key, all that hold are told. */
static const struct conflict {
	enum when when;
	char text[92];
	char keys[16][24];	/* "" behind the last, if there is room */
} conflicts[] = {
	{ NOBODY, "there is no 'user' that it is for",
	  { "password", "password_file", "password_fd", "password_credential",
	    "password_command", "passwordeval" } },
	{ NO_SIGN_IN, "not used: 'auth = off'",
	  { "user", "password", "password_file", "password_credential", "password_command",
	    "passwordeval", "oauth_token_command" } },
	{ PASSWORD, OTHER_PASSWORD, { "password_file" } },
	{ PASSWORD_FILE, OTHER_PASSWORD, { "password_fd" } },
	{ PASSWORD_FD, OTHER_PASSWORD, { "password_credential" } },
	{ PASSWORD_CREDENTIAL, OTHER_PASSWORD, { "password_command" } },
	{ PASSWORD_COMMAND, OTHER_PASSWORD, { "passwordeval" } },
	{ NO_TLS, "not used: 'tls = off'",
	  { "tls_pin", "tls_fingerprint", "tls_trust_file", "tls_trust_dir", "tls_crl_file",
	    "tls_cert", "tls_key", "tls_cert_file", "tls_key_file", "tls_pkcs12_file",
	    "tls_host_override", "tls_priorities", "tls_alpn", "tls_dane" } },
	{ UNCHECKED, "not used: 'tls_certcheck = off'", { "tls_trust_file" } },
	{ PINNED, "not used: the certificate is accepted by its pin", { "tls_trust_file" } },
	{ NO_CERTIFICATE, "there is no 'tls_cert_file' that it belongs to", { "tls_key_file" } },
	{ NO_CERTIFICATE, "there is no 'tls_cert' that it belongs to", { "tls_key" } },
	{ TWO_KEYS, "not used: 'tls_key' goes before it", { "tls_key_file" } },
	{ TWO_CERTIFICATES, "cannot be used beside 'tls_cert_file'", { "tls_pkcs12_file" } },
	{ STARTTLS_ON_465, "on port 465 servers speak TLS from the start: 'tls = implicit' "
	  "belongs to it", { "port" } },
	{ IMPLICIT_ON_587, "on this port servers begin TLS by STARTTLS: 'tls = starttls' "
	  "belongs to it", { "port" } },
	{ ON_SOCKET, "not used: 'socket' goes before it",
	  { "host", "port", "proxy", "proxy_host", "tunnel" } },
	{ ON_SERVICE, IN_SERVICE, { "host", "port", "socket", "protocol", "mx", "proxy",
	  "proxy_host", "tunnel", "tls", "auth" } },
	{ ON_SERVICE, IN_SERVICE, { "user", "password", "password_file", "password_credential",
	  "password_command", "passwordeval", "oauth_token_command" } },
	{ TUNNELLED, "not used: 'tunnel' goes before it", { "proxy", "proxy_host" } },
	{ DIRECT, "not used: with 'mx = on' the recipient's domain says the server", { "host" } },
	{ DIRECT, "not used: with 'mx = on' nobody signs in", { "user" } },
	{ NO_PROXY_USER, "there is no 'proxy_user' that it is for",
	  { "proxy_password_file", "proxy_password_command" } },
	{ ALWAYS, "of no use: nothing is sent behind AUTH before it has succeeded",
	  { "auth_pipelining" } },
	{ NO_LOGFILE, "there is no 'logfile' that it is for", { "logfile_time_format" } },
};

static bool has_key(const struct conflict *c, const char *key)
{
	for (size_t i = 0; i < ARRAY_LEN(c->keys) && *c->keys[i]; i++) {
		if (strcmp(c->keys[i], key) == 0)
			return true;
	}
	return false;
}

static void warn_key(const struct walk *w, const struct section *s, const struct assignment *as)
{
	for (size_t i = 0; *as->value && i < ARRAY_LEN(conflicts); i++) {
		const struct conflict *c = &conflicts[i];

		if (has_key(c, as->row->key) && is_so(&s->account, c->when))
			warn(w, s, "%s:%u: key '%s': %s", s->file->name, as->line, as->row->key,
			     c->text);
	}
}

/* --- keys that say something else than is meant ------------------------------------ */

/* Is the name of a file taken from wherever the calling program stands? */
static bool is_relative(const struct assignment *as)
{
	static const char suffix[] = "_file";
	const size_t n = strlen(as->row->key), end = sizeof(suffix) - 1;

	return as->row->flags & SETTING_PATH && n > end &&
	       strcmp(as->row->key + n - end, suffix) == 0 && !strchr("/~$@", *as->value) &&
	       strncmp(as->value, "pkcs11:", 7) != 0 && strcmp(as->value, "off") != 0 &&
	       strcmp(as->value, "system") != 0;
}

/* The last assignment to each key of each file, of those that were looked at. */
struct written {
	struct strmap keys;
	const struct assignment **last;
	size_t n, alloc;
};

/* The assignment to the same key above it, in the same file; NULL if there is none. */
static const struct assignment *take_written(struct written *seen, const struct assignment *as)
{
	struct arena *a = seen->keys.arena;
	const struct assignment *above;
	size_t i;

	if (!as->place)
		return NULL;
	const char *key = arena_printf(a, "%s %s", as->row->key, as->place);

	if (strmap_find(&seen->keys, key, &i)) {
		above = seen->last[i];
		seen->last[i] = as;
		return above;
	}
	seen->last = arena_grow(a, seen->last, seen->n, &seen->alloc, sizeof(*seen->last));
	seen->last[seen->n] = as;
	(void)strmap_add(&seen->keys, key, seen->n++);
	return NULL;
}

static void warn_written(const struct walk *w, const struct section *s, struct written *seen,
			 const struct assignment *as)
{
	const struct assignment *above = take_written(seen, as);

	if (above)
		warn(w, s, "%s:%u: key '%s': stands in line %u as well, and only this one counts",
		     as->place, as->line, as->row->key, above->line);
	if (is_relative(as))
		warn(w, s, "%s:%u: key '%s': '%s' is looked for where the calling program "
		     "happens to stand: write the whole path", as->place, as->line, as->row->key,
		     as->value);
	if (as->row->type != SETTING_SECRET && !text_is_utf8(as->value, strlen(as->value)))
		warn(w, s, "%s:%u: key '%s': the value is not in UTF-8: save the file as UTF-8",
		     as->place, as->line, as->row->key);
}

/* What all accounts of a file have; told once, as if the first of them said it. */
static void warn_defaults(const struct walk *w)
{
	const struct config_file *done = NULL;

	for (size_t i = 0; i < w->config->account_n; i++) {
		const struct section *s = w->config->account[i];
		struct written seen = { .keys = { .arena = w->scratch, .exact = true } };

		if (s->file == done)
			continue;
		for (const struct assignment *as = s->file->defaults.first; as; as = as->next)
			warn_written(w, s, &seen, as);
		done = s->file;
	}
}

/* --- accounts that come to nothing -------------------------------------------- */

static bool is_base(const struct config *c, const char *name)
{
	return strmap_find(&c->base_names, name, NULL);
}

static bool has_server(const struct account *a)
{
	return a->host || a->socket || a->net.mx;
}

static void warn_no_server(const struct walk *w, const struct section *s)
{
	const struct account *a = &s->account;

	if (!has_server(a) && !is_base(w->config, s->name))
		warn(w, s, "%s:%u: account '%s' has neither 'host' nor 'socket', and no other "
		     "stands on it", s->file->name, s->line, s->name);
}

/* What has no sender otherwise gets one of this host, which few servers take. */
static void warn_no_from(const struct walk *w, const struct section *s)
{
	const struct account *a = &s->account;

	if (has_server(a) && !a->from && !a->auto_from && a->protocol != PROTOCOL_LMTP &&
	    !is_base(w->config, s->name))
		warn(w, s, "%s:%u: account '%s' has no 'from': a message without a sender would "
		     "go out in the name of this host", s->file->name, s->line, s->name);
}

static void warn_no_default(const struct walk *w)
{
	const struct section *s = w->config->account_n ? w->config->account[0] : NULL;

	if (!s || config_default(w->config))
		return;
	warn(w, s, "%s: no account is called 'default': what neither -a nor a sender leads to "
	     "one of the %zu fails; write '%saccount default : %s%s'", s->file->name,
	     w->config->account_n, s->file->classic ? "" : "[", s->name,
	     s->file->classic ? "" : "]");
}

/* The 'from' of the accounts above the one that is looked at. */
struct above {
	struct patterns addresses;	/* as what they mean */
	struct patterns words;		/* the same as they are written, without wildcards */
	size_t *owner, alloc;		/* by the numbers of both: the account */
};

static const char *as_word(struct arena *a, const char *pattern)
{
	char *word = arena_strdup(a, pattern);

	for (char *p = word; (p = strpbrk(p, "*?")); p++)
		*p = *p == '*' ? '\1' : '\2';
	return word;
}

static void note_from(struct above *up, size_t at, const struct account *a)
{
	for (const char *const *f = a->from; f && *f; f++) {
		up->owner = arena_grow(up->words.arena, up->owner, up->words.n, &up->alloc,
				       sizeof(*up->owner));
		up->owner[up->words.n] = at;
		patterns_add(&up->addresses, *f);
		patterns_add(&up->words, as_word(up->words.arena, *f));
	}
}

/* The first account from *at on that has every address which the pattern means. */
static bool find_taker(struct above *up, const char *pattern, size_t *at)
{
	const bool wild = strpbrk(pattern, "*?") != NULL;
	size_t low = 0, high = up->words.n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (up->owner[mid] < *at)
			low = mid + 1;
		else
			high = mid;
	}
	if (!(wild ? patterns_find(&up->words, as_word(up->words.arena, pattern), low, &low) :
		     patterns_find(&up->addresses, pattern, low, &low)))
		return false;
	*at = up->owner[low];
	return true;
}

/* The first account that has all addresses of another one below it. */
static bool find_above(struct above *up, const struct account *a, size_t *at)
{
	size_t before;

	*at = 0;
	do {
		before = *at;
		for (const char *const *f = a->from; f && *f; f++) {
			if (!find_taker(up, *f, at))
				return false;
		}
	} while (*at != before);
	return a->from && *a->from;
}

/* An account above it has all of its addresses, and nothing else leads to it. */
static void warn_shadowed(const struct walk *w, struct above *up, size_t i)
{
	const struct section *s = w->config->account[i];
	size_t at;

	if (s->account.match_user || s->account.match_to || is_base(w->config, s->name) ||
	    config_default(w->config) == &s->account || !find_above(up, &s->account, &at))
		return;
	warn(w, s, "%s:%u: account '%s' is never chosen but by -a: account '%s' above it "
	     "has the same 'from'", s->file->name, s->line, s->name,
	     w->config->account[at]->name);
}

/* --- all of it -------------------------------------------------------------------- */

void config_warn(const struct config *c, const struct account *only, config_warn_fn *fn,
		 void *ctx)
{
	const struct walk w = { .config = c, .fn = fn, .ctx = ctx, .scratch = arena_new() };
	struct above up = { .addresses.arena = w.scratch, .words.arena = w.scratch };

	for (size_t i = 0; i < c->account_n; i++) {
		const struct section *s = c->account[i];

		struct written seen = { .keys = { .arena = w.scratch, .exact = true } };

		if (only && only != &s->account)
			continue;
		for (const struct assignment *as = s->own.first; as; as = as->next) {
			warn_key(&w, s, as);
			warn_written(&w, s, &seen, as);
		}
		warn_no_server(&w, s);
		if (only)
			continue;
		warn_no_from(&w, s);
		warn_shadowed(&w, &up, i);
		note_from(&up, i, &s->account);
	}
	if (!only) {
		warn_defaults(&w);
		warn_no_default(&w);
	}
	arena_free(w.scratch);
}
