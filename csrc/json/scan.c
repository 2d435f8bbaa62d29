#include "json/scan.h"

#include "money/amount.h"

#include <stdlib.h>
#include <string.h>

/* A number that is longer than this, or has an exponent, may be beyond a
 * double's range. */
#define SURE_NUMBER 300

void bf_scan_init(struct bf_scan *scan, const char *text, size_t len) {
    scan->begin = scan->at = text;
    scan->end = text + len;
    scan->problem = NULL;
    scan->no_memory = false;
    scan->depth = 0;
    scan->keys = scan->few;
    scan->key_count = 0;
    scan->key_cap = BF_KEYS_AT_HAND;
}

void bf_scan_free(struct bf_scan *scan) {
    if (scan->keys != scan->few)
        free(scan->keys);
    scan->keys = scan->few;
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

static bool is_blank(char c) {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

char bf_scan_peek(struct bf_scan *scan) {
    const char *at = scan->at, *end = scan->end;
    while (at < end && is_blank(*at))
        at++;
    scan->at = at;
    return at < end ? *at : '\0';
}

bool bf_scan_end(struct bf_scan *scan) {
    (void)bf_scan_peek(scan);
    if (scan->at < scan->end)
        return fail(scan, "something follows the value");
    return !scan->problem;
}

/* ---- strings ---- */

/* Past "\uXXXX", or both halves of a pair: a lone half stands for nothing that
 * UTF-8 could hold. */
static bool skip_unicode(struct bf_scan *scan) {
    long code = bf_hex4(scan->at + 2, scan->end);
    if (code < 0)
        return fail(scan, "bad \\u escape");
    scan->at += 6;
    if (bf_is_low(code))
        return fail(scan, "lone surrogate");
    if (!bf_is_high(code))
        return true;
    if (scan->end - scan->at < 6 || scan->at[0] != '\\' || scan->at[1] != 'u' ||
        !bf_is_low(bf_hex4(scan->at + 2, scan->end)))
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

static bool skip_utf8(struct bf_scan *scan) {
    size_t len = bf_utf8_length(scan->at, scan->end);
    scan->at += len;
    return len > 0 || fail(scan, "invalid UTF-8");
}

static bool is_plain(unsigned char c) {
    return c >= ' ' && c < 0x80 && c != '"' && c != '\\';
}

/* Might one of the eight bytes not be plain? In each of the differences a byte
 * that is not has its high bit set, and sometimes one that is. */
static bool may_be_special(uint64_t word) {
    const uint64_t each = 0x0101010101010101u;
    uint64_t quotes = word ^ each * '"', backslashes = word ^ each * '\\';
    return ((word | (word - each * ' ') | (quotes - each) |
             (backslashes - each)) &
            each * 0x80) != 0;
}

static const char *skip_plain(const char *at, const char *end) {
    uint64_t word;
    for (; end - at >= (ptrdiff_t)sizeof word; at += sizeof word) {
        memcpy(&word, at, sizeof word);
        if (may_be_special(word))
            break;
    }
    while (at < end && is_plain((unsigned char)*at))
        at++;
    return at;
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
        scan->at = skip_plain(scan->at, scan->end);
        if (here(scan) == '"')
            break;
        if (!skip_special(scan, &string->escaped))
            return false;
    }
    string->len = (size_t)(scan->at - string->text);
    scan->at++;
    return true;
}

/* ---- keys ---- */

#define FEW_KEYS 16

static bool make_room(struct bf_scan *scan) {
    size_t cap = scan->key_cap * 2;
    bool at_hand = scan->keys == scan->few;
    struct bf_key *keys =
        realloc(at_hand ? NULL : scan->keys, cap * sizeof *keys);
    if (!keys) {
        scan->no_memory = true;
        return fail(scan, "not enough memory");
    }
    if (at_hand)
        memcpy(keys, scan->few, sizeof scan->few);
    scan->keys = keys;
    scan->key_cap = cap;
    return true;
}

static bool remember_key(struct bf_scan *scan, const struct bf_string *name) {
    if (scan->key_count == scan->key_cap && !make_room(scan))
        return false;
    scan->keys[scan->key_count++].name = *name;
    return true;
}

static bool is_same_key(const struct bf_string *a, const struct bf_string *b) {
    if (a->escaped || b->escaped)
        return bf_string_hash(a) == bf_string_hash(b);
    return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

static int compare_hashes(const void *left, const void *right) {
    const struct bf_key *a = left, *b = right;
    return a->hash < b->hash ? -1 : a->hash > b->hash;
}

/* An object may have as many keys as max_body has room for: too many to
 * compare each with each. */
static bool has_duplicate_hash(struct bf_key *keys, size_t count) {
    for (size_t i = 0; i < count; i++)
        keys[i].hash = bf_string_hash(&keys[i].name);
    qsort(keys, count, sizeof *keys, compare_hashes);
    for (size_t i = 1; i < count; i++)
        if (keys[i].hash == keys[i - 1].hash)
            return true;
    return false;
}

static bool has_duplicate(struct bf_key *keys, size_t count) {
    if (count > FEW_KEYS)
        return has_duplicate_hash(keys, count);
    for (size_t i = 1; i < count; i++)
        for (size_t j = 0; j < i; j++)
            if (is_same_key(&keys[i].name, &keys[j].name))
                return true;
    return false;
}

/* ---- objects and arrays ---- */

bool bf_scan_open(struct bf_scan *scan, struct bf_container *container) {
    char open = bf_scan_peek(scan);
    if (scan->problem || (open != '{' && open != '['))
        return fail(scan, "an object or array was expected");
    if (++scan->depth > BF_DEPTH_MAX)
        return fail(scan, "nested too deeply");
    scan->at++;
    container->close = open == '{' ? '}' : ']';
    container->first = true;
    container->keys = scan->key_count;
    return true;
}

static void close_nest(struct bf_scan *scan,
                       const struct bf_container *container) {
    scan->at++;
    scan->depth--;
    if (scan->key_count > container->keys &&
        has_duplicate(scan->keys + container->keys,
                      scan->key_count - container->keys))
        (void)fail(scan, "duplicate key");
    scan->key_count = container->keys;
}

bool bf_scan_element(struct bf_scan *scan, struct bf_container *container) {
    char c = bf_scan_peek(scan);
    bool first = container->first;
    if (scan->problem)
        return false;
    container->first = false;
    if (c == container->close) {
        close_nest(scan, container);
        return false;
    }
    if (first)
        return true;
    if (c != ',')
        return fail(scan, "a comma was expected");
    scan->at++;
    return bf_scan_peek(scan) != container->close || fail(scan, "stray comma");
}

bool bf_scan_member(struct bf_scan *scan, struct bf_container *container,
                    struct bf_string *key) {
    if (!bf_scan_element(scan, container) || !bf_scan_string(scan, key) ||
        !remember_key(scan, key))
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
    struct bf_container container;
    struct bf_string key = {NULL, 0, false};
    if (!bf_scan_open(scan, &container))
        return false;
    while (container.close == '}' ? bf_scan_member(scan, &container, &key)
                                  : bf_scan_element(scan, &container))
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

/* ---- what is most often there ---- */

bool bf_scan_pass(struct bf_scan *scan, const char *text, size_t len) {
    (void)bf_scan_peek(scan);
    if ((size_t)(scan->end - scan->at) < len ||
        memcmp(scan->at, text, len) != 0)
        return false;
    scan->at += len;
    return true;
}

bool bf_scan_plain(struct bf_scan *scan, struct bf_string *string) {
    if (!BF_SCAN_PASS(scan, "\""))
        return false;
    string->text = scan->at;
    scan->at = skip_plain(scan->at, scan->end);
    string->len = (size_t)(scan->at - string->text);
    string->escaped = false;
    if (string->len == 0 || here(scan) != '"')
        return false;
    scan->at++;
    return true;
}

bool bf_scan_plain_number(struct bf_scan *scan, struct bf_span *number) {
    bool exact = true;
    const char *end;
    (void)bf_scan_peek(scan);
    end = number_end(scan->at, scan->end, &exact);
    if (!end || !exact || end - scan->at > SURE_NUMBER)
        return false;
    number->text = scan->at;
    number->len = (size_t)(end - scan->at);
    scan->at = end;
    return true;
}
