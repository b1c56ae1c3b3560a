/*
 * Throw-away certificates for the tests of tls/tls and tls/truststore, made
 * by tests/certs.py in a folder of its own. Without Python or openssl the
 * folder stays empty and certs_need() skips the test that asks.
 */
#ifndef TESTS_CERTS_H
#define TESTS_CERTS_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/error.h"
#include "util/proc.h"
#include "util/strbuf.h"

static char certs_folder[64];
static int certs_made;

static int certs_setup(void **state)
{
	const char *top = secure_getenv("SRCDIR");
	const char *places[] = { top ? top : ".", ".", "..", "../..", "/nonexistent" };
	struct strbuf out = STRBUF_INIT(65536);
	struct error err = { 0 };

	(void)state;
	snprintf(certs_folder, sizeof(certs_folder), "/tmp/msubmit-certs-XXXXXX");
	if (!mkdtemp(certs_folder))
		return -1;
	for (size_t i = 0; !certs_made && i < ARRAY_LEN(places); i++) {
		char script[4096], python[] = "python3";
		char *const argv[] = { python, script, certs_folder, NULL };

		snprintf(script, sizeof(script), "%s/tests/certs.py", places[i]);
		if (access(script, R_OK) == 0)
			certs_made = proc_capture(argv, 120, &out, &err) == 0;
	}
	if (!certs_made)
		print_message("# no certificates: %s\n",
			      err.exit ? err.text : "tests/certs.py is not found");
	strbuf_release(&out);
	return 0;
}

static int certs_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int certs_teardown(void **state)
{
	(void)state;
	nftw(certs_folder, certs_remove, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}

#define certs_need() do { \
	if (!certs_made) \
		skip(); \
} while (0)

/* The path of a file in the folder; good until eight more were asked for. */
static const char *certs_path(const char *name)
{
	static char paths[8][128];
	static unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", certs_folder, name);
	return path;
}

#endif
