/* The making of a libcurl multi handle. */
#ifndef BF_MULTI_H
#define BF_MULTI_H

#include "base/error.h"

#include <curl/curl.h>

#pragma GCC visibility push(hidden)

/* A multi handle that can be woken, none of whose descriptors is that of a
 * standard stream; NULL with `error` set: network/descriptors, memory. */
CURLM *bf_multi_new(struct bf_error *error);

/* Keeps this library, and libcurl with it, in the process when the Lua state
 * that loaded it closes: threads may still be running in it. */
void bf_stay_loaded(void);

#pragma GCC visibility pop

#endif
