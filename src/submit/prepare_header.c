#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "conf/account.h"
#include "message/address.h"
#include "message/edits.h"
#include "message/envelope.h"
#include "message/header.h"
#include "message/ident.h"
#include "message/idna.h"
#include "message/message.h"
#include "message/spool.h"
#include "submit/prepare.h"
#include "submit/route.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

#define LINES_MAX ((size_t)2 * MESSAGE_HEADER_MAX)

/* Everything that the steps below share. */
struct job {
	struct edits *edits;
	struct envelope *envelope;
	const struct message *message;
	const struct account *account;
	const struct prepare_options *opt;
	struct arena *arena;
	const char *domain;		/* see domain_of() */
	bool domain_known;
};

/*
 * The domain that completes addresses, looked up when first needed, in ASCII
 * where it has such a form; NULL = unknown.
 */
static const char *domain_of(struct job *j)
{
	struct error none;

	if (j->domain_known)
		return j->domain;
	j->domain_known = true;
	j->domain = route_domain(j->arena, j->account);
	if (j->domain)
		(void)!idna_to_ascii(j->arena, j->domain, &j->domain, &none);
	return j->domain;
}

static bool has(const struct job *j, enum header_id id)
{
	return header_find(&j->message->header, id) != NULL;
}

/* Bcc in any form, and what does not belong into a message that starts here. */
static void drop_fields(struct job *j)
{
	const struct header *h = &j->message->header;

	for (size_t i = 0; i < h->n; i++) {
		unsigned flags = header_flags(h->field[i].id);
		bool blind = flags & HEADER_BLIND && j->account->remove_bcc;
		bool shown = h->field[i].id == HEADER_TO || h->field[i].id == HEADER_CC;

		if (blind || flags & HEADER_DROP || (shown && j->account->undisclosed_recipients))
			edits_drop(j->edits, i);
	}
}

/* "root, jo@x (Jo)" with the missing domains put in, all else octet for octet. */
static void complete_field(struct job *j, size_t i)
{
	const struct header_field *f = &j->message->header.field[i];
	const char *value = f->text + f->value;
	struct address_list list;
	struct error unreadable;
	struct strbuf text = STRBUF_INIT(LINES_MAX);
	size_t from = 0, inserted = 0;

	if (address_parse_list(j->arena, value, f->len - f->value, ADDRESS_SEMICOLONS, &list,
			       &unreadable) < 0)
		return;		/* what cannot be understood is left as it is */
	strbuf_add(&text, f->text, f->value);
	for (size_t k = 0; k < list.n; k++) {
		if (list.box[k].domain || !list.box[k].local || !*list.box[k].local)
			continue;
		if (!domain_of(j))
			break;
		strbuf_add(&text, value + from, list.box[k].local_end - from);
		strbuf_addf(&text, "@%s", domain_of(j));
		from = list.box[k].local_end;
		inserted++;
	}
	strbuf_add(&text, value + from, f->len - f->value - from);
	if (inserted && !strbuf_overflow(&text))
		edits_replace(j->edits, i, arena_strdup(j->arena, text.buf));
	strbuf_release(&text);
}

static void complete_addresses(struct job *j)
{
	const struct header *h = &j->message->header;

	if (!j->account->qualify)
		return;
	for (size_t i = 0; i < h->n; i++) {
		if (header_flags(h->field[i].id) & HEADER_ADDRESS && !j->edits->field[i].drop)
			complete_field(j, i);
	}
}

/* The name for a From of our making: -F, the account, NAME, the passwd entry. */
static const char *full_name(const struct job *j)
{
	const char *name = j->opt->full_name ? j->opt->full_name : j->account->from_full_name;

	if (!name)
		name = secure_getenv("NAME");
	return name ? name : ident_full_name(j->arena);
}

static int add_from(struct job *j, struct error *err)
{
	const char *address = j->envelope->sender, *name = full_name(j);
	const struct route_request none = { 0 };

	/* a message without return path still has an author */
	if (!*address && (route_sender(j->arena, j->account, &none, &address, err) < 0 ||
			  idna_address(j->arena, address, &address, err) < 0))
		return -1;
	if (!name || !*name)
		return edits_add(j->edits, "From", address, err);
	return edits_add(j->edits, "From",
			 arena_printf(j->arena, "%s <%s>", address_phrase(j->arena, name), address),
			 err);
}

/* Drops what is there when the account wants its own; tells whether to add one. */
static bool wanted(struct job *j, enum header_id id, enum set_header set)
{
	const struct header *h = &j->message->header;

	if (set == SET_HEADER_OFF || (set == SET_HEADER_AUTO && has(j, id)))
		return false;
	for (size_t i = 0; i < h->n; i++) {
		if (h->field[i].id == id)
			edits_drop(j->edits, i);
	}
	return true;
}

/* Is it a name that every host has? */
static bool is_localhost(const char *domain)
{
	return strncasecmp(domain, "localhost", 9) == 0 && (!domain[9] || domain[9] == '.');
}

