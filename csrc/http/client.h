/* What one account's calls share: where they go, whom they trust, and the
 * credentials, held in memory that is wiped. Transfers may run on another
 * thread than Lua: they read what never changes, and count. Knows no Lua. */
#ifndef BF_CLIENT_H
#define BF_CLIENT_H

#include "auth/credentials.h"

#pragma GCC visibility push(hidden)

struct bf_client {
    atomic_uint refs; /* the Lua object's, and one for each transfer */
    bool closed;      /* this and the credentials are the Lua object's */
    bool plain;       /* http, so loopback only */
    char *base_url;
    char *ca_file; /* NULL: libcurl's own default */
    char *proxy;   /* "": none, whatever the environment says */
    double connect_timeout;
    size_t max_body;
    char *agent;                        /* User-Agent header */
    struct bf_credentials *credentials; /* NULL: none yet, or closed */
};

struct bf_client_options {
    const char *base_url;
    const char *ca_file; /* or NULL */
    const char *proxy;   /* or NULL */
    const char *user_agent;
    double connect_timeout; /* s */
    size_t max_body;        /* bytes */
};

/* A client without credentials and one reference, or NULL with `error` set:
 * kind config for a base_url or proxy that is not allowed, kind memory. */
struct bf_client *bf_client_new(const struct bf_client_options *options,
                                struct bf_error *error);

/* Copies the pair. A pair that the client already has costs no new key
 * schedule. False as bf_credentials_new, or where the client is closed. */
bool bf_client_credentials(struct bf_client *client, struct bf_span key,
                           struct bf_span secret,
                           const struct bf_credential_names *names,
                           struct bf_error *error);

/* Has the client use this pair, of which it takes a reference of its own. False
 * where it is closed. */
bool bf_client_use(struct bf_client *client, struct bf_credentials *pair,
                   struct bf_error *error);

/* Wipes the credentials, at once; twice is harmless. What is not signed yet
 * will not be. */
void bf_client_close(struct bf_client *client);

struct bf_client *bf_client_ref(struct bf_client *client);
void bf_client_unref(struct bf_client *client); /* accepts NULL */

#pragma GCC visibility pop

#endif
