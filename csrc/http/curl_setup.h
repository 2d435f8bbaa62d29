/* libcurl's handles, and the settings with which one is safe to make a
 * connection for somebody's API key. */
#ifndef BF_CURL_SETUP_H
#define BF_CURL_SETUP_H

#include "http/endpoint.h"

#include <curl/curl.h>
#include <openssl/ssl.h>

#pragma GCC visibility push(hidden)

/* What OpenSSL reports of the TLS of one connection. */
struct bf_tls {
    SSL *innermost; /* of the handshake begun last; NULL: none yet */
    bool is_begun;  /* on the socket opened last */
};

/* Once for the process, before any handle: sets libcurl up. False with `error`
 * where libcurl does not have the TLS library that is needed. */
bool bf_curl_setup_init(struct bf_error *error);

/* Keeps this library, and libcurl with it, in the process when the Lua state
 * that loaded it closes: threads may still be running in it. */
void bf_stay_loaded(void);

/* A multi handle that can be woken, none of whose descriptors is that of a
 * standard stream; NULL with `error` set: network/descriptors, memory. */
CURLM *bf_multi_new(struct bf_error *error);

/* Makes the handle connect to `endpoint` and do nothing else. The strings are
 * copied; `tls` is kept. Where this fails, an option cannot be honoured, and
 * the handle must not be used. */
CURLcode bf_curl_setup(CURL *easy, const struct bf_endpoint *endpoint,
                       struct bf_tls *tls);

/* To be called by the thread that drives libcurl before each turn, in which it
 * may read from TLS connections a limited number of times: a peer that sends
 * without end delays neither another connection nor a deadline. */
void bf_curl_setup_new_turn(void);

#pragma GCC visibility pop

#endif
