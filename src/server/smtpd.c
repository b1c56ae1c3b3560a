#include "config.h"
#include "server/smtpd.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "message/ident.h"
#include "message/result.h"
#include "net/socket.h"
#include "net/stream.h"
#include "net/wire.h"
#include "server/caller.h"
#include "server/delivery.h"
#include "server/listener.h"
#include "tls/tls.h"
#include "util/arena.h"
#include "util/text.h"

enum {
	IDLE_DEFAULT = 300,	/* seconds: RFC 5321, section 4.5.3.2.7 */
	CHUNK_MS = 200,		/* between the octets of a chunk, till what is held is answered */
	EARLY_MS = 50,		/* so long does a client wait for the greeting at least */
	WRITE_LIMIT = 60,	/* seconds a client may take to read a reply */
	HANDSHAKE_LIMIT = 60,
	STOP_LOOK_MS = 100,	/* the replies of a client come so fast that we never wait */
	STOP_GRACE = 20,	/* seconds for the rest of a message when told to stop */
	REPLY_MAX = 510,	/* octets of a reply line without CRLF */
	NAME_OCTETS = 255,
	REPLY_TEXT_MAX = 4096,
	LOG_MAX = 8192		/* a longer line of the log is cut: its head stays */
};

const char *smtpd_name(const struct smtpd *s)
{
	return s->options->set.server_name ? s->options->set.server_name : "localhost";
}

bool smtpd_offers_auth(const struct smtpd *s)
{
	const struct listen_settings *set = &s->options->set;

	return (set->auth_file || set->on_auth) && !s->stdio &&
		(s->tls || s->local || (s->loopback && set->auth_plain_loopback));
}

bool smtpd_signed_in(const struct smtpd *s)
{
	return s->user.len > 0;
}

bool smtpd_proven(const struct smtpd *s)
{
	return smtpd_signed_in(s) || s->certified;
}

static bool is_loopback_text(const char *peer)
{
	return strncmp(peer, "127.", 4) == 0 || strcmp(peer, "::1") == 0;
}

void smtpd_init_take(struct smtpd *s, const struct server_options *options, struct wire *wire,
		     struct delivery *delivery, const char *peer)
{
	*s = (struct smtpd){ .options = options, .delivery = delivery, .wire = wire, .peer = peer,
			     .stop_fd = -1, .pause_ms = 1000, 
			     .state = options->set.helo_required ? SMTPD_START : SMTPD_READY,
			     .lmtp = options->set.lmtp, .uid = -1, .pid = -1,
			     .loopback = is_loopback_text(peer) };
	strbuf_init(&s->helo, NAME_OCTETS);
	strbuf_init(&s->user, NAME_OCTETS);
	strbuf_init(&s->line, SMTPD_AUTH_LINE_MAX);
	smtpd_reset(s);
}

void smtpd_release(struct smtpd *s)
{
	smtpd_reset(s);
	if (s->delivery->ops->end)
		s->delivery->ops->end(s->delivery);
	wire_free(s->wire);
	arena_free(s->arena);
	strbuf_release(&s->helo);
	strbuf_release(&s->user);
	strbuf_release_secret(&s->line);
}

void smtpd_reset(struct smtpd *s)
{
	receive_reset(s);
	if (s->begun && s->delivery->ops->reset)
		s->delivery->ops->reset(s->delivery);
	s->begun = s->spoilt = s->sender_held = false;
	s->held = NULL;
	s->held_n = s->held_alloc = 0;
	arena_free(s->arena);
	s->arena = arena_new();
	envelope_init(&s->envelope, s->arena);
	s->refused_rcpt = false;
	s->rcpt_accepted = 0;
	s->accepted = NULL;
	s->accepted_alloc = 0;
	if (s->state != SMTPD_START)
		s->state = SMTPD_READY;
}

