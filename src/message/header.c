#include "config.h"
#include "message/header.h"

#include <string.h>
#include <strings.h>

#include "message/message.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

#define RESENT(flags) (HEADER_RESENT | (flags))

static const struct {
	const char *name;
	unsigned flags;
} table[HEADER_ID_COUNT] = {
	[HEADER_OTHER] = { "", 0 },
	[HEADER_FROM] = { "From", HEADER_ADDRESS | HEADER_SINGLE },
	[HEADER_SENDER] = { "Sender", HEADER_ADDRESS | HEADER_SINGLE },
	[HEADER_REPLY_TO] = { "Reply-To", HEADER_ADDRESS | HEADER_SINGLE },
	[HEADER_TO] = { "To", HEADER_ADDRESS | HEADER_RECIPIENT | HEADER_SINGLE },
	[HEADER_CC] = { "Cc", HEADER_ADDRESS | HEADER_RECIPIENT | HEADER_SINGLE },
	[HEADER_BCC] = { "Bcc", HEADER_ADDRESS | HEADER_RECIPIENT | HEADER_BLIND | HEADER_SINGLE },
	[HEADER_DATE] = { "Date", HEADER_SINGLE },
	[HEADER_MESSAGE_ID] = { "Message-ID", HEADER_SINGLE },
	[HEADER_SUBJECT] = { "Subject", HEADER_SINGLE },
	[HEADER_RETURN_PATH] = { "Return-Path", HEADER_DROP },
	[HEADER_CONTENT_LENGTH] = { "Content-Length", HEADER_DROP },
	[HEADER_MIME_VERSION] = { "MIME-Version", HEADER_SINGLE },
	[HEADER_CONTENT_TYPE] = { "Content-Type", HEADER_SINGLE },
	[HEADER_CONTENT_TRANSFER_ENCODING] = { "Content-Transfer-Encoding", HEADER_SINGLE },
	[HEADER_RESENT_FROM] = { "Resent-From", RESENT(HEADER_ADDRESS) },
	[HEADER_RESENT_SENDER] = { "Resent-Sender", RESENT(HEADER_ADDRESS) },
	[HEADER_RESENT_TO] = { "Resent-To", RESENT(HEADER_ADDRESS | HEADER_RECIPIENT) },
	[HEADER_RESENT_CC] = { "Resent-Cc", RESENT(HEADER_ADDRESS | HEADER_RECIPIENT) },
	[HEADER_RESENT_BCC] = { "Resent-Bcc",
				RESENT(HEADER_ADDRESS | HEADER_RECIPIENT | HEADER_BLIND) },
	[HEADER_RESENT_DATE] = { "Resent-Date", RESENT(0) },
	[HEADER_RESENT_MESSAGE_ID] = { "Resent-Message-ID", RESENT(0) },
	[HEADER_RECEIVED] = { "Received", 0 },
	[HEADER_IN_REPLY_TO] = { "In-Reply-To", HEADER_SINGLE },
	[HEADER_REFERENCES] = { "References", HEADER_SINGLE },
};

unsigned header_flags(enum header_id id)
{
	return table[id].flags;
}

const char *header_name(enum header_id id)
{
	return table[id].name;
}

enum header_id header_find_id(const char *name, size_t len)
{
	for (int id = HEADER_OTHER + 1; len && id < HEADER_ID_COUNT; id++) {
		const char *known = table[id].name;

		/* the first letter settles most; bit 5 is the case of letters */
		if (((known[0] ^ name[0]) & ~0x20) == 0 && strlen(known) == len &&
		    strncasecmp(known, name, len) == 0)
			return (enum header_id)id;
	}
	return HEADER_OTHER;
}

/* field-name = 1*ftext; ftext = %d33-57 / %d59-126 (RFC 5322, section 3.6.8) */
bool header_name_valid(const char *name)
{
	for (const char *p = name; *p; p++) {
		if (*p <= ' ' || *p >= 127 || *p == ':')
			return false;
	}
	return *name != '\0';
}

bool header_is(const char *text, const char *name)
{
	size_t n = strlen(name);

	return strncasecmp(text, name, n) == 0 && text[n + strspn(text + n, " \t")] == ':';
}

