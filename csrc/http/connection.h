/* A connection: libcurl looks up the name, tries the addresses, goes through a
 * proxy, does TLS and verifies the peer (CURLOPT_CONNECT_ONLY). From then on
 * bytes are sent and received over it here. It belongs to one account at one
 * endpoint, so that a reply that comes twice or late is never another
 * account's.
 */
#ifndef BF_CONNECTION_H
#define BF_CONNECTION_H

#include "auth/credentials.h"
#include "base/list.h"
#include "http/curl_setup.h"

#pragma GCC visibility push(hidden)

enum bf_connection_state {
    BF_CONNECTION_NEW,        /* libcurl has not begun with it */
    BF_CONNECTION_CONNECTING, /* libcurl is making it */
    BF_CONNECTION_OPEN,       /* bytes can be sent and received */
    BF_CONNECTION_FAILED,     /* libcurl could not make it */
    BF_CONNECTION_ABANDONED   /* nobody waits for it, but libcurl may still be
                                 looking up the name */
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
    double idle_since;       /* while it is kept */
    unsigned progress_calls; /* of libcurl's, in this step */
    void *user;              /* the exchange that it is for, or NULL */
    struct bf_error error;   /* why it cannot be made, where we know better */
    char curl_text[CURL_ERROR_SIZE];
};

/* A connection in state NEW, or NULL with `error` set (config, memory). `due`
 * is the time by which it must be open. */
struct bf_connection *bf_connection_new(struct bf_endpoint *endpoint,
                                        const struct bf_credentials *account,
                                        double due, struct bf_error *error);

/* To be called once it is out of the multi handle; accepts NULL. */
void bf_connection_free(struct bf_connection *connection);

/* Does it belong to this account at this endpoint? NULL: unsigned calls. */
bool bf_connection_is_of(const struct bf_connection *connection,
                         const struct bf_endpoint *endpoint,
                         const struct bf_credentials *account);

/* Is libcurl still looking up the host's name? Such a connection cannot leave
 * the multi handle without waiting for the resolver's thread. */
bool bf_connection_is_resolving(const struct bf_connection *connection);

/* Nobody waits for it any more. libcurl must not end it by itself while it is
 * resolving: it would wait for the resolver's thread. */
void bf_connection_abandon(struct bf_connection *connection);

/* Sets its error to timeout, which names the stage that it is in. */
void bf_connection_expire(struct bf_connection *connection);

/* libcurl has ended its work with `result`: the state is OPEN, or the error is
 * set and the result is false. */
bool bf_connection_opened(struct bf_connection *connection, CURLcode result);

enum bf_quiet {
    BF_QUIET, /* nothing to be read: a request may be sent */
    BF_PART,  /* a part of a TLS record, which may be data or TLS's own */
    BF_BYTES, /* the peer has sent something without being asked */
    BF_BROKEN /* the connection has ended, or ended with `error` */
};

/* Reads once, from an open connection, what must not be there before a request
 * and behind a reply. */
enum bf_quiet bf_connection_check_quiet(struct bf_connection *connection,
                                        struct bf_error *error);

/* Is nothing there to be read, as far as OpenSSL and the socket show without a
 * read? Within the TLS of a proxy they do not show all. */
bool bf_connection_seems_quiet(const struct bf_connection *connection);

/* As send and recv: CURLE_AGAIN where it would have to wait, and 0 bytes read
 * at the end. OpenSSL's records that carry no data are passed over. */
CURLcode bf_connection_send(struct bf_connection *connection, const char *data,
                            size_t len, size_t *sent);
CURLcode bf_connection_receive(struct bf_connection *connection, char *data,
                               size_t len, size_t *received);

/* Sets `error` to what libcurl's failure `result` on it was. */
void bf_connection_set_error(struct bf_connection *connection, CURLcode result,
                             struct bf_error *error);

#pragma GCC visibility pop

#endif
