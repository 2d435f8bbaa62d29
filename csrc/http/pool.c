#include "http/pool.h"

#include "base/clock.h"
#include "http/sockets.h"

#include <math.h>

#define MOST_KEPT 256
#define LONGEST_IDLE 60.0 /* s; servers close theirs after 60 or 75 s */

void bf_pool_init(struct bf_pool *pool, CURLM *multi) {
    pool->multi = multi;
    bf_list_init(&pool->kept);
    bf_list_init(&pool->closing);
    pool->kept_count = 0;
}

static void remove_kept(struct bf_pool *pool, struct bf_connection *c) {
    bf_list_remove(&c->link);
    pool->kept_count--;
}

static struct bf_connection *oldest(const struct bf_pool *pool) {
    return bf_list_is_empty(&pool->kept)
               ? NULL
               : (struct bf_connection *)pool->kept.prev;
}

static void close_now(struct bf_pool *pool, struct bf_connection *c) {
    bf_list_remove(&c->link);
    (void)curl_multi_remove_handle(pool->multi, c->easy);
    bf_connection_free(c);
}

struct bf_connection *bf_pool_take(struct bf_pool *pool,
                                   const struct bf_endpoint *endpoint,
                                   const struct bf_credentials *account) {
    struct bf_link *at = pool->kept.next, *next;
    struct bf_error unused = {.kind = BF_OK};
    for (; at != &pool->kept; at = next) {
        struct bf_connection *c = (struct bf_connection *)at;
        next = at->next;
        if (!bf_connection_is_of(c, endpoint, account))
            continue;
        remove_kept(pool, c);
        if (bf_connection_check_quiet(c, &unused) == BF_QUIET)
            return c;
        bf_pool_end(pool, c);
    }
    return NULL;
}

void bf_pool_keep(struct bf_pool *pool, struct bf_connection *c) {
    struct bf_connection *old = oldest(pool);
    if (pool->kept_count >= MOST_KEPT) {
        remove_kept(pool, old);
        bf_pool_end(pool, old);
    }
    c->idle_since = bf_now();
    bf_list_push_front(&pool->kept, &c->link);
    pool->kept_count++;
}

void bf_pool_end(struct bf_pool *pool, struct bf_connection *c) {
    bool is_open = c->fd >= 0 && c->state == BF_CONNECTION_OPEN;
    if (is_open && bf_socket_has_unsent(c->fd)) {
        bf_socket_abort(c->fd);
        close_now(pool, c);
        return;
    }
    if (is_open)
        (void)shutdown(c->fd, SHUT_RDWR);
    bf_list_insert_before(&pool->closing, &c->link);
}

void bf_pool_expire(struct bf_pool *pool) {
    double last = bf_now() - LONGEST_IDLE;
    struct bf_connection *c;
    while ((c = oldest(pool)) && c->idle_since < last) {
        remove_kept(pool, c);
        bf_pool_end(pool, c);
    }
}

bool bf_pool_close_some(struct bf_pool *pool, double seconds) {
    double until = bf_now() + seconds;
    struct bf_connection *c;
    while ((c = bf_list_first(&pool->closing))) {
        close_now(pool, c);
        if (bf_now() >= until)
            return bf_list_is_empty(&pool->closing);
    }
    return true;
}

void bf_pool_free(struct bf_pool *pool) {
    struct bf_connection *c;
    while ((c = bf_list_first(&pool->kept)))
        close_now(pool, c);
    (void)bf_pool_close_some(pool, INFINITY);
}
