#include "config.h"
#include "queue/entry.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

#define MAGIC "msubmit-queue "
#define MOMENT_MAX 253402300799999ULL	/* the end of the year 9999 */
#define FNV_PRIME 1099511628211ULL

/* Where the numbers of the first line begin, and how many digits they have. */
enum {
	AT_VERSION = sizeof(MAGIC) - 1, VERSION_DIGITS = 3,
	AT_ENVELOPE = AT_VERSION + VERSION_DIGITS + 1, ENVELOPE_DIGITS = 10,
	AT_MESSAGE = AT_ENVELOPE + ENVELOPE_DIGITS + 1, MESSAGE_DIGITS = 19,
	AT_SUM = AT_MESSAGE + MESSAGE_DIGITS + 1, SUM_DIGITS = 16,
	AT_HEADSUM = AT_SUM + SUM_DIGITS + 1,
	AT_LINE_END = AT_HEADSUM + SUM_DIGITS
};

_Static_assert(AT_LINE_END + 1 == ENTRY_LINE_SIZE, "the first line has that length");

/* --- the table of keys ------------------------------------------------------- */

enum kind {
	KIND_FLAG,		/* bool; the key stands alone */
	KIND_NUMBER,		/* unsigned, up to max */
	KIND_MOMENT,		/* int64_t */
	KIND_TEXT,		/* const char * */
	KIND_RAW,		/* the same, where any octet but NUL may be */
	KIND_WORD,		/* int or an enum, by the names in words */
	KIND_FAULT		/* enum fault, by its name */
};

enum words { WORDS_NONE, BODIES, RETS, BY_MODES, HOLDS, PRIORITIES, SOURCES, OUTCOMES };

struct row {
	char key[16];
	enum kind kind;
	unsigned offset;
	unsigned max;
	enum words words;
	unsigned version;		/* of the form that has it first; 0 = the first */
};

static const struct name_value bodies[] = {
	{ "8BITMIME", BODY_8BITMIME }, { "BINARYMIME", BODY_BINARYMIME }, NAMES_END
};
static const struct name_value rets[] = {
	{ "FULL", DSN_RET_FULL }, { "HDRS", DSN_RET_HDRS }, NAMES_END
};
static const struct name_value by_modes[] = {
	{ "notify", BY_NOTIFY }, { "return", BY_RETURN }, NAMES_END
};
static const struct name_value holds[] = {
	{ "for", HOLD_FOR }, { "until", HOLD_UNTIL }, NAMES_END
};
static const struct name_value priorities[] = {
	{ "-9", -9 }, { "-8", -8 }, { "-7", -7 }, { "-6", -6 }, { "-5", -5 }, { "-4", -4 },
	{ "-3", -3 }, { "-2", -2 }, { "-1", -1 }, { "1", 1 }, { "2", 2 }, { "3", 3 }, { "4", 4 },
	{ "5", 5 }, { "6", 6 }, { "7", 7 }, { "8", 8 }, { "9", 9 }, NAMES_END
};
static const struct name_value sources[] = {
	{ "option", RCPT_SOURCE_OPTION }, { "to", RCPT_SOURCE_TO }, { "cc", RCPT_SOURCE_CC },
	{ "bcc", RCPT_SOURCE_BCC }, { "setting", RCPT_SOURCE_ADDED }, NAMES_END
};
static const struct name_value outcomes[] = {
	{ "accepted", OUTCOME_ACCEPTED }, { "deferred", OUTCOME_DEFERRED },
	{ "refused", OUTCOME_REFUSED }, NAMES_END
};
static const struct name_value *const word_tables[] = {
	[BODIES] = bodies, [RETS] = rets, [BY_MODES] = by_modes, [HOLDS] = holds,
	[PRIORITIES] = priorities, [SOURCES] = sources, [OUTCOMES] = outcomes
};

#define EXTENSION_NAME(id) { #id, EXT_##id },
static const struct name_value extensions[] = { EXTENSIONS(EXTENSION_NAME) NAMES_END };

