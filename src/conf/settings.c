#include "config.h"
#include "conf/settings.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf/account.h"
#include "conf/listen.h"
#include "conf/settings_rows.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/secret.h"
#include "util/strbuf.h"
#include "util/strvec.h"
#include "util/text.h"
#include "util/xalloc.h"

#define LIST_MAX 10000	/* words of one list or command */
#define RATE_MAX 1000000	/* messages in a time */
#define NEAR 2		/* letters that a misspelt key may be off */

const char *who_name(enum who who)
{
	static const char *const names[] = {
		[WHO_ANYONE] = "anyone", [WHO_NO_FILE] = "no-file",
		[WHO_OWNER] = "owner", [WHO_OWNER_FIRST] = "owner-first"
	};

	return names[who];
}

static const struct setting *const account_tables[] = {
	settings_server, settings_security, settings_mail, settings_rewrite, settings_compose,
	settings_delivery, settings_aliases, settings_report, NULL
};
static const struct setting *const listen_tables[] = { settings_listen, NULL };

static const struct setting *const *tables_of(enum setting_scope scope)
{
	return scope == SCOPE_LISTEN ? listen_tables : account_tables;
}

const struct setting *settings_next_line(enum setting_scope scope, struct setting_walk *w)
{
	const struct setting *const *tables = tables_of(scope);

	for (; tables[w->table]; w->table++, w->row = 0) {
		const struct setting *s = &tables[w->table][w->row++];

		if (*s->help)
			return s;
	}
	return NULL;
}

const struct setting *settings_next(enum setting_scope scope, struct setting_walk *w)
{
	const struct setting *s;

	do
		s = settings_next_line(scope, w);
	while (s && !*s->key);
	return s;
}

static bool same_key(const char *row, const char *key)
{
	while (*row && *row == text_fold(*key)) {
		row++;
		key++;
	}
	return *row == '\0' && *key == '\0';
}

const struct setting *setting_find(enum setting_scope scope, const char *key)
{
	const char first = text_fold(*key);

	/* most rows are passed by their first letter */
	for (const struct setting *const *table = tables_of(scope); first && *table; table++) {
		for (const struct setting *s = *table; *s->help; s++) {
			if (*s->key == first && same_key(s->key, key))
				return s;
		}
	}
	return NULL;
}

const struct setting *setting_meant(const struct setting *s)
{
	if (s->type != SETTING_ALIAS)
		return s;
	return *s->alias_of ? setting_find(SCOPE_ACCOUNT, s->alias_of) : NULL;
}

const struct setting_code *setting_code(const struct setting *s)
{
	static const struct setting_code *const files[ROWS_FILES] = {
		[ROWS_SERVER] = settings_server_code, [ROWS_SECURITY] = settings_security_code,
		[ROWS_MAIL] = settings_mail_code, [ROWS_DELIVERY] = settings_delivery_code,
		[ROWS_REPORT] = settings_report_code, [ROWS_REWRITE] = settings_rewrite_code,
		[ROWS_LISTEN] = settings_listen_code
	};
	static const struct setting_code none;

	return s->code ? &files[s->code >> 8][s->code & 0xff] : &none;
}

const struct name_value *setting_names(const struct setting *s)
{
	return *s->names->name ? s->names : NULL;
}

const char *setting_default(const struct setting *s, bool classic)
{
	const char *def = classic && *s->classic_def ? s->classic_def : s->def;

	return !*def ? NULL : strcmp(def, SETTING_EMPTY) == 0 ? "" : def;
}

const char *setting_foreign(const char *key)
{
	static const struct { const char *theirs, *ours; } words[] = {
		{ "server", "host" }, { "hostname", "host" }, { "smtp_server", "host" },
		{ "username", "user" }, { "login", "user" }, { "pass", "password" },
		{ "passwd", "password" }, { "ssl", "tls" }, { "starttls", "tls" },
		{ "use_tls", "tls" }, { "sender", "from" },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (same_key(words[i].theirs, key))
			return words[i].ours;
	}
	return NULL;
}

