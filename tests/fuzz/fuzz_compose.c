#include "config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message/header.h"
#include "mime/compose.h"
#include "mime/mime_encode.h"
#include "mime/mime_header.h"
#include "mime/mime_type.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

#define MAX ((size_t)1 << 24)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail(const char *what)
{
	fprintf(stderr, "fuzz_compose: %s\n", what);
	abort();
}

/* What is taken is fit to be written into a header. */
static void try_spec(struct arena *a, const char *text, size_t n)
{
	const char *value = arena_strndup(a, text, n);
	struct error err = { .exit = 0 };

	for (int role = PART_TEXT; role <= PART_MESSAGE; role++) {
		struct part_spec spec;

		if (part_spec_parse(a, (enum part_role)role, value, &spec, &err) < 0) {
			if (err.exit != EX_USAGE || !err.text[0])
				fail("an error without reason");
			continue;
		}
		if (!*spec.path || (spec.type && !mime_type_valid(spec.type)))
			fail("path or type");
		if (spec.name && (strchr(spec.name, '/') || strpbrk(spec.name, "\r\n")))
			fail("name");
		if (spec.cid && strpbrk(spec.cid, "<> \t\r\n"))
			fail("cid");
		if (spec.charset && strpbrk(spec.charset, "\"/; \r\n"))
			fail("charset");
	}
}

/* The name is the first line, the file what follows. */
static void try_types(struct arena *a, const char *text, size_t n)
{
	const char *lf = memchr(text, '\n', n);
	size_t len = lf ? (size_t)(lf - text) : n;
	const char *name = arena_strndup(a, text, len);
	const char *rest = lf ? lf + 1 : text + n;
	const char *found[] = {
		mime_type_in_globs(a, rest, n - (size_t)(rest - text), name),
		mime_type_in_table(a, rest, n - (size_t)(rest - text), name),
	};

	for (size_t i = 0; i < 2; i++) {
		if (found[i] && !mime_type_valid(found[i]))
			fail("type");
	}
}

/* One field in ASCII: line ends are those of folding. */
static void check_field(const struct strbuf *out, size_t widest)
{
	size_t column = 0;

	if (!text_is_ascii(out->buf, out->len) || strlen(out->buf) != out->len)
		fail("no ASCII");
	for (const char *p = out->buf; *p; p++) {
		column = *p == '\n' ? 0 : column + 1;
		if (*p == '\r' ? p[1] != '\n' || (p[2] != ' ' && p[2] != '\t' && p[2])
			       : *p == '\n' && (p == out->buf || p[-1] != '\r'))
			fail("a line end in a field");
		if (column > widest + 1)
			fail("a line is too long");
	}
}

static void try_param(struct arena *a, const char *text, size_t n)
{
	struct strbuf out = STRBUF_INIT(MAX);

	strbuf_addstr(&out, "Content-Type: a/b");
	mime_param_add(&out, "name", arena_strndup(a, text, n), "iso-8859-1");
	check_field(&out, 76);
	strbuf_release(&out);
}

static void try_header(struct arena *a, const char *text, size_t n)
{
	char *value = arena_strndup(a, text, n);
	struct strbuf ascii = STRBUF_INIT(MAX), out = STRBUF_INIT(MAX);
	struct error err;

	for (char *p = value; *p; p++) {
		if (*p == '\r' || *p == '\n')
			*p = ' ';
	}
	const char *field = arena_printf(a, "X-Some: %s\r\n", value);

	if (mime_header_encode(&ascii, field, strlen(field), "iso-8859-1", MIME_HEADER_OWN) != 0)
		fail("a text was left");
	if (header_fold_to(&out, ascii.buf, ascii.len, 76 + n % 100, &err) == 0)
		check_field(&out, 998);
	else if (err.exit != EX_DATAERR)
		fail("folding");
	strbuf_release(&ascii);
	strbuf_release(&out);
}

/* The cut makes no difference, and all line ends are CRLF. */
static void try_lines(const char *text, size_t n)
{
	struct strbuf whole = STRBUF_INIT(MAX), cut = STRBUF_INIT(MAX);
	struct text_lines l = { 0 }, k = { 0 };

	text_lines_push(&l, text, n, &whole);
	text_lines_finish(&l, &whole);
	text_lines_push(&k, text, n / 2, &cut);
	text_lines_push(&k, text + n / 2, n - n / 2, &cut);
	text_lines_finish(&k, &cut);
	if (whole.len != cut.len || memcmp(whole.buf, cut.buf, cut.len) != 0)
		fail("the cut makes a difference");
	for (size_t i = 0; i < whole.len; i++) {
		if (whole.buf[i] == '\r' ? whole.buf[i + 1] != '\n'
					 : whole.buf[i] == '\n' && (!i || whole.buf[i - 1] != '\r'))
			fail("a line end that is none");
	}
	strbuf_release(&whole);
	strbuf_release(&cut);
}

/* The first octet chooses what is to be read. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	struct arena *a = arena_new();
	const char *text = (const char *)data + 1;

	switch (data[0] % 5) {
	case 0:
		try_spec(a, text, size - 1);
		break;
	case 1:
		try_types(a, text, size - 1);
		break;
	case 2:
		try_param(a, text, size - 1);
		break;
	case 3:
		try_header(a, text, size - 1);
		break;
	default:
		try_lines(text, size - 1);
	}
	arena_free(a);
	return 0;
}
