/*
 * Many octets in one step, on processors that always have the means (SSE2).
 * WIDE is 1 where the functions exist; code that uses them has another way
 * that gives the same results.
 */
#ifndef MESSAGE_WIDE_H
#define MESSAGE_WIDE_H

#if defined(__SSE2__)
#define WIDE 1

#include <emmintrin.h>
#include <stdbool.h>
#include <stdint.h>

static inline __m128i wide_load(const char *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* Which of the 16 octets are equal to octet: bit 0 is the first. */
static inline unsigned wide_mask16(__m128i octets, char octet)
{
	return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(octets, _mm_set1_epi8(octet)));
}

/* The same for 64 octets. */
static inline uint64_t wide_mask64(const char *p, char octet)
{
	uint64_t low = wide_mask16(wide_load(p), octet) |
		       wide_mask16(wide_load(p + 16), octet) << 16;
	uint64_t high = wide_mask16(wide_load(p + 32), octet) |
			wide_mask16(wide_load(p + 48), octet) << 16;

	return low | high << 32;
}

/* Is one of 64 octets above 127? */
static inline bool wide_8bit64(const char *p)
{
	__m128i low = _mm_or_si128(wide_load(p), wide_load(p + 16));
	__m128i high = _mm_or_si128(wide_load(p + 32), wide_load(p + 48));

	return _mm_movemask_epi8(_mm_or_si128(low, high)) != 0;
}

/* Copies 16 octets; which of them are equal to octet. */
static inline unsigned wide_copy16(char *to, const char *from, char octet)
{
	__m128i octets = wide_load(from);

	_mm_storeu_si128((__m128i *)(void *)to, octets);
	return wide_mask16(octets, octet);
}

/* Index of the lowest bit; mask is not 0. */
static inline unsigned wide_first(uint64_t mask)
{
	return (unsigned)__builtin_ctzll(mask);
}

#else
#define WIDE 0
#endif

#endif
