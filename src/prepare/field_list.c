#include "config.h"
#include "prepare/field_list.h"

#include <string.h>

#include "message/message.h"
#include "util/arena.h"

/* Fields of one name: in front of PART_BEHIND, where new ones are put behind them, and there. */
struct field_name {
	struct listed_field *front, *front_last, *behind, *behind_last;
};

static struct field_name *name_of(struct field_list *l, const struct header_field *f)
{
	char *name = arena_strndup(l->arena, f->text, strcspn(f->text, " \t:"));
	size_t i;

	if (strmap_find(&l->names, name, &i))
		return &l->name[i];
	l->name = arena_grow(l->arena, l->name, l->name_n, &l->name_alloc, sizeof(*l->name));
	(void)strmap_add(&l->names, name, l->name_n);
	l->name[l->name_n] = (struct field_name){ .front = NULL };
	return &l->name[l->name_n++];
}

static struct listed_field *put(struct field_list *l, enum field_part part,
				const struct header_field *f)
{
	struct listed_field *x = arena_alloc(l->arena, sizeof(*x));

	x->field = *f;
	l->part[part].v = arena_grow(l->arena, l->part[part].v, l->part[part].n,
				     &l->part[part].alloc, sizeof(*l->part[part].v));
	l->part[part].v[l->part[part].n++] = x;
	return x;
}

static void put_named(struct field_list *l, enum field_part part, const struct header_field *f)
{
	struct listed_field *x = put(l, part, f);
	struct field_name *name = name_of(l, f);
	struct listed_field **first, **last;

	x->behind = part == PART_BEHIND;
	first = x->behind ? &name->behind : &name->front;
	last = x->behind ? &name->behind_last : &name->front_last;
	if (*first)
		(*last)->same = x;
	else
		*first = x;
	*last = x;
}

void field_list_init(struct field_list *l, const struct message *m, bool front)
{
	const struct header *h = &m->header;
	size_t at = front ? 0 : h->n;

	*l = (struct field_list){ .arena = m->arena, .names.arena = m->arena };
	for (size_t i = 0; i < h->n; i++) {
		if (h->field[i].own)
			at = i + 1;
	}
	for (size_t i = 0; i < h->n; i++)
		put_named(l, i < at ? PART_BEFORE : PART_BEHIND, &h->field[i]);
}

/* Passes over what is gone, for good. */
static struct listed_field *first_left(struct listed_field **first)
{
	while (*first && (*first)->gone)
		*first = (*first)->same;
	return *first;
}

static struct listed_field *find(struct field_list *l, const char *name)
{
	struct listed_field *x;
	size_t i;

	if (!strmap_find(&l->names, name, &i))
		return NULL;
	x = first_left(&l->name[i].front);
	return x ? x : first_left(&l->name[i].behind);
}

struct header_field *field_list_find(struct field_list *l, const char *name)
{
	struct listed_field *x = find(l, name);

	return x ? &x->field : NULL;
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
	const struct header_field f = make(l, name, value);

	put_named(l, PART_MADE, &f);
}

void field_list_add_top(struct field_list *l, const char *name, const char *value)
{
	const struct header_field f = make(l, name, value);

	(void)put(l, PART_TOP, &f);
}

void field_list_delete(struct field_list *l, const char *name)
{
	struct listed_field *x;

	while ((x = find(l, name)))
		x->gone = true;
}

void field_list_set(struct field_list *l, const char *name, const char *value)
{
	struct listed_field *x = find(l, name);

	if (!x) {
		field_list_add(l, name, value);
		return;
	}
	field_list_delete(l, name);
	x->field = make(l, name, value);
	x->gone = false;
	/* it stands in its old place, and is the only one left of its name */
	x->same = NULL;
	struct field_name *only = name_of(l, &x->field);

	if (x->behind)
		only->behind = only->behind_last = x;
	else
		only->front = only->front_last = x;
}

void field_list_apply(const struct field_list *l, struct message *m)
{
	size_t room = 0, n = 0;

	for (size_t part = 0; part < PART_COUNT; part++)
		room += l->part[part].n;
	struct header_field *all = arena_calloc(l->arena, room, sizeof(*all));

	for (size_t part = 0; part < PART_COUNT; part++) {
		for (size_t i = 0; i < l->part[part].n; i++) {
			if (!l->part[part].v[i]->gone)
				all[n++] = l->part[part].v[i]->field;
		}
	}
	message_set_header(m, all, n);
}