const char *setting_nearest(enum setting_scope scope, const char *key)
{
	struct setting_walk w = { 0 };
	const struct setting *s;
	unsigned best = strlen(key) > 3 ? NEAR + 1 : NEAR;
	const char *nearest = scope == SCOPE_ACCOUNT ? setting_foreign(key) : NULL;

	if (nearest)
		return nearest;

	while ((s = settings_next(scope, &w))) {
		unsigned d = names_distance(s->key, key, best);

		if (d < best) {
			best = d;
			nearest = s->key;
		}
	}
	return nearest;
}

int setting_refuse(const struct setting *s, const char *value, const char *what,
		   struct error *err)
{
	return error_set(err, FAULT_CONFIG, "key '%s': '%.200s' is not %s", s->key, value,
			 what);
}

/* --- readers of values ---------------------------------------------------- */

static const struct name_value bool_names[] = {
	{ "on", 1 }, { "off", 0 }, { "yes", 1 }, { "no", 0 }, { "true", 1 }, { "false", 0 },
	{ "1", 1 }, { "0", 0 }, NAMES_END
};

static const struct name_value *words_of_bool(const struct setting *s)
{
	return setting_names(s) ? s->names : bool_names;
}

static const char *names_nearest(const struct name_value *names, const char *word)
{
	const char *nearest = NULL;
	unsigned best = NEAR + 1;

	for (; !names_is_end(names); names++) {
		unsigned d = names_distance(names->name, word, best);

		if (d < best && d < strlen(names->name)) {
			best = d;
			nearest = names->name;
		}
	}
	return nearest;
}

int setting_read_name(const struct setting *s, const struct name_value *names,
		      const char *value, int *out, struct error *err)
{
	struct strbuf known = STRBUF_INIT(400);
	const char *nearest;

	if (names_find(names, value, out) == 0)
		return 0;
	for (const struct name_value *n = names; !names_is_end(n); n++)
		strbuf_addf(&known, "%s%s", n == names ? "" : ", ", n->name);
	setting_refuse(s, value, "one of ", err);
	error_append(err, "%s", known.buf);
	strbuf_release(&known);
	nearest = names_nearest(names, value);
	return nearest ? error_append(err, "; did you mean '%s'?", nearest) : -1;
}

int setting_read_bool(const struct setting *s, const char *value, int *out, struct error *err)
{
	return setting_read_name(s, words_of_bool(s), value, out, err);
}

/* number = 1*DIGIT [suffix]; factors holds the worth of each letter of suffixes */
static int read_number(const struct setting *s, const char *value, const char *suffixes,
		       const uint64_t *factors, uint64_t *out, struct error *err)
{
	char *end;
	uint64_t factor = 1, max = s->max ? s->max : UINT32_MAX;

	errno = 0;
	unsigned long long n = strtoull(value, &end, 10);

	const char *wanted = *suffixes == 's' ? "a number of seconds, or like 5m, 1h, 2d" :
		*suffixes ? "a number, or like 10K, 5M, 1G" : "a number";

	if (*value < '0' || *value > '9' || errno)
		return setting_refuse(s, value, wanted, err);
	if (*end) {
		const char *letter = strchr(suffixes, text_fold(*end));

		if (!letter || end[1])
			return setting_refuse(s, value, wanted, err);
		factor = factors[letter - suffixes];
	}
	if (n > UINT64_MAX / factor || n * factor < s->min || n * factor > max)
		return error_set(err, FAULT_CONFIG,
				 "key '%s': '%.200s' is out of range: from %llu to %llu", s->key,
				 value, (unsigned long long)s->min, (unsigned long long)max);
	*out = n * factor;
	return 0;
}

int setting_read_time(const struct setting *s, const char *value, unsigned *out,
		      struct error *err)
{
	static const uint64_t factors[] = { 1, 60, 3600, 86400 };
	uint64_t n;

	if (same_key("off", value)) {
		*out = 0;
		return 0;
	}
	if (read_number(s, value, "smhd", factors, &n, err) < 0)
		return -1;
	*out = (unsigned)n;
	return 0;
}

