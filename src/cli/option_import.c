#include "config.h"
#include "cli/option_values.h"

/* They read and write files of any name, so they are not for whoever can only add options. */
int option_import(struct invocation *inv, const struct option *o, const char *value,
		  struct error *err)
{
	*(const char **)((char *)inv + o->data) = value;
	return option_check_trust(inv, "--import", err);
}

int option_import_file(struct invocation *inv, const struct option *o, const char *value,
		       struct error *err)
{
	inv->command = COMMAND_IMPORT;
	inv->command_given = true;
	return option_import(inv, o, value, err);
}
