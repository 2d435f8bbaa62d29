#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* pipe2, POSIX_SPAWN_SETSID, closefrom */
#endif

#include "auth/process.h"

#include "auth/process_output.h"
#include "auth/words.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CODE "credential_process"

#ifndef __linux__ /* where unistd.h has it */
extern char **environ;
#endif

/* ---- starting ---- */

/* Without a terminal of its own: a program that would ask there for a password
 * fails at once, and is not stopped until the deadline. */
#ifdef POSIX_SPAWN_SETSID
#define OWN_GROUP POSIX_SPAWN_SETSID
#else
#define OWN_GROUP POSIX_SPAWN_SETPGROUP
#endif

/* Some hosts leave descriptors open to the programs that they start, as nginx
 * does with those that it listens on: a program that stays would keep them. */
#if defined(__GLIBC__) && defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 34)
#define close_from(actions, fd) \
    posix_spawn_file_actions_addclosefrom_np(actions, fd)
#endif
#endif
#ifndef close_from
#define close_from(actions, fd) 0
#endif

/* False with errno set. Neither end is left to a program that another thread
 * starts, which would keep it open. */
static bool open_pipe(int ends[2]) {
#ifdef __APPLE__
    if (pipe(ends) != 0)
        return false;
    (void)fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(ends[1], F_SETFD, FD_CLOEXEC);
#else
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
#endif
    (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
    return true;
}

/* Returns an errno. The pipe comes first: its end may be the descriptor 0 that
 * the host has closed. */
static int set_files(posix_spawn_file_actions_t *actions, int output) {
    int reason =
        posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO);
    if (reason == 0)
        reason = posix_spawn_file_actions_addopen(actions, STDIN_FILENO,
                                                  "/dev/null", O_RDONLY, 0);
    return reason ? reason : close_from(actions, STDERR_FILENO + 1);
}

/* What the host ignores and blocks is not the program's business. */
static int set_attributes(posix_spawnattr_t *attributes) {
    sigset_t none, all;
    int reason;
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    (void)sigdelset(&all, SIGKILL);
    (void)sigdelset(&all, SIGSTOP);
    reason = posix_spawnattr_setsigmask(attributes, &none);
    if (reason == 0)
        reason = posix_spawnattr_setsigdefault(attributes, &all);
    return reason ? reason
                  : posix_spawnattr_setflags(
                        attributes, (short)(OWN_GROUP | POSIX_SPAWN_SETSIGMASK |
                                            POSIX_SPAWN_SETSIGDEF));
}

/* Returns an errno. */
static int spawn(pid_t *pid, char **words, int output) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int reason = posix_spawn_file_actions_init(&actions);
    if (reason)
        return reason;
    reason = posix_spawnattr_init(&attributes);
    if (reason == 0) {
        reason = set_files(&actions, output);
        if (reason == 0)
            reason = set_attributes(&attributes);
        if (reason == 0)
            reason = posix_spawnp(pid, words[0], &actions, &attributes, words,
                                  environ);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return reason;
}

/* Returns an errno. */
static int start(struct bf_process *process, char **words) {
    int ends[2], reason;
    if (!open_pipe(ends))
        return errno;
    process->output = ends[0];
    process->parent = getpid();
    reason = spawn(&process->pid, words, ends[1]);
    (void)close(ends[1]);
    process->state = reason ? BF_PROCESS_ENDED : BF_PROCESS_RUNS;
    return reason;
}

static void set_start_error(int reason, const char *program,
                            struct bf_error *error) {
    if (reason == ENOMEM)
        bf_error_no_memory(error);
    else if (reason == EMFILE || reason == ENFILE)
        bf_error_set(error, BF_NETWORK, "descriptors",
                     "there is no file descriptor left to start %s", program);
    else
        bf_error_set(error, BF_CONFIG, CODE, "%s cannot be started: %s",
                     program, strerror(reason));
}

struct bf_process *bf_process_start(struct bf_span command,
                                    struct bf_error *error) {
    struct bf_process *process = calloc(1, sizeof *process);
    char **words = bf_words_split(command);
    int reason = ENOMEM;
    if (process)
        process->output = -1;
    if (process && words)
        reason = start(process, words);
    if (reason) {
        set_start_error(reason, words ? words[0] : "", error);
        bf_process_free(process);
        process = NULL;
    }
    free(words);
    return process;
}

/* ---- while it runs ---- */

static void close_output(struct bf_process *process) {
    if (process->output >= 0)
        (void)close(process->output);
    process->output = -1;
}

/* Takes what is there, up to the limit, and one byte that tells of more. */
static void take_output(struct bf_process *process) {
    while (process->output >= 0 && !process->is_too_long) {
        ssize_t got = read(process->output, process->text + process->len,
                           sizeof process->text - process->len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0)
            close_output(process);
        else
            process->len += (size_t)got;
        process->is_too_long = process->len > BF_PROCESS_OUTPUT_MAX;
    }
}

/* Where a part of the host waits for all children, as nginx does, it has taken
 * the status. */
static bool has_ended(struct bf_process *process) {
    int status;
    pid_t got;
    if (process->state == BF_PROCESS_ENDED || process->parent != getpid())
        return true;
    got = waitpid(process->pid, &status, WNOHANG);
    if (got == 0 || (got < 0 && errno == EINTR))
        return false;
    process->state = BF_PROCESS_ENDED;
    process->status = got > 0 ? status : 0;
    return true;
}

/* What it printed before it ended is in the pipe by then. What a program that
 * it left behind may print is not waited for. */
bool bf_process_poll(struct bf_process *process) {
    bool ended = has_ended(process);
    if (process->parent == getpid())
        take_output(process);
    if (process->is_too_long)
        bf_process_kill(process);
    return ended;
}

/* Its number can be another one's only when it has been waited for. */
void bf_process_kill(struct bf_process *process) {
    if (!has_ended(process))
        (void)kill(-process->pid, SIGKILL);
}

/* ---- the end ---- */

struct bf_credentials *bf_process_credentials(struct bf_process *process,
                                              int64_t *expires_at,
                                              struct bf_error *error) {
    if (process->parent != getpid())
        bf_error_set(error, BF_NETWORK, "fork",
                     "was started before a fork, by another process");
    else if (process->is_too_long)
        bf_error_set(error, BF_CONFIG, CODE, "printed more than %d bytes",
                     BF_PROCESS_OUTPUT_MAX);
    else if (WIFSIGNALED(process->status))
        bf_error_set(error, BF_CONFIG, CODE, "was ended by signal %d",
                     WTERMSIG(process->status));
    else if (process->status != 0)
        bf_error_set(error, BF_CONFIG, CODE, "ended with status %d",
                     WEXITSTATUS(process->status));
    if (error->kind != BF_OK)
        return NULL;
    return bf_process_output_read(process->text, process->len, expires_at,
                                  error);
}

/* Waits for a process that was killed, so that none is left in the system's
 * table: it takes some microseconds, and more only where the system is stuck.
 */
static void wait_for_end(struct bf_process *process) {
    static const struct timespec pause = {.tv_nsec = 1000000};
    for (int tries = 0; !has_ended(process) && tries < 10; tries++)
        (void)nanosleep(&pause, NULL);
}

void bf_process_free(struct bf_process *process) {
    if (!process)
        return;
    bf_process_kill(process);
    wait_for_end(process);
    close_output(process);
    OPENSSL_cleanse(process->text, process->len);
    free(process);
}
