/*
 * Delivery into a Maildir: written in tmp/, synced, linked into new/ under
 * the same unique name, the folder synced, and only then accepted.
 *
 * The message lies there with LF line ends, as all Unix readers of such
 * folders expect, unless keep_cr asks for the octets of the wire; nothing
 * else about its octets is changed. Missing folders are made (mode 0700), the
 * parent must exist. Files have mode 0600.
 */
#ifndef DELIVER_MAILDIR_H
#define DELIVER_MAILDIR_H

#include <stdbool.h>
#include <stddef.h>

#include "server/delivery.h"
#include "util/attr.h"
#include "util/store.h"
#include "util/strbuf.h"

struct edits;
struct error;
struct message;

struct maildir {
	struct delivery delivery;
	int tmp, new;			/* folders */
	bool keep_cr;			/* lines keep their CRLF; set after maildir_open() */
	struct store_file file;		/* being written */
	struct strbuf name;		/* unique name, the same in both folders */
	struct strbuf pending;		/* octets not yet written */
	const char *path;		/* borrowed, for texts */
	const char *host;		/* borrowed, part of the unique name */
	unsigned long count;		/* messages begun by this process */
};

/*
 * Opens the Maildir at path. EX_CANTCREAT when it cannot be made or opened.
 * path and host are borrowed and must outlive it.
 */
ATTR_CHECK int maildir_open(struct maildir *m, const char *path, const char *host,
			    struct error *err);

/* Stores a whole message as its edits make it; nothing is left of one that fails. */
ATTR_CHECK int maildir_store(struct maildir *box, const struct message *m,
			     const struct edits *edits, struct error *err);

/* Gives the folders back; a message under way is abandoned. */
void maildir_close(struct maildir *m);

#endif