int setting_read_rate(const struct setting *s, const char *value, unsigned *messages,
		      unsigned *seconds, struct error *err)
{
	char *end = NULL;
	unsigned time;

	*messages = *seconds = 0;
	if (same_key("off", value))
		return 0;
	const unsigned long n = *value >= '0' && *value <= '9' ? strtoul(value, &end, 10) : 0;

	if (n == 0 || n > RATE_MAX || *end != '/')
		return setting_refuse(s, value, "off, or a number of messages and a time, as "
				      "100/1h", err);
	if (setting_read_time(s, end + 1, &time, err) < 0)
		return -1;
	if (!time)
		return setting_refuse(s, value, "a number of messages in a time", err);
	*messages = (unsigned)n;
	*seconds = time;
	return 0;
}

void setting_print_rate(unsigned messages, unsigned seconds, struct strbuf *out)
{
	if (messages)
		strbuf_addf(out, "%u/%us", messages, seconds);
	else
		strbuf_addstr(out, "off");
}

/*
 * list = [item] *("," [item]); a comma between double quotes separates
 * nothing, so that a quoted local part stays whole.
 */
static void split_list(const char *p, struct strvec *out)
{
	while (*p) {
		const char *start, *end;
		bool quoted = false;

		p += strspn(p, " \t,");
		for (start = p; *p && (quoted || *p != ','); p++) {
			if (quoted && *p == '\\' && p[1])
				p++;
			else if (*p == '"')
				quoted = !quoted;
		}
		for (end = p; end > start && (end[-1] == ' ' || end[-1] == '\t'); end--)
			;
		if (end > start)
			strvec_addn(out, start, (size_t)(end - start));
	}
}

/* Outside of single quotes, does a shell do something with it at this place of a word? */
static bool is_shell(const char *p, const char *start, char quote)
{
	const char next = p[1];

	if (*p == '$')
		return next == '(' || next == '_' ||
		       (text_fold(next) >= 'a' && text_fold(next) <= 'z');
	if (*p == '`')
		return true;
	if (quote)
		return false;
	return *p == '|' || (*p == '~' && p == start) ||
	       (*p == '>' && p <= start + 1 && strspn(start, "12") == (size_t)(p - start));
}

/*
 * One word of a command, quoted as a shell would have it:
 * word = 1*( "'" *any "'" / DQUOTE *( "\" any / any ) DQUOTE / "\" any / any )
 * Returns the first octet behind it, NULL when a quote is not closed.
 */
static const char *read_word(const char *p, struct strbuf *word, bool *shell_out)
{
	const char *start = p;
	char quote = '\0';

	for (; *p && (quote || (*p != ' ' && *p != '\t')); p++) {
		if (quote != '\'' && is_shell(p, start, quote))
			*shell_out = true;
		if (quote ? *p == quote : (*p == '"' || *p == '\'')) {
			quote = quote ? '\0' : *p;
			continue;
		}
		if (*p == '\\' && quote != '\'' && p[1])
			p++;
		strbuf_addch(word, *p);
	}
	return quote ? NULL : p;
}

/* "password_command" has "passwordeval" beside it; the others have to call a shell. */
static int refuse_shell(const struct setting *s, const char *word, struct error *err)
{
	char other[64] = "";
	char *suffix;

	if (strlen(s->key) < sizeof(other))
		memcpy(other, s->key, strlen(s->key) + 1);
	if ((suffix = strstr(other, "_command")))
		memcpy(suffix, "eval", sizeof("eval"));
	const bool eval = suffix && setting_find(SCOPE_ACCOUNT, other);

	return error_set(err, FAULT_CONFIG, "key '%s': '%.100s': no shell here: use %s, or single "
			 "quotes around what is meant as it stands", s->key, word,
			 eval ? other : "sh -c '...'");
}

static int split_command(const struct setting *s, const char *p, struct strvec *out,
			 struct error *err)
{
	struct strbuf word = STRBUF_INIT(1 << 17);
	int rc = 0;

