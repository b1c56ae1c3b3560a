#include "config.h"
#include "prepare/explain.h"

#include <stdarg.h>
#include <stdio.h>

#include "util/arena.h"

#define NOTE_MAX 4096

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
	x->note = arena_grow(x->arena, x->note, x->n, &x->alloc, sizeof(*x->note));
	x->note[x->n++] = arena_strdup(x->arena, text);
}

void explain_account(struct explain *x, const char *name, const char *why)
{
	if (!x)
		return;
	x->account = arena_strdup(x->arena, why);
	explain_note(x, "account '%s': %s", name, why);
}
