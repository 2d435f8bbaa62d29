/* A key and its secret, in memory that is wiped. A client has one pair at a
 * time; a transfer holds on to the pair it was begun with, whatever becomes of
 * the client's meanwhile. Knows no Lua. */
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
    char *key;                           /* points into it */
    char *secret;                        /* NULL once wiped */
    size_t secret_len;
    EVP_MAC_CTX *mac; /* the secret's key schedule, for who has claimed it */
    atomic_int user;  /* the process that has claimed it, or 0 */
    atomic_bool wiped;
    _Atomic(struct bf_credentials *) next; /* in the list of all pairs */
};

/* What is wrong with a key or a secret, in words that follow its name; NULL
 * where nothing is. A control character could smuggle a header in. A blank at
 * an end is lost on the way: the exchange counts the calls of "K" and of "K "
 * as one key's, we would count them as two. Quotes come from a file that some
 * other program reads without them. */
const char *bf_credentials_complaint(struct bf_span value);

/* What the two are called where they come from, for messages. */
struct bf_credential_names {
    const char *key, *secret;
};

/* A copy of the pair with one reference, or NULL with `error` set: config for
 * a value with a complaint, memory. */
struct bf_credentials *
bf_credentials_new(struct bf_span key, struct bf_span secret,
                   const struct bf_credential_names *names,
                   struct bf_error *error);

/* Is it this pair? Takes the same time whatever the secret is. */
bool bf_credentials_equal(const struct bf_credentials *credentials,
                          struct bf_span key, struct bf_span secret);

/* Wipes the secret, at once, for all who hold the pair. What is not signed yet
 * will not be. Where another thread is signing just now, it finishes that one
 * signature and wipes the key schedule. */
void bf_credentials_wipe(struct bf_credentials *credentials);

enum bf_signed { BF_SIGNED, BF_SIGN_WIPED, BF_SIGN_FAILED };

/* bf_sign with the pair's secret; from any thread. */
enum bf_signed bf_credentials_sign(struct bf_credentials *credentials,
                                   const struct bf_span *parts, size_t count,
                                   char hex[BF_SIGNATURE_LEN + 1]);

struct bf_credentials *bf_credentials_ref(struct bf_credentials *credentials);
void bf_credentials_unref(struct bf_credentials *credentials); /* or NULL */

/* Calls `visit` for the key of each pair of this process, and for its secret
 * where that is not wiped yet. No pair comes or goes meanwhile, so it must be
 * quick and must not call back; from any thread. */
typedef void bf_credentials_visit(void *with, struct bf_span credential);
void bf_credentials_each(bf_credentials_visit *visit, void *with);

/* "Name: value" in memory of its own, or NULL. */
char *bf_header_line(const char *name, struct bf_span value);

#pragma GCC visibility pop

#endif
