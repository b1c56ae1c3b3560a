#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

#include "conf/account.h"
#include "message/edits.h"
#include "message/envelope.h"
#include "message/message.h"
#include "message/writer.h"
#include "prepare/convert.h"
#include "smtp/session.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"

#include "mime_model.h"

#define UE "\xc3\xbc"
#define SEALED "DKIM-Signature: v=1\r\n"
#define PARTS "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nX: " UE \
	"\r\n\r\n" UE "\r\n--b--\r\n"
#define SIGNED "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n" UE "\r\n--b--\r\n"

enum { NONE = 0, EIGHT = 1, UTF8 = 2, BINARY = 4, CHUNKS = 8 };	/* what the server offers */

static const struct {
	const char *in;
	unsigned server;
	bool binary;			/* taken as binary */
	bool address;			/* an address of the envelope needs SMTPUTF8 */
	struct convert_settings set;
	/* the result: the envelope, or an error */
	enum body body;
	bool utf8, header;
	int exit;
	const char *found;		/* in what is sent; NULL = it is sent as it came */
} rows[] = {
	{ "Subject: x\r\n\r\nx\r\n", NONE, .found = NULL },
	{ "Subject: x\r\n\r\n" UE "\r\n", EIGHT, .body = BODY_8BITMIME },
	{ "Subject: x\r\n\r\n" UE "\r\n", UTF8, .body = BODY_8BITMIME },
	{ "Subject: x\r\n\r\n" UE "\r\n", NONE, .found = "\r\nw7wNCg==\r\n" },
	{ "Subject: x\r\n\r\n" UE "\r\n", NONE, .set = { .convert_8bit = CONVERT_8BIT_NO },
	  .body = BODY_8BITMIME },
	{ "Subject: x\r\n\r\n" UE "\r\n", EIGHT, .set = { .convert_8bit = CONVERT_8BIT_ALWAYS },
	  .found = "\r\nw7wNCg==\r\n" },
	/* header fields; their UTF-8 alone is no reason for SMTPUTF8 */
	{ "Subject: " UE "\r\n\r\nx\r\n", NONE, .found = "Subject: =?utf-8?B?w7w=?=\r\n" },
	{ "Subject: " UE "\r\n\r\nx\r\n", UTF8, .found = "Subject: =?utf-8?B?w7w=?=\r\n" },
	{ "Subject: " UE "\r\n\r\n" UE "\r\n", EIGHT, .body = BODY_8BITMIME,
	  .found = "Subject: =?utf-8?B?w7w=?=\r\n\r\n" UE "\r\n" },
	{ "Subject: " UE "\r\n\r\nx\r\n", UTF8, .address = true, .body = BODY_8BITMIME,
	  .utf8 = true,
	  .header = true },
	{ "Subject: " UE "\r\n\r\nx\r\n", UTF8, .address = true,
	  .set = { .smtputf8_downgrade = UTF8_DOWNGRADE_ALWAYS }, .utf8 = true,
	  .found = "Subject: =?utf-8?B?w7w=?=" },
	/* what is no UTF-8 may not go that way */
	{ "Subject: \xfc\r\n\r\nx\r\n", UTF8, .address = true,
	  .set = { .default_charset = "latin9" }, .utf8 = true,
	  .found = "Subject: =?latin9?B?/A==?=" },
	{ "Subject: \xfc\r\n\r\nx\r\n", UTF8, .set = { .smtputf8_downgrade = UTF8_DOWNGRADE_NEVER },
	  .found = "Subject: =?unknown-8bit?B?/A==?=" },
	{ "Subject: " UE "\r\n\r\nx\r\n", EIGHT,
	  .set = { .smtputf8_downgrade = UTF8_DOWNGRADE_NEVER }, .body = BODY_8BITMIME,
	  .utf8 = true, .header = true },
	/* an address that has no other form: SMTPUTF8 where it is offered, and never a need */
	{ "To: " UE "@x\r\n\r\nx\r\n", UTF8, .body = BODY_8BITMIME, .utf8 = true,
	  .header = true },
	{ "To: " UE "@x\r\n\r\nx\r\n", EIGHT, .found = "To: ?@x\r\n" },
	{ "To: \xfc@x\r\n\r\nx\r\n", UTF8, .found = "To: ?@x\r\n" },
	{ "References: <" UE ">\r\n\r\nx\r\n", UTF8, .found = "References: <?>\r\n" },
	/* parts */
	{ PARTS, NONE,
	  .found = "X: =?utf-8?B?w7w=?=\r\nContent-Transfer-Encoding: base64\r\n\r\nw7w=\r\n" },
	{ PARTS, EIGHT, .body = BODY_8BITMIME, .found = "X: =?utf-8?B?w7w=?=\r\n\r\n" UE "\r\n" },
	{ PARTS, UTF8, .address = true, .body = BODY_8BITMIME, .utf8 = true, .header = true },
	{ PARTS, EIGHT, .set = { .smtputf8_downgrade = UTF8_DOWNGRADE_NEVER },
	  .body = BODY_8BITMIME, .utf8 = true, .header = true },
	/* signed ones */
	{ SIGNED, NONE, .exit = EX_UNAVAILABLE },
	{ SIGNED, EIGHT, .body = BODY_8BITMIME },
	{ SIGNED, EIGHT, .set = { .convert_8bit = CONVERT_8BIT_ALWAYS }, .body = BODY_8BITMIME },
	{ SEALED "\r\n" UE "\r\n", NONE, .exit = EX_UNAVAILABLE },
	{ SEALED "\r\n" UE "\r\n", EIGHT, .body = BODY_8BITMIME },
	{ SEALED "\r\n" UE "\r\n", EIGHT, .set = { .convert_8bit = CONVERT_8BIT_ALWAYS },
	  .body = BODY_8BITMIME },
	{ SEALED "\r\n" UE "\r\n", NONE, .set = { .signed_dkim = true }, .found = "w7wNCg==" },
	{ SEALED "Subject: " UE "\r\n\r\nx\r\n", UTF8, .body = BODY_8BITMIME, .utf8 = true,
	  .header = true },
	{ SEALED "Subject: \xfc\r\n\r\nx\r\n", UTF8, .body = BODY_8BITMIME },
	{ SEALED "Subject: \xfc\r\n\r\nx\r\n", UTF8, .address = true, .utf8 = true,
	  .found = "Subject: =?unknown-8bit?B?/A==?=" },
	{ SEALED "Subject: " UE "\r\n\r\nx\r\n", EIGHT, .body = BODY_8BITMIME },
	{ SEALED "Subject: " UE "\r\n\r\nx\r\n", NONE,
	  .found = "Subject: =?utf-8?B?w7w=?=\r\n" },
	{ SEALED PARTS, EIGHT, .body = BODY_8BITMIME },
	{ SEALED "Subject: " UE "\r\n\r\nx\r\n", EIGHT, .set = { .signed_dkim = true },
	  .found = "Subject: =?utf-8?B?w7w=?=\r\n" },
	{ "dkim-signature : v=1\r\n\r\n" UE "\r\n", NONE, .exit = EX_UNAVAILABLE },
	/* binary content, and what is called so */
	{ "Content-Type: x/y\r\n\r\na\r", BINARY | CHUNKS | EIGHT, .binary = true,
	  .body = BODY_BINARYMIME },
	{ "Content-Type: x/y\r\n\r\na\n", BINARY | CHUNKS, .binary = true,
	  .body = BODY_BINARYMIME },
	{ "Content-Type: x/y\r\n\r\na\n", NONE, .binary = true,
	  .found = "MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\nYQo=\r\n" },
	{ "Content-Type: x/y\r\n\r\na\n" UE, BINARY | EIGHT, .binary = true,
	  .found = "base64\r\n\r\nYQrDvA==\r\n" },
	{ "Content-Type: x/y\r\n\r\na\r\n", NONE, .binary = true },
	{ "Content-Type: x/y\r\n\r\na\n", EIGHT, .binary = true,
	  .set = { .convert_8bit = CONVERT_8BIT_NO },
	  .body = BODY_BINARYMIME },
	{ SEALED "\r\na\n", EIGHT, .binary = true, .exit = EX_UNAVAILABLE },
	/* broken MIME matters only where it has to be read */
	{ "Content-Type: multipart/mixed\r\n\r\n" UE "\r\n", EIGHT, .body = BODY_8BITMIME },
	{ "Content-Type: multipart/mixed\r\n\r\n" UE "\r\n", NONE,
	  .found = "Content-Type: text/plain; charset=utf-8\r\n"
		   "Content-Transfer-Encoding: base64\r\n" },
};

