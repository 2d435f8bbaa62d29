/* A socket on a port of this machine that others cannot reach. */
#ifndef LOOPBACK_H
#define LOOPBACK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t size_of(const union address *a) {
    return a->any.sa_family == AF_INET6 ? sizeof a->v6 : sizeof a->v4;
}

static int port_of(const union address *a) {
    return ntohs(a->any.sa_family == AF_INET6 ? a->v6.sin6_port
                                              : a->v4.sin_port);
}

/* A socket of that type on this port, or a free one for 0, of ::1 or 127.0.0.1;
 * -1 where there is none. Sets *a to where it is. */
static int bind_loopback(union address *a, bool is_v6, int type,
                         uint16_t port) {
    if (is_v6)
        a->v6 = (struct sockaddr_in6){.sin6_family = AF_INET6,
                                      .sin6_port = htons(port),
                                      .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    else
        a->v4 = (struct sockaddr_in){.sin_family = AF_INET,
                                     .sin_port = htons(port),
                                     .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = size_of(a);
    int fd = socket(a->any.sa_family, type, 0);
    if (fd >= 0 && (bind(fd, &a->any, size) != 0 ||
                    getsockname(fd, &a->any, &size) != 0)) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

#endif
