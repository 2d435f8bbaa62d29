#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* dladdr, RTLD_NODELETE */
#endif

#include "http/engine.h"

#include "base/clock.h"
#include "http/curl_setup.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_KEPT 256L
#define IDLE_KEPT 64   /* finished transfers kept for the next calls */
#define LONGEST_WAIT 1 /* s, should what ends a wait not come */

struct bf_engine {
    CURLM *multi;
    pid_t pid;
    bool settled;               /* see bf_engine_set_dedicated_thread */
    struct bf_transfer *active; /* running and abandoned */
    struct bf_transfer *idle;
    size_t running, idle_count;
    struct bf_sockets sockets;
    bool progress; /* a transfer has ended in this step */
};

/* ---- lists ---- */

static void push(struct bf_transfer **list, struct bf_transfer *t) {
    t->prev = NULL;
    t->next = *list;
    if (*list)
        (*list)->prev = t;
    *list = t;
}

static void unlink_from(struct bf_transfer **list, struct bf_transfer *t) {
    if (t->prev)
        t->prev->next = t->next;
    else
        *list = t->next;
    if (t->next)
        t->next->prev = t->prev;
    t->prev = t->next = NULL;
}

/* ---- SIGPIPE ---- */

struct pipe_guard {
    sigset_t pipe, before;
    bool was_pending;
    bool held; /* by this; a settled engine's thread has it held back always */
};

/* Writing to a connection that the server has closed raises SIGPIPE, which
 * ends a process that never thought of it; so does the farewell of TLS. It is
 * held back in this thread alone; the program's own handler is neither asked
 * nor changed. */
static void hold_sigpipe(const struct bf_engine *engine,
                         struct pipe_guard *guard) {
    sigset_t pending;
    guard->held = false;
    if (engine->settled)
        return;
    (void)sigemptyset(&guard->pipe);
    (void)sigaddset(&guard->pipe, SIGPIPE);
    guard->was_pending =
        sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
    guard->held = pthread_sigmask(SIG_BLOCK, &guard->pipe, &guard->before) == 0;
}

/* Takes the signal where it is pending. Never waits for it: another thread of
 * the program may have taken it meanwhile. */
static void take_sigpipe(const sigset_t *pipe) {
#if defined(_POSIX_REALTIME_SIGNALS) && _POSIX_REALTIME_SIGNALS > 0
    static const struct timespec at_once = {0};
    (void)sigtimedwait(pipe, NULL, &at_once);
#else
    sigset_t pending;
    int taken;
    if (sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1)
        (void)sigwait(pipe, &taken);
#endif
}

static void release_sigpipe(const struct pipe_guard *guard) {
    if (!guard->held)
        return;
    if (!guard->was_pending)
        take_sigpipe(&guard->pipe);
    (void)pthread_sigmask(SIG_SETMASK, &guard->before, NULL);
}

/* ---- the pool of idle transfers ---- */

static struct bf_transfer *take_idle(struct bf_engine *engine,
                                     struct bf_error *error) {
    struct bf_transfer *t = engine->idle;
    if (!t)
        return bf_transfer_new(&engine->sockets, error);
    unlink_from(&engine->idle, t);
    engine->idle_count--;
    return t;
}

static void put_idle(struct bf_engine *engine, struct bf_transfer *t) {
    if (engine->idle_count >= IDLE_KEPT) {
        bf_transfer_free(t);
        return;
    }
    bf_transfer_reset(t);
    push(&engine->idle, t);
    engine->idle_count++;
}

/* ---- in and out of the multi handle ---- */

static bool add(struct bf_engine *engine, struct bf_transfer *t) {
    if (curl_multi_add_handle(engine->multi, t->easy) != CURLM_OK) {
        bf_error_no_memory(&t->error);
        return false;
    }
    t->state = BF_RUNNING;
    t->begun = false;
    push(&engine->active, t);
    engine->running++;
    return true;
}

/* Out of the multi handle, at once: the transfer must not be resolving. */
static void take_out(struct bf_engine *engine, struct bf_transfer *t) {
    (void)curl_multi_remove_handle(engine->multi, t->easy);
    unlink_from(&engine->active, t);
    if (t->state == BF_RUNNING)
        engine->running--;
    t->state = BF_DONE;
}

/* The deadline has come, or nobody wants the result. What is still resolving
 * stays with libcurl until the resolver's thread is back. A request that the
 * system has not got rid of yet must not arrive when nobody counts it. */
