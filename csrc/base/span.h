/* A text that need not end with a NUL. A span does not own its memory. */
#ifndef BF_SPAN_H
#define BF_SPAN_H

#include <stddef.h>
#include <string.h>

struct bf_span {
    const char *text;
    size_t len;
};

static inline struct bf_span bf_span_of(const char *text) {
    return (struct bf_span){text, strlen(text)};
}

#endif
