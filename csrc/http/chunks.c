#include "http/chunks.h"

#include "json/escape.h"

#include <string.h>

#define SIZE_DIGITS 7 /* up to 256 MiB, leading zeros included */
#define OVERHEAD_MAX 1048576
#define TRAILERS_MAX 65536

void bf_chunks_init(struct bf_chunks *chunks) {
    *chunks = (struct bf_chunks){.state = BF_CHUNK_SIZE};
}

static enum bf_chunk_state after_size(struct bf_chunks *chunks, char c) {
    int digit = bf_hex_digit(c);
    if (digit >= 0 && ++chunks->digits <= SIZE_DIGITS) {
        chunks->size = chunks->size * 16 + (size_t)digit;
        return BF_CHUNK_SIZE;
    }
    if (digit >= 0 || chunks->digits == 0)
        return BF_CHUNK_BAD;
    if (c == ';' || c == ' ' || c == '\t')
        return BF_CHUNK_EXTENSION;
    return c == '\r' ? BF_CHUNK_SIZE_LF : BF_CHUNK_BAD;
}

/* Within a line that says nothing to us: stays in it until its end. */
static enum bf_chunk_state in_line(char c, enum bf_chunk_state line,
                                   enum bf_chunk_state end) {
    if (c == '\r')
        return end;
    return (unsigned char)c >= ' ' || c == '\t' ? line : BF_CHUNK_BAD;
}

static enum bf_chunk_state after_size_line(struct bf_chunks *chunks, char c) {
    chunks->digits = 0;
    if (c != '\n')
        return BF_CHUNK_BAD;
    return chunks->size ? BF_CHUNK_DATA : BF_CHUNK_TRAILER;
}

static enum bf_chunk_state expect(char c, char expected,
                                  enum bf_chunk_state then) {
    return c == expected ? then : BF_CHUNK_BAD;
}

static bool is_flood(struct bf_chunks *chunks) {
    if (chunks->state >= BF_CHUNK_TRAILER)
        return ++chunks->trailers > TRAILERS_MAX;
    return ++chunks->overhead > OVERHEAD_MAX;
}

/* The state after one byte that is not of the body. */
static enum bf_chunk_state next(struct bf_chunks *chunks, char c) {
    if (is_flood(chunks))
        return BF_CHUNK_FLOOD;
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
