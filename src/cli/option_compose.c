#include "config.h"
#include "cli/option_compose.h"

#include <string.h>
#include <strings.h>

#include "cli/field_options.h"
#include "mime/compose.h"
#include "prepare/user_headers.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/text.h"

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

static void needs_compose(struct invocation *inv, const struct option *o)
{
	if (!inv->request.compose.needs_compose)
		inv->request.compose.needs_compose = option_name(inv, o);
}

int option_address(struct invocation *inv, const struct option *o, const char *value,
		   struct error *err)
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

int option_part(struct invocation *inv, const struct option *o, const char *value,
		struct error *err)
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
int option_text(struct invocation *inv, const struct option *o, const char *value,
		struct error *err)
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
int option_charset(struct invocation *inv, const struct option *o, const char *value,
		   struct error *err)
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
int option_header(struct invocation *inv, const struct option *o, const char *value,
		  struct error *err)
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

/* "original" and "no" are not for one message: they are values of the key of that name. */
static bool is_reply_key(const struct option *o, const char *value)
{
	return o->data == FIELD_REPLY_TO &&
	       (strcasecmp(value, "original") == 0 || strcasecmp(value, "no") == 0);
}

int option_field(struct invocation *inv, const struct option *o, const char *value,
		 struct error *err)
{
	const struct field_option *f = field_option(o->data);
	const char *written = value;

	if (is_reply_key(o, value)) {
		option_override(inv, "reply_to", value);
		return 0;
	}

	if (o->data == FIELD_SUBJECT)
		needs_compose(inv, o);
	if (check_value(o, value, err) < 0)
		return -1;
	if (f->read && f->read(inv->arena, value, f->words, &written, err) < 0)
		return error_prefix(err, "option '--%s'", o->name);
	add_field(inv, o, FIELD_SET, f->name, written);
	return 0;
}

int option_importance(struct invocation *inv, const struct option *o, const char *value,
		      struct error *err)
{
	static const char *const words[] = { "low", "normal", "high", NULL };

	if (field_read_word(inv->arena, value, words, &inv->request.compose.importance, err) < 0)
		return error_prefix(err, "option '--%s'", o->name);
	return 0;
}

/* data: which of both. */
int option_receipt(struct invocation *inv, const struct option *o, const char *value,
		   struct error *err)
{
	struct receipt_request *r = o->data == RECEIPT_READ ? &inv->request.compose.read_receipt :
							      &inv->request.compose.return_receipt;

	if (value && (check_value(o, value, err) < 0))
		return -1;
	if (value && field_read_addresses(inv->arena, value, NULL, &value, err) < 0)
		return error_prefix(err, "option '--%s'", o->name);
	r->wanted = true;
	r->address = value;
	return 0;
}

int option_disposition(struct invocation *inv, const struct option *o, const char *value,
		       struct error *err)
{
	if (check_value(o, value, err) < 0)
		return -1;
	if (field_read_disposition(inv->arena, value, NULL,
				   &inv->request.compose.disposition_options, err) < 0)
		return error_prefix(err, "option '--%s'", o->name);
	return 0;
}

int option_solicitation(struct invocation *inv, const struct option *o, const char *value,
			struct error *err)
{
	(void)o, (void)err;
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
