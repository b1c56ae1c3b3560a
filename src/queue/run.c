#include "config.h"
#include "queue/run.h"

#include <poll.h>
#include <string.h>

#include "conf/account.h"
#include "conf/accounts.h"
#include "message/edits.h"
#include "message/message.h"
#include "message/result.h"
#include "queue/pace.h"
#include "queue/pause.h"
#include "queue/queue.h"
#include "queue/run_private.h"
#include "queue/schedule.h"
#include "queue/tell.h"
#include "submit/attempt.h"
#include "submit/line.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/interrupt.h"
#include "util/strbuf.h"

#define LIFETIME_UNKNOWN (INT64_C(5) * 86400 * 1000)	/* as long as queue_lifetime is by itself */
#define SYNC_MS 100		/* so long a delivery may wait for the disk */
#define PACE_MS 30000		/* so long a process waits in all for the rate of accounts */
#define MTIME_SLACK_MS 2000	/* some file systems keep whole seconds only */

/* What this process has found out about an account. */
struct known {
	const char *key;		/* it, with its configuration */
	bool waits;			/* for another run */
};

struct run {
	struct queue *queue;
	const struct run_request *req;
	const struct run_observer *watch;
	struct arena *arena;
	/* the configuration of the entry before, which is that of the next one as a rule */
	struct config *config;
	const char *config_key;
	struct known *known;		/* accounts that have been asked for */
	size_t known_n, known_alloc;
	struct line *line;		/* to the server of the entries under way */
	const struct run_source *source;
	struct trial *next;		/* claimed already; NULL = none is */
	bool under_way;			/* a trial is: what does not come at once comes later */
	int64_t paced_ms;		/* how long it has waited for the rate of accounts */
	int64_t success_ms;		/* when it was last noted that a server took a message */
};

/* One entry under way. */
struct trial {
	struct arena *arena;		/* of this struct */
	struct run *run;
	struct queue_claim claim;
	const char *config_key, *key;	/* configuration; and account */
	const struct account *account;
	struct message *message;
	struct edits none;
	struct attempt_options opt;
	bool counted;			/* for the rate of its account */
	bool ready;			/* envelope, edits and result are made */
	bool over;			/* its account waits, and its own time is over */
	struct envelope envelope;	/* of those who are tried */
	unsigned *index;		/* their places in the entry */
	struct result result;
	struct attempt_transfer transfer;	/* one that broke: before it, then behind it */
	int64_t begun_ms;
	long milliseconds;
};

static void tell_problem(const struct run *r, const struct error *err)
{
	if (r->watch->problem)
		r->watch->problem(r->watch->ctx, err);
}

/* --- the account --------------------------------------------------------------- */

/* What the entry's submission had; in arena a, as what is loaded refers to it. */
static struct config_request config_request_of(const struct entry *e, struct arena *a)
{
	struct config_override *set = arena_calloc(a, e->setting_n + 1, sizeof(*set));

	for (size_t i = 0; i < e->setting_n; i++)
		set[i] = (struct config_override){ arena_strdup(a, e->setting[i].key),
						   arena_strdup(a, e->setting[i].value) };
	return (struct config_request){ .file = e->config_file, .no_files = e->no_files,
					.override = set, .override_n = e->setting_n };
}

static int load_config(struct run *r, const struct trial *t, struct error *err)
{
	struct config_request req;

	if (r->config && strcmp(r->config_key, t->config_key) == 0)
		return 0;
	line_close(r->line);		/* its account is one of the old ones */
	config_free(r->config);
	r->config = NULL;
	r->config_key = arena_strdup(r->arena, t->config_key);
	req = config_request_of(&t->claim.entry, r->arena);
	return config_load(&req, &r->config, err);
}

static int find_account(struct trial *t, struct error *err)
{
	const struct entry *e = &t->claim.entry;
	struct run *r = t->run;

	if (load_config(r, t, err) < 0)
		return -1;
	t->account = config_account(r->config, e->account);
	if (!t->account)
		return error_set(err, FAULT_NO_ACCOUNT, "the account '%s' is not there any more",
				 e->account);
	return 0;
}

