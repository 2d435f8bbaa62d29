/* Finds out why OpenSSL failed: a lack of memory, or a configuration without a
 * provider of the algorithms that are needed. */
#ifndef BF_OPENSSL_CHECK_H
#define BF_OPENSSL_CHECK_H

#include "base/error.h"

#include <stdbool.h>

#pragma GCC visibility push(hidden)

/* Can so little memory be allocated that this may be why something failed?
 * Tries a block that is larger than what a TLS connection takes. */
bool bf_is_short_of_memory(void);

/* Does this process's OpenSSL have what signing and TLS need? Returns false
 * with `error` set: config, "openssl", which names the variable or file that
 * configures OpenSSL; or memory. */
bool bf_openssl_check(struct bf_error *error);

/* To be called after OpenSSL has failed. Sets `error` as bf_openssl_check does,
 * or to memory where nothing is missing. Empties OpenSSL's error queue. */
void bf_openssl_failed(struct bf_error *error);

#pragma GCC visibility pop

#endif
