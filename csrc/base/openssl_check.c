#include "base/openssl_check.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>

#define PROBE ((size_t)1024 * 1024)

bool bf_is_short_of_memory(void) {
    void *volatile probe = malloc(PROBE); /* volatile: not optimized away */
    bool none = !probe;
    free(probe);
    return none;
}

/* Fetches one algorithm of each kind that a signature or a TLS connection
 * needs. Without a default context OpenSSL would use a null pointer as one. */
static bool has_algorithms(void) {
    EVP_MAC *mac = NULL;
    EVP_MD *digest = NULL;
    EVP_CIPHER *cipher = NULL;
    bool all = false;
    if (OSSL_LIB_CTX_get0_global_default()) {
        mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
        digest = EVP_MD_fetch(NULL, "SHA256", NULL);
        cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
        all = mac && digest && cipher && RAND_status() == 1;
    }
    EVP_MAC_free(mac);
    EVP_MD_free(digest);
    EVP_CIPHER_free(cipher);
    ERR_clear_error();
    return all;
}

/* What selects the configuration of OpenSSL. */
static const char *source(void) {
    if (getenv("OPENSSL_CONF"))
        return "the file that the environment variable OPENSSL_CONF names";
    if (getenv("OPENSSL_MODULES"))
        return "the folder that the environment variable OPENSSL_MODULES "
               "names";
    return "the system's openssl.cnf";
}

bool bf_openssl_check(struct bf_error *error) {
    if (has_algorithms())
        return true;
    if (bf_is_short_of_memory())
        bf_error_no_memory(error);
    else
        bf_error_set(error, BF_CONFIG, "openssl",
                     "OpenSSL has no provider of HMAC, SHA-256, AES-256-GCM or "
                     "random numbers: it is configured by %s",
                     source());
    return false;
}

void bf_openssl_failed(struct bf_error *error) {
    ERR_clear_error();
    if (bf_openssl_check(error))
        bf_error_no_memory(error);
}
