/*
 * The readers of other programs' configurations: whatever is in them, what
 * comes out can be read back, and errors and notes are single printable
 * lines. The first octet chooses the format; what follows a line "%%" is the
 * second file, which the first may name: auth, pw, revaliases, me.
 */
#include "config.h"

#include <assert.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "import/import.h"
#include "util/attr.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const types[] = {
	"postfix", "nullmailer", "ssmtp", "dma", "esmtp", "msmtp",
};
static char folder[64];

static void clean(void)
{
	static const char *const names[] = { "/x", "/auth", "/pw", "/revaliases", "/me", "" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char path[128];

		snprintf(path, sizeof(path), "%s%s", folder, names[i]);
		remove(path);
	}
}

static void put(const char *name, const uint8_t *data, size_t n)
{
	char path[128];

	if (!*folder) {
		snprintf(folder, sizeof(folder), "/tmp/msubmit-fuzz-XXXXXX");
		assert(mkdtemp(folder));
		atexit(clean);
	}
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert(fd >= 0);
	int rc = fs_write_all(fd, data, n);

	assert(rc == 0);
	close(fd);
}

static size_t split(const uint8_t *data, size_t size, size_t *second)
{
	const uint8_t *mark = memmem(data, size, "\n%%\n", 4);

	*second = mark ? (size_t)(mark - data) + 4 : size;
	return mark ? (size_t)(mark - data) + 1 : size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[128];
	struct import_result r;
	struct error err = { .exit = 0 };
	size_t second;

	/* nothing outside the folder is to be read */
	if (size == 0 || memchr(data, '/', size))
		return 0;
	const char *type = types[data[0] % ARRAY_LEN(types)];
	const size_t first = split(data + 1, size - 1, &second);

	put("x", data + 1, first);
	put("auth", data + 1 + second, size - 1 - second);
	put("pw", data + 1 + second, size - 1 - second);
	put("revaliases", data + 1 + second, size - 1 - second);
	put("me", data + 1 + second, size - 1 - second);
	snprintf(path, sizeof(path), "%s/x", folder);
	const struct import_request req = { .path = path, .type = type, .folder = "/F" };
	int rc = import_read(&req, &r, &err);

	if (rc < 0) {
		assert(err.exit == EX_DATAERR || err.exit == EX_NOINPUT || err.exit == EX_CONFIG);
		assert(!text_has_control(err.text, strlen(err.text)));
	}
	for (size_t i = 0; i < r.notes.n; i++)
		assert(!text_has_control(r.notes.v[i], strlen(r.notes.v[i])));
	import_release(&r);
	return 0;
}
