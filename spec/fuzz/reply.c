/* A libFuzzer target: whatever a server may send, given to each reader of it.
 * The first byte says which reader. Built and run by spec/fuzz/run.sh. */

#include "http/body.h"
#include "auth/redact.h"
#include "json/reply.h"
#include "money/amount.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

/* The fast way to a double gives what the slow one gives. */
static void check_amount(const struct bf_value *amount) {
    double expected = 0;
    if (!bf_amount_to_double(amount->text.text, amount->text.len, &expected) ||
        expected != amount->number ||
        signbit(expected) != signbit(amount->number))
        abort();
}

static void check_text(const struct bf_string *text) {
    char *decoded = malloc(text->len + 1);
    if (decoded && bf_string_decode(text, decoded) > text->len)
        abort();
    free(decoded);
}

static void check_balance(const struct bf_balance *balance) {
    for (size_t i = 0; i < BF_FIELDS; i++)
        if (bf_fields[i].kind == BF_AMOUNT)
            check_amount(&balance->values[i]);
        else
            check_text(&balance->values[i].text);
}

/* Reads a text that is followed by a NUL and by nothing else. */
static void read_reply(enum bf_expect expect, enum bf_amounts amounts,
                       const char *text, size_t len) {
    struct bf_reply reply = {.count = 0};
    struct bf_error error = {.kind = BF_OK};
    char *body = malloc(len + 1);
    if (!body)
        return;
    memcpy(body, text, len);
    body[len] = '\0';
    if (bf_reply_read(&reply, expect, amounts, body, len, &error))
        for (size_t i = 0; i < reply.count; i++)
            check_balance(&reply.balances[i]);
    bf_reply_free(&reply);
    free(body);
}

static void read_head(const char *text, size_t len) {
    struct bf_head head;
    struct bf_error error = {.kind = BF_OK};
    bf_head_init(&head);
    while (len > 0) {
        const char *end = memchr(text, '\n', len);
        size_t line = end ? (size_t)(end - text) + 1 : len;
        bf_head_line(&head, text, line);
        text += line;
        len -= line;
    }
    if (bf_head_check(&head, &error) && !head.ended)
        abort();
    if (bf_head_retry_after(&head) < -1 || bf_head_retry_after(&head) > 86400)
        abort();
}

/* However the bytes are cut up, the same comes out. */
static void read_chunks(const char *text, size_t len) {
    struct bf_chunks whole = {.size = 0}, cut = {.size = 0};
    char *all = malloc(len + 1), *parts = malloc(len + 1);
    size_t all_len, parts_len;
    if (all && parts) {
        all_len = bf_chunks_decode(&whole, text, len, all);
        parts_len = bf_chunks_decode(&cut, text, len / 2, parts);
        parts_len += bf_chunks_decode(&cut, text + len / 2, len - len / 2,
                                      parts + parts_len);
        if (all_len != parts_len || whole.state != cut.state ||
            memcmp(all, parts, all_len) != 0)
            abort();
    }
    free(all);
    free(parts);
}

static void redact(const char *text, size_t len) {
    char *copy = malloc(len + 1), *marks = malloc(len + 1);
    if (copy && marks) {
        memcpy(copy, text, len);
        size_t left = bf_redact(copy, len, marks);
        if (left > len || bf_redact_finds(copy, left))
            abort();
    }
    free(copy);
    free(marks);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    char *text;
    if (size == 0)
        return 0;
    text = malloc(size > 1 ? size - 1 : 1); /* one byte past it is noticed */
    if (!text)
        return 0;
    memcpy(text, data + 1, size - 1);
    switch (data[0] % 6) {
    case 0:
        read_reply(BF_BALANCES, BF_AS_DECIMAL, text, size - 1);
        break;
    case 1:
        read_reply(BF_PUBLIC, BF_AS_NUMBER, text, size - 1);
        break;
    case 5:
        read_reply(BF_BALANCES, BF_AS_NUMBER, text, size - 1);
        break;
    case 2:
        read_head(text, size - 1);
        break;
    case 3:
        redact(text, size - 1);
        break;
    default:
        read_chunks(text, size - 1);
    }
    free(text);
    return 0;
}