bool header_is_signed(const struct header *h)
{
	for (size_t i = 0; i < h->n; i++) {
		if (header_is(h->field[i].text, "DKIM-Signature"))
			return true;
	}
	return false;
}

const struct header_field *header_find(const struct header *h, enum header_id id)
{
	for (size_t i = 0; i < h->n; i++) {
		if (h->field[i].id == id)
			return &h->field[i];
	}
	return NULL;
}

const char *header_value(struct arena *a, const struct header_field *field)
{
	char *value = arena_alloc(a, field->len - field->value + 1);
	size_t n = 0;

	for (size_t i = field->value; i < field->len; i++) {
		char c = field->text[i];

		if (c == '\r' || c == '\n' || (n == 0 && text_is_wsp(c)))
			continue;
		value[n++] = c;
	}
	while (n && text_is_wsp(value[n - 1]))
		n--;
	value[n] = '\0';
	return value;
}

/*
 * optional-field = field-name ":" unstructured CRLF, field-name = 1*ftext,
 * ftext = %d33-57 / %d59-126 (RFC 5322, section 3.6.8); blanks before the
 * colon are obsolete (section 4.5).
 */
size_t header_field_start(const char *line, size_t len, size_t *value_out)
{
	size_t name = 0;

	while (name < len && line[name] > 32 && line[name] < 127 && line[name] != ':')
		name++;
	size_t colon = name;

	while (colon < len && text_is_wsp(line[colon]))
		colon++;
	if (name == 0 || colon == len || line[colon] != ':')
		return 0;
	*value_out = colon + 1;
	return name;
}

/* --- folding ------------------------------------------------------------------------ */

#define LINE_WANTED ((size_t)78)

bool header_fold_needed(const char *text, size_t len)
{
	for (const char *end = text + len; (size_t)(end - text) > MESSAGE_LINE_MAX;) {
		const char *lf = memchr(text, '\n', (size_t)(end - text));
		const char *stop = lf ? lf + 1 : end;
		size_t n = (size_t)(stop - text);

		if (n >= 2 && lf && lf[-1] == '\r')
			n -= 2;
		if (n > MESSAGE_LINE_MAX)
			return true;
		text = stop;
	}
	return false;
}

/* How a field is folded. */
struct fold {
	size_t width;		/* of the lines that are made */
	size_t most;		/* lines up to that stay as they are */
	bool split;		/* put a blank in where there is none */
	bool tokens;		/* ... but only where a structured field may have one */
	bool plain;		/* quotes are letters: one is open to the end */
};

/*
 * Where a line of n octets may be broken: in front of a blank that has text
 * on both sides, the first skip octets not counted. The last place up to the
 * width, else the first up to the limit; those inside quotes are the last
 * choice. 0 = none.
 */
static size_t find_break(const char *s, size_t n, size_t skip, const struct fold *f,
			 size_t limit, bool *quoted)
{
	size_t good = 0, poor = 0;
	bool text = false, inside = *quoted;

	while (n && text_is_wsp(s[n - 1]))
		n--;
	for (size_t i = 0; i < n && i <= limit && !(good && i > f->width); i++) {
		bool blank = text_is_wsp(s[i]);

		if (blank && text && !inside)
			good = i;
		else if (blank && text)
			poor = i;
		text = text || (!blank && i >= skip);
		if (s[i] == '\\' && inside)
			i++;
		else if (s[i] == '"' && !f->plain)
			inside = !inside;
	}
	*quoted = !good && poor;
	return good ? good : poor;
}

/*
 * Where a blank may be put into n octets of a structured field: behind ',' and
 * ';' and in front of '<' and '(', outside quotes and <...>. The last such
 * place up to the width, else the first up to the limit; 0 = none.
 */
static size_t find_gap(const char *s, size_t n, const struct fold *f, size_t limit, bool quoted)
{
	size_t found = 0;
	bool angle = false;

	for (size_t i = 0; i < n && i <= limit && !(found && i > f->width); i++) {
		const bool open = !quoted && !angle;

		if (i > 0 && open && (s[i] == '<' || s[i] == '(' || s[i - 1] == ',' ||
				      s[i - 1] == ';'))
			found = i;
		if (s[i] == '\\' && quoted)
			i++;
		else if (s[i] == '"')
			quoted = !quoted;
		else if (!quoted && (s[i] == '<' || s[i] == '>'))
			angle = s[i] == '<';
	}
	return found;
}

