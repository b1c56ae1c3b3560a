#include "config.h"
#include "prepare/prepare.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "conf/account.h"
#include "conf/local_domains.h"
#include "message/address.h"
#include "message/charset.h"
#include "message/edits.h"
#include "message/envelope.h"
#include "message/header.h"
#include "message/ident.h"
#include "message/message.h"
#include "message/patterns.h"
#include "message/rfc2047.h"
#include "message/spool.h"
#include "mime/mime_qp.h"
#include "prepare/choose_account.h"
#include "prepare/convert.h"
#include "prepare/explain.h"
#include "prepare/rewriter.h"
#include "tls/sha256.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/strmap.h"
#include "util/text.h"

#define FIELD_MAX ((size_t)1 << 20)
#define TAGGED_MAX 3		/* addresses in the subject; more are counted */
#define SUBJECT_MAX ((size_t)2 * MESSAGE_HEADER_MOST)

/* One message's header on its way. */
struct prepare_job {
	struct edits *edits;
	struct envelope *envelope;
	const struct message *message;
	const struct account *account;
	const struct prepare_options *opt;
	struct arena *arena;
	struct patterns strip;		/* names of fields */
	const char *domain;		/* see completing() */
	bool domain_known;
	const struct header_field *old_from;	/* a From that goes out with another address */
	const struct header_field *void_from;	/* one that names nobody; NULL = none */
	const struct header_field *old_date;	/* a Date that is none; NULL = there is none such */
};

/*
 * The domain that completes addresses, looked up when first needed, in ASCII
 * where it has such a form; NULL = unknown.
 */
static const char *completing(void *ctx)
{
	struct prepare_job *j = ctx;

	if (j->domain_known)
		return j->domain;
	j->domain_known = true;
	j->domain = choose_account_domain(j->arena, j->account);
	if (j->domain)
		(void)!idna_to_ascii(j->arena, j->domain, &j->domain, NULL);
	return j->domain;
}

/* Does the message have the field, and does it stay? */
static bool has(const struct prepare_job *j, enum header_id id)
{
	const struct header *h = &j->message->header;

	for (size_t i = 0; i < h->n; i++) {
		if (h->field[i].id == id && !j->edits->field[i].drop)
			return true;
	}
	return false;
}

/* Is it one of the fields of 'strip'? */
static bool is_stripped(struct prepare_job *j, const struct header_field *f)
{
	const char *name;

	if (!j->account->strip)
		return false;
	name = arena_strndup(j->arena, f->text, strcspn(f->text, " \t:"));
	return patterns_find(&j->strip, name, 0, NULL);
}

/* Bcc in any form, and what does not belong into a message that starts here. */
static void drop_fields(struct prepare_job *j)
{
	const struct header *h = &j->message->header;
	const bool undisclosed = j->account->undisclosed_recipients;

	j->strip.arena = j->arena;
	patterns_add_all(&j->strip, j->account->strip);
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

static struct address_job address_job(struct prepare_job *j)
{
	return (struct address_job){ .arena = j->arena, .account = j->account,
				     .rewriter = j->opt->rewriter, .domain = completing,
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

/* Rules, missing domains and odd names, in all fields that hold addresses. */
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
		struct addressed done = rewriter_field(&job, f);

		if (done.unreadable)
			note_unparsed(j, f);
		if (done.text)
			edits_replace(j->edits, i, done.text);
		if (done.rewritten && f->id == HEADER_FROM)
			j->old_from = f;
	}
}

/* --- fields that say nothing ------------------------------------------------------------ */

/* Does the field hold nothing but signs of addresses without one? */
static bool is_nothing(const char *value)
{
	return value[strspn(value, " \t<>,;()\"")] == '\0';
}

/* No address and nothing that could become one; what has an '@' is left to its readers. */
static bool names_nobody(struct prepare_job *j, const struct header_field *f)
{
	const char *value = header_value(j->arena, f);
	struct address_list list;

	if (is_nothing(value))
		return true;
	if (strchr(value, '@'))
		return false;
	if (address_parse_list(j->arena, value, strlen(value), ADDRESS_SEMICOLONS, &list, NULL) < 0)
		return !rfc2047_is_word(value, strlen(value));
	if (list.n == 0)
		return !list.had_group;
	return list.n == 1 && !list.box[0].angle &&
	       !text_is_ascii(list.box[0].local, strlen(list.box[0].local));
}

static bool has_no_date(struct prepare_job *j, const struct header_field *f)
{
	return !ident_date_valid(j->arena, header_value(j->arena, f));
}

static bool has_no_id(struct prepare_job *j, const struct header_field *f)
{
	return is_nothing(header_value(j->arena, f));
}

/* Fields that are as good as missing are dropped, unless the account adds none. */
static void drop_void(struct prepare_job *j)
{
	const struct account *a = j->account;
	const struct {
		enum header_id id;
		bool (*is_void)(struct prepare_job *, const struct header_field *);
		bool kept;
	} rows[] = {
		{ HEADER_FROM, names_nobody, a->set_from_header == SET_HEADER_OFF },
		{ HEADER_SENDER, names_nobody, false },
		{ HEADER_REPLY_TO, names_nobody, false },
		{ HEADER_DATE, has_no_date, a->set_date_header == SET_HEADER_OFF },
		{ HEADER_MESSAGE_ID, has_no_id, a->set_msgid_header == SET_HEADER_OFF },
	};
	const struct header *h = &j->message->header;

	for (size_t i = 0; i < h->n; i++) {
		const struct header_field *f = &h->field[i];

		for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
			if (rows[k].id != f->id || rows[k].kept || !rows[k].is_void(j, f))
				continue;
			edits_drop(j->edits, i);
			if (f->id == HEADER_DATE && !j->old_date)
				j->old_date = f;
			if (f->id == HEADER_FROM && !j->void_from)
				j->void_from = f;
		}
	}
}

