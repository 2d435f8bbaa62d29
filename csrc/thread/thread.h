/* The engine on a thread of its own, one for each process: for a host that must
 * not be blocked. No other thread touches that engine, so names are looked up,
 * certificates read, TLS done, requests signed and replies read there. Jobs are
 * submitted under a lock that is never held during any of these. */
#ifndef BF_THREAD_H
#define BF_THREAD_H

#include "thread/completion_queue.h"

#pragma GCC visibility push(hidden)

/* This process's, made where there is none; NULL with `error` set to memory or
 * config. One that was made before a fork is the parent's and is left alone.
 * The thread itself is created with the first job, has all signals blocked, and
 * is joined when the process exits, unless the system keeps it from its end.
 * The struct is never freed. */
struct bf_thread *bf_thread_get(struct bf_error *error);

/* Was it made before a fork, and not in this process? Then nothing that
 * belongs to it may be touched. */
bool bf_thread_is_from_parent(const struct bf_thread *thread);

/* Submits a job, which will be found in `queue`. False with `error` set to
 * memory: the job is still the caller's. */
bool bf_thread_submit(struct bf_thread *thread,
                      struct bf_completion_queue *queue, struct bf_job *job,
                      struct bf_error *error);

/* Ends the holder's use of a job: cancels it where it is not done. The job must
 * not be used after that. Never waits. */
void bf_thread_release(struct bf_thread *thread, struct bf_job *job);

/* Counts this process's jobs: those that are not done, and those that are done
 * and not released. */
void bf_thread_count(size_t *live, size_t *held);

#pragma GCC visibility pop

#endif
