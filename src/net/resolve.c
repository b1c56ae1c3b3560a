#include "config.h"
#include "net/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/error.h"
#include "util/xalloc.h"

/* A question to the resolver; whoever lets go of it last frees it. */
struct lookup {
	atomic_int holders;
	atomic_bool answered;		/* orders found and code between the threads */
	int done;			/* written to when there is an answer */
	int waiter;			/* the other end of it */
	char *host;
	struct addrinfo hints, *found;
	int code, errno_now;
};

void address_text(const struct sockaddr *a, char *out, size_t room)
{
	const void *raw = NULL;

	if (a->sa_family == AF_INET)
		raw = &((const struct sockaddr_in *)a)->sin_addr;
	else if (a->sa_family == AF_INET6)
		raw = &((const struct sockaddr_in6 *)a)->sin6_addr;
	if (!raw || !inet_ntop(a->sa_family, raw, out, (socklen_t)room))
		snprintf(out, room, "%s", a->sa_family == AF_UNIX ? "local" : "unknown");
}

void host_addresses_release(struct host_addresses *list)
{
	xfree(list->v);
	*list = (struct host_addresses){ 0 };
}

void host_addresses_interleave(struct host_addresses *list)
{
	for (size_t i = 1; i < list->n; i++) {
		size_t other = i;

		while (other < list->n &&
		       list->v[other].to.any.sa_family == list->v[i - 1].to.any.sa_family)
			other++;
		if (other == list->n)
			return;		/* one family is left */
		struct address next = list->v[other];

		memmove(list->v + i + 1, list->v + i, (other - i) * sizeof(next));
		list->v[i] = next;
	}
}

void host_addresses_prefer(struct host_addresses *list, int family)
{
	for (size_t i = 0; i < list->n; i++) {
		struct address first = list->v[i];

		if (first.to.any.sa_family != family)
			continue;
		memmove(list->v + 1, list->v, i * sizeof(first));
		list->v[0] = first;
		host_addresses_interleave(list);
		return;
	}
}

void host_addresses_drop(struct host_addresses *list, size_t i)
{
	memmove(list->v + i, list->v + i + 1, (list->n - i - 1) * sizeof(*list->v));
	list->n--;
}

int resolve_error(const char *host, int code, int errno_now, struct error *err)
{
	switch (code) {
	case EAI_NONAME:
		return error_set(err, FAULT_NO_HOST, "host '%s' does not exist", host);
#ifdef EAI_NODATA
	case EAI_NODATA:
#endif
#ifdef EAI_ADDRFAMILY
	case EAI_ADDRFAMILY:
#endif
		return error_set(err, FAULT_NO_ADDRESS,
				 "host '%s' does not exist, or has no address of the wanted kind",
				 host);
	case EAI_MEMORY:
		return error_set(err, FAULT_SYSTEM, "no memory to look up host '%s'", host);
	case EAI_SYSTEM:
		return error_set(err, FAULT_DNS, "cannot look up host '%s': %s", host,
				 strerror(errno_now));
	default:
		return error_set(err, FAULT_DNS,
				 "cannot look up host '%s': %s (check the network and "
				 "/etc/resolv.conf)", host, gai_strerror(code));
	}
}

char *address_bare_host(const char *host)
{
	size_t len = strlen(host);
	bool bracketed = len > 2 && host[0] == '[' && host[len - 1] == ']';

	return xstrndup(host + bracketed, bracketed ? len - 2 : len);
}

void address_set_port(struct address *a, unsigned port)
{
	if (a->to.any.sa_family == AF_INET)
		a->to.in.sin_port = htons((in_port_t)port);
	else
		a->to.in6.sin6_port = htons((in_port_t)port);
}

bool address_from_text(const char *host, unsigned port, struct address *out)
{
	*out = (struct address){ 0 };
	if (inet_pton(AF_INET, host, &out->to.in.sin_addr) == 1) {
		out->to.in.sin_family = AF_INET;
		out->len = sizeof(out->to.in);
	} else if (inet_pton(AF_INET6, host, &out->to.in6.sin6_addr) == 1) {
		out->to.in6.sin6_family = AF_INET6;
		out->len = sizeof(out->to.in6);
	} else {
		return false;
	}
	address_set_port(out, port);
	return true;
}

/* server = address / "[" address "]" [":" port] / IPv4 ":" port */
bool address_from_server(const char *text, unsigned port, struct address *out)
{
	const char *colon = strrchr(text, ':'), *start = text, *end = text + strlen(text);
	const char *given = NULL;

	if (*text == '[') {
		end = strchr(text, ']');
		if (!end || (end[1] && end[1] != ':'))
			return false;
		start++;
		given = end[1] ? end + 2 : NULL;
	} else if (colon && strchr(text, ':') == colon) {
		end = colon;
		given = colon + 1;
	}
	char *rest = NULL;
	unsigned long number = given ? strtoul(given, &rest, 10) : port;

	if (given && (*given < '0' || *given > '9' || *rest || number == 0 || number > 65535))
		return false;
	char *host = xstrndup(start, (size_t)(end - start));
	bool good = address_from_text(host, (unsigned)number, out);

	xfree(host);
	return good;
}

