#include "json/escape.h"

int bf_hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

long bf_hex4(const char *at, const char *end) {
    long code = 0;
    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = bf_hex_digit(at[i]);
        if (digit < 0)
            return -1;
        code = code * 16 + digit;
    }
    return code;
}

bool bf_is_high(long code) {
    return code >= 0xD800 && code <= 0xDBFF;
}

bool bf_is_low(long code) {
    return code >= 0xDC00 && code <= 0xDFFF;
}

long bf_utf8_char(const char *at, const char *end, size_t *len) {
    static const long least[] = {0, 0x80, 0x800, 0x10000};
    const unsigned char *u = (const unsigned char *)at;
    const int more = *u < 0x80 ? 0 : *u < 0xE0 ? 1 : *u < 0xF0 ? 2 : 3;
    long code = more ? *u & (0x3F >> more) : *u;
    *len = 1;
    if ((*u >= 0x80 && *u < 0xC0) || *u >= 0xF8 || end - at <= more)
        return -1;
    for (int i = 1; i <= more; i++) {
        if (u[i] >> 6 != 2)
            return -1;
        code = code << 6 | (u[i] & 0x3F);
    }
    if (code < least[more] || bf_is_high(code) || bf_is_low(code) ||
        code > 0x10FFFF)
        return -1;
    *len = (size_t)more + 1;
    return code;
}

size_t bf_utf8_cut(const char *text, size_t len, size_t max) {
    if (len <= max)
        return len;
    while (max > 0 && ((unsigned char)text[max] & 0xC0) == 0x80)
        max--;
    return max;
}

static char *put_utf8(char *out, long code) {
    static const unsigned char first[] = {0, 0xC0, 0xE0, 0xF0};
    int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    *out++ = (char)(first[more] | code >> 6 * more);
    while (more-- > 0)
        *out++ = (char)(0x80 | (code >> 6 * more & 0x3F));
    return out;
}

/* Writes the character of the valid escape at `*at`, and moves `*at` behind it.
 */
static char *put_escape(char *out, const char **at, const char *end) {
    static const char letters[] = "bfnrt", values[] = "\b\f\n\r\t";
    const char *escape = *at;
    const char *letter = strchr(letters, escape[1]);
    *at += 2;
    if (escape[1] != 'u') {
        *out++ = letter ? values[letter - letters] : escape[1];
        return out;
    }
    long code = bf_hex4(*at, end);
    *at += 4;
    if (bf_is_high(code)) {
        code =
            0x10000 + ((code - 0xD800) << 10) + bf_hex4(*at + 2, end) - 0xDC00;
        *at += 6;
    }
    return put_utf8(out, code);
}

/* Decodes the escape at `*at`, or copies one byte, and moves `*at` behind it.
 * Returns how many bytes were written. */
static size_t next_bytes(const char **at, const char *end, char out[4]) {
    if (**at == '\\')
        return (size_t)(put_escape(out, at, end) - out);
    out[0] = *(*at)++;
    return 1;
}

size_t bf_string_decode(const struct bf_string *string, char *out) {
    const char *at = string->text, *end = at + string->len;
    size_t len = 0;
    while (at < end) {
        char bytes[4];
        size_t count = next_bytes(&at, end, bytes);
        memcpy(out + len, bytes, count);
        len += count;
    }
    return len;
}

bool bf_string_spells(const struct bf_string *string, const char *text,
                      size_t len) {
    const char *at = string->text, *end = at + string->len;
    while (at < end) {
        char bytes[4];
        size_t count = next_bytes(&at, end, bytes);
        if (len < count || memcmp(bytes, text, count) != 0)
            return false;
        text += count;
        len -= count;
    }
    return len == 0;
}

bool bf_string_has_nul(const struct bf_string *string) {
    const char *at = string->text, *end = at + string->len;
    for (; (at = memchr(at, '\\', (size_t)(end - at))); at += 2)
        if (at[1] == 'u' && bf_hex4(at + 2, end) == 0)
            return true;
    return false; /* the scanner refuses a NUL that is not escaped */
}

uint64_t bf_string_hash(const struct bf_string *string) {
    const char *at = string->text, *end = at + string->len;
    uint64_t hash = 0xCBF29CE484222325u;
    while (at < end) {
        char bytes[4];
        size_t count = next_bytes(&at, end, bytes);
        for (size_t i = 0; i < count; i++)
            hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001B3u;
    }
    return hash;
}
