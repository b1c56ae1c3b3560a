#include "config.h"
#include "smtp/ext_mtrk.h"

#include "conf/account.h"
#include "message/envelope.h"
#include "smtp/ext_dsn.h"
#include "smtp/session.h"
#include "util/strbuf.h"

bool mtrk_wanted(const struct session *s, const struct envelope *e)
{
	(void)s;
	return e->ext.mtrk != NULL;
}

/* mtrk-parm = "MTRK=" certifier [ ":" mtrk-timeout ]; the base64 without its padding */
void mtrk_mail_params(const struct session *s, const struct envelope *e, struct strbuf *out)
{
	if (!e->ext.mtrk || !e->envid)
		return;
	if (!session_has(s, EXT_DSN)) {
		strbuf_addstr(out, " ENVID=");
		xtext_add(out, e->envid);
	}
	strbuf_addf(out, " MTRK=%s%s", e->ext.mtrk, s->account->ext.mtrk_padding ? "=" : "");
	if (e->ext.mtrk_timeout)
		strbuf_addf(out, ":%u", e->ext.mtrk_timeout);
}

void mtrk_rcpt_params(const struct session *s, const struct envelope *e,
		      const struct recipient *r, struct strbuf *out)
{
	if (e->ext.mtrk && !session_has(s, EXT_DSN))
		dsn_add_orcpt(s, r, out);
}
