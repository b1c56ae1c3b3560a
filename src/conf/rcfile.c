#include "config.h"
#include "conf/rcfile.h"

#include <ini.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "util/error.h"

#define KEY_MAX 49	/* what libinih keeps of a key */
#define PEM_BEGIN "-----BEGIN "
#define STAND_IN "x"	/* what it sees instead of a value */

int rcfile_line(struct rcfile_lines *l, char **line_out, struct error *err)
{
	char *line = l->next;

	if (line >= l->end)
		return 0;
	char *stop = memchr(line, '\n', (size_t)(l->end - line));

	if (!stop)
		stop = l->end;
	l->next = stop + 1;
	l->number++;
	if (memchr(line, '\0', (size_t)(stop - line)))
		return error_set(err, FAULT_CONFIG, "the line holds a NUL octet");
	*stop = '\0';
	*line_out = line;
	return 1;
}

/* --- the ini form -------------------------------------------------------------------- */

static bool is_ini_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\f' || c == '\v';
}

static const char *skip_bom(const char *text, size_t len)
{
	return len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? text + 3 : text;
}

static bool is_key_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || c == '.';
}

/* The first line that is neither empty nor a comment of '#', and its number; NULL: none is. */
static const char *first_line(const char *text, size_t len, unsigned *number_out)
{
	const char *end = text + len;

	*number_out = 1;
	for (const char *p = skip_bom(text, len); p < end; p++, (*number_out)++) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));

		while (p < end && (is_ini_blank(*p) || *p == '\r'))
			p++;
		if (p < end && *p != '#' && *p != '\n')
			return p;
		if (!newline)
			break;
		p = newline;
	}
	return NULL;
}

bool ini_detect(const char *text, size_t len)
{
	const char *end = text + len;
	unsigned number;
	const char *p = first_line(text, len, &number);

	if (!p || *p == '[' || *p == ';')
		return true;
	while (p < end && is_key_char(*p))
		p++;
	while (p < end && is_ini_blank(*p))
		p++;
	return p < end && *p == '=';
}

/* What the reader and the callback of the library share. */
struct feed {
	struct rcfile_lines lines;
	char *value;		/* of the line that the library has */
	char *left;		/* in front of it, where it is no key; else NULL */
	unsigned at;		/* the line that the setting stands in */
	unsigned first;		/* the line that told the form of the file */
	bool failed;
	const struct rcfile_handler *handler;
	struct error *err;
};

static int fail(struct feed *f, const char *what)
{
	f->failed = true;
	return error_set(f->err, FAULT_CONFIG, "%s:%u: %s", f->handler->name, f->lines.number,
			 what);
}

/* The next line without blanks around it; NULL at the end. */
static char *any_line(struct feed *f)
{
	char *line;
	int rc = rcfile_line(&f->lines, &line, f->err);

	if (rc < 0) {
		f->failed = true;
		error_prefix(f->err, "%s:%u", f->handler->name, f->lines.number);
	}
	if (rc <= 0)
		return NULL;
	char *stop = line + strlen(line);

	if (stop > line && stop[-1] == '\r')
		stop--;
	while (stop > line && is_ini_blank(stop[-1]))
		stop--;
	*stop = '\0';
	while (is_ini_blank(*line))
		line++;
	return line;
}

/* The next one that says something. */
static char *next_line(struct feed *f)
{
	char *line;

	while ((line = any_line(f)) && (!*line || *line == '#' || *line == ';'))
		;
	return line;
}

/* "[" heading "]" [comment] */
static int read_section(struct feed *f, char *line)
{
	char *end = strchr(line, ']'), *rest;

	if (!end)
		return fail(f, "']' is missing");
	for (rest = end + 1; is_ini_blank(*rest); rest++)
		;
	if (*rest && *rest != '#' && *rest != ';')
		return fail(f, "text behind ']'");
	for (*end = '\0', line++; is_ini_blank(*line); line++)
		;
	while (end > line && is_ini_blank(end[-1]))
		*--end = '\0';
	if (f->handler->section(f->handler->ctx, line, f->lines.number, f->err) < 0) {
		f->failed = true;
		return error_prefix(f->err, "%s:%u", f->handler->name, f->lines.number);
	}
	return 0;
}

