#include "config.h"
#include "cli/sending.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cli/report.h"
#include "cli/report_keep.h"
#include "conf/account.h"
#include "conf/accounts.h"
#include "message/address.h"
#include "message/header.h"
#include "message/message.h"
#include "message/request.h"
#include "mime/compose.h"
#include "mime/compose_request.h"
#include "prepare/burl.h"
#include "prepare/convert.h"
#include "prepare/permission.h"
#include "prepare/prepare.h"
#include "prepare/redirect.h"
#include "prepare/requests.h"
#include "prepare/rewriter.h"
#include "prepare/user_headers.h"
#include "util/arena.h"
#include "util/datetime.h"
#include "util/error.h"

/*
 * Reads what is left of standard input, so that the program in front of us
 * sees our exit status and not SIGPIPE.
 */
static void drain_input(void)
{
	char block[65536];
	ssize_t n;

	if (isatty(STDIN_FILENO))
		return;
	do {
		n = read(STDIN_FILENO, block, sizeof(block));
	} while (n > 0 || (n < 0 && errno == EINTR));
}

static void report_word(void *ctx, const struct error *err)
{
	report_failure(ctx, err);
}

/* The message may choose the account, so here it is the one named, or the default. */
static unsigned input_patience(const struct sending *s)
{
	const struct account *a;

	if (!s->config)
		return 0;	/* it is wrong, and the message only to be kept */
	a = s->inv->account ? config_account(s->config, s->inv->account) :
			      config_default(s->config);
	return a ? a->timeouts.input : 0;
}

static int read_message(struct sending *s, struct error *err)
{
	const struct message_options opt = { .dots_ignored = s->inv->dots_ignored,
					     .binary = s->inv->binary_input,
					     .patience = input_patience(s) };

	if (s->inv->burl_whole)
		return message_reader_finish(message_reader_new(&opt), &s->message, err);
	s->input_read = true;
	if (message_read_fd(STDIN_FILENO, &opt, &s->message, err) < 0)
		return -1;
	if (s->message->ignored)
		report_line(s->inv,
			    "a line with a single dot ended the message, %llu octets behind it "
			    "were ignored: use -i",
			    (unsigned long long)s->message->ignored);
	return 0;
}

/* The address of From, of a resent message of Resent-From: it may choose the account. */
static const char *header_from(const struct sending *s)
{
	const struct header_field *resent =
		s->message ? header_find(&s->message->header, HEADER_RESENT_FROM) : NULL;
	const struct header_field *f =
		s->message && !resent ? header_find(&s->message->header, HEADER_FROM) : resent;
	const char *from = f ? f->text + f->value : NULL;
	struct address_list list;
	struct error unreadable;

	if (!s->message)
		from = user_headers_from(&s->inv->compose);
	if (!from || address_parse_list(s->arena, from, strlen(from), 0, &list, &unreadable) < 0)
		return NULL;
	return list.n ? list.box[0].address : NULL;
}

static int choose_account(struct sending *s, struct error *err)
{
	s->route = (struct route_request){ .account = s->inv->account, .sender = s->inv->sender,
					   .header_from = header_from(s),
					   .envelope = &s->envelope,
					   .explain = s->envelope.explain, .config = s->config };
	if (route_account(s->config, &s->route, &s->account, err) < 0)
		return -1;
	if (!s->route.sender && s->account->read_envelope_from) {
		s->route.sender = s->route.header_from;
		s->route.sender_is_header = true;
	}
	if (permission_check(s->account, err) < 0 ||
	    rewriter_open(s->arena, s->account, &s->route.rewriter, err) < 0)
		return -1;
	s->told = *s->inv;
	s->told.error_format = (int)s->account->report.error_format;
	s->inv = &s->told;
	return route_sender(s->arena, s->account, &s->route, &s->envelope.sender,
			    &s->envelope.orig_sender, err);
}

static int no_recipients(struct sending *s, struct error *err)
{
	return error_set(err, FAULT_USAGE, "no recipients: give addresses or use -t (saw %s)",
			 envelope_describe_header(&s->envelope, s->message));
}

/* Those that --exclude-args names; a domain completes bare names on both sides. */
static int exclude_recipients(struct sending *s, const char *domain, struct error *err)
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

static int collect_recipients(struct sending *s, struct error *err)
{
	struct envelope *e = &s->envelope;

	if (s->inv->read_recipients && envelope_add_header(e, s->message, err) < 0)
		return -1;
	for (size_t i = 0; i < e->rcpt_count; i++)
		explain_note(e->explain, "recipient '%s': by %s", e->rcpt[i].address,
			     envelope_source_name(e->rcpt[i].source));
	return e->rcpt_count == 0 ? no_recipients(s, err) : exclude_recipients(s, NULL, err);
}

static int prepare_recipients(struct sending *s, struct error *err)
{
	struct envelope *e = &s->envelope;
	const char *domain = s->excluded.rcpt_count ? route_domain(s->arena, s->account) : NULL;

	if (exclude_recipients(s, domain, err) < 0 ||
	    prepare_envelope(e, s->account, s->route.rewriter, err) < 0)
		return -1;
	unsigned notify = s->inv->dsn_notify ? s->inv->dsn_notify : s->account->dsn_notify;

	for (size_t i = 0; i < e->rcpt_count; i++) {
		if (!e->rcpt[i].notify)
			e->rcpt[i].notify = notify;
	}
	e->ret = s->inv->dsn_ret ? s->inv->dsn_ret : s->account->dsn_return;
	e->envid = s->inv->envid;
	redirect_copies(e, s->account);
	return 0;
}

