/*
 * The service of this machine from the side of its users: why its socket
 * cannot be reached, and what starts it.
 *
 * With via = service a message goes over the socket by the client's usual
 * code; what is here is only said when that fails. A sandbox of the caller
 * (systemd's, a container's) that hides the socket looks like a service that
 * does not run: what lies over the path in /proc/self/mountinfo tells them
 * apart. Nothing here changes the fault of the error.
 */
#ifndef SUBMIT_SERVICE_H
#define SUBMIT_SERVICE_H

#include <stdbool.h>

struct arena;
struct error;

/* The words of a shell's line with which root calls the program as the user of the service. */
#define SERVICE_AS_USER "setpriv --reuid=msubmit --regid=msubmit --init-groups msubmit"

/* What looks after services on this machine, and the lines of a shell for ours. */
struct service_manager {
	const char *name;
	const char *mark;	/* a folder that is there when it runs; NULL: there is none */
	const char *start;	/* makes the service run, now and after a restart */
	const char *needs;	/* what has to be there for that; NULL: it is installed */
};

/* The one that runs here, never NULL. */
const struct service_manager *service_manager(void);

/*
 * Which directive of a unit hides path, by the text of a mountinfo file
 * (proc(5)); NULL when nothing lies over it. The text is cut into lines.
 */
const char *service_hidden_by(char *mountinfo, const char *path);

/* Appends to err, the failure to connect to socket, what is to be done. Returns -1. */
int service_explain(const char *socket, struct error *err);

#endif
