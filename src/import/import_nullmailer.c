/* The configuration of nullmailer. */
#include "config.h"
#include "import/import_parts.h"

#include <string.h>

#include "message/ident.h"
#include "util/arena.h"

/*
 * A folder of files: "remotes" has a line for each server, "HOST [PROTOCOL
 * [OPTION...]]", in the words of a shell; the others hold one value, their
 * first line.
 */

/* The files beside remotes. */
static const struct import_row files[] = {
	{ .key = "me" }, { .key = "defaultdomain" }, { .key = "defaulthost" },
	{ .key = "adminaddr" }, { .key = "allmailfrom" },
	{ .key = "helohost", .ours = "domain" },
	{ .key = "sendtimeout", .ours = "total_timeout" },
	{ .key = "idhost", .why = "no equivalent: Message-ID gets the sender's domain" },
	{ .key = "pausetime", .why = IMPORT_NO_QUEUE },
	{ .key = "maxpause", .why = IMPORT_NO_QUEUE },
	{ .key = "queuelifetime", .why = IMPORT_NO_QUEUE },
	{ .key = "doublebounceto", .why = "no equivalent: failures are reported by exit status" },
	{ .key = "bouncelines", .why = "no equivalent: failures are reported by exit status" },
};

/* Options of a line of remotes, which may have "--" in front. */
static const struct import_row options[] = {
	{ .key = "port" }, { .key = "p" }, { .key = "user" }, { .key = "pass" },
	{ .key = "auth-login" }, { .key = "tls" }, { .key = "ssl" }, { .key = "starttls" },
	{ .key = "insecure" }, { .key = "x509certfile" }, { .key = "x509keyfile" },
	{ .key = "source", .ours = "source_ip" },
	{ .key = "x509cafile", .ours = "tls_trust_file" },
	{ .key = "x509crlfile", .ours = "tls_crl_file" },
	{ .key = "x509fmtder", .why = "no equivalent: convert the files to PEM" },
	{ .key = "tls-anon-auth", .why = "no equivalent: there must be a certificate" },
	{ .key = "daemon", .why = "no equivalent" }, { .key = "d", .why = "no equivalent" },
	{ .key = "syslog", .ours = "syslog" }, { .key = "s", .why = "see syslog" },
};

/* Only remotes has a content of its own to be told by. */
static bool is_remote(const char *line)
{
	const size_t name = strcspn(line, " \t\r\n#=");

	return name && (strncmp(line + name, " smtp ", 6) == 0 ||
			strncmp(line + name, " smtp\n", 6) == 0 ||
			strncmp(line + name, " qmqp", 5) == 0);
}

/* --- remotes --------------------------------------------------------------------------- */

/* The next word of a line in place, quoted as for a shell; NULL behind the last. */
static char *next_word(char **line)
{
	char *p = *line + strspn(*line, " \t"), *start = p, *to = p, quote = '\0';

	if (!*p)
		return NULL;
	for (; *p && (quote || (*p != ' ' && *p != '\t')); p++) {
		if (quote ? *p == quote : (*p == '"' || *p == '\'')) {
			quote = quote ? '\0' : *p;
			continue;
		}
		if (*p == '\\' && quote != '\'' && p[1])
			p++;
		*to++ = *p;
	}
	*line = *p ? p + 1 : p;
	*to = '\0';
	return start;
}

/* option = ["--"] name ["=" value]; "--name" "value" too, "-p" "value" */
static void read_options(struct import_source *src, char *line, unsigned number)
{
	const struct import_value v = { .key = "", .line = number };
	char *word;

	while ((word = next_word(&line))) {
		const bool dashes = *word == '-';

		word += strspn(word, "-");
		char *value = strchr(word, '=');

		if (value)
			*value++ = '\0';
		if (!import_find_row(options, ARRAY_LEN(options), word, false)) {
			/* perhaps a part of a password: it is not shown */
			import_note(src, &v, "a word that is no option of nullmailer's, left out");
			continue;
		}
		if (!value && dashes &&
		    (strcmp(word, "port") == 0 || strcmp(word, "p") == 0 ||
		     strcmp(word, "user") == 0 || strcmp(word, "pass") == 0))
			value = next_word(&line);
		import_add(src, word, value ? value : "", number);
	}
}

