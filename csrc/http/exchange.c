#include "http/exchange.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

#define MOST_READS 64  /* in one step */
#define HEAD_ROOM 2048 /* bytes to ask for while the head is not whole */

static void finish(struct bf_exchange *x) {
    x->state = BF_EXCHANGE_DONE;
    x->result.retry_after = bf_head_retry_after(&x->head);
    x->result.stale =
        x->reused && x->result.error.kind == BF_NETWORK && x->buffer.len == 0;
}

/* ---- the reply is whole ---- */

static bool is_trailing(struct bf_exchange *x) {
    struct bf_error ended = {.kind = BF_OK};
    enum bf_quiet quiet = BF_QUIET;
    if (!x->connection) /* it was fed by hand */
        return false;
    if (!bf_connection_seems_quiet(x->connection))
        quiet = bf_connection_check_quiet(x->connection, &ended);
    x->clean = quiet == BF_QUIET && !x->head.closes &&
               !x->connection->endpoint->by_tls_proxy;
    return quiet == BF_PART || quiet == BF_BYTES;
}

/* What comes in the same segment or record, or in a later one that is there
 * already, belongs to no request. */
static void complete(struct bf_exchange *x, bool trailing) {
    struct bf_result *result = &x->result;
    x->buffer.data[x->body.begin + x->body.len] = '\0';
    result->body =
        (struct bf_span){x->buffer.data + x->body.begin, x->body.len};
    if (trailing || is_trailing(x)) {
        x->clean = false;
        if (result->status == 200)
            bf_error_set(&result->error, BF_PROTOCOL, "framing",
                         "there are bytes after the reply's end");
        else
            bf_result_set_status_error(result);
    } else if (result->status != 200 && x->body.len == 0) {
        bf_result_set_status_error(result);
    } else {
        bf_result_read(result, x->request);
    }
    finish(x);
}

/* ---- receiving ---- */

static size_t max_body(const struct bf_exchange *x) {
    return x->request->client->max_body;
}

/* Ends it where an error was found in the reply. A status that tells of an
 * error already is not made another one by that. */
static bool has_failed(struct bf_exchange *x, struct bf_error *error) {
    if (error->kind == BF_OK)
        return false;
    if (bf_head_final(&x->head) && !x->head.malformed && x->head.status != 200)
        bf_result_set_status_error(&x->result);
    bf_exchange_fail(x, error);
    return true;
}

static void take_body(struct bf_exchange *x) {
    struct bf_error error = {.kind = BF_OK};
    enum bf_body_state state =
        bf_body_take(&x->body, &x->buffer, max_body(x), &error);
    if (!has_failed(x, &error) && state != BF_BODY_PARTIAL)
        complete(x, state == BF_BODY_TRAILING);
}

/* Does what has come of the first line begin as that of HTTP/1? What does not
 * will never end it. */
static bool begins_as_http(const struct bf_buffer *buffer) {
    static const char start[] = "HTTP/1.";
    size_t len = sizeof start - 1;
    return memcmp(buffer->data, start, buffer->len < len ? buffer->len : len) ==
           0;
}

/* Passes the lines that are whole to `head`; before `from` no line ends that
 * was not passed yet. What ends past the limit is not read: how much of it has
 * come already must make no difference. */
static void take_lines(struct bf_exchange *x, size_t from) {
    struct bf_buffer *buffer = &x->buffer;
    while (!bf_head_final(&x->head) && !x->head.malformed) {
        char *end = memchr(buffer->data + from, '\n', buffer->len - from);
        if (!end || end - buffer->data >= BF_HEAD_MAX)
            return;
        from = (size_t)(end - buffer->data) + 1;
        bf_head_line(&x->head, buffer->data + x->parsed, from - x->parsed);
        x->parsed = from;
    }
}

static void take_head(struct bf_exchange *x, size_t from) {
    struct bf_error error = {.kind = BF_OK};
    take_lines(x, from);
    if (!begins_as_http(&x->buffer))
        bf_error_set(&error, BF_PROTOCOL, "framing",
                     "the reply does not begin as one of HTTP/1 does");
    if (!bf_head_final(&x->head) && !x->head.malformed &&
        x->buffer.len > BF_HEAD_MAX)
        x->head.bytes = x->buffer.len;
    if (bf_head_final(&x->head) || x->head.malformed ||
        x->head.bytes > BF_HEAD_MAX)
        (void)bf_head_check(&x->head, max_body(x), &error);
    x->result.status = x->head.status;
    if (has_failed(x, &error) || !bf_head_final(&x->head))
        return;
    x->state = BF_EXCHANGE_BODY;
    bf_body_init(&x->body, &x->head, x->parsed);
    take_body(x);
}

