#include "config.h"
#include "secrets/keyring.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/error.h"
#include "util/proc.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

#define PATH_ROOM ((size_t)PATH_MAX)

/* $DBUS_SESSION_BUS_ADDRESS, else the socket that systemd's user bus has. */
static bool has_session_bus(void)
{
	const char *address = secure_getenv("DBUS_SESSION_BUS_ADDRESS");
	const char *dir = secure_getenv("XDG_RUNTIME_DIR");
	struct strbuf path = STRBUF_INIT(PATH_ROOM);
	bool there;

	if (address && *address)
		return true;
	if (!dir || !*dir)
		return false;
	strbuf_addf(&path, "%s/bus", dir);
	there = !strbuf_overflow(&path) && access(path.buf, R_OK | W_OK) == 0;
	strbuf_release(&path);
	return there;
}

/* The command's path (xfree()), NULL if it is nowhere; a relative folder does not count. */
static char *find_command(const char *name)
{
	const char *folder = secure_getenv("PATH");
	struct strbuf path = STRBUF_INIT(PATH_ROOM);

	while (folder && *folder) {
		size_t n = strcspn(folder, ":");

		strbuf_reset(&path);
		strbuf_add(&path, folder, n);
		strbuf_addf(&path, "/%s", name);
		if (*folder == '/' && !strbuf_overflow(&path) && access(path.buf, X_OK) == 0)
			return strbuf_detach(&path);
		folder += n + (folder[n] == ':');
	}
	strbuf_release(&path);
	return NULL;
}

int keyring_lookup(const char *host, const char *user, unsigned seconds, struct strbuf *out,
		   bool *found_out, struct error *err)
{
	const char *const words[] = { "lookup", "host", host, "service", "smtp", "user", user };
	char *argv[ARRAY_LEN(words) + 2] = { NULL };
	struct error why = { 0 };
	int rc;

	*found_out = false;
	/* a value must not be read as an option */
	if (!user || !*user || !host || *host == '-' || *user == '-' || !has_session_bus())
		return 0;
	argv[0] = find_command("secret-tool");
	if (!argv[0])
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		argv[i + 1] = xstrdup(words[i]);
	rc = proc_capture(argv, seconds, out, &why);
	for (size_t i = 0; argv[i]; i++)
		xfree(argv[i]);
	if (rc < 0 && why.exit == EX_TEMPFAIL) {
		*err = why;
		return error_prefix(err, "keyring");
	}
	/* it ends with a status other than 0 when there is nothing */
	*found_out = rc == 0 && out->len > 0;
	return 0;
}
