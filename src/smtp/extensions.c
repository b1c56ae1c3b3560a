#include "config.h"
#include "smtp/extensions.h"

#include <string.h>
#include <strings.h>

#include "conf/account.h"
#include "message/envelope.h"
#include "smtp/ext_auth.h"
#include "smtp/ext_body.h"
#include "smtp/ext_dsn.h"
#include "smtp/ext_limits.h"
#include "smtp/ext_starttls.h"
#include "smtp/session.h"
#include "util/strbuf.h"
#include "util/strvec.h"

#define ARGUMENTS_MAX 128

const struct extension extensions[EXT_COUNT] = {
	[EXT_STARTTLS] = { .keyword = "STARTTLS", .after_ehlo = starttls_after_ehlo },
	[EXT_AUTH] = { .keyword = "AUTH", .parse = auth_parse, .after_ehlo = auth_after_ehlo },
	[EXT_SIZE] = { .keyword = "SIZE", .parse = size_parse, .check = size_check,
		.mail_params = size_mail_params, .mail_octets = 26 },
	[EXT_8BITMIME] = { .keyword = "8BITMIME", .wanted = body_8bit_wanted,
		.check = body_8bit_check, .mail_params = body_8bit_mail_params,
		.mail_octets = 17 },
	[EXT_SMTPUTF8] = { .keyword = "SMTPUTF8", .wanted = body_utf8_wanted,
		.check = body_utf8_check, .mail_params = body_utf8_mail_params,
		.mail_octets = 10 + 17 },
	[EXT_DSN] = { .keyword = "DSN", .wanted = dsn_wanted, .check = dsn_check,
		.mail_params = dsn_mail_params, .mail_octets = DSN_MAIL_OCTETS,
		.rcpt_params = dsn_rcpt_params, .rcpt_octets = DSN_RCPT_OCTETS },
	[EXT_ENHANCEDSTATUSCODES] = { .keyword = "ENHANCEDSTATUSCODES" },
	[EXT_PIPELINING] = { .keyword = "PIPELINING" },
	[EXT_CHUNKING] = { .keyword = "CHUNKING" },
	[EXT_LIMITS] = { .keyword = "LIMITS", .parse = limits_parse },
};

/* May the extension be used at all, as far as the account says? */
static bool enabled(const struct session *s, enum extension_id id)
{
	const struct account *a = s->account;

	if ((id == EXT_PIPELINING && !a->pipelining) || (id == EXT_CHUNKING && !a->chunking))
		return false;
	for (const char *const *name = a->disable_extensions; name && *name; name++) {
		if (strcasecmp(*name, extensions[id].keyword) == 0)
			return false;
	}
	return true;
}

static int note(struct session *s, enum extension_id id, const char *arguments, struct error *err)
{
	const struct extension *x = &extensions[id];
	struct strvec words = STRVEC_INIT(ARGUMENTS_MAX);
	int rc = 0;

	if (!enabled(s, id))
		return 0;
	s->announced[id] = true;
	if (x->parse) {
		strvec_split(&words, arguments, " \t");
		rc = x->parse(s, &words, err);
		strvec_release(&words);
	}
	return rc;
}

/*
 * ehlo-line = ehlo-keyword *( SP ehlo-param ); keyword = (ALPHA / DIGIT)
 * *(ALPHA / DIGIT / "-") (RFC 5321, section 4.1.1.1). "=" ends a keyword as
 * well, for old servers' "AUTH=PLAIN".
 */
int extensions_parse_line(struct session *s, const char *line, struct error *err)
{
	size_t n = strcspn(line, " \t=");

	for (int id = 0; id < EXT_COUNT; id++) {
		const char *keyword = extensions[id].keyword;

		if (strncasecmp(line, keyword, n) != 0 || keyword[n] != '\0')
			continue;
		if (line[n] == '=' && id != EXT_AUTH)
			return 0;
		return note(s, (enum extension_id)id, line[n] ? line + n + 1 : "", err);
	}
	return 0;
}

void extensions_forget(struct session *s)
{
	memset(s->announced, 0, sizeof(s->announced));
	s->size_limit = 0;
	s->rcpt_max = 0;
	s->server_name[0] = '\0';
	strvec_release(&s->mechanisms);
	strvec_release(&s->keywords);
}

enum ehlo_next extensions_after_ehlo(struct session *s, struct error *err)
{
	for (int id = 0; id < EXT_COUNT; id++) {
		if (!extensions[id].after_ehlo)
			continue;
		enum ehlo_next next = extensions[id].after_ehlo(s, err);

		if (next != EHLO_CONTINUE)
			return next;
	}
	return EHLO_CONTINUE;
}

int extensions_check(const struct session *s, const struct envelope *e, struct error *err)
{
	for (int id = 0; id < EXT_COUNT; id++) {
		if (extensions[id].check && extensions[id].check(s, e, err) < 0)
			return -1;
	}
	return 0;
}

bool extensions_missing(const struct session *s, const struct envelope *e)
{
	for (int id = 0; id < EXT_COUNT; id++) {
		if (extensions[id].wanted && !s->announced[id] &&
		    enabled(s, (enum extension_id)id) && extensions[id].wanted(s, e))
			return true;
	}
	return false;
}

size_t extensions_mail_params(const struct session *s, const struct envelope *e,
			      struct strbuf *out)
{
	size_t octets = 0;

	for (int id = 0; id < EXT_COUNT; id++) {
		size_t before = out->len;

		if (s->announced[id] && extensions[id].mail_params)
			extensions[id].mail_params(s, e, out);
		if (out->len != before)
			octets += extensions[id].mail_octets;
	}
	return octets;
}

size_t extensions_rcpt_params(const struct session *s, const struct envelope *e,
			      const struct recipient *r, struct strbuf *out)
{
	size_t octets = 0;

	for (int id = 0; id < EXT_COUNT; id++) {
		size_t before = out->len;

		if (s->announced[id] && extensions[id].rcpt_params)
			extensions[id].rcpt_params(s, e, r, out);
		if (out->len != before)
			octets += extensions[id].rcpt_octets;
	}
	return octets;
}

/* xtext = *( xchar / "+" 2HEXDIG ); xchar = %x21-2A / %x2C-3C / %x3E-7E */
void xtext_add(struct strbuf *out, const char *s)
{
	static const char hex[] = "0123456789ABCDEF";

	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c > 32 && c < 127 && c != '+' && c != '=') {
			strbuf_addch(out, *s);
		} else {
			strbuf_addch(out, '+');
			strbuf_addch(out, hex[c >> 4]);
			strbuf_addch(out, hex[c & 15]);
		}
	}
}
