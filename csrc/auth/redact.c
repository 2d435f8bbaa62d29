#include "auth/redact.h"

#include "auth/credentials.h"
#include "json/escape.h"

#include <openssl/crypto.h>
#include <string.h>

/* ---- one credential in a text ---- */

/* The length of the escape at `at`, "%2B", "\/" or "\u002b", if it is one of
 * `c`, which is ASCII, in either case; otherwise 0. */
static size_t escapes(const char *at, const char *end, char c) {
    size_t len = 0;
    long code = -1;
    if (*at == '%' && end - at >= 3 && bf_hex_digit(at[2]) >= 0) {
        len = 3;
        code = bf_hex_digit(at[1]) * 16L + bf_hex_digit(at[2]);
    } else if (*at == '\\' && end - at >= 6 && at[1] == 'u') {
        len = 6;
        code = bf_hex4(at + 2, end);
    } else if (*at == '\\' && end - at >= 2) {
        len = 2;
        code = (unsigned char)at[1];
    }
    return code < 0x80 && bf_fold((char)code) == bf_fold(c) ? len : 0;
}

/* The end of the credential that begins at `at`, or NULL. With `cut` it may be
 * one that is cut by the text's end. A credential may hold a % or a \, with
 * which escapes begin: what can be read both ways is read as an escape with
 * `escaped`, and otherwise as itself. */
static const char *match(const char *at, const char *end,
                         struct bf_span credential, bool cut, bool escaped) {
    size_t i = 0;
    for (; i < credential.len && at < end; i++) {
        char c = credential.text[i];
        bool same = bf_fold(*at) == bf_fold(c);
        size_t step = same && !escaped ? 1 : escapes(at, end, c);
        if (step == 0 && !same)
            return NULL;
        at += step ? step : 1;
    }
    return i == credential.len || (cut && i >= BF_REDACT_SHORTEST) ? at : NULL;
}

/* ---- signatures ---- */

static size_t hex_run(const char *at, const char *end) {
    const char *from = at;
    while (at < end && bf_hex_digit(*at) >= 0)
        at++;
    return (size_t)(at - from);
}

/* The next run of hex digits from `*at` on that is long enough for a signature;
 * `*at` moves behind it. NULL: there is none. */
static const char *next_signature(const char **at, const char *end) {
    while (*at < end) {
        const char *from = *at;
        size_t run = hex_run(from, end);
        *at += run ? run : 1;
        if (run >= BF_SIGNATURE_LEN)
            return from;
    }
    return NULL;
}

/* ---- all of them ---- */

/* Credentials may overlap, so all are searched for before any is replaced. */
struct search {
    const char *text, *end;
    char *marks; /* set for each byte that must not be shown; or NULL */
    bool found;
    bool has_escapes;
    bool has[256]; /* the characters of the text, folded */
};

static void mark(struct search *search, const char *from, const char *to) {
    search->found = true;
    if (search->marks)
        memset(search->marks + (from - search->text), 1, (size_t)(to - from));
}

static void note_characters(struct search *search) {
    for (const char *at = search->text; at < search->end; at++)
        search->has[(unsigned char)bf_fold(*at)] = true;
    search->has_escapes = search->has['%'] || search->has['\\'];
}

/* Are all characters there that the shortest match has? With some thousand
 * accounts this is what a text costs. */
static bool may_match(const struct search *search, struct bf_span credential) {
    if (credential.len < BF_REDACT_SHORTEST)
        return false;
    for (size_t i = 0; i < BF_REDACT_SHORTEST && !search->has_escapes; i++)
        if (!search->has[(unsigned char)bf_fold(credential.text[i])])
            return false;
    return true;
}

static void find(void *with, struct bf_span credential) {
    struct search *search = with;
    const bool cut = search->marks != NULL;
    char first;
    if (!may_match(search, credential))
        return;
    first = bf_fold(*credential.text);
    for (const char *at = search->text; at < search->end; at++) {
        const char *to;
        if (bf_fold(*at) != first && *at != '%' && *at != '\\')
            continue;
        if ((to = match(at, search->end, credential, cut, false)))
            mark(search, at, to);
        if ((to = match(at, search->end, credential, cut, true)))
            mark(search, at, to);
    }
}

static bool search_all(struct search *search) {
    const char *at = search->text, *from;
    note_characters(search);
    bf_credentials_each(find, search);
    while ((from = next_signature(&at, search->end)))
        mark(search, from, at);
    return search->found;
}

bool bf_redact_finds(const char *text, size_t len) {
    struct search search = {.text = text, .end = text + len};
    return len >= BF_REDACT_SHORTEST && search_all(&search);
}

/* A run of marked bytes is at least BF_REDACT_SHORTEST long, so "***" has room.
 */
size_t bf_redact(char *text, size_t len, char *marks) {
    static const char stars[] = "***";
    struct search search = {.text = text, .end = text + len, .marks = marks};
    size_t out = 0;
    memset(marks, 0, len);
    if (len < BF_REDACT_SHORTEST || !search_all(&search))
        return len;
    for (size_t in = 0; in < len; in++) {
        if (!marks[in]) {
            text[out++] = text[in];
        } else if (in == 0 || !marks[in - 1]) {
            memcpy(text + out, stars, sizeof stars - 1);
            out += sizeof stars - 1;
        }
    }
    OPENSSL_cleanse(text + out, len - out);
    return out;
}
