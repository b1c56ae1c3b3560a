#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "conf/account.h"
#include "conf/accounts.h"
#include "conf_scratch.h"
#include "message/address.h"
#include "message/envelope.h"
#include "message/ident.h"
#include "prepare/choose_account.h"
#include "prepare/explain.h"
#include "util/arena.h"
#include "util/strbuf.h"

static struct arena *arena;
static struct config *config;

static int setup(void **state)
{
	arena = arena_new();
	setenv("USER", "jane", 1);
	setenv("HOSTNAME", "box", 1);
	return scratch_setup(state);
}

static int teardown(void **state)
{
	config_free(config);
	config = NULL;
	arena_free(arena);
	return scratch_teardown(state);
}

static void load(const char *text)
{
	const struct config_request req = { .file = scratch_file("rc", text, 0600) };
	struct error err = { .exit = 0 };

	config_free(config);
	config = NULL;
	if (config_load(&req, &config, &err) < 0)
		fail_msg("'%s': %s", text, err.text);
}

static int choose(struct account_choice req, const struct account **out, struct error *err)
{
	req.config = config;
	return choose_account(&req, out, err);
}

/* One account of these lines. */
static const struct account *account_of(const char *lines)
{
	load(arena_printf(arena, "[account default]\nhost = h\n%s", lines));
	return config_default(config);
}

/* --- the sender ------------------------------------------------------------- */

#define OWN "from = me@own.example\n"
#define PINNED OWN "from_override = no\n"
#define ANY OWN "from_override = any\n"
#define DOMAIN "default_domain = d.example\n"

/*
 * {settings, -f (NULL = not given), what goes into MAIL FROM}; LOGIN stands
 * for the login name of whoever runs this.
 */
