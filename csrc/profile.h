/* The credentials file: INI sections with api_key and api_secret. It is read
 * here, and not in Lua, so that the secret never becomes a Lua string, which
 * nothing can wipe. Knows no Lua. */
#ifndef BF_PROFILE_H
#define BF_PROFILE_H

#include "client.h"

#pragma GCC visibility push(hidden)

enum bf_profile {
    BF_PROFILE_USED,
    BF_PROFILE_NO_FILE,
    BF_PROFILE_NO_SECTION,
    BF_PROFILE_FAULT /* `fault` says why */
};

/* Gives `client` the credentials of section [name] of the file at `path`. A
 * file that anybody but its owner can read or write is refused, its mode
 * named. */
enum bf_profile bf_profile_use(struct bf_client *client, const char *path,
                               const char *name, struct bf_fault *fault);

#define BF_PROFILE_NAMES_MAX 65536 /* as large as the file may be */

/* Writes the names of the file's sections, each with a line end behind it.
 * BF_PROFILE_USED where the file could be read; else as bf_profile_use. */
enum bf_profile bf_profile_names(const char *path,
                                 char names[BF_PROFILE_NAMES_MAX], size_t *len,
                                 struct bf_fault *fault);

#pragma GCC visibility pop

#endif
