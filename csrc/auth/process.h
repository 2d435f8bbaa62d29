/* A program that prints credentials, as `credential_process` of the AWS tools
 * does: started without a shell, and read without waiting for it. */
#ifndef BF_PROCESS_H
#define BF_PROCESS_H

#include "auth/credentials.h"

#include <sys/types.h>

#pragma GCC visibility push(hidden)

#define BF_PROCESS_OUTPUT_MAX 65536 /* bytes */

enum bf_process_state {
    BF_PROCESS_ENDED, /* and has been waited for, by whomever; or not started */
    BF_PROCESS_RUNS,
};

struct bf_process {
    enum bf_process_state state;
    pid_t pid, parent;
    int output;       /* what it prints comes from here; -1: closed */
    int status;       /* of waitpid; 0 where another part of the host took it */
    bool is_too_long; /* what it printed */
    size_t len;
    char text[BF_PROCESS_OUTPUT_MAX + 1];
};

/* Starts the command of words (see words.h): in a session of its own, with the
 * signals' default actions, reading nothing, its standard error that of this
 * process. NULL with `error` set, whose text follows the command's name. */
struct bf_process *bf_process_start(struct bf_span command,
                                    struct bf_error *error);

/* Takes what it has printed, without waiting for more. Has it ended? Also true
 * in a child that was forked meanwhile: it is none of that one's. */
bool bf_process_poll(struct bf_process *process);

/* Ends it, and what it has started: at once, whatever it does about signals. */
void bf_process_kill(struct bf_process *process);

/* The credentials that a process printed which has ended, and when they expire
 * in Unix ms, 0: never. NULL with `error` set, whose text follows the command's
 * name and has nothing of what was printed in it. */
struct bf_credentials *bf_process_credentials(struct bf_process *process,
                                              int64_t *expires_at,
                                              struct bf_error *error);

/* Ends it where it runs, and wipes what it has printed; or NULL. */
void bf_process_free(struct bf_process *process);

#pragma GCC visibility pop

#endif
