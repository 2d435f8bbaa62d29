/* Schoolbook arithmetic. */
#include "money/bigint.h"

#include <string.h>

#define POW5_13 1220703125 /* the last power of five below 2^32 */

void bf_big_set(struct bf_big *a, uint64_t value) {
    a->size = 0;
    for (; value != 0; value >>= 32)
        a->word[a->size++] = (uint32_t)value;
}

void bf_big_copy(struct bf_big *a, const struct bf_big *b) {
    a->size = b->size;
    memcpy(a->word, b->word, (size_t)b->size * sizeof *b->word);
}

int bf_big_bits(const struct bf_big *a) {
    int bits = 32 * a->size;
    for (uint32_t top = a->word[a->size - 1]; top < 0x80000000; top <<= 1)
        bits--;
    return bits;
}

int bf_big_compare(const struct bf_big *a, const struct bf_big *b) {
    if (a->size != b->size)
        return a->size < b->size ? -1 : 1;
    for (int i = a->size - 1; i >= 0; i--)
        if (a->word[i] != b->word[i])
            return a->word[i] < b->word[i] ? -1 : 1;
    return 0;
}

void bf_big_muladd(struct bf_big *a, uint32_t factor, uint32_t more) {
    uint64_t carry = more;
    for (int i = 0; i < a->size; i++) {
        carry += (uint64_t)a->word[i] * factor;
        a->word[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry != 0)
        a->word[a->size++] = (uint32_t)carry;
}

void bf_big_mul_pow5(struct bf_big *a, int power) {
    for (; power >= 13; power -= 13)
        bf_big_muladd(a, POW5_13, 0);
    for (; power > 0; power--)
        bf_big_muladd(a, 5, 0);
}

void bf_big_shift_left(struct bf_big *a, int bits) {
    int words = bits / 32;
    if (bits <= 0)
        return;
    bf_big_muladd(a, (uint32_t)1 << bits % 32, 0);
    memmove(a->word + words, a->word, (size_t)a->size * sizeof *a->word);
    memset(a->word, 0, (size_t)words * sizeof *a->word);
    a->size += words;
}

void bf_big_add(struct bf_big *a, const struct bf_big *b) {
    uint64_t carry = 0;
    for (int i = 0; i < b->size || carry != 0; i++) {
        if (i == a->size)
            a->word[a->size++] = 0;
        carry += (uint64_t)a->word[i] + (i < b->size ? b->word[i] : 0);
        a->word[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

void bf_big_subtract(struct bf_big *a, const struct bf_big *b) {
    uint64_t borrow = 0;
    for (int i = 0; i < a->size; i++) {
        uint64_t take = borrow + (i < b->size ? b->word[i] : 0);
        borrow = a->word[i] < take;
        a->word[i] = (uint32_t)(a->word[i] - take);
    }
    while (a->size > 0 && a->word[a->size - 1] == 0)
        a->size--;
}
