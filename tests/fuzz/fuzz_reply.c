/*
 * Replies of any form, cut in any pieces: what is read is within its limits
 * and can be shown, and the hidden way of reading sees the same.
 *
 * The first octet is the size of the pieces, the rest is what the server says.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/memory_stream.h"
#include "net/stream.h"
#include "net/wire.h"
#include "smtp/reply.h"
#include "util/error.h"
#include "util/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
	if (!truth)
		abort();
}

static struct wire *server(const uint8_t *data, size_t size, size_t piece)
{
	struct stream *s = memory_new(NULL);

	if (size)
		memory_say_bytes(s, data, size);
	memory_end(s);
	memory_read_max(s, piece);
	return wire_new_take(s);
}

static void check(const struct reply *r)
{
	struct strbuf text = STRBUF_INIT(8 * REPLY_TOTAL_MAX);

	require(r->code >= 200 && r->code <= 599);
	require(r->lines.n > 0 && r->lines.n <= REPLY_LINES_MAX);
	require(!r->status[0] || r->status[0] == '0' + reply_class(r));
	reply_text(r, &text);
	require(!text_has_control(text.buf, text.len) && text_is_utf8(text.buf, text.len));
	strbuf_release(&text);
	for (int stage = 0; stage < STAGE_COUNT; stage++) {
		struct error err = { 0 };

		require(reply_error(r, (enum stage)stage, &err) == -1);
		require(err.exit >= EX__BASE && err.exit <= EX__MAX && err.text[0]);
		require(!text_has_control(err.text, strlen(err.text)));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct deadline d = { .seconds = 1, .what = "the reply" };

	if (size == 0)
		return 0;
	struct wire *open = server(data + 1, size - 1, data[0]);
	struct wire *hidden = server(data + 1, size - 1, data[0] / 7);
	struct reply a = REPLY_INIT, b = REPLY_INIT;
	struct error err_a, err_b;
	int rc;

	do {
		memset(&err_a, 0, sizeof(err_a));
		memset(&err_b, 0, sizeof(err_b));
		rc = reply_read(open, &d, false, &a, &err_a);
		require(reply_read(hidden, &d, true, &b, &err_b) == rc);
		require(a.code == b.code && strcmp(a.status, b.status) == 0);
		require(a.lines.n == b.lines.n);
		if (rc == 0)
			check(&a);
		else
			require(err_a.exit == err_b.exit && err_a.exit != 0);
	} while (rc == 0);
	reply_release(&a);
	reply_release(&b);
	wire_free(open);
	wire_free(hidden);
	return 0;
}
