/*
 * What the service of a machine needs of the machine, made by root: its
 * user, its folders, its secret, and that it runs.
 *
 * Each step looks first at what is there and changes only what is not as it
 * has to be, so that all of it can be done again; what was done is told in a
 * line each. Nothing follows a symbolic link into a folder that belongs to the
 * service: whoever has become its user gains nothing by root's writing there.
 */
#ifndef SETUP_MACHINE_H
#define SETUP_MACHINE_H

#include <sys/types.h>

#include "util/attr.h"

struct error;
struct secret;

#define MACHINE_USER "msubmit"
#define MACHINE_FOLDER SYSCONFDIR "/msubmit"
#define MACHINE_CONFIG MACHINE_FOLDER "/msubmit.conf"
#define MACHINE_SECRETS MACHINE_FOLDER "/secrets"
#define MACHINE_STATE "/var/spool/msubmit"
#define MACHINE_RUN "/run/msubmit"

struct machine {
	void (*note)(void *ctx, const char *line);
	void *ctx;
	uid_t uid;	/* of the service's user, after machine_user() */
	gid_t gid;
};

/*
 * The user of the service, made by the machine's own program for that
 * (systemd-sysusers, useradd, adduser of Busybox) when there is none.
 * EX_CONFIG when no program could.
 */
ATTR_CHECK int machine_user(struct machine *m, struct error *err);

/*
 * The folders: of the configuration (root's, everybody may pass through), of
 * the secrets and of the state (the service's alone), of the socket where
 * nobody else makes that. EX_CANTCREAT; EX_CONFIG when something else than a
 * folder has the name.
 */
ATTR_CHECK int machine_folders(const struct machine *m, struct error *err);

/* Writes a secret to a new file of the service in its folder, mode 0600. EX_CANTCREAT. */
ATTR_CHECK int machine_secret(const struct machine *m, const char *name, const struct secret *s,
			      struct error *err);

/* Lets the service read the file, which stays root's: group, mode 0640. EX_CANTCREAT. */
ATTR_CHECK int machine_confide(const struct machine *m, const char *path, struct error *err);

/* Starts the service, now and whenever the machine does, or says which command does that. */
void machine_start(const struct machine *m);

#endif
