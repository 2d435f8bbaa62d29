#include "scan.h"

#include "amount.h"

#include <stdlib.h>
#include <string.h>

/* A number that is longer than this, or has an exponent, may be beyond a
 * double's range. */
#define SURE_NUMBER 300

void bf_scan_init(struct bf_scan *scan, const char *text, size_t len) {
    *scan = (struct bf_scan){.begin = text, .at = text, .end = text + len};
}

void bf_scan_free(struct bf_scan *scan) {
    free(scan->keys);
    scan->keys = NULL;
}

static bool fail(struct bf_scan *scan, const char *problem) {
    if (!scan->problem)
        scan->problem = problem;
    return false;
}

/* The byte at hand, or 0 at the end. A NUL in the text is no token either. */
static char here(const struct bf_scan *scan) {
    return scan->at < scan->end ? *scan->at : '\0';
}

char bf_scan_peek(struct bf_scan *scan) {
    while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\n' ||
                                    *scan->at == '\r' || *scan->at == '\t'))
        scan->at++;
    return here(scan);
}

bool bf_scan_end(struct bf_scan *scan) {
    (void)bf_scan_peek(scan);
    if (scan->at < scan->end)
        return fail(scan, "something follows the value");
    return !scan->problem;
}

/* ---- strings ---- */

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four hex digits at `at`, or -1. */
static long hex4(const char *at, const char *end) {
    long code = 0;
    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(at[i]);
        if (digit < 0)
            return -1;
        code = code * 16 + digit;
    }
    return code;
}

static bool is_high(long code) {
    return code >= 0xD800 && code <= 0xDBFF;
}

static bool is_low(long code) {
    return code >= 0xDC00 && code <= 0xDFFF;
}

/* Past "\uXXXX", or both halves of a pair: a lone half stands for nothing that
 * UTF-8 could hold. */
static bool skip_unicode(struct bf_scan *scan) {
    long code = hex4(scan->at + 2, scan->end);
    if (code < 0)
        return fail(scan, "bad \\u escape");
    scan->at += 6;
    if (is_low(code))
        return fail(scan, "lone surrogate");
    if (!is_high(code))
        return true;
    if (scan->end - scan->at < 6 || scan->at[0] != '\\' || scan->at[1] != 'u' ||
        !is_low(hex4(scan->at + 2, scan->end)))
        return fail(scan, "lone surrogate");
    scan->at += 6;
    return true;
}

static bool skip_escape(struct bf_scan *scan) {
    char c = scan->end - scan->at > 1 ? scan->at[1] : '\0';
    if (c == 'u')
        return skip_unicode(scan);
    if (c == '\0' || !strchr("\"\\/bfnrt", c))
        return fail(scan, "bad escape");
    scan->at += 2;
    return true;
}

/* Past one character of two to four bytes: no overlong form, no surrogate,
 * nothing above U+10FFFF. */
static bool skip_utf8(struct bf_scan *scan) {
    const unsigned char *u = (const unsigned char *)scan->at;
    unsigned more = *u >= 0xF0 ? 3 : *u >= 0xE0 ? 2 : 1;
    unsigned char low = 0x80, high = 0xBF; /* of the second byte */
    if (*u < 0xC2 || *u > 0xF4 || scan->end - scan->at <= (ptrdiff_t)more)
        return fail(scan, "invalid UTF-8");
    if (*u == 0xE0)
        low = 0xA0;
    else if (*u == 0xED)
        high = 0x9F;
    else if (*u == 0xF0)
        low = 0x90;
    else if (*u == 0xF4)
        high = 0x8F;
    if (u[1] < low || u[1] > high)
        return fail(scan, "invalid UTF-8");
    for (unsigned i = 2; i <= more; i++)
        if (u[i] >> 6 != 2)
            return fail(scan, "invalid UTF-8");
    scan->at += more + 1;
    return true;
}

static bool is_plain(char c) {
    return c >= ' ' && c != '"' && c != '\\'; /* char signed: ASCII alone */
}

static bool skip_special(struct bf_scan *scan, bool *escaped) {
    unsigned char c = (unsigned char)here(scan);
    if (c == '\\') {
        *escaped = true;
        return skip_escape(scan);
    }
    if (c >= 0x80)
        return skip_utf8(scan);
    return fail(scan, scan->at < scan->end ? "control character in a string"
                                           : "unfinished string");
}

