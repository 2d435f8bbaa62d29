#include "http/url.h"

#include "base/span.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool bf_is_loopback(const struct sockaddr *address) {
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof v4);
        return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof v6);
        return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
    }
    return false;
}

/* A name that may be given for a plain connection; the address it leads to is
 * looked at again when the socket is made. */
static bool names_loopback(const char *host) {
    struct in_addr v4;
    return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (inet_pton(AF_INET, host, &v4) == 1 &&
            ntohl(v4.s_addr) >> 24 == 127);
}

static bool is_printable(const char *url) {
    for (; *url; url++)
        if (*url <= ' ' || *url > '~' || *url == '\\')
            return false;
    return true;
}

static bool has_part(CURLU *parsed, CURLUPart part) {
    char *text = NULL;
    bool found = curl_url_get(parsed, part, &text, 0) == CURLUE_OK;
    curl_free(text);
    return found;
}

/* What is wrong with the parsed URL, or NULL. */
static const char *complaint(CURLU *parsed, const char *url) {
    if (has_part(parsed, CURLUPART_USER) ||
        has_part(parsed, CURLUPART_PASSWORD))
        return "must not hold a user or password";
    if (has_part(parsed, CURLUPART_FRAGMENT) || strchr(url, '#'))
        return "must not hold a fragment";
    if (has_part(parsed, CURLUPART_QUERY) || strchr(url, '?'))
        return "must not hold a query";
    while ((url = strchr(url, '%')))
        if (strspn(++url, "0123456789abcdefABCDEF") < 2)
            return "must have two hexadecimal digits behind each %";
    return NULL;
}

static const char no_memory[] = "cannot be read for want of memory";

/* ---- the host and the port, as they are written ---- */

static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

/* Of a DNS name; "_" is no host's, but is in use. */
static bool is_label(const char *label, size_t len) {
    return len >= 1 && len <= 63 && strspn(label, letters) >= len &&
           label[0] != '-' && label[len - 1] != '-';
}

/* "80" or "0x50": some resolvers take a name that ends so for an address. */
static bool is_number(const char *label, size_t len) {
    bool hex = len >= 2 && label[0] == '0' && (label[1] | 0x20) == 'x';
    return hex ? strspn(label + 2, "0123456789abcdefABCDEF") >= len - 2
               : strspn(label, "0123456789") >= len;
}

