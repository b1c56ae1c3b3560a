/*
 * A tracking server that says anything: greeting, answer, MIME entity.
 *
 * The first octet is the size of the pieces, the rest is what the server
 * says. The same octets are read as an entity and as a URI as well.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/memory_stream.h"
#include "conf/account.h"
#include "net/stream.h"
#include "net/wire.h"
#include "track/track.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
	if (!truth)
		abort();
}

static void check_error(const struct error *err)
{
	require(err->exit >= EX__BASE && err->exit <= EX__MAX && err->text[0]);
	require(!text_has_control(err->text, strlen(err->text)));
}

static void check_report(struct arena *a, const char *text, size_t len)
{
	struct track_report report;

	track_report_read(a, text, len, &report);
	require(report.n <= MTQP_RECIPIENTS_MAX);
	for (size_t i = 0; i < report.n; i++) {
		require(report.v[i].address && track_action_name(report.v[i].action));
		require(!strpbrk(report.v[i].address, "\r\n"));
	}
}

static void converse(struct arena *a, const uint8_t *data, size_t size, size_t piece)
{
	const struct account account = { .timeouts = { .mail = 1, .quit = 1 },
					 .cmd = { .mtqp_tls = MTQP_TLS_OFF } };
	struct strbuf answer = STRBUF_INIT(MTQP_ANSWER_MAX), written = STRBUF_INIT(1 << 20);
	struct stream *s = memory_new(&written);
	struct wire *w = wire_new_take(s);
	struct error err = { 0 };
	struct mtqp m;

	if (size)
		memory_say_bytes(s, data, size);
	memory_end(s);
	memory_read_max(s, piece);
	if (mtqp_open(&m, w, &account, "mx.example.org", MTQP_PORT, &err) < 0)
		check_error(&err);
	else if (mtqp_track(&m, "1@example.org", "YQ==", &answer, &err) < 0)
		check_error(&err);
	else
		check_report(a, answer.buf, answer.len);
	mtqp_close(&m);
	require(!strstr(written.buf, "STARTTLS"));
	wire_free(w);
	strbuf_release(&answer);
	strbuf_release(&written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct mtqp_uri uri;
	struct error err;

	if (size) {
		char *text = arena_strndup(a, (const char *)data + 1, size - 1);

		converse(a, data + 1, size - 1, data[0]);
		check_report(a, (const char *)data + 1, size - 1);
		if (mtqp_parse_uri(a, text, &uri, &err) < 0)
			check_error(&err);
		else
			require(!text_has_control(uri.envid, strlen(uri.envid)));
	}
	arena_free(a);
	return 0;
}
