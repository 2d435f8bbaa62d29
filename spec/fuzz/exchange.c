/* A libFuzzer target: a made-up reply, given to an exchange as if it was
 * received. However the bytes are cut up, the same must come out. Built and run
 * by spec/fuzz/run.sh.
 *
 * The input is a byte of settings (see read_settings), CUTS bytes that tell how
 * the reply is cut, and the reply. In the reply stands 0xF5 N M for: the M
 * bytes that follow, N * 16 times, so that a short input can be a long reply.
 *
 * The reply is received byte by byte first. The exchange is done as soon as its
 * result is certain, so this tells at which byte the reply ends. Then:
 *
 * - what is received up to that byte, in one piece, must give the same result;
 * - where more bytes follow, a piece that ends there cannot tell that they do:
 *   it is for the connection to look, and there is none here. A piece that goes
 *   on past a reply that is whole must give the error for trailing bytes
 *   instead, and nothing of the reply;
 * - past a reply that was refused, nothing may make a difference.
 */

#include "http/exchange.h"

#include <stdlib.h>
#include <string.h>

#define CUTS 8
#define MOST 75000 /* bytes of a reply: past every limit but one */
#define REPEAT 0xF5

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void demand(bool holds) {
    if (!holds)
        abort();
}

/* ---- the input ---- */

struct input {
    enum bf_expect expect;
    enum bf_amounts amounts;
    size_t max_body;
    const unsigned char *cuts;
    size_t len;
    char reply[MOST];
};

static void read_settings(struct input *in, unsigned byte) {
    static const size_t max_bodies[] = {2, 150, 4000, 60000};
    in->expect = (enum bf_expect)(byte % 3);
    in->amounts = (enum bf_amounts)(byte / 3 % 3);
    in->max_body = max_bodies[byte / 9 % 4];
}

static void append(struct input *in, const unsigned char *data, size_t len) {
    len = len < MOST - in->len ? len : MOST - in->len;
    memcpy(in->reply + in->len, data, len);
    in->len += len;
}

/* Returns how many bytes it has used. */
static size_t expand(struct input *in, const unsigned char *data, size_t size) {
    size_t len;
    if (data[0] != REPEAT || size < 3) {
        append(in, data, 1);
        return 1;
    }
    len = data[2] < size - 3 ? data[2] : size - 3;
    for (size_t times = data[1] * (size_t)16; times > 0; times--)
        append(in, data + 3, len);
    return 3 + len;
}

static void read_input(struct input *in, const unsigned char *data,
                       size_t size) {
    read_settings(in, data[0]);
    in->cuts = data + 1;
    in->len = 0;
    for (size_t at = 1 + CUTS; at < size;)
        at += expand(in, data + at, size - at);
}

/* ---- receiving ---- */

typedef size_t piece_len(const struct input *in, unsigned turn);

static size_t all(const struct input *in, unsigned turn) {
    (void)turn;
    return in->len;
}

static size_t one_byte(const struct input *in, unsigned turn) {
    (void)in, (void)turn;
    return 1;
}

static size_t as_input_says(const struct input *in, unsigned turn) {
    size_t cut = in->cuts[turn % CUTS];
    return cut < 128 ? cut + 1 : (cut - 127) * 64;
}

static struct bf_client *client_of(const struct input *in) {
    static const struct bf_client_options options = {
        .base_url = "http://127.0.0.1:1", .user_agent = "fuzz"};
    static struct bf_client *client;
    struct bf_error error = {.kind = BF_OK};
    if (!client)
        client = bf_client_new(&options, &error);
    demand(client != NULL);
    client->max_body = in->max_body;
    return client;
}

static void begin(struct bf_exchange *x, const struct input *in) {
    struct bf_request *request = bf_request_new(
        client_of(in), NULL, bf_span_of("/"), bf_span_of(""), bf_span_of(""));
    demand(request != NULL);
    request->expect = in->expect;
    request->amounts = in->amounts;
    bf_exchange_begin(x, request);
    x->state = BF_EXCHANGE_HEAD;
}