/* Does not compile when the member has another type. */
#define FIELD(in, type, m) .offset = (offsetof(in, m) + \
	0 * sizeof((type *)0 == &((in *)0)->m))
#define FLAG(in, m) .kind = KIND_FLAG, FIELD(in, bool, m)
#define NUMBER(in, m, top) .kind = KIND_NUMBER, FIELD(in, unsigned, m), .max = (top)
#define MOMENT(in, m) .kind = KIND_MOMENT, FIELD(in, int64_t, m)
#define TEXT(in, m) .kind = KIND_TEXT, FIELD(in, const char *, m)
#define RAW(in, m) .kind = KIND_RAW, FIELD(in, const char *, m)
#define SINCE(n) .version = (n)
#define WORD(in, type, m, names) .kind = KIND_WORD, FIELD(in, type, m), .words = (names)

/* What is of the whole entry; those that may occur again are in special[]. */
static const struct row entry_rows[] = {
	{ "arrival", MOMENT(struct entry, arrival_ms) },
	{ "next", MOMENT(struct entry, next_ms) },
	{ "expires", MOMENT(struct entry, expires_ms) },
	{ "last", MOMENT(struct entry, last_ms) },
	{ "unknown", MOMENT(struct entry, unknown_ms) },
	{ "warned", MOMENT(struct entry, warned_ms) },
	{ "attempts", NUMBER(struct entry, attempts, 1000000000) },
	{ "held", FLAG(struct entry, held) },
	{ "held-since", MOMENT(struct entry, held_ms), SINCE(2) },
	{ "undo-until", MOMENT(struct entry, undo_ms), SINCE(2) },
	{ "notices", NUMBER(struct entry, notices, 31), SINCE(2) },
	{ "binary", FLAG(struct entry, binary) },
	{ "uid", NUMBER(struct entry, uid, UINT32_MAX) },
	{ "account", TEXT(struct entry, account) },
	{ "config", RAW(struct entry, config_file) },
	{ "no-config", FLAG(struct entry, no_files) },
	{ "transid", TEXT(struct entry, transid), SINCE(2) },
	{ "message-id", TEXT(struct entry, message_id) },
	{ "sender", TEXT(struct entry, envelope.sender) },
	{ "orig-sender", TEXT(struct entry, envelope.orig_sender) },
	{ "envid", TEXT(struct entry, envelope.envid) },
	{ "ret", WORD(struct entry, unsigned, envelope.ret, RETS) },
	{ "body", WORD(struct entry, enum body, envelope.body, BODIES) },
	{ "utf8", FLAG(struct entry, envelope.utf8) },
	{ "header-utf8", FLAG(struct entry, envelope.header_utf8) },
	{ "by", WORD(struct entry, enum by_mode, envelope.ext.by, BY_MODES) },
	{ "by-trace", FLAG(struct entry, envelope.ext.by_trace) },
	{ "by-until", MOMENT(struct entry, envelope.ext.by_ms) },
	{ "hold", WORD(struct entry, enum hold, envelope.ext.hold, HOLDS) },
	{ "hold-until", MOMENT(struct entry, envelope.ext.hold_ms) },
	{ "priority-given", FLAG(struct entry, envelope.ext.priority_given) },
	{ "priority", WORD(struct entry, int, envelope.ext.priority, PRIORITIES) },
	{ "requiretls", FLAG(struct entry, envelope.ext.requiretls) },
	{ "solicit", TEXT(struct entry, envelope.ext.solicit) },
	{ "mtrk", TEXT(struct entry, envelope.ext.mtrk) },
	{ "mtrk-secret", TEXT(struct entry, envelope.ext.mtrk_secret) },
	{ "mtrk-timeout", NUMBER(struct entry, envelope.ext.mtrk_timeout, UINT32_MAX) },
	{ "features", TEXT(struct entry, envelope.ext.features) },
	{ "submitter", TEXT(struct entry, envelope.ext.submitter) },
	{ "mail-auth", TEXT(struct entry, envelope.ext.mail_auth) },
};

