/* doubles COUNT SEED: checks amount.c, quotient.c and the scanner's numbers
 * against the C library's strtod and printf, which round correctly in the C
 * locale: COUNT random doubles, the powers of two and ten, the smallest
 * numbers, and the neighbours of all; and 5 * COUNT texts of at most 19 digits
 * as near to the point half way between two doubles as such a text can be, or
 * on it. Ends with "N texts read, N doubles written, N wrong" and fails if any
 * is. */
#include "json/scan.h"
#include "money/amount.h"
#include "money/bigint.h"
#include "money/quotient.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state = 88172645463325252;
static long texts_read, doubles_written, wrong;

static uint64_t next_random(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 2685821657736338717;
}

static double from_bits(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint64_t bits_of(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static void set_wrong(const char *what, const char *text) {
    if (++wrong < 20)
        printf("%s: %.400s\n", what, text);
}

/* Does the scanner read the whole text, as this value? NaN: beyond the range.
 */
static bool is_scanned(const char *text, size_t len, double value) {
    double got = -1;
    if (bf_number(text, text + len, &got) != text + len)
        return false;
    return isnan(value) ? isnan(got) : bits_of(got) == bits_of(value);
}

/* Reads a text, without its NUL, as strtod does. */
static void check_read(const char *text) {
    double got = -1, expected = strtod(text, NULL);
    size_t len = strlen(text);
    bool is_zero = strcspn(text, "123456789") >= strcspn(text, "eE");
    bool in_range = isfinite(expected) && (expected != 0 || is_zero);
    bool ok = bf_amount_to_double(text, len, &got);
    texts_read++;
    if (ok != in_range || (ok && bits_of(got) != bits_of(expected)))
        set_wrong("read", text);
    if (!is_scanned(text, len, in_range ? expected : NAN))
        set_wrong("scanned", text);
}

static bool reads_back(uint64_t digits, int exponent, double value) {
    char text[40];
    snprintf(text, sizeof text, "%" PRIu64 "e%d", digits, exponent);
    return bits_of(strtod(text, NULL)) == bits_of(value);
}

/* Of equally short texts, printf gives the closest; only below a power of two
 * that may be one that does not read back. */
static bool is_closest(uint64_t digits, int exponent, double value) {
    char text[40], ours[40];
    int count = snprintf(ours, sizeof ours, "%" PRIu64, digits);
    uint64_t theirs = 0;
    snprintf(text, sizeof text, "%.*e", count - 1, value);
    for (const char *p = text; *p != 'e'; p++)
        if (*p != '.')
            theirs = theirs * 10 + (uint64_t)(*p - '0');
    return theirs == digits || !reads_back(theirs, exponent, value);
}

static void check_write(double value) {
    char text[40];
    int exponent;
    uint64_t digits = bf_amount_shortest(value, &exponent);
    snprintf(text, sizeof text, "%a", value);
    doubles_written++;
    if (!reads_back(digits, exponent, value))
        set_wrong("does not read back", text);
    if (value == 0)
        return;
    if (digits >= 10 && (reads_back(digits / 10, exponent + 1, value) ||
                         reads_back(digits / 10 + 1, exponent + 1, value)))
        set_wrong("a shorter text reads back", text);
    if (digits % 10 == 0 || !is_closest(digits, exponent, value))
        set_wrong("not the closest text", text);
}

/* The exact midpoint between the value and the next, and texts slightly below
 * and above it. */
static void check_midpoint(double value) {
    char text[1400], longer[1600];
    char *exponent;
    double next = from_bits(bits_of(value) + 1);
    int digits;
    if (!isfinite(next) || LDBL_MANT_DIG <= DBL_MANT_DIG)
        return;
    snprintf(text, sizeof text, "%.1100Le", ((long double)value + next) / 2);
    check_read(text);
    exponent = strchr(text, 'e');
    digits = (int)(exponent - text);
    snprintf(longer, sizeof longer, "%.*s1%s", digits, text, exponent);
    check_read(longer);
    while (text[digits - 1] == '0')
        digits--;
    if (text[digits - 1] == '.')
        return;
    text[digits - 1]--;
    snprintf(longer, sizeof longer, "%.*s99999%s", digits, text, exponent);
    check_read(longer);
}

static void check_around(double value) {
    uint64_t bits = bits_of(value);
    for (uint64_t i = bits < 3 ? 0 : bits - 3; i <= bits + 3; i++) {
        if (!isfinite(from_bits(i)))
            break;
        check_write(from_bits(i));
        check_midpoint(from_bits(i));
    }
}

static void check_powers(void) {
    char text[40];
    for (int power = -1075; power <= 1023; power++)
        check_around(ldexp(1, power));
    for (int power = -345; power <= 310; power++) {
        snprintf(text, sizeof text, "1e%d", power);
        check_read(text);
        check_around(strtod(text, NULL));
        snprintf(text, sizeof text, "9.99999999999999999999e%d", power);
        check_read(text);
    }
}

/* A number such as an exchange might send. */
static void check_amount(void) {
    char text[80];
    uint64_t whole = next_random() >> next_random() % 64;
    uint64_t fraction = next_random() >> next_random() % 64;
    snprintf(text, sizeof text, "-%" PRIu64 ".%0*" PRIu64, whole,
             (int)(next_random() % 18) + 1, fraction);
    check_read(text);
    check_read(text + 1);
    if (fabs(strtod(text + 1, NULL)) < 1e15)
        check_write(strtod(text + 1, NULL));
    snprintf(text, sizeof text, "%" PRIu64 "e%d", whole,
             (int)(next_random() % 700) - 350);
    check_read(text);
}

static void check_random(void) {
    char text[80];
    double value = from_bits(next_random() >> 1);
    if (!isfinite(value))
        return;
    check_write(value);
    snprintf(text, sizeof text, "%.*g", (int)(next_random() % 25) + 1, value);
    check_read(text);
}

/* ---- next to the point half way between two doubles, and on it ---- */

static uint64_t five_to(int power) {
    uint64_t value = 1;
    for (; power > 0; power--)
        value *= 5;
    return value;
}

/* Each reciprocal is 2^bits / 5^places, rounded down, of 128 bits. */
static void check_reciprocals(void) {
    for (int places = 0; places <= BF_QUOTIENT_PLACES; places++) {
        const struct bf_reciprocal *r = &bf_reciprocals[places];
        struct bf_big low, next, power;
        bf_big_set(&low, r->high);
        bf_big_shift_left(&low, 64);
        bf_big_set(&next, r->low);
        bf_big_add(&low, &next);
        bf_big_copy(&next, &low);
        bf_big_muladd(&next, 1, 1);
        bf_big_mul_pow5(&low, places);
        bf_big_mul_pow5(&next, places);
        bf_big_set(&power, 1);
        bf_big_shift_left(&power, r->bits);
        if (bf_big_compare(&low, &power) > 0 ||
            bf_big_compare(&next, &power) <= 0 || r->high >> 63 == 0)
            set_wrong("reciprocal", "");
    }
}

/* A sum may have a word more than both; what is behind the words is not read.
 */
static void check_carry(void) {
    struct bf_big a, b = {
                         .size = 1, .word = {0xFFFFFFFF, 7}
    };
    bf_big_set(&a, 1);
    bf_big_add(&a, &b);
    if (a.size != 2 || a.word[0] != 0 || a.word[1] != 1)
        set_wrong("carry", "");
}

/* Reads head / 10^places. Only a tie may be left undecided. */
static void check_quotient(uint64_t head, int places, bool is_tie) {
    char text[80];
    double got = -1;
    uint64_t ten = five_to(places) << places;
    if (places == 0)
        snprintf(text, sizeof text, "%" PRIu64, head);
    else
        snprintf(text, sizeof text, "%" PRIu64 ".%0*" PRIu64, head / ten,
                 places, head % ten);
    check_read(text);
#ifdef __SIZEOF_INT128__
    if (bf_quotient_to_double(head, (unsigned)places, &got) == is_tie)
        set_wrong(is_tie ? "decided" : "not decided", text);
    else if (!is_tie && bits_of(got) != bits_of(strtod(text, NULL)))
        set_wrong("wrong quotient", text);
#else
    (void)got, (void)is_tie;
#endif
}

/* Of 17 digits, the last one 5: the two texts of 16 digits are as near. */
static void check_write_ties(void) {
    for (int i = 4097; i < 8192; i += 2)
        check_write(ldexp(i, -19));
}

/* The inverse of an odd number modulo 2^64. */
static inline uint64_t inverse(uint64_t odd) {
    uint64_t x = odd;
    for (int i = 0; i < 5; i++) /* each time twice as many bits are right */
        x *= 2 - odd * x;
    return x;
}

/* An odd m of 54 bits is half way between two doubles, whatever power of two
 * it is multiplied with. */
#define TOP ((uint64_t)1 << 53)
#define MOST_HEAD 9999999999999999999U

/* So is m / 2^(shift + places), and a text that is equal to it has the digits
 * m * 5^places / 2^shift, if that is an integer. This m makes it one that is
 * off by distance / 2^shift. */
static void check_near(int places, int shift, int64_t distance) {
#ifdef __SIZEOF_INT128__
    uint64_t below = ((uint64_t)1 << shift) - 1;
    uint64_t m = (uint64_t)distance * inverse(five_to(places));
    __extension__ __int128 head;
    m = ((m & below) | (next_random() & ~below & (TOP - 1))) | TOP;
    head = m;
    head = (head * (int64_t)five_to(places) - distance) >> shift;
    if (head <= MOST_HEAD)
        check_quotient((uint64_t)head, places, false);
#else
    (void)places, (void)shift, (void)distance;
#endif
}

static void check_tie(int places) {
    uint64_t head = ((next_random() & (TOP - 1)) | TOP | 1) * five_to(places);
    while (head <= MOST_HEAD / 2 && next_random() % 2 == 0)
        head *= 2;
    check_quotient(head, places, true);
}

static void check_half_way(void) {
    int places = (int)(next_random() % (BF_QUOTIENT_PLACES + 1));
    int least = places * 233 / 100 - 9; /* for 19 digits */
    int shift = least < 1 ? 1 : least;
    shift += (int)(next_random() % (uint64_t)(54 - shift));
    int64_t distance = (int64_t)(next_random() >> 44 >> next_random() % 20) | 1;
    check_near(places, shift, 1);
    check_near(places, shift, -1);
    check_near(places, shift, distance);
    check_near(places, shift, -distance);
    check_tie((int)(next_random() % 5));
}

static void check_long_texts(void) {
    static char text[1000100];
    memset(text, '0', 1000000);
    snprintf(text + 1000000, 20, "1e1000000");
    text[1] = '.';
    check_read(text);
    memset(text, '9', 1000000);
    snprintf(text + 1000000, 20, "e-999990");
    check_read(text);
    check_read("1e99999999999999999999");
    check_read("1e-99999999999999999999");
    check_read("-0e99999999999999999999");
    check_read("1.7976931348623158079e308"); /* next to half way to 2^1024 */
    check_read("1.7976931348623158080e308");
    check_read("1.7976931348623159077e308"); /* 2^1024, and half of it more */
    check_read("2.6965397022934738616e308");
    check_read("18446744073709553666"); /* of 64 bits that all matter */
}

int main(int argc, char **argv) {
    long count = argc > 1 ? strtol(argv[1], NULL, 10) : 1000000;
    if (argc > 2)
        state ^= strtoull(argv[2], NULL, 10) * 0x9E3779B97F4A7C15;
    check_powers();
    check_long_texts();
    check_reciprocals();
    check_carry();
    check_write_ties();
    for (long i = 0; i < count; i++) {
        check_random();
        check_half_way();
        if (i % 4 == 0)
            check_amount();
        if (i % 256 == 0)
            check_midpoint(from_bits(next_random() >> 1));
    }
    printf("%ld texts read, %ld doubles written, %ld wrong\n", texts_read,
           doubles_written, wrong);
    return wrong != 0;
}
