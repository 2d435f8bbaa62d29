/* A buffer that grows, and that leaves nothing of its bytes behind: what a
 * server sends may hold what it was sent. */
#ifndef BF_BUFFER_H
#define BF_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(hidden)

struct bf_buffer {
    char *data;
    size_t len, cap;
    size_t used; /* the longest that it was: so much is to be wiped */
};

/* Makes room for `more` bytes behind those there are. False: no memory. */
bool bf_buffer_reserve(struct bf_buffer *buffer, size_t more);

/* So many bytes were written behind those there are. */
void bf_buffer_added(struct bf_buffer *buffer, size_t len);

/* Wipes and empties it; keeps the memory, unless that is much. */
void bf_buffer_reset(struct bf_buffer *buffer);

void bf_buffer_free(struct bf_buffer *buffer);

#pragma GCC visibility pop

#endif
