#include "config.h"
#include "message/result.h"

#include <string.h>

#include "util/arena.h"
#include "util/strbuf.h"

#define NOTE_MAX 4096

void result_init(struct result *r, struct arena *a, size_t count)
{
	*r = (struct result){ .arena = a, .rcpt_count = count, .rcpt_alloc = count };
	r->rcpt = arena_calloc(a, count, sizeof(*r->rcpt));
}

void result_note(struct result *r, const char *fmt, ...)
{
	struct strbuf text = STRBUF_INIT(NOTE_MAX);
	va_list ap;

	va_start(ap, fmt);
	strbuf_vaddf(&text, fmt, ap);
	va_end(ap);
	bool known = false;

	for (size_t i = 0; i < r->note_n; i++)
		known |= strcmp(r->note[i], text.buf) == 0;
	if (!known) {
		r->note = arena_grow(r->arena, r->note, r->note_n, &r->note_alloc,
				     sizeof(*r->note));
		r->note[r->note_n++] = arena_strdup(r->arena, text.buf);
	}
	strbuf_release(&text);
}

void result_doubt(struct result *r, struct error *err)
{
	error_append(err, "; the message may have been accepted all the same");
	r->unknown = true;
}

void result_set_error(struct result *r, size_t i, const struct error *err)
{
	result_set(r, i, error_is_temporary(err) ? OUTCOME_DEFERRED : OUTCOME_REFUSED);
	r->rcpt[i].error = *err;
}

void result_set(struct result *r, size_t i, enum outcome outcome)
{
	const enum outcome before = r->rcpt[i].outcome;

	r->set_n += (size_t)(outcome != OUTCOME_NONE) - (size_t)(before != OUTCOME_NONE);
	r->accepted_n += (size_t)(outcome == OUTCOME_ACCEPTED) -
			 (size_t)(before == OUTCOME_ACCEPTED);
	if (outcome == OUTCOME_NONE && i < r->settled)
		r->settled = i;
	r->rcpt[i].outcome = outcome;
}

size_t result_first_open(struct result *r)
{
	while (r->settled < r->rcpt_count && r->rcpt[r->settled].outcome != OUTCOME_NONE)
		r->settled++;
	return r->settled;
}

void result_take_back(struct result *r, struct error *err)
{
	result_doubt(r, err);
	for (size_t i = 0; i < r->rcpt_count; i++) {
		if (r->rcpt[i].outcome == OUTCOME_ACCEPTED)
			result_set_error(r, i, err);
	}
}

void result_clear(struct result *r)
{
	for (size_t i = 0; i < r->rcpt_count; i++)
		r->rcpt[i] = (struct rcpt_result){ .outcome = OUTCOME_NONE };
	r->settled = r->set_n = r->accepted_n = 0;
	r->outcome = OUTCOME_NONE;
	r->error.exit = r->refusal.exit = 0;
	r->unknown = false;
	r->reply_text = NULL;
}

void result_grow(struct result *r)
{
	r->rcpt = arena_grow(r->arena, r->rcpt, r->rcpt_count, &r->rcpt_alloc, sizeof(*r->rcpt));
	r->rcpt[r->rcpt_count++] = (struct rcpt_result){ .outcome = OUTCOME_NONE };
}

void result_add(struct result *r, const struct error *err)
{
	result_grow(r);
	result_set_error(r, r->rcpt_count - 1, err);
}

size_t result_count(const struct result *r, enum outcome outcome)
{
	size_t n = 0;

	for (size_t i = 0; i < r->rcpt_count; i++)
		n += r->rcpt[i].outcome == outcome;
	return n;
}

void result_set_rest(struct result *r, const struct error *err)
{
	for (size_t i = 0; i < r->rcpt_count; i++) {
		if (r->rcpt[i].outcome == OUTCOME_NONE)
			result_set_error(r, i, err);
	}
}

/* How much a recipient's end weighs; of two with the same weight the first counts. */
static int weight(const struct rcpt_result *rcpt)
{
	return (int)rcpt->outcome +
	       (rcpt->outcome == OUTCOME_REFUSED && rcpt->error.exit == EX_NOUSER);
}

void result_settle(struct result *r)
{
	const struct rcpt_result *worst = NULL;

	for (size_t i = 0; i < r->rcpt_count; i++) {
		struct rcpt_result *rcpt = &r->rcpt[i];

		if (rcpt->outcome == OUTCOME_NONE) {
			error_set(&rcpt->error, FAULT_NOT_TRIED, "was not tried");
			rcpt->outcome = OUTCOME_DEFERRED;
		}
		if (!worst || weight(rcpt) > weight(worst))
			worst = rcpt;
	}
	if (!worst)
		return;
	r->outcome = worst->outcome;
	r->error = worst->error;
}
