#include "http/curl_setup.h"

#include "base/openssl_check.h"

#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define MOST_READS 500 /* in one turn; libcurl itself asks for some 400 */

/* libcurl makes these decisions the other way round by default, or lets the
 * environment make them. With its defaults, the key followed a
 * redirect to another host, and SSLKEYLOGFILE got the TLS secrets. */
static const struct {
    CURLoption option;
    long value;
} numbers[] = {
    {CURLOPT_CONNECT_ONLY,             1                      },
    {CURLOPT_HTTPPROXYTUNNEL,          1                      },
    {CURLOPT_SSL_VERIFYPEER,           1                      },
    {CURLOPT_SSL_VERIFYHOST,           2                      },
    {CURLOPT_PROXY_SSL_VERIFYPEER,     1                      },
    {CURLOPT_PROXY_SSL_VERIFYHOST,     2                      },
    {CURLOPT_SSLVERSION,               CURL_SSLVERSION_TLSv1_2},
    {CURLOPT_PROXY_SSLVERSION,         CURL_SSLVERSION_TLSv1_2},
    {CURLOPT_HTTP_VERSION,             CURL_HTTP_VERSION_1_1  }, /* no other by ALPN */
    {CURLOPT_FOLLOWLOCATION,           0                      },
    {CURLOPT_UNRESTRICTED_AUTH,        0                      },
    {CURLOPT_NETRC,                    CURL_NETRC_IGNORED     },
    {CURLOPT_DISALLOW_USERNAME_IN_URL, 1                      },
    {CURLOPT_PATH_AS_IS,               1                      },
    {CURLOPT_NOPROGRESS,               0                      }, /* on_progress is to be called */
    {CURLOPT_BUFFERSIZE,               4096                   }, /* of many calls at once */
    {CURLOPT_UPLOAD_BUFFERSIZE,        16384                  }, /* the least */
    {CURLOPT_NOSIGNAL,                 1                      },
 /* libcurl 7.88 frees a session twice when memory runs out. Connections are
  * kept; what is saved by resuming one that was not is little. */
    {CURLOPT_SSL_SESSIONID_CACHE,      0                      },
    {CURLOPT_SUPPRESS_CONNECT_HEADERS, 1                      },
 /* Deadlines are ours; the one of connecting is set for each connection. */
    {CURLOPT_TIMEOUT_MS,               0                      },
};

/* Reads from TLS connections since the last bf_curl_setup_new_turn. An engine
 * is driven by one thread. */
static _Thread_local unsigned tls_reads;

void bf_curl_setup_new_turn(void) {
    tls_reads = 0;
}

/* Before OpenSSL reads from the connection: not too often in a row. It then
 * says that it wants to read, as it does where nothing is there. */
