/*
 * DATA: 354, the message through indata_push() into the delivery with its
 * trace fields on top (RFC 5321, section 4.4), and the verdict.
 */
#ifndef SERVER_RECEIVE_H
#define SERVER_RECEIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct delivery;
struct error;
struct smtpd;
struct strbuf;

/*
 * Where the listener puts a message: one table of operations per kind of
 * place, so that the session does not know whether it is a folder or a queue.
 *
 * begin, any number of writes, then commit or abandon. The octets are
 * canonical (lines end with CRLF and nothing else, no NUL). When begin fails
 * there is nothing to abandon; when write fails abandon follows; when commit
 * fails nothing is left behind. Commit returns 0 only when the message would
 * survive a loss of power.
 */
struct delivery_ops {
	/* *id_out names the message in replies and trace fields; valid until the next begin */
	int (*begin)(struct delivery *, const char **id_out, struct error *);
	int (*write)(struct delivery *, const char *data, size_t n, struct error *);
	int (*commit)(struct delivery *, struct error *);
	void (*abandon)(struct delivery *);
};

/* First member of each kind of place. */
struct delivery {
	const struct delivery_ops *ops;
};

/*
 * Runs DATA; the transaction must have a recipient. When the client goes
 * away, is silent too long or the message cannot be taken, nothing is stored.
 */
void receive_data(struct smtpd *s);

/*
 * The octets between 354 and the end of data (RFC 5321, sections 4.1.1.4 and
 * 4.5.2): finds the end, removes the doubled dots, makes the lines canonical.
 *
 * The end is CRLF "." CRLF and nothing else, whatever the settings; a dot
 * after a bare LF or a bare CR never begins it. What comes out has CRLF line
 * ends only, no bare CR (it becomes a blank), no bare LF (it becomes CRLF),
 * no NUL (dropped); what had to be mended is noted, and it is the caller who
 * refuses such a message. Any way of cutting the input into pieces gives the
 * same output. It holds no memory of its own.
 */
enum indata_state {
	INDATA_LINE,		/* at the start of a line */
	INDATA_TEXT,
	INDATA_CR,		/* behind a CR */
	INDATA_DOT,		/* behind the dot that began a line */
	INDATA_DOT_CR,		/* behind that dot and a CR */
	INDATA_DONE
};

struct indata {
	enum indata_state state;
	bool after_lf;		/* the line began behind a bare LF */
	bool bare_lf, bare_cr, nul;
	uint64_t size;		/* octets given out */
};

/* Ready for the first octet behind the 354. */
void indata_init(struct indata *in);

/*
 * Takes octets and appends what they mean to out, whose limit must leave
 * room for 2 n + 4 more. Returns how many were taken: all n, or fewer when
 * the end of data was among them (state INDATA_DONE); the rest are commands.
 */
size_t indata_push(struct indata *in, const char *data, size_t n, struct strbuf *out);

#endif
