/* The configuration of Postfix: main.cf and the tables that it names. */
#include "config.h"
#include "import/import_parts.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "util/arena.h"
#include "util/error.h"
#include "util/text.h"

/*
 * main.cf: "name = value" in logical lines, "$name" stands for another
 * parameter, the last definition counts. Of the tables that it names the
 * text forms are read: the source of hash: and the like, texthash:, inline:.
 */

static const char other_kind[] = "no equivalent: msubmit only hands mail to a server";
static const char local[] = "no equivalent: nothing is delivered on this machine";
static const char server_side[] = "no equivalent: for a listener see -bd and [listen]";

static const char *convert_protocols(struct import *im, const char *value, const char **why)
{
	const bool v4 = strstr(value, "ipv4") != NULL, v6 = strstr(value, "ipv6") != NULL;

	(void)im, (void)why;
	if (strstr(value, "all") || (v4 && v6))
		return "any";
	return v6 ? "ipv6" : "ipv4";
}

/* Postfix counts 0 as no limit, as we do. */
static const char *convert_time(struct import *im, const char *value, const char **why)
{
	const size_t n = strspn(value, "0123456789");

	if (n && value[n] == 'w' && !value[n + 1])
		return arena_printf(im->arena, "%ud", (unsigned)strtoul(value, NULL, 10) * 7);
	if (!n || (value[n] && (!strchr("smhd", value[n]) || value[n + 1])))
		*why = "not a time, and left out";
	return *why ? NULL : value;
}

/* The same limit here and there. */
#define TIME(name) { .key = "smtp_" name, .ours = name, .convert = convert_time }

static const struct import_row postfix_rows[] = {
	/* what the functions below look at themselves */
	{ .key = "relayhost" }, { .key = "myhostname" }, { .key = "mydomain" },
	{ .key = "myorigin" }, { .key = "alias_maps" }, { .key = "message_size_limit" },
	{ .key = "smtp_tls_security_level" }, { .key = "smtp_tls_wrappermode" },
	{ .key = "smtp_use_tls" }, { .key = "smtp_enforce_tls" },
	{ .key = "smtp_sasl_auth_enable" }, { .key = "smtp_sasl_password_maps" },
	{ .key = "smtp_sasl_security_options" }, { .key = "smtp_sasl_tls_security_options" },
	{ .key = "smtp_sasl_tls_verified_security_options" },
	{ .key = "smtp_sasl_mechanism_filter" }, { .key = "smtp_sender_dependent_authentication" },
	{ .key = "sender_dependent_relayhost_maps" }, { .key = "smtp_generic_maps" },
	{ .key = "sender_canonical_maps" }, { .key = "recipient_canonical_maps" },
	{ .key = "canonical_maps" },
	{ .key = "smtp_tls_cert_file" }, { .key = "smtp_tls_key_file" },
	{ .key = "smtp_tls_fingerprint_cert_match" }, { .key = "smtp_tls_fingerprint_digest" },
	{ .key = "smtp_bind_address" }, { .key = "smtp_bind_address6" },
	{ .key = "local_transport" }, { .key = "mydestination" }, { .key = "always_bcc" },
	/* what has a key of ours */
	{ .key = "smtp_helo_name", .ours = "domain" },
	{ .key = "inet_protocols", .ours = "address_family", .convert = convert_protocols },
	{ .key = "smtp_tls_CAfile", .ours = "tls_trust_file" },
	{ .key = "smtp_tls_CApath", .ours = "tls_trust_dir" },
	TIME("connect_timeout"), TIME("helo_timeout"), TIME("starttls_timeout"),
	TIME("mail_timeout"), TIME("rcpt_timeout"), TIME("data_init_timeout"),
	TIME("data_xfer_timeout"), TIME("data_done_timeout"), TIME("rset_timeout"),
	TIME("quit_timeout"),
	/* what has none */
	{ .key = "smtp_pix_*", .why = "no equivalent: no firewall needs it any more" },
	{ .key = "smtp_tls_session_cache_*", .why = "see tls_session_cache" },
	{ .key = "smtp_tls_loglevel", .why = "see --debug" },
	{ .key = "smtp_tls_*protocols", .why = "see tls_min_version and tls_priorities" },
	{ .key = "smtp_tls_*ciphers", .why = "see tls_priorities" },
	{ .key = "smtp_tls_policy_maps", .why = "no equivalent: see tls of each account" },
	{ .key = "smtpd_*", .why = server_side }, { .key = "inet_interfaces", .why = server_side },
	{ .key = "mynetworks*", .why = server_side }, { .key = "postscreen_*", .why = server_side },
	{ .key = "*_restrictions", .why = server_side }, { .key = "milter_*", .why = server_side },
	{ .key = "non_smtpd_*", .why = server_side },
	{ .key = "alias_database", .why = "no equivalent: aliases need not be compiled" },
	{ .key = "mailbox_*", .why = local }, { .key = "home_mailbox", .why = local },
	{ .key = "virtual_*", .why = local }, { .key = "local_*", .why = local },
	{ .key = "recipient_delimiter", .why = local }, { .key = "biff", .why = local },
	{ .key = "owner_*", .why = local }, { .key = "mail_spool_directory", .why = local },
	{ .key = "*_queue_*", .why = IMPORT_NO_QUEUE },
	{ .key = "queue_*", .why = IMPORT_NO_QUEUE },
	{ .key = "*_backoff_time", .why = IMPORT_NO_QUEUE },
	{ .key = "delay_*", .why = IMPORT_NO_QUEUE },
	{ .key = "bounce_*", .why = IMPORT_NO_QUEUE },
	{ .key = "defer_*", .why = IMPORT_NO_QUEUE },
	{ .key = "masquerade_*", .why = "no equivalent: use [rewrite]" },
	{ .key = "relocated_maps", .why = other_kind },
	{ .key = "transport_maps",
	  .why = "no equivalent: an account with match_to serves some recipients" },
	{ .key = "*", .why = other_kind },
};

