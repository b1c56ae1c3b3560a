#include "config.h"
#include "util/strmap.h"

#include <string.h>
#include <strings.h>

#include "util/arena.h"
#include "util/text.h"

#define FIRST_SIZE 64

/* Open addressing with linear probing, at most half full; a free slot has no name. */
struct strmap_slot {
	const char *name;
	size_t value;
};

static bool is_same(const struct strmap *m, const char *a, const char *b)
{
	return (m->exact ? strcmp(a, b) : strcasecmp(a, b)) == 0;
}

/* Where the name is, or is to be; the map is not empty. */
static struct strmap_slot *place(const struct strmap *m, const char *name)
{
	size_t at = text_hash(name);

	while (m->slot[at & (m->size - 1)].name &&
	       !is_same(m, m->slot[at & (m->size - 1)].name, name))
		at++;
	return &m->slot[at & (m->size - 1)];
}

static void grow(struct strmap *m)
{
	const struct strmap old = *m;

	m->size = old.size ? 2 * old.size : FIRST_SIZE;
	m->slot = arena_calloc(m->arena, m->size, sizeof(*m->slot));
	for (size_t i = 0; i < old.size; i++) {
		if (old.slot[i].name)
			*place(m, old.slot[i].name) = old.slot[i];
	}
}

bool strmap_add(struct strmap *m, const char *name, size_t value)
{
	if (2 * (m->n + 1) > m->size)
		grow(m);
	struct strmap_slot *slot = place(m, name);

	if (slot->name)
		return false;
	*slot = (struct strmap_slot){ .name = name, .value = value };
	m->n++;
	return true;
}

bool strmap_find(const struct strmap *m, const char *name, size_t *value_out)
{
	const struct strmap_slot *slot = m->n ? place(m, name) : NULL;

	if (!slot || !slot->name)
		return false;
	if (value_out)
		*value_out = slot->value;
	return true;
}
