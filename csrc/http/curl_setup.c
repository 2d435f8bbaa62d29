#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* dladdr, RTLD_NODELETE */
#endif

#include "http/curl_setup.h"

#include "base/openssl_check.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define MOST_READS 500 /* in one turn; libcurl itself asks for some 400 */

/* ---- a handle for one connection ---- */

/* libcurl's defaults are other ones, or are set by the environment: with them a
 * key was sent to another host after a redirect, and the TLS secrets were
 * written to SSLKEYLOGFILE.
 * SSL_SESSIONID_CACHE: libcurl 7.88 frees a session twice when memory runs out.
 * Connections are kept; what is saved by resuming one that was not is little.
 * TIMEOUT_MS: deadlines are ours; the one of connecting is set for each
 * connection. */
static const struct {
    CURLoption option;
    long value;
} numbers[] = {
    {CURLOPT_CONNECT_ONLY,             1                               },
    {CURLOPT_HTTPPROXYTUNNEL,          1                               },
    {CURLOPT_SSL_VERIFYPEER,           1                               },
    {CURLOPT_SSL_VERIFYHOST,           2                               },
    {CURLOPT_PROXY_SSL_VERIFYPEER,     1                               },
    {CURLOPT_PROXY_SSL_VERIFYHOST,     2                               },
    {CURLOPT_SSLVERSION,               CURL_SSLVERSION_TLSv1_2         },
    {CURLOPT_PROXY_SSLVERSION,         CURL_SSLVERSION_TLSv1_2         },
    {CURLOPT_HTTP_VERSION,             CURL_HTTP_VERSION_1_1           }, /* no other by ALPN */
    {CURLOPT_FOLLOWLOCATION,           0                               },
    {CURLOPT_UNRESTRICTED_AUTH,        0                               },
    {CURLOPT_NETRC,                    CURL_NETRC_IGNORED              },
    {CURLOPT_DISALLOW_USERNAME_IN_URL, 1                               },
    {CURLOPT_PATH_AS_IS,               1                               },
    {CURLOPT_NOPROGRESS,               0                               }, /* on_progress is to be called */
    {CURLOPT_BUFFERSIZE,               4096                            }, /* of many calls at once */
    {CURLOPT_UPLOAD_BUFFERSIZE,        16384                           }, /* the least */
    {CURLOPT_NOSIGNAL,                 1                               },
    {CURLOPT_SSL_SESSIONID_CACHE,      0                               },
    {CURLOPT_SUPPRESS_CONNECT_HEADERS, 1                               },
    {CURLOPT_TIMEOUT_MS,               0                               },
#if LIBCURL_VERSION_NUM < 0x075500
    {CURLOPT_PROTOCOLS,                CURLPROTO_HTTP | CURLPROTO_HTTPS},
#endif
};

/* Reads from TLS connections since the last bf_curl_setup_new_turn. An engine
 * is driven by one thread. */
static _Thread_local unsigned tls_reads;

void bf_curl_setup_new_turn(void) {
    tls_reads = 0;
}

/* Called before OpenSSL reads from the connection. After too many reads OpenSSL
 * is told to wait, as if there was nothing to read. */
/* NOLINTBEGIN(readability-function-size,readability-non-const-parameter) */
static long on_read(BIO *bio, int operation, const char *to, size_t len,
                    int number, long argument, int result, size_t *done) {
    /* NOLINTEND(readability-function-size,readability-non-const-parameter) */
    (void)to, (void)len, (void)number, (void)argument, (void)done;
    if (operation != BIO_CB_READ || ++tls_reads <= MOST_READS)
        return result;
    BIO_set_retry_read(bio);
    return -1;
}

static atomic_int tls_index = -1; /* of struct bf_tls, in an SSL_CTX */

static void on_tls_state(const SSL *ssl, int where, int result) {
    struct bf_tls *tls =
        SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), atomic_load(&tls_index));
    BIO *bio = SSL_get_rbio(ssl); /* none where memory ran out before */
    (void)result;
    if (!(where & SSL_CB_HANDSHAKE_START))
        return;
    tls->innermost = (SSL *)ssl;
    if (bio)
        BIO_set_callback_ex(bio, on_read);
}

/* Called for each TLS connection. Removes the key log that SSLKEYLOGFILE in the
 * environment has libcurl install before this is called. By default OpenSSL
 * reads until no KeyUpdate, ticket or request for another handshake is left.
 * Here it refuses another handshake, reads a limited number of times (see
 * on_read), and returns after each record. The last is left out for the second
 * of two layers, in the TLS of a proxy: there the next record may be read and
 * decrypted already, and libcurl would not know of it. */
static CURLcode on_tls(CURL *easy, void *context, void *userdata) {
    struct bf_tls *tls = userdata;
    (void)easy;
    if (!SSL_CTX_set_ex_data(context, atomic_load(&tls_index), tls))
        return CURLE_OUT_OF_MEMORY;
    SSL_CTX_set_keylog_callback(context, NULL);
    (void)SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    /* From 3.2 on, OpenSSL keeps what it has read in the connection, which
     * outlives its client. Before, it frees that; there this option would cost
     * a fifth of a call's instructions: it wipes 16 KiB with each record. */
    if (OpenSSL_version_num() >= 0x30200000L)
        (void)SSL_CTX_set_options(context, SSL_OP_CLEANSE_PLAINTEXT);
    if (!tls->is_begun)
        (void)SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
    tls->is_begun = true;
    SSL_CTX_set_read_ahead(context, 0); /* or records would wait unseen */
    SSL_CTX_set_info_callback(context, on_tls_state);
    return CURLE_OK;
}

