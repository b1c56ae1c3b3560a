/* -bp, -bpc, -q, -bi: the commands about a queue and a database of aliases. */
#include "config.h"

#include <sysexits.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/report.h"

/*
 * Every message is handed to the server while the caller waits, so there
 * never is a queue; programs that ask for it get the words they look for
 * (doc/sendmail.md#queue).
 */
int cmd_queue_list(const struct invocation *inv)
{
	return report_output(inv, "Mail queue is empty\n");
}

int cmd_queue_count(const struct invocation *inv)
{
	return report_output(inv, "0\n");
}

int cmd_queue_run(const struct invocation *inv)
{
	(void)inv;
	return EX_OK;
}

/* The aliases file is read afresh each time: nothing is to be rebuilt. */
int cmd_aliases(const struct invocation *inv)
{
	(void)inv;
	return EX_OK;
}

int cmd_nothing(const struct invocation *inv)
{
	(void)inv;
	return EX_OK;
}
