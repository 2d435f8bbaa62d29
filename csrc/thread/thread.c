#include "thread/state.h"

#include "base/clock.h"
#include "base/openssl_check.h"

#include <openssl/crypto.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STACK (1024L * 1024)
#define RETURNED_MAX 64    /* returned jobs for which the thread is not woken */
#define LONGEST_JOIN 5.0   /* s, when the process exits */
#define JOIN_TO_RESTART .1 /* s */

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
    created =
        pthread_create(&thread->id, &attributes, bf_worker_run, thread) == 0;
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
    bf_thread_lock(thread);
    thread->stop = true;
    bf_notifier_close(&thread->notifier);
    if (thread->engine) /* where waking fails, its wait ends within a second */
        (void)bf_engine_wake(thread->engine);
    bf_thread_unlock(thread);
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
    bf_list_init(&thread->returned);
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

struct bf_completion_queue {
    struct bf_link done;
    size_t refs;   /* its owner's, and one for each job that is held */
    bool notified; /* the host was, and has not taken from the queue since */
};

/* Under the lock. */
static void unref(struct bf_completion_queue *queue) {
    if (--queue->refs == 0)
        free(queue);
}

struct bf_completion_queue *bf_completion_queue_new(void) {
    struct bf_completion_queue *queue = calloc(1, sizeof *queue);
    if (!queue)
        return NULL;
    bf_list_init(&queue->done);
    queue->refs = 1;
    return queue;
}

void bf_completion_queue_push(struct bf_thread *thread, struct bf_job *job) {
    struct bf_completion_queue *queue = job->queue;
    bf_list_move(&job->link, &queue->done);
    if (queue == thread->notified_queue && !queue->notified)
        queue->notified = bf_notifier_notify(&thread->notifier);
}

size_t bf_completion_queue_take(struct bf_thread *thread,
                                struct bf_completion_queue *queue, double *ids,
                                size_t max) {
    struct bf_job *job;
    size_t count = 0;
    bf_thread_lock(thread);
    while (count < max && (job = bf_list_first(&queue->done))) {
        bf_list_remove(&job->link);
        ids[count++] = job->id;
    }
    queue->notified = count == max; /* the host takes more */
    bf_thread_unlock(thread);
    return count;
}

bool bf_completion_queue_listen(struct bf_thread *thread,
                                struct bf_completion_queue *queue,
                                char path[BF_NOTIFIER_PATH]) {
    bool listens;
    bf_thread_lock(thread);
    listens = (!thread->notified_queue ||
               bf_notifier_is_expired(&thread->notifier)) &&
              bf_notifier_listen(&thread->notifier);
    if (listens) {
        thread->notified_queue = queue;
        memcpy(path, thread->notifier.path, BF_NOTIFIER_PATH);
    }
    bf_thread_unlock(thread);
    return listens;
}

bool bf_completion_queue_accept(struct bf_thread *thread,
                                struct bf_completion_queue *queue,
                                const char *path) {
    bool accepted = false;
    bf_thread_lock(thread);
    if (thread->notified_queue == queue &&
        (!path || strcmp(path, thread->notifier.path) == 0)) {
        accepted = bf_notifier_accept(&thread->notifier);
        if (!accepted)
            thread->notified_queue = NULL;
        queue->notified = false;
    }
    bf_thread_unlock(thread);
    return accepted;
}

void bf_completion_queue_close(struct bf_thread *thread,
                               struct bf_completion_queue *queue) {
    bf_thread_lock(thread);
    if (thread->notified_queue == queue) {
        bf_notifier_close(&thread->notifier);
        thread->notified_queue = NULL;
    }
    bf_thread_unlock(thread);
}

void bf_completion_queue_free(struct bf_thread *thread,
                              struct bf_completion_queue *queue) {
    bf_completion_queue_close(thread, queue);
    bf_thread_lock(thread);
    unref(queue);
    bf_thread_unlock(thread);
}

/* ---- jobs ---- */

struct bf_job *bf_job_new(struct bf_request *request) {
    struct bf_job *job = calloc(1, sizeof *job);
    if (!job) {
        bf_request_free(request);
        return NULL;
    }
    bf_list_init(&job->link);
    job->request = request;
    return job;
}

void bf_job_free(struct bf_job *job, struct bf_engine *engine) {
    bf_list_remove(&job->link);
    if (engine && job->exchange)
        bf_engine_release(engine, job->exchange);
    bf_request_free(job->request);
    free(job);
}

/* Wipes the secrets and the reply of a job that is done. Called by its holder,
 * so that they do not wait for the thread. */
static void wipe(struct bf_job *job) {
    bf_request_free(job->request);
    job->request = NULL;
    if (job->exchange)
        bf_exchange_reset(job->exchange);
}

/* Under the lock: the engine to wake once the lock is released; NULL where the
 * thread was woken already. */
static struct bf_engine *engine_to_wake(struct bf_thread *thread) {
    if (thread->woken || thread->stop)
        return NULL;
    thread->woken = true;
    return thread->engine;
}

/* Without the lock. Where waking fails, the thread's wait ends within a
 * second. */
static void wake(struct bf_thread *thread, struct bf_engine *engine) {
    if (!engine || bf_engine_wake(engine))
        return;
    bf_thread_lock(thread);
    thread->woken = false;
    bf_thread_unlock(thread);
}

bool bf_thread_submit(struct bf_thread *thread,
                      struct bf_completion_queue *queue, struct bf_job *job,
                      struct bf_error *error) {
    struct bf_engine *engine = NULL;
    bool running;
    bf_thread_lock(thread);
    running = ensure_running(thread, error);
    if (running) {
        job->id = ++thread->last_id;
        job->queue = queue;
        queue->refs++;
        bf_list_insert_before(&thread->submitted, &job->link);
        thread->live++;
        engine = engine_to_wake(thread);
    }
    bf_thread_unlock(thread);
    wake(thread, engine);
    return running;
}

/* Under the lock. The thread frees the job when it next runs; it is woken for
 * many such jobs only. Returns as engine_to_wake. */
static struct bf_engine *return_job(struct bf_thread *thread,
                                    struct bf_job *job) {
    thread->held--;
    atomic_store(&job->state, BF_JOB_RETURNED);
    bf_list_move(&job->link, &thread->returned);
    return ++thread->returned_count < RETURNED_MAX ? NULL
                                                   : engine_to_wake(thread);
}

void bf_thread_release(struct bf_thread *thread, struct bf_job *job) {
    struct bf_engine *engine = NULL;
    enum bf_job_state state;
    if (atomic_load(&job->state) == BF_JOB_DONE)
        wipe(job);
    bf_thread_lock(thread);
    state = atomic_load(&job->state);
    unref(job->queue);
    if (state == BF_JOB_DONE) {
        engine = return_job(thread, job);
    } else if (state == BF_JOB_RUNNING) {
        atomic_store(&job->state, BF_JOB_CANCELLED);
        engine = engine_to_wake(thread);
    } else {
        bf_list_remove(&job->link);
        thread->live--;
    }
    bf_thread_unlock(thread);
    if (state == BF_JOB_QUEUED)
        bf_job_free(job, NULL);
    wake(thread, engine);
}

void bf_thread_count(size_t *live, size_t *held) {
    struct bf_thread *thread = current;
    *live = *held = 0;
    if (!thread || bf_thread_is_from_parent(thread))
        return;
    bf_thread_lock(thread);
    *live = thread->live;
    *held = thread->held;
    bf_thread_unlock(thread);
}
