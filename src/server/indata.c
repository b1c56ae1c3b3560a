#include "config.h"
#include "server/indata.h"

#include <string.h>

#include "util/strbuf.h"

void indata_init(struct indata *in)
{
	*in = (struct indata){ .state = INDATA_LINE };
}

/* The octets from p on that mean nothing but themselves. */
static size_t plain_run(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && p[i] != '\r' && p[i] != '\n' && p[i] != '\0')
		i++;
	return i;
}

static void line_end(struct indata *in, bool bare, struct strbuf *out)
{
	strbuf_add(out, "\r\n", 2);
	in->bare_lf |= bare;
	in->after_lf = bare;
	in->state = INDATA_LINE;
}

/* The CR taken before was not that of a line end. */
static void stray_cr(struct indata *in, struct strbuf *out)
{
	strbuf_addch(out, ' ');
	in->bare_cr = true;
}

/* One octet within a line. */
static void text(struct indata *in, char c, struct strbuf *out)
{
	if (c == '\n') {
		line_end(in, true, out);
		return;
	}
	in->state = c == '\r' ? INDATA_CR : INDATA_TEXT;
	if (c == '\0')
		in->nul = true;
	else if (c != '\r')
		strbuf_addch(out, c);
}

static void after_cr(struct indata *in, char c, struct strbuf *out)
{
	if (c == '\n') {
		line_end(in, false, out);
		return;
	}
	stray_cr(in, out);
	text(in, c, out);
}

/* A dot and CRLF on a line that began behind CRLF is the end; behind LF it is an empty line. */
static void after_dot_cr(struct indata *in, char c, struct strbuf *out)
{
	if (c == '\n' && !in->after_lf)
		in->state = INDATA_DONE;
	else
		after_cr(in, c, out);
}

static void one_octet(struct indata *in, char c, struct strbuf *out)
{
	switch (in->state) {
	case INDATA_LINE:
		if (c == '.')
			in->state = INDATA_DOT;
		else
			text(in, c, out);
		break;
	case INDATA_DOT:
		if (c == '\r')
			in->state = INDATA_DOT_CR;
		else
			text(in, c, out);
		break;
	case INDATA_DOT_CR:
		after_dot_cr(in, c, out);
		break;
	case INDATA_CR:
		after_cr(in, c, out);
		break;
	case INDATA_TEXT:
	case INDATA_DONE:
		text(in, c, out);
		break;
	}
}

size_t indata_push(struct indata *in, const char *data, size_t n, struct strbuf *out)
{
	size_t before = out->len;
	size_t i = 0;

	while (i < n && in->state != INDATA_DONE) {
		if (in->state == INDATA_TEXT) {
			size_t run = plain_run(data + i, n - i);

			strbuf_add(out, data + i, run);
			i += run;
			if (i == n)
				break;
		}
		one_octet(in, data[i++], out);
	}
	in->size += out->len - before;
	return i;
}