static struct known *find_known(const struct run *r, const char *key)
{
	for (size_t i = 0; i < r->known_n; i++) {
		if (strcmp(r->known[i].key, key) == 0)
			return &r->known[i];
	}
	return NULL;
}

static void set_waits(struct run *r, const char *key, bool waits)
{
	struct known *k = find_known(r, key);

	if (!k) {
		r->known = arena_grow(r->arena, r->known, r->known_n, &r->known_alloc,
				      sizeof(*r->known));
		k = &r->known[r->known_n++];
		k->key = arena_strdup(r->arena, key);
	}
	k->waits = waits;
}

static bool is_waiting(const struct run *r, const char *key)
{
	const struct known *k = find_known(r, key);

	return k && k->waits;
}

/* Are pauses of other runs none of ours? Who asks for an entry, or for all, wants it tried. */
static bool tries_anyway(const struct run *r)
{
	return r->req->force || r->req->id;
}

/* Just before an entry of it is tried: whoever is to probe has to do it. */
static bool may_try(struct run *r, const char *key)
{
	if (!find_known(r, key))
		set_waits(r, key, !tries_anyway(r) &&
			  pause_take_turn(r->queue, key, datetime_now()) == PAUSE_WAIT);
	return !is_waiting(r, key);
}

bool run_is_waiting(const struct run *r, const char *key, struct arena *a)
{
	const int64_t now = datetime_now();
	struct pause p;

	return !tries_anyway(r) && pause_read(r->queue, key, a, &p) && pause_waits(&p, now);
}

/* Noted on disk once a second: thousands may go out in one. */
static void note_success(struct run *r)
{
	const int64_t now = datetime_now();

	if (r->success_ms && now >= r->success_ms && now < r->success_ms + 1000)
		return;
	pause_note_success(r->queue, now);
	r->success_ms = now;
}

/* True if the pause has begun with this try: somebody is to be told. */
static bool pause_account(struct trial *t)
{
	struct run *r = t->run;
	struct pause p;
	struct error err;

	if (is_waiting(r, t->key))
		return false;
	set_waits(r, t->key, true);
	if (pause_fail(r->queue, t->key, t->claim.entry.account, &t->result.error, datetime_now(),
		       t->claim.entry.arena, &p, &err) < 0)
		tell_problem(r, &err);
	return p.failures == 1;
}

/*
 * What the try says of the account. Where each domain has servers of its own,
 * one that fails says nothing of the others.
 */
static bool judge_account(struct trial *t)
{
	const bool accepted = t->result.outcome == OUTCOME_ACCEPTED;
	const enum verdict v = accepted ? VERDICT_DONE :
		schedule_verdict(t->account, &t->result.error);

	if (accepted)
		note_success(t->run);
	if (v == VERDICT_HERE || (v == VERDICT_ROUTE && !(t->account && t->account->net.mx)))
		return pause_account(t);
	pause_clear(t->run->queue, t->key);
	return false;
}

/* --- the try ---------------------------------------------------------------------- */

/* Those who have not got it yet. */
static void choose_recipients(struct trial *t)
{
	struct entry *e = &t->claim.entry;
	const size_t open = entry_open(e);
	size_t n = 0;

	t->envelope = e->envelope;
	t->envelope.rcpt = arena_calloc(e->arena, open + 1, sizeof(*t->envelope.rcpt));
	t->index = arena_calloc(e->arena, open + 1, sizeof(*t->index));
	for (size_t i = 0; i < e->envelope.rcpt_count; i++) {
		if (!entry_rcpt_open(e, i))
			continue;
		t->index[n] = (unsigned)i;
		t->envelope.rcpt[n++] = e->envelope.rcpt[i];
	}
	t->envelope.rcpt_count = t->envelope.rcpt_alloc = n;
	t->transfer = (struct attempt_transfer){ .transid = e->transid };
	t->transfer.standing = arena_calloc(e->arena, n + 1, sizeof(bool));
	for (size_t i = 0; i < n; i++)
		t->transfer.standing[i] = e->rcpt[t->index[i]].standing;
}