/* What stood there as a date, for those who can read it. */
static int keep_date(struct prepare_job *j, struct error *err)
{
	const char *value = j->old_date ? header_value(j->arena, j->old_date) : "";
	struct strbuf text = STRBUF_INIT(SUBJECT_MAX);
	int rc = 0;

	if (*value) {
		rfc2047_encode_text(&text, value, strlen(value), 0,
				    convert_charset(j->arena, j->message, j->account));
		rc = edits_add(j->edits, "X-Original-Date", text.buf, err);
	}
	strbuf_release(&text);
	return rc;
}

/* --- fields that are missing: From, Date, Message-ID, MIME ----------------------------- */

/*
 * The name for a From of our making: -F, the account, NAME, the passwd entry;
 * that of a system's user names nobody.
 */
static const char *full_name(const struct prepare_job *j)
{
	const char *name = j->opt->full_name ? j->opt->full_name : j->account->from_full_name;
	struct mailbox box;

	if (!name)
		name = secure_getenv("NAME");
	if (!name && !ident_is_system())
		name = ident_full_name(j->arena);
	return !name && choose_account_from(j->arena, j->account, &box) ? box.name : name;
}

/*
 * The address for a From of our making, and the rule that gave it. The rules
 * are asked about the sender as he was named, so that one that gives a name
 * gives it here too; not where the account pins the sender.
 */
static int from_address(struct prepare_job *j, const char **out, const struct rewrite_rule **rule,
			struct error *err)
{
	const struct envelope *e = j->envelope;
	const struct account_choice none = { .rewriter = j->opt->rewriter };
	const bool pinned = j->account->from_override == FROM_OVERRIDE_NO;
	const char *made = NULL;

	*out = e->sender;
	/* a message without return path still has an author */
	if (!*e->sender &&
	    (choose_account_sender(j->arena, j->account, &none, out, NULL, err) < 0 ||
	     idna_address(j->arena, *out, out, err) < 0))
		return -1;
	if (*e->sender && e->orig_sender && !pinned)
		made = rewriter_apply(j->opt->rewriter, REWRITE_FROM, e->orig_sender, rule);
	if (!made)
		made = rewriter_apply(j->opt->rewriter, REWRITE_FROM, *out, rule);
	if (made)
		*out = made;
	return 0;
}

/* Whom a field names; nobody where it cannot be read. */
static struct address_list mailboxes(struct arena *a, const struct header_field *f)
{
	struct address_list list;

	if (address_parse_list(a, f->text + f->value, f->len - f->value,
			       ADDRESS_SEMICOLONS, &list, NULL) < 0)
		list.n = 0;
	return list;
}

