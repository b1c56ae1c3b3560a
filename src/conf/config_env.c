/*
 * The environment: MSUBMIT_... as settings, and what stands for ${...} and %... in values.
 */
#include "config.h"
#include "conf/config_parts.h"

#include <limits.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "message/ident.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/text.h"
#include "util/xalloc.h"

#define PREFIX "MSUBMIT_"
#define RESULT_MAX (1 << 20)
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
#define DIGITS "0123456789"

/* --- MSUBMIT_* ------------------------------------------------------------------ */

/* "MSUBMIT_HOSR: unknown variable; did you mean MSUBMIT_HOST?" */
static int unknown_variable(const char *key, struct arena *arena, struct error *err)
{
	const char *nearest = setting_nearest(SCOPE_ACCOUNT, key);

	if (!nearest)
		nearest = setting_nearest(SCOPE_LISTEN, key);
	error_set(err, FAULT_CONFIG, "environment: %s%.100s: unknown variable", PREFIX, key);
	if (!nearest)
		return -1;
	char *name = arena_strdup(arena, nearest);

	for (char *p = name; *p; p++) {
		if (*p >= 'a' && *p <= 'z')
			*p = (char)(*p - 'a' + 'A');
	}
	return error_append(err, "; did you mean %s%s?", PREFIX, name);
}

/* entry = key "=" value, behind the prefix */
static int take_variable(struct config *c, struct config_file **f, struct section *made[2],
			 char *entry, struct error *err)
{
	char *equals = strchr(entry, '=');
	char *key = arena_strndup(c->arena, entry, (size_t)(equals - entry));
	enum setting_scope scope = SCOPE_ACCOUNT;
	const struct setting *row = setting_find(scope, key);

	if (!row) {
		scope = SCOPE_LISTEN;
		row = setting_find(scope, key);
	}
	if (!row || strchr(key, '-'))
		return unknown_variable(key, c->arena, err);
	if (!*f)
		*f = config_file_add(c, "environment", ORIGIN_ENVIRONMENT);
	if (!made[scope])
		made[scope] = config_section_add(c, *f, scope, "default");
	config_assign(c, &made[scope]->own, row, equals + 1)->place = (*f)->name;
	return 0;
}

int config_env_read(struct config *c, struct error *err)
{
	struct config_file *f = NULL;
	struct section *made[2] = { NULL, NULL };
	const size_t prefix = strlen(PREFIX);

	if (getuid() != geteuid() || getgid() != getegid())
		return 0;
	for (char **entry = environ; entry && *entry; entry++) {
		if (strncmp(*entry, PREFIX, prefix) == 0 && strchr(*entry, '=') &&
		    take_variable(c, &f, made, *entry + prefix, err) < 0)
			return -1;
	}
	struct section *account = made[SCOPE_ACCOUNT];

	if (account && !config_names_server(&account->own) &&
	    !config_names_server(&c->options[SCOPE_ACCOUNT])) {
		strbuf_addstr(&c->searched, ", environment (MSUBMIT_HOST unset)");
		account->shadowed = true;
	}
	return 0;
}

/* What was put together, unless rc says that it failed. */
static int finish_value(struct arena *a, struct strbuf *full, int rc, const char **out,
			struct error *err)
{
	if (rc == 0 && strbuf_overflow(full))
		rc = error_set(err, FAULT_CONFIG, "the value is too long");
	if (rc == 0)
		*out = arena_strdup(a, full->buf);
	strbuf_release(full);
	return rc;
}

/* --- ${NAME} ----------------------------------------------------------------------- */

/* reference = "${" name "}"; p points behind the brace. NULL and err, or where it goes on. */
static const char *add_variable(struct arena *a, struct strbuf *out, const char *p,
				struct error *err)
{
	size_t n = strspn(p, LETTERS DIGITS);

	if (n == 0 || p[n] != '}' || strchr(DIGITS, *p)) {
		error_set(err, FAULT_CONFIG,
			  "'${' begins no variable '${NAME}' (write '$${' for the text itself)");
		return NULL;
	}
	const char *name = arena_strndup(a, p, n);
	const char *value = secure_getenv(name);

	if (!value) {
		error_set(err, FAULT_CONFIG, "environment variable '%.100s' is not set",
			  name);
		return NULL;
	}
	strbuf_addstr(out, value);
	return p + n + 1;
}

