#include "http/curl_setup.h"

#include "base/openssl_check.h"

#include <openssl/crypto.h>
#include <openssl/ssl.h>
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
    {CURLOPT_SSL_VERIFYPEER,           1                      },
    {CURLOPT_SSL_VERIFYHOST,           2                      },
    {CURLOPT_PROXY_SSL_VERIFYPEER,     1                      },
    {CURLOPT_PROXY_SSL_VERIFYHOST,     2                      },
    {CURLOPT_SSLVERSION,               CURL_SSLVERSION_TLSv1_2},
    {CURLOPT_PROXY_SSLVERSION,         CURL_SSLVERSION_TLSv1_2},
    {CURLOPT_HTTP_VERSION,             CURL_HTTP_VERSION_1_1  },
    {CURLOPT_HTTPGET,                  1                      },
    {CURLOPT_FOLLOWLOCATION,           0                      },
    {CURLOPT_UNRESTRICTED_AUTH,        0                      },
    {CURLOPT_NETRC,                    CURL_NETRC_IGNORED     },
    {CURLOPT_DISALLOW_USERNAME_IN_URL, 1                      },
    {CURLOPT_HTTP09_ALLOWED,           0                      },
    {CURLOPT_HTTP_CONTENT_DECODING,    0                      },
    {CURLOPT_HTTP_TRANSFER_DECODING,   0                      }, /* chunks.c is stricter */
    {CURLOPT_PATH_AS_IS,               1                      }, /* what is signed is what is sent */
    {CURLOPT_NOPROGRESS,               0                      }, /* see on_progress */
    {CURLOPT_BUFFERSIZE,               4096                   }, /* of many calls at once */
    {CURLOPT_UPLOAD_BUFFERSIZE,        16384                  }, /* the least; not 64 KiB */
    {CURLOPT_NOSIGNAL,                 1                      },
 /* libcurl 7.88 frees a session twice when memory runs out. Connections are
  * kept; what is saved by resuming one that was not is little. */
    {CURLOPT_SSL_SESSIONID_CACHE,      0                      },
    {CURLOPT_SUPPRESS_CONNECT_HEADERS, 1                      },
 /* Deadlines are ours; the one of connecting is set for each transfer. */
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

static void on_tls_state(const SSL *tls, int where, int result) {
    BIO *bio = SSL_get_rbio(tls); /* none where memory ran out before */
    (void)result;
    if (bio && where & SSL_CB_HANDSHAKE_START)
        BIO_set_callback_ex(bio, on_read);
}

/* Called for each TLS connection. Takes away the key log that SSLKEYLOGFILE in
 * the environment has libcurl install, before this is called. By default
 * OpenSSL reads on while KeyUpdate, tickets or requests for another handshake
 * come. Here it refuses another handshake, reads so many times at the most (see
 * on_read), and returns after each record. That last not on the second of two
 * layers, in the TLS of a proxy: there the next record may be read and
 * decrypted already, and nothing would tell libcurl of it. */
static CURLcode on_tls(CURL *easy, void *context, void *userdata) {
    unsigned char *layers = userdata; /* still to come; 0: there is but one */
    (void)easy;
    SSL_CTX_set_keylog_callback(context, NULL);
    (void)SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    if (*layers != 1)
        (void)SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
    if (*layers > 0)
        --*layers;
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

static bool has_prereq; /* the library does not change under us */

bool bf_curl_setup_has_prereq(void) {
    return has_prereq;
}

/* A libcurl that does not call before it sends cannot be kept from taking up a
 * connection that has something waiting in it: there none is used twice. */
static CURLcode set_reuse(CURL *easy) {
    return curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, has_prereq ? 0L : 1L);
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

/* None of these takes memory: what fails is not there. */
static bool set_callbacks(CURL *easy, const struct bf_callbacks *with) {
    void *userdata = with->userdata;
#ifdef BF_HAVE_PREREQ
    if (has_prereq &&
        (curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, with->on_ready) ||
         curl_easy_setopt(easy, CURLOPT_PREREQDATA, userdata)))
        return false;
#endif
    return !curl_easy_setopt(easy, CURLOPT_PRIVATE, userdata) &&
           !curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, with->tls_layers) &&
           !curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, with->curl_text) &&
           !curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, with->on_header) &&
           !curl_easy_setopt(easy, CURLOPT_HEADERDATA, userdata) &&
           !curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, with->on_body) &&
           !curl_easy_setopt(easy, CURLOPT_WRITEDATA, userdata) &&
           !curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION,
                             with->on_progress) &&
           !curl_easy_setopt(easy, CURLOPT_XFERINFODATA, userdata) &&
           !curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, with->on_debug) &&
           !curl_easy_setopt(easy, CURLOPT_DEBUGDATA, userdata) &&
           !curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION,
                             with->on_socket) &&
           !curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, userdata) &&
           !curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION,
                             with->on_close) &&
           !curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, with->sockets);
}

bool bf_curl_setup(CURL *easy, const struct bf_callbacks *callbacks,
                   struct bf_error *error) {
    CURLcode result = set_numbers(easy);
    if (!result)
        result = set_protocols(easy);
    if (!result)
        result = set_environment(easy);
    if (!result)
        result = set_reuse(easy);
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

bool bf_curl_setup_ca(CURL *easy, const char *ca_file) {
    return !curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file) &&
           !curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) &&
           !curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, ca_file) &&
           !curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, NULL);
}

/* We look into what it makes: it must be of the OpenSSL that we are bound to.
 */
static bool has_our_openssl(const char *version) {
    static const char wanted[] = "OpenSSL/";
    return version && strncmp(version, wanted, sizeof wanted - 1) == 0 &&
           strtoul(version + sizeof wanted - 1, NULL, 10) ==
               OPENSSL_version_major();
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
#ifdef BF_HAVE_PREREQ
    has_prereq = info->version_num >= 0x075000;
#endif
    return true;
}
