#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <inttypes.h>

#include "conf/account.h"
#include "conf/accounts.h"
#include "conf_scratch.h"
#include "message/envelope.h"
#include "message/ident.h"
#include "message_model.h"
#include "prepare/choose_account.h"
#include "prepare/prepare.h"
#include "prepare/recipients.h"
#include "prepare/rewriter.h"
#include "util/arena.h"
#include "util/strbuf.h"

static struct arena *arena;
static struct config *config;
static struct message *message;
static struct envelope envelope;
static struct edits edits;
static struct error failure;

static int setup(void **state)
{
	arena = arena_new();
	unsetenv("NAME");
	return scratch_setup(state);
}

static int teardown(void **state)
{
	message_free(message);
	message = NULL;
	config_free(config);
	config = NULL;
	arena_free(arena);
	return scratch_teardown(state);
}

/* The account that these lines make; no aliases unless they say so. */
static const struct account *account_of(const char *lines)
{
	const char *text = arena_printf(arena, "[account default]\nhost = h\n%s", lines);
	struct config_request req = { 0 };
	struct error err = { .exit = 0 };

	if (!strstr(lines, "aliases ="))
		text = arena_printf(arena, "%saliases =\n", text);
	req.file = scratch_file("rc", text, 0600);
	config_free(config);
	config = NULL;
	if (config_load(&req, &config, &err) < 0)
		fail_msg("'%s': %s", text, err.text);
	return config_default(config);
}

/* --- the envelope ------------------------------------------------------------------ */

#define D "default_domain = d.example\n"
#define LOCAL "local_domains = here, here.example\n"
#define RULES "aliases =\n[rewrite]\n"

/* Expands; the recipients as "ADDRESS|ORCPT ..." without "|" where there is none. */
static const char *expanded(const char *settings, const char *aliases, const char *words)
{
	struct strbuf text = STRBUF_INIT(1 << 20);

	if (aliases)
		settings = arena_printf(arena, "%saliases = %s\n", settings,
					scratch_file("aliases", aliases, 0644));
	const struct account *a = account_of(settings);

	envelope_init(&envelope, arena);
	envelope.sender = "me@own.example";
	failure = (struct error){ .exit = 0 };
	envelope_add_words(&envelope, &words, 1, NULL);
	assert_int_equal(envelope.unsendable_n, 0);
	struct rewriter *rewriter;

	if (rewriter_open(arena, a, &rewriter, &failure) < 0 ||
	    recipients_settle(&envelope, a, rewriter, &failure) < 0)
		return NULL;
	for (size_t i = 0; i < envelope.rcpt_count; i++) {
		const struct recipient *r = &envelope.rcpt[i];

		strbuf_addf(&text, "%s%s%s%s", i ? " " : "", r->address, r->orcpt ? "|" : "",
			    r->orcpt ? r->orcpt : "");
	}
	const char *got = arena_strdup(arena, text.buf);

	strbuf_release(&text);
	return got;
}

/* {settings, aliases, words, recipients} */
static const char *const expansions[][4] = {
	/* qualification */
	{ D, NULL, "root", "root@d.example" },
	{ "from = me@own.example\n", NULL, "root", "root@own.example" },
	{ "from = me@own.example\n" D, NULL, "root", "root@d.example" },
	{ "from = Me <me@own.example>\n", NULL, "root", "root@own.example" },
	{ "from = *@x.example, me@own.example\n", NULL, "root", "root@own.example" },
	{ "default_domain = [192.0.2.1]\n", NULL, "root", "root@[192.0.2.1]" },
	{ "default_domain = b\xc3\xbc" "cher.example\n", NULL, "root",
	  "root@xn--bcher-kva.example" },
	{ D, NULL, "root a@b", "root@d.example a@b" },
	{ D, NULL, "a@b root", "a@b root@d.example" },
	{ D, NULL, "\"john doe\"", "\"john doe\"@d.example" },
	{ D, NULL, "\"a@b\"", "a@b" },
	{ D, NULL, "h!a", "h!a@d.example" }, { D, NULL, "a%b", "a%b@d.example" },
	{ D, NULL, "postmaster", "postmaster@d.example" },
	{ D "qualify = off\n", NULL, "root Postmaster", "root Postmaster" },
	/* what was asked for twice is sent once, also when it shows only now */
	{ D, NULL, "root root@d.example ROOT@D.EXAMPLE", "root@d.example" },
	{ D, NULL, "root@d.example root", "root@d.example" },
	/* aliases: for names without a domain only, and before qualification */
	{ D, "root: a@b\n", "root", "a@b|root@d.example" },
	{ D, "root: a@b\n", "ROOT", "a@b|ROOT@d.example" },
	{ D, "root: a@b\n", "root@localhost root@d.example",
	  "a@b|root@localhost root@d.example" },
	/* the domain of a local name counts where others know it */
	{ D LOCAL, "root: a@b\n", "root@here.example", "a@b|root@here.example" },
	{ D LOCAL, "root: a@b\n", "ROOT@HERE.EXAMPLE", "a@b|ROOT@HERE.EXAMPLE" },
	{ D LOCAL, "root: a@b\n", "joe@here.example", "joe@here.example" },
	{ D LOCAL, "root: a@b\n", "joe@here root@here",
	  "joe@d.example|joe@here a@b|root@here" },
	{ D LOCAL, "root: a@b\n", "root@localhost", "root@localhost" },
	{ D LOCAL, "root: a@b\n", "root@there.example root@sub.here.example",
	  "root@there.example root@sub.here.example" },
	{ D LOCAL, "*: a@b\n", "joe@here.example jane x@y", "a@b|joe@here.example x@y" },
	{ D LOCAL, "joe: jane@here\njane: a@b\n", "joe", "a@b|joe@d.example" },
	{ D LOCAL, "joe: jane@here\n", "joe", "jane@d.example|joe@d.example" },
	{ D LOCAL, "joe: jane@here.example\n", "joe", "jane@here.example|joe@d.example" },
	{ D, NULL, "joe@localhost.localdomain joe@localhost",
	  "joe@d.example|joe@localhost.localdomain" },
	{ D "qualify = off\n", NULL, "joe@localhost", "joe@localhost" },
	{ D "local_domains =\n", "root: a@b\n", "root@localhost root",
	  "root@localhost a@b|root@d.example" },
	{ D "local_domains = *.here.example\n", "root: a@b\n", "root@x.here.example",
	  "a@b|root@x.here.example" },
	/* rules of rewriting, behind the aliases and before a domain is put in */
	{ D RULES "root = ops@r.example\n", NULL, "root joe", "ops@r.example|root@d.example "
	  "joe@d.example" },
	{ D RULES "root = ops@r.example\n", NULL, "root@localhost",
	  "ops@r.example|root@localhost" },
	{ D RULES "@d.example = @r.example\n", NULL, "root joe@d.example x@y",
	  "root@r.example|root@d.example joe@r.example|joe@d.example x@y" },
	{ D RULES "x@y = \"o o\"@r.example\n", NULL, "X@Y", "\"o o\"@r.example|X@Y" },
	{ D RULES "* = ops@r.example\n", NULL, "root cron x@y",
	  "ops@r.example|root@d.example x@y" },
	{ D "rewrite_classes = header_sender, envelope_sender\n" RULES "root = ops@r.example\n",
	  NULL, "root", "root@d.example" },
	{ D, "root: a@b\n", "cron", "cron@d.example" },
	{ D, "root: a@b, c@d\n", "root", "a@b|root@d.example c@d|root@d.example" },
	{ D, "root: joe\n", "root", "joe@d.example|root@d.example" },
	{ D, "root: joe\njoe: a@b\n", "root joe", "a@b|root@d.example" },
	{ D, "root: joe\njoe: a@b\n", "joe root", "a@b|joe@d.example" },
	{ D, "root: joe, a@b\n", "root", "joe@d.example|root@d.example a@b|root@d.example" },
	{ D, "root: root, a@b\n", "root", "root@d.example a@b|root@d.example" },
	{ D, "root: \\root, a@b\n", "root", "root@d.example a@b|root@d.example" },
	{ D, "root: root@d.example\n", "root", "root@d.example" },
	{ D, "root: Joe <a@b>, \"X, Y\" <c@d>\n", "root",
	  "a@b|root@d.example c@d|root@d.example" },
	{ D, "root: \"o, o\"@b\n", "root", "\"o, o\"@b|root@d.example" },
	{ D, "root: \"o o\"\n", "root", "\"o o\"@d.example|root@d.example" },
	{ D, "root: \"o, o\"\n", "root", "\"o, o\"@d.example|root@d.example" },
	{ D, "default: \"o, o\"\n", "root", "\"o, o\"@d.example|root@d.example" },
	{ D, "x: y\n", "\"o, o\"", "\"o, o\"@d.example" },
	{ D, "\"john doe\": a@b\n", "\"john doe\"", "a@b|\"john doe\"@d.example" },
	{ D, "x: y\n", "\"john doe\"", "\"john doe\"@d.example" },
	{ D, "\"john doe\": \"john doe\", a@b\n", "\"john doe\"",
	  "\"john doe\"@d.example a@b|\"john doe\"@d.example" },
	/* default */
	{ D, "default: a@b\n", "root", "a@b|root@d.example" },
	{ D, "default: a@b\n", "x@y", "x@y" },
	{ D, "root: c@d\ndefault: a@b\n", "root www-data",
	  "c@d|root@d.example a@b|www-data@d.example" },
	{ D, "root: cron\ndefault: a@b\n", "root", "a@b|root@d.example" },
	/* several ways to one address */
	{ D, "root: a@b\nwww: A@B\n", "root www a@b", "a@b|root@d.example" },
	{ D, "root: a@b\n", "a@b root", "a@b" },
	/* entries that nobody leads to do not matter */
	{ D, "bad: |/bin/sh\nloop: pool\npool: loop\nroot: a@b\n", "root", "a@b|root@d.example" },
	/* without a domain to complete them, names that have aliases are none the worse */
	{ "from = noreply\nqualify = off\n", "root: a@b\n", "root", "a@b|root" },
	/* international domains */
	{ D, NULL, "a@b\xc3\xbc" "cher.example", "a@xn--bcher-kva.example" },
	{ D, NULL, "a@B\xc3\x9c" "CHER.example", "a@xn--bcher-kva.example" },
	{ D, NULL, "a@b\xc3\xbc" "cher.example a@xn--bcher-kva.example b@c A@XN--bcher-kva.EXAMPLE",
	  "a@xn--bcher-kva.example b@c" },
	{ D, NULL, "j\xc3\xb6@b\xc3\xbc" "cher.example",
	  "j\xc3\xb6@xn--bcher-kva.example" },
	{ D, "root: a@b\xc3\xbc" "cher.example\n", "root",
	  "a@xn--bcher-kva.example|root@d.example" },
};