static bool is_name(struct bf_span host) {
    const char *at = host.text, *end = host.text + host.len;
    if (host.len > 1 && end[-1] == '.') /* the root's */
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

static const char *host_complaint(struct bf_span host) {
    if (host.len > 0 && host.text[0] == '[')
        return host.text[host.len - 1] == ']' &&
                       is_address(AF_INET6, host.text + 1, host.len - 2)
                   ? NULL
                   : "must hold an IPv6 address between [ and ]";
    return is_address(AF_INET, host.text, host.len) || is_name(host)
               ? NULL
               : "must name its host by a DNS name or an IP address";
}

/* `port` is what is behind the host: nothing, or a colon and a number. */
static const char *port_complaint(struct bf_span port) {
    size_t digits = port.len > 0 ? port.len - 1 : 0;
    if (port.len == 0 || (port.text[0] == ':' && digits > 0 && digits <= 5 &&
                          strspn(port.text + 1, "0123456789") >= digits &&
                          strtol(port.text + 1, NULL, 10) > 0))
        return NULL; /* above 65535 libcurl has refused it */
    return "must have a port from 1 to 65535, or none";
}

/* Splits what is between "://" and the path behind the host; a user and a
 * password are passed over. */
static void split_authority(const char *url, struct bf_span *host,
                            struct bf_span *port) {
    const char *begin = strstr(url, "://"), *login, *colon;
    begin = begin ? begin + 3 : url + strlen(url);
    const char *end = begin + strcspn(begin, "/?#");
    login = memchr(begin, '@', (size_t)(end - begin));
    if (login)
        begin = login + 1;
    colon = begin + strcspn(begin, *begin == '[' ? "]/?#" : ":/?#");
    colon += *colon == ']';
    *host = (struct bf_span){begin, (size_t)(colon - begin)};
    *port = (struct bf_span){colon, (size_t)(end - colon)};
}

/* libcurl decodes escapes in a host and makes addresses of numbers: the host
 * that it has read must be the one that is written. (It may write IPv6 anew.)
 */
static const char *difference(CURLU *parsed, struct bf_span host) {
    char *read = NULL;
    const char *what = NULL;
    CURLUcode result = curl_url_get(parsed, CURLUPART_HOST, &read, 0);
    if (result == CURLUE_OUT_OF_MEMORY)
        what = no_memory;
    else if (result != CURLUE_OK ||
             (host.text[0] != '[' &&
              (strlen(read) != host.len ||
               strncasecmp(read, host.text, host.len) != 0)))
        what = "must have its host behind ://";
    curl_free(read);
    return what;
}

/* What is wrong with the host or the port, or NULL. */
static const char *authority_complaint(CURLU *parsed, const char *url) {
    struct bf_span host, port;
    split_authority(url, &host, &port);
    const char *what = host_complaint(host);
    if (!what)
        what = port_complaint(port);
    return what ? what : difference(parsed, host);
}

/* ---- the whole ---- */

static const char *scheme_complaint(CURLU *parsed, bool *insecure) {
    char *scheme = NULL, *host = NULL;
    const char *what = NULL;
    CURLUcode result = curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0);
    if (result == CURLUE_OK)
        result = curl_url_get(parsed, CURLUPART_HOST, &host, 0);
    if (result == CURLUE_OUT_OF_MEMORY)
        what = no_memory;
    else if (result != CURLUE_OK)
        what = "must be an https:// URL with a host";
    else if (!(*insecure = strcmp(scheme, "http") == 0) &&
             strcmp(scheme, "https") != 0)
        what = "must begin with https://";
    else if (*insecure && !names_loopback(host))
        what = "may be http:// only for a loopback address; use https://";
    curl_free(scheme);
    curl_free(host);
    return what;
}

static char *without_last_slash(const char *url) {
    char *copy = strdup(url);
    size_t len = copy ? strlen(copy) : 0;
    while (len > 0 && copy[len - 1] == '/')
        copy[--len] = '\0';
    return copy;
}

static char *normal_form(CURLU *parsed) {
    char *url = NULL, *copy = NULL;
    if (curl_url_get(parsed, CURLUPART_URL, &url, 0) == CURLUE_OK)
        copy = without_last_slash(url);
    curl_free(url);
    return copy;
}

/* Reads the URL into `parsed`, which may be NULL; what is wrong, or NULL. */
static const char *parse(CURLU *parsed, const char *url) {
    CURLUcode result = CURLUE_BAD_HANDLE;
    if (!parsed)
        return no_memory;
    if (is_printable(url))
        result =
            curl_url_set(parsed, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME);
    if (result == CURLUE_OUT_OF_MEMORY)
        return no_memory;
    return result == CURLUE_OK ? NULL : "is not a URL";
}

static void set_error(struct bf_error *error, const char *option,
                      const char *what) {
    bool memory = what == no_memory;
    bf_error_set(error, memory ? BF_MEMORY : BF_CONFIG,
                 memory ? "memory" : option, "%s %s", option, what);
}

char *bf_url_check(const char *url, bool *insecure, struct bf_error *error) {
    char *normal = NULL;
    CURLU *parsed = curl_url();
    const char *what = parse(parsed, url);
    if (!what && !(what = complaint(parsed, url)) &&
        !(what = authority_complaint(parsed, url)) &&
        !(what = scheme_complaint(parsed, insecure)) &&
        !(normal = normal_form(parsed)))
        what = no_memory;
    curl_url_cleanup(parsed);
    if (what)
        set_error(error, "base_url", what);
    return normal;
}

bool bf_proxy_check(const char *proxy, struct bf_error *error) {
    CURLU *parsed = curl_url();
    const char *what = parse(parsed, proxy);
    if (!what)
        what = authority_complaint(parsed, proxy);
    curl_url_cleanup(parsed);
    if (what)
        set_error(error, "proxy", what);
    return !what;
}
