#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* pthread_setname_np */
#endif

#include "thread/thread.h"

#include "base/clock.h"
#include "base/openssl_check.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STACK (1024L * 1024)
#define LONGEST_JOIN 5.0   /* s, when the process exits */
#define JOIN_TO_RESTART .1 /* s */

/* The host sets RUNNING and NONE, the thread ENDING and ENDED. RUNNING and
 * ENDING are set under the lock, so that a job can be submitted only while the
 * thread takes jobs. */
enum thread_state {
    BF_THREAD_NONE,    /* not created yet, or joined */
    BF_THREAD_RUNNING, /* takes what is submitted */
    BF_THREAD_ENDING,  /* takes nothing more */
    BF_THREAD_ENDED    /* has only to return: a join does not wait */
};

struct bf_thread {
    pid_t pid;
    unsigned forks;        /* how many were counted when it was made */
    struct bf_link active; /* jobs that were started; the thread's alone */
    _Atomic(enum thread_state) state;
    pthread_t id;

    pthread_mutex_t lock;     /* over all that follows */
    bool stop;                /* the process exits */
    bool woken;               /* was woken, and has not taken since */
    struct bf_engine *engine; /* NULL: not made yet; others may wake it only */
    struct bf_link submitted;
    double last_id;
    size_t live, held; /* submitted and not done; done and not released */
    struct bf_notifier notifier;
    struct bf_completion_queue *notified_queue; /* whose notifier it is */
};

struct bf_completion_queue {
    struct bf_link done;
    size_t refs;   /* its owner's, and one for each job that is held */
    bool notified; /* the host was, and has not taken from the queue since */
};

/* ---- what the thread does ---- */

/* Starts the jobs that were submitted. False: the process exits, and nothing
 * more is to be started. */
static bool take_submitted(struct bf_thread *thread, struct bf_engine *engine) {
    struct bf_link *at;
    struct bf_job *job;
    (void)pthread_mutex_lock(&thread->lock);
    thread->woken = false;
    if (thread->stop)
        atomic_store(&thread->state, BF_THREAD_ENDING);
    while (!thread->stop && (job = bf_list_first(&thread->submitted))) {
        if (atomic_load(&job->state) == BF_JOB_QUEUED)
            atomic_store(&job->state, BF_JOB_RUNNING);
        bf_list_move(&job->link, &thread->active);
    }
    (void)pthread_mutex_unlock(&thread->lock);
    for (at = thread->active.next; at != &thread->active; at = at->next) {
        job = (struct bf_job *)at;
        if (job->request)
            job->exchange = bf_engine_start(engine, job->request, &job->error);
        job->request = NULL;
    }
    return atomic_load(&thread->state) == BF_THREAD_RUNNING;
}

/* Under the lock. Moves a job that has a result or an error to the end of its
 * queue; notifies the host where it was not notified since it last took from
 * the queue. */
static void complete(struct bf_thread *thread, struct bf_job *job) {
    struct bf_completion_queue *queue = job->queue;
    thread->live--;
    thread->held++;
    atomic_store(&job->state, BF_JOB_DONE);
    bf_list_move(&job->link, &queue->done);
    if (queue == thread->notified_queue && !queue->notified)
        queue->notified = bf_notifier_notify(&thread->notifier);
}

/* Completes the jobs that are over; frees those without a holder. */
static void complete_finished(struct bf_thread *thread,
                              struct bf_engine *engine) {
    struct bf_link released, *at, *next;
    struct bf_job *job;
    bf_list_init(&released);
    (void)pthread_mutex_lock(&thread->lock);
    for (at = thread->active.next; at != &thread->active; at = next) {
        enum bf_job_state state;
        job = (struct bf_job *)at;
        state = atomic_load(&job->state);
        next = at->next;
        thread->live -= state == BF_JOB_CANCELLED;
        if (state != BF_JOB_RUNNING)
            bf_list_move(at, &released);
        else if (!job->exchange || job->exchange->state == BF_EXCHANGE_DONE)
            complete(thread, job);
    }
    (void)pthread_mutex_unlock(&thread->lock);
    while ((job = bf_list_first(&released))) {
        bf_list_remove(&job->link);
        if (job->exchange)
            bf_engine_release(engine, job->exchange);
        free(job);
    }
}

/* There is no engine: every job gets that error, and the thread ends. For the
 * next job another thread is created. */
static void fail_submitted(struct bf_thread *thread,
                           const struct bf_error *error) {
    struct bf_job *job;
    (void)pthread_mutex_lock(&thread->lock);
    while ((job = bf_list_first(&thread->submitted))) {
        job->error = *error;
        complete(thread, job);
    }
    atomic_store(&thread->state, BF_THREAD_ENDING);
    (void)pthread_mutex_unlock(&thread->lock);
}

static void drive(struct bf_thread *thread, struct bf_engine *engine) {
    bf_engine_set_dedicated_thread(engine);
    (void)pthread_mutex_lock(&thread->lock);
    thread->engine = engine;
    (void)pthread_mutex_unlock(&thread->lock);
    while (take_submitted(thread, engine)) {
        (void)bf_engine_step(engine, 0);
        complete_finished(thread, engine);
        bf_engine_wait(engine);
    }
}

