/*
 * Who stands in the header for all to see, and who does not.
 */
#ifndef PREPARE_BLIND_H
#define PREPARE_BLIND_H

struct arena;
struct envelope;
struct message;
struct strmap;

/* Adds the addresses of To and Cc, and of those of a Resent block; their text is in arena a. */
void blind_list_shown(const struct message *m, struct arena *a, struct strmap *out);

/*
 * Marks the recipients that are not among them, and those that stand in Bcc
 * instead, by the address that was asked for.
 */
void blind_mark(struct envelope *e, const struct message *m);

#endif
