#include "config.h"
#include "prepare/explain.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util/arena.h"

#define NOTE_MAX 4096

static void make_room(struct explain *x)
{
	x->note = arena_grow(x->arena, x->note, x->n, &x->alloc, sizeof(*x->note));
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

void explain_account(struct explain *x, const char *name, const char *fmt, ...)
{
	char text[NOTE_MAX + 1];
	va_list ap;

	if (!x)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	x->account = arena_strdup(x->arena, text);
	explain_note(x, "account '%s': %s", name, text);
}
