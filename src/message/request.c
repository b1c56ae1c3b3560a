#include "config.h"
#include "message/request.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "message/address.h"
#include "message/envelope.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

#define SOLICIT_MAX 1000	/* octets (RFC 3865, section 4.1) */
#define ORCPT_TYPE_MAX 30

static int refuse(const char *text, const char *want, struct error *err)
{
	return error_set(err, FAULT_USAGE, "'%.100s' is not %s", text, want);
}

/* The time before the last ';', and the letters behind it. */
static int time_and_letters(const char *text, int64_t now, struct datetime *time,
			    const char **letters, struct error *err)
{
	char word[64];
	size_t n = strcspn(text, ";");

	if (n >= sizeof(word))
		return refuse(text, "a time", err);
	memcpy(word, text, n);
	word[n] = '\0';
	*letters = text[n] ? text + n + 1 : "";
	return datetime_parse(word, now, time, err);
}

/* by-value = by-time ";" by-mode [by-trace]; by-time = ["-" / "+"] 1*9DIGIT */
int request_deliver_by(const char *text, int64_t now, struct envelope *e, struct error *err)
{
	static const struct name_value modes[] = {
		{ "", BY_NOTIFY }, { "N", BY_NOTIFY }, { "R", BY_RETURN }, { "T", BY_NOTIFY },
		{ "NT", BY_NOTIFY }, { "RT", BY_RETURN }, NAMES_END,
	};
	const char *letters;
	struct datetime t;
	int mode;

	if (time_and_letters(text, now, &t, &letters, err) < 0)
		return -1;
	if (names_find(modes, letters, &mode) < 0)
		return refuse(text, "TIME, TIME;N or TIME;R, with a T behind it for a trace", err);
	if (t.seconds > DATETIME_SECONDS_MAX || t.seconds < -DATETIME_SECONDS_MAX)
		return refuse(text, "within 999999999 seconds", err);
	if (mode == BY_RETURN && t.seconds < 1)
		return refuse(text, "in the future, as mode R wants it", err);
	e->ext.by = (enum by_mode)mode;
	e->ext.by_trace = strpbrk(letters, "Tt") != NULL;
	e->ext.by_ms = t.ms;
	return 0;
}

static int read_hold(const char *text, int64_t now, bool moment, struct envelope *e,
		     struct error *err)
{
	struct datetime t;

	if (e->ext.hold != HOLD_NONE)
		return error_set(err, FAULT_USAGE, "hold_for and hold_until do not go together");
	if (datetime_parse(text, now, &t, err) < 0)
		return -1;
	if (t.seconds > DATETIME_SECONDS_MAX)
		return refuse(text, "within 999999999 seconds", err);
	if (t.duration && t.seconds < 1)
		return refuse(text, "a time of at least one second", err);
	if (!t.duration && !moment)
		return refuse(text, "a time such as 2h30m", err);
	e->ext.hold = t.duration ? HOLD_FOR : HOLD_UNTIL;
	e->ext.hold_ms = t.ms;
	return 0;
}

int request_hold_for(const char *text, int64_t now, struct envelope *e, struct error *err)
{
	return read_hold(text, now, false, e, err);
}

int request_hold_until(const char *text, int64_t now, struct envelope *e, struct error *err)
{
	return read_hold(text, now, true, e, err);
}

/* priority-value = ["-"] NZDIGIT / "0" (RFC 6710, section 7) */
int request_mt_priority(const char *text, int64_t now, struct envelope *e, struct error *err)
{
	/* MIXER and STANAG4406 (appendices A and B) have no name in common */
	static const struct name_value names[] = {
		{ "non-urgent", -4 }, { "normal", 0 }, { "urgent", 4 },
		{ "deferred", -4 }, { "routine", -2 }, { "priority", 0 }, { "immediate", 2 },
		{ "flash", 4 }, { "override", 6 }, NAMES_END,
	};
	bool negative = *text == '-';
	const char *digit = text + negative;
	int n;

	(void)now;
	if (names_find(names, text, &n) == 0)
		digit = NULL;
	else if (*digit < '0' || *digit > '9' || digit[1] || (negative && *digit == '0'))
		return refuse(text, "a priority from -9 to 9, or a name like urgent or flash", err);
	if (digit)
		n = negative ? '0' - *digit : *digit - '0';
	e->ext.priority = n;
	e->ext.priority_given = true;
	return 0;
}

