#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "memory_stream.h"
#include "net/stream.h"
#include "net/wire.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

static const struct deadline soon = { .seconds = 60, .what = "the reply" };

/* A wire on a scripted peer, and what was written to it. */
struct fixture {
	struct strbuf written, line;
	struct stream *peer;
	struct wire *wire;
	struct error err;
	bool cut;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	strbuf_init(&f->written, 16 * 1024 * 1024);
	strbuf_init(&f->line, 1000);
	f->peer = memory_new(&f->written);
	f->wire = wire_new_take(f->peer);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	wire_free(f->wire);
	strbuf_release(&f->written);
	strbuf_release(&f->line);
	xfree(f);
	return 0;
}

static struct fixture *renew(void **state)
{
	teardown(state);
	setup(state);
	return *state;
}

static int read_line(struct fixture *f)
{
	return wire_read_line(f->wire, &f->line, &f->cut, &soon, &f->err);
}

static int put(struct fixture *f, const char *text)
{
	return wire_put(f->wire, text, strlen(text), NULL, &soon, &f->err);
}

#define expect_line(f, text) do { \
	assert_int_equal(read_line(f), 1); \
	assert_false((f)->cut); \
	assert_string_equal((f)->line.buf, text); \
	assert_int_equal((f)->line.len, strlen(text)); \
} while (0)

#define expect_error(f, call, code, stat, words) do { \
	memset(&(f)->err, 0, sizeof((f)->err)); \
	assert_int_equal(call, -1); \
	assert_int_equal((f)->err.exit, code); \
	assert_string_equal((f)->err.status, stat); \
	if (!strstr((f)->err.text, words)) \
		fail_msg("'%s' is not in '%s'", words, (f)->err.text); \
} while (0)

/* --- lines in ------------------------------------------------------------- */

static const char several[] = "220 hi\r\n250-a\n\r\n\nx\ry\r\r\nlast\r\n";
static const char *const several_lines[] = { "220 hi", "250-a", "", "", "x\ry\r", "last" };

static void say_cut(struct stream *peer, const char *text, size_t n, size_t a, size_t b)
{
	memory_say_bytes(peer, text, a);
	memory_say_bytes(peer, text + a, b - a);
	memory_say_bytes(peer, text + b, n - b);
	memory_end(peer);
}

static void check_several(struct fixture *f)
{
	for (size_t i = 0; i < ARRAY_LEN(several_lines); i++)
		expect_line(f, several_lines[i]);
	assert_int_equal(read_line(f), 0);
	assert_int_equal(read_line(f), 0);
}

static void lines_in_all_pieces(void **state)
{
	size_t n = strlen(several);

	for (size_t a = 0; a <= n; a++)
		for (size_t b = a; b <= n; b++) {
			struct fixture *f = renew(state);

			say_cut(f->peer, several, n, a, b);
			check_several(f);
		}
}

static void lines_one_octet_at_a_time(void **state)
{
	for (int stutter = 0; stutter < 2; stutter++) {
		struct fixture *f = renew(state);

		memory_read_max(f->peer, 1);
		if (stutter)
			memory_stutter(f->peer);
		memory_say(f->peer, several);
		memory_end(f->peer);
		check_several(f);
	}
}

static void nul_is_kept_in_a_line(void **state)
{
	struct fixture *f = *state;

	memory_say_bytes(f->peer, "250 a\0b\r\n", 9);
	assert_int_equal(read_line(f), 1);
	assert_int_equal(f->line.len, 7);
	assert_memory_equal(f->line.buf, "250 a\0b", 7);
}

/* A line of n octets with the given end, read in pieces of size piece, limit 8. */
static void check_limit(void **state, size_t n, const char *end, size_t piece)
{
	struct fixture *f = renew(state);
	struct strbuf text = STRBUF_INIT(200);

	for (size_t i = 0; i < n; i++)
		strbuf_addch(&text, (char)('a' + i % 26));
	f->line.limit = 8;
	memory_read_max(f->peer, piece);
	memory_say(f->peer, text.buf);
	memory_say(f->peer, end);
	memory_say(f->peer, "next\n");
	assert_int_equal(read_line(f), 1);
	assert_int_equal(f->cut, n > 8);
	strbuf_truncate(&text, 8);
	assert_string_equal(f->line.buf, text.buf);
	expect_line(f, "next");
	strbuf_release(&text);
}

