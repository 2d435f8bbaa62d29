/* What became of a transfer that is done: the part of it that needs no Lua, so
 * that it can be worked out on the engine's own thread. */
#ifndef BF_OUTCOME_H
#define BF_OUTCOME_H

#include "http/exchange.h"

#pragma GCC visibility push(hidden)

/* Reads the reply, where one came whole, into the transfer's `reply`, or sets
 * its error. Doing it again does no harm. */
void bf_outcome_read(struct bf_transfer *transfer, enum bf_expect expect,
                     enum bf_amounts amounts);

/* The client was closed meanwhile: what the server has said is nobody's. What
 * went wrong on the way there stays what it was. */
void bf_outcome_close(struct bf_transfer *transfer);

#pragma GCC visibility pop

#endif
