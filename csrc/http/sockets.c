#include "http/sockets.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/sockios.h>
#include <sys/ioctl.h>
#endif

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

int bf_socket_open(int family, int type, int protocol) {
    int fd = bf_off_standard_streams(socket(family, type | CLOEXEC, protocol));
    if (fd >= 0 && !bf_set_socket_flags(fd)) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

void bf_socket_abort(int fd) {
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

int bf_socket_poll(int fd) {
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    return poll(&readable, 1, 0);
}

bool bf_socket_has_unsent(int fd) {
#ifdef SIOCOUTQ
    int unsent = 0;
    return ioctl(fd, SIOCOUTQ, &unsent) != 0 || unsent > 0;
#else
    (void)fd;
    return true;
#endif
}

bool bf_socket_has_peer(int fd) {
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;
    return getpeername(fd, (void *)&peer, &len) == 0;
}