/* A recipient with all that is known of it. */
struct one {
	struct recipient r;
	struct entry_rcpt s;
};

static const struct row rcpt_rows[] = {
	{ "orcpt", TEXT(struct one, r.orcpt) },
	{ "orcpt-type", TEXT(struct one, r.orcpt_type) },
	{ "original", TEXT(struct one, r.original) },
	{ "notify", NUMBER(struct one, r.notify, 15) },
	{ "source", WORD(struct one, enum rcpt_source, r.source, SOURCES) },
	{ "blind", FLAG(struct one, r.blind) },
	{ "bcc", FLAG(struct one, r.bcc) },
	{ "rrvs", FLAG(struct one, r.rrvs) },
	{ "rrvs-continue", FLAG(struct one, r.rrvs_continue) },
	{ "rrvs-since", MOMENT(struct one, r.rrvs_ms) },
	{ "outcome", WORD(struct one, enum outcome, s.outcome, OUTCOMES) },
	{ "told", FLAG(struct one, s.told) },
	{ "standing", FLAG(struct one, s.standing), SINCE(2) },
	{ "at", MOMENT(struct one, s.at_ms) },
	{ "fault", .kind = KIND_FAULT, FIELD(struct one, enum fault, s.fault) },
	{ "exit", WORD(struct one, int, s.exit, WORDS_NONE), .max = 255 },
	{ "code", WORD(struct one, int, s.code, WORDS_NONE), .max = 599 },
	{ "status", TEXT(struct one, s.status) },
	{ "text", TEXT(struct one, s.text) },
	{ "words", TEXT(struct one, s.words) },
	{ "server", TEXT(struct one, s.server) },
};

_Static_assert(ARRAY_LEN(entry_rows) <= 64 && ARRAY_LEN(rcpt_rows) <= 64, "one bit each");
_Static_assert(sizeof(uid_t) == sizeof(unsigned) && sizeof(enum body) == sizeof(int) &&
	       sizeof(enum outcome) == sizeof(int) && sizeof(enum fault) == sizeof(int),
	       "they are read and written as such");

/* --- an entry in memory -------------------------------------------------------- */

void entry_init(struct entry *e, struct arena *a)
{
	*e = (struct entry){ .arena = a };
	envelope_init(&e->envelope, a);
}

void entry_set_envelope(struct entry *e, const struct envelope *envelope)
{
	const size_t n = envelope->rcpt_count;

	e->envelope = *envelope;
	e->envelope.arena = e->arena;
	e->envelope.unsendable = NULL;
	e->envelope.unsendable_n = e->envelope.unsendable_alloc = 0;
	e->envelope.explain = NULL;
	e->envelope.index = NULL;
	e->envelope.burl = NULL;
	e->envelope.rcpt = arena_calloc(e->arena, n + 1, sizeof(*e->envelope.rcpt));
	e->envelope.rcpt_alloc = n + 1;
	if (n)
		memcpy(e->envelope.rcpt, envelope->rcpt, n * sizeof(*e->envelope.rcpt));
	e->rcpt = arena_calloc(e->arena, n + 1, sizeof(*e->rcpt));
}

void entry_add_setting(struct entry *e, const char *key, const char *value)
{
	e->setting = arena_grow(e->arena, e->setting, e->setting_n, &e->setting_alloc,
				sizeof(*e->setting));
	e->setting[e->setting_n++] = (struct entry_setting){
		arena_strdup(e->arena, key), arena_strdup(e->arena, value)
	};
}

