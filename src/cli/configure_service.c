#include "config.h"
#include "cli/configure_service.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/options.h"
#include "cli/report.h"
#include "conf/account.h"
#include "conf/accounts.h"
#include "conf/config_write.h"
#include "conf/settings.h"
#include "message/address.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/secret.h"
#include "util/xalloc.h"

#define USERS_FILE SYSCONFDIR "/msmtprc"
#define TEXT_MAX ((size_t)1 << 20)

/* --- which keys go where --------------------------------------------------------------- */

/* The word of --help that the key stands below. */
static const char *topic_of(const char *key)
{
	struct setting_walk w = { 0 };
	const char *topic = "";

	for (const struct setting *s; (s = settings_next_line(SCOPE_ACCOUNT, &w)) != NULL;) {
		if (!*s->key)
			topic = s->arg;
		else if (strcmp(s->key, key) == 0)
			return topic;
	}
	return "";
}

bool service_setup_is_own(const char *key)
{
	static const char *const topics[] = { "server", "tls", "delivery" };

	/* what waits, waits with who has sent it */
	if (strcmp(key, "via") == 0 || strcmp(key, "service_socket") == 0 ||
	    strncmp(key, "queue", strlen("queue")) == 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(topics); i++) {
		if (strcmp(topics[i], topic_of(key)) == 0)
			return true;
	}
	return false;
}

bool service_setup_is_users(const char *key)
{
	return !service_setup_is_own(key) || strcmp(topic_of(key), "delivery") == 0;
}

/* --- the files --------------------------------------------------------------------------- */

/* The account for that address, or of the name that was asked for. */
static const struct account *find_account(const struct service_setup *s, const struct config *c)
{
	const char *wanted = s->inv->request.account;
	const struct account *a;

	for (size_t i = 0; c && (a = config_nth(c, i)) != NULL; i++) {
		if ((!wanted || strcmp(wanted, a->name) == 0) &&
		    address_match_any(a->from, s->address))
			return a;
	}
	return NULL;
}

static bool has_name(const struct config *c, const char *name)
{
	const struct account *a;

	for (size_t i = 0; c && (a = config_nth(c, i)) != NULL; i++) {
		if (strcmp(a->name, name) == 0)
			return true;
	}
	return false;
}

static int load_file(const struct config_append *file, struct config **out, struct error *err)
{
	const struct config_request req = { .file = config_append_path(file) };

	*out = NULL;
	return config_append_exists(file) ? config_load(&req, out, err) : 0;
}

/* One that signs in by itself serves root alone: it has to go first. */
static int refuse_direct(const struct account *a, struct error *err)
{
	return error_set(err, FAULT_CONFIG, "%s has account '%s' for it already, which signs in by "
			 "itself and not through the service: take it out, or move the file away "
			 "(mv %s %s.old), and run this again; or name another one with "
			 "--account=NAME", a->file, a->name, a->file, a->file);
}

static int pick_name(struct service_setup *s, const struct config *users,
		     const struct config *own, struct error *err)
{
	const struct account *u = find_account(s, users), *o = find_account(s, own);
	const char *wanted = s->inv->request.account;

	if (u && u->via != VIA_SERVICE)
		return refuse_direct(u, err);
	s->in_users = u != NULL;
	s->name = arena_strdup(s->arena, u ? u->name : o ? o->name : wanted ? wanted :
			       has_name(users, "default") || has_name(own, "default") ?
			       s->address : "default");
	s->in_own = o && strcmp(o->name, s->name) == 0;
	if ((!s->in_users && has_name(users, s->name)) || (!s->in_own && has_name(own, s->name)))
		return error_set(err, FAULT_CONFIG, "there is an account '%s' for another address: "
				 "name the new one with --account=NAME", s->name);
	return 0;
}

static int open_files(struct service_setup *s, struct error *err)
{
	struct config *users = NULL, *own = NULL;
	int rc = load_file(s->users, &users, err);

	if (rc == 0)
		rc = config_append_open(MACHINE_CONFIG, 0640, &s->own, err);
	if (rc == 0)
		rc = load_file(s->own, &own, err);
	if (rc == 0)
		rc = pick_name(s, users, own, err);
	config_free(users);
	config_free(own);
	return rc;
}

static bool wants_direct(const struct service_setup *s)
{
	const struct config_request *given = &s->inv->request.config;
	bool direct = false;

	for (size_t i = 0; i < given->override_n; i++) {
		if (strcmp(given->override[i].key, "via") == 0)
			direct = strcmp(given->override[i].value, "direct") == 0;
	}
	return direct;
}

int service_setup_open(struct service_setup *s, struct error *err)
{
	if (wants_direct(s))
		return 0;
	if (config_append_open(USERS_FILE, 0644, &s->users, err) < 0)
		return -1;
	if (config_append_is_classic(s->users)) {
		report_line(s->inv, "%s is in msmtp's syntax, which has no service: the account "
			    "is for root alone", USERS_FILE);
		service_setup_close(s);
		return 0;
	}
	if (open_files(s, err) == 0)
		return 1;
	service_setup_close(s);
	return -1;
}

