#include "config.h"
#include "smtp/ext/priority.h"

#include <string.h>

#include "message/envelope.h"
#include "smtp/session.h"
#include "util/strbuf.h"

bool priority_wanted(const struct session *s, const struct envelope *e)
{
	(void)s;
	return e->ext.priority_given;
}

void priority_mail_params(const struct session *s, const struct envelope *e, struct strbuf *out)
{
	(void)s;
	if (e->ext.priority_given)
		strbuf_addf(out, " MT-PRIORITY=%d", e->ext.priority);
}

bool priority_changed(const struct session *s, const struct reply *r)
{
	return session_has(s, EXT_MT_PRIORITY) && r->status[0] &&
		strcmp(r->status + 1, ".3.6") == 0;
}
