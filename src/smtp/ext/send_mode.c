/*
 * SEND, SOML, SAML (RFC 821, section 3.4): transactions that begin with
 * another verb than MAIL and show the message on the recipient's terminal.
 *
 * Servers older than EHLO know them without announcing them, so they are
 * tried; where they are not known, SOML and SAML become MAIL, which is the
 * mailbox half of what they mean, and SEND fails. A message with the null
 * reverse-path is a notice and always goes by MAIL.
 */
#include "config.h"
#include "smtp/ext/ext.h"

#include "conf/account.h"
#include "message/envelope.h"
#include "smtp/session.h"
#include "util/error.h"
#include "util/strbuf.h"

static const struct {
	const char *open;
	enum extension_id extension;
} verbs[] = {
	[SEND_MODE_MAIL] = { "MAIL FROM:<", EXT_COUNT },
	[SEND_MODE_SEND] = { "SEND FROM:<", EXT_SEND },
	[SEND_MODE_SOML] = { "SOML FROM:<", EXT_SOML },
	[SEND_MODE_SAML] = { "SAML FROM:<", EXT_SAML },
};

enum send_mode send_mode(const struct session *s, const struct envelope *e)
{
	if (s->send_refused || !*e->sender || s->protocol == SESSION_LMTP)
		return SEND_MODE_MAIL;
	return s->account->cmd.send_mode;
}

const char *send_mode_open(enum send_mode mode)
{
	return verbs[mode].open;
}

size_t send_mode_params(const struct session *s, const struct envelope *e, struct strbuf *out)
{
	static const enum extension_id known[] = { EXT_SIZE, EXT_8BITMIME };
	size_t octets = 0;

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		const struct extension *x = extensions[known[i]];

		if (!session_has(s, known[i]))
			continue;
		x->mail_params(s, e, out);
		octets += x->mail_octets;
	}
	return octets;
}

bool send_mode_uncertain(const struct session *s, enum send_mode mode)
{
	return mode != SEND_MODE_MAIL && !session_has(s, verbs[mode].extension);
}

bool send_mode_fall_back(struct session *s, const struct envelope *e, const struct reply *r)
{
	enum send_mode mode = send_mode(s, e);

	if (mode == SEND_MODE_MAIL || mode == SEND_MODE_SEND || s->dead ||
	    (r->code != 500 && r->code != 502 && r->code != 504) ||
	    extensions_level(s, e, verbs[mode].extension) == LEVEL_REQUIRE)
		return false;
	s->send_refused = true;
	return true;
}

static int send_mode_check(const struct session *s, const struct envelope *e, struct error *err)
{
	enum send_mode mode = send_mode(s, e);

	if (mode == SEND_MODE_MAIL || session_has(s, verbs[mode].extension) ||
	    extensions_level(s, e, verbs[mode].extension) != LEVEL_REQUIRE)
		return 0;
	error_set(err, FAULT_EXTENSION_MISSING, "%s does not offer %.4s, which is required "
		  "by 'send_mode'", s->server_name, verbs[mode].open);
	return session_named(s, err);
}

const struct extension ext_SEND = {
	.keyword = "SEND", .option = "send_mode", .level = LEVEL_TRY,
	.check = send_mode_check
};

const struct extension ext_SOML = { .keyword = "SOML", .option = "send_mode", .level = LEVEL_TRY };
const struct extension ext_SAML = { .keyword = "SAML", .option = "send_mode", .level = LEVEL_TRY };
