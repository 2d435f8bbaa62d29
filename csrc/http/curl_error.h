/* libcurl's result codes and HTTP's, in bitfront's words. Knows no Lua. */
#ifndef BF_CURL_ERROR_H
#define BF_CURL_ERROR_H

#include "base/error.h"
#include "http/head.h"

#include <curl/curl.h>
#include <openssl/ssl.h>

#pragma GCC visibility push(hidden)

/* Names what libcurl's failure `result` was; `text` is its error buffer,
 * `ca_file` the file of certificates that was to be used, or NULL. */
void bf_curl_error(CURL *easy, CURLcode result, const char *text,
                   const char *ca_file, const struct bf_head *head,
                   struct bf_error *error);

/* Has the server refused by an alert, after a handshake that was over for us?
 * In TLS 1.3 that is how a client without a certificate is told. Once a reset
 * has followed, a request cannot be written any more, and libcurl does not look
 * for the reason. `fd` is the socket under the TLS, which is not within that of
 * a proxy. True with `error` set. */
bool bf_curl_error_peek(CURL *easy, SSL *tls, int fd,
                        const struct bf_head *head, struct bf_error *error);

/* A reply with a status other than 200: kind http. */
void bf_curl_error_status(int status, struct bf_error *error);

#pragma GCC visibility pop

#endif