/* --- parameters: defaults, and values that name others ------------------------------ */

#define DEPTH_MAX 20
#define VALUE_MAX (1 << 16)

static const char *host_name(struct import *im)
{
	char name[HOST_NAME_MAX + 1];

	if (gethostname(name, sizeof(name)) < 0)
		return "localhost";
	name[sizeof(name) - 1] = '\0';
	return arena_strdup(im->arena, name);
}

/* What $name is when the file does not say. */
static const char *default_of(const struct import_source *src, const char *name)
{
	static const struct {
		const char *name, *value;
	} known[] = {
		{ "config_directory", "/etc/postfix" }, { "data_directory", "/var/lib/postfix" },
		{ "queue_directory", "/var/spool/postfix" }, { "mail_owner", "postfix" },
		{ "default_database_type", "hash" }, { "default_cache_db_type", "btree" },
		{ "myorigin", "$myhostname" }, { "smtp_helo_name", "$myhostname" },
		{ "alias_maps", "hash:/etc/aliases" }, { "alias_database", "hash:/etc/aliases" },
		{ "smtp_sasl_security_options", "noplaintext, noanonymous" },
	};

	if (strcmp(name, "myhostname") == 0)
		return host_name(src->im);
	if (strcmp(name, "mydomain") == 0) {
		const char *host = import_get(src, "myhostname");
		const char *dot = strchr(host ? host : host_name(src->im), '.');

		return dot ? dot + 1 : "localdomain";
	}
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strcmp(known[i].name, name) == 0)
			return known[i].value;
	}
	return NULL;
}

/* --- $name -------------------------------------------------------------------------------- */

static bool expand(const struct import_source *src, const char *value, unsigned depth,
		   struct strbuf *out);

