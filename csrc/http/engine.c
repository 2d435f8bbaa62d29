#include "http/engine.h"

#include "base/clock.h"
#include "base/sigpipe.h"
#include "http/pool.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define SPARE_KEPT 64      /* finished exchanges kept for the next calls */
#define LONGEST_WAIT 1     /* s, where nothing ends the wait before */
#define CLOSING_TIME 0.005 /* s in one step, for connections at their end */
#define MOST_LOST 10       /* unused connections that an exchange may lose */

struct bf_engine {
    CURLM *multi;
    pid_t pid;
    bool has_dedicated_thread;
    struct bf_link running;    /* exchanges */
    struct bf_link spare;      /* exchanges that have no user */
    struct bf_link connecting; /* connections, abandoned ones too */
    struct bf_pool pool;
    size_t running_count, spare_count;
    struct curl_waitfd *fds; /* room for one for each running exchange */
    size_t fd_cap;
};

/* A dedicated thread has it blocked always. */
static void block_sigpipe(const struct bf_engine *engine,
                          struct bf_sigpipe *guard) {
    guard->blocked = false;
    if (!engine->has_dedicated_thread)
        bf_sigpipe_block(guard);
}

/* ---- spare exchanges ---- */

static struct bf_exchange *take_spare(struct bf_engine *engine) {
    struct bf_exchange *x = bf_list_first(&engine->spare);
    if (!x)
        return bf_exchange_new();
    bf_list_remove(&x->link);
    engine->spare_count--;
    return x;
}

static void put_spare(struct bf_engine *engine, struct bf_exchange *x) {
    if (engine->spare_count >= SPARE_KEPT) {
        bf_exchange_free(x);
        return;
    }
    bf_exchange_reset(x);
    bf_list_push_front(&engine->spare, &x->link);
    engine->spare_count++;
}

/* ---- exchanges and their connections ---- */

/* Ends the exchange with an error where there is no connection to be had. */
static void connect_new(struct bf_engine *engine, struct bf_exchange *x) {
    struct bf_error *error = &x->result.error;
    struct bf_connection *c =
        bf_connection_new(x->request->client->endpoint, x->request->credentials,
                          bf_exchange_due(x), error);
    if (c && curl_multi_add_handle(engine->multi, c->easy) != CURLM_OK) {
        bf_error_no_memory(error);
        bf_connection_free(c);
        c = NULL;
    }
    if (!c) {
        bf_exchange_end(x);
        return;
    }
    c->user = x;
    bf_list_insert_before(&engine->connecting, &c->link);
    bf_exchange_attach(x, c);
}

static void find_connection(struct bf_engine *engine, struct bf_exchange *x) {
    struct bf_connection *c = bf_pool_take(
        &engine->pool, x->request->client->endpoint, x->request->credentials);
    if (c)
        bf_exchange_attach(x, c);
    else
        connect_new(engine, x);
}

/* Takes the connection from an exchange that is done or released. One that is
 * resolving stays with libcurl until the resolver's thread has returned. */
static void detach(struct bf_engine *engine, struct bf_exchange *x) {
    struct bf_connection *c = x->connection;
    x->connection = NULL;
    if (!c)
        return;
    c->user = NULL;
    if (bf_connection_is_resolving(c)) {
        bf_connection_abandon(c);
        return;
    }
    bf_list_remove(&c->link); /* of those that connect; else it is in none */
    if (x->clean)
        bf_pool_keep(&engine->pool, c);
    else
        bf_pool_end(&engine->pool, c);
}

static void remove_running(struct bf_engine *engine, struct bf_exchange *x) {
    bf_list_remove(&x->link);
    engine->running_count--;
    detach(engine, x);
}

static void remove_done(struct bf_engine *engine, struct bf_exchange *x) {
    if (x->state == BF_EXCHANGE_DONE)
        remove_running(engine, x);
}

/* libcurl 7.74 closes an open connection again where it begins another one in
 * the same step and finds something to be read, as the tickets of TLS 1.3.
 * Nothing was sent: the exchange gets another connection. */
static void find_another(struct bf_engine *engine, struct bf_exchange *x) {
    x->connection->user = NULL;
    bf_pool_end(&engine->pool, x->connection);
    x->connection = NULL;
    x->state = BF_EXCHANGE_NEW;
}

/* libcurl has ended its work on a connection. */
static void on_connected(struct bf_engine *engine, struct bf_connection *c,
                         CURLcode result) {
    struct bf_exchange *x = c->user;
    bool is_open = bf_connection_opened(c, result);
    bf_list_remove(&c->link);
    if (x && is_open) {
        bf_exchange_attach(x, c);
    } else if (x && result == CURLE_OK && x->lost++ < MOST_LOST) {
        find_another(engine, x);
    } else if (x) {
        x->result.error = c->error;
        bf_exchange_end(x);
    } else { /* it was abandoned */
        bf_pool_end(&engine->pool, c);
    }
}

