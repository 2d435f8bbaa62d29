/* The buffer that a reply is received into, and the body in it: how it is
 * framed, where it is, and whether it is complete. */
#ifndef BF_BODY_H
#define BF_BODY_H

#include "http/head.h"

#include <stddef.h>

#pragma GCC visibility push(hidden)

/* ---- the buffer ---- */

/* A buffer that grows, and that is wiped: what a server sends may hold what it
 * was sent. */
struct bf_buffer {
    char *data;
    size_t len, cap;
    size_t used; /* the longest that it was: so much is to be wiped */
};

/* Makes room for `more` bytes behind those there are. False: no memory. */
bool bf_buffer_reserve(struct bf_buffer *buffer, size_t more);

/* `len` bytes were written behind those there are. */
void bf_buffer_added(struct bf_buffer *buffer, size_t len);

/* Wipes and empties it; keeps the memory, unless that is much. */
void bf_buffer_reset(struct bf_buffer *buffer);

void bf_buffer_free(struct bf_buffer *buffer);

/* ---- the chunked transfer coding (RFC 9112, section 7.1) ---- */

enum bf_chunk_state {
    BF_CHUNK_SIZE,      /* a hex digit of the size */
    BF_CHUNK_EXTENSION, /* ";..." up to the line's end */
    BF_CHUNK_SIZE_LF,
    BF_CHUNK_DATA,
    BF_CHUNK_DATA_CR,
    BF_CHUNK_DATA_LF,
    BF_CHUNK_TRAILER, /* the first byte of a line behind the last chunk */
    BF_CHUNK_TRAILER_LINE,
    BF_CHUNK_TRAILER_LF,
    BF_CHUNK_LAST_LF,
    BF_CHUNK_END,
    BF_CHUNK_TRAILING, /* bytes follow the end */
    BF_CHUNK_INVALID,
    BF_CHUNK_TOO_LARGE /* too many bytes that are not of the body */
};

/* All zero: nothing was decoded yet. */
struct bf_chunks {
    enum bf_chunk_state state;
    size_t size; /* bytes of this chunk that are not decoded yet */
    unsigned digits;
    size_t overhead; /* bytes of sizes and extensions */
    size_t trailers; /* bytes behind the last chunk */
};

/* Decodes the next `len` bytes into `out`, which may be `data`. Returns the
 * number of bytes written, at most `len`. */
size_t bf_chunks_decode(struct bf_chunks *chunks, const char *data, size_t len,
                        char *out);

/* ---- the body ---- */

/* Bytes that the buffer must have behind the body: the NUL that the reader of
 * the reply needs. */
#define BF_BODY_SLACK 1

enum bf_body_state {
    BF_BODY_PARTIAL,
    BF_BODY_WHOLE,
    BF_BODY_TRAILING /* whole, and bytes follow its end */
};

struct bf_body {
    size_t begin;    /* in the buffer */
    size_t len;      /* of what was received */
    uint64_t length; /* that the head announces; of no use where chunked */
    bool chunked;
    struct bf_chunks chunks;
};

/* The body begins at `begin` and is framed as the final head says, which must
 * have passed bf_head_check or be of a status without a body. */
void bf_body_init(struct bf_body *body, const struct bf_head *head,
                  size_t begin);

/* Reads what was added to the buffer since the last call; the chunked coding is
 * removed in place. Sets `error` to protocol (framing, too_large) where the
 * coding is invalid or the body exceeds `max` bytes. */
enum bf_body_state bf_body_take(struct bf_body *body, struct bf_buffer *buffer,
                                size_t max, struct bf_error *error);

/* The number of bytes to make room for: at least one, so that a byte behind the
 * end is seen. */
size_t bf_body_missing(const struct bf_body *body);

#pragma GCC visibility pop

#endif
