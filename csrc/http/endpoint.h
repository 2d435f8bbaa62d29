/* Where an easy handle is aimed: the URL, whom to trust there, and the proxy on
 * the way. A handle goes from call to call and from client to client; most of
 * the time nothing of this changes, and libcurl need not read the URL again.
 * Knows no Lua. */
#ifndef BF_AIM_H
#define BF_AIM_H

#include "http/client.h"

#include <curl/curl.h>

#pragma GCC visibility push(hidden)

struct bf_request {
    struct bf_span path;                /* "/v1/account/balances" */
    struct bf_span query;               /* without "?"; may be empty */
    struct bf_credentials *credentials; /* NULL: public, nothing is signed */
    int64_t clock_offset; /* ms, added to our time to get the server's */
    bool monotonic;       /* our time is bf_now()'s, not the wall clock's */
    double deadline;      /* of the whole attempt, on bf_now()'s clock */
};

struct bf_aim {
    char *url;     /* NULL: at nothing yet */
    char *ca_file; /* NULL: libcurl's default */
    char *proxy;
    CURLU *parsed; /* what libcurl made of the URL */
};

/* Is it aimed already at where `request` goes for `client`? */
bool bf_aim_is(const struct bf_aim *aim, const struct bf_client *client,
               const struct bf_request *request);

/* Aims a handle that was just locked down. False: no memory. */
bool bf_aim_set(struct bf_aim *aim, CURL *easy, const struct bf_client *client,
                const struct bf_request *request);

void bf_aim_free(struct bf_aim *aim);

/* Is the way there through the TLS of a proxy? */
bool bf_aim_by_tls_proxy(const struct bf_client *client);

#pragma GCC visibility pop

#endif
