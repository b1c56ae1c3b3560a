#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "net/memory.h"
#include "net/socks.h"
#include "net/stream.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/strbuf.h"

static const struct deadline soon = { .seconds = 30, .what = "the proxy" };

struct octets {
	const char *data;
	size_t n;
};

#define OCTETS(s) { s, sizeof(s) - 1 }

static const struct octets good_replies[] = {
	OCTETS("\5\0\0\1\x7f\0\0\1\x04\x38"),
	OCTETS("\5\0\x55\1\0\0\0\0\0\0"),
	OCTETS("\5\0\0\4" "0123456789abcdef" "\0\x19"),
	OCTETS("\5\0\0\3\0\0\x19"),
	OCTETS("\5\0\0\3\x0dproxy.example\0\x19"),
};

/* The greeting of the server follows at once: not one octet of it may be taken. */
static void check_good(const struct octets *reply, size_t read_max)
{
	struct strbuf written = STRBUF_INIT(1000), all = STRBUF_INIT(1000);
	struct stream *s = memory_new(&written);
	struct error err = { 0 };
	char rest[10] = "";

	memory_read_max(s, read_max);
	if (read_max)
		memory_stutter(s);
	memory_await(s, "\5\1");
	memory_say_bytes(s, "\5\0", 2);
	memory_await(s, "mail.example.org");
	strbuf_add(&all, reply->data, reply->n);
	strbuf_addstr(&all, "220 hi");
	memory_say_bytes(s, all.buf, all.len);
	if (socks5_connect(s, "mail.example.org", 587, &soon, &err) < 0)
		fail_msg("%s", err.text);
	static const char sent[] = "\5\1\0" "\5\1\0\3\x10mail.example.org\x02\x4b";

	assert_int_equal(written.len, sizeof(sent) - 1);
	assert_memory_equal(written.buf, sent, sizeof(sent) - 1);
	memory_read_max(s, 0);
	assert_int_equal(stream_read_exact(s, rest, 6, &soon, &err), 0);
	assert_string_equal(rest, "220 hi");
	stream_free(s);
	strbuf_release(&written);
	strbuf_release(&all);
}

static void connects(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good_replies); i++)
		for (size_t max = 0; max < 4; max++)
			check_good(&good_replies[i], max);
}

static void longest_address_in_a_reply(void **state)
{
	(void)state;
	char data[5 + 255 + 2];

	memset(data, 'n', sizeof(data));
	memcpy(data, "\5\0\0\3\xff", 5);
	const struct octets reply = { data, sizeof(data) };

	check_good(&reply, 0);
	check_good(&reply, 1);
}

/* Runs the dialogue with a proxy that says choice, then reply, then closes or is silent. */
static void run(const struct octets *choice, const struct octets *reply, bool ends,
		struct error *err, struct strbuf *written)
{
	strbuf_reset(written);
	struct stream *s = memory_new(written);

	memset(err, 0, sizeof(*err));
	memory_await(s, "\5\1");
	memory_say_bytes(s, choice->data, choice->n);
	if (reply->n) {
		memory_await(s, "mx.example");
		memory_say_bytes(s, reply->data, reply->n);
	}
	if (ends)
		memory_end(s);
	assert_int_equal(socks5_connect(s, "mx.example", 25, &soon, err), -1);
	stream_free(s);
}

static void failures(void **state)
{
	(void)state;
	static const struct {
		struct octets choice, reply;
		int exit;
		const char *status, *text;
	} cases[] = {
		{ OCTETS("HT"), OCTETS(""), EX_PROTOCOL, "5.5.0",
		  "does not speak SOCKS5 (first octet 0x48)" },
		{ OCTETS("\4\0"), OCTETS(""), EX_PROTOCOL, "5.5.0", "does not speak SOCKS5" },
		{ OCTETS("\5\xff"), OCTETS(""), EX_UNAVAILABLE, "5.7.0", "without a login" },
		{ OCTETS("\5\2"), OCTETS(""), EX_PROTOCOL, "5.5.0",
		  "method 0x02, which was not offered" },
		{ OCTETS("\5\0"), OCTETS("\4\0\0\1"), EX_PROTOCOL, "5.5.0",
		  "does not speak SOCKS5" },
		{ OCTETS("\5\0"), OCTETS("\5\1\0\1"), EX_TEMPFAIL, "4.4.1", "general failure" },
		{ OCTETS("\5\0"), OCTETS("\5\2\0\1"), EX_UNAVAILABLE, "5.7.1", "not allowed" },
		{ OCTETS("\5\0"), OCTETS("\5\3\0\1"), EX_TEMPFAIL, "4.4.1",
		  "network unreachable" },
		{ OCTETS("\5\0"), OCTETS("\5\4\0\1"), EX_TEMPFAIL, "4.4.1", "host unreachable" },
		{ OCTETS("\5\0"), OCTETS("\5\5\0\1"), EX_TEMPFAIL, "4.4.1",
		  "cannot connect to mx.example:25: connection refused" },
		{ OCTETS("\5\0"), OCTETS("\5\6\0\1"), EX_TEMPFAIL, "4.4.1", "expired" },
		{ OCTETS("\5\0"), OCTETS("\5\7\0\1"), EX_UNAVAILABLE, "5.5.1", "command" },
		{ OCTETS("\5\0"), OCTETS("\5\10\0\1"), EX_UNAVAILABLE, "5.5.1", "address type" },
		{ OCTETS("\5\0"), OCTETS("\5\11\0\1"), EX_PROTOCOL, "5.5.0",
		  "unknown reply 0x09" },
		{ OCTETS("\5\0"), OCTETS("\5\xff\0\1"), EX_PROTOCOL, "5.5.0",
		  "unknown reply 0xff" },
		{ OCTETS("\5\0"), OCTETS("\5\0\0\2"), EX_PROTOCOL, "5.5.0",
		  "unknown address type 0x02" },
	};
	struct strbuf written = STRBUF_INIT(1000);
	struct error err;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		run(&cases[i].choice, &cases[i].reply, true, &err, &written);
		if (err.exit != cases[i].exit || !strstr(err.text, cases[i].text))
			fail_msg("case %zu: %d '%s'", i, err.exit, err.text);
		assert_string_equal(err.status, cases[i].status);
	}
	strbuf_release(&written);
}

