#include "auth/profile.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX BF_PROFILE_NAMES_MAX

static enum bf_profile refuse(struct bf_error *error, const char *code,
                              const char *path, const char *what) {
    bf_error_set(error, BF_CONFIG, code, "%s %s", path, what);
    return BF_PROFILE_ERROR;
}

/* Sets the error for what the system refused to do. */
static enum bf_profile refuse_access(struct bf_error *error, const char *path,
                                     const char *what, int reason) {
    bf_error_set(error, reason == ENOMEM ? BF_MEMORY : BF_CONFIG,
                 reason == ENOMEM ? "memory" : "profile", "%s cannot be %s: %s",
                 path, what, strerror(reason));
    return BF_PROFILE_ERROR;
}

/* ---- the file ---- */

/* Is the owner the user, or root, who can write any file? */
static bool is_ours(const struct stat *status, const char *path,
                    struct bf_error *error) {
    unsigned owner = (unsigned)status->st_uid, self = (unsigned)geteuid();
    if (owner == self || owner == 0)
        return true;
    bf_error_set(error, BF_CONFIG, "permissions",
                 "%s belongs to user %u, but this process is user %u's", path,
                 owner, self);
    return false;
}

static bool is_private(int fd, const char *path, struct bf_error *error) {
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        (void)refuse(error, "profile", path, "is not a regular file");
        return false;
    }
    if (status.st_mode & (S_IRWXG | S_IRWXO)) {
        bf_error_set(error, BF_CONFIG, "permissions",
                     "%s has mode %04o, so others can get at the secret: "
                     "chmod 600 it",
                     path, (unsigned)(status.st_mode & 07777));
        return false;
    }
    return is_ours(&status, path, error);
}

/* Reads all of the file; the caller wipes and frees. NULL with errno set. */
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
        int reason = got < 0 ? errno : EFBIG;
        OPENSSL_cleanse(text, *len);
        free(text);
        errno = reason;
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

/* A text that is read line by line. */
struct reader {
    const char *path;
    bf_check_base_url *check_base_url;
    struct bf_span rest;
    unsigned line; /* counts from 1 */
};

static void begin(struct reader *reader, const char *path,
                  bf_check_base_url *check_base_url, struct bf_span text) {
    static const char mark[] = "\xEF\xBB\xBF"; /* some editors write it first */
    const size_t len = sizeof mark - 1;
    if (text.len >= len && memcmp(text.text, mark, len) == 0)
        text.text += len, text.len -= len;
    *reader = (struct reader){path, check_base_url, text, 0};
}

/* Removes the next line from the rest, and trims it. */
static bool next_line(struct reader *reader, struct bf_span *line) {
    struct bf_span *rest = &reader->rest;
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
    reader->line++;
    return true;
}

static bool is_comment(struct bf_span line) {
    return line.len == 0 || *line.text == '#' || *line.text == ';';
}

struct entry {
    enum { SECTION, SETTING, INVALID } kind;
    struct bf_span name, value;
};

/* The parts of a line before and behind its first `mark`, trimmed. */
static bool split(struct bf_span line, char mark, struct bf_span *left,
                  struct bf_span *right) {
    const char *at = memchr(line.text, mark, line.len);
    if (!at)
        return false;
    left->text = line.text;
    left->len = (size_t)(at - line.text);
    right->text = at + 1;
    right->len = line.len - left->len - 1;
    *left = trim(*left);
    *right = trim(*right);
    return true;
}

static struct entry read_entry(struct bf_span line) {
    struct entry entry = {
        INVALID, {NULL, 0},
         {NULL, 0}
    };
    if (*line.text == '[') {
        line.text++, line.len--;
        if (split(line, ']', &entry.name, &entry.value) &&
            is_comment(entry.value))
            entry.kind = SECTION;
    } else if (split(line, '=', &entry.name, &entry.value)) {
        entry.kind = SETTING;
    }
    return entry;
}

/* The next line that is not empty or a comment. */
static bool next_entry(struct reader *reader, struct entry *entry) {
    struct bf_span line;
    while (next_line(reader, &line)) {
        if (is_comment(line))
            continue;
        *entry = read_entry(line);
        return true;
    }
    return false;
}

static bool refuse_line(const struct reader *reader, const char *what,
                        struct bf_error *error) {
    bf_error_set(error, BF_CONFIG, "profile", "%s: line %u %s", reader->path,
                 reader->line, what);
    return false;
}

enum setting { API_KEY, API_SECRET, BASE_URL, CA_FILE, SETTINGS };

/* A section's values; the text of one that is not set is NULL. */
struct section {
    struct bf_span values[SETTINGS];
};

static enum setting setting_of(struct bf_span name) {
    static const char *const names[] = {"api_key", "api_secret", "base_url",
                                        "ca_file"};
    enum setting setting = API_KEY;
    while (setting < SETTINGS && !is(name, names[setting]))
        setting++;
    return setting;
}

/* Copies the value; `text` has room for BF_SETTING_MAX bytes and a NUL. */
static void copy_value(struct bf_span value, char *text) {
    if (value.len > 0)
        memcpy(text, value.text, value.len);
    text[value.len] = '\0';
}

/* What is wrong with the value of base_url or ca_file, or NULL. */
static const char *location_problem(enum setting setting,
                                    struct bf_span value) {
    if (value.len == 0)
        return "must not be empty";
    if (value.len > BF_SETTING_MAX)
        return "is too long";
    for (size_t i = 0; i < value.len; i++)
        if ((unsigned char)value.text[i] < ' ' || value.text[i] == '\x7f')
            return "has a control character";
    if (setting == CA_FILE && *value.text != '/')
        return "must be an absolute path: ~ is not expanded";
    return NULL;
}