bool bf_scan_string(struct bf_scan *scan, struct bf_string *string) {
    if (scan->problem || bf_scan_peek(scan) != '"')
        return fail(scan, "a string was expected");
    string->text = ++scan->at;
    string->escaped = false;
    for (;;) {
        const char *at = scan->at, *end = scan->end;
        while (at < end && (unsigned char)*at < 0x80 && is_plain(*at))
            at++;
        scan->at = at;
        if (here(scan) == '"')
            break;
        if (!skip_special(scan, &string->escaped))
            return false;
    }
    string->len = (size_t)(scan->at - string->text);
    scan->at++;
    return true;
}

static char *put_utf8(char *out, long code) {
    if (code < 0x80) {
        *out++ = (char)code;
        return out;
    }
    if (code < 0x800) {
        *out++ = (char)(0xC0 | code >> 6);
    } else {
        if (code < 0x10000) {
            *out++ = (char)(0xE0 | code >> 12);
        } else {
            *out++ = (char)(0xF0 | code >> 18);
            *out++ = (char)(0x80 | (code >> 12 & 63));
        }
        *out++ = (char)(0x80 | (code >> 6 & 63));
    }
    *out++ = (char)(0x80 | (code & 63));
    return out;
}

/* What the valid escape at `at` stands for; `*at` moves past it. */
static char *put_escape(char *out, const char **at, const char *end) {
    static const char letters[] = "bfnrt", values[] = "\b\f\n\r\t";
    const char *escape = *at;
    const char *letter = strchr(letters, escape[1]);
    *at += 2;
    if (escape[1] != 'u') {
        *out++ = letter ? values[letter - letters] : escape[1];
        return out;
    }
    long code = hex4(*at, end);
    *at += 4;
    if (is_high(code)) {
        code = 0x10000 + ((code - 0xD800) << 10) + hex4(*at + 2, end) - 0xDC00;
        *at += 6;
    }
    return put_utf8(out, code);
}

/* The bytes that the next character or escape stands for; one byte at a time
 * where nothing is escaped. Returns how many. */
static size_t next_bytes(const char **at, const char *end, char out[4]) {
    if (**at == '\\')
        return (size_t)(put_escape(out, at, end) - out);
    out[0] = *(*at)++;
    return 1;
}

size_t bf_string_decode(const struct bf_string *string, char *out) {
    const char *at = string->text, *end = at + string->len;
    size_t len = 0;
    while (at < end) {
        char bytes[4];
        size_t count = next_bytes(&at, end, bytes);
        memcpy(out + len, bytes, count);
        len += count;
    }
    return len;
}

bool bf_string_is(const struct bf_string *string, const char *text) {
    const char *at = string->text, *end = at + string->len;
    size_t len = strlen(text);
    if (!string->escaped)
        return string->len == len && memcmp(at, text, len) == 0;
    while (at < end) {
        char bytes[4];
        size_t count = next_bytes(&at, end, bytes);
        if (len < count || memcmp(bytes, text, count) != 0)
            return false;
        text += count;
        len -= count;
    }
    return len == 0;
}

bool bf_string_has_nul(const struct bf_string *string) {
    const char *at = string->text, *end = at + string->len;
    while (string->escaped && at < end) {
        char bytes[4];
        (void)next_bytes(&at, end, bytes);
        if (bytes[0] == '\0')
            return true;
    }
    return false; /* a bare NUL would not have passed the scanner */
}

/* ---- keys ---- */

/* FNV-1a over the key's decoded bytes. Equal keys have equal hashes, so none
 * is missed; two different keys of one object with the same hash are refused
 * with them, which takes somebody who wants it to happen. */
static uint64_t hash_key(const struct bf_string *key) {
    const char *at = key->text, *end = at + key->len;
    uint64_t hash = 0xCBF29CE484222325u;
    while (at < end) {
        char bytes[4];
        size_t count = next_bytes(&at, end, bytes);
        for (size_t i = 0; i < count; i++)
            hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001B3u;
    }
    return hash;
}

static bool remember_key(struct bf_scan *scan, uint64_t hash) {
    if (scan->key_count == scan->key_cap) {
        size_t cap = scan->key_cap ? scan->key_cap * 2 : 32;
        uint64_t *keys = realloc(scan->keys, cap * sizeof *keys);
        if (!keys) {
            scan->no_memory = true;
            return fail(scan, "not enough memory");
        }
        scan->keys = keys;
        scan->key_cap = cap;
    }
    scan->keys[scan->key_count++] = hash;
    return true;
}

static int compare_hashes(const void *left, const void *right) {
    uint64_t a, b;
    memcpy(&a, left, sizeof a);
    memcpy(&b, right, sizeof b);
    return a < b ? -1 : a > b;
}

/* Sorts what is too much to compare each with each: an object may have as many
 * keys as max_body has room for. */
