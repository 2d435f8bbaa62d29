/* jitterd: a loopback proxy that delays what passes through it.
 *
 *     jitterd TARGET_PORT MAX_MS
 *
 * listens on a free port of 127.0.0.1, prints "port N", and forwards each
 * connection to 127.0.0.1:TARGET_PORT, byte for byte. What one read gives, in
 * either direction, waits 0 to MAX_MS milliseconds, drawn anew each time, and
 * never overtakes what was read before it. A half-close and a reset take their
 * turn like bytes do: what was read before them arrives before them, also when
 * its sender has ended before. It exits at the first byte or the end of its
 * standard input, so that it never outlives the spec that started it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { READ_SIZE = 16384, QUEUE_LIMIT = 1048576, BACKLOG = 1024 };

enum what { BYTES, HALF_CLOSE, RESET };

struct chunk {
    struct chunk *next;
    int64_t due; /* ms */
    enum what what;
    size_t n, sent;
    char bytes[];
};

struct way { /* one direction of a connection */
    int from, to;
    bool reading; /* until its sender's end was read */
    bool full;    /* the receiver takes no more for now */
    bool ended;   /* the half-close has been passed on */
    struct chunk *first, *last;
    size_t queued; /* bytes */
    int64_t due;   /* of the last chunk */
};

struct pair {
    struct pair *next;
    struct way up, down;
    bool reset;     /* both ends are to be reset now */
    int ups, downs; /* where poll's answers for up.from and down.from are */
};

static struct sockaddr_in target = {.sin_family = AF_INET};
static int64_t max_ms;
static struct pair *pairs;

static struct {
    struct pollfd *p;
    size_t n, room;
} polls;

static _Noreturn void die(const char *what) {
    perror(what);
    exit(1);
}

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* splitmix64, since rand() may have 15 bits. */
static uint64_t random_bits(void) {
    static uint64_t state;
    if (state == 0)
        state = (uint64_t)time(NULL) << 32 ^ (uint64_t)getpid();
    uint64_t z = state += 0x9e3779b97f4a7c15U;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
    z = (z ^ z >> 27) * 0x94d049bb133111ebU;
    return z ^ z >> 31;
}

static int64_t random_delay(void) {
    return (int64_t)(random_bits() % ((uint64_t)max_ms + 1));
}

/* ---- one direction ---- */

/* Room for n bytes at the end of way's queue, due after all before it. */
static struct chunk *append(struct way *way, enum what what, size_t n) {
    struct chunk *chunk = malloc(sizeof *chunk + n);
    int64_t due = now_ms() + random_delay();
    if (!chunk)
        die("malloc");
    way->due = due > way->due ? due : way->due;
    *chunk = (struct chunk){NULL, way->due, what, n, 0};
    if (way->last)
        way->last->next = chunk;
    else
        way->first = chunk;
    way->last = chunk;
    way->queued += n;
    return chunk;
}

static void free_first(struct way *way) {
    struct chunk *chunk = way->first;
    way->first = chunk->next;
    if (!way->first)
        way->last = NULL;
    way->queued -= chunk->n;
    free(chunk);
}

/* The sender's end: nothing is read after it. */
static void append_end(struct way *way, enum what what) {
    if (way->reading)
        append(way, what, 0);
    way->reading = false;
}

