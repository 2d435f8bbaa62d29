/* The result of one attempt: the one value that is returned to the caller. */
#ifndef BF_RESULT_H
#define BF_RESULT_H

#include "http/request.h"

#pragma GCC visibility push(hidden)

struct bf_result {
    struct bf_error error; /* kind BF_OK: `reply` was read */
    int status;            /* HTTP's; 0: none was received */
    long retry_after;      /* s; -1: the server does not say */
    bool stale;            /* a kept connection broke before the reply began */
    double sent;           /* on bf_now()'s clock; 0: never */
    double replied;        /* when the reply began; 0: never */
    struct bf_span body;   /* ends with a NUL */
    struct bf_reply reply; /* points into the body */
};

/* Reads `body` into `reply`, or sets `error`. To be called where no error is
 * set yet and the head and the body are whole. */
void bf_result_read(struct bf_result *result, const struct bf_request *request);

/* Sets kind http, for a status other than 200. */
void bf_result_set_status_error(struct bf_result *result);

/* The client was closed meanwhile: the reply is replaced by kind closed.
 * Another error than a refusal of the exchange stays. */
void bf_result_close(struct bf_result *result);

/* Clears everything; keeps the memory of `reply`. */
void bf_result_reset(struct bf_result *result);

#pragma GCC visibility pop

#endif