/* The end of what is in the bracket at p; NULL if it is not closed. */
static const char *closing(const char *p)
{
	const char open = *p, close = open == '(' ? ')' : '}';
	unsigned depth = 0;

	for (; *p; p++) {
		depth += *p == open;
		if (*p == close && --depth == 0)
			return p;
	}
	return NULL;
}

/* reference = name / name "?" text / name ":" text, where text may be in braces */
static bool expand_reference(const struct import_source *src, const char *text, size_t n,
			     unsigned depth, struct strbuf *out)
{
	char *copy = arena_strndup(src->im->arena, text, n), *op = copy + strcspn(copy, "?:");
	const char kind = *op;

	*op = '\0';
	const char *value = import_get(src, import_trim(copy));
	char *then = kind ? op + 1 : NULL, *otherwise = NULL;

	if (!value)
		value = default_of(src, copy);
	if (then && *then == '{') {
		char *end = (char *)closing(then);

		if (!end)
			return false;
		otherwise = end[1] == ':' ? end + 2 : NULL;
		*end = '\0';
		then++;
	}
	if (otherwise && *otherwise == '{') {
		otherwise[strlen(otherwise) - 1] = '\0';
		otherwise++;
	}
	const bool set = value && *value;

	if (!kind)
		return !value || expand(src, value, depth + 1, out);
	if (set == (kind == '?'))
		return expand(src, then, depth + 1, out);
	return !otherwise || expand(src, otherwise, depth + 1, out);
}

/* value = *( "$$" / "$" name / "${" reference "}" / "$(" reference ")" / any ) */
static bool expand(const struct import_source *src, const char *p, unsigned depth,
		   struct strbuf *out)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789_";
	bool good = depth < DEPTH_MAX && !strbuf_overflow(out);

	while (good && *p) {
		const size_t name = *p == '$' ? strspn(p + 1, letters) : 0;
		const char *end;

		if (*p != '$') {
			strbuf_addch(out, *p++);
		} else if (p[1] == '$') {
			strbuf_addch(out, '$');
			p += 2;
		} else if (name) {
			good = expand_reference(src, p + 1, name, depth, out);
			p += name + 1;
		} else {
			end = p[1] == '{' || p[1] == '(' ? closing(p + 1) : NULL;
			good = end && expand_reference(src, p + 2, (size_t)(end - p) - 2, depth,
						       out);
			p = end ? end + 1 : p + 1;
		}
	}
	return good;
}

static void expand_all(struct import_source *src)
{
	for (struct import_value *v = src->first; v; v = v->next) {
		struct strbuf out = STRBUF_INIT(VALUE_MAX);

		if (!strchr(v->value, '$'))
			continue;
		const bool good = expand(src, v->value, 0, &out) && !strbuf_overflow(&out);

		if (!good)
			import_note(src, v, "what '$' begins cannot be followed, and was left out");
		v->value = arena_take(src->im->arena, &out);
		v->value = good ? v->value : "";
	}
}

/* Reads the parameters into src, "$name" replaced. */
static int read_parameters(struct import_source *src, struct import_text *t, struct error *err)
{
	struct strbuf buffer = STRBUF_INIT(IMPORT_FILE_MAX);
	struct import_lines l;
	char *line, *equals = NULL;

	import_lines_init(&l, t);
	while ((line = import_logical_line(&l, &buffer)) && (equals = strchr(line, '='))) {
		*equals = '\0';
		import_add(src, import_trim(line),
			   arena_strdup(src->im->arena, import_trim(equals + 1)), l.first);
	}
	strbuf_release_secret(&buffer);
	if (line)
		return error_set(err, FAULT_FOREIGN_CONFIG, "%s:%u: no '=' in this line", t->name,
				 l.first);
	expand_all(src);
	return 0;
}

/* --- server, TLS, signing in --------------------------------------------------------- */

