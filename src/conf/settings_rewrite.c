/*
 * Settings of rewriting, of other recipients, and of who may send.
 */
#include "config.h"
#define ROWS_FILE ROWS_REWRITE
#include "conf/settings_rows.h"

#include <string.h>
#include <strings.h>

#include "conf/account.h"
#include "message/address.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/strvec.h"
#include "util/text.h"

#define WORDS_MAX 1000


/* address-list of RFC 5322; domains become ASCII, names are encoded or dropped */
static int read_addresses(const struct setting *s, struct arena *arena, const char *value,
			  bool names, struct strvec *out, struct error *err)
{
	struct address_list list;
	struct error why;

	if (address_parse_list(arena, value, strlen(value), 0, &list, &why) < 0)
		return error_set(err, FAULT_CONFIG, "key '%s': %s", s->key, why.text);
	for (size_t i = 0; i < list.n; i++) {
		const char *address = list.box[i].address;

		if (!list.box[i].domain)
			return setting_refuse(s, address, "an address with a domain", err);
		if (idna_address(arena, address, &address, &why) < 0)
			return error_set(err, FAULT_CONFIG, "key '%s': %s", s->key, why.text);
		if (names && list.box[i].name)
			address = arena_printf(arena, "%s <%s>",
					       address_phrase(arena, list.box[i].name), address);
		strvec_add(out, address);
	}
	return strvec_overflow(out) ? setting_refuse(s, value, "a list of that length", err) : 0;
}

SETTING_SETTER(set_addresses)
{
	struct strvec words = STRVEC_INIT(WORDS_MAX);
	int rc = read_addresses(s, arena, value, false, &words, err);

	/* nothing at all unsets it; commas alone are a mistake that sends mail elsewhere */
	if (rc == 0 && *value && !words.n)
		rc = setting_refuse(s, value, "a list of addresses", err);
	if (rc == 0)
		*LIST_FIELD(target, s) = setting_list_of(arena, &words);
	strvec_release(&words);
	return rc;
}

/* --- where -------------------------------------------------------------------- */

#define HEADER_SENDERS (REWRITE_FROM | REWRITE_SENDER | REWRITE_REPLY_TO | REWRITE_RESENT_SENDER)
#define HEADER_RECIPIENTS (REWRITE_TO | REWRITE_CC | REWRITE_RESENT_RECIPIENT)

/* The broad words first, as they are printed where they are whole. */
static const struct name_value class_names[] = {
	{ "all", REWRITE_ENVELOPE_SENDER | REWRITE_ENVELOPE_RECIPIENT | HEADER_SENDERS |
		 HEADER_RECIPIENTS },
	{ "envelope_sender", REWRITE_ENVELOPE_SENDER },
	{ "envelope_recipient", REWRITE_ENVELOPE_RECIPIENT },
	{ "header_sender", HEADER_SENDERS }, { "header_recipient", HEADER_RECIPIENTS },
	{ "from", REWRITE_FROM }, { "sender", REWRITE_SENDER }, { "reply_to", REWRITE_REPLY_TO },
	{ "to", REWRITE_TO }, { "cc", REWRITE_CC },
	{ "resent", REWRITE_RESENT_SENDER | REWRITE_RESENT_RECIPIENT }, NAMES_END
};

SETTING_SETTER(set_classes)
{
	struct strvec words = STRVEC_INIT(WORDS_MAX);
	unsigned bits = 0;
	int bit, rc = 0;

	strvec_split(&words, value, ", \t");
	for (size_t i = 0; rc == 0 && i < words.n; i++) {
		if (names_find(class_names, words.v[i], &bit) < 0)
			rc = setting_refuse(s, words.v[i], "one of all, envelope_sender, "
					    "envelope_recipient, header_sender, header_recipient, "
					    "from, sender, reply_to, to, cc, resent", err);
		bits |= (unsigned)bit;
	}
	if (rc == 0)
		*(unsigned *)((char *)target + s->offset) = bits;
	strvec_release(&words);
	return rc;
}

SETTING_PRINTER(print_classes)
{
	const unsigned all = *(const unsigned *)((const char *)target + s->offset);
	unsigned left = all;
	const char *comma = "";

	for (const struct name_value *n = class_names; !names_is_end(n) && left; n++) {
		const unsigned bits = (unsigned)n->value;

		/* "resent" may say in part what another word has said */
		if ((all & bits) != bits || !(left & bits))
			continue;
		strbuf_addf(out, "%s%s", comma, n->name);
		comma = ", ";
		left &= ~bits;
	}
}

