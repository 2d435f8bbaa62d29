/* One HTTP exchange over an open connection: the request is written once; the
 * reply is received under byte limits and checked to be complete (RFC 9112). */
#ifndef BF_EXCHANGE_H
#define BF_EXCHANGE_H

#include "http/body.h"
#include "http/connection.h"
#include "http/result.h"

#pragma GCC visibility push(hidden)

enum bf_exchange_state {
    BF_EXCHANGE_NEW,        /* has no connection yet */
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
    bool clean;     /* once it is done: the connection can carry another */
    bool readable;  /* there may be something to receive */
    double started; /* on bf_now()'s clock */
    int lost;       /* connections that libcurl closed before they were used */
    size_t sent;    /* bytes of the request */
    struct bf_buffer buffer; /* all that was received */
    size_t parsed;           /* bytes of it that are lines of heads */
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

/* Gives it a connection: an open one to send the request on, or one that is
 * being made. */
void bf_exchange_attach(struct bf_exchange *exchange,
                        struct bf_connection *connection);

/* Does a part of the request wait to be sent? Nothing is received before. */
bool bf_exchange_is_sending(const struct bf_exchange *exchange);

/* Sends or receives as far as it can without waiting, but not for long. True:
 * there may be more to receive already. */
bool bf_exchange_step(struct bf_exchange *exchange);

/* Reads `len` bytes that were received into the buffer. */
void bf_exchange_received(struct bf_exchange *exchange, size_t len);

/* Ends it, once its result or the result's error is set. */
void bf_exchange_end(struct bf_exchange *exchange);

/* When bf_exchange_expire is due. */
double bf_exchange_due(const struct bf_exchange *exchange);

/* Ends it with kind timeout, with the stage that it is in. */
void bf_exchange_expire(struct bf_exchange *exchange);

/* Wipes request and reply; keeps the memory for the next ones. */
void bf_exchange_reset(struct bf_exchange *exchange);

#pragma GCC visibility pop

#endif
