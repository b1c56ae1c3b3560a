/* The configuration of dma. */
#include "config.h"
#include "import/import_parts.h"

#include <string.h>

/*
 * dma.conf: "NAME value" lines, a name alone is a switch that is on.
 * auth.conf: "user|server:password" lines. Comments begin with '#'.
 */

static const struct import_row dma_rows[] = {
	{ .key = "SMARTHOST" }, { .key = "PORT" }, { .key = "ALIASES" }, { .key = "AUTHPATH" },
	{ .key = "SECURETRANSFER" }, { .key = "SECURETRANS" }, { .key = "STARTTLS" },
	{ .key = "OPPORTUNISTIC_TLS" }, { .key = "CERTFILE" }, { .key = "FINGERPRINT" },
	{ .key = "SECURE" }, { .key = "INSECURE" }, { .key = "MAILNAME" },
	{ .key = "MASQUERADE" }, { .key = "NULLCLIENT" }, { .key = "MAILNAMEFILE" },
	{ .key = "VIRTPATH", .why = "no equivalent: use [rewrite]" },
	{ .key = "SPOOLDIR", .why = IMPORT_NO_QUEUE }, { .key = "DEFER", .why = IMPORT_NO_QUEUE },
	{ .key = "FULLBOUNCE", .why = "no equivalent: failures are reported by exit status; see "
				      "dsn_return" },
};

/* --- auth.conf ----------------------------------------------------------------------- */

/* line = user "|" server ":" password; false if it is none or of another server */
static bool read_login(char *line, const char *host, struct import_login *out)
{
	char *bar = strchr(line, '|'), *colon = bar ? strchr(bar, ':') : NULL;

	if (!colon)
		return false;
	*bar = *colon = '\0';
	if (strcmp(bar + 1, host) != 0)
		return false;
	*out = (struct import_login){ .user = line, .password = colon + 1 };
	return true;
}

static int find_login(const struct import_source *src, const char *host,
		      struct import_login *out, struct error *err)
{
	const struct import_value *path = import_find(src, "AUTHPATH");
	struct import_text *t;
	struct import_lines l;
	char *line;

	*out = (struct import_login){ .user = NULL };
	if (!path)
		return 0;
	if (import_open(src->im, import_beside(src->im, src->file, path->value), true, &t, err) < 0)
		return -1;
	struct import_source auth = { .im = src->im, .file = t->name };

	import_lines_init(&l, t);
	while ((line = import_entry(&l))) {
		const struct import_value v = { .key = "", .line = l.line };
		struct import_login found;

		if (!read_login(line, host, &found))
			import_note(&auth, &v, "not for server '%s', and left out", host);
		else if (!out->user)
			*out = found;
		else
			import_note(&auth, &v, "a second line for server '%s', left out", host);
	}
	out->file = t->name;
	return 0;
}

/* --- the account ------------------------------------------------------------------------ */

static const char *dma_tls(const struct import_source *src)
{
	const bool tls = import_find(src, "SECURETRANSFER") || import_find(src, "SECURETRANS");

	if (!tls && import_find(src, "STARTTLS"))
		import_note(src, import_find(src, "STARTTLS"),
			    "does nothing without SECURETRANSFER, and was left out");
	if (!tls)
		return "off";
	if (!import_find(src, "STARTTLS"))
		return "implicit";
	return import_find(src, "OPPORTUNISTIC_TLS") ? "may" : "starttls";
}

static int set_smarthost(const struct import_source *src, struct import_account *a,
		      struct error *err)
{
	const struct import_value *host = import_find(src, "SMARTHOST"),
				  *port = import_find(src, "PORT"),
				  *pin = import_find(src, "FINGERPRINT");
	struct import_way way = {
		.host = host && *host->value ? host->value : NULL, .port = 25,
		.tls = dma_tls(src), .unverified = !pin, .about = host,
		.legacy_only = !import_find(src, "INSECURE"),
	};
	struct import_login login;

	if (find_login(src, way.host ? way.host : "", &login, err) < 0)
		return -1;
	if (port && import_port(port->value))
		way.port = import_port(port->value);
	else if (port)
		import_note(src, port, "no port: 25 is taken");
	import_set_way(src, a, &way, &login);
	if (!way.host)
		import_set(src, NULL, a, "mx", "on");
	if (pin)
		import_set(src, pin, a, "tls_fingerprint", pin->value);
	return 0;
}

/* The name of this host; NULL = as it calls itself. */
static int find_mailname(const struct import_source *src, const char **out, struct error *err)
{
	const struct import_value *name = import_find(src, "MAILNAME");

	*out = NULL;
	if (!name || !*name->value)
		name = import_find(src, "MAILNAMEFILE");
	return name ? import_host_name(src, name, out, err) : 0;
}

/* masquerade = [user "@"] [host] / user "@" */
static void set_masquerade(const struct import_source *src, struct import_account *a,
		       const char *mailname)
{
	const struct import_value *v = import_find(src, "MASQUERADE");
	const char *domain = mailname ? mailname : "%H";
	const char *at = v ? strrchr(v->value, '@') : NULL;

	import_set_login_sender(src, a, domain, "any");
	if (mailname)
		import_set(src, import_find(src, "MAILNAME"), a, "domain", mailname);
	if (!v || !*v->value)
		return;
	if (!at)
		import_setf(src, v, a, "from", "%%U@%s", v->value);
	else if (at[1] && at != v->value)
		import_set(src, v, a, "from", v->value);
	else if (at == v->value)
		import_setf(src, v, a, "from", "%%U%s", v->value);
	else
		import_setf(src, v, a, "from", "%s%s", v->value, domain);
	import_set(src, v, a, "from_override", "no");
}

static void set_dma_aliases(const struct import_source *src, struct import_account *a)
{
	const struct import_value *v = import_find(src, "ALIASES"),
				  *bypass = import_find(src, "NULLCLIENT");

	if (bypass)
		import_set(src, bypass, a, "aliases", "");
	else if (v && *v->value)
		import_set(src, v, a, "aliases", v->value);
	if (!bypass)
		import_note(src, NULL, "mail to a local name without an alias is not delivered on "
			    "this machine, but goes to the server");
}

static int read_dma(struct import *im, struct import_text *t, struct error *err)
{
	struct import_source src = { .im = im, .file = t->name };
	struct import_account *a = import_account(im, "default");
	struct import_lines l;
	const char *mailname;
	char *line;

	import_lines_init(&l, t);
	while ((line = import_entry(&l))) {
		char *value = line + strcspn(line, " \t");

		if (*value)
			*value++ = '\0';
		import_add(&src, line, import_trim(value), l.line);
	}
	if (find_mailname(&src, &mailname, err) < 0 || set_smarthost(&src, a, err) < 0)
		return -1;
	import_apply(&src, dma_rows, ARRAY_LEN(dma_rows), a);
	import_set_certificate(&src, a, "CERTFILE", NULL);
	set_masquerade(&src, a, mailname);
	set_dma_aliases(&src, a);
	return 0;
}

const struct import_format import_dma = {
	.type = "dma", .program = "dma", .name = "dma.conf",
	.rows = dma_rows, .row_count = ARRAY_LEN(dma_rows), .read = read_dma,
};
