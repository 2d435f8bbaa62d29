/* The settings that make a libcurl handle safe to carry somebody's API key.
 * Knows no Lua. */
#ifndef BF_CURL_SETUP_H
#define BF_CURL_SETUP_H

#include "base/error.h"

#include <curl/curl.h>
#include <stdbool.h>

#pragma GCC visibility push(hidden)

/* libcurl 7.80 and later can call us when the connection is made and the
 * request not yet sent. */
#if LIBCURL_VERSION_NUM >= 0x075000 && !defined BF_WITHOUT_PREREQ
#define BF_HAVE_PREREQ 1
#endif

struct bf_callbacks {
    void *userdata;
    char *curl_text; /* CURL_ERROR_SIZE bytes */
    curl_write_callback on_header;
    curl_write_callback on_body;
    curl_opensocket_callback on_socket;
    curl_closesocket_callback on_close;
    curl_xferinfo_callback on_progress;
    curl_debug_callback on_debug;
    unsigned char *tls_layers; /* see on_tls; set when a socket is opened */
    void *sockets; /* what on_close gets, for as long as there are handles */
#ifdef BF_HAVE_PREREQ
    curl_prereq_callback on_ready;
#endif
};

/* Once for the process, before any handle: sets libcurl up. False with `error`
 * where libcurl has not the TLS library that the lock-down needs. */
bool bf_curl_setup_init(struct bf_error *error);

/* Every option that is the same for all requests. False with `error` (config
 * or memory) when one cannot be honoured: then the handle must not be used. */
bool bf_curl_setup(CURL *easy, const struct bf_callbacks *callbacks,
                   struct bf_error *error);

/* Trust the certificates in `ca_file` and no others. */
bool bf_curl_setup_ca(CURL *easy, const char *ca_file);

/* To be called by the thread that drives libcurl before each step, and when
 * libcurl goes on to another handle: from there on it may read again. A peer
 * that sends without end holds up nobody else, and no look at the clock. */
void bf_curl_setup_new_turn(void);

/* Does the libcurl that is loaded call on_ready? */
bool bf_curl_setup_has_prereq(void);

#pragma GCC visibility pop

#endif
