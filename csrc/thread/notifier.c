#include "thread/notifier.h"

#include "base/clock.h"
#include "http/sockets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "/bitfront.XXXXXX"
#define SOCKET "/s"
#define TIME_TO_CONNECT 2.0 /* s */

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* the thread that notifies has signals blocked */
#endif

static void close_fd(int *fd) {
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

/* close alone would not end a connection that a forked child has open too. */
static void disconnect(int *fd) {
    if (*fd >= 0)
        (void)shutdown(*fd, SHUT_RDWR);
    close_fd(fd);
}

/* ---- the socket's file ---- */

/* Makes a folder in `parent`, for its owner alone, and stores its path. False
 * where `parent` is not absolute or too long, or where the system refuses. */
static bool make_folder(struct bf_notifier *notifier, const char *parent) {
    const size_t room = sizeof notifier->path - sizeof SOCKET;
    if (!parent || *parent != '/' || strlen(parent) + sizeof FOLDER > room)
        return false;
    (void)snprintf(notifier->path, room, "%s" FOLDER, parent);
    if (mkdtemp(notifier->path))
        return true;
    notifier->path[0] = '\0';
    return false;
}

static void remove_file(struct bf_notifier *notifier) {
    char *end = strrchr(notifier->path, '/');
    if (!end)
        return;
    (void)unlink(notifier->path);
    *end = '\0';
    (void)rmdir(notifier->path);
    notifier->path[0] = '\0';
}

/* Listens in the folder that make_folder made; removes it where that fails. */
static bool listen_in_folder(struct bf_notifier *notifier) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = bf_socket_open(AF_UNIX, SOCK_STREAM, 0);
    memcpy(notifier->path + strlen(notifier->path), SOCKET, sizeof SOCKET);
    memcpy(name.sun_path, notifier->path, sizeof name.sun_path);
    notifier->listener = fd;
    notifier->expires_at = bf_now() + TIME_TO_CONNECT;
    if (fd >= 0 && bind(fd, (void *)&name, sizeof name) == 0 &&
        listen(fd, 1) == 0)
        return true;
    close_fd(&notifier->listener);
    remove_file(notifier);
    return false;
}

bool bf_notifier_listen(struct bf_notifier *notifier) {
    const char *const parents[] = {getenv("TMPDIR"), "/dev/shm", "/tmp",
                                   "/var/tmp", "/run"};
    bf_notifier_close(notifier);
    for (size_t i = 0; i < sizeof parents / sizeof *parents; i++)
        if (make_folder(notifier, parents[i]) && listen_in_folder(notifier))
            return true;
    return false;
}

/* ---- the connection ---- */

bool bf_notifier_accept(struct bf_notifier *notifier) {
    if (notifier->listener >= 0)
        notifier->fd =
            bf_socket_prepare(accept(notifier->listener, NULL, NULL));
    close_fd(&notifier->listener);
    remove_file(notifier);
    return notifier->fd >= 0;
}

bool bf_notifier_is_expired(const struct bf_notifier *notifier) {
    return notifier->fd < 0 && bf_now() >= notifier->expires_at;
}

/* Where the socket's buffer is full, the host has bytes to wake it. After any
 * other failure the host has closed its end, or is to see that it ends. */
bool bf_notifier_notify(struct bf_notifier *notifier) {
    if (notifier->fd >= 0 && send(notifier->fd, "", 1, MSG_NOSIGNAL) != 1 &&
        errno != EAGAIN && errno != EWOULDBLOCK)
        disconnect(&notifier->fd);
    return notifier->fd >= 0;
}

void bf_notifier_close(struct bf_notifier *notifier) {
    close_fd(&notifier->listener);
    disconnect(&notifier->fd);
    remove_file(notifier);
}