static void *work(void *argument) {
    struct bf_thread *thread = argument;
    struct bf_error error = {.kind = BF_OK};
    struct bf_engine *engine = bf_engine_new(&error);
#ifdef __linux__
    (void)pthread_setname_np(pthread_self(), "bitfront"); /* for top -H */
#endif
    if (engine)
        drive(thread, engine);
    else
        fail_submitted(thread, &error);
    OPENSSL_thread_stop();
    atomic_store(&thread->state, BF_THREAD_ENDED);
    return NULL;
}

static _Atomic(struct bf_thread *) current;

/* Forks are counted since getpid would cost more than everything else that the
 * host's thread does here. */
static atomic_uint forks;

static void count_fork(void) {
    (void)atomic_fetch_add(&forks, 1);
}

/* ---- its life ---- */

/* Creates the thread with all signals blocked. */
static bool create(struct bf_thread *thread) {
    pthread_attr_t attributes;
    sigset_t all, before;
    bool created;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    (void)pthread_attr_setstacksize(&attributes, STACK); /* or the system's */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all,
                          &before); /* fails for no valid use */
    created = pthread_create(&thread->id, &attributes, work, thread) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    return created;
}

/* Waits for the thread's end, for `seconds` at the most. False: it runs still.
 */
static bool join(struct bf_thread *thread, double seconds) {
    static const struct timespec pause = {.tv_nsec = 100000};
    double last = bf_now() + seconds;
    while (atomic_load(&thread->state) != BF_THREAD_NONE) {
        if (atomic_load(&thread->state) == BF_THREAD_ENDED) {
            (void)pthread_join(thread->id, NULL);
            atomic_store(&thread->state, BF_THREAD_NONE);
        } else if (bf_now() >= last) {
            return false;
        } else {
            (void)nanosleep(&pause, NULL);
        }
    }
    return true;
}

/* Under the lock. Creates the thread where there is none, or where the last one
 * has ended without an engine. A thread that is ENDING does not need the lock
 * any more. False with `error` set to memory. */
static bool ensure_running(struct bf_thread *thread, struct bf_error *error) {
    if (!thread->stop) {
        if (atomic_load(&thread->state) == BF_THREAD_RUNNING)
            return true;
        if (join(thread, JOIN_TO_RESTART)) {
            atomic_store(&thread->state, BF_THREAD_RUNNING);
            if (create(thread))
                return true;
            atomic_store(&thread->state, BF_THREAD_NONE);
        }
    }
    bf_error_set(error, BF_MEMORY, "thread",
                 thread->stop ? "the process is about to exit"
                              : "the system could not create a thread");
    return false;
}

/* Ends the thread without waiting for a server or a resolver. A thread that
 * does not end in time is left, with all that it uses; so is the resolver's. */
static void stop_at_exit(void) {
    struct bf_thread *thread = current;
    if (!thread || thread->pid != getpid())
        return;
    (void)pthread_mutex_lock(&thread->lock);
    thread->stop = true;
    bf_notifier_close(&thread->notifier);
    if (thread->engine) /* where waking fails, its wait ends within a second */
        (void)bf_engine_wake(thread->engine);
    (void)pthread_mutex_unlock(&thread->lock);
    if (!join(thread, LONGEST_JOIN))
        return;
    bf_engine_free(thread->engine);
    thread->engine = NULL; /* in a forked child this is called twice */
}

/* OpenSSL's own exit handler must run after stop_at_exit, so it is registered
 * first. False: OpenSSL or the system has failed. */
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
    bf_list_init(&thread->active);
    bf_list_init(&thread->submitted);
    thread->notifier.listener = thread->notifier.fd = -1;
    return thread;
}

bool bf_thread_is_from_parent(const struct bf_thread *thread) {
    return thread->forks != atomic_load(&forks);
}

/* Where two threads of the program make one at once, the second one is freed.
 */
struct bf_thread *bf_thread_get(struct bf_error *error) {
    struct bf_thread *known = current, *made;
    if (known && !bf_thread_is_from_parent(known))
        return known;
    bf_stay_loaded();
    made = prepare_process() ? make() : NULL;
    if (!made) {
        bf_openssl_failed(error); /* or a lack of memory */
        return NULL;
    }
    if (atomic_compare_exchange_strong(&current, &known, made))
        return made;
    (void)pthread_mutex_destroy(&made->lock);
    free(made);
    return known;
}

/* ---- completion queues ---- */

/* Under the lock. */
static void unref(struct bf_completion_queue *queue) {
    if (--queue->refs == 0)
        free(queue);
}

struct bf_completion_queue *bf_completion_queue_new(void) {
    struct bf_completion_queue *queue = calloc(1, sizeof *queue);
    if (queue) {
        bf_list_init(&queue->done);
        queue->refs = 1;
    }
    return queue;
}

