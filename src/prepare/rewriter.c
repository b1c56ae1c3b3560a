#include "config.h"
#include "prepare/rewriter.h"

#include <string.h>

#include "conf/account.h"
#include "conf/local_domains.h"
#include "message/address.h"
#include "message/header.h"
#include "message/message.h"
#include "mime/mime_parse.h"
#include "prepare/choose_account.h"
#include "prepare/explain.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

#define FIELD_MAX ((size_t)16 * MESSAGE_HEADER_MOST)

struct rewriter {
	struct arena *arena;
	const struct account *account;
	const struct rewrite_map **maps;
	struct local_domains *local;
	const char *domain;		/* completes addresses; NULL = unknown */
	bool domain_known;
};

int rewriter_open(struct arena *a, const struct account *account, struct rewriter **out,
		  struct error *err)
{
	const struct rewrite_settings *set = &account->rewrite;
	struct rewriter *r;
	size_t n = 0;

	*out = NULL;
	while (set->maps && set->maps[n])
		n++;
	if (n == 0 && !set->map)
		return 0;
	r = arena_alloc(a, sizeof(*r));
	r->arena = a;
	r->account = account;
	r->local = local_domains_new(a, account);
	r->maps = arena_calloc(a, n + 2, sizeof(*r->maps));
	for (size_t i = 0; i < n; i++)
		r->maps[i] = set->maps[i];
	if (set->map) {
		struct rewrite_map *file = rewrite_map_new(a);

		if (rewrite_map_read(file, set->map, err) < 0)
			return -1;
		r->maps[n] = file;
	}
	*out = r;
	return 0;
}

bool rewriter_does(const struct rewriter *r, unsigned classes)
{
	return r && r->account->rewrite.classes & classes;
}

static const char *to_ascii(struct rewriter *r, const char *domain)
{

	return domain && idna_to_ascii(r->arena, domain, &domain, NULL) < 0 ? NULL : domain;
}

/* Looked up when first needed. */
static const char *completing_domain(struct rewriter *r)
{
	if (!r->domain_known) {
		r->domain_known = true;
		r->domain = to_ascii(r, choose_account_domain(r->arena, r->account));
	}
	return r->domain;
}

const struct rewrite_rule *rewriter_find(struct rewriter *r, unsigned class, const char *local,
					 const char *domain)
{
	struct rewrite_key key = { .local = local };

	if (!rewriter_does(r, class) || !*local)
		return NULL;
	key.domain = domain ? to_ascii(r, domain) : completing_domain(r);
	key.is_local = !domain || local_domains_has(r->local, domain);
	return rewrite_find((const struct rewrite_map *const *)r->maps, &key);
}

const char *rewriter_address(struct arena *a, const struct rewrite_rule *rule, const char *local)
{
	return address_format(a, rule->local ? rule->local : local, rule->domain);
}

const char *rewriter_apply(struct rewriter *r, unsigned class, const char *address,
			   const struct rewrite_rule **rule_out)
{
	struct mailbox box;

	if (!rewriter_does(r, class) || !*address ||
	    address_parse_one(r->arena, address, 0, &box, NULL) < 0)
		return NULL;
	const struct rewrite_rule *rule = rewriter_find(r, class, box.local, box.domain);

	if (!rule)
		return NULL;
	if (rule_out)
		*rule_out = rule;
	return rewriter_address(r->arena, rule, box.local);
}

/* --- the address fields of a header ------------------------------------------------- */

/* enum rewrite_class of a field, 0 for those that are never rewritten. */
static unsigned class_of(const struct header_field *f)
{
	static const struct { enum header_id id; unsigned class; } classes[] = {
		{ HEADER_FROM, REWRITE_FROM }, { HEADER_SENDER, REWRITE_SENDER },
		{ HEADER_REPLY_TO, REWRITE_REPLY_TO }, { HEADER_TO, REWRITE_TO },
		{ HEADER_CC, REWRITE_CC }, { HEADER_RESENT_FROM, REWRITE_RESENT_SENDER },
		{ HEADER_RESENT_SENDER, REWRITE_RESENT_SENDER },
		{ HEADER_RESENT_TO, REWRITE_RESENT_RECIPIENT },
		{ HEADER_RESENT_CC, REWRITE_RESENT_RECIPIENT },
	};

	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		if (classes[i].id == f->id)
			return classes[i].class;
	}
	return 0;
}

