/*
 * What was typed is not lost when it cannot be sent.
 *
 * dead_letter: the message is added to that mbox file. Apart from that, a
 * message that somebody at a terminal wrote (standard error is a terminal,
 * and standard input is no file that has it anyway) is put into a file of its
 * own in the folder "failed" of util/store.h, and the command that sends it
 * again, to those who have not got it, is shown. Not for system users
 * (numbers 1 to 999, and nobody), whose home is nobody's, unless the service
 * manager has given them a folder.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/options.h"
#include "cli/report.h"
#include "conf/account.h"
#include "message/edits.h"
#include "message/envelope.h"
#include "message/message.h"
#include "message/writer.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/store.h"
#include "util/strbuf.h"

#define PATH_LIMIT 8192
#define COMMAND_LIMIT ((size_t)1 << 20)
#define BLOCK 16384
#define LINE_WAIT ((size_t)1 << 20)	/* a line longer than that goes in pieces */
#define LISTED_MAX 50		/* recipients that stand in the command itself */
#define FIRST_USER 1000		/* numbers below are the system's */
#define NOBODY 65534

/* --- the text of the message --------------------------------------------------------- */

/* Where the octets go, and what is done to them on the way. */
struct sink {
	int fd;
	bool text;		/* lines end with LF alone */
	bool mbox;		/* "From " at the beginning of a line gets a ">" */
	bool line_start;
	struct strbuf out;
};

/* mboxrd: every line that begins with any number of ">" and "From " gets one more. */
static bool needs_mark(const char *line, size_t n)
{
	size_t i = 0;

	while (i < n && line[i] == '>')
		i++;
	return n - i >= 5 && memcmp(line + i, "From ", 5) == 0;
}

static void put_kept(struct sink *s, const char *data, size_t n)
{
	while (n) {
		const char *lf = memchr(data, '\n', n);
		size_t line = lf ? (size_t)(lf - data) + 1 : n;
		size_t kept = line;

		if (s->mbox && s->line_start && needs_mark(data, line))
			strbuf_addch(&s->out, '>');
		if (s->text && lf && line > 1 && data[line - 2] == '\r')
			kept = line - 2;
		strbuf_add(&s->out, data, kept);
		if (kept != line)
			strbuf_addch(&s->out, '\n');
		s->line_start = lf != NULL;
		data += line;
		n -= line;
	}
}

/*
 * The message as it came, Bcc and all. Blocks are joined, so that no line
 * end is cut in two: what stands behind the last line end waits.
 */
static int write_message(struct sink *s, const struct message *m, struct error *err)
{
	struct arena *a = arena_new();
	struct strbuf pending = STRBUF_INIT((size_t)1 << 26);
	struct edits none;
	char block[BLOCK];
	ssize_t n;
	int rc = 0;

	edits_init(&none, a, m);
	struct writer *w = writer_new(m, &none, WRITER_PLAIN);

	while (rc == 0 && (n = writer_read(w, block, sizeof(block), err)) != 0) {
		if (n < 0) {
			rc = -1;
			break;
		}
		strbuf_add(&pending, block, (size_t)n);
		const char *end = memrchr(pending.buf, '\n', pending.len);
		size_t whole = end ? (size_t)(end - pending.buf) + 1 :
			pending.len > LINE_WAIT ? pending.len - 1 : 0;

		put_kept(s, pending.buf, whole);
		strbuf_consume(&pending, whole);
		if (fs_write_all(s->fd, s->out.buf, s->out.len) < 0)
			rc = error_errno(err, FAULT_IO, "cannot write");
		strbuf_reset(&s->out);
	}
	put_kept(s, pending.buf, pending.len);
	if (rc == 0 && fs_write_all(s->fd, s->out.buf, s->out.len) < 0)
		rc = error_errno(err, FAULT_IO, "cannot write");
	writer_free(w);
	strbuf_release(&pending);
	strbuf_release(&s->out);
	arena_free(a);
	return rc;
}

/* The addresses of those who have not got it, with commas between them. */
static void add_failed(struct strbuf *out, const struct report *r)
{
	const char *comma = "";

	for (size_t i = 0; i < report_recipients(r); i++) {
		if (!report_recipient_failed(r, i))
			continue;
		strbuf_addf(out, "%s%s", comma, r->envelope->rcpt[i].address);
		comma = ", ";
	}
}

/* --- dead.letter ------------------------------------------------------------------------- */

