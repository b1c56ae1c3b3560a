/*
 * One message that waits in the queue: its envelope in memory, and the text
 * that it is on disk.
 *
 * An entry is one file (msubmit-queue(5) describes it for others):
 *
 *	msubmit-queue VERSION ENVELOPE MESSAGE SUM HEADSUM LF
 *	envelope lines, ENVELOPE octets: KEY SP VALUE LF
 *	the message, MESSAGE octets, as it goes out: header edited, lines with CRLF
 *
 * The first line has always ENTRY_LINE_SIZE octets, so that it can be filled
 * in when the message behind it has been written. SUM is entry_sum() of the
 * message; HEADSUM is that of the first line up to the blank in front of it
 * and of the envelope lines: no octet of the file is without a check. In a
 * VALUE octets below 32, 127 and "%" are written as %XX; a key without a value
 * that counts is left out. Lines from "rcpt" on are about that recipient;
 * "done" in its place says that it has got the message, whatever they say.
 *
 * What is read here may be anybody's octets: it is bounded, every key, number
 * and word must be one that entry_write() could have written, and nothing
 * that goes into a command has a control character. A key that came later has
 * the VERSION that has it first: who knows only older ones leaves such an entry
 * alone, and an entry that does without is of the old version. Whoever reads
 * an entry finds plain data in the arena of the entry, const for all but the queue.
 * Moments are milliseconds since 1970 (datetime_now()), 0 = never.
 */
#ifndef QUEUE_ENTRY_H
#define QUEUE_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "message/envelope.h"
#include "message/result.h"
#include "util/attr.h"
#include "util/fault.h"

struct arena;
struct error;
struct strbuf;

#define ENTRY_VERSION_FIRST 1
#define ENTRY_VERSION 2			/* the last one; an entry has the first that will do */
#define ENTRY_LINE_SIZE 83		/* octets of the first line, with its LF */
#define ENTRY_ID_LEN 16
#define ENTRY_ENVELOPE_MAX ((size_t)64 * 1024 * 1024)
#define ENTRY_SUM_INIT 14695981039346656037ULL

/* What is known of a recipient; those of struct envelope have the same place. */
struct entry_rcpt {
	enum outcome outcome;	/* NONE: not tried yet; DEFERRED: tried; others: nothing to do */
	bool told;		/* REFUSED, and the sender has been told */
	bool standing;		/* accepted in the transfer that transid is of */
	int64_t at_ms;		/* of the last reply or failure */
	/* the last reply, or what went wrong here; all empty before the first try */
	enum fault fault;
	int exit;		/* code of sysexits.h */
	int code;		/* of the server's reply; 0 = no server has answered */
	const char *status;	/* enhanced status; NULL = none */
	const char *text;	/* one printable line; NULL = none */
	const char *words;	/* bare words of the reply, "550 5.1.1 no such user"; or NULL */
	const char *server;	/* host:port that was asked; NULL = none */
};

/* A setting of the command line: it counts for the later tries, too. */
struct entry_setting {
	const char *key, *value;
};

struct entry {
	struct arena *arena;	/* borrowed: of all below */
	char id[ENTRY_ID_LEN + 1];
	int64_t arrival_ms;	/* when it was submitted */
	int64_t next_ms;	/* not tried before */
	int64_t expires_ms;	/* given up then */
	int64_t last_ms;	/* begin of the last try; 0 = there was none */
	int64_t unknown_ms;	/* content was sent then, and there was no reply; 0 = not so */
	int64_t warned_ms;	/* the sender was told of the delay; 0 = not yet */
	unsigned attempts;	/* tries so far, the one of the submission among them */
	bool held;		/* not tried until it is released */
	int64_t held_ms;	/* ... since then: its time does not pass */
	int64_t undo_ms;	/* not tried before, whatever is asked for: it may be taken back */
	unsigned notices;	/* kinds (1 << enum bounce_kind) told that may lie in pending/ */
	bool binary;		/* the message is no text: read octet for octet */
	uid_t uid;		/* who submitted it */

	/* how to come by the account again */
	const char *account;	/* its name */
	const char *config_file;	/* -C; NULL = those that are searched for */
	bool no_files;		/* options alone made it */
	struct entry_setting *setting;
	size_t setting_n, setting_alloc;

	const char *transid;	/* of a transfer that broke and can be resumed (CHECKPOINT); NULL */
	const char *message_id;	/* as it stands in the message; NULL = none */
	struct envelope envelope;	/* everybody's, those too that have got it */
	struct entry_rcpt *rcpt;	/* envelope.rcpt_count of them */

	uint64_t message_start;	/* where the message lies in the file, once it is read or */
	uint64_t message_size;	/* written; its octets */
	uint64_t message_sum;
};

/* An entry about nobody, in arena a. */
void entry_init(struct entry *e, struct arena *a);

/*
 * Takes over an envelope, whose strings must live as long as the entry's
 * arena; nothing is known of its recipients yet.
 */
void entry_set_envelope(struct entry *e, const struct envelope *envelope);

/* Notes a setting of the command line; strings are copied. */
void entry_add_setting(struct entry *e, const char *key, const char *value);

/*
 * Notes what became of recipient i, told by server (NULL: by nobody) at that
 * moment; strings are copied.
 */
void entry_set_result(struct entry *e, size_t i, const struct rcpt_result *r, const char *server,
		      int64_t at_ms);

/* Is a try still due for recipient i? */
bool entry_rcpt_open(const struct entry *e, size_t i);

/* The number of those. */
size_t entry_open(const struct entry *e);

/* How recipient i ended, as an error to be told; exit 0 if it is not known to have failed. */
void entry_error(const struct entry *e, size_t i, struct error *out);

/* FNV-1a over 64 bits, of pieces: sum is ENTRY_SUM_INIT or that of what went before. */
ATTR_PURE uint64_t entry_sum(uint64_t sum, const void *data, size_t n);

/*
 * Appends first line and envelope lines; message_size and message_sum must be
 * known, message_start is set. EX_DATAERR when it is larger than
 * ENTRY_ENVELOPE_MAX; out's limit must allow that much.
 */
ATTR_CHECK int entry_write(struct entry *e, struct strbuf *out, struct error *err);

/*
 * The same where there is no room to write it anew: head, n octets as they are
 * on disk, gets a "done" for each recipient who is OUTCOME_ACCEPTED in e, and
 * the sum for it. True if anything has changed. It must be what e was read
 * from.
 */
bool entry_mark_done(const struct entry *e, char *head, size_t n);

/*
 * How many octets entry_parse() needs, by the first line (n octets of the
 * file, at least ENTRY_LINE_SIZE if it has as many). FAULT_QUEUE_DAMAGED;
 * FAULT_QUEUE_VERSION for an entry of another version, which is none of ours
 * to judge.
 */
ATTR_CHECK int entry_head_size(const char *data, size_t n, size_t *size_out, struct error *err);

/*
 * Reads first line and envelope lines: n octets from the beginning of the
 * file, as many as entry_head_size() says. *out lives in arena a. Errors as
 * there. The message is not looked at: whether the file has message_size
 * octets behind message_start and they have message_sum is the caller's to
 * check. The id is left empty.
 */
ATTR_CHECK int entry_parse(const char *data, size_t n, struct arena *a, struct entry *out,
			   struct error *err);

#endif
