#include "http/exchange.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

#define MOST_READS 64  /* in one step */
#define HEAD_ROOM 2048 /* bytes to ask for while the head is not whole */

/* Was the connection kept from another exchange? */
static bool is_reused(const struct bf_exchange *x) {
    return x->connection && x->connection->idle_since > 0;
}

void bf_exchange_end(struct bf_exchange *x) {
    x->state = BF_EXCHANGE_DONE;
    x->result.retry_after = bf_head_retry_after(&x->head);
    x->result.stale = is_reused(x) && x->result.error.kind == BF_NETWORK &&
                      x->buffer.len == 0;
}

/* ---- the reply is whole ---- */

/* Bytes behind the reply, in a later segment or record that is there already,
 * belong to no request. Without a connection, in the fuzz target, there are
 * none. */
static bool has_trailing_bytes(struct bf_exchange *x) {
    struct bf_error ended = {.kind = BF_OK};
    enum bf_idle idle = BF_IDLE;
    if (!x->connection)
        return false;
    if (!bf_connection_seems_idle(x->connection))
        idle = bf_connection_check_idle(x->connection, &ended);
    x->clean = idle == BF_IDLE && !x->head.closes &&
               !x->connection->endpoint->by_tls_proxy;
    return idle == BF_PARTIAL_RECORD || idle == BF_TRAILING_BYTES;
}

static void complete(struct bf_exchange *x, bool trailing) {
    struct bf_result *result = &x->result;
    char *body = x->buffer.data + x->body.begin;
    body[x->body.len] = '\0';
    result->body = (struct bf_span){body, x->body.len};
    trailing = trailing || has_trailing_bytes(x);
    if (result->status != 200 && (trailing || x->body.len == 0))
        bf_result_set_status_error(result);
    else if (trailing)
        bf_error_set(&result->error, BF_PROTOCOL, "framing",
                     "there are bytes after the reply's end");
    else
        bf_result_read(result, x->request);
    bf_exchange_end(x);
}

/* ---- receiving ---- */

/* Ends it where its error is set. A status other than 200 is the error then. */
static bool has_failed(struct bf_exchange *x) {
    if (x->result.error.kind == BF_OK)
        return false;
    if (bf_head_final(&x->head) && !x->head.malformed &&
        x->head.status != 200) {
        bf_error_clear(&x->result.error);
        bf_result_set_status_error(&x->result);
    }
    bf_exchange_end(x);
    return true;
}

static void take_body(struct bf_exchange *x) {
    enum bf_body_state state = bf_body_take(
        &x->body, &x->buffer, x->request->client->max_body, &x->result.error);
    if (!has_failed(x) && state != BF_BODY_PARTIAL)
        complete(x, state == BF_BODY_TRAILING);
}

/* Does the first line begin as one of HTTP/1, as far as it was received?
 * Another one may never end. */
static bool begins_as_http(const struct bf_buffer *buffer) {
    static const char start[] = "HTTP/1.";
    size_t len = sizeof start - 1;
    return memcmp(buffer->data, start, buffer->len < len ? buffer->len : len) ==
           0;
}

static bool is_head_complete(const struct bf_exchange *x) {
    return bf_head_final(&x->head) || x->head.malformed;
}

/* Passes the whole lines to `head`; none of them ends before `from`. A line
 * that ends past the limit is not read, however much of it was received. */
static void take_lines(struct bf_exchange *x, size_t from) {
    struct bf_buffer *buffer = &x->buffer;
    while (!is_head_complete(x)) {
        char *end = memchr(buffer->data + from, '\n', buffer->len - from);
        if (!end || end - buffer->data >= BF_HEAD_MAX)
            return;
        from = (size_t)(end - buffer->data) + 1;
        bf_head_line(&x->head, buffer->data + x->parsed, from - x->parsed);
        x->parsed = from;
    }
}

static void take_head(struct bf_exchange *x, size_t from) {
    struct bf_error *error = &x->result.error;
    take_lines(x, from);
    if (!begins_as_http(&x->buffer))
        bf_error_set(error, BF_PROTOCOL, "framing",
                     "the reply does not begin as one of HTTP/1 does");
    if (!is_head_complete(x) && x->buffer.len > BF_HEAD_MAX)
        x->head.bytes = x->buffer.len;
    if (is_head_complete(x) || x->head.bytes > BF_HEAD_MAX)
        (void)bf_head_check(&x->head, error);
    x->result.status = x->head.status;
    if (has_failed(x) || !bf_head_final(&x->head))
        return;
    x->state = BF_EXCHANGE_BODY;
    bf_body_init(&x->body, &x->head, x->parsed);
    take_body(x);
}

/* Was nothing received but interim replies (1xx)? The server may read its clock
 * long after them. */
static bool is_before_reply(const struct bf_exchange *x) {
    return x->state == BF_EXCHANGE_HEAD && x->parsed == x->buffer.len &&
           (x->parsed == 0 || x->head.ended);
}

void bf_exchange_received(struct bf_exchange *x, size_t len) {
    size_t from = x->buffer.len;
    if (is_before_reply(x))
        x->result.replied = bf_now();
    bf_buffer_added(&x->buffer, len);
    if (x->state == BF_EXCHANGE_HEAD)
        take_head(x, from);
    else
        take_body(x);
}

static void set_truncated(struct bf_error *error) {
    struct bf_error reason = *error;
    bf_error_clear(error);
    bf_error_set(error, BF_NETWORK, "truncated",
                 "the connection broke within the reply: %s", reason.text);
}

