#include "config.h"
#include "util/pem.h"

#include <stddef.h>
#include <string.h>

#include "util/base64.h"
#include "util/strbuf.h"

#define LINE ((size_t)64)
#define SEQUENCE 0x30	/* the first octet of DER */

static const char pem_begin[] = "-----BEGIN";

bool pem_is(const char *text)
{
	return strncmp(text, pem_begin, sizeof(pem_begin) - 1) == 0;
}

static bool is_der(const char *text)
{
	struct strbuf der = STRBUF_SECRET(strlen(text) + 1);
	const bool is = base64_decode(&der, text, strlen(text)) == 0 && der.len &&
		(unsigned char)der.buf[0] == SEQUENCE;

	strbuf_release_secret(&der);
	return is;
}

int pem_read(const char *text, const char *label, struct strbuf *out)
{
	if (!pem_is(text)) {
		if (!is_der(text))
			return -1;
		strbuf_addf(out, "%s %s-----\n%s\n-----END %s-----\n", pem_begin, label, text,
			    label);
		return 0;
	}
	for (; *text; text++) {
		const bool end = text[0] == '\\' && text[1] == 'n';

		strbuf_addch(out, end ? '\n' : *text);
		text += end;
	}
	return 0;
}

void pem_write(struct strbuf *out, const char *label, const void *der, size_t n)
{
	struct strbuf text = STRBUF_INIT(n / 3 * 4 + 8);

	base64_encode(&text, der, n);
	strbuf_addf(out, "%s %s-----\n", pem_begin, label);
	for (size_t at = 0; at < text.len; at += LINE) {
		strbuf_add(out, text.buf + at, text.len - at < LINE ? text.len - at : LINE);
		strbuf_addch(out, '\n');
	}
	strbuf_addf(out, "-----END %s-----\n", label);
	strbuf_release(&text);
}
