/* The connections that are kept for later exchanges, and those that are at
 * their end. */
#ifndef BF_POOL_H
#define BF_POOL_H

#include "http/connection.h"

#pragma GCC visibility push(hidden)

struct bf_pool {
    CURLM *multi;
    struct bf_link kept; /* the one used last comes first */
    struct bf_link closing;
    size_t kept_count;
};

/* A pool of all zeros; `multi` is what its connections are in. */
void bf_pool_init(struct bf_pool *pool, CURLM *multi);

/* The account's idle connection to the endpoint that was used last; it is in no
 * list then. NULL: there is none. */
struct bf_connection *bf_pool_take(struct bf_pool *pool,
                                   const struct bf_endpoint *endpoint,
                                   const struct bf_credentials *account);

/* Keeps an open connection that is in no list. */
void bf_pool_keep(struct bf_pool *pool, struct bf_connection *connection);

/* Ends a connection that is in no list and is not resolving. The socket is shut
 * down now; bf_pool_close_some frees it. A request that the system has not sent
 * yet is not sent any more: no limit counts it. */
void bf_pool_end(struct bf_pool *pool, struct bf_connection *connection);

/* Ends connections that were kept for too long. */
void bf_pool_expire(struct bf_pool *pool);

/* Frees connections that are at their end, for so many seconds. False: some are
 * left. */
bool bf_pool_close_some(struct bf_pool *pool, double seconds);

/* Frees all of them. */
void bf_pool_free(struct bf_pool *pool);

#pragma GCC visibility pop

#endif
