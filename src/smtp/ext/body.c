/*
 * 8BITMIME (RFC 6152) and SMTPUTF8 (RFC 6531).
 *
 * Octets above 127 in the body are declared with BODY=8BITMIME and never
 * sent to a server that did not offer it (5.6.3). SMTPUTF8 is declared only
 * when an address (5.6.7) or the header (5.6.9) needs it; it implies
 * 8BITMIME.
 */
#include "config.h"
#include "smtp/ext/ext.h"

#include <string.h>

#include "conf/account.h"
#include "message/envelope.h"
#include "message/header.h"
#include "message/message.h"
#include "smtp/session.h"
#include "util/attr.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

static bool body_8bit_wanted(const struct session *s, const struct envelope *e)
{
	return e->body == BODY_8BITMIME && !session_has(s, EXT_SMTPUTF8);
}

static int body_8bit_check(const struct session *s, const struct envelope *e, struct error *err)
{
	if (e->body != BODY_8BITMIME || session_has(s, EXT_8BITMIME) ||
	    session_has(s, EXT_SMTPUTF8))
		return 0;
	return error_set(err, FAULT_CONVERSION, "the message has 8-bit characters and the "
			 "server does not offer 8BITMIME: encode it as quoted-printable or base64");
}

static void body_8bit_mail_params(const struct session *s, const struct envelope *e,
				  struct strbuf *out)
{
	(void)s;
	if (e->body == BODY_8BITMIME)
		strbuf_addstr(out, " BODY=8BITMIME");
}

/* BINARYMIME without CHUNKING is nothing: there is no way to send it (RFC 3030, section 3). */
static bool binary_offered(const struct session *s)
{
	return session_has(s, EXT_BINARYMIME) && session_has(s, EXT_CHUNKING);
}

static bool body_binary_wanted(const struct session *s, const struct envelope *e)
{
	(void)s;
	return e->body == BODY_BINARYMIME;
}

static int body_binary_check(const struct session *s, const struct envelope *e, struct error *err)
{
	if (e->body != BODY_BINARYMIME || binary_offered(s))
		return 0;
	return error_set(err, FAULT_CONVERSION, "the message is binary and the server does "
			 "not offer BINARYMIME: encode it as base64");
}

static void body_binary_mail_params(const struct session *s, const struct envelope *e,
				    struct strbuf *out)
{
	(void)s;
	if (e->body == BODY_BINARYMIME)
		strbuf_addstr(out, " BODY=BINARYMIME");
}

static bool body_utf8_wanted(const struct session *s, const struct envelope *e)
{
	(void)s;
	return e->utf8;
}

/* The address that makes SMTPUTF8 necessary; NULL if it is not an address. */
static const char *utf8_address(const struct envelope *e)
{
	if (!text_is_ascii(e->sender, strlen(e->sender)))
		return e->sender;
	for (size_t i = 0; i < e->rcpt_count; i++) {
		if (!text_is_ascii(e->rcpt[i].address, strlen(e->rcpt[i].address)))
			return e->rcpt[i].address;
	}
	return NULL;
}

static int body_utf8_check(const struct session *s, const struct envelope *e, struct error *err)
{
	if (!e->utf8 || session_has(s, EXT_SMTPUTF8))
		return 0;
	const char *address = utf8_address(e);

	if (address)
		return error_set(err, FAULT_UTF8_MISSING, "'%s' needs SMTPUTF8, which the "
				 "server does not offer", address);
	return error_set_status(err, FAULT_UTF8_MISSING, "5.6.9", "the header has UTF-8 that needs "
				"SMTPUTF8, which the server does not offer");
}

static void body_utf8_mail_params(const struct session *s, const struct envelope *e,
				  struct strbuf *out)
{
	/* RFC 6531, section 3.1: who takes SMTPUTF8 takes 8BITMIME, announced or not */
	if (!session_has(s, EXT_8BITMIME))
		body_8bit_mail_params(s, e, out);
	if (e->utf8)
		strbuf_addstr(out, " SMTPUTF8");
}

/* May the content get another form, to go without that extension? */
static bool converts(const struct session *s, const struct envelope *e, enum extension_id id)
{
	const enum ext_level level = extensions_level(s, e, id);

	return !e->burl && s->account->convert.convert_8bit != CONVERT_8BIT_NO &&
		level > LEVEL_TRY && level < LEVEL_REQUIRE;
}

bool body_binary_converts(const struct session *s, const struct envelope *e,
			  const struct message *m)
{
	return converts(s, e, EXT_BINARYMIME) &&
		(s->account->convert.signed_dkim || !header_is_signed(&m->header));
}

bool body_give_up(struct session *s, const struct envelope *e)
{
	static const enum extension_id ids[] = { EXT_8BITMIME, EXT_BINARYMIME, EXT_SMTPUTF8 };
	bool any = false;

	for (size_t i = 0; i < ARRAY_LEN(ids) && !utf8_address(e); i++) {
		struct strbuf said = STRBUF_INIT(64);

		if (session_has(s, ids[i]))
			extensions[ids[i]]->mail_params(s, e, &said);
		if (said.len && converts(s, e, ids[i])) {
			session_give_up(s, ids[i]);
			any = true;
		}
		strbuf_release(&said);
	}
	if (any && session_has(s, EXT_SIZE))
		session_give_up(s, EXT_SIZE);
	return any;
}

const struct extension ext_8BITMIME = {
	.keyword = "8BITMIME", .level = LEVEL_DOWNGRADE, .params = "BODY", .remembered = true,
	.wanted = body_8bit_wanted, .check = body_8bit_check,
	.mail_params = body_8bit_mail_params, .mail_octets = 17
};

const struct extension ext_BINARYMIME = {
	.keyword = "BINARYMIME", .level = LEVEL_DOWNGRADE, .params = "BODY",
	.wanted = body_binary_wanted, .check = body_binary_check,
	.mail_params = body_binary_mail_params, .mail_octets = 16
};

const struct extension ext_SMTPUTF8 = {
	.keyword = "SMTPUTF8", .level = LEVEL_DOWNGRADE, .params = "SMTPUTF8",
	.wanted = body_utf8_wanted, .check = body_utf8_check,
	.mail_params = body_utf8_mail_params, .mail_octets = 10 + 17
};