static void line_limit(void **state)
{
	for (size_t n = 0; n <= 40; n++)
		for (size_t piece = 1; piece <= 45; piece += piece < 12 ? 1 : 11) {
			check_limit(state, n, "\n", piece);
			check_limit(state, n, "\r\n", piece);
		}
}

static void second_cr_counts_for_the_limit(void **state)
{
	struct fixture *f = *state;

	f->line.limit = 4;
	memory_say(f->peer, "abc\r\r\nabcd\r\r\n");
	assert_int_equal(read_line(f), 1);
	assert_false(f->cut);
	assert_string_equal(f->line.buf, "abc\r");
	assert_int_equal(read_line(f), 1);
	assert_true(f->cut);
	assert_string_equal(f->line.buf, "abcd");
}

static void endless_line_is_thrown_away(void **state)
{
	struct fixture *f = *state;
	char *block = xmalloc(65536);

	memset(block, 'z', 65536);
	memory_say(f->peer, "500 ");
	for (int i = 0; i < 48; i++)
		memory_say_bytes(f->peer, block, 65536);
	memory_say(f->peer, "\r\n250 ok\r\n");
	xfree(block);
	f->line.limit = 6;
	assert_int_equal(read_line(f), 1);
	assert_true(f->cut);
	assert_string_equal(f->line.buf, "500 zz");
	expect_line(f, "250 ok");
}

static void endless_line_obeys_the_deadline(void **state)
{
	struct fixture *f = *state;
	struct deadline past = { .at = 1, .seconds = 3, .what = "the greeting" };

	f->line.limit = 4;
	for (int i = 0; i < 10; i++)
		memory_say(f->peer, "zzzzzzzzzz");
	memory_say(f->peer, "\r\n");
	expect_error(f, wire_read_line(f->wire, &f->line, &f->cut, &past, &f->err), EX_TEMPFAIL,
		     "4.4.2", "timeout after 3 s waiting for the greeting");
}

static void end_in_the_middle_of_a_line(void **state)
{
	struct fixture *f = *state;

	memory_say(f->peer, "250 ok\r\n250 ha");
	memory_end(f->peer);
	expect_line(f, "250 ok");
	assert_int_equal(read_line(f), 0);
	assert_int_equal(wire_unread(f->wire), 6);
	assert_int_equal(read_line(f), 0);
}

static void read_error_is_for_good(void **state)
{
	struct fixture *f = *state;

	memory_say(f->peer, "250 ok\r\n25");
	memory_fail(f->peer);
	expect_line(f, "250 ok");
	for (int i = 0; i < 2; i++)
		expect_error(f, read_line(f), EX_TEMPFAIL, "4.4.2", "connection lost");
}

static void silence_is_a_timeout(void **state)
{
	struct fixture *f = *state;

	memory_say(f->peer, "250-half\r\n250");
	expect_line(f, "250-half");
	expect_error(f, read_line(f), EX_TEMPFAIL, "4.4.2",
		     "timeout after 60 s waiting for the reply");
}

static void overall_limit_is_named(void **state)
{
	struct fixture *f = *state;
	struct deadline later = deadline_in(1000, "the reply to MAIL");
	struct deadline whole = deadline_in(900, "everything");

	whole.whole = true;
	wire_set_limit(f->wire, whole);
	expect_error(f, wire_read_line(f->wire, &f->line, &f->cut, &later, &f->err), EX_TEMPFAIL,
		     "4.4.2",
		     "the whole attempt took longer than 900 s, "
		     "while waiting for the reply to MAIL");
}

/* --- blocks in ------------------------------------------------------------ */

