/* The text of a double and the double of a text.
 *
 * An amount must not change on its way, so every result is correctly rounded
 * and does not depend on the locale. No Lua, no allocation. */
#ifndef BF_AMOUNT_H
#define BF_AMOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

/* The parts of a number's text; the value is digits * 10^(exponent - places).
 */
struct bf_digits {
    const char *first; /* the first digit that is not a leading zero, ... */
    const char *end;   /* ... to here; a point may be among them */
    size_t count;      /* of these digits */
    int64_t places;    /* all digits behind the point */
    int64_t exponent;  /* one beyond 10^15 may be another one beyond it */
    bool negative;
};

/* Is the text a number of JSON's grammar? If so all parts are set. */
bool bf_digits_parse(struct bf_digits *d, const char *text, size_t len);

/* Stores the double nearest to `text`, ties to the even one. `text` is a
 * JSON number, already checked; it need not end with a NUL. Returns false,
 * storing nothing, where the number is beyond a double's range: too large, or
 * so small that it would become zero without being zero. */
bool bf_amount_to_double(const char *text, size_t len, double *out);

/* Returns the digits of the shortest decimal number that reads back to the
 * finite `value`, as an integer: |value| reads as digits * 10^*exponent. There
 * are at most 17; the last is not 0 unless `value` is. Among equally short
 * numbers it is the one closest to `value`. */
uint64_t bf_amount_shortest(double value, int *exponent);

#pragma GCC visibility pop

#endif
