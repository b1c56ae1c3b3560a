/*
 * What is kept of servers from one run to the next, in two files of the
 * user's state (util/store.h), a line for each thing:
 *
 * - "mechanisms": MECHANISM HOST PORT USER, the best way to sign in that has
 *   worked (auth_remember). One that cannot be believed is an error, or
 *   whoever breaks it has a weaker mechanism used.
 * - "servers": WORD UNTIL HOST PORT, an extension that the server announces
 *   and cannot do, for a day; WORD UNTIL ADDRESS PORT NAME with the word
 *   "EARLY", a server that invites to speak before the greeting
 *   (pipe_connect), for pipe_connect_ttl; WORD UNTIL HOST PORT with the word
 *   "DOT", one that serves nothing behind a final dot (submit/line.h), for a
 *   day. Nothing that is switched off by it makes anything less secure, so one
 *   that cannot be read is as an empty one.
 *
 * Each is replaced as a whole under a lock: processes do not undo each other's
 * lines. UNTIL is seconds since 1970.
 */
#ifndef SUBMIT_MEMORY_H
#define SUBMIT_MEMORY_H

#include <stdbool.h>
#include <time.h>

struct account;
struct arena;
struct auth_memory;
struct early_memory;

/* For the session with that server and that user; lives in a. NULL when auth_remember is off. */
const struct auth_memory *memory_of_mechanism(struct arena *a, const struct account *account,
					      const char *host, unsigned port);

/*
 * For the server at that numeric address; lives in a. NULL when the account
 * does not want it.
 */
const struct early_memory *memory_of_early(struct arena *a, const struct account *account,
					   const char *address, unsigned port,
					   const char *ehlo_name);

/*
 * Until when each extension is not to be used with that server: until[EXT_COUNT],
 * 0 = nothing is known against it. Those whose rows say "remembered" only.
 */
void memory_recall_server(const struct account *account, const char *host, unsigned port,
			  time_t *until);

/* Notes those of learnt[EXT_COUNT] for a day. What cannot be kept is learnt again. */
void memory_note_server(const struct account *account, const char *host, unsigned port,
			const bool *learnt);

/* Is that server known to serve nothing that stands behind a final dot? */
bool memory_dot_is_last(const struct account *account, const char *host, unsigned port);

/* Notes it, for a day. */
void memory_note_dot_is_last(const struct account *account, const char *host, unsigned port);

#endif
