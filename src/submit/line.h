/*
 * A session that is kept: one line to one server, for many messages.
 *
 * It belongs to one account as it is in the memory of this process, so that
 * server, TLS and sign-in are the same for each message; another account, or
 * domain of direct delivery, closes it. Kept is what has ended well: never a
 * session after XCLIENT, after a reply against the protocol, a 421 or a loss,
 * nor one with a transaction left open; not for more than
 * messages_per_connection messages, nor than connection_idle seconds without
 * one (RFC 5321, sections 4.1.1.5 and 4.1.4).
 *
 * Where the server has PIPELINING something stands behind each final dot, in
 * the same flight: RSET, or, once that was answered in this session, the next
 * message's MAIL, RCPT and DATA (RFC 2920, section 3.1): one wait a message.
 * What is answered behind the dot shows besides that the server has answered
 * the message once: a second answer would be taken for that to RSET or MAIL,
 * does not fit there, and nobody knows then what the first one was about. The
 * message behind has sent no content by then; it goes on another connection.
 * A server that says nothing to RSET there, refuses it or closes is
 * remembered (submit/memory.h) as one that serves nothing behind a dot.
 *
 * The caller has one for each process that sends; it is borrowed by
 * attempt_options.
 */
#ifndef SUBMIT_LINE_H
#define SUBMIT_LINE_H

#include <stdbool.h>
#include <stddef.h>

struct account;
struct attempt;
struct line;
struct server_list;
struct session_opening;
struct silent_list;

/* One without a session. Never NULL. */
struct line *line_new(void);

/*
 * QUIT and close, if anything is open: before the account is freed, and when
 * there is nothing more to send. A message whose envelope is out already
 * (attempt_options.next) is as if it had not been begun.
 */
void line_close(struct line *l);
void line_free(struct line *l);		/* the same; accepts NULL */

/* Milliseconds until it is to be closed as nothing goes over it; -1 = never, or it is not open. */
int line_idle_ms(const struct line *l);

/* --- for submit/attempt.c and submit/mx.c ----------------------------------------- */

/* The account for direct delivery that stands for a as long as l is not closed. */
const struct account *line_direct(struct line *l, const struct account *a);

/*
 * What the session of a lives in, for one more message to a (mx_domain: its
 * domain; sender: "auto" may mean his). *open_out: there is one that can be
 * used. What belonged to another account is closed.
 */
struct session_opening *line_take(struct line *l, const struct account *a, const char *mx_domain,
				  const char *sender, bool *open_out);

/* The connection is a new one: nothing is known of it. */
void line_opened(struct line *l);

/* The servers that have led to it, and those behind. */
struct server_list *line_targets(struct line *l);

/* A message is done: keeps the session if it may be kept; else as line_leave(). */
bool line_keep(struct line *l);

/* The session is not the line's any more: it is the caller's to close. */
void line_leave(struct line *l);

/* May there be another message on this connection, behind the one under way? */
bool line_has_room(const struct line *l);

/* May anything stand behind the dot of the message under way? */
bool line_may_follow(const struct line *l);

/* Puts RSET behind the dot; false: it cannot be. */
bool line_put_reset(struct line *l);

enum line_step {
	LINE_IN_STEP,		/* the message was answered once */
	LINE_LOST,		/* the connection has ended; nothing speaks against it */
	LINE_OUT_OF_STEP	/* there was one reply too many */
};

/* Reads the reply to that RSET, behind that to the message, and draws the conclusions. */
enum line_step line_read_reset(struct line *l);

/*
 * RSET, whose reply is waited for: are the replies in step? The session is
 * dead if not. sure: that before it cannot have been a 2xx, were they not;
 * else a further reply is waited for a little.
 */
enum line_step line_confirm(struct line *l, bool sure);

/* Has the server served something behind a dot on this connection? */
bool line_serves_behind(const struct line *l);

/* Nothing more is to stand behind a dot on this connection. */
void line_serve_alone(struct line *l);

/* It does not: nothing more goes over this connection, and it is remembered. */
void line_note_alone(struct line *l);

/* The message whose envelope is out; NULL = none. It is the line's, until NULL is put there. */
struct attempt **line_ahead(struct line *l);

/* The servers that have let its process wait, whosever the session is. */
struct silent_list *line_silent(struct line *l);

#endif
