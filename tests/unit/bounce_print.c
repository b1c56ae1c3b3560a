/*
 * For tests/bounce_test.py: the notification about an entry of the queue.
 *
 *	bounce_print FILE KIND HOST SIZE_LIMIT NOW_MS [TO]
 *
 * FILE is an entry; KIND is failed, delayed, relayed or delivered. Printed are
 * the way it has to go, the sender and the recipient of its envelope, what it
 * asks for, and the message, each but this on a line of its own.
 */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "message/edits.h"
#include "message/message.h"
#include "message/writer.h"
#include "queue/bounce.h"
#include "queue/entry.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/strbuf.h"
#include "util/text.h"

static const struct name_value kinds[] = {
	{ "failed", BOUNCE_FAILED }, { "delayed", BOUNCE_DELAYED }, { "relayed", BOUNCE_RELAYED },
	{ "delivered", BOUNCE_DELIVERED }, NAMES_END
};

static int fail(const struct error *err)
{
	fprintf(stderr, "%s\n", err->text);
	return 1;
}

static int print_message(const struct message *m, struct arena *a, struct error *err)
{
	struct edits none;
	char block[4096];
	ssize_t n;

	edits_init(&none, a, m);
	struct writer *w = writer_new(m, &none, WRITER_PLAIN);

	while ((n = writer_read(w, block, sizeof(block), err)) > 0)
		fwrite(block, 1, (size_t)n, stdout);
	writer_free(w);
	return n < 0 ? -1 : 0;
}

static int print_bounce(const struct bounce *b, struct arena *a, struct error *err)
{
	static const char *const ways[] = {
		[BOUNCE_TO_SENDER] = "sender", [BOUNCE_TO_USER] = "user",
		[BOUNCE_TO_NOBODY] = "nobody"
	};
	struct message *m = NULL;
	struct entry made;

	printf("%s\n", ways[bounce_way(b->entry, b->original)]);
	if (bounce_count(b) == 0)
		return 0;
	if (bounce_compose(b, &m, err) < 0)
		return -1;
	bounce_entry(b, m, 600, a, &made);
	printf("<%s> <%s>\n%s %s\n", made.envelope.sender,
	       made.envelope.rcpt[0].address, made.envelope.utf8 ? "SMTPUTF8" : "-",
	       made.envelope.body == BODY_8BITMIME ? "8BITMIME" : "7BIT");
	int rc = print_message(m, a, err);

	message_free(m);
	return rc;
}

int main(int argc, char **argv)
{
	static const struct message_options wire = { .dots_ignored = true, .wire = true };
	struct strbuf file = STRBUF_INIT((size_t)1 << 27);
	struct arena *a = arena_new();
	struct entry e;
	struct bounce b = { .entry = &e };
	struct message *m = NULL;
	struct error err;
	int kind, rc = 1;

	if (argc < 6 || names_find(kinds, argv[2], &kind) < 0)
		return 64;
	b.kind = (enum bounce_kind)kind;
	b.host = argv[3];
	b.size_limit = strtoull(argv[4], NULL, 10);
	b.now_ms = strtoll(argv[5], NULL, 10);
	b.to = argv[6];
	int fd = open(argv[1], O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fs_read_fd(fd, argv[1], &file, &err) < 0 ||
	    entry_parse(file.buf, file.len, a, &e, &err) < 0 ||
	    lseek(fd, (off_t)e.message_start, SEEK_SET) < 0 ||
	    message_read_fd(fd, &wire, &m, &err) < 0) {
		fail(&err);
		goto out;
	}
	b.original = m;
	rc = print_bounce(&b, a, &err) < 0 ? fail(&err) : 0;
out:
	message_free(m);
	strbuf_release(&file);
	arena_free(a);
	return rc;
}
