/* Natural numbers of a fixed size, just large enough to tell any
 * double from its neighbours. For amount.c; no function checks a bound. */
#ifndef BF_BIG_H
#define BF_BIG_H

#include <stdint.h>

/* Room for 5^1094 and for 769 digits, aligned: the largest operands. */
#define BF_BIG_WORDS 84

#pragma GCC visibility push(hidden)

/* Little-endian, without leading zero words; zero has size 0. */
struct bf_big {
    int size;
    uint32_t word[BF_BIG_WORDS];
};

void bf_big_set(struct bf_big *a, uint64_t value);
void bf_big_copy(struct bf_big *a, const struct bf_big *b);

/* The number of bits up to the highest one that is set; 0 for zero. */
int bf_big_bits(const struct bf_big *a);

/* Below, at or above 0 as `a` is below, at or above `b`. */
int bf_big_compare(const struct bf_big *a, const struct bf_big *b);

/* a = a * factor + more */
void bf_big_muladd(struct bf_big *a, uint32_t factor, uint32_t more);

/* a = a * 5^power; nothing for a power below 0 */
void bf_big_mul_pow5(struct bf_big *a, int power);

/* a = a * 2^bits, of a zero by less than 32; nothing for bits below 0 */
void bf_big_shift_left(struct bf_big *a, int bits);

/* a = a + b */
void bf_big_add(struct bf_big *a, const struct bf_big *b);

/* a = a - b, which must not be the larger one. */
void bf_big_subtract(struct bf_big *a, const struct bf_big *b);

#pragma GCC visibility pop

#endif
