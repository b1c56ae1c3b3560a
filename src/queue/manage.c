#include "config.h"
#include "queue/manage.h"

#include <fnmatch.h>
#include <string.h>

#include "queue/entry.h"

bool manage_is_pattern(const char *word)
{
	return strpbrk(word, "@*?[") || strcmp(word, "<>") == 0;
}

static bool matches(const char *pattern, const char *text)
{
	return fnmatch(pattern, text, FNM_CASEFOLD) == 0;
}

bool manage_fits(const struct entry *e, const char *pattern)
{
	if (matches(pattern, e->id) ||
	    matches(pattern, *e->envelope.sender ? e->envelope.sender : "<>"))
		return true;
	for (size_t i = 0; i < e->envelope.rcpt_count; i++) {
		if (entry_rcpt_open(e, i) && matches(pattern, e->envelope.rcpt[i].address))
			return true;
	}
	return false;
}

bool manage_allowed(const struct entry *e, uid_t user)
{
	return user == 0 || e->uid == user;
}

bool manage_hold(struct entry *e, int64_t now)
{
	if (e->held)
		return false;
	e->held = true;
	e->held_ms = now;
	return true;
}

int64_t manage_waits_until(const struct entry *e, int64_t now)
{
	const struct ext_request *x = &e->envelope.ext;
	const int64_t hold = x->hold == HOLD_NONE ? 0 : x->hold_ms;
	const int64_t until = hold > e->undo_ms ? hold : e->undo_ms;

	return until > now ? until : 0;
}

static void make_due(struct entry *e, int64_t now)
{
	if (e->next_ms > now)
		e->next_ms = now;
}

bool manage_release(struct entry *e, int64_t now)
{
	const int64_t until = manage_waits_until(e, now);

	if (e->held) {
		/* the time that it was held for is given back */
		if (e->expires_ms && e->held_ms && now > e->held_ms)
			e->expires_ms += now - e->held_ms;
		e->held = false;
		e->held_ms = 0;
		if (!until)
			make_due(e, now);
		return true;
	}
	if (!until)
		return false;
	e->undo_ms = 0;
	e->envelope.ext.hold = HOLD_NONE;
	e->envelope.ext.hold_ms = 0;
	make_due(e, now);
	return true;
}

void manage_requeue(struct entry *e, int64_t now, int64_t lifetime_ms)
{
	if (!lifetime_ms && e->expires_ms)
		lifetime_ms = e->expires_ms - e->arrival_ms;
	for (size_t i = 0; i < e->envelope.rcpt_count; i++) {
		if (entry_rcpt_open(e, i))
			e->rcpt[i] = (struct entry_rcpt){ .outcome = OUTCOME_NONE };
	}
	e->transid = NULL;
	e->attempts = 0;
	e->last_ms = 0;
	e->next_ms = now;
	e->expires_ms = lifetime_ms > 0 ? now + lifetime_ms : 0;
	if (e->held)
		e->held_ms = now;
}
