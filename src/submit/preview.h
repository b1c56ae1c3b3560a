/*
 * What would go to a server that offers every extension the message asks
 * for, without any server: for --dry-run.
 */
#ifndef SUBMIT_PREVIEW_H
#define SUBMIT_PREVIEW_H

#include "prepare/convert.h"
#include "util/attr.h"
#include "util/strvec.h"

struct account;
struct edits;
struct envelope;
struct error;
struct message;

struct preview {
	struct strvec command;		/* MAIL, then one RCPT for each recipient, in order */
	struct converted converted;	/* envelope, message and edits as they would be written */
};

/*
 * Fills p, which is released with preview_release() also on failure: that of
 * convert_for_session(), or of an extension's check that needs no server.
 * No password is asked for and no connection is made.
 */
ATTR_CHECK int preview_make(struct preview *p, const struct account *a, const struct message *m,
			    const struct edits *edits, const struct envelope *e,
			    struct error *err);
void preview_release(struct preview *p);

#endif
