#include "config.h"
#include "tls/truststore.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "tls/certificate.h"
#include "tls/gnutls_api.h"
#include "util/base64.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/pem.h"
#include "util/strbuf.h"
#include "util/strvec.h"
#include "util/xalloc.h"

#define STORE_MAX ((size_t)64 * 1024 * 1024)
#define NAME_MAX_OCTETS ((size_t)64 * 1024)

enum {
	READ_STEP = 4096,
	FILES_MAX = 65536,	/* in a folder */
	TWINS_MAX = 64,		/* files of one hash */
	PATH_ROOM = 8192,
};

struct truststore {
	struct strbuf text;	/* of the file */
	bool of_library;	/* no file: GnuTLS knows its own */
	char *dir;		/* NULL = none */
	struct strbuf found;	/* what was read of the folder, as PEM */
	bool all_read;		/* all of the folder */
};

/* --- files -------------------------------------------------------------- */

/* Straight into the buffer: copying the system's bundle would cost as much as searching it. */
static int read_store(const char *path, struct strbuf *text, struct error *err)
{
	int fd = fs_open_read(path);
	struct stat st;

	if (fd < 0)
		return error_errno(err, FAULT_TRUST_FILE, "cannot open trust file %s", path);
	size_t step = fstat(fd, &st) == 0 && st.st_size > 0 && (uint64_t)st.st_size < STORE_MAX
		? (size_t)st.st_size + 1 : READ_STEP;
	ssize_t n = 0;
	char *room;

	while ((room = strbuf_reserve(text, step))) {
		n = read(fd, room, step);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		strbuf_commit(text, (size_t)n);
		step = READ_STEP;
	}
	if (n < 0)
		error_errno(err, FAULT_TRUST_FILE, "cannot read trust file %s", path);
	else if (!room)
		error_set(err, FAULT_TRUST_FILE, "trust file %s is too large", path);
	close(fd);
	return room && n == 0 ? 0 : -1;
}

static bool has_certificate(const struct strbuf *text)
{
	struct octets block, body;
	const char *pos = text->buf;

	return certificate_next_pem(&pos, pos + text->len, &block, &body);
}

static int open_file(struct truststore *store, const char *file, struct error *err)
{
	const bool system = strcmp(file, "system") == 0;
	const char *path = system ? SYSTEM_TRUST_BUNDLE : file;

	if (pem_is(file) && pem_read(file, "", &store->text) == 0) {
		path = "setting";
	} else if (system && (!*path || (access(path, F_OK) < 0 && errno == ENOENT))) {
		store->of_library = true;
		return 0;
	} else if (read_store(path, &store->text, err) < 0) {
		return -1;
	}
	if (has_certificate(&store->text))
		return 0;
	return error_set(err, FAULT_CONFIG,
			 "there is no certificate in trust file %s (PEM is expected)", path);
}

static int open_folder(struct truststore *store, const char *path, struct error *err)
{
	DIR *dir = opendir(path);

	if (!dir)
		return error_errno(err, FAULT_TRUST_FILE, "cannot open trust folder %s", path);
	closedir(dir);
	store->dir = xstrdup(path);
	return 0;
}

int truststore_open(const char *file, const char *dir, struct truststore **out, struct error *err)
{
	struct truststore *store = xcalloc(1, sizeof(*store));
	int rc = 0;

	strbuf_init(&store->text, STORE_MAX);
	strbuf_init(&store->found, STORE_MAX);
	if (dir)
		rc = open_folder(store, dir, err);
	if (rc == 0 && !(dir && strcmp(file, "system") == 0))
		rc = open_file(store, file, err);
	if (rc < 0) {
		truststore_free(store);
		return -1;
	}
	*out = store;
	return 0;
}

void truststore_free(struct truststore *store)
{
	if (store) {
		strbuf_release(&store->text);
		strbuf_release(&store->found);
		xfree(store->dir);
		xfree(store);
	}
}