/* Each octet of a good dialogue may be the last one. */
static void cut_off_anywhere(void **state)
{
	(void)state;
	static const struct octets choice = OCTETS("\5\0");
	struct strbuf written = STRBUF_INIT(1000);
	struct error err;

	for (int ends = 0; ends < 2; ends++) {
		const char *text = "timeout after 30 s waiting for the proxy";

		if (ends)
			text = "connection closed by the peer, while waiting for the proxy";

		for (size_t n = 0; n < choice.n; n++) {
			run(&(struct octets){ choice.data, n }, &(struct octets){ "", 0 }, ends,
			    &err, &written);
			assert_int_equal(err.exit, EX_TEMPFAIL);
			assert_string_equal(err.text, text);
			assert_int_equal(written.len, 3);
		}
		for (size_t i = 0; i < ARRAY_LEN(good_replies); i++)
			for (size_t n = 0; n < good_replies[i].n; n++) {
				run(&choice, &(struct octets){ good_replies[i].data, n }, ends,
				    &err, &written);
				assert_int_equal(err.exit, EX_TEMPFAIL);
				assert_string_equal(err.status, "4.4.2");
				assert_string_equal(err.text, text);
			}
	}
	strbuf_release(&written);
}

/* The name goes out as it is; an IPv6 address without its brackets. */
static void names(void **state)
{
	(void)state;
	char longest[257];

	memset(longest, 'a', 256);
	longest[256] = '\0';
	const struct { const char *host; size_t skip, n; } cases[] = {
		{ "a", 0, 1 }, { "192.0.2.1", 0, 9 }, { "[2001:db8::1]", 1, 11 },
		{ "2001:db8::1", 0, 11 }, { longest + 1, 0, 255 }, { longest, 0, 0 }, { "", 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf written = STRBUF_INIT(1000);
		struct stream *s = memory_new(&written);
		struct error err = { 0 };

		memory_say_bytes(s, "\5\0", 2);
		memory_say_bytes(s, good_replies[0].data, good_replies[0].n);
		int rc = socks5_connect(s, cases[i].host, 65535, &soon, &err);

		if (cases[i].n) {
			assert_int_equal(rc, 0);
			assert_int_equal(written.len, 3 + 5 + cases[i].n + 2);
			assert_int_equal((unsigned char)written.buf[7], cases[i].n);
			assert_memory_equal(written.buf + 8, cases[i].host + cases[i].skip,
					    cases[i].n);
			assert_memory_equal(written.buf + 8 + cases[i].n, "\xff\xff", 2);
		} else {
			assert_int_equal(rc, -1);
			assert_int_equal(err.exit, EX_CONFIG);
			assert_int_equal(written.len, 3);
		}
		stream_free(s);
		strbuf_release(&written);
	}
}

static void proxy_goes_while_we_write(void **state)
{
	(void)state;
	struct error err = { 0 };

	for (size_t n = 0; n < 20; n++) {
		struct stream *s = memory_new(NULL);

		memory_write_fail(s, n);
		memory_say_bytes(s, "\5\0", 2);
		assert_int_equal(socks5_connect(s, "mx.example", 25, &soon, &err), -1);
		assert_int_equal(err.exit, EX_TEMPFAIL);
		assert_non_null(strstr(err.text, "connection lost"));
		stream_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connects),
		cmocka_unit_test(longest_address_in_a_reply),
		cmocka_unit_test(failures),
		cmocka_unit_test(cut_off_anywhere),
		cmocka_unit_test(names),
		cmocka_unit_test(proxy_goes_while_we_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
