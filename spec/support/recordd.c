/*
 * recordd: a loopback server that sends any bytes and any TLS record, also what
 * no TLS library lets one send, and as fast as the machine can.
 *
 *     recordd ADDRESS PEM STEP...
 *
 * prints the free port of ADDRESS, 127.0.0.1 or ::1, that it listens on, does
 * the steps on each connection, and exits at the first byte or the end of its
 * standard input. Steps:
 *
 *     hello            reads the client's first bytes, and leaves them at that
 *     shake12 shake13  the handshake, of TLS 1.2 or 1.3
 *     request          reads until an empty line; plain before a handshake
 *     wait:MS          does nothing for so long
 *     mark:PATH        appends a byte to this file
 *     await:PATH       waits until there is this file, and removes it
 *     gather:COUNT     waits until so many connections have come to this step
 *     bytes:HEX        sends these bytes as they are
 *     record:TYPE:HEX  sends a record of that type (a number), encrypted
 *     update:HEX       sends KeyUpdate, and goes on with the next key
 *     half             sends TCP's end, and goes on reading
 *     fin rst hang     how it ends: TCP's end (as without any of these), a
 *                      reset, or not before the client leaves
 *
 * A step with "*" before it is done without end: for 30 s, so that a caller
 * which reads for as long as there is something to read fails, and does not
 * hang. What one with "+" before it sends goes out in one write with what the
 * next one sends; with "/", only its last byte does.
 */
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "loopback.h"
#include "start_thread.h"

enum { SECRET = 32, KEY = 16, IV = 12, TAG = 16, MOST = 16384, BATCH = 65536 };

struct connection {
    int fd;
    SSL *ssl;
    bool is_13;
    unsigned char secret[SECRET]; /* of TLS 1.3, for what the server sends */
    unsigned char key[KEY], iv[IV];
    unsigned long long sequence;
    EVP_CIPHER_CTX *cipher;
    unsigned char out[BATCH + MOST + 64]; /* to be sent */
    size_t waiting;
};

static SSL_CTX *tls;
static char **steps;