static const char *const senders[][3] = {
	/* own-domain: what cron, PHP and mailutils pass becomes an address that can be sent */
	{OWN, NULL, "me@own.example"},
	{OWN, "root", "me@own.example"},
	{OWN, "www-data", "me@own.example"},
	{OWN, "root@localhost", "me@own.example"},
	{OWN, "root@LocalHost", "me@own.example"},
	{OWN, "root@localhost.localdomain", "me@own.example"},
	{OWN, "root@localhost.example", "me@own.example"},
	{OWN, "\"odd name\"", "me@own.example"},
	{OWN, "\"root@real.example\"", "me@own.example"},
	{OWN, "\"x@y.example\"@localhost", "me@own.example"},
	/* all others are kept, also those that look alike */
	{OWN, "me@own.example", "me@own.example"},
	{OWN, "ME@OWN.EXAMPLE", "ME@OWN.EXAMPLE"},
	{OWN, "you@own.example", "you@own.example"},
	{OWN, "root@other.example", "root@other.example"},
	{OWN, "root@localhoster.example", "root@localhoster.example"},
	{OWN, "root@notlocalhost.example", "root@notlocalhost.example"},
	{OWN, "localhost@other.example", "localhost@other.example"},
	{OWN, "root@nobodys-name", "root@nobodys-name"}, /* another host's */
	{OWN, "root@[192.0.2.1]", "root@[192.0.2.1]"},
	{OWN, "root@[IPv6:2001:db8::1]", "root@[IPv6:2001:db8::1]"},
	{OWN, "\"odd name\"@other.example", "\"odd name\"@other.example"},
	{OWN, "j\xc3\xb6@b\xc3\xbc.example", "j\xc3\xb6@b\xc3\xbc.example"},
	/* unless it is the account's own, whatever it looks like */
	{"from = me@own.example, root@localhost\n", "root@localhost", "root@localhost"},
	{"from = me@own.example, *@localhost.?\n", "cron@localhost.7", "cron@localhost.7"},
	{"from = me@own.example, *@localhost.?\n", "cron@localhost.77", "me@own.example"},
	{"from = *@sub.example, me@own.example\n", "root", "me@own.example"},
	/* pinned */
	{PINNED, NULL, "me@own.example"},
	{PINNED, "root", "me@own.example"},
	{PINNED, "x@other.example", "me@own.example"},
	{PINNED, "ME@OWN.EXAMPLE", "me@own.example"},
	{PINNED, "root@[192.0.2.1]", "me@own.example"},
	{"from_override = no\n" DOMAIN, "x@other.example", "x@other.example"},
	{"from_override = no\n" DOMAIN, NULL, "LOGIN@d.example"},
	{"from = *@own.example\nfrom_override = no\n", "x@other.example", "x@other.example"},
	/* any */
	{ANY, NULL, "me@own.example"},
	{ANY, "root", "root@own.example"},
	{ANY, "root@localhost", "root@localhost"},
	{ANY, "root@web1", "root@web1"},
	{ANY, "x@other.example", "x@other.example"},
	{ANY, "\"odd name\"", "\"odd name\"@own.example"},
	{ANY, "\"a@b\"", "a@b"},
	{ANY DOMAIN, "root", "root@d.example"},
	{ANY "qualify = off\n", "root", "root"},
	/* the null sender is never replaced */
	{OWN, "", ""},
	{PINNED, "", ""},
	{ANY, "", ""},
	{DOMAIN, "", ""},
	{"from_override = no\n" DOMAIN, "", ""},
	{"qualify = off\n", "", ""},
	{"from = *@own.example\n" DOMAIN, "", ""},
	/* no address of its own: the login name */
	{DOMAIN, NULL, "LOGIN@d.example"},
	{DOMAIN, "root", "root@d.example"},
	{DOMAIN, "root@localhost", "root@localhost"},
	{"from = *@own.example\n" DOMAIN, NULL, "LOGIN@d.example"},
	{"from = *@own.example\n" DOMAIN, "root", "root@d.example"},
	{"qualify = off\n" DOMAIN, NULL, "LOGIN"},
	{"qualify = off\n" DOMAIN, "root", "root"},
	{"qualify = off\n" OWN, "root", "me@own.example"},
	/* other forms of from */
	{"from = Jo <jo@own.example>\n", NULL, "jo@own.example"},
	{"from = Jo <jo@own.example>\nfrom_override = any\n", "root", "root@own.example"},
	{"from = <jo@own.example>\nfrom_override = any\n", "root", "root@own.example"},
	{"from = jo@own.example.\n", NULL, "jo@own.example"},
	{"from = jo@own.example.\nfrom_override = any\n", "root", "root@own.example"},
	{"from = \"odd, name\"@own.example\n", NULL, "\"odd, name\"@own.example"},
	{"from = noreply\n" DOMAIN, NULL, "noreply@d.example"},
	{"from = noreply\n" DOMAIN, "root", "noreply@d.example"},
	{"from = %U@%H.example\n", NULL, "jane@box.example"},
	{"auto_from = on\nmaildomain = m.example\n", NULL, "jane@m.example"},
	{"auto_from = on\nmaildomain = m.example\n", "root", "jane@m.example"},
	{"auto_from = on\nmaildomain = m.example\nfrom_override = any\n", "root", "root@m.example"},
};

static const char *with_login(const char *text)
{
	if (strncmp(text, "LOGIN", 5) != 0)
		return text;
	return arena_printf(arena, "%s%s", ident_login(arena), text + 5);
}

static void senders_are_chosen(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(senders); i++) {
		const struct account *a = account_of(senders[i][0]);
		const struct account_choice req = { .sender = senders[i][1] };
		struct error err = { .exit = 0 };
		const char *got = NULL;

		if (choose_account_sender(arena, a, &req, &got, NULL, &err) < 0)
			fail_msg("'%s' -f '%s': %s", senders[i][0], senders[i][1], err.text);
		if (strcmp(got, with_login(senders[i][2])) != 0)
			fail_msg("'%s' -f '%s': %s, not %s", senders[i][0],
				 senders[i][1] ? senders[i][1] : "(none)", got,
				 with_login(senders[i][2]));
	}
}

