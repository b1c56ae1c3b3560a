#include "config.h"
#include "util/logsocket.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/strbuf.h"

#define WAIT_MS 1000
#define LOOK_MS 20
#define LINE_LIMIT ((size_t)1 << 20)

static bool stuck;		/* the service has let a line wait for too long */

/* Is it worth another try? */
static bool wait_for_room(int fd, int64_t until)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	if (errno == EINTR)
		return true;
	if (errno != EAGAIN && errno != ENOBUFS)
		return false;
	if (clock_ms() >= until) {
		stuck = true;
		return false;
	}
	/* that there is room is not always told */
	if (poll(&p, 1, LOOK_MS) > 0)
		(void)poll(NULL, 0, 1);
	return true;
}

/* -1 and errno; EPROTOTYPE when it is of another kind. */
static int open_socket(const char *path, int kind, int64_t until)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const int fd = socket(AF_UNIX, kind | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || strlen(path) >= sizeof(to.sun_path))
		goto failed;
	memcpy(to.sun_path, path, strlen(path) + 1);
	while (connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0) {
		if (!wait_for_room(-1, until))
			goto failed;
	}
	return fd;
failed:
	if (fd >= 0) {
		const int why = errno;

		close(fd);
		errno = why;
	}
	return -1;
}

static void add_line(struct strbuf *out, int priority, const char *ident, const char *line)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	const time_t now = time(NULL);
	struct tm tm = { .tm_mday = 1 };

	(void)localtime_r(&now, &tm);
	strbuf_addf(out, "<%d>%.3s %2d %02d:%02d:%02d %s[%ld]: %s", priority,
		    months + 3 * tm.tm_mon, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, ident,
		    (long)getpid(), line);
}

/* Either kind of socket; *stream_out says which. -1 and errno. */
static int open_either(const char *path, int64_t until, bool *stream_out)
{
	const int fd = open_socket(path, SOCK_DGRAM, until);

	*stream_out = fd < 0 && errno == EPROTOTYPE;
	return *stream_out ? open_socket(path, SOCK_STREAM, until) : fd;
}

int logsocket_try(const char *path)
{
	bool stream;
	const int fd = open_either(path, 0, &stream);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? -1 : 0;
}

void logsocket_send(const char *path, int priority, const char *ident, const char *line)
{
	const int64_t until = clock_ms() + (stuck ? 0 : WAIT_MS);
	struct strbuf text = STRBUF_INIT(LINE_LIMIT);
	size_t done = 0;
	bool stream;
	const int fd = open_either(path, until, &stream);

	add_line(&text, priority, ident, line);
	const size_t end = text.len + stream;	/* there the NUL ends a line */

	while (fd >= 0 && done < end) {
		const ssize_t n = send(fd, text.buf + done, end - done, MSG_NOSIGNAL);

		if (n < 0 && !wait_for_room(fd, until))
			break;
		done += n > 0 ? (size_t)n : 0;
	}
	if (fd >= 0)
		close(fd);
	strbuf_release(&text);
}
