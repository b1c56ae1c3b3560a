/*
 * Compiler attributes and the few macros that every folder uses.
 *
 * ATTR_CHECK marks a function whose failure must not be ignored,
 * ATTR_PRINTF one whose arguments the compiler compares with its format.
 */
#ifndef UTIL_ATTR_H
#define UTIL_ATTR_H

#define ATTR_CHECK __attribute__((warn_unused_result))
#define ATTR_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#define ATTR_NORETURN __attribute__((noreturn))
#define ATTR_UNUSED __attribute__((unused))
#define ATTR_PURE __attribute__((pure))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
