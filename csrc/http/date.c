#include "http/date.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

struct date {
    int year, month, day, hour, minute, second; /* month: 0 to 11 */
};

struct text {
    const char *at, *end;
};

/* Takes the first of `names`, which are `step` bytes apart, that the text goes
 * on with. */
static bool take_name(struct text *text, const char *names, size_t step,
                      int count, int *which) {
    for (int i = 0; i < count; i++) {
        const char *name = names + (size_t)i * step;
        size_t len = strlen(name);
        if ((size_t)(text->end - text->at) >= len &&
            memcmp(text->at, name, len) == 0) {
            text->at += len;
            *which = i;
            return true;
        }
    }
    return false;
}

static bool take_number(struct text *text, int digits, int *number) {
    *number = 0;
    for (; digits > 0; digits--) {
        if (text->at == text->end || *text->at < '0' || *text->at > '9')
            return false;
        *number = *number * 10 + (*text->at++ - '0');
    }
    return true;
}

/* A day of the month may be padded with a blank in the form of asctime. */
static bool take_padded(struct text *text, int *day) {
    if (text->at == text->end || *text->at != ' ')
        return take_number(text, 2, day);
    text->at++;
    return take_number(text, 1, day);
}

/* More than 50 years ahead is taken for the past (RFC 9110, 5.6.7). */
static bool take_short_year(struct text *text, int this_year, int *year) {
    if (!take_number(text, 2, year))
        return false;
    *year += this_year - this_year % 100;
    if (*year > this_year + 50)
        *year -= 100;
    else if (*year + 50 <= this_year)
        *year += 100;
    return true;
}

/* Takes what one letter of a form stands for; any other byte is itself. */
static bool take(struct text *text, char letter, int this_year,
                 struct date *date) {
    static const char days[][10] = {"Monday",   "Tuesday", "Wednesday",
                                    "Thursday", "Friday",  "Saturday",
                                    "Sunday"};
    static const char short_days[][4] = {"Mon", "Tue", "Wed", "Thu",
                                         "Fri", "Sat", "Sun"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int unused;
    switch (letter) {
    case 'w':
        return take_name(text, short_days[0], sizeof *short_days, 7, &unused);
    case 'W':
        return take_name(text, days[0], sizeof *days, 7, &unused);
    case 'b':
        return take_name(text, months[0], sizeof *months, 12, &date->month);
    case 'd':
        return take_number(text, 2, &date->day);
    case 'e':
        return take_padded(text, &date->day);
    case 'Y':
        return take_number(text, 4, &date->year);
    case 'y':
        return take_short_year(text, this_year, &date->year);
    case 'H':
        return take_number(text, 2, &date->hour);
    case 'm':
        return take_number(text, 2, &date->minute);
    case 's':
        return take_number(text, 2, &date->second);
    default:
        return text->at < text->end && *text->at++ == letter;
    }
}

static bool has_form(struct text text, const char *form, int this_year,
                     struct date *date) {
    for (; *form; form++)
        if (!take(&text, *form, this_year, date))
            return false;
    return text.at == text.end;
}

static bool is_leap(int year) {
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static bool is_real(const struct date *date) {
    static const int lengths[] = {31, 28, 31, 30, 31, 30,
                                  31, 31, 30, 31, 30, 31};
    int days = lengths[date->month] + (date->month == 1 && is_leap(date->year));
    return date->day >= 1 && date->day <= days && date->hour < 24 &&
           date->minute < 60 && date->second <= 60;
}

/* Days since 1970, the formula of POSIX (Seconds Since the Epoch). */
static int64_t days_of(const struct date *date) {
    static const int before[] = {0,   31,  59,  90,  120, 151,
                                 181, 212, 243, 273, 304, 334};
    int64_t past = date->year - 1;
    int64_t leap_days = past / 4 - past / 100 + past / 400 - 477; /* to 1969 */
    return ((int64_t)date->year - 1970) * 365 + leap_days +
           before[date->month] + (date->month > 1 && is_leap(date->year)) +
           date->day - 1;
}

/* What lies before 1970 is long past, and no more than that. */
static int64_t seconds_of(const struct date *date) {
    int64_t minutes = (days_of(date) * 24 + date->hour) * 60 + date->minute;
    return minutes < 0 ? 0 : minutes * 60 + date->second;
}

int64_t bf_date_read(const char *text, size_t len, int this_year) {
    static const char *const forms[] = {
        "w, d b Y H:m:s GMT", /* IMF-fixdate, the one still sent */
        "W, d-b-y H:m:s GMT", /* RFC 850 */
        "w b e H:m:s Y",      /* asctime, which is GMT too */
    };
    const struct text whole = {text, text + len};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct date date = {0};
        if (has_form(whole, forms[i], this_year, &date))
            return is_real(&date) ? seconds_of(&date) : -1;
    }
    return -1;
}

int bf_date_this_year(void) {
    return (int)(1970 + time(NULL) / 31556952); /* s of a mean year */
}
