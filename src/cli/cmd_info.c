/*
 * Commands that print what the program is and has: --help, --version, --list-...,
 * --print-config; and those that ask for what it has not.
 */
#include "config.h"

#include <string.h>
#include <sysexits.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/report.h"
#include "conf/account.h"
#include "conf/accounts.h"
#include "conf/listen.h"
#include "conf/rewrite.h"
#include "conf/settings.h"
#include "message/address.h"
#include "smtp/auth/gsasl_api.h"
#include "smtp/extensions.h"
#include "tls/tls.h"
#include "util/error.h"
#include "util/strbuf.h"

#define OUTPUT_MAX ((size_t)16 * 1024 * 1024)

int cmd_help(const struct invocation *inv)
{
	struct strbuf out = STRBUF_INIT(OUTPUT_MAX);
	struct error err;

	if (options_help(&out, inv->subject, &err) < 0)
		return report_failure(inv, &err);
	return report_print(inv, &out);
}

int cmd_list_options(const struct invocation *inv)
{
	struct strbuf out = STRBUF_INIT(OUTPUT_MAX);

	options_list(&out);
	return report_print(inv, &out);
}

int cmd_list_extensions(const struct invocation *inv)
{
	struct strbuf out = STRBUF_INIT(OUTPUT_MAX);

	for (int id = 0; id < EXT_COUNT; id++) {
		const struct extension *x = extensions[id];

		strbuf_addf(&out, "%s\t%s\t%s\n", x->keyword, x->option ? x->option : "-",
			    extensions_level_name(x->level));
	}
	return report_print(inv, &out);
}

/* One library a line; one that is not there is no failure of --version. */
static void add_library(struct strbuf *out, int (*version)(struct strbuf *, struct error *))
{
	struct error err;

	if (version(out, &err) < 0)
		strbuf_addf(out, "%s", err.text);
	strbuf_addch(out, '\n');
}

int cmd_version(const struct invocation *inv)
{
	struct strbuf out = STRBUF_INIT(OUTPUT_MAX);

	strbuf_addf(&out, "msubmit %s\n", PACKAGE_VERSION);
	add_library(&out, tls_library_version);
	add_library(&out, gsasl_library_version);
	add_library(&out, idna_library_version);
	strbuf_addf(&out, "system trust: %s\nsystem configuration: %s/msmtprc\n",
		    SYSTEM_TRUST_BUNDLE, SYSCONFDIR);
	return report_print(inv, &out);
}

static void list_scope(struct strbuf *out, enum setting_scope scope, const char *name)
{
	struct setting_walk w = { 0 };
	const struct setting *s;

	while ((s = settings_next(scope, &w))) {
		const char *def = setting_default(s, false);

		strbuf_addf(out, "%s\t%s\t%s\t%s%s\n", s->key, name, def ? def : "",
			    who_name(s->who),
			    s->flags & (SETTING_DEPRECATED | SETTING_CLASSIC) ? "\tclassic" : "");
	}
}

int cmd_list_settings(const struct invocation *inv)
{
	struct strbuf out = STRBUF_INIT(OUTPUT_MAX);

	list_scope(&out, SCOPE_ACCOUNT, "account");
	list_scope(&out, SCOPE_LISTEN, "listen");
	return report_print(inv, &out);
}

/* What is set, or every key, each behind a comment that says where its value comes from. */
static void print_account(struct strbuf *out, const struct config *c, const struct account *a,
			  bool all)
{
	struct setting_walk w = { 0 };
	const struct setting *s;

	strbuf_addf(out, "[account %s]\n", a->name);
	while ((s = settings_next(SCOPE_ACCOUNT, &w))) {
		const char *origin = config_origin(c, a, s->key);

		if (s->flags & (SETTING_DEPRECATED | SETTING_CLASSIC) ||
		    (!all && strcmp(origin, "default") == 0))
			continue;
		strbuf_addf(out, "# %s\n%s = ", origin, s->key);
		setting_print(a, s, out);
		strbuf_addch(out, '\n');
	}
	strbuf_addch(out, '\n');
}

/* Rules are for all accounts, so each of these has them. */
static void print_rules(struct strbuf *out, const struct account *a)
{
	const struct rewrite_rule *rule;

	if (!a || !a->rewrite.maps)
		return;
	strbuf_addstr(out, "[rewrite]\n");
	for (const struct rewrite_map *const *map = a->rewrite.maps; *map; map++) {
		for (size_t i = 0; (rule = rewrite_nth(*map, i)) != NULL; i++)
			strbuf_addf(out, "# %s:%u\n%s = %s\n", rule->file, rule->line, rule->left,
				    rule->right);
	}
	strbuf_addch(out, '\n');
}

int cmd_print_config(const struct invocation *inv)
{
	struct strbuf out = STRBUF_INIT(OUTPUT_MAX);
	const struct account *a;
	struct config *config = NULL;
	struct error err;

	if (config_load(&inv->request.config, &config, &err) < 0)
		return report_failure(inv, &err);
	strbuf_addf(&out, "# searched: %s\n", config_searched(config));
	for (size_t i = 0; (a = config_nth(config, i)) != NULL; i++)
		print_account(&out, config, a, inv->all);
	print_rules(&out, config_nth(config, 0));
	config_free(config);
	return report_print(inv, &out);
}

/* --- no database of aliases ------------------------------------------------------------ */

/* -bi: the aliases file is read afresh each time, so that nothing is to be rebuilt. */
int cmd_nothing(const struct invocation *inv)
{
	(void)inv;
	return EX_OK;
}
