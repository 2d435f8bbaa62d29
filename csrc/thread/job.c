#include "thread/job.h"

#include <stdlib.h>

struct bf_job *bf_job_new(struct bf_request *request) {
    struct bf_job *job = calloc(1, sizeof *job);
    if (!job) {
        bf_request_free(request);
        return NULL;
    }
    bf_list_init(&job->link);
    atomic_init(&job->state, BF_JOB_QUEUED);
    job->request = request;
    return job;
}

void bf_job_start(struct bf_job *job, struct bf_engine *engine) {
    job->exchange = bf_engine_start(engine, job->request, &job->error);
    job->request = NULL;
}

bool bf_job_is_over(const struct bf_job *job) {
    return !job->exchange || job->exchange->state == BF_EXCHANGE_DONE;
}

void bf_job_wipe(struct bf_job *job) {
    bf_request_free(job->request);
    job->request = NULL;
    if (job->exchange)
        bf_exchange_reset(job->exchange);
}

void bf_job_free(struct bf_job *job, struct bf_engine *engine) {
    bf_list_remove(&job->link);
    if (engine && job->exchange)
        bf_engine_release(engine, job->exchange);
    bf_request_free(job->request);
    free(job);
}
