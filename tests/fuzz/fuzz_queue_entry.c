/*
 * An entry of the queue that anybody may have written.
 *
 * The octets are read as a file is, and as the envelope lines of one whose
 * sums are right. What is taken has nothing in it that could end a command,
 * and can be written and read again to the same octets.
 */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/entry.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

#include "entry_lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
	if (!truth)
		abort();
}

static void check_clean(const char *s)
{
	if (s)
		require(!text_has_control(s, strlen(s)));
}

static void check_entry(struct entry *e)
{
	struct strbuf once = STRBUF_INIT(2 * ENTRY_ENVELOPE_MAX), twice = once;
	struct error err;
	struct entry back;

	require(e->envelope.rcpt_count > 0);
	check_clean(e->envelope.sender);
	check_clean(e->envelope.envid);
	check_clean(e->envelope.ext.solicit);
	check_clean(e->envelope.ext.mail_auth);
	for (size_t i = 0; i < e->envelope.rcpt_count; i++) {
		check_clean(e->envelope.rcpt[i].address);
		check_clean(e->envelope.rcpt[i].orcpt);
		entry_error(e, i, &err);
		check_clean(err.text);
	}
	require(entry_open(e) <= e->envelope.rcpt_count);
	if (entry_write(e, &once, &err) == 0) {
		require(entry_parse(once.buf, once.len, e->arena, &back, &err) == 0);
		require(entry_write(&back, &twice, &err) == 0);
		require(once.len == twice.len && memcmp(once.buf, twice.buf, once.len) == 0);
	}
	strbuf_release(&once);
	strbuf_release(&twice);
}

static void read_entry(const char *data, size_t size)
{
	struct arena *a = arena_new();
	struct entry e;
	struct error err = { .exit = 0 };

	if (entry_parse(data, size, a, &e, &err) == 0)
		check_entry(&e);
	else
		require(err.exit >= EX__BASE && err.text[0]);
	arena_free(a);
}

/* The same octets as envelope lines. */
static void read_lines(const char *data, size_t size)
{
	struct strbuf out = STRBUF_INIT(ENTRY_ENVELOPE_MAX);

	entry_of_lines(data, size, &out);
	read_entry(out.buf, out.len);
	strbuf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = size ? (const char *)data : "";

	read_entry(text, size);
	read_lines(text, size);
	return 0;
}
