/*
 * Mail as programs write it, damaged in one to five octets: it goes out while
 * an address to send to stands, and in a form that the server takes.
 *
 * The mail is that of tests/corpus. MSUBMIT_DAMAGE is how often each is
 * damaged; what fails is printed, and the same numbers come each time.
 */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/accounts.h"
#include "message/header.h"
#include "prepare/convert.h"
#include "smtp/session.h"
#include "submit/submission.h"
#include "util/fs.h"
#include "util/text.h"

#include "mime_model.h"

#define ROUNDS 40
#define CORPUS_MAX ((size_t)1 << 20)

static const char account[] = "[account default]\nhost = h\nfrom = me@own.example\naliases =\n"
	"default_domain = own.example\n";
static const char rcpt[] = "r@example.net";
static const char *words[] = { rcpt };

static struct config *config;
static uint64_t random_state = 1;

/* xorshift64* */
static size_t any(size_t below)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (size_t)((random_state * 0x2545f4914f6cdd1dU >> 33) % below);
}

/* --- the corpus (mail_compare.py says how it is written) -------------------------------- */

static const char *expand(const char *p, const char *end, struct strbuf *out);

/* "N{TEXT}" */
static const char *repeat(const char *p, const char *end, struct strbuf *out)
{
	char *text;
	const unsigned long n = strtoul(p, &text, 10);
	const char *stop = ++text;

	for (size_t depth = 1; depth; stop++)
		depth = depth + (*stop == '{') - (*stop == '}');
	assert_true(stop <= end);
	for (unsigned long i = 0; i < n; i++)
		(void)expand(text, stop - 1, out);
	return stop;
}

/* The octets that the text stands for. */
static const char *expand(const char *p, const char *end, struct strbuf *out)
{
	while (p < end) {
		const char c = *p++;

		if (c != '\\') {
			strbuf_addch(out, c);
		} else if (*p == '*') {
			p = repeat(p + 1, end, out);
		} else if (*p == 'x') {
			const char hex[] = { p[1], p[2], '\0' };

			strbuf_addch(out, (char)strtol(hex, NULL, 16));
			p += 3;
		} else if (*p++ != '\n') {
			strbuf_addch(out, p[-1] == 'r' ? '\r' : p[-1]);
		}
	}
	return end;
}

/* --- one message -------------------------------------------------------------------- */

static char odd_octet(void)
{
	static const char odd[] = "\n\r\0 \t:;,<>()\"\\@=-?.%/\x80\xc3\xbc\xff";

	return any(2) ? odd[any(sizeof(odd) - 1)] : (char)any(256);
}

/* Changes, puts in or takes out one octet, more often in the header. */
static void damage(struct strbuf *mail)
{
	struct strbuf out = STRBUF_INIT(CORPUS_MAX);
	const char *body = strstr(mail->buf, "\n\n");
	const size_t header = body ? (size_t)(body - mail->buf) + 2 : mail->len;
	const size_t at = any(2) ? any(header) : any(mail->len), how = any(3);

	strbuf_add(&out, mail->buf, at);
	if (how < 2)
		strbuf_addch(&out, odd_octet());
	strbuf_add(&out, mail->buf + at + (how > 0), mail->len - at - (how > 0));
	strbuf_reset(mail);
	strbuf_add(mail, out.buf, out.len);
	strbuf_release(&out);
}

/* Is there a signature, or what is like one? Such content is not touched. */
static bool is_sealed(const struct strbuf *mail)
{
	return mime_model_sealed(mail) || strcasestr(mail->buf, "dkim");
}

static bool ascii_envelope(const struct envelope *e)
{
	bool ascii = true;

	for (size_t i = 0; i < e->rcpt_count; i++)
		ascii &= text_is_ascii(e->rcpt[i].address, strlen(e->rcpt[i].address));
	return ascii;
}

/* What must hold for what is sent to a server that has 8BITMIME and SMTPUTF8, or not. */
static const char *check_octets(const struct strbuf *out, const struct converted *c, bool sealed)
{
	const char *body = strstr(out->buf, "\r\n\r\n");
	const size_t header = body ? (size_t)(body - out->buf) : out->len;

	for (size_t i = 0; i < out->len; i++) {
		MODEL_MUST(out->buf[i]);
		MODEL_MUST(out->buf[i] != '\n' || (i && out->buf[i - 1] == '\r'));
		MODEL_MUST(out->buf[i] != '\r' || out->buf[i + 1] == '\n');
	}
	/* a field may be so damaged that it cannot be folded any more */
	MODEL_MUST(sealed || mime_model_longest(out->buf + header, out->len - header) <=
		   MESSAGE_LINE_MAX);
	MODEL_MUST(c->eight || !mime_model_8bit(out->buf, out->len));
	MODEL_MUST(c->utf8 || sealed || !mime_model_8bit(out->buf, header));
	MODEL_MUST(c->envelope.body == BODY_7BIT || c->eight);
	MODEL_MUST(c->envelope.body == BODY_8BITMIME || !mime_model_8bit(out->buf, out->len));
	MODEL_MUST(!c->envelope.utf8 || c->utf8 || !ascii_envelope(&c->envelope));
	return NULL;
}

