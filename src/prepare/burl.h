/*
 * A message that the server fetches, or parts of it (BURL, RFC 4468): from
 * the words of the command line to what the envelope holds.
 *
 * A piece is an absolute URI, passed on unchanged, or "@FILE": the lines of
 * a file. The account's burl_command gets each URI that has no ";urlauth="
 * and prints the one to use; whoever knows that one may fetch the message,
 * so no text here ever holds it.
 */
#ifndef PREPARE_BURL_H
#define PREPARE_BURL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/attr.h"

struct account;
struct envelope;
struct error;

struct burl_request {
	const char **piece;
	size_t n, alloc;	/* n = 0: nothing is asked for */
	bool whole;		/* the one piece is all; else they follow the message */
	uint64_t size;		/* octets of all, 0 = not known */
	bool eight;		/* -B 8BITMIME: what is fetched may have 8-bit octets */
};

/*
 * Puts it into e. EX_USAGE for what is no URI, EX_NOINPUT for a file that
 * cannot be read, EX_CONFIG when burl_command fails.
 */
ATTR_CHECK int burl_apply(struct envelope *e, const struct burl_request *r,
			  const struct account *a, struct error *err);

#endif