static void take_answers(const struct addrinfo *found, unsigned port, struct host_addresses *out)
{
	size_t n = 0;

	for (const struct addrinfo *a = found; a; a = a->ai_next)
		n++;
	out->v = xcalloc(n, sizeof(*out->v));
	for (const struct addrinfo *a = found; a; a = a->ai_next) {
		struct address *to = &out->v[out->n];

		if (a->ai_addrlen > sizeof(to->to) ||
		    (a->ai_family != AF_INET && a->ai_family != AF_INET6))
			continue;
		memcpy(&to->to, a->ai_addr, a->ai_addrlen);
		to->len = a->ai_addrlen;
		address_set_port(to, port);
		out->n++;
	}
	host_addresses_interleave(out);
}

static struct lookup *lookup_new(const char *host, int family)
{
	struct lookup *l = xcalloc(1, sizeof(*l));
	int ends[2] = { -1, -1 };

	if (pipe2(ends, O_CLOEXEC) < 0)
		ends[0] = ends[1] = -1;
	l->waiter = ends[0];
	l->done = ends[1];
	l->host = xstrdup(host);
	l->hints.ai_family = family;
	l->hints.ai_socktype = SOCK_STREAM;
	atomic_init(&l->holders, 2);
	return l;
}

static void lookup_let_go(struct lookup *l)
{
	if (atomic_fetch_sub(&l->holders, 1) > 1)
		return;
	if (l->found)
		freeaddrinfo(l->found);
	if (l->done >= 0)
		close(l->done);
	if (l->waiter >= 0)
		close(l->waiter);
	xfree(l->host);
	xfree(l);
}

static void lookup_ask(struct lookup *l)
{
	l->code = getaddrinfo(l->host, NULL, &l->hints, &l->found);
	l->errno_now = errno;
}

static void *lookup_thread(void *arg)
{
	struct lookup *l = arg;

	lookup_ask(l);
	atomic_store(&l->answered, true);
	if (write(l->done, "", 1) < 0) {
		/* nobody waits any more */
	}
	lookup_let_go(l);
	return NULL;
}

/* Signals are for the thread that waits. */
static int lookup_start(struct lookup *l)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, before;

	if (l->done < 0 || pthread_attr_init(&attr) != 0)
		return -1;
	sigfillset(&all);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = pthread_create(&thread, &attr, lookup_thread, l);

	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return rc == 0 ? 0 : -1;
}

static int lookup_wait(struct lookup *l, const struct deadline *d, struct error *err)
{
	struct pollfd p = { .fd = l->waiter, .events = POLLIN };

	for (;;) {
		int ready = poll(&p, 1, deadline_poll_ms(d));

		if (ready > 0 && atomic_load(&l->answered))
			return 0;
		if (ready == 0) {
			deadline_error(d, err);
			return err->fault == FAULT_TIMEOUT ? error_turn(err, FAULT_DNS) : -1;
		}
		if (ready < 0 && errno != EINTR)
			return error_errno(err, FAULT_SYSTEM, "cannot wait");
	}
}

/* Without a thread (a limit on processes) the question is asked right here. */
static int look_up(const char *host, unsigned port, int family, const struct deadline *d,
		   struct host_addresses *out, struct error *err)
{
	struct lookup *l = lookup_new(host, family);
	int rc = 0;

	if (lookup_start(l) == 0) {
		rc = lookup_wait(l, d, err);
	} else {
		atomic_store(&l->holders, 1);
		lookup_ask(l);
	}
	if (rc == 0 && l->code != 0)
		rc = resolve_error(host, l->code, l->errno_now, err);
	if (rc == 0)
		take_answers(l->found, port, out);
	lookup_let_go(l);
	return rc;
}

int resolve_host(const char *host, unsigned port, int family, const struct deadline *d,
		 struct host_addresses *out, struct error *err)
{
	char *name = address_bare_host(host);
	struct host_addresses found = { 0 };
	struct address one;
	int rc = 0;

	if (!address_from_text(name, port, &one)) {
		struct deadline until = *d;

		until.what = "the address of the server (DNS)";
		rc = look_up(name, port, family, &until, &found, err);
	} else if (family != AF_UNSPEC && family != one.to.any.sa_family) {
		rc = error_set(err, FAULT_NO_ADDRESS, "host '%s' is not an %s address", host,
			       family == AF_INET ? "IPv4" : "IPv6");
	} else {
		found.v = xcalloc(1, sizeof(*found.v));
		found.v[found.n++] = one;
	}
	xfree(name);
	if (rc == 0)
		*out = found;
	return rc;
}