/* The line between two messages of an mbox, and who it was for: arguments leave no trace. */
static int write_head(int fd, const struct report *r, off_t at)
{
	struct strbuf head = STRBUF_INIT(COMMAND_LIMIT);
	const char *sender = r->envelope && *r->envelope->sender ? r->envelope->sender :
		"MAILER-DAEMON";
	time_t now = time(NULL);
	char when[64] = "", *end;
	struct tm tm;

	if (gmtime_r(&now, &tm) && asctime_r(&tm, when) && (end = strchr(when, '\n')))
		*end = '\0';
	strbuf_addf(&head, "%sFrom ", at ? "\n" : "");
	for (; *sender; sender++)
		strbuf_addch(&head, *sender == ' ' ? '_' : *sender);
	strbuf_addf(&head, " %s\n", when);
	if (report_recipients(r)) {
		strbuf_addstr(&head, "X-Failed-Recipients: ");
		add_failed(&head, r);
		strbuf_addch(&head, '\n');
	}
	int rc = fs_write_all(fd, head.buf, head.len);

	strbuf_release(&head);
	return rc;
}

/* Behind what is there, which is as it was when anything goes wrong. */
static int append(int fd, const char *path, const struct report *r, struct error *err)
{
	struct sink s = { .fd = fd, .text = true, .mbox = true, .line_start = true };

	strbuf_init(&s.out, (size_t)1 << 27);
	/* nobody else gets what we write, or has us write his file */
	if (fs_lock(fd, path, FS_LOCK_MS, err) < 0 ||
	    fs_check(fd, FS_REGULAR | FS_OWN | FS_ONE_NAME, path, err) < 0)
		return -1;
	off_t end = lseek(fd, 0, SEEK_END);

	if (write_head(fd, r, end) < 0)
		error_errno(err, FAULT_IO, "cannot write %s", path);
	else if (write_message(&s, r->message, err) < 0)
		error_prefix(err, "%s", path);
	else if (fsync(fd) < 0 || (end == 0 && store_sync_above(path) < 0))
		error_errno(err, FAULT_IO, "cannot write %s", path);
	else
		return 0;
	(void)!ftruncate(fd, end);
	return -1;
}

static void dead_letter(const struct report *r)
{
	const char *path = r->account->report.dead_letter;
	struct error err;
	int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY |
		      O_NONBLOCK, 0600);
	int rc = -1;

	if (fd < 0) {
		error_errno(&err, FAULT_CANNOT_WRITE, "cannot open %s", path);
	} else {
		rc = append(fd, path, r, &err);
		close(fd);
	}
	if (rc == 0)
		report_line(r->inv, "the message is added to %s", path);
	else
		report_line(r->inv, "the message is not kept: %s", err.text);
}

/* --- one file for one message ---------------------------------------------------------------- */

/* "20260304T102030-8f3a21c4d5e6f708": unique, and in the order of time. */
static int make_name(char *out, size_t room)
{
	time_t now = time(NULL);
	uint64_t salt;
	struct tm tm;
	char when[32];

	if (getrandom(&salt, sizeof(salt), 0) != (ssize_t)sizeof(salt) || !gmtime_r(&now, &tm) ||
	    strftime(when, sizeof(when), "%Y%m%dT%H%M%S", &tm) == 0)
		return -1;
	snprintf(out, room, "%s-%016llx", when, (unsigned long long)salt);
	return 0;
}

static int save_message(const struct store *s, const char *name, const struct report *r,
			struct error *err)
{
	struct sink sink = { .text = !r->message->body_binary };
	struct store_file f;

	if (store_begin(&f, s->fd, NULL, 0600) < 0)
		return store_fault(err, s->path, name);
	sink.fd = f.fd;
	strbuf_init(&sink.out, (size_t)1 << 27);
	if (write_message(&sink, r->message, err) < 0) {
		store_abort(&f);
		return error_prefix(err, "%s", s->path);
	}
	return store_commit(&f, s->fd, name, STORE_NEW) < 0 ? store_fault(err, s->path, name) : 0;
}

/* The recipients, where they are too many for a command that anybody would look at. */
static int save_recipients(const struct store *s, const char *name, const struct report *r,
			   struct error *err)
{
	struct strbuf list = STRBUF_INIT((size_t)1 << 26);

	add_failed(&list, r);
	strbuf_addch(&list, '\n');
	int rc = store_write(s, name, 0600, STORE_NEW, list.buf, list.len, err);

	strbuf_release(&list);
	return rc;
}

/* A word for the shell: as it is, or in single quotes. */
static void add_shell_word(struct strbuf *out, const char *word)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789@%+=:,./_-";

	if (out->len)
		strbuf_addch(out, ' ');
	if (*word && word[strspn(word, plain)] == '\0') {
		strbuf_addstr(out, word);
		return;
	}
	strbuf_addch(out, '\'');
	for (; *word; word++) {
		if (*word == '\'')
			strbuf_addstr(out, "'\\''");
		else
			strbuf_addch(out, *word);
	}
	strbuf_addch(out, '\'');
}

static size_t count_failed(const struct report *r)
{
	size_t n = 0;

	for (size_t i = 0; i < report_recipients(r); i++)
		n += report_recipient_failed(r, i);
	return n;
}

