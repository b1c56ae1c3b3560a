#include "config.h"
#include "mime/mime_header.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "message/address.h"
#include "message/header.h"
#include "message/rfc2047.h"
#include "mime/mime_parse.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/strmap.h"
#include "util/text.h"

struct downgrade {
	struct strbuf *out;
	const char *charset;
	bool ascii;		/* nothing may be left */
	bool left;		/* an address was */
};

/* Octets of the last line. */
static size_t last_line(const struct strbuf *out)
{
	size_t n = 0;

	while (n < out->len && out->buf[out->len - n - 1] != '\n')
		n++;
	return n;
}

/* Appends n octets as encoded words, folded to where the line stands. */
static void encode_words(struct downgrade *d, const char *text, size_t n,
			     enum rfc2047_place place)
{
	size_t column = last_line(d->out);

	rfc2047_encode(d->out, text, n, place, column ? column : 1, d->charset);
}

/* Appends what has no other form: each character that is not ASCII becomes a '?'. */
static void mark(struct downgrade *d, const char *text, size_t n)
{
	for (size_t i = 0; i < n;) {
		const size_t len = text_utf8_char(text + i, n - i);
		const bool ascii = (unsigned char)text[i] < 128;

		strbuf_addch(d->out, ascii ? text[i] : '?');
		i += ascii || !len ? 1 : len;
	}
}

/* Appends an address, or a part of one, which may stay. */
static void leave_address(struct downgrade *d, const char *text, size_t n)
{
	if (d->ascii || text_is_ascii(text, n)) {
		mark(d, text, n);
		return;
	}
	d->left = true;
	strbuf_add(d->out, text, n);
}

/* Appends octets with %XX for those above 127. */
static void percent(struct downgrade *d, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)text[i] < 128)
			strbuf_addch(d->out, text[i]);
		else
			strbuf_addf(d->out, "%%%02X", (unsigned char)text[i]);
	}
}

/*
 * Appends the comment [p, end) that begins with '('. Brackets inside, and
 * octets behind a backslash, are text like any other then.
 */
static void put_comment(struct downgrade *d, const char *p, const char *end)
{
	struct strbuf text = STRBUF_INIT((size_t)(end - p));

	if (text_is_ascii(p, (size_t)(end - p)) || end - p < 2) {
		mark(d, p, (size_t)(end - p));
		return;
	}
	bool closed = end[-1] == ')';

	end -= closed;
	for (p++; p < end; p++) {
		if (*p == '\\' && p + 1 < end)
			p++;
		strbuf_addch(&text, *p);
	}
	strbuf_addch(d->out, '(');
	encode_words(d, text.buf, text.len, RFC2047_COMMENT);
	if (closed)
		strbuf_addch(d->out, ')');
	strbuf_release(&text);
}

static void unstructured(struct downgrade *d, const char *value, size_t n)
{
	rfc2047_encode_text(d->out, value, n, last_line(d->out), d->charset);
}

/* Comments are encoded; all else goes through put, piece by piece. */
static void between_comments(struct downgrade *d, const char *p, size_t n,
			     void (*put)(struct downgrade *, const char *, size_t))
{
	const char *end = p + n;

	while (p < end) {
		const char *stop = memchr(p, '(', (size_t)(end - p));

		stop = stop ? stop : end;
		put(d, p, (size_t)(stop - p));
		p = stop;
		if (p < end) {
			stop = mime_skip_comment(p, end);
			put_comment(d, p, stop);
			p = stop;
		}
	}
}

static void structured(struct downgrade *d, const char *value, size_t n)
{
	between_comments(d, value, n, mark);
}

static void urls(struct downgrade *d, const char *value, size_t n)
{
	between_comments(d, value, n, percent);
}

/* --- writing parameters ------------------------------------------------------------- */

#define LINE_WANTED ((size_t)76)
#define ESCAPED_MAX ((size_t)12)	/* a character of four octets */

/* attribute-char of RFC 2231, section 7, without what some readers misread */
static bool is_plain(unsigned char c)
{
	return isalnum(c) || (c && strchr("-._~", c));
}

/* The escaped form of the character at s; its octets. */
static size_t escape_char(struct strbuf *out, const char *s, size_t n, bool utf8)
{
	size_t len = utf8 ? text_utf8_char(s, n) : 1;

	strbuf_reset(out);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (is_plain(c))
			strbuf_addch(out, (char)c);
		else
			strbuf_addf(out, "%%%02X", c);
	}
	return len;
}

static size_t escaped_len(const char *s, size_t n)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		len += is_plain((unsigned char)s[i]) ? 1 : 3;
	return len;
}

