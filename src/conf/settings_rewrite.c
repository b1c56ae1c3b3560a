/* Setters of the settings table: addresses, and who may do what. */
#include "config.h"
#include "conf/settings_rows.h"

#include <string.h>
#include <strings.h>

#include "conf/account.h"
#include "message/address.h"
#include "message/idna.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/names.h"
#include "util/strbuf.h"
#include "util/strvec.h"
#include "util/text.h"

#define WORDS_MAX 1000

#define TEXT_FIELD(target, s) ((const char **)((char *)(target) + (s)->offset))
#define LIST_FIELD(target, s) ((const char *const **)((char *)(target) + (s)->offset))

static const char *const *list_of(struct arena *arena, const struct strvec *words)
{
	const char **list = words->n ? arena_calloc(arena, words->n + 1, sizeof(*list)) : NULL;

	for (size_t i = 0; i < words->n; i++)
		list[i] = arena_strdup(arena, words->v[i]);
	return list;
}

SETTING_PRINTER(special_list_print)
{
	const char *const *list = *(const char *const *const *)((const char *)target + s->offset);

	for (const char *const *w = list; w && *w; w++)
		strbuf_addf(out, "%s%s", w == list ? "" : ", ", *w);
}

SETTING_PRINTER(special_text_print)
{
	const char *const *field = (const char *const *)((const char *)target + s->offset);

	if (*field)
		strbuf_addstr(out, *field);
}

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

SETTING_SETTER(special_addresses)
{
	struct strvec words = STRVEC_INIT(WORDS_MAX);
	int rc = read_addresses(s, arena, value, false, &words, err);

	/* nothing at all unsets it; commas alone are a mistake that sends mail elsewhere */
	if (rc == 0 && *value && !words.n)
		rc = setting_refuse(s, value, "a list of addresses", err);
	if (rc == 0)
		*LIST_FIELD(target, s) = list_of(arena, &words);
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
	{ "resent", REWRITE_RESENT_SENDER | REWRITE_RESENT_RECIPIENT }, { NULL, 0 }
};

SETTING_SETTER(special_classes)
{
	struct strvec words = STRVEC_INIT(WORDS_MAX);
	unsigned bits = 0;
	int bit, rc = 0;

	(void)arena;
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

SETTING_PRINTER(special_classes_print)
{
	const unsigned all = *(const unsigned *)((const char *)target + s->offset);
	unsigned left = all;
	const char *comma = "";

	for (const struct name_value *n = class_names; n->name && left; n++) {
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

SETTING_SETTER(special_from_name)
{
	(void)err;
	*TEXT_FIELD(target, s) = !*value || strcasecmp(value, "keep") == 0 ? NULL :
				 arena_strdup(arena, value);
	return 0;
}

SETTING_PRINTER(special_from_name_print)
{
	const char *const *field = (const char *const *)((const char *)target + s->offset);

	strbuf_addstr(out, *field ? *field : "keep");
}

SETTING_SETTER(special_reply_to)
{
	static const struct name_value words[] = {
		{ "", 0 }, { "no", 0 }, { "off", 0 }, { "original", 1 }, { NULL, 0 }
	};
	struct strvec list = STRVEC_INIT(WORDS_MAX);
	int word, rc;

	if (names_find(words, value, &word) == 0) {
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

SETTING_PRINTER(special_reply_to_print)
{
	const char *const *field = (const char *const *)((const char *)target + s->offset);

	strbuf_addstr(out, *field ? *field : "no");
}

SETTING_SETTER(special_domain)
{
	struct error why;
	const char *ascii = value;

	if (*value && (idna_to_ascii(arena, value, &ascii, &why) < 0 ||
		       !address_domain_valid(ascii)))
		return setting_refuse(s, value, "a domain", err);
	*TEXT_FIELD(target, s) = *value ? arena_strdup(arena, ascii) : NULL;
	return 0;
}

/* --- choices from words ------------------------------------------------------------ */

SETTING_SETTER(special_match)
{
	static const struct name_value criteria[] = {
		{ "envelope", 0 }, { "header", 1 }, { "recipients", 2 }, { "user", 3 },
		{ "default", 4 }, { NULL, 0 }
	};
	struct strvec words = STRVEC_INIT(WORDS_MAX);
	int which, rc = 0;

	strvec_split(&words, value, ", \t");
	for (size_t i = 0; rc == 0 && i < words.n; i++) {
		if (names_find(criteria, words.v[i], &which) < 0)
			rc = setting_refuse(s, words.v[i], "one of envelope, header, recipients, "
					    "user, default", err);
	}
	if (rc == 0 && words.n == 0)
		rc = setting_refuse(s, value, "a list of envelope, header, recipients, user, "
				    "default", err);
	if (rc == 0)
		*LIST_FIELD(target, s) = list_of(arena, &words);
	strvec_release(&words);
	return rc;
}

/* Without these the body cannot be read: they are never removed. */
static bool is_vital(const char *pattern)
{
	static const char *const names[] = { "MIME-Version", "Content-Type",
					     "Content-Transfer-Encoding" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (address_match(pattern, names[i]))
			return true;
	}
	return false;
}

/* strip = field-name *("," field-name), '*' and '?' in a name as in a pattern */
SETTING_SETTER(special_strip)
{
	struct strvec words = STRVEC_INIT(WORDS_MAX);
	int rc = 0;

	strvec_split(&words, value, ", \t");
	for (size_t i = 0; rc == 0 && i < words.n; i++) {
		const char *w = words.v[i];

		if (!text_is_ascii(w, strlen(w)) || text_has_control(w, strlen(w)) ||
		    strchr(w, ':'))
			rc = setting_refuse(s, w, "the name of a header field", err);
		else if (is_vital(w))
			rc = setting_refuse(s, w, "a field that the message can be read without",
					    err);
	}
	if (rc == 0)
		*LIST_FIELD(target, s) = list_of(arena, &words);
	strvec_release(&words);
	return rc;
}
