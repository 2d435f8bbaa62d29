/* The double nearest to an integer over a power of ten, by a
 * multiplication. No Lua, no allocation.
 *
 * The double is rounded from the first 128 bits of the quotient, of which the
 * last two may be wrong. Where these could change the result, there is none. */
#ifndef BF_QUOTIENT_H
#define BF_QUOTIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#pragma GCC visibility push(hidden)

/* The most places that a number of 19 digits has. */
#define BF_QUOTIENT_PLACES 18

/* 2^bits / 5^places, rounded down, in two halves. The first bit is set. */
struct bf_reciprocal {
    uint64_t high, low;
    int bits;
};
extern const struct bf_reciprocal bf_reciprocals[BF_QUOTIENT_PLACES + 1];

/* Stores (high * 2^64 + low) * 2^power as a double; the first bit of `high` is
 * set. The exact quotient may be larger by less than 4: returns false where it
 * may be on the other side of the point half way between two doubles, or on it.
 */
static inline bool bf_round_quotient(uint64_t high, uint64_t low, int power,
                                     double *out) {
    const uint64_t dropped = 0x7FF, half = 0x400;
    uint64_t bits = (high >> 11) + (high >> 10 & 1);
    if (low + 3 <= 3 && ((high + (low != 0)) & dropped) == half)
        return false;
    /* the leading one of `bits` adds the 1 to the exponent */
    bits += (uint64_t)(power + 127 + 1022) << 52;
    memcpy(out, &bits, sizeof *out);
    return true;
}

/* Rounds the product of w and the reciprocal, times 2^power. */
static inline bool bf_round_product(uint64_t w, const struct bf_reciprocal *r,
                                    int power, double *out) {
#ifdef __SIZEOF_INT128__
    __extension__ typedef unsigned __int128 uint128;
    uint128 q = (uint128)w * r->high + (uint64_t)((uint128)w * r->low >> 64);
    if (q >> 127 == 0) {
        q <<= 1;
        power--;
    }
    return bf_round_quotient((uint64_t)(q >> 64), (uint64_t)q, power, out);
#else
    const uint64_t half = 0xFFFFFFFF;
    const uint64_t factors[] = {r->low & half, r->low >> 32, r->high & half,
                                r->high >> 32};
    uint64_t words[6] = {0}; /* of 32 bits, the lowest first */
    uint64_t high, low;
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 2; k++) {
            uint64_t sum = words[i + k] + factors[i] * (k ? w >> 32 : w & half);
            words[i + k] = sum & half;
            words[i + k + 1] += sum >> 32;
        }
    high = words[5] << 32 | words[4];
    low = words[3] << 32 | words[2];
    if (high >> 63 == 0) {
        high = high << 1 | low >> 63;
        low <<= 1;
        power--;
    }
    return bf_round_quotient(high, low, power, out);
#endif
}

/* Stores the double nearest to head / 10^places, as bf_amount_to_double does.
 * Returns false, storing nothing, where this cannot decide which one it is, at
 * the point half way between two doubles. For at most BF_QUOTIENT_PLACES. */
static inline bool bf_quotient_to_double(uint64_t head, unsigned places,
                                         double *out) {
    const struct bf_reciprocal *r;
    uint64_t w;
    int shift, power;
    if (head == 0) {
        *out = 0;
        return true;
    }
    /* With w = head * 2^shift, the quotient is w * 2^bits / 5^places, times a
     * power of two. Its first 128 bits are those of the product of w and the
     * reciprocal: the reciprocal is too small by less than one, which is less
     * than one in the last of these bits; what is cut off behind them is less
     * than one as well; and twice their sum is less than 4. */
    r = &bf_reciprocals[places];
    shift = __builtin_clzll(head);
    w = head << shift;
    power = 64 - r->bits - shift - (int)places;
    return bf_round_product(w, r, power, out);
}

#pragma GCC visibility pop

#endif
