#include "base/date.h"

#include <string.h>

bool bf_has_form(const char *text, size_t len, const char *mask) {
    if (len != strlen(mask))
        return false;
    for (; *mask; mask++, text++)
        if (*mask == '0' || *mask == '_'
                ? !bf_is_digit(*text) && (*mask == '0' || *text != ' ')
                : *mask != 'A' && *mask != *text)
            return false;
    return true;
}

int bf_two_digits(const char *text) {
    return (*text == ' ' ? 0 : *text - '0') * 10 + text[1] - '0';
}

/* Of a month, 0 to 11. */
static int days_in(int year, int month) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month] + (month == 1 && is_leap);
}

bool bf_date_is_real(const struct bf_date *date) {
    return date->month >= 0 && date->month < 12 && date->day >= 1 &&
           date->day <= days_in(date->year, date->month) && date->hour < 24 &&
           date->minute < 60 && date->second <= 60;
}

/* By the formula of POSIX (Seconds Since the Epoch). */
int64_t bf_date_seconds(const struct bf_date *date) {
    int64_t past = date->year - 1;
    int64_t leap_days = past / 4 - past / 100 + past / 400 - 477; /* to 1969 */
    int64_t days = (past - 1969) * 365 + leap_days + date->day - 1, minutes;
    for (int month = 0; month < date->month; month++)
        days += days_in(date->year, month);
    minutes = (days * 24 + date->hour) * 60 + date->minute;
    return minutes < 0 ? 0 : minutes * 60 + date->second;
}

/* ---- RFC 3339 ---- */

#define TIME_LEN 19 /* of "2026-01-31T09:30:00" */

/* The offset from UTC in seconds, which may be 0 too where it has no such form:
 * false then. */
static bool read_offset(const char *text, size_t len, int *seconds) {
    bool is_behind = len > 0 && *text == '-';
    *seconds = 0;
    if (bf_has_form(text, len, "Z"))
        return true;
    if (!bf_has_form(text, len, is_behind ? "-00:00" : "+00:00"))
        return false;
    *seconds = bf_two_digits(text + 1) * 3600 + bf_two_digits(text + 4) * 60;
    if (is_behind)
        *seconds = -*seconds;
    return bf_two_digits(text + 1) < 24 && bf_two_digits(text + 4) < 60;
}

/* The length of a fraction and its point at `text`; 0: there is none. */
static size_t fraction_length(const char *text, size_t len) {
    size_t digits = 1;
    if (len == 0 || *text != '.')
        return 0;
    while (digits < len && bf_is_digit(text[digits]))
        digits++;
    return digits > 1 ? digits : 0;
}

int64_t bf_date_rfc3339(const char *text, size_t len) {
    struct bf_date date;
    size_t fraction;
    int64_t seconds;
    int offset;
    if (len < TIME_LEN || !bf_has_form(text, TIME_LEN, "0000-00-00T00:00:00"))
        return -1;
    fraction = fraction_length(text + TIME_LEN, len - TIME_LEN);
    date = (struct bf_date){
        .year = bf_two_digits(text) * 100 + bf_two_digits(text + 2),
        .month = bf_two_digits(text + 5) - 1,
        .day = bf_two_digits(text + 8),
        .hour = bf_two_digits(text + 11),
        .minute = bf_two_digits(text + 14),
        .second = bf_two_digits(text + 17),
    };
    if (!bf_date_is_real(&date) ||
        !read_offset(text + TIME_LEN + fraction, len - TIME_LEN - fraction,
                     &offset))
        return -1;
    seconds = bf_date_seconds(&date) - offset;
    return seconds < 0 ? 0 : seconds * 1000;
}
