/*
 * A MIME reader that knows nothing of the converter: for the unit tests and
 * the fuzzer. Everything in memory, by the letter of RFC 2045 and 2046.
 */
#ifndef TESTS_MIME_MODEL_H
#define TESTS_MIME_MODEL_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "mime/mime_convert.h"

#include "message_model.h"

/* The message as it goes out. */
static inline void mime_model_write(const struct message *m, const struct edits *e,
				    struct strbuf *out)
{
	struct writer *w = writer_new(m, e, WRITER_PLAIN);
	char block[4096];
	struct error err;
	ssize_t n;

	while ((n = writer_read(w, block, sizeof(block), &err)) > 0)
		strbuf_add(out, block, (size_t)n);
	writer_free(w);
}

static inline size_t mime_model_longest(const char *p, size_t n)
{
	size_t line = 0, longest = 0;

	for (size_t i = 0; i < n; i++) {
		line = p[i] == '\n' || p[i] == '\r' ? 0 : line + 1;
		longest = line > longest ? line : longest;
	}
	return longest;
}

static inline bool mime_model_8bit(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)p[i] > 127)
			return true;
	return false;
}

static inline int mime_model_hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Strict decoder (RFC 2045, section 6.7); false when the text is not well-formed. */
static inline bool mime_model_qp(const char *p, size_t n, struct strbuf *out)
{
	size_t column = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\r' && i + 1 < n && p[i + 1] == '\n') {
			if (i && (p[i - 1] == ' ' || p[i - 1] == '\t') && column)
				return false;
			strbuf_addstr(out, "\r\n");
			i++;
			column = 0;
			continue;
		}
		if (++column > 76)
			return false;
		if (p[i] != '=') {
			if ((p[i] < ' ' && p[i] != '\t') || p[i] > '~')
				return false;
			strbuf_addch(out, p[i]);
		} else if (i + 2 < n && p[i + 1] == '\r' && p[i + 2] == '\n') {
			i += 2;
			column = 0;
		} else {
			if (i + 2 >= n || mime_model_hex(p[i + 1]) < 0 || mime_model_hex(p[i + 2])
				< 0)
				return false;
			strbuf_addch(out, (char)(mime_model_hex(p[i + 1]) << 4 |
						 mime_model_hex(p[i + 2])));
			i += 2;
			column += 2;
		}
	}
	return n == 0 || (p[n - 1] != ' ' && p[n - 1] != '\t');
}

/* May there be a part in which nothing is touched? */
static inline bool mime_model_sealed(const struct strbuf *text)
{
	static const char *const types[] = { "signed", "encrypted", "partial" };
	bool found = false;

	for (size_t i = 0; i < text->len; i++)
		for (size_t k = 0; k < sizeof(types) / sizeof(*types); k++)
			found |= strncasecmp(text->buf + i, types[k], strlen(types[k])) == 0;
	return found;
}

/* What must hold for whatever mime_convert() has made. */
static inline const char *mime_model_check(const struct message *m, const struct mime_options *opt,
					   struct message **made_out)
{
	struct message *again = NULL, *made = NULL;
	struct strbuf text = STRBUF_INIT(MODEL_MAX);
	struct mime_report report;
	struct edits e, none;
	struct error err = { .exit = -1 };

	*made_out = NULL;
	edits_init(&e, m->arena, m);
	if (mime_convert(m, &e, opt, &made, &report, &err) < 0) {
		MODEL_MUST(err.exit == EX_DATAERR || err.exit == EX_UNAVAILABLE);
		return NULL;
	}
	MODEL_MUST(err.exit == -1);
	if (!made)
		return NULL;
	*made_out = made;
	edits_init(&none, made->arena, made);
	mime_model_write(made, &none, &text);
	bool eight = mime_model_8bit(text.buf, text.len);
	size_t longest = mime_model_sealed(&text) ? 0 : mime_model_longest(text.buf, text.len);

	strbuf_release(&text);
	MODEL_MUST(!(opt->seven_bit && opt->headers && !report.left && eight));
	MODEL_MUST(!(opt->seven_bit && made->body_8bit && !report.part_header_8bit));
	MODEL_MUST(opt->lines == MIME_LINES_PASS || longest <= MESSAGE_LINE_MAX);
	/* a second time there is nothing to do */
	struct mime_options rest = *opt;

	rest.headers = opt->headers && !report.left;
	rest.binary = false;
	if (mime_convert(made, &none, &rest, &again, &report, &err) < 0)
		return "what was converted cannot be read again";
	if (again) {
		message_free(again);
		return "what was converted is converted again";
	}
	return NULL;
}

#endif
