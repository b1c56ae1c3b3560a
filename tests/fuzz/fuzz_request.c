/*
 * Requests as users write them, of any form: what a reader lets pass can go
 * out in a command, and a moment goes to text and back.
 *
 * The first octet chooses the reader, the rest is the text.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "message/envelope.h"
#include "message/request.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/text.h"

#define NOW INT64_C(1700000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
	if (!truth)
		abort();
}

static void check_moment(const char *text)
{
	struct datetime d, again;
	struct error err;
	char utc[DATETIME_UTC_SIZE];

	if (datetime_parse(text, NOW, &d, &err) < 0) {
		require(err.exit == EX_USAGE && err.text[0]);
		return;
	}
	require(strlen(datetime_utc(utc, d.ms)) == DATETIME_UTC_SIZE - 1);
	require(datetime_parse(utc, NOW, &again, &err) == 0 && !again.duration);
	require(strcmp(utc, datetime_utc(utc, again.ms)) == 0);
}

static void check_recipient(struct arena *a, const char *text)
{
	struct envelope e;
	struct error err;

	envelope_init(&e, a);
	if (request_recipient(&e, text, NOW, &err) < 0) {
		require(err.exit == EX_USAGE && e.rcpt_count == 0);
		return;
	}
	if (e.rcpt_count == 0) {	/* no address: the others get the message */
		require(e.unsendable_n == 1);
		return;
	}
	const struct recipient *r = &e.rcpt[0];

	require(e.rcpt_count == 1 && r->address[0]);
	require(!text_has_control(r->address, strlen(r->address)));
	require(!r->orcpt || (text_is_ascii(r->orcpt, strlen(r->orcpt)) &&
			      !text_has_control(r->orcpt, strlen(r->orcpt))));
	require(!(r->notify & 1) || r->notify == 1);
}

static void check_param(const char *text)
{
	const char *ehlo, *value;
	size_t name, ehlo_len;
	struct error err;

	if (request_param(text, &name, &ehlo, &ehlo_len, &value, &err) < 0)
		return;
	require(name > 0 && ehlo_len > 0 && ehlo >= text && ehlo + ehlo_len <= text + strlen(text));
	require(!strpbrk(text, " \r\n\t"));
	require(!value || (value[0] && !strchr(value, '=') && text_is_utf8(value, strlen(value))));
}

static void check_solicit(struct arena *a, const char *text)
{
	struct envelope e, again;
	struct error err;

	envelope_init(&e, a);
	again = e;
	if (request_solicit(text, NOW, &e, &err) < 0) {
		require(!e.ext.solicit);
		return;
	}
	const char *list = e.ext.solicit;

	require(strlen(list) <= 1000 && list[0] && !strpbrk(list, " \t\r\n()="));
	require(request_solicit(list, NOW, &again, &err) == 0);
	require(strcmp(again.ext.solicit, list) == 0);
}

static void check_others(struct arena *a, const char *text)
{
	struct recipient r = { .address = "" };
	struct envelope e;
	struct error err;

	envelope_init(&e, a);
	e.rcpt = &r;
	e.rcpt_count = 1;
	if (request_deliver_by(text, NOW, &e, &err) == 0)
		require(e.ext.by != BY_NONE && (e.ext.by != BY_RETURN || e.ext.by_ms > NOW));
	if (request_hold_until(text, NOW, &e, &err) == 0)
		require(e.ext.hold != HOLD_NONE);
	if (request_mt_priority(text, NOW, &e, &err) == 0)
		require(e.ext.priority >= -9 && e.ext.priority <= 9);
	if (request_rrvs(text, NOW, &e, &err) == 0)
		require(r.rrvs);
	if (request_track(text, NOW, &e, &err) == 0)
		require(e.ext.mtrk_timeout <= DATETIME_SECONDS_MAX);
	if (request_submitter(text, NOW, &e, &err) == 0 && e.ext.submitter)
		require(strchr(e.ext.submitter, '@') != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	char *text = size ? arena_strndup(a, (const char *)data + 1, size - 1) : NULL;

	if (text && data[0] == 'd')
		check_moment(text);
	else if (text && data[0] == 'r')
		check_recipient(a, text);
	else if (text && data[0] == 'p')
		check_param(text);
	else if (text && data[0] == 's')
		check_solicit(a, text);
	else if (text)
		check_others(a, text);
	arena_free(a);
	return 0;
}
