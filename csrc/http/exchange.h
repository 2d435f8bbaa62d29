/* One HTTP exchange: a signed GET handed to libcurl with everything locked
 * down that leaks or lies, its reply collected under byte caps and checked to
 * be whole. Knows no Lua. Who drives it is engine.c's business. */
#ifndef BF_TRANSFER_H
#define BF_TRANSFER_H

#include "http/endpoint.h"
#include "http/chunks.h"
#include "http/client.h"
#include "http/head.h"
#include "json/reply.h"
#include "http/sockets.h"

#pragma GCC visibility push(hidden)

enum bf_state {
    BF_IDLE,     /* in the engine's pool */
    BF_RUNNING,  /* in the multi handle */
    BF_DONE,     /* out of it: `error` or a whole reply is there */
    BF_ABANDONED /* over, `error` is set, but libcurl is still resolving */
};

#define BF_HEADERS 6

struct bf_transfer {
    CURL *easy;
    struct bf_sockets *sockets; /* the engine's */
    struct bf_aim aim;          /* of `easy` */
    enum bf_state state;
    struct bf_client *client;           /* references, while not idle */
    struct bf_credentials *credentials; /* NULL: nothing is signed */
    struct bf_transfer *prev, *next;    /* in the engine's list */
    bool dropped;                       /* nobody holds it any more */

    /* the request */
    struct bf_span path, query; /* within the URL, as they are signed */
    int64_t clock_offset;
    bool monotonic;
    double started, deadline, connect_deadline;
    struct curl_slist headers[BF_HEADERS];
    char timestamp[48], nonce[32];
    char sign_header[16 + BF_SIGNATURE_LEN];

    /* on its way */
    int fd;      /* the socket it opened last or goes by, or -1 */
    bool begun;  /* libcurl has looked at it */
    bool ready;  /* connected and signed: the request goes out */
    bool reused; /* on a connection kept from an earlier transfer */
    unsigned char tls_layers; /* still to begin, of two */
    unsigned looks;           /* of libcurl's, in this step; see on_progress */
    bool stale; /* that connection had bytes waiting: it is to be replaced */
    double sent, replied; /* monotonic: signed; first line of the reply */

    /* the reply */
    bool excess; /* something follows its end */
    struct bf_head head;
    struct bf_chunks chunks;
    char *body; /* NUL-terminated */
    size_t body_len, body_cap;
    struct bf_reply reply; /* what was read of the body, once it was */
    struct bf_error error;
    char curl_text[CURL_ERROR_SIZE];
};

/* An idle transfer whose sockets go into the engine's list, or NULL with
 * `error` set to memory. */
struct bf_transfer *bf_transfer_new(struct bf_sockets *sockets,
                                    struct bf_error *error);
void bf_transfer_free(struct bf_transfer *transfer); /* accepts NULL */

/* Makes an idle transfer ready to be added to a multi handle. Takes a
 * reference to the client. False with the transfer's own error set. */
bool bf_transfer_prepare(struct bf_transfer *transfer, struct bf_client *client,
                         const struct bf_request *request);

/* To be called when libcurl is through with it and before it leaves the multi
 * handle: decides whether the reply is whole, and names the error if not. */
void bf_transfer_done(struct bf_transfer *transfer, CURLcode result);

/* Ends it with kind timeout, naming the stage it was in. The caller takes it
 * out of the multi handle. */
void bf_transfer_expire(struct bf_transfer *transfer);

/* Is libcurl still looking up the host's name? Such a transfer cannot be
 * taken out of the multi handle without waiting for the resolver's thread. */
bool bf_transfer_resolving(struct bf_transfer *transfer);

/* To be called before it is added to the multi handle: tells libcurl how long
 * it has to connect. Of that it gives each of a host's addresses but the last
 * the half of what is left, and then tries the next. */
bool bf_transfer_set_time(struct bf_transfer *transfer);

/* What is still resolving is left with libcurl, which must not end it by
 * itself: it would wait for the resolver's thread. */
void bf_transfer_abandon(struct bf_transfer *transfer);

/* When bf_transfer_expire is due if nothing comes of it before. */
double bf_transfer_due(struct bf_transfer *transfer);

/* Drops the client and the credentials, wipes the signature: nothing more may
 * be sent. */
void bf_transfer_disown(struct bf_transfer *transfer);

/* Back to idle: drops the client, wipes the signature, forgets the reply. */
void bf_transfer_reset(struct bf_transfer *transfer);

#pragma GCC visibility pop

#endif
