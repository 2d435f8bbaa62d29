#include "http/client.h"

#include <stdlib.h>

struct bf_client *bf_client_new(const struct bf_client_options *options,
                                struct bf_error *error) {
    struct bf_client *client = calloc(1, sizeof *client);
    if (!client) {
        bf_error_no_memory(error);
        return NULL;
    }
    client->refs = 1;
    client->connect_timeout = options->connect_timeout;
    client->max_body = options->max_body;
    client->agent =
        bf_header_line("User-Agent", bf_span_of(options->user_agent));
    if (!client->agent)
        bf_error_no_memory(error);
    else
        client->endpoint = bf_endpoint_new(options->base_url, options->ca_file,
                                           options->proxy, error);
    if (client->endpoint)
        return client;
    bf_client_unref(client);
    return NULL;
}

bool bf_client_use(struct bf_client *client, struct bf_credentials *credentials,
                   struct bf_error *error) {
    if (client->closed) {
        bf_error_set(error, BF_CLOSED, "closed", "the client is closed");
        return false;
    }
    (void)bf_credentials_ref(credentials);
    bf_credentials_unref(client->credentials);
    client->credentials = credentials;
    return true;
}

bool bf_client_credentials(struct bf_client *client, struct bf_span key,
                           struct bf_span secret,
                           const struct bf_credential_names *names,
                           struct bf_error *error) {
    struct bf_credentials *credentials;
    bool used;
    if (client->credentials &&
        bf_credentials_equal(client->credentials, key, secret))
        return true;
    credentials = bf_credentials_new(key, secret, names, error);
    used = credentials && bf_client_use(client, credentials, error);
    bf_credentials_unref(credentials);
    return used;
}

void bf_client_close(struct bf_client *client) {
    atomic_store(&client->closed, true);
    if (client->credentials)
        bf_credentials_wipe(client->credentials);
    bf_credentials_unref(client->credentials);
    client->credentials = NULL;
}

struct bf_client *bf_client_ref(struct bf_client *client) {
    (void)atomic_fetch_add(&client->refs, 1);
    return client;
}

void bf_client_unref(struct bf_client *client) {
    if (!client || atomic_fetch_sub(&client->refs, 1) > 1)
        return;
    bf_credentials_unref(client->credentials);
    bf_endpoint_unref(client->endpoint);
    free(client->agent);
    free(client);
}