/*
 * From here on the server may get the message: should this process end
 * without a word, it is not sent again at once.
 */
static int put_off(void *ctx, struct session *s, struct error *err)
{
	(void)s;
	(void)err;
	queue_put_off(ctx, datetime_now() + QUEUE_UNKNOWN_SECONDS * 1000);
	return 0;
}

/* Was the try before this one begun, and never ended? */
static bool was_cut_off(const struct trial *t)
{
	const struct entry *e = &t->claim.entry;
	const int64_t planned = e->next_ms > e->arrival_ms ? e->next_ms : e->arrival_ms;

	return t->claim.due_ms > planned + MTIME_SLACK_MS;
}

/* What submit_attempt() is to get. */
static void make_ready(struct trial *t)
{
	if (t->ready)
		return;
	choose_recipients(t);
	result_init(&t->result, t->claim.entry.arena, t->envelope.rcpt_count);
	edits_init(&t->none, t->claim.entry.arena, t->message);
	t->envelope.size = edits_wire_size(&t->none, t->message);
	t->ready = true;
}

static bool offer_next(void *ctx, const struct account *a, struct attempt_next *out);

static void attempt(struct trial *t)
{
	const struct run_observer *w = t->run->watch;

	if (w->options)
		w->options(w->ctx, t->account, &t->opt);
	t->opt.before = put_off;
	t->opt.before_ctx = &t->claim;
	t->opt.line = t->run->line;
	t->opt.next = offer_next;
	t->opt.next_ctx = t;
	t->opt.transfer = &t->transfer;
	if (was_cut_off(t))
		t->claim.entry.unknown_ms = t->claim.due_ms - QUEUE_UNKNOWN_SECONDS * 1000;
	if (t->claim.entry.unknown_ms)
		result_note(&t->result, "possible duplicate: an earlier try may have reached the "
			    "server");
	submit_attempt(t->account, &t->envelope, t->message, &t->none, &t->opt, &t->result);
}

/* A signal has ended it before the server could have got anything: as if it had not been. */
static bool was_interrupted(const struct trial *t)
{
	if (!interrupt_noted() || t->result.unknown)
		return false;
	for (size_t i = 0; i < t->result.rcpt_count; i++) {
		if (!error_is(&t->result.rcpt[i].error, FAULT_INTERRUPTED))
			return false;
	}
	return true;
}

/* --- what has come of it ------------------------------------------------------------- */

/* True if it has failed here, for now: it is told with another run. */
static bool tell_of(struct trial *t, bool tried, bool paused)
{
	const struct tell_request req = {
		.queue = t->run->queue, .entry = &t->claim.entry, .account = t->account,
		.message = t->message, .result = tried ? &t->result : NULL, .index = t->index,
		.local = t->run->watch->local,
	};
	struct error err;

	if (paused && tell_pause(&req, &err) < 0)
		tell_problem(t->run, &err);
	if (tell_sender(&req, &err) == 0)
		return false;
	const bool later = error_is_temporary(&err);

	error_prefix(&err, "queue: %s", t->claim.entry.id);
	tell_problem(t->run, &err);
	return later;
}

/*
 * The entry as it is now, on disk; and out of the queue when nothing is left
 * to be done. later: nothing but to tell its sender, another time.
 */
