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
#ifndef SERVER_INDATA_H
#define SERVER_INDATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct strbuf;

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
