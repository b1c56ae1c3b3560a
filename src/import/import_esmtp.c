/* The configuration of esmtp. */
#include "config.h"
#include "import/import_parts.h"

#include <string.h>

#include "util/arena.h"
#include "util/error.h"

/*
 * esmtprc: keyword ["="] value, where value is a word or a string in quotes
 * with C escapes; '#' begins a comment. "identity = ADDRESS" begins what
 * counts for that sender alone.
 */

static const char no_local[] = "no equivalent: nothing is delivered on this machine";
static const char no_command[] = "no equivalent: start it before, or see tunnel";

/* "%u" is the login name, "%%" a percent sign. */
static const char *convert_user(struct import *im, const char *value, const char **why)
{
	struct strbuf out = STRBUF_INIT(1 << 16);

	for (; *value; value++) {
		if (value[0] == '%' && value[1] == 'u')
			strbuf_addstr(&out, "%U");
		else
			strbuf_addch(&out, *value);
		value += value[0] == '%' && (value[1] == 'u' || value[1] == '%');
	}
	(void)why;
	return arena_take(im->arena, &out);
}

static const char *convert_message_id(struct import *im, const char *value, const char **why)
{
	(void)im;
	if (strcmp(value, "disabled") != 0 && strcmp(value, "enabled") != 0)
		*why = "neither enabled nor disabled, and left out";
	return *why ? NULL : strcmp(value, "enabled") == 0 ? "auto" : "off";
}

static const struct import_row esmtp_rows[] = {
	{ .key = "hostname" }, { .key = "username" }, { .key = "password" }, { .key = "starttls" },
	{ .key = "certificate_passphrase" },
	{ .key = "force reverse_path", .ours = "from", .convert = convert_user },
	{ .key = "helo", .ours = "domain" },
	{ .key = "qualifydomain", .ours = "default_domain" },
	{ .key = "message_id", .ours = "set_msgid_header", .convert = convert_message_id },
	{ .key = "force sender", .why = "no equivalent: no Sender field is added" },
	{ .key = "preconnect", .why = no_command }, { .key = "postconnect", .why = no_command },
	{ .key = "mda", .why = no_local }, { .key = "force_mda", .why = no_local },
	{ .key = "force mda", .why = no_local },
	{ .key = "identity" }, { .key = "force" },
};

/* --- words ------------------------------------------------------------------------- */

struct scanner {
	char *p;
	unsigned line;
};

static void skip_blanks(struct scanner *s)
{
	for (;; s->p++) {
		if (*s->p == '#')
			s->p += strcspn(s->p, "\n");
		if (!*s->p || !strchr(" \t\r\n\f\v", *s->p))
			return;
		s->line += *s->p == '\n';
	}
}

/* The octet that a backslash and c stand for. */
static char unescape(char c)
{
	static const char letters[] = "abfnrtv", meant[] = "\a\b\f\n\r\t\v";
	const char *found = c ? strchr(letters, c) : NULL;

	return found ? meant[found - letters] : c;
}

/* A string in place, from the octet behind its quote; NULL when it is not closed. */
static char *quoted(struct scanner *s, char quote)
{
	char *start = s->p, *to = start;

	while (*s->p && *s->p != quote && *s->p != '\n') {
		if (*s->p == '\\' && s->p[1] && s->p[1] != '\n')
			*to++ = unescape(*++s->p);
		else
			*to++ = *s->p;
		s->p++;
	}
	if (*s->p != quote)
		return NULL;
	s->p++;
	*to = '\0';
	return start;
}

/* A name; "" at the end of the text or where none begins. */
static const char *next_name(struct scanner *s, struct arena *a)
{
	skip_blanks(s);
	const size_t n = strcspn(s->p, " \t\r\n\f\v=#\"'");

	s->p += n;
	return arena_strndup(a, s->p - n, n);
}

/* keyword = name / "force" name */
static const char *next_keyword(struct scanner *s, struct arena *a)
{
	const char *key = next_name(s, a);

	return strcmp(key, "force") == 0 ? arena_printf(a, "force %s", next_name(s, a)) : key;
}

/*
 * The value at the scanner, a word or a string, in place: it may be a secret,
 * and the text is overwritten in the end. NULL when a quote is not closed.
 */
static char *take_value(struct scanner *s)
{
	if (*s->p == '"' || *s->p == '\'')
		return quoted(s, *s->p++);
	char *start = s->p;

	s->p += strcspn(s->p, " \t\r\n\f\v#");
	const char behind = *s->p;

	if (behind) {	/* it makes room for the end of the word */
		*s->p++ = '\0';
		s->line += behind == '\n';
		s->p += behind == '#' ? strcspn(s->p, "\n") : 0;
	}
	return start;
}

