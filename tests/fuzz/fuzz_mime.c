#include "config.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "message/header.h"
#include "message/rfc2047.h"
#include "mime/mime_header.h"

#include "../unit/mime_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail(const char *what)
{
	fprintf(stderr, "fuzz_mime: %s\n", what);
	abort();
}

/* Each field by itself: what is left is told, and folding loses nothing but line ends. */
static void check_fields(const struct message *m)
{
	for (size_t i = 0; i < m->header.n; i++) {
		const struct header_field *f = &m->header.field[i];
		struct strbuf ascii = STRBUF_INIT(MODEL_MAX), folded = STRBUF_INIT(MODEL_MAX);
		struct error err;
		unsigned left = mime_header_encode(&ascii, f->text, f->len, "iso-8859-1", 0);

		if (!left && mime_model_8bit(ascii.buf, ascii.len))
			fail("a field is not ASCII");
		rfc2047_recode(&ascii, i % 2 ? "iso-8859-15" : "iso-2022-jp");
		if (!left && mime_model_8bit(ascii.buf, ascii.len))
			fail("a field in another charset is not ASCII");
		if (ascii.len < 2 || memcmp(ascii.buf + ascii.len - 2, "\r\n", 2) != 0)
			fail("a field without its end");
		if (header_fold(&folded, f->text, f->len, HEADER_GAPS_ANYWHERE, &err) < 0 ||
		    header_fold_needed(folded.buf, folded.len))
			fail("a field is not folded");
		strbuf_release(&ascii);
		strbuf_release(&folded);
	}
}

/* The first octet chooses what is to be done. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err;

	if (size < 1)
		return 0;
	const struct message_options input = { .dots_ignored = true,
					       .binary = (data[0] & 64) != 0 };
	struct mime_options opt = {
		.seven_bit = (data[0] & 1) != 0,
		.headers = (data[0] & 2) != 0,
		.lines = (enum mime_lines)(data[0] / 4 % 3),
		.charset = "iso-8859-1",
	};
	struct message *m = model_read((const char *)data + 1, size - 1, 0, &input, &err), *made;

	if (!m)
		return 0;
	if (m->body_binary) {
		opt.binary = true;
		opt.lines = MIME_LINES_ENCODE;
	}
	const char *wrong = mime_model_check(m, &opt, &made);

	if (wrong)
		fail(wrong);
	check_fields(m);
	message_free(made);
	message_free(m);
	return 0;
}
