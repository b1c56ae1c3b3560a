#include "config.h"
#include "track/mtqp_report.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "mime/mime_parse.h"
#include "util/arena.h"
#include "util/names.h"
#include "util/strbuf.h"

#define VALUE_MAX 1024

static const struct name_value actions[] = {
	{ "unknown", TRACK_UNKNOWN }, { "failed", TRACK_FAILED }, { "delayed", TRACK_DELAYED },
	{ "delivered", TRACK_DELIVERED }, { "expanded", TRACK_EXPANDED },
	{ "relayed", TRACK_RELAYED }, { "transferred", TRACK_TRANSFERRED },
	{ "opaque", TRACK_OPAQUE }, { NULL, 0 }
};

const char *track_action_name(enum track_action action)
{
	return names_name(actions, (int)action);
}

/* A run of octets of the answer. */
struct span {
	const char *text;
	size_t len;
};

/* The length up to the empty line, or all; *rest_out is what lies behind it. */
static size_t up_to_empty(const struct span *s, struct span *rest_out)
{
	const char *end = memmem(s->text, s->len, "\r\n\r\n", 4);
	size_t n = end ? (size_t)(end - s->text) + 2 : s->len;
	size_t skip = end ? n + 2 : s->len;

	if (s->len >= 2 && memcmp(s->text, "\r\n", 2) == 0) {	/* empty at once */
		n = 0;
		skip = 2;
	}
	*rest_out = (struct span){ s->text + skip, s->len - skip };
	return n;
}

/* The value of the first such field, unfolded, comments in front passed; NULL if there is none. */
static const char *field_value(struct arena *a, const struct span *group, const char *name)
{
	struct strbuf value = STRBUF_INIT(VALUE_MAX);
	struct mime_field f;
	const char *found = NULL;

	for (size_t at = 0; !found && mime_field_next(group->text, group->len, &at, &f);) {
		if (!mime_field_is(&f, name))
			continue;
		const char *end = f.text + f.len;
		const char *p = mime_skip_cfws(f.text + f.value, end);

		for (; p < end; p++) {
			if (*p != '\r' && *p != '\n' && *p != '\0')
				strbuf_addch(&value, *p);
		}
		while (value.len && strchr(" \t", value.buf[value.len - 1]))
			strbuf_truncate(&value, value.len - 1);
		found = value.len ? arena_strndup(a, value.buf, value.len) : NULL;
	}
	strbuf_release(&value);
	return found;
}

/* "rfc822; joe@example.org", "dns; mx.example.org": what stands behind the type. */
static const char *typed_value(struct arena *a, const struct span *group, const char *name)
{
	const char *value = field_value(a, group, name);
	const char *semicolon = value ? strchr(value, ';') : NULL;

	if (!semicolon)
		return value;
	return semicolon + 1 + strspn(semicolon + 1, " \t");
}

static enum track_action read_action(const char *text)
{
	int action = TRACK_UNKNOWN;
	char word[32];
	size_t n = text ? strcspn(text, " \t(;") : 0;

	if (n == 0 || n >= sizeof(word))
		return TRACK_UNKNOWN;
	memcpy(word, text, n);
	word[n] = '\0';
	(void)names_find(actions, word, &action);
	return (enum track_action)action;
}

static void add_recipient(struct arena *a, const struct span *group, const char *reporting,
			  struct track_report *out)
{
	struct track_recipient r = {
		.address = typed_value(a, group, "Final-Recipient"),
		.action = read_action(field_value(a, group, "Action")),
		.status = field_value(a, group, "Status"),
		.reporting_mta = reporting,
		.remote_mta = typed_value(a, group, "Remote-MTA"),
		.will_retry_until = field_value(a, group, "Will-Retry-Until"),
	};

	if (!r.address)
		r.address = typed_value(a, group, "Original-Recipient");
	if (!r.address || out->n == MTQP_RECIPIENTS_MAX)
		return;
	out->v = arena_grow(a, out->v, out->n, &out->alloc, sizeof(*out->v));
	out->v[out->n++] = r;
}

/*
 * tracking-status-content = per-message-fields 1*( CRLF per-recipient-fields )
 * (RFC 3886, section 3)
 */
static void read_status(struct arena *a, struct span body, struct track_report *out)
{
	const char *reporting = NULL;
	bool first = true;

	while (body.len) {
		struct span rest, group = { body.text, 0 };

		group.len = up_to_empty(&body, &rest);
		body = rest;
		if (group.len == 0)
			continue;
		if (first)
			reporting = typed_value(a, &group, "Reporting-MTA");
		else
			add_recipient(a, &group, reporting, out);
		first = false;
	}
}

static bool is_status(struct arena *a, const struct span *header)
{
	static const char type[] = "message/tracking-status";
	const char *value = field_value(a, header, "Content-Type");

	return value && strncasecmp(value, type, strlen(type)) == 0 &&
		strchr(" \t;(", value[strlen(type)]);
}

/* Is that line a delimiter of the multipart (RFC 2046, section 5.1.1)? */
static bool is_delimiter(const char *line, size_t len, const struct mime_entity *top)
{
	if (len < top->boundary_len + 2 || memcmp(line, "--", 2) != 0 ||
	    memcmp(line + 2, top->boundary, top->boundary_len) != 0)
		return false;
	line += 2 + top->boundary_len;
	len -= 2 + top->boundary_len;
	if (len >= 2 && memcmp(line, "--", 2) == 0) {
		line += 2;
		len -= 2;
	}
	while (len && strchr(" \t\r\n", *line)) {
		line++;
		len--;
	}
	return len == 0;
}

static void read_part(struct arena *a, struct span part, struct track_report *out)
{
	struct span body, header = { part.text, 0 };

	header.len = up_to_empty(&part, &body);
	if (is_status(a, &header))
		read_status(a, body, out);
}

/* Each part between two delimiters; what stands before the first is none. */
static void read_parts(struct arena *a, const struct mime_entity *top, struct span body,
		       struct track_report *out)
{
	const char *start = NULL, *p = body.text, *end = body.text + body.len;

	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		const char *next = lf ? lf + 1 : end;

		if (is_delimiter(p, (size_t)(next - p), top)) {
			if (start)
				read_part(a, (struct span){ start, (size_t)(p - start) }, out);
			start = next;
		}
		p = next;
	}
	if (start && start < end)	/* the last delimiter is missing */
		read_part(a, (struct span){ start, (size_t)(end - start) }, out);
}

void track_report_read(struct arena *a, const char *text, size_t len, struct track_report *out)
{
	struct span body, all = { text, len }, header = { text, 0 };
	struct mime_entity top;

	*out = (struct track_report){ .v = NULL };
	header.len = up_to_empty(&all, &body);
	mime_parse_header(header.text, header.len, MIME_PLACE_MESSAGE, &top);
	if (top.kind == MIME_MULTIPART)
		read_parts(a, &top, body, out);
	else
		read_part(a, all, out);
}
