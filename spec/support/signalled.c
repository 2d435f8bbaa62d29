/* usage: signalled URL CALLS
 *
 * Makes calls while the process gets many signals, by the engine and without
 * Lua. Prints how many succeeded; 1 if 10,000 signals came (less of SIGPIPE,
 * which the engine holds back while it runs); and whether the handlers and the
 * mask are the "same" or "changed". */

#include "base/clock.h"
#include "http/engine.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

static volatile sig_atomic_t alarms, children, pipes;

static void count(int number) {
    if (number == SIGALRM) {
        alarms++;
        (void)raise(SIGCHLD);
        (void)raise(SIGPIPE);
    } else if (number == SIGCHLD) {
        children++;
    } else {
        pipes++;
    }
}

static const int numbers[] = {SIGALRM, SIGCHLD, SIGPIPE};
enum { NUMBERS = sizeof numbers / sizeof *numbers };

static void install(void) {
    struct sigaction action = {.sa_handler = count};
    for (size_t i = 0; i < NUMBERS; i++)
        (void)sigaction(numbers[i], &action, NULL);
}

static bool is_same(const sigset_t *mask_before) {
    sigset_t mask;
    (void)sigprocmask(SIG_SETMASK, NULL, &mask);
    for (int i = 1; i < SIGRTMAX; i++)
        if (sigismember(&mask, i) != sigismember(mask_before, i))
            return false;
    for (size_t i = 0; i < NUMBERS; i++) {
        struct sigaction action;
        (void)sigaction(numbers[i], NULL, &action);
        if (action.sa_handler != count)
            return false;
    }
    return true;
}

static void rain(long microseconds) {
    struct itimerval timer = {
        {0, microseconds},
        {0, microseconds}
    };
    (void)setitimer(ITIMER_REAL, &timer, NULL);
}

static bool call(struct bf_engine *engine, struct bf_client *client) {
    struct bf_request *request =
        bf_request_new(client, NULL, bf_span_of("/v1/public/time"),
                       bf_span_of(""), bf_span_of(""));
    struct bf_error error = {.kind = BF_OK};
    struct bf_exchange *x;
    bool ok;
    if (!request)
        return false;
    request->expect = BF_PUBLIC;
    request->deadline = bf_now() + 30;
    x = bf_engine_start(engine, request, &error);
    if (!x)
        return false;
    while (x->state != BF_EXCHANGE_DONE)
        (void)bf_engine_step(engine, 60);
    ok = x->result.error.kind == BF_OK && x->result.body.len > 0;
    if (!ok)
        (void)fprintf(stderr, "%s\n", x->result.error.text);
    bf_engine_release(engine, x);
    return ok;
}

int main(int argc, char **argv) {
    struct bf_error error = {.kind = BF_OK};
    struct bf_client_options options = {.base_url = argv[1],
                                        .user_agent = "signalled",
                                        .connect_timeout = 30,
                                        .max_body = 65536};
    long wanted = argc == 3 ? strtol(argv[2], NULL, 10) : 0, good = 0;
    struct bf_engine *engine = wanted ? bf_engine_new(&error) : NULL;
    struct bf_client *client = engine ? bf_client_new(&options, &error) : NULL;
    sigset_t mask;
    if (!client) {
        (void)fprintf(stderr, "usage: signalled URL CALLS %s\n", error.text);
        return 2;
    }
    (void)sigprocmask(SIG_SETMASK, NULL, &mask);
    install();
    rain(200);
    for (long i = 0; i < wanted || alarms < 10000; i++) {
        bool ok = call(engine, client);
        good += ok && i < wanted;
        if (!ok)
            break;
    }
    rain(0);
    (void)printf("%ld %d %s\n", good,
                 alarms >= 10000 && children >= 10000 && pipes > 0,
                 is_same(&mask) ? "same" : "changed");
    bf_client_unref(client);
    bf_engine_free(engine);
    return 0;
}
