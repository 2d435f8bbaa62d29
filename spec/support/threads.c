/* usage: threads URL CA_FILE
 *
 * Several threads of a host use the engine's thread at the same time, without
 * Lua: each submits jobs to a queue of its own, cancels some of them, and waits
 * for the others. One of them is notified by a connection. Prints how many
 * jobs were neither right nor cancelled, how many queues were notified, how
 * many jobs are left, and what a job is told that is submitted when the process
 * exits. */

#include "base/clock.h"
#include "thread/thread.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HOSTS = 4, ROUNDS = 30, JOBS = 6 };

struct host {
    pthread_t id;
    struct bf_completion_queue *queue;
    struct bf_client *client;
    int fd; /* of the notifier's connection, or -1 */
    unsigned random;
};

static const char *url, *ca_file;
static atomic_uint wrong, notified;

static void die(const char *what) {
    (void)printf("%s\n", what);
    _exit(1);
}

static struct bf_thread *engine_thread(void) {
    struct bf_error error = {.kind = BF_OK};
    struct bf_thread *thread = bf_thread_get(&error);
    if (!thread)
        die(error.text);
    return thread;
}

static struct bf_client *new_client(void) {
    const struct bf_client_options options = {.base_url = url,
                                              .ca_file = ca_file,
                                              .user_agent = "spec",
                                              .connect_timeout = 10,
                                              .max_body = 100000};
    const struct bf_credential_names names = {"key", "secret"};
    struct bf_error error = {.kind = BF_OK};
    struct bf_client *client = bf_client_new(&options, &error);
    if (!client ||
        !bf_client_credentials(client, bf_span_of("key-of-spec"),
                               bf_span_of("secret-of-spec"), &names, &error))
        die(error.text);
    return client;
}

static struct bf_request *new_request(struct bf_client *client) {
    struct bf_request *request = bf_request_new(
        client, client->credentials, bf_span_of("/v1/account/balances"),
        bf_span_of(""), bf_span_of(""));
    if (request)
        request->deadline = bf_now() + 30;
    else
        die("no memory");
    return request;
}

static struct bf_job *submit(struct host *host) {
    struct bf_error error = {.kind = BF_OK};
    struct bf_job *job = bf_thread_submit(engine_thread(), host->queue,
                                          new_request(host->client), &error);
    if (!job)
        die(error.text);
    return job;
}

static bool is_done(const struct bf_job *job) {
    return atomic_load(&job->state) == BF_JOB_DONE;
}

/* Connects to the notifier where no other queue has it. */
static void listen_to(struct host *host) {
    struct bf_thread *thread = engine_thread();
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    char path[BF_NOTIFIER_PATH];
    if (!bf_completion_queue_listen(thread, host->queue, path))
        return;
    memcpy(name.sun_path, path, sizeof path);
    host->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (host->fd < 0 || connect(host->fd, (void *)&name, sizeof name) != 0 ||
        !bf_completion_queue_accept(thread, host->queue, path))
        die("no connection");
    (void)atomic_fetch_add(&notified, 1);
}

/* Waits for a byte where there is a connection, else for a moment. */
static void wait_for_some(struct host *host) {
    static const struct timespec moment = {.tv_nsec = 200000};
    struct pollfd look = {.fd = host->fd, .events = POLLIN};
    char bytes[16];
    double ids[2];
    if (host->fd < 0)
        (void)nanosleep(&moment, NULL);
    else if (poll(&look, 1, 20000) != 1 || read(host->fd, bytes, 16) < 1)
        die("not notified");
    while (bf_completion_queue_take(engine_thread(), host->queue, ids, 2) == 2)
        continue;
}

static void wait_for(struct host *host, const struct bf_job *job) {
    double last = bf_now() + 30;
    while (!is_done(job) && bf_now() < last)
        wait_for_some(host);
    if (!is_done(job) || !job->exchange ||
        job->exchange->result.error.kind != BF_OK ||
        job->exchange->result.reply.status_code != BF_SUCCESS)
        (void)atomic_fetch_add(&wrong, 1);
}

static void run_round(struct host *host) {
    struct bf_thread *thread = engine_thread();
    struct bf_job *jobs[JOBS];
    for (int i = 0; i < JOBS; i++)
        jobs[i] = submit(host);
    for (int i = 0; i < JOBS; i++) {
        if (rand_r(&host->random) % 3 != 0)
            wait_for(host, jobs[i]);
        bf_thread_release(thread, jobs[i]);
    }
}

static void open_host(struct host *host) {
    host->queue = bf_completion_queue_new();
    host->client = new_client();
    host->fd = -1;
    if (!host->queue)
        die("no memory");
}

static void close_host(struct host *host) {
    bf_client_close(host->client);
    bf_client_unref(host->client);
    bf_completion_queue_free(engine_thread(), host->queue);
    if (host->fd >= 0)
        (void)close(host->fd);
}

static void *run_host(void *argument) {
    struct host *host = argument;
    open_host(host);
    listen_to(host);
    for (int i = 0; i < ROUNDS; i++)
        run_round(host);
    close_host(host);
    return NULL;
}

/* Releases a job that is done, and whose id was not taken, after its queue.
 * glibc ends the process where memory that was freed has been written to. */
static void outlive_queue(void) {
    static const struct timespec moment = {.tv_nsec = 1000000};
    struct host host;
    struct bf_job *job;
    void *volatile blocks[4];
    open_host(&host);
    job = submit(&host);
    while (!is_done(job))
        (void)nanosleep(&moment, NULL);
    close_host(&host);
    bf_thread_release(engine_thread(), job);
    for (int i = 0; i < 4; i++)
        blocks[i] = malloc(4 * sizeof(void *));
    for (int i = 0; i < 4; i++)
        free(blocks[i]);
}

static void print_left(void) {
    static const struct timespec moment = {.tv_nsec = 1000000};
    double last = bf_now() + 10;
    size_t live, held;
    do {
        (void)nanosleep(&moment, NULL);
        bf_thread_count(&live, &held);
    } while (live + held > 0 && bf_now() < last);
    (void)printf("%u wrong, %u notified, %zu live, %zu held\n", wrong, notified,
                 live, held);
}

static struct host last_host;
static struct bf_request *last_request;

/* Runs after the engine's thread was stopped, since it is registered first. */
static void submit_at_exit(void) {
    struct bf_error error = {.kind = BF_OK};
    if (bf_thread_submit(engine_thread(), last_host.queue, last_request,
                         &error))
        die("submitted");
    (void)printf("%s\n", error.text);
    close_host(&last_host);
}

static void run_hosts(void) {
    struct host hosts[HOSTS];
    for (unsigned i = 0; i < HOSTS; i++) {
        hosts[i].random = i;
        if (pthread_create(&hosts[i].id, NULL, run_host, &hosts[i]) != 0)
            die("no thread");
    }
    for (int i = 0; i < HOSTS; i++)
        (void)pthread_join(hosts[i].id, NULL);
}

int main(int argc, char **argv) {
    if (argc != 3 || atexit(submit_at_exit) != 0)
        return 2;
    url = argv[1];
    ca_file = argv[2];
    (void)engine_thread();
    open_host(&last_host);
    last_request = new_request(last_host.client);
    outlive_queue();
    run_hosts();
    print_left();
    return 0;
}
