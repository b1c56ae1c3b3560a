/* What all readers of foreign files share: lines, values, rows, settings of ours, notes. */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "conf/config_write.h"
#include "conf/rewrite.h"
#include "import/import.h"
#include "import/import_parts.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/text.h"

#define NOTE_MAX 4096

/* --- files and lines ---------------------------------------------------------------- */

int import_open(struct import *im, const char *path, bool needed, struct import_text **out,
		struct error *err)
{
	int fd = fs_open_read(path), rc;

	*out = NULL;
	if (fd < 0) {
		if (!needed && (errno == ENOENT || errno == ENOTDIR))
			return 0;
		return error_errno(err, FAULT_NO_INPUT, "cannot open %s", path);
	}
	struct import_text *t = arena_alloc(im->arena, sizeof(*t));

	t->name = arena_strdup(im->arena, path);
	strbuf_init(&t->text, IMPORT_FILE_MAX);
	t->next = im->texts;
	im->texts = t;
	rc = fs_read_fd(fd, path, &t->text, err);
	close(fd);
	if (rc == 0 && memchr(t->text.buf, '\0', t->text.len))
		rc = error_set(err, FAULT_FOREIGN_CONFIG, "%s holds NUL octets: no configuration",
			       path);
	*out = t;
	return rc;
}

void import_lines_init(struct import_lines *l, struct import_text *t)
{
	static const char bom[] = "\xef\xbb\xbf";
	const size_t skip = strncmp(t->text.buf, bom, strlen(bom)) == 0 ? strlen(bom) : 0;

	*l = (struct import_lines){ .next = t->text.buf + skip, .end = t->text.buf + t->text.len };
}

char *import_line(struct import_lines *l)
{
	char *line = text_line(&l->next, l->end);

	l->line += line != NULL;
	return line;
}

char *import_entry(struct import_lines *l)
{
	char *line;

	while ((line = import_line(l))) {
		line = import_trim(line);
		if (*line && *line != '#')
			break;
	}
	return line;
}

char *import_logical_line(struct import_lines *l, struct strbuf *out)
{
	strbuf_reset(out);
	l->first = 0;
	/* what begins with a blank goes on; lines that say nothing may be in between */
	while (l->next < l->end && (!l->first || strchr(" \t#\r\n", *l->next))) {
		const char *line = import_line(l), *text = line + strspn(line, " \t\f\v\r");

		if (!*text || *text == '#')
			continue;
		if (!l->first)
			l->first = l->line;
		strbuf_addstr(out, line);
	}
	return l->first ? out->buf : NULL;
}

char *import_trim(char *s)
{
	char *end = s + strlen(s);

	while (end > s && isspace((unsigned char)end[-1]))
		*--end = '\0';
	while (isspace((unsigned char)*s))
		s++;
	return s;
}

int import_first_line(struct import *im, const char *path, const char **out, struct error *err)
{
	struct import_text *t;
	struct import_lines l;

	*out = NULL;
	if (import_open(im, path, false, &t, err) < 0)
		return -1;
	if (!t)
		return 0;
	import_lines_init(&l, t);
	char *line = import_line(&l);

	line = line ? import_trim(line) : NULL;
	*out = line && *line ? line : NULL;
	return 0;
}

int import_host_name(const struct import_source *src, const struct import_value *v,
		     const char **out, struct error *err)
{
	*out = *v->value ? v->value : NULL;
	if (!*out || **out != '/')
		return 0;
	if (import_first_line(src->im, v->value, out, err) < 0)
		return -1;
	if (*out && (*out)[strspn(*out, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					"0123456789.-_")]) {
		import_note(src, v, "the first line of %s is no host name", v->value);
		*out = NULL;
	}
	return 0;
}

const char *import_beside(struct import *im, const char *from, const char *name)
{
	const char *slash = strrchr(from, '/');

	if (*name == '/' || !slash)
		return arena_strdup(im->arena, name);
	return arena_printf(im->arena, "%.*s%s", (int)(slash - from + 1), from, name);
}

/* --- values and rows -------------------------------------------------------------- */

