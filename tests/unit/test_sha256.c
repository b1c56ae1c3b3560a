#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "tls/sha256.h"
#include "util/attr.h"
#include "util/xalloc.h"

static void check_digest(const char *data, size_t n, size_t step, const char *wanted)
{
	unsigned char out[SHA256_OCTETS];
	char hex[2 * SHA256_OCTETS + 1] = "";
	struct sha256 h;

	assert_int_equal(sha256_init(&h, NULL), 0);
	for (size_t at = 0; at < n; at += step)
		sha256_add(&h, data + at, n - at < step ? n - at : step);
	sha256_end(&h, out);
	for (size_t i = 0; i < sizeof(out); i++)
		snprintf(hex + 2 * i, 3, "%02x", out[i]);
	assert_string_equal(hex, wanted);
}

/* The examples of FIPS 180-2, appendix B, and what is around a block. */
static void known_digests(void **state)
{
	static const char *const cases[][2] = {
		{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t step = 1; step < 70; step++)
			check_digest(cases[i][0], strlen(cases[i][0]), step, cases[i][1]);
	}
}

static void a_million(void **state)
{
	const size_t n = 1000000;
	char *data = xmalloc(n);

	(void)state;
	memset(data, 'a', n);
	check_digest(data, n, 4093,
		     "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	xfree(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_digests), cmocka_unit_test(a_million),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