/* A sender with the very name of this host is one of its own. */
static void senders_of_this_host(void **state)
{
	char name[256] = "";

	(void)state;
	const char *full = ident_host(arena);

	assert_int_equal(gethostname(name, sizeof(name) - 1), 0);
	const char *const own[] = { name, full, "localhost" };
	const struct account *a = account_of(OWN);

	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		struct error err = { .exit = 0 };
		const char *got = NULL;

		if (!own[i] || !address_domain_valid(own[i]))
			continue;
		const struct account_choice req = {
			.sender = arena_printf(arena, "root@%s", own[i]),
		};

		assert_int_equal(choose_account_sender(arena, a, &req, &got, NULL, &err), 0);
		assert_string_equal(got, "me@own.example");
	}
}

/* Nobody said who sends: a bare login name is no sender in msmtp's syntax either. */
static void bare_logins_are_refused(void **state)
{
	const struct account_choice none = { 0 };
	struct error err = { .exit = 0 };
	const char *got = NULL;

	(void)state;
	load("account default\nhost h\n");
	assert_int_equal(choose_account_sender(arena, config_default(config), &none, &got, NULL,
					       &err), -1);
	assert_int_equal(err.exit, EX_CONFIG);
	assert_has(err.text, "set 'from'");
	assert_null(got);
}

