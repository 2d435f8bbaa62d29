#include "http/buffer.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define FIRST 4096 /* room for a head and some 25 balances */
#define KEPT 65536 /* a larger buffer is not kept for the next reply */

bool bf_buffer_reserve(struct bf_buffer *buffer, size_t more) {
    size_t cap = buffer->cap ? buffer->cap : FIRST;
    struct bf_buffer larger = {NULL, buffer->len, 0, buffer->len};
    while (cap - buffer->len < more)
        cap *= 2;
    if (cap == buffer->cap)
        return true;
    larger.data = malloc(cap);
    if (!larger.data)
        return false;
    larger.cap = cap;
    if (buffer->len > 0)
        memcpy(larger.data, buffer->data, buffer->len);
    bf_buffer_free(buffer);
    *buffer = larger;
    return true;
}

void bf_buffer_added(struct bf_buffer *buffer, size_t len) {
    buffer->len += len;
    if (buffer->len > buffer->used)
        buffer->used = buffer->len;
}

static void wipe(struct bf_buffer *buffer) {
    if (buffer->data)
        OPENSSL_cleanse(buffer->data, buffer->used);
    buffer->len = buffer->used = 0;
}

void bf_buffer_reset(struct bf_buffer *buffer) {
    if (buffer->cap > KEPT) {
        bf_buffer_free(buffer);
        return;
    }
    wipe(buffer);
}

void bf_buffer_free(struct bf_buffer *buffer) {
    wipe(buffer);
    free(buffer->data);
    buffer->data = NULL;
    buffer->cap = 0;
}
