#include "config.h"
#include "util/base64.h"

#include <stdint.h>
#include <string.h>

#include "util/strbuf.h"

static const char alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct strbuf *out, const void *data, size_t n)
{
	const unsigned char *u = data;

	for (; n; u += 3) {
		size_t have = n < 3 ? n : 3;
		uint32_t bits = (uint32_t)u[0] << 16 | (have > 1 ? (uint32_t)u[1] << 8 : 0) |
				(have > 2 ? u[2] : 0);
		char four[4] = { alphabet[bits >> 18], alphabet[bits >> 12 & 63],
				 have > 1 ? alphabet[bits >> 6 & 63] : '=',
				 have > 2 ? alphabet[bits & 63] : '=' };

		strbuf_add(out, four, sizeof(four));
		n -= have;
	}
}

/* Four characters to one to three octets; returns their number or -1. */
static int decode_four(const char *s, int last, unsigned char out[3])
{
	int pad = s[3] != '=' ? 0 : s[2] != '=' ? 1 : 2;
	uint32_t bits = 0;

	if (pad && !last)
		return -1;
	for (int i = 0; i < 4; i++) {
		const char *digit = i >= 4 - pad ? alphabet : s[i] ? strchr(alphabet, s[i]) : NULL;

		if (!digit)
			return -1;
		bits = bits << 6 | (uint32_t)(digit - alphabet);
	}
	if ((pad == 1 && bits & 0xff) || (pad == 2 && bits & 0xffff))
		return -1;	/* bits that stand for nothing must be zero */
	out[0] = (unsigned char)(bits >> 16);
	out[1] = (unsigned char)(bits >> 8 & 255);
	out[2] = (unsigned char)(bits & 255);
	return 3 - pad;
}

int base64_decode(struct strbuf *out, const char *s, size_t n)
{
	if (n % 4)
		return -1;
	for (; n; n -= 4, s += 4) {
		unsigned char three[3];
		int got = decode_four(s, n == 4, three);

		if (got < 0)
			return -1;
		strbuf_add(out, three, (size_t)got);
	}
	return strbuf_overflow(out) ? -1 : 0;
}
