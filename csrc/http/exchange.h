/* One HTTP exchange over an open connection: the request is written once, and
 * the reply received under byte caps and checked to be whole (RFC 9112).
 * engine.c drives it. */
#ifndef BF_EXCHANGE_H
#define BF_EXCHANGE_H

#include "http/body.h"
#include "http/connection.h"
#include "http/result.h"

#pragma GCC visibility push(hidden)

enum bf_exchange_state {
    BF_EXCHANGE_NEW,        /* no connection was looked for */
    BF_EXCHANGE_CONNECTING, /* its connection is being made */
    BF_EXCHANGE_SENDING,    /* signs and sends */
    BF_EXCHANGE_HEAD,       /* waits for the head, or has a part of it */
    BF_EXCHANGE_BODY,       /* has the head */
    BF_EXCHANGE_DONE        /* has its result */
};

struct bf_exchange {
    struct bf_link link; /* first: in one of the engine's lists */
    enum bf_exchange_state state;
    struct bf_request *request;
    struct bf_connection *connection; /* while it runs */
    bool reused;                      /* that was kept from another exchange */
    bool clean;    /* once it is done: the connection can carry another */
    bool readable; /* the last wait has shown that there is something */
    double started, connect_deadline; /* on bf_now()'s clock */
    size_t sent;                      /* bytes of the request */
    struct bf_buffer buffer;          /* all that was received */
    size_t parsed;                    /* bytes of it that are lines of heads */
    struct bf_head head;
    struct bf_body body;
    struct bf_result result;
};

/* An exchange that waits for bf_exchange_begin; NULL: no memory. */
struct bf_exchange *bf_exchange_new(void);
void bf_exchange_free(struct bf_exchange *exchange); /* accepts NULL */

/* Takes the request over. */
void bf_exchange_begin(struct bf_exchange *exchange,
                       struct bf_request *request);

/* Has it wait for a connection that is being made. */
void bf_exchange_await(struct bf_exchange *exchange,
                       struct bf_connection *connection);

/* Gives it an open connection: the next step sends. */
void bf_exchange_use(struct bf_exchange *exchange,
                     struct bf_connection *connection, bool reused);

/* Is there a part of the request that could not be sent without waiting? Until
 * it is, nothing is received. */
bool bf_exchange_is_sending(const struct bf_exchange *exchange);

/* Sends or receives as far as that goes without waiting, but not for long.
 * True: there may be more to receive already, so that no wait is due. */
bool bf_exchange_step(struct bf_exchange *exchange);

/* `len` bytes were received into the buffer; the reply may be whole with them.
 */
void bf_exchange_received(struct bf_exchange *exchange, size_t len);

/* Ends it with the error, unless it has one. */
void bf_exchange_fail(struct bf_exchange *exchange,
                      const struct bf_error *error);

/* When bf_exchange_expire is due, if nothing comes before. */
double bf_exchange_due(const struct bf_exchange *exchange);

/* Ends it with kind timeout, which names the stage it was in. */
void bf_exchange_expire(struct bf_exchange *exchange);

/* Forgets request and reply, wiping them; keeps the memory for the next. */
void bf_exchange_reset(struct bf_exchange *exchange);

#pragma GCC visibility pop

#endif
