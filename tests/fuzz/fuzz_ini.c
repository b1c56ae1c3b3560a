/*
 * The ini reader with the settings table behind it: whatever the file, keys
 * and values lie inside the text, quotes only shorten, and what a setting
 * prints can be set again and prints the same.
 */
#include "config.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "conf/account.h"
#include "conf/rcfile.h"
#include "conf/settings.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/secret.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct server {
	struct arena *arena;
	struct account account;
	const char *text, *end;
	unsigned line;
};

static int take_section(void *ctx, char *heading, unsigned line, struct error *err)
{
	struct server *t = ctx;

	(void)err;
	assert(heading >= t->text && heading + strlen(heading) < t->end);
	assert(line > t->line);
	t->line = line;
	return 0;
}

/* A list or command may be quoted in more than one way: only the second printing must settle. */
static void print_again(struct server *t, const struct setting *s)
{
	struct strbuf first = STRBUF_INIT(1 << 22), second = STRBUF_INIT(1 << 22);
	struct error err;

	setting_print(&t->account, s, &first);
	if (s->type == SETTING_ARGV &&
	    setting_set(&t->account, s, t->arena, first.buf, &err) == 0) {
		setting_print(&t->account, s, &second);
		assert(strcmp(first.buf, second.buf) == 0);
	}
	strbuf_release(&first);
	strbuf_release(&second);
}

static int take_setting(void *ctx, const char *key, char *value, unsigned line,
			struct error *err)
{
	struct server *t = ctx;
	const struct setting *s = setting_find(SCOPE_ACCOUNT, key);
	size_t before = strlen(value);

	assert(value >= t->text && value + before < t->end && before <= RCFILE_VALUE_MAX);
	assert(line > t->line);
	assert(!strpbrk(value, "\n") || strncmp(value, "-----BEGIN ", 11) == 0);
	t->line = line;
	if (!s) {
		(void)setting_nearest(SCOPE_ACCOUNT, key);
		return 0;
	}
	if (ini_unquote(value, err) < 0)
		return -1;
	assert(strlen(value) <= before);
	if (setting_set(&t->account, s, t->arena, value, err) < 0) {
		assert(err->exit == EX_CONFIG && strncmp(err->text, "key '", 5) == 0);
		return 0;
	}
	print_again(t, s);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct server t = { .arena = arena_new() };
	struct error err = { .exit = 0 };
	struct rcfile_handler h = {
		.section = take_section, .setting = take_setting, .ctx = &t, .name = "rc",
	};
	char *text = xmalloc(size + 1);

	memcpy(text, data, size);
	text[size] = '\0';
	t.text = text;
	t.end = text + size + 1;
	settings_defaults(SCOPE_ACCOUNT, &t.account, t.arena, !ini_detect(text, size));
	if (ini_read(text, size, &h, &err) < 0)
		assert(err.exit == EX_CONFIG && strncmp(err.text, "rc:", 3) == 0);
	secret_release(&t.account.auth.password);
	secret_release(&t.account.auth.token);
	secret_release(&t.account.tls.key);
	secret_release(&t.account.proxy.password);
	arena_free(t.arena);
	xfree(text);
	return 0;
}
