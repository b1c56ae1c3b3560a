/* Options that say what the content is: -B, --burl and its kin. */
#include "config.h"
#include "cli/option_values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "message/envelope.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/text.h"

/*
 * What is announced of text follows from the message, whatever -B says; that
 * its octets are to be left alone cannot be known from it.
 */
int option_body(struct invocation *inv, const struct option *o, const char *value,
		struct error *err)
{
	static const struct name_value names[] = {
		{ "7BIT", BODY_7BIT }, { "8BITMIME", BODY_8BITMIME },
		{ "BINARYMIME", BODY_BINARYMIME }, { NULL, 0 }
	};

	struct submission_request *r = &inv->request;

	if (names_find(names, value, &r->body) < 0)
		return error_set(err, FAULT_USAGE, "option '-%c': '%s' is not 7BIT, 8BITMIME "
				 "or BINARYMIME", o->letter, value);
	r->binary_input = r->binary_input || r->body == BODY_BINARYMIME;
	r->burl.eight = r->body == BODY_8BITMIME;
	return 0;
}

/* data: 0 for the whole message, 1 for a piece behind the one on standard input. */
int option_burl(struct invocation *inv, const struct option *o, const char *value,
		struct error *err)
{
	struct burl_request *b = &inv->request.burl;
	const bool whole = o->data == 0;

	if (b->n && (whole || b->whole))
		return error_set(err, FAULT_USAGE, "--burl is the whole message: it stands "
				 "alone, without --burl-part");
	if (*value == '@' && !whole &&
	    option_check_who(inv, WHO_OWNER_FIRST, "--burl-part=@FILE", err) < 0)
		return -1;
	b->whole = whole;
	b->piece = arena_grow(inv->arena, b->piece, b->n, &b->alloc, sizeof(*b->piece));
	b->piece[b->n++] = value;
	return 0;
}

int option_burl_size(struct invocation *inv, const struct option *o, const char *value,
		     struct error *err)
{
	char *end;

	errno = 0;
	unsigned long long n = strtoull(value, &end, 10);

	if (*value < '0' || *value > '9' || errno || *end)
		return error_set(err, FAULT_USAGE, "option '--%s': '%s' is not a number of "
				 "octets", o->name, value);
	inv->request.burl.size = n;
	return 0;
}