/* rrvs-param = date-time [ ";" ( "C" / "R" ) ] (RFC 7293, section 3.1) */
int request_rcpt_rrvs(struct recipient *out, const char *text, int64_t now,
		      struct error *err)
{
	const char *letters;
	struct datetime t;

	if (time_and_letters(text, now, &t, &letters, err) < 0)
		return -1;
	if (*letters && strcasecmp(letters, "C") != 0 && strcasecmp(letters, "R") != 0)
		return refuse(text, "TIME, TIME;C or TIME;R", err);
	out->rrvs = true;
	out->rrvs_continue = *letters == 'C' || *letters == 'c';
	out->rrvs_ms = t.ms;
	return 0;
}

int request_rrvs(const char *text, int64_t now, struct envelope *e, struct error *err)
{
	struct recipient asked;

	if (request_rcpt_rrvs(&asked, text, now, err) < 0)
		return -1;
	for (size_t i = 0; i < e->rcpt_count; i++) {
		struct recipient *r = &e->rcpt[i];

		if (r->rrvs)
			continue;
		r->rrvs = true;
		r->rrvs_continue = asked.rrvs_continue;
		r->rrvs_ms = asked.rrvs_ms;
	}
	return 0;
}

/* Copies text without blanks and (nested) comments; false when one is not closed. */
static bool strip(struct strbuf *out, const char *text)
{
	unsigned depth = 0;

	for (; *text; text++) {
		if (depth && *text == '\\' && text[1])
			text++;
		else if (*text == '(')
			depth++;
		else if (depth && *text == ')')
			depth--;
		else if (!depth && !strchr(" \t\r\n", *text))
			strbuf_addch(out, *text);
	}
	return depth == 0;
}

/*
 * Solicitation-keywords = word *("," word); word = ALPHA *( "." / "-" / "_" /
 * ":" / ALPHA / DIGIT ) (RFC 3865, section 4.1); at most 1000 characters.
 */
static bool is_solicit(const char *p)
{
	for (;; p++) {
		if (!isalpha((unsigned char)*p))
			return false;
		while (isalnum((unsigned char)*p) || (*p && strchr(".-_:", *p)))
			p++;
		if (*p != ',')
			return *p == '\0';
	}
}

int request_solicit(const char *text, int64_t now, struct envelope *e, struct error *err)
{
	struct strbuf bare = STRBUF_INIT(SOLICIT_MAX);
	int rc = 0;

	(void)now;
	if (strip(&bare, text) && !strbuf_overflow(&bare) && is_solicit(bare.buf))
		e->ext.solicit = arena_strdup(e->arena, bare.buf);
	else
		rc = refuse(text, "a list of keywords like org.example:ADV", err);
	strbuf_release(&bare);
	return rc;
}

/* mtrk-timeout = 1*9DIGIT (RFC 3885, section 3.1) */
int request_track(const char *text, int64_t now, struct envelope *e, struct error *err)
{
	struct datetime t;

	if (strcasecmp(text, "on") == 0 || strcasecmp(text, "yes") == 0) {
		e->ext.mtrk_timeout = 0;
		return 0;
	}
	if (datetime_parse(text, now, &t, err) < 0)
		return -1;
	if (t.seconds < 1 || t.seconds > DATETIME_SECONDS_MAX)
		return refuse(text, "a time of at least one second", err);
	e->ext.mtrk_timeout = (unsigned)t.seconds;
	return 0;
}

/* esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-"): its length, 0 if there is none */
static size_t keyword_length(const char *p)
{
	size_t n = 0;

	while (isalnum((unsigned char)p[n]) || (n && p[n] == '-'))
		n++;
	return n;
}

/* esmtp-value = 1*(%d33-60 / %d62-126), and UTF-8 (RFC 6531, section 3.3) */
static bool is_param_value(const char *p)
{
	size_t len = strlen(p);

	return len && !strpbrk(p, " =") && !text_has_control(p, len) && text_is_utf8(p, len);
}

