#include "config.h"
#include "message/edits.h"

#include <string.h>

#include "message/header.h"
#include "message/message.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

void edits_init(struct edits *e, struct arena *a, const struct message *m)
{
	*e = (struct edits){ .arena = a, .n = m->header.n };
	e->field = arena_calloc(a, e->n, sizeof(*e->field));
}

void edits_drop(struct edits *e, size_t i)
{
	e->field[i].drop = true;
}

static bool is_fold(const char *p)
{
	return p[0] == '\r' && p[1] == '\n' && (p[2] == ' ' || p[2] == '\t');
}

/*
 * A CR or LF that neither folds the field nor ends it would begin a header
 * field, or the body, that nobody asked for: it becomes a blank.
 */
void edits_replace(struct edits *e, size_t i, const char *text)
{
	size_t len = strlen(text);

	while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		len--;
	char *copy = arena_alloc(e->arena, len + sizeof("\r\n"));

	memcpy(copy, text, len);
	memcpy(copy + len, "\r\n", sizeof("\r\n"));
	for (size_t at = 0; at < len; at++) {
		if (is_fold(copy + at))
			at += 2;
		else if (copy[at] == '\r' || copy[at] == '\n')
			copy[at] = ' ';
	}
	e->field[i].text = copy;
}

static void list_add(struct edits *e, const char *field)
{
	e->added = arena_grow(e->arena, e->added, e->added_n, &e->added_alloc, sizeof(*e->added));
	e->added[e->added_n++] = field;
}

int edits_add(struct edits *e, const char *name, const char *value, struct error *err)
{
	if (!header_name_valid(name))
		return error_set(err, FAULT_MESSAGE, "'%s' is not the name of a header field",
				 name);
	if (strpbrk(value, "\r\n"))
		return error_set(err, FAULT_MESSAGE,
				 "header field '%s': a line end in its value", name);
	const size_t n = strlen(name), v = strlen(value);
	char *line = arena_alloc(e->arena, n + v + sizeof(": \r\n"));

	memcpy(line, name, n);
	memcpy(line + n, ": ", 2);
	memcpy(line + n + 2, value, v);
	memcpy(line + n + 2 + v, "\r\n", 3);
	list_add(e, line);
	return 0;
}

const char *edits_next(const struct edits *e, const struct message *m, size_t *at,
		       size_t *len_out)
{
	while (*at < e->added_n + e->n) {
		size_t i = (*at)++;
		const struct edit *edit = i < e->added_n ? NULL : &e->field[i - e->added_n];
		const char *text = edit ? edit->text : e->added[i];

		if (edit && edit->drop)
			continue;
		*len_out = text ? strlen(text) : m->header.field[i - e->added_n].len;
		return text ? text : m->header.field[i - e->added_n].text;
	}
	return NULL;
}

void edits_write_header(const struct edits *e, const struct message *m, struct strbuf *out)
{
	const char *text;
	size_t at = 0, len;

	while ((text = edits_next(e, m, &at, &len)))
		strbuf_add(out, text, len);
	strbuf_addstr(out, "\r\n");
}

uint64_t edits_wire_size(const struct edits *e, const struct message *m)
{
	uint64_t size = m->body_size + 2;
	size_t at = 0, len;

	while (edits_next(e, m, &at, &len))
		size += len;
	return size;
}

void edits_set_text(struct edits *e, size_t at, const char *text)
{
	if (at - 1 < e->added_n)
		e->added[at - 1] = text;
	else
		e->field[at - 1 - e->added_n].text = text;
}

bool edits_header_8bit(const struct edits *e, const struct message *m)
{
	const char *text;
	size_t at = 0, len;

	while ((text = edits_next(e, m, &at, &len))) {
		bool own = at > e->added_n && !e->field[at - 1 - e->added_n].text;

		if ((!own || m->header_8bit) && !text_is_ascii(text, len))
			return true;
	}
	return false;
}

void edits_copy(struct edits *to, const struct edits *e, struct arena *a)
{
	*to = *e;
	to->arena = a;
	to->field = arena_calloc(a, e->n, sizeof(*to->field));
	to->added = NULL;
	to->added_n = to->added_alloc = 0;
	if (e->n)
		memcpy(to->field, e->field, e->n * sizeof(*to->field));
	for (size_t i = 0; i < e->added_n; i++)
		list_add(to, e->added[i]);
}