static int settle(struct trial *t, bool later, struct error *err)
{
	struct queue_claim *c = &t->claim;
	const bool untold = tell_is_due(&c->entry);
	const bool open = entry_open(&c->entry) > 0 || (untold && later);
	const bool kept = t->account && t->account->queue.keep;

	/* what is told is noted before it is sent off */
	if ((open || untold || kept || c->entry.notices) &&
	    (queue_update(c, err) < 0 || tell_send_off(c->queue, &c->entry, err) < 0))
		return -1;
	if (open)
		return 0;
	if (!untold)
		return kept ? queue_set_aside(c, "sent", err) : queue_remove_soon(c, err);
	if (queue_set_aside(c, "failed", err) < 0)
		return -1;
	error_set(err, FAULT_DELIVERY_FAILED, "queue: %s: the sender cannot be told; the message "
		  "is kept in %s/failed", c->entry.id, t->run->queue->store.path);
	tell_problem(t->run, err);
	return 0;
}

/* The outcomes as they are told: by the verdict, and with what has run out of time. */
static void note_outcomes(struct trial *t)
{
	const struct entry *e = &t->claim.entry;

	for (size_t i = 0; i < t->result.rcpt_count; i++) {
		struct rcpt_result *one = &t->result.rcpt[i];

		if (one->outcome == OUTCOME_ACCEPTED)
			continue;
		one->outcome = e->rcpt[t->index[i]].outcome;
		if (e->rcpt[t->index[i]].fault != one->error.fault)
			entry_error(e, t->index[i], &one->error);
	}
	result_settle(&t->result);
}

static void conclude(struct trial *t, bool paused)
{
	const struct run_observer *w = t->run->watch;
	struct entry *e = &t->claim.entry;
	struct error err;

	(void)schedule_expire(e, datetime_now());
	note_outcomes(t);
	if (settle(t, tell_of(t, true, paused), &err) < 0)
		tell_problem(t->run, &err);
	const struct run_attempt done = {
		.entry = e, .account = t->account, .envelope = &t->envelope,
		.message = t->message, .result = &t->result, .milliseconds = t->milliseconds,
		.paused = paused,
	};

	if (w->attempt)
		w->attempt(w->ctx, &done);
}

static void finish(struct trial *t)
{
	struct entry *e = &t->claim.entry;

	schedule_note(e, t->account, &t->result, t->index, t->begun_ms, datetime_now());
	schedule_note_transfer(e, t->account, &t->transfer, &t->result, t->index, datetime_now());
	conclude(t, judge_account(t));
}

/* Without one more try: for whom none was made, the reason is that of the pause. */
static void give_up(struct trial *t)
{
	struct entry *e = &t->claim.entry;
	struct pause p;

	make_ready(t);
	t->begun_ms = datetime_now();
	const size_t n = pause_read(t->run->queue, t->key, e->arena, &p) ?
		e->envelope.rcpt_count : 0;

	for (size_t i = 0; i < n; i++)
		if (entry_rcpt_open(e, i) && !e->rcpt[i].text)
			e->rcpt[i].text = p.reason;
	conclude(t, false);
}

/* What was delivered is to be out of the queue for good, before much more is sent. */
static void sync_removed(struct run *r, int milliseconds)
{
	struct error err;

	if (queue_sync_older(r->queue, milliseconds, &err) < 0)
		tell_problem(r, &err);
}

/* The account is known, or why it is not. */
static void try_entry(struct trial *t, const struct error *no_account)
{
	const int64_t start = clock_ms();

	sync_removed(t->run, SYNC_MS);

	make_ready(t);
	t->begun_ms = datetime_now();
	if (t->account) {
		attempt(t);
	} else {
		result_set_rest(&t->result, no_account);
		result_settle(&t->result);
	}
	t->milliseconds = (long)(clock_ms() - start);
	if (!was_interrupted(t))
		finish(t);
	else
		queue_put_off(&t->claim, t->claim.due_ms);
}

/* Nobody is left to be sent to: whoever came so far did not come to its end. */
static void end_entry(struct trial *t)
{
	struct entry *e = &t->claim.entry;
	struct error err;
	const bool later = tell_of(t, false, false);

	if (later)
		e->next_ms = datetime_now() + 1000 * (int64_t)schedule_delay(e->attempts);
	if (settle(t, later, &err) < 0)
		tell_problem(t->run, &err);
}

