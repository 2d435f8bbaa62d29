/* A strict JSON reader: RFC 8259 to the last byte, UTF-8 checked, no key twice
 * in an object, nothing deeper than BF_DEPTH_MAX, no number beyond a double's
 * range. It reads in place and keeps nothing but where each open object's keys
 * are. Knows no Lua. */
#ifndef BF_SCAN_H
#define BF_SCAN_H

#include "base/span.h"
#include "json/escape.h"

#include <stdbool.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

#define BF_DEPTH_MAX 32
#define BF_KEYS_AT_HAND 16

struct bf_key {
    struct bf_string name;
    uint64_t hash; /* once there are too many to compare each with each */
};

struct bf_scan {
    const char *begin, *at, *end;
    const char *problem; /* NULL while all is well */
    bool no_memory;      /* and that is the problem */
    unsigned depth;
    struct bf_key *keys; /* of all open objects */
    size_t key_count, key_cap;
    struct bf_key few[BF_KEYS_AT_HAND]; /* enough for the API's replies */
};

/* An object or array being read. */
struct bf_container {
    char close;
    bool first;
    size_t keys; /* where its keys begin */
};

void bf_scan_init(struct bf_scan *scan, const char *text, size_t len);
void bf_scan_free(struct bf_scan *scan);

/* The first byte of the next value ('{', '[', '"', a digit, ...), blanks
 * passed over; 0 at the end of the text. */
char bf_scan_peek(struct bf_scan *scan);

/* All of these are false, with `problem` set, where the text is not as asked;
 * and false at once where there is a problem already. */
bool bf_scan_skip(struct bf_scan *scan); /* any value */
bool bf_scan_string(struct bf_scan *scan, struct bf_string *string);
bool bf_scan_number(struct bf_scan *scan, struct bf_span *number);
bool bf_scan_end(struct bf_scan *scan); /* nothing but blanks is left */

/* Objects and arrays: open at '{' or '['; then, until it is false, ask for the
 * next member or element, and read its value each time. It is false at the
 * closing bracket, which it passes, and at a problem. */
bool bf_scan_open(struct bf_scan *scan, struct bf_container *container);
bool bf_scan_member(struct bf_scan *scan, struct bf_container *container,
                    struct bf_string *key);
bool bf_scan_element(struct bf_scan *scan, struct bf_container *container);

/* For what is most often there: each passes over blanks and over it and is
 * true, or is false without a problem set, and may have moved. A string is
 * plain without escapes, of ASCII, and not empty; a number without exponent. */
#define BF_SCAN_PASS(scan, literal) \
    bf_scan_pass(scan, literal, sizeof(literal) - 1)
bool bf_scan_pass(struct bf_scan *scan, const char *text, size_t len);
bool bf_scan_plain(struct bf_scan *scan, struct bf_string *string);
bool bf_scan_plain_number(struct bf_scan *scan, struct bf_span *number);

#pragma GCC visibility pop

#endif