/* The last value of a key is the one that counts. */
static void note_latest(struct import_source *src, const struct import_value *v)
{
	struct arena *a = src->im->arena;
	size_t i;

	src->keys.arena = a;
	src->keys.exact = !src->fold;
	if (strmap_find(&src->keys, v->key, &i)) {
		src->latest[i] = v;
		return;
	}
	src->latest = arena_grow(a, src->latest, src->key_n, &src->key_alloc,
				 sizeof(*src->latest));
	src->latest[src->key_n] = v;
	(void)strmap_add(&src->keys, v->key, src->key_n++);
}

void import_add(struct import_source *src, const char *key, const char *value, unsigned line)
{
	struct arena *a = src->im->arena;
	struct import_value *v = arena_alloc(a, sizeof(*v));

	if (++src->count > IMPORT_VALUES_MAX) {
		v->key = "";
		v->line = line;
		if (src->count == IMPORT_VALUES_MAX + 1)
			import_note(src, v, "more than %d settings: the others were left out",
				    IMPORT_VALUES_MAX);
		return;
	}
	/* the value may be a secret: it stays in the text, which is overwritten */
	*v = (struct import_value){ .key = arena_strdup(a, key), .value = value, .line = line };
	if (src->last)
		src->last->next = v;
	else
		src->first = v;
	src->last = v;
	note_latest(src, v);
}

static bool same_key(bool fold, const char *a, const char *b)
{
	return (fold ? strcasecmp(a, b) : strcmp(a, b)) == 0;
}

const struct import_value *import_find(const struct import_source *src, const char *key)
{
	size_t i;

	return strmap_find(&src->keys, key, &i) ? src->latest[i] : NULL;
}

const char *import_get(const struct import_source *src, const char *key)
{
	const struct import_value *v = import_find(src, key);

	return v ? v->value : NULL;
}

const struct import_row *import_find_row(const struct import_row *rows, size_t n,
					 const char *key, bool fold)
{
	for (size_t i = 0; i < n; i++) {
		if (same_key(fold, rows[i].key, key))
			return &rows[i];
	}
	for (size_t i = 0; i < n; i++) {
		if (strchr(rows[i].key, '*') && fnmatch(rows[i].key, key, 0) == 0)
			return &rows[i];
	}
	return NULL;
}

static void apply_one(const struct import_source *src, const struct import_row *row,
		      const struct import_value *v, struct import_account *a)
{
	const char *value = v->value, *why = NULL;

	if (row->ours && row->convert)
		value = row->convert(src->im, value, &why);
	if (row->ours && value && a)
		import_set(src, v, a, row->ours, value);
	else if (why || row->why)
		import_note(src, v, "%s", why ? why : row->why);
}

void import_apply(const struct import_source *src, const struct import_row *rows, size_t n,
		  struct import_account *a)
{
	for (const struct import_value *v = src->first; v; v = v->next) {
		const struct import_row *row = import_find_row(rows, n, v->key, src->fold);

		if (!row)
			import_note(src, v, "not known, and left out");
		else if (import_find(src, v->key) == v)
			apply_one(src, row, v, a);
	}
}

/* --- results ---------------------------------------------------------------------------- */

const char *import_name(struct import *im, const char *name)
{
	char *copy = arena_strdup(im->arena, *name ? name : "_");

	for (char *p = copy; *p; p++) {
		if (strchr(":,[]\" \\$", *p) || (unsigned char)*p < 32 || *p == 127)
			*p = '_';
	}
	return copy;
}

struct import_account *import_account(struct import *im, const char *name)
{
	name = name ? import_name(im, name) : NULL;
	struct import_account **at = &im->first;

	for (; *at; at = &(*at)->next) {
		if (name ? (*at)->name && strcmp((*at)->name, name) == 0 : !(*at)->name)
			return *at;
	}
	struct import_account *a = arena_alloc(im->arena, sizeof(*a));

	at = name ? at : &im->first;
	a->name = name;
	a->next = *at;
	*at = a;
	return a;
}

bool import_has_room(const struct import_source *src)
{
	size_t n = 0;

	for (const struct import_account *a = src->im->first; a; a = a->next)
		n++;
	if (n < IMPORT_ACCOUNTS_MAX)
		return true;
	if (!src->im->full)
		import_note(src, NULL, "more than %d accounts: the others were left out",
			    IMPORT_ACCOUNTS_MAX);
	src->im->full = true;
	return false;
}

