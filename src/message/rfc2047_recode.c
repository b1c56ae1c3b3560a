/*
 * Encoded words (RFC 2047) of UTF-8 as those of another charset: what makes
 * fields works in UTF-8, and this is the last step where the account wants
 * words in a charset that old readers know.
 */
#include "config.h"
#include "message/rfc2047.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "message/charset.h"
#include "util/base64.h"
#include "util/strbuf.h"
#include "util/text.h"

#define WORD_OCTETS ((size_t)75)	/* RFC 2047, section 2 */
#define LINE_OCTETS ((size_t)76)
#define ROOM_LEAST ((size_t)16)		/* of encoded text: less is not worth a word on this line */
#define OCTETS_MAX ((size_t)1 << 12)	/* far more than a word holds */
#define FIELD_OCTETS ((size_t)1 << 20)

/* --- reading ------------------------------------------------------------------------ */

static int hex_digit(char c)
{
	static const char hex[] = "0123456789ABCDEFabcdef";
	const char *at = c ? strchr(hex, c) : NULL;

	if (!at)
		return -1;
	return at - hex < 16 ? (int)(at - hex) : (int)(at - hex) - 6;
}

static bool decode_q(const char *s, size_t n, struct strbuf *out)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] != '=') {
			strbuf_addch(out, s[i] == '_' ? ' ' : s[i]);
			continue;
		}
		const int high = i + 2 < n ? hex_digit(s[i + 1]) : -1;
		const int low = high < 0 ? -1 : hex_digit(s[i + 2]);

		if (low < 0)
			return false;
		strbuf_addch(out, (char)(high << 4 | low));
		i += 2;
	}
	return true;
}

/*
 * encoded-word = "=?utf-8?" ( "B" / "Q" ) "?" encoded-text "?=" (RFC 2047,
 * section 2). Appends its octets; its length, 0 when there is none at s.
 */
static size_t read_word(const char *s, size_t n, struct strbuf *out)
{
	static const char start[] = "=?utf-8?";
	const size_t head = sizeof(start) - 1;

	if (n < head + 4 || strncasecmp(s, start, head) != 0 || s[head + 1] != '?')
		return 0;
	const char *text = s + head + 2, *end = memchr(text, '?', n - head - 2);

	if (!end || end + 1 == s + n || end[1] != '=' || memchr(text, ' ', (size_t)(end - text)))
		return 0;
	const size_t len = (size_t)(end - text);
	const char kind = s[head];

	if (kind == 'B' || kind == 'b' ? base64_decode(out, text, len) < 0 :
	    (kind != 'Q' && kind != 'q') || !decode_q(text, len, out))
		return 0;
	return (size_t)(end + 2 - s);
}

/* Words with nothing but blanks between them: their text, and where the last one ends. */
static size_t read_run(const char *s, size_t n, struct strbuf *out)
{
	size_t end = 0, at = 0, len;

	while ((len = read_word(s + at, n - at, out))) {
		end = at += len;
		while (at < n && text_is_fws(s[at]))
			at++;
		if (at == end)
			break;
	}
	return end;
}

/* --- writing ------------------------------------------------------------------------ */

struct recoding {
	const char *charset;
	bool b;
	size_t overhead;
};

/* May c stand for itself everywhere (RFC 2047, section 5, rule 3)? */
static bool stands_for_itself(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("!*+-/", c));
}

static size_t encoded_length(const struct recoding *r, const struct strbuf *octets)
{
	size_t n = 0;

	if (r->b)
		return (octets->len + 2) / 3 * 4;
	for (size_t i = 0; i < octets->len; i++)
		n += octets->buf[i] == ' ' || stands_for_itself(octets->buf[i]) ? 1 : 3;
	return n;
}

