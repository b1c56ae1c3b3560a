#include "config.h"
#include "submit/silent.h"

#include <stdio.h>
#include <string.h>

#include "submit/server_list.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/xalloc.h"

#define REMEMBERED_MS 60000
#define COSTLY_MS 500

struct silent_server {
	struct silent_server *next;
	int64_t since_ms;
	unsigned port;
	struct error err;
	char host[];		/* with a NUL; or the path of a socket */
};

static const char *host_or_path(const struct server *s)
{
	return s->path ? s->path : s->host;
}

static void drop(struct silent_server **at)
{
	struct silent_server *one = *at;

	*at = one->next;
	xfree(one);
}

/* Where it hangs, and what is too old is dropped on the way; NULL if it is not there. */
static struct silent_server **find_silent(struct silent_list *l, const struct server *s)
{
	const int64_t oldest = clock_ms() - REMEMBERED_MS;
	struct silent_server **at = &l->first;

	while (*at) {
		struct silent_server *one = *at;

		if (one->port == s->port && one->since_ms >= oldest &&
		    strcmp(one->host, host_or_path(s)) == 0)
			return at;
		if (one->since_ms < oldest)
			drop(at);
		else
			at = &one->next;
	}
	return NULL;
}

void silent_forget(struct silent_list *l, const struct server *s)
{
	struct silent_server **at = find_silent(l, s);

	if (at)
		drop(at);
}

void silent_note(struct silent_list *l, const struct server *s, int64_t began_ms,
		 const struct error *err)
{
	const size_t n = strlen(host_or_path(s)) + 1;

	if (clock_ms() - began_ms < COSTLY_MS || !error_is_temporary(err))
		return;
	silent_forget(l, s);

	struct silent_server *one = xcalloc(1, sizeof(*one) + n);

	memcpy(one->host, host_or_path(s), n);
	one->port = s->port;
	one->since_ms = clock_ms();
	one->err = *err;
	one->next = l->first;
	l->first = one;
}

bool silent_find(struct silent_list *l, const struct server *s, struct error *err)
{
	struct silent_server **at = find_silent(l, s);

	if (!at)
		return false;
	*err = (*at)->err;
	error_append(err, " (%lld s ago; not asked again so soon)",
		     (long long)((clock_ms() - (*at)->since_ms) / 1000));
	return true;
}

void silent_release(struct silent_list *l)
{
	while (l->first)
		drop(&l->first);
}
