#include "http/result.h"

#include "auth/redact.h"
#include "http/describe.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static void set_hidden(const struct bf_reply *reply, size_t record,
                       size_t field, struct bf_error *error) {
    char place[32] = "";
    if (*reply->data.text == '[')
        (void)snprintf(place, sizeof place, "[%lu]", (unsigned long)record);
    bf_error_set(error, BF_PROTOCOL, "schema",
                 "responseData%s.%s must not hold an API key, a secret or a "
                 "signature",
                 place, bf_fields[field].name);
}

static void check_texts(const struct bf_reply *reply, struct bf_error *error) {
    for (size_t i = 0; i < reply->count && error->kind == BF_OK; i++)
        for (size_t j = 0; j < BF_FIELDS; j++)
            if (bf_fields[j].kind == BF_TEXT &&
                has_credential(&reply->balances[i].values[j].text, error))
                set_hidden(reply, i, j, error);
}

/* ---- the reply ---- */

static void read_reply(struct bf_result *result,
                       const struct bf_request *request,
                       struct bf_error *error) {
    const struct bf_span *body = &result->body;
    struct bf_error better = {.kind = BF_OK};
    if (bf_reply_read(&result->reply, request->expect, request->amounts,
                      body->text, body->len, error))
        check_texts(&result->reply, error);
    else if (error->code && strcmp(error->code, "json") == 0 &&
             bf_describe_body(body->text, body->len, &better))
        *error = better;
}

static bool is_whole_envelope(const struct bf_reply *reply) {
    return reply->has_code && reply->has_time && reply->has_zone &&
           reply->has_message;
}

void bf_result_set_status_error(struct bf_result *result) {
    bf_error_set(&result->error, BF_HTTP,
                 result->status / 100 == 3 ? "redirect" : "status",
                 "the server answered HTTP status %d", result->status);
}

/* A status other than 200 is an error whatever the body says. The body only has
 * the better words for it where it is the exchange's refusal. */
void bf_result_read(struct bf_result *result,
                    const struct bf_request *request) {
    struct bf_error error = {.kind = BF_OK};
    read_reply(result, request, &error);
    if (result->status != 200 &&
        (error.kind != BF_API || !is_whole_envelope(&result->reply)))
        bf_result_set_status_error(result);
    else
        result->error = error;
}

void bf_result_close(struct bf_result *result) {
    if (result->error.kind == BF_API)
        bf_error_clear(&result->error);
    if (result->error.kind != BF_OK)
        return;
    bf_reply_reset(&result->reply);
    bf_error_set(&result->error, BF_CLOSED, "closed", "the client is closed");
}

/* An error may quote what the server sent. */
void bf_result_reset(struct bf_result *result) {
    bf_reply_reset(&result->reply);
    OPENSSL_cleanse(result->error.text, sizeof result->error.text);
    bf_error_clear(&result->error);
    result->status = 0;
    result->retry_after = -1;
    result->stale = false;
    result->sent = result->replied = 0;
    result->body = (struct bf_span){"", 0};
}
