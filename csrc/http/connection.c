#include "http/connection.h"

#include "auth/redact.h"
#include "base/clock.h"
#include "http/ca_file.h"
#include "http/curl_error.h"
#include "http/sockets.h"
#include "http/url.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DAY 86400.0
#define MOST_CALLS 1000 /* of on_progress in one step, while connecting */
#define MOST_RECORDS 64 /* without data, read in one go */

/* ---- what libcurl calls back ---- */

/* An http connection is for this machine only, wherever a name leads to. An
 * abandoned one whose host is found at last must not be made. */
static bool may_open(struct bf_connection *c, const struct sockaddr *address) {
    const struct bf_endpoint *endpoint = c->endpoint;
    if (c->state != BF_CONNECTION_CONNECTING && c->state != BF_CONNECTION_NEW)
        return false;
    if (endpoint->insecure && !bf_is_loopback(address)) {
        bf_error_set(&c->error, BF_NETWORK, "refused",
                     "http:// leads to an address that is not loopback");
        return false;
    }
    return !endpoint->ca_file || !bf_endpoint_uses_tls(endpoint) ||
           bf_ca_file_is_regular(endpoint->ca_file, &c->error);
}

static curl_socket_t on_socket(void *userdata, curlsocktype purpose,
                               struct curl_sockaddr *address) {
    struct bf_connection *c = userdata;
    (void)purpose;
    c->fd = -1;
    if (!may_open(c, &address->addr))
        return CURL_SOCKET_BAD;
    c->tls.layers = c->endpoint->by_tls_proxy && !c->endpoint->insecure ? 2 : 0;
    c->fd =
        bf_socket_open(address->family, address->socktype, address->protocol);
    if (c->fd < 0 && (errno == EMFILE || errno == ENFILE))
        bf_error_set(&c->error, BF_NETWORK, "descriptors",
                     "there is no file descriptor left for a connection");
    return c->fd;
}

static int on_close(void *userdata, curl_socket_t fd) {
    (void)userdata;
    return close(fd);
}

/* libcurl reads what a proxy sends without end as long as it comes, within one
 * of its steps, and calls nothing but this meanwhile. Returns 0 to go on. */
static int on_progress(void *userdata, curl_off_t down_total, curl_off_t down,
                       curl_off_t up_total, curl_off_t up) {
    struct bf_connection *c = userdata;
    (void)down_total, (void)down, (void)up_total, (void)up;
    if (c->progress_calls++ == 0)
        bf_curl_setup_new_turn(); /* libcurl has come to this handle */
    if (c->state != BF_CONNECTION_CONNECTING || bf_connection_is_resolving(c))
        return 0;
    if (c->progress_calls > MOST_CALLS)
        bf_error_set(&c->error, BF_NETWORK, "proxy",
                     "the response of the proxy does not end");
    else if (bf_now() >= c->due)
        bf_connection_expire(c);
    return c->error.kind != BF_OK;
}

/* ---- life ---- */

/* A little more than there is: the deadline is ours to keep, and libcurl's own
 * must not come before it. libcurl gives each of a host's addresses but the
 * last half of what is left, and then tries the next. */
static bool set_time(struct bf_connection *c, double seconds) {
    seconds = seconds < 0 ? 0 : seconds * 9 / 8;
    return curl_easy_setopt(c->easy, CURLOPT_CONNECTTIMEOUT_MS,
                            (long)((seconds < DAY ? seconds : DAY) * 1000) +
                                1) == CURLE_OK;
}

static bool set_up(struct bf_connection *c, struct bf_error *error) {
    const struct bf_callbacks callbacks = {
        .userdata = c,
        .curl_text = c->curl_text,
        .tls = &c->tls,
        .on_socket = on_socket,
        .on_close = on_close,
        .on_progress = on_progress,
    };
    c->easy = curl_easy_init();
    if (c->easy && !bf_curl_setup(c->easy, c->endpoint, &callbacks, error))
        return false;
    if (c->easy && set_time(c, c->due - c->started))
        return true;
    bf_error_no_memory(error);
    return false;
}

struct bf_connection *bf_connection_new(struct bf_endpoint *endpoint,
                                        const struct bf_credentials *account,
                                        double due, struct bf_error *error) {
    struct bf_connection *c = calloc(1, sizeof *c);
    if (!c) {
        bf_error_no_memory(error);
        return NULL;
    }
    bf_list_init(&c->link);
    c->endpoint = bf_endpoint_ref(endpoint);
    if (account)
        memcpy(c->account, account->id, sizeof c->account);
    c->fd = -1;
    c->started = bf_now();
    c->due = due;
    if (set_up(c, error))
        return c;
    bf_connection_free(c);
    return NULL;
}

void bf_connection_free(struct bf_connection *c) {
    if (!c)
        return;
    curl_easy_cleanup(c->easy);
    bf_endpoint_unref(c->endpoint);
    free(c);
}

bool bf_connection_is_of(const struct bf_connection *c,
                         const struct bf_endpoint *endpoint,
                         const struct bf_credentials *account) {
    static const unsigned char unsigned_calls[BF_ACCOUNT_ID_LEN];
    return memcmp(c->account, account ? account->id : unsigned_calls,
                  sizeof c->account) == 0 &&
           bf_endpoint_equal(c->endpoint, endpoint);
}

/* ---- connecting ---- */

