#include "json/reply.h"

#include "money/decimal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BALANCES_KEPT 1024

struct reader {
    struct bf_scan scan;
    struct bf_error schema; /* the first one; a refusal goes before it */
    struct bf_reply *reply;
    enum bf_expect expect;
    enum bf_amounts amounts;
};

/* ---- values of a type ---- */

static bool read_string(struct reader *r, struct bf_string *out) {
    if (bf_scan_peek(&r->scan) != '"') {
        (void)bf_scan_skip(&r->scan);
        return false;
    }
    return bf_scan_string(&r->scan, out);
}

static bool read_number(struct reader *r, struct bf_span *out) {
    char c = bf_scan_peek(&r->scan);
    if (c != '-' && (c < '0' || c > '9')) {
        (void)bf_scan_skip(&r->scan);
        return false;
    }
    return bf_scan_number(&r->scan, out);
}

/* An integer in plain digits, small enough for every Lua's number. */
static bool read_integer(struct reader *r, int64_t *out) {
    struct bf_span text;
    int64_t number = 0;
    if (!read_number(r, &text) || text.len > 15)
        return false;
    bool negative = text.text[0] == '-';
    for (size_t i = negative ? 1 : 0; i < text.len; i++) {
        if (text.text[i] < '0' || text.text[i] > '9')
            return false;
        number = number * 10 + (text.text[i] - '0');
    }
    *out = negative ? -number : number;
    return true;
}

/* ---- a balance ---- */

static void complain(struct reader *r, long index, const char *field,
                     const char *what) {
    char place[32] = "";
    if (index >= 0)
        (void)snprintf(place, sizeof place, "[%ld]", index);
    bf_error_set(&r->schema, BF_PROTOCOL, "schema", "responseData%s%s%s %s",
                 place, field ? "." : "", field ? field : "", what);
}

static bool no_memory(struct reader *r) {
    r->scan.no_memory = true;
    r->scan.problem = "not enough memory";
    return false;
}

static struct bf_balance *new_balance(struct reader *r) {
    struct bf_reply *reply = r->reply;
    if (reply->count == reply->cap) {
        size_t cap = reply->cap ? reply->cap * 2 : 16;
        struct bf_balance *all =
            realloc(reply->balances, cap * sizeof *reply->balances);
        if (!all) {
            (void)no_memory(r);
            return NULL;
        }
        reply->balances = all;
        reply->cap = cap;
    }
    reply->balances[reply->count] = (struct bf_balance){.balance = {0}};
    return &reply->balances[reply->count++];
}

static void check_currency(struct reader *r, long index,
                           const struct bf_string *currency) {
    if (currency->len == 0 || bf_string_has_nul(currency))
        complain(r, index, "currency", "must not be empty or hold a NUL");
}

static void read_currency(struct reader *r, long index,
                          struct bf_string *currency) {
    if (read_string(r, currency))
        check_currency(r, index, currency);
    else
        complain(r, index, "currency", "must be a string");
}

static void read_amount(struct reader *r, long index, const char *field,
                        struct bf_span *amount) {
    if (!read_number(r, amount))
        complain(r, index, field, "must be a number");
    else if (r->amounts == BF_AS_DECIMAL &&
             bf_decimal_check_text(amount->text, amount->len) != BF_DECIMAL_OK)
        complain(r, index, field,
                 "has more digits or a larger exponent than a decimal may");
}

static void read_field(struct reader *r, long index, struct bf_balance *into,
                       const struct bf_string *key) {
    if (BF_STRING_IS(key, "currency"))
        read_currency(r, index, &into->currency);
    else if (BF_STRING_IS(key, "balance"))
        read_amount(r, index, "balance", &into->balance);
    else if (BF_STRING_IS(key, "availableBalance"))
        read_amount(r, index, "availableBalance", &into->available);
    else
        (void)bf_scan_skip(&r->scan);
}

/* A balance spelled as the API's documents spell it. Most are, and this reads
 * them in a third of the time. False, with nothing moved, for any other, be it
 * good or bad: that one is read member by member. */
static bool read_documented(struct reader *r, struct bf_balance *into) {
    struct bf_scan *scan = &r->scan;
    const char *begin = scan->at;
    if (BF_SCAN_PASS(scan, "{") && BF_SCAN_PASS(scan, "\"currency\"") &&
        BF_SCAN_PASS(scan, ":") && bf_scan_plain(scan, &into->currency) &&
        BF_SCAN_PASS(scan, ",") && BF_SCAN_PASS(scan, "\"balance\"") &&
        BF_SCAN_PASS(scan, ":") && bf_scan_plain_number(scan, &into->balance) &&
        BF_SCAN_PASS(scan, ",") && BF_SCAN_PASS(scan, "\"availableBalance\"") &&
        BF_SCAN_PASS(scan, ":") &&
        bf_scan_plain_number(scan, &into->available) && BF_SCAN_PASS(scan, "}"))
        return true;
    scan->at = begin;
    *into = (struct bf_balance){
        .balance = {NULL, 0}
    };
    return false;
}