/* nexthop = "[" host "]" [":" port] / host [":" port] */
static void read_nexthop(struct import *im, const char *nexthop, struct import_way *way)
{
	const char *end = *nexthop == '[' ? strchr(nexthop, ']') : NULL;
	const char *colon = strchr(end ? end : nexthop, ':');
	size_t n = end ? (size_t)(end - nexthop) - 1 : strcspn(nexthop, ":");
	const char *host = arena_strndup(im->arena, end ? nexthop + 1 : nexthop, n);

	if (strncasecmp(host, "ipv6:", 5) == 0)
		host += 5;
	way->host = strchr(host, ':') ? arena_printf(im->arena, "[%s]", host) : host;
	way->port = colon && import_port(colon + 1) ? import_port(colon + 1) : 25;
}

enum {
	LEVEL_NONE, LEVEL_MAY, LEVEL_ENCRYPT, LEVEL_DANE, LEVEL_DANE_ONLY, LEVEL_FINGERPRINT,
	LEVEL_VERIFY
};

static const struct name_value levels[] = {
	{ "none", LEVEL_NONE }, { "may", LEVEL_MAY }, { "encrypt", LEVEL_ENCRYPT },
	{ "dane", LEVEL_DANE }, { "dane-only", LEVEL_DANE_ONLY },
	{ "fingerprint", LEVEL_FINGERPRINT }, { "verify", LEVEL_VERIFY },
	{ "secure", LEVEL_VERIFY }, NAMES_END
};

/* The level, of the obsolete parameters where it is empty. */
static int tls_level(const struct import_source *src)
{
	const char *name = import_get(src, "smtp_tls_security_level");
	int level;

	if (name && names_find(levels, name, &level) == 0)
		return level;
	if (import_is_on(import_get(src, "smtp_enforce_tls")))
		return LEVEL_VERIFY;
	return import_is_on(import_get(src, "smtp_use_tls")) ? LEVEL_MAY : LEVEL_NONE;
}

/* Appends the items of a list, which seps separate, each behind `before`. */
static void add_items(struct strbuf *out, const char *list, const char *seps, const char *before)
{
	for (const char *p = list + strspn(list, seps); *p; p += strspn(p, seps)) {
		const size_t n = strcspn(p, seps);

		strbuf_addf(out, "%s%s%.*s", out->len ? ", " : "", before, (int)n, p);
		p += n;
	}
}

/* fingerprints separated by blanks, commas or "|" */
static void set_pins(const struct import_source *src, struct import_account *a)
{
	const struct import_value *v = import_find(src, "smtp_tls_fingerprint_cert_match");
	const char *digest = import_get(src, "smtp_tls_fingerprint_digest");
	struct strbuf pins = STRBUF_INIT(1 << 16);

	if (!v)
		return;
	if (!digest || strcasecmp(digest, "sha256") != 0) {
		import_note(src, v, "fingerprints by %s: tls_pin needs SHA-256, see --serverinfo",
			    digest ? digest : "MD5");
		return;
	}
	add_items(&pins, v->value, " \t,|", "cert-sha256:");
	import_set(src, v, a, "tls_pin", pins.buf);
	strbuf_release(&pins);
}

static void set_tls(const struct import_source *src, struct import_way *way,
		    struct import_account *a)
{
	const int level = tls_level(src);

	way->tls = level == LEVEL_NONE ? "off" : level == LEVEL_MAY ? "may" : "starttls";
	way->unverified = level < LEVEL_DANE;
	if (level == LEVEL_DANE || level == LEVEL_DANE_ONLY)
		import_set(src, NULL, a, "tls_dane", level == LEVEL_DANE ? "may" : "must");
	if (level == LEVEL_FINGERPRINT)
		set_pins(src, a);
	if (import_is_on(import_get(src, "smtp_tls_wrappermode")))
		way->tls = "implicit";
}

/* Is word one of a list? */
static bool has_word(const char *list, const char *word)
{
	struct strvec words = STRVEC_INIT(IMPORT_VALUES_MAX);

	strvec_split(&words, list, " \t,");
	const bool found = strvec_has(&words, word);

	strvec_release(&words);
	return found;
}