static const char *remote_tls(const struct import_source *src)
{
	if (import_find(src, "tls") || import_find(src, "ssl"))
		return "implicit";
	return import_find(src, "starttls") ? "starttls" : "off";
}

static void set_remote_tls(const struct import_source *src, struct import_account *a,
			     bool has_user)
{
	const struct import_value *insecure = import_find(src, "insecure");

	import_set_certificate(src, a, "x509certfile", "x509keyfile");
	if (!insecure || strcmp(remote_tls(src), "off") == 0)
		return;
	import_set(src, insecure, a, "tls_certcheck", "off");
	if (has_user)
		import_set(src, insecure, a, "tls_allow_insecure_auth", "on");
	import_note(src, insecure, "the server's certificate is not looked at, as before: tls_pin "
		    "would be better");
}

/* One server. */
static void read_remote(struct import *im, const char *file, const char *host, char *rest,
			unsigned line, struct import_account *a)
{
	struct import_source src = { .im = im, .file = file };
	const struct import_value about = { .key = host, .line = line };

	read_options(&src, rest, line);
	const char *port = import_get(&src, import_find(&src, "port") ? "port" : "p");
	const struct import_login login = { .user = import_get(&src, "user"),
					    .password = import_get(&src, "pass") };
	struct import_way way = { .host = host, .tls = remote_tls(&src), .about = &about };

	way.port = port ? import_port(port) : strcmp(way.tls, "implicit") == 0 ? 465 : 25;
	if (!way.port)
		import_note(&src, &about, "'%s' is no port", port);
	import_set_way(&src, a, &way, &login);
	if (import_find(&src, "auth-login"))
		import_set(&src, &about, a, "auth", "LOGIN");
	set_remote_tls(&src, a, login.user != NULL);
	for (struct import_value *v = src.first; v; v = v->next) {
		if (strcmp(v->key, "syslog") == 0)
			v->value = "on";
	}
	import_apply(&src, options, ARRAY_LEN(options), a);
}

static const char *with_port(struct import *im, const char *host, const char *port)
{
	const bool bare = strchr(host, ':') && *host != '[';

	return arena_printf(im->arena, bare ? "[%s]:%s" : "%s:%s", host, port);
}

/* Do they say the same but for the address of the server? */
static bool are_alike(const struct import_setting *a, const struct import_setting *b)
{
	for (; a && b && strcmp(a->key, b->key) == 0; a = a->next, b = b->next) {
		const char *one = a->secret.data ? a->secret.data : a->value,
			   *other = b->secret.data ? b->secret.data : b->value;

		if (strcmp(a->key, "host") != 0 && strcmp(a->key, "port") != 0 &&
		    strcmp(one, other) != 0)
			return false;
	}
	return !a && !b;
}

/* Further servers that are like the first become items of its list. */
static bool join(const struct import_source *src, struct import_account *first,
		 struct import_account *next, const struct import_value *v)
{
	const char *host = import_value_of(first, "host"), *more = import_value_of(next, "host");
	const char *port = import_value_of(next, "port");
	const char *own_port = import_value_of(first, "port");

	if (!host || !more || !port || !own_port || !are_alike(first->first, next->first))
		return false;
	more = with_port(src->im, more, port);
	if (!strchr(host, ','))
		host = with_port(src->im, host, own_port);
	return import_setf(src, v, first, "host", "%s, %s", host, more);
}

static void drop(struct import *im, const struct import_account *a)
{
	for (struct import_account **at = &im->first; *at; at = &(*at)->next) {
		if (*at == a) {
			for (struct import_setting *s = (*at)->first; s; s = s->next)
				secret_release(&s->secret);
			*at = (*at)->next;
			return;
		}
	}
}