/* A message made of options: account and recipients are known before it is there. */
static int compose(struct sending *s, struct error *err)
{
	const struct compose_request *req = &s->inv->compose;

	if (collect_recipients(s, err) < 0 || choose_account(s, err) < 0)
		return -1;
	const struct compose_options opt = {
		.charset = s->account->convert.default_charset,
		.width = s->account->compose.max_header_length,
		.patience = s->account->timeouts.input,
		.prefer_8bit = s->account->compose.prefer_8bit,
		.filename_compat = s->account->compose.filename_compat,
	};

	s->input_read = true;
	if (compose_message(req, &opt, &s->message, err) < 0)
		return -1;
	return user_headers_apply(s->message, req, s->inv->word, s->inv->words, err);
}

static int receive(struct sending *s, struct error *err)
{
	if (read_message(s, err) < 0 ||
	    user_headers_apply(s->message, &s->inv->compose, NULL, 0, err) < 0 ||
	    collect_recipients(s, err) < 0)
		return -1;
	return choose_account(s, err);
}

static struct prepare_options options_of(const struct sending *s)
{
	return (struct prepare_options){ .full_name = s->inv->full_name,
					 .no_fixes = s->inv->gateway,
					 .rewriter = s->route.rewriter };
}

/* The message with the fields that options make, its account and its envelope. */
static int take_message(struct sending *s, struct error *err)
{
	const struct compose_request *req = &s->inv->compose;
	const char *warning = NULL;

	if ((req->compose ? compose(s, err) : receive(s, err)) < 0 ||
	    prepare_recipients(s, err) < 0)
		return -1;
	const struct prepare_options opt = options_of(s);

	if (user_headers_finish(s->message, req, s->account, &s->envelope, &opt, &warning,
				err) < 0)
		return -1;
	if (warning)
		report_line(s->inv, "%s", warning);
	return 0;
}

/* Those of --rcpt come first: what an option says about one counts. */
static int add_rcpt_options(struct sending *s, struct error *err)
{
	for (size_t i = 0; i < s->inv->rcpt_n; i++) {
		if (request_recipient(&s->envelope, s->inv->rcpt[i], datetime_now(), err) < 0)
			return error_prefix(err, "option '--rcpt'");
	}
	return 0;
}

/* What the message becomes: edits, requests, lines, parts that the server fetches. */
static int prepare_content(struct sending *s, struct error *err)
{
	const struct invocation *inv = s->inv;
	const struct prepare_options opt = options_of(s);
	const struct burl_request burl = {
		.piece = inv->burl, .n = inv->burl_n, .whole = inv->burl_whole,
		.size = inv->burl_size, .eight = inv->body == BODY_8BITMIME,
	};

	if (prepare_message(&s->edits, &s->envelope, s->message, s->account, &opt, err) < 0 ||
	    requests_apply(&s->edits, &s->envelope, s->message, s->account, err) < 0)
		return -1;
	if (s->envelope.unparsed && inv->verbose)
		report_line(inv, "left as they are, as they are no lists of addresses: %s",
			    s->envelope.unparsed);
	if (convert_bare_cr(&s->message, &s->edits, &s->envelope, s->account, err) < 0 ||
	    convert_lines(&s->message, &s->edits, &s->envelope, s->account, err) < 0)
		return -1;
	return burl_apply(&s->envelope, &burl, s->account, err);
}

int sending_prepare(struct sending *s, struct error *err)
{
	const struct invocation *inv = s->inv;

	if (inv->burl_whole && inv->read_recipients)
		return error_set(err, FAULT_USAGE, "-t needs a message on standard input, "
				 "which --burl does not read");
	if (inv->dry_run && inv->burl_n)
		return error_set(err, FAULT_USAGE, "--dry-run cannot show what the server "
				 "is to fetch: leave out --burl and --burl-part");
	s->envelope.body = inv->body == BODY_BINARYMIME ? BODY_BINARYMIME : BODY_7BIT;
	if (add_rcpt_options(s, err) < 0)
		return -1;
	if (envelope_add_words(inv->exclude_words ? &s->excluded : &s->envelope, inv->word,
			       inv->words, report_word, (void *)inv, err) < 0 ||
	    user_headers_recipients(&s->envelope, &inv->compose, err) < 0)
		return -1;
	if (!inv->read_recipients && s->envelope.rcpt_count == 0)
		return error_set(err, FAULT_USAGE,
				 "no recipients: give addresses, "
				 "or -t to take them from the header");
	if (config_load(&inv->config, &s->config, err) < 0 || take_message(s, err) < 0)
		return -1;
	return prepare_content(s, err);
}

void sending_rescue_input(struct sending *s)
{
	struct error ignored;

	if (s->input_read)
		return;
	const bool whole = !s->inv->burl_whole && !s->inv->compose.compose;

	if (report_keeps(s->inv) && !isatty(STDIN_FILENO) && whole)
		(void)!read_message(s, &ignored);
	else
		drain_input();
}
