/*
 * --check, --check-config: what check/check.h finds, as lines or as one JSON object.
 *
 *	ok   STEP: what
 *	warn STEP: what works and will hurt
 *	FAIL STEP: what
 *	     -> what to do
 *	skip STEP: not tried, and why
 */
#include "config.h"

#include <stdbool.h>
#include <string.h>
#include <sysexits.h>

#include "check/check.h"
#include "cli/commands.h"
#include "cli/events.h"
#include "cli/option_values.h"
#include "cli/options.h"
#include "cli/report.h"
#include "conf/account.h"
#include "conf/accounts.h"
#include "conf/aliases.h"
#include "message/envelope.h"
#include "prepare/explain.h"
#include "submit/attempt.h"
#include "submit/submission.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/json.h"
#include "util/strbuf.h"
#include "util/strvec.h"

#define OUTPUT_MAX ((size_t)16 * 1024 * 1024)

/* Where the findings go to: lines at once, JSON at the end. */
struct output {
	const struct invocation *inv;
	struct strbuf text;
	struct json json;
	const char *account;	/* once it is known */
	bool is_new;		/* it is being set up */
	int status;		/* of writing */
};

/* --- findings ------------------------------------------------------------- */

static void print_line(struct output *o, const struct check_finding *f)
{
	strbuf_addf(&o->text, "%-4s %s: %s\n", check_verdict_name(f->verdict), f->step, f->text);
	for (const char *line = f->hint; line && *line;) {
		size_t n = strcspn(line, "\n");

		strbuf_addstr(&o->text, line == f->hint ? "     -> " : "        ");
		strbuf_add(&o->text, line, n);
		strbuf_addch(&o->text, '\n');
		line += n + (line[n] == '\n');
	}
	if (report_output(o->inv, o->text.buf) != EX_OK)
		o->status = EX_IOERR;
	strbuf_reset(&o->text);
}

static void add_json(struct output *o, const struct check_finding *f)
{
	struct json *j = &o->json;

	json_begin(j, NULL, '{');
	json_string(j, "step", f->step);
	json_string(j, "verdict", f->verdict == CHECK_FAIL ? "fail" :
		    check_verdict_name(f->verdict));
	json_string(j, "server", f->server);
	json_string(j, "address", f->address);
	json_string(j, "text", f->text);
	json_string(j, "hint", f->hint);
	json_number(j, "exit", f->exit);
	json_string(j, "fault", f->fault != FAULT_NONE ? fault_rows[f->fault].name : NULL);
	json_string(j, "status", f->status);
	json_number(j, "code", f->reply);
	json_end(j, '}');
}

static void found(void *ctx, const struct check_finding *f)
{
	struct output *o = ctx;

	if (o->inv->json)
		add_json(o, f);
	else
		print_line(o, f);
}

static void output_begin(struct output *o, const struct invocation *inv)
{
	*o = (struct output){ .inv = inv, .text = STRBUF_INIT(OUTPUT_MAX) };
	o->json.out = &o->text;
	if (!inv->json)
		return;
	json_begin(&o->json, NULL, '{');
	json_begin(&o->json, "findings", '[');
}

/* The exit status of all: status, or that of writing. */
static int output_end(struct output *o, int status)
{
	if (o->inv->json) {
		json_end(&o->json, ']');
		json_string(&o->json, "account", o->account);
		json_number(&o->json, "exit", status);
		json_end(&o->json, '}');
		strbuf_addch(&o->text, '\n');
		if (report_output(o->inv, o->text.buf) != EX_OK)
			o->status = EX_IOERR;
	}
	strbuf_release(&o->text);
	return status ? status : o->status;
}

/* --- an account --------------------------------------------------------------- */

static int run(struct output *o, struct submission *s, const char *why, const char *to)
{
	const struct invocation *inv = o->inv;
	struct events *events = NULL;
	struct error err;

	o->account = arena_strdup(inv->arena, s->account->name);
	if (events_open(inv, &events, &err) < 0) {
		check_tell_failure(found, o, "account", &err);
		return err.exit;
	}
	const struct attempt_options opt = events_options(events);
	const struct check_request request = {
		.submission = s, .why = why, .is_new = o->is_new, .to = to, .opt = &opt,
		.found = found, .ctx = o,
	};
	int status = check_account(&request);

	events_free(events);
	return status;
}

int check_and_print(const struct invocation *inv, struct submission *s, const char *why,
		    const char *to)
{
	struct output o;

	output_begin(&o, inv);
	o.is_new = true;
	return output_end(&o, run(&o, s, why, to));
}

/* --- --check --------------------------------------------------------------------- */

