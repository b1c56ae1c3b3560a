#include "config.h"
#include "util/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

/*
 * Where there is no /dev/null (a bare chroot): what is read from is at its
 * end, what is written to fails, as the closed one would.
 */
static bool open_pipe(int fd)
{
	int end[2];

	if (pipe(end) < 0)
		return false;
	close(end[1]);
	return end[0] == fd;
}

/*
 * Callers start us with any of 0, 1, 2 closed (mail of mailutils, logrotate):
 * without this a socket would become descriptor 2 and error texts would go
 * into the SMTP dialogue.
 */
static void open_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
			continue;
		if (open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY) != fd &&
		    !open_pipe(fd))
			_exit(EX_OSERR);
	}
}

/* A failed assertion is a bug, and has its exit code; there is no core to be had anyway. */
static void give_up(int number)
{
	(void)number;
	_exit(EX_SOFTWARE);
}

void sandbox_start(void)
{
	const struct rlimit none = { 0, 0 };

	open_standard_descriptors();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGABRT, give_up);
	umask(077);
	(void)setrlimit(RLIMIT_CORE, &none);
}

void sandbox_connected(void)
{
#ifdef PR_SET_NO_NEW_PRIVS
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
#endif
}