static void peek_and_consume(void **state)
{
	struct fixture *f = *state;
	const char *data;
	size_t n;

	memory_say(f->peer, "abcdef");
	memory_say(f->peer, "gh\r\n");
	memory_end(f->peer);
	assert_int_equal(wire_peek(f->wire, &data, &n, &soon, &f->err), 0);
	assert_int_equal(n, 6);
	assert_memory_equal(data, "abcdef", 6);
	wire_consume(f->wire, 4);
	assert_int_equal(wire_peek(f->wire, &data, &n, &soon, &f->err), 0);
	assert_int_equal(n, 2);
	assert_memory_equal(data, "ef", 2);
	expect_line(f, "efgh");
	assert_int_equal(wire_peek(f->wire, &data, &n, &soon, &f->err), 0);
	assert_int_equal(n, 0);
}

static void peek_sends_first(void **state)
{
	struct fixture *f = *state;
	const char *data;
	size_t n;

	memory_await(f->peer, "354 go\r\n");
	memory_say(f->peer, "body");
	assert_int_equal(put(f, "354 go\r\n"), 0);
	assert_int_equal(wire_peek(f->wire, &data, &n, &soon, &f->err), 0);
	assert_int_equal(n, 4);
	wire_consume(f->wire, 4);
	expect_error(f, wire_peek(f->wire, &data, &n, &soon, &f->err), EX_TEMPFAIL, "4.4.2",
		     "timeout");
}

static void much_input_by_blocks(void **state)
{
	struct fixture *f = *state;
	size_t total = 0;
	char *block = xmalloc(100000);

	for (size_t i = 0; i < 100000; i++)
		block[i] = (char)(i % 251);
	memory_say_bytes(f->peer, block, 100000);
	memory_end(f->peer);
	for (;;) {
		const char *data;
		size_t n;

		assert_int_equal(wire_peek(f->wire, &data, &n, &soon, &f->err), 0);
		if (n == 0)
			break;
		size_t take = n > 777 ? 777 : n;

		assert_memory_equal(data, block + total, take);
		wire_consume(f->wire, take);
		total += take;
	}
	assert_int_equal(total, 100000);
	xfree(block);
}

static void unread_now(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(wire_unread_now(f->wire), 0);
	memory_say(f->peer, "42");
	memory_say(f->peer, "1 bye\r\n");
	assert_int_equal(wire_unread(f->wire), 0);
	assert_int_equal(wire_unread_now(f->wire), 9);
	assert_int_equal(wire_unread(f->wire), 9);
	expect_line(f, "421 bye");
	assert_int_equal(wire_unread_now(f->wire), 0);
	memory_say(f->peer, "x");
	memory_end(f->peer);
	assert_int_equal(wire_unread_now(f->wire), 1);
	wire_consume(f->wire, 1);
	assert_int_equal(wire_unread_now(f->wire), -1);
	assert_int_equal(memory_waits(f->peer), 0);
	f = renew(state);
	memory_fail(f->peer);
	assert_int_equal(wire_unread_now(f->wire), -1);
}

/* No more is read than tells that there is something. */
static void any_now(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(wire_any_now(f->wire), 0);
	memory_say(f->peer, "42");
	memory_say(f->peer, "1 bye\r\n");
	memory_read_max(f->peer, 2);
	assert_int_equal(wire_any_now(f->wire), 1);
	assert_int_equal(wire_any_now(f->wire), 1);
	assert_int_equal(wire_unread(f->wire), 2);
	expect_line(f, "421 bye");
	memory_end(f->peer);
	assert_int_equal(wire_any_now(f->wire), -1);
	assert_int_equal(memory_waits(f->peer), 0);
}

/* --- output --------------------------------------------------------------- */

