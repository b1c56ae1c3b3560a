#include "config.h"
#include "server/caller.h"

#include <stdatomic.h>
#include <stdint.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf/listen.h"
#include "message/address.h"
#include "message/ident.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/strbuf.h"
#include "util/text.h"

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

#define GROUPS_MAX 1024
#define NAME_MAX_SHOWN ((size_t)256)
#define SUBUID "/etc/subuid"
#define SUBUID_MAX ((size_t)1 << 20)
#define USERS_MAX 4096		/* whose rate is known at a time */

/* --- who it is ------------------------------------------------------------------- */

/* The groups that the process has had, which nobody adds to by himself. */
static const char *const *group_names(struct arena *a, int fd, gid_t first)
{
	gid_t *gid = arena_calloc(a, GROUPS_MAX, sizeof(*gid));
	socklen_t size = GROUPS_MAX * sizeof(*gid);
	const size_t n = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, gid, &size) < 0 ? 0 :
		size / sizeof(*gid);
	const char **names = arena_calloc(a, n + 2, sizeof(*names));

	names[0] = ident_group(a, first);
	for (size_t i = 0; i < n; i++)
		names[i + 1] = ident_group(a, gid[i]);
	return names;
}

/* The first line of /proc/PID/comm, without its end. */
static const char *program_name(struct arena *a, pid_t pid)
{
	const char *path = arena_printf(a, "/proc/%ld/comm", (long)pid);
	struct strbuf text = STRBUF_INIT(NAME_MAX_SHOWN);
	struct error ignored;
	const char *name = NULL;

	if (fs_read_file(path, 0, &text, &ignored) == 0 && text.len)
		name = arena_strndup(a, text.buf, strcspn(text.buf, "\n"));
	strbuf_release(&text);
	return name;
}

/* Only where we may look into that process: of our own user, or as root. */
static const char *program_file(struct arena *a, pid_t pid)
{
	const char *link = arena_printf(a, "/proc/%ld/exe", (long)pid);
	char *path = arena_alloc(a, NAME_MAX_SHOWN);
	const ssize_t n = readlink(link, path, NAME_MAX_SHOWN - 1);

	if (n <= 0)
		return NULL;
	path[n] = '\0';
	return path;
}

static bool read_peer(int fd, struct ucred *out)
{
	socklen_t size = sizeof(*out);
	int domain = 0;
	socklen_t domain_size = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_size) == 0 &&
		domain == AF_UNIX && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, out, &size) == 0;
}

/* The user of that name or number; NULL = there is none. */
static const struct passwd *find_user(const char *text)
{
	const struct passwd *pw = getpwnam(text);
	uint64_t number;

	if (!pw && text_decimal(text, &number) == strlen(text) && number <= UINT32_MAX)
		pw = getpwuid((uid_t)number);
	return pw;
}

/* Is the id one of the range?   name-or-uid ":" first ":" count   (subuid(5)) */
static bool is_in_line(char *line, uid_t uid, const char **name_out)
{
	uint64_t first, count;

	*name_out = strsep(&line, ":");
	const char *from = line ? strsep(&line, ":") : NULL;

	return line && text_decimal(from, &first) && text_decimal(line, &count) &&
		uid >= first && uid - first < count;
}

/* Most ids are in no line: then no user is looked up, here for each client. */
static const struct passwd *subuid_owner(const char *path, uid_t uid)
{
	struct strbuf text = STRBUF_INIT(SUBUID_MAX);
	const struct passwd *pw = NULL;
	struct error ignored;
	const char *name;

	if (fs_read_file(path, 0, &text, &ignored) == 0 && text.len) {
		char *rest = text.buf;

		for (char *line; !pw && (line = strsep(&rest, "\n")) != NULL;)
			pw = is_in_line(line, uid, &name) && !getpwuid(uid) ? find_user(name) :
				NULL;
	}
	strbuf_release(&text);
	return pw;
}

bool caller_owner(const char *path, uid_t uid, struct arena *a, struct caller *out)
{
	const struct passwd *pw = subuid_owner(path, uid);

	if (!pw)
		return false;
	out->owner = pw->pw_uid;
	out->owner_name = arena_strdup(a, pw->pw_name);
	return true;
}

bool caller_user(int fd, uid_t *out)
{
	struct ucred peer = { .pid = 0 };

	if (!read_peer(fd, &peer))
		return false;
	const struct passwd *owner = subuid_owner(SUBUID, peer.uid);

	*out = owner ? owner->pw_uid : peer.uid;
	return true;
}

bool caller_read(int fd, bool groups, struct arena *a, struct caller *out)
{
	struct ucred peer = { .pid = 0 };

	if (!read_peer(fd, &peer))
		return false;
	*out = (struct caller){
		.uid = peer.uid, .pid = peer.pid, .user = ident_user(a, peer.uid),
		.groups = groups ? group_names(a, fd, peer.gid) : NULL,
		.program = peer.pid ? program_name(a, peer.pid) : NULL,
		.exe = peer.pid ? program_file(a, peer.pid) : NULL,
	};
	(void)caller_owner(SUBUID, peer.uid, a, out);
	return true;
}

static void add_pair(struct strbuf *out, const char *key, const char *value)
{
	if (!value)
		return;
	strbuf_addf(out, " %s=", key);
	text_escape_add(out, value, strlen(value));
}