/* "!x, y" of the filter is our list; static: and the like are not. */
static const struct import_value *add_filter(const struct import_source *src, struct strbuf *list)
{
	const struct import_value *v = import_find(src, "smtp_sasl_mechanism_filter");

	if (!v || !*v->value)
		return NULL;
	if (strpbrk(v->value, ":/")) {
		import_note(src, v, "a table is no equivalent: see auth_mechanisms");
		return NULL;
	}
	add_items(list, v->value, " \t,", "");
	return v;
}

/* Nobody is anonymous here unless asked to be; of the rest only noplaintext can be said. */
static void note_options(const struct import_source *src, const struct import_value *v)
{
	static const char *const others[] = { "noactive", "nodictionary", "forward_secrecy",
					      "mutual_auth" };

	for (size_t i = 0; v && i < ARRAY_LEN(others); i++) {
		if (has_word(v->value, others[i]))
			import_note(src, v, "'%s' has no equivalent: see auth_minimum and "
				    "auth_mechanisms", others[i]);
	}
}

/* Which mechanisms may be used under TLS: without a parameter of its own those of any line. */
static void set_mechanisms(const struct import_source *src, struct import_account *a, bool tls)
{
	struct strbuf list = STRBUF_INIT(1 << 16);
	const struct import_value *filter = add_filter(src, &list),
		*any = import_find(src, "smtp_sasl_security_options"),
		*under_tls = import_find(src, "smtp_sasl_tls_security_options"),
		*used = tls && under_tls ? under_tls : any;

	note_options(src, used);
	if (tls && used && has_word(used->value, "noplaintext")) {
		strbuf_addf(&list, "%s!plain, !login", list.len ? ", " : "");
		import_set(src, used, a, "auth_legacy", "on");
		filter = filter ? filter : used;
	}
	if (filter)
		import_set(src, filter, a, "auth_mechanisms", list.buf);
	strbuf_release(&list);
}

/* Server, TLS, login, certificates for an account. */
static void set_server(const struct import_source *src, struct import_account *a,
		       const struct import_value *about, const char *nexthop,
		       const struct import_login *login)
{
	struct import_way way = { .about = about };

	const char *options = import_get(src, "smtp_sasl_security_options");

	read_nexthop(src->im, nexthop, &way);
	set_tls(src, &way, a);
	/* where nothing is said Postfix has "noplaintext, noanonymous" */
	way.no_plaintext = !options || has_word(options, "noplaintext");
	import_set_way(src, a, &way, login);
	if (*nexthop != '[')
		import_note(src, about, "'%s' itself is the server now, not the MX records of that "
			    "name", way.host);
	import_set_certificate(src, a, "smtp_tls_cert_file", "smtp_tls_key_file");
	if (login->user)
		set_mechanisms(src, a, strcmp(way.tls, "off") != 0);
}

/* --- tables: passwords, senders, generic and canonical addresses --------------------- */

/*
 * A table in text form: "key blanks value" in logical lines. Keys are in any
 * case. Of compiled kinds the text is read that they are made of.
 */

/* Called for each line of a table; the first error ends it. */
typedef int table_fn(void *ctx, const struct import_source *table, const struct import_value *v,
		     struct error *err);

static bool has_text(const char *kind, size_t n)
{
	static const char *const kinds[] = { "hash", "btree", "lmdb", "cdb", "dbm", "sdbm",
					     "texthash" };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (text_same(kind, n, kinds[i]))
			return true;
	}
	return false;
}

