/*
 * A TLS server for the tests of tls/tls*: GnuTLS alone, in a process of its
 * own, over a pair of sockets; and a lower stream that makes trouble.
 */
#ifndef TESTS_TLS_PEER_H
#define TESTS_TLS_PEER_H

#include <dlfcn.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "certs.h"
#include "net/socket.h"
#include "net/stream.h"
#include "tls/gnutls_api.h"
#include "tls/tls.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/proc.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

#define EXTRA(X) \
	X(alert_send) \
	X(alpn_set_protocols) \
	X(certificate_server_set_request) \
	X(certificate_set_known_dh_params) \
	X(certificate_set_ocsp_status_request_function2) \
	X(certificate_set_x509_key_file) \
	X(ext_raw_parse) \
	X(handshake_set_hook_function) \
	X(rehandshake) \
	X(server_name_get) \
	X(session_key_update) \
	X(session_ticket_enable_server) \
	X(session_ticket_key_generate) \
	X(session_is_resumed) \
	X(transport_set_int2)
static struct {
#define EXTRA_MEMBER(name) __typeof__(gnutls_##name) *name;
	EXTRA(EXTRA_MEMBER)
} extra;

ATTR_UNUSED static const char normal[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";
ATTR_UNUSED static const char tls12[] = "NORMAL:-VERS-ALL:+VERS-TLS1.2";
ATTR_UNUSED static const char tls13[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3";
ATTR_UNUSED static const char tls12_no_ems[] = "NORMAL:-VERS-ALL:+VERS-TLS1.2:%NO_SESSION_HASH";

#define assert_text(text, words) do { \
	if (!strstr(text, words)) \
		fail_msg("'%s' is not in '%s'", words, text); \
} while (0)

static inline void assert_error(const struct error *err, int exit, const char *status,
				const char *words)
{
	if (err->exit != exit || strcmp(err->status, status) != 0 || !strstr(err->text, words))
		fail_msg("%d %s '%s' wanted, %d %s '%s' came", exit, status, words, err->exit,
			 err->status, err->text);
}

/* --- the server's end, by the library alone, in a process of its own ------ */

enum act {
	ACT_ECHO,	/* returns all it gets, then says goodbye */
	ACT_SILENT_END,	/* says "hi" and closes without the end mark */
	ACT_RENEGOTIATE,
	ACT_KEY_UPDATE,	/* echo with a new key, asked of the client too, every few records */
	ACT_WARNINGS,	/* sends many warning alerts, then echo */
	ACT_BINDING,	/* sends its tls-exporter or tls-unique */
	ACT_COUNT_CERTS,
	ACT_NAME,	/* sends the name that it was asked for, or "none" */
	ACT_END_FIRST,	/* end mark at once, then reads on */
	ACT_READ_END,	/* exit status: 0 if the client ends politely */
	ACT_RESUMED,	/* sends "resumed" or "full", then echo */
};

struct scene {
	const char *cert, *key, *staple;
	const char *priorities;
	const char *alpn;	/* the one protocol, which must be offered; NULL = any or none */
	int request;		/* gnutls_certificate_request_t */
	bool tickets, unique;
	bool refuse_session;	/* TLS 1.3: an alert to any that is offered */
	const gnutls_datum_t *ticket_key;	/* of an earlier peer; NULL = a new one */
	enum act act;
};

/* Exit codes of that process. */
enum { PEER_OK = 0, PEER_SETUP = 9, PEER_HANDSHAKE = 10, PEER_PREMATURE = 11, PEER_IO = 12 };

static inline void peer_send(gnutls_session_t s, const void *data, size_t n)
{
	const char *p = data;

	while (n) {
		ssize_t done = gtls.record_send(s, p, n);

		if (done == GNUTLS_E_AGAIN || done == GNUTLS_E_INTERRUPTED)
			continue;
		if (done < 0)
			_exit(PEER_IO);
		p += done;
		n -= (size_t)done;
	}
}

static inline ssize_t peer_recv(gnutls_session_t s, void *buf, size_t n)
{
	ssize_t got;

	do
		got = gtls.record_recv(s, buf, n);
	while (got == GNUTLS_E_AGAIN || got == GNUTLS_E_INTERRUPTED);
	return got;
}

static inline void peer_name(gnutls_session_t s)
{
	char name[256];
	size_t room = sizeof(name);
	unsigned type;

	if (extra.server_name_get(s, name, &room, &type, 0) < 0)
		peer_send(s, "none", 4);
	else
		peer_send(s, name, strlen(name));
}

static inline void peer_echo(gnutls_session_t s, bool updates)
{
	static char buf[20000];
	ssize_t got;
	unsigned round = 0;

	while ((got = peer_recv(s, buf, sizeof(buf))) > 0) {
		if (updates && round++ % 5 == 0 && round < 30 &&
		    extra.session_key_update(s, GNUTLS_KU_PEER) < 0)
			_exit(PEER_IO);
		peer_send(s, buf, (size_t)got);
	}
	if (got < 0)
		_exit(got == GNUTLS_E_PREMATURE_TERMINATION ? PEER_PREMATURE : PEER_IO);
	gtls.bye(s, GNUTLS_SHUT_WR);
}

static inline void peer_binding(gnutls_session_t s, bool unique)
{
	gnutls_datum_t binding;

	if (gtls.session_channel_binding(s, unique ? GNUTLS_CB_TLS_UNIQUE : GNUTLS_CB_TLS_EXPORTER,
					 &binding) < 0)
		peer_send(s, "none", 4);
	else
		peer_send(s, binding.data, binding.size);
	gtls.bye(s, GNUTLS_SHUT_WR);
}

static inline void peer_act(gnutls_session_t s, const struct scene *scene)
{
	unsigned count = 0;
	char text[16], buf[10];
	ssize_t got;

	switch (scene->act) {
	case ACT_SILENT_END:
		peer_send(s, "hi", 2);
		break;
	case ACT_RENEGOTIATE:
		extra.rehandshake(s);
		peer_recv(s, buf, sizeof(buf));
		break;
	case ACT_WARNINGS:
		for (int i = 0; i < 10; i++)
			extra.alert_send(s, GNUTLS_AL_WARNING, GNUTLS_A_USER_CANCELED);
		peer_echo(s, false);
		break;
	case ACT_BINDING:
		peer_binding(s, scene->unique);
		break;
	case ACT_COUNT_CERTS:
		gtls.certificate_get_peers(s, &count);
		peer_send(s, text, (size_t)snprintf(text, sizeof(text), "%u", count));
		break;
	case ACT_NAME:
		peer_name(s);
		break;
	case ACT_END_FIRST:
		gtls.bye(s, GNUTLS_SHUT_WR);
		peer_recv(s, buf, sizeof(buf));
		break;
	case ACT_RESUMED:
		peer_send(s, extra.session_is_resumed(s) ? "resumed" : "full...", 7);
		peer_echo(s, false);
		break;
	case ACT_READ_END:
		while ((got = peer_recv(s, buf, sizeof(buf))) > 0)
			;
		if (got < 0)
			_exit(got == GNUTLS_E_PREMATURE_TERMINATION ? PEER_PREMATURE : PEER_IO);
		break;
	default:
		peer_echo(s, scene->act == ACT_KEY_UPDATE);
	}
}

/* Whatever is in the file, also what the library itself would not offer. */
static inline int peer_staple(gnutls_session_t s, void *path, gnutls_datum_t *out)
{
	struct strbuf text = STRBUF_INIT(65536);
	struct error err = { 0 };
	int fd = fs_open_read(path);

	(void)s;
	if (fd < 0 || fs_read_fd(fd, path, &text, &err) < 0)
		_exit(PEER_SETUP);
	*out = (gnutls_datum_t){ .size = (unsigned)text.len };
	out->data = (unsigned char *)strbuf_detach(&text);
	return 0;
}

static inline int peer_credentials(const struct scene *scene,
				   gnutls_certificate_credentials_t *out)
{
	gnutls_certificate_credentials_t c;
	const char *key = scene->key ? scene->key : "server.key";

	if (gtls.certificate_allocate_credentials(&c) < 0 ||
	    extra.certificate_set_x509_key_file(c, certs_path(scene->cert), certs_path(key),
						GNUTLS_X509_FMT_PEM) < 0)
		return -1;
	*out = c;
	extra.certificate_set_known_dh_params(c, GNUTLS_SEC_PARAM_LOW);
	return scene->staple
		? extra.certificate_set_ocsp_status_request_function2(
			c, 0, peer_staple, (void *)(uintptr_t)certs_path(scene->staple))
		: 0;
}

static inline int peer_ignores(gnutls_session_t s)
{
	(void)s;
	return 0;
}

static inline int peer_extension(void *ctx, unsigned type, const unsigned char *data, unsigned n)
{
	const unsigned pre_shared_key = 41;	/* RFC 8446, section 4.2 */

	(void)ctx, (void)data, (void)n;
	return type == pre_shared_key ? GNUTLS_E_ILLEGAL_PARAMETER : 0;
}

static inline int peer_hello(gnutls_session_t s, unsigned type, unsigned when, unsigned incoming,
			     const gnutls_datum_t *message)
{
	(void)s, (void)type, (void)when;
	return incoming ? extra.ext_raw_parse(NULL, peer_extension, message,
					      GNUTLS_EXT_RAW_FLAG_TLS_CLIENT_HELLO) : 0;
}

static inline void peer_run(int fd, const struct scene *scene)
{
	gnutls_certificate_credentials_t c = NULL;
	gnutls_session_t s = NULL;
	gnutls_datum_t ticket_key;
	int code;

	alarm(60);
	if (peer_credentials(scene, &c) < 0 || gtls.init(&s, GNUTLS_SERVER) < 0 ||
	    gtls.priority_set_direct(s, scene->priorities ? scene->priorities : normal, NULL) < 0 ||
	    gtls.credentials_set(s, GNUTLS_CRD_CERTIFICATE, c) < 0)
		_exit(PEER_SETUP);
	extra.certificate_server_set_request(s, (gnutls_certificate_request_t)scene->request);
	gtls.session_set_verify_function(s, peer_ignores);
	if (scene->tickets) {
		if (scene->ticket_key)
			ticket_key = *scene->ticket_key;
		else
			extra.session_ticket_key_generate(&ticket_key);
		extra.session_ticket_enable_server(s, &ticket_key);
	}
	if (scene->refuse_session)
		extra.handshake_set_hook_function(s, GNUTLS_HANDSHAKE_CLIENT_HELLO,
						  GNUTLS_HOOK_PRE, peer_hello);
	if (scene->alpn) {
		const gnutls_datum_t name = { (unsigned char *)(uintptr_t)scene->alpn,
					      (unsigned)strlen(scene->alpn) };

		extra.alpn_set_protocols(s, &name, 1, GNUTLS_ALPN_MANDATORY);
	}
	extra.transport_set_int2(s, fd, fd);
	do
		code = gtls.handshake(s);
	while (code == GNUTLS_E_AGAIN || code == GNUTLS_E_INTERRUPTED ||
	       code == GNUTLS_E_WARNING_ALERT_RECEIVED);
	if (code < 0) {
		gtls.alert_send_appropriate(s, code);
		_exit(PEER_HANDSHAKE);
	}
	peer_act(s, scene);
	_exit(PEER_OK);
}

/* --- a lower stream that makes trouble ------------------------------------ */

struct dribble {
	struct stream stream;
	unsigned reads, writes;
	int fail_write_after;	/* octets; -1 = never */
};

static inline ssize_t dribble_read(struct stream *s, void *buf, size_t n, struct error *err)
{
	struct dribble *d = (struct dribble *)s;

	return n && d->reads++ % 2 ? STREAM_AGAIN : stream_read(s->lower, buf, n ? 1 : 0, err);
}

static inline ssize_t dribble_write(struct stream *s, const void *buf, size_t n,
				    struct error *err)
{
	struct dribble *d = (struct dribble *)s;

	if (d->fail_write_after == 0)
		return error_set(err, FAULT_CONNECTION_LOST, "the cable is cut");
	if (d->writes++ % 2)
		return STREAM_AGAIN;
	ssize_t done = stream_write(s->lower, buf, n > 7 ? 7 : n, err);

	if (done > 0 && d->fail_write_after > 0)
		d->fail_write_after = d->fail_write_after > done ? d->fail_write_after - (int)done
								 : 0;
	return done;
}

static inline int dribble_wait(struct stream *s, int events, const struct deadline *d,
			       struct error *err)
{
	return stream_wait(s->lower, events, d, err);
}

static inline void dribble_close(struct stream *s)
{
	stream_close(s->lower);
}

static inline void dribble_free(struct stream *s)
{
	stream_free(s->lower);
	xfree(s);
}

static const struct stream_ops dribble_ops = {
	.name = "dribble", .read = dribble_read, .write = dribble_write, .wait = dribble_wait,
	.close = dribble_close, .free = dribble_free,
};

static inline struct stream *dribble_new(struct stream *lower, int fail_write_after)
{
	struct dribble *d = xcalloc(1, sizeof(*d));

	d->stream = (struct stream){ &dribble_ops, lower };
	d->fail_write_after = fail_write_after;
	return &d->stream;
}

/* --- connecting ----------------------------------------------------------- */

struct trial {
	struct scene scene;
	struct tls_client client;
	bool dribble;
	int fail_write_after;	/* with dribble; 0 = never */
	/* filled in */
	pid_t pid;
	struct stream *tls;
	struct error err;
};

static const struct deadline limit = { .seconds = 60, .what = "the peer" };

static inline struct deadline limit_now(void)
{
	return deadline_in(limit.seconds, limit.what);
}

/* Does the client say that it has resumed an earlier session? */
static inline bool is_resumed(const struct stream *tls)
{
	struct strbuf what = STRBUF_INIT(1000);

	tls_describe(tls, &what);
	const bool yes = strstr(what.buf, " (resumed)") != NULL;

	strbuf_release(&what);
	return yes;
}

/* Starts the peer and connects; the result of tls_connect(). */
static inline int trial_start(struct trial *t)
{
	struct deadline d = limit_now();
	int pair[2];

	if (!t->client.host)
		t->client.host = "localhost";
	if (!t->client.trust_file)
		t->client.trust_file = certs_path("ca.pem");
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	t->pid = fork();
	if (t->pid == 0) {
		close(pair[0]);
		peer_run(pair[1], &t->scene);
	}
	close(pair[1]);
	struct stream *lower = socket_stream_take(pair[0]);

	if (t->dribble)
		lower = dribble_new(lower, t->fail_write_after ? t->fail_write_after : -1);
	t->err = (struct error){ 0 };
	t->tls = NULL;
	int rc = tls_connect(lower, &t->client, &d, &t->tls, &t->err);

	if (rc < 0)
		stream_free(lower);
	assert_int_equal(rc == 0, t->tls != NULL);
	return rc;
}

/* The exit status of the peer. */
static inline int trial_end(struct trial *t)
{
	int status;

	stream_free(t->tls);
	t->tls = NULL;
	assert_int_equal(waitpid(t->pid, &status, 0), t->pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static inline ssize_t read_some(struct trial *t, void *buf, size_t n)
{
	struct deadline d = limit_now();
	ssize_t got;

	while ((got = stream_read(t->tls, buf, n, &t->err)) == STREAM_AGAIN) {
		if (stream_wait(t->tls, STREAM_IN, &d, &t->err) < 0)
			return -1;
	}
	return got;
}

/* One short echo: the stream works. */
static inline void echo_once(struct trial *t)
{
	struct deadline d = limit_now();
	char buf[5] = "";

	assert_int_equal(stream_write_all(t->tls, "hello", 5, &d, &t->err), 0);
	assert_int_equal(stream_read_exact(t->tls, buf, 5, &d, &t->err), 0);
	assert_memory_equal(buf, "hello", 5);
}

/* --- small things ----------------------------------------------------------- */

/* What openssl prints behind '='. */
static inline void openssl_line(struct strbuf *out, const char *cert, const char *option)
{
	char openssl[] = "openssl", x509[] = "x509", noout[] = "-noout", in[] = "-in";
	char fingerprint[] = "-fingerprint", file[128], how[32];
	char *const argv[] = { openssl, x509, noout, fingerprint, how, in, file, NULL };
	struct error err = { 0 };

	snprintf(file, sizeof(file), "%s", certs_path(cert));
	snprintf(how, sizeof(how), "%s", option);
	assert_int_equal(proc_capture(argv, 60, out, &err), 0);
	char *value = strchr(out->buf, '=');

	assert_non_null(value);
	strbuf_consume(out, (size_t)(value + 1 - out->buf));
	strbuf_truncate(out, strcspn(out->buf, "\n"));
}

static inline void wrong_setting(struct tls_client client, int exit, const char *words)
{
	struct deadline d = limit_now();
	struct error err = { 0 };
	struct stream *out = NULL;
	char buf[16];
	int pair[2];

	client.host = "localhost";
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	struct stream *lower = socket_stream_take(pair[0]);

	assert_int_equal(tls_connect(lower, &client, &d, &out, &err), -1);
	assert_null(out);
	assert_error(&err, exit, "5.3.5", words);
	assert_true(recv(pair[1], buf, sizeof(buf), MSG_DONTWAIT) < 0);
	stream_free(lower);
	close(pair[1]);
}

static inline int tls_peer_load(void)
{
	struct error err = { 0 };

	signal(SIGPIPE, SIG_IGN);
	if (gnutls_api_load(&err) < 0)
		return -1;
	void *lib = dlopen(GNUTLS_SONAME, RTLD_LAZY | RTLD_LOCAL), *entry;

	if (!lib)
		return -1;
#define EXTRA_LOAD(name) \
	entry = dlsym(lib, "gnutls_" #name); \
	if (!entry) \
		return -1; \
	memcpy(&extra.name, &entry, sizeof(entry));
	EXTRA(EXTRA_LOAD)
	return 0;
}

#endif
