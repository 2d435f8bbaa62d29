#include "fault.h"

#include <stdarg.h>
#include <stdio.h>

void bf_fault_set(struct bf_fault *fault, enum bf_kind kind, const char *code,
                  const char *format, ...) {
    va_list args;
    if (fault->kind != BF_OK)
        return;
    fault->kind = kind;
    fault->code = code;
    va_start(args, format);
    (void)vsnprintf(fault->text, sizeof fault->text, format, args);
    va_end(args);
}

void bf_fault_clear(struct bf_fault *fault) {
    fault->kind = BF_OK;
    fault->code = NULL;
    fault->text[0] = '\0';
}

const char *bf_kind_name(enum bf_kind kind) {
    static const char *const names[] = {
        [BF_CONFIG] = "config",   [BF_NETWORK] = "network",
        [BF_TIMEOUT] = "timeout", [BF_TLS] = "tls",
        [BF_HTTP] = "http",       [BF_PROTOCOL] = "protocol",
        [BF_CLOSED] = "closed",   [BF_MEMORY] = "memory",
    };
    if (kind < BF_OK || (size_t)kind >= sizeof names / sizeof *names)
        return NULL;
    return names[kind];
}
