/*
 * rawcurl: what the same requests cost with nothing but libcurl around them.
 *
 *     rawcurl URL CA_FILE CALLS [SECRET]
 *
 * One easy handle, kept; the header list made anew for each call; libcurl's
 * defaults otherwise. Without a secret the headers are as long as the real
 * ones, and never computed. With it each request has a nonce, a time and a
 * signature of its own, as the exchange demands, by the shortest way OpenSSL
 * has.
 */
#include <curl/curl.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct {
    char time[48], nonce[32], sign[96];
} headers_now = {
    "X-API-TIMESTAMP: 1523864107010",
    "X-API-NONCE: 12345",
    "X-API-SIGN: "
    "f23e24bfff7faf21f51eb2d36c510bd2c2cc4202fc9f1e28de06e929b318c3cd",
};

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

static void sign(const char *secret) {
    unsigned char mac[32];
    char message[128];
    unsigned nonce, len = 0;
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)RAND_bytes((unsigned char *)&nonce, sizeof nonce);
    nonce = 10000 + nonce % 90000;
    long long ms = (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    snprintf(headers_now.time, sizeof headers_now.time, "X-API-TIMESTAMP: %lld",
             ms);
    snprintf(headers_now.nonce, sizeof headers_now.nonce, "X-API-NONCE: %u",
             nonce);
    int size = snprintf(message, sizeof message,
                        "%u%lldGET/v1/account/balances", nonce, ms);
    HMAC(EVP_sha256(), secret, (int)strlen(secret),
         (const unsigned char *)message, (size_t)size, mac, &len);
    char *hex = headers_now.sign + strlen("X-API-SIGN: ");
    for (unsigned i = 0; i < len; i++) {
        *hex++ = "0123456789abcdef"[mac[i] >> 4];
        *hex++ = "0123456789abcdef"[mac[i] & 15];
    }
}

static struct curl_slist *make_headers(const char *secret) {
    const char *const lines[] = {
        "Accept: application/json",
        "User-Agent: bitfront-lua/0.1.0",
        "X-API-KEY: 6W206egN32nCQ0VB",
        headers_now.time,
        headers_now.nonce,
        headers_now.sign,
    };
    struct curl_slist *list = NULL;
    if (secret)
        sign(secret);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        list = curl_slist_append(list, lines[i]);
    return list;
}

static int fetch(CURL *easy, struct body *body, const char *secret) {
    struct curl_slist *headers = make_headers(secret);
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
    if (argc != 4 && argc != 5) {
        fprintf(stderr, "usage: rawcurl URL CA_FILE CALLS [SECRET]\n");
        return 2;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    easy = make_handle(argv[1], argv[2], &body);
    ok = easy != NULL;
    for (long left = strtol(argv[3], NULL, 10); ok && left > 0; left--)
        ok = fetch(easy, &body, argv[4]);
    curl_easy_cleanup(easy);
    curl_global_cleanup();
    free(body.text);
    return ok ? 0 : 1;
}
