/* The clock of the exchange, estimated from the server's time in its replies,
 * also in refusals. It is compared with the monotonic clock, so that setting
 * this machine's clock changes nothing. The caller passes the present time.
 * Times are in ms, those of the monotonic clock in seconds; all must be finite.
 */
#ifndef BF_SERVER_CLOCK_H
#define BF_SERVER_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

#define BF_CLOCK_SAMPLES 8

struct bf_clock_sample {
    double offset; /* ms by which the server is ahead of the monotonic clock */
    double middle; /* the same if the server read its time half way */
    double half;   /* of the round trip, ms */
    double at;     /* when it was sent, s */
};

/* All zero: nothing is known. */
struct bf_server_clock {
    struct bf_clock_sample samples[BF_CLOCK_SAMPLES]; /* earliest first */
    int count;
    int best;          /* index of the sample to use, where there is one */
    unsigned refusals; /* for the time of a request, in a row */
};

struct bf_clock_reading {
    double response_time; /* Unix time, ms */
    double sent, round_trip;
    bool refused; /* for its time: then what is known is wrong */
};

/* Learns from a reply, at the time `now` of the monotonic clock and `wall` of
 * the other. One that took long counts only where it contradicts what is known.
 * True: the best sample is another one, or none. */
bool bf_server_clock_learn(struct bf_server_clock *clock,
                           const struct bf_clock_reading *reading, double now,
                           double wall);

void bf_server_clock_forget(struct bf_server_clock *clock);

/* The best sample, or NULL. */
const struct bf_clock_sample *
bf_server_clock_best(const struct bf_server_clock *clock);

/* Replaces all samples by what another process has found, with the same
 * monotonic clock. */
void bf_server_clock_adopt(struct bf_server_clock *clock, double offset,
                           double half, double at);

/* Sets `*offset` to the ms to add so that a request has the server's time when
 * it arrives. True: to the monotonic clock. False: to the wall clock, 0. */
bool bf_server_clock_offset(const struct bf_server_clock *clock,
                            int64_t *offset);

#pragma GCC visibility pop

#endif
