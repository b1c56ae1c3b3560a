/*
 * Inside the settings table: what the rows are written with. What reads or
 * prints the values of a row beyond its type stands in front of the rows of
 * its file. For conf/settings*.c only.
 */
#ifndef CONF_SETTINGS_ROWS_H
#define CONF_SETTINGS_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "conf/settings.h"
#include "util/attr.h"
#include "util/text.h"

struct arena;
struct error;
struct strbuf;
struct strvec;

/* How a row begins: its key, and who may give it on the command line. */
#define ANYONE(k) .key = k, .who = WHO_ANYONE
#define OWNER(k) .key = k, .who = WHO_OWNER
#define OWNER_FIRST(k) .key = k, .who = WHO_OWNER_FIRST

/* What the rows are of: an account, unless the file says otherwise before this. */
#ifndef ROWS_OF
#define ROWS_OF account
#endif

/*
 * The offset of a field; does not compile cleanly when it is of another type
 * than the row says.
 */
#define FIELD(type, m) \
	(offsetof(struct ROWS_OF, m) + 0 * sizeof((type *)0 == &((struct ROWS_OF *)0)->m))
#define MONTH (30 * 86400)

/* A key whose empty value means "on", as all switches of msmtp do. */
#define SWITCH(m, ...) .type = SETTING_BOOL, .offset = FIELD(bool, m), \
	.flags = SETTING_SWITCH __VA_ARGS__, .arg = "on|off"

#define DURATION(m) .type = SETTING_TIME, .offset = FIELD(unsigned, m), .max = MONTH
#define SECONDS(m) DURATION(m), .arg = "seconds"
#define LIMIT(m) DURATION(m), .arg = "seconds|off"
#define TIME(m) LIMIT(timeouts.m), .classic_def = "off"
#define NUMBER(m, least, most) .type = SETTING_UINT, .offset = FIELD(unsigned, m), \
	.min = (least), .max = (most), .arg = "number"
#define SIZE(m, most) .type = SETTING_SIZE, .offset = FIELD(uint64_t, m), .max = (most), \
	.arg = "size"
#define TEXT(m) .type = SETTING_STRING, .offset = FIELD(const char *, m)
#define FILE_NAME(m) TEXT(m), .flags = SETTING_PATH, .arg = "file"
#define LIST(m) .type = SETTING_LIST, .offset = FIELD(const char *const *, m)
#define WORDS(m, code_) .type = SETTING_WORDS, .offset = FIELD(const char *const *, m), \
	.code = CODE(code_)
#define ARGV(m) .type = SETTING_ARGV, .offset = FIELD(const char *const *, m)
#define COMMAND(m) ARGV(m), .flags = SETTING_COMMAND, .arg = "command"
#define SECRET(m) .type = SETTING_SECRET, .offset = FIELD(struct secret, m), \
	.flags = SETTING_SECRET_FLAG | SETTING_NO_OPTION, .arg = "secret"
#define SPECIAL(type_, m, code_) .type = SETTING_SPECIAL, .offset = FIELD(type_, m), \
	.code = CODE(code_)

/*
 * A key with words of its own, { "WORD", value }...: of an enum, of a bool. The first word of
 * a value is the one that is printed, and these words are its .arg unless there is another.
 */
#define NAMES(...) { __VA_ARGS__, NAMES_END }
#define CHOICE(type_, m, ...) .type = SETTING_ENUM, .offset = FIELD(type_, m), \
	.names = NAMES(__VA_ARGS__)
#define EITHER(m, ...) .type = SETTING_BOOL, .offset = FIELD(bool, m), .names = NAMES(__VA_ARGS__)

/* The fields of a SETTING_SPECIAL of text and of a list of it. */
#define TEXT_FIELD(target, s) ((const char **)((char *)(target) + (s)->offset))
#define LIST_FIELD(target, s) ((const char *const **)((char *)(target) + (s)->offset))

/* Of --help, and the word of it, for the rows below. A row without help ends a table. */
#define HEADING(topic, title) .arg = topic, .help = title

/*
 * The code of the rows of a file, which says ROWS_FILE before this: a list
 * CODES(x) of x(NAME, .set = ...), whose names the rows give; and the tables
 * of all files, by ROWS_FILE.
 */
enum {
	ROWS_SERVER = 1, ROWS_SECURITY, ROWS_MAIL, ROWS_DELIVERY, ROWS_REPORT, ROWS_REWRITE,
	ROWS_LISTEN, ROWS_FILES
};

#define CODE(name) (ROWS_FILE << 8 | (name))
#define CODE_NAME(name, ...) name,
#define CODE_ROW(name, ...) [name] = { __VA_ARGS__ },
#define SETTING_CODES(table, list) \
	enum { list(CODE_NAME) }; \
	const struct setting_code table[] = { list(CODE_ROW) }

extern const struct setting_code settings_server_code[], settings_security_code[],
	settings_mail_code[], settings_delivery_code[], settings_report_code[],
	settings_rewrite_code[], settings_listen_code[];

extern const struct setting settings_server[], settings_security[], settings_mail[],
	settings_compose[], settings_delivery[], settings_report[], settings_rewrite[],
	settings_aliases[], settings_listen[];

/* Setters, checks and printers: see struct setting for their meaning. Not all need all. */
#define SETTING_SETTER(name) \
	static int name(void *target ATTR_UNUSED, const struct setting *s ATTR_UNUSED, \
			struct arena *arena ATTR_UNUSED, const char *value, \
			struct error *err ATTR_UNUSED)
#define WORD_CHECK(name) \
	static int name(const struct setting *s, const char *word, struct error *err)
#define SETTING_PRINTER(name) \
	static void name(const void *target, const struct setting *s ATTR_UNUSED, \
			 struct strbuf *out)

/* Prints a SETTING_SPECIAL: a list; a text, the first of .names where it is not set. */
void setting_print_list(const void *target, const struct setting *s, struct strbuf *out);
void setting_print_text(const void *target, const struct setting *s, struct strbuf *out);

/* The words as a list for a field, NULL when there are none. */
const char *const *setting_list_of(struct arena *arena, const struct strvec *words);

/* One of the names; else EX_CONFIG with all of them, and with the nearest. */
ATTR_CHECK int setting_read_name(const struct setting *s, const struct name_value *names,
				 const char *value, int *out, struct error *err);

/* Text to seconds and to a number: the types' own readers, for setters that need them. */
ATTR_CHECK int setting_read_time(const struct setting *s, const char *value, unsigned *out,
				 struct error *err);
ATTR_CHECK int setting_read_bool(const struct setting *s, const char *value, int *out,
				 struct error *err);

/* "off" / number "/" time, as messages and seconds, both 0 for off; prints it. */
ATTR_CHECK int setting_read_rate(const struct setting *s, const char *value, unsigned *messages,
				 unsigned *seconds, struct error *err);
void setting_print_rate(unsigned messages, unsigned seconds, struct strbuf *out);

/* "key 'x': 'VALUE' is not WHAT" (EX_CONFIG); returns -1. */
int setting_refuse(const struct setting *s, const char *value, const char *what,
		   struct error *err);

#endif
