/* The exchange's reply: the envelope, and the balances in it, checked against
 * what the API documents. */
#ifndef BF_REPLY_H
#define BF_REPLY_H

#include "base/error.h"
#include "json/scan.h"

#define BF_SUCCESS 1000 /* the only statusCode that is not a refusal */

#pragma GCC visibility push(hidden)

/* What a field of a record holds: a text that is not empty, or a number. */
enum bf_field_kind { BF_TEXT, BF_AMOUNT };

struct bf_field {
    const char *name;
    size_t len;
    const char *spelled; /* the name in quotes and a colon */
    enum bf_field_kind kind;
};

/* The fields of a record, in the order of the API's documents: name and kind. A
 * record without one of them is refused. Lua's table of them is
 * lua/bitfront/records/columns.lua. */
#define BF_FIELD_ROWS(ROW)    \
    ROW("currency", BF_TEXT)  \
    ROW("balance", BF_AMOUNT) \
    ROW("availableBalance", BF_AMOUNT)

#define BF_ONE(name, kind) 1,
enum { BF_FIELDS = sizeof((const char[]){BF_FIELD_ROWS(BF_ONE)}) };
extern const struct bf_field bf_fields[BF_FIELDS];

/* A field's value. */
struct bf_value {
    struct bf_string text; /* as received; text.text is NULL: not read */
    double number;         /* of an amount, with BF_AS_NUMBER */
};

/* A record: a value for each row. */
struct bf_balance {
    struct bf_value values[BF_FIELDS];
};

struct bf_reply {
    bool has_time, has_code, has_zone, has_message;
    int64_t response_time; /* ms */
    int64_t status_code;
    struct bf_string zone, message;
    const char *data; /* where responseData begins; NULL: there is none */
    struct bf_balance *balances;
    size_t count, cap;
};

enum bf_expect {
    BF_BALANCES, /* an envelope whose responseData is an array of balances, or
                    a single balance */
    BF_DATA,     /* an envelope with any responseData, or none */
    BF_PUBLIC    /* the same, or an object without statusCode: replies to
                    unsigned calls may have none */
};

/* What amounts are converted to. Each must be a number in a double's range;
 * decimals have limits of their own (see decimal.h). */
enum bf_amounts { BF_AS_NUMBER, BF_AS_STRING, BF_AS_DECIMAL };

/* Reads the whole body into a reply that is all zeros, or reset. The body is
 * followed by a NUL, body[len], which must be readable; no other byte behind it
 * is read. Returns false with `error` set: protocol json or schema, memory; or
 * BF_API where the statusCode is not BF_SUCCESS: the refusal is in status_code
 * and message. `reply` holds what was read, also after an error; its spans
 * point into the body. */
bool bf_reply_read(struct bf_reply *reply, enum bf_expect expect,
                   enum bf_amounts amounts, const char *body, size_t len,
                   struct bf_error *error);

/* Empties the reply; its memory is kept for the next one. */
void bf_reply_reset(struct bf_reply *reply);

void bf_reply_free(struct bf_reply *reply);

#pragma GCC visibility pop

#endif
