/*
 * One attempt from inside, for the files of submit/ that it is made of: the
 * choice of a server and the session with it are the same for all.
 */
#ifndef SUBMIT_ATTEMPT_PRIVATE_H
#define SUBMIT_ATTEMPT_PRIVATE_H

#include <stdbool.h>

#include "message/envelope.h"
#include "prepare/convert.h"
#include "smtp/transaction.h"
#include "submit/attempt.h"
#include "submit/server_list.h"
#include "submit/session_open.h"
#include "util/attr.h"
#include "util/error.h"

struct account;
struct arena;
struct line;
struct result;

/* One attempt: everything between the account and the result. */
struct attempt {
	struct session_opening *o;	/* the session, and how to come by it */
	struct session_opening own;	/* ... without a line */
	struct line *line;
	const struct attempt_options *opt;
	const struct envelope *envelope;
	struct result *result;
	struct arena *arena;		/* of the result */
	bool reused;			/* the session has had other messages */
	bool in_step;			/* ... and each of them one reply, for sure */
	unsigned contents;		/* of the session, when this one came to it */
	struct transaction_options how;
	struct transaction *ahead;	/* its envelope went out behind the message before */
	enum { FOLLOWED_NOT, FOLLOWED_BY_RESET, FOLLOWED_BY_NEXT } followed;
	bool suspect;			/* refused with something behind it, and sent once more */
	struct server_list *targets, own_targets;
	bool chosen;			/* there is a server in use */
	struct error failure;		/* of the servers before it; exit 0 = none */
	struct checkpoint checkpoint;
	unsigned resumed;		/* how often */
	bool repeat;			/* nothing was taken, and the server gets it once more */
	bool learnt[EXT_COUNT];		/* of the server: announced, and not what it can do */
	bool told;			/* ... and it is remembered */
	bool gave_up;			/* the last session has shown some of that */
	struct error why;		/* the last session came to no end; see transaction_run() */
	struct converted converted;	/* the message in the form for this server */
};

/* One without line and message. */
void attempt_init(struct attempt *t, const struct account *a, const struct attempt_options *opt,
		  struct arena *arena);

/* From here on time counts, and what happens is told to who watches this one. */
void attempt_begin(struct attempt *t, const struct account *a);

/*
 * A session with the server in use, or with the first of those behind it that
 * works; then session_opening_close() is due. The error is that of the first,
 * unless a later one refuses us for good.
 */
ATTR_CHECK int attempt_open_session(struct attempt *t, struct error *err);

/* "mail.example.org:587: what happened", unless the text names the server; returns -1. */
int attempt_name_server(const struct attempt *t, struct error *err);

#endif
