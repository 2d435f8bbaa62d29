/* The bell that wakes a host's event loop: a connection over which nothing but
 * single bytes go. The host's end must be one that it opened itself, by the
 * path of a socket; that file lives in a folder of its own which nobody else
 * may enter, and is gone once the connection is there. Knows no Lua. */
#ifndef BF_CHANNEL_H
#define BF_CHANNEL_H

#include <stdbool.h>
#include <sys/un.h>

#pragma GCC visibility push(hidden)

struct bf_channel {
    int listener, fd; /* or -1 */
    double due;       /* when the other end has connected, or never will */
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* "": none */
};

void bf_channel_init(struct bf_channel *channel);

/* Makes the folder and listens in it. False where no folder can be written, or
 * no socket be had. */
bool bf_channel_listen(struct bf_channel *channel);

/* Has nobody connected in the time there was for that? */
bool bf_channel_is_overdue(const struct bf_channel *channel);

/* Takes the connection that was made to `path`, without waiting for one, and
 * removes socket and folder in any case. False where there is none. */
bool bf_channel_accept(struct bf_channel *channel);

/* Sends a byte, and never waits. False: there is no connection, or no more. */
bool bf_channel_ring(struct bf_channel *channel);

/* The other end sees the connection's end. Harmless when done twice. */
void bf_channel_close(struct bf_channel *channel);

#pragma GCC visibility pop

#endif
