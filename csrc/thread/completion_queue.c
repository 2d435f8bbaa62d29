#include "thread/completion_queue.h"

#include "thread/state.h"

#include <stdlib.h>
#include <string.h>

struct bf_completion_queue {
    struct bf_link done;
    size_t refs;   /* its owner's, and one for each job that is held */
    bool notified; /* the host was, and has not taken from the queue since */
};

struct bf_completion_queue *bf_completion_queue_new(void) {
    struct bf_completion_queue *queue = calloc(1, sizeof *queue);
    if (!queue)
        return NULL;
    bf_list_init(&queue->done);
    queue->refs = 1;
    return queue;
}

void bf_completion_queue_ref(struct bf_completion_queue *queue) {
    queue->refs++;
}

void bf_completion_queue_unref(struct bf_completion_queue *queue) {
    if (--queue->refs == 0)
        free(queue);
}

void bf_completion_queue_push(struct bf_thread *thread, struct bf_job *job) {
    struct bf_completion_queue *queue = job->queue;
    bf_list_move(&job->link, &queue->done);
    if (queue == thread->notified_queue && !queue->notified)
        queue->notified = bf_notifier_notify(&thread->notifier);
}

size_t bf_completion_queue_take(struct bf_thread *thread,
                                struct bf_completion_queue *queue, double *ids,
                                size_t max) {
    struct bf_job *job;
    size_t count = 0;
    bf_thread_lock(thread);
    while (count < max && (job = bf_list_first(&queue->done))) {
        bf_list_remove(&job->link);
        ids[count++] = job->id;
    }
    queue->notified = count == max; /* the host goes on taking */
    bf_thread_unlock(thread);
    return count;
}

bool bf_completion_queue_listen(struct bf_thread *thread,
                                struct bf_completion_queue *queue,
                                char path[BF_NOTIFIER_PATH]) {
    bool listens;
    bf_thread_lock(thread);
    listens = (!thread->notified_queue ||
               bf_notifier_is_expired(&thread->notifier)) &&
              bf_notifier_listen(&thread->notifier);
    if (listens) {
        thread->notified_queue = queue;
        memcpy(path, thread->notifier.path, BF_NOTIFIER_PATH);
    }
    bf_thread_unlock(thread);
    return listens;
}

bool bf_completion_queue_accept(struct bf_thread *thread,
                                struct bf_completion_queue *queue,
                                const char *path) {
    bool accepted = false;
    bf_thread_lock(thread);
    if (thread->notified_queue == queue &&
        (!path || strcmp(path, thread->notifier.path) == 0)) {
        accepted = bf_notifier_accept(&thread->notifier);
        if (!accepted)
            thread->notified_queue = NULL;
        queue->notified = false;
    }
    bf_thread_unlock(thread);
    return accepted;
}

/* Under the lock. */
static void close_notifier(struct bf_thread *thread,
                           const struct bf_completion_queue *queue) {
    if (thread->notified_queue != queue)
        return;
    bf_notifier_close(&thread->notifier);
    thread->notified_queue = NULL;
}

void bf_completion_queue_close(struct bf_thread *thread,
                               struct bf_completion_queue *queue) {
    bf_thread_lock(thread);
    close_notifier(thread, queue);
    bf_thread_unlock(thread);
}

void bf_completion_queue_free(struct bf_thread *thread,
                              struct bf_completion_queue *queue) {
    bf_thread_lock(thread);
    close_notifier(thread, queue);
    bf_completion_queue_unref(queue);
    bf_thread_unlock(thread);
}
