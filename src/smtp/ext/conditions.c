/*
 * On what conditions the server may take a message, and who answers for it.
 */
#include "config.h"
#include "smtp/ext/ext.h"

#include <string.h>
#include <strings.h>

#include "conf/account.h"
#include "message/envelope.h"
#include "net/wire.h"
#include "smtp/extensions.h"
#include "smtp/session.h"
#include "tls/tls.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/strbuf.h"

/*
 * REQUIRETLS (RFC 8689): TLS, with a verified certificate, on the whole way.
 *
 * It counts only when it was announced under TLS, and is only used when the
 * certificate was verified against a trust store: a fingerprint says nothing
 * about the next hop. Required, it fails with 5.7.10 without such TLS and
 * with 5.7.30 without the extension; a message with the null reverse-path
 * goes on without it (section 5).
 */

static void requiretls_parse(struct session *s, const struct strvec *args)
{
	(void)args;
	s->announced[EXT_REQUIRETLS] = s->encrypted;
}

static bool requiretls_wanted(const struct session *s, const struct envelope *e)
{
	(void)s;
	return e->ext.requiretls;
}

static enum ext_level requiretls_floor(const struct session *s, const struct envelope *e)
{
	return s->account->ext.requiretls == REQUIRETLS_YES && e->sender[0] ? LEVEL_REQUIRE :
		LEVEL_FIXED;
}

static bool is_trusted(const struct session *s)
{
	return s->encrypted && tls_is(wire_stream(s->wire)) && tls_verified(wire_stream(s->wire));
}

static int requiretls_check(const struct session *s, const struct envelope *e, struct error *err)
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
		(is_trusted(s) || s->account->ext.force_ext);
}

static void requiretls_mail_params(const struct session *s, const struct envelope *e,
				   struct strbuf *out)
{
	if (requiretls_used(s, e))
		strbuf_addstr(out, " REQUIRETLS");
}

const struct extension ext_REQUIRETLS = {
	.keyword = "REQUIRETLS", .option = "requiretls",
	.level = LEVEL_TRY, .status = "5.7.30", .params = "REQUIRETLS",
	.parse = requiretls_parse, .wanted = requiretls_wanted,
	.floor = requiretls_floor, .check = requiretls_check,
	.mail_params = requiretls_mail_params, .mail_octets = 11
};

/*
 * RRVS (RFC 7293): only if the mailbox has had the same owner since.
 *
 * It tells since when an address is known, so it goes out under TLS or on a
 * local socket only, unless the account says otherwise. A recipient that
 * insists on it (R) fails where it cannot be asked for: 5.3.3 without the
 * extension, 5.7.10 without TLS.
 */

static bool rrvs_wanted(const struct session *s, const struct envelope *e)
{
	(void)s;
	for (size_t i = 0; i < e->rcpt_count; i++) {
		if (e->rcpt[i].rrvs)
			return true;
	}
	return false;
}

static bool rrvs_private(const struct session *s)
{
	return s->encrypted || s->local || s->account->ext.rrvs_insecure;
}

static int rrvs_rcpt_check(const struct session *s, const struct envelope *e,
			   const struct recipient *r, struct error *err)
{
	(void)e;
	if (!r->rrvs || r->rrvs_continue)
		return 0;
	if (!rrvs_private(s))
		return error_set(err, FAULT_NOT_ENCRYPTED, "'%s' was to be asked for with "
				 "'rrvs', which needs TLS: set rrvs_insecure to do without",
				 r->address);
	if (!session_has(s, EXT_RRVS) && !s->account->ext.rrvs_header)
		return error_set(err, FAULT_EXTENSION_MISSING, "'%s' was to be asked for with "
				 "'rrvs', and the server does not offer RRVS", r->address);
	return 0;
}

/* A date without fraction, always in UTC, so that no "+" occurs in it. */
static void rrvs_rcpt_params(const struct session *s, const struct envelope *e,
			     const struct recipient *r, struct strbuf *out)
{
	char at[DATETIME_UTC_SIZE];

	(void)e;
	if (r->rrvs && rrvs_private(s))
		strbuf_addf(out, " RRVS=%s%s", datetime_utc(at, r->rrvs_ms),
			    r->rrvs_continue ? ";C" : "");
}

const struct extension ext_RRVS = {
	.keyword = "RRVS", .option = "rrvs", .level = LEVEL_TRY,
	.params = "RRVS", .wanted = rrvs_wanted, .rcpt_params = rrvs_rcpt_params,
	.rcpt_octets = 33, .rcpt_check = rrvs_rcpt_check
};

/*
 * NO-SOLICITING (RFC 3865): what kind of solicitation a message is.
 *
 * MAIL carries the keywords of the message's Solicitation field. What the
 * server says it does not want is not sent to it (EX_NOPERM 5.7.1).
 */

/* Is the word (of len octets) in the list, whose words commas or blanks separate? */
static bool solicit_listed(const char *list, const char *word, size_t len)
{
	while (*list) {
		size_t n = strcspn(list, ", \t");

		if (n == len && strncasecmp(list, word, n) == 0)
			return true;
		list += n + strspn(list + n, ", \t");
	}
	return false;
}

static int solicit_check(const struct session *s, const struct envelope *e, struct error *err)
{
	const char *unwanted = extensions_arguments(s, EXT_NO_SOLICITING);

	if (!e->ext.solicit || !unwanted || !s->account->ext.solicit_check)
		return 0;
	for (const char *p = e->ext.solicit; *p; p += *p == ',') {
		size_t n = strcspn(p, ",");

		if (solicit_listed(unwanted, p, n))
			return error_set(err, FAULT_NOT_ALLOWED, "the server takes no "
					 "solicitation '%.*s'", (int)n, p);
		p += n;
	}
	return 0;
}

const struct extension ext_NO_SOLICITING = {
	.keyword = "NO-SOLICITING", .option = "solicit",
	.level = LEVEL_TRY, .params = "SOLICIT", .value = offsetof(struct envelope, ext.solicit),
	.check = solicit_check, .mail_octets = 1007
};

/*
 * SUBMITTER (RFC 4405): the address that is responsible for the message.
 */

const struct extension ext_SUBMITTER = {
	.keyword = "SUBMITTER", .option = "submitter", .level = LEVEL_TRY,
	.params = "SUBMITTER", .value = offsetof(struct envelope, ext.submitter), .xtext = true,
	.mail_octets = 500
};
