/*
 * The map of rewriting: whatever the file, what a rule gives is an address
 * that the parser reads again as the same, with a domain and without octets
 * that could end a line. The first line is looked up as an address, too.
 */
#include "config.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "conf/rewrite.h"
#include "message/address.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_up(struct arena *a, const struct rewrite_map *map, const char *local,
		    const char *domain)
{
	const struct rewrite_map *const maps[] = { map, NULL };
	const struct rewrite_key key = { .local = local, .domain = domain ? domain : "d.example",
					 .is_local = !domain };
	const struct rewrite_rule *rule = rewrite_find(maps, &key);
	struct mailbox box;
	struct error err;

	if (!rule)
		return;
	const char *address = address_format(a, rule->local ? rule->local : local, rule->domain);

	assert(address_domain_valid(rule->domain));
	assert(rule->line > 0 && *rule->left);
	assert(!text_has_control(address, strlen(address)));
	assert(address_parse_one(a, address, 0, &box, &err) == 0);
	assert(strcmp(box.local, rule->local ? rule->local : local) == 0);
	assert(strcmp(box.domain, rule->domain) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "root", "a", "*", "no body", "x.y" };
	struct arena *a = arena_new();
	struct rewrite_map *map = rewrite_map_new(a);
	char *text = arena_strndup(a, (const char *)data, size);
	const char *first = arena_strndup(a, text, strcspn(text, " \t\r\n"));
	struct error err;
	struct mailbox box;

	if (rewrite_map_parse(map, "map", text, size, &err) < 0) {
		assert(err.exit == EX_CONFIG);
		assert(strncmp(err.text, "map:", 4) == 0);
	} else {
		for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
			look_up(a, map, names[i], NULL);
			look_up(a, map, names[i], "b");
			look_up(a, map, names[i], "x.example");
		}
		if (address_parse_one(a, first, 0, &box, &err) == 0)
			look_up(a, map, box.local, box.domain);
	}
	arena_free(a);
	return 0;
}