static void one_write_a_flight(void **state)
{
	struct fixture *f = *state;

	memory_say(f->peer, "220 early\r\n");
	assert_int_equal(wire_unread_now(f->wire), 11);
	assert_int_equal(put(f, "MAIL\r\n"), 0);
	assert_int_equal(put(f, "RCPT\r\n"), 0);
	assert_int_equal(put(f, "DATA\r\n"), 0);
	assert_int_equal(wire_unsent(f->wire), 18);
	expect_line(f, "220 early");	/* was there: no reason to write */
	assert_int_equal(memory_writes(f->peer), 0);
	assert_int_equal(wire_flush(f->wire, &soon, &f->err), 0);
	assert_int_equal(wire_unsent(f->wire), 0);
	assert_int_equal(memory_writes(f->peer), 1);
	assert_string_equal(f->written.buf, "MAIL\r\nRCPT\r\nDATA\r\n");
	assert_int_equal(wire_flush(f->wire, &soon, &f->err), 0);
	assert_int_equal(memory_writes(f->peer), 1);
}

static void reading_sends_first(void **state)
{
	struct fixture *f = *state;

	memory_say(f->peer, "250-part\r\n25");
	memory_await(f->peer, "NOOP\r\n");
	memory_say(f->peer, "0 ok\r\n");
	expect_line(f, "250-part");
	assert_int_equal(put(f, "NOOP\r\n"), 0);
	expect_line(f, "250 ok");
}

/* A block of n octets that differ, behind head. */
static void check_bulk(void **state, size_t head, size_t n, size_t write_max)
{
	struct fixture *f = renew(state);
	char *block = xmalloc(n);

	for (size_t i = 0; i < n; i++)
		block[i] = (char)(i * 7 % 253);
	memory_write_max(f->peer, write_max);
	assert_int_equal(wire_put(f->wire, "BDAT BDAT BDAT", head, NULL, &soon, &f->err), 0);
	assert_int_equal(wire_put(f->wire, block, n, NULL, &soon, &f->err), 0);
	assert_int_equal(wire_put(f->wire, "END", 3, NULL, &soon, &f->err), 0);
	assert_int_equal(wire_flush(f->wire, &soon, &f->err), 0);
	assert_int_equal(f->written.len, head + n + 3);
	assert_memory_equal(f->written.buf, "BDAT BDAT BDAT", head);
	assert_memory_equal(f->written.buf + head, block, n);
	assert_memory_equal(f->written.buf + head + n, "END", 3);
	xfree(block);
}

static void large_blocks(void **state)
{
	static const size_t sizes[] = { 1, 131071, 131072, 131073, 131062, 300000 };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		check_bulk(state, 0, sizes[i], 0);
		check_bulk(state, 10, sizes[i], 0);
		check_bulk(state, 10, sizes[i], 4099);
	}
	struct fixture *f = renew(state);
	char *block = xcalloc(1, 300000);

	assert_int_equal(wire_put(f->wire, block, 300000, NULL, &soon, &f->err), 0);
	assert_int_equal(memory_writes(f->peer), 1);
	assert_int_equal(wire_unsent(f->wire), 0);
	xfree(block);
}

static void reserve_and_commit(void **state)
{
	struct fixture *f = *state;
	size_t total = 0;

	assert_int_equal(put(f, "DATA\r\n"), 0);
	for (unsigned i = 0; i < 500; i++) {
		size_t n = i * 37 % 4000;
		char *room = wire_reserve(f->wire, 4000);

		memset(room, (int)('a' + i % 26), n);
		assert_int_equal(wire_commit(f->wire, n, &soon, &f->err), 0);
		total += n;
		assert_true(wire_unsent(f->wire) < 128 * 1024);
	}
	assert_int_equal(wire_flush(f->wire, &soon, &f->err), 0);
	assert_int_equal(f->written.len, total + 6);
	const char *p = f->written.buf + 6;

	for (unsigned i = 0; i < 500; i++)
		for (size_t n = i * 37 % 4000; n; n--)
			if (*p++ != (char)('a' + i % 26))
				fail_msg("octet of block %u is wrong", i);
	assert_true(memory_writes(f->peer) < 10);
}

static void written_in_pieces(void **state)
{
	struct fixture *f = *state;

	memory_write_max(f->peer, 1);
	memory_stutter(f->peer);
	assert_int_equal(put(f, "EHLO client.example.org\r\n"), 0);
	assert_int_equal(wire_flush(f->wire, &soon, &f->err), 0);
	assert_string_equal(f->written.buf, "EHLO client.example.org\r\n");
	assert_int_equal(memory_writes(f->peer), 25);
}

