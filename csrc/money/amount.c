/* Doubles from decimal text and back, exactly.
 *
 * All of it is integer arithmetic: neither the locale, the rounding mode nor
 * the width of the FPU's registers can change a digit. Ordinary amounts are
 * converted with integers of 64 and 128 bits, the others with big integers of a
 * fixed size that is large enough for any double. */
#include "money/amount.h"
#include "money/bigint.h"
#include "money/quotient.h"

#include <string.h>

#define MANTISSA_BITS 52
#define INFINITY_BITS ((uint64_t)0x7ff << MANTISSA_BITS)

/* The head has as many digits: so many fit into 64 bits. */
#define HEAD_DIGITS 19

/* The midpoint between two doubles has at most 768 significant digits. Of the
 * digits after these it only matters whether one is not 0. */
#define MOST_TAIL_DIGITS (768 - HEAD_DIGITS)

/* Larger than any exponent that the digits of a real text could offset. */
#define EXPONENT_CAP 1000000000000000

static int leading_zeros(uint64_t x) {
    return __builtin_clzll(x);
}

/* ------------------------------------------------------ a number's text -- */

static bool is_digit(const char *p, const char *end) {
    return p < end && *p >= '0' && *p <= '9';
}

/* Takes the digits at `p`; returns where they end. */
static const char *take_digits(struct bf_digits *d, const char *p,
                               const char *end) {
    for (; is_digit(p, end); p++) {
        if (d->count == 0 && *p == '0')
            continue;
        if (d->count++ == 0)
            d->first = p;
    }
    d->end = p;
    return p;
}

/* Takes the exponent at `p`; NULL where there is none. */
static const char *take_exponent(struct bf_digits *d, const char *p,
                                 const char *end) {
    bool negative = false;
    if (p < end && (*p == '-' || *p == '+'))
        negative = *p++ == '-';
    if (!is_digit(p, end))
        return NULL;
    for (; is_digit(p, end); p++)
        if (d->exponent < EXPONENT_CAP)
            d->exponent = d->exponent * 10 + (*p - '0');
    if (negative)
        d->exponent = -d->exponent;
    return p;
}

bool bf_digits_parse(struct bf_digits *d, const char *text, size_t len) {
    const char *p = text, *end = text + len, *start;
    memset(d, 0, sizeof *d);
    d->negative = p < end && *p == '-';
    start = p += d->negative;
    p = take_digits(d, p, end);
    if (p == start || (*start == '0' && p - start > 1))
        return false;
    if (p < end && *p == '.') {
        start = p + 1;
        p = take_digits(d, start, end);
        d->places = p - start;
        if (d->places == 0)
            return false;
    }
    if (p < end && (*p == 'e' || *p == 'E'))
        p = take_exponent(d, p + 1, end);
    return p == end;
}

/* ----------------------------------------------------- text to double -- */

/* The value is head * 10^exponent, plus the tail. */
struct number {
    uint64_t head; /* the first 19 significant digits, or all of them */
    int64_t exponent;
    const char *tail; /* the digits after the head, maybe with a point */
    const char *last; /* behind the last of them that is not 0 */
};

static void take_head(struct number *n, const struct bf_digits *d) {
    const char *p = d->first;
    size_t left = d->count < HEAD_DIGITS ? d->count : HEAD_DIGITS;
    n->exponent = d->exponent - d->places + (int64_t)(d->count - left);
    for (n->head = 0; left > 0; p++)
        if (*p != '.') {
            n->head = n->head * 10 + (uint64_t)(*p - '0');
            left--;
        }
    n->tail = p;
    for (n->last = d->end; n->last > p && n->last[-1] <= '0';)
        n->last--;
}

/* Rounds q * 2^(power - 63) to a double; with `rest` the value is
 * larger than that, by less than one in the last place of `q`. The top bit of
 * `q` is set. Returns false where the result overflows or is zero. */
static bool pack(uint64_t q, bool rest, int power, double *out) {
    int cut = 63 - MANTISSA_BITS;
    uint64_t half, below, m;
    if (power < -1022)
        cut += -1022 - power; /* subnormal: fewer bits are kept */
    if (cut > 64)
        return false;
    half = (uint64_t)1 << (cut - 1);
    below = q & (2 * half - 1);
    m = cut < 64 ? q >> cut : 0;
    if (below > half || (below == half && (rest || (m & 1) != 0)))
        m++;
    if (power >= -1022) /* the leading one of m adds the 1 to the exponent */
        m += (uint64_t)(power + 1022) << MANTISSA_BITS;
    memcpy(out, &m, sizeof *out);
    return m > 0 && m < INFINITY_BITS;
}

