#include "config.h"
#include "conf/config_write.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/account.h"
#include "conf/config_parts.h"
#include "conf/rcfile.h"
#include "conf/settings.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/secret.h"
#include "util/store.h"
#include "util/strbuf.h"
#include "util/text.h"
#include "util/xalloc.h"

#define BLANKS " \t"
#define FILE_MAX (4 << 20)	/* octets of one rc file, as its reader has it */

int config_write_heading(struct strbuf *out, bool classic, const char *name, struct error *err)
{
	const size_t len = name ? strlen(name) : 0;

	if (name && (!len || strpbrk(name, ":,[]") || text_has_control(name, len) ||
		     strchr(BLANKS, *name) || strchr(BLANKS, name[len - 1])))
		return error_set(err, FAULT_CONFIG, "account name '%.100s': must be without "
				 "':', ',', brackets, control characters and blanks around it",
				 name);
	strbuf_addf(out, "%s%s%s%s%s\n", out->len ? "\n" : "", classic ? "" : "[",
		    name ? "account " : "defaults", name ? name : "", classic ? "" : "]");
	return 0;
}

/* --- values ------------------------------------------------------------------------ */

/*
 * Does the value come back when nothing is put around it? The readers take
 * blanks, and CR, FF and VT with them, off both ends.
 */
static bool is_bare(const char *v)
{
	const size_t len = strlen(v);

	/* "@/x" would be read as the name of a file, "= x" as a line of the other form */
	if (strncmp(v, "@/", 2) == 0 || strncmp(v, "@~/", 3) == 0)
		return false;
	if (!len || *v == '=' || *v == '"' || strchr(BLANKS "\f\v\r", *v) ||
	    strchr(BLANKS "\f\v\r", v[len - 1]))
		return false;
	return !strpbrk(v, "\r\n");
}

/* msmtp's form has nothing to put around the words of a command. */
static int check_raw(const struct setting *row, const char *value, struct error *err)
{
	if (*value && (strchr(BLANKS, *value) || strchr(BLANKS, value[strlen(value) - 1])))
		return error_set(err, FAULT_CONFIG, "key '%s': blanks around the command",
				 row->key);
	if (ini_is_quoted(value))
		return error_set(err, FAULT_CONFIG, "key '%s': quotes around the command",
				 row->key);
	return strpbrk(value, "\r\n\f\v") ?
		error_set(err, FAULT_CONFIG,
			  "key '%s': a control character cannot be written", row->key) : 0;
}

static void add_ini(struct strbuf *out, const struct setting *row, const char *value)
{
	const bool expands = row->type != SETTING_SECRET && !(row->flags & SETTING_RAW);

	if (is_bare(value) && !text_has_control(value, strlen(value))) {
		for (; *value; value++)
			strbuf_addf(out, expands && value[0] == '$' && value[1] == '{' ?
				    "$%c" : "%c", *value);
	} else if (*value) {
		setting_add_quoted(out, value, expands);
	}
}

/* What msmtp 1.8 reads, without its old spellings. */
bool config_msmtp_has(const char *key)
{
	static const char *const keys[] = {
		"host", "port", "socket", "protocol", "domain", "source_ip", "proxy_host",
		"proxy_port", "timeout", "connect_timeout", "tls", "tls_starttls",
		"tls_certcheck", "tls_trust_file", "tls_crl_file", "tls_fingerprint",
		"tls_cert_file", "tls_key_file", "tls_priorities", "tls_host_override", "auth",
		"user", "ntlmdomain", "password", "passwordeval", "from", "auto_from",
		"maildomain", "aliases", "set_from_header", "set_date_header",
		"set_msgid_header", "undisclosed_recipients", "remove_bcc_headers",
		"dsn_notify", "dsn_return", "logfile", "logfile_time_format", "syslog",
	};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (strcmp(keys[i], key) == 0)
			return true;
	}
	return false;
}

