/*
 * Settings of delivery, of extensions and of other commands.
 */
#include "config.h"
#define ROWS_FILE ROWS_DELIVERY
#include "conf/settings_rows.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "conf/account.h"
#include "message/address.h"
#include "message/envelope.h"
#include "message/request.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"


/* Words of a list with commas as the bits of a table; "off" is none. */
static int read_bits(const struct setting *s, const char *value, const char *wanted,
		     unsigned *out, struct error *err)
{
	unsigned bits = 0;
	char word[16];

	for (const char *p = value; strcasecmp(value, "off") != 0 && *p; p += *p == ',') {
		p += strspn(p, " \t");
		size_t n = strcspn(p, " \t,");
		int bit;

		if (n == 0 || n >= sizeof(word))
			return setting_refuse(s, value, wanted, err);
		memcpy(word, p, n);
		word[n] = '\0';
		p += n;
		p += strspn(p, " \t");
		if (names_find(s->names, word, &bit) < 0 || (*p && *p != ','))
			return setting_refuse(s, value, wanted, err);
		bits |= (unsigned)bit;
	}
	*out = bits;
	return 0;
}

SETTING_SETTER(set_rate)
{
	struct reuse_settings *r = &((struct account *)target)->reuse;

	return setting_read_rate(s, value, &r->rate, &r->rate_time, err);
}

SETTING_PRINTER(print_rate)
{
	const struct reuse_settings *r = &((const struct account *)target)->reuse;

	setting_print_rate(r->rate, r->rate_time, out);
}

/* notify = "off" / "never" / condition *("," condition) (RFC 3461, section 4.1) */
SETTING_SETTER(set_dsn_notify)
{
	static const char wanted[] = "off, never, or a list of success, failure, delay";
	unsigned bits;

	if (read_bits(s, value, wanted, &bits, err) < 0)
		return -1;
	if (bits & DSN_NOTIFY_NEVER && bits != DSN_NOTIFY_NEVER)
		return setting_refuse(s, value, wanted, err);
	((struct account *)target)->dsn_notify = bits;
	return 0;
}

SETTING_SETTER(set_stop_on)
{
	struct account *a = target;

	return read_bits(s, value, "off, or a list of to, cc, bcc, argument", &a->stop_on, err);
}

SETTING_PRINTER(print_bits)
{
	const unsigned bits = *(const unsigned *)(const void *)((const char *)target + s->offset);
	const char *comma = "";

	if (!bits)
		strbuf_addstr(out, "off");
	for (const struct name_value *n = s->names; !names_is_end(n); n++) {
		if (bits & (unsigned)n->value) {
			strbuf_addf(out, "%s%s", comma, n->name);
			comma = ",";
		}
	}
}

/* A value that the reader of the row has to understand; kept as written. */
SETTING_SETTER(set_request)
{
	const char **field = (const char **)((char *)target + s->offset);
	struct arena *own = arena_new();
	struct envelope ignored;
	struct error why;
	int off, rc = 0;

	envelope_init(&ignored, own);
	if (names_find(s->names, value, &off) == 0)
		*field = NULL;
	else if (setting_code(s)->read(value, datetime_now(), &ignored, &why) < 0)
		rc = error_set(err, FAULT_CONFIG, "key '%s': %s", s->key, why.text);
	else
		*field = arena_strdup(arena, value);
	arena_free(own);
	return rc;
}

/* policy = NAME ":" LEVEL *("," NAME ":" LEVEL); which names there are is smtp's to know */
WORD_CHECK(check_policy)
{
	static const char *const levels[] = { ":require", ":try", ":downgrade", ":local" };
	const char *colon = strrchr(word, ':');
	bool known = false;

	for (size_t i = 0; colon && i < ARRAY_LEN(levels); i++)
		known |= strcasecmp(colon, levels[i]) == 0;
	return known && colon != word ? 0 :
		setting_refuse(s, word, "NAME:LEVEL, the level one of require, try, downgrade, "
			       "local", err);
}

/* notify_to = "off" / address */
SETTING_SETTER(set_notify_to)
{
	struct mailbox box;
	int off;

	if (names_find(s->names, value, &off) == 0) {
		*TEXT_FIELD(target, s) = NULL;
		return 0;
	}
	if (address_parse_one(arena, value, 0, &box, NULL) < 0 || !box.domain)
		return setting_refuse(s, value, "off or an address with a domain", err);
	*TEXT_FIELD(target, s) = box.address;
	return 0;
}

#define REQUEST(m, code_) .type = SETTING_SPECIAL, .offset = FIELD(const char *, ext.m), \
	.code = CODE(code_), \
	.names = NAMES({ "off", 0 }, { "no", 0 }, { "", 0 })

