/* Writing to a connection that the server has closed raises SIGPIPE, which ends
 * a process that has no handler for it; so does closing a TLS connection. */
#ifndef BF_SIGPIPE_H
#define BF_SIGPIPE_H

#include <signal.h>
#include <stdbool.h>

#pragma GCC visibility push(hidden)

struct bf_sigpipe {
    sigset_t pipe, before;
    bool was_pending;
    bool blocked; /* by bf_sigpipe_block */
};

/* Blocks it in this thread only; the program's own handler is neither called
 * nor changed. */
void bf_sigpipe_block(struct bf_sigpipe *guard);

/* Removes what was raised meanwhile, and unblocks it where it was not blocked
 * before. */
void bf_sigpipe_restore(const struct bf_sigpipe *guard);

#pragma GCC visibility pop

#endif
