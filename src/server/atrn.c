#include "config.h"
#include "server/atrn.h"

#include <string.h>

#include "message/ident.h"
#include "server/listener.h"
#include "server/maildir.h"
#include "server/smtpd.h"
#include "util/arena.h"

enum { IDLE_SECONDS = 600 };	/* RFC 2645, section 5: at least ten minutes */

static const char maildir[] = "maildir:";

static int open_box(struct maildir *box, const struct atrn_options *opt, const char *name,
		    struct error *err)
{
	const char *deliver = opt->deliver ? opt->deliver : "";

	if (strncmp(deliver, maildir, strlen(maildir)) != 0 || !deliver[strlen(maildir)])
		return error_set(err, FAULT_CONFIG, "delivery '%s' is not of the form "
				 "maildir:PATH: set 'atrn_deliver'", deliver);
	return maildir_open(box, deliver + strlen(maildir), name, err);
}

int atrn_check(const struct atrn_options *opt, struct error *err)
{
	struct maildir box;

	if (open_box(&box, opt, "localhost", err) < 0)
		return -1;
	maildir_close(&box);
	return 0;
}

static int serve_queue(const struct atrn_options *opt, const char *name, struct maildir *box,
		 struct wire *wire, const char *peer, unsigned *messages_out, struct error *err)
{
	const struct server_options server = {
		.name = name, .domains = opt->domains, .idle_timeout = IDLE_SECONDS,
		.size_limit = opt->size_limit, .strict = true, .log = opt->log,
		.log_ctx = opt->log_ctx,
	};
	struct smtpd session;

	smtpd_init_wire(&session, &server, wire, &box->delivery, peer);
	session.tls = opt->tls;
	int rc = smtpd_run(&session, err);

	*messages_out = session.messages;
	session.wire = NULL;		/* the caller's */
	smtpd_release(&session);
	return rc;
}

int atrn_run(const struct atrn_options *opt, struct wire *wire, const char *peer,
		 unsigned *messages_out, struct error *err)
{
	struct arena *arena = arena_new();
	const char *name = opt->name ? opt->name : ident_host(arena);
	struct maildir box;
	int rc = -1;

	*messages_out = 0;
	if (!name)
		name = "localhost";
	if (open_box(&box, opt, name, err) == 0) {
		rc = serve_queue(opt, name, &box, wire, peer, messages_out, err);
		maildir_close(&box);
	}
	arena_free(arena);
	return rc;
}
