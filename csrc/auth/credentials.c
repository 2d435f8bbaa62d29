#include "auth/credentials.h"

#include "base/openssl_check.h"

#include <openssl/crypto.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void wipe_free(char *text, size_t len) {
    if (text)
        OPENSSL_cleanse(text, len);
    free(text);
}

char *bf_header_line(const char *name, struct bf_span value) {
    size_t size = strlen(name) + sizeof ": " + value.len;
    char *line = malloc(size);
    if (line)
        (void)snprintf(line, size, "%s: %.*s", name, (int)value.len,
                       value.text);
    return line;
}

/* Is it printable ASCII, which no proxy or server changes in a header? */
static bool is_clean(struct bf_span value) {
    for (size_t i = 0; i < value.len; i++)
        if (value.text[i] < ' ' || value.text[i] > '~')
            return false;
    return true;
}

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

const char *bf_credentials_problem(struct bf_span value) {
    char first, last;
    if (value.len == 0)
        return "must not be empty";
    first = value.text[0];
    last = value.text[value.len - 1];
    if (is_space(first) || is_space(last))
        return "has a blank at its beginning or end, which would be part of it";
    if (first == last && (first == '"' || first == '\''))
        return "has quotes around it, which would be part of it";
    return is_clean(value) ? NULL
                           : "must be a string of printable ASCII characters";
}

/* ---- locks ---- */

/* A lock holds the id of the process that has locked it, or 0. One that another
 * process has locked is free: a child that was forked while a thread of its
 * parent had the lock must be able to lock it. */
static bool try_lock(atomic_int *owner) {
    int before = 0, self = getpid();
    return atomic_compare_exchange_strong(owner, &before, self) ||
           (before != self &&
            atomic_compare_exchange_strong(owner, &before, self));
}

/* A lock is held for some microseconds. */
static void lock(atomic_int *owner) {
    while (!try_lock(owner))
        (void)sched_yield();
}

static void unlock(atomic_int *owner) {
    atomic_store(owner, 0);
}

/* ---- all credentials of this process ---- */

/* Changed under its lock, each time by a single store: a child that was forked
 * during a change has a list that can be read. */
static _Atomic(struct bf_credentials *) list;
static atomic_int list_owner;

static void add_to_list(struct bf_credentials *credentials) {
    lock(&list_owner);
    atomic_store(&credentials->next, atomic_load(&list));
    atomic_store(&list, credentials);
    unlock(&list_owner);
}

/* Does nothing where they were never added. */
static void remove_from_list(struct bf_credentials *credentials) {
    _Atomic(struct bf_credentials *) *at = &list;
    lock(&list_owner);
    while (atomic_load(at) && atomic_load(at) != credentials)
        at = &atomic_load(at)->next;
    if (atomic_load(at))
        atomic_store(at, atomic_load(&credentials->next));
    unlock(&list_owner);
}

void bf_credentials_each(bf_credentials_callback *callback, void *with) {
    lock(&list_owner);
    for (const struct bf_credentials *credentials = atomic_load(&list);
         credentials; credentials = atomic_load(&credentials->next)) {
        callback(with, credentials->key);
        if (credentials->secret)
            callback(with, (struct bf_span){credentials->secret,
                                            credentials->secret_len});
    }
    unlock(&list_owner);
}

/* ---- making one ---- */

static struct bf_credentials *copy(struct bf_span key, struct bf_span secret) {
    struct bf_credentials *credentials = calloc(1, sizeof *credentials);
    if (!credentials)
        return NULL;
    credentials->refs = 1;
    credentials->header = bf_header_line("X-API-KEY", key);
    credentials->secret = malloc(secret.len);
    credentials->mac = bf_sign_key(secret.text, secret.len);
    if (!credentials->header || !credentials->secret || !credentials->mac ||
        !EVP_Digest(key.text, key.len, credentials->id, NULL, EVP_sha256(),
                    NULL)) {
        bf_credentials_unref(credentials);
        return NULL;
    }
    credentials->key =
        (struct bf_span){credentials->header + strlen("X-API-KEY: "), key.len};
    memcpy(credentials->secret, secret.text, secret.len);
    credentials->secret_len = secret.len;
    add_to_list(credentials);
    return credentials;
}

struct bf_credentials *
bf_credentials_new(struct bf_span key, struct bf_span secret,
                   const struct bf_credential_names *names,
                   struct bf_error *error) {
    struct bf_credentials *credentials;
    const char *in_key = bf_credentials_problem(key);
    const char *what = in_key ? in_key : bf_credentials_problem(secret);
    if (what) {
        bf_error_set(error, BF_CONFIG, "credentials", "%s %s",
                     in_key ? names->key : names->secret, what);
        return NULL;
    }
    credentials = copy(key, secret);
    if (!credentials)
        bf_openssl_failed(error); /* which also detects a lack of memory */
    return credentials;
}

bool bf_credentials_equal(const struct bf_credentials *credentials,
                          struct bf_span key, struct bf_span secret) {
    return credentials->secret && credentials->key.len == key.len &&
           credentials->secret_len == secret.len &&
           CRYPTO_memcmp(credentials->key.text, key.text, key.len) == 0 &&
           CRYPTO_memcmp(credentials->secret, secret.text, secret.len) == 0;
}

/* ---- the key schedule ---- */

/* Frees the key schedule where the secret was wiped: the one of wiping and
 * signing that ends last does so. */
static void unlock_mac(struct bf_credentials *credentials) {
    unlock(&credentials->owner);
    if (atomic_load(&credentials->wiped) && try_lock(&credentials->owner)) {
        EVP_MAC_CTX_free(credentials->mac);
        credentials->mac = NULL;
        unlock(&credentials->owner);
    }
}

void bf_credentials_wipe(struct bf_credentials *credentials) {
    char *secret;
    lock(&list_owner);
    secret = credentials->secret;
    credentials->secret = NULL;
    unlock(&list_owner);
    wipe_free(secret, credentials->secret_len);
    atomic_store(&credentials->wiped, true);
    if (try_lock(&credentials->owner))
        unlock_mac(credentials);
}

enum bf_signed bf_credentials_sign(struct bf_credentials *credentials,
                                   const struct bf_span *parts, size_t count,
                                   char hex[BF_SIGNATURE_LEN + 1]) {
    enum bf_signed result = BF_SIGN_WIPED;
    lock(&credentials->owner);
    if (!atomic_load(&credentials->wiped))
        result = bf_sign(credentials->mac, parts, count, hex) ? BF_SIGNED
                                                              : BF_SIGN_FAILED;
    unlock_mac(credentials);
    return result;
}

/* ---- references ---- */

struct bf_credentials *bf_credentials_ref(struct bf_credentials *credentials) {
    (void)atomic_fetch_add(&credentials->refs, 1);
    return credentials;
}

void bf_credentials_unref(struct bf_credentials *credentials) {
    if (!credentials || atomic_fetch_sub(&credentials->refs, 1) > 1)
        return;
    remove_from_list(credentials);
    bf_credentials_wipe(credentials);
    wipe_free(credentials->header,
              credentials->header ? strlen(credentials->header) : 0);
    free(credentials);
}
