/*
 * main() of the fuzzers where libFuzzer is not to be had: replays the files
 * and folders given, each in exactly as much memory as it has octets, so that
 * a sanitizer sees the first octet read behind the end. Each file is also
 * given in shortened forms, but for those behind "--once". Without arguments:
 * the folder of corpora of this fuzzer below $SRCDIR. Prints TAP.
 */
#include "config.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_MAX ((size_t)4 * 1024 * 1024)
#define PREFIXES 32	/* shortened forms of a file */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static unsigned replayed, failed, prefixes = PREFIXES;

static void give(const uint8_t *data, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);

	if (!copy)
		abort();
	if (n)
		memcpy(copy, data, n);
	LLVMFuzzerTestOneInput(copy, n);
	free(copy);
}

static void tell(int ok, const char *path)
{
	failed += !ok;
	printf("%sok %u - %s\n", ok ? "" : "not ", ++replayed, path);
	fflush(stdout);
}

static void replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = malloc(INPUT_MAX);
	size_t n = f && data ? fread(data, 1, INPUT_MAX, f) : 0;
	int ok = f && data && !ferror(f);

	if (ok) {
		/* said first: a crash below then has its name */
		printf("# %s: %zu octets\n", path, n);
		fflush(stdout);
		give(data, n);
		for (size_t i = 0; i < prefixes && i < n; i++)
			give(data, n <= prefixes ? i : n * i / prefixes);
	}
	tell(ok, path);
	if (f)
		fclose(f);
	free(data);
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void replay(const char *path);

static void replay_folder(const char *path)
{
	struct dirent **names;
	int n = scandir(path, &names, visible, alphasort);

	if (n <= 0)
		tell(0, path);
	for (int i = 0; i < n; i++) {
		size_t room = strlen(path) + strlen(names[i]->d_name) + 2;
		char *inner = malloc(room);

		if (!inner)
			abort();
		snprintf(inner, room, "%s/%s", path, names[i]->d_name);
		replay(inner);
		free(inner);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
}

static void replay(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		replay_folder(path);
	else
		replay_file(path);
}

/* .../fuzz_address -> $SRCDIR/tests/fuzz/corpus/address */
static void replay_own(const char *argv0)
{
	const char *slash = strrchr(argv0, '/'), *name = slash ? slash + 1 : argv0;
	const char *root = secure_getenv("SRCDIR");
	char path[4096];

	if (strncmp(name, "fuzz_", 5) == 0)
		name += 5;
	snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s", root ? root : ".", name);
	replay(path);
}

int main(int argc, char **argv)
{
	const int first = argc > 1 && strcmp(argv[1], "--once") == 0 ? 2 : 1;

	if (first == 2)
		prefixes = 0;
	for (int i = first; i < argc; i++)
		replay(argv[i]);
	if (argc < 2)
		replay_own(argv[0]);
	printf("1..%u\n", replayed);
	return failed || !replayed ? 1 : 0;
}
