#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "memory_stream.h"
#include "net/stream.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/strbuf.h"

static const struct deadline none = { .what = "the peer" };
static const struct deadline past = { .at = 1, .seconds = 7, .what = "the peer" };

/* What may go at once, and that nothing goes behind it. */
static void sends_a_burst_only(void **state)
{
	(void)state;
	static char block[20000];
	static const struct { uint64_t rate; ssize_t burst; } cases[] = {
		{ 1, 512 }, { 100, 512 }, { 4096, 1024 }, { 40000, 10000 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf written = STRBUF_INIT(100000);
		struct stream *s = rate_new_take(memory_new(&written), cases[i].rate);
		struct error err = { 0 };

		const int64_t start = clock_ms();

		assert_int_equal(stream_write(s, block, sizeof(block), &err), cases[i].burst);
		assert_int_equal(written.len, (size_t)cases[i].burst);
		const ssize_t more = stream_write(s, block, 1, &err);

		/* an octet may have come meanwhile, but not before its time */
		if ((uint64_t)(clock_ms() - start) * cases[i].rate < 1000)
			assert_int_equal(more, STREAM_AGAIN);
		stream_free(s);
		strbuf_release(&written);
	}
}

/* All of it arrives, and never sooner than the rate allows. */
static void keeps_the_rate(void **state)
{
	(void)state;
	char block[4000];
	struct strbuf written = STRBUF_INIT(100000);
	struct stream *s = rate_new_take(memory_new(&written), 20000);
	struct error err = { 0 };
	const int64_t start = clock_ms();

	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (char)i;
	for (int i = 0; i < 2; i++)
		assert_int_equal(stream_write_all(s, block, sizeof(block), &none, &err), 0);
	assert_true(clock_ms() - start >= (8000 - 5000) * 1000 / 20000 - 5);
	assert_int_equal(written.len, 2 * sizeof(block));
	assert_memory_equal(written.buf, block, sizeof(block));
	assert_memory_equal(written.buf + sizeof(block), block, sizeof(block));
	stream_free(s);
	strbuf_release(&written);
}

static void waiting_ends_in_time(void **state)
{
	(void)state;
	struct strbuf written = STRBUF_INIT(100000);
	struct stream *s = rate_new_take(memory_new(&written), 1);
	struct error err = { 0 };
	char block[600] = "";

	assert_int_equal(stream_write(s, block, sizeof(block), &err), 512);
	assert_int_equal(stream_write(s, block, sizeof(block), &err), STREAM_AGAIN);
	assert_int_equal(stream_wait(s, STREAM_OUT, &past, &err), -1);
	assert_string_equal(err.text, "timeout after 7 s waiting for the peer");
	assert_int_equal(stream_wait(s, STREAM_OUT | STREAM_IN, &past, &err), -1);
	assert_int_equal(err.exit, EX_TEMPFAIL);
	stream_free(s);
	strbuf_release(&written);
}

/* What comes in is not held back, and wakes up who waits for both. */
static void reads_at_once(void **state)
{
	(void)state;
	struct stream *lower = memory_new(NULL), *s = rate_new_take(lower, 1);
	struct error err = { 0 };
	char block[600] = "";

	memory_say(lower, "hello");
	assert_int_equal(stream_write(s, block, sizeof(block), &err), 512);
	assert_int_equal(stream_write(s, block, sizeof(block), &err), STREAM_AGAIN);
	assert_int_equal(stream_wait(s, STREAM_OUT | STREAM_IN, &none, &err), STREAM_IN);
	assert_int_equal(stream_read(s, block, sizeof(block), &err), 5);
	stream_close(s);
	assert_int_equal(memory_closed(lower), 1);
	stream_free(s);
}

static void lower_failures(void **state)
{
	(void)state;
	struct stream *lower = memory_new(NULL), *s = rate_new_take(lower, 1000000);
	struct error err = { 0 };

	memory_write_fail(lower, 3);
	assert_int_equal(stream_write_all(s, "hello", 5, &none, &err), -1);
	assert_string_equal(err.status, "4.4.2");
	stream_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sends_a_burst_only),
		cmocka_unit_test(keeps_the_rate),
		cmocka_unit_test(waiting_ends_in_time),
		cmocka_unit_test(reads_at_once),
		cmocka_unit_test(lower_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
