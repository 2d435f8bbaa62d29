/* doubles COUNT SEED: checks amount.c against the C library's strtod and
 * printf, which round correctly in the C locale: COUNT random doubles, the
 * powers of two and ten, the smallest numbers, and the neighbours of all. Ends
 * with "N texts read, N doubles written, N wrong" and fails if any is. */
#include "money/amount.h"

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

static void complain(const char *what, const char *text) {
    if (++wrong < 20)
        printf("%s: %.400s\n", what, text);
}

/* Reads a text, without its NUL, as strtod does. */
static void check_read(const char *text) {
    double got = -1, wanted = strtod(text, NULL);
    size_t len = strlen(text);
    bool is_zero = strcspn(text, "123456789") >= strcspn(text, "eE");
    bool in_range = isfinite(wanted) && (wanted != 0 || is_zero);
    bool ok = bf_amount_to_double(text, len, &got);
    texts_read++;
    if (ok != in_range || (ok && bits_of(got) != bits_of(wanted)))
        complain("read", text);
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
        complain("does not read back", text);
    if (value == 0)
        return;
    if (digits >= 10 && (reads_back(digits / 10, exponent + 1, value) ||
                         reads_back(digits / 10 + 1, exponent + 1, value)))
        complain("a shorter text reads back", text);
    if (digits % 10 == 0 || !is_closest(digits, exponent, value))
        complain("not the closest text", text);
}

/* The exact midpoint between the value and the next, and texts a hair off. */
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
}

int main(int argc, char **argv) {
    long count = argc > 1 ? strtol(argv[1], NULL, 10) : 1000000;
    if (argc > 2)
        state ^= strtoull(argv[2], NULL, 10) * 0x9E3779B97F4A7C15;
    check_powers();
    check_long_texts();
    for (long i = 0; i < count; i++) {
        check_random();
        if (i % 4 == 0)
            check_amount();
        if (i % 256 == 0)
            check_midpoint(from_bits(next_random() >> 1));
    }
    printf("%ld texts read, %ld doubles written, %ld wrong\n", texts_read,
           doubles_written, wrong);
    return wrong != 0;
}
