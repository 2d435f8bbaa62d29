/*
 * quotient.h: the double nearest to an integer over a power of ten, by a
 * multiplication. No Lua, no allocation.
 *
 * The double is rounded from the first 128 bits of the quotient, of which the
 * last two may be wrong. Where these could change the result, there is none.
 */
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

#ifdef __SIZEOF_INT128__

__extension__ typedef unsigned __int128 bf_uint128;

/*
 * Stores (high * 2^64 + low) * 2^power as a double; the first bit of `high` is
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

/*
 * Stores the double nearest to head / 10^places, as bf_amount_to_double does.
 * Returns false, storing nothing, where this cannot decide which one it is:
 * at the point half way between two doubles, for more places, and always where
 * the compiler has no integers of 128 bits.
 */
static inline bool bf_quotient_to_double(uint64_t head, unsigned places,
                                         double *out) {
    const struct bf_reciprocal *r;
    uint64_t w;
    bf_uint128 q;
    int shift, power;
    if (head == 0) {
        *out = 0;
        return true;
    }
    if (places > BF_QUOTIENT_PLACES)
        return false;
    /* With w = head * 2^shift, the quotient is w * 2^bits / 5^places, times a
     * power of two. Its first 128 bits are those of the product of w and the
     * reciprocal: the reciprocal is too small by less than one, which is less
     * than one in the last of these bits; what is cut off behind them is less
     * than one as well; and twice their sum is less than 4. */
    r = &bf_reciprocals[places];
    shift = __builtin_clzll(head);
    w = head << shift;
    q = (bf_uint128)w * r->high + (uint64_t)((bf_uint128)w * r->low >> 64);
    power = 64 - r->bits - shift - (int)places;
    if (q >> 127 == 0) {
        q <<= 1;
        power--;
    }
    return bf_round_quotient((uint64_t)(q >> 64), (uint64_t)q, power, out);
}

#else

static inline bool bf_quotient_to_double(uint64_t head, unsigned places,
                                         double *out) {
    (void)head, (void)places, (void)out;
    return false;
}

#endif

#pragma GCC visibility pop

#endif
