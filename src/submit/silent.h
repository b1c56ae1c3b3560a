/*
 * Servers that let somebody wait and gave no session: for a minute a message
 * that has another way is not kept waiting by them again. They are known to
 * one line (submit/line.h), which is to say to one process.
 */
#ifndef SUBMIT_SILENT_H
#define SUBMIT_SILENT_H

#include <stdbool.h>
#include <stdint.h>

struct error;
struct server;
struct silent_server;

/* The list; begins as NULL. */
struct silent_list {
	struct silent_server *first;
};

/*
 * Notes the server when the attempt that began at began_ms (clock_ms()) has
 * cost time; what fails at once may be tried each time. err says what it was.
 */
void silent_note(struct silent_list *l, const struct server *s, int64_t began_ms,
		 const struct error *err);

/* Has it been silent within the last minute? *err is what it was then, and how long ago. */
bool silent_find(struct silent_list *l, const struct server *s, struct error *err);

/* It gave a session: forgotten. */
void silent_forget(struct silent_list *l, const struct server *s);

void silent_release(struct silent_list *l);

#endif
