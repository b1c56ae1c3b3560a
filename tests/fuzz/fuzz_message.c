#include "config.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "message/envelope.h"
#include "message/message.h"
#include "util/arena.h"

#include "../unit/message_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The recipients of the header: any answer, but no fault. */
static void read_recipients(const char *text, size_t n, const struct message_options *opt)
{
	struct error err;
	struct message *m = model_read(text, n, 0, opt, &err);
	struct envelope e;

	if (!m)
		return;
	envelope_init(&e, m->arena);
	if (envelope_add_header(&e, m, &err) && err.exit != EX_DATAERR)
		abort();
	if (!envelope_describe_header(&e, m))
		abort();
	message_free(m);
}

/* CRs that end no line, written in both other ways: none is left as a line end. */
static void spell_again(const char *text, size_t n, const struct message_options *opt)
{
	struct error err;
	struct message *m = model_read(text, n, 0, opt, &err), *out = NULL;

	for (const char *with = " \r"; m && *with; with++) {
		if (message_respell_cr(m, *with, &out, &err) < 0 ||
		    out->header.n != m->header.n || out->body_cr ||
		    (*with == ' ' && out->body_size > m->body_size + 2))
			abort();
		message_free(out);
	}
	message_free(m);
}

/* The first octet chooses the options, the second and third the pieces. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 3)
		return 0;
	struct message_options opt = {
		.dots_ignored = (data[0] & 1) != 0,
		.wire = (data[0] & 2) != 0,
	};
	const char *text = (const char *)data + 3;
	const char *wrong = model_check(text, size - 3, 1 + data[1] % 61U, 16 + data[2] % 83U,
					&opt);

	if (wrong) {
		fprintf(stderr, "fuzz_message: %s\n", wrong);
		abort();
	}
	read_recipients(text, size - 3, &opt);
	spell_again(text, size - 3, &opt);
	return 0;
}
