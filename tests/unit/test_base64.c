#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "util/attr.h"
#include "util/base64.h"
#include "util/strbuf.h"

/* RFC 4648, section 10, and RFC 4954's and 4616's own examples */
static const struct {
	const char *plain;
	size_t n;
	const char *coded;
} vectors[] = {
	{ "", 0, "" },
	{ "f", 1, "Zg==" },
	{ "fo", 2, "Zm8=" },
	{ "foo", 3, "Zm9v" },
	{ "foob", 4, "Zm9vYg==" },
	{ "fooba", 5, "Zm9vYmE=" },
	{ "foobar", 6, "Zm9vYmFy" },
	{ "\0test\0001234", 10, "AHRlc3QAMTIzNA==" },
	{ "\0tim\0tanstaaftanstaaf", 21, "AHRpbQB0YW5zdGFhZnRhbnN0YWFm" },
	{ "\xff\xef\xfe\xfb", 4, "/+/++w==" },
	{ "\0\0\0", 3, "AAAA" },
};

static void test_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct strbuf coded = STRBUF_INIT(100), plain = STRBUF_INIT(100);

		base64_encode(&coded, vectors[i].plain, vectors[i].n);
		assert_string_equal(coded.buf, vectors[i].coded);
		assert_int_equal(base64_decode(&plain, coded.buf, coded.len), 0);
		assert_int_equal(plain.len, vectors[i].n);
		assert_memory_equal(plain.buf, vectors[i].plain, vectors[i].n);
		strbuf_release(&coded);
		strbuf_release(&plain);
	}
}

static void test_appends(void **state)
{
	struct strbuf b = STRBUF_INIT(100);

	(void)state;
	strbuf_addstr(&b, "AUTH PLAIN ");
	base64_encode(&b, "foo", 3);
	assert_string_equal(b.buf, "AUTH PLAIN Zm9v");
	assert_int_equal(base64_decode(&b, "YmFy", 4), 0);
	assert_string_equal(b.buf, "AUTH PLAIN Zm9vbar");
	strbuf_release(&b);
}

/* Every length up to 200 and every octet at every place of a group comes back. */
static void test_round_trip(void **state)
{
	unsigned char data[200];

	(void)state;
	for (unsigned start = 0; start < 256; start += 5) {
		for (size_t i = 0; i < sizeof(data); i++)
			data[i] = (unsigned char)(start + i * 7);
		for (size_t n = 0; n <= sizeof(data); n++) {
			struct strbuf coded = STRBUF_INIT(1000), plain = STRBUF_INIT(1000);

			base64_encode(&coded, data, n);
			assert_int_equal(coded.len, (n + 2) / 3 * 4);
			assert_int_equal(base64_decode(&plain, coded.buf, coded.len), 0);
			assert_int_equal(plain.len, n);
			assert_memory_equal(plain.buf, data, n);
			strbuf_release(&coded);
			strbuf_release(&plain);
		}
	}
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"Z", "Zg", "Zg=", "Zm8", "Zm9vY", "Zm9vYg", "Zm9vYg=",	/* cut short */
		"=", "==", "===", "====", "Z===", "A===", "=Zg=", "Z=g=",
		"Zg==Zm9v", "Zm8=Zm9v", "Zm9v====", "Zm9v=", "Zg==\n",	/* beyond the padding */
		"Zh==", "Zi==", "Zn==", "Zm9=", "Zm+=",			/* spare bits are set */
		"Zm9v\n", "Zm\n9v", " Zm9v", "Zm 9", "Zm9v\r\n\r\n",	/* white space */
		"Zm9-", "Zm9_", "Zm9*", "Zm,v", "Zm.v", "Zm9\x7f", "Zm9\xc3", "\xff\xff\xff\xff",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct strbuf out = STRBUF_INIT(100);

		if (base64_decode(&out, bad[i], strlen(bad[i])) == 0)
			fail_msg("'%s' was taken", bad[i]);
		strbuf_release(&out);
	}
}

/* Exactly the 64 characters of the alphabet, at each of the four places. */
static void test_alphabet(void **state)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	(void)state;
	for (int place = 0; place < 4; place++) {
		for (int c = 0; c < 256; c++) {
			struct strbuf out = STRBUF_INIT(100);
			char text[8] = "AAAABBBB";
			bool good = c && strchr(alphabet, c);

			text[place] = (char)c;
			assert_int_equal(base64_decode(&out, text, sizeof(text)), good ? 0 : -1);
			assert_int_equal(out.len == 6, good);
			strbuf_release(&out);
		}
	}
}

static void test_nul_inside(void **state)
{
	struct strbuf out = STRBUF_INIT(100);

	(void)state;
	assert_int_equal(base64_decode(&out, "Zm9v\0\0\0\0", 8), -1);
	assert_int_equal(base64_decode(&out, "Zm\0v", 4), -1);
	strbuf_release(&out);
}

/* What does not fit is a failure, not a shorter value. */
static void test_limit(void **state)
{
	(void)state;
	for (size_t limit = 0; limit < 8; limit++) {
		struct strbuf out = STRBUF_INIT(limit);

		assert_int_equal(base64_decode(&out, "Zm9vYmFy", 8), limit >= 6 ? 0 : -1);
		assert_true(out.len <= limit);
		strbuf_release(&out);
		strbuf_init(&out, limit);
		base64_encode(&out, "abc", 3);
		assert_int_equal(strbuf_overflow(&out), limit < 4);
		strbuf_release(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_appends),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_alphabet),
		cmocka_unit_test(test_nul_inside),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
