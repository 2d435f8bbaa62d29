#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* dladdr, RTLD_NODELETE */
#endif

#include "http/multi.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* A multi handle has descriptors of its own. They must not get the number of a
 * standard stream that is closed, so those are taken meanwhile. `trouble` is
 * what errno says after it. */
static CURLM *init_multi(int *trouble) {
    int taken[STDERR_FILENO + 1], count = 0, fd;
    CURLM *multi;
    while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0 &&
           fd <= STDERR_FILENO)
        taken[count++] = fd;
    if (fd >= 0)
        (void)close(fd);
    errno = 0;
    multi = curl_multi_init();
    *trouble = errno;
    while (count > 0)
        (void)close(taken[--count]);
    return multi;
}

/* NULL with `error` set. libcurl makes a multi handle also where the system
 * refused what it is woken by; that shows when it is tried. */
CURLM *bf_multi_new(struct bf_error *error) {
    int trouble;
    CURLM *multi = init_multi(&trouble);
    if (multi && curl_multi_wakeup(multi) == CURLM_OK)
        return multi;
    (void)curl_multi_cleanup(multi);
    if (multi || (trouble && trouble != ENOMEM))
        bf_error_set(error, BF_NETWORK, "descriptors",
                     "the system refuses the file descriptors that libcurl "
                     "is woken by%s%s",
                     trouble ? ": " : "", trouble ? strerror(trouble) : "");
    else
        bf_error_no_memory(error);
    return NULL;
}

void bf_stay_loaded(void) {
    static const char here;
    Dl_info info;
    if (dladdr(&here, &info) != 0)
        (void)dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}
