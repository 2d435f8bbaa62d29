#include "http/sockets.h"

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

/* A program that the host starts must not hold a connection open. */
#ifdef SOCK_CLOEXEC
#define CLOEXEC SOCK_CLOEXEC
#else
#define CLOEXEC 0
#endif

int bf_off_standard_streams(int fd) {
    int moved = fd;
    if (fd >= 0 && fd <= STDERR_FILENO) {
        moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        (void)close(fd);
    }
    return moved;
}

bool bf_set_socket_flags(int fd) {
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
           fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

int bf_sockets_open(struct bf_sockets *sockets, int family, int type,
                    int protocol) {
    int fd;
    if (!make_room(sockets))
        return -1;
    fd = bf_off_standard_streams(socket(family, type | CLOEXEC, protocol));
    if (fd >= 0 && !bf_set_socket_flags(fd)) {
        (void)close(fd);
        fd = -1;
    }
    if (fd < 0)
        return -1;
    sockets->all[sockets->count++] = (struct bf_socket){fd, 0};
    return fd;
}

void bf_sockets_abort(int fd) {
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
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

int bf_sockets_find(struct bf_sockets *sockets, int port) {
    for (size_t i = 0; i < sockets->count; i++)
        if (port_of(&sockets->all[i]) == port)
            return sockets->all[i].fd;
    return -1;
}

bool bf_sockets_has_data(int fd) {
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void bf_sockets_free(struct bf_sockets *sockets) {
    free(sockets->all);
    *sockets = (struct bf_sockets){NULL, 0, 0};
}