static bool has_duplicate(uint64_t *keys, size_t count) {
    bool small = count <= 16;
    if (!small)
        qsort(keys, count, sizeof *keys, compare_hashes);
    for (size_t i = 1; i < count; i++)
        for (size_t j = small ? 0 : i - 1; j < i; j++)
            if (keys[i] == keys[j])
                return true;
    return false;
}

/* ---- objects and arrays ---- */

bool bf_scan_open(struct bf_scan *scan, struct bf_nest *nest) {
    char open = bf_scan_peek(scan);
    if (scan->problem || (open != '{' && open != '['))
        return fail(scan, "an object or array was expected");
    if (++scan->depth > BF_DEPTH_MAX)
        return fail(scan, "nested too deeply");
    scan->at++;
    nest->close = open == '{' ? '}' : ']';
    nest->first = true;
    nest->keys = scan->key_count;
    return true;
}

static void close_nest(struct bf_scan *scan, const struct bf_nest *nest) {
    scan->at++;
    scan->depth--;
    if (scan->key_count > nest->keys &&
        has_duplicate(scan->keys + nest->keys, scan->key_count - nest->keys))
        (void)fail(scan, "duplicate key");
    scan->key_count = nest->keys;
}

bool bf_scan_element(struct bf_scan *scan, struct bf_nest *nest) {
    char c = bf_scan_peek(scan);
    bool first = nest->first;
    if (scan->problem)
        return false;
    nest->first = false;
    if (c == nest->close) {
        close_nest(scan, nest);
        return false;
    }
    if (first)
        return true;
    if (c != ',')
        return fail(scan, "a comma was expected");
    scan->at++;
    return bf_scan_peek(scan) != nest->close || fail(scan, "stray comma");
}

bool bf_scan_member(struct bf_scan *scan, struct bf_nest *nest,
                    struct bf_string *key) {
    if (!bf_scan_element(scan, nest) || !bf_scan_string(scan, key) ||
        !remember_key(scan, hash_key(key)))
        return false;
    if (bf_scan_peek(scan) != ':')
        return fail(scan, "a colon was expected");
    scan->at++;
    return true;
}

/* ---- numbers and the rest ---- */

static const char *skip_digits(const char *at, const char *end) {
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

/* The end of the number that begins at `at`, or NULL. */
static const char *number_end(const char *at, const char *end, bool *exact) {
    const char *from = at < end && *at == '-' ? at + 1 : at;
    at = skip_digits(from, end);
    if (at == from || (*from == '0' && at - from > 1))
        return NULL;
    if (at < end && *at == '.') {
        from = at + 1;
        at = skip_digits(from, end);
        if (at == from)
            return NULL;
    }
    *exact = at == end || (*at | 0x20) != 'e';
    if (*exact)
        return at;
    from = at + 1;
    if (from < end && (*from == '+' || *from == '-'))
        from++;
    at = skip_digits(from, end);
    return at == from ? NULL : at;
}

bool bf_scan_number(struct bf_scan *scan, struct bf_span *number) {
    const char *end;
    bool exact = true;
    double unused;
    (void)bf_scan_peek(scan);
    end = number_end(scan->at, scan->end, &exact);
    if (scan->problem || !end)
        return fail(scan, "bad number");
    number->text = scan->at;
    number->len = (size_t)(end - scan->at);
    if ((!exact || number->len > SURE_NUMBER) &&
        !bf_amount_to_double(number->text, number->len, &unused))
        return fail(scan, "number beyond a double's range");
    scan->at += number->len;
    return true;
}

static bool skip_word(struct bf_scan *scan, const char *word) {
    size_t len = strlen(word);
    if ((size_t)(scan->end - scan->at) < len ||
        memcmp(scan->at, word, len) != 0)
        return fail(scan, "a value was expected");
    scan->at += len;
    return true;
}

static bool skip_nest(struct bf_scan *scan) {
    struct bf_nest nest;
    struct bf_string key;
    if (!bf_scan_open(scan, &nest))
        return false;
    while (nest.close == '}' ? bf_scan_member(scan, &nest, &key)
                             : bf_scan_element(scan, &nest))
        if (!bf_scan_skip(scan))
            return false;
    return !scan->problem;
}

bool bf_scan_skip(struct bf_scan *scan) {
    struct bf_string string;
    struct bf_span number;
    if (scan->problem)
        return false;
    switch (bf_scan_peek(scan)) {
    case '{':
    case '[':
        return skip_nest(scan);
    case '"':
        return bf_scan_string(scan, &string);
    case 't':
        return skip_word(scan, "true");
    case 'f':
        return skip_word(scan, "false");
    case 'n':
        return skip_word(scan, "null");
    case '\0':
        return fail(scan, "a value was expected");
    default:
        return bf_scan_number(scan, &number);
    }
}
