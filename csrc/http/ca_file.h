/* The file of certificates that a client trusts instead of the system's. */
#ifndef BF_CA_FILE_H
#define BF_CA_FILE_H

#include "base/error.h"

#include <stdbool.h>

#pragma GCC visibility push(hidden)

/* False with `error` set (tls, "ca_file") where there is something else than a
 * regular file, or a large one: libcurl would wait for it past every deadline.
 */
bool bf_ca_file_is_regular(const char *path, struct bf_error *error);

/* Can it be opened now, besides one more file? Never waits. Sets `error` as
 * bf_ca_file_check does. */
bool bf_ca_file_can_open(const char *path, struct bf_error *error);

/* Can certificates be read from it now? False with `error` set:
 * tls, "ca_file", with the system's reason; network, "descriptors"; memory. */
bool bf_ca_file_check(const char *path, struct bf_error *error);

#pragma GCC visibility pop

#endif