static void envelopes_are_expanded(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(expansions); i++) {
		const char *const *c = expansions[i];
		const char *got = expanded(c[0], c[1], c[2]);

		if (!got)
			fail_msg("'%s' '%s' '%s': %s", c[0], c[1], c[2], failure.text);
		if (strcmp(got, c[3]) != 0)
			fail_msg("'%s' '%s' '%s': %s, not %s", c[0], c[1], c[2], got, c[3]);
		assert_string_equal(envelope.sender, "me@own.example");
	}
}

static void envelopes_are_refused(void **state)
{
	static const struct {
		const char *aliases, *words;
		int exit;
		const char *says;
	} cases[] = {
		{ "root: joe\njoe: root\n", "root", EX_NOUSER, "aliases:1: alias 'root'" },
		{ "root: joe\njoe: root\n", "joe root", EX_NOUSER, "itself" },
		{ "root: |/bin/sh\n", "root", EX_NOUSER, "not supported" },
		{ "root: \"|/bin/sh -c x\"\n", "root", EX_NOUSER, "not supported" },
		{ "root: /var/mail/root\n", "root", EX_NOUSER, "not supported" },
		{ "root: :include:passwd\n", "root", EX_NOUSER, "absolute" },
		{ "root: a@@b\n", "root", EX_NOUSER, "two '@'" },
		{ "root:\n", "root", EX_NOUSER, "no address" },
		{ "default: |/bin/sh\n", "anybody", EX_NOUSER, "not supported" },
		{ "root: a@ex\xc2\xaample.\xef\xbc\xa0.example\n", "root", EX_DATAERR, "domain" },
		{ NULL, "a@\xe2\x98\x83\xcc\x80..example", EX_USAGE, NULL },
	};

	(void)state;
	for (size_t i = 0; i + 1 < ARRAY_LEN(cases); i++) {
		const char *got = expanded(D, cases[i].aliases, cases[i].words);

		if (got)
			fail_msg("'%s': taken as %s", cases[i].aliases, got);
		if (failure.exit != cases[i].exit)
			fail_msg("'%s': exit %d, %s", cases[i].aliases, failure.exit, failure.text);
		assert_has(failure.text, cases[i].says);
	}
}

/* A file that is not there is as none, and lines that are none are passed over: with a warning. */
static void what_is_wrong_is_a_warning(void **state)
{
	(void)state;
	assert_string_equal(expanded(D "aliases = /nonexistent/aliases\n", NULL, "root joe"),
			    "root@d.example joe@d.example");
	assert_int_equal(envelope.warning_n, 1);
	assert_has(envelope.warning[0], "/nonexistent/aliases");
	/* it is not opened when no local name asks for it */
	assert_string_equal(expanded(D "aliases = /nonexistent/aliases\n", NULL, "a@b"), "a@b");
	assert_int_equal(envelope.warning_n, 0);
	assert_string_equal(expanded(D, "one\nroot: a@b\nroot: c@d\n", "root"),
			    "a@b|root@d.example");
	assert_int_equal(envelope.warning_n, 2);
	assert_has(envelope.warning[0], "aliases:1: ");
	assert_has(envelope.warning[1], "aliases:3: ");
	/* the log is no place for a hundred of them */
	assert_string_equal(expanded(D, "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n", "root"),
			    "root@d.example");
	assert_int_equal(envelope.warning_n, 11);
	assert_has(envelope.warning[10], "--check");
}

/* Who cannot be sent to hinders nobody else; who is thrown away is no recipient. */
static void the_others_stay(void **state)
{
	(void)state;
	assert_string_equal(expanded(D, "root: |cat\njoe: x@y\n", "a@b root joe"),
			    "a@b x@y|joe@d.example");
	assert_int_equal(envelope.unsendable_n, 1);
	assert_string_equal(envelope.unsendable[0].address, "root");
	assert_int_equal(envelope.unsendable[0].why->exit, EX_NOUSER);
	assert_has(envelope.unsendable[0].why->text, "'|cat' is a command");
	assert_string_equal(expanded(D, "root: /dev/null\n", "a@b root"), "a@b");
	assert_false(envelope.discard);
	assert_string_equal(expanded(D "redirect_to = dev@example\n", "root: /dev/null\n", "root"),
			    "root@d.example");
	assert_true(envelope.discard);
	assert_string_equal(expanded(D, "root: /dev/null\njoe: |cat\n", "root joe"),
			    "root@d.example");
	assert_true(envelope.discard);
	assert_int_equal(envelope.unsendable_n, 1);
	assert_null(expanded(D, "root: |cat\njoe: |tac\n", "root joe"));
	assert_has(failure.text, "'|cat' is a command");
	assert_has(failure.text, "'|tac' is a command");
	assert_string_equal(expanded(D, "root a@b\n", "root"), "root@d.example");
}