/* The connection has ended before the reply, with libcurl's `result`. */
static void end_early(struct bf_exchange *x, CURLcode result) {
    struct bf_error *error = &x->result.error;
    bool has_begun = x->buffer.len > 0;
    if (result || !has_begun)
        bf_connection_set_error(x->connection,
                                result ? result : CURLE_GOT_NOTHING, error);
    else if (x->state == BF_EXCHANGE_HEAD)
        (void)bf_head_check(&x->head, error);
    else
        bf_error_set(error, BF_NETWORK, "truncated",
                     "the reply's body is not complete");
    if (result && has_begun && error->kind == BF_NETWORK)
        set_truncated(error);
    (void)has_failed(x);
}

/* True: there may be more. */
static bool receive(struct bf_exchange *x) {
    size_t room =
        x->state == BF_EXCHANGE_HEAD ? HEAD_ROOM : bf_body_missing(&x->body);
    struct bf_buffer *buffer = &x->buffer;
    size_t received = 0;
    CURLcode result;
    if (!bf_buffer_reserve(buffer, room + BF_BODY_SLACK)) {
        bf_error_no_memory(&x->result.error);
        bf_exchange_end(x);
        return false;
    }
    result = bf_connection_receive(x->connection, buffer->data + buffer->len,
                                   buffer->cap - buffer->len - BF_BODY_SLACK,
                                   &received);
    if (result == CURLE_AGAIN)
        return false;
    if (result == CURLE_OK && received > 0)
        bf_exchange_received(x, received);
    else
        end_early(x, result);
    return x->state != BF_EXCHANGE_DONE;
}

/* ---- sending ---- */

/* False also where a part of a TLS record was received: it may be a ticket, so
 * the rest is waited for. */
static bool is_idle(struct bf_exchange *x) {
    struct bf_error *error = &x->result.error;
    enum bf_idle idle = bf_connection_check_idle(x->connection, error);
    if (idle == BF_TRAILING_BYTES)
        bf_error_set(error, BF_PROTOCOL, "framing",
                     "the server sent something before the request");
    else if (idle == BF_ENDED)
        bf_error_set(error, BF_NETWORK, "empty",
                     "the server closed the connection before the request");
    if (error->kind != BF_OK)
        bf_exchange_end(x);
    return idle == BF_IDLE;
}

static bool sign(struct bf_exchange *x) {
    if (!is_reused(x) && !is_idle(x)) /* a kept one was checked when taken */
        return false;
    if (bf_now() >= x->request->deadline) /* the process had been stopped */
        bf_exchange_expire(x);
    else if (!bf_request_sign(x->request, &x->result.error))
        bf_exchange_end(x);
    return x->state != BF_EXCHANGE_DONE;
}

static void send_request(struct bf_exchange *x) {
    const struct bf_request *request = x->request;
    CURLcode result = CURLE_OK;
    size_t sent = 0;
    if (request->sent == 0 && !sign(x))
        return;
    x->result.sent = request->sent;
    while (result == CURLE_OK && x->sent < request->len) {
        result = bf_connection_send(x->connection, request->text + x->sent,
                                    request->len - x->sent, &sent);
        if (result == CURLE_OK)
            x->sent += sent;
    }
    if (result == CURLE_OK)
        x->state = BF_EXCHANGE_HEAD;
    else if (result != CURLE_AGAIN)
        end_early(x, result);
}

bool bf_exchange_is_sending(const struct bf_exchange *x) {
    return x->state == BF_EXCHANGE_SENDING && x->request->sent > 0;
}

bool bf_exchange_step(struct bf_exchange *x) {
    int reads = 0;
    if (x->state == BF_EXCHANGE_SENDING)
        send_request(x);
    if (!x->readable ||
        (x->state != BF_EXCHANGE_HEAD && x->state != BF_EXCHANGE_BODY))
        return false;
    while (receive(x))
        if (++reads >= MOST_READS)
            return true;
    return false;
}

/* ---- the end ---- */

double bf_exchange_due(const struct bf_exchange *x) {
    double deadline = x->request->deadline;
    double connect = x->started + x->request->client->connect_timeout;
    return x->state <= BF_EXCHANGE_CONNECTING && connect < deadline ? connect
                                                                    : deadline;
}

void bf_exchange_expire(struct bf_exchange *x) {
    const char *stage = x->state == BF_EXCHANGE_NEW    ? "resolve"
                        : x->state == BF_EXCHANGE_BODY ? "body"
                                                       : "response";
    if (x->state == BF_EXCHANGE_CONNECTING) {
        bf_connection_expire(x->connection);
        x->result.error = x->connection->error;
    } else {
        bf_error_timeout(&x->result.error, stage, bf_now() - x->started);
    }
    bf_exchange_end(x);
}

/* ---- life ---- */

struct bf_exchange *bf_exchange_new(void) {
    struct bf_exchange *x = calloc(1, sizeof *x);
    if (x)
        bf_exchange_reset(x);
    return x;
}

void bf_exchange_begin(struct bf_exchange *x, struct bf_request *request) {
    x->request = request;
    x->state = BF_EXCHANGE_NEW;
    x->started = bf_now();
}

void bf_exchange_attach(struct bf_exchange *x, struct bf_connection *c) {
    x->connection = c;
    x->state = c->state == BF_CONNECTION_OPEN ? BF_EXCHANGE_SENDING
                                              : BF_EXCHANGE_CONNECTING;
}

void bf_exchange_reset(struct bf_exchange *x) {
    bf_request_free(x->request);
    x->request = NULL;
    x->connection = NULL;
    x->clean = x->readable = false;
    x->lost = 0;
    x->sent = x->parsed = 0;
    bf_buffer_reset(&x->buffer);
    bf_head_init(&x->head);
    bf_result_reset(&x->result);
}

void bf_exchange_free(struct bf_exchange *x) {
    if (!x)
        return;
    bf_exchange_reset(x);
    bf_reply_free(&x->result.reply);
    bf_buffer_free(&x->buffer);
    free(x);
}
