#include "config.h"
#include "mime/mime_parse.h"

#include <string.h>
#include <strings.h>

#include "message/header.h"
#include "util/strbuf.h"
#include "util/text.h"

#define TOKEN_MAX ((size_t)127)		/* of a type, RFC 6838, section 4.2 */

/* token := 1*<any CHAR except SPACE, CTLs, or tspecials> (RFC 2045, section 5.1) */
static bool is_token_char(char c)
{
	return c > ' ' && c < 127 && !strchr("()<>@,;:\\\"/[]?=", c);
}

/* comment = "(" *(ctext / quoted-pair / comment) ")" */
const char *mime_skip_comment(const char *p, const char *end)
{
	size_t depth = 0;

	for (; p < end; p++) {
		if (*p == '\\' && p + 1 < end)
			p++;
		else if (*p == '(')
			depth++;
		else if (*p == ')' && --depth == 0)
			return p + 1;
	}
	return end;
}

const char *mime_skip_cfws(const char *p, const char *end)
{
	while (p < end && (text_is_fws(*p) || *p == '('))
		p = *p == '(' ? mime_skip_comment(p, end) : p + 1;
	return p;
}

const char *mime_skip_quoted(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++) {
		if (*p == '\\' && p + 1 < end)
			p++;
	}
	return p < end ? p + 1 : end;
}

const char *mime_param_first(const char *p, const char *end)
{
	while (p < end && *p != ';') {
		if (*p == '(')
			p = mime_skip_comment(p, end);
		else
			p = *p == '"' ? mime_skip_quoted(p, end) : p + 1;
	}
	return p;
}

/* The next ';' outside quotes: parentheses are common in names of files and are no comments. */
static const char *param_end(const char *p, const char *end)
{
	while (p < end && *p != ';')
		p = *p == '"' ? mime_skip_quoted(p, end) : p + 1;
	return p;
}

/*
 * parameter := attribute "=" value; value := token / quoted-string (RFC 2045,
 * section 5.1), with CFWS between all of them.
 */
bool mime_param_next(const char **p, const char *end, struct mime_param *out)
{
	if (*p >= end)
		return false;
	const char *s = *p + 1;

	*out = (struct mime_param){ .start = s };
	s = mime_skip_cfws(s, end);
	out->name = s;
	while (s < end && is_token_char(*s))
		s++;
	out->name_len = (size_t)(s - out->name);
	s = mime_skip_cfws(s, end);
	out->end = param_end(s, end);
	*p = out->end;
	out->value = out->end;
	if (s == end || *s != '=')
		return true;
	s++;
	while (s < out->end && text_is_fws(*s))
		s++;
	out->quoted = s < out->end && *s == '"';
	const char *stop = out->quoted ? mime_skip_quoted(s, out->end) : out->end;

	if (out->quoted) {
		s++;
		stop -= stop > s && stop[-1] == '"';
	}
	while (!out->quoted && stop > s && text_is_fws(stop[-1]))
		stop--;
	out->value = s;
	out->value_len = (size_t)(stop - s);
	return true;
}

void mime_param_value(const struct mime_param *param, struct strbuf *out)
{
	const char *p = param->value, *end = p + param->value_len;

	for (; p < end; p++) {
		if (param->quoted && *p == '\\' && p + 1 < end)
			p++;
		if (*p != '\r' && *p != '\n')
			strbuf_addch(out, *p);
	}
}

bool mime_field_next(const char *text, size_t len, size_t *at, struct mime_field *out)
{
	size_t end = *at;

	if (end >= len)
		return false;
	do {
		const char *lf = memchr(text + end, '\n', len - end);

		end = lf ? (size_t)(lf - text) + 1 : len;
	} while (end < len && (text[end] == ' ' || text[end] == '\t'));
	*out = (struct mime_field){ .text = text + *at, .len = end - *at };
	out->name = header_field_start(out->text, out->len, &out->value);
	*at = end;
	return true;
}

bool mime_field_is(const struct mime_field *f, const char *name)
{
	return strlen(name) == f->name && strncasecmp(f->text, name, f->name) == 0;
}