void entry_set_result(struct entry *e, size_t i, const struct rcpt_result *r, const char *server,
		      int64_t at_ms)
{
	struct entry_rcpt *s = &e->rcpt[i];
	const struct error *err = &r->error;
	size_t n;
	const char *words = error_words(err, &n);

	*s = (struct entry_rcpt){
		.outcome = r->outcome, .at_ms = at_ms, .fault = err->fault, .exit = err->exit,
		.code = err->reply,
	};
	s->status = *err->status ? arena_strdup(e->arena, err->status) : NULL;
	s->text = *err->text ? arena_strdup(e->arena, err->text) : NULL;
	s->words = words ? arena_strndup(e->arena, words, n) : NULL;
	s->server = server ? arena_strdup(e->arena, server) : NULL;
}

bool entry_rcpt_open(const struct entry *e, size_t i)
{
	return e->rcpt[i].outcome == OUTCOME_NONE || e->rcpt[i].outcome == OUTCOME_DEFERRED;
}

size_t entry_open(const struct entry *e)
{
	size_t n = 0;

	for (size_t i = 0; i < e->envelope.rcpt_count; i++)
		n += entry_rcpt_open(e, i);
	return n;
}

void entry_error(const struct entry *e, size_t i, struct error *out)
{
	const struct entry_rcpt *s = &e->rcpt[i];

	*out = (struct error){ .exit = 0 };
	if (!s->fault)
		return;
	error_set_status(out, s->fault, s->status ? s->status : fault_rows[s->fault].status, "%s",
			 s->text ? s->text : "");
	out->exit = s->exit;
	out->reply = s->code;
}

uint64_t entry_sum(uint64_t sum, const void *data, size_t n)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < n; i++) {
		sum ^= p[i];
		sum *= FNV_PRIME;
	}
	return sum;
}

/* --- writing --------------------------------------------------------------------- */

static void put_value(struct strbuf *out, const char *s)
{
	for (; *s; s++) {
		const unsigned char c = (unsigned char)*s;

		if (c < ' ' || c == 127 || c == '%')
			strbuf_addf(out, "%%%02X", c);
		else
			strbuf_addch(out, *s);
	}
}

static void put_line(struct strbuf *out, const char *key, const char *value)
{
	strbuf_addf(out, "%s ", key);
	put_value(out, value);
	strbuf_addch(out, '\n');
}

static void put_word(struct strbuf *out, const struct row *row, int value)
{
	const char *name = row->words ? names_name(word_tables[row->words], value) : NULL;

	if (name)
		put_line(out, row->key, name);
	else if (!row->words && value)
		strbuf_addf(out, "%s %d\n", row->key, value);
}

static void put_row(struct strbuf *out, const struct row *row, const void *object)
{
	const char *at = (const char *)object + row->offset;
	const char *text;
	unsigned number;
	int64_t moment;
	int word;
	bool flag;

	switch (row->kind) {
	case KIND_FLAG:
		memcpy(&flag, at, sizeof(flag));
		if (flag)
			strbuf_addf(out, "%s\n", row->key);
		break;
	case KIND_NUMBER:
		memcpy(&number, at, sizeof(number));
		if (number)
			strbuf_addf(out, "%s %u\n", row->key, number);
		break;
	case KIND_MOMENT:
		memcpy(&moment, at, sizeof(moment));
		if (moment > 0)
			strbuf_addf(out, "%s %" PRId64 "\n", row->key, moment);
		break;
	case KIND_TEXT:
	case KIND_RAW:
		memcpy(&text, at, sizeof(text));
		if (text)
			put_line(out, row->key, text);
		break;
	case KIND_WORD:
	case KIND_FAULT:
		memcpy(&word, at, sizeof(word));
		if (row->kind == KIND_WORD)
			put_word(out, row, word);
		else if (word)
			put_line(out, row->key, fault_rows[word].name);
		break;
	}
}

/* Returns the version of the form that has all that was written. */
static unsigned put_rows(struct strbuf *out, const struct row *rows, size_t n, const void *object)
{
	unsigned version = ENTRY_VERSION_FIRST;

	for (size_t i = 0; i < n; i++) {
		const size_t before = out->len;

		put_row(out, &rows[i], object);
		if (out->len > before && rows[i].version > version)
			version = rows[i].version;
	}
	return version;
}

