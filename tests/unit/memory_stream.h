/*
 * A stream without a peer, for tests: what it says is a script, what is
 * written to it is recorded.
 *
 * The script is a list of steps that reads go through in order: pieces of
 * input (a read never goes beyond one), STREAM_AGAIN, a place where the peer
 * says nothing until a text has been written to it, the end, an error. A
 * script that has run out, or stands at a text that was not written, is a
 * silent peer: waiting for it fails at once as if the deadline had passed,
 * so that no test hangs. Writing can be cut to small pieces, can be held up
 * until input is read, and can fail.
 */
#ifndef MEMORY_STREAM_H
#define MEMORY_STREAM_H

#include <stddef.h>

struct strbuf;
struct stream;

/*
 * A stream with an empty script. What is written to it is appended to
 * written, which is borrowed and outlives the stream (NULL: not wanted); the
 * test may empty it. Never NULL. All functions below take only such a stream.
 */
struct stream *memory_new(struct strbuf *written);

/* Steps of the script; data and text are copied. */
void memory_say(struct stream *s, const char *text);
void memory_say_bytes(struct stream *s, const void *data, size_t n);
void memory_again(struct stream *s);	/* one read says STREAM_AGAIN */
void memory_end(struct stream *s);	/* the peer has closed */
void memory_fail(struct stream *s);	/* EX_TEMPFAIL 4.4.2 "connection lost: ..." */

/*
 * What follows is said only when text has been written, counted from where
 * the previous such step found its own.
 */
void memory_await(struct stream *s, const char *text);

/* No read, no write moves more than n octets (0 = any number). */
void memory_read_max(struct stream *s, size_t n);
void memory_write_max(struct stream *s, size_t n);

/* Every second read and write says STREAM_AGAIN. */
void memory_stutter(struct stream *s);

/*
 * The peer takes n octets, and n more for each piece of input that was read
 * to its end: a server that stops reading while its replies are not taken.
 */
void memory_write_window(struct stream *s, size_t n);

/* Writing fails (EX_TEMPFAIL 4.4.2) once n octets were taken in all. */
void memory_write_fail(struct stream *s, size_t n);

/* Writes that took something; waits; times it was closed. */
unsigned memory_writes(const struct stream *s);
unsigned memory_waits(const struct stream *s);
unsigned memory_closed(const struct stream *s);

#endif
