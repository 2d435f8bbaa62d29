#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* pthread_setname_np */
#endif

#include "thread/state.h"

#include <openssl/crypto.h>

/* Under the lock. Moves the jobs that were submitted and returned to lists of
 * the caller's. False: the process exits, and nothing more is to be started. */
static bool take(struct bf_thread *thread, struct bf_link *submitted,
                 struct bf_link *returned) {
    struct bf_job *job;
    thread->woken = false;
    thread->returned_count = 0;
    while ((job = bf_list_first(&thread->returned)))
        bf_list_move(&job->link, returned);
    if (thread->stop) {
        atomic_store(&thread->state, BF_THREAD_ENDING);
        return false;
    }
    while ((job = bf_list_first(&thread->submitted))) {
        atomic_store(&job->state, BF_JOB_RUNNING);
        bf_list_move(&job->link, submitted);
    }
    return true;
}

/* Starts the jobs that were submitted and frees those that were returned.
 * False: the process exits. */
static bool take_submitted(struct bf_thread *thread, struct bf_engine *engine) {
    struct bf_link submitted, returned;
    struct bf_job *job;
    bool goes_on;
    bf_list_init(&submitted);
    bf_list_init(&returned);
    bf_thread_lock(thread);
    goes_on = take(thread, &submitted, &returned);
    bf_thread_unlock(thread);
    while ((job = bf_list_first(&returned)))
        bf_job_free(job, engine);
    while ((job = bf_list_first(&submitted))) {
        job->exchange = bf_engine_start(engine, job->request, &job->error);
        job->request = NULL;
        bf_list_move(&job->link, &thread->active);
    }
    return goes_on;
}

/* Under the lock. Returns a job that has a result or an error to its holder. */
static void complete(struct bf_thread *thread, struct bf_job *job) {
    thread->live--;
    thread->held++;
    atomic_store(&job->state, BF_JOB_DONE);
    bf_completion_queue_push(thread, job);
}

/* Completes the jobs that are over and frees the cancelled ones. */
static void complete_finished(struct bf_thread *thread,
                              struct bf_engine *engine) {
    struct bf_link cancelled, *at, *next;
    struct bf_job *job;
    bf_list_init(&cancelled);
    bf_thread_lock(thread);
    for (at = thread->active.next; at != &thread->active; at = next) {
        job = (struct bf_job *)at;
        next = at->next;
        if (atomic_load(&job->state) == BF_JOB_CANCELLED) {
            thread->live--;
            bf_list_move(at, &cancelled);
        } else if (!job->exchange || job->exchange->state == BF_EXCHANGE_DONE) {
            complete(thread, job);
        }
    }
    bf_thread_unlock(thread);
    while ((job = bf_list_first(&cancelled)))
        bf_job_free(job, engine);
}

/* There is no engine: every job gets that error, and the thread ends. For the
 * next job another thread is created. */
static void fail_submitted(struct bf_thread *thread,
                           const struct bf_error *error) {
    struct bf_job *job;
    bf_thread_lock(thread);
    while ((job = bf_list_first(&thread->submitted))) {
        job->error = *error;
        complete(thread, job);
    }
    atomic_store(&thread->state, BF_THREAD_ENDING);
    bf_thread_unlock(thread);
}

static void drive(struct bf_thread *thread, struct bf_engine *engine) {
    bf_engine_set_dedicated_thread(engine);
    bf_thread_lock(thread);
    thread->engine = engine;
    bf_thread_unlock(thread);
    while (take_submitted(thread, engine)) {
        (void)bf_engine_step(engine, 0);
        complete_finished(thread, engine);
        bf_engine_wait(engine);
    }
}

void *bf_worker_run(void *argument) {
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
