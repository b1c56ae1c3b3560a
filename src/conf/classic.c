#include "config.h"
#include "conf/classic.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "util/error.h"

struct reader {
	const struct rcfile_handler *handler;
	unsigned line;
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
	return r->handler->section(r->handler->ctx, heading, r->line, err);
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
	if (strcmp(line, "eval") == 0)
		return read_eval(r, classic_unquote(value), evaluated, err);
	if (!r->in_section) {
		char heading[] = "account default";

		if (begin_classic_section(r, heading, err) < 0)
			return -1;
	}
	return h->setting(h->ctx, line, value, r->line, err);
}

int classic_read(char *text, size_t len, const struct rcfile_handler *h, struct error *err)
{
	struct reader r = { .handler = h };
	char *p = text, *end = text + len;

	if (len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
		p += 3;
	while (p < end) {
		char *stop = memchr(p, '\n', (size_t)(end - p));
		int rc;

		if (!stop)
			stop = end;
		r.line++;
		if (memchr(p, '\0', (size_t)(stop - p)))
			rc = error_set(err, FAULT_CONFIG, "the line holds a NUL octet");
		else {
			*stop = '\0';
			rc = read_classic_line(&r, p, false, err);
		}
		if (rc < 0)
			error_prefix(err, "%s:%u", h->name, r.line);
		if (rc < 0 && !(h->problem && h->problem(h->ctx, err) == 0))
			return -1;
		p = stop + 1;
	}
	return 0;
}
