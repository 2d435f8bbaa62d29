/*
 * faultd: a loopback server that sends exactly the bytes a spec asks for.
 *
 *     faultd DIR NAME:MODE[:PEM]...
 *
 * opens one listener on a free port for each NAME, prints "NAME PORT" for
 * each and then an empty line, and exits at the first byte or the end of its
 * standard input, so that it never outlives the spec that started it.
 *
 * MODE  plain   HTTP                   closed  refuses connections
 *       tls     HTTPS                  full    never completes a connect
 *       tls11   HTTPS, TLS 1.1 at most silent  accepts, and sends nothing
 *       dns     UDP port 53, no answer reset   accepts and resets
 *
 * on 127.0.0.1, or with a 6 behind it (tls6) on ::1.
 *
 * What to answer is in the first segment of the request's path, so that a
 * spec can put it into base_url and the server keeps no state:
 *
 *     GET /f=NAME;cut=120;close=rst/v1/account/balances
 *
 *     f=NAME    send the file NAME of DIR, headers and all
 *     cut=N     only its first N bytes
 *     delay=MS  wait before the first byte
 *     chunk=N   at most N bytes a write, with gap=MS between the writes
 *     echo=1    replace {Header-Name} by that header of the request
 *     serves=N  answer N requests of a connection, read the next and close
 *     close=    fin (default), rst, notls (TCP's end without TLS's), hang
 *               (silent until the client leaves), keep (serve the next
 *               request, and end the connection when idle=MS have passed)
 *
 * The head of every request is appended to DIR/requests, each after a line
 * "LISTENER CONNECTION LENGTH".
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "loopback.h"
#include "start_thread.h"

enum { MAX_HEAD = 16384, MAX_NAME = 64, MAX_ARGS = 32, BACKLOG = 128 };

enum mode { PLAIN, TLS, TLS11, CLOSED, FULL, SILENT, RESET, DNS, NO_MODE };
enum ending { FIN, RST, NOTLS, HANG, KEEP, NO_ENDING };

static const char *const mode_names[] = {"plain", "tls",    "tls11", "closed",
                                         "full",  "silent", "reset", "dns"};
static const char *const ending_names[] = {"fin", "rst", "notls", "hang",
                                           "keep"};

struct listener {
    SSL_CTX *tls;
    enum mode mode;
    bool is_v6;
    int fd;
    char name[MAX_NAME];
};

struct connection {
    const struct listener *listener;
    unsigned id;
    unsigned served;
    int fd;
    SSL *ssl; /* NULL where the listener is plain */
};

struct plan { /* the options of one request; -1 where not given */
    char f[MAX_NAME];
    long cut, delay, chunk, gap, echo, serves, idle;
    enum ending close;
};

struct bytes {
    char *p;
    size_t n;
};

static int log_fd;

