#include "config.h"
#include "cli/archive.h"

#include <string.h>
#include <unistd.h>

#include "cli/report.h"
#include "deliver/maildir.h"

void archive_message(void *ctx, const struct message *m, const struct edits *edits)
{
	static const char kind[] = "maildir:";
	struct archive *a = ctx;
	const char *path = a->path;
	struct maildir box;
	char host[256] = "localhost";

	if (a->done)
		return;
	a->done = true;
	if (strncmp(path, kind, strlen(kind)) == 0)
		path += strlen(kind);
	(void)!gethostname(host, sizeof(host) - 1);
	if (maildir_open(&box, path, host, &a->error) < 0)
		return;
	box.keep_cr = true;
	(void)!maildir_store(&box, m, edits, &a->error);
	maildir_close(&box);
}

void archive_tell(const struct report *r, struct archive *archive)
{
	if (!archive->error.exit)
		return;
	error_prefix(&archive->error, "no copy in archive_dir");
	report_line(r->inv, "%s", archive->error.text);
	report_log_aside(r, &archive->error);
}
