#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "memory_stream.h"
#include "net/proxy.h"
#include "net/resolve.h"
#include "net/stream.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/secret.h"
#include "util/strbuf.h"

static const struct deadline soon = { .seconds = 30, .what = "the proxy" };

struct octets {
	const char *data;
	size_t n;
};

#define OCTETS(s) { s, sizeof(s) - 1 }

/* One dialogue of any version: what goes out, and the pieces that come back. */
struct dialogue {
	int version;
	const char *host;
	unsigned port;
	const char *address;		/* looked up here */
	const char *user, *password;
	struct octets sent;
	struct octets said[3];
};

static const struct dialogue good[] = {
	{ 5, "mail.example.org", 587, NULL, NULL, NULL,
	  OCTETS("\5\1\0" "\5\1\0\3\x10mail.example.org\x02\x4b"),
	  { OCTETS("\5\0"), OCTETS("\5\0\0\1\x7f\0\0\1\x04\x38") } },
	{ 5, "mail.example.org", 587, NULL, NULL, NULL,
	  OCTETS("\5\1\0" "\5\1\0\3\x10mail.example.org\x02\x4b"),
	  { OCTETS("\5\0"), OCTETS("\5\0\0\4" "0123456789abcdef" "\0\x19") } },
	{ 5, "mail.example.org", 587, NULL, NULL, NULL,
	  OCTETS("\5\1\0" "\5\1\0\3\x10mail.example.org\x02\x4b"),
	  { OCTETS("\5\0"), OCTETS("\5\0\0\3\0\0\x19") } },
	{ 5, "mail.example.org", 587, NULL, NULL, NULL,
	  OCTETS("\5\1\0" "\5\1\0\3\x10mail.example.org\x02\x4b"),
	  { OCTETS("\5\0"), OCTETS("\5\0\0\3\x0dproxy.example\0\x19") } },
	{ 5, "192.0.2.1", 25, NULL, NULL, NULL, OCTETS("\5\1\0" "\5\1\0\1\xc0\0\2\1\0\x19"),
	  { OCTETS("\5\0"), OCTETS("\5\0\0\1\0\0\0\0\0\0") } },
	{ 5, "[2001:db8::1]", 465, NULL, NULL, NULL,
	  OCTETS("\5\1\0" "\5\1\0\4\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\1\xd1"),
	  { OCTETS("\5\0"), OCTETS("\5\0\0\1\0\0\0\0\0\0") } },
	{ 5, "mail.example.org", 25, "192.0.2.7", NULL, NULL,
	  OCTETS("\5\1\0" "\5\1\0\1\xc0\0\2\7\0\x19"),
	  { OCTETS("\5\0"), OCTETS("\5\0\0\1\0\0\0\0\0\0") } },
	{ 5, "a", 65535, NULL, "joe", "secret",
	  OCTETS("\5\2\0\2" "\1\3joe\6secret" "\5\1\0\3\1a\xff\xff"),
	  { OCTETS("\5\2"), OCTETS("\1\0"), OCTETS("\5\0\0\1\0\0\0\0\0\0") } },
	{ 5, "a", 25, NULL, "joe", "secret", OCTETS("\5\2\0\2" "\5\1\0\3\1a\0\x19"),
	  { OCTETS("\5\0"), OCTETS("\5\0\0\1\0\0\0\0\0\0") } },
	{ 5, "a", 25, NULL, "joe", NULL, OCTETS("\5\2\0\2" "\1\3joe\0" "\5\1\0\3\1a\0\x19"),
	  { OCTETS("\5\2"), OCTETS("\1\0"), OCTETS("\5\0\0\1\0\0\0\0\0\0") } },
	{ 4, "mail.example.org", 587, NULL, NULL, NULL,
	  OCTETS("\4\1\2\x4b\0\0\0\1\0mail.example.org\0"),
	  { OCTETS("\0\x5a\1\2\3\4\5\6") } },
	{ 4, "mail.example.org", 25, NULL, "joe", "not for version 4",
	  OCTETS("\4\1\0\x19\0\0\0\1joe\0mail.example.org\0"),
	  { OCTETS("\0\x5a\0\0\0\0\0\0") } },
	{ 4, "mail.example.org", 25, "192.0.2.7", "joe", NULL,
	  OCTETS("\4\1\0\x19\xc0\0\2\7joe\0"), { OCTETS("\0\x5a\0\0\0\0\0\0") } },
	{ 4, "192.0.2.8", 25, NULL, NULL, NULL, OCTETS("\4\1\0\x19\xc0\0\2\x08\0"),
	  { OCTETS("\0\x5a\0\0\0\0\0\0") } },
};