/* A new exchange, whose buffer has not one byte more than the reply needs. */
static struct bf_exchange *new_exchange(const struct input *in, size_t len) {
    struct bf_exchange *x = bf_exchange_new();
    demand(x != NULL);
    x->buffer.cap = len + BF_BODY_SLACK;
    x->buffer.data = malloc(x->buffer.cap);
    demand(x->buffer.data != NULL);
    begin(x, in);
    return x;
}

/* One that other replies were received by before, and whose buffer grows. */
static struct bf_exchange *used_exchange(const struct input *in) {
    static struct bf_exchange *x;
    if (!x)
        x = bf_exchange_new();
    demand(x != NULL);
    bf_exchange_reset(x);
    begin(x, in);
    return x;
}

/* Returns how many bytes were received when the exchange was done. */
static size_t receive(struct bf_exchange *x, const struct input *in, size_t len,
                      piece_len *piece) {
    size_t received = 0;
    for (unsigned turn = 0; received < len && x->state != BF_EXCHANGE_DONE;
         turn++) {
        size_t next = piece(in, turn);
        next = next < len - received ? next : len - received;
        demand(bf_buffer_reserve(&x->buffer, next + BF_BODY_SLACK));
        memcpy(x->buffer.data + x->buffer.len, in->reply + received, next);
        bf_exchange_received(x, next);
        demand(x->buffer.len + BF_BODY_SLACK <= x->buffer.cap);
        demand(x->buffer.used <= x->buffer.cap);
        demand(x->state != BF_EXCHANGE_BODY || bf_body_missing(&x->body) > 0);
        received += next;
    }
    return received;
}

/* ---- what must hold for each result ---- */

/* Was the reply whole, whatever it says? */
static bool is_whole(const struct bf_exchange *x) {
    const char *begin = x->buffer.data, *body = x->result.body.text;
    return x->state == BF_EXCHANGE_DONE && body >= begin &&
           body <= begin + x->buffer.cap;
}

static void check_span(const struct bf_result *result, const char *text,
                       size_t len) {
    demand(len == 0 || (text >= result->body.text &&
                        text + len <= result->body.text + result->body.len));
}

static void check_reply(const struct bf_result *result) {
    const struct bf_reply *reply = &result->reply;
    check_span(result, reply->zone.text, reply->zone.len);
    check_span(result, reply->message.text, reply->message.len);
    check_span(result, reply->data, reply->data ? strlen(reply->data) : 0);
    for (size_t i = 0; i < reply->count; i++) {
        const struct bf_balance *balance = &reply->balances[i];
        for (size_t j = 0; j < BF_FIELDS; j++)
            check_span(result, balance->values[j].text.text,
                       balance->values[j].text.len);
    }
}

static void check(const struct bf_exchange *x, const struct input *in) {
    const struct bf_result *result = &x->result;
    demand(!x->clean && !result->stale);
    demand(result->retry_after >= -1 && result->retry_after <= 86400);
    if (x->state != BF_EXCHANGE_DONE) {
        demand(result->error.kind == BF_OK);
        return;
    }
    demand(is_whole(x) || result->error.kind != BF_OK);
    demand(result->error.kind == BF_OK || result->error.kind == BF_API ||
           (result->error.code && *result->error.text));
    demand(result->error.kind != BF_OK ||
           (result->status == 200 && result->body.len > 0));
    if (!is_whole(x))
        return;
    demand(result->body.len <= in->max_body);
    demand(result->body.text[result->body.len] == '\0');
    check_reply(result);
}

/* ---- results that must be the same ---- */

static void same_bytes(const char *left, size_t left_len, const char *right,
                       size_t right_len) {
    demand(left_len == right_len);
    demand(left_len == 0 || memcmp(left, right, left_len) == 0);
}

static void same_string(const struct bf_string *left,
                        const struct bf_string *right) {
    demand(left->escaped == right->escaped);
    same_bytes(left->text, left->len, right->text, right->len);
}

