/* libcurl's result codes and HTTP's, in bitfront's words. Knows no Lua. */
#ifndef BF_VERDICT_H
#define BF_VERDICT_H

#include "fault.h"
#include "head.h"

#include <curl/curl.h>

#pragma GCC visibility push(hidden)

/* Names what libcurl's failure `result` was; `text` is its error buffer,
 * `ca_file` the file of certificates that was to be used, or NULL. */
void bf_verdict(CURL *easy, CURLcode result, const char *text,
                const char *ca_file, const struct bf_head *head,
                struct bf_fault *fault);

/* Has this text of OpenSSL or libcurl the number of an error that the peer's
 * TLS alert was? Then the peer refused; to close is no refusal. In TLS 1.3 the
 * alert about a client without a certificate comes when the handshake is over
 * for us, as an error of reading. */
bool bf_verdict_is_alert(const char *text);

/* A reply with a status other than 200: kind http. */
void bf_verdict_status(int status, struct bf_fault *fault);

#pragma GCC visibility pop

#endif
