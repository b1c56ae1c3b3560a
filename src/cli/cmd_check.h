/*
 * --check: what check/check.h finds, as lines or as one JSON object.
 *
 *	ok   STEP: what
 *	warn STEP: what works and will hurt
 *	FAIL STEP: what
 *	     -> what to do
 *	skip STEP: not tried, and why
 */
#ifndef CLI_CMD_CHECK_H
#define CLI_CMD_CHECK_H

struct invocation;
struct submission;

/*
 * Checks the account of s and prints what is found to standard output; returns
 * the exit status that sending would have. why: how the account came to be
 * chosen ("named by -a"); to: the recipient to ask the server for; NULL for
 * none of them.
 */
int check_and_print(const struct invocation *inv, struct submission *s, const char *why,
		    const char *to);

#endif