/* A name in front of <...>; one of encoded words is a phrase already. */
static const char *phrase_of(struct arena *a, const char *name)
{
	const size_t len = strlen(name);

	return strncmp(name, "=?", 2) == 0 && strcmp(name + len - 2, "?=") == 0 ? name :
		address_phrase(a, name);
}

/* The author; the name of an older From stays unless a rule, from_name or -F gives one. */
static int author(struct prepare_job *j, const char *old_name, const char **address,
		  const char **out, struct error *err)
{
	const struct rewrite_rule *rule = NULL;
	const char *name;

	if (from_address(j, address, &rule, err) < 0)
		return -1;
	name = rule && rule->name ? rule->name : j->account->rewrite.from_name;
	if (!name)
		name = old_name && !j->opt->full_name ? old_name : full_name(j);
	*out = *address;
	if (name && *name)
		*out = arena_printf(j->arena, "%s <%s>", phrase_of(j->arena, name), *address);
	return 0;
}

int prepare_author(const struct envelope *e, const struct account *a,
		   const struct prepare_options *opt, const char **address, const char **out,
		   struct error *err)
{
	struct envelope own = *e;
	struct prepare_job j = { .envelope = &own, .account = a, .opt = opt, .arena = e->arena };

	return author(&j, NULL, address, out, err);
}

/* The name in a From that is replaced, NULL if it has none. */
static const char *old_name(struct prepare_job *j, const struct header_field *old,
			    const struct address_list *list)
{
	if (list->n == 1 && !j->void_from)
		return list->box[0].name ? list->box[0].name : list->box[0].comment;
	if (old != j->void_from)
		return NULL;
	char *value = arena_strdup(j->arena, header_value(j->arena, old)), *out = value;

	for (const char *p = value; *p; p++) {
		if (!strchr("<>(),;\"\\", *p))
			*out++ = *p;
	}
	while (out > value && out[-1] == ' ')
		out--;
	*out = '\0';
	value += strspn(value, " ");
	return *value ? value : NULL;
}

static int add_from(struct prepare_job *j, struct error *err)
{
	const struct header_field *old = header_find(&j->message->header, HEADER_FROM);
	struct address_list list = { .n = 0 };
	const char *address, *from;

	if (old)
		list = mailboxes(j->arena, old);
	if (author(j, old ? old_name(j, old, &list) : NULL, &address, &from, err) < 0)
		return -1;
	if (old == j->void_from)
		old = NULL;
	/* it is another From when it named anybody else */
	j->old_from = list.n == 1 && address_equal(list.box[0].address, address) ? NULL : old;
	return edits_add(j->edits, "From", from, err);
}

/* Who of several authors has sent it must be said (RFC 5322, section 3.6.2). */
static int add_sender(struct prepare_job *j, struct error *err)
{
	const struct header_field *from = header_find(&j->message->header, HEADER_FROM);
	const struct rewrite_rule *rule;
	const char *address;

	if (!from || has(j, HEADER_SENDER) ||
	    !memchr(from->text + from->value, ',', from->len - from->value) ||
	    mailboxes(j->arena, from).n < 2)
		return 0;
	if (from_address(j, &address, &rule, err) < 0)
		return -1;
	return edits_add(j->edits, "Sender", address, err);
}

/* Where answers go when From is another than it was, and who it was. */
static int keep_from(struct prepare_job *j, struct error *err)
{
	const struct rewrite_settings *set = &j->account->rewrite;
	const struct address_job job = address_job(j);
	const char *reply = set->reply_to;

	if (j->old_from && set->original_from_header &&
	    edits_add(j->edits, "X-Original-From", header_value(j->arena, j->old_from), err) < 0)
		return -1;
	if (reply && strcmp(reply, "original") == 0)
		reply = j->old_from ? rewriter_field_plain(&job, j->old_from) : NULL;
	if (!reply || !*reply || has(j, HEADER_REPLY_TO))
		return 0;
	return edits_add(j->edits, "Reply-To", reply, err);
}

/* Drops what is there when the account wants its own; tells whether to add one. */
static bool wanted(struct prepare_job *j, enum header_id id, enum set_header set)
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

/* Can the domain stand in a Message-ID for all to see? */
static bool is_public(struct prepare_job *j, const char *domain)
{
	return domain && !local_domain_is_localhost(domain) &&
	       !(j->account->privacy && local_domains_has(local_domains_own(j->arena), domain));
}

