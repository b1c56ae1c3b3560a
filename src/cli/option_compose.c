/*
 * What the options of a message that is made of them do with their arguments:
 * they fill the compose request of the invocation.
 */
#include "config.h"

#include <string.h>
#include <strings.h>
#include <time.h>

#include "cli/option_values.h"
#include "message/address.h"
#include "message/ident.h"
#include "mime/compose.h"
#include "prepare/user_headers.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

#define IDS_MAX ((size_t)256 * 1024)

/* --- values ------------------------------------------------------------------------ */

/*
 * What the value is to be; *out is how it is written. words: those allowed,
 * NULL at the end. EX_USAGE says what is wanted, not which option.
 */
#define FIELD_READER(name) \
	int name(struct arena *a ATTR_UNUSED, const char *value, \
		 const char *const *words ATTR_UNUSED, const char **out, struct error *err)

static FIELD_READER(read_word)
{
	struct strbuf list = STRBUF_INIT(1024);
	int rc = -1;

	for (size_t i = 0; words[i]; i++) {
		if (strcasecmp(words[i], value) == 0) {
			*out = words[i];
			rc = 0;
		}
		strbuf_addf(&list, "%s%s", i == 0 ? "" : words[i + 1] ? ", " : " or ", words[i]);
	}
	if (rc < 0)
		error_set(err, FAULT_USAGE, "'%s' is not %s", value, list.buf);
	strbuf_release(&list);
	return rc;
}

static FIELD_READER(read_addresses)
{
	struct address_list list;

	if (address_parse_list(a, value, strlen(value), 0, &list, err) < 0) {
		error_recast(err, FAULT_USAGE);
		return -1;
	}
	if (list.n == 0)
		return error_set(err, FAULT_USAGE, "'%s' is no address", value);
	*out = value;
	return 0;
}

/* date-time of RFC 5322, section 3.3, as mail has it. */
static bool is_mail_date(const char *value)
{
	struct tm t = { 0 };
	const char *comma = strchr(value, ',');
	const char *end = strptime(value, comma ? "%a, %d %b %Y %H:%M:%S %z" :
						  "%d %b %Y %H:%M:%S %z", &t);
	size_t len = strlen(value);

	return end && !*end && len > 5 && strchr("+-", value[len - 5]) &&
	       strspn(value + len - 4, "0123456789") == 4;
}

static FIELD_READER(read_moment)
{
	struct datetime when;

	*out = value;
	if (is_mail_date(value))
		return 0;
	if (datetime_parse(value, datetime_now(), &when, err) < 0)
		return -1;
	*out = ident_date(a, (time_t)(when.ms / 1000));
	return 0;
}

/*
 * msg-id = "<" id-left "@" id-right ">" (RFC 5322, section 3.6.4), without
 * the blanks and quoted strings of old; the brackets may be left out.
 */
static const char *read_id(struct arena *a, const char *word, size_t len)
{
	if (len > 2 && word[0] == '<' && word[len - 1] == '>') {
		word++;
		len -= 2;
	}
	const char *at = memchr(word, '@', len);

	if (!at || at == word || at + 1 == word + len ||
	    memchr(at + 1, '@', (size_t)(word + len - at - 1)))
		return NULL;
	for (size_t i = 0; i < len; i++) {
		if (strchr("<>()\",;:\\ \t", word[i]) || (unsigned char)word[i] > 126)
			return NULL;
	}
	return arena_printf(a, "<%.*s>", (int)len, word);
}

static FIELD_READER(read_ids)
{
	struct strbuf list = STRBUF_INIT(IDS_MAX);
	const char *p = value + strspn(value, " \t,");
	int rc = 0;

	while (rc == 0 && *p) {
		size_t len = strcspn(p, " \t,");
		const char *id = read_id(a, p, len);

		if (!id)
			rc = error_set(err, FAULT_USAGE, "'%.*s' is not a Message-ID such as "
				       "<1234@example.org>", (int)len, p);
		else
			strbuf_addf(&list, "%s%s", list.len ? " " : "", id);
		p += len;
		p += strspn(p, " \t,");
	}
	if (rc == 0 && (!list.len || strbuf_overflow(&list)))
		rc = error_set(err, FAULT_USAGE, "'%.100s' is no list of Message-IDs", value);
	if (rc == 0)
		*out = arena_strdup(a, list.buf);
	strbuf_release(&list);
	return rc;
}

static FIELD_READER(read_one_id)
{
	if (read_ids(a, value, words, out, err) < 0)
		return -1;
	return strchr(*out, ' ') ? error_set(err, FAULT_USAGE, "'%s' is more than one "
					     "Message-ID", value) : 0;
}