static unsigned put_envelope(const struct entry *e, struct strbuf *out)
{
	unsigned version = put_rows(out, entry_rows, ARRAY_LEN(entry_rows), e), needed;

	for (const struct name_value *x = extensions; !names_is_end(x); x++) {
		if (e->envelope.ext.asked[x->value])
			put_line(out, "asked", x->name);
	}
	for (size_t i = 0; i < e->setting_n; i++) {
		strbuf_addf(out, "setting %s=", e->setting[i].key);
		put_value(out, e->setting[i].value);
		strbuf_addch(out, '\n');
	}
	for (size_t i = 0; i < e->envelope.rcpt_count; i++) {
		const struct one one = { e->envelope.rcpt[i], e->rcpt[i] };

		put_line(out, "rcpt", one.r.address);
		needed = put_rows(out, rcpt_rows, ARRAY_LEN(rcpt_rows), &one);
		version = needed > version ? needed : version;
	}
	return version;
}

/* The sum of a first line and an envelope behind it, n octets in all. */
static uint64_t head_sum(const char *head, size_t n)
{
	return entry_sum(entry_sum(ENTRY_SUM_INIT, head, AT_HEADSUM - 1), head + ENTRY_LINE_SIZE,
			 n - ENTRY_LINE_SIZE);
}

static void put_head_sum(char *head, size_t n)
{
	char sum[SUM_DIGITS + 1];

	snprintf(sum, sizeof(sum), "%0*" PRIx64, SUM_DIGITS, head_sum(head, n));
	memcpy(head + AT_HEADSUM, sum, SUM_DIGITS);
}

bool entry_mark_done(const struct entry *e, char *head, size_t n)
{
	static const char open[] = "rcpt ", done[] = "done ";
	const size_t len = sizeof(open) - 1;
	bool any = false;
	size_t i = 0;

	for (char *at = head + ENTRY_LINE_SIZE, *end = head + n, *lf; at < end; at = lf + 1) {
		lf = memchr(at, '\n', (size_t)(end - at));
		if (!lf)
			break;
		const size_t room = (size_t)(lf - at);
		const bool is_open = room > len && memcmp(at, open, len) == 0;

		if (!is_open && !(room > len && memcmp(at, done, len) == 0))
			continue;
		if (i < e->envelope.rcpt_count && is_open &&
		    e->rcpt[i].outcome == OUTCOME_ACCEPTED) {
			memcpy(at, done, len);
			any = true;
		}
		i++;
	}
	if (any)
		put_head_sum(head, n);
	return any;
}

int entry_write(struct entry *e, struct strbuf *out, struct error *err)
{
	const size_t start = out->len;
	char line[ENTRY_LINE_SIZE + 1];

	memset(line, ' ', ENTRY_LINE_SIZE);
	strbuf_add(out, line, ENTRY_LINE_SIZE);
	const unsigned version = put_envelope(e, out);
	const size_t size = out->len - start - ENTRY_LINE_SIZE;

	if (strbuf_overflow(out) || size > ENTRY_ENVELOPE_MAX)
		return error_set(err, FAULT_INPUT_TOO_LARGE, "the envelope is too large for the "
				 "queue: %zu recipients", e->envelope.rcpt_count);
	e->message_start = ENTRY_LINE_SIZE + size;
	snprintf(line, sizeof(line), MAGIC "%0*u %0*zu %0*" PRIu64 " %0*" PRIx64 " ",
		 VERSION_DIGITS, version, ENVELOPE_DIGITS, size, MESSAGE_DIGITS,
		 e->message_size, SUM_DIGITS, e->message_sum);
	line[AT_LINE_END] = '\n';
	memcpy(out->buf + start, line, ENTRY_LINE_SIZE);
	put_head_sum(out->buf + start, out->len - start);
	return 0;
}

/* --- reading --------------------------------------------------------------------- */

