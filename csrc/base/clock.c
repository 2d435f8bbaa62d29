#include "base/clock.h"

#include <time.h>

int64_t bf_wall_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

double bf_now(void) {
    struct timespec now;
#ifdef CLOCK_BOOTTIME /* also counts while the machine is suspended */
    if (clock_gettime(CLOCK_BOOTTIME, &now) != 0)
#endif
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int64_t bf_now_ms(void) {
    return (int64_t)(bf_now() * 1000);
}