/* A local name that nothing completes is nobody; "postmaster" is known everywhere. */
static void nothing_to_complete_with(void **state)
{
	(void)state;
	if (ident_mailname(arena) || ident_host(arena)) {
		print_message("# this host has a mail name: qualification cannot fail\n");
		return;
	}
	assert_null(expanded("", NULL, "root"));
	assert_int_equal(failure.exit, EX_NOUSER);
	assert_string_equal(failure.status, "5.1.3");
	assert_has(failure.text, "root: no alias and no default_domain");
	assert_has(failure.text, "default_domain");
	assert_string_equal(expanded("", NULL, "a@b root c@d"), "a@b c@d");
	assert_int_equal(envelope.unsendable[0].why->exit, EX_NOUSER);
	assert_null(expanded("", "root: joe\n", "root"));
	assert_has(failure.text, "joe: no alias");
	assert_int_equal(failure.exit, EX_NOUSER);
	assert_string_equal(expanded("", NULL, "PostMaster"), "PostMaster");
	assert_string_equal(expanded("", "root: a@b\n", "root"), "a@b|root");
	assert_string_equal(expanded("from = *@own.example\n", NULL, "a@b"), "a@b");
}

static void smtputf8_only_when_needed(void **state)
{
	const struct account *a = account_of(D);
	static const struct {
		const char *sender, *rcpt, *wire_sender;
		bool utf8;
	} cases[] = {
		{ "a@b", "c@d", "a@b", false },
		{ "", "c@d", "", false },
		{ "a@b\xc3\xbc.example", "c@d", "a@xn--b-eha.example", false },
		{ "a@b", "c@d\xc3\xbc.example", "a@b", false },
		{ "j\xc3\xb6@b", "c@d", "j\xc3\xb6@b", true },
		{ "a@b", "j\xc3\xb6@b", "a@b", true },
		{ "a@b", "j\xc3\xb6", "a@b", true },
		{ "j\xc3\xb6@b\xc3\xbc.example", "c@d", "j\xc3\xb6@xn--b-eha.example", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct error err = { .exit = 0 };

		envelope_init(&envelope, arena);
		envelope.sender = cases[i].sender;
		envelope_add(&envelope, cases[i].rcpt, NULL);
		if (recipients_settle(&envelope, a, NULL, &err) < 0)
			fail_msg("case %zu: %s", i, err.text);
		assert_string_equal(envelope.sender, cases[i].wire_sender);
		assert_int_equal(envelope.utf8, cases[i].utf8);
		assert_int_equal(envelope.rcpt_count, 1);
	}
	/* a domain that cannot be converted is the sender's fault or the recipient's */
	struct error err = { .exit = 0 };

	envelope_init(&envelope, arena);
	envelope.sender = "a@\xef\xbf\xbd.example";
	assert_int_equal(recipients_settle(&envelope, a, NULL, &err), -1);
	assert_int_equal(err.exit, EX_DATAERR);
	assert_has(err.text, "sender: ");
	envelope.sender = "";
	envelope_add(&envelope, "a@\xef\xbf\xbd.example", NULL);
	assert_int_equal(recipients_settle(&envelope, a, NULL, &err), -1);
	assert_has(err.text, "recipient: ");
}

/* All that was said about the message stays when the list is made anew. */
static void the_rest_of_the_envelope_stays(void **state)
{
	const struct account *a = account_of(D);
	struct error err = { .exit = 0 };

	(void)state;
	envelope_init(&envelope, arena);
	envelope.sender = "s@x";
	envelope.envid = "id";
	envelope.ret = DSN_RET_HDRS;
	envelope_add(&envelope, "keep@x", "before@x");
	envelope_add(&envelope, "root", NULL);
	envelope_add(&envelope, "a@b\xc3\xbc.example", "o@x");
	assert_int_equal(recipients_settle(&envelope, a, NULL, &err), 0);
	assert_string_equal(envelope.sender, "s@x");
	assert_string_equal(envelope.envid, "id");
	assert_int_equal(envelope.ret, DSN_RET_HDRS);
	assert_int_equal(envelope.rcpt_count, 3);
	assert_string_equal(envelope.rcpt[0].orcpt, "before@x");
	assert_string_equal(envelope.rcpt[1].address, "root@d.example");
	assert_null(envelope.rcpt[1].orcpt);
	assert_string_equal(envelope.rcpt[2].orcpt, "o@x");
	/* the list can still be added to, and still knows what is in it */
	assert_false(envelope_add(&envelope, "ROOT@d.example", NULL));
	assert_false(envelope_add(&envelope, "a@xn--b-eha.example", NULL));
	assert_true(envelope_add(&envelope, "more@x", NULL));
}

static void many_recipients(void **state)
{
	const char *path = scratch_file("aliases", "all: a0@x, a1@x, A2@x\n", 0644);
	const struct account *a = account_of(arena_printf(arena, D "aliases = %s\n", path));
	struct error err = { .exit = 0 };

	(void)state;
	envelope_init(&envelope, arena);
	envelope.sender = "";
	for (int i = 0; i < 5000; i++)
		envelope_add(&envelope, arena_printf(arena, "a%d@x", i), NULL);
	envelope_add(&envelope, "all", NULL);
	envelope_add(&envelope, "x@b\xc3\xbc.example", NULL);
	assert_int_equal(recipients_settle(&envelope, a, NULL, &err), 0);
	assert_int_equal(envelope.rcpt_count, 5001);
	assert_string_equal(envelope.rcpt[0].address, "a0@x");
	assert_string_equal(envelope.rcpt[4999].address, "a4999@x");
	assert_string_equal(envelope.rcpt[5000].address, "x@xn--b-eha.example");
}

/* --- the header ------------------------------------------------------------------------ */

#define OFF "set_date_header = off\nset_msgid_header = off\n"
#define BARE OFF "set_from_header = off\n"
#define OWN "from = me@own.example\n"

static const struct prepare_options no_name = { .full_name = "" };

/* What goes out for n octets of input: 0 or -1 with failure filled. */
static int prepare_octets(const char *settings, const char *text, size_t n,
			  const struct prepare_options *opt)
{
	const struct message_options as_file = { .dots_ignored = true };
	const struct account *a = account_of(settings);

	message_free(message);
	failure = (struct error){ .exit = 0 };
	message = model_read(text, n, 0, &as_file, &failure);
	if (!message)
		fail_msg("unreadable: %s", failure.text);
	return prepare_message(&edits, &envelope, message, a, opt, &failure);
}

static void new_envelope(const char *sender)
{
	envelope_init(&envelope, arena);
	envelope.sender = sender;
	envelope_add(&envelope, "rcpt@x.example", NULL);
}

/* The header that goes out, without the empty line. */
static const char *header_of(const char *settings, const char *text,
			     const struct prepare_options *opt)
{
	struct strbuf out = STRBUF_INIT(4 << 20);

	if (prepare_octets(settings, text, strlen(text), opt) < 0)
		fail_msg("'%s': %s", text, failure.text);
	edits_write_header(&edits, message, &out);
	assert_int_equal(envelope.size, out.len + message->body_size);
	assert_true(out.len >= 2);
	const char *got = arena_strndup(arena, out.buf, out.len - 2);

	strbuf_release(&out);
	return got;
}

static void must_be(const char *settings, const char *text, const struct prepare_options *opt,
		    const char *wanted)
{
	const char *got = header_of(settings, text, opt);

	if (strcmp(got, wanted) != 0)
		fail_msg("%s\n--- %s--- became\n%s--- not\n%s", settings, text, got, wanted);
}

/* {field as it comes, field as it goes}; NULL = the same. Folds are CRLF already. */
static const char *const completions[][2] = {
	{ "From: root\r\n", "From: root@d.example\r\n" },
	{ "From: root (Cron Daemon)\r\n", "From: root@d.example (Cron Daemon)\r\n" },
	{ "From:root\r\n", "From:root@d.example\r\n" },
	{ "From: \t root \t\r\n", "From: \t root@d.example \t\r\n" },
	{ "FROM : root\r\n", "FROM : root@d.example\r\n" },
	{ "From: <root>\r\n", "From: <root@d.example>\r\n" },
	{ "From: The Root <root>\r\n", "From: The Root <root@d.example>\r\n" },
	{ "From: \"Root, The\" <root>\r\n", "From: \"Root, The\" <root@d.example>\r\n" },
	{ "From: \"a@b\" <root>\r\n", "From: \"a@b\" <root@d.example>\r\n" },
	{ "From: root@x\r\n", NULL },
	{ "From: \"a b\"\r\n", "From: \"a b\"@d.example\r\n" },
	{ "From: \"a@b\"\r\n", "From: a@b\r\n" },
	{ "To: A [b] <a@b>, C <c>\r\n", "To: \"A [b]\" <a@b>, C <c@d.example>\r\n" },
	{ "To: M\303\274ller, J\303\266rg <a>, b@x\r\n",
	  "To: =?utf-8?B?TcO8bGxlciwgSsO2cmc=?= <a@d.example>, b@x\r\n" },
	{ "To: a..b@x, c.\r\n", "To: a..b@x, c.@d.example\r\n" },
	{ "To: =?utf-8?Q?a?= [b] <a@b>\r\n", NULL },
	{ "From: <\"a\\\"b\">\r\n", "From: <\"a\\\"b\"@d.example>\r\n" },
	{ "From: =?utf-8?q?J=C3=B6?= <root>\r\n",
	  "From: =?utf-8?q?J=C3=B6?= <root@d.example>\r\n" },
	{ "From: J\xc3\xb6 <root>\r\n", "From: J\xc3\xb6 <root@d.example>\r\n" },
	{ "From: j\xc3\xb6\r\n", "From: j\xc3\xb6@d.example\r\n" },
	{ "Sender: root\r\n", "Sender: root@d.example\r\n" },
	{ "Reply-To: a, b@x\r\n", "Reply-To: a@d.example, b@x\r\n" },
	{ "To: root\r\n", "To: root@d.example\r\n" },
	{ "To: a,b,c\r\n", "To: a@d.example,b@d.example,c@d.example\r\n" },
	{ "To: a, b@x, <c>, D <d>\r\n",
	  "To: a@d.example, b@x, <c@d.example>, D <d@d.example>\r\n" },
	{ "To: a (x (y) z), (c) b (d)\r\n", "To: a@d.example (x (y) z), (c) b@d.example (d)\r\n" },
	{ "To: (only @ here) a (b@c)\r\n", "To: (only @ here) a@d.example (b@c)\r\n" },
	{ "To: a,\r\n b,\r\n\tc@x\r\n", "To: a@d.example,\r\n b@d.example,\r\n\tc@x\r\n" },
	{ "To:\r\n root\r\n", "To:\r\n root@d.example\r\n" },
	{ "To: root\r\n (folded\r\n comment)\r\n",
	  "To: root@d.example\r\n (folded\r\n comment)\r\n" },
	{ "To: friends: a, b@x;\r\n", "To: friends: a@d.example, b@x;\r\n" },
	{ "To: friends:a;, b\r\n", "To: friends:a@d.example;, b@d.example\r\n" },
	{ "To: undisclosed-recipients:;\r\n", NULL },
	{ "To: a,, b\r\n", "To: a@d.example,, b@d.example\r\n" },
	{ "To:\r\n", NULL }, { "To: \r\n", NULL },
	{ "To: postmaster\r\n", "To: postmaster@d.example\r\n" },
	{ "Cc: root\r\n", "Cc: root@d.example\r\n" },
	{ "Resent-From: root\r\n", "Resent-From: root@d.example\r\n" },
	{ "Resent-Sender: root\r\n", "Resent-Sender: root@d.example\r\n" },
	{ "Resent-To: a, b\r\n", "Resent-To: a@d.example, b@d.example\r\n" },
	{ "Resent-Cc: root\r\n", "Resent-Cc: root@d.example\r\n" },
	{ "To: a\r\nTo: b\r\nCc: c\r\n",
	  "To: a@d.example\r\nTo: b@d.example\r\nCc: c@d.example\r\n" },
	/* what cannot be read is left alone, also where a part of it could be */
	{ "To: a, b@@x\r\n", NULL }, { "To: a, <b\r\n", NULL }, { "To: a, \"b\r\n", NULL },
	{ "To: (a, b\r\n", NULL }, { "To: a b\r\n", NULL }, { "To: a, b@\r\n", NULL },
	{ "To: @x, a\r\n", NULL }, { "To: a\xff\r\n", NULL }, { "From: <>\r\n", NULL },
	/* no addresses, whatever they look like */
	{ "Subject: root\r\n", NULL }, { "X-To: root\r\n", NULL }, { "Tox: root\r\n", NULL },
	{ "Message-ID: <root>\r\n", NULL }, { "Errors-To: root\r\n", NULL },
	{ "Apparently-To: root\r\n", NULL }, { "Comments: a, b\r\n", NULL },
	{ "Date: today\r\n", NULL }, { "Received: from root\r\n", NULL },
};

static bool is_resent_field(const char *text)
{
	return strncmp(text, "Resent-", 7) == 0;
}

static void fields_are_completed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(completions); i++) {
		const char *in = completions[i][0];
		const char *out = completions[i][1] ? completions[i][1] : in;
		const char *own = is_resent_field(in) ?
			"Resent-Date: x\r\nResent-Message-ID: <y>\r\n" : "";

		new_envelope("me@own.example");
		must_be(BARE D, arena_printf(arena, "%s%s\r\nbody\r\n", own, in), &no_name,
			arena_printf(arena, "%s%s", own, out));
		/* in the middle of others */
		must_be(BARE D, arena_printf(arena, "A: root\r\n%s%sZ: b\r\n\r\n", own, in),
			&no_name, arena_printf(arena, "A: root\r\n%s%sZ: b\r\n", own, out));
		/* and not when it is not wanted */
		must_be(BARE D "qualify = off\n", arena_printf(arena, "%s%s\r\n", own, in),
			&no_name, arena_printf(arena, "%s%s", own, in));
	}
	new_envelope("me@own.example");
	must_be(BARE "default_domain = b\xc3\xbc" "cher.example\n", "To: a\n\n", &no_name,
		"To: a@xn--bcher-kva.example\r\n");
	must_be(BARE OWN, "To: a\n\n", &no_name, "To: a@own.example\r\n");
}

