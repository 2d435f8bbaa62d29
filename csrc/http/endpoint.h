/* Where calls go: the exchange's address, the certificates it is verified by,
 * and the proxy on the way. It never changes, so that any thread may read it.
 */
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

struct bf_endpoint *bf_endpoint_ref(struct bf_endpoint *endpoint);
void bf_endpoint_unref(struct bf_endpoint *endpoint); /* accepts NULL */

bool bf_endpoint_equal(const struct bf_endpoint *left,
                       const struct bf_endpoint *right);

/* Is a certificate to be verified on the way there? */
bool bf_endpoint_uses_tls(const struct bf_endpoint *endpoint);

#pragma GCC visibility pop

#endif