/*
 * Appends the extended form on lines of its own, behind a ';' that is there:
 * extended-parameter := attribute ["*" section] "*" "=" charset "'" language
 * "'" value; later sections without charset and language (RFC 2231, sections
 * 3 and 4.1). No section ends inside a character.
 */
static void add_extended(struct strbuf *out, const char *name, size_t name_len,
			 const char *value, size_t n, const char *charset)
{
	struct strbuf one = STRBUF_INIT(ESCAPED_MAX);
	const bool utf8 = text_is_utf8(value, n);
	size_t room = LINE_WANTED - sizeof(" *=''");
	unsigned section = 0;

	charset = utf8 ? "utf-8" : charset;
	bool pieces = name_len + strlen(charset) + escaped_len(value, n) > room;

	strbuf_addstr(out, "\r\n ");
	strbuf_add(out, name, name_len);
	strbuf_addf(out, "%s=%s''", pieces ? "*0*" : "*", charset);
	for (size_t at = 0; at < n;) {
		at += escape_char(&one, value + at, n - at, utf8);
		if (pieces && last_line(out) + one.len + 1 > LINE_WANTED) {
			strbuf_addstr(out, ";\r\n ");
			strbuf_add(out, name, name_len);
			strbuf_addf(out, "*%u*=", ++section);
		}
		strbuf_add(out, one.buf, one.len);
	}
	strbuf_release(&one);
}

/*
 * token := 1*<any ASCII but SPACE, CTLs, tspecials> (RFC 2045, section 5.1),
 * without what RFC 2231 gives a meaning to: readers stumble over it.
 */
static bool is_token(const char *s)
{
	static const char tspecials[] = "()<>@,;:\\\"/[]?=*'%";
	const char *p = s;

	while (*p > ' ' && *p < 127 && !strchr(tspecials, *p))
		p++;
	return p > s && !*p;
}

void mime_param_add(struct strbuf *out, const char *name, const char *value, const char *charset)
{
	const size_t n = strlen(value);
	struct strbuf plain = STRBUF_INIT(2 * n + strlen(name) + sizeof("=\"\""));

	strbuf_addf(&plain, "%s=", name);
	if (is_token(value))
		strbuf_addstr(&plain, value);
	else
		text_quote_add(&plain, value);
	strbuf_addch(out, ';');
	/* what looks like an encoded word is taken for one, even in quotes */
	if (!text_is_ascii(value, n) || text_has_control(value, n) || strstr(value, "=?") ||
	    plain.len + sizeof(" ;") - 1 > LINE_WANTED)
		add_extended(out, name, strlen(name), value, n, charset);
	else
		strbuf_addf(out, "%s%s",
			    last_line(out) + plain.len + 2 > LINE_WANTED ? "\r\n " : " ",
			    plain.buf);
	strbuf_release(&plain);
}

/* --- parameters: Content-Type and the like ------------------------------------------ */

#define NAME_MAX_EXTENDED ((size_t)40)	/* longer ones leave no room for a value */

/* The names of those that are there as name*= or name*0=; readers take these. */
static void note_extended(struct strmap *names, const char *p, const char *end)
{
	struct mime_param param;

	while (mime_param_next(&p, end, &param)) {
		const char *star = param.name_len ? memchr(param.name, '*', param.name_len) : NULL;

		if (star)
			(void)strmap_add(names, arena_strndup(names->arena, param.name,
							      (size_t)(star - param.name)), 0);
	}
}

static void put_param(struct downgrade *d, const struct mime_param *param,
		      const struct strmap *extended)
{
	const size_t len = (size_t)(param->end - param->start);
	struct strbuf value = STRBUF_INIT(len);

	if (param->name_len && param->name_len <= NAME_MAX_EXTENDED &&
	    !memchr(param->name, '*', param->name_len) &&
	    !text_is_ascii(param->value, param->value_len)) {
		if (!strmap_find(extended, arena_strndup(extended->arena, param->name,
							 param->name_len), NULL)) {
			mime_param_value(param, &value);
			strbuf_addch(d->out, ';');
			add_extended(d->out, param->name, param->name_len, value.buf,
					    value.len, d->charset);
		}
	} else {
		strbuf_addch(d->out, ';');
		percent(d, param->start, len);
	}
	strbuf_release(&value);
}

static void params(struct downgrade *d, const char *value, size_t n)
{
	const char *end = value + n, *first = mime_param_first(value, end), *p = first;
	struct strmap extended = { .arena = arena_new() };
	struct mime_param param;

	between_comments(d, value, (size_t)(first - value), mark);	/* the type itself */
	note_extended(&extended, first, end);
	while (mime_param_next(&p, end, &param))
		put_param(d, &param, &extended);
	arena_free(extended.arena);
}

/* --- addresses and other phrases ---------------------------------------------------- */