/* One that is being read. */
struct reading {
	struct entry *e;
	struct arena *arena;
	uint64_t seen, rcpt_seen;	/* rows that were there, one bit each */
	struct one one;			/* the recipient being read */
	bool done;			/* ... and it has got the message */
	unsigned version;		/* of the form */
	size_t rcpt_alloc;		/* room in e->rcpt */
};

static int damaged(struct error *err, const char *what)
{
	return error_set(err, FAULT_QUEUE_DAMAGED, "damaged: %s", what);
}

/* Digits, all of them, in the base. */
static bool fixed_number(const char *s, int digits, unsigned base, uint64_t *out)
{
	uint64_t n = 0;

	for (int i = 0; i < digits; i++) {
		const int value = s[i] >= 'A' && s[i] <= 'F' ? -1 : text_hex_value(s[i]);

		if (value < 0 || (unsigned)value >= base)
			return false;
		n = n * base + (unsigned)value;
	}
	*out = n;
	return true;
}

int entry_head_size(const char *data, size_t n, size_t *size_out, struct error *err)
{
	uint64_t version, size;

	if (n == 0)
		return damaged(err, "it is empty, as when the machine stops before a submission "
			       "has come to its end");
	if (n < AT_ENVELOPE || memcmp(data, MAGIC, strlen(MAGIC)) != 0 ||
	    !fixed_number(data + AT_VERSION, VERSION_DIGITS, 10, &version) ||
	    data[AT_ENVELOPE - 1] != ' ')
		return damaged(err, "it does not begin as an entry of the queue");
	if (version < ENTRY_VERSION_FIRST || version > ENTRY_VERSION)
		return error_set(err, FAULT_QUEUE_VERSION, "written by another version of this "
				 "program (%d instead of %d)", (int)version, ENTRY_VERSION);
	if (n < ENTRY_LINE_SIZE || data[AT_LINE_END] != '\n' ||
	    !fixed_number(data + AT_ENVELOPE, ENVELOPE_DIGITS, 10, &size) ||
	    data[AT_MESSAGE - 1] != ' ')
		return damaged(err, "its first line is broken");
	if (size > ENTRY_ENVELOPE_MAX)
		return damaged(err, "its envelope is too large");
	*size_out = ENTRY_LINE_SIZE + (size_t)size;
	return 0;
}

/* 1*DIGIT without a zero in front: zero itself is never written. */
static bool plain_number(const char *s, uint64_t max, uint64_t *out)
{
	uint64_t n = 0;

	if (*s < '1' || *s > '9')
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '9' || n > max / 10)
			return false;
		n = n * 10 + (unsigned)(*s - '0');
	}
	*out = n;
	return n <= max;
}

/* Only what has to be is written as %XX, with capital letters. */
static bool decode(char *s)
{
	for (const char *p = s; *p; p++) {
		const int high = *p == '%' ? text_hex_value(p[1]) : 0;
		const int low = *p == '%' && high >= 0 ? text_hex_value(p[2]) : 0;
		const int c = high * 16 + low;

		if (*p == '%' && (high < 0 || low < 0 || (c >= ' ' && c != 127 && c != '%')))
			return false;
	}
	return text_percent_decode(s);
}

static bool read_word(const struct row *row, const char *value, void *at)
{
	uint64_t number;
	int word = 0;

	if (!row->words) {
		if (!plain_number(value, row->max, &number))
			return false;
		word = (int)number;
	} else if (names_find(word_tables[row->words], value, &word) < 0) {
		return false;
	}
	memcpy(at, &word, sizeof(word));
	return true;
}

static bool read_fault(const char *value, void *at)
{
	for (int i = 1; i < FAULT_COUNT; i++) {
		if (strcmp(fault_rows[i].name, value) == 0) {
			memcpy(at, &i, sizeof(i));
			return true;
		}
	}
	return false;
}

