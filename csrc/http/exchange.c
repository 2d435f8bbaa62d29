#include "http/exchange.h"

#include "base/clock.h"
#include "http/body.h"
#include "http/ca_file.h"
#include "http/curl_setup.h"
#include "auth/redact.h"
#include "http/request.h"
#include "http/url.h"
#include "http/curl_error.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define MOST_LOOKS 1000 /* in one step, before the connection stands */

static bool no_memory(struct bf_transfer *transfer) {
    bf_error_no_memory(&transfer->error);
    return false;
}

/* ---- what libcurl calls back; none of these may touch Lua ---- */

/* libcurl repeats a request by itself when a kept connection dies under it.
 * The exchange would count it twice, and we would not know. */
static bool is_repeat(CURL *easy) {
    long sent = 0;
    (void)curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &sent);
    return sent > 0;
}

static void refuse_repeat(struct bf_transfer *t) {
    bf_error_set(&t->error, BF_NETWORK, "reset",
                 "the server closed the connection without a reply");
}

static SSL *tls_of(struct bf_transfer *t) {
    const struct curl_tlssessioninfo *tls = NULL;
    (void)curl_easy_getinfo(t->easy, CURLINFO_TLS_SSL_PTR, &tls);
    return tls && !t->client->plain ? tls->internals : NULL;
}

#ifdef BF_HAVE_PREREQ
static bool is_refused(struct bf_transfer *t) {
    SSL *tls = t->reused || bf_aim_by_tls_proxy(t->client) ? NULL : tls_of(t);
    return tls && bf_curl_error_peek(t->easy, tls, t->fd, &t->head, &t->error);
}

/* The connection is there; the request is about to be written. */
/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl's type */
static int on_ready(void *userdata, char *remote_ip, char *local_ip,
                    int remote_port, int local_port) {
    struct bf_transfer *t = userdata;
    (void)remote_ip, (void)local_ip, (void)remote_port;
    if (t->state != BF_RUNNING)
        return CURL_PREREQFUNC_ABORT;
    if (t->ready) {
        refuse_repeat(t);
        return CURL_PREREQFUNC_ABORT;
    }
    t->fd = bf_sockets_find(t->sockets, local_port);
    if (t->reused && !bf_sockets_quiet(t->sockets, local_port)) {
        t->stale = true;
        return CURL_PREREQFUNC_ABORT;
    }
    if (is_refused(t))
        return CURL_PREREQFUNC_ABORT;
    if (bf_now() >= t->deadline) { /* the process had been stopped */
        bf_transfer_expire(t);
        return CURL_PREREQFUNC_ABORT;
    }
    t->ready = true;
    return bf_request_stamp(t) ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}
#endif

static bool needs_ca(const struct bf_client *client) {
    return client->ca_file && (!client->plain || *client->proxy);
}

/* A plain connection is for this machine only, wherever a name leads to; an
 * abandoned transfer whose host is found at last must not go on. */
static curl_socket_t on_socket(void *userdata, curlsocktype purpose,
                               struct curl_sockaddr *address) {
    struct bf_transfer *t = userdata;
    (void)purpose;
    if (t->state != BF_RUNNING) /* its outcome may be read by now */
        return CURL_SOCKET_BAD;
    t->fd = -1;
    if (is_repeat(t->easy)) {
        refuse_repeat(t);
        return CURL_SOCKET_BAD;
    }
    t->reused = false;
    if (t->client->plain && !bf_is_loopback(&address->addr)) {
        bf_error_set(&t->error, BF_NETWORK, "refused",
                     "http:// leads to an address that is not loopback");
        return CURL_SOCKET_BAD;
    }
    if (needs_ca(t->client) &&
        !bf_ca_file_is_regular(t->client->ca_file, &t->error))
        return CURL_SOCKET_BAD;
    t->tls_layers = bf_aim_by_tls_proxy(t->client) ? 2 : 0;
    t->fd = bf_sockets_open(t->sockets, address->family, address->socktype,
                            address->protocol);
    if (t->fd < 0 && (errno == EMFILE || errno == ENFILE))
        bf_error_set(&t->error, BF_NETWORK, "descriptors",
                     "there is no file descriptor left for a connection");
    return t->fd;
}

/* Connections outlive the transfer that opened them, so this is not told of
 * any. */
