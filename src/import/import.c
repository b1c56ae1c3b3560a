#include "config.h"
#include "import/import.h"

#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "conf/account.h"
#include "conf/accounts.h"
#include "conf/config_write.h"
#include "conf/rcfile.h"
#include "conf/settings.h"
#include "import/import_parts.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/xalloc.h"

#define TEXT_MAX ((size_t)16 << 20)
#define NOTES_MAX 10000
#define RULES_MAX 1000

/* In the order in which the main file is looked for in a folder. */
static const struct import_format *const formats[] = {
	&import_postfix, &import_nullmailer, &import_ssmtp, &import_dma, &import_esmtp,
	&import_msmtp,
};

/* --- what it is --------------------------------------------------------------------- */

static const struct import_format *by_type(const char *type)
{
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		if (strcasecmp(formats[i]->type, type) == 0)
			return formats[i];
	}
	return NULL;
}

/* ".esmtprc" is "esmtprc" too. */
static bool bears_name(const struct import_format *f, const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;

	return strcasecmp(base + (*base == '.'), f->name) == 0;
}

/* Is the word at the beginning of a line a key of the format's table, patterns apart? */
static bool begins_with_key(const struct import_format *f, const char *line)
{
	line += strspn(line, " \t");
	const size_t n = strcspn(line, " \t=\r\n");
	char key[64];

	if (n == 0 || n >= sizeof(key))
		return false;
	memcpy(key, line, n);
	key[n] = '\0';
	const struct import_row *row = import_find_row(f->rows, f->row_count, key, f->fold);

	return row && !strchr(row->key, '*');
}

/* How many lines look like the format's: what a file probably is. */
static unsigned score_of(const struct import_format *f, const struct strbuf *text)
{
	unsigned score = 0;

	for (const char *p = text->buf, *end = p + text->len; p < end; p++) {
		score += f->score ? f->score(p) : begins_with_key(f, p);
		p += strcspn(p, "\n");
	}
	return score;
}

/* The format whose keys most lines begin with; NULL when two are equally near. */
static const struct import_format *by_content(const struct import_text *t)
{
	const struct import_format *best = NULL;
	unsigned most = 0, second = 0;

	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		const unsigned score = score_of(formats[i], &t->text);

		if (score > most) {
			second = most;
			most = score;
			best = formats[i];
		} else if (score > second) {
			second = score;
		}
	}
	return most > second ? best : NULL;
}

static int list_types(struct error *err)
{
	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		error_append(err, "%s%s", i ? ", " : " ", formats[i]->type);
	return -1;
}

/* A folder stands for the main file in it. */
static int find_main(struct import *im, const char *path, const struct import_format *wanted,
		     const char **out, struct error *err)
{
	struct stat st;

	*out = arena_strdup(im->arena, path);
	if (stat(path, &st) < 0)
		return error_errno(err, FAULT_NO_INPUT, "cannot open %s", path);
	if (!S_ISDIR(st.st_mode))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		if (wanted && wanted != formats[i])
			continue;
		*out = arena_printf(im->arena, "%s%s%s", path,
				    path[strlen(path) - 1] == '/' ? "" : "/", formats[i]->name);
		if (stat(*out, &st) == 0 && S_ISREG(st.st_mode))
			return 0;
	}
	return error_set(err, FAULT_NO_INPUT,
			 "there is no configuration of another program in %s", path);
}

static int recognise(const struct import_request *req, struct import_text *t,
		     const struct import_format **out, struct error *err)
{
	for (size_t i = 0; !*out && i < ARRAY_LEN(formats); i++) {
		if (bears_name(formats[i], req->path) || bears_name(formats[i], t->name))
			*out = formats[i];
	}
	if (!*out)
		*out = by_content(t);
	if (!*out) {
		error_set(err, FAULT_FOREIGN_CONFIG, "%s: cannot tell whose configuration this is: "
			  "add --import-type, one of", t->name);
		return list_types(err);
	}
	return 0;
}

/* Our own form is none to import. */
static int check_foreign(const struct import_format *f, const struct import_text *t,
			 struct error *err)
{
	const char *p = t->text.buf + strspn(t->text.buf, " \t\r\n");

	if (f == &import_msmtp && (*p == '[' || (*p && ini_detect(t->text.buf, t->text.len) &&
						 *p != '#')))
		return error_set(err, FAULT_FOREIGN_CONFIG,
				 "%s is in the ini form of msubmit already", t->name);
	return 0;
}

/* --- writing: text in our ini form and files beside it ------------------------------ */

/* Beside the output, or in the folder that is usual for such files. */
static const char *file_path(struct import *im, const char *account, const char *kind)
{
	struct arena *arena = im->arena;
	const bool is_default = !account || strcmp(account, "default") == 0;
	char *name = arena_strdup(arena, is_default ? "" : account);

	for (char *p = name; *p; p++) {
		if (*p == '/' || *p == ' ')
			*p = '_';
	}
	if (im->req->output)
		return arena_printf(arena, "%s%s%s.%s", im->req->output, is_default ? "" : ".",
				    name, kind);
	return arena_printf(arena, "%s/%s%s%s", im->req->folder, name, is_default ? "" : ".", kind);
}

static void add_file(struct import *im, const char *path, const char *content, size_t len,
		     bool secret)
{
	struct import_file *f = arena_alloc(im->arena, sizeof(*f)), **at = &im->out->files;

	*f = (struct import_file){ .path = path, .content = content, .len = len,
				   .secret = secret };
	while (*at)
		at = &(*at)->next;
	*at = f;
}