static void give_up(struct bf_engine *engine, struct bf_transfer *t) {
    if (t->ready && t->fd >= 0)
        bf_sockets_abort(t->fd);
    if (!bf_transfer_resolving(t)) {
        take_out(engine, t);
        return;
    }
    engine->running--;
    bf_transfer_abandon(t);
}

/* The kept connection turned out to be dead before anything was written to
 * it. Nothing was spent: the same request goes out on a new one. */
static void start_afresh(struct bf_engine *engine, struct bf_transfer *t) {
    t->stale = false;
    if (!bf_transfer_set_time(t) ||
        curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, 1L) != CURLE_OK)
        bf_error_no_memory(&t->error);
    else
        (void)add(engine, t); /* or done, with its error set */
}

static void finished(struct bf_engine *engine, struct bf_transfer *t,
                     CURLcode result) {
    bool abandoned = t->state == BF_ABANDONED;
    if (!abandoned && !t->stale)
        bf_transfer_done(t, result); /* while the connection can be asked */
    take_out(engine, t);
    if (abandoned && t->dropped) {
        put_idle(engine, t);
        return;
    }
    if (!abandoned && t->stale)
        start_afresh(engine, t);
    if (t->state == BF_DONE)
        engine->progress = true;
}

static void collect(struct bf_engine *engine) {
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(engine->multi, &left))) {
        struct bf_transfer *t = NULL;
        CURLcode result = message->data.result;
        if (message->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t);
        if (t)
            finished(engine, t, result);
    }
}

static void expire_one(struct bf_engine *engine, struct bf_transfer *t) {
    bf_transfer_expire(t);
    give_up(engine, t);
    engine->progress = true;
}

/* Before libcurl sees that the time to connect is over, as it may where this
 * process was stopped: it would wait for the resolver's thread. */
static void expire_connecting(struct bf_engine *engine) {
    double now = bf_now();
    for (struct bf_transfer *t = engine->active, *next; t; t = next) {
        next = t->next;
        if (t->state == BF_RUNNING && t->begun && !t->ready &&
            now >= bf_transfer_due(t))
            expire_one(engine, t);
    }
}

static void expire(struct bf_engine *engine) {
    double now = bf_now();
    for (struct bf_transfer *t = engine->active, *next; t; t = next) {
        next = t->next;
        t->begun = true; /* libcurl has just been through all of them */
        t->looks = 0;
        if (t->state == BF_RUNNING && now >= bf_transfer_due(t))
            expire_one(engine, t);
    }
}

/* How long to wait at the most, in whole milliseconds, rounded up: a wait that
 * ends just before a deadline would spin until it comes. */
static int wait_ms(const struct bf_engine *engine, double seconds) {
    double due = bf_now() + seconds;
    for (struct bf_transfer *t = engine->active; t; t = t->next)
        if (t->state == BF_RUNNING && bf_transfer_due(t) < due)
            due = bf_transfer_due(t);
    due = ceil((due - bf_now()) * 1000);
    return due < 0 ? 0 : due > 60000 ? 60000 : (int)due;
}

/* ---- what others call ---- */

/* A transfer that libcurl cannot move along ends with its deadline. */
static void perform(struct bf_engine *engine) {
    int running;
    expire_connecting(engine);
    bf_curl_setup_new_turn();
    (void)curl_multi_perform(engine->multi, &running);
    collect(engine);
    expire(engine);
}

/* Where there is no memory to wait, there soon may be. */
static void wait_for(const struct bf_engine *engine, int ms) {
    static const struct timespec pause = {.tv_nsec = 1000000};
    if (ms > 0 && curl_multi_poll(engine->multi, NULL, 0, ms, NULL) != CURLM_OK)
        (void)nanosleep(&pause, NULL);
}

size_t bf_engine_step(struct bf_engine *engine, double seconds) {
    struct pipe_guard guard;
    int ms;
    hold_sigpipe(engine, &guard);
    engine->progress = false;
    perform(engine);
    ms = engine->progress ? 0 : wait_ms(engine, seconds);
    if (ms > 0 && engine->running > 0) {
        wait_for(engine, ms);
        perform(engine);
    }
    release_sigpipe(&guard);
    return engine->running;
}

void bf_engine_wait(struct bf_engine *engine) {
    wait_for(engine, wait_ms(engine, LONGEST_WAIT));
}

