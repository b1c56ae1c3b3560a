#include "config.h"
#include "server/delivery.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "message/result.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"

void delivery_free(struct delivery *d)
{
	if (d && d->ops->free)
		d->ops->free(d);
}

int delivery_idle(struct delivery *d, bool leaving)
{
	return d->ops->idle ? d->ops->idle(d, leaving) : -1;
}

void delivery_settle(struct result *r, const char *text, const struct error *err)
{
	if (!text) {
		result_set_rest(r, err);
	} else {
		for (size_t i = 0; i < r->rcpt_count; i++)
			r->rcpt[i].outcome = OUTCOME_ACCEPTED;
		r->reply_text = arena_strdup(r->arena, text);
	}
	result_settle(r);
}

/* --- replies ------------------------------------------------------------------ */

/* As much of it as there is room for; what cannot be printed becomes '?'. */
static void copy(char *to, size_t room, const char *from, size_t n)
{
	size_t i;

	for (i = 0; i < n && i + 1 < room && from[i]; i++)
		to[i] = from[i] < ' ' || from[i] > '~' ? '?' : from[i];
	to[i] = '\0';
}

void delivery_say(struct delivery_reply *reply, int code, const char *status, const char *fmt, ...)
{
	struct strbuf text = STRBUF_INIT(4 * DELIVERY_TEXT_MAX);
	va_list ap;

	reply->code = code;
	copy(reply->status, sizeof(reply->status), status, strlen(status));
	va_start(ap, fmt);
	strbuf_vaddf(&text, fmt, ap);
	va_end(ap);
	copy(reply->text, sizeof(reply->text), text.buf, text.len);
	strbuf_release(&text);
}

/* The class of the status is that of the code. */
static void fit_status(struct delivery_reply *reply)
{
	if (!reply->status[0])
		copy(reply->status, sizeof(reply->status), "5.0.0", 5);
	reply->status[0] = (char)('0' + reply->code / 100);
}

/* class "." subject "." detail   (RFC 3463, section 2) */
static size_t status_length(const char *p, size_t n)
{
	size_t dots = 0, i = 0;

	for (; i < n && (isdigit((unsigned char)p[i]) || p[i] == '.'); i++)
		dots += p[i] == '.';
	return dots == 2 && i >= 5 && i < sizeof(((struct delivery_reply *)0)->status) ? i : 0;
}

bool delivery_pass_on(struct delivery_reply *reply, const char *words, size_t n)
{
	const int code = n >= 3 ? (int)strtol(words, NULL, 10) : 0;

	if (code < 200 || code > 599 || code / 100 == 3)
		return false;
	words += n > 3 ? 4 : 3;
	n -= n > 3 ? 4 : 3;
	const size_t status = status_length(words, n);
	const size_t skip = status + (status && status < n && words[status] == ' ');

	reply->code = code;
	copy(reply->status, sizeof(reply->status), words, status);
	fit_status(reply);
	copy(reply->text, sizeof(reply->text), words + skip, n - skip);
	return true;
}

/*
 * By fault, the first row that has it: the code for the client. Rows without
 * one pass on what the next server said. HIDDEN: the text is for our log.
 */
enum { HIDDEN = 1 };

