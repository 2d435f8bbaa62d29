#include "policy/server_clock.h"

#include <math.h>
#include <string.h>

static const double DRIFT =
    0.2; /* ms by which two clocks differ more a second */
static const double WIDE = 250; /* ms; more is mostly the server's own work */
static const double LATEST = 253402300799999; /* ms; the end of the year 9999 */

typedef struct bf_clock_sample sample;

static double min(double a, double b) {
    return a < b ? a : b;
}

const sample *bf_server_clock_best(const struct bf_server_clock *clock) {
    return clock->count > 0 ? &clock->samples[clock->best] : NULL;
}

bool bf_server_clock_offset(const struct bf_server_clock *clock,
                            int64_t *offset) {
    const sample *best = bf_server_clock_best(clock);
    *offset = 0;
    if (best)
        *offset = (int64_t)floor(best->offset + min(best->half, WIDE) + 0.5);
    return best != NULL;
}

void bf_server_clock_forget(struct bf_server_clock *clock) {
    clock->count = 0;
    clock->refusals = 0;
}

static bool restart(struct bf_server_clock *clock, const sample *only) {
    clock->samples[0] = *only;
    clock->count = 1;
    clock->best = 0;
    return true;
}

void bf_server_clock_adopt(struct bf_server_clock *clock, double offset,
                           double half, double at) {
    (void)restart(clock, &(sample){.offset = offset, .half = half, .at = at});
}

/* ---- samples ---- */

/* By how many ms a sample may be wrong. */
static double uncertainty(const sample *s, double now) {
    return s->half + (now - s->at) * DRIFT;
}

/* The server read its clock between our sending and its reply: half way, if
 * both ways took as long. A long time is mostly its own work before it read it.
 */
static sample sample_of(const struct bf_clock_reading *reading) {
    double half = reading->round_trip * 500;
    double received = (reading->sent + reading->round_trip) * 1000;
    return (sample){
        .offset = reading->response_time - received + min(half, WIDE),
        .middle = reading->response_time - received + half,
        .half = half,
        .at = reading->sent,
    };
}

/* The middle of the round trip is as far from both ends as can be. */
static bool contradicts(const sample *s, const sample *known, double now) {
    double apart = fabs(s->middle - known->offset);
    /* + 1: the server's time is in whole ms */
    return apart > s->half + uncertainty(known, now) + 1;
}

/* A request may be refused because it was delayed, although the sample is
 * right: that is replaced only after a second refusal. */
static bool overrules(const struct bf_server_clock *clock, const sample *s,
                      double now) {
    const sample *best = bf_server_clock_best(clock);
    return !best || clock->refusals > 1 || contradicts(s, best, now) ||
           s->half <= best->half;
}

static int find_best(const struct bf_server_clock *clock, double now) {
    int best = 0;
    double least = INFINITY;
    for (int i = 0; i < clock->count; i++) {
        double ms = uncertainty(&clock->samples[i], now);
        if (ms < least) {
            best = i;
            least = ms;
        }
    }
    return best;
}

/* True: another sample is the best. */
static bool add(struct bf_server_clock *clock, const sample *s, double now) {
    sample *all = clock->samples;
    int before = clock->count > 0 ? clock->best : -1;
    if (clock->count == BF_CLOCK_SAMPLES) {
        memmove(all, all + 1, (BF_CLOCK_SAMPLES - 1) * sizeof *all);
        clock->count--;
        before--;
    }
    all[clock->count++] = *s;
    clock->best = find_best(clock, now);
    return clock->best != before;
}

static bool learn_refusal(struct bf_server_clock *clock, const sample *s,
                          double now) {
    clock->refusals++;
    return overrules(clock, s, now) && restart(clock, s);
}

static bool learn_success(struct bf_server_clock *clock, const sample *s,
                          double now, double wall) {
    const sample machine = {.offset = wall - now * 1000, .at = now};
    const sample *best = bf_server_clock_best(clock);
    clock->refusals = 0;
    if (contradicts(s, best ? best : &machine, now))
        return restart(clock, s);
    return s->half <= WIDE && add(clock, s, now);
}

bool bf_server_clock_learn(struct bf_server_clock *clock,
                           const struct bf_clock_reading *reading, double now,
                           double wall) {
    sample s = sample_of(reading);
    if (!(reading->response_time > 0 && reading->response_time <= LATEST)) {
        if (reading->refused)
            bf_server_clock_forget(clock);
        return reading->refused;
    }
    return reading->refused ? learn_refusal(clock, &s, now)
                            : learn_success(clock, &s, now, wall);
}
