#include "config.h"
#include "conf/config_write.h"

#include <string.h>

#include "conf/account.h"
#include "conf/config_parts.h"
#include "conf/rcfile.h"
#include "conf/settings.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

#define BLANKS " \t"

int config_write_heading(struct strbuf *out, bool classic, const char *name, struct error *err)
{
	const size_t len = name ? strlen(name) : 0;

	if (name && (!len || strpbrk(name, ":,[]") || text_has_control(name, len) ||
		     strchr(BLANKS, *name) || strchr(BLANKS, name[len - 1])))
		return error_set(err, FAULT_CONFIG, "account name '%.100s': must be without "
				 "':', ',', brackets, control characters and blanks around it",
				 name);
	strbuf_addf(out, "%s%s%s%s%s\n", out->len ? "\n" : "", classic ? "" : "[",
		    name ? "account " : "defaults", name ? name : "", classic ? "" : "]");
	return 0;
}

/* --- values ------------------------------------------------------------------------ */

/*
 * Does the value come back when nothing is put around it? The readers take
 * blanks, and CR, FF and VT with them, off both ends.
 */
static bool is_bare(const char *v)
{
	const size_t len = strlen(v);

	/* "@/x" would be read as the name of a file */
	if (strncmp(v, "@/", 2) == 0 || strncmp(v, "@~/", 3) == 0)
		return false;
	if (!len || *v == '"' || strchr(BLANKS "\f\v\r", *v) ||
	    strchr(BLANKS "\f\v\r", v[len - 1]))
		return false;
	return !strpbrk(v, "\r\n");
}

/* "${" is written "$${" where the reader would put a variable in. */
static void add_literal(struct strbuf *out, const char *v, size_t n, bool expands)
{
	if (expands && n == 1 && *v == '$' && v[1] == '{')
		strbuf_addch(out, '$');
	strbuf_add(out, v, n);
}

/* A C string, as ini_unquote() takes it apart. */
static void add_quoted(struct strbuf *out, const char *v, bool expands)
{
	strbuf_addch(out, '"');
	for (; *v; v++) {
		if ((unsigned char)*v < 32 || *v == 127) {
			strbuf_addf(out, "\\%03o", (unsigned)(unsigned char)*v);
			continue;
		}
		if (*v == '"' || *v == '\\')
			strbuf_addch(out, '\\');
		add_literal(out, v, 1, expands);
	}
	strbuf_addch(out, '"');
}

/* Commands are taken as written, so there is nothing to put around them. */
static int check_raw(const struct setting *row, const char *value, struct error *err)
{
	if (*value && (strchr(BLANKS, *value) || strchr(BLANKS, value[strlen(value) - 1])))
		return error_set(err, FAULT_CONFIG, "key '%s': blanks around the command",
				 row->key);
	return strpbrk(value, "\r\n\f\v") ?
		error_set(err, FAULT_CONFIG,
			  "key '%s': a control character cannot be written", row->key) : 0;
}

static int add_ini(struct strbuf *out, const struct setting *row, const char *value,
		   struct error *err)
{
	const bool raw = row->flags & SETTING_RAW || row->type == SETTING_ARGV;
	const bool expands = row->type != SETTING_SECRET && !(row->flags & SETTING_RAW);

	if (raw && check_raw(row, value, err) < 0)
		return -1;
	if (raw || (is_bare(value) && !text_has_control(value, strlen(value)))) {
		for (; *value; value++)
			add_literal(out, value, 1, expands);
	} else if (*value) {
		add_quoted(out, value, expands);
	}
	return 0;
}

/* msmtp's form has no escapes; one pair of quotes is taken off. */
static int add_classic(struct strbuf *out, const struct setting *row, const char *value,
		       struct error *err)
{
	if (strpbrk(value, "\r\n"))
		return error_set(err, FAULT_CONFIG,
				 "key '%s': a line end cannot be written", row->key);
	if (!*value && row->flags & SETTING_SWITCH)
		return error_set(err, FAULT_CONFIG, "key '%s': must have a value here",
				 row->key);
	if (row->type == SETTING_ARGV) {
		if (check_raw(row, value, err) < 0)
			return -1;
		strbuf_addstr(out, value);
		return 0;
	}
	const char *quote = is_bare(value) ? "" : "\"";

	strbuf_addf(out, "%s%s%s", quote, value, quote);
	return 0;
}

/* Would the key take it? */
static int check_value(const struct setting *row, bool classic, const char *value,
		       struct error *err)
{
	struct arena *a = arena_new();
	struct account *scratch = arena_alloc(a, sizeof(*scratch));

	settings_defaults(SCOPE_ACCOUNT, scratch, a, classic);
	int rc = setting_set(scratch, row, a, value, err);

	config_forget(scratch);
	arena_free(a);
	return rc;
}

int config_write_setting(struct strbuf *out, bool classic, const char *key, const char *value,
			 struct error *err)
{
	const struct setting *row = setting_find(SCOPE_ACCOUNT, key);
	const size_t before = out->len;

	if (!row)
		return config_unknown_key(SCOPE_ACCOUNT, key, err);
	if (check_value(row, classic, value, err) < 0)
		return -1;
	strbuf_addf(out, "%s %s", row->key, classic ? "" : "= ");
	const size_t start = out->len;
	int rc = classic ? add_classic(out, row, value, err) : add_ini(out, row, value, err);

	if (rc == 0 && (out->len - start > RCFILE_VALUE_MAX || strbuf_overflow(out)))
		rc = error_set(err, FAULT_CONFIG,
			       "key '%s': the value is longer than 65536 octets", row->key);
	if (rc < 0)
		strbuf_truncate(out, before);
	else
		strbuf_addch(out, '\n');
	return rc;
}

void config_write_comment(struct strbuf *out, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n");

		strbuf_addstr(out, n ? "# " : "#");
		text_escape_add(out, text, n);
		strbuf_addch(out, '\n');
		text += n + (text[n] == '\n');
	}
}
