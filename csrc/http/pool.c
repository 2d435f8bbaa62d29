#include "http/pool.h"

#include "base/clock.h"

#include <math.h>

#ifdef __linux__
#include <linux/sockios.h>
#include <sys/ioctl.h>
#endif

#define MOST_KEPT 256
#define LONGEST_IDLE 60.0 /* s; servers close theirs after 60 or 75 s */

void bf_pool_init(struct bf_pool *pool, CURLM *multi) {
    pool->multi = multi;
    bf_list_init(&pool->kept);
    bf_list_init(&pool->closing);
}

static void remove_kept(struct bf_pool *pool, struct bf_connection *c) {
    bf_list_remove(&c->link);
    pool->kept_count--;
}

/* Ends the connection that has been kept for the longest time. */
static void end_oldest(struct bf_pool *pool) {
    struct bf_connection *c = (struct bf_connection *)pool->kept.prev;
    remove_kept(pool, c);
    bf_pool_end(pool, c);
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
        if (bf_connection_check_idle(c, &unused) == BF_IDLE)
            return c;
        bf_pool_end(pool, c);
    }
    return NULL;
}

void bf_pool_keep(struct bf_pool *pool, struct bf_connection *c) {
    if (pool->kept_count >= MOST_KEPT)
        end_oldest(pool);
    c->idle_since = bf_now();
    bf_list_push_front(&pool->kept, &c->link);
    pool->kept_count++;
}

/* Once the socket is closed, nothing more of what was written is sent. */
static void abort_socket(int fd) {
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

/* May bytes that were written still be on their way to the peer? */
static bool has_unsent(int fd) {
#ifdef SIOCOUTQ
    int unsent = 0;
    return ioctl(fd, SIOCOUTQ, &unsent) != 0 || unsent > 0;
#else
    (void)fd;
    return true;
#endif
}

void bf_pool_end(struct bf_pool *pool, struct bf_connection *c) {
    bool is_open = c->state == BF_CONNECTION_OPEN;
    if (is_open && has_unsent(c->fd)) {
        abort_socket(c->fd);
        close_now(pool, c);
        return;
    }
    if (is_open)
        (void)shutdown(c->fd, SHUT_RDWR);
    bf_list_insert_before(&pool->closing, &c->link);
}

void bf_pool_expire(struct bf_pool *pool) {
    double last = bf_now() - LONGEST_IDLE;
    while (!bf_list_is_empty(&pool->kept) &&
           ((struct bf_connection *)pool->kept.prev)->idle_since < last)
        end_oldest(pool);
}

bool bf_pool_close_some(struct bf_pool *pool, double seconds) {
    double until = bf_now() + seconds;
    struct bf_connection *c;
    while ((c = bf_list_first(&pool->closing)) && bf_now() < until)
        close_now(pool, c);
    return !c;
}

void bf_pool_free(struct bf_pool *pool) {
    struct bf_connection *c;
    while ((c = bf_list_first(&pool->kept)))
        close_now(pool, c);
    (void)bf_pool_close_some(pool, INFINITY);
}
