#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* pthread_setname_np */
#endif

#include "thread/thread.h"

#include "base/clock.h"
#include "thread/notifier.h"
#include "base/openssl_check.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STACK (1024L * 1024)
#define RETURNED 64 /* jobs given back that are worth waking the thread for */
#define LONGEST_END 5.0 /* s that the exiting process waits for its end */

struct bf_thread {
    pid_t pid;
    unsigned forks;        /* what was counted when it was made */
    struct bf_link active; /* the thread's own: jobs that were begun */

    pthread_mutex_t lock; /* over all that follows */
    pthread_t id;
    bool running; /* it will look into the inbox again */
    bool joinable;
    bool woken; /* it need not be woken to do so */
    bool stop;
    atomic_bool ended;        /* all but its return */
    struct bf_engine *engine; /* NULL: not made yet; else only woken */
    struct bf_link inbox;     /* jobs handed in */
    struct bf_link returned;  /* done jobs whose holders are through */
    size_t returned_count;
    double last_id;
    size_t live, held; /* jobs that are not done, and that are */
    struct bf_outbox *bell_of;
    struct bf_channel bell;
};

struct bf_outbox {
    struct bf_link done;
    size_t refs; /* its owner's, and one for each job that is held */
    bool rung;   /* and not been looked into since */
};

static _Atomic(struct bf_thread *) current;

/* Asking for the pid at each step takes longer than all else that the host's
 * thread does here. */
static atomic_uint forks;

static void count_fork(void) {
    (void)atomic_fetch_add(&forks, 1);
}

static void lock(struct bf_thread *thread) {
    (void)pthread_mutex_lock(&thread->lock);
}

static void unlock(struct bf_thread *thread) {
    (void)pthread_mutex_unlock(&thread->lock);
}

/* ---- on the thread ---- */

/* Begins and ends what others have handed in meanwhile. False: it is time to
 * stop. */
static bool look_in(struct bf_thread *thread, struct bf_engine *engine) {
    struct bf_link begun, ended;
    struct bf_job *job;
    bool stop;
    bf_link_init(&begun);
    bf_link_init(&ended);
    lock(thread);
    thread->woken = false;
    stop = thread->stop;
    while ((job = bf_job_first(&thread->inbox))) {
        job->taken = true;
        bf_job_move(job, &begun);
    }
    bf_job_move_all(&thread->returned, &ended);
    thread->returned_count = 0;
    unlock(thread);
    while ((job = bf_job_first(&ended)))
        bf_job_end(job, engine);
    while ((job = bf_job_first(&begun))) {
        bf_job_begin(job, engine);
        bf_job_move(job, &thread->active);
    }
    return !stop;
}

/* Under the lock. Puts a job into its holder's outbox; rings where that holder
 * may be asleep. */
static void put_out(struct bf_thread *thread, struct bf_job *job) {
    struct bf_outbox *outbox = job->outbox;
    thread->live--;
    thread->held++;
    bf_job_move(job, &outbox->done);
    atomic_store(&job->done, true);
    if (outbox == thread->bell_of && !outbox->rung)
        outbox->rung = bf_channel_ring(&thread->bell);
}

/* Reads the replies that have come, and gives them to who waits for them. */
static void deliver(struct bf_thread *thread, struct bf_engine *engine) {
    struct bf_link over, *at, *next;
    struct bf_job *job;
    bf_link_init(&over);
    for (at = thread->active.next; at != &thread->active; at = next) {
        job = (struct bf_job *)at;
        next = at->next;
        if (!job->dropped && !bf_job_over(job))
            continue;
        if (!job->dropped)
            bf_job_read(job);
        bf_job_move(job, &over);
    }
    if (bf_link_alone(&over))
        return;
    lock(thread);
    for (at = over.next; at != &over; at = next) {
        next = at->next;
        job = (struct bf_job *)at;
        if (job->dropped)
            thread->live--;
        else
            put_out(thread, job);
    }
    unlock(thread);
    while ((job = bf_job_first(&over))) /* what is left was dropped */
        bf_job_end(job, engine);
}

/* There is no engine: every job ends with that, and so does the thread, for the
 * next one to try again. */
static void refuse(struct bf_thread *thread, const struct bf_error *error) {
    struct bf_job *job;
    lock(thread);
    while ((job = bf_job_first(&thread->inbox))) {
        job->taken = true;
        job->error = *error;
        put_out(thread, job);
    }
    thread->running = false;
    unlock(thread);
}

