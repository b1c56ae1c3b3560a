/*
 * What is told once in a while, however often it happens.
 *
 * For each cause the folder "notify" of the program's state (util/store.h)
 * remembers when it was told last, and how often it was not told since. Many
 * processes at once are one.
 */
#ifndef UTIL_ONCE_H
#define UTIL_ONCE_H

#include <stdbool.h>

struct error;
struct strbuf;

/*
 * Is that cause to be told, because interval seconds (0 = always) have passed
 * since it was the last time? It counts as told then. *suppressed_out: how
 * often it was not told before. What cannot be remembered is told, better
 * once too often than never: *trouble says why, with exit 0 when all is well.
 * A clock that was put back counts as time.
 */
bool once_due(const struct strbuf *cause, unsigned interval, unsigned long *suppressed_out,
	      struct error *trouble);

#endif
