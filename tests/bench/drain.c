/*
 * A server that takes mail as fast as can be and keeps nothing: many clients,
 * one process, PIPELINING and CHUNKING. What it says goes out DELAY
 * milliseconds after what it answers has come, as over a line with that round
 * trip. Listens on a port of 127.0.0.1 that it prints.
 *
 * A line on standard input: prints messages, connections, how many of them at
 * most were open at once, times that something was said, and the moments
 * (seconds of CLOCK_MONOTONIC) of the first connection and of the last
 * message; then all that begins anew, with the number in that line as the
 * delay if there is one.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 1 << 16, EVENTS = 64, CLIENTS = 4096, WAITING = 1 << 16 };

struct client {
	int fd;
	char line[4096], out[BLOCK];
	size_t line_n, out_n;
	long skip;		/* octets of a BDAT that are still to come */
	bool last;		/* it was the last */
	bool data, quit;	/* content of DATA until the dot; the session has ended */
	int dot;		/* how much of CR LF . CR LF was seen */
};

/* What is to be said, in the order of time: the delay is the same for all. */
static struct words {
	double due;
	int fd;
	unsigned serial;	/* of its connection */
	size_t n;
	bool quit;
	char *text;
} waiting[WAITING];
static unsigned first, end;

static struct client *clients[CLIENTS];
static unsigned serials[CLIENTS];
static struct {
	unsigned long messages, connections, open, most_open, said;
	double begin, last;
} count;
static double delay;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void say(struct client *c, const char *text)
{
	const size_t n = strlen(text);

	if (c->out_n + n > sizeof(c->out))
		abort();
	memcpy(c->out + c->out_n, text, n);
	c->out_n += n;
}

static void drop(int fd)
{
	if (!clients[fd])
		return;
	free(clients[fd]);
	clients[fd] = NULL;
	serials[fd]++;
	count.open--;
	close(fd);
}

static void flush(struct client *c)
{
	if (!c->out_n && !c->quit)
		return;
	struct words *w = &waiting[end++ % WAITING];

	if (end - first > WAITING)
		abort();
	*w = (struct words){ now() + delay, c->fd, serials[c->fd], c->out_n, c->quit,
			     malloc(c->out_n + 1) };
	memcpy(w->text, c->out, c->out_n);
	c->out_n = 0;
}

/* Says what is due; returns the milliseconds until the next, -1 = nothing waits. */
static int say_due(void)
{
	while (first != end) {
		struct words *w = &waiting[first % WAITING];
		const double left = w->due - now();

		if (left > 0)
			return (int)(left * 1000) + 1;
		if (serials[w->fd] == w->serial) {
			count.said++;
			if (send(w->fd, w->text, w->n, MSG_NOSIGNAL) != (ssize_t)w->n || w->quit)
				drop(w->fd);
		}
		free(w->text);
		first++;
	}
	return -1;
}

static void taken(struct client *c)
{
	count.messages++;
	count.last = now();
	say(c, "250 2.0.0 taken\r\n");
}

static void command(struct client *c, const char *line)
{
	char *rest;

	if (strncasecmp(line, "EHLO", 4) == 0) {
		say(c, "250-drain\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-CHUNKING\r\n"
		    "250-ENHANCEDSTATUSCODES\r\n250 SIZE 0\r\n");
	} else if (strncasecmp(line, "DATA", 4) == 0) {
		say(c, "354 go on\r\n");
		c->data = true;
		c->dot = 2;
	} else if (strncasecmp(line, "BDAT ", 5) == 0) {
		c->skip = strtol(line + 5, &rest, 10);
		c->last = strcasestr(rest, "LAST") != NULL;
		if (c->skip == 0 && c->last)
			taken(c);
		else if (c->skip == 0)
			say(c, "250 2.0.0 more\r\n");
	} else if (strncasecmp(line, "QUIT", 4) == 0) {
		say(c, "221 2.0.0 bye\r\n");
		c->quit = true;
	} else {
		say(c, "250 2.0.0 ok\r\n");
	}
}