static void long_group_does_not_dead_lock(void **state)
{
	struct fixture *f = *state;
	char text[64];

	memory_write_window(f->peer, 40);
	for (int i = 0; i < 10000; i++) {
		snprintf(text, sizeof(text), "250 2.1.5 recipient %d ok\r\n", i);
		memory_say(f->peer, text);
	}
	for (int i = 0; i < 10000; i++) {
		snprintf(text, sizeof(text), "RCPT TO:<u%d@example.org>\r\n", i);
		assert_int_equal(put(f, text), 0);
	}
	assert_int_equal(wire_flush(f->wire, &soon, &f->err), 0);
	assert_true(wire_unread(f->wire) > 0);
	for (int i = 0; i < 10000; i++) {
		snprintf(text, sizeof(text), "250 2.1.5 recipient %d ok", i);
		expect_line(f, text);
	}
	assert_non_null(strstr(f->written.buf, "\nRCPT TO:<u9999@example.org>\r\n"));
}

static void reading_ahead_is_bounded(void **state)
{
	struct fixture *f = *state;
	char *block = xmalloc(65536);

	memset(block, 'x', 65536);
	block[65535] = '\n';
	memory_write_window(f->peer, 10);
	for (int i = 0; i < 64; i++)
		memory_say_bytes(f->peer, block, 65536);
	assert_int_equal(wire_put(f->wire, block, 600, NULL, &soon, &f->err), 0);
	xfree(block);
	expect_error(f, wire_flush(f->wire, &soon, &f->err), EX_TEMPFAIL, "4.4.2", "timeout");
	assert_true(wire_unread(f->wire) >= WIRE_INPUT_MAX);
	assert_true(wire_unread(f->wire) < WIRE_INPUT_MAX + 65536 + 1);
	f->line.limit = 65535;
	assert_int_equal(read_line(f), 1);
	assert_int_equal(f->line.len, 65535);
}

/* --- failed writes -------------------------------------------------------- */

static void reply_before_a_failed_write(void **state)
{
	struct fixture *f = *state;
	char *block = xcalloc(1, 400000);

	memory_write_fail(f->peer, 150000);
	memory_say(f->peer, "552 5.3.4 too");
	memory_say(f->peer, " large\r\n");
	memory_end(f->peer);
	expect_error(f, wire_put(f->wire, block, 400000, NULL, &soon, &f->err), EX_TEMPFAIL,
		     "4.4.2", "Broken pipe");
	assert_int_equal(wire_unread(f->wire), 21);
	expect_line(f, "552 5.3.4 too large");
	assert_int_equal(read_line(f), 0);
	xfree(block);
}

static void failed_write_is_for_good(void **state)
{
	struct fixture *f = *state;

	memory_write_fail(f->peer, 3);
	memory_say(f->peer, "421 bye\r\n");
	assert_int_equal(put(f, "NOOP\r\n"), 0);
	expect_error(f, wire_flush(f->wire, &soon, &f->err), EX_TEMPFAIL, "4.4.2", "Broken pipe");
	assert_int_equal(wire_unsent(f->wire), 0);
	expect_error(f, put(f, "QUIT\r\n"), EX_TEMPFAIL, "4.4.2", "Broken pipe");
	memcpy(wire_reserve(f->wire, 4), "QUIT", 4);
	expect_error(f, wire_commit(f->wire, 4, &soon, &f->err), EX_TEMPFAIL, "4.4.2",
		     "Broken pipe");
	assert_int_equal(wire_unsent(f->wire), 0);
	expect_line(f, "421 bye");
	/* the peer is silent now, but nobody waits for it */
	unsigned waits = memory_waits(f->peer);

	expect_error(f, read_line(f), EX_TEMPFAIL, "4.4.2", "Broken pipe");
	assert_int_equal(memory_waits(f->peer), waits);
	assert_string_equal(f->written.buf, "NOO");
}

