#include "http/result.h"

#include "auth/redact.h"
#include "http/curl_error.h"
#include "http/describe.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_whole_envelope(const struct bf_reply *reply) {
    return reply->has_code && reply->has_time && reply->has_zone &&
           reply->has_message;
}

/* ---- data is never altered: what must not be shown is refused ---- */

static bool has_credential(const struct bf_string *string,
                           struct bf_error *error) {
    char *text;
    bool found;
    if (!string->escaped)
        return bf_redact_finds(string->text, string->len);
    text = malloc(string->len);
    if (!text) {
        bf_error_no_memory(error);
        return false;
    }
    found = bf_redact_finds(text, bf_string_decode(string, text));
    OPENSSL_cleanse(text, string->len);
    free(text);
    return found;
}

static void set_hidden(const struct bf_reply *reply, size_t index,
                       struct bf_error *error) {
    char place[32] = "";
    if (*reply->data.text == '[')
        (void)snprintf(place, sizeof place, "[%lu]", (unsigned long)index);
    bf_error_set(error, BF_PROTOCOL, "schema",
                 "responseData%s.currency must not hold an API key, a secret "
                 "or a signature",
                 place);
}

static void check_currencies(const struct bf_reply *reply,
                             struct bf_error *error) {
    for (size_t i = 0; i < reply->count && error->kind == BF_OK; i++)
        if (has_credential(&reply->balances[i].currency, error))
            set_hidden(reply, i, error);
}

/* ---- the reply ---- */

static void read_reply(struct bf_transfer *t, enum bf_expect expect,
                       enum bf_amounts amounts, struct bf_error *error) {
    const char *body = t->body ? t->body : "";
    struct bf_error other = {.kind = BF_OK};
    bf_reply_reset(&t->reply); /* a try before may have run out of memory */
    if (bf_reply_read(&t->reply, expect, amounts, body, t->body_len, error))
        check_currencies(&t->reply, error);
    else if (error->code && strcmp(error->code, "json") == 0 &&
             bf_describe_body(body, t->body_len, &other))
        *error = other;
}

/* A status other than 200 is a failure whatever the body says; the body only
 * has the better words for it when it is the exchange's refusal. */
void bf_outcome_read(struct bf_transfer *t, enum bf_expect expect,
                     enum bf_amounts amounts) {
    const struct bf_reply *reply = &t->reply;
    struct bf_error error = {.kind = BF_OK};
    if (t->error.kind != BF_OK)
        return;
    read_reply(t, expect, amounts, &error);
    if (t->head.status != 200 &&
        (error.kind != BF_API || !is_whole_envelope(reply)))
        bf_curl_error_status(t->head.status, &t->error);
    else
        t->error = error;
}

void bf_outcome_close(struct bf_transfer *t) {
    if (t->error.kind == BF_API)
        bf_error_clear(&t->error);
    if (t->error.kind != BF_OK)
        return;
    bf_reply_reset(&t->reply);
    bf_error_set(&t->error, BF_CLOSED, "closed", "the client is closed");
}
