/*
 * A stream of two descriptors that somebody else has opened and may go on
 * using: standard input and output. They are neither closed nor made
 * non-blocking; a pipe, a terminal, a file and a socket will do.
 */
#ifndef NET_STDIO_H
#define NET_STDIO_H

struct stream;

/* A stream on them; both are borrowed. Never NULL. */
struct stream *stdio_stream_new(int in, int out);

#endif
