/*
 * Settings of sender, recipients, header and form of a message.
 */
#include "config.h"
#define ROWS_FILE ROWS_MAIL
#include "conf/settings_rows.h"

#include <string.h>
#include <strings.h>

#include "conf/account.h"
#include "message/address.h"
#include "message/charset.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

#define CHARSET_MAX 40		/* RFC 2978, section 2.3 */

SETTING_SETTER(set_domain)
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

WORD_CHECK(check_criterion)
{
	static const struct name_value criteria[] = {
		{ "envelope", 0 }, { "header", 1 }, { "recipients", 2 }, { "user", 3 },
		{ "default", 4 }, NAMES_END
	};
	int ignored;

	return names_find(criteria, word, &ignored) == 0 ? 0 :
		setting_refuse(s, word, "one of envelope, header, recipients, user, default", err);
}

SETTING_SETTER(check_match)
{
	return *LIST_FIELD(target, s) ? 0 : setting_refuse(s, value, "a list of envelope, header, "
							   "recipients, user, default", err);
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
WORD_CHECK(check_strip)
{
	const size_t len = strlen(word);

	if (!text_is_ascii(word, len) || text_has_control(word, len) || strchr(word, ':'))
		return setting_refuse(s, word, "the name of a header field", err);
	return is_vital(word) ? setting_refuse(s, word, "a field that the message can be read "
					       "without", err) : 0;
}

/* mime-charset-chars (RFC 2978, section 2.3): what can stand in an encoded word as it is */
SETTING_SETTER(check_charset)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789!#$%&+-^_`{}~";
	const size_t len = strlen(value);

	if (strspn(value, allowed) != len || len > CHARSET_MAX)
		return setting_refuse(s, value, "the name of a charset", err);
	return 0;
}

/* One that text in ASCII can be in as it is; NULL for UTF-8, which all is in anyway. */
SETTING_SETTER(set_charset_out)
{
	const bool utf8 = !*value || strcasecmp(value, "utf-8") == 0;

	if (!utf8 && !charset_keeps_ascii(value))
		return setting_refuse(s, value, "a charset that is known here and holds ASCII",
				      err);
	*TEXT_FIELD(target, s) = utf8 ? NULL : arena_strdup(arena, value);
	return 0;
}

SETTING_PRINTER(print_charset_out)
{
	const char *charset = *(const char *const *)((const char *)target + s->offset);

	strbuf_addstr(out, charset ? charset : "utf-8");
}

#define CODES(x) \
	x(DO_DOMAIN, .set = set_domain, .print = setting_print_text) \
	x(DO_CHARSET_OUT, .set = set_charset_out, .print = print_charset_out) \
	x(DO_MATCH, .set = check_match, .check = check_criterion) \
	x(DO_STRIP, .check = check_strip) \
	x(DO_CHARSET, .set = check_charset)
SETTING_CODES(settings_mail_code, CODES);

