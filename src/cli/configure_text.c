/*
 * --configure: the section of the account that was found, in the form that its file has.
 */
#include "config.h"
#include "cli/configure_private.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/options.h"
#include "conf/account.h"
#include "conf/config_write.h"
#include "conf/public_domains.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/xalloc.h"

#define SHELL_PLAIN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/+@%-"

const char *setup_shell_word(struct arena *a, const char *path)
{
	const char *rest = *path == '~' ? path + 1 : path;

	if (!rest[strspn(rest, SHELL_PLAIN)])
		return path;
	struct strbuf word = STRBUF_INIT(1 << 17);
	char *full = fs_expand_home(path);

	strbuf_addch(&word, '\'');
	for (const char *c = full; *c; c++)
		strbuf_addf(&word, *c == '\'' ? "'\\''" : "%c", *c);
	strbuf_addch(&word, '\'');
	xfree(full);
	return arena_take(a, &word);
}

bool setup_has(const struct setup *s, const char *key)
{
	const struct config_request *c = &s->inv->request.config;

	for (size_t i = 0; i < c->override_n; i++) {
		if (strcmp(c->override[i].key, key) == 0)
			return true;
	}
	return false;
}

/* Written by the search, of no use in a file, or in another one. */
static bool is_ours(const struct setup *s, const char *key)
{
	static const char *const keys[] = { "host", "port", "tls", "tls_starttls", "user",
					    "password_fd" };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (strcmp(keys[i], key) == 0)
			return true;
	}
	return s->through && (!service_setup_is_own(key) ||
			      (s->secret_path && strcmp(key, "password_file") == 0));
}

/*
 * What we write into a file in msmtp's syntax must be what msmtp reads: a
 * password comes there by a command of the shell alone.
 */
static int add_classic(struct setup *s, const char *key, const char *value, struct error *err)
{
	if (strcmp(key, "password_file") == 0 && *value)
		value = arena_printf(s->arena, "cat %s", setup_shell_word(s->arena, value));
	if (strcmp(key, "password_file") == 0 || strcmp(key, "password_command") == 0)
		key = "passwordeval";
	return config_write_setting(&s->text, true, key, value, err);
}

static int add(struct setup *s, const char *key, const char *value, struct error *err)
{
	if (config_append_is_classic(s->file))
		return add_classic(s, key, value, err);
	return config_write_setting(&s->text, false, key, value, err);
}

/* msmtp has two switches where we have one word. */
static int add_tls(struct setup *s, struct error *err)
{
	static const char *const modes[] = {
		[TLS_AUTO] = "starttls", [TLS_STARTTLS] = "starttls",
		[TLS_IMPLICIT] = "implicit", [TLS_OFF] = "off", [TLS_MAY] = "may",
	};
	const enum tls_mode mode = s->server.mode;

	if (!config_append_is_classic(s->file))
		return add(s, "tls", modes[mode], err);
	if (add(s, "tls", mode == TLS_OFF ? "off" : "on", err) < 0)
		return -1;
	return mode == TLS_OFF ? 0 :
		add(s, "tls_starttls", mode == TLS_IMPLICIT ? "off" : "on", err);
}

static int add_server(struct setup *s, struct error *err)
{
	char port[16];

	(void)snprintf(port, sizeof(port), "%u", s->server.port);
	if (add(s, "host", s->server.host, err) < 0 || add(s, "port", port, err) < 0 ||
	    add_tls(s, err) < 0)
		return -1;
	if (!setup_has(s, "auth") && add(s, "auth", "on", err) < 0)
		return -1;
	return s->base->auth.mode == AUTH_OFF ? 0 : add(s, "user", s->server.user, err);
}

const char *setup_from(const struct setup *s)
{
	const struct config_request *c = &s->inv->request.config;
	const char *from = s->who.address;

	for (size_t i = 0; i < c->override_n; i++) {
		if (strcmp(c->override[i].key, "from") == 0)
			from = c->override[i].value;
	}
	return from;
}

/* A local part in quotes may hold commas; without quotes it is as it stands. */
static int add_identity(struct setup *s, struct error *err)
{
	/* an option says it in the file of all users, and here as well */
	if ((s->through || !setup_has(s, "from")) &&
	    add(s, "from", setup_from(s), err) < 0)
		return -1;
	if (s->secret_path && add(s, "password_file", s->secret_path, err) < 0)
		return -1;
	if (!s->system || s->through)
		return 0;
	if (!setup_has(s, "aliases") && access("/etc/aliases", F_OK) == 0 &&
	    add(s, "aliases", "/etc/aliases", err) < 0)
		return -1;
	/* "root" at a provider's domain would be a stranger */
	if (config_append_is_classic(s->file) || setup_has(s, "default_domain") ||
	    public_domain(s->who.domain))
		return 0;
	return add(s, "default_domain", s->who.domain, err);
}

/* What the user has said besides: the last word on each key. */
static int add_options(struct setup *s, struct error *err)
{
	const struct config_request *c = &s->inv->request.config;

	for (size_t i = 0; i < c->override_n; i++) {
		const struct config_override *o = &c->override[i];
		bool last = true;

		for (size_t k = i + 1; k < c->override_n && last; k++)
			last = strcmp(c->override[k].key, o->key) != 0;
		if (last && !is_ours(s, o->key) &&
		    add(s, o->key, o->value ? o->value : "on", err) < 0)
			return -1;
	}
	return 0;
}

int setup_text(struct setup *s, struct error *err)
{
	const bool classic = config_append_is_classic(s->file);
	const char *comment = arena_printf(s->arena, "%s, found by %s", s->who.address,
					   s->server.source);

	strbuf_reset(&s->text);
	if (s->through)
		strbuf_addstr(&s->text, service_setup_head(&s->service));
	config_write_comment(&s->text, comment);
	if (s->server.unproven)
		config_write_comment(&s->text, "only DNS, which can be forged, names this server");
	if (s->server.hint)
		config_write_comment(&s->text, arena_printf(s->arena, "%s %s", s->server.host,
							    s->server.hint));
	/* the comment belongs to the heading: no empty line between them */
	struct strbuf heading = STRBUF_INIT(4096);
	int rc = config_write_heading(&heading, classic, s->name, err);

	strbuf_addstr(&s->text, heading.buf);
	strbuf_release(&heading);
	if (rc < 0 || add_server(s, err) < 0 || add_identity(s, err) < 0)
		return -1;
	return add_options(s, err);
}
