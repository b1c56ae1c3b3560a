/* on_auth: a program of the administrator's says who may sign in. */
#include "config.h"
#include "server/smtpd.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "conf/listen.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/proc.h"
#include "util/strbuf.h"

enum { FIELDS_MAX = 32768, OUTPUT_MAX = 256 };

static void add_field(struct strbuf *out, const char *text, size_t n)
{
	strbuf_add(out, text, n);
	strbuf_addch(out, '\0');
}

/*
 * authzid NUL user NUL password NUL mechanism NUL peer NUL, in a pipe, which
 * has room for all of it: a secret is in no file, argument or environment.
 */
static int hand_over(const struct auth_login *login, const char *mechanism, const char *peer,
		     int *fd_out, struct error *err)
{
	struct strbuf text = STRBUF_SECRET(FIELDS_MAX);
	int fd[2], rc = -1;

	add_field(&text, "", 0);
	add_field(&text, login->user.data, login->user.len);
	add_field(&text, login->password.data, login->password.len);
	add_field(&text, mechanism, strlen(mechanism));
	add_field(&text, peer, strlen(peer));
	if (pipe2(fd, O_CLOEXEC | O_NONBLOCK) == 0) {
		*fd_out = fd[0];
		if (!strbuf_overflow(&text))
			rc = fs_write_all(fd[1], text.buf, text.len);
		close(fd[1]);
		if (rc == 0)
			(void)fcntl(fd[0], F_SETFL, 0);
		else
			close(fd[0]);
	}
	if (rc < 0)
		error_errno(err, FAULT_SYSTEM, "cannot hand over a sign-in");
	strbuf_release_secret(&text);
	return rc;
}

int auth_hook(const struct listen_settings *set, const struct auth_login *login,
	      const char *mechanism, const char *peer, struct error *err)
{
	static char *const environment[] = { (char *)"PATH=" PROC_PATH, NULL };
	struct strbuf lost = STRBUF_SECRET(OUTPUT_MAX);
	struct proc_request r = { .argv = (char *const *)(void *)set->on_auth,
				  .environment = environment, .seconds = set->hook_timeout,
				  .input = -1, .third = -1, .out = &lost };
	int status = -1, rc = hand_over(login, mechanism, peer, &r.third, err);

	if (rc < 0)
		return -1;
	rc = proc_run(&r, &status, err);
	close(r.third);
	strbuf_release_secret(&lost);
	if (rc < 0)
		return error_prefix(err, "on_auth");
	if (status == 0)
		return 0;
	if (status == 1) {
		error_set(err, FAULT_PASSWORD_REFUSED, "sign-in refused by on_auth");
		err->reply = 535;
		return -1;
	}
	return error_set(err, FAULT_AUTH_LATER, "on_auth ended with status %d", status);
}
