#include "config.h"
#include "server/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "conf/listen.h"
#include "net/resolve.h"
#include "net/socket.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"
#include "util/xalloc.h"

enum { BACKLOG = 128, PASSED_FIRST = 3, PASSED_MAX = 64 };

static const char unix_prefix[] = "unix:";

/* --- TCP ----------------------------------------------------------------------------- */

static bool is_loopback(const struct address *a)
{
	return a->to.any.sa_family == AF_INET ? ntohl(a->to.in.sin_addr.s_addr) >> 24 == 127 :
		IN6_IS_ADDR_LOOPBACK(&a->to.in6.sin6_addr);
}

/* ADDRESS:PORT, [ADDRESS]:PORT, localhost:PORT; no names are looked up. */
static bool parse_address(const char *text, struct address *out)
{
	const char *colon = strrchr(text, ':');
	const long port = colon ? text_port(colon + 1, strlen(colon + 1)) : -1;

	if (port < 0)
		return false;
	const bool bracket = text[0] == '[' && colon > text + 1 && colon[-1] == ']';
	char *host = bracket ? xstrndup(text + 1, (size_t)(colon - text) - 2) :
		xstrndup(text, (size_t)(colon - text));
	const bool local = !bracket && strcmp(host, "localhost") == 0;
	const bool good = address_from_text(local ? "127.0.0.1" : host, (unsigned)port, out) &&
		bracket == (out->to.any.sa_family == AF_INET6);

	xfree(host);
	return good;
}

/* Nobody may send mail, or try passwords in clear, from elsewhere. */
static int check_address(const struct listen_settings *set, const struct address *a,
			 struct error *err)
{
	const bool proven = set->auth_required || set->server_client_ca;

	if (is_loopback(a))
		return 0;
	if (!set->allow_remote)
		return error_set(err, FAULT_CONFIG, "listen address '%s' is not a loopback "
				 "address: use 127.0.0.1 or [::1], or allow_remote", set->listen);
	if (!set->server_cert || !proven)
		return error_set(err, FAULT_CONFIG, "allow_remote needs TLS and sign-in: set "
				 "server_cert, server_key and auth_required (or "
				 "server_client_ca)");
	return 0;
}

static int open_tcp(const struct listen_settings *set, struct error *err)
{
	struct address a;
	int one = 1;

	if (!parse_address(set->listen, &a))
		return error_set(err, FAULT_CONFIG, "listen address '%s' is none of "
				 "ADDRESS:PORT, [ADDRESS]:PORT and unix:PATH", set->listen);
	if (check_address(set, &a, err) < 0)
		return -1;
	int fd = socket(a.to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
	    bind(fd, &a.to.any, a.len) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	error_errno(err, FAULT_SYSTEM, "cannot listen on %s", set->listen);
	if (fd >= 0)
		close(fd);
	return -1;
}

/* --- Unix sockets -------------------------------------------------------------------- */

/* "USER", "USER:GROUP", ":GROUP"; names or numbers. */
static int find_owner(const char *text, uid_t *uid_out, gid_t *gid_out, struct error *err)
{
	const size_t n = strcspn(text, ":");
	char *user = xstrndup(text, n);
	const char *group = text[n] ? text + n + 1 : "";
	const struct passwd *pw = *user ? getpwnam(user) : NULL;
	const struct group *gr = *group ? getgrnam(group) : NULL;
	const bool good = (!*user || pw) && (!*group || gr);

	*uid_out = pw ? pw->pw_uid : (uid_t)-1;
	*gid_out = gr ? gr->gr_gid : (gid_t)-1;
	xfree(user);
	return good ? 0 : error_set(err, FAULT_CONFIG, "key 'socket_owner': there is no such "
				    "user or group: '%s'", text);
}

/* socket_mode: octal digits. */
static int read_mode(const char *text, mode_t *out, struct error *err)
{
	char *end;
	const unsigned long mode = strtoul(text, &end, 8);

	if (!*text || *end || mode > 0777)
		return error_set(err, FAULT_CONFIG, "key 'socket_mode': '%s' is not an octal mode "
				 "such as 0660", text);
	*out = (mode_t)mode;
	return 0;
}

/* A socket on which nobody listens any more is in the way. */
static void remove_dead(const struct sockaddr_un *a)
{
	struct stat st;

	if (lstat(a->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *)a, sizeof(*a)) < 0 && errno == ECONNREFUSED)
		(void)unlink(a->sun_path);
	close(fd);
}

/* Mode and owner are right before anybody can connect. */
static int bind_unix(int fd, const struct sockaddr_un *a, mode_t mode, uid_t uid, gid_t gid)
{
	if (bind(fd, (const struct sockaddr *)a, sizeof(*a)) < 0)
		return -1;
	if (((uid != (uid_t)-1 || gid != (gid_t)-1) && lchown(a->sun_path, uid, gid) < 0) ||
	    chmod(a->sun_path, mode) < 0 || listen(fd, BACKLOG) < 0) {
		const int why = errno;

		(void)unlink(a->sun_path);
		errno = why;
		return -1;
	}
	return 0;
}