int config_env_expand(struct arena *a, const char *value, const char **out, struct error *err)
{
	struct strbuf full = STRBUF_INIT(RESULT_MAX);
	const char *p = value;

	while (p && *p) {
		if (strncmp(p, "$${", 3) == 0) {
			strbuf_addstr(&full, "${");
			p += 3;
		} else if (strncmp(p, "${", 2) == 0) {
			p = add_variable(a, &full, p + 2, err);
		} else {
			strbuf_addch(&full, *p++);
		}
	}
	return finish_value(a, &full, p ? 0 : -1, out, err);
}

/* --- @PATH ------------------------------------------------------------------------- */

int config_env_file(struct arena *a, const char *value, const char **out, struct error *err)
{
	struct strbuf text = STRBUF_SECRET(RESULT_MAX);
	char *path = fs_expand_home(value + 1);
	int rc = fs_read_file(path, 0, &text, err);
	size_t n = strcspn(text.buf, "\r\n");

	if (rc == 0 && n < text.len && text.buf[n] == '\0')
		rc = error_set(err, FAULT_CONFIG, "%s holds a NUL octet", path);
	if (rc == 0)
		*out = arena_strndup(a, text.buf, n);
	else
		error_recast(err, FAULT_CONFIG);
	strbuf_release(&text);
	xfree(path);
	return rc;
}

/* --- %U, %H, %D, %C, %M ------------------------------------------------------------------ */

static const char *login_name(struct arena *a)
{
	const char *user = secure_getenv("USER");

	if (!user || !*user)
		user = secure_getenv("LOGNAME");
	return user && *user ? user : ident_login(a);
}

static const char *host_name(struct arena *a)
{
	const char *name = secure_getenv("HOSTNAME");
	char own[HOST_NAME_MAX + 1];

	if (name && *name)
		return name;
	if (gethostname(own, sizeof(own)) < 0)
		return "localhost";
	own[sizeof(own) - 1] = '\0';
	return arena_strdup(a, own);
}

static const char *canonical_name(struct arena *a)
{
	const struct addrinfo hints = { .ai_flags = AI_CANONNAME, .ai_socktype = SOCK_STREAM };
	const char *name = host_name(a);
	struct addrinfo *found = NULL;

	if (getaddrinfo(name, NULL, &hints, &found) == 0) {
		if (found->ai_canonname)
			name = arena_strdup(a, found->ai_canonname);
		freeaddrinfo(found);
	}
	return name;
}

/* What follows the host's own label in its full name. */
static const char *domain_name(struct arena *a)
{
	const char *name = host_name(a);

	if (!strchr(name, '.'))
		name = ident_host(a);
	return name ? strchr(name, '.') + 1 : NULL;
}

static const struct pattern {
	char letter;
	const char *(*find)(struct arena *a);
} patterns[] = {
	{ 'U', login_name }, { 'H', host_name }, { 'D', domain_name }, { 'C', canonical_name },
	{ 'M', ident_mailname },
};

static int add_pattern(struct arena *a, struct strbuf *out, char letter, struct error *err)
{
	const struct pattern *p = patterns, *end = patterns + ARRAY_LEN(patterns);

	while (p < end && p->letter != letter)
		p++;
	if (p == end) {		/* msmtp leaves what it does not know */
		strbuf_addch(out, '%');
		if (letter)
			strbuf_addch(out, letter);
		return 0;
	}
	const char *text = p->find(a);

	if (!text)
		return error_set(err, FAULT_CONFIG, "'%%%c' cannot be replaced: %s", letter,
				 letter == 'D' ? "the host's name has no domain" :
						 "no name in /etc/mailname");
	if (text_has_control(text, strlen(text)))
		return error_set(err, FAULT_CONFIG,
				 "'%%%c' cannot be replaced: control characters", letter);
	strbuf_addstr(out, text);
	return 0;
}

int config_env_patterns(struct arena *a, const char *value, const char **out, struct error *err)
{
	struct strbuf full = STRBUF_INIT(RESULT_MAX);
	int rc = 0;

	for (const char *p = value; rc == 0 && *p; p++) {
		if (*p != '%') {
			strbuf_addch(&full, *p);
			continue;
		}
		rc = add_pattern(a, &full, p[1], err);
		p += p[1] != '\0';
	}
	return finish_value(a, &full, rc, out, err);
}
