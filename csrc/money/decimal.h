/* Exact decimal numbers on OpenSSL's BIGNUM. Nothing here rounds but
 * bf_decimal_round, and nothing asks the locale. Knows no Lua. */
#ifndef BF_DECIMAL_H
#define BF_DECIMAL_H

#include <openssl/bn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

/* What a decimal may be: its digits, and its exponent both as an integer with
 * zeros behind it and in scientific form. */
#define BF_DECIMAL_DIGITS 1000
#define BF_DECIMAL_EXPONENT 400

/* Room for any decimal's plain text: sign, point, zeros and digits; no NUL. */
#define BF_DECIMAL_TEXT (BF_DECIMAL_DIGITS + BF_DECIMAL_EXPONENT + 8)

/* coefficient * 10^exponent. The exponent tells how it was written: 1.10 has
 * -2. Values are equal where they mean the same number. */
struct bf_decimal {
    BIGNUM *coefficient; /* NULL in a box that holds nothing yet */
    int exponent;
};

enum bf_decimal_result {
    BF_DECIMAL_OK,
    BF_DECIMAL_SYNTAX, /* not a number of JSON's grammar, or not finite */
    BF_DECIMAL_RANGE,  /* beyond the limits above */
    BF_DECIMAL_MEMORY
};

enum bf_decimal_mode {
    BF_DECIMAL_DOWN, /* towards zero */
    BF_DECIMAL_HALF_EVEN,
    BF_DECIMAL_UP /* away from zero */
};

/* Gives an empty box the number 0. Whatever is called below wants its
 * decimals made so; those to be written to are named first. */
enum bf_decimal_result bf_decimal_init(struct bf_decimal *to);

/* Leaves an empty box; harmless on one. */
void bf_decimal_free(struct bf_decimal *decimal);

/* From text in JSON's number grammar; takes time linear in `len`, and memory
 * by the digits there are, whatever the exponent says. */
enum bf_decimal_result bf_decimal_from_text(struct bf_decimal *to,
                                            const char *text, size_t len);

/* What bf_decimal_from_text would say of the text, but for memory. */
enum bf_decimal_result bf_decimal_check_text(const char *text, size_t len);

/* From the shortest text that reads back to `value`, written plainly. */
enum bf_decimal_result bf_decimal_from_double(struct bf_decimal *to,
                                              double value);
enum bf_decimal_result bf_decimal_from_integer(struct bf_decimal *to,
                                               int64_t value);

/* Adds in place; `box` is scratch, and may be `more` where that is not wanted
 * any longer. The sum is not held to the limits: see bf_decimal_check. */
enum bf_decimal_result bf_decimal_accumulate(struct bf_decimal *sum,
                                             const struct bf_decimal *more,
                                             struct bf_decimal *box);

/* `to` is none of the operands. */
enum bf_decimal_result bf_decimal_copy(struct bf_decimal *to,
                                       const struct bf_decimal *a);
enum bf_decimal_result bf_decimal_add(struct bf_decimal *to,
                                      const struct bf_decimal *a,
                                      const struct bf_decimal *b);
enum bf_decimal_result bf_decimal_subtract(struct bf_decimal *to,
                                           const struct bf_decimal *a,
                                           const struct bf_decimal *b);
enum bf_decimal_result bf_decimal_multiply(struct bf_decimal *to,
                                           const struct bf_decimal *a,
                                           const struct bf_decimal *b);

/* With exactly `places` decimals, 0 to BF_DECIMAL_EXPONENT. */
enum bf_decimal_result bf_decimal_round(struct bf_decimal *to,
                                        const struct bf_decimal *a, int places,
                                        enum bf_decimal_mode mode);

/* Whether a result is within the limits. A zero with an exponent beyond them
 * gets the nearest one. */
enum bf_decimal_result bf_decimal_check(struct bf_decimal *decimal);

/* -1, 0 or 1 */
int bf_decimal_sign(const struct bf_decimal *decimal);

/* Stores -1, 0 or 1 as `a` is below, equal to or above `b`. */
enum bf_decimal_result bf_decimal_compare(const struct bf_decimal *a,
                                          const struct bf_decimal *b,
                                          int *order);

/* Writes plain digits, never an exponent, into BF_DECIMAL_TEXT bytes; returns
 * their number, or 0 where memory is out. */
size_t bf_decimal_to_text(const struct bf_decimal *decimal, char *out);

/* The nearest double; beyond their range, an infinity or a zero. */
enum bf_decimal_result bf_decimal_to_double(const struct bf_decimal *decimal,
                                            double *out);

#pragma GCC visibility pop

#endif
