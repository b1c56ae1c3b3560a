#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "memory_stream.h"
#include "net/stream.h"
#include "util/attr.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/strbuf.h"

static const struct deadline soon = { .seconds = 9, .what = "the script" };

struct fixture {
	struct strbuf written;
	struct stream *s;
	struct error err;
	char buf[32];
};

static struct fixture f;

static int setup(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	strbuf_init(&f.written, 1000);
	f.s = memory_new(&f.written);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stream_free(f.s);
	strbuf_release(&f.written);
	return 0;
}

static ssize_t get(size_t n)
{
	memset(f.buf, 0, sizeof(f.buf));
	return stream_read(f.s, f.buf, n, &f.err);
}

static ssize_t give(const char *text)
{
	return stream_write(f.s, text, strlen(text), &f.err);
}

static int wait_for(int events)
{
	return stream_wait(f.s, events, &soon, &f.err);
}

static void steps_in_order(void **state)
{
	(void)state;
	memory_say(f.s, "abc");
	memory_say(f.s, "");
	memory_say(f.s, "de");
	memory_again(f.s);
	memory_say_bytes(f.s, "\0x", 2);
	memory_end(f.s);
	assert_int_equal(get(2), 2);
	assert_string_equal(f.buf, "ab");
	assert_int_equal(get(10), 1);	/* never beyond a piece */
	assert_string_equal(f.buf, "c");
	assert_int_equal(get(10), 2);
	assert_int_equal(get(10), STREAM_AGAIN);
	assert_int_equal(get(10), 2);
	assert_memory_equal(f.buf, "\0x", 2);
	assert_int_equal(get(10), 0);
	assert_int_equal(get(10), 0);
	assert_int_equal(wait_for(STREAM_IN), STREAM_IN);
}

static void script_that_ran_out(void **state)
{
	(void)state;
	assert_int_equal(get(1), STREAM_AGAIN);
	assert_int_equal(wait_for(STREAM_IN), -1);
	assert_string_equal(f.err.text, "timeout after 9 s waiting for the script");
	assert_int_equal(wait_for(STREAM_IN | STREAM_OUT), STREAM_OUT);
	assert_int_equal(memory_waits(f.s), 2);
	memory_say(f.s, "late");
	assert_int_equal(wait_for(STREAM_IN | STREAM_OUT), STREAM_IN | STREAM_OUT);
	assert_int_equal(get(4), 4);
	memory_fail(f.s);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(get(1), -1);
		assert_string_equal(f.err.text, "connection lost: scripted");
	}
}

static void await(void **state)
{
	(void)state;
	memory_await(f.s, "NOOP\r\n");
	memory_say(f.s, "250 one");
	memory_await(f.s, "NOOP\r\n");
	memory_await(f.s, "QUIT");
	memory_say(f.s, "221 bye");
	assert_int_equal(get(10), STREAM_AGAIN);
	assert_int_equal(give("xNOO"), 4);
	assert_int_equal(get(10), STREAM_AGAIN);
	assert_int_equal(give("P\r\n"), 3);
	assert_int_equal(get(10), 7);
	/* the first NOOP does not count a second time */
	assert_int_equal(give("QUIT"), 4);
	assert_int_equal(get(10), STREAM_AGAIN);
	assert_int_equal(give("NOOP\r\n"), 6);
	assert_int_equal(get(10), STREAM_AGAIN);
	assert_int_equal(give("QUIT"), 4);
	assert_int_equal(get(10), 7);
	assert_string_equal(f.buf, "221 bye");
	assert_string_equal(f.written.buf, "xNOOP\r\nQUITNOOP\r\nQUIT");
	strbuf_reset(&f.written);
	memory_await(f.s, "A");
	memory_say(f.s, "B");
	assert_int_equal(get(10), STREAM_AGAIN);
	assert_int_equal(give("A"), 1);
	assert_int_equal(get(10), 1);
}

static void small_pieces_and_pauses(void **state)
{
	(void)state;
	memory_read_max(f.s, 2);
	memory_write_max(f.s, 3);
	memory_stutter(f.s);
	memory_say(f.s, "abc");
	assert_int_equal(get(10), STREAM_AGAIN);
	assert_int_equal(get(10), 2);
	assert_int_equal(get(10), STREAM_AGAIN);
	assert_int_equal(get(10), 1);
	assert_int_equal(give("12345"), STREAM_AGAIN);
	assert_int_equal(give("12345"), 3);
	assert_int_equal(give("45"), STREAM_AGAIN);
	assert_int_equal(give("45"), 2);
	assert_string_equal(f.written.buf, "12345");
	assert_int_equal(memory_writes(f.s), 2);
}

static void window(void **state)
{
	(void)state;
	memory_write_window(f.s, 4);
	memory_say(f.s, "ab");
	assert_int_equal(give("123"), 3);
	assert_int_equal(give("456"), 1);
	assert_int_equal(give("56"), STREAM_AGAIN);
	assert_int_equal(wait_for(STREAM_OUT), -1);
	assert_int_equal(get(1), 1);
	assert_int_equal(give("56"), STREAM_AGAIN);
	assert_int_equal(get(1), 1);
	assert_int_equal(wait_for(STREAM_OUT), STREAM_OUT);
	assert_int_equal(give("567890"), 4);
	assert_string_equal(f.written.buf, "12345678");
}

static void failing_write(void **state)
{
	(void)state;
	memory_write_fail(f.s, 2);
	assert_int_equal(give("123"), 2);
	assert_int_equal(wait_for(STREAM_OUT), STREAM_OUT);
	assert_int_equal(give("3"), -1);
	assert_int_equal(f.err.exit, EX_TEMPFAIL);
	assert_string_equal(f.err.text, "connection lost: Broken pipe");
}

static void closing(void **state)
{
	(void)state;
	assert_int_equal(memory_closed(f.s), 0);
	stream_close(f.s);
	stream_close(f.s);
	assert_int_equal(memory_closed(f.s), 2);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(steps_in_order),
		CASE(script_that_ran_out),
		CASE(await),
		CASE(small_pieces_and_pauses),
		CASE(window),
		CASE(failing_write),
		CASE(closing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
