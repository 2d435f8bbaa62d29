#include "http/body.h"

#include "json/escape.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#define BUFFER_FIRST 4096  /* room for a head and some 25 balances */
#define BUFFER_KEPT 65536  /* a larger one is not kept for the next reply */
#define CHUNKED_ROOM 16384 /* what one TLS record holds */
#define MOST_ROOM 262144   /* for bytes that are only announced */
#define SIZE_DIGITS 7      /* up to 256 MiB, leading zeros included */
#define OVERHEAD_MAX 1048576
#define TRAILERS_MAX 65536

/* ---- the buffer ---- */

bool bf_buffer_reserve(struct bf_buffer *buffer, size_t more) {
    size_t cap = buffer->cap ? buffer->cap : BUFFER_FIRST;
    size_t len = buffer->len;
    char *data;
    while (cap - len < more)
        cap *= 2;
    if (cap == buffer->cap)
        return true;
    data = malloc(cap);
    if (!data)
        return false;
    if (buffer->data)
        memcpy(data, buffer->data, len);
    bf_buffer_free(buffer);
    *buffer = (struct bf_buffer){data, len, cap, len};
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
    if (buffer->cap > BUFFER_KEPT)
        bf_buffer_free(buffer);
    else
        wipe(buffer);
}

void bf_buffer_free(struct bf_buffer *buffer) {
    wipe(buffer);
    free(buffer->data);
    *buffer = (struct bf_buffer){.data = NULL};
}

/* ---- the chunked coding ---- */

static enum bf_chunk_state after_size(struct bf_chunks *chunks, char c) {
    int digit = bf_hex_digit(c);
    if (digit >= 0 && ++chunks->digits <= SIZE_DIGITS) {
        chunks->size = chunks->size * 16 + (size_t)digit;
        return BF_CHUNK_SIZE;
    }
    if (chunks->digits == 0)
        return BF_CHUNK_INVALID;
    if (c == ';' || c == ' ' || c == '\t')
        return BF_CHUNK_EXTENSION;
    return c == '\r' ? BF_CHUNK_SIZE_LF : BF_CHUNK_INVALID;
}

/* Within a line whose contents have no meaning here. */
static enum bf_chunk_state in_line(char c, enum bf_chunk_state line,
                                   enum bf_chunk_state end) {
    if (c == '\r')
        return end;
    return (unsigned char)c >= ' ' || c == '\t' ? line : BF_CHUNK_INVALID;
}

static enum bf_chunk_state after_size_line(struct bf_chunks *chunks, char c) {
    chunks->digits = 0;
    if (c != '\n')
        return BF_CHUNK_INVALID;
    return chunks->size ? BF_CHUNK_DATA : BF_CHUNK_TRAILER;
}

static enum bf_chunk_state expect(char c, char expected,
                                  enum bf_chunk_state then) {
    return c == expected ? then : BF_CHUNK_INVALID;
}

static bool is_too_large(struct bf_chunks *chunks) {
    if (chunks->state >= BF_CHUNK_TRAILER)
        return ++chunks->trailers > TRAILERS_MAX;
    return ++chunks->overhead > OVERHEAD_MAX;
}

/* The state after one byte that is not of the body. */
static enum bf_chunk_state next(struct bf_chunks *chunks, char c) {
    if (is_too_large(chunks))
        return BF_CHUNK_TOO_LARGE;
    switch (chunks->state) {
    case BF_CHUNK_SIZE:
        return after_size(chunks, c);
    case BF_CHUNK_EXTENSION:
        return in_line(c, BF_CHUNK_EXTENSION, BF_CHUNK_SIZE_LF);
    case BF_CHUNK_SIZE_LF:
        return after_size_line(chunks, c);
    case BF_CHUNK_DATA_CR:
        return expect(c, '\r', BF_CHUNK_DATA_LF);
    case BF_CHUNK_DATA_LF:
        return expect(c, '\n', BF_CHUNK_SIZE);
    case BF_CHUNK_TRAILER:
        return in_line(c, BF_CHUNK_TRAILER_LINE, BF_CHUNK_LAST_LF);
    case BF_CHUNK_TRAILER_LINE:
        return in_line(c, BF_CHUNK_TRAILER_LINE, BF_CHUNK_TRAILER_LF);
    case BF_CHUNK_TRAILER_LF:
        return expect(c, '\n', BF_CHUNK_TRAILER);
    case BF_CHUNK_LAST_LF:
        return expect(c, '\n', BF_CHUNK_END);
    default: /* BF_CHUNK_END: nothing may follow */
        return BF_CHUNK_TRAILING;
    }
}

