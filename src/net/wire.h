/*
 * Buffered lines and blocks on the top stream: the only buffer there is.
 *
 * What is put into it goes out in one write a flight: at wire_flush(), when
 * it is large, or before it waits for input. While it writes it goes on
 * reading, so that a peer that answers a long group of commands cannot
 * dead-lock with us. TLS is put under it only when nothing unread is left.
 *
 * A failed write is for good: each later put, commit and flush fails with
 * the same error. What the peer said before it went is taken in first: after
 * the failure wire_read_line() and wire_peek() still return all that has
 * come (a server may answer 552 amid the data and close), wait for nothing
 * more, and then fail with that error.
 */
#ifndef NET_WIRE_H
#define NET_WIRE_H

#include <stdbool.h>
#include <stddef.h>

#include "util/attr.h"
#include "util/clock.h"

struct error;
struct strbuf;
struct stream;
struct wire;

#define WIRE_INPUT_MAX ((size_t)1024 * 1024)	/* octets read ahead while writing */

/*
 * A transcript: called with each line read and each line put, without its
 * end; the text is raw. What is committed or peeked is message data and not
 * shown: the caller may say something about it with wire_note(), as what
 * was said (with a secret left out) or as a note of our own.
 */
enum wire_direction { WIRE_IN, WIRE_OUT, WIRE_NOTE_IN, WIRE_NOTE_OUT };
typedef void wire_trace_fn(void *ctx, enum wire_direction, const char *text, size_t n);

/* Takes the stream. Never NULL. */
struct wire *wire_new_take(struct stream *s);

/* Frees wire and stream; what was not flushed is lost. Accepts NULL. */
void wire_free(struct wire *w);

/* The deadline that all following waits also obey (the overall one). */
void wire_set_limit(struct wire *w, struct deadline whole);

/*
 * A limit besides, until wire_lift_early_limit(): for what may be given up
 * early, but not any more when the peer may be done with it.
 */
void wire_set_early_limit(struct wire *w, struct deadline until);
void wire_lift_early_limit(struct wire *w);

/* Shows lines to fn from now on; NULL switches it off. */
void wire_set_trace(struct wire *w, wire_trace_fn *fn, void *ctx);

/* The lines that are read from now on are not shown: the caller does so with wire_note(). */
void wire_hide_lines(struct wire *w, bool hidden);

/* A note for the transcript only ("TLS1.3 ..."); no octet moves. */
void wire_note(struct wire *w, enum wire_direction direction, const char *text);

/*
 * Appends octets to what is to be sent; writes when much has gathered.
 * d is the deadline for progress of that writing. The transcript shows
 * shown instead when it is not NULL (secrets), nothing when it is "".
 */
ATTR_CHECK int wire_put(struct wire *w, const void *data, size_t n, const char *shown,
			const struct deadline *d, struct error *err);

/*
 * Room of at least n octets in the output buffer, to be filled and then
 * committed: saves a copy for message data.
 */
char *wire_reserve(struct wire *w, size_t n);
ATTR_CHECK int wire_commit(struct wire *w, size_t n, const struct deadline *d, struct error *err);

/*
 * Sends all that was put. Each octet the kernel takes restarts d's seconds,
 * unless d is a limit of the whole attempt. Success does not mean that the
 * peer has not answered meanwhile: see wire_unread().
 */
ATTR_CHECK int wire_flush(struct wire *w, const struct deadline *d, struct error *err);

/* Octets put but not sent. */
size_t wire_unsent(const struct wire *w);

/*
 * One line without its end (LF, a CR before it dropped) replaces what line
 * holds. What was put is sent before anything is waited for; a line that is
 * in the buffer already costs no write. The octets beyond line->limit are
 * thrown away up to the LF and *cut_out is true, else false. Returns 1; 0
 * when the peer closed before a whole line; -1.
 */
ATTR_CHECK int wire_read_line(struct wire *w, struct strbuf *line, bool *cut_out,
			      const struct deadline *d, struct error *err);

/*
 * At least one octet of what came, without waiting longer than d: a pointer
 * into the buffer, valid until the next call, and *n_out (0 = closed). The
 * octets are taken with wire_consume(). What was put is sent before waiting.
 */
ATTR_CHECK int wire_peek(struct wire *w, const char **data_out, size_t *n_out,
			 const struct deadline *d, struct error *err);
void wire_consume(struct wire *w, size_t n);

/* Octets that came and were not read. Looks at the buffer only. */
size_t wire_unread(const struct wire *w);

/* The same, after taking from the stream what has already arrived; never waits. -1 = closed. */
int wire_unread_now(struct wire *w);

/* Whether there are any, and no more of them taken than this needs: 1, 0; -1 = closed. */
int wire_any_now(struct wire *w);

/*
 * Lets fn put a stream (TLS) on top. Refused with EX_PROTOCOL ("data before
 * TLS") when anything is unread, or unsent. Looks at the buffer only: what
 * has arrived since is for the handshake (of a server's peer it is the
 * ClientHello), where anything else fails.
 */
ATTR_CHECK int wire_upgrade(struct wire *w,
			    int (*fn)(struct stream *lower, void *ctx, struct stream **out,
				      struct error *),
			    void *ctx, struct error *err);

/* The top stream; borrowed. */
struct stream *wire_stream(const struct wire *w);

#endif