static void failed_write_while_reading(void **state)
{
	struct fixture *f = *state;

	memory_write_fail(f->peer, 0);
	memory_say(f->peer, "451 shutting down\r\n");
	assert_int_equal(put(f, "MAIL\r\n"), 0);
	expect_line(f, "451 shutting down");
	expect_error(f, read_line(f), EX_TEMPFAIL, "4.4.2", "Broken pipe");
}

static void read_error_while_writing(void **state)
{
	struct fixture *f = *state;

	memory_write_window(f->peer, 4);
	memory_fail(f->peer);
	assert_int_equal(put(f, "MAIL FROM:<>\r\n"), 0);
	expect_error(f, wire_flush(f->wire, &soon, &f->err), EX_TEMPFAIL, "4.4.2", "scripted");
	expect_error(f, read_line(f), EX_TEMPFAIL, "4.4.2", "scripted");
}

static void end_while_writing(void **state)
{
	struct fixture *f = *state;

	memory_write_window(f->peer, 4);
	memory_say(f->peer, "421 no\r\n");
	memory_end(f->peer);
	assert_int_equal(put(f, "MAIL FROM:<>\r\n"), 0);
	expect_error(f, wire_flush(f->wire, &soon, &f->err), EX_TEMPFAIL, "4.4.2", "timeout");
	expect_line(f, "421 no");
	assert_int_equal(read_line(f), 0);
}

/* A stream that takes one octet and pauses, and whose waits look at the clock. */
static bool pause_now;

static ssize_t slow_write(struct stream *s, const void *buf, size_t n, struct error *err)
{
	(void)s;
	(void)buf;
	(void)n;
	(void)err;
	pause_now = !pause_now;
	return pause_now ? 1 : STREAM_AGAIN;
}

static ssize_t slow_read(struct stream *s, void *buf, size_t n, struct error *err)
{
	(void)s;
	(void)buf;
	(void)n;
	(void)err;
	return STREAM_AGAIN;
}

static int slow_wait(struct stream *s, int events, const struct deadline *d, struct error *err)
{
	(void)s;
	return deadline_passed(d) ? deadline_error(d, err) : events & STREAM_OUT;
}

static void slow_free(struct stream *s)
{
	(void)s;
}

static void progress_restarts_the_time(void **state)
{
	static const struct stream_ops ops = {
		.name = "slow", .read = slow_read, .write = slow_write, .wait = slow_wait,
		.free = slow_free,
	};
	struct fixture *f = *state;
	struct deadline past = { .at = 1, .seconds = 1000, .what = "progress" };

	for (int whole = 0; whole < 2; whole++) {
		struct stream slow = { .ops = &ops };
		struct wire *w = wire_new_take(&slow);

		pause_now = false;
		past.whole = whole;
		assert_int_equal(wire_put(w, "abc", 3, NULL, &past, &f->err), 0);
		assert_int_equal(wire_flush(w, &past, &f->err), whole ? -1 : 0);
		wire_free(w);
	}
}

/* --- transcript ----------------------------------------------------------- */

static void record(void *ctx, enum wire_direction direction, const char *text, size_t n)
{
	strbuf_addch(ctx, direction == WIRE_IN ? '<' : '>');
	strbuf_add(ctx, text, n);
	strbuf_addch(ctx, '|');
}

