/* The two clocks: the time of day, and a monotonic one. */
#ifndef BF_CLOCK_H
#define BF_CLOCK_H

#include <stdint.h>

#pragma GCC visibility push(hidden)

int64_t bf_wall_ms(void); /* Unix time, milliseconds, UTC */
double
bf_now(void); /* monotonic seconds; setting the clock does not change them */
int64_t bf_now_ms(void); /* the same in milliseconds */

#pragma GCC visibility pop

#endif
