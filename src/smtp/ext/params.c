/*
 * Parameters of MAIL and RCPT that the user adds (mail_param, rcpt_param):
 * KEYWORD[@EHLONAME][=VALUE], sent only when the server has announced a
 * keyword of that name.
 */
#include "config.h"
#include "smtp/ext/ext.h"

#include <string.h>
#include <strings.h>

#include "conf/account.h"
#include "message/request.h"
#include "smtp/extensions.h"
#include "smtp/session.h"
#include "util/error.h"
#include "util/strbuf.h"

size_t params_add(const struct session *s, const char *const *list, struct strbuf *out)
{
	const size_t before = out->len;

	for (; list && *list; list++) {
		const char *ehlo, *value;
		size_t name, ehlo_len;
		struct error ignored;

		if (request_param(*list, &name, &ehlo, &ehlo_len, &value, &ignored) < 0 ||
		    !extensions_announced(s, ehlo, ehlo_len))
			continue;
		strbuf_addch(out, ' ');
		strbuf_add(out, *list, name);
		if (value) {
			strbuf_addch(out, '=');
			strbuf_addstr(out, value);
		}
	}
	return out->len - before;
}

/* Does a row of the table send a parameter of that name? Its keyword then. */
static const char *sent_by(const char *name, size_t len)
{
	for (int id = 0; id < EXT_COUNT; id++) {
		const char *p = extensions[id]->params;

		while (p && *p) {
			size_t n = strcspn(p, " ");

			if (n == len && strncasecmp(p, name, n) == 0)
				return extensions[id]->keyword;
			p += n + strspn(p + n, " ");
		}
	}
	return NULL;
}

static int check(const char *key, const char *const *list, struct error *err)
{
	for (; list && *list; list++) {
		const char *ehlo, *value, *keyword;
		size_t name, ehlo_len;

		if (request_param(*list, &name, &ehlo, &ehlo_len, &value, err) < 0) {
			error_recast(err, FAULT_CONFIG);
			return error_prefix(err, "key '%s'", key);
		}
		keyword = sent_by(*list, name);
		if (keyword)
			return error_set(err, FAULT_CONFIG, "key '%s': '%.*s' belongs to %s, "
					 "which has keys of its own", key, (int)name, *list,
					 keyword);
	}
	return 0;
}

int params_check(const struct account *a, struct error *err)
{
	if (check("mail_param", a->ext.mail_param, err) < 0)
		return -1;
	return check("rcpt_param", a->ext.rcpt_param, err);
}
