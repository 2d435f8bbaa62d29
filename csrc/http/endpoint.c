#include "http/endpoint.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <openssl/crypto.h>
#include <stdlib.h>

/* ---- the host and the port, as they are written ----
 *
 * The functions below return what is wrong, in words that follow the option's
 * name, or NULL. */

static const char no_memory[] = "cannot be read: not enough memory";
static const char bad_port[] = "must have a port from 1 to 65535, or none";

static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

/* Is it a label of a DNS name? "_" is not of a host's name, but is in use. */
static bool is_label(const char *label, size_t len) {
    return len >= 1 && len <= 63 && strspn(label, letters) >= len &&
           label[0] != '-' && label[len - 1] != '-';
}

/* "80" or "0x50": to some resolvers a name that ends so is an address. */
static bool is_number(const char *label, size_t len) {
    bool hex = len >= 2 && label[0] == '0' && (label[1] | 0x20) == 'x';
    return hex ? strspn(label + 2, "0123456789abcdefABCDEF") >= len - 2
               : strspn(label, "0123456789") >= len;
}

static bool is_name(struct bf_span host) {
    const char *at = host.text, *end = host.text + host.len;
    if (host.len && end[-1] == '.') /* the root's */
        end--;
    for (;; at++) {
        size_t len = strcspn(at, ".");
        if (len > (size_t)(end - at))
            len = (size_t)(end - at);
        if (!is_label(at, len))
            return false;
        if (at + len == end)
            return !is_number(at, len) && end - host.text <= 253;
        at += len;
    }
}

static bool is_address(int family, const char *text, size_t len) {
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (len >= sizeof copy)
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    return inet_pton(family, copy, &address) == 1;
}

static const char *host_problem(struct bf_span host) {
    if (host.text[0] == '[')
        return host.text[host.len - 1] == ']' &&
                       is_address(AF_INET6, host.text + 1, host.len - 2)
                   ? NULL
                   : "must hold an IPv6 address between [ and ]";
    return is_address(AF_INET, host.text, host.len) || is_name(host)
               ? NULL
               : "must name its host by a DNS name or an IP address";
}

/* `port` is what is behind the host: nothing, or a colon and a number. libcurl
 * refuses one above 65535. */
static bool is_port(struct bf_span port) {
    size_t digits = port.len - 1;
    return port.len == 0 || (port.text[0] == ':' && digits <= 5 &&
                             strspn(port.text + 1, "0123456789") >= digits &&
                             strspn(port.text + 1, "0") < digits);
}

/* Splits what is between "://" and the path; skips a user and a password. */
static void split_authority(const char *url, struct bf_span *host,
                            struct bf_span *port) {
    const char *begin = strstr(url, "://"), *login, *colon;
    begin = begin ? begin + 3 : "";
    const char *end = begin + strcspn(begin, "/?#");
    login = memchr(begin, '@', (size_t)(end - begin));
    if (login)
        begin = login + 1;
    colon = begin + strcspn(begin, *begin == '[' ? "]/?#" : ":/?#");
    colon += *colon == ']';
    *host = (struct bf_span){begin, (size_t)(colon - begin)};
    *port = (struct bf_span){colon, (size_t)(end - colon)};
}

/* libcurl decodes escapes in a host and makes addresses of numbers: the `read`
 * host must be the one that is written. (It may write IPv6 anew.) */
static const char *authority_problem(const char *url, const char *read) {
    struct bf_span host, port;
    split_authority(url, &host, &port);
    const char *problem = host_problem(host);
    if (!problem && !is_port(port))
        problem = bad_port;
    if (!problem && host.text[0] != '[' &&
        (strlen(read) != host.len ||
         !bf_equal_folded(read, host.text, host.len)))
        problem = "must have its host behind ://";
    return problem;
}

/* ---- the URL ---- */

static bool is_printable(const char *url) {
    for (; *url; url++)
        if (*url <= ' ' || *url > '~' || *url == '\\')
            return false;
    return true;
}

/* Sets `*text` to a part of the URL as libcurl reads it; to be released with
 * curl_free. */
