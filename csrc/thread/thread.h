/* The engine on a thread of its own, one for each process: for a host that must
 * not be kept waiting. The thread alone touches its engine, so that looking up
 * names, reading certificates, TLS, signing and reading replies are all done
 * there. Jobs are handed in under a lock that is never held meanwhile. Knows no
 * Lua. */
#ifndef BF_THREAD_H
#define BF_THREAD_H

#include "thread/job.h"

#pragma GCC visibility push(hidden)

struct bf_thread;

/* This process's, made where there is none; NULL with `error` set to memory.
 * The one from before a fork is the parent's and is left alone. The thread
 * itself begins with the first job, has all signals blocked, and is joined
 * when the process exits, if it ends then. It lasts as long as the process. */
struct bf_thread *bf_thread_get(struct bf_error *error);

/* Was it made before a fork, and not in this process? Then nothing that
 * belongs to it may be touched. */
bool bf_thread_is_from_parent(const struct bf_thread *thread);

/* Where one Lua state's jobs are found when they are done; NULL: no memory. */
struct bf_outbox *bf_outbox_new(void);
void bf_outbox_free(struct bf_thread *thread, struct bf_outbox *outbox);

/* Takes the ids of jobs that became done since the last time; returns how many
 * were taken, which is less than `max` once all were. */
size_t bf_outbox_take(struct bf_thread *thread, struct bf_outbox *outbox,
                      double *ids, size_t max);

/* Hands a job in. False with `error` set to memory where it was not taken. */
bool bf_thread_begin(struct bf_thread *thread, struct bf_outbox *outbox,
                     struct bf_job *job, struct bf_error *error);

/* The holder is through with the job, done or not. Never waits. */
void bf_thread_drop(struct bf_thread *thread, struct bf_job *job);

/* One outbox of a process can have a bell that rings when something comes into
 * it while it is empty (see channel.h). The path to connect to, soon: an offer
 * that nobody takes is made anew. NULL where another has the bell, or no path
 * can be made. */
const char *bf_bell_offer(struct bf_thread *thread, struct bf_outbox *outbox);

/* To be called once the host has tried to connect: is there a bell now? What
 * came before it did not ring, so the outbox must be looked into then. Nothing
 * changes where `path` is not the last one offered; NULL: whichever it is. */
bool bf_bell_accept(struct bf_thread *thread, struct bf_outbox *outbox,
                    const char *path);

/* The host sees the end of the connection. */
void bf_bell_close(struct bf_thread *thread, struct bf_outbox *outbox);

/* This process's jobs on their way, and the done ones that are still held. */
void bf_thread_count(size_t *live, size_t *held);

#pragma GCC visibility pop

#endif
