#include "config.h"
#include "smtp/data.h"

#include <inttypes.h>

#include "conf/account.h"
#include "message/writer.h"
#include "net/wire.h"
#include "smtp/command.h"
#include "smtp/session.h"
#include "util/error.h"
#include "util/strbuf.h"

#define BLOCK ((size_t)64 * 1024)
#define BLOCK_SPARE ((size_t)64)	/* for dots: a small message goes in one piece */

static struct deadline transfer_deadline(const struct session *s)
{
	return deadline_in(s->account->timeouts.data_xfer, "the server to take the message");
}

/* A write that failed may have failed because the server had enough of it. */
static enum data_end broken(struct session *s)
{
	return wire_unread_now(s->wire) > 0 ? DATA_ANSWERED : DATA_FAILED;
}

static void note_size(struct session *s, uint64_t octets)
{
	struct strbuf text = STRBUF_INIT(80);

	strbuf_addch(&text, '<');
	command_add_number(&text, octets);
	strbuf_addstr(&text, " octets of the message>");
	wire_note(s->wire, WIRE_OUT, text.buf);
	strbuf_release(&text);
}

static enum data_end put_all(struct session *s, struct writer *w, bool watch, uint64_t *octets,
			     struct error *err)
{
	const uint64_t size = writer_size(w);
	size_t block = size < BLOCK - BLOCK_SPARE ? (size_t)size + BLOCK_SPARE : BLOCK;

	for (;;) {
		struct deadline d = transfer_deadline(s);
		char *room = wire_reserve(s->wire, block);
		ssize_t n = writer_read(w, room, block, err);

		if (n < 0)
			return DATA_FAILED;
		if (n == 0)
			return DATA_SENT;
		*octets += (uint64_t)n;
		if (wire_commit(s->wire, (size_t)n, &d, err) < 0)
			return broken(s);
		if (watch && wire_unsent(s->wire) == 0 && wire_unread_now(s->wire) > 0)
			return DATA_ANSWERED;
	}
}

enum data_end data_put(struct session *s, const struct message *m, const struct edits *edits,
		       enum data_form form, bool watch, struct error *err)
{
	struct writer *w = writer_new(m, edits, form == DATA_LINES ? WRITER_DOTS : WRITER_PLAIN);
	uint64_t octets = 0, size = writer_size(w);
	enum data_end end = put_all(s, w, watch, &octets, err);

	writer_free(w);
	if (end == DATA_SENT && form == DATA_CHUNK && octets != size) {
		/* nothing but closing can repair a chunk of another size than was told */
		error_set(err, EX_SOFTWARE, "4.3.0", "the message has %" PRIu64 " octets, not %"
			  PRIu64, octets, size);
		end = DATA_FAILED;
	}
	if (end == DATA_SENT)
		note_size(s, octets);
	return end;
}

enum data_end data_flush(struct session *s, struct error *err)
{
	struct deadline d = transfer_deadline(s);

	return wire_flush(s->wire, &d, err) == 0 ? DATA_SENT : broken(s);
}
