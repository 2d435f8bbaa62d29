#include "http/connection.h"

#include "auth/redact.h"
#include "base/openssl_check.h"
#include "http/ca_file.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>
#include <string.h>

/* What older headers do not have: CURLE_SSL_CLIENTCERT, CURLE_TOO_LARGE. */
#define SSL_CLIENTCERT 98
#define TOO_LARGE 100

/* In libcurl's text, where OpenSSL reports no error. */
#define NO_ERROR "error:00000000:"

struct row {
    CURLcode result;
    enum bf_kind kind;
    const char *code;
};

/* HTTP is read by libcurl from proxies alone, so a fault in it is a proxy's. */
static const struct row rows[] = {
    {CURLE_COULDNT_RESOLVE_HOST,     BF_NETWORK, "resolve"    },
    {CURLE_COULDNT_RESOLVE_PROXY,    BF_NETWORK, "resolve"    },
    {CURLE_COULDNT_CONNECT,          BF_NETWORK, "refused"    },
    {CURLE_GOT_NOTHING,              BF_NETWORK, "empty"      },
    {CURLE_SEND_ERROR,               BF_NETWORK, "reset"      },
    {CURLE_RECV_ERROR,               BF_NETWORK, "reset"      },
    {CURLE_ABORTED_BY_CALLBACK,      BF_NETWORK, "reset"      },
    {CURLE_PEER_FAILED_VERIFICATION, BF_TLS,     "certificate"},
    {CURLE_SSL_CACERT_BADFILE,       BF_TLS,     "ca_file"    },
    {CURLE_SSL_CONNECT_ERROR,        BF_TLS,     "handshake"  },
    {CURLE_SSL_CIPHER,               BF_TLS,     "handshake"  },
    {(CURLcode)SSL_CLIENTCERT,       BF_TLS,     "handshake"  },
    {CURLE_WEIRD_SERVER_REPLY,       BF_NETWORK, "proxy"      },
    {CURLE_UNSUPPORTED_PROTOCOL,     BF_NETWORK, "proxy"      }, /* HTTP/0.9 */
    {(CURLcode)TOO_LARGE,            BF_NETWORK, "proxy"      },
    {CURLE_OUT_OF_MEMORY,            BF_MEMORY,  "memory"     },
};

static const struct row *find(CURLcode result) {
    static const struct row other = {CURLE_OK, BF_NETWORK, "failed"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].result == result)
            return &rows[i];
    return &other;
}

/* 0 where libcurl does not know it. */
static long info(const struct bf_connection *c, CURLINFO which) {
    long value = 0;
    (void)curl_easy_getinfo(c->easy, which, &value);
    return value;
}

/* Which of the certificate's checks failed. */
static const char *certificate_code(const struct bf_connection *c) {
    long result = info(c, CURLINFO_SSL_VERIFYRESULT);
    if (result == X509_V_OK)
        result = info(c, CURLINFO_PROXY_SSL_VERIFYRESULT);
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
    default: /* libcurl compares the name after OpenSSL has verified */
        return strstr(c->curl_text, "name") ? "hostname" : "certificate";
    }
}

static const char *tls_code(const struct bf_connection *c,
                            const struct row *row) {
    if (row->result == CURLE_PEER_FAILED_VERIFICATION)
        return certificate_code(c);
    return strstr(c->curl_text, "protocol version") ||
                   strstr(c->curl_text, "unsupported protocol")
               ? "version"
               : row->code;
}

static const char *network_code(const struct bf_connection *c,
                                const struct row *row) {
    long error = info(c, CURLINFO_OS_ERRNO);
    if (info(c, CURLINFO_HTTP_CONNECTCODE) >= 400 ||
        strstr(c->curl_text, "CONNECT")) /* the proxy's answer, or its end */
        return "proxy";
    if (row->result != CURLE_COULDNT_CONNECT)
        return row->code;
    if (error == ENETUNREACH || error == EHOSTUNREACH)
        return "unreachable";
    return error == ECONNRESET ? "reset" : row->code;
}

/* libcurl does not report why it could not use the file of certificates. Where
 * it can be used now, there was no memory. */
static void set_ca_file_error(const char *path, struct bf_error *error) {
    if (!path) /* libcurl's own: only a lack of resources can be found */
        (void)bf_ca_file_can_open("/dev/null", error);
    else if (bf_ca_file_check(path, error))
        bf_error_no_memory(error);
}

/* Sets `error` where OpenSSL lacked memory or a provider, so that the peer is
 * not the cause. */
static void set_local_error(const struct bf_connection *c, CURLcode result,
                            struct bf_error *error) {
    if (bf_is_short_of_memory() ||
        info(c, CURLINFO_SSL_VERIFYRESULT) == X509_V_ERR_OUT_OF_MEM ||
        (result != CURLE_PEER_FAILED_VERIFICATION && /* which quotes a name */
         strstr(c->curl_text, "malloc failure")))
        bf_error_no_memory(error);
    else
        (void)bf_openssl_check(error);
}

/* Did TLS fail because the connection did? The rest of libcurl's text is the
 * system's error, in the locale's language; or OpenSSL reports no error. */
static bool is_broken_handshake(CURLcode result, const char *text) {
    return result == CURLE_SSL_CONNECT_ERROR &&
           (strstr(text, "Recv failure: ") || strstr(text, "Send failure: ") ||
            strstr(text, "SSL_connect: ") || strstr(text, NO_ERROR) ||
            strstr(text, "getpeername() failed")); /* it had ended by then */
}

/* Does the text hold the number of an OpenSSL error that stands for a TLS alert
 * of the peer? An alert that closes is no refusal. */
static bool is_alert(const char *text) {
    static const char mark[] = "error:";
    const char *at = strstr(text, mark);
    unsigned long error = at ? strtoul(at + sizeof mark - 1, NULL, 16) : 0;
    return ERR_GET_LIB(error) == ERR_LIB_SSL &&
           ERR_GET_REASON(error) > SSL_AD_REASON_OFFSET + SSL_AD_CLOSE_NOTIFY &&
           ERR_GET_REASON(error) <= SSL_AD_REASON_OFFSET + 255;
}

/* libcurl's text may hold what the peer sent. It is cut to fit, so it is
 * redacted before it becomes a part of another text. */
static void redact(struct bf_connection *c) {
    char marks[sizeof c->curl_text];
    size_t len = strlen(c->curl_text);
    c->curl_text[bf_redact(c->curl_text, len, marks)] = '\0';
}

/* The first error that is set stays. */
void bf_connection_set_error(struct bf_connection *c, CURLcode result,
                             struct bf_error *error) {
    const struct row *row = find(result);
    const char *text = c->curl_text;
    bool is_told = *text && !strstr(text, NO_ERROR);
    const char *what = is_told ? text : curl_easy_strerror(result);
    if (error->kind != BF_OK)
        return;
    redact(c);
    set_local_error(c, result, error);
    if (result == CURLE_SSL_CACERT_BADFILE)
        set_ca_file_error(c->endpoint->ca_file, error);
    if (is_broken_handshake(result, text))
        bf_error_set(error, BF_NETWORK, "reset", "%s", what);
    else if (row->kind == BF_TLS)
        bf_error_set(error, BF_TLS, tls_code(c, row),
                     "%s (ca_file sets the trusted certificates)", what);
    else if (is_alert(text))
        bf_error_set(error, BF_TLS, tls_code(c, find(CURLE_SSL_CONNECT_ERROR)),
                     "the server refused TLS: %s", what);
    else
        bf_error_set(error, row->kind, network_code(c, row), "%s", what);
}
