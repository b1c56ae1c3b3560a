#include "config.h"
#include "import/import.h"

#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "conf/ini.h"
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

	base += *base == '.';
	for (const char *const *name = f->names; *name; name++) {
		if (strcasecmp(base, *name) == 0)
			return true;
	}
	return false;
}

/* The format whose keys most lines begin with; NULL when two are equally near. */
static const struct import_format *by_content(const struct import_text *t)
{
	const struct import_format *best = NULL;
	unsigned most = 0, second = 0;

	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		unsigned score = formats[i]->score(t->text.buf, t->text.len);

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
		for (const char *const *n = formats[i]->names; *n; n++) {
			if (wanted && wanted != formats[i])
				continue;
			*out = arena_printf(im->arena, "%s%s%s", path,
					    path[strlen(path) - 1] == '/' ? "" : "/", *n);
			if (stat(*out, &st) == 0 && S_ISREG(st.st_mode))
				return 0;
		}
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

/* --- all -------------------------------------------------------------------------------- */

static int read_all(struct import *im, const struct import_request *req,
		    struct import_result *out, struct error *err)
{
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
	return import_write(im, req, out, err);
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
	strbuf_init(&im->line, IMPORT_FILE_MAX);
	strvec_init(&im->notes, NOTES_MAX);
	int rc = read_all(im, req, out, err);

	strvec_append(&out->notes, &im->notes);
	return rc;
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
	strbuf_release_secret(&im->line);
	strvec_release(&im->notes);
	strvec_release(&im->lefts);
	arena_free(im->arena);
	xfree(im);
	strbuf_release(&r->text);
	strvec_release(&r->notes);
	*r = (struct import_result){ .files = NULL };
}
