/* What went wrong: a kind from a closed set, a fixed word, and a text. */
#ifndef BF_FAULT_H
#define BF_FAULT_H

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
    BF_API, /* the exchange refused: Lua's status table knows the kind */
    BF_CLOSED,
    BF_MEMORY
};

struct bf_fault {
    enum bf_kind kind;
    const char *code; /* a string literal, or NULL */
    char text[320];
};

#ifdef __GNUC__
#define BF_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define BF_PRINTF(fmt, args)
#endif

/* The first fault of an attempt is the one that caused the others, so a
 * fault that is already set stays. The text is cut to fit. */
void bf_fault_set(struct bf_fault *fault, enum bf_kind kind, const char *code,
                  const char *format, ...) BF_PRINTF(4, 5);

void bf_fault_clear(struct bf_fault *fault);

/* "network", "tls", ...; NULL for BF_OK and BF_API. */
const char *bf_kind_name(enum bf_kind kind);

#pragma GCC visibility pop

#endif
