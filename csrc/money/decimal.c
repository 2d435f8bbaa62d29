/* A decimal is an integer and a power of ten. To add two, the one with the
 * higher power is given the other's; BIGNUM does the rest. */
#include "money/decimal.h"

#include "money/amount.h"

#include <math.h>
#include <string.h>

#define DIGITS_AT_ONCE 9 /* of ten, in a BN_ULONG of any size */

/* 10^1000 has this many bits: fewer bits are fewer digits, more are more. */
#define LIMIT_BITS 3322

/* From OpenSSL's result: it fails only where there is no memory. */
static enum bf_status done(int ok) {
    return ok ? BF_DECIMAL_OK : BF_DECIMAL_MEMORY;
}

static BN_ULONG ten_to(int power) {
    BN_ULONG value = 1;
    for (; power > 0; power--)
        value *= 10;
    return value;
}

/* a = a * 10^power */
static int scale_up(BIGNUM *a, int power) {
    for (; power > DIGITS_AT_ONCE; power -= DIGITS_AT_ONCE)
        if (!BN_mul_word(a, ten_to(DIGITS_AT_ONCE)))
            return 0;
    return power <= 0 || BN_mul_word(a, ten_to(power));
}

/* to = a, written with this exponent, which must not exceed a's own */
static int write_with(struct bf_decimal *to, const struct bf_decimal *a,
                      int exponent) {
    int shift = a->exponent - exponent;
    to->exponent = exponent;
    return BN_copy(to->coefficient, a->coefficient) &&
           scale_up(to->coefficient, shift);
}

enum bf_status bf_decimal_init(struct bf_decimal *to) {
    to->coefficient = BN_new();
    to->exponent = 0;
    return done(to->coefficient != NULL);
}

void bf_decimal_free(struct bf_decimal *decimal) {
    BN_free(decimal->coefficient);
    decimal->coefficient = NULL;
}

/* ---- from text ---- */

/* Called before a digit is converted. The longest text that is within the
 * limits has little more than 1,000 digits and 400 zeros. */
static bool is_beyond_limits(const struct bf_digits *d) {
    const int lowest = -BF_DECIMAL_EXPONENT;
    return d->count > BF_DECIMAL_DIGITS ||
           d->places > BF_DECIMAL_DIGITS + 2 * BF_DECIMAL_EXPONENT ||
           d->exponent > BF_DECIMAL_EXPONENT || d->exponent < lowest ||
           (d->count > 0 &&
            (int64_t)d->count - 1 + d->exponent - d->places < lowest);
}

static enum bf_status examine(struct bf_digits *d, const char *text,
                              size_t len) {
    if (!bf_digits_parse(d, text, len))
        return BF_DECIMAL_SYNTAX;
    return is_beyond_limits(d) ? BF_DECIMAL_RANGE : BF_DECIMAL_OK;
}

enum bf_status bf_decimal_check_text(const char *text, size_t len) {
    struct bf_digits digits;
    return examine(&digits, text, len);
}

/* a = the digits, a few at once */
static int convert_digits(BIGNUM *a, const struct bf_digits *d) {
    BN_ULONG chunk = 0;
    int held = 0;
    BN_zero(a);
    for (const char *p = d->first; d->count > 0 && p < d->end; p++) {
        if (*p == '.')
            continue;
        chunk = chunk * 10 + (BN_ULONG)(*p - '0');
        if (++held < DIGITS_AT_ONCE)
            continue;
        if (!BN_mul_word(a, ten_to(held)) || !BN_add_word(a, chunk))
            return 0;
        chunk = 0;
        held = 0;
    }
    return BN_mul_word(a, ten_to(held)) && BN_add_word(a, chunk);
}

enum bf_status bf_decimal_from_text(struct bf_decimal *to, const char *text,
                                    size_t len) {
    struct bf_digits digits;
    enum bf_status status = examine(&digits, text, len);
    if (status != BF_DECIMAL_OK)
        return status;
    if (!convert_digits(to->coefficient, &digits))
        return BF_DECIMAL_MEMORY;
    BN_set_negative(to->coefficient, digits.negative);
    to->exponent = (int)(digits.exponent - digits.places);
    return bf_decimal_check(to);
}

/* ---- from numbers ---- */

static int set_uint64(BIGNUM *a, uint64_t value) {
    return BN_set_word(a, (BN_ULONG)(value >> 32)) && BN_lshift(a, a, 32) &&
           BN_add_word(a, (BN_ULONG)(value & 0xffffffff));
}

