#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

void bf_error_set(struct bf_error *error, enum bf_kind kind, const char *code,
                  const char *format, ...) {
    va_list args;
    if (error->kind != BF_OK)
        return;
    error->kind = kind;
    error->code = code;
    va_start(args, format);
    (void)vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
}

void bf_error_no_memory(struct bf_error *error) {
    bf_error_set(error, BF_MEMORY, "memory", "not enough memory");
}

void bf_error_timeout(struct bf_error *error, const char *stage,
                      double seconds) {
    bf_error_set(error, BF_TIMEOUT, stage,
                 "no answer in time: still waiting at stage \"%s\" after "
                 "%ld ms",
                 stage, (long)(seconds * 1000));
}

void bf_error_clear(struct bf_error *error) {
    error->kind = BF_OK;
    error->code = NULL;
    error->text[0] = '\0';
}

const char *bf_kind_name(enum bf_kind kind) {
    static const char *const names[] = {
        [BF_CONFIG] = "config",   [BF_NETWORK] = "network",
        [BF_TIMEOUT] = "timeout", [BF_TLS] = "tls",
        [BF_HTTP] = "http",       [BF_PROTOCOL] = "protocol",
        [BF_CLOSED] = "closed",   [BF_MEMORY] = "memory",
    };
    return names[kind];
}
