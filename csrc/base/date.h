/* Dates as texts have them, in any locale. */
#ifndef BF_DATE_H
#define BF_DATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

struct bf_date {
    int year, month, day, hour, minute, second; /* month: 0 to 11 */
};

/* Is there such a day and time? A second may be a leap second. */
bool bf_date_is_real(const struct bf_date *date);

/* Unix time in s of a date that is real; 0 before 1970. */
int64_t bf_date_seconds(const struct bf_date *date);

static inline bool bf_is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* In a mask, 0 stands for a digit, _ for a digit or a blank, A for any letter,
 * and any other byte for itself. */
bool bf_has_form(const char *text, size_t len, const char *mask);

/* The number of two digits at `text`, the first of which may be a blank. */
int bf_two_digits(const char *text);

/* Unix time in ms of a date in the form of RFC 3339, "2026-01-31T09:30:00Z",
 * with or without a fraction of the second, and with any offset; 0 before 1970;
 * -1 where it is none. */
int64_t bf_date_rfc3339(const char *text, size_t len);

#pragma GCC visibility pop

#endif