/* The value while it is written anew. */
struct rewriting {
	const struct address_job *job;
	const struct header_field *field;
	const char *value;
	size_t len;
	bool rules;		/* else only missing domains are put in */
	struct strbuf out;
	size_t at;		/* the value is copied up to here */
	size_t changes, rewritten;
};

/* Copies up to start and goes on behind end, with text in between. */
static void patch(struct rewriting *w, size_t start, size_t end, const char *text)
{
	strbuf_add(&w->out, w->value + w->at, start - w->at);
	strbuf_addstr(&w->out, text);
	w->at = end;
	w->changes++;
}

/* What completes a bare name; NULL when it is to stay bare. */
static const char *domain_of(const struct rewriting *w)
{
	return w->job->account->qualify ? w->job->domain(w->job->ctx) : NULL;
}

/* Comments inside the address: they stay, behind it. */
static void keep_comments(struct rewriting *w, const struct mailbox *box)
{
	const char *p = w->value + box->start, *end = w->value + box->end;

	while (p < end) {
		if (*p == '(') {
			const char *stop = mime_skip_comment(p, end);

			strbuf_addch(&w->out, ' ');
			strbuf_add(&w->out, p, (size_t)(stop - p));
			p = stop;
		} else {
			p = *p == '"' ? mime_skip_quoted(p, end) : p + 1;
		}
	}
}

static void put_address(struct rewriting *w, const struct mailbox *box, const char *address)
{
	patch(w, box->start, box->end, address);
	keep_comments(w, box);
}

/* --- display names ----------------------------------------------------------------- */

/*
 * The comment as a phrase: quoted where it is ASCII. What holds encoded
 * words can become a phrase only if nothing in it needs quotes (RFC 2047,
 * section 5); NULL = it cannot.
 */
static const char *comment_phrase(struct arena *a, const char *comment)
{
	const char *phrase = address_phrase(a, comment);

	if (strstr(comment, "=?") && strstr(comment, "?="))
		return *phrase == '"' ? NULL : phrase;
	return *phrase == '"' || strncmp(phrase, "=?", 2) == 0 ? phrase :
		arena_printf(a, "\"%s\"", phrase);
}

/* Does the comment stand beside the address rather than within? */
static bool has_old_name(const struct rewriting *w, const struct mailbox *box)
{
	return w->field->id == HEADER_FROM && !box->angle && box->comment &&
	       (box->comment_end <= box->start || box->comment_start >= box->end);
}

/* Leaves out the comment, with the blanks between it and the address. */
static void drop_comment(struct rewriting *w, const struct mailbox *box)
{
	size_t start = box->comment_start, end = box->comment_end;

	if (start >= box->end) {
		while (start > w->at && text_is_fws(w->value[start - 1]))
			start--;
	} else {
		while (end < box->start && text_is_fws(w->value[end]))
			end++;
	}
	patch(w, start, end, "");
}

/* root (Cron Daemon), root, (Cron Daemon) root: becomes phrase <address> */
static void put_phrase(struct rewriting *w, const struct mailbox *box, const char *phrase,
		       const char *address)
{
	const bool drop = has_old_name(w, box);

	if (drop && box->comment_end <= box->start)
		drop_comment(w, box);
	patch(w, box->start, box->end,
	      arena_printf(w->job->arena, "%s <%s>", phrase, address));
	keep_comments(w, box);
	if (drop && box->comment_start >= box->end)
		drop_comment(w, box);
}

/* The mailbox with another address, and another name where there is one. */
static void put_mailbox(struct rewriting *w, const struct mailbox *box, const char *name,
			const char *address)
{
	struct arena *a = w->job->arena;
	const char *phrase = name ? address_phrase(a, name) : NULL;

	if (!phrase && has_old_name(w, box))
		phrase = comment_phrase(a, box->comment);
	if (box->angle) {
		if (phrase)
			patch(w, box->name_start, box->name_end,
			      box->name_start == box->name_end ?
			      arena_printf(a, "%s ", phrase) : phrase);
		put_address(w, box, address);
	} else if (phrase) {
		put_phrase(w, box, phrase, address);
	} else {
		put_address(w, box, address);
	}
}

/* --- one field ---------------------------------------------------------------------- */

/* The name that From is to have, whatever its address: only where it has one author. */
static const char *from_name(const struct rewriting *w, const struct address_list *list)
{
	return w->rules && w->field->id == HEADER_FROM && list->n == 1 ?
		w->job->account->rewrite.from_name : NULL;
}

