#include "config.h"
#include "setup/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "submit/service.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/proc.h"
#include "util/secret.h"
#include "util/store.h"
#include "util/strbuf.h"

#define COMMAND_SECONDS 60
#define OUTPUT_MAX ((size_t)1 << 16)
#define SECRET_MAX ((size_t)1 << 17)
#define NOLOGIN "/usr/sbin/nologin"

ATTR_PRINTF(2, 3)
static void report(const struct machine *m, const char *fmt, ...)
{
	struct strbuf line = STRBUF_INIT(OUTPUT_MAX);
	va_list ap;

	va_start(ap, fmt);
	strbuf_vaddf(&line, fmt, ap);
	va_end(ap);
	m->note(m->ctx, line.buf);
	strbuf_release(&line);
}

static int run(const char *const *argv, struct error *err)
{
	struct strbuf ignored = STRBUF_INIT(OUTPUT_MAX);
	int rc = proc_capture((char *const *)(uintptr_t)argv, COMMAND_SECONDS, &ignored, err);

	strbuf_release(&ignored);
	return rc;
}

/* --- the user ------------------------------------------------------------------------ */

static bool find_user(struct machine *m)
{
	const struct passwd *pw = getpwnam(MACHINE_USER);

	if (!pw)
		return false;
	m->uid = pw->pw_uid;
	m->gid = pw->pw_gid;
	return true;
}

#define MAKERS_MAX 16

/* By whole paths: PATH may be short, or not root's own. Each that is there is tried. */
static const char *const makers[][MAKERS_MAX] = {
	{ "/usr/sbin/useradd", "--system", "--user-group", "--no-create-home", "--home-dir",
	  MACHINE_STATE, "--shell", NOLOGIN, "--comment", "mail submission", MACHINE_USER },
	{ "/usr/bin/systemd-sysusers", "--inline",
	  "u " MACHINE_USER " - \"mail submission\" " MACHINE_STATE },
	/* Busybox */
	{ "/usr/sbin/adduser", "-S", "-D", "-H", "-h", MACHINE_STATE, "-s", "/sbin/nologin", "-G",
	  MACHINE_USER, MACHINE_USER },
};

int machine_user(struct machine *m, struct error *err)
{
	static const char *const group[] = { "/usr/sbin/addgroup", "-S", MACHINE_USER, NULL };
	struct error ignored, why = { .exit = 0 };

	if (find_user(m))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(makers); i++) {
		const char *const *argv = makers[i];

		if (access(argv[0], X_OK) < 0)
			continue;
		if (strcmp(argv[1], "-S") == 0)
			(void)!run(group, &ignored);
		if (run(argv, why.exit ? &ignored : &why) == 0 && find_user(m)) {
			report(m, "user '%s' made by %s", MACHINE_USER, argv[0]);
			return 0;
		}
	}
	error_set(err, FAULT_CONFIG, "there is no user '%s' for the service, and it could not be "
		  "made: make it, and run this again", MACHINE_USER);
	return why.exit ? error_append(err, " (%s)", why.text) : -1;
}

/* --- folders ------------------------------------------------------------------------- */

struct folder {
	const char *path;
	mode_t mode;	/* of a new one, and of every one that is the service's */
	bool own;	/* the service's; else root's */
};

static int settle_folder(const struct machine *m, const struct folder *f, int fd,
			 struct error *err)
{
	struct stat st;
	const mode_t pass = S_IXGRP | S_IXOTH;

	if (fstat(fd, &st) < 0)
		return error_errno(err, FAULT_CANNOT_CREATE, "cannot examine %s", f->path);
	if (f->own && (st.st_uid != m->uid || st.st_gid != m->gid) &&
	    fchown(fd, m->uid, m->gid) < 0)
		return error_errno(err, FAULT_CANNOT_CREATE, "cannot give %s to user '%s'",
				   f->path, MACHINE_USER);
	const mode_t wanted = f->own ? f->mode : (st.st_mode & 07777) | pass;

