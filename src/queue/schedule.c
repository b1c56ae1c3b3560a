#include "config.h"
#include "queue/schedule.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "conf/account.h"
#include "message/result.h"
#include "queue/entry.h"
#include "submit/attempt.h"
#include "util/arena.h"
#include "util/error.h"

#define MINUTE 60U

/* --- what a failure means ------------------------------------------------------ */

/* Faults from first to last, in the order of util/fault.h, that are nobody's message's. */
static const struct {
	enum fault first, last;
	enum verdict verdict;
} groups[] = {
	{ FAULT_USAGE, FAULT_QUEUE_FULL, VERDICT_HERE },
	{ FAULT_NO_HOST, FAULT_GROUP, VERDICT_ROUTE },	/* DNS, connection, proxy */
	{ FAULT_TLS, FAULT_CERTIFICATE_DANE, VERDICT_ROUTE },
	{ FAULT_PROTOCOL, FAULT_XCLIENT_REFUSED, VERDICT_ROUTE },
	{ FAULT_NO_STARTTLS, FAULT_NOT_SIGNED_IN, VERDICT_ROUTE },
	{ FAULT_NO_AUTH, FAULT_NO_TICKET, VERDICT_ROUTE },
};

/* Where there is no smarthost these are about the recipient's domain. */
static const enum fault of_domain[] = {
	FAULT_NO_HOST, FAULT_NO_ADDRESS, FAULT_NULL_MX, FAULT_MX_LOOP, FAULT_SERVER_REFUSED,
};

static bool is_of_domain(enum fault fault)
{
	for (size_t i = 0; i < ARRAY_LEN(of_domain); i++) {
		if (of_domain[i] == fault)
			return true;
	}
	return false;
}

enum verdict schedule_verdict(const struct account *a, const struct error *err)
{
	if (!err->exit)
		return VERDICT_DONE;
	if (err->fault == FAULT_HOLD_HERE)
		return VERDICT_LATER;
	if (a && a->net.mx && is_of_domain(err->fault))
		return VERDICT_FAILED;
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		if (err->fault >= groups[i].first && err->fault <= groups[i].last)
			return groups[i].verdict;
	}
	return error_is_temporary(err) || err->exit == EX_TEMPFAIL ? VERDICT_LATER :
		VERDICT_FAILED;
}

bool schedule_keeps(const struct account *a, const struct error *err)
{
	const enum verdict v = schedule_verdict(a, err);

	if (err->fault == FAULT_INTERRUPTED)
		return false;
	if (v == VERDICT_HERE)
		return err->exit == EX_TEMPFAIL;
	return v == VERDICT_LATER || v == VERDICT_ROUTE;
}

/* --- when ------------------------------------------------------------------------ */

unsigned schedule_delay(unsigned attempts)
{
	static const unsigned minutes[] = { 1, 2, 5, 10, 20, 40, 80, 120, 180 };
	const size_t last = ARRAY_LEN(minutes) - 1;

	return MINUTE * minutes[attempts == 0 ? 0 : attempts - 1 < last ? attempts - 1 : last];
}

/* Up to a tenth more, so that what has failed together is not tried together. */
static int64_t with_jitter(int64_t ms)
{
	uint32_t salt = 0;

	(void)!getrandom(&salt, sizeof(salt), 0);
	return ms + (int64_t)(salt % 1024) * ms / 10240;
}

/* It is not late, but to be sent then (RFC 4865, level local): no try has failed. */
static void hold_here(struct entry *e, const struct result *r, int64_t planned_ms)
{
	const int64_t until = e->envelope.ext.hold_ms;

	for (size_t i = 0; i < r->rcpt_count; i++) {
		if (r->rcpt[i].error.fault != FAULT_HOLD_HERE)
			continue;
		e->attempts--;
		e->next_ms = until;
		/* its time begins then */
		if (planned_ms != until && e->arrival_ms < until)
			e->expires_ms += until - e->arrival_ms;
		return;
	}
}

void schedule_note(struct entry *e, const struct account *a, const struct result *r,
		   const unsigned *index, int64_t begun_ms, int64_t now)
{
	const int64_t planned_ms = e->next_ms;

	for (size_t i = 0; i < r->rcpt_count; i++) {
		struct rcpt_result one = r->rcpt[i];
		const enum verdict v = schedule_verdict(a, &one.error);
		const size_t at = index ? index[i] : i;

		if (at >= e->envelope.rcpt_count)
			continue;
		if (one.outcome != OUTCOME_ACCEPTED)
			one.outcome = v == VERDICT_FAILED ? OUTCOME_REFUSED : OUTCOME_DEFERRED;
		entry_set_result(e, at, &one, r->server, now);
	}
	e->attempts++;
	e->last_ms = begun_ms;
	if (r->unknown)
		e->unknown_ms = now;
	const int64_t delay = with_jitter((int64_t)schedule_delay(e->attempts) * 1000);

	e->next_ms = now + delay;
	if (r->unknown && delay < QUEUE_UNKNOWN_SECONDS * 1000)
		e->next_ms = now + with_jitter(QUEUE_UNKNOWN_SECONDS * 1000);
	hold_here(e, r, planned_ms);
}

void schedule_note_transfer(struct entry *e, const struct account *a,
			    const struct attempt_transfer *x, const struct result *r,
			    const unsigned *index, int64_t now)
{
	const int64_t noticed = a ? now + (int64_t)a->checkpoint_wait * 1000 : now;

	e->transid = x->transid ? arena_strdup(e->arena, x->transid) : NULL;
	for (size_t i = 0; i < e->envelope.rcpt_count; i++)
		e->rcpt[i].standing = false;
	if (!x->transid)
		return;
	for (size_t i = 0; i < r->rcpt_count; i++) {
		const size_t at = index ? index[i] : i;

		if (at < e->envelope.rcpt_count)
			e->rcpt[at].standing = x->standing[i];
	}
	if (e->next_ms < noticed)
		e->next_ms = noticed;
}

/* "5 days", "2 hours", "90 seconds" */
static const char *duration(char *out, size_t room, int64_t ms)
{
	const long long s = ms / 1000;

	if (s >= 2 * 86400)
		snprintf(out, room, "%lld days", s / 86400);
	else if (s >= 2 * 3600)
		snprintf(out, room, "%lld hours", s / 3600);
	else
		snprintf(out, room, "%lld seconds", s);
	return out;
}

bool schedule_is_over(const struct entry *e, int64_t now)
{
	return e->expires_ms && now >= e->expires_ms;
}

bool schedule_expire(struct entry *e, int64_t now)
{
	char length[32];

	if (!schedule_is_over(e, now))
		return false;
	duration(length, sizeof(length), e->expires_ms - e->arrival_ms);
	for (size_t i = 0; i < e->envelope.rcpt_count; i++) {
		struct entry_rcpt *s = &e->rcpt[i];

		if (!entry_rcpt_open(e, i))
			continue;
		s->text = arena_printf(e->arena, "not delivered in %s: %s", length,
				       s->text ? s->text : "it was not tried");
		s->outcome = OUTCOME_REFUSED;
		s->fault = FAULT_DELIVERY_TIME;
		s->exit = EX_UNAVAILABLE;
		s->status = "5.4.7";
		s->at_ms = s->at_ms ? s->at_ms : now;
	}
	return true;
}
