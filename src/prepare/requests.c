#include "config.h"
#include "prepare/requests.h"

#include <string.h>
#include <strings.h>
#include <time.h>

#include "conf/account.h"
#include "conf/settings.h"
#include "message/address.h"
#include "message/edits.h"
#include "message/envelope.h"
#include "message/header.h"
#include "message/ident.h"
#include "message/message.h"
#include "message/request.h"
#include "message/result.h"
#include "message/spool.h"
#include "smtp/ext/ext.h"
#include "smtp/session.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/strvec.h"

#define FIELD_MAX 4096
#define LEFT_OUT_MAX 64
#define LINE_SEEN 64	/* octets of a body line that are looked at */

/* What the steps of requests_apply() share. */
struct request_job {
	struct edits *edits;
	struct envelope *envelope;
	const struct message *message;
	const struct account *account;
	int64_t now;
	bool changed;		/* a field was dropped or replaced */
};

/* --- fields of the header ------------------------------------------------------- */

/* The next field of that name, as it will be written; NULL at the end. */
static const char *next_field(const struct edits *edits, const struct message *m,
			      const char *name, size_t *at)
{
	const char *text;
	size_t len;

	while ((text = edits_next(edits, m, at, &len))) {
		if (header_is(text, name))
			return text;
	}
	return NULL;
}

/* What stands behind the colon, on one line and without blanks around it. */
static const char *field_value(struct arena *a, const char *text)
{
	return header_value(a, &(const struct header_field){
		.text = text, .len = strlen(text), .value = strcspn(text, ":") + 1 });
}

/* The first one's value, and whether it is the only one. */
static const char *first_value(const struct request_job *j, const char *name, bool *only_out)
{
	const char *text, *value = NULL;
	size_t at = 0, n = 0;

	while ((text = next_field(j->edits, j->message, name, &at))) {
		if (n++ == 0)
			value = field_value(j->envelope->arena, text);
	}
	*only_out = n == 1;
	return value;
}

/* Only the message's own fields can be dropped; added ones get another text. */
static void drop_request_fields(struct edits *edits, const struct message *m, const char *name)
{
	size_t at = edits->added_n;

	while (next_field(edits, m, name, &at))
		edits_drop(edits, at - 1 - edits->added_n);
}

/* Drops all fields of that name and adds one, unless just that one is there. */
static int set_field(struct edits *edits, const struct message *m, const char *name,
		      const char *value, struct error *err)
{
	const char *text;
	size_t at = 0, n = 0;
	bool same = false;

	while ((text = next_field(edits, m, name, &at))) {
		same = ++n == 1 && strcmp(field_value(edits->arena, text), value) == 0;
		if (at <= edits->added_n) {
			edits_set_text(edits, at, arena_printf(edits->arena, "%s: %s\r\n", name,
							       value));
			same = true;
			break;
		}
	}
	if (same && (n == 1 || at <= edits->added_n))
		return 0;
	drop_request_fields(edits, m, name);
	return edits_add(edits, name, value, err);
}

static int set(struct request_job *j, const char *name, const char *value, struct error *err)
{
	j->changed = true;
	return set_field(j->edits, j->message, name, value, err);
}

/* --- Content-Convert, Content-Features -------------------------- */

/* RFC 4141, section 2: not in what is signed or encrypted. */
static bool is_signed(const struct request_job *j)
{
	static const char *const types[] = { "multipart/signed", "multipart/encrypted",
					     "application/pkcs7-mime", "application/x-pkcs7-mime" };
	bool only;
	const char *type = first_value(j, "Content-Type", &only);

	for (size_t i = 0; type && i < ARRAY_LEN(types); i++) {
		if (strncasecmp(type, types[i], strlen(types[i])) == 0)
			return true;
	}
	return false;
}

static int add_convert(struct request_job *j, struct error *err)
{
	const struct ext_settings *x = &j->account->ext;

	const bool forbidden = x->content_convert && is_signed(j);

	if (forbidden && x->asked[EXT_CONPERM])
		return error_set(err, FAULT_MESSAGE, "content_convert: a signed or encrypted "
				 "message may not be converted");
	if (x->content_convert && !forbidden &&
	    set(j, "Content-Convert", x->content_convert, err) < 0)
		return -1;
	return x->content_features ? set(j, "Content-Features", x->content_features, err) : 0;
}

