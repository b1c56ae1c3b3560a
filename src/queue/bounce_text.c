/*
 * What has happened, for people: who, what, in whose words, what comes next.
 */
#include "config.h"

#include <string.h>

#include "message/ident.h"
#include "queue/bounce_private.h"
#include "queue/entry.h"
#include "util/arena.h"
#include "util/text.h"

#define WIDTH 74
#define WORD_MAX 900		/* octets; a longer one is cut */
#define LISTED_MAX 100		/* recipients; all of them are in the fields */

static const struct {
	const char *begin, *end;
} words[] = {
	[BOUNCE_FAILED] = {
		"Your message could not be delivered to:",
		"Nothing more will be tried for these recipients. If they matter, look at what "
		"the server said, and send the message again or reach them in another way."
	},
	[BOUNCE_DELAYED] = {
		"Your message is late. It has not been delivered yet to:",
		"You need not do anything, and should not send it again."
	},
	[BOUNCE_RELAYED] = {
		"Your message was handed over to a server that sends no notifications. It is "
		"not known here whether it will be delivered to:",
		"You will hear more only if it cannot be delivered."
	},
	[BOUNCE_DELIVERED] = {
		"Your message was delivered to:",
		"This was told because you asked for it."
	},
	[BOUNCE_PAUSED] = {
		"The way to its server has failed, or a setting is wrong. All its mail waits, and "
		"is tried again by and by. The first message that has found it out is for:",
		"You are told once, until the account works again."
	},
};

/* A word at the end of the line, or on the next one; *column is where that ends. */
static void add_word(struct strbuf *out, const char *word, size_t n, size_t indent,
		     size_t *column)
{
	if (*column > indent && *column + 1 + n > WIDTH) {
		strbuf_addstr(out, "\r\n");
		*column = 0;
	}
	if (*column == 0) {
		strbuf_addf(out, "%*s", (int)indent, "");
		*column = indent;
	} else if (*column > indent) {
		strbuf_addch(out, ' ');
		(*column)++;
	}
	strbuf_add(out, word, n);
	*column += n;
}

/* A paragraph: blanks part words, no other octet that is not printable is written. */
static void add_wrapped(struct strbuf *out, const char *text, size_t indent)
{
	struct strbuf clean = STRBUF_INIT(BOUNCE_OUT_MAX);
	size_t column = 0;

	text_escape_add(&clean, text, strlen(text));
	for (const char *p = clean.buf; *p;) {
		size_t n = strcspn(p, " ");

		if (n > WORD_MAX) {
			n = WORD_MAX;
			while (((unsigned char)p[n] & 0xC0) == 0x80)
				n--;
		}
		if (n)
			add_word(out, p, n, indent, &column);
		p += n + (p[n] == ' ');
	}
	strbuf_addstr(out, "\r\n");
	strbuf_release(&clean);
}

/* The server's own words, unless it is the time that ended it. */
static const char *reason(const struct composer *c, size_t i)
{
	const struct bounce *b = c->b;
	const struct entry_rcpt *s = &b->entry->rcpt[i];
	const char *server = bounce_server(b, i, c->arena);
	const bool in_time = !s->status || strcmp(s->status + strcspn(s->status, "."), ".4.7") != 0;

	if (s->code && s->words && (in_time || !s->text || bounce_expired(b, i)))
		return arena_printf(c->arena, "%s%s said: %s", bounce_expired(b, i) ?
				    "not in time; " : "", server ? server : "the server",
				    s->words);
	if (!s->text || b->kind >= BOUNCE_RELAYED)
		return bounce_expired(b, i) ? "not in time" : NULL;
	return bounce_expired(b, i) ? arena_printf(c->arena, "not in time; %s", s->text) : s->text;
}

static void add_recipients(struct composer *c, struct strbuf *out)
{
	const struct entry *e = c->b->entry;
	size_t listed = 0, more = 0;

	for (size_t i = 0; i < e->envelope.rcpt_count; i++) {
		if (!bounce_about(c->b, i))
			continue;
		if (listed == LISTED_MAX) {
			more++;
			continue;
		}
		const char *why = reason(c, i);

		listed++;
		add_wrapped(out, arena_printf(c->arena, "<%s>", e->envelope.rcpt[i].address), 2);
		if (why)
			add_wrapped(out, why, 6);
	}
	if (more)
		add_wrapped(out, arena_printf(c->arena, "and to %zu more, who are in the second "
					      "part of this message", more), 2);
	strbuf_addstr(out, "\r\n");
}

static const char *moment(const struct composer *c, int64_t ms)
{
	return ident_date(c->arena, (time_t)(ms / 1000));
}

static const char *which_message(const struct composer *c)
{
	const struct entry *e = c->b->entry;

	return arena_printf(c->arena, "The message came here on %s%s%s. %s is attached.",
			    moment(c, e->arrival_ms),
			    e->message_id ? " with the Message-ID " : "",
			    e->message_id ? e->message_id : "",
			    c->whole ? "All of it" : "Its header");
}

void bounce_write_text(struct composer *c, struct strbuf *out)
{
	const struct bounce *b = c->b;
	const struct entry *e = b->entry;

	add_wrapped(out, arena_printf(c->arena, "This is the mail program msubmit on %s.",
				      c->host), 0);
	strbuf_addstr(out, "\r\n");
	if (b->kind == BOUNCE_PAUSED) {
		add_wrapped(out, arena_printf(c->arena, "The account '%s' is paused.", e->account),
			    0);
		strbuf_addstr(out, "\r\n");
	} else if (b->to) {
		add_wrapped(out, arena_printf(c->arena, "The message below is from %s. Nobody "
					      "else can be told what has become of it.",
					      *e->envelope.sender ?
					      arena_printf(c->arena, "<%s>", e->envelope.sender) :
					      "the null sender"), 0);
		if (b->suppressed)
			add_wrapped(out, arena_printf(c->arena, "This has happened %lu more "
						      "times since you were told last.",
						      b->suppressed), 0);
		strbuf_addstr(out, "\r\n");
	}
	add_wrapped(out, b->to && b->kind != BOUNCE_PAUSED ? "It could not be delivered to:" :
		    words[b->kind].begin, 0);
	strbuf_addstr(out, "\r\n");
	add_recipients(c, out);
	if (b->kind == BOUNCE_DELAYED && e->expires_ms)
		add_wrapped(out, arena_printf(c->arena, "It will be tried until %s.",
					      moment(c, e->expires_ms)), 0);
	add_wrapped(out, words[b->kind].end, 0);
	strbuf_addstr(out, "\r\n");
	add_wrapped(out, which_message(c), 0);
}