/* msmtp's form has no escapes; one pair of quotes is taken off. */
static int add_classic(struct strbuf *out, const struct setting *row, const char *value,
		       struct error *err)
{
	if (strpbrk(value, "\r\n"))
		return error_set(err, FAULT_CONFIG,
				 "key '%s': a line end cannot be written", row->key);
	if (!*value && row->flags & SETTING_SWITCH)
		return error_set(err, FAULT_CONFIG, "key '%s': must have a value here",
				 row->key);
	if (row->type == SETTING_ARGV) {
		if (check_raw(row, value, err) < 0)
			return -1;
		strbuf_addstr(out, value);
		return 0;
	}
	const char *quote = is_bare(value) ? "" : "\"";

	strbuf_addf(out, "%s%s%s", quote, value, quote);
	return 0;
}

/* Would the key take it? */
static int check_value(const struct setting *row, bool classic, const char *value,
		       struct error *err)
{
	struct arena *a = arena_new();
	struct account *scratch = arena_alloc(a, sizeof(*scratch));

	settings_defaults(SCOPE_ACCOUNT, scratch, a, classic);
	int rc = setting_set(scratch, row, a, value, err);

	config_forget(scratch);
	arena_free(a);
	return rc;
}

int config_write_setting(struct strbuf *out, bool classic, const char *key, const char *value,
			 struct error *err)
{
	const struct setting *row = setting_find(SCOPE_ACCOUNT, key);
	const size_t before = out->len;

	if (!row)
		return config_unknown_key(SCOPE_ACCOUNT, key, err);
	if (check_value(row, classic, value, err) < 0)
		return -1;
	strbuf_addf(out, "%s %s", row->key, classic ? "" : "= ");
	const size_t start = out->len;
	int rc = classic ? add_classic(out, row, value, err) : 0;

	if (!classic)
		add_ini(out, row, value);
	if (rc == 0 && (out->len - start > RCFILE_VALUE_MAX || strbuf_overflow(out)))
		rc = error_set(err, FAULT_CONFIG,
			       "key '%s': the value is longer than 65536 octets", row->key);
	if (rc < 0)
		strbuf_truncate(out, before);
	else
		strbuf_addch(out, '\n');
	return rc;
}

void config_write_comment(struct strbuf *out, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n");

		strbuf_addstr(out, n ? "# " : "#");
		text_escape_add(out, text, n);
		strbuf_addch(out, '\n');
		text += n + (text[n] == '\n');
	}
}

/* --- a file that gets more ----------------------------------------------------------- */

struct config_append {
	char *path;
	const char *name;	/* the last part of it */
	int folder;		/* that it lies in; -1 = nothing staged */
	struct store_file staged;
	int fd;			/* of the old file, locked; -1 = none */
	struct stat old;
	mode_t mode;
	struct strbuf text;	/* of the old file; may hold a secret */
};

/* --- the old file ----------------------------------------------------------------- */

static int check_old(const struct config_append *w, struct error *err)
{
	/* root may write everybody's */
	const unsigned rules = FS_REGULAR | FS_NOT_ANYBODY | (geteuid() == 0 ? 0 : FS_OWN);

	return fs_check_stat(&w->old, rules, w->path, err);
}

