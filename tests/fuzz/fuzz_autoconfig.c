/*
 * An autoconfig document of anybody's: what is taken from it can stand in a
 * configuration and be connected to.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "message/address.h"
#include "setup/discover.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
	if (!truth)
		abort();
}

static void check(const struct found_server *s)
{
	require(s->host && address_domain_valid(s->host));
	require(text_is_ascii(s->host, strlen(s->host)));
	require(*s->host != '[' && s->port >= 1 && s->port <= 65535);
	require(s->mode == TLS_IMPLICIT || s->mode == TLS_STARTTLS);
	require(s->auth == FOUND_AUTH_PASSWORD || s->auth == FOUND_AUTH_OAUTH2);
	require(!s->user || (*s->user && !text_has_control(s->user, strlen(s->user))));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct found_address who = {
		.address = "joe@example.org", .local = "joe", .domain = "example.org"
	};
	struct found_server out[AUTOCONFIG_SERVERS];
	struct strbuf note = STRBUF_INIT(2048);
	struct arena *arena = arena_new();
	struct error err = { .exit = 0 };
	size_t n = 0;

	int rc = autoconfig_read((const char *)data, size, arena, &who, "here", out, &n, &note,
				 &err);

	if (rc == 0) {
		require(n <= AUTOCONFIG_SERVERS);
		for (size_t i = 0; i < n; i++)
			check(&out[i]);
	} else {
		require(err.exit != 0 && *err.text && n == 0);
	}
	require(!text_has_control(note.buf, note.len));
	strbuf_release(&note);
	arena_free(arena);
	return 0;
}