struct job {
	struct account account;
	struct session session;
	struct message *m;
	struct edits edits;
	struct envelope envelope;
	struct converted c;
	struct arena *arena;
	struct error err;
};

static void begin(struct job *j, const char *in, unsigned server, bool binary)
{
	const struct message_options as_is = { .dots_ignored = true, .binary = binary };

	j->session = (struct session){ .account = &j->account };
	j->session.announced[EXT_8BITMIME] = (server & EIGHT) != 0;
	j->session.announced[EXT_SMTPUTF8] = (server & UTF8) != 0;
	j->session.announced[EXT_BINARYMIME] = (server & BINARY) != 0;
	j->session.announced[EXT_CHUNKING] = (server & CHUNKS) != 0;
	j->arena = arena_new();
	j->m = model_read(in, strlen(in), 0, &as_is, &j->err);
	assert_non_null(j->m);
	edits_init(&j->edits, j->arena, j->m);
	envelope_init(&j->envelope, j->arena);
	j->envelope.sender = "";
	j->envelope.body = j->m->body_binary ? BODY_BINARYMIME :
		j->m->body_8bit || j->m->header_8bit ? BODY_8BITMIME : BODY_7BIT;
	j->envelope.size = edits_wire_size(&j->edits, j->m);
}

static void end(struct job *j)
{
	converted_release(&j->c);
	message_free(j->m);
	arena_free(j->arena);
}

