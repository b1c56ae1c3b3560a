/*
 * Header fields that requests read or write: for requests.c.
 */
#ifndef PREPARE_REQUEST_FIELDS_H
#define PREPARE_REQUEST_FIELDS_H

#include <stdbool.h>
#include <stdint.h>

#include "util/attr.h"

struct account;
struct edits;
struct envelope;
struct error;
struct message;

/* What the steps of requests_apply() share. */
struct request_job {
	struct edits *edits;
	struct envelope *envelope;
	const struct message *message;
	const struct account *account;
	int64_t now;
	bool changed;		/* a field was dropped or replaced */
};

/* Drops all fields of that name and adds one, unless just that one is there. */
ATTR_CHECK int request_field_set(struct edits *edits, const struct message *m, const char *name,
				 const char *value, struct error *err);

/* Keys of the account that become fields: Solicitation, Content-Convert, Content-Features. */
ATTR_CHECK int request_field_solicit(struct request_job *j, const char *value,
				     struct error *err);
ATTR_CHECK int request_field_convert(struct request_job *j, const char *value,
				     struct error *err);
ATTR_CHECK int request_field_features(struct request_job *j, const char *value,
				      struct error *err);

/* "auto": the purported responsible address of the header (RFC 4407); else it must be that. */
ATTR_CHECK int request_field_submitter(struct request_job *j, const char *value,
				       struct error *err);

/* What the header asks for, and the fields that switches of the account add. */
ATTR_CHECK int request_fields(struct request_job *j, struct error *err);

#endif