static void identify(const char *path, struct strbuf *out)
{
	struct stat st;

	strbuf_addf(out, "%s", path);
	if (stat(path, &st) == 0)
		strbuf_addf(out, " %" PRIdMAX " %" PRIdMAX ".%09ld %" PRIuMAX,
			    (intmax_t)st.st_size, (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
			    (uintmax_t)st.st_ino);
	strbuf_addch(out, '\n');
}

void truststore_identify(const char *file, const char *dir, struct strbuf *out)
{
	if (dir)
		identify(dir, out);
	if (pem_is(file))
		strbuf_addf(out, "%s\n", file);
	else if (strcmp(file, "system") != 0)
		identify(file, out);
	else if (!dir)
		identify(SYSTEM_TRUST_BUNDLE, out);
}

/* --- folders ------------------------------------------------------------ */

/* The certificates of one file of the folder; what cannot be read there is not in the store. */
static void read_found(struct truststore *store, const char *name)
{
	struct strbuf path = STRBUF_INIT(PATH_ROOM), text = STRBUF_INIT(STORE_MAX);
	struct error ignored;

	strbuf_addf(&path, "%s/%s", store->dir, name);
	if (!strbuf_overflow(&path) && read_store(path.buf, &text, &ignored) == 0) {
		const bool der = text.len && text.buf[0] == 0x30 && !has_certificate(&text);

		strbuf_addstr(&store->found, der ? "-----BEGIN CERTIFICATE-----\n" : "");
		if (der)
			base64_encode(&store->found, text.buf, text.len);
		else
			strbuf_add(&store->found, text.buf, text.len);
		strbuf_addstr(&store->found, der ? "\n-----END CERTIFICATE-----\n" : "\n");
	}
	strbuf_release(&path);
	strbuf_release(&text);
}

/* "HASH.0", "HASH.1" and so on: what c_rehash and openssl rehash make. */
static void read_hashed(struct truststore *store, const struct octets *name)
{
	struct strbuf canonical = STRBUF_INIT(NAME_MAX_OCTETS);
	unsigned char hash[20];
	size_t n = sizeof(hash), before;

	if (certificate_canonical_name(name, &canonical) == 0) {
		gnutls_datum_t data = { (unsigned char *)canonical.buf, (unsigned)canonical.len };
		struct strbuf file = STRBUF_INIT(64);

		for (int i = 0; i < TWINS_MAX; i++) {
			if (gtls.fingerprint(GNUTLS_DIG_SHA1, &data, hash, &n) < 0)
				break;
			strbuf_reset(&file);
			strbuf_addf(&file, "%02x%02x%02x%02x.%d", hash[3], hash[2], hash[1],
				    hash[0], i);
			before = store->found.len;
			read_found(store, file.buf);
			if (store->found.len == before)
				break;
		}
		strbuf_release(&file);
	}
	strbuf_release(&canonical);
}

static bool is_certificate_file(const char *name)
{
	static const char *const endings[] = { ".pem", ".crt", ".cer" };
	size_t n = strlen(name);

	for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
		if (n > 4 && strcasecmp(name + n - 4, endings[i]) == 0)
			return true;
	}
	/* or a hashed name */
	return n > 9 && strspn(name, "0123456789abcdef") == 8 && name[8] == '.' &&
	       strspn(name + 9, "0123456789") == n - 9;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void read_all(struct truststore *store)
{
	struct strvec names = STRVEC_INIT(FILES_MAX);
	DIR *dir = store->all_read ? NULL : opendir(store->dir);
	const struct dirent *entry;

	store->all_read = true;
	strbuf_reset(&store->found);
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (is_certificate_file(entry->d_name))
			strvec_add(&names, entry->d_name);
	}
	closedir(dir);
	/* the same order on every file system */
	if (names.n)
		qsort(names.v, names.n, sizeof(*names.v), compare_names);
	for (size_t i = 0; i < names.n; i++)
		read_found(store, names.v[i]);
	strvec_release(&names);
}

/* --- choosing ----------------------------------------------------------- */

static int add_pem(gnutls_x509_trust_list_t list, const void *text, size_t n)
{
	gnutls_datum_t pem = { .data = (unsigned char *)(uintptr_t)text, .size = (unsigned)n };

	return gtls.x509_trust_list_add_trust_mem(list, &pem, NULL, GNUTLS_X509_FMT_PEM,
						  GNUTLS_TL_NO_DUPLICATES, 0);
}

int truststore_add_all(struct truststore *store, gnutls_x509_trust_list_t list)
{
	int code = 0;

	if (store->of_library)
		return gtls.x509_trust_list_add_system_trust(list, GNUTLS_TL_NO_DUPLICATES, 0);
	if (store->dir && !store->all_read)
		read_all(store);
	if (has_certificate(&store->found))
		code = add_pem(list, store->found.buf, store->found.len);
	if (code >= 0 && store->text.len) {
		int more = add_pem(list, store->text.buf, store->text.len);

		code = more < 0 ? more : code + more;
	}
	return code;
}

struct wanted {
	struct octets *names;
	size_t n;
};

static unsigned choose_from(const struct strbuf *text, const struct wanted *wanted,
			    gnutls_x509_trust_list_t list)
{
	const char *pos = text->buf, *end = pos + text->len;
	struct octets block, body;
	unsigned added = 0;

	if (!text->len)
		return 0;
	struct certificate_reader *r = certificate_reader_new();

	while (certificate_next_pem(&pos, end, &block, &body)) {
		if (certificate_subject_among(r, &body, wanted->names, wanted->n) &&
		    add_pem(list, block.data, block.n) > 0)
			added++;
	}
	certificate_reader_free(r);
	return added;
}

static bool is_repeated(const struct wanted *wanted, size_t i)
{
	for (size_t j = 0; j < i; j++) {
		if (wanted->names[j].n == wanted->names[i].n &&
		    memcmp(wanted->names[j].data, wanted->names[i].data, wanted->names[i].n) == 0)
			return true;
	}
	return false;
}

static unsigned choose_from_folder(struct truststore *store, const struct wanted *wanted,
				   gnutls_x509_trust_list_t list)
{
	for (size_t i = 0; !store->all_read && i < wanted->n; i++) {
		if (!is_repeated(wanted, i))
			read_hashed(store, &wanted->names[i]);
	}
	unsigned added = choose_from(&store->found, wanted, list);

	if (added || store->all_read)
		return added;
	read_all(store);
	return choose_from(&store->found, wanted, list);
}

unsigned truststore_choose(struct truststore *store, const gnutls_datum_t *chain, unsigned n,
			   gnutls_x509_trust_list_t list)
{
	struct wanted wanted = { xcalloc(n, 2 * sizeof(*wanted.names)), 2 * (size_t)n };
	bool readable = !store->of_library;
	unsigned added = 0;

	for (size_t i = 0; readable && i < n; i++)
		readable = certificate_names(chain[i].data, chain[i].size, &wanted.names[2 * i],
					     &wanted.names[2 * i + 1]) == 0;
	if (readable) {
		added = choose_from(&store->text, &wanted, list);
		if (store->dir)
			added += choose_from_folder(store, &wanted, list);
	} else {
		int all = truststore_add_all(store, list);

		added = all > 0 ? (unsigned)all : 0;
	}
	xfree(wanted.names);
	return added;
}
