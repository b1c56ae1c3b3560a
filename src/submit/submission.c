#include "config.h"
#include "submit/submission.h"

#include <string.h>
#include <unistd.h>

#include "conf/account.h"
#include "message/address.h"
#include "message/header.h"
#include "message/message.h"
#include "message/request.h"
#include "mime/compose.h"
#include "prepare/convert.h"
#include "prepare/prepare.h"
#include "prepare/recipients.h"
#include "prepare/requests.h"
#include "prepare/rewriter.h"
#include "prepare/user_headers.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/error.h"

void submission_init(struct submission *s, const struct submission_request *request,
		     const struct submission_observer *observer)
{
	*s = (struct submission){ .request = request, .arena = arena_new() };
	if (observer)
		s->observer = *observer;
	envelope_init(&s->envelope, s->arena);
	envelope_init(&s->excluded, s->arena);
	s->explain.arena = s->arena;
	s->envelope.explain = request->explain ? &s->explain : NULL;
}

void submission_release(struct submission *s)
{
	message_free(s->message);
	config_free(s->loaded);
	arena_free(s->arena);
}

static void tell_note(const struct submission *s, const char *text)
{
	if (text && s->observer.note)
		s->observer.note(s->observer.ctx, text);
}

/* --- account and sender ---------------------------------------------------------- */

static int load_config(struct submission *s, struct error *err)
{
	if (!s->config && config_load(&s->request->config, &s->loaded, err) == 0)
		s->config = s->loaded;
	return s->config ? 0 : -1;
}

/* The address of From, of a resent message of Resent-From: it may choose the account. */
static const char *header_from(const struct submission *s)
{
	const struct header *h = s->message ? &s->message->header : NULL;
	const struct header_field *f = h ? header_find(h, HEADER_RESENT_FROM) : NULL;
	const char *from = h ? NULL : user_headers_from(&s->request->compose);
	struct address_list list;
	struct error unreadable;

	if (h && !f)
		f = header_find(h, HEADER_FROM);
	if (f)
		from = f->text + f->value;
	if (!from || address_parse_list(s->arena, from, strlen(from), 0, &list, &unreadable) < 0)
		return NULL;
	return list.n ? list.box[0].address : NULL;
}

static int settle_account(struct submission *s, struct error *err)
{
	s->choice = (struct account_choice){
		.account = s->request->account, .sender = s->request->sender,
		.header_from = header_from(s), .envelope = &s->envelope,
		.explain = s->envelope.explain, .config = s->config,
	};
	return s->account ? 0 : choose_account(&s->choice, &s->account, err);
}

int submission_account(struct submission *s, struct error *err)
{
	return load_config(s, err) < 0 ? -1 : settle_account(s, err);
}

/* Whoever may not use the account learns no more. */
static int settle_sender(struct submission *s, struct error *err)
{
	struct account_choice *c = &s->choice;

	if (!c->sender && s->account->read_envelope_from) {
		c->sender = c->header_from;
		c->sender_is_header = true;
	}
	if (permission_check(s->account, err) < 0 ||
	    rewriter_open(s->arena, s->account, &c->rewriter, err) < 0)
		return -1;
	return choose_account_sender(s->arena, s->account, c, &s->envelope.sender,
				     &s->envelope.orig_sender, err);
}

/* --- recipients --------------------------------------------------------------------- */

/* Nobody gets it, since somebody cannot. */
static int refuse(struct submission *s, struct error *err)
{
	s->refused = true;
	return envelope_nobody(&s->envelope, err);
}

/* Those with options come first: what an option says about one counts. */
static int take_recipients(struct submission *s, struct error *err)
{
	const struct submission_request *r = s->request;
	struct envelope *e = &s->envelope;

	for (size_t i = 0; i < r->rcpt_n; i++) {
		if (request_recipient(e, r->rcpt[i], datetime_now(), err) < 0)
			return error_prefix(err, "option '--rcpt'");
	}
	envelope_add_words(r->exclude_words ? &s->excluded : e, r->word, r->words, NULL);
	if (s->excluded.unsendable_n)	/* whoever it is, he must not get it */
		return envelope_nobody(&s->excluded, err);
	user_headers_recipients(e, &r->compose);
	if (r->read_recipients || e->rcpt_count)
		return 0;
	if (e->unsendable_n)
		return refuse(s, err);
	return error_set(err, FAULT_USAGE,
			 "no recipients: give addresses, or -t to take them from the header");
}

/* Those that are excluded; a domain completes bare names on both sides. */
static int exclude_recipients(struct submission *s, const char *domain, struct error *err)
{
	if (!s->excluded.rcpt_count)
		return 0;
	envelope_exclude(&s->envelope, &s->excluded, domain);
	if (s->envelope.rcpt_count)
		return 0;
	return error_set(err, FAULT_USAGE, "no recipients: --exclude-args takes out all "
			 "that the header names (%s)",
			 envelope_describe_header(&s->envelope, s->message));
}

