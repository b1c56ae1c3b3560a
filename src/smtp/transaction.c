#include "config.h"
#include "smtp/transaction.h"

#include "conf/account.h"
#include "message/envelope.h"
#include "message/result.h"
#include "smtp/content.h"
#include "smtp/outcome.h"
#include "smtp/session.h"
#include "util/xalloc.h"

#define RETRIES_MAX 3		/* without pipelining, without DSN, without SIZE */

static int put(struct transaction *t, const char *command, enum stage stage, struct error *err)
{
	strbuf_reset(&t->s->line);
	strbuf_addstr(&t->s->line, command);
	return pipeline_add(&t->pipe, stage, 0, 0, false, err);
}

static void path(struct strbuf *line, const char *command, const char *address)
{
	strbuf_reset(line);
	strbuf_addstr(line, command);
	strbuf_addstr(line, address);
	strbuf_addch(line, '>');
}

static int put_mail(struct transaction *t, struct error *err)
{
	struct strbuf *line = &t->s->line;

	path(line, "MAIL FROM:<", t->e->sender);
	size_t extra = extensions_mail_params(t->s, t->e, line);

	return pipeline_add(&t->pipe, STAGE_MAIL, 0, extra, session_has(t->s, EXT_SMTPUTF8), err);
}

/* All that are to be asked for; stops where asking on is useless. */
static void put_recipients(struct transaction *t)
{
	struct strbuf *line = &t->s->line;

	for (size_t k = 0; k < t->rcpt_count; k++) {
		const struct recipient *r = &t->e->rcpt[t->rcpt[k].index];
		struct error err;

		if (t->pipe.broken || t->mail_refused ||
		    (t->opt->strict_recipients && t->refusal.exit))
			return;
		if (t->left && !session_has(t->s, EXT_PIPELINING)) {
			t->left += t->rcpt_count - k;	/* too many: the rest is not even asked */
			return;
		}
		path(line, "RCPT TO:<", r->address);
		size_t extra = extensions_rcpt_params(t->s, t->e, r, line);

		t->dsn_used |= extra > 0;
		t->rcpt[k].state = ASKED;
		if (pipeline_add(&t->pipe, STAGE_RCPT, k, extra, session_has(t->s, EXT_SMTPUTF8),
				 &err) < 0) {
			error_prefix(&err, "'%s'", r->address);
			outcome_refuse(t, t->rcpt[k].index, &err);
		}
	}
}

static void begin(struct transaction *t, struct error *err)
{
	struct session *s = t->s;
	int rc = s->need_reset ? put(t, "RSET", STAGE_RSET, err) : 0;

	s->need_reset = false;
	if (rc == 0 && put_mail(t, err) == 0) {
		put_recipients(t);
		if (!t->pipe.broken)
			content_send(t);
		return;
	}
	error_prefix(err, "MAIL FROM");
	pipeline_finish(&t->pipe);
	outcome_fail_open(t, err);
}

/* Those without an outcome, as many as server and account allow at once. */
static void choose_recipients(struct transaction *t)
{
	const unsigned own = t->s->account->max_recipients, limit = t->s->rcpt_max;
	const unsigned max = !own || (limit && limit < own) ? limit : own;

	t->rcpt_count = t->left = 0;
	for (size_t i = 0; i < t->result->rcpt_count; i++) {
		if (t->result->rcpt[i].outcome != OUTCOME_NONE)
			continue;
		if (max && t->rcpt_count == max)
			t->left++;
		else
			t->rcpt[t->rcpt_count++] = (struct candidate){ i, UNASKED };
	}
}

/* Runs one; true when it is to be run again at once. */
static bool run_once(struct transaction *t)
{
	struct error err;

	choose_recipients(t);
	if (t->rcpt_count == 0)
		return false;
	t->standing = 0;
	t->mail_refused = t->retry = t->drop_dsn = t->dsn_used = t->slow = t->sent = false;
	t->refusal = (struct error){ 0 };
	pipeline_init(&t->pipe, t->s, outcome_take_reply, t);
	begin(t, &err);
	if (t->pipe.broken)
		outcome_fail_lost(t, &t->pipe.error);
	pipeline_release(&t->pipe);
	if (t->drop_dsn)
		t->s->announced[EXT_DSN] = false;
	if (t->slow)
		t->s->announced[EXT_PIPELINING] = false;
	return (t->retry || t->drop_dsn || t->slow) && !t->s->dead;
}

void transaction_run(struct session *s, const struct envelope *e, const struct message *m,
		     const struct edits *edits, const struct transaction_options *opt,
		     struct result *result)
{
	struct transaction t = { .s = s, .e = e, .m = m, .edits = edits, .opt = opt,
		.result = result };
	struct error err;

	if (s->dead)
		return;		/* the recipients wait for another session */
	if (extensions_check(s, e, &err) < 0) {
		outcome_fail_open(&t, &err);
		return;
	}
	t.rcpt = xcalloc(result->rcpt_count, sizeof(*t.rcpt));
	for (int i = 0; i <= RETRIES_MAX && run_once(&t); i++)
		;
	xfree(t.rcpt);
}
