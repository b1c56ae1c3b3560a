#include "config.h"
#include "util/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "util/strbuf.h"
#include "util/xalloc.h"

#if defined(__SANITIZE_ADDRESS__)
#define CHUNK_SIZE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CHUNK_SIZE 1
#endif
#endif
#ifndef CHUNK_SIZE
#define CHUNK_SIZE 4000
#endif

#define GROW_FIRST 4		/* elements that a list has room for at first */

struct chunk {
	struct chunk *next;
	size_t used, size;
	alignas(max_align_t) char data[];
};

struct arena {
	struct chunk *chunks;
};

struct arena *arena_new(void)
{
	return xcalloc(1, sizeof(struct arena));
}

void arena_free(struct arena *a)
{
	if (!a)
		return;
	for (struct chunk *c = a->chunks, *next; c; c = next) {
		next = c->next;
		xfree(c);
	}
	xfree(a);
}

static struct chunk *chunk_add(struct arena *a, size_t need)
{
	size_t size = need > CHUNK_SIZE ? need : CHUNK_SIZE;
	struct chunk *c = xmalloc(sizeof(*c) + size);

	c->used = 0;
	c->size = size;
	c->next = a->chunks;
	a->chunks = c;
	return c;
}

/* Memory that is not zeroed: a chunk that is used in part need not be touched whole. */
static void *take_room(struct arena *a, size_t size)
{
	const size_t align = alignof(max_align_t);
	struct chunk *c = a->chunks;

	if (size > SIZE_MAX / 2)
		return xrealloc(NULL, SIZE_MAX, 2);	/* ends the process */
	if (CHUNK_SIZE > 1)
		size = (size + align - 1) & ~(align - 1);
	if (!c || c->size - c->used < size || size == 0)
		c = chunk_add(a, size ? size : 1);
	void *p = c->data + c->used;

	c->used += size;
	return p;
}

void *arena_alloc(struct arena *a, size_t size)
{
	return memset(take_room(a, size), 0, size);
}

void *arena_calloc(struct arena *a, size_t count, size_t size)
{
	if (size && count > SIZE_MAX / size)
		return xrealloc(NULL, count, size);	/* ends the process */
	return arena_alloc(a, count * size);
}

void *arena_grow(struct arena *a, void *list, size_t n, size_t *alloc, size_t size)
{
	if (n < *alloc)
		return list;
	size_t room = n ? 2 * n : GROW_FIRST;
	void *more = arena_calloc(a, room, size);

	if (n)
		memcpy(more, list, n * size);
	*alloc = room;
	return more;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *copy = take_room(a, n + 1);

	if (n)
		memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}

char *arena_take(struct arena *a, struct strbuf *b)
{
	char *copy = arena_strdup(a, b->buf);

	strbuf_release(b);
	return copy;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	char here[256];		/* nearly all fit, and are formatted once */
	va_list ap, again;

	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(here, sizeof(here), fmt, ap);
	char *s = take_room(a, n > 0 ? (size_t)n + 1 : 1);

	s[0] = '\0';
	if (n >= (int)sizeof(here))
		vsnprintf(s, (size_t)n + 1, fmt, again);
	else if (n > 0)
		memcpy(s, here, (size_t)n + 1);
	va_end(again);
	va_end(ap);
	return s;
}
