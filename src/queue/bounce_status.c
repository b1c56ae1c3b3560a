/*
 * The fields for programs: message/delivery-status (RFC 3464) and, where an
 * address has no form in ASCII, message/global-delivery-status (RFC 6533).
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "message/ident.h"
#include "queue/bounce_private.h"
#include "queue/entry.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/text.h"

static int put_field(struct composer *c, const char *name, const char *value, struct error *err)
{
	strbuf_reset(&c->field);
	bounce_add_field(&c->field, name, value, c->utf8);
	return bounce_put(c, c->field.buf, c->field.len, err);
}

static int put_date(struct composer *c, const char *name, int64_t ms, struct error *err)
{
	return ms > 0 ? put_field(c, name, ident_date(c->arena, (time_t)(ms / 1000)), err) : 0;
}

/* --- of the whole message (RFC 3464, section 2.2) ---------------------------------- */

/* Future-Release-Request: "for" or "until" as it was asked for (RFC 4865, section 5.1.2) */
static int put_release(struct composer *c, const struct entry *e, struct error *err)
{
	const struct ext_request *x = &e->envelope.ext;
	char moment[DATETIME_UTC_SIZE];

	if (x->hold == HOLD_NONE || x->hold_ms <= 0)
		return 0;
	const char *value = x->hold == HOLD_UNTIL ?
		arena_printf(c->arena, "until;%s", datetime_utc(moment, x->hold_ms)) :
		arena_printf(c->arena, "for;%" PRId64, datetime_until(x->hold_ms, e->arrival_ms));

	return put_field(c, "Future-Release-Request", value, err);
}

static int put_message_fields(struct composer *c, struct error *err)
{
	const struct entry *e = c->b->entry;
	const char *mta = arena_printf(c->arena, "dns; %s", c->host);

	if (e->envelope.envid && put_field(c, "Original-Envelope-Id", e->envelope.envid, err) < 0)
		return -1;
	if (put_field(c, "Reporting-MTA", mta, err) < 0 ||
	    put_date(c, "Arrival-Date", e->arrival_ms, err) < 0)
		return -1;
	if (e->envelope.ext.by != BY_NONE &&
	    put_date(c, "Deliver-By-Date", e->envelope.ext.by_ms, err) < 0)
		return -1;
	if (*e->id && put_field(c, "X-Msubmit-Queue-ID", e->id, err) < 0)
		return -1;
	return put_release(c, e, err);
}

/* --- of a recipient (RFC 3464, section 2.3) ------------------------------------------ */

/* Without the type that it may have been given with. */
static const char *bare_address(const char *orcpt)
{
	static const char *const types[] = { "rfc822;", "utf-8;" };

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		const size_t n = strlen(types[i]);

		if (strncasecmp(orcpt, types[i], n) == 0)
			return orcpt + n + strspn(orcpt + n, " ");
	}
	return orcpt;
}

static int put_address(struct composer *c, const char *name, const char *address,
		       struct error *err)
{
	const char *type = text_is_ascii(address, strlen(address)) || !c->utf8 ? "rfc822" : "utf-8";

	return put_field(c, name, arena_printf(c->arena, "%s; %s", type, address), err);
}

static int put_orcpt(struct composer *c, const struct recipient *r, struct error *err)
{
	if (!r->orcpt_type)
		return put_address(c, "Original-Recipient", bare_address(r->orcpt), err);
	return put_field(c, "Original-Recipient", arena_printf(c->arena, "%s; %s", r->orcpt_type,
							       r->orcpt), err);
}

static const char *const actions[] = {
	[BOUNCE_FAILED] = "failed", [BOUNCE_DELAYED] = "delayed", [BOUNCE_RELAYED] = "relayed",
	[BOUNCE_DELIVERED] = "delivered", [BOUNCE_PAUSED] = "delayed",
};