	for (p += strspn(p, " \t"); p && *p; p = p ? p + strspn(p, " \t") : NULL) {
		bool shell = false;

		strbuf_reset(&word);
		p = read_word(p, &word, &shell);
		strvec_add(out, word.buf);
		if (rc == 0 && shell && s->flags & SETTING_COMMAND)
			rc = refuse_shell(s, word.buf, err);
	}
	strbuf_release(&word);
	if (!p)
		return error_set(err, FAULT_CONFIG, "key '%s': no closing quote", s->key);
	return rc;
}

const char *const *setting_list_of(struct arena *a, const struct strvec *words)
{
	const char **list = words->n ? arena_calloc(a, words->n + 1, sizeof(*list)) : NULL;

	for (size_t i = 0; i < words->n; i++)
		list[i] = arena_strdup(a, words->v[i]);
	return list;
}

static int read_words(const struct setting *s, struct arena *a, const char *value,
		      const char *const **out, struct error *err)
{
	const struct setting_code *code = setting_code(s);
	struct strvec words = STRVEC_INIT(LIST_MAX);
	int rc = 0;

	if (s->type == SETTING_LIST)
		split_list(value, &words);
	else if (s->type == SETTING_WORDS)
		strvec_split(&words, value, ", \t");
	else
		rc = split_command(s, value, &words, err);
	for (size_t i = 0; rc == 0 && code->check && i < words.n; i++)
		rc = code->check(s, words.v[i], err);
	if (rc == 0 && strvec_overflow(&words))
		rc = error_set(err, FAULT_CONFIG, "key '%s': more than %d words", s->key,
			       LIST_MAX);
	if (rc == 0)
		*out = setting_list_of(a, &words);
	strvec_release(&words);
	return rc;
}

static const char *read_string(const struct setting *s, struct arena *a, const char *value)
{
	if (!*value)
		return NULL;
	if (!(s->flags & SETTING_PATH) || (*value != '~' && *value != '$'))
		return arena_strdup(a, value);
	char *full = fs_expand_home(strcmp(value, "~") == 0 ? "~/" : value);
	const char *copy = arena_strdup(a, full);

	xfree(full);
	return copy;
}

/* --- setting ---------------------------------------------------------------- */

/* A number may be unset by an empty value: that is its default again. */
static int set_number(void *field, const struct setting *s, const char *value, struct error *err)
{
	static const uint64_t factors[] = { 1ULL << 10, 1ULL << 20, 1ULL << 30 };
	uint64_t n = 0;
	unsigned seconds;

	if (!*value && s->type != SETTING_TIME)
		value = s->def;
	if (s->type == SETTING_TIME) {
		if (setting_read_time(s, value, &seconds, err) < 0)
			return -1;
		*(unsigned *)field = seconds;
		return 0;
	}
	if (*value && read_number(s, value, s->type == SETTING_SIZE ? "kmg" : "", factors, &n,
				  err) < 0)
		return -1;
	if (s->type == SETTING_SIZE)
		*(uint64_t *)field = n;
	else
		*(unsigned *)field = (unsigned)n;
	return 0;
}

static int set_choice(void *field, const struct setting *s, const char *value, struct error *err)
{
	int n;

	if (!*value && s->type == SETTING_ENUM && *s->def)
		value = s->def;
	if (s->type == SETTING_BOOL) {
		if (setting_read_bool(s, value, &n, err) < 0)
			return -1;
		*(bool *)field = n != 0;
		return 0;
	}
	if (setting_read_name(s, s->names, value, &n, err) < 0)
		return -1;
	memcpy(field, &n, sizeof(n));
	return 0;
}

/* Sets what the word means for the key that is meant. */
static int set_alias(void *target, const struct setting *s, struct arena *a, const char *value,
		     struct error *err)
{
	const struct setting *key = setting_meant(s);
	int n;

