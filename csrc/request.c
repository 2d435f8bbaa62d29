#include "request.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIGN_NAME "X-API-SIGN: "

static bool sign_now(struct bf_transfer *t, int64_t now) {
    int64_t timestamp = now + t->clock_offset;
    unsigned nonce = 0;
    char digits[24];
    char *signature = t->sign_header + strlen(SIGN_NAME);
    if (!bf_nonce(&timestamp, &nonce))
        return false;
    (void)snprintf(digits, sizeof digits, "%u", nonce);
    (void)snprintf(t->nonce, sizeof t->nonce, "X-API-NONCE: %u", nonce);
    (void)snprintf(t->timestamp, sizeof t->timestamp,
                   "X-API-TIMESTAMP: %" PRId64, timestamp);
    const char *stamp = t->timestamp + strlen("X-API-TIMESTAMP: ");
    const struct bf_span parts[] = {
        {digits, strlen(digits)},
        {stamp,  strlen(stamp) },
        {"GET",  3             },
        t->path,
        t->query,
    };
    memcpy(t->sign_header, SIGN_NAME, sizeof SIGN_NAME);
    return bf_sign(t->client->mac, parts, sizeof parts / sizeof *parts,
                   signature);
}

bool bf_request_stamp(struct bf_transfer *t) {
    t->sent = bf_now();
    t->sent_ms = bf_wall_ms();
    t->ready = true;
    if (!t->sign)
        return true;
    if (!t->client->mac)
        bf_fault_set(&t->fault, BF_CLOSED, "closed", "the client is closed");
    else if (!sign_now(t, t->sent_ms))
        bf_fault_set(&t->fault, BF_CONFIG, "openssl",
                     "OpenSSL could not sign the request");
    return t->fault.kind == BF_OK;
}

static void link_headers(struct bf_transfer *t) {
    char *const lines[BF_HEADERS] = {
        t->accept,
        t->client->agent.data,
        t->sign ? t->client->api_key.data : NULL,
        t->timestamp,
        t->nonce,
        t->sign_header,
    };
    size_t count = t->sign ? BF_HEADERS : 2;
    for (size_t i = 0; i < count; i++) {
        t->headers[i].data = lines[i];
        t->headers[i].next = i + 1 < count ? &t->headers[i + 1] : NULL;
    }
}

/* base_url, path and query in one string that the spans point into. */
static bool make_url(struct bf_transfer *t, const struct bf_request *request) {
    size_t base = strlen(t->client->base_url);
    size_t path = request->path.len, query = request->query.len;
    char *url = malloc(base + path + query + 2);
    if (!url)
        return false;
    memcpy(url, t->client->base_url, base);
    memcpy(url + base, request->path.text, path);
    url[base + path] = query ? '?' : '\0';
    if (query)
        memcpy(url + base + path + 1, request->query.text, query);
    url[base + path + 1 + query] = '\0';
    t->url = url;
    t->path = (struct bf_span){url + base, path};
    t->query = (struct bf_span){url + base + path + 1, query};
    return true;
}

bool bf_request_make(struct bf_transfer *t, const struct bf_request *request) {
    if (!make_url(t, request))
        return false;
    (void)strcpy(t->accept, "Accept: application/json");
    link_headers(t);
    return true;
}

const char *bf_request_signature(const struct bf_transfer *t) {
    return t->sign && t->sign_header[0] ? t->sign_header + strlen(SIGN_NAME)
                                        : NULL;
}

void bf_request_wipe(struct bf_transfer *t) {
    free(t->url);
    t->url = NULL;
    OPENSSL_cleanse(t->sign_header, sizeof t->sign_header);
}
