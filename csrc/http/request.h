/* A request: all that one attempt needs, and the text that is sent for it. */
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

/* A request for copies of `path` ("/v1/account/balances"), `query` (without
 * "?") and `traceparent`, a header's value, which may both be empty. The caller
 * sets the fields from `expect` to `deadline`. `credentials` may be NULL. NULL:
 * no memory. */
struct bf_request *bf_request_new(struct bf_client *client,
                                  struct bf_credentials *credentials,
                                  struct bf_span path, struct bf_span query,
                                  struct bf_span traceparent);

/* Takes the time, signs, and completes the text. To be called once, just before
 * sending, so that the timestamp is not older. False with `error` set: closed,
 * config, memory. */
bool bf_request_sign(struct bf_request *request, struct bf_error *error);

/* Releases client and credentials and wipes the text. Calling it twice does no
 * harm. */
void bf_request_disown(struct bf_request *request);

void bf_request_free(struct bf_request *request); /* accepts NULL */

#pragma GCC visibility pop

#endif
