#include "auth/sign.h"

#include "base/clock.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <unistd.h>

EVP_MAC_CTX *bf_sign_key(const char *secret, size_t len) {
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *hmac = NULL;
    EVP_MAC_CTX *key;
    /* Without a default context OpenSSL would use a null pointer as one. */
    if (OSSL_LIB_CTX_get0_global_default())
        hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    key = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
    EVP_MAC_free(hmac); /* the context holds its own reference */
    if (key && !EVP_MAC_init(key, (const unsigned char *)secret, len, params)) {
        EVP_MAC_CTX_free(key);
        return NULL;
    }
    return key;
}

void bf_to_hex(const unsigned char *bytes, size_t len, char *hex) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        *hex++ = digits[bytes[i] >> 4];
        *hex++ = digits[bytes[i] & 15];
    }
    *hex = '\0';
}

/* A context to sign one message with: the key's own, reset to its key schedule.
 * OpenSSL before 3.0.3 does not reset it and would sign the last message too,
 * so there it is a copy. */
static EVP_MAC_CTX *begin(EVP_MAC_CTX *key) {
    if (OpenSSL_version_num() < 0x30000030UL)
        return EVP_MAC_CTX_dup(key);
    return EVP_MAC_init(key, NULL, 0, NULL) ? key : NULL;
}

bool bf_sign(EVP_MAC_CTX *key, const struct bf_span *parts, size_t count,
             char hex[BF_SIGNATURE_LEN + 1]) {
    unsigned char mac[BF_SIGNATURE_LEN / 2];
    size_t len = 0;
    EVP_MAC_CTX *once = begin(key);
    bool ok = once != NULL;
    for (size_t i = 0; ok && i < count; i++)
        ok = EVP_MAC_update(once, (const unsigned char *)parts[i].text,
                            parts[i].len);
    ok = ok && EVP_MAC_final(once, mac, &len, sizeof mac) && len == sizeof mac;
    if (once != key)
        EVP_MAC_CTX_free(once);
    if (ok)
        bf_to_hex(mac, sizeof mac, hex);
    return ok;
}

/* Random words that were generated in advance: generating each one costs as
 * much as the signature. Each thread has its own. A forked child does not use
 * its parent's. */
#define STORED_WORDS 64
static _Thread_local struct {
    pid_t pid;
    unsigned left;
    uint32_t words[STORED_WORDS];
} store;

static bool random_word(uint32_t *out) {
    pid_t pid = getpid();
    if (store.left == 0 || store.pid != pid) {
        if (RAND_bytes((unsigned char *)store.words, sizeof store.words) != 1)
            return false;
        store.pid = pid;
        store.left = STORED_WORDS;
    }
    *out = store.words[--store.left];
    store.words[store.left] = 0; /* used */
    return true;
}

/* A number below `bound`, each with the same probability: a word that is not
 * below the last whole multiple of `bound` is replaced by another. */
static bool random_below(uint32_t bound, uint32_t *out) {
    const uint32_t limit = UINT32_MAX - UINT32_MAX % bound;
    uint32_t drawn;
    do {
        if (!random_word(&drawn))
            return false;
    } while (drawn >= limit);
    *out = drawn % bound;
    return true;
}

bool bf_random(double *out) {
    uint32_t high, low;
    if (!random_word(&high) || !random_word(&low))
        return false;
    *out = (double)((uint64_t)high << 21 | low >> 11) / 9007199254740992.0;
    return true;
}

/* The pairs of time and nonce that this thread used last, for all of its
 * clients: two of these may have the same key. One engine signs on one thread.
 * After a fork both processes have the same pairs, but different random
 * numbers. */
#define STORED_PAIRS 64
#define MOST_POLLS 200000L /* some ms */
static _Thread_local struct {
    size_t oldest;
    struct used {
        int64_t timestamp, when; /* `when`: our own clock, ms */
        unsigned nonce;
    } pairs[STORED_PAIRS];
} used;

static bool is_used(int64_t timestamp, unsigned nonce) {
    for (size_t i = 0; i < STORED_PAIRS; i++)
        if (used.pairs[i].nonce == nonce &&
            used.pairs[i].timestamp == timestamp)
            return true;
    return false;
}

/* A pair is overwritten only after its millisecond, when its time cannot be
 * used again. With more pairs in one millisecond than are stored this waits;
 * but not forever where the clock stands still, as it may under a debugger. */
static int64_t wait_for_room(void) {
    int64_t now = bf_wall_ms();
    for (long polls = 0;
         used.pairs[used.oldest].when == now && polls < MOST_POLLS; polls++)
        now = bf_wall_ms();
    return now;
}

bool bf_nonce(int64_t clock_offset, int64_t *timestamp, unsigned *nonce) {
    int64_t now = wait_for_room();
    uint32_t drawn;
    *timestamp = now + clock_offset;
    do {
        if (!random_below(BF_NONCE_MAX - BF_NONCE_MIN + 1, &drawn))
            return false;
        *nonce = BF_NONCE_MIN + drawn;
    } while (is_used(*timestamp, *nonce));
    used.pairs[used.oldest] = (struct used){*timestamp, now, *nonce};
    used.oldest = (used.oldest + 1) % STORED_PAIRS;
    return true;
}
