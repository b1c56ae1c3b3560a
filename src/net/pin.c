#include "config.h"
#include "net/pin.h"

#include <string.h>
#include <strings.h>

#include "util/base64.h"
#include "util/strbuf.h"
#include "util/text.h"

#define TEXT_MAX ((size_t)4096)

int pin_hex(const char *s, unsigned char *out, size_t room)
{
	size_t n = 0;

	for (; *s; n++) {
		int high = text_hex_value(s[0]), low = high < 0 ? -1 : text_hex_value(s[1]);

		if (low < 0 || n == room)
			return -1;
		out[n] = (unsigned char)(high << 4 | low);
		s += 2;
		if (*s == ':' && s[1])
			s++;
	}
	return (int)n;
}

/* Base64 of 32 octets; the padding may be left out, as copies often do. */
static int parse_base64(const char *s, unsigned char out[PIN_OCTETS])
{
	struct strbuf padded = STRBUF_INIT(TEXT_MAX), octets = STRBUF_INIT(TEXT_MAX);
	size_t n = strlen(s);
	int rc = -1;

	strbuf_addstr(&padded, s);
	if (n % 4 && s[n - 1] != '=')
		strbuf_addstr(&padded, n % 4 == 3 ? "=" : "==");
	if (!strbuf_overflow(&padded) && base64_decode(&octets, padded.buf, padded.len) == 0 &&
	    octets.len == PIN_OCTETS) {
		memcpy(out, octets.buf, PIN_OCTETS);
		rc = 0;
	}
	strbuf_release(&padded);
	strbuf_release(&octets);
	return rc;
}

/* The rest of s behind the kind, or NULL. */
static const char *after_kind(const char *s, const char *kind)
{
	size_t n = strlen(kind);

	return strncasecmp(s, kind, n) == 0 ? s + n : NULL;
}

int pin_parse(const char *text, struct pin *out)
{
	const char *rest;

	*out = (struct pin){ .key = true };
	if ((rest = after_kind(text, "file:"))) {
		out->file = rest;
		return *rest ? 0 : -1;
	}
	if ((rest = after_kind(text, "spki-sha256:")) && parse_base64(rest, out->hash) == 0)
		return 0;
	out->key = false;
	rest = after_kind(text, "cert-sha256:");
	return rest && pin_hex(rest, out->hash, PIN_OCTETS) == PIN_OCTETS ? 0 : -1;
}
