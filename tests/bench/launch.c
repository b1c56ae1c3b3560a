/*
 * Runs a command COUNT times, AT_ONCE at a time, each with INPUT as its
 * standard input; in the root ROOT. Prints the seconds that it took, how many
 * have failed, the seconds of CPU of all, and the KiB that one had at most.
 *
 *	launch ROOT COUNT AT_ONCE INPUT COMMAND [WORD..]
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void die(const char *what)
{
	perror(what);
	exit(99);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The input is opened for each anew: they must not share a place in it. */
static void start(char **command, const char *input)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;

	if (posix_spawn_file_actions_init(&actions) ||
	    posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0) ||
	    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0) ||
	    posix_spawn(&pid, *command, &actions, NULL, command, environ))
		die(*command);
	posix_spawn_file_actions_destroy(&actions);
}

int main(int argc, char **argv)
{
	if (argc < 6)
		return 99;
	const int count = atoi(argv[2]), at_once = atoi(argv[3]);
	int started = 0, running = 0, failed = 0;

	if (strcmp(argv[1], "/") != 0 && (chroot(argv[1]) < 0 || chdir("/") < 0))
		die(argv[1]);
	const double begin = now();

	while (started < count || running) {
		int status;

		if (started < count && running < at_once) {
			start(argv + 5, argv[4]);
			started++;
			running++;
		} else {
			if (wait(&status) < 0)
				die("wait");
			running--;
			failed += status != 0;
		}
	}
	const double seconds = now() - begin;
	struct rusage used;

	getrusage(RUSAGE_CHILDREN, &used);
	printf("%.6f %d %.6f %ld\n", seconds, failed,
	       (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
	       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6, used.ru_maxrss);
	return 0;
}
