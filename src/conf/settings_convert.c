/* Setters of the settings table: conversion of the message. */
#include "config.h"
#include "conf/settings_rows.h"

#include <string.h>

#include "conf/account.h"
#include "util/arena.h"
#include "util/strbuf.h"

#define CHARSET_MAX 40		/* RFC 2978, section 2.3 */

/* mime-charset-chars (RFC 2978, section 2.3): what can stand in an encoded word as it is */
SETTING_SETTER(special_charset)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789!#$%&+-^_`{}~";
	struct account *a = target;
	size_t len = strlen(value);

	if (strspn(value, allowed) != len || len > CHARSET_MAX)
		return setting_refuse(s, value, "the name of a charset", err);
	a->convert.charset = len ? arena_strdup(arena, value) : NULL;
	return 0;
}

SETTING_PRINTER(special_charset_print)
{
	const struct account *a = target;

	(void)s;
	if (a->convert.charset)
		strbuf_addstr(out, a->convert.charset);
}
