/* Signatures, nonces and random numbers. The rules are those of
 * the exchange's authentication policy: lower-case hex of HMAC-SHA256 over
 * nonce, timestamp, METHOD, path, query and body, joined without separators. */
#ifndef BF_SIGN_H
#define BF_SIGN_H

#include "base/span.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

#define BF_SIGNATURE_LEN 64
#define BF_NONCE_MIN 10000
#define BF_NONCE_MAX 99999

/* An HMAC context with the key schedule done, or NULL (out of memory, or
 * OpenSSL has no HMAC-SHA256). To be freed with EVP_MAC_CTX_free, which wipes
 * the key. */
EVP_MAC_CTX *bf_sign_key(const char *secret, size_t len);

/* Sign the concatenation of `parts`. `hex` gets 64 digits and a NUL. The key
 * can be used again. False if OpenSSL failed: then nothing may be sent. */
bool bf_sign(EVP_MAC_CTX *key, const struct bf_span *parts, size_t count,
             char hex[BF_SIGNATURE_LEN + 1]);

/* Two lower-case digits for each byte, and a NUL. */
void bf_to_hex(const unsigned char *bytes, size_t len, char *hex);

/* The present time of the server's clock (Unix ms), and a nonce that this
 * thread has not used with it. False where the random generator failed. */
bool bf_nonce(int64_t clock_offset, int64_t *timestamp, unsigned *nonce);

/* A number from 0 to below 1, all of its 53 bits random: from OpenSSL, so that
 * no two processes share a series. False where the generator failed. */
bool bf_random(double *out);

#pragma GCC visibility pop

#endif
