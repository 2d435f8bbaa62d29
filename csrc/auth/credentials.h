/* A key and its secret, in memory that is wiped. A client has one of these at a
 * time. A call keeps a reference to the one that it began with, also when the
 * client gets another. */
#ifndef BF_CREDENTIALS_H
#define BF_CREDENTIALS_H

#include "base/error.h"
#include "auth/sign.h"

#include <stdatomic.h>

#pragma GCC visibility push(hidden)

#define BF_ACCOUNT_ID_LEN 32

struct bf_credentials {
    atomic_uint refs;
    unsigned char id[BF_ACCOUNT_ID_LEN]; /* SHA-256 of the key */
    char *header;                        /* "X-API-KEY: ..." */
    struct bf_span key;                  /* within it */
    char *secret;                        /* NULL once wiped */
    size_t secret_len;
    EVP_MAC_CTX *mac; /* the secret's key schedule; see `owner` */
    atomic_int owner; /* the process that has locked `mac`, or 0 */
    atomic_bool wiped;
    _Atomic(struct bf_credentials *) next; /* in the list of all of them */
};

/* What is wrong with a key or a secret, in words that follow its name; NULL
 * where nothing is. A control character could add a header. A blank at an end
 * is removed on the way: the exchange would count the calls of "K" and of "K "
 * as those of one key, and the limiter as those of two. Quotes are from a file
 * that another program reads without them. */
const char *bf_credentials_problem(struct bf_span value);

/* The names of the two at their source, for messages. */
struct bf_credential_names {
    const char *key, *secret;
};

/* Copies the two; the result has one reference. NULL with `error` set: config
 * for a value with a problem, memory. */
struct bf_credentials *
bf_credentials_new(struct bf_span key, struct bf_span secret,
                   const struct bf_credential_names *names,
                   struct bf_error *error);

/* Are these its key and secret? The time does not depend on the secret. */
bool bf_credentials_equal(const struct bf_credentials *credentials,
                          struct bf_span key, struct bf_span secret);

/* Wipes the secret at once, for all references. Nothing is signed afterwards. A
 * thread that is signing completes that signature and then wipes the key
 * schedule. */
void bf_credentials_wipe(struct bf_credentials *credentials);

enum bf_signed { BF_SIGNED, BF_SIGN_WIPED, BF_SIGN_FAILED };

/* bf_sign with this secret; from any thread. */
enum bf_signed bf_credentials_sign(struct bf_credentials *credentials,
                                   const struct bf_span *parts, size_t count,
                                   char hex[BF_SIGNATURE_LEN + 1]);

struct bf_credentials *bf_credentials_ref(struct bf_credentials *credentials);
void bf_credentials_unref(struct bf_credentials *credentials); /* or NULL */

/* Calls `callback` for each key in this process, and for each secret that is
 * not wiped; from any thread. The list of them is locked meanwhile, so
 * `callback` must be quick and must not call a function of this file. */
typedef void bf_credentials_callback(void *with, struct bf_span credential);
void bf_credentials_each(bf_credentials_callback *callback, void *with);

/* "Name: value", to be freed by the caller, or NULL. */
char *bf_header_line(const char *name, struct bf_span value);

#pragma GCC visibility pop

#endif