/* Has nothing come but interim replies (1xx)? The server may read its clock
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

/* The connection has ended before the reply has: `result` is libcurl's. */
static void end_early(struct bf_exchange *x, CURLcode result) {
    struct bf_error error = {.kind = BF_OK};
    if (x->buffer.len == 0) {
        bf_connection_set_error(x->connection,
                                result ? result : CURLE_GOT_NOTHING, &error);
    } else if (result) {
        bf_connection_set_error(x->connection, result, &error);
        if (error.kind == BF_NETWORK) {
            struct bf_error reason = error;
            bf_error_clear(&error);
            bf_error_set(&error, BF_NETWORK, "truncated",
                         "the connection broke within the reply: %s",
                         reason.text);
        }
    } else if (x->state == BF_EXCHANGE_HEAD) {
        bf_error_set(&error, BF_NETWORK, "truncated",
                     "the reply ends within its headers");
    } else {
        bf_error_set(&error, BF_NETWORK, "truncated",
                     "the reply's body ends before its end");
    }
    (void)has_failed(x, &error);
}

/* True: there may be more. */
static bool receive(struct bf_exchange *x) {
    size_t room =
        x->state == BF_EXCHANGE_HEAD ? HEAD_ROOM : bf_body_missing(&x->body);
    struct bf_buffer *buffer = &x->buffer;
    struct bf_error error = {.kind = BF_OK};
    size_t received = 0;
    CURLcode result;
    if (!bf_buffer_reserve(buffer, room + BF_BODY_SLACK)) {
        bf_error_no_memory(&error);
        bf_exchange_fail(x, &error);
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

/* A reply cannot come before its request. Where only a part of a record has
 * come, which may be a ticket, this waits for the rest. */
static bool is_quiet(struct bf_exchange *x) {
    struct bf_error error = {.kind = BF_OK};
    enum bf_quiet quiet = bf_connection_check_quiet(x->connection, &error);
    if (quiet == BF_BYTES)
        bf_error_set(&error, BF_PROTOCOL, "framing",
                     "the server sent something before the request");
    else if (quiet == BF_BROKEN)
        bf_error_set(&error, BF_NETWORK, "empty",
                     "the server closed the connection before the request");
    if (error.kind != BF_OK)
        bf_exchange_fail(x, &error);
    return quiet == BF_QUIET;
}

static bool sign(struct bf_exchange *x) {
    struct bf_error error = {.kind = BF_OK};
    if (!x->reused && !is_quiet(x)) /* a kept one was checked when taken */
        return false;
    if (bf_now() >= x->request->deadline) { /* the process had been stopped */
        bf_exchange_expire(x);
        return false;
    }
    if (!bf_request_sign(x->request, &error))
        bf_exchange_fail(x, &error);
    return error.kind == BF_OK;
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
        x->sent += result == CURLE_OK ? sent : 0;
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

void bf_exchange_fail(struct bf_exchange *x, const struct bf_error *error) {
    if (x->result.error.kind == BF_OK)
        x->result.error = *error;
    x->clean = false;
    finish(x);
}

double bf_exchange_due(const struct bf_exchange *x) {
    double deadline = x->request->deadline;
    return x->state <= BF_EXCHANGE_CONNECTING && x->connect_deadline < deadline
               ? x->connect_deadline
               : deadline;
}

void bf_exchange_expire(struct bf_exchange *x) {
    struct bf_error error = {.kind = BF_OK};
    if (x->state == BF_EXCHANGE_CONNECTING) {
        bf_connection_expire(x->connection);
        error = x->connection->error;
    } else {
        bf_error_timeout(&error,
                         x->state == BF_EXCHANGE_NEW    ? "resolve"
                         : x->state == BF_EXCHANGE_BODY ? "body"
                                                        : "response",
                         bf_now() - x->started);
    }
    bf_exchange_fail(x, &error);
}

/* ---- life ---- */

struct bf_exchange *bf_exchange_new(void) {
    struct bf_exchange *x = calloc(1, sizeof *x);
    if (x) {
        bf_list_init(&x->link);
        bf_exchange_reset(x);
    }
    return x;
}

void bf_exchange_begin(struct bf_exchange *x, struct bf_request *request) {
    double timeout = request->client->connect_timeout;
    x->request = request;
    x->state = BF_EXCHANGE_NEW;
    x->started = bf_now();
    x->connect_deadline = x->started + timeout;
}

void bf_exchange_await(struct bf_exchange *x,
                       struct bf_connection *connection) {
    x->connection = connection;
    x->state = BF_EXCHANGE_CONNECTING;
}

void bf_exchange_use(struct bf_exchange *x, struct bf_connection *connection,
                     bool reused) {
    x->connection = connection;
    x->reused = reused;
    x->state = BF_EXCHANGE_SENDING;
}

void bf_exchange_reset(struct bf_exchange *x) {
    bf_request_free(x->request);
    x->request = NULL;
    x->connection = NULL;
    x->reused = x->clean = x->readable = false;
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
