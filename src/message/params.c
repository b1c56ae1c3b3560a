#include "config.h"
#include "message/params.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "message/request.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

enum {
	SIZE_DIGITS_MAX = 20, ENVID_MAX = 100, ORCPT_MAX = 500,	/* RFC 1870; RFC 3461, 4 */
	VALUE_MAX = 1000
};

/* One value on its way into the envelope or the recipient. */
struct value {
	const struct params_reading *reading;
	struct envelope *e;
	struct recipient *r;		/* NULL for MAIL */
	struct error *err;		/* the readers' own words are not the client's to hear */
};

/* --- forms --------------------------------------------------------------------------- */

/* Is text of that form: 'd' stands for a digit, a letter for itself in either case. */
static bool has_form(const char *text, const char *form)
{
	for (; *form && *text; form++, text++) {
		bool digit = *text >= '0' && *text <= '9';

		if (*form == 'd' ? !digit : text_fold(*text) != text_fold(*form))
			return false;
	}
	return !*form && !*text;
}

/* 1*9DIGIT, at *p; goes behind it. */
static bool skip_nine_digits(const char **p)
{
	size_t n = strspn(*p, "0123456789");

	*p += n;
	return n >= 1 && n <= 9;
}

/* full-date "T" partial-time without a fraction (RFC 3339), then "Z" or an offset */
static bool is_moment(const char *text, bool utc_only)
{
	return has_form(text, "dddd-dd-ddTdd:dd:ddZ") ||
		(!utc_only && (has_form(text, "dddd-dd-ddTdd:dd:dd+dd:dd") ||
			       has_form(text, "dddd-dd-ddTdd:dd:dd-dd:dd")));
}

/* --- values of MAIL ------------------------------------------------------------------ */

/* size-value = 1*20DIGIT; what is more than 64 bits hold is UINT64_MAX */
static int read_size(const struct value *v, const char *text)
{
	const size_t len = strlen(text);

	if (len > SIZE_DIGITS_MAX || strspn(text, "0123456789") < len)
		return -1;
	v->e->size = strtoull(text, NULL, 10);
	return 0;
}

/* BODY=7BIT, 8BITMIME (RFC 6152), BINARYMIME (RFC 3030) */
static int read_body(const struct value *v, const char *text)
{
	static const struct name_value bodies[] = {
		{ "7BIT", BODY_7BIT }, { "8BITMIME", BODY_8BITMIME },
		{ "BINARYMIME", BODY_BINARYMIME }, NAMES_END,
	};
	int body;

	if (names_find(bodies, text, &body) < 0 ||
	    (body == BODY_BINARYMIME && !v->reading->announced[EXT_BINARYMIME]))
		return -1;
	v->e->body = (enum body)body;
	return 0;
}

static int read_utf8(const struct value *v, const char *text)
{
	(void)text;
	v->e->utf8 = true;
	return 0;
}

static int read_requiretls(const struct value *v, const char *text)
{
	(void)text;
	v->e->ext.requiretls = true;
	return 0;
}

static int read_ret(const struct value *v, const char *text)
{
	static const struct name_value forms[] = {
		{ "FULL", DSN_RET_FULL }, { "HDRS", DSN_RET_HDRS }, NAMES_END,
	};
	int ret;

	if (names_find(forms, text, &ret) < 0)
		return -1;
	v->e->ret = (unsigned)ret;
	return 0;
}

/* xtext that stands for printable ASCII; NULL if it is none */
static const char *decode_xtext(const struct value *v, const char *text)
{
	struct strbuf out = STRBUF_INIT(VALUE_MAX);
	const char *kept = NULL;

	if (xtext_decode(&out, text) == 0 && !strbuf_overflow(&out) &&
	    text_is_ascii(out.buf, out.len) && !text_has_control(out.buf, out.len))
		kept = arena_strdup(v->e->arena, out.buf);
	strbuf_release(&out);
	return kept;
}

static int read_envid(const struct value *v, const char *text)
{
	v->e->envid = strlen(text) <= ENVID_MAX ? decode_xtext(v, text) : NULL;
	return v->e->envid ? 0 : -1;
}

/* What is well written and no address counts as "<>" (RFC 4954, section 5). */
static int read_auth(const struct value *v, const char *text)
{
	const char *address = decode_xtext(v, text);

	if (!address)
		return -1;
	if (request_mail_auth(address, v->reading->now, v->e, v->err) < 0)
		v->e->ext.mail_auth = "";
	return 0;
}

/* priority-value = ["-"] NZDIGIT / "0" (RFC 6710, section 7): no names */
static int read_priority(const struct value *v, const char *text)
{
	if (!has_form(text + (*text == '-'), "d"))
		return -1;
	return request_mt_priority(text, v->reading->now, v->e, v->err);
}

