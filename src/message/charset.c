#include "config.h"
#include "message/charset.h"

#include <errno.h>
#include <iconv.h>
#include <langinfo.h>
#include <locale.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "message/spool.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"
#include "util/xalloc.h"

#define NAME_MAX_CHARSET 40		/* RFC 2978, section 2.3 */
#define BLOCK ((size_t)16 * 1024)
#define GROWTH 8			/* octets of UTF-8 for one of any charset, and more */

/* iconv_open() gives no pointer to test, but -1 as one. */
static const iconv_t none = (iconv_t)-1;

bool charset_name_valid(const char *name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789!#$%&+-^_`{}~";
	size_t len = strlen(name);

	return len > 0 && len <= NAME_MAX_CHARSET && strspn(name, allowed) == len;
}

bool charset_known(const char *name)
{
	iconv_t cd = charset_name_valid(name) ? iconv_open("UTF-8", name) : none;

	if (cd == none)
		return false;
	iconv_close(cd);
	return true;
}

/* What nl_langinfo() calls it; "" when there is no such locale. Asked once: it reads files. */
static const char *locale_codeset(void)
{
	static char name[NAME_MAX_CHARSET + 1];
	static bool asked;
	locale_t locale = asked ? (locale_t)0 : newlocale(LC_CTYPE_MASK, "", (locale_t)0);

	asked = true;
	if (locale) {
		snprintf(name, sizeof(name), "%s", nl_langinfo_l(CODESET, locale));
		freelocale(locale);
	}
	return name;
}

const char *charset_of_locale(void)
{
	static const char *const plain[] = { "", "ANSI_X3.4-1968", "US-ASCII", "ASCII", "646",
					     "UTF-8", "UTF8" };
	const char *name = locale_codeset();

	for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
		if (strcasecmp(name, plain[i]) == 0)
			return NULL;
	}
	return charset_known(name) ? name : NULL;
}

/* One conversion of a spool. */
struct conversion {
	iconv_t cd;
	uint64_t at;		/* octets converted */
	char in[BLOCK];
	size_t have;		/* of them not yet converted: an unfinished character */
	char out[BLOCK];
	bool lossy;		/* a character had to become another */
};

/* Converts what is there; at the end nothing may be left over. */
static int convert_some(struct conversion *c, struct spool *to, bool end, struct error *err)
{
	for (;;) {
		char *in = c->in, *out = c->out;
		size_t left = c->have, room = sizeof(c->out);
		bool flush = end && !left;
		size_t rc = flush ? iconv(c->cd, NULL, NULL, &out, &room)
				  : iconv(c->cd, &in, &left, &out, &room);
		const int why = rc == (size_t)-1 ? errno : 0;

		c->lossy |= rc > 0 && rc != (size_t)-1;
		c->at += c->have - left;
		memmove(c->in, in, left);
		c->have = left;
		if (spool_add(to, c->out, sizeof(c->out) - room, err) < 0)
			return -1;
		if (why == EILSEQ || (why == EINVAL && end))
			return error_set(err, FAULT_MESSAGE, "octet %llu is not valid in it",
					 (unsigned long long)c->at + 1);
		if (why != E2BIG && (flush || !end))
			return 0;
	}
}

static int convert_all(struct conversion *c, const struct spool *in, struct spool *out,
		       struct error *err)
{
	int rc = 0;

	for (uint64_t at = 0; rc == 0 && at < spool_size(in);) {
		ssize_t got = spool_read(in, at, c->in + c->have, sizeof(c->in) - c->have, err);

		if (got < 0)
			return -1;
		at += (uint64_t)got;
		c->have += (size_t)got;
		rc = convert_some(c, out, false, err);
	}
	return rc < 0 ? rc : convert_some(c, out, true, err);
}

int charset_convert(const struct spool *in, const char *charset, struct spool *out,
		    struct error *err)
{
	struct conversion c = { .cd = iconv_open("UTF-8", charset) };

	if (c.cd == none)
		return error_set(err, FAULT_MESSAGE, "charset '%s' is not known", charset);
	int rc = convert_all(&c, in, out, err);

	iconv_close(c.cd);
	return rc;
}

/* --- out of UTF-8 ------------------------------------------------------------------ */

int charset_encode_spool(const struct spool *in, const char *charset, struct spool *out,
			 struct error *err)
{
	struct conversion c = { .cd = iconv_open(charset, "UTF-8") };
	struct error why = { .exit = 0 };

	if (c.cd == none)
		return 0;
	int rc = convert_all(&c, in, out, &why);

	iconv_close(c.cd);
	if (rc == 0)
		return !c.lossy;
	if (why.fault == FAULT_MESSAGE)
		return 0;
	*err = why;
	return -1;
}

int charset_encode(const char *text, size_t n, const char *charset, struct strbuf *out)
{
	iconv_t cd = iconv_open(charset, "UTF-8");

	if (cd == none)
		return -1;
	size_t left = n, room = GROWTH * n + GROWTH;
	char *copy = xmalloc(n + 1), *in = copy, *made = xmalloc(room), *end = made;

	memcpy(copy, text, n);
	/* a number of characters that became others is a failure as well */
	const bool ok = iconv(cd, &in, &left, &end, &room) == 0 &&
		iconv(cd, NULL, NULL, &end, &room) == 0;

	if (ok)
		strbuf_add(out, made, (size_t)(end - made));
	iconv_close(cd);
	xfree(copy);
	xfree(made);
	return ok && !strbuf_overflow(out) ? 0 : -1;
}

bool charset_keeps_ascii(const char *name)
{
	static const char text[] = "AZaz 09=?_-./@<>\r\n";
	struct strbuf made = STRBUF_INIT(sizeof(text) * GROWTH * 2);
	const bool keeps = charset_name_valid(name) &&
		charset_encode(text, sizeof(text) - 1, name, &made) == 0 &&
		made.len == sizeof(text) - 1 && memcmp(made.buf, text, made.len) == 0;

	strbuf_release(&made);
	return keeps;
}

const char *charset_text(struct arena *a, const char *text, const char *charset)
{
	size_t left = strlen(text);

	if (text_is_utf8(text, left))
		return text;
	iconv_t cd = charset ? iconv_open("UTF-8", charset) : none;

	if (cd == none)
		return NULL;
	char *copy = arena_strdup(a, text), *in = copy;
	size_t room = GROWTH * left;
	char *made = arena_alloc(a, room + 1), *out = made;
	bool ok = iconv(cd, &in, &left, &out, &room) != (size_t)-1 &&
		  iconv(cd, NULL, NULL, &out, &room) != (size_t)-1;

	iconv_close(cd);
	return ok && strlen(made) == (size_t)(out - made) ? made : NULL;
}
