#include "config.h"
#include "smtp/ext/submitter.h"

#include "message/envelope.h"
#include "smtp/extensions.h"
#include "smtp/session.h"
#include "util/strbuf.h"

bool submitter_wanted(const struct session *s, const struct envelope *e)
{
	(void)s;
	return e->ext.submitter != NULL;
}

void submitter_mail_params(const struct session *s, const struct envelope *e,
			   struct strbuf *out)
{
	(void)s;
	if (e->ext.submitter) {
		strbuf_addstr(out, " SUBMITTER=");
		xtext_add(out, e->ext.submitter);
	}
}
