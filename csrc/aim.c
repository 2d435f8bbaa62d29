#include "aim.h"

#include "lockdown.h"

#include <stdlib.h>
#include <string.h>

static bool is_same(const char *left, const char *right) {
    return left && right ? strcmp(left, right) == 0 : left == right;
}

bool bf_aim_is(const struct bf_aim *aim, const char *url, const char *ca_file,
               const char *proxy) {
    return is_same(aim->url, url) && is_same(aim->ca_file, ca_file) &&
           is_same(aim->proxy, proxy);
}

void bf_aim_free(struct bf_aim *aim) {
    free(aim->url);
    free(aim->ca_file);
    free(aim->proxy);
    curl_url_cleanup(aim->parsed);
    aim->url = aim->ca_file = aim->proxy = NULL;
    aim->parsed = NULL;
}

/* What is signed is what is sent: the path stays as it is. */
static bool parse(struct bf_aim *aim) {
    aim->parsed = curl_url();
    return aim->parsed && curl_url_set(aim->parsed, CURLUPART_URL, aim->url,
                                       CURLU_PATH_AS_IS) == CURLUE_OK;
}

static bool copy(struct bf_aim *aim, const char *ca_file, const char *proxy) {
    aim->ca_file = ca_file ? strdup(ca_file) : NULL;
    aim->proxy = strdup(proxy);
    return aim->proxy && (aim->ca_file || !ca_file);
}

bool bf_aim_set(struct bf_aim *aim, CURL *easy, char *url, const char *ca_file,
                const char *proxy) {
    bf_aim_free(aim);
    aim->url = url;
    if (parse(aim) && copy(aim, ca_file, proxy) &&
        curl_easy_setopt(easy, CURLOPT_CURLU, aim->parsed) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_PROXY, proxy) == CURLE_OK &&
        (!ca_file || bf_lockdown_ca(easy, ca_file)))
        return true;
    bf_aim_free(aim);
    return false;
}
