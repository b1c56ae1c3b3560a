#include "config.h"
#include "message/writer.h"

#include <string.h>

#include "message/edits.h"
#include "message/message.h"
#include "message/scan.h"
#include "message/spool.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

#define BLOCK ((size_t)64 * 1024)

enum stage { STAGE_HEADER, STAGE_BODY, STAGE_DOT, STAGE_DONE };

struct writer {
	const struct message *message;
	enum stage stage;
	bool dots;			/* WRITER_DOTS */
	struct strbuf header;		/* as it goes out */
	uint64_t size;			/* octets that are to go out, without dots added */
	uint64_t given;			/* octets that have */

	uint64_t next;			/* offset in the spool behind what is loaded */
	const char *p, *end;		/* loaded and not yet written */
	struct scan_marks marks;
	char *block;			/* where a spool's file is loaded to */

	/* how the output stands */
	bool line_start;		/* the next octet is the first of a line */
	uint64_t cr;			/* CRs read that are line ends if no LF follows */
	uint64_t breaks;		/* line ends to write before anything else */
	const char *tail;		/* what is left of the final "." CRLF */
};

/* Where the caller wants it. */
struct room {
	char *p;
	size_t left;
};

static void load_block(struct writer *w, const char *data, size_t n)
{
	w->p = data;
	w->end = data + n;
	w->marks = (struct scan_marks){ NULL, NULL };
}

struct writer *writer_new(const struct message *m, const struct edits *e, enum writer_form form)
{
	struct writer *w = xcalloc(1, sizeof(*w));

	w->message = m;
	w->dots = form == WRITER_DOTS;
	w->size = edits_wire_size(e, m);
	strbuf_init(&w->header, (size_t)(w->size - m->body_size));
	edits_write_header(e, m, &w->header);
	w->next = m->body_start;
	w->line_start = true;
	w->tail = w->dots ? ".\r\n" : "";
	load_block(w, w->header.buf, w->header.len);
	return w;
}

void writer_free(struct writer *w)
{
	if (!w)
		return;
	strbuf_release(&w->header);
	xfree(w->block);
	xfree(w);
}

uint64_t writer_size(const struct writer *w)
{
	return w->size;
}

static void put(struct room *o, const char *data, size_t n)
{
	memcpy(o->p, data, n);
	o->p += n;
	o->left -= n;
}

/* Writes n octets as they are and passes them. */
static void put_text(struct writer *w, struct room *o, const char *data, size_t n)
{
	put(o, data, n);
	w->given += n;
	w->p = data + n;
}

/* A line may begin here with a dot: RFC 5321, section 4.5.2. */
static void put_dot(struct writer *w, struct room *o)
{
	if (w->line_start && w->dots && *w->p == '.')
		put(o, ".", 1);
	w->line_start = false;
}

/* Writes the line ends that are due; false if there is no room for all. */
static bool put_breaks(struct writer *w, struct room *o)
{
	for (; w->breaks && o->left >= 2; w->breaks--) {
		put(o, "\r\n", 2);
		w->given += 2;
		w->line_start = true;
	}
	return !w->breaks;
}

/* Passes the CRs, LF or NUL at which a stretch of text ends. */
static void pass_end(struct writer *w)
{
	const char *p = w->p;

	for (; p < w->end && *p == '\r'; p++)
		w->cr++;
	if (p < w->end && *p == '\n') {
		w->cr = 0;
		w->breaks = 1;
		p++;
	} else if (p < w->end && *p == '\0') {
		p++;
	}
	w->p = p;
}

#if WIDE
/*
 * Text whose lines end with LF alone, 16 octets a step, as long as the next
 * step is sure to find room and octets.
 */
static void convert_regular(struct writer *w, struct room *o)
{
	w->marks.cr = scan_mark(w->marks.cr, w->p, w->end, '\r');
	w->marks.nul = scan_mark(w->marks.nul, w->p, w->end, '\0');
	const char *p = w->p, *limit = w->marks.cr < w->marks.nul ? w->marks.cr : w->marks.nul;
	char *out = o->p, *full = o->p + o->left;
	size_t dots = 0;

	while (limit - p >= 16 && full - out >= 16 + 3) {
		if (w->line_start && w->dots && *p == '.') {
			*out++ = '.';
			dots++;
		}
		unsigned lf = wide_copy16(out, p, '\n');
		unsigned n = lf ? wide_first(lf) : 16;

		p += n;
		out += n;
		w->line_start = lf != 0;
		if (lf) {
			memcpy(out, "\r\n", 2);
			out += 2;
			p++;
		}
	}
	w->given += (uint64_t)(out - o->p) - dots;
	w->p = p;
	o->left -= (size_t)(out - o->p);
	o->p = out;
}
#endif