static bool check_url(const struct reader *reader, struct bf_span value,
                      struct bf_error *error) {
    struct bf_error own = {.kind = BF_OK};
    char url[BF_SETTING_MAX + 1];
    copy_value(value, url);
    if (reader->check_base_url(url, &own))
        return true;
    bf_error_set(error, own.kind, own.code, "%s: line %u: %s", reader->path,
                 reader->line, own.text);
    return false;
}

static bool read_setting(const struct reader *reader, const struct entry *entry,
                         struct section *section, struct bf_error *error) {
    enum setting setting = setting_of(entry->name);
    const char *what;
    if (setting == SETTINGS) /* the name may be a secret and is not shown */
        return refuse_line(reader,
                           "sets what is none of api_key, api_secret, base_url "
                           "and ca_file",
                           error);
    if (section->values[setting].text)
        return refuse_line(reader, "sets the same name a second time", error);
    what = setting < BASE_URL ? bf_credentials_problem(entry->value)
                              : location_problem(setting, entry->value);
    if (what)
        return refuse_line(reader, what, error);
    section->values[setting] = entry->value;
    return setting != BASE_URL || check_url(reader, entry->value, error);
}

/* Reads the whole file, and into `section` the section of the name `wanted`
 * (NULL: none). False with `error` set where any line is not valid: its writer
 * relies on a line that would be ignored. */
static bool find_section(struct reader *reader, const char *wanted,
                         struct section *section, bool *found,
                         struct bf_error *error) {
    static const struct section nothing;
    struct entry entry;
    struct section other, *current = NULL;
    *found = false;
    *section = nothing;
    while (next_entry(reader, &entry)) {
        if (entry.kind == INVALID)
            return refuse_line(reader, "is neither [section] nor name = value",
                               error);
        if (entry.kind == SECTION) {
            bool inside = wanted && is(entry.name, wanted);
            if (inside && *found)
                return refuse_line(reader, "begins a section again", error);
            *found |= inside;
            other = nothing;
            current = inside ? section : &other;
        } else if (!current) {
            return refuse_line(reader, "stands before any [section]", error);
        } else if (!read_setting(reader, &entry, current, error)) {
            return false;
        }
    }
    return true;
}

static enum bf_profile use_section(struct bf_account *account,
                                   struct bf_span text, const char *path,
                                   const char *name,
                                   bf_check_base_url *check_base_url,
                                   struct bf_error *error) {
    static const struct bf_credential_names names = {"api_key", "api_secret"};
    struct reader reader;
    struct section section;
    const struct bf_span *values = section.values;
    bool found;
    begin(&reader, path, check_base_url, text);
    if (!find_section(&reader, name, &section, &found, error))
        return BF_PROFILE_ERROR;
    if (!found)
        return BF_PROFILE_NO_SECTION;
    if (!values[API_KEY].text || !values[API_SECRET].text) {
        bf_error_set(error, BF_CONFIG, "profile", "%s: section [%s] has no %s",
                     path, name,
                     values[API_KEY].text ? "api_secret" : "api_key");
        return BF_PROFILE_ERROR;
    }
    copy_value(values[BASE_URL], account->base_url);
    copy_value(values[CA_FILE], account->ca_file);
    account->credentials =
        bf_credentials_new(values[API_KEY], values[API_SECRET], &names, error);
    return account->credentials ? BF_PROFILE_READ : BF_PROFILE_ERROR;
}

/* Reads the file, which must be private. After BF_PROFILE_READ the caller wipes
 * and frees the text. */
static enum bf_profile read_file(const char *path, struct bf_span *text,
                                 struct bf_error *error) {
    /* O_NONBLOCK: if it is a FIFO, do not wait for a writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    enum bf_profile result = BF_PROFILE_ERROR;
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR
                   ? BF_PROFILE_NO_FILE
                   : refuse_access(error, path, "opened", errno);
    if (is_private(fd, path, error)) {
        text->text = read_all(fd, &text->len);
        result = text->text ? BF_PROFILE_READ
                            : refuse_access(error, path, "read", errno);
    }
    (void)close(fd);
    return result;
}

static void wipe_text(struct bf_span text) {
    OPENSSL_cleanse((char *)text.text, text.len);
    free((char *)text.text);
}

enum bf_profile bf_profile_read(const char *path, const char *name,
                                bf_check_base_url *check_base_url,
                                struct bf_account *account,
                                struct bf_error *error) {
    struct bf_span text = {NULL, 0};
    enum bf_profile result = read_file(path, &text, error);
    if (result == BF_PROFILE_READ) {
        result = use_section(account, text, path, name, check_base_url, error);
        wipe_text(text);
    }
    return result;
}

enum bf_profile bf_profile_names(const char *path,
                                 bf_check_base_url *check_base_url,
                                 char names[BF_PROFILE_NAMES_MAX], size_t *len,
                                 struct bf_error *error) {
    struct bf_span text = {NULL, 0};
    struct reader reader;
    struct section none;
    struct entry entry;
    bool found;
    enum bf_profile result = read_file(path, &text, error);
    *len = 0;
    if (result != BF_PROFILE_READ)
        return result;
    begin(&reader, path, check_base_url, text);
    if (!find_section(&reader, NULL, &none, &found, error))
        result = BF_PROFILE_ERROR;
    begin(&reader, path, check_base_url, text);
    while (result == BF_PROFILE_READ && next_entry(&reader, &entry)) {
        if (entry.kind == SECTION) { /* shorter than its line */
            memcpy(names + *len, entry.name.text, entry.name.len);
            *len += entry.name.len;
            names[(*len)++] = '\n';
        }
    }
    wipe_text(text);
    return result;
}
