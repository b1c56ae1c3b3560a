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
#include "util/text.h"

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

int charset_convert(const struct spool *in, const char *charset, struct spool *out,
		    struct error *err)
{
	struct conversion c = { .cd = iconv_open("UTF-8", charset) };
	int rc = 0;

	if (c.cd == none)
		return error_set(err, FAULT_MESSAGE, "charset '%s' is not known", charset);
	for (uint64_t at = 0; rc == 0 && at < spool_size(in);) {
		ssize_t got = spool_read(in, at, c.in + c.have, sizeof(c.in) - c.have, err);

		if (got < 0) {
			rc = -1;
			break;
		}
		at += (uint64_t)got;
		c.have += (size_t)got;
		rc = convert_some(&c, out, false, err);
	}
	if (rc == 0)
		rc = convert_some(&c, out, true, err);
	iconv_close(c.cd);
	return rc;
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
