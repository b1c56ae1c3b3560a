#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "net/netwatch.h"
#include "util/clock.h"
#include "util/interrupt.h"

/* A descriptor that says what a timer says whose clock was set. */
static int set_clock = -1;

ssize_t read(int fd, void *data, size_t n);

ssize_t read(int fd, void *data, size_t n)
{
	const ssize_t done = syscall(SYS_read, fd, data, n);

	if (fd != set_clock || done < 0)
		return done;
	errno = ECANCELED;
	return -1;
}

static int waits;

int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *limit, const sigset_t *mask)
{
	struct timespec left = limit ? *limit : (struct timespec){ .tv_sec = 60 };

	waits++;
	return (int)syscall(SYS_ppoll, fds, n, &left, mask, _NSIG / 8);
}

/* A signal comes when there was the last look at it, just before the wait. */
static bool signal_late;

int sigprocmask(int how, const sigset_t *set, sigset_t *before)
{
	if (signal_late && how == SIG_BLOCK) {
		signal_late = false;
		raise(SIGTERM);
	}
	return (int)syscall(SYS_rt_sigprocmask, how, set, before, _NSIG / 8);
}

/* The loopback of a network namespace goes up or down. */
static void set_loopback(bool up)
{
	struct ifreq ask = { .ifr_flags = 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(ask.ifr_name, "lo", 3);
	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, SIOCGIFFLAGS, &ask), 0);
	ask.ifr_flags = (short)(up ? ask.ifr_flags | IFF_UP : ask.ifr_flags & ~IFF_UP);
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &ask), 0);
	close(fd);
}

static enum netwatch_reason wait_for(struct netwatch *w, unsigned seconds)
{
	const struct deadline d = deadline_in(seconds, "a test");

	return netwatch_wait(w, &d);
}

static void a_network_comes(void **state)
{
	struct netwatch w = NETWATCH_INIT;

	(void)state;
	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		skip();
	netwatch_open(&w);
	assert_true(w.link >= 0);
	set_loopback(true);
	assert_int_equal(wait_for(&w, 60), NETWATCH_NETWORK);
	/* it is told once */
	assert_int_equal(wait_for(&w, 1), NETWATCH_TIME);
	netwatch_close(&w);
	assert_int_equal(w.link, -1);
}

static void a_clock_is_set(void **state)
{
	struct netwatch w = { .link = -1, .clock = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
			      .other = -1 };
	const uint64_t one = 1;

	(void)state;
	assert_int_equal(wait_for(&w, 1), NETWATCH_TIME);
	set_clock = w.clock;
	assert_int_equal(write(w.clock, &one, sizeof(one)), sizeof(one));
	assert_int_equal(wait_for(&w, 60), NETWATCH_CLOCK);
	assert_int_equal(wait_for(&w, 1), NETWATCH_TIME);
	set_clock = -1;
	netwatch_close(&w);
	/* the real timer does not end by itself */
	netwatch_open(&w);
	assert_true(w.clock >= 0);
	close(w.link);
	w.link = -1;
	assert_int_equal(wait_for(&w, 1), NETWATCH_TIME);
	netwatch_close(&w);
}

static void nothing_can_be_had(void **state)
{
	struct netwatch w = NETWATCH_INIT;

	(void)state;
	assert_int_equal(wait_for(&w, 1), NETWATCH_TIME);
	netwatch_close(&w);
}

/* Last: it is noted for good. */
static void a_signal_ends_it(void **state)
{
	struct netwatch w = NETWATCH_INIT;

	(void)state;
	interrupt_heed();
	netwatch_open(&w);
	signal_late = true;
	waits = 0;
	assert_int_equal(wait_for(&w, 0), NETWATCH_SIGNAL);
	assert_false(signal_late);
	assert_int_equal(waits, 0);
	/* and one that came before */
	assert_int_equal(wait_for(&w, 0), NETWATCH_SIGNAL);
	netwatch_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_network_comes),
		cmocka_unit_test(a_clock_is_set),
		cmocka_unit_test(nothing_can_be_had),
		cmocka_unit_test(a_signal_ends_it)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