#define READER(reader) .set = set_request, .print = setting_print_text, .read = (reader)

#define CODES(x) \
	x(DO_STOP_ON, .set = set_stop_on, .print = print_bits) \
	x(DO_DSN_NOTIFY, .set = set_dsn_notify, .print = print_bits) \
	x(DO_RATE, .set = set_rate, .print = print_rate) \
	x(DO_NOTIFY_TO, .set = set_notify_to, .print = setting_print_text) \
	x(DO_REQUEST_DELIVER_BY, READER(request_deliver_by)) \
	x(DO_REQUEST_HOLD_FOR, READER(request_hold_for)) \
	x(DO_REQUEST_HOLD_UNTIL, READER(request_hold_until)) \
	x(DO_REQUEST_MT_PRIORITY, READER(request_mt_priority)) \
	x(DO_REQUEST_RRVS, READER(request_rrvs)) \
	x(DO_REQUEST_SOLICIT, READER(request_solicit)) \
	x(DO_REQUEST_TRACK, READER(request_track)) \
	x(DO_REQUEST_FIELD, READER(request_field)) \
	x(DO_REQUEST_SUBMITTER, READER(request_submitter)) \
	x(DO_REQUEST_MAIL_AUTH, READER(request_mail_auth)) \
	x(DO_POLICY, .check = check_policy)
SETTING_CODES(settings_delivery_code, CODES);