void smtpd_log(struct smtpd *s, const char *fmt, ...)
{
	struct strbuf line = STRBUF_INIT(LOG_MAX);
	struct strbuf text = STRBUF_INIT(8 * LOG_MAX), shown = STRBUF_INIT(4 * LOG_MAX);
	va_list ap;

	if (!s->options->log)
		return;
	strbuf_addf(&line, "host=%s tls=%s", s->peer, s->tls ? "on" : "off");
	if (s->caller)
		caller_describe(s->caller, &line);
	else if (s->uid >= 0)
		strbuf_addf(&line, " uid=%ld", s->uid);
	if (s->program && !s->caller)
		strbuf_addf(&line, " program=%s", s->program);
	if (smtpd_signed_in(s))
		strbuf_addf(&line, " user=%s", s->user.buf);
	strbuf_addch(&line, ' ');
	va_start(ap, fmt);
	strbuf_vaddf(&text, fmt, ap);
	va_end(ap);
	const size_t room = line.limit - line.len;

	strbuf_add(&line, text.buf, text.len < room ? text.len : room);
	text_escape_add(&shown, line.buf, line.len);
	s->options->log(s->options->log_ctx, shown.buf);
	strbuf_release(&line);
	strbuf_release(&text);
	strbuf_release(&shown);
}

void smtpd_end(struct smtpd *s, const struct error *err)
{
	s->ended = true;
	if (err && !s->error.exit)
		s->error = *err;
}

static void put(struct smtpd *s, struct strbuf *line)
{
	struct deadline d = deadline_in(WRITE_LIMIT, "the client to read replies");
	struct error err;

	smtpd_answer_held(s);
	for (size_t i = 0; i < line->len; i++)
		if ((unsigned char)line->buf[i] < ' ' || (unsigned char)line->buf[i] > 126)
			line->buf[i] = '?';
	if (line->len > REPLY_MAX)
		strbuf_truncate(line, REPLY_MAX);
	strbuf_addstr(line, "\r\n");
	if (wire_put(s->wire, line->buf, line->len, NULL, &d, &err) < 0)
		smtpd_end(s, &err);
	strbuf_release(line);
}

void smtpd_reply_line(struct smtpd *s, int code, char separator, const char *fmt, ...)
{
	struct strbuf line = STRBUF_INIT(REPLY_TEXT_MAX);
	va_list ap;

	strbuf_addf(&line, "%d%c", code, separator);
	va_start(ap, fmt);
	strbuf_vaddf(&line, fmt, ap);
	va_end(ap);
	put(s, &line);
}

void smtpd_reply(struct smtpd *s, int code, const char *status, const char *fmt, ...)
{
	struct strbuf line = STRBUF_INIT(REPLY_TEXT_MAX);
	va_list ap;

	strbuf_addf(&line, "%d %s%s", code, status ? status : "", status ? " " : "");
	va_start(ap, fmt);
	strbuf_vaddf(&line, fmt, ap);
	va_end(ap);
	put(s, &line);
	if (code >= 500)
		s->errors++;
}

void smtpd_reply_error(struct smtpd *s, int code, const struct error *err)
{
	smtpd_reply(s, code, err->status, "%s", err->text);
}

struct delivery_client smtpd_client(const struct smtpd *s)
{
	return (struct delivery_client){
		.peer = s->peer, .helo = s->helo.len ? s->helo.buf : "",
		.user = smtpd_signed_in(s) ? s->user.buf : NULL, .server_name = smtpd_name(s),
		.tls = s->tls, .esmtp = s->esmtp, .lmtp = s->lmtp, .uid = s->uid, .pid = s->pid,
	};
}

void smtpd_flush(struct smtpd *s)
{
	struct deadline d = deadline_in(WRITE_LIMIT, "the client to read replies");
	struct error err;

	if (wire_flush(s->wire, &d, &err) < 0)
		smtpd_end(s, &err);
}