static int read_table(const struct import_source *src, const char *path, table_fn *take,
		      void *ctx, struct error *err)
{
	struct import_source table = { .im = src->im };
	struct strbuf buffer = STRBUF_INIT(IMPORT_FILE_MAX);
	struct import_text *t;
	struct import_lines l;
	char *line;

	if (import_open(src->im, path, true, &t, err) < 0)
		return -1;
	table.file = t->name;
	import_lines_init(&l, t);
	int rc = 0;

	while (rc == 0 && (line = import_logical_line(&l, &buffer))) {
		char *value = line + strcspn(line, " \t");

		if (*value)
			*value++ = '\0';
		const struct import_value v = { .key = line, .value = import_trim(value),
						.line = l.first };

		text_lower(line);
		rc = take(ctx, &table, &v, err);
	}
	/* it may be read again, and nothing points into it */
	strbuf_release_secret(&buffer);
	strbuf_release_secret(&t->text);
	return rc;
}

static table_fn take_login;

/* tables = *( kind ":" path ), separated by blanks or commas */
static int read_tables(const struct import_source *src, const char *parameter, table_fn *take,
		       void *ctx, struct error *err)
{
	const struct import_value *v = import_find(src, parameter);
	const char *p = v ? v->value + strspn(v->value, " \t,") : "";

	for (; *p; p += strspn(p, " \t,")) {
		const size_t n = strcspn(p, " \t,"), kind = strcspn(p, ":");
		const char *name = arena_strndup(src->im->arena, p, n);

		p += n;
		if (kind < n && has_text(name, kind)) {
			const char *path = import_beside(src->im, src->file, name + kind + 1);

			if (read_table(src, path, take, ctx, err) < 0)
				return error_prefix(err, "%s:%u: %s", src->file, v->line, v->key);
		} else if (take == take_login && strncasecmp(name, "static:", 7) == 0 &&
			   name[7] && name[7] != '{') {
			/* the same value for every key, as manuals of providers write logins */
			const struct import_value login = { .value = name + 7, .line = v->line };

			if (take(ctx, src, &login, err) < 0)
				return -1;
		} else {
			/* not what is behind the colon: "static:" has the value itself there */
			import_note(src, v, "a table of kind '%.*s' has no text form that can be "
				    "read here, and was left out",
				    (int)(kind < n ? kind : 0), name);
		}
	}
	return 0;
}

/* --- signing in ----------------------------------------------------------------------- */

static const char passwords[] = "smtp_sasl_password_maps";

/* In the order in which Postfix looks them up. */
enum { KEY_SENDER, KEY_NEXTHOP, KEY_HOST, KEY_COUNT };

struct lookup {
	const char *key[KEY_COUNT];
	unsigned best;			/* index of the key found, KEY_COUNT = none */
	struct import_login *out;
};

/* The secret is in the buffer of the line, which is used again: it is kept in a text. */
static char *keep_secret(struct import *im, const char *value)
{
	struct import_text *t = arena_alloc(im->arena, sizeof(*t));

	t->name = "";
	strbuf_init(&t->text, IMPORT_FILE_MAX);
	strbuf_addstr(&t->text, value);
	t->next = im->texts;
	im->texts = t;
	return t->text.buf;
}

/* value = user ":" password; without a key it is that of all of them */
static int take_login(void *ctx, const struct import_source *table, const struct import_value *v,
		      struct error *err)
{
	struct lookup *l = ctx;

	(void)err;
	for (unsigned i = 0; i < l->best; i++) {
		if (!l->key[i] || (v->key && strcasecmp(l->key[i], v->key) != 0))
			continue;
		char *user = keep_secret(table->im, v->value), *colon = strchr(user, ':');

		if (colon)
			*colon++ = '\0';
		l->best = i;
		*l->out = (struct import_login){ .user = user, .password = colon,
						 .file = table->file };
		if (!colon)
			import_note(table, v->key ? v : import_find(table, passwords),
				    "no ':' between user and password");
	}
	return 0;
}

/*
 * Finds who signs in at nexthop, with sender-dependent authentication for
 * that sender (or NULL). Nothing is filled when there is nobody.
 */
