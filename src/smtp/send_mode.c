#include "config.h"
#include "smtp/send_mode.h"

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

int send_mode_check(const struct session *s, const struct envelope *e, struct error *err)
{
	enum send_mode mode = send_mode(s, e);

	if (mode == SEND_MODE_MAIL || session_has(s, verbs[mode].extension) ||
	    extensions_level(s, e, verbs[mode].extension) != LEVEL_REQUIRE)
		return 0;
	error_set(err, FAULT_EXTENSION_MISSING, "%s does not offer %.4s, which is required "
		  "by 'send_mode'", s->server_name, verbs[mode].open);
	return session_named(s, err);
}