/* Does a line of the body begin with that field name? The parts' headers are there. */
static int body_has_field(const struct message *m, const char *name, bool *out, struct error *err)
{
	char block[8192], line[LINE_SEEN];
	size_t n = 0;

	*out = false;
	for (uint64_t at = m->body_start; !*out && at < m->body_end;) {
		uint64_t left = m->body_end - at;
		ssize_t got = spool_read(m->spool, at, block,
					 left < sizeof(block) ? (size_t)left : sizeof(block), err);

		if (got <= 0)
			return got < 0 ? -1 : 0;
		for (ssize_t i = 0; !*out && i < got; i++) {
			if (block[i] == '\n') {
				line[n] = '\0';
				*out = header_is(line, name);
				n = 0;
			} else if (n < sizeof(line) - 1) {
				line[n++] = block[i];
			}
		}
		at += (uint64_t)got;
	}
	return 0;
}

static int check_conperm(struct request_job *j, struct error *err)
{
	bool there, only;

	if (!j->account->ext.asked[EXT_CONPERM])
		return 0;
	there = first_value(j, "Content-Convert", &only) != NULL;
	if (!there && body_has_field(j->message, "Content-Convert", &there, err) < 0)
		return -1;
	if (!there)
		return error_set(err, FAULT_USAGE, "conperm needs a Content-Convert field "
				 "that says what may be converted: see content_convert");
	return 0;
}

/* --- SUBMITTER ------------------------------------------------------------------- */

/* One mailbox with a domain, or NULL. */
static const char *only_mailbox(struct arena *a, const char *text)
{
	const char *value = field_value(a, text);
	struct address_list list;

	if (address_parse_list(a, value, strlen(value), 0, &list, NULL) < 0 || list.n != 1 ||
	    !list.box[0].domain)
		return NULL;
	return list.box[0].address;
}

static bool is_empty(struct arena *a, const char *text)
{
	return !*field_value(a, text);
}

/*
 * The first Resent-Sender, unless a Resent-From stands before it with trace
 * fields between: then it belongs to an older resending (RFC 4407, section 2).
 */
static const char *resent(const struct request_job *j)
{
	const char *text, *from = NULL;
	bool trace = false;
	size_t at = 0, len;

	while ((text = edits_next(j->edits, j->message, &at, &len))) {
		if (header_is(text, "Resent-From") && !from && !is_empty(j->envelope->arena, text))
			from = text;
		else if (from && (header_is(text, "Received") || header_is(text, "Return-Path")))
			trace = true;
		else if (header_is(text, "Resent-Sender") && !is_empty(j->envelope->arena, text))
			return trace ? from : text;
	}
	return from;
}

/* The only field of that name that is not empty; *several_out when there are more. */
static const char *only_field(const struct request_job *j, const char *name, bool *several_out)
{
	const char *text, *found = NULL;
	size_t at = 0;

	*several_out = false;
	while ((text = next_field(j->edits, j->message, name, &at))) {
		if (is_empty(j->envelope->arena, text))
			continue;
		*several_out = found != NULL;
		found = text;
	}
	return *several_out ? NULL : found;
}

/* The purported responsible address; NULL if the header gives none. */
static const char *responsible(const struct request_job *j)
{
	const char *text = resent(j);
	bool several = false;

	if (!text)
		text = only_field(j, "Sender", &several);
	if (!text && !several)
		text = only_field(j, "From", &several);
	return text ? only_mailbox(j->envelope->arena, text) : NULL;
}

/* Whoever the header names, or the one asked for, which has to be the same. */
static int check_submitter(struct request_job *j, struct error *err)
{
	const char **asked = &j->envelope->ext.submitter;

	if (!j->account->ext.submitter)
		return 0;
	const char *named = responsible(j);

	if (*asked && !j->account->ext.force_submitter && (!named || !address_equal(named, *asked)))
		return error_set(err, FAULT_USAGE, "submitter '%s' is not who the header "
				 "names as responsible (%s): servers refuse that", *asked,
				 named ? named : "nobody");
	if (!*asked)
		*asked = named;
	return 0;
}

