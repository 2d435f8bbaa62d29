/* A connection. libcurl makes it: looks up the name, tries the addresses,
 * connects through a proxy, does TLS and verifies the peer
 * (CURLOPT_CONNECT_ONLY). It belongs to one account at one endpoint, so that a
 * reply that is received twice or late is never another account's. */
#ifndef BF_CONNECTION_H
#define BF_CONNECTION_H

#include "auth/credentials.h"
#include "base/list.h"
#include "http/curl_setup.h"

#pragma GCC visibility push(hidden)

enum bf_connection_state {
    BF_CONNECTION_CONNECTING, /* libcurl is making it */
    BF_CONNECTION_OPEN,       /* bytes can be sent and received */
    BF_CONNECTION_FAILED,     /* libcurl could not make it */
    BF_CONNECTION_ABANDONED   /* has no user; libcurl may be resolving */
};

struct bf_connection {
    struct bf_link link; /* first: in one of the lists of the engine's */
    enum bf_connection_state state;
    CURL *easy;
    struct bf_endpoint *endpoint;             /* a reference */
    unsigned char account[BF_ACCOUNT_ID_LEN]; /* zeros: unsigned calls */
    struct bf_tls tls;
    int fd;                  /* the socket opened last, or in use; -1: none */
    double started;          /* on bf_now()'s clock */
    double due;              /* when it must be open */
    double idle_since;       /* when it was kept last; 0: never */
    unsigned progress_calls; /* of libcurl's, in this step */
    void *user;              /* the exchange that it is for, or NULL */
    struct bf_error error;   /* why it cannot be made; before libcurl's own */
    char curl_text[CURL_ERROR_SIZE];
};

/* A connection for libcurl to make until the time `due`, or NULL with `error`
 * set (config, memory). */
struct bf_connection *bf_connection_new(struct bf_endpoint *endpoint,
                                        const struct bf_credentials *account,
                                        double due, struct bf_error *error);

/* To be called once it is out of the multi handle; accepts NULL. */
void bf_connection_free(struct bf_connection *connection);

/* Does it belong to this account at this endpoint? NULL: unsigned calls. */
bool bf_connection_is_of(const struct bf_connection *connection,
                         const struct bf_endpoint *endpoint,
                         const struct bf_credentials *account);

/* Is libcurl looking up the host's name? Then to remove the connection from the
 * multi handle would wait for the resolver's thread. */
bool bf_connection_is_resolving(const struct bf_connection *connection);

/* It has no user any more, and libcurl must not end it while it is resolving.
 */
void bf_connection_abandon(struct bf_connection *connection);

/* Sets its error to timeout, with the stage that it is in. */
void bf_connection_expire(struct bf_connection *connection);

/* libcurl has ended its work with `result`. True: the state is OPEN. False: it
 * is FAILED, and the error is set. */
bool bf_connection_opened(struct bf_connection *connection, CURLcode result);

enum bf_idle {
    BF_IDLE,           /* nothing to be read: a request may be sent */
    BF_PARTIAL_RECORD, /* a part of a TLS record, or without end TLS's own */
    BF_TRAILING_BYTES, /* the peer has sent something without being asked */
    BF_ENDED           /* the connection has ended, or ended with `error` */
};

/* Reads once from an open connection, before a request or behind a reply. */
enum bf_idle bf_connection_check_idle(struct bf_connection *connection,
                                      struct bf_error *error);

/* Is nothing there to be read, as far as OpenSSL and the socket show without a
 * read? Within the TLS of a proxy they do not show all. */
bool bf_connection_seems_idle(const struct bf_connection *connection);

/* As send and recv: CURLE_AGAIN where it would have to wait, and 0 bytes read
 * at the end. */
CURLcode bf_connection_send(struct bf_connection *connection, const char *data,
                            size_t len, size_t *sent);
CURLcode bf_connection_receive(struct bf_connection *connection, char *data,
                               size_t len, size_t *received);

/* Sets `error` to libcurl's failure `result` on it. */
void bf_connection_set_error(struct bf_connection *connection, CURLcode result,
                             struct bf_error *error);

#pragma GCC visibility pop

#endif