/* The last place up to the limit that is not inside a character. */
static size_t hard_break(const char *s, size_t limit)
{
	size_t at = limit;

	while (at > limit - 3 && ((unsigned char)s[at] & 0xc0) == 0x80)
		at--;
	return at;
}

/* One line without its end; quoted tells whether it begins inside quotes. */
static int fold_line(struct strbuf *out, const char *s, size_t n, size_t skip, bool *quoted,
		     const struct fold *f)
{
	size_t limit = MESSAGE_LINE_MAX;
	const bool own = f->most < limit;	/* then quotes are broken only where they must */
	const size_t wanted = n > f->most ? f->width : limit;

	for (; n > wanted; skip = 0) {
		bool inside = *quoted;
		size_t at = find_break(s, n, skip, f, limit, &inside);

		const size_t gap = !at && f->tokens ? find_gap(s, n, f, limit, *quoted) : 0;

		if (!at && gap <= skip && skip && n > limit)
			at = find_break(s, n, 0, f, limit, &inside);
		if (at && !(own && inside && n <= limit)) {
			*quoted = inside;
			limit = MESSAGE_LINE_MAX;
		} else if (gap > skip) {
			at = gap;
			limit = MESSAGE_LINE_MAX - 1;	/* behind a blank of ours */
			*quoted = false;
		} else if (n <= limit) {
			break;
		} else if (f->split) {
			at = hard_break(s, limit);
			limit = MESSAGE_LINE_MAX - 1;
		} else {
			return -1;
		}
		strbuf_add(out, s, at);
		strbuf_addstr(out, limit == MESSAGE_LINE_MAX ? "\r\n" : "\r\n ");
		s += at;
		n -= at;
	}
	strbuf_add(out, s, n);
	return 0;
}

static int fold_field(struct strbuf *out, const char *field, size_t len, const struct fold *f,
		      struct error *err)
{
	const size_t before = out->len;
	const char *p = field, *end = field + len;
	/* nobody expects a value that begins on the second line */
	size_t skip = f->most < MESSAGE_LINE_MAX || f->tokens ? strcspn(field, ":") + 1 : 0;
	bool quoted = false;

	for (; p < end; skip = 0) {
		const char *cr = memchr(p, '\r', (size_t)(end - p));
		size_t n = (size_t)((cr ? cr : end) - p);

		if (fold_line(out, p, n, skip, &quoted, f) < 0) {
			strbuf_truncate(out, before);
			return error_set(err, FAULT_MESSAGE,
					 "header field '%.*s': a line of %zu octets has no blank "
					 "where it could be folded; 998 octets are allowed",
					 (int)strcspn(field, ":"), field, n);
		}
		if (!cr)
			break;
		strbuf_add(out, "\r\n", 2);
		p = cr + 2;
	}
	return 0;
}

int header_fold(struct strbuf *out, const char *field, size_t len, enum header_gaps gaps,
		struct error *err)
{
	const struct fold f = { .width = LINE_WANTED, .most = MESSAGE_LINE_MAX,
				.split = gaps == HEADER_GAPS_ANYWHERE,
				.tokens = gaps == HEADER_GAPS_TOKENS };

	return fold_field(out, field, len, &f, err);
}

/* A text with inches in it: nothing is quoted there. */
static bool has_open_quote(const char *field, size_t len)
{
	bool inside = false;

	for (size_t i = 0; i < len; i++) {
		if (field[i] == '\\' && inside)
			i++;
		else if (field[i] == '"')
			inside = !inside;
	}
	return inside;
}

int header_fold_to(struct strbuf *out, const char *field, size_t len, size_t width,
		   struct error *err)
{
	const struct fold f = { .width = width, .most = width,
				.plain = has_open_quote(field, len) };

	return fold_field(out, field, len, &f, err);
}
