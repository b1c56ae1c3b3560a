#include "config.h"
#include "util/interrupt.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "util/attr.h"
#include "util/text.h"

static const struct name_value signals[] = {
	{ "SIGINT", SIGINT }, { "SIGTERM", SIGTERM }, { "SIGHUP", SIGHUP }, NAMES_END
};

static volatile sig_atomic_t noted;
static volatile sig_atomic_t heeded;

/*
 * A poll() that begins between the look at the flag and the wait would sleep
 * on: an alarm each second wakes it.
 */
static void wake(int number)
{
	(void)number;
	if (heeded)
		alarm(1);
}

static void note(int number)
{
	if (!noted)
		noted = number;
	wake(0);
}

static void catch(int number, void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler }, old;

	sigemptyset(&action.sa_mask);
	if (sigaction(number, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
		(void)sigaction(number, &action, NULL);
}

void interrupt_heed(void)
{
	heeded = 1;
	catch(SIGALRM, wake);
	for (size_t i = 0; !names_is_end(&signals[i]); i++)
		catch(signals[i].value, note);
}

void interrupt_defer(void)
{
	heeded = 0;
	alarm(0);
}

int interrupt_noted(void)
{
	return noted;
}

int interrupt_pending(void)
{
	return heeded ? noted : 0;
}

const char *interrupt_name(int number)
{
	const char *name = names_name(signals, number);

	return name ? name : "";
}

void interrupt_die(int number)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t set;

	sigemptyset(&action.sa_mask);
	sigemptyset(&set);
	sigaddset(&set, number);
	(void)sigaction(number, &action, NULL);
	(void)raise(number);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}