static int collect_recipients(struct submission *s, struct error *err)
{
	struct envelope *e = &s->envelope;

	s->refused = s->request->read_recipients &&
		envelope_add_header(e, s->message, err) < 0;
	if (s->refused)
		return -1;
	for (size_t i = 0; i < e->rcpt_count; i++)
		explain_note(e->explain, "recipient '%s': by %s", e->rcpt[i].address,
			     envelope_source_name(e->rcpt[i].source));
	for (size_t i = 0; i < e->unsendable_n; i++)
		explain_note(e->explain, "recipient '%s': left out: %s", e->unsendable[i].address,
			     e->unsendable[i].why->text);
	if (e->rcpt_count == 0) {
		error_set(err, FAULT_USAGE, "no recipients: give addresses or use -t (saw %s)",
			  envelope_describe_header(e, s->message));
		return s->request->read_recipients && s->message->header_stop ?
			error_append(err, "; the header ends before the line '%s', which is no "
				     "field", s->message->header_stop) : -1;
	}
	return exclude_recipients(s, NULL, err);
}

/* What the account makes of the recipients, and the reports that are asked for. */
static int expand(const struct submission *s, struct envelope *e, struct error *err)
{
	const struct submission_request *r = s->request;
	const unsigned notify = r->dsn_notify ? r->dsn_notify : s->account->dsn_notify;

	if (recipients_settle(e, s->account, s->choice.rewriter, err) < 0)
		return -1;
	for (size_t i = 0; i < e->rcpt_count; i++) {
		if (!e->rcpt[i].notify)
			e->rcpt[i].notify = notify;
	}
	if (r->dsn_ret || !e->ret)
		e->ret = r->dsn_ret ? r->dsn_ret : s->account->dsn_return;
	if (r->envid)
		e->envid = r->envid;
	return 0;
}

int submission_expand(const struct submission *s, const char *word, struct envelope *out,
		      struct error *err)
{
	struct envelope e;

	envelope_init(&e, s->arena);
	e.sender = s->envelope.sender;
	envelope_add_words(&e, &word, 1, NULL);
	if (!e.rcpt_count && e.unsendable_n)
		return envelope_nobody(&e, err);
	if (expand(s, &e, err) < 0)
		return -1;
	*out = e;
	return 0;
}

static int settle_recipients(struct submission *s, struct error *err)
{
	const char *domain = s->excluded.rcpt_count ?
		choose_account_domain(s->arena, s->account) : NULL;

	if (exclude_recipients(s, domain, err) < 0)
		return -1;
	if (expand(s, &s->envelope, err) < 0) {
		s->refused = !s->envelope.rcpt_count && s->envelope.unsendable_n;
		return -1;
	}
	if (s->envelope.unsendable_n && s->account->refused_recipients == PARTIAL_REFUSE)
		return refuse(s, err);
	recipients_add_copies(&s->envelope, s->account);
	return 0;
}

/* --- the message -------------------------------------------------------------------- */

/* The message may choose the account, so here it is the one named, or the default. */
static unsigned input_patience(const struct submission *s)
{
	const char *name = s->request->account;
	const struct account *a;

	if (!s->config)
		return 0;	/* it is wrong, and the message only to be kept */
	a = name ? config_account(s->config, name) : config_default(s->config);
	return a ? a->timeouts.input : 0;
}

int submission_read(struct submission *s, struct error *err)
{
	const struct submission_request *r = s->request;
	const struct message_options opt = { .dots_ignored = r->dots_ignored,
					     .binary = r->binary_input,
					     .patience = input_patience(s),
					     .large_header = true };

	if (s->message)
		return 0;
	if (r->burl.whole)
		return message_reader_finish(message_reader_new(&opt), &s->message, err);
	s->input_read = true;
	if (message_read_fd(STDIN_FILENO, &opt, &s->message, err) < 0)
		return -1;
	if (s->message->ignored)
		tell_note(s, arena_printf(s->arena, "a line with a single dot ended the message, "
					  "%llu octets behind it were ignored: use -i",
					  (unsigned long long)s->message->ignored));
	return 0;
}

/* Fields that options make stand in the header before anything looks at it. */
static int receive(struct submission *s, struct error *err)
{
	const struct compose_request *req = &s->request->compose;

	if (req->compose)
		return 0;
	if (submission_read(s, err) < 0)
		return -1;
	return user_headers_apply(s->message, req, NULL, 0, err);
}