/* A field near the limit of the header grows by a domain for each of its names. */
static void long_lists_are_completed(void **state)
{
	struct strbuf in = STRBUF_INIT(4 << 20), out = STRBUF_INIT(4 << 20);

	(void)state;
	strbuf_addstr(&in, "To: x");
	strbuf_addstr(&out, "To: x@d.example");
	for (int i = 0; i < 30000; i++) {
		strbuf_addf(&in, ",\r\n a%d", i);
		strbuf_addf(&out, ",\r\n a%d@d.example", i);
	}
	strbuf_addstr(&in, "\r\n");
	strbuf_addstr(&out, "\r\n");
	new_envelope("me@own.example");
	must_be(BARE D, arena_printf(arena, "%s\r\n", in.buf), &no_name, out.buf);
	strbuf_release(&in);
	strbuf_release(&out);
}

/* --- what is removed ------------------------------------------------------------------ */

static const char *const blind[] = {
	"Bcc: secret@hidden.example\n", "bcc: secret@hidden.example\n",
	"BCC:secret@hidden.example\n",
	"bCc : secret@hidden.example\n", "Bcc\t: secret@hidden.example\n",
	"Bcc \t : secret@hidden.example\n", "Bcc:\n secret@hidden.example\n",
	"Bcc:\n\tsecret@hidden.example,\n more@hidden.example\n",
	"Bcc: a@b,\n \n secret@hidden.example\n",
	"Bcc:\r\n secret@hidden.example\r\n", "Bcc: \"secret@hidden.example\n",
	"Bcc: secret@hidden.example\r Subject: hidden.example\n",
	"Resent-Bcc: secret@hidden.example\n",
	"resent-bcc : secret@hidden.example,\n\tb@hidden.example\n",
	"Bcc:\nBcc: secret@hidden.example\n",
	"RESENT-BCC:\n secret@hidden.example\n", "Bcc: hidden.example\xff\n",
};

