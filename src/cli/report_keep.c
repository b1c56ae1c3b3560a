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

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/mbox.h"
#include "cli/options.h"
#include "cli/report.h"
#include "conf/account.h"
#include "message/envelope.h"
#include "message/message.h"
#include "util/error.h"
#include "util/store.h"
#include "util/strbuf.h"

#define PATH_LIMIT 8192
#define COMMAND_LIMIT ((size_t)1 << 20)
#define LISTED_MAX 50		/* recipients that stand in the command itself */
#define FIRST_USER 1000		/* numbers below are the system's */
#define NOBODY 65534

/* --- who has not got it ----------------------------------------------------------------- */

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

/* Arguments leave no trace in the message: who it was for is said in a field. */
static void dead_letter(const struct report *r)
{
	const char *path = r->account->report.dead_letter;
	struct strbuf fields = STRBUF_INIT(COMMAND_LIMIT);
	struct error err;

	if (report_recipients(r)) {
		strbuf_addstr(&fields, "X-Failed-Recipients: ");
		add_failed(&fields, r);
		strbuf_addch(&fields, '\n');
	}
	if (mbox_append(path, r->envelope ? r->envelope->sender : "", fields.buf, r->message,
			&err) == 0)
		report_line(r->inv, "the message is added to %s", path);
	else
		report_line(r->inv, "the message is not kept: %s", err.text);
	strbuf_release(&fields);
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
	struct store_file f;

	if (store_begin(&f, s->fd, NULL, 0600) < 0)
		return store_fault(err, s->path, name);
	if (mbox_write_message(f.fd, r->message, err) < 0) {
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
