#include "config.h"
#include "dns/dns.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/resolve.h"
#include "net/socket.h"
#include "net/stream.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

enum {
	DNS_PORT = 53, SERVERS_MAX = 3, ROUNDS = 2, TRY_SECONDS = 5, CHAIN_MAX = 8,
	RESOLUTION_DELAY_MS = 50,	/* RFC 8305, section 3 */
	ANSWER_MAX = 65535,
};

struct servers {
	struct address v[SERVERS_MAX];
	size_t n;
};

/* One question under way. */
struct question {
	const char *name;
	enum dns_type type;
	unsigned id;
	unsigned char text[DNS_QUERY_MAX];
	int len, fd;
	bool done;
	struct dns_answer answer;
};

/* --- whom to ask ------------------------------------------------------------- */

/* The lines "nameserver ADDRESS" of resolv.conf(5). */
static void read_system_servers(struct servers *out)
{
	struct strbuf text = STRBUF_INIT(1 << 20);
	struct error ignored;
	char *save = NULL;

	if (fs_read_file("/etc/resolv.conf", 0, &text, &ignored) == 0 && text.len) {
		for (char *line = strtok_r(text.buf, "\n", &save); line && out->n < SERVERS_MAX;
		     line = strtok_r(NULL, "\n", &save)) {
			char *word = NULL, *key = strtok_r(line, " \t\r", &word);
			char *value = key ? strtok_r(NULL, " \t\r", &word) : NULL;

			if (value && strcmp(key, "nameserver") == 0 &&
			    address_from_text(value, DNS_PORT, &out->v[out->n]))
				out->n++;
		}
	}
	strbuf_release(&text);
}

static int find_servers(const char *resolver, struct servers *out, struct error *err)
{
	*out = (struct servers){ .n = 0 };
	if (resolver && *resolver) {
		if (!address_from_server(resolver, DNS_PORT, &out->v[0]))
			return error_set(err, FAULT_CONFIG, "resolver '%s' is no address "
					 "with or without a port", resolver);
		out->n = 1;
		return 0;
	}
	read_system_servers(out);
	if (out->n == 0 && address_from_text("127.0.0.1", DNS_PORT, &out->v[0]))
		out->n = 1;
	return 0;
}