static void blind_recipients_stay_blind(void **state)
{
	static const char *const frames[] = {
		"%s\nbody\n", "%sSubject: x\n\nbody\n", "Subject: x\n%s\nbody\n", "%s",
		"To: a@b\n%s",
		"Subject: x\n y\n%sX-Bcc: keep\nTo: a@b\n\nBcc: body\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(blind); i++) {
		for (size_t k = 0; k < ARRAY_LEN(frames); k++) {
			size_t at = strcspn(frames[k], "%");
			const char *text = arena_printf(arena, "%.*s%s%s", (int)at, frames[k],
							blind[i], frames[k] + at + 2);

			new_envelope("me@own.example");
			const char *got = header_of(BARE D, text, &no_name);

			if (strstr(got, "hidden") || strcasestr(got, "\nbcc") ||
			    strncasecmp(got, "bcc", 3) == 0)
				fail_msg("'%s' became '%s'", text, got);
			assert_int_equal(!strstr(frames[k], "X-Bcc"), !strstr(got, "X-Bcc: keep"));
			assert_int_equal(!strstr(frames[k], "Subject: x"),
					 !strstr(got, "Subject: x\r\n"));
		}
	}
}

static void removed_fields(void **state)
{
	const struct prepare_options gateway = { .full_name = "X", .no_fixes = true };
	static const char all[] = "Return-Path: <a@b>\r\nBcc: c\r\nResent-Bcc: d\r\n"
		"Content-Length: 5\r\nTo: root\r\nReceived: x\r\n";

	(void)state;
	new_envelope("me@own.example");
	must_be(BARE, "Return-Path: <a@b>\nSubject: x\nContent-Length: 5\nreturn-path:\n y\n\n",
		&no_name, "Subject: x\r\n");
	must_be(BARE "remove_bcc_headers = off\n" D, "Bcc: a@b, c\nReturn-Path: <x>\n\n", &no_name,
		"Bcc: a@b, c@d.example\r\n");
	must_be(BARE, "Content-Length-X: 5\nX-Return-Path: y\nReceived: z\nReceived: z\n\n",
		&no_name, "Content-Length-X: 5\r\nX-Return-Path: y\r\n"
		"Received: z\r\nReceived: z\r\n");
	/* -G: nothing is touched and nothing added, whatever the account says */
	must_be(D OWN "set_from_header = on\nundisclosed_recipients = on\n",
		arena_printf(arena, "%s\r\nb\xc3\xbc\r\n", all), &gateway, all);
	must_be(D OWN, "", &gateway, "");
	assert_int_equal(edits.added_n, 0);
}

static void undisclosed(void **state)
{
	(void)state;
	new_envelope("me@own.example");
	must_be(BARE "undisclosed_recipients = on\n",
		"To: a@b\nCc: c@d,\n e@f\nSubject: x\nTo: g@h\nReply-To: r@x\nCC : i@j\n"
		"Bcc: k@l\n\n",
		&no_name, "To: undisclosed-recipients:;\r\nSubject: x\r\nReply-To: r@x\r\n");
	must_be(BARE "undisclosed_recipients = on\n", "Subject: x\n\n", &no_name,
		"To: undisclosed-recipients:;\r\nSubject: x\r\n");
	must_be(BARE "set_to_header = undisclosed_recipients\n", "To: a\n\n", &no_name,
		"To: undisclosed-recipients:;\r\n");
	must_be(BARE "undisclosed_recipients = off\n", "To: a@b\n\n", &no_name, "To: a@b\r\n");
}

/* --- what is added ------------------------------------------------------------------------ */

/* {-F (NULL = not given), From that is made} */
static const char *const names[][2] = {
	{ "", "me@own.example" },
	{ "Bob", "Bob <me@own.example>" }, { "Bob Tester", "Bob Tester <me@own.example>" },
	{ "J. R. \"Bob\" Tester", "\"J. R. \\\"Bob\\\" Tester\" <me@own.example>" },
	{ "Tester, Bob", "\"Tester, Bob\" <me@own.example>" },
	{ "Bob (x)", "\"Bob (x)\" <me@own.example>" }, { "a@b", "\"a@b\" <me@own.example>" },
	{ "<a@b>", "\"<a@b>\" <me@own.example>" }, { "a\\b", "\"a\\\\b\" <me@own.example>" },
	{ "a\"", "\"a\\\"\" <me@own.example>" }, { "Bob  T", "\"Bob  T\" <me@own.example>" },
	{ " Bob", "\" Bob\" <me@own.example>" }, { "a:b;c", "\"a:b;c\" <me@own.example>" },
	{ "O'Neil & Sons", "O'Neil & Sons <me@own.example>" },
	/* a line end in a name begins nothing */
	{ "Bob\nBcc: x@y", "\"Bob Bcc: x@y\" <me@own.example>" },
	{ "Bob\r\nBcc: x@y\r\n\r\nbody", "\"Bob  Bcc: x@y    body\" <me@own.example>" },
	{ "Bob\r", "\"Bob \" <me@own.example>" }, { "Bob\x01\x7f", "\"Bob  \" <me@own.example>" },
	/* nothing is expanded */
	{ "%s%n${HOME}$(id)`id`", "%s%n${HOME}$(id)`id` <me@own.example>" },
};

static void full_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct prepare_options opt = { .full_name = names[i][0] };
		const char *from = arena_printf(arena, "From: %s\r\n", names[i][1]);

		if (strncmp(names[i][0], "%s", 2) == 0)
			from = "From: \"%s%n${HOME}$(id)`id`\" <me@own.example>\r\n";
		new_envelope("me@own.example");
		must_be(OFF, "Subject: x\n\n", &opt, arena_printf(arena, "%sSubject: x\r\n", from));
		/* a From that is there stays as it is */
		must_be(OFF, "From: a@b\n\n", &opt, "From: a@b\r\n");
	}
}

#define LONG_NAME "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"

static void full_names_beyond_ascii(void **state)
{
	static const char *const given[] = {
		"J\xc3\xb6rg", "J\xc3\xb6rg \"X\" <a@b>", "\xff\xfe", "J\xc3\xb6\r\nBcc: x@y",
		LONG_NAME " " LONG_NAME " " LONG_NAME " " LONG_NAME,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(given); i++) {
		const struct prepare_options opt = { .full_name = given[i] };

		new_envelope("me@own.example");
		const char *got = header_of(OFF, "Subject: x\n\n", &opt);

		assert_int_equal(strncmp(got, "From: =?", 8), 0);
		assert_has(got, "?= <me@own.example>\r\nSubject: x\r\n");
		for (const char *c = got; *c; c++)
			assert_true((unsigned char)*c < 0x80);
		assert_null(strstr(got, "Bcc:"));
		assert_int_equal(envelope.body, BODY_7BIT);
	}
}

/* -F, the account, $NAME, the password file: the first that says anything. */
static void full_name_sources(void **state)
{
	const struct prepare_options none = { 0 }, given = { .full_name = "Opt" };
	const char *own;

	(void)state;
	new_envelope("me@own.example");
	setenv("NAME", "Env, X", 1);
	must_be(OFF "from_full_name = Conf\n", "", &given, "From: Opt <me@own.example>\r\n");
	must_be(OFF "from_full_name = Conf\n", "", &no_name, "From: me@own.example\r\n");
	must_be(OFF "from_full_name = Conf\n", "", &none, "From: Conf <me@own.example>\r\n");
	must_be(OFF, "", &none, "From: \"Env, X\" <me@own.example>\r\n");
	setenv("NAME", "", 1);
	must_be(OFF, "", &none, "From: me@own.example\r\n");
	unsetenv("NAME");
	own = ident_is_system() ? NULL : ident_full_name(arena);
	assert_int_equal(strncmp(header_of(OFF, "", &none), "From: ", 6), 0);
	if (own)
		assert_has(header_of(OFF, "", &none), " <me@own.example>\r\n");
	else
		must_be(OFF, "", &none, "From: me@own.example\r\n");
}