	if ((st.st_mode & 07777) != wanted && fchmod(fd, wanted) < 0)
		return error_errno(err, FAULT_CANNOT_CREATE, "cannot set the mode of %s", f->path);
	return 0;
}

static int make_folder(const struct machine *m, const struct folder *f, struct error *err)
{
	const bool made = mkdir(f->path, f->mode) == 0;

	if (!made && errno != EEXIST)
		return error_errno(err, FAULT_CANNOT_CREATE, "cannot make %s", f->path);
	int fd = open(f->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return error_set(err, FAULT_CONFIG, "%s is no folder", f->path);
	/* whatever the umask is */
	if (made)
		(void)!fchmod(fd, f->mode);
	int rc = settle_folder(m, f, fd, err);

	close(fd);
	if (rc == 0 && made)
		report(m, "folder %s made%s", f->path,
		       f->own ? " for user '" MACHINE_USER "'" : "");
	return rc;
}

int machine_folders(const struct machine *m, struct error *err)
{
	static const struct folder folders[] = {
		{ MACHINE_FOLDER, 0755, false },
		{ MACHINE_SECRETS, 0700, true },
		{ MACHINE_STATE, 0700, true },
		/* the last one: of a service manager that makes none itself */
		{ MACHINE_RUN, 0755, true },
	};
	const bool makes_run = strcmp(service_manager()->name, "systemd") == 0;

	for (size_t i = 0; i < ARRAY_LEN(folders) - makes_run; i++) {
		if (make_folder(m, &folders[i], err) < 0)
			return -1;
	}
	return 0;
}

/* --- files --------------------------------------------------------------------------- */

int machine_secret(const struct machine *m, const char *name, const struct secret *s,
		   struct error *err)
{
	int folder = open(MACHINE_SECRETS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct store_file f = { .fd = -1 };
	struct strbuf text = STRBUF_INIT(SECRET_MAX);

	strbuf_add(&text, s->data, s->len);
	strbuf_addch(&text, '\n');
	int rc = folder < 0 || store_begin(&f, folder, NULL, 0600) < 0 ? -1 : 0;

	if (rc == 0 && (fs_write_all(f.fd, text.buf, text.len) < 0 ||
			fchown(f.fd, m->uid, m->gid) < 0)) {
		store_abort(&f);
		rc = -1;
	}
	if (rc == 0)
		rc = store_commit(&f, folder, name, STORE_NEW);
	if (rc < 0)
		error_errno(err, FAULT_CANNOT_CREATE, "cannot write %s/%s", MACHINE_SECRETS, name);
	strbuf_release_secret(&text);
	if (folder >= 0)
		close(folder);
	return rc;
}

int machine_confide(const struct machine *m, const char *path, struct error *err)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	int rc = 0;

	if (fd < 0 || fstat(fd, &st) < 0 ||
	    (st.st_gid != m->gid && fchown(fd, (uid_t)-1, m->gid) < 0) ||
	    ((st.st_mode & 07777) != 0640 && fchmod(fd, 0640) < 0))
		rc = error_errno(err, FAULT_CANNOT_CREATE, "cannot let user '%s' read %s",
				 MACHINE_USER, path);
	if (fd >= 0)
		close(fd);
	return rc;
}

/* --- the service --------------------------------------------------------------------- */

void machine_start(const struct machine *m)
{
	static const char *const steps[][MAKERS_MAX] = {
		{ "systemctl", "daemon-reload" },
		{ "systemctl", "enable", "--now", "msubmit.socket" },
		/* one that runs already reads its file anew */
		{ "systemctl", "try-reload-or-restart", "msubmit.service" },
	};
	const struct service_manager *manager = service_manager();
	struct error err;

	if (strcmp(manager->name, "systemd") != 0) {
		report(m, "start the service (%s%s%s): %s", manager->name,
		     manager->needs ? ", with " : "", manager->needs ? manager->needs : "",
		     manager->start);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		if (run(steps[i], &err) == 0)
			continue;
		report(m, "the service does not run yet: %s; when that is mended, as root: %s",
		     err.text, manager->start);
		return;
	}
	report(m, "the service runs, and will after a restart (%s)", manager->start);
}