/* True: connections are open now, or have failed. */
static bool collect(struct bf_engine *engine) {
    CURLMsg *message;
    int left;
    bool any = false;
    while ((message = curl_multi_info_read(engine->multi, &left))) {
        struct bf_connection *c = NULL;
        CURLcode result = message->data.result;
        if (message->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &c);
        if (c)
            on_connected(engine, c, result);
        any = true;
    }
    return any;
}

static bool move_connections(struct bf_engine *engine) {
    int running;
    struct bf_link *at;
    if (bf_list_is_empty(&engine->connecting))
        return false;
    for (at = engine->connecting.next; at != &engine->connecting; at = at->next)
        ((struct bf_connection *)at)->progress_calls = 0;
    bf_curl_setup_new_turn();
    (void)curl_multi_perform(engine->multi, &running);
    return collect(engine);
}

static void move_exchanges(struct bf_engine *engine) {
    struct bf_link *at = engine->running.next, *next;
    for (; at != &engine->running; at = next) {
        struct bf_exchange *x = (struct bf_exchange *)at;
        next = at->next;
        bf_curl_setup_new_turn();
        if (x->state == BF_EXCHANGE_NEW)
            find_connection(engine, x);
        x->readable = bf_exchange_step(x);
        remove_done(engine, x);
    }
}

/* Those that connect must expire before libcurl finds their time over, as it
 * may where this process was stopped: it would wait for the resolver's thread.
 * The others may have received their reply by now. */
static void expire(struct bf_engine *engine, bool only_connecting) {
    double now = bf_now();
    struct bf_link *at = engine->running.next, *next;
    for (; at != &engine->running; at = next) {
        struct bf_exchange *x = (struct bf_exchange *)at;
        bool connects = x->state <= BF_EXCHANGE_CONNECTING;
        next = at->next;
        if ((only_connecting && !connects) || now < bf_exchange_due(x))
            continue;
        bf_exchange_expire(x);
        remove_done(engine, x);
    }
}

static void perform(struct bf_engine *engine) {
    expire(engine, true);
    move_exchanges(engine);
    if (move_connections(engine))
        move_exchanges(engine);
}

/* ---- waiting ---- */

/* The longest wait in ms, rounded up: a wait that ends just before a deadline
 * would be repeated until then. */
static int wait_ms(const struct bf_engine *engine, double seconds) {
    double due = bf_now() + seconds;
    const struct bf_link *at = engine->running.next;
    for (; at != &engine->running; at = at->next) {
        const struct bf_exchange *x = (const struct bf_exchange *)at;
        double own = x->readable ? 0 : bf_exchange_due(x);
        due = own < due ? own : due;
    }
    due = ceil((due - bf_now()) * 1000);
    return due < 0 ? 0 : due > 60000 ? 60000 : (int)due;
}

/* libcurl watches the connections that it is making; these are the others. */
static unsigned watched(struct bf_engine *engine) {
    unsigned count = 0;
    const struct bf_link *at = engine->running.next;
    for (; at != &engine->running; at = at->next) {
        const struct bf_exchange *x = (const struct bf_exchange *)at;
        short events =
            bf_exchange_is_sending(x) ? CURL_WAIT_POLLOUT : CURL_WAIT_POLLIN;
        if (x->state > BF_EXCHANGE_CONNECTING)
            engine->fds[count++] =
                (struct curl_waitfd){x->connection->fd, events, 0};
    }
    return count;
}

static void note_readable(struct bf_engine *engine) {
    const struct curl_waitfd *fd = engine->fds;
    struct bf_link *at = engine->running.next;
    for (; at != &engine->running; at = at->next) {
        struct bf_exchange *x = (struct bf_exchange *)at;
        if (x->state > BF_EXCHANGE_CONNECTING)
            x->readable = (fd++->revents & ~CURL_WAIT_POLLOUT) || x->readable;
    }
}

/* libcurl cannot wait where memory is short; there soon may be some. */
static void wait_for(struct bf_engine *engine, int ms) {
    static const struct timespec pause = {.tv_nsec = 1000000};
    if (curl_multi_poll(engine->multi, engine->fds, watched(engine), ms,
                        NULL) == CURLM_OK)
        note_readable(engine);
    else
        (void)nanosleep(&pause, NULL);
}

/* ---- the interface ---- */

/* A dedicated thread waits with bf_engine_wait, which polls the sockets too.
 * Nothing expires before they were polled: its reply may be there. */