static const struct prepare_options any_name = { .full_name = NULL };

static void from_is_added(void **state)
{
	(void)state;
	new_envelope("env@else.example");
	/* it is the envelope sender, whatever the account's own is */
	must_be(OFF OWN, "Subject: x\n\n", &no_name, "From: env@else.example\r\nSubject: x\r\n");
	must_be(OFF OWN, "From: a@b\n\n", &no_name, "From: a@b\r\n");
	must_be(OFF OWN, "from : a@b\nFrom: c@d\n\n", &no_name, "from : a@b\r\nFrom: c@d\r\n");
	/* a field without an address is none; a name in it stays */
	must_be(OFF OWN, "From:\nX: y\n\n", &no_name, "From: env@else.example\r\nX: y\r\n");
	must_be(OFF OWN, "From: <>\n\n", &no_name, "From: env@else.example\r\n");
	must_be(OFF OWN, "From: My. Shop <>\n\n", &any_name,
		"From: \"My. Shop\" <env@else.example>\r\n");
	must_be(OFF OWN, "From: My Shop\n\n", &any_name, "From: My Shop <env@else.example>\r\n");
	must_be(OFF OWN, "From: =?utf-8?q?J?= <>\n\n", &any_name,
		"From: =?utf-8?q?J?= <env@else.example>\r\n");
	must_be(OFF OWN, "From: =?utf-8?q?J?=\n\n", &no_name, "From: =?utf-8?q?J?=\r\n");
	must_be(OFF OWN, "From: a@@b\n\n", &no_name, "From: a@@b\r\n");
	must_be(OFF OWN, "From: g:;\n\n", &no_name, "From: g:;\r\n");
	must_be(OFF OWN "set_from_header = off\n", "From:\n\n", &no_name, "From:\r\n");
	must_be(OFF OWN, "From: a@b\nSender: \nReply-To: <>\n\n", &no_name, "From: a@b\r\n");
	must_be(OFF OWN, "From: a@b\nReply-To: No Body\n\n", &no_name, "From: a@b\r\n");
	must_be(OFF OWN "set_from_header = on\n", "From: J (x) <a@b>\nSender: c@d\n\n", &any_name,
		"From: J <env@else.example>\r\n");
	must_be(OFF OWN "set_from_header = on\n", "From: a@b (=?utf-8?q?J=2E?=)\n\n", &any_name,
		"From: =?utf-8?q?J=2E?= <env@else.example>\r\n");
	must_be(OFF OWN, "Sender: a@b\nReply-To: c@d\n\n", &no_name,
		"From: env@else.example\r\nSender: a@b\r\nReply-To: c@d\r\n");
	must_be(OFF OWN "set_from_header = off\n", "Subject: x\n\n", &no_name, "Subject: x\r\n");
	must_be(OFF OWN "set_from_header = on\n", "From: a@b\nX: y\nFROM: c@d,\n e@f\n\n", &no_name,
		"From: env@else.example\r\nX: y\r\n");
	must_be(OFF OWN "set_from_header = on\n", "X: y\n\n", &no_name,
		"From: env@else.example\r\nX: y\r\n");
	/* the null sender: the account's own address is the author */
	new_envelope("");
	must_be(OFF OWN, "X: y\n\n", &no_name, "From: me@own.example\r\nX: y\r\n");
	must_be(OFF OWN "from_override = any\n", "", &no_name, "From: me@own.example\r\n");
	must_be(OFF D, "", &no_name, arena_printf(arena, "From: %s@d.example\r\n",
						  ident_login(arena)));
	must_be(OFF "from = me@b\xc3\xbc" "cher.example\n", "", &no_name,
		"From: me@xn--bcher-kva.example\r\n");
	/* a sender that needs quotes, one that needs SMTPUTF8 */
	new_envelope("\"a b\"@x");
	must_be(OFF, "", &no_name, "From: \"a b\"@x\r\n");
	new_envelope("j\xc3\xb6@x");
	must_be(OFF, "", &no_name, "From: j\xc3\xb6@x\r\n");
	assert_int_equal(envelope.body, BODY_8BITMIME);
	/* the account's text is no address: nothing goes out */
	new_envelope("");
	assert_int_equal(prepare_octets(OFF "from = a@@b\n", "", 0, &no_name), -1);
	assert_int_equal(failure.exit, EX_CONFIG);
}

/* How often a field named so is in the header. */
static size_t count(const char *header, const char *name)
{
	size_t n = 0;

	for (const char *p = header; *p; p += strcspn(p, "\n") + 1)
		n += strncasecmp(p, name, strlen(name)) == 0;
	return n;
}

#define OLD "Tue, 04 Mar 2025 10:20:30 +0100 (old)"

static void dates_and_ids(void **state)
{
	static const struct {
		const char *settings, *text;
		size_t dates, ids;
		bool keeps;
	} cases[] = {
		{ "", "Subject: x\n\n", 1, 1, false },
		{ "", "", 1, 1, false },
		{ "", "Date: " OLD "\n\n", 1, 1, true },
		{ "", "date : " OLD "\nmessage-id: old\n\n", 1, 1, true },
		{ "", "Message-Id: old\n\n", 1, 1, true },
		{ "", "Date: " OLD "\nDate: " OLD "\n"
		  "Message-ID: old\nMessage-ID: old\n\n", 2, 2, true },
		{ "", "X-Date: old\nMessage-IDs: old\n\nDate: x\n", 1, 2, true },
		{ "set_date_header = off\n", "Subject: x\n\n", 0, 1, false },
		{ "set_date_header = off\n", "Date: " OLD "\n\n", 1, 1, true },
		{ "set_msgid_header = off\n", "Subject: x\n\n", 1, 0, false },
		{ "set_msgid_header = off\n", "Message-ID: old\n\n", 1, 1, true },
		{ OFF, "Subject: x\n\n", 0, 0, false },
		{ "", "Date:\nMessage-ID: <>\n\n", 1, 1, false },
		{ "", "Date:\nDate: " OLD "\nMessage-ID:\nMessage-ID: old\n\n", 1, 1, true },
		{ OFF, "Date:\nMessage-ID:\n\n", 1, 1, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		new_envelope("me@own.example");
		const char *got = header_of(cases[i].settings, cases[i].text, &no_name);

		assert_int_equal(count(got, "Date"), cases[i].dates);
		assert_int_equal(count(got, "Message-ID"), cases[i].ids);
		assert_int_equal(strstr(got, "old") != NULL, cases[i].keeps);
	}
	/* in front of the message's own, in this order */
	const char *got = header_of("", "Subject: x\n\n", &no_name);
	const char *date = strstr(got, "\nDate: "), *id = strstr(got, "\nMessage-ID: <");

	assert_int_equal(strncmp(got, "From: me@own.example\r\n", 22), 0);
	assert_true(date && id && date < id && id < strstr(got, "\nSubject: x"));
	assert_has(id, "@own.example>\r\nSubject: x\r\n");
}

/* A date that nobody can read becomes one of now. */
static void dates_that_are_none(void **state)
{
	static const struct {
		const char *date, *original;
	} cases[] = {
		{ "mar.,  7 ao\303\273t 2018 10:55:41 +0200 (CEST)",
		  "mar.,  7 =?utf-8?B?YW/Du3Q=?= 2018 10:55:41 +0200 (CEST)" },
		{ "2018-08-07 10:55:41", "2018-08-07 10:55:41" },
		{ "Tue Aug  7 10:55:41 2018", "Tue Aug  7 10:55:41 2018" },
		{ "Tue, 41 Aug 2018 10:55:41 +0200", "Tue, 41 Aug 2018 10:55:41 +0200" },
		{ "Tue, 7 August 2018 10:55 +0200", "Tue, 7 August 2018 10:55 +0200" },
		{ "7 Aug 2018", "7 Aug 2018" },
		{ "7 Aug 2018 10:55:41 +0200 (CEST", "7 Aug 2018 10:55:41 +0200 (CEST" },
		{ "Tue,7 aug 18 1:5 EST", NULL },
		{ "(x) 7 Aug (y) 2018\r\n 10:55:41 +0200 (h (i))", NULL },
		{ "Tuesday, 07-Aug-2018 10:55:41 GMT", NULL },
	};

	(void)state;
	new_envelope("me@own.example");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *field = arena_printf(arena, "Date: %s\n\n", cases[i].date);
		const char *got = header_of("", field, &no_name);

		assert_int_equal(count(got, "Date:"), 1);
		assert_int_equal(count(got, "X-Original-Date:"), cases[i].original != NULL);
		if (cases[i].original)
			assert_has(got, arena_printf(arena, "\r\nX-Original-Date: %s\r\n",
						     cases[i].original));
		else
			assert_has(got, arena_printf(arena, "Date: %s\r\n", cases[i].date));
	}
	assert_has(header_of("set_date_header = off\n", "Date: x\n\n", &no_name), "Date: x\r\n");
}

