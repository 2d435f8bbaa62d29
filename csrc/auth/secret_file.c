#include "auth/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Sets the error for what the system refused to do. */
static enum bf_file refuse_access(const struct bf_secret_file *file,
                                  const char *what, int reason,
                                  struct bf_error *error) {
    bf_error_set(error, reason == ENOMEM ? BF_MEMORY : BF_CONFIG,
                 reason == ENOMEM ? "memory" : file->code,
                 "%s cannot be %s: %s", file->name, what, strerror(reason));
    return BF_FILE_ERROR;
}

/* What others may not do with the file, by its mode. */
static mode_t forbidden(const struct bf_secret_file *file) {
    return file->is_mounted ? S_IWGRP | S_IWOTH : S_IRWXG | S_IRWXO;
}

/* Root can write any file, so one of root's is as good as the user's own. */
static bool may_be_used(int fd, const struct bf_secret_file *file,
                        struct bf_error *error) {
    struct stat status;
    unsigned owner, self = (unsigned)geteuid();
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        bf_error_set(error, BF_CONFIG, file->code, "%s is not a regular file",
                     file->name);
        return false;
    }
    owner = (unsigned)status.st_uid;
    if (status.st_mode & forbidden(file))
        bf_error_set(error, BF_CONFIG, "permissions",
                     "%s has mode %04o, so others can %s: chmod %s it",
                     file->name, (unsigned)(status.st_mode & 07777),
                     file->is_mounted ? "write it" : "get at the secret",
                     file->is_mounted ? "go-w" : "600");
    else if (owner != self && owner != 0)
        bf_error_set(error, BF_CONFIG, "permissions",
                     "%s belongs to user %u, but this process is user %u's",
                     file->name, owner, self);
    return error->kind == BF_OK;
}

/* False with errno set. */
static bool read_all(int fd, size_t most, struct bf_span *text) {
    char *all = malloc(most + 1); /* one more tells that it is too large */
    ssize_t got = 1;
    *text = (struct bf_span){all, 0};
    while (all && got > 0 && text->len <= most) {
        got = read(fd, all + text->len, most + 1 - text->len);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got > 0)
            text->len += (size_t)got;
    }
    if (all && (got < 0 || text->len > most)) {
        int reason = got < 0 ? errno : EFBIG;
        bf_secret_wipe(*text);
        *text = (struct bf_span){NULL, 0};
        errno = reason;
        return false;
    }
    return all != NULL;
}

enum bf_file bf_secret_file_read(const struct bf_secret_file *file,
                                 struct bf_span *text, struct bf_error *error) {
    /* O_NONBLOCK: if it is a FIFO, do not wait for a writer. */
    int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    enum bf_file result = BF_FILE_ERROR;
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR
                   ? BF_FILE_ABSENT
                   : refuse_access(file, "opened", errno, error);
    if (may_be_used(fd, file, error))
        result = read_all(fd, file->most, text)
                     ? BF_FILE_READ
                     : refuse_access(file, "read", errno, error);
    (void)close(fd);
    return result;
}

void bf_secret_wipe(struct bf_span text) {
    if (text.text)
        OPENSSL_cleanse((char *)text.text, text.len);
    free((char *)text.text);
}
