#include "config.h"
#include "smtp/ext/rrvs.h"

#include "conf/account.h"
#include "message/envelope.h"
#include "smtp/session.h"
#include "util/datetime.h"
#include "util/error.h"
#include "util/strbuf.h"

bool rrvs_wanted(const struct session *s, const struct envelope *e)
{
	(void)s;
	for (size_t i = 0; i < e->rcpt_count; i++) {
		if (e->rcpt[i].rrvs)
			return true;
	}
	return false;
}

static bool is_private(const struct session *s)
{
	return s->encrypted || s->local || s->account->ext.rrvs_insecure;
}

int rrvs_rcpt_check(const struct session *s, const struct envelope *e,
		    const struct recipient *r, struct error *err)
{
	(void)e;
	if (!r->rrvs || r->rrvs_continue)
		return 0;
	if (!is_private(s))
		return error_set(err, FAULT_NOT_ENCRYPTED, "'%s' was to be asked for with "
				 "'rrvs', which needs TLS: set rrvs_insecure to do without",
				 r->address);
	if (!session_has(s, EXT_RRVS) && !s->account->ext.rrvs_header)
		return error_set(err, FAULT_EXTENSION_MISSING, "'%s' was to be asked for with "
				 "'rrvs', and the server does not offer RRVS", r->address);
	return 0;
}

/* A date without fraction, always in UTC, so that no "+" occurs in it. */
void rrvs_rcpt_params(const struct session *s, const struct envelope *e,
		      const struct recipient *r, struct strbuf *out)
{
	char at[DATETIME_UTC_SIZE];

	(void)e;
	if (r->rrvs && is_private(s))
		strbuf_addf(out, " RRVS=%s%s", datetime_utc(at, r->rrvs_ms),
			    r->rrvs_continue ? ";C" : "");
}
