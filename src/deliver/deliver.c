#include "config.h"
#include "deliver/deliver.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "conf/settings.h"
#include "deliver/deliver_kinds.h"
#include "deliver/maildir.h"
#include "message/ident.h"
#include "server/delivery.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/text.h"
#include "util/xalloc.h"

static int open_maildir(const struct deliver_request *r, const char *place,
			struct delivery **out, struct error *err)
{
	struct maildir *box = xcalloc(1, sizeof(*box));
	const char *host = r->server_name ? r->server_name : ident_host(r->arena);

	if (maildir_open(box, place, host ? host : "localhost", err) < 0) {
		xfree(box);
		return -1;
	}
	*out = &box->delivery;
	return 0;
}

int deliver_split(const struct deliver_request *r, const char *command,
		  const char *const **argv_out, struct error *err)
{
	struct setting words = { .type = SETTING_ARGV, .flags = SETTING_COMMAND };

	snprintf(words.key, sizeof(words.key), "%s", r->key);
	if (setting_set(argv_out, &words, r->arena, command, err) < 0)
		return -1;
	return *argv_out ? 0 : error_set(err, FAULT_CONFIG, "key '%s': no command", r->key);
}

static const struct kind {
	const char *scheme;
	const char *form;	/* for texts */
	int (*open)(const struct deliver_request *r, const char *place, struct delivery **out,
		    struct error *err);
	bool bare;		/* it needs no place */
} kinds[] = {
	{ "account", "account:NAME", deliver_to_account, true },
	{ "queue", "queue:ACCOUNT", deliver_to_queue, true },
	{ "maildir", "maildir:PATH", open_maildir, false },
	{ "lmtp", "lmtp:HOST:PORT, lmtp:/PATH", deliver_to_lmtp, false },
	{ "command", "command:PROGRAM ARGUMENT...", deliver_to_command, false },
};

static const struct kind *find_kind(const char *deliver, const char **place_out)
{
	const size_t n = strcspn(deliver, ":");

	*place_out = deliver[n] && deliver[n + 1] ? deliver + n + 1 : NULL;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (text_same(deliver, n, kinds[i].scheme))
			return *place_out || (kinds[i].bare && !deliver[n]) ? &kinds[i] : NULL;
	}
	return NULL;
}

static int no_kind(const struct deliver_request *r, struct error *err)
{
	error_set(err, FAULT_CONFIG, "key '%s': '%s' is not of the form", r->key,
		  r->deliver ? r->deliver : "");
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		error_append(err, "%s %s", i ? "," : "", kinds[i].form);
	return -1;
}

int deliver_open(const struct deliver_request *r, struct delivery **out, struct error *err)
{
	const char *place;
	const struct kind *kind = find_kind(r->deliver ? r->deliver : "", &place);
	struct delivery *d = NULL;

	if (!kind)
		return no_kind(r, err);
	if (kind->open(r, place, &d, err) < 0)
		return -1;
	*out = r->on_message ? deliver_behind_hook_take(r, d) : d;
	return 0;
}
