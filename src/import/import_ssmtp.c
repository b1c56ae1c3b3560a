/* The configuration of sSMTP. */
#include "config.h"
#include "import/import_parts.h"

#include <pwd.h>
#include <string.h>
#include <strings.h>

#include "util/arena.h"
#include "util/error.h"

/*
 * ssmtp.conf: "key=value" lines, '#' begins a comment anywhere, a value ends
 * at a blank, '=' or ':'. revaliases: "login:address[:server[:port]]".
 */

static const char quiet[] = "no equivalent: see --debug and syslog";

static const struct import_row ssmtp_rows[] = {
	{ .key = "mailhub" }, { .key = "remoteport" }, { .key = "usetls" },
	{ .key = "usestarttls" }, { .key = "authuser" }, { .key = "authpass" },
	{ .key = "authmethod" }, { .key = "rewritedomain" }, { .key = "hostname" },
	{ .key = "fromlineoverride" }, { .key = "root" }, { .key = "usetlscert" },
	{ .key = "tlscert" }, { .key = "tlskey" },
	{ .key = "tls_ca_file", .ours = "tls_trust_file" },
	{ .key = "tls_ca_dir", .ours = "tls_trust_dir" },
	{ .key = "debug", .why = quiet },
	{ .key = "addheader", .why = "no equivalent: programs write their own header fields" },
	{ .key = "useoldauth", .why = "no equivalent: sign-in of before RFC 2554" },
};

/* The first word of the value, which is all that sSMTP takes of it; ':' ends it where told. */
static char *first_word(struct import_source *src, const char *key, char *value,
			const char *ends, unsigned line)
{
	value += strspn(value, " \t=");
	const size_t n = strcspn(value, ends);
	const char *rest = value + n + strspn(value + n, " \t");
	const struct import_value v = { .key = key, .line = line };

	if (*rest)
		import_note(src, &v, "sSMTP takes the value only up to a blank, '=', ':' or '#': "
			    "what stands behind it was left out");
	value[n] = '\0';
	return value;
}

static void read_line(struct import_source *src, char *line, unsigned number)
{
	char *hash = strchr(line, '#'), *equals;

	if (hash)
		*hash = '\0';
	char *key = import_trim(line);

	equals = strchr(key, '=');
	if (!*key)
		return;
	struct import_value v = { .key = "", .line = number };

	if (!equals) {	/* which may be a password without its key */
		import_note(src, &v, "no '=' in this line");
		return;
	}
	*equals = '\0';
	v.key = key = import_trim(key);
	const bool whole = strcasecmp(key, "mailhub") == 0 || strcasecmp(key, "addheader") == 0 ||
			   strcasecmp(key, "root") == 0;
	const bool colons = strcasecmp(key, "authuser") == 0 || strncasecmp(key, "tls", 3) == 0;
	char *value = whole ? import_trim(equals + 1) :
		first_word(src, key, equals + 1, colons ? " \t" : " \t=:", number);

	if (hash && strcasecmp(key, "authpass") == 0)
		import_note(src, &v, "sSMTP takes the value only up to '#': what stands behind "
			    "it was left out");
	if (*value)
		import_add(src, key, value, number);
}

/* server = host [":" port]; returns the host. */
static const char *split_server(struct import *im, const char *server, unsigned *port)
{
	const char *colon = strrchr(server, ':');

	if (*server == '[' && strchr(server, ']') > colon)
		colon = NULL;
	if (colon && strchr(server, ':') != colon && *server != '[')
		colon = NULL;		/* an IPv6 address */
	if (colon && import_port(colon + 1))
		*port = import_port(colon + 1);
	return colon ? arena_strndup(im->arena, server, (size_t)(colon - server)) : server;
}

static const char *ssmtp_tls(const struct import_source *src)
{
	if (import_is_on(import_get(src, "usestarttls")))
		return "starttls";
	return import_is_on(import_get(src, "usetls")) ? "implicit" : "off";
}

static void set_certificate(const struct import_source *src, struct import_account *a)
{
	const struct import_value *cert = import_find(src, "tlscert"),
				  *key = import_find(src, "tlskey");

	if (!cert)
		return;
	if (!key && !import_is_on(import_get(src, "usetlscert"))) {
		import_note(src, cert, "not used without UseTLSCert=YES, and left out");
		return;
	}
	import_set_certificate(src, a, "tlscert", "tlskey");
}

static void set_auth(const struct import_source *src, struct import_account *a)
{
	const struct import_value *method = import_find(src, "authmethod");

	if (!method || !import_get(src, "authuser"))
		return;
	if (strcasecmp(method->value, "cram-md5") == 0)
		import_set(src, method, a, "auth", "CRAM-MD5");
	else if (strcasecmp(method->value, "login") == 0)
		import_set(src, method, a, "auth", "LOGIN");
	else
		import_note(src, method, "not a method of sSMTP's, which takes LOGIN then");
}