static const struct verdict {
	enum fault first, last;
	int code;
	const char *status;	/* NULL = the error's own */
	unsigned flags;
} verdicts[] = {
	{ FAULT_SENDER_INCOMPLETE, FAULT_SENDER_INCOMPLETE, 553, NULL, 0 },
	{ FAULT_USER_NOT_ALLOWED, FAULT_USER_NOT_ALLOWED, 550, NULL, 0 },
	{ FAULT_DISK_FULL, FAULT_SPOOL, 452, "4.3.1", HIDDEN },
	{ FAULT_QUEUE_FULL, FAULT_QUEUE_FULL, 452, "4.3.1", HIDDEN },
	{ FAULT_USAGE, FAULT_BUG, 451, "4.3.0", HIDDEN },
	{ FAULT_INPUT, FAULT_ATTACHMENT, 451, "4.3.0", HIDDEN },
	{ FAULT_BARE_LINE_END, FAULT_BARE_LINE_END, 550, NULL, 0 },
	{ FAULT_INPUT_TOO_LARGE, FAULT_INPUT_TOO_LARGE, 552, NULL, 0 },
	{ FAULT_MESSAGE, FAULT_ARGUMENT, 554, NULL, 0 },
	{ FAULT_NO_READER, FAULT_NO_READER, 550, "5.1.1", 0 },
	{ FAULT_RECIPIENT_INCOMPLETE, FAULT_NO_DOMAIN, 550, NULL, 0 },
	{ FAULT_NULL_MX, FAULT_NULL_MX, 556, NULL, 0 },
	{ FAULT_MX_LOOP, FAULT_MX_LOOP, 554, NULL, 0 },
	{ FAULT_NO_HOST, FAULT_CERTIFICATE_DANE, 451, "4.4.1", 0 },
	{ FAULT_EXTENSION_MISSING, FAULT_EXTENSION_MISSING, 554, NULL, 0 },
	{ FAULT_UTF8_MISSING, FAULT_UTF8_MISSING, 553, NULL, 0 },
	{ FAULT_PROTOCOL, FAULT_NOT_SIGNED_IN, 451, "4.4.1", 0 },
	/* whose sign-in fails here is the administrator: the message is as good as before */
	{ FAULT_NO_AUTH, FAULT_NO_TICKET, 451, "4.7.0", 0 },
	{ FAULT_TOO_LARGE, FAULT_TOO_LARGE, 552, NULL, 0 },
	{ FAULT_SENDER_REFUSED, FAULT_NOT_TRIED, 0, NULL, 0 },
};

static const struct verdict *find_verdict(enum fault fault)
{
	for (size_t i = 0; i < ARRAY_LEN(verdicts); i++) {
		if (fault >= verdicts[i].first && fault <= verdicts[i].last)
			return &verdicts[i];
	}
	return NULL;
}

void delivery_reply_error(struct delivery_reply *reply, const struct error *err)
{
	const struct verdict *v = find_verdict(err->fault);
	const bool later = error_is_temporary(err);
	size_t n = 0;
	const char *words = error_words(err, &n);
	int code = v && v->code ? v->code : later ? 451 : 554;
	const char *status = v && v->status ? v->status : err->status;

	if (v && v->first >= FAULT_SENDER_REFUSED && words && delivery_pass_on(reply, words, n) &&
	    reply->code >= 400 && reply->code != 421)
		return;
	if (!v || v->flags & HIDDEN) {
		delivery_say(reply, code / 100 == 4 ? code : 451, v && v->status ? v->status :
			     "4.3.0", "cannot store the message, try again later");
		return;
	}
	delivery_say(reply, code, status, "%s", err->text);
	fit_status(reply);
}

/* text is the next server's reply, or a text of ours; NULL = there is none. */
static void say_accepted(struct delivery_reply *reply, const char *text)
{
	const bool is_reply = text && delivery_pass_on(reply, text, strlen(text));

	if (!is_reply)
		delivery_say(reply, 250, "2.0.0", "%s", text ? text : "accepted");
	else if (reply->code / 100 != 2)	/* it is about somebody else */
		delivery_say(reply, 250, "2.0.0", "accepted");
}

void delivery_reply_one(struct delivery_reply *reply, const struct result *r, size_t i)
{
	const struct rcpt_result *one = &r->rcpt[i];

	if (one->outcome == OUTCOME_ACCEPTED || one->outcome == OUTCOME_QUEUED)
		say_accepted(reply, one->words ? one->words : r->reply_text);
	else
		delivery_reply_error(reply, &one->error);
}

void delivery_reply_all(struct delivery_reply *reply, const struct result *r)
{
	const struct error *why = &r->error;

	if (result_count(r, OUTCOME_ACCEPTED) || result_count(r, OUTCOME_QUEUED)) {
		say_accepted(reply, r->reply_text);
		return;
	}
	/* whom it may reach later would be lost by a refusal of all */
	for (size_t i = 0; i < r->rcpt_count && !error_is_temporary(why); i++)
		why = r->rcpt[i].outcome == OUTCOME_DEFERRED ? &r->rcpt[i].error : &r->error;
	delivery_reply_error(reply, why);
}