enum bf_status bf_decimal_from_integer(struct bf_decimal *to, int64_t value) {
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    if (!set_uint64(to->coefficient, magnitude))
        return BF_DECIMAL_MEMORY;
    BN_set_negative(to->coefficient, value < 0);
    to->exponent = 0;
    return BF_DECIMAL_OK;
}

enum bf_status bf_decimal_from_double(struct bf_decimal *to, double value) {
    if (!isfinite(value))
        return BF_DECIMAL_SYNTAX;
    if (!set_uint64(to->coefficient, bf_amount_shortest(value, &to->exponent)))
        return BF_DECIMAL_MEMORY;
    BN_set_negative(to->coefficient, value < 0);
    /* 100 is 100, as the integer is, not 1e2 */
    return done(to->exponent <= 0 || write_with(to, to, 0));
}

enum bf_status bf_decimal_copy(struct bf_decimal *to,
                               const struct bf_decimal *a) {
    to->exponent = a->exponent;
    return done(BN_copy(to->coefficient, a->coefficient) != NULL);
}

/* ---- limits ---- */

/* The digits of the coefficient; 0 where there is no memory. */
static int count_digits(const BIGNUM *a) {
    char *text = BN_bn2dec(a);
    int count = text ? (int)strlen(text) - BN_is_negative(a) : 0;
    OPENSSL_free(text);
    return count;
}

enum bf_status bf_decimal_check(struct bf_decimal *decimal) {
    int bits = BN_num_bits(decimal->coefficient);
    int digits, *exponent = &decimal->exponent;
    if (bits == 0 && *exponent > BF_DECIMAL_EXPONENT)
        *exponent = BF_DECIMAL_EXPONENT;
    if (bits == 0 && *exponent < -BF_DECIMAL_EXPONENT)
        *exponent = -BF_DECIMAL_EXPONENT;
    if (bits > LIMIT_BITS || *exponent > BF_DECIMAL_EXPONENT)
        return BF_DECIMAL_RANGE;
    if (bits < LIMIT_BITS && *exponent >= -BF_DECIMAL_EXPONENT)
        return BF_DECIMAL_OK;
    digits = count_digits(decimal->coefficient);
    if (digits == 0)
        return BF_DECIMAL_MEMORY;
    if (digits > BF_DECIMAL_DIGITS ||
        digits - 1 + *exponent < -BF_DECIMAL_EXPONENT)
        return BF_DECIMAL_RANGE;
    return BF_DECIMAL_OK;
}

/* ---- arithmetic ---- */

enum bf_status bf_decimal_accumulate(struct bf_decimal *sum,
                                     const struct bf_decimal *more,
                                     struct bf_decimal *box) {
    int ok = 1;
    if (sum->exponent > more->exponent) {
        ok = write_with(sum, sum, more->exponent);
    } else if (sum->exponent < more->exponent) {
        ok = write_with(box, more, sum->exponent);
        more = box;
    }
    return done(ok &&
                BN_add(sum->coefficient, sum->coefficient, more->coefficient));
}

static enum bf_status add(struct bf_decimal *to, const struct bf_decimal *a,
                          const struct bf_decimal *b, bool subtract) {
    struct bf_decimal box;
    enum bf_status status = bf_decimal_init(&box);
    if (status == BF_DECIMAL_OK)
        status = bf_decimal_copy(to, b);
    if (subtract)
        BN_set_negative(to->coefficient, !BN_is_negative(to->coefficient));
    if (status == BF_DECIMAL_OK)
        status = bf_decimal_accumulate(to, a, &box);
    bf_decimal_free(&box);
    return status;
}

static enum bf_status multiply(struct bf_decimal *to,
                               const struct bf_decimal *a,
                               const struct bf_decimal *b) {
    BN_CTX *ctx = BN_CTX_new();
    int ok =
        ctx && BN_mul(to->coefficient, a->coefficient, b->coefficient, ctx);
    BN_CTX_free(ctx);
    to->exponent = a->exponent + b->exponent;
    return done(ok);
}

enum bf_status bf_decimal_calculate(struct bf_decimal *to,
                                    const struct bf_decimal *a, char operation,
                                    const struct bf_decimal *b) {
    enum bf_status status =
        operation == '*' ? multiply(to, a, b) : add(to, a, b, operation == '-');
    return status == BF_DECIMAL_OK ? bf_decimal_check(to) : status;
}

int bf_decimal_sign(const struct bf_decimal *decimal) {
    if (BN_is_zero(decimal->coefficient))
        return 0;
    return BN_is_negative(decimal->coefficient) ? -1 : 1;
}

