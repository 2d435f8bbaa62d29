#include "auth/credentials.h"

#include "base/openssl_check.h"

#include <openssl/crypto.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void wipe_free(char *text, size_t len) {
    if (text)
        OPENSSL_cleanse(text, len);
    free(text);
}

char *bf_header_line(const char *name, struct bf_span value) {
    size_t name_len = strlen(name);
    char *line = malloc(name_len + 2 + value.len + 1);
    if (!line)
        return NULL;
    memcpy(line, name, name_len);
    memcpy(line + name_len, ": ", 2);
    memcpy(line + name_len + 2, value.text, value.len);
    line[name_len + 2 + value.len] = '\0';
    return line;
}

/* Printable ASCII: what a header value may hold without being changed or
 * split on its way. */
static bool is_clean(struct bf_span value) {
    for (size_t i = 0; i < value.len; i++)
        if (value.text[i] < ' ' || value.text[i] > '~')
            return false;
    return true;
}

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

const char *bf_credentials_complaint(struct bf_span value) {
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

/* ---- claims ---- */

/* A lock would stay locked in a child that was forked while another thread of
 * its parent had it. The claim of another process counts for nothing. */
static bool claim(atomic_int *claimed) {
    int user = 0, self = getpid();
    return atomic_compare_exchange_strong(claimed, &user, self) ||
           (user != self &&
            atomic_compare_exchange_strong(claimed, &user, self));
}

/* What is done under a claim takes some microseconds. */
static void wait_for(atomic_int *claimed) {
    while (!claim(claimed))
        (void)sched_yield();
}

/* ---- the pairs of this process ---- */

/* Changed by whoever has claimed it, each time by a single store: a child that
 * was forked in the middle of a change finds a list that can be read. */
static _Atomic(struct bf_credentials *) list;
static atomic_int list_user;

static void add(struct bf_credentials *pair) {
    wait_for(&list_user);
    atomic_store(&pair->next, atomic_load(&list));
    atomic_store(&list, pair);
    atomic_store(&list_user, 0);
}

/* One that was never added is not found. */
static void take_out(struct bf_credentials *pair) {
    _Atomic(struct bf_credentials *) *at = &list;
    wait_for(&list_user);
    while (atomic_load(at) && atomic_load(at) != pair)
        at = &atomic_load(at)->next;
    if (atomic_load(at))
        atomic_store(at, atomic_load(&pair->next));
    atomic_store(&list_user, 0);
}

void bf_credentials_each(bf_credentials_visit *visit, void *with) {
    wait_for(&list_user);
    for (const struct bf_credentials *pair = atomic_load(&list); pair;
         pair = atomic_load(&pair->next)) {
        visit(with, bf_span_of(pair->key));
        if (pair->secret)
            visit(with, (struct bf_span){pair->secret, pair->secret_len});
    }
    atomic_store(&list_user, 0);
}

/* ---- making one ---- */

static struct bf_credentials *copy(struct bf_span key, struct bf_span secret) {
    struct bf_credentials *pair = calloc(1, sizeof *pair);
    if (!pair)
        return NULL;
    pair->refs = 1;
    pair->header = bf_header_line("X-API-KEY", key);
    pair->secret = malloc(secret.len);
    pair->mac = bf_sign_key(secret.text, secret.len);
    if (!pair->header || !pair->secret || !pair->mac ||
        !EVP_Digest(key.text, key.len, pair->id, NULL, EVP_sha256(), NULL)) {
        bf_credentials_unref(pair);
        return NULL;
    }
    pair->key = pair->header + strlen("X-API-KEY: ");
    memcpy(pair->secret, secret.text, secret.len);
    pair->secret_len = secret.len;
    add(pair);
    return pair;
}

struct bf_credentials *
bf_credentials_new(struct bf_span key, struct bf_span secret,
                   const struct bf_credential_names *names,
                   struct bf_error *error) {
    struct bf_credentials *pair;
    const char *in_key = bf_credentials_complaint(key);
    const char *what = in_key ? in_key : bf_credentials_complaint(secret);
    if (what) {
        bf_error_set(error, BF_CONFIG, "credentials", "%s %s",
                     in_key ? names->key : names->secret, what);
        return NULL;
    }
    pair = copy(key, secret);
    if (!pair)
        bf_openssl_failed(error); /* which finds a want of memory too */
    return pair;
}

bool bf_credentials_equal(const struct bf_credentials *pair, struct bf_span key,
                          struct bf_span secret) {
    return pair->secret && strlen(pair->key) == key.len &&
           pair->secret_len == secret.len &&
           CRYPTO_memcmp(pair->key, key.text, key.len) == 0 &&
           CRYPTO_memcmp(pair->secret, secret.text, secret.len) == 0;
}

/* ---- the key schedule, and who uses it ---- */

/* Of the one who wipes and the one who signs, the later one finds what the
 * other has left. */
static void let_go(struct bf_credentials *pair) {
    atomic_store(&pair->user, 0);
    if (atomic_load(&pair->wiped) && claim(&pair->user)) {
        EVP_MAC_CTX_free(pair->mac);
        pair->mac = NULL;
        atomic_store(&pair->user, 0);
    }
}

void bf_credentials_wipe(struct bf_credentials *pair) {
    char *secret;
    wait_for(&list_user);
    secret = pair->secret;
    pair->secret = NULL;
    atomic_store(&list_user, 0);
    wipe_free(secret, pair->secret_len);
    atomic_store(&pair->wiped, true);
    if (claim(&pair->user))
        let_go(pair);
}

enum bf_signed bf_credentials_sign(struct bf_credentials *pair,
                                   const struct bf_span *parts, size_t count,
                                   char hex[BF_SIGNATURE_LEN + 1]) {
    enum bf_signed result = BF_SIGN_WIPED;
    wait_for(&pair->user);
    if (!atomic_load(&pair->wiped))
        result =
            bf_sign(pair->mac, parts, count, hex) ? BF_SIGNED : BF_SIGN_FAILED;
    let_go(pair);
    return result;
}

/* ---- the pair ---- */

struct bf_credentials *bf_credentials_ref(struct bf_credentials *pair) {
    (void)atomic_fetch_add(&pair->refs, 1);
    return pair;
}

void bf_credentials_unref(struct bf_credentials *pair) {
    if (!pair || atomic_fetch_sub(&pair->refs, 1) > 1)
        return;
    take_out(pair);
    bf_credentials_wipe(pair);
    wipe_free(pair->header, pair->header ? strlen(pair->header) : 0);
    free(pair);
}