/* --- which entries --------------------------------------------------------------------- */

static bool is_wanted(const struct run *r, const struct entry *e)
{
	const struct run_request *q = r->req;

	if (!run_fits(e->envelope.sender, q->sender))
		return false;
	for (size_t i = 0; i < e->envelope.rcpt_count; i++) {
		if (entry_rcpt_open(e, i) && run_fits(e->envelope.rcpt[i].address, q->rcpt))
			return true;
	}
	/* nothing is left but to tell somebody, or to take it away */
	return entry_open(e) == 0 && !q->rcpt;
}

/* Whatever is asked for, what may have arrived has its time. */
static bool is_due(const struct run *r, const struct trial *t)
{
	const struct entry *e = &t->claim.entry;
	const int64_t now = datetime_now();

	if (e->held || now < e->undo_ms ||
	    (e->unknown_ms && now < e->unknown_ms + QUEUE_UNKNOWN_SECONDS * 1000))
		return false;
	if (was_cut_off(t) && t->claim.due_ms > now)
		return false;
	return r->req->force || (t->claim.due_ms <= now && e->next_ms <= now);
}

static struct trial *free_trial(struct trial *t)
{
	message_free(t->message);
	queue_release(&t->claim);
	arena_free(t->arena);
	return NULL;
}

/* What the entry's account may; what cannot be told fails alone. */
static struct run_limits limits_of(const struct entry *e, struct arena *a)
{
	struct config_request req = config_request_of(e, a);
	struct config *config = NULL;
	struct error ignored;
	const struct account *account = config_load(&req, &config, &ignored) < 0 ? NULL :
		config_account(config, e->account);
	struct run_limits l = { .connections = 1, .lifetime_ms = LIFETIME_UNKNOWN };

	if (account) {
		const unsigned own = account->queue.lifetime;
		const unsigned bounce = account->queue.bounce_lifetime;

		l.connections = account->reuse.max_connections;
		l.lifetime_ms = 1000 * (int64_t)(bounce < own ? bounce : own);
	}
	config_free(config);
	return l;
}

const char *run_key(struct run *r, const char *id, struct arena *a, struct run_limits *out)
{
	const char *config_key, *key = NULL;
	struct error ignored;
	struct entry e;

	entry_init(&e, a);
	if (queue_peek(r->queue, id, a, &e, &ignored) == 0) {
		key = pause_key(&e, a, &config_key);
		if (out)
			*out = limits_of(&e, a);
	}
	return key;
}

int run_idle_ms(const struct run *r)
{
	return line_idle_ms(r->line);
}

void run_close_line(struct run *r)
{
	line_close(r->line);
}

void run_sync(struct run *r)
{
	sync_removed(r, 0);
}

/* The entry, when it is to be tried or given up now; NULL: it is not, or cannot be. */
static struct trial *claim(struct run *r, const char *id)
{
	struct arena *arena = arena_new();
	struct trial *t = arena_calloc(arena, 1, sizeof(*t));
	struct error err;

	t->run = r;
	t->arena = arena;
	const int found = queue_claim(r->queue, id, &t->claim, &err);

	if (found < 0)
		tell_problem(r, &err);
	if (found <= 0 || !is_due(r, t) || !is_wanted(r, &t->claim.entry))
		return free_trial(t);
	t->key = pause_key(&t->claim.entry, t->arena, &t->config_key);
	t->over = !may_try(r, t->key) && schedule_is_over(&t->claim.entry, datetime_now());
	if (is_waiting(r, t->key) && !t->over) {
		if (r->source->done)
			r->source->done(r->source->ctx, true);
		return free_trial(t);
	}
	if (queue_message(&t->claim, &t->message, &err) < 0) {
		tell_problem(r, &err);
		return free_trial(t);
	}
	return t;
}

