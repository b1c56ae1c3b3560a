#include "config.h"
#include "secrets/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <termios.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fs.h"
#include "util/strbuf.h"

/* Signals that would end or stop us while the terminal has no echo. */
static const int watched[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU };

static volatile sig_atomic_t caught;

static void note_signal(int number)
{
	caught = number;
}

struct guard {
	struct sigaction old[ARRAY_LEN(watched)];
	sigset_t old_mask;
	struct termios old_mode;
};

/* The signals are let in only while we wait, so none can slip between test and wait. */
static void guard_signals(struct guard *g)
{
	struct sigaction note = { .sa_handler = note_signal };
	sigset_t block;

	sigemptyset(&block);
	sigemptyset(&note.sa_mask);
	for (size_t i = 0; i < ARRAY_LEN(watched); i++)
		sigaddset(&block, watched[i]);
	caught = 0;
	sigprocmask(SIG_BLOCK, &block, &g->old_mask);
	for (size_t i = 0; i < ARRAY_LEN(watched); i++)
		sigaction(watched[i], &note, &g->old[i]);
}

static void release_signals(const struct guard *g)
{
	for (size_t i = 0; i < ARRAY_LEN(watched); i++)
		sigaction(watched[i], &g->old[i], NULL);
	if (caught)
		raise(caught);		/* takes effect with the mask */
	sigprocmask(SIG_SETMASK, &g->old_mask, NULL);
}

static void set_echo(int fd, bool echo, struct guard *g)
{
	struct termios quiet;

	if (tcgetattr(fd, &g->old_mode) < 0)
		return;
	quiet = g->old_mode;
	if (!echo)
		quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
	quiet.c_lflag |= ICANON;
	tcsetattr(fd, TCSAFLUSH, &quiet);
}

/* One line; 1 when it is whole, 0 at the end of input, -1 on error or signal. */
static int read_line(int fd, const struct guard *g, struct strbuf *out)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	for (;;) {
		char c;
		int ready = ppoll(&p, 1, NULL, &g->old_mask);

		if (caught || (ready < 0 && errno != EINTR))
			return -1;
		if (ready <= 0)
			continue;
		ssize_t n = read(fd, &c, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? 0 : -1;
		if (c == '\n' || c == '\r')
			return 1;
		strbuf_addch(out, c);
	}
}

/* Asks once; true when it is to be done again because we had been stopped. */
static bool ask(int fd, const char *prompt, bool echo, struct strbuf *out, int *rc)
{
	struct guard g;

	strbuf_reset(out);
	guard_signals(&g);
	set_echo(fd, echo, &g);
	*rc = fs_write_all(fd, prompt, strlen(prompt)) < 0 ? -1 : read_line(fd, &g, out);
	if (!echo && fs_write_all(fd, "\n", 1) < 0)
		*rc = -1;
	tcsetattr(fd, TCSAFLUSH, &g.old_mode);
	release_signals(&g);
	return caught == SIGTSTP || caught == SIGTTIN || caught == SIGTTOU;
}

static int open_terminal(struct error *err)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return error_errno(err, FAULT_CONFIG, "cannot open the terminal");
	if (isatty(fd))
		return fd;
	close(fd);
	return error_set(err, FAULT_CONFIG, "/dev/tty is no terminal");
}

/* 1 when the line is whole, 0 at the end of input. */
static int ask_line(const char *prompt, bool echo, struct strbuf *out, struct error *err)
{
	int fd = open_terminal(err), rc;

	if (fd < 0)
		return -1;
	while (ask(fd, prompt, echo, out, &rc))
		;
	close(fd);
	return rc < 0 ? error_set(err, FAULT_SECRET_EMPTY, "the terminal gave no answer") : rc;
}

int terminal_ask(const char *prompt, struct strbuf *out, struct error *err)
{
	if (ask_line(prompt, false, out, err) < 0)
		return -1;
	return out->len ? 0 : error_set(err, FAULT_SECRET_EMPTY, "nothing was typed");
}

bool terminal_confirm(const char *prompt)
{
	struct strbuf line = STRBUF_INIT(256);
	struct error ignored;
	const bool yes = ask_line(prompt, true, &line, &ignored) == 1 &&
		(strcasecmp(line.buf, "y") == 0 || strcasecmp(line.buf, "yes") == 0);

	strbuf_release(&line);
	return yes;
}

bool terminal_is_there(void)
{
	struct error ignored;
	int fd = open_terminal(&ignored);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}
