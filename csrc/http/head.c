#include "http/head.h"

#include "base/date.h"

#include <string.h>
#include <time.h>

#define DAY 86400
#define LENGTH_DIGITS 15 /* far past any cap, far below an overflow */

void bf_head_init(struct bf_head *head) {
    *head = (struct bf_head){.length = -1, .retry_after = -1, .retry_date = -1};
}

static int64_t longer(int64_t left, int64_t right) {
    return left > right ? left : right;
}

/* A whole non-negative decimal number and nothing else, or -1. */
static int64_t plain_number(const char *text, size_t len) {
    int64_t number = 0;
    if (len == 0 || len > LENGTH_DIGITS)
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (!bf_is_digit(text[i]))
            return -1;
        number = number * 10 + (text[i] - '0');
    }
    return number;
}

/* ---- dates ---- */

/* A form of date behind the name of the weekday, see bf_has_form. Then where
 * its parts begin. */
struct form {
    const char *mask;
    int day, month, year, time;
    bool is_short; /* the year; the weekday is not */
};

/* Of the weekday at the beginning; 0: there is none. */
static size_t weekday_length(const char *text, size_t len, bool is_short) {
    static const char *const names[] = {"Monday",   "Tuesday", "Wednesday",
                                        "Thursday", "Friday",  "Saturday",
                                        "Sunday"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t name_len = is_short ? 3 : strlen(names[i]);
        if (len >= name_len && memcmp(text, names[i], name_len) == 0)
            return name_len;
    }
    return 0;
}

/* 0 to 11; 12: there is no such month. */
static int month_of(const char *text) {
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int month = 0;
    while (month < 12 && memcmp(text, names + (ptrdiff_t)month * 3, 3) != 0)
        month++;
    return month;
}

/* A year more than 50 years ahead is in the past (RFC 9110, 5.6.7). */
static int whole_year(int year) {
    int this_year = (int)(1970 + time(NULL) / 31556952); /* s of a mean year */
    int earliest = this_year - 49;
    return earliest + (year + 100 - earliest % 100) % 100;
}

/* `text` has the form. */
static struct bf_date date_of(const char *text, const struct form *form) {
    const char *year = text + form->year, *clock = text + form->time;
    return (struct bf_date){
        .year = form->is_short ? whole_year(bf_two_digits(year))
                               : (int)plain_number(year, 4),
        .month = month_of(text + form->month),
        .day = bf_two_digits(text + form->day),
        .hour = bf_two_digits(clock),
        .minute = bf_two_digits(clock + 3),
        .second = bf_two_digits(clock + 6),
    };
}

/* Unix time in s of a date in one of the three forms of RFC 9110, 5.6.7, in any
 * locale; 0 where that is before 1970, -1 where it is no such date. */
static int64_t read_date(const char *text, size_t len) {
    /* IMF-fixdate, the one still sent; RFC 850; asctime, GMT too */
    static const struct form forms[] = {
        {", 00 AAA 0000 00:00:00 GMT", 2, 5, 9,  14, false},
        {", 00-AAA-00 00:00:00 GMT",   2, 5, 9,  12, true },
        {" AAA _0 00:00:00 0000",      5, 1, 17, 8,  false},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        size_t weekday = weekday_length(text, len, !forms[i].is_short);
        if (weekday &&
            bf_has_form(text + weekday, len - weekday, forms[i].mask)) {
            struct bf_date date = date_of(text + weekday, &forms[i]);
            return bf_date_is_real(&date) ? bf_date_seconds(&date) : -1;
        }
    }
    return -1;
}

/* ---- lines ---- */

/* "HTTP/1.1 200" and then nothing or a space: the status, or 0. */
static int status_of(const char *line, size_t len) {
    if (len < 12 || memcmp(line, "HTTP/1.", 7) != 0 ||
        (line[7] != '0' && line[7] != '1') || line[8] != ' ' ||
        (len > 12 && line[12] != ' '))
        return 0;
    return (int)longer(plain_number(line + 9, 3), 0);
}

static unsigned framings(const struct bf_head *head) {
    return head->lengths + head->codings;
}

/* An interim reply has no body, so none may be announced (RFC 9110, 8.6 and RFC
 * 9112, 6.1). */
static void begin(struct bf_head *head, const char *line, size_t len) {
    size_t bytes = head->bytes;
    bool malformed = head->malformed || framings(head);
    bf_head_init(head);
    head->bytes = bytes;
    head->status = status_of(line, len);
    head->malformed = malformed || !head->status;
    head->is_1_0 = head->status && line[7] == '0';
    head->closes = head->is_1_0;
}

/* Inline, so that the lengths of words are known when it is compiled. */
static inline bool is_word(const char *text, size_t len, const char *word) {
    return strlen(word) == len && bf_equal_folded(text, word, len);
}

/* Seconds, in any number of digits, a day at the most; -1 for another text. */
static int64_t delay_of(const char *text, size_t len) {
    int64_t seconds = len > 0 ? 0 : -1;
    for (size_t i = 0; i < len; i++) {
        if (!bf_is_digit(text[i]))
            return -1;
        seconds = seconds * 10 + (text[i] - '0');
        seconds = seconds > DAY ? DAY : seconds;
    }
    return seconds;
}

static void note_retry_after(struct bf_head *head, const char *value,
                             size_t len) {
    head->retry_after = longer(head->retry_after, delay_of(value, len));
    head->retry_date = longer(head->retry_date, read_date(value, len));
}

