/*
 * What the options of option_rows_compose.c do with their arguments: they
 * fill the compose request of the invocation.
 */
#ifndef CLI_OPTION_COMPOSE_H
#define CLI_OPTION_COMPOSE_H

#include "cli/option_values.h"
#include "util/attr.h"

/* data of option_field: fields with an option of their own. */
enum {
	FIELD_SUBJECT, FIELD_REPLY_TO, FIELD_IN_REPLY_TO, FIELD_REFERENCES, FIELD_DATE,
	FIELD_MESSAGE_ID, FIELD_PRIORITY, FIELD_SENSITIVITY, FIELD_EXPIRES, FIELD_REPLY_BY,
	FIELD_DEFERRED, FIELD_AUTO_SUBMITTED, FIELD_OPTION_COUNT
};

/* data of option_receipt. */
enum { RECEIPT_READ, RECEIPT_RETURN };

option_fn option_address, option_text, option_part, option_charset, option_header, option_field,
	option_importance, option_receipt, option_disposition, option_solicitation;

/* Do all options of the message go together, and with the others? EX_USAGE. */
ATTR_CHECK int options_check_compose(const struct invocation *inv, struct error *err);

#endif
