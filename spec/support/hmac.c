/* hmac: reads lines "KEY MESSAGE" of hex digits, "-" for none, and prints for
 * each the 64 digits that bf_sign makes of them. */
#include "auth/sign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_HEX 8191

/* Decodes in place; returns the number of bytes. */
static size_t from_hex(char *text) {
    size_t len = 0;
    for (const char *at = text; *at != '-' && *at; at += 2) {
        char digits[3] = {at[0], at[1], '\0'};
        text[len++] = (char)strtoul(digits, NULL, 16);
    }
    return len;
}

/* In two parts, as a request is signed in several. */
static bool print_mac(char *key, char *message) {
    char hex[BF_SIGNATURE_LEN + 1];
    size_t key_len = from_hex(key), len = from_hex(message);
    struct bf_span parts[] = {
        {message,           len / 2      },
        {message + len / 2, len - len / 2}
    };
    EVP_MAC_CTX *context = bf_sign_key(key, key_len);
    bool ok = context && bf_sign(context, parts, 2, hex);
    EVP_MAC_CTX_free(context);
    if (ok)
        puts(hex);
    return ok;
}

int main(void) {
    static char key[MOST_HEX + 1], message[MOST_HEX + 1];
    while (scanf("%8191s %8191s", key, message) == 2)
        if (!print_mac(key, message))
            return 1;
    return 0;
}