static int speak(const struct dialogue *d, struct stream *s, struct error *err)
{
	struct secret password = { .data = NULL };
	struct address a;
	struct proxy_request r = {
		.host = d->host, .port = d->port, .user = d->user, .password = &password,
	};

	if (d->password)
		secret_set(&password, d->password, strlen(d->password));
	if (d->address) {
		assert_true(address_from_text(d->address, d->port, &a));
		r.address = &a;
	}
	int rc = proxy_connect(d->version == 4 ? PROXY_SOCKS4A : PROXY_SOCKS5, s, &r, &soon, err);

	secret_release(&password);
	return rc;
}

/* The greeting of the server follows at once: not one octet of it may be taken. */
static void check_good(const struct dialogue *d, size_t read_max)
{
	struct strbuf written = STRBUF_INIT(1000), all = STRBUF_INIT(1000);
	struct stream *s = memory_new(&written);
	struct error err = { 0 };
	char rest[10] = "";

	for (size_t i = 0; i < ARRAY_LEN(d->said); i++)
		strbuf_add(&all, d->said[i].data, d->said[i].n);
	strbuf_addstr(&all, "220 hi");
	memory_say_bytes(s, all.buf, all.len);
	memory_read_max(s, read_max);
	if (read_max)
		memory_stutter(s);
	if (speak(d, s, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(written.len, d->sent.n);
	assert_memory_equal(written.buf, d->sent.data, d->sent.n);
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
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		for (size_t max = 0; max < 4; max++)
			check_good(&good[i], max);
}

static void longest_address_in_a_reply(void **state)
{
	(void)state;
	char data[5 + 255 + 2];
	struct dialogue d = good[0];

	memset(data, 'n', sizeof(data));
	memcpy(data, "\5\0\0\3\xff", 5);
	d.said[1] = (struct octets){ data, sizeof(data) };
	check_good(&d, 0);
	check_good(&d, 1);
}

/* Plays said up to octet cut of its whole, then the peer closes or is silent. */
static int play(const struct dialogue *d, size_t cut, bool ends, struct error *err,
		struct strbuf *written)
{
	strbuf_reset(written);
	struct stream *s = memory_new(written);

	memset(err, 0, sizeof(*err));
	for (size_t i = 0; i < ARRAY_LEN(d->said); i++) {
		size_t n = d->said[i].n < cut ? d->said[i].n : cut;

		if (n)
			memory_say_bytes(s, d->said[i].data, n);
		cut -= n;
	}
	if (ends)
		memory_end(s);
	int rc = speak(d, s, err);

	stream_free(s);
	return rc;
}

static void failures(void **state)
{
	(void)state;
	static const struct {
		int version;
		const char *user;
		struct octets said[3];
		int exit;
		const char *status, *text;
	} cases[] = {
		{ 5, NULL, { OCTETS("HT") }, EX_PROTOCOL, "5.5.0",
		  "does not speak SOCKS5 (first octet 0x48)" },
		{ 5, NULL, { OCTETS("\4\0") }, EX_PROTOCOL, "5.5.0", "does not speak SOCKS5" },
		{ 5, NULL, { OCTETS("\5\xff") }, EX_UNAVAILABLE, "5.7.0", "without a login" },
		{ 5, "joe", { OCTETS("\5\xff") }, EX_UNAVAILABLE, "5.7.0", "neither" },
		{ 5, NULL, { OCTETS("\5\2") }, EX_PROTOCOL, "5.5.0",
		  "method 0x02, which was not offered" },
		{ 5, "joe", { OCTETS("\5\1") }, EX_PROTOCOL, "5.5.0", "method 0x01" },
		{ 5, "joe", { OCTETS("\5\2"), OCTETS("\1\1") }, EX_NOPERM, "5.7.8", "'joe'" },
		{ 5, "joe", { OCTETS("\5\2"), OCTETS("\1\xff") }, EX_NOPERM, "5.7.8", "'joe'" },
		{ 5, "joe", { OCTETS("\5\2"), OCTETS("\5\0") }, EX_PROTOCOL, "5.5.0",
		  "version 0x05" },
		{ 5, NULL, { OCTETS("\5\0"), OCTETS("\4\0\0\1") }, EX_PROTOCOL, "5.5.0",
		  "does not speak SOCKS5" },
		{ 5, NULL, { OCTETS("\5\0"), OCTETS("\5\1\0\1") }, EX_TEMPFAIL, "4.4.1",
		  "general failure" },
		{ 5, NULL, { OCTETS("\5\0"), OCTETS("\5\2\0\1") }, EX_UNAVAILABLE, "5.7.1",
		  "not allowed" },
		{ 5, NULL, { OCTETS("\5\0"), OCTETS("\5\3\0\1") }, EX_TEMPFAIL, "4.4.1",
		  "network unreachable" },
		{ 5, NULL, { OCTETS("\5\0"), OCTETS("\5\4\0\1") }, EX_TEMPFAIL, "4.4.1",
		  "host unreachable" },
		{ 5, NULL, { OCTETS("\5\0"), OCTETS("\5\5\0\1") }, EX_TEMPFAIL, "4.4.1",
		  "cannot connect to mx.example:25: connection refused" },
		{ 5, NULL, { OCTETS("\5\0"), OCTETS("\5\6\0\1") }, EX_TEMPFAIL, "4.4.1",
		  "expired" },
		{ 5, NULL, { OCTETS("\5\0"), OCTETS("\5\7\0\1") }, EX_UNAVAILABLE, "5.5.1",
		  "command" },
		{ 5, NULL, { OCTETS("\5\0"), OCTETS("\5\10\0\1") }, EX_UNAVAILABLE, "5.5.1",
		  "address type" },
		{ 5, NULL, { OCTETS("\5\0"), OCTETS("\5\11\0\1") }, EX_PROTOCOL, "5.5.0",
		  "unknown reply 0x09" },
		{ 5, NULL, { OCTETS("\5\0"), OCTETS("\5\0\0\2") }, EX_PROTOCOL, "5.5.0",
		  "unknown address type 0x02" },
		{ 4, NULL, { OCTETS("\4\x5a\0\0\0\0\0\0") }, EX_PROTOCOL, "5.5.0",
		  "does not speak SOCKS4" },
		{ 4, NULL, { OCTETS("\0\x5b\0\0\0\0\0\0") }, EX_TEMPFAIL, "4.4.1", "rejected" },
		{ 4, NULL, { OCTETS("\0\x5c\0\0\0\0\0\0") }, EX_NOPERM, "5.7.8", "identd" },
		{ 4, NULL, { OCTETS("\0\x5d\0\0\0\0\0\0") }, EX_NOPERM, "5.7.8", "identd" },
		{ 4, NULL, { OCTETS("\0\0\0\0\0\0\0\0") }, EX_PROTOCOL, "5.5.0",
		  "unknown reply 0" },
	};
	struct strbuf written = STRBUF_INIT(1000);
	struct error err;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dialogue d = {
			.version = cases[i].version, .host = "mx.example", .port = 25,
			.user = cases[i].user, .password = "secret",
		};

		memcpy(d.said, cases[i].said, sizeof(d.said));
		assert_int_equal(play(&d, 1000, true, &err, &written), -1);
		if (err.exit != cases[i].exit || !strstr(err.text, cases[i].text))
			fail_msg("case %zu: %d '%s'", i, err.exit, err.text);
		assert_string_equal(err.status, cases[i].status);
		assert_null(strstr(err.text, "secret"));
	}
	strbuf_release(&written);
}

/* Each octet of a good dialogue may be the last one. */
static void cut_off_anywhere(void **state)
{
	(void)state;
	struct strbuf written = STRBUF_INIT(1000);
	struct error err;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		size_t whole = 0;

		for (size_t k = 0; k < ARRAY_LEN(good[i].said); k++)
			whole += good[i].said[k].n;
		for (size_t n = 0; n < 2 * whole; n++) {
			bool ends = n & 1;

			assert_int_equal(play(&good[i], n / 2, ends, &err, &written), -1);
			assert_int_equal(err.exit, EX_TEMPFAIL);
			assert_string_equal(err.status, "4.4.2");
			assert_string_equal(err.text, ends ?
				"connection closed by the peer, while waiting for the proxy" :
				"timeout after 30 s waiting for the proxy");
		}
		assert_int_equal(play(&good[i], whole, true, &err, &written), 0);
	}
	strbuf_release(&written);
}

