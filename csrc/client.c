#include "client.h"

#include "url.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void wipe_free(char *text, size_t len) {
    if (text)
        OPENSSL_cleanse(text, len);
    free(text);
}

/* "Name: value" in memory of its own, or NULL. */
static char *header_line(const char *name, struct bf_span value) {
    size_t name_len = strlen(name);
    char *line = malloc(name_len + 2 + value.len + 1);
    if (!line)
        return NULL;
    memcpy(line, name, name_len);
    memcpy(line + name_len, ": ", 2);
    memcpy(line + name_len + 2, value.text, value.len);
    line[name_len + 2 + value.len] = '\0';
    return line;
}

static struct bf_span span_of(const char *text) {
    return (struct bf_span){text, strlen(text)};
}

static bool copy_options(struct bf_client *client,
                         const struct bf_client_options *options) {
    client->ca_file = options->ca_file ? strdup(options->ca_file) : NULL;
    client->proxy = strdup(options->proxy ? options->proxy : "");
    client->agent.data =
        header_line("User-Agent", span_of(options->user_agent));
    client->connect_timeout = options->connect_timeout;
    client->max_body = options->max_body;
    return client->proxy && client->agent.data &&
           (client->ca_file || !options->ca_file);
}

struct bf_client *bf_client_new(const struct bf_client_options *options,
                                struct bf_fault *fault) {
    struct bf_client *client = calloc(1, sizeof *client);
    if (!client || !copy_options(client, options)) {
        bf_fault_set(fault, BF_MEMORY, "memory", "not enough memory");
        goto error;
    }
    client->refs = 1;
    client->base_url = bf_url_check(options->base_url, &client->plain, fault);
    if (!client->base_url)
        goto error;
    return client;
error:
    if (client)
        client->refs = 1;
    bf_client_unref(client);
    return NULL;
}

/* Printable ASCII: what a header value may hold without being changed or
 * split on its way. */
static bool is_clean(struct bf_span value) {
    for (size_t i = 0; i < value.len; i++)
        if (value.text[i] < ' ' || value.text[i] > '~')
            return false;
    return value.len > 0;
}

static bool has_pair(const struct bf_client *client, struct bf_span key,
                     struct bf_span secret) {
    return client->mac && strlen(client->key) == key.len &&
           client->secret_len == secret.len &&
           CRYPTO_memcmp(client->key, key.text, key.len) == 0 &&
           CRYPTO_memcmp(client->secret, secret.text, secret.len) == 0;
}

static void forget(struct bf_client *client) {
    if (client->api_key.data)
        wipe_free(client->api_key.data, strlen(client->api_key.data));
    client->api_key.data = client->key = NULL;
    wipe_free(client->secret, client->secret_len);
    client->secret = NULL;
    client->secret_len = 0;
    EVP_MAC_CTX_free(client->mac);
    client->mac = NULL;
}

static bool keep_pair(struct bf_client *client, struct bf_span key,
                      struct bf_span secret) {
    client->api_key.data = header_line("X-API-KEY", key);
    client->secret = malloc(secret.len);
    client->mac = bf_sign_key(secret.text, secret.len);
    if (!client->api_key.data || !client->secret || !client->mac)
        return false;
    client->key = client->api_key.data + strlen("X-API-KEY: ");
    memcpy(client->secret, secret.text, secret.len);
    client->secret_len = secret.len;
    return true;
}

bool bf_client_credentials(struct bf_client *client, struct bf_span key,
                           struct bf_span secret, struct bf_fault *fault) {
    if (!is_clean(key) || !is_clean(secret)) {
        bf_fault_set(fault, BF_CONFIG, "credentials",
                     "%s must be a string of printable ASCII characters",
                     is_clean(key) ? "api_secret" : "api_key");
        return false;
    }
    if (has_pair(client, key, secret))
        return true;
    forget(client);
    if (keep_pair(client, key, secret))
        return true;
    forget(client);
    bf_fault_set(fault, BF_MEMORY, "memory", "not enough memory");
    return false;
}

void bf_client_close(struct bf_client *client) {
    client->closed = true;
    forget(client);
}

struct bf_client *bf_client_ref(struct bf_client *client) {
    client->refs++;
    return client;
}

void bf_client_unref(struct bf_client *client) {
    if (!client || --client->refs > 0)
        return;
    forget(client);
    free(client->base_url);
    free(client->ca_file);
    free(client->proxy); /* may hold a password of the proxy's */
    free(client->agent.data);
    free(client);
}

/* Writes "***" (or less, for a shorter needle) over each `needle`. Hex digits
 * and header names come back in either case, so case is ignored. */
static size_t strike_out(char *text, size_t len, const char *needle,
                         size_t needle_len) {
    size_t out = 0, in = 0;
    size_t stars = needle_len < 3 ? needle_len : 3;
    while (in < len) {
        if (needle_len > 0 && len - in >= needle_len &&
            strncasecmp(text + in, needle, needle_len) == 0) {
            memset(text + out, '*', stars);
            out += stars;
            in += needle_len;
        } else {
            text[out++] = text[in++];
        }
    }
    return out;
}

size_t bf_client_redact(const struct bf_client *client, const char *signature,
                        char *text, size_t len) {
    if (client->secret)
        len = strike_out(text, len, client->secret, client->secret_len);
    if (client->key)
        len = strike_out(text, len, client->key, strlen(client->key));
    if (signature)
        len = strike_out(text, len, signature, strlen(signature));
    return len;
}
