#include "config.h"
#include "deliver/deliver.h"

#include <stdlib.h>
#include <string.h>

#include "deliver/maildir.h"
#include "message/ident.h"
#include "server/delivery.h"
#include "util/arena.h"
#include "util/error.h"
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

static const struct kind {
	const char *scheme;	/* with its ':' */
	const char *form;	/* for texts */
	int (*open)(const struct deliver_request *r, const char *place, struct delivery **out,
		    struct error *err);
} kinds[] = {
	{ "maildir:", "maildir:PATH", open_maildir },
};

int deliver_open(const struct deliver_request *r, struct delivery **out, struct error *err)
{
	const char *deliver = r->deliver ? r->deliver : "";

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const size_t n = strlen(kinds[i].scheme);

		if (strncmp(deliver, kinds[i].scheme, n) == 0 && deliver[n])
			return kinds[i].open(r, deliver + n, out, err);
	}
	return error_set(err, FAULT_CONFIG, "key '%s': '%s' is not of the form maildir:PATH",
			 r->key, deliver);
}
