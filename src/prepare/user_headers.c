#include "config.h"
#include "prepare/user_headers.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "conf/account.h"
#include "message/address.h"
#include "message/charset.h"
#include "message/envelope.h"
#include "message/header.h"
#include "message/ident.h"
#include "message/message.h"
#include "message/rfc2047.h"
#include "mime/mime_header.h"
#include "prepare/field_list.h"
#include "prepare/prepare.h"
#include "prepare/rewriter.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/strvec.h"

#define TEXT_MAX MESSAGE_HEADER_MOST
#define FIELD_MAX_ENCODED (16 * MESSAGE_HEADER_MOST)	/* each octet may become several */
#define REFERENCES_KEPT 9		/* behind the first one */

/* --- what options may say ------------------------------------------------------- */

/* Fields that an option must not set as it likes, and what to use. */
static const struct {
	enum header_id id;
	bool compose_only, may_delete;
	const char *instead;
} reserved[] = {
	{ HEADER_BCC, false, true, "it would be no secret: give --bcc, or the address alone" },
	{ HEADER_RESENT_BCC, false, true, "it would be no secret: give --bcc" },
	{ HEADER_RETURN_PATH, false, true, "it is the envelope sender: give -f" },
	{ HEADER_CONTENT_LENGTH, false, true, "it has no meaning in mail" },
	{ HEADER_TO, true, true, "give --to" },
	{ HEADER_CC, true, true, "give --cc" },
	{ HEADER_CONTENT_TYPE, true, false, "it follows from the parts: see type= and charset=" },
	{ HEADER_CONTENT_TRANSFER_ENCODING, true, false,
	  "it follows from the parts: see encoding=" },
	{ HEADER_MIME_VERSION, true, false, "it is always there" },
};

static int check_field(const struct field_request *f, bool compose, struct error *err)
{
	const enum header_id id = header_find_id(f->name, strlen(f->name));

	if (!header_name_valid(f->name))
		return error_set(err, FAULT_USAGE, "%s: '%s' is not the name of a header "
				 "field", f->option, f->name);
	if (f->value && strpbrk(f->value, "\r\n"))
		return error_set(err, FAULT_USAGE, "%s: the value of '%s' has a line end",
				 f->option, f->name);
	for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
		if (reserved[i].id != id || (reserved[i].compose_only && !compose) ||
		    (reserved[i].may_delete && f->change == FIELD_DELETE))
			continue;
		return error_set(err, FAULT_USAGE, "%s: '%s' cannot be set so, %s",
				 f->option, header_name(id), reserved[i].instead);
	}
	return 0;
}

static int check_headers_together(const struct compose_request *req, struct error *err)
{
	if (req->compose && req->resend)
		return error_set(err, FAULT_USAGE, "--compose and --resend do not go "
				 "together: one writes a message, the other sends one on");
	if (req->needs_compose && !req->compose)
		return error_set(err, FAULT_USAGE, "%s needs --compose", req->needs_compose);
	if (req->address_n && !req->compose && !req->resend)
		return error_set(err, FAULT_USAGE, "--to, --cc and --bcc need --compose or "
				 "--resend: for a message that is there, give the addresses alone");
	if (req->disposition_options && !req->read_receipt.wanted)
		return error_set(err, FAULT_USAGE, "--disposition-options needs "
				 "--read-receipt");
	return 0;
}

int user_headers_check(const struct compose_request *req, struct error *err)
{
	if (check_headers_together(req, err) < 0)
		return -1;
	for (size_t i = 0; i < req->field_n; i++) {
		if (check_field(&req->field[i], req->compose, err) < 0)
			return -1;
	}
	if (req->charset && req->compose && !charset_known(req->charset))
		return error_set(err, FAULT_USAGE, "--charset: nobody can convert from '%s' "
				 "here: see 'iconv -l'", req->charset);
	return 0;
}