static _Noreturn void die(const char *what) {
    perror(what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static void pause_ms(long ms) {
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
    if (ms > 0)
        nanosleep(&t, NULL);
}

/* The index of word in names, or count. */
static int word_index(const char *word, const char *const *names, int count) {
    int i = 0;
    while (i < count && strcmp(word, names[i]) != 0)
        i++;
    return i;
}

/* ---- one connection's bytes ---- */

/* More than 0: bytes read.  Otherwise the peer has closed, or took too long. */
static long receive(struct connection *c, char *to, size_t room) {
    return c->ssl ? SSL_read(c->ssl, to, (int)room) : recv(c->fd, to, room, 0);
}

static bool send_all(struct connection *c, const char *from, size_t n) {
    while (n > 0) {
        long sent = c->ssl ? SSL_write(c->ssl, from, (int)n)
                           : send(c->fd, from, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        from += sent;
        n -= (size_t)sent;
    }
    return true;
}

/* Whether there is something to read within ms; -1 waits for ever. */
static bool readable(struct connection *c, long ms) {
    struct pollfd p = {c->fd, POLLIN, 0};
    return (c->ssl && SSL_pending(c->ssl) > 0) || poll(&p, 1, (int)ms) > 0;
}

/* Reads one head into head as a string; the clients tested send no body. What
 * does not begin like a request (TLS, say) has no end to wait for. */
static bool read_head(struct connection *c, char head[MAX_HEAD]) {
    size_t n = 0;
    do {
        long got = receive(c, head + n, MAX_HEAD - 1 - n);
        if (got <= 0)
            return false;
        n += (size_t)got;
        head[n] = '\0';
    } while (isupper((unsigned char)*head) && !strstr(head, "\r\n\r\n") &&
             n < MAX_HEAD - 1);
    return true;
}

/* One write to a descriptor in O_APPEND: records never mix. */
static void log_head(const struct connection *c, const char *head) {
    char record[MAX_HEAD + MAX_NAME + 64];
    int n = snprintf(record, sizeof record, "%s %u %zu\n%s", c->listener->name,
                     c->id, strlen(head), head);
    if (write(log_fd, record, (size_t)n) != n)
        die("requests");
}

/* ---- what to answer ---- */

static bool set_number(struct plan *plan, const char *key, const char *value) {
    const struct {
        const char *key;
        long *to;
    } rows[] = {
        {"cut",    &plan->cut   },
        {"delay",  &plan->delay },
        {"chunk",  &plan->chunk },
        {"gap",    &plan->gap   },
        {"echo",   &plan->echo  },
        {"serves", &plan->serves},
        {"idle",   &plan->idle  }
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(key, rows[i].key) == 0) {
            char *end;
            *rows[i].to = strtol(value, &end, 10);
            return *value != '\0' && *end == '\0';
        }
    return false;
}

static bool set_option(struct plan *plan, char *option) {
    char *value = strchr(option, '=');
    if (!value)
        return false;
    *value++ = '\0';
    if (strcmp(option, "f") == 0)
        return snprintf(plan->f, MAX_NAME, "%s", value) < MAX_NAME;
    if (strcmp(option, "close") == 0) {
        plan->close = (enum ending)word_index(value, ending_names, NO_ENDING);
        return plan->close != NO_ENDING;
    }
    return set_number(plan, option, value);
}

/* Reads the options out of "GET /options/...". */
static bool read_plan(struct plan *plan, const char *head) {
    char options[1024], *rest = options, *option;
    *plan = (struct plan){"", -1, 0, -1, 0, 0, -1, -1, FIN};
    if (sscanf(head, "%*s /%1023[^/ \r\n]", options) != 1)
        return false;
    while ((option = strtok_r(rest, ";", &rest)))
        if (!set_option(plan, option))
            return false;
    return plan->f[0] != '\0';
}

static bool read_file(const char *name, struct bytes *into) {
    struct stat st;
    int fd = open(name, O_RDONLY);
    if (fd < 0 || fstat(fd, &st) != 0)
        return false;
    into->n = (size_t)st.st_size;
    into->p = malloc(into->n + 1);
    bool whole = into->p && read(fd, into->p, into->n) == st.st_size;
    close(fd);
    return whole;
}

/* The value of the header called name[0..n), or NULL; its length in *len. */
static const char *find_header(const char *head, const char *name, size_t n,
                               size_t *len) {
    for (const char *line = strstr(head, "\r\n"); line;
         line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, n) == 0 && line[n] == ':') {
            line += n + 1 + strspn(line + n + 1, " ");
            *len = strcspn(line, "\r\n");
            return line;
        }
    }
    return NULL;
}

/* The header that the "{Name}" at text asks for, and the bytes it takes; where
 * there is none, the first byte of text. */
static const char *expand(const char *text, size_t room, const char *head,
                          size_t *len, size_t *taken) {
    const char *brace = *text == '{' ? memchr(text, '}', room) : NULL;
    const char *value = NULL;
    if (brace) {
        *taken = (size_t)(brace - text) + 1;
        value = find_header(head, text + 1, *taken - 2, len);
    }
    if (!value)
        *len = *taken = 1;
    return value ? value : text;
}

/* Replaces reply by a copy in which {Header-Name} has become its value. */
static void echo_headers(struct bytes *reply, const char *head) {
    struct bytes out = {NULL, 0};
    FILE *f = open_memstream(&out.p, &out.n);
    size_t len = 0, taken = 0;
    if (!f)
        die("open_memstream");
    for (size_t i = 0; i < reply->n; i += taken) {
        const char *from =
            expand(reply->p + i, reply->n - i, head, &len, &taken);
        fwrite(from, 1, len, f);
    }
    fclose(f);
    free(reply->p);
    *reply = out;
}

/* What is sent from here on goes out with the connection's end. Else a client
 * may send its next request between the two, and its test then passes or fails
 * by chance. */
static void hold_back(struct connection *c) {
#ifdef TCP_CORK
    const int on = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
#else
    (void)c;
#endif
}

static bool send_reply(struct connection *c, const struct plan *plan,
                       struct bytes reply) {
    size_t end = reply.n, step;
    if (plan->cut >= 0 && (size_t)plan->cut < end)
        end = (size_t)plan->cut;
    pause_ms(plan->delay);
    for (size_t at = 0; at < end; at += step) {
        step = end - at;
        if (plan->chunk > 0 && (size_t)plan->chunk < step)
            step = (size_t)plan->chunk;
        if (at > 0)
            pause_ms(plan->gap);
        if (at + step == end && (plan->close == FIN || plan->close == NOTLS))
            hold_back(c);
        if (!send_all(c, reply.p + at, step))
            return false;
    }
    return true;
}

/* ---- how to end ---- */

static void finish(struct connection *c, enum ending how) {
    const struct linger at_once = {1, 0};
    char scrap[256];
    if (how == RST)
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    else if (how == HANG)
        while (recv(c->fd, scrap, sizeof scrap, 0) > 0)
            ;
    else if (c->ssl && how == FIN)
        SSL_shutdown(c->ssl);
    SSL_free(c->ssl);
    close(c->fd);
    free(c);
}

static const char not_http[] = "HTTP/1.1 400 Bad Request\r\n\r\n";

/* Answers one request.  Returns how the connection goes on: KEEP, or ends. */
static enum ending answer(struct connection *c) {
    char head[MAX_HEAD];
    struct plan plan;
    struct bytes reply = {NULL, 0};
    if (!read_head(c, head))
        return NOTLS;
    if (!isupper((unsigned char)*head)) {
        send_all(c, not_http, strlen(not_http));
        return FIN;
    }
    log_head(c, head);
    if (!read_plan(&plan, head) || !read_file(plan.f, &reply)) {
        fprintf(stderr, "faultd: cannot serve: %.*s\n",
                (int)strcspn(head, "\r\n"), head);
        plan.close = RST;
    } else if (plan.serves >= 0 && c->served++ >= (unsigned)plan.serves) {
        plan.close = FIN;
    } else {
        if (plan.echo > 0)
            echo_headers(&reply, head);
        if (!send_reply(c, &plan, reply))
            plan.close = NOTLS;
    }
    free(reply.p);
    if (plan.close == KEEP && !readable(c, plan.idle))
        return FIN;
    return plan.close;
}

static void *serve(void *arg) {
    struct connection *c = arg;
    const struct listener *l = c->listener;
    enum ending how = l->mode == RESET ? RST : l->mode == SILENT ? HANG : KEEP;
    if (l->tls) {
        c->ssl = SSL_new(l->tls);
        if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1 ||
            SSL_accept(c->ssl) != 1)
            how = NOTLS;
    }
    while (how == KEEP)
        how = answer(c);
    finish(c, how);
    return NULL;
}

