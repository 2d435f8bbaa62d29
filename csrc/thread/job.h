/* A job: one attempt that is handed to the engine's thread, and comes back
 * with its outcome. Knows no Lua. */
#ifndef BF_JOB_H
#define BF_JOB_H

#include "http/engine.h"

#pragma GCC visibility push(hidden)

/* A place in a ring of which one member is the ring's own: whatever is in one
 * can be taken out without knowing in which. */
struct bf_link {
    struct bf_link *prev, *next;
};

static inline void bf_link_init(struct bf_link *link) {
    link->prev = link->next = link;
}

static inline bool bf_link_alone(const struct bf_link *link) {
    return link->next == link;
}

static inline void bf_link_out(struct bf_link *link) {
    link->prev->next = link->next;
    link->next->prev = link->prev;
    bf_link_init(link);
}

/* Puts a lone link before another: at the end of the ring that is `at`'s. */
static inline void bf_link_before(struct bf_link *at, struct bf_link *link) {
    link->prev = at->prev;
    link->next = at;
    at->prev->next = link;
    at->prev = link;
}

struct bf_outbox;

struct bf_job {
    struct bf_link link; /* first: a job is found by its link */
    double id;           /* counts up, exact in a double */
    struct bf_outbox *outbox;
    struct bf_client *client; /* references, until the engine has its own */
    struct bf_credentials *credentials;
    struct bf_request request; /* its texts are in `text` */
    enum bf_expect expect;
    enum bf_amounts amounts;
    bool taken;          /* by the thread */
    atomic_bool dropped; /* nobody holds it any more */
    atomic_bool done; /* the thread is through, the outcome is its holder's */
    bool parked;      /* and the transfer too, till it is given back */
    struct bf_transfer *transfer; /* NULL: not begun, or `error` says why */
    struct bf_error error;
    char text[]; /* path and query */
};

/* Of rings of jobs: the first one's, or NULL; and to a ring's end. */
static inline struct bf_job *bf_job_first(struct bf_link *ring) {
    return bf_link_alone(ring) ? NULL : (struct bf_job *)ring->next;
}

static inline void bf_job_move(struct bf_job *job, struct bf_link *ring) {
    bf_link_out(&job->link);
    bf_link_before(ring, &job->link);
}

static inline void bf_job_move_all(struct bf_link *from, struct bf_link *ring) {
    struct bf_job *job;
    while ((job = bf_job_first(from)))
        bf_job_move(job, ring);
}

/* Copies the request; takes references to client and credentials. NULL: no
 * memory. */
struct bf_job *bf_job_new(struct bf_client *client,
                          const struct bf_request *request,
                          enum bf_expect expect, enum bf_amounts amounts);

/* Frees a job that the engine's thread has not seen. */
void bf_job_free(struct bf_job *job);

/* What the engine's thread does with it. */
void bf_job_begin(struct bf_job *job, struct bf_engine *engine);
bool bf_job_over(const struct bf_job *job); /* nothing more comes of it */
void bf_job_read(struct bf_job *job);       /* its reply, once it is over */

/* What its holder does, once it is through with the outcome: secrets need not
 * wait for the thread to come by. */
void bf_job_wipe(struct bf_job *job);

/* The thread's last: takes it out of its ring too. */
void bf_job_end(struct bf_job *job, struct bf_engine *engine);

#pragma GCC visibility pop

#endif
