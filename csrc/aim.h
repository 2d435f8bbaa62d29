/* Where an easy handle is aimed: the URL, whom to trust there, and the proxy on
 * the way. A handle goes from call to call and from client to client; most of
 * the time nothing of this changes, and libcurl need not read the URL again.
 * Knows no Lua. */
#ifndef BF_AIM_H
#define BF_AIM_H

#include <curl/curl.h>
#include <stdbool.h>

#pragma GCC visibility push(hidden)

struct bf_aim {
    char *url;     /* NULL: at nothing yet */
    char *ca_file; /* NULL: libcurl's default */
    char *proxy;
    CURLU *parsed; /* what libcurl made of the URL */
};

/* Is it aimed there already? */
bool bf_aim_is(const struct bf_aim *aim, const char *url, const char *ca_file,
               const char *proxy);

/* Aims a handle that was just locked down. Takes `url`, which it frees in every
 * case. False: no memory. */
bool bf_aim_set(struct bf_aim *aim, CURL *easy, char *url, const char *ca_file,
                const char *proxy);

void bf_aim_free(struct bf_aim *aim);

#pragma GCC visibility pop

#endif