const char *user_headers_from(const struct compose_request *req)
{
	for (size_t i = 0; i < req->field_n; i++) {
		const struct field_request *f = &req->field[i];

		if (f->change != FIELD_DELETE && strcasecmp(f->name, "From") == 0)
			return f->value;
	}
	return NULL;
}

/* --- recipients ------------------------------------------------------------------- */

static const struct {
	const char *option, *field;
	enum rcpt_source source;
} places[VISIBLE_COUNT] = {
	[VISIBLE_TO] = { "--to", "To", RCPT_SOURCE_TO },
	[VISIBLE_CC] = { "--cc", "Cc", RCPT_SOURCE_CC },
	[VISIBLE_BCC] = { "--bcc", NULL, RCPT_SOURCE_BCC },
};

/* A value as it was typed, in UTF-8 as far as that is known. */
static const char *in_utf8(struct arena *a, const char *value)
{
	const char *text = charset_text(a, value, charset_of_locale());

	return text ? text : value;
}

void user_headers_recipients(struct envelope *e, const struct compose_request *req)
{
	size_t before = e->rcpt_count;

	for (size_t i = 0; i < req->address_n; i++) {
		const char *text = in_utf8(e->arena, req->address[i].text);
		const enum visible place = req->address[i].place;

		envelope_add_words(e, &text, 1, places[place].option);
		for (; before < e->rcpt_count; before++)
			e->rcpt[before].source = places[place].source;
	}
}

/*
 * Appends an address list as a header wants it: names quoted, commas between;
 * what is no address is left out here as in the envelope.
 */
static void add_list(struct arena *a, struct strbuf *out, const char *text)
{
	struct address_list list;

	if (address_parse_list(a, text, strlen(text), ADDRESS_BLANKS | ADDRESS_REST, &list,
			       NULL) < 0)
		return;		/* never with ADDRESS_REST */
	if (list.had_group && !list.bad_n) {	/* as it is: only the user knows its name */
		strbuf_addf(out, "%s%s", out->len ? ", " : "", text);
		return;
	}
	for (size_t i = 0; i < list.n; i++) {
		const struct mailbox *box = &list.box[i];
		const char *name = box->name ? box->name : box->comment;

		strbuf_addstr(out, out->len ? ", " : "");
		if (name && *name)
			strbuf_addf(out, "%s <%s>", address_phrase(a, name), box->address);
		else
			strbuf_addstr(out, box->address);
	}
}

/* What was given for one place, then the words, as one list; "" = none. EX_DATAERR. */
static int list_all(struct arena *a, const struct compose_request *req, enum visible place,
		    const char *const *words, size_t n, const char **out, struct error *err)
{
	struct strbuf list = STRBUF_INIT(TEXT_MAX);
	int rc = 0;

	for (size_t i = 0; i < req->address_n; i++) {
		if (req->address[i].place == place)
			add_list(a, &list, in_utf8(a, req->address[i].text));
	}
	for (size_t i = 0; i < n; i++)
		add_list(a, &list, in_utf8(a, words[i]));
	if (strbuf_overflow(&list))
		rc = error_set(err, FAULT_MESSAGE, "%s: more than %zu octets of addresses",
			       places[place].option, TEXT_MAX);
	if (rc == 0)
		*out = arena_strdup(a, list.buf);
	strbuf_release(&list);
	return rc;
}

/* To and Cc; a message that shows nobody says so (RFC 5322, section 3.4). */
static int add_recipients(struct field_list *l, const struct compose_request *req,
			  const char *const *words, size_t n, struct error *err)
{
	const char *list[2] = { "", "" };

	/* the recipients without option are shown when no option says who is */
	if (list_all(l->arena, req, VISIBLE_TO, words, req->address_n ? 0 : n, &list[VISIBLE_TO],
		     err) < 0 ||
	    list_all(l->arena, req, VISIBLE_CC, NULL, 0, &list[VISIBLE_CC], err) < 0)
		return -1;
	if (!*list[VISIBLE_TO] && !*list[VISIBLE_CC])
		list[VISIBLE_TO] = "undisclosed-recipients:;";
	for (enum visible v = VISIBLE_TO; v <= VISIBLE_CC; v++) {
		if (*list[v])
			field_list_add(l, places[v].field, list[v]);
	}
	return 0;
}