int request_param(const char *text, size_t *name_len_out, const char **ehlo_out,
		  size_t *ehlo_len_out, const char **value_out, struct error *err)
{
	size_t name = keyword_length(text), ehlo = name;
	const char *p = text + name, *from = text;

	if (name && *p == '@') {
		from = p + 1;
		ehlo = keyword_length(from);
		p = from + ehlo;
	}
	if (!name || !ehlo || (*p && *p != '=') || (*p && !is_param_value(p + 1)))
		return refuse(text, "KEYWORD, KEYWORD=VALUE or KEYWORD@EHLONAME=VALUE", err);
	*name_len_out = name;
	*ehlo_out = from;
	*ehlo_len_out = ehlo;
	*value_out = *p ? p + 1 : NULL;
	return 0;
}

/* --- xtext ----------------------------------------------------------------- */

/* xtext = *( xchar / "+" 2HEXDIG ); xchar = %x21-2A / %x2C-3C / %x3E-7E */
static bool is_xchar(char c)
{
	return c > 32 && c < 127 && c != '+' && c != '=';
}

static const char xtext_digits[] = "0123456789ABCDEF";

void xtext_add(struct strbuf *out, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (is_xchar(*s)) {
			strbuf_addch(out, *s);
		} else {
			strbuf_addch(out, '+');
			strbuf_addch(out, xtext_digits[c >> 4]);
			strbuf_addch(out, xtext_digits[c & 15]);
		}
	}
}

int xtext_decode(struct strbuf *out, const char *xtext)
{
	for (; *xtext; xtext++) {
		if (is_xchar(*xtext)) {
			strbuf_addch(out, *xtext);
			continue;
		}
		const char *high = *xtext == '+' && xtext[1] ?
			strchr(xtext_digits, xtext[1]) : NULL;
		const char *low = high && xtext[2] ? strchr(xtext_digits, xtext[2]) : NULL;

		if (!low || (high == xtext_digits && low == xtext_digits))
			return -1;
		strbuf_addch(out, (char)((high - xtext_digits) << 4 | (low - xtext_digits)));
		xtext += 2;
	}
	return 0;
}

/* --- notify ---------------------------------------------------------------- */

static unsigned notify_bit(const char *word, size_t len)
{
	static const struct {
		const char *name;
		unsigned bit;
	} names[] = { { "never", DSN_NOTIFY_NEVER }, { "success", DSN_NOTIFY_SUCCESS },
		      { "failure", DSN_NOTIFY_FAILURE }, { "delay", DSN_NOTIFY_DELAY } };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strlen(names[i].name) == len && strncasecmp(names[i].name, word, len) == 0)
			return names[i].bit;
	}
	return 0;
}

unsigned request_notify(const char *text)
{
	unsigned bits = 0;

	for (bool more = true; more;) {
		const size_t n = strcspn(text, ",");
		const unsigned bit = notify_bit(text, n);

		if (!bit)
			return 0;
		bits |= bit;
		more = text[n] == ',';
		text += n + 1;
	}
	return bits & DSN_NOTIFY_NEVER && bits != DSN_NOTIFY_NEVER ? 0 : bits;
}

/* --- one recipient with its own options ------------------------------------ */

/* Where the address ends: at a comma that is neither quoted nor in <...>. */
static size_t address_length(const char *p)
{
	bool quoted = false, angle = false;
	size_t n = 0;

	for (; p[n] && (quoted || angle || p[n] != ','); n++) {
		if (quoted && p[n] == '\\' && p[n + 1])
			n++;
		else if (p[n] == '"')
			quoted = !quoted;
		else if (!quoted && (p[n] == '<' || p[n] == '>'))
			angle = p[n] == '<';
	}
	return n;
}

/* The value's length: a list of notify goes on as long as its words are such. */
static size_t value_length(const char *key, const char *value)
{
	size_t n = strcspn(value, ",");

	while (strncasecmp(key, "notify=", 7) == 0 && value[n] == ',' &&
	       notify_bit(value + n + 1, strcspn(value + n + 1, ",")))
		n += 1 + strcspn(value + n + 1, ",");
	return n;
}

static int set_notify(struct recipient *r, const char *value, int64_t now, struct error *err)
{
	(void)now;
	r->notify = request_notify(value);
	return r->notify ? 0 : refuse(value, "never, or a list of success, failure, delay", err);
}