/* Folders for sockets are gone after a restart of the machine, and no user's to make. */
static int no_place(const struct listen_settings *set, const char *path, struct error *err)
{
	const int why = errno;
	const int folder = (int)(strrchr(path, '/') - path);

	(void)error_errno(err, FAULT_SYSTEM, "cannot listen on %s", set->listen);
	if (why == ENOENT || why == EACCES)
		error_append(err, ": as root 'install -d -o %lu -g %lu %.*s' makes it",
			     (unsigned long)geteuid(), (unsigned long)getegid(), folder, path);
	return -1;
}

static int open_unix(const struct listen_settings *set, struct listen_socket *out,
		     struct error *err)
{
	const char *path = set->listen + strlen(unix_prefix);
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	mode_t mode = 0600;
	uid_t uid = (uid_t)-1;
	gid_t gid = (gid_t)-1;

	if (*path != '/' || strlen(path) >= sizeof(a.sun_path))
		return error_set(err, FAULT_CONFIG, "key 'listen': unix:PATH wants a whole path of "
				 "less than %zu octets", sizeof(a.sun_path));
	memcpy(a.sun_path, path, strlen(path) + 1);
	if ((set->socket_mode && read_mode(set->socket_mode, &mode, err) < 0) ||
	    (set->socket_owner && find_owner(set->socket_owner, &uid, &gid, err) < 0))
		return -1;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0)
		remove_dead(&a);
	if (fd < 0 || bind_unix(fd, &a, mode, uid, gid) < 0) {
		(void)no_place(set, path, err);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	*out = (struct listen_socket){ .fd = fd, .path = path, .own = true };
	return 0;
}

/* --- all of them --------------------------------------------------------------------- */

int listen_socket_open(const struct listen_settings *set, struct listen_socket *out,
		       struct error *err)
{
	if (strncmp(set->listen, unix_prefix, strlen(unix_prefix)) == 0)
		return open_unix(set, out, err);
	const int fd = open_tcp(set, err);

	if (fd < 0)
		return -1;
	*out = (struct listen_socket){ .fd = fd, .own = true };
	return 0;
}

void listen_socket_close(struct listen_socket *s)
{
	if (s->fd < 0)
		return;
	/* workers that still have a client hold it, too */
	if (s->own)
		(void)shutdown(s->fd, SHUT_RDWR);
	close(s->fd);
	if (s->own && s->path)
		(void)unlink(s->path);
	s->fd = -1;
}

void listen_socket_describe(int fd, struct strbuf *out)
{
	union {
		struct sockaddr_un un;
		struct address ip;
	} a = { .ip.len = 0 };
	struct sockaddr_un un = { .sun_family = AF_UNSPEC };
	socklen_t len = sizeof(un);
	char host[ADDRESS_TEXT];

	if (getsockname(fd, (struct sockaddr *)&un, &len) == 0 && un.sun_family == AF_UNIX) {
		strbuf_addf(out, "unix:%.*s", (int)sizeof(un.sun_path), un.sun_path);
		return;
	}
	a.ip.len = sizeof(a.ip.to);
	(void)getsockname(fd, &a.ip.to.any, &a.ip.len);
	address_text(&a.ip.to.any, host, sizeof(host));
	if (a.ip.to.any.sa_family == AF_INET6)
		strbuf_addf(out, "[%s]:%u", host, ntohs(a.ip.to.in6.sin6_port));
	else
		strbuf_addf(out, "%s:%u", host, ntohs(a.ip.to.in.sin_port));
}

int listen_socket_check(const struct listen_settings *set, int fd, struct error *err)
{
	struct address a = { .len = sizeof(a.to) };

	if (getsockname(fd, &a.to.any, &a.len) < 0)
		return error_errno(err, FAULT_CONFIG, "what was passed on is no socket");
	if (a.to.any.sa_family != AF_INET && a.to.any.sa_family != AF_INET6)
		return 0;
	return check_address(set, &a, err);
}

/* --- what the service manager passes on ----------------------------------------------- */

/* The number of sockets that are for this very process. */
static size_t count_passed(void)
{
	const char *pid = secure_getenv("LISTEN_PID"), *count = secure_getenv("LISTEN_FDS");
	uint64_t number = 0, who = 0;

	if (!pid || !count || !text_decimal(pid, &who) || !text_decimal(count, &number) ||
	    who != (uint64_t)getpid() || number > PASSED_MAX)
		return 0;
	return (size_t)number;
}

/* Is the name of socket i (LISTEN_FDNAMES: with ':' between them) that one? */
static bool is_named(size_t i, const char *name)
{
	const char *names = secure_getenv("LISTEN_FDNAMES");

	for (; names && i; i--) {
		names = strchr(names, ':');
		names += names != NULL;
	}
	return names && text_same(names, strcspn(names, ":"), name);
}

int listen_socket_passed(const char *name)
{
	static bool given[PASSED_MAX];
	const size_t n = count_passed();

	for (int by_order = 0; by_order < 2; by_order++) {
		for (size_t i = 0; i < n; i++) {
			if (given[i] || !(by_order || is_named(i, name)))
				continue;
			given[i] = true;
			(void)fcntl(PASSED_FIRST + (int)i, F_SETFD, FD_CLOEXEC);
			(void)fcntl(PASSED_FIRST + (int)i, F_SETFL, O_NONBLOCK);
			return PASSED_FIRST + (int)i;
		}
	}
	return -1;
}
