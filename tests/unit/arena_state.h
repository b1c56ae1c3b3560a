/*
 * An arena of its own for each test, as *state and as 'arena', and the
 * comparison of texts that may be missing. Include behind cmocka.h.
 */
#ifndef ARENA_STATE_H
#define ARENA_STATE_H

#include <string.h>

#include "util/arena.h"
#include "util/attr.h"

ATTR_UNUSED static struct arena *arena;

ATTR_UNUSED static int arena_setup(void **state)
{
	*state = arena = arena_new();
	return 0;
}

ATTR_UNUSED static int arena_teardown(void **state)
{
	(void)state;
	arena_free(arena);
	arena = NULL;
	return 0;
}

/* NULL is the same as NULL only. */
ATTR_UNUSED static void assert_same(const char *what, const char *got, const char *want)
{
	if (!got != !want || (got && strcmp(got, want) != 0))
		fail_msg("%s: '%s', not '%s'", what, got ? got : "-", want ? want : "-");
}

#endif