static int open_old(struct config_append *w, struct error *err)
{
	w->fd = open(w->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (w->fd < 0 && errno == ENOENT)
		return 0;
	if (w->fd < 0 && errno == ELOOP)
		return error_set(err, FAULT_CONFIG, "%s is a symbolic link: name the file "
				 "that it stands for", w->path);
	if (w->fd < 0 || fstat(w->fd, &w->old) < 0)
		return error_errno(err, FAULT_NO_INPUT, "cannot open %s", w->path);
	if (check_old(w, err) < 0)
		return -1;
	if (fs_lock(w->fd, w->path, 0, err) < 0)
		return error_set(err, FAULT_BUSY, "%s is being changed by another "
				 "program: try again", w->path);
	return fs_read_fd(w->fd, w->path, &w->text, err);
}

int config_append_open(const char *path, mode_t mode, struct config_append **out,
		       struct error *err)
{
	struct config_append *w = xcalloc(1, sizeof(*w));

	w->path = fs_expand_home(path);
	w->fd = w->folder = w->staged.fd = -1;
	w->mode = mode;
	strbuf_init(&w->text, FILE_MAX);
	if (open_old(w, err) < 0) {
		config_append_close(w);
		return -1;
	}
	*out = w;
	return 0;
}

void config_append_close(struct config_append *w)
{
	if (!w)
		return;
	store_abort(&w->staged);
	if (w->folder >= 0)
		close(w->folder);
	if (w->fd >= 0)
		close(w->fd);
	strbuf_release_secret(&w->text);
	xfree(w->path);
	xfree(w);
}

const char *config_append_path(const struct config_append *w)
{
	return w->path;
}

bool config_append_exists(const struct config_append *w)
{
	return w->fd >= 0;
}

bool config_append_is_classic(const struct config_append *w)
{
	return !ini_detect(w->text.buf, w->text.len);
}

/* --- the new one ------------------------------------------------------------------ */

/* What there was, an empty line, what is new. */
void config_append_preview(const struct config_append *w, const char *text, size_t n,
			   struct strbuf *out)
{
	const struct strbuf *old = &w->text;

	strbuf_add(out, old->buf, old->len);
	if (old->len)
		strbuf_addstr(out, old->buf[old->len - 1] == '\n' ? "\n" : "\n\n");
	strbuf_add(out, text, n);
}

/* The old file's owner stays, and its mode. */
static int write_staged(struct config_append *w, const struct strbuf *content)
{
	const bool old = w->fd >= 0;

	w->folder = store_open_above(w->path, &w->name);
	if (w->folder < 0 || store_begin(&w->staged, w->folder, NULL,
					 old ? w->old.st_mode & 0777 : w->mode) < 0)
		return -1;
	if (old && (w->old.st_uid != geteuid() || w->old.st_gid != getegid()) &&
	    fchown(w->staged.fd, w->old.st_uid, w->old.st_gid) < 0)
		return -1;
	return fs_write_all(w->staged.fd, content->buf, content->len);
}

int config_append_stage(struct config_append *w, const char *text, size_t n, struct error *err)
{
	struct strbuf content = STRBUF_INIT(2 * FILE_MAX);
	int rc;

	config_append_preview(w, text, n, &content);
	rc = strbuf_overflow(&content) ?
		error_set(err, FAULT_INPUT_TOO_LARGE, "%s would be too large", w->path) : 0;
	if (rc == 0 && write_staged(w, &content) < 0)
		rc = store_fault(err, w->path, NULL);
	strbuf_release_secret(&content);
	return rc;
}

/* Is the file that stands there now the one that was read? */
static bool is_unchanged(const struct config_append *w)
{
	struct stat now;

	return lstat(w->path, &now) == 0 && now.st_dev == w->old.st_dev &&
	       now.st_ino == w->old.st_ino && now.st_size == w->old.st_size &&
	       now.st_mtim.tv_sec == w->old.st_mtim.tv_sec &&
	       now.st_mtim.tv_nsec == w->old.st_mtim.tv_nsec;
}

int config_append_commit(struct config_append *w, struct error *err)
{
	const bool old = w->fd >= 0;

	if (old && !is_unchanged(w))
		return error_set(err, FAULT_BUSY, "%s was changed meanwhile: nothing is "
				 "written, try again", w->path);
	if (store_commit(&w->staged, w->folder, w->name, old ? STORE_REPLACE : STORE_NEW) == 0)
		return 0;
	if (errno == EEXIST)
		return error_set(err, FAULT_BUSY, "%s was made meanwhile: nothing is "
				 "written, try again", w->path);
	return store_fault(err, w->path, NULL);
}

/* --- a secret of its own ---------------------------------------------------------- */

int config_secret_write(const char *path, const struct secret *s, struct error *err)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash ? xstrndup(path, (size_t)(slash - path) + 1) : xstrdup(".");
	struct strbuf text = STRBUF_INIT(FILE_MAX);
	struct store store;
	int rc = store_open(&store, folder, true, err);

	strbuf_add(&text, s->data, s->len);
	strbuf_addch(&text, '\n');
	if (rc == 0)
		rc = store_write(&store, slash ? slash + 1 : path, 0600, STORE_NEW, text.buf,
				 text.len, err);
	strbuf_release_secret(&text);
	store_close(&store);
	xfree(folder);
	return rc;
}
