/*
 * PRDR (an expired draft; Exim and others): an answer per recipient after
 * the content, over SMTP. Asked for when there is more than one recipient.
 */
#include "config.h"
#include "smtp/ext/ext.h"

#include "conf/account.h"
#include "message/envelope.h"
#include "smtp/session.h"
#include "util/strbuf.h"

bool prdr_used(const struct session *s, const struct envelope *e)
{
	return session_has(s, EXT_PRDR) && s->account->ext.prdr && e->rcpt_count > 1 &&
		s->protocol == SESSION_ESMTP;
}

static void prdr_mail_params(const struct session *s, const struct envelope *e,
			     struct strbuf *out)
{
	if (prdr_used(s, e))
		strbuf_addstr(out, " PRDR");
}

const struct extension ext_PRDR = {
	.keyword = "PRDR", .option = "prdr", .level = LEVEL_TRY,
	.params = "PRDR", .mail_params = prdr_mail_params, .mail_octets = 5
};