/* "password" has become "password_file = PATH". */
static int write_secret(struct import *im, const struct import_account *a,
			const struct import_setting *s, struct error *err)
{
	const char *path = file_path(im, a->name, s->key);
	const char *key = arena_printf(im->arena, "%s_file", s->key);

	if (!im->req->output)	/* it is nowhere yet */
		config_write_comment(&im->out->text, arena_printf(im->arena,
			"its password is in %s; put it alone into this file:\n"
			"(umask 077 && cat > %s), the password, Enter, Ctrl-D", s->origin, path));
	add_file(im, path, s->secret.data, s->secret.len, true);
	return config_write_setting(&im->out->text, false, key, path, err);
}

static bool is_command(const char *key)
{
	const struct setting *row = setting_find(SCOPE_ACCOUNT, key);

	return row && (row->type == SETTING_ARGV || row->flags & SETTING_RAW);
}

static int write_account(struct import *im, const struct import_account *a,
			 struct error *err)
{
	struct strbuf *text = &im->out->text;

	if (config_write_heading(text, false, a->name, err) < 0)
		return -1;
	if (a->base)
		strbuf_addf(text, "inherit = %s\n", a->base);
	for (const struct import_setting *s = a->first; s; s = s->next) {
		im->out->has_commands = im->out->has_commands || is_command(s->key);
		int rc = s->secret.data ? write_secret(im, a, s, err) :
			config_write_setting(text, false, s->key, s->value, err);

		if (rc < 0)
			return -1;
	}
	return 0;
}

/* The file is named by the account or the defaults; here its lines are made. */
static void write_aliases(struct import *im, struct import_account *a)
{
	const struct import_source src = { .im = im, .file = im->source };
	const char *path = file_path(im, NULL, "aliases");
	const struct strbuf *lines = &im->aliases;

	if (!lines->len)
		return;
	if (!im->req->output)
		config_write_comment(&im->out->text, arena_printf(im->arena,
			"put these lines into %s:\n%.*s", path, (int)lines->len - 1, lines->buf));
	add_file(im, path, lines->buf, lines->len, false);
	import_set(&src, NULL, a, "aliases", path);
}

/* The text must be one that is read without complaint, and lead somewhere. */
static int read_back(struct import *im, struct error *err)
{
	struct config *c = NULL;
	struct error why;
	bool found = false;

	if (config_load_text("import", im->out->text.buf, im->out->text.len, &c, &why) < 0)
		return error_set_status(err, FAULT_BUG, "5.3.5",
				 "what was made of %s cannot be read back: %s", im->source,
				 why.text);
	const struct account *a;

	for (size_t i = 0; !found && (a = config_nth(c, i)); i++)
		found = a->host || a->socket || a->net.mx;
	config_free(c);
	return found ? 0 : error_set(err, FAULT_CONFIG, "%s names no server to send to",
				     im->source);
}

/* Makes text and files of what was read, and reads the text back. */
static int write_result(struct import *im, struct error *err)
{
	int rc = 0;

	config_write_comment(&im->out->text, arena_printf(im->arena, "made of %s (%s)",
							  im->source, im->program));
	if (im->aliases.len)
		write_aliases(im, import_account(im, "default"));
	if (im->rewrite.len)
		strbuf_addf(&im->out->text, "\n[rewrite]\n%s", im->rewrite.buf);
	for (const struct import_account *a = im->first; rc == 0 && a; a = a->next) {
		if (a->name || a->first)
			rc = write_account(im, a, err);
	}
	if (rc < 0) {
		error_recast(err, FAULT_BUG);
		return error_prefix(err, "%s", im->source);
	}
	return read_back(im, err);
}

/* --- all -------------------------------------------------------------------------------- */

static int read_all(struct import *im, struct error *err)
{
	const struct import_request *req = im->req;
	const struct import_format *f = NULL;
	struct import_text *t;
	const char *path;

	if (req->type && !(f = by_type(req->type))) {
		error_set(err, FAULT_USAGE, "--import-type: '%s' is none of", req->type);
		return list_types(err);
	}
	if (find_main(im, req->path, f, &path, err) < 0 || import_open(im, path, true, &t, err) < 0)
		return -1;
	im->source = t->name;
	if (recognise(req, t, &f, err) < 0 || check_foreign(f, t, err) < 0)
		return -1;
	im->program = f->program;
	if (f->read(im, t, err) < 0)
		return -1;
	return write_result(im, err);
}

int import_read(const struct import_request *req, struct import_result *out, struct error *err)
{
	struct import *im = xcalloc(1, sizeof(*im));

	*out = (struct import_result){ .private = im };
	strbuf_init(&out->text, TEXT_MAX);
	strvec_init(&out->notes, NOTES_MAX);
	im->arena = arena_new();
	strbuf_init(&im->aliases, TEXT_MAX);
	strbuf_init(&im->rewrite, TEXT_MAX);
	strvec_init(&im->lefts, RULES_MAX);
	im->req = req;
	im->out = out;
	return read_all(im, err);
}

void import_release(struct import_result *r)
{
	struct import *im = r->private;

	if (!im)
		return;
	for (struct import_account *a = im->first; a; a = a->next) {
		for (struct import_setting *s = a->first; s; s = s->next)
			secret_release(&s->secret);
	}
	for (struct import_text *t = im->texts; t; t = t->next)
		strbuf_release_secret(&t->text);
	strbuf_release(&im->aliases);
	strbuf_release(&im->rewrite);
	strvec_release(&im->lefts);
	arena_free(im->arena);
	xfree(im);
	strbuf_release(&r->text);
	strvec_release(&r->notes);
	*r = (struct import_result){ .files = NULL };
}
