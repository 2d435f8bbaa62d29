#include "profile.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX BF_PROFILE_NAMES_MAX

static enum bf_profile refuse(struct bf_fault *fault, const char *code,
                              const char *path, const char *what) {
    bf_fault_set(fault, BF_CONFIG, code, "%s %s", path, what);
    return BF_PROFILE_FAULT;
}

/* ---- the file ---- */

static bool is_private(int fd, const char *path, struct bf_fault *fault) {
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        (void)refuse(fault, "profile", path, "is not a regular file");
        return false;
    }
    if (status.st_mode & (S_IRWXG | S_IRWXO)) {
        bf_fault_set(fault, BF_CONFIG, "permissions",
                     "%s has mode %04o, so others can get at the secret: "
                     "chmod 600 it",
                     path, (unsigned)(status.st_mode & 07777));
        return false;
    }
    return true;
}

/* Reads all of the file; the caller wipes and frees. */
static char *read_all(int fd, size_t *len) {
    char *text = malloc(FILE_MAX + 1);
    ssize_t got = 1;
    *len = 0;
    while (text && got > 0 && *len < FILE_MAX) {
        got = read(fd, text + *len, FILE_MAX - *len);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got > 0)
            *len += (size_t)got;
    }
    if (text && (got < 0 || *len == FILE_MAX)) {
        OPENSSL_cleanse(text, *len);
        free(text);
        return NULL;
    }
    return text;
}

/* ---- the text ---- */

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

static struct bf_span trim(struct bf_span span) {
    while (span.len > 0 && is_blank(*span.text))
        span.text++, span.len--;
    while (span.len > 0 && is_blank(span.text[span.len - 1]))
        span.len--;
    return span;
}

static bool is(struct bf_span span, const char *text) {
    return span.len == strlen(text) && memcmp(span.text, text, span.len) == 0;
}

/* Takes the next line off the front of `rest`, trimmed. */
static bool next_line(struct bf_span *rest, struct bf_span *line) {
    const char *end;
    size_t len;
    if (rest->len == 0)
        return false;
    end = memchr(rest->text, '\n', rest->len);
    len = end ? (size_t)(end - rest->text) : rest->len;
    *line = trim((struct bf_span){rest->text, len});
    len += end ? 1 : 0;
    rest->text += len;
    rest->len -= len;
    return true;
}

static bool is_section(struct bf_span line, struct bf_span *name) {
    if (line.len < 2 || line.text[0] != '[' || line.text[line.len - 1] != ']')
        return false;
    *name = trim((struct bf_span){line.text + 1, line.len - 2});
    return true;
}

struct pair {
    struct bf_span key, secret;
};

static void read_setting(struct bf_span line, struct pair *pair) {
    const char *equals = memchr(line.text, '=', line.len);
    if (!equals || *line.text == '#' || *line.text == ';')
        return;
    size_t left = (size_t)(equals - line.text);
    struct bf_span name = trim((struct bf_span){line.text, left});
    struct bf_span value =
        trim((struct bf_span){equals + 1, line.len - left - 1});
    if (is(name, "api_key"))
        pair->key = value;
    else if (is(name, "api_secret"))
        pair->secret = value;
}

static bool find_section(struct bf_span text, const char *wanted,
                         struct pair *pair) {
    struct bf_span line, name;
    bool inside = false, found = false;
    while (next_line(&text, &line)) {
        if (is_section(line, &name))
            found |= inside = is(name, wanted);
        else if (inside && line.len > 0)
            read_setting(line, pair);
    }
    return found;
}

static enum bf_profile use_section(struct bf_client *client,
                                   struct bf_span text, const char *path,
                                   const char *name, struct bf_fault *fault) {
    struct pair pair = {
        {NULL, 0},
        {NULL, 0}
    };
    if (!find_section(text, name, &pair))
        return BF_PROFILE_NO_SECTION;
    if (pair.key.len == 0 || pair.secret.len == 0) {
        bf_fault_set(fault, BF_CONFIG, "profile", "%s: section [%s] has no %s",
                     path, name, pair.key.len ? "api_secret" : "api_key");
        return BF_PROFILE_FAULT;
    }
    return bf_client_credentials(client, pair.key, pair.secret, fault)
               ? BF_PROFILE_USED
               : BF_PROFILE_FAULT;
}

/* Opens the file, which must be private, and reads it: the text is the caller's
 * to wipe and free. BF_PROFILE_USED where it was read. */
static enum bf_profile read_file(const char *path, struct bf_span *text,
                                 struct bf_fault *fault) {
    /* Not waiting for a writer, should it be a FIFO. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    enum bf_profile result = BF_PROFILE_FAULT;
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR
                   ? BF_PROFILE_NO_FILE
                   : refuse(fault, "profile", path, "cannot be opened");
    if (is_private(fd, path, fault)) {
        text->text = read_all(fd, &text->len);
        result = text->text ? BF_PROFILE_USED
                            : refuse(fault, "profile", path, "cannot be read");
    }
    (void)close(fd);
    return result;
}

static void wipe_text(struct bf_span text) {
    OPENSSL_cleanse((char *)text.text, text.len);
    free((char *)text.text);
}

enum bf_profile bf_profile_use(struct bf_client *client, const char *path,
                               const char *name, struct bf_fault *fault) {
    struct bf_span text = {NULL, 0};
    enum bf_profile result = read_file(path, &text, fault);
    if (result == BF_PROFILE_USED) {
        result = use_section(client, text, path, name, fault);
        wipe_text(text);
    }
    return result;
}

enum bf_profile bf_profile_names(const char *path,
                                 char names[BF_PROFILE_NAMES_MAX], size_t *len,
                                 struct bf_fault *fault) {
    struct bf_span text = {NULL, 0}, rest, line, name;
    enum bf_profile result = read_file(path, &text, fault);
    *len = 0;
    if (result != BF_PROFILE_USED)
        return result;
    rest = text;
    while (next_line(&rest, &line)) {
        if (is_section(line, &name)) { /* shorter than its line */
            memcpy(names + *len, name.text, name.len);
            *len += name.len;
            names[(*len)++] = '\n';
        }
    }
    wipe_text(text);
    return result;
}
