/* A notifier wakes a host's event loop: a connection on which single bytes are
 * sent. The host connects to the path of a socket. That file is in a folder of
 * its own which only this user may enter; both are removed once the connection
 * is made. */
#ifndef BF_NOTIFIER_H
#define BF_NOTIFIER_H

#include <stdbool.h>
#include <sys/un.h>

#pragma GCC visibility push(hidden)

#define BF_NOTIFIER_PATH sizeof(((struct sockaddr_un *)0)->sun_path)

/* To be set to zeros, but for the descriptors. */
struct bf_notifier {
    int listener, fd;            /* or -1 */
    double expires_at;           /* until then the host is to connect */
    char path[BF_NOTIFIER_PATH]; /* of the socket; "": there is none */
};

/* Closes what is open, then makes the folder and listens in it. False where no
 * folder can be written, or no socket can be had. */
bool bf_notifier_listen(struct bf_notifier *notifier);

/* Has the host not connected in time? */
bool bf_notifier_is_expired(const struct bf_notifier *notifier);

/* Accepts the connection to `path`, without waiting for one. Removes socket
 * and folder in any case. False where there is no connection. */
bool bf_notifier_accept(struct bf_notifier *notifier);

/* Sends a byte, and never waits. False: there is no connection, or it has
 * ended. */
bool bf_notifier_notify(struct bf_notifier *notifier);

/* Ends the connection, also where a forked child has it open, and removes
 * socket and folder. Calling it twice does no harm. */
void bf_notifier_close(struct bf_notifier *notifier);

#pragma GCC visibility pop

#endif
