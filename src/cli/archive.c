#include "config.h"
#include "cli/archive.h"

#include <string.h>
#include <unistd.h>

#include "cli/report.h"
#include "deliver/maildir.h"
#include "util/aside.h"

#define ARCHIVE_SECONDS 30	/* a disk that hangs is given up then */

struct copy {
	const char *path;
	const struct message *message;
	const struct edits *edits;
};

static int store(void *ctx, struct error *err)
{
	static const char kind[] = "maildir:";
	const struct copy *c = ctx;
	const char *path = c->path;
	struct maildir box;
	char host[256] = "localhost";

	if (strncmp(path, kind, strlen(kind)) == 0)
		path += strlen(kind);
	(void)!gethostname(host, sizeof(host) - 1);
	if (maildir_open(&box, path, host, err) < 0)
		return -1;
	box.keep_cr = true;
	const int rc = maildir_store(&box, c->message, c->edits, err);

	maildir_close(&box);
	return rc;
}

void archive_message(void *ctx, const struct message *m, const struct edits *edits)
{
	struct archive *a = ctx;
	struct copy copy = { a->path, m, edits };

	if (a->done)
		return;
	a->done = true;
	(void)!aside_run(a->path, ARCHIVE_SECONDS, store, &copy, &a->error);
}

void archive_tell(const struct report *r, struct archive *archive)
{
	if (!archive->error.exit)
		return;
	error_prefix(&archive->error, "no copy in archive_dir");
	report_line(r->inv, "%s", archive->error.text);
	report_log_aside(r, &archive->error);
}
