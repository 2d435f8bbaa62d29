/* A window holds the limits of one key: so many calls in any second, and so
 * many in any minute. A call counts from its slot until one second (one minute)
 * after its end, so that the server, which saw the call some time in between,
 * never sees more. lua/bitfront/limiter/window.lua is the same arithmetic, with
 * the reasons, for the stores that keep a window as a text; both give equal
 * results. The caller passes the present time. Times are in ms and must be
 * finite. */
#ifndef BF_WINDOW_H
#define BF_WINDOW_H

#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(hidden)

/* A call that has not ended. */
struct bf_slot {
    double id;         /* no other call's */
    double expires_at; /* the call counts as ended then, whatever is known */
};

/* All zero: a key of which no call is known. */
struct bf_window {
    double full_until; /* there is no room before, whatever the counts say */
    double *ended;     /* the ends of calls, earliest first, from index `first`
                        * to before `last` */
    size_t first, last;
    struct bf_slot *in_flight;
    size_t in_flight_count;
    size_t capacity; /* of both arrays; `last` and `in_flight_count` together
                      * are not more */
};

struct bf_limits {
    size_t per_second, per_minute; /* at least 1 */
};

struct bf_usage {
    size_t in_second, in_minute; /* calls that count */
    double full_for; /* ms for which there is no room whatever the counts say */
};

/* Takes a slot for a call that ends `lease` ms from now at the latest, and sets
 * `*wait` to 0; or sets it to the ms until there may be a slot, and no sooner.
 * False: there is no memory, and nothing was taken. */
bool bf_window_acquire(struct bf_window *window, double now, double id,
                       double lease, const struct bf_limits *limits,
                       double *wait);

/* The call was not sent: its slot does not count any more. An id that is not
 * known is ignored. */
void bf_window_cancel(struct bf_window *window, double id);

/* The call has ended at `time`. An id that is not known counts too: its lease
 * was over. False: there is no memory for it. */
bool bf_window_release(struct bf_window *window, double id, double time);

/* Leaves no room for `ms` from now. */
void bf_window_block(struct bf_window *window, double now, double ms);

struct bf_usage bf_window_peek(struct bf_window *window, double now);

/* Whether there is nothing in it worth keeping. */
bool bf_window_is_idle(struct bf_window *window, double now);

/* Releases its memory and sets it to zero. */
void bf_window_free(struct bf_window *window);

#pragma GCC visibility pop

#endif