static void transcript(void **state)
{
	struct fixture *f = *state;
	struct strbuf seen = STRBUF_INIT(1000);

	memory_say(f->peer, "220 hi\r\n334 \n235 in\r\n");
	wire_set_trace(f->wire, record, &seen);
	expect_line(f, "220 hi");
	assert_int_equal(put(f, "EHLO x\r\nNOOP\n\r\nhalf"), 0);
	assert_int_equal(wire_put(f->wire, "c2VjcmV0\r\n", 10, "[secret]", &soon, &f->err), 0);
	assert_int_equal(wire_put(f->wire, "quiet\r\n", 7, "", &soon, &f->err), 0);
	memcpy(wire_reserve(f->wire, 6), "body\r\n", 6);
	assert_int_equal(wire_commit(f->wire, 6, &soon, &f->err), 0);
	expect_line(f, "334 ");
	wire_note(f->wire, WIRE_OUT, "(TLS)");
	wire_set_trace(f->wire, NULL, NULL);
	wire_note(f->wire, WIRE_OUT, "unseen");
	expect_line(f, "235 in");
	assert_int_equal(put(f, "QUIT\r\n"), 0);
	assert_int_equal(wire_flush(f->wire, &soon, &f->err), 0);
	assert_string_equal(seen.buf,
			    "<220 hi|>EHLO x|>NOOP|>|>half|>[secret]|<334 |>(TLS)|");
	assert_string_equal(f->written.buf,
			    "EHLO x\r\nNOOP\n\r\nhalfc2VjcmV0\r\nquiet\r\nbody\r\nQUIT\r\n");
	strbuf_release(&seen);
}

/* --- upgrade -------------------------------------------------------------- */

static int replace(struct stream *lower, void *ctx, struct stream **out, struct error *err)
{
	if (!ctx)
		return error_set(err, FAULT_TLS_ALERT, "handshake failed");
	stream_free(lower);
	*out = ctx;
	return 0;
}

static void upgrade(void **state)
{
	struct fixture *f = *state;
	struct stream *top = memory_new(NULL);

	assert_ptr_equal(wire_stream(f->wire), f->peer);
	memory_say(f->peer, "220 go\r\n");
	memory_say(top, "250 secure\r\n");
	expect_line(f, "220 go");
	expect_error(f, wire_upgrade(f->wire, replace, NULL, &f->err), EX_TEMPFAIL, "4.7.5",
		     "handshake failed");
	assert_ptr_equal(wire_stream(f->wire), f->peer);
	assert_int_equal(wire_upgrade(f->wire, replace, top, &f->err), 0);
	assert_ptr_equal(wire_stream(f->wire), top);
	expect_line(f, "250 secure");
}

static void upgrade_refuses_injected_data(void **state)
{
	struct fixture *f = *state;

	memory_say(f->peer, "220 go\r\n250-evil\r\n");
	expect_line(f, "220 go");
	expect_error(f, wire_upgrade(f->wire, replace, f->peer, &f->err), EX_PROTOCOL, "5.5.0",
		     "data before TLS: the peer sent 10 octets");
	f = renew(state);
	assert_int_equal(put(f, "QUIT\r\n"), 0);
	expect_error(f, wire_upgrade(f->wire, replace, f->peer, &f->err), EX_PROTOCOL, "5.5.0",
		     "data before TLS: 6 octets are not sent");
	assert_ptr_equal(wire_stream(f->wire), f->peer);
}

static void freeing_nothing(void **state)
{
	(void)state;
	wire_free(NULL);
	stream_free(NULL);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(lines_in_all_pieces),
		CASE(lines_one_octet_at_a_time),
		CASE(nul_is_kept_in_a_line),
		CASE(line_limit),
		CASE(second_cr_counts_for_the_limit),
		CASE(endless_line_is_thrown_away),
		CASE(endless_line_obeys_the_deadline),
		CASE(end_in_the_middle_of_a_line),
		CASE(read_error_is_for_good),
		CASE(silence_is_a_timeout),
		CASE(overall_limit_is_named),
		CASE(peek_and_consume),
		CASE(peek_sends_first),
		CASE(much_input_by_blocks),
		CASE(unread_now),
		CASE(any_now),
		CASE(one_write_a_flight),
		CASE(reading_sends_first),
		CASE(large_blocks),
		CASE(reserve_and_commit),
		CASE(written_in_pieces),
		CASE(long_group_does_not_dead_lock),
		CASE(reading_ahead_is_bounded),
		CASE(reply_before_a_failed_write),
		CASE(failed_write_is_for_good),
		CASE(failed_write_while_reading),
		CASE(read_error_while_writing),
		CASE(end_while_writing),
		CASE(progress_restarts_the_time),
		CASE(transcript),
		CASE(upgrade),
		CASE(upgrade_refuses_injected_data),
		CASE(freeing_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
