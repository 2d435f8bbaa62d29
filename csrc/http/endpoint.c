#include "http/endpoint.h"

#include "http/curl_setup.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

static bool is_same(const char *left, const char *right) {
    return left && right ? strcmp(left, right) == 0 : left == right;
}

/* Takes `part` off the front of `*url`. */
static bool passes(const char **url, const char *part, size_t len) {
    if (strncmp(*url, part, len) != 0)
        return false;
    *url += len;
    return true;
}

static bool is_url(const char *url, const struct bf_client *client,
                   const struct bf_request *request) {
    const struct bf_span *path = &request->path, *query = &request->query;
    return url && passes(&url, client->base_url, strlen(client->base_url)) &&
           passes(&url, path->text, path->len) &&
           passes(&url, "?", query->len > 0) &&
           passes(&url, query->text, query->len) && *url == '\0';
}

bool bf_aim_is(const struct bf_aim *aim, const struct bf_client *client,
               const struct bf_request *request) {
    return is_url(aim->url, client, request) &&
           is_same(aim->ca_file, client->ca_file) &&
           is_same(aim->proxy, client->proxy);
}

void bf_aim_free(struct bf_aim *aim) {
    free(aim->url);
    free(aim->ca_file);
    if (aim->proxy) /* may hold a password */
        OPENSSL_cleanse(aim->proxy, strlen(aim->proxy));
    free(aim->proxy);
    curl_url_cleanup(aim->parsed);
    aim->url = aim->ca_file = aim->proxy = NULL;
    aim->parsed = NULL;
}

/* base_url, path and query in one string. */
static char *make_url(const struct bf_client *client,
                      const struct bf_request *request) {
    size_t base = strlen(client->base_url);
    size_t path = request->path.len, query = request->query.len;
    char *url = malloc(base + path + query + 2);
    if (!url)
        return NULL;
    memcpy(url, client->base_url, base);
    memcpy(url + base, request->path.text, path);
    url[base + path] = query ? '?' : '\0';
    if (query)
        memcpy(url + base + path + 1, request->query.text, query);
    url[base + path + 1 + query] = '\0';
    return url;
}

/* What is signed is what is sent: the path stays as it is. */
static bool parse(struct bf_aim *aim) {
    aim->parsed = curl_url();
    return aim->parsed && curl_url_set(aim->parsed, CURLUPART_URL, aim->url,
                                       CURLU_PATH_AS_IS) == CURLUE_OK;
}

static bool copy(struct bf_aim *aim, const struct bf_client *client,
                 const struct bf_request *request) {
    const char *ca_file = client->ca_file;
    aim->url = make_url(client, request);
    aim->ca_file = ca_file ? strdup(ca_file) : NULL;
    aim->proxy = strdup(client->proxy);
    return aim->url && aim->proxy && (aim->ca_file || !ca_file);
}

bool bf_aim_by_tls_proxy(const struct bf_client *client) {
    static const char https[] = "https:";
    return strncmp(client->proxy, https, sizeof https - 1) == 0;
}

/* In the TLS of such a proxy may be what nobody sees: bytes past the end of a
 * reply, in the buffer of a connection around the server's own. */
static bool forbid_reuse(CURL *easy, const struct bf_client *client) {
    return !bf_aim_by_tls_proxy(client) ||
           curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK;
}

bool bf_aim_set(struct bf_aim *aim, CURL *easy, const struct bf_client *client,
                const struct bf_request *request) {
    bf_aim_free(aim);
    if (copy(aim, client, request) && parse(aim) &&
        curl_easy_setopt(easy, CURLOPT_CURLU, aim->parsed) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_PROXY, aim->proxy) == CURLE_OK &&
        forbid_reuse(easy, client) &&
        (!aim->ca_file || bf_curl_setup_ca(easy, aim->ca_file)))
        return true;
    bf_aim_free(aim);
    return false;
}