/* The next one that is to be tried; NULL = there is none any more. */
static struct trial *claim_next(struct run *r)
{
	char id[ENTRY_ID_LEN + 1];
	struct trial *t = r->next;

	while (!t && !interrupt_noted() && r->source->next(r->source->ctx, !r->under_way, id))
		t = claim(r, id);
	r->next = NULL;
	return t;
}

/* Is it within the rate of the account (queue/pace.h)? Else *wait_out says for how long not. */
static bool count(struct trial *t, int64_t *wait_out)
{
	const struct reuse_settings *s = &t->account->reuse;
	const struct entry *e = &t->claim.entry;
	const char *file = e->config_file ? e->config_file : "";

	*wait_out = 0;
	if (s->rate && !t->counted)
		*wait_out = pace_take(t->run->queue, arena_printf(t->arena, "%s\n%s", file,
				      e->account), s->rate, s->rate_time, datetime_now());
	t->counted = *wait_out == 0;
	return t->counted;
}

/* Waits until it is, if that is not for too long: else it is for another run. */
static bool count_or_wait(struct trial *t)
{
	struct run *r = t->run;
	int64_t wait;

	while (!count(t, &wait)) {
		if (r->paced_ms + wait > PACE_MS || interrupt_noted())
			return false;
		r->paced_ms += wait;
		sync_removed(r, 0);
		(void)poll(NULL, 0, (int)wait);
	}
	return true;
}

/*
 * attempt_options.next: what comes behind the trial under way, if it is of the
 * same account. It is tried next whatever happens: what may have to be left
 * (process()) is not offered, since its envelope would be out.
 */
static bool offer_next(void *ctx, const struct account *a, struct attempt_next *out)
{
	struct trial *now = ctx, *t;
	struct run *r = now->run;
	struct error err;
	int64_t wait;

	t = r->next = claim_next(r);
	if (!t || t->over || strcmp(t->key, now->key) != 0 || entry_open(&t->claim.entry) == 0 ||
	    t->claim.entry.notices || find_account(t, &err) < 0 || t->account != a ||
	    !count(t, &wait))
		return false;
	make_ready(t);
	*out = (struct attempt_next){ &t->envelope, t->message, &t->none, &t->result };
	return true;
}

static void process(struct trial *t)
{
	struct error err, why;
	const bool found = find_account(t, &err) == 0;

	/* of a run that did not come to its end */
	if (t->claim.entry.notices && tell_send_off(t->run->queue, &t->claim.entry, &why) < 0) {
		tell_problem(t->run, &why);
		return;
	}
	if (entry_open(&t->claim.entry) == 0)
		end_entry(t);
	else if (t->over)
		give_up(t);
	else if (found && !count_or_wait(t))
		set_waits(t->run, t->key, true);	/* due in another run */
	else
		try_entry(t, found ? NULL : &err);
}

struct run *run_new(struct queue *q, const struct run_request *req,
		    const struct run_observer *watch)
{
	struct arena *arena = arena_new();
	struct run *r = arena_calloc(arena, 1, sizeof(*r));

	*r = (struct run){ .queue = q, .req = req, .watch = watch, .arena = arena,
			   .line = line_new() };
	return r;
}

void run_free(struct run *r)
{
	line_free(r->line);
	config_free(r->config);
	arena_free(r->arena);
}

void run_all(struct run *r, const struct run_source *source)
{
	struct trial *t;

	r->source = source;
	while ((t = claim_next(r))) {
		/* one before it may have shown that the way is no good */
		r->under_way = true;
		if (t->over || !is_waiting(r, t->key)) {
			process(t);
			if (source->done)
				source->done(source->ctx, is_waiting(r, t->key));
		}
		r->under_way = false;
		if (r->next && !r->next->over && is_waiting(r, r->next->key)) {
			line_close(r->line);	/* its envelope may be out: it ends here */
			r->next = free_trial(r->next);
		}
		(void)free_trial(t);
	}
	sync_removed(r, 0);
	line_close(r->line);
}