/* Types that are not plain leaves; a subtype of NULL is any other of that type. */
static const struct media {
	const char *type, *subtype;
	enum mime_kind kind;
	bool text, digest, global, fields;
} media[] = {
	{ "multipart", "signed", MIME_SEALED, .text = false },
	{ "multipart", "encrypted", MIME_SEALED, .text = false },
	{ "multipart", "digest", MIME_MULTIPART, .digest = true },
	{ "multipart", NULL, MIME_MULTIPART, .text = false },
	{ "message", "rfc822", MIME_MESSAGE, .text = false },
	{ "message", "news", MIME_MESSAGE, .text = false },
	{ "message", "external-body", MIME_EXTERNAL, .text = false },
	{ "message", "partial", MIME_SEALED, .text = false },
	{ "message", "global", MIME_LEAF, .global = true },
	{ "message", "global-headers", MIME_LEAF, .global = true },
	{ "message", "global-delivery-status", MIME_LEAF, .global = true },
	{ "message", "global-disposition-notification", MIME_LEAF, .global = true },
	{ "message", "delivery-status", MIME_RIGID, .fields = true },
	{ "message", "disposition-notification", MIME_RIGID, .fields = true },
	{ "message", "tracking-status", MIME_RIGID, .fields = true },
	{ "message", "feedback-report", MIME_RIGID, .fields = true },
	{ "message", NULL, MIME_RIGID, .text = false },
	{ "text", NULL, MIME_LEAF, .text = true },
	{ NULL, NULL, MIME_LEAF, .text = false },
};

static const struct media *find_media(const char *type, const char *subtype)
{
	const struct media *m = media;

	while (m->type && (strcasecmp(m->type, type) != 0 ||
			   (m->subtype && strcasecmp(m->subtype, subtype) != 0)))
		m++;
	return m;
}

static void set_media(struct mime_entity *e, const struct media *m)
{
	e->kind = m->kind;
	e->text = m->text;
	e->digest = m->digest;
	e->global = m->global;
	e->fields = m->fields;
}

/* A token in lower or upper case into out; the place behind it, NULL if there is none. */
static const char *take_token(const char *p, const char *end, char out[TOKEN_MAX + 1])
{
	size_t n = 0;

	for (p = mime_skip_cfws(p, end); p < end && is_token_char(*p) && n < TOKEN_MAX; p++)
		out[n++] = *p;
	out[n] = '\0';
	return n ? mime_skip_cfws(p, end) : NULL;
}

/*
 * boundary := 0*69<bchars> bcharsnospace (RFC 2046, section 5.1.1). Other
 * printable octets than bchars are let pass: nothing is ambiguous in them,
 * and blanks at the end are nothing.
 */
static const char *set_boundary(struct mime_entity *e, const struct mime_param *param)
{
	struct strbuf value = STRBUF_INIT(MIME_BOUNDARY_MAX);
	const char *fault = NULL;

	mime_param_value(param, &value);
	while (value.len && text_is_wsp(value.buf[value.len - 1]))
		strbuf_truncate(&value, value.len - 1);
	if (strbuf_overflow(&value) || !value.len)
		fault = "its boundary is empty or too long";
	for (size_t i = 0; i < value.len && !fault; i++) {
		if (value.buf[i] < ' ' || value.buf[i] > '~')
			fault = "its boundary has characters that may not be there";
	}
	if (!fault) {
		memcpy(e->boundary, value.buf, value.len + 1);
		e->boundary_len = value.len;
	}
	strbuf_release(&value);
	return fault;
}

/* The first one counts. */
static const char *find_boundary(struct mime_entity *e, const char *p, const char *end)
{
	static const char name[] = "boundary";
	const char *fault = NULL;
	struct mime_param param;

	p = mime_param_first(p, end);
	while (!fault && !e->boundary_len && mime_param_next(&p, end, &param)) {
		if (param.name_len < sizeof(name) - 1 ||
		    strncasecmp(param.name, name, sizeof(name) - 1) != 0)
			continue;
		if (param.name_len == sizeof(name) - 1)
			fault = set_boundary(e, &param);
		else if (param.name[sizeof(name) - 1] == '*')
			fault = "its boundary is written in pieces";
	}
	return fault || e->boundary_len ? fault : "it has no boundary";
}

/* How much of what it says is at stake: the greater one of two types counts, else the first. */
static int weight(const struct mime_entity *e)
{
	return e->kind == MIME_SEALED ? 3 : e->kind == MIME_MULTIPART && !e->fault ? 2 :
		e->kind == MIME_LEAF || e->kind == MIME_MULTIPART ? 0 : 1;
}

