/* The settings with which a libcurl handle is safe to make a connection for
 * somebody's API key. */
#ifndef BF_CURL_SETUP_H
#define BF_CURL_SETUP_H

#include "http/endpoint.h"

#include <curl/curl.h>
#include <openssl/ssl.h>

#pragma GCC visibility push(hidden)

/* What OpenSSL tells of the TLS of one connection. */
struct bf_tls {
    SSL *innermost;       /* of the handshake begun last; NULL: none yet */
    unsigned char layers; /* still to begin, of two; 0 where there is one */
};

struct bf_callbacks {
    void *userdata;
    char *curl_text;    /* CURL_ERROR_SIZE bytes */
    struct bf_tls *tls; /* `layers` is set when a socket is opened */
    curl_opensocket_callback on_socket;
    curl_closesocket_callback on_close;
    curl_xferinfo_callback on_progress;
};

/* Once for the process, before any handle: sets libcurl up. False with `error`
 * where libcurl does not have the TLS library that is needed. */
bool bf_curl_setup_init(struct bf_error *error);

/* Makes the handle connect to `endpoint` and do nothing else. All strings are
 * copied, but for the callbacks'. False with `error` (config or memory) where
 * an option cannot be honoured: then the handle must not be used. */
bool bf_curl_setup(CURL *easy, const struct bf_endpoint *endpoint,
                   const struct bf_callbacks *callbacks,
                   struct bf_error *error);

/* To be called by the thread that drives libcurl before each turn, in which it
 * may read from TLS connections a limited number of times: a peer that sends
 * without end delays no other connection and no look at the clock. */
void bf_curl_setup_new_turn(void);

#pragma GCC visibility pop

#endif
