#include "config.h"
#include "util/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sysexits.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#define NAME_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."

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

/*
 * What the caller sets - environment, folders, descriptors, limits - is the
 * caller's to set, and would be obeyed with the rights of the file's owner.
 * AT_SECURE alone may come from a security module, and says nothing of whose.
 */
static void refuse_set_id(const char *program)
{
	static const char text[] =
		": runs set-user-id or set-group-id, which it never needs: run 'chmod ug-s' on it, "
		"and as root 'msubmit --configure ADDRESS' for a service that alone has the "
		"password (via = service)\n";
	const char *slash = program ? strrchr(program, '/') : NULL;
	const char *name = slash ? slash + 1 : program && *program ? program : "msubmit";
	const struct iovec line[] = {
		{ (void *)name, strspn(name, NAME_LETTERS) }, { (void *)text, sizeof(text) - 1 },
	};

	if (getuid() == geteuid() && getgid() == getegid())
		return;
	const ssize_t told = writev(STDERR_FILENO, line, 2);

	(void)told;
	_exit(EX_CONFIG);
}

/* A failed assertion is a bug, and has its exit code; there is no core to be had anyway. */
static void give_up(int number)
{
	(void)number;
	_exit(EX_SOFTWARE);
}

void sandbox_start(const char *program)
{
	const struct rlimit none = { 0, 0 };

	open_standard_descriptors();
	refuse_set_id(program);
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
