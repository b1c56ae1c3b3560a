#include "config.h"
#include "queue/keep.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/account.h"
#include "conf/accounts.h"
#include "message/result.h"
#include "queue/entry.h"
#include "queue/pause.h"
#include "queue/queue.h"
#include "queue/schedule.h"
#include "submit/submission.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/error.h"

bool keep_possible(const struct submission *s)
{
	return !s->envelope.burl && !s->request->config.text;
}

const char *keep_whole_path(struct arena *a, const char *path)
{
	char whole[PATH_MAX];

	return path && realpath(path, whole) ? arena_strdup(a, whole) : path;
}

void keep_note_config(struct entry *e, const struct config_request *config)
{
	e->config_file = config->file_whole ? config->file :
		keep_whole_path(e->arena, config->file);
	e->no_files = config->no_files;
	e->setting_n = 0;
	for (size_t i = 0; i < config->override_n; i++)
		entry_add_setting(e, config->override[i].key, config->override[i].value);
}

void keep_note_success(const struct queue *q, const struct submission *s)
{
	const char *ignored;
	struct entry e;

	if (!queue_exists(q))
		return;
	pause_note_success(q, datetime_now());
	entry_init(&e, s->arena);
	e.account = s->account->name;
	keep_note_config(&e, &s->request->config);
	pause_clear(q, pause_key(&e, s->arena, &ignored));
}

/* Its time begins with its release (RFC 4865). */
static void hold(struct entry *e)
{
	struct ext_request *x = &e->envelope.ext;

	if (x->hold == HOLD_NONE || x->hold_ms <= e->arrival_ms)
		return;
	e->next_ms = x->hold_ms;
	e->expires_ms += x->hold_ms - e->arrival_ms;
	x->hold = HOLD_NONE;
	x->hold_ms = 0;
}

static void fill(struct entry *e, const struct keep_request *r)
{
	const struct submission *s = r->submission;

	entry_init(e, s->arena);
	entry_set_envelope(e, &s->envelope);
	e->arrival_ms = datetime_now();
	e->expires_ms = e->arrival_ms + 1000 * (int64_t)(*s->envelope.sender ?
		s->account->queue.lifetime : s->account->queue.bounce_lifetime);
	if (!r->tried && s->account->queue.undo_window)
		e->next_ms = e->undo_ms = e->arrival_ms +
			1000 * (int64_t)s->account->queue.undo_window;
	if (r->hold)
		hold(e);
	e->uid = getuid();
	e->account = s->account->name;
	keep_note_config(e, &s->request->config);
	e->message_id = r->message_id;
}

static bool is_kept(const struct keep_request *r, size_t i)
{
	const struct rcpt_result *one = &r->result->rcpt[i];

	return !r->tried || (one->outcome != OUTCOME_ACCEPTED &&
			     schedule_keeps(r->submission->account, &one->error));
}

/* The number of those who are to get it later, or are to be told of. */
static size_t count_kept(const struct keep_request *r)
{
	const struct error *refusal = &r->result->refusal;
	size_t n = 0;

	if (r->tell)
		return r->result->rcpt_count - result_count(r->result, OUTCOME_ACCEPTED);
	if (r->tried && refusal->exit && !schedule_keeps(r->submission->account, refusal))
		return 0;
	for (size_t i = 0; i < r->result->rcpt_count; i++)
		n += is_kept(r, i);
	return n;
}

/* Who is not kept has been told already, or is being told; or the queue is to do it. */
static void note_try(struct entry *e, const struct keep_request *r)
{
	schedule_note(e, r->submission->account, r->result, NULL, r->begun_ms, datetime_now());
	for (size_t i = 0; i < r->result->rcpt_count; i++) {
		if (is_kept(r, i) || r->result->rcpt[i].outcome == OUTCOME_ACCEPTED)
			continue;
		e->rcpt[i].outcome = OUTCOME_REFUSED;
		e->rcpt[i].told = !r->tell;
	}
	if (r->transfer)
		schedule_note_transfer(e, r->submission->account, r->transfer, r->result, NULL,
				       datetime_now());
}

int keep_submission(struct queue *q, const struct keep_request *r, const char **id_out,
		    struct error *err)
{
	const struct submission *s = r->submission;
	struct entry e;

	if (!keep_possible(s) || count_kept(r) == 0)
		return 0;
	fill(&e, r);
	if (r->tried)
		note_try(&e, r);
	if (queue_add(q, &e, s->message, &s->edits, s->account->queue.max_bytes, err) < 0)
		return -1;
	for (size_t i = 0; i < r->result->rcpt_count; i++) {
		if (is_kept(r, i))
			r->result->rcpt[i].outcome = OUTCOME_QUEUED;
	}
	*id_out = arena_strdup(s->arena, e.id);
	return 1;
}
