/*
 * Values that name this host, this user and this moment.
 */
#ifndef MESSAGE_IDENT_H
#define MESSAGE_IDENT_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

struct arena;

/* "Tue, 04 Mar 2025 10:20:30 +0100": local time, English names, numeric zone (RFC 5322, 3.3). */
const char *ident_date(struct arena *a, time_t when);

/*
 * Is it a date that others can read: day, month by its English name, year,
 * time, perhaps with a weekday in front (RFC 5322, sections 3.3 and 4.3)?
 * What is said of the zone is not judged, if it is ASCII.
 */
bool ident_date_valid(struct arena *a, const char *text);

/* "<TIME.RANDOM@domain>" with at least 96 random bits (RFC 5322, 3.6.4). */
const char *ident_message_id(struct arena *a, const char *domain);

/* The same with a left part of one's own. */
const char *ident_message_id_of(struct arena *a, const char *left, const char *domain);

/* n of the same characters as ident_random() has, made of octets: one of each. */
const char *ident_word(struct arena *a, const unsigned char *octets, size_t n);

/* n characters of 0-9 and a-v that nobody can foresee: five random bits each. */
const char *ident_random(struct arena *a, size_t n);

/*
 * The host's fully-qualified name if it has a dot and is neither an address
 * nor any kind of localhost; else NULL.
 */
const char *ident_host(struct arena *a);

/* "[192.0.2.7]" where the host's name is nothing but an address; else NULL. */
const char *ident_host_literal(struct arena *a);

/* Content of /etc/mailname (first line), NULL if there is none. */
const char *ident_mailname(struct arena *a);

/* Names of passwd(5) and group(5), else "uidN", "gidN". */
const char *ident_user(struct arena *a, uid_t uid);
const char *ident_group(struct arena *a, gid_t gid);

/* Login name of the real uid. */
const char *ident_login(struct arena *a);

/* Is the real uid one of the system's own: below 1000, nobody, www-data? */
bool ident_is_system(void);

/* Full name of the real uid: first part of the GECOS field, '&' replaced; NULL if empty. */
const char *ident_full_name(struct arena *a);

/* "[192.0.2.7]" or "[IPv6:2001:db8::7]" of the local end of socket fd; "[127.0.0.1]" if none. */
const char *ident_address_literal(struct arena *a, int fd);

#endif
