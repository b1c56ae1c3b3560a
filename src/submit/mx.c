/* One attempt for each domain where there is no smarthost; else one for all. */
#include "config.h"
#include "submit/attempt.h"

#include <string.h>
#include <strings.h>

#include "conf/account.h"
#include "message/envelope.h"
#include "message/result.h"
#include "submit/line.h"
#include "util/arena.h"
#include "util/error.h"

static const char *domain_of(const struct recipient *r)
{
	const char *at = strrchr(r->address, '@');

	return at ? at + 1 : "";
}

static bool same_domain(const struct recipient *r, const char *domain)
{
	return strcasecmp(domain_of(r), domain) == 0;
}

struct account attempt_direct_account(const struct account *a)
{
	struct account direct = *a;

	direct.auth.mode = AUTH_OFF;
	if (direct.tls.mode == TLS_AUTO)
		direct.tls.mode = TLS_MAY;
	return direct;
}

/* The recipients of one domain, those from first on: theirs is the index of the original. */
static size_t select_domain(const struct envelope *e, size_t first, const char *domain,
			    struct envelope *out, size_t *index)
{
	size_t n = 0;

	for (size_t i = first; i < e->rcpt_count; i++) {
		if (!same_domain(&e->rcpt[i], domain))
			continue;
		out->rcpt[n] = e->rcpt[i];
		index[n++] = i;
	}
	out->rcpt_count = n;
	return n;
}

static bool is_first(const struct envelope *e, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (same_domain(&e->rcpt[k], domain_of(&e->rcpt[i])))
			return false;
	}
	return true;
}

/* What one domain has come to, put where its recipients stand in the whole. */
static void take_over(struct result *all, const struct result *part, const size_t *index)
{
	for (size_t i = 0; i < part->rcpt_count; i++)
		all->rcpt[index[i]] = part->rcpt[i];
	all->refusal = part->refusal;
	all->unknown = all->unknown || part->unknown;
	all->server = part->server ? part->server : all->server;
	all->address = part->address;
	all->tls = part->tls;
	all->reply_text = part->reply_text;
	all->mechanism = part->mechanism;
	all->binding = part->binding;
	all->left_out = part->left_out ? part->left_out : all->left_out;
	all->tracked = all->tracked || part->tracked;
	for (size_t i = 0; i < part->note_n; i++)
		result_note(all, "%s", part->note[i]);
}

/* One transaction for each domain: what they share is not worth finding out. */
static void submit_direct(const struct account *a, const struct envelope *e,
			  const struct message *m, const struct edits *edits,
			  const struct attempt_options *opt, struct result *result)
{
	struct account own;
	const struct account *direct = opt->line ? line_direct(opt->line, a) : &own;
	struct envelope part = *e;
	size_t *index = arena_calloc(result->arena, e->rcpt_count + 1, sizeof(*index));

	if (!opt->line)
		own = attempt_direct_account(a);
	part.rcpt = arena_calloc(result->arena, e->rcpt_count + 1, sizeof(*part.rcpt));
	for (size_t i = 0; i < e->rcpt_count; i++) {
		const char *domain = domain_of(&e->rcpt[i]);
		struct result some;
		struct error err;

		if (!is_first(e, i))
			continue;
		result_init(&some, result->arena, select_domain(e, i, domain, &part, index));
		some.refusal = result->refusal;
		if (*domain) {
			submit_to(direct, domain, &part, m, edits, opt, &some);
		} else {
			error_set(&err, FAULT_NO_DOMAIN,
				  "recipient '%s' has no domain to send to", part.rcpt->address);
			result_set_rest(&some, &err);
		}
		take_over(result, &some, index);
	}
	result_settle(result);
}

void submit_attempt(const struct account *a, const struct envelope *e, const struct message *m,
		    const struct edits *edits, const struct attempt_options *opt,
		    struct result *result)
{
	if (a->net.mx && !a->socket)
		submit_direct(a, e, m, edits, opt, result);
	else
		submit_to(a, NULL, e, m, edits, opt, result);
}
