#include "config.h"
#include "util/dynlib.h"

#include <dlfcn.h>
#include <string.h>

#include "util/error.h"

int dynlib_load(void **handle, const char *soname, const char *package,
		const struct dynlib_symbol *symbols, size_t count, struct error *err)
{
	if (*handle)
		return 0;
	void *lib = dlopen(soname, RTLD_LAZY | RTLD_LOCAL);

	if (!lib)
		return error_set(err, FAULT_LIBRARY_MISSING,
				 "cannot load %s (%s): install the package %s", soname, dlerror(),
				 package);
	for (size_t i = 0; i < count; i++) {
		void *entry = dlsym(lib, symbols[i].name);

		if (!entry) {
			dlclose(lib);
			return error_set(err, FAULT_LIBRARY_MISSING,
					 "%s has no '%s': install a newer %s", soname,
					 symbols[i].name, package);
		}
		memcpy(symbols[i].where, &entry, sizeof(entry));
	}
	*handle = lib;
	return 0;
}