const struct setting settings_delivery[] = {
{ HEADING("delivery", "Delivery, extensions, other commands") },
/* delivery */
{ OWNER("refused_recipients"), CHOICE(enum partial, refused_recipients,
  { "deliver", PARTIAL_SEND }, { "abort", PARTIAL_REFUSE }), .def = "deliver",
  .help = "what to do for the others when some are refused" },
{ OWNER("stop_on"), SPECIAL(unsigned, stop_on, DO_STOP_ON),
  .names = NAMES({ "to", 1 << RCPT_SOURCE_TO }, { "cc", 1 << RCPT_SOURCE_CC },
  { "bcc", 1 << RCPT_SOURCE_BCC }, { "argument", 1 << RCPT_SOURCE_ARGUMENT }), .def = "off",
  .arg = "off|to,cc,bcc,argument", .help = "stop for all when one of these is refused" },
{ ANYONE("dsn_notify"), SPECIAL(unsigned, dsn_notify, DO_DSN_NOTIFY),
  .names = NAMES({ "never", DSN_NOTIFY_NEVER }, { "success", DSN_NOTIFY_SUCCESS },
  { "failure", DSN_NOTIFY_FAILURE }, { "delay", DSN_NOTIFY_DELAY }),
  .def = "off", .arg = "off|never|success,failure,delay", .help = "notices to ask for" },
{ ANYONE("dsn_return"), CHOICE(enum dsn_ret, dsn_return, { "off", DSN_RET_NONE },
  { "full", DSN_RET_FULL }, { "headers", DSN_RET_HDRS }, { "hdrs", DSN_RET_HDRS }), .def = "off",
  .help = "how much of the message notices bring back" },
{ OWNER("dsn"), EITHER(dsn_required, { "if-offered", 0 }, { "required", 1 }, { "try", 0 },
  { "require", 1 }), .def = "if-offered",
  .help = "required: do not send to a server without DSN" },
{ OWNER("pipelining"), CHOICE(enum pipelining, pipelining, { "on", PIPELINING_YES },
  { "off", PIPELINING_NO }, { "yes", PIPELINING_YES }, { "no", PIPELINING_NO },
  { "first-no", PIPELINING_FIRST_NO }, { "first_no", PIPELINING_FIRST_NO }),
  .flags = SETTING_SWITCH, .def = "on",
  .help = "use PIPELINING; first-no: only behind the first recipient" },
{ OWNER("rset"), CHOICE(enum rset, rset, { "auto", RSET_AUTO }, { "always", RSET_ALWAYS },
  { "never", RSET_NEVER }), .def = "auto",
  .help = "RSET between transactions; auto: where one was left open" },
{ OWNER("reply_max"), SIZE(reply_max, 65536), .min = 512, .def = "4K",
  .help = "octets of a line of a reply that are kept" },
{ OWNER("pipe_connect"), SWITCH(pipe_connect), .def = "off",
  .help = "speak before the greeting where the server allows it (Exim)" },
{ OWNER("pipe_connect_ttl"), SECONDS(pipe_connect_ttl), .def = "1d",
  .help = "how long its word for that counts" },
{ OWNER("chunking"), CHOICE(enum chunking, chunking, { "auto", CHUNKING_AUTO },
  { "off", CHUNKING_OFF }, { "on", CHUNKING_ON }), .flags = SETTING_SWITCH, .def = "auto",
  .arg = "auto|on|off",
  .help = "use BDAT; auto: for binary content, BURL, checkpoints, large messages" },
{ OWNER("chunk_size"), SIZE(chunk_size, INT64_MAX), .def = "1M",
  .help = "octets of one chunk; 0: CHUNKING is not used" },
{ OWNER("chunk_window"), NUMBER(chunk_window, 1, 1000), .def = "4",
  .help = "chunks that may be unanswered" },
{ OWNER("binarymime"), EITHER(binarymime, { "auto", 1 }, { "no", 0 }, { "on", 1 }, { "off", 0 }),
  .def = "auto", .help = "use BINARYMIME for binary content" },
{ OWNER("checkpoint"), SWITCH(checkpoint), .def = "off",
  .help = "resume a broken transfer where the server can (CHECKPOINT)" },
{ OWNER("checkpoint_min"), SIZE(checkpoint_min, INT64_MAX), .def = "1M",
  .help = "... of messages as large as that" },
{ OWNER("checkpoint_wait"), SECONDS(checkpoint_wait), .def = "5m",
  .help = "... after that time" },
{ OWNER_FIRST("burl_command"), COMMAND(burl_command),
  .help = "gets a URL of --burl that has no URLAUTH, prints one that has" },
{ OWNER("lmtp_keep_duplicates"), SWITCH(lmtp_keep_duplicates), .def = "off",
  .help = "LMTP: a recipient that is named twice gets the message twice" },
{ OWNER("max_size"), SIZE(max_size, INT64_MAX), .def = "0",
  .help = "refuse larger messages; 0 = no limit" },
{ OWNER("max_recipients"), NUMBER(max_recipients, 0, 1000000), .def = "0",
  .help = "recipients of one transaction; 0 = what the server takes" },
{ OWNER("disable_extensions"), LIST(disable_extensions), .arg = "keyword,...",
  .help = "extensions not to use although offered" },

/* parameters of MAIL and RCPT */
{ OWNER("esmtp"), SWITCH(ext.esmtp), .def = "on",
  .help = "off: HELO, and no extension at all" },
{ OWNER("ext_policy"), WORDS(ext.policy, DO_POLICY),
  .arg = "name:level,...", .help = "what to do without an extension: require, try, downgrade" },
{ OWNER("force_ext"), LIST(ext.force_ext),
  .arg = "name,...", .help = "for tests: use extensions that were not offered" },
{ OWNER("mail_param"), .type = SETTING_ARGV, .arg = "keyword[=value]",
  .offset = FIELD(const char *const *, ext.mail_param),
  .help = "further parameters of MAIL, where the server offers the keyword" },
{ OWNER("rcpt_param"), .type = SETTING_ARGV, .arg = "keyword[=value]",
  .offset = FIELD(const char *const *, ext.rcpt_param),
  .help = "further parameters of RCPT, where the server offers the keyword" },
{ OWNER("orcpt"), CHOICE(enum orcpt, ext.orcpt, { "auto", ORCPT_AUTO },
  { "always", ORCPT_ALWAYS }, { "never", ORCPT_NEVER }), .def = "auto",
  .help = "name the original recipient in notices" },
{ OWNER("never_null_sender"), SWITCH(ext.never_null_sender), .def = "off",
  .help = "dsn_notify = never without DSN: send with the null sender" },
{ OWNER("rrt_to_dsn"), SWITCH(ext.rrt_to_dsn), .def = "off",
  .help = "a Return-Receipt-To field becomes dsn_notify = success,failure" },
{ ANYONE("deliver_by"), REQUEST(deliver_by, DO_REQUEST_DELIVER_BY), .flags = SETTING_LONG,
  .arg = "time[;n|r][t]",
  .help = "deliver until then; n: else tell, r: else return it" },
{ ANYONE("hold_for"), REQUEST(hold_for, DO_REQUEST_HOLD_FOR), .flags = SETTING_LONG,
  .arg = "time",
  .help = "the server shall send it after that time" },
{ ANYONE("hold_until"), REQUEST(hold_until, DO_REQUEST_HOLD_UNTIL), .flags = SETTING_LONG,
  .arg = "time",
  .help = "the server shall send it then" },
{ OWNER("hold_as"), CHOICE(enum hold_as, ext.hold_as, { "as-given", HOLD_AS_GIVEN },
  { "for", HOLD_AS_FOR }, { "until", HOLD_AS_UNTIL }), .def = "as-given",
  .help = "say the release as an interval or as a moment" },
{ OWNER("hold_sets_date"), SWITCH(ext.hold_sets_date), .def = "off",
  .help = "the Date field is that of the release" },
{ ANYONE("mt_priority"), REQUEST(mt_priority, DO_REQUEST_MT_PRIORITY), .flags = SETTING_LONG,
  .arg = "-9..9|name",
  .help = "priority of the transfer" },
{ OWNER("mt_priority_tunnel"), SWITCH(ext.mt_priority_tunnel), .def = "off",
  .help = "without the extension: as a header field" },
{ OWNER("mt_priority_from_header"), SWITCH(ext.mt_priority_from_header), .def = "on",
  .help = "an MT-Priority field asks for it too" },
{ ANYONE("rrvs"), REQUEST(rrvs, DO_REQUEST_RRVS), .flags = SETTING_LONG,
  .arg = "time[;c]",
  .help = "only to mailboxes with the same owner since then" },
{ OWNER("rrvs_header"), SWITCH(ext.rrvs_header), .def = "off",
  .help = "say rrvs in the header as well" },
{ OWNER("rrvs_insecure"), SWITCH(ext.rrvs_insecure), .def = "off",
  .help = "say rrvs without TLS too" },
{ OWNER("requiretls"), CHOICE(enum requiretls, ext.requiretls, { "off", REQUIRETLS_NO },
  { "no", REQUIRETLS_NO }, { "try", REQUIRETLS_TRY }, { "on", REQUIRETLS_YES },
  { "yes", REQUIRETLS_YES }), .def = "off", .flags = SETTING_SWITCH | SETTING_LONG,
  .arg = "on|off|try", .help = "TLS on the whole way of the message" },
{ OWNER("tls_required"), EITHER(ext.tls_required, { "yes", 1 }, { "no", 0 }), .def = "yes",
  .help = "no: deliver it even where TLS fails" },
{ ANYONE("solicit"), REQUEST(solicit, DO_REQUEST_SOLICIT), .flags = SETTING_LONG,
  .arg = "keyword,...",
  .help = "what kind of solicitation the message is" },
{ OWNER("solicit_check"), SWITCH(ext.solicit_check), .def = "on",
  .help = "do not send what the server says it does not want" },
{ OWNER("track"), REQUEST(track, DO_REQUEST_TRACK), .flags = SETTING_SWITCH, .arg = "on|off|time",
  .help = "have the message tracked" },
{ OWNER("track_uri"), SWITCH(ext.track_uri), .def = "off",
  .help = "print the URI that asks where the message is" },
{ OWNER("mtrk_padding"), SWITCH(ext.mtrk_padding), .def = "off",
  .help = "for servers that want the certifier padded" },
{ ANYONE("conperm"), SWITCH(ext.asked[EXT_CONPERM], | SETTING_LONG), .def = "off",
  .help = "servers on the way may convert the content" },
{ ANYONE("conneg"), SWITCH(ext.asked[EXT_CONNEG], | SETTING_LONG), .def = "off",
  .help = "ask what content each recipient takes" },
{ OWNER("content_convert"), REQUEST(content_convert, DO_REQUEST_FIELD), .arg = "any|none|filter",
  .help = "Content-Convert field to add" },
{ OWNER("content_features"), REQUEST(content_features, DO_REQUEST_FIELD), .arg = "filter",
  .help = "Content-Features field to add" },
{ OWNER("submitter"), REQUEST(submitter, DO_REQUEST_SUBMITTER), .arg = "off|auto|address",
  .help = "who is responsible for the message" },
{ OWNER("force_submitter"), SWITCH(ext.force_submitter), .def = "off",
  .help = "send a submitter that the header does not name" },
{ OWNER("mail_auth"), REQUEST(mail_auth, DO_REQUEST_MAIL_AUTH), .arg = "off|<>|address",
  .help = "who submitted the message, as AUTH= of MAIL" },
{ OWNER("limits"), SWITCH(ext.limits), .def = "on", .help = "heed the server's LIMITS" },
{ ANYONE("prdr"), EITHER(ext.prdr, { "auto", 1 }, { "on", 1 }, { "yes", 1 }, { "off", 0 },
  { "no", 0 }), .flags = SETTING_LONG, .def = "auto",
  .help = "ask for an answer per recipient after the data" },

/* other commands */
{ OWNER("send_mode"), CHOICE(enum send_mode, cmd.send_mode, { "mail", SEND_MODE_MAIL },
  { "send", SEND_MODE_SEND }, { "soml", SEND_MODE_SOML }, { "saml", SEND_MODE_SAML }),
  .def = "mail", .help = "to the mailbox, the terminal, one of them, both" },
{ OWNER("xclient"), ARGV(cmd.xclient),
  .arg = "attribute=value...", .help = "for tests: be this client to the server (XCLIENT)" },
{ OWNER("xclient_optional"), SWITCH(cmd.xclient_optional), .def = "off",
  .help = "leave out the attributes that the server does not take" },
{ OWNER("xclient_before_starttls"), SWITCH(cmd.xclient_before_starttls), .def = "off",
  .help = "send XCLIENT in clear, before STARTTLS" },
{ OWNER("xforward"), ARGV(cmd.xforward),
  .arg = "attribute=value...", .help = "tell the server whose message this was (XFORWARD)" },
{ OWNER("atrn_domains"), LIST(cmd.atrn_domains), .arg = "domain,...",
  .help = "domains whose mail --atrn fetches" },
{ OWNER_FIRST("atrn_deliver"), TEXT(cmd.atrn_deliver), .arg = "maildir:path",
  .help = "where --atrn puts the mail that comes" },
{ OWNER("mtqp_tls"), CHOICE(enum mtqp_tls, cmd.mtqp_tls, { "required", MTQP_TLS_REQUIRED },
  { "try", MTQP_TLS_TRY }, { "off", MTQP_TLS_OFF }), .def = "required",
  .help = "TLS for --track-query" },

/* what waits to be sent */
{ OWNER("queue"), CHOICE(enum queue_mode, queue.mode, { "auto", QUEUE_AUTO },
  { "always", QUEUE_ALWAYS }, { "never", QUEUE_NEVER }), .def = "auto",
  .help = "keep a message: when it cannot be sent now, always, never" },
{ OWNER_FIRST("queue_dir"), TEXT(queue.dir), .flags = SETTING_PATH, .arg = "folder",
  .help = "where it is kept" },
{ OWNER("direct_timeout"), LIMIT(queue.direct_timeout), .def = "10",
  .help = "how long the first try may take before a message is kept" },
{ OWNER("queue_lifetime"), DURATION(queue.lifetime), .arg = "seconds", .min = 1, .def = "5d",
  .help = "how long a message is tried" },
{ OWNER("queue_max_bytes"), SIZE(queue.max_bytes, UINT64_MAX), .def = "1G",
  .help = "what the queue may hold in all, 0 = no limit" },
{ OWNER("max_connections"), NUMBER(reuse.max_connections, 1, 100), .def = "4",
  .help = "how many connections a run through the queue has at once" },
{ OWNER("rate"), SPECIAL(unsigned, reuse.rate, DO_RATE), .max = MONTH,
  .def = "off",
  .arg = "number/time", .help = "how many messages of the queue are sent in a time" },
{ OWNER("messages_per_connection"), NUMBER(reuse.messages, 0, 1000000), .def = "100",
  .help = "how many messages go over one connection, 0 = any number" },
{ OWNER("connection_idle"), LIMIT(reuse.idle), .def = "2",
  .help = "how long a connection is kept when nothing goes over it" },
{ OWNER("undo_window"), LIMIT(queue.undo_window), .def = "off",
  .help = "keep each message first: in that time --queue-remove takes it back" },
{ OWNER("keep_queue"), SWITCH(queue.keep), .def = "off",
  .help = "what was sent from the queue stays, in its folder 'sent'" },
{ OWNER("bounce_queue_lifetime"), DURATION(queue.bounce_lifetime), .arg = "seconds", .min = 1,
  .def = "5d", .help = "how long one from the null sender is tried" },
{ OWNER("delay_warning_time"), LIMIT(queue.delay_warning), .def = "4h",
  .help = "after that time the sender hears that it is late" },
{ OWNER("bounce_size_limit"), SIZE(queue.bounce_size_limit, INT64_MAX), .def = "50000",
  .help = "what is larger is not sent back whole, 0 = no limit" },
{ OWNER("notify_to"), SPECIAL(const char *, queue.notify_to, DO_NOTIFY_TO),
  .names = NAMES({ "off", 0 }, { "no", 0 }, { "", 0 }), .arg = "off|address",
  .help = "who hears what no sender can be told" },
{ .help = "" }
};

int settings_read_requests(const struct account *a, int64_t now, struct envelope *e,
			   struct error *err)
{
	for (const struct setting *s = settings_delivery; *s->help; s++) {
		const struct setting_code *code = setting_code(s);
		const char *text = NULL;

		if (code->read)
			memcpy(&text, (const char *)a + s->offset, sizeof(text));
		if (text && code->read(text, now, e, err) < 0)
			return -1;
	}
	return 0;
}
