#include "config.h"
#include "mime/mime_header.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "message/header.h"
#include "mime/mime_header_private.h"
#include "mime/mime_parse.h"
#include "util/arena.h"
#include "util/strbuf.h"
#include "util/text.h"

size_t downgrade_column(const struct downgrade *d)
{
	size_t n = 0;

	while (n < d->out->len && d->out->buf[d->out->len - n - 1] != '\n')
		n++;
	return n;
}

void downgrade_encode(struct downgrade *d, const char *text, size_t n, enum rfc2047_place place)
{
	size_t column = downgrade_column(d);

	rfc2047_encode_as(d->out, text, n, place, column ? column : 1, d->charset);
}

void downgrade_leave(struct downgrade *d, const char *text, size_t n, unsigned what)
{
	if (!text_is_ascii(text, n))
		d->left |= what;
	strbuf_add(d->out, text, n);
}

void downgrade_percent(struct downgrade *d, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)text[i] < 128)
			strbuf_addch(d->out, text[i]);
		else
			strbuf_addf(d->out, "%%%02X", (unsigned char)text[i]);
	}
}

/* Brackets inside, and octets behind a backslash, are text like any other then. */
void downgrade_comment(struct downgrade *d, const char *p, const char *end)
{
	struct strbuf text = STRBUF_INIT((size_t)(end - p));

	if (text_is_ascii(p, (size_t)(end - p)) || end - p < 2) {
		downgrade_leave(d, p, (size_t)(end - p), MIME_HEADER_OTHER);
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
	downgrade_encode(d, text.buf, text.len, RFC2047_COMMENT);
	if (closed)
		strbuf_addch(d->out, ')');
	strbuf_release(&text);
}

static void unstructured(struct downgrade *d, const char *value, size_t n)
{
	rfc2047_encode_text(d->out, value, n, downgrade_column(d), d->charset);
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
			downgrade_comment(d, p, stop);
			p = stop;
		}
	}
}

static void leave(struct downgrade *d, const char *p, size_t n)
{
	downgrade_leave(d, p, n, MIME_HEADER_OTHER);
}

static void structured(struct downgrade *d, const char *value, size_t n)
{
	between_comments(d, value, n, leave);
}

static void urls(struct downgrade *d, const char *value, size_t n)
{
	between_comments(d, value, n, downgrade_percent);
}

typedef void downgrade_fn(struct downgrade *, const char *value, size_t n);

/* Fields that are not unstructured, but for the address lists that header.h knows. */
static const struct {
	const char *name;
	downgrade_fn *write;
} fields[] = {
	{ "Content-Type", downgrade_params }, { "Content-Disposition", downgrade_params },
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
	{ "Keywords", downgrade_phrases }, { "List-ID", downgrade_phrases },
	{ "List-Help", urls }, { "List-Post", urls }, { "List-Owner", urls },
	{ "List-Archive", urls }, { "List-Subscribe", urls }, { "List-Unsubscribe", urls },
	{ "Archived-At", urls },
	{ "Mail-Followup-To", downgrade_addresses }, { "Mail-Reply-To", downgrade_addresses },
	{ "Errors-To", downgrade_addresses }, { "Return-Receipt-To", downgrade_addresses },
	{ "Disposition-Notification-To", downgrade_addresses },
	{ "Delivered-To", downgrade_addresses }, { "X-Original-To", downgrade_addresses },
	{ "Envelope-To", downgrade_addresses }, { "Apparently-To", downgrade_addresses },
};

static downgrade_fn *find_writer(const char *name, size_t len)
{
	if (header_flags(header_find_id(name, len)) & HEADER_ADDRESS)
		return downgrade_addresses;
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
	downgrade_encode(d, value + blanks, n - blanks, RFC2047_TEXT);
}

static unsigned write_field(struct strbuf *out, const char *field, size_t len,
			    const char *charset, bool own)
{
	struct downgrade d = { .out = out, .charset = charset };
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
		return 0;
	}
	while (end > value && (field[end - 1] == '\n' || field[end - 1] == '\r'))
		end--;
	strbuf_add(out, field, value);
	write(&d, field + value, end - value);
	strbuf_addstr(out, "\r\n");
	return d.left;
}

unsigned mime_header_downgrade(struct strbuf *out, const char *field, size_t len,
			       const char *charset)
{
	return write_field(out, field, len, charset, false);
}

unsigned mime_header_encode(struct strbuf *out, const char *field, size_t len,
			    const char *charset)
{
	return write_field(out, field, len, charset, true);
}
