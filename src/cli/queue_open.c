/*
 * Which queue a command is about: that of the account, of the command line
 * (--queue-dir), or the user's own.
 */
#include "config.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "conf/account.h"
#include "conf/accounts.h"
#include "queue/queue.h"
#include "util/arena.h"
#include "util/error.h"

/* Where it is, and whether it is made where it is missing. */
struct place {
	const char *dir;	/* NULL = the user's own */
	bool make;
};

bool queue_is_asked(const struct config *config, const struct account *a)
{
	return strcmp(config_origin(config, a, "queue"), "default") != 0 ||
		strcmp(config_origin(config, a, "queue_dir"), "default") != 0 ||
		a->queue.undo_window;
}

/* --queue-dir counts without any account, too. */
static const char *dir_of_option(const struct config_request *c)
{
	for (size_t i = c->override_n; i-- > 0;) {
		if (strcmp(c->override[i].key, "queue_dir") == 0)
			return c->override[i].value;
	}
	return NULL;
}

static struct place find_place(const struct invocation *inv)
{
	struct place p = { .dir = dir_of_option(&inv->request.config) };
	struct config *config = NULL;
	struct error ignored;
	const struct account *a = NULL;

	if (config_load(&inv->request.config, &config, &ignored) == 0)
		a = inv->request.account ? config_account(config, inv->request.account) :
			config_default(config);
	if (a) {
		p.dir = a->queue.dir ? arena_strdup(inv->arena, a->queue.dir) : NULL;
		p.make = a->queue.mode != QUEUE_NEVER && queue_is_asked(config, a);
	}
	config_free(config);
	return p;
}

int queue_of_caller(const struct invocation *inv, struct queue *q, struct error *err)
{
	const struct place p = find_place(inv);

	return queue_open(q, p.dir, p.make, err);
}

/* From here on as that user, for good. */
static int become(uid_t user, const char *dir, struct error *err)
{
	const struct passwd *pw = getpwuid(user);
	const gid_t group = pw ? pw->pw_gid : (gid_t)user;

	if (setgroups(1, &group) < 0 || setgid(group) < 0 || setuid(user) < 0)
		return error_errno(err, FAULT_USER_NOT_ALLOWED, "cannot work as user %lu, whose "
				   "the queue %s is", (unsigned long)user, dir);
	return 0;
}

int queue_of_owner(const struct invocation *inv, struct queue *q, struct error *err)
{
	const struct place p = find_place(inv);
	int fd = p.dir && geteuid() == 0 ?
		open(p.dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
	struct stat st;
	int rc = 0;

	*q = (struct queue)QUEUE_INIT;
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_uid != 0)
		rc = become(st.st_uid, p.dir, err);
	if (fd >= 0)
		close(fd);
	return rc < 0 ? -1 : queue_open(q, p.dir, false, err);
}
