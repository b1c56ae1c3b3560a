/*
 * What was said in confidence, and is not to be seen when the server says it
 * back: "500 unrecognized: AHVzZXIAc2VjcmV0".
 *
 * The words of a sign-in are gathered here as they are sent; each of them is
 * replaced by "<hidden>" in the lines that are read, in any case of letters.
 * Of a long word its beginning is enough, as servers cut what they quote.
 * The words are overwritten when the veil goes.
 */
#ifndef SMTP_VEIL_H
#define SMTP_VEIL_H

#include <stddef.h>

struct strbuf;
struct veil;

/* Never NULL. */
struct veil *veil_new(void);

/* Accepts NULL. */
void veil_free(struct veil *v);

/*
 * Hides n octets from now on; none, and what is hidden already, adds nothing.
 * Those of the second are hidden only where all of them stand.
 */
void veil_add(struct veil *v, const char *word, size_t n);
void veil_add_whole(struct veil *v, const char *word, size_t n);

/* Replaces the words in line from octet `from` on. Accepts NULL, which hides nothing. */
void veil_apply(const struct veil *v, struct strbuf *line, size_t from);

#endif