/* A message made of options: account and recipients are known before it is there. */
static int compose(struct submission *s, struct error *err)
{
	const struct submission_request *r = s->request;
	const struct account *a = s->account;
	const struct compose_options opt = {
		.charset = a->convert.default_charset, .width = a->compose.max_header_length,
		.patience = a->timeouts.input, .prefer_8bit = a->compose.prefer_8bit,
		.filename_compat = a->compose.filename_compat,
		.charset_out = a->convert.charset_out,
	};

	if (!r->compose.compose)
		return 0;
	s->input_read = true;
	if (compose_message(&r->compose, &opt, &s->message, err) < 0)
		return -1;
	return user_headers_apply(s->message, &r->compose, r->word, r->words, err);
}

/* What the message becomes: its fields, edits, requests, lines, parts that the server fetches. */
static int settle_content(struct submission *s, struct error *err)
{
	const struct submission_request *r = s->request;
	const struct account *a = s->account;
	const struct prepare_options opt = { .full_name = r->full_name, .no_fixes = r->gateway,
					     .rewriter = s->choice.rewriter };
	struct envelope *e = &s->envelope;
	const char *warning = NULL;

	if (user_headers_finish(s->message, &r->compose, a, e, &opt, &warning, err) < 0)
		return -1;
	tell_note(s, warning);
	if (prepare_message(&s->edits, e, s->message, a, &opt, err) < 0 ||
	    requests_apply(&s->edits, e, s->message, a, err) < 0 ||
	    convert_bare_cr(&s->message, &s->edits, e, a, err) < 0 ||
	    convert_lines(&s->message, &s->edits, e, a, err) < 0)
		return -1;
	requests_prefer(e, &s->asked);
	if (a->protocol == PROTOCOL_LMTP && a->lmtp_keep_duplicates && !s->stepwise)
		envelope_repeat(e);
	return burl_apply(e, &r->burl, a, err);
}

int submission_prepare(struct submission *s, struct error *err)
{
	const struct submission_request *r = s->request;

	if (r->burl.whole && r->read_recipients)
		return error_set(err, FAULT_USAGE, "-t needs a message on standard input, "
				 "which --burl does not read");
	if (r->body == BODY_BINARYMIME)
		s->envelope.body = BODY_BINARYMIME;
	if (take_recipients(s, err) < 0 ||	/* before anything is read */
	    load_config(s, err) < 0 ||
	    receive(s, err) < 0 ||		/* it may name recipients and account */
	    collect_recipients(s, err) < 0 ||
	    settle_account(s, err) < 0 ||
	    settle_sender(s, err) < 0 ||
	    compose(s, err) < 0 ||		/* as the account wants it */
	    settle_recipients(s, err) < 0)
		return -1;
	return settle_content(s, err);
}

const char *submission_message_id(const struct submission *s)
{
	static const char name[] = "Message-ID: ";
	const struct header_field *f = s->message ?
		header_find(&s->message->header, HEADER_MESSAGE_ID) : NULL;

	for (size_t i = 0; i < s->edits.added_n; i++) {
		const char *text = s->edits.added[i];

		if (strncmp(text, name, strlen(name)) == 0)
			return arena_strndup(s->arena, text + strlen(name),
					     strcspn(text + strlen(name), "\r\n"));
	}
	return f ? header_value(s->arena, f) : NULL;
}

/* --- step by step ------------------------------------------------------------------- */

/* What the account asks of servers, as far as that does not depend on the message. */
static int settle_requests(struct submission *s, struct error *err)
{
	const struct message_options opt = { .wire = true };
	struct message *nothing = NULL;
	struct edits none;

	if (message_reader_finish(message_reader_new(&opt), &nothing, err) < 0)
		return -1;
	edits_init(&none, s->arena, nothing);
	const uint64_t size = s->envelope.size;
	const int rc = requests_apply(&none, &s->envelope, nothing, s->account, err);

	s->envelope.size = size;
	message_free(nothing);
	requests_prefer(&s->envelope, &s->asked);
	return rc;
}

int submission_begin(struct submission *s, struct error *err)
{
	s->stepwise = true;
	s->asked = s->envelope.ext;
	if (load_config(s, err) < 0 || settle_account(s, err) < 0 || settle_sender(s, err) < 0)
		return -1;
	if (!s->envelope.ret)
		s->envelope.ret = s->account->dsn_return;
	return settle_requests(s, err);
}

int submission_settle(const struct submission *s, const struct recipient *r,
		      struct envelope *out, struct error *err)
{
	struct envelope one;

	envelope_init(&one, s->arena);
	one.sender = s->envelope.sender;
	one.utf8 = s->envelope.utf8;
	(void)envelope_add_as(&one, r->address, NULL, r);
	if (expand(s, &one, err) < 0)
		return -1;
	if (one.unsendable_n)
		return envelope_nobody(&one, err);
	if (one.discard)
		one.rcpt_count = 0;
	*out = one;
	return 0;
}

int submission_finish(struct submission *s, struct error *err)
{
	recipients_add_copies(&s->envelope, s->account);
	/* as far as it is needed, whatever the client has said */
	s->envelope.utf8 = s->envelope.header_utf8 = false;
	return settle_content(s, err);
}