static struct import_setting *get_setting(struct import_account *a, struct import *im,
					  const char *key)
{
	struct import_setting **at = &a->first;

	while (*at && strcmp((*at)->key, key) != 0)
		at = &(*at)->next;
	if (!*at) {
		*at = arena_alloc(im->arena, sizeof(**at));
		(*at)->key = arena_strdup(im->arena, key);
	}
	return *at;
}

/* "%C", "%D" and "%M" would be replaced; no other program means that by them. */
static bool has_foreign_pattern(const char *key, const char *value)
{
	if (strcmp(key, "from") != 0 && strcmp(key, "domain") != 0)
		return false;
	for (const char *p = strchr(value, '%'); p; p = strchr(p + 1, '%')) {
		if (p[1] && strchr("CDM", p[1]))
			return true;
	}
	return false;
}

bool import_set_own(const struct import_source *src, const struct import_value *v,
		    struct import_account *a, const char *key, const char *value)
{
	struct strbuf ignored = STRBUF_INIT(1 << 20);
	struct error err = { .exit = 0 };
	int rc = config_write_setting(&ignored, false, key, value, &err);

	strbuf_release(&ignored);
	if (rc < 0) {
		import_note(src, v, "does not fit: %s", err.text);
		return false;
	}
	get_setting(a, src->im, key)->value = arena_strdup(src->im->arena, value);
	return true;
}

bool import_set(const struct import_source *src, const struct import_value *v,
		struct import_account *a, const char *key, const char *value)
{
	if (!has_foreign_pattern(key, value))
		return import_set_own(src, v, a, key, value);
	import_note(src, v, "does not fit: '%%' in key '%s' stands for something else", key);
	return false;
}

bool import_setf(const struct import_source *src, const struct import_value *v,
		 struct import_account *a, const char *key, const char *fmt, ...)
{
	struct strbuf value = STRBUF_INIT(1 << 17);
	va_list ap;

	va_start(ap, fmt);
	strbuf_vaddf(&value, fmt, ap);
	va_end(ap);
	bool ok = import_set(src, v, a, key, value.buf);

	strbuf_release(&value);
	return ok;
}

void import_set_secret(struct import_account *a, const struct import_source *src,
		       const char *key, const char *value)
{
	struct import_setting *s = get_setting(a, src->im, key);

	s->origin = src->file;
	secret_release(&s->secret);
	secret_set(&s->secret, value, strlen(value));
}

const char *import_value_of(const struct import_account *a, const char *key)
{
	for (const struct import_setting *s = a->first; s; s = s->next) {
		if (strcmp(s->key, key) == 0)
			return s->value;
	}
	return NULL;
}

/* What would be read as something else, or replaced. */
static bool is_misread(const char *left, const char *right)
{
	return strpbrk(left, "=%\"") || strchr("[#;", *left) || strpbrk(right, "%\"") ||
	       strstr(left, "${") || strstr(right, "${");
}

void import_add_rule(const struct import_source *src, const struct import_value *v,
		     const char *left, const char *right)
{
	struct import *im = src->im;
	struct error err;

	if (!im->rules)
		im->rules = rewrite_map_new(im->arena);
	if (strvec_has(&im->lefts, left)) {
		import_note(src, v, "there is a rule for it already: this one was left out");
	} else if (is_misread(left, right)) {
		import_note(src, v, "cannot be written as a rule here, and was left out");
	} else if (im->lefts.n == im->lefts.limit) {
		if (!im->full)
			import_note(src, v, "more than %zu rules: the others were left out",
				    im->lefts.limit);
		im->full = true;
	} else if (rewrite_map_add(im->rules, left, right, src->file, v->line, &err) < 0) {
		strvec_add(&im->out->notes, err.text);	/* begins with file and line */
	} else {
		strvec_add(&im->lefts, left);
		strbuf_addf(&im->rewrite, "%s = %s\n", left, right);
	}
}