/* --- what the header asks for ------------------------------------------------------ */

/* A Solicitation field speaks for itself (RFC 3865, section 2.3). */
static void read_solicitation(struct request_job *j)
{
	bool only;
	const char *value = j->envelope->ext.solicit ? NULL : first_value(j, "Solicitation", &only);

	if (value && only)
		(void)!request_solicit(value, j->now, j->envelope, NULL);
}

/* One valid MT-Priority field (RFC 6758, section 3.1). */
static void read_priority(struct request_job *j)
{
	const char *value;
	bool only;

	if (j->envelope->ext.priority_given || !j->account->ext.mt_priority_from_header)
		return;
	value = first_value(j, "MT-Priority", &only);
	if (value && only && strspn(value, "-0123456789") == strlen(value))
		(void)!request_mt_priority(value, j->now, j->envelope, NULL);
}

/* A wish of old that was never a standard becomes one (RFC 3461, section 5.3). */
static void read_receipt(struct request_job *j)
{
	static const char name[] = "Return-Receipt-To";
	bool only;

	if (!j->account->ext.rrt_to_dsn || !first_value(j, name, &only))
		return;
	drop_request_fields(j->edits, j->message, name);
	j->changed = true;
	for (size_t i = 0; i < j->envelope->rcpt_count; i++) {
		struct recipient *r = &j->envelope->rcpt[i];

		if (!r->notify)
			r->notify = DSN_NOTIFY_SUCCESS | DSN_NOTIFY_FAILURE;
	}
}

/* "Require-Recipient-Valid-Since: addr-spec; date-time" (RFC 7293, section 3.2) */
static int add_rrvs(struct request_job *j, struct error *err)
{
	const struct envelope *e = j->envelope;

	if (!j->account->ext.rrvs_header || e->rcpt_count != 1 || !e->rcpt[0].rrvs)
		return 0;
	return set(j, "Require-Recipient-Valid-Since",
		   arena_printf(e->arena, "%s; %s", e->rcpt[0].address,
				ident_date(e->arena, (time_t)(e->rcpt[0].rrvs_ms / 1000))), err);
}

/* "TLS-Required: No", at most once (RFC 8689, section 3). */
static int add_tls_required(struct request_job *j, struct error *err)
{
	if (j->account->ext.tls_required || j->envelope->ext.requiretls)
		return 0;
	return set(j, "TLS-Required", "No", err);
}

static int set_date(struct request_job *j, struct error *err)
{
	const struct envelope *e = j->envelope;

	if (!j->account->ext.hold_sets_date || e->ext.hold == HOLD_NONE)
		return 0;
	return set(j, "Date", ident_date(e->arena, (time_t)(e->ext.hold_ms / 1000)), err);
}

static int request_fields(struct request_job *j, struct error *err)
{
	bool only;

	if ((j->account->ext.solicit &&
	     set(j, "Solicitation", j->envelope->ext.solicit, err) < 0) ||
	    add_convert(j, err) < 0 || check_submitter(j, err) < 0)
		return -1;
	read_solicitation(j);
	read_priority(j);
	read_receipt(j);
	if (check_conperm(j, err) < 0 || add_rrvs(j, err) < 0 || add_tls_required(j, err) < 0 ||
	    set_date(j, err) < 0)
		return -1;
	if (j->envelope->ext.asked[EXT_CONPERM])
		j->envelope->ext.features = first_value(j, "Content-Features", &only);
	return 0;
}

/* --- contradictions ------------------------------------------------------------ */

static int check_together(const struct request_job *j, struct error *err)
{
	const struct ext_request *x = &j->envelope->ext;
	const struct account *a = j->account;

	if (x->hold != HOLD_NONE && !j->envelope->sender[0])
		return error_set(err, FAULT_USAGE, "a message with the null sender cannot be "
				 "held: hold_for and hold_until need a sender");
	if (x->hold != HOLD_NONE && x->by != BY_NONE && x->by_ms <= x->hold_ms)
		return error_set(err, FAULT_USAGE, "deliver_by has to be later than the time the "
				 "message is held until");
	if (a->ext.rrvs_header && a->ext.rrvs && j->envelope->rcpt_count != 1)
		return error_set(err, FAULT_USAGE, "rrvs_header tells one recipient about the "
				 "other: it goes with one recipient only");
	if (a->ext.requiretls == REQUIRETLS_YES && a->tls.mode == TLS_OFF)
		return error_set(err, FAULT_USAGE, "requiretls needs TLS, and 'tls' is off");
	return 0;
}

