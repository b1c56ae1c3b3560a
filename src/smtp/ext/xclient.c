/*
 * XCLIENT and XFORWARD (Postfix, XCLIENT_README and XFORWARD_README): what a
 * client that stands between another one and the server tells about it.
 *
 * XCLIENT makes the session that of the other client: it is sent once after
 * EHLO, before or after STARTTLS, always before AUTH, and then all begins
 * anew. XFORWARD only fills the server's log: it is sent before each MAIL.
 * Attributes stand in the account as NAME=value, plain; they go out as xtext.
 */
#include "config.h"
#include "smtp/ext/ext.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "conf/account.h"
#include "message/request.h"
#include "smtp/command.h"
#include "smtp/session.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

enum {
	COMMAND_OCTETS = COMMAND_MAX - 2,
	NAME_OCTETS = 32,
	XFORWARD_VALUE_OCTETS = 255
};

/* --- values --------------------------------------------------------------- */

static bool is_unknown(const char *value)
{
	return strcasecmp(value, "[UNAVAILABLE]") == 0 || strcasecmp(value, "[TEMPUNAVAIL]") == 0;
}

/* The address behind "IPv6:" and without brackets; its length. */
static const char *bare_address(const char *value, size_t *n)
{
	*n = strlen(value);
	if (*n > 2 && value[0] == '[' && value[*n - 1] == ']') {
		value++;
		*n -= 2;
	}
	if (*n > 5 && strncasecmp(value, "IPV6:", 5) == 0) {
		value += 5;
		*n -= 5;
	}
	return value;
}

static bool fits_address(const char *value)
{
	char text[INET6_ADDRSTRLEN];
	unsigned char octets[16];
	size_t n;

	value = bare_address(value, &n);
	if (n >= sizeof(text))
		return false;
	memcpy(text, value, n);
	text[n] = '\0';
	return inet_pton(AF_INET, text, octets) == 1 || inet_pton(AF_INET6, text, octets) == 1;
}

static bool fits_port(const char *value)
{
	size_t n = strspn(value, "0123456789");

	return n > 0 && n <= 5 && !value[n];
}

/* Attributes whose values have a form, or are one of two words; others are any text. */
static const struct attribute {
	const char *name;
	bool (*fits)(const char *value);
	const char *want;
	const char *words[2];
} attributes[] = {
	{ "ADDR", fits_address, "an IP address", { NULL } },
	{ "DESTADDR", fits_address, "an IP address", { NULL } },
	{ "PORT", fits_port, "a port number", { NULL } },
	{ "DESTPORT", fits_port, "a port number", { NULL } },
	{ "PROTO", NULL, "SMTP or ESMTP", { "SMTP", "ESMTP" } },
	{ "SOURCE", NULL, "LOCAL or REMOTE", { "LOCAL", "REMOTE" } },
};

static bool fits(const struct attribute *a, const char *value)
{
	return a->fits ? a->fits(value) : strcasecmp(value, a->words[0]) == 0 ||
					  strcasecmp(value, a->words[1]) == 0;
}

static const struct attribute *find_attribute(const char *word, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(attributes); i++) {
		if (strncasecmp(attributes[i].name, word, len) == 0 && !attributes[i].name[len])
			return &attributes[i];
	}
	return NULL;
}

/* NAME "=" value; name = 1*(ALPHA / DIGIT / "-" / "_"): its length, 0 if it is none */
static size_t name_length(const char *word)
{
	size_t n = strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			  "0123456789-_");

	return n <= NAME_OCTETS && word[n] == '=' ? n : 0;
}

static bool is_named(const char *word, const char *name, size_t len)
{
	return strncasecmp(word, name, len) == 0 && word[len] == '=';
}

static int refuse(const char *key, const char *word, const char *why, struct error *err)
{
	return error_set(err, FAULT_CONFIG, "key '%s': '%s' %s", key, word, why);
}

static int check_value(const char *key, const char *word, size_t name, bool log_only,
		       struct error *err)
{
	const struct attribute *a = find_attribute(word, name);
	const char *value = word + name + 1;
	size_t n = strlen(value);

	if (n == 0)
		return refuse(key, word, "has no value", err);
	if (text_has_control(value, n))
		return refuse(key, word, "holds a control character", err);
	if (log_only && (strchr(value, ' ') || !text_is_ascii(value, n) ||
			 n > XFORWARD_VALUE_OCTETS))
		return refuse(key, word, "is not up to 255 octets of ASCII without blanks", err);
	if (a && !is_unknown(value) && !fits(a, value))
		return error_set(err, FAULT_CONFIG, "key '%s': the value of '%s' is not %s",
				 key, word, a->want);
	return 0;
}

/* --- commands ------------------------------------------------------------- */

/* " NAME=value" as it goes out. */
static void add_attribute(struct strbuf *line, const char *word)
{
	size_t name = name_length(word);
	const struct attribute *a = find_attribute(word, name);
	const char *value = word + name + 1;
	size_t n;

	strbuf_addch(line, ' ');
	for (size_t i = 0; i < name; i++)
		strbuf_addch(line, word[i] >= 'a' && word[i] <= 'z' ? (char)(word[i] - 'a' + 'A') :
			     word[i]);
	strbuf_addch(line, '=');
	if (!a || a->fits != fits_address || is_unknown(value)) {
		xtext_add(line, value);
		return;
	}
	value = bare_address(value, &n);
	if (memchr(value, ':', n))
		strbuf_addstr(line, "IPV6:");
	strbuf_add(line, value, n);
}