size_t bf_engine_step(struct bf_engine *engine, double seconds) {
    struct bf_sigpipe guard;
    size_t before = engine->running_count;
    block_sigpipe(engine, &guard);
    bf_pool_expire(&engine->pool);
    perform(engine);
    if (engine->running_count > 0 && !engine->has_dedicated_thread) {
        bool may_wait = engine->running_count == before &&
                        bf_pool_close_some(&engine->pool, CLOSING_TIME);
        wait_for(engine, may_wait ? wait_ms(engine, seconds) : 0);
        perform(engine);
    }
    expire(engine, false);
    bf_sigpipe_restore(&guard);
    return engine->running_count;
}

void bf_engine_wait(struct bf_engine *engine) {
    bool closed = bf_pool_close_some(&engine->pool, CLOSING_TIME);
    wait_for(engine, closed ? wait_ms(engine, LONGEST_WAIT) : 0);
}

void bf_engine_set_dedicated_thread(struct bf_engine *engine) {
    engine->has_dedicated_thread = true;
}

bool bf_engine_wake(struct bf_engine *engine) {
    return curl_multi_wakeup(engine->multi) == CURLM_OK;
}

/* Makes room to wait for one more exchange. */
static bool make_room(struct bf_engine *engine) {
    size_t cap = engine->fd_cap ? engine->fd_cap * 2 : 8;
    struct curl_waitfd *fds;
    if (engine->running_count < engine->fd_cap)
        return true;
    fds = realloc(engine->fds, cap * sizeof *fds);
    if (!fds)
        return false;
    engine->fds = fds;
    engine->fd_cap = cap;
    return true;
}

struct bf_exchange *bf_engine_start(struct bf_engine *engine,
                                    struct bf_request *request,
                                    struct bf_error *error) {
    struct bf_exchange *x = make_room(engine) ? take_spare(engine) : NULL;
    if (!x) {
        bf_request_free(request);
        bf_error_no_memory(error);
        return NULL;
    }
    bf_exchange_begin(x, request);
    bf_list_insert_before(&engine->running, &x->link);
    engine->running_count++;
    return x;
}

/* Where no exchange runs, connections at their end need not wait for the next
 * call. */
void bf_engine_release(struct bf_engine *engine, struct bf_exchange *x) {
    struct bf_sigpipe guard;
    if (!engine->has_dedicated_thread && bf_engine_is_from_parent(engine))
        return;
    block_sigpipe(engine, &guard);
    if (x->state != BF_EXCHANGE_DONE)
        remove_running(engine, x);
    put_spare(engine, x);
    if (engine->running_count == 0 && !engine->has_dedicated_thread)
        (void)bf_pool_close_some(&engine->pool, INFINITY);
    bf_sigpipe_restore(&guard);
}

bool bf_engine_is_from_parent(const struct bf_engine *engine) {
    return engine->pid != getpid();
}

struct bf_engine *bf_engine_new(struct bf_error *error) {
    struct bf_engine *engine;
    if (!bf_curl_setup_init(error))
        return NULL;
    bf_stay_loaded();
    engine = calloc(1, sizeof *engine);
    if (!engine)
        bf_error_no_memory(error);
    else
        engine->multi = bf_multi_new(error);
    if (!engine || !engine->multi) {
        free(engine);
        return NULL;
    }
    engine->pid = getpid();
    bf_list_init(&engine->running);
    bf_list_init(&engine->spare);
    bf_list_init(&engine->connecting);
    bf_pool_init(&engine->pool, engine->multi);
    return engine;
}

static void free_exchanges(struct bf_engine *engine, struct bf_link *list) {
    struct bf_exchange *x;
    while ((x = bf_list_first(list))) {
        bf_list_remove(&x->link);
        detach(engine, x);
        bf_exchange_free(x);
    }
}

static bool is_resolving(const struct bf_engine *engine) {
    const struct bf_link *at = engine->connecting.next;
    for (; at != &engine->connecting; at = at->next)
        if (bf_connection_is_resolving((const struct bf_connection *)at))
            return true;
    return false;
}

/* Wipes the secrets where libcurl cannot release the rest. */
static void wipe_requests(struct bf_engine *engine) {
    struct bf_link *at = engine->running.next;
    for (; at != &engine->running; at = at->next)
        bf_request_disown(((struct bf_exchange *)at)->request);
}

void bf_engine_free(struct bf_engine *engine) {
    struct bf_sigpipe guard;
    if (!engine || bf_engine_is_from_parent(engine))
        return;
    if (is_resolving(engine)) {
        wipe_requests(engine);
        return;
    }
    engine->has_dedicated_thread = false; /* it has ended */
    block_sigpipe(engine, &guard);
    free_exchanges(engine, &engine->running);
    free_exchanges(engine, &engine->spare);
    bf_pool_free(&engine->pool);
    (void)curl_multi_cleanup(engine->multi);
    bf_sigpipe_restore(&guard);
    free(engine->fds);
    free(engine);
}
