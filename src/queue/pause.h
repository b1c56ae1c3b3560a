/*
 * An account that is paused: the way to its server has failed, or a setting
 * of it is wrong, and no message is to blame. It is kept beside the entries,
 * so that a run knows what the one before has found out.
 *
 *	FOLDER/paused/HASH	a file for each account that is paused
 *	FOLDER/success		written when a message was last taken by a server
 *
 * HASH is that of the account with its configuration (a key is any text that
 * tells accounts apart). The file is lines of KEY SP VALUE, as in struct
 * pause. It is not synced: what is lost, or cannot be read, is an account that
 * is not paused, and the next try finds out. Moments are milliseconds since
 * 1970 (datetime_now()).
 */
#ifndef QUEUE_PAUSE_H
#define QUEUE_PAUSE_H

#include <stdbool.h>
#include <stdint.h>

#include "util/attr.h"

struct arena;
struct entry;
struct error;
struct queue;

struct pause {
	const char *account;	/* its name */
	int64_t since_ms;	/* when it began */
	int64_t last_ms;	/* the last try of it that failed */
	int64_t next_ms;	/* it is not tried before */
	unsigned failures;	/* tries that have failed since it began, at least 1 */
	const char *fault;	/* a word of util/fault.h for what happened */
	const char *reason;	/* one printable line */
};

/*
 * The key of the entry's account: its name behind that of its configuration,
 * which *config_out is alone. Both are in arena a.
 */
const char *pause_key(const struct entry *e, struct arena *a, const char **config_out);

/*
 * 1: that account is paused (*out lives in arena a), whether its time has come
 * or not. 0: it is not, or nothing is known of it.
 */
int pause_read(const struct queue *q, const char *key, struct arena *a, struct pause *out);

/*
 * A try has failed because of the account: it is paused, or stays so with one
 * more failure and a later next try (schedule_delay()). *out (in arena a) is
 * what holds now; failures is 1 when the pause has just begun. That it holds
 * for this process alone, since it could not be written, is err: EX_CANTCREAT.
 */
ATTR_CHECK int pause_fail(const struct queue *q, const char *key, const char *account,
			  const struct error *why, int64_t now, struct arena *a,
			  struct pause *out, struct error *err);

/* Is it before the time of the next try? */
ATTR_PURE bool pause_waits(const struct pause *p, int64_t now);

/*
 * May the account be tried now? When the time of a paused one has come, one
 * caller of all processes is told to probe, and the others wait for five
 * minutes, or until he has said how it ended: pause_fail(), pause_clear().
 */
enum pause_turn {
	PAUSE_NONE,		/* it is not paused */
	PAUSE_PROBE,		/* it is, and the caller is to find out whether it works */
	PAUSE_WAIT		/* its time has not come, or somebody else finds out */
};
enum pause_turn pause_take_turn(const struct queue *q, const char *key, int64_t now);

/* The account works, or is to be tried as if it did. */
void pause_clear(const struct queue *q, const char *key);

/* A server has taken a message at that moment; when that was the last time, 0 = not known. */
void pause_note_success(const struct queue *q, int64_t now);
int64_t pause_last_success(const struct queue *q);

/*
 * Hands over all accounts that are paused, in no order; each lives until take
 * has returned. take: 0 = go on, else that is returned. EX_IOERR when the
 * folder cannot be read.
 */
ATTR_CHECK int pause_each(const struct queue *q, int (*take)(void *ctx, const struct pause *),
			  void *ctx, struct error *err);

#endif