#define LEFT_PART 32	/* characters: one of each octet of a hash */

/*
 * Of what the message is, so that one that is submitted once more keeps its
 * name; one without a date, which its writer may repeat, gets another each time.
 */
static const char *hashed_part(struct arena *a, const struct message *m)
{
	unsigned char digest[SHA256_OCTETS];
	char block[8192];
	struct sha256 h;
	struct error unread;
	uint64_t at = 0;
	ssize_t n;

	if (sha256_init(&h, NULL) < 0)
		return ident_random(a, LEFT_PART);
	while ((n = spool_read(m->spool, at, block, sizeof(block), &unread)) > 0) {
		sha256_add(&h, block, (size_t)n);
		at += (uint64_t)n;
	}
	if (n < 0 || !header_find(&m->header, HEADER_DATE))
		sha256_add(&h, ident_random(a, LEFT_PART), LEFT_PART);
	sha256_end(&h, digest);
	return ident_word(a, digest, LEFT_PART);
}

/* m: the message whose own name it is; NULL: it is not known, or is sent again. */
static const char *make_id(const struct prepare_job *j, const struct message *m,
			   const char *domain)
{
	const enum message_id_style style = j->account->message_id_style;

	if (style == MESSAGE_ID_TIME)
		return ident_message_id(j->arena, domain);
	return ident_message_id_of(j->arena, style == MESSAGE_ID_HASH && m ?
				   hashed_part(j->arena, m) : ident_random(j->arena, LEFT_PART),
				   domain);
}

/* The sender's domain says nothing about the message when it is "localhost". */
static const char *message_id(struct prepare_job *j, const struct message *m)
{
	const char *domain = j->account->message_id_domain;
	struct mailbox own;

	if (domain)
		return make_id(j, m, domain);
	domain = address_domain(j->envelope->sender);
	if (!is_public(j, domain))
		domain = completing(j);
	if (!domain && choose_account_from(j->arena, j->account, &own))
		domain = own.domain;
	return make_id(j, m, is_public(j, domain) ? domain : "msubmit.invalid");
}

const char *prepare_message_id(const struct envelope *e, const struct account *a)
{
	struct envelope own = *e;
	struct prepare_job j = { .envelope = &own, .account = a, .arena = e->arena };

	return message_id(&j, NULL);
}

static int add_resent(struct prepare_job *j, struct error *err)
{
	const struct header *h = &j->message->header;
	bool resent = false;

	for (size_t i = 0; i < h->n; i++)
		resent |= header_flags(h->field[i].id) & HEADER_RESENT && !j->edits->field[i].drop;
	if (!resent)
		return 0;
	if (!has(j, HEADER_RESENT_DATE) &&
	    edits_add(j->edits, "Resent-Date", ident_date(j->arena, time(NULL)), err) < 0)
		return -1;
	if (!has(j, HEADER_RESENT_MESSAGE_ID) &&
	    edits_add(j->edits, "Resent-Message-ID", message_id(j, NULL), err) < 0)
		return -1;
	return 0;
}

/* Whoever may not stand in From may not in Sender; one from the command line may. */
static void drop_sender(struct prepare_job *j)
{
	const struct header *h = &j->message->header;

	for (size_t i = 0; i < h->n; i++) {
		if (h->field[i].id == HEADER_SENDER && !h->field[i].own)
			edits_drop(j->edits, i);
	}
}

static int add_own(struct prepare_job *j, struct error *err)
{
	const struct account *a = j->account;

	const bool new_from = wanted(j, HEADER_FROM, a->set_from_header);
	const bool old_stays = !new_from && a->set_from_header != SET_HEADER_OFF;

	if (new_from && a->set_from_header == SET_HEADER_ON)
		drop_sender(j);
	if ((new_from && add_from(j, err) < 0) || (old_stays && add_sender(j, err) < 0) ||
	    keep_from(j, err) < 0)
		return -1;
	if (a->undisclosed_recipients &&
	    edits_add(j->edits, "To", "undisclosed-recipients:;", err) < 0)
		return -1;
	if (wanted(j, HEADER_DATE, a->set_date_header) &&
	    edits_add(j->edits, "Date", ident_date(j->arena, time(NULL)), err) < 0)
		return -1;
	if (keep_date(j, err) < 0)
		return -1;
	if (wanted(j, HEADER_MESSAGE_ID, a->set_msgid_header) &&
	    edits_add(j->edits, "Message-ID", message_id(j, j->message), err) < 0)
		return -1;
	return 0;
}

