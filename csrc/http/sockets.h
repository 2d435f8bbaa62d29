/* Sockets, as libcurl and the thread need them. */
#ifndef BF_SOCKETS_H
#define BF_SOCKETS_H

#pragma GCC visibility push(hidden)

/* Makes a socket non-blocking, and closed in a program that the host starts;
 * moves it off the numbers of the standard streams. Returns its descriptor. -1:
 * one of these failed, and it is closed. libcurl sets the first too, and
 * ignores a failure. */
int bf_socket_prepare(int fd);

/* A new socket that is prepared, or -1. */
int bf_socket_open(int family, int type, int protocol);

#pragma GCC visibility pop

#endif
