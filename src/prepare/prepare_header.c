/* The edits of a header: what goes, what is completed, what is added. */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "conf/account.h"
#include "message/address.h"
#include "message/edits.h"
#include "message/envelope.h"
#include "message/header.h"
#include "message/idna.h"
#include "message/message.h"
#include "prepare/blind.h"
#include "prepare/choose_account.h"
#include "prepare/explain.h"
#include "prepare/prepare.h"
#include "prepare/prepare_addresses.h"
#include "prepare/prepare_private.h"
#include "prepare/redirect.h"
#include "util/arena.h"
#include "util/error.h"

const char *prepare_domain(struct prepare_job *j)
{
	struct error none;

	if (j->domain_known)
		return j->domain;
	j->domain_known = true;
	j->domain = choose_account_domain(j->arena, j->account);
	if (j->domain)
		(void)!idna_to_ascii(j->arena, j->domain, &j->domain, &none);
	return j->domain;
}

bool prepare_has(const struct prepare_job *j, enum header_id id)
{
	const struct header *h = &j->message->header;

	for (size_t i = 0; i < h->n; i++) {
		if (h->field[i].id == id && !j->edits->field[i].drop)
			return true;
	}
	return false;
}

/* Is it one of the fields of 'strip'? */
static bool is_stripped(const struct prepare_job *j, const struct header_field *f)
{
	const char *name;

	if (!j->account->strip)
		return false;
	name = arena_strndup(j->arena, f->text, strcspn(f->text, " \t:"));
	for (const char *const *p = j->account->strip; *p; p++) {
		if (address_match(*p, name))
			return true;
	}
	return false;
}

/* Bcc in any form, and what does not belong into a message that starts here. */
static void drop_fields(struct prepare_job *j)
{
	const struct header *h = &j->message->header;
	const bool undisclosed = j->account->undisclosed_recipients;

	for (size_t i = 0; i < h->n; i++) {
		unsigned flags = header_flags(h->field[i].id);
		bool blind = flags & HEADER_BLIND &&
			     (j->account->remove_bcc_headers || undisclosed);
		bool shown = h->field[i].id == HEADER_TO || h->field[i].id == HEADER_CC;

		if (blind || flags & HEADER_DROP || (shown && undisclosed) ||
		    is_stripped(j, &h->field[i]))
			edits_drop(j->edits, i);
	}
}

static const char *domain_for(void *ctx)
{
	return prepare_domain(ctx);
}

static struct address_job address_job(struct prepare_job *j)
{
	return (struct address_job){ .arena = j->arena, .account = j->account,
				     .rewriter = j->opt->rewriter, .domain = domain_for,
				     .ctx = j, .explain = j->envelope->explain };
}

/* What cannot be read is sent as it is, but somebody may wonder. */
static void note_unparsed(struct prepare_job *j, const struct header_field *f)
{
	struct envelope *e = j->envelope;

	e->unparsed = e->unparsed ? arena_printf(j->arena, "%s,%s", e->unparsed,
						 header_name(f->id)) : header_name(f->id);
	explain_note(e->explain, "header field '%s' is no list of addresses: left as it is",
		     header_name(f->id));
}

/* Rules and missing domains, in all fields that hold addresses. */
static void settle_addresses(struct prepare_job *j)
{
	const struct header *h = &j->message->header;
	const struct address_job job = address_job(j);

	if (!j->account->qualify && !job.rewriter && !j->account->rewrite.from_name)
		return;
	for (size_t i = 0; i < h->n; i++) {
		const struct header_field *f = &h->field[i];

		if (!(header_flags(f->id) & HEADER_ADDRESS) || j->edits->field[i].drop)
			continue;
		struct addressed done = prepare_addresses(&job, f);

		if (done.unreadable)
			note_unparsed(j, f);
		if (done.text)
			edits_replace(j->edits, i, done.text);
		if (done.rewritten && f->id == HEADER_FROM)
			j->old_from = f;
	}
}

const char *prepare_old_from(struct prepare_job *j)
{
	const struct address_job job = address_job(j);

	return prepare_addresses_plain(&job, j->old_from);
}

static int check_size(const struct envelope *e, const struct account *a, struct error *err)
{
	if (a->max_size && e->size > a->max_size)
		return error_set(err, FAULT_TOO_LARGE,
				 "message is %" PRIu64 " octets, "
				 "max_size of account '%s' is %" PRIu64,
				 e->size, a->name, a->max_size);
	return 0;
}

int prepare_message(struct edits *edits, struct envelope *e, const struct message *m,
		    const struct account *a, const struct prepare_options *opt,
		    struct error *err)
{
	struct prepare_job j = { .edits = edits, .envelope = e, .message = m, .account = a,
				 .opt = opt, .arena = e->arena };

	edits_init(edits, e->arena, m);
	if (a->bcc_separate || a->bcc_copies)
		blind_mark(e, m);
	if (!opt->no_fixes) {
		drop_fields(&j);
		settle_addresses(&j);
		if (prepare_fields(&j, err) < 0 || redirect_header(edits, e, m, a, err) < 0)
			return -1;
	}
	if (m->body_binary || e->body == BODY_BINARYMIME)
		e->body = BODY_BINARYMIME;
	else
		e->body = m->body_8bit || edits_header_8bit(edits, m) ? BODY_8BITMIME : BODY_7BIT;
	e->header_utf8 = e->utf8 && m->header_8bit;
	e->size = edits_wire_size(edits, m);
	return check_size(e, a, err);
}
