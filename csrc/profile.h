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

#pragma GCC visibility pop

#endif