void caller_describe(const struct caller *w, struct strbuf *out)
{
	strbuf_addf(out, " uid=%lu", (unsigned long)w->uid);
	add_pair(out, "login", w->user);
	add_pair(out, "owner", w->owner_name);
	add_pair(out, "program", w->program);
	add_pair(out, "exe", w->exe);
}

/* --- what he may ------------------------------------------------------------------ */

static bool any_group(const char *const *patterns, const struct caller *w)
{
	for (const char *const *g = w->groups; patterns && g && *g; g++) {
		if (address_match_any(patterns, *g))
			return true;
	}
	return false;
}

int caller_may_submit(const struct listen_settings *set, const struct caller *w, struct error *err)
{
	const bool open = !set->allow_users && !set->allow_groups;

	if ((open || address_match_any(set->allow_users, w->user) ||
	     any_group(set->allow_groups, w)) && !address_match_any(set->deny_users, w->user) &&
	    !(w->owner_name && address_match_any(set->deny_users, w->owner_name)))
		return 0;
	return error_set(err, FAULT_USER_NOT_ALLOWED, "user %s may not submit mail", w->user);
}

/* USER=PATTERN: is the word about that user? *pattern_out is what stands behind it. */
static bool is_about(struct arena *a, const char *word, const char *user,
		     const char **pattern_out)
{
	const char *equal = strchr(word, '=');

	if (!equal)
		return false;
	*pattern_out = equal + 1;
	return address_match(arena_strndup(a, word, (size_t)(equal - word)), user);
}

int caller_may_send_as(const struct listen_settings *set, const struct caller *w,
		       const char *sender, struct error *err)
{
	struct arena *scratch = arena_new();
	bool bound = false, allowed = false;
	const char *pattern;

	for (const char *const *word = set->local_login_sender_maps; word && *word; word++) {
		if (!is_about(scratch, *word, w->user, &pattern) &&
		    !(w->owner_name && is_about(scratch, *word, w->owner_name, &pattern)))
			continue;
		bound = true;
		allowed = allowed || (*sender ? address_match(pattern, sender) :
				      strcmp(pattern, "<>") == 0 || strcmp(pattern, "*") == 0);
	}
	arena_free(scratch);
	if (!bound || allowed)
		return 0;
	return error_set(err, FAULT_USER_NOT_ALLOWED, "user %s may not submit mail as <%s>",
			 w->user, sender);
}

/* --- how much --------------------------------------------------------------------- */

/*
 * The generic cell rate algorithm: of each user one number is kept, the time
 * at which all that he has sent is paid for. A message costs time/messages of
 * it, and may be sent while no more than the whole time is owed.
 */
struct cell {
	_Atomic uint64_t user;		/* uid + 1; 0 = free */
	_Atomic int64_t paid_ms;
};

struct caller_rates {
	unsigned messages, seconds;
	struct cell *cell;		/* USERS_MAX, shared by all workers */
};

struct caller_rates *caller_rates_new(const struct listen_settings *set,
				      const struct caller_rates *before, struct arena *a)
{
	struct cell *cell = before ? before->cell : NULL;
	struct caller_rates *r;

	if (!set->user_rate)
		return NULL;
	if (!cell)
		cell = mmap(NULL, USERS_MAX * sizeof(*cell), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (cell == MAP_FAILED)
		return NULL;
	r = arena_alloc(a, sizeof(*r));
	*r = (struct caller_rates){ set->user_rate, set->user_rate_time, cell };
	return r;
}

/* The user's cell: his own, else one that is free or whose user owes nothing; NULL: none is. */
static struct cell *find_cell(struct caller_rates *r, uint64_t user, int64_t now_ms)
{
	for (size_t i = 0; i < USERS_MAX; i++) {
		struct cell *c = &r->cell[(user + i) % USERS_MAX];
		const uint64_t whose = atomic_load(&c->user);

		if (whose == user)
			return c;
		if (!whose)
			break;
	}
	for (size_t i = 0; i < USERS_MAX; i++) {
		struct cell *c = &r->cell[(user + i) % USERS_MAX];
		uint64_t whose = atomic_load(&c->user);

		if ((!whose || atomic_load(&c->paid_ms) <= now_ms) &&
		    (atomic_compare_exchange_strong(&c->user, &whose, user) || whose == user))
			return c;
	}
	return NULL;
}

static bool take(struct cell *c, int64_t cost_ms, int64_t whole_ms, int64_t now_ms)
{
	int64_t paid = atomic_load(&c->paid_ms), next;

	do {
		next = (paid > now_ms ? paid : now_ms) + cost_ms;
		if (next - now_ms > whole_ms)
			return false;
	} while (!atomic_compare_exchange_weak(&c->paid_ms, &paid, next));
	return true;
}

int caller_count(struct caller_rates *r, const struct caller *w, long long now_ms,
		 struct error *err)
{
	if (!r)
		return 0;
	const int64_t whole = (int64_t)r->seconds * 1000, cost = whole / r->messages;
	struct cell *c = find_cell(r, (uint64_t)(w->owner_name ? w->owner : w->uid) + 1,
					 now_ms);

	if (c && take(c, cost, whole, now_ms))
		return 0;
	return error_set_status(err, FAULT_REFUSED_FOR_NOW, "4.7.1", "user %s has sent %u messages "
				"within %u s: try again later", w->user, r->messages, r->seconds);
}
