#include "config.h"
#include "mime/mime_walk.h"

#include <string.h>

#include "message/header.h"
#include "message/message.h"
#include "message/writer.h"
#include "mime/mime_parse.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

#define BLOCK ((size_t)64 * 1024)
#define FULL (BLOCK - 64)		/* the writer wants some room */
#define HEADER_MAX (2 * MESSAGE_HEADER_MOST)	/* edits may have made it longer */

struct level {
	struct mime_entity entity;
	size_t id, parts;
	bool closed;			/* its last delimiter has been seen */
};

struct walk {
	const struct mime_walk_handler *handler;
	void *ctx;
	struct level *level;		/* entities that are open, the message first */
	size_t depth;
	size_t count;			/* entities so far */
	bool in_header;
	enum mime_place place;		/* of the entity whose header is read */
	struct strbuf header;
	bool pending;			/* a line end that may belong to a delimiter */
};

/* A line, or a piece of one that is longer than the buffer; without its end. */
struct line {
	const char *data;
	size_t n;
	bool starts, ends;
	bool last;			/* all of a line, at the end of all, that has no end */
};

static const char crlf[] = "\r\n";

static void begin_header(struct walk *w, enum mime_place place)
{
	strbuf_reset(&w->header);
	w->in_header = true;
	w->place = place;
}

/* The same boundary twice: the parts are those of the outer one. */
static bool boundary_in_use(const struct walk *w, const struct mime_entity *e)
{
	for (size_t i = 0; i < w->depth; i++) {
		const struct level *l = &w->level[i];

		if (l->entity.kind == MIME_MULTIPART && !l->closed &&
		    l->entity.boundary_len == e->boundary_len &&
		    memcmp(l->entity.boundary, e->boundary, e->boundary_len) == 0)
			return true;
	}
	return false;
}

static int end_header(struct walk *w, bool blank, struct error *err)
{
	if (w->count == MIME_PARTS_MAX)
		return error_set(err, FAULT_MESSAGE, "more than %d MIME parts",
				 MIME_PARTS_MAX);
	struct level *l = &w->level[w->depth];

	mime_parse_header(w->header.buf, w->header.len, w->place, &l->entity);
	if (l->entity.kind == MIME_MULTIPART && boundary_in_use(w, &l->entity))
		l->entity.fault = "it is inside another with the same boundary";
	if (w->depth == MIME_DEPTH_MAX - 1 &&
	    (l->entity.kind == MIME_MULTIPART || l->entity.kind == MIME_MESSAGE ||
	     l->entity.kind == MIME_EXTERNAL))
		l->entity.fault = "it is too deep inside others";
	if (l->entity.fault)
		l->entity.kind = MIME_RIGID;
	l->id = w->count++;
	l->parts = 0;
	l->closed = false;
	w->depth++;
	w->in_header = w->pending = false;
	if (w->handler->header(w->ctx, l->id, &l->entity, w->header.buf, w->header.len, blank,
			       err) < 0)
		return -1;
	if (l->entity.kind == MIME_MESSAGE)
		begin_header(w, MIME_PLACE_MESSAGE);
	else if (l->entity.kind == MIME_EXTERNAL)
		begin_header(w, MIME_PLACE_PHANTOM);
	return 0;
}

static int end_entity(struct walk *w, struct error *err)
{
	const struct level *l = &w->level[--w->depth];

	return w->handler->end(w->ctx, l->id, l->parts, err);
}

/* A header that the end or a delimiter cuts short; a message in it has no header at all. */
static int cut_header(struct walk *w, struct error *err)
{
	while (w->in_header) {
		if (end_header(w, false, err) < 0)
			return -1;
	}
	return 0;
}

/*
 * delimiter := CRLF "--" boundary; close-delimiter := delimiter "--"; both
 * with transport-padding := *LWSP-char behind (RFC 2046, section 5.1.1)
 */
static bool is_delimiter(const struct mime_entity *e, const char *line, size_t n, bool *close)
{
	const char *p = line + 2, *end = line + n;

	if ((size_t)(end - p) < e->boundary_len || memcmp(p, e->boundary, e->boundary_len) != 0)
		return false;
	p += e->boundary_len;
	*close = end - p >= 2 && p[0] == '-' && p[1] == '-';
	if (*close)
		p += 2;
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	return p == end;
}

/* The level whose delimiter the line is, plus one; 0 = it is none. */
static size_t find_delimiter(const struct walk *w, const struct line *line, bool *close)
{
	if (!line->starts || !(line->ends || line->last) || line->n < 3 ||
	    memcmp(line->data, "--", 2) != 0)
		return 0;
	for (size_t i = w->depth; i > 0; i--) {
		const struct level *l = &w->level[i - 1];

		if (l->entity.kind == MIME_MULTIPART && !l->closed &&
		    is_delimiter(&l->entity, line->data, line->n, close))
			return i;
	}
	return 0;
}

static int take_delimiter(struct walk *w, size_t depth, bool close, const struct line *line,
			  struct error *err)
{
	const bool broken = w->pending;

	if (cut_header(w, err) < 0)
		return -1;
	while (w->depth > depth) {
		if (end_entity(w, err) < 0)
			return -1;
	}
	struct level *l = &w->level[depth - 1];