static void write_word(const struct recoding *r, const struct strbuf *octets, struct strbuf *out)
{
	strbuf_addf(out, "=?%s?%c?", r->charset, r->b ? 'B' : 'Q');
	if (r->b)
		base64_encode(out, octets->buf, octets->len);
	for (size_t i = 0; !r->b && i < octets->len; i++) {
		const char c = octets->buf[i];

		if (c == ' ')
			strbuf_addch(out, '_');
		else if (stands_for_itself(c))
			strbuf_addch(out, c);
		else
			strbuf_addf(out, "=%02X", (unsigned char)c);
	}
	strbuf_addstr(out, "?=");
}

/*
 * As many characters as a word of room octets of encoded text holds, at least
 * one; octets has them in the charset.
 */
static size_t fill_word(const struct recoding *r, const char *text, size_t n, size_t room,
			struct strbuf *octets)
{
	struct strbuf longer = STRBUF_INIT(OCTETS_MAX);
	size_t take = 0;

	for (;;) {
		const size_t next = take + text_utf8_char(text + take, n - take);

		strbuf_reset(&longer);
		if (next == take || charset_encode(text, next, r->charset, &longer) < 0 ||
		    (take && encoded_length(r, &longer) > room))
			break;
		take = next;
		strbuf_reset(octets);
		strbuf_add(octets, longer.buf, longer.len);
	}
	strbuf_release(&longer);
	return take;
}

static size_t last_column(const struct strbuf *out)
{
	size_t n = 0;

	while (n < out->len && out->buf[out->len - n - 1] != '\n')
		n++;
	return n;
}

static void write_words(const struct recoding *r, const char *text, size_t n, struct strbuf *out)
{
	struct strbuf octets = STRBUF_INIT(OCTETS_MAX);
	size_t column = last_column(out), room = WORD_OCTETS - r->overhead;

	if (column + r->overhead + ROOM_LEAST <= LINE_OCTETS) {
		room = LINE_OCTETS - column - r->overhead;
		room = room < WORD_OCTETS - r->overhead ? room : WORD_OCTETS - r->overhead;
	} else if (out->len && out->buf[out->len - 1] == ' ') {
		strbuf_truncate(out, out->len - 1);
		strbuf_addstr(out, "\r\n ");
	}
	while (n) {
		const size_t take = fill_word(r, text, n, room, &octets);

		if (!take)
			break;
		write_word(r, &octets, out);
		text += take;
		n -= take;
		if (n)
			strbuf_addstr(out, "\r\n ");
		room = WORD_OCTETS - r->overhead;
	}
	strbuf_release(&octets);
}

/* Writes the text; false when the charset has not all of its characters. */
static bool recode(const struct strbuf *text, const char *charset, struct strbuf *out)
{
	struct recoding r = { .charset = charset, .b = false };
	struct strbuf octets = STRBUF_INIT(FIELD_OCTETS);
	const bool can = text_is_utf8(text->buf, text->len) &&
		charset_encode(text->buf, text->len, charset, &octets) == 0;

	r.overhead = strlen(charset) + strlen("=?" "?B?" "?=");
	if (can) {
		r.b = encoded_length(&r, &octets) - octets.len > octets.len / 3 * 2;
		write_words(&r, text->buf, text->len, out);
	}
	strbuf_release(&octets);
	return can;
}

void rfc2047_recode(struct strbuf *field, const char *charset)
{
	struct strbuf text = STRBUF_INIT(FIELD_OCTETS), made = STRBUF_INIT(FIELD_OCTETS);
	const char *p = field->buf, *end = p + field->len;

	while (charset && p < end) {
		const char *word = memmem(p, (size_t)(end - p), "=?", 2);
		const size_t before = (size_t)((word ? word : end) - p);

		strbuf_add(&made, p, before);
		p += before;
		if (!word)
			break;
		strbuf_reset(&text);
		size_t run = read_run(p, (size_t)(end - p), &text);

		if (!run || !recode(&text, charset, &made)) {
			run = run ? run : 2;
			strbuf_add(&made, p, run);
		}
		p += run;
	}
	if (charset && !strbuf_overflow(&made)) {
		strbuf_reset(field);
		strbuf_add(field, made.buf, made.len);
	}
	strbuf_release(&text);
	strbuf_release(&made);
}