static const char *check_server(const struct submission *s, unsigned server, bool sealed)
{
	struct session session = { .account = s->account };
	struct converted c = { .made = false };
	struct strbuf out = STRBUF_INIT(MODEL_MAX);
	struct error err;
	const char *wrong = NULL;

	session.announced[EXT_8BITMIME] = server & 1;
	session.announced[EXT_SMTPUTF8] = server & 2;
	if (convert_for_session(&c, &session, s->message, &s->edits, &s->envelope, &err) == 0) {
		mime_model_write(c.message, &c.edits, &out);
		wrong = check_octets(&out, &c, sealed);
	} else if (server || !sealed || err.exit != EX_UNAVAILABLE) {
		wrong = "it cannot be converted";
		print_error("%s\n", err.text);
	}
	converted_release(&c);
	strbuf_release(&out);
	return wrong;
}

/* NULL, or what is wrong. */
static const char *check_mail(const struct strbuf *mail)
{
	static const struct message_options as_is = { .dots_ignored = true };
	const struct submission_request request = { .word = words, .words = 1,
						    .read_recipients = true };
	const bool sealed = is_sealed(mail);
	struct submission s;
	struct error err;
	const char *wrong = NULL;

	submission_init(&s, &request, NULL);
	s.config = config;
	s.message = model_read(mail->buf, mail->len, 0, &as_is, &err);
	if (!s.message || submission_prepare(&s, &err) < 0) {
		wrong = "it is refused";
		print_error("%s\n", err.text);
	} else if (strcmp(s.envelope.rcpt[0].address, rcpt) != 0) {
		wrong = "the recipient is another one";
	}
	for (unsigned server = 0; !wrong && server < 4; server++)
		wrong = check_server(&s, server, sealed);
	submission_release(&s);
	return wrong;
}

/* --- all of them ---------------------------------------------------------------------- */

static size_t check_entry(const char *p, const char *end, const char *rest, size_t rounds)
{
	struct strbuf whole = STRBUF_INIT(CORPUS_MAX), mail = STRBUF_INIT(CORPUS_MAX);
	size_t failures = 0;

	(void)expand(strchr(p, '\n') + 1, end, &whole);
	strbuf_addstr(&whole, rest);
	for (size_t i = 0; i <= rounds && failures < 2; i++) {
		strbuf_reset(&mail);
		strbuf_add(&mail, whole.buf, whole.len);
		for (size_t n = i ? 1 + any(5) : 0; n; n--)
			damage(&mail);
		const char *wrong = check_mail(&mail);

		if (wrong)
			print_error("%.*s: %s\n%s\n", (int)strcspn(p, "\n"), p, wrong, mail.buf);
		failures += wrong != NULL;
	}
	strbuf_release(&whole);
	strbuf_release(&mail);
	return failures;
}

static void check_file(const char *name, const char *rest)
{
	const char *source = getenv("SRCDIR"), *rounds = getenv("MSUBMIT_DAMAGE");
	struct strbuf text = STRBUF_INIT(CORPUS_MAX);
	char path[4096];
	size_t failures = 0;

	snprintf(path, sizeof(path), "%s/tests/corpus/%s", source ? source : "..", name);
	assert_int_equal(fs_read_file(path, 0, &text, NULL), 0);
	for (const char *p = strstr(text.buf, "\n=== "), *next; p; p = next) {
		next = strstr(p + 1, "\n=== ");
		failures += check_entry(p + 1, next ? next + 1 : text.buf + text.len, rest,
					rounds ? (size_t)atol(rounds) : ROUNDS);
	}
	strbuf_release(&text);
	assert_int_equal(failures, 0);
}

static void test_headers(void **state)
{
	(void)state;
	check_file("headers", "\nbody\n");
}

static void test_messages(void **state)
{
	(void)state;
	check_file("messages", "");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headers), cmocka_unit_test(test_messages),
	};
	struct error err;

	if (config_load_text("rc", account, strlen(account), &config, &err) < 0)
		return 1;
	const int failed = cmocka_run_group_tests(tests, NULL, NULL);

	config_free(config);
	return failed;
}
