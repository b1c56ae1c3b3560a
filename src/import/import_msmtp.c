/* The configuration of msmtp. */
#include "config.h"
#include "import/import_parts.h"

#include <string.h>

#include "conf/account.h"
#include "conf/accounts.h"
#include "conf/config_parts.h"
#include "conf/rcfile.h"
#include "conf/settings.h"
#include "util/arena.h"
#include "util/error.h"

/*
 * msmtp's own syntax is read by the reader that serves it otherwise. What
 * each account has become is compared with what it would be in the ini form
 * without a word, or with its base, and the difference is written. So the
 * result means the same although the two forms have different defaults.
 * "eval" runs a command and is therefore not followed.
 */

/* Of many keys those that files have: what it probably is. */
static const struct import_row msmtp_rows[] = {
	{ .key = "account" }, { .key = "defaults" }, { .key = "host" }, { .key = "auth" },
	{ .key = "tls" }, { .key = "tls_starttls" }, { .key = "passwordeval" },
	{ .key = "from" }, { .key = "user" }, { .key = "port" }, { .key = "logfile" },
	{ .key = "eval" }, { .key = "tls_trust_file" }, { .key = "auto_from" },
	{ .key = "maildomain" }, { .key = "syslog" },
};

/* Lines with "eval" become comments, so that the others keep their numbers. */
static void leave_out_eval(const struct import_source *src, struct strbuf *text)
{
	unsigned line = 0;

	for (char *p = text->buf, *end = p + text->len; p < end; p++) {
		char *word = p + strspn(p, " \t");

		line++;
		if (strncmp(word, "eval", 4) == 0 && strchr(" \t", word[4]) && word[4]) {
			const struct import_value v = { .key = "eval", .line = line };

			*word = '#';
			import_note(src, &v, "the command was not run: write the line that it "
				    "prints into the new file");
		}
		p += strcspn(p, "\n");
	}
}

/* --- one account -------------------------------------------------------------------- */

/* Two accounts of which the second is to be made out of the first. */
struct pair {
	const struct import_source *src;
	const struct config *config;
	const struct section *section;
	const struct account *from, *to;
	struct import_account *out;
};

/* As written in the file, where the value was changed since; NULL if nothing set it. */
static const char *as_written(const struct pair *p, const struct setting *row)
{
	const struct assignment *a = config_assignment(p->config, p->section, row);

	return a ? a->value : NULL;
}

/* The value as setting_set() would take it. */
static void show(const struct account *a, const struct setting *row, struct strbuf *out)
{
	struct error ignored;

	strbuf_reset(out);
	setting_print(a, row, out);
	if (row->type != SETTING_LIST && ini_is_quoted(out->buf) &&
	    ini_unquote(out->buf, &ignored) == 0)
		strbuf_truncate(out, strlen(out->buf));
}

/*
 * msmtp's limits of time are none; where the file says nothing ours are
 * kept. What only counts without a check of the certificate is left out.
 */
static bool keeps_ours(const struct pair *p, const struct setting *row)
{
	if (strcmp(row->key, "tls_allow_insecure_auth") == 0)
		return p->to->tls.certcheck;
	return row->type == SETTING_TIME && !as_written(p, row);
}

/* Names that stand for others, and what is handled apart. */
static bool is_spelling(const struct setting *row)
{
	return row->flags & SETTING_CLASSIC || row->type == SETTING_SECRET ||
	       strcmp(row->key, "port") == 0 || strcmp(row->key, "proxy") == 0;
}

static void set_difference(const struct pair *p, const struct setting *row, struct strbuf *had,
			   struct strbuf *has)
{
	const struct import_value v = { .key = row->key, .line = p->to->line };
	const bool is_from = strcmp(row->key, "from") == 0;
	const char *written = NULL;

	show(p->from, row, had);
	show(p->to, row, has);
	if (strcmp(had->buf, has->buf) == 0 || keeps_ours(p, row))
		return;
	/* patterns and ~ stay what they are; the sender of auto_from is made of others */
	if (is_from && p->to->auto_from)
		return;
	if (is_from || row->flags & SETTING_PATH || strcmp(row->key, "domain") == 0)
		written = as_written(p, row);
	import_set_own(p->src, &v, p->out, row->key, written ? written : has->buf);
}

