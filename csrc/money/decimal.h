/* Exact decimal numbers on OpenSSL's BIGNUM. Only bf_decimal_round rounds. The
 * locale has no influence. */
#ifndef BF_DECIMAL_H
#define BF_DECIMAL_H

#include <openssl/bn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

/* The limits of a decimal: its digits; and its exponent, both that of the
 * coefficient and that of scientific notation. */
#define BF_DECIMAL_DIGITS 1000
#define BF_DECIMAL_EXPONENT 400

/* Room for any decimal's text: sign, point, zeros and digits; no NUL. */
#define BF_DECIMAL_TEXT (BF_DECIMAL_DIGITS + BF_DECIMAL_EXPONENT + 8)

/* coefficient * 10^exponent. The exponent keeps how the number was written:
 * that of 1.10 is -2. Decimals are equal where their values are. */
struct bf_decimal {
    BIGNUM *coefficient; /* NULL: empty */
    int exponent;
};

enum bf_status {
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

/* Gives an empty decimal the value 0. All functions below need decimals that
 * are not empty. A result's parameter is the first one. */
enum bf_status bf_decimal_init(struct bf_decimal *to);

/* Makes a decimal empty; does nothing where it already is. */
void bf_decimal_free(struct bf_decimal *decimal);

/* From text in JSON's number grammar. Its time is linear in `len`, and its
 * memory in the number of digits, whatever the exponent is. */
enum bf_status bf_decimal_from_text(struct bf_decimal *to, const char *text,
                                    size_t len);

/* What bf_decimal_from_text returns for the text, except BF_DECIMAL_MEMORY. */
enum bf_status bf_decimal_check_text(const char *text, size_t len);

/* From the shortest text that reads back to `value`, written plainly. */
enum bf_status bf_decimal_from_double(struct bf_decimal *to, double value);
enum bf_status bf_decimal_from_integer(struct bf_decimal *to, int64_t value);

/* Adds in place. `box` is overwritten; it may be `more`, where that is not
 * needed afterwards. The sum may exceed the limits: see bf_decimal_check. */
enum bf_status bf_decimal_accumulate(struct bf_decimal *sum,
                                     const struct bf_decimal *more,
                                     struct bf_decimal *box);

/* `to` must not be one of the operands. */
enum bf_status bf_decimal_copy(struct bf_decimal *to,
                               const struct bf_decimal *a);

/* By '+', '-' or '*'. */
enum bf_status bf_decimal_calculate(struct bf_decimal *to,
                                    const struct bf_decimal *a, char operation,
                                    const struct bf_decimal *b);

/* With exactly `places` decimals, 0 to BF_DECIMAL_EXPONENT. */
enum bf_status bf_decimal_round(struct bf_decimal *to,
                                const struct bf_decimal *a, int places,
                                enum bf_decimal_mode mode);

/* Is the result within the limits? The exponent of a zero is set to the nearest
 * one that is. */
enum bf_status bf_decimal_check(struct bf_decimal *decimal);

/* -1, 0 or 1 */
int bf_decimal_sign(const struct bf_decimal *decimal);

/* Stores -1, 0 or 1 as `a` is below, equal to or above `b`. */
enum bf_status bf_decimal_compare(const struct bf_decimal *a,
                                  const struct bf_decimal *b, int *order);

/* Writes digits without an exponent into BF_DECIMAL_TEXT bytes; returns the
 * number of bytes written, or 0 where there is no memory. */
size_t bf_decimal_to_text(const struct bf_decimal *decimal, char *out);

/* The nearest double; beyond their range, an infinity or a zero. */
enum bf_status bf_decimal_to_double(const struct bf_decimal *decimal,
                                    double *out);

#pragma GCC visibility pop

#endif
