/* A client: the endpoint and the credentials of one account's calls. Exchanges
 * may run on another thread than Lua's: they read what never changes and
 * whether it is closed, and count references. */
#ifndef BF_CLIENT_H
#define BF_CLIENT_H

#include "auth/credentials.h"
#include "http/endpoint.h"

#pragma GCC visibility push(hidden)

struct bf_client {
    atomic_uint refs;   /* the Lua object's, and one for each request */
    atomic_bool closed; /* any thread may read it */
    struct bf_endpoint *endpoint;
    double connect_timeout;             /* s */
    size_t max_body;                    /* bytes */
    char *agent;                        /* User-Agent header */
    struct bf_credentials *credentials; /* of the Lua object's thread; NULL:
                                           none yet, or closed */
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

/* Has the client use a copy of key and secret; the key schedule is made anew
 * only where they are others. False as bf_credentials_new, or where it is
 * closed. */
bool bf_client_credentials(struct bf_client *client, struct bf_span key,
                           struct bf_span secret,
                           const struct bf_credential_names *names,
                           struct bf_error *error);

/* Has the client use these credentials, to which it takes a reference. False
 * where it is closed. */
bool bf_client_use(struct bf_client *client, struct bf_credentials *credentials,
                   struct bf_error *error);

/* Wipes the credentials at once. No request is sent after it. Calling it twice
 * does no harm. */
void bf_client_close(struct bf_client *client);

struct bf_client *bf_client_ref(struct bf_client *client);
void bf_client_unref(struct bf_client *client); /* accepts NULL */

#pragma GCC visibility pop

#endif
