/* The body of a reply, as it comes in: put together, its chunks' coding taken
 * off, under the client's cap. Knows no Lua. */
#ifndef BF_BODY_H
#define BF_BODY_H

#include "http/exchange.h"

#pragma GCC visibility push(hidden)

/* Takes the next bytes. False with the transfer's error set where they are too
 * many, or no chunks, or there is no memory; a reply that tells of an error
 * already is not made another one by that. */
bool bf_body_take(struct bf_transfer *transfer, const char *data, size_t len);

/* Is its announced end there? */
bool bf_body_complete(const struct bf_transfer *transfer);

/* Wipes it; keeps the buffer for the next one, unless that is large. */
void bf_body_reset(struct bf_transfer *transfer);

#pragma GCC visibility pop

#endif