/* What stands behind the '@' of an added Message-ID. */
static void id_domain(const char *sender, const char *settings, const char *domain)
{
	new_envelope(sender);
	const char *got = strstr(header_of(settings, "", &no_name), "Message-ID: <");

	assert_non_null(got);
	const char *at = strchr(got, '@');

	assert_non_null(at);
	if (strncmp(at + 1, domain, strlen(domain)) != 0 || at[1 + strlen(domain)] != '>')
		fail_msg("sender '%s': %s", sender, got);
}

static void ids_never_name_localhost(void **state)
{
	(void)state;
	id_domain("a@b.example", D, "b.example");
	id_domain("a@b.example", OWN, "b.example");
	id_domain("", OWN, "own.example");
	id_domain("", D, "d.example");
	id_domain("root", D "qualify = off\n", "d.example");
	id_domain("a@localhost", D, "d.example");
	id_domain("a@LOCALHOST", D, "d.example");
	id_domain("a@localhost.localdomain", D, "d.example");
	id_domain("a@localhosts.example", D, "localhosts.example");
	id_domain("a@localhost", "default_domain = localhost\n", "msubmit.invalid");
	id_domain("", "default_domain = b\xc3\xbc" "cher.example\nfrom = a@x.example\n",
		  "xn--bcher-kva.example");
	id_domain("\"a@evil\"@b.example", D, "b.example");
}

/* What stands before it: when it is the same again, and when there is a time in it. */
static void ids_have_their_style(void **state)
{
	(void)state;
	static const struct { const char *style, *header; bool dotted, same; } cases[] = {
		{ "time", "Date: x\n\n", true, false }, { "random", "Date: x\n\n", false, false },
		{ "hash", "Date: x\n\n", false, true }, { "hash", "X: x\n\n", false, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char settings[100], id[2][100];

		snprintf(settings, sizeof(settings), OWN "message_id_style = %s\n", cases[i].style);
		for (size_t k = 0; k < 2; k++) {
			new_envelope("a@b.example");
			const char *got = strstr(header_of(settings, cases[i].header, &no_name),
						 "Message-ID: <");

			assert_non_null(got);
			snprintf(id[k], sizeof(id[k]), "%.*s", (int)strcspn(got, "@"), got);
		}
		assert_int_equal(strchr(id[0], '.') != NULL, cases[i].dotted);
		assert_int_equal(strcmp(id[0], id[1]) == 0, cases[i].same);
		assert_true(strlen(id[0]) >= strlen("Message-ID: <") + 32);
	}
}

static void resent_fields(void **state)
{
	(void)state;
	new_envelope("me@own.example");
	const char *got = header_of("", "Resent-From: a@b\nResent-To: c@d\nFrom: x@y\n"
				    "Date: " OLD "\n"
				    "Message-ID: <old>\n\n", &no_name);

	assert_int_equal(count(got, "Resent-Date: "), 1);
	assert_int_equal(count(got, "Resent-Message-ID: <"), 1);
	assert_int_equal(count(got, "Date:"), 1);
	assert_int_equal(count(got, "Message-ID:"), 1);
	assert_int_equal(strncmp(got, "Resent-Date: ", 13), 0);
	assert_has(got, "@own.example>\r\nResent-From: a@b\r\nResent-To: c@d\r\nFrom: x@y\r\n");
	/* other fields that are missing do not tear the block apart */
	got = header_of("", "Resent-To: c@d\nSubject: x\n\n", &no_name);
	assert_int_equal(strncmp(got, "From: me@own.example\r\nDate: ", 28), 0);
	assert_true(strstr(got, "\nResent-Date: ") > strstr(got, "\nMessage-ID: "));
	assert_has(got, "@own.example>\r\nResent-To: c@d\r\nSubject: x\r\n");
	/* what is there is not added again */
	must_be(BARE, "Resent-Date: d\nResent-Message-ID: <i>\nResent-To: a@b\n\n", &no_name,
		"Resent-Date: d\r\nResent-Message-ID: <i>\r\nResent-To: a@b\r\n");
	got = header_of(BARE, "Resent-Date: d\nResent-To: a@b\n\n", &no_name);
	assert_int_equal(strncmp(got, "Resent-Message-ID: <", 20), 0);
	/* no Resent field, nothing of the kind */
	assert_int_equal(count(header_of("", "X-Resent-To: a@b\n\n", &no_name), "Resent"), 0);
}

/* --- 8-bit ------------------------------------------------------------------------------------ */

#define BLOCK 8192
#define MIME_UTF8 "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n" \
	"Content-Transfer-Encoding: 8bit\r\n"
#define MIME_UNKNOWN "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n" \
	"Content-Transfer-Encoding: 8bit\r\n"

/* A body of fill times 'x', the tail, and a line end if wanted. */
static void body_is(size_t fill, const char *tail, const char *end, const char *wanted)
{
	struct strbuf text = STRBUF_INIT(1 << 20);

	strbuf_addstr(&text, "Subject: x\n\n");
	for (size_t i = 0; i < fill; i++)
		strbuf_addch(&text, 'x');
	strbuf_addstr(&text, tail);
	strbuf_addstr(&text, end);
	new_envelope("me@own.example");
	must_be(BARE, text.buf, &no_name, arena_printf(arena, "%sSubject: x\r\n", wanted));
	assert_int_equal(envelope.body, *wanted ? BODY_8BITMIME : BODY_7BIT);
	strbuf_release(&text);
}

/* The body is read in blocks: characters cut by their edges are whole all the same. */
static void characters_across_blocks(void **state)
{
	static const char *const good[] = {
		"\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xc3\xbc\xe2\x82\xac",
	};
	static const char *const bad[] = {
		"\xff", "\xc3", "\xe2\x82", "\xf0\x9f\x98", "\x80", "\xc0\xaf", "\xed\xa0\x80",
		"\xf4\x90\x80\x80", "\xe2\x82\xff", "\xc3\xbc\xff",
	};

	(void)state;
	for (size_t edge = 1; edge <= 3; edge++) {
		for (size_t before = 0; before <= 6; before++) {
			size_t fill = edge * BLOCK - before;

			for (size_t i = 0; i < ARRAY_LEN(good); i++) {
				body_is(fill, good[i], "", MIME_UTF8);
				body_is(fill, good[i], "yy\n", MIME_UTF8);
			}
			for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
				body_is(fill, bad[i], "", MIME_UNKNOWN);
				body_is(fill, bad[i], "yy\n", MIME_UNKNOWN);
			}
			body_is(fill, "", "yyyyyy\n", "");
		}
	}
	body_is(0, "\xc3\xbc", "", MIME_UTF8);
	body_is(0, "\xc3", "", MIME_UNKNOWN);
	body_is(0, "", "", "");
}

