#include "config.h"
#include "cli/archive.h"

#include <string.h>
#include <unistd.h>

#include "cli/report.h"
#include "message/message.h"
#include "message/writer.h"
#include "server/maildir.h"

#define BLOCK 16384

static int store(struct delivery *d, const struct message *m, const struct edits *edits,
		 struct error *err)
{
	struct writer *w = writer_new(m, edits, WRITER_PLAIN);
	char block[BLOCK];
	const char *id;
	ssize_t n;
	int rc = d->ops->begin(d, &id, err);

	if (rc < 0) {
		writer_free(w);
		return -1;
	}
	while (rc == 0 && (n = writer_read(w, block, sizeof(block), err)) != 0)
		rc = n < 0 ? -1 : d->ops->write(d, block, (size_t)n, err);
	writer_free(w);
	if (rc == 0)
		return d->ops->commit(d, err);
	d->ops->abandon(d);
	return -1;
}

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
	(void)!store(&box.delivery, m, edits, &a->error);
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