bool request_is_type(const char *text, size_t n)
{
	static const char others[] = "!#$%&'*+-/=?^_`{|}~";

	if (n > ORCPT_TYPE_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr(others, text[i]))
			return false;
	return n > 0;
}

/* Only addresses of type rfc822 are made here; the type may be written (RFC 3461, 4.2). */
static int set_orcpt(struct recipient *r, const char *value, int64_t now, struct error *err)
{
	static const char type[] = "rfc822;";
	const size_t n = sizeof(type) - 1;

	(void)now;
	if (strncasecmp(value, type, n) == 0)
		value += n;
	if (!*value || text_has_control(value, strlen(value)) ||
	    !text_is_ascii(value, strlen(value)))
		return refuse(value, "an address of printable ASCII", err);
	r->orcpt = value;
	return 0;
}

static const struct {
	const char *key;
	int (*set)(struct recipient *, const char *value, int64_t now, struct error *);
} recipient_keys[] = {
	{ "notify=", set_notify }, { "orcpt=", set_orcpt }, { "rrvs=", request_rcpt_rrvs },
};

/* "notify=success,failure": sets it, returns the octets that it took; 0 and err. */
static size_t take_option(struct arena *a, struct recipient *r, const char *p, int64_t now,
			  struct error *err)
{
	for (size_t i = 0; i < ARRAY_LEN(recipient_keys); i++) {
		const char *key = recipient_keys[i].key;
		size_t n = strlen(key);

		if (strncasecmp(p, key, n) != 0)
			continue;
		size_t len = value_length(key, p + n);

		if (recipient_keys[i].set(r, arena_strndup(a, p + n, len), now, err) < 0)
			return 0;
		return n + len;
	}
	refuse(p, "notify=WHEN, orcpt=ADDRESS or rrvs=TIME", err);
	return 0;
}

int request_recipient(struct envelope *e, const char *text, int64_t now, struct error *err)
{
	size_t n = address_length(text);
	struct recipient r = { .source = RCPT_SOURCE_OPTION };
	struct mailbox box;

	struct error bad = { 0 };
	const char *address = arena_strndup(e->arena, text, n);

	if (address_parse_one(e->arena, address, 0, &box, &bad) < 0)
		error_recast(&bad, FAULT_USAGE);
	for (const char *p = text + n; *p; p += n) {
		n = take_option(e->arena, &r, ++p, now, err);
		if (n == 0)
			return -1;
		if (p[n] && p[n] != ',')
			return refuse(p, "followed by a comma", err);
	}
	char shown[256];

	(void)text_escape(shown, sizeof(shown), address, strlen(address));
	if (bad.exit)
		envelope_set_aside(e, arena_strdup(e->arena, shown), &bad);
	else
		envelope_add_as(e, box.address, NULL, &r);
	return 0;
}

/* --- addresses and fields --------------------------------------------------- */

/* One mailbox, as it is written; what is sent of it has to be ASCII. */
static int read_address(const char *text, struct envelope *e, const char **out, struct error *err)
{
	struct mailbox box;

	if (address_parse_one(e->arena, text, 0, &box, err) < 0)
		return -1;
	if (!box.domain || !text_is_ascii(box.address, strlen(box.address)))
		return refuse(text, "an ASCII address with a domain", err);
	*out = box.address;
	return 0;
}

int request_submitter(const char *text, int64_t now, struct envelope *e, struct error *err)
{
	(void)now;
	return strcasecmp(text, "auto") == 0 ? 0 : read_address(text, e, &e->ext.submitter, err);
}

int request_mail_auth(const char *text, int64_t now, struct envelope *e, struct error *err)
{
	const char *ignored;

	(void)now;
	if (strcmp(text, "<>") != 0 && read_address(text, e, &ignored, err) < 0)
		return -1;
	e->ext.mail_auth = strcmp(text, "<>") == 0 ? "" : text;
	return 0;
}

int request_field(const char *text, int64_t now, struct envelope *e, struct error *err)
{
	const size_t len = strlen(text);

	(void)now, (void)e;
	if (text_has_control(text, len) || !text_is_ascii(text, len))
		return refuse(text, "printable ASCII", err);
	return 0;
}