static int on_close(void *userdata, curl_socket_t fd) {
    return bf_sockets_close(userdata, fd);
}

/* What libcurl has not read yet, although it came together with the body's end,
 * would be taken for the beginning of the next reply on this connection: maybe
 * another account's. In OpenSSL's buffer no look at the socket finds it. */
static bool has_leavings(struct bf_transfer *t) {
    SSL *tls = tls_of(t);
    if (!t->client->plain)
        return tls && SSL_pending(tls) > 0;
    return t->fd >= 0 && bf_sockets_has_data(t->fd);
}

/* libcurl does not look for a body then: on_body will not be called. */
static bool has_no_body(const struct bf_head *head) {
    return head->status == 204 || head->status == 304 ||
           (head->lengths && head->length == 0);
}

/* The head of the final reply is there: is its body worth reading? An error's
 * is if it has an end, for the envelope that may be in it. */
static bool wants_body(struct bf_transfer *t) {
    struct bf_error unused = {.kind = BF_OK};
    if (!bf_head_final(&t->head))
        return true; /* another head follows */
    (void)curl_easy_setopt(t->easy, CURLOPT_VERBOSE, 1L); /* see on_debug */
    t->excess = has_no_body(&t->head) && has_leavings(t);
    if (t->excess && t->head.status != 200)
        bf_curl_error_status(t->head.status, &t->error);
    if (t->excess)
        return false; /* libcurl closes a connection on which it is to stop */
    if (t->head.status == 200 || t->head.malformed)
        return bf_head_check(&t->head, t->client->max_body, &t->error);
    if (bf_head_check(&t->head, t->client->max_body, &unused))
        return true;
    bf_curl_error_status(t->head.status, &t->error);
    return false;
}

static size_t on_header(char *line, size_t size, size_t count, void *userdata) {
    struct bf_transfer *t = userdata;
    size_t len = size * count;
    bool ended = t->head.ended;
    if (t->head.bytes == 0)
        t->replied = bf_now();
    bf_head_line(&t->head, line, len);
    if (t->head.bytes > BF_HEAD_MAX)
        return bf_head_check(&t->head, 0, &t->error) ? len : 0;
    return ended || !t->head.ended || wants_body(t) ? len : 0;
}

/* libcurl reads what a proxy says without end as long as it comes, within one
 * of its steps, and asks nobody but this. */
static int on_progress(void *userdata, curl_off_t down_total, curl_off_t down,
                       curl_off_t up_total, curl_off_t up) {
    struct bf_transfer *t = userdata;
    (void)down_total, (void)down, (void)up_total, (void)up;
    if (t->looks == 0)
        bf_curl_setup_new_turn(); /* libcurl has come to this handle */
    if (t->state != BF_RUNNING || t->ready || bf_transfer_resolving(t))
        return 0;
    if (++t->looks > MOST_LOOKS)
        bf_error_set(&t->error, BF_NETWORK, "proxy",
                     "what the proxy says has no end");
    else if (t->begun && bf_now() >= bf_transfer_due(t))
        bf_transfer_expire(t);
    return t->error.kind != BF_OK;
}

/* libcurl drops what it has read past an announced body, and only says so to
 * those who want to hear everything. Nothing of it is shown to anybody. */
static int on_debug(CURL *easy, curl_infotype type, char *text, size_t len,
                    void *userdata) {
    static const char excess[] = "Excess found";
    struct bf_transfer *t = userdata;
    (void)easy;
    if (type == CURLINFO_TEXT && len >= sizeof excess - 1 &&
        memcmp(text, excess, sizeof excess - 1) == 0)
        t->excess = true;
    return 0;
}

/* A chunk's coding is not taken off yet here (see lockdown.c), so that its
 * last bytes are seen too. */
static size_t on_body(char *data, size_t size, size_t count, void *userdata) {
    struct bf_transfer *t = userdata;
    size_t len = size * count;
    if (!bf_body_take(t, data, len))
        return 0;
    if (!bf_body_complete(t) || !has_leavings(t))
        return len;
    t->excess = true;
    return 0; /* see wants_body */
}

/* ---- the beginning ---- */

