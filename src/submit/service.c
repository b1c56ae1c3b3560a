#include "config.h"
#include "submit/service.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/attr.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/strbuf.h"

#define MOUNTS_MAX ((size_t)1 << 20)
#define MOUNT_FIELDS 5	/* id, parent, device, root, mount point: proc(5) */

#define FOREGROUND "STATE_DIRECTORY=/var/spool/msubmit " SERVICE_AS_USER " -bD -C " \
	SYSCONFDIR "/msubmit/msubmit.conf"

const struct service_manager *service_manager(void)
{
	static const struct service_manager managers[] = {
		{ "systemd", "/run/systemd/system", "systemctl enable --now msubmit.socket", NULL },
		{ "OpenRC", "/run/openrc", "rc-update add msubmit default && rc-service msubmit "
		  "start", "contrib/openrc/msubmit as /etc/init.d/msubmit" },
		{ "runit", "/run/runit", "ln -s /etc/sv/msubmit /var/service/",
		  "contrib/runit/msubmit as /etc/sv/msubmit" },
		{ "s6", "/run/s6-rc", "s6-rc -u change msubmit",
		  "contrib/s6/msubmit in the folder of s6-rc-compile" },
		{ "no service manager", NULL, FOREGROUND, NULL },
	};
	const struct service_manager *m = managers;
	struct stat st;

	while (m->mark && (stat(m->mark, &st) < 0 || !S_ISDIR(st.st_mode)))
		m++;
	return m;
}

/* --- what lies over a path ------------------------------------------------------------ */

struct mount {
	const char *root, *point;
};

static bool read_mount(char *line, struct mount *out)
{
	char *field[MOUNT_FIELDS];
	char *rest = line;

	for (size_t i = 0; i < MOUNT_FIELDS; i++) {
		field[i] = strsep(&rest, " ");
		if (!rest)
			return false;
	}
	*out = (struct mount){ .root = field[3], .point = field[4] };
	return true;
}

/* Is path the mount point or below it? */
static bool covers(const char *point, const char *path)
{
	const size_t n = strlen(point);

	if (strcmp(point, "/") == 0)
		return true;
	return strncmp(point, path, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static bool is_home(const char *path)
{
	return covers("/home", path) || covers("/root", path) || covers("/run/user", path);
}

/* twice: something was mounted there already. */
static const char *judge(const struct mount *m, bool twice)
{
	if (strstr(m->root, "/systemd-private-"))
		return "PrivateTmp=";
	if (strstr(m->root, "/inaccessible/"))
		return is_home(m->point) ? "ProtectHome=" : "InaccessiblePaths=";
	if (twice || is_home(m->point))
		return is_home(m->point) ? "ProtectHome=tmpfs" : "TemporaryFileSystem=";
	return NULL;
}

const char *service_hidden_by(char *mountinfo, const char *path)
{
	const char *directive = NULL, *point = "";
	struct mount m;

	/* the last mount over a path is the one that is seen */
	for (char *line; (line = strsep(&mountinfo, "\n")) != NULL;) {
		if (!read_mount(line, &m) || strcmp(m.point, "/") == 0 || !covers(m.point, path))
			continue;
		if (strlen(m.point) < strlen(point) && !strstr(m.root, "/inaccessible/"))
			continue;
		directive = judge(&m, strcmp(m.point, point) == 0);
		/* the folder of the socket is the service's own: nobody else mounts there */
		if (!directive && covers("/run", m.point) && strcmp(m.point, "/run") != 0)
			directive = "TemporaryFileSystem=, BindPaths=";
		point = m.point;
	}
	return directive;
}

static bool find_hiding(const char *path, const char **out)
{
	struct strbuf text = STRBUF_INIT(MOUNTS_MAX);
	struct error ignored;

	*out = fs_read_file("/proc/self/mountinfo", 0, &text, &ignored) == 0 ?
		service_hidden_by(text.buf, path) : NULL;
	strbuf_release(&text);
	return *out != NULL;
}

/* --- why ---------------------------------------------------------------------------- */

/* A sandbox may take away the very kind of socket. */
static bool socket_forbidden(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		close(fd);
	return fd < 0 && (errno == EAFNOSUPPORT || errno == EPERM || errno == EACCES);
}

int service_explain(const char *socket, struct error *err)
{
	const char *directive;

	if (socket_forbidden())
		return error_append(err, ": the unit of the caller allows no local sockets: add "
				    "AF_UNIX to RestrictAddressFamilies=, @network-io to "
				    "SystemCallFilter=");
	if (err->fault != FAULT_CONNECT_REFUSED && find_hiding(socket, &directive))
		return error_append(err, ": the sandbox of the caller hides it (%s): let its unit "
				    "have BindReadOnlyPaths=%s", directive, socket);
	if (err->fault == FAULT_CONNECT_DENIED)
		return error_append(err, ": 'namei -l %s' shows whose mode is in the way; AppArmor "
				    "and SELinux tell in 'journalctl -k -g DENIED'", socket);
	if (err->fault == FAULT_SOCKET_MISSING && access("/run", F_OK) < 0)
		return error_append(err, ": there is no /run here (RootDirectory=, a chroot): let "
				    "the socket be seen in it");
	if (err->fault != FAULT_SOCKET_MISSING && err->fault != FAULT_CONNECT_REFUSED)
		return -1;
	return error_append(err, ": the service is not running: as root '%s' starts it",
			    service_manager()->start);
}
