#include "config.h"
#include "message/ident.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "message/address.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/strbuf.h"
#include "util/text.h"

#define USERS_FROM 1000	/* the first uid of people */

/* date-time = day-name "," day month year time zone (RFC 5322, section 3.3) */
const char *ident_date(struct arena *a, time_t when)
{
	static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	struct tm t = { 0 };
	bool local = localtime_r(&when, &t) != NULL && t.tm_gmtoff % 60 == 0;

	/* a zone with odd seconds (before 1920 or so) cannot be written: UTC then */
	if (!local && !gmtime_r(&when, &t))
		return "Thu, 01 Jan 1970 00:00:00 -0000";
	char sign = t.tm_gmtoff < 0 ? '-' : '+';
	long minutes = (t.tm_gmtoff < 0 ? -t.tm_gmtoff : t.tm_gmtoff) / 60;

	return arena_printf(a, "%s, %02d %s %04lld %02d:%02d:%02d %c%02ld%02ld", days[t.tm_wday],
			    t.tm_mday, months[t.tm_mon], t.tm_year + 1900LL, t.tm_hour, t.tm_min,
			    t.tm_sec, sign, minutes / 60, minutes % 60);
}

/* The end of the number of up to four digits at p; NULL if it is none in [low, high]. */
static const char *skip_number(const char *p, long low, long high)
{
	long n = 0;
	size_t digits = 0;

	for (; digits < 5 && isdigit((unsigned char)p[digits]); digits++)
		n = n * 10 + (p[digits] - '0');
	return digits && digits < 5 && n >= low && n <= high ? p + digits : NULL;
}

static const char *skip_month(const char *p)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (const char *m = months; *m; m += 3) {
		if (strncasecmp(p, m, 3) == 0 && !isalpha((unsigned char)p[3]))
			return p + 3;
	}
	return NULL;
}

/* [day-name ","] day month year hour ":" minute [":" second], as ident_date_valid() has it. */
static const char *skip_date(const char *p)
{
	const size_t day = strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

	if (day >= 3 && p[day] == ',')
		p += day + 1;
	p = skip_number(p + strspn(p, " "), 1, 31);
	if (p)
		p = skip_month(p + strspn(p, " -"));
	if (p)
		p = skip_number(p + strspn(p, " -"), 0, 9999);
	if (p)
		p = skip_number(p + strspn(p, " "), 0, 24);
	/* blanks may stand around the colons (RFC 5322, section 4.3) */
	p = p ? p + strspn(p, " ") : "";
	if (*p != ':')
		return NULL;
	p = skip_number(p + 1 + strspn(p + 1, " "), 0, 59);
	const char *colon = p ? p + strspn(p, " ") : "";

	return *colon == ':' ? skip_number(colon + 1 + strspn(colon + 1, " "), 0, 60) : p;
}

bool ident_date_valid(struct arena *a, const char *text)
{
	char *plain = arena_strdup(a, text), *out = plain;
	size_t depth = 0;

	for (const char *p = text; *p; p++) {
		if (*p == '(')
			depth++;
		else if (*p == ')' && depth)
			depth--;
		else if (!depth)
			*out++ = *p == '\t' ? ' ' : *p;
	}
	*out = '\0';
	const char *rest = skip_date(plain + strspn(plain, " "));

	return rest && depth == 0 && (!*rest || *rest == ' ' || *rest == '+' || *rest == '-') &&
	       text_is_ascii(rest, strlen(rest));
}

/*
 * Without a source of random numbers the id must still be unique: moment,
 * process and a counter, spread over all octets (splitmix64).
 */
static void fill_unique(unsigned char *out, size_t n)
{
	static uint64_t counter;
	struct timespec now = { 0 };

	clock_gettime(CLOCK_REALTIME, &now);
	uint64_t x = ((uint64_t)now.tv_sec << 30 ^ (uint64_t)now.tv_nsec) +
		     ((uint64_t)getpid() << 40) + (counter++ << 20);

	for (size_t i = 0; i < n; i++) {
		x += 0x9e3779b97f4a7c15U;
		uint64_t z = (x ^ x >> 30) * 0xbf58476d1ce4e5b9U;

		z = (z ^ z >> 27) * 0x94d049bb133111ebU;
		out[i] = (unsigned char)(z >> 56);
	}
}

const char *ident_word(struct arena *a, const unsigned char *octets, size_t n)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
	char *word = arena_alloc(a, n + 1);

	for (size_t i = 0; i < n; i++)
		word[i] = digits[octets[i] & 31];
	return word;
}

const char *ident_random(struct arena *a, size_t n)
{
	unsigned char *octets = arena_alloc(a, n);

	if (getrandom(octets, n, 0) != (ssize_t)n)	/* up to 256 octets come whole */
		fill_unique(octets, n);
	return ident_word(a, octets, n);
}

const char *ident_message_id(struct arena *a, const char *domain)
{
	return ident_message_id_of(a, arena_printf(a, "%llx.%s", (unsigned long long)time(NULL),
						   ident_random(a, 24)), domain);
}

const char *ident_message_id_of(struct arena *a, const char *left, const char *domain)
{
	return arena_printf(a, "<%s@%s>", left, domain && *domain ? domain : "msubmit.invalid");
}

/* "[192.0.2.7]" for an address without brackets, else NULL. */
static const char *literal_of(struct arena *a, const char *name)
{
	unsigned char address[16];

	if (inet_pton(AF_INET, name, address) == 1)
		return arena_printf(a, "[%s]", name);
	return inet_pton(AF_INET6, name, address) == 1 ? arena_printf(a, "[IPv6:%s]", name) : NULL;
}