static void serve(struct bf_thread *thread, struct bf_engine *engine) {
    bf_engine_set_dedicated_thread(engine);
    lock(thread);
    thread->engine = engine;
    unlock(thread);
    while (look_in(thread, engine)) {
        (void)bf_engine_step(engine, 0);
        deliver(thread, engine);
        bf_engine_wait(engine);
    }
}

static void *run(void *argument) {
    struct bf_thread *thread = argument;
    struct bf_error error = {.kind = BF_OK};
    struct bf_engine *engine = bf_engine_new(&error);
#ifdef __linux__
    (void)pthread_setname_np(pthread_self(), "bitfront"); /* for top -H */
#endif
    if (engine)
        serve(thread, engine);
    else
        refuse(thread, &error);
    OPENSSL_thread_stop();
    atomic_store(&thread->ended, true);
    return NULL;
}

/* ---- its life ---- */

/* The host's signals are for the host's own threads. */
static int create(pthread_t *id, struct bf_thread *thread) {
    pthread_attr_t attributes;
    sigset_t all, before;
    int failed = pthread_attr_init(&attributes);
    if (failed)
        return failed;
    (void)pthread_attr_setstacksize(&attributes, STACK); /* or the system's */
    (void)sigfillset(&all);
    failed = pthread_sigmask(SIG_BLOCK, &all, &before);
    if (!failed) {
        failed = pthread_create(id, &attributes, run, thread);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    (void)pthread_attr_destroy(&attributes);
    return failed;
}

/* Waits for its end, for so long at the most; false: it goes on. */
static bool join(struct bf_thread *thread, double seconds) {
    static const struct timespec pause = {.tv_nsec = 100000};
    double last = bf_now() + seconds;
    while (thread->joinable && !atomic_load(&thread->ended)) {
        if (bf_now() >= last)
            return false;
        (void)nanosleep(&pause, NULL);
    }
    if (thread->joinable)
        (void)pthread_join(thread->id, NULL);
    thread->joinable = false;
    return true;
}

/* Under the lock. A thread that has found no engine is at its end, and needs
 * the lock no more. */
static bool start(struct bf_thread *thread, struct bf_error *error) {
    if (!thread->stop && join(thread, 0.1)) {
        atomic_store(&thread->ended, false);
        thread->joinable = thread->running = create(&thread->id, thread) == 0;
    }
    if (!thread->running)
        bf_error_set(error, BF_MEMORY, "thread",
                     thread->stop ? "the process is about to exit"
                                  : "the system gives no thread to work on");
    return thread->running;
}

/* Without waiting for more than the work of the moment: a resolver that hangs
 * has a thread of its own, which is left behind. So is this one, with all that
 * it uses, where the system keeps it from its end. */
static void stop_at_exit(void) {
    struct bf_thread *thread = current;
    if (!thread || thread->pid != getpid())
        return;
    lock(thread);
    thread->stop = true;
    bf_channel_close(&thread->bell);
    if (thread->engine)
        (void)bf_engine_wake(thread->engine); /* or it looks in a second */
    unlock(thread);
    if (!join(thread, LONGEST_END))
        return;
    bf_engine_free(thread->engine);
    thread->engine = NULL; /* in a forked child this is called twice */
}

/* OpenSSL takes itself apart at exit too. What is registered after its own
 * handler runs before it. */
static bool prepare_process(void) {
    return pthread_atfork(NULL, NULL, count_fork) == 0 &&
           OSSL_LIB_CTX_get0_global_default() && /* see bf_sign_key */
           OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL) == 1 &&
           atexit(stop_at_exit) == 0;
}

static struct bf_thread *make(void) {
    struct bf_thread *thread = calloc(1, sizeof *thread);
    if (!thread || pthread_mutex_init(&thread->lock, NULL) != 0) {
        free(thread);
        return NULL;
    }
    thread->pid = getpid();
    thread->forks = atomic_load(&forks);
    bf_link_init(&thread->active);
    bf_link_init(&thread->inbox);
    bf_link_init(&thread->returned);
    bf_channel_init(&thread->bell);
    return thread;
}

bool bf_thread_is_from_parent(const struct bf_thread *thread) {
    return thread->forks != atomic_load(&forks);
}

/* Two threads of the program may come here at once; the second one's is not
 * needed then. */
struct bf_thread *bf_thread_get(struct bf_error *error) {
    struct bf_thread *known = current, *made;
    if (known && !bf_thread_is_from_parent(known))
        return known;
    bf_stay_loaded();
    made = prepare_process() ? make() : NULL;
    if (!made) {
        bf_openssl_failed(error); /* which finds a want of memory too */
        return NULL;
    }
    if (atomic_compare_exchange_strong(&current, &known, made))
        return made;
    (void)pthread_mutex_destroy(&made->lock);
    free(made);
    return known;
}

