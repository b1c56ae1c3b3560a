#include "config.h"
#include "prepare/field_list.h"

#include <string.h>
#include <strings.h>

#include "message/header.h"
#include "message/message.h"
#include "util/arena.h"

void field_list_init(struct field_list *l, const struct message *m, bool front)
{
	const struct header *h = &m->header;

	*l = (struct field_list){ .arena = m->arena, .n = h->n, .alloc = h->n + 16,
				  .at = front ? 0 : h->n };
	l->v = arena_calloc(l->arena, l->alloc, sizeof(*l->v));
	if (h->n)
		memcpy(l->v, h->field, h->n * sizeof(*l->v));
	for (size_t i = 0; i < l->n; i++) {
		if (l->v[i].own)
			l->at = i + 1;
	}
}

static bool is_named(const struct header_field *f, const char *name)
{
	const size_t len = strlen(name);

	return strncasecmp(f->text, name, len) == 0 &&
	       f->text[len + strspn(f->text + len, " \t")] == ':';
}

size_t field_list_find(const struct field_list *l, const char *name, size_t from)
{
	while (from < l->n && !is_named(&l->v[from], name))
		from++;
	return from;
}

static struct header_field make(struct field_list *l, const char *name, const char *value)
{
	const char *text = arena_printf(l->arena, "%s: %s\r\n", name, value);
	const size_t len = strlen(name);

	return (struct header_field){ .id = header_find_id(name, len), .text = text,
				      .len = strlen(text), .value = len + 1, .own = true };
}

void field_list_add(struct field_list *l, const char *name, const char *value)
{
	l->v = arena_grow(l->arena, l->v, l->n, &l->alloc, sizeof(*l->v));
	memmove(l->v + l->at + 1, l->v + l->at, (l->n - l->at) * sizeof(*l->v));
	l->v[l->at++] = make(l, name, value);
	l->n++;
}

void field_list_set(struct field_list *l, const char *name, const char *value)
{
	size_t i = field_list_find(l, name, 0);

	if (i == l->n) {
		field_list_add(l, name, value);
		return;
	}
	l->v[i] = make(l, name, value);
	field_list_delete(l, name, i + 1);
}

void field_list_delete(struct field_list *l, const char *name, size_t from)
{
	size_t i;

	while ((i = field_list_find(l, name, from)) < l->n) {
		memmove(l->v + i, l->v + i + 1, (l->n - i - 1) * sizeof(*l->v));
		l->n--;
		l->at -= i < l->at;
		from = i;
	}
}

void field_list_store(const struct field_list *l, struct message *m)
{
	message_set_header(m, l->v, l->n);
}