/* NOLINTBEGIN(readability-function-size,readability-non-const-parameter) */
static long on_read(BIO *bio, int operation, const char *to, size_t len,
                    int number, long argument, int result, size_t *done) {
    /* NOLINTEND(readability-function-size,readability-non-const-parameter) */
    (void)to, (void)len, (void)number, (void)argument, (void)done;
    if (operation != BIO_CB_READ || ++tls_reads <= MOST_READS)
        return result;
    BIO_clear_retry_flags(bio);
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
 * reads on while KeyUpdate, tickets or requests for another handshake come.
 * Here it refuses another handshake, reads a limited number of times (see
 * on_read), and returns after each record. The last is left out for the second
 * of two layers, in the TLS of a proxy: there the next record may be read and
 * decrypted already, and nothing would tell libcurl of it. */
static CURLcode on_tls(CURL *easy, void *context, void *userdata) {
    struct bf_tls *tls = userdata;
    (void)easy;
    if (!SSL_CTX_set_ex_data(context, atomic_load(&tls_index), tls))
        return CURLE_OUT_OF_MEMORY;
    SSL_CTX_set_keylog_callback(context, NULL);
    (void)SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    if (tls->layers != 1)
        (void)SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
    if (tls->layers > 0)
        tls->layers--;
    SSL_CTX_set_read_ahead(context, 0); /* or records would wait unseen */
    SSL_CTX_set_info_callback(context, on_tls_state);
    return CURLE_OK;
}

static CURLcode set_numbers(CURL *easy) {
    CURLcode result = CURLE_OK;
    for (size_t i = 0; !result && i < sizeof numbers / sizeof *numbers; i++)
        result = curl_easy_setopt(easy, numbers[i].option, numbers[i].value);
    return result;
}

static CURLcode set_protocols(CURL *easy) {
#if LIBCURL_VERSION_NUM >= 0x075500
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS,
                            (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

/* No proxy exceptions from the environment, and TLS as it must be. */
static CURLcode set_environment(CURL *easy) {
    CURLcode result = curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    return result ? result
                  : curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_tls);
}

/* What older libcurl has not, and is safe without. Parsing the system's
 * certificates takes 40 ms, so they are kept; not for a day, as libcurl would,
 * for a ca_file may be replaced. A resolver's thread is not waited for. */
static void set_optional(CURL *easy) {
#if LIBCURL_VERSION_NUM >= 0x075700
    (void)curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 300L);
    (void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#else
    (void)easy;
#endif
}

/* What a proxy sends is not for standard output. */
/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl's type */
static size_t on_data(char *data, size_t size, size_t count, void *userdata) {
    (void)data, (void)userdata;
    return size * count;
}

/* None of these takes memory: what fails is not there. */
static bool set_callbacks(CURL *easy, const struct bf_callbacks *with) {
    void *userdata = with->userdata;
    return !curl_easy_setopt(easy, CURLOPT_PRIVATE, userdata) &&
           !curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, with->tls) &&
           !curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, with->curl_text) &&
           !curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_data) &&
           !curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data) &&
           !curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION,
                             with->on_progress) &&
           !curl_easy_setopt(easy, CURLOPT_XFERINFODATA, userdata) &&
           !curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION,
                             with->on_socket) &&
           !curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, userdata) &&
           !curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION,
                             with->on_close) &&
           !curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, userdata);
}

/* Trust the certificates in `ca_file` and no others. */
static CURLcode set_ca_file(CURL *easy, const char *ca_file) {
    CURLcode result = curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
    if (!result)
        result = curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    if (!result)
        result = curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, ca_file);
    return result ? result : curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, NULL);
}

static CURLcode set_endpoint(CURL *easy, const struct bf_endpoint *endpoint) {
    CURLcode result = curl_easy_setopt(easy, CURLOPT_URL, endpoint->base_url);
    if (!result)
        result = curl_easy_setopt(easy, CURLOPT_PROXY, endpoint->proxy);
    if (!result && endpoint->ca_file)
        result = set_ca_file(easy, endpoint->ca_file);
    return result;
}

bool bf_curl_setup(CURL *easy, const struct bf_endpoint *endpoint,
                   const struct bf_callbacks *callbacks,
                   struct bf_error *error) {
    CURLcode result = set_numbers(easy);
    if (!result)
        result = set_protocols(easy);
    if (!result)
        result = set_environment(easy);
    if (!result)
        result = set_endpoint(easy, endpoint);
    set_optional(easy);
    if (!result && set_callbacks(easy, callbacks))
        return true;
    if (result == CURLE_OUT_OF_MEMORY)
        bf_error_no_memory(error);
    else /* not curl_version(), which may look this host's own name up */
        bf_error_set(error, BF_CONFIG, "libcurl",
                     "this libcurl (%s) does not honour an option that "
                     "bitfront needs to protect the API key",
                     curl_version_info(CURLVERSION_NOW)->version);
    return false;
}

/* We look into what it makes: it must be of the OpenSSL that we are bound to.
 */
static bool has_our_openssl(const char *version) {
    static const char wanted[] = "OpenSSL/";
    return version && strncmp(version, wanted, sizeof wanted - 1) == 0 &&
           strtoul(version + sizeof wanted - 1, NULL, 10) ==
               OPENSSL_version_major();
}

/* Another thread of the program may make one at the same time; one is enough.
 */
static bool make_tls_index(void) {
    int none = -1, made;
    if (atomic_load(&tls_index) >= 0)
        return true;
    made = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    return made >= 0 &&
           (atomic_compare_exchange_strong(&tls_index, &none, made) || true);
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
    if (!has_our_openssl(info->ssl_version)) {
        bf_error_set(error, BF_CONFIG, "libcurl",
                     "this libcurl uses %s; bitfront needs one that uses "
                     "OpenSSL %u",
                     info->ssl_version ? info->ssl_version : "no TLS",
                     OPENSSL_version_major());
        return false;
    }
    if (!make_tls_index()) {
        bf_error_no_memory(error);
        return false;
    }
    return true;
}