void bf_engine_set_dedicated_thread(struct bf_engine *engine) {
    engine->settled = true;
}

bool bf_engine_wake(struct bf_engine *engine) {
    return curl_multi_wakeup(engine->multi) == CURLM_OK;
}

struct bf_transfer *bf_engine_start(struct bf_engine *engine,
                                    struct bf_client *client,
                                    const struct bf_request *request,
                                    struct bf_error *error) {
    struct bf_transfer *t = take_idle(engine, error);
    if (!t)
        return NULL;
    if (!bf_transfer_prepare(t, client, request) || !add(engine, t))
        t->state = BF_DONE;
    return t;
}

void bf_engine_drop(struct bf_engine *engine, struct bf_transfer *t) {
    struct pipe_guard guard;
    if (!engine->settled && bf_engine_is_from_parent(engine))
        return;
    hold_sigpipe(engine, &guard);
    if (t->state == BF_RUNNING)
        give_up(engine, t);
    t->dropped = true;
    if (t->state == BF_DONE)
        put_idle(engine, t);
    release_sigpipe(&guard);
}

bool bf_engine_is_from_parent(const struct bf_engine *engine) {
    return engine->pid != getpid();
}

void bf_stay_loaded(void) {
    static const char here;
    Dl_info info;
    if (dladdr(&here, &info) != 0)
        (void)dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

/* A multi handle has descriptors of its own. They must not get the number of a
 * standard stream that is closed, so those are taken meanwhile. `trouble` is
 * what errno says after it. */
static CURLM *init_multi(int *trouble) {
    int taken[STDERR_FILENO + 1], count = 0, fd;
    CURLM *multi;
    while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0 &&
           fd <= STDERR_FILENO)
        taken[count++] = fd;
    if (fd >= 0)
        (void)close(fd);
    errno = 0;
    multi = curl_multi_init();
    *trouble = errno;
    while (count > 0)
        (void)close(taken[--count]);
    return multi;
}

/* NULL with `error` set. libcurl makes a multi handle also where the system
 * refused what it is woken by; that shows when it is tried. */
static CURLM *make_multi(struct bf_error *error) {
    int trouble;
    CURLM *multi = init_multi(&trouble);
    if (multi && curl_multi_wakeup(multi) == CURLM_OK)
        return multi;
    (void)curl_multi_cleanup(multi);
    if (multi || (trouble && trouble != ENOMEM))
        bf_error_set(error, BF_NETWORK, "descriptors",
                     "the system refuses the file descriptors that libcurl "
                     "is woken by%s%s",
                     trouble ? ": " : "", trouble ? strerror(trouble) : "");
    else
        bf_error_no_memory(error);
    return NULL;
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
        engine->multi = make_multi(error);
    if (!engine || !engine->multi) {
        free(engine);
        return NULL;
    }
    engine->pid = getpid();
    (void)curl_multi_setopt(engine->multi, CURLMOPT_MAXCONNECTS,
                            CONNECTIONS_KEPT);
    return engine;
}

static void free_list(struct bf_engine *engine, struct bf_transfer *list) {
    while (list) {
        struct bf_transfer *next = list->next;
        if (list->state != BF_IDLE)
            (void)curl_multi_remove_handle(engine->multi, list->easy);
        bf_transfer_free(list);
        list = next;
    }
}

static bool is_resolving(const struct bf_engine *engine) {
    for (struct bf_transfer *t = engine->active; t; t = t->next)
        if (bf_transfer_resolving(t))
            return true;
    return false;
}

/* What libcurl cannot let go of stays, but without the secrets. */
static void leave_behind(struct bf_engine *engine) {
    for (struct bf_transfer *t = engine->active; t; t = t->next) {
        t->state = BF_ABANDONED;
        bf_transfer_disown(t);
    }
}

void bf_engine_free(struct bf_engine *engine) {
    struct pipe_guard guard;
    if (!engine || bf_engine_is_from_parent(engine))
        return;
    if (is_resolving(engine)) {
        leave_behind(engine);
        return;
    }
    engine->settled = false; /* its thread has ended */
    hold_sigpipe(engine, &guard);
    free_list(engine, engine->active);
    free_list(engine, engine->idle);
    (void)curl_multi_cleanup(engine->multi);
    release_sigpipe(&guard);
    bf_sockets_free(&engine->sockets);
    free(engine);
}