static bool lock_down(struct bf_transfer *t, struct bf_error *error) {
    const struct bf_callbacks callbacks = {
        .userdata = t,
        .curl_text = t->curl_text,
        .on_header = on_header,
        .on_body = on_body,
        .on_socket = on_socket,
        .on_close = on_close,
        .on_debug = on_debug,
        .on_progress = on_progress,
        .sockets = t->sockets,
        .tls_layers = &t->tls_layers,
#ifdef BF_HAVE_PREREQ
        .on_ready = on_ready,
#endif
    };
    return bf_curl_setup(t->easy, &callbacks, error);
}

/* A handle that is to go elsewhere is replaced. There is no way to ask an older
 * libcurl for its default CA, to go back to it, and its curl_easy_reset cannot
 * say that it ran out of memory. The connections are the multi handle's. */
static bool aim(struct bf_transfer *t, const struct bf_request *request) {
    if (bf_aim_is(&t->aim, t->client, request))
        return true;
    bf_aim_free(&t->aim);
    curl_easy_cleanup(t->easy);
    t->easy = curl_easy_init();
    if (!t->easy)
        return no_memory(t);
    return lock_down(t, &t->error) &&
           (bf_aim_set(&t->aim, t->easy, t->client, request) || no_memory(t));
}

static bool set_headers(struct bf_transfer *t) {
    return (curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers) ==
                CURLE_OK &&
            curl_easy_setopt(t->easy, CURLOPT_VERBOSE, 0L) == CURLE_OK &&
            curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, 0L) == CURLE_OK) ||
           no_memory(t);
}

bool bf_transfer_prepare(struct bf_transfer *t, struct bf_client *client,
                         const struct bf_request *request) {
    t->client = bf_client_ref(client);
    t->state = BF_DONE; /* until the engine has it */
    if (request->credentials)
        t->credentials = bf_credentials_ref(request->credentials);
    t->reused = true; /* until a socket is opened for it */
    t->clock_offset = request->clock_offset;
    t->monotonic = request->monotonic;
    t->started = bf_now();
    t->deadline = request->deadline;
    t->connect_deadline = t->started + client->connect_timeout;
    t->fd = -1;
    bf_head_init(&t->head);
    bf_chunks_init(&t->chunks);
    if (!aim(t, request))
        return false;
    bf_request_make(t, request);
    if (!set_headers(t) || !bf_transfer_set_time(t))
        return false;
#ifndef BF_HAVE_PREREQ
    return bf_request_stamp(t);
#else
    return bf_curl_setup_has_prereq() || bf_request_stamp(t);
#endif
}

/* ---- the end ---- */

static bool is_whole(struct bf_transfer *t, struct bf_error *error) {
    if (!bf_head_check(&t->head, t->client->max_body, error))
        return false;
    if (!bf_body_complete(t))
        bf_error_set(error, BF_NETWORK, "truncated",
                     "the reply's body ends before its end");
    return error->kind == BF_OK;
}

/* The HTTP status tells of an error. The body may be the exchange's own
 * envelope, which says more: it is kept if it is whole. */
static void judge_status(struct bf_transfer *t, CURLcode result) {
    struct bf_error unused = {.kind = BF_OK};
    if (result == CURLE_OK && t->body_len > 0 && is_whole(t, &unused))
        return;
    bf_curl_error_status(t->head.status, &t->error);
}

/* libcurl may keep a connection on which a request failed half way, for want of
 * memory. Shut down, it is not taken for a quiet one. */
static void spoil_connection(struct bf_transfer *t) {
    curl_socket_t fd = CURL_SOCKET_BAD;
    if (curl_easy_getinfo(t->easy, CURLINFO_ACTIVESOCKET, &fd) == CURLE_OK &&
        fd != CURL_SOCKET_BAD)
        (void)shutdown(fd, SHUT_RDWR);
}

/* In libcurl's text may be what the peer said. It is cut to fit, so it must be
 * clean before it becomes a part of another text. */
static void blame_libcurl(struct bf_transfer *t, CURLcode result) {
    char marks[sizeof t->curl_text];
    size_t len = strlen(t->curl_text);
    t->curl_text[bf_redact(t->curl_text, len, marks)] = '\0';
    bf_curl_error(t->easy, result, t->curl_text, t->client->ca_file, &t->head,
                  &t->error);
}

