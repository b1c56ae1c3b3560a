/* Sessions without an attempt: to be looked at, for commands, to be kept open. */
#include "config.h"
#include "submit/attempt_private.h"

#include "conf/account.h"
#include "message/result.h"
#include "net/wire.h"
#include "smtp/extensions.h"
#include "smtp/session.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/xalloc.h"

int submit_info(const struct account *a, const struct attempt_options *opt,
		void (*show)(void *ctx, const struct session *), void *ctx, struct error *err)
{
	struct arena *arena = arena_new();
	struct attempt t = { .chosen = false };
	int rc;

	attempt_init(&t, a, opt, arena);
	t.own.info_only = true;
	rc = attempt_open_session(&t, err);
	if (rc == 0) {
		show(ctx, &t.o->session);
		session_quit(&t.o->session, true);
		session_opening_close(t.o);
	}
	arena_free(arena);
	return rc;
}

int submit_open(const struct account *a, const struct attempt_options *opt,
		struct attempt **out, struct error *err)
{
	struct attempt *t = xcalloc(1, sizeof(*t));

	attempt_init(t, a, opt, arena_new());
	if (extensions_check_account(a, err) == 0 && attempt_open_session(t, err) == 0) {
		*out = t;
		return 0;
	}
	arena_free(t->arena);
	xfree(t);
	return -1;
}

struct session *submit_opened(struct attempt *t)
{
	return &t->o->session;
}

void submit_renew(struct attempt *t)
{
	attempt_begin(t, t->o->account);
	wire_set_limit(t->o->wire, t->o->total);
	wire_set_early_limit(t->o->wire, t->o->whole);
}

int submit_blame(const struct attempt *t, struct error *err)
{
	return attempt_name_server(t, err);
}

void submit_describe(const struct attempt *t, struct result *r)
{
	const char *where = session_opening_server(t->o);

	r->server = where ? arena_strdup(r->arena, where) : NULL;
	session_opening_describe(t->o, r);
}

void submit_shut(struct attempt *t)
{
	if (!t)
		return;
	(void)session_quit(&t->o->session, false);
	session_opening_close(t->o);
	arena_free(t->arena);
	xfree(t);
}

int submit_session(const struct account *a, const struct attempt_options *opt,
		   int (*run)(void *ctx, struct session *, struct error *), void *ctx,
		   struct error *err)
{
	struct arena *arena = arena_new();
	struct attempt t = { .chosen = false };
	int rc;

	attempt_init(&t, a, opt, arena);
	rc = extensions_check_account(a, err);
	if (rc == 0)
		rc = attempt_open_session(&t, err);
	if (rc == 0) {
		rc = run(ctx, &t.o->session, err);
		session_quit(&t.o->session, true);
		session_opening_close(t.o);
	}
	arena_free(arena);
	return rc;
}
