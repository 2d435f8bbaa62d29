/* The engine on a thread of its own, one for each process: for a host that must
 * not be blocked. No other thread touches that engine, so names are looked up,
 * certificates read, TLS done, requests signed and replies read there. Jobs are
 * submitted under a lock that is never held during any of these. */
#ifndef BF_THREAD_H
#define BF_THREAD_H

#include "base/list.h"
#include "http/engine.h"
#include "thread/notifier.h"

#pragma GCC visibility push(hidden)

struct bf_thread;
struct bf_completion_queue;

/* This process's, made where there is none; NULL with `error` set to memory or
 * config. The one made before a fork is the parent's and is not used. The
 * thread itself is created with the first job, has all signals blocked, and is
 * joined when the process exits, unless it does not end within 5 s. The struct
 * is never freed. */
struct bf_thread *bf_thread_get(struct bf_error *error);

/* Was it made before a fork? Then nothing that belongs to it may be touched. */
bool bf_thread_is_from_parent(const struct bf_thread *thread);

/* Counts this process's jobs: those that are not done, and those that are done
 * and not released. */
void bf_thread_count(size_t *live, size_t *held);

/* ---- jobs ---- */

/* A job is one attempt that the engine's thread makes for the host. The host's
 * thread holds it from bf_thread_submit to bf_thread_release. Every change of
 * state is made under the lock of struct bf_thread:
 *
 *   from       to         by              when
 *   -          QUEUED     host            the job is submitted
 *   QUEUED     RUNNING    engine's thread the engine starts the attempt
 *   QUEUED     DONE       engine's thread there is no engine: `error` is set
 *   QUEUED     -          host            the job is released: freed at once
 *   RUNNING    DONE       engine's thread the attempt is over
 *   RUNNING    CANCELLED  host            the job is released
 *   DONE       RETURNED   host            the job is released
 *   DONE       -          host            the same, where there is no exchange
 *   CANCELLED  -          engine's thread ends the attempt, frees the job
 *   RETURNED   -          engine's thread keeps the exchange, frees the job
 *
 * The fields after `state` belong to the engine's thread while the job is
 * RUNNING, CANCELLED or RETURNED, and to the host otherwise. So the host may
 * read the result as soon as it reads DONE, for which it needs no lock. */
enum bf_job_state {
    BF_JOB_QUEUED,    /* in the thread's `submitted` */
    BF_JOB_RUNNING,   /* in the thread's `active` */
    BF_JOB_DONE,      /* in its queue, until its id was taken from there */
    BF_JOB_CANCELLED, /* in the thread's `active` */
    BF_JOB_RETURNED   /* in `submitted`, then in `active` */
};

struct bf_job {
    struct bf_link link; /* the first field, see bf_list_first */
    double id;           /* counts up, exact in a double */
    struct bf_completion_queue *queue;
    _Atomic(enum bf_job_state) state;
    struct bf_request *request;   /* until the engine takes it over */
    struct bf_exchange *exchange; /* NULL: not started, or `error` is set */
    struct bf_error error;
};

/* Submits a job for the request, which it takes over in any case. The job will
 * be found in `queue`. NULL with `error` set to memory. */
struct bf_job *bf_thread_submit(struct bf_thread *thread,
                                struct bf_completion_queue *queue,
                                struct bf_request *request,
                                struct bf_error *error);

/* Ends the holder's use of a job: cancels it where it is not done. Never waits.
 */
void bf_thread_release(struct bf_thread *thread, struct bf_job *job);

/* ---- completion queues ---- */

/* A completion queue is where one Lua state finds its jobs that are done, and
 * by which its host is notified of them. NULL: no memory. */
struct bf_completion_queue *bf_completion_queue_new(void);

/* Closes its notifier. The memory is freed once no job needs it. */
void bf_completion_queue_free(struct bf_thread *thread,
                              struct bf_completion_queue *queue);

/* Takes the ids of jobs that became done since the last time. Returns how many;
 * fewer than `max`: there are no more. */
size_t bf_completion_queue_take(struct bf_thread *thread,
                                struct bf_completion_queue *queue, double *ids,
                                size_t max);

/* One queue of a process can have the notifier, which sends a byte when a job
 * comes into the queue while it is empty. Writes the path that the host is to
 * connect to within 2 s; the next call replaces a path without a connection.
 * False where another queue has the notifier, or where no path can be made. */
bool bf_completion_queue_listen(struct bf_thread *thread,
                                struct bf_completion_queue *queue,
                                char path[BF_NOTIFIER_PATH]);

/* To be called once the host has tried to connect to `path`; NULL is the latest
 * one. True: the host is notified from now on, and has to take what became done
 * before. False: there is no connection, or `path` is not this queue's latest
 * one, and then nothing changes. */
bool bf_completion_queue_accept(struct bf_thread *thread,
                                struct bf_completion_queue *queue,
                                const char *path);

/* Ends the connection, which the host sees. */
void bf_completion_queue_close(struct bf_thread *thread,
                               struct bf_completion_queue *queue);

#pragma GCC visibility pop

#endif