/* head * 10^exponent; false where the integers of quotient.h do not decide. */
static bool convert_head(uint64_t head, int64_t exponent, double *out) {
    for (; exponent > 0 && head <= UINT64_MAX / 10; exponent--)
        head *= 10;
    return exponent <= 0 && exponent >= -BF_QUOTIENT_PLACES &&
           bf_quotient_to_double(head, (unsigned)-exponent, out);
}

/* A tail does not matter where head + 1 gives the same. */
static bool convert_quickly(const struct number *n, double *out) {
    double above;
    return convert_head(n->head, n->exponent, out) &&
           (n->last == n->tail ||
            (convert_head(n->head + 1, n->exponent, &above) && above == *out));
}

/* Makes `a` all digits of `n` that can matter; returns their exponent. */
static int take_big(const struct number *n, struct bf_big *a) {
    int taken = 0;
    bf_big_set(a, n->head);
    for (const char *p = n->tail; p < n->last; p++) {
        if (*p == '.')
            continue;
        if (++taken > MOST_TAIL_DIGITS) {
            bf_big_muladd(a, 10, 1); /* in place of all up to the last */
            break;
        }
        bf_big_muladd(a, 10, (uint32_t)(*p - '0'));
    }
    return (int)n->exponent - taken;
}

/* The bits of any number, one bit of the quotient at a time. */
static bool convert_big(const struct number *n, double *out) {
    struct bf_big a, b;
    uint64_t q = 0;
    int power, shift;
    if (n->exponent > 308 || n->exponent < -342) /* head is 1 to 10^19 */
        return false;
    power = take_big(n, &a);
    bf_big_set(&b, 1);
    bf_big_mul_pow5(&a, power);
    bf_big_mul_pow5(&b, -power);
    shift = bf_big_bits(&a) - bf_big_bits(&b);
    bf_big_shift_left(&a, -shift);
    bf_big_shift_left(&b, shift);
    if (bf_big_compare(&a, &b) < 0) {
        bf_big_shift_left(&a, 1);
        shift--;
    } /* now b <= a < 2b */
    for (int i = 0; i < 64; i++) {
        q <<= 1;
        if (bf_big_compare(&a, &b) >= 0) {
            bf_big_subtract(&a, &b);
            q |= 1;
        }
        bf_big_shift_left(&a, 1);
    }
    return pack(q, a.size != 0, power + shift, out);
}

bool bf_amount_to_double(const char *text, size_t len, double *out) {
    struct bf_digits digits;
    struct number n;
    double value = 0;
    (void)bf_digits_parse(&digits, text, len);
    if (digits.count > 0) {
        take_head(&n, &digits);
        if (!convert_quickly(&n, &value) && !convert_big(&n, &value))
            return false;
    }
    *out = digits.negative ? -value : value;
    return true;
}

/* ----------------------------------------------------- double to text -- */

/* Both functions below use Steele and White's algorithm: they produce digits
 * until these, as they are or with the last digit one up, read back to the
 * double. They do where they are nearer to the value than half the distance to
 * the next double, or at half the distance where the double is even. Below a
 * power of two the next double is at half the distance. */
#define POWER_OF_TWO ((uint64_t)1 << MANTISSA_BITS)

/* So many bits of a fraction can be multiplied by 10 in 64 bits. */
#define MOST_PLACES 58

/* The shortest digits of m / 2^places, with at most MOST_PLACES; their
 * exponent is subtracted from *exponent. `m` has 53 bits: so a whole number
 * reads back only to itself, and only the fraction is examined. No shorter text
 * is at half the distance to the next double, since that point has more places;
 * and a power of two has so few digits here that no other text reads back. */
static uint64_t shortest_fixed(uint64_t m, int places, int *exponent) {
    const int point = places + 1; /* half of the distance is 1 */
    const uint64_t one = (uint64_t)1 << point;
    uint64_t half = 1, digits = m >> places, rest = m << 1 & (one - 1);
    bool low, high;
    do {
        half *= 10;
        rest *= 10;
        digits = digits * 10 + (rest >> point);
        rest &= one - 1;
        low = rest < half;
        high = rest + half > one;
        --*exponent;
    } while (!low && !high);
    if (high && (!low || rest + digits % 2 > one / 2))
        digits++;
    return digits;
}

