/*
 * A whole rc file, of msmtp's syntax or ours, from its octets to finished
 * accounts: inheritance ends, every account has its origin, and the error
 * says where. Inputs that would run commands or ask the resolver are left
 * out.
 */
#include "config.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "conf/account.h"
#include "conf/accounts.h"
#include "conf/config_parts.h"
#include "conf/settings.h"
#include "util/error.h"
#include "util/strbuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void show(const struct config *c)
{
	const struct account *a;

	for (size_t i = 0; i < 20 && (a = config_nth(c, i)); i++) {
		assert(config_account(c, a->name));
		assert(account_port(a) > 0 && account_port(a) < 65536);
		struct setting_walk w = { 0 };
		const struct setting *s;

		while ((s = settings_next(SCOPE_ACCOUNT, &w))) {
			struct strbuf out = STRBUF_INIT(1 << 22);

			setting_print(a, s, &out);
			assert(*config_origin(c, a, s->key));
			strbuf_release(&out);
		}
	}
	assert(config_listen(c, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct config_request none = { .no_files = true };
	struct config *c = NULL;
	struct error err = { .exit = 0 };

	if (memmem(data, size, "eval", 4) || memmem(data, size, "%C", 2) ||
	    memmem(data, size, "nclude", 6) || memmem(data, size, "@/", 2) ||
	    memmem(data, size, "@~/", 3))
		return 0;
	int rc = config_load(&none, &c, &err);

	assert(rc == 0);
	struct config_file *f = config_file_add(c, "rc", ORIGIN_FILE);

	rc = config_text_read(c, f, (const char *)data, size, &err);
	if (rc == 0)
		rc = config_resolve(c, &err);
	if (rc == 0)
		show(c);
	else
		assert(err.exit == EX_CONFIG && strncmp(err.text, "rc:", 3) == 0);
	config_free(c);
	return 0;
}
