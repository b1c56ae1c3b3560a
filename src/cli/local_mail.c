#include "config.h"
#include "cli/local_mail.h"

#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/mbox.h"
#include "message/edits.h"
#include "deliver/maildir.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

#define PATH_LIMIT 8192

/* Where mail may lie, the first that is there counts. */
static const struct {
	const char *folder;	/* below the home */
	const char *file;	/* of an mbox in it; NULL = the folder is a Maildir */
} places[] = {
	{ "Maildir", NULL }, { "Mail", NULL }, { "Mail/inbox", NULL }, { "Mail", "bounces" },
};

static bool is_folder(const char *path, const char *below)
{
	struct strbuf whole = STRBUF_INIT(PATH_LIMIT);
	struct stat st;

	strbuf_addf(&whole, "%s%s", path, below);
	const bool is = !strbuf_overflow(&whole) && stat(whole.buf, &st) == 0 &&
		S_ISDIR(st.st_mode) && st.st_uid == geteuid();

	strbuf_release(&whole);
	return is;
}

static int put_into_maildir(const char *path, const struct message *m, struct error *err)
{
	struct arena *a = arena_new();
	struct edits none;
	struct maildir box;
	char host[256] = "localhost";
	int rc = -1;

	(void)!gethostname(host, sizeof(host) - 1);
	edits_init(&none, a, m);
	if (maildir_open(&box, path, host, err) == 0) {
		rc = maildir_store(&box, m, &none, err);
		maildir_close(&box);
	}
	arena_free(a);
	return rc;
}

/* 1: it is there; 0: there is no such place; -1: it could not be written. */
static int try_place(const char *home, size_t i, const struct message *m, struct strbuf *where,
		     struct error *err)
{
	const size_t before = where->len;

	strbuf_addf(where, "%s/%s", home, places[i].folder);
	if (is_folder(where->buf + before, places[i].file ? "" : "/new")) {
		if (!places[i].file)
			return put_into_maildir(where->buf + before, m, err) < 0 ? -1 : 1;
		strbuf_addf(where, "/%s", places[i].file);
		return mbox_append(where->buf + before, "", "", m, err) < 0 ? -1 : 1;
	}
	strbuf_truncate(where, before);
	return 0;
}

int local_mail_deliver(uid_t uid, const struct message *m, struct strbuf *where,
		       struct error *err)
{
	char *home = uid == geteuid() ? fs_home() : NULL;
	const size_t before = where->len;
	int rc = 0;

	for (size_t i = 0; home && rc == 0 && i < ARRAY_LEN(places); i++)
		rc = try_place(home, i, m, where, err);
	if (rc == 0)
		rc = error_set(err, FAULT_CANNOT_CREATE, home ? "there is neither Maildir nor Mail "
			       "in the home of user %u" : "the home of user %u is not ours to "
			       "write to", (unsigned)uid);
	xfree(home);
	if (rc < 0)
		strbuf_truncate(where, before);
	return rc < 0 ? -1 : 0;
}
