#include "config.h"
#include "server/background.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fs.h"

/* The word of the server: a whole struct error, exit 0 when all is well. */
static int read_word(int fd, struct error *word)
{
	size_t have = 0;

	while (have < sizeof(*word)) {
		ssize_t n = read(fd, (char *)word + have, sizeof(*word) - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		have += (size_t)n;
	}
	return 0;
}

static int wait_for_word(int fd, pid_t pid, struct error *err)
{
	struct error word;

	if (read_word(fd, &word) < 0)
		error_set(err, FAULT_SYSTEM, "the server's process ended before it was ready");
	else if (!word.exit)
		return BACKGROUND_CALLER;
	else
		*err = word;
	(void)waitpid(pid, NULL, 0);
	return BACKGROUND_FAILED;
}

int background_start(int *fd_out, struct error *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_errno(err, FAULT_SYSTEM, "cannot make a pipe");
	pid_t pid = fork();

	if (pid == 0) {
		close(fds[0]);
		(void)setsid();
		*fd_out = fds[1];
		return BACKGROUND_SERVER;
	}
	if (pid < 0)
		error_errno(err, FAULT_SYSTEM, "cannot start a process");
	close(fds[1]);
	int rc = pid < 0 ? BACKGROUND_FAILED : wait_for_word(fds[0], pid, err);

	close(fds[0]);
	return rc;
}

/* Whoever waits for the end of our output must not wait for ours. */
static void leave_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_NOCTTY | O_CLOEXEC);

	for (int fd = 0; null >= 0 && fd < 3; fd++)
		if (fd != null)
			(void)dup2(null, fd);
	if (null > 2)
		close(null);
}

static void say(int fd, const struct error *word)
{
	(void)!fs_write_all(fd, word, sizeof(*word));
	close(fd);
}

void background_ready(int fd)
{
	static const struct error fine;

	leave_terminal();
	say(fd, &fine);
}

void background_failed(int fd, const struct error *err)
{
	say(fd, err);
}
