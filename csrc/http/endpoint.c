#include "http/endpoint.h"

#include "http/url.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

static bool copy(struct bf_endpoint *endpoint, const char *ca_file,
                 const char *proxy) {
    static const char https[] = "https:";
    endpoint->ca_file = ca_file ? strdup(ca_file) : NULL;
    endpoint->proxy = strdup(proxy ? proxy : "");
    if (!endpoint->proxy || (ca_file && !endpoint->ca_file))
        return false;
    endpoint->by_tls_proxy =
        strncmp(endpoint->proxy, https, sizeof https - 1) == 0;
    return true;
}

/* The Host header leaves out the port that the scheme implies (RFC 9110, 7.2).
 */
static void split(struct bf_endpoint *endpoint) {
    const char *host = strstr(endpoint->base_url, "://") + 3;
    const char *port = endpoint->insecure ? ":80" : ":443";
    size_t len = strcspn(host, "/"), port_len = strlen(port);
    endpoint->prefix = bf_span_of(host + len);
    if (len > port_len && memcmp(host + len - port_len, port, port_len) == 0)
        len -= port_len;
    endpoint->host = (struct bf_span){host, len};
}

struct bf_endpoint *bf_endpoint_new(const char *base_url, const char *ca_file,
                                    const char *proxy, struct bf_error *error) {
    struct bf_endpoint *endpoint = calloc(1, sizeof *endpoint);
    if (!endpoint) {
        bf_error_no_memory(error);
        return NULL;
    }
    endpoint->refs = 1;
    if (!copy(endpoint, ca_file, proxy))
        bf_error_no_memory(error);
    else
        endpoint->base_url = bf_url_check(base_url, &endpoint->insecure, error);
    if (!endpoint->base_url || (proxy && !bf_proxy_check(proxy, error))) {
        bf_endpoint_unref(endpoint);
        return NULL;
    }
    split(endpoint);
    return endpoint;
}

struct bf_endpoint *bf_endpoint_ref(struct bf_endpoint *endpoint) {
    (void)atomic_fetch_add(&endpoint->refs, 1);
    return endpoint;
}

void bf_endpoint_unref(struct bf_endpoint *endpoint) {
    if (!endpoint || atomic_fetch_sub(&endpoint->refs, 1) > 1)
        return;
    free(endpoint->base_url);
    free(endpoint->ca_file);
    if (endpoint->proxy) /* may hold a password */
        OPENSSL_cleanse(endpoint->proxy, strlen(endpoint->proxy));
    free(endpoint->proxy);
    free(endpoint);
}

static bool is_same(const char *left, const char *right) {
    return left && right ? strcmp(left, right) == 0 : left == right;
}

bool bf_endpoint_equal(const struct bf_endpoint *left,
                       const struct bf_endpoint *right) {
    return left == right || (is_same(left->base_url, right->base_url) &&
                             is_same(left->ca_file, right->ca_file) &&
                             is_same(left->proxy, right->proxy));
}

bool bf_endpoint_uses_tls(const struct bf_endpoint *endpoint) {
    return !endpoint->insecure || endpoint->by_tls_proxy;
}
