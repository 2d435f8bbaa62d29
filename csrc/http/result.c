#include "http/result.h"

#include "auth/redact.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#define DESCRIBED 512 /* bytes of a body that is not JSON */
#define QUOTED 40     /* of those, in the message */

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

static void set_schema_error(const struct bf_reply *reply, size_t record,
                             size_t field, struct bf_error *error) {
    char index[32] = "";
    if (*reply->data == '[')
        (void)snprintf(index, sizeof index, "[%lu]", (unsigned long)record);
    bf_error_set(error, BF_PROTOCOL, "schema",
                 "responseData%s.%s must not hold an API key, a secret or a "
                 "signature",
                 index, bf_fields[field].name);
}

static void check_texts(const struct bf_reply *reply, struct bf_error *error) {
    for (size_t i = 0; i < reply->count && error->kind == BF_OK; i++)
        for (size_t j = 0; j < BF_FIELDS; j++)
            if (bf_fields[j].kind == BF_TEXT &&
                has_credential(&reply->balances[i].values[j].text, error))
                set_schema_error(reply, i, j, error);
}

/* ---- a body that is not JSON ---- */

/* By its first bytes; NULL where they are of no known format. */
static const char *format_of(const char *text, size_t len) {
    static const struct {
        const char *begin, *is;
    } rows[] = {
        {"\xEF\xBB\xBF",     "begins with a byte order mark (UTF-8)"},
        {"\xFE\xFF",         "is UTF-16 text"                       },
        {"\xFF\xFE",         "is UTF-16 text"                       },
        {"\x1F\x8B",         "is compressed (gzip)"                 },
        {"\x28\xB5\x2F\xFD", "is compressed (zstd)"                 },
        {"\x78\x01",         "is compressed (deflate)"              },
        {"\x78\x5E",         "is compressed (deflate)"              },
        {"\x78\x9C",         "is compressed (deflate)"              },
        {"\x78\xDA",         "is compressed (deflate)"              },
        {"<?xml",            "is an XML document"                   },
        {"<",                "is HTML or XML"                       },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t row_len = strlen(rows[i].begin);
        if (len >= row_len && memcmp(text, rows[i].begin, row_len) == 0)
            return rows[i].is;
    }
    return NULL;
}

static bool is_html(const char *text, size_t len) {
    static const char tag[] = "<html", doctype[] = "<!doctype html";
    if (*text != '<')
        return false;
    if (len >= sizeof doctype - 1 &&
        bf_equal_folded(text, doctype, sizeof doctype - 1))
        return true;
    for (; len >= sizeof tag - 1; text++, len--)
        if (bf_equal_folded(text, tag, sizeof tag - 1))
            return true;
    return false;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static bool is_binary(const char *text, size_t len) {
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < ' ' && !is_blank(text[i]))
            return true;
    return false;
}

/* NULL where the text is of no known format. */
static const char *what_is(const char *text, size_t len) {
    if (len == 0)
        return "is empty";
    if (len > 1 && (text[0] == '\0') != (text[1] == '\0'))
        return "is UTF-16 text"; /* no valid JSON has a NUL there */
    return is_html(text, len) ? "is an HTML page" : format_of(text, len);
}

/* Quotes the beginning of the first line, redacted before it is cut. */
static void quote(const char *body, size_t len, struct bf_error *error) {
    char text[DESCRIBED], marks[DESCRIBED];
    size_t line = 0, quoted;
    memcpy(text, body, len);
    len = bf_redact(text, len, marks);
    while (line < len && text[line] != '\n' && text[line] != '\r')
        line++;
    quoted = bf_utf8_cut(text, line, QUOTED);
    bf_error_set(error, BF_PROTOCOL, "json",
                 "the reply is not JSON: it begins with \"%.*s%s\"",
                 (int)quoted, text, quoted < line ? "..." : "");
}

/* Sets `error` to protocol, json, with what the body is instead; not where it
 * begins as an object, an array or a string of JSON does. */
static void describe(const char *text, size_t len, struct bf_error *error) {
    const char *what;
    for (; len > 0 && is_blank(*text); len--)
        text++;
    len = len < DESCRIBED ? len : DESCRIBED;
    what = what_is(text, len);
    if (!what && (*text == '{' || *text == '[' || *text == '"'))
        return;
    if (!what && is_binary(text, len))
        what = "is binary data";
    if (what)
        bf_error_set(error, BF_PROTOCOL, "json", "the reply %s, not JSON",
                     what);
    else
        quote(text, len, error);
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
    else if (error->code && strcmp(error->code, "json") == 0)
        describe(body->text, body->len, &better);
    if (better.kind != BF_OK)
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

/* A status other than 200 is an error whatever the body says. Where the body is
 * a refusal of the exchange, that is the error. */
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

void bf_result_reset(struct bf_result *result) {
    bf_reply_reset(&result->reply);
    /* an error may quote what the server sent */
    OPENSSL_cleanse(result->error.text, sizeof result->error.text);
    bf_error_clear(&result->error);
    result->status = 0;
    result->retry_after = -1;
    result->stale = false;
    result->sent = result->replied = 0;
    result->body = (struct bf_span){"", 0};
}