/* by-value = ["+" / "-"] 1*9DIGIT ";" ("R" / "N") ["T"] (RFC 2852, section 4) */
static int read_by(const struct value *v, const char *text)
{
	const char *digits = text + (*text == '+' || *text == '-'), *p = digits;

	if (!skip_nine_digits(&p) || *p++ != ';' || !*p || !strchr("RrNn", *p) ||
	    (p[1] && (!strchr("Tt", p[1]) || p[2])))
		return -1;
	if (strchr("Rr", *p) && strtoul(digits, NULL, 10) < v->reading->by_min)
		return -1;
	return request_deliver_by(*text == '+' ? digits : text, v->reading->now, v->e, v->err);
}

/* future-release-interval = 1*9DIGIT, not 0 (RFC 4865, section 3) */
static int read_hold_for(const struct value *v, const char *text)
{
	const char *p = text;

	if (!skip_nine_digits(&p) || *p)
		return -1;
	return request_hold_for(text, v->reading->now, v->e, v->err);
}

static int read_hold_until(const struct value *v, const char *text)
{
	if (!is_moment(text, true))
		return -1;
	return request_hold_until(text, v->reading->now, v->e, v->err);
}

/* --- values of RCPT ------------------------------------------------------------------ */

static int read_notify(const struct value *v, const char *text)
{
	v->r->notify = request_notify(text);
	return v->r->notify ? 0 : -1;
}

/* The code point of HEXPOINT (RFC 6533, section 3) as UTF-8; false if it is none. */
static bool add_point(struct strbuf *out, const char *hex, size_t n)
{
	unsigned long point = 0;

	for (size_t i = 0; i < n; i++) {
		const int digit = text_hex_value(hex[i]);

		if (digit < 0)
			return false;
		point = point << 4 | (unsigned long)digit;
	}
	if (n < 2 || n > 6 || point > 0x10ffff)
		return false;
	if (point < 0x80) {
		strbuf_addch(out, (char)point);
		return true;
	}
	static const unsigned char lead[] = { 0, 0xc0, 0xe0, 0xf0 };
	int more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;

	strbuf_addch(out, (char)(lead[more] | point >> 6 * more));
	while (more--)
		strbuf_addch(out, (char)(0x80 | (point >> 6 * more & 0x3f)));
	return true;
}

/* utf-8-addr-xtext, utf-8-addr-unitext (RFC 6533, section 3); NULL if it is neither */
static const char *decode_unitext(const struct value *v, const char *text)
{
	struct strbuf out = STRBUF_INIT(VALUE_MAX);
	bool good = true;

	for (; *text && good; text++) {
		if (*text != '\\') {
			good = *text != '+';
			strbuf_addch(&out, *text);
			continue;
		}
		const size_t n = strcspn(text, "}");

		good = text[1] == 'x' && text[2] == '{' && text[n] &&
			add_point(&out, text + 3, n - 3);
		text += good ? n : 0;
	}
	const char *kept = good && !strbuf_overflow(&out) && text_is_utf8(out.buf, out.len) &&
		!text_has_control(out.buf, out.len) ? arena_strdup(v->e->arena, out.buf) : NULL;

	strbuf_release(&out);
	return kept;
}

/* original-recipient-address = addr-type ";" xtext (RFC 3461, section 4.2) */
static int read_orcpt(const struct value *v, const char *text)
{
	const size_t n = strcspn(text, ";");
	const bool utf8 = text_same(text, n, "utf-8");

	if (!n || !text[n] || !text[n + 1] || strlen(text) > ORCPT_MAX || !request_is_type(text, n))
		return -1;
	v->r->orcpt = utf8 ? decode_unitext(v, text + n + 1) : decode_xtext(v, text + n + 1);
	if (!utf8 && !text_same(text, n, "rfc822"))
		v->r->orcpt_type = arena_strndup(v->e->arena, text, n);
	return v->r->orcpt ? 0 : -1;
}

/* rrvs-param = date-time [";" ("C" / "R")] (RFC 7293, section 3.1) */
static int read_rrvs(const struct value *v, const char *text)
{
	const size_t n = strcspn(text, ";");

	if (!is_moment(arena_strndup(v->e->arena, text, n), false) ||
	    (text[n] && !has_form(text + n, ";C") && !has_form(text + n, ";R")))
		return -1;
	return request_rcpt_rrvs(v->r, text, v->reading->now, v->err);
}

/* --- words --------------------------------------------------------------------------- */

struct param {
	const char *keyword;
	enum extension_id extension;	/* that announces it */
	int (*read)(const struct value *, const char *text);
	bool alone;			/* it has no value */
};

