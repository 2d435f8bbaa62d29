/* JSON strings that the scanner has accepted, and their escapes. */
#ifndef BF_ESCAPE_H
#define BF_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#pragma GCC visibility push(hidden)

/* A string's bytes between the quotes, undecoded. */
struct bf_string {
    const char *text;
    size_t len;
    bool escaped;
};

/* Writes the string with its escapes decoded; returns the length, which is at
 * most string->len. */
size_t bf_string_decode(const struct bf_string *string, char *out);

/* Is the string, decoded, equal to these bytes? */
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

/* Does the string, which has escapes, hold a NUL when decoded? */
bool bf_string_has_nul(const struct bf_string *string);

/* FNV-1a over the decoded bytes. Equal keys have equal hashes, so no duplicate
 * is missed. Two different keys of an object with the same hash are refused
 * too; by chance they do not happen. */
uint64_t bf_string_hash(const struct bf_string *string);

/* The value of a hex digit in either case, or -1. */
int bf_hex_digit(char c);

/* The four hex digits at `at`, or -1. */
long bf_hex4(const char *at, const char *end);

/* The UTF-8 character at `at`, and the number of its bytes; -1 and 1 where it
 * is not valid: cut off, overlong, a surrogate, or above U+10FFFF. */
long bf_utf8_char(const char *at, const char *end, size_t *len);

/* The length of the text, cut to at most `max` bytes between characters. */
size_t bf_utf8_cut(const char *text, size_t len, size_t max);

/* The halves of a surrogate pair. */
bool bf_is_high(long code);
bool bf_is_low(long code);

#pragma GCC visibility pop

#endif
