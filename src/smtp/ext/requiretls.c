#include "config.h"
#include "smtp/ext/requiretls.h"

#include "conf/account.h"
#include "message/envelope.h"
#include "net/wire.h"
#include "smtp/session.h"
#include "tls/tls.h"
#include "util/error.h"
#include "util/strbuf.h"

int requiretls_parse(struct session *s, const struct strvec *args, struct error *err)
{
	(void)args, (void)err;
	s->announced[EXT_REQUIRETLS] = s->encrypted;
	return 0;
}

bool requiretls_wanted(const struct session *s, const struct envelope *e)
{
	(void)s;
	return e->ext.requiretls;
}

enum ext_level requiretls_floor(const struct session *s, const struct envelope *e)
{
	return s->account->ext.requiretls == REQUIRETLS_YES && e->sender[0] ? LEVEL_REQUIRE :
		LEVEL_FIXED;
}

static bool is_trusted(const struct session *s)
{
	return s->encrypted && tls_is(wire_stream(s->wire)) && tls_verified(wire_stream(s->wire));
}

int requiretls_check(const struct session *s, const struct envelope *e, struct error *err)
{
	if (!e->ext.requiretls || is_trusted(s) ||
	    extensions_level(s, e, EXT_REQUIRETLS) != LEVEL_REQUIRE)
		return 0;
	return error_set(err, FAULT_NOT_ENCRYPTED, s->encrypted ?
			 "'requiretls' needs a certificate that a trusted authority has signed" :
			 "'requiretls' needs TLS, and the session has none");
}

bool requiretls_used(const struct session *s, const struct envelope *e)
{
	return e->ext.requiretls && session_has(s, EXT_REQUIRETLS) &&
		(is_trusted(s) || s->account->ext.force);
}

void requiretls_mail_params(const struct session *s, const struct envelope *e,
			    struct strbuf *out)
{
	if (requiretls_used(s, e))
		strbuf_addstr(out, " REQUIRETLS");
}
