/* A job: one attempt that is handed to the engine's thread, and that returns
 * with its result. */
#ifndef BF_JOB_H
#define BF_JOB_H

#include "base/list.h"
#include "http/engine.h"

#pragma GCC visibility push(hidden)

/* The host's thread holds a job from bf_thread_submit to bf_thread_release.
 * Every change of state is made under the lock of struct bf_thread:
 *
 *   from       to         by              when
 *   -          QUEUED     host            the job is submitted
 *   QUEUED     RUNNING    engine's thread the engine starts the attempt
 *   QUEUED     DONE       engine's thread there is no engine: `error` is set
 *   QUEUED     -          host            the job is released: freed at once
 *   RUNNING    DONE       engine's thread the attempt is over
 *   RUNNING    CANCELLED  host            the job is released
 *   DONE       RETURNED   host            the job is released
 *   CANCELLED  -          engine's thread ends the attempt, frees the job
 *   RETURNED   -          engine's thread frees the job
 *
 * What belongs to whom: the fields after `state` are the engine's thread's
 * while the job is RUNNING, CANCELLED or RETURNED, and the host's otherwise.
 * So the host may read the result as soon as it reads DONE, for which it needs
 * no lock; the engine's thread reads CANCELLED in the same way. */
enum bf_job_state {
    BF_JOB_QUEUED,    /* in the thread's `submitted` */
    BF_JOB_RUNNING,   /* in the thread's `active` */
    BF_JOB_DONE,      /* in its queue, until its id was taken from there */
    BF_JOB_CANCELLED, /* in the thread's `active` */
    BF_JOB_RETURNED   /* in the thread's `returned` */
};

struct bf_completion_queue;

struct bf_job {
    struct bf_link link; /* the first field, see bf_list_first */
    double id;           /* counts up, exact in a double */
    struct bf_completion_queue *queue;
    _Atomic(enum bf_job_state) state;
    struct bf_request *request;   /* until the engine takes it over */
    struct bf_exchange *exchange; /* NULL: not started, or `error` is set */
    struct bf_error error;
};

/* A queued job. Takes the request over in any case. NULL: no memory. */
struct bf_job *bf_job_new(struct bf_request *request);

/* Has the engine start the attempt. Called on the engine's thread. */
void bf_job_start(struct bf_job *job, struct bf_engine *engine);

/* Is the attempt over? Called on the engine's thread. */
bool bf_job_is_over(const struct bf_job *job);

/* Wipes the secrets and the reply of a job that is done. Called by its holder,
 * so that they do not wait for the thread. */
void bf_job_wipe(struct bf_job *job);

/* Takes the job out of its list, ends its attempt and frees it. Called on the
 * engine's thread; by the host, with NULL for the engine, where no engine has
 * started the job. */
void bf_job_free(struct bf_job *job, struct bf_engine *engine);

#pragma GCC visibility pop

#endif
