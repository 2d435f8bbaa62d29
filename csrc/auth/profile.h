/* The credentials file: INI sections, each an account: api_key and api_secret,
 * and where its exchange is. It is read here, and not in Lua, so that the
 * secret never becomes a Lua string, which nothing can wipe. Knows no Lua. */
#ifndef BF_PROFILE_H
#define BF_PROFILE_H

#include "auth/credentials.h"

#pragma GCC visibility push(hidden)

enum bf_profile {
    BF_PROFILE_READ,
    BF_PROFILE_NO_FILE,
    BF_PROFILE_NO_SECTION,
    BF_PROFILE_ERROR /* `error` says why */
};

#define BF_SETTING_MAX 4096 /* bytes of a URL or a path */

/* What a section says. "" is what it does not say. */
struct bf_account {
    struct bf_credentials *credentials; /* a reference, for the caller */
    char base_url[BF_SETTING_MAX + 1];
    char ca_file[BF_SETTING_MAX + 1];
};

/* Is this a base URL that a signed request may go to? False with `error` set.
 */
typedef bool bf_check_base_url(const char *url, struct bf_error *error);

/* Reads section [name] of the file at `path` into `account`, which counts only
 * where BF_PROFILE_READ is returned. A file that anybody but its owner can read
 * or write, or that belongs to another user, is refused, and so is one of which
 * any line makes no sense, named by its number. */
enum bf_profile bf_profile_read(const char *path, const char *name,
                                bf_check_base_url *check_base_url,
                                struct bf_account *account,
                                struct bf_error *error);

#define BF_PROFILE_NAMES_MAX 65536 /* as large as the file may be */

/* Writes the names of the file's sections, each with a line end behind it.
 * BF_PROFILE_READ where the file could be read; else as bf_profile_read. */
enum bf_profile bf_profile_names(const char *path,
                                 bf_check_base_url *check_base_url,
                                 char names[BF_PROFILE_NAMES_MAX], size_t *len,
                                 struct bf_error *error);

#pragma GCC visibility pop

#endif
