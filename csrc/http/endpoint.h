/* An endpoint: the exchange's address, the certificates that verify it, and the
 * proxy. It never changes, so any thread may read it. */
#ifndef BF_ENDPOINT_H
#define BF_ENDPOINT_H

#include "base/error.h"
#include "base/span.h"

#include <stdatomic.h>
#include <stdbool.h>

#pragma GCC visibility push(hidden)

struct bf_endpoint {
    atomic_uint refs;
    char *base_url;
    struct bf_span host;   /* within it: the value of the Host header */
    struct bf_span prefix; /* within it: what goes before each path */
    bool insecure;         /* http, so loopback only */
    bool by_tls_proxy;     /* TLS within the TLS of a proxy */
    char *ca_file;         /* NULL: libcurl's own default */
    char *proxy;           /* "": none, whatever the environment says */
};

/* An endpoint with one reference, or NULL with `error` set: kind config for a
 * base_url or proxy that is not allowed, kind memory. `ca_file` and `proxy`
 * may be NULL. */
struct bf_endpoint *bf_endpoint_new(const char *base_url, const char *ca_file,
                                    const char *proxy, struct bf_error *error);

/* The base URL as it will be sent, without a slash at its end, to be freed; or
 * NULL with `error` set to kind config: https only, http only to a loopback
 * address; no user, password, query or fragment; a host that is a DNS name or
 * an IP address. libcurl's own parser reads it and must find the same host, so
 * that the bytes go to the host that was checked. */
char *bf_url_check(const char *url, bool *insecure, struct bf_error *error);

struct bf_endpoint *bf_endpoint_ref(struct bf_endpoint *endpoint);
void bf_endpoint_unref(struct bf_endpoint *endpoint); /* accepts NULL */

bool bf_endpoint_equal(const struct bf_endpoint *left,
                       const struct bf_endpoint *right);

/* Is a certificate to be verified on the way there? */
bool bf_endpoint_uses_tls(const struct bf_endpoint *endpoint);

#pragma GCC visibility pop

#endif