static void expect_row(size_t i, struct job *j)
{
	struct strbuf out = STRBUF_INIT(MODEL_MAX);
	const char *want = rows[i].found ? rows[i].found : rows[i].in;

	mime_model_write(j->c.message, &j->c.edits, &out);
	if (!strstr(out.buf, want) || (!rows[i].found && strcmp(out.buf, want) != 0))
		fail_msg("row %zu:\n%s", i, out.buf);
	if (j->c.envelope.utf8 != rows[i].utf8 || j->c.envelope.header_utf8 != rows[i].header ||
	    j->c.envelope.body != rows[i].body)
		fail_msg("row %zu: utf8 %d, header %d, body %d", i, j->c.envelope.utf8,
			 j->c.envelope.header_utf8, (int)j->c.envelope.body);
	assert_int_equal(j->c.envelope.size, out.len);
	if (!rows[i].utf8)
		assert_int_equal(mime_model_8bit(out.buf, out.len), rows[i].body == BODY_8BITMIME);
	strbuf_release(&out);
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct job j = { .account = { .convert = rows[i].set } };
		struct strbuf after = STRBUF_INIT(MODEL_MAX);

		begin(&j, rows[i].in, rows[i].server, rows[i].binary);
		j.envelope.utf8 = rows[i].address;
		int rc = convert_for_session(&j.c, &j.session, j.m, &j.edits, &j.envelope, &j.err);

		if (rc != (rows[i].exit ? -1 : 0))
			fail_msg("row %zu: %d %s", i, rc, rc ? j.err.text : "");
		if (rc)
			assert_int_equal(j.err.exit, rows[i].exit);
		else
			expect_row(i, &j);
		/* the original is as it was */
		mime_model_write(j.m, &j.edits, &after);
		assert_string_equal(after.buf, rows[i].in);
		strbuf_release(&after);
		end(&j);
	}
}

/* Another server of the same kind gets the same; one of another kind what it takes. */
static void test_again(void **state)
{
	struct job j = { .account = { .convert = { .convert_8bit = CONVERT_8BIT_YES } } };

	(void)state;
	begin(&j, "Subject: x\r\n\r\n" UE "\r\n", NONE, false);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(convert_for_session(&j.c, &j.session, j.m, &j.edits, &j.envelope,
						     &j.err), 0);
		assert_ptr_not_equal(j.c.message, j.m);
		assert_int_equal(j.c.envelope.body, BODY_7BIT);
	}
	const struct message *first = j.c.message;

	assert_int_equal(convert_for_session(&j.c, &j.session,
		j.m, &j.edits, &j.envelope, &j.err), 0);
	assert_ptr_equal(j.c.message, first);
	j.session.announced[EXT_8BITMIME] = true;
	assert_int_equal(convert_for_session(&j.c, &j.session,
		j.m, &j.edits, &j.envelope, &j.err), 0);
	assert_ptr_equal(j.c.message, j.m);
	assert_int_equal(j.c.envelope.body, BODY_8BITMIME);
	end(&j);
}

