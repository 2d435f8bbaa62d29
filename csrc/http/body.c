#include "http/body.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define FIRST 4096 /* room for some 25 balances before growing */
#define KEPT 65536 /* a larger buffer is not kept for the next reply */

/* In what a server sends may be what it was sent: nothing of it stays. */
static void wipe(struct bf_transfer *t) {
    if (t->body)
        OPENSSL_cleanse(t->body, t->body_len);
}

static void drop(struct bf_transfer *t) {
    wipe(t);
    free(t->body);
    t->body = NULL;
    t->body_cap = 0;
}

static bool grow(struct bf_transfer *t, size_t need) {
    size_t cap = t->body_cap ? t->body_cap : FIRST;
    while (cap < need)
        cap *= 2;
    if (cap == t->body_cap)
        return true;
    char *body = malloc(cap);
    if (!body) {
        bf_error_no_memory(&t->error);
        return false;
    }
    if (t->body_len > 0)
        memcpy(body, t->body, t->body_len);
    drop(t);
    t->body = body;
    t->body_cap = cap;
    return true;
}

static bool too_large(struct bf_transfer *t) {
    if (t->head.status == 200)
        bf_error_set(&t->error, BF_PROTOCOL, "too_large",
                     "the reply's body exceeds max_body (%lu bytes)",
                     (unsigned long)t->client->max_body);
    return false;
}

/* False where the chunks make no sense. A reply that tells of an error already
 * is not made another one by that. */
static bool is_chunked_well(struct bf_transfer *t) {
    bool flood = t->chunks.state == BF_CHUNK_FLOOD;
    if (!flood && t->chunks.state != BF_CHUNK_BAD)
        return true;
    if (t->head.status == 200)
        bf_error_set(&t->error, BF_PROTOCOL, flood ? "too_large" : "framing",
                     "the reply's chunks %s",
                     flood ? "have too much around them" : "make no sense");
    return false;
}

static bool append(struct bf_transfer *t, const char *data, size_t len) {
    if (!grow(t, t->body_len + len + 1))
        return false;
    char *end = t->body + t->body_len;
    if (t->head.chunked)
        len = bf_chunks_decode(&t->chunks, data, len, end);
    else
        memcpy(end, data, len);
    end[len] = '\0';
    t->body_len += len;
    return !t->head.chunked || is_chunked_well(t);
}

bool bf_body_take(struct bf_transfer *t, const char *data, size_t len) {
    if (!t->head.chunked && len > t->client->max_body - t->body_len)
        return too_large(t);
    if (!append(t, data, len))
        return false;
    return t->body_len <= t->client->max_body || too_large(t);
}

bool bf_body_complete(const struct bf_transfer *t) {
    return t->head.lengths ? (uint64_t)t->head.length == t->body_len
                           : t->chunks.state == BF_CHUNK_END;
}

void bf_body_reset(struct bf_transfer *t) {
    if (t->body_cap > KEPT)
        drop(t);
    else
        wipe(t);
    t->body_len = 0;
}
