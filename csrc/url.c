#include "url.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    return NULL;
}

static const char no_memory[] = "cannot be read for want of memory";

static const char *scheme_complaint(CURLU *parsed, bool *plain) {
    char *scheme = NULL, *host = NULL;
    const char *what = NULL;
    CURLUcode result = curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0);
    if (result == CURLUE_OK)
        result = curl_url_get(parsed, CURLUPART_HOST, &host, 0);
    if (result == CURLUE_OUT_OF_MEMORY)
        what = no_memory;
    else if (result != CURLUE_OK)
        what = "must be an https:// URL with a host";
    else if (!(*plain = strcmp(scheme, "http") == 0) &&
             strcmp(scheme, "https") != 0)
        what = "must begin with https://";
    else if (*plain && !names_loopback(host))
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

char *bf_url_check(const char *url, bool *plain, struct bf_fault *fault) {
    const char *what = "is not a URL";
    char *normal = NULL;
    CURLUcode result = CURLUE_BAD_HANDLE;
    CURLU *parsed = curl_url();
    if (!parsed) {
        bf_fault_set(fault, BF_MEMORY, "memory", "not enough memory");
        return NULL;
    }
    if (is_printable(url))
        result =
            curl_url_set(parsed, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME);
    if (result == CURLUE_OUT_OF_MEMORY)
        what = no_memory;
    else if (result == CURLUE_OK && (what = complaint(parsed, url)) == NULL &&
             (what = scheme_complaint(parsed, plain)) == NULL)
        normal = normal_form(parsed);
    curl_url_cleanup(parsed);
    if (what == no_memory || (!what && !normal))
        bf_fault_set(fault, BF_MEMORY, "memory", "base_url %s", no_memory);
    else if (what)
        bf_fault_set(fault, BF_CONFIG, "base_url", "base_url %s", what);
    return normal;
}
