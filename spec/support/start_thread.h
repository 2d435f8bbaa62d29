/* Threads of the servers in this folder, one for each connection. */
#ifndef START_THREAD_H
#define START_THREAD_H

#include <pthread.h>
#include <stdbool.h>

/* Has room for a head, its record and TLS. The system's own stacks, of 8 MiB,
 * fill the addresses of a 32-bit process after some 350 connections. */
enum { STACK = 256 * 1024 };

/* Starts a thread that nobody joins; false where there can be none. */
static inline bool start_thread(void *(*run)(void *), void *arg) {
    pthread_attr_t attributes;
    pthread_t thread;
    bool started;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    started = pthread_attr_setstacksize(&attributes, STACK) == 0 &&
              pthread_create(&thread, &attributes, run, arg) == 0 &&
              pthread_detach(thread) == 0;
    pthread_attr_destroy(&attributes);
    return started;
}

#endif