	if (!key)
		return 0;
	if (setting_read_name(s, s->names, value, &n, err) < 0)
		return -1;
	if (key->type == SETTING_SPECIAL)
		return setting_code(key)->set(target, key, a, n ? "on" : "off", err);
	if (key->type == SETTING_BOOL)
		*(bool *)((char *)target + key->offset) = n != 0;
	else
		memcpy((char *)target + key->offset, &n, sizeof(n));
	return 0;
}

static int set_value(void *target, const struct setting *s, struct arena *a, const char *value,
		     struct error *err)
{
	const struct setting_code *code = setting_code(s);
	void *field = (char *)target + s->offset;

	switch (s->type) {
	case SETTING_ALIAS:
		return set_alias(target, s, a, value, err);
	case SETTING_STRING:
		if (code->set && code->set(target, s, a, value, err) < 0)
			return -1;
		*(const char **)field = read_string(s, a, value);
		return 0;
	case SETTING_UINT:
	case SETTING_SIZE:
	case SETTING_TIME:
		return set_number(field, s, value, err);
	case SETTING_BOOL:
	case SETTING_ENUM:
		return set_choice(field, s, value, err);
	case SETTING_LIST:
	case SETTING_WORDS:
	case SETTING_ARGV:
		if (read_words(s, a, value, field, err) < 0)
			return -1;
		return code->set ? code->set(target, s, a, value, err) : 0;
	case SETTING_SECRET:
		secret_release(field);
		if (*value)
			secret_set(field, value, strlen(value));
		return 0;
	case SETTING_SPECIAL:
		break;
	}
	return code->set(target, s, a, value, err);
}

int setting_set(void *target, const struct setting *s, struct arena *a, const char *value,
		struct error *err)
{
	if (s->type != SETTING_SECRET && !(s->flags & SETTING_LINES) && strpbrk(value, "\r\n"))
		return error_set(err, FAULT_CONFIG, "key '%s': the value holds a line end",
				 s->key);
	return set_value(target, s, a, value, err);
}

/* What the cleared field holds already need not be read from text: it is most of the table. */
static bool is_zero(const struct setting *s, const char *def)
{
	if (s->type == SETTING_SIZE || s->type == SETTING_UINT)
		return strcmp(def, "0") == 0;
	if (s->type == SETTING_ENUM)
		return s->names->value == 0 && strcmp(def, s->names->name) == 0;
	return (s->type == SETTING_TIME || (s->type == SETTING_BOOL && !setting_names(s))) &&
		strcmp(def, "off") == 0;
}

static void set_default(void *target, const struct setting *s, struct arena *a, bool classic)
{
	const char *def = setting_default(s, classic);
	struct error err;
	int rc = 0;

	if (!def || is_zero(s, def))
		return;
	/* most of the others are switches that are on: nor need these be read */
	if (s->type == SETTING_BOOL && !setting_names(s) && strcmp(def, "on") == 0)
		*(bool *)((char *)target + s->offset) = true;
	else
		rc = set_value(target, s, a, def, &err);
	assert(rc == 0);
	(void)rc;
}

void settings_defaults(enum setting_scope scope, void *target, struct arena *a, bool classic)
{
	memset(target, 0, scope == SCOPE_LISTEN ? sizeof(struct listen_settings) :
						  sizeof(struct account));
	if (scope == SCOPE_ACCOUNT)
		((struct account *)target)->classic = classic;
	for (const struct setting *const *table = tables_of(scope); *table; table++) {
		for (const struct setting *s = *table; *s->help; s++)
			set_default(target, s, a, classic);
	}
}

/* --- printing --------------------------------------------------------------- */

void setting_add_quoted(struct strbuf *out, const char *v, bool expands)
{
	strbuf_addch(out, '"');
	for (; *v; v++) {
		if ((unsigned char)*v < 32 || *v == 127) {
			strbuf_addf(out, "\\%03o", (unsigned)(unsigned char)*v);
			continue;
		}
		if (*v == '"' || *v == '\\')
			strbuf_addch(out, '\\');
		else if (expands && *v == '$' && v[1] == '{')
			strbuf_addch(out, '$');
		strbuf_addch(out, *v);
	}
	strbuf_addch(out, '"');
}