/* subject, detail = 1*3DIGIT without zeros in front; NULL: it is none of that class */
static const char *read_status(struct arena *a, const char *s, const char *classes)
{
	unsigned subject, detail;
	int end = 0;

	if (!s || !*s || !strchr(classes, *s) ||
	    sscanf(s + 1, ".%3u.%3u%n", &subject, &detail, &end) != 2 || s[1 + end] ||
	    s[1 + strspn(s + 1, ".0123456789")])
		return NULL;
	return arena_printf(a, "%c.%u.%u", *s, subject, detail);
}

/*
 * status-code (RFC 3463, section 2), always one that suits the action: the
 * entry's, or what can be said without it.
 */
static const char *recipient_status(struct composer *c, size_t i)
{
	static const struct {
		const char *classes, *otherwise;
	} fitting[] = {
		[BOUNCE_FAILED] = { "54", "5.0.0" }, [BOUNCE_DELAYED] = { "4", "4.4.7" },
		[BOUNCE_RELAYED] = { "2", "2.0.0" }, [BOUNCE_DELIVERED] = { "2", "2.0.0" },
		[BOUNCE_PAUSED] = { "4", "4.4.7" },
	};
	const enum bounce_kind kind = c->b->kind;

	if (bounce_expired(c->b, i))
		return "5.4.7";
	const char *status = read_status(c->arena, c->b->entry->rcpt[i].status,
					 fitting[kind].classes);

	return status ? status : fitting[kind].otherwise;
}

/* An address is named as in an address literal, a socket as what it is. */
static int put_server(struct composer *c, size_t i, struct error *err)
{
	const char *server = bounce_server(c->b, i, c->arena);

	if (!server)
		return 0;
	return put_field(c, "Remote-MTA", arena_printf(c->arena, "%s; %s", *server == '/' ?
						       "x-unix" : "dns", server), err);
}

/* "smtp" with the server's words; "X-msubmit" with ours when no server has answered. */
static int put_diagnostic(struct composer *c, size_t i, struct error *err)
{
	const struct entry_rcpt *s = &c->b->entry->rcpt[i];
	const bool replied = s->code && s->words;
	const char *text = replied ? s->words : s->text;
	struct strbuf value = STRBUF_INIT(BOUNCE_OUT_MAX);

	if (!text && bounce_expired(c->b, i))
		text = "not delivered in time";
	if (!text || (!replied && c->b->kind >= BOUNCE_RELAYED))
		return 0;
	strbuf_addstr(&value, replied ? "smtp; " : "X-msubmit; ");
	bounce_add_clean(&value, text, strlen(text), false);
	return put_field(c, "Diagnostic-Code", arena_take(c->arena, &value), err);
}

static int put_recipient(struct composer *c, size_t i, struct error *err)
{
	const struct entry *e = c->b->entry;
	const struct recipient *r = &e->envelope.rcpt[i];
	const int64_t at = e->rcpt[i].at_ms ? e->rcpt[i].at_ms : e->last_ms;

	if (bounce_put(c, "\r\n", 2, err) < 0 ||
	    (r->orcpt && put_orcpt(c, r, err) < 0) ||
	    put_address(c, "Final-Recipient", r->address, err) < 0 ||
	    put_field(c, "Action", actions[c->b->kind], err) < 0 ||
	    put_field(c, "Status", recipient_status(c, i), err) < 0 ||
	    put_server(c, i, err) < 0 || put_diagnostic(c, i, err) < 0 ||
	    put_date(c, "Last-Attempt-Date", at, err) < 0)
		return -1;
	if (c->b->kind == BOUNCE_DELAYED || c->b->kind == BOUNCE_PAUSED)
		return put_date(c, "Will-Retry-Until", e->expires_ms, err);
	return 0;
}

int bounce_write_status(struct composer *c, struct error *err)
{
	if (put_message_fields(c, err) < 0)
		return -1;
	for (size_t i = 0; i < c->b->entry->envelope.rcpt_count; i++) {
		if (bounce_about(c->b, i) && put_recipient(c, i, err) < 0)
			return -1;
	}
	return 0;
}