static bool is_local(const struct address *a)
{
	if (a->to.any.sa_family == AF_INET)
		return ntohl(a->to.in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return IN6_IS_ADDR_LOOPBACK(&a->to.in6.sin6_addr);
}

/* --- one server ---------------------------------------------------------------- */

static int random_id(void)
{
	uint16_t id = 0;

	return getrandom(&id, sizeof(id), 0) == (ssize_t)sizeof(id) ? id : -1;
}

/* A connected socket takes answers from nobody else, and tells of a refusal. */
static int send_question(struct question *q, const struct address *to)
{
	int id = random_id();

	if (id < 0)
		return -1;
	q->id = (unsigned)id;
	q->len = dns_question(q->name, q->type, q->id, q->text);
	q->fd = socket(to->to.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (q->fd < 0 || connect(q->fd, &to->to.any, to->len) < 0 ||
	    send(q->fd, q->text, (size_t)q->len, MSG_NOSIGNAL) != q->len)
		return -1;
	return 0;
}

static int read_tcp(struct stream *s, const struct question *q, const struct deadline *d,
		    struct dns_answer *out)
{
	unsigned char head[2] = { (unsigned char)(q->len >> 8), (unsigned char)(q->len & 0xff) };
	struct error ignored;
	int rc = -1;

	if (stream_write_all(s, head, sizeof(head), d, &ignored) < 0 ||
	    stream_write_all(s, q->text, (size_t)q->len, d, &ignored) < 0 ||
	    stream_read_exact(s, head, sizeof(head), d, &ignored) < 0)
		return -1;
	size_t n = (size_t)head[0] << 8 | head[1];
	unsigned char *data = xmalloc(n);

	if (stream_read_exact(s, data, n, d, &ignored) == 0)
		rc = dns_answer_read(data, n, q->name, q->type, q->id, out);
	xfree(data);
	return rc;
}

static int ask_tcp(struct question *q, const struct address *to, const struct deadline *d)
{
	char host[ADDRESS_TEXT];
	struct socket_target target = { .host = host, .timeout = TRY_SECONDS };
	struct stream *s = NULL;
	struct error ignored;

	address_text(&to->to.any, host, sizeof(host));
	target.port = ntohs(to->to.any.sa_family == AF_INET ? to->to.in.sin_port :
							      to->to.in6.sin6_port);
	if (socket_connect(&target, d, &s, &ignored) < 0)
		return -1;
	int rc = read_tcp(s, q, d, &q->answer);

	stream_free(s);
	return rc;
}

/* A datagram: true when the question is settled, with this server at least. */
static bool take_datagram(struct question *q, const struct address *from,
			  const struct deadline *d)
{
	unsigned char *data = xmalloc(ANSWER_MAX);
	ssize_t n = recv(q->fd, data, ANSWER_MAX, MSG_DONTWAIT);
	bool settled = n < 0 && errno != EAGAIN && errno != EINTR;	/* nobody listens there */

	if (n >= 0 && dns_answer_read(data, (size_t)n, q->name, q->type, q->id, &q->answer) == 0) {
		settled = q->done = true;
		if (q->answer.truncated) {
			dns_answer_release(&q->answer);
			q->done = ask_tcp(q, from, d) == 0;
		}
		if (q->done && q->answer.code != DNS_OK && q->answer.code != DNS_NO_NAME) {
			dns_answer_release(&q->answer);
			q->done = false;
		}
	}
	xfree(data);
	return settled;
}

static void hang_up(struct question *q, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (q[i].fd >= 0)
			close(q[i].fd);
		q[i].fd = -1;
	}
}

/* An address is there already, so the other family is waited for a moment only. */
static void hurry(const struct question *q, size_t count, struct deadline *limit)
{
	for (size_t i = 0; i < count; i++) {
		if (q[i].done && q[i].type == DNS_A && q[i].answer.n && count > 1) {
			const struct deadline moment = {
				.at = clock_ms() + RESOLUTION_DELAY_MS, .what = limit->what,
			};

			*limit = deadline_first(*limit, moment);
		}
	}
}

/* Asks one server all that is open; what it answers is done. */
static void ask_server(struct question *q, size_t count, const struct address *server,
		       const struct deadline *d)
{
	struct deadline limit = deadline_first(deadline_in(TRY_SECONDS, d->what), *d);
	struct pollfd p[2];
	size_t open = 0;

	for (size_t i = 0; i < count; i++) {
		p[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
		if (q[i].done)
			continue;
		if (send_question(&q[i], server) == 0) {
			p[i].fd = q[i].fd;
			open++;
		}
	}
	while (open > 0) {
		int ready = poll(p, (nfds_t)count, deadline_poll_ms(&limit));

		if (ready == 0 || (ready < 0 && errno != EINTR))
			break;
		for (size_t i = 0; ready > 0 && i < count; i++) {
			if (p[i].fd < 0 || !p[i].revents || !take_datagram(&q[i], server, d))
				continue;
			p[i].fd = -1;
			open--;
			hurry(q, count, &limit);
		}
	}
	hang_up(q, count);
}

/* --- all servers ----------------------------------------------------------------- */

static bool enough(const struct question *q, size_t count)
{
	bool all = true;

	for (size_t i = 0; i < count; i++) {
		if (q[i].done && q[i].answer.n && count > 1)
			return true;
		all = all && q[i].done;
	}
	return all;
}

static int check_name(const char *name, struct error *err)
{
	unsigned char text[DNS_QUERY_MAX];

	if (dns_question(name, DNS_A, 0, text) > 0)
		return 0;
	return error_set(err, FAULT_NO_HOST, "'%s' is no name that DNS could hold", name);
}

static int ask_all(const char *resolver, struct question *q, size_t count,
		   const struct deadline *d, struct error *err)
{
	struct servers servers;

	if (check_name(q->name, err) < 0 || find_servers(resolver, &servers, err) < 0)
		return -1;
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < servers.n && !deadline_passed(d); i++) {
			ask_server(q, count, &servers.v[i], d);
			for (size_t k = 0; k < count; k++)
				q[k].answer.authentic &= is_local(&servers.v[i]);
			if (enough(q, count))
				return 0;
		}
	}
	return error_set(err, FAULT_DNS,
			 "cannot look up '%s': no resolver gives an answer (check the network "
			 "and %s)", q->name, resolver ? "resolver" : "/etc/resolv.conf");
}

