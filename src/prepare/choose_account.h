/*
 * Which account, which envelope sender (doc/sendmail.md#sender), and who may
 * send: allow_users, deny_users, allow_groups, by the real user and groups of
 * the process, whatever -f says.
 */
#ifndef PREPARE_CHOOSE_ACCOUNT_H
#define PREPARE_CHOOSE_ACCOUNT_H

#include <stdbool.h>

#include "util/attr.h"

struct account;
struct arena;
struct config;
struct envelope;
struct error;
struct explain;
struct mailbox;
struct rewriter;

/* What decides. A zeroed one leaves it all to the configuration. */
struct account_choice {
	const char *account;	/* -a; NULL = choose */
	const char *sender;	/* -f as parsed: address, "" = null path, NULL = not given */
	const char *header_from;	/* address of the header's From, for the choice only */
	const struct envelope *envelope;	/* recipients, for the choice; NULL = unknown */
	bool sender_is_header;	/* the sender is that of the From field: read_envelope_from */
	struct explain *explain;	/* is told why; NULL = nobody asks */
	const struct config *config;	/* NULL only for the sender: notes say less then */
	struct rewriter *rewriter;	/* rules for the sender; NULL = none */
};

/*
 * The account: by option; else the first whose 'from' patterns match -f;
 * else the first that matches the header's From; else the first whose
 * match_to patterns match every recipient; else the first whose match_user
 * has the caller's login name; else the default. account_match of the first
 * account may say another order. EX_CONFIG when there is none, with the
 * places that were searched.
 */
ATTR_CHECK int choose_account(const struct account_choice *req, const struct account **out,
			      struct error *err);

/*
 * The envelope sender for that account, qualified and clean: what a rule of
 * rewriting makes of it, unless the account pins it; else see from_override.
 * "" is the null reverse-path and never replaced. *asked_out (may be NULL):
 * the sender as it was asked for, or the login name that stands for it; NULL
 * if nobody asked and the account has a sender of its own.
 */
ATTR_CHECK int choose_account_sender(struct arena *a, const struct account *account,
				     const struct account_choice *req, const char **out,
				     const char **asked_out, struct error *err);

/*
 * What completes an address: default_domain, else the domain of from, else
 * maildomain, /etc/mailname, the host's name; NULL if none is known. Where
 * anybody may have a mailbox (conf/public_domains.h) only default_domain may
 * say so: "root" there is a stranger.
 */
const char *choose_account_domain(struct arena *a, const struct account *account);

/*
 * The account's own address, the first plain one of 'from', where it stands
 * for all local names since its domain is such a one; else NULL.
 */
const char *choose_account_own(struct arena *a, const struct account *account);

/* The first of 'from' that is no pattern, with its name; false when there is none. */
bool choose_account_from(struct arena *a, const struct account *account, struct mailbox *out);

/*
 * What of 'from' goes in place of a sender's address that belongs to this
 * host, unless from_override = any; NULL when the address stays.
 */
const char *choose_account_stand_in(struct arena *a, const struct account *account,
				    const char *address);

/*
 * EX_NOPERM 5.7.1 "user www-data may not submit mail": when a pattern of
 * deny_users fits the login name; or when there is allow_users or
 * allow_groups, and neither fits. Root is a user as all others. A user
 * without name is "uidN", a group "gidN".
 */
ATTR_CHECK int permission_check(const struct account *a, struct error *err);

#endif