/* May each of the words be sent, alone in a command at least? */
static int check_words(const char *key, const char *const *words, bool log_only,
		       struct error *err)
{
	for (const char *const *w = words; w && *w; w++) {
		struct strbuf one = STRBUF_INIT(COMMAND_BUFFER_MAX);
		size_t name = name_length(*w);

		if (name == 0)
			return refuse(key, *w, "is not of the form ATTRIBUTE=value", err);
		for (const char *const *before = words; before < w; before++) {
			if (is_named(*before, *w, name))
				return refuse(key, *w, "names an attribute for the second time",
					      err);
		}
		if (check_value(key, *w, name, log_only, err) < 0)
			return -1;
		add_attribute(&one, *w);
		bool fits = !strbuf_overflow(&one) &&
			strlen("XFORWARD") + one.len <= COMMAND_OCTETS;

		strbuf_release(&one);
		if (!fits)
			return refuse(key, *w, "is longer than a command may be", err);
	}
	return 0;
}

int xclient_check_account(const struct account *a, struct error *err)
{
	if (check_words("xclient", a->cmd.xclient, false, err) < 0)
		return -1;
	return check_words("xforward", a->cmd.xforward, true, err);
}

/* Has the server listed the attribute behind the keyword? */
static bool is_listed(const struct session *s, enum extension_id id, const char *word)
{
	const char *list = extensions_arguments(s, id);
	size_t name = name_length(word);

	for (const char *p = list ? list : ""; *p; p += strspn(p, " \t")) {
		size_t n = strcspn(p, " \t");

		if (n == name && strncasecmp(p, word, n) == 0)
			return true;
		p += n;
	}
	return false;
}

/* Starts a command, or adds to it; false when the word does not fit in any more. */
static bool add_word(struct strbuf *line, const char *verb, const char *word)
{
	size_t before = line->len;

	if (before == 0)
		strbuf_addstr(line, verb);
	add_attribute(line, word);
	if (before == 0 || line->len <= COMMAND_OCTETS)
		return true;
	strbuf_truncate(line, before);
	return false;
}

/* --- XCLIENT -------------------------------------------------------------- */

static int say(struct session *s, struct error *err)
{
	if (session_command(s, STAGE_XCLIENT, err) < 0)
		return -1;
	if (s->reply.code != 220)
		return reply_error(&s->reply, STAGE_XCLIENT, err);
	strbuf_reset(&s->line);
	return 0;
}

static int say_word(struct session *s, const char *word, struct error *err)
{
	if (add_word(&s->line, "XCLIENT", word))
		return 0;
	if (say(s, err) < 0)
		return -1;
	(void)add_word(&s->line, "XCLIENT", word);
	return 0;
}

/* All but ADDR, then ADDR: what is allowed is judged by the address of the client. */
static int say_all(struct session *s, struct error *err)
{
	const struct command_settings *c = &s->account->cmd;

	strbuf_reset(&s->line);
	for (int last = 0; last <= 1; last++) {
		for (const char *const *w = c->xclient; *w; w++) {
			if (is_named(*w, "ADDR", 4) != (last == 1))
				continue;
			if (is_listed(s, EXT_XCLIENT, *w)) {
				if (say_word(s, *w, err) < 0)
					return -1;
			} else if (!c->xclient_optional) {
				return error_set(err, FAULT_EXTENSION_MISSING, "the server does "
						 "not take '%s' with XCLIENT", *w);
			}
		}
	}
	return s->line.len ? say(s, err) : 0;
}

static const char *helo_name(const struct session *s)
{
	for (const char *const *w = s->account->cmd.xclient; *w; w++) {
		if (is_named(*w, "HELO", 4) && !is_unknown(*w + 5))
			return *w + 5;
	}
	return s->opt.ehlo_name;
}

static enum ehlo_next xclient_after_ehlo(struct session *s, struct error *err)
{
	const struct command_settings *c = &s->account->cmd;

	if (!c->xclient || s->xclient_sent || s->opt.info_only ||
	    (!c->xclient_before_starttls && starttls_wanted(s)))
		return EHLO_CONTINUE;
	if (!session_has(s, EXT_XCLIENT)) {
		error_set(err, FAULT_EXTENSION_MISSING, "%s does not offer XCLIENT, which is "
			  "required by 'xclient'", s->server_name);
		(void)session_named(s, err);
		return EHLO_FAILED;
	}
	if (say_all(s, err) < 0)
		return EHLO_FAILED;
	s->xclient_sent = true;
	s->authenticated = false;
	s->opt.ehlo_name = helo_name(s);
	return EHLO_AGAIN;
}

/* --- XFORWARD ------------------------------------------------------------- */

bool xforward_next(struct session *s, size_t *at)
{
	const char *const *words = s->account->cmd.xforward;

	strbuf_reset(&s->line);
	if (!words || !session_has(s, EXT_XFORWARD))
		return false;
	for (; words[*at]; ++*at) {
		if (is_listed(s, EXT_XFORWARD, words[*at]) &&
		    !add_word(&s->line, "XFORWARD", words[*at]))
			break;
	}
	return s->line.len > 0;
}

const struct extension ext_XCLIENT = { .keyword = "XCLIENT", .after_ehlo = xclient_after_ehlo };
