#include "auth/source.h"

#include "auth/secret_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* A key or a secret as it was found. */
struct found {
    char name[256];       /* of its source, for messages */
    struct bf_span value; /* its text is NULL where there is none */
    struct bf_span file;  /* what the value is in, to be wiped; or NULL */
};

/* Without the line end that editors and `echo` put behind a line. */
static struct bf_span first_line(struct bf_span text) {
    if (text.len > 0 && text.text[text.len - 1] == '\n') {
        text.len--;
        if (text.len > 0 && text.text[text.len - 1] == '\r')
            text.len--;
    }
    return text;
}

/* Reads the file that `found` is named after. */
static bool read_file(struct found *found, const char *path,
                      struct bf_error *error) {
    const struct bf_secret_file file = {.path = path,
                                        .name = found->name,
                                        .code = "credentials",
                                        .most = BF_SECRET_FILE_MAX,
                                        .is_mounted = true};
    enum bf_file result = bf_secret_file_read(&file, &found->file, error);
    if (result == BF_FILE_ABSENT)
        bf_error_set(error, BF_CONFIG, "credentials", "%s does not exist",
                     found->name);
    if (result != BF_FILE_READ)
        return false;
    found->value = first_line(found->file);
    return true;
}

static const char *variable(const char *name) {
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* False with `error` set; true also where neither is set. */
static bool find_in_variables(struct found *found,
                              const struct bf_variables *names,
                              struct bf_error *error) {
    const char *value = variable(names->value), *path = variable(names->file);
    if (value && path) {
        bf_error_set(error, BF_CONFIG, "credentials",
                     "%s and %s are both set: unset one of them", names->value,
                     names->file);
        return false;
    }
    (void)snprintf(found->name, sizeof found->name, "%s%s%s",
                   path ? names->file : names->value, path ? ": " : "",
                   path ? path : "");
    if (value)
        found->value = bf_span_of(value);
    return !path || read_file(found, path, error);
}

/* Wipes what was read. The result is NULL where either is missing. */
static struct bf_credentials *make(struct found *key, struct found *secret,
                                   struct bf_error *error) {
    const struct bf_credential_names names = {key->name, secret->name};
    struct bf_credentials *credentials = NULL;
    if (key->value.text && secret->value.text && error->kind == BF_OK)
        credentials =
            bf_credentials_new(key->value, secret->value, &names, error);
    bf_secret_wipe(key->file);
    bf_secret_wipe(secret->file);
    return credentials;
}

struct bf_credentials *bf_source_variables(const struct bf_variables *key,
                                           const struct bf_variables *secret,
                                           struct bf_error *error) {
    struct found found[2] = {{.name = ""}, {.name = ""}};
    bool has_key, has_secret;
    if (find_in_variables(&found[0], key, error))
        (void)find_in_variables(&found[1], secret, error);
    has_key = found[0].value.text != NULL;
    has_secret = found[1].value.text != NULL;
    if (has_key != has_secret)
        bf_error_set(error, BF_CONFIG, "missing_credentials",
                     "%s is set, but %s is not, and neither is %s",
                     found[has_secret].name, (has_key ? secret : key)->value,
                     (has_key ? secret : key)->file);
    return make(&found[0], &found[1], error);
}

/* Also false for a file in a folder that the user may not look into: then the
 * folder was mounted for another user. */
static bool is_there(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 ||
           (errno != ENOENT && errno != ENOTDIR && errno != EACCES);
}

struct bf_credentials *bf_source_files(const char *key, const char *secret,
                                       struct bf_error *error) {
    struct found found[2] = {{.name = ""}, {.name = ""}};
    bool has_key = is_there(key), has_secret = is_there(secret);
    if (!has_key && !has_secret)
        return NULL;
    (void)snprintf(found[0].name, sizeof found[0].name, "%s", key);
    (void)snprintf(found[1].name, sizeof found[1].name, "%s", secret);
    if (has_key != has_secret)
        bf_error_set(error, BF_CONFIG, "missing_credentials",
                     "%s exists, but %s does not", found[has_secret].name,
                     found[has_key].name);
    else if (read_file(&found[0], key, error))
        (void)read_file(&found[1], secret, error);
    return make(&found[0], &found[1], error);
}
