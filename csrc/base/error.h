/* An error: a kind from a closed set, a fixed word, and a text. */
#ifndef BF_ERROR_H
#define BF_ERROR_H

#include <stddef.h>

#pragma GCC visibility push(hidden)

enum bf_kind {
    BF_OK = 0,
    BF_CONFIG,
    BF_NETWORK,
    BF_TIMEOUT,
    BF_TLS,
    BF_HTTP,
    BF_PROTOCOL,
    BF_API, /* the exchange refused; Lua's status table gives the kind */
    BF_CLOSED,
    BF_MEMORY
};

struct bf_error {
    enum bf_kind kind;
    const char *code; /* a string literal, or NULL */
    char text[320];
};

#ifdef __GNUC__
#define BF_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define BF_PRINTF(fmt, args)
#endif

/* Does nothing where an error is already set: the first error of an attempt
 * causes the others. The text is cut to fit. */
void bf_error_set(struct bf_error *error, enum bf_kind kind, const char *code,
                  const char *format, ...) BF_PRINTF(4, 5);

/* Sets kind memory, code memory. */
void bf_error_no_memory(struct bf_error *error);

/* Sets kind timeout, with the stage as its code. */
void bf_error_timeout(struct bf_error *error, const char *stage,
                      double seconds);

void bf_error_clear(struct bf_error *error);

/* "network", "tls", ...; NULL for BF_OK and BF_API. */
const char *bf_kind_name(enum bf_kind kind);

#pragma GCC visibility pop

#endif
