#include "http/head.h"

#include <string.h>
#include <strings.h>

#define DAY 86400
#define LENGTH_DIGITS 15 /* far past any cap, far below an overflow */

void bf_head_init(struct bf_head *head) {
    *head = (struct bf_head){.length = -1, .retry_after = -1, .retry_date = -1};
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* A whole non-negative decimal number and nothing else, or -1. */
static int64_t plain_number(const char *text, size_t len) {
    int64_t number = 0;
    if (len == 0 || len > LENGTH_DIGITS)
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (!is_digit(text[i]))
            return -1;
        number = number * 10 + (text[i] - '0');
    }
    return number;
}

/* "HTTP/1.1 200" and then nothing or a space: the status, or 0. */
static int status_of(const char *line, size_t len) {
    if (len < 12 || memcmp(line, "HTTP/1.", 7) != 0 ||
        (line[7] != '0' && line[7] != '1') || line[8] != ' ' ||
        (len > 12 && line[12] != ' '))
        return 0;
    int64_t status = plain_number(line + 9, 3);
    return status < 0 ? 0 : (int)status;
}

static unsigned framings(const struct bf_head *head) {
    return head->lengths + head->codings;
}

/* An interim reply has no body, so none may be announced (RFC 9110, 8.6 and RFC
 * 9112, 6.1). */
static void begin(struct bf_head *head, const char *line, size_t len) {
    size_t bytes = head->bytes;
    bool malformed = head->malformed || framings(head) > 0;
    bf_head_init(head);
    head->bytes = bytes;
    head->status = status_of(line, len);
    head->malformed = malformed || head->status == 0;
    head->is_1_0 = head->status > 0 && line[7] == '0';
    head->closes = head->is_1_0;
}

static bool is_word(const char *text, size_t len, const char *word) {
    return strlen(word) == len && strncasecmp(text, word, len) == 0;
}

static int64_t longer(int64_t left, int64_t right) {
    return left > right ? left : right;
}

/* Seconds, in any number of digits; more than a day are a day. -1 for others.
 */
static int64_t delay_of(const char *text, size_t len) {
    int64_t seconds = len > 0 ? 0 : -1;
    for (size_t i = 0; i < len; i++) {
        if (!is_digit(text[i]))
            return -1;
        seconds = seconds * 10 + (text[i] - '0');
        seconds = seconds > DAY ? DAY : seconds;
    }
    return seconds;
}

static void note_retry_after(struct bf_head *head, const char *value,
                             size_t len) {
    head->retry_after = longer(head->retry_after, delay_of(value, len));
    head->retry_date =
        longer(head->retry_date, bf_date_read(value, len, bf_date_this_year()));
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

/* RFC 9110's token characters; a name has nothing else, no blank before the
 * colon either. */
static size_t name_length(const char *line, size_t len) {
    size_t i = 0;
    while (i < len && line[i] > ' ' && line[i] < 127 &&
           !strchr("\"(),/:;<=>?@[\\]{}", line[i]))
        i++;
    return i;
}

static void field(struct bf_head *head, const char *line, size_t len) {
    size_t name = name_length(line, len);
    const char *value = line + name + 1;
    if (name == 0 || name == len || line[name] != ':') {
        head->malformed = true; /* a folded line, too */
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

long bf_head_retry_after(const struct bf_head *head) {
    int64_t seconds = head->retry_after, now = -1;
    if (head->retry_date >= 0)
        now = bf_date_read(head->date, head->date_len, bf_date_this_year());
    if (now >= 0)
        seconds = longer(seconds, longer(head->retry_date - now, 0));
    return (long)(seconds > DAY ? DAY : seconds);
}

static void blame_coding(const char *coding, struct bf_error *error) {
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

bool bf_head_check(const struct bf_head *head, size_t max_body,
                   struct bf_error *error) {
    if (head->bytes > BF_HEAD_MAX)
        bf_error_set(error, BF_PROTOCOL, "too_large",
                     "the reply's headers exceed %d bytes", BF_HEAD_MAX);
    else if (head->malformed)
        bf_error_set(error, BF_PROTOCOL, "framing",
                     "the reply has a malformed header line");
    else if (!bf_head_final(head))
        bf_error_set(error, BF_NETWORK, "truncated",
                     "the reply ends within its headers");
    else if (head->encoded)
        blame_coding(head->coding, error);
    else if (framings(head) != 1)
        bf_error_set(error, BF_PROTOCOL, "framing", "the reply has %s",
                     framings(head) == 0
                         ? "no Content-Length and is not chunked"
                         : "more than one framing");
    else if (head->codings && head->is_1_0)
        bf_error_set(error, BF_PROTOCOL, "framing",
                     "the reply is chunked, which HTTP/1.0 does not know");
    else if (head->status == 204)
        bf_error_set(error, BF_PROTOCOL, "framing",
                     "the reply announces a body, which its status forbids");
    else if (head->lengths ? head->length < 0 : !head->chunked)
        bf_error_set(error, BF_PROTOCOL, "framing",
                     "the reply's length cannot be told for certain");
    else if (head->length > 0 && (uint64_t)head->length > max_body)
        bf_error_set(error, BF_PROTOCOL, "too_large",
                     "the reply's body exceeds max_body (%lu bytes)",
                     (unsigned long)max_body);
    return error->kind == BF_OK;
}
