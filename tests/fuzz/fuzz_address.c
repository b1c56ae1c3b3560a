/*
 * The address parser: whatever comes in, what comes out is clean for the
 * wire, lies inside the text, and is read again as the same address. The
 * first octet of the input chooses the flags.
 */
#include "config.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "message/address.h"
#include "message/rfc2047.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_clean(const char *s)
{
	assert(!text_has_control(s, strlen(s)));
	assert(text_is_utf8(s, strlen(s)));
}

/* The display name, written for a header field, must not disturb the address. */
static void check_name(struct arena *a, const struct mailbox *box)
{
	struct mailbox again;
	struct error err;
	const char *phrase = address_phrase(a, box->name);

	assert(text_is_ascii(phrase, strlen(phrase)));
	assert(!text_has_control(phrase, strlen(phrase)));
	int rc = address_parse_one(a, arena_printf(a, "%s <x@y>", phrase), 0, &again, &err);

	assert(rc == 0 && strcmp(again.address, "x@y") == 0);
}

/* In a path a quoted local part may stand for itself, whatever is in it. */
static void check_box(struct arena *a, const struct mailbox *box, unsigned flags, size_t size)
{
	struct mailbox again;
	struct error err;

	assert(box->start <= box->local_end && box->local_end <= box->end && box->end <= size);
	assert(strlen(box->address) <= 1000);
	check_clean(box->address);
	check_clean(box->local);
	if (box->name)
		check_name(a, box);
	if (box->address[0] == '\0')
		return;
	int rc = address_parse_one(a, box->address, flags & ADDRESS_ROUTE_WORDS, &again, &err);

	assert(rc == 0);
	assert(strcmp(again.address, box->address) == 0);
	assert(strcmp(again.local, box->local) == 0);
	assert(!again.domain == !box->domain);
	const char *domain = address_domain(box->address);

	assert(!domain == !box->domain);
	assert(!domain || strcmp(domain, box->domain) == 0);
	assert(address_equal(box->address, again.address));
	assert(address_match("*", box->address));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	unsigned flags = data[0] & (ADDRESS_BLANKS | ADDRESS_NULL | ADDRESS_ROUTE_WORDS);
	struct arena *a = arena_new();
	struct strbuf encoded = STRBUF_INIT(1 << 24);
	struct address_list list = { 0 };
	struct error err = { 0 };
	/* a copy without NUL behind it, so that reading past its end is seen */
	char *text = arena_alloc(a, size - 1);

	memcpy(text, data + 1, size - 1);
	if (address_parse_list(a, text, size - 1, flags, &list, &err) < 0) {
		assert(err.exit == EX_DATAERR && list.n == 0);
		check_clean(err.text);
	}
	for (size_t i = 0; i < list.n; i++)
		check_box(a, &list.box[i], flags, size - 1);
	rfc2047_encode_text(&encoded, text, size - 1, flags, "unknown-8bit");
	assert(text_is_ascii(encoded.buf, encoded.len));
	strbuf_release(&encoded);
	arena_free(a);
	return 0;
}
