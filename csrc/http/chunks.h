/* The chunked transfer coding (RFC 9112, section 7.1), read to the last byte.
 */
#ifndef BF_CHUNKS_H
#define BF_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(hidden)

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
    BF_CHUNK_BAD,      /* no such coding */
    BF_CHUNK_FLOOD     /* too much that is not of the body */
};

struct bf_chunks {
    enum bf_chunk_state state;
    size_t size; /* of this chunk; what is left of it */
    unsigned digits;
    size_t overhead; /* bytes of sizes and extensions */
    size_t trailers; /* bytes behind the last chunk */
};

void bf_chunks_init(struct bf_chunks *chunks);

/* Takes the next bytes of the coded body and writes what they hold of the body
 * itself; returns how much that is, at most `len`. `out` may be `data`. See
 * `state` for how far it came. */
size_t bf_chunks_decode(struct bf_chunks *chunks, const char *data, size_t len,
                        char *out);

#pragma GCC visibility pop

#endif
