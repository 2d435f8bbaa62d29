#include "json/scan.h"

#include "money/amount.h"
#include "money/quotient.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* As many digits fit into 64 bits. */
#define HEAD_DIGITS 19

/* One of them at least is before the point. */
_Static_assert(HEAD_DIGITS - 1 <= BF_QUOTIENT_PLACES, "places of a quotient");

void bf_scan_init(struct bf_scan *scan, const char *text, size_t len) {
    scan->begin = scan->at = text;
    scan->end = text + len;
    scan->problem = NULL;
    scan->no_memory = false;
    scan->depth = 0;
    scan->keys = scan->first_keys;
    scan->key_count = 0;
    scan->key_cap = BF_FEW_KEYS;
}

void bf_scan_free(struct bf_scan *scan) {
    if (scan->keys != scan->first_keys)
        free(scan->keys);
    scan->keys = scan->first_keys;
}

static bool fail(struct bf_scan *scan, const char *problem) {
    if (!scan->problem)
        scan->problem = problem;
    return false;
}

bool bf_scan_no_memory(struct bf_scan *scan) {
    scan->no_memory = true;
    return fail(scan, "not enough memory");
}

bool bf_scan_end(struct bf_scan *scan) {
    (void)bf_scan_peek(scan);
    if (scan->at < scan->end)
        return fail(scan, "something follows the value");
    return !scan->problem;
}

/* ---- eight bytes at once ---- */

#define EACH 0x0101010101010101u /* times a byte: eight of that byte */

