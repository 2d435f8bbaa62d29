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

void bf_pool_init(struct bf_pool *pool, CURLM *multi);

/* The account's connection to the endpoint that was used last and on which
 * nothing has come since; NULL: there is none. It is in no list then. */
struct bf_connection *bf_pool_take(struct bf_pool *pool,
                                   const struct bf_endpoint *endpoint,
                                   const struct bf_credentials *account);

/* Keeps an open connection that is in no list. */
void bf_pool_keep(struct bf_pool *pool, struct bf_connection *connection);

/* Ends a connection that is in no list and is not resolving. The
 * peer is told now; the rest of the work is left for bf_pool_close_some. A
 * request that the system has not sent yet is not sent any more: nobody counts
 * it. */
void bf_pool_end(struct bf_pool *pool, struct bf_connection *connection);

/* Ends what was kept for too long. */
void bf_pool_expire(struct bf_pool *pool);

/* Frees connections that are at their end, for so many seconds; false: some are
 * left. */
bool bf_pool_close_some(struct bf_pool *pool, double seconds);

/* Frees all of them. */
void bf_pool_free(struct bf_pool *pool);

#pragma GCC visibility pop

#endif
