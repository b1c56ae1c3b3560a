#include "config.h"
#include "prepare/requests.h"

#include <string.h>
#include <strings.h>
#include <time.h>

#include "conf/account.h"
#include "message/edits.h"
#include "message/envelope.h"
#include "message/ident.h"
#include "message/message.h"
#include "message/request.h"
#include "message/result.h"
#include "prepare/request_fields.h"
#include "smtp/ext/mtrk.h"
#include "smtp/ext/params.h"
#include "smtp/session.h"
#include "util/arena.h"
#include "util/datetime.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/strvec.h"

#define FIELD_MAX 4096
#define LEFT_OUT_MAX 64

static int contradiction(struct error *err, const char *why)
{
	return error_set(err, FAULT_USAGE, "%s", why);
}

/* --- from the account's keys ------------------------------------------------- */

static int take_deliver_by(struct request_job *j, const char *value, struct error *err)
{
	return request_deliver_by(value, j->now, &j->envelope->ext, err);
}

static int take_hold(struct request_job *j, const char *value, struct error *err)
{
	if (j->envelope->ext.hold != HOLD_NONE)
		return contradiction(err, "hold_for and hold_until do not go together");
	return request_hold(value, j->now, &j->envelope->ext, err);
}

static int take_priority(struct request_job *j, const char *value, struct error *err)
{
	j->envelope->ext.priority_given = true;
	return request_priority(value, &j->envelope->ext.priority, err);
}

static int take_rrvs(struct request_job *j, const char *value, struct error *err)
{
	for (size_t i = 0; i < j->envelope->rcpt_count; i++) {
		struct recipient *r = &j->envelope->rcpt[i];

		if (!r->rrvs && request_rrvs(value, j->now, r, err) < 0)
			return -1;
	}
	return 0;
}

static int take_mail_auth(struct request_job *j, const char *value, struct error *err)
{
	(void)err;
	j->envelope->ext.mail_auth = strcmp(value, "<>") == 0 ? "" : value;
	return 0;
}

/* Secret and hash are made, and the envelope gets an id that exists once (RFC 3885, section 3). */
static int take_track(struct request_job *j, const char *value, struct error *err)
{
	if (request_track(value, j->now, &j->envelope->ext.mtrk_timeout, err) < 0)
		return -1;
	return mtrk_begin(j->envelope, err);
}

static const struct {
	size_t value;		/* in struct account: const char *, NULL = not asked for */
	int (*take)(struct request_job *, const char *value, struct error *);
} requests[] = {
	{ offsetof(struct account, ext.deliver_by), take_deliver_by },
	{ offsetof(struct account, ext.hold_for), take_hold },
	{ offsetof(struct account, ext.hold_until), take_hold },
	{ offsetof(struct account, ext.mt_priority), take_priority },
	{ offsetof(struct account, ext.rrvs), take_rrvs },
	{ offsetof(struct account, ext.mail_auth), take_mail_auth },
	{ offsetof(struct account, ext.track), take_track },
	{ offsetof(struct account, ext.solicit), request_field_solicit },
	{ offsetof(struct account, ext.content_convert), request_field_convert },
	{ offsetof(struct account, ext.content_features), request_field_features },
	{ offsetof(struct account, ext.submitter), request_field_submitter },
};

static int take_all(struct request_job *j, struct error *err)
{
	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		const char *value;

		memcpy(&value, (const char *)j->account + requests[i].value, sizeof(value));
		if (value && requests[i].take(j, value, err) < 0)
			return -1;
	}
	return 0;
}

/* --- contradictions ------------------------------------------------------------ */

static int check_together(const struct request_job *j, struct error *err)
{
	const struct ext_request *x = &j->envelope->ext;
	const struct account *a = j->account;

	if (x->hold != HOLD_NONE && !j->envelope->sender[0])
		return contradiction(err, "a message with the null sender cannot be held: hold_for "
				     "and hold_until need a sender");
	if (x->hold != HOLD_NONE && x->by != BY_NONE && x->by_ms <= x->hold_ms)
		return contradiction(err, "deliver_by has to be later than the time the message is "
				     "held until");
	if (a->ext.rrvs_header && a->ext.rrvs && j->envelope->rcpt_count != 1)
		return contradiction(err, "rrvs_header tells one recipient about the other: it "
				     "goes with one recipient only");
	if (a->ext.requiretls == REQUIRETLS_YES && a->tls.mode == TLS_OFF)
		return contradiction(err, "requiretls needs TLS, and 'tls' is off");
	return 0;
}

