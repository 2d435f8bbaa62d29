#include "http/curl_error.h"

#include "http/ca_file.h"
#include "base/openssl_check.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>
#include <string.h>

/* What older headers do not have: CURLE_SSL_CLIENTCERT, CURLE_TOO_LARGE. */
#define SSL_CLIENTCERT 98
#define TOO_LARGE 100

struct row {
    CURLcode result;
    enum bf_kind kind;
    const char *code;
};

static const struct row rows[] = {
    {CURLE_COULDNT_RESOLVE_HOST,     BF_NETWORK,  "resolve"    },
    {CURLE_COULDNT_RESOLVE_PROXY,    BF_NETWORK,  "resolve"    },
    {CURLE_COULDNT_CONNECT,          BF_NETWORK,  "refused"    },
    {CURLE_GOT_NOTHING,              BF_NETWORK,  "empty"      },
    {CURLE_SEND_ERROR,               BF_NETWORK,  "reset"      },
    {CURLE_RECV_ERROR,               BF_NETWORK,  "reset"      },
    {CURLE_ABORTED_BY_CALLBACK,      BF_NETWORK,  "reset"      },
    {CURLE_OPERATION_TIMEDOUT,       BF_TIMEOUT,  "connect"    },
    {CURLE_PEER_FAILED_VERIFICATION, BF_TLS,      "certificate"},
    {CURLE_SSL_CACERT_BADFILE,       BF_TLS,      "ca_file"    },
    {CURLE_SSL_CONNECT_ERROR,        BF_TLS,      "handshake"  },
    {CURLE_SSL_CIPHER,               BF_TLS,      "handshake"  },
    {CURLE_USE_SSL_FAILED,           BF_TLS,      "handshake"  },
    {CURLE_SSL_ISSUER_ERROR,         BF_TLS,      "certificate"},
    {(CURLcode)SSL_CLIENTCERT,       BF_TLS,      "handshake"  },
    {CURLE_WEIRD_SERVER_REPLY,       BF_PROTOCOL, "framing"    },
    {CURLE_UNSUPPORTED_PROTOCOL,     BF_PROTOCOL, "framing"    }, /* HTTP/0.9 */
    {(CURLcode)TOO_LARGE,            BF_PROTOCOL, "too_large"  },
    {CURLE_OUT_OF_MEMORY,            BF_MEMORY,   "memory"     },
};

static const struct row *find(CURLcode result) {
    static const struct row other = {CURLE_OK, BF_NETWORK, "failed"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].result == result)
            return &rows[i];
    return &other;
}

/* Which of the certificate's checks failed. */
static const char *certificate_code(CURL *easy, const char *text) {
    long result = X509_V_OK;
    (void)curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &result);
    if (result == X509_V_OK)
        (void)curl_easy_getinfo(easy, CURLINFO_PROXY_SSL_VERIFYRESULT, &result);
    switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "expired";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return "self_signed";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return "untrusted";
    default: /* libcurl compares the name after OpenSSL was content */
        return strstr(text, "name") ? "hostname" : "certificate";
    }
}

static const char *tls_code(CURL *easy, const struct row *row,
                            const char *text) {
    if (row->result == CURLE_PEER_FAILED_VERIFICATION)
        return certificate_code(easy, text);
    return strstr(text, "protocol version") ||
                   strstr(text, "unsupported protocol")
               ? "version"
               : row->code;
}

static const char *network_code(CURL *easy, const struct row *row,
                                const char *text) {
    long error = 0, proxy = 0;
    (void)curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &proxy);
    if (proxy >= 400 || strstr(text, "CONNECT")) /* its answer, or its end */
        return "proxy";
    if (row->result != CURLE_COULDNT_CONNECT)
        return row->code;
    (void)curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &error);
    if (error == ENETUNREACH || error == EHOSTUNREACH)
        return "unreachable";
    return error == ECONNRESET ? "reset" : row->code;
}

/* libcurl does not say why it could not use the file of certificates. One that
 * can be used now could not for want of memory. */
static void set_ca_file_error(const char *path, struct bf_error *error) {
    if (!path) /* libcurl's own: then only of what is short do we know */
        (void)bf_ca_file_can_open("/dev/null", error);
    else if (bf_ca_file_check(path, error))
        bf_error_no_memory(error);
}

/* OpenSSL could not do its part on our side, for want of memory or of a
 * provider; the peer has nothing to do with it. */
static bool is_ours(CURL *easy, CURLcode result, const char *text,
                    struct bf_error *error) {
    long verified = X509_V_OK;
    (void)curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &verified);
    if (bf_is_short_of_memory() || verified == X509_V_ERR_OUT_OF_MEM ||
        (result != CURLE_PEER_FAILED_VERIFICATION && /* which quotes a name */
         strstr(text, "malloc failure")))
        bf_error_no_memory(error);
    else if (result == CURLE_SSL_CONNECT_ERROR || result == CURLE_OUT_OF_MEMORY)
        (void)bf_openssl_check(error);
    return error->kind != BF_OK;
}

/* TLS failed because the connection under it did. The rest of libcurl's text is
 * the system's error in the language of the locale. */
static bool is_broken_handshake(CURLcode result, const char *text) {
    return result == CURLE_SSL_CONNECT_ERROR &&
           (strstr(text, "Recv failure: ") || strstr(text, "Send failure: ") ||
            strstr(text, "SSL_connect: ") ||
            strstr(text, "getpeername() failed")); /* it had ended by then */
}

/* Has this text of OpenSSL or libcurl the number of an error that the peer's
 * TLS alert was? To close is no refusal. */
static bool is_alert(const char *text) {
    static const char mark[] = "error:";
    const char *at = strstr(text, mark);
    unsigned long error = at ? strtoul(at + sizeof mark - 1, NULL, 16) : 0;
    return ERR_GET_LIB(error) == ERR_LIB_SSL &&
           ERR_GET_REASON(error) > SSL_AD_REASON_OFFSET + SSL_AD_CLOSE_NOTIFY &&
           ERR_GET_REASON(error) <= SSL_AD_REASON_OFFSET + 255;
}

void bf_curl_error(CURL *easy, CURLcode result, const char *text,
                   const char *ca_file, struct bf_error *error) {
    const struct row *row = find(result);
    const char *what = *text ? text : curl_easy_strerror(result);
    if (is_ours(easy, result, text, error))
        return;
    if (result == CURLE_SSL_CACERT_BADFILE)
        set_ca_file_error(ca_file, error);
    if (error->kind != BF_OK)
        return;
    if (is_broken_handshake(result, text))
        bf_error_set(error, BF_NETWORK, "reset", "%s", what);
    else if (row->kind == BF_TLS)
        bf_error_set(error, BF_TLS, tls_code(easy, row, text),
                     "%s (whom to trust is set with ca_file)", what);
    else if (is_alert(text))
        bf_error_set(error, BF_TLS,
                     tls_code(easy, find(CURLE_SSL_CONNECT_ERROR), text),
                     "the server refused TLS: %s", what);
    else
        bf_error_set(error, row->kind, network_code(easy, row, text), "%s",
                     what);
}