void bf_transfer_done(struct bf_transfer *t, CURLcode result) {
    const struct bf_head *head = &t->head;
    if (result != CURLE_OK)
        spoil_connection(t);
    if (t->excess && head->status == 200)
        bf_error_set(&t->error, BF_PROTOCOL, "framing",
                     "there are bytes after the reply's end");
    if (t->error.kind != BF_OK)
        return;
    if (bf_head_final(head) && !head->malformed && head->status != 200)
        judge_status(t, result);
    else if (result == CURLE_OK)
        (void)is_whole(t, &t->error);
    else
        blame_libcurl(t, result);
}

bool bf_transfer_resolving(struct bf_transfer *t) {
    curl_off_t looked_up = 0;
    if (t->ready || !t->begun)
        return false;
    (void)curl_easy_getinfo(t->easy, CURLINFO_NAMELOOKUP_TIME_T, &looked_up);
    return looked_up == 0;
}

static bool is_connected(struct bf_transfer *t) {
    curl_off_t connected = 0;
    if (t->ready || !t->begun)
        return t->ready;
    (void)curl_easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
    return connected > 0;
}

double bf_transfer_due(struct bf_transfer *t) {
    return t->deadline < t->connect_deadline || is_connected(t)
               ? t->deadline
               : t->connect_deadline;
}

#define DAY 86400.0

static bool set_connect_time(struct bf_transfer *t, double seconds) {
    return curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS,
                            (long)(seconds * 1000) + 1) == CURLE_OK;
}

/* A little more than there is: the deadline is ours to keep, and libcurl's own
 * must not come before it. */
bool bf_transfer_set_time(struct bf_transfer *t) {
    double left = (t->deadline < t->connect_deadline ? t->deadline
                                                     : t->connect_deadline) -
                  bf_now();
    left = left < 0 ? 0 : left * 9 / 8;
    return set_connect_time(t, left < DAY ? left : DAY) || no_memory(t);
}

void bf_transfer_abandon(struct bf_transfer *t) {
    t->state = BF_ABANDONED;
    (void)set_connect_time(t, DAY);
}

/* libcurl 7.88 does not tell, as others do, with CURLINFO_CONNECT_TIME. */
static bool has_peer(int fd) {
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;
    return getpeername(fd, (void *)&peer, &len) == 0;
}

static const char *stage(struct bf_transfer *t) {
    if (is_connected(t))
        return bf_head_final(&t->head) ? "body" : "response";
    if (bf_transfer_resolving(t))
        return "resolve";
    return has_peer(t->fd) ? "tls" : "connect";
}

void bf_transfer_expire(struct bf_transfer *t) {
    const char *where = stage(t);
    bf_error_set(&t->error, BF_TIMEOUT, where,
                 "no answer in time: still waiting at stage \"%s\" after "
                 "%ld ms",
                 where, (long)((bf_now() - t->started) * 1000));
}

/* ---- life ---- */

struct bf_transfer *bf_transfer_new(struct bf_sockets *sockets,
                                    struct bf_error *error) {
    struct bf_transfer *t = calloc(1, sizeof *t);
    if (t)
        t->sockets = sockets; /* the easy handle comes with the first aim */
    else
        bf_error_no_memory(error);
    return t;
}

void bf_transfer_disown(struct bf_transfer *t) {
    bf_credentials_unref(t->credentials);
    t->credentials = NULL;
    bf_client_unref(t->client);
    t->client = NULL;
    bf_request_wipe(t);
}

void bf_transfer_reset(struct bf_transfer *t) {
    bf_transfer_disown(t);
    bf_body_reset(t);
    bf_reply_reset(&t->reply);
    t->looks = 0;
    t->begun = t->ready = t->stale = t->dropped = t->excess = false;
    t->sent = t->replied = 0;
    OPENSSL_cleanse(t->curl_text, sizeof t->curl_text);
    bf_head_init(&t->head); /* and a error, may quote what a server sent */
    OPENSSL_cleanse(t->error.text, sizeof t->error.text);
    bf_error_clear(&t->error);
    t->state = BF_IDLE;
}

void bf_transfer_free(struct bf_transfer *t) {
    if (!t)
        return;
    bf_transfer_reset(t);
    curl_easy_cleanup(t->easy);
    bf_aim_free(&t->aim);
    bf_reply_free(&t->reply);
    free(t->body);
    free(t);
}