static void say_stop(struct smtpd *s)
{
	smtpd_reply(s, 421, "4.3.2", "%s is shutting down, try again later", smtpd_name(s));
	smtpd_end(s, NULL);
}

static bool lasts_too_long(const struct smtpd *s)
{
	return s->session_limit.at && clock_ms() >= s->session_limit.at;
}

static void say_idle(struct smtpd *s, const struct deadline *d)
{
	struct error err;

	deadline_error(d, &err);
	smtpd_reply(s, 421, "4.4.2", "%s: %s", smtpd_name(s),
		    lasts_too_long(s) ? "the session has lasted too long" :
		    "too long without input");
	smtpd_end(s, &err);
}

/* Was the session told to stop? The grace begins with the first sight of it. */
static bool stop_wanted(struct smtpd *s)
{
	struct pollfd p = { .fd = s->stop_fd, .events = POLLIN };

	if (!s->stopping && s->stop_fd >= 0 && poll(&p, 1, 0) > 0) {
		s->stopping = true;
		s->stop_limit = deadline_in(STOP_GRACE, "the rest of the message");
	}
	return s->stopping;
}

/* The same between commands. Who is about to wait looks then: now and then is enough for him. */
static bool stop_seen(struct smtpd *s)
{
	const int64_t now = clock_ms();

	if (wire_unread(s->wire) == 0 && now - s->stop_looked_ms < STOP_LOOK_MS)
		return s->stopping;
	s->stop_looked_ms = now;
	return stop_wanted(s);
}

void smtpd_pause(struct smtpd *s, unsigned ms)
{
	struct pollfd p = { .fd = s->stop_fd, .events = POLLIN };

	if (ms)
		(void)poll(&p, 1, (int)ms);
}

/*
 * Waits until the socket has input or there is reason to stop. TLS may have
 * eaten what woke us and still hold no whole record: then wait again.
 */
static bool wait_socket(struct smtpd *s, bool grace, const struct deadline *d)
{
	int fd = socket_fd(wire_stream(s->wire));

	while (fd >= 0 && wire_any_now(s->wire) == 0) {
		struct pollfd p[2] = {
			{ .fd = fd, .events = POLLIN },
			{ .fd = s->stopping ? -1 : s->stop_fd, .events = POLLIN },
		};
		struct deadline limit = deadline_first(*d, s->stop_limit);

		if (poll(p, 2, deadline_poll_ms(&limit)) < 0 && errno != EINTR) {
			error_errno(&s->error, FAULT_SYSTEM, "cannot wait for the client");
			smtpd_end(s, NULL);
			return false;
		}
		if (stop_wanted(s) && (!grace || deadline_passed(&s->stop_limit))) {
			say_stop(s);
			return false;
		}
		if (deadline_passed(&limit)) {
			say_idle(s, &limit);
			return false;
		}
	}
	return true;
}

/* Seconds of silence; on standard input nobody minds. */
static unsigned idle_seconds(const struct smtpd *s)
{
	const unsigned idle = s->options->set.idle_timeout;

	if (s->stdio)
		return 0;
	return idle ? idle : IDLE_DEFAULT;
}

/* The octets of a chunk that was announced need not wait for any answer. */
static bool comes_soon(const struct smtpd *s)
{
	struct pollfd p = { .fd = socket_fd(wire_stream(s->wire)), .events = POLLIN };

	return s->kept_chunk && p.fd >= 0 && poll(&p, 1, CHUNK_MS) > 0 &&
		wire_any_now(s->wire) > 0;
}

/* Whoever waits for the client answers him first; that is not the client's time. */
static void answer_before_wait(struct smtpd *s)
{
	const int64_t begun = clock_ms();

	if (!smtpd_holds(s) || wire_any_now(s->wire) > 0 || comes_soon(s))
		return;
	smtpd_answer_held(s);
	if (s->limit.at)
		s->limit.at += clock_ms() - begun;
}