static void add_remote(struct import *im, struct import_text *t, char *line, unsigned number,
		       unsigned *count)
{
	const struct import_source src = { .im = im, .file = t->name };
	const char *host = next_word(&line), *protocol = next_word(&line);
	const struct import_value v = { .key = host, .line = number };
	struct import_account *first = import_account(im, "default"), *a;

	if (protocol && strcmp(protocol, "smtp") != 0) {
		import_note(&src, &v, "protocol '%.40s' is not known here, and left out", protocol);
		return;
	}
	if (++*count == 1) {
		read_remote(im, t->name, host, line, number, first);
		return;
	}
	if (!import_has_room(&src))
		return;
	a = import_account(im, arena_printf(im->arena, "remote%u", *count));
	read_remote(im, t->name, host, line, number, a);
	if (join(&src, first, a, &v))
		drop(im, a);
	else
		import_note(&src, &v, "differs from the first server: it is account '%s', which "
			    "nothing chooses by itself", a->name);
}

/* --- the other files ------------------------------------------------------------------------ */

static int read_files(struct import *im, const char *remotes, struct import_source *src,
		      struct error *err)
{
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		const char *path = import_beside(im, remotes, files[i].key), *value;

		if (import_first_line(im, path, &value, err) < 0)
			return -1;
		if (value)
			import_add(src, files[i].key, value, 0);
	}
	return 0;
}

/* A host without a dot gets the default domain. */
static const char *complete(const struct import_source *src, const char *host)
{
	const char *domain = import_get(src, "defaultdomain");

	if (!host || strchr(host, '.') || strcmp(host, "localhost") == 0 || !domain)
		return host;
	return arena_printf(src->im->arena, "%s.%s", host, domain);
}

/* Mail to names at localhost and at this host goes to adminaddr. */
static void set_admin(const struct import_source *src, struct import_account *a, const char *me,
		      const char *host)
{
	const struct import_value *admin = import_find(src, "adminaddr");

	import_set(src, NULL, a, "aliases", "");	/* nullmailer has none */
	if (!admin)
		return;
	import_setf(src, admin, a, "local_domains", me ? "localhost, %s" : "localhost", me);
	strbuf_addf(&src->im->aliases, "default: %s\n", admin->value);
	if (host && (!me || strcmp(host, me) != 0))
		import_note(src, admin, "names without a domain go there too, not to '%s'", host);
}

static void set_all_sender(const struct import_source *src, struct import_account *a)
{
	const struct import_value *all = import_find(src, "allmailfrom");
	const char *me = ident_mailname(src->im->arena);

	me = complete(src, me && *me ? me : import_get(src, "me"));
	const char *host = complete(src, import_get(src, "defaulthost"));

	host = host ? host : me;
	import_set_login_sender(src, a, host ? host : "%H", "any");
	if (all) {
		import_set(src, all, a, "from", all->value);
		import_set(src, all, a, "from_override", "no");
	}
	if (me && !import_find(src, "helohost"))
		import_set(src, NULL, a, "domain", me);
	set_admin(src, a, me, host);
}

static int read_nullmailer(struct import *im, struct import_text *t, struct error *err)
{
	struct import_source src = { .im = im, .file = import_beside(im, t->name, "") };
	struct import_lines l;
	unsigned count = 0;
	char *line;

	import_lines_init(&l, t);
	while ((line = import_entry(&l)))
		add_remote(im, t, line, l.line, &count);
	if (!*src.file)
		src.file = t->name;
	if (read_files(im, t->name, &src, err) < 0)
		return -1;
	/* what counts for all servers */
	struct import_account *a = import_account(im, im->first && im->first->next ? NULL :
						      "default");

	import_apply(&src, files, ARRAY_LEN(files), a);
	set_all_sender(&src, a);
	return 0;
}

const struct import_format import_nullmailer = {
	.type = "nullmailer", .program = "nullmailer", .name = "remotes",
	.score = is_remote, .read = read_nullmailer,
};