/* A value, in place in the arena; NULL: the key stood alone. */
static bool read_row(const struct row *row, char *value, void *object)
{
	char *at = (char *)object + row->offset;
	const bool on = true;
	uint64_t number;
	unsigned small;

	if (row->kind == KIND_FLAG || !value) {
		memcpy(at, &on, sizeof(on));
		return row->kind == KIND_FLAG && !value;
	}
	switch (row->kind) {
	case KIND_NUMBER:
		if (!plain_number(value, row->max, &number))
			return false;
		small = (unsigned)number;
		memcpy(at, &small, sizeof(small));
		return true;
	case KIND_MOMENT:
		if (!plain_number(value, MOMENT_MAX, &number))
			return false;
		memcpy(at, &number, sizeof(number));
		return true;
	case KIND_TEXT:
	case KIND_RAW:
		memcpy(at, &value, sizeof(value));
		return decode(value) &&
			(row->kind == KIND_RAW || !text_has_control(value, strlen(value)));
	case KIND_WORD:
		return read_word(row, value, at);
	case KIND_FAULT:
		return read_fault(value, at);
	case KIND_FLAG:
		break;
	}
	return false;
}

/* The row of that key, noted as seen; NULL when there is none or it was there before. */
static const struct row *find_row(const struct row *rows, size_t n, const char *key,
				  unsigned version, uint64_t *seen)
{
	for (size_t i = 0; i < n; i++) {
		const uint64_t bit = (uint64_t)1 << i;

		if (strcmp(rows[i].key, key) != 0)
			continue;
		if (*seen & bit || rows[i].version > version)
			return NULL;
		*seen |= bit;
		return &rows[i];
	}
	return NULL;
}

/* The recipient that was read is complete. */
static void end_rcpt(struct reading *r)
{
	struct envelope *e = &r->e->envelope;
	const size_t n = e->rcpt_count;

	if (!r->one.r.address)
		return;
	e->rcpt = arena_grow(r->arena, e->rcpt, n, &e->rcpt_alloc, sizeof(*e->rcpt));
	r->e->rcpt = arena_grow(r->arena, r->e->rcpt, n, &r->rcpt_alloc, sizeof(*r->e->rcpt));
	e->rcpt[n] = r->one.r;
	r->e->rcpt[n] = r->one.s;
	if (r->done)
		r->e->rcpt[n].outcome = OUTCOME_ACCEPTED;
	e->rcpt_count++;
	r->one = (struct one){ .r = { .address = NULL } };
	r->rcpt_seen = 0;
}

static bool begin_rcpt(struct reading *r, char *value)
{
	end_rcpt(r);
	if (!decode(value) || !*value || text_has_control(value, strlen(value)))
		return false;
	r->one.r.address = value;
	r->done = false;
	return true;
}

static bool begin_done(struct reading *r, char *value)
{
	if (!begin_rcpt(r, value))
		return false;
	r->done = true;
	return true;
}

static bool read_asked(struct reading *r, char *value)
{
	int id;

	if (r->one.r.address || names_find(extensions, value, &id) < 0)
		return false;
	r->e->envelope.ext.asked[id] = true;
	return true;
}

static bool read_setting(struct reading *r, char *value)
{
	char *equals = strchr(value, '=');

	if (r->one.r.address || !equals || equals == value)
		return false;
	*equals = '\0';
	if (!decode(equals + 1))
		return false;
	entry_add_setting(r->e, value, equals + 1);
	return true;
}

/* Keys that may be there several times. */
static const struct {
	const char *key;
	bool (*read)(struct reading *r, char *value);
} special[] = {
	{ "asked", read_asked },
	{ "setting", read_setting },
	{ "rcpt", begin_rcpt },
	{ "done", begin_done },
};

static bool read_line(struct reading *r, char *line)
{
	char *value = strchr(line, ' ');
	const bool of_rcpt = r->one.r.address != NULL;
	void *object = of_rcpt ? (void *)&r->one : (void *)r->e;

	if (value)
		*value++ = '\0';
	for (size_t i = 0; value && i < ARRAY_LEN(special); i++) {
		if (strcmp(special[i].key, line) == 0)
			return special[i].read(r, value);
	}
	const struct row *row = of_rcpt ?
		find_row(rcpt_rows, ARRAY_LEN(rcpt_rows), line, r->version, &r->rcpt_seen) :
		find_row(entry_rows, ARRAY_LEN(entry_rows), line, r->version, &r->seen);

	return row && read_row(row, value, object);
}

