#include "http/request.h"

#include "base/clock.h"
#include "base/openssl_check.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define FIXED_PARTS 320 /* bytes of what all requests have, and of numbers */

/* ---- writing the text ---- */

static struct bf_span put(struct bf_request *request, struct bf_span span) {
    char *at = request->text + request->len;
    memcpy(at, span.text, span.len);
    request->len += span.len;
    return (struct bf_span){at, span.len};
}

#define PUT(request, literal) \
    (void)put(request, (struct bf_span){literal, sizeof(literal) - 1})

static struct bf_span put_number(struct bf_request *request, int64_t number) {
    char digits[20];
    size_t at = sizeof digits;
    uint64_t rest = number < 0 ? 0 : (uint64_t)number;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    return put(request, (struct bf_span){digits + at, sizeof digits - at});
}

/* The request line and the headers that are known before the connection is. */
static void put_head(struct bf_request *request, struct bf_span path,
                     struct bf_span query, struct bf_span traceparent) {
    const struct bf_endpoint *endpoint = request->client->endpoint;
    PUT(request, "GET ");
    (void)put(request, endpoint->prefix);
    request->path = put(request, path);
    if (query.len > 0)
        PUT(request, "?");
    request->query = put(request, query);
    PUT(request, " HTTP/1.1\r\nHost: ");
    (void)put(request, endpoint->host);
    PUT(request, "\r\nAccept: application/json\r\n");
    (void)put(request, bf_span_of(request->client->agent));
    if (traceparent.len > 0)
        PUT(request, "\r\ntraceparent: ");
    (void)put(request, traceparent);
    PUT(request, "\r\n");
}

struct bf_request *bf_request_new(struct bf_client *client,
                                  struct bf_credentials *credentials,
                                  struct bf_span path, struct bf_span query,
                                  struct bf_span traceparent) {
    const struct bf_endpoint *endpoint = client->endpoint;
    size_t room = FIXED_PARTS + endpoint->prefix.len + path.len + query.len +
                  traceparent.len + endpoint->host.len + strlen(client->agent) +
                  (credentials ? strlen(credentials->header) : 0);
    struct bf_request *request = malloc(sizeof *request + room);
    if (!request)
        return NULL;
    memset(request, 0, sizeof *request);
    request->client = bf_client_ref(client);
    if (credentials)
        request->credentials = bf_credentials_ref(credentials);
    put_head(request, path, query, traceparent);
    return request;
}

/* ---- the signature ---- */

/* The ms by which the server's clock is ahead of the wall clock. An offset to
 * the monotonic clock stays right when the wall clock is set. */
static int64_t wall_offset(const struct bf_request *request) {
    int64_t monotonic = request->monotonic ? bf_now_ms() - bf_wall_ms() : 0;
    return request->clock_offset + monotonic;
}

static enum bf_signed put_signature(struct bf_request *request) {
    int64_t timestamp = 0;
    unsigned nonce = 0;
    struct bf_span parts[] = {
        {NULL,  0},
        {NULL,  0},
        {"GET", 3},
        request->path, request->query
    };
    enum bf_signed result;
    if (!bf_nonce(wall_offset(request), &timestamp, &nonce))
        return BF_SIGN_FAILED;
    (void)put(request, bf_span_of(request->credentials->header));
    PUT(request, "\r\nX-API-TIMESTAMP: ");
    parts[1] = put_number(request, timestamp);
    PUT(request, "\r\nX-API-NONCE: ");
    parts[0] = put_number(request, nonce);
    PUT(request, "\r\nX-API-SIGN: ");
    result = bf_credentials_sign(request->credentials, parts,
                                 sizeof parts / sizeof *parts,
                                 request->text + request->len);
    request->len += BF_SIGNATURE_LEN;
    PUT(request, "\r\n");
    return result;
}

bool bf_request_sign(struct bf_request *request, struct bf_error *error) {
    enum bf_signed result = BF_SIGNED;
    request->sent = bf_now();
    if (atomic_load(&request->client->closed))
        result = BF_SIGN_WIPED;
    else if (request->credentials)
        result = put_signature(request);
    if (result == BF_SIGN_WIPED)
        bf_error_set(error, BF_CLOSED, "closed", "the client is closed");
    else if (result == BF_SIGN_FAILED)
        bf_openssl_failed(error);
    PUT(request, "\r\n");
    return error->kind == BF_OK;
}

/* ---- the end ---- */

void bf_request_disown(struct bf_request *request) {
    bf_credentials_unref(request->credentials);
    request->credentials = NULL;
    bf_client_unref(request->client);
    request->client = NULL;
    OPENSSL_cleanse(request->text, request->len);
    request->len = 0;
}

void bf_request_free(struct bf_request *request) {
    if (!request)
        return;
    bf_request_disown(request);
    free(request);
}