static void keep_date(struct bf_head *head, const char *value, size_t len) {
    head->date_len = len <= BF_DATE_MAX ? len : 0;
    memcpy(head->date, value, head->date_len);
}

static void note_coding(struct bf_head *head, const char *value, size_t len) {
    bool fits = len < sizeof head->coding;
    if (head->encoded || is_word(value, len, "identity"))
        return;
    head->encoded = true;
    len = fits ? len : 3;
    memcpy(head->coding, fits ? value : "...", len);
    head->coding[len] = '\0';
}

static void note(struct bf_head *head, const char *line, size_t name,
                 const char *value, size_t len) {
    if (is_word(line, name, "Content-Length")) {
        head->lengths++;
        head->length = plain_number(value, len);
    } else if (is_word(line, name, "Transfer-Encoding")) {
        head->codings++;
        head->chunked = is_word(value, len, "chunked");
    } else if (is_word(line, name, "Connection")) {
        head->says_close =
            head->says_close || !is_word(value, len, "keep-alive");
        head->closes = head->says_close;
    } else if (is_word(line, name, "Content-Encoding")) {
        note_coding(head, value, len);
    } else if (is_word(line, name, "Retry-After")) {
        note_retry_after(head, value, len);
    } else if (is_word(line, name, "Date")) {
        keep_date(head, value, len);
    }
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

/* Of the token characters (RFC 9110, 5.6.2) at the beginning. */
static size_t name_length(const char *line, size_t len) {
    size_t i = 0;
    while (i < len && line[i] > ' ' && line[i] < 127 &&
           !strchr("\"(),/:;<=>?@[\\]{}", line[i]))
        i++;
    return i;
}

/* Behind `len` bytes is the line's end. */
static void field(struct bf_head *head, const char *line, size_t len) {
    size_t name = name_length(line, len);
    const char *value = line + name + 1;
    if (name == 0 || line[name] != ':') {
        head->malformed = true; /* or folded, or a blank before the colon */
        return;
    }
    len -= name + 1;
    for (; len > 0 && is_blank(*value); len--)
        value++;
    while (len > 0 && is_blank(value[len - 1]))
        len--;
    note(head, line, name, value, len);
}

/* No control character but a tab: not a bare CR, which some parsers take for
 * a line end, nor a NUL, which ends the line for others. */
static bool is_clean(const char *line, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (((unsigned char)line[i] < ' ' && line[i] != '\t') || line[i] == 127)
            return false;
    return true;
}

void bf_head_line(struct bf_head *head, const char *line, size_t len) {
    bool whole = len >= 2 && line[len - 2] == '\r' && line[len - 1] == '\n';
    bool starts = head->bytes == 0 || head->ended;
    head->bytes += len;
    len -= whole ? 2 : 0;
    if (starts)
        begin(head, line, len);
    if (!whole || !is_clean(line, len))
        head->malformed = true;
    else if (len == 0)
        head->ended = true;
    else if (!starts)
        field(head, line, len);
}

bool bf_head_final(const struct bf_head *head) {
    return head->ended && (head->status / 100 != 1 || head->status == 101);
}

/* ---- the whole head ---- */

long bf_head_retry_after(const struct bf_head *head) {
    int64_t seconds = head->retry_after, now = -1;
    if (head->retry_date >= 0)
        now = read_date(head->date, head->date_len);
    if (now >= 0)
        seconds = longer(seconds, longer(head->retry_date - now, 0));
    return (long)(seconds > DAY ? DAY : seconds);
}

static void set_coding_error(const char *coding, struct bf_error *error) {
    static const char *const compressions[] = {
        "gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress"};
    for (size_t i = 0; i < sizeof compressions / sizeof *compressions; i++)
        if (is_word(coding, strlen(coding), compressions[i]))
            bf_error_set(error, BF_PROTOCOL, "framing",
                         "the reply is compressed (%s), which was not asked "
                         "for",
                         coding);
    bf_error_set(error, BF_PROTOCOL, "framing",
                 "the reply has Content-Encoding \"%s\"; none was asked for",
                 coding);
}

/* In words that follow "the reply"; NULL: none. */
static const char *framing_problem(const struct bf_head *head) {
    if (head->malformed)
        return "has a malformed header line";
    if (framings(head) == 0)
        return "has no Content-Length and is not chunked";
    if (framings(head) > 1)
        return "has more than one framing";
    if (head->codings && head->is_1_0)
        return "is chunked, which HTTP/1.0 does not know";
    if (head->status == 204)
        return "announces a body, which its status forbids";
    if (head->lengths ? head->length < 0 : !head->chunked)
        return "has an invalid Content-Length or Transfer-Encoding";
    return NULL;
}

bool bf_head_check(const struct bf_head *head, struct bf_error *error) {
    const char *problem = framing_problem(head);
    if (head->bytes > BF_HEAD_MAX)
        bf_error_set(error, BF_PROTOCOL, "too_large",
                     "the reply's headers exceed %d bytes", BF_HEAD_MAX);
    else if (!head->malformed && !bf_head_final(head))
        bf_error_set(error, BF_NETWORK, "truncated",
                     "the reply ends within its headers");
    else if (!head->malformed && head->encoded)
        set_coding_error(head->coding, error);
    else if (problem)
        bf_error_set(error, BF_PROTOCOL, "framing", "the reply %s", problem);
    return error->kind == BF_OK;
}
