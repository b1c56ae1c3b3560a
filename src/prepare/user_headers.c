#include "config.h"
#include "prepare/user_headers.h"

#include <string.h>
#include <strings.h>

#include "message/address.h"
#include "message/charset.h"
#include "message/envelope.h"
#include "message/header.h"
#include "message/message.h"
#include "prepare/field_list.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"

#define TEXT_MAX MESSAGE_HEADER_MAX
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

int user_headers_recipients(struct envelope *e, const struct compose_request *req,
			    struct error *err)
{
	size_t before = e->rcpt_count;

	for (size_t i = 0; i < req->address_n; i++) {
		const char *text = in_utf8(e->arena, req->address[i].text);
		const enum visible place = req->address[i].place;

		if (envelope_add_words(e, &text, 1, NULL, NULL, err) < 0)
			return error_prefix(err, "%s", places[place].option);
		for (; before < e->rcpt_count; before++)
			e->rcpt[before].source = places[place].source;
	}
	return 0;
}

/* Appends an address list as a header wants it: names quoted, commas between. */
static int add_list(struct arena *a, struct strbuf *out, const char *text, struct error *err)
{
	struct address_list list;

	if (address_parse_list(a, text, strlen(text), ADDRESS_BLANKS, &list, err) < 0)
		return -1;
	if (list.had_group) {		/* as it is: only the user knows its name */
		strbuf_addf(out, "%s%s", out->len ? ", " : "", text);
		return 0;
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
	return 0;
}

int user_headers_list(struct arena *a, const struct compose_request *req, enum visible place,
		      const char **out, struct error *err)
{
	struct strbuf list = STRBUF_INIT(TEXT_MAX);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < req->address_n; i++) {
		if (req->address[i].place == place)
			rc = add_list(a, &list, in_utf8(a, req->address[i].text), err);
	}
	if (rc == 0 && strbuf_overflow(&list))
		rc = error_set(err, FAULT_MESSAGE, "%s: more than %zu octets of addresses",
			       places[place].option, TEXT_MAX);
	if (rc == 0)
		*out = arena_strdup(a, list.buf);
	strbuf_release(&list);
	return rc;
}

/* The recipients without option are shown when no option says who is. */
static int list_words(struct arena *a, const char *const *words, size_t n, const char **out,
		      struct error *err)
{
	struct strbuf list = STRBUF_INIT(TEXT_MAX);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = add_list(a, &list, in_utf8(a, words[i]), err);
	if (rc == 0 && !strbuf_overflow(&list))
		*out = arena_strdup(a, list.buf);
	strbuf_release(&list);
	return rc;
}

/* To and Cc; a message that shows nobody says so (RFC 5322, section 3.4). */
static int add_recipients(struct field_list *l, const struct compose_request *req,
			  const char *const *words, size_t n, struct error *err)
{
	const char *list[2] = { "", "" };

	for (enum visible v = VISIBLE_TO; v <= VISIBLE_CC; v++) {
		if (user_headers_list(l->arena, req, v, &list[v], err) < 0)
			return -1;
	}
	if (req->address_n == 0 && list_words(l->arena, words, n, &list[VISIBLE_TO], err) < 0)
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

static bool is_single(const char *name)
{
	return header_flags(header_find_id(name, strlen(name))) & HEADER_SINGLE;
}

/* The octets up to the next blank; *p is moved behind them. */
static size_t next_word(const char **p, const char **word)
{
	*word = *p + strspn(*p, " \t");
	*p = *word + strcspn(*word, " \t");
	return (size_t)(*p - *word);
}

/*
 * A long thread keeps its first message and its last ones; Message-IDs hold
 * no blanks.
 */
static const char *shorten_references(struct arena *a, const char *value)
{
	struct strbuf kept = STRBUF_INIT(TEXT_MAX);
	const char *p = value, *word;
	size_t n = 0, len;

	while (next_word(&p, &word))
		n++;
	if (n <= REFERENCES_KEPT + 1)
		return value;
	p = value;
	for (size_t i = 0; (len = next_word(&p, &word)); i++) {
		if (i > 0 && i < n - REFERENCES_KEPT)
			continue;
		strbuf_addstr(&kept, i ? " " : "");
		strbuf_add(&kept, word, len);
	}
	value = arena_strdup(a, kept.buf);
	strbuf_release(&kept);
	return value;
}

static int change_field(struct field_list *l, const struct compose_request *req,
			const struct field_request *f, struct error *err)
{
	if (f->change == FIELD_DELETE) {
		field_list_delete(l, f->name, 0);
		return 0;
	}
	const char *value = in_utf8(l->arena, f->value);

	if (req->compose && strcasecmp(f->name, "References") == 0)
		value = shorten_references(l->arena, value);
	if (f->change == FIELD_SET) {
		field_list_set(l, f->name, value);
	} else if (is_single(f->name) && field_list_find(l, f->name, 0) < l->n) {
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
	size_t i = field_list_find(l, "In-Reply-To", 0);

	if (i < l->n && field_list_find(l, "References", 0) == l->n)
		field_list_add(l, "References", header_value(l->arena, &l->v[i]));
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
	field_list_store(&l, m);
	return 0;
}