/* Was recipient i named by this --rcpt, ADDRESS[,OPTION]...? */
static bool is_of_option(const struct report *r, size_t i, const char *text)
{
	const struct recipient *rcpt = &r->envelope->rcpt[i];
	size_t n = strlen(rcpt->address);

	return rcpt->source == RCPT_SOURCE_OPTION && strncmp(text, rcpt->address, n) == 0 &&
		(text[n] == ',' || text[n] == '\0');
}

/* Those of --rcpt that have not got it, with all that was asked for them. */
static void add_rcpt_options(struct strbuf *out, const struct report *r)
{
	const struct submission_request *asked = &r->inv->request;
	struct strbuf word = STRBUF_INIT(PATH_LIMIT);

	for (size_t k = 0; k < asked->rcpt_n; k++) {
		for (size_t i = 0; i < report_recipients(r); i++) {
			if (!report_recipient_failed(r, i) || !is_of_option(r, i, asked->rcpt[k]))
				continue;
			strbuf_reset(&word);
			strbuf_addf(&word, "--rcpt=%s", asked->rcpt[k]);
			add_shell_word(out, word.buf);
		}
	}
	strbuf_release(&word);
}

/*
 * Program and options as they were, without those that name recipients; then
 * who has not got it. A message without any recipient needs some first.
 */
static void add_command(struct strbuf *out, const struct report *r, const char *folder,
			const char *name)
{
	const struct invocation *inv = r->inv;
	const size_t failed = count_failed(r);
	struct strbuf path = STRBUF_INIT(PATH_LIMIT), file = STRBUF_INIT(PATH_LIMIT);

	add_shell_word(out, inv->program);
	for (size_t i = 0; i < inv->option_words; i++)
		add_shell_word(out, inv->option_word[i]);
	if (!inv->request.dots_ignored)
		strbuf_addstr(out, " -i");
	add_rcpt_options(out, r);
	strbuf_addstr(out, " --");
	for (size_t i = 0; failed <= LISTED_MAX && i < report_recipients(r); i++) {
		if (report_recipient_failed(r, i))
			add_shell_word(out, r->envelope->rcpt[i].address);
	}
	strbuf_addf(&path, "%s/%s", folder, name);
	if (failed > LISTED_MAX) {
		strbuf_addf(&file, "%s.to", path.buf);
		strbuf_addstr(out, " \"$(cat");
		add_shell_word(out, file.buf);
		strbuf_addstr(out, ")\"");
	} else if (!failed) {
		strbuf_addstr(out, " RECIPIENT...");
	}
	strbuf_addstr(&path, ".eml");
	strbuf_addstr(out, " <");	/* and a blank before the word */
	add_shell_word(out, path.buf);
	strbuf_release(&path);
	strbuf_release(&file);
}

static int save(const struct report *r, struct store *s, char *name, size_t room,
		struct error *err)
{
	struct strbuf file = STRBUF_INIT(PATH_LIMIT);

	if (store_open_state(s, "failed", err) < 0)
		return -1;
	int rc = make_name(name, room) < 0 ?
		error_set(err, FAULT_CANNOT_WRITE, "no name for a file") : 0;

	if (rc == 0) {
		strbuf_addf(&file, "%s.eml", name);
		rc = save_message(s, file.buf, r, err);
	}
	if (rc == 0 && count_failed(r) > LISTED_MAX) {
		strbuf_reset(&file);
		strbuf_addf(&file, "%s.to", name);
		rc = save_recipients(s, file.buf, r, err);
	}
	strbuf_release(&file);
	return rc;
}

static bool is_system_user(void)
{
	const uid_t uid = getuid();

	return (uid != 0 && uid < FIRST_USER) || uid == NOBODY;
}

static bool is_file(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
}

bool report_keeps(const struct invocation *inv)
{
	return !inv->quiet && !inv->request.explain && !inv->dry_run && isatty(STDERR_FILENO) &&
		!is_file(STDIN_FILENO) &&
		(!is_system_user() || secure_getenv("STATE_DIRECTORY"));
}

static void save_for_user(const struct report *r)
{
	struct strbuf command = STRBUF_INIT(COMMAND_LIMIT);
	struct store s;
	struct error err;
	char name[64];

	if (save(r, &s, name, sizeof(name), &err) < 0) {
		report_line(r->inv, "the message is not kept: %s", err.text);
	} else {
		add_command(&command, r, s.path, name);
		report_line(r->inv, "the message is kept in %s/%s.eml; to send it again:", s.path,
			    name);
		report_line(r->inv, "  %s", command.buf);
	}
	store_close(&s);
	strbuf_release(&command);
}

static bool is_empty(const struct message *m)
{
	return m->header.n == 0 && m->body_size == 0;
}

void report_keep(const struct report *r)
{
	const struct account *a = r->account;

	if (!r->message || is_empty(r->message))
		return;
	if (a && a->report.dead_letter && strcmp(a->report.dead_letter, "off") != 0)
		dead_letter(r);
	if (report_keeps(r->inv) && (!a || a->report.keep_failed))
		save_for_user(r);
}