/* Can it stand between the brackets of MAIL or RCPT, and not end them? */
static bool is_path(const char *s)
{
	bool quoted = false;

	for (; *s; s++) {
		if (quoted && *s == '\\' && s[1])
			s++;
		else if (*s == '"')
			quoted = !quoted;
		else if (!quoted && (*s == ' ' || *s == '<' || *s == '>'))
			return false;
	}
	return !quoted;
}

/* What an entry must have for anything to be done with it. */
static int check_whole(const struct entry *e, struct error *err)
{
	const struct envelope *v = &e->envelope;

	if (!v->sender || !e->account || !e->arrival_ms || !v->rcpt_count)
		return damaged(err, "there is no sender, recipient, account or time of arrival");
	if (!is_path(v->sender))
		return damaged(err, "its sender is no address");
	if (e->transid && strpbrk(e->transid, " "))
		return damaged(err, "the id of a transaction is none");
	for (size_t i = 0; i < v->rcpt_count; i++) {
		if (!is_path(v->rcpt[i].address))
			return damaged(err, "a recipient is no address");
		if (e->rcpt[i].status && strlen(e->rcpt[i].status) >=
		    sizeof(((struct error *)0)->status))
			return damaged(err, "an enhanced status is none");
	}
	return 0;
}

static int read_numbers(const char *data, size_t n, struct reading *r, struct error *err)
{
	const uint64_t sum = head_sum(data, n);
	struct entry *e = r->e;
	uint64_t wanted, version;

	if (!fixed_number(data + AT_VERSION, VERSION_DIGITS, 10, &version) ||
	    !fixed_number(data + AT_MESSAGE, MESSAGE_DIGITS, 10, &e->message_size) ||
	    data[AT_SUM - 1] != ' ' ||
	    !fixed_number(data + AT_SUM, SUM_DIGITS, 16, &e->message_sum) ||
	    data[AT_HEADSUM - 1] != ' ' ||
	    !fixed_number(data + AT_HEADSUM, SUM_DIGITS, 16, &wanted))
		return damaged(err, "its first line is broken");
	if (sum != wanted)
		return damaged(err, "the envelope has not the sum that it was written with");
	e->message_start = n;
	r->version = (unsigned)version;
	return 0;
}

int entry_parse(const char *data, size_t n, struct arena *a, struct entry *out, struct error *err)
{
	struct entry e;
	struct reading r = { .e = &e, .arena = a };
	size_t size;

	if (entry_head_size(data, n, &size, err) < 0)
		return -1;
	if (n < size)
		return damaged(err, "its envelope is cut off");
	entry_init(&e, a);
	e.envelope.sender = NULL;	/* it must be said */
	if (read_numbers(data, size, &r, err) < 0)
		return -1;
	/* strings stay where they are in this copy */
	char *at = arena_strndup(a, data + ENTRY_LINE_SIZE, size - ENTRY_LINE_SIZE);
	char *end = at + (size - ENTRY_LINE_SIZE);

	if (memchr(at, '\0', (size_t)(end - at)) || at == end || end[-1] != '\n')
		return damaged(err, "its envelope is no text");
	while (at < end) {
		char *lf = memchr(at, '\n', (size_t)(end - at));

		*lf = '\0';
		if (!read_line(&r, at))
			return error_set(err, FAULT_QUEUE_DAMAGED, "damaged: the envelope has a "
					 "line that is not understood: '%.40s'", at);
		at = lf + 1;
	}
	end_rcpt(&r);
	if (check_whole(&e, err) < 0)
		return -1;
	*out = e;
	return 0;
}
