/*
 * What the files of a queue share: queue.c has the folder, claim.c one entry.
 */
#ifndef QUEUE_QUEUE_PRIVATE_H
#define QUEUE_QUEUE_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "util/attr.h"

struct entry;
struct error;
struct queue;
struct strbuf;

/* How far ahead the file of an entry may be due: some file systems end in 2038. */
#define QUEUE_HELD_MS ((int64_t)365 * 86400 * 1000)

/* An id is the time at which it was made, in milliseconds, and so many bits by chance. */
#define QUEUE_ID_RANDOM_BITS 20

/* When that id was made: milliseconds since 1970. */
ATTR_PURE int64_t queue_id_ms(const char *id);

/* What errno says of the queue, or of that entry in it: EX_CANTCREAT; returns -1. */
int queue_fault(const struct queue *q, const char *id, struct error *err);

/* The folder in which an entry of that id lies; make: made where it is missing. -1 and errno. */
ATTR_CHECK int queue_folder(const struct queue *q, const char *id, bool make);

/* So many octets more, or less, are in the queue. */
void queue_count(const struct queue *q, int64_t change);

/* Appends the name of a file for what has that key: see store_name(). */
void queue_add_key_name(struct strbuf *out, const char *key);

/* When a file is due, and an entry; sets it, and the mark of the entry's account. -1 and errno. */
int64_t queue_due_time(const struct stat *st);
int64_t queue_due_of(const struct entry *e);
ATTR_CHECK int queue_set_due(int fd, int64_t ms, const struct entry *e);

#endif
