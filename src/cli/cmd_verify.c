/* -bv: what becomes of addresses, without sending anything. */
#include "config.h"

#include <sysexits.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/report.h"
#include "conf/account.h"
#include "message/envelope.h"
#include "prepare/rewriter.h"
#include "submit/submission.h"
#include "util/error.h"
#include "util/strbuf.h"

#define OUTPUT_MAX ((size_t)16 * 1024 * 1024)

/* One word of -bv: its verdict in the form of sendmail(8). */
static int verify_word(const struct invocation *inv, const struct submission *s,
		       const char *word, struct strbuf *out)
{
	const struct account *a = s->account;
	struct envelope e;
	struct error err;

	if (submission_expand(s, word, &e, &err) < 0) {
		strbuf_addf(out, "%s... %s\n", word, err.text);
		return -1;
	}
	for (size_t i = 0; i < e.warning_n; i++)
		report_line(inv, "warning: %s", e.warning[i]);
	for (size_t i = 0; i < e.unsendable_n; i++)
		strbuf_addf(out, "%s... %s\n", word, e.unsendable[i].why->text);
	for (size_t i = 0; e.discard && i < e.rcpt_count; i++)
		strbuf_addf(out, "%s... deliverable: thrown away\n", e.rcpt[i].address);
	for (size_t i = 0; !e.discard && i < e.rcpt_count; i++)
		strbuf_addf(out, "%s... deliverable: mailer relay, host %s, user %s\n",
			    e.rcpt[i].address, a->socket ? a->socket :
			    a->host ? a->host : "by MX", e.rcpt[i].address);
	return e.unsendable_n ? -1 : 0;
}

int cmd_verify(const struct invocation *inv)
{
	struct strbuf out = STRBUF_INIT(OUTPUT_MAX);
	struct submission s;
	struct error err;
	int status = EX_OK;

	submission_init(&s, &inv->request, NULL);
	if (submission_account(&s, &err) < 0 ||
	    rewriter_open(s.arena, s.account, &s.choice.rewriter, &err) < 0) {
		status = report_failure(inv, &err);
	} else {
		for (size_t i = 0; i < inv->request.words; i++) {
			if (verify_word(inv, &s, inv->request.word[i], &out) < 0)
				status = EX_USAGE;
		}
		if (report_output(inv, out.buf) != EX_OK)
			status = EX_IOERR;
	}
	strbuf_release(&out);
	submission_release(&s);
	return status;
}
