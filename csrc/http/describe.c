#include "http/describe.h"

#include "json/escape.h"
#include "auth/redact.h"

#include <string.h>
#include <strings.h>

#define LOOKED_AT 512 /* bytes of the body */
#define SHOWN 40      /* of those, in the message */

static bool begins(const char *text, size_t len, const char *with,
                   size_t with_len) {
    return len >= with_len && memcmp(text, with, with_len) == 0;
}

/* By its first bytes; NULL where they tell nothing. */
static const char *format_of(const char *text, size_t len) {
#define ROW(bytes, is) \
    { bytes, sizeof(bytes) - 1, is }
    static const struct {
        const char *bytes;
        size_t len;
        const char *is;
    } rows[] = {
        ROW("\xEF\xBB\xBF", "begins with a byte order mark (UTF-8)"),
        ROW("\xFE\xFF", "is UTF-16 text"),
        ROW("\xFF\xFE", "is UTF-16 text"),
        ROW("\x1F\x8B", "is compressed (gzip)"),
        ROW("\x28\xB5\x2F\xFD", "is compressed (zstd)"),
        ROW("\x78\x01", "is compressed (deflate)"),
        ROW("\x78\x5E", "is compressed (deflate)"),
        ROW("\x78\x9C", "is compressed (deflate)"),
        ROW("\x78\xDA", "is compressed (deflate)"),
        ROW("<?xml", "is an XML document"),
        ROW("<", "is HTML or XML"),
    };
#undef ROW
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (begins(text, len, rows[i].bytes, rows[i].len))
            return rows[i].is;
    return NULL;
}

static bool is_html(const char *text, size_t len) {
    static const char tag[] = "<html", doctype[] = "<!doctype html";
    if (len == 0 || *text != '<')
        return false;
    if (len >= sizeof doctype - 1 &&
        strncasecmp(text, doctype, sizeof doctype - 1) == 0)
        return true;
    for (; len >= sizeof tag - 1; text++, len--)
        if (strncasecmp(text, tag, sizeof tag - 1) == 0)
            return true;
    return false;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static bool is_binary(const char *text, size_t len) {
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < ' ' && !is_blank(text[i]))
            return true;
    return false;
}

/* The beginning of the body's first line, struck out before it is cut. */
static void quote(const char *body, size_t len, struct bf_error *error) {
    char text[LOOKED_AT], marks[LOOKED_AT];
    size_t line = 0, shown;
    memcpy(text, body, len);
    len = bf_redact(text, len, marks);
    while (line < len && text[line] != '\n' && text[line] != '\r')
        line++;
    shown = bf_utf8_cut(text, line, SHOWN);
    bf_error_set(error, BF_PROTOCOL, "json",
                 "the reply is not JSON: it begins with \"%.*s%s\"", (int)shown,
                 text, shown < line ? "..." : "");
}

static const char *what_is(const char *text, size_t len) {
    if (len == 0)
        return "is empty";
    if (len > 1 && (text[0] == '\0') != (text[1] == '\0'))
        return "is UTF-16 text"; /* no valid JSON has a NUL there */
    if (is_html(text, len))
        return "is an HTML page";
    return format_of(text, len);
}

bool bf_describe_body(const char *text, size_t len, struct bf_error *error) {
    const char *what;
    for (; len > 0 && is_blank(*text); len--)
        text++;
    len = len < LOOKED_AT ? len : LOOKED_AT;
    what = what_is(text, len);
    if (!what && (*text == '{' || *text == '[' || *text == '"'))
        return false;
    if (!what && is_binary(text, len))
        what = "is binary data";
    if (what)
        bf_error_set(error, BF_PROTOCOL, "json", "the reply %s, not JSON",
                     what);
    else
        quote(text, len, error);
    return true;
}
