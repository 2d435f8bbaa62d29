#include "json/reply.h"

#include "money/decimal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BALANCES_KEPT 1024 /* a larger array is not kept for the next reply */

#define ROW(name, kind) {name, sizeof(name) - 1, "\"" name "\":", kind},
const struct bf_field bf_fields[BF_FIELDS] = {BF_FIELD_ROWS(ROW)};

struct reader {
    struct bf_scan scan;
    struct bf_error schema; /* the first one; a refusal is reported instead */
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

static bool read_number(struct reader *r, struct bf_span *out, double *value) {
    char first = bf_scan_peek(&r->scan);
    if (first != '-' && (first < '0' || first > '9')) {
        (void)bf_scan_skip(&r->scan);
        return false;
    }
    return bf_scan_number(&r->scan, out, value);
}

/* An integer without point or exponent that is exact in every Lua's numbers. */
static bool read_integer(struct reader *r, int64_t *out) {
    struct bf_span text;
    double value;
    if (!read_number(r, &text, &value) || text.len > 15)
        return false;
    for (size_t i = 1; i < text.len; i++)
        if (text.text[i] < '0' || text.text[i] > '9')
            return false;
    *out = (int64_t)value;
    return true;
}

/* ---- balances ---- */

static void set_schema_error(struct reader *r, long index, const char *field,
                             const char *what) {
    char element[32] = "";
    if (index >= 0)
        (void)snprintf(element, sizeof element, "[%ld]", index);
    bf_error_set(&r->schema, BF_PROTOCOL, "schema", "responseData%s%s%s %s",
                 element, field ? "." : "", field ? field : "", what);
}

/* A balance whose values are not set yet, or NULL. */
static struct bf_balance *new_balance(struct reader *r) {
    struct bf_reply *reply = r->reply;
    if (reply->count == reply->cap) {
        size_t cap = reply->cap ? reply->cap * 2 : 16;
        void *all = realloc(reply->balances, cap * sizeof *reply->balances);
        if (!all) {
            bf_scan_no_memory(&r->scan);
            return NULL;
        }
        reply->balances = all;
        reply->cap = cap;
    }
    return &reply->balances[reply->count++];
}

/* Reads a text. Returns what is wrong with it, or NULL. */
static const char *read_text(struct reader *r, struct bf_value *value) {
    struct bf_string *text = &value->text;
    if (!read_string(r, text))
        return "must be a string";
    if (text->len == 0 || (text->escaped && bf_string_has_nul(text)))
        return "must not be empty or hold a NUL";
    return NULL;
}

/* Is the amount within the limits of what it is to be converted to? */
static bool is_convertible(const struct reader *r,
                           const struct bf_value *amount) {
    return r->amounts != BF_AS_DECIMAL ||
           bf_decimal_check_text(amount->text.text, amount->text.len) ==
               BF_DECIMAL_OK;
}

static const char *read_amount(struct reader *r, struct bf_value *value) {
    struct bf_span text = {NULL, 0};
    if (!read_number(r, &text, &value->number))
        return "must be a number";
    value->text = (struct bf_string){text.text, text.len, false};
    if (!is_convertible(r, value))
        return "has more digits or a larger exponent than a decimal may";
    return NULL;
}

static void read_field(struct reader *r, long index, struct bf_balance *into,
                       const struct bf_string *key) {
    const char *what;
    size_t i = 0;
    while (i < BF_FIELDS &&
           !bf_string_is(key, bf_fields[i].name, bf_fields[i].len))
        i++;
    if (i == BF_FIELDS) {
        (void)bf_scan_skip(&r->scan);
        return;
    }
    what = bf_fields[i].kind == BF_TEXT ? read_text(r, &into->values[i])
                                        : read_amount(r, &into->values[i]);
    if (what)
        set_schema_error(r, index, bf_fields[i].name, what);
}

static void check_missing(struct reader *r, long index,
                          const struct bf_balance *balance) {
    for (size_t i = 0; i < BF_FIELDS; i++)
        if (!balance->values[i].text.text)
            set_schema_error(r, index, bf_fields[i].name, "is missing");
}

/* ---- a balance as nearly all are: one pass, no search ---- */

static inline const char *skip_char(const char *at, char c) {
    at = bf_skip_blanks(at);
    return *at == c ? bf_skip_blanks(at + 1) : NULL;
}

static inline const char *skip_name(const char *at, const char *end,
                                    const struct bf_field *field) {
    const size_t len = field->len + 3;
    if ((size_t)(end - at) < len || memcmp(at, field->spelled, len) != 0)
        return NULL;
    return bf_skip_blanks(at + len);
}

static const char *simple_amount(const struct reader *r, const char *at,
                                 struct bf_value *value) {
    const char *end = bf_number(at, r->scan.end, &value->number);
    if (!end || isnan(value->number))
        return NULL;
    value->text = (struct bf_string){at, (size_t)(end - at), false};
    return is_convertible(r, value) ? end : NULL;
}

static inline const char *simple_value(const struct reader *r, const char *at,
                                       const struct bf_field *field,
                                       struct bf_value *value) {
    return field->kind == BF_TEXT
               ? bf_simple_string(at, r->scan.end, &value->text)
               : simple_amount(r, at, value);
}

/* Reads a balance that has the fields of the rows, in their order, and no
 * other: this takes a third of the time that read_members takes. Returns its
 * end, or NULL for any other balance, valid or not. */
static const char *simple_balance(const struct reader *r,
                                  struct bf_balance *into) {
    const char *at = r->scan.at;
    for (size_t i = 0; i < BF_FIELDS; i++)
        if (!(at = skip_char(at, i == 0 ? '{' : ',')) ||
            !(at = skip_name(at, r->scan.end, &bf_fields[i])) ||
            !(at = simple_value(r, at, &bf_fields[i], &into->values[i])))
            return NULL;
    at = bf_skip_blanks(at);
    return *at == '}' ? at + 1 : NULL;
}

/* ---- any balance ---- */

static void read_members(struct reader *r, long index,
                         struct bf_balance *into) {
    struct bf_container container;
    struct bf_string key = {NULL, 0, false};
    *into = (struct bf_balance){.values = {{.number = 0}}};
    (void)bf_scan_open(&r->scan, &container);
    while (bf_scan_member(&r->scan, &container, &key))
        read_field(r, index, into, &key);
    check_missing(r, index, into);
}

static void read_balance(struct reader *r, long index) {
    struct bf_scan *scan = &r->scan;
    struct bf_balance *into;
    const char *end;
    if (bf_scan_peek(scan) != '{') {
        set_schema_error(r, index, NULL, "must be an object");
        (void)bf_scan_skip(scan);
        return;
    }
    if (!(into = new_balance(r)))
        return;
    if ((end = simple_balance(r, into)))
        scan->at = end;
    else
        read_members(r, index, into);
}

static void read_balances(struct reader *r) {
    struct bf_container container;
    char c = bf_scan_peek(&r->scan);
    if (c == '{') {
        read_balance(r, -1);
        return;
    }
    if (c != '[') {
        set_schema_error(r, -1, NULL, "must be an array");
        (void)bf_scan_skip(&r->scan);
        return;
    }
    (void)bf_scan_open(&r->scan, &container);
    for (long index = 0; bf_scan_element(&r->scan, &container); index++)
        read_balance(r, index);
}

/* ---- the envelope ---- */

static void set_envelope_error(struct reader *r, const char *what) {
    bf_error_set(&r->schema, BF_PROTOCOL, "schema", "%s", what);
}

static void read_data(struct reader *r) {
    (void)bf_scan_peek(&r->scan);
    r->reply->data = r->scan.at;
    if (r->expect == BF_BALANCES)
        read_balances(r);
    else
        (void)bf_scan_skip(&r->scan);
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
            set_envelope_error(r, "statusCode must be an integer");
    } else
        (void)bf_scan_skip(&r->scan);
}

