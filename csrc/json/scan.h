/* A strict JSON reader: RFC 8259 to the last byte, UTF-8 checked, no key twice
 * in an object, nothing deeper than BF_DEPTH_MAX. It reads the text in place;
 * strings and numbers are spans of it. */
#ifndef BF_SCAN_H
#define BF_SCAN_H

#include "base/span.h"
#include "json/escape.h"

#include <stdbool.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

#define BF_DEPTH_MAX 32
#define BF_FEW_KEYS 16 /* as many are compared each with each */

struct bf_key {
    struct bf_string name;
    uint64_t hash; /* set where there are too many keys to compare each pair */
};

struct bf_scan {
    const char *begin, *at, *end;
    const char *problem; /* the first one, or NULL */
    bool no_memory;      /* the problem is a lack of memory */
    unsigned depth;
    struct bf_key *keys; /* of all open objects */
    size_t key_count, key_cap;
    struct bf_key first_keys[BF_FEW_KEYS]; /* enough for the API's replies */
};

/* An object or array being read. */
struct bf_container {
    char close;
    bool first;
    size_t keys; /* the index of its first key */
};

/* The text is followed by a NUL, text[len], which must be readable. No other
 * byte behind the text is read. The text may hold NULs itself. */
void bf_scan_init(struct bf_scan *scan, const char *text, size_t len);
void bf_scan_free(struct bf_scan *scan);

/* The first byte at `at` or behind it that is not a blank. */
static inline const char *bf_skip_blanks(const char *at) {
    while (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')
        at++;
    return at;
}

/* Skips blanks and returns the first byte of the next value ('{', '[', '"', a
 * digit, ...); 0 at the end of the text, and at a NUL in it. */
static inline char bf_scan_peek(struct bf_scan *scan) {
    scan->at = bf_skip_blanks(scan->at);
    return *scan->at;
}

/* Each of these returns false, with `problem` set, where the text is something
 * else. All but bf_scan_end are for a scan without a problem. */
bool bf_scan_skip(struct bf_scan *scan); /* any value */
bool bf_scan_string(struct bf_scan *scan, struct bf_string *string);
bool bf_scan_end(struct bf_scan *scan); /* nothing but blanks is left */

/* Sets the problem to a lack of memory; returns false. */
bool bf_scan_no_memory(struct bf_scan *scan);

/* Stores the number's text and the nearest double; one beyond a double's range
 * is a problem. */
bool bf_scan_number(struct bf_scan *scan, struct bf_span *number,
                    double *value);

/* Stores the number's text, whatever its range. */
bool bf_scan_number_text(struct bf_scan *scan, struct bf_span *number);

/* Objects and arrays: call bf_scan_open at '{' or '['. Then call
 * bf_scan_member or bf_scan_element, and read one value, until it returns
 * false: behind the closing bracket, or with a problem set. */
bool bf_scan_open(struct bf_scan *scan, struct bf_container *container);
bool bf_scan_member(struct bf_scan *scan, struct bf_container *container,
                    struct bf_string *key);
bool bf_scan_element(struct bf_scan *scan, struct bf_container *container);

/* The same without a `struct bf_scan`, for a text that ends, with a NUL, at
 * `end`. Each returns the end of the value that begins at `at`; NULL where
 * there is none. */

/* Only for a string that is not empty, of ASCII, and without escapes. */
const char *bf_simple_string(const char *at, const char *end,
                             struct bf_string *string);

/* The value is NaN where the number is beyond a double's range. */
const char *bf_number(const char *at, const char *end, double *value);

#pragma GCC visibility pop

#endif
