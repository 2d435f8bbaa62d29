/* The fields of the thread, and its lock: for the files of this room alone. */
#ifndef BF_THREAD_STATE_H
#define BF_THREAD_STATE_H

#include "thread/thread.h"

#include <pthread.h>
#include <sys/types.h>

#pragma GCC visibility push(hidden)

/* The host sets RUNNING and NONE, the thread ENDING and ENDED. RUNNING and
 * ENDING are set under the lock, so that a job can be submitted only while the
 * thread takes jobs. */
enum bf_thread_state {
    BF_THREAD_NONE,    /* not created yet, or joined */
    BF_THREAD_RUNNING, /* takes what is submitted */
    BF_THREAD_ENDING,  /* takes nothing more */
    BF_THREAD_ENDED    /* has only to return: a join does not wait */
};

struct bf_thread {
    pid_t pid;
    unsigned forks;        /* how many were counted when it was made */
    struct bf_link active; /* jobs that were started; the thread's alone */
    _Atomic(enum bf_thread_state) state;
    pthread_t id;

    pthread_mutex_t lock;     /* over all that follows */
    bool stop;                /* the process exits */
    bool woken;               /* was woken, and has not taken since */
    struct bf_engine *engine; /* NULL: not made yet; others may wake it only */
    struct bf_link submitted;
    struct bf_link returned;
    size_t returned_count;
    double last_id;
    size_t live, held; /* submitted and not done; done and not released */
    struct bf_notifier notifier;
    struct bf_completion_queue *notified_queue; /* whose notifier it is */
};

static inline void bf_thread_lock(struct bf_thread *thread) {
    (void)pthread_mutex_lock(&thread->lock);
}

static inline void bf_thread_unlock(struct bf_thread *thread) {
    (void)pthread_mutex_unlock(&thread->lock);
}

/* What the thread runs. `thread` is a struct bf_thread. Returns NULL. */
void *bf_worker_run(void *thread);

/* Under the lock. Moves a job to the end of its queue; notifies the host where
 * it was not notified since it last took from the queue. */
void bf_completion_queue_push(struct bf_thread *thread, struct bf_job *job);

#pragma GCC visibility pop

#endif
