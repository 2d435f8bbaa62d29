#include "policy/window.h"

#include <stdlib.h>
#include <string.h>

static const double SECOND = 1000, MINUTE = 60000;

/* No call takes longer: one minute, and what may still arrive after it (see
 * lua/bitfront/limiter.lua). */
static const double LONGEST_LEASE = 65000;

/* For so long a call that is in flight now may still count: MINUTE after the
 * longest lease. */
static const double LONGEST_FULL = 125000;

static double max(double a, double b) {
    return a > b ? a : b;
}

static double min(double a, double b) {
    return a < b ? a : b;
}

/* ---- memory ---- */

static bool grow(struct bf_window *w) {
    size_t capacity = w->capacity ? 2 * w->capacity : 16;
    double *ended;
    struct bf_slot *in_flight;
    ended = realloc(w->ended, capacity * sizeof *ended);
    if (!ended)
        return false;
    w->ended = ended;
    in_flight = realloc(w->in_flight, capacity * sizeof *in_flight);
    if (!in_flight)
        return false;
    w->in_flight = in_flight;
    w->capacity = capacity;
    return true;
}

/* Makes room for one more call and for the end of each: what ends needs no
 * memory then. */
static bool reserve(struct bf_window *w) {
    size_t count = w->last - w->first;
    if (w->last + w->in_flight_count < w->capacity)
        return true;
    if (count + w->in_flight_count >= w->capacity / 2)
        return grow(w);
    memmove(w->ended, w->ended + w->first, count * sizeof *w->ended);
    w->first = 0;
    w->last = count;
    return true;
}

void bf_window_free(struct bf_window *w) {
    free(w->ended);
    free(w->in_flight);
    memset(w, 0, sizeof *w);
}

/* ---- calls that have ended ---- */

static void note_end(struct bf_window *w, double time) {
    size_t i = w->last++;
    for (; i > w->first && w->ended[i - 1] > time; i--)
        w->ended[i] = w->ended[i - 1];
    w->ended[i] = time;
}

static void remove_slot(struct bf_window *w, size_t i) {
    w->in_flight[i] = w->in_flight[--w->in_flight_count];
}

/* Limits times that are in the future since the clock was set back. For how
 * long a call has been in flight is not known then: it gets the longest lease
 * again. */
static void set_back(struct bf_window *w, double now) {
    for (size_t i = 0; i < w->in_flight_count; i++)
        if (w->in_flight[i].expires_at > now + LONGEST_LEASE)
            w->in_flight[i].expires_at = now + LONGEST_LEASE;
    for (size_t i = w->last; i > w->first; i--) {
        if (w->ended[i - 1] <= now + MINUTE)
            break;
        w->ended[i - 1] = now + MINUTE;
    }
    w->full_until = min(w->full_until, now + LONGEST_FULL);
}

/* Ends the calls whose lease is over; removes what ended more than a minute
 * ago.
 */
static void update(struct bf_window *w, double now) {
    set_back(w, now);
    for (size_t i = w->in_flight_count; i > 0; i--) {
        double expires_at = w->in_flight[i - 1].expires_at;
        if (expires_at <= now) {
            remove_slot(w, i - 1);
            note_end(w, expires_at);
        }
    }
    while (w->first < w->last && w->ended[w->first] + MINUTE <= now)
        w->first++;
}

/* ---- operations ---- */

/* The ms until there may be room for one more call in a window of `length` ms:
 * then at most limit - 1 of the calls in it still count. A call in flight
 * counts for a whole window from now at least. */
static double wait_for(const struct bf_window *w, double now, double length,
                       size_t limit) {
    size_t room;
    if (limit <= w->in_flight_count)
        return length;
    room = limit - w->in_flight_count;
    if (room > w->last - w->first)
        return 0;
    return w->ended[w->last - room] + length - now;
}

bool bf_window_acquire(struct bf_window *w, double now, double id, double lease,
                       const struct bf_limits *limits, double *wait) {
    update(w, now);
    *wait = max(
        max(w->full_until - now, wait_for(w, now, SECOND, limits->per_second)),
        wait_for(w, now, MINUTE, limits->per_minute));
    if (*wait > 0)
        return true;
    if (!reserve(w))
        return false;
    w->in_flight[w->in_flight_count++] =
        (struct bf_slot){id, now + min(lease, LONGEST_LEASE)};
    *wait = 0;
    return true;
}

void bf_window_cancel(struct bf_window *w, double id) {
    for (size_t i = 0; i < w->in_flight_count; i++) {
        if (w->in_flight[i].id == id) {
            remove_slot(w, i);
            return;
        }
    }
}

bool bf_window_release(struct bf_window *w, double id, double time) {
    bf_window_cancel(w, id);
    if (!reserve(w)) /* never for a slot that was just removed */
        return false;
    note_end(w, time);
    return true;
}

void bf_window_block(struct bf_window *w, double now, double ms) {
    w->full_until = max(w->full_until, now + ms);
}

static size_t count_since(const struct bf_window *w, double time) {
    size_t i = w->last;
    while (i > w->first && w->ended[i - 1] > time)
        i--;
    return w->in_flight_count + w->last - i;
}

struct bf_usage bf_window_peek(struct bf_window *w, double now) {
    update(w, now);
    return (struct bf_usage){
        .in_second = count_since(w, now - SECOND),
        .in_minute = count_since(w, now - MINUTE),
        .full_for = max(0, w->full_until - now),
    };
}

bool bf_window_is_idle(struct bf_window *w, double now) {
    update(w, now);
    return w->in_flight_count == 0 && w->first == w->last &&
           w->full_until <= now;
}
