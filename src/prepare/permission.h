/*
 * Who may send: allow_users, deny_users, allow_groups, by the real user and
 * groups of the process, whatever -f says.
 */
#ifndef PREPARE_PERMISSION_H
#define PREPARE_PERMISSION_H

#include "util/attr.h"

struct account;
struct error;

/*
 * EX_NOPERM 5.7.1 "user www-data may not submit mail": when a pattern of
 * deny_users fits the login name; or when there is allow_users or
 * allow_groups, and neither fits. Root is a user as all others. A user
 * without name is "uidN", a group "gidN".
 */
ATTR_CHECK int permission_check(const struct account *a, struct error *err);

#endif