enum bf_status bf_decimal_compare(const struct bf_decimal *a,
                                  const struct bf_decimal *b, int *order) {
    struct bf_decimal box;
    int low = a->exponent < b->exponent ? a->exponent : b->exponent;
    int ok;
    if (a->exponent == b->exponent) {
        *order = BN_cmp(a->coefficient, b->coefficient);
        return BF_DECIMAL_OK;
    }
    if (bf_decimal_init(&box) != BF_DECIMAL_OK)
        return BF_DECIMAL_MEMORY;
    ok = write_with(&box, a->exponent == low ? b : a, low);
    if (ok)
        *order = a->exponent == low ? BN_cmp(a->coefficient, box.coefficient)
                                    : BN_cmp(box.coefficient, b->coefficient);
    bf_decimal_free(&box);
    return done(ok);
}

/* ---- rounding ---- */

/* Does what is cut off, `rest` of `unit`, move the last digit of `kept` away
 * from zero? 1, 0, or -1 where there is no memory. Doubles `rest`. */
static int rounds_away(const BIGNUM *kept, BIGNUM *rest, const BIGNUM *unit,
                       enum bf_decimal_mode mode) {
    int order;
    if (mode == BF_DECIMAL_DOWN || BN_is_zero(rest))
        return 0;
    if (mode == BF_DECIMAL_UP)
        return 1;
    if (!BN_lshift1(rest, rest))
        return -1;
    order = BN_ucmp(rest, unit);
    return order > 0 || (order == 0 && BN_is_odd(kept));
}

/* to = a / 10^power, rounded; intermediate numbers are those of `ctx` */
static int divide(BIGNUM *to, const BIGNUM *a, int power,
                  enum bf_decimal_mode mode, BN_CTX *ctx) {
    BIGNUM *unit, *rest;
    int negative = BN_is_negative(a), away;
    BN_CTX_start(ctx);
    unit = BN_CTX_get(ctx);
    rest = BN_CTX_get(ctx);
    if (!rest || !BN_one(unit) || !scale_up(unit, power) ||
        !BN_div(to, rest, a, unit, ctx))
        return 0;
    away = rounds_away(to, rest, unit, mode);
    BN_set_negative(to, 0);
    if (away < 0 || (away && !BN_add_word(to, 1)))
        return 0;
    BN_set_negative(to, negative);
    return 1;
}

enum bf_status bf_decimal_round(struct bf_decimal *to,
                                const struct bf_decimal *a, int places,
                                enum bf_decimal_mode mode) {
    int cut = -places - a->exponent, ok;
    BN_CTX *ctx = cut > 0 ? BN_CTX_new() : NULL;
    if (cut > 0)
        ok = ctx && divide(to->coefficient, a->coefficient, cut, mode, ctx);
    else
        ok = write_with(to, a, -places);
    BN_CTX_free(ctx);
    to->exponent = -places;
    return ok ? bf_decimal_check(to) : BF_DECIMAL_MEMORY;
}

/* ---- to text and to numbers ---- */

/* Writes `count` digits with the point where `exponent` puts it. */
static int put_digits(char *out, const char *digits, int count, int exponent) {
    int whole = count + exponent; /* digits before the point */
    int zeros = whole > 0 ? 0 : 2 - whole;
    if (*digits == '0' && exponent > 0)
        exponent = 0;
    if (exponent >= 0) {
        memcpy(out, digits, (size_t)count);
        memset(out + count, '0', (size_t)exponent);
        return count + exponent;
    }
    if (zeros > 0) {
        memset(out, '0', (size_t)zeros);
        out[1] = '.';
        memcpy(out + zeros, digits, (size_t)count);
        return zeros + count;
    }
    memcpy(out, digits, (size_t)whole);
    out[whole] = '.';
    memcpy(out + whole + 1, digits + whole, (size_t)-exponent);
    return count + 1;
}

size_t bf_decimal_to_text(const struct bf_decimal *decimal, char *out) {
    char *text = BN_bn2dec(decimal->coefficient);
    int sign, len;
    if (!text)
        return 0;
    sign = *text == '-';
    *out = '-';
    len = put_digits(out + sign, text + sign, (int)strlen(text + sign),
                     decimal->exponent);
    OPENSSL_free(text);
    return (size_t)sign + (size_t)len;
}

enum bf_status bf_decimal_to_double(const struct bf_decimal *decimal,
                                    double *out) {
    char text[BF_DECIMAL_TEXT];
    size_t len = bf_decimal_to_text(decimal, text);
    if (len == 0)
        return BF_DECIMAL_MEMORY;
    if (bf_amount_to_double(text, len, out))
        return BF_DECIMAL_OK;
    *out = memchr(text, '.', len) && text[*text == '-'] == '0' ? 0 : HUGE_VAL;
    if (*text == '-')
        *out = -*out;
    return BF_DECIMAL_OK;
}