static void read_balance(struct reader *r, long index) {
    struct bf_container container;
    struct bf_string key = {NULL, 0, false};
    struct bf_balance *into;
    if (bf_scan_peek(&r->scan) != '{') {
        complain(r, index, NULL, "must be an object");
        (void)bf_scan_skip(&r->scan);
        return;
    }
    if (!(into = new_balance(r)))
        return;
    if (read_documented(r, into)) {
        check_currency(r, index, &into->currency);
        return;
    }
    if (!bf_scan_open(&r->scan, &container))
        return;
    while (bf_scan_member(&r->scan, &container, &key))
        read_field(r, index, into, &key);
    if (!into->currency.text)
        complain(r, index, "currency", "is missing");
    if (!into->balance.text)
        complain(r, index, "balance", "is missing");
    if (!into->available.text)
        complain(r, index, "availableBalance", "is missing");
}

static void read_balances(struct reader *r) {
    struct bf_container container;
    char c = bf_scan_peek(&r->scan);
    if (c == '{') {
        read_balance(r, -1);
        return;
    }
    if (c != '[') {
        complain(r, -1, NULL, "must be an array");
        (void)bf_scan_skip(&r->scan);
        return;
    }
    (void)bf_scan_open(&r->scan, &container);
    for (long index = 0; bf_scan_element(&r->scan, &container); index++)
        read_balance(r, index);
}

/* ---- the envelope ---- */

static void envelope_fault(struct reader *r, const char *what) {
    bf_error_set(&r->schema, BF_PROTOCOL, "schema", "%s", what);
}

static void read_data(struct reader *r) {
    struct bf_span *data = &r->reply->data;
    (void)bf_scan_peek(&r->scan);
    r->reply->has_data = true;
    data->text = r->scan.at;
    if (r->expect == BF_BALANCES)
        read_balances(r);
    else
        (void)bf_scan_skip(&r->scan);
    data->len = (size_t)(r->scan.at - data->text);
}

static void read_member(struct reader *r, const struct bf_string *key) {
    struct bf_reply *reply = r->reply;
    if (BF_STRING_IS(key, "responseData"))
        read_data(r);
    else if (BF_STRING_IS(key, "timezone"))
        reply->has_zone = read_string(r, &reply->zone);
    else if (BF_STRING_IS(key, "statusMessage"))
        reply->has_message = read_string(r, &reply->message);
    else if (BF_STRING_IS(key, "responseTime"))
        reply->has_time = read_integer(r, &reply->response_time);
    else if (BF_STRING_IS(key, "statusCode")) {
        reply->has_code = read_integer(r, &reply->status_code);
        if (!reply->has_code)
            envelope_fault(r, "statusCode must be an integer");
    } else
        (void)bf_scan_skip(&r->scan);
}

/* A success carries all that the API documents. Of a refusal only the code is
 * asked for: it is what matters. */
static void check_envelope(struct reader *r) {
    const struct bf_reply *reply = r->reply;
    if (r->expect == BF_PUBLIC && !reply->has_code)
        return;
    if (!reply->has_code)
        envelope_fault(r, "statusCode is missing");
    else if (!reply->has_time)
        envelope_fault(r, "responseTime must be an integer");
    else if (!reply->has_zone)
        envelope_fault(r, "timezone must be a string");
    else if (!reply->has_message)
        envelope_fault(r, "statusMessage must be a string");
    else if (r->expect == BF_BALANCES && !reply->has_data)
        envelope_fault(r, "responseData is missing");
}

static void read_envelope(struct reader *r) {
    struct bf_container container;
    struct bf_string key = {NULL, 0, false};
    if (bf_scan_peek(&r->scan) != '{') {
        envelope_fault(r, "the reply must be an object");
        (void)bf_scan_skip(&r->scan);
    } else {
        (void)bf_scan_open(&r->scan, &container);
        while (bf_scan_member(&r->scan, &container, &key))
            read_member(r, &key);
        check_envelope(r);
    }
    (void)bf_scan_end(&r->scan);
}

static void set_json_error(const struct bf_scan *scan, struct bf_error *error) {
    bf_error_set(error, BF_PROTOCOL, "json",
                 "the reply's JSON is refused: %s at byte %lu", scan->problem,
                 (unsigned long)(scan->at - scan->begin) + 1);
}

static void judge(const struct reader *r, struct bf_error *error) {
    const struct bf_reply *reply = r->reply;
    const struct bf_scan *scan = &r->scan;
    if (scan->no_memory)
        bf_error_no_memory(error);
    else if (scan->problem)
        set_json_error(scan, error);
    else if (reply->has_code && reply->status_code != BF_SUCCESS)
        bf_error_set(error, BF_API, NULL, "refused");
    else if (r->schema.kind != BF_OK)
        *error = r->schema;
}

bool bf_reply_read(struct bf_reply *reply, enum bf_expect expect,
                   enum bf_amounts amounts, const char *body, size_t len,
                   struct bf_error *error) {
    struct reader r = {.reply = reply, .expect = expect, .amounts = amounts};
    bf_scan_init(&r.scan, body, len);
    read_envelope(&r);
    judge(&r, error);
    bf_scan_free(&r.scan);
    return error->kind == BF_OK;
}

void bf_reply_reset(struct bf_reply *reply) {
    struct bf_balance *balances = reply->balances;
    size_t cap = reply->cap;
    if (cap > BALANCES_KEPT) {
        free(balances);
        balances = NULL;
        cap = 0;
    }
    *reply = (struct bf_reply){.balances = balances, .cap = cap};
}

void bf_reply_free(struct bf_reply *reply) {
    free(reply->balances);
    *reply = (struct bf_reply){.balances = NULL};
}