/* The rest of the value, and half the distance to the next double below, in
 * units of 1 / scale. */
struct digits {
    struct bf_big value, scale, below;
    int uneven; /* 1 where the next double above is twice as far, else 0 */
    bool even;
};

/* The value is m * 2^power / 10^scale. */
static void start_digits(struct digits *d, uint64_t m, int power, int scale) {
    bf_big_set(&d->value, m);
    bf_big_set(&d->below, 1);
    bf_big_set(&d->scale, 1);
    bf_big_shift_left(&d->value, 1 + d->uneven);
    bf_big_shift_left(&d->scale, 1 + d->uneven);
    bf_big_mul_pow5(&d->scale, scale);
    bf_big_mul_pow5(&d->value, -scale);
    bf_big_mul_pow5(&d->below, -scale);
    power -= scale;
    bf_big_shift_left(&d->scale, -power);
    bf_big_shift_left(&d->value, power);
    bf_big_shift_left(&d->below, power);
}

/* Do the digits so far read back as they are? */
static bool is_low(const struct digits *d) {
    return bf_big_compare(&d->value, &d->below) < (d->even ? 1 : 0);
}

/* Do the digits so far read back with the last one up? */
static bool is_high(const struct digits *d) {
    struct bf_big reach;
    bf_big_copy(&reach, &d->below);
    bf_big_shift_left(&reach, d->uneven);
    bf_big_add(&reach, &d->value);
    return bf_big_compare(&reach, &d->scale) > (d->even ? -1 : 0);
}

/* Is the last digit nearer one up? Where both are as near: is it odd? */
static bool is_nearer_up(const struct digits *d, bool odd) {
    struct bf_big twice;
    bf_big_copy(&twice, &d->value);
    bf_big_shift_left(&twice, 1);
    return bf_big_compare(&twice, &d->scale) > (odd ? -1 : 0);
}

static unsigned next_digit(struct digits *d) {
    unsigned digit = 0;
    bf_big_muladd(&d->value, 10, 0);
    bf_big_muladd(&d->below, 10, 0);
    for (; bf_big_compare(&d->value, &d->scale) >= 0; digit++)
        bf_big_subtract(&d->value, &d->scale);
    return digit;
}

/* floor(log10(2^power)) */
static int log10_of_pow2(int power) {
    return (power * 78913 + (400 << 18)) / (1 << 18) - 400;
}

/* As shortest_fixed for any m * 2^power. */
static uint64_t shortest_any(uint64_t m, int power, struct digits *d,
                             int *exponent) {
    uint64_t digits = 0;
    bool low, high;
    *exponent = 1 + log10_of_pow2(63 - leading_zeros(m) + power);
    start_digits(d, m, power, *exponent);
    if (is_high(d)) { /* the value is, or reads back as, 1 or more */
        bf_big_muladd(&d->scale, 10, 0);
        ++*exponent;
    }
    do {
        digits = digits * 10 + next_digit(d);
        low = is_low(d);
        high = is_high(d);
        --*exponent;
    } while (!low && !high);
    if (high && (!low || is_nearer_up(d, digits % 2 != 0)))
        digits++;
    return digits;
}

static uint64_t shortest(uint64_t m, int power, int *exponent) {
    struct digits d;
    bool subnormal = power == 0;
    if (!subnormal)
        m |= POWER_OF_TWO;
    d.uneven = m == POWER_OF_TWO && power > 1;
    d.even = m % 2 == 0;
    power += subnormal - 1023 - MANTISSA_BITS;
    if (power <= 0 && power >= -MOST_PLACES)
        return shortest_fixed(m, -power, exponent);
    return shortest_any(m, power, &d, exponent);
}

uint64_t bf_amount_shortest(double value, int *exponent) {
    uint64_t bits, digits;
    int power;
    memcpy(&bits, &value, sizeof bits);
    power = (int)(bits >> MANTISSA_BITS & 0x7ff);
    bits &= POWER_OF_TWO - 1;
    *exponent = 0;
    if (power == 0 && bits == 0)
        return 0;
    digits = shortest(bits, power, exponent);
    for (; digits % 10 == 0; digits /= 10)
        ++*exponent;
    return digits;
}