/* The first byte is the lowest one of the word. */
static uint64_t load_word(const char *at) {
    uint64_t word;
    memcpy(&word, at, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

static bool has_word(const char *at, const char *end) {
    return end - at >= (ptrdiff_t)sizeof(uint64_t);
}

/* ---- strings ---- */

/* Skips "\uXXXX", or both halves of a surrogate pair. A lone half is no
 * character and has no form in UTF-8. */
static bool skip_unicode(struct bf_scan *scan) {
    long code = bf_hex4(scan->at + 2, scan->end);
    if (code < 0)
        return fail(scan, "bad \\u escape");
    scan->at += 6;
    if (bf_is_low(code))
        return fail(scan, "lone surrogate");
    if (!bf_is_high(code))
        return true;
    if (scan->at[0] != '\\' || scan->at[1] != 'u' ||
        !bf_is_low(bf_hex4(scan->at + 2, scan->end)))
        return fail(scan, "lone surrogate");
    scan->at += 6;
    return true;
}

static bool skip_escape(struct bf_scan *scan) {
    char c = scan->at[1];
    if (c == 'u')
        return skip_unicode(scan);
    if (c == '\0' || !strchr("\"\\/bfnrt", c))
        return fail(scan, "bad escape");
    scan->at += 2;
    return true;
}

static bool skip_utf8(struct bf_scan *scan) {
    size_t len;
    if (bf_utf8_char(scan->at, scan->end, &len) < 0)
        return fail(scan, "invalid UTF-8");
    scan->at += len;
    return true;
}

static bool is_simple(unsigned char c) {
    return c >= ' ' && c < 0x80 && c != '"' && c != '\\';
}

/* The high bit of the first byte that is not simple is set, and none before. It
 * is found by subtractions, which borrow from later bytes only. */
static uint64_t mark_special(uint64_t word) {
    uint64_t quotes = word ^ EACH * '"', backslashes = word ^ EACH * '\\';
    return (word | (word - EACH * ' ') | (quotes - EACH) |
            (backslashes - EACH)) &
           EACH * 0x80;
}

static const char *skip_simple(const char *at, const char *end) {
    for (; has_word(at, end); at += sizeof(uint64_t)) {
        uint64_t marks = mark_special(load_word(at));
        if (marks != 0)
            return at + __builtin_ctzll(marks) / 8;
    }
    while (is_simple((unsigned char)*at))
        at++;
    return at;
}

static bool skip_special(struct bf_scan *scan, bool *escaped) {
    unsigned char c = (unsigned char)*scan->at;
    if (c == '\\') {
        *escaped = true;
        return skip_escape(scan);
    }
    if (c >= 0x80)
        return skip_utf8(scan);
    return fail(scan, scan->at < scan->end ? "control character in a string"
                                           : "unfinished string");
}

const char *bf_simple_string(const char *at, const char *end,
                             struct bf_string *string) {
    const char *from = at + 1;
    if (*at != '"')
        return NULL;
    at = skip_simple(from, end);
    if (*at != '"' || at == from)
        return NULL;
    *string = (struct bf_string){from, (size_t)(at - from), false};
    return at + 1;
}

bool bf_scan_string(struct bf_scan *scan, struct bf_string *string) {
    if (bf_scan_peek(scan) != '"')
        return fail(scan, "a string was expected");
    string->text = ++scan->at;
    string->escaped = false;
    for (;;) {
        scan->at = skip_simple(scan->at, scan->end);
        if (*scan->at == '"')
            break;
        if (!skip_special(scan, &string->escaped))
            return false;
    }
    string->len = (size_t)(scan->at - string->text);
    scan->at++;
    return true;
}

/* ---- keys ---- */

static bool add_room(struct bf_scan *scan) {
    size_t cap = scan->key_cap * 2;
    bool first = scan->keys == scan->first_keys;
    struct bf_key *keys =
        realloc(first ? NULL : scan->keys, cap * sizeof *keys);
    if (!keys)
        return bf_scan_no_memory(scan);
    if (first)
        memcpy(keys, scan->first_keys, sizeof scan->first_keys);
    scan->keys = keys;
    scan->key_cap = cap;
    return true;
}

static bool add_key(struct bf_scan *scan, const struct bf_string *name) {
    if (scan->key_count == scan->key_cap && !add_room(scan))
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
    if (count > BF_FEW_KEYS)
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
    if (++scan->depth > BF_DEPTH_MAX)
        return fail(scan, "nested too deeply");
    scan->at++;
    container->close = open == '{' ? '}' : ']';
    container->first = true;
    container->keys = scan->key_count;
    return true;
}

static void close_container(struct bf_scan *scan,
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
        close_container(scan, container);
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
        !add_key(scan, key))
        return false;
    if (bf_scan_peek(scan) != ':')
        return fail(scan, "a colon was expected");
    scan->at++;
    return true;
}

/* ---- numbers and the rest ---- */

/* What a number's digits are. */
struct digits {
    uint64_t head; /* all of them as an integer, if they are at most 19 */
    size_t count;
    size_t places; /* how many of them follow the point */
    bool has_exponent;
};

static bool is_eight_digits(uint64_t word) {
    return (((word + EACH * (0x80 - '9' - 1)) | (word - EACH * '0')) &
            EACH * 0x80) == 0;
}

/* Joins neighbours: digits to pairs, then pairs to fours, and these to eight.
 */
static uint64_t eight_digits(uint64_t word) {
    word -= EACH * '0';
    word = word * 10 + (word >> 8);
    return ((word & 0x000000FF000000FF) * (100 + (1000000ULL << 32)) +
            (word >> 16 & 0x000000FF000000FF) * (1 + (10000ULL << 32))) >>
           32;
}

/* Adds the digits at `at` to the head; returns where they end. */
static inline const char *take_digits(const char *at, const char *end,
                                      uint64_t *into) {
    uint64_t head = *into;
    unsigned digit;
    if (has_word(at, end) && is_eight_digits(load_word(at))) {
        head = head * 100000000 + eight_digits(load_word(at));
        at += sizeof(uint64_t);
    }
    while ((digit = (unsigned)(unsigned char)*at - '0') <= 9) {
        head = head * 10 + digit;
        at++;
    }
    *into = head;
    return at;
}

static const char *skip_exponent(const char *at) {
    const char *from;
    if (*at == '+' || *at == '-')
        at++;
    for (from = at; *at >= '0' && *at <= '9'; at++)
        ;
    return at == from ? NULL : at;
}

/* The end of the number that begins at `at`, or NULL. */
static inline const char *take_number(const char *at, const char *end,
                                      struct digits *d) {
    const char *from = *at == '-' ? at + 1 : at;
    uint64_t head = 0;
    at = take_digits(from, end, &head);
    d->count = (size_t)(at - from);
    d->places = 0;
    if (d->count == 0 || (*from == '0' && d->count > 1))
        return NULL;
    if (*at == '.') {
        from = at + 1;
        at = take_digits(from, end, &head);
        d->places = (size_t)(at - from);
        d->count += d->places;
        if (d->places == 0)
            return NULL;
    }
    d->head = head;
    d->has_exponent = (*at | 0x20) == 'e';
    return d->has_exponent ? skip_exponent(at + 1) : at;
}

const char *bf_number(const char *at, const char *end, double *value) {
    struct digits digits;
    const char *from = at;
    at = take_number(at, end, &digits);
    if (!at)
        return NULL;
    if (digits.has_exponent || digits.count > HEAD_DIGITS ||
        !bf_quotient_to_double(digits.head, (unsigned)digits.places, value)) {
        if (!bf_amount_to_double(from, (size_t)(at - from), value))
            *value = NAN;
    } else if (*from == '-') {
        *value = -*value;
    }
    return at;
}

/* The number that ends at `end`; NULL: there is none. */
static bool accept_number(struct bf_scan *scan, const char *end,
                          struct bf_span *number) {
    if (!end)
        return fail(scan, "bad number");
    *number = (struct bf_span){scan->at, (size_t)(end - scan->at)};
    scan->at = end;
    return true;
}

bool bf_scan_number(struct bf_scan *scan, struct bf_span *number,
                    double *value) {
    const char *end;
    (void)bf_scan_peek(scan);
    end = bf_number(scan->at, scan->end, value);
    if (end && isnan(*value))
        return fail(scan, "number beyond a double's range");
    return accept_number(scan, end, number);
}

bool bf_scan_number_text(struct bf_scan *scan, struct bf_span *number) {
    struct digits digits;
    (void)bf_scan_peek(scan);
    return accept_number(scan, take_number(scan->at, scan->end, &digits),
                         number);
}

static bool skip_word(struct bf_scan *scan, const char *word) {
    size_t len = strlen(word);
    if ((size_t)(scan->end - scan->at) < len ||
        memcmp(scan->at, word, len) != 0)
        return fail(scan, "a value was expected");
    scan->at += len;
    return true;
}

static bool skip_container(struct bf_scan *scan) {
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
    double value;
    switch (bf_scan_peek(scan)) {
    case '{':
    case '[':
        return skip_container(scan);
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
        return bf_scan_number(scan, &number, &value);
    }
}