static bool usable_host(const char *name)
{
	size_t len = strlen(name);
	unsigned char address[4];

	if (inet_pton(AF_INET, name, address) == 1)
		return false;
	if (strncasecmp(name, "localhost", 9) == 0)
		return false;
	if (len >= 10 && strcasecmp(name + len - 10, ".localhost") == 0)
		return false;
	return name[0] != '[' && strchr(name, '.') && address_domain_valid(name);
}

static void drop_last_dot(char *name)
{
	size_t len = strlen(name);

	if (len && name[len - 1] == '.')
		name[len - 1] = '\0';
}

/* Asks the resolver for the full name of host; full becomes "" if there is none. */
static void find_full_name(const char *host, char *full, size_t room)
{
	struct addrinfo hints = { .ai_flags = AI_CANONNAME, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;

	full[0] = '\0';
	if (getaddrinfo(host, NULL, &hints, &found) != 0)
		return;
	if (found && found->ai_canonname && strlen(found->ai_canonname) < room)
		snprintf(full, room, "%s", found->ai_canonname);
	if (found)
		freeaddrinfo(found);
	drop_last_dot(full);
	if (!usable_host(full))
		full[0] = '\0';
}

const char *ident_host(struct arena *a)
{
	/* the resolver may take seconds: it is asked once per name */
	static char asked[256], answer[256];
	char name[256] = "";

	if (gethostname(name, sizeof(name) - 1) < 0)
		return NULL;
	drop_last_dot(name);
	if (usable_host(name))
		return arena_strdup(a, name);
	if (name[0] == '\0' || strchr(name, '.') || strncasecmp(name, "localhost", 9) == 0)
		return NULL;
	if (strcmp(asked, name) != 0) {
		find_full_name(name, answer, sizeof(answer));
		memcpy(asked, name, sizeof(asked));
	}
	return answer[0] ? arena_strdup(a, answer) : NULL;
}

const char *ident_host_literal(struct arena *a)
{
	char name[256] = "";

	return gethostname(name, sizeof(name) - 1) < 0 ? NULL : literal_of(a, name);
}

const char *ident_mailname(struct arena *a)
{
	struct strbuf text = STRBUF_INIT(4096);
	const char *found = NULL;

	if (fs_read_file("/etc/mailname", 0, &text, NULL) == 0) {
		size_t skip = strspn(text.buf, " \t");

		strbuf_consume(&text, skip);
		strbuf_truncate(&text, strcspn(text.buf, " \t\r\n"));
		drop_last_dot(text.buf);
		if (text.len && address_domain_valid(text.buf))
			found = arena_strdup(a, text.buf);
	}
	strbuf_release(&text);
	return found;
}

const char *ident_user(struct arena *a, uid_t uid)
{
	const struct passwd *pw = getpwuid(uid);

	if (pw && pw->pw_name && *pw->pw_name)
		return arena_strdup(a, pw->pw_name);
	return arena_printf(a, "uid%lu", (unsigned long)uid);
}

const char *ident_group(struct arena *a, gid_t gid)
{
	const struct group *group = getgrgid(gid);

	if (group && group->gr_name && *group->gr_name)
		return arena_strdup(a, group->gr_name);
	return arena_printf(a, "gid%lu", (unsigned long)gid);
}

const char *ident_login(struct arena *a)
{
	return ident_user(a, getuid());
}

bool ident_is_system(void)
{
	static const char *const names[] = { "nobody", "www-data" };
	const uid_t uid = getuid();
	const struct passwd *pw = uid < USERS_FROM ? NULL : getpwuid(uid);

	for (size_t i = 0; pw && i < ARRAY_LEN(names); i++) {
		if (strcmp(pw->pw_name, names[i]) == 0)
			return true;
	}
	return uid < USERS_FROM;
}

/* '&' stands for the login name with a capital (finger's old custom). */
const char *ident_full_name(struct arena *a)
{
	const struct passwd *pw = getpwuid(getuid());
	struct strbuf name = STRBUF_INIT(1 << 16);

	if (!pw || !pw->pw_gecos)
		return NULL;
	for (const char *s = pw->pw_gecos; *s && *s != ','; s++) {
		if (*s != '&') {
			strbuf_addch(&name, *s);
			continue;
		}
		size_t at = name.len;

		strbuf_addstr(&name, pw->pw_name);
		if (name.len > at && name.buf[at] >= 'a' && name.buf[at] <= 'z')
			name.buf[at] = (char)(name.buf[at] - 'a' + 'A');
	}
	size_t skip = strspn(name.buf, " \t");

	while (name.len > skip && strchr(" \t", name.buf[name.len - 1]))
		strbuf_truncate(&name, name.len - 1);
	const char *found = name.len > skip ? arena_strdup(a, name.buf + skip) : NULL;

	strbuf_release(&name);
	return found;
}

const char *ident_address_literal(struct arena *a, int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_storage room;
	} own = { .room.ss_family = AF_UNSPEC };
	socklen_t len = sizeof(own);
	char text[INET6_ADDRSTRLEN];

	if (fd < 0 || getsockname(fd, &own.any, &len) < 0)
		return "[127.0.0.1]";
	if (own.any.sa_family == AF_INET &&
	    inet_ntop(AF_INET, &own.in.sin_addr, text, sizeof(text)))
		return arena_printf(a, "[%s]", text);
	if (own.any.sa_family != AF_INET6)
		return "[127.0.0.1]";
	const struct in6_addr *six = &own.in6.sin6_addr;
	bool mapped = IN6_IS_ADDR_V4MAPPED(six);
	const char *shown = mapped ? inet_ntop(AF_INET, six->s6_addr + 12, text, sizeof(text))
				   : inet_ntop(AF_INET6, six, text, sizeof(text));

	return shown ? arena_printf(a, mapped ? "[%s]" : "[IPv6:%s]", shown) : "[127.0.0.1]";
}
