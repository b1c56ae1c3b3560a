/* What would be sent, and why: --dry-run and --explain. */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/report.h"
#include "conf/account.h"
#include "conf/accounts.h"
#include "conf/settings.h"
#include "message/envelope.h"
#include "message/message.h"
#include "message/result.h"
#include "message/writer.h"
#include "prepare/explain.h"
#include "submit/preview.h"
#include "util/base64.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/json.h"
#include "util/strbuf.h"
#include "util/text.h"

#define OUTPUT_MAX ((size_t)1 << 30)
#define BLOCK 65536

/* The settings that say where it goes and as whom. */
static const char *const keys_shown[] = {
	"via", "host", "socket", "port", "protocol", "tls", "auth", "user"
};

/* The value of one of them; without a service nothing is said of it. */
static void print_shown(const struct account *a, const char *key, struct strbuf *out)
{
	strbuf_reset(out);
	if (a->via == VIA_SERVICE || strcmp(key, "via") != 0)
		setting_print(a, setting_find(SCOPE_ACCOUNT, key), out);
}

/* --- text ---------------------------------------------------------------------- */

/* "topic: value (origin)"; what others wrote is escaped. */
static void line(struct strbuf *out, const char *topic, const char *value, const char *origin)
{
	strbuf_addf(out, "%s: ", topic);
	text_escape_add(out, value, strlen(value));
	if (origin) {
		strbuf_addstr(out, " (");
		text_escape_add(out, origin, strlen(origin));
		strbuf_addch(out, ')');
	}
	strbuf_addch(out, '\n');
}

static void add_notes(struct strbuf *out, const struct explain *x)
{
	for (size_t i = 0; i < x->n; i++)
		line(out, "why", x->note[i], NULL);
	if (x->left_out)
		strbuf_addf(out, "why: %zu more such reasons are not shown\n", x->left_out);
}

static void add_settings(struct strbuf *out, const struct submission *s)
{
	struct strbuf value = STRBUF_INIT(BLOCK);

	for (size_t i = 0; i < ARRAY_LEN(keys_shown); i++) {
		print_shown(s->account, keys_shown[i], &value);
		if (value.len)
			line(out, keys_shown[i], value.buf,
			     config_origin(s->config, s->account, keys_shown[i]));
	}
	strbuf_release(&value);
}

static void add_explanation(struct strbuf *out, const struct submission *s)
{
	const struct account *a = s->account;
	const struct envelope *e = &s->envelope;
	struct strbuf place = STRBUF_INIT(BLOCK);

	if (a->file)
		strbuf_addf(&place, "%s:%u", a->file, a->line);
	line(out, "account", a->name, place.len ? place.buf : NULL);
	add_settings(out, s);
	line(out, "sender", *e->sender ? e->sender : "<>", NULL);
	for (size_t i = 0; i < e->rcpt_count; i++)
		line(out, "recipient", e->rcpt[i].address, envelope_source_name(e->rcpt[i].source));
	for (size_t i = 0; i < e->unsendable_n; i++)
		line(out, "refused", e->unsendable[i].address, e->unsendable[i].why->text);
	add_notes(out, &s->explain);
	strbuf_release(&place);
}

/* --- the message ------------------------------------------------------------------ */

typedef int take_fn(void *ctx, const char *data, size_t n);

static int to_stdout(void *ctx, const char *data, size_t n)
{
	(void)ctx;
	return fs_write_all(STDOUT_FILENO, data, n);
}

static int to_buffer(void *ctx, const char *data, size_t n)
{
	strbuf_add(ctx, data, n);
	return 0;
}

/* Hands the octets that would go out to take. EX_IOERR. */
static int walk_message(const struct preview *p, take_fn *take, void *ctx, struct error *err)
{
	struct writer *w = writer_new(p->converted.message, &p->converted.edits, WRITER_PLAIN);
	char block[BLOCK / 4];
	ssize_t n;
	int rc = 0;

	while (rc == 0 && (n = writer_read(w, block, sizeof(block), err)) != 0) {
		rc = n < 0 ? -1 : 0;
		if (n > 0 && take(ctx, block, (size_t)n) < 0)
			rc = error_errno(err, FAULT_IO,
					 "cannot write to standard output");
	}
	writer_free(w);
	return rc;
}

static int print_text(const struct invocation *inv, const struct submission *s,
		      const struct preview *p, struct strbuf *out, struct error *err)
{
	if (inv->request.explain)
		add_explanation(out, s);
	if (inv->request.explain && inv->dry_run)
		strbuf_addch(out, '\n');
	for (size_t i = 0; inv->dry_run && i < p->command.n; i++) {
		text_escape_add(out, p->command.v[i], strlen(p->command.v[i]));
		strbuf_addch(out, '\n');
	}
	if (inv->dry_run)
		strbuf_addch(out, '\n');
	if (fs_write_all(STDOUT_FILENO, out->buf, out->len) < 0)
		return error_errno(err, FAULT_IO, "cannot write to standard output");
	return inv->dry_run ? walk_message(p, to_stdout, NULL, err) : 0;
}

