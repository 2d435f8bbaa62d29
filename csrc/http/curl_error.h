/* libcurl's result codes, in bitfront's words. */
#ifndef BF_CURL_ERROR_H
#define BF_CURL_ERROR_H

#include "base/error.h"

#include <curl/curl.h>

#pragma GCC visibility push(hidden)

/* Sets `error` to what libcurl's failure `result` was; `text` is the contents
 * of its error buffer, `ca_file` the file of certificates that was to be used,
 * or NULL. */
void bf_curl_error(CURL *easy, CURLcode result, const char *text,
                   const char *ca_file, struct bf_error *error);

#pragma GCC visibility pop

#endif