bool smtpd_wait_input(struct smtpd *s, bool grace, const char **data_out, size_t *n_out)
{
	struct error err;

	answer_before_wait(s);
	struct deadline d = deadline_in(idle_seconds(s), "the client");

	d = deadline_first(d, s->limit);

	if (wire_unread(s->wire) == 0) {
		smtpd_flush(s);
		if (s->ended || !wait_socket(s, grace, &d))
			return false;
	}
	if (wire_peek(s->wire, data_out, n_out, &d, &err) < 0) {
		if (deadline_passed(&d))
			say_idle(s, &d);
		smtpd_end(s, &err);
		return false;
	}
	if (*n_out == 0) {
		error_set(&err, FAULT_CONNECTION_LOST, "client went away without QUIT");
		/* whoever closes our standard input may have all he wanted */
		smtpd_end(s, s->stdio && s->state & (SMTPD_START | SMTPD_READY) ? NULL : &err);
		return false;
	}
	return true;
}

/* Adds up to n octets as far as the limit allows; true when some did not fit. */
static bool add_some(struct strbuf *line, const char *data, size_t n)
{
	size_t room = line->limit - line->len;

	strbuf_add(line, data, n < room ? n : room);
	return n > room;
}

bool smtpd_read_line(struct smtpd *s, struct strbuf *line, bool *cut_out, bool *bare_out)
{
	const char *data, *lf;
	size_t n;
	bool cr = false;	/* the octet before the LF, also when it was cut off */

	strbuf_reset(line);
	*cut_out = *bare_out = false;
	/* all of it: a client that says an octet now and then holds no place for ever */
	s->limit = deadline_first(deadline_in(idle_seconds(s), "a command"), s->session_limit);
	/* also of one that says without end what costs it nothing */
	if (lasts_too_long(s)) {
		say_idle(s, &s->session_limit);
		return false;
	}
	do {
		if (!smtpd_wait_input(s, false, &data, &n))
			return false;
		lf = memchr(data, '\n', n);
		size_t part = lf ? (size_t)(lf - data) : n;

		/* a CR kept back from the piece before was not the last octet after all */
		if (part && cr) {
			*bare_out = true;
			*cut_out |= add_some(line, "\r", 1);
		}
		if (part) {
			cr = data[part - 1] == '\r';
			*cut_out |= add_some(line, data, part - cr);
		}
		wire_consume(s->wire, part + (lf != NULL));
	} while (!lf);
	s->lf_only &= !cr;
	*bare_out |= !cr || memchr(line->buf, '\r', line->len) || memchr(line->buf, 0, line->len);
	return true;
}

/* --- STARTTLS, and the session from its beginning to its end ---------------------- */

static int put_tls_on(struct stream *lower, void *ctx, struct stream **out, struct error *err)
{
	struct smtpd *s = ctx;
	struct tls_server settings = { .cert_file = s->options->set.server_cert,
				       .key_file = s->options->set.server_key,
				       .client_ca = s->options->set.server_client_ca };
	struct deadline d = deadline_in(HANDSHAKE_LIMIT, "the TLS handshake");

	return tls_accept(lower, &settings, &d, out, err);
}

bool smtpd_start_tls(struct smtpd *s)
{
	struct error err;

	if (wire_upgrade(s->wire, put_tls_on, s, &err) < 0) {
		error_prefix(&err, "TLS");
		smtpd_end(s, &err);
		return false;
	}
	s->tls = true;
	s->certified = tls_verified(wire_stream(s->wire));
	s->state = s->options->set.helo_required ? SMTPD_START : SMTPD_READY;
	s->esmtp = false;
	strbuf_reset(&s->helo);
	strbuf_reset(&s->user);
	smtpd_reset(s);
	return true;
}

