/*
 * How an entry of the queue is shown: as text and as an object of JSON, for
 * mailq, --queue-show and --status.
 */
#ifndef CLI_QUEUE_VIEW_H
#define CLI_QUEUE_VIEW_H

#include <stdbool.h>
#include <stdint.h>

struct entry;
struct queue;
struct strbuf;

/* Appends "Mon, 30 Nov 2026 18:00:00 +0100": the moment, in the zone of here. */
void view_add_moment(struct strbuf *out, int64_t ms);

/* Appends "45 s", "5 min", "2 h 5 min", "3 d 4 h": milliseconds, none for less than 0. */
void view_add_age(struct strbuf *out, int64_t ms);

/*
 * Appends an object and a line end: the members of mailq --json and, with all,
 * the rest that is known, with every recipient and not those alone who wait.
 */
void view_add_object(struct strbuf *out, const struct entry *e, bool all);

/* Appends lines of "topic: value" for people; q: where it is told whether its account is paused. */
void view_add_text(struct strbuf *out, const struct entry *e, const struct queue *q);

#endif
