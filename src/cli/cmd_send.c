#include "config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/report.h"
#include "cli/trace.h"
#include "conf/account.h"
#include "conf/accounts.h"
#include "message/address.h"
#include "message/edits.h"
#include "message/envelope.h"
#include "message/header.h"
#include "message/message.h"
#include "message/result.h"
#include "submit/attempt.h"
#include "submit/prepare.h"
#include "submit/route.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/error.h"

/* All that is open while one message is sent. */
struct send {
	const struct invocation *inv;
	struct arena *arena;
	struct config *config;
	struct message *message;
	const struct account *account;
	struct route_request route;
	struct envelope envelope;
	struct edits edits;
	bool input_read;
};

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

static int read_message(struct send *s, struct error *err)
{
	const struct message_options opt = { .dots_ignored = s->inv->dots_ignored };

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

/* The address of the header's From: it may choose the account. */
static const char *header_from(const struct send *s)
{
	const struct header_field *f = header_find(&s->message->header, HEADER_FROM);
	struct address_list list;
	struct error unreadable;

	if (!f || address_parse_list(s->arena, f->text + f->value, f->len - f->value, 0, &list,
				     &unreadable) < 0)
		return NULL;
	return list.n ? list.box[0].address : NULL;
}

static int choose_account(struct send *s, struct error *err)
{
	s->route = (struct route_request){ .account = s->inv->account, .sender = s->inv->sender,
					   .header_from = header_from(s),
					   .envelope = &s->envelope };
	if (!s->route.sender && s->inv->read_envelope_from)
		s->route.sender = s->route.header_from;
	if (route_account(s->config, &s->route, &s->account, err) < 0)
		return -1;
	return route_sender(s->arena, s->account, &s->route, &s->envelope.sender, err);
}

static int no_recipients(struct send *s, struct error *err)
{
	return error_set(err, EX_USAGE, "5.5.4", "no recipients: give addresses or use -t (%s)",
			 envelope_describe_header(&s->envelope, s->message));
}

static int collect_recipients(struct send *s, struct error *err)
{
	struct envelope *e = &s->envelope;

	if (s->inv->read_recipients && envelope_add_header(e, s->message, err) < 0)
		return -1;
	return e->rcpt_count == 0 ? no_recipients(s, err) : 0;
}

static int prepare_recipients(struct send *s, struct error *err)
{
	struct envelope *e = &s->envelope;

	if (prepare_envelope(e, s->account, err) < 0)
		return -1;
	unsigned notify = s->inv->dsn_notify ? s->inv->dsn_notify : s->account->dsn_notify;

	for (size_t i = 0; i < e->rcpt_count; i++)
		e->rcpt[i].notify = notify;
	e->ret = s->inv->dsn_ret ? s->inv->dsn_ret : s->account->dsn_return;
	e->envid = s->inv->envid;
	return 0;
}

/* Everything up to the connection; what fails here has sent nothing. */
static int prepare(struct send *s, struct error *err)
{
	const struct invocation *inv = s->inv;
	const struct prepare_options opt = { .full_name = inv->full_name,
					     .no_fixes = inv->gateway };

	if (envelope_add_words(&s->envelope, inv->word, inv->words, report_word, (void *)inv,
			       err) < 0)
		return -1;
	if (!inv->read_recipients && s->envelope.rcpt_count == 0)
		return error_set(err, EX_USAGE, "5.5.4",
				 "no recipients: give addresses, "
				 "or -t to take them from the header");
	if (config_load(&inv->config, &s->config, err) < 0 || read_message(s, err) < 0 ||
	    collect_recipients(s, err) < 0 || choose_account(s, err) < 0 ||
	    prepare_recipients(s, err) < 0)
		return -1;
	return prepare_message(&s->edits, &s->envelope, s->message, s->account, &opt, err);
}

/* The Message-ID that goes out: the message's own or the one added. */
static const char *message_id(const struct send *s)
{
	static const char name[] = "Message-ID: ";
	const struct header_field *f = header_find(&s->message->header, HEADER_MESSAGE_ID);

	for (size_t i = 0; i < s->edits.added_n; i++) {
		const char *text = s->edits.added[i];

		if (strncmp(text, name, strlen(name)) == 0)
			return arena_strndup(s->arena, text + strlen(name),
					     strcspn(text + strlen(name), "\r\n"));
	}
	return f ? header_value(s->arena, f) : NULL;
}

static int submit(struct send *s)
{
	const struct attempt_options opt = { .trace = s->inv->verbose ? trace_line : NULL };
	struct result result;
	int64_t start = clock_ms();

	result_init(&result, s->arena, s->envelope.rcpt_count);
	submit_attempt(s->account, &s->envelope, s->message, &s->edits, &opt, &result);
	return report_result(s->inv, s->account, &s->envelope, &result, message_id(s),
			     (long)(clock_ms() - start));
}

/* Called on a terminal without any word: nobody wants to type a message then. */
static bool is_lost(const struct invocation *inv)
{
	return inv->words == 0 && !inv->read_recipients && isatty(STDIN_FILENO);
}

int cmd_send(const struct invocation *inv)
{
	struct send s = { .inv = inv, .arena = arena_new() };
	struct error err;
	int status;

	envelope_init(&s.envelope, s.arena);
	if (is_lost(inv)) {
		report_line(inv, "usage: msubmit [OPTION]... RECIPIENT... < MESSAGE; see --help");
		status = EX_USAGE;
	} else if (prepare(&s, &err) < 0) {
		if (!s.input_read)
			drain_input();
		if (s.account)
			report_log_failure(inv, s.account, &err);
		status = report_failure(inv, &err);
	} else {
		status = submit(&s);
	}
	message_free(s.message);
	config_free(s.config);
	arena_free(s.arena);
	return status;
}
