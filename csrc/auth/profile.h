/* The credentials file: INI sections, each an account with its api_key and
 * api_secret, or credential_process, and its base_url and ca_file. It is read
 * in C because a secret that became a Lua string could not be wiped. */
#ifndef BF_PROFILE_H
#define BF_PROFILE_H

#include "auth/credentials.h"

#pragma GCC visibility push(hidden)

enum bf_profile {
    BF_PROFILE_READ,
    BF_PROFILE_NO_FILE,
    BF_PROFILE_NO_SECTION,
    BF_PROFILE_ERROR /* `error` is set */
};

#define BF_SETTING_MAX 4096 /* bytes of a URL, a path or a command */

/* The values of a section; "" where one is not set. */
struct bf_account {
    struct bf_credentials *credentials; /* the caller's reference; NULL where
                                           `process` is set */
    char process[BF_SETTING_MAX + 1];   /* prints them, see process.h */
    char base_url[BF_SETTING_MAX + 1];
    char ca_file[BF_SETTING_MAX + 1];
};

/* Is this a base URL that a signed request may go to? False with `error` set.
 */
typedef bool bf_check_base_url(const char *url, struct bf_error *error);

/* Reads section [name] of the file at `path` into `account`, which is valid
 * only after BF_PROFILE_READ. Refuses a file that anybody but its owner can
 * read or write, or that belongs to another user; and a file with a line that
 * is not valid, whose number is in the message. */
enum bf_profile bf_profile_read(const char *path, const char *name,
                                bf_check_base_url *check_base_url,
                                struct bf_account *account,
                                struct bf_error *error);

#define BF_PROFILE_NAMES_MAX 65536 /* as large as the file may be */

/* Writes the names of the file's sections, each with a newline behind it.
 * Returns and refuses what bf_profile_read does. */
enum bf_profile bf_profile_names(const char *path,
                                 bf_check_base_url *check_base_url,
                                 char names[BF_PROFILE_NAMES_MAX], size_t *len,
                                 struct bf_error *error);

#pragma GCC visibility pop

#endif
