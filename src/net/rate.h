/*
 * A stream that sends no more than so many octets a second: a token bucket
 * right above the socket, below TLS. What is received is not held back.
 */
#ifndef NET_RATE_H
#define NET_RATE_H

#include <stdint.h>

struct stream;

/* Takes lower; per_second > 0. A quarter of a second's worth may go at once. */
struct stream *rate_new_take(struct stream *lower, uint64_t per_second);

#endif