/*
 * phrase = 1*word / obs-phrase, in which dots are let pass; word = atom /
 * quoted-string (RFC 5322, section 3.2.5). What ends a phrase:
 */
static bool is_special(char c)
{
	return strchr("(),:;<>@[]", c) != NULL && c != '\0';
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
	while (stop < end && !text_is_fws(*stop) && *stop != '"')
		stop++;
	strbuf_add(word, p, (size_t)(stop - p));
	return stop;
}

static void put_words(struct downgrade *d, struct strbuf *words, bool *first)
{
	if (!words->len)
		return;
	if (!*first)
		strbuf_addch(d->out, ' ');
	encode_words(d, words->buf, words->len, RFC2047_PHRASE);
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
		if (text_is_fws(*p)) {
			p++;
			continue;
		}
		bool quoted = *p == '"';

		p = take_word(p, end, &word);
		if (!quoted && rfc2047_is_word(word.buf, word.len)) {
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
			stop = p = mime_skip_quoted(p, end);
		} else {
			if (!text_is_fws(*p))
				stop = p + 1;
			p++;
		}
	}
	return stop;
}

/* Phrases, comments and what separates them; <...> stays but for what is not ASCII. */
static void phrases(struct downgrade *d, const char *p, size_t n)
{
	const char *end = p + n, *stop;

	while (p < end) {
		if (*p == '(') {
			stop = mime_skip_comment(p, end);
			put_comment(d, p, stop);
		} else if (*p == '<') {
			stop = memchr(p, '>', (size_t)(end - p));
			stop = stop ? stop : end;
			mark(d, p, (size_t)(stop - p));
		} else if (is_special(*p) || text_is_fws(*p)) {
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

	if (text_is_ascii(text, (size_t)(end - text))) {
		strbuf_add(d->out, text, (size_t)(end - text));
		return;
	}
	if (!box->domain || text_is_ascii(local_end, (size_t)(end - local_end))) {
		leave_address(d, text, (size_t)(end - text));
		return;
	}
	domain = memchr(local_end, '@', (size_t)(end - local_end));
	domain = domain ? arena_strndup(a, domain + 1, (size_t)(end - domain - 1)) : "";
	if (!address_domain_valid(domain) || idna_to_ascii(a, domain, &ascii, NULL) < 0) {
		leave_address(d, text, (size_t)(end - text));
		return;
	}
	leave_address(d, text, (size_t)(local_end - text));
	strbuf_addch(d->out, '@');
	strbuf_addstr(d->out, ascii);
}

/*
 * A list that cannot be read is parsed with a letter in place of each octet
 * that is not ASCII, so that no charset stands in the way.
 */
static void addresses(struct downgrade *d, const char *value, size_t n)
{
	struct arena *a = arena_new();
	char *mask = arena_strndup(a, value, n);
	struct address_list list;
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)value[i] > 127)
			mask[i] = 'x';
	}
	if (address_parse_list(a, value, n, ADDRESS_SEMICOLONS, &list, NULL) < 0 &&
	    address_parse_list(a, mask, n, ADDRESS_SEMICOLONS, &list, NULL) < 0) {
		rfc2047_encode_text(d->out, value, n, last_line(d->out), d->charset);
		arena_free(a);
		return;
	}
	for (size_t i = 0; i < list.n; i++) {
		phrases(d, value + at, list.box[i].start - at);
		put_address(d, a, value, &list.box[i]);
		at = list.box[i].end;
	}
	phrases(d, value + at, n - at);
	arena_free(a);
}

/* Whom a message has gone to: nobody writes there, and nothing is to depend on it. */
static void trace(struct downgrade *d, const char *value, size_t n)
{
	d->ascii = true;
	addresses(d, value, n);
}

/* --- the field ----------------------------------------------------------------------- */

typedef void downgrade_fn(struct downgrade *, const char *value, size_t n);

/* Fields that are not unstructured, but for the address lists that header.h knows. */
static const struct {
	const char *name;
	downgrade_fn *write;
} fields[] = {
	{ "Content-Type", params }, { "Content-Disposition", params },
	{ "Content-Transfer-Encoding", structured }, { "Content-ID", structured },
	{ "Content-Language", structured }, { "Content-MD5", structured },
	{ "MIME-Version", structured }, { "Content-Location", urls }, { "Content-Base", urls },
	{ "Date", structured }, { "Message-ID", structured }, { "In-Reply-To", structured },
	{ "References", structured }, { "Received", structured }, { "Return-Path", structured },
	{ "Resent-Date", structured }, { "Resent-Message-ID", structured },
	{ "DKIM-Signature", structured }, { "Authentication-Results", structured },
	{ "Received-SPF", structured }, { "ARC-Seal", structured },
	{ "ARC-Message-Signature", structured }, { "ARC-Authentication-Results", structured },
	{ "Auto-Submitted", structured }, { "Autocrypt", structured },
	{ "Keywords", phrases }, { "List-ID", phrases },
	{ "List-Help", urls }, { "List-Post", urls }, { "List-Owner", urls },
	{ "List-Archive", urls }, { "List-Subscribe", urls }, { "List-Unsubscribe", urls },
	{ "Archived-At", urls },
	{ "Mail-Followup-To", addresses }, { "Mail-Reply-To", addresses },
	{ "Errors-To", addresses }, { "Return-Receipt-To", addresses },
	{ "Disposition-Notification-To", addresses },
	{ "Delivered-To", trace }, { "X-Original-To", trace },
	{ "Envelope-To", trace }, { "Apparently-To", trace },
};

