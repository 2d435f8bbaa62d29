#include "http/body.h"

#define CHUNKED_ROOM 16384 /* what one TLS record holds */
#define MOST_ROOM 262144   /* for bytes that are only announced */

/* RFC 9112, 6.3: these have no body, whatever their heads announce. */
static bool has_no_body(const struct bf_head *head) {
    return head->status == 204 || head->status == 304 ||
           head->status / 100 == 1;
}

void bf_body_init(struct bf_body *body, const struct bf_head *head,
                  size_t begin) {
    bool empty = has_no_body(head);
    body->begin = begin;
    body->len = 0;
    body->chunked = head->chunked && !empty;
    body->length = empty || head->length < 0 ? 0 : (size_t)head->length;
    bf_chunks_init(&body->chunks);
}

/* ---- Content-Length ---- */

static enum bf_body_state take_plain(struct bf_body *body,
                                     const struct bf_buffer *buffer) {
    size_t come = buffer->len - body->begin;
    body->len = come < body->length ? come : body->length;
    if (come < body->length)
        return BF_BODY_PARTIAL;
    return come == body->length ? BF_BODY_WHOLE : BF_BODY_TRAILING;
}

/* ---- chunked ---- */

static void set_chunk_error(const struct bf_chunks *chunks,
                            struct bf_error *error) {
    if (chunks->state == BF_CHUNK_BAD)
        bf_error_set(error, BF_PROTOCOL, "framing",
                     "the reply has an invalid chunked encoding");
    else if (chunks->state == BF_CHUNK_FLOOD)
        bf_error_set(error, BF_PROTOCOL, "too_large",
                     "the reply's chunked encoding has too many bytes that are "
                     "not of the body");
}

/* The decoded bytes are never more than the coded ones, so that they fit where
 * those were. */
static enum bf_body_state take_chunks(struct bf_body *body,
                                      struct bf_buffer *buffer, size_t max,
                                      struct bf_error *error) {
    char *end = buffer->data + body->begin + body->len;
    size_t coded = buffer->len - body->begin - body->len;
    body->len += bf_chunks_decode(&body->chunks, end, coded, end);
    buffer->len = body->begin + body->len;
    if (body->len > max)
        bf_error_set(error, BF_PROTOCOL, "too_large",
                     "the reply's body exceeds max_body (%lu bytes)",
                     (unsigned long)max);
    set_chunk_error(&body->chunks, error);
    if (body->chunks.state == BF_CHUNK_TRAILING)
        return BF_BODY_TRAILING;
    return body->chunks.state == BF_CHUNK_END ? BF_BODY_WHOLE : BF_BODY_PARTIAL;
}

enum bf_body_state bf_body_take(struct bf_body *body, struct bf_buffer *buffer,
                                size_t max, struct bf_error *error) {
    return body->chunked ? take_chunks(body, buffer, max, error)
                         : take_plain(body, buffer);
}

size_t bf_body_missing(const struct bf_body *body) {
    size_t missing = body->length - body->len + 1;
    if (body->chunked)
        return CHUNKED_ROOM;
    return missing < MOST_ROOM ? missing : MOST_ROOM;
}
