/* Header fields of addresses, in ASCII: phrases become encoded words. */
#include "config.h"
#include "mime/mime_header_private.h"

#include <string.h>

#include "message/address.h"
#include "message/idna.h"
#include "mime/mime_header.h"
#include "mime/mime_parse.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/*
 * phrase = 1*word / obs-phrase, in which dots are let pass; word = atom /
 * quoted-string (RFC 5322, section 3.2.5). What ends a phrase:
 */
static bool is_special(char c)
{
	return strchr("(),:;<>@[]", c) != NULL && c != '\0';
}

static const char *quoted_end(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++) {
		if (*p == '\\' && p + 1 < end)
			p++;
	}
	return p < end ? p + 1 : end;
}

/* The text of a quoted-string without quotes; one that nothing closes keeps its own. */
static const char *take_quoted(const char *p, const char *end, struct strbuf *word)
{
	const char *start = p;

	for (p++; p < end && *p != '"'; p++) {
		if (*p == '\\' && p + 1 < end)
			p++;
		if (*p != '\r' && *p != '\n')
			strbuf_addch(word, *p);
	}
	if (p < end)
		return p + 1;
	strbuf_reset(word);
	for (p = start; p < end; p++) {
		if (*p != '\r' && *p != '\n')
			strbuf_addch(word, *p);
	}
	return end;
}

/* The next word of a phrase: its text without quotes into word; the place behind it. */
static const char *take_word(const char *p, const char *end, struct strbuf *word)
{
	const char *stop = p;

	strbuf_reset(word);
	if (*p == '"')
		return take_quoted(p, end, word);
	while (stop < end && !is_blank(*stop) && *stop != '"')
		stop++;
	strbuf_add(word, p, (size_t)(stop - p));
	return stop;
}

static bool looks_encoded(const struct strbuf *s)
{
	return s->len > 6 && memcmp(s->buf, "=?", 2) == 0 &&
	       memcmp(s->buf + s->len - 2, "?=", 2) == 0;
}

static void put_words(struct downgrade *d, struct strbuf *words, bool *first)
{
	if (!words->len)
		return;
	if (!*first)
		strbuf_addch(d->out, ' ');
	downgrade_encode(d, words->buf, words->len, RFC2047_PHRASE);
	strbuf_reset(words);
	*first = false;
}

/*
 * A phrase of which a word is not ASCII: all of it is encoded, as the blanks
 * between encoded words would be lost; words that were encoded before stay.
 */
static void encode_phrase(struct downgrade *d, const char *p, const char *end)
{
	struct strbuf words = STRBUF_INIT((size_t)(end - p) * 2);
	struct strbuf word = STRBUF_INIT((size_t)(end - p));
	bool first = true, behind = false;	/* an encoded word */

	while (p < end) {
		if (is_blank(*p)) {
			p++;
			continue;
		}
		bool quoted = *p == '"';

		p = take_word(p, end, &word);
		if (!quoted && looks_encoded(&word)) {
			if (words.len)
				strbuf_addch(&words, ' ');
			put_words(d, &words, &first);
			if (!first)
				strbuf_addch(d->out, ' ');
			strbuf_add(d->out, word.buf, word.len);
			first = false;
			behind = true;
		} else {
			if (words.len || behind)
				strbuf_addch(&words, ' ');
			strbuf_add(&words, word.buf, word.len);
			behind = false;
		}
	}
	put_words(d, &words, &first);
	strbuf_release(&words);
	strbuf_release(&word);
}

/* The end of the phrase at p, blanks behind it not counted. */
static const char *phrase_end(const char *p, const char *end)
{
	const char *stop = p;

	while (p < end && !is_special(*p)) {
		if (*p == '"') {
			stop = p = quoted_end(p, end);
		} else {
			if (!is_blank(*p))
				stop = p + 1;
			p++;
		}
	}
	return stop;
}

/* Phrases, comments and what separates them; <...> stays as it is. */
void downgrade_phrases(struct downgrade *d, const char *p, size_t n)
{
	const char *end = p + n, *stop;

	while (p < end) {
		if (*p == '(') {
			stop = mime_skip_comment(p, end);
			downgrade_comment(d, p, stop);
		} else if (*p == '<') {
			stop = memchr(p, '>', (size_t)(end - p));
			stop = stop ? stop : end;
			downgrade_leave(d, p, (size_t)(stop - p), MIME_HEADER_OTHER);
		} else if (is_special(*p) || is_blank(*p)) {
			stop = p + 1;
			strbuf_addch(d->out, *p);
		} else {
			stop = phrase_end(p, end);
			if (text_is_ascii(p, (size_t)(stop - p)))
				strbuf_add(d->out, p, (size_t)(stop - p));
			else
				encode_phrase(d, p, stop);
		}
		p = stop;
	}
}

/* The address that stands at [box->start, box->end) of value. */
static void put_address(struct downgrade *d, struct arena *a, const char *value,
			const struct mailbox *box)
{
	const char *text = value + box->start, *local_end = value + box->local_end;
	const char *end = value + box->end, *domain, *ascii;
	struct error no_form;

	if (text_is_ascii(text, (size_t)(end - text))) {
		strbuf_add(d->out, text, (size_t)(end - text));
		return;
	}
	if (!box->domain || text_is_ascii(local_end, (size_t)(end - local_end))) {
		downgrade_leave(d, text, (size_t)(end - text), MIME_HEADER_ADDRESS);
		return;
	}
	domain = memchr(local_end, '@', (size_t)(end - local_end));
	domain = domain ? arena_strndup(a, domain + 1, (size_t)(end - domain - 1)) : "";
	if (!address_domain_valid(domain) || idna_to_ascii(a, domain, &ascii, &no_form) < 0) {
		downgrade_leave(d, text, (size_t)(end - text), MIME_HEADER_ADDRESS);
		return;
	}
	downgrade_leave(d, text, (size_t)(local_end - text), MIME_HEADER_ADDRESS);
	strbuf_addch(d->out, '@');
	strbuf_addstr(d->out, ascii);
}

/*
 * The list is parsed with a letter in place of each octet that is not ASCII,
 * so that names in any charset do not stand in the way.
 */
void downgrade_addresses(struct downgrade *d, const char *value, size_t n)
{
	struct arena *a = arena_new();
	char *mask = arena_strndup(a, value, n);
	struct address_list list;
	struct error unreadable;
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)value[i] > 127)
			mask[i] = 'x';
	}
	if (address_parse_list(a, mask, n, ADDRESS_SEMICOLONS, &list, &unreadable) < 0) {
		rfc2047_encode_text(d->out, value, n, downgrade_column(d), d->charset);
		arena_free(a);
		return;
	}
	for (size_t i = 0; i < list.n; i++) {
		downgrade_phrases(d, value + at, list.box[i].start - at);
		put_address(d, a, value, &list.box[i]);
		at = list.box[i].end;
	}
	downgrade_phrases(d, value + at, n - at);
	arena_free(a);
}