/* What cannot be said is not sent. */
static void limits(void **state)
{
	(void)state;
	char longest[257];
	struct strbuf written = STRBUF_INIT(2000);
	struct error err;

	memset(longest, 'a', 256);
	longest[256] = '\0';
	const struct { int version; const char *host, *user, *password; bool good; } cases[] = {
		{ 5, longest + 1, NULL, NULL, true }, { 5, longest, NULL, NULL, false },
		{ 5, "", NULL, NULL, false }, { 5, "a", longest + 1, "x", true },
		{ 5, "a", longest, "x", false }, { 5, "a", "x", longest + 1, true },
		{ 5, "a", "x", longest, false }, { 4, longest + 1, NULL, NULL, true },
		{ 4, longest, NULL, NULL, false }, { 4, "", NULL, NULL, false },
		{ 4, "2001:db8::1", NULL, NULL, false }, { 4, "[::1]", NULL, NULL, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dialogue d = {
			.version = cases[i].version, .host = cases[i].host, .port = 25,
			.user = cases[i].user, .password = cases[i].password,
			.said = { OCTETS("\5\2"), OCTETS("\1\0"),
				  OCTETS("\5\0\0\1\0\0\0\0\0\0") },
		};

		if (!d.user)
			d.said[0] = (struct octets)OCTETS("\5\0");
		if (!d.user)
			d.said[1].n = 0;
		if (d.version == 4)
			d.said[0] = (struct octets)OCTETS("\0\x5a\0\0\0\0\0\0");
		if (play(&d, 1000, false, &err, &written) != (cases[i].good ? 0 : -1))
			fail_msg("case %zu: %s", i, err.text);
		if (!cases[i].good)
			assert_int_equal(err.exit, EX_CONFIG);
		if (!cases[i].good && d.version == 4)
			assert_int_equal(written.len, 0);
	}
	strbuf_release(&written);
}

static void proxy_goes_while_we_write(void **state)
{
	(void)state;
	struct error err = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		for (size_t n = 0; n < good[i].sent.n; n++) {
			struct stream *s = memory_new(NULL);

			memory_write_fail(s, n);
			for (size_t k = 0; k < ARRAY_LEN(good[i].said); k++)
				memory_say_bytes(s, good[i].said[k].data, good[i].said[k].n);
			assert_int_equal(speak(&good[i], s, &err), -1);
			assert_int_equal(err.exit, EX_TEMPFAIL);
			assert_non_null(strstr(err.text, "connection lost"));
			stream_free(s);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connects),
		cmocka_unit_test(longest_address_in_a_reply),
		cmocka_unit_test(failures),
		cmocka_unit_test(cut_off_anywhere),
		cmocka_unit_test(limits),
		cmocka_unit_test(proxy_goes_while_we_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
