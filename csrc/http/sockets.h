/* Sockets and other descriptors, as libcurl and the thread need them. */
#ifndef BF_SOCKETS_H
#define BF_SOCKETS_H

#include <stdbool.h>
#include <sys/socket.h>

#pragma GCC visibility push(hidden)

/* The descriptor, moved off the numbers of the standard streams where it has
 * one of theirs: what the program writes to a closed one would go into it. */
int bf_off_standard_streams(int fd);

/* Makes the descriptor non-blocking, and closed in a program that the host
 * starts. False: one of these cannot be had. libcurl sets the first too, and
 * does not check whether that succeeded. */
bool bf_set_socket_flags(int fd);

/* A new socket with these flags, or -1. */
int bf_socket_open(int family, int type, int protocol);

/* Once the socket is closed, nothing more of what was written is sent. */
void bf_socket_abort(int fd);

/* Above 0: there is a byte to be read, or the connection's end. 0: there is
 * neither. Below 0: the system does not tell. */
int bf_socket_poll(int fd);

/* May bytes that were written still be on their way to the peer? */
bool bf_socket_has_unsent(int fd);

/* Is the socket connected? libcurl 7.88 does not tell, as other versions do,
 * with CURLINFO_CONNECT_TIME. */
bool bf_socket_has_peer(int fd);

#pragma GCC visibility pop

#endif