/* What is in the body, when quoted-printable has been taken off, if it is in that. */
struct body_octets {
	struct mime_qp *qp;
	struct text_utf8 utf8;
	bool high;			/* octets above 127 */
};

static int push_body(void *ctx, const char *data, size_t n, struct error *err)
{
	struct body_octets *b = ctx;

	(void)err;
	for (size_t i = 0; i < n && !b->utf8.bad; i++) {
		char c = data[i];

		if (b->qp && !mime_qp_push(b->qp, c, &c))
			continue;
		b->high |= (unsigned char)c > 127;
		text_utf8_push(&b->utf8, &c, 1);
	}
	return b->utf8.bad;
}

/* The charset of a body without a Content-Type; NULL if it needs none. */
static int find_charset(struct prepare_job *j, bool encoded, const char **charset_out,
			struct error *err)
{
	const char *charset = j->account->convert.default_charset;
	const struct message *m = j->message;
	struct mime_qp qp = { .n = 0 };
	struct body_octets b = { .qp = encoded ? &qp : NULL };

	if (spool_each(m->spool, m->body_start, m->body_end, push_body, &b, err) < 0)
		return -1;
	const bool utf8 = !b.utf8.bad && b.utf8.n == 0;

	*charset_out = !b.high ? NULL : utf8 ? "utf-8" : charset ? charset : CHARSET_UNKNOWN;
	return 0;
}

static int add_content_type(struct prepare_job *j, bool encoded, struct error *err)
{
	const char *charset;

	if (find_charset(j, encoded, &charset, err) < 0)
		return -1;
	return !charset ? 0 : edits_add(j->edits, "Content-Type",
					arena_printf(j->arena, "text/plain; charset=%s", charset),
					err);
}

/* mime-construct, and so logcheck, encodes what it sends and does not say which charset it is. */
static bool lacks_type_only(const struct prepare_job *j)
{
	const struct header_field *f =
		header_find(&j->message->header, HEADER_CONTENT_TRANSFER_ENCODING);

	return f && has(j, HEADER_MIME_VERSION) && !has(j, HEADER_CONTENT_TYPE) &&
		strcasecmp(header_value(j->arena, f), "quoted-printable") == 0;
}

/* Is there nothing yet that says what kind of content this is, or only that it is text? */
static bool lacks_mime(const struct prepare_job *j, bool *typed_out)
{
	const struct header_field *type = header_find(&j->message->header, HEADER_CONTENT_TYPE);

	*typed_out = type != NULL;
	return !has(j, HEADER_MIME_VERSION) &&
		!has(j, HEADER_CONTENT_TRANSFER_ENCODING) &&
		(!type || strncasecmp(header_value(j->arena, type), "text/", 5) == 0);
}

/*
 * RFC 6152, section 3: 8-bit content must be MIME; say what it is. Scripts,
 * and anacron, write a Content-Type by hand and leave out the rest.
 */
static int add_mime(struct prepare_job *j, struct error *err)
{
	bool typed;

	if (j->account->add_mime && lacks_type_only(j))
		return add_content_type(j, true, err);
	if (!j->account->add_mime || !j->message->body_8bit || !lacks_mime(j, &typed))
		return 0;
	if (edits_add(j->edits, "MIME-Version", "1.0", err) < 0 ||
	    (!typed && add_content_type(j, false, err) < 0))
		return -1;
	return edits_add(j->edits, "Content-Transfer-Encoding", "8bit", err);
}

/* --- recipients that are not shown, and those that were redirected -------------------- */

/* Addresses of the fields of recipients, blind ones or the others. */
static void list_fields(const struct message *m, bool blind, struct strmap *out)
{
	for (size_t i = 0; i < m->header.n; i++) {
		const struct header_field *f = &m->header.field[i];
		const unsigned flags = header_flags(f->id);

		if (!(flags & HEADER_RECIPIENT) || !(flags & HEADER_BLIND) == blind)
			continue;
		const struct address_list list = mailboxes(out->arena, f);

		for (size_t k = 0; k < list.n; k++)
			(void)strmap_add(out, list.box[k].address, 0);
	}
}

