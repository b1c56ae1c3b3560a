/* What was imported, as text in our ini form and as files beside it. */
#include "config.h"
#include "import/import_parts.h"

#include <string.h>

#include "conf/account.h"
#include "conf/accounts.h"
#include "conf/config_write.h"
#include "conf/settings.h"
#include "import/import.h"
#include "util/arena.h"
#include "util/error.h"

/* What is written, and where its further files go. */
struct writer {
	struct import *im;
	const struct import_request *req;
	struct import_result *out;
};

/* Beside the output, or in the folder that is usual for such files. */
static const char *file_path(const struct writer *w, const char *account, const char *kind)
{
	struct arena *arena = w->im->arena;
	const bool is_default = !account || strcmp(account, "default") == 0;
	char *name = arena_strdup(arena, is_default ? "" : account);

	for (char *p = name; *p; p++) {
		if (*p == '/' || *p == ' ')
			*p = '_';
	}
	if (w->req->output)
		return arena_printf(arena, "%s%s%s.%s", w->req->output, is_default ? "" : ".", name,
				    kind);
	return arena_printf(arena, "%s/%s%s%s", w->req->folder, name, is_default ? "" : ".", kind);
}

static void add_file(const struct writer *w, const char *path, const char *content, size_t len,
		     bool secret)
{
	struct import_file *f = arena_alloc(w->im->arena, sizeof(*f)), **at = &w->out->files;

	*f = (struct import_file){ .path = path, .content = content, .len = len,
				   .secret = secret };
	while (*at)
		at = &(*at)->next;
	*at = f;
}

/* Where the secret is to go, since it is nowhere yet. */
static void comment_secret(const struct writer *w, const char *path, const char *origin)
{
	struct strbuf text = STRBUF_INIT(1 << 16);

	strbuf_addf(&text, "its password is in %s; put it alone into this file:\n"
		    "(umask 077 && cat > %s), the password, Enter, Ctrl-D", origin, path);
	config_write_comment(&w->out->text, text.buf);
	strbuf_release(&text);
}

/* "password" has become "password_file = PATH". */
static int write_secret(const struct writer *w, const struct import_account *a,
			const struct import_setting *s, struct error *err)
{
	const char *path = file_path(w, a->name, s->key);
	const char *key = arena_printf(w->im->arena, "%s_file", s->key);

	if (!w->req->output)
		comment_secret(w, path, s->origin);
	add_file(w, path, s->secret.data, s->secret.len, true);
	return config_write_setting(&w->out->text, false, key, path, err);
}

static bool is_command(const char *key)
{
	const struct setting *row = setting_find(SCOPE_ACCOUNT, key);

	return row && (row->type == SETTING_ARGV || row->flags & SETTING_RAW);
}

static int write_account(const struct writer *w, const struct import_account *a,
			 struct error *err)
{
	struct strbuf *text = &w->out->text;

	if (config_write_heading(text, false, a->name, err) < 0)
		return -1;
	if (a->base)
		strbuf_addf(text, "inherit = %s\n", a->base);
	for (const struct import_setting *s = a->first; s; s = s->next) {
		w->out->has_commands = w->out->has_commands || is_command(s->key);
		int rc = s->secret.data ? write_secret(w, a, s, err) :
			config_write_setting(text, false, s->key, s->value, err);

		if (rc < 0)
			return -1;
	}
	return 0;
}

/* The file is named by the account or the defaults; here its lines are made. */
static void write_aliases(const struct writer *w, struct import_account *a)
{
	const struct import_source src = { .im = w->im, .file = w->im->source };
	const char *path = file_path(w, NULL, "aliases");
	const struct strbuf *lines = &w->im->aliases;

	if (!lines->len)
		return;
	if (!w->req->output) {
		struct strbuf text = STRBUF_INIT(1 << 22);

		strbuf_addf(&text, "put these lines into %s:\n%.*s", path, (int)lines->len - 1,
			    lines->buf);
		config_write_comment(&w->out->text, text.buf);
		strbuf_release(&text);
	}
	add_file(w, path, lines->buf, lines->len, false);
	import_set(&src, NULL, a, "aliases", path);
}

static bool reaches_server(const struct account *a)
{
	return a->host || a->socket || a->net.mx;
}

/* The text must be one that is read without complaint, and lead somewhere. */
static int read_back(const struct writer *w, struct error *err)
{
	struct config *c = NULL;
	struct error why;
	bool found = false;

	if (config_load_text("import", w->out->text.buf, w->out->text.len, &c, &why) < 0)
		return error_set_status(err, FAULT_BUG, "5.3.5",
				 "what was made of %s cannot be read back: %s", w->im->source,
				 why.text);
	for (size_t i = 0; config_nth(c, i); i++)
		found = found || reaches_server(config_nth(c, i));
	config_free(c);
	return found ? 0 : error_set(err, FAULT_CONFIG, "%s names no server to send to",
				     w->im->source);
}

int import_write(struct import *im, const struct import_request *req, struct import_result *out,
		 struct error *err)
{
	const struct writer w = { .im = im, .req = req, .out = out };
	struct strbuf head = STRBUF_INIT(1 << 16);
	int rc = 0;

	strbuf_addf(&head, "made of %s (%s)", im->source, im->program);
	config_write_comment(&out->text, head.buf);
	strbuf_release(&head);
	if (im->aliases.len)
		write_aliases(&w, import_account(im, "default"));
	if (im->rewrite.len)
		strbuf_addf(&out->text, "\n[rewrite]\n%s", im->rewrite.buf);
	for (const struct import_account *a = im->first; rc == 0 && a; a = a->next) {
		if (a->name || a->first)
			rc = write_account(&w, a, err);
	}
	if (rc < 0) {
		error_recast(err, FAULT_BUG);
		return error_prefix(err, "%s", im->source);
	}
	return read_back(&w, err);
}
