/* The sockets that libcurl has open for us. libcurl before 8.0 reuses a
 * connection without asking whether something waits in it to be read. Knows no
 * Lua. */
#ifndef BF_SOCKETS_H
#define BF_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(hidden)

struct bf_socket {
    int fd;
    int port; /* local; 0 until it is asked for */
};

struct bf_sockets {
    struct bf_socket *all;
    size_t count, cap;
};

/* The descriptor, moved off the numbers of the standard streams where it has
 * one of theirs: what the program writes to a closed one would go into it. */
int bf_off_standard_streams(int fd);

/* Never waits, and is closed in a program that the host starts. False: one of
 * these cannot be had. libcurl sets the first too, and does not look whether it
 * could. */
bool bf_set_socket_flags(int fd);

/* A new socket with these flags, or -1. */
int bf_sockets_open(struct bf_sockets *sockets, int family, int type,
                    int protocol);

/* Once it is closed, nothing more of what was written to it is sent. */
void bf_sockets_abort(int fd);

/* Closes a socket of bf_sockets_open's; what close() returns. */
int bf_sockets_close(struct bf_sockets *sockets, int fd);

/* Has the connection from this local port nothing to be read? It should not
 * have, between two requests: what is there is the server's farewell, or the
 * leavings of an earlier reply, which would be taken for the next one. */
bool bf_sockets_quiet(struct bf_sockets *sockets, int port);

/* The socket with this local port, or -1. */
int bf_sockets_find(struct bf_sockets *sockets, int port);

/* Can bytes be read from it now? Its end is none. */
bool bf_sockets_has_data(int fd);

/* Forgets the list; the sockets are libcurl's to close. */
void bf_sockets_free(struct bf_sockets *sockets);

#pragma GCC visibility pop

#endif
