/*
 * Inside prepare_message(): what its steps share.
 */
#ifndef PREPARE_PREPARE_PRIVATE_H
#define PREPARE_PREPARE_PRIVATE_H

#include <stdbool.h>

#include "message/header.h"
#include "util/attr.h"

struct account;
struct arena;
struct edits;
struct envelope;
struct error;
struct message;
struct prepare_options;

/* One message's header on its way. */
struct prepare_job {
	struct edits *edits;
	struct envelope *envelope;
	const struct message *message;
	const struct account *account;
	const struct prepare_options *opt;
	struct arena *arena;
	const char *domain;		/* see prepare_domain() */
	bool domain_known;
	const struct header_field *old_from;	/* a From that goes out with another address */
};

/*
 * The domain that completes addresses, looked up when first needed, in ASCII
 * where it has such a form; NULL = unknown.
 */
const char *prepare_domain(struct prepare_job *j);

/* Does the message have the field, and does it stay? */
bool prepare_has(const struct prepare_job *j, enum header_id id);

/* The value of that From, completed at most, on one line. */
const char *prepare_old_from(struct prepare_job *j);

/* The fields that are missing, or that the account wants to make itself. */
ATTR_CHECK int prepare_fields(struct prepare_job *j, struct error *err);

#endif
