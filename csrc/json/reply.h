/* The exchange's reply: the envelope, and the balances in it, checked against
 * what the API documents. Knows no Lua; its spans point into the body. */
#ifndef BF_REPLY_H
#define BF_REPLY_H

#include "base/error.h"
#include "json/scan.h"

#define BF_SUCCESS 1000 /* the only statusCode that is not a refusal */

#pragma GCC visibility push(hidden)

struct bf_balance {
    struct bf_string currency;
    struct bf_span balance, available;
};

struct bf_reply {
    bool has_time, has_code, has_zone, has_message, has_data;
    int64_t response_time; /* ms */
    int64_t status_code;
    struct bf_string zone, message;
    struct bf_span data; /* responseData, as it came */
    struct bf_balance *balances;
    size_t count, cap;
};

enum bf_expect {
    BF_BALANCES, /* an envelope whose responseData are balances, in an array or
                    a single one */
    BF_DATA,     /* an envelope with any responseData, or none */
    BF_PUBLIC    /* the same, or an object that is no envelope: the replies to
                    unsigned calls may have no statusCode */
};

/* What becomes of amounts, and what they must be for that beside numbers in a
 * double's range: decimals have limits of their own (see decimal.h). */
enum bf_amounts { BF_AS_NUMBER, BF_AS_STRING, BF_AS_DECIMAL };

/* Reads the whole body into a reply that is all zeros, or reset. False with
 * `error` set: protocol json or schema, memory; or BF_API where the exchange
 * says anything but success: the refusal is in status_code and message. What
 * was read before is in `reply` in every case. */
bool bf_reply_read(struct bf_reply *reply, enum bf_expect expect,
                   enum bf_amounts amounts, const char *body, size_t len,
                   struct bf_error *error);

/* Forgets what was read; the memory is kept for the next reply. */
void bf_reply_reset(struct bf_reply *reply);

void bf_reply_free(struct bf_reply *reply);

#pragma GCC visibility pop

#endif
