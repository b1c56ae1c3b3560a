/*
 * Libraries that are loaded when first needed.
 *
 * A library is one table of entry points (tls/gnutls_api.h is an example):
 * being linked to GnuTLS and libgsasl costs more instructions than a whole
 * submission without them. A missing library or entry point is a clear
 * error. DYNLIB_NOTE tells packagers' tools (the ELF note .note.dlopen) that
 * the program may load the library.
 */
#ifndef UTIL_DYNLIB_H
#define UTIL_DYNLIB_H

#include <stddef.h>

#include "util/attr.h"

struct error;

struct dynlib_symbol {
	const char *name;
	void *where;		/* address of the function pointer to fill */
};

/*
 * Loads soname and fills each of the count function pointers. package is the
 * Debian package named in the error (EX_CONFIG). *handle is NULL before the
 * first call; later calls return at once.
 */
ATTR_CHECK int dynlib_load(void **handle, const char *soname, const char *package,
			   const struct dynlib_symbol *symbols, size_t count, struct error *err);

#if defined(__ELF__)
#define DYNLIB_NOTE(name, json) \
	__attribute__((used, section(".note.dlopen"), aligned(4))) \
	static const struct { \
		unsigned name_size, data_size, type; \
		char vendor[4]; \
		char data[(sizeof(json) + 3) & ~3U]; \
	} dynlib_note_##name = { 4, sizeof(json), 0x407c0c0a, "FDO", json }
#else
#define DYNLIB_NOTE(name, json) extern int dynlib_note_unused
#endif

#endif
