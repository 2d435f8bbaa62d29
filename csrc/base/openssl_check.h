/* Why OpenSSL could not do its work: for want of memory, or because its
 * configuration offers no provider of what is needed. Knows no Lua. */
#ifndef BF_OPENSSL_CHECK_H
#define BF_OPENSSL_CHECK_H

#include "base/error.h"

#include <stdbool.h>

#pragma GCC visibility push(hidden)

/* Is there so little memory left that the failure of anything may be due to
 * it? Told from asking for some more than a TLS connection takes. */
bool bf_is_short_of_memory(void);

/* Has this process's OpenSSL what signing and TLS need? False with `error` set:
 * config, "openssl", naming the variable or file that configures it; memory. */
bool bf_openssl_check(struct bf_error *error);

/* OpenSSL has failed: sets `error` as bf_openssl_check does, to memory where
 * that finds nothing missing. Nothing of ours is left in its error queue. */
void bf_openssl_failed(struct bf_error *error);

#pragma GCC visibility pop

#endif
