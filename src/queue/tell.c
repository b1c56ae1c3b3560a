#include "config.h"
#include "queue/tell.h"

#include <string.h>

#include "conf/account.h"
#include "conf/settings.h"
#include "message/edits.h"
#include "message/envelope.h"
#include "message/ident.h"
#include "message/message.h"
#include "message/result.h"
#include "queue/bounce.h"
#include "queue/entry.h"
#include "queue/queue.h"
#include "queue/schedule.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

#define PATH_LIMIT 8192

/* The name that the account says in EHLO, else that of the host. */
static const char *own_name(const struct tell_request *t, struct arena *a)
{
	const char *own = t->account ? t->account->domain : NULL;

	return own && *own && strcmp(own, "auto") != 0 ? own : ident_host(a);
}

/* Those of the account; without one the defaults. */
static const struct queue_settings *settings_of(const struct tell_request *t)
{
	struct account *defaults;

	if (t->account)
		return &t->account->queue;
	defaults = arena_calloc(t->entry->arena, 1, sizeof(*defaults));
	settings_defaults(SCOPE_ACCOUNT, defaults, t->entry->arena, false);
	return &defaults->queue;
}

static struct bounce bounce_begin(const struct tell_request *t, enum bounce_kind kind)
{
	return (struct bounce){
		.entry = t->entry, .original = t->message, .kind = kind,
		.host = own_name(t, t->entry->arena),
		.size_limit = settings_of(t)->bounce_size_limit,
		.now_ms = datetime_now(),
	};
}

/* Of the folder "pending": one that a try has written is none of the next one's. */
static const char *notice_name(const struct entry *e, unsigned kind)
{
	return arena_printf(e->arena, "%s.%u.%u", e->id, kind, e->attempts);
}

static int mail(const struct tell_request *t, const struct bounce *b, const struct message *m,
		struct error *err)
{
	struct edits none;
	struct entry e;

	edits_init(&none, b->entry->arena, m);
	bounce_entry(b, m, settings_of(t)->bounce_lifetime, b->entry->arena, &e);
	if (queue_stage(t->queue, &e, m, &none, notice_name(t->entry, b->kind), err) < 0)
		return -1;
	t->entry->notices |= 1U << b->kind;
	return 0;
}

int tell_send_off(struct queue *q, struct entry *e, struct error *err)
{
	for (unsigned kind = 0; e->notices >> kind; kind++) {
		if (e->notices & 1U << kind && queue_admit(q, notice_name(e, kind), err) < 0)
			return -1;
	}
	e->notices = 0;
	return 0;
}

static int put_locally(const struct tell_request *t, const struct message *m, struct error *err)
{
	struct strbuf where = STRBUF_INIT(PATH_LIMIT);
	int rc = t->local ? t->local(t->entry->uid, m, &where, err) :
		error_set(err, FAULT_CANNOT_CREATE, "no place for mail of this host");

	strbuf_release(&where);
	return rc;
}

/* Composes it and sends it off. */
static int tell(const struct tell_request *t, const struct bounce *b, bool locally,
		struct error *err)
{
	struct message *m = NULL;

	if (bounce_compose(b, &m, err) < 0)
		return -1;
	int rc = locally ? put_locally(t, m, err) : mail(t, b, m, err);

	message_free(m);
	return rc;
}

bool tell_is_due(const struct entry *e)
{
	for (size_t i = 0; i < e->envelope.rcpt_count; i++) {
		if (e->rcpt[i].outcome == OUTCOME_REFUSED && !e->rcpt[i].told)
			return true;
	}
	return false;
}

/* --- failures ---------------------------------------------------------------------- */

/* Whoever is listed has been told; who did not want to be needs not be. */
static void note_told(const struct tell_request *t, const struct bounce *b, bool all)
{
	struct entry *e = t->entry;

	for (size_t i = 0; i < e->envelope.rcpt_count; i++) {
		if (e->rcpt[i].outcome == OUTCOME_REFUSED && (all || !bounce_about(b, i)))
			e->rcpt[i].told = true;
	}
}

/* Who looks after this host, if he is to hear about that message; else NULL. */
static const char *admin_of(const struct tell_request *t)
{
	const struct account *a = t->account;

	if (!a || !a->queue.notify_to || bounce_is_notice(t->message))
		return NULL;
	return a->queue.notify_to;
}