/* Written bare where it comes back the same, else as a C string. */
static void print_string(const char *v, struct strbuf *out)
{
	size_t len = strlen(v);
	bool bare = len && *v != '"' && !strchr(" \t", *v) && !strchr(" \t", v[len - 1]);

	for (const char *p = v; bare && *p; p++)
		bare = ((unsigned char)*p >= 32 || *p == '\t') && *p != 127;
	if (bare) {
		strbuf_addstr(out, v);
		return;
	}
	setting_add_quoted(out, v, false);
}

void setting_add_word(struct strbuf *out, const char *v)
{
	bool bare = *v && !strpbrk(v, " \t'\"\\");

	for (const char *p = v; *p && bare; p++)
		bare = !is_shell(p, v, '\0');
	if (!bare)
		strbuf_addch(out, '"');
	for (; *v; v++) {
		if (!bare && strchr("\"\\$`", *v))
			strbuf_addch(out, '\\');
		strbuf_addch(out, *v);
	}
	if (!bare)
		strbuf_addch(out, '"');
}

static void print_time(unsigned seconds, struct strbuf *out)
{
	if (seconds)
		strbuf_addf(out, "%u", seconds);
	else
		strbuf_addstr(out, "off");
}

static void print_words(const char *const *list, struct strbuf *out)
{
	for (const char *const *w = list; w && *w; w++)
		strbuf_addf(out, "%s%s", w == list ? "" : ", ", *w);
}

/* Quotes of its first word must not look like those of the whole. */
static void print_command(const char *const *list, struct strbuf *out)
{
	struct strbuf text = STRBUF_INIT(LIST_MAX * 64);

	for (const char *const *w = list; w && *w; w++) {
		if (w != list)
			strbuf_addch(&text, ' ');
		setting_add_word(&text, *w);
	}
	if (*text.buf == '"')
		setting_add_quoted(out, text.buf, false);
	else
		strbuf_addstr(out, text.buf);
	strbuf_release(&text);
}

static void print_name(const struct name_value *names, int value, struct strbuf *out)
{
	const char *name = names_name(names, value);

	strbuf_addstr(out, name ? name : "");
}

static void print_field(const void *field, const struct setting *s, struct strbuf *out)
{
	int value;

	switch (s->type) {
	case SETTING_STRING:
		if (*(const char *const *)field)
			print_string(*(const char *const *)field, out);
		break;
	case SETTING_UINT:
		strbuf_addf(out, "%u", *(const unsigned *)field);
		break;
	case SETTING_SIZE:
		strbuf_addf(out, "%llu", (unsigned long long)*(const uint64_t *)field);
		break;
	case SETTING_TIME:
		print_time(*(const unsigned *)field, out);
		break;
	case SETTING_BOOL:
		print_name(words_of_bool(s), *(const bool *)field, out);
		break;
	case SETTING_ALIAS:
	case SETTING_ENUM:
		memcpy(&value, field, sizeof(value));
		print_name(s->names, value, out);
		break;
	case SETTING_LIST:
	case SETTING_WORDS:
		print_words(*(const char *const *const *)field, out);
		break;
	case SETTING_ARGV:
		print_command(*(const char *const *const *)field, out);
		break;
	case SETTING_SECRET:
		strbuf_addstr(out, secret_is_set(field) ? "(hidden)" : "");
		break;
	case SETTING_SPECIAL:
		break;
	}
}

void setting_print(const void *target, const struct setting *s, struct strbuf *out)
{
	if (s->flags & SETTING_CLASSIC)
		return;
	if (setting_code(s)->print)
		setting_code(s)->print(target, s, out);
	else
		print_field((const char *)target + setting_meant(s)->offset, s, out);
}

void setting_print_list(const void *target, const struct setting *s, struct strbuf *out)
{
	print_words(*(const char *const *const *)((const char *)target + s->offset), out);
}

void setting_print_text(const void *target, const struct setting *s, struct strbuf *out)
{
	const char *text = *(const char *const *)((const char *)target + s->offset);

	strbuf_addstr(out, text ? text : s->names->name);
}