/* What a proxy sends is not for standard output. */
/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl's type */
static size_t on_data(char *data, size_t size, size_t count, void *userdata) {
    (void)data, (void)userdata;
    return size * count;
}

/* Neither an exception from the proxy that the environment makes, nor another
 * certificate than those in ca_file. */
static CURLcode set_texts(CURL *easy, const struct bf_endpoint *endpoint) {
    const struct {
        CURLoption option;
        const char *text;
    } texts[] = {
#if LIBCURL_VERSION_NUM >= 0x075500
        {CURLOPT_PROTOCOLS_STR, "http,https"      },
#endif
        {CURLOPT_NOPROXY,       ""                },
        {CURLOPT_URL,           endpoint->base_url},
        {CURLOPT_PROXY,         endpoint->proxy   },
        {CURLOPT_CAINFO,        endpoint->ca_file },
        {CURLOPT_CAPATH,        NULL              },
        {CURLOPT_PROXY_CAINFO,  endpoint->ca_file },
        {CURLOPT_PROXY_CAPATH,  NULL              },
    };
    size_t count = sizeof texts / sizeof *texts - (endpoint->ca_file ? 0 : 4);
    CURLcode result = CURLE_OK;
    for (size_t i = 0; !result && i < count; i++)
        result = curl_easy_setopt(easy, texts[i].option, texts[i].text);
    return result;
}

/* What older libcurl does not have, and is safe without. Parsing the system's
 * certificates takes 40 ms, so they are kept, but not for a day, as libcurl
 * would: a ca_file may be replaced. A resolver's thread is not waited for. */
static void set_optional(CURL *easy) {
#if LIBCURL_VERSION_NUM >= 0x075700
    (void)curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 300L);
    (void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#else
    (void)easy;
#endif
}

CURLcode bf_curl_setup(CURL *easy, const struct bf_endpoint *endpoint,
                       struct bf_tls *tls) {
    CURLcode result = set_texts(easy, endpoint);
    for (size_t i = 0; !result && i < sizeof numbers / sizeof *numbers; i++)
        result = curl_easy_setopt(easy, numbers[i].option, numbers[i].value);
    if (!result)
        result = curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_tls);
    if (!result)
        result = curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, tls);
    if (!result)
        result = curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_data);
    if (!result)
        result = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
    set_optional(easy);
    return result;
}

/* ---- libcurl, and its multi handle ---- */

/* OpenSSL's objects are passed between libcurl and this library. */
static bool has_our_openssl(const char *version) {
    static const char name[] = "OpenSSL/";
    return version && strncmp(version, name, sizeof name - 1) == 0 &&
           strtoul(version + sizeof name - 1, NULL, 10) ==
               OPENSSL_version_major();
}

/* Another thread of the program may make one at the same time. */
static bool make_tls_index(void) {
    int none = -1;
    if (atomic_load(&tls_index) == none) {
        int made = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
        (void)atomic_compare_exchange_strong(&tls_index, &none, made);
    }
    return atomic_load(&tls_index) != -1;
}

bool bf_curl_setup_init(struct bf_error *error) {
    const curl_version_info_data *info;
    if (!bf_openssl_check(error))
        return false;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        bf_error_set(error, BF_MEMORY, "memory", "libcurl cannot start");
        return false;
    }
    info = curl_version_info(CURLVERSION_NOW);
    if (!has_our_openssl(info->ssl_version))
        bf_error_set(error, BF_CONFIG, "libcurl",
                     "this libcurl uses %s; bitfront needs one that uses "
                     "OpenSSL %u",
                     info->ssl_version ? info->ssl_version : "no TLS",
                     OPENSSL_version_major());
    else if (!make_tls_index())
        bf_error_no_memory(error);
    return error->kind == BF_OK;
}

/* A multi handle has descriptors of its own. They must not get the number of a
 * standard stream that is closed, so those are in use meanwhile. `system_error`
 * becomes errno. */
static CURLM *init_multi(int *system_error) {
    int used[STDERR_FILENO + 1], count = 0, fd;
    CURLM *multi;
    while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0 &&
           fd <= STDERR_FILENO)
        used[count++] = fd;
    if (fd >= 0)
        (void)close(fd);
    errno = 0;
    multi = curl_multi_init();
    *system_error = errno;
    while (count > 0)
        (void)close(used[--count]);
    return multi;
}

/* Where the system refuses what libcurl is woken by, some versions make a multi
 * handle all the same; to wake it fails then. */
CURLM *bf_multi_new(struct bf_error *error) {
    int system_error;
    CURLM *multi = init_multi(&system_error);
    if (multi && curl_multi_wakeup(multi) == CURLM_OK)
        return multi;
    (void)curl_multi_cleanup(multi);
    if (system_error == ENOMEM || (!multi && !system_error))
        bf_error_no_memory(error);
    else
        bf_error_set(error, BF_NETWORK, "descriptors",
                     "the system refuses the file descriptors that libcurl "
                     "is woken by%s%s",
                     system_error ? ": " : "",
                     system_error ? strerror(system_error) : "");
    return NULL;
}

void bf_stay_loaded(void) {
    static const char here;
    Dl_info info;
    if (dladdr(&here, &info) != 0)
        (void)dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}