static bool is_for_later(void) {
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* Queues what one read gives, and returns how many bytes that is; as recv. */
static ssize_t read_bytes(struct way *way) {
    static char buffer[READ_SIZE];
    ssize_t n = recv(way->from, buffer, sizeof buffer, 0);
    if (n > 0)
        memcpy(append(way, BYTES, (size_t)n)->bytes, buffer, (size_t)n);
    return n;
}

static void read_some(struct way *way) {
    ssize_t n = read_bytes(way);
    if (n == 0)
        append_end(way, HALF_CLOSE);
    else if (n < 0 && !is_for_later())
        append_end(way, RESET);
}

/* Sends of the first chunk what the receiver takes. False: it is gone. */
static bool send_first(struct way *way) {
    struct chunk *chunk = way->first;
    ssize_t n = send(way->to, chunk->bytes + chunk->sent,
                     chunk->n - chunk->sent, MSG_NOSIGNAL);
    if (n < 0) {
        way->full = is_for_later();
        return way->full;
    }
    chunk->sent += (size_t)n;
    if (chunk->sent == chunk->n)
        free_first(way);
    return true;
}

static void free_all(struct way *way) {
    while (way->first)
        free_first(way);
}

/* The receiver is gone, and what is queued for it is lost. What it has sent
 * itself is still passed on; then the sender gets the reset. */
static void give_up(struct way *way, struct way *back) {
    while (back->reading && read_bytes(back) > 0)
        ;
    append_end(back, RESET);
    free_all(way);
    way->reading = false;
    way->ended = true;
}

/* Passes on what is due. */
static void pass_on(struct pair *pair, struct way *way, struct way *back) {
    int64_t now = now_ms();
    while (way->first && way->first->due <= now && !way->full) {
        enum what what = way->first->what;
        if (what == BYTES && !send_first(way)) {
            give_up(way, back);
        } else if (what == HALF_CLOSE) {
            shutdown(way->to, SHUT_WR);
            way->ended = true;
            free_first(way);
        } else if (what == RESET) {
            pair->reset = true;
            return;
        }
    }
}

/* ---- connections ---- */

/* A socket for a connection: never blocks, and sends at once. */
static int set_up(int fd) {
    const int on = 1;
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
        die("fcntl");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/* A refusal is read from the socket later, like a reset. */
static int connect_to_target(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0)
        die("socket");
    set_up(fd);
    (void)connect(fd, (struct sockaddr *)&target, sizeof target);
    return fd;
}

static void accept_one(int listener) {
    int client = accept(listener, NULL, NULL);
    struct pair *pair = calloc(1, sizeof *pair);
    if (!pair || (client < 0 && !is_for_later() && errno != ECONNABORTED))
        die("accept");
    if (client < 0) {
        free(pair);
        return;
    }
    int server = connect_to_target();
    set_up(client);
    pair->up = (struct way){.from = client, .to = server, .reading = true};
    pair->down = (struct way){.from = server, .to = client, .reading = true};
    pair->up.full = true; /* until the target has accepted */
    pair->next = pairs;
    pairs = pair;
}

static void end_pair(struct pair *pair) {
    const struct linger at_once = {1, 0};
    int fds[] = {pair->up.from, pair->down.from};
    for (int i = 0; i < 2; i++) {
        if (pair->reset)
            setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close(fds[i]);
    }
    free_all(&pair->up);
    free_all(&pair->down);
    free(pair);
}

static void end_finished_pairs(void) {
    struct pair **at = &pairs;
    while (*at) {
        struct pair *pair = *at;
        if (pair->reset || (pair->up.ended && pair->down.ended)) {
            *at = pair->next;
            end_pair(pair);
        } else {
            at = &pair->next;
        }
    }
}

/* ---- waiting ---- */

/* Returns where poll's answer will be. Without events nothing is asked: poll
 * would tell of errors and hang-ups at once, again and again. */
static int ask(int fd, short events) {
    if (polls.n == polls.room) {
        polls.room = polls.room * 2 + 16;
        void *more = realloc(polls.p, polls.room * sizeof *polls.p);
        if (!more)
            die("realloc");
        polls.p = more;
    }
    polls.p[polls.n] = (struct pollfd){events ? fd : -1, events, 0};
    return (int)polls.n++;
}

/* What the socket is asked for that `in` reads from and `out` sends to. */
static short events(const struct way *in, const struct way *out) {
    bool reads = in->reading && in->queued < QUEUE_LIMIT;
    return (short)((reads ? POLLIN : 0) | (out->full ? POLLOUT : 0));
}

/* Reads and marks by poll's answer for the same. */
static void handle_events(int at, struct way *in, struct way *out) {
    short answer = polls.p[at].revents;
    if (answer == 0)
        return;
    if (in->reading && polls.p[at].events & POLLIN)
        read_some(in);
    out->full = false; /* sending will tell */
}

static int64_t earlier(int64_t due, const struct way *way) {
    bool waits = way->first && !way->full;
    return waits && way->first->due < due ? way->first->due : due;
}

/* Waits until something can be read, sent, or is due. */
static void wait_for_work(int listener) {
    int64_t due = INT64_MAX, now = now_ms();
    polls.n = 0;
    ask(STDIN_FILENO, POLLIN);
    ask(listener, POLLIN);
    for (struct pair *pair = pairs; pair; pair = pair->next) {
        pair->ups = ask(pair->up.from, events(&pair->up, &pair->down));
        pair->downs = ask(pair->down.from, events(&pair->down, &pair->up));
        due = earlier(earlier(due, &pair->up), &pair->down);
    }
    int64_t wait = due == INT64_MAX ? -1 : due > now ? due - now : 0;
    if (poll(polls.p, (nfds_t)polls.n, (int)wait) < 0 && errno != EINTR)
        die("poll");
}

static void serve(int listener) {
    for (;;) {
        wait_for_work(listener);
        if (polls.p[0].revents)
            return;
        for (struct pair *pair = pairs; pair; pair = pair->next) {
            handle_events(pair->ups, &pair->up, &pair->down);
            handle_events(pair->downs, &pair->down, &pair->up);
            pass_on(pair, &pair->up, &pair->down);
            pass_on(pair, &pair->down, &pair->up);
        }
        end_finished_pairs();
        if (polls.p[1].revents)
            accept_one(listener);
    }
}

/* ---- start ---- */

/* Opens the listener and prints its port. */
static int open_listener(void) {
    struct sockaddr_in a = {.sin_family = AF_INET};
    struct sockaddr *addr = (struct sockaddr *)&a;
    socklen_t size = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, addr, size) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, addr, &size) != 0)
        die("listen");
    set_up(fd);
    printf("port %d\n", ntohs(a.sin_port));
    fflush(stdout);
    return fd;
}

/* Two descriptors a connection: as many as there may be. */
static void raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* The number that text is, up to max; -1 where it is none. */
static long number(const char *text, long max) {
    char *end;
    long value = strtol(text, &end, 10);
    return *text && !*end && value >= 0 && value <= max ? value : -1;
}

int main(int argc, char **argv) {
    long port = argc == 3 ? number(argv[1], 65535) : -1;
    max_ms = argc == 3 ? number(argv[2], 3600000) : -1;
    if (port < 0 || max_ms < 0) {
        fprintf(stderr, "usage: jitterd TARGET_PORT MAX_MS\n");
        return 2;
    }
    target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    target.sin_port = htons((uint16_t)port);
    signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    serve(open_listener());
    return 0;
}