static void same_span(struct bf_span left, struct bf_span right) {
    same_bytes(left.text, left.len, right.text, right.len);
}

static void same_reply(const struct bf_reply *left,
                       const struct bf_reply *right) {
    demand(left->has_time == right->has_time &&
           left->has_code == right->has_code &&
           left->has_zone == right->has_zone &&
           left->has_message == right->has_message &&
           !left->data == !right->data);
    demand(left->response_time == right->response_time &&
           left->status_code == right->status_code &&
           left->count == right->count);
    same_string(&left->zone, &right->zone);
    same_string(&left->message, &right->message);
    demand(!left->data || strcmp(left->data, right->data) == 0);
    for (size_t i = 0; i < left->count; i++) {
        const struct bf_balance *a = &left->balances[i];
        const struct bf_balance *b = &right->balances[i];
        for (size_t j = 0; j < BF_FIELDS; j++)
            same_string(&a->values[j].text, &b->values[j].text);
    }
}

static void same_error(const struct bf_error *left,
                       const struct bf_error *right) {
    demand(left->kind == right->kind && !left->code == !right->code);
    demand(!left->code || strcmp(left->code, right->code) == 0);
    demand(left->kind == BF_OK || strcmp(left->text, right->text) == 0);
}

static void same_progress(const struct bf_exchange *left,
                          const struct bf_exchange *right) {
    demand(left->state == right->state &&
           left->result.status == right->result.status &&
           left->result.retry_after == right->result.retry_after);
    if (left->state == BF_EXCHANGE_HEAD)
        demand(left->parsed == right->parsed);
    if (left->state == BF_EXCHANGE_BODY)
        demand(left->body.len == right->body.len);
}

static void same(const struct bf_exchange *left,
                 const struct bf_exchange *right) {
    same_progress(left, right);
    same_error(&left->result.error, &right->result.error);
    same_span(left->result.body, right->result.body);
    same_reply(&left->result.reply, &right->result.reply);
}

/* The same reply, with bytes behind it. */
static void same_but_trailing(const struct bf_exchange *trailing,
                              const struct bf_exchange *whole) {
    static const struct bf_reply nothing = {.count = 0};
    const struct bf_error *error = &trailing->result.error;
    same_progress(trailing, whole);
    same_span(trailing->result.body, whole->result.body);
    same_reply(&trailing->result.reply, &nothing);
    if (trailing->result.status != 200)
        demand(error->kind == BF_HTTP);
    else
        demand(error->kind == BF_PROTOCOL &&
               strcmp(error->code, "framing") == 0 &&
               strstr(error->text, "after the reply's end"));
}

/* `bytes` was done after `end` bytes, `other` after `received`. */
static void compare(const struct bf_exchange *bytes, size_t end,
                    const struct bf_exchange *other, size_t received) {
    demand(received >= end);
    if (received > end && is_whole(bytes))
        same_but_trailing(other, bytes);
    else
        same(other, bytes);
}

static void receive_in_one(const struct input *in, size_t len,
                           const struct bf_exchange *bytes, size_t end) {
    struct bf_exchange *x = new_exchange(in, len);
    size_t received = receive(x, in, len, all);
    check(x, in);
    compare(bytes, end, x, received);
    bf_exchange_free(x);
}

static void receive_in_pieces(const struct input *in,
                              const struct bf_exchange *bytes, size_t end) {
    struct bf_exchange *x = used_exchange(in);
    size_t received = receive(x, in, in->len, as_input_says);
    check(x, in);
    compare(bytes, end, x, received);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    static struct input in;
    struct bf_exchange *bytes;
    size_t end;
    if (size < 1 + CUTS)
        return 0;
    read_input(&in, data, size);
    bytes = new_exchange(&in, in.len);
    end = receive(bytes, &in, in.len, one_byte);
    check(bytes, &in);
    receive_in_one(&in, end, bytes, end);
    receive_in_one(&in, in.len, bytes, end);
    receive_in_pieces(&in, bytes, end);
    bf_exchange_free(bytes);
    return 0;
}
