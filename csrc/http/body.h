/* The body of a reply: how it is framed, where it lies in the buffer that the
 * reply is received into, and whether it has come whole. */
#ifndef BF_BODY_H
#define BF_BODY_H

#include "http/buffer.h"
#include "http/chunks.h"
#include "http/head.h"

/* Bytes that the buffer must have behind the body: the NUL that the reader of
 * the reply needs. */
#define BF_BODY_SLACK 1

#pragma GCC visibility push(hidden)

enum bf_body_state {
    BF_BODY_PARTIAL,
    BF_BODY_WHOLE,
    BF_BODY_TRAILING /* whole, and bytes follow its end */
};

struct bf_body {
    size_t begin;  /* in the buffer: behind the head */
    size_t len;    /* of what has come of the body itself */
    size_t length; /* that the head announces, where it is not chunked */
    bool chunked;
    struct bf_chunks chunks;
};

/* The body begins at `begin` and is framed as the final head tells, which must
 * have passed bf_head_check or be of a status without a body. */
void bf_body_init(struct bf_body *body, const struct bf_head *head,
                  size_t begin);

/* Takes what has come into the buffer since the last call; the chunked coding
 * is removed in place. `error` is set to protocol (framing, too_large) where
 * the coding is invalid or the body exceeds `max` bytes. */
enum bf_body_state bf_body_take(struct bf_body *body, struct bf_buffer *buffer,
                                size_t max, struct bf_error *error);

/* How many bytes may be worth making room for; not less than one, which shows
 * that something follows the end. */
size_t bf_body_missing(const struct bf_body *body);

#pragma GCC visibility pop

#endif