static void release_all(struct question *q, size_t count)
{
	for (size_t i = 0; i < count; i++)
		dns_answer_release(&q[i].answer);
}

int dns_ask(const char *resolver, const char *name, enum dns_type type, const struct deadline *d,
	    struct dns_answer *out, struct error *err)
{
	bool authentic = true, aliased = false;		/* all the way */
	char next[DNS_NAME_TEXT];

	for (unsigned hops = 0; hops < CHAIN_MAX; hops++) {
		struct question q = { .name = name, .type = type, .fd = -1 };

		if (ask_all(resolver, &q, 1, d, err) < 0) {
			release_all(&q, 1);
			return -1;
		}
		authentic &= q.answer.authentic;
		if (q.answer.n || q.answer.code != DNS_OK || !q.answer.aliased) {
			*out = q.answer;
			out->authentic = authentic;
			out->aliased |= aliased;
			return 0;
		}
		snprintf(next, sizeof(next), "%s", q.answer.canonical);
		release_all(&q, 1);
		name = next;
		aliased = true;
	}
	return error_set(err, FAULT_DNS, "'%s' is an alias of an alias without end",
			 name);
}

/* --- addresses --------------------------------------------------------------------- */

static void add_addresses(const struct question *q, unsigned port, struct host_addresses *out)
{
	for (size_t i = 0; i < q->answer.n; i++) {
		struct address a = { .len = 0 };

		if (q->type == DNS_A) {
			a.to.in.sin_family = AF_INET;
			a.to.in.sin_addr = q->answer.v[i].address.in;
			a.len = sizeof(a.to.in);
		} else {
			a.to.in6.sin6_family = AF_INET6;
			a.to.in6.sin6_addr = q->answer.v[i].address.in6;
			a.len = sizeof(a.to.in6);
		}
		address_set_port(&a, port);
		out->v = xrealloc(out->v, out->n + 1, sizeof(a));
		out->v[out->n++] = a;
	}
}

int dns_resolve(const char *resolver, const char *host, unsigned port, int family,
		const struct deadline *d, struct host_addresses *out, struct error *err)
{
	struct question q[2] = {
		{ .name = host, .type = DNS_AAAA, .fd = -1 },
		{ .name = host, .type = DNS_A, .fd = -1 },
	};
	struct question *first = family == AF_INET ? q + 1 : q;
	size_t count = family == AF_UNSPEC ? 2 : 1;
	struct host_addresses found = { .n = 0 };
	struct address numeric;

	if (*host == '[' || address_from_text(host, port, &numeric))
		return resolve_host(host, port, family, d, out, err);
	int rc = ask_all(resolver, first, count, d, err);

	for (size_t i = 0; rc == 0 && i < count; i++)
		add_addresses(&first[i], port, &found);
	if (rc == 0 && found.n == 0)
		rc = first->answer.code == DNS_NO_NAME ?
			error_set(err, FAULT_NO_HOST, "host '%s' does not exist", host) :
			error_set(err, FAULT_NO_ADDRESS,
				  "host '%s' has no address of the wanted kind", host);
	release_all(q, ARRAY_LEN(q));
	if (rc < 0)
		return -1;
	host_addresses_interleave(&found);
	*out = found;
	return 0;
}