/* content := "Content-Type" ":" type "/" subtype *(";" parameter) */
static void parse_type(struct mime_entity *e, const struct mime_field *f)
{
	const char *p = f->text + f->value, *end = f->text + f->len;
	char type[TOKEN_MAX + 1], subtype[TOKEN_MAX + 1];
	const struct mime_entity before = *e;

	e->has_type = true;
	e->fault = NULL;
	e->boundary_len = 0;
	e->boundary[0] = '\0';
	p = take_token(p, end, type);
	if (p && p < end && *p == '/')
		p = take_token(p + 1, end, subtype);
	else
		p = NULL;
	/* what cannot be read is text/plain (RFC 2045, section 5.2) */
	set_media(e, p ? find_media(type, subtype) : find_media("text", "plain"));
	if (p && e->kind == MIME_MULTIPART)
		e->fault = find_boundary(e, p, end);
	if (before.has_type && weight(&before) >= weight(e))
		*e = before;
}

/*
 * encoding := "Content-Transfer-Encoding" ":" mechanism (RFC 2045, section 6.1)
 * Programs write other words for it as well, in quotes too, and a ';' behind
 * it. Another word says nothing; but a private one, "x-...", may say a lot.
 */
static void parse_encoding(struct mime_entity *e, const struct mime_field *f)
{
	static const struct name_value names[] = {
		{ "7bit", MIME_7BIT }, { "8bit", MIME_8BIT }, { "binary", MIME_BINARY },
		{ "quoted-printable", MIME_QUOTED_PRINTABLE }, { "base64", MIME_BASE64 },
		{ "7-bit", MIME_7BIT }, { "7bits", MIME_7BIT }, { "us-ascii", MIME_7BIT },
		{ "8-bit", MIME_8BIT }, { "8bits", MIME_8BIT }, { "utf-8", MIME_8BIT },
		{ "utf8", MIME_8BIT }, { "none", MIME_8BIT }, { "identity", MIME_8BIT },
		{ "quotedprintable", MIME_QUOTED_PRINTABLE },
		{ "quoted_printable", MIME_QUOTED_PRINTABLE }, { "base-64", MIME_BASE64 },
		NAMES_END
	};
	const char *end = f->text + f->len;
	char token[TOKEN_MAX + 1];
	int value;

	if (e->has_encoding)		/* the first one counts */
		return;
	e->has_encoding = true;
	const char *start = mime_skip_cfws(f->text + f->value, end);
	const bool quoted = start < end && *start == '"';
	const char *p = take_token(start + quoted, end, token);

	if (p && quoted && p < end && *p == '"')
		p = mime_skip_cfws(p + 1, end);
	if (!p || (p != end && *p != ';') || names_find(names, token, &value) < 0)
		value = strncasecmp(token, "x-", 2) == 0 ? MIME_UNKNOWN : MIME_8BIT;
	e->encoding = (enum mime_encoding)value;
}

/* What is meant when the kind and the encoding do not go together. */
static void settle(struct mime_entity *e)
{
	bool encoded = e->encoding == MIME_QUOTED_PRINTABLE || e->encoding == MIME_BASE64;

	if (e->place == MIME_PLACE_PHANTOM) {
		e->kind = MIME_RIGID;
		e->fields = true;	/* it has no meaning, like a filler */
		e->fault = NULL;
	} else if (e->fault) {
		e->kind = MIME_RIGID;
	} else if (encoded && (e->kind == MIME_MESSAGE || e->kind == MIME_EXTERNAL)) {
		e->kind = MIME_LEAF;	/* illegal, and yet its content is encoded */
	}
}

void mime_parse_header(const char *text, size_t len, enum mime_place place,
		       struct mime_entity *out)
{
	struct mime_field f;
	size_t at = 0;

	*out = (struct mime_entity){ .place = place };
	set_media(out, place == MIME_PLACE_DIGEST ? find_media("message", "rfc822") :
						    find_media("text", "plain"));
	while (mime_field_next(text, len, &at, &f)) {
		if (mime_field_is(&f, "Content-Type"))
			parse_type(out, &f);
		else if (mime_field_is(&f, "Content-Transfer-Encoding"))
			parse_encoding(out, &f);
		else if (mime_field_is(&f, "MIME-Version"))
			out->has_version = true;
	}
	settle(out);
}