/* --- fields ----------------------------------------------------------------------- */

/*
 * A long thread keeps its first message and its last ones; Message-IDs hold
 * no blanks.
 */
static const char *shorten_references(struct arena *a, const char *value)
{
	struct strvec ids = STRVEC_INIT(SIZE_MAX);
	struct strbuf kept = STRBUF_INIT(TEXT_MAX);

	strvec_split(&ids, value, " \t");
	for (size_t i = 0; i < ids.n; i++) {
		if (i == 0 || i + REFERENCES_KEPT >= ids.n)
			strbuf_addf(&kept, "%s%s", i ? " " : "", ids.v[i]);
	}
	if (ids.n > REFERENCES_KEPT + 1)
		value = arena_strdup(a, kept.buf);
	strvec_release(&ids);
	strbuf_release(&kept);
	return value;
}

static int change_field(struct field_list *l, const struct compose_request *req,
			const struct field_request *f, struct error *err)
{
	if (f->change == FIELD_DELETE) {
		field_list_delete(l, f->name);
		return 0;
	}
	const char *value = in_utf8(l->arena, f->value);

	if (req->compose && strcasecmp(f->name, "References") == 0)
		value = shorten_references(l->arena, value);
	if (f->change == FIELD_SET) {
		field_list_set(l, f->name, value);
	} else if (header_flags(header_find_id(f->name, strlen(f->name))) & HEADER_SINGLE &&
		    field_list_find(l, f->name)) {
		return error_set(err, FAULT_USAGE, "%s: the message has a field '%s' "
				 "already, and may have only one: replace it with --set-header",
				 f->option, f->name);
	} else {
		field_list_add(l, f->name, value);
	}
	return 0;
}

/* An answer belongs to the thread of what it answers (RFC 5322, section 3.6.4). */
static void add_references(struct field_list *l)
{
	const struct header_field *answer = field_list_find(l, "In-Reply-To");

	if (answer && !field_list_find(l, "References"))
		field_list_add(l, "References", header_value(l->arena, answer));
}

int user_headers_apply(struct message *m, const struct compose_request *req,
		       const char *const *words, size_t n, struct error *err)
{
	struct field_list l;

	if (!req->compose && req->field_n == 0)
		return 0;
	field_list_init(&l, m, req->compose);
	if (req->compose && add_recipients(&l, req, words, n, err) < 0)
		return -1;
	for (size_t i = 0; i < req->field_n; i++) {
		if (change_field(&l, req, &req->field[i], err) < 0)
			return -1;
	}
	if (req->compose)
		add_references(&l);
	field_list_apply(&l, m);
	return 0;
}

/* --- once account and envelope are known --------------------------------------------- */

/* What the steps of user_headers_finish() share. */
struct finish {
	struct field_list list;
	const struct compose_request *req;
	const struct account *account;
	const struct envelope *envelope;
	const struct prepare_options *opt;
	const char *warning;
};

/* --- importance --------------------------------------------------------------------- */

/* RFC 2156, section 5.3.4; the others are what mail programs have made up. */
static void add_importance(struct finish *f)
{
	static const struct {
		const char *importance, *priority, *ms;
	} levels[] = {
		{ "low", "5", "Low" }, { "normal", "3", "Normal" }, { "high", "1", "High" },
	};

	for (size_t i = 0; f->req->importance && i < ARRAY_LEN(levels); i++) {
		if (strcasecmp(levels[i].importance, f->req->importance) != 0)
			continue;
		field_list_set(&f->list, "Importance", levels[i].importance);
		if (f->account->compose.importance_all) {
			field_list_set(&f->list, "X-Priority", levels[i].priority);
			field_list_set(&f->list, "X-MSMail-Priority", levels[i].ms);
		}
	}
}

