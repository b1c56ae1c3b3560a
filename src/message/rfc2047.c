#include "config.h"
#include "message/rfc2047.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "message/charset.h"
#include "util/base64.h"
#include "util/strbuf.h"
#include "util/text.h"
#include "util/xalloc.h"

/*
 * encoded-word = "=?" charset "?" encoding "?" encoded-text "?="
 * (RFC 2047, section 2): at most 75 octets, a line that has one at most 76.
 */
#define WORD_MAX ((size_t)75)
#define LINE_MAX_ENCODED ((size_t)76)
#define CHAR_MAX_Q ((size_t)12)		/* four octets, escaped */

struct encoder {
	const char *charset;
	enum rfc2047_place place;
	bool utf8, b;
	size_t overhead;
};

/* May c stand for itself in the Q form (RFC 2047, sections 4.2 and 5)? */
static bool is_literal(enum rfc2047_place place, char c)
{
	if (isalnum((unsigned char)c))
		return true;
	if (c <= ' ' || c > '~' || strchr("=?_", c))
		return false;
	if (place == RFC2047_PHRASE)
		return strchr("!*+-/", c) != NULL;
	return place == RFC2047_TEXT || !strchr("()\"\\", c);
}

static size_t q_cost(const struct encoder *e, char c)
{
	return c == ' ' || is_literal(e->place, c) ? 1 : 3;
}

/* How many octets, whole characters, fit into room octets of encoded text. */
static size_t fitting(const struct encoder *e, const char *s, size_t n, size_t room)
{
	size_t take = 0, q = 0;

	while (take < n) {
		size_t len = e->utf8 ? text_utf8_char(s + take, n - take) : 1;

		for (size_t i = 0; i < len; i++)
			q += q_cost(e, s[take + i]);
		if ((e->b ? (take + len + 2) / 3 * 4 : q) > room)
			break;
		take += len;
	}
	return take;
}

static void add_q(struct strbuf *out, const struct encoder *e, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] == ' ')
			strbuf_addch(out, '_');
		else if (is_literal(e->place, s[i]))
			strbuf_addch(out, s[i]);
		else
			strbuf_addf(out, "=%02X", (unsigned char)s[i]);
	}
}

static void add_encoded_word(struct strbuf *out, const struct encoder *e, const char *s, size_t n)
{
	strbuf_addstr(out, "=?");
	strbuf_addstr(out, e->charset);
	strbuf_addstr(out, e->b ? "?B?" : "?Q?");
	if (e->b)
		base64_encode(out, s, n);
	else
		add_q(out, e, s, n);
	strbuf_addstr(out, "?=");
}

static struct encoder choose(const char *s, size_t n, enum rfc2047_place place,
			     const char *charset)
{
	struct encoder e = { .place = place, .utf8 = text_is_utf8(s, n) };
	size_t escaped = 0;

	for (size_t i = 0; i < n; i++)
		escaped += q_cost(&e, s[i]) > 1;
	e.b = escaped > n / 3;
	e.charset = e.utf8 ? "utf-8" : charset ? charset : CHARSET_UNKNOWN;
	e.overhead = strlen(e.charset) + strlen("=?" "?B?" "?=");
	return e;
}

/* The n octets hold no CR and LF. */
static void encode_line(struct strbuf *out, const char *s, size_t n, enum rfc2047_place place,
			size_t column, const char *charset)
{
	struct encoder e = choose(s, n, place, charset);
	size_t room = WORD_MAX;

	if (column) {
		room = column < LINE_MAX_ENCODED ? LINE_MAX_ENCODED - column : 0;
		if (room < e.overhead + CHAR_MAX_Q) {
			strbuf_addstr(out, "\r\n ");
			room = WORD_MAX;
		}
	}
	while (n) {
		size_t take = fitting(&e, s, n, room - e.overhead);

		add_encoded_word(out, &e, s, take);
		s += take;
		n -= take;
		if (n)
			strbuf_addstr(out, column ? "\r\n " : " ");
		room = WORD_MAX;
	}
}

void rfc2047_encode(struct strbuf *out, const char *text, size_t n, enum rfc2047_place place,
		    size_t column, const char *charset)
{
	char *line = xmalloc(n);
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		if (text[i] != '\r' && text[i] != '\n')
			line[len++] = text[i];
	}
	encode_line(out, line, len, place, column, charset);
	xfree(line);
}

enum kind { KIND_NONE, KIND_PLAIN, KIND_RAW, KIND_ENCODED };

struct token {
	size_t start, end;	/* the word, without blanks around it */
	enum kind kind;
};

bool rfc2047_is_word(const char *s, size_t n)
{
	return n > 6 && s[0] == '=' && s[1] == '?' && s[n - 2] == '?' && s[n - 1] == '=' &&
		text_is_ascii(s, n);
}

/* The word behind the blanks at offset at. */
static struct token next_token(const char *s, size_t n, size_t at)
{
	struct token t = { 0 };

	while (at < n && text_is_fws(s[at]))
		at++;
	t.start = at;
	while (at < n && !text_is_fws(s[at]))
		at++;
	t.end = at;
	if (t.end > t.start)
		t.kind = !text_is_ascii(s + t.start, t.end - t.start) ? KIND_RAW
			: rfc2047_is_word(s + t.start, t.end - t.start) ? KIND_ENCODED : KIND_PLAIN;
	return t;
}

/* The end of what is to be encoded from raw word t on; *behind: an encoded word follows. */
static size_t encoded_run_end(const char *s, size_t n, struct token t, bool *behind)
{
	size_t end = t.end;
	bool direct = true;

	while (t.kind != KIND_NONE && t.kind != KIND_ENCODED) {
		if (t.kind == KIND_RAW)
			end = t.end;
		direct = t.kind == KIND_RAW;
		t = next_token(s, n, t.end);
	}
	*behind = direct && t.kind == KIND_ENCODED;
	return *behind ? t.start : end;
}

static size_t column_after(const struct strbuf *out, size_t from, size_t column)
{
	for (; from < out->len; from++)
		column = out->buf[from] == '\n' ? 0 : column + 1;
	return column;
}

/*
 * Decoders drop the blanks between two encoded words: those next to an
 * encoded word that was there before are encoded too, so that they stay.
 */
void rfc2047_encode_text(struct strbuf *out, const char *text, size_t n, size_t column,
			    const char *charset)
{
	enum kind before = KIND_NONE;
	bool fold = column > 0;

	for (size_t at = 0; at < n;) {
		struct token t = next_token(text, n, at);
		size_t mark = out->len;
		bool behind = false;

		if (t.kind != KIND_RAW) {
			strbuf_add(out, text + at, t.end - at);
			at = t.end;
		} else {
			size_t end = encoded_run_end(text, n, t, &behind);

			if (before == KIND_ENCODED)
				strbuf_addch(out, ' ');
			else
				strbuf_add(out, text + at, t.start - at);
			if (before != KIND_ENCODED)
				at = t.start;
			column = column_after(out, mark, column);
			mark = out->len;
			rfc2047_encode(out, text + at, end - at, RFC2047_TEXT,
					  fold ? column : 0, charset);
			if (behind)
				strbuf_addch(out, ' ');
			at = end;
		}
		before = t.kind;
		column = column_after(out, mark, column);
	}
}
