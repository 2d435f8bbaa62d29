/* Key and secret from what starts the program: variables, each with the value
 * or with the path of a file that holds it, and files that are mounted. */
#ifndef BF_SOURCE_H
#define BF_SOURCE_H

#include "auth/credentials.h"

#pragma GCC visibility push(hidden)

#define BF_SECRET_FILE_MAX 4096 /* bytes, with the line end */

/* The variables of a key or a secret. An empty one is as good as none. */
struct bf_variables {
    const char *value, *file;
};

/* The credentials in the variables. NULL: none is set; or with `error` set,
 * where one of the two is missing, set twice, or of no use. */
struct bf_credentials *bf_source_variables(const struct bf_variables *key,
                                           const struct bf_variables *secret,
                                           struct bf_error *error);

/* The credentials in two files. NULL: neither can be found; or with `error`
 * set, where one is missing, or of no use. */
struct bf_credentials *bf_source_files(const char *key, const char *secret,
                                       struct bf_error *error);

#pragma GCC visibility pop

#endif
