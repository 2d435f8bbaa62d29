/* The dates of HTTP. */
#ifndef BF_DATE_H
#define BF_DATE_H

#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

#define BF_DATE_MAX (sizeof "Wednesday, 06-Nov-94 08:49:37 GMT" - 1)

/* Unix time in s of a date in one of the three forms of RFC 9110, 5.6.7, in
 * any locale; 0 where that is before 1970, -1 where it is no such date.
 * `this_year` is what a year of two digits is held against. */
int64_t bf_date_read(const char *text, size_t len, int this_year);

/* The year that it is by this machine's clock. */
int bf_date_this_year(void);

#pragma GCC visibility pop

#endif