/* One "attribute=importance,value[,value]..."; its length, 0 when it is none. */
static size_t parameter_len(const char *p)
{
	static const char token[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "!#$%&'*+-.^_`{|}~";
	const char *start = p;
	size_t name = strspn(p, token);

	if (!name || p[name] != '=')
		return 0;
	p += name + 1;
	if (strncasecmp(p, "required,", 9) != 0 && strncasecmp(p, "optional,", 9) != 0)
		return 0;
	p += 8;
	while (*p == ',') {
		size_t len = strcspn(p + 1, ",;");

		if (!len)
			return 0;
		p += len + 1;
	}
	return (size_t)(p - start);
}

static FIELD_READER(read_disposition)
{
	const char *p = value;

	for (;;) {
		size_t len = parameter_len(p);

		if (!len || (p[len] && p[len] != ';'))
			return error_set(err, FAULT_USAGE, "'%s' is not "
					 "ATTRIBUTE=required|optional,VALUE[;...]", value);
		p += len;
		if (!*p)
			break;
		p += 1 + strspn(p + 1, " \t");
	}
	*out = value;
	return 0;
}

/* --- options ------------------------------------------------------------------------ */

static const char *option_name(const struct invocation *inv, const struct option *o)
{
	return arena_printf(inv->arena, "--%s", o->name);
}

/* A line end in a value would begin a header field that nobody asked for. */
static int check_value(const struct option *o, const char *value, struct error *err)
{
	for (const char *p = value; *p; p++) {
		if (*p != '\t' && text_has_control(p, 1))
			return error_set(err, FAULT_USAGE, "option '--%s': a control "
					 "character in '%s'", o->name, value);
	}
	return 0;
}

typedef int field_reader(struct arena *, const char *value, const char *const *words,
			 const char **out, struct error *);

static int take_value(struct invocation *inv, const struct option *o, field_reader *read,
		      const char *value, const char *const *words, const char **out,
		      struct error *err)
{
	if (check_value(o, value, err) < 0)
		return -1;
	return read(inv->arena, value, words, out, err) < 0 ?
		error_prefix(err, "option '--%s'", o->name) : 0;
}

static void needs_compose(struct invocation *inv, const struct option *o)
{
	if (!inv->request.compose.needs_compose)
		inv->request.compose.needs_compose = option_name(inv, o);
}

OPTION_FUNCTION(option_address)
{
	struct compose_request *r = &inv->request.compose;

	if (check_value(o, value, err) < 0)
		return -1;
	r->address = arena_grow(inv->arena, r->address, r->address_n, &r->address_alloc,
				sizeof(*r->address));
	r->address[r->address_n++] = (struct address_request){ .place = (enum visible)o->data,
							       .text = value };
	return 0;
}

static void add_part(struct invocation *inv, const struct part_spec *spec)
{
	struct compose_request *r = &inv->request.compose;

	r->part = arena_grow(inv->arena, r->part, r->part_n, &r->part_alloc, sizeof(*r->part));
	r->part[r->part_n++] = *spec;
}

OPTION_FUNCTION(option_part)
{
	struct part_spec spec;

	needs_compose(inv, o);
	if (check_value(o, value, err) < 0)
		return -1;
	if (part_spec_parse(inv->arena, (enum part_role)o->data, value, &spec, err) < 0)
		return error_prefix(err, "option '--%s'", o->name);
	if (strcmp(spec.path, "-") != 0 &&
	    option_check_who(inv, WHO_OWNER_FIRST, option_name(inv, o), err) < 0)
		return -1;
	add_part(inv, &spec);
	return 0;
}

/* Here line ends are text. */
OPTION_FUNCTION(option_text)
{
	const bool file = *value == '@';
	const struct part_spec spec = { .role = PART_TEXT, .path = file ? value + 1 : NULL,
					.text = file ? NULL : value };

	needs_compose(inv, o);
	if (file && option_check_who(inv, WHO_OWNER_FIRST, "--body=@FILE", err) < 0)
		return -1;
	if (file && !value[1])
		return error_set(err, FAULT_USAGE, "option '--body': the name of the file is "
				 "empty");
	add_part(inv, &spec);
	return 0;
}

/* Of the text, and of what else is neither UTF-8 nor tells what it is. */
OPTION_FUNCTION(option_charset)
{
	if (check_value(o, value, err) < 0)
		return -1;
	inv->request.compose.charset = value;
	option_override(inv, "default_charset", value);
	return 0;
}

static void add_field(struct invocation *inv, const struct option *o, enum field_change change,
		      const char *name, const char *value)
{
	struct compose_request *r = &inv->request.compose;

	r->field = arena_grow(inv->arena, r->field, r->field_n, &r->field_alloc, sizeof(*r->field));
	r->field[r->field_n++] = (struct field_request){ .change = change, .name = name,
							 .value = value,
							 .option = option_name(inv, o) };
}

/* data: enum field_change. "Name: value", or a name alone to be deleted. */
OPTION_FUNCTION(option_header)
{
	const char *colon = strchr(value, ':');

	if (check_value(o, value, err) < 0)
		return -1;
	if (o->data == FIELD_DELETE) {
		add_field(inv, o, FIELD_DELETE, value, NULL);
		return 0;
	}
	if (!colon)
		return error_set(err, FAULT_USAGE, "option '--%s': '%s' is not 'Name: value'",
				 o->name, value);
	size_t len = (size_t)(colon - value);

	while (len && (value[len - 1] == ' ' || value[len - 1] == '\t'))
		len--;
	add_field(inv, o, (enum field_change)o->data, arena_strndup(inv->arena, value, len),
		  colon + 1 + strspn(colon + 1, " \t"));
	return 0;
}

/* --- header fields with an option of their own ------------------------------------- */

static const char *const priorities[] = { "non-urgent", "normal", "urgent", NULL };
static const char *const sensitivities[] = { "Personal", "Private", "Company-Confidential", NULL };
static const char *const automatic[] = { "auto-generated", "auto-replied", "no", NULL };

static const struct field_option {
	const char *option, *field;
	field_reader *read;
	const char *const *words;
} field_options[] = {
	{ "subject", "Subject", NULL, NULL },
	{ "reply-to", "Reply-To", read_addresses, NULL },
	{ "in-reply-to", "In-Reply-To", read_ids, NULL },
	{ "references", "References", read_ids, NULL },
	{ "date", "Date", read_moment, NULL },
	{ "message-id", "Message-ID", read_one_id, NULL },
	{ "priority", "Priority", read_word, priorities },
	{ "sensitivity", "Sensitivity", read_word, sensitivities },
	{ "expires", "Expires", read_moment, NULL },
	{ "reply-by", "Reply-By", read_moment, NULL },
	{ "deferred-delivery", "Deferred-Delivery", read_moment, NULL },
	{ "auto-submitted", "Auto-Submitted", read_word, automatic },
};

/* "original" and "no" are not for one message: they are values of the key of that name. */
static bool is_reply_key(const struct field_option *f, const char *value)
{
	return strcmp(f->option, "reply-to") == 0 &&
	       (strcasecmp(value, "original") == 0 || strcasecmp(value, "no") == 0);
}

OPTION_FUNCTION(option_field)
{
	const struct field_option *f = field_options;
	const char *written = value;

	while (strcmp(f->option, o->name) != 0)
		f++;
	if (is_reply_key(f, value)) {
		option_override(inv, "reply_to", value);
		return 0;
	}
	if (f == field_options)
		needs_compose(inv, o);
	if (f->read ? take_value(inv, o, f->read, value, f->words, &written, err) < 0 :
		      check_value(o, value, err) < 0)
		return -1;
	add_field(inv, o, FIELD_SET, f->field, written);
	return 0;
}

OPTION_FUNCTION(option_importance)
{
	static const char *const words[] = { "low", "normal", "high", NULL };

	if (read_word(inv->arena, value, words, &inv->request.compose.importance, err) < 0)
		return error_prefix(err, "option '--%s'", o->name);
	return 0;
}

/* data: the request of the invocation. */
OPTION_FUNCTION(option_receipt)
{
	struct receipt_request *r = (void *)((char *)inv + o->data);

	if (value && take_value(inv, o, read_addresses, value, NULL, &value, err) < 0)
		return -1;
	r->wanted = true;
	r->address = value;
	return 0;
}

OPTION_FUNCTION(option_disposition)
{
	return take_value(inv, o, read_disposition, value, NULL,
			  &inv->request.compose.disposition_options, err);
}

OPTION_FUNCTION(option_solicitation)
{
	option_override(inv, "solicit", value);
	return 0;
}

int options_check_compose(const struct invocation *inv, struct error *err)
{
	const struct compose_request *r = &inv->request.compose;
	const bool own = r->compose || r->resend;

	if (own && inv->command != COMMAND_SEND)
		return error_set(err, FAULT_USAGE, "--compose and --resend send a message: "
				 "they do not go with another command");
	if (own && inv->request.read_recipients)
		return error_set(err, FAULT_USAGE, "-t does not go with %s: give the "
				 "recipients with --to, --cc, --bcc",
				 r->compose ? "--compose" : "--resend");
	if (inv->request.burl.whole && (r->field_n || r->resend || r->importance ||
				r->read_receipt.wanted || r->return_receipt.wanted))
		return error_set(err, FAULT_USAGE, "header fields of options do not go with "
				 "--burl: the server fetches the whole message");
	if (r->compose && inv->request.burl.n)
		return error_set(err, FAULT_USAGE, "--compose does not go with --burl and "
				 "--burl-part");
	if (inv->command == COMMAND_CHECK)	/* there --to is whom the server is asked for */
		return 0;
	if (user_headers_check(r, err) < 0)
		return -1;
	return r->compose ? compose_check(r, err) : 0;
}