/* --- names -------------------------------------------------------------------------- */

SETTING_SETTER(set_from_name)
{
	int keep;

	*TEXT_FIELD(target, s) = names_find(s->names, value, &keep) == 0 ? NULL :
				 arena_strdup(arena, value);
	return 0;
}

SETTING_SETTER(set_reply_to)
{
	struct strvec list = STRVEC_INIT(WORDS_MAX);
	int word, rc;

	if (names_find(s->names, value, &word) == 0) {
		*TEXT_FIELD(target, s) = word ? "original" : NULL;
		return 0;
	}
	rc = read_addresses(s, arena, value, true, &list, err);
	if (rc == 0 && list.n != 1)
		rc = setting_refuse(s, value, "no, original or one address", err);
	if (rc == 0)
		*TEXT_FIELD(target, s) = arena_strdup(arena, list.v[0]);
	strvec_release(&list);
	return rc;
}

#define ADDRESSES(m) .type = SETTING_SPECIAL, .offset = FIELD(const char *const *, m), \
	.code = CODE(DO_ADDRESSES), .arg = "address,..."

#define CODES(x) \
	x(DO_CLASSES, .set = set_classes, .print = print_classes) \
	x(DO_FROM_NAME, .set = set_from_name, .print = setting_print_text) \
	x(DO_REPLY_TO, .set = set_reply_to, .print = setting_print_text) \
	x(DO_ADDRESSES, .set = set_addresses, .print = setting_print_list)
SETTING_CODES(settings_rewrite_code, CODES);

const struct setting settings_rewrite[] = {
{ HEADING("rewriting", "Rewriting, redirecting, permission") },
/* addresses that become others */
{ OWNER("rewrite_map"), FILE_NAME(rewrite.map),
  .help = "addresses and what they become, as in generic(5)" },
{ OWNER("rewrite_classes"), SPECIAL(unsigned, rewrite.classes, DO_CLASSES),
  .def = "all", .arg = "class,...", .help = "where addresses are rewritten" },
{ OWNER("local_domains"), LIST(rewrite.local_domains), .def = "localhost, %H, %H.%D",
  .classic_def = SETTING_EMPTY, .arg = "domain,...", .help = "addresses in them are local names" },
{ OWNER("from_name"), SPECIAL(const char *, rewrite.from_name, DO_FROM_NAME),
  .names = NAMES({ "keep", 0 }, { "", 0 }),
  .arg = "keep|text", .help = "display name of From" },
{ ANYONE("reply_to"), SPECIAL(const char *, rewrite.reply_to, DO_REPLY_TO),
  .names = NAMES({ "no", 0 }, { "off", 0 }, { "", 0 }, { "original", 1 }),
  .arg = "no|original|address", .help = "Reply-To where there is none" },
{ OWNER("original_from_header"), SWITCH(rewrite.original_from_header), .def = "off",
  .help = "keep a rewritten From in X-Original-From" },

/* other recipients */
{ OWNER("redirect_to"), ADDRESSES(redirect.to), .help = "all mail goes there instead" },
{ OWNER("redirect_except"), LIST(redirect.except), .arg = "pattern,...",
  .help = "... but mail to these" },
{ OWNER("redirect_tag"), SWITCH(redirect.tag), .def = "off",
  .help = "... and [to: ADDRESS] stands in its subject" },
{ OWNER("drop"), SWITCH(redirect.drop), .def = "off",
  .help = "throw all mail away, and say that it was sent" },
{ OWNER("always_bcc"), ADDRESSES(redirect.always_bcc), .help = "these get a copy of all mail" },

/* who may send */
{ OWNER("allow_users"), LIST(permission.allow_users), .flags = SETTING_FILE_ONLY,
  .arg = "login,...", .help = "only these may send" },
{ OWNER("allow_groups"), LIST(permission.allow_groups), .flags = SETTING_FILE_ONLY,
  .arg = "group,...", .help = "... and who is in one of these groups" },
{ OWNER("deny_users"), LIST(permission.deny_users), .flags = SETTING_FILE_ONLY,
  .arg = "login,...", .help = "these may not send" },
{ .help = "" }
};
