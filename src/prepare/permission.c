#include "config.h"
#include "prepare/permission.h"

#include <grp.h>
#include <stdbool.h>
#include <unistd.h>

#include "conf/account.h"
#include "message/address.h"
#include "message/ident.h"
#include "util/arena.h"
#include "util/error.h"

static bool list_matches(const char *const *patterns, const char *name)
{
	for (; patterns && *patterns; patterns++) {
		if (address_match(*patterns, name))
			return true;
	}
	return false;
}

static bool group_matches(struct arena *a, const char *const *patterns, gid_t gid)
{
	const struct group *group = getgrgid(gid);

	return list_matches(patterns, group && *group->gr_name ? group->gr_name :
			    arena_printf(a, "gid%lu", (unsigned long)gid));
}

/* The groups that the process has, which nobody can add to by himself. */
static bool any_group_matches(struct arena *a, const char *const *patterns)
{
	int n;

	if (!patterns)
		return false;
	if (group_matches(a, patterns, getgid()))
		return true;
	n = getgroups(0, NULL);
	if (n <= 0)
		return false;
	gid_t *list = arena_calloc(a, (size_t)n, sizeof(*list));

	n = getgroups(n, list);
	for (int i = 0; i < n; i++) {
		if (group_matches(a, patterns, list[i]))
			return true;
	}
	return false;
}

int permission_check(const struct account *a, struct error *err)
{
	const struct permission_settings *p = &a->permission;
	struct arena *scratch;
	bool allowed = !p->allow_users && !p->allow_groups;
	int rc = 0;

	if (allowed && !p->deny_users)
		return 0;
	scratch = arena_new();
	const char *login = ident_login(scratch);

	allowed = allowed || list_matches(p->allow_users, login) ||
		  any_group_matches(scratch, p->allow_groups);
	if (!allowed || list_matches(p->deny_users, login))
		rc = error_set(err, FAULT_USER_NOT_ALLOWED, "user %s may not submit mail", login);
	arena_free(scratch);
	return rc;
}