/* --- notices ------------------------------------------------------------------- */

/* TIME.PID.RANDOM, at most 38 characters (RFC 3461, section 5.4). */
static void make_envid(struct envelope *e)
{
	for (size_t i = 0; !e->envid && i < e->rcpt_count; i++) {
		if (e->rcpt[i].notify)
			e->envid = mtrk_id(e->arena);
	}
}

int requests_apply(struct edits *edits, struct envelope *e, const struct message *m,
		   const struct account *a, struct error *err)
{
	struct request_job j = { .edits = edits, .envelope = e, .message = m, .account = a,
				 .now = datetime_now() };
	const size_t added = edits->added_n;

	e->ext.requiretls = a->ext.requiretls != REQUIRETLS_NO;
	e->ext.conneg = a->ext.conneg;
	if (extensions_check_account(a, err) < 0 || params_check(a, err) < 0 ||
	    take_all(&j, err) < 0 || request_fields(&j, err) < 0 || check_together(&j, err) < 0)
		return -1;
	make_envid(e);
	if (j.changed || edits->added_n != added)
		e->size = edits_wire_size(edits, m);
	return 0;
}

/* --- for one session ------------------------------------------------------------- */

static bool tunnels(const struct session *s, const struct envelope *e)
{
	return e->ext.priority_given && !session_has(s, EXT_MT_PRIORITY) &&
		(s->account->ext.mt_priority_tunnel ||
		 extensions_level(s, e, EXT_MT_PRIORITY) == LEVEL_DOWNGRADE);
}

int requests_adapt(const struct session *s, struct edits *edits, struct envelope *e,
		   const struct message *m, struct arena *arena, struct error *err)
{
	struct edits own;

	if (!tunnels(s, e))
		return 0;
	edits_copy(&own, edits, arena);
	if (request_field_set(&own, m, "MT-Priority",
			      arena_printf(arena, "%d", e->ext.priority), err) < 0)
		return -1;
	*edits = own;
	e->size = edits_wire_size(edits, m);
	return 0;
}

static bool wants_success(const struct envelope *e)
{
	for (size_t i = 0; i < e->rcpt_count; i++) {
		if (e->rcpt[i].notify & DSN_NOTIFY_SUCCESS)
			return true;
	}
	return false;
}

void requests_note(const struct session *s, const struct envelope *e, struct result *r)
{
	struct strvec names = STRVEC_INIT(LEFT_OUT_MAX);
	struct strbuf list = STRBUF_INIT(FIELD_MAX);

	extensions_left_out(s, e, &names);
	for (size_t i = 0; i < names.n; i++)
		strbuf_addf(&list, "%s%s", i ? "," : "", names.v[i]);
	if (list.len) {
		r->left_out = arena_strdup(r->arena, list.buf);
		strbuf_addstr(&list, ": not offered, left out");
		session_note(s, list.buf);
	}
	if (wants_success(e) && e->sender[0] && !session_has(s, EXT_DSN))
		result_note(r, "the server sends no notices: nobody will tell when the message has "
			    "arrived");
	if (e->ext.hold != HOLD_NONE && e->ext.hold_ms <= datetime_now())
		result_note(r, "the time to hold the message until has passed: it is sent at once");
	strbuf_release(&list);
	strvec_release(&names);
}

void requests_settle(const struct session *s, const struct envelope *e, struct result *r)
{
	if (!e->ext.mtrk || !session_has(s, EXT_MTRK))
		return;
	for (size_t i = 0; !r->tracked && i < r->rcpt_count; i++)
		r->tracked = r->rcpt[i].outcome == OUTCOME_ACCEPTED;
}