/* --- identities ---------------------------------------------------------------------- */

static const char *esmtp_tls(const struct import_source *src)
{
	const struct import_value *v = import_find(src, "starttls");

	if (!v || strcmp(v->value, "disabled") == 0)
		return "off";
	if (strcmp(v->value, "enabled") == 0)
		return "may";
	if (strcmp(v->value, "required") != 0)
		import_note(src, v, "none of enabled, disabled, required: STARTTLS is required "
			    "now");
	return "starttls";
}

static void set_hostname(const struct import_source *src, struct import_account *a)
{
	const struct import_value *host = import_find(src, "hostname");
	const char *name = host ? host->value : "localhost", *colon = strrchr(name, ':');
	struct import_way way = { .port = 587, .tls = esmtp_tls(src), .about = host };
	const struct import_login login = { .user = import_get(src, "username"),
					    .password = import_get(src, "password") };

	if (colon && !import_port(colon + 1))
		import_note(src, host, "'%s' is no port: 587 is taken", colon + 1);
	else if (colon)
		way.port = import_port(colon + 1);
	way.host = colon ? arena_strndup(src->im->arena, name, (size_t)(colon - name)) : name;
	import_set_way(src, a, &way, &login);
}

static bool finish_identity(struct import_source *src, const char *address)
{
	if (!import_has_room(src))
		return false;
	struct import_account *a = import_account(src->im, address ? address : "default");
	const char *passphrase = import_get(src, "certificate_passphrase");
	const struct import_value v = { .key = "identity" };

	set_hostname(src, a);
	if (address)
		import_set(src, &v, a, "from", address);
	import_apply(src, esmtp_rows, ARRAY_LEN(esmtp_rows), a);
	if (import_find(src, "force reverse_path") && address) {
		import_setf(src, &v, a, "from", "%s, %s", import_value_of(a, "from"), address);
		import_set(src, &v, a, "from_override", "no");
	} else if (!address && !import_value_of(a, "from")) {
		import_set_login_sender(src, a, "%H", "any");
	} else {
		import_set(src, &v, a, "from_override", import_find(src, "force reverse_path") ?
			   "no" : "any");
	}
	if (passphrase) {
		import_set(src, NULL, a, "tls_cert_file",
			   "~/.authenticate/private/smtp-starttls.pem");
		import_set(src, NULL, a, "tls_key_file",
			   "~/.authenticate/private/smtp-starttls.pem");
		import_set_secret(a, src, "tls_key_password", passphrase);
	}
	src->first = src->last = NULL;
	src->count = src->key_n = 0;
	src->keys = (struct strmap){ .arena = NULL };
	return true;
}

static int read_value(struct scanner *s, struct import_source *src, const char *key,
		      char **value, struct error *err)
{
	const unsigned line = s->line;

	skip_blanks(s);
	s->p += *s->p == '=';
	skip_blanks(s);
	const bool here = s->line == line && *s->p;

	*value = here ? take_value(s) : NULL;
	if (!*value)
		return error_set(err, FAULT_FOREIGN_CONFIG, "%s:%u: key '%.60s': %s", src->file,
				 line, key, here ? "no closing quote" : "no value");
	return 0;
}

static int read_esmtp(struct import *im, struct import_text *t, struct error *err)
{
	struct import_source src = { .im = im, .file = t->name };
	struct scanner s = { .p = t->text.buf, .line = 1 };
	const char *identity = NULL, *key;
	bool begun = false;

	for (;;) {
		key = next_keyword(&s, im->arena);
		const unsigned line = s.line;
		char *value;

		if (!*key && !*s.p)
			break;
		if (!import_find_row(esmtp_rows, ARRAY_LEN(esmtp_rows), key, false))
			/* the word may be the rest of a password without quotes: it is not shown */
			return error_set(err, FAULT_FOREIGN_CONFIG,
					 "%s:%u: there is no keyword where one must be", t->name,
					 line);
		if (read_value(&s, &src, key, &value, err) < 0)
			return -1;
		if (strcmp(key, "identity") != 0) {
			import_add(&src, key, value, line);
			begun = true;
			continue;
		}
		/* without a global part the first identity is the default one */
		if (begun && !finish_identity(&src, identity))
			return 0;
		identity = value;
		begun = true;
	}
	if (begun && !finish_identity(&src, identity))
		return 0;
	if (im->first && strcmp(im->first->name, "default") != 0)
		import_account(im, "default")->base = im->first->name;
	return 0;
}

const struct import_format import_esmtp = {
	.type = "esmtp", .program = "esmtp", .name = "esmtprc",
	.rows = esmtp_rows, .row_count = ARRAY_LEN(esmtp_rows), .read = read_esmtp,
};
