#include "http/request.h"

#include "base/clock.h"
#include "base/openssl_check.h"

#include <openssl/crypto.h>
#include <string.h>

#define NONCE_NAME "X-API-NONCE: "
#define TIMESTAMP_NAME "X-API-TIMESTAMP: "
#define SIGN_NAME "X-API-SIGN: "

/* The number in decimal digits behind what is in `line`; returns where they
 * begin. */
static char *put_number(char *line, int64_t number) {
    char digits[20], *end = line + strlen(line), *begin = end;
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0 && count < sizeof digits);
    while (count > 0)
        *end++ = digits[--count];
    *end = '\0';
    return begin;
}

/* What the server's clock is ahead of the wall clock by, in ms. What is known
 * of it by the monotonic clock outlives a change of this machine's. */
static int64_t wall_offset(const struct bf_transfer *t) {
    int64_t monotonic = t->monotonic ? bf_now_ms() - bf_wall_ms() : 0;
    return t->clock_offset + monotonic;
}

static enum bf_signed sign_now(struct bf_transfer *t) {
    int64_t timestamp = 0;
    unsigned nonce = 0;
    if (!bf_nonce(wall_offset(t), &timestamp, &nonce))
        return BF_SIGN_FAILED;
    memcpy(t->nonce, NONCE_NAME, sizeof NONCE_NAME);
    memcpy(t->timestamp, TIMESTAMP_NAME, sizeof TIMESTAMP_NAME);
    memcpy(t->sign_header, SIGN_NAME, sizeof SIGN_NAME);
    const struct bf_span parts[] = {
        bf_span_of(put_number(t->nonce, nonce)),
        bf_span_of(put_number(t->timestamp, timestamp)),
        {"GET", 3},
        t->path,
        t->query,
    };
    return bf_credentials_sign(t->credentials, parts,
                               sizeof parts / sizeof *parts,
                               t->sign_header + strlen(SIGN_NAME));
}

bool bf_request_stamp(struct bf_transfer *t) {
    enum bf_signed result;
    t->sent = bf_now();
    result = t->credentials ? sign_now(t) : BF_SIGNED;
    if (result == BF_SIGN_WIPED)
        bf_error_set(&t->error, BF_CLOSED, "closed", "the client is closed");
    else if (result == BF_SIGN_FAILED)
        bf_openssl_failed(&t->error);
    return t->error.kind == BF_OK;
}

/* Not const, because a list's data is not; nobody writes to it. */
static char accept_header[] = "Accept: application/json";

static void link_headers(struct bf_transfer *t) {
    char *const lines[BF_HEADERS] = {
        accept_header,
        t->client->agent,
        t->credentials ? t->credentials->header : NULL,
        t->timestamp,
        t->nonce,
        t->sign_header,
    };
    size_t count = t->credentials ? BF_HEADERS : 2;
    for (size_t i = 0; i < count; i++) {
        t->headers[i].data = lines[i];
        t->headers[i].next = i + 1 < count ? &t->headers[i + 1] : NULL;
    }
}

void bf_request_make(struct bf_transfer *t, const struct bf_request *request) {
    const char *path = t->aim.url + strlen(t->client->base_url);
    t->path = (struct bf_span){path, request->path.len};
    t->query = (struct bf_span){path + request->path.len, request->query.len};
    if (t->query.len > 0)
        t->query.text++; /* past the question mark */
    link_headers(t);
}

void bf_request_wipe(struct bf_transfer *t) {
    OPENSSL_cleanse(t->sign_header, sizeof t->sign_header);
}
