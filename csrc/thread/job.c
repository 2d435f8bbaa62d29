#include "thread/job.h"

#include "http/result.h"

#include <stdlib.h>
#include <string.h>

static struct bf_span copy(char *to, struct bf_span text) {
    memcpy(to, text.text, text.len);
    return (struct bf_span){to, text.len};
}

struct bf_job *bf_job_new(struct bf_client *client,
                          const struct bf_request *request,
                          enum bf_expect expect, enum bf_amounts amounts) {
    size_t path = request->path.len, query = request->query.len;
    struct bf_job *job = malloc(sizeof *job + path + query);
    if (!job)
        return NULL;
    memset(job, 0, sizeof *job);
    bf_list_init(&job->link);
    atomic_init(&job->state, BF_JOB_QUEUED);
    job->expect = expect;
    job->amounts = amounts;
    job->client = bf_client_ref(client);
    if (request->credentials)
        job->credentials = bf_credentials_ref(request->credentials);
    job->request = *request;
    job->request.path = copy(job->text, request->path);
    job->request.query = copy(job->text + path, request->query);
    return job;
}

static void unref(struct bf_job *job) {
    bf_credentials_unref(job->credentials);
    bf_client_unref(job->client);
    job->credentials = NULL;
    job->client = NULL;
}

void bf_job_start(struct bf_job *job, struct bf_engine *engine) {
    job->transfer =
        bf_engine_start(engine, job->client, &job->request, &job->error);
    if (job->transfer)
        unref(job);
}

bool bf_job_is_over(const struct bf_job *job) {
    return !job->transfer || job->transfer->state != BF_RUNNING;
}

/* An abandoned transfer is still libcurl's, and has nothing but an error. */
void bf_job_read(struct bf_job *job, struct bf_engine *engine) {
    struct bf_transfer *t = job->transfer;
    if (!t)
        return;
    bf_outcome_read(t, job->expect, job->amounts);
    if (t->state == BF_DONE)
        return;
    job->error = t->error;
    job->transfer = NULL;
    bf_engine_drop(engine, t);
}

/* The reset makes the transfer idle, but it is not in the engine's pool. */
void bf_job_wipe(struct bf_job *job) {
    unref(job);
    if (!job->transfer)
        return;
    bf_transfer_reset(job->transfer);
    job->transfer->state = BF_DONE;
}

void bf_job_free(struct bf_job *job, struct bf_engine *engine) {
    bf_list_remove(&job->link);
    if (job->transfer)
        bf_engine_drop(engine, job->transfer);
    unref(job);
    free(job);
}