/* A long body of nothing but characters of several octets: edges anywhere. */
static void blocks_of_characters(void **state)
{
	static const char *const chars[] = { "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(chars); i++) {
		struct strbuf tail = STRBUF_INIT(1 << 20);

		for (int k = 0; k < 12000; k++)
			strbuf_addstr(&tail, chars[i]);
		for (size_t fill = 0; fill < 4; fill++) {
			body_is(fill, tail.buf, "\n", MIME_UTF8);
			body_is(fill, tail.buf, "\xff\n", MIME_UNKNOWN);
			body_is(fill, tail.buf + 1, "\n", MIME_UNKNOWN);
		}
		strbuf_release(&tail);
	}
}

static void mime_only_where_it_is_missing(void **state)
{
	static const char *const own[] = {
		"MIME-Version: 1.0\r\n", "MIME-Version: 1.0\r\nContent-Type: text/html\r\n",
		"Content-Transfer-Encoding: 8bit\r\n", "content-type : x\r\n",
		"Content-Type: multipart/signed; boundary=x\r\n", "Content-Type:\r\n",
		"Content-Type: text/html\r\nContent-Transfer-Encoding: 8bit\r\n",
	};

	(void)state;
	new_envelope("me@own.example");
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		must_be(BARE, arena_printf(arena, "%s\r\nb\xc3\xbc\r\n", own[i]), &no_name, own[i]);
	must_be(BARE, "content-type :\n Text/HTML\n\nb\xc3\xbc\n", &no_name,
		"MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\n"
		"content-type :\r\n Text/HTML\r\n");
	must_be(BARE, "Content-Type: text/html\n\nb\n", &no_name, "Content-Type: text/html\r\n");
	must_be(BARE "add_mime = off\n", "Content-Type: text/html\n\nb\xc3\xbc\n", &no_name,
		"Content-Type: text/html\r\n");
	must_be(BARE "add_mime = off\n", "X: y\n\nb\xc3\xbc\n", &no_name, "X: y\r\n");
	assert_int_equal(envelope.body, BODY_8BITMIME);
	/* 8-bit in the header alone is passed on */
	must_be(BARE, "Subject: gr\xc3\xbcn\n\nbody\n", &no_name, "Subject: gr\xc3\xbcn\r\n");
	assert_int_equal(envelope.body, BODY_8BITMIME);
	assert_false(envelope.header_utf8);
	must_be(BARE, "Content-Description: y\nX-MIME-Version: 1\n\nb\xc3\xbc\n", &no_name,
		MIME_UTF8 "Content-Description: y\r\nX-MIME-Version: 1\r\n");
	must_be(BARE, "b\xc3\xbc\n", &no_name, MIME_UTF8);
	must_be(BARE, "X: y\n\nbody\n", &no_name, "X: y\r\n");
	assert_int_equal(envelope.body, BODY_7BIT);
	envelope.utf8 = true;
	must_be(BARE, "Subject: gr\xc3\xbcn\n\nbody\n", &no_name, "Subject: gr\xc3\xbcn\r\n");
	assert_true(envelope.header_utf8);
}

/* --- size --- */

static void size_limits(void **state)
{
	static const char text[] = "Subject: x\n\nbody\n.dot\n";	/* 26 octets on the wire */
	static const struct {
		unsigned limit;
		bool fits;
	} cases[] = { { 25, false }, { 26, true }, { 27, true }, { 1, false }, { 0, true } };
	const struct prepare_options gateway = { .no_fixes = true };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *settings = arena_printf(arena, BARE "max_size = %u\n", cases[i].limit);

		new_envelope("me@own.example");
		assert_int_equal(prepare_octets(settings, text, strlen(text), &no_name),
				 cases[i].fits ? 0 : -1);
		assert_int_equal(envelope.size, 26);
		assert_int_equal(prepare_octets(settings, text, strlen(text), &gateway),
				 cases[i].fits ? 0 : -1);
		if (cases[i].fits)
			continue;
		assert_int_equal(failure.exit, EX_UNAVAILABLE);
		assert_string_equal(failure.status, "5.3.4");
		assert_has(failure.text, "26 octets");
		assert_has(failure.text, arena_printf(arena, "is %u", cases[i].limit));
	}
	/* added fields count, removed ones do not */
	new_envelope("me@own.example");
	assert_int_equal(prepare_octets(OFF "max_size = 30\n", text, strlen(text), &no_name), -1);
	assert_int_equal(envelope.size, 26 + strlen("From: me@own.example\r\n"));
	assert_int_equal(prepare_octets(BARE "max_size = 26\n",
					"Bcc: a@b\nSubject: x\n\nbody\n.dot\n", 31, &no_name), 0);
}

/* Input as it comes; what is not text must not confuse the edits. */
static void odd_input(void **state)
{
	static const char nul[] = "To: ro\0ot\nB\0cc: hidden@x\n\nb\0ody\n";
	struct strbuf out = STRBUF_INIT(1 << 16);

	(void)state;
	new_envelope("me@own.example");
	assert_int_equal(prepare_octets(BARE D, nul, sizeof(nul) - 1, &no_name), 0);
	edits_write_header(&edits, message, &out);
	assert_string_equal(out.buf, "To: root@d.example\r\n\r\n");
	strbuf_release(&out);
	must_be(BARE D, "Subject: a\rTo: root\n\n", &no_name, "Subject: a To: root\r\n");
	must_be(BARE D, "To: a\rb\n\n", &no_name, "To: a b\r\n");
	must_be(BARE D, "From x y\nTo: a\n\n", &no_name, "To: a@d.example\r\n");
	must_be(BARE D, "no header at all\nTo: a\n", &no_name, "");
	must_be(BARE D, "\nTo: a\n", &no_name, "");
	must_be(BARE D, "", &no_name, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(envelopes_are_expanded, setup, teardown),
		cmocka_unit_test_setup_teardown(envelopes_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_wrong_is_a_warning, setup, teardown),
		cmocka_unit_test_setup_teardown(the_others_stay, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_to_complete_with, setup, teardown),
		cmocka_unit_test_setup_teardown(smtputf8_only_when_needed, setup, teardown),
		cmocka_unit_test_setup_teardown(the_rest_of_the_envelope_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(many_recipients, setup, teardown),
		cmocka_unit_test_setup_teardown(fields_are_completed, setup, teardown),
		cmocka_unit_test_setup_teardown(long_lists_are_completed, setup, teardown),
		cmocka_unit_test_setup_teardown(blind_recipients_stay_blind, setup, teardown),
		cmocka_unit_test_setup_teardown(removed_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(undisclosed, setup, teardown),
		cmocka_unit_test_setup_teardown(full_names, setup, teardown),
		cmocka_unit_test_setup_teardown(full_names_beyond_ascii, setup, teardown),
		cmocka_unit_test_setup_teardown(full_name_sources, setup, teardown),
		cmocka_unit_test_setup_teardown(from_is_added, setup, teardown),
		cmocka_unit_test_setup_teardown(dates_and_ids, setup, teardown),
		cmocka_unit_test_setup_teardown(dates_that_are_none, setup, teardown),
		cmocka_unit_test_setup_teardown(ids_never_name_localhost, setup, teardown),
		cmocka_unit_test_setup_teardown(ids_have_their_style, setup, teardown),
		cmocka_unit_test_setup_teardown(resent_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(characters_across_blocks, setup, teardown),
		cmocka_unit_test_setup_teardown(blocks_of_characters, setup, teardown),
		cmocka_unit_test_setup_teardown(mime_only_where_it_is_missing, setup, teardown),
		cmocka_unit_test_setup_teardown(size_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(odd_input, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
