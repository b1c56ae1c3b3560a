/*
 * CONPERM and CONNEG (RFC 4141): permission to convert the content, and the
 * question what content a recipient takes.
 *
 * Nothing is converted here. A message that may be converted (conperm) is
 * not sent to a server with neither extension (5.6.3); with CONNEG alone it
 * goes only to recipients whose filter is ANY or equals the message's
 * Content-Features (5.6.5). RCPT with CONNEG is a point where the replies
 * are waited for, before any content is sent.
 */
#include "config.h"
#include "smtp/ext/ext.h"

#include <string.h>
#include <strings.h>

#include "message/envelope.h"
#include "smtp/session.h"
#include "util/strbuf.h"

static bool conperm_wanted(const struct session *s, const struct envelope *e)
{
	return e->ext.asked[EXT_CONPERM] &&
		!(session_has(s, EXT_CONNEG) && !session_has(s, EXT_CONPERM));
}

static enum ext_level conperm_floor(const struct session *s, const struct envelope *e)
{
	(void)s, (void)e;
	return LEVEL_REQUIRE;
}

bool conneg_used(const struct session *s, const struct envelope *e)
{
	return session_has(s, EXT_CONNEG) &&
		(e->ext.asked[EXT_CONNEG] || e->ext.asked[EXT_CONPERM]);
}

static void conneg_rcpt_params(const struct session *s, const struct envelope *e,
			       const struct recipient *r, struct strbuf *out)
{
	(void)r;
	if (conneg_used(s, e))
		strbuf_addstr(out, " CONNEG");
}

/* Equal but for blanks and case? */
static bool same_filter(const char *a, const char *b)
{
	for (;;) {
		a += strspn(a, " \t");
		b += strspn(b, " \t");
		if (strncasecmp(a, b, 1) != 0)
			return false;
		if (!*a)
			return true;
		a++;
		b++;
	}
}

/* "250-CONNEG" SP filter, with an enhanced status in front or not; each line goes on with it */
bool conneg_take(const struct session *s, const struct envelope *e, const struct reply *r,
		 struct strbuf *filter)
{
	static const char word[] = "CONNEG ";

	for (size_t i = 0; i < r->lines.n; i++) {
		const char *line = r->lines.v[i];

		if (r->status[0] && strncmp(line, r->status, strlen(r->status)) == 0)
			line += strlen(r->status);
		line += strspn(line, " ");
		if (strncasecmp(line, word, sizeof(word) - 1) == 0)
			strbuf_addf(filter, "%s%s", filter->len ? " " : "",
				    line + sizeof(word) - 1);
	}
	if (!e->ext.asked[EXT_CONPERM] || session_has(s, EXT_CONPERM) || filter->len == 0)
		return true;
	return strcasecmp(filter->buf, "ANY") == 0 ||
		(e->ext.features && same_filter(filter->buf, e->ext.features));
}

const struct extension ext_CONPERM = {
	.keyword = "CONPERM", .option = "conperm", .level = LEVEL_REQUIRE,
	.status = "5.6.3", .params = "CONPERM", .wanted = conperm_wanted,
	.floor = conperm_floor, .mail_octets = 8
};

const struct extension ext_CONNEG = {
	.keyword = "CONNEG", .option = "conneg", .level = LEVEL_TRY,
	.params = "CONNEG",
	.rcpt_params = conneg_rcpt_params, .rcpt_octets = 7
};
