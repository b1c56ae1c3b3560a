/*
 * A notification about an entry that anybody may have written: envelope
 * lines, a NUL, and the message.
 *
 * Whatever they are, it has one header with each field once, three parts, no
 * line over 998 octets but those of the message itself, and nothing of a
 * recipient or a reply begins a line of the header or of the fields.
 */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message/edits.h"
#include "message/message.h"
#include "message/writer.h"
#include "queue/bounce.h"
#include "queue/entry.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"

#include "../unit/message_model.h"
#include "entry_lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
	if (!truth)
		abort();
}

static int read_lines(const char *data, size_t size, struct arena *a, struct entry *e)
{
	struct strbuf out = STRBUF_INIT(ENTRY_ENVELOPE_MAX);
	struct error err;

	entry_of_lines(data, size, &out);
	int rc = entry_parse(out.buf, out.len, a, e, &err);

	strbuf_release(&out);
	return rc;
}

static struct message *read_message(const char *data, size_t size)
{
	static const struct message_options wire = { .dots_ignored = true, .wire = true };
	struct error err;

	return model_read(data, size, 0, &wire, &err);
}

static void check_header(const struct message *m)
{
	static const enum header_id once[] = {
		HEADER_DATE, HEADER_FROM, HEADER_TO, HEADER_SUBJECT, HEADER_MESSAGE_ID,
		HEADER_MIME_VERSION, HEADER_CONTENT_TYPE
	};

	for (size_t i = 0; i < ARRAY_LEN(once); i++) {
		size_t n = 0;

		for (size_t k = 0; k < m->header.n; k++)
			n += m->header.field[k].id == once[i];
		require(n == 1);
	}
	require(m->header.n <= 12);
}

/* The fields for programs: known names alone, and continuations. */
static void check_fields(const char *p)
{
	static const char *const names[] = {
		"Original-Envelope-Id:", "Reporting-MTA:", "Arrival-Date:", "Deliver-By-Date:",
		"Future-Release-Request:", "Original-Recipient:", "Final-Recipient:", "Action:",
		"Status:", "Remote-MTA:", "Diagnostic-Code:", "Last-Attempt-Date:",
		"Will-Retry-Until:"
	};

	while (strncmp(p, "--=_", 4) != 0) {
		const char *end = strstr(p, "\r\n");
		int known = end == p || *p == ' ' || *p == '\t';

		require(end && end - p <= 998);
		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			known |= strncmp(p, names[i], strlen(names[i])) == 0;
		require(known);
		p = end + 2;
	}
}

static void check_parts(const struct message *m, struct arena *a)
{
	struct strbuf all = STRBUF_INIT((size_t)1 << 26);
	struct edits none;
	char block[4096];
	ssize_t n;

	edits_init(&none, a, m);
	struct writer *w = writer_new(m, &none, WRITER_PLAIN);

	while ((n = writer_read(w, block, sizeof(block), NULL)) > 0)
		strbuf_add(&all, block, (size_t)n);
	require(n == 0);
	writer_free(w);
	const char *type = strstr(all.buf, "\r\nContent-Type: message/delivery-status\r\n");
	static const char other[] = "\r\nContent-Type: message/global-delivery-status\r\n";

	require(type || strstr(all.buf, other));
	if (type)
		check_fields(strstr(type, "\r\n\r\n") + 4);
	strbuf_release(&all);
}

static void compose(const struct bounce *b, struct arena *a)
{
	struct message *m = NULL;
	struct entry made;
	struct error err;

	if (bounce_count(b) == 0)
		return;
	require(bounce_compose(b, &m, &err) == 0);
	bounce_entry(b, m, 600, a, &made);
	require(made.envelope.rcpt_count == 1 && !*made.envelope.sender);
	require(bounce_way(b->entry, m) == BOUNCE_TO_NOBODY);
	check_header(m);
	check_parts(m, a);
	message_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *nul = size ? memchr(text, '\0', size) : NULL;
	struct arena *a = arena_new();
	struct entry e;
	struct message *m = nul ? read_message(nul + 1, (size_t)(text + size - nul - 1)) : NULL;

	if (m && read_lines(text, (size_t)(nul - text), a, &e) == 0) {
		struct bounce b = { .entry = &e, .original = m, .host = "h.example",
				    .size_limit = 5000, .now_ms = e.expires_ms };

		for (b.kind = BOUNCE_FAILED; b.kind <= BOUNCE_DELIVERED; b.kind++)
			compose(&b, a);
		b.kind = BOUNCE_FAILED;
		b.to = "admin@example.org";
		compose(&b, a);
	}
	message_free(m);
	arena_free(a);
	return 0;
}
