/* -bv: what becomes of addresses, without sending anything. */
#include "config.h"

#include <sysexits.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/report.h"
#include "conf/account.h"
#include "conf/accounts.h"
#include "message/address.h"
#include "message/envelope.h"
#include "prepare/choose_account.h"
#include "prepare/prepare.h"
#include "prepare/rewriter.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"

#define OUTPUT_MAX ((size_t)16 * 1024 * 1024)

/* One word of -bv: its verdict in the form of sendmail(8). */
static int verify_word(struct arena *a, const struct account *account, struct rewriter *rewriter,
		       const char *word, struct strbuf *out)
{
	struct envelope e;
	struct error err;

	envelope_init(&e, a);
	e.sender = "";
	if (envelope_add_words(&e, &word, 1, NULL, NULL, &err) < 0 ||
	    prepare_envelope(&e, account, rewriter, &err) < 0) {
		strbuf_addf(out, "%s... %s\n", word, err.text);
		return -1;
	}
	for (size_t i = 0; i < e.rcpt_count; i++)
		strbuf_addf(out, "%s... deliverable: mailer relay, host %s, user %s\n",
			    e.rcpt[i].address, account->socket ? account->socket :
			    account->host ? account->host : "by MX", e.rcpt[i].address);
	return 0;
}

int cmd_verify(const struct invocation *inv)
{
	struct route_request req = { .account = inv->account, .sender = inv->sender };
	struct strbuf out = STRBUF_INIT(OUTPUT_MAX);
	struct arena *a = arena_new();
	const struct account *account;
	struct config *config = NULL;
	struct error err;
	int status = EX_OK;

	if (config_load(&inv->config, &config, &err) < 0 ||
	    route_account(config, &req, &account, &err) < 0 ||
	    rewriter_open(a, account, &req.rewriter, &err) < 0) {
		status = report_failure(inv, &err);
	} else {
		for (size_t i = 0; i < inv->words; i++) {
			if (verify_word(a, account, req.rewriter, inv->word[i], &out) < 0)
				status = EX_USAGE;
		}
		if (report_output(inv, out.buf) != EX_OK)
			status = EX_IOERR;
	}
	strbuf_release(&out);
	config_free(config);
	arena_free(a);
	return status;
}
