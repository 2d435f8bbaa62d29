/* Removes from texts for people the credentials of every account of the
 * process, and signatures. */
#ifndef BF_REDACT_H
#define BF_REDACT_H

#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(hidden)

#define BF_REDACT_SHORTEST 8 /* a shorter one may be ordinary text */

/* Replaces by "***" each key and secret of 8 or more characters, in either
 * case and also as URLs and JSON escape them; 8 or more characters of one that
 * is cut by the text's end; and each run of hex digits that is long enough for
 * a signature. Returns the new length, which is not larger; the bytes behind it
 * are wiped. `marks` is scratch of `len` bytes. */
size_t bf_redact(char *text, size_t len, char *marks);

/* Does the text hold one of them that is not cut? */
bool bf_redact_finds(const char *text, size_t len);

#pragma GCC visibility pop

#endif