/*
 * The address that goes in place of one that nobody outside this host knows:
 * who sends is the account, and a local name without a domain of its own is.
 * NULL = none.
 */
static const char *own_address(const struct rewriting *w, const struct mailbox *box)
{
	const unsigned senders = REWRITE_FROM | REWRITE_SENDER | REWRITE_RESENT_SENDER;
	const struct account *account = w->job->account;
	struct arena *a = w->job->arena;
	struct mailbox own;

	if (!*box->local || !account->qualify || !local_domain_is_bare(box->domain))
		return NULL;
	if (class_of(w->field) & senders && choose_account_stand_in(a, account, box->address))
		return choose_account_from(a, account, &own) ? own.address : NULL;
	return box->domain ? NULL : choose_account_own(a, account);
}

/* The name beside it: what stands there, else the local name; NULL = as it is. */
static const char *own_name(const struct rewriting *w, const struct mailbox *box)
{
	if (box->name)
		return box->odd_name && !strstr(box->name, "=?") ? box->name : NULL;
	return has_old_name(w, box) ? NULL : box->local;
}

/*
 * A name that is no phrase is quoted, so that others read the same; what
 * holds encoded words cannot be. The address is completed.
 */
static void mend(struct rewriting *w, const struct mailbox *box)
{
	struct arena *a = w->job->arena;

	if (box->odd_name && !strstr(box->name, "=?"))
		patch(w, box->name_start, box->name_end, address_phrase(a, box->name));
	if (box->odd_address)
		put_address(w, box, box->address);
	else if (!box->domain && *box->local && domain_of(w))
		patch(w, box->local_end, box->local_end, arena_printf(a, "@%s", domain_of(w)));
}

static void put_box(struct rewriting *w, const struct mailbox *box, const char *name)
{
	const struct rewrite_rule *rule = NULL;

	if (w->rules)
		rule = rewriter_find(w->job->rewriter, class_of(w->field),
				     box->local, box->domain);
	if (rule) {
		explain_note(w->job->explain, "header field '%s': '%s' rewritten by the rule for "
			     "'%s' (%s:%u)", header_name(w->field->id), box->address, rule->left,
			     rule->file, rule->line);
		put_mailbox(w, box, rule->name ? rule->name : name,
			    rewriter_address(w->job->arena, rule, box->local));
		w->rewritten++;
	} else if (own_address(w, box)) {
		explain_note(w->job->explain, "header field '%s': '%s' is known on this host only: "
			     "'from' of the account", header_name(w->field->id), box->address);
		put_mailbox(w, box, name ? name : own_name(w, box), own_address(w, box));
		w->rewritten++;
	} else if (name) {
		put_mailbox(w, box, name,
			    address_format(w->job->arena, box->local,
					   box->domain ? box->domain : domain_of(w)));
	} else {
		mend(w, box);
	}
}

/* Reads the list and writes it anew; false when it cannot be read. */
static bool rewrite(struct rewriting *w)
{
	struct address_list list;

	w->value = w->field->text + w->field->value;
	w->len = w->field->len - w->field->value;
	strbuf_init(&w->out, FIELD_MAX);
	if (address_parse_list(w->job->arena, w->value, w->len, ADDRESS_SEMICOLONS, &list,
			       NULL) < 0)
		return false;
	for (size_t i = 0; i < list.n; i++)
		put_box(w, &list.box[i], from_name(w, &list));
	strbuf_add(&w->out, w->value + w->at, w->len - w->at);
	return !strbuf_overflow(&w->out);
}

struct addressed rewriter_field(const struct address_job *j, const struct header_field *f)
{
	struct rewriting w = { .job = j, .field = f, .rules = true };
	struct addressed done = { .text = NULL };

	done.unreadable = !rewrite(&w);
	if (!done.unreadable && w.changes) {
		done.rewritten = w.rewritten > 0;
		done.text = arena_printf(j->arena, "%.*s%s", (int)f->value, f->text, w.out.buf);
	}
	strbuf_release(&w.out);
	return done;
}

const char *rewriter_field_plain(const struct address_job *j, const struct header_field *f)
{
	struct rewriting w = { .job = j, .field = f };
	struct header_field one = *f;

	if (rewrite(&w))
		one = (struct header_field){ .text = w.out.buf, .len = w.out.len };
	const char *value = header_value(j->arena, &one);

	strbuf_release(&w.out);
	return value;
}