int requests_apply(struct edits *edits, struct envelope *e, const struct message *m,
		   const struct account *a, struct error *err)
{
	struct request_job j = { .edits = edits, .envelope = e, .message = m, .account = a,
				 .now = datetime_now() };
	const size_t added = edits->added_n;

	e->ext.requiretls = a->ext.requiretls != REQUIRETLS_NO;
	memcpy(e->ext.asked, a->ext.asked, sizeof(e->ext.asked));
	if (extensions_check_account(a, err) < 0 || params_check(a, err) < 0 ||
	    settings_read_requests(a, j.now, e, err) < 0 ||
	    (a->ext.track && mtrk_begin(e, err) < 0) || request_fields(&j, err) < 0 ||
	    check_together(&j, err) < 0)
		return -1;
	/* TIME.PID.RANDOM, at most 38 characters (RFC 3461, section 5.4) */
	for (size_t i = 0; !e->envid && i < e->rcpt_count; i++) {
		if (e->rcpt[i].notify)
			e->envid = mtrk_id(e->arena);
	}
	if (j.changed || edits->added_n != added)
		e->size = edits_wire_size(edits, m);
	return 0;
}

void requests_prefer(struct envelope *e, const struct ext_request *asked)
{
	struct ext_request *to = &e->ext;

	if (asked->by != BY_NONE) {
		to->by = asked->by;
		to->by_trace = asked->by_trace;
		to->by_ms = asked->by_ms;
	}
	if (asked->hold != HOLD_NONE) {
		to->hold = asked->hold;
		to->hold_ms = asked->hold_ms;
	}
	if (asked->priority_given) {
		to->priority_given = true;
		to->priority = asked->priority;
	}
	to->requiretls = to->requiretls || asked->requiretls;
	to->solicit = asked->solicit ? asked->solicit : to->solicit;
	to->submitter = asked->submitter ? asked->submitter : to->submitter;
	if (asked->mtrk) {
		to->mtrk = asked->mtrk;
		to->mtrk_secret = asked->mtrk_secret;
		to->mtrk_timeout = asked->mtrk_timeout;
	}
	for (int id = 0; id < EXT_COUNT; id++)
		to->asked[id] = to->asked[id] || asked->asked[id];
}

/* --- for one session ------------------------------------------------------------- */

int requests_adapt(const struct session *s, struct edits *edits, struct envelope *e,
		   const struct message *m, struct arena *arena, struct error *err)
{
	struct edits own;

	if (!e->ext.priority_given || session_has(s, EXT_MT_PRIORITY) ||
	    (!s->account->ext.mt_priority_tunnel &&
	     extensions_level(s, e, EXT_MT_PRIORITY) != LEVEL_DOWNGRADE))
		return 0;
	edits_copy(&own, edits, arena);
	if (set_field(&own, m, "MT-Priority", arena_printf(arena, "%d", e->ext.priority), err) < 0)
		return -1;
	*edits = own;
	e->size = edits_wire_size(edits, m);
	return 0;
}

void requests_note(const struct session *s, const struct envelope *e, struct result *r)
{
	struct strvec names = STRVEC_INIT(LEFT_OUT_MAX);
	struct strbuf list = STRBUF_INIT(FIELD_MAX);
	bool success = false;

	extensions_left_out(s, e, &names);
	for (size_t i = 0; i < names.n; i++)
		strbuf_addf(&list, "%s%s", i ? "," : "", names.v[i]);
	if (list.len) {
		r->left_out = arena_strdup(r->arena, list.buf);
		strbuf_addstr(&list, ": not offered, left out");
		session_note(s, list.buf);
	}
	for (size_t i = 0; i < e->rcpt_count; i++)
		success |= e->rcpt[i].notify & DSN_NOTIFY_SUCCESS;
	if (success && e->sender[0] && !session_has(s, EXT_DSN))
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
