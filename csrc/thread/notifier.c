#include "thread/notifier.h"

#include "base/clock.h"
#include "auth/sign.h"
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
#define OFFERED 2.0 /* s in which the other end is to connect */

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* the thread that rings has signals blocked */
#endif

void bf_channel_init(struct bf_channel *channel) {
    channel->listener = channel->fd = -1;
    channel->path[0] = '\0';
}

static void close_fd(int *fd) {
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

/* The other end is to see it even where a forked child still has it open. */
static void hang_up(int *fd) {
    if (*fd >= 0)
        (void)shutdown(*fd, SHUT_RDWR);
    close_fd(fd);
}

/* ---- the socket's file ---- */

/* mkdtemp gives the folder to its owner alone. */
static bool make_folder(struct bf_channel *channel, const char *parent) {
    const size_t room = sizeof channel->path - sizeof SOCKET;
    if (!parent || *parent != '/' ||
        strlen(parent) + sizeof FOLDER > room) /* no path for a socket */
        return false;
    (void)snprintf(channel->path, room, "%s" FOLDER, parent);
    if (mkdtemp(channel->path))
        return true;
    channel->path[0] = '\0';
    return false;
}

static void remove_file(struct bf_channel *channel) {
    char *end = strrchr(channel->path, '/');
    if (!end)
        return;
    (void)unlink(channel->path);
    *end = '\0';
    (void)rmdir(channel->path);
    channel->path[0] = '\0';
}

/* make_folder has left room for the socket's name. */
static bool listen_at(struct bf_channel *channel) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = bf_off_standard_streams(socket(AF_UNIX, SOCK_STREAM, 0));
    memcpy(channel->path + strlen(channel->path), SOCKET, sizeof SOCKET);
    (void)snprintf(name.sun_path, sizeof name.sun_path, "%s", channel->path);
    channel->listener = fd;
    channel->due = bf_now() + OFFERED;
    if (fd >= 0 && bf_set_socket_flags(fd) &&
        bind(fd, (void *)&name, sizeof name) == 0 && listen(fd, 1) == 0)
        return true;
    close_fd(&channel->listener);
    remove_file(channel);
    return false;
}

bool bf_channel_listen(struct bf_channel *channel) {
    const char *const parents[] = {getenv("TMPDIR"), "/dev/shm", "/tmp",
                                   "/var/tmp", "/run"};
    bf_channel_close(channel);
    for (size_t i = 0; i < sizeof parents / sizeof *parents; i++)
        if (make_folder(channel, parents[i]) && listen_at(channel))
            return true;
    return false;
}

/* ---- the connection ---- */

bool bf_channel_accept(struct bf_channel *channel) {
    if (channel->listener >= 0)
        channel->fd =
            bf_off_standard_streams(accept(channel->listener, NULL, NULL));
    if (channel->fd >= 0 && !bf_set_socket_flags(channel->fd))
        close_fd(&channel->fd);
    close_fd(&channel->listener);
    remove_file(channel);
    return channel->fd >= 0;
}

bool bf_channel_is_overdue(const struct bf_channel *channel) {
    return channel->fd < 0 && bf_now() >= channel->due;
}

/* A full buffer has enough bytes in it to wake anybody. Where nothing can be
 * sent the other end is gone, or sees now that this one is. */
bool bf_channel_ring(struct bf_channel *channel) {
    if (channel->fd >= 0 && send(channel->fd, "", 1, MSG_NOSIGNAL) != 1 &&
        errno != EAGAIN && errno != EWOULDBLOCK)
        hang_up(&channel->fd);
    return channel->fd >= 0;
}

void bf_channel_close(struct bf_channel *channel) {
    close_fd(&channel->listener);
    hang_up(&channel->fd);
    remove_file(channel);
}
