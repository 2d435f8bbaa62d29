/* Which base URLs may carry a signed request. */
#ifndef BF_URL_H
#define BF_URL_H

#include "base/error.h"

#include <stdbool.h>
#include <sys/socket.h>

#pragma GCC visibility push(hidden)

/* The base URL as it will be sent, without a slash at its end, to be freed; or
 * NULL with `error` set to kind config and a text that says what is wrong:
 * https only, http only to a loopback address; no user, password, query or
 * fragment; a host that is a DNS name or an IP address. libcurl's own parser
 * reads it, and has to find the host that is written there, so that no second
 * opinion about the host can differ from where the bytes go. */
char *bf_url_check(const char *url, bool *insecure, struct bf_error *error);

/* Has the proxy's URL a host that can be looked up, and a port? False with
 * `error` set, to kind config, code proxy, or to kind memory. */
bool bf_proxy_check(const char *proxy, struct bf_error *error);

/* Is this socket address on this machine? */
bool bf_is_loopback(const struct sockaddr *address);

#pragma GCC visibility pop

#endif