/* Nobody can be told but he. */
static int tell_admin(const struct tell_request *t, struct bounce *b, struct error *err)
{
	struct error trouble;

	b->to = admin_of(t);
	if (!b->to)
		return error_set(err, FAULT_DELIVERY_FAILED, "nobody can be told");
	if (bounce_count(b) == 0)
		return 0;
	if (!bounce_notice_due(b, t->account->report.notify_interval, &trouble))
		return error_set(err, FAULT_DELIVERY_FAILED, "%s was told of such a failure "
				 "not long ago", b->to);
	return tell(t, b, false, err);
}

static int tell_failed(const struct tell_request *t, struct error *err)
{
	struct bounce b = bounce_begin(t, BOUNCE_FAILED);
	const enum bounce_way way = bounce_way(t->entry, t->message);
	struct error why;

	if (way == BOUNCE_TO_NOBODY) {
		if (tell_admin(t, &b, err) < 0)
			return -1;
	} else {
		note_told(t, &b, false);
		if (bounce_count(&b) > 0 && tell(t, &b, way == BOUNCE_TO_USER, &why) < 0) {
			if (way == BOUNCE_TO_SENDER) {
				*err = why;
				return -1;
			}
			if (tell_admin(t, &b, err) < 0)
				return error_set(err, FAULT_DELIVERY_FAILED, "%s", why.text);
		}
	}
	note_told(t, &b, true);
	return 0;
}

int tell_pause(const struct tell_request *t, struct error *err)
{
	struct bounce b = bounce_begin(t, BOUNCE_PAUSED);

	b.to = admin_of(t);
	return b.to && bounce_count(&b) > 0 ? tell(t, &b, false, err) : 0;
}

/* --- delays, and what was handed over ---------------------------------------------------- */

/* Those who are late for a reason of their own. */
static int tell_delayed(const struct tell_request *t, struct error *err)
{
	struct entry *e = t->entry;
	const size_t n = e->envelope.rcpt_count;
	struct bounce b = bounce_begin(t, BOUNCE_DELAYED);
	bool *only = arena_calloc(e->arena, n, sizeof(*only));
	const enum bounce_way way = bounce_way(e, t->message);
	struct error last;

	if (!t->account || way == BOUNCE_TO_NOBODY ||
	    !bounce_is_late(e, t->account->queue.delay_warning, b.now_ms))
		return 0;
	for (size_t i = 0; i < n; i++) {
		entry_error(e, i, &last);
		only[i] = way == BOUNCE_TO_USER ||
			schedule_verdict(t->account, &last) == VERDICT_LATER;
	}
	b.only = only;
	if (bounce_count(&b) == 0)
		return 0;
	if (tell(t, &b, way == BOUNCE_TO_USER, err) < 0)
		return -1;
	e->warned_ms = b.now_ms;
	return 0;
}

/* Is it in the list of names with commas between them? */
static bool is_listed(const char *list, const char *name)
{
	for (const char *p = list; p && *p; p += strspn(p, ", ")) {
		const size_t n = strcspn(p, ", ");

		if (text_same(p, n, name))
			return true;
		p += n;
	}
	return false;
}

/*
 * The server knows no DSN and will not say what becomes of those it has taken
 * now (RFC 3461, section 5.2.2); in LMTP they have it.
 */
static int tell_relayed(const struct tell_request *t, struct error *err)
{
	const struct result *r = t->result;
	struct entry *e = t->entry;
	bool *only = arena_calloc(e->arena, e->envelope.rcpt_count, sizeof(*only));
	const enum bounce_way way = bounce_way(e, t->message);

	if (!r || !t->account || way == BOUNCE_TO_NOBODY ||
	    !(is_listed(r->left_out, "DSN") || is_listed(r->left_out, "DELIVERBY")))
		return 0;
	struct bounce b = bounce_begin(t, t->account->protocol == PROTOCOL_LMTP ?
				       BOUNCE_DELIVERED : BOUNCE_RELAYED);

	for (size_t i = 0; i < r->rcpt_count; i++)
		only[t->index ? t->index[i] : i] = r->rcpt[i].outcome == OUTCOME_ACCEPTED;
	b.only = only;
	return bounce_count(&b) > 0 ? tell(t, &b, way == BOUNCE_TO_USER, err) : 0;
}

int tell_sender(const struct tell_request *t, struct error *err)
{
	int rc = tell_relayed(t, err);

	if (tell_delayed(t, err) < 0)
		rc = -1;
	if (tell_is_due(t->entry) && tell_failed(t, err) < 0)
		rc = -1;
	return rc;
}
