#include "config.h"
#include "prepare/burl.h"

#include <string.h>
#include <unistd.h>

#include "conf/account.h"
#include "message/envelope.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/proc.h"
#include "util/strbuf.h"
#include "util/strvec.h"
#include "util/text.h"

#define URL_MAX ((size_t)8192)
#define TEXT_MAX ((size_t)16 * 1024 * 1024)
#define WORDS_MAX 1000

/*
 * absolute-URI = scheme ":" ...; of printable ASCII without blanks, so that it is one word of
 * a command. Who is asked for it has said in what words it may be told.
 */
static int check_url(const char *url, const char *what, struct error *err)
{
	size_t scheme = strspn(url, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			       "0123456789+-.");
	bool good = scheme > 0 && url[scheme] == ':' && url[scheme + 1] &&
		strlen(url) <= URL_MAX;

	for (const char *p = url; *p && good; p++)
		good = *p > ' ' && *p < 127;
	if (good)
		return 0;
	return error_set(err, FAULT_USAGE, "%s is not a URL of printable characters", what);
}

/* The URL as burl_command has it, in arena a. */
static int run_command(struct arena *a, const struct account *account, const char *url,
		       const char **out, struct error *err)
{
	struct strvec argv = STRVEC_INIT(WORDS_MAX);
	struct strbuf text = STRBUF_INIT(URL_MAX + 2);

	for (const char *const *word = account->burl_command; *word; word++)
		strvec_add(&argv, *word);
	strvec_add(&argv, url);
	int rc = proc_capture(argv.v, account->auth.command_timeout, &text, err);

	if (rc < 0)
		error_prefix(err, "burl_command");
	else if (strbuf_overflow(&text) || strlen(text.buf) != text.len)
		rc = error_set(err, FAULT_CONFIG, "what burl_command prints is no URL");
	if (rc == 0) {
		*out = arena_strndup(a, text.buf, strcspn(text.buf, "\r\n"));
		rc = check_url(*out, "what burl_command prints", err);
	}
	strvec_release(&argv);
	strbuf_release_secret(&text);
	return rc;
}

static int take_url(struct envelope *e, const struct account *a, const char *url,
		    struct burl_part *out, struct error *err)
{
	if (check_url(url, "the argument of --burl", err) < 0)
		return -1;
	out->url = url;
	if (!a->burl_command || strcasestr(url, ";urlauth="))
		return 0;
	return run_command(e->arena, a, url, &out->url, err);
}

/* Lines that end with CRLF, whatever ended them before. */
static void canonical(const struct strbuf *in, struct strbuf *out)
{
	for (size_t i = 0; i < in->len; i++) {
		if (in->buf[i] == '\r' && i + 1 < in->len && in->buf[i + 1] == '\n')
			continue;
		if (in->buf[i] == '\n' || in->buf[i] == '\r')
			strbuf_add(out, "\r\n", 2);
		else if (in->buf[i])
			strbuf_addch(out, in->buf[i]);
	}
	if (out->len && out->buf[out->len - 1] != '\n')
		strbuf_add(out, "\r\n", 2);
}

static int take_file(struct envelope *e, const char *path, struct burl_part *out,
		     struct error *err)
{
	struct strbuf raw = STRBUF_INIT(TEXT_MAX), text = STRBUF_INIT(2 * TEXT_MAX);
	int fd = fs_open_read(path), rc;

	if (fd < 0)
		return error_errno(err, FAULT_INPUT, "cannot open %s", path);
	rc = fs_read_fd(fd, path, &raw, err);
	close(fd);
	if (rc == 0) {
		canonical(&raw, &text);
		out->text = arena_strndup(e->arena, text.buf, text.len);
		out->len = text.len;
		if (!text_is_ascii(text.buf, text.len))
			e->body = BODY_8BITMIME;
	}
	strbuf_release(&raw);
	strbuf_release(&text);
	return rc;
}

int burl_apply(struct envelope *e, const struct burl_request *r, const struct account *a,
	       struct error *err)
{
	if (!r->n)
		return 0;
	const size_t first = r->whole ? 0 : 1;
	struct burl *b = arena_alloc(e->arena, sizeof(*b));
	struct burl_part *part = arena_calloc(e->arena, r->n + first, sizeof(*part));

	if (r->whole)
		e->body = BODY_7BIT;	/* what came on standard input is not sent */
	for (size_t i = 0; i < r->n; i++) {
		int rc = *r->piece[i] == '@' && !r->whole ?
			take_file(e, r->piece[i] + 1, &part[first + i], err) :
			take_url(e, a, r->piece[i], &part[first + i], err);

		if (rc < 0)
			return -1;
	}
	*b = (struct burl){ .part = part, .n = r->n + first };
	if (r->eight && e->body == BODY_7BIT)
		e->body = BODY_8BITMIME;
	e->size = r->size;
	e->burl = b;
	return 0;
}