static int look_up_login(const struct import_source *src, const char *nexthop,
			 const char *sender, struct import_login *out, struct error *err)
{
	const bool by_sender = import_is_on(import_get(src,
						       "smtp_sender_dependent_authentication"));
	struct import_way way = { .port = 0 };
	struct lookup l = { .best = KEY_COUNT, .out = out };

	if (!import_is_on(import_get(src, "smtp_sasl_auth_enable")))
		return 0;
	read_nexthop(src->im, nexthop, &way);
	l.key[KEY_SENDER] = by_sender ? sender : NULL;
	l.key[KEY_NEXTHOP] = nexthop;
	l.key[KEY_HOST] = way.host;
	if (read_tables(src, passwords, take_login, &l, err) < 0)
		return -1;
	if (l.best == KEY_COUNT)
		import_note(src, import_find(src, "smtp_sasl_auth_enable"),
			    "smtp_sasl_password_maps has no line for '%s': it does not sign in",
			    nexthop);
	return 0;
}

/* --- servers by sender ---------------------------------------------------------------------- */

/* key = user@domain / @domain; each is an account whose 'from' it is */
static int take_sender(void *ctx, const struct import_source *table, const struct import_value *v,
		       struct error *err)
{
	const struct import_source *src = ctx;
	const bool domain = *v->key == '@';
	struct import_login login = { .user = NULL };
	const struct import_value about = { .key = v->key, .file = table->file, .line = v->line };

	if (!strchr(v->key, '@') || strncasecmp(v->value, "dunno", 5) == 0) {
		import_note(table, v, "not a rule for an address or a domain, and left out");
		return 0;
	}
	if (!import_has_room(table))
		return 0;
	struct import_account *a = import_account(table->im, v->key + domain);

	if (look_up_login(src, v->value, domain ? NULL : v->key, &login, err) < 0)
		return -1;
	a->base = import_account(table->im, "default")->name;
	set_server(src, a, &about, v->value, &login);
	if (!login.user)	/* not with the password that is for the other server */
		import_set(src, &about, a, "auth", "off");
	import_setf(src, &about, a, "from", domain ? "*%s" : "%s", v->key);
	import_set(src, &about, a, "from_override", "any");
	return 0;
}

/* --- rewriting ---------------------------------------------------------------- */

static int take_rule(void *ctx, const struct import_source *table, const struct import_value *v,
		     struct error *err)
{
	(void)ctx, (void)err;
	import_add_rule(table, v, v->key, v->value);
	return 0;
}

/*
 * Accounts of sender_dependent_relayhost_maps, rules of the other maps. Those
 * for one side alone have classes, which rewrite_classes says for all rules or
 * none.
 */
static int read_all_tables(const struct import_source *src, struct import_account *base,
			   struct error *err)
{
	static const struct {
		const char *parameter, *classes;
	} maps[] = {
		{ "smtp_generic_maps", NULL }, { "canonical_maps", NULL },
		{ "sender_canonical_maps", "envelope_sender, header_sender" },
		{ "recipient_canonical_maps", "envelope_recipient, header_recipient" },
	};

	if (read_tables(src, "sender_dependent_relayhost_maps", take_sender, (void *)src, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
		const struct import_value *v = import_find(src, maps[i].parameter);

		if (!v || !*v->value)
			continue;
		if (maps[i].classes && src->im->rewrite.len) {
			import_note(src, v, "does not go together with rules for other addresses: "
				    "see rewrite_classes");
			continue;
		}
		if (read_tables(src, maps[i].parameter, take_rule, NULL, err) < 0)
			return -1;
		if (maps[i].classes)
			import_set(src, v, base, "rewrite_classes", maps[i].classes);
	}
	return 0;
}

/* --- the rest ---------------------------------------------------------------------------- */

static void set_bind_address(const struct import_source *src, struct import_account *a)
{
	const struct import_value *v4 = import_find(src, "smtp_bind_address"),
				  *v6 = import_find(src, "smtp_bind_address6");
	const char *four = v4 ? v4->value : "", *six = v6 ? v6->value : "";

	if (*four || *six)
		import_setf(src, *four ? v4 : v6, a, "source_ip", "%s%s%s", four,
			    *four && *six ? ", " : "", six);
}

/* The address itself, or a file whose first line it is. */
static int set_origin(const struct import_source *src, struct import_account *a,
		      struct error *err)
{
	const struct import_value *v = import_find(src, "myorigin");
	const char *origin = NULL, *host = import_get(src, "myhostname");

