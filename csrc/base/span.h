/* A text that need not end with a NUL. A span does not own its memory. */
#ifndef BF_SPAN_H
#define BF_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct bf_span {
    const char *text;
    size_t len;
};

static inline struct bf_span bf_span_of(const char *text) {
    return (struct bf_span){text, strlen(text)};
}

/* A letter of ASCII in lower case; the locale has no influence, unlike on
 * strncasecmp, to which an I in Turkish is no i. */
static inline char bf_fold(char c) {
    return (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

/* Are the two equal but for the case of letters? Most are as they are. */
static inline bool bf_equal_folded(const char *left, const char *right,
                                   size_t len) {
    size_t i = memcmp(left, right, len) == 0 ? len : 0;
    while (i < len && bf_fold(left[i]) == bf_fold(right[i]))
        i++;
    return i == len;
}

#endif
