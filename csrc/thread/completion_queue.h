/* A completion queue: where one Lua state finds its jobs that are done, and how
 * its host is notified of them. */
#ifndef BF_COMPLETION_QUEUE_H
#define BF_COMPLETION_QUEUE_H

#include "thread/job.h"
#include "thread/notifier.h"

#pragma GCC visibility push(hidden)

struct bf_thread;
struct bf_completion_queue;

/* NULL: no memory. */
struct bf_completion_queue *bf_completion_queue_new(void);

/* Closes its notifier. The memory is freed once no job needs it. */
void bf_completion_queue_free(struct bf_thread *thread,
                              struct bf_completion_queue *queue);

/* Takes the ids of jobs that became done since the last time. Returns how many
 * were taken; fewer than `max`: there are no more. */
size_t bf_completion_queue_take(struct bf_thread *thread,
                                struct bf_completion_queue *queue, double *ids,
                                size_t max);

/* One queue of a process can have the notifier, which sends a byte when a job
 * comes into the queue while it is empty. Writes the path that the host is to
 * connect to, within 2 s: a path that nobody connected to is replaced by the
 * next call. False where another queue has the notifier, or where no path can
 * be made. */
bool bf_completion_queue_listen(struct bf_thread *thread,
                                struct bf_completion_queue *queue,
                                char path[BF_NOTIFIER_PATH]);

/* To be called once the host has tried to connect. True: the host is notified
 * from now on, and has to take what became done before. False: there is no
 * connection, or `path` is not the latest one of this queue, and then nothing
 * changes. NULL for `path` is the latest one. */
bool bf_completion_queue_accept(struct bf_thread *thread,
                                struct bf_completion_queue *queue,
                                const char *path);

/* Ends the connection, which the host sees. */
void bf_completion_queue_close(struct bf_thread *thread,
                               struct bf_completion_queue *queue);

/* ---- for this room; to be called under the thread's lock ---- */

void bf_completion_queue_ref(struct bf_completion_queue *queue);
void bf_completion_queue_unref(struct bf_completion_queue *queue);

/* Moves a job to the end of its queue; notifies the host where it was not
 * notified since it last took from the queue. */
void bf_completion_queue_push(struct bf_thread *thread, struct bf_job *job);

#pragma GCC visibility pop

#endif
