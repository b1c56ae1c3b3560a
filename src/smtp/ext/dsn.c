/*
 * DSN (RFC 3461): RET and ENVID on MAIL, NOTIFY and ORCPT on RCPT.
 *
 * Not offered: the parameters are left out, unless the account has
 * dsn_required (EX_UNAVAILABLE 5.3.3). With the null reverse-path neither
 * RET nor NOTIFY=SUCCESS is sent.
 */
#include "config.h"
#include "smtp/ext/ext.h"

#include <string.h>

#include "conf/account.h"
#include "message/envelope.h"
#include "message/request.h"
#include "smtp/session.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

/* An ORCPT alone (of an alias) is worth sending, but not worth a round trip. */
static bool dsn_wanted(const struct session *s, const struct envelope *e)
{
	(void)s;
	if (e->ret != DSN_RET_NONE || e->envid)
		return true;
	for (size_t i = 0; i < e->rcpt_count; i++) {
		if (e->rcpt[i].notify)
			return true;
	}
	return false;
}

static enum ext_level dsn_floor(const struct session *s, const struct envelope *e)
{
	(void)e;
	return s->account->dsn_required ? LEVEL_REQUIRE : LEVEL_FIXED;
}

static int dsn_check(const struct session *s, const struct envelope *e, struct error *err)
{
	const bool sent = session_has(s, EXT_DSN) || (e->ext.mtrk && session_has(s, EXT_MTRK));
	struct strbuf id = STRBUF_INIT(DSN_ENVID_MAX);

	if (sent && e->envid)
		xtext_add(&id, e->envid);
	const bool fits = !strbuf_overflow(&id);

	strbuf_release(&id);
	return fits ? 0 : error_set(err, FAULT_ARGUMENT, "the envelope id is longer than %d "
				    "octets", DSN_ENVID_MAX);
}

static void dsn_mail_params(const struct session *s, const struct envelope *e, struct strbuf *out)
{
	static const char *const ret[] = { [DSN_RET_FULL] = "FULL", [DSN_RET_HDRS] = "HDRS" };

	if (e->ret != DSN_RET_NONE && e->sender[0]) {
		strbuf_addstr(out, " RET=");
		/* RFC 8689, section 5: such a message is not sent back whole */
		strbuf_addstr(out, ret[requiretls_used(s, e) ? DSN_RET_HDRS : e->ret]);
	}
	if (e->envid) {
		strbuf_addstr(out, " ENVID=");
		xtext_add(out, e->envid);
	}
}

static void add_notify(struct strbuf *out, unsigned notify)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = {
		{ DSN_NOTIFY_SUCCESS, "SUCCESS" }, { DSN_NOTIFY_FAILURE, "FAILURE" },
		{ DSN_NOTIFY_DELAY, "DELAY" },
	};
	const char *separator = " NOTIFY=";

	if (notify & DSN_NOTIFY_NEVER) {
		strbuf_addstr(out, " NOTIFY=NEVER");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (notify & names[i].bit) {
			strbuf_addstr(out, separator);
			strbuf_addstr(out, names[i].name);
			separator = ",";
		}
	}
}

/*
 * "utf-8;" with the address as it is (RFC 6533, section 3): a command with
 * such an address is only sent with SMTPUTF8, where "\", "+", "=" alone are
 * to be encoded.
 */
static void add_unitext(struct strbuf *out, const char *s)
{
	for (; *s; s++) {
		if (strchr("\\+= ", *s))
			strbuf_addf(out, "\\x{%02X}", (unsigned)(unsigned char)*s);
		else
			strbuf_addch(out, *s);
	}
}

static void add_orcpt(struct strbuf *out, const char *type, const char *address)
{
	size_t before = out->len, name;

	strbuf_addstr(out, " ORCPT=");
	name = out->len;
	if (text_is_ascii(address, strlen(address))) {
		strbuf_addf(out, "%s;", type ? type : "rfc822");
		xtext_add(out, address);
	} else {
		strbuf_addstr(out, "utf-8;");
		add_unitext(out, address);
	}
	if (out->len - name > DSN_ORCPT_MAX)
		strbuf_truncate(out, before);
}

void dsn_add_orcpt(const struct session *s, const struct recipient *r, struct strbuf *out)
{
	if (s->account->ext.orcpt != ORCPT_NEVER)
		add_orcpt(out, r->orcpt ? r->orcpt_type : NULL, r->orcpt ? r->orcpt : r->address);
}

static void dsn_rcpt_params(const struct session *s, const struct envelope *e,
			    const struct recipient *r, struct strbuf *out)
{
	unsigned notify = deliverby_notify(s, e, r->notify);

	if (!e->sender[0])
		notify &= ~(unsigned)DSN_NOTIFY_SUCCESS;
	if (notify)
		add_notify(out, notify);
	if (r->orcpt || notify || e->ext.mtrk || s->account->ext.orcpt == ORCPT_ALWAYS)
		dsn_add_orcpt(s, r, out);
}

const struct extension ext_DSN = {
	.keyword = "DSN", .option = "dsn_notify", .level = LEVEL_TRY,
	.params = "RET ENVID NOTIFY ORCPT", .wanted = dsn_wanted, .floor = dsn_floor,
	.check = dsn_check, .mail_params = dsn_mail_params,
	.mail_octets = DSN_MAIL_OCTETS, .rcpt_params = dsn_rcpt_params,
	.rcpt_octets = DSN_RCPT_OCTETS
};
