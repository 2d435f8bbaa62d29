/* Files with secrets: which ones are read, and reading them into memory that is
 * wiped. */
#ifndef BF_SECRET_FILE_H
#define BF_SECRET_FILE_H

#include "base/error.h"
#include "base/span.h"

#pragma GCC visibility push(hidden)

enum bf_file { BF_FILE_READ, BF_FILE_ABSENT, BF_FILE_ERROR };

struct bf_secret_file {
    const char *path;
    const char *name; /* for messages: the path, and what says so */
    const char *code; /* of errors, but for "permissions" and "memory" */
    size_t most;      /* bytes that it may have */
    /* Others may read it: it was mounted for this program alone, with the mode
     * that is usual for that. */
    bool is_mounted;
};

/* Reads the whole file. Never waits: what is no regular file is refused. So is
 * one that belongs to another user but root, or that others can write; or read,
 * unless it is mounted. After BF_FILE_READ, bf_secret_wipe the text. */
enum bf_file bf_secret_file_read(const struct bf_secret_file *file,
                                 struct bf_span *text, struct bf_error *error);

/* Wipes and frees a text that was allocated; or NULL. */
void bf_secret_wipe(struct bf_span text);

#pragma GCC visibility pop

#endif
