/*
 * The copy in archive_dir of what was sent: octet for octet as the server got
 * it (before dot-stuffing or chunks), in a Maildir, once the server has taken
 * it.
 */
#ifndef CLI_ARCHIVE_H
#define CLI_ARCHIVE_H

#include <stdbool.h>

#include "util/error.h"

struct edits;
struct message;
struct report;

struct archive {
	const char *path;	/* maildir:PATH or PATH; NULL = none is wanted */
	bool done;		/* one copy is enough, however many servers get it */
	struct error error;	/* why there is no copy; exit 0 = there is */
};

/* Stores m with its edits; of struct attempt_options, ctx is the archive. */
void archive_message(void *ctx, const struct message *m, const struct edits *edits);

/* The message is sent: a copy that cannot be made is said, and changes nothing. */
void archive_tell(const struct report *r, struct archive *archive);

#endif
