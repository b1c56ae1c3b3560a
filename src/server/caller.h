/*
 * Who is at the other end of a local socket, and what the service lets him do.
 *
 * The kernel says the user id (SO_PEERCRED): nothing that the client says is
 * believed. allow_users, allow_groups and deny_users say who may submit,
 * local_login_sender_maps as whom, user_rate how much. Refusals for good are
 * FAULT_USER_NOT_ALLOWED (550 5.7.1), those of the rate FAULT_REFUSED_FOR_NOW
 * (450 4.7.1); both are said at MAIL, so that a client that is let in by
 * mistake of its own costs nothing more than a session.
 *
 * A client by TCP is nobody here: for it none of this is asked.
 */
#ifndef SERVER_CALLER_H
#define SERVER_CALLER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "util/attr.h"

struct arena;
struct error;
struct listen_settings;
struct strbuf;

/* The client of a session; text is the arena's. Groups are those that its process had. */
struct caller {
	uid_t uid;
	pid_t pid;
	const char *user;	/* login name; "uid12" when there is none */
	const char *const *groups;	/* names, "gid12"; ends with NULL; NULL = not asked for */
	const char *program;	/* what its process is called; NULL = cannot be seen. For the log */
	const char *exe;	/* its file; NULL = cannot be seen */
	/* to whom subuid(5) gives the id, if it has no name: his containers; NULL = nobody */
	const char *owner_name;
	uid_t owner;
};

/*
 * The peer of the socket; false when it is no local socket. groups: theirs are
 * looked up, too, each in group(5), which only allow_groups is worth.
 */
bool caller_read(int fd, bool groups, struct arena *a, struct caller *out);

/*
 * Sets the owner of an id without a name, as the file path (subuid(5)) has it, in
 * a; false: nobody is, and nothing is set.
 */
bool caller_owner(const char *path, uid_t uid, struct arena *a, struct caller *out);

/* The user alone, or the owner of his id; false as above. */
bool caller_user(int fd, uid_t *out);

/* May he submit at all? deny_users counts for his owner, too. FAULT_USER_NOT_ALLOWED. */
ATTR_CHECK int caller_may_submit(const struct listen_settings *set, const struct caller *w,
			      struct error *err);

/*
 * May he send as sender ("" is the null sender)? Of the words
 * USER=PATTERN in local_login_sender_maps those count whose USER fits, for him
 * or his owner; when none does, he may. FAULT_USER_NOT_ALLOWED.
 */
ATTR_CHECK int caller_may_send_as(const struct listen_settings *set, const struct caller *w,
			       const char *sender, struct error *err);

/*
 * What users have sent of late, in memory that the workers share: made before
 * the first of them, it needs no lock, and one that dies leaves nothing
 * behind. NULL where user_rate is off, and, with errno, where there is no memory.
 * before: those of the settings before, or NULL; what users have sent is taken
 * over, and both go on. In a; what the workers share ends with the process.
 */
struct caller_rates *caller_rates_new(const struct listen_settings *set,
				      const struct caller_rates *before, struct arena *a);

/*
 * One message more of that user: user_rate of them at once, then as many as
 * come free over its time. FAULT_REFUSED_FOR_NOW when it is too many, and
 * then it does not count; rates may be NULL. now_ms: clock_ms().
 */
ATTR_CHECK int caller_count(struct caller_rates *rates, const struct caller *w, long long now_ms,
			 struct error *err);

/* " uid=33 login=www-data program=php-fpm exe=/usr/sbin/php-fpm", for a line of the log. */
void caller_describe(const struct caller *w, struct strbuf *out);

#endif