/* A success must have all that the API documents; a refusal only its code. */
static void check_envelope(struct reader *r) {
    const struct bf_reply *reply = r->reply;
    if (r->expect == BF_PUBLIC && !reply->has_code)
        return;
    if (!reply->has_code)
        set_envelope_error(r, "statusCode is missing");
    else if (!reply->has_time)
        set_envelope_error(r, "responseTime must be an integer");
    else if (!reply->has_zone)
        set_envelope_error(r, "timezone must be a string");
    else if (!reply->has_message)
        set_envelope_error(r, "statusMessage must be a string");
    else if (r->expect == BF_BALANCES && !reply->data)
        set_envelope_error(r, "responseData is missing");
}

static void read_envelope(struct reader *r) {
    struct bf_container container;
    struct bf_string key = {NULL, 0, false};
    if (bf_scan_peek(&r->scan) != '{') {
        set_envelope_error(r, "the reply must be an object");
        (void)bf_scan_skip(&r->scan);
    } else {
        (void)bf_scan_open(&r->scan, &container);
        while (bf_scan_member(&r->scan, &container, &key))
            read_member(r, &key);
        check_envelope(r);
    }
    (void)bf_scan_end(&r->scan);
}

/* Sets the one error that is reported, if there is any. */
static void set_error(const struct reader *r, struct bf_error *error) {
    const struct bf_reply *reply = r->reply;
    const struct bf_scan *scan = &r->scan;
    if (scan->no_memory)
        bf_error_no_memory(error);
    else if (scan->problem)
        bf_error_set(error, BF_PROTOCOL, "json",
                     "the reply's JSON is refused: %s at byte %lu",
                     scan->problem,
                     (unsigned long)(scan->at - scan->begin) + 1);
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
    set_error(&r, error);
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