/* Takes what belongs to content: the number of octets. */
static size_t content(struct client *c, const char *data, size_t n)
{
	static const char dot[] = "\r\n.\r\n";
	size_t i = 0;

	if (c->skip) {
		i = (size_t)c->skip < n ? (size_t)c->skip : n;
		c->skip -= (long)i;
		if (c->skip == 0 && c->last)
			taken(c);
		else if (c->skip == 0)
			say(c, "250 2.0.0 more\r\n");
		return i;
	}
	while (i < n && c->data) {
		const char ch = data[i++];

		c->dot = ch == dot[c->dot] ? c->dot + 1 : ch == '\r' ? 1 : 0;
		if (dot[c->dot])
			continue;
		c->data = false;
		taken(c);
	}
	return i;
}

static void take(struct client *c, const char *data, size_t n)
{
	while (n && !c->quit) {
		size_t used = 0;

		if (c->skip || c->data) {
			used = content(c, data, n);
		} else {
			const char *lf = memchr(data, '\n', n);

			used = lf ? (size_t)(lf - data) + 1 : n;
			if (c->line_n + used >= sizeof(c->line))
				abort();
			memcpy(c->line + c->line_n, data, used);
			c->line_n += used;
			if (lf) {
				c->line[c->line_n] = '\0';
				c->line_n = 0;
				command(c, c->line);
			}
		}
		data += used;
		n -= used;
	}
	flush(c);
}

static void greet(int poll, int listener)
{
	struct epoll_event event = { .events = EPOLLIN };
	const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;

	if (fd < 0 || fd >= CLIENTS)
		abort();
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	event.data.fd = fd;
	clients[fd] = calloc(1, sizeof(*clients[fd]));
	clients[fd]->fd = fd;
	epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
	if (count.connections++ == 0)
		count.begin = now();
	if (++count.open > count.most_open)
		count.most_open = count.open;
	say(clients[fd], "220 drain ESMTP\r\n");
	flush(clients[fd]);
}

static void hear(int fd)
{
	static char block[BLOCK];
	const ssize_t n = recv(fd, block, sizeof(block), 0);

	if (n > 0)
		take(clients[fd], block, (size_t)n);
	else if (n == 0 || errno != EAGAIN)
		drop(fd);
}

/* What the one who measures wants to know; false when he is gone. */
static bool report(void)
{
	char line[64];
	const ssize_t n = read(0, line, sizeof(line) - 1);
	const unsigned long open = count.open;

	if (n <= 0)
		return false;
	line[n] = '\0';
	printf("%lu %lu %lu %lu %.6f %.6f\n", count.messages, count.connections, count.most_open,
	       count.said, count.begin, count.last);
	fflush(stdout);
	if (line[0] >= '0' && line[0] <= '9') {
		delay = atof(line) / 1000;
		memset(&count, 0, sizeof(count));
		count.open = count.most_open = open;
	}
	return true;
}

int main(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	struct epoll_event event = { .events = EPOLLIN }, events[EVENTS];
	socklen_t size = sizeof(address);
	const int poll = epoll_create1(EPOLL_CLOEXEC);
	const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(listener, 1024) < 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &size) < 0)
		return 99;
	event.data.fd = listener;
	epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
	event.data.fd = 0;
	epoll_ctl(poll, EPOLL_CTL_ADD, 0, &event);
	printf("%d\n", ntohs(address.sin_port));
	fflush(stdout);
	for (;;) {
		const int n = epoll_wait(poll, events, EVENTS, say_due());

		for (int i = 0; i < n; i++) {
			const int fd = events[i].data.fd;

			if (fd == 0 && !report())
				return 0;
			else if (fd == listener)
				greet(poll, listener);
			else if (fd != 0 && clients[fd])
				hear(fd);
		}
	}
}