bool bf_connection_is_resolving(const struct bf_connection *c) {
    curl_off_t looked_up = 0;
    if (c->state != BF_CONNECTION_CONNECTING &&
        c->state != BF_CONNECTION_ABANDONED)
        return false;
    (void)curl_easy_getinfo(c->easy, CURLINFO_NAMELOOKUP_TIME_T, &looked_up);
    return looked_up == 0;
}

void bf_connection_abandon(struct bf_connection *c) {
    c->state = BF_CONNECTION_ABANDONED;
    c->user = NULL;
    (void)set_time(c, DAY);
}

void bf_connection_expire(struct bf_connection *c) {
    const char *stage = bf_connection_is_resolving(c) ? "resolve"
                        : bf_socket_has_peer(c->fd)   ? "tls"
                                                      : "connect";
    bf_error_timeout(&c->error, stage, bf_now() - c->started);
}

bool bf_connection_opened(struct bf_connection *c, CURLcode result) {
    curl_socket_t fd = CURL_SOCKET_BAD;
    if (result == CURLE_OK)
        result = curl_easy_getinfo(c->easy, CURLINFO_ACTIVESOCKET, &fd);
    if (result == CURLE_OK && fd == CURL_SOCKET_BAD)
        result = CURLE_COULDNT_CONNECT;
    if (result != CURLE_OK) {
        c->state = BF_CONNECTION_FAILED;
        bf_connection_set_error(c, result, &c->error);
        return false;
    }
    c->fd = fd;
    c->state = BF_CONNECTION_OPEN;
    return true;
}

/* ---- sending and receiving ---- */

/* Where the last call had to wait for the socket, libcurl takes any failure of
 * OpenSSL's in the next for that again. The reason is in OpenSSL's error queue
 * then, which libcurl empties before each call. */
static CURLcode find_failure(const struct bf_connection *c, CURLcode result) {
    unsigned long error;
    if (result != CURLE_AGAIN || !c->tls.innermost)
        return result;
    error = ERR_get_error();
    if (error == 0)
        return result;
    return ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE ? CURLE_OUT_OF_MEMORY
                                                         : CURLE_RECV_ERROR;
}

CURLcode bf_connection_send(struct bf_connection *c, const char *data,
                            size_t len, size_t *sent) {
    return find_failure(c, curl_easy_send(c->easy, data, len, sent));
}

/* How many bytes OpenSSL has read from the connection. */
static uint64_t read_so_far(const struct bf_connection *c) {
    BIO *bio = c->tls.innermost ? SSL_get_rbio(c->tls.innermost) : NULL;
    return bio ? BIO_number_read(bio) : 0;
}

/* Some versions of libcurl report the end of a TLS connection as an error where
 * the peer has not announced it. Whether the reply is whole is checked anyway.
 */
static bool has_ended(const struct bf_connection *c, CURLcode result) {
    return result == CURLE_RECV_ERROR &&
           strstr(c->curl_text, "unexpected eof while reading");
}

/* OpenSSL returns after each record, also one that carries no data, and what
 * follows it may be in a buffer of libcurl's, where no look at the socket finds
 * it. So it is asked again as long as it has read something. */
CURLcode bf_connection_receive(struct bf_connection *c, char *data, size_t len,
                               size_t *received) {
    CURLcode result;
    uint64_t before;
    int records = 0;
    do {
        before = read_so_far(c);
        result = find_failure(c, curl_easy_recv(c->easy, data, len, received));
    } while (result == CURLE_AGAIN && read_so_far(c) != before &&
             ++records < MOST_RECORDS);
    return has_ended(c, result) ? CURLE_OK : result;
}

/* Has a part of a record come? */
static bool has_begun_record(const struct bf_connection *c) {
    return c->tls.innermost && SSL_has_pending(c->tls.innermost);
}

bool bf_connection_seems_quiet(const struct bf_connection *c) {
    return !c->endpoint->by_tls_proxy && !has_begun_record(c) &&
           bf_socket_poll(c->fd) == 0;
}

/* What comes between the read and the look at the socket is read too. Where the
 * system refuses that look, the read has found nothing. */
enum bf_quiet bf_connection_check_quiet(struct bf_connection *c,
                                        struct bf_error *error) {
    CURLcode result = CURLE_AGAIN;
    size_t received = 0;
    char byte;
    for (int tries = 0; tries < 3 && result == CURLE_AGAIN; tries++) {
        result = bf_connection_receive(c, &byte, 1, &received);
        if (result == CURLE_AGAIN && !has_begun_record(c) &&
            bf_socket_poll(c->fd) <= 0)
            return BF_QUIET;
    }
    if (result == CURLE_AGAIN)
        return has_begun_record(c) ? BF_PART : BF_BYTES;
    if (result == CURLE_OK)
        return received > 0 ? BF_BYTES : BF_BROKEN;
    bf_connection_set_error(c, result, error);
    return BF_BROKEN;
}

/* In libcurl's text may be what the peer sent. It is cut to fit, so it must be
 * redacted before it becomes a part of another text. */
void bf_connection_set_error(struct bf_connection *c, CURLcode result,
                             struct bf_error *error) {
    char marks[sizeof c->curl_text];
    size_t len = strlen(c->curl_text);
    if (error->kind != BF_OK)
        return;
    c->curl_text[bf_redact(c->curl_text, len, marks)] = '\0';
    bf_curl_error(c->easy, result, c->curl_text, c->endpoint->ca_file, error);
}