	if ((broken && w->handler->copy(w->ctx, crlf, 2, err) < 0) ||
	    w->handler->copy(w->ctx, line->data, line->n, err) < 0)
		return -1;
	l->closed = close;
	w->pending = close;
	if (close)
		return 0;
	l->parts++;
	begin_header(w, l->entity.digest ? MIME_PLACE_DIGEST : MIME_PLACE_PART);
	return w->handler->copy(w->ctx, crlf, 2, err);
}

/* Does the line belong to the header that is being read? */
static bool is_header_line(const struct walk *w, const struct line *line)
{
	size_t value;

	if (!line->starts)
		return true;
	if (line->n && (*line->data == ' ' || *line->data == '\t'))
		return w->header.len > 0;
	if (!w->header.len && line->n > 5 && memcmp(line->data, "From ", 5) == 0)
		return true;		/* a message inside may have come out of an mbox */
	return header_field_start(line->data, line->n, &value) > 0;
}

static int hand_content(struct walk *w, const struct line *line, struct error *err)
{
	const size_t id = w->level[w->depth - 1].id;

	if (line->starts && w->pending && w->handler->content(w->ctx, id, crlf, 2, err) < 0)
		return -1;
	w->pending = line->ends;
	return line->n ? w->handler->content(w->ctx, id, line->data, line->n, err) : 0;
}

static int take_line(struct walk *w, const struct line *line, struct error *err)
{
	bool close = false;
	size_t depth = find_delimiter(w, line, &close);

	if (depth)
		return take_delimiter(w, depth, close, line, err);
	while (w->in_header) {
		if (line->starts && line->n == 0 && line->ends)
			return end_header(w, true, err);
		if (is_header_line(w, line)) {
			strbuf_add(&w->header, line->data, line->n);
			if (line->ends || line->last)
				strbuf_add(&w->header, crlf, 2);
			if (!strbuf_overflow(&w->header))
				return 0;
			return error_set(err, FAULT_MESSAGE,
					 "the header of a MIME part is larger than %zu octets",
					 HEADER_MAX);
		}
		if (end_header(w, true, err) < 0)
			return -1;
	}
	return hand_content(w, line, err);
}

static bool has_open_multipart(const struct walk *w)
{
	for (size_t i = 0; i < w->depth; i++) {
		if (w->level[i].entity.kind == MIME_MULTIPART && !w->level[i].closed)
			return true;
	}
	return false;
}

/* The last line end may belong to a delimiter that is missing. */
static int finish(struct walk *w, struct error *err)
{
	if (cut_header(w, err) < 0)
		return -1;
	const bool missing = w->pending && has_open_multipart(w);

	if (w->pending && !missing &&
	    w->handler->content(w->ctx, w->level[w->depth - 1].id, crlf, 2, err) < 0)
		return -1;
	while (w->depth) {
		if (end_entity(w, err) < 0)
			return -1;
	}
	return missing ? w->handler->copy(w->ctx, crlf, 2, err) : 0;
}

/* The LF of the next CRLF in [p, end); any other CR or LF is binary content. */
static const char *find_line_end(const char *p, const char *end)
{
	const char *lf = p;

	while (lf < end && (lf = memchr(lf, '\n', (size_t)(end - lf)))) {
		if (lf > p && lf[-1] == '\r')
			return lf;
		lf++;
	}
	return NULL;
}

/* Hands over the whole lines in the buffer; the octets that are used up. */
static ssize_t take_block(struct walk *w, const char *buf, size_t have, bool *starts,
			  struct error *err)
{
	const char *p = buf, *end = buf + have, *lf;

	while ((lf = find_line_end(p, end))) {
		const struct line line = { p, (size_t)(lf - p) - 1, *starts, true, false };

		if (take_line(w, &line, err) < 0)
			return -1;
		*starts = true;
		p = lf + 1;
	}
	if (p == buf && have > FULL) {	/* longer than the buffer; its CR may be the last */
		const struct line piece = { p, have - 1, *starts, false, false };

		if (take_line(w, &piece, err) < 0)
			return -1;
		*starts = false;
		p = end - 1;
	}
	return p - buf;
}

int mime_walk(struct writer *writer, const struct mime_walk_handler *handler, void *ctx,
	      struct error *err)
{
	struct walk w = { .handler = handler, .ctx = ctx };
	char *buf = xmalloc(BLOCK);
	size_t have = 0;
	bool starts = true;
	int rc = 0;

	w.level = xcalloc(MIME_DEPTH_MAX, sizeof(*w.level));
	strbuf_init(&w.header, HEADER_MAX);
	begin_header(&w, MIME_PLACE_MESSAGE);
	while (rc == 0) {
		ssize_t got = writer_read(writer, buf + have, BLOCK - have, err);
		ssize_t used = got < 0 ? -1 : 0;

		if (got == 0)
			break;
		if (got > 0) {
			have += (size_t)got;
			used = take_block(&w, buf, have, &starts, err);
		}
		if (used < 0) {
			rc = -1;
			break;
		}
		have -= (size_t)used;
		memmove(buf, buf + used, have);
	}
	if (rc == 0 && have) {
		const struct line rest = { buf, have, starts, false, starts };

		rc = take_line(&w, &rest, err);
	}
	if (rc == 0)
		rc = finish(&w, err);
	strbuf_release(&w.header);
	xfree(w.level);
	xfree(buf);
	return rc;
}
