#include "config.h"
#include "message/patterns.h"

#include <stdint.h>
#include <string.h>

#include "message/address.h"
#include "util/arena.h"

#define WILD "*?"
#define WHOLE SIZE_MAX	/* tail of a shape without wildcards: its head is all */

struct patterns_bucket {
	struct patterns_entry { const char *pattern; size_t number; } *entry;	/* ascending */
	size_t n, alloc;
};

struct patterns_shape {
	size_t head, tail;
};

/* Octets behind the last wildcard; WHOLE if there is none. */
static size_t tail_of(const char *pattern)
{
	size_t n = strlen(pattern), tail = 0;

	while (tail < n && !strchr(WILD, pattern[n - tail - 1]))
		tail++;
	return tail == n ? WHOLE : tail;
}

/* The ends of a text for a shape, which is no longer than the text, as a name of the map. */
static const char *key_of(struct patterns *p, const struct patterns_shape *s, const char *text,
			  size_t len)
{
	if (s->tail == WHOLE)
		return text;
	if (p->key_room < len + 2) {
		p->key_room = 2 * len + 64;
		p->key = arena_alloc(p->arena, p->key_room);
	}
	memcpy(p->key, text, s->head);
	p->key[s->head] = '*';
	memcpy(p->key + s->head + 1, text + len - s->tail, s->tail + 1);
	return p->key;
}

static void note_shape(struct patterns *p, const struct patterns_shape *s)
{
	for (size_t i = 0; i < p->shape_n; i++) {
		/* of patterns without wildcards, one stands for all lengths */
		if (p->shape[i].tail == s->tail &&
		    (s->tail == WHOLE || p->shape[i].head == s->head))
			return;
	}
	p->shape = arena_grow(p->arena, p->shape, p->shape_n, &p->shape_alloc, sizeof(*p->shape));
	p->shape[p->shape_n++] = *s;
}

void patterns_add(struct patterns *p, const char *pattern)
{
	const struct patterns_shape s = { .head = strcspn(pattern, WILD),
					  .tail = tail_of(pattern) };
	const char *key = key_of(p, &s, pattern, strlen(pattern));
	size_t i;

	p->map.arena = p->arena;
	if (!strmap_find(&p->map, key, &i)) {
		i = p->bucket_n;
		p->bucket = arena_grow(p->arena, p->bucket, p->bucket_n, &p->bucket_alloc,
				       sizeof(*p->bucket));
		p->bucket[p->bucket_n++] = (struct patterns_bucket){ .n = 0 };
		(void)strmap_add(&p->map, arena_strdup(p->arena, key), i);
		note_shape(p, &s);
	}
	struct patterns_bucket *b = &p->bucket[i];

	b->entry = arena_grow(p->arena, b->entry, b->n, &b->alloc, sizeof(*b->entry));
	b->entry[b->n++] = (struct patterns_entry){ pattern, p->n++ };
}

void patterns_add_all(struct patterns *p, const char *const *list)
{
	for (; list && *list; list++)
		patterns_add(p, *list);
}

/* The first of a bucket that is numbered from on and matches, if it is below *best. */
static void look_into(const struct patterns_bucket *b, const char *text, size_t from, size_t *best)
{
	size_t low = 0, high = b->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (b->entry[mid].number < from)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < b->n && b->entry[low].number < *best; low++) {
		if (address_match(b->entry[low].pattern, text))
			*best = b->entry[low].number;
	}
}

bool patterns_find(struct patterns *p, const char *text, size_t from, size_t *number_out)
{
	const size_t len = strlen(text);
	size_t best = p->n, i;

	for (size_t k = 0; k < p->shape_n; k++) {
		const struct patterns_shape *s = &p->shape[k];

		if (s->tail != WHOLE && (s->head > len || s->tail > len - s->head))
			continue;
		if (strmap_find(&p->map, key_of(p, s, text, len), &i))
			look_into(&p->bucket[i], text, from, &best);
	}
	if (best == p->n)
		return false;
	if (number_out)
		*number_out = best;
	return true;
}