	if (v && import_host_name(src, v, &origin, err) < 0)
		return -1;
	if (!origin)
		origin = host ? host : "%H";
	import_set_login_sender(src, a, origin, "any");
	if (host && !import_find(src, "smtp_helo_name"))
		import_set(src, import_find(src, "myhostname"), a, "domain", host);
	return 0;
}

/* Names; not what is looked up in tables. */
static void set_local_domains(const struct import_source *src, const struct import_value *v,
			      struct import_account *a)
{
	struct strbuf list = STRBUF_INIT(1 << 16);

	for (const char *p = v->value + strspn(v->value, " \t,"); *p; p += strspn(p, " \t,")) {
		const size_t n = strcspn(p, " \t,");

		if (memchr(p, ':', n) || memchr(p, '/', n) || memchr(p, '%', n) || *p == '!')
			import_note(src, v, "'%.*s' is no domain, and was left out", (int)n, p);
		else
			strbuf_addf(&list, "%s%.*s", list.len ? ", " : "", (int)n, p);
		p += n;
	}
	import_set(src, v, a, "local_domains", list.buf);
	strbuf_release(&list);
}

static void set_alias_maps(const struct import_source *src, struct import_account *a)
{
	const struct import_value *v = import_find(src, "alias_maps"),
				  *destination = import_find(src, "mydestination");
	const char *colon = v ? strchr(v->value, ':') : NULL;

	if (destination && !*destination->value)
		import_set(src, destination, a, "aliases", "");
	else if (v && (!*v->value || (colon && !strpbrk(v->value, " ,"))))
		import_set(src, v, a, "aliases", colon ? colon + 1 : "");
	else if (v)
		import_note(src, v, "several tables: the first of text form is to be named in "
			    "aliases");
	if (destination && *destination->value)
		set_local_domains(src, destination, a);
	if (destination && *destination->value)
		import_note(src, destination, "mail to a local name without an alias is not "
			    "delivered on this machine, but goes to the server");
}

static int read_postfix(struct import *im, struct import_text *t, struct error *err)
{
	struct import_source src = { .im = im, .file = t->name };
	struct import_account *a = import_account(im, "default");

	if (read_parameters(&src, t, err) < 0)
		return -1;
	const struct import_value *relay = import_find(&src, "relayhost"),
				  *size = import_find(&src, "message_size_limit"),
				  *bcc = import_find(&src, "always_bcc");

	if (relay && *relay->value) {
		struct import_login login = { .user = NULL };

		if (look_up_login(&src, relay->value, NULL, &login, err) < 0)
			return -1;
		set_server(&src, a, relay, relay->value, &login);
	} else {
		struct import_way way = { .about = relay };

		set_tls(&src, &way, a);
		import_set(&src, NULL, a, "mx", "on");
		import_set(&src, NULL, a, "tls", way.tls);
		import_set(&src, NULL, a, "port", "25");
	}
	if (set_origin(&src, a, err) < 0)
		return -1;
	set_bind_address(&src, a);
	set_alias_maps(&src, a);
	if (size)
		import_set(&src, size, a, "max_size", size->value);
	if (bcc && *bcc->value)
		import_set(&src, bcc, a, "always_bcc", bcc->value);
	import_apply(&src, postfix_rows, ARRAY_LEN(postfix_rows), a);
	return read_all_tables(&src, a, err);
}

const struct import_format import_postfix = {
	.type = "postfix", .program = "Postfix", .name = "main.cf",
	.rows = postfix_rows, .row_count = ARRAY_LEN(postfix_rows), .read = read_postfix,
};
