#include "config.h"
#include "prepare/redirect.h"

#include <stdbool.h>
#include <string.h>

#include "conf/account.h"
#include "message/address.h"
#include "message/edits.h"
#include "message/envelope.h"
#include "message/header.h"
#include "message/message.h"
#include "prepare/blind.h"
#include "prepare/explain.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/strmap.h"

#define TAGGED_MAX 3		/* addresses in the subject; more are counted */
#define SUBJECT_MAX ((size_t)2 * MESSAGE_HEADER_MAX)

static bool is_excepted(const struct account *a, const char *address)
{
	for (const char *const *p = a->redirect.except; p && *p; p++) {
		if (address_match(*p, address))
			return true;
	}
	return false;
}

void redirect_envelope(struct envelope *e, const struct account *a)
{
	if (!a->redirect.to)
		return;
	const struct envelope old = envelope_take_recipients(e);
	const char **went = arena_calloc(e->arena, old.rcpt_count + 1, sizeof(*went));
	size_t n = 0;

	for (size_t i = 0; i < old.rcpt_count; i++) {
		struct recipient r = old.rcpt[i];

		if (is_excepted(a, r.address)) {
			envelope_add_as(e, r.address, NULL, &r);
			e->redirected_part = true;
			continue;
		}
		went[n++] = r.address;
		if (!r.original)
			r.original = r.address;
		for (const char *const *to = a->redirect.to; *to; to++) {
			explain_note(e->explain, "recipient '%s': in place of '%s' (redirect_to)",
				     *to, r.address);
			envelope_add_as(e, *to, r.address, &r);
		}
	}
	e->redirected = n ? went : NULL;
}

void redirect_copies(struct envelope *e, const struct account *a)
{
	bool reports = false;

	if (!a->redirect.always_bcc)
		return;
	for (size_t i = 0; i < e->rcpt_count; i++)
		reports = reports || e->rcpt[i].notify;
	for (const char *const *to = a->redirect.always_bcc; *to; to++) {
		if (!envelope_add(e, *to, NULL))
			continue;
		struct recipient *r = &e->rcpt[e->rcpt_count - 1];

		explain_note(e->explain, "recipient '%s': a copy (always_bcc)", *to);
		r->source = RCPT_SOURCE_ADDED;
		r->notify = reports ? DSN_NOTIFY_NEVER : 0;
	}
}

/* --- the header ----------------------------------------------------------------- */

/* "[to: a@x, b@x, c@x and 5 more]" */
static void add_tag(struct strbuf *out, const char *const *named, size_t n)
{
	strbuf_addstr(out, "[to: ");
	for (size_t i = 0; i < n && i < TAGGED_MAX; i++)
		strbuf_addf(out, "%s%s", i ? ", " : "", named[i]);
	if (n > TAGGED_MAX)
		strbuf_addf(out, " and %zu more", n - TAGGED_MAX);
	strbuf_addstr(out, "]");
}

/* In front of what the subject says, which stays octet for octet. */
static int tag_subject(struct edits *edits, const struct message *m, const char *const *named,
		       size_t n, struct error *err)
{
	const struct header_field *f = header_find(&m->header, HEADER_SUBJECT);
	struct strbuf text = STRBUF_INIT(SUBJECT_MAX);
	int rc = 0;

	if (f) {
		strbuf_add(&text, f->text, f->value);
		strbuf_addch(&text, ' ');
		add_tag(&text, named, n);
		if (!strchr(" \t\r", f->text[f->value]))
			strbuf_addch(&text, ' ');
		strbuf_add(&text, f->text + f->value, f->len - f->value);
		edits_replace(edits, (size_t)(f - m->header.field), text.buf);
	} else {
		add_tag(&text, named, n);
		rc = edits_add(edits, "Subject", text.buf, err);
	}
	strbuf_release(&text);
	return rc;
}

int redirect_header(struct edits *edits, const struct envelope *e, const struct message *m,
		    const struct account *a, struct error *err)
{
	struct strmap shown = { .n = 0 };
	const char **named;
	size_t n = 0;
	int rc = 0;

	if (!e->redirected)
		return 0;
	while (e->redirected[n])
		n++;
	named = arena_calloc(edits->arena, n + 1, sizeof(*named));
	if (e->redirected_part)
		blind_list_shown(m, edits->arena, &shown);
	n = 0;
	for (size_t i = 0; rc == 0 && e->redirected[i]; i++) {
		if (e->redirected_part && !strmap_find(&shown, e->redirected[i], NULL))
			continue;
		named[n++] = e->redirected[i];
		rc = edits_add(edits, "X-Original-To", e->redirected[i], err);
	}
	if (rc == 0 && a->redirect.tag && n > 0)
		rc = tag_subject(edits, m, (const char *const *)named, n, err);
	strmap_release(&shown);
	return rc;
}