/* The mailboxes of the From field, if there is one that can be read; NULL otherwise. */
static const struct header_field *read_from(struct finish *f, struct address_list *list)
{
	const struct header_field *from = field_list_find(&f->list, "From");

	return from && address_parse_list(f->list.arena, from->text + from->value,
					  from->len - from->value, 0, list, NULL) == 0 ?
		from : NULL;
}

/* --- receipts ----------------------------------------------------------------------- */

/* The address that the From field will have. */
static int author_address(struct finish *f, const char **out, struct error *err)
{
	const struct rewrite_rule *rule;
	const char *full;
	struct address_list list;

	if (read_from(f, &list) && list.n > 0) {
		const char *made = rewriter_apply(f->opt->rewriter, REWRITE_FROM,
						  list.box[0].address, &rule);

		*out = made ? made : list.box[0].address;
		return 0;
	}
	return prepare_author(f->envelope, f->account, f->opt, out, &full, err);
}

static int add_receipt(struct finish *f, const struct receipt_request *r, const char *name,
		       struct error *err)
{
	const char *address = r->address;

	if (!r->wanted)
		return 0;
	if (!address && author_address(f, &address, err) < 0)
		return -1;
	field_list_set(&f->list, name, address);
	return 0;
}

/* Programs answer by themselves only when the address is the sender's (RFC 8098, 2.1). */
static void warn_of_receipt(struct finish *f)
{
	const char *value = header_value(f->list.arena,
					 field_list_find(&f->list, "Disposition-Notification-To"));
	struct address_list list;

	if (address_parse_list(f->list.arena, value, strlen(value), 0, &list, NULL) == 0 &&
	    list.n == 1 && address_equal(list.box[0].address, f->envelope->sender))
		return;
	f->warning = arena_printf(f->list.arena, "the read receipt is to go to '%s', the envelope "
				  "sender is '%s': most programs will ask their user before they "
				  "send it", value, f->envelope->sender);
}

static int add_receipts(struct finish *f, struct error *err)
{
	const struct compose_request *req = f->req;

	if (add_receipt(f, &req->return_receipt, "Return-Receipt-To", err) < 0)
		return -1;
	if (!req->read_receipt.wanted)
		return 0;
	const struct header_field *type = field_list_find(&f->list, "Content-Type");

	/* no answer is answered (RFC 8098, section 2.1) */
	if (type && strcasestr(type->text, "disposition-notification"))
		return error_set(err, FAULT_MESSAGE, "--read-receipt: the message is a "
				 "receipt itself");
	if (f->account->set_msgid_header == SET_HEADER_OFF &&
	    !field_list_find(&f->list, "Message-ID"))
		return error_set(err, FAULT_MESSAGE, "--read-receipt needs a Message-ID, and "
				 "set_msgid_header is off");
	if (add_receipt(f, &req->read_receipt, "Disposition-Notification-To", err) < 0)
		return -1;
	if (req->disposition_options)
		field_list_set(&f->list, "Disposition-Notification-Options",
			       req->disposition_options);
	warn_of_receipt(f);
	return 0;
}

/* --- who writes ------------------------------------------------------------------------ */

/* Several authors need one who sends (RFC 5322, section 3.6.2). */
static void add_user_sender(struct finish *f)
{
	struct address_list list;
	const struct header_field *from = read_from(f, &list);

	if (from && from->own && list.n > 1 && !field_list_find(&f->list, "Sender"))
		field_list_set(&f->list, "Sender", list.box[0].address);
}