/* Long lines, before any server is known. */
static const struct {
	const char *head;		/* 1200 octets of "word " follow */
	struct convert_settings set;
	int exit;
	bool changed;
} lines[] = {
	{ "\r\n", .changed = true },
	{ "\r\n", .set = { .long_lines = LONG_LINES_SPLIT }, .changed = true },
	{ "\r\n", .set = { .long_lines = LONG_LINES_PASS } },
	{ "\r\n", .set = { .long_lines = LONG_LINES_REJECT }, .exit = EX_DATAERR },
	{ SEALED "\r\n", .exit = 0 },
	{ SEALED "\r\n", .set = { .signed_dkim = true }, .changed = true },
	{ SEALED "\r\n", .set = { .long_lines = LONG_LINES_PASS } },
	{ "Content-Type: multipart/signed\r\n\r\n", .exit = 0 },
	{ "Subject: ", .changed = true },
	{ "Subject: ", .set = { .long_lines = LONG_LINES_REJECT }, .exit = EX_DATAERR },
	{ "Subject: ", .set = { .long_lines = LONG_LINES_PASS } },
	{ SEALED "Subject: ", .exit = 0 },
};

static void test_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct job j = { .account = { .convert = lines[i].set } };
		struct strbuf in = STRBUF_INIT(MODEL_MAX), out = STRBUF_INIT(MODEL_MAX);

		strbuf_addstr(&in, lines[i].head);
		for (size_t k = 0; k < 240; k++)
			strbuf_addstr(&in, "word ");
		strbuf_addstr(&in, "end\r\n");
		if (!strstr(lines[i].head, "\r\n\r\n") && lines[i].head[0] != '\r')
			strbuf_addstr(&in, "\r\n");
		begin(&j, in.buf, NONE, false);
		int rc = convert_lines(&j.m, &j.edits, &j.envelope, &j.account, &j.err);

		if (rc != (lines[i].exit ? -1 : 0))
			fail_msg("row %zu: %d %s", i, rc, rc ? j.err.text : "");
		mime_model_write(j.m, &j.edits, &out);
		if (rc) {
			assert_int_equal(j.err.exit, lines[i].exit);
			assert_string_equal(j.err.status, "5.6.0");
		} else {
			assert_int_equal(strcmp(out.buf, in.buf) != 0, lines[i].changed);
			assert_int_equal(mime_model_longest(out.buf, out.len) > 998,
				!lines[i].changed);
			assert_int_equal(j.envelope.size, out.len);
		}
		strbuf_release(&in);
		strbuf_release(&out);
		end(&j);
	}
}

/* A header field without a blank that is not ASCII finds some in its encoded form. */
static void test_long_header_utf8(void **state)
{
	(void)state;
	for (int never = 0; never < 2; never++) {
		struct job j = { .account = { .convert = { .smtputf8_downgrade = never ?
			UTF8_DOWNGRADE_NEVER : UTF8_DOWNGRADE_AUTO } } };
		struct strbuf in = STRBUF_INIT(MODEL_MAX), out = STRBUF_INIT(MODEL_MAX);

		strbuf_addstr(&in, "Subject:");
		for (size_t k = 0; k < 600; k++)
			strbuf_addstr(&in, UE);
		strbuf_addstr(&in, "\r\n\r\n");
		begin(&j, in.buf, EIGHT, false);
		assert_int_equal(convert_lines(&j.m, &j.edits, &j.envelope, &j.account, &j.err), 0);
		if (!never) {
			mime_model_write(j.m, &j.edits, &out);
			assert_true(mime_model_longest(out.buf, out.len) <= 90);
			assert_int_equal(j.envelope.body, BODY_7BIT);
		}
		strbuf_release(&in);
		strbuf_release(&out);
		end(&j);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_long_header_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