/* A line that cannot be a command; true when it was answered. */
static bool refuse_line(struct smtpd *s, bool cut, bool bare)
{
	struct error err;

	if (s->errors >= SMTPD_ERRORS_MAX) {
		smtpd_reply(s, 421, "4.7.0", "too many errors, closing the connection");
		smtpd_log(s, "result=closed reason='too many errors'");
		error_set(&err, FAULT_PROTOCOL, "too many errors of the client");
		smtpd_end(s, s->stdio ? &err : NULL);
	} else if (cut) {
		smtpd_reply(s, 500, commands_is_auth(&s->line) ? "5.5.6" : "5.5.2",
			    "line too long");
	} else if (memchr(s->line.buf, '\0', s->line.len)) {
		smtpd_reply(s, 500, "5.5.2", "NUL in a command");
	} else if (bare && s->options->set.strict) {
		smtpd_reply(s, 500, "5.5.2", "commands end with CRLF and hold no other CR or LF");
	} else {
		return false;
	}
	return true;
}

/*
 * Commands behind EHLO, or behind HELO, that did not wait for its reply (RFC
 * 2920, section 3.1). Scripts of this host may.
 */
static bool refuse_pipelining(struct smtpd *s)
{
	const bool held = s->network && !s->loopback && s->options->set.strict && !s->esmtp;

	if (!held || wire_unread(s->wire) == 0)
		return false;
	smtpd_reply(s, 554, "5.5.0", "PIPELINING was not offered yet");
	smtpd_log(s, "result=closed reason='pipelining before EHLO'");
	smtpd_end(s, NULL);
	return true;
}

static void serve_one(struct smtpd *s)
{
	const size_t most = s->options->set.strict ? SMTPD_LINE_MAX : SMTPD_LOOSE_LINE_MAX;
	bool cut, bare;

	if (!smtpd_read_line(s, &s->line, &cut, &bare))
		return;
	if (!commands_is_auth(&s->line) && s->line.len > most)
		cut = true;
	if (!refuse_pipelining(s) && !refuse_line(s, cut, bare))
		commands_run(s);
	if (!s->ended && stop_seen(s))
		say_stop(s);
}

/* Octets before the greeting come from those who send whatever the answers are. */
static bool talks_early(struct smtpd *s)
{
	const enum early_talker set = s->options->set.early_talker;
	const bool refused = set == EARLY_REJECT || (set == EARLY_AUTO && !s->loopback);
	struct pollfd p = { .fd = socket_fd(wire_stream(s->wire)), .events = POLLIN };

	if (!s->network || s->tls || !(refused || set == EARLY_LOG) ||
	    poll(&p, 1, EARLY_MS) <= 0 || wire_unread_now(s->wire) <= 0)
		return false;
	smtpd_log(s, "result=%s reason='spoke before the greeting'", refused ? "closed" : "noted");
	if (refused) {
		smtpd_reply(s, 554, "5.5.0", "wait for the greeting");
		smtpd_end(s, NULL);
	}
	return refused;
}

static void greet_client(struct smtpd *s)
{
	if (s->options->set.implicit_tls && !s->tls && !s->stdio && !smtpd_start_tls(s))
		return;
	if (!talks_early(s))
		smtpd_reply_line(s, 220, ' ', "%s %s msubmit", smtpd_name(s),
				 s->lmtp ? "LMTP" : "ESMTP");
}

int smtpd_run(struct smtpd *s, struct error *err)
{
	s->session_limit = deadline_in(s->stdio ? 0 : s->options->set.session_timeout,
				       "the end of the session");
	greet_client(s);
	while (!s->ended)
		serve_one(s);
	smtpd_reset(s);
	/* a client that does not wait for the last words has not failed */
	struct deadline d = deadline_in(WRITE_LIMIT, "the client to read replies");
	struct error ignored;

	(void)!wire_flush(s->wire, &d, &ignored);
	stream_close(wire_stream(s->wire));
	if (!s->error.exit)
		return 0;
	*err = s->error;
	return -1;
}
