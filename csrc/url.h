/* Which base URLs may carry a signed request. Knows no Lua. */
#ifndef BF_URL_H
#define BF_URL_H

#include "fault.h"

#include <stdbool.h>
#include <sys/socket.h>

#pragma GCC visibility push(hidden)

/* The base URL as it will be sent, without a slash at its end, to be freed; or
 * NULL with `fault` set to kind config and a text that says what is wrong:
 * https only, http only to a loopback address; no user, password, query or
 * fragment. libcurl's own parser reads it, so that no second opinion about the
 * host can differ from where the bytes go. */
char *bf_url_check(const char *url, bool *plain, struct bf_fault *fault);

/* Is this socket address on this machine? */
bool bf_is_loopback(const struct sockaddr *address);

#pragma GCC visibility pop

#endif
