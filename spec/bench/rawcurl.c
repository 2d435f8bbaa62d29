/*
 * rawcurl: what the same requests cost with nothing but libcurl around them.
 *
 *     rawcurl URL CA_FILE CALLS
 *
 * One easy handle, kept; the header list made anew for each call, as it must
 * be where each call is signed; libcurl's defaults otherwise. The values of
 * the headers are as long as the real ones, and never computed.
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char sign_header[] =
    "X-API-SIGN: "
    "f23e24bfff7faf21f51eb2d36c510bd2c2cc4202fc9f1e28de06e929b318c3cd";

struct body {
    char *text;
    size_t len, cap;
};

static size_t on_body(char *data, size_t size, size_t count, void *userdata) {
    struct body *body = userdata;
    size_t len = size * count;
    if (body->len + len > body->cap) {
        size_t cap = (body->len + len) * 2;
        char *text = realloc(body->text, cap);
        if (!text)
            return 0;
        body->text = text;
        body->cap = cap;
    }
    memcpy(body->text + body->len, data, len);
    body->len += len;
    return len;
}

static struct curl_slist *make_headers(void) {
    static const char *const lines[] = {
        "Accept: application/json",    "User-Agent: bitfront-lua/0.1.0",
        "X-API-KEY: 6W206egN32nCQ0VB", "X-API-TIMESTAMP: 1523864107010",
        "X-API-NONCE: 12345",          sign_header,
    };
    struct curl_slist *list = NULL;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        list = curl_slist_append(list, lines[i]);
    return list;
}

static int fetch(CURL *easy, struct body *body) {
    struct curl_slist *headers = make_headers();
    CURLcode result;
    body->len = 0;
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    result = curl_easy_perform(easy);
    curl_slist_free_all(headers);
    if (result != CURLE_OK)
        fprintf(stderr, "rawcurl: %s\n", curl_easy_strerror(result));
    return result == CURLE_OK;
}

static CURL *make_handle(const char *url, const char *ca, struct body *body) {
    CURL *easy = curl_easy_init();
    if (!easy)
        return NULL;
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_CAINFO, ca);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, body);
    return easy;
}

int main(int argc, char **argv) {
    struct body body = {NULL, 0, 0};
    CURL *easy;
    int ok;
    if (argc != 4) {
        fprintf(stderr, "usage: rawcurl URL CA_FILE CALLS\n");
        return 2;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    easy = make_handle(argv[1], argv[2], &body);
    ok = easy != NULL;
    for (long left = strtol(argv[3], NULL, 10); ok && left > 0; left--)
        ok = fetch(easy, &body);
    curl_easy_cleanup(easy);
    curl_global_cleanup();
    free(body.text);
    return ok ? 0 : 1;
}