/* A block of its own in front of everything (RFC 5322, section 3.6.6). */
static int add_user_resent(struct finish *f, struct error *err)
{
	struct arena *a = f->list.arena;
	const char *address, *author = NULL, *to = "", *cc = "";

	if (!f->req->resend)
		return 0;
	if (prepare_author(f->envelope, f->account, f->opt, &address, &author, err) < 0 ||
	    list_all(a, f->req, VISIBLE_TO, NULL, 0, &to, err) < 0 ||
	    list_all(a, f->req, VISIBLE_CC, NULL, 0, &cc, err) < 0)
		return -1;
	field_list_add_top(&f->list, "Resent-From", author);
	if (*to)
		field_list_add_top(&f->list, "Resent-To", to);
	if (*cc)
		field_list_add_top(&f->list, "Resent-Cc", cc);
	field_list_add_top(&f->list, "Resent-Date", ident_date(a, time(NULL)));
	field_list_add_top(&f->list, "Resent-Message-ID",
			   prepare_message_id(f->envelope, f->account));
	return 0;
}

/* --- the form of the fields ------------------------------------------------------------- */

/* Encoded and folded; only addresses that have no other form stay as they are. */
static int write_field(struct finish *f, struct header_field *field, const char *charset,
		       struct error *err)
{
	struct strbuf ascii = STRBUF_INIT(FIELD_MAX_ENCODED), out = STRBUF_INIT(FIELD_MAX_ENCODED);

	(void)mime_header_encode(&ascii, field->text, field->len, charset, MIME_HEADER_OWN);
	rfc2047_recode(&ascii, f->account->convert.charset_out);
	/* what has no blank is folded with the fields that came so, if it can be */
	if (header_fold_to(&out, ascii.buf, ascii.len, f->account->compose.max_header_length,
			   NULL) < 0)
		strbuf_add(&out, ascii.buf, ascii.len);
	int rc = 0;

	if (strbuf_overflow(&ascii) || strbuf_overflow(&out))
		rc = error_set(err, FAULT_MESSAGE, "a header field is too large");
	if (rc == 0) {
		field->text = arena_strndup(f->list.arena, out.buf, out.len);
		field->len = out.len;
	}
	strbuf_release(&ascii);
	strbuf_release(&out);
	return rc;
}

static int write_fields(struct finish *f, struct error *err)
{
	const char *charset = charset_of_locale();

	if (!charset)
		charset = f->account->convert.default_charset;
	if (!charset)
		charset = CHARSET_UNKNOWN;
	for (size_t part = 0; part < PART_COUNT; part++) {
		for (size_t i = 0; i < f->list.part[part].n; i++) {
			struct listed_field *x = f->list.part[part].v[i];

			if (x->field.own && !x->gone && write_field(f, &x->field, charset, err) < 0)
				return -1;
		}
	}
	return 0;
}

static int check_single(const struct message *m, struct error *err)
{
	bool seen[HEADER_ID_COUNT] = { false };

	for (size_t i = 0; i < m->header.n; i++) {
		const enum header_id id = m->header.field[i].id;

		if (seen[id] && header_flags(id) & HEADER_SINGLE)
			return error_set(err, FAULT_MESSAGE, "the header has more than one "
					 "field '%s' (strict_headers)", header_name(id));
		seen[id] = true;
	}
	return 0;
}

/* Do the options ask for anything here? */
static bool is_idle(const struct compose_request *req)
{
	return !req->compose && !req->resend && !req->field_n && !req->importance &&
	       !req->read_receipt.wanted && !req->return_receipt.wanted;
}

int user_headers_finish(struct message *m, const struct compose_request *req,
			const struct account *a, const struct envelope *e,
			const struct prepare_options *opt, const char **warning,
			struct error *err)
{
	struct finish f = { .req = req, .account = a, .envelope = e, .opt = opt };

	*warning = NULL;
	if (!is_idle(req)) {
		field_list_init(&f.list, m, req->compose);
		add_importance(&f);
		add_user_sender(&f);
		if (add_receipts(&f, err) < 0 || add_user_resent(&f, err) < 0 ||
		    write_fields(&f, err) < 0)
			return -1;
		field_list_apply(&f.list, m);
		*warning = f.warning;
	}
	return a->compose.strict_headers ? check_single(m, err) : 0;
}