/* Any octets to lines that end with CRLF; the rules are those of scan.h. */
static void convert(struct writer *w, struct room *o)
{
	while (put_breaks(w, o) && w->p < w->end && o->left >= 2) {
#if WIDE
		if (!w->cr)
			convert_regular(w, o);
#endif
		if (w->p == w->end || o->left < 2)
			break;
		size_t most = o->left - 1;	/* one octet for a dot */
		const char *limit = (size_t)(w->end - w->p) > most ? w->p + most : w->end;
		const char *stop = scan_stop(&w->marks, w->p, limit, w->end);

		if (stop > w->p && w->cr) {
			w->breaks = w->cr;
			w->cr = 0;
			continue;
		}
		if (stop > w->p) {
			put_dot(w, o);
			put_text(w, o, w->p, (size_t)(stop - w->p));
		}
		if (stop < limit)
			pass_end(w);
	}
}

/* The first dot in [p, end) that stands behind a LF in it; end if there is none. */
static const char *line_dot(const char *p, const char *end)
{
	for (const char *dot = p + 1; dot < end; dot++) {
		dot = memchr(dot, '.', (size_t)(end - dot));
		if (!dot)
			break;
		if (dot[-1] == '\n')
			return dot;
	}
	return end;
}

/* The same where all lines end with CRLF: whole blocks but for dots. */
static void copy(struct writer *w, struct room *o)
{
	while (w->p < w->end && o->left >= 2) {
		put_dot(w, o);
		size_t n = (size_t)(w->end - w->p) < o->left ? (size_t)(w->end - w->p) : o->left;
		const char *stop = w->dots ? line_dot(w->p, w->p + n) : w->p + n;

		put_text(w, o, w->p, (size_t)(stop - w->p));
		w->line_start = stop[-1] == '\n';
	}
}

/* Loads octets of the body; straight to the caller where nothing is to be done to them. */
static int fill(struct writer *w, struct room *o, struct error *err)
{
	const struct message *m = w->message;
	uint64_t left = m->body_end - w->next;
	bool direct = m->body_crlf && !w->dots;
	size_t n;
	const char *data = spool_peek(m->spool, w->next, &n);

	if (!data) {
		if (!direct && !w->block)
			w->block = xmalloc(BLOCK);
		char *to = direct ? o->p : w->block;
		ssize_t got;

		n = direct ? o->left : BLOCK;
		got = spool_read(m->spool, w->next, to, left < n ? (size_t)left : n, err);
		if (got < 0)
			return -1;
		data = to;
		n = (size_t)got;
	}
	if (left < n)
		n = (size_t)left;
	w->next += n;
	if (data == o->p) {
		o->p += n;
		o->left -= n;
		w->given += n;
		w->line_start = o->p[-1] == '\n';
	} else {
		load_block(w, data, n);
	}
	return 0;
}

/* The end of the body: the line end that the last line lacks. */
static void end_body(struct writer *w)
{
	w->breaks = w->cr;
	w->cr = 0;
	if (!w->breaks && !w->line_start && !w->message->body_binary)
		w->breaks = 1;
	w->stage = STAGE_DOT;
}

static int write_body(struct writer *w, struct room *o, struct error *err)
{
	if (w->p == w->end && !w->breaks) {
		if (w->next == w->message->body_end) {
			end_body(w);
			return 0;
		}
		if (fill(w, o, err))
			return -1;
	}
	if (w->message->body_crlf)
		copy(w, o);
	else
		convert(w, o);
	return 0;
}

/*
 * The end of data is never said of a message that is not the one that was
 * read: a file that is read in place may have been changed since.
 */
static int write_dot(struct writer *w, struct room *o, struct error *err)
{
	if (!put_breaks(w, o))
		return 0;
	if (w->given != w->size)
		return error_set(err, FAULT_IO,
				 "the file of the message was changed while it was sent");
	for (; *w->tail && o->left; w->tail++)
		put(o, w->tail, 1);
	if (!*w->tail)
		w->stage = STAGE_DONE;
	return 0;
}

ssize_t writer_read(struct writer *w, char *buf, size_t n, struct error *err)
{
	struct room o = { buf, n };
	int rc = 0;

	while (!rc && o.left >= 2 && w->stage != STAGE_DONE) {
		switch (w->stage) {
		case STAGE_HEADER:
			convert(w, &o);
			if (w->p == w->end && !w->breaks)
				w->stage = STAGE_BODY;
			break;
		case STAGE_BODY:
			rc = write_body(w, &o, err);
			break;
		case STAGE_DOT:
			rc = write_dot(w, &o, err);
			break;
		case STAGE_DONE:
			break;
		}
	}
	return rc ? -1 : (ssize_t)(n - o.left);
}

int writer_skip(struct writer *w, uint64_t from, struct error *err)
{
	const bool dots = w->dots;
	char block[8192];
	ssize_t n = 1;

	w->dots = false;
	while (n > 0 && w->given < from) {
		const uint64_t left = from - w->given;

		/* one octet alone, the half of a line end, cannot be asked for */
		n = writer_read(w, block, left <= sizeof(block) ? (size_t)left :
				sizeof(block) - (left == sizeof(block) + 1), err);
	}
	w->dots = dots;
	return n < 0 ? -1 : w->given == from && w->line_start && !w->breaks && !w->cr;
}