/* What the words of the command line name: an account has no '@'. */
static int take_words(const struct submission_request *given, const char **account,
		      const char **to, struct error *err)
{
	const struct compose_request *c = &given->compose;

	if (c->address_n > 1)
		return error_set(err, FAULT_USAGE, "--check takes one recipient, and '%s' is "
				 "one too many", c->address[1].text);
	if (c->address_n)
		*to = c->address[0].text;
	for (size_t i = 0; i < given->words; i++) {
		const char *word = given->word[i], **place = strchr(word, '@') ? to : account;

		if (*place)
			return error_set(err, FAULT_USAGE, "--check takes one account and "
					 "one recipient, and '%s' is one too many", word);
		*place = word;
	}
	return 0;
}

static void tell_problem(void *ctx, const struct error *err)
{
	check_tell_failure(found, ctx, "config", err);
}

/* Reads the files once more, now for every mistake. */
static void tell_problems(struct output *o)
{
	struct config_request request = o->inv->request.config;
	struct config *broken = NULL;
	struct error err;

	request.problem = tell_problem;
	request.problem_ctx = o;
	if (config_load(&request, &broken, &err) < 0)
		tell_problem(o, &err);
	config_free(broken);
}

static int check(struct output *o)
{
	const struct invocation *inv = o->inv;
	struct submission_request request = {
		.config = inv->request.config, .sender = inv->request.sender, .explain = true,
		.account = inv->subject ? inv->subject : inv->request.account,
	};
	const char *to = NULL;
	struct submission s;
	struct error err;
	int status;

	if (take_words(&inv->request, &request.account, &to, &err) < 0)
		return report_failure(inv, &err);
	submission_init(&s, &request, NULL);
	if (submission_account(&s, &err) == 0) {
		status = run(o, &s, request.account ? "named on the command line" :
			     s.explain.account, to);
	} else {
		status = err.exit;
		if (s.config)
			check_tell_failure(found, o, "account", &err);
		else
			tell_problems(o);
	}
	submission_release(&s);
	return status;
}

int cmd_check(const struct invocation *inv)
{
	struct output o;

	output_begin(&o, inv);
	return output_end(&o, check(&o));
}

/* --- --check-config ------------------------------------------------------------------ */

struct mistakes {
	const struct invocation *inv;
	size_t n;
};

static void tell_mistake(void *ctx, const struct error *err)
{
	struct mistakes *m = ctx;

	m->n++;
	report_line(m->inv, "%s", err->text);
}

static void tell_warning(void *ctx, const struct account *a, const char *text)
{
	(void)a;
	report_line(ctx, "warning: %s", text);
}

/* Mail goes on without what is wrong with a file of aliases; told once for all accounts. */
static void tell_aliases(const struct invocation *inv, const struct config *c)
{
	const struct account *a;
	const char *last = "";

	for (size_t i = 0; (a = config_nth(c, i)) != NULL; i++) {
		struct aliases *aliases = NULL;
		struct error err;

		if (!a->aliases || strcmp(a->aliases, last) == 0)
			continue;
		last = a->aliases;
		if (aliases_load(a->aliases, &aliases, &err) < 0) {
			report_line(inv, "warning: %s", err.text);
			continue;
		}
		const struct strvec *lines = aliases_warnings(aliases);

		for (size_t k = 0; k < lines->n; k++)
			report_line(inv, "warning: %s", lines->v[k]);
		aliases_free(aliases);
	}
}

static int tell_all_is_well(const struct invocation *inv, const struct config *c)
{
	struct strbuf text = STRBUF_INIT(OUTPUT_MAX);
	const char *name;
	size_t n = 0;

	while (config_nth(c, n))
		n++;
	strbuf_addf(&text, "ok: %zu account%s in ", n, n == 1 ? "" : "s");
	for (size_t i = 0; (name = config_file_name(c, i)) != NULL; i++)
		strbuf_addf(&text, "%s%s", i ? ", " : "", name);
	if (!config_file_name(c, 0))
		strbuf_addf(&text, "no file: tried %s", config_searched(c));
	strbuf_addch(&text, '\n');
	return report_print(inv, &text);
}

int cmd_check_config(const struct invocation *inv)
{
	struct mistakes mistakes = { .inv = inv };
	struct config_request request = inv->request.config;
	struct config *config = NULL;
	struct error err;
	int status = EX_CONFIG;

	if (inv->subject)
		request.file = inv->subject;
	else if (inv->request.words == 1)
		request.file = inv->request.word[0];
	request.problem = tell_mistake;
	request.problem_ctx = &mistakes;
	if (inv->request.words > 1 || (inv->request.words && inv->subject)) {
		error_set(&err, FAULT_USAGE, "--check-config takes one file");
		return report_failure(inv, &err);
	}
	if (config_load(&request, &config, &err) < 0)
		return report_failure(inv, &err);
	/* without any file each message fails; what is only useless may be so for a mistake */
	if (mistakes.n == 0 && !config_nth(config, 0) && !config_file_name(config, 0) &&
	    !request.override_n) {
		report_line(inv, "no account: tried %s", config_searched(config));
	} else if (mistakes.n == 0) {
		config_warn(config, NULL, tell_warning, (void *)inv);
		tell_aliases(inv, config);
		status = tell_all_is_well(inv, config);
	}
	config_free(config);
	return status;
}
