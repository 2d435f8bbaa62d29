/* The bell that wakes a host's event loop: a connection over which nothing but
 * single bytes go. The host's end must be one that it opened itself, by the
 * path of a socket; that file lives in a folder of its own which nobody else
 * may enter, and is gone once the connection is there. Knows no Lua. */
#ifndef BF_CHANNEL_H
#define BF_CHANNEL_H

#include <stdbool.h>

#pragma GCC visibility push(hidden)

struct bf_channel {
    int listener, fd; /* or -1 */
    char path[108];   /* of the socket, within the folder; "": none */
};

void bf_channel_init(struct bf_channel *channel);

/* Makes the folder and listens in it. False where no folder can be written. */
bool bf_channel_listen(struct bf_channel *channel);

/* Takes the connection that was made to `path`, without waiting for one, and
 * removes socket and folder in any case. False where there is none. */
bool bf_channel_accept(struct bf_channel *channel);

/* Sends a byte; where there is no connection, nothing. Never waits. */
void bf_channel_ring(struct bf_channel *channel);

/* The other end sees the connection's end. Harmless when done twice. */
void bf_channel_close(struct bf_channel *channel);

#pragma GCC visibility pop

#endif