/* Names below user identifier 1000 have their mail sent to Root. */
static void set_root(const struct import_source *src, const char *domain)
{
	const struct import_value *root = import_find(src, "root");
	struct strbuf *out = &src->im->aliases;
	const struct passwd *pw;

	if (!root)
		return;
	const char *at = strchr(root->value, '@') || !domain ? "" : "@";

	setpwent();
	while ((pw = getpwent())) {
		if (pw->pw_uid < 1000 && strcmp(pw->pw_name, root->value) != 0 &&
		    !strpbrk(pw->pw_name, ":#\"\\ \t"))
			strbuf_addf(out, "%s: %s%s%s\n", pw->pw_name, root->value, at,
				    *at ? domain : "");
	}
	endpwent();
}

/* --- revaliases ------------------------------------------------------------------- */

static void add_user(const struct import_source *src, const struct import_value *v, char *rest,
		     const struct import_account *base, const char *domain, bool header_wins)
{
	struct import *im = src->im;
	char *server = strchr(rest, ':');

	if (server)
		*server++ = '\0';
	if (*v->key == '\0' || *rest == '\0' || strcmp(v->key, "default") == 0) {
		import_note(src, v, "needs LOGIN:ADDRESS, and was left out");
		return;
	}
	if (!import_has_room(src))
		return;
	struct import_account *a = import_account(im, v->key);
	const char *at = strchr(rest, '@') || !domain ? "" : "@";

	a->base = base->name;
	import_set(src, v, a, "match_user", v->key);
	import_setf(src, v, a, "from", "%s%s%s", rest, at, *at ? domain : "");
	import_set(src, v, a, "from_override", header_wins ? "any" : "no");
	if (server && *server) {
		unsigned port = 0;

		import_set(src, v, a, "host", split_server(im, server, &port));
		if (port)
			import_setf(src, v, a, "port", "%u", port);
	}
}

static int read_revaliases(struct import *im, const char *path, const struct import_account *base,
			   const char *domain, bool header_wins, struct error *err)
{
	struct import_source src = { .im = im };
	struct import_text *t;
	struct import_lines l;
	char *line;

	if (import_open(im, path, false, &t, err) < 0)
		return -1;
	/* the place that is built into sSMTP */
	if (!t && import_open(im, "/etc/ssmtp/revaliases", false, &t, err) < 0)
		return -1;
	if (!t)
		return 0;
	src.file = t->name;
	import_lines_init(&l, t);
	while ((line = import_line(&l))) {
		line[strcspn(line, "#")] = '\0';
		line = import_trim(line);
		if (!*line)
			continue;
		char *colon = strchr(line, ':');
		struct import_value v = { .key = line, .line = l.line };

		if (colon)
			*colon = '\0';
		add_user(&src, &v, colon ? import_trim(colon + 1) : line + strlen(line), base,
			 domain, header_wins);
	}
	return 0;
}

/* --- all ----------------------------------------------------------------------------- */

static const char *find_domain(const struct import_source *src)
{
	const char *domain = import_get(src, "rewritedomain"), *at;

	if (!domain)
		return import_get(src, "hostname");
	at = strrchr(domain, '@');
	return at ? at + 1 : domain;
}

static void set_mailhub(const struct import_source *src, struct import_account *a)
{
	const struct import_value *hub = import_find(src, "mailhub");
	struct import_way way = { .port = 25, .tls = ssmtp_tls(src), .unverified = true,
				  .about = hub };
	const struct import_login login = { .user = import_get(src, "authuser"),
					    .password = import_get(src, "authpass") };
	const char *port = import_get(src, "remoteport");

	if (port && import_port(port))
		way.port = import_port(port);
	way.host = split_server(src->im, hub ? hub->value : "mailhub", &way.port);
	import_set_way(src, a, &way, &login);
	set_auth(src, a);
	set_certificate(src, a);
}

static int read_ssmtp(struct import *im, struct import_text *t, struct error *err)
{
	struct import_source src = { .im = im, .file = t->name, .fold = true };
	struct import_account *a = import_account(im, "default");
	struct import_lines l;
	char *line;

	import_lines_init(&l, t);
	while ((line = import_line(&l)))
		read_line(&src, line, l.line);
	set_mailhub(&src, a);
	import_apply(&src, ssmtp_rows, ARRAY_LEN(ssmtp_rows), a);
	const char *domain = find_domain(&src), *name = import_get(&src, "hostname");
	const bool header_wins = import_is_on(import_get(&src, "fromlineoverride"));

	if (name)
		import_set(&src, import_find(&src, "hostname"), a, "domain", name);
	import_set_login_sender(&src, a, domain ? domain : "%H", header_wins ? "any" : "no");
	if (header_wins)
		import_set(&src, import_find(&src, "fromlineoverride"), a, "read_envelope_from",
			   "on");
	import_set(&src, NULL, a, "aliases", "");	/* sSMTP has none */
	set_root(&src, domain);
	if (!import_find(&src, "mailhub") && !src.first)
		return error_set(err, FAULT_FOREIGN_CONFIG, "%s has no line 'key=value'", t->name);
	return read_revaliases(im, import_beside(im, t->name, "revaliases"), a, domain,
			       header_wins, err);
}

const struct import_format import_ssmtp = {
	.type = "ssmtp", .program = "sSMTP", .name = "ssmtp.conf",
	.rows = ssmtp_rows, .row_count = ARRAY_LEN(ssmtp_rows), .fold = true, .read = read_ssmtp,
};