/*
 * Marks the recipients that are not in To or Cc, and those that stand in Bcc
 * instead, by the address that was asked for.
 */
static void mark_blind(struct envelope *e, const struct message *m)
{
	struct arena *scratch = arena_new();
	struct strmap shown = { .arena = scratch }, hidden = { .arena = scratch };

	list_fields(m, false, &shown);
	list_fields(m, true, &hidden);
	for (size_t i = 0; i < e->rcpt_count; i++) {
		struct recipient *r = &e->rcpt[i];
		const char *asked = r->original ? r->original : r->address;

		r->blind = !strmap_find(&shown, asked, NULL);
		r->bcc = r->blind && strmap_find(&hidden, asked, NULL);
	}
	arena_free(scratch);
}

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

/*
 * Adds X-Original-To for each recipient that was redirected, and the tag of
 * the subject. When somebody else gets the message, too, only those are
 * named that stand in To or Cc.
 */
static int show_redirected(struct edits *edits, const struct envelope *e,
			   const struct message *m, const struct account *a, struct error *err)
{
	struct strmap shown = { .arena = edits->arena };
	const char **named;
	size_t n = 0;
	int rc = 0;

	if (!e->redirected)
		return 0;
	while (e->redirected[n])
		n++;
	named = arena_calloc(edits->arena, n + 1, sizeof(*named));
	if (e->redirected_part)
		list_fields(m, false, &shown);
	n = 0;
	for (size_t i = 0; rc == 0 && e->redirected[i]; i++) {
		if (e->redirected_part && !strmap_find(&shown, e->redirected[i], NULL))
			continue;
		named[n++] = e->redirected[i];
		rc = edits_add(edits, "X-Original-To", e->redirected[i], err);
	}
	if (rc == 0 && a->redirect.tag && n > 0)
		rc = tag_subject(edits, m, (const char *const *)named, n, err);
	return rc;
}

/* --- all of it --------------------------------------------------------------------------- */

/* Fields of ours, and those in which an address became another, in the charset of the account. */
static void recode_fields(const struct prepare_job *j)
{
	struct edits *e = j->edits;
	struct strbuf field = STRBUF_INIT(FIELD_MAX);
	const char *text;
	size_t at = 0, len;

	while (j->account->convert.charset_out &&
	       (text = edits_next(e, j->message, &at, &len))) {
		if (at > e->added_n && !e->field[at - 1 - e->added_n].text)
			continue;
		strbuf_reset(&field);
		strbuf_add(&field, text, len);
		rfc2047_recode(&field, j->account->convert.charset_out);
		if (!strbuf_overflow(&field))
			edits_set_text(e, at, arena_strndup(j->arena, field.buf, field.len));
	}
	strbuf_release(&field);
}

int prepare_message(struct edits *edits, struct envelope *e, const struct message *m,
		    const struct account *a, const struct prepare_options *opt,
		    struct error *err)
{
	struct prepare_job j = { .edits = edits, .envelope = e, .message = m, .account = a,
				 .opt = opt, .arena = e->arena };

	edits_init(edits, e->arena, m);
	if (a->bcc_separate || a->bcc_copies)
		mark_blind(e, m);
	if (!opt->no_fixes) {
		drop_fields(&j);
		drop_void(&j);
		settle_addresses(&j);
		/* those of a Resent block come last, so that they stand at the block */
		if (add_own(&j, err) < 0 || add_mime(&j, err) < 0 || add_resent(&j, err) < 0 ||
		    show_redirected(edits, e, m, a, err) < 0)
			return -1;
		recode_fields(&j);
	}
	if (m->body_binary || e->body == BODY_BINARYMIME)
		e->body = BODY_BINARYMIME;
	else
		e->body = m->body_8bit || edits_header_8bit(edits, m) ? BODY_8BITMIME : BODY_7BIT;
	e->header_utf8 = e->utf8 && m->header_8bit;
	e->size = edits_wire_size(edits, m);
	if (a->max_size && e->size > a->max_size)
		return error_set(err, FAULT_TOO_LARGE,
				 "message is %" PRIu64 " octets, "
				 "max_size of account '%s' is %" PRIu64,
				 e->size, a->name, a->max_size);
	return 0;
}