/* ---- jobs ---- */

/* Under the lock: must the thread be woken once it is released? */
static struct bf_engine *to_wake(struct bf_thread *thread) {
    if (thread->woken || thread->stop)
        return NULL;
    thread->woken = true;
    return thread->engine; /* NULL: it has not looked in even once */
}

/* A thread that cannot be woken looks in by itself, soon. */
static void wake(struct bf_thread *thread, struct bf_engine *engine) {
    if (!engine || bf_engine_wake(engine))
        return;
    lock(thread);
    thread->woken = false;
    unlock(thread);
}

bool bf_thread_begin(struct bf_thread *thread, struct bf_outbox *outbox,
                     struct bf_job *job, struct bf_error *error) {
    struct bf_engine *engine = NULL;
    bool begun;
    lock(thread);
    begun = thread->running || start(thread, error);
    if (begun) {
        job->id = ++thread->last_id;
        job->outbox = outbox;
        outbox->refs++;
        bf_link_before(&thread->inbox, &job->link);
        thread->live++;
        engine = to_wake(thread);
    }
    unlock(thread);
    wake(thread, engine);
    return begun;
}

static void unref(struct bf_outbox *outbox) {
    if (--outbox->refs == 0)
        free(outbox);
}

/* Under the lock. */
static struct bf_engine *give_back(struct bf_thread *thread,
                                   struct bf_job *job) {
    thread->held--;
    bf_job_move(job, &thread->returned);
    return ++thread->returned_count < RETURNED ? NULL : to_wake(thread);
}

void bf_thread_drop(struct bf_thread *thread, struct bf_job *job) {
    struct bf_engine *engine = NULL;
    bool unseen;
    if (job->done)
        bf_job_wipe(job);
    lock(thread);
    unseen = !job->taken;
    unref(job->outbox);
    if (job->done) {
        engine = give_back(thread, job);
    } else if (job->taken) {
        job->dropped = true;
        engine = to_wake(thread);
    } else {
        bf_link_out(&job->link);
        thread->live--;
    }
    unlock(thread);
    if (unseen)
        bf_job_free(job);
    wake(thread, engine);
}

void bf_thread_count(size_t *live, size_t *held) {
    struct bf_thread *thread = current;
    *live = *held = 0;
    if (!thread || bf_thread_is_from_parent(thread))
        return;
    lock(thread);
    *live = thread->live;
    *held = thread->held;
    unlock(thread);
}

/* ---- outboxes ---- */

struct bf_outbox *bf_outbox_new(void) {
    struct bf_outbox *outbox = calloc(1, sizeof *outbox);
    if (!outbox)
        return NULL;
    bf_link_init(&outbox->done);
    outbox->refs = 1;
    return outbox;
}

void bf_outbox_free(struct bf_thread *thread, struct bf_outbox *outbox) {
    bf_bell_close(thread, outbox);
    lock(thread);
    unref(outbox);
    unlock(thread);
}

size_t bf_outbox_take(struct bf_thread *thread, struct bf_outbox *outbox,
                      double *ids, size_t max) {
    struct bf_job *job;
    size_t count = 0;
    lock(thread);
    while (count < max && (job = bf_job_first(&outbox->done))) {
        bf_link_out(&job->link);
        ids[count++] = job->id;
    }
    outbox->rung = count == max;
    unlock(thread);
    return count;
}

/* ---- the bell ---- */

const char *bf_bell_offer(struct bf_thread *thread, struct bf_outbox *outbox) {
    const char *path = NULL;
    lock(thread);
    if ((!thread->bell_of || bf_channel_is_overdue(&thread->bell)) &&
        bf_channel_listen(&thread->bell)) {
        thread->bell_of = outbox;
        path = thread->bell.path;
    }
    unlock(thread);
    return path;
}

bool bf_bell_accept(struct bf_thread *thread, struct bf_outbox *outbox,
                    const char *path) {
    bool accepted = false;
    lock(thread);
    if (thread->bell_of == outbox &&
        (!path || strcmp(path, thread->bell.path) == 0)) {
        accepted = bf_channel_accept(&thread->bell);
        if (!accepted)
            thread->bell_of = NULL;
        outbox->rung = false;
    }
    unlock(thread);
    return accepted;
}

void bf_bell_close(struct bf_thread *thread, struct bf_outbox *outbox) {
    lock(thread);
    if (thread->bell_of == outbox) {
        bf_channel_close(&thread->bell);
        thread->bell_of = NULL;
    }
    unlock(thread);
}