/* The sender's domain says nothing about the message when it is "localhost". */
static const char *message_id(struct job *j)
{
	const char *domain = address_domain(j->envelope->sender);

	if (!domain || is_localhost(domain))
		domain = domain_of(j);
	return ident_message_id(j->arena, domain && !is_localhost(domain) ? domain :
						  "msubmit.invalid");
}

static bool is_resent(const struct job *j)
{
	const struct header *h = &j->message->header;

	for (size_t i = 0; i < h->n; i++) {
		if (header_flags(h->field[i].id) & HEADER_RESENT)
			return true;
	}
	return false;
}

static int add_resent(struct job *j, struct error *err)
{
	if (!is_resent(j))
		return 0;
	if (!has(j, HEADER_RESENT_DATE) &&
	    edits_add(j->edits, "Resent-Date", ident_date(j->arena, time(NULL)), err) < 0)
		return -1;
	if (!has(j, HEADER_RESENT_MESSAGE_ID) &&
	    edits_add(j->edits, "Resent-Message-ID", message_id(j), err) < 0)
		return -1;
	return 0;
}

static int add_fields(struct job *j, struct error *err)
{
	const struct account *a = j->account;

	if (wanted(j, HEADER_FROM, a->set_from) && add_from(j, err) < 0)
		return -1;
	if (a->undisclosed_recipients &&
	    edits_add(j->edits, "To", "undisclosed-recipients:;", err) < 0)
		return -1;
	if (wanted(j, HEADER_DATE, a->set_date) &&
	    edits_add(j->edits, "Date", ident_date(j->arena, time(NULL)), err) < 0)
		return -1;
	if (wanted(j, HEADER_MESSAGE_ID, a->set_msgid) &&
	    edits_add(j->edits, "Message-ID", message_id(j), err) < 0)
		return -1;
	return 0;
}

/* Is the whole body valid UTF-8? A character may lie across two blocks. */
static int body_is_utf8(const struct message *m, bool *out, struct error *err)
{
	char block[8192];
	size_t kept = 0;
	uint64_t at = m->body_start;

	*out = true;
	while (*out && at < m->body_end) {
		uint64_t left = m->body_end - at;
		size_t want = left < sizeof(block) - kept ? (size_t)left : sizeof(block) - kept;
		ssize_t got = spool_read(m->spool, at, block + kept, want, err);

		if (got < 0)
			return -1;
		if (got == 0)
			return error_set(err, EX_IOERR, "4.3.0", "the message became shorter");
		at += (uint64_t)got;
		size_t have = kept + (size_t)got, used = 0, n;

		while (used < have && (n = text_utf8_char(block + used, have - used)) > 0)
			used += n;
		kept = have - used;
		*out = kept < 4 && (kept == 0 || at < m->body_end);
		memmove(block, block + used, kept);
	}
	return 0;
}

static int add_content_type(struct job *j, struct error *err)
{
	const char *charset = j->account->convert.charset;
	bool utf8 = false;

	if (body_is_utf8(j->message, &utf8, err) < 0)
		return -1;
	return edits_add(j->edits, "Content-Type",
			 arena_printf(j->arena, "text/plain; charset=%s",
				      utf8 ? "utf-8" : charset ? charset : "unknown-8bit"),
			 err);
}

/* Is there nothing yet that says what kind of content this is, or only that it is text? */
static bool lacks_mime(const struct job *j, bool *typed_out)
{
	const struct header_field *type = header_find(&j->message->header, HEADER_CONTENT_TYPE);

	*typed_out = type != NULL;
	return !has(j, HEADER_MIME_VERSION) && !has(j, HEADER_CONTENT_TRANSFER_ENCODING) &&
		(!type || strncasecmp(header_value(j->arena, type), "text/", 5) == 0);
}

/*
 * RFC 6152, section 3: 8-bit content must be MIME; say what it is. Scripts,
 * and anacron, write a Content-Type by hand and leave out the rest.
 */
static int add_mime(struct job *j, struct error *err)
{
	bool typed;

	if (!j->account->add_mime || !j->message->body_8bit || !lacks_mime(j, &typed))
		return 0;
	if (edits_add(j->edits, "MIME-Version", "1.0", err) < 0 ||
	    (!typed && add_content_type(j, err) < 0))
		return -1;
	return edits_add(j->edits, "Content-Transfer-Encoding", "8bit", err);
}

static int check_size(const struct envelope *e, const struct account *a, struct error *err)
{
	if (a->max_size && e->size > a->max_size)
		return error_set(err, EX_UNAVAILABLE, "5.3.4",
				 "message is %" PRIu64 " octets, "
				 "max_size of account '%s' is %" PRIu64,
				 e->size, a->name, a->max_size);
	return 0;
}

int prepare_message(struct edits *edits, struct envelope *e, const struct message *m,
		    const struct account *a, const struct prepare_options *opt,
		    struct error *err)
{
	struct job j = { .edits = edits, .envelope = e, .message = m, .account = a, .opt = opt,
			 .arena = e->arena };

	edits_init(edits, e->arena, m);
	if (!opt->no_fixes) {
		drop_fields(&j);
		complete_addresses(&j);
		/* those of a Resent block come last, so that they stand at the block */
		if (add_fields(&j, err) < 0 || add_mime(&j, err) < 0 || add_resent(&j, err) < 0)
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
