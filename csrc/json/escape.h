/* JSON strings that the scanner has passed, and their escapes. Knows no Lua. */
#ifndef BF_ESCAPE_H
#define BF_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#pragma GCC visibility push(hidden)

/* A string's bytes between the quotes, as they came. */
struct bf_string {
    const char *text;
    size_t len;
    bool escaped;
};

/* Writes a scanned string with its escapes replaced by what they stand for;
 * returns the length, which is at most the string's own. */
size_t bf_string_decode(const struct bf_string *string, char *out);

/* Does it stand for these bytes, whatever way it is spelled? */
bool bf_string_spells(const struct bf_string *string, const char *text,
                      size_t len);

#define BF_STRING_IS(string, literal) \
    bf_string_is(string, literal, sizeof(literal) - 1)

static inline bool bf_string_is(const struct bf_string *string,
                                const char *text, size_t len) {
    if (string->escaped)
        return bf_string_spells(string, text, len);
    return string->len == len && memcmp(string->text, text, len) == 0;
}

bool bf_string_has_nul(const struct bf_string *string);

/* FNV-1a over the key's decoded bytes. Equal keys have equal hashes, so none
 * is missed; two different keys of one object with the same hash are refused
 * with them, which takes somebody who wants it to happen. */
uint64_t bf_string_hash(const struct bf_string *string);

/* The value of a hex digit in either case, or -1. */
int bf_hex_digit(char c);

/* The four hex digits at `at`, or -1. */
long bf_hex4(const char *at, const char *end);

/* How many bytes the character of two to four bytes at `at` has; 0 where it is
 * none: no overlong form, no surrogate, nothing above U+10FFFF. */
size_t bf_utf8_length(const char *at, const char *end);

/* At most `max` bytes of the text, not cut within a character. */
size_t bf_utf8_cut(const char *text, size_t len, size_t max);

/* The halves of a surrogate pair. */
bool bf_is_high(long code);
bool bf_is_low(long code);

#pragma GCC visibility pop

#endif
