#include "config.h"
#include "submit/explain.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util/arena.h"

#define NOTE_MAX 4096

static void make_room(struct explain *x)
{
	if (x->n < x->alloc)
		return;
	x->alloc = x->alloc ? 2 * x->alloc : 16;
	const char **grown = arena_calloc(x->arena, x->alloc, sizeof(*grown));

	if (x->n)
		memcpy(grown, x->note, x->n * sizeof(*grown));
	x->note = grown;
}

/* A formatted string that is too long for a strbuf is left out whole: it is cut here. */
void explain_note(struct explain *x, const char *fmt, ...)
{
	char text[NOTE_MAX + 1];
	va_list ap;

	if (!x)
		return;
	if (x->n == EXPLAIN_MAX) {
		x->left_out++;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	make_room(x);
	x->note[x->n++] = arena_strdup(x->arena, text);
}