/* The "=" of a pair: the first with a blank before it, else the first outside quotes. */
static char *pair_sign(char *line)
{
	bool quoted = false;
	char *found = NULL;

	for (char *p = line; *p; p++) {
		if (quoted && *p == '\\' && p[1])
			p++;
		else if (*p == '"')
			quoted = !quoted;
		else if (*p == '=' && !quoted && p > line && is_ini_blank(p[-1]))
			return p;
		else if (*p == '=' && !quoted && !found)
			found = p;
	}
	return found;
}

/* left "=" right; both wait in f, the library sees stand-ins */
static int read_pair(struct feed *f, char *line, char *str, size_t room)
{
	char *sign = pair_sign(line), *end = sign;

	while (end && end > line && is_ini_blank(end[-1]))
		end--;
	if (!end || end == line)
		return fail(f, "the line is neither '[section]' nor 'left = right'");
	*end = '\0';
	f->left = line;
	for (f->value = sign + 1; is_ini_blank(*f->value); f->value++)
		;
	if (strlen(line) > RCFILE_VALUE_MAX || strlen(f->value) > RCFILE_VALUE_MAX)
		return fail(f, "a side is longer than 65536 octets");
	if (snprintf(str, room, "%s=%s\n", STAND_IN, STAND_IN) >= (int)room)
		return fail(f, "libinih cannot read it");
	return 0;
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* Do the next lines go on with another block? */
static bool another_block(const struct feed *f)
{
	const char *p = f->lines.next;

	if (p >= f->lines.end)
		return false;
	while (is_ini_blank(*p) || *p == '\r' || *p == '\n')
		p++;
	return begins(p, PEM_BEGIN);
}

/*
 * "@inline": the value are the blocks of PEM (RFC 7468) in the lines behind
 * it. They are put together where they stand, which is shorter.
 */
static int read_inline(struct feed *f)
{
	char *to = f->value, *line;
	bool last = false;

	if (!another_block(f))
		return fail(f, "'@inline' wants PEM in the next line");
	while (!last && (line = any_line(f)) && *line != '[') {
		const size_t n = strlen(line);

		if (!n && to == f->value)
			continue;
		last = begins(line, "-----END ") && !another_block(f);
		memmove(to, line, n);
		to += n;
		*to++ = '\n';
	}
	if (!last)
		return f->failed ? -1 : fail(f, "'-----END' is missing behind '@inline'");
	*to = '\0';
	/* a key of a certificate: what was moved is not to stay behind */
	explicit_bzero(to, (size_t)(f->lines.next - to));
	return 0;
}

/* key "=" value; the key goes to str, the value waits in f */
static int read_setting(struct feed *f, char *line, char *str, size_t room)
{
	char *p = line, *key_end;

	while (is_key_char(*p))
		p++;
	for (key_end = p; is_ini_blank(*p); p++)
		;
	if (*p != '=' || key_end == line) {
		(void)fail(f, "the line is neither '[section]' nor 'key = value'");
		return f->first == f->lines.number ? -1 :
			error_append(f->err, " (line %u makes this the ini form)", f->first);
	}
	*key_end = '\0';
	for (p++; is_ini_blank(*p); p++)
		;
	f->value = p;
	if (strcmp(p, "@inline") == 0 && read_inline(f) < 0)
		return -1;
	if (strlen(p) > RCFILE_VALUE_MAX)
		return fail(f, "the value is longer than 65536 octets");
	if (key_end - line > KEY_MAX ||
	    snprintf(str, room, "%s=%s\n", line, STAND_IN) >= (int)room)
		return fail(f, "the key is too long to be one");
	return 0;
}

/* Is there a failure, and somebody who only takes note of it? */
static bool go_on(struct feed *f)
{
	const struct rcfile_handler *h = f->handler;

	if (f->failed && h->problem && h->problem(h->ctx, f->err) == 0) {
		f->failed = false;
		return true;
	}
	return false;
}

/* A line for the library, made of one of the file: 0 and it is in str, or -1. */
static int read_line(struct feed *f, char *line, char *str, size_t room)
{
	const struct rcfile_handler *h = f->handler;

	f->left = NULL;
	f->at = f->lines.number;
	if (*line != '[' && h->has_pairs && h->has_pairs(h->ctx))
		return read_pair(f, line, str, room);
	if (*line != '[')
		return read_setting(f, line, str, room);
	if (read_section(f, line) < 0)
		return -1;
	memcpy(str, "[s]", 4);
	return 0;
}

/* What libinih calls instead of fgets(). */
static char *feed_line(char *str, int room, void *stream)
{
	struct feed *f = stream;

	if (f->failed || room < 4)
		return NULL;
	do {
		char *line = next_line(f);

		if (line && read_line(f, line, str, (size_t)room) == 0)
			return str;
	} while (go_on(f));
	return NULL;
}

/* Called by libinih while it has the line that f describes; 0 = stop. */
static int take_ini_setting(void *ctx, const char *section, const char *name, const char *value)
{
	struct feed *f = ctx;
	const struct rcfile_handler *h = f->handler;

	(void)section, (void)value;
	if (f->failed)
		return 0;
	if (f->left) {	/* says itself where it stands */
		f->failed = h->pair(h->ctx, f->left, f->value, f->lines.number, f->err) < 0;
		return !f->failed || go_on(f);
	}
	if (h->setting(h->ctx, name, f->value, f->at, f->err) < 0) {
		f->failed = true;
		error_prefix(f->err, "%s:%u", h->name, f->at);
		return go_on(f);
	}
	return 1;
}

int ini_read(char *text, size_t len, const struct rcfile_handler *h, struct error *err)
{
	char *start = text + (skip_bom(text, len) - text);
	struct feed f = { .lines = { .next = start, .end = text + len }, .handler = h, .err = err };

	(void)first_line(text, len, &f.first);
	int rc = ini_parse_stream(feed_line, &f, take_ini_setting, &f);

	if (f.failed)
		return -1;
	if (rc != 0)
		return error_set(err, FAULT_CONFIG, "%s: libinih cannot read it (%d)",
				 h->name, rc);
	return 0;
}

/*
 * escape = "\" ( "a" / "b" / "e" / "f" / "n" / "r" / "t" / "v" / "\" / DQUOTE
 *               / "'" / "?" / 1*3OCTDIG / "x" 1*2HEXDIG )
 * Returns the octet and moves *p behind it; -1 when it is none, or NUL.
 */
static int read_escape(const char **p)
{
	static const char letters[] = "abefnrtv\\\"'?", meant[] = "\a\b\033\f\n\r\t\v\\\"'?";
	const char *found = **p ? strchr(letters, **p) : NULL;
	int value = 0, base = 8, most = 3, digits = 0;

	if (found) {
		(*p)++;
		return (unsigned char)meant[found - letters];
	}
	if (**p == 'x') {
		base = 16;
		most = 2;
		(*p)++;
	}
	for (; digits < most; digits++, (*p)++) {
		static const char hex[] = "0123456789abcdef0123456789ABCDEF";
		const char *digit = **p ? strchr(hex, **p) : NULL;
		int n = digit ? (int)((digit - hex) % 16) : base;

		if (n >= base)
			break;
		value = value * base + n;
	}
	return digits && value > 0 && value < 256 ? value : -1;
}

bool ini_is_quoted(const char *value)
{
	const char *p = value + 1;

	if (*value != '"')
		return false;
	while (*p && *p != '"')
		p += *p == '\\' && p[1] ? 2 : 1;
	return *p && !p[1];
}

int ini_unquote(char *value, struct error *err)
{
	char *to = value;
	const char *from = value + 1;

	if (*value != '"')
		return 0;
	while (*from && *from != '"') {
		int c = (unsigned char)*from++;

		if (c == '\\' && (c = read_escape(&from)) < 0)
			return error_set(err, FAULT_CONFIG, "unknown escape behind '\\'");
		*to++ = (char)c;
	}
	if (!*from)
		return error_set(err, FAULT_CONFIG, "no closing quote");
	if (from[1])
		return error_set(err, FAULT_CONFIG,
				 "text behind the closing quote (write \\\" for a quote inside)");
	*to = '\0';
	return 0;
}

/* --- msmtp's form --------------------------------------------------------------------- */

struct reader {
	const struct rcfile_handler *handler;
	struct rcfile_lines lines;
	unsigned first;		/* the line that told the form of the file */
	bool in_section;
};

static bool is_classic_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

char *classic_unquote(char *value)
{
	size_t n = strlen(value);

	if (n < 2 || value[0] != '"' || value[n - 1] != '"')
		return value;
	value[n - 1] = '\0';
	return value + 1;
}

/* heading points at "account NAME...", which is what a section is called in the ini form too. */
static int begin_classic_section(struct reader *r, char *heading, struct error *err)
{
	r->in_section = true;
	return r->handler->section(r->handler->ctx, heading, r->lines.number, err);
}

static int read_classic_line(struct reader *r, char *line, bool evaluated, struct error *err);

static int read_eval(struct reader *r, const char *command, bool evaluated, struct error *err)
{
	const struct rcfile_handler *h = r->handler;
	char *line;

	if (evaluated || !h->eval)
		return error_set(err, FAULT_CONFIG, "key 'eval': not allowed here");
	if (!*command)
		return error_set(err, FAULT_CONFIG, "key 'eval': needs a command");
	if (h->eval(h->ctx, command, &line, err) < 0)
		return error_prefix(err, "key 'eval'");
	return read_classic_line(r, line, true, err);
}

/* "[account x]", "host=x", "host = x": no key has such a name, and no value begins so. */
static bool is_of_ini(const char *key, const char *value)
{
	return *key == '[' || strchr(key, '=') ||
	       (*value == '=' && (!value[1] || is_classic_blank(value[1])));
}

/* line = *WSP [ command [ 1*WSP argument ] ] *WSP, or a comment */
static int read_classic_line(struct reader *r, char *line, bool evaluated, struct error *err)
{
	const struct rcfile_handler *h = r->handler;
	char *end = line + strlen(line), *key_end, *value;

	while (end > line && is_classic_blank(end[-1]))
		*--end = '\0';
	while (is_classic_blank(*line))
		line++;
	if (!*line || *line == '#')
		return 0;
	for (key_end = line; *key_end && !is_classic_blank(*key_end); key_end++)
		;
	for (value = key_end; is_classic_blank(*value); value++)
		;
	size_t key_len = (size_t)(key_end - line);

	if (strlen(value) > RCFILE_VALUE_MAX)
		return error_set(err, FAULT_CONFIG,
				 "the argument is longer than 65536 octets");
	if (key_len == strlen("account") && memcmp(line, "account", key_len) == 0)
		return begin_classic_section(r, line, err);
	if (key_len == strlen("defaults") && memcmp(line, "defaults", key_len) == 0)
		return begin_classic_section(r, line, err);
	*key_end = '\0';
	if (is_of_ini(line, value))
		return error_set(err, FAULT_CONFIG, "the line is of the ini form, but line %u "
				 "makes this msmtp's syntax: begin the file with "
				 "'[account NAME]', or write 'key value'", r->first);
	if (strcmp(line, "eval") == 0)
		return read_eval(r, classic_unquote(value), evaluated, err);
	if (!r->in_section) {
		char heading[] = "account default";

		if (begin_classic_section(r, heading, err) < 0)
			return -1;
	}
	return h->setting(h->ctx, line, value, r->lines.number, err);
}

int classic_read(char *text, size_t len, const struct rcfile_handler *h, struct error *err)
{
	char *start = text + (skip_bom(text, len) - text), *line = NULL;
	struct reader r = { .handler = h, .lines = { .next = start, .end = text + len } };
	int rc;

	(void)first_line(text, len, &r.first);
	while ((rc = rcfile_line(&r.lines, &line, err)) != 0) {
		if (rc > 0)
			rc = read_classic_line(&r, line, false, err);
		if (rc < 0)
			error_prefix(err, "%s:%u", h->name, r.lines.number);
		if (rc < 0 && !(h->problem && h->problem(h->ctx, err) == 0))
			return -1;
	}
	return 0;
}
