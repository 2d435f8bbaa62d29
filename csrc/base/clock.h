/* The two clocks: one that tells the time, and one that only runs forward. */
#ifndef BF_CLOCK_H
#define BF_CLOCK_H

#include <stdint.h>

#pragma GCC visibility push(hidden)

int64_t bf_wall_ms(void); /* Unix time, milliseconds, UTC */
double bf_now(void);      /* monotonic seconds, unmoved by clock changes */
int64_t bf_now_ms(void);  /* the same in milliseconds */

#pragma GCC visibility pop

#endif
