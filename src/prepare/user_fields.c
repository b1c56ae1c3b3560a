/* Fields that options ask for, once account and envelope are known. */
#include "config.h"

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
#include "mime/mime_header.h"
#include "prepare/field_list.h"
#include "prepare/prepare.h"
#include "prepare/rewriter.h"
#include "prepare/user_headers.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"

#define FIELD_MAX_ENCODED (16 * MESSAGE_HEADER_MAX)	/* each octet may become several */

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
static const struct header_field *read_from(const struct finish *f, struct address_list *list)
{
	const size_t i = field_list_find(&f->list, "From", 0);
	struct error unreadable;

	if (i == f->list.n)
		return NULL;
	const struct header_field *from = &f->list.v[i];

	return address_parse_list(f->list.arena, from->text + from->value, from->len - from->value,
				  0, list, &unreadable) == 0 ? from : NULL;
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

/* Is there an answer to such a request already in the message (RFC 8098, section 2.1)? */
static bool is_receipt(const struct finish *f)
{
	size_t i = field_list_find(&f->list, "Content-Type", 0);

	return i < f->list.n && strcasestr(f->list.v[i].text, "disposition-notification");
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
	size_t i = field_list_find(&f->list, "Disposition-Notification-To", 0);
	const char *value = header_value(f->list.arena, &f->list.v[i]);
	struct address_list list;
	struct error unreadable;

	if (address_parse_list(f->list.arena, value, strlen(value), 0, &list, &unreadable) == 0 &&
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
	if (is_receipt(f))
		return error_set(err, FAULT_MESSAGE, "--read-receipt: the message is a "
				 "receipt itself");
	if (f->account->set_msgid_header == SET_HEADER_OFF &&
	    field_list_find(&f->list, "Message-ID", 0) == f->list.n)
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

	if (from && from->own && list.n > 1 &&
	    field_list_find(&f->list, "Sender", 0) == f->list.n)
		field_list_set(&f->list, "Sender", list.box[0].address);
}

/* A block of its own in front of everything (RFC 5322, section 3.6.6). */
static int add_user_resent(struct finish *f, struct error *err)
{
	struct arena *a = f->list.arena;
	const size_t before = f->list.at;
	const char *address, *author = NULL, *to = "", *cc = "";

	if (!f->req->resend)
		return 0;
	if (prepare_author(f->envelope, f->account, f->opt, &address, &author, err) < 0 ||
	    user_headers_list(a, f->req, VISIBLE_TO, &to, err) < 0 ||
	    user_headers_list(a, f->req, VISIBLE_CC, &cc, err) < 0)
		return -1;
	f->list.at = 0;
	field_list_add(&f->list, "Resent-From", author);
	if (*to)
		field_list_add(&f->list, "Resent-To", to);
	if (*cc)
		field_list_add(&f->list, "Resent-Cc", cc);
	field_list_add(&f->list, "Resent-Date", ident_date(a, time(NULL)));
	field_list_add(&f->list, "Resent-Message-ID",
		       prepare_message_id(f->envelope, f->account));
	f->list.at += before;
	return 0;
}

/* --- the form of the fields ------------------------------------------------------------- */

static const char *charset_label(struct finish *f)
{
	const char *locale = charset_of_locale();

	if (!locale)
		locale = f->account->convert.default_charset;
	return locale ? locale : CHARSET_UNKNOWN;
}

/* Encoded and folded; only addresses that have no other form stay as they are. */
static int write_field(struct finish *f, struct header_field *field, const char *charset,
		       struct error *err)
{
	struct strbuf ascii = STRBUF_INIT(FIELD_MAX_ENCODED), out = STRBUF_INIT(FIELD_MAX_ENCODED);

	(void)mime_header_encode(&ascii, field->text, field->len, charset);
	int rc = header_fold_to(&out, ascii.buf, ascii.len,
				f->account->compose.max_header_length, err);

	if (rc == 0 && (strbuf_overflow(&ascii) || strbuf_overflow(&out)))
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
	const char *charset = charset_label(f);

	for (size_t i = 0; i < f->list.n; i++) {
		if (f->list.v[i].own && write_field(f, &f->list.v[i], charset, err) < 0)
			return -1;
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
		field_list_store(&f.list, m);
		*warning = f.warning;
	}
	return a->compose.strict_headers ? check_single(m, err) : 0;
}