void service_setup_close(struct service_setup *s)
{
	config_append_close(s->users);
	config_append_close(s->own);
	s->users = s->own = NULL;
	strbuf_release(&s->text);
}

/* --- texts ------------------------------------------------------------------------------- */

const char *service_setup_head(const struct service_setup *s)
{
	if (config_append_exists(s->own))
		return "";
	return "# The service of this machine, for all its users: A WHOLE MACHINE in msubmit(1).\n"
	       "[listen service]\n"
	       "listen = unix:" MACHINE_RUN "/submit\n"
	       "socket_mode = 0666\n"
	       "protocol = lmtp\n"
	       "deliver = account\n"
	       "\n";
}

static int add_line(struct service_setup *s, const char *key, const char *value,
		    struct error *err)
{
	return config_write_setting(&s->text, false, key, value, err);
}

/* The last word on each key of users that was given as an option. */
static int add_given(struct service_setup *s, bool *from_out, bool *aliases_out,
		     bool *domain_out, struct error *err)
{
	const struct config_request *given = &s->inv->request.config;

	for (size_t i = 0; i < given->override_n; i++) {
		const struct config_override *o = &given->override[i];
		bool last = true;

		for (size_t k = i + 1; k < given->override_n && last; k++)
			last = strcmp(given->override[k].key, o->key) != 0;
		if (!last || strcmp(o->key, "via") == 0 || !service_setup_is_users(o->key))
			continue;
		*from_out = *from_out || strcmp(o->key, "from") == 0;
		*aliases_out = *aliases_out || strcmp(o->key, "aliases") == 0;
		*domain_out = *domain_out || strcmp(o->key, "default_domain") == 0;
		if (add_line(s, o->key, o->value ? o->value : "on", err) < 0)
			return -1;
	}
	return 0;
}

int service_setup_text(struct service_setup *s, const char *from, const char *domain,
		       struct error *err)
{
	bool has_from = false, has_aliases = false, has_domain = false;

	strbuf_release(&s->text);
	s->text = (struct strbuf)STRBUF_INIT(TEXT_MAX);
	if (config_write_heading(&s->text, false, s->name, err) < 0 ||
	    add_line(s, "via", "service", err) < 0 ||
	    add_given(s, &has_from, &has_aliases, &has_domain, err) < 0)
		return -1;
	if (!has_from && add_line(s, "from", from, err) < 0)
		return -1;
	if (!has_aliases && access("/etc/aliases", F_OK) == 0 &&
	    add_line(s, "aliases", "/etc/aliases", err) < 0)
		return -1;
	return has_domain || !domain ? 0 : add_line(s, "default_domain", domain, err);
}

/* --- writing ----------------------------------------------------------------------------- */

static int put_account(const struct service_setup *s, struct config_append *file, const char *text,
	       size_t n, struct error *err)
{
	if (config_append_stage(file, text, n, err) < 0 || config_append_commit(file, err) < 0)
		return -1;
	report_line(s->inv, "account '%s' written to %s", s->name, config_append_path(file));
	return 0;
}

/* It may have been root's alone, with a password in it: that is root's to say. */
static bool access_of_all(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_mode & S_IROTH;
}

static int put_own(const struct service_setup *s, const struct strbuf *text, const char *name,
		   const struct secret *secret, struct error *err)
{
	const bool kept = name && secret_is_set(secret);

	if (kept && machine_secret(&s->machine, name, secret, err) < 0)
		return -1;
	if (kept)
		report_line(s->inv, "its password written to %s/%s, for the service alone",
			    MACHINE_SECRETS, name);
	if (put_account(s, s->own, text->buf, text->len, err) == 0)
		return 0;
	if (kept)
		(void)unlink(arena_printf(s->arena, "%s/%s", MACHINE_SECRETS, name));
	return -1;
}

int service_setup_write(struct service_setup *s, const struct strbuf *own_text,
			const char *secret_name, const struct secret *secret, struct error *err)
{
	if (machine_user(&s->machine, err) < 0 || machine_folders(&s->machine, err) < 0)
		return -1;
	if (s->in_own)
		report_line(s->inv, "account '%s' stands in %s already", s->name, MACHINE_CONFIG);
	else if (put_own(s, own_text, secret_name, secret, err) < 0)
		return -1;
	if (machine_confide(&s->machine, MACHINE_CONFIG, err) < 0)
		return -1;
	if (s->in_users)
		report_line(s->inv, "account '%s' stands in %s already", s->name, USERS_FILE);
	else if (put_account(s, s->users, s->text.buf, s->text.len, err) < 0)
		return -1;
	if (access_of_all(USERS_FILE))
		machine_start(&s->machine);
	else
		report_line(s->inv, "users cannot read %s: when no password stands in it, run "
			    "'chmod 644 %s', and this again", USERS_FILE, USERS_FILE);
	return 0;
}