size_t bf_chunks_decode(struct bf_chunks *chunks, const char *data, size_t len,
                        char *out) {
    size_t written = 0;
    while (len > 0 && chunks->state <= BF_CHUNK_END) {
        if (chunks->state != BF_CHUNK_DATA) {
            chunks->state = next(chunks, *data++);
            len--;
            continue;
        }
        size_t take = len < chunks->size ? len : chunks->size;
        memmove(out + written, data, take);
        written += take;
        data += take;
        len -= take;
        chunks->size -= take;
        if (chunks->size == 0)
            chunks->state = BF_CHUNK_DATA_CR;
    }
    return written;
}

/* ---- the body ---- */

/* RFC 9112, 6.3: these have no body, whatever their heads announce. */
static bool has_no_body(const struct bf_head *head) {
    return head->status == 204 || head->status == 304 ||
           head->status / 100 == 1;
}

void bf_body_init(struct bf_body *body, const struct bf_head *head,
                  size_t begin) {
    bool empty = has_no_body(head);
    *body = (struct bf_body){
        .begin = begin,
        .length = empty ? 0 : (uint64_t)head->length,
        .chunked = head->chunked && !empty,
    };
}

static enum bf_body_state take_plain(struct bf_body *body,
                                     const struct bf_buffer *buffer) {
    size_t received = buffer->len - body->begin;
    if (received < body->length) {
        body->len = received;
        return BF_BODY_PARTIAL;
    }
    body->len = (size_t)body->length;
    return received == body->len ? BF_BODY_WHOLE : BF_BODY_TRAILING;
}

/* The decoded bytes are never more than the coded ones, so they fit where those
 * were. */
static enum bf_body_state take_chunks(struct bf_body *body,
                                      struct bf_buffer *buffer) {
    char *end = buffer->data + body->begin + body->len;
    size_t coded = buffer->len - body->begin - body->len;
    body->len += bf_chunks_decode(&body->chunks, end, coded, end);
    buffer->len = body->begin + body->len;
    if (body->chunks.state == BF_CHUNK_TRAILING)
        return BF_BODY_TRAILING;
    return body->chunks.state == BF_CHUNK_END ? BF_BODY_WHOLE : BF_BODY_PARTIAL;
}

static void check(const struct bf_body *body, size_t max,
                  struct bf_error *error) {
    if ((body->chunked ? body->len : body->length) > max)
        bf_error_set(error, BF_PROTOCOL, "too_large",
                     "the reply's body exceeds max_body (%lu bytes)",
                     (unsigned long)max);
    else if (body->chunks.state == BF_CHUNK_INVALID)
        bf_error_set(error, BF_PROTOCOL, "framing",
                     "the reply has an invalid chunked encoding");
    else if (body->chunks.state == BF_CHUNK_TOO_LARGE)
        bf_error_set(error, BF_PROTOCOL, "too_large",
                     "the reply's chunked encoding has too many bytes that are "
                     "not of the body");
}

enum bf_body_state bf_body_take(struct bf_body *body, struct bf_buffer *buffer,
                                size_t max, struct bf_error *error) {
    enum bf_body_state state =
        body->chunked ? take_chunks(body, buffer) : take_plain(body, buffer);
    check(body, max, error);
    return state;
}

size_t bf_body_missing(const struct bf_body *body) {
    uint64_t missing = body->length - body->len + 1;
    if (body->chunked)
        return CHUNKED_ROOM;
    return missing < MOST_ROOM ? (size_t)missing : MOST_ROOM;
}