static const char *read_part(const char *url, CURLUPart part, char **text) {
    CURLU *parsed = curl_url();
    CURLUcode result = parsed ? CURLUE_BAD_HANDLE : CURLUE_OUT_OF_MEMORY;
    if (parsed && is_printable(url))
        result =
            curl_url_set(parsed, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME);
    if (result == CURLUE_OK)
        result = curl_url_get(parsed, part, text, 0);
    curl_url_cleanup(parsed);
    if (result == CURLUE_OUT_OF_MEMORY)
        return no_memory;
    if (result == CURLUE_BAD_PORT_NUMBER)
        return bad_port;
    return result == CURLUE_OK ? NULL : "is not a URL with a host";
}

/* What a proxy's URL may have, and a base URL must not. */
static const char *parts_problem(const char *url) {
    const char *authority = strstr(url, "://");
    if (strchr(url, '#'))
        return "must not hold a fragment";
    if (strchr(url, '?'))
        return "must not hold a query";
    if (authority && memchr(authority + 3, '@', strcspn(authority + 3, "/")))
        return "must not hold a user or password";
    while ((url = strchr(url, '%')))
        if (strspn(++url, "0123456789abcdefABCDEF") < 2)
            return "must have two hexadecimal digits behind each %";
    return NULL;
}

/* May the host's name be given for http? The address that it leads to is
 * checked when the socket is made. */
static bool names_loopback(const char *host) {
    struct in_addr v4;
    return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (inet_pton(AF_INET, host, &v4) == 1 &&
            ntohl(v4.s_addr) >> 24 == 127);
}

static const char *scheme_problem(const char *url, const char *host,
                                  bool *insecure) {
    static const char https[] = "https:", http[] = "http:";
    *insecure = strncmp(url, http, sizeof http - 1) == 0;
    if (!*insecure && strncmp(url, https, sizeof https - 1) != 0)
        return "must begin with https://";
    return *insecure && !names_loopback(host)
               ? "may be http:// only for a loopback address; use https://"
               : NULL;
}

/* `url` begins with its scheme. */
static char *without_last_slash(const char *url) {
    size_t len = strlen(url);
    while (url[len - 1] == '/')
        len--;
    return strndup(url, len);
}

static void set_error(struct bf_error *error, const char *option,
                      const char *problem) {
    bool memory = problem == no_memory;
    bf_error_set(error, memory ? BF_MEMORY : BF_CONFIG,
                 memory ? "memory" : option, "%s %s", option, problem);
}

char *bf_url_check(const char *url, bool *insecure, struct bf_error *error) {
    char *host = NULL, *read = NULL, *normal = NULL;
    const char *problem = read_part(url, CURLUPART_HOST, &host);
    if (!problem && !(problem = parts_problem(url)) &&
        !(problem = authority_problem(url, host)) &&
        !(problem = read_part(url, CURLUPART_URL, &read)) &&
        !(problem = scheme_problem(read, host, insecure)) &&
        !(normal = without_last_slash(read)))
        problem = no_memory;
    curl_free(host);
    curl_free(read);
    if (problem)
        set_error(error, "base_url", problem);
    return normal;
}

/* Has the proxy's URL a host that can be looked up, and a port? */
static bool check_proxy(const char *proxy, struct bf_error *error) {
    char *host = NULL;
    const char *problem = read_part(proxy, CURLUPART_HOST, &host);
    if (!problem)
        problem = authority_problem(proxy, host);
    curl_free(host);
    if (problem)
        set_error(error, "proxy", problem);
    return !problem;
}

/* ---- the endpoint ---- */

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
 * No port is longer than what is before the host. */
static void split(struct bf_endpoint *endpoint) {
    const char *host = strstr(endpoint->base_url, "://") + 3;
    const char *port = endpoint->insecure ? ":80" : ":443";
    size_t len = strcspn(host, "/"), port_len = strlen(port);
    endpoint->prefix = bf_span_of(host + len);
    if (memcmp(host + len - port_len, port, port_len) == 0)
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
    if (!endpoint->base_url || (proxy && !check_proxy(proxy, error))) {
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