static downgrade_fn *find_writer(const char *name, size_t len)
{
	if (header_flags(header_find_id(name, len)) & HEADER_ADDRESS)
		return addresses;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		if (strlen(fields[i].name) == len && strncasecmp(fields[i].name, name, len) == 0)
			return fields[i].write;
	}
	return unstructured;
}

/* An ASCII value that a reader would take for encoded words. */
static bool misleads(const char *value, size_t n)
{
	for (size_t i = 0; i + 1 < n; i++) {
		if (value[i] == '=' && value[i + 1] == '?')
			return true;
	}
	return false;
}

static void encode_all(struct downgrade *d, const char *value, size_t n)
{
	size_t blanks = 0;

	while (blanks < n && (value[blanks] == ' ' || value[blanks] == '\t'))
		blanks++;
	strbuf_add(d->out, value, blanks);
	encode_words(d, value + blanks, n - blanks, RFC2047_TEXT);
}

bool mime_header_encode(struct strbuf *out, const char *field, size_t len,
			const char *charset, unsigned how)
{
	struct downgrade d = { .out = out, .charset = charset,
			       .ascii = (how & MIME_HEADER_ASCII) != 0 };
	const bool own = how & MIME_HEADER_OWN;
	size_t value = 0, end = len;
	size_t name = header_field_start(field, len, &value);
	const bool ascii = text_is_ascii(field, len);
	downgrade_fn *write = NULL;

	if (!ascii || (own && misleads(field + value, len - value)))
		write = find_writer(field, name);
	if (write == unstructured && own && misleads(field + value, len - value))
		write = encode_all;
	else if (ascii)
		write = NULL;
	if (!write) {
		strbuf_add(out, field, len);
		return false;
	}
	while (end > value && (field[end - 1] == '\n' || field[end - 1] == '\r'))
		end--;
	strbuf_add(out, field, value);
	write(&d, field + value, end - value);
	strbuf_addstr(out, "\r\n");
	return d.left;
}

/* Appends the field with all its text in encoded words; not one that has some already. */
static void add_as_words(struct strbuf *out, const char *field, size_t len, const char *charset)
{
	struct downgrade d = { .out = out, .charset = charset };
	size_t value = 0, end = len;

	(void)header_field_start(field, len, &value);
	if (misleads(field + value, len - value))
		return;
	while (end > value && (field[end - 1] == '\n' || field[end - 1] == '\r'))
		end--;
	strbuf_add(out, field, value);
	encode_all(&d, field + value, end - value);
	strbuf_addstr(out, "\r\n");
}

static bool fold_whole(struct strbuf *out, const struct strbuf *field, enum header_gaps gaps)
{
	return field->len && !strbuf_overflow(field) &&
	       header_fold(out, field->buf, field->len, gaps, NULL) == 0;
}

void mime_header_fold(struct strbuf *out, const char *field, size_t len, bool split,
		      const char *charset)
{
	size_t value, name = header_field_start(field, len, &value);
	const bool text = find_writer(field, name) == unstructured;
	const enum header_gaps gaps = split ? HEADER_GAPS_ANYWHERE :
		text ? HEADER_GAPS_NONE : HEADER_GAPS_TOKENS;
	const bool is_ascii = text_is_ascii(field, len);
	struct strbuf ascii = STRBUF_INIT(16 * len + 4096);
	bool folded = header_fold(out, field, len, gaps, NULL) == 0;

	if (!folded && charset && !is_ascii) {
		(void)mime_header_encode(&ascii, field, len, charset, 0);
		folded = fold_whole(out, &ascii, gaps);
	}
	if (!folded && text && (charset || is_ascii)) {
		strbuf_reset(&ascii);
		add_as_words(&ascii, field, len, charset);
		folded = fold_whole(out, &ascii, gaps);
	}
	if (!folded)
		strbuf_add(out, field, len);
	strbuf_release(&ascii);
}
