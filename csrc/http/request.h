/* All that one attempt needs, from the binding to the end of the exchange, and
 * the text that is sent for it. */
#ifndef BF_REQUEST_H
#define BF_REQUEST_H

#include "http/client.h"
#include "json/reply.h"

#pragma GCC visibility push(hidden)

struct bf_request {
    struct bf_client *client;           /* a reference */
    struct bf_credentials *credentials; /* one too; NULL: nothing is signed */
    enum bf_expect expect;
    enum bf_amounts amounts;
    int64_t clock_offset; /* ms, added to our time to get the server's */
    bool monotonic;       /* our time is bf_now()'s, not the wall clock's */
    double deadline;      /* of the whole attempt, on bf_now()'s clock */
    double sent;          /* when it was signed, on that clock; 0: not yet */
    struct bf_span path, query; /* within the text, as they are signed */
    size_t len;                 /* of the text */
    char text[];
};

/* A request for `path` ("/v1/account/balances") and `query` (without "?"; may
 * be empty), which are copied; the numbers are the caller's to fill in.
 * `credentials` may be NULL. NULL: no memory. */
struct bf_request *bf_request_new(struct bf_client *client,
                                  struct bf_credentials *credentials,
                                  struct bf_span path, struct bf_span query);

/* Takes the time, signs, and completes the text. To be called once, at the
 * moment of sending: a slow lookup or handshake before it must not age the
 * timestamp. False with `error` set: closed, config, memory. */
bool bf_request_sign(struct bf_request *request, struct bf_error *error);

/* Releases client and credentials and wipes the text: nothing more can be
 * sent. Twice is harmless. */
void bf_request_disown(struct bf_request *request);

void bf_request_free(struct bf_request *request); /* accepts NULL */

#pragma GCC visibility pop

#endif