static _Noreturn void die(const char *what) {
    perror(what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

/* ---- keys ---- */

static void hmac(const unsigned char *key, size_t key_len, const void *data,
                 size_t len, unsigned char out[SECRET]) {
    if (!HMAC(EVP_sha256(), key, (int)key_len, data, len, out, NULL))
        die("HMAC");
}

/* HKDF-Expand-Label of RFC 8446, 7.1, with an empty context. */
static void expand(const unsigned char *secret, const char *label,
                   unsigned char *out, size_t len) {
    unsigned char info[64], block[SECRET];
    size_t label_len = strlen(label), n = 0;
    info[n++] = 0;
    info[n++] = (unsigned char)len;
    info[n++] = (unsigned char)(6 + label_len);
    memcpy(info + n, "tls13 ", 6);
    memcpy(info + n + 6, label, label_len);
    n += 6 + label_len;
    info[n++] = 0;
    info[n++] = 1; /* the first block, which is all that is needed */
    hmac(secret, SECRET, info, n, block);
    memcpy(out, block, len);
}

static void set_key(struct connection *c) {
    if (!EVP_EncryptInit_ex(c->cipher, EVP_aes_128_gcm(), NULL, c->key, NULL))
        die("cipher");
}

static void use_secret(struct connection *c) {
    expand(c->secret, "key", c->key, KEY);
    expand(c->secret, "iv", c->iv, IV);
    c->sequence = 0;
    set_key(c);
}

static void next_secret(struct connection *c) {
    unsigned char next[SECRET];
    expand(c->secret, "traffic upd", next, SECRET);
    memcpy(c->secret, next, SECRET);
    use_secret(c);
}

/* The key block of RFC 5246, 6.3; Finished was the first record under it. */
static void use_master_secret(struct connection *c) {
    unsigned char master[48], seed[SECRET + 13 + 64] = {0}, block[2 * SECRET];
    unsigned char *text = seed + SECRET;
    size_t len = SSL_SESSION_get_master_key(SSL_get_session(c->ssl), master,
                                            sizeof master);
    memcpy(text, "key expansion", 13);
    SSL_get_server_random(c->ssl, text + 13, 32);
    SSL_get_client_random(c->ssl, text + 45, 32);
    hmac(master, len, text, 77, seed);
    hmac(master, len, seed, sizeof seed, block);
    hmac(master, len, seed, SECRET, seed);
    hmac(master, len, seed, sizeof seed, block + SECRET);
    memcpy(c->key, block + KEY, KEY);
    memcpy(c->iv, block + KEY + KEY + 4, 4);
    c->sequence = 1;
    set_key(c);
}

static unsigned nibble(char c) {
    return (unsigned)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
}

static size_t from_hex(const char *hex, unsigned char *out) {
    size_t n = 0;
    for (; hex[0] && hex[1] && n < MOST; hex += 2)
        out[n++] = (unsigned char)(nibble(hex[0]) << 4 | nibble(hex[1]));
    return n;
}

/* OpenSSL tells the secrets of a connection in the lines of a key log. */
static void on_secret(const SSL *ssl, const char *line) {
    static const char ours[] = "SERVER_TRAFFIC_SECRET_0 ";
    struct connection *c = SSL_get_app_data(ssl);
    if (strncmp(line, ours, sizeof ours - 1) == 0)
        from_hex(strchr(line + sizeof ours, ' ') + 1, c->secret);
}

/* ---- sending ---- */

/* Sends what waits, but for the last `kept` bytes. */
static bool flush(struct connection *c, size_t kept) {
    size_t sent = 0, len = c->waiting - kept;
    while (sent < len) {
        long n = send(c->fd, c->out + sent, len - sent, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        sent += (size_t)n;
    }
    memmove(c->out, c->out + len, kept);
    c->waiting = kept;
    return true;
}

static void put_number(unsigned char *at, unsigned long long number, int size) {
    for (; size > 0; size--, number >>= 8)
        at[size - 1] = (unsigned char)number;
}

static void seal(struct connection *c, const unsigned char *nonce,
                 const unsigned char *extra, int extra_len,
                 const unsigned char *text, size_t len, unsigned char *out) {
    int n;
    if (!EVP_EncryptInit_ex(c->cipher, NULL, NULL, NULL, nonce) ||
        !EVP_EncryptUpdate(c->cipher, NULL, &n, extra, extra_len) ||
        !EVP_EncryptUpdate(c->cipher, out, &n, text, (int)len) ||
        !EVP_EncryptFinal_ex(c->cipher, out + len, &n) ||
        !EVP_CIPHER_CTX_ctrl(c->cipher, EVP_CTRL_GCM_GET_TAG, TAG, out + len))
        die("seal");
}

static void put_record_13(struct connection *c, int type, unsigned char *text,
                          size_t len) {
    unsigned char nonce[IV], number[8], *head = c->out + c->waiting;
    text[len++] = (unsigned char)type;
    memcpy(nonce, c->iv, IV);
    put_number(number, c->sequence++, 8);
    for (int i = 0; i < 8; i++)
        nonce[IV - 8 + i] ^= number[i];
    head[0] = 23;
    head[1] = head[2] = 3;
    put_number(head + 3, len + TAG, 2);
    seal(c, nonce, head, 5, text, len, head + 5);
    c->waiting += 5 + len + TAG;
}

static void put_record_12(struct connection *c, int type,
                          const unsigned char *text, size_t len) {
    unsigned char nonce[IV], extra[13], *head = c->out + c->waiting;
    memcpy(nonce, c->iv, 4);
    put_number(nonce + 4, c->sequence, 8);
    put_number(extra, c->sequence++, 8);
    extra[8] = head[0] = (unsigned char)type;
    extra[9] = extra[10] = head[1] = head[2] = 3;
    put_number(extra + 11, len, 2);
    put_number(head + 3, 8 + len + TAG, 2);
    memcpy(head + 5, nonce + 4, 8);
    seal(c, nonce, extra, 13, text, len, head + 13);
    c->waiting += 13 + len + TAG;
}

static void put_record(struct connection *c, int type, const char *hex) {
    unsigned char text[MOST + 1];
    size_t len = from_hex(hex, text);
    if (c->is_13)
        put_record_13(c, type, text, len);
    else
        put_record_12(c, type, text, len);
}

/* ---- steps ---- */

static bool shake(struct connection *c, int version) {
    c->is_13 = version == TLS1_3_VERSION;
    c->ssl = SSL_new(tls);
    if (!c->ssl || !SSL_set_app_data(c->ssl, c) ||
        !SSL_set_min_proto_version(c->ssl, version) ||
        !SSL_set_max_proto_version(c->ssl, version) ||
        !SSL_set_fd(c->ssl, c->fd) || SSL_accept(c->ssl) != 1)
        return false;
    if (c->is_13)
        use_secret(c);
    else
        use_master_secret(c);
    return true;
}

static bool read_request(struct connection *c) {
    char head[MOST];
    size_t n = 0;
    do {
        size_t room = sizeof head - 1 - n;
        long got = c->ssl ? SSL_read(c->ssl, head + n, (int)room)
                          : recv(c->fd, head + n, room, 0);
        if (got <= 0)
            return false;
        n += (size_t)got;
        head[n] = '\0';
    } while (!strstr(head, "\r\n\r\n"));
    return true;
}

static void end(const struct connection *c, bool by_reset) {
    const struct linger at_once = {1, 0};
    char scrap[4096];
    if (by_reset)
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    else
        while (recv(c->fd, scrap, sizeof scrap, 0) > 0)
            ;
}

static bool wait_ms(long ms) {
    const struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
    return nanosleep(&t, NULL) == 0;
}

static bool mark(const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    bool marked = fd >= 0 && write(fd, "x", 1) == 1;
    return fd >= 0 && close(fd) == 0 && marked;
}

static bool await(const char *path) {
    while (unlink(path) != 0)
        wait_ms(1);
    return true;
}

static bool gather(int count) {
    static atomic_int gathered;
    atomic_fetch_add(&gathered, 1);
    while (atomic_load(&gathered) < count)
        wait_ms(1);
    return true;
}

/* The rest of the step where it begins with word, else NULL. */
static const char *after(const char *step, const char *word) {
    size_t len = strlen(word);
    return strncmp(step, word, len) == 0 ? step + len : NULL;
}

/* Puts what the step sends behind what waits; false where it sends nothing. */
static bool put(struct connection *c, const char *step) {
    const char *rest;
    if ((rest = after(step, "bytes:"))) {
        c->waiting += from_hex(rest, c->out + c->waiting);
    } else if ((rest = after(step, "record:"))) {
        put_record(c, (int)strtol(rest, NULL, 10), strchr(rest, ':') + 1);
    } else if ((rest = after(step, "update:"))) {
        put_record(c, 22, rest);
        next_secret(c);
    } else {
        return false;
    }
    return true;
}

static bool send_without_end(struct connection *c, const char *step) {
    time_t due = time(NULL) + 30;
    do
        while (c->waiting < BATCH && put(c, step))
            ;
    while (flush(c, 0) && time(NULL) < due);
    return false;
}

/* A step that neither sends nor ends; false where the connection is over. */
static bool take_other(struct connection *c, const char *step) {
    char scrap[MOST];
    const char *rest;
    if (strcmp(step, "hello") == 0)
        return recv(c->fd, scrap, sizeof scrap, 0) > 0;
    if ((rest = after(step, "shake1")))
        return shake(c, *rest == '3' ? TLS1_3_VERSION : TLS1_2_VERSION);
    if (strcmp(step, "request") == 0)
        return read_request(c);
    if ((rest = after(step, "wait:")))
        return wait_ms(strtol(rest, NULL, 10));
    if ((rest = after(step, "mark:")))
        return mark(rest);
    if ((rest = after(step, "await:")))
        return await(rest);
    if ((rest = after(step, "gather:")))
        return gather((int)strtol(rest, NULL, 10));
    return strcmp(step, "half") == 0 && shutdown(c->fd, SHUT_WR) == 0;
}

/* Does one step; false where the connection is over. */
static bool take_step(struct connection *c, const char *step) {
    if (*step == '*')
        return send_without_end(c, step + 1);
    if (*step == '+')
        return put(c, step + 1);
    if (*step == '/')
        return put(c, step + 1) && flush(c, 1);
    if (put(c, step))
        return flush(c, 0);
    if (strcmp(step, "rst") != 0 && strcmp(step, "hang") != 0)
        return take_other(c, step);
    end(c, *step == 'r');
    return false;
}

static void *serve(void *arg) {
    struct connection *c = arg;
    c->cipher = EVP_CIPHER_CTX_new();
    for (char **step = steps; *step && take_step(c, *step); step++)
        ;
    EVP_CIPHER_CTX_free(c->cipher);
    SSL_free(c->ssl);
    close(c->fd);
    free(c);
    return NULL;
}

static void *accept_all(void *arg) {
    const int *listener = arg, on = 1;
    for (;;) {
        struct connection *c = calloc(1, sizeof *c);
        if (!c || (c->fd = accept(*listener, NULL, NULL)) < 0)
            die("accept");
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (!start_thread(serve, c))
            die("start_thread");
    }
    return NULL;
}

static void make_tls(const char *pem) {
    tls = SSL_CTX_new(TLS_server_method());
    if (!tls || SSL_CTX_use_certificate_chain_file(tls, pem) != 1 ||
        SSL_CTX_use_PrivateKey_file(tls, pem, SSL_FILETYPE_PEM) != 1 ||
        !SSL_CTX_set_ciphersuites(tls, "TLS_AES_128_GCM_SHA256") ||
        !SSL_CTX_set_cipher_list(tls, "ECDHE+AES128+AESGCM:RSA+AES128") ||
        !SSL_CTX_set_num_tickets(tls, 0)) /* none counts before ours */
        die(pem);
    SSL_CTX_set_keylog_callback(tls, on_secret);
}

int main(int argc, char **argv) {
    union address a;
    if (argc < 4) {
        fprintf(stderr, "usage: recordd ADDRESS PEM STEP...\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    make_tls(argv[2]);
    steps = argv + 3;
    int listener =
        bind_loopback(&a, strcmp(argv[1], "::1") == 0, SOCK_STREAM, 0);
    if (listener < 0 || listen(listener, 128) != 0 ||
        !start_thread(accept_all, &listener))
        die("listen");
    printf("%d\n", port_of(&a));
    fflush(stdout);
    getchar();
    _exit(0); /* threads still use what exit() would tear down */
}