size_t bf_completion_queue_take(struct bf_thread *thread,
                                struct bf_completion_queue *queue, double *ids,
                                size_t max) {
    struct bf_job *job;
    size_t count = 0;
    (void)pthread_mutex_lock(&thread->lock);
    while (count < max && (job = bf_list_first(&queue->done))) {
        bf_list_remove(&job->link);
        ids[count++] = job->id;
    }
    queue->notified = count == max; /* the host takes more */
    (void)pthread_mutex_unlock(&thread->lock);
    return count;
}

bool bf_completion_queue_listen(struct bf_thread *thread,
                                struct bf_completion_queue *queue,
                                char path[BF_NOTIFIER_PATH]) {
    bool listens;
    (void)pthread_mutex_lock(&thread->lock);
    listens = (!thread->notified_queue ||
               bf_notifier_is_expired(&thread->notifier)) &&
              bf_notifier_listen(&thread->notifier);
    if (listens) {
        thread->notified_queue = queue;
        memcpy(path, thread->notifier.path, BF_NOTIFIER_PATH);
    }
    (void)pthread_mutex_unlock(&thread->lock);
    return listens;
}

bool bf_completion_queue_accept(struct bf_thread *thread,
                                struct bf_completion_queue *queue,
                                const char *path) {
    bool accepted = false;
    (void)pthread_mutex_lock(&thread->lock);
    if (thread->notified_queue == queue &&
        (!path || strcmp(path, thread->notifier.path) == 0)) {
        accepted = bf_notifier_accept(&thread->notifier);
        if (!accepted)
            thread->notified_queue = NULL;
    }
    (void)pthread_mutex_unlock(&thread->lock);
    return accepted;
}

void bf_completion_queue_close(struct bf_thread *thread,
                               struct bf_completion_queue *queue) {
    (void)pthread_mutex_lock(&thread->lock);
    if (thread->notified_queue == queue) {
        bf_notifier_close(&thread->notifier);
        thread->notified_queue = NULL;
    }
    (void)pthread_mutex_unlock(&thread->lock);
}

void bf_completion_queue_free(struct bf_thread *thread,
                              struct bf_completion_queue *queue) {
    bf_completion_queue_close(thread, queue);
    (void)pthread_mutex_lock(&thread->lock);
    unref(queue);
    (void)pthread_mutex_unlock(&thread->lock);
}

/* ---- the interface ---- */

/* Under the lock. Where waking fails, the thread's wait ends within a second.
 */
static void wake(struct bf_thread *thread) {
    if (!thread->woken && !thread->stop && thread->engine)
        thread->woken = bf_engine_wake(thread->engine);
}

struct bf_job *bf_thread_submit(struct bf_thread *thread,
                                struct bf_completion_queue *queue,
                                struct bf_request *request,
                                struct bf_error *error) {
    struct bf_job *job = calloc(1, sizeof *job);
    bool running;
    (void)pthread_mutex_lock(&thread->lock);
    running = job && ensure_running(thread, error);
    if (running) {
        job->request = request;
        job->id = ++thread->last_id;
        job->queue = queue;
        queue->refs++;
        bf_list_insert_before(&thread->submitted, &job->link);
        thread->live++;
        wake(thread);
    }
    (void)pthread_mutex_unlock(&thread->lock);
    if (running)
        return job;
    bf_error_no_memory(error); /* unless it is set */
    bf_request_free(request);
    free(job);
    return NULL;
}

/* The engine's thread takes a returned job when it next runs, for its exchange.
 * The queue is released last: the job may be in its list. */
void bf_thread_release(struct bf_thread *thread, struct bf_job *job) {
    enum bf_job_state state = atomic_load(&job->state);
    bool to_free;
    if (state == BF_JOB_DONE && job->exchange)
        bf_exchange_reset(job->exchange); /* wipes secrets and reply at once */
    (void)pthread_mutex_lock(&thread->lock);
    state = atomic_load(&job->state);
    to_free = state != BF_JOB_RUNNING && !job->exchange;
    thread->live -= state == BF_JOB_QUEUED;
    thread->held -= state == BF_JOB_DONE;
    if (state == BF_JOB_RUNNING) {
        atomic_store(&job->state, BF_JOB_CANCELLED);
        wake(thread);
    } else if (to_free) {
        bf_list_remove(&job->link);
    } else {
        atomic_store(&job->state, BF_JOB_RETURNED);
        bf_list_move(&job->link, &thread->submitted);
    }
    unref(job->queue);
    (void)pthread_mutex_unlock(&thread->lock);
    if (to_free) {
        bf_request_free(job->request);
        free(job);
    }
}

void bf_thread_count(size_t *live, size_t *held) {
    struct bf_thread *thread = current;
    *live = *held = 0;
    if (!thread || bf_thread_is_from_parent(thread))
        return;
    (void)pthread_mutex_lock(&thread->lock);
    *live = thread->live;
    *held = thread->held;
    (void)pthread_mutex_unlock(&thread->lock);
}