static const struct param mail_params[] = {
	{ "SIZE", EXT_SIZE, .read = read_size }, { "BODY", EXT_8BITMIME, .read = read_body },
	{ "SMTPUTF8", EXT_SMTPUTF8, .read = read_utf8, .alone = true },
	{ "AUTH", EXT_AUTH, .read = read_auth }, { "RET", EXT_DSN, .read = read_ret },
	{ "ENVID", EXT_DSN, .read = read_envid },
	{ "REQUIRETLS", EXT_REQUIRETLS, .read = read_requiretls, .alone = true },
	{ "MT-PRIORITY", EXT_MT_PRIORITY, .read = read_priority },
	{ "BY", EXT_DELIVERBY, .read = read_by },
	{ "HOLDFOR", EXT_FUTURERELEASE, .read = read_hold_for },
	{ "HOLDUNTIL", EXT_FUTURERELEASE, .read = read_hold_until }, { .keyword = NULL },
};

static const struct param rcpt_params[] = {
	{ "NOTIFY", EXT_DSN, .read = read_notify }, { "ORCPT", EXT_DSN, .read = read_orcpt },
	{ "RRVS", EXT_RRVS, .read = read_rrvs }, { .keyword = NULL },
};

static int refuse_param(struct error *err, int reply, const char *text, const char *word,
			int len)
{
	error_set(err, FAULT_PARAMETER, "%s '%.*s'", text, len, word);
	err->reply = reply;
	return -1;
}

static const struct param *find_param(const struct param *table, const char *word, size_t len)
{
	for (; table->keyword; table++)
		if (text_same(word, len, table->keyword))
			return table;
	return NULL;
}

/*
 * esmtp-param   = esmtp-keyword ["=" esmtp-value]
 * esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
 * esmtp-value   = 1*(%d33-60 / %d62-126)
 */
static int read_parameter(const struct value *v, const struct param *table, const char *word,
			  size_t len, unsigned *seen, struct error *err)
{
	const char *equals = memchr(word, '=', len);
	const size_t name = equals ? (size_t)(equals - word) : len;
	const struct param *param = find_param(table, word, name);

	if (!param || !v->reading->announced[param->extension])
		return refuse_param(err, 555, "unknown parameter", word, (int)name);
	const unsigned bit = 1U << (param - table);

	if (*seen & bit)
		return refuse_param(err, 501, "parameter given twice:", word, (int)name);
	*seen |= bit;
	const char *text = arena_strndup(v->e->arena, equals ? equals + 1 : "",
					 equals ? len - name - 1 : 0);

	if (param->alone ? equals != NULL : !*text || param->read(v, text) < 0)
		return refuse_param(err, 501, "bad value of parameter", word, (int)name);
	return param->alone ? param->read(v, text) : 0;
}

static int read_words(const struct value *v, const struct param *table, const char *text,
		      bool utf8, struct error *err)
{
	const size_t n = strlen(text);
	unsigned seen = 0;

	if (text_has_control(text, n) || !(utf8 ? text_is_utf8(text, n) : text_is_ascii(text, n)))
		return refuse_param(err, 501, "no printable ASCII in parameters:", "?", 1);
	while (*(text += strspn(text, " "))) {
		const size_t len = strcspn(text, " ");

		if (read_parameter(v, table, text, len, &seen, err) < 0)
			return -1;
		text += len;
	}
	return 0;
}

/* RFC 4865: sections 5.1.1 and 5.2, and the limit that was announced. */
static int check_hold(const struct params_reading *p, const struct envelope *e,
		      struct error *err)
{
	const struct ext_request *x = &e->ext;

	if (x->hold == HOLD_NONE)
		return 0;
	if (!*e->sender)
		return refuse_param(err, 501, "no release time with the null sender:", "<>", 2);
	if (x->hold_ms > p->now + (int64_t)p->hold_max * 1000)
		return refuse_param(err, 501, "the release time is further away than",
				    "FUTURERELEASE", 13);
	if (x->by != BY_NONE && x->by_ms <= x->hold_ms)
		return refuse_param(err, 501, "the release time is behind that of", "BY", 2);
	return 0;
}

int params_read_mail(const struct params_reading *p, const char *text, struct envelope *e,
		     struct error *err)
{
	struct error unheard;
	const struct value v = { p, e, NULL, &unheard };

	if (read_words(&v, mail_params, text, false, err) < 0)
		return -1;
	return check_hold(p, e, err);
}

int params_read_rcpt(const struct params_reading *p, const char *text, const struct envelope *e,
		     struct recipient *r, struct error *err)
{
	struct error unheard;
	struct envelope *borrowed = (struct envelope *)e;	/* its arena alone is used */
	const struct value v = { p, borrowed, r, &unheard };

	return read_words(&v, rcpt_params, text, e->utf8, err);
}
