#include "config.h"
#include "smtp/ext/solicit.h"

#include <string.h>
#include <strings.h>

#include "conf/account.h"
#include "message/envelope.h"
#include "smtp/session.h"
#include "util/error.h"
#include "util/strbuf.h"

bool solicit_wanted(const struct session *s, const struct envelope *e)
{
	(void)s;
	return e->ext.solicit != NULL;
}

/* Is the word (of len octets) in the list, whose words commas or blanks separate? */
static bool listed(const char *list, const char *word, size_t len)
{
	while (*list) {
		size_t n = strcspn(list, ", \t");

		if (n == len && strncasecmp(list, word, n) == 0)
			return true;
		list += n + strspn(list + n, ", \t");
	}
	return false;
}

int solicit_check(const struct session *s, const struct envelope *e, struct error *err)
{
	const char *unwanted = extensions_arguments(s, EXT_NO_SOLICITING);

	if (!e->ext.solicit || !unwanted || !s->account->ext.solicit_check)
		return 0;
	for (const char *p = e->ext.solicit; *p; p += *p == ',') {
		size_t n = strcspn(p, ",");

		if (listed(unwanted, p, n))
			return error_set(err, FAULT_NOT_ALLOWED, "the server takes no "
					 "solicitation '%.*s'", (int)n, p);
		p += n;
	}
	return 0;
}

void solicit_mail_params(const struct session *s, const struct envelope *e, struct strbuf *out)
{
	(void)s;
	if (e->ext.solicit) {
		strbuf_addstr(out, " SOLICIT=");
		strbuf_addstr(out, e->ext.solicit);
	}
}
