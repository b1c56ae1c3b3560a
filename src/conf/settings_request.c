/*
 * Setters of the settings table: requests to the server, levels of extensions.
 */
#include "config.h"
#include "conf/settings_rows.h"

#include <string.h>
#include <strings.h>

#include "conf/account.h"
#include "message/request.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/names.h"
#include "util/strbuf.h"
#include "util/strvec.h"

#define POLICY_MAX 200	/* words of ext_policy */

/* A value that message/request.h has to understand; kept as written. */
SETTING_SETTER(special_request)
{
	const char **field = (const char **)((char *)target + s->offset);
	static const struct name_value none[] = {
		{ "", 0 }, { "off", 0 }, { "no", 0 }, { NULL, 0 }
	};
	struct error why;
	int off;

	if (names_find(none, value, &off) == 0) {
		*field = NULL;
		return 0;
	}
	if (request_check(s->key, value, &why) < 0)
		return error_set(err, FAULT_CONFIG, "key '%s': %s", s->key, why.text);
	*field = arena_strdup(arena, value);
	return 0;
}

SETTING_PRINTER(special_request_print)
{
	const char *const *field = (const char *const *)((const char *)target + s->offset);

	strbuf_addstr(out, *field ? *field : "off");
}

/* policy = NAME ":" LEVEL *("," NAME ":" LEVEL); which names there are is smtp's to know */
SETTING_SETTER(special_policy)
{
	static const char *const levels[] = { ":require", ":try", ":downgrade", ":local" };
	const char *const **field = (const char *const **)((char *)target + s->offset);
	struct strvec words = STRVEC_INIT(POLICY_MAX);
	int rc = 0;

	strvec_split(&words, value, ", \t");
	const char **list = arena_calloc(arena, words.n + 1, sizeof(*list));

	for (size_t i = 0; rc == 0 && i < words.n; i++) {
		const char *colon = strrchr(words.v[i], ':');
		bool known = false;

		for (size_t k = 0; colon && k < ARRAY_LEN(levels); k++)
			known |= strcasecmp(colon, levels[k]) == 0;
		if (!known || colon == words.v[i])
			rc = setting_refuse(s, words.v[i], "NAME:LEVEL, the level one of require, "
					    "try, downgrade, local", err);
		list[i] = arena_strdup(arena, words.v[i]);
	}
	if (rc == 0 && strvec_overflow(&words))
		rc = setting_refuse(s, value, "a list of that length", err);
	if (rc == 0)
		*field = words.n ? list : NULL;
	strvec_release(&words);
	return rc;
}

SETTING_PRINTER(special_policy_print)
{
	const char *const *list = *(const char *const *const *)((const char *)target + s->offset);

	for (const char *const *w = list; w && *w; w++)
		strbuf_addf(out, "%s%s", w == list ? "" : ", ", *w);
}
