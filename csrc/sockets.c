#include "sockets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool make_room(struct bf_sockets *sockets) {
    size_t cap = sockets->cap ? sockets->cap * 2 : 8;
    struct bf_socket *all;
    if (sockets->count < sockets->cap)
        return true;
    all = realloc(sockets->all, cap * sizeof *all);
    if (!all)
        return false;
    sockets->all = all;
    sockets->cap = cap;
    return true;
}

int bf_sockets_open(struct bf_sockets *sockets, int family, int type,
                    int protocol) {
    int fd = make_room(sockets) ? socket(family, type, protocol) : -1;
    if (fd < 0)
        return -1;
    /* A program that is started meanwhile must not hold it open. */
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    sockets->all[sockets->count++] = (struct bf_socket){fd, 0};
    return fd;
}

int bf_sockets_close(struct bf_sockets *sockets, int fd) {
    for (size_t i = 0; i < sockets->count; i++) {
        if (sockets->all[i].fd == fd) {
            sockets->all[i] = sockets->all[--sockets->count];
            break;
        }
    }
    return close(fd);
}

/* The port is known once the socket is connected, which it was before anybody
 * asks about it. */
static int port_of(struct bf_socket *socket) {
    struct sockaddr_storage name = {0};
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    socklen_t len = sizeof name;
    if (socket->port || getsockname(socket->fd, (void *)&name, &len) != 0)
        return socket->port;
    if (name.ss_family == AF_INET) {
        memcpy(&v4, &name, sizeof v4);
        socket->port = ntohs(v4.sin_port);
    } else if (name.ss_family == AF_INET6) {
        memcpy(&v6, &name, sizeof v6);
        socket->port = ntohs(v6.sin6_port);
    }
    return socket->port;
}

/* Two local addresses may have used the same port: both are looked at then,
 * since a connection replaced for nothing costs little. */
bool bf_sockets_quiet(struct bf_sockets *sockets, int port) {
    for (size_t i = 0; i < sockets->count; i++) {
        struct bf_socket *socket = &sockets->all[i];
        struct pollfd look = {.fd = socket->fd, .events = POLLIN};
        if (port_of(socket) == port && poll(&look, 1, 0) > 0)
            return false;
    }
    return true;
}

void bf_sockets_free(struct bf_sockets *sockets) {
    free(sockets->all);
    *sockets = (struct bf_sockets){NULL, 0, 0};
}