/* ---- listeners ---- */

static void *accept_all(void *arg) {
    static _Atomic unsigned connections;
    const struct listener *l = arg;
    const int on = 1;
    for (;;) {
        struct connection *c = calloc(1, sizeof *c);
        if (!c || (c->fd = accept(l->fd, NULL, NULL)) < 0)
            die("accept");
        c->listener = l;
        c->id = ++connections;
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (!start_thread(serve, c))
            die("start_thread");
    }
    return NULL;
}

static SSL_CTX *make_tls(enum mode mode, const char *pem) {
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx || SSL_CTX_use_certificate_chain_file(ctx, pem) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, pem, SSL_FILETYPE_PEM) != 1)
        die(pem);
    if (mode == TLS11 &&
        (SSL_CTX_set_max_proto_version(ctx, TLS1_1_VERSION) != 1 ||
         SSL_CTX_set_cipher_list(ctx, "ALL:@SECLEVEL=0") != 1))
        die("TLS 1.1");
    return ctx;
}

/* Reads "NAME:MODE[:PEM]" into l. */
static void read_listener(struct listener *l, char *text) {
    char *rest = text;
    const char *name = strtok_r(rest, ":", &rest);
    char *mode = strtok_r(rest, ":", &rest);
    size_t len = mode ? strlen(mode) : 0;
    snprintf(l->name, sizeof l->name, "%s", name ? name : "");
    l->is_v6 = len > 0 && mode[len - 1] == '6';
    if (l->is_v6)
        mode[len - 1] = '\0';
    l->mode = (enum mode)word_index(mode ? mode : "", mode_names, NO_MODE);
    if (l->mode == NO_MODE || !name) {
        fprintf(stderr, "faultd: not a listener: %s\n", text);
        exit(2);
    }
    if (l->mode == TLS || l->mode == TLS11)
        l->tls = make_tls(l->mode, rest);
}

/* Whether anybody takes the connections that l's socket completes. */
static bool accepts(enum mode mode) {
    return mode != CLOSED && mode != FULL && mode != DNS;
}

/* Opens l's socket on a free port and prints which. */
static void open_listener(struct listener *l) {
    const bool is_dns = l->mode == DNS;
    union address a;
    l->fd = bind_loopback(&a, l->is_v6, is_dns ? SOCK_DGRAM : SOCK_STREAM,
                          is_dns ? 53 : 0);
    if (l->fd < 0)
        die("bind");
    /* A port that is bound and does not listen is taken, and refuses. */
    if ((l->mode == FULL && listen(l->fd, 0) != 0) ||
        (accepts(l->mode) && listen(l->fd, BACKLOG) != 0))
        die("listen");
    /* One connection fills a backlog of 0: later ones get no answer at all. */
    if (l->mode == FULL) {
        int fd = socket(a.any.sa_family, SOCK_STREAM, 0);
        if (fd < 0 || connect(fd, &a.any, size_of(&a)) != 0)
            die("connect");
    }
    if (accepts(l->mode) && !start_thread(accept_all, l))
        die("start_thread");
    printf("%s %d\n", l->name, port_of(&a));
}

int main(int argc, char **argv) {
    static struct listener listeners[MAX_ARGS];
    if (argc < 3 || argc > MAX_ARGS) {
        fprintf(stderr, "usage: faultd DIR NAME:MODE[:PEM]...\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    for (int i = 2; i < argc; i++) /* before chdir: PEM may be relative */
        read_listener(&listeners[i], argv[i]);
    if (chdir(argv[1]) != 0)
        die(argv[1]);
    log_fd = open("requests", O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (log_fd < 0)
        die("requests");
    for (int i = 2; i < argc; i++)
        open_listener(&listeners[i]);
    puts("");
    fflush(stdout);
    getchar();
    _exit(0); /* threads still use what exit() would tear down */
}