void import_note(const struct import_source *src, const struct import_value *v,
		 const char *fmt, ...)
{
	struct strbuf text = STRBUF_INIT(NOTE_MAX), line = STRBUF_INIT(4 * NOTE_MAX);
	va_list ap;

	strbuf_addf(&text, "%s:", v && v->file ? v->file : src->file);
	if (v && v->line)
		strbuf_addf(&text, "%u:", v->line);
	if (v && *v->key)
		strbuf_addf(&text, " %.100s:", v->key);
	strbuf_addch(&text, ' ');
	va_start(ap, fmt);
	strbuf_vaddf(&text, fmt, ap);
	va_end(ap);
	text_escape_add(&line, text.buf, text.len);
	strvec_add(&src->im->out->notes, line.buf);
	strbuf_release(&text);
	strbuf_release(&line);
}

/* --- helpers for values ------------------------------------------------------------------- */

bool import_is_on(const char *value)
{
	static const struct name_value on[] = { { "yes", 1 }, { "true", 1 }, { "on", 1 },
						{ "1", 1 }, NAMES_END };
	int ignored;

	return value && names_find(on, value, &ignored) == 0;
}

unsigned import_port(const char *name)
{
	static const struct name_value services[] = {
		{ "smtp", 25 }, { "submission", 587 }, { "submissions", 465 }, { "smtps", 465 },
		{ "ssmtp", 465 }, { "urd", 465 }, { "lmtp", 24 }, NAMES_END
	};
	const long number = text_port(name, strlen(name));
	int port;

	if (number >= 0)
		return (unsigned)number;
	return names_find(services, name, &port) == 0 ? (unsigned)port : 0;
}

/* How a password reaches the server, where TLS does not see to that. */
static void set_exposure(const struct import_source *src, struct import_account *a,
			 const struct import_way *way)
{
	const char *tls = import_value_of(a, "tls");

	if (!tls)
		return;
	if (strcmp(tls, "may") == 0) {
		import_set(src, way->about, a, "tls", "starttls");
		import_note(src, way->about, "STARTTLS is required now, because a password is "
			    "sent");
	} else if (strcmp(tls, "off") == 0 && way->legacy_only) {
		import_set(src, way->about, a, "auth", "CRAM-MD5");
	} else if (strcmp(tls, "off") == 0 && way->no_plaintext) {
		import_set(src, way->about, a, "auth_legacy", "on");
	} else if (strcmp(tls, "off") == 0) {
		import_set(src, way->about, a, "auth_plaintext", "always");
		import_note(src, way->about, "the password goes over the line readably, as with "
			    "%s: use tls = starttls if the server has it", src->im->program);
	}
}

void import_set_way(const struct import_source *src, struct import_account *a,
		    const struct import_way *way, const struct import_login *login)
{
	const struct import_source secrets = {
		.im = src->im, .file = login->file ? login->file : src->file
	};

	if (way->host)
		import_set(src, way->about, a, "host", way->host);
	if (way->port)
		import_setf(src, way->about, a, "port", "%u", way->port);
	if (way->tls)
		import_set(src, way->about, a, "tls", way->tls);
	if (login->user)
		import_set(src, way->about, a, "user", login->user);
	if (login->password)
		import_set_secret(a, &secrets, "password", login->password);
	if (login->user || login->password)
		set_exposure(src, a, way);
	const char *tls = import_value_of(a, "tls");

	if (way->unverified && tls && strcmp(tls, "off") != 0 && strcmp(tls, "may") != 0)
		import_note(src, way->about, "the server's certificate is verified now, which %s "
			    "does not do: see tls_pin and tls_trust_file if it has one of its own",
			    src->im->program);
}

void import_set_certificate(const struct import_source *src, struct import_account *a,
			    const char *cert_key, const char *private_key)
{
	const struct import_value *cert = import_find(src, cert_key),
				  *key = private_key ? import_find(src, private_key) : NULL;

	if (!cert || !*cert->value || strcmp(cert->value, "none") == 0)
		return;
	import_set(src, cert, a, "tls_cert_file", cert->value);
	key = key && *key->value ? key : cert;
	import_set(src, key, a, "tls_key_file", key->value);
}

void import_set_login_sender(const struct import_source *src, struct import_account *a,
			     const char *domain, const char *override)
{
	if (!domain)
		return;
	import_setf(src, NULL, a, "from", "%%U@%s", domain);
	import_set(src, NULL, a, "from_override", override);
	if (*domain != '%')
		import_set(src, NULL, a, "default_domain", domain);
}
