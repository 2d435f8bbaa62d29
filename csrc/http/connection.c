#include "http/connection.h"

#include "base/clock.h"
#include "http/ca_file.h"
#include "http/sockets.h"

#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define DAY 86400.0
#define MOST_CALLS 1000 /* of on_progress in one step, while connecting */

/* ---- callbacks of libcurl ---- */

static bool is_loopback(const struct sockaddr *address) {
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof v4);
        return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof v6);
        return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
    }
    return false;
}

/* http is for loopback addresses only, whatever the name. An abandoned
 * connection whose host is found late must not be made. */
static bool may_open(struct bf_connection *c, const struct sockaddr *address) {
    const struct bf_endpoint *endpoint = c->endpoint;
    if (c->state != BF_CONNECTION_CONNECTING)
        return false;
    if (endpoint->insecure && !is_loopback(address)) {
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
    c->tls.is_begun = false;
    c->fd = CURL_SOCKET_BAD;
    if (!may_open(c, &address->addr))
        return c->fd;
    c->fd =
        bf_socket_open(address->family, address->socktype, address->protocol);
    if (c->fd == CURL_SOCKET_BAD && (errno == EMFILE || errno == ENFILE))
        bf_error_set(&c->error, BF_NETWORK, "descriptors",
                     "there is no file descriptor left for a connection");
    return c->fd;
}

/* libcurl reads a proxy's response within one step, even one without end, and
 * calls only this meanwhile. Returns 0 to go on. */
static int on_progress(void *userdata, curl_off_t down_total, curl_off_t down,
                       curl_off_t up_total, curl_off_t up) {
    struct bf_connection *c = userdata;
    (void)down_total, (void)down, (void)up_total, (void)up;
    if (c->progress_calls++ == 0)
        bf_curl_setup_new_turn(); /* in this step of libcurl */
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

/* libcurl's own deadline must not come before ours, so it gets a little more;
 * 0 ms is libcurl's default, 5 minutes. Many versions give each address of a
 * host but the last half of what is left; 8.23 tries the next one beside it
 * soon. */
static bool set_time(struct bf_connection *c, double seconds) {
    seconds = seconds < 0 ? 0 : seconds * 9 / 8;
    return !curl_easy_setopt(c->easy, CURLOPT_CONNECTTIMEOUT_MS,
                             (long)((seconds < DAY ? seconds : DAY) * 1000));
}

/* None of these takes memory: what fails is not there. */
static bool set_callbacks(struct bf_connection *c) {
    CURL *easy = c->easy;
    return !curl_easy_setopt(easy, CURLOPT_PRIVATE, c) &&
           !curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, c->curl_text) &&
           !curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress) &&
           !curl_easy_setopt(easy, CURLOPT_XFERINFODATA, c) &&
           !curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket) &&
           !curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, c);
}

static bool set_up(struct bf_connection *c, struct bf_error *error) {
    CURLcode result = CURLE_OUT_OF_MEMORY;
    c->easy = curl_easy_init();
    if (c->easy)
        result = bf_curl_setup(c->easy, c->endpoint, &c->tls);
    if (!result && !(set_callbacks(c) && set_time(c, c->due - c->started)))
        result = CURLE_UNKNOWN_OPTION;
    if (result == CURLE_OUT_OF_MEMORY)
        bf_error_no_memory(error);
    else if (result) /* curl_version() may look this host's own name up */
        bf_error_set(error, BF_CONFIG, "libcurl",
                     "this libcurl (%s) does not honour an option that "
                     "bitfront needs to protect the API key",
                     curl_version_info(CURLVERSION_NOW)->version);
    return !result;
}

struct bf_connection *bf_connection_new(struct bf_endpoint *endpoint,
                                        const struct bf_credentials *account,
                                        double due, struct bf_error *error) {
    struct bf_connection *c = calloc(1, sizeof *c);
    if (!c) {
        bf_error_no_memory(error);
        return NULL;
    }
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
    (void)set_time(c, DAY);
}

/* Is the socket connected? CURLINFO_CONNECT_TIME does not show it with libcurl
 * 7.88. */
static bool has_peer(int fd) {
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;
    return getpeername(fd, (void *)&peer, &len) == 0;
}

void bf_connection_expire(struct bf_connection *c) {
    const char *stage = bf_connection_is_resolving(c) ? "resolve"
                        : has_peer(c->fd)             ? "tls"
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
        if (result == CURLE_OPERATION_TIMEDOUT) /* ours was to come first */
            bf_connection_expire(c);
        c->state = BF_CONNECTION_FAILED;
        bf_connection_set_error(c, result, &c->error);
        return false;
    }
    c->fd = fd;
    c->state = BF_CONNECTION_OPEN;
    return true;
}

/* ---- sending and receiving ---- */

/* After a call that had to wait for the socket, libcurl reports a failure of
 * OpenSSL in the next call as CURLE_AGAIN. The reason is in OpenSSL's error
 * queue, which libcurl empties before each call. */
static CURLcode find_failure(const struct bf_connection *c, CURLcode result) {
    unsigned long error =
        result == CURLE_AGAIN && c->tls.innermost ? ERR_get_error() : 0;
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

/* Some versions of libcurl report an end of TLS that the peer has not announced
 * as an error. Whether the reply is complete is checked anyway. */
static bool has_ended(const struct bf_connection *c, CURLcode result) {
    return result == CURLE_RECV_ERROR &&
           strstr(c->curl_text, "unexpected eof while reading");
}

/* OpenSSL returns after each record, also one without data, and the next one
 * may be in a buffer of libcurl's, which a poll of the socket does not show. So
 * this reads again while OpenSSL has read something, which it does a limited
 * number of times in a turn. */
CURLcode bf_connection_receive(struct bf_connection *c, char *data, size_t len,
                               size_t *received) {
    CURLcode result;
    uint64_t before;
    do {
        before = read_so_far(c);
        result = find_failure(c, curl_easy_recv(c->easy, data, len, received));
    } while (result == CURLE_AGAIN && read_so_far(c) != before);
    return has_ended(c, result) ? CURLE_OK : result;
}

/* Above 0: there is a byte to be read, or the connection's end. 0: neither.
 * Below 0: the system call failed. */
static int poll_socket(int fd) {
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    return poll(&readable, 1, 0);
}

/* Was a part of a record received? */
static bool has_begun_record(const struct bf_connection *c) {
    return c->tls.innermost && SSL_has_pending(c->tls.innermost);
}

bool bf_connection_seems_idle(const struct bf_connection *c) {
    return !c->endpoint->by_tls_proxy && !has_begun_record(c) &&
           poll_socket(c->fd) == 0;
}

/* What is received between the read and the poll is read too. Where the poll
 * fails, the read has found nothing. Bytes that no read gets may be TLS's own,
 * as a part of a record. */
enum bf_idle bf_connection_check_idle(struct bf_connection *c,
                                      struct bf_error *error) {
    CURLcode result = CURLE_AGAIN;
    size_t received = 0;
    char byte;
    for (int tries = 0; tries < 3 && result == CURLE_AGAIN; tries++) {
        result = bf_connection_receive(c, &byte, 1, &received);
        if (result == CURLE_AGAIN && !has_begun_record(c) &&
            poll_socket(c->fd) <= 0)
            return BF_IDLE;
    }
    if (result == CURLE_AGAIN)
        return BF_PARTIAL_RECORD;
    if (result == CURLE_OK)
        return received > 0 ? BF_TRAILING_BYTES : BF_ENDED;
    bf_connection_set_error(c, result, error);
    return BF_ENDED;
}
