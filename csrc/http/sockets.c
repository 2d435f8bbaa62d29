#include "http/sockets.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

/* A program that the host starts must not hold a connection open. */
#ifdef SOCK_CLOEXEC
#define CLOEXEC SOCK_CLOEXEC
#else
#define CLOEXEC 0
#endif

/* What the program writes to a closed standard stream would be sent. */
static int off_standard_streams(int fd) {
    int moved = fd;
    if (fd >= 0 && fd <= STDERR_FILENO) {
        moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        (void)close(fd);
    }
    return moved;
}

int bf_socket_prepare(int fd) {
    int flags;
    fd = off_standard_streams(fd);
    if (fd < 0)
        return fd;
    flags = fcntl(fd, F_GETFL);
    if (flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
        fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

int bf_socket_open(int family, int type, int protocol) {
    return bf_socket_prepare(socket(family, type | CLOEXEC, protocol));
}