/* --- JSON --------------------------------------------------------------------------- */

static void json_settings(struct json *j, const struct submission *s)
{
	struct strbuf value = STRBUF_INIT(BLOCK);

	json_begin(j, "settings", '{');
	for (size_t i = 0; i < ARRAY_LEN(keys_shown); i++) {
		print_shown(s->account, keys_shown[i], &value);
		if (!value.len)
			continue;
		json_begin(j, keys_shown[i], '{');
		json_string(j, "value", value.buf);
		json_string(j, "origin", config_origin(s->config, s->account, keys_shown[i]));
		json_end(j, '}');
	}
	json_end(j, '}');
	strbuf_release(&value);
}

static void json_recipients(struct json *j, const struct submission *s, const struct preview *p)
{
	const struct envelope *e = &s->envelope;

	json_begin(j, "recipients", '[');
	for (size_t i = 0; i < e->rcpt_count; i++) {
		json_begin(j, NULL, '{');
		json_string(j, "address", e->rcpt[i].address);
		json_string(j, "source", envelope_source_name(e->rcpt[i].source));
		if (e->rcpt[i].orcpt)
			json_string(j, "orcpt", e->rcpt[i].orcpt);
		if (p->command.n > i + 1)
			json_string(j, "command", p->command.v[i + 1]);
		json_end(j, '}');
	}
	for (size_t i = 0; i < e->unsendable_n; i++) {
		json_begin(j, NULL, '{');
		report_recipient_json(j, e->unsendable[i].address, &(struct rcpt_result){
			.outcome = OUTCOME_REFUSED, .error = *e->unsendable[i].why });
		json_end(j, '}');
	}
	json_end(j, ']');
}

static void json_notes(struct json *j, const struct explain *x)
{
	json_begin(j, "why", '[');
	for (size_t i = 0; i < x->n; i++)
		json_string(j, NULL, x->note[i]);
	json_end(j, ']');
}

/* As a string where that is what it is, else in base64: nothing of it is lost. */
static int json_message(struct json *j, const struct preview *p, struct error *err)
{
	struct strbuf text = STRBUF_INIT(OUTPUT_MAX), code = STRBUF_INIT(OUTPUT_MAX);
	int rc = walk_message(p, to_buffer, &text, err);

	if (rc == 0 && text_is_utf8(text.buf, text.len) && !memchr(text.buf, '\0', text.len)) {
		json_octets(j, "message", text.buf, text.len);
	} else if (rc == 0) {
		base64_encode(&code, text.buf, text.len);
		json_string(j, "message_base64", code.buf);
	}
	if (rc == 0 && (strbuf_overflow(&text) || strbuf_overflow(&code)))
		rc = error_set(err, FAULT_INPUT_TOO_LARGE,
			       "the message is too large to be shown as "
			       "JSON");
	strbuf_release(&text);
	strbuf_release(&code);
	return rc;
}

static int print_json(const struct invocation *inv, const struct submission *s,
		      const struct preview *p, struct strbuf *out, struct error *err)
{
	struct json j = { .out = out };

	json_begin(&j, NULL, '{');
	json_string(&j, "account", s->account->name);
	json_settings(&j, s);
	json_string(&j, "from", s->envelope.sender);
	if (p->command.n)
		json_string(&j, "command", p->command.v[0]);
	json_recipients(&j, s, p);
	if (inv->request.explain)
		json_notes(&j, &s->explain);
	if (inv->dry_run && json_message(&j, p, err) < 0)
		return -1;
	json_end(&j, '}');
	strbuf_addch(out, '\n');
	if (strbuf_overflow(out))
		return error_set(err, FAULT_INPUT_TOO_LARGE, "the result is too large");
	return fs_write_all(STDOUT_FILENO, out->buf, out->len) < 0 ?
		error_errno(err, FAULT_IO, "cannot write to standard output") : 0;
}

/* --- both ----------------------------------------------------------------------------- */

int show_message(const struct invocation *inv, const struct submission *s)
{
	struct strbuf out = STRBUF_INIT(OUTPUT_MAX);
	struct preview p = { .converted = { .made = false } };
	struct error err;
	int rc = 0;

	if (inv->dry_run)
		rc = preview_make(&p, s->account, s->message, &s->edits, &s->envelope, &err);
	if (rc == 0)
		rc = inv->json ? print_json(inv, s, &p, &out, &err) :
				 print_text(inv, s, &p, &out, &err);
	preview_release(&p);
	strbuf_release(&out);
	return rc < 0 ? report_failure(inv, &err) : EX_OK;
}

void show_notes(const struct invocation *inv, const struct submission *s)
{
	struct strbuf out = STRBUF_INIT(OUTPUT_MAX);

	if (!inv->request.explain || inv->json)
		return;
	add_notes(&out, &s->explain);
	(void)report_output(inv, out.buf);
	strbuf_release(&out);
}
