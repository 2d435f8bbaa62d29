/* The head of one HTTP/1.1 reply, read line by line (RFC 9112, 2 to 6). */
#ifndef BF_HEAD_H
#define BF_HEAD_H

#include "base/error.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

#define BF_HEAD_MAX 65536 /* bytes of all header lines of one reply */
#define BF_DATE_MAX (sizeof "Wednesday, 06-Nov-94 08:49:37 GMT" - 1)

#pragma GCC visibility push(hidden)

struct bf_head {
    size_t bytes;
    int status;
    bool is_1_0;         /* HTTP/1.0 */
    bool closes;         /* the connection carries no other exchange */
    bool says_close;     /* a Connection line other than keep-alive */
    bool ended;          /* the empty line has been seen */
    bool malformed;      /* a line that is no header line */
    bool encoded;        /* Content-Encoding other than identity */
    char coding[32];     /* the first such, or "...": too long */
    unsigned lengths;    /* Content-Length lines, good or bad */
    unsigned codings;    /* Transfer-Encoding lines */
    bool chunked;        /* the last of them says just "chunked" */
    int64_t length;      /* of the last Content-Length; -1 if it is no number */
    int64_t retry_after; /* s; -1: none, or a date */
    int64_t retry_date;  /* Unix time; -1: none, or seconds */
    char date[BF_DATE_MAX]; /* a text; parsed only where it is asked for */
    size_t date_len;
};

void bf_head_init(struct bf_head *head);

/* Reads one line, with its line end. The line after an interim reply (1xx) is a
 * status line again; the bytes of all are counted. */
void bf_head_line(struct bf_head *head, const char *line, size_t len);

/* Is the head complete, and not that of an interim reply (1xx)? */
bool bf_head_final(const struct bf_head *head);

/* The seconds that the server asks to wait: the longest where it says several,
 * a day at the most; -1 where it says none. A date is compared with the date of
 * the reply, since this machine's clock may be wrong. */
long bf_head_retry_after(const struct bf_head *head);

/* Is the head complete, and the body framed in exactly one way? Sets `error` to
 * protocol (framing, too_large), or to network (truncated) where the head is
 * not complete. */
bool bf_head_check(const struct bf_head *head, struct bf_error *error);

#pragma GCC visibility pop

#endif
