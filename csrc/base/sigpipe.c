#include "base/sigpipe.h"

#include <time.h>
#include <unistd.h>

void bf_sigpipe_block(struct bf_sigpipe *guard) {
    sigset_t pending;
    (void)sigemptyset(&guard->pipe);
    (void)sigaddset(&guard->pipe, SIGPIPE);
    guard->was_pending =
        sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
    guard->blocked =
        pthread_sigmask(SIG_BLOCK, &guard->pipe, &guard->before) == 0;
}

/* Takes the signal where it is pending. Never waits for it: another thread of
 * the program may have taken it meanwhile. */
static void take(const sigset_t *pipe) {
#if defined(_POSIX_REALTIME_SIGNALS) && _POSIX_REALTIME_SIGNALS > 0
    static const struct timespec at_once = {0};
    (void)sigtimedwait(pipe, NULL, &at_once);
#else
    sigset_t pending;
    int taken;
    if (sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1)
        (void)sigwait(pipe, &taken);
#endif
}

void bf_sigpipe_restore(const struct bf_sigpipe *guard) {
    if (!guard->blocked)
        return;
    if (!guard->was_pending)
        take(&guard->pipe);
    (void)pthread_sigmask(SIG_SETMASK, &guard->before, NULL);
}
