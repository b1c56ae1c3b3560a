/*
 * --import: shows another program's configuration as ours, or writes it with its files.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/report.h"
#include "import/import.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/store.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

/* What was made so far, to be taken back when something fails. */
struct made {
	const char *path[256];
	size_t n;
};

static int make_file(const char *path, const char *data, size_t len, mode_t mode,
		     struct made *made, struct error *err)
{
	if (store_write_path(path, mode, STORE_NEW, data, len, err) < 0)
		return -1;
	made->path[made->n++] = path;
	return 0;
}

/* A file with a secret ends in a line end, as an editor would leave it. */
static int make_secret(const struct import_file *f, struct made *made, struct error *err)
{
	struct strbuf text = STRBUF_INIT(1 << 20);

	strbuf_add(&text, f->content, f->len);
	strbuf_addch(&text, '\n');
	int rc = make_file(f->path, text.buf, text.len, 0600, made, err);

	strbuf_release_secret(&text);
	return rc;
}

/* The files that the configuration names come first: it is good from its first moment on. */
static int make_all(const char *output, const struct import_result *r, struct error *err)
{
	/* what root makes is for all who send, where it holds no secret */
	const mode_t mode = geteuid() == 0 && !r->has_commands ? 0644 : 0600;
	struct made made = { .n = 0 };
	size_t files = 0;
	int rc = 0;

	for (const struct import_file *f = r->files; f; f = f->next)
		files++;
	if (files >= ARRAY_LEN(made.path))
		return error_set(err, FAULT_CANNOT_CREATE,
				 "%zu accounts with passwords are too many for --output", files);
	for (const struct import_file *f = r->files; rc == 0 && f; f = f->next)
		rc = f->secret ? make_secret(f, &made, err) :
			make_file(f->path, f->content, f->len, mode, &made, err);
	if (rc == 0)
		rc = make_file(output, r->text.buf, r->text.len, mode, &made, err);
	while (rc < 0 && made.n > 0)
		unlink(made.path[--made.n]);
	return rc;
}

/* The path from the root, so that what is named beside it is found from anywhere. */
static const char *full_path(struct arena *a, const char *path, struct error *err)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	const char *folder = !slash ? "." : slash == path ? "/" :
		arena_strndup(a, path, (size_t)(slash - path));
	char *full = realpath(folder, NULL);

	if (!full || !*base) {
		if (full)
			error_set(err, FAULT_CANNOT_CREATE, "--output: '%s' is no name of a file",
				  path);
		else
			error_errno(err, FAULT_CANNOT_CREATE, "cannot create %s", path);
		xfree(full);
		return NULL;
	}
	const char *result = arena_printf(a, "%s/%s", strcmp(full, "/") == 0 ? "" : full, base);

	xfree(full);
	return result;
}

static void print_notes(const struct invocation *inv, const struct import_result *r)
{
	for (size_t i = 0; i < r->notes.n; i++)
		fprintf(stderr, "%s: %s\n", inv->name, r->notes.v[i]);
}

static int print_made(const struct invocation *inv, const char *output,
		      const struct import_result *r)
{
	struct strbuf text = STRBUF_INIT(1 << 20);

	strbuf_addf(&text, "wrote %s\n", output);
	for (const struct import_file *f = r->files; f; f = f->next)
		strbuf_addf(&text, "wrote %s%s\n", f->path, f->secret ? " (mode 0600)" : "");
	return report_print(inv, &text);
}

int cmd_import(const struct invocation *inv)
{
	struct import_request req = {
		.path = inv->subject, .type = inv->import_type,
		.folder = geteuid() == 0 ? SYSCONFDIR "/msubmit" : "~/.config/msubmit",
	};
	struct import_result result = { .files = NULL };
	struct error err;
	int status = EX_OK;

	if (inv->configure.output) {
		req.output = full_path(inv->arena, inv->configure.output, &err);
		if (!req.output)
			return report_failure(inv, &err);
	}
	int rc = import_read(&req, &result, &err);

	print_notes(inv, &result);
	if (rc == 0 && req.output)
		rc = make_all(req.output, &result, &err);
	if (rc == 0 && req.output)
		status = print_made(inv, req.output, &result);
	else if (rc == 0)
		status = report_output(inv, result.text.buf);
	import_release(&result);
	return rc < 0 ? report_failure(inv, &err) : status;
}