/* msmtp's syntax: its defaults, so nothing is replaced or completed. */
static void senders_as_in_msmtp(void **state)
{
	static const char *const cases[][3] = {
		{ "from me@own.example", "root", "root" },
		{ "from me@own.example", "root@localhost", "root@localhost" },
		{ "from me@own.example", NULL, "me@own.example" },
		{ "from me@own.example\nallow_from_override off", "x@y.example", "me@own.example" },
		{ "from me@own.example\nallow_from_override off", "", "" },
		{ "from me@own.example\nfrom_override own-domain", "root", "me@own.example" },
		{ "", "root", "root" }, { "", "", "" },
		{ "qualify on\nfrom me@own.example", "root", "root@own.example" },
		{ "auto_from on\nmaildomain m.example", NULL, "jane@m.example" },
		{ "auto_from on\nmaildomain m.example", "x@y", "x@y" },
		{ "auto_from on", NULL, "jane" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct account_choice req = { .sender = cases[i][1] };
		struct error err = { .exit = 0 };
		const char *got = NULL;

		load(arena_printf(arena, "account default\nhost h\n%s\n", cases[i][0]));
		if (choose_account_sender(arena, config_default(config), &req, &got, NULL,
					  &err) < 0)
			fail_msg("'%s': %s", cases[i][0], err.text);
		if (strcmp(got, with_login(cases[i][2])) != 0)
			fail_msg("'%s' -f '%s': %s, not %s", cases[i][0], cases[i][1], got,
				 with_login(cases[i][2]));
	}
}

/* What a configuration says never gets to the wire unread. */
static void bad_from_is_refused(void **state)
{
	static const char *const bad[] = {
		"a@@b", "a@b> SIZE=1", "a b@c", "@own.example", "a@", "<a@b", "a@b c@d",
		"a@b\x01.example", "a@b..c",
		"jo@own\xff.example",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const struct account *a = account_of(arena_printf(arena, "from = %s\n", bad[i]));
		const struct account_choice req = { 0 };
		struct error err = { .exit = 0 };
		const char *got = "untouched";

		if (choose_account_sender(arena, a, &req, &got, NULL, &err) == 0)
			fail_msg("from = %s: taken as %s", bad[i], got);
		assert_int_equal(err.exit, EX_CONFIG);
		assert_has(err.text, "account 'default': envelope sender");
		assert_string_equal(got, "untouched");
	}
}

/* --- the domain --------------------------------------------------------------- */

static void domains_in_their_order(void **state)
{
	static const char *const cases[][2] = {
		{ DOMAIN OWN "maildomain = m.example\n", "d.example" },
		{ OWN "maildomain = m.example\n", "own.example" },
		{ "from = *@x.example, b@y.example\n", "y.example" },
		{ "from = Jo <jo@own.example>\n", "own.example" },
		{ "from = \"a@b\"@own.example\n", "own.example" },
		{ "from = jo@[192.0.2.1]\n", "[192.0.2.1]" },
		{ "from = noreply\nmaildomain = m.example\n", "m.example" },
		{ "from = a@b>\nmaildomain = m.example\n", "m.example" },
		{ "maildomain = m.example\n", "m.example" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *got = choose_account_domain(arena, account_of(cases[i][0]));

		assert_non_null(got);
		assert_string_equal(got, cases[i][1]);
	}
	/* where anybody may have a mailbox only default_domain may complete */
	assert_null(choose_account_domain(arena, account_of("from = Jo <jo@GMail.com>\n")));
	assert_string_equal(choose_account_own(arena, account_of("from = Jo <jo@GMail.com>\n")),
			    "jo@GMail.com");
	assert_null(choose_account_own(arena, account_of("from = jo@gmx.de\n" DOMAIN)));
	assert_null(choose_account_own(arena, account_of(OWN)));
	assert_null(choose_account_own(arena, account_of("from = *@gmail.com\n")));
	assert_string_equal(choose_account_domain(arena, account_of("from = jo@gmx.de\n"
			    "default_domain = gmx.de\n")), "gmx.de");
	/* then the machine's own, if it has one */
	const char *got = choose_account_domain(arena, account_of(""));
	const char *own = ident_mailname(arena);

	if (!own)
		own = ident_host(arena);
	assert_int_equal(!got, !own);
	if (got)
		assert_string_equal(got, own);
}

/* --- the account ---------------------------------------------------------------- */

#define FOUR \
	"[defaults]\nhost = h\n" \
	"[account a]\nfrom = a@x.example, *@sub.example\n" \
	"[account b]\nfrom = b@x.example, a@sub.example, ?@q.example\n" \
	"[account default]\nfrom = me@own.example\n" \
	"[account to]\nmatch_to = *@intern, boss@*\n"

/* {-a, -f, From, recipients, account} */
static const char *const choices[][5] = {
	{ NULL, NULL, NULL, NULL, "default" },
	{ NULL, "a@x.example", NULL, NULL, "a" },
	{ NULL, "A@X.EXAMPLE", NULL, NULL, "a" },
	{ NULL, "b@x.example", NULL, NULL, "b" },
	{ NULL, "any@sub.example", NULL, NULL, "a" },
	{ NULL, "a@sub.example", NULL, NULL, "a" },	/* the first in the file */
	{ NULL, "z@q.example", NULL, NULL, "b" },
	{ NULL, "zz@q.example", NULL, NULL, "default" },
	{ NULL, "a@x.example.org", NULL, NULL, "default" },
	{ NULL, "xa@x.example", NULL, NULL, "default" },
	{ NULL, "root", NULL, NULL, "default" },
	/* -f counts before From, the null sender has no say */
	{ NULL, "b@x.example", "a@x.example", NULL, "b" },
	{ NULL, "other@y.example", "a@x.example", NULL, "a" },
	{ NULL, "", "b@x.example", NULL, "b" },
	{ NULL, "", NULL, NULL, "default" },
	{ NULL, "", "", NULL, "default" },
	{ NULL, NULL, "a@x.example", NULL, "a" },
	{ NULL, NULL, "other@y.example", NULL, "default" },
	/* -a counts before all */
	{ "b", "a@x.example", "a@x.example", "x@intern", "b" },
	{ "default", "a@x.example", NULL, NULL, "default" },
	{ "to", NULL, NULL, NULL, "to" },
	/* by recipients: all of them */
	{ NULL, NULL, NULL, "x@intern", "to" },
	{ NULL, NULL, NULL, "X@INTERN y@intern boss@z.example", "to" },
	{ NULL, NULL, NULL, "x@intern y@else.example", "default" },
	{ NULL, NULL, NULL, "y@else.example x@intern", "default" },
	{ NULL, NULL, NULL, "x@internal", "default" },
	{ NULL, NULL, NULL, "", "default" },
	{ NULL, "a@x.example", NULL, "x@intern", "a" },
	{ NULL, NULL, "b@x.example", "x@intern", "b" },
	{ NULL, "other@y.example", NULL, "x@intern", "to" },
};

static void accounts_are_chosen(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
		const char *const *c = choices[i];
		const struct account *got = NULL;
		struct error err = { .exit = 0 };
		struct envelope e;
		struct account_choice req = {
			.account = c[0], .sender = c[1], .header_from = c[2],
		};

		load(FOUR);
		envelope_init(&e, arena);
		if (c[3]) {
			envelope_add_words(&e, &c[3], 1, NULL);
			req.envelope = &e;
		}
		if (choose(req, &got, &err) < 0)
			fail_msg("case %zu: %s", i, err.text);
		if (strcmp(got->name, c[4]) != 0)
			fail_msg("case %zu: %s, not %s", i, got->name, c[4]);
	}
}

static const char *chosen(const struct account_choice *req)
{
	const struct account *got = NULL;
	struct error err = { .exit = 0 };

	if (choose(*req, &got, &err) < 0)
		fail_msg("%s", err.text);
	return got->name;
}

static void accounts_by_user(void **state)
{
	const struct account_choice none = { 0 }, sender = { .sender = "a@x.example" };
	const char *login;

	(void)state;
	login = ident_login(arena);
	load(arena_printf(arena, "[defaults]\nhost = h\n[account a]\nfrom = a@x.example\n"
			  "[account u]\nmatch_user = nobody-else, %s\n"
			  "[account default]\n", login));
	assert_string_equal(chosen(&none), "u");
	assert_string_equal(chosen(&sender), "a");
	load(arena_printf(arena, "[defaults]\nhost = h\n[account u]\nmatch_user = x%s, %sx\n"
			  "[account default]\n", login, login));
	assert_string_equal(chosen(&none), "default");
	load("[defaults]\nhost = h\n[account u]\nmatch_user = *\n[account default]\n");
	assert_string_equal(chosen(&none), "u");
	/* recipients go before users */
	load("[defaults]\nhost = h\n[account u]\nmatch_user = *\n[account t]\nmatch_to = *@t\n");
	struct envelope e;

	envelope_init(&e, arena);
	envelope_add(&e, "x@t", NULL);
	const struct account_choice to = { .envelope = &e };

	assert_string_equal(chosen(&to), "t");
	assert_string_equal(chosen(&none), "u");
}

/* The last note about the choice, as --explain shows it. */
static const char *why(struct account_choice req)
{
	struct explain x = { .arena = arena };
	const struct account *got = NULL;
	struct error err = { .exit = 0 };
	const char *sender;

	req.explain = &x;
	req.config = config;
	if (choose(req, &got, &err) < 0 ||
	    choose_account_sender(arena, got, &req, &sender, NULL, &err) < 0)
		fail_msg("%s", err.text);
	const char *all = "";

	for (size_t i = 0; i < x.n; i++)
		all = arena_printf(arena, "%s%s\n", all, x.note[i]);
	return all;
}

static void must_say(struct account_choice req, const char *words)
{
	const char *said = why(req);

	if (!strstr(said, words))
		fail_msg("'%s' says nothing of '%s'", said, words);
}

static void choices_are_explained(void **state)
{
	struct envelope e;

	(void)state;
	envelope_init(&e, arena);
	envelope_add(&e, "x@t", NULL);
	envelope_add(&e, "y@t", NULL);
	load("[defaults]\nhost = h\n[account a]\nfrom = me@a.example, *@a.example\n"
	     "from_override = no\n[account t]\nmatch_to = *@t\n"
	     "[account default]\nfrom = d@d.example\n");
	must_say((struct account_choice){ .sender = "z@a.example" },
		 "account 'a': '*@a.example' of its 'from' (");
	must_say((struct account_choice){ .sender = "z@a.example" },
		 ":4) fits the sender given 'z@a.example'");
	must_say((struct account_choice){ .sender = "z@a.example" },
		 "which from_override = no puts before the one given");
	must_say((struct account_choice){ .header_from = "me@a.example" },
		 "fits the From field's 'me@a.example'");
	must_say((struct account_choice){ .envelope = &e, .sender = "o@o.example" },
		 "account 't': '*@t' of its 'match_to' (");
	must_say((struct account_choice){ .account = "t", .sender = "o@o.example" },
		 "account 't': by option -a");
	must_say((struct account_choice){ .sender = "o@o.example" },
		 "account 'default': no account fits");
	must_say((struct account_choice){ .sender = "o@o.example" },
		 "sender 'o@o.example': as -f says");
	must_say((struct account_choice){ .sender = "" }, "sender <>: as -f says");
	must_say((struct account_choice){ .sender = "root" },
		 "in place of 'root', which belongs to this host");
	must_say((struct account_choice){ .sender_is_header = true, .sender = "o@o.example" },
		 "the From field, as read_envelope_from asks");
	load("[account one]\nhost = h\ndefault_domain = x.example\n");
	must_say((struct account_choice){ .sender = NULL }, "account 'one': there is no other");
	must_say((struct account_choice){ .sender = NULL }, "the login name, as neither");
	must_say((struct account_choice){ .sender = "joe" },
		 "sender 'joe@x.example': completed with the domain of the account");
	load(arena_printf(arena, "[defaults]\nhost = h\n[account u]\nmatch_user = no, %s\n"
			  "[account default]\n", ident_login(arena)));
	must_say((struct account_choice){ .sender = "o@o.example" }, "of its 'match_user' (");
}

/* An account that is the only one needs no name. */
static void the_only_account(void **state)
{
	const struct account_choice none = { 0 };

	(void)state;
	load("[account work]\nhost = h\nfrom = a@x.example\n");
	assert_string_equal(chosen(&none), "work");
	load("[account work]\nsocket = /s\n");
	assert_string_equal(chosen(&none), "work");
}

static void refused(const char *text, const struct account_choice *req, const char *words)
{
	const struct account *got = NULL;
	struct error err = { .exit = 0 };

	load(text);
	if (choose(*req, &got, &err) == 0)
		fail_msg("'%s': account '%s'", text, got->name);
	assert_int_equal(err.exit, EX_CONFIG);
	assert_string_equal(err.status, "5.3.5");
	assert_has(err.text, words);
	assert_null(got);
}

static void no_account(void **state)
{
	const struct account_choice none = { 0 }, named = { .account = "nil" };
	const struct account_choice other_case = { .account = "WORK" };

	(void)state;
	refused("", &none, "no account: tried ");
	refused("[account a]\nhost = h\n[account b]\nhost = h\n", &none,
		"accounts: a, b; write [account default : NAME], or use -a NAME");
	refused("[account a]\nhost = h\n", &named, "no account 'nil'");
	refused("[account work]\nhost = h\n", &other_case, "no account 'WORK'");
	refused("[account work]\nfrom = a@x\n", &none, "'work' has neither 'host' nor 'socket'");
	refused("[account x]\nhost = h\n[account default]\nport = 25\n", &none, "'default' has");
}

/* Text of the configuration that would be put behind an '@'. */
static void bad_domains(void **state)
{
	static const char *const bad[] = {
		"d.example>", "a b", "@d.example", "d.example SIZE=1", "<d>", "a..b", "-a.b", "[x",
		".", "d.example.", "\x01", "a\xff", "[1.2.3]",
	};
	const struct account_choice none = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		refused(arena_printf(arena, "[account a]\nhost = h\ndefault_domain = %s\n", bad[i]),
			&none, "default_domain");
		refused(arena_printf(arena, "[account a]\nhost = h\nmaildomain = %s\n", bad[i]),
			&none, "maildomain");
	}
	load("[account a]\nhost = h\ndefault_domain = b\xc3\xbc" "cher.example\n");
	assert_string_equal(chosen(&none), "a");
	load("[account a]\nhost = h\ndefault_domain = [192.0.2.1]\n");
	assert_string_equal(chosen(&none), "a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(senders_are_chosen, setup, teardown),
		cmocka_unit_test_setup_teardown(senders_of_this_host, setup, teardown),
		cmocka_unit_test_setup_teardown(bare_logins_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(senders_as_in_msmtp, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_from_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(domains_in_their_order, setup, teardown),
		cmocka_unit_test_setup_teardown(accounts_are_chosen, setup, teardown),
		cmocka_unit_test_setup_teardown(accounts_by_user, setup, teardown),
		cmocka_unit_test_setup_teardown(choices_are_explained, setup, teardown),
		cmocka_unit_test_setup_teardown(the_only_account, setup, teardown),
		cmocka_unit_test_setup_teardown(no_account, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_domains, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