static void set_secret(const struct pair *p, const char *key, const struct secret *s,
		       const struct secret *had)
{
	const bool same = secret_is_set(had) && had->len == s->len &&
			  memcmp(had->data, s->data, s->len) == 0;

	if (secret_is_set(s) && !same)
		import_set_secret(p->out, p->src, key, s->data);
}

static void set_differences(const struct pair *p)
{
	struct strbuf had = STRBUF_INIT(1 << 18), has = STRBUF_INIT(1 << 18);
	struct setting_walk w = { 0 };
	const struct setting *row;
	const struct account *to = p->to, *from = p->from;

	while ((row = settings_next(SCOPE_ACCOUNT, &w))) {
		if (!is_spelling(row))
			set_difference(p, row, &had, &has);
		if (strcmp(row->key, "host") == 0 && (to->host || to->socket) &&
		    (!from->host || account_port(from) != account_port(to)) && !to->socket)
			import_setf(p->src, NULL, p->out, "port", "%u", account_port(to));
	}
	set_secret(p, "password", &to->auth.password, &from->auth.password);
	set_secret(p, "oauth_token", &to->auth.token, &from->auth.token);
	set_secret(p, "proxy_password", &to->proxy.password, &from->proxy.password);
	strbuf_release(&had);
	strbuf_release(&has);
}

/* --- all of them ----------------------------------------------------------------------- */

static void make_account(const struct import_source *src, const struct config *c,
			 const struct section *s, const struct account *plain)
{
	const struct section *base = s->base && s->base[0] ? config_base(c, s, s->base[0]) : NULL;
	const struct pair p = {
		.src = src, .config = c, .section = s, .to = &s->account,
		.from = base ? &base->account : plain, .out = import_account(src->im, s->name),
	};

	if (base)
		p.out->base = import_name(src->im, base->name);
	set_differences(&p);
}

static void take_out(struct import_account *a, const char *key)
{
	struct import_setting **at = &a->first;

	while (*at && strcmp((*at)->key, key) != 0)
		at = &(*at)->next;
	*at = *at ? (*at)->next : NULL;
}

/* Settings that all accounts without a base have in common go to [defaults]. */
static void share(struct import *im)
{
	struct import_account *defaults, *first = NULL;
	size_t roots = 0;

	for (struct import_account *a = im->first; a; a = a->next) {
		if (!a->base) {
			first = first ? first : a;
			roots++;
		}
	}
	if (roots < 2)
		return;
	defaults = arena_alloc(im->arena, sizeof(*defaults));
	struct import_setting **end = &defaults->first;

	for (struct import_setting **at = &first->first; *at;) {
		struct import_setting *s = *at;
		bool common = s->value != NULL;

		for (struct import_account *a = im->first; a && common; a = a->next) {
			const char *value = a->base ? s->value : import_value_of(a, s->key);

			common = value && strcmp(value, s->value) == 0;
		}
		if (!common || strcmp(s->key, "host") == 0 || strncmp(s->key, "password", 8) == 0) {
			at = &s->next;
			continue;
		}
		for (struct import_account *a = im->first; a; a = a->next) {
			if (!a->base)
				take_out(a, s->key);
		}
		s->next = NULL;
		*end = s;
		end = &s->next;
	}
	defaults->next = im->first;
	im->first = defaults;
}

static int read_msmtp(struct import *im, struct import_text *t, struct error *err)
{
	const struct import_source src = { .im = im, .file = t->name };
	struct account *plain = arena_alloc(im->arena, sizeof(*plain));
	struct config *c = NULL;

	leave_out_eval(&src, &t->text);
	if (config_load_text(t->name, t->text.buf, t->text.len, &c, err) < 0) {
		error_recast(err, FAULT_FOREIGN_CONFIG);
		return -1;
	}
	settings_defaults(SCOPE_ACCOUNT, plain, im->arena, false);
	for (size_t i = 0; i < c->account_n; i++)
		make_account(&src, c, c->account[i], plain);
	config_free(c);
	share(im);
	return 0;
}

const struct import_format import_msmtp = {
	.type = "msmtp", .program = "msmtp", .name = "msmtprc",
	.rows = msmtp_rows, .row_count = ARRAY_LEN(msmtp_rows), .read = read_msmtp,
};