const struct setting settings_mail[] = {
{ HEADING("message", "Sender, recipients, header, message") },
/* sender, recipients, header */
{ OWNER("from"), LIST(from),
  .arg = "address,...", .help = "sender; further patterns choose this account" },
{ OWNER("match_user"), LIST(match_user),
  .arg = "login,...", .help = "login names whose mail takes this account" },
{ OWNER("match_to"), LIST(match_to),
  .arg = "pattern,...", .help = "mail that goes to these alone takes this account" },
{ OWNER("account_match"), WORDS(account_match, DO_MATCH),
  .def = "envelope, header, recipients, user, default",
  .arg = "envelope|header|recipients|user|default,...",
  .help = "what chooses the account, in this order" },
{ OWNER("from_override"), CHOICE(enum from_override, from_override, { "no", FROM_OVERRIDE_NO },
  { "own-domain", FROM_OVERRIDE_OWN_DOMAIN }, { "own_domain", FROM_OVERRIDE_OWN_DOMAIN },
  { "any", FROM_OVERRIDE_ANY }), .def = "own-domain", .classic_def = "any",
  .help = "which senders of -f are kept" },
{ ANYONE("read_envelope_from"), SWITCH(read_envelope_from), .def = "off",
  .help = "without -f the envelope sender is that of the From field" },
{ OWNER("from_full_name"), TEXT(from_full_name), .arg = "name",
  .help = "name in a From field that is added" },
{ OWNER("default_domain"), TEXT(default_domain), .arg = "domain",
  .help = "completes addresses without a domain" },
{ OWNER("qualify"), SWITCH(qualify), .def = "on", .classic_def = "off",
  .help = "complete addresses without a domain" },
{ OWNER("auto_from"), SWITCH(auto_from, | SETTING_DEPRECATED), .def = "off",
  .help = "sender is the login name at maildomain" },
{ OWNER("maildomain"), TEXT(maildomain), .flags = SETTING_DEPRECATED, .arg = "domain",
  .help = "domain for auto_from" },
{ OWNER("aliases"), FILE_NAME(aliases), .def = "/etc/aliases", .classic_def = SETTING_EMPTY,
  .help = "aliases of local recipients" },
{ OWNER("set_from_header"), CHOICE(enum set_header, set_from_header, { "auto", SET_HEADER_AUTO },
  { "on", SET_HEADER_ON }, { "off", SET_HEADER_OFF }, { "yes", SET_HEADER_ON },
  { "no", SET_HEADER_OFF }), .def = "auto",
  .help = "add From when missing, always (replacing), never" },
/* these are never replaced: "on" is no value of theirs */
{ OWNER("set_date_header"), CHOICE(enum set_header, set_date_header,
  { "auto", SET_HEADER_AUTO }, { "off", SET_HEADER_OFF }, { "no", SET_HEADER_OFF }), .def = "auto",
  .help = "add Date when missing, never" },
{ OWNER("set_msgid_header"), CHOICE(enum set_header, set_msgid_header,
  { "auto", SET_HEADER_AUTO }, { "off", SET_HEADER_OFF }, { "no", SET_HEADER_OFF }), .def = "auto",
  .help = "add Message-ID when missing, never" },
{ OWNER("undisclosed_recipients"), SWITCH(undisclosed_recipients), .def = "off",
  .help = "replace To and Cc by an empty group" },
{ OWNER("remove_bcc_headers"), SWITCH(remove_bcc_headers), .def = "on", .help = "remove Bcc" },
{ OWNER("bcc_separate"), SWITCH(bcc_separate), .def = "off",
  .help = "recipients that the header does not show get a transaction of their own" },
{ OWNER("bcc_copies"), SWITCH(bcc_copies), .def = "off",
  .help = "... and those of Bcc each a copy that names them there" },
{ OWNER("strip"), WORDS(strip, DO_STRIP), .arg = "field,...",
  .help = "header fields that are removed" },
{ OWNER("message_id_domain"),
  SPECIAL(const char *, message_id_domain, DO_DOMAIN),
  .arg = "domain", .help = "what stands behind @ in a Message-ID that is added" },
{ OWNER("message_id_style"), CHOICE(enum message_id_style, message_id_style,
  { "time", MESSAGE_ID_TIME }, { "random", MESSAGE_ID_RANDOM }, { "hash", MESSAGE_ID_HASH }),
  .def = "time",
  .help = "what stands before it: with the time, random, of the content" },
{ OWNER("privacy"), SWITCH(privacy), .def = "off",
  .help = "no name of this host in a Message-ID that is added" },
{ OWNER("add_mime"), SWITCH(add_mime), .def = "on", .classic_def = "off",
  .help = "say what an 8-bit body without MIME fields is" },

/* the form of the message */
{ OWNER("convert_8bit"), CHOICE(enum convert_8bit, convert.convert_8bit,
  { "yes", CONVERT_8BIT_YES }, { "no", CONVERT_8BIT_NO }, { "always", CONVERT_8BIT_ALWAYS },
  { "on", CONVERT_8BIT_YES }, { "off", CONVERT_8BIT_NO }), .def = "yes",
  .help = "encode 8-bit content when the server has no 8BITMIME; for every server" },
{ OWNER("long_lines"), CHOICE(enum long_lines, convert.long_lines,
  { "encode", LONG_LINES_ENCODE }, { "split", LONG_LINES_SPLIT }, { "reject", LONG_LINES_REJECT },
  { "pass", LONG_LINES_PASS }), .def = "encode", .help = "lines of more than 998 octets" },
{ OWNER("bare_cr"), CHOICE(enum bare_cr, convert.bare_cr, { "line-end", BARE_CR_LINE_END },
  { "line_end", BARE_CR_LINE_END }, { "space", BARE_CR_SPACE }, { "reject", BARE_CR_REJECT },
  { "encode", BARE_CR_ENCODE }), .def = "line-end",
  .help = "what a CR in a line of the body is" },
{ OWNER("stdin_timeout"), TIME(input), .def = "off",
  .help = "longest wait for more of the message" },
{ ANYONE("smtputf8_downgrade"), CHOICE(enum utf8_downgrade, convert.smtputf8_downgrade,
  { "auto", UTF8_DOWNGRADE_AUTO }, { "never", UTF8_DOWNGRADE_NEVER },
  { "always", UTF8_DOWNGRADE_ALWAYS }), .def = "auto",
  .help = "write UTF-8 in header fields in ASCII" },
{ OWNER("convert_signed_dkim"), SWITCH(convert.signed_dkim), .def = "off",
  .help = "convert also what has a DKIM-Signature, which breaks it" },
{ OWNER("charset_out"),
  SPECIAL(const char *, convert.charset_out, DO_CHARSET_OUT),
  .def = "utf-8", .arg = "charset", .help = "what composed text and encoded words go out in" },
{ OWNER("default_charset"), TEXT(convert.default_charset), .code = CODE(DO_CHARSET),
  .arg = "charset", .help = "of 8-bit text that says nothing and is not UTF-8" },
{ .help = "" }
};

const struct setting settings_compose[] = {
{ HEADING("compose", "Writing a message") },
{ OWNER("max_header_length"), .type = SETTING_UINT,
  .offset = FIELD(unsigned, compose.max_header_length),
  .def = "78", .min = 76, .max = 998, .arg = "octets",
  .help = "fold longer lines of header fields that options make" },
{ OWNER("prefer_8bit"), SWITCH(compose.prefer_8bit), .def = "off",
  .help = "write 8-bit text as it is, not encoded" },
{ OWNER("filename_compat"), SWITCH(compose.filename_compat), .def = "off",
  .help = "file names beyond ASCII also for programs that do not know RFC 2231" },
{ OWNER("importance_style"), EITHER(compose.importance_all, { "simple", 0 }, { "all", 1 }),
  .def = "simple", .help = "all: --importance also adds X-Priority and X-MSMail-Priority" },
{ OWNER("strict_headers"), SWITCH(compose.strict_headers), .def = "off",
  .help = "refuse a message with two of a field that may occur once" },
{ .help = "" }
};
