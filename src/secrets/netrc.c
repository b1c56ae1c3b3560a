#include "config.h"
#include "secrets/netrc.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fs.h"
#include "util/secret.h"
#include "util/strbuf.h"

#define FILE_MAX (1 << 20)
#define WORD_MAX (1 << 16)

struct reader {
	const char *p, *end;
	struct strbuf word;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',';
}

/*
 * netrc   = *entry
 * entry   = ("machine" word / "default") *( ("login" / "password" / "account") word )
 *         / "macdef" word *line empty-line
 * word    = 1*char / DQUOTE *( char / space ) DQUOTE
 * char    = "\" any / any but space
 * A '#' where a keyword is expected makes the rest of the line a comment.
 */
static bool next_word(struct reader *r, bool keyword)
{
	bool quoted;

	for (;;) {
		while (r->p < r->end && is_space(*r->p))
			r->p++;
		if (r->p == r->end)
			return false;
		if (!keyword || *r->p != '#')
			break;
		while (r->p < r->end && *r->p != '\n')
			r->p++;
	}
	strbuf_reset(&r->word);
	quoted = *r->p == '"';
	r->p += quoted;
	while (r->p < r->end && (quoted ? *r->p != '"' : !is_space(*r->p))) {
		if (*r->p == '\\' && r->p + 1 < r->end)
			r->p++;
		strbuf_addch(&r->word, *r->p++);
	}
	if (quoted && r->p < r->end)
		r->p++;
	return true;
}

/* A macro ends at an empty line. */
static void skip_macro(struct reader *r)
{
	const char *stop = memmem(r->p, (size_t)(r->end - r->p), "\n\n", 2);

	r->p = stop ? stop + 2 : r->end;
}

static bool word_is(const struct reader *r, const char *keyword)
{
	return strcmp(r->word.buf, keyword) == 0 && r->word.len == strlen(keyword);
}

/* What is known of the entry that is being read. */
struct entry {
	bool host;		/* it is for our host */
	bool user_known, user;	/* a login was given; it is ours */
	struct secret password;
};

/* An entry without login serves any user. */
static bool entry_fits(const struct entry *e)
{
	return e->host && (!e->user_known || e->user) && secret_is_set(&e->password);
}

static void begin_entry(struct entry *e, bool host)
{
	secret_release(&e->password);
	*e = (struct entry){ .host = host };
}

bool netrc_find(const char *text, size_t len, const char *host, const char *user,
		struct secret *out)
{
	struct reader r = { .p = text, .end = text + len, .word = STRBUF_INIT(WORD_MAX) };
	struct entry e = { .host = false };
	bool found = false;

	while (next_word(&r, true)) {
		bool machine = word_is(&r, "machine"), other = word_is(&r, "default");
		bool login = word_is(&r, "login"), password = word_is(&r, "password");

		if ((machine || other) && entry_fits(&e))
			break;
		if (other)
			begin_entry(&e, true);
		else if (word_is(&r, "macdef"))
			skip_macro(&r);
		else if (!next_word(&r, false))
			break;
		else if (machine)
			begin_entry(&e, strcasecmp(r.word.buf, host) == 0);
		else if (login) {
			e.user_known = true;
			e.user = !user || strcmp(r.word.buf, user) == 0;
		} else if (password && e.host && r.word.len &&
			   !memchr(r.word.buf, '\0', r.word.len)) {
			secret_set(&e.password, r.word.buf, r.word.len);
		}
	}
	found = entry_fits(&e);
	if (found)
		secret_copy(out, &e.password);
	secret_release(&e.password);
	strbuf_release_secret(&r.word);
	return found;
}

int netrc_password(const char *path, bool must_exist, const char *host, const char *user,
		   struct secret *out, bool *found, struct error *err)
{
	struct strbuf text = STRBUF_INIT(FILE_MAX);
	struct secret password = { .data = NULL };
	int fd = fs_open_read(path);
	int rc;

	if (fd < 0 && !must_exist) {
		*found = false;
		return 0;
	}
	if (fd < 0)
		return fs_cannot_open(err, "", path);
	rc = fs_read_fd(fd, path, &text, err);
	if (rc == 0) {
		*found = netrc_find(text.buf, text.len, host, user, &password);
		if (*found)
			rc = fs_check(fd, FS_SECRET, path, err);
		if (*found && rc == 0)
			secret_copy(out, &password);
	}
	close(fd);
	secret_release(&password);
	strbuf_release_secret(&text);
	return rc;
}
