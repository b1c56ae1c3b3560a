#include "config.h"
#include "util/once.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "util/error.h"
#include "util/fs.h"
#include "util/store.h"
#include "util/strbuf.h"

#define STATE_MAX 128		/* octets of "TIME COUNT" */
#define NAME_LIMIT 64

/* When it was told last, and how often it was not told since. */
struct last {
	int64_t when;
	unsigned long suppressed;
};

/* No note, and one that says nothing, is as if it never was told. */
static int read_last(const struct store *notes, const char *name, struct last *last,
		     struct error *err)
{
	struct strbuf text = STRBUF_INIT(STATE_MAX);
	char *end;
	int rc = store_read(notes, name, FS_OWN | FS_NOT_OTHERS, &text, err);

	errno = 0;
	last->when = strtoll(text.buf, &end, 10);
	last->suppressed = *end == ' ' ? strtoul(end + 1, NULL, 10) : 0;
	if (rc < 0 || errno || last->when < 0)
		*last = (struct last){ .when = 0 };
	strbuf_release(&text);
	return rc;
}

static int write_last(const struct store *notes, const char *name, const struct last *last,
		      struct error *err)
{
	char text[STATE_MAX];
	int n = snprintf(text, sizeof(text), "%" PRId64 " %lu\n", last->when, last->suppressed);

	return store_write(notes, name, 0600, STORE_REPLACE, text, (size_t)n, err);
}

/* What is noted is noted before it is told, so that many failures at once are one. */
static bool note_cause(const struct store *notes, const char *name, unsigned interval,
		 unsigned long *suppressed_out, struct error *trouble)
{
	const int64_t now = (int64_t)time(NULL);
	struct error err;
	struct last last;

	(void)!read_last(notes, name, &last, trouble);
	const bool due = !last.when || now >= last.when + interval || now < last.when;

	*suppressed_out = last.suppressed;
	last.suppressed = due ? 0 : last.suppressed + 1;
	last.when = due ? now : last.when;
	if (write_last(notes, name, &last, &err) < 0)
		*trouble = err;
	return due;
}

bool once_due(const struct strbuf *cause, unsigned interval, unsigned long *suppressed_out,
	      struct error *trouble)
{
	struct strbuf name = STRBUF_INIT(NAME_LIMIT);
	struct store notes;
	bool due = true;

	*suppressed_out = 0;
	*trouble = (struct error){ .exit = 0 };
	if (interval == 0)
		return true;
	store_name(&name, "", cause);
	if (store_open_state(&notes, "notify", trouble) == 0 &&
	    store_lock(&notes, FS_LOCK_MS, trouble) == 0)
		due = note_cause(&notes, name.buf, interval, suppressed_out, trouble);
	strbuf_release(&name);
	store_close(&notes);
	return due;
}
